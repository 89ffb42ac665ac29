"""The programs as Falcon resources.

The ETag is computed in the program. Falcon signs no cookies and has no templates: the
signature is ours, the templates are Jinja's.
"""

from __future__ import annotations

from typing import TypeAlias

import falcon
import jinja2

from tests.benchmarks.apps.signing import sign, unsign
from tests.benchmarks.apps.templates import JINJA
from tests.benchmarks.cases import (
    COOKIE,
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

_App: TypeAlias = falcon.App[falcon.Request, falcon.Response]


class Hello:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        body = HELLO.encode()
        resp.content_type = falcon.MEDIA_HTML
        resp.set_header("Etag", etag_of(body))
        resp.data = body


class JSONObject:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.media = JSON_OBJECT


class Greeting:
    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        resp.content_type = falcon.MEDIA_HTML
        resp.text = GREETING % name


class Form:
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        values = [req.get_param(name, required=True) for name in QUERY_NAMES]
        form = req.get_media()
        values += [form[name] for name in FORM_NAMES]
        resp.content_type = falcon.MEDIA_HTML
        resp.text = ",".join(values)


class SignedCookie:
    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        texts = req.get_cookie_values(COOKIE)
        visits = int((texts and unsign(COOKIE, texts[0])) or 0) + 1
        resp.set_cookie(COOKIE, sign(COOKIE, str(visits)), path="/", secure=False)
        resp.content_type = falcon.MEDIA_HTML
        resp.text = str(visits)


class Rows:
    def __init__(self) -> None:
        self.template = jinja2.Environment(autoescape=True).from_string(JINJA)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = falcon.MEDIA_HTML
        resp.text = self.template.render(title=TITLE, rows=ROWS)


class Upload:
    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        size = 0
        for part in req.get_media():
            content = part.stream.read()
            if part.name == "file":
                size = len(content)
        resp.content_type = falcon.MEDIA_HTML
        resp.text = str(size)


def _routes(count: int) -> _App:
    application = falcon.App()
    resource = Greeting()
    for number in range(count):
        application.add_route(f"/section{number}/{{name}}", resource)
    return application


def _one(path: str, resource: object) -> _App:
    application = falcon.App()
    application.add_route(path, resource)
    return application


def _static() -> _App:
    application = falcon.App()
    application.add_static_route("/static", str(static_folder()))
    return application


BUILDERS = {
    "hello": lambda: _one("/", Hello()),
    "json": lambda: _one("/json", JSONObject()),
    "path50": lambda: _routes(50),
    "path500": lambda: _routes(500),
    "form": lambda: _one("/form", Form()),
    "cookie": lambda: _one("/cookie", SignedCookie()),
    "template": lambda: _one("/rows", Rows()),
    "404": lambda: _one("/", Hello()),
    "upload": lambda: _one("/upload", Upload()),
    "static4k": _static,
    "static1m": _static,
}
