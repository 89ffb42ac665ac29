"""Coroutines made of generators, on Tornado and on ours: same results, same log."""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections import OrderedDict
from concurrent import futures
from typing import Any

import pytest

from tests.gen_programs import Package, Program, run

variable = contextvars.ContextVar("variable", default=0)

programs: list[Program] = []


def program(function: Program) -> Program:
    programs.append(function)
    return function


@program
def return_value(p: Package) -> Any:
    yield None
    return 5


@program
def no_return_value(p: Package) -> Any:
    yield None


@program
def raise_return(p: Package) -> Any:
    yield None
    raise p.gen.Return([5])


@program
def raise_return_before_any_yield(p: Package) -> Any:
    if p.name:
        raise p.gen.Return(5)
    yield


@program
def raise_return_in_a_called_function(p: Package) -> Any:
    def end() -> None:
        raise p.gen.Return("deep")

    yield None
    end()


@program
def future_that_holds_return(p: Package) -> Any:
    yield p.failed(p.gen.Return(7))


@program
def function_that_is_no_generator(p: Package) -> Any:
    return 5


@program
def function_that_fails(p: Package) -> Any:
    raise ValueError("no")


@program
def function_that_raises_return(p: Package) -> Any:
    raise p.gen.Return(6)


@program
def function_that_raises_stop_iteration(p: Package) -> Any:
    raise StopIteration(6)


@program
def function_that_returns_an_iterator(p: Package) -> Any:
    return type(iter([])).__name__


@program
def stop_iteration_in_a_generator(p: Package) -> Any:
    yield None
    raise StopIteration(5)


@program
def exception_before_any_yield(p: Package) -> Any:
    if p.name:
        raise ValueError("no")
    yield


@program
def exception_after_a_yield(p: Package) -> Any:
    yield p.later(None)
    raise ValueError("no")


@program
def coroutine_cancels_itself(p: Package) -> Any:
    @p.coroutine
    def cancelled() -> Any:
        yield None
        raise asyncio.CancelledError

    future = cancelled()
    yield asyncio.wait([future])
    p.see(future.cancelled())


@program
def coroutine_cancels_itself_at_once(p: Package) -> Any:
    @p.coroutine
    def cancelled() -> Any:
        if p.name:
            raise asyncio.CancelledError
        yield

    p.see(cancelled().cancelled())
    yield None


@program
def exceptions_are_thrown_in(p: Package) -> Any:
    for future in (p.failed(ValueError(1)), p.failed(ValueError(2))):
        try:
            yield future
        except ValueError as error:
            p.see(repr(error))
    return "went on"


@program
def exceptions_of_later_are_thrown_in(p: Package) -> Any:
    @p.coroutine
    def fail() -> Any:
        yield p.later(None)
        raise KeyError("late")

    try:
        yield fail()
    except KeyError as error:
        return repr(error)


@program
def failed_future_yielded_again_and_again(p: Package) -> Any:
    future = p.failed(ValueError("no"))
    times = 0
    for _ in range(3):
        try:
            yield future
        except ValueError:
            times += 1
    return times


@program
def yield_in_except_and_finally(p: Package) -> Any:
    try:
        yield p.later(None)
        raise ValueError(1)
    except ValueError:
        p.see((yield p.later("in except")))
        p.see(sys.exc_info()[0])
        try:
            raise KeyError(2)
        except KeyError as error:
            p.see(repr(error.__context__))
    finally:
        p.see((yield p.later("in finally")))


@program
def context_of_an_exception(p: Package) -> Any:
    try:
        raise ValueError("first")
    except ValueError:
        try:
            yield p.failed(KeyError("second"))
        except KeyError as error:
            p.see((repr(error.__context__), repr(error.__cause__)))


@program
def values_that_nobody_can_wait_for(p: Package) -> Any:
    for value in (1, "a", (1, 2), b"x", {1}, object, True, 0, range(1), iter("")):
        try:
            yield value
        except p.gen.BadYieldError as error:
            p.see(str(error).split(" at 0x")[0])
            p.see(repr(error.__context__))


@program
def generator_that_was_not_decorated(p: Package) -> Any:
    try:
        yield (name for name in p.name)
    except p.gen.BadYieldError as error:
        return str(error).split(" at 0x")[0]


@program
def list_and_dict(p: Package) -> Any:
    p.see((yield [p.later(1), p.done(2)]))
    p.see((yield {"a": p.later(1), "b": p.done(2)}))
    p.see((yield []))
    p.see((yield {}))
    p.see((yield [None, p.gen.moment, [p.later(1), {"deep": p.later(2)}]]))
    p.see(type((yield OrderedDict(a=p.done(1)))).__name__)


@program
def list_with_a_bad_element(p: Package) -> Any:
    yield [p.done(1), 5]


@program
def list_with_failures(p: Package) -> Any:
    try:
        yield [p.done(1), p.failed(ValueError(1)), p.failed(KeyError(2))]
    except ValueError as error:
        return repr(error)


@program
def list_waits_for_all_even_if_one_fails(p: Package) -> Any:
    last = p.later("last")
    try:
        yield [p.failed(ValueError(1)), last]
    except ValueError:
        return last.done()


@program
def list_with_the_same_future_twice(p: Package) -> Any:
    future = p.later(1)
    return (yield [future, future])


@program
def list_with_a_cancelled_future(p: Package) -> Any:
    future = p.concurrent.Future()
    future.cancel()
    try:
        yield [future, p.later(1)]
    except asyncio.CancelledError:
        return "cancelled"


@program
def awaitables(p: Package) -> Any:
    async def native(value: int) -> int:
        await asyncio.sleep(0)
        return value

    class Awaitable:
        def __await__(self) -> Any:
            yield
            return 3

    p.see((yield native(1)))
    p.see((yield asyncio.ensure_future(native(2))))
    p.see((yield Awaitable()))
    p.see((yield [native(4), native(5)]))


@program
def native_coroutine_that_fails(p: Package) -> Any:
    async def native() -> None:
        raise ValueError("no")

    yield native()


@program
def native_coroutine_awaits_ours(p: Package) -> Any:
    @p.coroutine
    def ours(value: Any) -> Any:
        return (yield p.later(value))

    async def native() -> Any:
        return await ours(1), await ours([2])

    return (yield native())


@program
def futures_of_executors(p: Package) -> Any:
    with futures.ThreadPoolExecutor(1) as pool:
        p.see((yield pool.submit(divmod, 7, 2)))
        try:
            yield pool.submit(divmod, 7, 0)
        except ZeroDivisionError as error:
            p.see(repr(error))
        ready = pool.submit(int)
        futures.wait([ready])
        p.see((yield ready))


@program
def body_runs_at_once_up_to_what_is_not_done(p: Package) -> Any:
    @p.coroutine
    def body() -> Any:
        p.see("begins")
        p.see((yield p.done("done")))
        p.see((yield p.later("later")))

    future = body()
    p.see("called")
    yield future


@program
def coroutine_without_waits_is_done_when_it_was_called(p: Package) -> Any:
    @p.coroutine
    def body() -> Any:
        for _ in range(5):
            yield p.done(None)
        return 5

    p.see(body().result())
    yield None


@program
def turns_are_taken_in_order(p: Package) -> Any:
    @p.coroutine
    def count(name: str, pause: Any) -> Any:
        for number in range(4):
            p.see((name, number))
            yield pause

    yield [count("moment", p.gen.moment), count("none", None), count("again", None)]


@program
def moment_lets_callbacks_run(p: Package) -> Any:
    asyncio.get_running_loop().call_soon(p.see, "callback")
    p.see("before")
    p.see((yield p.gen.moment))
    p.see("after")


@program
def sleep_of_no_time(p: Package) -> Any:
    future = p.gen.sleep(0)
    p.see(future.done())
    p.see((yield future))
    p.see((yield p.gen.sleep(-1)))
    p.attempt(p.gen.sleep, "long")


@program
def context_variables_stay_inside(p: Package) -> Any:
    @p.coroutine
    def plain() -> None:
        variable.set(1)

    @p.coroutine
    def body(value: int) -> Any:
        p.see(variable.get())
        variable.set(value)
        yield p.later(None)
        p.see(variable.get())
        variable.set(value + 1)
        yield p.gen.moment
        p.see(variable.get())

    plain()
    variable.set(10)
    p.see(variable.get())
    yield [body(20), body(30)]
    p.see(variable.get())


@program
def context_variables_go_along_to_what_is_yielded(p: Package) -> Any:
    async def native() -> int:
        seen = variable.get()
        variable.set(99)
        return seen

    variable.set(7)
    p.see((yield native()))
    p.see((yield [native()]))
    p.see(variable.get())


@program
def methods(p: Package) -> Any:
    class Thing:
        @p.coroutine
        def method(self, number: int, *, more: int) -> Any:
            """Adds."""
            yield None
            return isinstance(self, Thing), number + more

        @classmethod
        @p.coroutine
        def of_class(cls) -> Any:
            yield None
            return cls is Thing

        @staticmethod
        @p.coroutine
        def static(number: int) -> Any:
            yield None
            return number

    thing: Any = Thing()
    p.see((yield [thing.method(1, more=2), Thing.of_class(), thing.static(3)]))
    p.see((thing.method.__name__, thing.method.__doc__))
    p.see(hasattr(Thing.method, "__wrapped__"))
    p.see(p.gen.is_coroutine_function(thing.method))
    p.see(p.gen.is_coroutine_function(Thing.of_class))
    p.see(p.gen.is_coroutine_function(print))


@program
def deep_nesting(p: Package) -> Any:
    @p.coroutine
    def nested(depth: int) -> Any:
        if not depth:
            return (yield p.later(0))
        return 1 + (yield nested(depth - 1))

    return (yield nested(100))


@program
def many_yields_of_what_is_done(p: Package) -> Any:
    future = p.done(1)
    total = 0
    for _ in range(20_000):
        total += yield future
    return total


@program
def future_is_cancelled_inside(p: Package) -> Any:
    inner = p.concurrent.Future()

    @p.coroutine
    def wait() -> Any:
        try:
            yield inner
        except asyncio.CancelledError:
            return "inner cancelled"

    future = wait()
    inner.cancel()
    return (yield future)


@pytest.mark.parametrize("function", programs, ids=lambda function: function.__name__)
def test_program_does_the_same_on_tornado(function: Program) -> None:
    assert run("wsgitornado", function) == run("tornado", function)


def test_there_is_something_to_compare() -> None:
    # The test above would also pass for programs that do not run at all.
    result, seen = run("tornado", list_and_dict)
    assert result is None
    assert seen[0] == [1, 2]
