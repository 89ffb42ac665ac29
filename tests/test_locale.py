"""Locales: which one is found for a code, and what it translates."""

from __future__ import annotations

import datetime
import gettext
import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.catalogs import compile_catalog
from wsgitornado import locale
from wsgitornado.locale import (
    LOCALE_NAMES,
    CSVLocale,
    GettextLocale,
    Locale,
    accepted_languages,
)
from wsgitornado.testing import ExpectLog

CODES = ("de", "de_AT", "haw", "pt_BR", "zh_TW")


@pytest.fixture(autouse=True)
def supported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few locales, and en_US as the default."""
    loaded: dict[str, Locale] = {code: CSVLocale(code, {}) for code in CODES}
    monkeypatch.setattr(locale, "_catalogue", locale._Catalogue(loaded, "en_US"))


# Lookup


@pytest.mark.parametrize(
    ("codes", "found"),
    [
        pytest.param(("de_AT",), "de_AT", id="exact"),
        pytest.param(("DE-at",), "de_AT", id="hyphen and case"),
        pytest.param(("De",), "de", id="language in another case"),
        pytest.param(("de-CH",), "de", id="language without region"),
        pytest.param(("haw-US",), "haw", id="three letters"),
        pytest.param(("pt",), "en_US", id="only another region"),
        pytest.param(("fr", "pt-br", "de"), "pt_BR", id="first that is supported"),
        pytest.param(("de-DE-1996",), "en_US", id="three parts"),
        pytest.param(("zh-Hant-TW", "zh-TW"), "zh_TW", id="after three parts"),
        pytest.param(("de_",), "de", id="empty region"),
        pytest.param(("_AT",), "en_US", id="empty language"),
        pytest.param(("", "de"), "de", id="empty code"),
        pytest.param((" de",), "en_US", id="space"),
        pytest.param(("de\n",), "en_US", id="line end"),
        pytest.param(("en",), "en_US", id="language of the default"),
        pytest.param((), "en_US", id="no code"),
    ],
)
def test_closest_locale(codes: tuple[str, ...], found: str) -> None:
    assert locale.get(*codes).code == found
    assert Locale.get_closest(*codes).code == found


def test_locale_is_the_same_object_each_time() -> None:
    assert locale.get("de-AT") is Locale.get("de_AT")


def test_locale_that_is_not_supported_is_an_error_of_the_program() -> None:
    with pytest.raises(ValueError, match=r"'fr' is not supported: .*get_closest"):
        Locale.get("fr")


@given(codes=st.lists(st.text()))
def test_any_text_finds_a_supported_locale(codes: list[str]) -> None:
    before = locale.get_supported_locales()
    assert locale.get(*codes).code in before
    # Nothing of what clients ask for is kept.
    assert locale.get_supported_locales() == before


def test_default_locale_is_supported_without_translations() -> None:
    locale.set_default_locale("fr_FR")
    assert locale.get("xx").code == "fr_FR"
    assert locale.get("fr-fr").name == "Français"
    assert locale.get("en_US").code == "fr_FR"
    assert locale.get_supported_locales() == {*CODES, "fr_FR"}


def test_default_locale_has_its_translations() -> None:
    locale.set_default_locale("de")
    assert locale.get("xx") is Locale.get("de")
    assert locale.get_supported_locales() == set(CODES)


# What a locale is


@pytest.mark.parametrize(
    ("code", "name", "rtl"),
    [
        ("pt_BR", "Português (Brasil)", False),
        ("zh_TW", "中文(繁體)", False),
        ("ar_AR", "العربية", True),
        ("fa_IR", "فارسی", True),
        ("he", "Unknown", True),
        ("de", "Unknown", False),
    ],
)
def test_name_and_direction(code: str, name: str, rtl: bool) -> None:
    found = CSVLocale(code, {})
    assert (found.code, found.name, found.rtl) == (code, name, rtl)


def test_names_are_given_in_both_languages() -> None:
    assert LOCALE_NAMES["de_DE"] == {"name": "Deutsch", "name_en": "German"}
    assert all(set(names) == {"name", "name_en"} for names in LOCALE_NAMES.values())
    assert all(all(names.values()) for names in LOCALE_NAMES.values())


class Unfinished(Locale):
    """A locale of a program, without contexts."""

    def translate(
        self,
        message: str,
        plural_message: str | None = None,
        count: int | None = None,
    ) -> str:
        return message if "%" in message else message.upper()


def test_locale_of_the_program_translates_the_names_of_months() -> None:
    day = Unfinished("xx").format_day(datetime.date(2001, 2, 3))
    assert day == "SATURDAY, FEBRUARY 3"


def test_what_a_locale_must_define_is_named() -> None:
    with pytest.raises(NotImplementedError, match=r"Locale must define translate\(\)"):
        Locale("xx")
    with pytest.raises(NotImplementedError, match=r"Unfinished must define pgettext"):
        Unfinished("xx").pgettext("context", "message")


# Translations

CSV = CSVLocale(
    "de",
    {
        "unknown": {"Sign in": "Anmelden", "day": "Tag?", "days": "Tage?"},
        "singular": {"day": "Tag", "month": "Monat"},
        "plural": {"days": "Tage"},
    },
)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(("Sign in",), "Anmelden", id="translated"),
        pytest.param(("Sign out",), "Sign out", id="not translated"),
        pytest.param(("",), "", id="empty"),
        pytest.param(("Sign in", None, 2), "Anmelden", id="count without plural"),
        pytest.param(("day",), "Tag?", id="form unknown"),
        pytest.param(("day", "days", 1), "Tag", id="one"),
        pytest.param(("day", "days", 0), "Tage", id="none"),
        pytest.param(("day", "days", 2), "Tage", id="two"),
        pytest.param(("day", "days", -1), "Tage", id="minus one"),
        pytest.param(("month", "months", 1), "Monat", id="only the singular, one"),
        pytest.param(("month", "months", 2), "months", id="only the singular, two"),
        pytest.param(("Sign in", "Sign ins", 1), "Sign in", id="form of the row"),
    ],
)
def test_translation_of_a_file(
    arguments: tuple[str, str | None, int | None], text: str
) -> None:
    assert CSV.translate(*arguments) == text


def test_contexts_are_not_for_files() -> None:
    with ExpectLog("wsgitornado.general", "pgettext is not supported by CSVLocale"):
        assert CSV.pgettext("menu", "Sign in") == "Anmelden"
    with ExpectLog("wsgitornado.general", "pgettext is not supported by CSVLocale"):
        assert CSV.pgettext("menu", "day", "days", 3) == "Tage"


def test_contexts_are_no_matter_without_translations() -> None:
    assert CSVLocale("en_US", {}).pgettext("menu", "Sign in") == "Sign in"


CATALOG = gettext.GNUTranslations(
    io.BytesIO(
        compile_catalog(
            {
                "Sign in": "S'identifier",
                "day\0days": "jour\0jours",
                "month\4May": "mai",
                "menu\4file\0files": "fichier\0fichiers",
            },
            plurals="nplurals=2; plural=(n > 1);",
        )
    )
)
GETTEXT = GettextLocale("fr", CATALOG)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(("Sign in",), "S'identifier", id="translated"),
        pytest.param(("Sign out",), "Sign out", id="not translated"),
        pytest.param(("day",), "jour", id="singular alone"),
        pytest.param(("day", "days", 0), "jour", id="none, by the rule of the catalog"),
        pytest.param(("day", "days", 2), "jours", id="two"),
        pytest.param(("hour", "hours", 1), "hour", id="one, not translated"),
        pytest.param(("hour", "hours", 2), "hours", id="two, not translated"),
        pytest.param(("Sign in", None, 2), "S'identifier", id="count without plural"),
    ],
)
def test_translation_of_a_catalog(
    arguments: tuple[str, str | None, int | None], text: str
) -> None:
    assert GETTEXT.translate(*arguments) == text


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(("month", "May"), "mai", id="translated"),
        pytest.param(("wish", "May"), "May", id="another context"),
        pytest.param(("menu", "Sign in"), "Sign in", id="only without context"),
        pytest.param(("menu", "file", "files", 1), "fichier", id="one"),
        pytest.param(("menu", "file", "files", 2), "fichiers", id="two"),
        pytest.param(("menu", "day", "days", 2), "jours", id="plural without context"),
        pytest.param(("menu", "hour", "hours", 2), "hours", id="plural, not there"),
    ],
)
def test_translation_in_a_context(
    arguments: tuple[str, str, str | None, int | None], text: str
) -> None:
    assert GETTEXT.pgettext(*arguments) == text


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda: CSV.translate("day", "days"), id="csv"),
        pytest.param(lambda: GETTEXT.translate("day", "days"), id="gettext"),
        pytest.param(lambda: GETTEXT.pgettext("a", "day", "days"), id="pgettext"),
    ],
)
def test_plural_without_count_is_an_error_of_the_program(
    ask: Callable[[], str],
) -> None:
    with pytest.raises(TypeError, match="plural_message needs a count"):
        ask()


# Lists and numbers


@pytest.mark.parametrize(
    ("code", "parts", "text"),
    [
        ("en", [], ""),
        ("en", ["a"], "a"),
        ("en", ("a", "b"), "a and b"),
        ("en", ["a", "b", "c"], "a, b and c"),
        ("fa_IR", ["a", "b", "c"], "a و b and c"),
    ],
)
def test_list(code: str, parts: list[str], text: str) -> None:
    assert CSVLocale(code, {}).list(parts) == text


def test_list_is_translated() -> None:
    messages = {"%(commas)s and %(last)s": "%(commas)s und %(last)s"}
    assert CSVLocale("de", {"unknown": messages}).list("abc") == "a, b und c"


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        ("en_US", 0, "0"),
        ("en_US", 999, "999"),
        ("en_US", 1000, "1,000"),
        ("en", 1234567, "1,234,567"),
        ("en_US", -123, "-123"),
        ("en_US", -1234, "-1,234"),
        ("en_GB", 1234, "1234"),
        ("de", -1234567, "-1234567"),
    ],
)
def test_number(code: str, value: int, text: str) -> None:
    assert CSVLocale(code, {}).friendly_number(value) == text


# Accept-Language


@pytest.mark.parametrize(
    ("header", "codes"),
    [
        pytest.param("de", ["de"], id="one"),
        pytest.param("de,en-US;q=0.7,fr;q=0.3", ["de", "en-US", "fr"], id="browser"),
        pytest.param("a;q=0.1,b;q=0.9,c", ["c", "b", "a"], id="sorted"),
        pytest.param("a;q=0.5,b;q=0.5,c;q=0.5", ["a", "b", "c"], id="equal weights"),
        pytest.param(" a ; q=0.5 , b ", ["b", "a"], id="spaces"),
        pytest.param("a;q=0,b;q=0.0,c;q=0.001", ["c"], id="zero"),
        pytest.param("a;q=x,b;q=,c;q=0.1", ["c"], id="no number"),
        pytest.param("a;q=nan,b;q=-1,c;q=-inf", [], id="not above zero"),
        pytest.param("a,b;q=2", ["b", "a"], id="more than one"),
        pytest.param("a;level=1,b;q=0.5", ["a", "b"], id="other parameter"),
        pytest.param("a;q=0.5;x=1,b;q=0.6", ["b", "a"], id="parameter after"),
        pytest.param("*;q=0.5,a", ["a", "*"], id="star"),
        pytest.param("", [""], id="empty"),
        pytest.param(",", ["", ""], id="comma"),
    ],
)
def test_languages_of_a_header(header: str, codes: list[str]) -> None:
    assert accepted_languages(header) == codes


def test_hundredth_language_of_a_header_counts_and_the_next_does_not() -> None:
    before = "xx;q=0.1," * 99
    assert accepted_languages(f"{before}de,fr")[:2] == ["de", "xx"]
    assert len(accepted_languages("xx," * 100_000)) == 100


@given(header=st.text() | st.text("ab-,;q=0.1 *", max_size=60))
def test_any_header_gives_languages(header: str) -> None:
    codes = accepted_languages(header)
    assert len(codes) <= header.count(",") + 1
    assert all(code in header for code in codes)


@given(
    weights=st.dictionaries(
        st.sampled_from(["de", "fr", "en-US", "zh-TW"]),
        st.integers(0, 1000),
        min_size=1,
    )
)
def test_languages_come_in_the_order_of_their_weights(weights: dict[str, int]) -> None:
    header = ",".join(f"{code};q={q / 1000:.3f}" for code, q in weights.items())
    wanted = sorted(weights, key=lambda code: -weights[code])
    assert accepted_languages(header) == [code for code in wanted if weights[code]]
