"""Differences in what a handler reads: arguments and forms."""

from __future__ import annotations

from collections.abc import Iterator

from tests.porting.differences.lines import (
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

_MULTIPART = "Invalid body: Invalid multipart/form-data: "

#: What is wrong with a form, in Tornado's words and in those of our parser.
_MALFORMED = {
    "no_name": ("multipart/form-data missing name", "part without a name"),
    "empty_name": ("multipart/form-data missing name", "part without a name"),
    "no_disposition": (
        "Invalid multipart/form-data",
        "Missing Content-Disposition segment header",
    ),
    "attachment": (
        "Invalid multipart/form-data",
        "Invalid Content-Disposition segment header: Wrong type",
    ),
    "a_hundred_and_one_parts": (
        "multipart/form-data has too many parts",
        "too many parts",
    ),
    "folded_header": (
        "header line cannot start with whitespace, folding not supported",
        "invalid character in part header",
    ),
    "lines_without_cr": (
        "multipart/form-data missing headers",
        "part header unfinished",
    ),
    "no_blank_line": ("multipart/form-data missing headers", "part header unfinished"),
    "header_without_colon": ("no colon in header line", "Malformed segment header"),
    "is_empty": (
        "Invalid multipart/form-data: no final boundary found",
        "no final boundary found",
    ),
    "without_end": (
        "Invalid multipart/form-data: no final boundary found",
        "part header unfinished",
    ),
    "with_other_boundary": (
        "Invalid multipart/form-data: no final boundary found",
        "no final boundary found",
    ),
}

#: Forms that Tornado refuses: the reason to take them, its message, the field we read.
_TAKEN = {
    "upper_case": (
        "RFC 9110 section 5.6.6: names of types and parameters have no letter case",
        "Invalid multipart/form-data",
        "1 [b'1']",
    ),
    "a_hundred_parts": (
        "the limit is 100 parts, and these are 100",
        "multipart/form-data has too many parts",
        "100 [b'x', b'x']",
    ),
    "with_preamble": (
        "RFC 2046 section 5.1.1: what stands before the first delimiter is passed over",
        "multipart/form-data missing headers",
        "1 [b'1']",
    ),
}

_TYPE_CASE = "RFC 9110 section 8.3.1: media types have no letter case"


def malformed_forms() -> Iterator[tuple[str, Row]]:
    reason = "the text of the log names what our own parser has found"
    for name, (theirs, ours) in _MALFORMED.items():
        lines = (
            warning(400, "/files", _MULTIPART + text, "POST") for text in (theirs, ours)
        )
        yield f"input/multipart_{name}", (reason, *one_each(*lines))
    for name, (reason, message, field) in _TAKEN.items():
        yield (
            f"input/multipart_{name}",
            (
                reason,
                *minus(
                    "page 400 Bad Request",
                    warning(400, "/files", _MULTIPART + message, "POST"),
                    access(400, "/files", "POST"),
                ),
                *plus(
                    "status 200 OK",
                    f"body b\"field 'a' {field}\\n\"",
                    HTML,
                    LENGTH,
                    access(200, "/files", "POST"),
                ),
            ),
        )


DIFFERENCES: dict[str, Row] = {
    **dict(malformed_forms()),
    "input/query_none": (
        "PEP 3333: an empty query string and none look the same",
        *one_each(access(200, "/?"), access(200, "/")),
    ),
    "input/strip_is_text": (
        "a wrong argument is a TypeError: assert may be switched off",
        *one_each(
            uncaught("AssertionError", "/misused?a=1"),
            uncaught("TypeError", "/misused?a=1"),
        ),
    ),
    "input/form_type_in_upper_case": (
        _TYPE_CASE,
        *minus(NO_LENGTH),
        *plus(LENGTH, "body b\"'a' ['1'] '1' [b'1']\\n\""),
    ),
    "input/multipart_in_upper_case": (
        _TYPE_CASE,
        *minus(NO_LENGTH),
        *plus(LENGTH, "body b\"field 'a' 1 [b'1']\\n\""),
    ),
}
