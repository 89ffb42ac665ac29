"""Cookies that a handler reads, sets and clears."""

from __future__ import annotations

import datetime
import email.utils
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.web import RequestHandler as TornadoHandler

from tests.support import Answer, call
from tests.web.one_handler import answer, application_of
from wsgitornado.httputil import parse_cookie
from wsgitornado.testing import ExpectLog
from wsgitornado.web import RequestHandler

Cookies = list[str]


def cookies_set(verb: Any, cookie: str | None = None) -> Cookies:
    """The Set-Cookie headers of an answer, in order."""
    headers = [] if cookie is None else [("Cookie", cookie)]
    return answer(verb, headers=headers).headers.get_list("Set-Cookie")


def read(verb: Any, cookie: str | None) -> Answer:
    headers = [] if cookie is None else [("Cookie", cookie)]
    return answer(verb, headers=headers)


# Reading.


@pytest.mark.parametrize(
    ("cookie", "expected"),
    [
        pytest.param("a=1", "1", id="alone"),
        pytest.param("b=2; a=1; c=3", "1", id="among others"),
        pytest.param("a=1; a=2", "2", id="the last one counts"),
        pytest.param('a="x\\073y"', "x;y", id="quoted"),
        pytest.param("a=", "", id="empty"),
        pytest.param('x="; a=1', "1", id="an open quote swallows nothing"),
        pytest.param("aa=2", None, id="another name"),
        pytest.param("A=2", None, id="another letter case"),
        pytest.param("", None, id="empty header"),
        pytest.param(None, None, id="no header"),
    ],
)
def test_cookie_of_the_request(cookie: str | None, expected: str | None) -> None:
    def get(handler: RequestHandler) -> None:
        handler.write({"value": handler.get_cookie("a")})
        assert handler.get_cookie("a", "default") == (expected or default)
        assert handler.get_cookie("nowhere", "default") == "default"

    default = "" if expected == "" else "default"
    value = "null" if expected is None else f'"{expected}"'
    assert read(get, cookie).text == f'{{"value": {value}}}'


def test_cookies_are_the_morsels_of_the_request() -> None:
    def get(handler: RequestHandler) -> None:
        assert handler.cookies is handler.request.cookies
        handler.write({name: m.value for name, m in handler.cookies.items()})

    assert read(get, "a=1; b=2").text == '{"a": "1", "b": "2"}'


def test_cookie_that_is_set_is_seen_by_the_next_request_only() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_cookie("a", "new")
        handler.write(handler.get_cookie("a", "none") or "")

    assert [read(get, cookie).text for cookie in (None, "a=old")] == ["none", "old"]


@given(
    st.text(
        st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f")
    )
)
def test_cookie_comes_back_as_it_was_set(value: str) -> None:
    (header,) = cookies_set(lambda h: h.set_cookie("name", value))
    cookie = header.partition("; ")[0]
    assert ";" not in cookie
    got = read(lambda h: h.write(h.get_cookie("name")), cookie)
    assert got.text == value


@given(st.text(max_size=40))
def test_no_cookie_header_fails_a_request(text: str) -> None:
    def get(handler: RequestHandler) -> None:
        handler.get_cookie("a")
        handler.clear_all_cookies()

    cookie = text.encode("utf-8", "replace").decode("latin-1")
    application = application_of(get, RequestHandler)
    got = call(application, HTTP_COOKIE=cookie)
    assert got.status_code == 200


# Setting.


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param({}, "a=b; Path=/", id="plain"),
        pytest.param({"path": "/x"}, "a=b; Path=/x", id="path"),
        pytest.param({"path": None}, "a=b", id="no path"),
        pytest.param({"domain": "x.org"}, "a=b; Domain=x.org; Path=/", id="domain"),
        pytest.param({"max_age": 5}, "a=b; Max-Age=5; Path=/", id="max_age"),
        pytest.param(
            {"httponly": True, "secure": True, "samesite": "Lax"},
            "a=b; HttpOnly; Path=/; SameSite=Lax; Secure",
            id="flags",
        ),
        pytest.param({"httponly": False, "secure": False}, "a=b; Path=/", id="off"),
        pytest.param(
            {"expires": datetime.datetime(2030, 1, 2)},
            "a=b; expires=Wed, 02 Jan 2030 00:00:00 GMT; Path=/",
            id="expires",
        ),
        pytest.param(
            {"expires": 0.5, "expires_days": 9},
            "a=b; expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/",
            id="expires before expires_days",
        ),
    ],
)
def test_attributes_are_written_as_tornado_writes_them(
    arguments: dict[str, Any], expected: str
) -> None:
    assert cookies_set(lambda h: h.set_cookie("a", "b", **arguments)) == [expected]
    assert tornados_cookies(lambda h: h.set_cookie("a", "b", **arguments)) == [expected]


def tornados_cookies(verb: Any) -> Cookies:
    """What Tornado's own handler would send, from the dictionary it collects."""
    handler = TornadoHandler.__new__(TornadoHandler)
    verb(handler)
    return [morsel.OutputString() for morsel in handler._new_cookie.values()]


def test_expires_days_counts_from_now() -> None:
    (header,) = cookies_set(lambda h: h.set_cookie("a", "b", expires_days=2))
    expires = header.partition("expires=")[2].partition(";")[0]
    seconds = email.utils.parsedate_to_datetime(expires).timestamp() - time.time()
    assert 2 * 86400 - 3600 < seconds <= 2 * 86400


def test_second_cookie_of_a_name_takes_the_place_of_the_first() -> None:
    def get(handler: Any) -> None:
        handler.set_cookie("a", "1")
        handler.set_cookie("b", "2")
        handler.set_cookie("a", "3", path="/x")

    expected = ["b=2; Path=/", "a=3; Path=/x"]
    assert cookies_set(get) == tornados_cookies(get) == expected


def test_cookies_go_beside_a_header_set_by_hand() -> None:
    def get(handler: RequestHandler) -> None:
        handler.add_header("Set-Cookie", "x=1")
        handler.add_header("Set-Cookie", "y=2")
        handler.set_cookie("a", "b")

    assert cookies_set(get) == ["x=1", "y=2", "a=b; Path=/"]


def test_cookies_stay_on_an_error_page() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_cookie("a", "b")
        handler.send_error(403)

    got = answer(get)
    assert (got.status_code, got.headers["Set-Cookie"]) == (403, "a=b; Path=/")


def test_many_cookies_all_go_out() -> None:
    def get(handler: RequestHandler) -> None:
        for number in range(2000):
            handler.set_cookie(f"c{number}", str(number))

    got = cookies_set(get)
    assert got == [f"c{number}={number}; Path=/" for number in range(2000)]


# Nothing in an argument can add an attribute or a second cookie.

ENDINGS = ["\r\nX: y", "\n", "\x00", "; Domain=evil", "\x7f", " "]


@pytest.mark.parametrize(
    "value", ["b\r\nX: y", "b\n", "\x00", "b c", " ", b"b\n", b"\t"], ids=repr
)
def test_value_that_would_end_the_cookie_raises(value: str | bytes) -> None:
    with pytest.raises(ValueError, match="Invalid cookie 'a'"):
        failing(lambda h: h.set_cookie("a", value))


def failing(verb: Any) -> None:
    """Run a verb that raises, and let its exception out of the application."""
    caught: list[Exception] = []

    def get(handler: RequestHandler) -> None:
        try:
            verb(handler)
        except Exception as error:
            caught.append(error)

    assert cookies_set(get) == []
    raise caught[0]


def test_semicolon_in_a_value_is_quoted_and_adds_nothing() -> None:
    (header,) = cookies_set(lambda h: h.set_cookie("a", "b;Domain=evil"))
    assert header == 'a="b\\073Domain=evil"; Path=/'
    assert parse_cookie(header.partition("; ")[0]) == {"a": "b;Domain=evil"}


@pytest.mark.parametrize("ending", ENDINGS, ids=repr)
@pytest.mark.parametrize(
    "spelled",
    ["domain", "path", "samesite", "Domain", "PATH", "SameSite", "comment", "Version"],
)
def test_attribute_that_would_end_its_place_raises(spelled: str, ending: str) -> None:
    with pytest.raises(ValueError, match=r"[Ii]nvalid"):
        failing(lambda h: h.set_cookie("a", "b", **{spelled: "x" + ending}))


@pytest.mark.parametrize(
    "name", ["", "a b", "a=b", "a;b", "a\r\n", "é", '"a"', "path", "Expires"]
)
def test_name_that_is_no_token_raises(name: str) -> None:
    with pytest.raises(ValueError, match="cookie"):
        failing(lambda h: h.set_cookie(name, "b"))


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param({"value": None}, TypeError, id="no value"),
        pytest.param({"value": 5}, TypeError, id="a number"),
        pytest.param({"value": "€"}, ValueError, id="beyond latin-1"),
        pytest.param({"value": b"\xff"}, ValueError, id="bytes that are no UTF-8"),
        pytest.param({"value": "b", "bogus": 1}, ValueError, id="unknown attribute"),
        pytest.param({"value": "b", "expires": "x"}, TypeError, id="expires"),
        pytest.param({"value": "b", "expires_days": 1e9}, ValueError, id="too far"),
        pytest.param({"value": "b", "max_age": "x"}, ValueError, id="max_age"),
    ],
)
def test_wrong_argument_raises(
    arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        failing(lambda h: h.set_cookie("a", **arguments))


def test_refused_cookie_is_a_500_without_its_value_in_the_page() -> None:
    with ExpectLog("wsgitornado.application", "Uncaught exception GET /"):
        got = answer(lambda h: h.set_cookie("a", "sec ret"))
    assert got.status_code == 500
    assert "sec ret" not in got.text


# Clearing.


def assert_is_cleared(header: str, name: str, rest: str) -> None:
    cookie, expires, *attributes = header.split("; ")
    assert cookie == f'{name}=""'
    date = email.utils.parsedate_to_datetime(expires.removeprefix("expires="))
    assert date.timestamp() < time.time() - 300 * 86400
    assert "; ".join(attributes) == rest


@pytest.mark.parametrize(
    ("clear", "domain", "rest"),
    [
        pytest.param(lambda h: h.clear_cookie("a"), "", "Path=/", id="alone"),
        pytest.param(
            lambda h: h.clear_cookie("a", "/x", "x.org"),
            "x.org",
            "Path=/x",
            id="by position",
        ),
        pytest.param(
            lambda h: h.clear_cookie("a", domain="x.org", path="/x"),
            "x.org",
            "Path=/x",
            id="by name",
        ),
        pytest.param(
            lambda h: h.clear_cookie("a", secure=True, httponly=True, samesite="None"),
            "",
            "HttpOnly; Path=/; SameSite=None; Secure",
            id="other attributes",
        ),
    ],
)
def test_cleared_cookie_is_empty_and_long_expired(
    clear: Any, domain: str, rest: str
) -> None:
    (header,) = cookies_set(clear)
    assert ("Domain=" in header) is bool(domain)
    assert_is_cleared(header.replace(f"Domain={domain}; ", ""), "a", rest)


@pytest.mark.parametrize(
    "keyword", ["expires", "expires_days", "max_age", "Expires", "Max-Age", "max-age"]
)
def test_clearing_sets_its_own_expiry(keyword: str) -> None:
    with pytest.raises(TypeError, match=f"leave {keyword} out"):
        failing(lambda h: h.clear_cookie("a", **{keyword: 5}))


def test_clearing_takes_the_place_of_setting_and_the_other_way_round() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_cookie("a", "1")
        handler.clear_cookie("a")
        handler.clear_cookie("b")
        handler.set_cookie("b", "2")

    cleared, kept = cookies_set(get)
    assert_is_cleared(cleared, "a", "Path=/")
    assert kept == "b=2; Path=/"


def test_every_cookie_of_the_request_is_cleared() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_cookie("new", "1")
        handler.clear_all_cookies()

    kept, *cleared = cookies_set(get, "a=1; b=2; a=3; noname")
    assert kept == "new=1; Path=/"
    for header, name in zip(cleared, "ab", strict=True):
        assert_is_cleared(header, name, "Path=/")


def test_every_cookie_is_cleared_for_the_path_and_domain_given() -> None:
    def get(handler: RequestHandler) -> None:
        handler.clear_all_cookies("/x", "x.org", httponly=True)

    (header,) = cookies_set(get, "a=1")
    rest = "HttpOnly; Path=/x"
    assert_is_cleared(header.replace("Domain=x.org; ", ""), "a", rest)


def test_clearing_without_cookies_sends_nothing() -> None:
    assert cookies_set(lambda h: h.clear_all_cookies()) == []
