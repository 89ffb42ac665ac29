"""The options of the loop server, one by one."""

from __future__ import annotations

import contextlib
import gzip
import logging
from typing import Any

import pytest

from tests.httpserver.running import (
    EVERY_KIND,
    EVERY_LOOP,
    Kind,
    hello,
    raw,
    running,
    wait_for,
)
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.httpserver import HTTPServer, parsers
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler


def show(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    """Says whom the server takes the client for, and over what."""
    start_response("200 OK", [])
    return [f"{environ['REMOTE_ADDR']} {environ['wsgi.url_scheme']}".encode()]


class Echo(RequestHandler):
    def post(self) -> None:
        self.write(self.request.body)


ECHO = Application([("/", Echo)])


# Proxies


@EVERY_KIND
@pytest.mark.parametrize(
    ("options", "headers", "seen"),
    [
        ({}, ["X-Real-Ip: 10.0.0.1", "X-Scheme: https"], "127.0.0.1 http"),
        ({}, ["X-Forwarded-For: 10.0.0.1"], "127.0.0.1 http"),
        (
            {"xheaders": True},
            ["X-Real-Ip: 10.0.0.1", "X-Scheme: https"],
            "10.0.0.1 https",
        ),
        ({"xheaders": True}, ["X-Forwarded-For: 10.0.0.1"], "10.0.0.1 http"),
        (
            {"xheaders": True},
            ["X-Forwarded-For: 10.0.0.1, 10.0.0.2"],
            "10.0.0.2 http",
        ),
        (
            {"xheaders": True, "trusted_downstream": ["10.0.0.2"]},
            ["X-Forwarded-For: 10.0.0.1, 10.0.0.2"],
            "10.0.0.1 http",
        ),
        ({"xheaders": True}, ["X-Real-Ip: nobody"], "127.0.0.1 http"),
        ({"protocol": "https"}, [], "127.0.0.1 https"),
    ],
    ids=[
        "not asked for",
        "not asked for, forwarded",
        "real address and scheme",
        "forwarded",
        "the last one counts",
        "unless it is a proxy",
        "no address",
        "scheme by itself",
    ],
)
def test_proxy_is_believed_as_far_as_it_was_asked_for(
    kind: Kind, options: dict[str, Any], headers: list[str], seen: str
) -> None:
    with running(show, kind, **options) as server:
        assert server.ask(*headers).text == seen


# Connections


@EVERY_KIND
def test_connections_are_closed_where_none_is_to_be_kept(kind: Kind) -> None:
    with running(hello, kind, no_keep_alive=True) as server:
        with server.connect() as client:
            answer = client.request("/a")
            assert (answer.body, answer.all("Connection")) == (b"/a", ["close"])
            assert client.read_to_end() == b""


@EVERY_LOOP
def test_only_so_many_connections_are_taken(loop: str) -> None:
    options: dict[str, Any] = {"threads": 0, "max_connections": 2}
    with running(hello, loop=loop, **options) as server:
        with server.connect() as one, server.connect() as two:
            assert one.request("/1").body == b"/1"
            assert two.request("/2").body == b"/2"
            with server.connect() as three:
                three.send(raw("GET /3 HTTP/1.1"))
                # It waits, and the others go on.
                for _ in range(20):
                    assert one.request("/1").body == b"/1"
                assert server.call(server.server.stats)["open"] == 2
                two.close()
                assert three.read_answer().body == b"/3"
                with server.connect() as four:
                    four.send(raw("GET /4 HTTP/1.1"))
                    one.close()
                    assert four.read_answer().body == b"/4"
        server.wait_until(open=0)


# Bodies


@EVERY_KIND
@pytest.mark.parametrize("inflates", [True, False])
def test_body_is_inflated_where_it_was_asked_for(kind: Kind, inflates: bool) -> None:
    app = Application([("/", Echo)])
    packed = gzip.compress(b"the body")
    with running(app, kind, decompress_request=inflates) as server:
        with server.connect() as client:
            answer = client.post("/", packed, "Content-Encoding: gzip")
    assert answer.body == (b"the body" if inflates else packed)


# The log


@EVERY_KIND
def test_log_function_hears_of_each_request(kind: Kind) -> None:
    heard: list[tuple[str, str, int]] = []

    def log(environ: WSGIEnvironment, answer: Any) -> None:
        heard.append((environ["PATH_INFO"], answer.status, answer.sent))

    with running(hello, kind, log_function=log) as server:
        with server.connect() as client:
            client.request("/a")
            client.request("/bcd", "HEAD")
            client.send(raw("GET /e HTTP/1.1") + raw("GET /f HTTP/1.1"))
            client.read_answer()
            client.read_answer()
        wait_for(lambda: len(heard) == 4)
    assert heard == [
        ("/a", "200 OK", 2),
        ("/bcd", "200 OK", 0),
        ("/e", "200 OK", 2),
        ("/f", "200 OK", 2),
    ]


@EVERY_KIND
def test_failure_of_log_function_costs_nothing(kind: Kind) -> None:
    def log(environ: WSGIEnvironment, answer: Any) -> None:
        raise LookupError

    logged = ExpectLog("wsgitornado.application", "Uncaught exception in log_function")
    with running(hello, kind, log_function=log) as server, server.connect() as client:
        with logged:
            for _ in range(2):
                assert client.request("/a").body == b"/a"
            server.wait_until(answered=2)


def answering(status: str) -> Any:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response(status, [])
        return [b""]

    return app


@pytest.mark.parametrize(
    ("status", "level"),
    [("200 OK", "INFO"), ("302 Found", "INFO"), ("404 None", "WARNING")],
)
def test_callable_of_others_has_a_line_for_each_request(
    status: str, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "wsgitornado.access")
    with running(answering(status)) as server:
        server.ask("GET /a%0Ab?c HTTP/1.1")
        server.wait_until(answered=1)
    (record,) = (r for r in caplog.records if r.name == "wsgitornado.access")
    assert record.levelname == level
    assert record.getMessage().startswith(f"{status[:3]} GET /a%0Ab?c (127.0.0.1) ")


def test_access_log_that_is_off_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "wsgitornado.access")
    with running(hello) as server:
        assert server.ask().status_code == 200
    assert caplog.records == []


def test_application_writes_its_own_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wsgitornado.access")
    with running(ECHO) as server, server.connect() as client:
        client.post("/", b"")
        server.wait_until(answered=1)
    assert len(caplog.records) == 1


def test_client_that_left_before_its_answer_has_a_line_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "wsgitornado.access")
    with running(hello, threads=1) as server, contextlib.ExitStack() as stack:
        client = stack.enter_context(server.connect())
        # Half a body, so that nothing is answered.
        client.send(raw("POST / HTTP/1.1", "Content-Length: 5", body=b"12"))
        connection = server.only_connection()
        wait_for(lambda: connection.upload is not None)
        client.reset()
        server.wait_until(open=0)
    assert [record.getMessage()[:6] for record in caplog.records] == ["- POST"]


# Mistakes


@pytest.mark.parametrize(
    ("app", "options", "error", "message"),
    [
        (None, {}, TypeError, "a WSGI callable is expected, not None"),
        (hello, {"chunk_size": 0}, ValueError, "chunk_size is a number of bytes: 0"),
        (hello, {"chunk_size": "1"}, ValueError, "chunk_size is a number"),
        (
            hello,
            {"decompress_request": True},
            ValueError,
            "decompress_request is for an Application",
        ),
        (hello, {"max_body": 1}, TypeError, "max_body"),
        (hello, {"head_timeout": 0}, ValueError, "head_timeout"),
        (hello, {"parser": "my own"}, ValueError, "'httptools', 'h11' or None"),
        (hello, {"ssl_options": {"certfile": "/none"}}, OSError, "No such file"),
        (hello, {"ssl_options": {"cert": "/none"}}, Exception, "cert"),
    ],
    ids=[
        "no callable",
        "no chunk",
        "text for a number",
        "inflating for others",
        "unknown option",
        "limit too small",
        "unknown parser",
        "no certificate",
        "unknown TLS option",
    ],
)
def test_mistake_is_told_at_once(
    app: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        HTTPServer(app, **options)


def test_parser_that_is_not_installed_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parsers, "_httptools_parser", None)
    with pytest.raises(ModuleNotFoundError, match="httptools"):
        HTTPServer(hello, parser="httptools")


def test_refused_request_is_logged_with_its_client() -> None:
    with running(hello) as server:
        with ExpectLog("wsgitornado.general", "Malformed HTTP message from 127.0.0.1"):
            assert server.ask("GET / HTTP/9.9").status_code in (400, 505)
