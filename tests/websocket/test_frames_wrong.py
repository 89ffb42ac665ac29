"""Frames on a raw socket that break the rules: the connection fails, with a code."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator

import pytest

from tests.httpserver.running import EVERY_LOOP, Kind
from tests.websocket.echoes import MOST, Echoes, serving
from tests.websocket.frames import (
    DEFLATE,
    Frame,
    FrameClient,
    Opcode,
    close_frame,
    deflated,
    frame,
)

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION
PING, PONG, CLOSE = Opcode.PING, Opcode.PONG, Opcode.CLOSE

BEGUN = frame(TEXT, b"a", is_last=False)

#: RFC 6455 section 5: what each is, and the code of section 7.4.1.
BROKEN = {
    "text that is not masked": (frame(TEXT, b"a", is_masked=False), 1002),
    "ping that is not masked": (frame(PING, b"a", is_masked=False), 1002),
    "close that is not masked": (close_frame(1000, is_masked=False), 1002),
    "continuation that is not masked": (
        BEGUN + frame(CONTINUATION, b"a", is_masked=False),
        1002,
    ),
    **{
        f"reserved bits {bits:03b} on a {opcode.name.lower()}": (
            frame(opcode, b"", reserved=bits),
            1002,
        )
        for bits in (1, 2, 3, 4, 7)
        for opcode in (TEXT, BINARY, PING, PONG, CLOSE)
    },
    "reserved bit on a continuation": (
        BEGUN + frame(CONTINUATION, b"a", reserved=4),
        1002,
    ),
    **{
        f"opcode {opcode}": (frame(opcode, b"a"), 1002)
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    },
    "ping of 126 bytes": (frame(PING, b"a" * 126), 1002),
    "pong of 126 bytes": (frame(PONG, b"a" * 126), 1002),
    "close of 126 bytes": (close_frame(1000, b"a" * 124), 1002),
    "ping with a long length": (frame(PING, b"a", size=2), 1002),
    "ping that announces a megabyte": (frame(PING, length=1_000_000), 1002),
    "ping in fragments": (frame(PING, b"a", is_last=False), 1002),
    "pong in fragments": (frame(PONG, b"a", is_last=False), 1002),
    "close in fragments": (
        frame(CLOSE, b"\x03\xe8", is_last=False) + frame(CONTINUATION),
        1002,
    ),
    "continuation of nothing": (frame(CONTINUATION, b"a"), 1002),
    "continuation of nothing that goes on": (
        frame(CONTINUATION, b"a", is_last=False),
        1002,
    ),
    "text within a text": (BEGUN + frame(TEXT, b"b"), 1002),
    "bytes within a text": (BEGUN + frame(BINARY, b"b"), 1002),
    "two bytes for a small length": (frame(TEXT, b"a", size=2), 1002),
    "eight bytes for a small length": (frame(TEXT, b"a", size=8), 1002),
    "eight bytes for a middling length": (frame(TEXT, b"a" * 500, size=8), 1002),
    "length with the highest bit": (frame(TEXT, length=2**63), 1002),
    "no UTF-8": (frame(TEXT, b"\xff"), 1007),
    "half a character": (frame(TEXT, "€".encode()[:2]), 1007),
    "half a character in the last fragment": (
        frame(TEXT, b"a", is_last=False) + frame(CONTINUATION, b"\xe2\x82"),
        1007,
    ),
    "no UTF-8 across fragments": (
        frame(TEXT, b"\xe2\x82", is_last=False) + frame(CONTINUATION, b"a"),
        1007,
    ),
    "no UTF-8 in a fragment that goes on": (frame(TEXT, b"\xff", is_last=False), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "too long a form of a character": (frame(TEXT, b"\xc0\xaf"), 1007),
    "beyond the last character": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "reason that is no UTF-8": (close_frame(1000, b"\xff"), 1007),
    "one byte of a code": (frame(CLOSE, b"\x03"), 1002),
    **{
        f"code {code}": (close_frame(code, b"why"), 1002)
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999)
    },
    **{f"code {code}": (close_frame(code), 1002) for code in (5000, 0xFFFF)},
    "one byte too much": (frame(TEXT, b"a" * (MOST + 1)), 1009),
    "one byte too much, in fragments": (
        frame(BINARY, b"a" * MOST, is_last=False) + frame(CONTINUATION, b"a"),
        1009,
    ),
    "one byte too much, not yet ended": (
        frame(TEXT, b"a" * 600, is_last=False)
        + frame(CONTINUATION, b"a" * 401, is_last=False),
        1009,
    ),
    "too much, of which nothing has come": (frame(BINARY, length=MOST + 1), 1009),
    "too much in the second fragment, of which nothing has come": (
        frame(BINARY, b"a", is_last=False) + frame(CONTINUATION, length=MOST),
        1009,
    ),
    "as much as can be written": (frame(BINARY, length=2**63 - 1), 1009),
}

#: The same with permessage-deflate.
BROKEN_DEFLATE = {
    "reserved bit on a continuation": (
        frame(TEXT, deflated(b"hi")[:1], reserved=4, is_last=False)
        + frame(CONTINUATION, deflated(b"hi")[1:], reserved=4),
        1002,
    ),
    "reserved bit on a ping": (frame(PING, b"a", reserved=4), 1002),
    "reserved bit on a close": (frame(CLOSE, reserved=4), 1002),
    "another reserved bit": (frame(TEXT, deflated(b"a"), reserved=6), 1002),
    "one of the other bits alone": (frame(TEXT, b"a", reserved=2), 1002),
    "bytes that nothing was compressed to": (
        frame(BINARY, b"\xff" * 3, reserved=4),
        1007,
    ),
    "no UTF-8 within": (frame(TEXT, deflated(b"\xff"), reserved=4), 1007),
    "half a character within": (frame(TEXT, deflated(b"\xe2\x82"), reserved=4), 1007),
    "one byte too much": (
        frame(BINARY, deflated(b"a" * (MOST + 1)), reserved=4),
        1009,
    ),
    "too much that is not compressed": (frame(BINARY, b"a" * (MOST + 1)), 1009),
    "bomb": (frame(BINARY, deflated(bytes(900_000)), reserved=4), 1009),
    "bomb in the first fragment": (
        frame(TEXT, deflated(b"a" * (MOST + 1)), reserved=4, is_last=False),
        1009,
    ),
    "bomb in fragments": (
        frame(BINARY, deflated(bytes(5000))[:9], reserved=4, is_last=False)
        + frame(CONTINUATION, deflated(bytes(5000))[9:]),
        1009,
    ),
}


@pytest.fixture
def site() -> Iterator[Echoes]:
    with serving() as echoes:
        yield echoes


def expect_failure(site: Echoes, client: FrameClient, code: int) -> None:
    """A close frame, the end of the connection, and a handler that was told so."""
    (last,) = client.frames_to_end()
    assert (last.opcode, last.code) == (CLOSE, code), last
    client.close()
    seen = site.wait_for_end()
    assert not [what for what in seen if what[0] != "open"][:-1], seen
    # As with Tornado: nothing that the client has said.
    assert seen[-1] == ("close", None, None)


@pytest.mark.parametrize(("data", "code"), BROKEN.values(), ids=list(BROKEN))
def test_frame_that_breaks_a_rule_ends_the_connection(
    data: bytes, code: int, site: Echoes
) -> None:
    with site.connect() as client:
        client.send(data)
        expect_failure(site, client, code)


@pytest.mark.parametrize(
    ("data", "code"), BROKEN_DEFLATE.values(), ids=list(BROKEN_DEFLATE)
)
def test_frame_that_breaks_a_rule_of_compression_ends_the_connection(
    data: bytes, code: int, site: Echoes
) -> None:
    with site.connect(DEFLATE, target="/deflate") as client:
        client.send(data)
        expect_failure(site, client, code)


@pytest.mark.parametrize(
    ("lines", "target"),
    [
        ((), "/deflate"),
        ((DEFLATE,), "/"),
        (("Sec-WebSocket-Extensions: x",), "/deflate"),
    ],
    ids=["not asked for", "not granted", "another one asked for"],
)
def test_compression_that_was_not_agreed_on_ends_the_connection(
    lines: tuple[str, ...], target: str, site: Echoes
) -> None:
    with FrameClient(site.port) as client:
        upgrade = client.upgrade(*lines, target=target)
        assert "sec-websocket-extensions" not in upgrade.headers
        client.send(frame(TEXT, deflated(b"hi"), reserved=4))
        expect_failure(site, client, 1002)


@EVERY_LOOP
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(TEXT, b"a", is_masked=False), 1002),
        (frame(BINARY, b"a" * (MOST + 1)), 1009),
        (frame(TEXT, b"\xff"), 1007),
        (close_frame(1005), 1002),
    ],
    ids=["not masked", "too large", "no UTF-8", "wrong code"],
)
def test_failure_is_told_on_every_loop_and_beside_threads(
    loop: str, data: bytes, code: int
) -> None:
    with serving(Kind(loop, 2, None)) as site, site.connect() as client:
        client.send(data)
        expect_failure(site, client, code)


def test_messages_before_the_broken_frame_are_handled(site: Echoes) -> None:
    with site.connect() as client:
        client.send(
            BEGUN
            + frame(CONTINUATION, b"b")
            + frame(BINARY, b"c")
            + frame(CONTINUATION, b"d")
            + frame(TEXT, b"e")
        )
        *frames, last = client.frames_to_end()
    assert last.code == 1002
    # The answers may come too late for a connection that has failed.
    assert frames == [Frame(TEXT, b"ab"), Frame(BINARY, b"c")][: len(frames)]
    seen = site.wait_for_end()
    messages = [what[1] for what in seen if what[0] == "message"]
    assert messages == ["ab", b"c"][: len(messages)]


def test_nothing_behind_the_broken_frame_is_looked_at(site: Echoes) -> None:
    with site.connect() as client:
        client.send(
            frame(3) + frame(TEXT, b"a") + frame(PING, b"b") + close_frame(1000)
        )
        expect_failure(site, client, 1002)


def test_client_that_sends_on_comes_to_reading_why(site: Echoes) -> None:
    # Unread bytes would make of the end a reset, by which the close frame is lost.
    with site.connect() as client:
        client.send(frame(BINARY, b"a" * 1_000_000))
        expect_failure(site, client, 1009)


@pytest.mark.parametrize("wrong", ["reserved", "masking"])
def test_broken_frames_are_found_byte_by_byte(wrong: str, site: Echoes) -> None:
    broken = frame(
        TEXT, b"a", is_masked=wrong != "masking", reserved=wrong == "reserved"
    )
    with site.connect() as client:
        data = frame(PING, b"p") + broken
        for n in range(len(data)):
            client.send_if_taken(data[n : n + 1])
        assert client.next_frame() == Frame(PONG, b"p")
        (last,) = client.frames_to_end()
        assert last.code == 1002
    site.wait_for_end()


def test_bomb_is_not_unpacked() -> None:
    size = 50_000_000
    bomb = frame(BINARY, deflated(bytes(size)), reserved=4)
    with serving(websocket_max_message_size=100_000) as site:
        with site.connect(DEFLATE, target="/deflate") as client:
            tracemalloc.start()
            try:
                client.send(bomb)
                expect_failure(site, client, 1009)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert peak < size / 10


def test_length_alone_reserves_no_memory() -> None:
    with serving(websocket_max_message_size=2**31) as site, site.connect() as client:
        tracemalloc.start()
        try:
            client.send(frame(BINARY, b"a", length=2**31))
            client.end_input()
            client.frames_to_end()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 10_000_000


def test_random_bytes_never_do_more_than_end_the_connection(site: Echoes) -> None:
    # A traceback in the log, or a complaint of the loop, would fail the test.
    dice = random.Random(6455)
    codes = set()
    for _ in range(150):
        with site.connect(DEFLATE, target="/deflate") as client:
            data = dice.randbytes(dice.choice([2, 6, 20, 300]))
            # Masked and with a likely opcode, more of it is looked at.
            first = dice.choice([0x81, 0x82, 0xC1, 0xC2, 0x01, 0x41, 0x88, 0x89, 0x8A])
            client.send(bytes((first, 0x80 | dice.randrange(126))) + data)
            client.end_input()
            for found in client.frames_to_end():
                if found.opcode == CLOSE:
                    codes.add(found.code)
        site.wait_for_end()
    assert {1002, 1007} <= codes <= {None, 1000, 1002, 1007, 1009}
