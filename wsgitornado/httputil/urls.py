"""URLs as text: hosts, paths, queries, and what WSGI hands over of a path."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterable, Mapping
from typing import AnyStr
from urllib.parse import (
    parse_qsl,
    quote,
    unquote_to_bytes,
    urlencode,
    urlsplit,
    urlunsplit,
)

from wsgitornado._types import WSGIEnvironment
from wsgitornado.httputil.errors import HTTPInputError

__all__ = [
    "is_valid_host",
    "known_hosts",
    "qs_to_qsl",
    "quote_path",
    "request_path",
    "requote_path",
    "script_path",
    "split_host_and_port",
    "unquote_path",
    "url_concat",
]

# What a path holds besides letters and digits without being quoted: pchar and the
# slash (RFC 3986 section 3.3).
_PATH_MARKS = "-._~!$&'()*+,;=:@/"
_MUST_BE_QUOTED = re.compile(r"[^A-Za-z0-9\-._~!$&'()*+,;=:@/]")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

_NOT_PRINTABLE_ASCII = re.compile(r"[^!-~]")
# The start of an absolute-form target (RFC 9112 section 3.2.2).
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]*")
# One byte, as a target spells it.
_SPELLED_BYTE = re.compile(r"%[0-9A-Fa-f]{2}|.", re.DOTALL)

# A domain name has at most 253 characters; this leaves room for brackets and a port.
_LONGEST_HOST = 300
_HIGHEST_PORT = 65535
# RFC 3986 section 3.2.2 without the comma, which joins repeated fields.
_HOST = re.compile(
    r"(?:\[([0-9A-Fa-f:.]{2,45})\]"
    r"|(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})++)"
    r"(?::([0-9]*))?"
)
#: Valid hosts of former requests, for callers in a hurry. Clients choose them, so it is
#: bounded in number and in length.
known_hosts: set[str] = set()
_MOST_KNOWN_HOSTS = 1000
# A port has five digits; text with many more is not converted to a number.
_LONGEST_PORT = 20


def url_concat(
    url: str,
    args: Mapping[str, object]
    | list[tuple[str, object]]
    | tuple[tuple[str, object], ...]
    | None,
) -> str:
    """Add *args* to the query of *url*, before its fragment.

    Raises ``TypeError`` when *args* is no dict, list or tuple.

    >>> url_concat("http://example.com/a?b=c#d", {"e": "f"})
    'http://example.com/a?b=c&e=f#d'
    """
    if args is None:
        return url
    if isinstance(args, dict):
        added = list(args.items())
    elif isinstance(args, (list, tuple)):
        added = list(args)
    else:
        raise TypeError(
            f"'args' parameter should be dict, list or tuple. Not {type(args)}"
        )
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    return urlunsplit(parts._replace(query=urlencode([*query, *added])))


def split_host_and_port(netloc: str) -> tuple[str, int | None]:
    """Split ``host:port``; the port is None when there is none.

    >>> split_host_and_port("[::1]:80"), split_host_and_port("example.com")
    (('[::1]', 80), ('example.com', None))
    """
    host, _, port = netloc.rpartition(":")
    if host and len(port) <= _LONGEST_PORT and port.isascii() and port.isdigit():
        return host, int(port)
    return netloc, None


def qs_to_qsl(qs: Mapping[str, Iterable[AnyStr]]) -> Iterable[tuple[str, AnyStr]]:
    """Give the pairs of a ``parse_qs`` result: ``{"a": ["1", "2"]}`` gives two."""
    for name, values in qs.items():
        for value in values:
            yield name, value


def is_valid_host(text: str) -> bool:
    """Say whether a Host header names one host and at most one port.

    By RFC 3986 section 3.2.2: a name, an IPv4 address or an IPv6 address in brackets;
    then perhaps a port up to 65535. No user, no list, not empty.
    """
    if text in known_hosts:
        return True
    if len(text) > _LONGEST_HOST or not _is_host(text):
        return False
    if len(known_hosts) >= _MOST_KNOWN_HOSTS:
        known_hosts.clear()
    known_hosts.add(text)
    return True


def _is_host(text: str) -> bool:
    match = _HOST.fullmatch(text)
    if match is None:
        return False
    address, port = match.groups()
    if port and int(port) > _HIGHEST_PORT:
        return False
    if address is None:
        return True
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return True


def quote_path(path_info: str) -> str:
    """Percent-encode a path that WSGI has decoded (PATH_INFO, SCRIPT_NAME).

    A literal percent sign becomes ``%25``, and what a request target may hold stays
    (RFC 3986 section 3.3). Raises :exc:`HTTPInputError` for text that is no native
    string of PEP 3333, latin-1 standing for bytes.

    >>> quote_path("/a b/100%")
    '/a%20b/100%25'
    """
    if _MUST_BE_QUOTED.search(path_info) is None:
        return path_info
    try:
        return quote(path_info.encode("latin-1"), safe=_PATH_MARKS)
    except UnicodeEncodeError:
        raise HTTPInputError(
            "the server's path is not a native string (see PEP 3333)"
        ) from None


def unquote_path(text: str) -> bytes:
    """Percent-decode a path or a part of one, once; plus signs stay."""
    return unquote_to_bytes(text) if "%" in text else text.encode("utf-8")


def script_path(environ: WSGIEnvironment) -> str:
    """The prefix that the application is mounted at, percent-encoded; often empty."""
    script_name: str = environ.get("SCRIPT_NAME", "")
    if not script_name:
        return ""
    quoted = quote_path(script_name)
    # Two slashes would begin the name of a host.
    return "/" + quoted.lstrip("/") if quoted.startswith("//") else quoted


def request_path(environ: WSGIEnvironment) -> str:
    """The path that routes see: percent-encoded, below the mount point.

    As the client spelled it where the server tells (REQUEST_URI, RAW_URI), so that
    ``%2F`` stays apart from ``/``. But what was authorised on the way here was
    PATH_INFO: a spelling that does not decode to it byte for byte does not count, and
    PATH_INFO is encoded again. An empty path is ``/``.
    """
    path_info: str = environ.get("PATH_INFO", "")
    target = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    is_plain = _MUST_BE_QUOTED.search(path_info) is None
    if is_plain and target == path_info:
        return path_info or "/"
    # Where neither holds anything special they can only agree.
    if target and not (is_plain and isinstance(target, str) and "%" not in target):
        spelled = _spelled_path(target, environ.get("SCRIPT_NAME", ""), path_info)
        if spelled:
            return spelled
    return (path_info or "/") if is_plain else quote_path(path_info)


def _spelled_path(target: object, script_name: str, path_info: str) -> str | None:
    """The part of a request target that is a spelling of PATH_INFO, or None.

    >>> _spelled_path("http://h/app/a%2Fb?c=d", "/app", "/a/b")
    '/a%2Fb'
    """
    if not isinstance(target, str):
        return None
    raw = target.partition("?")[0]
    path = script_name + path_info
    if not raw.startswith("/"):
        origin = _ORIGIN.match(raw)
        if origin is not None:
            raw = raw[origin.end() :]
    raw = raw.partition("#")[0]
    try:
        if unquote_path(raw) != path.encode("latin-1"):
            return None
    except UnicodeEncodeError:
        return None
    if script_name:
        # The bytes agree, so the prefix is as many spelled bytes as SCRIPT_NAME has.
        spelled_bytes = _SPELLED_BYTE.finditer(raw)
        *_, last = itertools.islice(spelled_bytes, len(script_name))
        raw = raw[last.end() :]
    # The first slash is never spelled: "/app%2Fadmin" is no "%2Fadmin" below "/app".
    if raw.startswith("/") != path_info.startswith("/"):
        return None
    return None if _NOT_PRINTABLE_ASCII.search(raw) else raw


def requote_path(path: str) -> str:
    """Percent-encode what may not stand in a path; what is encoded already stays.

    For text that comes from a path and goes into a Location: nothing in it can end
    the path, add a query or a fragment, or start another header.

    >>> requote_path("/a%20b?c#d%")
    '/a%20b%3Fc%23d%25'
    """
    if _MUST_BE_QUOTED.search(path) is None:
        return path
    path = _STRAY_PERCENT.sub("%25", path)
    return quote(path, safe=_PATH_MARKS + "%", errors="surrogatepass")
