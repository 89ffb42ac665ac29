"""``python -m tests.benchmarks.live``: hello behind waitress, in requests a second.

Each program is served by a waitress of its own (four threads, a free port of the
loopback). One client puts a fixed number of requests to them in turns, over a few
kept connections, and then stops them. The client is Python too and shares the machine:
the ratios count.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import pathlib
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from waitress.server import create_server

from tests.benchmarks.cases import CASES, HELLO
from tests.benchmarks.compare import format_table, median_ratios
from tests.benchmarks.frameworks import FRAMEWORKS

_HOST = "127.0.0.1"
_NAMES = ["bare", "ours", "falcon"]
_REQUEST = f"GET / HTTP/1.1\r\nHost: {_HOST}\r\nUser-Agent: live\r\n\r\n".encode()
_ROOT = pathlib.Path(__file__).parents[2]

#: As many as waitress has threads, so that no request waits for another's thread.
_CONNECTIONS = 4

#: Seconds for one answer, or for a server to stop: only a broken one needs them.
_PATIENCE = 10


def main(arguments: list[str] | None = None) -> None:
    """Measure, or be one of the servers that are measured."""
    options = _parser().parse_args(arguments)
    if options.serve:
        _serve(options.serve)
        return
    times = _measure(options.only, options.rounds, options.number)
    rates = {name: 1 / statistics.median(own) for name, own in times.items()}
    rows = {"requests a second": rates, "time of ours divided by": median_ratios(times)}
    print(format_table("hello behind waitress", options.only, rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.live", description=__doc__
    )
    parser.add_argument("--only", nargs="+", choices=_NAMES, default=_NAMES)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--number", type=int, default=1000, help="requests to each in each round"
    )
    parser.add_argument("--serve", choices=_NAMES, help=argparse.SUPPRESS)
    return parser


def _serve(name: str) -> None:
    logging.disable(logging.WARNING)
    application = FRAMEWORKS[name].application(CASES["hello"])
    with socket.create_server((_HOST, 0)) as listening:
        server = create_server(application, sockets=[listening], threads=_CONNECTIONS)
        print(listening.getsockname()[1], flush=True)
        server.run()


def _measure(names: Sequence[str], rounds: int, number: int) -> dict[str, list[float]]:
    """Seconds per request of each program in each round."""
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


class _KeepAliveClient:
    """A few kept connections to one program."""

    def __init__(self, name: str, connections: list[socket.socket]) -> None:
        self.name = name
        self._connections = connections
        self._length = _answer_length(connections[0], name)

    def run(self, number: int) -> float:
        """Put that many requests; give the seconds for one.

        All connections ask before the first answer is read. Every hello of a program
        has the same length, so that an answer need not be parsed.
        """
        turns = max(1, number // len(self._connections))
        start = time.perf_counter()
        for _ in range(turns):
            for connection in self._connections:
                connection.sendall(_REQUEST)
            for connection in self._connections:
                _receive(connection, self._length)
        return (time.perf_counter() - start) / (turns * len(self._connections))


@contextlib.contextmanager
def _client(name: str) -> Iterator[_KeepAliveClient]:
    """A client of a server that lives as long as the context."""
    command = [sys.executable, "-m", "tests.benchmarks.live", "--serve", name]
    with (
        subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE) as server,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(_stop, server)
        assert server.stdout is not None
        port = server.stdout.readline()
        if not port:
            raise RuntimeError(f"the server of {name} did not start; see above")
        connections = [
            stack.enter_context(socket.create_connection((_HOST, int(port)), _PATIENCE))
            for _ in range(_CONNECTIONS)
        ]
        for connection in connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield _KeepAliveClient(name, connections)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        server.kill()


def _answer_length(connection: socket.socket, name: str) -> int:
    """The length of a whole answer, which is checked here once."""
    connection.sendall(_REQUEST)
    answer = b""
    while not answer.endswith(HELLO.encode()):
        data = connection.recv(65536)
        if not data:
            raise ConnectionError(f"{name} closed the connection after {answer!r}")
        answer += data
    if not answer.startswith(b"HTTP/1.1 200 OK\r\n"):
        raise ValueError(f"{name} answered {answer!r}")
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
