"""Locks and queues between threads, loops and processes: who waits is woken."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from tests.idle_loop import BOUND, IdleLoop, in_thread
from wsgitornado import _waiting
from wsgitornado.concurrent import Future
from wsgitornado.locks import Condition, Event, Lock, Semaphore
from wsgitornado.queues import Queue

AT_ONCE = timedelta(0)


def held_lock() -> Lock:
    lock = Lock()
    lock._block._value = 0
    return lock


def full_queue() -> Queue[int]:
    queue: Queue[int] = Queue(1)
    queue.put_nowait(0)
    return queue


Make = Callable[[], Any]
Wait = Callable[..., "Future[Any]"]
Grant = Callable[[Any], object]

#: What one waits for, what a thread does, and what the wait gives then.
WAITS = [
    pytest.param(Condition, Condition.wait, Condition.notify, id="notify"),
    pytest.param(Condition, Condition.wait, Condition.notify_all, id="notify_all"),
    pytest.param(Event, Event.wait, Event.set, id="set"),
    pytest.param(
        lambda: Semaphore(0), Semaphore.acquire, Semaphore.release, id="Semaphore"
    ),
    pytest.param(held_lock, Lock.acquire, Lock.release, id="Lock"),
    pytest.param(Queue, Queue.get, lambda queue: queue.put_nowait(1), id="put_nowait"),
    pytest.param(Queue, Queue.get, lambda queue: queue.put(1), id="put"),
    pytest.param(
        full_queue,
        lambda queue, timeout=None: queue.put(2, timeout),
        Queue.get_nowait,
        id="get_nowait",
    ),
    pytest.param(full_queue, Queue.join, Queue.task_done, id="task_done"),
]

#: Those of them where one grant serves one waiter.
ONE_BY_ONE = [
    param
    for param in WAITS
    if param.id in {"notify", "Semaphore", "Lock", "put_nowait", "put"}
]


@pytest.mark.parametrize(("make", "wait", "grant"), WAITS)
def test_thread_wakes_a_loop_that_sleeps(make: Make, wait: Wait, grant: Grant) -> None:
    # Made here, where no loop runs, as at the import of a program.
    shared = make()

    async def main() -> None:
        await wait(shared)

    IdleLoop().run(main(), lambda: grant(shared))


@pytest.mark.parametrize(("make", "wait", "grant"), WAITS)
def test_granted_wait_is_not_cancelled_while_the_news_is_under_way(
    make: Make, wait: Wait, grant: Grant
) -> None:
    async def main() -> None:
        shared = make()
        future = wait(shared)
        in_thread(grant, shared)
        assert not future.cancel()
        assert future.done()
        assert future.exception() is None
        assert await future is future.result()

    asyncio.run(main())


@pytest.mark.parametrize(("make", "wait", "grant"), WAITS)
def test_granted_wait_is_not_cancelled_by_a_thread(
    make: Make, wait: Wait, grant: Grant
) -> None:
    answers: list[bool] = []

    async def main() -> None:
        shared = make()
        future = wait(shared)
        in_thread(grant, shared)
        in_thread(lambda: answers.append(future.cancel()))
        assert answers == [False]
        await future

    asyncio.run(main())


@pytest.mark.parametrize(("make", "wait", "grant"), WAITS)
def test_granted_wait_is_not_late_while_the_news_is_under_way(
    make: Make, wait: Wait, grant: Grant
) -> None:
    async def main() -> None:
        shared = make()
        future = wait(shared, AT_ONCE)
        # Then the timer is next, and the news comes after it.
        await asyncio.sleep(0)
        assert not future.done()
        in_thread(grant, shared)
        assert await future is not False

    asyncio.run(main())


@pytest.mark.parametrize(("make", "wait", "grant"), ONE_BY_ONE)
@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_what_a_dead_task_was_granted_goes_to_the_next(
    make: Make, wait: Wait, grant: Grant, how: str
) -> None:
    async def main() -> None:
        shared = make()

        async def use() -> None:
            await wait(shared)

        if how == "cancelled":
            task = asyncio.create_task(use())
            await asyncio.sleep(0)
        else:
            coroutine = use()
            coroutine.send(None)
        second = wait(shared)
        in_thread(grant, shared)
        if how == "cancelled":
            task.cancel()
        else:
            coroutine.close()
        async with asyncio.timeout(BOUND):
            await second

    asyncio.run(main())


@pytest.mark.parametrize(("make", "wait", "grant"), ONE_BY_ONE)
def test_what_was_passed_on_cannot_be_had_from_the_future_too(
    make: Make, wait: Wait, grant: Grant
) -> None:
    async def main() -> None:
        shared = make()
        future = wait(shared)

        async def use() -> None:
            await future

        task = asyncio.create_task(use())
        await asyncio.sleep(0)
        in_thread(grant, shared)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert future.cancelled()
        for ask in (future.result, future.exception):
            with pytest.raises(asyncio.CancelledError):
                ask()

    asyncio.run(main())


@pytest.mark.parametrize(("make", "wait", "grant"), ONE_BY_ONE)
def test_waiter_whose_loop_was_closed_is_passed_over(
    make: Make, wait: Wait, grant: Grant
) -> None:
    shared = make()

    async def leave_waiting() -> None:
        for _ in range(3):
            wait(shared)

    async def main() -> None:
        future = wait(shared)
        grant(shared)
        await future

    asyncio.run(leave_waiting())
    asyncio.run(main())


def test_news_for_a_loop_that_is_closed_at_this_moment_may_be_lost() -> None:
    # Nobody can be told instead.
    event = Event()

    class Closing(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(self, *_: object, **__: object) -> asyncio.Handle:
            raise RuntimeError("Event loop is closed")

    async def leave_waiting() -> None:
        event.wait()

    loop = Closing()
    loop.run_until_complete(leave_waiting())
    event.set()
    loop.close()
    assert event.is_set()


def test_loop_is_called_once_for_all_its_waiters() -> None:
    condition = Condition()

    async def main() -> None:
        await asyncio.gather(*(condition.wait() for _ in range(1000)))

    loop = IdleLoop()
    loop.run(main(), condition.notify_all)
    assert loop.calls_from_threads == 1


def test_wait_that_the_program_ends_while_the_news_is_under_way_hurts_no_other() -> (
    None
):
    async def main() -> None:
        condition = Condition()
        waits = [condition.wait() for _ in range(3)]
        in_thread(condition.notify_all)
        asyncio.Future.set_result(waits[0], False)
        async with asyncio.timeout(BOUND):
            assert await asyncio.gather(*waits[1:]) == [True, True]

    asyncio.run(main())


def test_waiters_of_several_loops_are_woken_each_on_its_own() -> None:
    condition = Condition()
    woken_in: list[int] = []
    all_wait = threading.Barrier(4)

    async def main() -> None:
        wait = condition.wait()
        wait.add_done_callback(lambda _: woken_in.append(threading.get_ident()))
        all_wait.wait(BOUND)
        async with asyncio.timeout(BOUND):
            await wait

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    all_wait.wait(BOUND)
    idents = [thread.ident for thread in threads]
    condition.notify_all()
    for thread in threads:
        thread.join()
    assert sorted(woken_in) == sorted(ident for ident in idents if ident)


def test_thread_without_a_loop_gets_futures_that_are_done() -> None:
    queue: Queue[int] = Queue()
    lock, event = Lock(), Event()
    event.set()

    def use() -> None:
        assert queue.put(1).done()
        assert queue.get().result() == 1
        assert event.wait().done()
        with lock.acquire().result():
            assert "[locked]" in repr(lock)

    in_thread(use)


def test_permits_are_never_too_many_or_lost_between_threads() -> None:
    semaphore = Semaphore(3)
    chance = random.Random(5)
    in_use = most = 0

    async def use(pool: ThreadPoolExecutor) -> None:
        nonlocal in_use, most
        await semaphore.acquire()
        in_use += 1
        most = max(most, in_use)
        try:
            await asyncio.sleep(0)
        finally:
            in_use -= 1
            pool.submit(semaphore.release)

    async def main(pool: ThreadPoolExecutor) -> None:
        tasks = [asyncio.create_task(use(pool)) for _ in range(300)]
        for _ in range(100):
            await asyncio.sleep(0)
            chance.choice(tasks).cancel()
        async with asyncio.timeout(BOUND):
            await asyncio.gather(*tasks, return_exceptions=True)

    with ThreadPoolExecutor(4) as pool:
        asyncio.run(main(pool))
    assert most == 3
    assert "[unlocked,value:3]" in repr(semaphore)


def test_generation_after_a_fork_begins_with_nobody_in_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        event, queue = Event(), full_queue()
        of_parent = [event.wait(), queue.put(2)]
        monkeypatch.setattr(_waiting, "_generation", _waiting._generation)
        _waiting._count_fork()
        assert str(queue) == "<Queue maxsize=1 queue=deque([0]) tasks=1>"
        of_child = event.wait()
        event.set()
        assert of_child.done()
        assert queue.get_nowait() == 0
        assert queue.empty()
        assert not any(wait.done() for wait in of_parent)
        assert of_parent[0].cancel()

    asyncio.run(main())


FORK = """
    import asyncio, os, threading
    from wsgitornado.locks import Event, Semaphore
    from wsgitornado.queues import Queue

    event, semaphore, queue = Event(), Semaphore(2), Queue()
    may_end = threading.Event()
    waits = threading.Event()

    async def parent():
        get, _ = queue.get(), semaphore.acquire()
        event.wait()
        await asyncio.to_thread(hold_mutexes)
        return await get

    def hold_mutexes():
        with event._guard.hold(), semaphore._guard.hold(), queue._guard.hold():
            waits.set()
            may_end.wait()

    thread = threading.Thread(target=lambda: results.append(asyncio.run(parent())))
    results = []
    thread.start()
    waits.wait()

    async def child():
        async with asyncio.timeout(20):
            wait, get = event.wait(), queue.get()
            event.set()
            queue.put_nowait("child")
            await wait
            # The permits are those at the moment of the fork.
            assert "[unlocked,value:1]" in repr(semaphore), semaphore
            assert await get == "child"
            assert "getters" not in repr(queue)

    pid = os.fork()
    if not pid:
        asyncio.run(child())
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    may_end.set()
    queue.put_nowait("parent")
    thread.join()
    assert results == ["parent"] and not event.is_set()
"""


def test_forked_child_uses_them_and_forgets_the_waiters_of_its_parent() -> None:
    program = textwrap.dedent(FORK)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
