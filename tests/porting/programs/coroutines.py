"""Handlers whose methods are generators, and what they wait for."""

from __future__ import annotations

import asyncio
import datetime
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tornado import concurrent, gen, web
from tornado.ioloop import IOLoop

from tests.porting.raw import form, get

Coroutine = Generator[Any, Any, Any]


@gen.coroutine
def later(value: object) -> Coroutine:
    yield gen.sleep(0.001)
    raise gen.Return(value)


@gen.coroutine
def fail(error: Exception) -> Coroutine:
    yield gen.moment
    raise error


async def native(value: object) -> object:
    await asyncio.sleep(0)
    return value


class Work:
    """One thread, which ends with what it was given."""

    def __init__(self) -> None:
        self.executor = ThreadPoolExecutor(1)

    @concurrent.run_on_executor
    def double(self, number: int) -> int:
        assert threading.current_thread() is not threading.main_thread()
        return 2 * number

    def begin(self, start: Callable[..., Any], *args: Any) -> Any:
        future = start(*args)
        self.executor.shutdown(wait=False)
        return future


def on_executor() -> Any:
    work = Work()
    return work.begin(work.double, 4)


def in_pool() -> Any:
    work = Work()
    return work.begin(work.executor.submit, divmod, 7, 2)


def set_by_a_callback() -> Any:
    future: Any = concurrent.Future()
    IOLoop.current().add_callback(future.set_result, "called back")
    return future


def set_by_chaining() -> Any:
    future: Any = concurrent.Future()
    concurrent.chain_future(later("chained"), future)
    return future


def in_time() -> Any:
    return gen.with_timeout(datetime.timedelta(hours=1), later("in time"))


def done() -> Any:
    return gen.maybe_future("done")


#: What is yielded, by the name in the path.
YIELDS: dict[str, Callable[[], Any]] = {
    "coroutine": lambda: later("later"),
    "native": lambda: native("native"),
    "list": lambda: [later(1), native(2), done()],
    "dict": lambda: {"a": later(1), "b": native(2)},
    "none": lambda: None,
    "moment": lambda: gen.moment,
    "sleep": lambda: gen.sleep(0),
    "done": done,
    "executor": on_executor,
    "pool": in_pool,
    "callback": set_by_a_callback,
    "chained": set_by_chaining,
    "multi": lambda: gen.multi({"a": later(1)}),
    "in_time": in_time,
    "bad": lambda: 5,
    "failing": lambda: fail(ValueError("no")),
    "failing_list": lambda: [fail(ValueError("no")), later(1)],
    "forbidden": lambda: fail(web.HTTPError(403, "not %s", "here")),
    "finish": lambda: fail(web.Finish("early")),
}


class Yielding(web.RequestHandler):
    @gen.coroutine
    def get(self, what: str) -> Coroutine:
        self.write("before ")
        value = yield YIELDS[what]()
        self.write(f"after {value}")


class Prepared(web.RequestHandler):
    """The page waits for prepare, whatever kind it is."""

    @gen.coroutine
    def prepare(self) -> Coroutine:
        user = yield later(self.get_argument("user", None))
        if user == "nobody":
            raise web.HTTPError(401)
        if user == "other":
            self.redirect("/other")
        self.current_user = user

    def get(self) -> None:
        self.write(f"hello {self.current_user}")

    @gen.coroutine
    def post(self) -> Coroutine:
        self.write((yield later({"user": self.current_user})))

    def on_finish(self) -> None:
        Last.status = self.get_status()


class Last(web.RequestHandler):
    status = 0

    def get(self) -> None:
        self.write(str(self.status))


class Parts(web.RequestHandler):
    @gen.coroutine
    def get(self, what: str) -> Coroutine:
        for number in range(3):
            self.write(f"{number} ")
            yield self.flush()
            yield gen.moment
        if what == "finish":
            yield self.finish("end")


class Handled(web.RequestHandler):
    """Failures that are thrown in at a yield, and cleaned up behind."""

    @gen.coroutine
    def get(self, what: str) -> Coroutine:
        try:
            yield YIELDS[what]()
        except (ValueError, gen.BadYieldError, web.HTTPError) as error:
            self.set_status(409)
            self.write(f"caught {type(error).__name__} ")
            yield later(None)
        finally:
            self.write((yield later("cleaned up")))


class Late(web.RequestHandler):
    @gen.coroutine
    def get(self) -> Coroutine:
        never: Any = concurrent.Future()
        try:
            yield gen.with_timeout(datetime.timedelta(0), never)
        except TimeoutError as error:
            raise web.HTTPError(504, reason="too late") from error


class FirstCome(web.RequestHandler):
    @gen.coroutine
    def get(self) -> Coroutine:
        slow: Any = concurrent.Future()
        waiting = gen.WaitIterator(slow=slow, fast=later("first"))
        while not waiting.done():
            value = yield waiting.next()
            self.write(f"{waiting.current_index} {value} ")
            if not slow.done():
                slow.set_result("then")


class Mixed(web.RequestHandler):
    """The other kind of coroutine, waiting for this one."""

    async def get(self) -> None:
        self.write(" ".join(await gen.multi([later("a"), native("b")])))
        self.write(await later(" c"))


class Returned(web.RequestHandler):
    def get(self) -> Any:
        return self.answer()

    @gen.coroutine
    def answer(self) -> Coroutine:
        self.write((yield later("of a future")))


def make_app() -> web.Application:
    return web.Application(
        [
            (r"/yield/(.*)", Yielding),
            (r"/handled/(.*)", Handled),
            (r"/parts/(.*)", Parts),
            (r"/prepared", Prepared),
            (r"/last", Last),
            (r"/late", Late),
            (r"/first_come", FirstCome),
            (r"/mixed", Mixed),
            (r"/returned", Returned),
        ]
    )


REQUESTS = {
    **{f"yields_{what}": get(f"/yield/{what}") for what in YIELDS},
    **{
        f"handles_{what}": get(f"/handled/{what}")
        for what in ("bad", "failing", "failing_list", "forbidden", "coroutine")
    },
    "parts": get("/parts/end"),
    "parts_and_finish": get("/parts/finish"),
    "prepared": get("/prepared?user=ann"),
    "prepared_for_another": form("/prepared", "user=ann"),
    "prepare_refuses": get("/prepared?user=nobody"),
    "prepare_redirects": get("/prepared?user=other"),
    "on_finish_ran": get("/last"),
    "late": get("/late"),
    "first_come": get("/first_come"),
    "mixed": get("/mixed"),
    "returned": get("/returned"),
}
