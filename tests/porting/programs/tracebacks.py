"""The setting serve_traceback, alone and as a part of debug."""

from __future__ import annotations

from typing import Any

from tornado import web

from tests.porting.raw import get


def fail(name: str) -> None:
    if name == "error":
        raise web.HTTPError(403, "why %s", "not")
    if name == "chained":
        try:
            fail("error")
        except web.HTTPError as error:
            raise KeyError("<outer>") from error
    raise ValueError("<script>é")


class Fail(web.RequestHandler):
    def get(self, name: str) -> None:
        if name == "send_error":
            self.send_error(404)
        elif name == "stop":
            raise web.Finish("stopped")
        else:
            fail(name)


class OwnPage(Fail):
    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.write(f"own {status_code}")


def make_app() -> web.Application:
    return web.Application(
        [(r"/own/(.*)", OwnPage), (r"/(.*)", Fail)], serve_traceback=True
    )


REQUESTS = {
    "value_error": get("/value_error"),
    "error": get("/error"),
    "chained": get("/chained"),
    "send_error": get("/send_error"),
    "stop": get("/stop"),
    "own_page": get("/own/error"),
    "missing_method": get("/").replace(b"GET", b"PUT"),
    "unsupported_method": get("/").replace(b"GET", b"FOO"),
}
