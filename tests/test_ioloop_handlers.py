"""IOLoop.add_handler and its like: file descriptors."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any

import pytest

from tests.loops import BOUND, another_loop, running_loop
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing import ExpectLog

LOG = "wsgitornado.application"


@pytest.fixture
def loop() -> Iterator[IOLoop]:
    with another_loop() as ioloop:
        yield ioloop


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    mine, theirs = socket.socketpair()
    with mine, theirs:
        yield mine, theirs


Pair = tuple[socket.socket, socket.socket]


@pytest.mark.parametrize(
    "argument",
    [lambda own: own, lambda own: own.fileno()],
    ids=["socket", "number"],
)
@pytest.mark.parametrize("begins", [False, True], ids=["before start", "later"])
def test_handler_is_called_with_what_was_added(
    loop: IOLoop, pair: Pair, argument: Callable[[socket.socket], Any], begins: bool
) -> None:
    def handle(fd: Any, events: int) -> None:
        seen.append((fd, events))
        loop.stop()

    mine, theirs = pair
    seen: list[tuple[Any, int]] = []
    if begins:
        loop.run_sync(lambda: None)
    loop.add_handler(argument(mine), handle, IOLoop.READ | IOLoop.ERROR)
    theirs.send(b"x")
    loop.start()
    assert seen == [(argument(mine), IOLoop.READ)]


def test_events_can_be_changed(loop: IOLoop, pair: Pair) -> None:
    def handle(fd: Any, events: int) -> None:
        seen.append(events)
        loop.stop()

    mine, theirs = pair
    seen: list[int] = []
    loop.add_handler(mine, handle, IOLoop.READ)
    loop.update_handler(mine, IOLoop.WRITE)
    loop.start()
    loop.update_handler(mine, IOLoop.NONE)
    loop.run_sync(lambda: None)
    theirs.send(b"x")
    loop.update_handler(mine, IOLoop.READ)
    loop.start()
    loop.update_handler(mine, IOLoop.READ | IOLoop.WRITE)
    loop.start()
    assert seen == [IOLoop.WRITE, IOLoop.READ, IOLoop.READ, IOLoop.WRITE]


def test_descriptor_that_another_callback_removes_is_not_handled(
    loop: IOLoop, pair: Pair
) -> None:
    def handle(fd: Any, events: int) -> None:
        seen.append(fd)
        for one in pair:
            loop.remove_handler(one)

    seen: list[socket.socket] = []
    for one in pair:
        loop.add_handler(one, handle, IOLoop.WRITE)
    loop.call_later(0.01, loop.stop)
    loop.start()
    assert len(seen) == 1


def test_another_thread_may_add_and_remove(loop: IOLoop, pair: Pair) -> None:
    def handle(fd: socket.socket, events: int) -> None:
        fd.recv(1)
        has_read.set()

    async def is_watched() -> bool:
        return loop.asyncio_loop.remove_reader(mine)

    mine, theirs = pair
    has_read = threading.Event()
    with running_loop(loop):
        loop.add_handler(mine, handle, IOLoop.READ)
        theirs.send(b"x")
        assert has_read.wait(BOUND)
        loop.remove_handler(mine)
        assert loop.run_sync(is_watched) is False


def test_two_handlers_for_one_descriptor_are_refused(loop: IOLoop, pair: Pair) -> None:
    mine, _ = pair
    loop.add_handler(mine, print, IOLoop.READ)
    with pytest.raises(ValueError, match=f"fd {mine.fileno()} added twice"):
        loop.add_handler(mine.fileno(), print, IOLoop.WRITE)
    loop.remove_handler(mine)
    loop.remove_handler(mine)
    loop.add_handler(mine, print, IOLoop.READ)


def test_descriptor_without_handler_has_no_events_to_change(loop: IOLoop) -> None:
    with pytest.raises(ValueError, match="has no handler"):
        loop.update_handler(0, IOLoop.READ)


@pytest.mark.parametrize("begins", [False, True], ids=["before start", "later"])
def test_what_is_not_open_is_refused(loop: IOLoop, begins: bool) -> None:
    if begins:
        loop.run_sync(lambda: None)
    with pytest.raises(OSError, match="Bad file descriptor"):
        loop.add_handler(99_999, print, IOLoop.READ)


@pytest.fixture
def plain_file() -> Iterator[IO[bytes]]:
    """What the loop cannot listen to."""
    with tempfile.TemporaryFile() as file:
        yield file


def test_plain_file_is_refused_and_forgotten(
    loop: IOLoop, plain_file: IO[bytes]
) -> None:
    loop.run_sync(lambda: None)
    for _ in range(2):
        with pytest.raises(PermissionError):
            loop.add_handler(plain_file, print, IOLoop.READ)


def test_plain_file_that_was_added_before_start_is_logged(
    loop: IOLoop, plain_file: IO[bytes]
) -> None:
    seen: list[str] = []
    loop.add_handler(plain_file, print, IOLoop.READ)
    loop.add_callback(seen.append, "the rest runs")
    with ExpectLog(LOG, "Cannot listen to file descriptor"):
        loop.run_sync(lambda: None)
    assert seen == ["the rest runs"]


def test_exception_in_a_handler_is_logged(loop: IOLoop, pair: Pair) -> None:
    def handle(fd: Any, events: int) -> None:
        loop.stop()
        raise LookupError

    loop.add_handler(pair[0], handle, IOLoop.WRITE)
    with ExpectLog(LOG, "Exception in callback") as log:
        loop.start()
    assert log.logged_stack


@pytest.mark.parametrize("all_fds", [False, True])
def test_close_may_close_the_descriptors(pair: Pair, all_fds: bool) -> None:
    mine, theirs = pair
    number = os.dup(theirs.fileno())
    loop = IOLoop(make_current=False)
    for fd in (mine, number):
        loop.add_handler(fd, print, IOLoop.READ)
    loop.run_sync(lambda: None)
    loop.close(all_fds=all_fds)
    assert (mine.fileno() == -1) == all_fds
    if all_fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
    else:
        os.close(number)


def test_closed_descriptor_may_be_closed_again(loop: IOLoop, pair: Pair) -> None:
    mine, theirs = pair
    number = os.dup(theirs.fileno())
    for fd in (mine, number):
        loop.close_fd(fd)
        loop.close_fd(fd)


def test_split_fd_gives_the_number_and_the_object(loop: IOLoop, pair: Pair) -> None:
    mine, _ = pair
    assert loop.split_fd(mine) == (mine.fileno(), mine)
    assert loop.split_fd(3) == (3, 3)
    with pytest.raises(AttributeError):
        loop.split_fd("x")  # type: ignore[arg-type]  # the mistake
