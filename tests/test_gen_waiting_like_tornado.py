"""Waiting for several things or for a time, on Tornado and on ours: no difference."""

from __future__ import annotations

import datetime
import threading
import time
from concurrent import futures
from typing import Any

import pytest

from tests.gen_programs import Package, Program, run

programs: list[Program] = []


def program(function: Program) -> Program:
    programs.append(function)
    return function


@program
def multi_is_what_a_list_means(p: Package) -> Any:
    p.see((yield p.gen.multi([p.later(1), p.done(2)])))
    p.see((yield p.gen.multi((p.later(1),))))
    p.see((yield p.gen.multi_future({"a": p.later(1), "b": None})))
    p.see((yield p.gen.Multi(p.later(n) for n in range(3))))
    p.see(p.gen.multi([]).result())
    p.see(p.gen.multi({}).result())
    p.see(p.gen.multi([p.done(1)]).done())
    p.attempt(p.gen.multi, 5)
    p.attempt(p.gen.multi, [5])


@program
def multi_logs_all_failures_but_the_first(p: Package) -> Any:
    failures = [p.failed(KeyError(number)) for number in range(3)]
    failures.append(p.failed(ValueError("other")))
    for quiet in ((), KeyError, (KeyError, ValueError)):
        try:
            yield p.gen.multi(failures, quiet_exceptions=quiet)
        except KeyError as error:
            p.see(repr(error))


@program
def cancelled_multi_stays_so(p: Package) -> Any:
    future = p.gen.multi([p.concurrent.Future()])
    future.cancel()
    yield p.gen.sleep(0)
    p.see(future.cancelled())


@program
def timeout(p: Package) -> Any:
    never = p.concurrent.Future()
    now = datetime.timedelta(0)
    for options in ({}, {"message": "text"}, {"message": lambda: "of a function"}):
        try:
            yield p.gen.with_timeout(now, never, **options)
        except p.gen.TimeoutError as error:
            p.see(str(error))
    try:
        yield p.gen.with_timeout(time.time() - 1, never)
    except TimeoutError as error:
        p.see(str(error))
    p.see(never.done())


@program
def in_time(p: Package) -> Any:
    async def native() -> int:
        return 5

    hour = datetime.timedelta(hours=1)
    p.see((yield p.gen.with_timeout(hour, p.later(1))))
    p.see((yield p.gen.with_timeout(time.time() + 3600, p.later(1))))
    p.see((yield p.gen.with_timeout(hour, native())))
    p.see((yield p.gen.with_timeout(hour, [p.later(1), native()])))
    try:
        yield p.gen.with_timeout(hour, p.failed(ValueError("no")))
    except ValueError as error:
        p.see(repr(error))
    ready = p.gen.with_timeout(time.time() - 1, p.done("in spite of the time"))
    p.see(ready.result())


@program
def timeout_of_the_wrong_kind(p: Package) -> Any:
    p.attempt(p.gen.with_timeout, "soon", p.done(1))
    p.attempt(p.gen.with_timeout, None, p.done(1))
    p.attempt(p.gen.with_timeout, time.time(), 5)
    yield None


@program
def failure_after_a_timeout(p: Package) -> Any:
    for quiet in ((), ValueError, (KeyError, ValueError)):
        late = p.concurrent.Future()
        try:
            yield p.gen.with_timeout(datetime.timedelta(0), late, quiet)
        except TimeoutError:
            late.set_exception(ValueError("late"))
            yield p.gen.sleep(0)
    late = p.concurrent.Future()
    try:
        yield p.gen.with_timeout(datetime.timedelta(0), late)
    except TimeoutError:
        late.cancel()
        yield p.gen.sleep(0)


@program
def what_is_late_goes_on(p: Package) -> Any:
    gate = p.concurrent.Future()

    async def native() -> None:
        await gate
        p.see("went on")

    try:
        yield p.gen.with_timeout(datetime.timedelta(0), native())
    except TimeoutError:
        gate.set_result(None)
        yield p.gen.sleep(0)


@program
def executor_is_late(p: Package) -> Any:
    gate = threading.Event()
    with futures.ThreadPoolExecutor(1) as pool:
        future = pool.submit(gate.wait)
        try:
            yield p.gen.with_timeout(datetime.timedelta(0), future)
        except TimeoutError:
            p.see("late")
        gate.set()


@program
def wait_iterator(p: Package) -> Any:
    first, second, third = (p.concurrent.Future() for _ in range(3))
    waiting = p.gen.WaitIterator(first, second, third)
    p.see((waiting.done(), waiting.current_index, waiting.current_future))
    third.set_result("third")
    while not waiting.done():
        try:
            p.see((yield waiting.next()))
        except ValueError as error:
            p.see(repr(error))
        p.see(waiting.current_index)
        p.see(waiting.current_future is (first, second, third)[waiting.current_index])
        if not first.done():
            first.set_exception(ValueError("no"))
            second.set_result("second")
    # To say that it is done makes it forget.
    p.see((waiting.current_index, waiting.current_future))


@program
def wait_iterator_by_name(p: Package) -> Any:
    waiting = p.gen.WaitIterator(a=p.later(1), b=p.done(2))

    async def ask() -> None:
        async for result in waiting:
            p.see((waiting.current_index, result))

    yield ask()
    p.attempt(p.gen.WaitIterator, p.done(1), a=p.done(1))
    p.see(p.gen.WaitIterator().done())


@program
def wait_that_was_cancelled_loses_nothing(p: Package) -> Any:
    child = p.concurrent.Future()
    waiting = p.gen.WaitIterator(child)
    waiting.next().cancel()
    child.set_result("kept")
    yield p.gen.sleep(0)
    p.see((yield waiting.next()))


@program
def maybe_future(p: Package) -> Any:
    future = p.later(1)
    p.see(p.gen.maybe_future(future) is future)
    p.see(p.gen.maybe_future(5).result())
    p.see(p.gen.maybe_future(None).result())
    p.see(p.gen.maybe_future([future]).result() == [future])
    yield future


@program
def convert_yielded(p: Package) -> Any:
    class Query:
        pass

    def ask(query: Query) -> Any:
        return p.later("answer")

    p.gen.convert_yielded.register(Query, ask)
    p.see((yield Query()))
    p.see((yield [Query(), Query()]))
    p.see((yield p.gen.with_timeout(datetime.timedelta(hours=1), Query())))
    future = p.done(1)
    p.see(p.gen.convert_yielded(future) is future)
    p.see(p.gen.convert_yielded(None) is p.gen.moment)
    p.see((yield p.gen.convert_yielded([future])))
    p.attempt(p.gen.convert_yielded, 5)


@program
def converted_to_the_future_of_an_executor(p: Package) -> Any:
    class Job:
        pass

    with futures.ThreadPoolExecutor(1) as pool:
        p.gen.convert_yielded.register(Job, lambda job: pool.submit(int, "5"))
        p.see((yield Job()))


@program
def exceptions_and_their_values(p: Package) -> Any:
    p.see((p.gen.Return(5).value, p.gen.Return().value, p.gen.Return(5).args))
    p.see(p.gen.TimeoutError is TimeoutError)
    p.see((p.gen.moment.done(), p.gen.moment.result()))
    for name in ("KeyReuseError", "UnknownKeyError", "LeakedCallbackError"):
        p.see(issubclass(getattr(p.gen, name), Exception))
    yield None


@pytest.mark.parametrize("function", programs, ids=lambda function: function.__name__)
def test_program_does_the_same_on_tornado(function: Program) -> None:
    assert run("wsgitornado", function) == run("tornado", function)
