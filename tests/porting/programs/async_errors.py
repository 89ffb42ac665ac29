"""Exceptions of every kind in coroutines, and who sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tornado import concurrent, gen, httputil, util, web
from tornado.log import app_log, gen_log
from tornado.web import Finish, HTTPError, MissingArgumentError

from tests.porting.raw import form, get, head, post, request


class OwnError(HTTPError):
    def __init__(self) -> None:
        super().__init__(402, "own %s", "message", reason="Pay First")


#: What a coroutine raises, by the last part of the path.
RAISED: dict[str, Callable[[], BaseException]] = {
    "key_error": lambda: KeyError("secret"),
    "assertion": AssertionError,
    "stop_async_iteration": StopAsyncIteration,
    "timeout": TimeoutError,
    "os_error": lambda: OSError(2, "secret"),
    "unicode_error": lambda: UnicodeDecodeError("ascii", b"\xff", 0, 1, "secret"),
    "group": lambda: ExceptionGroup("two", [ValueError("a"), KeyError("b")]),
    "error": HTTPError,
    "error_404": lambda: HTTPError(404),
    "error_304": lambda: HTTPError(304),
    "error_204": lambda: HTTPError(204),
    "error_503": lambda: HTTPError(503, "down"),
    "message": lambda: HTTPError(403, "secret %s", "x"),
    "reason": lambda: HTTPError(404, reason="Not Anywhere"),
    "own_error": OwnError,
    "missing_argument": lambda: MissingArgumentError("a"),
    "output_error": lambda: httputil.HTTPOutputError("bad output"),
    "bad_yield": lambda: gen.BadYieldError("bad"),
    "own_timeout": lambda: util.TimeoutError("late"),
    "finish": Finish,
    "finish_with_text": lambda: Finish("done"),
    "finish_with_dict": lambda: Finish({"a": 1}),
}


class Raise(web.RequestHandler):
    """Raised before, while and after something is waited for."""

    def set_default_headers(self) -> None:
        self.set_header("X-Default", "1")

    async def get(self, name: str) -> None:
        self.set_header("X-Before", "1")
        self.set_cookie("before", "1")
        self.write("before ")
        await asyncio.sleep(0)
        raise RAISED[name]()

    head = post = get

    def on_finish(self) -> None:
        gen_log.info("on_finish %s", self.get_status())


class RaiseAtOnce(web.RequestHandler):
    async def get(self, name: str) -> None:
        raise RAISED[name]()


class RaiseInTask(web.RequestHandler):
    async def get(self, name: str) -> None:
        await asyncio.create_task(self.fail(name))

    async def fail(self, name: str) -> None:
        await asyncio.sleep(0)
        raise RAISED[name]()


class RaiseInThread(web.RequestHandler):
    async def get(self, name: str) -> None:
        await asyncio.to_thread(self.fail, name)

    def fail(self, name: str) -> None:
        raise RAISED[name]()


class RaiseInPlain(web.RequestHandler):
    """A plain method that fails before it has returned what it would wait for."""

    def get(self, name: str) -> Any:
        if name:
            raise RAISED[name]()
        return gen.sleep(0)


class RaiseInReturned(web.RequestHandler):
    def get(self, name: str) -> Any:
        failed: Any = concurrent.Future()
        failed.set_exception(RAISED[name]())
        return failed


class Caught(web.RequestHandler):
    """Cleaned up behind, and answered otherwise."""

    async def get(self, name: str) -> None:
        try:
            await asyncio.sleep(0)
            raise RAISED[name]()
        except HTTPError as error:
            await asyncio.sleep(0)
            self.set_status(error.status_code)
            self.write(f"caught {error}")
        finally:
            await asyncio.sleep(0)
            gen_log.info("cleaned up %s", name)


class Chained(web.RequestHandler):
    async def get(self) -> None:
        try:
            await asyncio.sleep(0)
            raise KeyError("first")
        except KeyError as error:
            await asyncio.sleep(0)
            raise HTTPError(502, "then") from error


class FailsInFinally(web.RequestHandler):
    async def get(self) -> None:
        try:
            await asyncio.sleep(0)
            raise HTTPError(404, "lost")
        finally:
            raise KeyError("kept")


class OwnPage(web.RequestHandler):
    async def get(self, name: str) -> None:
        await asyncio.sleep(0)
        raise RAISED[name]()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        kind = kwargs["exc_info"][0].__name__
        self.finish({"status": status_code, "kind": kind, "reason": self._reason})


class PageThatFails(web.RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        raise HTTPError(404)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        raise KeyError("page")


class PageThatRaisesFinish(web.RequestHandler):
    async def get(self) -> None:
        raise HTTPError(404)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.write("page ")
        raise Finish("finished")


class Logged(web.RequestHandler):
    async def get(self, name: str) -> None:
        await asyncio.sleep(0)
        raise RAISED[name]()

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        app_log.warning("own %s", typ.__name__)


class SendError(web.RequestHandler):
    async def get(self, name: str) -> None:
        self.write("before")
        await asyncio.sleep(0)
        if name == "with_reason":
            self.send_error(409, reason="Huh")
        elif name == "then_write":
            self.send_error(409)
            self.write("late")
        elif name == "then_fail":
            self.send_error(409)
            await asyncio.sleep(0)
            raise KeyError("late")
        else:
            self.send_error()


class OnFinishFails(web.RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write("ok")

    def on_finish(self) -> None:
        raise KeyError("on_finish")


class Arguments(web.RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write(self.get_argument("a"))
        self.write(self.get_body_argument("b", "none"))

    post = get


class Cancelled(web.RequestHandler):
    """Cancelled by itself: nobody else does it while the client is there."""

    async def get(self, what: str) -> None:
        self.write("before ")
        await getattr(self, f"do_{what}")()

    async def do_task(self) -> None:
        task = asyncio.create_task(asyncio.sleep(100))
        task.cancel()
        await task

    async def do_itself(self) -> None:
        self.cancel()
        await asyncio.sleep(0)

    async def do_caught(self) -> None:
        self.cancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.write("caught")

    async def do_raised(self) -> None:
        raise asyncio.CancelledError

    def cancel(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()


class GeneratorInstead(web.RequestHandler):
    """The slip of a yield in a coroutine."""

    async def get(self) -> Any:
        self.write("never")
        yield 1


def make_app() -> web.Application:
    rules: list[Any] = [
        (r"/raise/(.*)", Raise),
        (r"/at_once/(.*)", RaiseAtOnce),
        (r"/in_task/(.*)", RaiseInTask),
        (r"/in_thread/(.*)", RaiseInThread),
        (r"/in_plain/(.*)", RaiseInPlain),
        (r"/in_returned/(.*)", RaiseInReturned),
        (r"/caught/(.*)", Caught),
        (r"/chained", Chained),
        (r"/fails_in_finally", FailsInFinally),
        (r"/own_page/(.*)", OwnPage),
        (r"/page_that_fails", PageThatFails),
        (r"/page_that_raises_finish", PageThatRaisesFinish),
        (r"/logged/(.*)", Logged),
        (r"/send_error/(.*)", SendError),
        (r"/on_finish_fails", OnFinishFails),
        (r"/arguments", Arguments),
        (r"/cancelled/(.*)", Cancelled),
        (r"/generator_instead", GeneratorInstead),
    ]
    return web.Application(rules)


KINDS = ("key_error", "error_404", "missing_argument", "finish_with_text")

REQUESTS = {
    **{f"raise_{name}": get(f"/raise/{name}") for name in RAISED},
    **{
        f"head_{name}": head(f"/raise/{name}")
        for name in ("key_error", "error_404", "error_304", "finish_with_text")
    },
    **{f"post_{name}": post(f"/raise/{name}", b"") for name in KINDS},
    **{
        f"{where}_{name}": get(f"/{where}/{name}")
        for where in ("at_once", "in_task", "in_thread", "in_plain", "in_returned")
        for name in KINDS
    },
    **{
        f"caught_{name}": get(f"/caught/{name}")
        for name in ("error_404", "missing_argument", "key_error", "finish")
    },
    "chained": get("/chained"),
    "fails_in_finally": get("/fails_in_finally"),
    **{
        f"own_page_{name}": get(f"/own_page/{name}")
        for name in ("key_error", "own_error", "missing_argument", "timeout")
    },
    "page_that_fails": get("/page_that_fails"),
    "page_that_raises_finish": get("/page_that_raises_finish"),
    **{
        f"logged_{name}": get(f"/logged/{name}")
        for name in ("key_error", "error_404", "finish")
    },
    **{
        f"send_error_{name}": get(f"/send_error/{name}")
        for name in ("plain", "with_reason", "then_write", "then_fail")
    },
    "on_finish_fails": get("/on_finish_fails"),
    "argument_missing": get("/arguments"),
    "argument_given": get("/arguments?a=%C3%A9"),
    "argument_is_bad": get("/arguments?a=%ff"),
    "arguments_of_a_form": form("/arguments", "a=1&b=2"),
    **{
        f"cancelled_{what}": get(f"/cancelled/{what}")
        for what in ("task", "itself", "caught", "raised")
    },
    "generator_instead": get("/generator_instead"),
    "missing_method": request("PUT", "/raise/finish"),
    "unknown_method": request("FOO", "/raise/finish"),
}
