"""Clients that are slow, idle, or do not read: each has a time, and none an effect."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.httpserver.running import (
    EVERY_LOOP,
    hello,
    raw,
    running,
    wait_for,
)
from tests.live.client import Client
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.httpserver.deadlines import Deadlines
from wsgitornado.testing import ExpectLog

# Heads


def send_slowly(client: Client, data: bytes) -> bytes:
    """Byte after byte, until the server answers or all is sent."""
    client._socket.settimeout(0.01)
    for i in range(len(data)):
        client.send_if_taken(data[i : i + 1])
        try:
            return client.receive()
        except TimeoutError:
            continue
    return b""


@EVERY_LOOP
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_head_has_its_time_however_many_bytes_come(loop: str, first: bool) -> None:
    endless = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"x" * 5000
    with running(hello, loop=loop, head_timeout=0.2) as server:
        with server.connect() as client:
            if not first:
                assert client.request("/").status_code == 200
            assert send_slowly(client, endless).startswith(b"HTTP/1.1 408 ")


@EVERY_LOOP
def test_head_that_comes_in_time_is_answered(loop: str) -> None:
    with running(hello, loop=loop, head_timeout=20.0) as server:
        with server.connect() as client:
            for _ in range(3):
                client.send(b"GET / HTTP/1.1\r\n")
                wait_for(lambda: len(server.server.head_deadlines) == 1)
                assert client.send(b"Host: a\r\n\r\n").read_answer().body == b"/"
                assert len(server.server.head_deadlines) == 0


@EVERY_LOOP
def test_time_of_a_head_begins_with_its_first_byte(loop: str) -> None:
    with running(hello, loop=loop, head_timeout=0.2) as server:
        with server.connect() as client:
            # Longer than a head may take, all in all.
            for _ in range(12):
                threading.Event().wait(0.03)
                client.send(b"GET / HTTP/1.1\r\n")
                assert client.send(b"Host: a\r\n\r\n").read_answer().body == b"/"


# Idle connections


@EVERY_LOOP
@pytest.mark.parametrize("sent", [b"", b"\r\n", raw()], ids=["new", "line", "used"])
def test_idle_connection_is_closed(loop: str, sent: bytes) -> None:
    with running(hello, loop=loop, idle_connection_timeout=0.1) as server:
        with server.connect() as client:
            client.send(sent)
            if len(sent) > 2:
                client.read_answer()
            assert client.read_to_end() == b""
        server.wait_until(open=0)


@EVERY_LOOP
def test_connection_whose_answer_takes_long_is_not_idle(loop: str) -> None:
    go_on = threading.Event()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        assert go_on.wait(20)
        return hello(environ, start_response)

    options: dict[str, Any] = {
        "idle_connection_timeout": 0.05,
        "head_timeout": 0.05,
        "threads": 2,
    }
    with running(app, loop=loop, **options) as server, server.connect() as client:
        client.send(raw())
        server.wait_until(busy=1)
        assert server.server.idle_deadlines is not None
        wait_for(lambda: not server.server.idle_deadlines)
        go_on.set()
        assert client.read_answer().body == b"/"


# Clients that do not read


class Endless:
    """Gives more for ever; tells when it was closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def __call__(self, environ: Any, start_response: Any) -> Body:
        start_response("200 OK", [])
        return self

    def __iter__(self) -> Any:
        while True:
            yield b"x" * 65536

    def close(self) -> None:
        self.closed.set()


@EVERY_LOOP
def test_who_does_not_read_is_cut(loop: str) -> None:
    app = Endless()
    with running(app, loop=loop, write_timeout=0.2) as server:
        with server.connect(receive_buffer=4096) as client:
            client.send(raw())
            assert app.closed.wait(20)
            server.wait_until(open=0)


@EVERY_LOOP
@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "closing"])
def test_who_reads_slowly_is_not_cut(loop: str, keeps: bool) -> None:
    body = b"x" * 6_000_000

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", [] if keeps else [("Connection", "close")])
        return [body]

    looks: list[bool] = []
    with running(app, loop=loop, write_timeout=0.5, threads=0) as server:
        with server.connect(receive_buffer=4096) as client:
            client.send(raw())
            connection = server.only_connection()
            original = connection.look_at_writing
            deadlines = server.server.write_deadlines

            def look(connection: Any) -> None:
                looks.append(True)
                original()

            deadlines._on_due = look
            got = 0
            while len(looks) < 5 and got < 5_000_000:
                # A bit in each of its intervals.
                data = client._socket.recv(20_000)
                assert data
                got += len(data)
                threading.Event().wait(0.02)
            assert looks
            while got < len(body):
                data = client._socket.recv(1 << 20)
                assert data
                got += len(data)


@EVERY_LOOP
def test_little_that_nobody_reads_is_not_kept_for_ever(loop: str) -> None:
    body = b"x" * 60_000
    sizes: list[int] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", [])
        return [body]

    options: dict[str, Any] = {
        "idle_connection_timeout": 0.1,
        "write_timeout": 0.1,
        "threads": 0,
    }
    with running(app, loop=loop, **options) as server:
        with server.connect(receive_buffer=4096) as client:
            # As much as the system takes, and a bit more.
            client.send(raw())
            connection = server.only_connection()
            while not sizes or not sizes[-1]:
                client.send_if_taken(raw())
                sizes.append(server.call(connection.transport.get_write_buffer_size))
            server.wait_until(open=0)


@EVERY_LOOP
def test_who_does_not_close_after_the_last_answer_is_cut(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsgitornado.httpserver.server._LINGER", 0.1)
    malformed = ExpectLog("wsgitornado.general", "Malformed")
    with running(hello, loop=loop) as server, malformed, server.connect() as client:
        assert client.send(b"x\r\n\r\n").read_answer().status_code == 400
        # Its side stays open.
        server.wait_until(open=0)


@EVERY_LOOP
def test_last_answer_is_whole_however_long_it_takes(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsgitornado.httpserver.server._LINGER", 0.02)
    body = b"x" * 8_000_000

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", [("Connection", "close")])
        return [body]

    with running(app, loop=loop, threads=0) as server:
        with server.connect(receive_buffer=4096) as client:
            client.send(raw())
            connection = server.only_connection()
            wait_for(lambda: connection._is_discarding)
            linger = server.server.linger_deadlines
            for _ in range(3):
                # It is looked at, and goes on.
                wait_for(lambda: len(linger) == 1)
                threading.Event().wait(0.03)
            got = client.read_to_end()
    assert got.endswith(body)


# Many at once


@EVERY_LOOP
def test_slow_and_idle_clients_do_not_delay_others(loop: str) -> None:
    with running(hello, loop=loop) as server:
        clients = [server.connect() for _ in range(100)]
        for number, client in enumerate(clients):
            client.send(b"" if number % 2 else b"GET / HT")
        assert server.ask("GET /quick HTTP/1.1").body == b"/quick"
        server.wait_until(open=100)
        # One timer each for all of them.
        timers = server.call(lambda: [d._timer for d in server.server.deadlines])
        assert len(timers) == 5
        for client in clients:
            client.close()
        server.wait_until(open=0)


# The deadlines themselves


class Clock:
    """A loop whose time goes on as the test says."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Any]] = []
        self.made = 0

    def call_later(self, delay: float, callback: Any) -> Any:
        self.made += 1
        timer = (self.now + delay, callback)
        self.timers.append(timer)
        clock = self

        class Timer:
            def cancel(self) -> None:
                clock.timers.remove(timer)

        return Timer()

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for timer in sorted(self.timers, key=lambda timer: timer[0]):
            if timer[0] <= self.now + 1e-9:
                self.timers.remove(timer)
                timer[1]()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("wsgitornado.httpserver.deadlines.monotonic", lambda: clock.now)
    return clock


def deadlines_on(clock: Clock, on_due: Any) -> Deadlines[str]:
    loop: Any = clock
    return Deadlines(loop, 10.0, on_due)


def test_deadline_is_met_once_and_not_before(clock: Clock) -> None:
    due: list[str] = []
    deadlines = deadlines_on(clock, due.append)
    deadlines.set("a")
    clock.advance(9.9)
    assert due == []
    clock.advance(0.1)
    clock.advance(50)
    assert due == ["a"]
    assert not clock.timers


def test_deadline_that_is_set_anew_begins_anew(clock: Clock) -> None:
    due: list[str] = []
    deadlines = deadlines_on(clock, due.append)
    deadlines.set("a")
    deadlines.set("b")
    clock.advance(5)
    deadlines.set("a")
    assert ("a" in deadlines, "c" in deadlines, len(deadlines)) == (True, False, 2)
    clock.advance(5)
    assert due == ["b"]
    clock.advance(5)
    assert due == ["b", "a"]


def test_deadline_that_is_called_off_is_not_met(clock: Clock) -> None:
    due: list[str] = []
    deadlines = deadlines_on(clock, due.append)
    deadlines.set("a")
    deadlines.call_off("a")
    deadlines.call_off("never set")
    clock.advance(20)
    deadlines.set("b")
    deadlines.clear()
    deadlines.clear()
    assert not clock.timers
    clock.advance(20)
    assert due == []


def test_one_timer_stands_for_all_deadlines(clock: Clock) -> None:
    due: list[str] = []

    def again(thing: str) -> None:
        due.append(thing)
        if len(due) < 1000:
            deadlines.set(thing)

    deadlines = deadlines_on(clock, again)
    for number in range(100):
        deadlines.set(str(number))
        clock.advance(0.01)
    for _ in range(5000):
        clock.advance(0.02)
        assert len(clock.timers) <= 1
    for _ in range(10):
        clock.advance(20)
    assert len(due) >= 1000
    assert not clock.timers


def test_failure_at_one_deadline_is_none_of_the_others(clock: Clock) -> None:
    due: list[str] = []

    def fail(thing: str) -> None:
        due.append(thing)
        raise ValueError(thing)

    deadlines = deadlines_on(clock, fail)
    deadlines.set("a")
    deadlines.set("b")
    with ExpectLog("wsgitornado.application", "Uncaught exception in the server"):
        clock.advance(10)
    assert due == ["a", "b"]
    deadlines.set("c")
    with ExpectLog("wsgitornado.application", "Uncaught exception in the server"):
        clock.advance(10)
    assert due == ["a", "b", "c"]


def test_timer_that_is_early_is_set_again(clock: Clock) -> None:
    due: list[str] = []
    deadlines = deadlines_on(clock, due.append)
    deadlines.set("a")
    _, look = clock.timers.pop()
    clock.now += 9.99
    look()
    assert due == []
    clock.advance(0.01)
    assert due == ["a"]


# Nothing to do is nothing done


def test_half_open_connections_use_no_turn_of_the_loop() -> None:
    turns: list[float | None] = []
    with running(hello) as server:
        clients = [server.connect() for _ in range(20)]
        for number, client in enumerate(clients):
            client.send([b"", b"GET / HT", raw(), b"\r\n"][number % 4])
        server.wait_until(open=20, answered=5)
        loop: Any = server.loop
        select = loop._selector.select

        def count(timeout: float | None = None) -> Any:
            turns.append(timeout)
            return select(timeout)

        server.call(setattr, loop._selector, "select", count)
        threading.Event().wait(0.3)
        made = list(turns)
        for client in clients:
            client.close()
    # It went to sleep, once, until the first deadline.
    assert len(made) == 1
    assert made[0] is not None
    assert made[0] > 10
