"""WebSocketProtocol: slow readers and owners, silence, limits, and the ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.httpserver.running import BOUND, EVERY_LOOP, loop_factory
from tests.websocket.frames import Frame, Opcode, close_frame, frame
from wsgitornado.testing import ExpectLog
from wsgitornado.websocket import protocol as protocol_module
from wsgitornado.websocket.errors import WebSocketClosedError
from wsgitornado.websocket.outgoing import BINARY, TEXT
from wsgitornado.websocket.outgoing import frame as our_frame
from wsgitornado.websocket.protocol import MAX_UNREAD, WebSocketProtocol
from wsgitornado.websocket.settings import ConnectionSettings, connection_settings


class Owner:
    """Notes what it is told; ``answer`` is what ``received`` returns."""

    def __init__(self) -> None:
        self.notes: list[Any] = []
        self.answer: Callable[[str | bytes], Awaitable[None] | None] = lambda _: None
        self.has_ended = asyncio.Event()

    def received(self, message: str | bytes) -> Awaitable[None] | None:
        self.notes.append(message)
        return self.answer(message)

    def received_ping(self, data: bytes) -> None:
        self.notes.append(("ping", data))

    def received_pong(self, data: bytes) -> None:
        self.notes.append(("pong", data))

    def failed(self, error: Exception) -> None:
        self.notes.append(error)

    def ended(self, code: int | None, reason: str | None) -> None:
        self.notes.append(("end", code, reason))
        self.has_ended.set()


class Pair:
    """A protocol on a connection, and streams at the other end of it."""

    def __init__(self, **settings: Any) -> None:
        self.owner = Owner()
        self.protocol = WebSocketProtocol(self.owner, ConnectionSettings(**settings))

    async def __aenter__(self) -> Pair:
        loop = asyncio.get_running_loop()
        self.listening = await loop.create_server(lambda: self.protocol, "127.0.0.1", 0)
        port = self.listening.sockets[0].getsockname()[1]
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        while not hasattr(self.protocol, "transport"):
            await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()
        self.listening.close()
        async with asyncio.timeout(BOUND):
            await self.owner.has_ended.wait()

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(BOUND):
            while not condition():
                await asyncio.sleep(0.001)

    async def next_frame(self) -> Frame:
        async with asyncio.timeout(BOUND):
            first, second = await self.reader.readexactly(2)
            payload = await self.reader.readexactly(second & 0x7F)
        return Frame(first & 0xF, payload, is_masked=bool(second & 0x80))


def run(test: Callable[[], Awaitable[None]], loop: str = "asyncio") -> None:
    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        runner.run(test())  # type: ignore[arg-type]  # a coroutine function


def text(message: str) -> bytes:
    return frame(Opcode.TEXT, message.encode())


# Settings


def test_settings_are_shared() -> None:
    made = connection_settings(False, None, 30, None)
    assert made == ConnectionSettings(False, 10 * 1024 * 1024, 30, 30)
    assert connection_settings(False, None, 30, None) is made


@pytest.mark.parametrize(
    ("interval", "timeout", "result"),
    [(None, None, (0, 0)), (None, 5, (0, 0)), (30, 5, (30, 5)), (30, 60, (30, 30))],
)
def test_ping_is_answered_before_the_next_one(
    interval: float | None, timeout: float | None, result: tuple[float, float]
) -> None:
    made = connection_settings(False, None, interval, timeout)
    assert (made.ping_interval, made.ping_timeout) == result


@pytest.mark.parametrize("numbers", [(0, None, None), (1, -1, None), (1, 1, -1)])
def test_numbers_that_make_no_sense_are_an_error(numbers: Any) -> None:
    with pytest.raises(ValueError, match=r"max_message_size is 1|seconds are not"):
        connection_settings(False, *numbers)


# Frames


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_frame_has_the_fewest_length_bytes(size: int) -> None:
    payload = b"x" * size
    expected = frame(Opcode.BINARY, payload, is_masked=False)
    assert our_frame(BINARY, payload, is_masked=False) == expected


def test_masks_of_a_client_differ() -> None:
    frames = {our_frame(TEXT, b"hello", is_masked=True) for _ in range(20)}
    assert len(frames) == 20


# Sending


@EVERY_LOOP
def test_slow_reader_makes_the_sender_wait(loop: str) -> None:
    async def main() -> None:
        async with Pair() as pair:
            sent = pair.protocol.send(b"x" * 8_000_000)
            assert isinstance(sent, asyncio.Future)
            assert not sent.done()
            await pair.reader.readexactly(8_000_010)
            await sent
            assert not isinstance(pair.protocol.send("small"), asyncio.Future)

    run(main, loop)


def test_sender_hears_that_the_reader_has_left() -> None:
    async def main() -> None:
        async with Pair() as pair:
            sent = pair.protocol.send(b"x" * 8_000_000)
            pair.writer.transport.abort()
            with pytest.raises(WebSocketClosedError):
                await sent
            with pytest.raises(WebSocketClosedError):
                pair.protocol.send("more")

    run(main)


def test_reader_that_never_reads_is_cut_off() -> None:
    async def main() -> None:
        async with Pair() as pair:
            # One message may be as large as it likes.
            pair.protocol.send(b"x" * (MAX_UNREAD + 16_000_000))
            with (
                ExpectLog("wsgitornado.general", "a WebSocket is cut off"),
                pytest.raises(WebSocketClosedError),
            ):
                pair.protocol.send("more")
            await pair.until(lambda: pair.owner.notes == [("end", None, None)])

    run(main)


def test_pings_do_not_fill_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "MAX_UNREAD", 100_000)

    async def main() -> None:
        async with Pair() as pair:
            pair.protocol.send(b"x" * 8_000_000)
            pair.writer.write(frame(Opcode.PING, b"?"))
            await pair.until(lambda: pair.owner.notes)
            assert pair.owner.notes == [("end", None, None)]

    run(main)


@pytest.mark.parametrize("size", [10, 8_000_000], ids=["at once", "waits"])
def test_other_threads_send(size: int) -> None:
    async def main() -> None:
        async with Pair() as pair:
            sent: list[Any] = []
            thread = threading.Thread(
                target=lambda: sent.append(pair.protocol.send(b"x" * size))
            )
            thread.start()
            await pair.until(lambda: sent)
            thread.join()
            head = 2 if size < 126 else 10
            await pair.reader.readexactly(head + size)
            await asyncio.wait_for(sent[0], BOUND)

    run(main)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_other_threads_hear_of_the_end(when: str) -> None:
    async def main() -> None:
        async with Pair() as pair:
            sent: list[Any] = []
            size = 10 if when == "before" else 8_000_000
            thread = threading.Thread(
                target=lambda: sent.append(pair.protocol.send(b"x" * size))
            )
            thread.start()
            # The loop waits: it has not come to sending.
            thread.join()
            if when == "before":
                pair.protocol.close()
            else:
                await asyncio.sleep(0)
                pair.writer.transport.abort()
            with pytest.raises(WebSocketClosedError):
                await asyncio.wait_for(sent[0], BOUND)

    run(main)


# Receiving


@EVERY_LOOP
def test_slow_owner_makes_the_other_end_wait(loop: str) -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def wait() -> None:
            await gate.wait()

        async with Pair() as pair:
            pair.owner.answer = lambda _: wait()
            message = frame(Opcode.BINARY, b"x" * 10_000)
            for _ in range(100):
                pair.writer.write(message)
            await pair.until(lambda: not pair.protocol.transport.is_reading())
            assert len(pair.owner.notes) == 1
            gate.set()
            await pair.until(lambda: len(pair.owner.notes) == 100)
            assert pair.protocol.transport.is_reading()

    run(main, loop)


@EVERY_LOOP
def test_messages_before_the_end_are_dealt_with(loop: str) -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def wait() -> None:
            await gate.wait()

        async with Pair() as pair:
            pair.owner.answer = lambda _: wait()
            pair.writer.write(text("a") + text("b"))
            await pair.until(lambda: pair.owner.notes)
            pair.writer.write_eof()
            await asyncio.sleep(0.01)
            gate.set()
            await pair.until(pair.owner.has_ended.is_set)
            assert pair.owner.notes == ["a", "b", ("end", None, None)]

    run(main, loop)


def test_messages_behind_an_abort_are_dropped() -> None:
    async def main() -> None:
        async with Pair() as pair:

            def abort(_: str | bytes) -> None:
                pair.protocol.abort()

            pair.owner.answer = abort
            pair.writer.write(text("a") + text("b"))
            await pair.until(pair.owner.has_ended.is_set)
            assert pair.owner.notes == ["a", ("end", None, None)]

    run(main)


def test_cancelled_owner_says_that_it_goes_away() -> None:
    async def main() -> None:
        async with Pair() as pair:

            async def be_cancelled() -> None:
                raise asyncio.CancelledError

            pair.owner.answer = lambda _: be_cancelled()
            pair.writer.write(text("a"))
            assert await pair.next_frame() == Frame(Opcode.CLOSE, b"\x03\xe9")

    run(main)


@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "later"])
def test_failure_of_the_owner_closes(is_late: bool) -> None:
    async def main() -> None:
        error = LookupError("mine")

        async def fail() -> None:
            raise error

        def answer(_: str | bytes) -> Awaitable[None]:
            if is_late:
                return fail()
            raise error

        async with Pair() as pair:
            pair.owner.answer = answer
            pair.writer.write(text("a"))
            assert await pair.next_frame() == Frame(Opcode.CLOSE, b"\x03\xf3")
            pair.writer.write(close_frame(1011))
            await pair.until(pair.owner.has_ended.is_set)
            assert pair.owner.notes == ["a", error, ("end", 1011, None)]

    run(main)


# Silence


@EVERY_LOOP
def test_silent_end_is_closed(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "CLOSE_TIMEOUT", 0.01)

    async def main() -> None:
        async with Pair(ping_interval=0.02, ping_timeout=0.01) as pair:
            assert await pair.next_frame() == Frame(Opcode.PING)
            closed = Frame(Opcode.CLOSE, b"\x03\xe8ping timed out")
            assert await pair.next_frame() == closed
            # It does not answer that either.
            await pair.until(pair.owner.has_ended.is_set)
            assert pair.owner.notes == [("end", None, None)]

    run(main, loop)


def test_end_that_answers_stays() -> None:
    async def main() -> None:
        # The deadline is not for this machine to miss.
        async with Pair(ping_interval=0.01, ping_timeout=0.01) as pair:
            pongs = pair.protocol._timers.pongs
            assert pongs is not None
            pongs._delay = BOUND
            for _ in range(4):
                assert await pair.next_frame() == Frame(Opcode.PING)
                await pair.until(lambda: pair.protocol in pongs)
                pair.writer.write(frame(Opcode.PONG))
                await pair.until(lambda: pair.owner.notes)
                assert pair.owner.notes.pop() == ("pong", b"")
            assert not pair.protocol.is_closing

    run(main)


def test_busy_owner_is_no_silence_of_the_other_end() -> None:
    async def main() -> None:
        gate = asyncio.Event()

        async def wait() -> None:
            await gate.wait()

        async with Pair(ping_interval=0.01, ping_timeout=0.01) as pair:
            pair.owner.answer = lambda _: wait()
            for _ in range(20):
                pair.writer.write(frame(Opcode.BINARY, b"x" * 10_000))
            await pair.until(lambda: not pair.protocol.transport.is_reading())
            for _ in range(5):
                assert await pair.next_frame() == Frame(Opcode.PING)
            assert not pair.protocol.is_closing
            gate.set()

    run(main)


# The ends


def test_close_is_said_once() -> None:
    async def main() -> None:
        async with Pair() as pair:
            pair.protocol.close(4000, "bye")
            pair.protocol.close(4001)
            assert pair.protocol.is_closing
            assert await pair.next_frame() == Frame(Opcode.CLOSE, b"\x0f\xa0bye")
            # Messages that were under way are still delivered.
            pair.writer.write(text("late") + close_frame(4000))
            await pair.until(pair.owner.has_ended.is_set)
            assert pair.owner.notes == ["late", ("end", 4000, None)]
            assert await pair.reader.read() == b""

    run(main)


def test_client_lets_the_server_close_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with Pair(is_client=True) as pair:
            pair.writer.write(frame(Opcode.CLOSE, b"\x03\xe8", is_masked=False))
            answer = await pair.next_frame()
            assert (answer.opcode, answer.is_masked) == (Opcode.CLOSE, True)
            assert pair.protocol.close_code == 1000
            assert not pair.protocol.transport.is_closing()
            pair.protocol.close()

    run(main)


@EVERY_LOOP
def test_error_is_told_to_one_who_goes_on_sending(loop: str) -> None:
    async def main() -> None:
        async with Pair(max_message_size=1000) as pair:
            pair.writer.write(frame(Opcode.BINARY, b"", length=5_000_000))
            closed = Frame(Opcode.CLOSE, b"\x03\xf1message too big")
            assert await pair.next_frame() == closed
            for _ in range(50):
                pair.writer.write(b"x" * 100_000)
                await pair.writer.drain()
            assert await pair.reader.read() == b""
            pair.writer.write_eof()
            await pair.until(pair.owner.has_ended.is_set)
            assert pair.owner.notes == [("end", None, None)]

    run(main, loop)


def test_connection_without_an_answer_to_the_close_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol_module, "CLOSE_TIMEOUT", 0.01)

    async def main() -> None:
        async with Pair() as pair:
            pair.protocol.close()
            await pair.until(pair.owner.has_ended.is_set)

    run(main)


@pytest.mark.parametrize("count", [200, 2000])
def test_cost_of_small_fragments_does_not_grow(count: int) -> None:
    async def main() -> None:
        async with Pair() as pair:
            pair.writer.write(frame(Opcode.TEXT, b"", is_last=False))
            piece = frame(Opcode.CONTINUATION, "é".encode()[:1], is_last=False)
            other = frame(Opcode.CONTINUATION, "é".encode()[1:], is_last=False)
            pair.writer.write((piece + other) * count)
            pair.writer.write(frame(Opcode.CONTINUATION))
            await pair.until(lambda: pair.owner.notes)
            assert pair.owner.notes == ["é" * count]
            # Nothing of it is kept.
            assert pair.protocol._incoming is None

    run(main)
