"""Uploads through real servers: byte for byte, within limits, in every framing."""

from __future__ import annotations

import hashlib
import random

import pytest

from tests.live.client import HOST, Client
from tests.live.servers import LiveServer

pytestmark = pytest.mark.live

PROGRAM = "bodies"

MB = 1024 * 1024

#: Those that take chunked bodies; wsgiref hands the chunks over as they are.
CHUNKED = ["waitress", "gunicorn-sync", "gunicorn-gthread"]


def post(target: str, length: int | None, *headers: str) -> bytes:
    framing = (
        "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    )
    lines = [f"POST {target} HTTP/1.1", f"Host: {HOST}", framing, *headers, "", ""]
    return "\r\n".join(lines).encode()


def multipart(*files: bytes) -> tuple[str, bytes]:
    """The Content-Type line and the body of a form with files."""
    parts = [
        b'--=_b\r\nContent-Disposition: form-data; name="file"; '
        b'filename="%d"\r\nContent-Type: application/octet-stream\r\n\r\n%b\r\n'
        % (number, content)
        for number, content in enumerate(files)
    ]
    header = 'Content-Type: multipart/form-data; boundary="=_b"'
    return header, b"".join([*parts, b"--=_b--\r\n"])


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def chunks(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    framed = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
    return b"".join([*framed, b"0\r\n\r\n"])


@pytest.mark.parametrize("size", [MB, 30 * MB], ids=["1 MB", "30 MB"])
def test_uploaded_files_come_back_byte_for_byte(server: LiveServer, size: int) -> None:
    files = [random.Random(size).randbytes(size), b"\r\n--=_", b"", b"\r\n--=_b\t-"]
    header, body = multipart(*files)
    with server.connect() as client:
        client.send(post("/upload", len(body), header)).send(body)
        answer = client.read_answer()
    assert answer.text.splitlines() == [
        f"{number} {digest(content)}" for number, content in enumerate(files)
    ]


@pytest.mark.parametrize("server", CHUNKED, indirect=True)
@pytest.mark.parametrize("size", [1, 1000, MB])
def test_chunked_upload_comes_back_byte_for_byte(server: LiveServer, size: int) -> None:
    content = random.Random(size).randbytes(min(3000 * size, 3 * MB))
    header, body = multipart(content)
    with server.connect() as client:
        client.send(post("/upload", None, header)).send(chunks(body, size))
        assert client.read_answer().text == f"0 {digest(content)}\n"


@pytest.mark.parametrize("server", ["development", "wsgiref"], indirect=True)
def test_chunked_upload_is_refused_where_the_chunks_come_raw(
    server: LiveServer,
) -> None:
    with server.connect() as client:
        client.send(post("/upload", None) + chunks(b"content", 7))
        assert client.read_answer().status_code == 501


@pytest.mark.parametrize(("length", "status"), [(1000, 200), (1001, 413)])
def test_length_limit_holds_on_both_sides(
    server: LiveServer, length: int, status: int
) -> None:
    with server.connect() as client:
        client.send(post("/small/", length) + bytes(length))
        assert client.read_answer().status_code == status


@pytest.mark.parametrize("server", CHUNKED, indirect=True)
@pytest.mark.parametrize(("length", "status"), [(1000, 200), (1001, 413)])
def test_chunked_body_is_counted_against_the_limit(
    server: LiveServer, length: int, status: int
) -> None:
    with server.connect() as client:
        client.send(post("/small/", None) + chunks(bytes(length), 100))
        assert client.read_answer().status_code == status


# waitress takes the whole body before the program is asked.
@pytest.mark.parametrize(
    "server",
    ["development", "wsgiref", "gunicorn-sync", "gunicorn-gthread"],
    indirect=True,
)
def test_declared_length_is_refused_before_the_body_comes(server: LiveServer) -> None:
    with server.connect() as client:
        assert client.send(post("/small/", 50 * MB)).read_answer().status_code == 413


def expect_continue(client: Client, target: str, body: bytes) -> bytes:
    """Send the head, and give what comes before the body is sent."""
    client.send(post(target, len(body), "Expect: 100-continue"))
    return client.read_until(b"\r\n\r\n")


# The library's server never says it; clients then send after a while of waiting.
@pytest.mark.parametrize(
    "server",
    ["waitress", "development", "gunicorn-sync", "gunicorn-gthread"],
    indirect=True,
)
def test_client_that_waits_for_it_is_told_to_continue(server: LiveServer) -> None:
    with server.connect() as client:
        interim = expect_continue(client, "/upload", b"content")
        assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
        answer = client.send(b"content").read_answer()
    assert answer.text == digest(b"content")
    assert answer.informational == []


@pytest.mark.parametrize("server", ["wsgiref"], indirect=True)
def test_client_that_does_not_wait_is_answered_too(server: LiveServer) -> None:
    with server.connect() as client:
        client.send(post("/upload", 7, "Expect: 100-continue") + b"content")
        assert client.read_answer().text == digest(b"content")


def test_upload_that_breaks_off_never_reaches_the_handler(server: LiveServer) -> None:
    start = len(server.lines)
    header, body = multipart(bytes(5000))
    with server.connect() as client:
        client.send(post("/upload", len(body), header)).send(body[:-1])
        client.reset()
    with server.connect() as client:
        client.send(post("/upload", 1) + b"x").read_answer()
    server.wait_for_line("200 POST /upload", start)
    assert server.tracebacks(start) == []
