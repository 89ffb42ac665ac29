"""The future that is already done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from wsgitornado.concurrent import DONE


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
