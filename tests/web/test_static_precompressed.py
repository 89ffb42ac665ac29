"""Precompressed files beside the plain ones: chosen, described, never misplaced."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from tests.web.static_site import LAST_MODIFIED, Site
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, StaticFileHandler
from wsgitornado.web.precompressed import precompressed_codings

CSS = b"b { color: red }"


def compressed_site(
    folder: Path,
    setting: Any = True,
    handler: type[StaticFileHandler] = StaticFileHandler,
    **settings: Any,
) -> Site:
    site = Site(folder, handler, static_precompressed=setting, **settings)
    (site.root / "sub" / "style.css.gz").write_bytes(gzip.compress(CSS, mtime=0))
    (site.root / "sub" / "style.css.br").write_bytes(b"as if by brotli")
    (site.root / "sub" / "style.css.zst").write_bytes(b"as if by zstd")
    return site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return compressed_site(tmp_path)


def accept(value: str) -> tuple[str, str]:
    return ("Accept-Encoding", value)


def test_compressed_form_is_sent_with_what_describes_it(site: Site) -> None:
    plain = site.ask("sub/style.css")
    answer = site.ask("sub/style.css", accept("gzip"))
    assert gzip.decompress(answer.body) == plain.body == CSS
    assert dict(answer.headers) == {
        **dict(plain.headers),
        "Content-Encoding": "gzip",
        "Content-Length": str(len(answer.body)),
        "Etag": plain.headers["Etag"][:-1] + '-gzip"',
    }
    assert answer.headers["Content-Type"] == "text/css"
    assert answer.headers["Last-Modified"] == LAST_MODIFIED
    assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, br", "br"),
        ("br, gzip", "br"),
        ("br;q=0.5, gzip", "gzip"),
        ("gzip;q=0, br", "br"),
        ("br;q=0", None),
        ("identity, gzip;q=0.5", None),
        ("zstd", None),
        ("deflate", None),
        ("*", None),
        ("", None),
        ("gzip;q=x", None),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_client_and_then_we_choose(
    site: Site, accepted: str, coding: str | None, method: str
) -> None:
    answer = site.ask("sub/style.css", accept(accepted), method=method)
    assert answer.headers.get("Content-Encoding") == coding
    assert answer.headers["Vary"] == "Accept-Encoding"
    sizes = {"br": 15, "gzip": len(gzip.compress(CSS, mtime=0)), None: len(CSS)}
    assert answer.headers["Content-Length"] == str(sizes[coding])


@pytest.mark.parametrize(
    ("setting", "coding"),
    [
        (["zstd", "br"], "zstd"),
        (("gzip", "br"), "gzip"),
        ("gzip", "gzip"),
        ([], None),
        (False, None),
        (None, None),
    ],
    ids=str,
)
def test_setting_orders_the_codings(
    tmp_path: Path, setting: Any, coding: str | None
) -> None:
    site = compressed_site(tmp_path, setting)
    answer = site.ask("sub/style.css", accept("gzip, br, zstd"))
    assert answer.headers.get("Content-Encoding") == coding
    assert ("Vary" in answer.headers) is (coding is not None)


@pytest.mark.parametrize("setting", [["deflate"], "brotli", [b"gzip"], 5], ids=repr)
def test_coding_without_an_ending_is_refused_at_start(setting: Any) -> None:
    with pytest.raises(ValueError, match="static_precompressed is True or a list"):
        Application(static_precompressed=setting)


def test_usual_codings_are_those_of_browsers() -> None:
    assert precompressed_codings(True) == ("br", "gzip")


def test_compressed_form_has_conditions_of_its_own(site: Site) -> None:
    plain = site.ask("sub/style.css").headers["Etag"]
    coded = site.ask("sub/style.css", accept("br")).headers["Etag"]
    for tag, accepted, status in [
        (coded, "br", 304),
        (plain, "br", 200),
        (coded, "", 200),
        (plain, "", 304),
    ]:
        conditions = [("If-None-Match", tag), accept(accepted)]
        answer = site.ask("sub/style.css", *conditions)
        assert answer.status_code == status
        assert answer.headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in answer.headers


def test_range_is_one_of_the_plain_file(site: Site) -> None:
    asked = [("Range", "bytes=4-8"), accept("br, gzip")]
    answer = site.ask("sub/style.css", *asked)
    assert (answer.status_code, answer.body) == (206, CSS[4:9])
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Etag"] == site.ask("sub/style.css").headers["Etag"]


def test_download_of_the_compressed_form_begins_again(site: Site) -> None:
    tag = site.ask("sub/style.css", accept("br")).headers["Etag"]
    asked = [("Range", "bytes=4-"), ("If-Range", tag), accept("br")]
    answer = site.ask("sub/style.css", *asked)
    assert (answer.status_code, answer.body) == (200, CSS)


@pytest.mark.parametrize(
    ("path", "is_coded"), [("sub/style.css?v=1", True), ("digits.txt", False)]
)
def test_other_files_are_as_before(site: Site, path: str, is_coded: bool) -> None:
    answer = site.ask(path, accept("br"))
    assert ("Content-Encoding" in answer.headers) is is_coded
    assert ("Cache-Control" in answer.headers) is ("v=" in path)


def test_compressed_form_of_a_link_is_beside_its_target(site: Site) -> None:
    answer = site.ask("looks.txt", accept("br"))
    assert answer.body == b"as if by brotli"


def test_compressed_form_of_the_page_of_a_folder_is_sent(tmp_path: Path) -> None:
    site = Site(
        tmp_path,
        arguments={"default_filename": "index.html"},
        static_precompressed=True,
    )
    (site.root / "index.html.gz").write_bytes(gzip.compress(b"<p>index of root"))
    answer = site.ask("", accept("gzip"))
    assert gzip.decompress(answer.body) == b"<p>index of root"
    assert answer.headers["Content-Type"] == "text/html"


def test_large_compressed_form_is_streamed(site: Site) -> None:
    content = os.urandom(300_000)
    (site.root / "sub" / "style.css.br").write_bytes(content)
    answer = site.ask("sub/style.css", accept("br"))
    assert answer.body == content
    assert len(answer.chunks) == 5


@pytest.mark.parametrize(
    "kind", ["link", "link outside", "folder", "pipe", "older", "unnamable"]
)
def test_what_is_no_good_copy_is_passed_over(site: Site, kind: str) -> None:
    path = "sub/style.css"
    sibling = site.root / "sub" / "style.css.br"
    sibling.unlink()
    if kind == "link":
        sibling.symlink_to("style.css.zst")
    elif kind == "link outside":
        sibling.symlink_to("../../outside/file")
    elif kind == "folder":
        sibling.mkdir()
    elif kind == "pipe":
        os.mkfifo(sibling)
    elif kind == "older":
        sibling.write_bytes(b"of yesterday")
        seen = (site.root / path).stat()
        os.utime(sibling, ns=(0, seen.st_mtime_ns - 1))
    else:
        path = "x" * 254
        (site.root / path).write_bytes(CSS)
    assert site.ask(path, accept("br")).body == CSS
    answer = site.ask(path, accept("br, gzip;q=0.5"))
    expected = None if kind == "unnamable" else "gzip"
    assert answer.headers.get("Content-Encoding") == expected


def test_copy_of_the_same_time_is_good(site: Site) -> None:
    seen = (site.root / "sub" / "style.css").stat()
    os.utime(site.root / "sub" / "style.css.br", ns=(0, seen.st_mtime_ns))
    answer = site.ask("sub/style.css", accept("br"))
    assert answer.headers["Content-Encoding"] == "br"


def test_what_is_compressed_already_is_not_compressed_again(tmp_path: Path) -> None:
    site = compressed_site(tmp_path, compress_response=True)
    (site.root / "long.txt").write_text("a line\n" * 1000)
    assert site.ask("sub/style.css", accept("br")).body == b"as if by brotli"
    answer = site.ask("long.txt", accept("gzip"))
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"


def test_coding_that_the_program_sets_stays(tmp_path: Path) -> None:
    class Coded(StaticFileHandler):
        def set_extra_headers(self, path: str) -> None:
            self.set_header("Content-Encoding", "x-own")

    site = compressed_site(tmp_path, handler=Coded)
    answer = site.ask("sub/style.css", accept("br"))
    assert answer.headers["Content-Encoding"] == "x-own"
    assert answer.body == CSS


def test_content_of_a_program_has_no_copies(tmp_path: Path) -> None:
    class Own(StaticFileHandler):
        @classmethod
        def get_content(cls, abspath: str, *args: Any) -> bytes:
            return CSS

    answer = compressed_site(tmp_path, handler=Own).ask("sub/style.css", accept("br"))
    assert answer.body == CSS
    assert "Vary" not in answer.headers


@pytest.mark.parametrize("tag", [None, "odd"])
def test_tag_of_a_program_is_marked_where_it_can_be(
    tmp_path: Path, tag: str | None
) -> None:
    class Tagged(StaticFileHandler):
        def compute_etag(self) -> str | None:
            return tag

    answer = compressed_site(tmp_path, handler=Tagged).ask(
        "sub/style.css", accept("br")
    )
    assert answer.body == b"as if by brotli"
    assert answer.headers.get("Etag") == tag


def test_copy_that_vanishes_in_between_is_a_404(tmp_path: Path) -> None:
    class Removing(StaticFileHandler):
        def should_return_304(self) -> bool:
            os.unlink(f"{self.absolute_path}.br")
            return False

    site = compressed_site(tmp_path, handler=Removing)
    with ExpectLog("wsgitornado.general", "404", required=False):
        assert site.ask("sub/style.css", accept("br")).status_code == 404
