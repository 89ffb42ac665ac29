"""Header fields, checked and named as WSGI names them."""

from __future__ import annotations

import re
from typing import Final

from wsgitornado.httpserver.head import RequestError

__all__ = ["TOKEN", "KnownBlocks", "read_fields"]

#: Names of fields and methods (RFC 9110 section 5.6.2).
TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

#: What a value may not hold: control characters but the tab (RFC 9110 section 5.5).
_CONTROLS: Final = bytes([*range(9), *range(10, 32), 127])

#: What stands in environ without HTTP_ (RFC 3875 section 4.1).
_WITHOUT_HTTP: Final = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})

#: Fields of one value: two of them have no meaning, or a dangerous one.
_SINGLE: Final = frozenset(
    {
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
        "HTTP_AUTHORIZATION",
        "HTTP_HOST",
        "HTTP_TRANSFER_ENCODING",
    }
)

#: Fields that clients send alike with each request, and that are no secrets.
_STEADY: Final = frozenset(
    {
        "CONTENT_TYPE",
        "HTTP_ACCEPT",
        "HTTP_ACCEPT_ENCODING",
        "HTTP_ACCEPT_LANGUAGE",
        "HTTP_CACHE_CONTROL",
        "HTTP_CONNECTION",
        "HTTP_DNT",
        "HTTP_HOST",
        "HTTP_KEEP_ALIVE",
        "HTTP_ORIGIN",
        "HTTP_PRAGMA",
        "HTTP_PRIORITY",
        "HTTP_SEC_CH_UA",
        "HTTP_SEC_CH_UA_MOBILE",
        "HTTP_SEC_CH_UA_PLATFORM",
        "HTTP_SEC_FETCH_DEST",
        "HTTP_SEC_FETCH_MODE",
        "HTTP_SEC_FETCH_SITE",
        "HTTP_SEC_FETCH_USER",
        "HTTP_TE",
        "HTTP_UPGRADE_INSECURE_REQUESTS",
        "HTTP_USER_AGENT",
        "HTTP_X_REQUESTED_WITH",
    }
)

# Clients choose names and values, so both bounds are needed for each.
_MOST_NAMES: Final = 1000
_LONGEST_NAME: Final = 100
_MOST_FIELDS: Final = 1000
_LONGEST_VALUE: Final = 250
_MOST_BLOCKS: Final = 500
_LONGEST_BLOCK: Final = 1000


class _Keys(dict[bytes, str]):
    """The environ key of a field name; empty for a name that is left out.

    It fills itself. When it is full it begins again from nothing: what is in use comes
    back with its next use.
    """

    __slots__ = ()

    def __missing__(self, name: bytes) -> str:
        text = name.decode("latin-1")
        if TOKEN.fullmatch(text) is None:
            raise RequestError(400, "a malformed header name")
        key = text.upper().replace("-", "_")
        if "_" in text or key == "PROXY":
            return ""
        if key not in _WITHOUT_HTTP:
            key = "HTTP_" + key
        if len(name) <= _LONGEST_NAME:
            if len(self) >= _MOST_NAMES:
                self.clear()
            self[name] = key
        return key


class _Fields(dict[tuple[bytes, bytes], tuple[str, str]]):
    """Key and text of a field; bounded as the keys are."""

    __slots__ = ()

    def __missing__(self, field: tuple[bytes, bytes]) -> tuple[str, str]:
        name, value = field
        key = _keys[name]
        # A third of what a regular expression takes for a long cookie.
        if len(value.translate(None, _CONTROLS)) != len(value):
            raise RequestError(400, "a control character in a header")
        pair = key, value.strip(b" \t").decode("latin-1")
        if key in _STEADY and len(value) <= _LONGEST_VALUE:
            if len(self) >= _MOST_FIELDS:
                self.clear()
            self[field] = pair
        return pair


class KnownBlocks(dict[bytes, dict[str, str]]):
    """What the fields of whole heads say: clients send the same with each request.

    Of heads that hold no secret, and tell nothing about a body. Bounded as the keys
    are. Nobody may change what is in it.
    """

    __slots__ = ()

    def remember(self, block: bytes, fields: dict[str, str]) -> None:
        """Keep what :func:`read_fields` gives for all lines behind the first.

        Not if some of the lines were joined or left out: their number counts.
        """
        if (
            len(block) <= _LONGEST_BLOCK
            and fields.keys() <= _STEADY
            and block.count(b"\n") == len(fields) + 2
        ):
            if len(self) >= _MOST_BLOCKS:
                self.clear()
            self[block] = fields


_keys: Final = _Keys()
_fields: Final = _Fields()
_read_field: Final = _fields.__getitem__


def read_fields(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Put the fields of a head, names and values, under the keys of environ.

    Repeated fields are joined. A field with an underscore in its name is left out:
    ``X_Real_Ip`` would pose as ``X-Real-Ip``, which a proxy may have set. So is the
    field ``Proxy``, which means nothing: in HTTP_PROXY many programs look for the
    proxy of their own requests.

    >>> read_fields([(b"Host", b"example.com"), (b"X-A", b"1"), (b"x-a", b"2")])
    {'HTTP_HOST': 'example.com', 'HTTP_X_A': '1,2'}

    :raises RequestError: 400 for a name that is no token, a control character, or a
        field twice that can only come once.
    """
    fields = dict(map(_read_field, pairs))
    if len(fields) != len(pairs) or "" in fields:
        return _join(pairs)
    return fields


def _join(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for key, value in map(_read_field, pairs):
        values.setdefault(key, []).append(value)
    values.pop("", None)
    for key in _SINGLE.intersection(values):
        if len(values[key]) > 1:
            raise RequestError(400, "a field twice that can only come once")
    # RFC 9110 section 5.3; RFC 9113 section 8.2.3 for cookies, which a proxy may have
    # been sent in parts.
    return {
        key: ("; " if key == "HTTP_COOKIE" else ",").join(parts)
        for key, parts in values.items()
    }
