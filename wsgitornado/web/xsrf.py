"""Cross-site requests: form tokens, and what browsers say of a request's origin.

A token of version 2 is ``2|<mask>|<masked token>|<time>``: mask and token in
hexadecimal digits, the token combined with the mask by exclusive or. So the text is
another one in each page, which gives nothing to those who measure compressed lengths
(the attack called BREACH), and the token in it stays the same. Version 1 is the
token alone, in hexadecimal digits.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Callable, Container
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from wsgitornado.escape import xhtml_escape

__all__ = [
    "SAFE_METHODS",
    "XSRFToken",
    "decode_token",
    "encode_token",
    "form_field",
    "new_token",
    "origin_is_listed",
    "why_origin_refused",
    "why_token_refused",
]

#: The methods that are not checked, since they change nothing (RFC 9110 section 9.2.1).
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_TOKEN_SIZE: Final = 16
_MASK_SIZE: Final = 4

# A time of twenty digits is beyond all clocks, and few enough for int() to be quick.
_TOKEN = re.compile(
    r"(?P<plain>(?:[0-9A-Fa-f]{2})++)"
    r"|2\|(?P<mask>[0-9A-Fa-f]{8})\|(?P<masked>(?:[0-9A-Fa-f]{2})++)"
    r"\|(?P<time>[0-9]{1,20})"
)

# The values of Sec-Fetch-Site (W3C Fetch Metadata) for a request that a page of ours,
# or the user directly, has made.
_OURS_OR_THE_USERS: Final = frozenset({"same-origin", "none"})

# How much of a client's text is repeated in a log line.
_SHOWN: Final = 100


class XSRFToken(NamedTuple):
    """What the text of a token says.

    :ivar version: of the text, 1 or 2.
    :ivar value: the token itself, never empty.
    :ivar timestamp: when it was made, in seconds; None in version 1.
    """

    version: int
    value: bytes
    timestamp: int | None


def new_token() -> bytes:
    """A fresh random token."""
    return os.urandom(_TOKEN_SIZE)


def encode_token(token: bytes, version: int, timestamp: float) -> bytes:
    """The text of a token, for a cookie or a form; in version 2 with a fresh mask.

    :param version: 1 or 2: the setting ``xsrf_cookie_version``.
    :param timestamp: when the token was made; version 1 leaves it out.
    :raises ValueError: for another version.
    """
    if version == 2:
        mask = os.urandom(_MASK_SIZE)
        masked = _mask(mask, token)
        return f"2|{mask.hex()}|{masked.hex()}|{int(timestamp)}".encode("ascii")
    if version == 1:
        return token.hex().encode("ascii")
    raise ValueError(f"unknown xsrf cookie version {version!r}: expected 1 or 2")


def decode_token(text: str | bytes | None) -> XSRFToken | None:
    """Read the text of a token, or return None for all that is none.

    >>> decode_token("2|01020304|0d0f|1300000000")
    XSRFToken(version=2, value=b'\\x0c\\r', timestamp=1300000000)

    A token is never empty and always in hexadecimal digits: Tornado also takes other
    text, as it is, for a token of version 1. White space around it is dropped.
    """
    if not text:
        return None
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    match = _TOKEN.fullmatch(text.strip())
    if match is None:
        return None
    plain, mask, masked, timestamp = match.groups()
    if plain is not None:
        return XSRFToken(1, bytes.fromhex(plain), None)
    token = _mask(bytes.fromhex(mask), bytes.fromhex(masked))
    return XSRFToken(2, token, int(timestamp))


def _mask(mask: bytes, data: bytes) -> bytes:
    """Combine data with the repeated mask; done twice, it is the data again."""
    size = len(data)
    repeated = (mask * (size // _MASK_SIZE + 1))[:size]
    mixed = int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")
    return mixed.to_bytes(size, "big")


def why_token_refused(
    sent: str | bytes | None, expected: XSRFToken | None
) -> str | None:
    """Why a request may not be carried out, for the log; None if it may.

    :param sent: the argument or header of the request.
    :param expected: the token in the cookie of the request, if it has one.
    """
    if not sent:
        return "'_xsrf' argument missing from POST"
    token = decode_token(sent)
    if token is None:
        return "'_xsrf' argument has invalid format"
    if expected is None or not hmac.compare_digest(token.value, expected.value):
        return "XSRF cookie does not match POST argument"
    return None


def form_field(token: str | bytes) -> str:
    """The hidden field that a form carries its token in."""
    return f'<input type="hidden" name="_xsrf" value="{xhtml_escape(token)}"/>'


def why_origin_refused(
    host: str | None,
    sec_fetch_site: str | None,
    origin: str | None,
    is_trusted: Callable[[str], bool],
) -> str | None:
    """Why a request that changes something is refused, for the log; None if it is not.

    The rules of Tornado 6.6. Browsers say in Sec-Fetch-Site how the page that made the
    request relates to this site. Only a page of the same origin, the user, and the
    origins that we trust may change something. Browsers that do not send it send an
    Origin, which must be our Host then; who sends neither is no browser.

    :param host: the Host of the request, with its port.
    :param sec_fetch_site: the header Sec-Fetch-Site, None without one.
    :param origin: the header Origin, None without one.
    :param is_trusted: asked for an origin that is not ours. Unlike in Tornado it never
        sees one that no URL can begin with, which is refused.
    """
    if sec_fetch_site is not None:
        if sec_fetch_site in _OURS_OR_THE_USERS:
            return None
        if origin and _host_of(origin) is not None and is_trusted(origin):
            return None
        site = sec_fetch_site[:_SHOWN]
        return f"Sec-Fetch-Site {site} & origin {origin!r:.{_SHOWN}} not allowed"
    if origin is None:
        return None
    origin_host = _host_of(origin)
    if origin_host and host and origin_host.lower() == host.lower():
        return None
    if origin and origin_host is not None and is_trusted(origin):
        return None
    return f"Origin {origin!r:.{_SHOWN}} not allowed"


def _host_of(origin: str) -> str | None:
    """Host and port of an origin, "" if it has none; None if it cannot be read."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def origin_is_listed(origin: str, trusted: Container[str] | None) -> bool:
    """Whether the setting ``trusted_origins`` names an origin, letter by letter.

    A str is one origin here; in Tornado its parts would be trusted, too.
    """
    if isinstance(trusted, str):
        return origin == trusted
    return trusted is not None and origin in trusted
