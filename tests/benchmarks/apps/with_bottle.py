"""The programs as Bottle callbacks.

The ETag is computed in the program; cookies and templates are Bottle's own.
"""

from __future__ import annotations

from collections.abc import Callable

import bottle  # type: ignore[import-untyped]  # it has no annotations

from tests.benchmarks.apps.templates import BOTTLE
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
    etag_of,
    static_folder,
)

_rows = bottle.SimpleTemplate(BOTTLE)


def hello() -> bytes:
    body = HELLO.encode()
    bottle.response.set_header("Etag", etag_of(body))
    return body


def json_object() -> dict[str, object]:
    return JSON_OBJECT


def greeting(name: str) -> str:
    return GREETING % name


def form() -> str:
    values = [bottle.request.query[name] for name in QUERY_NAMES]
    values += [bottle.request.forms[name] for name in FORM_NAMES]
    return ",".join(values)


def signed_cookie() -> str:
    visits = int(bottle.request.get_cookie(COOKIE, 0, secret=COOKIE_SECRET)) + 1
    bottle.response.set_cookie(COOKIE, str(visits), secret=COOKIE_SECRET, path="/")
    return str(visits)


def rows() -> str:
    page: str = _rows.render(title=TITLE, rows=ROWS)
    return page


def upload() -> str:
    return str(len(bottle.request.files["file"].file.read()))


def static(name: str) -> object:
    return bottle.static_file(name, root=str(static_folder()))


def _one(path: str, callback: Callable[..., object], method: str = "GET") -> object:
    application = bottle.Bottle()
    application.route(path, method, callback)
    return application


def _routes(count: int) -> object:
    application = bottle.Bottle()
    for number in range(count):
        application.route(f"/section{number}/<name>", "GET", greeting)
    return application


BUILDERS = {
    "hello": lambda: _one("/", hello),
    "json": lambda: _one("/json", json_object),
    "path50": lambda: _routes(50),
    "path500": lambda: _routes(500),
    "form": lambda: _one("/form", form, "POST"),
    "cookie": lambda: _one("/cookie", signed_cookie),
    "template": lambda: _one("/rows", rows),
    "404": lambda: _one("/", hello),
    "upload": lambda: _one("/upload", upload, "POST"),
    "static4k": lambda: _one("/static/<name>", static),
    "static1m": lambda: _one("/static/<name>", static),
}
