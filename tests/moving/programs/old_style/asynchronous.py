"""The part of the board that is older still: ``@asynchronous`` and its callbacks.

Tornado 6 cannot run it; the reference of Tornado 3 and 4 says what it does.
"""
# Its types do not know any of this.
# mypy: disable-error-code="attr-defined, call-arg, untyped-decorator"

from __future__ import annotations

from typing import Any

import tornado.ioloop
import tornado.web
from tornado import gen


class LaterHandler(tornado.web.RequestHandler):
    """Its method returns at once; a callback of the loop ends the request."""

    @tornado.web.asynchronous
    def get(self) -> None:
        self.loop = tornado.ioloop.IOLoop.instance()
        self.loop.add_callback(self.on_first, "first")

    def on_first(self, word: str) -> None:
        self.write(word)
        self.flush(callback=self.on_flushed)

    def on_flushed(self) -> None:
        self.write(" then second")
        self.finish()


class FailedHandler(tornado.web.RequestHandler):
    """An exception in the method itself, which the decorator turns into a page."""

    @tornado.web.asynchronous
    def get(self) -> None:
        raise tornado.web.HTTPError(409)


class BothHandler(tornado.web.RequestHandler):
    """With a coroutine: the request ends when the coroutine does."""

    @tornado.web.asynchronous
    @gen.coroutine
    def get(self) -> Any:
        yield gen.moment
        self.write("both")


application = tornado.web.Application(
    [(r"/later", LaterHandler), (r"/failed", FailedHandler), (r"/both", BothHandler)]
)
