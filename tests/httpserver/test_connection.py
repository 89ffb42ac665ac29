"""Requests of one connection: their order, their ends, and what is none."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.httpserver.running import (
    EVERY_KIND,
    EVERY_LOOP,
    Kind,
    Running,
    hello,
    raw,
    running,
    wait_for,
)
from tests.live.client import Client
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.httpserver import connection as of_connection
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler


def malformed(times: int = 1) -> ExpectLog:
    return ExpectLog("wsgitornado.general", "Malformed HTTP message from 127.0.0.1")


class Gate(RequestHandler):
    """Parks until the test lets it go on."""

    opened: asyncio.Event
    begun: threading.Event

    async def get(self) -> None:
        self.begun.set()
        await self.opened.wait()
        self.write("gate")


class Plain(RequestHandler):
    def get(self, name: str) -> None:
        self.write(name)

    def post(self, name: str) -> None:
        self.write(f"{name} {len(self.request.body)}")


class Held(RequestHandler):
    """Keeps its thread until the test lets it go on."""

    opened: threading.Event
    begun: threading.Event

    def get(self) -> None:
        self.begun.set()
        assert self.opened.wait(20)
        self.write("held")


@pytest.fixture
def app() -> Application:
    gate: Any = type("Gate", (Gate,), {"begun": threading.Event()})
    gate.opened = asyncio.Event()
    held: Any = type("Held", (Held,), {"begun": threading.Event()})
    held.opened = threading.Event()
    app = Application([("/gate", gate), ("/held", held), ("/(.*)", Plain)])
    app.settings.update(gate=gate, held=held)
    return app


def bodies(client: Client, count: int) -> list[bytes]:
    return [client.read_answer().body for _ in range(count)]


# Order


@EVERY_KIND
@pytest.mark.parametrize("pieces", ["whole", "byte by byte", "in sevens"])
def test_pipelined_requests_are_answered_in_order(
    kind: Kind, app: Application, pieces: str
) -> None:
    sizes = {"whole": 100_000, "byte by byte": 1, "in sevens": 7}
    count = 100 if pieces == "whole" else 12
    data = b"".join(raw(f"GET /{i} HTTP/1.1") for i in range(count))
    with running(app, kind) as server, server.connect() as client:
        for start in range(0, len(data), sizes[pieces]):
            client.send(data[start : start + sizes[pieces]])
        assert bodies(client, count) == [b"%d" % i for i in range(count)]


@EVERY_KIND
def test_requests_behind_a_parked_one_wait_for_it(kind: Kind, app: Application) -> None:
    gate = app.settings["gate"]
    with running(app, kind) as server, server.connect() as client:
        client.send(raw("GET /gate HTTP/1.1"))
        assert gate.begun.wait(20)
        client.send(raw("GET /1 HTTP/1.1") + raw("GET /2 HTTP/1.1"))
        # Another connection does not wait.
        assert server.ask("GET /other HTTP/1.1").body == b"other"
        server.call(gate.opened.set)
        assert bodies(client, 3) == [b"gate", b"1", b"2"]


def test_requests_behind_one_in_a_thread_wait_for_it(app: Application) -> None:
    held = app.settings["held"]
    with running(app, threads=2) as server, server.connect() as client:
        client.send(raw("GET /held HTTP/1.1") + raw("GET /1 HTTP/1.1"))
        assert held.begun.wait(20)
        client.send(raw("GET /2 HTTP/1.1"))
        assert server.ask("GET /other HTTP/1.1").body == b"other"
        held.opened.set()
        assert bodies(client, 3) == [b"held", b"1", b"2"]


@EVERY_LOOP
def test_others_have_their_turn_between_many_requests(loop: str) -> None:
    seen: list[str] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        seen.append(environ["PATH_INFO"])
        return hello(environ, start_response)

    many = raw("GET /many HTTP/1.1") * 200
    with running(app, loop=loop, threads=0) as server:
        with server.connect() as one, server.connect() as other:
            one.request("/1")
            other.request("/2")
            seen.clear()
            # Both are read in the same turn of the loop.
            ready = threading.Event()
            server.loop.call_soon_threadsafe(ready.wait, 20)
            one.send(many)
            other.send(raw("GET /other HTTP/1.1"))
            ready.set()
            assert other.read_answer().body == b"/other"
            assert len(bodies(one, 200)) == 200
    assert seen.index("/other") <= 2 * of_connection._MOST_IN_A_TURN


@EVERY_KIND
def test_who_does_not_read_is_not_answered_for_ever(kind: Kind) -> None:
    body = b"x" * 100_000
    calls: list[int] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        calls.append(1)
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    with running(app, kind) as server:
        with server.connect(receive_buffer=4096) as client:
            # In one piece, and then one by one.
            client.send(raw() * 100)
            connection = server.only_connection()
            wait_for(lambda: not connection.is_writable)
            for _ in range(100):
                client.send(raw())
            # It has its turn; what it has sent is read, as far as that goes.
            server.ask()
            made = len(calls) - 1
            assert made < 100
            unread = server.call(connection.transport.get_write_buffer_size)
            assert unread < 20 * len(body)
            for answer in range(200):
                assert client.read_answer().body == body, answer
    assert len(calls) == 201


@EVERY_LOOP
def test_client_that_sends_on_and_on_is_not_read_for_ever(
    loop: str, app: Application
) -> None:
    held = app.settings["held"]
    options: dict[str, Any] = {"threads": 2, "max_read_ahead": 1000}
    with running(app, loop=loop, **options) as server, server.connect() as client:
        client.send(raw("GET /held HTTP/1.1"))
        assert held.begun.wait(20)
        many = raw("GET /1 HTTP/1.1") * 60
        client.send(many)
        connection = server.only_connection()
        wait_for(lambda: connection._is_reading_paused)
        held.opened.set()
        assert bodies(client, 61) == [b"held", *[b"1"] * 60]
        assert client.request("/on").body == b"on"


# What is no request


@EVERY_KIND
@pytest.mark.parametrize("gap", ["together", "apart"])
def test_garbage_behind_a_request_is_refused_after_its_answer(
    kind: Kind, gap: str
) -> None:
    with running(hello, kind) as server, server.connect() as client:
        with malformed():
            if gap == "together":
                client.send(raw("GET /good HTTP/1.1") + b"garbage\r\n\r\n" + raw())
                assert client.read_answer().body == b"/good"
            else:
                assert client.request("/good").body == b"/good"
                client.send(b"garbage\r\n\r\n" + raw())
            refusal = client.read_answer()
        assert refusal.status_code == 400
        assert refusal.all("Connection") == ["close"]
        # Nothing behind it has been executed.
        assert client.read_to_end() == b""
        server.wait_until(answered=1)


@EVERY_KIND
def test_body_that_nobody_read_is_no_request(kind: Kind) -> None:
    smuggled = raw("GET /smuggled HTTP/1.1")
    seen: list[str] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        seen.append(environ["PATH_INFO"])
        return hello(environ, start_response)

    length = f"Content-Length: {len(smuggled)}"
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(smuggled), smuggled)
    with running(app, kind) as server, server.connect() as client:
        client.send(raw("POST /1 HTTP/1.1", length, body=smuggled))
        client.send(raw("POST /2 HTTP/1.1", "Transfer-Encoding: chunked", body=chunk))
        client.send(raw("GET /3 HTTP/1.1", length, body=smuggled))
        client.send(raw("GET /4 HTTP/1.1"))
        assert bodies(client, 4) == [b"/1", b"/2", b"/3", b"/4"]
    assert seen == ["/1", "/2", "/3", "/4"]


@EVERY_KIND
def test_nothing_is_executed_behind_a_last_request(kind: Kind) -> None:
    last = raw("GET /last HTTP/1.1", "Connection: close")
    with running(hello, kind) as server:
        got = server.exchange(last + raw("GET /more HTTP/1.1"))
        server.wait_until(answered=1, open=0)
    assert got.count(b"HTTP/1.1 200 OK") == 1


@EVERY_KIND
def test_application_that_closes_answers_no_more(kind: Kind) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", [("Connection", "close")])
        return [b"a"]

    with running(app, kind) as server:
        got = server.exchange(raw() * 3)
        server.wait_until(answered=1, open=0)
    assert got.count(b"HTTP/1.1 200 OK") == 1


# Clients that close their side


@EVERY_KIND
def test_all_requests_are_answered_to_who_closes_its_side(kind: Kind) -> None:
    with running(hello, kind) as server:
        got = server.exchange(b"".join(raw(f"GET /{i} HTTP/1.1") for i in range(50)))
        server.wait_until(open=0)
    assert got.count(b"HTTP/1.1 200 OK") == 50
    assert got.endswith(b"\r\n\r\n/49")


def test_answer_of_a_thread_comes_to_who_has_closed_its_side(app: Application) -> None:
    held = app.settings["held"]
    with running(app, threads=2) as server, server.connect() as client:
        client.send(raw("GET /held HTTP/1.1") + raw("GET /1 HTTP/1.1"))
        assert held.begun.wait(20)
        client.end_input()
        connection = server.only_connection()
        wait_for(lambda: connection._has_eof)
        held.opened.set()
        assert bodies(client, 2) == [b"held", b"1"]
        assert client.read_to_end() == b""
        server.wait_until(open=0)


@EVERY_KIND
def test_stream_is_sent_on_to_who_has_closed_its_side(kind: Kind) -> None:
    go_on = threading.Event()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"one"
        assert go_on.wait(20)
        yield b"two"

    with running(app, kind) as server, server.connect() as client:
        client.send(raw()).read_until(b"one\r\n")
        client.end_input()
        connection = server.only_connection()
        wait_for(lambda: connection._has_eof)
        go_on.set()
        assert client.read_to_end() == b"3\r\ntwo\r\n0\r\n\r\n"


@EVERY_KIND
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"GET / HT",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        raw("POST / HTTP/1.1", "Content-Length: 5", body=b"1234"),
        raw("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=b"5\r\n12345\r\n"),
    ],
    ids=["nothing", "line", "start", "head", "body", "chunks"],
)
def test_half_a_request_ends_in_silence(kind: Kind, data: bytes) -> None:
    with running(hello, kind) as server:
        assert server.exchange(data) == b""
        assert server.exchange(raw("GET /1 HTTP/1.1") + data).endswith(b"/1")
        server.wait_until(open=0)
        assert server.call(server.server.stats)["answered"] <= 3


@EVERY_KIND
@pytest.mark.parametrize("data", [b"", b"GET / HT", raw()[:-2]])
def test_client_that_resets_costs_nothing(kind: Kind, data: bytes) -> None:
    with running(hello, kind) as server:
        with server.connect() as client:
            client.send(data)
            server.wait_until(open=1)
            client.reset()
        server.wait_until(open=0)
        assert not any(len(deadlines) for deadlines in server.server.deadlines)


# Errors reach their client


@EVERY_LOOP
@pytest.mark.parametrize("size", [1000, 5_000_000], ids=["little", "much"])
def test_refusal_reaches_a_client_that_goes_on_sending(loop: str, size: int) -> None:
    request = raw("POST / HTTP/1.1", f"Content-Length: {size}", body=b"x" * size)
    refused = ExpectLog("wsgitornado.general", "413 for 127.0.0.1")
    with running(hello, loop=loop, max_body_size=100) as server, refused:
        with server.connect() as client:
            client.send(request)
            answer = client.read_answer()
            assert answer.status_code == 413
            assert answer.all("Connection") == ["close"]
            assert client.read_to_end() == b""
        server.wait_until(open=0, answered=1)


def lingering(server: Running) -> Any:
    """The connection of a client whose request has been refused, and that stays."""
    connection = server.only_connection()
    wait_for(lambda: connection._is_discarding)
    return connection


@EVERY_LOOP
def test_who_sends_on_for_ever_is_cut(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_connection, "_MOST_DISCARDED", 100_000)
    monkeypatch.setattr("wsgitornado.httpserver.server._LINGER", 0.2)
    with running(hello, loop=loop) as server, malformed():
        with server.connect() as client:
            client.send(b"garbage\r\n\r\n")
            assert client.read_answer().status_code == 400
            connection = lingering(server)
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                for _ in range(10_000):
                    client.send(b"x" * 65536)
                pytest.fail("the server goes on reading")
            assert connection._discarded <= 100_000 + 256 * 1024
        server.wait_until(open=0)
