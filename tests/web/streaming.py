"""A server for handlers that flush, and a handler that remembers what it is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from wsgiref.validate import validator

from tests.support import make_environ
from tests.web.one_handler import application_of
from wsgitornado._types import WSGIApplication, WSGIEnvironment
from wsgitornado.web import RequestHandler

__all__ = ["TOO_LATE", "UNCAUGHT", "Recording", "Server", "boom", "flushing", "serve"]

#: How the log lines about failures begin.
UNCAUGHT = "Uncaught exception GET /"
TOO_LATE = "Cannot send error response after headers written"


@dataclass
class Server:
    """A server that keeps what it is given, in order, and may lose its client.

    :ivar events: "status", what was written, "closed".
    :ivar failure: what came out of the application or of its iterable.
    """

    leaves_after: int | None = None
    leaving: Exception = field(default_factory=BrokenPipeError)
    events: list[Any] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    failure: Exception | None = None

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        assert not self.events, "started twice"
        self.events.append(status)
        self.headers = dict(headers)
        return self.write

    def write(self, chunk: bytes) -> None:
        if self.leaves_after is not None:
            if self.leaves_after == 0:
                raise self.leaving
            self.leaves_after -= 1
        self.events.append(chunk)

    def serve(self, application: WSGIApplication, environ: WSGIEnvironment) -> None:
        body = validator(application)(environ, self.start_response)
        try:
            for chunk in body:
                self.events.append(chunk)
        except Exception as error:
            self.failure = error
        finally:
            body.close()  # type: ignore[attr-defined]  # the validator's has it
            self.events.append("closed")

    @property
    def body(self) -> bytes:
        return b"".join(one for one in self.events if isinstance(one, bytes))


class Recording(RequestHandler):
    """Keeps the order in which it is told things."""

    told: list[Any]

    def on_finish(self) -> None:
        self.told.append(("finish", self.get_status()))

    def on_connection_close(self) -> None:
        self.told.append("left")


def serve(
    verb: Callable[[Any], object],
    method: str = "GET",
    base: type[RequestHandler] = Recording,
    leaves_after: int | None = None,
    leaving: Exception | None = None,
) -> Server:
    server = Server(leaves_after, leaving or BrokenPipeError())
    server.serve(application_of(verb, base), make_environ(method=method))
    return server


def boom(*args: object, **kwargs: object) -> Any:
    raise ZeroDivisionError("boom")


def flushing(*chunks: Any, then: Callable[[], object] | None = None) -> Any:
    """A verb that writes and flushes each chunk."""

    def verb(handler: RequestHandler) -> None:
        for chunk in chunks:
            handler.write(chunk)
            handler.flush()
        if then is not None:
            then()

    return verb
