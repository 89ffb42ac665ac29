"""What is sent never breaks the framing: lengths, ends and headers, on every server."""

from __future__ import annotations

import h11
import pytest

from tests.live.client import HOST
from tests.live.servers import KEPT, LiveServer

pytestmark = pytest.mark.live

PROGRAM = "answers"

NEXT = f"GET /?next HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()

FAILED = "500: Internal Server Error"


def ask(method: str, target: str, version: str, *headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/{version}", f"Host: {HOST}", *headers, "", ""]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize(
    ("method", "target", "length"),
    [
        ("GET", "/", 12),
        ("HEAD", "/", 0),
        ("GET", "/complete/status/204", 0),
        ("GET", "/complete/status/304", 0),
        ("HEAD", "/complete/status/204", 0),
        ("GET", "/complete/status/404", 6),
        ("HEAD", "/complete/status/404", 0),
        ("GET", "/flushed/status/200", 6),
        ("HEAD", "/flushed/status/200", 0),
        ("GET", "/flushed/status/204", 0),
        ("GET", "/flushed/status/304", 0),
        ("GET", "/awaited/status/200", 6),
        ("HEAD", "/awaited/status/200", 0),
        ("GET", "/awaited/status/204", 0),
        ("GET", "/nowhere", 69),
        ("HEAD", "/nowhere", 0),
        ("GET", "/own-headers", 0),
    ],
)
def test_next_answer_or_nothing_follows_an_answer(
    server: LiveServer, method: str, target: str, length: int, version: str
) -> None:
    # The next request is there before the first is answered: bytes too many or too
    # few would be taken for its answer, or make it malformed.
    with server.connect() as client:
        client.send(ask(method, target, version, "Connection: keep-alive") + NEXT)
        answer = client.read_answer(method)
        assert len(answer.body) == length
        following = client.maybe_read_answer()
        assert following is None or following.body == b"Hello, world"


@pytest.mark.parametrize("status", ["204", "304"])
@pytest.mark.parametrize("manner", ["complete", "flushed"])
def test_answer_without_body_declares_none(
    server: LiveServer, manner: str, status: str
) -> None:
    with server.connect() as client:
        answer = client.request(f"/{manner}/status/{status}")
    assert answer.status_code == int(status)
    assert answer.all("transfer-encoding") == []
    # The library's server adds a length to any empty list; a client passes over it.
    is_stock = server.kind == "wsgiref" and manner == "complete"
    assert answer.all("content-length") == (["0"] if is_stock else [])


@pytest.mark.parametrize("target", ["/", "/complete/status/404", "/nowhere"])
def test_head_has_the_headers_of_get(server: LiveServer, target: str) -> None:
    answers = []
    for method in ("GET", "HEAD"):
        with server.connect() as client:
            answers.append(client.request(target, method))
    got, headed = answers
    assert headed.status_code == got.status_code
    assert headed.all("content-length") == got.all("content-length")
    assert headed.all("etag") == got.all("etag")


@pytest.mark.parametrize("manner", ["flushed", "awaited"])
def test_head_of_a_stream_has_no_length_but_the_streams(
    server: LiveServer, manner: str
) -> None:
    with server.connect() as client:
        answer = client.request(f"/{manner}/status/200", "HEAD")
    assert answer.all("content-length") in ([], ["6"])


def test_http_1_0_client_gets_no_chunks(server: LiveServer) -> None:
    with server.connect() as client:
        client.send(ask("GET", "/flushed/status/200", "1.0"))
        head, _, body = client.read_to_end().partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert body == b"a page"


@pytest.mark.parametrize("length", ["7", "12", "0", "no number"])
def test_wrong_length_fails_before_anything_is_sent(
    server: LiveServer, length: str
) -> None:
    start = len(server.lines)
    target = f"/complete/length/{length.replace(' ', '%20')}"
    with server.connect() as client:
        answer = client.request(target)
    assert answer.status_code == 500
    assert FAILED in answer.text
    server.wait_for_line("HTTPOutputError: .*Content-Length", start)


def test_length_exceeded_by_the_first_flush_fails_too(server: LiveServer) -> None:
    with server.connect() as client:
        assert client.request("/flushed/length/3").status_code == 500


@pytest.mark.parametrize("length", [7, 12])
def test_stream_of_a_wrong_length_is_cut(server: LiveServer, length: int) -> None:
    with server.connect() as client:
        client.send(ask("GET", f"/flushed/length/{length}", "1.1") + NEXT)
        with pytest.raises((h11.RemoteProtocolError, ConnectionResetError)):
            client.read_answer()


@pytest.mark.parametrize("target", ["/complete/length/10", "/flushed/length/10"])
def test_right_length_of_the_handlers_own_is_sent_once(
    server: LiveServer, target: str
) -> None:
    with server.connect() as client:
        answer = client.request(target)
    assert answer.body == b"1234567890"
    assert answer.all("content-length") == ["10"]
    assert answer.all("transfer-encoding") == []


@pytest.mark.parametrize("target", ["/", "/flushed/status/200", "/nowhere"])
def test_date_and_server_are_sent_once(server: LiveServer, target: str) -> None:
    with server.connect() as client:
        answer = client.request(target)
    assert len(answer.all("date")) == 1
    assert len(answer.all("server")) == 1


def test_date_and_server_of_the_handlers_own_are_sent_once(server: LiveServer) -> None:
    with server.connect() as client:
        answer = client.request("/own-headers")
    (date,) = answer.all("date")
    (name,) = answer.all("server")
    # gunicorn sends its own in their place, waitress names itself as well.
    is_gunicorn = server.kind in ("gunicorn-sync", "gunicorn-gthread")
    assert name == ("gunicorn" if is_gunicorn else "mine")
    assert date.startswith("Thu, 01 Jan 1970") != is_gunicorn
    assert answer.all("via") == (["waitress"] if server.kind == "waitress" else [])
    assert "keep-alive" not in answer.all("connection") or server.kind in KEPT
