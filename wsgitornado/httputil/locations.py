"""Where a browser goes when it reads a Location: the guard of every redirect."""

from __future__ import annotations

import re
from urllib.parse import quote

__all__ = ["browser_origin", "quote_group"]

# WHATWG URL, "basic URL parser": leading and trailing C0 controls and spaces are
# stripped, tabs and line ends dropped wherever they stand.
_STRIPPED = "".join(map(chr, range(0x21)))
_DROPPED = {ord(c): None for c in "\t\r\n"}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
# The "special" schemes, whose URLs have a host however many slashes come before it,
# even none. A Location without a scheme has ours, which is one of them.
_WITH_HOST = frozenset({"", "file", "ftp", "http", "https", "ws", "wss"})
_AUTHORITY_END = re.compile(r"[/?#]")

# What a group may keep as it is, in a path or in a query alike.
_GROUP_SAFE = "/:@-._~!$'()*,"


def browser_origin(location: str) -> tuple[str, str]:
    """The scheme and authority that a browser takes from a Location.

    ``("", "")`` stays where it is: ``/path``, ``path``, ``?query``. Both kinds of
    slash count as one, and any number of leading slashes as two, since browsers read
    them so:

    >>> browser_origin("/" + chr(92) + "evil.example/x")
    ('', 'evil.example')
    """
    text = location.strip(_STRIPPED).translate(_DROPPED).replace("\\", "/")
    scheme = ""
    found = _SCHEME.match(text)
    if found is not None:
        scheme = found[1].lower()
        text = text[found.end() :]
    has_authority = text.startswith("//") or (scheme and scheme in _WITH_HOST)
    if not has_authority:
        return scheme, ""
    text = text.lstrip("/") if scheme in _WITH_HOST else text[2:]
    return scheme, _AUTHORITY_END.split(text, maxsplit=1)[0].lower()


def quote_group(text: str) -> str:
    """A group of a path, quoted again for a place in a Location.

    Nothing in it can end the path or add to the query: ``a b?c`` is ``a%20b%3Fc``.
    """
    return quote(text, safe=_GROUP_SAFE)
