"""Versions of static files: in URLs and tags, remembered, and never of other files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.folders import make_site
from tests.web.static_site import Site
from wsgitornado.testing import ExpectLog
from wsgitornado.web import HTTPError, StaticFileHandler

tornado_web: Any = pytest.importorskip("tornado.web")

DIGITS = hashlib.sha512(b"0123456789").hexdigest()
MB = 1024 * 1024


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    StaticFileHandler.reset()
    tornado_web.StaticFileHandler.reset()
    yield
    StaticFileHandler.reset()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_site(tmp_path)


def unversioned() -> ExpectLog:
    return ExpectLog("wsgitornado.general", "Could not open static file '")


def version(root: Path, path: str, **settings: Any) -> str | None:
    return StaticFileHandler.get_version({"static_path": str(root), **settings}, path)


# -- URLs


@pytest.mark.parametrize("path", ["digits.txt", "sub/style.css", "link.txt", "./a"])
@pytest.mark.parametrize("prefix", [None, "/s/", "https://cdn.example/"])
@pytest.mark.parametrize("include_version", [True, False])
def test_url_is_that_of_tornado(
    root: Path, path: str, prefix: str | None, include_version: bool
) -> None:
    (root / "a").write_text("a")
    settings: dict[str, Any] = {"static_path": str(root)}
    if prefix is not None:
        settings["static_url_prefix"] = prefix
    ours, theirs = (
        handler.make_static_url(settings, path, include_version=include_version)
        for handler in (StaticFileHandler, tornado_web.StaticFileHandler)
    )
    assert ours == theirs
    assert ("?v=" in ours) is include_version


def test_version_is_the_hash_of_the_content(root: Path) -> None:
    assert version(root, "digits.txt") == DIGITS
    assert StaticFileHandler.get_content_version(f"{root}/digits.txt") == DIGITS


def test_tag_holds_the_version(tmp_path: Path) -> None:
    assert Site(tmp_path).ask("digits.txt").headers["Etag"] == f'"{DIGITS}"'


@pytest.mark.parametrize(
    "path", ["nowhere", "sub", "", "pipe", "dangling", "circle", "a\0b", "x" * 256]
)
def test_what_is_no_file_has_a_url_without_a_version(root: Path, path: str) -> None:
    settings = {"static_path": str(root)}
    with unversioned() as expected:
        url = StaticFileHandler.make_static_url(settings, path)
        StaticFileHandler.make_static_url(settings, path)
    assert url == f"/static/{path}"
    # It is remembered: the log does not grow with every page.
    assert expected.matched == 1


@pytest.mark.parametrize("path", ["outside.txt", "outside/file"])
def test_file_that_a_link_leads_to_outside_has_no_version(
    root: Path, path: str
) -> None:
    with unversioned():
        assert version(root, path) is None


@pytest.mark.parametrize("place", ["settings", "class"])
def test_file_in_an_allowed_folder_has_a_version(root: Path, place: str) -> None:
    allowed = str(root.parent / "outside")

    class Allowing(StaticFileHandler):
        allowed_symlink_directory = allowed

    settings: dict[str, Any] = {"static_path": str(root)}
    handler: type[StaticFileHandler] = Allowing
    if place == "settings":
        handler = StaticFileHandler
        settings["static_handler_args"] = {"allowed_symlink_directory": allowed}
    expected = hashlib.sha512(b"outside").hexdigest()
    assert handler.get_version(settings, "outside.txt") == expected


@pytest.mark.parametrize(
    "path", ["/digits.txt", "../outside/file", "..", "/etc/passwd"]
)
def test_url_of_a_path_outside_is_refused(root: Path, path: str) -> None:
    with pytest.raises(HTTPError, match="is not in root static directory") as raised:
        version(root, path)
    assert raised.value.status_code == 403


def test_path_outside_is_refused_although_a_link_has_led_there(
    tmp_path: Path,
) -> None:
    outside = str(tmp_path / "outside")
    site = Site(tmp_path, arguments={"allowed_symlink_directory": outside})
    assert site.ask("outside.txt").status_code == 200
    with pytest.raises(HTTPError, match="is not in root"):
        site.handler.get_version({"static_path": str(site.root)}, "../outside/file")


def test_url_needs_the_setting() -> None:
    with pytest.raises(KeyError, match="static_path"):
        StaticFileHandler.make_static_url({}, "digits.txt")


# -- Size


class Small(StaticFileHandler):
    MAX_VERSION_CONTENT_SIZE = 10


def test_largest_versioned_size_is_that_of_tornado() -> None:
    ours, theirs = StaticFileHandler, tornado_web.StaticFileHandler
    for name in ("MAX_VERSION_CONTENT_SIZE", "MAX_CACHED_VERSIONS", "CACHE_MAX_AGE"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.MAX_VERSION_CONTENT_SIZE == 64 * MB


@pytest.mark.parametrize(("length", "has_version"), [(10, True), (11, False)])
def test_content_beyond_the_size_has_no_version(
    tmp_path: Path, length: int, has_version: bool
) -> None:
    site = Site(tmp_path, Small)
    (site.root / "file").write_bytes(b"x" * length)
    if has_version:
        url = Small.make_static_url({"static_path": str(site.root)}, "file")
    else:
        with unversioned():
            url = Small.make_static_url({"static_path": str(site.root)}, "file")
    assert ("?v=" in url) is has_version
    Small.reset()
    answer = site.ask("file", ("If-None-Match", "*"))
    assert answer.status_code == (304 if has_version else 200)
    assert ("Etag" in answer.headers) is has_version


def test_large_file_has_no_tag_but_a_date(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with (site.root / "file").open("wb") as file:
        file.truncate(64 * MB + 1)
    answer = site.ask("file", method="HEAD")
    assert "Etag" not in answer.headers
    date = answer.headers["Last-Modified"]
    part = site.ask("file", ("Range", "bytes=0-9"), ("If-Range", date))
    assert (part.status_code, part.body) == (206, bytes(10))


def test_content_of_a_program_is_measured_as_it_comes() -> None:
    taken = []

    class Endless(StaticFileHandler):
        MAX_VERSION_CONTENT_SIZE = MB

        @classmethod
        def get_content(cls, abspath: str, *args: Any) -> Iterator[bytes]:
            while True:
                taken.append(1)
                yield bytes(MB // 4)

    with pytest.raises(ValueError, match="larger than MAX_VERSION_CONTENT_SIZE"):
        Endless.get_content_version("x")
    assert len(taken) == 5


# -- What is remembered


def test_version_is_made_once(root: Path) -> None:
    made = []

    class Counting(StaticFileHandler):
        @classmethod
        def get_content_version(cls, abspath: str) -> str:
            made.append(abspath)
            return "v"

    settings = {"static_path": str(root)}
    for _ in range(3):
        assert Counting.get_version(settings, "digits.txt") == "v"
    assert made == [f"{root}/digits.txt"]
    Counting.reset()
    assert Counting.get_version(settings, "digits.txt") == "v"
    assert len(made) == 2


@pytest.mark.parametrize("is_kept", [True, False])
def test_setting_decides_whether_a_changed_file_has_a_new_url(
    root: Path, is_kept: bool
) -> None:
    before = version(root, "digits.txt", static_hash_cache=is_kept)
    (root / "digits.txt").write_text("changed")
    after = version(root, "digits.txt", static_hash_cache=is_kept)
    assert (before == after) is is_kept


@pytest.mark.parametrize("settings", [{}, {"static_hash_cache": True}, {"debug": True}])
def test_changed_file_is_always_served_with_its_own_tag(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    site = Site(tmp_path, **settings)
    first = site.ask("digits.txt").headers["Etag"]
    (site.root / "digits.txt").write_text("changed")
    answer = site.ask("digits.txt", ("If-None-Match", first))
    assert (answer.status_code, answer.text) == (200, "changed")
    tag = hashlib.sha512(b"changed").hexdigest()
    assert answer.headers["Etag"] == f'"{tag}"'


def test_file_changed_while_it_is_looked_at_is_described_as_it_is_sent(
    tmp_path: Path,
) -> None:
    class Replacing(StaticFileHandler):
        def set_extra_headers(self, path: str) -> None:
            assert self.absolute_path is not None
            if Path(self.absolute_path).read_text() == "0123456789":
                Path(f"{self.root}/new").write_text("the new content")
                os.utime(f"{self.root}/new", (1, 1))
                os.replace(f"{self.root}/new", self.absolute_path)

    answer = Site(tmp_path, Replacing).ask("digits.txt")
    assert answer.text == "the new content"
    tag = hashlib.sha512(b"the new content").hexdigest()
    assert answer.headers["Etag"] == f'"{tag}"'
    assert answer.headers["Last-Modified"] == "Thu, 01 Jan 1970 00:00:01 GMT"
    assert answer.headers["Content-Length"] == "15"


@pytest.mark.parametrize("is_kept", [True, False])
def test_content_of_a_program_is_made_anew_by_the_setting(
    tmp_path: Path, is_kept: bool
) -> None:
    contents = [b"one", b"two", b"six"]

    class Changing(StaticFileHandler):
        def validate_absolute_path(self, root: str, absolute_path: str) -> str:
            return "key"

        @classmethod
        def get_content(cls, abspath: str, *args: Any) -> bytes:
            return contents[0]

        def get_content_size(self) -> int:
            return 3

        def get_modified_time(self) -> None:
            return None

    site = Site(tmp_path, Changing, static_hash_cache=is_kept)
    first = site.ask("x").headers["Etag"]
    contents.pop(0)
    assert (site.ask("x").headers["Etag"] == first) is is_kept


def test_no_more_than_so_many_versions_are_remembered(root: Path) -> None:
    class Few(StaticFileHandler):
        MAX_CACHED_VERSIONS = 5

        @classmethod
        def get_content_version(cls, abspath: str) -> str:
            made.append(abspath)
            return "v"

    made: list[str] = []
    settings = {"static_path": str(root)}
    for number in range(6):
        Few.get_version(settings, f"file{number}")
    assert len(Few._static_hashes) == 5
    Few.get_version(settings, "file5")
    assert len(made) == 6
    Few.get_version(settings, "file0")
    assert len(made) == 7


def test_classes_do_not_share_versions(root: Path) -> None:
    class Other(StaticFileHandler):
        @classmethod
        def get_content_version(cls, abspath: str) -> str:
            return "other"

    settings = {"static_path": str(root)}
    assert Other.get_version(settings, "digits.txt") == "other"
    assert version(root, "digits.txt") == DIGITS
    assert StaticFileHandler._get_cached_version(f"{root}/digits.txt") == DIGITS
