"""The programs as handlers of this package, written as for Tornado.

The ETag comes from the package itself, for every complete answer to GET. A case whose
feature the package does not have (yet) has no program; such features are looked up at
run time, hence ``Any``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from tests.benchmarks.apps.templates import TORNADO
from tests.benchmarks.cases import (
    COOKIE,
    COOKIE_SECRET,
    FORM_NAMES,
    GREETING,
    HELLO,
    JSON_OBJECT,
    QUERY_NAMES,
    ROWS,
    TITLE,
    static_folder,
)
from wsgitornado import httputil, web

_features: Any = web


class Hello(web.RequestHandler):
    def get(self) -> None:
        self.write(HELLO)


class JSONObject(web.RequestHandler):
    def get(self) -> None:
        self.write(JSON_OBJECT)


class Greeting(web.RequestHandler):
    def get(self, name: str) -> None:
        self.write(GREETING % name)


class Form(web.RequestHandler):
    def post(self) -> None:
        values = [self.get_query_argument(name) for name in QUERY_NAMES]
        values += [self.get_body_argument(name) for name in FORM_NAMES]
        self.write(",".join(values))


class SignedCookie(web.RequestHandler):
    def get(self: Any) -> None:
        visits = int(self.get_signed_cookie(COOKIE) or 0) + 1
        self.set_signed_cookie(COOKIE, str(visits))
        self.write(str(visits))


class Rows(web.RequestHandler):
    def get(self: Any) -> None:
        self.render("rows.html", title=TITLE, rows=ROWS)


class Upload(web.RequestHandler):
    def post(self: Any) -> None:
        self.write(str(len(self.request.files["file"][0].body)))


def _one(
    pattern: str, handler: type[web.RequestHandler], **settings: Any
) -> web.Application:
    return web.Application([(pattern, handler)], **settings)


def _routes(count: int) -> web.Application:
    return web.Application(
        [(rf"/section{number}/([^/]+)", Greeting) for number in range(count)]
    )


def _rows() -> web.Application:
    template: Any = importlib.import_module("wsgitornado.template")
    loader = template.DictLoader({"rows.html": TORNADO})
    return _one("/rows", Rows, template_loader=loader)


def _static() -> web.Application:
    folder = {"path": str(static_folder())}
    return web.Application([(r"/static/(.*)", _features.StaticFileHandler, folder)])


BUILDERS: dict[str, Callable[[], web.Application]] = {
    "hello": lambda: _one("/", Hello),
    "json": lambda: _one("/json", JSONObject),
    "path50": lambda: _routes(50),
    "path500": lambda: _routes(500),
    "form": lambda: _one("/form", Form),
    "404": lambda: _one("/", Hello),
}
if hasattr(httputil.HTTPServerRequest, "files"):
    BUILDERS["upload"] = lambda: _one("/upload", Upload)
if hasattr(web.RequestHandler, "get_signed_cookie"):
    BUILDERS["cookie"] = lambda: _one(
        "/cookie", SignedCookie, cookie_secret=COOKIE_SECRET
    )
if hasattr(web.RequestHandler, "render"):
    BUILDERS["template"] = _rows
if hasattr(_features, "StaticFileHandler"):
    BUILDERS["static4k"] = BUILDERS["static1m"] = _static
