"""Differences in what guards a site, and in transforms: signatures, tokens, users."""

from __future__ import annotations

import hashlib

from tests.porting.differences.lines import (
    ETAG,
    HTML,
    LENGTH,
    Row,
    access,
    minus,
    one_each,
    plus,
    uncaught,
    warning,
)

__all__ = ["DIFFERENCES"]

_LONG = b"a line of text, " * 200
_ETAG_OF_LONG = f'header etag: "{hashlib.sha1(_LONG).hexdigest()}"'

# What the program's last transform makes of a body that came compressed.
_WAS_COMPRESSED = (
    f"body {_LONG + b'(whole: True)'!r}",
    "header content-encoding: gzip",
    "header x-length-is-right: True",
)

_UNREADABLE = "R30: no cookie raises, whatever kind of secret there is"
_REASON = "a status that a transform sets has its own reason"
_FAILING = "R46: a transform that fails is answered, with a page that none can spoil"


def failing_page(name: str, status: int = 200) -> Row:
    """Tornado drops the connection of a response whose transform fails."""
    uri = f"/failing/{name}"
    return (
        _FAILING,
        *minus(
            "status ",
            "end cut",
            "log ERROR general Cannot send error response after headers written",
            access(status, uri),
        ),
        *plus(
            "page 500 Internal Server Error",
            "end whole",
            "log ERROR application Uncaught exception in write_error [ValueError]",
            access(500, uri),
        ),
    )


def refused(uri: str, reason: str, *theirs: str) -> Row:
    return minus(*theirs) + plus(
        "page 403 Forbidden",
        warning(403, uri, reason, "POST"),
        access(403, uri, "POST"),
    )


def body_added(app: str, page: bytes) -> Row:
    """A transform that gives a 204 a body."""
    uri = f"/{app}/status_204"
    return (
        "RFC 9110 section 15.3.5: a 204 has no body, and a mistake is answered",
        *minus(
            "status 204 No Content",
            "body b'(longer)'",
            "end excess",
            access(204, uri),
        ),
        *plus("status 500 Internal Server Error", f"body {page + b'(longer)'!r}", HTML),
        *plus("end whole", uncaught("RuntimeError", uri), access(500, uri)),
    )


_PAGE = (
    b"<html><title>500: Internal Server Error</title>"
    b"<body>500: Internal Server Error</body></html>"
)

DIFFERENCES: dict[str, Row] = {
    **{
        f"signed/{app}_read_fresh_version_1": (
            _UNREADABLE,
            *minus(
                "page 500 Internal Server Error",
                uncaught("AssertionError", f"/{app}/read"),
                access(500, f"/{app}/read"),
            ),
            *plus("status 200 OK", *["body b'None\\n'"] * 3, "body b'None'"),
            *plus(LENGTH, HTML, ETAG, access(200, f"/{app}/read")),
        )
        for app in ("many", "unchosen", "wrong")
    },
    **{
        f"users/login_fragment{name}": (
            "the query of a URL is before its fragment, or no server sees it",
            *one_each(
                f"header location: /login#a?next={next_url}",
                f"header location: /login?next={next_url}#a",
            ),
        )
        for name, next_url in {
            "": "%2Ffragment%2Fguarded",
            "_query": "%2Ffragment%2Fguarded%3Fx%3D%2520y%26z",
        }.items()
    },
    **{
        f"users/login_slashes{name}": (
            "a login page on another host is told the whole URL",
            *one_each(
                f"header location: //login.test/in?next={next_url}",
                "header location: //login.test/in?next=http%3A%2F%2Fexample.test"
                + next_url,
            ),
        )
        for name, next_url in {
            "": "%2Fslashes%2Fguarded",
            "_query": "%2Fslashes%2Fguarded%3Fx%3D%2520y%26z",
        }.items()
    },
    "xsrf/bad_body": (
        "the message says what is wrong with the first part",
        *one_each(
            warning(
                400,
                "/x/guarded",
                "Invalid body: Invalid multipart/form-data: "
                "Invalid multipart/form-data: no final boundary found",
                "POST",
            ),
            warning(
                400,
                "/x/guarded",
                "Invalid body: Invalid multipart/form-data: part without a name",
                "POST",
            ),
        ),
    ),
    "xsrf/field_bad_utf8": (
        "R32: a token that cannot be decoded is a 403",
        *refused(
            "/x/guarded",
            "'_xsrf' argument has invalid format",
            "page 400 Bad Request",
            warning(
                400, "/x/guarded", "Invalid unicode in _xsrf: b'\\xff\\xfe'", "POST"
            ),
            access(400, "/x/guarded", "POST"),
        ),
    ),
    "xsrf/origin_unreadable": (
        "R34: an Origin that cannot be read is refused",
        *refused(
            "/origin/guarded",
            "Origin 'http://[' not allowed",
            "page 500 Internal Server Error",
            uncaught("ValueError", "/origin/guarded", "POST"),
            access(500, "/origin/guarded", "POST"),
        ),
    ),
    "compressed/on_status_206": (
        "R40: parts of a body are not compressed",
        *minus(*_WAS_COMPRESSED),
        *plus(f"body {_LONG!r}"),
    ),
    "compressed/accepted_refused": (
        "R40: a coding of weight zero is not used",
        *minus(*_WAS_COMPRESSED, _ETAG_OF_LONG),
        *plus(f"body {_LONG!r}", ETAG),
    ),
    "compressed/head_flush": (
        "R48: HEAD has nothing to flush, so that the length is known",
        *plus("header content-length: 6413"),
    ),
    **{
        f"compressed/teapot_{name}": (
            _REASON,
            *one_each(f"status 418 {reason}", "status 418 I'm a Teapot"),
        )
        for name, reason in {
            "names": "OK",
            "long": "OK",
            "flush_short": "OK",
            "head": "OK",
            "status_204": "No Content",
            "error": "Not Found",
        }.items()
    },
    **{
        f"compressed/failing_{name}": failing_page(name, status)
        for name, status in {
            "names": 200,
            "long": 200,
            "flush_short": 200,
            "status_204": 204,
        }.items()
    },
    "compressed/longer_status_204": body_added("longer", _PAGE),
    "compressed/two_status_204": body_added("two", _PAGE.upper()),
    "compressed/failing_error": (
        _FAILING,
        *minus("status ", "end cut"),
        *plus("page 404 Not Found", "end whole"),
    ),
}
