"""The library of the examples, for the tests of it, and a visitor with a browser."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from wsgiref.validate import validator

import pytest
import webtest  # type: ignore[import-untyped]  # it has no annotations

import wsgitornado.locale
from wsgitornado._types import WSGIApplication

__all__ = ["PASSWORD", "ROOT", "Visitor", "join", "library", "submit"]

#: Where the example is.
ROOT = Path(__file__).resolve().parent.parent / "examples" / "library"

PASSWORD = "a long password"


class Visitor(webtest.TestApp):  # type: ignore[misc]  # webtest has no annotations
    """A browser: it keeps cookies, and fills in what the forms of a page have."""

    __test__ = False

    def __init__(
        self, app: WSGIApplication, languages: str = "en", **environ: Any
    ) -> None:
        environ["HTTP_ACCEPT_LANGUAGE"] = languages
        super().__init__(validator(app), extra_environ=environ)


@contextmanager
def library(data: Path | None, **settings: Any) -> Iterator[Any]:
    """An application over the data of a folder; its languages go with the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wsgitornado.locale, "_catalogue", wsgitornado.locale._catalogue)
        package = import_library()
        # Passwords are not to be slow here.
        patch.setattr("examples.library.records.PASSWORD_COST", 2)
        yield package.make_app(data, **settings)


@functools.cache
def import_library() -> Any:
    """The package, whose own application is made when it is imported."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setenv("LIBRARY_DATA", folder)
        patch.delenv("LIBRARY_DEBUG", raising=False)
        return importlib.import_module("examples.library")


def submit(
    page: Any, selector: str, button: str | None = None, value: str = "", **fields: str
) -> Any:
    """Fill in the form that is there for a selector, and send it; it is accepted."""
    (found,) = page.html.select(selector)
    form = page.forms[page.html.find_all("form").index(found)]
    for name, text in fields.items():
        form[name] = text
    return form.submit(button, value=value, status=303)


def join(visitor: Visitor, name: str = "Ada") -> Visitor:
    """Have a visitor become a member."""
    submit(visitor.get("/join"), "#credentials", name=name, password=PASSWORD)
    return visitor
