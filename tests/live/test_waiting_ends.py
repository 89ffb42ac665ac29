"""Handlers that wait when their server ends, or has forked."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.live.client import HOST, Wire
from tests.live.servers import BOUND, LiveServer, command_for, run_command

pytestmark = pytest.mark.live


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def ask(server: LiveServer, target: str, body: bytes | None = None) -> str:
    with server.connect() as client:
        if body is None:
            return client.request(target).text
        return client.post(target, body).text


# At exit


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        # It gives its threads five seconds first.
        ("waitress", signal.SIGTERM),
        ("development", signal.SIGTERM),
        ("development", signal.SIGINT),
        ("wsgiref", signal.SIGINT),
        ("gunicorn-sync", signal.SIGINT),
        ("gunicorn-gthread", signal.SIGINT),
        ("gunicorn-preload", signal.SIGINT),
        ("gunicorn-gevent", signal.SIGINT),
    ],
    ids=lambda value: str(getattr(value, "name", value)),
)
def test_finally_of_a_handler_that_waits_runs_at_exit(
    kind: str, number: signal.Signals
) -> None:
    with run_command(kind, command_for(kind, "waiting")) as server:
        with Wire() as wire, server.connect() as client:
            client.send(get(f"/poll/end?wire={wire.port}"))
            wire.accept()
            assert wire.next_word() == "begun"
            server.process.send_signal(number)
            words = wire.words()
        if kind != "wsgiref":  # which takes Ctrl-C for a failure of one request
            server.process.wait(BOUND)
    assert words[-3:] == ["cancelled", "ended", "finished"], words


@pytest.mark.parametrize(
    "kind", ["waitress", "gunicorn-sync", "gunicorn-gthread", "gunicorn-gevent"]
)
def test_handler_that_ends_within_the_grace_is_answered_at_sigterm(kind: str) -> None:
    with run_command(kind, command_for(kind, "waiting")) as server:
        ask(server, "/publish/end?after=0.5", b"news")
        with Wire() as wire, server.connect() as client:
            client.send(get(f"/poll/end?wire={wire.port}"))
            wire.accept()
            assert wire.next_word() == "begun"
            server.process.terminate()
            assert client.read_answer().text == '{"messages": ["news"]}'
            assert wire.words() == ["ended", "finished"]
        server.process.wait(BOUND)
    assert server.tracebacks() == []


# After a fork


def pid_of(server: LiveServer) -> int:
    state = json.loads(ask(server, "/state"))
    return int(state["pid"])


def pids_of(server: LiveServer, number: int) -> set[int]:
    """The processes that answer; asked until so many have."""
    deadline = time.monotonic() + BOUND
    pids: set[int] = set()
    while len(pids) < number and time.monotonic() < deadline:
        pids.add(pid_of(server))
    return pids


def ask_for_everything(server: LiveServer) -> None:
    """One that is woken by a thread, one by a timer, and others."""
    assert ask(server, "/next/fork?own=news") == "news"
    assert ask(server, "/poll/fork?start=1000&patience=0.01") == '{"messages": []}'
    assert ask(server, "/old") == ask(server, "/middle-aged") == "ab"


def test_loop_that_ran_before_the_fork_stays_with_the_parent() -> None:
    kind = "gunicorn-preload"
    command = command_for(kind, "preloaded", "--workers", "2")
    with run_command(kind, command) as server:
        workers = pids_of(server, 2)
        assert len(workers) == 2
        ask_for_everything(server)
        # Another fork, while the loop of the parent runs, and the end of a child.
        gone = workers.pop()
        os.kill(gone, signal.SIGTERM)
        server.wait_for_line(rf"Worker exiting \(pid: {gone}\)")
        assert len(pids_of(server, 2) - {gone}) == 2
        for _ in range(4):
            ask_for_everything(server)
        server.wait_for_line(f"tick in {server.process.pid}", len(server.lines))
    ticks = {line for line in server.lines if line.startswith("tick")}
    assert ticks == {f"tick in {server.process.pid}\n"}
    assert server.tracebacks() == []


@pytest.mark.parametrize("kind", ["uwsgi", "uwsgi-threads"])
def test_fork_of_uwsgi_leaves_the_loop_behind(kind: str) -> None:
    with run_command(kind, command_for(kind, "preloaded")) as server:
        ask_for_everything(server)
        assert pid_of(server) != server.process.pid
    assert server.tracebacks() == []
