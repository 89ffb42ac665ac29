"""The loop server inside the test's process, on a loop of another thread."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import importlib
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import pytest

from tests.live.client import Client
from wsgitornado._types import Body, HeaderList, StartResponse, WSGIEnvironment
from wsgitornado.httpserver import HTTPServer
from wsgitornado.testing import ExpectLog

__all__ = [
    "BOUND",
    "EVERY_KIND",
    "EVERY_LOOP",
    "Kind",
    "Running",
    "SocketClient",
    "failing",
    "hello",
    "loop_factory",
    "raw",
    "running",
    "wait_for",
]

_T = TypeVar("_T")

#: Seconds for anything that a test waits for: only something broken needs them.
BOUND: Final = 20


class Kind:
    """A way to run the server: on which loop, with how many threads, which parser."""

    def __init__(self, loop: str, threads: int, parser: str | None) -> None:
        self.loop = loop
        self.options: dict[str, Any] = {"threads": threads, "parser": parser}

    @property
    def threads(self) -> int:
        threads: int = self.options["threads"]
        return threads


_KINDS: Final = {
    "asyncio": Kind("asyncio", 0, None),
    "asyncio, threads": Kind("asyncio", 2, "h11"),
    "uvloop": Kind("uvloop", 0, "httptools"),
    "uvloop, threads": Kind("uvloop", 2, None),
}

#: For what must be the same everywhere.
EVERY_KIND: Final = pytest.mark.parametrize(
    "kind", list(_KINDS.values()), ids=list(_KINDS)
)

#: For what has to do with the transport.
EVERY_LOOP: Final = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes a loop; the test is skipped where it cannot be had."""
    if name == "asyncio":
        return asyncio.new_event_loop
    pytest.importorskip("uvloop")
    factory: Callable[[], asyncio.AbstractEventLoop]
    factory = importlib.import_module(name).new_event_loop
    return factory


class SocketClient(Client):
    """A client on a connected socket of any kind."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.settimeout(BOUND)
        self._left_over = b""


class Running:
    """A server that runs; what it does on its loop the test can ask for."""

    def __init__(self, server: HTTPServer, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop

    @property
    def port(self) -> int:
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    def connect(self, receive_buffer: int | None = None) -> Client:
        """A new connection."""
        return Client(self.port, receive_buffer)

    def ask(self, *lines: str, body: bytes = b"", method: str = "GET") -> Any:
        """The answer to one request on a connection of its own."""
        with self.connect() as client:
            client.send(raw(*lines, body=body))
            return client.read_answer(method)

    def exchange(self, data: bytes) -> bytes:
        """Everything that comes back for these bytes, to the end of the connection."""
        with self.connect() as client:
            client.send(data)
            client.end_input()
            return client.read_to_end()

    def call(self, function: Callable[..., _T], *args: Any) -> _T:
        """Call a function on the loop and wait for its result."""
        done: concurrent.futures.Future[_T] = concurrent.futures.Future()

        def run() -> None:
            try:
                done.set_result(function(*args))
            except BaseException as error:
                done.set_exception(error)

        self.loop.call_soon_threadsafe(run)
        return done.result(BOUND)

    def begin(self, coroutine: Any) -> concurrent.futures.Future[Any]:
        """Run a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def run(self, coroutine: Any) -> Any:
        """Run a coroutine on the loop and wait for its result."""
        return self.begin(coroutine).result(BOUND)

    def wait_until(self, **expected: int) -> None:
        """Wait until the server's statistics are like this."""
        wait_for(
            lambda: self.call(self.server.stats).items() >= expected.items(),
            lambda: (expected, self.call(self.server.stats)),
        )

    def only_connection(self) -> Any:
        """The server's side of the one connection that there is, once it is there."""
        self.wait_until(open=1)
        (connection,) = self.server._connections
        return connection


def wait_for(
    condition: Callable[[], object], describe: Callable[[], object] = str
) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < deadline, describe()
        time.sleep(0.002)


@contextlib.contextmanager
def running(
    application: Any,
    kind: Kind | None = None,
    *,
    loop: str = "asyncio",
    listen: Callable[[HTTPServer], object] | None = None,
    **options: Any,
) -> Iterator[Running]:
    """Serve an application; cut whatever is left at the end.

    What the loop complains of fails the test.

    :param listen: in place of listening on a free port of the loopback.
    """
    if kind is not None:
        loop = kind.loop
        options = {**kind.options, **options}
    factory = loop_factory(loop)
    started: concurrent.futures.Future[Running] = concurrent.futures.Future()

    async def serve() -> None:
        end = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(complain)
        try:
            server = HTTPServer(application, **options)
            if listen is None:
                server.listen(0, "127.0.0.1")
            else:
                listen(server)
        except BaseException as error:
            started.set_exception(error)
            return
        found = Running(server, asyncio.get_running_loop())
        started.set_result(found)
        ends.append(end)
        await end.wait()
        server.stop()
        await server.close_all_connections()

    def complain(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        complaints.append(context)

    def work() -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(serve())

    complaints: list[dict[str, Any]] = []
    ends: list[asyncio.Event] = []
    thread = threading.Thread(target=work, name="the loop of the server")
    thread.start()
    try:
        found = started.result(BOUND)
        yield found
    finally:
        for end in ends:
            found.loop.call_soon_threadsafe(end.set)
        thread.join(BOUND)
    assert not thread.is_alive()
    assert not complaints, complaints


@contextlib.contextmanager
def failing(error: str, times: int = 1) -> Iterator[None]:
    """An application fails within the block: so often it is logged, with its trace.

    :param error: a regular expression for the text of the exception.
    """
    with ExpectLog("wsgitornado.application", "Uncaught exception") as expected:
        texts: list[str] = []
        watch = expected.filter

        def filter_and_keep(record: logging.LogRecord) -> bool | logging.LogRecord:
            is_other = watch(record)
            if not is_other:
                assert record.exc_info is not None
                texts.append(repr(record.exc_info[1]))
            return is_other

        expected.filter = filter_and_keep  # type: ignore[method-assign, assignment]  # to look on
        yield
        wait_for(lambda: len(texts) >= times, lambda: texts)
    assert len(texts) == times, texts
    assert all(re.search(error, text) for text in texts), texts


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    """The smallest application; says where it was asked for."""
    body = environ["PATH_INFO"].encode("latin-1")
    headers: HeaderList = [
        ("Content-Type", "text/plain"),
        ("Content-Length", str(len(body))),
    ]
    start_response("200 OK", headers)
    return [body]


def raw(*lines: str, body: bytes = b"") -> bytes:
    """A request: its first line, by default a GET, and fields; a Host comes along."""
    if not lines or ": " in lines[0]:
        lines = ("GET / HTTP/1.1", *lines)
    start, *fields = lines
    if not any(field.startswith("Host:") for field in fields):
        fields.insert(0, "Host: a")
    return "\r\n".join([start, *fields, "", ""]).encode("latin-1") + body
