"""``prepare`` that has to be waited for, before verbs of either kind."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from tornado import gen, web
from tornado.log import gen_log

from tests.porting.raw import form, get, head, post, request

USERS = {"ann": {"name": "Ann", "admin": True}, "bob": {"name": "Bob", "admin": False}}

COOKIE = "Cookie: user={}"

place: contextvars.ContextVar[str] = contextvars.ContextVar("place")


async def find_user(name: str | None) -> dict[str, Any] | None:
    await asyncio.sleep(0)
    return USERS.get(name or "")


class Base(web.RequestHandler):
    """The user of a cookie, looked up where one can wait."""

    async def prepare(self) -> None:
        self.set_header("X-Prepared", "1")
        self.current_user = await find_user(self.get_cookie("user"))

    def on_finish(self) -> None:
        name = self.current_user["name"] if self.current_user else None
        gen_log.info("on_finish %s for %s", self.get_status(), name)


class Plain(Base):
    @web.authenticated
    def get(self) -> None:
        self.write(f"hello {self.current_user['name']}")

    head = post = get


class Coroutine(Base):
    @web.authenticated
    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write(f"hello {self.current_user['name']}")

    head = post = get


class Admin(Base):
    """Its own test after that of its class."""

    async def prepare(self) -> None:
        await super().prepare()
        if not self.current_user:
            raise web.HTTPError(401, "who is that")
        if not self.current_user["admin"]:
            self.set_status(403)
            await self.finish("admins only")
            gen_log.info("prepare goes on")

    def get(self) -> None:
        self.write("admin")

    async def post(self) -> None:
        self.write(f"admin posts {self.get_body_argument('a', 'nothing')}")


class Steps(web.RequestHandler):
    """What ``prepare`` does is named by the path."""

    async def prepare(self) -> None:
        await asyncio.sleep(0)
        await getattr(self, f"do_{self.path_args[0]}")()

    async def get(self, what: str) -> None:
        self.write(f"verb {what}")

    def post(self, what: str) -> None:
        self.write(f"plain verb {what}")

    head = get

    async def do_nothing(self) -> None:
        pass

    async def do_sleep(self) -> None:
        await asyncio.sleep(0.002)

    async def do_write(self) -> None:
        self.write("prepared ")

    async def do_flush(self) -> None:
        self.write("prepared ")
        await self.flush()

    async def do_finish(self) -> None:
        await self.finish("finished early")

    async def do_finish_and_go_on(self) -> None:
        self.finish("finished early")
        await asyncio.sleep(0)
        gen_log.info("prepare goes on")

    async def do_finish_and_fail(self) -> None:
        self.finish("finished early")
        await asyncio.sleep(0)
        raise KeyError("late")

    async def do_flush_and_finish(self) -> None:
        self.write("a")
        await self.flush()
        await self.finish("b")

    async def do_flush_and_fail(self) -> None:
        self.write("a")
        await self.flush()
        raise KeyError("late")

    async def do_redirect(self) -> None:
        self.redirect("/there")

    async def do_send_error(self) -> None:
        self.send_error(503, reason="Soon")

    async def do_fail(self) -> None:
        raise KeyError("secret")

    async def do_error(self) -> None:
        raise web.HTTPError(403, "not %s", "here")

    async def do_raise_finish(self) -> None:
        self.write("stopped")
        raise web.Finish

    async def do_missing_argument(self) -> None:
        self.get_argument("missing")

    async def do_return(self) -> Any:
        return "a value that nobody takes"

    async def do_status(self) -> None:
        self.set_status(202)

    async def do_304(self) -> None:
        self.set_status(304)
        self.finish()

    async def do_change_arguments(self) -> None:
        self.path_args = ["changed"]

    async def do_cookie(self) -> None:
        self.set_cookie("prepared", "1")

    async def do_gather(self) -> None:
        found = await asyncio.gather(find_user("ann"), find_user("nobody"))
        self.write(f"{found} ")

    async def do_set_context(self) -> None:
        place.set("in prepare")


class InContext(web.RequestHandler):
    """What an async ``prepare`` sets, a verb of either kind sees."""

    async def prepare(self) -> None:
        await asyncio.sleep(0)
        place.set(f"prepared {self.request.method}")

    async def get(self) -> None:
        self.write(place.get("lost"))

    def post(self) -> None:
        self.write(place.get("lost"))


class PlainPrepare(web.RequestHandler):
    def prepare(self) -> None:
        self.name = self.get_argument("name", None)
        if self.name == "finish":
            self.finish("finished early")
        elif self.name == "error":
            raise web.HTTPError(403)

    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write(f"verb {self.name}")


class Returning(web.RequestHandler):
    """A plain ``prepare`` that returns something to be waited for, or does not."""

    def prepare(self) -> Any:
        what = self.get_argument("what")
        if what == "coroutine":
            return self.set_later()
        if what == "sleep":
            return gen.sleep(0)
        if what == "done":
            return gen.maybe_future("value")
        return what

    async def set_later(self) -> None:
        await asyncio.sleep(0)
        self.set_header("X-Later", "1")

    def get(self) -> None:
        self.write("verb")


class GeneratorPrepare(web.RequestHandler):
    @gen.coroutine
    def prepare(self) -> Any:
        users = yield [find_user("ann"), find_user("bob")]
        if self.get_argument("finish", ""):
            self.finish("finished early")
        self.names = [user["name"] for user in users]

    def get(self) -> None:
        self.write(f"plain {self.names}")

    async def post(self) -> None:
        self.write(f"coroutine {self.names}")

    @gen.coroutine
    def put(self) -> Any:
        yield gen.moment
        self.write(f"generator {self.names}")


class PlainVerbs(web.RequestHandler):
    """Plain verbs of every kind after a ``prepare`` that was waited for."""

    async def prepare(self) -> None:
        await asyncio.sleep(0)

    def get(self, what: str) -> Any:
        self.write(f"{what} ")
        return getattr(self, f"do_{what}")()

    def do_nothing(self) -> None:
        pass

    def do_flush(self) -> None:
        self.flush()
        self.write("rest")

    def do_finish(self) -> None:
        self.finish("end")

    def do_returned_finish(self) -> Any:
        return self.finish("end")

    def do_coroutine(self) -> Any:
        return self.later()

    def do_flush_and_coroutine(self) -> Any:
        self.flush()
        return self.later()

    def do_fail(self) -> None:
        raise KeyError("secret")

    def do_flush_and_fail(self) -> None:
        self.flush()
        raise KeyError("late")

    def do_error(self) -> None:
        raise web.HTTPError(404)

    def do_redirect(self) -> None:
        self.redirect("/there")

    def do_raise_finish(self) -> None:
        raise web.Finish("finished")

    def do_text(self) -> str:
        return "text"

    def do_length_too_small(self) -> None:
        self.set_header("Content-Length", "3")

    async def later(self) -> None:
        await asyncio.sleep(0)
        self.write("later")


class NotFound(Base):
    """The handler of what no rule takes."""

    async def prepare(self) -> None:
        await super().prepare()
        raise web.HTTPError(404, "nobody's")


def make_app() -> web.Application:
    rules: list[Any] = [
        (r"/plain", Plain),
        (r"/coroutine", Coroutine),
        (r"/admin", Admin),
        (r"/steps/(.*)", Steps),
        (r"/in_context", InContext),
        (r"/plain_prepare", PlainPrepare),
        (r"/returning", Returning),
        (r"/generator_prepare", GeneratorPrepare),
        (r"/plain_verbs/(.*)", PlainVerbs),
    ]
    return web.Application(
        rules,
        login_url="/login",
        default_handler_class=NotFound,
    )


STEPS = [name.removeprefix("do_") for name in vars(Steps) if name.startswith("do_")]
VERBS = [n.removeprefix("do_") for n in vars(PlainVerbs) if n.startswith("do_")]

REQUESTS = {
    **{
        f"{kind}_for_{user}": get(f"/{kind}", COOKIE.format(user))
        for kind in ("plain", "coroutine", "admin")
        for user in ("ann", "bob", "nobody")
    },
    **{f"{kind}_without_user": get(f"/{kind}?a=b") for kind in ("plain", "coroutine")},
    **{f"{kind}_post": post(f"/{kind}", b"") for kind in ("plain", "coroutine")},
    **{f"{kind}_head": head(f"/{kind}") for kind in ("plain", "coroutine")},
    "admin_posts": request(
        "POST",
        "/admin",
        COOKIE.format("ann"),
        "Content-Type: application/x-www-form-urlencoded",
        body=b"a=1",
    ),
    "admin_puts": request("PUT", "/admin", COOKIE.format("ann")),
    **{f"before_coroutine_{name}": get(f"/steps/{name}") for name in STEPS},
    **{f"before_plain_{name}": post(f"/steps/{name}", b"") for name in STEPS},
    **{
        f"before_head_{name}": head(f"/steps/{name}")
        for name in ("write", "flush", "finish", "fail", "304")
    },
    "before_missing_verb": request("DELETE", "/steps/nothing"),
    "finishes_before_missing_verb": request("DELETE", "/steps/finish"),
    "unknown_method": request("FOO", "/steps/write"),
    "context": get("/in_context"),
    "context_of_a_plain_verb": post("/in_context", b""),
    **{
        f"plain_prepare_{name}": get(f"/plain_prepare?name={name}")
        for name in ("ann", "finish", "error")
    },
    **{
        f"returns_{what}": get(f"/returning?what={what}")
        for what in ("coroutine", "sleep", "done", "text")
    },
    "returns_error": get("/returning"),
    "generator_before_plain": get("/generator_prepare"),
    "generator_before_coroutine": post("/generator_prepare", b""),
    "generator_before_generator": request("PUT", "/generator_prepare", body=b""),
    "generator_finishes": get("/generator_prepare?finish=1"),
    "generator_finishes_before_coroutine": form("/generator_prepare", "finish=1"),
    **{f"plain_verb_{name}": get(f"/plain_verbs/{name}") for name in VERBS},
    "not_found": get("/nowhere", COOKIE.format("ann")),
}
