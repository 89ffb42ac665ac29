"""Bodies that come in parts: ``prepare`` before them, the verb after them."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from tornado import gen, web
from tornado.log import gen_log

from tests.porting.raw import form, get, head, post, request

URLENCODED = "Content-Type: application/x-www-form-urlencoded"
CHUNKED = "Transfer-Encoding: chunked"

#: Fits with its head into what either server reads at once.
BODY = b"0123456789" * 100


@web.stream_request_body
class Counted(web.RequestHandler):
    """Adds up what came; how it was cut into parts is everybody's own."""

    def initialize(self) -> None:
        self.size = 0
        self.digest = hashlib.sha1()

    def data_received(self, chunk: bytes) -> None:
        assert type(chunk) is bytes
        assert chunk
        self.size += len(chunk)
        self.digest.update(chunk)

    def get(self) -> None:
        self.write(f"{self.request.method} {self.size} {self.digest.hexdigest()}")

    post = put = patch = delete = head = options = get


@web.stream_request_body
class Coroutine(web.RequestHandler):
    """Everything waits, and the next part with it."""

    async def prepare(self) -> None:
        self.parts = [b"prepared "]
        await asyncio.sleep(0)
        self.busy = 0

    async def data_received(self, chunk: bytes) -> None:
        self.busy += 1
        assert self.busy == 1
        await asyncio.sleep(0)
        self.parts.append(chunk)
        self.busy -= 1

    async def post(self) -> None:
        await asyncio.sleep(0)
        self.write(b"".join(self.parts))

    put = post


@web.stream_request_body
class Generator(web.RequestHandler):
    @gen.coroutine
    def prepare(self) -> Any:
        self.parts: list[bytes] = []
        yield gen.moment

    @gen.coroutine
    def data_received(self, chunk: bytes) -> Any:
        yield gen.moment
        self.parts.append(chunk)

    @gen.coroutine
    def post(self) -> Any:
        yield gen.moment
        self.write(b"".join(self.parts))


@web.stream_request_body
class Order(web.RequestHandler):
    def prepare(self) -> None:
        self.body = b""
        gen_log.info("prepare %s", self.request.headers.get("Content-Length"))

    def data_received(self, chunk: bytes) -> None:
        self.body += chunk
        if self.body == BODY:
            gen_log.info("all received %s", self._headers_written)

    def post(self, *args: str) -> None:
        gen_log.info("post %s", len(self.body))
        self.write("ok")

    def on_finish(self) -> None:
        gen_log.info("on_finish %s", self.get_status())


@web.stream_request_body
class Arguments(web.RequestHandler):
    """Those of the query are there, those of the body are not."""

    async def prepare(self) -> None:
        self.show("prepare")

    def data_received(self, chunk: bytes) -> None:
        pass

    async def post(self) -> None:
        self.show("post")

    def show(self, when: str) -> None:
        shown = (
            self.get_argument("a", None),
            self.get_arguments("a"),
            self.get_query_argument("a", None),
            self.get_body_argument("a", None),
            self.request.arguments,
            self.request.body_arguments,
            self.request.files,
            self.request.body,
        )
        self.write(f"{when} {shown}\n")


@web.stream_request_body
class Early(web.RequestHandler):
    """Answers, or fails, before the body is looked at."""

    async def prepare(self) -> None:
        await getattr(self, f"do_{self.path_args[0]}")()

    async def do_finish(self) -> None:
        await self.finish("finished early")

    async def do_finish_later(self) -> None:
        await asyncio.sleep(0)
        await self.finish("finished early")

    async def do_status(self) -> None:
        self.set_status(202)
        self.finish()

    async def do_redirect(self) -> None:
        self.redirect("/there")

    async def do_error(self) -> None:
        raise web.HTTPError(403, "no body wanted")

    async def do_fail(self) -> None:
        raise KeyError("secret")

    async def do_raise_finish(self) -> None:
        raise web.Finish("finished")

    async def do_missing_argument(self) -> None:
        self.get_argument("missing")

    async def do_send_error(self) -> None:
        self.send_error(503)

    def data_received(self, chunk: bytes) -> None:
        gen_log.info("data_received")

    def post(self, what: str) -> None:
        gen_log.info("post")


@web.stream_request_body
class EarlyPlain(Early):
    def prepare(self) -> Any:
        self.finish("finished by a plain prepare")


@web.stream_request_body
class Failing(web.RequestHandler):
    """What goes wrong while the body comes in."""

    def data_received(self, chunk: bytes) -> Any:
        return getattr(self, f"do_{self.path_args[0]}")(chunk)

    def post(self, what: str) -> None:
        self.write("verb")

    def do_fail(self, chunk: bytes) -> None:
        raise KeyError("secret")

    def do_error(self, chunk: bytes) -> None:
        raise web.HTTPError(413, "too much of it")

    def do_raise_finish(self, chunk: bytes) -> None:
        raise web.Finish("finished")

    def do_finish(self, chunk: bytes) -> None:
        self.finish("finished early")

    def do_send_error(self, chunk: bytes) -> None:
        self.send_error(409)

    async def do_fail_later(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        raise KeyError("secret")

    async def do_error_later(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        raise web.HTTPError(413, "too much of it")

    async def do_finish_later(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        await self.finish("finished early")

    def on_connection_close(self) -> None:
        gen_log.info("on_connection_close")

    def on_finish(self) -> None:
        gen_log.info("on_finish %s", self.get_status())


@web.stream_request_body
class Limited(web.RequestHandler):
    """A limit of its own, smaller or larger than that of all others."""

    def prepare(self) -> None:
        self.size = 0
        connection: Any = self.request.connection
        connection.set_max_body_size(int(self.get_argument("most")))

    def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)

    def post(self) -> None:
        self.write(str(self.size))

    def on_connection_close(self) -> None:
        gen_log.info("on_connection_close")


@web.stream_request_body
class Echo(web.RequestHandler):
    """Sends while it receives."""

    async def data_received(self, chunk: bytes) -> None:
        self.write(chunk)
        await self.flush()

    async def post(self) -> None:
        self.write(" end")


@web.stream_request_body
class WithoutMethod(web.RequestHandler):
    """Does not say what becomes of the parts."""

    def post(self) -> None:
        self.write("verb")


@web.stream_request_body
class InThread(web.RequestHandler):
    """Parts are worked on elsewhere, one after the other."""

    def initialize(self) -> None:
        self.sizes: list[int] = []

    async def data_received(self, chunk: bytes) -> None:
        self.sizes.append(await asyncio.to_thread(len, chunk))

    async def post(self) -> None:
        self.write(str(sum(self.sizes)))


class NotStreamed(web.RequestHandler):
    """Beside them, a handler that gets its body whole."""

    async def post(self) -> None:
        await asyncio.sleep(0)
        self.write(f"{len(self.request.body)} {self.get_body_argument('a', None)}")

    def data_received(self, chunk: bytes) -> None:
        gen_log.error("data_received")


class Decorated(web.RequestHandler):
    """What the decorator refuses."""

    def get(self) -> None:
        values: Any = (object, self.get, Decorated(self.application, self.request), 5)
        for value in values:
            try:
                web.stream_request_body(value)
            except TypeError:
                self.write("TypeError ")
        decorated = web.stream_request_body(Decorated)
        self.write(str(decorated is Decorated))


def make_app() -> web.Application:
    rules: list[Any] = [
        (r"/counted", Counted),
        (r"/coroutine", Coroutine),
        (r"/generator", Generator),
        (r"/order", Order),
        (r"/order/(.*)", Order),
        (r"/arguments", Arguments),
        (r"/early/(.*)", Early),
        (r"/early_plain/(.*)", EarlyPlain),
        (r"/failing/(.*)", Failing),
        (r"/limited", Limited),
        (r"/echo", Echo),
        (r"/without_method", WithoutMethod),
        (r"/in_thread", InThread),
        (r"/not_streamed", NotStreamed),
        (r"/decorated", Decorated),
    ]
    return web.Application(rules)


def in_chunks(target: str, *chunks: bytes, last: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return request("POST", target, CHUNKED) + body + last


EARLY = [name.removeprefix("do_") for name in vars(Early) if name.startswith("do_")]
FAILING = [n.removeprefix("do_") for n in vars(Failing) if n.startswith("do_")]

REQUESTS = {
    "get_without_body": get("/counted"),
    "head_without_body": head("/counted"),
    "post_without_body": request("POST", "/counted"),
    "post_of_nothing": post("/counted", b""),
    **{
        f"{method.lower()}_with_body": request(method, "/counted", body=BODY)
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    },
    "one_byte": post("/counted", b"x"),
    "any_bytes": post("/counted", bytes(range(256)) * 4),
    "parts_of_64_kilobytes": post("/counted", BODY * 66),
    "a_megabyte": post("/counted", BODY * 1049),
    "in_chunks": in_chunks("/counted", b"a", BODY, b"b"),
    "in_no_chunk": in_chunks("/counted"),
    "in_many_chunks": in_chunks("/counted", *[b"xy"] * 200),
    "in_chunks_of_64_kilobytes": in_chunks("/counted", *[BODY * 66] * 3),
    "in_chunks_with_extension": request("POST", "/counted", CHUNKED)
    + b"3;name=value\r\nabc\r\n0\r\n\r\n",
    "form": form("/counted", "a=1&b=2"),
    "http_1_0": request("POST", "/counted", body=BODY, version="1.0"),
    "in_gzip": post("/counted", BODY, "Content-Encoding: gzip"),
    "coroutine": post("/coroutine", b"the body"),
    "coroutine_of_nothing": post("/coroutine", b""),
    "coroutine_put": request("PUT", "/coroutine", body=b"the body"),
    "coroutine_in_chunks": in_chunks("/coroutine", b"the ", b"body"),
    "coroutine_a_megabyte": post("/coroutine", BODY * 1049),
    "generator": post("/generator", b"the body"),
    "generator_in_chunks": in_chunks("/generator", b"the ", b"body"),
    "order": post("/order", BODY),
    "order_in_chunks": in_chunks("/order", BODY[:500], BODY[500:]),
    "order_without_body": request("POST", "/order"),
    "arguments": request("POST", "/arguments?a=q", URLENCODED, body=b"a=b&c=d"),
    "arguments_in_chunks": request("POST", "/arguments", CHUNKED, URLENCODED)
    + b"3\r\na=1\r\n0\r\n\r\n",
    **{f"early_{what}": post(f"/early/{what}", BODY) for what in EARLY},
    **{
        f"early_{what}_in_chunks": in_chunks(f"/early/{what}", BODY, b"rest")
        for what in ("finish", "error")
    },
    **{
        f"early_{what}_without_body": request("POST", f"/early/{what}")
        for what in ("finish", "fail")
    },
    "early_plain": post("/early_plain/finish", BODY),
    **{f"failing_{what}": post(f"/failing/{what}", BODY) for what in FAILING},
    "failing_in_chunks": in_chunks("/failing/error", BODY, BODY),
    "not_failing_without_body": post("/failing/fail", b""),
    "within_own_limit": post("/limited?most=1000", BODY),
    "beyond_own_limit": post("/limited?most=999", BODY),
    "within_own_limit_in_chunks": in_chunks("/limited?most=1000", *[b"x" * 500] * 2),
    "beyond_own_limit_in_chunks": in_chunks("/limited?most=999", *[b"x" * 500] * 2),
    "echo": post("/echo", b"the body"),
    "echo_in_chunks": in_chunks("/echo", b"the ", b"body"),
    "echo_of_nothing": post("/echo", b""),
    "without_method": post("/without_method", BODY),
    "without_method_and_body": post("/without_method", b""),
    "in_thread": post("/in_thread", BODY),
    "not_streamed": form("/not_streamed", "a=1"),
    "decorated": get("/decorated"),
    "missing_method": request("PUT", "/order", body=BODY),
    "missing_method_without_body": request("PUT", "/order"),
    "unknown_method": request("FOO", "/order", body=BODY),
    "bad_group": post("/order/%ff", BODY),
    "not_found": post("/nowhere", BODY),
}
