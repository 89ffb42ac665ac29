"""Locales beside Tornado's: the same files, codes and dates give the same texts."""

from __future__ import annotations

import datetime
import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.catalogs import write_catalog, write_files
from tests.frozen import freeze
from wsgitornado import locale as ours

theirs = pytest.importorskip("tornado.locale")

CODES = ["en_US", "en", "en_GB", "de", "zh_CN", "zh_TW", "fa_IR", "he", "ar_AR", "xx"]

CSV = (
    '"Sign in","Anmelden"\nday,Tag,singular\ndays,Tage,plural\na,b,\n,x\n'
    'only\n\n" c ", d ,unknown\n"%(commas)s and %(last)s","%(commas)s und %(last)s"\n'
    '"March","März"\n"a\r\nb",c\n"quoted ""x""","y,z"\n'
)

#: Just past midnight on a leap day, in the middle of a year, at its beginning.
NOWS = [
    datetime.datetime(2024, 2, 29, 0, 0, 10, tzinfo=datetime.UTC),
    datetime.datetime(2026, 6, 17, 13, 45, 59, tzinfo=datetime.UTC),
    datetime.datetime(2025, 1, 1, 0, 30, tzinfo=datetime.UTC),
]

AGES = sorted(
    {
        sign * step * unit + shift
        for unit in (1, 60, 3600, 86400)
        for step in (0, 1, 2, 5, 10, 23, 24, 47, 49, 50, 51, 59, 60, 89, 334, 400)
        for shift in (-1, 0, 0.5)
        for sign in (-1, 1)
    }
)


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is loaded by either, and both forget after the test."""
    monkeypatch.setattr(ours, "_catalogue", ours._Catalogue({}, "en_US"))
    monkeypatch.setattr(theirs, "_translations", {})
    monkeypatch.setattr(theirs, "_supported_locales", frozenset(["en_US"]))
    monkeypatch.setattr(theirs, "_use_gettext", False)
    monkeypatch.setattr(theirs, "_default_locale", "en_US")
    monkeypatch.setattr(theirs.Locale, "_cache", {})


def both(ask: Callable[..., Any], *arguments: Any) -> None:
    """Asked with either module, it gives the same, or raises the same kind of error."""
    expected, given = (answer(ask, module, *arguments) for module in (theirs, ours))
    assert given == expected


def answer(ask: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return ask(*arguments)
    except Exception as error:
        return type(error)


def load_both(directory: str, *arguments: str) -> None:
    for module in (theirs, ours):
        if arguments:
            module.load_gettext_translations(directory, *arguments)
        else:
            module.load_translations(directory)


def test_public_names_are_those_of_tornado() -> None:
    public = {
        name
        for name, value in vars(theirs).items()
        if getattr(value, "__module__", "tornado.locale") == "tornado.locale"
        and not name.startswith("_")
        and not isinstance(value, type(pytest))
    }
    assert public - {"annotations", "gen_log"} == set(ours.__all__)


def test_languages_are_called_the_same() -> None:
    # One English name is cut off in Tornado.
    assert theirs.LOCALE_NAMES["uk_UA"]["name_en"] == "Ukraini "
    expected = {**theirs.LOCALE_NAMES, "uk_UA": ours.LOCALE_NAMES["uk_UA"]}
    assert expected == ours.LOCALE_NAMES
    assert ours.LOCALE_NAMES["uk_UA"]["name"] == theirs.LOCALE_NAMES["uk_UA"]["name"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("now", NOWS, ids=lambda now: f"{now:%Y-%m-%d}")
def test_dates(monkeypatch: pytest.MonkeyPatch, now: Any, code: str) -> None:
    freeze(monkeypatch, ours, now)
    freeze(monkeypatch, theirs, now)
    one, other = ours.CSVLocale(code, {}), theirs.CSVLocale(code, {})
    flags = itertools.product([True, False], repeat=3)
    for (relative, shorter, full), age in itertools.product(flags, AGES):
        date = now - datetime.timedelta(seconds=age)
        for offset in (0, 300, -570):
            arguments = (date, offset, relative, shorter, full)
            assert one.format_date(*arguments) == other.format_date(*arguments)
            day = (date, offset, relative)
            assert one.format_day(*day) == other.format_day(*day)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    now=st.datetimes(datetime.datetime(1990, 1, 1), datetime.datetime(2090, 1, 1)),
    age=st.floats(-4e7, 4e7),
    zone=st.integers(-14, 14),
    offset=st.integers(-900, 900),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_any_date(
    now: datetime.datetime,
    age: float,
    zone: int,
    offset: int,
    flags: tuple[bool, bool, bool],
) -> None:
    now = now.replace(tzinfo=datetime.UTC)
    moment = now - datetime.timedelta(seconds=age)
    forms: list[Any] = [
        moment,
        moment.replace(tzinfo=None),
        moment.astimezone(datetime.timezone(datetime.timedelta(hours=zone))),
        moment.timestamp(),
        int(moment.timestamp()),
    ]
    with pytest.MonkeyPatch.context() as monkeypatch:
        freeze(monkeypatch, ours, now)
        freeze(monkeypatch, theirs, now)
        for form in forms:
            both(lambda m, f: m.get("en").format_date(f, offset, *flags), form)


@pytest.mark.parametrize(
    "date",
    [
        1e12,
        1e20,
        float("nan"),
        datetime.datetime.max,
        datetime.datetime.min,
        datetime.datetime.max.replace(tzinfo=datetime.UTC),
    ],
    ids=str,
)
def test_dates_beyond_all_years(date: Any) -> None:
    for offset in (0, 60, -60):
        both(lambda m, o: m.get("en").format_date(date, o), offset)


@pytest.mark.parametrize("code", CODES)
def test_lists_and_numbers(code: str) -> None:
    for parts in ([], ["a"], ("a", "b"), ["a", "b", "c"], "abcd", [1], [1, 2]):
        both(lambda m, p: m.CSVLocale(code, {}).list(p), parts)
    for value in (0, 1, 12, 999, 1000, 123456, 1234567, 10**30, -12, -1234, 1.5):
        both(lambda m, v: m.CSVLocale(code, {}).friendly_number(v), value)


def translated(m: Any, code: str, *arguments: Any) -> Any:
    return m.get(code).translate(*arguments)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_files(tmp_path: Path, encoding: str) -> None:
    mark = "" if encoding == "utf-16" else "\ufeff"
    files = {"de": mark + CSV, "de_AT": mark + "Sign in,Servus", "haw": mark}
    load_both(
        write_files(tmp_path, **{k: v.encode(encoding) for k, v in files.items()})
    )
    both(lambda m: m.get_supported_locales())
    messages = ["Sign in", "day", "days", "a", "", "only", "c", "x", "a\nb", "a\r\nb"]
    for code in ("de", "de_AT", "haw", "en_US", "xx"):
        both(lambda m, code: vars(m.get(code)), code)
        for one in messages:
            both(translated, code, one)
            for two, count in itertools.product(messages, (0, 1, 2, -1, 1.0)):
                both(translated, code, one, two, count)


CODE = st.text(st.sampled_from("-_ATatdeDEhw1\n "), max_size=8) | st.text(max_size=5)


def test_codes(tmp_path: Path) -> None:
    load_both(write_files(tmp_path, de="", de_AT="", haw="", at="", e="", d_E=""))

    @given(codes=st.lists(CODE, max_size=4))
    def closest(codes: list[str]) -> None:
        both(lambda m: m.get(*codes).code)

    closest()
    for default in ("de", "fr_FR", "x-y"):
        both(lambda m, code: m.set_default_locale(code), default)
        both(lambda m: (m.get("xx").code, m.get("xx").name))
        both(lambda m: m.get_supported_locales())


def in_context(m: Any, code: str, *arguments: Any) -> Any:
    return m.get(code).pgettext(*arguments)


def test_catalogs(tmp_path: Path) -> None:
    messages = {"day\0days": "jour\0jours", "month\4May": "mai", "Sign in": "Entrer"}
    inside = {"menu\4file\0menu\4files": "fichier\0fichiers", "March": "mars"}
    for code in ("fr", "haw", "zh_Hans", "es_419", "sr@latin", ".x", "es-MX"):
        write_catalog(tmp_path, code, {**messages, **inside})
    write_catalog(tmp_path, "fr_CA", {"Sign in": "Entrer ici"})
    write_catalog(tmp_path, "ru", b"wrong")
    write_catalog(tmp_path, "PT", messages)
    for name in ("tornado.general", "wsgitornado.general"):
        logging.getLogger(name).disabled = True
    try:
        load_both(str(tmp_path), "site")
    finally:
        for name in ("tornado.general", "wsgitornado.general"):
            logging.getLogger(name).disabled = False
    both(lambda m: m.get_supported_locales())
    words = ["day", "days", "May", "file", "Sign in", "none", ""]
    for code, word in itertools.product(("fr", "fr_CA", "haw", "en_US"), words):
        both(translated, code, word)
        for context in ("month", "menu", "", "x"):
            both(in_context, code, context, word)
            for count in (0, 1, 2):
                both(in_context, code, context, word, f"{word}s", count)
                both(translated, code, word, "days", count)
    both(lambda m: m.get("fr").format_date(1e9, full_format=True))
