"""Parked answers on a connection: what the outlet of the server does with them."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from tests.httpserver.running import (
    BOUND,
    EVERY_KIND,
    EVERY_LOOP,
    Kind,
    failing,
    hello,
    raw,
    running,
    wait_for,
)
from wsgitornado._types import Body, StartResponse, WSGIApplication, WSGIEnvironment
from wsgitornado.httputil import HTTPOutputError
from wsgitornado.httputil.errors import StreamClosedError
from wsgitornado.parked import PARK, ParkedResponse
from wsgitornado.web import Application, FallbackHandler, RequestHandler

#: What gives the answer.
Give: TypeAlias = Callable[[ParkedResponse], Awaitable[None]]


def parking(give: Give, left: list[str] | None = None) -> WSGIApplication:
    """An application without a framework, whose answer is parked."""

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        if environ["PATH_INFO"] == "/hello":
            return hello(environ, start_response)
        parked: ParkedResponse = environ[PARK]()

        async def work() -> None:
            await give(parked)

        note = ([] if left is None else left).append
        parked.begin(work, lambda: note("left"))
        return parked(environ, start_response)

    return app


@EVERY_KIND
def test_parked_answer_is_sent_as_it_comes(kind: Kind) -> None:
    async def give(parked: ParkedResponse) -> None:
        parked.start("200 OK", [("X-Own", "1")])
        await parked.write(b"one ")
        await parked.write(b"two ")
        await parked.end(b"three")

    with running(parking(give), kind) as server, server.connect() as client:
        for _ in range(3):
            answer = client.request("/")
            assert (answer.body, answer.all("X-Own")) == (b"one two three", ["1"])
        assert client.request("/hello").body == b"/hello"


@EVERY_KIND
@pytest.mark.parametrize("how", ["write", "end"])
def test_parked_answer_longer_than_its_length_is_broken_off(
    kind: Kind, how: str
) -> None:
    notes: list[str] = []

    async def give(parked: ParkedResponse) -> None:
        parked.start("200 OK", [("Content-Length", "4")])
        await parked.write(b"123")
        try:
            await (parked.write(b"45") if how == "write" else parked.end(b"45"))
            notes.append("over")
        except StreamClosedError:
            notes.append("broken off")

    with running(parking(give), kind) as server, server.connect() as client:
        with failing("more data than Content-Length"):
            client.send(raw())
            with contextlib.suppress(ConnectionResetError):
                assert client.read_to_end().endswith(b"\r\n\r\n123")
        server.wait_until(open=0, parked=0)
        # It had come to its end, or must come to it.
        wait_for(lambda: notes == ["broken off" if how == "write" else "over"])
        assert server.ask("GET /hello HTTP/1.1").body == b"/hello"


@EVERY_KIND
def test_parked_answer_that_cannot_be_sent_is_a_500(kind: Kind) -> None:
    async def give(parked: ParkedResponse) -> None:
        parked.start("200 OK", [("X-Own", "a\r\nX-Other: b")])
        with contextlib.suppress(Exception):
            await parked.end(b"never")

    with running(parking(give), kind) as server, failing(""):
        answer = server.ask()
        assert (answer.status_code, answer.all("X-Other")) == (500, [])
        server.wait_until(parked=0)


@EVERY_KIND
@pytest.mark.parametrize("begun", [False, True], ids=["not begun", "begun"])
@pytest.mark.parametrize("error", [LookupError, SystemExit, KeyboardInterrupt])
def test_failure_of_a_parked_answer(
    kind: Kind, begun: bool, error: type[BaseException]
) -> None:
    async def give(parked: ParkedResponse) -> None:
        if begun:
            parked.start("200 OK", [])
            await parked.write(b"some")
        parked.fail(error())

    is_failure = error is LookupError
    logged = failing("LookupError") if is_failure else contextlib.nullcontext()
    with running(parking(give), kind) as server, server.connect() as client, logged:
        client.send(raw())
        if begun:
            with contextlib.suppress(ConnectionResetError):
                assert client.read_to_end().endswith(b"4\r\nsome\r\n")
        else:
            # Where the process ends the client is to come again.
            assert client.read_answer().status_code == (500 if is_failure else 503)
        server.wait_until(parked=0, refused=int(not is_failure))


@EVERY_KIND
def test_parked_answer_is_given_by_another_application(kind: Kind) -> None:
    async def give(parked: ParkedResponse) -> None:
        parked.respond(hello)

    with running(parking(give), kind) as server, server.connect() as client:
        for _ in range(3):
            assert client.request("/there").body == b"/there"
        server.wait_until(parked=0, answered=3)


@EVERY_KIND
def test_nobody_answers_for_who_has_left(kind: Kind) -> None:
    left: list[str] = []
    kept: list[ParkedResponse] = []

    async def give(parked: ParkedResponse) -> None:
        kept.append(parked)
        await parked.wait_until_over()

    with running(parking(give, left), kind) as server:
        with server.connect() as client:
            client.send(raw())
            wait_for(lambda: kept)
        server.wait_until(open=0, parked=0)
        assert left == ["left"]
        # It is late.
        server.call(kept[0].respond, pytest.fail)
        server.call(kept[0].fail, LookupError())
        server.call(kept[0].end, b"")


# Plain functions of handlers that wait


@EVERY_KIND
def test_plain_method_after_an_asynchronous_prepare_runs_in_a_thread(
    kind: Kind,
) -> None:
    names: set[str] = set()

    class Mixed(RequestHandler):
        async def prepare(self) -> None:
            self.write("prepared, ")

        def get(self) -> None:
            names.add(threading.current_thread().name)
            self.write("got")

    with running(Application([("/", Mixed)]), kind) as server:
        assert server.ask().text == "prepared, got"
    (name,) = names
    assert name.startswith("wsgitornado-worker") == bool(kind.threads)


@EVERY_KIND
def test_fallback_after_an_asynchronous_prepare_answers(kind: Kind) -> None:
    class Checking(FallbackHandler):
        async def prepare(self) -> None:  # type: ignore[override]  # as the plain one
            super().prepare()

    app = Application([("/.*", Checking, {"fallback": hello})])
    with running(app, kind) as server, server.connect() as client:
        for _ in range(3):
            assert client.request("/a").body == b"/a"


# The old way of writing


@EVERY_LOOP
@pytest.mark.parametrize("pieces", [60, 200], ids=["within", "beyond"])
def test_write_on_the_loop_has_a_limit(loop: str, pieces: int) -> None:
    """The client reads nothing before; 2 MB of it the system may hold."""
    gate = threading.Event()
    errors: list[BaseException] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        write: Any = start_response("200 OK", [])
        try:
            for _ in range(pieces):
                write(b"x" * 65536)
        except HTTPOutputError as error:
            errors.append(error)
            raise
        finally:
            gate.set()
        return []

    options: dict[str, Any] = {"threads": 0, "max_buffer_size": 4_000_000}
    with running(app, loop=loop, **options) as server:
        with server.connect(receive_buffer=4096) as client:
            client.send(raw("GET / HTTP/1.0"))
            assert gate.wait(20)
            if pieces == 200:
                with contextlib.suppress(ConnectionResetError):
                    client.read_to_end()
            else:
                body = client.read_to_end().partition(b"\r\n\r\n")[2]
                assert len(body) == pieces * 65536
        server.wait_until(open=0)
    assert [type(error) for error in errors] == [HTTPOutputError] * (pieces == 200)


@EVERY_LOOP
def test_write_to_a_client_that_was_cut_is_refused(loop: str) -> None:
    errors: list[BaseException] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        write: Any = start_response("200 OK", [])
        write(b"some")
        (connection,) = found.server._connections
        connection.cut()
        try:
            write(b"more")
        except ConnectionResetError as error:
            errors.append(error)
            raise
        return []

    with running(app, loop=loop, threads=0) as found:
        with found.connect() as client:
            client.send(raw())
            with contextlib.suppress(ConnectionResetError):
                client.read_to_end()
        found.wait_until(open=0)
    assert len(errors) == 1


@EVERY_LOOP
def test_coroutine_that_only_writes_hears_that_its_client_has_left(loop: str) -> None:
    """It never lets the loop have its turn, which would notice."""
    has_left = threading.Event()
    written: list[int] = []

    class Writing(RequestHandler):
        async def get(self) -> None:
            self.write("begun")
            await self.flush()
            # Not even in this moment.
            has_left.wait(BOUND)
            for number in range(1000):
                written.append(number)
                self.write("more")
                await self.flush()

    with running(Application([("/", Writing)]), loop=loop, threads=0) as server:
        with server.connect() as client:
            client.send(raw())
            client.read_until(b"begun")
            linger = struct.pack("ii", 1, 0)
            client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        has_left.set()
        server.wait_until(open=0)
    assert len(written) < 10
