"""``python -m tests.benchmarks.waiting``: what clients cost that wait, or are idle.

Each server is a process of its own on a free port of the loopback. One client opens
many connections to it. First all of them ask for something that is not there yet:
what that takes of memory, of the processor and of threads is measured while nothing
happens, then how long a hello takes beside them, and last the time from the publishing
to the last answer. Then the same with connections that have had an answer and are kept.

The hello is put in turns to a second process of the same server, which has nothing else
to do: what counts is how many times as long it takes. Servers that are not installed
are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import importlib.util
import logging
import os
import pathlib
import resource
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.benchmarks.apps.waiting import MESSAGE, PACKAGES, PROGRAMS
from tests.benchmarks.cases import HELLO
from tests.benchmarks.compare import format_table

__all__ = ["Crowd", "raise_descriptor_limit", "request_for"]

_HOST = "127.0.0.1"
_ROOT = pathlib.Path(__file__).parents[2]

#: Program and loop of each row; "Tornado, asyncio" on the command line.
_KINDS = {
    f"{program}, {loop}": (program, loop)
    for program, loop in [
        ("ours", "asyncio"),
        ("ours", "uvloop"),
        ("ours, 4 threads", "asyncio"),
        ("ours, 4 threads", "uvloop"),
        ("ours, h11", "asyncio"),
        ("Tornado", "asyncio"),
        ("aiohttp", "asyncio"),
        ("aiohttp", "uvloop"),
        ("uvicorn", "asyncio"),
        ("uvicorn", "uvloop"),
        ("waitress", "asyncio"),
    ]
}

#: It gives each one that waits a thread.
_CANNOT_WAIT = ("waitress, asyncio",)

_WAITING_COLUMNS = ["KB each", "CPU s", "hello ms", "times", "to last s", "threads"]
_IDLE_COLUMNS = ["KB each", "CPU s", "hello ms", "times", "threads"]

#: Descriptors that both sides need for other things.
_OTHER_DESCRIPTORS = 100

#: Connections that have had their answers before the memory is measured: what is made
#: once, or is kept for the next one, is no cost of those that wait.
_FIRST = 20

#: A hello is put so often to one process before it is the other one's turn.
_IN_A_TURN = 50

#: Seconds for one answer or connection; many together may take as many a thousand.
_PATIENCE = 60
_TICK = os.sysconf("SC_CLK_TCK")


def main(arguments: list[str] | None = None) -> None:
    """Measure, or be one of the servers that are measured."""
    options = _parser().parse_args(arguments)
    if options.serve:
        _serve(*_KINDS[options.serve])
        return
    most = raise_descriptor_limit() - _OTHER_DESCRIPTORS
    for target, numbers, columns, left_out in [
        ("/wait", options.waiting, _WAITING_COLUMNS, _CANNOT_WAIT),
        ("/hello", options.idle, _IDLE_COLUMNS, ()),
    ]:
        kinds = [kind for kind in options.only if kind not in left_out]
        for number in (min(number, most) for number in numbers if kinds):
            rows = {
                kind: _measure(kind, target, number, options.seconds, options.turns)
                for kind in kinds
            }
            title = f"{number:,} {'wait' if target == '/wait' else 'are idle'}"
            print(format_table(title, columns, rows), end="\n\n", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.waiting", description=__doc__
    )
    kinds = [kind for kind in _KINDS if _is_installed(kind)]
    parser.add_argument("--only", nargs="+", choices=kinds, default=kinds)
    parser.add_argument(
        "--waiting", nargs="*", type=int, default=[100, 1000, 5000, 10_000]
    )
    parser.add_argument("--idle", nargs="*", type=int, default=[10_000])
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="for which nothing happens"
    )
    parser.add_argument(
        "--turns", type=int, default=20, help=f"each with {_IN_A_TURN} hellos"
    )
    parser.add_argument("--serve", choices=list(_KINDS), help=argparse.SUPPRESS)
    return parser


def _is_installed(kind: str) -> bool:
    program, loop = _KINDS[kind]
    needed = {loop, PACKAGES.get(program, loop)}
    return all(importlib.util.find_spec(name) is not None for name in needed)


def raise_descriptor_limit() -> int:
    """For this process and the servers that it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _serve(program: str, loop: str) -> None:
    logging.disable(logging.WARNING)
    factory = importlib.import_module(loop).new_event_loop
    # With its protocol named, as asyncio's own servers make it: without, asyncio would
    # leave Nagle's algorithm on, and some of them would look slow.
    with (
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock,
        asyncio.Runner(loop_factory=factory) as runner,
    ):
        sock.bind((_HOST, 0))
        sock.listen(1024)
        print(sock.getsockname()[1], flush=True)
        runner.run(_run(program, sock))


async def _run(program: str, listening: socket.socket) -> None:
    await PROGRAMS[program](listening)


def _measure(
    kind: str, target: str, number: int, seconds: float, turns: int
) -> dict[str, float]:
    """The figures of one server, by the names of their columns."""
    with _server(kind) as busy, _server(kind) as calm:
        for server in (busy, calm):
            with server.crowd(_FIRST, target) as first:
                server.fill(first, target)
                server.release(first, target)
        before = busy.memory()
        with busy.crowd(number, target) as crowd:
            busy.fill(crowd, target)
            figures = {"KB each": (busy.memory() - before) / number}
            spent = busy.processor_time()
            time.sleep(seconds)
            figures["CPU s"] = busy.processor_time() - spent
            beside, alone = _latencies(busy, calm, turns)
            figures["hello ms"] = beside * 1000
            figures["times"] = beside / alone
            figures["threads"] = busy.threads()
            figures["to last s"] = busy.release(crowd, target)
    return figures


def _latencies(busy: _Server, calm: _Server, turns: int) -> tuple[float, float]:
    """The median seconds of a hello, for both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for server, own in zip((busy, calm), times, strict=True):
            for _ in range(_IN_A_TURN):
                began = time.perf_counter()
                server.ask("/hello")
                own.append(time.perf_counter() - began)
    return statistics.median(times[0]), statistics.median(times[1])


class _Server:
    """A kept connection to one server, and an eye on what its process takes."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._port = port
        self._proc = pathlib.Path(f"/proc/{process.pid}")
        self._connection = _connect(port)

    def close(self) -> None:
        self._connection.close()

    def ask(self, target: str) -> str:
        """The body of an answer whose head says its length."""
        self._connection.sendall(request_for(target))
        answer = b""
        while True:
            head, end, body = answer.partition(b"\r\n\r\n")
            if end and len(body) == _content_length(head):
                _check_status(answer)
                return body.decode()
            data = self._connection.recv(65536)
            if not data:
                raise ConnectionError(f"the connection was closed after {answer!r}")
            answer += data

    @contextlib.contextmanager
    def crowd(self, number: int, target: str) -> Iterator[Crowd]:
        """Connections that have sent a request each."""
        with Crowd(MESSAGE if target == "/wait" else HELLO) as crowd:
            crowd.open(self._port, number)
            crowd.send(request_for(target))
            yield crowd

    def fill(self, crowd: Crowd, target: str) -> None:
        """Wait until all wait for a message, or have been answered and are idle."""
        if target != "/wait":
            crowd.receive()
            return
        deadline = time.monotonic() + _PATIENCE
        while int(self.ask("/count")) != len(crowd):
            if time.monotonic() > deadline:
                raise TimeoutError("not all requests have come to wait")
            time.sleep(0.01)

    def release(self, crowd: Crowd, target: str) -> float:
        """End their wait; give the seconds until the last one had its answer."""
        began = time.perf_counter()
        if target == "/wait":
            self._connection.sendall(request_for("/publish"))
            crowd.receive()
        ended = time.perf_counter()
        if target == "/wait":
            _expect(self._connection, "published")
        return ended - began

    def memory(self) -> float:
        """KB that are resident."""
        return self._status("VmRSS")

    def threads(self) -> float:
        return self._status("Threads")

    def processor_time(self) -> float:
        """Seconds so far."""
        stat = (self._proc / "stat").read_text(encoding="ascii")
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def _status(self, name: str) -> float:
        status = (self._proc / "status").read_text(encoding="ascii")
        _, _, rest = status.partition(f"\n{name}:")
        return float(rest.split(maxsplit=1)[0])


class Crowd:
    """Connections that each get the same answer.

    :param expected: what its body ends with.
    """

    def __init__(self, expected: str) -> None:
        self._expected = expected.encode()
        self._connections: dict[int, socket.socket] = {}
        self._poll = select.epoll()

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        self._poll.close()
        for connection in self._connections.values():
            connection.close()

    def __len__(self) -> int:
        return len(self._connections)

    def open(self, port: int, number: int) -> None:
        """Open so many connections."""
        for _ in range(number):
            connection = _connect(port)
            self._connections[connection.fileno()] = connection
            self._poll.register(connection, select.EPOLLIN)

    def send(self, request: bytes) -> None:
        """Send a request on each connection."""
        for connection in self._connections.values():
            connection.sendall(request)

    def receive(self) -> None:
        """Take the answer on each of them."""
        parts = dict.fromkeys(self._connections, b"")
        patience = _PATIENCE * (1 + len(parts) / 1000)
        deadline = time.monotonic() + patience
        while parts:
            events = self._poll.poll(deadline - time.monotonic())
            if not events:
                raise TimeoutError(f"{len(parts)} answers have not come")
            for descriptor, _ in events:
                answer = parts[descriptor] + self._receive_some(descriptor)
                if answer.endswith(self._expected):
                    _check_status(answer)
                    del parts[descriptor]
                else:
                    parts[descriptor] = answer

    def _receive_some(self, descriptor: int) -> bytes:
        data = self._connections[descriptor].recv(4096)
        if not data:
            raise ConnectionError("a connection was closed before its answer")
        return data


@contextlib.contextmanager
def _server(kind: str) -> Iterator[_Server]:
    """A server that lives as long as the context."""
    command = [sys.executable, "-m", "tests.benchmarks.waiting", "--serve", kind]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline()
            if not port:
                raise RuntimeError(f"the server {kind!r} did not start; see above")
            with contextlib.closing(_Server(process, int(port))) as server:
                yield server
        finally:
            process.kill()


def request_for(target: str) -> bytes:
    return (
        f"GET {target} HTTP/1.1\r\nHost: {_HOST}\r\nUser-Agent: benchmark\r\n"
        "Accept: */*\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
    ).encode()


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection((_HOST, port), _PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _content_length(head: bytes) -> int:
    for line in head.splitlines():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise ValueError(f"the answer does not say its length: {head!r}")


def _check_status(answer: bytes) -> None:
    if not answer.startswith(b"HTTP/1.1 200 OK\r\n"):
        raise ValueError(f"an answer is wrong: {answer!r}")


def _expect(connection: socket.socket, expected: str) -> None:
    answer = b""
    while not answer.endswith(expected.encode()):
        data = connection.recv(4096)
        if not data:
            raise ConnectionError(f"the connection was closed after {answer!r}")
        answer += data
    _check_status(answer)


if __name__ == "__main__":
    main()
