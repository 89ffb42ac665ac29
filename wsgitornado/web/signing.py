"""Signed values: text that a client keeps and cannot change, in Tornado's formats.

Signed is not encrypted: the client can read the value. Version 2, in bytes::

    2|1:0|10:1300000000|4:user|4:QWRh|<64 hexadecimal digits>

are the version, then the key's version, the time, the name and the value in Base64,
each after its length, then the HMAC-SHA256 of all that. Version 1 is
``QWRh|1300000000|<40 hexadecimal digits>``: value, time and the HMAC-SHA1 of name,
value and time in a row, without anything between them.
"""

from __future__ import annotations

import binascii
import hmac
import re
import time
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from wsgitornado.escape import utf8
from wsgitornado.log import gen_log

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = [
    "DEFAULT_SIGNED_VALUE_MIN_VERSION",
    "DEFAULT_SIGNED_VALUE_VERSION",
    "MAX_SUPPORTED_SIGNED_VALUE_VERSION",
    "MIN_SUPPORTED_SIGNED_VALUE_VERSION",
    "Secret",
    "create_signed_value",
    "decode_signed_value",
    "get_signature_key_version",
]

#: The oldest and the newest version that can be made and read.
MIN_SUPPORTED_SIGNED_VALUE_VERSION: Final = 1
MAX_SUPPORTED_SIGNED_VALUE_VERSION: Final = 2

#: The version that is made, and the oldest that is read, if the caller names none.
DEFAULT_SIGNED_VALUE_VERSION: Final = 2
DEFAULT_SIGNED_VALUE_MIN_VERSION: Final = 1

#: The setting ``cookie_secret``: one key, or several by their versions.
Secret = str | bytes | dict[int, str] | dict[int, bytes] | dict[int, str | bytes]

_SECONDS_PER_DAY: Final = 86400

# How far ahead of our clock a value of version 1 may be, and the reason it is checked:
# its fields are not bound by length, so that digits from the end of a value could be
# moved to the front of its time, which makes the time later.
_V1_FUTURE: Final = 31 * _SECONDS_PER_DAY

# As many digits as a 64-bit number has: more than any length, time or version of a key
# needs, and few enough for int() to be quick.
_MOST_DIGITS: Final = 20

# Anything else before the first bar is the beginning of a value of version 1, whose
# Base64 is never one to three characters long.
_VERSION = re.compile(rb"([1-9][0-9]{0,2})\|")

# What is before the name in version 2, and what is between it and the signature.
_V2_HEAD = re.compile(
    rb"2\|(N):(-?N)\|(N):(-?N)\|(N):".replace(b"N", rb"[0-9]{1,%d}" % _MOST_DIGITS)
)
_V2_TAIL = re.compile(rb"\|([0-9]{1,%d}):([^|]*+)\|" % _MOST_DIGITS)

# A program has one secret, perhaps a few by version; tests have more.
_CACHED_KEYS: Final = 32

# How much of a client's text is repeated in a log line.
_SHOWN: Final = 100

# RFC 2104 section 2: the key, filled up to a block, is combined with these bytes.
_BLOCK_SIZE: Final = 64
_INNER_PAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD: Final = bytes(byte ^ 0x5C for byte in range(256))


class _Fields(NamedTuple):
    """A value of version 2 taken apart; nothing in it can be trusted yet."""

    key_version: int
    timestamp: int
    name: bytes
    value: bytes
    signed: bytes
    signature: bytes


def create_signed_value(
    secret: Secret,
    name: str | bytes,
    value: str | bytes,
    version: int | None = None,
    clock: Callable[[], float] | None = None,
    key_version: int | None = None,
) -> bytes:
    """Sign a value and the time, for use under a name.

    >>> create_signed_value("secret", "user", "Ada", clock=lambda: 1300000000)[:35]
    b'2|1:0|10:1300000000|4:user|4:QWRh|f'

    :param secret: the key, or keys by version; text counts as UTF-8.
    :param name: what the value is for: it is accepted under this name only. (Of one
        that is not ASCII the bytes are counted; Tornado cannot read its own.)
    :param version: of the format, 1 or 2 (the default).
    :param clock: gives the time in place of :func:`time.time`.
    :param key_version: which key of several signs; required then, and only version 2
        can name it.
    :raises ValueError: for an unknown version.
    :raises AssertionError: if there are several keys and none is chosen, or the
        version is 1 (the exception that Tornado raises).
    :raises KeyError: if the secret has no such key.
    """
    if version is None:
        version = DEFAULT_SIGNED_VALUE_VERSION
    timestamp = b"%d" % int((clock or time.time)())
    encoded = binascii.b2a_base64(utf8(value), newline=False)
    if version == 2:
        key = _chosen_key(secret, key_version)
        name = utf8(name)
        version_of_key = utf8(str(key_version or 0))
        signed = b"2|%d:%b|%d:%b|%d:%b|%d:%b|" % (
            len(version_of_key),
            version_of_key,
            len(timestamp),
            timestamp,
            len(name),
            name,
            len(encoded),
            encoded,
        )
        return signed + _hmac_sha256(key, signed)
    if version == 1:
        if isinstance(secret, dict):
            raise AssertionError(
                "signed values of version 1 do not say which key of several made them"
            )
        return b"|".join(
            [encoded, timestamp, _signature_v1(secret, name, encoded, timestamp)]
        )
    raise ValueError(f"Unsupported version {version}")


def decode_signed_value(
    secret: Secret,
    name: str | bytes,
    value: str | bytes | None,
    max_age_days: float = 31,
    clock: Callable[[], float] | None = None,
    min_version: int | None = None,
) -> bytes | None:
    """Return what was signed, or None if this is not a valid signed value.

    None is the answer to all that a client can send: no value, one that was changed,
    made for another name or with another key, too old, or no signed value at all.

    :param secret: the key, or keys by version.
    :param max_age_days: how old the value may be.
    :param clock: gives the time in place of :func:`time.time`.
    :param min_version: the oldest format that is read: 2 refuses version 1.
    :raises ValueError: if ``min_version`` is newer than the newest version.

    Numbers count only in the forms that are written: Tornado also reads ``+1``,
    ``1_0`` and the like, if the signature is right.
    """
    if min_version is None:
        min_version = DEFAULT_SIGNED_VALUE_MIN_VERSION
    elif min_version > MAX_SUPPORTED_SIGNED_VALUE_VERSION:
        raise ValueError(f"Unsupported min_version {min_version}")
    data = _bytes_of(value)
    if not data:
        return None
    version = _version_of(data)
    if version < min_version:
        return None
    now = (clock or time.time)()
    oldest = now - max_age_days * _SECONDS_PER_DAY
    if version == 2:
        return _decode_v2(secret, name, data, oldest)
    if version == 1:
        return _decode_v1(secret, name, data, oldest, now)
    return None


def get_signature_key_version(value: str | bytes | None) -> int | None:
    """The version of the key that a value says it was signed with, unverified.

    None for a value of version 1, and for what is no signed value.
    """
    data = _bytes_of(value)
    if not data or _version_of(data) != 2:
        return None
    fields = _split_v2(data)
    return None if fields is None else fields.key_version


def _bytes_of(value: str | bytes | None) -> bytes | None:
    """The bytes of a client's text; None if there are none."""
    if not value:
        return None
    try:
        return utf8(value)
    except UnicodeEncodeError:  # a lone surrogate
        return None


def _version_of(data: bytes) -> int:
    if data.startswith(b"2|"):
        return 2
    match = _VERSION.match(data)
    return 1 if match is None else int(match[1])


def _chosen_key(secret: Secret, key_version: int | None) -> str | bytes:
    """The key to sign with."""
    if not isinstance(secret, dict):
        return secret
    if key_version is None:
        raise AssertionError("Key version must be set when sign key dict is used")
    return secret[key_version]


# Version 2


def _decode_v2(
    secret: Secret, name: str | bytes, data: bytes, oldest: float
) -> bytes | None:
    fields = _split_v2(data)
    if fields is None:
        return None
    if isinstance(secret, dict):
        if fields.key_version not in secret:
            return None
        secret = secret[fields.key_version]
    if not hmac.compare_digest(fields.signature, _hmac_sha256(secret, fields.signed)):
        return None
    if fields.name != utf8(name):
        return None
    if fields.timestamp < oldest:
        return None
    return _decode_base64(fields.value)


def _split_v2(data: bytes) -> _Fields | None:
    """Take a value of version 2 apart, or return None where that cannot be."""
    head = _V2_HEAD.match(data)
    if head is None:
        return None
    key_length, key_version, time_length, timestamp, name_length = head.groups()
    name_start = head.end()
    name_end = name_start + int(name_length)
    if name_end > len(data):
        return None
    tail = _V2_TAIL.match(data, name_end)
    if tail is None:
        return None
    value_length, value = tail.groups()
    if (
        int(key_length) != len(key_version)
        or int(time_length) != len(timestamp)
        or int(value_length) != len(value)
    ):
        return None
    end = tail.end()
    return _Fields(
        int(key_version),
        int(timestamp),
        data[name_start:name_end],
        value,
        data[:end],
        data[end:],
    )


def _hmac_sha256(key: str | bytes, message: bytes) -> bytes:
    """The HMAC-SHA256 (RFC 2104) in hexadecimal digits.

    ``hmac.digest`` takes twice as long: it makes both hashes anew from the key.
    """
    inner, outer = _hashes_of(utf8(key))
    inner = inner.copy()
    inner.update(message)
    outer = outer.copy()
    outer.update(inner.digest())
    return outer.hexdigest().encode("ascii")


@lru_cache(maxsize=_CACHED_KEYS)
def _hashes_of(key: bytes | None) -> tuple[_Hash, _Hash]:
    """The inner and the outer hash of a key, to be copied."""
    if key is None:
        raise TypeError("cookie_secret is str, bytes or a dict of them: got None")
    if len(key) > _BLOCK_SIZE:
        key = sha256(key).digest()
    block = key.ljust(_BLOCK_SIZE, b"\0")
    return sha256(block.translate(_INNER_PAD)), sha256(block.translate(_OUTER_PAD))


# Version 1


def _decode_v1(
    secret: Secret, name: str | bytes, data: bytes, oldest: float, now: float
) -> bytes | None:
    parts = data.split(b"|", 3)
    if len(parts) != 3 or isinstance(secret, dict):
        return None
    value, timestamp, signature = parts
    expected = _signature_v1(secret, name, value, timestamp)
    if not hmac.compare_digest(signature, expected):
        gen_log.warning("Invalid cookie signature %r", data[:_SHOWN])
        return None
    if len(timestamp) > _MOST_DIGITS or not timestamp.isdigit():
        return None
    seconds = int(timestamp)
    if seconds < oldest:
        gen_log.warning("Expired cookie %r", data[:_SHOWN])
        return None
    if seconds > now + _V1_FUTURE:
        gen_log.warning(
            "Cookie timestamp in future; possible tampering %r", data[:_SHOWN]
        )
        return None
    if timestamp.startswith(b"0"):
        # Zeros moved from the value leave the time what it was.
        gen_log.warning("Tampered cookie %r", data[:_SHOWN])
        return None
    return _decode_base64(value)


def _signature_v1(
    secret: str | bytes, name: str | bytes, value: bytes, timestamp: bytes
) -> bytes:
    message = b"".join([utf8(name), value, timestamp])
    return hmac.digest(utf8(secret), message, "sha1").hex().encode("ascii")


def _decode_base64(text: bytes) -> bytes | None:
    try:
        return binascii.a2b_base64(text)
    except binascii.Error:
        return None
