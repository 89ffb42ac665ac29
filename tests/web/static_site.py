"""An application with static files, and how tests ask it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper

from tests.folders import make_site
from tests.support import Answer, call, make_environ
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.web import Application, RequestHandler, StaticFileHandler

__all__ = [
    "CHUNK",
    "LAST_MODIFIED",
    "Ends",
    "Server",
    "Site",
    "Wrapper",
    "content_of",
    "descriptors",
]

#: What is read of a file at once.
CHUNK = 65536

#: As of :func:`tests.folders.make_site`.
LAST_MODIFIED = "Sun, 09 Sep 2001 01:46:40 GMT"


class Ends:
    """What has ended: the statuses of log lines, and of ``on_finish``."""

    def __init__(self) -> None:
        self.logged: list[int] = []
        self.finished: list[int] = []
        self.left: list[int] = []

    def log(self, handler: RequestHandler) -> None:
        self.logged.append(handler.get_status())


class Site:
    """One rule for the files of a new folder.

    :param handler: the class, whose requests are watched.
    :param arguments: more keyword arguments of the rule.
    """

    def __init__(
        self,
        folder: Path,
        handler: type[StaticFileHandler] = StaticFileHandler,
        arguments: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.root = make_site(folder)
        self.ends = ends = Ends()

        class Watched(handler):  # type: ignore[valid-type, misc]  # a parameter
            def on_finish(self) -> None:
                ends.finished.append(self.get_status())
                super().on_finish()

            def on_connection_close(self) -> None:
                ends.left.append(self.get_status())

        self.handler: type[StaticFileHandler] = Watched
        rule = ("/files/(.*)", Watched, {"path": str(self.root), **(arguments or {})})
        self.application = Application([rule], log_function=ends.log, **settings)

    def ask(
        self, path: str, *headers: tuple[str, str], method: str = "GET", **extra: Any
    ) -> Answer:
        return call(self.application, f"/files/{path}", method, headers, **extra)


class Server:
    """Takes a response step by step, as the test wants."""

    def __init__(self, site: Site, path: str, *headers: tuple[str, str], **extra: Any):
        environ = make_environ(f"/files/{path}", headers=headers, **extra)
        self.body: Any = site.application(environ, self.start_response)
        self.chunks = iter(self.body)

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Any:
        self.status, self.headers = status, HTTPHeaders(headers)


def descriptors() -> set[str]:
    """What this process has open."""
    return {
        name
        for name in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{name}")
    }


def content_of(*pieces: Any) -> type[StaticFileHandler]:
    """A handler of these pieces; an exception among them is raised."""

    class Piecewise(StaticFileHandler):
        closed = 0

        @classmethod
        def get_content(cls, abspath: str, *args: Any) -> Iterator[bytes]:
            try:
                for piece in pieces:
                    if isinstance(piece, Exception):
                        raise piece
                    yield piece
            finally:
                cls.closed += 1

        @classmethod
        def get_content_version(cls, abspath: str) -> str:
            return "v"

    return Piecewise


class Wrapper(FileWrapper):
    """A server's own, which notes the sizes of blocks that it was told."""

    blocks: list[int] = []

    def __init__(self, filelike: Any, blksize: int = 8192) -> None:
        super().__init__(filelike, blksize)
        self.blocks.append(blksize)
