"""The names of tornado.template: templates, loaders, and the errors of both."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from wsgitornado.template.loaders import BaseLoader, DictLoader, Loader, Template
from wsgitornado.template.source import (
    ParseError,
    TemplateSyntaxError,
    filter_whitespace,
)

if TYPE_CHECKING:
    from wsgitornado.template.jinja2_loader import Jinja2Loader as Jinja2Loader
else:

    def __getattr__(name: str) -> Any:
        """``Jinja2Loader``, which is loaded when it is asked for: it needs an extra."""
        if name != "Jinja2Loader":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            module = importlib.import_module(f"{__name__}.jinja2_loader")
        except ModuleNotFoundError as error:
            if error.name != "jinja2":
                raise
            raise ModuleNotFoundError(
                "Jinja2Loader needs jinja2: pip install wsgitornado[jinja2]",
                name="jinja2",
            ) from error
        return module.Jinja2Loader


__all__ = [
    "BaseLoader",
    "DictLoader",
    "Loader",
    "ParseError",
    "Template",
    "TemplateSyntaxError",
    "filter_whitespace",
]
