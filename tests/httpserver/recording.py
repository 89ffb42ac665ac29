"""A receiver that writes down what a parser tells, and ways to feed a parser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from wsgitornado.httpserver.limits import Limits
from wsgitornado.httpserver.parsers import RequestError, RequestHead, RequestParser

#: The parsers that have to read the same: our own alone, and with each of the others.
BACKENDS = ("httptools", "h11")

#: Ways to cut bytes into what a socket gives.
SPLITS: dict[str, Callable[[bytes], Iterable[bytes]]] = {
    "whole": lambda data: [data],
    "byte by byte": lambda data: [data[i : i + 1] for i in range(len(data))],
    "in sevens": lambda data: [data[i : i + 7] for i in range(0, len(data), 7)],
}


class Recorder:
    """Keeps what it is told; pieces of one body are joined.

    :ivar events: ``("head", ...)``, ``("body", bytes)``, ``("end",)`` and
        ``("error", status, message)``.
    """

    def __init__(self, *, pauses: int | None = None) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.heads: list[RequestHead] = []
        self.calls = 0
        #: What is called after an event of that name.
        self.then: dict[str, Callable[[], object]] = {}
        # After how many events the parser is paused each time.
        self._pauses = pauses
        self.parser: RequestParser

    def _note(self, *event: Any) -> None:
        self.events.append(event)
        self.calls += 1
        if self._pauses and self.calls % self._pauses == 0:
            self.parser.pause()
        self.then.get(event[0], bool)()

    def on_head(self, head: RequestHead) -> None:
        self.heads.append(head)
        self._note(
            "head",
            head.method,
            head.target,
            head.version,
            tuple(sorted(head.headers)),
            head.content_length,
            head.is_chunked,
            head.keep_alive,
            head.expects_continue,
            head.upgrade,
        )

    def on_body(self, data: bytes) -> None:
        assert data
        if self.events[-1][0] == "body":
            self.events[-1] = ("body", self.events[-1][1] + data)
        else:
            self._note("body", data)

    def on_end(self) -> None:
        self._note("end")

    def on_error(self, error: RequestError) -> None:
        self._note("error", error.status, error.message)

    @property
    def targets(self) -> list[str]:
        """The targets of the requests that are complete."""
        ends = sum(event == ("end",) for event in self.events)
        return [head.target for head in self.heads[:ends]]

    @property
    def bodies(self) -> list[bytes]:
        return [event[1] for event in self.events if event[0] == "body"]

    @property
    def status(self) -> int | None:
        """Of the error, if there was one; it must have been the last event."""
        errors = [event for event in self.events if event[0] == "error"]
        assert errors in ([], self.events[-1:])
        return errors[0][1] if errors else None


def make(
    limits: Limits | None = None, backend: str | None = None, pauses: int | None = None
) -> Recorder:
    """A recorder with its parser."""
    recorder = Recorder(pauses=pauses)
    recorder.parser = RequestParser(recorder, limits or Limits(), backend)
    return recorder


def parse(
    data: bytes | Iterable[bytes],
    limits: Limits | None = None,
    backend: str | None = None,
) -> Recorder:
    """Feed a new parser with all of it."""
    recorder = make(limits, backend)
    for piece in [data] if isinstance(data, bytes) else data:
        recorder.parser.feed(piece)
    return recorder


def request(*lines: str, start: str = "GET / HTTP/1.1", host: str = "a") -> bytes:
    """A head of these lines; a Host comes first unless it is empty."""
    first = [start, f"Host: {host}"] if host else [start]
    return "\r\n".join([*first, *lines, "", ""]).encode("latin-1")
