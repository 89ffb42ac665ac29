"""A server for one WebSocket client: answers as it is told, keeps what it saw."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.httpclient_peer import run
from tests.websocket.frames import Opcode, accept_key, frame
from wsgitornado.httpclient import HTTPRequest
from wsgitornado.websocket import WebSocketClientConnection, websocket_connect

__all__ = [
    "BYE",
    "Server",
    "a_server",
    "connecting",
    "read_all",
    "refused",
    "sent",
    "yes",
]


def sent(opcode: int, payload: bytes = b"", **options: Any) -> bytes:
    """A frame as a server sends it."""
    return frame(opcode, payload, is_masked=False, **options)


BYE = sent(Opcode.CLOSE, b"\x03\xe8bye")


def yes(*lines: str) -> Callable[[str], bytes]:
    """The answer that makes a WebSocket."""

    def answer(key: str) -> bytes:
        head = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept_key(key)}",
            *lines,
        ]
        return "\r\n".join([*head, "", ""]).encode()

    return answer


class Server:
    """Answers one connection, and keeps what it saw.

    :ivar lines: of the request, its fields by their small names.
    :ivar frames: all that came behind it.
    """

    def __init__(self, answer: bytes | Callable[[str], bytes], behind: bytes) -> None:
        self._answer = answer
        self._behind = behind
        self.lines: dict[str, str] = {}
        self.start = ""
        self.frames = b""
        self.port = 0
        self.writer: asyncio.StreamWriter | None = None
        self._news = asyncio.Event()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.writer = writer
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.start, *lines = head.strip().split("\r\n")
        for line in lines:
            name, _, value = line.partition(": ")
            self.lines[name.lower()] = value
        answer = self._answer
        if callable(answer):
            answer = answer(self.lines.get("sec-websocket-key", ""))
        writer.write(answer + self._behind)
        if b"Connection: close" in answer:
            writer.write_eof()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self.frames += data
                self._news.set()
                if b"\x88" in data:
                    break
        writer.close()

    async def wait_for(self, size: int) -> bytes:
        while len(self.frames) < size:
            self._news.clear()
            await self._news.wait()
        return self.frames


@contextlib.asynccontextmanager
async def a_server(
    answer: bytes | Callable[[str], bytes] | None = None, behind: bytes = b""
) -> AsyncIterator[Server]:
    server = Server(yes() if answer is None else answer, behind)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        if server.writer is not None:
            server.writer.close()
            with contextlib.suppress(ConnectionError):
                await server.writer.wait_closed()


def connecting(
    answer: bytes | Callable[[str], bytes] | None,
    behind: bytes,
    talk: Callable[[WebSocketClientConnection, Server], Awaitable[Any]],
    *,
    path: str = "/",
    request: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Connect, talk, and close; returns what the talk returns."""

    async def main() -> Any:
        async with a_server(answer, behind) as server:
            url: str | HTTPRequest = f"ws://127.0.0.1:{server.port}{path}"
            if request is not None:
                url = HTTPRequest(str(url), **request)
            connection = await websocket_connect(url, **options)
            try:
                return await talk(connection, server)
            finally:
                connection.close()
                while await connection.read_message() is not None:
                    pass

    return run(main)


def refused(answer: bytes | Callable[[str], bytes], **options: Any) -> Any:
    """The error of a connection that does not come to be."""

    async def main() -> BaseException | None:
        async with a_server(answer) as server:
            with pytest.raises(Exception) as caught:  # noqa: PT011 - looked at later
                await websocket_connect(f"ws://127.0.0.1:{server.port}/", **options)
            return caught.value

    return run(main)


async def read_all(connection: WebSocketClientConnection) -> list[Any]:
    found: list[Any] = []
    while (message := await connection.read_message()) is not None:
        found.append(message)
    return found
