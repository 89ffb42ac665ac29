"""What an idle WebSocket costs, and how many messages come back: three servers.

``python -m tests.benchmarks.websockets``: our handler, Tornado's, and the asyncio
server of the library ``websockets``, each in a process of its own, one after the other.
None of them compresses or pings.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

SERVERS: Final = ("wsgitornado", "tornado", "websockets")

_HANDSHAKE: Final = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept-Encoding: gzip, deflate\r\nAccept-Language: en\r\n"
    b"Cache-Control: no-cache\r\nPragma: no-cache\r\n\r\n"
)

#: A masked text of 100 bytes, and what comes back.
_TEXT: Final = b"\x81\xe4\0\0\0\0" + b"x" * 100
_ECHO_SIZE: Final = 102

#: Connections that are made before memory is first looked at.
_WARM_UP: Final = 100


# The servers


async def _serve_handlers(package: str) -> int:
    web = importlib.import_module(f"{package}.web")
    websocket = importlib.import_module(f"{package}.websocket")

    def on_message(handler: Any, message: str) -> None:
        handler.write_message(message)

    echo = type("Echo", (websocket.WebSocketHandler,), {"on_message": on_message})
    httpserver = importlib.import_module(f"{package}.httpserver")
    netutil = importlib.import_module(f"{package}.netutil")
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    httpserver.HTTPServer(web.Application([("/", echo)])).add_sockets(sockets)
    port: int = sockets[0].getsockname()[1]
    return port


async def _serve_websockets() -> int:
    server = importlib.import_module("websockets.asyncio.server")

    async def echo(connection: Any) -> None:
        async for message in connection:
            await connection.send(message)

    served = await server.serve(
        echo, "127.0.0.1", 0, compression=None, ping_interval=None
    )
    port: int = served.sockets[0].getsockname()[1]
    return port


async def _serve(name: str) -> None:
    if name == "websockets":
        port = await _serve_websockets()
    else:
        port = await _serve_handlers(name)
    print(port, flush=True)
    # Until whoever has started it goes.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


# The client


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_HANDSHAKE)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101"), head
    return reader, writer


async def _echo(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: int
) -> None:
    for _ in range(count):
        writer.write(_TEXT)
        await reader.readexactly(_ECHO_SIZE)


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _processor_seconds(pid: int) -> float:
    # Behind the name of the program, which may hold anything (proc(5)).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _measure(
    port: int, pid: int, idle: int, messages: int
) -> tuple[float, float]:
    """KB of each idle connection, and messages over 20 connections.

    These in a second of the server's own processor time: the client takes as much.
    """
    warm = [await _connect(port) for _ in range(_WARM_UP)]
    before = _resident(pid)
    connections = [await _connect(port) for _ in range(idle)]
    size = (_resident(pid) - before) / idle / 1024
    started = _processor_seconds(pid)
    some = warm[:20]
    await asyncio.gather(*(_echo(*one, messages // len(some)) for one in some))
    rate = messages / (_processor_seconds(pid) - started)
    for _, writer in warm + connections:
        writer.transport.abort()
    return size, rate


def measure(name: str, idle: int, messages: int) -> tuple[float, float]:
    """Run one server and a client beside it."""
    with subprocess.Popen(
        [sys.executable, "-m", __spec__.name, "--serve", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        measured: Callable[..., Awaitable[tuple[float, float]]] = _measure
        return asyncio.run(measured(port, process.pid, idle, messages))  # type: ignore[arg-type]  # a coroutine function


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--idle", type=int, default=2000, help="idle connections")
    parser.add_argument("--messages", type=int, default=20_000, help="to be echoed")
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(_serve(options.serve))
        return
    print(f"{'server':<14}{'KB each, idle':>15}{'messages/CPU s':>16}")
    for name in SERVERS:
        size, rate = measure(name, options.idle, options.messages)
        print(f"{name:<14}{size:>15.1f}{rate:>16,.0f}")


if __name__ == "__main__":
    main()
