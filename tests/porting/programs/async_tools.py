"""What handlers wait with: callbacks that finish, futures set later, timers, locks."""

from __future__ import annotations

import asyncio
import datetime
import functools
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tornado import concurrent, gen, ioloop, locks, queues, util, web
from tornado.ioloop import IOLoop, PeriodicCallback
from tornado.log import gen_log

from tests.porting.raw import form, get, head, post, request

SOON = datetime.timedelta(milliseconds=1)


class Callbacks(web.RequestHandler):
    """Finished by something else than its verb, as programs did before coroutines."""

    def prepare(self) -> None:
        self._auto_finish = False

    def get(self, what: str) -> None:
        getattr(self, f"do_{what}")()

    head = get

    def on_finish(self) -> None:
        gen_log.info("on_finish %s", self.get_status())

    def do_callback(self) -> None:
        IOLoop.current().add_callback(self.finish, "called back")

    def do_callback_with_keywords(self) -> None:
        IOLoop.current().add_callback(self.finish, chunk="called back")

    def do_written_before(self) -> None:
        self.set_header("X-Before", "1")
        self.write("before ")
        IOLoop.current().add_callback(self.finish, "called back")

    def do_partial(self) -> None:
        IOLoop.current().add_callback(functools.partial(self.done, a=1), 2)

    def done(self, b: int, a: int) -> None:
        self.write({"a": a, "b": b})
        self.finish()

    def do_later(self) -> None:
        IOLoop.current().call_later(0.001, self.finish, "later")

    def do_at(self) -> None:
        loop = IOLoop.current()
        loop.call_at(loop.time() + 0.001, self.finish, "at a time")

    def do_timeout(self) -> None:
        IOLoop.current().add_timeout(SOON, self.finish, "after a timedelta")

    def do_timeout_at(self) -> None:
        IOLoop.current().add_timeout(time.time() + 0.001, self.finish, "at a time")

    def do_timer_removed(self) -> None:
        loop = IOLoop.current()
        timer = loop.call_later(100, self.finish, "removed")
        loop.remove_timeout(timer)
        loop.call_later(0.001, self.finish, "the other one")

    def do_thread(self) -> None:
        """From a thread of its own: by the way that is allowed."""
        loop = IOLoop.current()
        target = functools.partial(loop.add_callback, self.finish, "from a thread")
        threading.Thread(target=target).start()

    def do_signal_way(self) -> None:
        IOLoop.current().add_callback_from_signal(self.finish, "as from a signal")

    def do_pool(self) -> None:
        pool = ThreadPoolExecutor(1)
        future = pool.submit(divmod, 7, 2)
        pool.shutdown(wait=False)
        IOLoop.current().add_future(future, self.finish_with)

    def finish_with(self, future: Any) -> None:
        self.finish({"result": future.result()})

    def do_future(self) -> None:
        future: Any = concurrent.Future()
        IOLoop.current().add_future(future, self.finish_with)
        IOLoop.current().add_callback(future.set_result, "of a future")

    def do_done_future(self) -> None:
        done = gen.maybe_future("of a done future")
        IOLoop.current().add_future(done, self.finish_with)

    def do_spawned(self) -> None:
        IOLoop.current().spawn_callback(self.coroutine)

    async def coroutine(self) -> None:
        await asyncio.sleep(0)
        self.finish("of a spawned coroutine")

    def do_redirect(self) -> None:
        IOLoop.current().add_callback(self.redirect, "/there")

    def do_send_error(self) -> None:
        IOLoop.current().add_callback(self.send_error, 503, reason="Later")

    def do_parts(self) -> None:
        IOLoop.current().add_callback(self.part, 3)

    def part(self, left: int) -> None:
        if not left:
            self.finish("end")
            return
        self.write(f"{left} ")
        self.flush()
        IOLoop.current().add_callback(self.part, left - 1)

    def do_flushed_before(self) -> None:
        self.write("before ")
        self.flush()
        IOLoop.current().add_callback(self.finish, "called back")

    def do_finished_at_once(self) -> None:
        self.finish("at once")

    def do_fail(self) -> None:
        raise KeyError("before it could wait")

    def do_error(self) -> None:
        raise web.HTTPError(404)

    def do_periodic(self) -> None:
        self.count = 0
        self.timer = PeriodicCallback(self.tick, 1)
        self.timer.start()

    def tick(self) -> None:
        self.count += 1
        self.write(f"tick {self.count} ")
        if self.count == 3:
            self.timer.stop()
            self.finish(str(self.timer.is_running()))


class Started(web.RequestHandler):
    """A verb that returns while something else goes on, and is waited for."""

    def get(self, what: str) -> Any:
        future: Any = concurrent.Future()
        getattr(self, f"do_{what}")(future)
        return future

    def do_set_by_callback(self, future: Any) -> None:
        def done() -> None:
            self.write("set by a callback")
            future.set_result(None)

        IOLoop.current().add_callback(done)

    def do_set_by_timer(self, future: Any) -> None:
        IOLoop.current().call_later(0.001, future.set_result, None)

    def do_failed_by_callback(self, future: Any) -> None:
        IOLoop.current().add_callback(future.set_exception, web.HTTPError(409))

    def do_finish_raised_by_callback(self, future: Any) -> None:
        error = web.Finish("finished")
        IOLoop.current().add_callback(future.set_exception, error)

    def do_chained(self, future: Any) -> None:
        first: Any = concurrent.Future()
        concurrent.chain_future(first, future)
        IOLoop.current().add_callback(first.set_result, "not sent")

    def do_set_unless_cancelled(self, future: Any) -> None:
        IOLoop.current().add_callback(
            concurrent.future_set_result_unless_cancelled, future, "not sent"
        )

    def do_done(self, future: Any) -> None:
        self.write("done")
        future.set_result("not sent")

    def do_called_when_done(self, future: Any) -> None:
        concurrent.future_add_done_callback(future, lambda future: self.write("done"))
        IOLoop.current().add_callback(future.set_result, None)


class Board:
    """Long polling, as in a chat: who asks waits until somebody writes."""

    def __init__(self) -> None:
        self.changed = locks.Condition()
        self.messages: list[str] = []

    def add(self, message: str) -> None:
        self.messages.append(message)
        self.changed.notify_all()

    async def after(self, count: int) -> list[str]:
        while len(self.messages) <= count:
            if not await self.changed.wait(timeout=SOON):
                break
        return self.messages[count:]


class Posted(web.RequestHandler):
    def initialize(self, board: Board) -> None:
        self.board = board

    def post(self) -> None:
        self.board.add(self.get_body_argument("message"))
        self.set_status(201)


class Polled(Posted):
    async def get(self) -> None:
        if self.get_argument("post", ""):
            IOLoop.current().add_callback(self.board.add, self.get_argument("post"))
        messages = await self.board.after(int(self.get_argument("after", "0")))
        self.write({"messages": messages})


class Awaited(web.RequestHandler):
    """Tools of this loop, asked for in a coroutine."""

    async def get(self, what: str) -> None:
        self.write({"result": await getattr(self, f"do_{what}")()})

    async def do_event_set_by_callback(self) -> Any:
        event = locks.Event()
        IOLoop.current().add_callback(event.set)
        await event.wait()
        return event.is_set()

    async def do_condition_by_all(self) -> Any:
        condition = locks.Condition()
        waiting = [condition.wait() for _ in range(3)]
        condition.notify(1)
        IOLoop.current().add_callback(condition.notify_all)
        return await gen.multi(waiting)

    async def do_semaphore(self) -> Any:
        semaphore = locks.BoundedSemaphore(1)
        order: list[int] = []

        async def work(number: int) -> None:
            async with semaphore:
                await asyncio.sleep(0)
                order.append(number)

        await gen.multi([work(number) for number in range(4)])
        return order

    async def do_lock_times_out(self) -> Any:
        lock = locks.Lock()
        with await lock.acquire():
            try:
                await lock.acquire(timeout=SOON)
            except TimeoutError as error:
                return type(error).__name__

    async def do_queue(self) -> Any:
        queue: queues.Queue[int] = queues.Queue(1)
        IOLoop.current().spawn_callback(self.fill, queue)
        return [await queue.get() for _ in range(4)]

    async def fill(self, queue: queues.Queue[int]) -> None:
        for number in range(4):
            await queue.put(number)

    async def do_queue_empty(self) -> Any:
        try:
            queues.Queue().get_nowait()
        except queues.QueueEmpty as error:
            return type(error).__name__

    async def do_multi_of_names(self) -> Any:
        return await gen.multi({"a": self.number(1), "b": self.number(2)})

    async def number(self, number: int) -> int:
        await asyncio.sleep(0)
        return number

    async def do_with_timeout(self) -> Any:
        return await gen.with_timeout(datetime.timedelta(hours=1), self.number(1))

    async def do_with_timeout_late(self) -> Any:
        await gen.with_timeout(SOON, locks.Event().wait())

    async def do_with_deadline(self) -> Any:
        deadline = IOLoop.current().time() + 3600
        return await gen.with_timeout(deadline, gen.maybe_future("in time"))

    async def do_sleep(self) -> Any:
        return await gen.sleep(0.001)

    async def do_iterator(self) -> Any:
        futures = [gen.convert_yielded(self.number(number)) for number in (1, 2)]
        iterator = gen.WaitIterator(*futures)
        return sorted([number async for number in iterator])

    async def do_executor(self) -> Any:
        return await IOLoop.current().run_in_executor(None, divmod, 7, 2)

    async def do_own_executor(self) -> Any:
        pool = ThreadPoolExecutor(1)
        try:
            return await IOLoop.current().run_in_executor(pool, divmod, 7, 2)
        finally:
            pool.shutdown(wait=False)

    async def do_executor_fails(self) -> Any:
        await IOLoop.current().run_in_executor(None, divmod, 7, 0)

    async def do_set_by_thread(self) -> Any:
        future: Any = concurrent.Future()
        loop = IOLoop.current()
        work = functools.partial(loop.add_callback, future.set_result, "by a thread")
        threading.Thread(target=work).start()
        return await future

    async def do_same_loop(self) -> Any:
        current = IOLoop.current()
        running: Any = asyncio.get_running_loop()
        same = current.asyncio_loop is running  # type: ignore[attr-defined]  # it has
        return [same, current is IOLoop.current(instance=False)]

    async def do_order_of_callbacks(self) -> Any:
        order: list[str] = []
        loop = IOLoop.current()
        done = locks.Event()
        for name in ("a", "b", "c"):
            loop.add_callback(order.append, name)
        loop.add_callback(done.set)
        await done.wait()
        return order

    async def do_order_of_timers(self) -> Any:
        order: list[str] = []
        loop = IOLoop.current()
        done = locks.Event()
        loop.call_later(0.004, done.set)
        for name, delay in (("late", 0.003), ("soon", 0), ("then", 0.001)):
            loop.call_later(delay, order.append, name)
        await done.wait()
        return order

    async def do_time(self) -> Any:
        return abs(IOLoop.current().time() - time.time()) < 3600

    async def do_callback_fails(self) -> Any:
        """The failure of a callback is nobody's answer."""
        done = locks.Event()
        IOLoop.current().add_callback(done.set)
        IOLoop.current().remove_timeout(IOLoop.current().call_later(100, fail))
        await done.wait()
        return "answered"

    async def do_timeout_names(self) -> Any:
        modules: Any = (gen, ioloop, util)
        names: Any = [module.TimeoutError for module in modules]
        return [issubclass(name, TimeoutError) for name in names]


def fail() -> None:
    raise KeyError("late")


SLOW: dict[str, Callable[[], Awaitable[Any]]] = {
    "sleep": lambda: gen.sleep(0.002),
    "asyncio": lambda: asyncio.sleep(0.002),
    "thread": lambda: asyncio.to_thread(time.sleep, 0.002),
}


class Slow(web.RequestHandler):
    """Reports on itself how long it took, in words."""

    async def get(self, what: str) -> None:
        before = time.monotonic()
        await SLOW[what]()
        took = time.monotonic() - before
        self.write("waited" if took >= 0.001 else f"did not wait: {took}")
        self.write(f" {self.request.request_time() >= took}")


def make_app() -> web.Application:
    board = {"board": Board()}
    rules: list[Any] = [
        (r"/callbacks/(.*)", Callbacks),
        (r"/started/(.*)", Started),
        (r"/messages", Posted, board),
        (r"/poll", Polled, board),
        (r"/awaited/(.*)", Awaited),
        (r"/slow/(.*)", Slow),
    ]
    return web.Application(rules)


def names(cls: type) -> list[str]:
    return [name.removeprefix("do_") for name in vars(cls) if name.startswith("do_")]


REQUESTS = {
    **{f"finished_by_{name}": get(f"/callbacks/{name}") for name in names(Callbacks)},
    **{
        f"head_finished_by_{name}": head(f"/callbacks/{name}")
        for name in ("callback", "parts", "send_error")
    },
    **{f"started_{name}": get(f"/started/{name}") for name in names(Started)},
    "poll_for_nothing": get("/poll"),
    "post_to_poll": form("/messages", "message=first"),
    "poll": get("/poll"),
    "poll_after_the_last": get("/poll?after=1"),
    "poll_until_posted": get("/poll?after=1&post=second"),
    "poll_for_both": get("/poll"),
    "poll_for_a_bad_number": get("/poll?after=x"),
    "post_nothing_to_poll": post("/messages", b""),
    "put_to_poll": request("PUT", "/poll", body=b""),
    **{f"awaited_{name}": get(f"/awaited/{name}") for name in names(Awaited)},
    **{f"slow_{name}": get(f"/slow/{name}") for name in SLOW},
}
