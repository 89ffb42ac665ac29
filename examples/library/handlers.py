"""The handlers: one for each kind of page."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from examples.library.books import BY_NAME, SHELF, Book, search
from examples.library.forms import Credentials, Problems, ReviewDraft
from examples.library.records import Member, Records
from wsgitornado import locale
from wsgitornado.web import HTTPError, RequestHandler, authenticated

#: The languages of the site, as their speakers call them.
LANGUAGES = {"en": "English", "de": "Deutsch", "ar": "العربية"}

#: A path of this site. Two slashes, or a slash and a backslash, name another host.
LOCAL = re.compile(r"/([!-.0-\[\]-~][!-\[\]-~]*)?")


class BaseHandler(RequestHandler):
    """What all pages share: the records, the member, the language, the error page."""

    #: The entry of the menu that a page belongs to.
    section = ""

    @property
    def records(self) -> Records:
        records: Records = self.settings["records"]
        return records

    @property
    def member(self) -> Member:
        """Who is signed in; for methods that are only for them."""
        member = self.current_user
        assert isinstance(member, Member)
        return member

    @cached_property
    def nonce(self) -> str:
        """A word that nobody else knows, for the styles and scripts in our pages."""
        return secrets.token_urlsafe(16)

    def set_default_headers(self) -> None:
        own = f"'self' 'nonce-{self.nonce}'"
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Vary", "Accept-Language, Cookie")
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; img-src 'self'; style-src {own}; script-src {own};"
            " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        )

    def get_current_user(self) -> Member | None:
        number = self.get_signed_cookie("member")
        return self.records.find_member(int(number)) if number else None

    def get_user_locale(self) -> locale.Locale | None:
        """The language that was chosen; without one the browser says what it likes."""
        code = self.get_cookie("language")
        return locale.get(code) if code in LANGUAGES else None

    def get_template_namespace(self) -> dict[str, Any]:
        namespace = super().get_template_namespace()
        namespace.update(languages=LANGUAGES, here=self.request.uri)
        return namespace

    def remember(self, member: Member) -> None:
        """Sign a member in, on this browser."""
        self.set_signed_cookie(
            "member", str(member.id), expires_days=30, **self.cookie_options
        )

    @property
    def cookie_options(self) -> dict[str, Any]:
        """No script reads the cookie, and no form on another site is sent with it."""
        is_https = self.request.protocol == "https"
        return {"httponly": True, "samesite": "Lax", "secure": is_https}

    def head(self, *path_args: str) -> Any:
        """Answer as GET does; the body is left out by itself."""
        return self.get(*path_args)

    def find_book(self, name: str) -> Book:
        book = BY_NAME.get(name)
        if book is None:
            raise HTTPError(404)
        return book

    def find_next(self) -> str:
        """Where the form wants to go on: on this site, whatever somebody put there."""
        address = self.get_argument("next", "")
        return address if LOCAL.fullmatch(address) else self.reverse_url("home")

    def count_left(self) -> dict[str, int]:
        """How many copies of each book are there to be borrowed."""
        lent = self.records.count_loans()
        return {book.name: book.copies - lent.get(book.name, 0) for book in SHELF}

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if self.settings.get("serve_traceback") and status_code >= 500:
            super().write_error(status_code, **kwargs)
        else:
            home = self.reverse_url("home")
            self.render("error.html", status_code=status_code, here=home)

    # The policy above asks for the nonce on what the modules of a page embed in it.

    def render_embed_css(self, css_embed: Iterable[bytes]) -> bytes:
        nonce = self.nonce.encode()
        return b'<style nonce="%b">\n%b\n</style>' % (nonce, b"\n".join(css_embed))

    def render_embed_js(self, js_embed: Iterable[bytes]) -> bytes:
        nonce = self.nonce.encode()
        return b'<script nonce="%b">\n%b\n</script>' % (nonce, b"\n".join(js_embed))


class NotFoundHandler(BaseHandler):
    """Every address that no rule knows."""

    def prepare(self) -> None:
        raise HTTPError(404)


class HomeHandler(BaseHandler):
    def get(self) -> None:
        self.render(
            "home.html",
            books=[BY_NAME[name] for name in ("alice", "effi-briest", "hayy")],
            ratings=self.records.rate(),
            left=self.count_left(),
            reviews=self.records.find_reviews(limit=3),
            by_name=BY_NAME,
        )


class CatalogueHandler(BaseHandler):
    """All books, or those that somebody looks for."""

    section = "catalogue"

    def get(self) -> None:
        words = self.get_query_argument("q", "")
        language = self.get_query_argument("language", "")
        self.render(
            "catalogue.html",
            books=search(words, language),
            ratings=self.records.rate(),
            left=self.count_left(),
            words=words,
            language=language,
        )


class BookHandler(BaseHandler):
    """A book and its reviews; a sent form writes one."""

    section = "catalogue"

    def get(self, name: str) -> None:
        book = self.find_book(name)
        self.show(book, self.find_draft(book), {})

    @authenticated
    def post(self, name: str) -> None:
        book = self.find_book(name)
        draft = ReviewDraft(
            self.get_body_argument("stars", ""),
            self.get_body_argument("text", "").replace("\r\n", "\n"),
        )
        problems = draft.find_problems(self.locale.translate)
        if problems:
            self.set_status(422)
            self.show(book, draft, problems)
            return
        self.records.write_review(self.member, book, int(draft.stars), draft.text)
        # 303: the browser GETs the page, and reloading it sends no form again.
        self.redirect(self.reverse_url("book", book.name) + "#reviews", status=303)

    def find_draft(self, book: Book) -> ReviewDraft:
        """What the member has written before, to be changed."""
        for review in self.records.find_reviews(book):
            if self.current_user and review.author == self.member.name:
                return ReviewDraft(str(review.stars), review.text)
        return ReviewDraft()

    def show(self, book: Book, draft: ReviewDraft, problems: Problems) -> None:
        loans = self.records.find_loans(self.member) if self.current_user else {}
        self.render(
            "book.html",
            book=book,
            left=self.count_left()[book.name],
            due=loans.get(book.name),
            rating=self.records.rate().get(book.name),
            reviews=self.records.find_reviews(book),
            draft=draft,
            problems=problems,
        )


class BorrowHandler(BaseHandler):
    @authenticated
    def post(self, name: str) -> None:
        book = self.find_book(name)
        # If somebody else was faster, the page of the book says so.
        self.records.borrow(self.member, book)
        self.redirect(self.reverse_url("book", book.name), status=303)


class ReturnHandler(BaseHandler):
    @authenticated
    def post(self, name: str) -> None:
        book = self.find_book(name)
        self.records.bring_back(self.member, book)
        self.redirect(self.find_next(), status=303)


class LoansHandler(BaseHandler):
    """What a member has borrowed."""

    section = "loans"

    @authenticated
    def get(self) -> None:
        loans = self.records.find_loans(self.member)
        self.render("loans.html", loans=[(BY_NAME[b], due) for b, due in loans.items()])


class CredentialsHandler(BaseHandler):
    """A form with a name and a password."""

    template: str

    def get(self) -> None:
        self.show(Credentials(), {})

    def post(self) -> None:
        credentials = Credentials(
            " ".join(self.get_body_argument("name", "").split()),
            self.get_body_argument("password", "", strip=False),
        )
        problems = self.enter(credentials)
        if problems:
            self.set_status(422)
            self.show(credentials, problems)
        else:
            self.redirect(self.find_next(), status=303)

    def enter(self, credentials: Credentials) -> Problems:
        """Sign the member in, or tell what is wrong."""
        raise NotImplementedError

    def show(self, credentials: Credentials, problems: Problems) -> None:
        # The password is not sent back: pages are kept by browsers.
        self.render(
            self.template,
            name=credentials.name,
            problems=problems,
            next=self.find_next(),
        )


class SignInHandler(CredentialsHandler):
    section = "signin"
    template = "signin.html"

    def enter(self, credentials: Credentials) -> Problems:
        member = self.records.check_password(credentials.name, credentials.password)
        if member is None:
            _ = self.locale.translate
            return {"password": _("Name and password do not belong together.")}
        self.remember(member)
        return {}


class JoinHandler(CredentialsHandler):
    section = "join"
    template = "join.html"

    def enter(self, credentials: Credentials) -> Problems:
        _ = self.locale.translate
        problems = credentials.find_problems(_)
        if not problems:
            member = self.records.add_member(credentials.name, credentials.password)
            if member is None:
                return {"name": _("Another member has this name already.")}
            self.remember(member)
        return problems


class SignOutHandler(BaseHandler):
    def post(self) -> None:
        self.clear_cookie("member")
        self.redirect(self.reverse_url("home"), status=303)


class LanguageHandler(BaseHandler):
    """Keeps the language that somebody has chosen."""

    def post(self) -> None:
        code = self.get_body_argument("code")
        if code not in LANGUAGES:
            raise HTTPError(400)
        self.set_cookie("language", code, expires_days=365, **self.cookie_options)
        self.redirect(self.find_next(), status=303)


class AboutHandler(BaseHandler):
    section = "about"

    def get(self) -> None:
        self.render("about.html", books=len(SHELF))
