"""Several processes: started, started again, and ended."""

from __future__ import annotations

import os
import re
import textwrap

import pytest

from tests.forking import LOGGING, START, needs_fork, run
from tests.loops import run_program
from wsgitornado import process
from wsgitornado.process import cpu_count, fork_processes, task_id

pytestmark = needs_fork

# The processors


@pytest.mark.parametrize("count", [1, 3])
def test_processors_are_those_that_the_process_may_use(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda pid: set(range(count)), raising=False
    )
    assert cpu_count() == count


@pytest.mark.parametrize(("told", "count"), [(4, 4), (None, 1)])
def test_processors_are_those_of_the_machine_where_the_system_tells_no_more(
    monkeypatch: pytest.MonkeyPatch, told: int | None, count: int
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: told)
    assert cpu_count() == count


# Children


def test_process_that_nobody_forked_has_no_number() -> None:
    assert task_id() is None


def test_children_have_numbers_and_the_parent_leaves_when_they_have_ended() -> None:
    assert run(
        """
        import atexit
        parent = os.getpid()
        atexit.register(lambda: say("end of the parent", os.getpid() == parent))
        try:
            number = fork_processes(3)
        except SystemExit as leave:
            say("parent", leave.code, os.getpid() == parent)
            raise
        say("child", number, task_id(), os.getppid() == parent)
        """
    ) == [
        "child 0 0 True",
        "child 1 1 True",
        "child 2 2 True",
        *["end of the parent False"] * 3,
        "end of the parent True",
        "parent 0 True",
    ]


@pytest.mark.parametrize("count", [None, 0, -1])
def test_no_number_is_one_for_each_processor(count: int | None) -> None:
    assert run(f"say(fork_processes({count}) < cpu_count())") == (
        ["True"] * cpu_count()
    )


def test_children_draw_different_random_numbers() -> None:
    drawn = run(
        """
        import random
        random.seed(1)
        fork_processes(4)
        say(random.getrandbits(64))
        """
    )
    assert len(set(drawn)) == 4


FAILING = """
reading, writing = os.pipe()
os.write(writing, b"123")
if fork_processes(2) == 1:
    how = os.read(reading, 1)
    if how == b"1":
        sys.exit(7)
    if how == b"2":
        os.kill(os.getpid(), signal.SIGKILL)
say(task_id())
"""


def test_child_that_fails_is_started_again_under_its_number() -> None:
    assert run(FAILING) == ["0", "1"]


def test_log_tells_how_children_ended() -> None:
    lines = [re.sub(r" \(pid \d+\)", "", line) for line in run(LOGGING + FAILING)]
    assert sorted(lines) == [
        "0",
        "1",
        "INFO Child 0 ended",
        "INFO Child 1 ended",
        "INFO Starting 2 processes",
        "WARNING Child 1 ended by signal 9",
        "WARNING Child 1 ended with status 7",
    ]


@pytest.mark.parametrize(
    ("restarts", "count"), [("0", 1), ("1", 2), ("None", 1 + process.MAX_RESTARTS)]
)
def test_parent_gives_up_after_so_many_restarts(restarts: str, count: int) -> None:
    done = run_program(
        START
        + textwrap.dedent(
            f"""
            fork_processes(1, max_restarts={restarts})
            os.write(1, b"child ")
            os._exit(1)
            """
        )
    )
    assert done.stdout.split() == ["child"] * count
    assert done.returncode == 1
    assert "RuntimeError: too many children had to be started again" in done.stderr


def test_other_children_are_ended_when_the_parent_gives_up() -> None:
    assert run(
        """
        reading, writing = os.pipe()
        try:
            number = fork_processes(2, max_restarts=0)
        except RuntimeError:
            os.close(writing)
            say("gave up", os.read(reading, 1))
            raise SystemExit
        if number == 0:
            os.read(reading, 1)
            os._exit(1)
        os.write(writing, b"x")
        time.sleep(60)
        """
    )[-1].startswith("gave up")


def test_other_children_of_the_program_are_let_be() -> None:
    assert run(
        """
        other = os.fork()
        if not other:
            os._exit(3)
        os.waitid(os.P_PID, other, os.WEXITED | os.WNOWAIT)
        say("child", fork_processes(1, max_restarts=0))
        """
    ) == ["child 0"]


def test_children_are_known_although_their_ends_were_ignored() -> None:
    """As a shell or supervisor may leave it: SIGCHLD is ignored."""
    assert run(
        """
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        reading, writing = os.pipe()
        os.write(writing, b"12")
        fork_processes(1)
        if os.read(reading, 1) == b"1":
            os._exit(1)
        say("again")
        """
    ) == ["again"]


def test_sockets_are_shared() -> None:
    assert run(
        """
        import socket
        from wsgitornado.ioloop import IOLoop
        from wsgitornado.netutil import add_accept_handler, bind_sockets

        (sock,) = bind_sockets(0, "127.0.0.1")
        clients = [socket.create_connection(sock.getsockname()) for _ in range(2)]
        # What waits for a loop, waits in both.
        IOLoop.current().add_callback(say, "began")
        fork_processes(2)

        def accept(connection, address):
            remove()
            say("accepted by", task_id())
            IOLoop.current().stop()

        remove = add_accept_handler(sock, accept)
        IOLoop.current().start()
        """
    ) == ["accepted by 0", "accepted by 1", "began", "began"]


# Refusals


def test_child_has_no_children_of_its_own() -> None:
    assert run(
        """
        fork_processes(1)
        try:
            fork_processes(2)
        except RuntimeError as error:
            say(error)
        """
    ) == [
        "this is process 0 of fork_processes() already: it has no children of its own"
    ]


def test_loop_that_runs_in_the_background_cannot_be_forked() -> None:
    # The guards of the tests have started it.
    with pytest.raises(RuntimeError, match="must come before the IOLoop runs"):
        fork_processes(2)


def test_loop_that_runs_here_cannot_be_forked() -> None:
    assert run(
        """
        import asyncio

        async def main():
            try:
                fork_processes(2)
            except RuntimeError as error:
                say(error)

        asyncio.run(main())
        """
    ) == [
        "fork_processes() must come before the IOLoop runs: what waits on the loop "
        "would be lost in the children; bind the sockets, fork, then start the loop"
    ]


def test_loop_that_does_not_run_yet_runs_in_the_children() -> None:
    assert run(
        """
        import asyncio
        from wsgitornado.ioloop import IOLoop

        loop = IOLoop.current()
        number = fork_processes(2)
        say(loop is IOLoop.current(), loop.run_sync(lambda: asyncio.sleep(0, number)))
        """
    ) == ["True 0", "True 1"]
