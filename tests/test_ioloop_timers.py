"""The timers of an IOLoop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest

from tests.loops import BOUND, another_loop, running_loop
from wsgitornado.ioloop import IOLoop


@pytest.fixture
def loop() -> Iterator[IOLoop]:
    with another_loop() as ioloop:
        yield ioloop


@pytest.fixture
def running(loop: IOLoop) -> Iterator[IOLoop]:
    with running_loop(loop):
        yield loop


def test_timers_run_in_the_order_of_their_deadlines(loop: IOLoop) -> None:
    seen: list[str] = []
    loop.call_later(0.03, loop.stop)
    loop.call_later(0.02, seen.append, "call_later")
    loop.call_at(loop.time() + 0.01, seen.append, "call_at")
    loop.call_at(loop.time() - 5, seen.append, "long ago")
    loop.start()
    assert seen == ["long ago", "call_at", "call_later"]


@pytest.mark.parametrize(
    "deadline",
    [
        lambda: time.time() + 0.001,
        lambda: timedelta(milliseconds=1),
        lambda: 0,
        lambda: Fraction(1, 2),
    ],
    ids=["time", "timedelta", "long ago", "fraction"],
)
def test_deadlines_of_add_timeout(loop: IOLoop, deadline: Callable[[], Any]) -> None:
    def stop(a: int, b: int) -> None:
        seen.append((a, b))
        loop.stop()

    seen: list[object] = []
    loop.add_timeout(deadline(), stop, 1, b=2)
    loop.start()
    assert seen == [(1, 2)]


@pytest.mark.parametrize("deadline", [None, "soon"], ids=repr)
def test_what_is_no_deadline_is_refused(loop: IOLoop, deadline: Any) -> None:
    with pytest.raises(TypeError, match="Unsupported deadline"):
        loop.add_timeout(deadline, print)
    with pytest.raises(TypeError):
        loop.call_at(deadline, print)
    with pytest.raises(TypeError):
        loop.call_later(deadline, print)


@pytest.mark.parametrize("begins", [False, True], ids=["before start", "on the loop"])
def test_removed_timer_does_not_run(loop: IOLoop, begins: bool) -> None:
    def schedule() -> None:
        loop.remove_timeout(loop.call_later(0, seen.append, "removed"))

    seen: list[str] = []
    if begins:
        loop.add_callback(schedule)
    else:
        schedule()
    loop.call_later(0.01, loop.stop)
    loop.start()
    assert seen == []


@pytest.mark.parametrize("is_armed", [False, True], ids=["on its way", "armed"])
def test_timers_may_be_removed_by_another_thread(
    running: IOLoop, is_armed: bool
) -> None:
    def stand_still() -> None:
        if is_armed:
            timers.append(running.call_later(0, seen.append, "removed"))
        is_standing.set()
        may_go.wait(BOUND)

    timers: list[object] = []
    seen: list[str] = []
    is_standing, may_go = threading.Event(), threading.Event()
    running.add_callback(stand_still)
    assert is_standing.wait(BOUND)
    if not is_armed:
        timers.append(running.call_later(0, seen.append, "removed"))
    running.remove_timeout(timers[0])
    may_go.set()
    running.run_sync(lambda: asyncio.sleep(0.01))
    assert seen == []


def test_removed_timers_leave_the_queue_of_the_loop(running: IOLoop) -> None:
    async def length() -> int:
        await asyncio.sleep(0)
        return len(running.asyncio_loop._scheduled)  # type: ignore[attr-defined]

    for _ in range(1000):
        timer = running.call_later(3600, print)
        running.run_sync(lambda: None)
        running.remove_timeout(timer)
    assert running.run_sync(length) < 500


def test_timer_that_has_run_may_be_removed(loop: IOLoop) -> None:
    timer = loop.call_later(0, loop.stop)
    assert "Timeout at" in repr(timer)
    assert not timer.cancelled()  # type: ignore[attr-defined]  # the type is private
    loop.start()
    loop.remove_timeout(timer)
    loop.remove_timeout(timer)
    assert timer.cancelled()  # type: ignore[attr-defined]  # the type is private


def test_timer_of_a_closed_loop_may_be_removed() -> None:
    with another_loop() as loop:
        loop.run_sync(lambda: None)
        timer = loop.call_later(3600, print)
        loop.run_sync(lambda: None)
    loop.remove_timeout(timer)


@pytest.mark.parametrize("handle", [None, object()], ids=["None", "object"])
def test_what_is_no_timer_is_refused(loop: IOLoop, handle: object) -> None:
    with pytest.raises(TypeError, match="remove_timeout"):
        loop.remove_timeout(handle)


def test_clock_may_be_another() -> None:
    class Later(IOLoop):
        def time(self) -> float:
            return super().time() + 1_000_000

    loop = Later(make_current=False)
    loop.call_at(time.time() + 3600, loop.stop)
    loop.start()
    loop.close()


def test_timer_that_is_cancelled_at_the_last_moment_does_not_run(
    running: IOLoop,
) -> None:
    async def fire_late() -> None:
        timer = running.call_later(3600, seen.append, "removed")
        thread = threading.Thread(target=running.remove_timeout, args=(timer,))
        thread.start()
        thread.join(BOUND)
        timer._fire()  # type: ignore[attr-defined]  # the loop has taken it already

    seen: list[str] = []
    running.run_sync(fire_late)
    assert seen == []
