"""Applications to embed, and what a test wants to know of them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.support import Answer, call
from wsgitornado.web import Application, FallbackHandler, RequestHandler

__all__ = ["PLAIN", "Body", "Embedded", "answering", "writer"]

PLAIN = [("Content-Type", "text/plain")]


class Watched(FallbackHandler):
    """Notes how often its request has ended, and with which status."""

    def initialize(self, fallback: Any, ends: list[int]) -> None:  # type: ignore[override]  # each handler takes its own
        super().initialize(fallback)
        self.ends = ends

    def on_finish(self) -> None:
        self.ends.append(self.get_status())


class Embedded:
    """An embedded application, and what has become of it."""

    def __init__(self, fallback: Any, **settings: Any) -> None:
        self.ends: list[int] = []
        self.logged: list[int] = []
        settings.setdefault(
            "log_function", lambda h: self.logged.append(h.get_status())
        )
        rule = ("(?s:.*)", Watched, {"fallback": fallback, "ends": self.ends})
        self.application = Application([rule], **settings)

    def log(self, handler: RequestHandler) -> None:
        self.logged.append(handler.get_status())

    def call(self, target: str = "/", *args: Any, **extra: Any) -> Answer:
        return call(self.application, target, *args, **extra)


class Body:
    """A body that counts how often it is closed."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = iter(chunks)
        self.taken = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk = next(self.chunks)
        if isinstance(chunk, Exception):
            raise chunk
        self.taken += 1
        return chunk

    def close(self) -> None:
        self.closed += 1


def answering(body: Any, status: str = "200 OK") -> Callable[..., Any]:
    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, PLAIN)
        return body

    return application


def writer(environ: Any, start_response: Any) -> list[bytes]:
    """Sends a part of its output in the old imperative way."""
    write = start_response("201 Created", [*PLAIN, ("X-Inner", "1")])
    write(b"one ")
    return [b"two"]
