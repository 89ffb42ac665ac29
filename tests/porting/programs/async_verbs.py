"""Verbs that are coroutines: what they wait for, what they send and return."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator
from typing import Any

from tornado import gen, web
from tornado.log import gen_log
from tornado.template import DictLoader

from tests.porting.raw import form, get, head, post, request

OF_THE_BODY = '"7896b73144074b24d4ddde3dbf3fa8eb331c3d2d"'

name_of_user: contextvars.ContextVar[str] = contextvars.ContextVar("user")


async def later(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


class Every(web.RequestHandler):
    """All verbs, one of them unknown to most programs."""

    SUPPORTED_METHODS: Any = (*web.RequestHandler.SUPPORTED_METHODS, "PROPFIND")

    async def get(self, *args: str, **kwargs: str) -> None:
        await asyncio.sleep(0)
        self.write(f"{self.request.method} {args} {kwargs} ")
        self.write(await later(self.get_argument("a", "none")))

    head = post = put = patch = delete = options = propfind = get


class OnlyGet(web.RequestHandler):
    async def get(self) -> None:
        self.write("only get")


class Gathered(web.RequestHandler):
    async def get(self) -> None:
        values = await asyncio.gather(later("a"), later("b"), self.fail())
        self.write(repr(values))

    async def fail(self) -> None:
        await asyncio.sleep(0)
        if self.get_argument("fail", ""):
            raise web.HTTPError(502, "one of them")


class Returning(web.RequestHandler):
    """What a verb returns, when it is no coroutine function itself."""

    def get(self, what: str) -> Any:
        self.write(f"{what} ")
        return getattr(self, what)()

    async def coroutine(self) -> None:
        self.write(await later("written later"))

    def multi(self) -> Any:
        return gen.multi([self.coroutine(), self.coroutine()])

    def converted(self) -> Any:
        return gen.convert_yielded(self.coroutine())

    def task(self) -> Any:
        return asyncio.get_running_loop().create_task(self.coroutine())

    def done_future(self) -> Any:
        return gen.maybe_future("value")

    def slept(self) -> Any:
        return gen.sleep(0.001)

    async def value_of_coroutine(self) -> Any:
        return await later("a value that nobody takes")

    def finish_and_coroutine(self) -> Any:
        self.finish("finished ")
        return self.go_on()

    async def go_on(self) -> None:
        gen_log.info("goes on")
        await later(None)
        gen_log.info("and on")

    def flush_and_coroutine(self) -> Any:
        self.flush()
        return self.coroutine()

    def text(self) -> str:
        return "a text"

    def zero(self) -> int:
        return 0

    def empty_list(self) -> list[Any]:
        return []

    def true(self) -> bool:
        return True


class Sent(web.RequestHandler):
    """Every way of answering, after something was waited for."""

    async def get(self, what: str) -> None:
        await later(None)
        await getattr(self, f"do_{what}")()

    head = post = get

    async def do_nothing(self) -> None:
        pass

    async def do_text(self) -> None:
        self.write("a ")
        await later(None)
        self.write("body")

    async def do_tagged(self) -> None:
        self.write("a body with a tag")

    async def do_dict(self) -> None:
        self.write({"a": await later([1, None])})

    async def do_finish(self) -> None:
        self.write("written ")
        await self.finish("and finished")

    async def do_finish_not_awaited(self) -> None:
        self.finish({"a": 1})

    async def do_status(self) -> None:
        self.set_status(await later(201), "Made")
        self.set_header("Location", "/made")

    async def do_204(self) -> None:
        self.set_status(204)
        self.set_header("Content-Language", "en")
        await later(None)

    async def do_204_with_body(self) -> None:
        self.set_status(204)
        self.write("a")

    async def do_304(self) -> None:
        self.set_status(304)
        self.set_header("Etag", '"x"')

    async def do_304_finished(self) -> None:
        self.set_status(304)
        await self.finish()

    async def do_redirect(self) -> None:
        self.redirect(await later("/there"))

    async def do_redirect_forever(self) -> None:
        self.redirect("/there?a=b", permanent=True)
        await later(None)

    async def do_render(self) -> None:
        await self.render(await later("page.html"), value="<b>")

    async def do_render_not_awaited(self) -> None:
        self.render("page.html", value=await later(1))

    async def do_rendered(self) -> None:
        self.write(self.render_string("page.html", value=await later("é")))

    async def do_page_that_fails(self) -> None:
        self.write("lost")
        self.render("page.html")

    async def do_missing_page(self) -> None:
        self.render("missing.html")

    async def do_cookies(self) -> None:
        self.set_cookie("a", await later("b"))
        self.set_signed_cookie("counted", "no")
        self.clear_cookie("a")
        self.clear_cookie("counted")

    async def do_length(self) -> None:
        self.set_header("Content-Length", await later(4))
        self.write("four")

    async def do_length_too_large(self) -> None:
        self.set_header("Content-Length", await later(10))
        self.write("four")

    async def do_length_too_small(self) -> None:
        self.set_header("Content-Length", await later(3))
        self.write("four")

    async def do_bytes_of_a_megabyte(self) -> None:
        for _ in range(16):
            self.write(await later(b"x" * 65536))

    async def do_list(self) -> None:
        self.write(await later([1]))


class Misused(web.RequestHandler):
    """What goes on after the end."""

    async def get(self, what: str) -> None:
        await self.finish("done")
        gen_log.info("after finish %s", self.get_status())
        await later(None)
        await getattr(self, f"then_{what}")()

    async def then_go_on(self) -> None:
        await later(None)
        gen_log.info("still there")

    async def then_write(self) -> None:
        self.write("late")

    async def then_finish(self) -> None:
        await self.finish()

    async def then_redirect(self) -> None:
        self.redirect("/")

    async def then_fail(self) -> None:
        raise KeyError("late")

    async def then_raise_error(self) -> None:
        raise web.HTTPError(404, "late")

    async def then_raise_finish(self) -> None:
        raise web.Finish("late")

    async def then_send_error(self) -> None:
        self.send_error(404)

    async def then_set_header(self) -> None:
        self.set_header("X-Late", "1")

    async def then_set_status(self) -> None:
        self.set_status(404)
        gen_log.info("%s", self.get_status())

    def on_finish(self) -> None:
        gen_log.info("on_finish %s", self.get_status())


class InContext(web.RequestHandler):
    """Context variables of a request, through all that it waits for."""

    def prepare(self) -> None:
        name_of_user.set(self.get_argument("user"))

    async def get(self) -> None:
        first = name_of_user.get()
        values = await asyncio.gather(self.change(), self.look())
        self.write(f"{first} {values} {name_of_user.get()}")

    async def change(self) -> Any:
        name_of_user.set("changed in a task")
        return await later(name_of_user.get())

    async def look(self) -> str:
        await asyncio.sleep(0)
        return name_of_user.get()

    def on_finish(self) -> None:
        gen_log.info("on_finish of %s", name_of_user.get("nobody"))


class Waiting(web.RequestHandler):
    """Everything that asyncio lets one wait for."""

    async def get(self, what: str) -> None:
        self.write(repr(await getattr(self, f"for_{what}")()))

    async def for_sleep(self) -> Any:
        return await asyncio.sleep(0.001, "slept")

    async def for_task(self) -> Any:
        return await asyncio.create_task(later("of a task"))

    async def for_timeout(self) -> Any:
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)
        except TimeoutError as error:
            return type(error).__name__

    async def for_shield(self) -> Any:
        return await asyncio.shield(later("shielded"))

    async def for_thread(self) -> Any:
        return await asyncio.to_thread(divmod, 7, 2)

    async def for_first_completed(self) -> Any:
        never = asyncio.ensure_future(asyncio.Event().wait())
        soon = asyncio.ensure_future(later("soon"))
        done, pending = await asyncio.wait(
            {never, soon}, return_when=asyncio.FIRST_COMPLETED
        )
        never.cancel()
        return [task.result() for task in done], len(pending)

    async def for_lock(self) -> Any:
        lock = asyncio.Lock()
        async with lock:
            return await later(lock.locked())

    async def for_queue(self) -> Any:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        put = asyncio.ensure_future(self.put_all(queue))
        got = [await queue.get() for _ in range(3)]
        await put
        return got

    async def put_all(self, queue: asyncio.Queue[int]) -> None:
        for number in range(3):
            await queue.put(number)

    async def for_generator(self) -> Any:
        return [number async for number in self.numbers()]

    async def numbers(self) -> AsyncIterator[int]:
        for number in range(3):
            yield await later(number)

    async def for_process(self) -> Any:
        process = await asyncio.create_subprocess_exec(
            "echo", "from a process", stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return out, process.returncode

    async def for_stream(self) -> Any:
        """A connection to a server of its own, on the same loop."""

        async def serve(reader: asyncio.StreamReader, writer: Any) -> None:
            writer.write(b"echo " + await reader.readline())
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"line\n")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        return answer

    async def for_cancelled_task(self) -> Any:
        task = asyncio.create_task(asyncio.sleep(100))
        await later(None)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return task.cancelled()

    async def for_current_task(self) -> Any:
        return isinstance(asyncio.current_task(), asyncio.Task)


def names(cls: type, prefix: str) -> list[str]:
    return [name.removeprefix(prefix) for name in vars(cls) if name.startswith(prefix)]


def make_app() -> web.Application:
    rules: list[Any] = [
        (r"/every", Every),
        (r"/every/(\d+)/(.*)", Every),
        (r"/named/(?P<group>.*)", Every),
        (r"/only_get", OnlyGet),
        (r"/gathered", Gathered),
        (r"/returning/(.*)", Returning),
        (r"/sent/(.*)", Sent),
        (r"/misused/(.*)", Misused),
        (r"/in_context", InContext),
        (r"/waiting/(.*)", Waiting),
    ]
    return web.Application(
        rules,
        cookie_secret="a secret",
        # Loaders are shared by this name.
        template_path="async_verbs",
        template_loader=DictLoader({"page.html": "<p>{{ value }}</p>"}),
    )


VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND")

REQUESTS = {
    **{f"every_{verb.lower()}": request(verb, "/every?a=b") for verb in VERBS},
    **{
        f"every_{verb.lower()}_with_body": form("/every", "a=of+the+body", verb)
        for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND")
    },
    "groups": get("/every/5/%C3%A9?a=b"),
    "named_group": get("/named/x%20y"),
    "bad_group": get("/named/%ff"),
    "bad_argument": get("/every?a=%ff"),
    "post_to_only_get": post("/only_get", b""),
    "head_of_only_get": head("/only_get"),
    "options_of_only_get": request("OPTIONS", "/only_get"),
    "propfind_of_only_get": request("PROPFIND", "/only_get"),
    "no_host": request("GET", "/every", host=None, version="1.0"),
    "http_1_0": request("GET", "/every", version="1.0"),
    "bad_host": request("GET", "/every", host="user@example.test"),
    "gathered": get("/gathered"),
    "gathered_with_a_failure": get("/gathered?fail=1"),
    **{
        f"returns_{what}": get(f"/returning/{what}")
        for what in vars(Returning)
        if what[0] != "_" and what not in ("get", "go_on")
    },
    **{f"sends_{what}": get(f"/sent/{what}") for what in names(Sent, "do_")},
    **{
        f"head_sends_{what}": head(f"/sent/{what}")
        for what in ("nothing", "text", "finish", "204", "redirect", "length", "list")
    },
    **{
        f"post_sends_{what}": post(f"/sent/{what}", b"")
        for what in ("text", "204", "304", "redirect")
    },
    "etag_is_known": get("/sent/tagged", f"If-None-Match: {OF_THE_BODY}"),
    "etag_is_known_weakly": get("/sent/tagged", f"If-None-Match: W/{OF_THE_BODY}"),
    "etag_is_another": get("/sent/tagged", 'If-None-Match: "x"'),
    "etag_is_known_to_head": head("/sent/tagged", f"If-None-Match: {OF_THE_BODY}"),
    "etag_of_a_post": post("/sent/tagged", b"", f"If-None-Match: {OF_THE_BODY}"),
    **{f"then_{what}": get(f"/misused/{what}") for what in names(Misused, "then_")},
    "context": get("/in_context?user=ann"),
    "context_of_another": get("/in_context?user=bob"),
    **{f"waits_for_{what}": get(f"/waiting/{what}") for what in names(Waiting, "for_")},
}
