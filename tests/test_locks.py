"""Condition, Event, Semaphore and Lock, on one loop."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from wsgitornado import gen
from wsgitornado.concurrent import Future
from wsgitornado.ioloop import IOLoop
from wsgitornado.locks import BoundedSemaphore, Condition, Event, Lock, Semaphore
from wsgitornado.queues import Queue

AT_ONCE = timedelta(0)
NEVER = timedelta(hours=1)

AnyLock = Semaphore | Lock


def full_queue() -> Queue[int]:
    queue: Queue[int] = Queue(1)
    queue.put_nowait(0)
    return queue


#: Everything that one can wait for, and what makes the wait succeed.
WAITS = [
    pytest.param(Condition, Condition.wait, Condition.notify, id="Condition"),
    pytest.param(Event, Event.wait, Event.set, id="Event"),
    pytest.param(
        lambda: Semaphore(0), Semaphore.acquire, Semaphore.release, id="Semaphore"
    ),
    pytest.param(Queue, Queue.get, lambda queue: queue.put_nowait(1), id="Queue.get"),
    pytest.param(
        full_queue,
        lambda queue, timeout=None: queue.put(2, timeout),
        Queue.get_nowait,
        id="Queue.put",
    ),
    pytest.param(full_queue, Queue.join, Queue.task_done, id="Queue.join"),
]

Make = Callable[[], Any]
Wait = Callable[..., "Future[Any]"]
Grant = Callable[[Any], object]


@pytest.mark.parametrize(("make", "wait", "grant"), WAITS)
def test_waits_are_served_in_order_whatever_happens_to_others(
    make: Make, wait: Wait, grant: Grant
) -> None:
    async def main() -> None:
        shared = make()
        waits = [wait(shared) for _ in range(4)]
        assert waits[1].cancel()
        assert await is_late(wait(shared, AT_ONCE))
        grant(shared)
        assert waits[0].done()
        if not isinstance(shared, Event) and grant is not Queue.task_done:
            assert not waits[2].done()
            grant(shared)
        assert waits[2].done()
        assert waits[1].cancelled()

    asyncio.run(main())


async def is_late(wait: Future[Any]) -> bool:
    try:
        # So a condition says it.
        return await wait is False
    except TimeoutError as error:
        return str(error) == "Timeout"


@pytest.mark.parametrize(("make", "wait", "grant"), WAITS)
def test_grant_comes_before_a_deadline_that_is_then_forgotten(
    make: Make, wait: Wait, grant: Grant
) -> None:
    async def main() -> None:
        shared = make()
        wait_ended = wait(shared, NEVER)
        grant(shared)
        await wait_ended
        # A timer that was cancelled has no callback.
        loop: Any = asyncio.get_running_loop()
        assert [timer for timer in loop._scheduled if not timer.cancelled()] == []

    asyncio.run(main())


@pytest.mark.parametrize(("make", "wait", "grant"), WAITS)
def test_deadline_is_a_time_of_the_loop_too(
    make: Make, wait: Wait, grant: Grant
) -> None:
    async def main() -> None:
        shared = make()
        now = IOLoop.current().time()
        later = wait(shared, now + 3600)
        assert await is_late(wait(shared, now - 1))
        assert not later.done()

    asyncio.run(main())


@pytest.mark.parametrize(("make", "wait", "grant"), WAITS)
def test_what_is_no_deadline_is_refused_and_not_waited_for(
    make: Make, wait: Wait, grant: Grant
) -> None:
    async def main() -> None:
        shared = make()
        before = str(shared)
        with pytest.raises(TypeError):
            wait(shared, "soon")
        assert str(shared) == before

    asyncio.run(main())


@pytest.mark.parametrize("end", ["cancelled", "late"])
@pytest.mark.parametrize(("make", "wait", "grant"), WAITS)
def test_nothing_is_kept_of_those_who_gave_up(
    make: Make, wait: Wait, grant: Grant, end: str
) -> None:
    async def main() -> None:
        shared = make()
        before = str(shared)
        for _ in range(10):
            timeout = AT_ONCE if end == "late" else NEVER
            waits = [wait(shared, timeout) for _ in range(500)]
            if end == "cancelled":
                for future in waits:
                    future.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
            assert str(shared) == before

    asyncio.run(main())


@pytest.mark.parametrize(("make", "wait", "grant"), WAITS)
def test_wait_that_the_program_ended_itself_gets_nothing(
    make: Make, wait: Wait, grant: Grant
) -> None:
    async def main() -> None:
        shared = make()
        first, second = wait(shared), wait(shared)
        first.set_exception(KeyError("by hand"))
        grant(shared)
        await second
        with pytest.raises(KeyError, match="by hand"):
            await first

    asyncio.run(main())


@pytest.mark.parametrize(("make", "wait", "grant"), WAITS)
def test_object_is_freed_without_the_garbage_collector(
    make: Make, wait: Wait, grant: Grant
) -> None:
    async def main() -> None:
        shared = make()
        future = wait(shared)
        grant(shared)
        await future
        del future
        known = weakref.ref(shared)
        del shared
        assert known() is None

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


def test_many_waiters_are_notified_in_linear_time() -> None:
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    async def main(number: int) -> int:
        nonlocal calls
        condition = Condition()
        waits = [condition.wait() for _ in range(number)]
        calls = 0
        sys.setprofile(count)
        condition.notify_all()
        sys.setprofile(None)
        assert await asyncio.gather(*waits) == [True] * number
        return calls

    few, many = asyncio.run(main(100)), asyncio.run(main(10_000))
    assert few > 100
    assert many < few * 110


# Condition


def test_condition_wakes_as_many_as_are_notified() -> None:
    async def main() -> None:
        condition = Condition()
        waits = [condition.wait() for _ in range(5)]
        condition.notify(0)
        condition.notify(-1)
        assert not any(wait.done() for wait in waits)
        condition.notify()
        condition.notify(2)
        assert [wait.done() for wait in waits] == [True] * 3 + [False] * 2
        condition.notify_all()
        assert await asyncio.gather(*waits) == [True] * 5
        late = condition.wait(timeout=AT_ONCE)
        assert await late is False

    asyncio.run(main())


def test_notification_that_nobody_waits_for_is_gone() -> None:
    async def main() -> None:
        condition = Condition()
        condition.notify_all()
        assert not condition.wait().done()

    asyncio.run(main())


def test_waiter_that_is_cancelled_once_notified_passes_it_on() -> None:
    async def main() -> None:
        condition = Condition()
        first = asyncio.create_task(wait_for(condition))
        second = asyncio.create_task(wait_for(condition))
        await asyncio.sleep(0)
        condition.notify()
        first.cancel()
        assert await second
        assert first.cancelled()

    async def wait_for(condition: Condition) -> bool:
        return await condition.wait()

    asyncio.run(main())


# Event


def test_event_stays_set_until_it_is_cleared() -> None:
    async def main() -> None:
        event = Event()
        assert not event.is_set()
        event.set()
        event.set()
        assert event.is_set()
        assert event.wait(AT_ONCE).done()
        event.clear()
        assert not event.is_set()
        wait = event.wait()
        event.set()
        event.clear()
        await wait

    asyncio.run(main())


def test_cancelled_wait_for_an_event_that_was_set_hurts_nobody() -> None:
    async def main() -> None:
        event = Event()
        wait = event.wait()

        async def share() -> None:
            await wait

        first, second = asyncio.create_task(share()), asyncio.create_task(share())
        await asyncio.sleep(0)
        event.set()
        first.cancel()
        await second
        assert not wait.cancelled()

    asyncio.run(main())


# Semaphore and Lock

LOCKS = [
    pytest.param(Semaphore, id="Semaphore"),
    pytest.param(BoundedSemaphore, id="BoundedSemaphore"),
    pytest.param(Lock, id="Lock"),
]


@pytest.mark.parametrize("make", LOCKS)
def test_async_with_holds_it_and_releases_it(make: type[AnyLock]) -> None:
    async def main() -> None:
        lock = make()

        async def fail_within() -> None:
            async with lock:
                assert not lock.acquire().done()
                raise KeyError

        with pytest.raises(KeyError):
            await fail_within()
        # The one above has it now.
        assert "waiters" not in repr(lock)
        assert "[locked]" in repr(lock)

    asyncio.run(main())


@pytest.mark.parametrize("make", LOCKS)
def test_with_what_acquire_gives_releases_it(make: type[AnyLock]) -> None:
    async def main() -> None:
        lock = make()
        for acquired in (lock.acquire(), lock.acquire()):
            permit: AbstractContextManager[None] = await acquired
            with permit:
                assert "[locked" in repr(lock)
        assert "[unlocked,value:1]" in repr(lock)

    asyncio.run(main())


@pytest.mark.parametrize("make", LOCKS)
def test_generator_holds_it_by_with_and_yield(make: type[AnyLock]) -> None:
    @gen.coroutine
    def main() -> Generator[Any, Any, None]:
        lock = make()
        with (yield lock.acquire()):
            assert "[locked" in repr(lock)
        assert "[unlocked,value:1]" in repr(lock)

    IOLoop.current().run_sync(main)


@pytest.mark.parametrize("make", LOCKS)
def test_plain_with_says_what_to_write(make: type[Any]) -> None:
    message = f"Use 'async with' instead of 'with' for {make.__name__}"
    with pytest.raises(RuntimeError, match=message), make():
        pass
    with pytest.raises(RuntimeError, match=message):
        make().__exit__(None, None, None)


@pytest.mark.parametrize("make", LOCKS)
def test_task_cancelled_when_it_was_just_granted_passes_it_on(
    make: type[AnyLock],
) -> None:
    async def main() -> None:
        lock = make()
        await lock.acquire()
        first, second = asyncio.create_task(hold(lock)), asyncio.create_task(hold(lock))
        await asyncio.sleep(0)
        lock.release()
        first.cancel()
        await second
        assert first.cancelled()
        assert "[unlocked,value:1]" in repr(lock)

    async def hold(lock: AnyLock) -> None:
        async with lock:
            pass

    asyncio.run(main())


def test_semaphore_has_as_many_permits_as_it_was_given() -> None:
    async def main() -> None:
        semaphore = Semaphore(2)
        assert [semaphore.acquire().done() for _ in range(3)] == [True, True, False]
        semaphore.release()
        semaphore.release()
        semaphore.release()
        semaphore.release()
        assert "[unlocked,value:3]" in repr(semaphore)

    asyncio.run(main())


@pytest.mark.parametrize("make", [Semaphore, BoundedSemaphore])
def test_number_of_permits_is_not_negative(make: type[Semaphore]) -> None:
    make(0)
    with pytest.raises(ValueError, match="semaphore initial value must be >= 0"):
        make(-1)


def test_bounded_semaphore_is_not_released_too_often() -> None:
    semaphore = BoundedSemaphore(2)
    with pytest.raises(ValueError, match="Semaphore released too many times"):
        semaphore.release()


def test_lock_that_nobody_holds_is_not_released() -> None:
    with pytest.raises(RuntimeError, match="release unlocked lock"):
        Lock().release()


def test_they_show_their_state() -> None:
    async def main() -> None:
        condition, event, semaphore = Condition(), Event(), Semaphore(2)
        assert repr(condition) == "<Condition>"
        assert repr(event) == "<Event clear>"
        assert "Semaphore object at" in repr(semaphore)
        event.set()
        waits = [condition.wait(), *(semaphore.acquire() for _ in range(3))]
        assert repr(condition) == "<Condition waiters[1]>"
        assert repr(event) == "<Event set>"
        assert "[locked,waiters:1]" in repr(semaphore)
        assert "<Lock _block=<" in repr(Lock())
        assert len(waits) == 4

    asyncio.run(main())
