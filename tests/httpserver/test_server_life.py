"""The end of a server, out of descriptors, and what it tells of itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.httpserver.running import (
    EVERY_KIND,
    EVERY_LOOP,
    Kind,
    hello,
    raw,
    running,
    wait_for,
)
from tests.live.client import Client
from wsgitornado import netutil
from wsgitornado._types import StartResponse, WSGIEnvironment
from wsgitornado.httpserver import HTTPServer
from wsgitornado.httpserver import server as of_server
from wsgitornado.web import Application, RequestHandler


class Waiting(RequestHandler):
    def initialize(self, news: asyncio.Event, ends: list[str]) -> None:  # type: ignore[override]  # each handler takes its own
        self.news = news
        self.ends = ends

    async def get(self, how: str) -> None:
        if how == "begun":
            self.write("begun")
            await self.flush()
        await self.news.wait()
        self.write("news")

    def on_finish(self) -> None:
        self.ends.append("finish")

    def on_connection_close(self) -> None:
        self.ends.append("close")


class Place:
    """An application whose requests wait for the test."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.ends: list[str] = []
        arguments = {"news": self.news, "ends": self.ends}
        self.app = Application([("/wait/(.*)", Waiting, arguments)])


# The end


@EVERY_KIND
def test_drain_answers_what_is_in_flight(kind: Kind) -> None:
    place = Place()
    with running(place.app, kind) as server, contextlib.ExitStack() as stack:
        idle = stack.enter_context(server.connect())
        idle.request("/")
        waiting = [stack.enter_context(server.connect()) for _ in range(20)]
        for number, client in enumerate(waiting):
            how = "begun" if number % 2 else "not"
            client.send(raw(f"GET /wait/{how} HTTP/1.1"))
        server.wait_until(parked=20)
        port = server.port
        draining = server.begin(server.server.drain_connections(20))
        assert idle.read_to_end() == b""
        server.wait_until(open=20)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        server.call(place.news.set)
        for number, client in enumerate(waiting):
            answer = client.read_answer()
            assert answer.text == ("begunnews" if number % 2 else "news")
            if not number % 2:
                assert answer.all("Connection") == ["close"]
            assert client.read_to_end() == b""
            client.close()
        draining.result(20)
        assert server.call(server.server.stats)["open"] == 0
    assert place.ends == ["finish"] * 20


@EVERY_KIND
def test_grace_of_a_drain_has_an_end(kind: Kind) -> None:
    place = Place()
    with running(place.app, kind) as server:
        with server.connect() as parked, server.connect() as begun:
            parked.send(raw("GET /wait/not HTTP/1.1"))
            begun.send(raw("GET /wait/begun HTTP/1.1"))
            begun.read_until(b"begun")
            server.wait_until(parked=2)
            server.run(server.server.drain_connections(0.1))
            answer = parked.read_answer()
            assert answer.status_code == 503
            assert answer.all("Retry-After") == ["1"]
            with contextlib.suppress(ConnectionResetError):
                assert not begun.read_to_end().endswith(b"0\r\n\r\n")
        assert server.call(server.server.stats)["open"] == 0
        # Whose answer had not begun has got one: its handler's own.
        assert sorted(place.ends) == ["close", "finish"]
        server.call(place.news.set)
        wait_for(lambda: place.ends.count("finish") == 2)


def test_drain_does_not_wait_for_a_thread_that_hangs() -> None:
    go_on = threading.Event()
    returned = threading.Event()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        assert go_on.wait(20)
        start_response("200 OK", [])
        returned.set()
        return [b"too late"]

    with running(app, threads=1) as server, server.connect() as client:
        client.send(raw())
        server.wait_until(busy=1)
        server.run(server.server.drain_connections(0.1))
        # What the thread says later goes nowhere.
        go_on.set()
        assert returned.wait(20)
        assert client.read_answer().status_code == 503
        assert client.read_to_end() == b""


@EVERY_KIND
def test_request_that_was_sent_before_the_end_is_answered(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that many turns are needed.
    monkeypatch.setattr(netutil, "ACCEPTS_A_TURN", 5)
    with running(hello, kind) as server, contextlib.ExitStack() as stack:
        ready = threading.Event()
        server.loop.call_soon_threadsafe(ready.wait, 20)
        # The loop is busy: they wait to be accepted.
        clients = [stack.enter_context(server.connect()) for _ in range(120)]
        for client in clients:
            client.send(raw("GET /last HTTP/1.1"))
        draining = server.begin(server.server.drain_connections(20))
        ready.set()
        for client in clients:
            answer = client.read_answer()
            assert answer.body == b"/last"
            client.close()
        draining.result(20)


@EVERY_LOOP
@pytest.mark.parametrize("leaves", [False, True])
def test_who_waits_to_be_accepted_is_left_to_another_process(
    loop: str, leaves: bool
) -> None:
    with running(hello, loop=loop) as server, contextlib.ExitStack() as stack:
        (listener,) = server.server.sockets
        # What the other process has of it.
        other = stack.enter_context(listener.dup())
        other.setblocking(False)

        async def connect_and_drain() -> None:
            client = stack.enter_context(server.connect())
            client.send(raw())
            await server.server.drain_connections(20, leaves_backlog=leaves)

        server.run(connect_and_drain())
        if leaves:
            other.accept()[0].close()
        else:
            with pytest.raises(BlockingIOError):
                other.accept()


@EVERY_LOOP
def test_connection_that_is_new_has_a_moment_for_its_request(
    loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_server, "_FIRST_GRACE", 20)
    with running(hello, loop=loop) as server:
        with server.connect() as one, server.connect():
            server.wait_until(open=2)
            draining = server.begin(server.server.drain_connections(20))
            wait_for(lambda: server.server._is_stopping)
            assert one.request("/new").body == b"/new"
            assert one.read_to_end() == b""
        # Nobody is left to wait for.
        draining.result(10)


@EVERY_LOOP
@pytest.mark.parametrize("sent", [b"", b"GET / HT"], ids=["nothing", "half a head"])
def test_connection_without_a_request_does_not_hold_up_the_end(
    loop: str, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_server, "_FIRST_GRACE", 0.05)
    with running(hello, loop=loop) as server, server.connect() as client:
        client.send(sent)
        connection = server.only_connection()
        wait_for(lambda: connection._is_in_head == bool(sent))
        server.run(server.server.drain_connections(0.1 if sent else 1000))
        with contextlib.suppress(ConnectionResetError):
            assert client.read_to_end() == b""


@EVERY_KIND
def test_all_connections_can_be_cut(kind: Kind) -> None:
    place = Place()
    with running(place.app, kind) as server:
        with server.connect() as parked, server.connect() as idle:
            parked.send(raw("GET /wait/not HTTP/1.1"))
            server.wait_until(parked=1, open=2)
            server.run(server.server.close_all_connections())
            for client in (parked, idle):
                with contextlib.suppress(ConnectionResetError):
                    assert client.read_to_end() == b""
        assert place.ends == ["close"]
        # New ones are welcome.
        assert server.ask("GET /none HTTP/1.1").status_code == 404
        server.call(place.news.set)
        wait_for(lambda: place.ends == ["close", "finish"])


@EVERY_KIND
def test_stopped_server_goes_on_with_its_connections(kind: Kind) -> None:
    with running(hello, kind) as server, server.connect() as client:
        assert client.request("/1").body == b"/1"
        server.server.stop()
        wait_for(lambda: not server.server._acceptors)
        assert client.request("/2").body == b"/2"
        assert server.server.sockets == []
        # It may begin again.
        server.call(server.server.listen, 0, "127.0.0.1")
        assert server.ask("GET /3 HTTP/1.1").body == b"/3"


# What it tells


@EVERY_KIND
def test_statistics_tell_what_goes_on(kind: Kind) -> None:
    place = Place()
    with running(place.app, kind) as server, server.connect() as client:
        nothing = dict.fromkeys(
            ("open", "parked", "busy", "queued", "answered", "refused"), 0
        )
        wait_for(lambda: server.call(server.server.stats) == {**nothing, "open": 1})
        client.send(raw("GET /wait/not HTTP/1.1"))
        server.wait_until(open=1, parked=1)
        server.call(place.news.set)
        client.read_answer()
        expected = {**nothing, "open": 1, "answered": 1}
        wait_for(lambda: server.call(server.server.stats) == expected)


def test_statistics_count_what_waits_for_a_thread() -> None:
    go_on = threading.Event()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        assert go_on.wait(20)
        return hello(environ, start_response)

    with running(app, threads=2) as server, contextlib.ExitStack() as stack:
        assert HTTPServer(app).stats()["busy"] == 0
        for _ in range(5):
            stack.enter_context(server.connect()).send(raw())
        server.wait_until(busy=2, queued=3, open=5)
        assert server.server.is_stuck(-1)
        assert not server.server.is_stuck(1000)
        go_on.set()
        server.wait_until(busy=0, queued=0, answered=5)
    with running(hello, threads=0) as server:
        assert not server.call(server.server.is_stuck, -1)


# Processes


@contextlib.contextmanager
def process(program: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A program that prints its port first."""
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", f"if True:{program}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    ) as found:
        assert found.stdout is not None
        try:
            yield found, int(found.stdout.readline())
        finally:
            found.kill()


@EVERY_LOOP
def test_server_out_of_descriptors_recovers(loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    program = f"""
        import asyncio, logging, resource, socket, sys
        from wsgitornado.httpserver import HTTPServer
        from wsgitornado.netutil import bind_sockets

        class Listening(socket.socket):
            asked = 0

            def accept(self):
                self.asked += 1
                return super().accept()

        def count(environ, start_response):
            start_response("200 OK", [])
            return [str(listening.asked).encode()]

        async def main():
            global listening
            server = HTTPServer(count, threads=0)
            (bound,) = bind_sockets(0, "127.0.0.1")
            listening = Listening(fileno=bound.detach())
            server.add_socket(listening)
            print(listening.getsockname()[1], flush=True)
            await asyncio.Event().wait()

        logging.basicConfig(format="%(name)s %(message)s")
        if {loop == "uvloop"}:
            from uvloop import new_event_loop
        else:
            from asyncio import new_event_loop
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(main())
    """
    with process(program) as (server, port), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(port)) for _ in range(60)]
        # Those for whom there is no descriptor wait.
        for client in clients[50:]:
            client.send(raw())
        counts = [int(clients[0].request("/").body) for _ in range(1000)]
        assert counts[0] >= 20
        # Each answer was a turn of the loop, and hardly any of these tried in vain.
        assert counts[-1] - counts[0] < 100
        for client in clients[:50]:
            client.close()
        for client in clients[50:]:
            assert client.read_answer().status_code == 200
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        assert server.stderr is not None
        lines = server.stderr.read().splitlines()
    # One line for all of it.
    assert len(lines) == 1, lines
    assert "ulimit -n" in lines[0]


@pytest.mark.parametrize("threads", [0, 4])
def test_sigterm_loses_no_request(threads: int) -> None:
    program = f"""
        import asyncio, time
        from tests.httpserver.running import hello
        from wsgitornado.web import Application, RequestHandler

        class Slow(RequestHandler):
            async def get(self):
                await asyncio.sleep(0.3)
                self.write("slow")

        async def main():
            app = Application([("/", Slow)])
            server = app.listen(0, "127.0.0.1", threads={threads})
            print(server.sockets[0].getsockname()[1], flush=True)
            await asyncio.Event().wait()

        asyncio.run(main())
    """
    with process(program) as (server, port), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(port)) for _ in range(100)]
        for client in clients:
            client.send(raw())
        server.send_signal(signal.SIGTERM)
        for client in clients:
            answer = client.read_answer()
            assert (answer.status_code, answer.body) == (200, b"slow")
            client.close()
        assert server.wait(20) == 0


@EVERY_LOOP
def test_exit_in_an_application_on_the_loop_ends_the_program(loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    program = f"""
        import asyncio
        from wsgitornado.httpserver import HTTPServer

        def leave(environ, start_response):
            raise SystemExit(3)

        async def main():
            server = HTTPServer(leave, threads=0)
            server.listen(0, "127.0.0.1")
            print(server.sockets[0].getsockname()[1], flush=True)
            await asyncio.Event().wait()

        if {loop == "uvloop"}:
            from uvloop import new_event_loop
        else:
            from asyncio import new_event_loop
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(main())
    """
    with process(program) as (server, port), Client(port) as client:
        # Its client is told all the same.
        assert client.request("/").status_code == 500
        assert server.wait(20) == 3
