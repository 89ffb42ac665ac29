"""Dates as a locale writes them: from "3 seconds ago" to month, day and year."""

from __future__ import annotations

import datetime
from datetime import timedelta
from typing import Any

import pytest

from tests.frozen import freeze
from wsgitornado import locale
from wsgitornado.locale import CSVLocale

#: A Tuesday.
NOW = datetime.datetime(2024, 3, 5, 15, 7, 30, tzinfo=datetime.UTC)

ENGLISH = CSVLocale("en_US", {})
GERMAN = CSVLocale(
    "de",
    {
        "unknown": {
            "March": "März",
            "Monday": "Montag",
            "yesterday": "gestern",
            "yesterday at %(time)s": "gestern um %(time)s",
            "%(weekday)s": "am %(weekday)s",
            "%(weekday)s at %(time)s": "%(weekday)s um %(time)s",
            "%(weekday)s, %(month_name)s %(day)s": (
                "%(weekday)s, %(day)s. %(month_name)s"
            ),
            "%(month_name)s %(day)s": "%(day)s. %(month_name)s",
            "%(month_name)s %(day)s at %(time)s": "%(day)s. %(month_name)s, %(time)s",
            "%(month_name)s %(day)s, %(year)s": "%(day)s. %(month_name)s %(year)s",
            "%(month_name)s %(day)s, %(year)s at %(time)s": (
                "%(day)s. %(month_name)s %(year)s, %(time)s"
            ),
        },
        "singular": {"1 second ago": "vor 1 Sekunde", "1 hour ago": "vor 1 Stunde"},
        "plural": {
            "%(seconds)d seconds ago": "vor %(seconds)d Sekunden",
            "%(minutes)d minutes ago": "vor %(minutes)d Minuten",
            "%(hours)d hours ago": "vor %(hours)d Stunden",
        },
    },
)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch, locale, NOW)


def ago(**distance: float) -> datetime.datetime:
    return NOW - timedelta(**distance)


@pytest.mark.parametrize(
    ("date", "text"),
    [
        (ago(seconds=0), "0 seconds ago"),
        (ago(seconds=1), "1 second ago"),
        (ago(seconds=49.9), "49 seconds ago"),
        (ago(seconds=50), "1 minute ago"),
        (ago(seconds=90), "2 minutes ago"),
        (ago(seconds=2999), "50 minutes ago"),
        (ago(minutes=50), "1 hour ago"),
        (ago(hours=23, minutes=50), "24 hours ago"),
        (ago(days=1), "yesterday at 3:07 pm"),
        (ago(days=1, hours=15), "yesterday at 12:07 am"),
        (ago(days=1, hours=16), "Sunday at 11:07 pm"),
        (ago(days=2), "Sunday at 3:07 pm"),
        (ago(days=5, seconds=-1), "Thursday at 3:07 pm"),
        (ago(days=5), "February 29 at 3:07 pm"),
        (ago(days=334, seconds=-1), "April 6 at 3:07 pm"),
        (ago(days=334), "April 6, 2023 at 3:07 pm"),
        (ago(seconds=-59), "0 seconds ago"),
        (ago(seconds=-60), "March 5, 2024 at 3:08 pm"),
        (ago(days=-400), "April 9, 2025 at 3:07 pm"),
    ],
)
def test_distance_from_now_decides_the_form(date: datetime.datetime, text: str) -> None:
    assert ENGLISH.format_date(date) == text


@pytest.mark.parametrize(
    ("date", "text"),
    [
        (ago(seconds=3), "3 seconds ago"),
        (ago(days=1), "yesterday"),
        (ago(days=2), "Sunday"),
        (ago(days=50), "January 15"),
        (ago(days=400), "January 30, 2023"),
        (ago(hours=-3), "March 5, 2024"),
    ],
)
def test_shorter_form_has_no_time_of_day(date: datetime.datetime, text: str) -> None:
    assert ENGLISH.format_date(date, shorter=True) == text


@pytest.mark.parametrize(
    ("date", "text"),
    [
        (ago(seconds=3), "3:07 pm"),
        (ago(hours=23), "4:07 pm"),
        (ago(days=1), "Monday at 3:07 pm"),
        (ago(days=50), "January 15 at 3:07 pm"),
        (ago(seconds=-3), "March 5, 2024 at 3:07 pm"),
    ],
)
def test_form_that_is_not_relative(date: datetime.datetime, text: str) -> None:
    assert ENGLISH.format_date(date, relative=False) == text


def test_time_of_today_stays_in_the_shorter_form() -> None:
    assert ENGLISH.format_date(ago(hours=1), relative=False, shorter=True) == "2:07 pm"


@pytest.mark.parametrize("relative", [True, False])
def test_full_format_is_always_full(relative: bool) -> None:
    def full(date: datetime.datetime, **kwargs: bool) -> str:
        return ENGLISH.format_date(date, full_format=True, relative=relative, **kwargs)

    assert full(ago(seconds=3)) == "March 5, 2024 at 3:07 pm"
    assert full(ago(seconds=3), shorter=True) == "March 5, 2024"
    assert full(ago(days=2)) == "March 3, 2024 at 3:07 pm"


@pytest.mark.parametrize(
    ("date", "gmt_offset", "text"),
    [
        pytest.param(ago(days=2), 300, "Sunday at 10:07 am", id="west"),
        pytest.param(ago(days=2), -600, "Monday at 1:07 am", id="east"),
        pytest.param(ago(days=1, hours=12), 0, "yesterday at 3:07 am", id="at zero"),
        pytest.param(ago(days=1, hours=12), 240, "Sunday at 11:07 pm", id="before"),
        pytest.param(ago(hours=1), 300, "1 hour ago", id="no matter"),
    ],
)
def test_offset_moves_the_clock_of_the_reader(
    date: datetime.datetime, gmt_offset: int, text: str
) -> None:
    assert ENGLISH.format_date(date, gmt_offset=gmt_offset) == text


@pytest.mark.parametrize(
    ("date", "text"),
    [
        pytest.param(0, "January 1, 1970 at 12:00 am", id="seconds"),
        pytest.param(-0.5, "December 31, 1969 at 11:59 pm", id="fraction"),
        pytest.param(
            datetime.datetime(2001, 2, 3, 4, 5),
            "February 3, 2001 at 4:05 am",
            id="naive",
        ),
        pytest.param(
            datetime.datetime(2001, 2, 3, tzinfo=datetime.timezone(timedelta(hours=9))),
            "February 3, 2001 at 12:00 am",
            id="with a zone",
        ),
        pytest.param(
            ago(hours=3).astimezone(datetime.timezone(timedelta(hours=9))),
            "3 hours ago",
            id="distance with a zone",
        ),
    ],
)
def test_what_is_taken_as_a_date(date: Any, text: str) -> None:
    assert ENGLISH.format_date(date) == text


@pytest.mark.parametrize("date", [datetime.date(2001, 2, 3), "2001-02-03", None])
def test_what_is_no_moment_is_an_error_of_the_program(date: Any) -> None:
    with pytest.raises(TypeError, match=r"seconds or a datetime: got .*format_day"):
        ENGLISH.format_date(date)


@pytest.mark.parametrize(
    ("code", "morning", "noon"),
    [
        ("en_US", "12:05 am", "12:00 pm"),
        ("en", "12:05 am", "12:00 pm"),
        ("en_GB", "0:05", "12:00"),
        ("fr", "0:05", "12:00"),
        ("zh_CN", "上午12:05", "下午12:00"),
        ("zh_TW", "0:05", "12:00"),
        ("fa_IR", "0:05", "12:00"),
    ],
)
def test_time_of_day(code: str, morning: str, noon: str) -> None:
    found = CSVLocale(code, {})
    day = datetime.datetime(2001, 2, 3)
    start = "February 3, 2001 at "
    assert found.format_date(day.replace(minute=5)) == start + morning
    assert found.format_date(day.replace(hour=12)) == start + noon


@pytest.mark.parametrize(
    ("date", "kwargs", "text"),
    [
        (ago(seconds=1), {}, "vor 1 Sekunde"),
        (ago(seconds=2), {}, "vor 2 Sekunden"),
        (ago(minutes=2), {}, "vor 2 Minuten"),
        (ago(hours=1), {}, "vor 1 Stunde"),
        (ago(hours=2), {}, "vor 2 Stunden"),
        (ago(days=1), {}, "gestern um 15:07"),
        (ago(days=1), {"shorter": True}, "gestern"),
        (ago(days=1), {"relative": False}, "Montag um 15:07"),
        (ago(days=1), {"relative": False, "shorter": True}, "am Montag"),
        (ago(days=-1), {"shorter": True}, "6. März 2024"),
        (ago(days=-1), {}, "6. März 2024, 15:07"),
        (datetime.datetime(2023, 4, 20), {}, "20. April, 0:00"),
        (datetime.datetime(2023, 4, 20), {"shorter": True}, "20. April"),
    ],
)
def test_every_form_can_be_translated(
    date: datetime.datetime, kwargs: dict[str, bool], text: str
) -> None:
    assert GERMAN.format_date(date, **kwargs) == text


@pytest.mark.parametrize(
    ("date", "kwargs", "text"),
    [
        (datetime.date(2024, 3, 4), {}, "Montag, 4. März"),
        (datetime.date(2024, 3, 4), {"dow": False}, "4. März"),
        (datetime.datetime(2024, 3, 5, 1), {"gmt_offset": 90}, "Montag, 4. März"),
        (datetime.datetime(2024, 3, 3, 23), {"gmt_offset": -60}, "Montag, 4. März"),
    ],
)
def test_day(date: datetime.date, kwargs: dict[str, Any], text: str) -> None:
    assert GERMAN.format_day(date, **kwargs) == text
