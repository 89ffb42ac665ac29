"""Settings of an application that stand for every handler."""

from __future__ import annotations

from typing import Any

from tornado import web
from tornado.log import gen_log

from tests.porting.raw import get, head, post, request


class NotFound(web.RequestHandler):
    def initialize(self, message: str) -> None:
        self.message = message

    def prepare(self) -> None:
        self.set_status(404)
        if self.request.path == "/raise":
            raise web.HTTPError(404, "from %s", self.message)
        self.finish(f"{self.message}: {self.request.path} {self.path_args}")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.write(f"page of {self.message}")


class Known(web.RequestHandler):
    def get(self) -> None:
        self.require_setting("greeting", "greetings")
        self.write(self.settings["greeting"])


class Requires(web.RequestHandler):
    def get(self, name: str) -> None:
        self.require_setting(name)


def log_in_one_word(handler: web.RequestHandler) -> None:
    seconds = handler.request.request_time()
    summary = f"{handler.get_status()} {handler.request.method} {seconds >= 0}"
    gen_log.info("log_function: %s", summary)
    if handler.request.path == "/broken":
        raise KeyError("log_function")


def make_app() -> web.Application:
    return web.Application(
        [(r"/known", Known), (r"/requires/(.*)", Requires)],
        default_handler_class=NotFound,
        default_handler_args={"message": "not here"},
        log_function=log_in_one_word,
        greeting="hello",
        empty="",
    )


REQUESTS = {
    "known": get("/known"),
    "known_by_missing_method": post("/known", b""),
    "unknown": get("/unknown"),
    "unknown_by_head": head("/unknown"),
    "unknown_by_post": post("/unknown", b"a=b"),
    "unknown_by_unknown_method": request("FOO", "/unknown"),
    "unknown_raises": get("/raise"),
    "log_function_fails": get("/broken"),
    "required_setting": get("/requires/greeting"),
    "required_setting_is_empty": get("/requires/empty"),
    "required_setting_is_missing": get("/requires/missing"),
}
