"""Differences in the request: its headers, its host, its path."""

from __future__ import annotations

from tests.porting.differences.lines import (
    ETAG,
    HTML,
    LENGTH,
    NO_LENGTH,
    Row,
    access,
    minus,
    one_each,
    plus,
    uncaught,
    warning,
)

__all__ = ["DIFFERENCES"]

_JOINED = "PEP 3333 has one value for a header: the server joins repeated ones by ', '"
_SLASHES = "waitress hands on several slashes at the start of a path as one"
_HOST = "R26: the application answers for a Host that Tornado's server refuses"
_SHOWN_HEADERS = (
    "body b\"[('Accept', 'text/html;q=0.5, */*'), ('Host', 'example.test'), "
    "('User-Agent', 'test/1.0 (\\xc3\\xbc)'), ('X-Empty', ''), "
    "('X-High', '\\xc3\\xa9'), ('X-One', '1'), ('X-Spaces', 'a  b'), "
)


def refused_host(host: str, theirs: str = "Invalid Host header") -> Row:
    return (
        _HOST,
        *minus(
            "status 400 Bad Request",
            "log INFO general Malformed HTTP message from 127.0.0.1: "
            f"{theirs}: {host!r}",
        ),
        *plus(
            "page 400 Bad Request",
            warning(400, "/show/place", f"Invalid Host header: {host!r}"),
            access(400, "/show/place"),
        ),
    )


def folded_slashes(path: str, seen: str, location: str) -> Row:
    message = "cannot redirect path with two initial slashes"
    return (
        _SLASHES,
        *minus("page 403 Forbidden", warning(403, path, message), access(403, path)),
        *plus(
            "status 301 Moved Permanently",
            HTML,
            NO_LENGTH,
            f"header location: {location}",
            access(301, seen),
        ),
    )


DIFFERENCES: dict[str, Row] = {
    "attributes/headers": (
        _JOINED,
        *one_each(
            _SHOWN_HEADERS + "('X-Twice', 'a'), ('X-Twice', 'b')]\"",
            _SHOWN_HEADERS + "('X-Twice', 'a, b')]\"",
        ),
    ),
    "attributes/repeated_header": (
        _JOINED,
        *one_each("body b\"'a,b'\"", "body b\"'a, b'\""),
    ),
    "cookies/read_two_headers": (
        _JOINED,
        *minus(
            "body b\"'a' '1,b=2' True 'a'\\n\"",
            "body b\"'1,b=2' 'x'\\n\"",
        ),
        *plus(
            "body b\"'a' '1, b=2' True 'a'\\n\"",
            "body b\"'1, b=2' 'x'\\n\"",
        ),
    ),
    "attributes/certificate": (
        "there need be no socket to ask: without a certificate the answer is None",
        *minus(
            "page 500 Internal Server Error",
            uncaught("AttributeError", "/show/certificate"),
            access(500, "/show/certificate"),
        ),
        *plus(
            "status 200 OK",
            "body b'None'",
            HTML,
            ETAG,
            LENGTH,
            access(200, "/show/certificate"),
        ),
    ),
    "attributes/place_at_sign": refused_host("user@example.test"),
    "attributes/place_comma": refused_host(
        "a.test,b.test", "Multiple host headers not allowed"
    ),
    "attributes/place_port_of_letters": (
        "R26: no URL is built from a Host that is none",
        *minus(
            "status 200 OK",
            "body b\"('http', 'example.test:abc', 'example.test:abc', '127.0.0.1')\"",
            HTML,
            ETAG,
            LENGTH,
            access(200, "/show/place"),
        ),
        *plus(
            "page 400 Bad Request",
            warning(400, "/show/place", "Invalid Host header: 'example.test:abc'"),
            access(400, "/show/place"),
        ),
    ),
    "routing/two_slashes": (
        _SLASHES,
        *minus("page 404 Not Found", access(404, "//first")),
        *plus(
            "status 200 OK",
            "body b\"('one', (), []) (True, True) /first\"",
            HTML,
            ETAG,
            LENGTH,
            access(200, "/first"),
        ),
    ),
    "routing/absolute_target": (
        "RFC 9112 section 3.2.2: the absolute form of a target must be accepted",
        *minus("page 404 Not Found", access(404, "http://example.test/group/a?b=c")),
        *plus(
            "status 200 OK",
            "body b\"('', ('a',), []) (True, True) /group/a\"",
            HTML,
            ETAG,
            LENGTH,
            access(200, "/group/a?b=c"),
        ),
    ),
    "routing/absolute_target_of_a_host": (
        "RFC 9112 section 3.2.2: the absolute form of a target must be accepted",
        *one_each(access(404, "http://www.first.test/host"), access(404, "/host")),
    ),
    "ready/slash_evil": folded_slashes("//evil.test/", "/evil.test/", "/evil.test"),
    "ready/slash_evil_three": folded_slashes(
        "///evil.test//", "/evil.test//", "/evil.test"
    ),
    "ready/slash_deed": folded_slashes("//deed.test", "/deed.test", "/deed.test/"),
    "ready/slash_evil_without": (
        _SLASHES,
        *one_each(access(200, "//evil.test"), access(200, "/evil.test")),
    ),
    "ready/slash_evil_quoted": (
        _SLASHES,
        *minus("page 404 Not Found", access(404, "/%2Fevil.test/")),
        *plus(
            "status 301 Moved Permanently",
            HTML,
            NO_LENGTH,
            "header location: /evil.test",
            access(301, "/evil.test/"),
        ),
    ),
}
