"""Headers that a handler sets: by the methods, by default, by ``_headers`` itself."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import call
from tests.web.one_handler import answer, application_of
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.testing import ExpectLog
from wsgitornado.web import RequestHandler


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("text", "text", id="str"),
        pytest.param("caf\xe9", "caf\xe9", id="latin-1"),
        pytest.param(b"caf\xc3\xa9", "caf\xc3\xa9", id="bytes as they are"),
        pytest.param(5, "5", id="int"),
        pytest.param(
            datetime.datetime(2020, 1, 2, 3, 4, 5),
            "Thu, 02 Jan 2020 03:04:05 GMT",
            id="naive datetime is UTC",
        ),
        pytest.param(
            datetime.datetime(
                2020, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=1))
            ),
            "Wed, 01 Jan 2020 23:00:00 GMT",
            id="aware datetime",
        ),
    ],
)
def test_header_value_becomes_text(value: Any, expected: str) -> None:
    got = answer(lambda h: h.set_header("X-It", value))
    assert got.headers.get_list("X-It") == [expected]


@pytest.mark.parametrize("method", ["set_header", "add_header"])
@pytest.mark.parametrize(
    ("name", "value", "error", "says"),
    [
        pytest.param("X", "a\r\nSet-Cookie: b", ValueError, "control", id="CRLF"),
        pytest.param("X", "a\nb", ValueError, "control", id="LF"),
        pytest.param("X", "a\rb", ValueError, "control", id="CR"),
        pytest.param("X", b"a\x00", ValueError, "control", id="NUL in bytes"),
        pytest.param("X", "a\x7f", ValueError, "control", id="DEL"),
        pytest.param("X", "€", ValueError, "latin-1", id="beyond latin-1"),
        pytest.param("X", "\ud800", ValueError, "latin-1", id="surrogate"),
        pytest.param("X", 1.5, TypeError, "expected str, bytes, int", id="float"),
        pytest.param("X", None, TypeError, "expected str, bytes, int", id="None"),
        pytest.param("X", ["a"], TypeError, "expected str, bytes, int", id="list"),
        pytest.param("", "a", ValueError, "Invalid header name", id="empty name"),
        pytest.param("X Y", "a", ValueError, "Invalid header name", id="space"),
        pytest.param("X:", "a", ValueError, "Invalid header name", id="colon"),
        pytest.param("X\n", "a", ValueError, "Invalid header name", id="name with LF"),
        pytest.param("Ü", "a", ValueError, "Invalid header name", id="no token"),
        pytest.param(b"X", "a", TypeError, "name is a str", id="name in bytes"),
    ],
)
def test_wrong_header_raises_where_it_is_set(
    method: str, name: Any, value: Any, error: type[Exception], says: str
) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("X", "kept")
        with pytest.raises(error, match=says):
            getattr(handler, method)(name, value)

    got = answer(get)
    assert got.headers.get_list("X") == ["kept"]
    assert sorted(got.headers) == ["Content-Length", "Content-Type", "Etag", "X"]


@given(st.text(max_size=6).filter(lambda text: text == text.strip(" \t")))
def test_header_goes_out_as_it_is_or_raises(value: str) -> None:
    raised = []

    def get(handler: RequestHandler) -> None:
        try:
            handler.set_header("X-It", value)
        except ValueError:
            raised.append(True)

    application = application_of(get, RequestHandler)
    # The validator refuses a tab, which HTTP allows.
    got = call(application, is_validated="\t" not in value)
    assert raised or got.headers.get_list("X-It") == [value]


def test_setting_replaces_and_adding_keeps_in_any_letter_case() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("x-one", "1")
        handler.set_header("X-ONE", "2")
        handler.add_header("x-TWO", "1")
        handler.add_header("X-Two", "2")
        handler.add_header("x-three", "1")
        handler.set_header("X-Three", "2")

    headers = answer(get).headers
    assert headers.get_list("X-One") == ["2"]
    assert headers.get_list("X-Two") == ["1", "2"]
    assert headers.get_list("X-Three") == ["2"]


def test_clearing_takes_away_every_value_and_absent_ones_too() -> None:
    def get(handler: RequestHandler) -> None:
        handler.add_header("X-Two", "1")
        handler.add_header("X-Two", "2")
        handler.clear_header("x-two")
        handler.clear_header("X-Never")

    assert "X-Two" not in answer(get).headers


def test_default_headers_stand_before_the_handler_runs() -> None:
    class Defaults(RequestHandler):
        def set_default_headers(self) -> None:
            self.set_header("X-Default", "yes")
            self.set_header("X-Changed", "no")

    got = answer(lambda h: h.set_header("X-Changed", "yes"), base=Defaults)
    assert got.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert (got.headers["X-Default"], got.headers["X-Changed"]) == ("yes", "yes")


#: What tells that a server leaves the Date to us.
UWSGI: dict[str, Any] = {"uwsgi.version": b"2.0"}


def test_date_is_sent_for_the_server_that_sends_none() -> None:
    application = application_of(lambda h: h.write("x"), RequestHandler)
    assert "Date" not in call(application).headers
    assert len(call(application, **UWSGI).headers.get_list("Date")) == 1


def test_date_of_the_handler_is_the_only_one() -> None:
    application = application_of(lambda h: h.set_header("Date", 7), RequestHandler)
    assert call(application, **UWSGI).headers.get_list("Date") == ["7"]


@pytest.mark.parametrize(
    "name",
    ["Connection", "keep-alive", "Transfer-Encoding", "UPGRADE", "te", "Trailers"],
)
def test_hop_by_hop_header_is_kept_but_not_handed_to_the_server(name: str) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header(name, "close")
        handler.write(handler._headers[name])

    got = answer(get)
    assert (got.text, name in got.headers) == ("close", False)


# ``_headers``, which programs use directly.


def test_headers_that_programs_set_directly_are_sent() -> None:
    def get(handler: RequestHandler) -> None:
        handler._headers["x-one"] = "1"
        handler._headers.add("X-Two", "1")
        handler._headers.add("X-Two", "2")
        handler._headers["Connection"] = "close"
        handler.set_header("X-Three", handler._headers.get("X-One", "?"))
        del handler._headers["Content-Type"]

    headers = answer(get, is_validated=False).headers
    assert headers.get_list("X-Two") == ["1", "2"]
    assert (headers["X-One"], headers["X-Three"]) == ("1", "1")
    assert "Content-Type" not in headers
    assert "Connection" not in headers


def test_headers_may_be_replaced_as_a_whole() -> None:
    def get(handler: RequestHandler) -> None:
        mine = HTTPHeaders({"content-type": "text/plain"})
        mine.add("X-Two", "1")
        mine.add("X-Two", "2")
        mine.add("Keep-Alive", "5")
        handler._headers = mine
        handler.set_header("X-Three", "3")

    headers = answer(get).headers
    assert headers["Content-Type"] == "text/plain"
    assert headers.get_list("X-Two") == ["1", "2"]
    assert headers["X-Three"] == "3"


def test_line_break_set_directly_reaches_no_client() -> None:
    def get(handler: RequestHandler) -> None:
        handler._headers["X-It"] = "1\r\nSet-Cookie: evil=1"

    with ExpectLog("wsgitornado.application", "Uncaught exception GET /"):
        got = answer(get)
    assert got.status_code == 500
    assert "X-It" not in got.headers


def test_clear_forgets_headers_status_and_body_and_keeps_cookies() -> None:
    class Defaults(RequestHandler):
        def set_default_headers(self) -> None:
            self.set_header("X-Default", "yes")

    def get(handler: RequestHandler) -> None:
        handler.write("gone")
        handler.set_status(404, "Gone")
        handler.set_header("Connection", "close")
        handler.add_header("X-Two", "1")
        handler._headers["X-Default"] = "no"
        handler.set_cookie("a", "b")
        handler.clear()
        handler.write("new")
        handler.set_header("X-New", "1")

    got = answer(get, base=Defaults)
    assert (got.status, got.text) == ("200 OK", "new")
    assert (got.headers["X-Default"], got.headers["X-New"]) == ("yes", "1")
    assert got.headers["Set-Cookie"] == "a=b; Path=/"
    assert "X-Two" not in got.headers
