"""The UI modules: parts of pages with styles and scripts of their own."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from examples.library.books import Book
from examples.library.forms import Problems
from examples.library.records import Review
from wsgitornado.escape import xhtml_escape
from wsgitornado.web import RequestHandler, UIModule


def time_html(handler: RequestHandler, moment: date) -> str:
    """A UI method: a moment or a day, as people write it and as programs read it."""
    if isinstance(moment, datetime):
        shown = handler.locale.format_date(moment)
    else:
        midnight = datetime.combine(moment, time(), UTC)
        shown = handler.locale.format_date(midnight, full_format=True, shorter=True)
    return f'<time datetime="{moment.isoformat()}">{xhtml_escape(shown)}</time>'


class BookCard(UIModule):
    """A book in a list. A style sheet comes with it, however many there are."""

    def render(self, book: Book, left: int, rating: float | None) -> bytes:
        return self.render_string(
            "parts/book_card.html", book=book, left=left, rating=rating
        )

    def css_files(self) -> str:
        return "parts/book_card.css"


class Star(UIModule):
    """One star. Its shape is in the page once, however many show it."""

    def render(self, is_full: bool = False) -> str:
        kind = "star full" if is_full else "star"
        return f'<svg class="{kind}" aria-hidden="true"><use href="#star"/></svg>'

    def embedded_css(self) -> str:
        return (
            ".star { inline-size: 1.2em; block-size: 1.2em; fill: var(--line); }\n"
            ".star.full { fill: var(--glow); }"
        )

    def html_body(self) -> str:
        return (
            '<svg hidden><symbol id="star" viewBox="0 0 24 24"><path d="M12 1.8l3.1 6.6'
            ' 7.2.9-5.3 5 1.4 7.1L12 17.9l-6.4 3.5L7 14.3l-5.3-5 7.2-.9z"/></symbol>'
            "</svg>"
        )


class Stars(UIModule):
    """Five stars, as many of them full as a book has got. It places another module."""

    def render(self, number: float) -> bytes:
        return self.render_string("parts/stars.html", number=round(number, 1))

    def embedded_css(self) -> str:
        return ".stars { display: inline-flex; gap: .1em; vertical-align: -.2em; }"


class ReviewCard(UIModule):
    """A review, its links made to be clicked; below a book, or with the book's name."""

    def render(self, review: Review, book: Book | None = None) -> bytes:
        return self.render_string("parts/review_card.html", review=review, book=book)

    def css_files(self) -> list[str]:
        return ["parts/review_card.css"]


class Field(UIModule):
    """A field of a form: its label, what was sent, and what is wrong with that."""

    def render(
        self,
        name: str,
        label: str,
        value: str,
        problems: Problems,
        *,
        kind: str = "text",
        limit: int = 200,
        autocomplete: str = "off",
    ) -> bytes:
        return self.render_string(
            "parts/field.html",
            name=name,
            label=label,
            value=value,
            problem=problems.get(name),
            kind=kind,
            limit=limit,
            autocomplete=autocomplete,
        )

    def css_files(self) -> str:
        return "parts/field.css"

    def javascript_files(self) -> str:
        return "parts/letter_count.js"


class SearchBox(UIModule):
    """The form that finds books. The key / leads to it."""

    def render(self, words: str, language: str) -> bytes:
        return self.render_string(
            "parts/search_box.html", words=words, language=language
        )

    def css_files(self) -> str:
        return "parts/search_box.css"

    def embedded_javascript(self) -> str:
        return """\
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select");
  if (event.key === "/" && !isTyping) {
    event.preventDefault();
    document.getElementById("q").focus();
  }
});"""


class Description(UIModule):
    """Shows nothing where it stands, and describes the page to search engines."""

    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        self.text = ""

    def render(self, text: str) -> str:
        self.text = text
        return ""

    def html_head(self) -> str:
        return f'<meta name="description" content="{xhtml_escape(self.text)}">'
