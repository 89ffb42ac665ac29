"""Entry points: verbs, initialize, what a method returns, the order of the hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado import web

from tests.porting.raw import get, head, post, request


class Verbs(web.RequestHandler):
    def get(self) -> None:
        self.write("got")

    def head(self) -> None:
        self.set_header("X-Verb", "head")

    def post(self) -> None:
        self.write(b"posted " + self.request.body)

    def delete(self) -> None:
        self.set_status(204)

    def patch(self) -> None:
        self.write(b"patched " + self.request.body)

    def put(self) -> None:
        self.set_status(201)
        self.write(b"put " + self.request.body)

    def options(self) -> None:
        self.set_header("Allow", "GET, POST")


class GetOnly(web.RequestHandler):
    def get(self) -> None:
        self.write("got")


class Propfind(web.RequestHandler):
    SUPPORTED_METHODS: Any = (*web.RequestHandler.SUPPORTED_METHODS, "PROPFIND")

    def propfind(self) -> None:
        self.write(f"found by {self.request.method}")


class WithoutGet(web.RequestHandler):
    SUPPORTED_METHODS: Any = ("POST",)

    def get(self) -> None:
        self.write("never")


class Initialized(web.RequestHandler):
    def initialize(self, greeting: str, name: str = "you") -> None:
        self.text = f"{greeting} {name}"

    def get(self) -> None:
        self.write(self.text)


class Hooks(web.RequestHandler):
    def initialize(self) -> None:
        self.called = ["initialize", *vars(self).get("path_args", ())]

    def prepare(self) -> None:
        self.called.append(f"prepare {self.path_args} {self.path_kwargs}")

    def get(self, *args: str) -> None:
        self.called.append(f"get {args}")
        self.write(", ".join(self.called))
        self.set_header("X-Status", self.get_status())

    head = post = get


class Prepared(web.RequestHandler):
    def prepare(self) -> None:
        what = self.get_argument("what")
        if what == "finish":
            self.finish("prepared")
        elif what == "error":
            raise web.HTTPError(409)
        elif what == "stop":
            self.write("stopped")
            raise web.Finish()
        elif what == "redirect":
            self.redirect("/elsewhere")
        elif what == "send_error":
            self.send_error(403, reason="No Way")
        elif what == "fail":
            raise KeyError(what)

    def get(self) -> None:
        self.write("never but for nothing")


RETURNED: dict[str, Callable[[Any], Any]] = {
    "none": lambda handler: None,
    "number": lambda handler: 5,
    "zero": lambda handler: 0,
    "text": lambda handler: "text",
    "handler": lambda handler: handler,
    "what_finish_returns": lambda handler: handler.finish("done"),
    "what_flush_returns": lambda handler: (handler.write("a"), handler.flush())[1],
}


class Returns(web.RequestHandler):
    def get(self, what: str) -> Any:
        return RETURNED[what](self)


class PrepareReturns(web.RequestHandler):
    def prepare(self) -> Any:
        return 5

    def get(self) -> None:
        self.write("got")


class Native(web.RequestHandler):
    async def prepare(self) -> None:
        self.write("prepared, ")

    async def get(self, what: str) -> None:
        self.write(what)
        if what == "fail":
            raise KeyError(what)
        if what == "error":
            raise web.HTTPError(404, "no %s", what)
        if what == "finish":
            await self.finish()


class InWrite(web.RequestHandler):
    def get(self) -> None:
        self.write(self.application.settings["greeting"] + self.settings["greeting"])
        self.write(str(self.application.settings is self.settings))


def make_app() -> web.Application:
    rules: list[Any] = [
        (r"/verbs", Verbs),
        (r"/get_only", GetOnly),
        (r"/base", web.RequestHandler),
        (r"/propfind", Propfind),
        (r"/without_get", WithoutGet),
        (r"/initialized", Initialized, {"greeting": "hello"}),
        (r"/initialized/none", Initialized),
        (r"/initialized/more", Initialized, {"greeting": "hello", "nam": "x"}),
        (r"/verbs/initialized", Verbs, {"greeting": "hello"}),
        (r"/hooks(?:/(.*))?", Hooks),
        (r"/prepared", Prepared),
        (r"/returns/(.*)", Returns),
        (r"/prepare_returns", PrepareReturns),
        (r"/native/(.*)", Native),
        (r"/settings", InWrite),
    ]
    return web.Application(rules, greeting="hi")


REQUESTS = {
    "get": get("/verbs"),
    "head": head("/verbs"),
    "post": post("/verbs", b"it"),
    "delete": request("DELETE", "/verbs"),
    "patch": request("PATCH", "/verbs", body=b"it"),
    "put": request("PUT", "/verbs", body=b"it"),
    "options": request("OPTIONS", "/verbs"),
    "post_without_body": request("POST", "/verbs"),
    "delete_with_body": request("DELETE", "/verbs", body=b"why"),
    "http_1_0": request("GET", "/verbs", version="1.0"),
    "unknown_method": request("FOO", "/verbs"),
    "head_is_not_made_of_get": head("/get_only"),
    "options_are_not_made_up": request("OPTIONS", "/get_only"),
    "post_is_missing": post("/get_only", b"a=b"),
    "get_of_the_base_class": get("/base"),
    "delete_of_the_base_class": request("DELETE", "/base"),
    "propfind": request("PROPFIND", "/propfind"),
    "propfind_is_not_supported": request("PROPFIND", "/verbs"),
    "get_is_not_supported": get("/without_get"),
    "initialized": get("/initialized"),
    "initialized_with_too_little": get("/initialized/none"),
    "initialized_with_too_much": get("/initialized/more"),
    "initialize_takes_nothing": get("/verbs/initialized"),
    "hooks": get("/hooks/a%20b"),
    "hooks_without_group": get("/hooks"),
    "hooks_of_head": head("/hooks/x"),
    "hooks_of_post": post("/hooks/x", b""),
    "prepare_does_nothing": get("/prepared?what="),
    "prepare_misses_an_argument": get("/prepared"),
    "prepare_of_a_missing_method": post("/prepared?what=", b""),
    **{
        f"prepare_{what}": get(f"/prepared?what={what}")
        for what in ("finish", "error", "stop", "redirect", "send_error", "fail")
    },
    **{f"returns_{what}": get(f"/returns/{what}") for what in RETURNED},
    "prepare_returns_a_number": get("/prepare_returns"),
    **{
        f"native_{what}": get(f"/native/{what}")
        for what in ("text", "fail", "error", "finish")
    },
    "settings": get("/settings"),
}
