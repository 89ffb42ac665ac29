"""What fails an AsyncTestCase beside its own assertions, and how it is set up."""

from __future__ import annotations

import asyncio
import logging
import unittest
from collections.abc import Callable
from typing import Any

import pytest

from tests.testing_programs import Outcome, run, run_case
from wsgitornado import gen
from wsgitornado.log import app_log
from wsgitornado.testing import (
    AsyncTestCase,
    ExpectLog,
    gen_test,
    setup_with_context_manager,
)


def fails_in_callback() -> ExpectLog:
    """Keeps the line from this suite's own guard; the case under test sees it."""
    return ExpectLog("wsgitornado", "Exception in callback")


@gen_test
async def ends_well(self: AsyncTestCase) -> None:
    await gen.sleep(0)


# What only the log would tell of


def divide() -> None:
    raise ZeroDivisionError("in a callback")


async def divide_later() -> None:
    divide()


@pytest.mark.parametrize("callback", [divide, divide_later])
def test_exception_in_a_callback_fails_the_test_that_waits(
    callback: Callable[[], Any],
) -> None:
    def test(self: AsyncTestCase) -> None:
        self.io_loop.add_callback(callback)
        self.wait(timeout=0)

    with fails_in_callback():
        outcome = run(test)
    assert outcome.kind == "error"
    first, second = outcome.last_lines.splitlines()
    assert first == "ZeroDivisionError: in a callback"
    assert second.startswith("This failed the test: Exception in callback ")
    assert "in divide\n" in outcome.text


def test_exception_in_a_callback_ends_a_coroutine_that_waits() -> None:
    @gen_test(timeout=60)
    async def test(self: AsyncTestCase) -> None:
        self.io_loop.add_callback(divide)
        await asyncio.Event().wait()

    with fails_in_callback():
        assert "ZeroDivisionError: in a callback" in run(test).last_lines


def test_failed_assertion_in_a_callback_is_a_failure() -> None:
    def test(self: AsyncTestCase) -> None:
        self.io_loop.add_callback(self.fail, "there")
        self.wait(timeout=0)

    with fails_in_callback():
        assert run(test).kind == "failure"


def test_exception_that_nothing_waits_for_fails_the_test() -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> None:
        self.io_loop.add_callback(divide)
        self.io_loop.add_callback(divide)
        await gen.sleep(0)

    with fails_in_callback():
        outcome = run(test)
    assert outcome.kind == "error"
    assert "There was another one: ZeroDivisionError" in outcome.text


def test_exception_where_the_test_runs_the_loop_itself_fails_it() -> None:
    def test(self: AsyncTestCase) -> None:
        self.io_loop.add_callback(divide)
        self.io_loop.run_sync(lambda: asyncio.sleep(0.01))

    with fails_in_callback():
        assert "ZeroDivisionError: in a callback" in run(test).last_lines


def test_exception_of_two_callbacks_is_told_once() -> None:
    error = LookupError("twice")

    def fail() -> None:
        raise error

    @gen_test
    async def test(self: AsyncTestCase) -> None:
        self.io_loop.add_callback(fail)
        self.io_loop.add_callback(fail)
        await gen.sleep(0)

    with fails_in_callback():
        lines = run(test).last_lines.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "LookupError",
        "This failed the test",
    ]


def test_exception_at_the_end_of_the_test_fails_it() -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> None:
        async def left() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                divide()

        self.io_loop.add_callback(left)
        await gen.sleep(0)

    with fails_in_callback():
        assert "ZeroDivisionError: in a callback" in run(test).last_lines


@pytest.mark.parametrize("begin", ["task", "call_soon"])
def test_exception_that_only_asyncio_tells_of_fails_the_test(begin: str) -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> None:
        loop = asyncio.get_running_loop()
        if begin == "task":
            _ = loop.create_task(divide_later())
            del _
        else:
            loop.call_soon(divide)
        await gen.sleep(0.01)

    assert "ZeroDivisionError: in a callback" in run(test).last_lines


def test_connection_that_breaks_is_not_the_tests() -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> None:
        context = {"message": "broken", "exception": OSError(), "transport": None}
        asyncio.get_running_loop().call_exception_handler(context)

    with ExpectLog("asyncio", "broken"):
        assert run(test) == Outcome("ok")


def test_announced_exception_does_no_harm() -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> None:
        with ExpectLog("tornado.application", "Exception in callback"):
            self.io_loop.add_callback(divide)
            await gen.sleep(0)
            await gen.sleep(0)

    assert run(test) == Outcome("ok")


@pytest.mark.parametrize("begin", ["add_callback", "asyncio_loop.call_soon"])
def test_exception_counts_where_nothing_is_logged(begin: str) -> None:
    def test(self: AsyncTestCase) -> None:
        target: Any = self.io_loop
        for name in begin.split("."):
            target = getattr(target, name)
        target(divide)
        self.wait(timeout=0)

    logging.disable(logging.CRITICAL)
    try:
        assert "ZeroDivisionError: in a callback" in run(test).text
    finally:
        logging.disable(logging.NOTSET)


def test_line_without_an_exception_fails_nothing() -> None:
    def test(self: AsyncTestCase) -> None:
        context = {"message": "only told", "handle": None}
        self.io_loop.asyncio_loop.call_exception_handler(context)

    logging.disable(logging.CRITICAL)
    try:
        assert run(test) == Outcome("ok")
    finally:
        logging.disable(logging.NOTSET)


def test_failed_test_shows_what_was_logged_beside_it() -> None:
    def test(self: AsyncTestCase) -> None:
        app_log.error("somewhere", exc_info=LookupError("beside it"))
        app_log.error("without an exception")
        self.fail("here")

    with ExpectLog("wsgitornado", "somewhere|without"):
        text = run(test).text
    assert "AssertionError: here" in text
    assert "In this test there was also:\nLookupError: beside it" in text


def test_what_was_logged_does_not_fail_a_test() -> None:
    def test(self: AsyncTestCase) -> None:
        app_log.error("somewhere", exc_info=LookupError("beside it"))

    with ExpectLog("wsgitornado", "somewhere"):
        assert run(test) == Outcome("ok")


# Set up and torn down


def test_set_up_of_ones_own_must_call_ours() -> None:
    outcome = run(ends_well, setUp=lambda self: None)
    assert "this test has no loop: a setUp() of your own calls super" in outcome.text


def test_test_is_skipped_in_a_coroutine() -> None:
    @gen_test
    async def test(self: AsyncTestCase) -> None:
        raise unittest.SkipTest("why")

    assert run(test) == Outcome("skipped", "why")


def test_test_may_close_its_loop() -> None:
    def test(self: AsyncTestCase) -> None:
        self.io_loop.close()

    assert run(test) == Outcome("ok")


def test_loop_is_closed_where_tear_down_forgets_to() -> None:
    loops = []

    def test(self: AsyncTestCase) -> None:
        loops.append(self.io_loop.asyncio_loop)

    assert run(test, tearDown=lambda self: None) == Outcome("ok")
    assert loops[0].is_closed()


def test_context_of_set_up_is_left_at_the_end() -> None:
    class Case(AsyncTestCase):
        def setUp(self) -> None:
            super().setUp()
            log = ExpectLog("wsgitornado.general", "x", required=False)
            self.log = setup_with_context_manager(self, log)

        def test(self) -> None:
            assert self.log in logging.getLogger("wsgitornado.general").filters

    before = list(logging.getLogger("wsgitornado.general").filters)
    assert run_case(Case) == Outcome("ok")
    assert logging.getLogger("wsgitornado.general").filters == before
