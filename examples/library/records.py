"""What the library keeps: members, loans and reviews, in one sqlite3 file."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from examples.library.books import Book

LOAN = timedelta(weeks=4)

#: How much work a guess at a password is: scrypt's n, a power of two.
PASSWORD_COST = 2**14


@dataclass(frozen=True)
class Member:
    id: int
    name: str


@dataclass(frozen=True)
class Review:
    """What a member thinks of a book.

    :ivar book: the name of the book.
    :ivar author: the name of the member.
    """

    book: str
    author: str
    stars: int
    text: str
    written: datetime


class Records:
    """Members, loans and reviews.

    Each call opens a connection of its own, so that any thread may make it. Books are
    known by their names.
    """

    SCHEMA = """
        CREATE TABLE IF NOT EXISTS secrets (
            purpose TEXT PRIMARY KEY,
            value TEXT NOT NULL
        );
        CREATE TABLE IF NOT EXISTS members (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            folded_name TEXT NOT NULL UNIQUE,
            salt BLOB NOT NULL,
            password BLOB NOT NULL
        );
        CREATE TABLE IF NOT EXISTS loans (
            book TEXT NOT NULL,
            member INTEGER NOT NULL REFERENCES members,
            due TEXT NOT NULL,
            PRIMARY KEY (book, member)
        );
        CREATE TABLE IF NOT EXISTS reviews (
            book TEXT NOT NULL,
            member INTEGER NOT NULL REFERENCES members,
            stars INTEGER NOT NULL,
            text TEXT NOT NULL,
            written TEXT NOT NULL,
            PRIMARY KEY (book, member)
        );
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "library.sqlite3"
        with self.connect() as db:
            db.executescript(self.SCHEMA)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        # `closing` closes; the connection as a context commits, or rolls back.
        with closing(sqlite3.connect(self.file)) as db, db:
            yield db

    def find_secret(self, purpose: str) -> str:
        """A random text, made once, that only this library knows."""
        made = secrets.token_urlsafe(32)
        with self.connect() as db:
            # Several processes may start at the same time: the first one's stays.
            db.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", (purpose, made))
            (secret,) = db.execute(
                "SELECT value FROM secrets WHERE purpose = ?", (purpose,)
            ).fetchone()
        return str(secret)

    # Members

    def add_member(self, name: str, password: str) -> Member | None:
        """Give the new member; None if somebody has this name."""
        salt = secrets.token_bytes(16)
        row = (name, name.casefold(), salt, hash_password(password, salt))
        with self.connect() as db:
            added = db.execute(
                "INSERT INTO members (name, folded_name, salt, password)"
                " VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
                row,
            ).fetchone()
        return Member(added[0], name) if added else None

    def find_member(self, id: int) -> Member | None:
        with self.connect() as db:
            row = db.execute(
                "SELECT id, name FROM members WHERE id = ?", (id,)
            ).fetchone()
        return Member(*row) if row else None

    def check_password(self, name: str, password: str) -> Member | None:
        """Give the member of this name, if this is the password."""
        with self.connect() as db:
            row = db.execute(
                "SELECT id, name, salt, password FROM members WHERE folded_name = ?",
                (name.casefold(),),
            ).fetchone()
        # It takes as long for a name that nobody has: who is a member stays private.
        *member, salt, expected = row or (0, "", b"", b"")
        is_right = hmac.compare_digest(hash_password(password, salt), expected)
        return Member(*member) if is_right else None

    # Loans

    def borrow(self, member: Member, book: Book) -> bool:
        """Lend a copy of a book, or tell that there is none left.

        Looking and lending are one statement: of two members who want the last copy
        at the same time only one gets it.
        """
        loan = {
            "book": book.name,
            "member": member.id,
            "due": (datetime.now(UTC) + LOAN).date().isoformat(),
            "copies": book.copies,
        }
        with self.connect() as db:
            lent = db.execute(
                "INSERT OR IGNORE INTO loans SELECT :book, :member, :due"
                " WHERE (SELECT count(*) FROM loans WHERE book = :book) < :copies",
                loan,
            )
        return lent.rowcount == 1

    def bring_back(self, member: Member, book: Book) -> None:
        with self.connect() as db:
            db.execute(
                "DELETE FROM loans WHERE book = ? AND member = ?",
                (book.name, member.id),
            )

    def find_loans(self, member: Member) -> dict[str, date]:
        """What a member has borrowed, and when each book is due; the next one first."""
        with self.connect() as db:
            rows = db.execute(
                "SELECT book, due FROM loans WHERE member = ? ORDER BY due, rowid",
                (member.id,),
            )
            return {book: date.fromisoformat(due) for book, due in rows}

    def count_loans(self) -> dict[str, int]:
        """How many copies of each book are lent."""
        with self.connect() as db:
            rows = db.execute("SELECT book, count(*) FROM loans GROUP BY book")
            return dict(rows)

    # Reviews

    def write_review(self, member: Member, book: Book, stars: int, text: str) -> None:
        """Keep what a member thinks of a book, in place of what was there."""
        written = datetime.now(UTC).isoformat(timespec="seconds")
        with self.connect() as db:
            db.execute(
                "INSERT OR REPLACE INTO reviews VALUES (?, ?, ?, ?, ?)",
                (book.name, member.id, stars, text, written),
            )

    def find_reviews(self, book: Book | None = None, limit: int = 100) -> list[Review]:
        """The reviews of a book, or of all; the newest first."""
        with self.connect() as db:
            rows = db.execute(
                "SELECT book, name, stars, text, written"
                " FROM reviews JOIN members ON members.id = reviews.member"
                " WHERE :book IS NULL OR book = :book"
                " ORDER BY written DESC, reviews.rowid DESC LIMIT :limit",
                {"book": book and book.name, "limit": limit},
            )
            return [
                Review(book, author, stars, text, datetime.fromisoformat(written))
                for book, author, stars, text, written in rows
            ]

    def rate(self) -> dict[str, float]:
        """The stars that each book has got on average."""
        with self.connect() as db:
            return dict(
                db.execute("SELECT book, avg(stars) FROM reviews GROUP BY book")
            )


def hash_password(password: str, salt: bytes) -> bytes:
    """What is kept of a password: slow to make, so that guessing takes ages."""
    return hashlib.scrypt(password.encode(), salt=salt, n=PASSWORD_COST, r=8, p=1)
