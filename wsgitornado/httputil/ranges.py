"""Which part of a file a client asks for: Range, If-Range and dates, as values."""

from __future__ import annotations

import calendar
import re
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

__all__ = [
    "UNSATISFIABLE",
    "ByteRange",
    "content_range",
    "if_range_holds",
    "parse_http_date",
    "parse_range",
]

# One int-range or suffix-range of RFC 9110 section 14.1.1, with white space where old
# clients put it. Nothing in it can match in two ways.
_ONE_RANGE = re.compile(
    r"[ \t]*+bytes[ \t]*+=[ \t]*+([0-9]*+)[ \t]*+-[ \t]*+([0-9]*+)[ \t]*+"
)

# No file has as many bytes as a number of more digits, and int() takes quadratic time.
_MOST_DIGITS: Final = 20
_BEYOND_ALL_FILES: Final = 10**_MOST_DIGITS

# A date of any of the three forms of RFC 9110 section 5.6.7 is shorter.
_LONGEST_DATE: Final = 100


class ByteRange(NamedTuple):
    """The bytes from ``start`` up to and without ``end``."""

    start: int
    end: int


#: No byte that was asked for is there: a 416.
UNSATISFIABLE: Final = ByteRange(0, 0)


def parse_range(text: str, size: int) -> ByteRange | None:
    """What a Range header asks of a file of this size; None is the whole file.

    >>> parse_range("bytes=2-4", 10), parse_range("bytes=-3", 10)
    (ByteRange(start=2, end=5), ByteRange(start=7, end=10))

    Tornado's rules: a header that is malformed, of another unit, or asks for several
    ranges is ignored, and so is one that asks for everything there is. A range that
    begins behind the end, or ends before its beginning, is :data:`UNSATISFIABLE`.
    Numbers may have any length.
    """
    match = _ONE_RANGE.fullmatch(text)
    if match is None:
        return None
    first, last = match.groups()
    if first:
        start = _number(first)
        end = min(_number(last) + 1, size) if last else size
    elif last:
        start = max(size - _number(last), 0)
        end = size
    else:
        return None
    if start >= end:
        return UNSATISFIABLE
    return None if (start, end) == (0, size) else ByteRange(start, end)


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else _BEYOND_ALL_FILES


def content_range(part: ByteRange, size: int) -> str:
    """The Content-Range that goes with a part, or with a 416.

    >>> content_range(ByteRange(2, 5), 10), content_range(UNSATISFIABLE, 10)
    ('bytes 2-4/10', 'bytes */10')
    """
    if part.start == part.end:
        return f"bytes */{size}"
    return f"bytes {part.start}-{part.end - 1}/{size}"


def if_range_holds(text: str, etag: str, last_modified: str) -> bool:
    """Whether a client with this If-Range has a part of what we have now.

    It is compared with our Etag and Last-Modified, empty where there is none, by the
    strong comparison of RFC 9110 section 13.1.5: a weak tag is never equal, and a date
    only if it is the same, in whatever form.
    """
    text = text.strip(" \t")
    if text.startswith(('"', "W/")):
        return text == etag and text.startswith('"')
    date = parse_http_date(text)
    return date is not None and date == parse_http_date(last_modified)


def parse_http_date(text: str) -> int | None:
    """The seconds since 1970 of a date in a header; None if it is malformed.

    >>> parse_http_date("Sun, 09 Sep 2001 01:46:40 GMT")
    1000000000

    As lenient as Tornado: the three forms of RFC 9110 section 5.6.7, other zones, and
    parameters behind the date, which old browsers send.
    """
    if len(text) > _LONGEST_DATE:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (IndexError, OverflowError, TypeError, ValueError):
        # The library's parser is written for mail, and stumbles over some dates.
        return None
    return calendar.timegm(moment.utctimetuple())
