"""Entity tags: making one from a body and comparing it with what a client holds."""

from __future__ import annotations

import re
from hashlib import sha1

__all__ = ["body_etag", "etag_is_in"]

# One entity-tag of RFC 9110 section 8.8.3, strong or weak, or the asterisk that
# stands for any. Each alternative begins with another character and none of them
# backtracks, so that the search is linear in the length of the header.
_ENTITY_TAG = re.compile(r'\*|(?:W/)?"[^"]*"')


def body_etag(body: bytes) -> str:
    """A strong tag in Tornado's shape: the quoted hex SHA-1 of the body.

    >>> body_etag(b"Hello, world!")
    '"943a702d06f34599aee1f8da8ef9f7296031d699"'
    """
    return f'"{sha1(body, usedforsecurity=False).hexdigest()}"'


def etag_is_in(if_none_match: str, etag: str) -> bool:
    """Whether a client that sent this If-None-Match has the body of this tag.

    The weak comparison of RFC 9110 section 8.8.3.2: ``W/"x"`` and ``"x"`` are alike.
    Anything in the header that is no tag is passed over. Without a tag of ours
    (``etag`` is empty) the answer is no, to an asterisk too, as in Tornado.
    """
    if not etag:
        return False
    opaque = etag.removeprefix("W/")
    first = True
    for tag in _ENTITY_TAG.finditer(if_none_match):
        if tag[0] == "*":
            if first:
                return True
        elif tag[0].removeprefix("W/") == opaque:
            return True
        first = False
    return False
