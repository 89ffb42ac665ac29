"""Coroutines that are called where the loop does not run, and work that hops to it."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent import futures
from typing import Any

import pytest

from tests.idle_loop import BOUND
from wsgitornado import concurrent, gen
from wsgitornado.concurrent import Future, chain_future, is_on_loop
from wsgitornado.ioloop import IOLoop

HOUR = datetime.timedelta(hours=1)

variable = contextvars.ContextVar("variable", default="outside")


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.AbstractEventLoop]:
    """The serving loop of this test, which does not run yet."""
    ioloop = IOLoop(make_current=False)
    loop = ioloop.asyncio_loop
    monkeypatch.setattr(IOLoop, "current", lambda: ioloop)
    monkeypatch.setattr(concurrent, "_loop_source", lambda: loop)
    yield loop
    for task in asyncio.all_tasks(loop):
        task.cancel()
    turn(loop)
    ioloop.close()


@pytest.fixture
def served(loop: asyncio.AbstractEventLoop) -> Iterator[asyncio.AbstractEventLoop]:
    """The same, running in another thread, as under a WSGI server."""
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(BOUND)


def turn(loop: asyncio.AbstractEventLoop) -> None:
    for _ in range(5):
        loop.call_soon(loop.stop)
        loop.run_forever()


def wait(future: Future[Any]) -> Any:
    """The result of a future, in a thread that may wait."""
    box: futures.Future[Any] = futures.Future()
    chain_future(future, box)
    return box.result(BOUND)


@gen.coroutine
def where(first: object = None) -> Generator[Any, Any, list[bool]]:
    """Whether each part of a body ran on the loop."""
    loop = concurrent.current_loop()
    parts = [is_on_loop(loop)]
    yield first
    parts.append(is_on_loop(loop))
    return parts


def test_body_runs_on_the_loop_from_the_first_line(
    served: asyncio.AbstractEventLoop,
) -> None:
    future = where()
    assert isinstance(future, Future)
    assert wait(future) == [True, True]


def test_call_in_another_thread_only_schedules_the_body(
    served: asyncio.AbstractEventLoop,
) -> None:
    gate = threading.Event()
    # The loop stands still meanwhile.
    served.call_soon_threadsafe(gate.wait, BOUND)
    future = where()
    assert not future.done()
    gate.set()
    assert wait(future) == [True, True]


def test_first_part_runs_at_once_if_the_loop_does_not_run(
    loop: asyncio.AbstractEventLoop,
) -> None:
    future = where(gen.sleep(0))
    assert not future.done()
    assert loop.run_until_complete(future) == [False, True]


def test_body_without_waits_is_over_at_once_if_the_loop_does_not_run(
    loop: asyncio.AbstractEventLoop,
) -> None:
    assert where(gen.maybe_future(5)).result() == [False, False]


def test_exception_of_the_first_line_is_that_of_the_future(
    served: asyncio.AbstractEventLoop,
) -> None:
    @gen.coroutine
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        wait(fail())


def test_context_variables_of_the_calling_thread_go_along(
    served: asyncio.AbstractEventLoop,
) -> None:
    @gen.coroutine
    def body() -> Generator[Any, Any, list[str]]:
        seen = [variable.get()]
        variable.set("body")
        yield None
        return [*seen, variable.get()]

    def call() -> object:
        variable.set("caller")
        return wait(body()), variable.get()

    assert contextvars.Context().run(call) == (["caller", "body"], "caller")


def test_cancelling_in_another_thread_reaches_the_body(
    served: asyncio.AbstractEventLoop,
) -> None:
    begun, ended = threading.Event(), threading.Event()
    seen: list[str] = []

    @gen.coroutine
    def body() -> Generator[Any, Any, None]:
        try:
            begun.set()
            yield Future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        finally:
            ended.set()

    future = body()
    assert begun.wait(BOUND)
    assert future.cancel()
    assert ended.wait(BOUND)
    assert seen == ["cancelled"]


def test_coroutine_cancelled_before_it_began_cleans_up(
    loop: asyncio.AbstractEventLoop,
) -> None:
    seen: list[str] = []

    @gen.coroutine
    def body() -> Generator[Any, Any, None]:
        try:
            yield Future()
        finally:
            seen.append("finally")

    future = body()
    assert future.cancel()
    turn(loop)
    assert future.cancelled()
    assert seen == ["finally"]


def test_failure_of_a_cancelled_coroutine_is_logged(
    loop: asyncio.AbstractEventLoop,
) -> None:
    complaints: list[str] = []
    loop.set_exception_handler(
        lambda _, context: complaints.append(repr(context.get("exception")))
    )

    @gen.coroutine
    def body() -> Generator[Any, Any, None]:
        try:
            yield Future()
        except asyncio.CancelledError:
            raise ValueError("while cleaning up") from None

    future = body()
    future.cancel()
    turn(loop)
    del future
    assert complaints == ["ValueError('while cleaning up')"]


async def native(value: object) -> object:
    await asyncio.sleep(0)
    return value


@pytest.mark.parametrize(
    ("begin", "result"),
    [
        pytest.param(lambda: gen.sleep(0), None, id="sleep"),
        pytest.param(lambda: gen.multi([native(1), native(2)]), [1, 2], id="multi"),
        pytest.param(lambda: gen.multi({"a": native(1)}), {"a": 1}, id="dict"),
        pytest.param(lambda: gen.with_timeout(HOUR, native(1)), 1, id="with_timeout"),
        pytest.param(lambda: gen.convert_yielded(native(1)), 1, id="coroutine"),
        pytest.param(lambda: gen.maybe_future(1), 1, id="maybe_future"),
        pytest.param(
            lambda: gen.Task(lambda callback: callback(1)), 1, id="callback of a thread"
        ),
    ],
)
@pytest.mark.parametrize("runs", [True, False], ids=["loop runs", "loop runs later"])
def test_all_ways_of_waiting_begin_in_any_thread(
    request: pytest.FixtureRequest,
    begin: Callable[[], Future[Any]],
    result: object,
    runs: bool,
) -> None:
    loop: asyncio.AbstractEventLoop = request.getfixturevalue("loop")
    if runs:
        request.getfixturevalue("served")
        assert wait(begin()) == result
    else:
        assert loop.run_until_complete(begin()) == result


def test_time_is_up_for_a_wait_that_began_in_another_thread(
    served: asyncio.AbstractEventLoop,
) -> None:
    never: Future[None] = Future()
    with pytest.raises(TimeoutError, match="Timeout"):
        wait(gen.with_timeout(datetime.timedelta(0), never))


def test_mistake_in_another_thread_is_the_exception_of_the_future(
    served: asyncio.AbstractEventLoop,
) -> None:
    with pytest.raises(gen.BadYieldError):
        wait(gen.multi([5]))  # type: ignore[list-item] # the mistake


def test_threads_may_set_what_a_coroutine_waits_for(
    served: asyncio.AbstractEventLoop,
) -> None:
    number = 50
    waited: list[Future[int]] = [Future() for _ in range(number)]

    @gen.coroutine
    def add() -> Generator[Any, Any, int]:
        total = 0
        for future in waited:
            total += yield future
        return total

    sums = [add() for _ in range(3)]
    with futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: waited[n].set_result(n), reversed(range(number))))
    assert [wait(future) for future in sums] == [sum(range(number))] * 3
