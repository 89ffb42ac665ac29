"""Answers of every shape: statuses, lengths, headers of the server's own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from wsgiref.validate import validator

from wsgitornado.web import Application, FallbackHandler, RequestHandler

logging.basicConfig(level=logging.INFO)


class HelloHandler(RequestHandler):
    def get(self) -> None:
        self.write("Hello, world")

    head = get


class StatusHandler(RequestHandler):
    """An answer with any status: complete, flushed, or flushed by a coroutine."""

    def get(self, manner: str, status: str | None) -> Awaitable[None] | None:
        self.set_status(int(status or 200))
        if status not in ("204", "304"):
            self.write("a page")
        if manner == "awaited":
            return self.flush_later()
        if manner == "flushed":
            self.flush()
        return None

    head = get

    async def flush_later(self) -> None:
        await asyncio.sleep(0)
        await self.flush()


class LengthHandler(RequestHandler):
    """A handler that counts wrongly."""

    def get(self, manner: str, length: str) -> None:
        self.set_header("Content-Length", length)
        self.write("12345")
        if manner == "flushed":
            self.flush()
        self.write("67890")


class OwnHeadersHandler(RequestHandler):
    def get(self) -> None:
        self.set_header("Server", "mine")
        self.set_header("Date", "Thu, 01 Jan 1970 00:00:00 GMT")
        self.set_header("Connection", "keep-alive")


class EnvironHandler(RequestHandler):
    """What the server has put into the environ."""

    def get(self) -> None:
        environ = self.request.environ
        named = {key: value for key, value in environ.items() if type(value) is str}
        wrapper = "wsgi.file_wrapper" in environ
        terminated = bool(environ.get("wsgi.input_terminated"))
        self.write({**named, "file_wrapper": wrapper, "input_terminated": terminated})


class EchoHandler(RequestHandler):
    def post(self) -> None:
        self.write(self.request.body)


def careless(environ, start_response):  # type: ignore[no-untyped-def]  # as programs are
    """An application beside ours that never looks at a body."""
    start_response("200 OK", [("Content-Length", "8")])
    return [b"careless"]


validated = Application(
    [
        (r"/validated/hello", HelloHandler),
        (r"/validated/(flushed)(?:/(.*))?", StatusHandler),
        (r"/validated/echo", EchoHandler),
    ]
)

app = Application(
    [
        (r"/", HelloHandler),
        (r"/(complete|flushed|awaited)/status/(\d+)", StatusHandler),
        (r"/(complete|flushed)/length/(.+)", LengthHandler),
        (r"/own-headers", OwnHeadersHandler),
        (r"/environ", EnvironHandler),
        (r"/environ/.*", EnvironHandler),
        (r"/echo", EchoHandler),
        (r"/validated/.*", FallbackHandler, {"fallback": validator(validated)}),
        (r"/careless", FallbackHandler, {"fallback": careless}),
    ]
)
