"""Methods that programs override, and the ways in which these go wrong."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from tornado import web
from tornado.log import access_log, app_log, gen_log

from tests.porting.raw import get, head, post, request


class Defaults(web.RequestHandler):
    def set_default_headers(self) -> None:
        self.set_header("X-Default", "1")
        self.set_header("Content-Type", "text/x-own")
        self.set_header("Access-Control-Allow-Origin", "*")
        self.add_header("Vary", "Cookie")

    def get(self, what: str) -> None:
        self.write("ok")
        if what == "error":
            raise web.HTTPError(404)
        if what == "clear":
            self.set_header("X-Default", "2")
            self.set_header("X-Other", "2")
            self.clear()
        if what == "json":
            self.write({"a": 1})
        if what == "off":
            self.clear_header("X-Default")


class FailingDefaults(web.RequestHandler):
    def set_default_headers(self) -> None:
        raise KeyError("default")


class Finished(web.RequestHandler):
    """on_finish sees the answer as it was."""

    def get(self, what: str) -> None:
        self.write("ok")
        if what == "flush":
            self.flush()
        elif what == "error":
            raise web.HTTPError(409, "why")
        elif what == "fail":
            raise KeyError("why")
        elif what == "finish":
            self.finish()
            gen_log.info("after finish")

    def on_finish(self) -> None:
        gen_log.info("on_finish %s %s", self.get_status(), self._finished)
        if self.request.path.endswith("/late"):
            self.write("too late")
        if self.request.path.endswith("/broken"):
            raise KeyError("on_finish")


class Logged(web.RequestHandler):
    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        app_log.warning("own %s %s %s", typ.__name__, value, tb is not None)
        if isinstance(value, ZeroDivisionError):
            raise KeyError("log_exception")
        if isinstance(value, web.HTTPError):
            super().log_exception(typ, value, tb)

    def get(self, what: str) -> None:
        if what == "error":
            raise web.HTTPError(404, "why")
        if what == "stop":
            raise web.Finish()
        if what == "broken":
            raise ZeroDivisionError
        raise KeyError(what)


class Summary(web.RequestHandler):
    def _request_summary(self) -> str:
        return f"summary of {self.request.path}"

    def get(self) -> None:
        raise web.HTTPError(404, "why")


class OldPage(web.RequestHandler):
    """A page of a program for Tornado 2."""

    def get_error_html(self, status_code: int, **kwargs: Any) -> str:
        return f"old page {status_code}"

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            super().write_error(status_code, **kwargs)

    def get(self) -> None:
        raise web.HTTPError(404)


class Unfinished(web.RequestHandler):
    """Finished by hand, before the method returns."""

    def prepare(self) -> None:
        self._auto_finish = False

    def get(self) -> None:
        self.finish("by hand")


class Current(web.RequestHandler):
    def get_current_user(self) -> Any:
        gen_log.info("asked for the user")
        return self.get_argument("user", None)

    def get(self, what: str) -> None:
        if what == "set":
            self.current_user = "set"
        self.write(f"{self.current_user} {self.current_user}")


class Own(web.Application):
    """An application with a log of its own."""

    def log_request(self, handler: web.RequestHandler) -> None:
        if handler.request.path == "/own_log":
            access_log.info("own line %s", handler.get_status())
        elif handler.request.path == "/broken_log":
            raise KeyError("log_request")
        else:
            super().log_request(handler)


class Ok(web.RequestHandler):
    def get(self) -> None:
        self.write(f"ok {logging.INFO}")


def make_app() -> web.Application:
    rules: list[Any] = [
        (r"/defaults/(.*)", Defaults),
        (r"/failing_defaults", FailingDefaults),
        (r"/finished/(.*)", Finished),
        (r"/logged/(.*)", Logged),
        (r"/summary", Summary),
        (r"/old_page", OldPage),
        (r"/unfinished", Unfinished),
        (r"/user/(.*)", Current),
        (r"/own_log|/broken_log", Ok),
    ]
    return Own(rules)


REQUESTS = {
    **{
        f"default_headers_{what}": get(f"/defaults/{what}")
        for what in ("kept", "error", "clear", "json", "off")
    },
    "default_headers_of_head": head("/defaults/kept"),
    "default_headers_of_missing_method": post("/defaults/kept", b""),
    "default_headers_fail": get("/failing_defaults"),
    **{
        f"on_finish_{what}": get(f"/finished/{what}")
        for what in ("plain", "flush", "error", "fail", "finish", "late", "broken")
    },
    "on_finish_of_missing_method": post("/finished/plain", b""),
    "on_finish_of_unknown_method": request("FOO", "/finished/plain"),
    **{
        f"log_exception_{what}": get(f"/logged/{what}")
        for what in ("error", "stop", "broken", "key_error")
    },
    "request_summary": get("/summary"),
    "get_error_html": get("/old_page"),
    "auto_finish_is_off": get("/unfinished"),
    "current_user": get("/user/asked?user=ann"),
    "current_user_none": get("/user/asked"),
    "current_user_set": get("/user/set?user=ann"),
    "log_request": get("/own_log"),
    "log_request_fails": get("/broken_log"),
    "log_request_of_404": get("/nowhere"),
}
