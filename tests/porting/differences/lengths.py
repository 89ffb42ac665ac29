"""Differences in lengths, and in what fails after output began."""

from __future__ import annotations

from tests.porting.differences.lines import (
    ETAG,
    HTML,
    LATE,
    Row,
    access,
    answered,
    minus,
    one_each,
    plus,
    uncaught,
)

__all__ = ["DIFFERENCES"]

_WRONG_LENGTH = "R12: a wrong Content-Length fails the response before it is sent"
_BROKEN_OFF = "R45: a failure after output began is seen as a broken response"


def wrong_length(name: str) -> Row:
    uri = f"/length_{name}"
    theirs = (uncaught("ValueError", uri), LATE, access(200, uri))
    ours = (uncaught("HTTPOutputError", uri),)
    return (_WRONG_LENGTH, *answered(uri, *theirs, ours=ours))


def wrong_length_of_head(name: str, kind: str, length: str, etag: str) -> Row:
    uri = f"/length_{name}"
    return (
        _WRONG_LENGTH,
        *minus(
            "status 200 OK",
            f"header content-length: {length}",
            etag,
            access(200, uri, "HEAD"),
        ),
        *plus(
            "status 500 Internal Server Error",
            "header content-length: 93",
            uncaught(kind, uri, "HEAD"),
            access(500, uri, "HEAD"),
        ),
    )


DIFFERENCES: dict[str, Row] = {
    "output/flush_after_finish": (
        "output after the end is a mistake: flush() says so, as write() does",
        *plus(uncaught("RuntimeError", "/flush_after_finish")),
    ),
    "output/length_too_large": (
        _WRONG_LENGTH,
        *minus(
            "status 200 OK",
            "body b'abc'",
            HTML,
            "header content-length: 10",
            ETAG,
            "end cut",
            LATE,
            access(200, "/length_too_large"),
        ),
        *plus(
            "page 500 Internal Server Error",
            "end whole",
            access(500, "/length_too_large"),
        ),
    ),
    "output/length_too_small": (
        _WRONG_LENGTH,
        *answered("/length_too_small", LATE, access(200, "/length_too_small")),
    ),
    "output/length_is_no_number": wrong_length("is_no_number"),
    "output/length_is_negative": wrong_length("is_negative"),
    "output/head_length_too_large": wrong_length_of_head(
        "too_large",
        "HTTPOutputError",
        "10",
        'header etag: "a9993e364706816aba3e25717850c26c9cd0d89d"',
    ),
    "output/head_length_is_no_number": wrong_length_of_head(
        "is_no_number", "HTTPOutputError", "x", ETAG
    ),
    **{
        f"output/flush_then_{name}": (_BROKEN_OFF, *one_each("end whole", "end cut"))
        for name in ("redirect", "fail", "error", "send_error")
    },
}
