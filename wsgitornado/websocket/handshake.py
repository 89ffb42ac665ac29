"""The opening handshake, both sides of it (RFC 6455 section 4)."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from wsgitornado.websocket.errors import WebSocketError

__all__ = [
    "VERSION",
    "Extension",
    "Refusal",
    "accept_key",
    "check_answer",
    "check_fields",
    "check_request",
    "format_extension",
    "is_same_origin",
    "is_subprotocol",
    "make_key",
    "request_fields",
    "split_extensions",
    "split_list",
]

#: The version of the protocol (section 4.1).
VERSION: Final = "13"

#: What is hashed behind the key of the client (section 1.3).
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

#: One parameter of an extension (section 9.1): a quoted value has to be a token, too.
_PARAMETER: Final = re.compile(
    rf"\s*({_TOKEN.pattern})\s*(?:=\s*(?:({_TOKEN.pattern})|\"({_TOKEN.pattern})\"))?\s*"
)

#: An extension's name, and its parameters; None for one without a value.
Extension = tuple[str, dict[str, str | None]]


@dataclass(frozen=True)
class Refusal:
    """Why a request does not become a WebSocket.

    :ivar text: the body of the answer.
    :ivar headers: more headers of it.
    """

    status_code: int
    text: str
    headers: tuple[tuple[str, str], ...] = ()


def check_request(headers: Mapping[str, str]) -> Refusal | None:
    """What a server has against the headers of an opening handshake (section 4.2.1).

    The origin is the program's matter. Texts and order are Tornado's.
    """
    if headers.get("Upgrade", "").lower() != "websocket":
        return Refusal(400, 'Can "Upgrade" only to "WebSocket".')
    if "upgrade" not in map(str.lower, split_list(headers.get("Connection", ""))):
        return Refusal(400, '"Connection" must be "Upgrade".')
    return None


def check_fields(headers: Mapping[str, str]) -> Refusal | None:
    """What a server has against the WebSocket's own fields; after the origin."""
    if headers.get("Sec-WebSocket-Version", "").strip() != VERSION:
        return Refusal(426, "", (("Sec-WebSocket-Version", VERSION),))
    if not _is_key(headers.get("Sec-WebSocket-Key", "")):
        return Refusal(400, "Missing/Invalid WebSocket headers")
    return None


def is_same_origin(origin: str, host: str | None) -> bool:
    """Whether an Origin names the host of the request, port and all.

    The scheme does not count: a proxy may have taken the TLS off.
    """
    try:
        return urlsplit(origin).netloc.lower() == (host or "").lower() != ""
    except ValueError:
        return False


def make_key() -> str:
    """A client's Sec-WebSocket-Key: 16 random bytes."""
    return base64.b64encode(os.urandom(16)).decode("ascii")


def accept_key(key: str) -> str:
    """What proves that a server has understood the client's key.

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    digest = hashlib.sha1((key + _GUID).encode("ascii"), usedforsecurity=False)
    return base64.b64encode(digest.digest()).decode("ascii")


def _is_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        return False


def split_list(value: str) -> list[str]:
    """The members of a list in a header, such as the subprotocols.

    >>> split_list("chat, superchat")
    ['chat', 'superchat']
    """
    return [one for one in map(str.strip, value.split(",")) if one]


def is_subprotocol(name: str) -> bool:
    """Whether a text can be the name of a subprotocol: a token."""
    return _TOKEN.fullmatch(name) is not None


def split_extensions(value: str) -> list[Extension]:
    """The extensions of a header in their order; what is malformed is left out.

    >>> split_extensions("permessage-deflate; client_max_window_bits, x; a=1")
    [('permessage-deflate', {'client_max_window_bits': None}), ('x', {'a': '1'})]
    """
    found = (_split_extension(one) for one in split_list(value))
    return [one for one in found if one is not None]


def _split_extension(text: str) -> Extension | None:
    name, *parameters = text.split(";")
    values: dict[str, str | None] = {}
    for parameter in parameters:
        match = _PARAMETER.fullmatch(parameter)
        if match is None or match[1] in values:
            return None
        values[match[1]] = match[2] or match[3]
    return name.strip(), values


def format_extension(extension: Extension) -> str:
    """An extension as it stands in the header.

    >>> format_extension(("x", {"a": None, "b": "1"}))
    'x; a; b=1'
    """
    name, parameters = extension
    parts = [name]
    for key, value in parameters.items():
        parts.append(key if value is None else f"{key}={value}")
    return "; ".join(parts)


# The client's side


def request_fields(
    key: str, subprotocols: Iterable[str] = (), extensions: Iterable[Extension] = ()
) -> list[tuple[str, str]]:
    """The headers with which a client asks for a WebSocket (section 4.1).

    :raises ValueError: for a subprotocol that is no token.
    """
    fields = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", key),
        ("Sec-WebSocket-Version", VERSION),
    ]
    subprotocols = list(subprotocols)
    for name in subprotocols:
        if not is_subprotocol(name):
            raise ValueError(f"a subprotocol is a token of RFC 9110: {name!r}")
    if subprotocols:
        fields.append(("Sec-WebSocket-Protocol", ", ".join(subprotocols)))
    offers = [format_extension(one) for one in extensions]
    if offers:
        fields.append(("Sec-WebSocket-Extensions", ", ".join(offers)))
    return fields


def check_answer(
    headers: Mapping[str, str], key: str, subprotocols: Iterable[str] = ()
) -> str | None:
    """Check a server's 101; returns the subprotocol that it has chosen (section 4.1).

    The extensions are for :mod:`wsgitornado.websocket.deflate`.

    :raises WebSocketError: if the connection must not be used.
    """
    if headers.get("Upgrade", "").lower() != "websocket":
        raise WebSocketError('the server answers without "Upgrade: websocket"')
    if "upgrade" not in map(str.lower, split_list(headers.get("Connection", ""))):
        raise WebSocketError('the server answers without "Connection: Upgrade"')
    if headers.get("Sec-WebSocket-Accept", "").strip() != accept_key(key):
        raise WebSocketError("the Sec-WebSocket-Accept of the server is wrong")
    chosen = headers.get("Sec-WebSocket-Protocol")
    if chosen is not None and chosen not in subprotocols:
        raise WebSocketError(
            f"the server has chosen the subprotocol {chosen!r}, which was not offered"
        )
    return chosen
