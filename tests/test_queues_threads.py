"""Queues between threads and loops: every item arrives, and once."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterable
from functools import partial

import pytest

from tests.idle_loop import BOUND
from wsgitornado.queues import Queue


class Traffic:
    """Producers and consumers, whose tasks are cancelled at random, in threads."""

    def __init__(self, maxsize: int) -> None:
        self.queue: Queue[int] = Queue(maxsize)
        self.received: list[int] = []
        self.total = 450

    def run(self) -> None:
        jobs = [partial(self.produce, range(n, self.total, 3)) for n in range(3)]
        jobs += [partial(asyncio.run, self.cancel_at_random(n)) for n in range(2)]
        threads = [threading.Thread(target=job) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def produce(self, items: Iterable[int]) -> None:
        async def put() -> None:
            for item in items:
                await self.queue.put(item)

        if self.queue.maxsize:
            asyncio.run(put())
        else:
            for item in items:
                self.queue.put_nowait(item)

    async def consume(self) -> None:
        async for item in self.queue:
            self.received.append(item)
            self.queue.task_done()

    async def cancel_at_random(self, seed: int) -> None:
        chance = random.Random(seed)
        tasks = [asyncio.create_task(self.consume()) for _ in range(5)]
        async with asyncio.timeout(BOUND):
            while len(self.received) < self.total:
                await asyncio.sleep(0)
                chosen = chance.randrange(5)
                tasks[chosen].cancel()
                tasks[chosen] = asyncio.create_task(self.consume())
        for task in tasks:
            task.cancel()


@pytest.mark.parametrize("maxsize", [0, 2])
def test_every_item_arrives_once_between_threads_loops_and_cancelled_tasks(
    maxsize: int,
) -> None:
    traffic = Traffic(maxsize)
    traffic.run()
    assert sorted(traffic.received) == list(range(traffic.total))
    assert str(traffic.queue) == f"<Queue maxsize={maxsize}>"


def test_item_for_a_loop_that_is_closed_at_this_moment_goes_to_the_next() -> None:
    queue: Queue[int] = Queue()

    class Closing(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(self, *_: object, **__: object) -> asyncio.Handle:
            self.close()
            raise RuntimeError("Event loop is closed")

    async def leave_waiting() -> None:
        queue.get()

    loop = Closing()
    loop.run_until_complete(leave_waiting())
    queue.put_nowait(1)
    assert loop.is_closed()
    assert queue.get_nowait() == 1
