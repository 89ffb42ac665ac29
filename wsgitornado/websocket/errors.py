"""The errors of WebSockets, and the close codes that are ours to send."""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "CloseCode",
    "ProtocolError",
    "WebSocketClosedError",
    "WebSocketError",
    "check_close",
]

#: What a close frame has room for behind its code, in bytes (RFC 6455 section 5.5).
MAX_REASON = 123

#: What a ping or pong has room for.
MAX_CONTROL = 125


class WebSocketError(Exception):
    """What goes wrong with a WebSocket."""

    __module__ = "wsgitornado.websocket"


class WebSocketClosedError(WebSocketError):
    """A message was to be sent on a connection that is closed."""

    __module__ = "wsgitornado.websocket"


class CloseCode(IntEnum):
    """The codes with which a connection is closed here (RFC 6455 section 7.4.1)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_DATA = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011


class ProtocolError(Exception):
    """The other end breaks the protocol; the connection ends with this code.

    :ivar code: for the close frame.
    :ivar reason: likewise.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def check_close(code: int | None, reason: str | None) -> tuple[int | None, str]:
    """Code and reason as a close frame may hold them.

    A reason alone gets the code 1000, as in Tornado.

    :raises ValueError: for a code that is not for close frames (RFC 6455 section 7.4),
        and for a reason of more than 123 bytes.
    """
    reason = reason or ""
    if len(reason.encode("utf-8")) > MAX_REASON:
        raise ValueError(f"the reason of a close has at most {MAX_REASON} bytes")
    if code is None:
        return (CloseCode.NORMAL if reason else None), reason
    if not is_close_code(code):
        raise ValueError(
            f"{code} is no code to close with: take 1000, 1001, one of 3000 to 3999 "
            "that is registered, or one of your own from 4000 to 4999"
        )
    return code, reason


def is_close_code(code: int) -> bool:
    """Whether a close frame may hold a code (RFC 6455 section 7.4, IANA's list)."""
    return 3000 <= code <= 4999 or (
        1000 <= code <= 1014 and code not in {1004, 1005, 1006}
    )
