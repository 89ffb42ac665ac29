"""Cookies: the Cookie header that comes in, the Set-Cookie headers that go out."""

from __future__ import annotations

import datetime
import functools
import http.cookies
import re
import sys
import time
import warnings
from typing import Any

from wsgitornado.httputil.headers import format_timestamp

__all__ = [
    "InvalidCookieError",
    "check_cookie_name",
    "find_cookie",
    "format_set_cookie",
    "parse_cookie",
    "parse_cookies_to_morsels",
]


class InvalidCookieError(http.cookies.CookieError, ValueError):
    """A cookie that no Set-Cookie header can carry: the programmer's fault.

    Tornado raises ``http.cookies.CookieError`` for names and attributes and
    ``ValueError`` for values; this is both.
    """


# What http.cookies writes as it is, and so what programs find on the wire; then what
# it puts in quotes without escaping it. Possessive: no match is given back.
_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~:]++")
_PLAIN_IN_QUOTES = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~:()/<=>?@\[\]{}]++")
_NOT_IN_VALUE = re.compile(r"[\x00-\x20]")
# Space, controls and semicolon, and what is not latin-1.
_NOT_IN_ATTRIBUTE = re.compile(r"[^!-:<-~\x80-\xff]")
_NOT_LATIN_1 = re.compile(r"[^\x00-\xff]")
# A backslash and three octal digits, or a backslash and the character it stands for.
_ESCAPED = re.compile(r"\\(?:([0-3][0-7][0-7])|(.))")

# As they are written; on the wire they stand in the order of the alphabet.
_ATTRIBUTES = {
    "comment": "Comment",
    "domain": "Domain",
    "expires": "expires",
    "httponly": "HttpOnly",
    "max-age": "Max-Age",
    "partitioned": "Partitioned",
    "path": "Path",
    "samesite": "SameSite",
    "secure": "Secure",
    "version": "Version",
}
_FLAGS = frozenset({"httponly", "partitioned", "secure"})

_SECONDS_PER_DAY = 86400

# Knows which names this version of http.cookies keeps for attributes.
_MORSEL: http.cookies.Morsel[str] = http.cookies.Morsel()


def _escapes() -> dict[int, str]:
    # http.cookies quotes these as octal numbers (RFC 2109 knew nothing of it).
    octal = [*range(0x20), 0x2C, 0x3B, *range(0x7F, 0x100)]
    return {code: f"\\{code:03o}" for code in octal} | {0x22: '\\"', 0x5C: "\\\\"}


_ESCAPES = _escapes()


def parse_cookie(cookie: str) -> dict[str, str]:
    """Read a Cookie header into names and values.

    Split as browsers do, at semicolons only (RFC 6265 section 5.4). Of several
    cookies with one name the last counts; a part without ``=`` is a value without a
    name. Quoted values are unquoted. Nothing raises; bytes beyond ASCII stay the
    latin-1 text that WSGI and Tornado make of them.

    >>> parse_cookie('a=b; c="d\\\\073e"; f')
    {'a': 'b', 'c': 'd;e', '': 'f'}
    """
    found = {}
    for part in cookie.split(";"):
        name, equals, value = part.partition("=")
        if not equals:
            name, value = "", part
        name = name.strip(" \t")
        value = value.strip(" \t")
        if name or value:
            found[name] = _unquote(value)
    return found


def _unquote(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    value = value[1:-1]
    return _ESCAPED.sub(_unescape, value) if "\\" in value else value


def _unescape(match: re.Match[str]) -> str:
    octal, character = match.groups()
    return character if octal is None else chr(int(octal, 8))


def parse_cookies_to_morsels(cookie: str) -> http.cookies.SimpleCookie:
    """Read a Cookie header into morsels: what ``request.cookies`` is in Tornado.

    A cookie whose name ``http.cookies`` refuses is left out.
    """
    cookies = http.cookies.SimpleCookie()
    for name, value in parse_cookie(cookie).items():
        try:
            cookies[name] = value
        except http.cookies.CookieError:
            continue
    return cookies


def find_cookie(cookie: str, name: str) -> str | None:
    """The value of one cookie, as ``parse_cookies_to_morsels(cookie)`` has it."""
    if name not in cookie:
        return None
    for part in reversed(cookie.split(";")):
        key, equals, value = part.partition("=")
        if equals and key.strip(" \t") == name:
            return _unquote(value.strip(" \t")) if _is_cookie_name(name) else None
    return None


@functools.lru_cache(maxsize=256)  # programs have few names
def _is_cookie_name(name: str) -> bool:
    return _PLAIN.fullmatch(name) is not None and not _MORSEL.isReservedKey(name)


def check_cookie_name(name: str | bytes) -> str:
    """Return *name* as text if a cookie may have it.

    Raises :exc:`InvalidCookieError` when it does not consist of token characters or
    is the name of an attribute.
    """
    text = _as_text(name, "name")
    if _is_cookie_name(text):
        return text
    if _MORSEL.isReservedKey(text):
        raise InvalidCookieError(
            f"{text!r} is the name of a cookie attribute, no name for a cookie"
        )
    raise InvalidCookieError(
        f"Illegal cookie name {text!r}: expected letters, digits and any of "
        f"!#$%&'*+-.^_`|~:"
    )


def format_set_cookie(
    name: str | bytes,
    value: str | bytes,
    domain: str | None = None,
    expires: float | tuple[int, ...] | datetime.datetime | None = None,
    path: str | None = "/",
    expires_days: float | None = None,
    *,
    max_age: int | None = None,
    httponly: bool = False,
    secure: bool = False,
    samesite: str | None = None,
    partitioned: bool = False,
    **kwargs: Any,
) -> str:
    """Write the value of one Set-Cookie header, as Tornado writes it.

    A value with other than token characters is quoted, with octal escapes, which
    :func:`parse_cookie` undoes and JavaScript does not. *expires* counts before
    *expires_days*; without both, or with 0, the cookie goes with the browser session.

    :param kwargs: older spellings (``HttpOnly``, ``Max-Age``), ``comment`` and
        ``version``: they work and warn, as in Tornado. ``Expires`` as an int is
        seconds from now, as in ``http.cookies``.

    Raises :exc:`InvalidCookieError` (a ``ValueError``) for a name, value or attribute
    that a header cannot carry or that would end its place, and for an unknown
    attribute; ``TypeError`` for a wrong type.

    >>> format_set_cookie("user", "ann|1", httponly=True)
    'user=ann|1; HttpOnly; Path=/'
    """
    name = check_cookie_name(name)
    # In the order of the alphabet, as http.cookies has it.
    parts = [f"{name}={_write_value(name, value)}"]
    if domain:
        parts.append("Domain=" + _check_attribute(name, "domain", domain))
    if expires or expires_days is not None:
        parts.append("expires=" + _write_expiry(expires, expires_days))
    if httponly:
        parts.append("HttpOnly")
    if max_age:
        parts.append(f"Max-Age={int(max_age)}")
    if partitioned:
        parts.append("Partitioned")
    if path:
        parts.append("Path=" + _check_attribute(name, "path", path))
    if samesite:
        parts.append("SameSite=" + _check_attribute(name, "samesite", samesite))
    if secure:
        parts.append("Secure")
    if kwargs:
        parts = _with_older_spellings(name, parts, kwargs)
    return "; ".join(parts)


def _as_text(text: str | bytes, what: str) -> str:
    if isinstance(text, str):
        return text
    if isinstance(text, bytes):
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidCookieError(
                f"a cookie's {what} in bytes is UTF-8: got {text!r}; "
                f"encode other bytes first, for instance as base64"
            ) from error
    raise TypeError(f"a cookie's {what} is str or bytes: got {text!r}")


def _write_value(name: str, value: str | bytes) -> str:
    text = _as_text(value, "value")
    if _PLAIN.fullmatch(text):
        return text
    if _PLAIN_IN_QUOTES.fullmatch(text):
        return f'"{text}"'
    # The value may be a secret: it is not repeated in the message.
    if _NOT_IN_VALUE.search(text):
        raise InvalidCookieError(
            f"Invalid cookie {name!r}: the value has a space or a control character; "
            f"encode it first, for instance with wsgitornado.escape.url_escape"
        )
    if _NOT_LATIN_1.search(text):
        raise InvalidCookieError(
            f"Invalid cookie {name!r}: the value has text outside latin-1; encode it "
            f"first, for instance with wsgitornado.escape.url_escape"
        )
    return '"' + text.translate(_ESCAPES) + '"'


def _write_expiry(
    expires: float | tuple[int, ...] | datetime.datetime | None,
    expires_days: float | None,
) -> str:
    if expires:
        return format_timestamp(expires)
    if not isinstance(expires_days, (int, float)):
        raise TypeError(f"expires_days is a number: got {expires_days!r}")
    try:
        return format_timestamp(time.time() + expires_days * _SECONDS_PER_DAY)
    except OverflowError:
        raise ValueError(f"expires_days={expires_days!r} is out of range") from None


def _check_attribute(cookie: str, attribute: str, text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"set_cookie: {attribute} is a str: got {text!r}")
    if _NOT_IN_ATTRIBUTE.search(text):
        raise InvalidCookieError(
            f"Invalid cookie attribute {attribute}={text!r} for cookie {cookie!r}: "
            f"expected latin-1 text without spaces, control characters and semicolons"
        )
    return text


def _with_older_spellings(
    cookie: str, parts: list[str], older: dict[str, Any]
) -> list[str]:
    attributes = {part.partition("=")[0].lower(): part for part in parts[1:]}
    for spelled, value in older.items():
        key = spelled.lower()
        if key not in _ATTRIBUTES:
            raise InvalidCookieError(
                f"Invalid attribute {spelled!r} for cookie {cookie!r}: expected one "
                f"of domain, expires, expires_days, httponly, max_age, partitioned, "
                f"path, samesite, secure"
            )
        attributes.pop(key, None)
        text = _check_attribute(cookie, spelled, str(value))
        if key in _FLAGS:
            if value:
                attributes[key] = _ATTRIBUTES[key]
        elif value is not None and text:
            attributes[key] = f"{_ATTRIBUTES[key]}={_write_older(key, value)}"
    _warn_at_caller(
        f"Deprecated arguments to set_cookie: {', '.join(sorted(older))}; write names "
        f"in lower case (comment and version mean nothing to browsers)"
    )
    return [parts[0], *[attributes[key] for key in sorted(attributes)]]


def _write_older(key: str, value: object) -> str:
    if key == "expires" and isinstance(value, int):
        return format_timestamp(time.time() + value)
    text = str(value)
    if key == "comment" and _PLAIN.fullmatch(text) is None:
        return '"' + text.translate(_ESCAPES) + '"'
    return text


def _warn_at_caller(message: str) -> None:
    # set_cookie is also called by other methods of ours: the line that the programmer
    # can change is the first one outside this package.
    level = 1
    package = _top_name(globals())
    frame = sys._getframe()
    while frame.f_back and _top_name(frame.f_globals) == package:
        frame = frame.f_back
        level += 1
    warnings.warn(message, DeprecationWarning, stacklevel=level)


def _top_name(module: dict[str, Any]) -> str:
    name: str = module.get("__name__", "")
    return name.partition(".")[0]
