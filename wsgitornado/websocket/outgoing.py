"""Frames of this end (RFC 6455 section 5.2).

wsproto's own serializer copies a payload four times and takes a dozen times as long.
"""

from __future__ import annotations

import os
import struct
from typing import Final

from wsgitornado.util import _websocket_mask

__all__ = ["BINARY", "CLOSE", "PING", "PONG", "RSV1", "TEXT", "close_payload", "frame"]

#: First bytes of frames that are a whole message, or a control frame.
TEXT: Final = 0x81
BINARY: Final = 0x82
CLOSE: Final = 0x88
PING: Final = 0x89
PONG: Final = 0x8A

#: Says that a message is compressed.
RSV1: Final = 0x40

_short: Final = struct.Struct("!BB").pack
_medium: Final = struct.Struct("!BBH").pack
_long: Final = struct.Struct("!BBQ").pack

_MASKED: Final = 0x80


def frame(first: int, payload: bytes, is_masked: bool) -> bytes:
    """One frame.

    :param first: one of the constants of this module.
    :param is_masked: as each frame of a client is, with a mask that nobody can guess.

    >>> frame(TEXT, b"Hello", is_masked=False)
    b'\\x81\\x05Hello'
    """
    size = len(payload)
    mask_bit = _MASKED if is_masked else 0
    if size < 126:
        head = _short(first, mask_bit | size)
    elif size < 0x10000:
        head = _medium(first, mask_bit | 126, size)
    else:
        head = _long(first, mask_bit | 127, size)
    if not is_masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + _websocket_mask(mask, payload)


def close_payload(code: int | None, reason: str) -> bytes:
    """What a close frame holds: nothing without a code."""
    if code is None:
        return b""
    return code.to_bytes(2, "big") + reason.encode("utf-8")
