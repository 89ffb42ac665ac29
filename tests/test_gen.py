"""What gen does beyond Tornado's: helpful errors, and nothing lost."""

from __future__ import annotations

import asyncio
import datetime
import functools
import gc
import inspect
import sys
from collections.abc import Callable, Generator
from concurrent import futures
from typing import Any

import pytest

from wsgitornado import gen
from wsgitornado.concurrent import DONE, Future
from wsgitornado.testing import ExpectLog

HOUR = datetime.timedelta(hours=1)


async def some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


# Nothing is lost


@pytest.mark.parametrize("turns", [0, 1], ids=["at once", "after a yield"])
def test_exception_that_nobody_asks_for_is_logged_without_waiting_for_the_collector(
    turns: int,
) -> None:
    @gen.coroutine
    def fail() -> Generator[Any, Any, None]:
        failed: Future[Any] = Future()
        failed.set_exception(ValueError("unseen"))
        for _ in range(turns):
            yield None
        try:
            yield failed
        finally:
            # What is left to hold it is for gen to let go.
            del failed

    async def forget() -> None:
        complaints: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(
            lambda _, context: complaints.append(repr(context["exception"]))
        )
        gc.collect()
        gc.disable()
        try:
            fail()
            await some_turns()
            assert complaints == ["ValueError('unseen')"]
        finally:
            gc.enable()

    asyncio.run(forget())


def test_end_of_the_program_is_not_kept_in_a_future() -> None:
    @gen.coroutine
    def leave(turns: int) -> Generator[Any, Any, None]:
        for _ in range(turns):
            yield None
        sys.exit("end")

    async def call(turns: int) -> None:
        await leave(turns)

    for turns in (0, 1):
        with pytest.raises(SystemExit, match="end"):
            asyncio.run(call(turns))


# Yields


def test_done_future_of_our_own_may_be_yielded() -> None:
    @gen.coroutine
    def body() -> Generator[Any, Any, object]:
        return [(yield DONE), (yield [DONE, DONE])]

    async def call() -> object:
        return body().result()

    assert asyncio.run(call()) == [None, [None, None]]


def test_moment_may_be_awaited() -> None:
    async def wait() -> list[str]:
        seen: list[str] = []
        asyncio.get_running_loop().call_soon(seen.append, "turn")
        await gen.moment
        return seen

    assert asyncio.run(wait()) == ["turn"]
    assert repr(gen.moment) == "<gen.moment>"


def test_async_function_may_be_decorated_by_mistake() -> None:
    @gen.coroutine
    async def native(value: object) -> object:
        await asyncio.sleep(0)
        return value

    async def call() -> object:
        return await native(5)

    assert asyncio.run(call()) == 5
    assert native.__name__ == "native"


def test_generator_of_another_kind_is_run_as_well() -> None:
    def generator(value: object) -> Generator[Any, Any, object]:
        return (yield [value])

    async def call() -> object:
        return await gen.coroutine(functools.partial(generator, None))()

    assert asyncio.run(call()) == [None]


def test_future_of_another_loop_is_an_error_at_the_yield() -> None:
    other = asyncio.new_event_loop()

    @gen.coroutine
    def body() -> Generator[Any, Any, str]:
        with pytest.raises(RuntimeError, match="different loop"):
            yield Future(loop=other)
        return "went on"

    async def call() -> object:
        return await body()

    assert asyncio.run(call()) == "went on"
    other.close()


def test_timeout_of_nothing_is_in_time() -> None:
    async def wait() -> list[object]:
        return [await gen.with_timeout(HOUR, value) for value in (None, gen.moment)]

    assert asyncio.run(wait()) == [None, None]


def test_cancelled_child_makes_several_cancelled_when_all_are_done() -> None:
    async def wait() -> None:
        failed: Future[Any] = Future()
        failed.set_exception(ValueError("no"))
        cancelled: Future[Any] = Future()
        cancelled.cancel()
        with ExpectLog("tornado.application", "Multiple exceptions in yield list"):
            assert gen.multi([cancelled, failed]).cancelled()
        both = gen.multi([failed, cancelled])
        assert isinstance(both.exception(), ValueError)

    asyncio.run(wait())


def test_timeout_says_nothing_of_what_was_cancelled_later() -> None:
    async def wait() -> None:
        inner: Future[Any] = Future()
        with pytest.raises(TimeoutError):
            await gen.with_timeout(datetime.timedelta(0), gen.multi([inner]))
        inner.cancel()
        await some_turns()

    asyncio.run(wait())


def calls_made_for(yields: int) -> int:
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "call"

    @gen.coroutine
    def body() -> Generator[Any, Any, None]:
        for _ in range(yields):
            yield DONE
            yield [DONE] * 3
            yield None

    async def call() -> None:
        sys.setprofile(count)
        try:
            await body()
        finally:
            sys.setprofile(None)

    asyncio.run(call())
    return calls


def test_work_grows_with_the_number_of_yields_and_not_faster() -> None:
    assert calls_made_for(400) < 4.2 * calls_made_for(100)


# WaitIterator


def test_wait_iterator_takes_what_may_be_yielded() -> None:
    async def wait() -> None:
        with futures.ThreadPoolExecutor(1) as pool:
            job = pool.submit(int, "5")
            waiting = gen.WaitIterator(job=job, native=asyncio.sleep(0, 6))
            found = {}
            async for result in waiting:
                found[waiting.current_index] = result
                assert waiting.current_future.result() == result
        assert found == {"job": 5, "native": 6}

    asyncio.run(wait())


def test_wait_iterator_gives_the_same_future_as_often_as_it_was_passed() -> None:
    async def wait() -> list[object]:
        future: Future[str] = Future()
        future.set_result("twice")
        waiting = gen.WaitIterator(future, future)
        return [(waiting.current_index, result) async for result in waiting]

    assert asyncio.run(wait()) == [(0, "twice"), (1, "twice")]


def test_asking_a_wait_iterator_for_more_than_there_is_raises() -> None:
    async def wait() -> None:
        with pytest.raises(RuntimeError, match="ask done"):
            gen.WaitIterator().next()

    asyncio.run(wait())


# Names


def test_decorated_functions_are_known() -> None:
    @gen.coroutine
    def ours() -> Generator[Any, Any, None]:
        yield None

    async def native() -> None: ...

    def plain() -> None: ...

    assert [gen.is_coroutine_function(f) for f in (ours, native, plain)] == [
        True,
        False,
        False,
    ]
    assert inspect.unwrap(ours) is not ours


@pytest.mark.parametrize("arguments", [(), (1,), (1, 2)], ids=["none", "one", "two"])
def test_task_waits_for_a_callback(arguments: tuple[int, ...]) -> None:
    def function(number: int, callback: Callable[..., None]) -> None:
        assert number == 5
        asyncio.get_running_loop().call_soon(callback, *arguments)

    @gen.coroutine
    def body() -> Generator[Any, Any, object]:
        return (yield gen.Task(function, 5))

    async def call() -> object:
        return await body()

    expected: list[object] = [None, 1, gen.Arguments((1, 2), {})]
    assert asyncio.run(call()) == expected[len(arguments)]


def test_task_gives_named_arguments_of_the_callback_too() -> None:
    def function(callback: Callable[..., None]) -> None:
        callback(1, more=2)

    async def call() -> object:
        return gen.Task(function).result()

    assert asyncio.run(call()) == gen.Arguments((1,), {"more": 2})


def test_task_fails_like_the_function() -> None:
    async def call() -> None:
        with pytest.raises(ValueError, match="invalid literal"):
            await gen.Task(lambda callback: int("x"))

    asyncio.run(call())


@pytest.mark.parametrize("name", ["engine", "Callback", "Wait", "YieldPoint"])
def test_name_that_is_gone_says_what_to_use(name: str) -> None:
    with pytest.raises(AttributeError, match=r"since Tornado 6\.0: \w+"):
        getattr(gen, name)


def test_name_that_never_was_is_a_plain_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'$"):
        gen.nothing  # type: ignore[attr-defined] # noqa: B018 - the mistake
