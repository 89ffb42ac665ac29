"""The documentation: what it shows runs, and what it lists is what the code has."""

from __future__ import annotations

import ast
import dataclasses
import doctest
import importlib
import importlib.util
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import wsgitornado
from wsgitornado import web
from wsgitornado._absent import ADVICE
from wsgitornado.httputil import BodyLimits, body

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("**/*.rst"))
SOURCES = sorted((ROOT / "wsgitornado").glob("**/*.py"))

SETTINGS = "reference/settings.rst"

#: What a page may show of Python without anything that runs it.
LONGEST_LOOSE_CODE = 8

#: The import names whose public names all belong to the reference.
DOCUMENTED_MODULES = [
    "wsgitornado.auth",
    "wsgitornado",
    "wsgitornado.concurrent",
    "wsgitornado.escape",
    "wsgitornado.gen",
    "wsgitornado.httpserver",
    "wsgitornado.httputil",
    "wsgitornado.ioloop",
    "wsgitornado.locks",
    "wsgitornado.log",
    "wsgitornado.options",
    "wsgitornado.pubsub",
    "wsgitornado.queues",
    "wsgitornado.routing",
    "wsgitornado.template",
    "wsgitornado.testing",
    "wsgitornado.util",
    "wsgitornado.web",
    "wsgitornado.websocket",
    "wsgitornado.wsgi",
]


def page_id(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(text: str, directive: str) -> Iterator[str]:
    """The contents of all blocks of a directive, without its options."""
    pattern = rf"^( *)\.\. {directive}\n((?:\1   .*\n|\s*\n)+)"
    for match in re.finditer(pattern, text, re.MULTILINE):
        indent = len(match[1]) + 3
        lines = [line[indent:].rstrip() for line in match[2].splitlines()]
        yield "\n".join(line for line in lines if not line.startswith(":")).strip("\n")


# Code on the pages


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_python_that_nothing_runs_is_short_and_compiles(page: Path) -> None:
    for code in blocks(page.read_text(encoding="utf-8"), "code-block:: python"):
        assert len(code.splitlines()) <= LONGEST_LOOSE_CODE, code
        # An await may stand alone here.
        compile(code, page_id(page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_included_code_comes_from_what_is_tested(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"literalinclude:: (\S+)", text):
        assert name.startswith(("/../examples/", "/../tests/")), name
        assert (DOCS / name.lstrip("/")).is_file(), name


def test_pages_show_examples() -> None:
    # The tests above would pass for pages whose directives they cannot read.
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    assert any("literalinclude::" in text for text in texts)
    assert any(list(blocks(text, "code-block:: python")) for text in texts)


def modules_with_examples() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(wsgitornado.__path__, "wsgitornado."):
        is_absent = found.name.removeprefix("wsgitornado.") in ADVICE
        if not (found.name.endswith("__main__") or is_absent):
            module = importlib.import_module(found.name)
            if any(test.examples for test in doctest.DocTestFinder().find(module)):
                yield module


@pytest.mark.parametrize(
    "module", list(modules_with_examples()), ids=lambda module: module.__name__
)
def test_examples_in_docstrings_are_right(module: ModuleType) -> None:
    failed, _ = doctest.testmod(module)
    assert failed == 0


# Settings


class SettingsReader(ast.NodeVisitor):
    """Collects the names of settings that a file reads."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_Call(self, node: ast.Call) -> None:
        match node:
            case ast.Call(func=ast.Attribute(attr="require_setting"), args=[name, *_]):
                self.add(name)
            case ast.Call(func=ast.Attribute(value, "get"), args=[name, *_]):
                if self.are_settings(value):
                    self.add(name)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load) and self.are_settings(node.value):
            self.add(node.slice)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if isinstance(node.ops[0], ast.In | ast.NotIn):
            (container, *_) = node.comparators
            if self.are_settings(container):
                self.add(node.left)
        self.generic_visit(node)

    def are_settings(self, node: ast.expr) -> bool:
        return ast.unparse(node).rpartition(".")[2] == "settings"

    def add(self, node: ast.expr) -> None:
        # A name in a variable is read for whoever has given it, as by require_setting.
        if isinstance(node, ast.Constant):
            self.names.add(str(node.value))


def settings_read_by(source: str) -> set[str]:
    reader = SettingsReader()
    reader.visit(ast.parse(source))
    return reader.names


def limit_settings() -> dict[str, object]:
    """The settings that BodyLimits reads, with their defaults."""
    defaults = dataclasses.asdict(BodyLimits())
    return {body._SETTING_NAMES.get(name, name): defaults[name] for name in defaults}


def rows_of_settings() -> dict[str, str]:
    """The names in the tables of the page, with their defaults."""
    rows = re.findall(r"^   \* - ``(\w+)``\n     - (.+)$", read(SETTINGS), re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a setting has two rows"
    return dict(rows)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('self.settings.get("a", 1)', id="get"),
        pytest.param('self.application.settings["a"]', id="subscript"),
        pytest.param('if "a" not in settings: pass', id="in"),
        pytest.param('self.require_setting("a", "b")', id="require"),
    ],
)
def test_settings_are_found_however_they_are_read(source: str) -> None:
    assert settings_read_by(source) == {"a"}


def test_table_of_settings_names_exactly_what_the_code_reads() -> None:
    read_names = set(limit_settings())
    for source in SOURCES:
        read_names |= settings_read_by(source.read_text(encoding="utf-8"))
    assert set(rows_of_settings()) == read_names


@pytest.mark.parametrize(
    ("name", "default"), limit_settings().items(), ids=limit_settings()
)
def test_table_of_settings_has_the_default_of_a_limit(
    name: str, default: object
) -> None:
    text = rows_of_settings()[name]
    assert parsed_default(text) == default


def parsed_default(text: str) -> object:
    """``10 KB`` as 10240, ``True`` as True."""
    units = {"": 1, "KB": 1024, "MB": 1024 * 1024}
    size = re.fullmatch(r"(\d+) ?(\w*)", text)
    return int(size[1]) * units[size[2]] if size else ast.literal_eval(text)


# The reference


def has_entry(page: str, name: str) -> bool:
    """Whether a directive of the page, or a further line of one, has this name."""
    return bool(
        re.search(rf"^(\.\. [\w:]+:: | {{10,}}){name}(\(|$)", page, re.MULTILINE)
    )


@pytest.mark.parametrize("name", DOCUMENTED_MODULES)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    page = read(f"reference/{name.partition('.')[2] or 'index'}.rst")
    if re.search(rf"automodule:: {name}\n   :members:", page):
        return
    module = importlib.import_module(name)
    # What comes from another of these modules has its entry there.
    elsewhere = {other for other in DOCUMENTED_MODULES if other != name}
    own = [
        public
        for public in module.__all__
        if getattr(getattr(module, public), "__module__", name) not in elsewhere
    ]
    assert [public for public in own if not has_entry(page, public)] == []


def test_every_chapter_of_the_handler_is_in_the_reference() -> None:
    shown = re.findall(
        r"^\.\. chapter:: wsgitornado\.web RequestHandler (\S+)$",
        read("reference/web.rst"),
        re.MULTILINE,
    )
    line = [
        "wsgitornado.web.handler.RequestHandler"
        if cls is web.RequestHandler
        else f"{cls.__module__}.{cls.__qualname__}"
        for cls in web.RequestHandler.__mro__[:-1]
    ]
    assert sorted(shown) == sorted(line)


def left_out_members() -> list[str]:
    return re.findall(
        r"\w+", " ".join(re.findall(r":exclude: (.+)", read("reference/web.rst")))
    )


@pytest.mark.parametrize("name", left_out_members())
def test_member_that_a_chapter_leaves_out_has_an_entry_of_its_own(name: str) -> None:
    assert has_entry(read("reference/web.rst"), rf"RequestHandler\.{name}")
