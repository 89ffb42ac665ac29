"""The language that a handler answers in: its user's, its browser's, the program's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import Answer, call
from tests.web.one_handler import application_of
from wsgitornado import locale
from wsgitornado.locale import CSVLocale, Locale
from wsgitornado.web import RequestHandler


@pytest.fixture(autouse=True)
def supported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few languages, of which German has a word."""
    words = {"unknown": {"Sign in": "Anmelden"}}
    loaded: dict[str, Locale] = {
        "de": CSVLocale("de", words),
        "fr_CA": CSVLocale("fr_CA", {}),
        "zh_CN": CSVLocale("zh_CN", {}),
    }
    monkeypatch.setattr(locale, "_catalogue", locale._Catalogue(loaded, "en_US"))


def write_code(handler: Any) -> None:
    handler.write(handler.locale.code)


def answer(
    header: str | None = None,
    verb: Callable[[Any], object] = write_code,
    base: type[RequestHandler] = RequestHandler,
    target: str = "/",
) -> Answer:
    headers = [] if header is None else [("Accept-Language", header)]
    return call(application_of(verb, base), target, headers=headers)


@pytest.mark.parametrize(
    ("header", "code"),
    [
        pytest.param(None, "en_US", id="no header"),
        pytest.param("de-AT,de;q=0.9,en;q=0.8", "de", id="browser"),
        pytest.param("de;q=0.1,fr-ca;q=0.2", "fr_CA", id="by weight"),
        pytest.param("sv,zh-CN;q=0.5,de;q=0.1", "zh_CN", id="the first there is"),
        pytest.param("de;q=0,fr-CA;q=0.1", "fr_CA", id="refused"),
        pytest.param("sv", "en_US", id="none there is"),
        pytest.param("*", "en_US", id="star"),
        pytest.param("", "en_US", id="empty"),
        pytest.param("de;q=\xff", "en_US", id="weight that is no number"),
    ],
)
def test_browser_chooses_the_language(header: str | None, code: str) -> None:
    assert answer(header).text == code


@pytest.mark.parametrize(
    ("header", "code"),
    [
        pytest.param(None, "de", id="no header"),
        pytest.param("fr-CA;q=0", "de", id="nothing accepted"),
        pytest.param("fr-CA", "fr_CA", id="supported"),
        pytest.param("sv", "en_US", id="not supported"),
    ],
)
def test_default_is_for_browsers_that_do_not_say(header: str | None, code: str) -> None:
    def verb(handler: Any) -> None:
        handler.write(handler.get_browser_locale("de").code)

    assert answer(header, verb).text == code


class OfUser(RequestHandler):
    """The user has chosen a language, in the query."""

    def get_user_locale(self) -> Locale | None:
        code = self.get_argument("lang", None)
        return None if code is None else locale.get(code)


def test_users_choice_goes_before_the_browsers() -> None:
    assert answer("fr-CA", base=OfUser, target="/?lang=de").text == "de"


def test_user_without_a_choice_gets_the_browsers() -> None:
    assert answer("fr-CA", base=OfUser).text == "fr_CA"


@pytest.mark.parametrize(
    "code",
    ["%00", "../../etc/passwd", "d%0Ae", "%F0%9F%98%80", "-", "a" * 5000, "_" * 5000],
    ids=lambda code: code[:10],
)
def test_users_choice_may_be_any_text(code: str) -> None:
    assert answer(base=OfUser, target=f"/?lang={code}").text == "en_US"


def test_language_is_asked_for_once_and_only_when_needed() -> None:
    asked = []

    class Counting(RequestHandler):
        def get_user_locale(self) -> Locale | None:
            asked.append("user")
            return None

        def get_browser_locale(self, default: str = "en_US") -> Locale:
            asked.append("browser")
            return super().get_browser_locale(default)

    def twice(handler: Any) -> None:
        assert handler.locale is handler.locale

    answer(verb=lambda handler: None, base=Counting)
    assert asked == []
    answer(verb=twice, base=Counting)
    assert asked == ["user", "browser"]


def test_prepare_may_set_the_language() -> None:
    class Setting(RequestHandler):
        def prepare(self) -> None:
            self.locale = locale.get("zh-CN")

        def get_user_locale(self) -> Locale | None:
            raise AssertionError("asked for in vain")

    assert answer("de", base=Setting).text == "zh_CN"


def test_language_of_one_request_is_not_that_of_the_next() -> None:
    def change(handler: Any) -> None:
        if handler.get_argument("lang", None):
            handler.locale = locale.get(handler.get_argument("lang"))
        write_code(handler)

    application = application_of(change, RequestHandler)
    texts = [call(application, target).text for target in ("/?lang=de", "/")]
    assert texts == ["de", "en_US"]


def test_requests_beside_each_other_have_their_own_languages() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def verb(handler: Any) -> None:
        before = handler.locale.translate("Sign in")
        meeting.wait()
        handler.write(f"{before} {handler.locale.code}")

    application = application_of(verb, RequestHandler)
    texts: dict[str, str] = {}

    def ask(language: str) -> None:
        headers = [("Accept-Language", language)]
        texts[language] = call(application, headers=headers).text

    other = threading.Thread(target=ask, args=("de",))
    other.start()
    ask("zh-CN")
    other.join()
    assert texts == {"de": "Anmelden de", "zh-CN": "Sign in zh_CN"}


HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)


@given(header=HEADER_TEXT | st.text("deq=;,. 01-*", max_size=60))
def test_any_header_gets_an_answer(header: str) -> None:
    found = answer(header)
    assert found.status_code == 200
    assert found.text in locale.get_supported_locales()
