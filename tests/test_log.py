"""The loggers, and text that goes into their lines."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado.log import access_log, app_log, gen_log, one_line


def test_loggers_have_the_names_that_the_documentation_promises() -> None:
    names = [logger.name for logger in (access_log, app_log, gen_log)]
    assert names == [
        "wsgitornado.access",
        "wsgitornado.application",
        "wsgitornado.general",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("GET /path?q=é (127.0.0.1)", "GET /path?q=é (127.0.0.1)"),
        ("a\nb\r\n", "a\\x0ab\\x0d\\x0a"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x00\x7f\x9b\x85", "\\x00\\x7f\\x9b\\x85"),
        ("tab\tnbsp\xa0", "tab\\x09nbsp\\xa0"),
        ("\u2028\u2029\u202e", "\\u2028\\u2029\\u202e"),
        ("\udc80", "\\udc80"),
        ("\U000e0001", "\\U000e0001"),
        ("back\\slash", "back\\slash"),
    ],
    ids=ascii,
)
def test_what_steers_a_terminal_or_ends_a_line_is_spelled_out(
    text: str, shown: str
) -> None:
    assert one_line(text) == shown


@given(st.text(st.characters(exclude_characters="\\")))
def test_every_text_becomes_one_printable_line_that_tells_it_all(text: str) -> None:
    shown = one_line(text)
    assert shown.isprintable()
    quoted = shown.replace("'", "\\'")
    assert ast.literal_eval(f"'{quoted}'") == text
