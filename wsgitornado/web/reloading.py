"""What an application tells of itself to what reloads programs."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

from wsgitornado import autoreload
from wsgitornado.httpserver import server

__all__ = ["enlist", "say_if_ignored"]

say_if_ignored = autoreload.say_if_ignored

#: All that exist, for the sake of their templates.
_applications: weakref.WeakSet[Any] = weakref.WeakSet()


def enlist(application: Any) -> bool:
    """Take note of a new application; whether it asks to be reloaded."""
    _applications.add(application)
    static_path = application.settings.get("static_path")
    if static_path:
        autoreload.skip_folder(static_path)
    is_asked_for = bool(application.settings.get("autoreload"))
    if is_asked_for:
        autoreload.ask_for_reload()
    return is_asked_for


def _template_paths() -> Iterator[str]:
    """The folders of templates of all applications, and files where there is none."""
    for application in list(_applications):
        folder = application.settings.get("template_path")
        if folder:
            yield folder
        loaders = [application.settings.get("template_loader")]
        for loader in loaders + list(application._template_loaders.values()):
            yield from _paths_of(loader, folder)


def _paths_of(loader: Any, folder: str | None) -> Iterable[str]:
    """What a loader reads, beside the folder that is known."""
    root = getattr(loader, "root", None)
    if root is not None:
        if folder and os.path.abspath(folder) == root:
            return ()
        # Perhaps that of the program, with all that it writes.
        return [os.path.join(root, name) for name in list(loader.templates)]
    environment = getattr(loader, "environment", None)
    return list(getattr(getattr(environment, "loader", None), "searchpath", ()))


autoreload.watch_source(_template_paths)
server.when_begun.append(autoreload.note_server)
