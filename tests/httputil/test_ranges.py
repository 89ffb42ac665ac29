"""Which part of a file a client asks for: Range, If-Range and dates."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wsgitornado.httputil.headers import format_timestamp
from wsgitornado.httputil.ranges import (
    UNSATISFIABLE,
    ByteRange,
    content_range,
    if_range_holds,
    parse_http_date,
    parse_range,
)

NINES = "9" * 25
MANY_NINES = "9" * 5000

# What a header value may hold: latin-1 without control characters, more often what
# means something in a range.
header_text = st.one_of(
    st.text(st.sampled_from("bytes=0123456789-, \t+_.x*;\xb2\xb9\xe9"), max_size=40),
    st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=40),
    st.from_regex(r"bytes=[0-9]{0,30}-[0-9]{0,30}", fullmatch=True),
)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-3", (0, 4)),
        ("bytes=3-5", (3, 6)),
        ("bytes=9-9", (9, 10)),
        ("bytes=3-", (3, 10)),
        ("bytes=9-", (9, 10)),
        ("bytes=3-9", (3, 10)),
        ("bytes=3-10", (3, 10)),
        (f"bytes=3-{NINES}", (3, 10)),
        (f"bytes=3-{MANY_NINES}", (3, 10)),
        ("bytes=-1", (9, 10)),
        ("bytes=-9", (1, 10)),
        ("bytes=007-008", (7, 9)),
        (f"bytes={'0' * 5000}7-8", (7, 9)),
        ("bytes = 1 - 2", (1, 3)),
        ("\tbytes=1-2 ", (1, 3)),
    ],
    ids=lambda value: str(value)[:30],
)
def test_one_range_is_taken(text: str, part: tuple[int, int]) -> None:
    assert parse_range(text, 10) == part


@pytest.mark.parametrize(
    "text",
    [
        "bytes=0-",
        "bytes=0-9",
        "bytes=0-10",
        f"bytes=0-{MANY_NINES}",
        "bytes=-10",
        "bytes=-11",
        f"bytes=-{NINES}",
        f"bytes=-{MANY_NINES}",
    ],
    ids=lambda text: text[:30],
)
def test_range_of_everything_is_the_whole_file(text: str) -> None:
    assert parse_range(text, 10) is None


@pytest.mark.parametrize(
    "text",
    [
        *("bytes=10-", "bytes=10-20", "bytes=11-", f"bytes={NINES}-"),
        *(f"bytes={MANY_NINES}-", f"bytes={MANY_NINES}-{MANY_NINES}"),
        *("bytes=-0", "bytes=-000", "bytes=5-3", "bytes=1-0", "bytes=20-10"),
    ],
    ids=lambda text: text[:30],
)
def test_range_without_a_byte_is_unsatisfiable(text: str) -> None:
    assert parse_range(text, 10) == UNSATISFIABLE


@pytest.mark.parametrize("text", ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"])
def test_no_range_of_an_empty_file_is_satisfiable(text: str) -> None:
    assert parse_range(text, 0) == UNSATISFIABLE


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "bytes", "bytes=", "bytes=-", "bytes= - ", "=0-3", "0-3"),
        *("items=0-3", "none", "bytes 0-3", "bytes=0", "bytes=3", "bytes:0-3"),
        *("bytes=0-3,5-6", "bytes=0-3,", "bytes=,0-3", "bytes=-1,0-0"),
        *("bytes=a-b", "bytes=0x1-3", "bytes=1.0-3", "bytes=1e1-", "bytes=1-2;q=1"),
        *("bytes=+1-3", "bytes=1-+3", "bytes=--3", "bytes=1--3", "bytes=-+3"),
        *("bytes=1_0-", "bytes=-1_0", "bytes=1 0-", "bytes=1-2-3", "bytes==1-3"),
        *("bytes=\xb2-", "bytes=\u0663-", "bytes=0-3\n", "bytes=\n0-3"),
        "bytes=" + ",".join(f"{n}-{n}" for n in range(1000)),
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_what_is_no_single_range_of_bytes_is_ignored(text: str) -> None:
    assert parse_range(text, 10) is None


@given(header_text, st.integers(0, 2**63))
@example("bytes=0-" + "0" * 5000, 1)
def test_any_header_gives_a_part_of_the_file_or_nothing(text: str, size: int) -> None:
    part = parse_range(text, size)
    if part is not None and part != UNSATISFIABLE:
        assert 0 <= part.start < part.end <= size
        assert (part.start, part.end) != (0, size)


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_part_is_the_slice_that_it_names(first: int, last: int, size: int) -> None:
    data = bytes(range(size))
    part = parse_range(f"bytes={first}-{last}", size)
    wanted = data[first : last + 1]
    if part is None:
        assert wanted == data
    else:
        assert data[part.start : part.end] == wanted


@given(st.integers(0, 100), st.integers(0, 100))
def test_suffix_is_the_end_of_the_file(count: int, size: int) -> None:
    data = bytes(range(size))
    part = parse_range(f"bytes=-{count}", size)
    wanted = data[max(size - count, 0) :]
    assert (data if part is None else data[part.start : part.end]) == wanted


def test_content_range_counts_from_zero_and_includes_the_last() -> None:
    assert content_range(ByteRange(0, 1), 1000) == "bytes 0-0/1000"
    assert content_range(ByteRange(999, 1000), 1000) == "bytes 999-999/1000"


def test_content_range_of_nothing_tells_the_size() -> None:
    assert content_range(UNSATISFIABLE, 0) == "bytes */0"


# -- Dates

BILLION = "Sun, 09 Sep 2001 01:46:40 GMT"


@pytest.mark.parametrize(
    "text",
    [
        BILLION,
        "Sunday, 09-Sep-01 01:46:40 GMT",
        "Sun Sep  9 01:46:40 2001",
        "Sun, 09 Sep 2001 01:46:40 -0000",
        "Sun, 09 Sep 2001 03:46:40 +0200",
        "Sun, 09 Sep 2001 01:46:40 GMT; length=5",
    ],
)
def test_date_is_read_in_any_of_its_forms(text: str) -> None:
    assert parse_http_date(text) == 1_000_000_000


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "x", "0", "2001-09-09", "Sun", "Sun,", ",", "*"),
        *("Sun, 99 Sep 2001 01:46:40 GMT", "Sun, 09 Sep 99999 01:46:40 GMT"),
        *("Sun, 09 Sep 2001 01:46:40 +" + "9" * 50, "Sun, 0 Sep 0000 00:00:00 GMT"),
        *(f"Sun, 09 Sep {MANY_NINES} 01:46:40 GMT", BILLION + " " * 100),
    ],
    ids=lambda text: text[:40],
)
def test_malformed_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


@pytest.mark.parametrize("length", [100, 101])
def test_date_has_a_longest_length(length: int) -> None:
    date = parse_http_date(BILLION.ljust(length))
    assert date == (1_000_000_000 if length == 100 else None)


date_text = st.text(
    st.sampled_from("SunMonSepJan 0123456789:,;-+GMT./\t\xe9\xb2"), max_size=60
)


@given(st.one_of(date_text, header_text, st.text(max_size=120)))
@example("Sun, 09 Sep 0001 00:00:00 +2359")
@example("0 Jan 0 24:60 +9999999999")
def test_no_text_fails_as_a_date(text: str) -> None:
    assert isinstance(parse_http_date(text), (int, type(None)))


@given(st.datetimes(datetime.datetime(1000, 1, 1), timezones=st.just(datetime.UTC)))
def test_date_that_we_write_is_read(moment: datetime.datetime) -> None:
    seconds = parse_http_date(format_timestamp(moment))
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    whole = moment.replace(microsecond=0)
    assert seconds == (whole - epoch) // datetime.timedelta(seconds=1)


# -- If-Range

TAG = '"abc"'


@pytest.mark.parametrize(
    "text",
    [TAG, f" {TAG}\t", BILLION, "Sunday, 09-Sep-01 01:46:40 GMT"],
)
def test_if_range_holds_for_what_we_have(text: str) -> None:
    assert if_range_holds(text, TAG, BILLION)


@pytest.mark.parametrize(
    "text",
    [
        *('"abd"', f"W/{TAG}", f"{TAG}, {TAG}", "abc", '"', "*", "", "garbage"),
        *("Sun, 09 Sep 2001 01:46:39 GMT", "Sun, 09 Sep 2001 01:46:41 GMT"),
    ],
)
def test_if_range_fails_for_anything_else(text: str) -> None:
    assert not if_range_holds(text, TAG, BILLION)


def test_weak_tag_is_never_equal() -> None:
    assert not if_range_holds('W/"abc"', 'W/"abc"', "")


@pytest.mark.parametrize("text", [TAG, BILLION, "", '""', "W/"])
def test_if_range_fails_where_we_know_neither_tag_nor_date(text: str) -> None:
    assert not if_range_holds(text, "", "")
