"""The quick way of reading a message says what the decoder says, or nothing."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.websocket import frames
from wsgitornado.websocket.errors import ProtocolError
from wsgitornado.websocket.incoming import Event, Incoming, Opcode, whole_message

MASK = b"\x01\x02\x03\x04"


def frame(first: int, payload: bytes, is_masked: bool = True) -> bytes:
    """A frame by its first byte."""
    return frames.frame(
        first & 15,
        payload,
        is_last=bool(first & 0x80),
        reserved=first >> 4 & 7,
        is_masked=is_masked,
    )


def read(data: bytes, is_client: bool, max_size: int) -> list[Event] | None:
    """What the decoder makes of it, if that is whole and right."""
    incoming = Incoming(is_client, max_size)
    incoming.feed(data)
    try:
        events = list(incoming.events())
    except ProtocolError:
        return None
    return events if incoming.is_idle else None


@pytest.mark.parametrize("is_client", [False, True], ids=["server", "client"])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 1000, 0xFFFF])
def test_whole_messages_are_read(is_client: bool, size: int) -> None:
    text = frame(0x81, b"a" * size, not is_client)
    assert whole_message(text, is_client, 0xFFFF) == (Opcode.TEXT, "a" * size)
    data = frame(0x82, b"\xff" * size, not is_client)
    assert whole_message(data, is_client, 0xFFFF) == (Opcode.BINARY, b"\xff" * size)
    assert read(data, is_client, 0xFFFF) == [(Opcode.BINARY, b"\xff" * size)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x81", id="one byte"),
        pytest.param(frame(0x81, b"ab")[:-1], id="not all of it"),
        pytest.param(frame(0x81, b"a" * 126)[:3], id="half a length"),
        pytest.param(frame(0x81, b"ab") + b"\x81", id="more than one"),
        pytest.param(frame(0x81, b"ab", is_masked=False), id="not masked"),
        pytest.param(frame(0x81, b"a" * 0x10000), id="long"),
        pytest.param(b"\x81\xfe\x00\x02" + MASK + b"ab", id="length in too many bytes"),
        pytest.param(frame(0x81, b"\xff"), id="not UTF-8"),
        pytest.param(frame(0x01, b"ab"), id="first part"),
        pytest.param(frame(0x80, b"ab"), id="last part"),
        pytest.param(frame(0xC1, b"ab"), id="compressed"),
        pytest.param(frame(0x83, b"ab"), id="unknown kind"),
        pytest.param(frame(0x89, b"ab"), id="ping"),
        pytest.param(frame(0x88, b""), id="close"),
    ],
)
def test_all_else_is_left_to_the_decoder(data: bytes) -> None:
    assert whole_message(data, False, 0x20000) is None


def test_messages_up_to_the_limit_are_read() -> None:
    assert whole_message(frame(0x81, b"abc"), False, 3) == (Opcode.TEXT, "abc")
    assert whole_message(frame(0x81, b"abcd"), False, 3) is None


heads = st.builds(
    lambda first, second: bytes([first, second]),
    st.one_of(st.sampled_from([0x81, 0x82, 0x01, 0x88, 0xC1]), st.integers(0, 255)),
    st.integers(0, 255),
)
any_frames = st.builds(
    frame,
    st.sampled_from([0x81, 0x82, 0x01, 0x80, 0x89]),
    st.binary(max_size=200),
    st.booleans(),
)


@given(
    st.one_of(
        st.builds(lambda head, rest: head + rest, heads, st.binary()), any_frames
    ),
    st.booleans(),
    st.integers(0, 150),
)
@example(b"\x81\x80", False, 1)
def test_what_it_reads_the_decoder_reads_too(
    data: bytes, is_client: bool, max_size: int
) -> None:
    event = whole_message(data, is_client, max_size)
    if event is not None:
        assert read(data, is_client, max_size) == [event]
