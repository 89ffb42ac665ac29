"""The development server, in this process: what wsgiref's own leaves open."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from tests.live.client import HOST, Client
from wsgitornado._types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgitornado.httpserver import make_development_server

Body = Iterable[bytes]


@contextmanager
def serving(application: WSGIApplication, host: str = HOST) -> Iterator[int]:
    """Serve an application and give the port."""
    with make_development_server(application, host, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(10)


def ask(application: WSGIApplication, request: bytes) -> Client:
    """Send a request; the client that is given can still read what was answered."""
    with serving(application) as port:
        client = Client(port).send(request)
        client.unread(client.read_to_end())
        return client


def show_environ(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    start_response("200 OK", [("Content-Type", "application/json")])
    shown = {k: v for k, v in environ.items() if isinstance(v, (str, bool))}
    return [json.dumps(shown).encode()]


def answering(status: str, *headers: tuple[str, str]) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response(status, list(headers))
        return []

    return application


def fetch_environ(request: str) -> WSGIEnvironment:
    with ask(show_environ, request.encode("latin-1")) as client:
        environ: WSGIEnvironment = json.loads(client.read_answer().body)
    return environ


def test_environ_holds_nothing_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example")
    monkeypatch.setenv("HTTPS", "on")
    environ = fetch_environ("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert "HTTP_PROXY" not in environ
    assert "HOME" not in environ
    assert environ["wsgi.url_scheme"] == "http"
    assert environ["wsgi.multithread"] is True


def test_header_with_an_underscore_is_dropped() -> None:
    environ = fetch_environ(
        "GET /a%20b?c HTTP/1.1\r\nHost: a\r\n"
        "X_Real_Ip: 203.0.113.9\r\nX-Real-Ip: 198.51.100.1\r\nX_real_IP: x\r\n\r\n"
    )
    assert environ["HTTP_X_REAL_IP"] == "198.51.100.1"
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/a b", "c")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answer_without_body_has_no_length(status: str) -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    with ask(answering(status), request) as client:
        assert client.read_answer().all("content-length") == []


def test_length_of_what_was_not_modified_is_kept() -> None:
    application = answering("304 Not Modified", ("Content-Length", "5"))
    with ask(application, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as client:
        assert client.read_answer("HEAD").all("content-length") == ["5"]


def test_empty_answer_with_another_status_has_a_length() -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    with ask(answering("404 Not Found"), request) as client:
        assert client.read_answer().all("content-length") == ["0"]


@pytest.mark.parametrize(
    ("version", "expect", "informational"),
    [
        pytest.param("1.1", "100-Continue", [100], id="asked"),
        pytest.param("1.0", "100-continue", [], id="1.0 knows nothing of it"),
        pytest.param("1.1", "200-ok", [], id="unknown expectation"),
    ],
)
def test_client_that_waits_is_told_to_continue(
    version: str, expect: str, informational: list[int]
) -> None:
    with (
        serving(show_environ) as port,
        Client(port).send(
            f"POST / HTTP/{version}\r\nHost: a\r\nExpect: {expect}\r\n"
            "Content-Length: 3\r\n\r\n".encode()
        ) as client,
    ):
        assert client.read_answer().informational == informational


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        pytest.param(b"GET / HTTP/1.1 x", b"400", id="too many words"),
        pytest.param(b"GET /" + b"a" * 65536 + b" HTTP/1.1", b"414", id="too long"),
    ],
)
def test_bad_request_line_is_refused(request_line: bytes, status: bytes) -> None:
    with serving(show_environ) as port, Client(port) as client:
        answer = client.send_if_taken(request_line + b"\r\n\r\n").read_to_end()
    assert status in answer.splitlines()[0] or b"code: " + status in answer


class Failing:
    """A body that breaks off."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield b"begun"
        raise self.error

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(
    "error",
    [ValueError("in the program"), BrokenPipeError("another program's pipe")],
    ids=["any error", "one as of a client that left"],
)
def test_body_that_breaks_off_ends_in_a_reset(
    error: Exception, capfd: pytest.CaptureFixture[str]
) -> None:
    body = Failing(error)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", [])
        return body

    with serving(application) as port, Client(port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.read_answer()
    assert body.closed == 1
    assert ("ValueError" in capfd.readouterr().err) == isinstance(error, ValueError)


def test_failure_before_the_headers_is_a_500(capfd: pytest.CaptureFixture[str]) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        raise ValueError("in the program")

    with ask(application, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as client:
        assert client.read_answer().status_code == 500
    assert "ValueError: in the program" in capfd.readouterr().err


def test_refused_upload_gets_its_answer_whole() -> None:
    # Far more than the buffers of both ends hold.
    body = bytes(16 * 1024 * 1024)
    head = f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    with ask(answering("413 Too Large"), head.encode() + body) as client:
        assert client.read_answer().status_code == 413


def send_for_ever(client: Client) -> None:
    while True:
        client.send(bytes(65536))


def test_client_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgitornado.httpserver.development._LINGER", 0.05)
    with serving(show_environ) as port, Client(port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.read_answer().status_code == 200
        # It keeps sending: at last the server's end is gone.
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            send_for_ever(client)


def test_client_that_leaves_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    arrived, left = threading.Event(), threading.Event()

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        write = start_response("200 OK", [])
        arrived.set()
        left.wait(10)
        while True:
            write(bytes(65536))

    with serving(application) as port:
        client = Client(port).send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert arrived.wait(10)
        client.reset()
        left.set()
        # In the request line already.
        Client(port).send(b"GET / HT").reset()
        with Client(port) as other:
            other.send(b"GET\r\n\r\n").read_to_end()
    assert capfd.readouterr().err == ""


def test_error_of_the_server_itself_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with make_development_server(show_environ, HOST, 0) as server:
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            server.handle_error(None, (HOST, 1))
        assert "ZeroDivisionError" in capfd.readouterr().err


def test_requests_do_not_wait_for_each_other() -> None:
    both = threading.Barrier(2, timeout=10)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        both.wait()
        start_response("200 OK", [])
        return [b"met"]

    with serving(application) as port, Client(port) as one, Client(port) as other:
        for client in (one, other):
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert one.read_answer().body == other.read_answer().body == b"met"


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_ipv6_address_is_listened_on() -> None:
    with serving(answering("200 OK"), "::1") as port:
        socket.create_connection(("::1", port)).close()


def test_application_can_ask_whether_its_client_has_left() -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        has_left = environ["wsgitornado.client_disconnected"]
        start_response("200 OK", [])
        yield f"{has_left()} ".encode()
        while not has_left():
            pass
        yield f"{has_left()}".encode()

    with serving(application) as port, Client(port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.read_until(b"False ")
        assert client.end_input().read_to_end() == b"True"
