"""The WSGI environ of a request."""

from __future__ import annotations

import io
import sys
from wsgiref import validate

import pytest

from tests.httpserver.recording import parse, request
from wsgitornado._types import WSGIEnvironment
from wsgitornado.httpserver.environ import make_environ
from wsgitornado.httputil.request import HTTPServerRequest

BASE: WSGIEnvironment = {"SERVER_NAME": "server", "SCRIPT_NAME": ""}


def environ_of(data: bytes, base: WSGIEnvironment = BASE) -> WSGIEnvironment:
    recorder = parse(data)
    assert recorder.status is None
    return make_environ(recorder.heads[0], base)


def test_a_request_becomes_an_environ() -> None:
    data = request(
        "X-A: 1",
        "Content-Type: text/plain",
        "X_B: 2",
        start="PUT /a%20b?c=%20 HTTP/1.1",
    )
    assert environ_of(data) == {
        "SERVER_NAME": "server",
        "SCRIPT_NAME": "",
        "REQUEST_METHOD": "PUT",
        "REQUEST_URI": "/a%20b?c=%20",
        "RAW_URI": "/a%20b?c=%20",
        "PATH_INFO": "/a b",
        "QUERY_STRING": "c=%20",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "a",
        "HTTP_X_A": "1",
        "CONTENT_TYPE": "text/plain",
    }


def test_the_base_stays_as_it_is() -> None:
    base = dict(BASE)
    environ = environ_of(request("X-A: 1"), base)
    environ["x"] = 1
    assert base == BASE


def test_fields_cannot_take_the_place_of_the_server_s_keys() -> None:
    data = request("Server-Name: x", "Script-Name: /x", "wsgi.input: x")
    environ = environ_of(data)
    assert environ["SERVER_NAME"] == "server"
    assert environ["SCRIPT_NAME"] == ""
    assert "wsgi.input" not in environ


def test_http_1_0_is_told() -> None:
    data = request(start="GET / HTTP/1.0", host="")
    environ = environ_of(data)
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert "HTTP_HOST" not in environ


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/?", "/", ""),
        ("/a?b?c", "/a", "b?c"),
        ("//a//b", "//a//b", ""),
        ("/%2561", "/%61", ""),
        ("/%2Fa%3Fb", "//a?b", ""),
        ("/%C3%A4%ff", "/\xc3\xa4\xff", ""),
        ("/100%", "/100%", ""),
        ("/%zz%0", "/%zz%0", ""),
        ("/a+b", "/a+b", ""),
        ("/?a=http://x/y", "/", "a=http://x/y"),
        ("http://h/a/b?c", "/a/b", "c"),
        ("http://h", "/", ""),
        ("HTTP://h?a/b/c", "/", "a/b/c"),
        ("http://h/", "/", ""),
        ("http://h//a%20", "//a ", ""),
    ],
)
def test_a_target_gives_path_and_query(target: str, path: str, query: str) -> None:
    environ = environ_of(request(start=f"GET {target} HTTP/1.1"))
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path, query)
    assert environ["REQUEST_URI"] == environ["RAW_URI"] == target


def test_the_asterisk_is_no_path_of_ours() -> None:
    environ = environ_of(request(start="OPTIONS * HTTP/1.1"))
    assert environ["PATH_INFO"] == "*"


def test_the_host_of_an_absolute_target_wins() -> None:
    environ = environ_of(request(start="GET http://b:8/ HTTP/1.1"))
    assert environ["HTTP_HOST"] == "b:8"


@pytest.mark.parametrize("target", ["/a%2Fb/c", "http://h/a%2Fb/c", "/a%2Fb/c?d"])
def test_a_request_finds_the_path_as_the_client_spelled_it(target: str) -> None:
    environ = environ_of(request(start=f"GET {target} HTTP/1.1"))
    assert HTTPServerRequest(environ).path == "/a%2Fb/c"


def test_trailers_never_reach_it() -> None:
    data = (
        request("Transfer-Encoding: chunked", "Trailer: X-A") + b"0\r\nX-A: 1\r\n\r\n"
    )
    assert "HTTP_X_A" not in environ_of(data)


def test_the_validator_takes_it() -> None:
    base = {
        "SERVER_NAME": "server",
        "SERVER_PORT": "80",
        "SCRIPT_NAME": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    data = request("Content-Length: 0", start="POST /%ff?a HTTP/1.1")
    validate.check_environ(environ_of(data, base))  # type: ignore[attr-defined]  # it has
