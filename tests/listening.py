"""A listening socket that fails as a test wants, and clients for it."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from wsgitornado.netutil import bind_sockets

__all__ = ["SHORT", "Clients", "Listening", "turns"]

#: What is logged when there is no descriptor left.
SHORT = r"Cannot accept connections on .*Too many.*\(ulimit -n\)"


class Listening(socket.socket):
    """Counts how often it is asked, and fails as a test wants."""

    asked = 0
    errors: list[OSError]

    @classmethod
    def make(cls, *errors: OSError, backlog: int = 128) -> Listening:
        (sock,) = bind_sockets(0, "127.0.0.1", backlog=backlog)
        self = cls(sock.family, sock.type, fileno=sock.detach())
        self.errors = list(errors)
        return self

    def accept(self) -> tuple[socket.socket, Any]:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        return super().accept()


class Clients:
    """Clients, and what the server has of them."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self.accepted: list[tuple[socket.socket, Any]] = []
        self._news = asyncio.Event()

    def connect(self, sock: socket.socket, count: int = 1) -> None:
        self.sockets += [
            socket.create_connection(sock.getsockname()) for _ in range(count)
        ]

    def accept(self, connection: socket.socket, address: Any) -> None:
        self.accepted.append((connection, address))
        self._news.set()

    async def wait_for(self, count: int) -> None:
        while len(self.accepted) < count:
            self._news.clear()
            await self._news.wait()

    def close(self) -> None:
        for sock in self.sockets + [connection for connection, _ in self.accepted]:
            sock.close()
        self.sockets.clear()
        self.accepted.clear()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
