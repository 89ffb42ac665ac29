"""The same templates give the same bytes as in Tornado, or fail alike."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import tornado.template
from hypothesis import given
from hypothesis import strategies as st

from tests.template.families import INHERITANCE, WHITESPACE
from tests.template.pages import CONTROL, EXPRESSIONS, FUNCTIONS, Page
from wsgitornado import template

PAGES = [*EXPRESSIONS, *CONTROL, *FUNCTIONS, *INHERITANCE, *WHITESPACE]


def outcome(module: Any, page: Page) -> bytes | type[Exception]:
    """What the page gives, or how it fails while it runs."""
    loader = module.DictLoader(page.templates, **page.loader)
    main = loader.load(page.main)
    try:
        output = main.generate(**page.kwargs)
    except Exception as e:
        return type(e)
    assert isinstance(output, bytes)
    return output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_has_the_same_bytes(page: Page) -> None:
    assert outcome(template, page) == outcome(tornado.template, page)


def test_most_pages_succeed() -> None:
    # A comparison of nothing but failures would prove nothing.
    succeeded = [isinstance(outcome(template, page), bytes) for page in PAGES]
    assert succeeded.count(True) > 0.9 * len(PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_has_the_same_bytes_from_files(page: Page, tmp_path: Path) -> None:
    if any(name.startswith(("/", "..")) for name in page.templates):
        return
    for name, text in page.templates.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    loader = template.Loader(str(tmp_path), **page.loader)
    try:
        output: object = loader.load(page.main).generate(**page.kwargs)
    except Exception as e:
        output = type(e)
    assert output == outcome(template, page)


# Names


def test_every_public_name_of_tornado_exists() -> None:
    theirs = {
        name
        for name, value in vars(tornado.template).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == "tornado.template"
    }
    assert theirs <= set(template.__all__)


@pytest.mark.parametrize(
    "name", ["Template", "BaseLoader", "Loader", "DictLoader", "ParseError"]
)
def test_arguments_are_those_of_tornado(name: str) -> None:
    theirs = inspect.signature(getattr(tornado.template, name)).parameters
    ours = inspect.signature(getattr(template, name)).parameters
    assert list(ours)[: len(theirs)] == list(theirs)
    for parameter in theirs.values():
        own = ours[parameter.name]
        assert own.kind == parameter.kind
        if not repr(parameter.default).startswith("<tornado."):
            assert own.default == parameter.default


# Blanks

blanks = st.text(st.sampled_from("ab<\n\r\t \x0b\x0c\x1c\u2028\u00a0\ufeff"))


@pytest.mark.parametrize("mode", ["all", "single", "oneline"])
@given(text=blanks)
def test_blanks_are_filtered_as_in_tornado(mode: str, text: str) -> None:
    ours = template.filter_whitespace(mode, text)
    assert ours == tornado.template.filter_whitespace(mode, text)


# Where tags are

signs = st.lists(
    st.sampled_from(
        ["{", "}", "{{", "}}", "{%", "%}", "{#", "#}", "!", " ", "\n", "x", "raw x"]
    ),
    max_size=12,
)


@given(parts=signs)
def test_tags_are_found_where_tornado_finds_them(parts: list[str]) -> None:
    text = "".join(parts)
    theirs: object
    try:
        theirs = tornado.template.Template(text).generate(x="<x>", raw=1)
    except (tornado.template.ParseError, SyntaxError):
        with pytest.raises(template.ParseError):
            template.Template(text)
        return
    except Exception as e:
        theirs = type(e)
    try:
        ours: object = template.Template(text).generate(x="<x>", raw=1)
    except Exception as e:
        ours = type(e)
    assert ours == theirs
