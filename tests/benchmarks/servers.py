"""``python -m tests.benchmarks.servers``: what a hello costs each server.

Each server is a process of its own on a free port of the loopback. One client puts
the same number of requests to them in turns, over kept connections; what counts is the
processor time that the server's process took for each, because the client is Python
too, shares the machine, and is slower than some of them. Beside it stands how many
times as much waitress and Tornado take.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import logging
import os
import pathlib
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tornado.httpserver import HTTPServer as TornadoServer
from waitress.server import create_server

from tests.benchmarks.cases import CASES, HELLO
from tests.benchmarks.compare import format_table
from tests.benchmarks.frameworks import FRAMEWORKS
from wsgitornado.httpserver import HTTPServer

_HOST = "127.0.0.1"
_ROOT = pathlib.Path(__file__).parents[2]
_REQUEST = (
    f"GET / HTTP/1.1\r\nHost: {_HOST}\r\nUser-Agent: benchmark\r\n"
    "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
).encode()
_CONNECTIONS = 32
_PATIENCE = 10
_TICK = os.sysconf("SC_CLK_TCK")


def _waitress(name: str) -> None:
    application = FRAMEWORKS[name].application(CASES["hello"])
    with socket.create_server((_HOST, 0)) as listening:
        server = create_server(application, sockets=[listening], threads=4)
        print(listening.getsockname()[1], flush=True)
        server.run()


def _loop(name: str, threads: int, parser: str) -> None:
    application = FRAMEWORKS[name].application(CASES["hello"])

    async def serve() -> None:
        server = HTTPServer(application, threads=threads, parser=parser)
        server.listen(0, _HOST)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()

    _run(serve())


def _tornado() -> None:
    async def serve() -> None:
        with socket.create_server((_HOST, 0)) as listening:
            listening.setblocking(False)
            application: Any = importlib.import_module(
                "tests.benchmarks.apps.with_tornado"
            ).BUILDERS["hello"]()
            server = TornadoServer(application)
            server.add_socket(listening)
            print(listening.getsockname()[1], flush=True)
            await asyncio.Event().wait()

    asyncio.run(serve())


def _run(main: Any) -> None:
    """On uvloop where it is installed."""
    try:
        loops: Any = importlib.import_module("uvloop")
    except ModuleNotFoundError:
        asyncio.run(main)
    else:
        with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
            runner.run(main)


_SERVERS: dict[str, Callable[[], None]] = {
    "waitress, bare": lambda: _waitress("bare"),
    "Tornado": _tornado,
    "loop, bare": lambda: _loop("bare", 0, "httptools"),
    "loop, ours": lambda: _loop("ours", 0, "httptools"),
    "loop, bare, 4 threads": lambda: _loop("bare", 4, "httptools"),
    "loop, ours, 4 threads": lambda: _loop("ours", 4, "httptools"),
    "loop, bare, h11": lambda: _loop("bare", 0, "h11"),
    "loop, ours, h11": lambda: _loop("ours", 0, "h11"),
}
_OTHERS = ("waitress, bare", "Tornado")


def main(arguments: list[str] | None = None) -> None:
    """Measure, or be one of the servers that are measured."""
    options = _parser().parse_args(arguments)
    if options.serve:
        logging.disable(logging.WARNING)
        _SERVERS[options.serve]()
        return
    names = list(_SERVERS)
    times = _measure(names, options.rounds, options.number)
    costs = {name: statistics.median(times[name]) for name in names}
    columns = ["microseconds", *(f"of {other}" for other in _OTHERS)]
    rows = {
        name: {
            "microseconds": costs[name],
            **{f"of {other}": costs[other] / costs[name] for other in _OTHERS},
        }
        for name in names
    }
    print(format_table("a hello; how many times less than", columns, rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.servers", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--number", type=int, default=6400, help="requests to each in each round"
    )
    parser.add_argument("--serve", choices=list(_SERVERS), help=argparse.SUPPRESS)
    return parser


def _measure(names: list[str], rounds: int, number: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in names}
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(_client(name)) for name in names]
        for client in clients:
            client.run(number)
        for turn in range(rounds):
            first = turn % len(clients)
            for client in clients[first:] + clients[:first]:
                times[client.name].append(client.run(number))
    return times


class _Client:
    """Kept connections to one server, and an eye on what its process takes."""

    def __init__(self, name: str, pid: int, connections: list[socket.socket]) -> None:
        self.name = name
        self._pid = pid
        self._connections = connections
        self._length = _answer_length(connections[0])

    def run(self, number: int) -> float:
        """Put that many requests; give the server's microseconds for one."""
        turns = max(1, number // len(self._connections))
        before = self._processor_time()
        for _ in range(turns):
            for connection in self._connections:
                connection.sendall(_REQUEST)
            for connection in self._connections:
                _receive(connection, self._length)
        spent = self._processor_time() - before
        return spent / (turns * len(self._connections)) * 1e6

    def _processor_time(self) -> float:
        stat = pathlib.Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK


@contextlib.contextmanager
def _client(name: str) -> Iterator[_Client]:
    """A client of a server that lives as long as the context."""
    command = [sys.executable, "-m", "tests.benchmarks.servers", "--serve", name]
    with (
        subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE) as server,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(_stop, server)
        assert server.stdout is not None
        port = server.stdout.readline()
        if not port:
            raise RuntimeError(f"the server {name!r} did not start; see above")
        connections = [
            stack.enter_context(socket.create_connection((_HOST, int(port)), _PATIENCE))
            for _ in range(_CONNECTIONS)
        ]
        for connection in connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield _Client(name, server.pid, connections)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()


def _answer_length(connection: socket.socket) -> int:
    connection.sendall(_REQUEST)
    answer = b""
    while not answer.endswith(HELLO.encode()):
        data = connection.recv(65536)
        if not data:
            raise ConnectionError(f"the server closed the connection after {answer!r}")
        answer += data
    return len(answer)


def _receive(connection: socket.socket, length: int) -> None:
    while length > 0:
        received = len(connection.recv(65536))
        if received == 0:
            raise ConnectionError("the server closed a kept connection")
        length -= received
    if length < 0:
        raise ValueError("an answer was longer than the first one")


if __name__ == "__main__":
    main()
