"""What commands are given: a module and a name in it, and what is wrong with them."""

from __future__ import annotations

import difflib
import importlib
import inspect
import os
import pkgutil
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from wsgitornado._types import WSGIApplication

__all__ = ["UsageError", "load_application"]


class UsageError(Exception):
    """What the user typed leads nowhere: its text is shown, and the status is 2."""


def load_application(spec: str) -> WSGIApplication:
    """The application that ``module:name`` stands for.

    ``module:make_app()`` calls the function; so does ``module:make_app`` if it can be
    called without arguments, and not with the two of PEP 3333.

    :raises UsageError: if there is none. Errors of the module itself come through.
    """
    module_name, _, name = spec.partition(":")
    attribute = name.removesuffix("()")
    if not module_name or not attribute or module_name.startswith("."):
        raise UsageError(f"expected MODULE:NAME, as in guestbook:app, got {spec!r}")
    found = _find_attribute(_import_module(module_name), attribute)
    is_called = attribute != name
    if callable(found) and (is_called or _is_factory(found)):
        is_called = True
        found = found()
    if not callable(found):
        verb = "gives" if is_called else "is"
        raise UsageError(f"{spec} {verb} no WSGI application: {found!r}")
    application: WSGIApplication = found
    return application


def _import_module(name: str) -> ModuleType:
    # As python -m does: what is in the current directory can be imported.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # One that the program itself fails to import is its own error, shown whole.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        here = [found.name for found in pkgutil.iter_modules([os.getcwd()])]
        # Of a file name, what is before the suffix.
        advice = _advice(name.removesuffix(".py"), here)
        raise UsageError(f"there is no module {error.name!r} here{advice}") from error


def _find_attribute(module: ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        names = vars(module)
        # What is imported from elsewhere is rarely meant, but for an application.
        own = [
            known
            for known, value in names.items()
            if hasattr(value, "log_request") and not isinstance(value, type)
        ] or [
            known
            for known, value in names.items()
            if getattr(value, "__module__", None) == module.__name__
        ]
        advice = _advice(name, own)
        raise UsageError(f"the module {module.__name__!r} has no {name!r}{advice}")
    return found


def _advice(name: str, known: Iterable[str]) -> str:
    """Names that may have been meant, as the end of a message."""
    known = [one for one in known if not one.startswith("_")]
    near = difflib.get_close_matches(name, known) or [
        one for one in known if one.startswith(name) or name.startswith(one)
    ]
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _is_factory(function: Callable[..., Any]) -> bool:
    """Whether it can be called with nothing, and not as a WSGI application."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # Functions written in C have none.
        return False
    return _takes(signature) and not _takes(signature, None, None)


def _takes(signature: inspect.Signature, *arguments: None) -> bool:
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True
