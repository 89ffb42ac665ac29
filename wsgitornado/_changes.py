"""Which files a program is made of, and waiting until one of them changes."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Final, TypeAlias

from wsgitornado.locale import translations_folder
from wsgitornado.log import gen_log

__all__ = ["ProgramFiles", "wait_for_change"]

#: What tells a file from what it was: its time and size. None: there is no file.
_Stamp: TypeAlias = tuple[int, int] | None

#: Who saves a file may save more of them, and a file may be written in pieces: seconds
#: without a further change, and how often it is looked.
_SETTLING: Final = 0.05
_MOST_SETTLING: Final = 40

#: Seconds after which it is looked for new modules where the system tells of changes.
_LOOK_AROUND: Final = 1.0

#: Packages that nobody changes while a program is written.
_NOT_THE_PROGRAM: Final = sys.stdlib_module_names | {"wsgitornado"}

#: Folders in which nobody writes a program.
_NOT_OF_PROGRAMS: Final = frozenset({"__pycache__", "node_modules"})


class ProgramFiles:
    """The files of a program, as they were when each was seen first.

    Those of its modules, but not of Python's own library or of this package; its
    translations; what :meth:`add` and the sources name. Of a folder that is named it is
    all files, but not hidden ones. Used by several threads.
    """

    def __init__(self) -> None:
        self._named: set[str] = set()
        self._skipped: set[str] = set()
        self._sources: list[Callable[[], Iterable[str]]] = []
        self._known_roots: set[str] = set()
        self._stamps: dict[str, _Stamp] = {}
        self._lock = threading.Lock()

    def add(self, *paths: str) -> None:
        """Watch files or folders too; they need not exist yet."""
        self._named.update(map(os.path.abspath, paths))
        self.look()

    def skip(self, folder: str) -> None:
        """Leave out a folder where it is inside one that is named."""
        self._skipped.add(os.path.abspath(folder))

    def add_source(self, source: Callable[[], Iterable[str]]) -> None:
        """Ask for further paths at each look: there may be more of them by then."""
        self._sources.append(source)

    def look(self) -> None:
        """See what is there: what changes from here on is a change."""
        with self._lock:
            for path in self._paths():
                if path not in self._stamps:
                    self._stamps[path] = _stamp_of(path)

    def find_change(self) -> str | None:
        """A file that changed, appeared or went since the last look."""
        found = None
        with self._lock:
            for path in self._paths():
                stamp = _stamp_of(path)
                if self._stamps.setdefault(path, stamp) != stamp:
                    self._stamps[path] = stamp
                    found = path
        return found

    def folders(self) -> frozenset[str]:
        """The folders that hold the files, as far as they exist."""
        with self._lock:
            folders = {os.path.dirname(path) for path in self._stamps}
        return frozenset(folder for folder in folders if os.path.isdir(folder))

    def _paths(self) -> set[str]:
        paths = set(_module_files())
        # Once, though several applications may name the same.
        for root in dict.fromkeys(self._roots()):
            below = set(self._files_below(root))
            if root in self._known_roots:
                # What was not there before: a further translation, for instance.
                self._stamps.update(dict.fromkeys(below - self._stamps.keys()))
            self._known_roots.add(root)
            paths |= below
        # Those that went from a folder.
        return paths.union(self._stamps)

    def _roots(self) -> Iterator[str]:
        yield from list(self._named)
        for source in self._sources:
            yield from map(os.path.abspath, source())
        folder = translations_folder()
        if folder is not None:
            yield folder

    def _files_below(self, path: str) -> Iterator[str]:
        """The file, or all files in the folder and its folders."""
        if not os.path.isdir(path):
            yield path
            return
        for folder, folders, names in os.walk(path):
            folders[:] = [
                name
                for name in folders
                if name[0] != "."
                and name not in _NOT_OF_PROGRAMS
                and os.path.join(folder, name) not in self._skipped
            ]
            for name in names:
                # Editors keep what they need beside a file, under such names.
                if name[0] != "." and name[-1] != "~":
                    yield os.path.join(folder, name)


def _module_files() -> Iterator[str]:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in _NOT_THE_PROGRAM:
            continue
        if isinstance(module, ModuleType):
            # Not by getattr(): modules that load late would do so now.
            path = object.__getattribute__(module, "__dict__").get("__file__")
            if isinstance(path, str):
                yield os.path.abspath(path)


def _stamp_of(path: str) -> _Stamp:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size


def wait_for_change(files: ProgramFiles, interval: float) -> str:
    """Wait until a file changes, and all of them stay as they are; returns its path.

    With watchfiles installed the system tells of changes. Otherwise it is looked for
    them, at this interval in seconds.
    """
    alarm = _Alarm(interval)
    while (found := files.find_change()) is None:
        alarm.wait(files.folders())
    for _ in range(_MOST_SETTLING):
        time.sleep(_SETTLING)
        if files.find_change() is None:
            break
    return found


class _Alarm:
    """Sleeps until something happens in some folders, or a time is over.

    It may wake for nothing: what has changed is for :class:`ProgramFiles` to say.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._folders: frozenset[str] = frozenset()
        self._events: Iterator[object] | None = None
        self._watch = _watch_function()

    def wait(self, folders: frozenset[str]) -> None:
        if self._watch is not None:
            try:
                self._wait_for_events(self._watch, folders)
                return
            except (OSError, RuntimeError) as error:
                # More folders than the system lets one watch, or one that has gone.
                gen_log.debug("watchfiles failed, looking for changes: %s", error)
                self._watch = self._events = None
        time.sleep(self._interval)

    def _wait_for_events(
        self, watch: Callable[..., Iterator[object]], folders: frozenset[str]
    ) -> None:
        if self._events is None or folders != self._folders:
            self._folders = folders
            self._events = watch(
                *folders,
                watch_filter=None,
                recursive=False,
                step=100,
                rust_timeout=int(1000 * _LOOK_AROUND),
                yield_on_timeout=True,
            )
        next(self._events)


def _watch_function() -> Callable[..., Iterator[object]] | None:
    """``watchfiles.watch``, if it is installed."""
    try:
        module: Any = importlib.import_module("watchfiles")
    except ModuleNotFoundError as error:
        if error.name != "watchfiles":
            raise
        return None
    # It tells of each change, whether it is one of the program or not.
    logging.getLogger("watchfiles").setLevel(logging.WARNING)
    watch: Callable[..., Iterator[object]] = module.watch
    return watch
