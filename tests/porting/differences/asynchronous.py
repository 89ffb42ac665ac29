"""Differences of handlers that wait: coroutines, streamed bodies, callbacks."""

from __future__ import annotations

from http.client import responses

from tests.porting.differences.lines import (
    ETAG,
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

_BROKEN_OFF = "R45: a failure after output began is seen as a broken response"
_WRONG_LENGTH = "R12: a wrong Content-Length fails the response before it is sent"
_NO_BODY_HEADERS = "RFC 9110 section 8.6: what has no body does not describe one"
_HEAD_IS_COUNTED = "R48: HEAD has nothing to flush, so that the length is known"
_WHOLE_PAGE = "R42: half a page does not reach the client"
_CANCELLED = "a cancelled coroutine is answered and logged, with what that may mean"
_STREAMED_FAILURE = "R46: a failure while the body comes in is answered, too"
_STILL_THERE = "a client whose body is not wanted any more has not left"
_OWN_LIMIT = "a body that is too large gets a page and a log line, and nobody has left"

# Python 3.13 has another phrase.
_TOO_LARGE = f"page 413 {responses[413]}"


def on_finish(status: int) -> str:
    return f"log INFO general on_finish {status} True"


def with_on_finish(row: Row, theirs: int, ours: int) -> Row:
    return (*row, *one_each(on_finish(theirs), on_finish(ours)))


def counted_head(size: int) -> Row:
    return (_HEAD_IS_COUNTED, *plus(f"header content-length: {size}"))


def streamed_failure(kind: str, *ours: str) -> Row:
    """Tornado drops the connection."""
    return minus(
        "status ", "end cut", f"log ERROR application Uncaught exception [{kind}]"
    ) + plus("end whole", *ours)


def while_receiving(name: str, kind: str, status: int, *ours: str) -> Row:
    uri = f"/failing/{name}"
    return (
        _STREAMED_FAILURE,
        *streamed_failure(kind, *ours, access(status, uri, "POST")),
        *minus("log INFO general on_connection_close"),
        *plus(f"log INFO general on_finish {status}"),
    )


def failed(name: str) -> Row:
    ours = uncaught("KeyError", f"/failing/{name}", "POST")
    page = "page 500 Internal Server Error"
    return while_receiving(name, "KeyError", 500, page, ours)


def refused(name: str) -> Row:
    ours = warning(413, f"/failing/{name}", "too much of it", "POST")
    return while_receiving(name, "HTTPError", 413, _TOO_LARGE, ours)


def beyond_own_limit(theirs: str) -> Row:
    uri = "/limited?most=999"
    return (
        _OWN_LIMIT,
        *minus(
            "status 400 Bad Request",
            f"log INFO general Malformed HTTP message from 127.0.0.1: {theirs}",
            "log INFO general on_connection_close",
        ),
        *plus(
            _TOO_LARGE,
            warning(413, uri, "body larger than 999 bytes", "POST"),
            access(413, uri, "POST"),
        ),
    )


def cancelled(name: str, *theirs: str) -> Row:
    uri = f"/cancelled/{name}"
    return (_CANCELLED, *minus(*theirs), *plus(uncaught("RuntimeError", uri)))


_VERBS: dict[str, Row] = {
    "async_verbs/bad_host": (
        "R26: the application answers for a Host that Tornado's server refuses",
        *minus(
            "status 400 Bad Request",
            "log INFO general Malformed HTTP message from 127.0.0.1: "
            "Invalid Host header: 'user@example.test'",
        ),
        *plus(
            "page 400 Bad Request",
            warning(400, "/every", "Invalid Host header: 'user@example.test'"),
            access(400, "/every"),
        ),
    ),
    "async_verbs/returns_task": (
        "a plain method runs in a thread of the server, where no loop runs",
        *minus(
            "status 200 OK",
            "body b'task written later'",
            HTML,
            ETAG,
            LENGTH,
            access(200, "/returning/task"),
        ),
        *plus(
            "page 500 Internal Server Error",
            uncaught("RuntimeError", "/returning/task"),
            access(500, "/returning/task"),
        ),
    ),
    "async_verbs/sends_length_too_large": (
        _WRONG_LENGTH,
        *minus(
            "status 200 OK",
            "body b'four'",
            HTML,
            "header content-length: 10",
            ETAG,
            "end cut",
            LATE,
            access(200, "/sent/length_too_large"),
        ),
        *plus(
            "page 500 Internal Server Error",
            "end whole",
            access(500, "/sent/length_too_large"),
        ),
    ),
    "async_verbs/sends_length_too_small": (
        _WRONG_LENGTH,
        *answered(
            "/sent/length_too_small", LATE, access(200, "/sent/length_too_small")
        ),
    ),
}

_FLUSH: dict[str, Row] = {
    **{
        f"async_flush/{name}": (_BROKEN_OFF, *one_each("end whole", "end cut"))
        for name in (
            "fail",
            "error",
            "send_error",
            "redirect",
            "missing_argument",
            "post_error",
            "own_page_too_late",
        )
    },
    "async_flush/fail_with_more_written": (
        _BROKEN_OFF,
        *one_each("body b'part never sent'", "body b'part '"),
        *one_each("end whole", "end cut"),
    ),
    **{
        f"async_flush/{name}": (_NO_BODY_HEADERS, *minus(HTML))
        for name in ("204", "304", "head_204", "http_1_0_204")
    },
    "async_flush/204_with_body": with_on_finish(
        (
            "RFC 9110 section 15.3.5: a 204 has no body, and none is sent",
            *minus(
                "status 204 No Content",
                "body b'part '",
                HTML,
                "end excess",
                access(204, "/204_with_body"),
            ),
            *plus(
                "page 500 Internal Server Error",
                "end whole",
                uncaught("RuntimeError", "/204_with_body"),
                access(500, "/204_with_body"),
            ),
        ),
        204,
        500,
    ),
    "async_flush/204_with_body_later": (
        "RFC 9110 section 15.3.5: a 204 has no body; waitress has not sent it yet",
        *minus("status 204 No Content", "body b'late'", HTML, "end excess"),
        *plus(
            "status 500 Internal Server Error",
            "body b'Internal Server Error\\r\\n'",
            "body b'\\r\\n'",
            "body b'The server encountered an unexpected internal server error\\r\\n'",
            "body b'\\r\\n'",
            "body b'(generated by waitress)'",
            LENGTH,
            "header content-type: text/plain; charset=utf-8",
            "end whole",
            uncaught("RuntimeError", "/204_with_body_later"),
            LATE,
        ),
    ),
    "async_flush/length_too_small_at_once": with_on_finish(
        (
            _WRONG_LENGTH,
            *answered(
                "/length_too_small_at_once",
                LATE,
                access(200, "/length_too_small_at_once"),
            ),
        ),
        200,
        500,
    ),
    "async_flush/length_is_no_number": with_on_finish(
        (
            _WRONG_LENGTH,
            *answered(
                "/length_is_no_number",
                uncaught("ValueError", "/length_is_no_number"),
                LATE,
                access(200, "/length_is_no_number"),
                ours=(uncaught("HTTPOutputError", "/length_is_no_number"),),
            ),
        ),
        200,
        500,
    ),
    "async_flush/flush_after_finish": (
        "output after the end is a mistake: flush() says so, as write() does",
        *one_each(
            uncaught("StreamClosedError", "/flush_after_finish"),
            uncaught("RuntimeError", "/flush_after_finish"),
        ),
    ),
    "async_flush/head_three": counted_head(6),
    "async_flush/head_results": counted_head(2),
    "async_flush/head_headers_before": counted_head(5),
    "async_flush/head_fail": with_on_finish(
        (
            _HEAD_IS_COUNTED,
            *minus("status 200 OK", LATE, access(200, "/fail", "HEAD")),
            *plus(
                "status 500 Internal Server Error",
                "header content-length: 93",
                access(500, "/fail", "HEAD"),
            ),
        ),
        200,
        500,
    ),
}

_ERRORS: dict[str, Row] = {
    "async_errors/page_that_fails": (
        _WHOLE_PAGE,
        *minus("status 404 Not Found", HTML, "header content-length: 0"),
        *plus("page 404 Not Found"),
    ),
    "async_errors/page_that_raises_finish": (
        _WHOLE_PAGE,
        *minus("status 404 Not Found", "body b'page '", HTML, LENGTH),
        *plus("page 404 Not Found"),
    ),
    "async_errors/cancelled_task": cancelled(
        "task", uncaught("CancelledError", "/cancelled/task")
    ),
    "async_errors/cancelled_raised": cancelled(
        "raised", uncaught("CancelledError", "/cancelled/raised")
    ),
    "async_errors/cancelled_itself": (
        "whoever is cancelled with its handler is told to come again",
        *one_each("page 500 Internal Server Error", "page 503 Service Unavailable"),
        *plus("header retry-after: 1"),
        *one_each(access(500, "/cancelled/itself"), access(503, "/cancelled/itself")),
    ),
}

_PREPARE: dict[str, Row] = {
    **{
        f"async_prepare/{name}_flush_and_fail": (
            _BROKEN_OFF,
            *one_each("end whole", "end cut"),
        )
        for name in ("before_coroutine", "before_plain", "plain_verb")
    },
    "async_prepare/before_head_flush": counted_head(19),
    "async_prepare/plain_verb_length_too_small": (
        _WRONG_LENGTH,
        *answered(
            "/plain_verbs/length_too_small",
            LATE,
            access(200, "/plain_verbs/length_too_small"),
        ),
    ),
}

_STREAMED_BODY: dict[str, Row] = {
    "async_streamed_body/in_chunks_with_extension": (
        "RFC 9112 section 7.1.1: extensions of chunks are ignored; waitress does so",
        *minus(
            "status 400 Bad Request",
            "log INFO general Malformed HTTP message from 127.0.0.1: "
            "invalid chunk size",
        ),
        *plus(
            "status 200 OK",
            "body b'POST 3 a9993e364706816aba3e25717850c26c9cd0d89d'",
            HTML,
            LENGTH,
            access(200, "/counted", "POST"),
        ),
    ),
    "async_streamed_body/order_in_chunks": (
        "waitress has put the chunks together before the application is called",
        *one_each("log INFO general prepare None", "log INFO general prepare 1000"),
    ),
    "async_streamed_body/failing_fail": failed("fail"),
    "async_streamed_body/failing_fail_later": failed("fail_later"),
    "async_streamed_body/failing_error": refused("error"),
    "async_streamed_body/failing_error_later": refused("error_later"),
    "async_streamed_body/failing_in_chunks": refused("error"),
    "async_streamed_body/failing_raise_finish": while_receiving(
        "raise_finish", "Finish", 200, "status 200 OK", "body b'finished'", HTML, LENGTH
    ),
    **{
        f"async_streamed_body/failing_{name}": (
            _STILL_THERE,
            *minus("log INFO general on_connection_close"),
        )
        for name in ("finish", "finish_later", "send_error")
    },
    "async_streamed_body/without_method": (
        _STREAMED_FAILURE,
        *streamed_failure(
            "NotImplementedError",
            "page 500 Internal Server Error",
            uncaught("NotImplementedError", "/without_method", "POST"),
            access(500, "/without_method", "POST"),
        ),
    ),
    "async_streamed_body/beyond_own_limit": beyond_own_limit("Content-Length too long"),
    "async_streamed_body/beyond_own_limit_in_chunks": beyond_own_limit(
        "chunked body too large"
    ),
}

_GEN: dict[str, Row] = {
    "async_gen/sends_parts_and_fail": (_BROKEN_OFF, *one_each("end whole", "end cut")),
    "async_gen/head_sends_parts": counted_head(6),
    "async_tools/head_finished_by_parts": counted_head(9),
}

DIFFERENCES: dict[str, Row] = {
    **_VERBS,
    **_FLUSH,
    **_ERRORS,
    **_PREPARE,
    **_STREAMED_BODY,
    **_GEN,
}
