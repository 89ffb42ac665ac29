"""A server on raw sockets that answers with given bytes, and keeps what it saw."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar

__all__ = ["BOUND", "OK", "Peer", "Silence", "answer", "redirect", "run"]

_T = TypeVar("_T")

#: Seconds: for a busy machine, not a measure of anything.
BOUND = 30

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def answer(start: bytes, body: bytes, *lines: bytes) -> bytes:
    """A response with a Content-Length."""
    head = [b"HTTP/1.1 " + start, *lines, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def redirect(code: int, location: str) -> bytes:
    return answer(b"%d Gone" % code, b"red", b"Location: " + location.encode())


class Silence:
    """An answer that does not come, until the client is gone.

    :param begun: what comes of it at once.
    """

    def __init__(self, begun: bytes = b"") -> None:
        self._begun = begun
        self.is_asked = threading.Event()
        self.is_over = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(self._begun)
        self.is_asked.set()
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(65536):
                pass
        self.is_over.set()


class Peer:
    """Answers one connection after the other.

    :param answers: for each connection its answer, in which ``PORT`` stands for the
        port; or a function that is called with the socket when a request has arrived.
    """

    def __init__(self, *answers: bytes | Callable[[socket.socket], object]) -> None:
        self._answers = answers
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._seen: list[bytes] = []
        #: Whether to answer before the body has arrived.
        self.is_head_enough = False
        self._thread = threading.Thread(target=self._serve)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def seen(self) -> list[str]:
        """The requests, their head with ``|`` for a line end."""
        port = str(self.port)
        texts = [
            request.decode("latin-1").replace(port, "PORT") for request in self._seen
        ]
        return [text.replace("\r\n", "|") for text in texts]

    def __enter__(self) -> Peer:
        self._thread.start()
        return self

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        # Closing alone does not wake accept().
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join(BOUND)
        self._listening.close()

    def _serve(self) -> None:
        for each in self._answers:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(BOUND)
                self._serve_one(connection, each)

    def _is_complete(self, data: bytes) -> bool:
        return _has_all(data) or (self.is_head_enough and b"\r\n\r\n" in data)

    def _serve_one(
        self, connection: socket.socket, each: bytes | Callable[[socket.socket], object]
    ) -> None:
        data = b""
        while not self._is_complete(data):
            received = connection.recv(65536)
            if not received:
                break
            data += received
        if not data:
            return  # Tornado's client connects first, and then complains
        self._seen.append(data)
        if callable(each):
            each(connection)
        else:
            connection.sendall(each.replace(b"PORT", str(self.port).encode()))


def _has_all(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    head = head.lower()
    if not end:
        return False
    if b"content-length:" in head:
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        return len(body) >= length
    return b"chunked" not in head or body.endswith(b"0\r\n\r\n")


def run(function: Callable[[], Awaitable[_T]]) -> _T:
    """Run a coroutine on a loop of its own, on which it must leave nothing behind."""

    async def main() -> Any:
        try:
            return await asyncio.wait_for(function(), BOUND)
        finally:
            # A task that has just told its result ends in this turn.
            await asyncio.sleep(0)
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, "tasks left behind"

    result: _T = asyncio.run(main())
    # For warnings about what was not closed.
    gc.collect()
    return result
