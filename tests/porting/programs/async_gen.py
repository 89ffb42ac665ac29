"""Verbs that are generators: decorators around them, what they yield, and when."""

from __future__ import annotations

import asyncio
import contextvars
import datetime
import functools
from collections.abc import Callable, Generator
from typing import Any

from tornado import concurrent, gen, util, web
from tornado.ioloop import IOLoop
from tornado.log import gen_log

from tests.porting.raw import form, get, head, post, request

Coroutine = Generator[Any, Any, Any]

step: contextvars.ContextVar[str] = contextvars.ContextVar("step")


@gen.coroutine
def later(value: Any = None) -> Coroutine:
    yield gen.moment
    return value


@gen.coroutine
def fail(error: Exception) -> Coroutine:
    yield gen.moment
    raise error


async def native(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


class Every(web.RequestHandler):
    """All verbs, with what stands in the path and what does not."""

    @gen.coroutine
    def get(self, number: str, *, named: str = "none") -> Coroutine:
        self.write(f"{self.request.method} {number} {named} ")
        self.write((yield later(self.get_argument("a", "no argument"))))

    head = post = put = patch = delete = options = get


def traced(method: Callable[..., Any]) -> Callable[..., Any]:
    """A program's own decorator."""

    @functools.wraps(method)
    def wrapper(self: web.RequestHandler, *args: Any) -> Any:
        self.set_header("X-Traced", method.__name__)
        return method(self, *args)

    return wrapper


class Decorated(web.RequestHandler):
    def get_current_user(self) -> Any:
        return self.get_argument("user", None)

    @web.authenticated
    @gen.coroutine
    def get(self) -> Coroutine:
        self.write((yield later(f"get {self.current_user}")))

    @gen.coroutine
    @web.authenticated  # type: ignore[arg-type]  # the other way round
    def post(self) -> Coroutine:  # type: ignore[override]  # so it is no coroutine
        self.write((yield later(f"post {self.current_user}")))

    @web.removeslash
    @gen.coroutine
    def head(self) -> Coroutine:
        yield later()
        self.set_header("X-Head", "1")

    @traced
    @gen.coroutine
    @traced
    def put(self) -> Coroutine:
        self.write((yield later("put")))

    @gen.coroutine
    def delete(self) -> None:
        """Nothing is yielded: no generator at all."""
        self.write("delete")

    @gen.coroutine
    def patch(self) -> Any:
        """What it returns is not waited for, but its result."""
        self.write("patch ")
        return self.no_generator()

    def no_generator(self) -> str:
        return "not sent"


class Steps(web.RequestHandler):
    """What a generator does is named by the path."""

    @gen.coroutine
    def get(self, what: str) -> Coroutine:
        result = yield getattr(self, f"do_{what}")()
        self.write(repr(result))

    @gen.coroutine
    def do_return(self) -> Coroutine:
        yield later()
        return "returned"

    @gen.coroutine
    def do_raise_return(self) -> Coroutine:
        yield later()
        raise gen.Return({"a": 1})

    @gen.coroutine
    def do_return_nothing(self) -> Coroutine:
        yield later()
        raise gen.Return

    @gen.coroutine
    def do_return_before_yield(self) -> Coroutine:
        if self.request:
            return "early"
        yield later()

    @gen.coroutine
    def do_fail_before_yield(self) -> Coroutine:
        if self.request:
            raise web.HTTPError(409)
        yield later()

    @gen.coroutine
    def do_thousand_times(self) -> Coroutine:
        total = 0
        for number in range(1000):
            total += yield gen.maybe_future(number)
        return total

    @gen.coroutine
    def do_moments(self) -> Coroutine:
        for _ in range(100):
            yield gen.moment
        return "after a hundred turns"

    @gen.coroutine
    def do_deep(self, depth: int = 50) -> Coroutine:
        if depth:
            return 1 + (yield self.do_deep(depth - 1))
        yield later()
        return 0

    @gen.coroutine
    def do_empty_list(self) -> Coroutine:
        return (yield [])

    @gen.coroutine
    def do_empty_dict(self) -> Coroutine:
        return (yield {})

    @gen.coroutine
    def do_nested_lists(self) -> Coroutine:
        return (yield [later(1), [later(2), native(3)], {"a": [later(4)]}])

    @gen.coroutine
    def do_tuple(self) -> Coroutine:
        return (yield (later(1), later(2)))

    @gen.coroutine
    def do_same_twice(self) -> Coroutine:
        one = later(1)
        return (yield [one, one])

    @gen.coroutine
    def do_list_with_number(self) -> Coroutine:
        return (yield [later(1), 5])

    @gen.coroutine
    def do_text(self) -> Coroutine:
        return (yield "text")

    @gen.coroutine
    def do_generator(self) -> Coroutine:
        return (yield (number for number in range(3)))

    @gen.coroutine
    def do_task(self) -> Coroutine:
        return (yield asyncio.ensure_future(native("of a task")))

    @gen.coroutine
    def do_gather(self) -> Coroutine:
        return (yield asyncio.gather(native(1), later(2)))

    @gen.coroutine
    def do_thread(self) -> Coroutine:
        return (yield IOLoop.current().run_in_executor(None, divmod, 7, 2))

    @gen.coroutine
    def do_context(self) -> Coroutine:
        step.set("set")
        yield later()
        found = [step.get()]
        step.set("set again")
        yield [later(), native(1)]
        return [*found, step.get()]

    @gen.coroutine
    def do_failures_in_a_list(self) -> Coroutine:
        return (yield [fail(KeyError("first")), fail(ValueError("second"))])

    @gen.coroutine
    def do_quiet_failures(self) -> Coroutine:
        both = [fail(KeyError("first")), fail(ValueError("second"))]
        return (yield gen.multi(both, quiet_exceptions=ValueError))

    @gen.coroutine
    def do_caught(self) -> Coroutine:
        caught = []
        for error in (KeyError("a"), web.HTTPError(404), web.Finish()):
            try:
                yield fail(error)
            except (KeyError, web.HTTPError, web.Finish) as failure:
                caught.append(type(failure).__name__)
        return caught

    @gen.coroutine
    def do_cleaned_up(self) -> Coroutine:
        try:
            yield fail(web.HTTPError(404))
        finally:
            yield later()
            gen_log.info("cleaned up")

    @gen.coroutine
    def do_timeout(self) -> Coroutine:
        never: Any = concurrent.Future()
        deadline = datetime.timedelta(milliseconds=1)
        try:
            yield gen.with_timeout(deadline, never)
        except util.TimeoutError as error:
            return str(error)

    @gen.coroutine
    def do_timeout_of_failure(self) -> Coroutine:
        return (
            yield gen.with_timeout(datetime.timedelta(hours=1), fail(KeyError("a")))
        )

    @gen.coroutine
    def do_wait_iterator(self) -> Coroutine:
        waiting = gen.WaitIterator(later("a"), fail(KeyError("b")))
        found = []
        while not waiting.done():
            try:
                found.append((yield waiting.next()))
            except KeyError as error:
                found.append(repr(error))
        return sorted(found)

    @gen.coroutine
    def do_iterator_by_name(self) -> Coroutine:
        waiting = gen.WaitIterator(a=later(1), b=later(2))
        found = {}
        while not waiting.done():
            value = yield waiting.next()
            found[waiting.current_index] = value
        return sorted(found.items())

    @gen.coroutine
    def do_asked(self) -> Coroutine:
        yield later()
        functions = (later, native, Steps.get, self.do_asked, len, Steps.write)
        return [gen.is_coroutine_function(function) for function in functions]

    @gen.coroutine
    def do_futures(self) -> Coroutine:
        yield later()
        values: Any = (later(), gen.sleep(0), concurrent.Future(), 5, None)
        return [concurrent.is_future(value) for value in values]

    @gen.coroutine
    def do_slept(self) -> Coroutine:
        return (yield gen.sleep(0.001))

    @gen.coroutine
    def do_converted(self) -> Coroutine:
        return (yield gen.convert_yielded(native("native")))


class Sent(web.RequestHandler):
    """What a generator sends, and how it ends."""

    @gen.coroutine
    def get(self, what: str) -> Coroutine:
        yield later()
        yield getattr(self, f"do_{what}")()
        gen_log.info("through")

    head = post = get

    @gen.coroutine
    def do_parts(self) -> Coroutine:
        for number in range(3):
            self.write(f"{number} ")
            yield self.flush()

    @gen.coroutine
    def do_parts_and_fail(self) -> Coroutine:
        self.write("part")
        yield self.flush()
        raise KeyError("late")

    @gen.coroutine
    def do_redirect(self) -> Coroutine:
        yield later()
        self.redirect("/there")

    @gen.coroutine
    def do_204(self) -> Coroutine:
        yield later()
        self.set_status(204)

    @gen.coroutine
    def do_finish(self) -> Coroutine:
        yield self.finish("finished")

    @gen.coroutine
    def do_dict(self) -> Coroutine:
        self.write((yield {"a": later(1), "b": [later(2)]}))

    @gen.coroutine
    def do_raise_finish(self) -> Coroutine:
        yield later()
        raise web.Finish("finished")

    @gen.coroutine
    def do_error(self) -> Coroutine:
        yield later()
        raise web.HTTPError(403, "no %s", "way", reason="No Way")

    @gen.coroutine
    def do_missing_argument(self) -> Coroutine:
        yield later()
        self.write(self.get_argument("missing"))

    @gen.coroutine
    def do_caught_timeout(self) -> Coroutine:
        try:
            yield gen.with_timeout(datetime.timedelta(0), concurrent.Future())
        except TimeoutError:
            self.set_status(504)
            self.write("too late")


class Spawned(web.RequestHandler):
    """What nobody waits for goes on behind the answer."""

    @gen.coroutine
    def get(self) -> Coroutine:
        self.ended: Any = concurrent.Future()
        IOLoop.current().spawn_callback(self.work, "spawned")
        yield later()
        self.write("ok")

    @gen.coroutine
    def work(self, how: str) -> Coroutine:
        yield self.ended
        gen_log.info("%s work", how)

    def on_finish(self) -> None:
        self.ended.set_result(None)


class Inherited(Decorated):
    """A generator that asks its class, and one that is not one any more."""

    @gen.coroutine
    def put(self) -> Coroutine:
        self.write("before ")
        yield super().put()
        self.write(" after")

    async def delete(self) -> None:  # type: ignore[override]  # of another kind
        await asyncio.sleep(0)
        self.write("native ")
        await super().delete()

    def patch(self) -> None:  # type: ignore[override]  # of another kind
        self.write("plain")


def make_app() -> web.Application:
    rules: list[Any] = [
        (r"/every/(\d+)", Every),
        (r"/decorated/?", Decorated),
        (r"/inherited", Inherited),
        (r"/steps/(.*)", Steps),
        (r"/sent/(.*)", Sent),
        (r"/spawned", Spawned),
    ]
    return web.Application(rules, login_url="/login")


STEPS = [name.removeprefix("do_") for name in vars(Steps) if name.startswith("do_")]
SENT = [name.removeprefix("do_") for name in vars(Sent) if name.startswith("do_")]

REQUESTS = {
    **{
        f"every_{verb.lower()}": request(verb, "/every/5?a=b")
        for verb in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    },
    "every_post_with_body": form("/every/5", "a=of+the+body"),
    "guarded": get("/decorated"),
    "guarded_for_user": get("/decorated?user=ann"),
    "guarded_within": post("/decorated", b""),
    "guarded_within_for_user": post("/decorated?user=ann", b""),
    "slash": head("/decorated/"),
    "no_slash": head("/decorated"),
    **{
        f"{path}_{verb.lower()}": request(verb, f"/{path}", body=b"")
        for path in ("decorated", "inherited")
        for verb in ("PUT", "DELETE", "PATCH")
    },
    **{f"step_{name}": get(f"/steps/{name}") for name in STEPS},
    **{f"sends_{name}": get(f"/sent/{name}") for name in SENT},
    **{
        f"head_sends_{name}": head(f"/sent/{name}")
        for name in ("parts", "redirect", "error", "finish")
    },
    **{
        f"post_sends_{name}": post(f"/sent/{name}", b"")
        for name in ("parts", "dict", "raise_finish")
    },
    "spawned": get("/spawned"),
    "missing_method": request("DELETE", "/sent/parts"),
}
