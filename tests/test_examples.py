"""The example programs, asked through webtest."""

from __future__ import annotations

import contextlib
import importlib
import sqlite3
import threading
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples import hello
from wsgitornado.testing import ExpectLog

# webob's own import warns about `cgi`, and importorskip keeps that quiet.
TestApp: Any = pytest.importorskip("webtest").TestApp

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
GIF = b"GIF89a\x01\x00\x01\x00"
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L"

HOSTILE = """</textarea>"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;"""


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guestbook") / "data"


@pytest.fixture(scope="session")
def guestbook(data_dir: Path) -> ModuleType:
    # Its app opens the book at import: here, and not in the current folder.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUESTBOOK_DATA", str(data_dir))
        return importlib.import_module("examples.guestbook")


@pytest.fixture
def site(guestbook: ModuleType, tmp_path: Path) -> Any:
    """A browser in front of an empty guestbook."""
    return TestApp(guestbook.make_app(tmp_path))


def write(
    site: Any,
    message: str = "Lovely place",
    name: str = "Ada",
    picture: bytes | None = None,
    status: int = 303,
) -> Any:
    uploads = [("picture", "cat.png", picture)] if picture is not None else []
    return site.post(
        "/entries",
        {"name": name, "message": message},
        upload_files=uploads,
        status=status,
    )


def entries(site: Any, page: int = 1) -> Any:
    return site.get(f"/entries.json?page={page}").json["entries"]


def messages(site: Any, page: int = 1) -> list[str]:
    return [entry["message"] for entry in entries(site, page)]


# --- hello ------------------------------------------------------------------------


def test_hello_says_hello() -> None:
    answer = TestApp(hello.app).get("/")
    assert answer.text == "Hello, world"
    assert answer.content_type == "text/html"


# --- The book and its folder ------------------------------------------------------


def test_app_of_the_module_keeps_its_data_in_the_folder_of_the_environment(
    guestbook: ModuleType, data_dir: Path
) -> None:
    write(TestApp(guestbook.app), "written through the module")
    assert "written through the module" in TestApp(guestbook.make_app(data_dir)).get(
        "/"
    )


def test_data_lies_below_the_current_folder_unless_told(
    guestbook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GUESTBOOK_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    guestbook.make_app()
    assert (tmp_path / "guestbook-data" / "guestbook.sqlite3").is_file()


def test_entries_outlive_the_program(guestbook: ModuleType, tmp_path: Path) -> None:
    write(TestApp(guestbook.make_app(tmp_path)), "kept")
    assert messages(TestApp(guestbook.make_app(tmp_path))) == ["kept"]


def test_threads_write_at_the_same_time(guestbook: ModuleType, tmp_path: Path) -> None:
    app = guestbook.make_app(tmp_path)

    def write_three(visitor: int) -> None:
        for number in range(3):
            write(TestApp(app), f"{visitor}.{number}")

    threads = [threading.Thread(target=write_three, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    found = messages(TestApp(app), 1) + messages(TestApp(app), 2)
    assert sorted(found) == [f"{v}.{n}" for v in range(4) for n in range(3)]


# --- Writing an entry -------------------------------------------------------------


def test_empty_book_shows_the_form(site: Any) -> None:
    answer = site.get("/")
    assert answer.forms["write"].action == "/entries"
    assert answer.forms["write"]["name"].value == ""
    assert "article" not in answer


def test_form_written_by_hand_becomes_an_entry(site: Any) -> None:
    form = site.get("/").forms["write"]
    form["name"] = "Ada"
    form["message"] = "First\nSecond"
    answer = form.submit()
    assert answer.status == "303 See Other"
    assert answer.headers["Location"] == "/#entry-1"
    page = answer.follow()
    article = page.html.find(id="entry-1")
    assert article.find("h2").text == "Ada"
    assert article.find(class_="message").text == "First\nSecond"
    assert article.find("time")["datetime"].endswith("+00:00")


def test_urlencoded_form_becomes_an_entry(site: Any) -> None:
    site.post("/entries", {"name": "Ada", "message": "plain"}, status=303)
    assert messages(site) == ["plain"]


def test_newest_entry_comes_first(site: Any) -> None:
    for message in ("one", "two", "three"):
        write(site, message)
    assert messages(site) == ["three", "two", "one"]
    shown = [p.text for p in site.get("/").html.find_all(class_="message")]
    assert shown == ["three", "two", "one"]


@pytest.mark.parametrize(
    ("name", "message", "field"),
    [
        pytest.param("", "hello", "name", id="no name"),
        pytest.param(" \t ", "hello", "name", id="blank name"),
        pytest.param("a" * 61, "hello", "name", id="name too long"),
        pytest.param("Ada", "", "message", id="no message"),
        pytest.param("Ada", " \r\n ", "message", id="blank message"),
        pytest.param("Ada", "m" * 2001, "message", id="message too long"),
    ],
)
def test_refused_form_keeps_its_texts_and_says_why(
    site: Any, name: str, message: str, field: str
) -> None:
    answer = write(site, message, name, status=422)
    problems = [p["id"] for p in answer.html.find_all(class_="problem")]
    assert problems == [f"{field}-problem"]
    marked = answer.html.find(attrs={"aria-invalid": "true"})
    assert marked["id"] == field
    assert marked["aria-describedby"] == f"{field}-problem"
    assert answer.forms["write"]["name"].value == " ".join(name.split())
    assert answer.forms["write"]["message"].value == message.strip()
    assert answer.headers.getall("Set-Cookie") == []
    assert entries(site) == []


def test_missing_fields_are_empty_fields(site: Any) -> None:
    answer = site.post("/entries", {}, status=422)
    problems = [p["id"] for p in answer.html.find_all(class_="problem")]
    assert problems == ["name-problem", "message-problem"]


def test_longest_texts_are_taken(site: Any) -> None:
    write(site, name="😀" * 60, message="m" * 2000)
    (entry,) = entries(site)
    assert entry["name"] == "😀" * 60
    assert entry["message"] == "m" * 2000


def test_line_ends_of_browsers_count_as_one_character(site: Any) -> None:
    write(site, "a" + "\r\n" * 1998 + "b")
    assert messages(site) == ["a" + "\n" * 1998 + "b"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Žluťoučký kůň", id="Czech"),
        pytest.param("שלום 😀 你好", id="Hebrew, emoji and Chinese"),
        pytest.param("a+b %2B &amp; ; =", id="what URLs, HTML and cookies use"),
        pytest.param("\N{RIGHT-TO-LEFT OVERRIDE}evil", id="bidi control"),
    ],
)
def test_any_text_comes_back_as_it_was(site: Any, text: str) -> None:
    page = write(site, text, name=text).follow()
    assert page.html.find("article").find("h2").text == text
    assert page.html.find(class_="message").text == text
    assert page.forms["write"]["name"].value == text  # by its cookie
    assert entries(site)[0]["name"] == text


def test_hostile_text_stays_text_on_every_page(site: Any) -> None:
    write(site, HOSTILE, name=HOSTILE[:60])
    pages = [
        site.get("/"),
        site.get("/entries/1"),
        write(site, HOSTILE * 30, name=HOSTILE, status=422),
        site.get(f"/{HOSTILE}", status=404),
    ]
    for page in pages:
        assert "<script" not in page
        assert "onerror=alert(2)>" not in page
    assert pages[2].forms["write"]["message"].value == HOSTILE * 30
    assert "script-src" not in pages[0].headers["Content-Security-Policy"]
    assert "default-src 'none'" in pages[0].headers["Content-Security-Policy"]


class Outline(HTMLParser):
    """The tags of a page with the names of their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[str]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, [name for name, _ in attrs]))


@given(name=st.text(), message=st.text())
def test_no_text_changes_the_outline_of_the_page(
    guestbook: ModuleType, name: str, message: str
) -> None:
    def outline(name: str, message: str) -> list[tuple[str, list[str]]]:
        time = "2026-01-02T03:04:05+00:00"
        entry = guestbook.Entry(1, name, message, time, "token", True)
        draft = guestbook.Draft(name, message)
        return Outline(
            guestbook.page_html(
                name,
                "/",
                guestbook.form_html(draft, {"name": message}, "/entries")
                + guestbook.entry_html(entry, "/entries/1", True),
            )
        ).tags

    assert outline(name, message) == outline("Ada", "Hello")


def test_form_that_is_not_utf8_is_400(site: Any) -> None:
    with ExpectLog("wsgitornado.general", "400 POST /entries"):
        answer = site.post("/entries", b"name=Ada&message=%ff", status=400)
    assert "400 Bad Request" in answer
    assert entries(site) == []


# --- Pictures ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("picture", "content_type"),
    [
        pytest.param(PNG, "image/png", id="png"),
        pytest.param(JPEG, "image/jpeg", id="jpeg"),
        pytest.param(GIF, "image/gif", id="gif"),
        pytest.param(b"GIF87a" + GIF[6:], "image/gif", id="old gif"),
        pytest.param(WEBP, "image/webp", id="webp"),
    ],
)
def test_picture_comes_back_with_the_type_of_its_first_bytes(
    site: Any, picture: bytes, content_type: str
) -> None:
    page = write(site, picture=picture).follow()
    assert page.html.find("img")["src"] == "/entries/1/picture"
    assert entries(site)[0]["picture"] == "/entries/1/picture"
    answer = site.get("/entries/1/picture")
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.body == picture


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"<script>alert(1)</script>", id="html"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', id="svg"),
        pytest.param(b"RIFF\x1a\x00\x00\x00WAVEfmt ", id="a sound"),
        pytest.param(PNG[:7], id="cut short"),
        pytest.param(b" " + PNG, id="not at the start"),
    ],
)
def test_file_that_is_no_picture_is_refused(site: Any, file: bytes) -> None:
    answer = write(site, "kept", picture=file, status=422)
    (problem,) = answer.html.find_all(class_="problem")
    assert problem["id"] == "picture-problem"
    assert "not a PNG" in problem.text
    assert answer.forms["write"]["message"].value == "kept"
    assert entries(site) == []


def test_picture_of_exactly_one_megabyte_is_taken(site: Any) -> None:
    picture = PNG.ljust(1024 * 1024, b"\0")
    write(site, picture=picture)
    assert site.get("/entries/1/picture").body == picture


def test_picture_of_one_byte_more_is_refused(site: Any) -> None:
    answer = write(site, picture=PNG.ljust(1024 * 1024 + 1, b"\0"), status=422)
    assert "too large" in answer.html.find(id="picture-problem").text
    assert entries(site) == []


def test_good_picture_of_a_refused_form_must_be_chosen_again(site: Any) -> None:
    answer = write(site, "", picture=PNG, status=422)
    assert "once more" in answer.html.find(id="picture-problem").text


def test_form_without_a_chosen_file_has_no_picture(site: Any) -> None:
    # Browsers send an empty part without a file name for it.
    site.request(
        "/entries",
        method="POST",
        body=b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nAda\r\n'
        b'--x\r\nContent-Disposition: form-data; name="message"\r\n\r\nHi\r\n'
        b'--x\r\nContent-Disposition: form-data; name="picture"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n--x--\r\n",
        content_type="multipart/form-data; boundary=x",
        status=303,
    )
    assert entries(site)[0]["picture"] is None
    assert site.get("/").html.find("img") is None


def test_entry_without_a_picture_has_no_address_for_one(site: Any) -> None:
    write(site)
    site.get("/entries/1/picture", status=404)
    site.get("/entries/2/picture", status=404)


def test_browsers_keep_pictures_for_good(site: Any) -> None:
    write(site, picture=PNG)
    first = site.get("/entries/1/picture")
    assert first.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    again = site.get(
        "/entries/1/picture", headers={"If-None-Match": first.headers["Etag"]}
    )
    assert again.status_int == 304
    assert again.body == b""


# --- Reading ----------------------------------------------------------------------


def fill(site: Any, count: int) -> None:
    for number in range(1, count + 1):
        write(site, str(number))


def test_ten_entries_are_one_page(site: Any) -> None:
    fill(site, 10)
    page = site.get("/")
    assert len(page.html.find_all("article")) == 10
    assert page.html.find("nav").find("a") is None
    site.get("/?page=2", status=404)


def test_eleventh_entry_begins_a_second_page(site: Any) -> None:
    fill(site, 11)
    first = site.get("/")
    assert len(first.html.find_all("article")) == 10
    assert "Newer" not in first
    second = first.click("Older entries")
    assert [p.text for p in second.html.find_all(class_="message")] == ["1"]
    assert "Older" not in second
    assert second.click("Newer entries").html.find("article")["id"] == "entry-11"


@pytest.mark.parametrize("page", ["0", "-1", "2", "x", "", "1.5", "9" * 5000])
@pytest.mark.parametrize("path", ["/", "/entries.json"])
def test_page_that_does_not_exist_is_404(site: Any, path: str, page: str) -> None:
    write(site)
    site.get(f"{path}?page={page}", status=404)


def test_entry_has_a_page_of_its_own(site: Any) -> None:
    write(site, "one")
    write(site, "two", name="Grace")
    page = site.get("/").click(href="^/entries/2$")
    assert page.html.find("title").text == "Grace wrote"
    assert [p.text for p in page.html.find_all(class_="message")] == ["two"]


def test_json_tells_all_but_who_may_delete(site: Any) -> None:
    write(site, "hello", picture=PNG)
    answer = site.get("/entries.json")
    assert answer.content_type == "application/json"
    (entry,) = answer.json["entries"]
    assert entry.pop("created") in site.get("/")
    assert entry == {
        "id": 1,
        "name": "Ada",
        "message": "hello",
        "picture": "/entries/1/picture",
    }
    assert site.cookies["author"] not in answer


def test_json_leads_from_page_to_page(site: Any) -> None:
    fill(site, 11)
    first = site.get("/entries.json").json
    assert first["next"] == "/entries.json?page=2"
    second = site.get(first["next"]).json
    assert second["next"] is None
    assert [entry["id"] for entry in second["entries"]] == [1]


def test_json_that_did_not_change_is_304(site: Any) -> None:
    write(site)
    etag = site.get("/entries.json").headers["Etag"]
    again = site.get("/entries.json", headers={"If-None-Match": etag})
    assert again.status_int == 304
    write(site)
    changed = site.get("/entries.json", headers={"If-None-Match": etag})
    assert changed.status_int == 200


@pytest.mark.parametrize(
    "path", ["/", "/entries", "/entries.json", "/entries/1", "/entries/1/picture"]
)
def test_head_has_the_headers_of_get(site: Any, path: str) -> None:
    write(site, picture=PNG)
    head, get = site.head(path), site.get(path)
    assert head.body == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert head.headers["Etag"] == get.headers["Etag"]


def test_old_address_leads_home(site: Any) -> None:
    answer = site.get("/guestbook")
    assert answer.status_int == 301
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/entries/",
        "/entries/1",
        "/entries/x",
        "/entries/" + "9" * 18,
        "/entries/" + "9" * 19,
        "/entries/1/picture/more",
    ],
)
def test_unknown_address_is_a_friendly_404(site: Any, path: str) -> None:
    answer = site.get(path, status=404)
    assert answer.html.find("title").text == "404 Not Found"
    assert answer.html.find("header").find("a")["href"] == "/"


def test_wrong_method_is_a_friendly_405(site: Any) -> None:
    answer = site.put("/entries", "", status=405)
    assert answer.html.find("title").text == "405 Method Not Allowed"
    site.get("/entries/1/delete", status=405)


def test_broken_book_is_a_500_that_tells_nothing(site: Any, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "guestbook.sqlite3")) as db:
        db.execute("DROP TABLE entries")
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        answer = site.get("/", status=500)
    assert answer.html.find("title").text == "500 Internal Server Error"
    assert "sqlite3" not in answer
    assert "no such table" not in answer


# --- The visitor ------------------------------------------------------------------


@pytest.fixture
def stranger(guestbook: ModuleType, tmp_path: Path, site: Any) -> Any:
    """Another browser in front of the same guestbook as `site`."""
    return TestApp(guestbook.make_app(tmp_path))


def test_name_is_remembered_by_this_browser_only(site: Any, stranger: Any) -> None:
    write(site, name="Zoë O'Hara")
    assert site.get("/").forms["write"]["name"].value == "Zoë O'Hara"
    assert stranger.get("/").forms["write"]["name"].value == ""


@pytest.mark.parametrize(
    ("cookie", "name"),
    [
        pytest.param("%ff%zz", "\N{REPLACEMENT CHARACTER}%zz", id="not UTF-8"),
        pytest.param("%3Cb%3E%22", '<b>"', id="markup"),
        pytest.param("x" * 1000, "x" * 60, id="too long"),
    ],
)
def test_cookie_changed_by_hand_does_no_harm(site: Any, cookie: str, name: str) -> None:
    answer = site.get("/", headers={"Cookie": f"name={cookie}"})
    assert answer.forms["write"]["name"].value == name


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cookies_stay_with_the_browser_and_the_site(site: Any, scheme: str) -> None:
    answer = site.post(
        "/entries",
        {"name": "Ada", "message": "hi"},
        extra_environ={"wsgi.url_scheme": scheme},
    )
    cookies = answer.headers.getall("Set-Cookie")
    assert len(cookies) == 2
    for cookie in cookies:
        attributes = cookie.lower().split("; ")[1:]
        assert "httponly" in attributes
        assert "samesite=lax" in attributes
        assert ("secure" in attributes) == (scheme == "https")


def test_browser_keeps_its_token(site: Any, stranger: Any) -> None:
    write(site)
    token = site.cookies["author"]
    write(site)
    write(stranger)
    assert site.cookies["author"] == token
    assert stranger.cookies["author"] != token


def test_author_deletes_an_entry(site: Any) -> None:
    write(site, "stays")
    write(site, "goes", picture=PNG)
    answer = site.get("/entries/2").form.submit()
    assert answer.status_int == 303
    assert "goes" not in answer.follow()
    assert messages(site) == ["stays"]
    site.get("/entries/2", status=404)
    site.get("/entries/2/picture", status=404)
    site.post("/entries/2/delete", status=404)


def test_only_the_author_sees_the_button(site: Any, stranger: Any) -> None:
    write(site)
    assert "Delete this entry" in site.get("/entries/1")
    assert "Delete this entry" not in stranger.get("/entries/1")


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param(None, id="no cookie"),
        pytest.param("author=", id="empty"),
        pytest.param("author=wrong", id="wrong"),
        pytest.param("author=\xff\xfe", id="not ASCII"),
        pytest.param("name=Ada", id="the right name"),
    ],
)
def test_nobody_else_deletes_an_entry(
    site: Any, stranger: Any, cookie: str | None
) -> None:
    write(site)
    headers = {"Cookie": cookie} if cookie else {}
    answer = stranger.post("/entries/1/delete", headers=headers, status=403)
    assert "Only the one who wrote" in answer
    assert len(entries(site)) == 1


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("a" * 42, id="short"),
        pytest.param("a" * 44, id="long"),
        pytest.param('"a b\\073 c"', id="quoted"),
        pytest.param("\xc3\xa9" * 43, id="not ASCII"),
    ],
)
def test_token_that_nobody_was_given_is_replaced(
    site: Any, stranger: Any, token: str
) -> None:
    form = {"name": "Ada", "message": "hi"}
    headers = {"Cookie": f"author={token}"}
    site.post("/entries", form, headers=headers, status=303)
    assert len(site.cookies["author"]) == 43
    stranger.post("/entries/1/delete", headers=headers, status=403)
    site.reset()
    assert len(entries(site)) == 1


def test_number_of_a_deleted_entry_is_never_given_again(site: Any) -> None:
    write(site, picture=PNG)
    site.post("/entries/1/delete", status=303)
    assert write(site).headers["Location"] == "/#entry-2"


# --- Mounted below a prefix -------------------------------------------------------


@pytest.fixture
def mounted(guestbook: ModuleType, tmp_path: Path) -> Any:
    app = guestbook.make_app(tmp_path)
    return TestApp(app, extra_environ={"SCRIPT_NAME": "/book"})


def test_guestbook_below_a_prefix_links_below_it(mounted: Any) -> None:
    answer = write(mounted, picture=PNG)
    assert answer.headers["Location"] == "/book/#entry-1"
    page = mounted.get("/")
    assert page.forms["write"].action == "/book/entries"
    assert page.html.find("img")["src"] == "/book/entries/1/picture"
