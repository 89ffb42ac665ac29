"""Frames of the other end, put together to messages (RFC 6455 sections 5 and 8.1)."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import Final, TypeAlias

from wsproto.frame_protocol import Frame, FrameDecoder, Opcode, ParseFailed

from wsgitornado.util import _websocket_mask
from wsgitornado.websocket.deflate import Deflate
from wsgitornado.websocket.errors import CloseCode, ProtocolError, is_close_code

__all__ = ["Event", "Incoming", "Opcode", "read_close", "whole_message"]

#: A message, with its opcode, or a control frame.
Event: TypeAlias = tuple[Opcode, str | bytes]

_utf8_decoder: Final = codecs.getincrementaldecoder("utf-8")

#: First bytes of frames that are a whole message.
_KINDS: Final = {0x81: Opcode.TEXT, 0x82: Opcode.BINARY}

#: In the second byte.
_MASKED: Final = 0x80
_MEDIUM: Final = 126


def whole_message(data: bytes, is_client: bool, max_size: int) -> Event | None:
    """The message in *data*, if that is one frame, whole and plain, as most are.

    The quick way, a third of what the decoder takes. It refuses nothing: None is for
    whatever :class:`Incoming` has to judge.
    """
    size = len(data)
    kind = _KINDS.get(data[0]) if size > 1 else None
    if kind is None:
        return None
    length = data[1] if is_client else data[1] - _MASKED
    at = 2
    if length == _MEDIUM:
        length = int.from_bytes(data[2:4], "big")
        at = 4
        if length < _MEDIUM:
            return None
    elif not 0 <= length < _MEDIUM:
        return None
    start = at if is_client else at + 4
    if size != start + length or length > max_size:
        return None
    payload = data[start:]
    if not is_client:
        payload = _websocket_mask(data[at:start], payload)
    if kind is Opcode.BINARY:
        return kind, payload
    try:
        return kind, payload.decode("utf-8")
    except UnicodeDecodeError:
        return None


class Incoming:
    """Reads what has come; made when something comes, dropped when all is read.

    An idle connection has none: between two messages there is nothing to be known but
    what is in the compression.

    :param max_size: of a message, in bytes, inflated.
    """

    __slots__ = ("_decoder", "_deflate", "_max_size", "_size", "_text", "_whole")

    def __init__(
        self, is_client: bool, max_size: int, deflate: Deflate | None = None
    ) -> None:
        extensions = [] if deflate is None else [deflate]
        self._decoder = FrameDecoder(is_client, extensions)  # type: ignore[arg-type]  # invariant
        self._deflate = deflate
        self._max_size = max_size
        # Of the message that has begun: what has come of it, and for a text the decoder
        # that finds bad UTF-8 at once.
        self._size = 0
        self._whole: io.StringIO | io.BytesIO | None = None
        self._text: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> None:
        self._decoder.receive_bytes(data)

    @property
    def is_idle(self) -> bool:
        """Whether everything that has come was read, up to the end of a message."""
        decoder = self._decoder
        return self._whole is None and decoder.header is None and not decoder.buffer

    def events(self) -> Iterator[Event]:
        """What has come, up to a close frame.

        :raises ProtocolError: if it is wrong, or too much.
        """
        decoder = self._decoder
        while True:
            try:
                frame = decoder.process_buffer()
            except ParseFailed as error:
                raise ProtocolError(error.code, str(error)) from error
            if frame is None:
                break
            if frame.opcode >= Opcode.CLOSE:
                # Never in parts.
                yield frame.opcode, frame.payload  # type: ignore[misc]  # bytes as yet
                if frame.opcode is Opcode.CLOSE:
                    return
                continue
            event = self._add(frame)
            if event is not None:
                yield event
        self._check_announced()

    def _add(self, frame: Frame) -> Event | None:
        """Take a frame of a message, or a part of one; give what is complete."""
        opcode, payload, frame_is_whole, is_last = frame
        assert isinstance(payload, bytes)
        is_end = frame_is_whole and is_last
        self._size += len(payload)
        if self._size > self._max_size:
            raise _too_big()
        if self._whole is None:
            if opcode is Opcode.CONTINUATION:
                raise _protocol_error("a continuation without a message")
            if is_end:
                self._size = 0
                return opcode, _decode(payload) if opcode is Opcode.TEXT else payload
            if opcode is Opcode.TEXT:
                self._text = _utf8_decoder()
                self._whole = io.StringIO(newline="")
            else:
                self._whole = io.BytesIO()
        elif opcode is not Opcode.CONTINUATION:
            raise _protocol_error("a message within a message")
        return self._go_on(payload, is_end)

    def _go_on(self, payload: bytes, is_end: bool) -> Event | None:
        whole = self._whole
        if isinstance(whole, io.BytesIO):
            whole.write(payload)
        else:
            assert whole is not None
            assert self._text is not None
            try:
                whole.write(self._text.decode(payload, is_end))
            except UnicodeDecodeError:
                raise _no_utf8() from None
        if not is_end:
            return None
        opcode = Opcode.BINARY if self._text is None else Opcode.TEXT
        self._whole = self._text = None
        self._size = 0
        return opcode, whole.getvalue()

    def _check_announced(self) -> None:
        """Refuse a frame by its head, before all of it has come."""
        decoder = self._decoder
        header = decoder.header
        if header is None or header.opcode >= Opcode.CLOSE:
            return
        if self._deflate is not None and self._deflate.is_inflating:
            # Its true length is known when it is inflated.
            return
        rest = header.payload_len - decoder.payload_consumed
        if self._size + rest > self._max_size:
            raise _too_big()


def read_close(payload: bytes) -> tuple[int | None, str | None]:
    """Code and reason of a close frame; None where it has none.

    :raises ProtocolError: for what must not be in one (sections 5.5.1 and 7.4).
    """
    if not payload:
        return None, None
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not is_close_code(code):
        raise _protocol_error("a close frame with a bad code")
    return code, _decode(payload[2:]) or None


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _no_utf8() from None


def _no_utf8() -> ProtocolError:
    return ProtocolError(CloseCode.INVALID_DATA, "a text that is not UTF-8")


def _too_big() -> ProtocolError:
    return ProtocolError(CloseCode.TOO_BIG, "message too big")


def _protocol_error(reason: str) -> ProtocolError:
    return ProtocolError(CloseCode.PROTOCOL_ERROR, reason)
