"""Coroutines that send in parts: flush, its future, lengths, tags, failures midway."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado import concurrent, web
from tornado.log import gen_log

from tests.porting.raw import get, head, post, request

LARGE = 1 << 18


class Parts(web.RequestHandler):
    """What is written, what is flushed, and what is done in between.

    What goes on after the end waits for ``on_finish``: there a server may be through
    with the response later than the handler.
    """

    def initialize(self) -> None:
        self.ended: Any = concurrent.Future()

    async def get(self, what: str) -> None:
        await asyncio.sleep(0)
        await getattr(self, f"do_{what}")()

    head = post = get

    async def part(self, text: str = "part ") -> None:
        self.write(text)
        await self.flush()

    async def do_three(self) -> None:
        for number in range(3):
            await self.part(f"{number} ")
            await asyncio.sleep(0)

    async def do_rest_at_the_end(self) -> None:
        await self.part()
        self.write("rest")

    async def do_finish_with_the_rest(self) -> None:
        await self.part()
        await self.finish("rest")

    async def do_not_awaited(self) -> None:
        for number in range(3):
            self.write(f"{number} ")
            self.flush()

    async def do_all_at_once(self) -> None:
        await asyncio.gather(*(self.part(f"{number} ") for number in range(3)))

    async def do_results(self) -> None:
        self.write("a")
        flushed: Any = self.flush()
        flushed = await flushed
        finished: Any = self.finish("b")
        finished = await finished
        await self.ended
        gen_log.info("%r %r", flushed, finished)

    async def do_nothing_written(self) -> None:
        await self.flush()

    async def do_nothing_then_something(self) -> None:
        await self.flush()
        self.write("something")

    async def do_flush_twice(self) -> None:
        await self.part()
        await self.flush()
        await self.flush()

    async def do_large(self) -> None:
        for _ in range(4):
            await self.part("x" * LARGE)

    async def do_footers(self) -> None:
        self.write("a")
        await self.flush(include_footers=True)

    async def do_slowly(self) -> None:
        for number in range(2):
            await self.part(f"{number} ")
            await asyncio.sleep(0.002)

    async def do_dict(self) -> None:
        self.write({"a": 1})
        await self.flush()
        self.write({"b": 2})

    async def do_events(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-cache")
        for number in range(3):
            await self.part(f"id: {number}\ndata: {{}}\n\n")

    async def do_from_a_task(self) -> None:
        await asyncio.create_task(self.part("of a task "))
        self.write("of the handler")

    # Status and headers

    async def do_headers_before(self) -> None:
        self.set_status(203)
        self.set_header("X-Before", "1")
        self.set_cookie("before", "1")
        await self.part()

    async def do_headers_after(self) -> None:
        await self.part()
        self.set_status(404)
        self.set_header("X-After", "1")
        self.set_cookie("after", "1")
        self.write(str(self.get_status()))

    async def do_clear_after(self) -> None:
        await self.part()
        self.clear()
        self.write("again")

    async def do_etag_before(self) -> None:
        self.write("tagged")
        self.set_etag_header()
        await self.flush()

    async def do_204(self) -> None:
        self.set_status(204)
        await self.flush()

    async def do_304(self) -> None:
        self.set_status(304)
        await self.flush()

    async def do_204_with_body(self) -> None:
        self.set_status(204)
        await self.part()

    async def do_204_with_body_later(self) -> None:
        self.set_status(204)
        await self.flush()
        self.write("late")

    # Lengths

    async def do_length(self) -> None:
        self.set_header("Content-Length", "10")
        await self.part()
        await self.part()

    async def do_length_in_one(self) -> None:
        self.set_header("Content-Length", "5")
        await self.part()

    async def do_length_of_nothing(self) -> None:
        self.set_header("Content-Length", "0")
        await self.flush()

    async def do_length_too_large(self) -> None:
        self.set_header("Content-Length", "20")
        await self.part()
        await self.part()

    async def do_length_too_small(self) -> None:
        self.set_header("Content-Length", "7")
        await self.part()
        await self.part()

    async def do_length_too_small_at_once(self) -> None:
        self.set_header("Content-Length", "3")
        await self.part()

    async def do_length_too_small_at_the_end(self) -> None:
        self.set_header("Content-Length", "7")
        await self.part()
        self.write("rest")

    async def do_length_is_no_number(self) -> None:
        self.set_header("Content-Length", "five")
        await self.part()

    # Failures

    async def do_fail(self) -> None:
        await self.part()
        raise KeyError("late")

    async def do_fail_with_more_written(self) -> None:
        await self.part()
        self.write("never sent")
        raise KeyError("late")

    async def do_error(self) -> None:
        await self.part()
        raise web.HTTPError(404, "late")

    async def do_send_error(self) -> None:
        await self.part()
        self.send_error(503)
        await self.ended
        gen_log.info("after send_error %s", self._finished)

    async def do_redirect(self) -> None:
        await self.part()
        self.redirect("/there")

    async def do_missing_argument(self) -> None:
        await self.part()
        self.get_argument("missing")

    async def do_finish(self) -> None:
        await self.part()
        raise web.Finish

    async def do_finish_with_more(self) -> None:
        await self.part()
        self.write("more")
        raise web.Finish

    async def do_finish_with_argument(self) -> None:
        await self.part()
        raise web.Finish("argument")

    async def do_write_after_finish(self) -> None:
        await self.part()
        await self.finish()
        await self.ended
        self.write("late")

    async def do_flush_after_finish(self) -> None:
        await self.part()
        await self.finish()
        await self.ended
        await self.flush()

    async def do_finish_twice(self) -> None:
        await self.part()
        self.finish("a")
        await self.ended
        self.finish("b")

    async def do_fail_after_finish(self) -> None:
        await self.part()
        await self.finish()
        await self.ended
        raise KeyError("late")

    async def do_caught(self) -> None:
        await self.part()
        try:
            self.write([1])  # type: ignore[arg-type]  # on purpose
        except TypeError:
            await self.part("caught")

    def on_finish(self) -> None:
        gen_log.info("on_finish %s %s", self.get_status(), self._finished)
        self.ended.set_result(None)


class OwnPage(web.RequestHandler):
    """An error page that is flushed too."""

    async def get(self, what: str) -> None:
        self.write("lost")
        if what == "late":
            await self.flush()
        raise web.HTTPError(409)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.write(f"own page {status_code} ")
        self.flush()
        self.finish("in two parts")


class Plain(web.RequestHandler):
    """A plain method, whose flush returns something to be awaited all the same."""

    def get(self, what: str) -> Any:
        self.write("first ")
        flushed = self.flush()
        self.write("second")
        if what == "returned":
            return flushed
        if what == "later":
            return self.later()
        return self.finish() if what == "finish" else None

    async def later(self) -> None:
        self.write(" third")
        await self.flush()
        self.write(" fourth")

    post = get


def make_app() -> web.Application:
    rules: list[Any] = [
        (r"/own_page/(.*)", OwnPage),
        (r"/plain/(.*)", Plain),
        (r"/(.*)", Parts),
    ]
    return web.Application(rules)


NAMES = [name.removeprefix("do_") for name in vars(Parts) if name.startswith("do_")]

REQUESTS = {
    **{name: get(f"/{name}") for name in NAMES},
    **{
        f"head_{name}": head(f"/{name}")
        for name in ("three", "results", "headers_before", "length", "204", "fail")
    },
    **{
        f"post_{name}": post(f"/{name}", b"body")
        for name in ("three", "rest_at_the_end", "length", "error")
    },
    **{
        f"http_1_0_{name}": request("GET", f"/{name}", version="1.0")
        for name in ("three", "length", "204")
    },
    "etag_before_is_known": get(
        "/etag_before", 'If-None-Match: "7ca5e0ab26a8a9f6b1a4c05f0e11ca9ff7a7fe0f"'
    ),
    "any_etag_is_known": get("/three", "If-None-Match: *"),
    "own_page": get("/own_page/soon"),
    "own_page_too_late": get("/own_page/late"),
    **{
        f"plain_{what}": get(f"/plain/{what}")
        for what in ("ended", "returned", "later", "finish")
    },
    "plain_post_later": post("/plain/later", b"body"),
}
