"""Differences in errors, their pages, and the hooks that see them."""

from __future__ import annotations

from tests.porting.differences.lines import (
    HTML,
    LATE,
    LENGTH,
    Row,
    access,
    answered,
    minus,
    one_each,
    plus,
    uncaught,
    warning,
)

__all__ = ["DIFFERENCES"]

_ANY_REASON = "R09: any printable reason is sent, and escaped in the page"


def at_construction(uri: str, kind: str = "TypeError") -> Row:
    theirs = f"log ERROR application Uncaught exception [{kind}]"
    return (
        "R46: a handler that cannot be made is answered",
        *answered(uri, theirs, ours=(uncaught(kind, uri),)),
    )


_ONCE = "R43: an exception is logged once, and the log function is called once"
_MESSAGE = "log WARNING general 400 GET /raise/message_with_line_end (127.0.0.1): a"

DIFFERENCES: dict[str, Row] = {
    "errors/message_with_too_few": (
        "R43: the exception that is logged is that of the program",
        *one_each(
            "log ERROR application Error in exception logger [TypeError]",
            warning(400, "/raise/message_with_too_few", "%s %s ('x',)"),
        ),
    ),
    "errors/message_with_line_end": (
        "R44: no text starts a new line of the log",
        *one_each(_MESSAGE + "\nb", _MESSAGE + "\\x0ab"),
    ),
    "errors/reason_with_markup": (
        _ANY_REASON,
        *one_each("page 404 Unknown", "page 404 <b>"),
    ),
    "errors/own_page_reason_with_markup": (
        _ANY_REASON,
        *minus(
            "status 404 Unknown",
            "body b\"404 404 Unknown HTTPError ['exc_info']\"",
        ),
        *plus("status 404 <b>", "body b\"404 404 <b> HTTPError ['exc_info']\""),
    ),
    "errors/reason_with_crlf": (
        "R08: a reason that cannot be sent gives way to the usual one",
        *one_each("page 404 Unknown", "page 404 Not Found"),
    ),
    "errors/input_error": (
        "R13: an HTTPInputError is the client's fault, wherever it is raised",
        *minus(
            "page 500 Internal Server Error",
            uncaught("HTTPInputError", "/raise/input_error"),
            access(500, "/raise/input_error"),
        ),
        *plus(
            "page 400 Bad Request",
            warning(400, "/raise/input_error", "bad input"),
            access(400, "/raise/input_error"),
        ),
    ),
    "errors/page_that_fails": (
        "R42: half a page does not reach the client",
        *minus(
            "status 404 Not Found",
            "body b'half a page'",
            HTML,
            LENGTH,
            "header x-half: done",
        ),
        *plus("page 404 Not Found"),
    ),
    **{
        f"tracebacks/{name}": (
            "R42: a browser that is told the type and the charset need not guess",
            *minus("header content-type: text/plain"),
            *plus(
                "header content-type: text/plain; charset=UTF-8",
                "header x-content-type-options: nosniff",
            ),
        )
        for name in (
            "value_error",
            "error",
            "chained",
            "missing_method",
            "unsupported_method",
        )
    },
    "output/send_error_text": (
        "R43: a status that none is is named in one line, without a traceback",
        "+ log ERROR application No response can have the status '404': 500 is sent",
        *minus(
            uncaught("TypeError", "/send_error_text"),
            "log ERROR application Uncaught exception in write_error [TypeError]",
        ),
    ),
    "entry/initialized_with_too_little": at_construction("/initialized/none"),
    "entry/initialized_with_too_much": at_construction("/initialized/more"),
    "entry/initialize_takes_nothing": at_construction("/verbs/initialized"),
    "ready/redirect_without_url": at_construction("/none"),
    "ready/error_none": at_construction("/error/none"),
    "hooks/default_headers_fail": at_construction("/failing_defaults", "KeyError"),
    "hooks/get_error_html": (
        "the page of a program for Tornado 2 is still asked for",
        *minus("page 404 Not Found"),
        *plus("status 404 Not Found", "body b'old page 404'", HTML, LENGTH),
    ),
    "hooks/log_request_fails": (
        _ONCE,
        *minus(LATE, "log ERROR general Failed to flush partial response [KeyError]"),
    ),
    "defaults/log_function_fails": (
        _ONCE,
        *minus(
            "log INFO general log_function: 404 GET True",
            LATE,
            "log ERROR general Failed to flush partial response [KeyError]",
        ),
    ),
}
