"""Frames on a raw socket that are as they should be (RFC 6455 sections 5 and 6)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from tests.httpserver.running import EVERY_KIND, Kind
from tests.websocket.echoes import MOST, Echoes, serving
from tests.websocket.frames import (
    DEFLATE,
    Frame,
    FrameClient,
    Opcode,
    close_frame,
    deflated,
    frame,
    handshake,
    inflated,
)

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION
PING, PONG, CLOSE = Opcode.PING, Opcode.PONG, Opcode.CLOSE

SIZES = [0, 1, 125, 126, 127, 0xFFFF, 0x10000, 0x10001, 300_000]


@pytest.fixture
def site() -> Iterator[Echoes]:
    with serving() as echoes:
        yield echoes


@pytest.fixture
def client(site: Echoes) -> Iterator[FrameClient]:
    """One connection, and its orderly end."""
    with site.connect() as client:
        yield client
        assert client.say_goodbye() == [Frame(CLOSE, b"\x03\xe8")]
    assert site.wait_for_end()[-1] == ("close", 1000, None)


def in_pieces(opcode: int, *pieces: bytes) -> bytes:
    """A message in several frames."""
    parts = [
        frame(CONTINUATION if n else opcode, piece, is_last=n == len(pieces) - 1)
        for n, piece in enumerate(pieces)
    ]
    return b"".join(parts)


@EVERY_KIND
def test_messages_of_each_kind_come_back_on_every_loop(kind: Kind) -> None:
    with serving(kind) as site:
        with site.connect() as client:
            client.send(frame(TEXT, "né".encode()) + frame(BINARY, b"\xff\x00"))
            assert client.next_frame() == Frame(TEXT, "né".encode())
            assert client.next_frame() == Frame(BINARY, b"\xff\x00")
            client.say_goodbye()
        assert site.wait_for_end() == [
            ("open",),
            ("message", "né"),
            ("message", b"\xff\x00"),
            ("close", 1000, None),
        ]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_lengths_are_sent_in_as_few_bytes_as_possible(opcode: Opcode) -> None:
    # The client asserts that of each frame.
    with (
        serving(websocket_max_message_size=1_000_000) as site,
        site.connect() as client,
    ):
        for size in SIZES:
            client.send(frame(opcode, b"a" * size))
            assert client.next_frame() == Frame(opcode, b"a" * size)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"a", b"b"),
        (b"", b"ab", b""),
        (b"", b""),
        (b"a",) * 200,
        ("€€".encode()[:1], "€€".encode()[1:4], "€€".encode()[4:]),
        ("😀".encode()[:2], b"", "😀".encode()[2:]),
    ],
    ids=[
        "two",
        "empty ones at the ends",
        "nothing but empty ones",
        "two hundred",
        "characters cut through",
        "a character cut around an empty one",
    ],
)
def test_fragments_are_one_message(
    pieces: tuple[bytes, ...], client: FrameClient
) -> None:
    for opcode in (TEXT, BINARY):
        client.send(in_pieces(opcode, *pieces))
        assert client.next_frame() == Frame(opcode, b"".join(pieces))


def test_control_frames_come_between_fragments(site: Echoes) -> None:
    with site.connect() as client:
        client.send(
            frame(TEXT, b"a", is_last=False)
            + frame(PING, b"1")
            + frame(CONTINUATION, b"b", is_last=False)
            + frame(PONG, b"2")
            + frame(PING, b"3")
            + frame(CONTINUATION, b"c")
        )
        assert client.next_frame() == Frame(PONG, b"1")
        assert client.next_frame() == Frame(PONG, b"3")
        assert client.next_text() == "abc"
        client.say_goodbye()
    assert site.wait_for_end()[1:-1] == [
        ("ping", b"1"),
        ("pong", b"2"),
        ("ping", b"3"),
        ("message", "abc"),
    ]


def test_message_begun_is_let_go_by_a_close_frame_in_the_middle(site: Echoes) -> None:
    with site.connect() as client:
        client.send(frame(TEXT, b"a", is_last=False))
        assert client.say_goodbye(1001) == [Frame(CLOSE, b"\x03\xe9")]
    assert site.wait_for_end() == [("open",), ("close", 1001, None)]


@pytest.mark.parametrize("size", [0, 1, 125])
def test_ping_is_answered_with_its_own_bytes(size: int, client: FrameClient) -> None:
    payload = bytes(range(130, 130 + size))
    client.send(frame(PING, payload))
    assert client.next_frame() == Frame(PONG, payload)


def test_pong_that_nobody_asked_for_is_only_told(site: Echoes) -> None:
    with site.connect() as client:
        client.send(frame(PONG, b"x"))
        assert client.frames_until_pong() == []
        client.say_goodbye()
    assert ("pong", b"x") in site.wait_for_end()


def test_ping_of_the_handler_is_answered_by_the_client(site: Echoes) -> None:
    with site.connect() as client:
        client.send(frame(TEXT, b"ping are you there"))
        assert client.next_frame() == Frame(PING, b"are you there")
        client.send(frame(PONG, b"are you there"))
        client.say_goodbye()
    assert ("pong", b"are you there") in site.wait_for_end()


def test_many_messages_in_one_packet_keep_their_order(client: FrameClient) -> None:
    texts = [str(number) for number in range(300)]
    client.send(b"".join(frame(TEXT, text.encode()) for text in texts))
    assert [client.next_text() for _ in texts] == texts


def test_conversation_may_come_byte_by_byte(site: Echoes) -> None:
    conversation = (
        handshake()
        + frame(TEXT, b"a" * 130)
        + in_pieces(BINARY, b"x", b"y")
        + frame(PING, b"p")
        + close_frame(4321, b"done")
    )
    with FrameClient(site.port) as client:
        for n in range(len(conversation)):
            client.send(conversation[n : n + 1])
        assert client.read_upgrade().status_code == 101
        found = client.frames_to_end()
        # It need not wait for the messages before.
        found.remove(Frame(PONG, b"p"))
        assert found == [
            Frame(TEXT, b"a" * 130),
            Frame(BINARY, b"xy"),
            Frame(CLOSE, (4321).to_bytes(2, "big")),
        ]
    seen = site.wait_for_end()
    assert seen[0] == ("open",), "open() comes first"
    assert seen[-1] == ("close", 4321, "done")


def test_frames_may_come_in_the_packet_of_the_handshake(site: Echoes) -> None:
    """Before its answer a client may not, but what has come is not lost."""
    with FrameClient(site.port) as client:
        client.upgrade(behind=frame(TEXT, b"early") + frame(TEXT, b"bird")[:-1])
        assert client.next_text() == "early"
        client.send(frame(TEXT, b"bird")[-1:])
        assert client.next_text() == "bird"
        client.say_goodbye()
    site.wait_for_end()


# The largest message.


@pytest.mark.parametrize(
    "pieces",
    [(b"a" * MOST,), (b"a" * (MOST - 1), b"", b"a"), (b"a" * 250,) * 4],
    ids=["whole", "the last byte apart", "in four"],
)
def test_message_as_large_as_allowed_is_taken(
    pieces: tuple[bytes, ...], client: FrameClient
) -> None:
    for opcode in (TEXT, BINARY):
        client.send(in_pieces(opcode, *pieces) * 2)
        assert client.next_frame() == Frame(opcode, b"a" * MOST)
        assert client.next_frame() == Frame(opcode, b"a" * MOST)


def test_bytes_and_not_characters_are_counted(client: FrameClient) -> None:
    text = "é" * (MOST // 2)
    client.send(frame(TEXT, text.encode()))
    assert client.next_text() == text


def test_control_frames_do_not_count_for_the_message(client: FrameClient) -> None:
    client.send(
        frame(BINARY, b"a" * (MOST - 1), is_last=False)
        + frame(PING, b"p" * 125)
        + frame(CONTINUATION, b"a")
    )
    assert client.next_frame() == Frame(PONG, b"p" * 125)
    assert client.next_frame() == Frame(BINARY, b"a" * MOST)


# Compression (RFC 7692).


@pytest.fixture
def packed(site: Echoes) -> Iterator[FrameClient]:
    """One connection with permessage-deflate, and its orderly end."""
    with site.connect(DEFLATE, target="/deflate") as client:
        yield client
        assert client.say_goodbye()[-1] == Frame(CLOSE, b"\x03\xe8")
    assert site.wait_for_end()[-1] == ("close", 1000, None)


def read_packed(client: FrameClient) -> bytes:
    found = client.next_frame()
    assert found.reserved == 4, found
    return inflated(found.payload)


def test_compressed_message_comes_back_compressed(packed: FrameClient) -> None:
    packed.send(frame(TEXT, deflated(b"hi" * 50), reserved=4))
    assert read_packed(packed) == b"hi" * 50


def test_message_need_not_be_compressed(packed: FrameClient) -> None:
    packed.send(frame(TEXT, b"plain"))
    found = packed.next_frame()
    payload = inflated(found.payload) if found.reserved else found.payload
    assert payload == b"plain"


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_compressed_message_may_be_in_fragments(
    opcode: Opcode, packed: FrameClient
) -> None:
    # Only its first frame has the bit (RFC 7692 section 6.1).
    data = deflated(b"to be or not to be")
    packed.send(
        frame(opcode, data[:3], reserved=4, is_last=False)
        + frame(PING, b"p")
        + frame(CONTINUATION, data[3:5], is_last=False)
        + frame(CONTINUATION, data[5:])
    )
    assert packed.next_frame() == Frame(PONG, b"p")
    assert read_packed(packed) == b"to be or not to be"


@pytest.mark.parametrize(
    "data",
    [
        b"\xf2\x48\xcd\xc9\xc9\x07\x00",
        b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
        b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
    ],
    ids=["fixed codes", "stored", "final block", "two blocks"],
)
def test_examples_of_the_standard_are_understood(
    data: bytes, packed: FrameClient
) -> None:
    # RFC 7692 section 7.2.3
    packed.send(frame(TEXT, data, reserved=4))
    assert read_packed(packed) == b"Hello"


def test_message_after_a_final_block_is_understood(packed: FrameClient) -> None:
    # A client that makes each message anew.
    for _ in range(3):
        packed.send(frame(TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", reserved=4))
    unpacker = zlib.decompressobj(-15)
    for _ in range(3):
        payload = packed.next_frame().payload + b"\x00\x00\xff\xff"
        assert unpacker.decompress(payload) == b"Hello"


def test_empty_message_may_be_compressed(packed: FrameClient) -> None:
    # One byte: an empty block (RFC 7692 section 7.2.3.6).
    packed.send(frame(TEXT, b"\x00", reserved=4) + frame(TEXT, b"x"))
    found = packed.next_frame()
    assert (inflated(found.payload) if found.reserved else found.payload) == b""
    packed.next_frame()


def test_each_side_remembers_the_messages_before(packed: FrameClient) -> None:
    # RFC 7692 section 7.1.1: unless agreed otherwise.
    packer, unpacker = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
    text = bytes(range(256)) * 3
    sizes = []
    for _ in range(3):
        data = packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)
        packed.send(frame(BINARY, data[:-4], reserved=4))
        payload = packed.next_frame().payload
        sizes.append((len(data), len(payload)))
        assert unpacker.decompress(payload + b"\x00\x00\xff\xff") == text
    # The second time both are no more than a hint at the first.
    assert sizes[1][0] < sizes[0][0] // 2
    assert sizes[1][1] < sizes[0][1] // 2


def test_compressed_message_as_large_as_allowed_is_taken(packed: FrameClient) -> None:
    packed.send(frame(BINARY, deflated(b"a" * MOST), reserved=4))
    assert read_packed(packed) == b"a" * MOST
