"""Cookies: read as browsers and Tornado do, written as Tornado does."""

from __future__ import annotations

import datetime
import http.cookies
import time
import warnings
from typing import Any

import pytest
import tornado.httputil
import tornado.web
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado.httputil.cookies import (
    InvalidCookieError,
    check_cookie_name,
    find_cookie,
    format_set_cookie,
    parse_cookie,
    parse_cookies_to_morsels,
)

# Mostly what matters, so that more than names and values is reached.
cookie_text = st.text(alphabet='ab=; \t",\\0[]{}\xe9\xa0\u2603', max_size=30)
printable_cookie_text = st.text(alphabet='abAB=; \t",\\0137[]{}(:/\xe9', max_size=30)
cookie_names = st.text(alphabet="ab!#$%&'*+-.^_`|~:09AZ", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("header", "cookies"),
    [
        ("", {}),
        (" ; ;; ", {}),
        ("a=b", {"a": "b"}),
        ("a=b; c=d", {"a": "b", "c": "d"}),
        ("a=b;c=d;", {"a": "b", "c": "d"}),
        ("a = b ;\tc\t=\td\t", {"a": "b", "c": "d"}),
        ("a=1; b=2; a=3", {"a": "3", "b": "2"}),
        ("a=b=c", {"a": "b=c"}),
        ("a", {"": "a"}),
        ("=a", {"": "a"}),
        ("=", {}),
        ("a=; b=c", {"a": "", "b": "c"}),
        ('a="b c"', {"a": "b c"}),
        ('a="b\\"c\\\\d"', {"a": 'b"c\\d'}),
        ('a="\\073\\054\\303\\251"', {"a": ";,\xc3\xa9"}),
        ('a="\\400\\x"', {"a": "400x"}),
        ('a="', {"a": '"'}),
        ('a=""', {"a": ""}),
        ("a=b\\073", {"a": "b\\073"}),
        ("a=\xc3\xa9", {"a": "\xc3\xa9"}),
        ("a=\xc3\xa0", {"a": "\xc3\xa0"}),
    ],
    ids=repr,
)
def test_cookies_are_read(header: str, cookies: dict[str, str]) -> None:
    assert parse_cookie(header) == cookies


@pytest.mark.parametrize(
    "header",
    ['a="b; c=d', "a=[b; c=d", 'a={"x":1,"y":2}; c=d', "a=(b; c=d", "a b; c=d"],
    ids=repr,
)
def test_nothing_swallows_a_following_cookie(header: str) -> None:
    assert parse_cookie(header)["c"] == "d"
    assert parse_cookies_to_morsels(header)["c"].value == "d"
    assert find_cookie(header, "c") == "d"


@given(printable_cookie_text)
def test_cookies_are_read_as_by_tornado(header: str) -> None:
    assert parse_cookie(header) == tornado.httputil.parse_cookie(header)


def test_only_spaces_and_tabs_are_stripped() -> None:
    # The last byte of an a with a grave accent in UTF-8 is a space to str.strip.
    assert parse_cookie("a=\xc3\xa0 ") == {"a": "\xc3\xa0"}


def tornado_request(**headers: str) -> tornado.httputil.HTTPServerRequest:
    return tornado.httputil.HTTPServerRequest(
        headers=tornado.httputil.HTTPHeaders(Host="h", **headers),
        start_line=tornado.httputil.RequestStartLine("GET", "/", "HTTP/1.1"),
    )


@given(printable_cookie_text)
def test_morsels_are_those_of_tornado(header: str) -> None:
    theirs = tornado_request(Cookie=header).cookies
    ours = parse_cookies_to_morsels(header)
    assert ours == theirs
    assert type(ours) is type(theirs)
    assert [morsel.coded_value for morsel in ours.values()] == [
        morsel.coded_value for morsel in theirs.values()
    ]


def test_names_that_morsels_refuse_are_left_out() -> None:
    header = "a/b=1; path=/; \xe9=2; =3; Expires=x; c=4"
    assert list(parse_cookies_to_morsels(header)) == ["c"]
    for name in ("a/b", "path", "\xe9", "", "Expires"):
        assert find_cookie(header, name) is None


@given(cookie_text, st.one_of(st.sampled_from(["a", "b", "ab", "", "0"]), cookie_names))
def test_one_cookie_is_found_as_all_are_read(header: str, name: str) -> None:
    morsels = parse_cookies_to_morsels(header)
    found = find_cookie(header, name)
    if found is None or name in morsels:
        assert found == (morsels[name].value if name in morsels else None)
    else:  # later versions of http.cookies refuse control characters
        assert not found.isprintable()


@pytest.mark.parametrize(
    "piece", [";", "a=b;", '"', "\\", 'a="\\0', " ", "\t;", "a", "=a"], ids=repr
)
def test_long_cookie_headers_take_linear_time(piece: str) -> None:
    # Of a million characters a quadratic reader would not see the end.
    header = 'a="' + piece * (1_000_000 // len(piece)) + '"'
    assert "a" in parse_cookie(header)
    assert find_cookie(header, "a") == parse_cookies_to_morsels(header)["a"].value


@pytest.mark.parametrize(
    ("name", "text"), [("a", "a"), (b"a:b", "a:b"), ("!#$%&'*+-.^_`|~:", None)]
)
def test_token_names_are_allowed(name: str | bytes, text: str | None) -> None:
    assert check_cookie_name(name) == (text or name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "a=",
        "a;",
        "a,",
        "a\n",
        "a\x00",
        "\xe9",
        "\u2603",
        "a/b",
        'a"',
        b"\xff",
    ],
    ids=repr,
)
def test_other_names_are_refused(name: str | bytes) -> None:
    with pytest.raises(InvalidCookieError):
        format_set_cookie(name, "v")


@pytest.mark.parametrize("name", ["path", "Path", "HTTPONLY", "max-age"])
def test_names_of_attributes_are_refused(name: str) -> None:
    with pytest.raises(InvalidCookieError, match="name of a cookie attribute"):
        format_set_cookie(name, "v")


def test_refusals_are_what_tornado_raises() -> None:
    assert issubclass(InvalidCookieError, ValueError)
    assert issubclass(InvalidCookieError, http.cookies.CookieError)


class FakeConnection:
    """What a handler of Tornado asks of a connection before it answers."""

    def set_close_callback(self, callback: object) -> None:
        """Nobody leaves."""


def tornado_set_cookie(*args: Any, **kwargs: Any) -> str:
    request = tornado_request()
    request.connection = FakeConnection()  # type: ignore[assignment] # nothing is sent
    handler = tornado.web.RequestHandler(tornado.web.Application(), request)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        handler.set_cookie(*args, **kwargs)
    (morsel,) = handler._new_cookie.values()
    return str(morsel.OutputString())


EXPIRY = (2020, 1, 2, 3, 4, 5, 0, 0, 0)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("n", "v"), {}),
        (("n", ""), {}),
        ((b"n", b"v"), {}),
        (("n", b"\xc3\xa9"), {}),
        (("n", "v", "d.com", 5, "/p", 3), {}),
        (("n", "v"), {"domain": "d.com"}),
        (("n", "v"), {"domain": ""}),
        (("n", "v"), {"domain": "\xe9"}),
        (("n", "v"), {"path": ""}),
        (("n", "v"), {"path": None}),
        (("n", "v"), {"path": '/a"b,c'}),
        (("n", "v"), {"expires": 0}),
        (("n", "v"), {"expires": 5.7}),
        (("n", "v"), {"expires": EXPIRY}),
        (("n", "v"), {"expires": datetime.datetime(2020, 1, 2)}),
        (("n", "v"), {"expires": 5, "expires_days": 1}),
        (("n", "v"), {"max_age": 5}),
        (("n", "v"), {"max_age": 0}),
        (("n", "v"), {"max_age": "5"}),
        (("n", "v"), {"max_age": 5.5}),
        (("n", "v"), {"max_age": -1}),
        (("n", "v"), {"httponly": True, "secure": True}),
        (("n", "v"), {"httponly": "x;y", "secure": False}),
        (("n", "v"), {"samesite": "lax"}),
        (("n", "v"), {"samesite": ""}),
        (("n", "v"), {"HttpOnly": True, "SECURE": False}),
        (("n", "v"), {"Path": "/y", "Domain": "e"}),
        (("n", "v"), {"Path": "", "path": "/q"}),
        (("n", "v"), {"Max-Age": 0}),
        (("n", "v"), {"Max-Age": "x"}),
        (("n", "v"), {"SameSite": "Lax"}),
        (("n", "v"), {"EXPIRES": "5"}),
        (("n", "v"), {"version": 1, "comment": "c"}),
        (("n", "v"), {"comment": 'a,"\xe9'}),
        (("n", "v"), {"comment": ""}),
        (
            ("n", "v"),
            {
                "domain": "d",
                "expires": 5,
                "path": "/p",
                "max_age": 9,
                "httponly": True,
                "secure": True,
                "samesite": "Strict",
                "Comment": "c",
                "version": 1,
            },
        ),
    ],
    ids=repr,
)
def test_cookies_are_written_as_by_tornado(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert format_set_cookie(*args, **kwargs) == tornado_set_cookie(*args, **kwargs)


def written_by_stdlib(name: str, value: str) -> str:
    cookies = http.cookies.SimpleCookie({name: value})
    cookies[name]["path"] = "/"
    return cookies[name].OutputString()


@given(cookie_names, st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF)))
def test_values_are_quoted_as_by_http_cookies_and_read_back(
    name: str, value: str
) -> None:
    text = format_set_cookie(name, value)
    assert text == written_by_stdlib(name, value)
    assert parse_cookie(text.removesuffix("; Path=/")) == {name: value}


anything = st.one_of(st.text(alphabet='ab=;," \t\r\n\x00\x7f\xe9\u2603', max_size=6))


@given(
    st.one_of(cookie_names, anything),
    anything,
    st.dictionaries(
        st.sampled_from(
            ["domain", "path", "samesite", "Domain", "PATH", "Comment", "VERSION"]
        ),
        anything,
    ),
)
def test_no_argument_adds_an_attribute_or_a_cookie(
    name: str, value: str, attributes: dict[str, Any]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            text = format_set_cookie(name, value, **attributes)
        except InvalidCookieError:
            return
    assert text.encode("latin-1").translate(None, b"\x7f" + bytes(range(32))) == (
        text.encode("latin-1")
    )
    wanted = {key.lower() for key in attributes} | {"path"}
    first, *rest = text.split("; ")
    assert first.startswith(f"{name}=")
    assert ";" not in text.replace("; ", "")
    keys = [part.partition("=")[0].lower() for part in rest]
    assert set(keys) <= wanted
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    "value", ["a b", "a\tb", "a\r\nSet-Cookie: b", "\x00", "\u0100", "\ud800"], ids=repr
)
def test_values_that_no_cookie_carries_are_refused(value: str) -> None:
    with pytest.raises(InvalidCookieError, match="url_escape") as caught:
        format_set_cookie("n", value)
    assert value not in str(caught.value)


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    with pytest.raises(InvalidCookieError, match="UTF-8"):
        format_set_cookie("n", b"\xff")


@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title])
@pytest.mark.parametrize("key", ["domain", "path", "samesite", "max-age", "expires"])
@pytest.mark.parametrize("text", ["a;b", "a b", "a\n", "\x7f", "\u2603"], ids=repr)
def test_no_attribute_in_any_case_ends_its_place(
    spelling: Any, key: str, text: str
) -> None:
    attribute: dict[str, Any] = {spelling(key): text}
    with pytest.raises((InvalidCookieError, TypeError)):
        format_set_cookie("n", "v", **attribute)


@pytest.mark.parametrize("key", ["HttpOnly", "SECURE", "Partitioned"])
def test_flags_in_any_case_are_checked_too(key: str) -> None:
    attribute: dict[str, Any] = {key: "a;b"}
    with pytest.raises(InvalidCookieError, match="Invalid cookie attribute"):
        format_set_cookie("n", "v", **attribute)


@pytest.mark.parametrize("key", ["bogus", "Max_Age", "EXPIRES_DAYS", "a;b"])
def test_unknown_attributes_are_refused(key: str) -> None:
    attribute: dict[str, Any] = {key: 1}
    with pytest.raises(InvalidCookieError, match="expected one of domain, expires"):
        format_set_cookie("n", "v", **attribute)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        pytest.param((5, "v"), {}, id="name"),
        pytest.param((None, "v"), {}, id="no name"),
        pytest.param(("n", 5), {}, id="value"),
        pytest.param(("n", None), {}, id="no value"),
        pytest.param(("n", "v"), {"domain": b"d"}, id="domain"),
        pytest.param(("n", "v"), {"path": 5}, id="path"),
        pytest.param(("n", "v"), {"samesite": True}, id="samesite"),
        pytest.param(("n", "v"), {"expires": "x"}, id="expires"),
        pytest.param(("n", "v"), {"expires_days": "x"}, id="expires_days"),
    ],
)
def test_wrong_types_are_type_errors(args: Any, kwargs: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        format_set_cookie(*args, **kwargs)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"expires_days": 1}, "Fri, 02 Jan 1970 00:00:09 GMT"),
        ({"expires_days": 0.5}, "Thu, 01 Jan 1970 12:00:09 GMT"),
        ({"expires_days": -1}, "Wed, 31 Dec 1969 00:00:09 GMT"),
        ({"expires_days": 0}, "Thu, 01 Jan 1970 00:00:09 GMT"),
        ({"expires_days": 1, "expires": 0}, "Fri, 02 Jan 1970 00:00:09 GMT"),
    ],
    ids=repr,
)
def test_days_count_from_now(
    kwargs: dict[str, Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 9.5)
    assert format_set_cookie("n", "v", **kwargs) == f"n=v; expires={text}; Path=/"


def test_an_older_expires_counts_seconds_from_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "time", lambda: 9.5)
    with pytest.warns(DeprecationWarning, match="Expires"):
        text = format_set_cookie("n", "v", Expires=5)
    assert text == "n=v; expires=Thu, 01 Jan 1970 00:00:14 GMT; Path=/"


@pytest.mark.parametrize("days", [10**9, 1e300, 10**400], ids=["9", "300", "400"])
def test_days_that_no_date_names_are_a_value_error(days: float) -> None:
    with pytest.raises(ValueError, match="out of range"):
        format_set_cookie("n", "v", expires_days=days)


def test_partitioned_is_written_in_its_place() -> None:
    text = format_set_cookie("n", "v", max_age=5, partitioned=True, secure=True)
    assert text == "n=v; Max-Age=5; Partitioned; Path=/; Secure"


def test_an_older_spelling_of_none_takes_the_attribute_away() -> None:
    with pytest.warns(DeprecationWarning, match="Path"):
        assert format_set_cookie("n", "v", Path=None) == "n=v"


def test_older_spellings_warn_at_the_line_of_the_program() -> None:
    with pytest.warns(
        DeprecationWarning, match="^Deprecated arguments to set_cookie: HttpOnly, Path;"
    ) as caught:
        format_set_cookie("n", "v", Path="/", HttpOnly=True)
    assert caught[0].filename == __file__
