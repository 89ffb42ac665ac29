"""A message board of the old kind: coroutines, callbacks, IOLoop.instance()."""

from __future__ import annotations

import functools
import logging
import os.path
from collections.abc import Generator
from typing import Any

import tornado.httpserver
import tornado.ioloop
import tornado.locks
import tornado.netutil
import tornado.options
import tornado.web
from tornado import gen
from tornado.concurrent import Future
from tornado.escape import json_encode, to_unicode
from tornado.options import define, options

define("port", default=8888, help="run on the given port", type=int)
define("address", default="127.0.0.1", help="listen on the given address")
define("board_name", default="Board", help="the heading of each page", group="board")
define("banned", default="mallory", multiple=True, help="who may not write")

HERE = os.path.dirname(__file__)

Steps = Generator[Any, Any, None]


def board_name(handler: tornado.web.RequestHandler) -> str:
    name: str = options.board_name
    return name


class Messages:
    """What was written, and those who wait for more."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self.waiters: list[Future[None]] = []

    def add(self, author: str, text: str) -> dict[str, Any]:
        message = {"id": len(self.all) + 1, "author": author, "text": text}
        self.all.append(message)
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.set_result(None)
        return message

    def changed(self) -> Future[None]:
        waiter: Future[None] = Future()
        self.waiters.append(waiter)
        return waiter


class BaseHandler(tornado.web.RequestHandler):
    @property
    def messages(self) -> Messages:
        messages: Messages = self.settings["messages"]
        return messages

    def get_current_user(self) -> str | None:
        name = self.get_secure_cookie("user")
        return to_unicode(name) if name else None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        kind, error, _ = kwargs.get("exc_info", (None, None, None))
        known = isinstance(error, tornado.web.HTTPError)
        name = "nothing" if kind is None else "HTTPError" if known else kind.__name__
        self.render("error.html", status=status_code, reason=self._reason, name=name)


class HomeHandler(BaseHandler):
    def get(self) -> None:
        self.render("home.html", messages=self.messages.all)


class LoginHandler(BaseHandler):
    def get(self) -> None:
        self.render("login.html", next=self.get_argument("next", "/"))

    def post(self) -> None:
        name = self.get_argument("name")
        if name in options.banned:
            raise tornado.web.HTTPError(403, "%s tried again", name, reason="Banned")
        self.set_secure_cookie("user", name, expires_days=7)
        self.redirect(self.get_argument("next", "/"))


class LogoutHandler(BaseHandler):
    def get(self) -> None:
        self.clear_cookie("user")
        self.redirect(self.reverse_url("home"))


class NewHandler(BaseHandler):
    @tornado.web.authenticated
    def post(self) -> None:
        message = self.messages.add(self.current_user, self.get_argument("text"))
        if self.get_argument("next", None):
            self.redirect(self.get_argument("next"))
        else:
            self.write(message)


class UpdatesHandler(BaseHandler):
    waiter: Future[None] | None = None

    @tornado.web.authenticated
    @gen.coroutine
    def post(self) -> Steps:
        cursor = int(self.get_argument("cursor", "0"))
        while len(self.messages.all) <= cursor:
            self.waiter = self.messages.changed()
            yield self.waiter
        self.write({"messages": self.messages.all[cursor:]})

    def on_connection_close(self) -> None:
        if self.waiter in self.messages.waiters:
            self.messages.waiters.remove(self.waiter)


class WaitingHandler(BaseHandler):
    def get(self) -> None:
        self.write(str(len(self.messages.waiters)))


@gen.coroutine
def double(number: int) -> Generator[Any, Any, int]:
    yield gen.moment
    raise gen.Return(2 * number)


def later(value: str) -> Future[str]:
    """A value that a callback of the loop brings."""
    future: Future[str] = Future()
    loop = tornado.ioloop.IOLoop.instance()
    loop.add_callback(loop.call_later, 0.001, future.set_result, value)
    return future


class StepsHandler(BaseHandler):
    lock = tornado.locks.Lock()
    busy = 0

    @gen.coroutine
    def get(self) -> Steps:
        with (yield self.lock.acquire()):
            StepsHandler.busy += 1
            numbers = yield [double(n) for n in range(3)]
            words = yield {"a": later("x"), "b": later("y")}
            alone = StepsHandler.busy == 1
            StepsHandler.busy -= 1
        timed_out = False
        try:
            yield gen.with_timeout(
                tornado.ioloop.IOLoop.instance().time() + 0.001, Future()
            )
        except gen.TimeoutError:  # type: ignore[attr-defined]  # as old programs say
            timed_out = True
        self.set_header("Content-Type", "application/json")
        self.finish(json_encode([numbers, words, alone, timed_out]))


class CallbackHandler(BaseHandler):
    @gen.coroutine
    def get(self) -> Steps:
        done: Future[None] = Future()
        tornado.ioloop.IOLoop.instance().add_future(
            later("called"), functools.partial(self.on_word, done)
        )
        yield done

    def on_word(self, done: Future[None], future: Future[str]) -> None:
        self.write(future.result())
        done.set_result(None)


class TickHandler(BaseHandler):
    @gen.coroutine
    def get(self) -> Steps:
        ticked: tornado.locks.Event = self.settings["ticked"]
        ticked.clear()
        yield ticked.wait()
        self.write("tick")


class LinesHandler(BaseHandler):
    @gen.coroutine
    def get(self) -> Steps:
        self.set_header("Content-Type", "text/plain")
        for number in range(int(self.get_argument("count"))):
            self.write(f"line {number}\n")
            yield self.flush()


class UploadHandler(BaseHandler):
    @tornado.web.authenticated
    def post(self) -> None:
        told = [
            [name, f.filename, f.content_type, len(f["body"])]
            for name, files in sorted(self.request.files.items())
            for f in files
        ]
        self.write({"files": told, "fields": self.get_body_arguments("note")})


class FailHandler(BaseHandler):
    @gen.coroutine
    def get(self, kind: str) -> Steps:
        yield gen.moment
        if kind == "http":
            raise tornado.web.HTTPError(409, reason="Too Late")
        elif kind == "finish":
            self.set_status(202)
            raise tornado.web.Finish("enough")
        raise KeyError(kind)


class Application(tornado.web.Application):
    def __init__(self) -> None:
        url = tornado.web.url
        handlers: list[Any] = [
            url(r"/", HomeHandler, name="home"),
            (r"/login", LoginHandler),
            (r"/logout", LogoutHandler),
            (r"/message/new", NewHandler),
            (r"/message/updates", UpdatesHandler),
            (r"/message/waiting", WaitingHandler),
            (r"/steps", StepsHandler),
            (r"/callback", CallbackHandler),
            (r"/tick", TickHandler),
            (r"/lines", LinesHandler),
            (r"/upload", UploadHandler),
            (r"/fail/(\w+)", FailHandler),
            (r"/old", tornado.web.RedirectHandler, {"url": "/login"}),
        ]
        self.ticked = tornado.locks.Event()
        super().__init__(
            handlers,
            cookie_secret="kept in a drawer",
            login_url="/login",
            messages=Messages(),
            static_path=os.path.join(HERE, "static"),
            template_path=os.path.join(HERE, "templates"),
            ticked=self.ticked,
            ui_methods={"board_name": board_name},
            xsrf_cookies=True,
        )
        self.clock = tornado.ioloop.PeriodicCallback(self.ticked.set, 20)
        self.clock.start()


application = Application()


def main() -> None:
    tornado.options.parse_command_line()
    sockets = tornado.netutil.bind_sockets(options.port, options.address)
    server = tornado.httpserver.HTTPServer(application)
    server.add_sockets(sockets)
    host, port = sockets[0].getsockname()
    logging.info("%s: listening on http://%s:%d", options.board_name, host, port)
    tornado.ioloop.IOLoop.instance().start()


if __name__ == "__main__":
    main()
