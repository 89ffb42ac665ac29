"""The future that any thread may set, cancel and ask."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from functools import partial
from typing import Any

import pytest

from tests.idle_loop import BOUND, IdleLoop, in_thread
from wsgitornado.concurrent import DONE, Future

State = dict[str, object]

#: What can happen to a future, once.
ENDINGS: dict[str, Callable[[asyncio.Future[Any]], object]] = {
    "result": lambda future: future.set_result(1),
    "exception": lambda future: future.set_exception(ValueError("no")),
    "class of exception": lambda future: future.set_exception(KeyError),
    "cancel": lambda future: future.cancel("why"),
}

endings = pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)

variable = contextvars.ContextVar("variable", default="outside")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One that does not run."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def ask(question: Callable[[], object]) -> object:
    """An answer, or the exception in its place, in a form that can be compared."""
    try:
        answer = question()
    except (Exception, asyncio.CancelledError) as error:
        return type(error), error.args
    return repr(answer) if isinstance(answer, BaseException) else answer


def state(future: asyncio.Future[Any]) -> State:
    questions = (future.done, future.cancelled, future.result, future.exception)
    return {question.__name__: ask(question) for question in questions}


def turn(loop: asyncio.AbstractEventLoop) -> None:
    """Let a loop do what it has to do by now."""
    for _ in range(3):
        loop.call_soon(loop.stop)
        loop.run_forever()


# One that no other thread knows is one of asyncio


@endings
def test_on_its_loop_it_is_a_future_of_asyncio(
    end: Callable[[asyncio.Future[Any]], object],
) -> None:
    async def compare() -> None:
        ours: Future[Any] = Future()
        theirs = asyncio.get_running_loop().create_future()
        seen: list[asyncio.Future[Any]] = []
        assert state(ours) == state(theirs)
        for future in (ours, theirs):
            future.add_done_callback(lambda future: seen.append(future))
            assert end(future) == (True if future.cancelled() else None)
        assert state(ours) == state(theirs)
        assert seen == []
        await asyncio.sleep(0)
        assert seen == [ours, theirs]
        assert ours.cancel() == theirs.cancel() == False  # noqa: E712 - compared
        with pytest.raises(asyncio.InvalidStateError):
            ours.set_result(2)

    asyncio.run(compare())


def test_what_is_no_exception_cannot_be_set_and_decides_nothing() -> None:
    async def set_wrong() -> object:
        future: Future[int] = Future()
        with pytest.raises(TypeError):
            future.set_exception(5)  # type: ignore[arg-type] # the mistake
        assert not future.done()
        future.set_result(1)
        return await future

    assert asyncio.run(set_wrong()) == 1


def test_callback_can_be_removed() -> None:
    async def remove() -> list[object]:
        future: Future[int] = Future()
        seen: list[object] = []
        future.add_done_callback(seen.append)
        future.add_done_callback(seen.append)
        assert future.remove_done_callback(seen.append) == 2
        future.set_result(1)
        await asyncio.sleep(0)
        return seen

    assert asyncio.run(remove()) == []


def test_all_futures_of_asyncio_are_instances_as_in_tornado() -> None:
    class Special(Future[int]):
        pass

    async def make() -> None:
        task = asyncio.ensure_future(asyncio.sleep(0))
        special = Special()
        plain: asyncio.Future[int] = asyncio.Future()
        for future in (task, special, plain, DONE):
            assert isinstance(future, Future)
        assert isinstance(special, Special)
        assert not isinstance(task, Special)
        assert not isinstance(futures.Future(), Future)
        await task

    asyncio.run(make())


# Other threads


@endings
def test_idle_loop_wakes_when_a_thread_ends_the_future(
    end: Callable[[asyncio.Future[Any]], object],
) -> None:
    made: list[Future[Any]] = []

    async def wait() -> State:
        made.append(Future())
        await asyncio.wait(made)
        return state(made[0])

    seen = IdleLoop().run(wait(), lambda: end(made[0]))
    like: asyncio.Future[Any] = asyncio.Future(loop=made[0].get_loop())
    end(like)
    assert seen == state(like)


@endings
def test_every_thread_knows_the_ending_at_once_and_the_loop_runs_the_callbacks(
    end: Callable[[asyncio.Future[Any]], object],
) -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        future: Future[Any] = Future()
        like = loop.create_future()
        end(like)
        seen: list[int] = []
        future.add_done_callback(lambda _: seen.append(threading.get_ident()))
        told: list[State] = []

        def work() -> None:
            end(future)
            told.append(state(future))

        in_thread(work)
        # The loop has not had a turn since.
        assert told == [state(future)] == [state(like)]
        await asyncio.wait([future])
        assert state(future) == state(like)
        assert seen == [threading.get_ident()]

    asyncio.run(check())


@endings
def test_future_may_be_ended_before_its_loop_runs(
    loop: asyncio.AbstractEventLoop, end: Callable[[asyncio.Future[Any]], object]
) -> None:
    future: Future[Any] = Future(loop=loop)
    like: asyncio.Future[Any] = asyncio.Future(loop=loop)
    seen: list[object] = []
    future.add_done_callback(seen.append)
    end(future)
    end(like)
    assert state(future) == state(like)
    assert seen == []
    turn(loop)
    assert state(future) == state(like)
    assert seen == [future]


@pytest.mark.parametrize("first", ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("second", ENDINGS.values(), ids=ENDINGS)
def test_second_ending_is_refused_where_it_is_tried(
    loop: asyncio.AbstractEventLoop,
    first: Callable[[asyncio.Future[Any]], object],
    second: Callable[[asyncio.Future[Any]], object],
) -> None:
    future: Future[Any] = Future(loop=loop)
    like: asyncio.Future[Any] = asyncio.Future(loop=loop)
    first(future)
    first(like)
    for _ in range(2):
        refusal = ask(lambda: second(future))
        assert refusal is False or refusal == (
            asyncio.InvalidStateError,
            ("invalid state: the future was set or cancelled before",),
        )
        assert state(future) == state(like)
        # Then on the loop, which has taken over what was decided.
        turn(loop)


def test_only_one_of_many_threads_ends_a_future() -> None:
    tries = 40
    barrier = threading.Barrier(4)

    async def race() -> None:
        made: list[Future[Any]] = [Future() for _ in range(tries)]
        won: list[list[object]] = [[] for _ in made]
        called: list[int] = []

        def work(number: int) -> None:
            for future, winners in zip(made, won, strict=True):
                barrier.wait(BOUND)
                if number == 3:
                    if future.cancel():
                        winners.append(None)
                    continue
                try:
                    future.set_result(number)
                except asyncio.InvalidStateError:
                    continue
                winners.append(number)

        for future in made:
            future.add_done_callback(lambda future: called.append(made.index(future)))
        with futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        await asyncio.wait(made)
        outcomes = [None if f.cancelled() else f.result() for f in made]
        assert [[outcome] for outcome in outcomes] == won
        assert sorted(called) == list(range(tries))

    asyncio.run(race())


def test_loop_and_thread_that_set_it_together_do_not_both_win() -> None:
    async def race() -> None:
        for _ in range(200):
            future: Future[str] = Future()
            barrier = threading.Barrier(2)
            refused: list[str] = []

            def work(
                name: str,
                future: Future[str] = future,
                barrier: threading.Barrier = barrier,
                refused: list[str] = refused,
            ) -> None:
                barrier.wait(BOUND)
                try:
                    future.set_result(name)
                except asyncio.InvalidStateError:
                    refused.append(name)

            thread = threading.Thread(target=work, args=("thread",))
            thread.start()
            work("loop")
            thread.join(BOUND)
            assert sorted([*refused, await future]) == ["loop", "thread"]

    asyncio.run(race())


def test_who_loses_the_race_is_refused_although_it_was_not_done_when_he_asked(
    loop: asyncio.AbstractEventLoop,
) -> None:
    class Late(Future[str]):
        def done(self) -> bool:
            was_done = super().done()
            if not was_done and not others:
                others.append("came in between")
                self.set_result("other")
            return was_done

    others: list[str] = []
    future = Late(loop=loop)
    with pytest.raises(asyncio.InvalidStateError):
        future.set_exception(ValueError("lost"))
    assert future.result() == "other"
    turn(loop)
    assert future.result() == "other"


def test_callback_of_a_thread_runs_on_the_loop_with_the_variables_of_the_thread() -> (
    None
):
    async def check() -> list[object]:
        future: Future[int] = Future()
        seen: list[object] = []

        def add() -> None:
            variable.set("thread")
            future.add_done_callback(
                lambda _: seen.append((variable.get(), threading.get_ident()))
            )
            empty = contextvars.Context()
            future.add_done_callback(
                lambda _: seen.append(variable.get()), context=empty
            )

        in_thread(add)
        future.set_result(1)
        await future
        await asyncio.sleep(0)
        return seen

    assert asyncio.run(check()) == [("thread", threading.get_ident()), "outside"]


def test_thread_may_remove_a_callback_before_the_future_is_done() -> None:
    async def check() -> list[object]:
        future: Future[int] = Future()
        seen: list[object] = []
        future.add_done_callback(seen.append)
        removed: list[int] = []
        in_thread(lambda: removed.append(future.remove_done_callback(seen.append)))
        assert removed == [0]
        await asyncio.sleep(0)
        future.set_result(1)
        await asyncio.sleep(0)
        return seen

    assert asyncio.run(check()) == []


# Exceptions that nobody asks for


@pytest.mark.parametrize("thread", [True, False], ids=["by a thread", "on the loop"])
@pytest.mark.parametrize("is_asked", [True, False], ids=["asked for", "forgotten"])
def test_exception_is_logged_unless_somebody_asked_for_it(
    thread: bool, is_asked: bool
) -> None:
    complaints: list[str] = []

    async def check() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(str(context)))
        future: Future[int] = Future()
        end = partial(future.set_exception, ValueError("unseen"))
        if thread:
            in_thread(end)
        else:
            end()
        if is_asked:
            # Before the loop has taken it over.
            future.exception()
        await asyncio.sleep(0)
        del future, end
        gc.collect()

    asyncio.run(check())
    assert len(complaints) == (0 if is_asked else 1)


def test_refused_exception_is_not_logged_as_forgotten(
    loop: asyncio.AbstractEventLoop,
) -> None:
    complaints: list[str] = []
    loop.set_exception_handler(lambda _, context: complaints.append(str(context)))
    future: Future[int] = Future(loop=loop)
    future.set_result(1)
    with pytest.raises(asyncio.InvalidStateError):
        future.set_exception(ValueError("late"))
    gc.collect()
    assert complaints == []


# Loops that end


@endings
def test_future_of_a_closed_loop_may_be_ended(
    end: Callable[[asyncio.Future[Any]], object],
) -> None:
    loop = asyncio.new_event_loop()
    future: Future[Any] = Future(loop=loop)
    loop.close()
    end(future)
    future.add_done_callback(print)
    assert future.done()
    ask(future.result)


def test_other_troubles_of_waking_a_loop_are_not_hidden(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("no more handles")

    future: Future[int] = Future(loop=loop)
    monkeypatch.setattr(loop, "call_soon_threadsafe", fail)
    with pytest.raises(RuntimeError, match="no more handles"):
        future.set_result(1)
