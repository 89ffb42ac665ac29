"""The future that is already done, and who knows which loop and thread it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.idle_loop import in_thread
from wsgitornado import concurrent
from wsgitornado.concurrent import DONE, current_loop, is_on_loop, set_loop_source


def test_done_future_answers_like_any_finished_one() -> None:
    finished: asyncio.Future[None] = asyncio.Future(loop=asyncio.new_event_loop())
    finished.set_result(None)
    finished.get_loop().close()
    for ask in ("done", "cancelled", "cancel", "result", "exception"):
        assert getattr(DONE, ask)() == getattr(finished, ask)(), ask


@pytest.mark.parametrize("ask", [DONE.result, DONE.exception])
def test_result_is_there_within_no_time(ask: Callable[..., None]) -> None:
    ask(timeout=0)


def test_callback_runs_at_once_with_the_future() -> None:
    seen: list[object] = []
    DONE.add_done_callback(seen.append)
    assert seen == [DONE]


def test_awaiting_it_does_not_suspend() -> None:
    async def wait() -> None:
        await DONE
        await DONE

    with pytest.raises(StopIteration):
        wait().send(None)


def test_asyncio_can_gather_it() -> None:
    async def gather() -> object:
        return await asyncio.gather(DONE, DONE)

    assert asyncio.run(gather()) == [None, None]


def test_it_shows_what_it_is() -> None:
    assert repr(DONE) == "<DoneFuture>"


# Which loop, and which thread


class SilentLoop:
    """One that keeps its thread to itself, as uvloop does."""


def test_thread_that_runs_a_loop_is_on_it_and_no_other_is() -> None:
    answers: list[bool] = []

    async def ask() -> None:
        loop = asyncio.get_running_loop()
        answers.append(is_on_loop(loop))
        in_thread(lambda: answers.append(is_on_loop(loop)))

    asyncio.run(ask())
    assert answers == [True, False]


def test_nobody_is_on_a_loop_that_does_not_run() -> None:
    loop = asyncio.new_event_loop()
    assert not is_on_loop(loop)
    loop.close()


def test_loop_that_does_not_tell_its_thread_is_compared_with_the_running_one() -> None:
    silent: asyncio.AbstractEventLoop = SilentLoop()  # type: ignore[assignment] # as it is asked for nothing
    assert not is_on_loop(silent)
    asyncio._set_running_loop(silent)
    try:
        assert is_on_loop(silent)
    finally:
        asyncio._set_running_loop(None)


@pytest.fixture
def loop_source() -> Iterator[None]:
    source = concurrent._loop_source
    yield
    set_loop_source(source)


@pytest.mark.usefixtures("loop_source")
def test_current_loop_is_what_its_source_says() -> None:
    loop = asyncio.new_event_loop()
    set_loop_source(lambda: loop)
    assert current_loop() is loop
    assert concurrent.Future[None]().get_loop() is loop
    loop.close()


@pytest.mark.usefixtures("loop_source")
def test_without_a_better_source_it_is_the_running_loop() -> None:
    set_loop_source(asyncio.get_running_loop)
    with pytest.raises(RuntimeError):
        concurrent.Future[None]()

    async def ask() -> bool:
        return current_loop() is asyncio.get_running_loop()

    assert asyncio.run(ask())
