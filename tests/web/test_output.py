"""What a handler sends when it is all in memory: status, body, length, redirects."""

from __future__ import annotations

import enum
import http
import json
from typing import Any

import pytest

from tests.support import Answer, call, make_environ
from tests.web.one_handler import answer, application_of
from wsgitornado.httputil import HTTPOutputError
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, HTTPError, RequestHandler

UNCAUGHT = "Uncaught exception GET /"


def refused(verb: Any, method: str = "GET") -> Answer:
    """The answer to a mistake of the program: a 500, and one line of the log."""
    with ExpectLog("wsgitornado.application", f"Uncaught exception {method} /") as log:
        got = answer(verb, method)
    assert log.logged_stack
    assert got.status == "500 Internal Server Error"
    return got


# The status.


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param((404,), "404 Not Found", id="usual reason"),
        pytest.param((404, "Gone fishing"), "404 Gone fishing", id="own reason"),
        pytest.param((444,), "444 Unknown", id="a number without a reason"),
        pytest.param((999,), "999 Unknown", id="the last number"),
        pytest.param((200, "grün"), "200 grün", id="latin-1 reason"),
        pytest.param((200, ""), "200 Unknown", id="empty reason, as in Tornado"),
        pytest.param((http.HTTPStatus.CREATED,), "201 Created", id="HTTPStatus"),
    ],
)
def test_status_line_carries_number_and_reason(
    arguments: tuple[Any, ...], expected: str
) -> None:
    assert answer(lambda h: h.set_status(*arguments)).status == expected


class Colour(int, enum.Enum):
    TEAPOT = 418


def test_status_of_a_plain_enum_is_its_number() -> None:
    got = answer(lambda h: h.set_status(Colour.TEAPOT))
    assert got.status.startswith("418 ")


def test_get_status_is_what_was_set() -> None:
    def get(handler: RequestHandler) -> None:
        before = handler.get_status()
        handler.set_status(202)
        handler.write({"before": before, "after": handler.get_status()})

    assert json.loads(answer(get).text) == {"before": 200, "after": 202}


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        pytest.param(("200",), TypeError, "is an int", id="text"),
        pytest.param((200.0,), TypeError, "is an int", id="float"),
        pytest.param((None,), TypeError, "is an int", id="None"),
        pytest.param((True,), ValueError, "200 to 999", id="bool"),
        pytest.param((199,), ValueError, "200 to 999", id="informational"),
        pytest.param((1000,), ValueError, "200 to 999", id="four digits"),
        pytest.param((-200,), ValueError, "200 to 999", id="negative"),
        pytest.param((200, "a\r\nX: y"), ValueError, "control", id="line break"),
        pytest.param((200, "a\x00"), ValueError, "control", id="NUL"),
        pytest.param((200, "a\x7f"), ValueError, "control", id="DEL"),
        pytest.param((200, "€"), ValueError, "latin-1", id="beyond latin-1"),
        pytest.param((200, b"OK"), TypeError, "is a str", id="bytes reason"),
    ],
)
def test_wrong_status_raises_where_it_is_set(
    arguments: tuple[Any, ...], error: type[Exception], says: str
) -> None:
    def get(handler: RequestHandler) -> None:
        with pytest.raises(error, match=says):
            handler.set_status(*arguments)
        handler.write(f"{handler.get_status()} {handler._reason}")

    assert answer(get).text == "200 OK"


# The body.


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([], b"", id="nothing"),
        pytest.param(["é€"], "é€".encode(), id="text"),
        pytest.param([b"\xff\x00"], b"\xff\x00", id="bytes"),
        pytest.param(["a", b"b", "", "c"], b"abc", id="several"),
        pytest.param([{"a": "</b>"}], b'{"a": "<\\/b>"}', id="JSON"),
    ],
)
def test_what_was_written_is_the_body(chunks: list[Any], expected: bytes) -> None:
    def get(handler: RequestHandler) -> None:
        for chunk in chunks:
            handler.write(chunk)

    got = answer(get)
    assert got.body == expected
    assert got.headers.get_list("Content-Length") == [str(len(expected))]


def test_json_sets_its_content_type_which_may_be_set_afterwards() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("Content-Type", "text/plain")
        handler.write({"a": 1})
        types.append(handler._headers["Content-Type"])
        handler.set_header("Content-Type", "application/problem+json")

    types: list[str] = []
    got = answer(get)
    assert types == ["application/json; charset=UTF-8"]
    assert got.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("chunk", "says"),
    [
        pytest.param([1], "list: wrap it in a dict", id="list"),
        pytest.param((1,), "tuple: wrap it in a dict", id="tuple"),
        pytest.param(None, "not NoneType$", id="None"),
        pytest.param(5, "not int$", id="int"),
        pytest.param(bytearray(b"a"), "not bytearray$", id="bytearray"),
    ],
)
def test_other_types_are_refused_by_write(chunk: Any, says: str) -> None:
    def get(handler: RequestHandler) -> None:
        with pytest.raises(TypeError, match=f"bytes, unicode, and dict.*{says}"):
            handler.write(chunk)
        handler.write("fine")

    assert answer(get).text == "fine"


def test_text_that_utf_8_cannot_carry_is_refused_by_write() -> None:
    refused(lambda h: h.write("\ud800"))


def test_finish_takes_a_last_chunk() -> None:
    def get(handler: RequestHandler) -> None:
        handler.write("a")
        future = handler.finish("b")
        results.append(future.result())  # type: ignore[attr-defined]  # a done future

    results: list[object] = []
    assert answer(get).text == "ab"
    assert results == [None]


@pytest.mark.parametrize(
    ("call_again", "says"),
    [
        pytest.param(lambda h: h.write("b"), r"Cannot write\(\) after finish", id="w"),
        pytest.param(lambda h: h.finish(), r"finish\(\) called twice", id="finish"),
        pytest.param(lambda h: h.flush(), r"Cannot flush\(\) after finish", id="flush"),
        pytest.param(lambda h: h.redirect("/"), "called twice", id="redirect"),
    ],
)
def test_output_after_finish_raises_and_changes_nothing(
    call_again: Any, says: str
) -> None:
    def get(handler: RequestHandler) -> None:
        handler.finish("a")
        with pytest.raises(RuntimeError, match=says):
            call_again(handler)

    got = answer(get)
    assert (got.status, got.text) == ("200 OK", "a")


@pytest.mark.parametrize("value", [5, "text", [1], {"a": 1}, b"", False], ids=repr)
def test_verb_that_returns_a_value_is_the_programs_mistake(value: Any) -> None:
    with ExpectLog("wsgitornado.application", UNCAUGHT):
        assert answer(lambda h: value).status_code == 500


# Content-Length.


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("declared", "says"),
    [
        pytest.param("2", "more data than Content-Length", id="less"),
        pytest.param("4", "1 bytes less than Content-Length", id="more"),
        pytest.param("x", "a number of bytes", id="text"),
        pytest.param("-3", "a number of bytes", id="negative"),
        pytest.param("+3", "a number of bytes", id="signed"),
        pytest.param("3, 3", "a number of bytes", id="list"),
        pytest.param("\xb3", "a number of bytes", id="no ASCII digit"),
        pytest.param("", "a number of bytes", id="empty"),
    ],
)
def test_wrong_content_length_raises_at_finish(
    method: str, declared: str, says: str
) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("Content-Length", declared)
        handler.write("abc")
        with pytest.raises(HTTPOutputError, match=says):
            handler.finish()
        raise HTTPError(503)

    got = answer(get, method)
    assert got.status_code == 503
    assert got.headers["Content-Length"] == str(len(got.body))


def test_content_length_that_fits_is_sent_as_it_is() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("content-length", 3)
        handler.write("abc")

    got = answer(get)
    assert (got.body, got.headers.get_list("Content-Length")) == (b"abc", ["3"])


def test_content_length_set_twice_is_refused() -> None:
    def get(handler: RequestHandler) -> None:
        handler.add_header("Content-Length", 3)
        handler.add_header("Content-Length", 3)
        handler.write("abc")
        with pytest.raises(HTTPOutputError, match="a number of bytes"):
            handler.finish()
        raise HTTPError(503)

    assert answer(get).status_code == 503


# Answers without a body.


def test_head_has_the_headers_of_get_and_no_body() -> None:
    got = [answer(lambda h: h.write("abc"), method) for method in ("GET", "HEAD")]
    assert got[0].headers == got[1].headers
    assert [len(one.body) for one in got] == [3, 0]


def test_head_may_say_a_length_without_making_the_body() -> None:
    got = answer(lambda h: h.set_header("Content-Length", 1000), "HEAD")
    assert (got.headers["Content-Length"], got.body) == ("1000", b"")


@pytest.mark.parametrize(
    ("declared", "body"), [("4", "abc"), ("2", "abc"), ("x", ""), ("-1", "")]
)
def test_head_with_a_wrong_length_is_refused(declared: str, body: str) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("Content-Length", declared)
        handler.write(body)

    assert refused(get, "HEAD").headers["Content-Length"] != declared


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_body_has_no_headers_of_one(status: int) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_status(status)
        handler.set_header("Content-Length", 0)
        handler.set_header("Content-Language", "en")
        handler.add_header("Content-Encoding", "a")
        handler.set_header("X-Kept", "1")
        handler.set_cookie("a", "b")

    got = answer(get)
    assert (got.status_code, got.body) == (status, b"")
    assert sorted(got.headers) == ["Set-Cookie", "X-Kept"]


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_body_with_a_status_that_has_none_is_refused(status: int, method: str) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_status(status)
        handler.write("x")

    refused(get, method)


# Redirects.


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param({}, 302, id="found"),
        pytest.param({"permanent": True}, 301, id="permanent"),
        pytest.param({"status": 307}, 307, id="own status"),
        pytest.param({"status": 300, "permanent": True}, 300, id="status wins"),
        pytest.param({"status": 399}, 399, id="the last one"),
    ],
)
def test_redirect_status(arguments: dict[str, Any], expected: int) -> None:
    def get(handler: RequestHandler) -> None:
        handler.redirect("/there", **arguments)

    got = answer(get)
    assert (got.status_code, got.headers["Location"]) == (expected, "/there")


@pytest.mark.parametrize(
    ("url", "location"),
    [
        pytest.param("there?a=1#b", "there?a=1#b", id="relative"),
        pytest.param("//other/x", "//other/x", id="another host"),
        pytest.param("é", "\xc3\xa9", id="UTF-8"),
        pytest.param(b"/x", "/x", id="bytes"),
        pytest.param("", "", id="empty"),
    ],
)
def test_location_goes_out_as_it_was_given(url: Any, location: str) -> None:
    got = answer(lambda h: h.redirect(url))
    assert got.headers.get_list("Location") == [location]


@pytest.mark.parametrize("status", [299, 400, "302", True, 302.0], ids=repr)
def test_redirect_with_another_status_is_refused(status: Any) -> None:
    def get(handler: RequestHandler) -> None:
        with pytest.raises(AssertionError, match="300 to 399"):
            handler.redirect("/", status=status)

    assert answer(get).status == "200 OK"


@pytest.mark.parametrize("url", ["/a\r\nX: y", "/a\x00", None, 5], ids=repr)
def test_redirect_to_what_no_header_carries_is_refused(url: Any) -> None:
    assert "Location" not in refused(lambda h: h.redirect(url)).headers


def test_finish_in_initialize_is_the_answer() -> None:
    class Early(RequestHandler):
        def initialize(self) -> None:
            self.finish("early")

    got = answer(lambda h: h.write("late"), base=Early)
    assert got.text == "early"


def test_answers_in_a_row_share_nothing() -> None:
    class Counting(RequestHandler):
        def get(self, number: str) -> None:
            self.write(number)
            self.set_cookie(f"c{number}", number)
            self.set_header(f"X-{number}", number)

    application = Application([(r"/(\d)", Counting)])
    for number in "123":
        got = call(application, f"/{number}")
        assert got.text == number
        assert got.headers.get_list("Set-Cookie") == [f"c{number}={number}; Path=/"]
        assert sum(name.startswith("X-") for name in got.headers) == 1


def test_start_response_is_called_once_and_before_the_body() -> None:
    calls: list[Any] = []
    application = application_of(lambda h: h.write("abc"), RequestHandler)

    def start_response(*arguments: Any) -> Any:
        calls.append(arguments)

    body = application(make_environ(), start_response)
    assert [len(arguments) for arguments in calls] == [2]
    assert type(body) is list
    assert all(type(v) is str for pair in calls[0][1] for v in pair)
