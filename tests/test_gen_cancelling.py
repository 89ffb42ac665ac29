"""Coroutines made of generators that are cancelled, and what they leave behind."""

from __future__ import annotations

import asyncio
import datetime
import gc
import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest

from wsgitornado import gen
from wsgitornado.concurrent import Future

HOUR = datetime.timedelta(hours=1)


async def some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Waiting:
    """A coroutine that waits, notes what it finds, and what it waits for."""

    def __init__(self, wait: Callable[[Future[Any]], object] = lambda inner: inner):
        self.inner: Future[Any] = Future()
        self.wait = wait
        self.seen: list[str] = []
        self.future: Future[Any] = self.body()

    @gen.coroutine
    def body(self) -> Generator[Any, Any, str]:
        try:
            yield self.wait(self.inner)
            return "went on"
        except BaseException as error:
            self.seen.append(type(error).__name__)
            raise
        finally:
            yield None
            self.seen.append("finally")


@pytest.mark.parametrize("turns", [0, 5], ids=["at once", "after some turns"])
@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(lambda inner: inner, id="future"),
        pytest.param(lambda inner: [inner], id="list"),
        pytest.param(lambda inner: {"a": [None, inner]}, id="dict"),
        pytest.param(lambda inner: asyncio.wait_for(inner, 3600), id="native"),
        pytest.param(lambda inner: gen.with_timeout(HOUR, inner), id="with_timeout"),
        pytest.param(lambda inner: Waiting(lambda _: inner).future, id="coroutine"),
    ],
)
def test_cancelling_a_coroutine_cancels_what_it_waits_for(
    wait: Callable[[Future[Any]], object], turns: int
) -> None:
    async def cancel() -> None:
        waiting = Waiting(wait)
        for _ in range(turns):
            await asyncio.sleep(0)
        assert waiting.future.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting.future
        assert waiting.seen == ["CancelledError", "finally"]
        await some_turns()
        assert waiting.inner.cancelled()

    asyncio.run(cancel())


def test_coroutine_may_survive_being_cancelled() -> None:
    @gen.coroutine
    def stubborn() -> Generator[Any, Any, str]:
        try:
            yield Future()
        except asyncio.CancelledError:
            yield None
        return "survived"

    async def cancel() -> object:
        future = stubborn()
        await asyncio.sleep(0)
        future.cancel()
        return await future

    assert asyncio.run(cancel()) == "survived"


def test_coroutine_cancelled_before_it_went_on_with_a_result_is_cancelled() -> None:
    async def cancel() -> None:
        waiting = Waiting()
        waiting.inner.set_result(1)
        waiting.future.cancel()
        await asyncio.wait([waiting.future])
        assert waiting.future.cancelled()
        assert waiting.seen == ["CancelledError", "finally"]

    asyncio.run(cancel())


def test_end_of_asyncio_run_lets_a_coroutine_clean_up() -> None:
    async def leave() -> Waiting:
        waiting = Waiting()
        await asyncio.sleep(0)
        return waiting

    assert asyncio.run(leave()).seen == ["CancelledError", "finally"]


def test_coroutine_is_the_current_task_while_it_goes_on() -> None:
    @gen.coroutine
    def body() -> Generator[Any, Any, object]:
        yield None
        return asyncio.current_task()

    async def ask() -> None:
        future = body()
        assert isinstance(future, Future)
        assert future is await future
        assert isinstance(future, asyncio.Task)
        assert future.get_name().endswith("<locals>.body")

    asyncio.run(ask())


def test_failed_child_does_not_cancel_the_others() -> None:
    async def wait() -> object:
        failing: Future[Any] = Future()
        other: Future[Any] = Future()
        both = gen.multi([failing, other])
        failing.set_exception(ValueError("no"))
        await some_turns()
        assert not both.done()
        other.set_result(1)
        await asyncio.wait([both])
        return both.exception()

    assert isinstance(asyncio.run(wait()), ValueError)


def test_future_that_is_late_is_not_cancelled() -> None:
    async def wait() -> object:
        inner: Future[Any] = Future()
        with pytest.raises(TimeoutError):
            await gen.with_timeout(datetime.timedelta(0), inner)
        inner.set_result("still wanted")
        return await gen.with_timeout(HOUR, inner)

    assert asyncio.run(wait()) == "still wanted"


def timers() -> list[asyncio.TimerHandle]:
    """Timers of the running loop that will still be called."""
    scheduled: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined] # nobody else tells
    return [timer for timer in scheduled if not timer.cancelled()]


@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(lambda: gen.sleep(3600), id="sleep"),
        pytest.param(lambda: gen.with_timeout(HOUR, Future()), id="with_timeout"),
    ],
)
def test_cancelled_wait_leaves_no_timer(wait: Callable[[], Future[Any]]) -> None:
    async def cancel() -> None:
        future = wait()
        assert len(timers()) == 1
        future.cancel()
        await some_turns()
        assert timers() == []

    asyncio.run(cancel())


def test_time_that_is_up_after_the_wait_was_cancelled_changes_nothing() -> None:
    gate: list[Future[None]] = []

    @gen.coroutine
    def stubborn() -> Generator[Any, Any, None]:
        try:
            yield Future()
        except asyncio.CancelledError:
            gate.append(Future())
            yield gate[0]

    async def cancel() -> None:
        inner = stubborn()
        await asyncio.sleep(0)
        future = gen.with_timeout(datetime.timedelta(0), inner)
        future.cancel()
        await gen.sleep(0)
        await some_turns()
        assert future.cancelled()
        gate[0].set_result(None)
        await inner

    asyncio.run(cancel())


def test_timeout_of_what_came_in_time_leaves_no_timer() -> None:
    async def wait() -> None:
        inner: Future[int] = Future()
        future = gen.with_timeout(HOUR, inner)
        inner.set_result(1)
        await future
        assert timers() == []

    asyncio.run(wait())


def test_coroutine_that_waits_when_its_loop_is_gone_is_closed() -> None:
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)
    seen: list[str] = []

    async def begin() -> None:
        waiting = Waiting()
        waiting.seen = seen
        waiting.wait = lambda inner: inner
        await asyncio.sleep(0)

    loop.run_until_complete(begin())
    loop.close()
    with pytest.MonkeyPatch.context() as patch:
        # The generator yields in its finally, and Python says so.
        patch.setattr(sys, "unraisablehook", lambda _: None)
        gc.collect()
    assert seen == ["GeneratorExit"]
