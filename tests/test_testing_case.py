"""AsyncTestCase and gen_test: one loop for each test, and what goes wrong on it."""

from __future__ import annotations

import asyncio
import gc
import threading
import unittest
from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.testing_programs import Outcome, run
from wsgitornado import gen
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing import (
    AsyncTestCase,
    ExpectLog,
    gen_test,
    get_async_test_timeout,
)

# gen_test


@gen_test
async def ends_well(self: AsyncTestCase) -> None:
    assert IOLoop.current() is self.io_loop
    assert asyncio.get_running_loop() is self.io_loop.asyncio_loop
    assert asyncio.current_task() is not None


@gen_test
def generator_ends_well(self: AsyncTestCase) -> Generator[Any]:
    yield gen.moment
    assert (yield [gen.sleep(0)]) == [None]


@gen_test
@gen.coroutine
def coroutine_ends_well(self: AsyncTestCase) -> Generator[Any]:
    yield gen.moment


@gen_test
def plain_ends_well(self: AsyncTestCase) -> None:
    assert IOLoop.current() is self.io_loop


@gen_test(timeout=30)
async def with_time_ends_well(self: AsyncTestCase) -> None:
    await gen.moment


@pytest.mark.parametrize(
    "test",
    [
        ends_well,
        generator_ends_well,
        coroutine_ends_well,
        plain_ends_well,
        with_time_ends_well,
    ],
    ids=["async def", "generator", "gen.coroutine", "plain", "with a time-out"],
)
def test_gen_test_runs_to_the_end(test: Callable[[Any], None]) -> None:
    assert run(test) == Outcome("ok")


@gen_test
async def fails(self: AsyncTestCase) -> None:
    await gen.moment
    self.fail("reached")


@gen_test
def generator_fails(self: AsyncTestCase) -> Generator[Any]:
    yield gen.moment
    self.fail("reached")


@pytest.mark.parametrize("test", [fails, generator_fails])
def test_assertion_in_a_coroutine_is_a_failure(test: Callable[[Any], None]) -> None:
    outcome = run(test)
    assert outcome.kind == "failure"
    assert outcome.last_lines == "AssertionError: reached"


def test_decorated_function_keeps_its_name() -> None:
    assert ends_well.__name__ == "ends_well"


@pytest.mark.parametrize("value", [5, "name", 0.5])
def test_gen_test_of_no_function_is_a_type_error(value: Any) -> None:
    with pytest.raises(TypeError, match=r"gen_test decorates a method.*timeout=5"):
        gen_test(value)


def test_gen_test_elsewhere_than_in_a_case_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"for methods of AsyncTestCase.*TestCase"):
        ends_well(unittest.TestCase())


@pytest.mark.parametrize("result", [5, "text"])
def test_gen_test_that_returns_something_is_an_error(result: object) -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> object:
        return result

    outcome = run(test)
    assert outcome.kind == "error"
    assert f"ValueError: Return value from test method ignored: {result!r}" in (
        outcome.text
    )


def test_cancelled_test_is_an_error() -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> None:
        raise asyncio.CancelledError

    assert "RuntimeError: the test was cancelled" in run(test).text


def test_test_that_stops_the_loop_is_an_error() -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> None:
        self.io_loop.stop()
        await asyncio.Event().wait()

    assert "Event loop stopped before Future completed" in run(test).text


def test_loop_that_is_stopped_before_it_begins_is_an_error() -> None:
    def test(self: AsyncTestCase) -> None:
        self.io_loop.stop()
        ends_well(self)

    assert "Event loop stopped before Future completed" in run(test).text


def test_time_may_be_over_at_once() -> None:
    @gen_test(timeout=0)
    async def test(self: AsyncTestCase) -> None:
        await asyncio.Event().wait()

    assert "TimeoutError: Operation timed out after 0 seconds" in run(test).text


def test_error_while_it_is_cancelled_is_the_cause() -> None:
    @gen_test(timeout=0.01)
    async def test(self: AsyncTestCase) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError("at its end")

    text = run(test).text
    assert "LookupError: at its end\n\nThe above exception was the d" in text
    assert "TimeoutError: Operation timed out after 0.01 seconds" in text


def test_gen_test_within_another_says_so() -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> None:
        ends_well(self)

    assert "RuntimeError: This event loop is already running" in run(test).text


# Without gen_test


async def async_def(self: AsyncTestCase) -> None:
    raise AssertionError


def generator(self: AsyncTestCase) -> Generator[None]:
    yield


async def async_generator(self: AsyncTestCase) -> Any:
    yield


@pytest.mark.parametrize("test", [async_def, generator])
def test_coroutine_without_gen_test_is_an_error(test: Callable[..., Any]) -> None:
    outcome = run(test)
    gc.collect()  # no warning about what was never awaited
    assert outcome.kind == "error"
    assert outcome.last_lines == (
        "TypeError: Generator and coroutine test methods should be decorated with "
        "wsgitornado.testing.gen_test"
    )


@pytest.mark.parametrize("decorate", [gen_test, lambda test: test], ids=["gen", "bare"])
def test_async_generator_is_an_error(decorate: Callable[..., Any]) -> None:
    outcome = run(decorate(async_generator))
    assert "TypeError: a test method that yields cannot be async" in outcome.text


# What is stuck


def test_time_out_names_the_lines_where_everything_waits() -> None:
    @gen_test(timeout=0.01)
    async def test(self: AsyncTestCase) -> None:
        async def other() -> None:
            await asyncio.Event().wait()  # the other's line

        self.task = asyncio.ensure_future(other())  # type: ignore[attr-defined]  # of this test
        await gen.sleep(0)
        await asyncio.Event().wait()  # the test's line

    outcome = run(test)
    assert outcome.kind == "error"
    first, second, third = outcome.last_lines.splitlines()
    assert first.endswith("TimeoutError: Operation timed out after 0.01 seconds")
    assert second.startswith(f"  the test waits in test ({__file__}, line ")
    assert second.endswith(": await asyncio.Event().wait()  # the test's line")
    assert third.startswith("  a task waits in other (")
    assert third.endswith("# the other's line")


def test_time_out_of_a_generator_names_its_line() -> None:
    @gen_test(timeout=0.01)
    def test(self: AsyncTestCase) -> Generator[Any]:
        yield asyncio.Event().wait()  # here

    assert "# here" in run(test).last_lines


def test_test_in_time_has_no_time_out() -> None:
    @gen_test(timeout=60)
    async def test(self: AsyncTestCase) -> None:
        await gen.sleep(0.01)

    assert run(test).kind == "ok"


def test_test_is_cancelled_when_its_time_is_over() -> None:
    ended = []

    @gen_test(timeout=0.01)
    async def test(self: AsyncTestCase) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(IOLoop.current() is self.io_loop)

    assert run(test).kind == "error"
    assert ended == [True]


def test_test_that_ignores_its_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgitornado.testing.case.GRACE", 0.01)
    monkeypatch.setattr("wsgitornado.testing.loops.GRACE", 0.01)
    go_on = True

    @gen_test(timeout=0.01)
    async def test(self: AsyncTestCase) -> None:
        while go_on:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

    case = type("Case", (AsyncTestCase,), {"test": test})
    result = unittest.TestResult()
    case("test").run(result)
    with ExpectLog("asyncio", "Task was destroyed", required=False):
        go_on = False
        gc.collect()
    assert "Operation timed out" in result.errors[0][1]
    assert (
        "what was cancelled did not end in 0.01 seconds:\n  in test ("
        in (result.errors[1][1])
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("0.5", 0.5), ("30", 30), ("x", 5), ("", 5), (None, 5)]
)
def test_environment_says_how_long_a_test_may_take(
    monkeypatch: pytest.MonkeyPatch, text: str | None, seconds: float
) -> None:
    monkeypatch.delenv("ASYNC_TEST_TIMEOUT", raising=False)
    if text is not None:
        monkeypatch.setenv("ASYNC_TEST_TIMEOUT", text)
    assert get_async_test_timeout() == seconds


def test_environment_is_asked_when_a_test_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> None:
        await asyncio.Event().wait()

    monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "0.01")
    assert "timed out after 0.01 seconds" in run(test).text


# stop and wait


def test_wait_returns_what_stop_was_given() -> None:
    def test(self: AsyncTestCase) -> None:
        self.io_loop.add_callback(self.stop, 42)
        assert self.wait() == 42
        self.io_loop.add_callback(self.stop, text="a")
        assert self.wait() == {"text": "a"}
        self.io_loop.add_callback(self.stop)
        assert self.wait() is None

    assert run(test) == Outcome("ok")


def test_stop_before_wait_counts() -> None:
    def test(self: AsyncTestCase) -> None:
        self.stop(1)
        self.stop(2)
        assert self.wait(condition=lambda: False) == 2

    assert run(test) == Outcome("ok")


def test_wait_goes_on_until_the_condition_is_true() -> None:
    def test(self: AsyncTestCase) -> None:
        seen: list[int] = []

        def step() -> None:
            seen.append(len(seen))
            self.stop(len(seen))
            self.io_loop.add_callback(step)

        self.io_loop.add_callback(step)
        assert self.wait(condition=lambda: len(seen) >= 3) == 3

    assert run(test) == Outcome("ok")


def test_stop_comes_from_another_thread() -> None:
    def test(self: AsyncTestCase) -> None:
        thread = threading.Thread(target=self.stop, args=("there",))
        self.io_loop.add_callback(thread.start)
        assert self.wait(timeout=0) == "there"
        thread.join()

    assert run(test) == Outcome("ok")


def test_wait_ends_with_what_the_loop_waits_for() -> None:
    def test(self: AsyncTestCase) -> None:
        self.io_loop.add_callback(asyncio.Event().wait)

        async def other() -> None:
            await asyncio.Event().wait()  # here

        self.io_loop.add_callback(other)
        self.wait(timeout=0.01)

    outcome = run(test)
    assert outcome.kind == "failure"
    first, second = outcome.last_lines.splitlines()
    assert first == (
        "AssertionError: Async operation timed out after 0.01 seconds: nobody called "
        "self.stop()"
    )
    assert second.startswith("  a task waits in other (")
    assert second.endswith("# here")


def test_loop_that_something_else_stops_is_a_failure() -> None:
    def test(self: AsyncTestCase) -> None:
        self.io_loop.add_callback(self.io_loop.stop)
        self.wait()

    outcome = run(test)
    assert outcome.kind == "failure"
    assert "the loop was stopped, but self.stop() was not called" in outcome.text


def test_stop_takes_one_or_the_other() -> None:
    with pytest.raises(TypeError, match="one argument, or keyword arguments"):
        AsyncTestCase().stop(1, a=2)


def test_wait_in_a_coroutine_says_so() -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> None:
        self.wait()

    assert "already running" in run(test).text
