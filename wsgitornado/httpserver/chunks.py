"""Chunked bodies taken apart (RFC 9112 section 7.1)."""

from __future__ import annotations

import enum
import re
from typing import Final

from wsgitornado.httpserver.fields import read_fields
from wsgitornado.httpserver.head import Refusal, RequestError, find_line_end
from wsgitornado.httpserver.limits import Limits

__all__ = ["ChunkedBody"]

# A size and perhaps extensions, which are passed over. No body needs more digits.
_SIZE_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\r\n]*)?")

_LONG_CHUNK_LINE: Final = (400, "a chunk line that is too long")
_LONG_CHUNK: Final = (400, "a chunk longer than its size")
_LONG_TRAILERS: Final = (431, "the trailers are too large")


class _Line(enum.Enum):
    SIZE = enum.auto()
    CHUNK_END = enum.auto()  # an empty one
    TRAILER = enum.auto()


class ChunkedBody:
    """Takes one chunked body apart, whatever the pieces that it comes in.

    Trailers are read as strictly as header fields, and dropped: what comes behind a
    body has not been seen by whoever judged the head (RFC 9110 section 6.5.1).

    :ivar is_over: whether the body and its trailers are complete.
    """

    __slots__ = ("_error", "_left", "_limits", "_next", "_part", "_room", "is_over")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.is_over = False
        # Bytes of the current chunk that have not come.
        self._left = 0
        # The beginning of a line whose end has not come.
        self._part = bytearray()
        self._room = limits.max_trailer_size
        self._next = _Line.SIZE
        self._error: RequestError | None = None

    def take(self, data: bytes, at: int) -> tuple[int, bytes]:
        """Go on in *data* at *at*: gives how far the body goes there, and its content.

        :raises RequestError: at the first byte that breaks a rule; when content came
            before it, at the next call.
        """
        if self._error is not None:
            raise self._error
        pieces: list[bytes] = []
        try:
            while at < len(data) and not self.is_over:
                if self._left:
                    piece = data[at : at + self._left]
                    self._left -= len(piece)
                    at += len(piece)
                    pieces.append(piece)
                else:
                    at = self._take_line(data, at)
        except RequestError as error:
            if not pieces:
                raise
            self._error = error
        return at, pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _take_line(self, data: bytes, at: int) -> int:
        kind = self._next
        if kind is _Line.SIZE:
            room, refusal = self._limits.max_chunk_line, _LONG_CHUNK_LINE
        elif kind is _Line.CHUNK_END:
            room, refusal = 0, _LONG_CHUNK
        else:
            # Each line counts with its end, the empty one at last too.
            room, refusal = self._room - 2, _LONG_TRAILERS
        at, line = self._read_line(data, at, room, refusal)
        if line is not None:
            if kind is _Line.SIZE:
                self._take_size(line)
            elif kind is _Line.CHUNK_END:
                self._next = _Line.SIZE
            else:
                self._take_trailer(line)
        return at

    def _take_size(self, line: bytes) -> None:
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise RequestError(400, "a malformed chunk size")
        self._left = int(match[1], 16)
        self._next = _Line.CHUNK_END if self._left else _Line.TRAILER

    def _take_trailer(self, line: bytes) -> None:
        if line:
            name, colon, value = line.partition(b":")
            if not colon:
                raise RequestError(400, "a trailer without a colon")
            read_fields([(name, value)])
            self._room -= len(line) + 2
        else:
            self.is_over = True

    def _read_line(
        self, data: bytes, at: int, room: int, refusal: Refusal
    ) -> tuple[int, bytes | None]:
        """Read a line: gives how far it goes in *data*, and itself when it ends there.

        Only a line that comes in pieces is copied, each byte once.
        """
        part = self._part
        if not part:
            end = find_line_end(data, at, at, room, refusal)
            if end >= 0:
                return end + 2, data[at:end]
            part += data[at:]
            return len(data), None
        known = len(part)
        part += data[at : at + room + 2]
        end = find_line_end(
            part, 0, known - part.endswith(b"\r", 0, known), room, refusal
        )
        if end < 0:
            return len(data), None
        line = bytes(part[:end])
        part.clear()
        return at + end + 2 - known, line
