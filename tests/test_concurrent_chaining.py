"""Futures that depend on each other, and methods that run on an executor."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from tornado import concurrent as tornado_concurrent
from tornado import gen as tornado_gen

from tests.idle_loop import BOUND, IdleLoop, in_thread
from wsgitornado import concurrent, gen
from wsgitornado.concurrent import (
    DONE,
    DummyExecutor,
    Future,
    chain_future,
    dummy_executor,
    future_add_done_callback,
    future_set_exc_info,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
    is_future,
    run_on_executor,
    tie_futures,
)
from wsgitornado.testing import ExpectLog

Make: TypeAlias = Callable[[], Any]
AnyFuture: TypeAlias = asyncio.Future[Any] | futures.Future[Any]

#: Made on the loop.
KINDS: dict[str, Make] = {
    "ours": lambda: Future(),
    "asyncio": lambda: asyncio.get_running_loop().create_future(),
    "executor": lambda: futures.Future(),
}

ENDINGS: dict[str, Callable[[AnyFuture], object]] = {
    "result": lambda future: future.set_result(1),
    "exception": lambda future: future.set_exception(ValueError("no")),
    "cancel": lambda future: future.cancel(),
}

#: Of threads: asyncio's own are not made for them.
FROM_THREADS = {name: KINDS[name] for name in ("ours", "executor")}

kinds = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
sources = pytest.mark.parametrize("make_source", KINDS.values(), ids=KINDS)
targets = pytest.mark.parametrize("make_target", KINDS.values(), ids=KINDS)
endings = pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)


def ending(future: Any) -> str:
    if future.cancelled():
        return "cancelled"
    return repr(future.exception() or future.result())


def ended(end: Callable[[AnyFuture], object]) -> str:
    future: futures.Future[Any] = futures.Future()
    end(future)
    return ending(future)


async def some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


# One future after another


@endings
@targets
@sources
def test_chained_future_ends_like_the_other(
    make_source: Make, make_target: Make, end: Callable[[AnyFuture], object]
) -> None:
    async def chain() -> None:
        source, target = make_source(), make_target()
        chain_future(source, target)
        assert not target.done()
        end(source)
        await some_turns()
        assert ending(target) == ended(end)

    asyncio.run(chain())


@endings
@targets
@sources
def test_future_chained_to_one_that_is_done_is_done_at_once(
    make_source: Make, make_target: Make, end: Callable[[AnyFuture], object]
) -> None:
    async def chain() -> None:
        source, target = make_source(), make_target()
        end(source)
        chain_future(source, target)
        assert ending(target) == ended(end)

    asyncio.run(chain())


@targets
@sources
def test_future_that_is_done_already_keeps_its_own_ending(
    make_source: Make, make_target: Make
) -> None:
    async def chain() -> None:
        source, target = make_source(), make_target()
        chain_future(source, target)
        target.set_result("its own")
        source.set_result("the other's")
        await some_turns()
        assert target.result() == "its own"

    asyncio.run(chain())


@endings
@targets
@pytest.mark.parametrize("make_source", FROM_THREADS.values(), ids=FROM_THREADS)
def test_thread_that_ends_a_future_wakes_the_loop_of_the_chained_one(
    make_source: Make, make_target: Make, end: Callable[[AnyFuture], object]
) -> None:
    made: list[Any] = []

    async def wait() -> str:
        made.append(make_source())
        target = make_target()
        chain_future(made[0], target)
        if isinstance(target, futures.Future):
            target = asyncio.wrap_future(target)
        await asyncio.wait([target])
        return ending(target)

    assert IdleLoop().run(wait(), lambda: end(made[0])) == ended(end)


@targets
@sources
def test_futures_may_be_chained_in_a_thread(
    make_source: Make, make_target: Make
) -> None:
    async def chain() -> None:
        source, target = make_source(), make_target()
        in_thread(chain_future, source, target)
        source.set_result(1)
        await some_turns()
        assert target.result() == 1

    asyncio.run(chain())


def test_other_ending_that_comes_in_between_wins_the_target() -> None:
    class Raced(Future[int]):
        def cancelled(self) -> bool:
            target.set_result(2)
            return super().cancelled()

    async def chain() -> int:
        source = Raced()
        chain_future(source, target)
        source.set_result(1)
        await some_turns()
        return target.result()

    loop = asyncio.new_event_loop()
    target: Future[int] = Future(loop=loop)
    assert loop.run_until_complete(chain()) == 2
    loop.close()


@pytest.mark.parametrize("is_tied", [True, False], ids=["tied", "only chained"])
@sources
def test_cancelling_goes_back_to_the_source_of_tied_futures_only(
    make_source: Make, is_tied: bool
) -> None:
    async def cancel() -> bool:
        source = make_source()
        target: Future[Any] = Future()
        (tie_futures if is_tied else chain_future)(source, target)
        target.cancel()
        await some_turns()
        return bool(source.cancelled())

    assert asyncio.run(cancel()) is is_tied


# Small helpers


@kinds
def test_result_is_set_unless_the_future_was_cancelled(make: Make) -> None:
    async def set_both() -> None:
        future, cancelled = make(), make()
        cancelled.cancel()
        future_set_result_unless_cancelled(future, 1)
        future_set_result_unless_cancelled(cancelled, 1)
        assert (future.result(), cancelled.cancelled()) == (1, True)
        with pytest.raises((asyncio.InvalidStateError, futures.InvalidStateError)):
            future_set_result_unless_cancelled(future, 2)

    asyncio.run(set_both())


@kinds
def test_exception_is_set_or_logged_if_the_future_was_cancelled(make: Make) -> None:
    async def set_both() -> None:
        future, cancelled = make(), make()
        cancelled.cancel()
        error = ValueError("no")
        future_set_exception_unless_cancelled(future, error)
        with ExpectLog("tornado.application", "Exception after Future was cancelled"):
            future_set_exception_unless_cancelled(cancelled, error)
        assert future.exception() is error
        with pytest.raises((asyncio.InvalidStateError, futures.InvalidStateError)):
            future_set_exception_unless_cancelled(future, KeyError())

    asyncio.run(set_both())


@kinds
def test_exception_being_handled_can_be_set(make: Make) -> None:
    async def fail() -> None:
        future = make()
        with pytest.raises(TypeError, match="no exception"):
            future_set_exc_info(future, sys.exc_info())
        error = ValueError("no")
        try:
            raise error
        except ValueError:
            future_set_exc_info(future, sys.exc_info())
        assert future.exception() is error

    asyncio.run(fail())


@kinds
def test_callback_on_a_future_that_is_done_runs_at_once(make: Make) -> None:
    async def add() -> None:
        future = make()
        seen: list[object] = []
        future_add_done_callback(future, seen.append)
        assert seen == []
        future.set_result(1)
        await asyncio.sleep(0)
        assert seen == [future]
        future_add_done_callback(future, seen.append)
        assert seen == [future, future]

    asyncio.run(add())


@pytest.mark.parametrize("make", [KINDS["ours"], KINDS["asyncio"]], ids=["ours", "its"])
def test_thread_may_add_a_callback_to_a_future_of_the_loop(make: Make) -> None:
    async def add() -> None:
        future = make()
        seen: list[int] = []
        in_thread(
            future_add_done_callback,
            future,
            lambda _: seen.append(threading.get_ident()),
        )
        future.set_result(1)
        await some_turns()
        assert seen == [threading.get_ident()]

    asyncio.run(add())


def test_futures_of_all_kinds_are_known_as_such() -> None:
    async def ask() -> None:
        for make in KINDS.values():
            assert is_future(make())
        task = asyncio.ensure_future(asyncio.sleep(0))
        assert is_future(task)
        await task

    asyncio.run(ask())
    assert is_future(DONE)
    assert not is_future(5)
    assert not is_future(gen.moment)


def test_every_public_name_of_tornado_is_there() -> None:
    def public(module: Any) -> set[str]:
        return {
            name
            for name, value in vars(module).items()
            if getattr(value, "__module__", None) == module.__name__
            and not name.startswith("_")
        }

    # Runner is the inside of its coroutines, and has no page in its reference.
    assert public(tornado_concurrent) <= set(concurrent.__all__)
    assert public(tornado_gen) - {"Runner"} <= set(gen.__all__)
    assert {"Future", "FUTURES", "dummy_executor"} <= set(concurrent.__all__)
    assert {"moment", "TimeoutError"} <= set(gen.__all__)


# Executors


class Work:
    """One thread and a second, both with work for the caller's thread to name."""

    def __init__(self) -> None:
        self.executor = futures.ThreadPoolExecutor(1, thread_name_prefix="first")
        self.pool = futures.ThreadPoolExecutor(1, thread_name_prefix="second")
        self.done: list[object] = []

    def close(self) -> None:
        self.executor.shutdown()
        self.pool.shutdown()

    @run_on_executor
    def plain(self, number: int, *, more: int = 0) -> tuple[int, str]:
        """Adds."""
        return number + more, threading.current_thread().name

    @run_on_executor(executor="pool")
    def named(self) -> str:
        return threading.current_thread().name

    @run_on_executor()
    def fails(self) -> None:
        raise ValueError("no")

    @run_on_executor(executor="absent", io_loop="loop")
    def nowhere(self) -> None: ...

    @run_on_executor
    def note(self, what: object) -> None:
        self.done.append(what)


@pytest.fixture
def work() -> Any:
    work = Work()
    yield work
    work.close()


def test_decorated_method_runs_on_the_executor_of_its_object(work: Work) -> None:
    async def call() -> None:
        assert await work.plain(1, more=2) == (3, "first_0")
        assert await work.named() == "second_0"
        with pytest.raises(ValueError, match="no"):
            await work.fails()

    asyncio.run(call())


def test_decorated_method_keeps_its_name_and_text() -> None:
    assert Work.plain.__name__ == "plain"
    assert Work.plain.__doc__ == "Adds."


def test_object_without_the_executor_is_an_attribute_error(work: Work) -> None:
    async def call() -> None:
        with pytest.raises(AttributeError, match="absent"):
            work.nowhere()

    asyncio.run(call())


def test_decorator_takes_one_function() -> None:
    with pytest.raises(ValueError, match="one function"):
        run_on_executor(len, repr)  # type: ignore[call-overload] # the mistake


def test_method_that_has_not_begun_does_not_run_once_it_is_cancelled(
    work: Work,
) -> None:
    async def call() -> None:
        gate = threading.Event()
        work.executor.submit(gate.wait, BOUND)
        cancelled, kept = work.note("cancelled"), work.note("kept")
        cancelled.cancel()
        await asyncio.sleep(0)
        gate.set()
        await kept

    asyncio.run(call())
    assert work.done == ["kept"]


def test_dummy_executor_calls_at_once() -> None:
    def fail() -> None:
        raise KeyError("no")

    assert isinstance(dummy_executor, DummyExecutor)
    assert dummy_executor.submit(divmod, 7, 2).result(0) == (3, 1)
    assert isinstance(dummy_executor.submit(fail).exception(0), KeyError)
    assert list(dummy_executor.map(abs, [-1, 2])) == [1, 2]
    with dummy_executor:
        pass
    assert dummy_executor.submit(int, "10", base=2).result() == 2


def test_dummy_executor_lets_the_end_of_the_program_out() -> None:
    with pytest.raises(SystemExit):
        dummy_executor.submit(sys.exit)


def test_dummy_executor_takes_the_place_of_threads() -> None:
    async def call() -> tuple[int, str]:
        there: Any = SimpleNamespace(executor=dummy_executor)
        future = Work.plain(there, 1)
        assert future.done()
        return await future

    assert asyncio.run(call()) == (1, threading.current_thread().name)
