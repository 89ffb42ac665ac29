"""The example that serves a zip archive."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile, ZipInfo

import pytest

from examples.archive import make_app
from tests.support import call
from wsgitornado.web import Application


@pytest.fixture
def application(tmp_path: Path) -> Application:
    path = tmp_path / "manual.zip"
    with ZipFile(path, "w") as archive:
        page = ZipInfo("pages/one.html", (2001, 9, 9, 1, 46, 40))
        archive.writestr(page, "<p>page one")
    return make_app(str(path))


def test_member_is_served_as_a_file(application: Application) -> None:
    answer = call(application, "/pages/one.html")
    assert answer.text == "<p>page one"
    assert answer.headers["Content-Type"] == "text/html"
    assert answer.headers["Last-Modified"] == "Sun, 09 Sep 2001 01:46:40 GMT"


@pytest.mark.parametrize("path", ["pages/two.html", "pages", "pages/", "../manual.zip"])
def test_what_is_no_member_is_a_404(application: Application, path: str) -> None:
    assert call(application, f"/{path}").status_code == 404


def test_member_has_a_tag_and_parts(application: Application) -> None:
    etag = call(application, "/pages/one.html").headers["Etag"]
    again = call(application, "/pages/one.html", headers=[("If-None-Match", etag)])
    assert again.status_code == 304
    part = call(application, "/pages/one.html", headers=[("Range", "bytes=-3")])
    assert (part.status_code, part.text) == (206, "one")
