"""Sessions in a signed cookie: when they are read, written, refused and forgotten."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import Answer, call
from tests.web.session_site import (
    DAY,
    SECRET,
    Browser,
    HoldingHandler,
    set_cookie,
    signed,
)
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, Session

# Read and written


def test_session_comes_back() -> None:
    browser = Browser()
    assert browser.ask("/write", {"user": "ada", "n": [1, {"é": None}]}).body == b""
    assert json.loads(browser.ask("/read").body) == {
        "user": "ada",
        "n": [1, {"é": None}],
    }


@pytest.mark.parametrize("target", ["/idle", "/idle-stream"])
def test_handler_that_does_not_ask_for_it_is_as_any_other(target: str) -> None:
    browser = Browser()
    browser.ask("/write", {"a": 1})
    answer = browser.ask(target)
    assert answer.text == "idle"
    assert {"Set-Cookie", "Vary", "Cache-Control"}.isdisjoint(answer.headers)


def test_session_that_is_only_read_is_not_written() -> None:
    browser = Browser()
    browser.ask("/write", {"a": 1})
    answer = browser.ask("/read")
    assert set_cookie(answer) is None
    assert answer.headers["Vary"] == "Cookie"
    assert "Cache-Control" not in answer.headers


def test_empty_session_of_a_new_browser_is_not_written() -> None:
    answer = Browser().ask("/read")
    assert (answer.text, set_cookie(answer)) == ("{}", None)


def test_same_values_are_not_written_again() -> None:
    browser = Browser()
    browser.ask("/write", {"a": 1})
    assert set_cookie(browser.ask("/write", {"a": 1})) is None


def test_list_that_is_changed_in_place_is_written() -> None:
    browser = Browser()
    browser.ask("/push", {})
    assert set_cookie(browser.ask("/push", {})) is not None
    assert browser.ask("/read").text == '{"list": ["more", "more"]}'


def test_empty_session_is_forgotten_by_the_browser() -> None:
    browser = Browser()
    browser.ask("/write", {"a": 1})
    cleared = set_cookie(browser.ask("/clear", {})) or ""
    assert cleared.startswith('session=""; expires=')
    assert "HttpOnly; Path=/; SameSite=Lax" in cleared
    assert browser.cookies == {}


# The cookie


def test_cookie_has_its_attributes() -> None:
    text = set_cookie(Browser().ask("/write", {"a": 1})) or ""
    _, *attributes = text.split("; ")
    assert attributes == [
        "HttpOnly",
        f"Max-Age={31 * DAY}",
        "Path=/",
        "SameSite=Lax",
    ]


def test_cookie_is_secure_under_https() -> None:
    extra = {"wsgi.url_scheme": "https"}
    assert "Secure" in (set_cookie(Browser().ask("/write", {"a": 1}, **extra)) or "")


def test_settings_change_the_cookie() -> None:
    browser = Browser(
        session_cookie_name="__Host-s",
        session_days=0.5,
        session_cookie_kwargs={"samesite": "Strict", "secure": True},
    )
    text = set_cookie(browser.ask("/write", {"a": 1})) or ""
    assert text.startswith("__Host-s=")
    assert text.endswith("; HttpOnly; Max-Age=43200; Path=/; SameSite=Strict; Secure")
    assert browser.ask("/read").text == '{"a": 1}'


def test_cookie_may_last_until_the_browser_is_closed() -> None:
    browser = Browser(session_cookie_kwargs={"max_age": None})
    assert "Max-Age" not in (set_cookie(browser.ask("/write", {"a": 1})) or "")
    # What clears it has an expiry of its own.
    assert "expires=" in (set_cookie(browser.ask("/clear", {})) or "")


def test_answer_that_sets_the_cookie_is_for_one_browser() -> None:
    answer = Browser().ask("/write", {"a": 1})
    assert answer.headers["Cache-Control"] == "private"
    assert answer.headers["Vary"] == "Cookie"


def test_handlers_own_cache_control_stays() -> None:
    answer = Browser().ask("/public")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Accept, Cookie"


def test_secret_is_needed() -> None:
    with ExpectLog("wsgitornado.application", "(?s)Uncaught.*"):
        assert Browser(cookie_secret=None).ask("/read").status_code == 500


# What is not a session


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param("", id="empty"),
        pytest.param("garbage", id="garbage"),
        pytest.param(signed('{"a":1}')[:-1] + "x", id="signature changed"),
        pytest.param(signed('{"a":1}', name="other"), id="another cookie's"),
        pytest.param(signed('{"a":1}', time.time() - 32 * DAY), id="too old"),
        pytest.param(signed("[1]"), id="signed list"),
        pytest.param(signed("{"), id="signed text that is no JSON"),
        pytest.param(signed(b"\xff"), id="signed bytes"),
        pytest.param(signed("[" * 100_000), id="signed depth"),
    ],
)
def test_what_is_no_session_is_empty_and_forgotten(cookie: str) -> None:
    browser = Browser()
    browser.cookies["session"] = cookie
    answer = browser.ask("/read")
    assert (answer.status_code, answer.text) == (200, "{}")
    assert (set_cookie(answer) or "").startswith('session=""; expires=')


def test_session_is_taken_as_long_as_it_may_last() -> None:
    browser = Browser(session_days=2)
    for age, text in (1.9, '{"a": 1}'), (2.1, "{}"):
        browser.cookies["session"] = signed('{"a":1}', time.time() - age * DAY)
        assert browser.ask("/read").text == text


def test_session_signed_with_an_old_key_is_read_and_then_signed_with_the_new() -> None:
    old = Browser(cookie_secret={1: "one"}, key_version=1)
    old.ask("/write", {"a": 1})
    new = Browser(cookie_secret={1: "one", 2: "two"}, key_version=2)
    new.cookies = old.cookies
    assert new.ask("/read").text == '{"a": 1}'
    new.ask("/write", {"b": 2})
    last = Browser(cookie_secret={2: "two"}, key_version=2)
    last.cookies = new.cookies
    assert last.ask("/read").text == '{"a": 1, "b": 2}'
    assert old.ask("/read").text == "{}"


# What cannot be saved


def hold(value: object) -> Answer:
    rules: list[Any] = [("/", HoldingHandler, {"value": value})]
    return call(Application(rules, cookie_secret=SECRET, serve_traceback=True), "/")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param("x" * 4096, "browsers keep 4093", id="too long"),
        pytest.param(b"bytes", "what JSON cannot", id="bytes"),
        pytest.param(float("nan"), "what JSON cannot", id="NaN"),
    ],
)
def test_what_cannot_be_saved_is_an_error_of_the_program(
    value: object, message: str
) -> None:
    with ExpectLog("wsgitornado.application", "(?s)Uncaught.*") as log:
        answer = hold(value)
    assert log.matched == 1
    assert answer.status_code == 500
    assert message in answer.text
    assert set_cookie(answer) is None
    assert answer.headers["Vary"] == "Cookie"


def test_longest_cookie_is_as_long_as_browsers_keep() -> None:
    room = 4093 - len(set_cookie(hold("x" * 2800)) or "")
    about = 2800 + room // 4 * 3
    lengths = []
    with ExpectLog("wsgitornado.application", "(?s)Uncaught.*"):
        for length in range(about - 3, about + 12):
            lengths.append(len(set_cookie(hold("x" * length)) or ""))
    # It grows by four, and by the quotes that some need.
    assert 4089 < max(lengths) <= 4093
    assert lengths[0] > 0
    assert lengths[-1] == 0


def test_names_are_text() -> None:
    with pytest.raises(TypeError, match="names in a session are str, not 1"):
        Session({})[1] = "a"  # type: ignore[index]  # the mistake


def test_error_page_carries_what_was_changed_before() -> None:
    browser = Browser()
    assert browser.ask("/failing").status_code == 403
    assert browser.ask("/read").text == '{"tries": 1}'


def test_error_page_in_place_of_a_saved_answer_is_as_private() -> None:
    with ExpectLog("wsgitornado.application", "(?s)Uncaught.*"):
        answer = Browser().ask("/bad-length")
    assert answer.status_code == 500
    assert set_cookie(answer) is not None
    assert answer.headers["Vary"] == "Cookie"
    assert answer.headers["Cache-Control"] == "private"


# The mapping


def test_session_is_a_mapping() -> None:
    session = Session({"a": 1, "b": [2]})
    assert session == {"a": 1, "b": [2]}
    assert (len(session), list(session), "a" in session) == (2, ["a", "b"], True)
    assert repr(session) == "Session({'a': 1, 'b': [2]})"
    assert session.pop("a") == 1
    assert session.get("a") is None


@given(
    st.dictionaries(
        st.text(max_size=20),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda values: st.lists(values, max_size=3),
            max_leaves=5,
        ),
        max_size=3,
    )
)
def test_what_json_can_say_comes_back(values: dict[str, Any]) -> None:
    browser = Browser()
    browser.ask("/write", values)
    assert json.loads(browser.ask("/read").body) == values
