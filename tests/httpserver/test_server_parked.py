"""Answers that wait hold no thread: many at once, limits, clients that leave."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.httpserver.running import (
    BOUND,
    EVERY_KIND,
    EVERY_LOOP,
    Kind,
    Running,
    failing,
    raw,
    running,
    wait_for,
)
from wsgitornado._types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgitornado.httpserver.sockets import set_socket_option
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler

_variable: contextvars.ContextVar[str] = contextvars.ContextVar("_variable")


class Room:
    """What the handlers of a test share."""

    def __init__(self) -> None:
        self.made = 0
        self.waiting = 0
        self.news = asyncio.Event()
        self.closed: list[str] = []
        self.finished: list[str] = []
        self.errors: list[BaseException] = []

    def app(self) -> Application:
        arguments = {"room": self}
        return Application(
            [
                ("/wait/(.*)", Waiting, arguments),
                ("/stream/(.*)", Flushing, arguments),
                ("/mix/(.*)", Mixing, arguments),
                ("/fail", Failing, arguments),
                ("/(.*)", Plain, arguments),
            ]
        )


class InRoom(RequestHandler):
    def initialize(self, room: Room) -> None:  # type: ignore[override]  # each handler takes its own
        self.room = room
        room.made += 1

    def on_connection_close(self) -> None:
        self.room.closed.append(self.request.path)

    def on_finish(self) -> None:
        self.room.finished.append(self.request.path)


class Waiting(InRoom):
    async def get(self, name: str) -> None:
        self.room.waiting += 1
        await self.room.news.wait()
        self.write(name)


class Plain(InRoom):
    def get(self, name: str) -> None:
        self.write(name)


class Flushing(InRoom):
    async def get(self, name: str) -> None:
        try:
            while True:
                self.write(b"x" * 65536)
                await self.flush()
                self.room.waiting += 1
        except BaseException as error:
            self.room.errors.append(error)
            raise


class Mixing(InRoom):
    async def get(self, name: str) -> None:
        _variable.set(name)
        for _ in range(5):
            await asyncio.sleep(0)
            assert _variable.get() == name
        self.set_cookie("name", name)
        self.write(_variable.get())


class Failing(InRoom):
    async def get(self) -> None:
        self.write("begun")
        await self.flush()
        raise LookupError("amid the stream")


# Many


def start_workers(server: Running, kind: Kind) -> None:
    """Each job starts a thread more, up to their number."""
    for _ in range(kind.threads):
        assert server.ask("GET /plain HTTP/1.1").body == b"plain"


@EVERY_KIND
def test_waiting_requests_hold_no_thread(kind: Kind) -> None:
    room = Room()
    with running(room.app(), kind) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(100)]
        # All workers are there before.
        start_workers(server, kind)
        threads = threading.active_count()
        for number, client in enumerate(clients):
            client.send(raw(f"GET /wait/{number} HTTP/1.1"))
        server.wait_until(parked=100)
        assert threading.active_count() == threads
        # Ordinary requests are as ever, several on one connection too.
        with server.connect() as other:
            for _ in range(20):
                assert other.request("/plain").body == b"plain"
        # A thread that has given its answer has yet to come back.
        server.wait_until(busy=0, queued=0, parked=100)
        server.call(room.news.set)
        for number, client in enumerate(clients):
            assert client.read_answer().body == b"%d" % number
        server.wait_until(parked=0, answered=120 + kind.threads)
        # Each once.
        for client in clients:
            assert client.request("/again").body == b"again"
    assert sorted(room.finished) == sorted(
        [f"/wait/{n}" for n in range(100)]
        + ["/plain"] * (20 + kind.threads)
        + ["/again"] * 100
    )
    assert room.closed == []


@EVERY_KIND
@pytest.mark.parametrize("limit", ["all", "one address"])
def test_only_so_many_may_wait(kind: Kind, limit: str) -> None:
    room = Room()
    name = "max_parked" if limit == "all" else "max_parked_per_address"
    options: dict[str, Any] = {name: 2}
    with running(room.app(), kind, **options) as server:
        with server.connect() as one, server.connect() as two:
            one.send(raw("GET /wait/1 HTTP/1.1"))
            two.send(raw("GET /wait/2 HTTP/1.1"))
            server.wait_until(parked=2)
            answer = server.ask("GET /wait/3 HTTP/1.1")
            assert answer.status_code == 503
            assert answer.all("Retry-After") == ["1"]
            server.wait_until(refused=1, parked=2)
            assert server.ask("GET /plain HTTP/1.1").body == b"plain"
            server.call(room.news.set)
            assert [one.read_answer().body, two.read_answer().body] == [b"1", b"2"]
        # There is room again.
        assert server.ask("GET /wait/4 HTTP/1.1").body == b"4"
    assert room.finished.count("/wait/3") == 1
    assert not server.server._parked


# Those who leave


@EVERY_KIND
@pytest.mark.parametrize("how", ["closes", "resets", "closes its side"])
def test_client_that_leaves_is_noticed_at_once(kind: Kind, how: str) -> None:
    room = Room()
    with running(room.app(), kind) as server:
        with server.connect() as client:
            client.send(raw("GET /wait/1 HTTP/1.1"))
            server.wait_until(parked=1)
            if how == "resets":
                client.reset()
            elif how == "closes":
                client.close()
            else:
                client.end_input()
            server.wait_until(parked=0, open=0)
            assert room.closed == ["/wait/1"]
            server.call(room.news.set)
            wait_for(lambda: room.finished)
    assert room.finished == ["/wait/1"]


@EVERY_KIND
def test_who_sends_too_much_behind_a_long_poll_is_cut(kind: Kind) -> None:
    room = Room()
    with running(room.app(), kind, max_read_ahead=4096) as server:
        with server.connect() as client:
            client.send(raw("GET /wait/1 HTTP/1.1"))
            server.wait_until(parked=1)
            client.send(b"GET /" + b"a" * 4091)
            assert server.ask("GET /plain HTTP/1.1").body == b"plain"
            assert room.closed == []
            logged = ExpectLog("wsgitornado.general", "127.0.0.1 sends too much")
            with logged:
                client.send(b"a")
                server.wait_until(parked=0, open=0)
    assert room.closed == ["/wait/1"]


@EVERY_KIND
def test_client_that_has_left_before_its_turn_leaves_nothing(kind: Kind) -> None:
    room = Room()
    with running(room.app(), kind) as server:
        ready = threading.Event()
        # The loop is busy while they come, ask and go.
        server.loop.call_soon_threadsafe(ready.wait, BOUND)
        for _ in range(50):
            with server.connect() as client:
                client.send(raw("GET /wait/1 HTTP/1.1"))
                client.reset()
        ready.set()
        # It comes behind them, and is served all the same.
        assert server.ask("GET /plain HTTP/1.1").body == b"plain"
        server.wait_until(open=0, parked=0, busy=0, queued=0)
        server.call(room.news.set)
        # Those whose handlers were made are told, and end.
        wait_for(lambda: room.finished.count("/wait/1") == room.made - 1)
        assert room.closed == ["/wait/1"] * (room.made - 1)
    assert not server.server._parked


# Streams


@EVERY_KIND
def test_flush_waits_for_the_reader(kind: Kind) -> None:
    room = Room()
    with running(room.app(), kind) as server:
        with server.connect(receive_buffer=4096) as client:
            connection = server.only_connection()
            # Otherwise the system takes more and more by itself.
            transport = connection.transport
            server.call(
                set_socket_option, transport, socket.SOL_SOCKET, socket.SO_SNDBUF, 4096
            )
            client.send(raw("GET /stream/1 HTTP/1.1"))
            wait_for(lambda: not connection.is_writable)
            for _ in range(20):
                assert server.ask("GET /plain HTTP/1.1").body == b"plain"
            assert server.call(transport.get_write_buffer_size) <= 3 * 65536
            flushed = room.waiting
            assert flushed <= 3
            client.read_until(b"x" * 65536)
            wait_for(lambda: client.receive() and room.waiting > flushed)
            client.reset()
        server.wait_until(open=0, parked=0)
        wait_for(lambda: room.finished.count("/stream/1"))
    assert room.closed == ["/stream/1"]
    assert [type(error).__name__ for error in room.errors] == ["StreamClosedError"]


@EVERY_KIND
def test_failure_amid_a_stream_breaks_it_visibly(kind: Kind) -> None:
    room = Room()
    logged = ExpectLog("wsgitornado.application", "Uncaught exception GET /fail")
    of_page = ExpectLog("wsgitornado.general", "Cannot send error response after")
    with running(room.app(), kind) as server, logged, of_page:
        with server.connect() as client:
            client.send(raw("GET /fail HTTP/1.1"))
            got = b""
            with contextlib.suppress(ConnectionResetError):
                got = client.read_to_end()
        wait_for(lambda: room.finished)
    assert b"begun" in got
    assert not got.endswith(b"0\r\n\r\n")
    assert room.finished == ["/fail"]


# Middleware


class Wrapped:
    """An iterable around another, as many middlewares have one."""

    def __init__(self, body: Any) -> None:
        self.body = body

    def __iter__(self) -> Iterator[bytes]:
        yield from self.body

    def close(self) -> None:
        self.body.close()


def wrapping(app: WSGIApplication) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        body = app(environ, start_response)
        return body if isinstance(body, list) else Wrapped(body)

    return application


@EVERY_KIND
def test_answers_that_middleware_wraps_wait_in_helpers(kind: Kind) -> None:
    room = Room()
    with running(wrapping(room.app()), kind) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(2)]
        for number, client in enumerate(clients):
            client.send(raw(f"GET /wait/{number} HTTP/1.1"))
        wait_for(lambda: room.waiting == 2 or kind.threads)
        if not kind.threads:
            # The loop is free.
            assert server.ask("GET /plain HTTP/1.1").body == b"plain"
        server.call(room.news.set)
        answers = [client.read_answer() for client in clients]
    if kind.threads:
        # With two threads only one may wait, or nobody would be served.
        assert sorted(answer.status_code for answer in answers)[0] == 200
    else:
        assert [answer.body for answer in answers] == [b"0", b"1"]


def test_middleware_that_iterates_on_the_loop_is_told_what_to_do() -> None:
    room = Room()
    app = room.app()

    def buffering(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        return [b"".join(app(environ, start_response))]

    with running(buffering, threads=0) as server, failing("serve with threads=N"):
        assert server.ask("GET /wait/1 HTTP/1.1").status_code == 500
    with running(buffering, threads=2) as server:
        server.call(room.news.set)
        assert server.ask("GET /wait/1 HTTP/1.1").body == b"1"


# Contexts


@EVERY_KIND
def test_context_and_cookies_of_requests_never_mix(kind: Kind) -> None:
    with running(Room().app(), kind) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(20)]
        for round_ in range(5):
            for number, client in enumerate(clients):
                client.send(raw(f"GET /mix/{round_}-{number} HTTP/1.1"))
            for number, client in enumerate(clients):
                answer = client.read_answer()
                name = f"{round_}-{number}"
                assert answer.text == name
                assert answer.all("Set-Cookie") == [f"name={name}; Path=/"]
        assert server.call(lambda: _variable.get("none")) == "none"


def memory_of_process() -> int:
    """Bytes that this process has in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this machine: /proc")
@EVERY_LOOP
def test_parked_connection_costs_little_memory(loop: str) -> None:
    room = Room()
    count = 150

    def park(server: Running, stack: contextlib.ExitStack) -> None:
        for number in range(count):
            client = stack.enter_context(server.connect())
            client.send(raw(f"GET /wait/{number} HTTP/1.1"))

    with running(room.app(), loop=loop) as server, contextlib.ExitStack() as stack:
        park(server, stack)
        server.wait_until(parked=count)
        before = memory_of_process()
        park(server, stack)
        server.wait_until(parked=2 * count)
        # Both ends are in this process.
        assert (memory_of_process() - before) / count < 64 * 1024
        stack.close()
        server.wait_until(open=0, parked=0)
