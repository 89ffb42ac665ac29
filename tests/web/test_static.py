"""StaticFileHandler: files, their headers, folders, and the rules of static_path."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.folders import make_site
from tests.support import call
from tests.web.static_site import LAST_MODIFIED, Site
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler, StaticFileHandler, URLSpec


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def site_with_index(tmp_path: Path) -> Site:
    return Site(tmp_path, arguments={"default_filename": "index.html"})


def sha512(text: str) -> str:
    return hashlib.sha512(text.encode()).hexdigest()


# -- A file


def test_file_comes_with_what_describes_it(site: Site) -> None:
    answer = site.ask("digits.txt")
    assert answer.status == "200 OK"
    assert answer.text == "0123456789"
    assert dict(answer.headers) == {
        "Content-Type": "text/plain",
        "Accept-Ranges": "bytes",
        "Etag": f'"{sha512("0123456789")}"',
        "Last-Modified": LAST_MODIFIED,
        "Content-Length": "10",
    }


def test_large_file_comes_whole(site: Site) -> None:
    answer = site.ask("large.bin")
    assert answer.body == (site.root / "large.bin").read_bytes()
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert len(answer.chunks) > 1


@pytest.mark.parametrize("size", [65536, 65537])
def test_files_around_the_size_of_a_chunk_come_whole(site: Site, size: int) -> None:
    content = os.urandom(size)
    (site.root / "file").write_bytes(content)
    answer = site.ask("file")
    assert answer.body == content
    # What fits is read at once, and a list of it is the quickest for servers.
    assert [len(chunk) for chunk in answer.chunks] == [65536, 1][: size - 65535]


def test_empty_file_is_empty(site: Site) -> None:
    answer = site.ask("empty.txt")
    assert (answer.status_code, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == "0"


@pytest.mark.parametrize("path", ["digits.txt", "large.bin", "empty.txt"])
@pytest.mark.parametrize("query", ["", "?v=1"])
def test_head_has_the_headers_of_get(site: Site, path: str, query: str) -> None:
    head = site.ask(path + query, method="HEAD")
    assert head.body == b""
    assert dict(head.headers) == dict(site.ask(path + query).headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_not_allowed(site: Site, method: str) -> None:
    assert site.ask("digits.txt", method=method).status_code == 405


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("sub/style.css", "b { color: red }"),
        ("sub//style.css", "b { color: red }"),
        ("./sub/./style.css", "b { color: red }"),
        ("sub/../digits.txt", "0123456789"),
        ("digits.txt/", "0123456789"),
        ("a%20b%252e%3F.txt", "a name to be quoted"),
        ("caf%C3%A9.txt", "a name to be encoded"),
        ("%64igits.txt", "0123456789"),
        ("sub%2Fstyle.css", "b { color: red }"),
    ],
)
def test_file_is_found_by_any_spelling(site: Site, target: str, text: str) -> None:
    assert site.ask(target).text == text


@pytest.mark.parametrize(
    ("query", "is_versioned"),
    [("", False), ("?w=1", False), ("?v=1", True), ("?v=", True), ("?x=%ff&v", True)],
)
def test_versioned_urls_may_be_kept_for_ten_years(
    site: Site, query: str, is_versioned: bool
) -> None:
    headers = site.ask(f"digits.txt{query}").headers
    kept = "max-age=315360000" if is_versioned else None
    assert headers.get("Cache-Control") == kept
    assert ("Expires" in headers) is is_versioned


def test_file_that_is_not_there_is_a_404(site: Site) -> None:
    answer = site.ask("nowhere.txt")
    assert answer.status_code == 404
    assert not {"Etag", "Accept-Ranges", "Last-Modified"} & set(answer.headers)


@pytest.mark.parametrize("path", ["", "sub", "sub/", "plain/", ".", "sub/.."])
def test_folder_is_a_403(site: Site, path: str) -> None:
    with ExpectLog("wsgitornado.general", "403 GET .*is not a file"):
        assert site.ask(path).status_code == 403


@pytest.mark.parametrize("root", ["relative", "slash", "link", "dots"])
def test_root_may_be_spelled_in_any_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: str
) -> None:
    site = make_site(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "current").symlink_to("root")
    roots = {
        "relative": "root",
        "slash": f"{site}/",
        "link": f"{tmp_path}/current",
        "dots": f"{tmp_path}/outside/../root",
    }
    rule = ("/(.*)", StaticFileHandler, {"path": roots[root]})
    application = Application([rule])
    for path in ("digits.txt", "link.txt", "sub/../link.txt"):
        assert call(application, f"/{path}").text == "0123456789"
    with ExpectLog("wsgitornado.general", "403"):
        assert call(application, "/../outside/file").status_code == 403


def test_handler_knows_what_it_serves(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    class Telling(StaticFileHandler):
        def set_extra_headers(self, path: str) -> None:
            seen.update(vars(self), argument=path)

    site = Site(tmp_path, Telling, {"default_filename": "index.html"})
    site.ask("sublink/")
    assert seen["path"] == seen["argument"] == "sublink/"
    assert seen["root"] == str(site.root)
    assert seen["absolute_path"] == f"{site.root}/sub/index.html"
    assert seen["modified"].isoformat() == "2001-09-09T01:46:40+00:00"


# -- Folders with a page of their own


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("", "<p>index of root"),
        ("sub/", "<p>index of sub"),
        ("sub//", "<p>index of sub"),
        ("sublink/", "<p>index of sub"),
        ("./", "<p>index of root"),
    ],
)
def test_folder_shows_its_page(site_with_index: Site, path: str, text: str) -> None:
    answer = site_with_index.ask(path)
    assert answer.text == text
    assert answer.headers["Content-Type"] == "text/html"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["", "?x=1"])
def test_folder_without_a_slash_is_redirected_to_one(
    site_with_index: Site, method: str, query: str
) -> None:
    answer = site_with_index.ask(f"sub{query}", method=method)
    assert answer.status_code == 301
    assert answer.headers["Location"] == "/files/sub/"


def test_redirect_stays_below_the_mount_point(site_with_index: Site) -> None:
    answer = site_with_index.ask("sub", SCRIPT_NAME="/a b/app")
    assert answer.headers["Location"] == "/a%20b/app/files/sub/"


@pytest.mark.parametrize(
    ("name", "location"),
    [
        ("a%3Fb", "/files/a%3Fb/"),
        ("a%23b", "/files/a%23b/"),
        ("a%25b", "/files/a%25b/"),
        ("a%20b", "/files/a%20b/"),
        ("caf%C3%A9", "/files/caf%C3%A9/"),
        ("a%0D%0ASet-Cookie:x=y", "/files/a%0D%0ASet-Cookie:x=y/"),
        ("%2E%2Ehidden", "/files/%2E%2Ehidden/"),
    ],
)
@pytest.mark.parametrize("tells_target", [True, False], ids=["raw target", "decoded"])
def test_nothing_in_a_path_leaves_its_place_in_the_location(
    site_with_index: Site, name: str, location: str, tells_target: bool
) -> None:
    (site_with_index.root / unquote(name)).mkdir()
    raw = {"REQUEST_URI": f"/files/{name}"} if tells_target else {}
    answer = site_with_index.ask(name, **raw)
    sent = answer.headers["Location"]
    if not tells_target:
        location = location.replace("%2E", ".")
    assert sent == location


@pytest.mark.parametrize(
    "target", ["//sub", "///sub", "/%5Csub", "/%09/sub", "//evil.example/%2e%2e/sub"]
)
def test_redirect_never_leads_to_another_host(tmp_path: Path, target: str) -> None:
    root = make_site(tmp_path)
    for name in ("\\sub", "\t"):
        (root / name / "sub").mkdir(parents=True)

    class Anywhere(StaticFileHandler):
        def parse_url_path(self, url_path: str) -> str:
            return url_path.lstrip("/")

    arguments = {"path": str(root), "default_filename": "index.html"}
    application = Application([("/(.*)", Anywhere, arguments)])
    with ExpectLog("wsgitornado.general", "403", required=False):
        answer = call(application, target)
    location = answer.headers.get("Location", "/")
    assert answer.status_code in (301, 403, 404)
    assert not location.startswith(("//", "/\\", "/\t"))


@pytest.mark.parametrize(
    ("page", "status"),
    [
        ("nowhere.html", 404),
        ("sub", 403),
        ("pipe", 403),
        ("../outside/file", 403),
        ("outside.txt", 403),
        ("dangling", 404),
        ("link.txt", 200),
        ("sub/index.html", 200),
    ],
)
def test_page_of_a_folder_is_checked_as_any_file(
    tmp_path: Path, page: str, status: int
) -> None:
    site = Site(tmp_path, arguments={"default_filename": page})
    with ExpectLog("wsgitornado.general", "403 GET", required=status == 403):
        assert site.ask("").status_code == status


def test_file_is_served_where_folders_have_pages(site_with_index: Site) -> None:
    assert site_with_index.ask("digits.txt").text == "0123456789"
    assert site_with_index.ask("plain/").status_code == 404


# -- The rules of static_path


class Own(RequestHandler):
    def get(self, *args: str) -> None:
        self.write("own")


def served(tmp_path: Path, *rules: Any, **settings: Any) -> Application:
    settings.setdefault("static_path", str(make_site(tmp_path)))
    return Application(list(rules), **settings)


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/static/digits.txt", "0123456789"),
        ("/static/sub/style.css", "b { color: red }"),
        ("/robots.txt", "User-agent: *"),
        ("/favicon.ico", "an icon"),
    ],
)
def test_static_path_serves_by_itself(tmp_path: Path, target: str, text: str) -> None:
    assert call(served(tmp_path), target).text == text


@pytest.mark.parametrize("target", ["/static/", "/robots.txt", "/favicon.ico"])
@pytest.mark.parametrize("path", [None, ""])
def test_without_static_path_nothing_is_served(target: str, path: str | None) -> None:
    assert call(Application(static_path=path), target).status_code == 404


def test_files_come_before_the_rules_of_the_program(tmp_path: Path) -> None:
    application = served(tmp_path, ("/static/(.*)", Own), ("/(.*)", Own))
    assert call(application, "/static/digits.txt").text == "0123456789"
    assert call(application, "/static/nowhere").status_code == 404
    assert call(application, "/static").text == "own"


@pytest.mark.parametrize("prefix", ["/s/", "/a.b+c/", "/s"])
def test_prefix_is_taken_as_it_is(tmp_path: Path, prefix: str) -> None:
    application = served(tmp_path, ("/(.*)", Own), static_url_prefix=prefix)
    assert call(application, f"{prefix}digits.txt").text == "0123456789"
    assert call(application, "/aXb+c/digits.txt").text == "own"
    assert call(application, "/robots.txt").text == "User-agent: *"


def test_class_and_arguments_of_the_handler_are_settings(tmp_path: Path) -> None:
    class Loud(StaticFileHandler):
        def set_extra_headers(self, path: str) -> None:
            self.set_header("X-Loud", path)

    arguments = {"default_filename": "index.html", "path": "/not/this"}
    application = served(
        tmp_path, static_handler_class=Loud, static_handler_args=arguments
    )
    answer = call(application, "/static/")
    assert answer.text == "<p>index of root"
    assert answer.headers["X-Loud"] == ""
    assert call(application, "/robots.txt").headers["X-Loud"] == "robots.txt"
    # The program's own dictionary stays as it is.
    assert arguments["path"] == "/not/this"
    assert application.static_handler_class is Loud


def test_static_handler_class_is_ours_by_default() -> None:
    assert Application().static_handler_class is StaticFileHandler


# -- A rule without a group


def no_group(pattern: str = "/file") -> Any:
    return (pattern, StaticFileHandler, {"path": "."})


@pytest.mark.parametrize(
    "rules",
    [
        [no_group()],
        [URLSpec(*no_group())],
        [("/fil.*", [no_group()])],
        [("/file", "wsgitornado.web.StaticFileHandler", {"path": "."})],
    ],
    ids=["tuple", "URLSpec", "nested", "dotted name"],
)
def test_rule_without_a_group_warns_at_start_and_fails(rules: Any) -> None:
    warning = "the pattern '/file.' of a StaticFileHandler has no group"
    with ExpectLog("wsgitornado.general", warning) as expected:
        application = Application(rules)
    assert expected.matched == 1
    for _ in range(2):
        with ExpectLog("wsgitornado.application", "Uncaught exception") as failed:
            assert call(application, "/file").status_code == 500
        assert failed.logged_stack


def test_handler_that_needs_no_group_is_left_in_peace(tmp_path: Path) -> None:
    class Page(StaticFileHandler):
        def get(self) -> Any:  # type: ignore[override]  # no group, no argument
            return super().get("index.html")

    rule = ("/", Page, {"path": str(make_site(tmp_path))})
    assert call(Application([rule]), "/").text == "<p>index of root"


@pytest.mark.parametrize("pattern", ["/(?P<path>.*)", "/(.*)"])
def test_group_may_have_a_name(tmp_path: Path, pattern: str) -> None:
    rule = (pattern, StaticFileHandler, {"path": str(make_site(tmp_path))})
    assert call(Application([rule]), "/digits.txt").text == "0123456789"
    assert call(Application([rule]), "/digits.txt", "HEAD").status_code == 200
