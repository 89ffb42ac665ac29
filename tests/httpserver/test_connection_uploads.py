"""Bodies of requests: collected or streamed, asked for, limited, too slow, broken."""

from __future__ import annotations

import asyncio
import contextlib
import io
import tempfile
import threading
from typing import Any

import pytest

from tests.httpserver.running import (
    EVERY_KIND,
    EVERY_LOOP,
    Kind,
    Running,
    raw,
    running,
    wait_for,
)
from tests.live.client import Client
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.httpserver import uploads
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler, stream_request_body

MEGABYTE = bytes(range(256)) * 4096


def refusal(status_code: int) -> ExpectLog:
    return ExpectLog("wsgitornado.general", f"{status_code} for 127.0.0.1: .*body")


def echo(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    """Sends the body back, and says what it was kept in."""
    source = environ["wsgi.input"]
    body: bytes = source.read()
    assert len(body) == int(environ["CONTENT_LENGTH"])
    assert source.read() == b""
    kept = "memory" if isinstance(source, io.BytesIO) else "file"
    start_response("200 OK", [("X-Kept", kept)])
    return [body]


def chunked(body: bytes, size: int = 60_000) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in [*pieces, b""])


def post(body: bytes, framing: str, *lines: str) -> bytes:
    if framing == "chunked":
        lines, body = (*lines, "Transfer-Encoding: chunked"), chunked(body)
    else:
        lines = (*lines, f"Content-Length: {len(body)}")
    return raw("POST / HTTP/1.1", *lines, body=body)


FRAMINGS = pytest.mark.parametrize("framing", ["length", "chunked"])


# Whole bodies


@EVERY_KIND
@FRAMINGS
@pytest.mark.parametrize("size", [0, 1, 2 << 19, (2 << 19) + 1, 3_000_000])
def test_body_is_complete_when_the_application_is_called(
    kind: Kind, framing: str, size: int
) -> None:
    body = (MEGABYTE * 3)[:size]

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        if "CONTENT_LENGTH" not in environ:
            # Nothing was declared, and nothing came.
            environ["CONTENT_LENGTH"] = "0"
        return echo(environ, start_response)

    with running(app, kind) as server, server.connect() as client:
        for _ in range(2):
            answer = client.send(post(body, framing)).read_answer()
            assert answer.body == body
            kept = "file" if size > uploads._MOST_IN_MEMORY else "memory"
            if size:
                assert answer.all("X-Kept") == [kept]


@EVERY_KIND
@FRAMINGS
def test_limit_of_a_body_counts_its_bytes(kind: Kind, framing: str) -> None:
    with running(echo, kind, max_body_size=1000) as server:
        with server.connect() as client:
            assert client.send(post(b"x" * 1000, framing)).read_answer().body
            with refusal(413):
                client.send(post(b"x" * 1001, framing))
                assert client.read_answer().status_code == 413
        server.wait_until(open=0)


@EVERY_KIND
def test_file_of_a_body_is_gone_with_its_request(kind: Kind) -> None:
    files: list[Any] = []

    class Keeping:
        def __call__(self, environ: Any, start_response: Any) -> Body:
            files.append(environ["wsgi.input"].fileno())
            return echo(environ, start_response)

    with running(Keeping(), kind) as server:
        for _ in range(3):
            server.ask("POST / HTTP/1.1", "Content-Length: 3145728", body=MEGABYTE * 3)
    # Each had the number that the one before had left, or at most two were open.
    assert len(set(files)) <= 2


@EVERY_KIND
def test_no_room_for_a_body_is_a_503(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**options: Any) -> Any:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    lost = ExpectLog("wsgitornado.application", "Cannot keep the body of a request")
    with running(echo, kind) as server, lost, refusal(503):
        with server.connect() as client:
            client.send_if_taken(post(MEGABYTE * 2, "length"))
            assert client.read_answer().status_code == 503


# 100-continue


@EVERY_KIND
@FRAMINGS
def test_body_is_asked_for(kind: Kind, framing: str) -> None:
    request = post(b"hello", framing, "Expect: 100-continue")
    head, _, body = request.partition(b"\r\n\r\n")
    with running(echo, kind) as server, server.connect() as client:
        for _ in range(2):
            client.send(head + b"\r\n\r\n")
            assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            assert client.send(body).read_answer().body == b"hello"


@EVERY_KIND
def test_body_that_is_too_large_is_not_asked_for(kind: Kind) -> None:
    lines = "POST / HTTP/1.1", "Content-Length: 1001", "Expect: 100-continue"
    with running(echo, kind, max_body_size=1000) as server, refusal(413):
        answer = server.ask(*lines)
    assert (answer.status_code, answer.informational) == (413, [])


@EVERY_KIND
@pytest.mark.parametrize(
    "lines",
    [
        ["GET / HTTP/1.1", "Expect: 100-continue"],
        ["POST / HTTP/1.0", "Expect: 100-continue", "Content-Length: 0"],
    ],
    ids=["no body", "1.0"],
)
def test_nothing_is_asked_for_where_nothing_comes(kind: Kind, lines: list[str]) -> None:
    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", [])
        return [b"a"]

    with running(app, kind) as server:
        assert server.ask(*lines).informational == []


# Slow bodies


@EVERY_LOOP
def test_body_that_trickles_is_given_up(loop: str) -> None:
    options: dict[str, Any] = {"body_min_rate": 10_000, "body_rate_grace": 0.1}
    with running(echo, loop=loop, **options) as server, refusal(408):
        with server.connect() as client:
            client.send(raw("POST / HTTP/1.1", "Content-Length: 100000"))
            assert drip(client, server).startswith(b"HTTP/1.1 408 ")


def drip(client: Client, server: Running) -> bytes:
    """Send byte after byte until there is an answer."""
    for _ in range(5000):
        client.send_if_taken(b"x")
        if server.call(lambda: bool(server.server.linger_deadlines)):
            return client.read_to_end()
        server.loop.call_soon_threadsafe(lambda: None)
        threading.Event().wait(0.005)
    return b""


@EVERY_LOOP
def test_body_that_is_fast_enough_is_taken(loop: str) -> None:
    options: dict[str, Any] = {"body_min_rate": 1000, "body_rate_grace": 0.05}
    looks = []

    def is_too_slow(upload: uploads.Upload) -> bool:
        looks.append(upload.count)
        return original(upload)

    original = uploads.Upload.is_too_slow
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads.CollectedUpload, "is_too_slow", is_too_slow)
        with running(echo, loop=loop, **options) as server:
            with server.connect() as client:
                client.send(raw("POST / HTTP/1.1", "Content-Length: 100000"))
                client.send(b"x" * 99_999)
                # It has come fast so far: a stall is forgiven.
                wait_for(lambda: len(looks) >= 4)
                assert client.send(b"x").read_answer().status_code == 200


@EVERY_LOOP
def test_body_has_its_time_whatever_the_rate(loop: str) -> None:
    options: dict[str, Any] = {"body_timeout": 0.1, "body_min_rate": 0}
    with running(echo, loop=loop, **options) as server, refusal(408):
        with server.connect() as client:
            client.send(raw("POST / HTTP/1.1", "Content-Length: 100000"))
            assert drip(client, server).startswith(b"HTTP/1.1 408 ")
    with running(echo, loop=loop, body_timeout=20.0) as server:
        with server.connect() as client:
            assert client.send(post(b"x", "length")).read_answer().body == b"x"
        server.wait_until(open=0)
        assert not server.server.body_deadlines


# Streamed bodies


class Streaming(RequestHandler):
    """Notes what happens to it."""

    def initialize(self, notes: list[Any], **how: Any) -> None:  # type: ignore[override]  # each handler takes its own
        self.notes = notes
        self.how = how
        self.size = 0

    async def prepare(self) -> None:
        self.notes.append("prepare")
        if "refuse" in self.how:
            self.set_status(403)
            self.finish("no")
        elif "most" in self.how:
            self.request.connection.set_max_body_size(self.how["most"])
        if "timeout" in self.how:
            connection: Any = self.request.connection
            connection.set_body_timeout(self.how["timeout"])

    async def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)
        assert len(chunk) <= self.how.get("chunk_size", 65536)
        if "stop" in self.how and self.size >= self.how["stop"]:
            self.finish("enough")
        if "gate" in self.how:
            await self.how["gate"].wait()

    def post(self) -> None:
        self.notes.append("post")
        self.write(f"{self.size}")

    def on_connection_close(self) -> None:
        self.notes.append("close")

    def on_finish(self) -> None:
        self.notes.append("finish")


def streaming(
    notes: list[Any], settings: dict[str, Any] | None = None, **how: Any
) -> Application:
    # mypy knows no class that a decorator gives back marked.
    handler = stream_request_body(type("Marked", (Streaming,), {}))
    return Application([("/", handler, {"notes": notes, **how})], **(settings or {}))


@EVERY_KIND
@FRAMINGS
@pytest.mark.parametrize("chunk_size", [1000, 65536])
def test_streamed_body_is_exact(kind: Kind, framing: str, chunk_size: int) -> None:
    notes: list[Any] = []
    app = streaming(notes, chunk_size=chunk_size)
    with running(app, kind, chunk_size=chunk_size) as server:
        with server.connect() as client:
            for _ in range(2):
                answer = client.send(post(MEGABYTE, framing)).read_answer()
                assert answer.text == str(len(MEGABYTE))
    assert notes == ["prepare", "post", "finish"] * 2


@EVERY_KIND
def test_streamed_body_is_asked_for_after_prepare(kind: Kind) -> None:
    head = raw("POST / HTTP/1.1", "Content-Length: 2", "Expect: 100-continue")
    with running(streaming([]), kind) as server, server.connect() as client:
        client.send(head)
        client.read_until(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert client.send(b"ab").read_answer().text == "2"
    notes: list[Any] = []
    with running(streaming(notes, refuse=True), kind) as server:
        with server.connect() as client:
            answer = client.send(head).read_answer()
            assert (answer.status_code, answer.informational) == (403, [])
            assert client.read_to_end() == b""
    assert notes == ["prepare", "finish"]


@EVERY_KIND
def test_streaming_handler_may_end_early(kind: Kind) -> None:
    notes: list[Any] = []
    with running(streaming(notes, stop=1000), kind) as server:
        with server.connect() as client:
            client.send_if_taken(post(MEGABYTE * 4, "length"))
            answer = client.read_answer()
            assert answer.text == "enough"
            assert answer.all("Connection") == ["close"] or client.read_to_end() == b""
    assert notes == ["prepare", "finish"]


@EVERY_KIND
def test_handler_that_is_slow_holds_its_client_back(kind: Kind) -> None:
    gate = asyncio.Event()
    app = streaming([], gate=gate, most=1 << 30)
    with running(app, kind) as server, server.connect() as client:
        client._socket.settimeout(0.5)
        client.send(raw("POST / HTTP/1.1", "Content-Length: 268435456"))
        with contextlib.suppress(TimeoutError):
            for _ in range(256):
                client.send(MEGABYTE)
            pytest.fail("the client is not held back")
        connection = server.only_connection()
        # Some reads of the transport at most; the rest the system holds.
        assert server.call(lambda: connection.upload._size) < 1_000_000
        assert connection._is_reading_paused
        client.reset()
        with ExpectLog("wsgitornado.general", "400 POST .*broke off"):
            server.call(gate.set)
            server.wait_until(open=0)


@EVERY_KIND
def test_streaming_handler_sets_its_own_limit(kind: Kind) -> None:
    for most, status_code in ((2000, 200), (1999, 413)):
        notes: list[Any] = []
        # In place of the application's limit and the server's.
        app = streaming(notes, {"max_body_size": 10}, most=most)
        for framing in ("length", "chunked"):
            with running(app, kind, max_body_size=10) as server:
                with server.connect() as client:
                    with ExpectLog("wsgitornado.general", "413", required=False):
                        client.send(post(b"x" * 2000, framing))
                        assert client.read_answer().status_code == status_code
        assert ("post" in notes) == (status_code == 200)


@EVERY_KIND
def test_limit_of_one_request_is_not_that_of_the_next(kind: Kind) -> None:
    class Once(Streaming):
        async def prepare(self) -> None:
            if self.request.query == "more":
                self.request.connection.set_max_body_size(1000)

    handler = stream_request_body(Once)
    app = Application([("/", handler, {"notes": []})], max_body_size=100)
    more = post(b"x" * 500, "chunked").replace(b"POST / ", b"POST /?more ")
    with running(app, kind) as server, server.connect() as client:
        assert client.send(more).read_answer().text == "500"
        with ExpectLog("wsgitornado.general", "413", required=False):
            client.send(post(b"x" * 500, "chunked"))
            assert client.read_answer().status_code == 413


@EVERY_KIND
@pytest.mark.parametrize("how", ["closes", "resets"])
def test_streaming_handler_hears_that_its_client_left(kind: Kind, how: str) -> None:
    notes: list[Any] = []
    logged = ExpectLog("wsgitornado.general", "400 POST .*broke off", required=False)
    with running(streaming(notes), kind) as server:
        with server.connect() as client:
            client.send(raw("POST / HTTP/1.1", "Content-Length: 5", body=b"123"))
            wait_for(lambda: notes)
            with logged:
                if how == "resets":
                    client.reset()
                else:
                    client.close()
                server.wait_until(open=0, parked=0)
                wait_for(lambda: "finish" in notes)
    assert notes == ["prepare", "close", "finish"]


@EVERY_KIND
def test_malformed_chunk_of_a_streamed_body_is_a_400(kind: Kind) -> None:
    notes: list[Any] = []
    logged = ExpectLog("wsgitornado.general", "Malformed|400 POST")
    with running(streaming(notes), kind) as server, logged:
        with server.connect() as client:
            client.send(raw("POST / HTTP/1.1", "Transfer-Encoding: chunked"))
            client.send(b"3\r\nabc\r\nzz\r\n")
            assert client.read_answer().status_code == 400
    assert "post" not in notes
    assert notes.count("finish") == 1


@EVERY_LOOP
@pytest.mark.parametrize("how", ["rate", "timeout"])
def test_streamed_body_that_trickles_is_a_408(loop: str, how: str) -> None:
    options: dict[str, Any] = {"body_min_rate": 10_000, "body_rate_grace": 0.1}
    app = streaming([])
    if how == "timeout":
        options, app = {}, streaming([], timeout=0.1)
    logged = ExpectLog("wsgitornado.general", "408")
    with running(app, loop=loop, **options) as server, logged:
        with server.connect() as client:
            client.send(raw("POST / HTTP/1.1", "Content-Length: 100000"))
            assert drip(client, server).startswith(b"HTTP/1.1 408 ")


@EVERY_LOOP
def test_time_of_the_handler_is_not_that_of_its_client(loop: str) -> None:
    gate = asyncio.Event()
    options: dict[str, Any] = {"body_min_rate": 10_000, "body_rate_grace": 0.05}
    looks: list[bool] = []
    original = uploads.Upload.is_too_slow

    def is_too_slow(upload: uploads.Upload) -> bool:
        looks.append(original(upload))
        return looks[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads.StreamedUpload, "is_too_slow", is_too_slow)
        with running(streaming([], gate=gate), loop=loop, **options) as server:
            with server.connect() as client:
                client.send(raw("POST / HTTP/1.1", "Content-Length: 2", body=b"a"))
                wait_for(lambda: len(looks) >= 5)
                server.call(gate.set)
                assert client.send(b"b").read_answer().text == "2"
    assert not any(looks)
