"""The comparison itself: what it reads, and that it notices what differs."""

from __future__ import annotations

import dataclasses

import pytest

from tests.porting.answers import Answer, LogLine, differences, parse_answer

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

KEY_ERROR = ("KeyError", "LookupError", "Exception")
UNCAUGHT = LogLine("ERROR", "application", "Uncaught exception", KEY_ERROR)
ANSWER = Answer(
    "200 OK",
    [("content-type", "text/plain"), ("x-a", "1"), ("x-a", "2")],
    b"one\ntwo\n",
    log=[UNCAUGHT, LogLine("INFO", "access", "200 GET / 1.25ms")],
)


@pytest.mark.parametrize(
    ("data", "method", "body", "ending"),
    [
        pytest.param(HEAD + b"abc", "GET", b"abc", "whole", id="length"),
        pytest.param(HEAD + b"ab", "GET", b"ab", "cut", id="too short"),
        pytest.param(HEAD + b"abcd", "GET", b"abcd", "excess", id="too long"),
        pytest.param(HEAD, "HEAD", b"", "whole", id="head"),
        pytest.param(HEAD + b"abc", "HEAD", b"abc", "excess", id="head with body"),
        pytest.param(
            b"HTTP/1.0 200 OK\r\n\r\nabc", "GET", b"abc", "whole", id="no length"
        ),
        pytest.param(
            b"HTTP/1.1 204 No Content\r\n\r\nx", "GET", b"x", "excess", id="204"
        ),
        pytest.param(
            CHUNKED + b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
            "GET",
            b"abcd",
            "whole",
            id="chunks",
        ),
        pytest.param(CHUNKED + b"3\r\nabc\r\n", "GET", b"abc", "cut", id="no last one"),
        pytest.param(CHUNKED + b"3\r\nab", "GET", b"ab", "cut", id="half a chunk"),
        pytest.param(CHUNKED + b"0\r\n\r\nx", "GET", b"", "excess", id="more after it"),
        pytest.param(CHUNKED, "GET", b"", "cut", id="no chunk"),
        pytest.param(b"", "GET", b"", "cut", id="nothing"),
        pytest.param(HEAD[:-2], "GET", b"", "cut", id="half a head"),
    ],
)
def test_body_and_ending_are_read(
    data: bytes, method: str, body: bytes, ending: str
) -> None:
    answer = parse_answer(data, method)
    assert (answer.body, answer.ending) == (body, ending)


def test_a_reset_cuts_an_answer() -> None:
    assert parse_answer(HEAD + b"abc", "GET", was_reset=True).ending == "cut"


def test_an_answer_does_not_differ_from_itself() -> None:
    assert differences(ANSWER, dataclasses.replace(ANSWER)) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        pytest.param(
            {"status": "200 Fine"},
            ["- status 200 OK", "+ status 200 Fine"],
            id="reason",
        ),
        pytest.param(
            {"headers": ANSWER.headers[:2]}, ["- header x-a: 2"], id="repeated header"
        ),
        pytest.param(
            {"headers": [*ANSWER.headers, ("x-b", "")]}, ["+ header x-b: "], id="header"
        ),
        pytest.param(
            {"body": b"one\nTwo\n"}, ["- body b'two\\n'", "+ body b'Two\\n'"], id="body"
        ),
        pytest.param(
            {"body": b"two\none\n"}, ["~ body in another order"], id="order of the body"
        ),
        pytest.param({"ending": "cut"}, ["- end whole", "+ end cut"], id="ending"),
        pytest.param(
            {"log": ANSWER.log[1:]},
            ["- log ERROR application Uncaught exception [KeyError]"],
            id="log line",
        ),
        pytest.param(
            {"log": ANSWER.log[::-1]}, ["~ log in another order"], id="order of the log"
        ),
        pytest.param(
            {"log": [UNCAUGHT._replace(level="WARNING"), ANSWER.log[1]]},
            [
                "- log ERROR application Uncaught exception [KeyError]",
                "+ log WARNING application Uncaught exception [KeyError]",
            ],
            id="level",
        ),
        pytest.param(
            {"log": [UNCAUGHT._replace(kinds=KEY_ERROR[1:]), ANSWER.log[1]]},
            [
                "- log ERROR application Uncaught exception [KeyError]",
                "+ log ERROR application Uncaught exception [LookupError]",
            ],
            id="a base class is raised",
        ),
    ],
)
def test_what_differs_is_found(changes: dict[str, object], found: list[str]) -> None:
    ours = dataclasses.replace(ANSWER, **changes)  # type: ignore[arg-type]  # each its own type
    assert differences(ANSWER, ours) == found


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"log": [UNCAUGHT._replace(kinds=("Own", *KEY_ERROR)), ANSWER.log[1]]},
            id="a subclass is caught alike",
        ),
        pytest.param(
            {"log": [UNCAUGHT, ANSWER.log[1]._replace(message="200 GET / 0.31ms")]},
            id="how long it took",
        ),
        pytest.param(
            {"headers": [*ANSWER.headers, ("server", "x"), ("date", "now")]},
            id="headers of the server",
        ),
        pytest.param({"headers": ANSWER.headers[::-1]}, id="order of headers"),
    ],
)
def test_what_is_the_servers_or_the_moments_is_no_difference(
    changes: dict[str, object],
) -> None:
    ours = dataclasses.replace(ANSWER, **changes)  # type: ignore[arg-type]  # each its own type
    assert differences(ANSWER, ours) == []
