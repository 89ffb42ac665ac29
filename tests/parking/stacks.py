"""Six stacks of middleware, and an application that remembers what became of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from wsgiref.validate import validator

from tests.loops import BOUND
from wsgitornado import parked, parking
from wsgitornado._types import (
    Body,
    HeaderList,
    StartResponse,
    WSGIApplication,
    WSGIEnvironment,
)
from wsgitornado.locks import Event
from wsgitornado.web import RequestHandler

__all__ = ["STACKS", "Record", "Recorded", "pause", "tasks_left"]


def add_header(application: WSGIApplication) -> WSGIApplication:
    """Hands on the very iterable that it gets: what comes through can be parked."""

    def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        def start(status: str, headers: HeaderList, *exc_info: Any) -> Any:
            return start_response(status, [*headers, ("X-Added", "yes")], *exc_info)

        return application(environ, start)

    return middleware


def generate(application: WSGIApplication) -> WSGIApplication:
    """Calls the application only when its body is asked for, as tracing does."""

    def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        body = application(environ, start_response)
        try:
            yield from body
        finally:
            if hasattr(body, "close"):
                body.close()

    return middleware


def gather(application: WSGIApplication) -> WSGIApplication:
    """Gathers the whole answer before any of it goes out, as caches do."""

    def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        started: list[Any] = []
        chunks: list[bytes] = []

        def start(status: str, headers: HeaderList, *exc_info: Any) -> Any:
            started[:] = [status, headers]
            return chunks.append

        body = application(environ, start)
        try:
            chunks.extend(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        status, headers = started
        start_response(status, headers)
        return [b"".join(chunks)]

    return middleware


def strip(application: WSGIApplication) -> WSGIApplication:
    """Lets through only what PEP 3333 and CGI know, and nothing of the server's own."""

    def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        known = {
            key: value
            for key, value in environ.items()
            if key.startswith("wsgi.") or key.isupper()
        }
        return application(known, start_response)

    return middleware


def nothing(application: WSGIApplication) -> WSGIApplication:
    return application


STACKS: dict[str, Callable[[WSGIApplication], WSGIApplication]] = {
    "none": nothing,
    "header-adding": add_header,
    "generator": generate,
    "wsgiref.validate": validator,
    "buffering": gather,
    "environ-stripping": strip,
}


@dataclass
class Record:
    """What a handler was told, and what it tells."""

    left: int = 0
    finished: list[int] = field(default_factory=list)
    logged: list[int] = field(default_factory=list)
    #: Set when the coroutine has come to the place where it waits.
    begun: threading.Event = field(default_factory=threading.Event)
    #: Lets it go on.
    gate: Event = field(default_factory=Event)
    #: Set when it is told that the client has left.
    noticed: threading.Event = field(default_factory=threading.Event)
    #: Set by its ``finally``.
    ended: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    def log(self, handler: RequestHandler) -> None:
        self.logged.append(handler.get_status())


class Recorded(RequestHandler):
    """Tells its record of its end."""

    def initialize(self, record: Record) -> None:  # type: ignore[override]  # each handler takes its own
        self.record = record

    def set_default_headers(self) -> None:
        self.set_header("X-Own", "ours")

    def on_connection_close(self) -> None:
        self.record.left += 1
        self.record.noticed.set()

    def on_finish(self) -> None:
        self.record.finished.append(self.get_status())
        self.record.over.set()


async def pause() -> None:
    """Give a turn to others, so that a coroutine does not end at once."""
    await asyncio.sleep(0)


async def _others() -> set[asyncio.Task[Any]]:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    # Those that are about to end.
    await asyncio.wait(others, timeout=BOUND) if others else None
    return {task for task in others if not task.done()}


def tasks_left() -> set[asyncio.Task[Any]]:
    """The tasks on the loop that do not end, and threads that wait for them."""
    left = parking.wait(_others())
    assert parked.waiting() == 0
    return left
