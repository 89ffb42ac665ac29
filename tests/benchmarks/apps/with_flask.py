"""The programs as Flask views.

The ETag is Werkzeug's ``add_etag``, a SHA-1 of the body; the signed cookie is Flask's
session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import jinja2

from tests.benchmarks.apps.templates import JINJA
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


def hello() -> flask.Response:
    response = flask.make_response(HELLO)
    response.add_etag()
    return response


def json_object() -> dict[str, Any]:
    return JSON_OBJECT


def greeting(name: str) -> str:
    return GREETING % name


def form() -> str:
    values = [flask.request.args[name] for name in QUERY_NAMES]
    values += [flask.request.form[name] for name in FORM_NAMES]
    return ",".join(values)


def signed_cookie() -> str:
    visits = int(flask.session.get(COOKIE, 0)) + 1
    flask.session[COOKIE] = visits
    return str(visits)


def rows() -> str:
    return flask.render_template("rows.html", title=TITLE, rows=ROWS)


def upload() -> str:
    return str(len(flask.request.files["file"].read()))


def _one(path: str, view: Callable[..., Any], method: str = "GET") -> flask.Flask:
    application = flask.Flask("tests.benchmarks", static_folder=None)
    application.secret_key = COOKIE_SECRET
    application.jinja_loader = jinja2.DictLoader({"rows.html": JINJA})
    application.add_url_rule(path, view_func=view, methods=[method])
    return application


def _routes(count: int) -> flask.Flask:
    application = flask.Flask("tests.benchmarks", static_folder=None)
    for number in range(count):
        application.add_url_rule(
            f"/section{number}/<name>", f"section{number}", greeting
        )
    return application


def _static() -> flask.Flask:
    return flask.Flask(
        "tests.benchmarks", static_folder=static_folder(), static_url_path="/static"
    )


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
    "static4k": _static,
    "static1m": _static,
}
