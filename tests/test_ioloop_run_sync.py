"""IOLoop.run_sync, and executors: functions that run on the loop or in its threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.loops import BOUND, another_loop, running_loop
from wsgitornado.concurrent import is_on_loop
from wsgitornado.ioloop import IOLoop, TimeoutError  # noqa: A004 - Tornado's name


@pytest.fixture(params=["here", "elsewhere"])
def loop(request: pytest.FixtureRequest) -> Iterator[IOLoop]:
    """A loop that runs in this thread, in run_sync, or in another all the time."""
    with another_loop() as ioloop:
        if request.param == "here":
            yield ioloop
            return
        with running_loop(ioloop):
            yield ioloop


async def give(value: object) -> object:
    await asyncio.sleep(0)
    return value


def test_result_comes_back(loop: IOLoop) -> None:
    assert loop.run_sync(lambda: give("result")) == "result"
    assert loop.run_sync(lambda: None) is None


def test_future_of_a_thread_will_do(loop: IOLoop) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        assert loop.run_sync(lambda: executor.submit(str, 5)) == "5"


def test_function_runs_on_the_loop(loop: IOLoop) -> None:
    async def where() -> tuple[bool, bool]:
        is_current = IOLoop.current() is loop
        return is_current, is_on_loop(loop.asyncio_loop)

    assert loop.run_sync(where) == (True, True)


@pytest.mark.parametrize("is_coroutine", [False, True], ids=["function", "coroutine"])
def test_exception_comes_back(loop: IOLoop, is_coroutine: bool) -> None:
    def fail() -> None:
        raise LookupError("lost")

    async def fail_later() -> None:
        await asyncio.sleep(0)
        fail()

    with pytest.raises(LookupError, match="lost") as caught:
        loop.run_sync(fail_later if is_coroutine else fail)
    assert caught.traceback[-1].name == "fail"


def test_what_cannot_be_awaited_is_refused(
    loop: IOLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsgitornado.ioloop._convert", _refuse)
    with pytest.raises(TypeError, match="5 cannot be awaited"):
        loop.run_sync(lambda: 5)


def _refuse(value: object) -> asyncio.Future[Any]:
    raise TypeError(f"{value} cannot be awaited")


def test_what_takes_too_long_is_cancelled_and_may_clean_up(loop: IOLoop) -> None:
    async def slow() -> None:
        try:
            await asyncio.sleep(BOUND)
        finally:
            seen.append("cancelled")
            await asyncio.sleep(0)
            seen.append("cleaned up")

    seen: list[str] = []
    message = "Operation timed out after 0.01 seconds"
    with pytest.raises(TimeoutError, match=message):
        loop.run_sync(slow, timeout=0.01)
    assert seen == ["cancelled", "cleaned up"]


def test_function_that_blocks_is_waited_for(loop: IOLoop) -> None:
    def block() -> None:
        threading.Event().wait(0.02)

    assert loop.run_sync(block, timeout=0.001) is None


def test_coroutine_may_ignore_that_it_is_late(loop: IOLoop) -> None:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(BOUND)
        except asyncio.CancelledError:
            return "done all the same"
        return ""

    assert loop.run_sync(stubborn, timeout=0.01) == "done all the same"


def test_timeout_of_its_own_is_not_ours(loop: IOLoop) -> None:
    async def fail() -> None:
        raise TimeoutError("own")

    with pytest.raises(TimeoutError, match="own"):
        loop.run_sync(fail, timeout=BOUND)


def test_function_that_is_in_time_leaves_no_timer(loop: IOLoop) -> None:
    assert loop.run_sync(lambda: give(1), timeout=0.02) == 1
    assert loop.run_sync(lambda: asyncio.sleep(0.03, "undisturbed")) == "undisturbed"


def test_cancelled_by_itself(loop: IOLoop) -> None:
    async def cancel() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        loop.run_sync(cancel)


def test_loop_that_is_stopped_says_so() -> None:
    with another_loop() as loop:

        async def stop() -> None:
            loop.stop()
            await may_end.wait()

        may_end = asyncio.Event()
        with pytest.raises(RuntimeError, match="stopped before Future completed"):
            loop.run_sync(stop)
        may_end.set()
        # What is left of it does not stop the loop that others run.
        assert loop.run_sync(lambda: asyncio.sleep(0.01, "next")) == "next"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_exit_of_a_coroutine_comes_out_once(kind: type[BaseException]) -> None:
    async def leave() -> None:
        raise kind

    with another_loop() as loop:
        with pytest.raises(kind):
            loop.run_sync(leave)
        assert loop.run_sync(lambda: give("goes on")) == "goes on"


def test_exit_of_a_callback_comes_out_once() -> None:
    async def leave() -> None:
        raise SystemExit

    with another_loop() as loop:
        loop.add_callback(leave)
        with pytest.raises(SystemExit):
            loop.start()
        assert loop.run_sync(lambda: give("goes on")) == "goes on"


def test_what_was_scheduled_before_runs_before(loop: IOLoop) -> None:
    seen: list[str] = []
    loop.add_callback(seen.append, "callback")
    loop.run_sync(lambda: seen.append("function"))
    assert seen == ["callback", "function"]


def test_interrupted_thread_takes_its_function_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def slow() -> None:
        has_begun.set()
        try:
            await asyncio.sleep(BOUND)
        finally:
            ended.set()

    def interrupted(*args: object) -> None:
        assert has_begun.wait(BOUND)
        raise KeyboardInterrupt

    has_begun, ended = threading.Event(), threading.Event()
    with another_loop() as loop, running_loop(loop):
        with monkeypatch.context() as patch:
            patch.setattr(concurrent.futures, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                loop.run_sync(slow)
        assert ended.wait(BOUND)


# Executors


def test_function_runs_in_a_thread(loop: IOLoop) -> None:
    async def main() -> list[bool]:
        here = threading.get_ident()
        other = await loop.run_in_executor(None, threading.get_ident)
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            third = await loop.run_in_executor(executor, threading.get_ident)
        return [other != here, third != here, third != other]

    assert loop.run_sync(main) == [True, True, True]


@pytest.mark.parametrize("begins", [False, True], ids=["before start", "later"])
def test_default_executor(begins: bool) -> None:
    async def name() -> tuple[str, str]:
        ours = await loop.run_in_executor(None, current_name)
        return ours, await asyncio.to_thread(current_name)

    def current_name() -> str:
        return threading.current_thread().name

    with another_loop() as loop:
        if begins:
            loop.run_sync(lambda: None)
        executor = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="mine")
        loop.set_default_executor(executor)
        assert loop.run_sync(name) == ("mine_0", "mine_0")


def test_default_executor_is_one_of_threads() -> None:
    with another_loop() as loop, pytest.raises(TypeError, match="ThreadPoolExecutor"):
        loop.set_default_executor(concurrent.futures.Executor())


def test_result_of_an_executor_reaches_a_loop_from_any_thread(loop: IOLoop) -> None:
    future = loop.run_in_executor(None, str, 5)
    assert loop.run_sync(lambda: future) == "5"
