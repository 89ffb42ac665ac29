"""Threads: helpers for what may block, workers, and how both hand results over."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from flask import Flask

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
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.httpserver import server as of_server
from wsgitornado.httpserver.deadlines import Deadlines
from wsgitornado.httpserver.workers import Mailbox, Workers
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, FallbackHandler, RequestHandler


class Stuck:
    """Bodies that do not come before the test lets them; counts their ends."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.begun = 0
        self.closed = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        if environ["PATH_INFO"] == "/plain":
            return hello(environ, start_response)
        write = start_response("200 OK", [])
        if environ["PATH_INFO"] == "/written":
            write(b"one")
        return _StuckBody(self)


class _StuckBody:
    def __init__(self, stuck: Stuck) -> None:
        self.stuck = stuck

    def __iter__(self) -> Iterator[bytes]:
        self.stuck.begun += 1
        assert self.stuck.go_on.wait(20)
        yield b"late"

    def close(self) -> None:
        self.stuck.closed += 1


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    stuck = Stuck()
    yield stuck
    stuck.go_on.set()


# Helpers of a server whose application runs on the loop


def flask_app() -> Any:
    app = Flask(__name__)

    @app.get("/<name>")
    def show(name: str) -> str:
        return name

    return app


@EVERY_LOOP
@pytest.mark.parametrize("how", ["served", "embedded"])
def test_complete_answers_that_are_no_lists_are_never_refused(
    loop: str, how: str
) -> None:
    app = flask_app()
    if how == "embedded":
        app = Application([("/.*", FallbackHandler, {"fallback": app})])
    with running(app, loop=loop, threads=0) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(32)]
        for _ in range(5):
            for number, client in enumerate(clients):
                client.send(raw(f"GET /{number} HTTP/1.1"))
            for number, client in enumerate(clients):
                answer = client.read_answer()
                assert (answer.status_code, answer.text) == (200, str(number))
        assert server.call(server.server.stats)["refused"] == 0


def _shorten(deadlines: Deadlines[Any]) -> None:
    """Let all become due soon; before it would depend on how fast threads begin."""
    due = list(deadlines._due)
    deadlines.clear()
    deadlines._delay = 0.1
    for thing in due:
        deadlines.set(thing)


@EVERY_LOOP
def test_who_waits_too_long_for_a_helper_is_told(
    loop: str, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_server, "_LONGEST_WAIT", BOUND)
    with running(stuck, loop=loop, threads=0) as server:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(8)]
            for client in clients:
                client.send(raw())
            server.wait_until(busy=8)
            server.call(_shorten, server.server.patience)
            with server.connect() as client:
                answer = client.send(raw()).read_answer()
                assert answer.status_code == 503
                assert answer.all("Retry-After") == ["1"]
            with server.connect() as client:
                # Half an answer cannot become another one.
                client.send(raw("GET /written HTTP/1.1"))
                with contextlib.suppress(ConnectionResetError):
                    assert client.read_to_end().endswith(b"3\r\none\r\n")
            server.wait_until(refused=2)
            assert stuck.closed == 0
            # The loop is as free as ever.
            assert server.ask("GET /plain HTTP/1.1").body == b"/plain"
            stuck.go_on.set()
            # Those who had a helper are answered, however long it took.
            assert [client.read_answer().body for client in clients] == [b"late"] * 8
        wait_for(lambda: stuck.closed == 10)
        server.wait_until(busy=0, queued=0, open=0)
        assert not server.server.patience
    # The others were never begun, and closed.
    assert (stuck.begun, stuck.closed) == (8, 10)


@EVERY_LOOP
def test_only_so_many_wait_for_a_helper(
    loop: str, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_server, "_MOST_WAITING", 3)
    with running(stuck, loop=loop, threads=0) as server:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(11)]
            for client in clients[:8]:
                client.send(raw())
            server.wait_until(busy=8)
            for client in clients[8:]:
                client.send(raw())
            server.wait_until(queued=3)
            assert server.ask().status_code == 503
            wait_for(lambda: stuck.closed == 1)
            stuck.go_on.set()
            assert [client.read_answer().body for client in clients] == [b"late"] * 11
        wait_for(lambda: stuck.closed == 12)
    assert (stuck.begun, stuck.closed) == (11, 12)


@EVERY_KIND
def test_client_that_leaves_a_stuck_body_is_noticed(kind: Kind, stuck: Stuck) -> None:
    with running(stuck, kind) as server:
        with server.connect() as client:
            client.send(raw())
            wait_for(lambda: stuck.begun == 1)
            client.reset()
        server.wait_until(open=0)
        stuck.go_on.set()
        server.wait_until(busy=0)
    assert (stuck.begun, stuck.closed) == (1, 1)


# Workers of a server whose application runs in threads


def test_no_more_threads_work_than_were_asked_for() -> None:
    names: set[str] = set()

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        names.add(threading.current_thread().name)
        return hello(environ, start_response)

    with running(app, threads=3) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(20)]
        for client in clients:
            client.send(raw() * 5)
        for client in clients:
            for _ in range(5):
                client.read_answer()
    assert len(names) <= 3
    wait_for(lambda: not names & {thread.name for thread in threading.enumerate()})


class Exiting(RequestHandler):
    def get(self) -> None:
        raise SystemExit(3)


def test_exit_in_a_thread_costs_no_thread() -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        if environ["PATH_INFO"] == "/exit":
            raise SystemExit(3)
        return hello(environ, start_response)

    with running(app, threads=1) as server:
        for _ in range(3):
            with failing("SystemExit"):
                assert server.ask("GET /exit HTTP/1.1").status_code == 500
            assert server.ask("GET /on HTTP/1.1").body == b"/on"


@pytest.mark.parametrize(
    ("app", "threads"),
    [(hello, 4), (Application([("/", RequestHandler)]), 0)],
    ids=["callable", "Application"],
)
def test_default_of_threads_depends_on_the_callable(app: Any, threads: int) -> None:
    with running(app) as server:
        assert server.server.threads == threads
        assert server.call(lambda: server.server.workers is None) == (threads == 0)


@pytest.mark.parametrize("threads", [-1, "2", 1.5], ids=repr)
def test_threads_is_a_number(threads: Any) -> None:
    with pytest.raises(ValueError, match="threads is a number"):
        of_server.HTTPServer(hello, threads=threads)


def _wait(gate: threading.Event) -> None:
    assert gate.wait(20)


def test_pool_tells_when_all_of_it_hangs() -> None:
    pool = Workers(2, "pool")
    gates = [threading.Event() for _ in range(2)]
    assert not pool.are_stuck(0)
    pool.submit(partial(_wait, gates[0]))
    wait_for(lambda: pool.busy == 1)
    assert not pool.are_stuck(-1)
    pool.submit(partial(_wait, gates[1]))
    wait_for(lambda: pool.busy == 2)
    assert pool.are_stuck(-1)
    assert not pool.are_stuck(1000)
    pool.submit(lambda: None)
    assert pool.waiting == 1
    for gate in gates:
        gate.set()
    wait_for(lambda: pool.busy == 0)
    pool.end()
    # Another job finds new threads.
    again = threading.Event()
    pool.submit(again.set)
    assert again.wait(20)
    pool.end()


def test_thread_that_waits_for_a_reader_does_not_hang() -> None:
    pool = Workers(1, "pool")
    gate, told = threading.Event(), threading.Event()

    def job() -> None:
        pool.note_waiting()
        told.set()
        assert gate.wait(20)
        pool.note_moving()
        told.set()
        assert gate.wait(20)

    pool.submit(job)
    assert told.wait(20)
    assert not pool.are_stuck(-1)
    # A thread of somebody else's changes nothing.
    pool.note_moving()
    assert not pool.are_stuck(-1)
    told.clear()
    gate.set()
    assert told.wait(20)
    pool.end()


def test_failure_of_a_job_costs_no_thread() -> None:
    pool = Workers(1, "pool")
    done = threading.Event()

    def fail() -> None:
        raise KeyboardInterrupt

    with ExpectLog("wsgitornado.application", "Uncaught exception in a worker thread"):
        pool.submit(fail)
        pool.submit(done.set)
        assert done.wait(20)
    pool.end()


# Results on their way to the loop


def test_calls_from_threads_keep_their_order_and_wake_the_loop_once() -> None:
    async def main() -> tuple[list[int], int]:
        loop = asyncio.get_running_loop()
        mailbox = Mailbox(loop)
        got: list[int] = []
        woken = 0
        wake = loop.call_soon_threadsafe

        def count(*args: Any, **kwargs: Any) -> Any:
            nonlocal woken
            woken += 1
            return wake(*args, **kwargs)

        def post() -> None:
            for number in range(1000):
                mailbox.put(got.append, number)

        loop.call_soon_threadsafe = count  # type: ignore[method-assign, assignment]  # to count
        thread = threading.Thread(target=post)
        thread.start()
        # The loop stands still meanwhile.
        thread.join()
        while len(got) < 1000:
            await asyncio.sleep(0)
        return got, woken

    got, woken = asyncio.run(main())
    assert got == list(range(1000))
    assert woken == 1


def test_failure_of_a_call_is_none_of_the_next() -> None:
    async def main() -> list[int]:
        mailbox = Mailbox(asyncio.get_running_loop())
        got: list[int] = []
        mailbox.put(got.append)
        mailbox.put(got.append, 1)
        while not got:
            await asyncio.sleep(0)
        return got

    with ExpectLog("wsgitornado.application", "Uncaught exception in the server"):
        assert asyncio.run(main()) == [1]


def test_nobody_is_told_on_a_closed_loop() -> None:
    loop = asyncio.new_event_loop()
    mailbox = Mailbox(loop)
    loop.close()
    mailbox.put(pytest.fail, "called")
    mailbox.put(pytest.fail, "called")


def test_calls_that_lead_to_calls_do_not_starve_the_loop() -> None:
    async def main() -> int:
        mailbox = Mailbox(asyncio.get_running_loop())
        calls = 0

        def again() -> None:
            nonlocal calls
            calls += 1
            if calls < 1000:
                mailbox.put(again)

        mailbox.put(again)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        begun = calls
        while calls < 1000:
            await asyncio.sleep(0)
        return begun

    begun = asyncio.run(main())
    assert begun < 10
