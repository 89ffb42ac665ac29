"""PeriodicCallback: when it runs, and when not."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tornado.ioloop
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.loops import BOUND, another_loop, no_loop_yet, until
from wsgitornado.ioloop import IOLoop, PeriodicCallback, _next_run
from wsgitornado.testing import ExpectLog

LOG = "wsgitornado.application"


def run(main: Callable[[], Any]) -> Any:
    with another_loop() as loop:
        return loop.run_sync(main)


@pytest.mark.parametrize(
    "interval", [2, 2.5, timedelta(milliseconds=2)], ids=["int", "float", "timedelta"]
)
def test_it_runs_from_start_to_stop(interval: Any) -> None:
    async def main() -> None:
        assert not periodic.is_running()
        periodic.start()
        assert periodic.is_running()
        await until(lambda: len(seen) >= 3)()
        periodic.stop()
        assert not periodic.is_running()
        count = len(seen)
        await asyncio.sleep(0.01)
        assert len(seen) == count
        periodic.start()
        await until(lambda: len(seen) > count)()
        periodic.stop()

    seen: list[None] = []
    periodic = PeriodicCallback(lambda: seen.append(None), interval)
    run(main)


@pytest.mark.parametrize("interval", [0, -1, timedelta(0), float("nan")], ids=str)
def test_interval_that_is_not_positive_is_refused(interval: Any) -> None:
    with pytest.raises(ValueError, match="must have a positive callback_time"):
        PeriodicCallback(print, interval)


def test_it_may_stop_itself() -> None:
    async def main() -> None:
        periodic.start()
        await until(lambda: seen)()
        await asyncio.sleep(0.01)

    def once() -> None:
        seen.append(None)
        periodic.stop()

    seen: list[None] = []
    periodic = PeriodicCallback(once, 1)
    run(main)
    assert len(seen) == 1


def test_coroutines_do_not_pile_up() -> None:
    async def slow() -> None:
        running.append(None)
        most.append(len(running))
        await asyncio.sleep(0.01)
        running.pop()

    async def main() -> None:
        periodic.start()
        await until(lambda: len(most) >= 3)()
        periodic.stop()
        await until(lambda: not running)()

    running: list[None] = []
    most: list[int] = []
    periodic = PeriodicCallback(slow, 1)
    run(main)
    assert set(most) == {1}


def test_coroutine_of_an_earlier_start_does_not_overlap() -> None:
    async def slow() -> None:
        began.append(None)
        await may_end.wait()

    async def main() -> None:
        periodic.start()
        await until(lambda: began)()
        periodic.stop()
        periodic.start()
        await asyncio.sleep(0.01)
        assert len(began) == 1
        may_end.set()
        await until(lambda: len(began) > 1)()
        periodic.stop()

    began: list[None] = []
    may_end = asyncio.Event()
    periodic = PeriodicCallback(slow, 1)
    run(main)


def test_coroutine_that_a_loop_left_unfinished_does_not_hinder_the_next() -> None:
    async def slow() -> None:
        began.append(asyncio.get_running_loop())
        await asyncio.sleep(BOUND)

    async def main() -> None:
        periodic.start()
        await until(lambda: asyncio.get_running_loop() in began)()
        periodic.stop()

    began: list[object] = []
    periodic = PeriodicCallback(slow, 1)
    for _ in range(2):
        asyncio.run(main())
    with another_loop() as first, another_loop() as second:
        first.run_sync(main)
        second.run_sync(main)
        for loop in (first, second):
            loop.run_sync(cancel_all)
    assert len(began) == 4


async def cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("is_coroutine", [False, True], ids=["function", "coroutine"])
def test_exception_is_logged_and_the_next_run_comes(is_coroutine: bool) -> None:
    def fail() -> None:
        seen.append(None)
        raise LookupError

    async def fail_later() -> None:
        await asyncio.sleep(0)
        fail()

    async def main() -> None:
        periodic.start()
        await until(lambda: len(seen) >= 2)()
        periodic.stop()

    seen: list[None] = []
    periodic = PeriodicCallback(fail_later if is_coroutine else fail, 1)
    with ExpectLog(LOG, "Exception in callback <function") as log:
        run(main)
    assert log.logged_stack
    assert log.matched >= 2


def test_cancelled_run_is_not_logged() -> None:
    async def cancelled() -> None:
        seen.append(None)
        raise asyncio.CancelledError

    async def main() -> None:
        periodic.start()
        await until(lambda: len(seen) >= 2)()
        periodic.stop()

    seen: list[None] = []
    periodic = PeriodicCallback(cancelled, 1)
    run(main)


def test_value_that_is_returned_is_its_own_affair() -> None:
    async def main() -> None:
        periodic.start()
        await until(lambda: len(seen) >= 2)()
        periodic.stop()

    def give() -> int:
        seen.append(None)
        return 5

    seen: list[None] = []
    periodic = PeriodicCallback(give, 1)
    run(main)


def test_starting_twice_is_starting_once() -> None:
    async def main() -> None:
        periodic.start()
        periodic.start()
        await until(lambda: seen)()
        periodic.stop()
        await asyncio.sleep(0.01)
        assert len(seen) == 1

    seen: list[None] = []
    periodic = PeriodicCallback(lambda: seen.append(None), 5)
    run(main)


@pytest.mark.parametrize("part", [0.0, 0.25, 1.0])
def test_jitter_moves_a_run_to_either_side(
    part: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> float:
        periodic.start()
        planned = periodic._next_timeout - periodic.io_loop.time()
        periodic.stop()
        return planned

    monkeypatch.setattr(random, "random", lambda: part)
    periodic = PeriodicCallback(print, 1_000_000, jitter=0.5)
    expected = 1000 * (1 + 0.5 * (part - 0.5))
    assert run(main) == pytest.approx(expected, abs=BOUND)


def test_another_thread_may_start_and_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        await asyncio.to_thread(periodic.start)
        assert periodic.io_loop is IOLoop.current()
        await until(lambda: seen)()
        await asyncio.to_thread(periodic.stop)
        await asyncio.sleep(0)
        count = len(seen)
        await asyncio.sleep(0.01)
        assert len(seen) == count

    seen: list[threading.Thread] = []
    periodic = PeriodicCallback(lambda: seen.append(threading.current_thread()), 1)
    with no_loop_yet(monkeypatch):
        asyncio.run(main())
    assert set(seen) == {threading.main_thread()}


def test_run_that_is_stopped_on_its_way_does_not_come() -> None:
    async def main() -> None:
        periodic.start()
        timeout = periodic._timeout
        assert timeout is not None
        callback = timeout._callback
        periodic.stop()
        assert callback is not None
        callback()
        periodic.start()
        callback()
        periodic.stop()

    seen: list[None] = []
    periodic = PeriodicCallback(lambda: seen.append(None), 1)
    run(main)
    assert seen == []


# When the next run comes


def next_run_of_tornado(planned: float, now: float, period: float) -> float:
    periodic = tornado.ioloop.PeriodicCallback(print, period * 1000)
    periodic._next_timeout = planned
    periodic._update_next(now)
    return periodic._next_timeout


@pytest.mark.parametrize(
    ("planned", "now"),
    [(100, 100), (100, 100.5), (100, 101), (100, 105.25), (100, 99.75), (100, 99)],
)
def test_next_run_is_planned_as_tornado_plans_it(planned: float, now: float) -> None:
    assert _next_run(planned, now, 1) == next_run_of_tornado(planned, now, 1)


@given(
    st.floats(0, 1e9),
    st.floats(0, 1e9),
    st.floats(0.001, 1e6),
)
def test_next_run_is_never_far_away(planned: float, now: float, period: float) -> None:
    assume(abs(planned - now) / period < 1e9)
    following = _next_run(planned, now, period)
    assert now - 1e-3 <= following <= now + 2 * period + 1e-3
