"""Differences in static files: ranges, links, names, and wrong sizes."""

from __future__ import annotations

from tests.porting.differences.lines import (
    LATE,
    LENGTH,
    Row,
    access,
    answered,
    minus,
    plus,
    uncaught,
    warning,
)

__all__ = ["DIFFERENCES"]

_DIGITS_TAG = (
    'header etag: "bb96c2fc40d2d54617d6f276febe571f623a8dadf0b734855299b0e107fda32c'
    'f6b69f2da32b36445d73690b93cbd0f7bfc20e0f7f28553d2a4428f23b716e90"'
)
_STORE_TAG = (
    'header etag: "a77e961af25cdf19b8e8402fd1bf227ea91ca9ce166bb91e835c8ee45f0eec66'
    'ad7a9b50a54749f8fbe0c633bd5d48c5ec445ed84b2a0dec61f8c4e63a5e9a85"'
)
_RANGES = "header accept-ranges: bytes"
_TEXT = "header content-type: text/plain"

_WRONG_SIZE = "R12: a wrong length fails the response before it is sent"


def no_name(uri: str) -> Row:
    return (
        "R37: a name that no file can have is a 404",
        *minus(
            "page 500 Internal Server Error",
            uncaught("ValueError", uri),
            access(500, uri),
        ),
        *plus("page 404 Not Found", access(404, uri)),
    )


def whole_file(reason: str, text: str, content_range: str) -> Row:
    uri = "/files/digits.txt"
    return (
        reason,
        *minus(
            "status 206 Partial Content",
            f"header content-range: bytes {content_range}/10",
            f"body b'{text}'",
            access(206, uri),
        ),
        *plus("status 200 OK", "body b'0123456789'", access(200, uri)),
    )


def narrow(name: str) -> Row:
    uri = f"/narrow/{name}"
    message = f"{name} is not in root static directory"
    return (
        "R35: what is in the root is served, whatever else is allowed",
        *minus("page 403 Forbidden", warning(403, uri, message), access(403, uri)),
        *plus(
            *("status 200 OK", _RANGES, LENGTH, _TEXT, _DIGITS_TAG),
            "header last-modified: Sun, 09 Sep 2001 01:46:40 GMT",
            "body b'0123456789'",
            access(200, uri),
        ),
    )


def no_date(handler: str) -> Row:
    uri = f"/{handler}/a.txt"
    return (
        "R13: no header of a client gives a 500",
        *minus(
            "page 500 Internal Server Error",
            uncaught("AssertionError", uri),
            access(500, uri),
        ),
        *plus(
            *("status 200 OK", _RANGES, LENGTH, _TEXT, _STORE_TAG),
            "body b'from a store'",
            access(200, uri),
        ),
    )


DIFFERENCES: dict[str, Row] = {
    "static_files/files_null": no_name("/files/a%00b"),
    "static_files/index_null": no_name("/index/a%00b"),
    "static_files/range_signed": whole_file(
        "RFC 9110 section 14.1.1: a position consists of digits", "123", "1-3"
    ),
    "static_files/if_range_other": whole_file(
        "RFC 9110 section 13.1.5: a part of another version is of no use",
        "0123",
        "0-3",
    ),
    "static_files/narrow_inside": narrow("link.txt"),
    "static_files/narrow_plain": narrow("digits.txt"),
    "static_files/store_date": no_date("store"),
    "static_files/pieces_date": no_date("pieces"),
    "static_files/too_short_a_size": (
        _WRONG_SIZE,
        *answered("/wrong/a.txt", LATE, access(200, "/wrong/a.txt")),
    ),
    "static_files/too_long_a_size": (
        _WRONG_SIZE,
        *minus(
            *("status 200 OK", "end cut", _RANGES, _TEXT, _STORE_TAG),
            "header content-length: 30",
            "body b'from a store'",
            LATE,
            access(200, "/long/a.txt"),
        ),
        *plus(
            "page 500 Internal Server Error", "end whole", access(500, "/long/a.txt")
        ),
    ),
}
