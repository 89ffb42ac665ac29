"""Text from outside stays text: in elements and attributes, wherever it is written."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado import escape
from wsgitornado.template import DictLoader, Template

ITEM = "<a title=\"{{ x }}\" rel='{{ x }}'>{{ x }}</a>"

#: Ways to the same output.
PAGES = {
    "here": {"main": ITEM},
    "block": {
        "main": "{% extends base %}{% block a %}" + ITEM + "{% end %}",
        "base": "{% block a %}{% end %}",
    },
    "base": {"main": "{% extends base %}", "base": ITEM},
    "super": {
        "main": "{% extends base %}{% block a %}{% super %}{% end %}",
        "base": "{% block a %}" + ITEM + "{% end %}",
    },
    "include": {"main": "{% include part %}", "part": ITEM},
    "include in what is not escaped": {
        "main": "{% autoescape None %}{% include part %}",
        "part": "{% autoescape xhtml_escape %}" + ITEM,
    },
    "loop": {"main": "{% for y in [x] %}" + ITEM.replace("x", "y") + "{% end %}"},
    "apply": {"main": "{% apply f %}" + ITEM + "{% end %}"},
    "module": {"main": "{% module Item(x) %}", "item": ITEM},
    "imported": {
        "main": "{% from wsgitornado.escape import xhtml_escape %}" + ITEM,
    },
}

nasty = st.text(
    st.sampled_from("<>&\"'=/ ax;#\n\0é\u2028")
    | st.characters(exclude_categories=["Cs"])
)
values = nasty | nasty.map(str.encode) | st.none() | st.integers() | st.lists(nasty)


class Elements(HTMLParser):
    """Collects the start tags and the text of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", PAGES)
@given(value=values)
def test_value_leaves_neither_element_nor_attribute(name: str, value: object) -> None:
    loader = DictLoader(PAGES[name])

    def item(x: object) -> bytes:
        return loader.load("item").generate(x=x)

    page = loader.load("main").generate(
        x=value, f=bytes, _tt_modules=SimpleNamespace(Item=item)
    )
    text = value.decode() if isinstance(value, bytes) else str(value)
    elements = Elements(page)
    assert elements.found == [("a", {"title": text, "rel": text})]
    assert elements.text == text


@given(value=values)
def test_escaped_value_is_what_xhtml_escape_makes_of_it(value: object) -> None:
    text = value if isinstance(value, str | bytes) else str(value)
    expected = escape.xhtml_escape(text).encode()
    assert Template("{{ x }}").generate(x=value) == expected


@given(
    value=st.recursive(
        nasty, lambda inner: st.lists(inner) | st.dictionaries(nasty, inner)
    )
)
def test_json_in_a_script_cannot_close_it(value: object) -> None:
    template = Template("<script>x = {% raw json_encode(x) %}</script>")
    page = template.generate(x=value).decode()
    script = page.removeprefix("<script>x = ").removesuffix("</script>")
    assert "</" not in script
    assert json.loads(script) == value


@given(text=nasty)
def test_links_in_text_are_the_only_elements(text: str) -> None:
    template = Template("{% raw linkify(x) %}{% apply linkify %}{% raw x %}{% end %}")
    page = template.generate(x=f"www.example.com/{text} http://example.org/{text}")
    for tag, attributes in Elements(page).found:
        assert tag == "a"
        assert set(attributes) == {"href"}
        assert str(attributes["href"]).startswith(("http://", "https://"))


def test_nothing_of_a_value_is_taken_for_a_tag() -> None:
    assert Template("{% raw x %}").generate(x="{{ 1 }}{% y %}") == b"{{ 1 }}{% y %}"
