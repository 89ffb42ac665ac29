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
    if not text.startswith("//"):
        # "http:evil.example" too: some browsers take what follows for a host.
        return (
            (scheme, _AUTHORITY_END.split(text, maxsplit=1)[0]) if scheme else ("", "")
        )
    authority = _AUTHORITY_END.split(text.lstrip("/"), maxsplit=1)[0]
    return scheme, authority.lower()


def quote_group(text: str) -> str:
    """A group of a path, quoted again for a place in a Location.

    Nothing in it can end the path or add to the query: ``a b?c`` is ``a%20b%3Fc``.
    """
    return quote(text, safe=_GROUP_SAFE)
