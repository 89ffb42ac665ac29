"""Files on conditions and in parts: 304, 206 and 416, as clients ask for them."""

from __future__ import annotations

import datetime
import email.utils
import os
from pathlib import Path
from typing import Any

import pytest

from tests.folders import MODIFIED
from tests.web.static_site import LAST_MODIFIED, Site
from wsgitornado.web import StaticFileHandler

BEFORE = email.utils.formatdate(MODIFIED - 1, usegmt=True)
AFTER = email.utils.formatdate(MODIFIED + 1, usegmt=True)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def etag(site: Site) -> str:
    return site.ask("digits.txt").headers["Etag"]


# -- 304


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "{},", "*"])
def test_client_that_has_the_content_gets_a_304(
    site: Site, etag: str, form: str, method: str
) -> None:
    condition = ("If-None-Match", form.format(etag))
    answer = site.ask("digits.txt", condition, method=method)
    assert answer.status == "304 Not Modified"
    assert dict(answer.headers) == {
        "Accept-Ranges": "bytes",
        "Etag": etag,
        "Last-Modified": LAST_MODIFIED,
    }


@pytest.mark.parametrize("value", ['"x"', "", '"', "x", "W/", '"" , ""', "\xe9"])
def test_other_tags_get_the_file(site: Site, value: str) -> None:
    assert site.ask("digits.txt", ("If-None-Match", value)).text == "0123456789"


@pytest.mark.parametrize(
    ("date", "status"),
    [(BEFORE, 200), (LAST_MODIFIED, 304), (AFTER, 304)],
    ids=["before", "then", "after"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_file_that_was_changed_since_is_sent(
    site: Site, date: str, status: int, method: str
) -> None:
    # It was changed half a second later than the header can say.
    answer = site.ask("digits.txt", ("If-Modified-Since", date), method=method)
    assert answer.status_code == status


@pytest.mark.parametrize(
    "date",
    ["", "x", "0", "Sun, 99 Sep 2001 01:46:40 GMT", "9" * 5000],
    ids=lambda date: date[:12],
)
def test_malformed_date_is_ignored(site: Site, date: str) -> None:
    answer = site.ask("digits.txt", ("If-Modified-Since", date))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("tag", "date", "status"),
    [("{}", BEFORE, 304), ('"x"', AFTER, 200), ("*", BEFORE, 304), ("", AFTER, 304)],
    ids=["has it", "has another", "has any", "no tag"],
)
def test_tag_counts_more_than_the_date(
    site: Site, etag: str, tag: str, date: str, status: int
) -> None:
    conditions = [("If-None-Match", tag.format(etag)), ("If-Modified-Since", date)]
    assert site.ask("digits.txt", *conditions).status_code == status


def test_304_comes_before_any_range(site: Site, etag: str) -> None:
    for asked in ("bytes=0-3", "bytes=50-"):
        conditions = [("If-None-Match", etag), ("Range", asked)]
        answer = site.ask("digits.txt", *conditions)
        assert answer.status_code == 304
        assert "Content-Range" not in answer.headers


def test_versioned_304_says_again_how_long_to_keep_it(site: Site, etag: str) -> None:
    answer = site.ask("digits.txt?v=1", ("If-None-Match", etag))
    assert answer.headers["Cache-Control"] == "max-age=315360000"


@pytest.mark.parametrize(
    "modified",
    [
        datetime.datetime(2001, 9, 9, 1, 46, 40),
        datetime.datetime(2001, 9, 9, 1, 46, 40, 999, datetime.UTC),
        datetime.datetime.fromisoformat("2001-09-09T03:46:40+02:00"),
        None,
    ],
    ids=["naive", "aware", "other zone", "unknown"],
)
def test_program_says_when_content_was_changed(tmp_path: Path, modified: Any) -> None:
    class Dated(StaticFileHandler):
        def get_modified_time(self) -> datetime.datetime | None:
            return modified  # type: ignore[no-any-return]  # a parameter

    site = Site(tmp_path, Dated)
    answer = site.ask("digits.txt", ("If-Modified-Since", LAST_MODIFIED))
    assert answer.status_code == (200 if modified is None else 304)
    assert answer.headers.get("Last-Modified") == (modified and LAST_MODIFIED)
    answer = site.ask("digits.txt", ("If-Modified-Since", BEFORE))
    assert answer.status_code == 200


# -- Ranges


@pytest.mark.parametrize(
    ("asked", "content_range", "text"),
    [
        ("bytes=0-3", "bytes 0-3/10", "0123"),
        ("bytes=4-4", "bytes 4-4/10", "4"),
        ("bytes=7-", "bytes 7-9/10", "789"),
        ("bytes=7-100", "bytes 7-9/10", "789"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=7-" + "9" * 5000, "bytes 7-9/10", "789"),
    ],
    ids=lambda value: value[:15],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_one_range_is_a_206(
    site: Site, asked: str, content_range: str, text: str, method: str
) -> None:
    answer = site.ask("digits.txt", ("Range", asked), method=method)
    assert answer.status == "206 Partial Content"
    assert answer.text == ("" if method == "HEAD" else text)
    assert answer.headers["Content-Range"] == content_range
    assert answer.headers["Content-Length"] == str(len(text))
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["Last-Modified"] == LAST_MODIFIED


@pytest.mark.parametrize(
    "asked",
    ["bytes=10-", "bytes=10-20", "bytes=5-3", "bytes=-0", "bytes=" + "9" * 5000 + "-"],
    ids=lambda asked: asked[:12],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_range_behind_the_end_is_a_416(site: Site, asked: str, method: str) -> None:
    answer = site.ask("digits.txt", ("Range", asked), method=method)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */10"
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.body == b""


@pytest.mark.parametrize(
    "asked",
    [
        *("", "x", "bytes", "bytes=", "bytes=-", "bytes=a-b", "items=0-3"),
        *("bytes=0-9", "bytes=0-", "bytes=-10", "bytes=-" + "9" * 5000),
        *("bytes=0-0,2-3", "bytes=-1,0-0", "bytes=" + "0-," * 2000 + "0-"),
        *("bytes=+1-3", "bytes=1_0-", "bytes=--3"),
    ],
    ids=lambda asked: asked[:15],
)
def test_anything_else_is_the_whole_file_once(site: Site, asked: str) -> None:
    answer = site.ask("digits.txt", ("Range", asked))
    assert (answer.status_code, answer.text) == (200, "0123456789")
    assert "Content-Range" not in answer.headers


def test_no_range_of_an_empty_file_is_there(site: Site) -> None:
    answer = site.ask("empty.txt", ("Range", "bytes=0-0"))
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == "bytes */0"


@pytest.mark.parametrize(
    ("start", "end"), [(1, 262_144), (0, 262_143), (100, 200), (65_536, 131_073)]
)
def test_part_of_a_large_file_is_sent_in_chunks(
    site: Site, start: int, end: int
) -> None:
    content = (site.root / "large.bin").read_bytes()
    answer = site.ask("large.bin", ("Range", f"bytes={start}-{end - 1}"))
    assert answer.body == content[start:end]
    assert max(map(len, answer.chunks)) <= 65_536


@pytest.mark.parametrize("kind", ["tag", "date"])
def test_range_goes_on_with_what_the_client_has(
    site: Site, etag: str, kind: str
) -> None:
    if_range = etag if kind == "tag" else LAST_MODIFIED
    answer = site.ask("digits.txt", ("Range", "bytes=5-"), ("If-Range", if_range))
    assert (answer.status_code, answer.text) == (206, "56789")


@pytest.mark.parametrize(
    "if_range", ['"x"', "W/{}", BEFORE, AFTER, "", "*", "x", "{}, {}", "9" * 5000]
)
@pytest.mark.parametrize("asked", ["bytes=5-", "bytes=50-"])
def test_client_with_another_part_gets_the_whole_file(
    site: Site, etag: str, if_range: str, asked: str
) -> None:
    condition = ("If-Range", if_range.format(etag, etag))
    answer = site.ask("digits.txt", ("Range", asked), condition)
    assert (answer.status_code, answer.text) == (200, "0123456789")


def test_if_range_without_a_range_means_nothing(site: Site, etag: str) -> None:
    assert site.ask("digits.txt", ("If-Range", etag)).status_code == 200


def test_download_does_not_go_on_with_a_file_that_was_changed(
    site: Site, etag: str
) -> None:
    (site.root / "digits.txt").write_text("ABCDEFGHIJ")
    os.utime(site.root / "digits.txt", (MODIFIED, MODIFIED))
    answer = site.ask("digits.txt", ("Range", "bytes=5-"), ("If-Range", etag))
    assert (answer.status_code, answer.text) == (200, "ABCDEFGHIJ")
    assert answer.headers["Etag"] != etag
