"""websocket_connect: the opening handshake of the client, and its refusals."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import h11
import pytest

from tests.httpclient_peer import BOUND, run
from tests.websocket.answering import (
    BYE,
    Server,
    a_server,
    connecting,
    read_all,
    refused,
    sent,
    yes,
)
from tests.websocket.frames import (
    Opcode,
    deflated,
    masked,
)
from wsgitornado.httpclient import HTTPClientError, HTTPRequest
from wsgitornado.iostream import StreamClosedError
from wsgitornado.netutil import Resolver
from wsgitornado.websocket import (
    WebSocketClientConnection,
    WebSocketError,
    websocket_connect,
)
from wsgitornado.websocket.opening import Opening

TEXT, BINARY, CLOSE = Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE


# Connecting


def test_messages_are_read_one_after_the_other_and_then_none() -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        assert await read_all(connection) == ["hi", b"\x00", ""]
        assert (connection.close_code, connection.close_reason) == (1000, "bye")
        # And so on.
        assert await connection.read_message() is None
        assert server.start == "GET /p?q=1 HTTP/1.1"
        assert server.lines["host"] == f"127.0.0.1:{server.port}"
        assert server.lines["sec-websocket-version"] == "13"
        # The answer to a close frame has its code.
        assert server.frames[:2] == b"\x88\x82"
        assert masked(server.frames[6:8], server.frames[2:6]) == b"\x03\xe8"

    messages = sent(TEXT, b"hi") + sent(BINARY, b"\x00") + sent(TEXT) + BYE
    connecting(None, messages, talk, path="/p?q=1")


def test_request_may_say_more() -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        lines = server.lines
        assert lines["cookie"] == "a=b"
        assert lines["user-agent"] == "me"
        assert lines["authorization"] == "Basic dTpw"
        # What makes a handshake is not the caller's.
        assert lines["upgrade"] == "websocket"
        assert lines["connection"] == "Upgrade"
        assert lines["sec-websocket-version"] == "13"

    headers = {"Cookie": "a=b", "Upgrade": "x", "Sec-WebSocket-Version": "8"}
    request = {
        "headers": headers,
        "user_agent": "me",
        "auth_username": "u",
        "auth_password": "p",
    }
    connecting(None, b"", talk, request=request)


@pytest.mark.parametrize(
    ("lines", "offered", "chosen"),
    [
        (["Sec-WebSocket-Protocol: b"], ["a", "b"], "b"),
        ([], ["a", "b"], None),
        ([], None, None),
    ],
    ids=["one of two", "none of two", "nothing offered"],
)
def test_subprotocol_is_what_the_server_has_chosen(
    lines: list[str], offered: list[str] | None, chosen: str | None
) -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        assert connection.selected_subprotocol == chosen
        assert ("sec-websocket-protocol" in server.lines) is bool(offered)

    connecting(yes(*lines), b"", talk, subprotocols=offered)


def test_compression_is_offered_and_used() -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        assert server.lines["sec-websocket-extensions"].startswith("permessage-deflate")
        assert await connection.read_message() == "hi" * 50
        await connection.write_message("ho" * 50)
        first, *_ = await server.wait_for(2)
        assert first == 0xC1

    behind = sent(TEXT, deflated(b"hi" * 50), reserved=4)
    answer = yes("Sec-WebSocket-Extensions: permessage-deflate")
    connecting(answer, behind, talk, compression_options={})


def test_server_need_not_compress() -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        await connection.write_message("ho")
        assert (await server.wait_for(8))[0] == 0x81

    connecting(None, b"", talk, compression_options={})


def test_answers_before_the_answer_are_passed_over() -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        assert await read_all(connection) == ["hi"]

    def answer(key: str) -> bytes:
        return b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + yes()(key)

    connecting(answer, sent(TEXT, b"hi") + BYE, talk)


# Refusals


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "Non-websocket response"),
        (b"hello\r\n\r\n", "does not answer in HTTP"),
        (lambda key: yes()("other"), "Sec-WebSocket-Accept"),
        (lambda key: yes()(key).replace(b"Upgrade: w", b"X: w"), "Upgrade: websocket"),
        (lambda key: yes()(key).replace(b"Connection", b"X"), "Connection: Upgrade"),
        (yes("Sec-WebSocket-Protocol: b"), "subprotocol 'b'"),
        (yes("Sec-WebSocket-Extensions: x"), "extensions not offered: x"),
    ],
    ids=[
        "a page",
        "no HTTP",
        "wrong proof",
        "no Upgrade",
        "no Connection",
        "subprotocol not offered",
        "extension not offered",
    ],
)
def test_what_is_no_websocket_is_an_error_that_says_why(
    answer: bytes | Callable[[str], bytes], text: str
) -> None:
    error = refused(answer)
    assert type(error) is WebSocketError
    assert text in str(error)


@pytest.mark.parametrize(
    ("code", "body", "ending"),
    [
        (404, b"not here", False),
        (302, b"", False),
        (403, b"no", True),
        (403, b"no " * 500_000, True),
    ],
    ids=["not found", "redirect", "to the end of the connection", "long"],
)
def test_other_answer_is_raised_with_its_body(
    code: int, body: bytes, ending: bool
) -> None:
    framing = b"Connection: close" if ending else b"Content-Length: %d" % len(body)
    error = refused(b"HTTP/1.1 %d Why\r\n" % code + framing + b"\r\n\r\n" + body)
    assert isinstance(error, HTTPClientError)
    assert (error.code, error.message) == (code, "Why")
    assert error.response is not None
    # Of a long one, its beginning.
    assert error.response.body == body[: 64 * 1024]


def test_server_that_closes_without_an_answer_is_an_error_of_the_system() -> None:
    async def main() -> None:
        def hang_up(_: Any, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            with pytest.raises(StreamClosedError, match="without an answer"):
                await websocket_connect(f"ws://127.0.0.1:{port}/")
        with pytest.raises(ConnectionRefusedError):
            await websocket_connect(f"ws://127.0.0.1:{port}/")

    run(main)


@pytest.mark.parametrize(
    ("url", "arguments", "error"),
    [
        ("http://127.0.0.1/", {}, ValueError),
        ("127.0.0.1", {}, ValueError),
        ("ws:///x", {}, ValueError),
        ("ws://127.0.0.1/", {"method": "POST", "body": b""}, ValueError),
        ("ws://127.0.0.1/", {"auth_mode": "digest"}, ValueError),
        ("ws://127.0.0.1/", {"network_interface": "x"}, ValueError),
        ("ws://127.0.0.1/", {"headers": {"A": "b\r\nC: d"}}, ValueError),
        ("ws://127.0.0.1/", {"proxy_host": "x"}, NotImplementedError),
    ],
    ids=lambda value: str(value) if isinstance(value, str | dict) else "",
)
def test_request_that_cannot_be_sent_is_refused(
    url: str, arguments: dict[str, Any], error: type[Exception]
) -> None:
    async def main() -> None:
        with pytest.raises(error):
            await websocket_connect(HTTPRequest(url, **arguments))

    run(main)


def test_handshake_has_its_time() -> None:
    async def main() -> None:
        async with a_server(b"HTTP/1.1 1") as server:
            request = HTTPRequest(
                f"ws://127.0.0.1:{server.port}/", request_timeout=0.05
            )
            with pytest.raises(HTTPClientError, match="Timeout during request"):
                await websocket_connect(request)
            with pytest.raises(ValueError, match="connect_timeout"):
                websocket_connect(request, connect_timeout=1)

    run(main)


def test_connecting_that_is_given_up_leaves_nothing() -> None:
    async def main() -> None:
        async with a_server(b"") as server:
            future = websocket_connect(f"ws://127.0.0.1:{server.port}/")
            while server.writer is None:
                await asyncio.sleep(0)
            future.cancel()
            with pytest.raises(asyncio.CancelledError):
                await future
            # The task that was about it ends, and the connection.
            await server.writer.drain()
            await asyncio.wait_for(_until_gone(server), BOUND)

    run(main)


class Failing(Resolver):
    """Finds nothing; what it is told to do first it does."""

    @classmethod
    def configurable_default(cls) -> Any:
        return Failing

    def initialize(self, first: Callable[[], object], error: OSError) -> None:
        self._first = first
        self._error = error

    async def resolve(self, host: str, port: int, family: int = 0) -> Any:
        self._first()
        raise self._error


def test_time_out_of_the_system_is_raised_as_it_is() -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError, match="of the system"):
            await websocket_connect(
                "ws://chat.example/",
                resolver=Failing(first=list, error=TimeoutError("of the system")),
            )

    run(main)


def test_error_that_comes_after_it_was_given_up_is_nobodys() -> None:
    async def main() -> None:
        def give_up() -> None:
            future.cancel()

        resolver = Failing(first=give_up, error=OSError("too late"))
        future = websocket_connect("ws://chat.example/", resolver=resolver)
        with pytest.raises(asyncio.CancelledError):
            await future

    run(main)


def test_connection_that_another_thread_gives_up_meanwhile_is_closed() -> None:
    def give_up(message: Any) -> None:
        if message is not None:
            thread = threading.Thread(target=lambda: futures[0].cancel())
            thread.start()
            thread.join()

    futures: list[Any] = []

    async def main() -> None:
        async with a_server(None, sent(TEXT, b"x")) as server:
            address = f"ws://127.0.0.1:{server.port}/"
            futures.append(websocket_connect(address, on_message_callback=give_up))
            with pytest.raises(asyncio.CancelledError):
                await futures[0]
            assert (await server.wait_for(6))[0] == 0x88
            assert server.writer is not None
            await server.writer.wait_closed()

    run(main)


async def _until_gone(server: Server) -> None:
    assert server.writer is not None
    while not server.writer.transport.is_closing():
        await asyncio.sleep(0.001)


class Wire(asyncio.Transport):
    """A connection of which the test brings what comes."""

    def write(self, data: Any) -> None:
        pass


def test_nothing_behind_a_refusal_is_looked_at() -> None:
    async def main() -> None:
        request = HTTPRequest("ws://a/")
        head = h11.Request(method="GET", target="/", headers=[("Host", "a")])
        opening = Opening(head, request, lambda *_: None)
        opening.connection_made(Wire())
        opening.data_received(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
        opening.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
        opening.eof_received()
        opening.connection_lost(None)
        with pytest.raises(HTTPClientError, match="404"):
            await opening._answered

    run(main)


def test_end_without_an_answer_is_told_once_the_connection_is_lost() -> None:
    async def main() -> None:
        head = h11.Request(method="GET", target="/", headers=[("Host", "a")])
        opening = Opening(head, HTTPRequest("ws://a/"), lambda *_: None)
        opening.connection_made(Wire())
        opening.eof_received()
        error = ConnectionResetError()
        opening.connection_lost(error)
        with pytest.raises(StreamClosedError) as caught:
            await opening._answered
        assert caught.value.real_error is error

    run(main)
