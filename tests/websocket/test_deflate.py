"""permessage-deflate: what is agreed on, and what may come of it."""

from __future__ import annotations

import os
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.websocket.frames import deflated, frame
from wsgitornado.websocket.deflate import (
    NAME,
    Compression,
    Deflate,
    accept,
    agree,
    offer,
)
from wsgitornado.websocket.errors import CloseCode, ProtocolError, WebSocketError
from wsgitornado.websocket.handshake import split_extensions
from wsgitornado.websocket.incoming import Event, Incoming, Opcode

Parameters = dict[str, str | None]


def chosen(offers: str, **options: int) -> tuple[Compression, Parameters] | None:
    accepted = accept(split_extensions(offers), options)
    if accepted is None:
        return None
    agreed, (name, parameters) = accepted
    assert name == NAME
    return agreed, parameters


@pytest.mark.parametrize(
    ("offers", "agreed", "answer"),
    [
        (NAME, Compression(), {}),
        (f"{NAME}; client_max_window_bits", Compression(), {}),
        (f"x, {NAME}", Compression(), {}),
        (
            f"{NAME}; client_max_window_bits=10",
            Compression(client_bits=10),
            {"client_max_window_bits": "10"},
        ),
        (
            f"{NAME}; server_max_window_bits=9; server_no_context_takeover",
            Compression(server_bits=9, server_forgets=True),
            {"server_max_window_bits": "9", "server_no_context_takeover": None},
        ),
        (
            f"{NAME}; client_no_context_takeover",
            Compression(client_forgets=True),
            {"client_no_context_takeover": None},
        ),
        (f"{NAME}; server_max_window_bits=8, {NAME}", Compression(), {}),
    ],
    ids=[
        "plain",
        "any window",
        "behind another",
        "the client's window",
        "the server's",
        "a client that forgets",
        "the second choice",
    ],
)
def test_server_takes_what_it_can(
    offers: str, agreed: Compression, answer: Parameters
) -> None:
    assert chosen(offers) == (agreed, answer)


@pytest.mark.parametrize(
    "parameters",
    [
        "foo",
        "server_max_window_bits",
        "server_max_window_bits=8",
        "server_max_window_bits=16",
        "server_max_window_bits=09",
        "client_max_window_bits=x",
        "client_no_context_takeover=1",
    ],
)
def test_offer_that_cannot_be_met_is_declined(parameters: str) -> None:
    assert chosen(f"{NAME}; {parameters}") is None
    assert chosen("") is None


def test_options_of_the_program_count() -> None:
    accepted = chosen(NAME, compression_level=1, mem_level=3)
    assert accepted is not None
    assert (accepted[0].level, accepted[0].mem_level) == (1, 3)


@pytest.mark.parametrize(
    "options",
    [{"level": 1}, {"compression_level": 10}, {"mem_level": 0}],
    ids=["another name", "a level that zlib has not", "no memory"],
)
def test_options_that_make_no_sense_are_an_error(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="compression_level"):
        Compression.from_options(options)


def test_client_agrees_to_what_it_has_offered() -> None:
    assert offer() == (NAME, {"client_max_window_bits": None})
    assert agree([], None) is None
    assert agree([], {}) is None
    answer: Parameters = {
        "client_max_window_bits": "10",
        "server_max_window_bits": "8",
        "server_no_context_takeover": None,
    }
    assert agree([(NAME, answer)], {"mem_level": 2}) == Compression(
        client_bits=10, server_bits=8, server_forgets=True, mem_level=2
    )


@pytest.mark.parametrize(
    ("answers", "options"),
    [
        ([(NAME, {})], None),
        ([("x", {})], {}),
        ([(NAME, {}), (NAME, {})], {}),
        ([(NAME, {"foo": None})], {}),
        ([(NAME, {"client_max_window_bits": None})], {}),
        ([(NAME, {"client_max_window_bits": "8"})], {}),
    ],
    ids=["unasked", "another", "twice", "a parameter", "no value", "too small"],
)
def test_client_refuses_anything_else(
    answers: list[tuple[str, Parameters]], options: dict[str, Any] | None
) -> None:
    with pytest.raises(WebSocketError):
        agree(answers, options)


# Messages


def both_ends(agreed: Compression, most: int = 1000) -> tuple[Deflate, Incoming]:
    """A client that sends, and the server's reader."""
    return Deflate(agreed, True, most), Incoming(
        False, most, Deflate(agreed, False, most)
    )


def read(incoming: Incoming, *frames: bytes) -> list[Event]:
    incoming.feed(b"".join(frames))
    return list(incoming.events())


def refused(incoming: Incoming, *frames: bytes) -> int:
    with pytest.raises(ProtocolError) as caught:
        read(incoming, *frames)
    return caught.value.code


EVERY_AGREEMENT = pytest.mark.parametrize(
    "agreed",
    [
        Compression(),
        Compression(client_bits=9, server_bits=9),
        Compression(client_forgets=True, server_forgets=True),
        Compression(level=0, mem_level=1),
    ],
    ids=["default", "small windows", "forgetful", "stored"],
)


@EVERY_AGREEMENT
@given(messages=st.lists(st.binary(max_size=300), max_size=5))
def test_messages_come_back(agreed: Compression, messages: list[bytes]) -> None:
    deflate, incoming = both_ends(agreed)
    for message in messages:
        packed = deflate.compress(message)
        got = read(incoming, frame(Opcode.BINARY, packed, reserved=4))
        assert got == [(Opcode.BINARY, message)]


def test_second_message_refers_to_the_first_unless_it_may_not() -> None:
    message = os.urandom(200)
    for agreed, is_small in [
        (Compression(), True),
        (Compression(client_forgets=True), False),
    ]:
        deflate, _ = both_ends(agreed)
        deflate.compress(message)
        assert (len(deflate.compress(message)) < 50) is is_small


def test_message_in_parts_with_a_ping_between() -> None:
    _, incoming = both_ends(Compression())
    packed = deflated(b"hello " * 20)
    assert read(
        incoming,
        frame(Opcode.TEXT, packed[:5], reserved=4, is_last=False),
        frame(Opcode.PING, b"?"),
        frame(Opcode.CONTINUATION, packed[5:]),
        frame(Opcode.TEXT, b"plain"),
    ) == [
        (Opcode.PING, b"?"),
        (Opcode.TEXT, "hello " * 20),
        (Opcode.TEXT, "plain"),
    ]


@pytest.mark.parametrize(
    "frames",
    [
        [frame(Opcode.PING, b"", reserved=4)],
        [
            frame(Opcode.TEXT, b"", is_last=False, reserved=4),
            frame(Opcode.CONTINUATION, b"", reserved=4),
        ],
        [frame(Opcode.TEXT, b"", reserved=2)],
    ],
    ids=["a ping", "a continuation", "another bit"],
)
def test_bit_in_the_wrong_place_is_an_error(frames: list[bytes]) -> None:
    _, incoming = both_ends(Compression())
    assert refused(incoming, *frames) == CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize("size", [1000, 1001])
def test_size_is_that_of_the_inflated_message(size: int) -> None:
    _, incoming = both_ends(Compression(), most=1000)
    data = frame(Opcode.BINARY, deflated(bytes(size)), reserved=4)
    if size > 1000:
        assert refused(incoming, data) == CloseCode.TOO_BIG
    else:
        assert read(incoming, data) == [(Opcode.BINARY, bytes(size))]


def test_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    make = zlib.decompressobj

    class Counting:
        def __init__(self, bits: int) -> None:
            self.inflater = make(bits)

        def decompress(self, data: bytes, most: int) -> bytes:
            part = self.inflater.decompress(data, most)
            made.append(len(part))
            return part

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    _, incoming = both_ends(Compression(), most=1000)
    bomb = deflated(bytes(10_000_000))
    assert refused(incoming, frame(Opcode.BINARY, bomb, reserved=4)) == 1009
    assert sum(made) == 1001


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x07garbage"])
def test_what_is_not_compressed_is_an_error(data: bytes) -> None:
    _, incoming = both_ends(Compression())
    assert refused(incoming, frame(Opcode.TEXT, data, reserved=4)) == 1007


def test_final_block_ends_the_context() -> None:
    # RFC 7692 section 7.2.3.4.
    final = bytes.fromhex("f348cdc9c9070000")
    _, incoming = both_ends(Compression())
    for _ in range(2):
        got = read(incoming, frame(Opcode.TEXT, final, reserved=4))
        assert got == [(Opcode.TEXT, "Hello")]
    assert read(incoming, frame(Opcode.TEXT, deflated(b"x"), reserved=4)) == [
        (Opcode.TEXT, "x")
    ]


def test_final_block_at_the_very_end_is_taken_too() -> None:
    packer = zlib.compressobj(wbits=-15)
    final = packer.compress(b"Hello") + packer.flush()
    _, incoming = both_ends(Compression())
    got = read(incoming, frame(Opcode.TEXT, final, reserved=4))
    assert got == [(Opcode.TEXT, "Hello")]


def test_endless_final_blocks_are_refused() -> None:
    _, incoming = both_ends(Compression())
    blocks = b"\x03\x00" * 10_000
    assert refused(incoming, frame(Opcode.TEXT, blocks, reserved=4)) == 1007
