"""WSGI to HTTP: status, headers, framing, and how applications may start and write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.httpserver.running import EVERY_KIND, Kind, failing, hello, raw, running
from wsgitornado import version
from wsgitornado._types import Body, StartResponse, WSGIApplication, WSGIEnvironment
from wsgitornado.web import Application, RequestHandler


def answering(
    body: Any = (b"hello",), status: str = "200 OK", *headers: tuple[str, str]
) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        start_response(status, list(headers))
        return body() if callable(body) else body

    return application


# Connections that stay, and that end


@EVERY_KIND
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_connection_is_kept_after_a_response_with_an_end(
    kind: Kind, framing: str
) -> None:
    app = hello if framing == "length" else answering(lambda: iter([b"/", b"a"]))
    with running(app, kind) as server, server.connect() as client:
        for _ in range(3):
            answer = client.request("/a")
            assert (answer.status_code, answer.body) == (200, b"/a")
            assert answer.all("Connection") == []
            assert answer.all("Transfer-Encoding") == ["chunked"] * (
                framing == "chunked"
            )


@EVERY_KIND
@pytest.mark.parametrize(
    ("lines", "app", "is_kept"),
    [
        (["Connection: close"], hello, False),
        (["GET /a HTTP/1.0"], hello, False),
        (["GET /a HTTP/1.0", "Connection: keep-alive"], hello, True),
        (["GET /a HTTP/1.0", "Connection: Keep-Alive, TE"], hello, True),
        (
            ["GET /a HTTP/1.0", "Connection: keep-alive"],
            answering(lambda: iter([b"a"])),
            False,
        ),
        ([], answering([b"a"], "200 OK", ("Connection", "close")), False),
        ([], answering([b"a"], "200 OK", ("connection", "TE, Close")), False),
        ([], answering([b"a"], "200 OK", ("Connection", "keep-alive")), True),
    ],
    ids=[
        "client says close",
        "1.0",
        "1.0 keep-alive",
        "1.0 keep-alive among others",
        "1.0 without a length",
        "application says close",
        "application says close in other letters",
        "application says keep-alive",
    ],
)
def test_who_ends_a_connection(
    kind: Kind, lines: list[str], app: WSGIApplication, is_kept: bool
) -> None:
    with running(app, kind) as server, server.connect() as client:
        client.send(raw(*lines))
        if not is_kept:
            got = client.read_to_end()
            assert got.startswith(b"HTTP/1.1 200 OK\r\n")
            assert got.count(b"Connection: close\r\n") == 1
            return
        answer = client.read_answer()
        is_old = bool(lines)
        assert answer.all("Connection") == ["keep-alive"] * is_old
        assert client.send(raw(*lines)).read_answer().status_code == 200


@EVERY_KIND
def test_body_without_a_length_ends_with_the_connection_in_http_1_0(kind: Kind) -> None:
    app = answering(lambda: iter([b"one", b"two"]))
    with running(app, kind) as server:
        head, _, body = server.exchange(raw("GET / HTTP/1.0")).partition(b"\r\n\r\n")
    assert body == b"onetwo"
    assert b"chunked" not in head
    assert b"Content-Length" not in head


class Closing(RequestHandler):
    def get(self, how: str) -> None:
        self.set_header("Connection", "close")
        self.write("bye")
        if how == "flush":
            self.flush()


@EVERY_KIND
@pytest.mark.parametrize("how", ["finish", "flush"])
def test_handler_may_close_its_connection(kind: Kind, how: str) -> None:
    with running(Application([("/(.*)", Closing)]), kind) as server:
        with server.connect() as client:
            got = client.send(raw(f"GET /{how} HTTP/1.1")).read_to_end()
    assert b"\r\nConnection: close\r\n" in got
    assert b"bye" in got


# Responses without a body


@EVERY_KIND
@pytest.mark.parametrize(
    "app",
    [
        hello,
        answering(lambda: iter([b"a", b"b"])),
        answering(lambda: iter([b"abc"]), "200 OK", ("Content-Length", "3")),
    ],
    ids=["list", "generator", "generator with a length"],
)
def test_head_gets_the_head_alone(kind: Kind, app: WSGIApplication) -> None:
    with running(app, kind) as server, server.connect() as client:
        client.send(raw("HEAD /abc HTTP/1.1") + raw("GET /abc HTTP/1.1"))
        of_head = client.read_answer("HEAD")
        of_get = client.read_answer("GET")
    assert of_head.body == b""
    assert of_get.body
    for name in ("Content-Length", "Transfer-Encoding", "Content-Type"):
        assert of_head.all(name) == of_get.all(name)


@EVERY_KIND
@pytest.mark.parametrize("body", ["list", "generator"])
@pytest.mark.parametrize(
    ("status", "length", "lengths"),
    [
        ("204 No Content", "0", []),
        ("204 No Content", "5", []),
        ("304 Not Modified", "5", ["5"]),
        ("304 Not Modified", None, []),
    ],
)
def test_statuses_without_a_body_have_none(
    kind: Kind, body: str, status: str, length: str | None, lengths: list[str]
) -> None:
    chunks: Any = [b"hello"] if body == "list" else lambda: iter([b"hello"])
    headers = [] if length is None else [("Content-Length", length)]
    with running(answering(chunks, status, *headers), kind) as server:
        with server.connect() as client:
            for _ in range(2):
                answer = client.request("/")
                assert answer.status_code == int(status[:3])
                assert answer.body == b""
                assert answer.all("Content-Length") == lengths
                assert answer.all("Transfer-Encoding") == []


# Lengths


@EVERY_KIND
@pytest.mark.parametrize("length", ["4", "6", "+5", "", "5, 5", "٥"])  # noqa: RUF001
def test_wrong_length_of_a_complete_body_is_a_500(kind: Kind, length: str) -> None:
    app = answering([b"hello"], "200 OK", ("Content-Length", length))
    with running(app, kind) as server, failing("Content-Length"):
        answer = server.ask()
    assert answer.status_code == 500
    assert answer.all("Connection") == ["close"]


@EVERY_KIND
def test_length_that_is_there_twice_is_a_500(kind: Kind) -> None:
    length = ("Content-Length", "5"), ("content-length", "5")
    with running(answering([b"hello"], "200 OK", *length), kind) as server:
        with failing("Content-Length"):
            assert server.ask().status_code == 500


@EVERY_KIND
@pytest.mark.parametrize(
    "chunks", [[b"he", b"llo!"], [b"he"], [b"hello", b"!"]], ids=["more", "less", "one"]
)
def test_wrong_length_of_a_stream_breaks_it_visibly(
    kind: Kind, chunks: list[bytes]
) -> None:
    app = answering(lambda: iter(chunks), "200 OK", ("Content-Length", "5"))
    with running(app, kind) as server, failing("Content-Length"):
        with server.connect() as client:
            client.send(raw() + raw())
            try:
                got = client.read_to_end()
            except ConnectionResetError:
                got = b""
    # Not a byte too many, and no second response.
    assert got.count(b"HTTP/1.1") <= 1
    body = got.partition(b"\r\n\r\n")[2]
    assert body == b"hello"[: len(body)]
    if chunks != [b"hello", b"!"]:
        assert len(body) < 5


# start_response and write


@EVERY_KIND
@pytest.mark.parametrize("how", ["list", "generator", "empty generator", "string"])
def test_answer_without_start_response_is_a_500(kind: Kind, how: str) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        chunks = {"list": [b"a"], "empty generator": iter([]), "string": "abc"}
        return chunks.get(how, iter([b"", b"a"]))

    with running(application, kind) as server, failing(""):
        assert server.ask().status_code == 500


def twice(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    start_response("200 OK", [])
    start_response("404 Not Found", [])
    return [b"a"]


def replaced(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    start_response("200 OK", [("Content-Length", "5")])
    try:
        raise RuntimeError("before output")
    except RuntimeError as error:
        exc_info: Any = (type(error), error, error.__traceback__)
        start_response("503 Service Unavailable", [], exc_info)
    return [b"sorry, later"]


def too_late(
    environ: WSGIEnvironment, start_response: StartResponse
) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b"begun"
    try:
        raise LookupError("after output")
    except LookupError as error:
        exc_info: Any = (type(error), error, error.__traceback__)
        start_response("503 Service Unavailable", [], exc_info)
    yield b"never"


@EVERY_KIND
def test_second_start_response_is_a_500(kind: Kind) -> None:
    with running(twice, kind) as server, failing("called twice"):
        assert server.ask().status_code == 500


@EVERY_KIND
def test_exc_info_replaces_what_is_not_sent(kind: Kind) -> None:
    with running(replaced, kind) as server:
        answer = server.ask()
    assert (answer.status_code, answer.body) == (503, b"sorry, later")


@EVERY_KIND
def test_exc_info_is_raised_when_output_has_begun(kind: Kind) -> None:
    with running(too_late, kind) as server, failing("after output"):
        with server.connect() as client:
            got = client.send(raw()).read_to_end()
    assert b"5\r\nbegun\r\n" in got
    assert b"never" not in got
    assert not got.endswith(b"0\r\n\r\n")


def writing(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    write = start_response("200 OK", [])
    write(b"one ")
    write(b"")
    write(b"two ")
    if environ["PATH_INFO"] == "/generator":
        return iter([b"three ", b"four"])
    return [b"three ", b"four"] if environ["PATH_INFO"] == "/list" else []


@EVERY_KIND
@pytest.mark.parametrize("path", ["/list", "/generator", "/"])
def test_write_comes_before_the_iterable(kind: Kind, path: str) -> None:
    with running(writing, kind) as server, server.connect() as client:
        for _ in range(2):
            rest = b"" if path == "/" else b"three four"
            assert client.request(path).body == b"one two " + rest


@EVERY_KIND
@pytest.mark.parametrize("data", ["text", None, bytearray(b"a")], ids=type)
def test_write_takes_bytes_alone(kind: Kind, data: Any) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", [])(data)
        return []

    with running(application, kind) as server, failing("bytes"):
        assert server.ask().status_code == 500


# Heads


@EVERY_KIND
def test_date_and_server_are_those_of_the_server(kind: Kind) -> None:
    with running(hello, kind) as server:
        answer = server.ask()
    assert answer.all("Server") == [f"wsgitornado/{version}"]
    (date,) = answer.all("Date")
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", date)


@EVERY_KIND
def test_application_may_have_its_own_date_and_server(kind: Kind) -> None:
    headers = ("date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("SERVER", "mine")
    with running(answering([b"a"], "200 OK", *headers), kind) as server:
        answer = server.ask()
    assert answer.all("Server") == ["mine"]
    assert answer.all("Date") == ["Thu, 01 Jan 1970 00:00:00 GMT"]


@EVERY_KIND
def test_headers_of_the_connection_are_left_out(kind: Kind) -> None:
    names = "Keep-Alive", "Transfer-Encoding", "Upgrade", "TE", "Trailer"
    headers = [(name, "x") for name in names]
    with running(answering([b"abc"], "200 OK", *headers), kind) as server:
        answer = server.ask()
    assert answer.body == b"abc"
    assert not any(answer.all(name) for name in names)


@EVERY_KIND
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        ("200 OK\r\nX-A: b", []),
        ("200 OK\n", []),
        ("100 Continue", []),
        ("20 OK", []),
        ("OK", []),
        ("2000 OK", []),
        ("²⁰⁰ OK", []),
        ("200 Sch\u0142echt", []),
        (200, []),
        ("200 OK", [("X-A", "a\r\nX-B: c")]),
        ("200 OK", [("X-A", "a\nb")]),
        ("200 OK", [("X-A", "a\rb")]),
        ("200 OK", [("X-A", "a\0b")]),
        ("200 OK", [("X-A", "a\x7fb")]),
        ("200 OK", [("X-A", "\u0142")]),
        ("200 OK", [("X-A", b"a")]),
        ("200 OK", [("X-A", 1)]),
        ("200 OK", [("X A", "a")]),
        ("200 OK", [("X-A:", "a")]),
        ("200 OK", [("X-A\r\n", "a")]),
        ("200 OK", [("", "a")]),
        ("200 OK", [("Xä", "a")]),
        ("200 OK", [("Content-Type", "text/plain\r\nX-A: b")]),
    ],
    ids=repr,
)
def test_what_no_head_may_hold_is_a_500(
    kind: Kind, status: Any, headers: list[Any]
) -> None:
    with running(answering([b"a"], status, *headers), kind) as server, failing(""):
        with server.connect() as client:
            got = client.send(raw()).read_to_end()
    assert got.startswith(b"HTTP/1.1 500 ")
    assert b"X-" not in got


@EVERY_KIND
@pytest.mark.parametrize("status", ["200", "299 ", "999 A\tb \xe9"])
def test_unusual_statuses_go_out_as_they_are(kind: Kind, status: str) -> None:
    with running(answering([b"a"], status, ("X-A", "\xe9\t")), kind) as server:
        got = server.exchange(raw("Connection: close"))
    line = status.ljust(4).encode("latin-1")
    assert got.startswith(b"HTTP/1.1 " + line + b"\r\nX-A: \xe9\t\r\n")
