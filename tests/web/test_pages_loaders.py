"""Where templates come from: folders, loaders and the settings of both."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support import call
from tests.web.one_handler import answer, application_of
from wsgitornado.template import BaseLoader, DictLoader, Loader
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler

PAGE = "{{ text }}|  \n\n {{ request.path }}"


class Page(RequestHandler):
    def get(self) -> None:
        self.render("page.html", text="<")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page.html").write_text(PAGE)
    return tmp_path


def page(**settings: Any) -> str:
    return call(Application([(r"/.*", Page)], **settings)).text


# -- Settings


def test_templates_are_read_from_the_template_path(folder: Path) -> None:
    assert page(template_path=str(folder)) == "&lt;|\n/"


def test_setting_autoescape_is_for_all_templates(folder: Path) -> None:
    assert page(template_path=str(folder), autoescape=None) == "<|\n/"
    assert page(template_path=str(folder), autoescape="url_escape") == "%3C|\n%2F"


@pytest.mark.parametrize(
    ("mode", "text"),
    [("all", "&lt;|  \n\n /"), ("single", "&lt;|\n/"), ("oneline", "&lt;| /")],
)
def test_setting_template_whitespace_is_for_all_templates(
    folder: Path, mode: str, text: str
) -> None:
    assert page(template_path=str(folder), template_whitespace=mode) == text


def test_unknown_whitespace_mode_is_an_error_that_names_it(folder: Path) -> None:
    with ExpectLog("wsgitornado.application", "Uncaught exception") as log:
        page(template_path=str(folder), template_whitespace="some")
    assert log.logged_stack


def test_template_loader_takes_the_place_of_the_other_settings(folder: Path) -> None:
    loader = DictLoader({"page.html": "{{ text }} of the loader"})
    assert (
        page(template_loader=loader, template_path=str(folder), autoescape=None)
        == "&lt; of the loader"
    )


def test_settings_make_the_loader_of_a_folder(folder: Path) -> None:
    loaders: list[Any] = []
    answer(
        lambda handler: loaders.append(handler.create_template_loader(str(folder))),
        autoescape=None,
        template_whitespace="all",
    )
    (loader,) = loaders
    assert isinstance(loader, Loader)
    assert (loader.root, loader.autoescape, loader.whitespace) == (
        str(folder),
        None,
        "all",
    )


# -- Loaders are kept


class CountingHandler(RequestHandler):
    made: list[str]

    def create_template_loader(self, template_path: str) -> BaseLoader:
        self.made.append(template_path)
        return DictLoader({"page.html": f"{len(self.made)} of {template_path}"})

    def get_template_path(self) -> str:
        return self.request.path

    def get(self) -> None:
        self.render("page.html")


def test_loader_is_made_once_for_each_folder() -> None:
    class Handler(CountingHandler):
        made: list[str] = []

    application = Application([(r"/.*", Handler)])
    targets = ("/a", "/b", "/a", "/b")
    texts = [call(application, target).text for target in targets]
    assert texts == ["1 of /a", "2 of /b", "1 of /a", "2 of /b"]
    assert Handler.made == ["/a", "/b"]


def test_classes_that_make_their_own_loaders_do_not_share_them() -> None:
    class One(Page):
        def create_template_loader(self, template_path: str) -> BaseLoader:
            return DictLoader({"page.html": "one"})

    class Other(Page):
        def create_template_loader(self, template_path: str) -> BaseLoader:
            return DictLoader({"page.html": "other"})

    class Derived(One):
        pass

    rules = [(r"/one", One), (r"/other", Other), (r"/derived", Derived)]
    application = Application(rules, template_path="the same")
    for _ in range(2):
        texts = [call(application, t).text for t in ("/one", "/other", "/derived")]
        assert texts == ["one", "other", "one"]


def test_applications_do_not_share_loaders(folder: Path) -> None:
    path = str(folder)
    assert page(template_path=path) != page(template_path=path, autoescape=None)


def test_threads_that_meet_get_one_loader() -> None:
    made: list[str] = []
    both_are_here = threading.Barrier(2)

    class Handler(RequestHandler):
        def get_template_path(self) -> str:
            both_are_here.wait(10)
            return "folder"

        def create_template_loader(self, template_path: str) -> BaseLoader:
            made.append(template_path)
            return DictLoader({"page.html": "text"})

        def get(self) -> None:
            self.render("page.html")

    application = Application([(r"/.*", Handler)])
    texts: list[str] = []
    threads = [
        threading.Thread(target=lambda: texts.append(call(application).text))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert texts == ["text", "text"]
    assert made == ["folder"]


def test_making_a_loader_may_render_with_another() -> None:
    class Handler(RequestHandler):
        path = "outer"

        def get_template_path(self) -> str:
            return self.path

        def create_template_loader(self, template_path: str) -> BaseLoader:
            if template_path == "inner":
                return DictLoader({"text": "inner"})
            self.path = "inner"
            return DictLoader({"page.html": self.render_string("text").decode()})

    answered = answer(lambda handler: handler.render("page.html"), base=Handler)
    assert answered.text == "inner"


# -- compiled_template_cache


def changed_between_requests(folder: Path, **settings: Any) -> list[str]:
    application = Application([(r"/.*", Page)], template_path=str(folder), **settings)
    texts = [call(application).text]
    (folder / "page.html").write_text("changed")
    return [*texts, call(application).text]


def test_templates_are_compiled_once(folder: Path) -> None:
    assert changed_between_requests(folder) == ["&lt;|\n/", "&lt;|\n/"]


@pytest.mark.parametrize(
    "settings", [{"compiled_template_cache": False}, {"debug": True}]
)
def test_without_cache_a_request_sees_changed_templates(
    folder: Path, settings: dict[str, Any]
) -> None:
    assert changed_between_requests(folder, **settings) == ["&lt;|\n/", "changed"]


def test_without_cache_one_request_still_sees_one_state(folder: Path) -> None:
    def verb(handler: RequestHandler) -> None:
        before = handler.render_string("page.html", text=1)
        (folder / "page.html").write_text("changed")
        assert handler.render_string("page.html", text=1) == before
        handler.write("same")

    application = application_of(
        verb,
        RequestHandler,
        template_path=str(folder),
        compiled_template_cache=False,
    )
    assert call(application).text == "same"


def test_without_cache_a_loader_of_the_setting_is_reset() -> None:
    texts = {"page.html": "one"}
    application = Application(
        [(r"/.*", Page)],
        template_loader=DictLoader(texts),
        compiled_template_cache=False,
    )
    assert call(application).text == "one"
    texts["page.html"] = "two"
    assert call(application).text == "two"


# -- Beside the calling file


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ModuleType]:
    """A program in two folders, with templates beside each of its files."""
    for name, text in PROGRAM.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    sys.path.insert(0, str(tmp_path))
    try:
        yield _imported(tmp_path / "handlers.py")
    finally:
        sys.path.remove(str(tmp_path))
        for name in ("handlers", "parts", "parts.modules"):
            sys.modules.pop(name, None)


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROGRAM = {
    "handlers.py": """
import asyncio
from parts import modules
from wsgitornado.web import RequestHandler

class Base(RequestHandler):
    def page(self):
        return self.render_string("page.html")

class Own(Base):
    def get(self):
        self.render("page.html")

class Inherited(Base):
    def get(self):
        self.write(self.page())

class Elsewhere(RequestHandler):
    def get(self):
        modules.show(self)

class Asynchronous(RequestHandler):
    async def get(self):
        await asyncio.sleep(0)
        await self.render("page.html")

class Prepared(RequestHandler):
    def prepare(self):
        self.render("page.html")

class WithModule(RequestHandler):
    def get(self):
        self.render("module.html")

class WithTemplate(RequestHandler):
    def get(self):
        self.render("template.html", again=self.render_string)
""",
    "page.html": "beside the handlers",
    "module.html": "{% module Part() %}",
    "template.html": "{% module Template('page.html') %}, {{ again('page.html') }}",
    "parts/__init__.py": "",
    "parts/modules.py": """
from wsgitornado.web import UIModule

class Part(UIModule):
    def render(self):
        return self.render_string("page.html")

def show(handler):
    handler.render("page.html")
""",
    "parts/page.html": "beside the module",
}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Own", "beside the handlers"),
        ("Inherited", "beside the handlers"),
        ("Elsewhere", "beside the module"),
        ("Asynchronous", "beside the handlers"),
        ("Prepared", "beside the handlers"),
        ("WithModule", "beside the module"),
        ("WithTemplate", "beside the handlers, beside the handlers"),
    ],
)
def test_without_a_path_templates_are_beside_the_file_that_renders(
    program: ModuleType, name: str, text: str
) -> None:
    rules = [(r"/", getattr(program, name))]
    application = Application(rules, ui_modules=program.modules)
    assert call(application).text == text


def test_template_path_may_be_chosen_by_each_handler(folder: Path) -> None:
    class Handler(Page):
        def get_template_path(self) -> str:
            return str(folder)

    application = Application([(r"/.*", Handler)], template_path="somewhere else")
    assert call(application).text == "&lt;|\n/"
