"""Answers imports of ``tornado`` with this package: the same modules by both names."""

from __future__ import annotations

import importlib
import logging
import re
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

import wsgitornado
from wsgitornado import _absent
from wsgitornado.log import access_log, app_log, gen_log

__all__ = ["THEIRS", "answer_imports", "name_loggers", "our_name", "wanted_name"]

#: The package that programs import.
THEIRS: Final = "tornado"

_OURS: Final = "wsgitornado"

#: What programs compare ``tornado.version_info`` with: the behaviour that ours follows.
_VERSION: Final = "6.6"
_VERSION_INFO: Final = (6, 6, 0, 0)

# What Python says of names that a module does not have.
_NOT_IMPORTED: Final = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
_NOT_IN_MODULE: Final = re.compile(r"^module '([\w.]+)' has no attribute")


def our_name(name: str) -> str:
    """The same name here: ``tornado.web.url`` is ``wsgitornado.web.url``."""
    return f"wsgi{name}"


def answer_imports() -> None:
    """Have this process import our modules wherever it asks for Tornado's.

    They are the very same objects, so that a class is one class by either name.
    Tornado itself is not looked for, whether it is installed or not.
    """
    sys.meta_path.insert(0, _Finder())
    wsgitornado.version = _VERSION
    wsgitornado.version_info = _VERSION_INFO


def name_loggers() -> None:
    """Give our loggers the names of Tornado's: ``tornado.access`` and so on.

    Programs set them up by these names, by hand or with ``logging.config``.
    """
    loggers = logging.Logger.manager.loggerDict
    parent = logging.getLogger(THEIRS)
    for logger in (access_log, app_log, gen_log):
        loggers.pop(logger.name, None)
        logger.name = logger.name.removeprefix("wsgi")
        logger.parent = parent
        loggers[logger.name] = logger


def wanted_name(error: BaseException) -> str | None:
    """The name in Tornado that a program has asked for in vain; None: it is not that.

    ``"tornado.web.Foo"`` for the error of ``from tornado.web import Foo``.
    """
    name: str | None = None
    if isinstance(error, ImportError):
        found = _NOT_IMPORTED.search(str(error))
        name = f"{found[2]}.{found[1]}" if found else error.name
    elif isinstance(error, AttributeError):
        found = _NOT_IN_MODULE.search(str(error))
        owner = found[1] if found else _class_name(error.obj)
        name = f"{owner}.{error.name}"
    if name is None or name.partition(".")[0] not in (THEIRS, _OURS):
        return None
    return f"{THEIRS}.{name.partition('.')[2]}"


def _class_name(value: object) -> str:
    kind = value if isinstance(value, type) else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


class _Finder(MetaPathFinder):
    """Finds ``tornado`` and what is below it."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] != THEIRS:
            return None
        return ModuleSpec(fullname, _Loader())


class _Loader(Loader):
    """Loads one of our modules by the other name."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        below = spec.name.partition(".")[2]
        if below in _absent.ADVICE:
            raise ImportError(_absent.explain(spec.name), name=spec.name)
        ours = our_name(spec.name)
        try:
            module = importlib.import_module(ours)
        except ModuleNotFoundError as error:
            if error.name != ours:
                raise
            raise ModuleNotFoundError(
                f"No module named {spec.name!r}", name=spec.name
            ) from None
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # It has run; and the import system has just told it that it is Tornado's.
        module.__spec__ = self._spec
