"""Frames of a traceback: whose code it is, and the source around its line."""

from __future__ import annotations

import importlib
import importlib.util
import json
import linecache
import os.path
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.web.caught import NO_MASK, caught, marked, show_one
from wsgitornado.template import DictLoader, Loader, ParseError, Template
from wsgitornado.web.masking import Mask
from wsgitornado.web.tracebacks import (
    Origin,
    format_traceback,
    show_exceptions,
)


def fail() -> None:
    raise ValueError("no")


def test_frames_are_in_the_order_of_the_calls() -> None:
    frames = show_one(caught(lambda: fail())).frames
    assert [frame.function.rpartition(".")[2] for frame in frames] == [
        "caught",
        "<lambda>",
        "fail",
    ]
    assert frames[-1].filename == __file__
    assert marked(frames[-1]) == 'raise ValueError("no")'


def test_traceback_may_be_missing() -> None:
    assert show_exceptions(caught(fail), None, NO_MASK)[0].frames == []


def module_of(path: Path, code: str) -> ModuleType:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


FAILING = "def fail():\n    raise ValueError\n"


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("program.py", Origin.YOURS),
        ("wsgitornado/program.py", Origin.YOURS),
        ("lib/site-packages/they/it.py", Origin.LIBRARY),
        ("lib/dist-packages/it.py", Origin.LIBRARY),
    ],
)
def test_place_of_a_file_tells_whose_it_is(
    path: str, origin: Origin, tmp_path: Path
) -> None:
    module = module_of(tmp_path / path, FAILING)
    frame = show_one(caught(module.fail)).frames[-1]
    assert (frame.filename, frame.origin) == (str(tmp_path / path), origin)
    assert marked(frame) == "raise ValueError"
    assert origin.is_yours == (origin is Origin.YOURS)


@pytest.mark.parametrize(
    ("call", "origin"),
    [
        (lambda: json.loads("{"), Origin.LIBRARY),
        (lambda: importlib.import_module("no_such_module"), Origin.LIBRARY),
        (lambda: DictLoader({}).load("missing"), Origin.OURS),
        (lambda: exec("1 / 0", {}), Origin.YOURS),
        (lambda: exec(compile("1 / 0", "page.mako", "exec"), {}), Origin.TEMPLATE),
        (lambda: exec(compile("1 / 0", "bin/program", "exec"), {}), Origin.YOURS),
    ],
    ids=["standard library", "frozen", "ours", "text", "a template", "no suffix"],
)
def test_code_tells_whose_it_is(call: Callable[[], object], origin: Origin) -> None:
    assert show_one(caught(call)).frames[-1].origin is origin


@pytest.mark.parametrize("lines_before", [0, 4, 5, 9])
def test_five_lines_around_are_shown(lines_before: int, tmp_path: Path) -> None:
    before = "".join(f"# {n}\n" for n in range(lines_before))
    path = tmp_path / f"around{lines_before}.py"
    module = module_of(path, before + FAILING + "# after\n" * 9)
    frame = show_one(caught(module.fail)).frames[-1]
    first = max(1, lines_before - 3)
    last = lines_before + 7
    assert [line.number for line in frame.source] == list(range(first, last + 1))
    assert marked(frame) == "raise ValueError"


def test_common_indentation_is_left_out(tmp_path: Path) -> None:
    body = "".join(f"    a{n} = 1\n" for n in range(9))
    module = module_of(
        tmp_path / "deep.py", f"def fail():\n{body}    if 1:\n        1 / 0\n{body}"
    )
    frame = show_one(caught(module.fail)).frames[-1]
    assert [line.text for line in frame.source][4:7] == ["if 1:", "    1 / 0", "a0 = 1"]


@pytest.mark.parametrize("length", [300, 301, 1_000_000])
def test_line_is_cut_at_300_characters(length: int, tmp_path: Path) -> None:
    line = "1 / 0  #".ljust(length, "x")
    with pytest.raises(ZeroDivisionError) as raised:
        module_of(tmp_path / f"long{length}.py", line + "\n")
    text = marked(show_one(raised.value).frames[-1])
    assert text.startswith(line[:300])
    assert len(text) <= 300 + 40
    assert ("characters in all" in text) == (length > 300)


def test_source_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "changing.py"
    module = module_of(path, FAILING)
    assert marked(show_one(caught(module.fail)).frames[-1]) == "raise ValueError"
    path.write_text("\n# not what ran any more, as Python's own traceback says\n")
    frame = show_one(caught(module.fail)).frames[-1]
    assert marked(frame).startswith("# not what ran")


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"# coding: nonsense\n\xff\n"),
        lambda path: path.write_bytes(b"\xff\xfe\n\x00\n"),
    ],
    ids=["gone", "empty", "unknown coding", "bytes"],
)
def test_source_that_cannot_be_read_shows_no_lines(
    change: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "unreadable.py"
    module = module_of(path, FAILING)
    del module.__loader__
    change(path)
    linecache.clearcache()
    frame = show_one(caught(module.fail)).frames[-1]
    assert (frame.filename, frame.line, frame.source) == (str(path), 2, [])


class BrokenLoader:
    def get_source(self, name: str) -> str:
        raise ZeroDivisionError


def test_loader_that_fails_shows_no_lines() -> None:
    code = compile(FAILING, "loaded by a broken loader", "exec")
    namespace: dict[str, Any] = {"__loader__": BrokenLoader(), "__name__": "x"}
    exec(code, namespace)
    assert show_one(caught(namespace["fail"])).frames[-1].source == []


@pytest.mark.parametrize(
    ("text", "source"),
    [("a b", ["a b"]), ("  a\n  b", ["a", "b"]), ("x\n" * 50, ["x"] * 11), (None, [])],
    ids=["line", "lines", "many lines", "none"],
)
def test_syntax_error_shows_where_the_parser_stopped(
    text: str | None, source: list[str]
) -> None:
    error = SyntaxError("invalid syntax", ("<text>", 7, 1, text))
    (frame,) = show_one(error).frames
    assert (frame.filename, frame.line, frame.function) == ("<text>", 7, "")
    assert [line.text for line in frame.source] == source
    assert all(n == line.number for n, line in enumerate(frame.source, 7))


def test_syntax_error_in_a_file_shows_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "wrong.py"
    error = caught(lambda: module_of(path, "a = 1\nb = = 2\nc = 3\n"))
    frame = show_one(error).frames[-1]
    assert [line.text for line in frame.source] == ["a = 1", "b = = 2", "c = 3"]
    assert frame.line == 2


@pytest.mark.parametrize(
    "error",
    [OSError(2, "gone", "a file"), json.JSONDecodeError("no", "", 0)],
    ids=["no line", "no file"],
)
def test_exception_that_is_no_parsers_names_no_place(error: Exception) -> None:
    assert show_one(error).frames == []


# Templates.

PAGE = "{% extends 'base.html' %}\n{% block body %}\n<b>\n{{ 1 / zero }}\n{% end %}\n"
BASE = "<body>\n{% block body %}{% end %}\n</body>\n"


def test_template_shows_its_line() -> None:
    template = DictLoader({"base.html": BASE, "page.html": PAGE}).load("page.html")
    shown = show_one(caught(lambda: template.generate(zero=0)))
    base, page = (f for f in shown.frames if f.origin is Origin.TEMPLATE)
    assert (base.filename, marked(base)) == ("base.html", "{% block body %}{% end %}")
    assert (page.filename, marked(page)) == ("page.html", "{{ 1 / zero }}")
    assert page.source[0].text == "{% extends 'base.html' %}"


def test_template_of_a_file_shows_its_line(tmp_path: Path) -> None:
    (tmp_path / "base.html").write_text(BASE)
    (tmp_path / "page.html").write_text(PAGE)
    template = Loader(str(tmp_path)).load("page.html")
    page = show_one(caught(lambda: template.generate(zero=0))).frames[-1]
    assert os.path.basename(page.filename) == "page.html"
    assert (page.origin, marked(page)) == (Origin.TEMPLATE, "{{ 1 / zero }}")


def test_template_without_a_name_shows_its_line() -> None:
    template = Template("a\n{{ 1 / 0 }}\n")
    page = show_one(caught(template.generate)).frames[-1]
    assert (page.origin, marked(page)) == (Origin.TEMPLATE, "{{ 1 / 0 }}")


def test_mistake_in_a_template_is_named_with_its_place() -> None:
    error = caught(lambda: Template("a\n{% if %}\n", "page.html"))
    assert isinstance(error, ParseError)
    place = show_one(error).frames[-1]
    assert (place.filename, place.line, place.function) == ("page.html", 2, "")
    assert place.origin is Origin.TEMPLATE


def test_secrets_are_hidden_wherever_they_are(tmp_path: Path) -> None:
    code = "def fail():\n    raise ValueError('tr0ub4dor')\n"
    module = module_of(tmp_path / "tr0ub4dor" / "tr0ub4dor.py", code)
    error = caught(module.fail)
    error.add_note("it was tr0ub4dor")
    mask = Mask(["tr0ub4dor"])
    assert "tr0ub4dor" not in repr(show_exceptions(error, error.__traceback__, mask))
    text = format_traceback(error, error.__traceback__, mask)
    assert "tr0ub4dor" not in text
    assert text.count("[masked]") == 5
