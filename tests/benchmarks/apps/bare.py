"""Plain WSGI callables: what the work costs without any framework.

The ETag is computed in the program. What needs a library has no program here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from tests.benchmarks.apps.signing import sign, unsign
from tests.benchmarks.cases import COOKIE, GREETING, HELLO, JSON_OBJECT, etag_of

_HTML = "text/html; charset=UTF-8"


def hello(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    body = HELLO.encode()
    headers = [
        ("Content-Type", _HTML),
        ("Content-Length", str(len(body))),
        ("Etag", etag_of(body)),
    ]
    start_response("200 OK", headers)
    return [body]


def json_object(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    body = json.dumps(JSON_OBJECT).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    ]
    start_response("200 OK", headers)
    return [body]


def path_argument(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    _, _, name = environ["PATH_INFO"].rpartition("/")
    body = (GREETING % name).encode()
    headers = [("Content-Type", _HTML), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]


def signed_cookie(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    _, _, text = environ.get("HTTP_COOKIE", "").partition("=")
    visits = int((text and unsign(COOKIE, text)) or 0) + 1
    body = str(visits).encode()
    headers = [
        ("Content-Type", _HTML),
        ("Content-Length", str(len(body))),
        ("Set-Cookie", f"{COOKIE}={sign(COOKIE, str(visits))}; Path=/"),
    ]
    start_response("200 OK", headers)
    return [body]


def not_found(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    body = b"Not Found"
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    start_response("404 Not Found", headers)
    return [body]


BUILDERS = {
    "hello": lambda: hello,
    "json": lambda: json_object,
    "path50": lambda: path_argument,
    "path500": lambda: path_argument,
    "cookie": lambda: signed_cookie,
    "404": lambda: not_found,
}
