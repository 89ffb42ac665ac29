"""The library of the examples: its languages, styles, scripts and static files."""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

pytest.importorskip("webtest")

from tests.library_site import (  # these need webtest
    ROOT,
    Visitor,
    join,
    library,
    submit,
)
from tests.support import call
from wsgitornado.locale import Locale

PAGES = ["/", "/books", "/books/kalila", "/about", "/signin", "/join", "/nowhere"]
PAGES_OF_MEMBERS = ["/", "/books/kalila", "/loans"]

CATALOGUE = {"en": "Catalogue", "de": "Katalog", "ar": "الفهرس"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Any]:
    with library(tmp_path) as app:
        yield app


@pytest.fixture
def visitor(app: Any) -> Visitor:
    return Visitor(app)


def choose(visitor: Visitor, code: str, address: str = "/") -> Any:
    """Press one of the buttons that choose the language."""
    page = visitor.get(address)
    return submit(page, ".languages", "code", code)


# --- Languages --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("de", "de"),
        ("de-AT,de;q=0.9", "de"),
        ("ar-EG", "ar"),
        ("en-GB,de;q=0.5", "en"),
        ("de;q=0.1,ar;q=0.9", "ar"),
        ("ja,fr", "en"),
        ("", "en"),
        ("*;q=;,\x7f", "en"),
    ],
)
def test_browser_says_what_language_it_likes(app: Any, header: str, code: str) -> None:
    page = Visitor(app, header).get("/books")
    assert page.html.html["lang"] == code
    assert page.html.html["dir"] == ("rtl" if code == "ar" else "ltr")
    assert page.html.h1.get_text() == CATALOGUE[code]
    assert page.html.title.get_text().startswith(CATALOGUE[code])
    assert "Accept-Language" in page.headers["Vary"]


@pytest.mark.parametrize("code", CATALOGUE)
def test_chosen_language_stays(app: Any, code: str) -> None:
    visitor = Visitor(app, "ja, fr;q=0.5")
    answer = choose(visitor, code, "/books?q=kafka")
    assert answer.headers["Location"] == "/books?q=kafka"
    page = visitor.get("/books")
    assert page.html.h1.get_text() == CATALOGUE[code]
    pressed = page.html.select(".languages [aria-pressed=true]")
    assert [button["value"] for button in pressed] == [code]


@pytest.mark.parametrize("code", ["fr", "", "de_DE", "../de"])
def test_other_languages_cannot_be_chosen(visitor: Visitor, code: str) -> None:
    fields = dict(visitor.get("/signin").forms["credentials"].submit_fields())
    answer = visitor.post("/language", {**fields, "code": code}, status=400)
    assert "language" not in visitor.cookies
    assert answer.html.h1.get_text() == "This did not work"


@pytest.mark.parametrize("cookie", ["fr", "", "de_DE", "\xff", "x" * 4000])
def test_cookie_that_names_no_language_is_passed_over(app: Any, cookie: str) -> None:
    headers = {"Cookie": f"language={cookie}"}
    page = Visitor(app, "ar").get("/books", headers=headers)
    assert page.html.html["lang"] == "ar"


def test_problems_are_told_in_the_language(app: Any) -> None:
    answer = Visitor(app, "de").get("/join").forms["credentials"].submit(status=422)
    assert "Bitte sagen Sie uns Ihren Namen." in answer
    answer = Visitor(app, "ar").get("/join").forms["credentials"].submit(status=422)
    assert "يُرجى كتابة اسمك." in answer
    assert answer.html.html["dir"] == "rtl"


def test_day_is_written_as_in_the_language(app: Any) -> None:
    member = join(Visitor(app))
    submit(member.get("/books/alice"), ".loan")
    day = datetime.date.fromisoformat(member.get("/loans").html.time["datetime"])
    assert (
        member.get("/loans").html.time.get_text() == f"{day:%B} {day.day}, {day.year}"
    )
    choose(member, "de")
    months = "Januar Februar März April Mai Juni Juli August September Oktober"
    month = [*months.split(), "November", "Dezember"][day.month - 1]
    assert member.get("/loans").html.time.get_text() == f"{day.day}. {month} {day.year}"


# --- Translations -----------------------------------------------------------------

#: A message with its plural, or None.
Message = tuple[str, str | None]

_CALL = re.compile(r'\b_\("([^"]+)"(?:, "([^"]+)")?')


class Listener(Locale):
    """Remembers what the package asks translations for by itself."""

    def __init__(self) -> None:
        self.heard: set[Message] = set()
        super().__init__("xx")

    def translate(
        self, message: str, plural_message: str | None = None, count: int | None = None
    ) -> str:
        self.heard.add((message, plural_message))
        return message


def messages_of_dates() -> set[Message]:
    listener = Listener()
    now = datetime.datetime.now(datetime.UTC)
    for age in (1, 100, 10_000, 24 * 3600 + 1, 3 * 86400, 30 * 86400, 400 * 86400):
        listener.format_date(now - datetime.timedelta(seconds=age))
    listener.format_date(now, full_format=True, shorter=True)
    # Just after midnight nothing was yesterday, a day and a second ago.
    listener.heard.add(("yesterday at %(time)s", None))
    return listener.heard


def messages_of_the_site() -> set[Message]:
    sources = [*ROOT.glob("*.py"), *ROOT.glob("templates/**/*.html")]
    found: set[Message] = set()
    for source in sources:
        for message, plural in _CALL.findall(source.read_text(encoding="utf-8")):
            found.add((message, plural or None))
    with library(None):
        from examples.library.books import SHELF
    found |= {(book.about, None) for book in SHELF}
    return found


def messages_of_file(code: str) -> list[tuple[str, str]]:
    with open(ROOT / "locale" / f"{code}.csv", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    return [(row[0], row[2] if len(row) > 2 else "") for row in rows]


@pytest.mark.parametrize("code", ["de", "ar"])
def test_each_message_has_its_translation_and_no_other_is_there(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    needed = []
    for message, plural in messages_of_the_site() | messages_of_dates():
        if plural is None:
            needed.append((message, ""))
        else:
            needed += [(message, "singular"), (plural, "plural")]
    assert sorted(messages_of_file(code)) == sorted(needed)


@pytest.mark.parametrize("code", ["de", "ar"])
def test_translation_asks_for_nothing_that_the_message_does_not_give(code: str) -> None:
    placeholder = re.compile(r"%\(\w+\)[ds]")
    with open(ROOT / "locale" / f"{code}.csv", encoding="utf-8") as file:
        for row in filter(None, csv.reader(file)):
            # A form of its own for one or for many need not name the number.
            assert set(placeholder.findall(row[1])) <= set(placeholder.findall(row[0]))
            assert "%" not in placeholder.sub("", row[1])


# --- Well-formed pages ------------------------------------------------------------

_VOID = {"meta", "link", "img", "input", "path", "use", "br"}


class Outline(HTMLParser):
    """Follows the elements of a page, and notes what is wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.levels: list[int] = []
        self.wrong: list[str] = []
        self.references: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if "id" in named:
            self.ids.append(named["id"] or "")
        for name in ("for", "aria-describedby", "aria-labelledby"):
            if name in named:
                self.references.add(named[name] or "")
        if tag == "img" and "alt" not in named:
            self.wrong.append(f"no alt: {attrs}")
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> in {self.open}")


def check_outline(text: str) -> None:
    outline = Outline()
    outline.feed(text)
    outline.close()
    assert outline.wrong == []
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids)), outline.ids
    assert outline.references <= set(outline.ids)
    assert outline.levels.count(1) == 1
    steps = zip([0, *outline.levels], outline.levels, strict=False)
    assert all(lower - higher <= 1 for higher, lower in steps), outline.levels


@pytest.mark.parametrize("code", CATALOGUE)
def test_pages_are_in_order_in_each_language(app: Any, code: str) -> None:
    visitor = Visitor(app, code)
    pages = [visitor.get(page, status="*") for page in PAGES]
    pages.append(visitor.get("/join").forms["credentials"].submit(status=422))
    join(visitor)
    pages += [visitor.get(page) for page in PAGES_OF_MEMBERS]
    pages.append(visitor.get("/books/hayy").forms["review"].submit(status=422))
    for page in pages:
        check_outline(page.text)
        assert page.html.html["lang"] == code
        assert page.html.title.get_text().split(" · ")[0]
        # Nothing went into the page that was meant for Python.
        assert "%(" not in page.text
        assert "{{" not in page.text


# --- What modules bring along -----------------------------------------------------


def test_each_style_sheet_is_linked_once_and_only_where_it_is_needed(
    visitor: Visitor,
) -> None:
    def styles(path: str) -> list[str]:
        links = visitor.get(path).html.select("head link[rel=stylesheet]")
        return [link["href"].partition("?")[0] for link in links]

    common = "/static/library.css"
    parts = "/static/parts"
    assert styles("/about") == [common, f"{parts}/about.css"]
    assert styles("/join") == [common, f"{parts}/field.css"]
    catalogue = [common, f"{parts}/search_box.css", f"{parts}/book_card.css"]
    assert styles("/books") == catalogue


def test_star_is_drawn_once_at_the_end_of_the_page(app: Any) -> None:
    member = join(Visitor(app))
    page = member.get("/books/hayy")
    assert len(page.html.select("use[href='#star']")) == 5
    assert page.text.count('<symbol id="star"') == 1
    assert page.text.index('<symbol id="star"') > page.text.index("</footer>")
    assert page.text.count(".star.full {") == 1
    assert "#star" not in member.get("/about")


def test_description_of_a_page_goes_to_its_head(visitor: Visitor) -> None:
    page = visitor.get("/books/verwandlung")
    (found,) = page.html.select("head meta[name=description]")
    assert found["content"].startswith("Kafka's travelling salesman")
    assert visitor.get("/about").html.select("meta[name=description]") == []


@pytest.mark.parametrize("path", ["/", "/books", "/books/hayy", "/join", "/nowhere"])
def test_policy_allows_the_scripts_and_styles_of_the_page_and_no_others(
    app: Any, path: str
) -> None:
    member = join(Visitor(app))
    page = member.get(path, status="*")
    policy = page.headers["Content-Security-Policy"]
    (nonce,) = set(re.findall("'nonce-([^']+)'", policy))
    assert "unsafe" not in policy
    for embedded in page.html.select("style, script:not([src])"):
        assert embedded["nonce"] == nonce
    assert not page.html.select("[style]")
    assert not re.search(r"<[^>]+ on\w+=", page.text)
    again = member.get(path, status="*").headers["Content-Security-Policy"]
    assert nonce not in again


# --- Static files -----------------------------------------------------------------


def linked_files(visitor: Visitor, pages: list[str]) -> set[str]:
    found: set[str] = set()
    for page in pages:
        html = visitor.get(page, status="*").html
        found |= {e["src"] for e in html.select("img[src], script[src]")}
        found |= {e["href"] for e in html.select("link[href]")}
    return found


def test_all_files_of_the_pages_are_there_with_a_version_and_kept_for_long(
    app: Any,
) -> None:
    visitor = join(Visitor(app))
    submit(visitor.get("/books/hayy"), "#review", stars="5", text="A review")
    files = linked_files(visitor, [*PAGES, *PAGES_OF_MEMBERS])
    on_disk = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("static/**/*.*")
        if path.name != "robots.txt"
    }
    assert {file.partition("?")[0].lstrip("/") for file in files} == on_disk
    for file in files:
        assert re.fullmatch(r"/static/[\w/.-]+\?v=[0-9a-f]{128}", file)
        answer = visitor.get(file)
        assert answer.headers["Cache-Control"] == "max-age=315360000"
        again = visitor.get(file, headers={"If-None-Match": answer.headers["Etag"]})
        assert again.status_int == 304


def test_pages_are_asked_for_each_time(visitor: Visitor) -> None:
    assert visitor.get("/").headers["Cache-Control"] == "private, no-cache"


def test_robots_txt_is_a_static_file(visitor: Visitor) -> None:
    answer = visitor.get("/robots.txt")
    assert answer.content_type == "text/plain"
    assert answer.text.startswith("User-agent: *")


# --- Other ways to ask ------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/books", "/books/hayy", "/about"])
def test_head_has_the_headers_of_get(app: Any, path: str) -> None:
    got, head = (call(app, path, method) for method in ("GET", "HEAD"))
    assert head.status == got.status == "200 OK"
    assert head.body == b""
    assert head.headers["Content-Length"] == str(len(got.body))


def test_library_below_a_prefix_links_and_redirects_below_it(app: Any) -> None:
    visitor = Visitor(app, SCRIPT_NAME="/lending")
    for path in PAGES:
        html = visitor.get(path, status="*").html
        for attribute in ("href", "src", "action"):
            for element in html.select(f"[{attribute}]"):
                assert element[attribute].startswith(("/lending/", "#")), element
    page = visitor.get("/loans", status=302)
    assert page.headers["Location"] == "/lending/signin?next=%2Flending%2Floans"
    form = visitor.get("/join?next=/lending/loans").forms["credentials"]
    form["name"] = "Ada"
    form["password"] = "a long password"
    assert form.submit(status=303).headers["Location"] == "/lending/loans"
    assert choose(visitor, "de", "/books").headers["Location"] == "/lending/books"


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("q=kafka", ["Die Verwandlung"]),
        ("q=KAFKA+die", ["Die Verwandlung"]),
        ("q=kafka&language=ar", []),
        ("language=en&q=", ["Alice's Adventures in Wonderland", "Frankenstein"]),
        ("q=%D8%A7%D8%A8%D9%86+%D8%B7%D9%81%D9%8A%D9%84", ["حي بن يقظان"]),
        ("q=%22%3E%3Cscript%3E", []),
        ("language=nonsense", []),
    ],
)
def test_books_are_found_by_words_and_language(
    visitor: Visitor, query: str, titles: list[str]
) -> None:
    page = visitor.get(f"/books?{query}")
    found = [title.get_text().strip() for title in page.html.select(".book-card h3")]
    assert found[: len(titles)] == titles
    assert bool(found) is bool(titles)
    assert ("no such book" in page) is (not titles)
    assert page.html.select_one("#q")["value"] == parse_qs(query).get("q", [""])[0]
