"""A guestbook: forms, pictures, JSON, redirects and cookies over sqlite3.

Serve it and open the address that it prints::

    python -m wsgitornado serve examples.guestbook:app

Everything is kept in one file, ``guestbook-data/guestbook.sqlite3`` below the current
folder; the environment variable GUESTBOOK_DATA names another folder.
"""

from __future__ import annotations

import hmac
import math
import os
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import responses
from pathlib import Path
from typing import Any

from wsgitornado.escape import url_escape, url_unescape, xhtml_escape
from wsgitornado.web import Application, HTTPError, RedirectHandler, RequestHandler, url

ENTRIES_ON_A_PAGE = 10
NAME_LIMIT = 60
MESSAGE_LIMIT = 2000
PICTURE_LIMIT = 1024 * 1024
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # what secrets.token_urlsafe(32) makes

# --- What is kept -----------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One entry as it lies in the book; its picture is asked for on its own."""

    id: int
    name: str
    message: str
    created: str  # ISO 8601, in UTC
    author: str  # the token of the browser that wrote it: known to nobody else
    has_picture: bool


class Guestbook:
    """The entries, in one sqlite3 file.

    Each call opens a connection of its own, so that any thread may make it.
    """

    # AUTOINCREMENT never gives a number twice: browsers keep pictures by their number.
    SCHEMA = """
        CREATE TABLE IF NOT EXISTS entries (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            message TEXT NOT NULL,
            created TEXT NOT NULL,
            author TEXT NOT NULL,
            picture BLOB
        )"""
    SELECT = "SELECT id, name, message, created, author, picture NOTNULL FROM entries"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "guestbook.sqlite3"
        with self.connect() as db:
            db.execute(self.SCHEMA)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        # `closing` closes; the connection as a context commits, or rolls back.
        with closing(sqlite3.connect(self.file)) as db, db:
            yield db

    def count_pages(self) -> int:
        with self.connect() as db:
            entries: int = db.execute("SELECT count(*) FROM entries").fetchone()[0]
        return max(1, math.ceil(entries / ENTRIES_ON_A_PAGE))

    def read_page(self, number: int) -> list[Entry]:
        """Give the entries of a page, the newest first."""
        start = (number - 1) * ENTRIES_ON_A_PAGE
        with self.connect() as db:
            rows = db.execute(
                f"{self.SELECT} ORDER BY id DESC LIMIT ? OFFSET ?",
                (ENTRIES_ON_A_PAGE, start),
            )
            return [Entry(*row) for row in rows]

    def find(self, id: int) -> Entry | None:
        with self.connect() as db:
            row = db.execute(f"{self.SELECT} WHERE id = ?", (id,)).fetchone()
        return Entry(*row) if row else None

    def find_picture(self, id: int) -> bytes | None:
        with self.connect() as db:
            row = db.execute(
                "SELECT picture FROM entries WHERE id = ?", (id,)
            ).fetchone()
        return row[0] if row else None

    def add(self, name: str, message: str, author: str, picture: bytes | None) -> int:
        """Keep a new entry and give its number."""
        created = datetime.now(UTC).isoformat(timespec="seconds")
        with self.connect() as db:
            (number,) = db.execute(
                "INSERT INTO entries (name, message, created, author, picture)"
                " VALUES (?, ?, ?, ?, ?) RETURNING id",
                (name, message, created, author, picture),
            ).fetchone()
        return int(number)

    def delete(self, id: int) -> None:
        with self.connect() as db:
            db.execute("DELETE FROM entries WHERE id = ?", (id,))


# --- What a visitor sends ---------------------------------------------------------


@dataclass(frozen=True)
class Draft:
    """The fields of the form as they were sent."""

    name: str = ""
    message: str = ""
    picture: bytes | None = None


def find_problems(draft: Draft) -> dict[str, str]:
    """Say what is wrong with a draft: a sentence for each field that needs one."""
    problems = {}
    if not draft.name:
        problems["name"] = "Please tell us your name."
    elif len(draft.name) > NAME_LIMIT:
        problems["name"] = f"Please use at most {NAME_LIMIT} characters."
    if not draft.message:
        problems["message"] = "Please write something."
    elif len(draft.message) > MESSAGE_LIMIT:
        problems["message"] = f"Please use at most {MESSAGE_LIMIT} characters."
    if draft.picture is not None:
        if len(draft.picture) > PICTURE_LIMIT:
            problems["picture"] = "This file is too large: 1 MB is the limit."
        elif picture_type(draft.picture) is None:
            problems["picture"] = "This is not a PNG, JPEG, GIF or WebP picture."
        elif problems:
            # A browser never sends a file again by itself.
            problems["picture"] = "Please choose the picture once more."
    return problems


def picture_type(picture: bytes) -> str | None:
    """Tell the type of a picture by its first bytes, whatever its sender called it."""
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if picture.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if picture.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    return None


# --- What answers -----------------------------------------------------------------


class BaseHandler(RequestHandler):
    """What all pages share: the book, the visitor, the layout and the error page."""

    @property
    def book(self) -> Guestbook:
        book: Guestbook = self.settings["book"]
        return book

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header(
            "Content-Security-Policy",
            "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline';"
            " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )

    @property
    def author(self) -> str:
        """The random token that this browser got with its first entry, or nothing."""
        token = self.get_cookie("author") or ""
        return token if TOKEN.fullmatch(token) else ""

    def remember(self, cookie: str, value: str) -> None:
        """Set a cookie for a year.

        SameSite: a form on somebody else's page is sent without it, so that no other
        site can delete entries in the visitor's name.
        """
        self.set_cookie(
            cookie,
            value,
            expires_days=365,
            httponly=True,
            samesite="Lax",
            secure=self.request.protocol == "https",
        )

    def head(self, *path_args: str) -> None:
        """Answer as GET does; the body is left out by itself."""
        self.get(*path_args)

    def find_entry(self, id: str) -> Entry:
        entry = self.book.find(int(id))
        if entry is None:
            raise HTTPError(404)
        return entry

    def is_mine(self, entry: Entry) -> bool:
        # In constant time, so that nobody can guess a token letter by letter.
        return hmac.compare_digest(entry.author, self.author)

    def find_page(self) -> tuple[int, int]:
        """Give the asked page's number and the number of pages."""
        pages = self.book.count_pages()
        try:
            number = int(self.get_query_argument("page", "1"))
        except ValueError:
            raise HTTPError(404) from None
        if not 1 <= number <= pages:
            raise HTTPError(404)
        return number, pages

    def show(self, title: str, *parts: str) -> None:
        self.finish(page_html(title, self.reverse_url("home"), "".join(parts)))

    def entry_html(self, entry: Entry) -> str:
        address = self.reverse_url("entry", entry.id)
        return entry_html(entry, address, self.is_mine(entry))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Show a page in the guestbook's own looks for everything that fails."""
        title = f"{status_code} {responses.get(status_code, 'Error')}"
        self.show(title, error_html(title, status_code))


class NotFoundHandler(BaseHandler):
    """Every address that no route knows."""

    def prepare(self) -> None:
        raise HTTPError(404)


class EntriesHandler(BaseHandler):
    """The form and the entries; a sent form adds one."""

    def get(self) -> None:
        name = url_unescape(self.get_cookie("name") or "")
        self.show_entries(Draft(name[:NAME_LIMIT]), {})

    def post(self) -> None:
        draft = self.read_draft()
        problems = find_problems(draft)
        if problems:
            self.set_status(422)
            self.show_entries(draft, problems)
            return
        author = self.author or secrets.token_urlsafe(32)
        number = self.book.add(draft.name, draft.message, author, draft.picture)
        self.remember("author", author)
        self.remember("name", url_escape(draft.name))
        # 303: the browser GETs the page, and reloading it sends no form again.
        self.redirect(f"{self.reverse_url('home')}#entry-{number}", status=303)

    def read_draft(self) -> Draft:
        name = " ".join(self.get_body_argument("name", "").split())
        message = self.get_body_argument("message", "").replace("\r\n", "\n")
        uploads = self.request.files.get("picture")
        return Draft(name, message, uploads[0].body if uploads else None)

    def show_entries(self, draft: Draft, problems: dict[str, str]) -> None:
        number, pages = self.find_page()
        entries = self.book.read_page(number)
        self.show(
            "Guestbook",
            form_html(draft, problems, self.reverse_url("entries")),
            *(self.entry_html(entry) for entry in entries),
            pager_html(number, pages, self.reverse_url("home")),
        )


class EntriesJSONHandler(BaseHandler):
    """The entries for programs, in the same pages as for people."""

    def get(self) -> None:
        number, pages = self.find_page()
        address = self.reverse_url("entries.json")
        following = f"{address}?page={number + 1}" if number < pages else None
        entries = [self.as_json(entry) for entry in self.book.read_page(number)]
        self.write({"entries": entries, "next": following})

    def as_json(self, entry: Entry) -> dict[str, object]:
        picture = self.reverse_url("picture", entry.id) if entry.has_picture else None
        return {
            "id": entry.id,
            "name": entry.name,
            "message": entry.message,
            "created": entry.created,
            "picture": picture,
        }


class EntryHandler(BaseHandler):
    def get(self, id: str) -> None:
        entry = self.find_entry(id)
        self.show(f"{entry.name} wrote", self.entry_html(entry))


class PictureHandler(BaseHandler):
    def get(self, id: str) -> None:
        picture = self.book.find_picture(int(id))
        if picture is None:
            raise HTTPError(404)
        self.set_header("Content-Type", picture_type(picture) or "text/plain")
        self.set_header("Cache-Control", "private, max-age=31536000, immutable")
        self.finish(picture)


class DeleteHandler(BaseHandler):
    def post(self, id: str) -> None:
        entry = self.find_entry(id)
        if not self.is_mine(entry):
            raise HTTPError(403)
        self.book.delete(entry.id)
        self.redirect(self.reverse_url("home"), status=303)


# --- What a visitor sees ----------------------------------------------------------
# Every text that came from outside goes through xhtml_escape where it is put in.

STYLE = """
  :root { color-scheme: light dark; --ink: #2b2622; --soft: #7d7167; --line: #e4dace;
    --paper: #f8f3ea; --card: #fffdf9; --accent: #9c4221; --wrong: #b3261e; }
  @media (prefers-color-scheme: dark) { :root { --ink: #ece5db; --soft: #a89c8f;
    --line: #423a33; --paper: #1e1a17; --card: #29241f; --accent: #e8996f;
    --wrong: #ff8a80; } }
  * { box-sizing: border-box; }
  body { margin: 0; background: var(--paper); color: var(--ink);
    font: 1.0625rem/1.6 system-ui, sans-serif; }
  header, main { max-width: 42rem; margin: 0 auto; padding: 0 1rem; }
  header { padding-top: 2.5rem; padding-bottom: 1.5rem; text-align: center; }
  h1, h2 { font-family: Georgia, "Times New Roman", serif; line-height: 1.25;
    margin: 0; overflow-wrap: anywhere; }
  h1 { font-size: 2.5rem; }
  h2 { font-size: 1.25rem; }
  a { color: var(--accent); }
  h1 a { color: inherit; text-decoration: none; }
  header p, time { color: var(--soft); margin: 0; }
  time { font-size: .875rem; }
  .card { background: var(--card); border: 1px solid var(--line); margin: 0 0 1.25rem;
    border-radius: .75rem; padding: 1.25rem; box-shadow: 0 1px 3px #0000000d; }
  .card:target { border-color: var(--accent); }
  .message { white-space: pre-wrap; overflow-wrap: anywhere; margin: .75rem 0 0; }
  img { display: block; max-width: 100%; max-height: 28rem; margin-top: 1rem;
    border-radius: .5rem; }
  label { display: block; font-weight: 600; margin-top: 1rem; }
  label:first-child { margin-top: 0; }
  label small { color: var(--soft); font-weight: normal; }
  input, textarea, button { font: inherit; }
  input, textarea { display: block; width: 100%; margin-top: .25rem; color: inherit; }
  [type=text], textarea { padding: .5rem .75rem; border: 1px solid var(--line);
    border-radius: .5rem; background: var(--paper); }
  [aria-invalid=true] { border-color: var(--wrong); }
  textarea { resize: vertical; }
  .problem { color: var(--wrong); font-size: .9375rem; margin: .25rem 0 0; }
  button { margin-top: 1.25rem; padding: .5rem 1.5rem; border: 0; cursor: pointer;
    border-radius: .5rem; background: var(--accent); color: var(--card); }
  button.quiet { margin-top: .75rem; padding: 0; background: none; font-size: .875rem;
    color: var(--soft); text-decoration: underline; }
  nav { display: flex; justify-content: space-between; padding-bottom: 2rem; }
"""


def page_html(title: str, home: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{xhtml_escape(title)}</title>
  <link rel="icon" href="data:,">
  <style>{STYLE}</style>
</head>
<body>
  <header>
    <h1><a href="{xhtml_escape(home)}">Guestbook</a></h1>
    <p>Nice that you came by. Leave a few words!</p>
  </header>
  <main>{body}</main>
</body>
</html>
"""


def form_html(draft: Draft, problems: dict[str, str], action: str) -> str:
    hints = {field: problem_html(field, text) for field, text in problems.items()}
    marks = {field: problem_mark(field) for field in problems}
    return f"""
    <form class="card" id="write" method="post" action="{xhtml_escape(action)}"
        enctype="multipart/form-data">
      <label for="name">Your name</label>
      <input type="text" id="name" name="name" value="{xhtml_escape(draft.name)}"
        maxlength="{NAME_LIMIT}" autocomplete="name" dir="auto" required
        {marks.get("name", "")}>
      {hints.get("name", "")}
      <label for="message">Your message</label>
      <textarea id="message" name="message" rows="4" dir="auto" required
        maxlength="{MESSAGE_LIMIT}" {marks.get("message", "")}>
{xhtml_escape(draft.message)}</textarea>
      {hints.get("message", "")}
      <label for="picture">A picture <small>(if you like, up to 1 MB)</small></label>
      <input type="file" id="picture" name="picture"
        accept="image/png,image/jpeg,image/gif,image/webp" {marks.get("picture", "")}>
      {hints.get("picture", "")}
      <button>Write into the book</button>
    </form>"""


def problem_html(field: str, text: str) -> str:
    return f'<p class="problem" id="{field}-problem">{xhtml_escape(text)}</p>'


def problem_mark(field: str) -> str:
    return f'aria-invalid="true" aria-describedby="{field}-problem"'


def entry_html(entry: Entry, address: str, is_mine: bool) -> str:
    name = xhtml_escape(entry.name)
    address = xhtml_escape(address)
    moment = datetime.fromisoformat(entry.created)
    picture = (
        f'<img src="{address}/picture" alt="A picture from {name}">'
        if entry.has_picture
        else ""
    )
    delete = (
        f"""<form method="post" action="{address}/delete">
        <button class="quiet">Delete this entry</button></form>"""
        if is_mine
        else ""
    )
    return f"""
    <article class="card" id="entry-{entry.id}">
      <h2 dir="auto">{name}</h2>
      <a href="{address}"><time datetime="{entry.created}"
        >{moment.day} {moment:%B %Y, %H:%M} UTC</time></a>
      <p class="message" dir="auto">{xhtml_escape(entry.message)}</p>
      {picture}
      {delete}
    </article>"""


def pager_html(number: int, pages: int, home: str) -> str:
    home = xhtml_escape(home)
    newer = f'<a rel="prev" href="{home}?page={number - 1}">Newer entries</a>'
    older = f'<a rel="next" href="{home}?page={number + 1}">Older entries</a>'
    return f"""
    <nav>
      <span>{newer if number > 1 else ""}</span>
      <span>{older if number < pages else ""}</span>
    </nav>"""


def error_html(title: str, status_code: int) -> str:
    explanation = {
        403: "Only the one who wrote an entry can delete it.",
        404: "There is no such page here. Perhaps somebody deleted the entry.",
    }.get(status_code, "This did not work.")
    return f"""
    <section class="card">
      <h2>{xhtml_escape(title)}</h2>
      <p class="message">{xhtml_escape(explanation)}</p>
    </section>"""


# --- The application --------------------------------------------------------------


def make_app(data_dir: str | os.PathLike[str] | None = None) -> Application:
    """Make the guestbook whose data lies in a folder, made here when it is missing."""
    folder = data_dir or os.environ.get("GUESTBOOK_DATA") or "guestbook-data"
    entry = r"/entries/(\d{1,18})"  # a longer number may not fit into sqlite3's 64 bits
    return Application(
        [
            url(r"/", EntriesHandler, name="home"),
            url(r"/entries", EntriesHandler, name="entries"),
            url(r"/entries\.json", EntriesJSONHandler, name="entries.json"),
            url(entry, EntryHandler, name="entry"),
            url(rf"{entry}/picture", PictureHandler, name="picture"),
            url(rf"{entry}/delete", DeleteHandler),
            url(r"/guestbook", RedirectHandler, {"url": "/"}),
        ],
        default_handler_class=NotFoundHandler,
        book=Guestbook(Path(folder)),
    )


app = make_app()
