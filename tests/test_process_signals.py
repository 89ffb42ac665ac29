"""Signals to a process that has forked others."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator

import pytest

from tests.forking import START, needs_fork
from tests.loops import BOUND

pytestmark = needs_fork


@pytest.fixture
def started() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    programs: list[subprocess.Popen[str]] = []

    def start(text: str) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, "-c", START + textwrap.dedent(text)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        programs.append(program)
        return program

    yield start
    for program in programs:
        # With its children, which have its pipes.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.communicate()


def tell(
    program: subprocess.Popen[str], send: Callable[[], None], children: int
) -> list[str]:
    """Send a signal once all children are there; what is printed from then on."""
    assert program.stdout is not None
    for _ in range(children):
        assert program.stdout.readline() == "ready\n"
    send()
    # The children have the pipe as well: this waits for all of them.
    return sorted(program.communicate(timeout=BOUND)[0].splitlines())


Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.mark.parametrize(
    ("handler", "printed"),
    [
        pytest.param("", [], id="killed"),
        pytest.param(
            "signal.signal(signal.SIGTERM, lambda *_: sys.exit('ended'))",
            [],
            id="with a status",
        ),
        pytest.param(
            "signal.signal(signal.SIGTERM, lambda *_: (say('ended'), sys.exit()))",
            ["ended", "ended"],
            id="in order",
        ),
    ],
)
def test_sigterm_ends_the_children_and_then_the_parent(
    started: Start, handler: str, printed: list[str]
) -> None:
    program = started(
        f"""
        fork_processes(2)
        {handler}
        say("ready")
        while True:
            time.sleep(0.05)
        """
    )
    assert tell(program, program.terminate, children=2) == printed
    assert program.returncode == 0


def test_sigterm_while_children_are_started_leaves_none(started: Start) -> None:
    program = started(
        """
        fork = os.fork

        def fork_slowly():
            if forked:
                # Blocked until the child is known.
                os.kill(os.getpid(), signal.SIGTERM)
            forked.append(None)
            return fork()

        forked = []
        os.fork = fork_slowly
        fork_processes(5)
        while True:
            time.sleep(0.05)
        """
    )
    assert program.communicate(timeout=BOUND) == ("", "")
    assert program.returncode == 0


def test_handler_of_the_program_is_let_be(started: Start) -> None:
    program = started(
        """
        def end(number, frame):
            say("own handler", task_id())
            sys.exit(5)

        signal.signal(signal.SIGTERM, end)
        fork_processes(1)
        say("ready")
        parent = os.getppid()
        while os.getppid() == parent:
            signal.sigtimedwait([signal.SIGUSR1], 0.01)
        os._exit(0)
        """
    )
    assert tell(program, program.terminate, children=1) == ["own handler None"]
    assert program.returncode == 5


def test_children_may_have_been_started_in_another_thread(started: Start) -> None:
    """Only the main thread can take signals."""
    program = started(
        """
        import warnings
        warnings.simplefilter("ignore")

        def work():
            try:
                number = fork_processes(2)
            except SystemExit:
                say("parent")
            else:
                say("child", number)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """
    )
    out, err = program.communicate(timeout=BOUND)
    assert sorted(out.splitlines()) == ["child 0", "child 1", "parent"]
    assert err == ""


@pytest.mark.parametrize(
    ("is_from_terminal", "printed"),
    [
        pytest.param(True, ["interrupted", "interrupted"], id="all"),
        pytest.param(False, ["terminated", "terminated"], id="the parent alone"),
    ],
)
def test_ctrl_c_ends_the_children_and_then_the_parent(
    started: Start, is_from_terminal: bool, printed: list[str]
) -> None:
    program = started(
        """
        def end(number, frame):
            say("terminated")
            sys.exit()

        try:
            fork_processes(2)
        except KeyboardInterrupt:
            say("parent")
            sys.exit(6)
        signal.signal(signal.SIGTERM, end)
        try:
            say("ready")
            while True:
                time.sleep(0.05)
        except KeyboardInterrupt:
            say("interrupted")
        """
    )
    if is_from_terminal:
        lines = tell(program, lambda: os.killpg(program.pid, signal.SIGINT), children=2)
    else:
        lines = tell(program, lambda: program.send_signal(signal.SIGINT), children=2)
    assert lines == sorted([*printed, "parent"])
    assert program.returncode == 6


def test_ctrl_c_during_a_fork_finds_the_child(started: Start) -> None:
    program = started(
        """
        fork = os.fork

        def interrupted_fork():
            pid = fork()
            if pid:
                os.kill(os.getpid(), signal.SIGINT)
            return pid

        os.fork = interrupted_fork
        try:
            fork_processes(5)
        except KeyboardInterrupt:
            say("parent")
            sys.exit(6)
        while True:
            time.sleep(0.05)
        """
    )
    assert program.communicate(timeout=BOUND) == ("parent\n", "")
    assert program.returncode == 6


def test_ctrl_c_in_a_new_child_ends_no_other(started: Start) -> None:
    program = started(
        """
        def fork():
            pid = real_fork()
            if not pid and forked:
                os.kill(os.getpid(), signal.SIGINT)
            forked.append(pid)
            return pid

        forked, real_fork, os.fork = [], os.fork, fork
        reading, writing = os.pipe()
        try:
            fork_processes(2)
        except KeyboardInterrupt:
            say("interrupted", task_id())
            os.write(writing, b"x")
            os._exit(0)
        os.read(reading, 1)
        say("goes on", task_id())
        """
    )
    out, err = program.communicate(timeout=BOUND)
    assert out.splitlines() == ["interrupted 1", "goes on 0"]
    assert err == ""
    assert program.returncode == 0
