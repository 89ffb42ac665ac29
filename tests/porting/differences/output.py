"""Differences in what a handler sends: status, headers, cookies."""

from __future__ import annotations

from tests.porting.differences.lines import (
    ETAG,
    HTML,
    LATE,
    NO_LENGTH,
    Row,
    access,
    answered,
    minus,
    one_each,
    plus,
    raises,
    uncaught,
)

__all__ = ["DIFFERENCES"]

_RAISED = "R08: what cannot be sent raises where it is set"
_NOT_CARRIED = "R11: text outside latin-1 raises where it is set"
_NO_FINAL_STATUS = "RFC 9110 section 15: a final status is a number from 200 on"
_ANY_REASON = "R09: any printable reason is sent, and escaped in the page"
_NO_BODY_HEADERS = "RFC 9110 section 8.6: what has no body does not describe one"


def sent_by_tornado(status: str, uri: str, *headers: str) -> Row:
    return (f"status {status}", HTML, *headers, access(int(status[:3]), uri))


_HEAD_IS_COUNTED = "R48: HEAD has nothing to flush, so that the length is known"

DIFFERENCES: dict[str, Row] = {
    "output/status_latin1_reason": (
        "R11: a reason is sent in latin-1, as header values are",
        *one_each("status 444 caf\xc3\xa9", "status 444 caf\xe9"),
    ),
    "output/status_euro_in_reason": (
        _NOT_CARRIED,
        *raises(
            "/status_euro_in_reason",
            "ValueError",
            *sent_by_tornado("444 Unknown", "/status_euro_in_reason", NO_LENGTH),
        ),
    ),
    "output/status_crlf_in_reason": (
        _RAISED,
        *raises(
            "/status_crlf_in_reason",
            "ValueError",
            *sent_by_tornado("444 Unknown", "/status_crlf_in_reason", NO_LENGTH),
        ),
    ),
    "output/status_markup_in_reason": (
        _ANY_REASON,
        *one_each("status 444 Unknown", "status 444 <b>"),
    ),
    "output/send_error_reason": (
        _ANY_REASON,
        *one_each("page 409 Unknown", "page 409 Huh <b>"),
    ),
    "output/status_100": (
        _NO_FINAL_STATUS,
        *raises(
            "/status_100",
            "ValueError",
            "status 100 Continue",
            access(100, "/status_100"),
        ),
    ),
    "output/status_99": (
        _NO_FINAL_STATUS,
        *raises(
            "/status_99",
            "ValueError",
            *sent_by_tornado("99 Unknown", "/status_99", NO_LENGTH),
        ),
    ),
    "output/status_204_with_length": (_NO_BODY_HEADERS, *minus(NO_LENGTH)),
    "output/status_204_flushed": (_NO_BODY_HEADERS, *minus(HTML)),
    "output/status_304_flushed": (_NO_BODY_HEADERS, *minus(HTML)),
    **{
        f"output/header_name_{name}": (
            _RAISED,
            *raises(
                f"/header_name_{name}",
                "ValueError",
                *sent_by_tornado(
                    "200 OK", f"/header_name_{name}", header, ETAG, NO_LENGTH
                ),
            ),
        )
        for name, header in {
            "with_space": "header x a: b",
            "with_colon": "header x-a: : b",
            "empty": "header : b",
        }.items()
    },
    "output/header_name_crlf": (
        _RAISED,
        *answered("/header_name_crlf", LATE, access(200, "/header_name_crlf")),
    ),
    "output/headers_are_read": (
        "Date is the server's to send, and not among the handler's headers",
        *one_each("body b'1 None True'", "body b'1 None False'"),
    ),
    "output/head_flush": (
        _HEAD_IS_COUNTED,
        *plus("header content-length: 2"),
    ),
    "output/head_flush_then_fail": (
        _HEAD_IS_COUNTED,
        *minus(
            "status 200 OK",
            "log ERROR general Cannot send error response after headers written",
            access(200, "/flush_then_fail", "HEAD"),
        ),
        *plus(
            "status 500 Internal Server Error",
            "header content-length: 93",
            access(500, "/flush_then_fail", "HEAD"),
        ),
    ),
    "cookies/set_euro": (
        _NOT_CARRIED,
        *answered("/euro", LATE, access(200, "/euro")),
    ),
    "cookies/set_expires_text": (
        "R10: a cookie that is refused leaves nothing behind",
        *minus("header set-cookie: a=b"),
    ),
    "cookies/set_unknown_keyword": (
        "R10: a cookie that is refused leaves nothing behind",
        *minus("header set-cookie: a=b; Path=/"),
    ),
    "cookies/set_clear_by_position": (
        "older editions have path and domain by position",
        *minus(
            "page 500 Internal Server Error",
            uncaught("TypeError", "/clear_by_position"),
            access(500, "/clear_by_position"),
        ),
        *plus(
            "status 200 OK",
            HTML,
            ETAG,
            NO_LENGTH,
            'header set-cookie: a=""; Domain=example.test; '
            "expires=(in -8760 hours); Path=/x",
            access(200, "/clear_by_position"),
        ),
    ),
}
