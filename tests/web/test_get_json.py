"""``get_json``: the JSON body of a request, or a clear refusal."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import Answer, call
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, HTTPError, RequestHandler
from wsgitornado.web.json_body import decode_json


class EchoHandler(RequestHandler):
    def post(self) -> None:
        self.write({"value": self.get_json()})


class ObjectHandler(RequestHandler):
    def post(self) -> None:
        sent: dict[str, Any] = self.get_json(dict)
        self.write(sent)


class ArrayHandler(RequestHandler):
    def post(self) -> None:
        sent: list[Any] = self.get_json(list)
        self.write({"length": len(sent)})


class WrongKindHandler(RequestHandler):
    def post(self) -> None:
        self.get_json(str)  # type: ignore[arg-type]  # the mistake


class TwiceHandler(RequestHandler):
    def post(self) -> None:
        self.write({"is_same": self.get_json() is self.get_json()})


app = Application(
    [
        ("/echo", EchoHandler),
        ("/object", ObjectHandler),
        ("/array", ArrayHandler),
        ("/wrong", WrongKindHandler),
        ("/twice", TwiceHandler),
    ]
)


def post(
    body: bytes, target: str = "/echo", content_type: str | None = "application/json"
) -> Answer:
    headers = [] if content_type is None else [("Content-Type", content_type)]
    return call(app, target, "POST", headers, body)


def refused(body: bytes, target: str, message: str, status_code: int = 400) -> None:
    """Assert one line in the log, without a traceback."""
    with ExpectLog("wsgitornado.general", rf"{status_code} POST .*{message}") as log:
        assert post(body, target).status_code == status_code
    assert not log.logged_stack


@pytest.mark.parametrize(
    "value",
    [{"a": [1, 2.5, None, True]}, [], "text", 0, None, {"é": "\U0001f600"}],
    ids=repr,
)
def test_value_of_any_kind_is_given(value: object) -> None:
    sent = json.dumps(value, ensure_ascii=False).encode()
    assert json.loads(post(sent).body) == {"value": value}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/problem+json",
        " application/json ;x=y",
    ],
)
def test_types_of_json_are_known(content_type: str) -> None:
    assert post(b"1", content_type=content_type).text == '{"value": 1}'


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "application/+json",
        "application/json, text/plain",
    ],
)
def test_another_type_is_unsupported(content_type: str | None) -> None:
    with ExpectLog("wsgitornado.general", "415 POST /echo .*JSON expected, not") as log:
        answer = post(b"1", content_type=content_type)
    assert answer.status_code == 415
    assert not log.logged_stack


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b"", "Expecting value", id="empty"),
        pytest.param(b"{", "Expecting property name", id="cut off"),
        pytest.param(b"{} {}", "Extra data", id="two values"),
        pytest.param(b"{'a': 1}", "Expecting property name", id="Python"),
        pytest.param(b'"\xff"', "not UTF-8", id="bytes that are no UTF-8"),
        pytest.param('"a"'.encode("utf-16"), "not UTF-8", id="UTF-16"),
        pytest.param(b'"\xed\xa0\x80"', "not UTF-8", id="surrogate as bytes"),
        pytest.param(b'"\\ud800"', "not UTF-8", id="half of a pair"),
        pytest.param(b'{"\\uDC00": 1}', "not UTF-8", id="half of a pair in a name"),
        pytest.param(b"[NaN]", "NaN is no JSON", id="NaN"),
        pytest.param(b"-Infinity", "-Infinity is no JSON", id="Infinity"),
        pytest.param(b"1e999", "out of range", id="float beyond the range"),
        pytest.param(b"1" * 100_000, "digits", id="endless integer"),
        pytest.param(b"[" * 200_000, "nested too deeply", id="deep array"),
        pytest.param(b'{"a":' * 200_000, "nested too deeply", id="deep object"),
        pytest.param(b'"a\nb"', "Invalid control character", id="raw line end"),
    ],
)
def test_what_is_no_json_is_a_bad_request(body: bytes, message: str) -> None:
    refused(body, "/echo", message)


DEEPEST = {
    "arrays": ("[", "[]", "]"),
    "objects": ('{"a":', "{}", "}"),
    "beside others": ("[[], 1, {}, ", "1", ", []]"),
}


@pytest.mark.parametrize(("opening", "inner", "closing"), DEEPEST.values(), ids=DEEPEST)
def test_nesting_has_a_limit(opening: str, inner: str, closing: str) -> None:
    # The innermost is the hundredth level.
    assert post(f"{opening * 99}{inner}{closing * 99}".encode()).status_code == 200
    for depth in 100, 500, 960, 980, 1100:
        refused(f"{opening * depth}{inner}{closing * depth}".encode(), "/echo", "deep")


def test_breadth_has_none() -> None:
    sent = [[{"a": []}, "[[{{"]] * 1000
    assert json.loads(post(json.dumps(sent).encode()).body) == {"value": sent}


def test_text_with_many_brackets_is_no_depth() -> None:
    assert post(json.dumps("[" * 500).encode()).status_code == 200


def test_pair_of_surrogates_is_one_character() -> None:
    assert json.loads(post(b'"\\ud83d\\ude00"').body) == {"value": "\U0001f600"}


def test_byte_order_mark_is_passed_over() -> None:
    assert post(b"\xef\xbb\xbf1").text == '{"value": 1}'


def test_last_of_two_members_with_one_name_counts() -> None:
    assert post(b'{"a": 1, "a": 2}', "/object").text == '{"a": 2}'


@pytest.mark.parametrize(
    ("target", "body", "message"),
    [
        pytest.param("/object", b"[]", "not an object", id="array for object"),
        pytest.param("/object", b"null", "not an object", id="null for object"),
        pytest.param("/array", b"{}", "not an array", id="object for array"),
        pytest.param("/array", b'"text"', "not an array", id="text for array"),
    ],
)
def test_value_of_another_kind_is_a_bad_request(
    target: str, body: bytes, message: str
) -> None:
    refused(body, target, message)


def test_array_is_given_where_one_is_asked_for() -> None:
    assert post(b"[1, 2]", "/array").text == '{"length": 2}'


def test_kind_that_is_none_is_the_programmers_mistake() -> None:
    with ExpectLog("wsgitornado.application", "(?s)Uncaught.*") as log:
        assert post(b'"a"', "/wrong").status_code == 500
    assert log.logged_stack


def test_body_is_read_once() -> None:
    assert post(b"{}", "/twice").text == '{"is_same": true}'


def test_message_of_the_log_stays_on_its_line() -> None:
    with ExpectLog("wsgitornado.general", r"415 .*'text/\\nplain'\Z"):
        call(app, "/echo", "POST", [("Content-Type", "text/\nplain")], b"1")


@given(st.binary(max_size=40) | st.text(alphabet='[]{}",:\\u dD08eE+-.N', max_size=30))
def test_no_body_raises_anything_else(body: bytes | str) -> None:
    with contextlib.suppress(HTTPError):
        value = decode_json(body.encode() if isinstance(body, str) else body)
        # It can be sent on.
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(-1e9, 1e9),
        lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    )
)
def test_what_json_can_say_comes_back(value: object) -> None:
    assert decode_json(json.dumps(value, ensure_ascii=False).encode()) == value
