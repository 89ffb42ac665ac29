"""Debug pages as a browser takes them: their tags, their text, what is open."""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser
from typing import Any

from tests.support import Answer
from tests.web.one_handler import answer
from wsgitornado.testing import ExpectLog
from wsgitornado.web import RequestHandler

__all__ = [
    "BROWSER",
    "ShownPage",
    "failing",
    "failing_handler",
    "parse",
    "raising",
    "shown",
]

#: What browsers ask a page with.
BROWSER = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")

_TAGS = frozenset(
    {
        *("html", "head", "meta", "title", "style", "body", "header"),
        *("main", "footer", "section", "nav", "a", "p", "h1"),
        *("h2", "h3", "h4", "h5", "h6", "ul", "ol"),
        *("li", "details", "summary", "div", "pre", "code", "span"),
        *("mark", "i", "strong", "table", "tr", "th", "td"),
        *("label", "textarea"),
    }
)
_ATTRIBUTES = frozenset(
    {
        *("lang", "charset", "name", "content", "class", "id", "href"),
        *("aria-label", "open", "scope", "for", "readonly", "rows", "cols"),
        "spellcheck",
    }
)
_VOID = frozenset({"meta"})


class ShownPage(HTMLParser):
    """Reads a page, and refuses what the debug page never has."""

    # The content of these is text (HTML, section 13.2.5.2).
    RCDATA = frozenset({"title", "textarea"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open_tags: list[str] = []
        self.tags: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.ids: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _TAGS, tag
        assert not self.RCDATA.intersection(self.open_tags), (tag, self.open_tags)
        for name, value in attrs:
            assert name in _ATTRIBUTES, name
            if name == "id":
                assert value not in self.ids, value
                self.ids.add(str(value))
            if name == "href":
                self.links.append(str(value))
        self.tags.append(tag)
        if tag not in _VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        raise AssertionError(f"<{tag}/>")

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if self.open_tags:
            self.texts.append((self.open_tags[-1], data))
        else:
            assert not data.strip(), data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"<!--{data}-->")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"<![{data}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"<?{data}")

    def text_of(self, *tags: str) -> str:
        """The text in these tags; in all but the style without any."""
        return "".join(
            data
            for tag, data in self.texts
            if tag in tags or (not tags and tag != "style")
        )


def parse(html: str) -> ShownPage:
    page = ShownPage()
    page.feed(html)
    page.close()
    assert page.open_tags == []
    assert page.links
    assert all(link[1:] in page.ids for link in page.links), page.links
    return page


def failing_handler() -> type[RequestHandler]:
    """A handler of its own, whose verbs fail."""

    class Failing(RequestHandler):
        def get(self, *args: Any, **kwargs: Any) -> None:
            raise ValueError("<script>alert('no')</script>")

        post = get

    return Failing


def raising(error: BaseException) -> Any:
    """A verb that raises this."""

    def verb(handler: Any) -> None:
        raise error

    return verb


def failing(
    verb: Any, headers: Iterable[tuple[str, str]] = (BROWSER,), **settings: Any
) -> Answer:
    """What a browser gets where a verb fails in an application under development."""
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        return answer(verb, headers=headers, **{"debug": True, **settings})


def shown(verb: Any, **settings: Any) -> ShownPage:
    return parse(failing(verb, **settings).text)
