"""The head of a response: status and fields of the application, checked, as bytes."""

from __future__ import annotations

import re
import time
from typing import Final

from wsgitornado.httpserver.fields import TOKEN
from wsgitornado.httputil.errors import HTTPOutputError
from wsgitornado.httputil.headers import http_date, responses

__all__ = [
    "CLOSE",
    "DATE",
    "LENGTH",
    "SERVER",
    "date_line",
    "field_lines",
    "simple_response",
    "statuses",
]

# What a field of the application means to the server: bits.

#: How long the body is.
LENGTH: Final = 1

DATE: Final = 2

SERVER: Final = 4

#: The connection is the server's (PEP 3333; RFC 9110 section 7.6.1): not sent.
_HOP: Final = 8

#: The same, and the application wishes that the connection ends.
CLOSE: Final = 16

_MEANINGS: Final = {
    "connection": _HOP,
    "content-length": LENGTH,
    "date": DATE,
    "keep-alive": _HOP,
    "proxy-connection": _HOP,
    "server": SERVER,
    "te": _HOP,
    "trailer": _HOP,
    "transfer-encoding": _HOP,
    "upgrade": _HOP,
}

#: Fields that are the same in many responses, and no secrets.
_STEADY: Final = frozenset(
    {
        "accept-ranges",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "allow",
        "cache-control",
        "content-encoding",
        "content-language",
        "content-length",
        "content-security-policy",
        "content-type",
        "cross-origin-opener-policy",
        "etag",
        "permissions-policy",
        "pragma",
        "referrer-policy",
        "server",
        "strict-transport-security",
        "vary",
        "x-content-type-options",
        "x-frame-options",
        "x-xss-protection",
    }
)

# What is kept is bounded in number and size: values may come from clients.
_MOST_KEPT: Final = 1000
_LONGEST_KEPT: Final = 250

# Final ones (RFC 9110 section 15). A reason may be missing, and is text.
_STATUS: Final = re.compile(r"([2-9][0-9]{2})( [^\x00-\x08\x0a-\x1f\x7f]*)?")

#: No body of a response is longer.
_MOST_DIGITS: Final = 18

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class _Statuses(dict[str, tuple[bytes, bool, bool]]):
    """Of a status: its line, whether it has a body, and whether it may have a length.

    It fills itself, and begins anew when it is full.
    """

    __slots__ = ()

    def __missing__(self, status: str) -> tuple[bytes, bool, bool]:
        match = _STATUS.fullmatch(status)
        if match is None:
            raise ValueError(
                "the status is a number from 200 to 999, a space and a reason: "
                f"{status!r}"
            )
        code, reason = match.groups()
        line = f"HTTP/1.1 {code}{reason or ' '}\r\n".encode("latin-1")
        # What ends at its headers: RFC 9110 sections 15.3.5 and 15.4.5; of these only
        # 304 may tell a length: section 8.6.
        found = line, code not in ("204", "304"), code != "204"
        if len(status) <= _LONGEST_KEPT:
            if len(self) >= _MOST_KEPT:
                self.clear()
            self[status] = found
        return found


class _FieldLines(dict[tuple[str, str], tuple[bytes, int, int]]):
    """Of a name and a value: the line, its meaning, and the length that it tells.

    The line of what is not sent is empty. What steadily comes again is kept.
    """

    __slots__ = ()

    def __missing__(self, field: tuple[str, str]) -> tuple[bytes, int, int]:
        name, value = field
        if TOKEN.fullmatch(name) is None:
            raise ValueError(f"no name of a header: {name!r}")
        if _CONTROLS.search(value) is not None:
            raise ValueError(f"a control character in the header {name}: {value!r}")
        lower = name.lower()
        meaning = _MEANINGS.get(lower, 0)
        length = 0
        if meaning == LENGTH:
            length = _length_of(value)
        elif meaning == _HOP:
            if lower == "connection" and _asks_for_close(value):
                meaning = CLOSE
            return b"", meaning, 0
        found = f"{name}: {value}\r\n".encode("latin-1"), meaning, length
        if lower in _STEADY and len(value) <= _LONGEST_KEPT:
            if len(self) >= _MOST_KEPT:
                self.clear()
            self[field] = found
        return found


#: Of each status that an application may send.
statuses: Final = _Statuses()

#: Of each field that an application may send. Text outside latin-1 is a ValueError,
#: and what is no text a TypeError.
field_lines: Final = _FieldLines()


def _length_of(value: str) -> int:
    is_number = value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS
    if not is_number:
        raise HTTPOutputError(f"Content-Length is a number of bytes: {value!r}")
    return int(value)


def _asks_for_close(value: str) -> bool:
    return "close" in [option.strip() for option in value.lower().split(",")]


class _Clock:
    """The Date field, made once a second."""

    __slots__ = ("_line", "_second")

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def __call__(self) -> bytes:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = f"Date: {http_date(second)}\r\n".encode("ascii")
        return self._line


#: Gives the line of this moment (RFC 9110 section 6.6.1).
date_line: Final = _Clock()


def simple_response(
    status_code: int, server_line: bytes, *headers: str, is_head: bool = False
) -> bytes:
    """A response of the server's own, after which the connection closes."""
    reason = responses.get(status_code, "Unknown")
    body = f"{status_code} {reason}\n"
    lines = [
        "Content-Type: text/plain; charset=UTF-8",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
        "",
        "" if is_head else body,
    ]
    status_line, *_ = statuses[f"{status_code} {reason}"]
    return b"".join(
        (status_line, date_line(), server_line, "\r\n".join(lines).encode("ascii"))
    )
