"""Which files of templates an application names to what reloads programs."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from tests.support import call
from wsgitornado.template import DictLoader, Jinja2Loader
from wsgitornado.web import Application, RequestHandler, reloading


@pytest.fixture(autouse=True)
def no_other_applications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reloading, "_applications", weakref.WeakSet())


class Page(RequestHandler):
    def get(self) -> None:
        self.render(self.settings["page"])


def named(**settings: Any) -> list[str]:
    application = Application([("/", Page)], page="page.html", **settings)
    assert call(application).status_code == 200
    return list(reloading._template_paths())


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "page.html").write_text("a page")
    return str(tmp_path)


def test_folder_of_the_setting_is_named_once(folder: str) -> None:
    assert named(template_path=folder) == [folder]


def test_template_of_another_folder_is_named_itself(folder: str) -> None:
    class Elsewhere(Page):
        def get_template_path(self) -> str:
            return folder

    application = Application([("/", Elsewhere)], page="page.html")
    call(application)
    assert list(reloading._template_paths()) == [str(Path(folder, "page.html"))]


def test_folders_of_jinja2_are_named(folder: str) -> None:
    loader = Jinja2Loader(folder)
    assert set(named(template_loader=loader)) == {folder}


def test_templates_without_files_have_none() -> None:
    assert named(template_loader=DictLoader({"page.html": "a page"})) == []


def test_application_that_is_gone_names_nothing(folder: str) -> None:
    application = Application(template_path=folder)
    assert list(reloading._template_paths()) == [folder]
    del application
    gc.collect()
    assert list(reloading._template_paths()) == []
