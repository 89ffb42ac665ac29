"""How connections end, seen on a raw socket (RFC 6455 sections 5.5.1 and 7)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.httpserver.running import EVERY_KIND, EVERY_LOOP, Kind
from tests.websocket.echoes import Echoes, serving
from tests.websocket.frames import Frame, FrameClient, Opcode, close_frame, frame
from wsgitornado.testing import ExpectLog

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION
PING, PONG, CLOSE = Opcode.PING, Opcode.PONG, Opcode.CLOSE


@pytest.fixture
def site() -> Iterator[Echoes]:
    with serving() as echoes:
        yield echoes


# The client closes.


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014]
)
def test_code_of_the_standard_is_told_and_echoed(code: int, site: Echoes) -> None:
    with site.connect() as client:
        client.send(close_frame(code, "später".encode()))
        assert client.frames_to_end() == [Frame(CLOSE, code.to_bytes(2, "big"))]
    assert site.wait_for_end() == [("open",), ("close", code, "später")]


@pytest.mark.parametrize("code", [3000, 3999, 4000, 4999])
def test_code_of_libraries_and_programs_is_told_and_echoed(
    code: int, site: Echoes
) -> None:
    with site.connect() as client:
        assert client.say_goodbye(code) == [Frame(CLOSE, code.to_bytes(2, "big"))]
    assert site.wait_for_end() == [("open",), ("close", code, None)]


def test_close_without_a_code_is_answered_without(site: Echoes) -> None:
    with site.connect() as client:
        client.send(frame(CLOSE))
        assert client.frames_to_end() == [Frame(CLOSE)]
    assert site.wait_for_end() == [("open",), ("close", None, None)]


def test_reason_may_be_as_long_as_a_control_frame_can_hold(site: Echoes) -> None:
    with site.connect() as client:
        client.send(close_frame(1000, b"a" * 123))
        assert client.frames_to_end() == [Frame(CLOSE, b"\x03\xe8")]
    assert site.wait_for_end()[-1] == ("close", 1000, "a" * 123)


def test_nothing_behind_a_close_frame_is_looked_at(site: Echoes) -> None:
    with site.connect() as client:
        client.send(
            close_frame(1000, b"first")
            + frame(TEXT, b"a")
            + frame(PING, b"p")
            + close_frame(1001, b"second")
            + b"\xff" * 500
        )
        assert client.frames_to_end() == [Frame(CLOSE, b"\x03\xe8")]
    assert site.wait_for_end() == [("open",), ("close", 1000, "first")]


def test_messages_before_the_close_frame_are_answered(site: Echoes) -> None:
    with site.connect() as client:
        client.send(frame(TEXT, b"a") + frame(BINARY, b"b") + close_frame(1000))
        *answers, last = client.frames_to_end()
    assert last == Frame(CLOSE, b"\x03\xe8")
    assert answers == [Frame(TEXT, b"a"), Frame(BINARY, b"b")]
    assert site.wait_for_end()[1:-1] == [("message", "a"), ("message", b"b")]


# The server closes.


@pytest.mark.parametrize(
    ("asked", "payload"),
    [
        ("close", b""),
        ("close 1000", b"\x03\xe8"),
        ("close 4000 bye", b"\x0f\xa0bye"),
        ("close 1001 grüß", b"\x03\xe9" + "grüß".encode()),
    ],
    ids=["without a code", "code", "reason", "reason beyond ASCII"],
)
def test_handler_closes_with_code_and_reason(
    asked: str, payload: bytes, site: Echoes
) -> None:
    with site.connect() as client:
        client.send(frame(TEXT, asked.encode()))
        assert client.next_frame() == Frame(CLOSE, payload)
        client.send(frame(CLOSE, payload))
        assert client.maybe_next_frame() is None
    code = int.from_bytes(payload[:2], "big") if payload else None
    assert site.wait_for_end()[-1] == ("close", code, payload[2:].decode() or None)


def test_code_that_the_client_answers_with_is_the_one_told(site: Echoes) -> None:
    with site.connect() as client:
        client.send(frame(TEXT, b"close 4000 bye"))
        assert client.next_frame() == Frame(CLOSE, b"\x0f\xa0bye")
        client.send(close_frame(4001, b"same to you"))
        assert client.maybe_next_frame() is None
    assert site.wait_for_end()[-1] == ("close", 4001, "same to you")


def test_messages_on_their_way_when_the_server_closes_are_delivered(
    site: Echoes,
) -> None:
    # The client has not seen the close frame yet (RFC 6455 section 7.1.6).
    with site.connect() as client:
        client.send(frame(TEXT, b"close 4000"))
        assert client.next_frame() == Frame(CLOSE, b"\x0f\xa0")
        client.send(frame(TEXT, b"close ", is_last=False) + frame(PING, b"p"))
        client.send(frame(CONTINUATION, b"4002") + close_frame(4001))
        assert client.maybe_next_frame() is None
    assert site.wait_for_end()[1:] == [
        ("message", "close 4000"),
        ("ping", b"p"),
        ("message", "close 4002"),
        ("close", 4001, None),
    ]


def test_both_may_close_at_once(site: Echoes) -> None:
    with site.connect() as client:
        client.send(frame(TEXT, b"close 4000") + close_frame(4001))
        # Whose frame comes first is a matter of luck; there is one of each.
        (last,) = client.frames_to_end()
        assert last.code in (4000, 4001)
    assert site.wait_for_end()[-1] == ("close", 4001, None)


def test_handler_that_fails_ends_the_connection(site: Echoes) -> None:
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        with site.connect() as client:
            client.send(frame(TEXT, b"raise") + frame(TEXT, b"more"))
            # RFC 6455 section 7.4.1: "an unexpected condition".
            assert client.next_frame() == Frame(CLOSE, b"\x03\xf3")
            assert client.say_goodbye(1011) == []
        seen = site.wait_for_end()
    assert seen == [("open",), ("message", "raise"), ("close", 1011, None)]


# One of them leaves without a word.


@EVERY_KIND
def test_client_that_half_closes_is_gone(kind: Kind) -> None:
    with serving(kind) as site:
        with site.connect() as client:
            client.send(frame(TEXT, b"last words"))
            assert client.next_text() == "last words"
            client.end_input()
            for found in client.frames_to_end():
                assert found.opcode == CLOSE
        assert site.wait_for_end()[-1] == ("close", None, None)


@EVERY_KIND
def test_client_that_resets_the_connection_is_gone(kind: Kind) -> None:
    with serving(kind) as site:
        client = site.connect()
        client.send(frame(TEXT, b"a"))
        assert client.next_text() == "a"
        client.reset()
        assert site.wait_for_end()[-1] == ("close", None, None)


@EVERY_LOOP
@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"\x81",
        frame(TEXT, b"abc")[:-1],
        frame(TEXT, b"a", is_last=False),
        frame(BINARY, length=1000),
        frame(CLOSE, b"\x03\xe8")[:3],
    ],
    ids=["nothing", "a byte", "most", "a fragment", "a length", "half a goodbye"],
)
def test_client_that_leaves_within_a_message_is_gone(loop: str, begun: bytes) -> None:
    with serving(Kind(loop, 0, None)) as site:
        site.connect().send(begun).close()
        assert site.wait_for_end() == [("open",), ("close", None, None)]


def test_client_that_leaves_while_its_message_is_handled_is_gone(site: Echoes) -> None:
    for end in (FrameClient.close, FrameClient.reset):
        client = site.connect()
        client.send(frame(TEXT, b"a") * 200)
        end(client)
        assert site.wait_for_end()[-1] == ("close", None, None)


def test_answer_to_a_close_frame_need_not_be_waited_for(site: Echoes) -> None:
    client = site.connect()
    client.send(close_frame(1000, b"bye")).close()
    assert site.wait_for_end()[-1] == ("close", 1000, "bye")


def test_client_that_reads_nothing_and_leaves_is_gone() -> None:
    with serving(websocket_max_message_size=1_000_000) as site:
        client = site.connect()
        message = frame(BINARY, bytes(1_000_000))
        for _ in range(3):
            client.send(message)
        client.reset()
        assert site.wait_for_end()[-1] == ("close", None, None)


def test_hundred_clients_that_come_and_go_leave_nothing(site: Echoes) -> None:
    # What the server counts is looked at when it ends.
    for number in range(100):
        client = site.connect()
        if number % 3:
            client.send(frame(TEXT, b"a"))
        (client.close, client.reset)[number % 2]()
        assert site.wait_for_end()[-1] == ("close", None, None)
