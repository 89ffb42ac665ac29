"""The worker that runs in a thread of ours: hooks, the log, its end, the pulse."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import queue
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.glogging import Logger

from tests.certificates import write_certificate
from tests.httpserver.gunicorns import a_worker, make_config
from tests.httpserver.served import ask_to
from tests.httpserver.served_program import app, plain
from tests.live.client import HOST, Client, Wire
from tests.live.servers import BOUND
from wsgitornado._types import WSGIApplication
from wsgitornado.httpserver.workers import Workers
from wsgitornado.testing import ExpectLog


class Running:
    """A worker that serves in a thread, and what gunicorn's error log says."""

    def __init__(
        self, application: WSGIApplication = app, settings: Any = None
    ) -> None:
        sock = socket.create_server((HOST, 0))
        self._port = sock.getsockname()[1]
        # gunicorn wraps its sockets.
        listener = SimpleNamespace(sock=sock)
        self._stack = contextlib.ExitStack()
        self.worker = self._stack.enter_context(
            a_worker(make_config(**(settings or {})), application, [listener])
        )
        self.log = io.StringIO()
        self._handler = logging.StreamHandler(self.log)
        self._thread = threading.Thread(target=self._run)
        self.exit_code: object = None

    def _run(self) -> None:
        # What ends a process ends no more than the thread here.
        try:
            self.worker.run()
        except SystemExit as end:
            self.exit_code = end.code

    def connect(self) -> Client:
        return Client(self._port)

    def connect_tls(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        sock = socket.create_connection((HOST, self._port), timeout=BOUND)
        return context.wrap_socket(sock, server_hostname=HOST)

    def wake(self) -> None:
        """As a signal does, after its handler."""
        os.write(self.worker.PIPE[1], b"\0")

    def wait_for_end(self) -> None:
        self._thread.join(BOUND)
        assert not self._thread.is_alive()

    def __enter__(self) -> Running:
        self.worker.log.error_log.addHandler(self._handler)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.worker.alive = False
        self.wake()
        self.wait_for_end()
        self.worker.log.error_log.removeHandler(self._handler)
        self._stack.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_hooks_see_request_and_response() -> None:
    seen: list[Any] = []

    def pre_request(worker: Any, request: Any) -> None:
        seen.append((request.method, request.path, request.query, request.version))

    def post_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
        own = [value for name, value in request.headers if name == "X-OWN"]
        seen.append((request.uri, own, environ["PATH_INFO"], response.status))
        seen.append(dict(response.headers)["Content-Type"])

    settings = {"pre_request": pre_request, "post_request": post_request}
    with Running(plain, settings) as running, running.connect() as client:
        assert client.request("/a%20b?c", "GET", "X-Own: mine").status_code == 200
        wait_until(lambda: len(seen) == 3)
    assert seen == [
        ("GET", "/a%20b", "c", (1, 1)),
        ("/a%20b?c", ["mine"], "/a b", "200 OK"),
        "application/json",
    ]


@pytest.mark.parametrize(
    ("name", "status"), [("pre_request", 500), ("post_request", 200)]
)
def test_hook_that_fails_is_logged(name: str, status: int) -> None:
    def fail(worker: Any, request: Any) -> None:
        raise ValueError("the hook's own")

    with Running(app, {name: fail}) as running, running.connect() as client:
        with ExpectLog("wsgitornado", "Malformed .* hook failed", required=False):
            assert client.request("/show").status_code == status
        wait_until(lambda: "the hook's own" in running.log.getvalue())
        assert f"Exception in {name} hook" in running.log.getvalue()


def test_client_that_left_is_logged_with_status_499() -> None:
    seen: list[str] = []

    def post_request(worker: Any, request: Any, environ: Any, response: Any) -> None:
        seen.append(response.status)

    with Running(app, {"post_request": post_request}) as running, Wire() as wire:
        with running.connect() as client:
            ask_to(wire, client, "park")
        wait_until(lambda: seen == ["499 Client Closed Request"])
        wire.let_go_on()


def test_request_of_http_1_0_says_so() -> None:
    seen: list[tuple[int, int]] = []

    def pre_request(worker: Any, request: Any) -> None:
        seen.append(request.version)

    with (
        Running(app, {"pre_request": pre_request}) as running,
        running.connect() as client,
    ):
        client.send(b"GET /show HTTP/1.0\r\n\r\n").read_to_end()
    assert seen == [(1, 0)]


class CountingLogger(Logger):
    """Like gunicorn's own for statsd, which counts where it writes nothing."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        self.error("counted %s in %s", resp.status, type(request_time).__name__)


def test_logger_that_only_counts_hears_of_each_request() -> None:
    running = Running()
    running.worker.log = CountingLogger(running.worker.cfg)
    with running, running.connect() as client:
        client.request("/show")
        wait_until(lambda: "counted 200 OK in timedelta" in running.log.getvalue())


def test_logs_are_reopened_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    with Running() as running:
        monkeypatch.setattr(
            running.worker.log,
            "reopen_files",
            lambda: threads.append(threading.current_thread()),
        )
        running.worker.handle_usr1(0, None)
        assert threads == []
        running.wake()
        wait_until(lambda: threads == [running._thread])


def test_worker_with_another_parent_ends() -> None:
    with Running(app, {"timeout": 1}) as running:
        running.worker.ppid += 1
        running.wait_for_end()
    assert "Parent changed, shutting down" in running.log.getvalue()


def test_worker_ends_after_so_many_requests() -> None:
    with Running(app, {"max_requests": 2}) as running:
        with running.connect() as client:
            answers = [client.request("/show") for _ in range(2)]
        running.wait_for_end()
    assert [answer.all("Connection") for answer in answers] == [[], ["close"]]
    assert "Autorestarting worker after current request." in running.log.getvalue()


def test_no_keep_alive_and_gunicorns_certificate(tmp_path: Path) -> None:
    files = write_certificate(tmp_path)
    context = ssl.create_default_context(cafile=files["certfile"])
    with (
        Running(app, {"keepalive": 0, **files}) as running,
        running.connect_tls(context) as client,
    ):
        client.sendall(b"GET /show HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert b"\r\nConnection: close\r\n" in answer
    assert b'"wsgi.url_scheme": "https"' in answer


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"graceful_timeout": 1}, id="a grace"),
        pytest.param({"reload": True}, id="a changed file"),
        pytest.param({"asgi_loop": "uvloop", "graceful_timeout": 1}, id="uvloop"),
    ],
)
def test_who_still_waits_after_the_grace_is_told(settings: dict[str, Any]) -> None:
    pytest.importorskip("uvloop")
    with Running(app, settings) as running, Wire() as wire:
        with running.connect() as client:
            ask_to(wire, client, "park")
            running.worker.alive = False
            running.wake()
            assert client.read_answer().status_code == 503
        assert wire.words() == ["cancelled"]


@pytest.fixture
def alarm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_first_sigquit_ends_the_loop_and_the_second_the_process(alarm: None) -> None:
    with Running(app, {"graceful_timeout": 600}) as running, Wire() as wire:
        with running.connect() as client:
            ask_to(wire, client, "park")
            running.worker.handle_quit(signal.SIGQUIT, None)
            # As when it hangs: this is not its thread.
            assert signal.getsignal(signal.SIGALRM) == running.worker.handle_quit
            with pytest.raises(SystemExit):
                running.worker.handle_quit(signal.SIGALRM, None)
            running.wake()
            assert client.read_answer().status_code == 503
        running.wait_for_end()
        assert signal.alarm(0) == 0


def test_exit_amid_a_request_tells_the_others() -> None:
    def post_request(worker: Any, request: Any) -> None:
        if request.path == "/show" and not exits:
            exits.append(request.path)
            sys.exit(1)

    exits: list[str] = []
    with (
        Running(app, {"post_request": post_request}) as running,
        Wire() as wire,
        running.connect() as client,
        running.connect() as other,
    ):
        ask_to(wire, client, "park")
        other.request("/show")
        assert client.read_answer().status_code == 503
        running.wait_for_end()
    assert running.exit_code == 1


# The pulse


def test_pulse_stops_while_all_threads_hang() -> None:
    with (
        Running(app, {"threads": 2, "timeout": 1}) as running,
        Wire() as first,
        Wire() as second,
    ):
        tmp = running.worker.tmp
        with running.connect() as one, running.connect() as two:
            ask_to(first, one, "hold")
            before = tmp.last_update()
            wait_until(lambda: tmp.last_update() > before)
            ask_to(second, two, "hold")
            # From two pulses on it is silent, and there are four in a second.
            wait_until(lambda: running.worker._server.is_stuck(0.5))
            silence = tmp.last_update()
            wait_until(lambda: running.worker._server.is_stuck(1.5))
            assert tmp.last_update() == silence
            first.let_go_on()
            assert one.read_answer().text == "held"
            wait_until(lambda: tmp.last_update() > silence)
            second.let_go_on()
            assert two.read_answer().text == "held"


def test_thread_that_waits_for_a_client_does_not_hang() -> None:
    """Who takes nothing has a deadline; and what was sent is a sign of life."""

    def job() -> None:
        workers.note_waiting()
        steps.put("waiting")
        go_on.wait(BOUND)
        workers.note_moving()
        steps.put("moving")
        go_on.wait(BOUND)

    workers = Workers(1, "test")
    steps: queue.SimpleQueue[str] = queue.SimpleQueue()
    go_on = threading.Barrier(2)
    workers.submit(job)
    assert steps.get(timeout=BOUND) == "waiting"
    # As if more than a minute had gone by: it would have hung for that long.
    assert not workers.are_stuck(-60)
    go_on.wait(BOUND)
    assert steps.get(timeout=BOUND) == "moving"
    assert workers.are_stuck(-60)
    assert not workers.are_stuck(60)
    # A thread of the program's own is none of the pool's.
    workers.note_waiting()
    assert workers.are_stuck(-60)
    go_on.wait(BOUND)
    workers.end()
