"""A client's connection: messages both ways, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.httpclient_peer import run
from tests.websocket.answering import (
    BYE,
    Server,
    a_server,
    connecting,
    read_all,
    sent,
)
from tests.websocket.frames import (
    Opcode,
    frame,
    masked,
)
from wsgitornado.testing import ExpectLog
from wsgitornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    websocket_connect,
)

TEXT, BINARY, CLOSE = Opcode.TEXT, Opcode.BINARY, Opcode.CLOSE


def test_messages_of_each_kind_are_written() -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        await connection.write_message("t")
        await connection.write_message({"a": 1})
        await connection.write_message(b"b", binary=True)
        await connection.write_message(b"x")
        connection.ping(b"p")
        data = await server.wait_for(3 * 7 + 14 + 7)
        firsts = [data[0], data[7], data[21], data[28], data[35]]
        assert firsts == [0x81, 0x81, 0x82, 0x81, 0x89]
        assert masked(data[13:21], data[9:13]) == b'{"a": 1}'
        for wrong in (5, None, ["a"]):
            with pytest.raises(TypeError, match="a message is"):
                connection.write_message(wrong)  # type: ignore[arg-type]  # what is tested
        with pytest.raises(ValueError, match="binary=True"):
            connection.write_message(b"\xff")
        with pytest.raises(ValueError, match="125"):
            connection.ping(b"a" * 126)

    connecting(None, b"", talk)


def test_closed_connection_takes_nothing_more() -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        for wrong in (999, 1005, 5000):
            with pytest.raises(ValueError, match="no code to close with"):
                connection.close(wrong)
        connection.close(4000, "why")
        assert connection.protocol is None
        with pytest.raises(WebSocketClosedError):
            connection.write_message("x")
        with pytest.raises(WebSocketClosedError):
            connection.ping()
        connection.close()
        data = await server.wait_for(11)
        assert masked(data[6:11], data[2:6]) == b"\x0f\xa0why"

    connecting(None, b"", talk)


def test_callback_gets_the_messages_in_order_and_none_at_the_end() -> None:
    got: list[Any] = []

    async def on_message(message: Any) -> None:
        await asyncio.sleep(0)
        got.append(message)

    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        assert await connection.read_message() is None
        while got[-1:] != [None]:
            await asyncio.sleep(0)

    messages = sent(TEXT, b"1") + sent(TEXT, b"2") + BYE
    connecting(None, messages, talk, on_message_callback=on_message)
    assert got == ["1", "2", None]


def test_callback_that_fails_is_logged_and_ends_the_connection() -> None:
    def on_message(message: Any) -> None:
        if message is not None:
            raise ZeroDivisionError

    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        assert await connection.read_message() is None
        data = server.frames
        assert masked(data[6:8], data[2:6]) == b"\x03\xf3"

    with ExpectLog("wsgitornado.application", "Uncaught exception in a WebSocket"):
        connecting(None, sent(TEXT, b"1"), talk, on_message_callback=on_message)


def test_callback_that_fails_at_the_end_is_logged() -> None:
    async def on_message(message: Any) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        assert await connection.read_message() is None
        await connection._telling

    with ExpectLog("wsgitornado.application", "Uncaught exception in a WebSocket"):
        connecting(None, BYE, talk, on_message_callback=on_message)


def test_reading_that_was_given_up_loses_no_message() -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        given_up, waiting = connection.read_message(), connection.read_message()
        given_up.cancel()
        assert server.writer is not None
        server.writer.write(sent(TEXT, b"1") + sent(TEXT, b"2") + BYE)
        assert await waiting == "1"
        assert await read_all(connection) == ["2"]

    connecting(None, b"", talk)


def test_all_who_read_are_told_of_the_end() -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        readers = [connection.read_message() for _ in range(4)]
        readers.pop().cancel()
        assert server.writer is not None
        server.writer.write(BYE)
        assert await asyncio.gather(*readers) == [None] * 3

    connecting(None, b"", talk)


def test_messages_that_nobody_reads_keep_the_server_waiting_and_are_not_lost() -> None:
    size, count = 100_000, 12

    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        while connection._room is None:
            await asyncio.sleep(0.001)
        found = []
        for number in range(count):
            # What waits is bounded: the rest is still on its way.
            assert connection._unread <= 4 * size
            message = await connection.read_message()
            assert message is not None
            assert message[:1] == bytes([number])
            found.append(len(message))
        assert found == [size] * count
        assert await connection.read_message() is None

    messages = b"".join(sent(BINARY, bytes([number]) * size) for number in range(count))
    connecting(None, messages + BYE, talk)


def test_callbacks_of_old_programs_are_called() -> None:
    async def main() -> None:
        async with a_server(None, sent(TEXT, b"hi") + BYE) as server:
            connected: asyncio.Future[Any] = asyncio.Future()
            read: asyncio.Future[Any] = asyncio.Future()
            with pytest.warns(DeprecationWarning, match="callback of websocket_conn"):
                websocket_connect(
                    f"ws://127.0.0.1:{server.port}/", connected.set_result
                )
            connection = (await connected).result()
            connection.read_message(read.set_result)
            assert (await read).result() == "hi"
            assert await connection.read_message() is None

    run(main)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (frame(TEXT, b"hi"), 1002),
        (sent(TEXT, b"\xff"), 1007),
        (sent(BINARY, b"a" * 101), 1009),
        (sent(TEXT, b"x", reserved=4), 1002),
    ],
    ids=["masked", "no UTF-8", "too large", "compressed without agreement"],
)
def test_server_that_breaks_a_rule_is_told_so(frames: bytes, code: int) -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        assert await connection.read_message() is None
        assert (connection.close_code, connection.close_reason) == (None, None)
        data = server.frames
        assert int.from_bytes(masked(data[6:8], data[2:6]), "big") == code

    connecting(None, frames, talk, max_message_size=100)


def test_pings_are_answered_and_sent() -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        assert await connection.read_message() == "x"
        # The pong, then a ping of our own.
        data = await server.wait_for(7 + 6)
        assert (data[0], data[7]) == (0x8A, 0x89)

    behind = sent(Opcode.PING, b"p") + sent(Opcode.PONG) + sent(TEXT, b"x")
    connecting(None, behind, talk, ping_interval=0.05)


def test_silent_server_is_given_up() -> None:
    async def talk(connection: WebSocketClientConnection, server: Server) -> None:
        assert await connection.read_message() is None
        data = server.frames
        start = data.index(b"\x88\x90")
        reason = masked(data[start + 6 : start + 22], data[start + 2 : start + 6])[2:]
        assert reason == b"ping timed out"

    connecting(None, b"", talk, ping_interval=0.02, ping_timeout=0.02)
