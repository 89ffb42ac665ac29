"""A client that sends exactly the bytes it is given and reads answers strictly."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import h11

__all__ = ["HOST", "Answer", "Client", "Wire"]

HOST: Final = "127.0.0.1"

#: Seconds for each step of an exchange: only something broken needs them.
_PATIENCE: Final = 15


@dataclass
class Answer:
    """One response as it came over the connection."""

    status_code: int
    version: bytes
    headers: list[tuple[str, str]]
    body: bytes
    informational: list[int]

    def all(self, name: str) -> list[str]:
        """The values of a header, one for each line that it has."""
        return [value for key, value in self.headers if key == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    """One connection to a server."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(_PATIENCE)
        self._socket.connect((HOST, port))
        self._left_over = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, data: bytes) -> Self:
        self._socket.sendall(data)
        return self

    def send_if_taken(self, data: bytes) -> Self:
        """Send as much as the server takes: it may refuse before the end."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def request(self, target: str, method: str = "GET", *headers: str) -> Answer:
        """Ask for something without a body and read the answer."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {HOST}", *headers]
        self.send("".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1"))
        return self.read_answer(method)

    def post(self, target: str, body: bytes, *headers: str) -> Answer:
        """Send something and read the answer."""
        lines = [f"POST {target} HTTP/1.1", f"Host: {HOST}", *headers]
        lines += [f"Content-Length: {len(body)}", "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + body)
        return self.read_answer("POST")

    def end_input(self) -> Self:
        """Nothing more will be sent; answers can still be read."""
        self._socket.shutdown(socket.SHUT_WR)
        return self

    def receive(self) -> bytes:
        """What is there next; empty at the end of the connection."""
        data, self._left_over = self._left_over, b""
        return data or self._socket.recv(65536)

    def unread(self, data: bytes) -> None:
        """Put back what was received."""
        self._left_over = data + self._left_over

    def read_to_end(self) -> bytes:
        """All that comes until the server closes the connection."""
        parts = []
        while data := self.receive():
            parts.append(data)
        return b"".join(parts)

    def read_until(self, expected: bytes) -> bytes:
        """What comes up to the first piece that completes these bytes."""
        got = b""
        while expected not in got:
            data = self.receive()
            if not data:
                raise ConnectionAbortedError(f"the end, after {got!r}")
            got += data
        return got

    def read_answer(self, method: str = "GET") -> Answer:
        """The next response.

        :raises h11.RemoteProtocolError: if it is malformed or not whole.
        :raises ConnectionError: if the server has cut the connection.
        """
        answer = self.maybe_read_answer(method)
        if answer is None:
            raise ConnectionAbortedError("the server closed without an answer")
        return answer

    def maybe_read_answer(self, method: str = "GET") -> Answer | None:
        """The same, or None where the connection ends before its first byte."""
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=65536)
        headers = [("Host", HOST), ("Connection", "keep-alive")]
        parser.send(h11.Request(method=method, target="/", headers=headers))
        parser.send(h11.EndOfMessage())
        parts: list[bytes] = []
        informational: list[int] = []
        head: h11.Response | None = None
        is_begun = False
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                data = self.receive()
                if not data and not is_begun:
                    return None
                is_begun = True
                parser.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                informational.append(event.status_code)
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                parts.append(bytes(event.data))
            else:
                assert isinstance(event, h11.EndOfMessage), event
                break
        assert head is not None
        self._left_over = bytes(parser.trailing_data[0])
        return Answer(
            head.status_code,
            head.http_version,
            [(k.decode(), v.decode("latin-1")) for k, v in head.headers],
            b"".join(parts),
            informational,
        )

    def reset(self) -> None:
        """Leave so that the server is told at once."""
        linger = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._socket.close()


class Wire:
    """The test's end of a second connection, which a handler opens back to the test.

    Over it the handler tells what happens to it, a line for each thing, and waits for
    the test: on every server, with threads or without, and without a clock.
    """

    def __init__(self) -> None:
        self._listening = socket.create_server((HOST, 0))
        self._listening.settimeout(_PATIENCE)
        self._socket: socket.socket | None = None
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listening.close()
        if self._socket is not None:
            self._socket.close()

    def accept(self) -> Wire:
        """Wait for the handler to connect."""
        self._socket, _ = self._listening.accept()
        self._socket.settimeout(_PATIENCE)
        return self

    def let_go_on(self) -> None:
        """End the wait of the handler."""
        assert self._socket is not None
        self._socket.sendall(b"\n")

    def next_word(self) -> str:
        """What it says next."""
        assert self._socket is not None
        word = b""
        while not word.endswith(b"\n"):
            letter = self._socket.recv(1)
            assert letter, f"the end, after {word!r}"
            word += letter
        return word.decode("ascii").rstrip()

    def words(self) -> list[str]:
        """What it says until it closes its end."""
        return self._take(_PATIENCE).decode("ascii").split()

    def words_until_silence(self, seconds: float) -> list[str]:
        """What it says until it says nothing for so long."""
        return self._take(seconds).decode("ascii").split()

    def _take(self, patience: float) -> bytes:
        assert self._socket is not None
        self._socket.settimeout(patience)
        parts = []
        try:
            while data := self._socket.recv(65536):
                parts.append(data)
        except TimeoutError:
            if patience == _PATIENCE:
                raise
        return b"".join(parts)
