"""Languages of browsers, and numbers below zero."""

from __future__ import annotations

from tests.porting.differences.lines import Row, minus, plus, uncaught

__all__ = ["DIFFERENCES"]

DIFFERENCES: dict[str, Row] = {
    "languages/negotiated_spaces": (
        "RFC 9110 section 12.4.2 allows spaces before the semicolon of a weight",
        *minus("body b'en_US'"),
        *plus("body b'fa'"),
    ),
    "languages/negotiated_many": (
        "R17: no more than a hundred languages are looked at",
        *minus("body b'de'"),
        *plus("body b'en_US'"),
    ),
    "languages/number_negative_english": (
        "a sign is no digit",
        *minus("body b\"['-1', '-,123', '-1,234']\""),
        *plus("body b\"['-1', '-123', '-1,234']\""),
    ),
    "languages/unknown": (
        "an assertion states what cannot happen; this is a mistake of the program",
        *minus(uncaught("AssertionError", "/unknown")),
        *plus(uncaught("ValueError", "/unknown")),
    ),
}
