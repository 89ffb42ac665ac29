"""A real redis-server on a free port of the loopback, and a wire to it that breaks."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.loops import BOUND

__all__ = ["HOST", "Proxy", "RedisServer", "free_port", "running_redis"]

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


class RedisServer:
    """A Redis that may be killed and started again, with all that it has confirmed.

    :param is_durable: False loses everything when it is killed.
    """

    def __init__(self, folder: Path, *, is_durable: bool = True) -> None:
        command = shutil.which("redis-server")
        if command is None:
            pytest.skip("redis-server is not installed")
        self.port = free_port()
        keeping = "yes" if is_durable else "no"
        self._command = [
            *(command, "--port", str(self.port), "--bind", HOST, "--save", ""),
            *("--appendonly", keeping, "--appendfsync", "always"),
            *("--dir", str(folder), "--daemonize", "no"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + BOUND
        while b"+PONG" not in self.ask(b"PING\r\n"):
            assert time.monotonic() < deadline, "redis-server does not answer"
            assert self._process.poll() is None, "redis-server has ended"
            time.sleep(0.01)

    def kill(self) -> None:
        """As a crash does it: no chance to write anything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(BOUND)
            self._process = None

    def ask(self, command: bytes) -> bytes:
        """The beginning of the answer to an inline command; empty if there is none."""
        try:
            with socket.create_connection((HOST, self.port), BOUND) as connection:
                connection.sendall(command)
                return connection.recv(65536)
        except OSError:
            return b""


@contextlib.contextmanager
def running_redis(folder: Path, *, is_durable: bool = True) -> Iterator[RedisServer]:
    server = RedisServer(folder, is_durable=is_durable)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Proxy:
    """Stands before a Redis. ``cut`` says, of each piece, whether the wire breaks.

    It is asked with the piece and whether it goes to Redis. A piece of a question is
    delivered before the wire breaks, one of an answer is not: what was asked for has
    happened, and nobody has heard of it.
    """

    def __init__(self, port: int, cut: Callable[[bytes, bool], bool]) -> None:
        self._redis_port = port
        self._cut = cut
        self.cuts = 0
        self.connections = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        there = await asyncio.open_connection(HOST, self._redis_port)
        try:
            await asyncio.wait(
                [
                    asyncio.create_task(self._pass_on(reader, there[1], True)),
                    asyncio.create_task(self._pass_on(there[0], writer, False)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
        except asyncio.CancelledError:
            # At the end; asyncio would have logged it.
            pass
        finally:
            for one in (writer, there[1]):
                one.transport.abort()
            self._tasks.discard(task)

    async def _pass_on(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        is_question: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if self._cut(data, is_question):
                    self.cuts += 1
                    if is_question:
                        target.write(data)
                        await target.drain()
                    return
                target.write(data)
                await target.drain()
