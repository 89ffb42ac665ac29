"""The worker under gunicorn: signals, reloads, hangs, and how workers end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.httpserver.served import ask_to, gunicorn, show, wait_for_text
from tests.live.client import Wire
from tests.live.servers import BOUND, LiveServer

pytestmark = pytest.mark.live


def wait_for_end(pid: int) -> None:
    """Wait until a process that is no child of ours has ended."""
    deadline = time.monotonic() + BOUND
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} goes on"
        time.sleep(0.01)


# At the end


@pytest.mark.parametrize("threads", ["1", "4"])
def test_sigterm_lets_requests_end_within_the_grace(threads: str) -> None:
    options = ["--threads", threads, "--graceful-timeout", str(BOUND)]
    with gunicorn(*options) as server:
        with (
            Wire() as parked_wire,
            Wire() as held_wire,
            server.connect() as idle,
            server.connect() as parked,
            server.connect() as held,
        ):
            assert idle.request("/show").status_code == 200
            ask_to(parked_wire, parked, "park")
            if threads != "1":
                ask_to(held_wire, held, "hold")
            server.process.terminate()
            assert idle.read_to_end() == b""
            parked_wire.let_go_on()
            assert parked.read_answer().text == "parked"
            if threads != "1":
                held_wire.let_go_on()
                answer = held.read_answer()
                assert (answer.text, answer.all("Connection")) == ("held", ["close"])
        assert server.process.wait(BOUND) == 0
    assert server.tracebacks() == []


def test_parked_requests_are_told_before_gunicorn_kills() -> None:
    with gunicorn("--graceful-timeout", "3") as server:
        with (
            Wire() as first_wire,
            Wire() as second_wire,
            server.connect() as first,
            server.connect() as second,
        ):
            ask_to(first_wire, first, "park")
            second.send(
                f"GET /park?begun=1&wire={second_wire.port} HTTP/1.1\r\n"
                "Host: a\r\n\r\n".encode()
            )
            second_wire.accept()
            second.read_until(b"the first part, ")
            server.process.terminate()
            answer = first.read_answer()
            # What has begun cannot be told: it is cut, not ended.
            with pytest.raises(ConnectionError):
                second.read_until(b"0\r\n\r\n")
            assert first_wire.words() == ["cancelled"]
            assert second_wire.words() == ["cancelled"]
        assert server.process.wait(BOUND) == 0
    assert answer.status_code == 503
    assert answer.all("Retry-After") == ["1"]
    assert server.tracebacks() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=str)
def test_quick_end_waits_for_nobody(number: signal.Signals) -> None:
    with gunicorn("--graceful-timeout", "600") as server:
        with Wire() as wire, server.connect() as client:
            ask_to(wire, client, "park")
            server.process.send_signal(number)
            assert client.read_answer().status_code == 503
            assert wire.words() == ["cancelled"]
        assert server.process.wait(BOUND) == 0
    assert server.tracebacks() == []


def test_quick_end_does_not_wait_for_a_loop_that_hangs() -> None:
    with gunicorn("--graceful-timeout", "600") as server:
        with Wire() as wire, server.connect() as client, server.connect() as other:
            assert other.request("/show").status_code == 200
            ask_to(wire, client, "hold")
            server.process.send_signal(signal.SIGQUIT)
            assert other.read_to_end() == b""
        assert server.process.wait(BOUND) == 0


def test_worker_without_an_arbiter_ends() -> None:
    with gunicorn("--graceful-timeout", str(BOUND)) as server:
        pid = show(server)["pid"]
        with Wire() as wire, server.connect() as client:
            ask_to(wire, client, "park")
            server.process.kill()
            server.wait_for_line("Parent changed, shutting down")
            wire.let_go_on()
            assert client.read_answer().text == "parked"
        wait_for_end(pid)


# Another worker in place of one


def wait_for_another(server: LiveServer, pid: int) -> None:
    """Ask until another worker answers than that one."""
    deadline = time.monotonic() + BOUND
    while True:
        with server.connect() as client, contextlib.suppress(ConnectionError):
            answer = client.request("/show")
            if answer.status_code == 200 and json.loads(answer.text)["pid"] != pid:
                return
        assert time.monotonic() < deadline, "still the same worker"


def test_sighup_brings_new_workers_and_lets_old_ones_end() -> None:
    with gunicorn("--graceful-timeout", str(BOUND)) as server:
        pid = show(server)["pid"]
        with Wire() as wire, server.connect() as client:
            ask_to(wire, client, "park")
            server.process.send_signal(signal.SIGHUP)
            wait_for_another(server, pid)
            wire.let_go_on()
            assert client.read_answer().text == "parked"
        wait_for_end(pid)
    assert server.tracebacks() == []


def test_no_request_is_lost_while_workers_are_replaced() -> None:
    def ask(_: int) -> int:
        # A connection for each: what a stopping worker does to idle ones is known to
        # clients that keep them.
        pid = show(server, "Connection: close")["pid"]
        assert isinstance(pid, int)
        return pid

    options = ["-w", "2", "--max-requests", "30", "--max-requests-jitter", "20"]
    with gunicorn(*options) as server, ThreadPoolExecutor(4) as pool:
        pids = set(pool.map(ask, range(300)))
    assert len(pids) > 5
    assert server.tracebacks() == []


def test_worker_ends_after_exactly_max_requests() -> None:
    with gunicorn("--max-requests", "3") as server:
        with server.connect() as client:
            answers = [client.request("/show") for _ in range(3)]
            assert [one.all("Connection") for one in answers] == [[], [], ["close"]]
            assert client.read_to_end() == b""
        wait_for_another(server, json.loads(answers[0].text)["pid"])


def test_changed_program_is_reloaded_without_waiting_for_long_polls(
    tmp_path: Path,
) -> None:
    program = tmp_path / "changing_program.py"
    program.write_text("from tests.httpserver.served_program import *\n")
    options = ["--reload", "--reload-engine", "poll", "--graceful-timeout", "600"]
    options += ["--pythonpath", str(tmp_path)]
    with gunicorn(*options, program="changing_program:app") as server:
        pid = show(server)["pid"]
        with Wire() as wire, server.connect() as client:
            ask_to(wire, client, "park")
            # gunicorn looks once a second, and at the beginning, whenever that is.
            for later in range(1, BOUND):
                os.utime(program, (later, time.time() + later))
                if "Worker reloading" in "".join(server.lines):
                    break
                time.sleep(0.5)
            assert client.read_answer().status_code == 503
            wait_for_another(server, pid)


# Hangs


def test_worker_whose_loop_hangs_is_replaced() -> None:
    with gunicorn("--timeout", "1") as server:
        pid = show(server)["pid"]
        with Wire() as wire, server.connect() as client:
            ask_to(wire, client, "hold")
            server.wait_for_line(rf"WORKER TIMEOUT \(pid:{pid}\)")
            wait_for_another(server, pid)


def test_worker_whose_threads_all_hang_is_replaced() -> None:
    with gunicorn("--timeout", "1", "--threads", "2") as server:
        pid = show(server)["pid"]
        with (
            Wire() as first_wire,
            Wire() as second_wire,
            server.connect() as first,
            server.connect() as second,
        ):
            ask_to(first_wire, first, "hold")
            ask_to(second_wire, second, "hold")
            server.wait_for_line(rf"WORKER TIMEOUT \(pid:{pid}\)")
            wait_for_another(server, pid)


def test_worker_that_is_busy_or_waits_is_not_replaced() -> None:
    def sleep(_: int) -> None:
        with server.connect() as client:
            assert client.request("/sleep?seconds=0.5").text == "slept"

    with gunicorn("--timeout", "1", "--threads", "2") as server:
        pid = show(server)["pid"]
        with Wire() as wire, server.connect() as client, ThreadPoolExecutor(4) as pool:
            # For three seconds no thread is free.
            ask_to(wire, client, "park")
            list(pool.map(sleep, range(12)))
            wire.let_go_on()
            assert client.read_answer().text == "parked"
        assert show(server)["pid"] == pid
    assert not any("WORKER TIMEOUT" in line for line in server.lines)


# Logs


def test_sigusr1_reopens_the_logs(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    with gunicorn("--access-logfile", str(log)) as server:
        show(server, target="/show?first")
        wait_for_text(log, "/show\\?first")
        log.rename(tmp_path / "old.log")
        server.process.send_signal(signal.SIGUSR1)
        # The arbiter reopens it first, the worker when it hears of it.
        wait_for_text(log, "")
        deadline = time.monotonic() + BOUND
        while "/show?second" not in log.read_text():
            show(server, target="/show?second")
            assert time.monotonic() < deadline
    assert "/show?first" not in log.read_text()
