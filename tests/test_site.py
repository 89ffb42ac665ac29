"""The library of the examples: members, loans, reviews and what is refused."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("webtest")

from tests.library_site import (  # these need webtest
    PASSWORD,
    Visitor,
    join,
    library,
    submit,
)
from wsgitornado.testing import ExpectLog

HOSTILE = """</textarea>"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;"""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Any]:
    with library(tmp_path) as app:
        yield app


@pytest.fixture
def visitor(app: Any) -> Visitor:
    return Visitor(app)


@pytest.fixture
def member(app: Any) -> Visitor:
    return join(Visitor(app))


def text_of(answer: Any, selector: str) -> str:
    """The text of the one element that is there for a selector."""
    (found,) = answer.html.select(selector)
    return " ".join(found.get_text().split())


def write_review(visitor: Visitor, book: str, text: str, stars: str = "4") -> Any:
    page = visitor.get(f"/books/{book}")
    return submit(page, "#review", text=text, stars=stars).follow()


def cookie_of(visitor: Visitor) -> dict[str, str]:
    """The header that says who is signed in."""
    return {"Cookie": f"member={visitor.cookies['member']}"}


# --- What is kept -----------------------------------------------------------------


def test_data_lies_below_the_current_folder_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIBRARY_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    with library(None):
        assert (tmp_path / "library-data" / "library.sqlite3").is_file()


def test_who_is_signed_in_stays_so_when_the_program_starts_again(
    tmp_path: Path, member: Visitor
) -> None:
    with library(tmp_path) as app:
        Visitor(app).get("/loans", headers=cookie_of(member), status=200)


def test_cookie_signed_by_another_library_is_nobody(
    tmp_path: Path, member: Visitor
) -> None:
    with library(tmp_path / "other") as app:
        join(Visitor(app), "Grace")
        Visitor(app).get("/loans", headers=cookie_of(member), status=302)


# --- Members ----------------------------------------------------------------------


def test_visitor_joins_and_is_signed_in(visitor: Visitor) -> None:
    form = visitor.get("/join").forms["credentials"]
    form["name"] = "  Ada   Lovelace "
    form["password"] = PASSWORD
    answer = form.submit(status=303)
    cookies = "\n".join(answer.headers.getall("Set-Cookie"))
    assert re.search(r"^member=.*; HttpOnly;.*SameSite=Lax", cookies, re.MULTILINE)
    page = answer.follow()
    assert "signout" in page.forms
    assert not page.html.select("a[href='/signin']")


@pytest.mark.parametrize(
    ("name", "password", "problems"),
    [
        pytest.param("", PASSWORD, {"name": "tell us"}, id="no name"),
        pytest.param(" \t", PASSWORD, {"name": "tell us"}, id="blank name"),
        pytest.param("a" * 41, PASSWORD, {"name": "at most 40"}, id="long name"),
        pytest.param("a" * 40, PASSWORD, {}, id="longest name"),
        pytest.param("Ada", "1234567", {"password": "at least 8"}, id="short"),
        pytest.param("Ada", "12345678", {}, id="shortest"),
        pytest.param("Ada", " 123456 ", {}, id="blanks count"),
        pytest.param("Ada", "p" * 201, {"password": "at most 200"}, id="long"),
        pytest.param("Ada", "p" * 200, {}, id="longest"),
        pytest.param(
            "", "", {"name": "tell us", "password": "at least 8"}, id="nothing"
        ),
    ],
)
def test_form_of_those_who_join_is_checked(
    visitor: Visitor, name: str, password: str, problems: dict[str, str]
) -> None:
    form = visitor.get("/join").forms["credentials"]
    form["name"] = name
    form["password"] = password
    answer = form.submit(status=422 if problems else 303)
    if not problems:
        return
    shown = answer.html.select(".problem")
    assert {p["id"].removesuffix("-problem") for p in shown} == set(problems)
    for field, text in problems.items():
        assert text in text_of(answer, f"#{field}-problem")
        (marked,) = answer.html.select(f"#{field}")
        assert marked["aria-describedby"] == f"{field}-problem"
    form = answer.forms["credentials"]
    assert form["name"].value == " ".join(name.split())
    assert form["password"].value == ""


@pytest.mark.parametrize("name", ["Ada", "ADA", " ada "])
def test_name_is_given_once(member: Visitor, app: Any, name: str) -> None:
    form = Visitor(app).get("/join").forms["credentials"]
    form["name"] = name
    form["password"] = PASSWORD
    assert "has this name already" in form.submit(status=422)


@pytest.mark.parametrize(
    ("name", "password", "status"),
    [
        pytest.param("Ada", PASSWORD, 303, id="right"),
        pytest.param("aDA", PASSWORD, 303, id="other case"),
        pytest.param("Ada", PASSWORD.upper(), 422, id="wrong password"),
        pytest.param("Ada", "", 422, id="no password"),
        pytest.param("Grace", PASSWORD, 422, id="unknown name"),
        pytest.param("", "", 422, id="nothing"),
    ],
)
def test_only_name_and_password_that_belong_together_sign_in(
    member: Visitor, app: Any, name: str, password: str, status: int
) -> None:
    visitor = Visitor(app)
    form = visitor.get("/signin").forms["credentials"]
    form["name"] = name
    form["password"] = password
    answer = form.submit(status=status)
    if status == 422:
        assert "do not belong together" in text_of(answer, "#password-problem")
        assert answer.forms["credentials"]["name"].value == name
        assert "member" not in visitor.cookies
    else:
        visitor.get("/loans", status=200)


def test_who_signs_out_is_out(member: Visitor) -> None:
    page = member.get("/").forms["signout"].submit(status=303).follow()
    assert "signout" not in page.forms
    member.get("/loans", status=302)


def test_page_for_members_is_reached_by_signing_in(member: Visitor, app: Any) -> None:
    page = Visitor(app).get("/loans", status=302).follow()
    form = page.forms["credentials"]
    form["name"] = "Ada"
    form["password"] = PASSWORD
    assert form.submit(status=303).headers["Location"] == "/loans"


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("/books?q=a%20b&language=de", "/books?q=a%20b&language=de"),
        ("/", "/"),
        ("", "/"),
        ("books", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/x\r\nSet-Cookie: a=b", "/"),
    ],
)
def test_nobody_is_sent_to_another_site(
    member: Visitor, app: Any, address: str, target: str
) -> None:
    visitor = Visitor(app)
    page = visitor.get("/signin")
    fields = {**dict(page.forms["credentials"].submit_fields()), "next": address}
    fields.update(name="Ada", password=PASSWORD)
    answer = visitor.post("/signin", fields, status=303)
    assert answer.headers["Location"] == target


# --- Loans ------------------------------------------------------------------------


def test_member_borrows_a_book_and_brings_it_back(member: Visitor) -> None:
    page = submit(member.get("/books/alice"), ".loan").follow()
    assert "You have this book" in text_of(page, ".loan")
    assert "1 of 2" in page
    loans = member.get("/loans")
    assert loans.html.select_one(".loans a")["href"] == "/books/alice"
    loans = submit(loans, ".loans form").follow()
    assert loans.request.path == "/loans"
    assert "You have borrowed nothing" in loans
    assert "2 of 2" in member.get("/books/alice")


def test_last_copy_goes_to_one_member(member: Visitor, app: Any) -> None:
    other = join(Visitor(app), "Grace")
    page = other.get("/books/moby-dick")
    submit(member.get("/books/moby-dick"), ".loan")
    page = submit(page, ".loan").follow()
    assert "All copies are lent" in text_of(page, ".loan")
    assert "You have borrowed nothing" in other.get("/loans")
    badges = [found.get_text() for found in other.get("/books").html.select(".gone")]
    assert badges == ["Lent"]


def test_copies_are_enough_for_members_in_threads(app: Any) -> None:
    members = [join(Visitor(app), f"member {number}") for number in range(6)]
    pages = [member.get("/books/alice") for member in members]

    threads = [threading.Thread(target=submit, args=(page, ".loan")) for page in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    lent = [m for m in members if m.get("/loans").html.select(".loans li")]
    assert len(lent) == 2
    assert "0 of 2" in members[0].get("/books/alice")


def test_guest_is_asked_to_sign_in_and_comes_back_to_the_book(visitor: Visitor) -> None:
    page = visitor.get("/books/alice")
    assert "review" not in page.forms
    page = page.click("Sign in to borrow it")
    assert page.request.path == "/signin"
    assert page.forms["credentials"]["next"].value == "/books/alice"


@pytest.mark.parametrize("action", ["", "/borrow", "/return"])
def test_guest_changes_nothing(visitor: Visitor, action: str) -> None:
    fields = dict(visitor.get("/signin").forms["credentials"].submit_fields())
    answer = visitor.post(f"/books/alice{action}", fields, status=403)
    assert "not signed in any more" in answer
    assert "2 of 2" in visitor.get("/books/alice")


# --- Reviews ----------------------------------------------------------------------


def test_review_is_shown_with_the_book_and_on_the_first_page(member: Visitor) -> None:
    page = write_review(member, "hayy", "First line\nSecond line")
    assert page.request.path == "/books/hayy"
    (review,) = page.html.select(".review")
    assert review.select_one(".text").get_text() == "First line\nSecond line"
    assert review.select_one(".stars")["aria-label"] == "4 of 5 stars"
    assert len(review.select(".star.full")) == 4
    home = member.get("/")
    assert "Second line" in home
    assert home.html.select_one(".review a")["href"] == "/books/hayy"


def test_later_review_of_a_member_replaces_the_earlier_one(member: Visitor) -> None:
    write_review(member, "hayy", "First thoughts", "2")
    form = member.get("/books/hayy").forms["review"]
    assert form["text"].value == "First thoughts"
    assert form["stars"].value == "2"
    page = write_review(member, "hayy", "Second thoughts", "5")
    assert "First thoughts" not in page
    assert len(page.html.select(".review")) == 1


def test_stars_of_a_book_are_the_average(member: Visitor, app: Any) -> None:
    write_review(member, "hayy", "Good", "4")
    page = write_review(join(Visitor(app), "Grace"), "hayy", "Very good", "5")
    assert page.html.select_one(".book .stars")["aria-label"] == "4.5 of 5 stars"


@pytest.mark.parametrize(
    ("stars", "text", "problems"),
    [
        pytest.param("3", "", ["text"], id="no text"),
        pytest.param("3", " \n ", ["text"], id="blank text"),
        pytest.param("3", "x" * 1001, ["text"], id="long text"),
        pytest.param("3", "x" * 1000, [], id="longest text"),
        pytest.param("3", "a\r\n" * 500, [], id="a line break is one letter"),
        pytest.param("", "words", ["stars"], id="no stars"),
        pytest.param("0", "words", ["stars"], id="no such star"),
        pytest.param("6", "words", ["stars"], id="too many stars"),
        pytest.param("٣", "words", ["stars"], id="other digits"),
        pytest.param("", HOSTILE * 20, ["stars", "text"], id="hostile"),
    ],
)
def test_review_is_checked_and_what_was_written_stays(
    member: Visitor, stars: str, text: str, problems: list[str]
) -> None:
    fields = dict(member.get("/books/hayy").forms["review"].submit_fields())
    fields.update(stars=stars, text=text)
    answer = member.post("/books/hayy", fields, status=422 if problems else 303)
    if not problems:
        return
    shown = [found["id"] for found in answer.html.select(".problem")]
    assert shown == [f"{field}-problem" for field in problems]
    assert answer.html.select("[role=alert]")
    form = answer.forms["review"]
    assert form["text"].value == text.replace("\r\n", "\n").strip()
    assert form["stars"].value == (stars if "stars" not in problems else None)
    assert not answer.html.select(".review")


def test_what_members_write_is_text(member: Visitor) -> None:
    page = write_review(member, "hayy", HOSTILE)
    assert page.html.select_one(".review .text").get_text() == HOSTILE
    assert not page.html.select("img[onerror]")
    assert member.get("/books/hayy").forms["review"]["text"].value == HOSTILE


def test_addresses_in_reviews_are_links_that_vouch_for_nothing(member: Visitor) -> None:
    page = write_review(
        member, "hayy", "See https://example.com/?a=1&b=2 (javascript:x)"
    )
    (link,) = page.html.select(".review .text a")
    assert link["href"] == "https://example.com/?a=1&b=2"
    assert link["rel"] == ["nofollow", "ugc"]


# --- What is refused --------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/join", "/signin", "/signout", "/language", "/books/alice/borrow"]
)
def test_form_of_another_site_is_refused(visitor: Visitor, path: str) -> None:
    with ExpectLog("wsgitornado.general", "403 POST .*'_xsrf' argument missing"):
        answer = visitor.post(path, {"code": "de"}, status=403)
    assert text_of(answer, "h1") == "This did not work"


@pytest.mark.parametrize(
    "path", ["/nowhere", "/books/nothing", "/books/ALICE", "/books/alice/"]
)
def test_unknown_address_has_a_page_of_the_site(visitor: Visitor, path: str) -> None:
    answer = visitor.get(path, status=404)
    assert text_of(answer, "h1") == "There is no such page"


@pytest.mark.parametrize("is_debug", [False, True], ids=["served", "debug"])
def test_only_debug_tells_what_broke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_debug: bool
) -> None:
    with library(tmp_path, debug=is_debug) as app:
        monkeypatch.setattr(app.settings["records"], "rate", lambda: 1 / 0)
        with ExpectLog("wsgitornado.application", "Uncaught exception"):
            answer = Visitor(app).get(
                "/books", headers={"Accept": "text/html"}, status=500
            )
    assert ("ZeroDivisionError" in answer) is is_debug
    assert (text_of(answer, "h1") == "Something broke") is not is_debug
    assert app.settings["cookie_secret"] not in answer
