"""The head of a request: where it ends, and what no parser tells about its lines."""

from __future__ import annotations

import re
from typing import Final

from wsgitornado.httpserver.limits import Limits
from wsgitornado.httputil.errors import HTTPInputError

__all__ = ["HeadScanner", "Refusal", "RequestError", "find_line_end"]

# A line up to the first byte that it may not hold, which should be its end.
_TEXT: Final = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*+")

_CR: Final = 13
_LF: Final = 10
_BLANKS: Final = b" \t"

#: Status and reason of a :class:`RequestError`.
Refusal = tuple[int, str]

_LONG_LINE: Final = (414, "the request line is too long")
_LONG_FIELDS: Final = (431, "the header fields are too large")


class RequestError(HTTPInputError):
    """A request that is refused, after which its connection is closed.

    :ivar status: the answer's status code, as ``status_code``.
    :ivar message: what was wrong, for the log.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message, status)
        self.status = status
        self.message = message


class HeadScanner:
    """Finds the end of a head that comes in pieces, reading no byte twice.

    It goes from line to line and raises :class:`RequestError` at the first byte
    that breaks a rule, so that the outcome does not depend on the pieces:

    1. lines end with CRLF; CR and LF stand nowhere else (RFC 9112 section 2.2 lets
       a server take a bare LF, and servers that differ about it can be set against
       each other);
    2. lines hold no control character but the tab;
    3. a line does not begin with a blank: it would continue the one before (RFC 9112
       section 5.2 tells servers to refuse that);
    4. the limits of :class:`Limits` for lines, their number and all of them.

    One empty line before the request line is passed over (RFC 9112 section 2.2).
    """

    __slots__ = ("_at", "_limits", "_line", "_lines", "_start", "part")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        #: The head so far, when it has come in pieces.
        self.part = bytearray()
        # Where, from the beginning of the head, the request line begins, and the line
        # that is being read; how far that has been read; and how many are complete.
        self._start = self._line = self._at = self._lines = 0

    def take(self, data: bytes, at: int) -> tuple[int, bytes | None]:
        """Go on in *data* at *at*: gives how far the head goes there, and the head.

        None for the head while its end has not come. With the head the empty line
        before it is taken away.

        :raises RequestError: at the first byte that breaks a rule.
        """
        part = self.part
        known = len(part)
        if not known:
            end = self._scan(data, at)
            if end >= 0:
                return end, data[at + self._start : end]
            part += data[at:]
            return len(data), None
        # With the last byte there is something to refuse.
        room = self._start + self._limits.max_header_size + 1 - known
        part += data[at : at + room]
        end = self._scan(part, 0)
        if end < 0:
            return at + len(part) - known, None
        return at + end - known, bytes(part[self._start : end])

    def _scan(self, buffer: bytes | bytearray, base: int) -> int:
        # Gives where the head ends, or -1.
        while True:
            begin = base + self._line
            if begin < len(buffer):
                self._check_line_begin(buffer[begin])
            room, refusal = self._find_room()
            end = find_line_end(buffer, begin, base + self._at, room, refusal)
            if end < 0:
                self._at = len(buffer) - base - buffer.endswith(b"\r")
                return -1
            self._line = self._at = end + 2 - base
            if end > begin:
                self._lines += 1
            elif self._lines:
                return end + 2
            elif self._start:
                raise RequestError(400, "more than one empty line before a request")
            else:
                self._start = self._at

    def _check_line_begin(self, byte: int) -> None:
        if byte == _CR or not self._lines:
            return
        if byte in _BLANKS:
            raise RequestError(400, "a folded header line")
        if self._lines > self._limits.max_header_fields:
            raise RequestError(431, "too many header fields")

    def _find_room(self) -> tuple[int, Refusal]:
        limits = self._limits
        # Behind this line come its end and the empty line, which is always taken.
        room = max(0, limits.max_header_size - 4 - (self._line - self._start))
        if not self._lines:
            return min(room, limits.max_request_line), _LONG_LINE
        return min(room, limits.max_header_line), _LONG_FIELDS


def find_line_end(
    buffer: bytes | bytearray, begin: int, at: int, room: int, refusal: Refusal
) -> int:
    """Find the CRLF of the line that begins at *begin* and is read up to *at*.

    Gives its offset, or -1 when it has not come. The line may have *room* bytes.

    :raises RequestError: *refusal* for a longer line, 400 for a control character in
        it, or for CR or LF alone: whichever comes first.
    """
    match = _TEXT.match(buffer, at)
    assert match is not None
    end = match.end()
    if end - begin > room:
        raise RequestError(*refusal)
    if end == len(buffer):
        return -1
    if buffer[end] != _CR:
        raise RequestError(400, _describe_control(buffer[end]))
    if end + 1 == len(buffer):
        return -1
    if buffer[end + 1] != _LF:
        raise RequestError(400, "a CR without LF")
    return end


def _describe_control(byte: int) -> str:
    return "a LF without CR" if byte == _LF else f"a control character: 0x{byte:02x}"
