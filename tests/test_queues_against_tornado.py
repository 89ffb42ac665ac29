"""Locks and queues do what Tornado's do, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import ModuleType
from typing import Any

import pytest
import tornado.locks
import tornado.queues
from hypothesis import given, settings
from hypothesis import strategies as st

import wsgitornado.locks
import wsgitornado.queues

Result = Any


@dataclass
class Package:
    locks: ModuleType
    queues: ModuleType


OURS = Package(wsgitornado.locks, wsgitornado.queues)
TORNADO = Package(tornado.locks, tornado.queues)

SOON = timedelta(milliseconds=1)


def outcome(future: asyncio.Future[Any]) -> Result:
    """What is to be seen of a future from outside."""
    if not future.done():
        return "pending"
    if future.cancelled():
        return "cancelled"
    error = future.exception()
    if error is not None:
        return type(error).__name__
    result = future.result()
    return "permit" if hasattr(result, "__enter__") else result


def attempt(function: Callable[..., Any], *args: object) -> Result:
    try:
        result = function(*args)
    except Exception as error:
        return type(error).__name__
    return outcome(result) if isinstance(result, asyncio.Future) else result


# Any sequence of steps, without a wait between them

Step = tuple[str, int]


class Steps:
    """Does steps with one object, and looks at all of it after each."""

    def __init__(self, shared: Any) -> None:
        self.shared = shared
        self.futures: list[asyncio.Future[Any]] = []
        self.seen: list[Result] = []

    def do(self, step: Step) -> None:
        name, number = step
        if name == "cancel":
            if self.futures:
                self.seen.append(self.futures[number % len(self.futures)].cancel())
        elif name in {"wait", "acquire", "get", "join"}:
            self.futures.append(getattr(self.shared, name)())
        elif name == "put":
            self.futures.append(self.shared.put(number))
        elif name in {"put_nowait", "notify"}:
            self.seen.append(attempt(getattr(self.shared, name), number))
        else:
            self.seen.append(attempt(getattr(self.shared, name)))
        self.seen.append([outcome(future) for future in self.futures])


async def record(make: Callable[[], Any], steps: Sequence[Step]) -> list[Result]:
    done = Steps(make())
    for step in steps:
        done.do(step)
    return done.seen


def steps(*names: str) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.tuples(st.sampled_from([*names, "cancel"]), st.integers(0, 5)))


@pytest.mark.parametrize("name", ["Queue", "PriorityQueue", "LifoQueue"])
@pytest.mark.parametrize("maxsize", [0, 1, 3])
@settings(max_examples=40)
@given(
    steps("get", "put", "join", "get_nowait", "put_nowait", "task_done", "qsize")
    | steps("get", "put", "full", "empty", "get_nowait", "put_nowait")
)
def test_any_steps_with_a_queue(name: str, maxsize: int, steps: list[Step]) -> None:
    ours, theirs = (
        asyncio.run(record(partial(getattr(package.queues, name), maxsize), steps))
        for package in (OURS, TORNADO)
    )
    assert ours == theirs


@pytest.mark.parametrize(
    ("name", "args"),
    [
        pytest.param("Semaphore", (0,), id="Semaphore(0)"),
        pytest.param("Semaphore", (2,), id="Semaphore(2)"),
        pytest.param("BoundedSemaphore", (2,), id="BoundedSemaphore(2)"),
        pytest.param("Lock", (), id="Lock"),
        pytest.param("Condition", (), id="Condition"),
        pytest.param("Event", (), id="Event"),
    ],
)
@given(st.data())
@settings(max_examples=40)
def test_any_steps_with_a_lock(
    name: str, args: tuple[int], data: st.DataObject
) -> None:
    names = {"Condition": ["wait", "notify", "notify_all"]}
    names["Event"] = ["wait", "set", "clear", "is_set"]
    drawn = data.draw(steps(*names.get(name, ["acquire", "release"])))
    ours, theirs = (
        asyncio.run(record(partial(getattr(package.locks, name), *args), drawn))
        for package in (OURS, TORNADO)
    )
    assert ours == theirs


# Small programs


async def producer_and_consumer(package: Package) -> Result:
    queue = package.queues.Queue(maxsize=2)
    log: list[Any] = []

    async def consume() -> None:
        async for item in queue:
            try:
                log.append(("got", item))
                await asyncio.sleep(0)
            finally:
                queue.task_done()

    task = asyncio.create_task(consume())
    for item in range(5):
        await queue.put(item)
        log.append(("put", item))
    await queue.join()
    task.cancel()
    await asyncio.wait([task])
    return log


async def condition_with_deadline(package: Package) -> Result:
    condition = package.locks.Condition()
    log = [await condition.wait(timeout=timedelta(0)), await condition.wait(SOON)]
    waits = [condition.wait(), condition.wait(timeout=timedelta(hours=1))]
    condition.notify_all()
    return log + await asyncio.gather(*waits)


async def deadlines_that_pass(package: Package) -> Result:
    event, lock = package.locks.Event(), package.locks.Lock()
    queue = package.queues.Queue(1)
    await lock.acquire()
    await queue.put(1)
    log = []
    for late in (event.wait(SOON), lock.acquire(SOON), queue.put(2, SOON)):
        try:
            log.append(await late)
        except TimeoutError as error:
            log.append(type(error))
    empty = package.queues.Queue()
    try:
        await empty.get(timeout=SOON)
    except TimeoutError:
        empty.put_nowait("kept")
    return [*log, queue.qsize(), await empty.get()]


async def lock_in_turns(package: Package) -> Result:
    lock = package.locks.Lock()
    log: list[Any] = []

    async def work(name: str) -> None:
        async with lock as nothing:
            log.append((name, "in", nothing))
            await asyncio.sleep(0)
            log.append((name, "out"))

    await asyncio.gather(*(work(name) for name in "abc"))
    with await lock.acquire() as nothing:
        log.append(nothing)
    return log


async def event_set_and_cleared(package: Package) -> Result:
    event = package.locks.Event()
    log = []

    async def wait(name: str) -> None:
        await event.wait()
        log.append(name)

    tasks = [asyncio.create_task(wait(name)) for name in "ab"]
    await asyncio.sleep(0)
    event.set()
    event.clear()
    log.append(repr(event))
    await asyncio.gather(*tasks)
    # Tornado wakes them in any order.
    return sorted(log)


async def waits_that_were_abandoned(package: Package) -> Result:
    queue = package.queues.Queue()
    try:
        await asyncio.wait_for(queue.get(), 0.001)
    except TimeoutError:
        queue.put_nowait(1)
    return await asyncio.wait_for(queue.get(), 10)


async def values_that_are_refused(package: Package) -> Result:
    locks, queues = package.locks, package.queues
    return [
        attempt(locks.Semaphore, -1),
        attempt(locks.BoundedSemaphore, -1),
        attempt(locks.Semaphore, "1"),
        attempt(queues.Queue, None),
        attempt(queues.Queue, -1),
        attempt(locks.Condition().wait, "soon"),
        attempt(locks.Lock().__enter__),
        attempt(locks.Semaphore().__enter__),
        attempt(locks.Lock().release),
        attempt(locks.BoundedSemaphore().release),
        attempt(queues.Queue().task_done),
    ]


async def subclass_with_its_own_order(package: Package) -> Result:
    class Alternating(package.queues.Queue):  # type: ignore[name-defined,misc] # either
        def _init(self) -> None:
            self._queue: list[int] = []

        def _put(self, item: int) -> None:
            self._queue.insert(len(self._queue) // 2, item)

        def _get(self) -> int:
            return self._queue.pop()

    queue = Alternating(4)
    putters = [queue.put(item) for item in range(7)]
    return [queue.get_nowait() for _ in putters] + [str(queue)]


@pytest.mark.parametrize(
    "program",
    [
        producer_and_consumer,
        condition_with_deadline,
        deadlines_that_pass,
        lock_in_turns,
        event_set_and_cleared,
        waits_that_were_abandoned,
        values_that_are_refused,
        subclass_with_its_own_order,
    ],
    ids=lambda program: program.__name__,
)
def test_program_does_the_same(program: Callable[[Package], Any]) -> None:
    assert asyncio.run(program(OURS)) == asyncio.run(program(TORNADO))
