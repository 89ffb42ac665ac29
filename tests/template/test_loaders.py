"""Loaders: names, files, what is kept, and many threads at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wsgitornado.template import BaseLoader, DictLoader, Loader, ParseError, Template


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "outside.html": "outside",
        "root/main.html": "{% include part.html %}",
        "root/part.html": "part",
        "root/sub/main.html": "{% include ../part.html %}{% include part.html %}",
        "root/sub/part.html": "part of sub",
        "root/leaves.html": "{% include ../outside.html %}",
        "root/near.html": "{% include ../rooted/part.html %}",
        "rooted/part.html": "beside",
        "root/latin.html": "é",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8" if text != "é" else "latin-1")
    return tmp_path / "root"


# Files


@pytest.mark.parametrize(
    ("name", "output"),
    [
        pytest.param("main.html", b"part", id="beside"),
        pytest.param("sub/main.html", b"partpart of sub", id="in a folder"),
        pytest.param("leaves.html", b"outside", id="outside by name, as in Tornado"),
        pytest.param("near.html", b"beside", id="folder with a similar name"),
        pytest.param("../outside.html", b"outside", id="asked for outside"),
    ],
)
def test_files_are_found_from_the_file_that_names_them(
    root: Path, name: str, output: bytes
) -> None:
    assert Loader(str(root)).load(name).generate() == output


@pytest.mark.parametrize(
    ("name", "parent", "resolved"),
    [
        pytest.param("a", None, "a", id="no parent"),
        pytest.param("a", "", "a", id="empty parent"),
        pytest.param("a", "b", "a", id="beside"),
        pytest.param("a", "b/c", "b/a", id="in the folder"),
        pytest.param("../a", "b/c/d", "b/a", id="folder above"),
        pytest.param("./a/../d", "b/c", "b/d", id="dots"),
        pytest.param("/a", "b/c", "/a", id="from the root"),
        pytest.param("a", "/b/c", "a", id="parent from the root"),
        pytest.param("a", "<string>", "a", id="parent without a file"),
    ],
)
def test_names_are_relative_to_the_template_that_has_them(
    root: Path, name: str, parent: str | None, resolved: str
) -> None:
    assert Loader(str(root)).resolve_path(name, parent) == resolved
    assert DictLoader({}).resolve_path(name, parent) == resolved


def test_name_that_leads_out_of_the_root_stays_what_it_is(root: Path) -> None:
    assert Loader(str(root)).resolve_path("../a", "b") == "../a"


def test_root_of_the_file_system_is_a_root() -> None:
    assert Loader("/").resolve_path("a", "b/c") == "b/a"


def test_root_is_kept_when_the_working_directory_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    loader = Loader("sub")
    monkeypatch.chdir("/")
    assert loader.load("part.html").generate() == b"part of sub"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        pytest.param("nope.html", FileNotFoundError, id="missing"),
        pytest.param("sub", IsADirectoryError, id="folder"),
        pytest.param("latin.html", ParseError, id="not UTF-8"),
    ],
)
def test_what_cannot_be_loaded_is_an_error(
    root: Path, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        Loader(str(root)).load(name)


def test_include_of_a_missing_file_names_both(root: Path) -> None:
    (root / "main.html").write_text("\n{% include nope.html %}")
    with pytest.raises(ParseError, match=r"'nope.html'.* at main.html:2") as caught:
        Loader(str(root)).load("main.html")
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_missing_name_in_a_dict_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nope"):
        DictLoader({}).load("nope")


# What is kept


def test_template_is_kept_until_the_loader_is_reset() -> None:
    texts = {"main": "{% include part %}", "part": "1"}
    loader = DictLoader(texts)
    template = loader.load("main")
    texts["part"] = "2"
    assert loader.load("main") is template
    assert loader.load("main").generate() == b"1"
    loader.reset()
    assert loader.load("main").generate() == b"2"
    assert template.generate() == b"1"


def test_included_template_is_kept_under_its_own_name() -> None:
    loader = DictLoader({"a/main": "{% include b %}", "a/b": "b"})
    loader.load("a/main")
    assert set(loader.templates) == {"a/main", "a/b"}


# Loaders of one's own


class Upper(BaseLoader):
    """Makes its templates of their names."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        return name.upper()

    def _create_template(self, name: str) -> Template:
        self.made.append(name)
        return Template(f"<{name}>", name=name, loader=self)


def test_loader_needs_two_methods() -> None:
    loader = Upper()
    template = Template("{% include a %}{% include A %}", loader=loader)
    assert template.generate() == b"<A><A>"
    assert loader.made == ["A"]


class Forgetful(Upper):
    def load(self, name: str, parent_path: str | None = None) -> Template:
        return self._create_template(name)


def test_loader_need_not_keep_templates() -> None:
    template = Template("{% include a %}{% include a %}", loader=Forgetful())
    assert template.generate() == b"<a><a>"


def test_base_of_loaders_names_what_to_define() -> None:
    class Bare(BaseLoader):
        pass

    with pytest.raises(NotImplementedError, match=r"Bare must define resolve_path"):
        Bare().load("a")

    class Half(Bare):
        def resolve_path(self, name: str, parent_path: str | None = None) -> str:
            return name

    with pytest.raises(NotImplementedError, match=r"Half must define _create_templ"):
        Half().load("a")


# Threads


class Slow(Upper):
    """Lets the first thread make a template only when others wait for it."""

    def __init__(self, waiting: threading.Barrier) -> None:
        super().__init__()
        self.waiting = waiting

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        if parent_path is None:
            self.waiting.wait(10)
        return name


def test_template_is_compiled_once_for_many_threads() -> None:
    count = 10
    loader = Slow(threading.Barrier(count))
    with ThreadPoolExecutor(count) as pool:
        templates = list(pool.map(loader.load, ["a"] * count))
    assert loader.made == ["a"]
    assert len(set(map(id, templates))) == 1


def test_threads_share_a_template_without_mixing_values() -> None:
    loop = "{% for i in range(50) %}{{ x }}{{ y }}{% end %}"
    template = Template("{% set y = x %}{% apply f %}" + loop + "{% end %}")

    def right(number: int) -> bool:
        expected = f"{number}{number}".encode() * 50
        return template.generate(x=number, f=bytes) == expected

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, range(200)))


def test_reset_while_templates_are_loaded_is_safe() -> None:
    texts = {"main": "{% extends base %}{% block a %}{% include part %}{% end %}",
             "base": "<{% block a %}{% end %}>", "part": "part"}  # fmt: skip
    loader = DictLoader(texts)

    def generate(number: int) -> bytes:
        if number % 3 == 0:
            loader.reset()
        return loader.load("main").generate()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(generate, range(90))) == {b"<part>"}
