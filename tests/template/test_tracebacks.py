"""Frames of template code tell the template's own file, line and text."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from wsgitornado.template import BaseLoader, DictLoader, Loader, Template

BASE = """<html>
{% set x = 1 %}
<body>{% block content %}
  {{ fail() }}{% end %}</body>
"""

NAV = """<nav>
{{ [
  x,
  fail(),
] }}
</nav>
"""

EXTENDS = "{% extends base.html %}"
BLOCK = "{% block content %}"
INCLUDE = "{% include nav.html %}"
END = "{% end %}"

#: Their template ``main.html``, and the frames when ``fail`` is called: file, line,
#: what the frame is, and the marked part of the line.
CASES = {
    "one file": (
        {"main.html": "a\n\n  é<b>{{ x + fail() }}</b>"},
        [("main.html", 3, "<template>", "fail()")],
    ),
    "block of this template": (
        {"main.html": f"{EXTENDS}\n{BLOCK}\n{{{{ fail() }}}}{END}", "base.html": BASE},
        [
            ("base.html", 3, "<template>", "block content"),
            ("main.html", 3, "<block content>", "fail()"),
        ],
    ),
    "block of the base": (
        {"main.html": EXTENDS, "base.html": BASE},
        [("base.html", 4, "<template>", "fail()")],
    ),
    "super": (
        {"main.html": f"{EXTENDS}\n\n{BLOCK}\n{{% super %}}{END}", "base.html": BASE},
        [
            ("base.html", 3, "<template>", "block content"),
            ("main.html", 4, "<block content>", "super"),
            ("base.html", 4, "<block content>", "fail()"),
        ],
    ),
    "include": (
        {"main.html": f"a\n{{% for x in 'ab' %}}\n{INCLUDE}{END}", "nav.html": NAV},
        [
            ("main.html", 3, "<template>", "include nav.html"),
            ("nav.html", 4, "<include nav.html>", "fail()"),
        ],
    ),
    "apply": (
        {"main.html": f"\n{{% apply f %}}\n{INCLUDE}{END}", "nav.html": NAV},
        [
            ("main.html", 2, "<template>", "f"),
            ("main.html", 3, "<apply f>", "include nav.html"),
            ("nav.html", 4, "<include nav.html>", "fail()"),
        ],
    ),
    "lambda": (
        {"main.html": "\n{{ (lambda:\n fail())() }}"},
        [
            ("main.html", 2, "<template>", "(lambda:\n fail())()"),
            ("main.html", 3, "<lambda>", "fail()"),
        ],
    ),
    **{
        name: ({"main.html": text}, [("main.html", line, "<template>", part)])
        for name, text, line, part in [
            ("elif", "\n{% if x %}{% elif fail() %}{% end %}", 2, "fail()"),
            ("for", "\n{% for a in fail() %}{% end %}", 2, "fail()"),
            ("set", "\n{% set a = [1,\n fail()] %}", 3, "fail()"),
            ("module", "\n{% module X(1) %}", 2, "X(1)"),
            ("autoescape", "{% autoescape fail %}\n\n{{ x }}", 3, "x"),
            ("conversion", "\n{{ x }}{{ bad }}", 2, "bad"),
            (
                "except",
                "{% try %}{{ 1 / 0 }}{% except A %}\n{% except fail() %}{% end %}",
                2,
                "fail()",
            ),
        ]
    },
}


class Failure(Exception):
    pass


def fail(*args: object) -> object:
    raise Failure


class Bad:
    def __str__(self) -> str:
        raise Failure


NAMES: dict[str, Any] = {
    "fail": fail,
    "f": fail,
    "bad": Bad(),
    "x": 0,
    "A": KeyError,
    "_tt_modules": SimpleNamespace(X=fail),
}


@pytest.fixture(params=["dict", "files"])
def make_loader(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[Mapping[str, str]], BaseLoader]:
    def loader(texts: Mapping[str, str]) -> BaseLoader:
        if request.param == "dict":
            return DictLoader(dict(texts))
        for name, text in texts.items():
            (tmp_path / name).write_bytes(text.encode())
        return Loader(str(tmp_path))

    return loader


def template_frames(error: BaseException) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not frame.filename.endswith(".py")]


@pytest.mark.parametrize("name", CASES)
def test_traceback_points_into_the_templates(
    name: str, make_loader: Callable[[Mapping[str, str]], BaseLoader]
) -> None:
    texts, expected = CASES[name]
    template = make_loader(texts).load("main.html")
    with pytest.raises(Failure) as caught:
        template.generate(**NAMES)
    frames = template_frames(caught.value)
    found = []
    for frame in frames:
        file = frame.filename.rpartition("/")[2]
        assert frame.line == texts[file].split("\n")[(frame.lineno or 0) - 1].strip()
        found.append((file, frame.lineno, frame.name, marked(texts[file], frame)))
    assert found == expected


def marked(text: str, frame: traceback.FrameSummary) -> str:
    """What a traceback underlines."""
    assert frame.lineno
    assert frame.end_lineno
    lines = text.encode().split(b"\n")[frame.lineno - 1 : frame.end_lineno]
    lines[-1] = lines[-1][: frame.end_colno]
    lines[0] = lines[0][frame.colno :]
    return b"\n".join(lines).decode()


def test_files_are_named_by_their_paths(tmp_path: Path) -> None:
    path = tmp_path / "main.html"
    path.write_text("{{ nope }}")
    with pytest.raises(NameError) as caught:
        Loader(str(tmp_path)).load("main.html").generate()
    (frame,) = template_frames(caught.value)
    assert frame.filename == str(path)


def test_any_template_may_have_a_file_name() -> None:
    template = Template("\n{{ nope }}", name="page", filename="/somewhere/page.html")
    with pytest.raises(NameError) as caught:
        template.generate()
    (frame,) = template_frames(caught.value)
    assert (frame.filename, frame.lineno) == ("/somewhere/page.html", 2)


@pytest.mark.parametrize("name", ["<string>", "page.html"])
def test_lines_are_those_of_the_template_that_failed_last(name: str) -> None:
    for text in ("{{ nope }}", "\n<p>{{ nope }}", "<i>{{ nope }}"):
        with pytest.raises(NameError) as caught:
            Template(text, name=name).generate()
        (frame,) = template_frames(caught.value)
        assert frame.filename == name
        assert frame.line == text.strip()


def test_mistake_outside_of_the_template_shows_its_frame_too() -> None:
    with pytest.raises(Failure) as caught:
        Template("\n{{ fail() }}").generate(fail=fail)
    shown = "".join(traceback.format_exception(caught.value))
    assert '  File "<string>", line 2, in <template>\n    {{ fail() }}\n' in shown


# A frame that is running


def running_frames(loader: BaseLoader) -> list[FrameType]:
    frames: list[FrameType] = []

    def look() -> str:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and "__loader__" in frame.f_globals:
            if frame.f_globals["__name__"] != "main_html":
                break
            frames.append(frame)
            frame = frame.f_back
        return ""

    loader.load("main.html").generate(look=look)
    return frames


def test_running_frame_knows_its_template() -> None:
    texts = {
        "main.html": "\n{% include part.html %}",
        "part.html": "\n\n{{ look() }}",
    }
    inner, outer = running_frames(DictLoader(texts))
    assert (inner.f_code.co_filename, inner.f_lineno) == ("part.html", 3)
    assert (outer.f_code.co_filename, outer.f_lineno) == ("main.html", 2)
    for frame in (inner, outer):
        source = frame.f_globals["__loader__"]
        filename = frame.f_code.co_filename
        assert source.get_source(filename) == texts[filename]


def test_debuggers_find_the_lines_of_a_running_template() -> None:
    linecache.clearcache()
    (frame,) = running_frames(DictLoader({"main.html": "a\n<p>{{ look() }}</p>"}))
    line = linecache.getline(frame.f_code.co_filename, 2, frame.f_globals)
    assert line == "<p>{{ look() }}</p>\n"


def test_lines_of_another_template_are_never_shown() -> None:
    # What asks says only the name of the module, which all frames have in common.
    linecache.clearcache()
    texts = {"main.html": "1\n2{% include part.html %}", "part.html": "3\n{{ look() }}"}
    inner, outer = running_frames(DictLoader(texts))
    for frame in (inner, outer):
        assert linecache.getline(frame.f_code.co_filename, 2, frame.f_globals) == ""
        assert frame.f_globals["__loader__"].get_source("other") is None
