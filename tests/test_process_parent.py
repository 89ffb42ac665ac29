"""What the parent of several processes does, with other programs for its children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.forking import needs_fork
from tests.loops import no_loop_yet
from wsgitornado import process
from wsgitornado.process import fork_processes, task_id
from wsgitornado.testing import ExpectLog

pytestmark = needs_fork

#: What fork() gives in a child.
CHILD = 0

ENDS = "exit 0"
FAILS = "exit 3"
STAYS = "exec sleep 600"

Fork = Callable[..., list[int]]


def are_gone(pids: list[int]) -> bool:
    for pid in pids:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        return False
    return True


@pytest.fixture
def fork(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fork]:
    """Have fork() start programs of the shell, one after the other."""
    started: list[int] = []

    def program(*steps: str | int | Callable[[], object]) -> list[int]:
        pids: list[int] = []
        waiting = list(steps)

        def start() -> int:
            step = waiting.pop(0)
            while callable(step):
                step()
                step = waiting.pop(0)
            if isinstance(step, int):
                return step
            arguments = ["sh", "-c", step]
            # A child may have ended before its number is noted.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
            # SIGTERM is blocked at this moment.
            pid = os.posix_spawn("/bin/sh", arguments, os.environ, setsigmask=[])
            started.append(pid)
            pids.append(pid)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return pid

        monkeypatch.setattr(os, "fork", start)
        return pids

    monkeypatch.setattr(process, "_task_id", None)
    monkeypatch.setattr(process, "INTERRUPT_GRACE", 0.01)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGCHLD)
    with no_loop_yet(monkeypatch):
        yield program
    signal.signal(signal.SIGTERM, before[0])
    signal.signal(signal.SIGCHLD, before[1])
    for pid in started:
        if not are_gone([pid]):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def term() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_parent_leaves_when_its_children_have_ended(fork: Fork) -> None:
    pids = fork(ENDS, ENDS)
    with pytest.raises(SystemExit) as leave:
        fork_processes(2)
    assert leave.value.code == 0
    assert len(pids) == 2
    assert task_id() is None
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("count", [None, 0])
def test_no_number_is_that_of_the_processors(
    fork: Fork, monkeypatch: pytest.MonkeyPatch, count: int | None
) -> None:
    monkeypatch.setattr(process, "cpu_count", lambda: 3)
    pids = fork(ENDS, ENDS, ENDS)
    with pytest.raises(SystemExit):
        fork_processes(count)
    assert len(pids) == 3


def test_child_returns_with_its_number(fork: Fork) -> None:
    fork(ENDS, CHILD)
    assert fork_processes(3) == 1
    assert task_id() == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with pytest.raises(RuntimeError, match="this is process 1 of fork_processes"):
        fork_processes(1)


def test_child_that_is_started_again_returns_with_the_same_number(fork: Fork) -> None:
    fork(STAYS, FAILS, CHILD)
    with ExpectLog("wsgitornado.general", r"Child 1 \(pid .*\) ended with status 3"):
        assert fork_processes(2) == 1
    assert task_id() == 1


@pytest.mark.parametrize("restarts", [0, 1])
def test_parent_gives_up_and_leaves_no_child(fork: Fork, restarts: int) -> None:
    pids = fork(STAYS, *[FAILS] * (1 + restarts))
    with (
        ExpectLog("wsgitornado.general", "Child 1 .* with status 3") as log,
        pytest.raises(RuntimeError, match="giving up"),
    ):
        fork_processes(2, max_restarts=restarts)
    assert log.matched == len(pids) - 1 == 1 + restarts
    assert are_gone(pids)


def test_child_that_was_killed_is_started_again(fork: Fork) -> None:
    pids = fork("kill -9 $$", ENDS)
    with (
        ExpectLog("wsgitornado.general", "Child 0 .* by signal 9"),
        pytest.raises(SystemExit),
    ):
        fork_processes(1)
    assert len(pids) == 2


def test_child_of_somebody_else_is_no_child(fork: Fork) -> None:
    with subprocess.Popen(["/bin/sh", "-c", "exit 4"]) as other:
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
        fork(ENDS)
        with pytest.raises(SystemExit):
            fork_processes(1)


def test_sigterm_ends_the_children_and_starts_none(fork: Fork) -> None:
    # It is blocked until the second one is known.
    pids = fork(STAYS, term, STAYS)
    with pytest.raises(SystemExit) as leave:
        fork_processes(5)
    assert leave.value.code == 0
    assert len(pids) == 2
    assert are_gone(pids)


@pytest.mark.parametrize("failing", [interrupt, lambda: os.open("", os.O_RDONLY)])
def test_no_child_is_left_when_another_cannot_be_started(
    fork: Fork, failing: Callable[[], object]
) -> None:
    pids = fork(STAYS, ENDS, failing)
    with pytest.raises((KeyboardInterrupt, FileNotFoundError)):
        fork_processes(3)
    assert are_gone(pids)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_handler_of_the_program_stays(fork: Fork) -> None:
    def handle(*args: Any) -> None: ...

    signal.signal(signal.SIGTERM, handle)
    fork(CHILD)
    fork_processes(1)
    assert signal.getsignal(signal.SIGTERM) is handle


def test_ends_of_children_are_ignored_no_longer(fork: Fork) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    fork(CHILD)
    fork_processes(1)
    assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL


@pytest.mark.parametrize(("step", "outcome"), [(CHILD, 0), (ENDS, "leaves")])
def test_other_threads_leave_signals_alone(
    fork: Fork, step: str | int, outcome: object
) -> None:
    outcomes: list[object] = []

    def work() -> None:
        try:
            outcomes.append(fork_processes(1))
        except SystemExit:
            outcomes.append("leaves")

    fork(step)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert outcomes == [outcome]


def test_end_that_another_part_of_the_program_has_noticed(fork: Fork) -> None:
    pids: list[int] = fork(ENDS, lambda: os.waitpid(pids[0], 0), ENDS)
    with pytest.raises(SystemExit):
        fork_processes(2)


def test_other_children_of_the_program_are_its_own(fork: Fork) -> None:
    stays = subprocess.Popen(["sleep", "600"])
    ends = subprocess.Popen(["sh", "-c", "exit 7"])
    os.waitid(os.P_PID, ends.pid, os.WEXITED | os.WNOWAIT)
    fork(ENDS, FAILS, CHILD)
    try:
        with ExpectLog("wsgitornado.general", "Child 1 .* with status 3"):
            assert fork_processes(2) == 1
        assert ends.wait() == 7
        assert stays.poll() is None
    finally:
        stays.kill()
        stays.wait()


def test_handler_for_children_stays_and_may_ask_how_they_ended(fork: Fork) -> None:
    def handle(*args: Any) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pids[0], os.WNOHANG)

    signal.signal(signal.SIGCHLD, handle)
    pids = fork(ENDS)
    with pytest.raises(SystemExit):
        fork_processes(1)
    assert signal.getsignal(signal.SIGCHLD) is handle


def test_nothing_of_the_parent_stays_open(fork: Fork) -> None:
    before = os.dup(0)
    os.close(before)
    fork(ENDS, CHILD)
    assert fork_processes(2) == 1
    after = os.dup(0)
    os.close(after)
    assert after == before
    assert signal.set_wakeup_fd(-1) == -1
