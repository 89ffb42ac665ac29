"""Locks and queues, made at import and used by handlers that wait and that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from tornado import gen, locks, queues, web
from tornado.ioloop import IOLoop

from tests.porting.raw import form, get

SOON = timedelta(milliseconds=1)

changed = locks.Condition()
ready = locks.Event()
lock = locks.Lock()
few = locks.Semaphore(2)
messages: queues.Queue[str] = queues.Queue(maxsize=2)


class Messages(web.RequestHandler):
    """Put by a plain handler, got by one that waits, each in its own request."""

    def post(self) -> None:
        try:
            messages.put_nowait(self.get_argument("text"))
        except queues.QueueFull:
            self.set_status(503)
        changed.notify_all()
        self.write(f"{messages.qsize()} {messages.full()}")

    async def get(self) -> None:
        try:
            self.write(await messages.get(timeout=SOON))
        except TimeoutError:
            self.set_status(504)


async def notified() -> Any:
    IOLoop.current().add_callback(changed.notify)
    return await changed.wait()


async def not_notified() -> Any:
    return await changed.wait(timeout=SOON)


async def set_later() -> Any:
    IOLoop.current().call_later(0.001, ready.set)
    await ready.wait()
    ready.clear()
    return repr(ready)


async def never_set() -> Any:
    await ready.wait(timeout=SOON)


async def one_at_a_time() -> Any:
    log = []

    async def work(name: str) -> None:
        async with lock:
            log.append(f"{name} in")
            await asyncio.sleep(0)
            log.append(f"{name} out")

    await asyncio.gather(work("a"), work("b"), work("c"))
    return log


@gen.coroutine
def in_a_generator() -> Any:
    log = []
    with (yield lock.acquire()):
        log.append("in")
        both = yield {"slept": gen.sleep(0), "put": [messages.put("x")]}
        log.append(repr(both))
    raise gen.Return(log)


async def two_at_a_time() -> Any:
    most = busy = 0

    async def work() -> None:
        nonlocal most, busy
        with await few.acquire():
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0)
            busy -= 1

    await asyncio.gather(*(work() for _ in range(5)))
    return most


async def plain_with() -> Any:
    try:
        lock.__enter__()
    except RuntimeError as error:
        return str(error).replace("`", "'")[:42]


async def released_too_often() -> Any:
    lock.release()


async def pipeline() -> Any:
    queue: queues.Queue[int] = queues.Queue(maxsize=1)
    done: list[int] = []

    async def consume() -> None:
        async for item in queue:
            done.append(item)
            queue.task_done()

    task = asyncio.ensure_future(consume())
    for item in range(5):
        await queue.put(item)
    await queue.join(timeout=timedelta(seconds=5))
    task.cancel()
    return done


async def priorities() -> Any:
    queue: queues.Queue[Any] = queues.PriorityQueue()
    for item in ((2, "b"), (1, "a"), (3, "c")):
        queue.put(item)
    return [await queue.get() for _ in range(3)] + [str(queue)]


async def stack() -> Any:
    queue: queues.Queue[int] = queues.LifoQueue(2)
    queue.put(1)
    queue.put(2)
    late = queue.put(3)
    return [await queue.get(), await queue.get(), await queue.get(), late.done()]


STEPS: dict[str, Callable[[], Awaitable[Any]]] = {
    step.__name__: step
    for step in (
        notified,
        not_notified,
        set_later,
        never_set,
        one_at_a_time,
        in_a_generator,
        two_at_a_time,
        plain_with,
        released_too_often,
        pipeline,
        priorities,
        stack,
    )
}


class Steps(web.RequestHandler):
    async def get(self, name: str) -> None:
        self.write({"result": await STEPS[name]()})


def make_app() -> web.Application:
    return web.Application([(r"/messages", Messages), (r"/(.*)", Steps)])


def message(text: str) -> bytes:
    return form("/messages", f"text={text}")


REQUESTS = {
    "nothing_there": get("/messages"),
    "first_put": message("one"),
    "second_put": message("two"),
    "put_into_a_full_queue": message("three"),
    "first_got": get("/messages"),
    "second_got": get("/messages"),
    "nothing_left": get("/messages"),
    **{name: get(f"/{name}") for name in STEPS},
    "lock_is_free_again": get("/one_at_a_time"),
}
