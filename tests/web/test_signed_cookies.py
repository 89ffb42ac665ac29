"""Signed cookies at the handler: settings, both names, Tornado's cookies and ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import tornado.web

from tests.support import call
from tests.web.one_handler import answer
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler

SECRET = "a secret"
KEYS = {1: "first", 2: "second"}
DAY = 86400


def ask(
    step: Callable[[Any], Any],
    cookie: str | bytes | None = None,
    secret: Any = SECRET,
    **settings: Any,
) -> Any:
    """What *step* returns in a handler whose request has the cookie ``a``."""
    results = []
    text = cookie.decode() if isinstance(cookie, bytes) else cookie
    headers = [] if text is None else [("Cookie", f"a={text}")]
    reply = answer(
        lambda h: results.append(step(h)),
        headers=headers,
        cookie_secret=secret,
        **settings,
    )
    assert reply.status_code == (200 if results else 500)
    return results[0] if results else None


def raises(message: str, step: Callable[[Any], Any], **settings: Any) -> None:
    """Assert that *step* raises a RuntimeError, which says what is missing."""

    def caught(handler: Any) -> str:
        with pytest.raises(RuntimeError, match=message) as info:
            step(handler)
        return str(info.value)

    assert ask(caught, **settings)


def signed_by_tornado(
    value: str | bytes, days: float = 0, secret: Any = SECRET, **options: Any
) -> bytes:
    made = time.time() - days * DAY
    return tornado.web.create_signed_value(
        secret, "a", value, clock=lambda: made, **options
    )


def read(handler: Any) -> bytes | None:
    value: bytes | None = handler.get_signed_cookie("a")
    return value


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("set_secure_cookie", "set_signed_cookie"),
        ("get_secure_cookie", "get_signed_cookie"),
        ("get_secure_cookie_key_version", "get_signed_cookie_key_version"),
    ],
)
def test_the_old_names_are_the_same_methods(old: str, new: str) -> None:
    assert getattr(RequestHandler, old) is getattr(RequestHandler, new)


@pytest.mark.parametrize("value", ["b", "", "é€", b"\xff\0|;\r\n"], ids=repr)
@pytest.mark.parametrize("version", [None, 1, 2])
@pytest.mark.parametrize("names", ["signed", "secure"])
def test_a_cookie_comes_back(
    value: str | bytes, version: int | None, names: str
) -> None:
    reply = answer(
        lambda h: getattr(h, f"set_{names}_cookie")("a", value, version=version),
        cookie_secret=SECRET,
    )
    cookie = reply.headers["Set-Cookie"].partition(";")[0].removeprefix("a=")
    found = ask(lambda h: getattr(h, f"get_{names}_cookie")("a"), cookie)
    assert found == (value.encode() if isinstance(value, str) else value)
    theirs = tornado.web.decode_signed_value(SECRET, "a", cookie.strip('"'))
    assert theirs == found


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("secret", [SECRET, SECRET.encode()], ids=["str", "bytes"])
def test_a_cookie_of_tornado_is_read(version: int, secret: str | bytes) -> None:
    assert ask(read, signed_by_tornado("b", version=version), secret) == b"b"


def test_a_cookie_lasts_thirty_days_unless_told_otherwise() -> None:
    calls: list[tuple[Any, Any]] = []

    class Handler(RequestHandler):
        def set_cookie(self, name: str, value: Any, *args: Any, **kw: Any) -> None:
            calls.append((name, kw))

        def get(self) -> None:
            self.set_signed_cookie("a", "b")
            self.set_signed_cookie("a", "b", expires_days=None, path="/x", secure=True)
            self.set_signed_cookie("a", "b", 3)

    call(Application([("/", Handler)], cookie_secret=SECRET))
    assert calls == [
        ("a", {"expires_days": 30}),
        ("a", {"expires_days": None, "path": "/x", "secure": True}),
        ("a", {"expires_days": 3}),
    ]


@pytest.mark.parametrize(
    ("days", "max_age_days", "is_read"),
    [
        pytest.param(30.9, 31, True, id="within the default"),
        pytest.param(31.1, 31, False, id="beyond the default"),
        pytest.param(0.9, 1, True, id="within a day"),
        pytest.param(1.1, 1, False, id="beyond a day"),
        pytest.param(31.1, 40, True, id="a longer time"),
    ],
)
def test_a_cookie_is_read_until_it_is_too_old(
    days: float, max_age_days: float, is_read: bool
) -> None:
    options = {} if max_age_days == 31 else {"max_age_days": max_age_days}
    found = ask(
        lambda h: h.get_signed_cookie("a", **options), signed_by_tornado("b", days)
    )
    assert found == (b"b" if is_read else None)


def test_an_old_cookie_of_version_1_is_logged() -> None:
    with ExpectLog("wsgitornado.general", "Expired cookie"):
        assert ask(read, signed_by_tornado("b", 32, version=1)) is None


@pytest.mark.parametrize(
    ("version", "min_version", "is_read"),
    [(1, None, True), (1, 1, True), (1, 2, False), (2, None, True), (2, 2, True)],
)
def test_min_version_refuses_what_is_older(
    version: int, min_version: int | None, is_read: bool
) -> None:
    cookie = signed_by_tornado("b", version=version)
    found = ask(lambda h: h.get_signed_cookie("a", min_version=min_version), cookie)
    assert found == (b"b" if is_read else None)


def test_a_value_from_elsewhere_takes_the_place_of_the_cookie() -> None:
    cookie, other = signed_by_tornado("b"), signed_by_tornado("c")
    assert ask(lambda h: h.get_signed_cookie("a", other), cookie) == b"c"
    assert ask(lambda h: h.get_signed_cookie("a", other.decode()), cookie) == b"c"
    assert ask(lambda h: h.get_signed_cookie("a", value=""), cookie) is None
    assert ask(lambda h: h.get_signed_cookie("a", value=None), cookie) == b"b"


@pytest.mark.parametrize(
    "cookie",
    [None, "", "b", "2|", "||||", "2|1:0|10:1300000000|1:a|4:Yg==|", "3|1:0|", '"'],
    ids=repr,
)
@pytest.mark.parametrize("secret", [SECRET, KEYS], ids=["one key", "keys"])
def test_what_is_no_signed_cookie_is_none(cookie: str | None, secret: Any) -> None:
    assert ask(read, cookie, secret) is None
    assert ask(lambda h: h.get_signed_cookie_key_version("a"), "b", secret) is None


def test_another_name_is_another_cookie() -> None:
    value = signed_by_tornado("b")
    assert ask(lambda h: h.get_signed_cookie("b", value)) is None


# Several keys.


@pytest.mark.parametrize("key_version", [1, 2])
def test_the_chosen_key_signs(key_version: int) -> None:
    made = ask(
        lambda h: h.create_signed_value("a", "b"), None, KEYS, key_version=key_version
    )
    key = KEYS[key_version]
    assert tornado.web.decode_signed_value({key_version: key}, "a", made) == b"b"
    step = "get_signed_cookie_key_version"
    assert ask(lambda h: getattr(h, step)("a", made)) == key_version
    assert ask(lambda h: getattr(h, step)("a"), made) == key_version


def test_old_keys_are_read_while_they_are_kept() -> None:
    cookie = signed_by_tornado("b", secret=KEYS, key_version=1)
    assert ask(read, cookie, KEYS, key_version=2) == b"b"
    assert ask(read, cookie, KEYS) == b"b"
    assert ask(read, cookie, {2: "second"}, key_version=2) is None


def test_version_1_has_no_place_among_several_keys() -> None:
    cookie = signed_by_tornado("b", version=1)
    assert ask(read, cookie, KEYS, key_version=2) is None


def test_the_version_of_the_key_is_told_without_the_key() -> None:
    cookie = signed_by_tornado("b", secret={7: "unknown"}, key_version=7)
    assert ask(lambda h: h.get_signed_cookie_key_version("a"), cookie) == 7
    assert ask(read, cookie, KEYS) is None
    assert ask(lambda h: h.get_signed_cookie_key_version("a")) is None


def test_keys_of_which_none_is_chosen_cannot_sign() -> None:
    raises(
        "key_version setting must be used",
        lambda h: h.set_signed_cookie("a", "b"),
        secret=KEYS,
    )


def test_a_chosen_key_that_does_not_exist_is_a_mistake_of_the_program() -> None:
    def step(handler: Any) -> bool:
        with pytest.raises(KeyError):
            handler.create_signed_value("a", "b")
        return True

    assert ask(step, None, KEYS, key_version=3)


@pytest.mark.parametrize("secret", [None, "", {}], ids=repr)
@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda h: h.set_signed_cookie("a", "b"), id="set"),
        pytest.param(lambda h: h.create_signed_value("a", "b"), id="create"),
        pytest.param(lambda h: h.get_signed_cookie("a"), id="get"),
        pytest.param(lambda h: h.get_signed_cookie_key_version("a"), id="key version"),
    ],
)
def test_without_a_secret_there_are_no_signed_cookies(
    step: Callable[[Any], Any], secret: Any
) -> None:
    raises("You must define the 'cookie_secret' setting", step, secret=secret)
