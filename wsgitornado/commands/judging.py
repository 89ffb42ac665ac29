"""Whether a name of Tornado's API is here: asked of the package itself."""

from __future__ import annotations

import dataclasses
import dis
import enum
import functools
import importlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import wsgitornado
from wsgitornado import _absent
from wsgitornado.commands.differences import DIFFERENCES, REFUSED
from wsgitornado.httpserver import HTTPServer, Limits
from wsgitornado.httpserver.request_connection import ServerConnection
from wsgitornado.httputil import BodyLimits, RequestConnection
from wsgitornado.util import cached_property

__all__ = [
    "TORNADO",
    "Judgement",
    "Known",
    "Verdict",
    "judge_keywords",
    "judge_settings",
    "member",
    "named",
    "public_names",
    "result",
]

_OURS: Final = "wsgitornado"

_ABSENT: Final = "wsgitornado does not have it"

#: Where keyword arguments go that a signature does not name.
_OPTIONS_OF: Final[dict[str, tuple[Callable[..., Any], ...]]] = {
    "web.Application.listen": (HTTPServer, Limits),
    "httpserver.HTTPServer": (Limits,),
}

_SETTING: Final = re.compile(
    r'(?:settings(?:\.get\(|\[)|require_setting\()\s*"(\w+)"', re.ASCII
)


class Verdict(enum.StrEnum):
    """What becomes of a use of Tornado's API."""

    WORKS = "works"
    DIFFERS = "differs"
    MISSING = "missing"


@dataclasses.dataclass(frozen=True)
class Judgement:
    """One name of Tornado's, what becomes of it, and why."""

    name: str
    verdict: Verdict
    reason: str = ""

    @property
    def is_absence(self) -> bool:
        """Whether nothing is known of the name, so that it may be the program's own."""
        return self.reason == _ABSENT


@dataclasses.dataclass(frozen=True)
class Known:
    """What an expression of a program stands for, if it comes from Tornado.

    :ivar name: its name below ``tornado``: ``"web.RequestHandler"``.
    :ivar thing: what we have by that name; for an instance its class.
    """

    name: str
    thing: Any
    is_instance: bool = False


#: The package.
TORNADO: Final = Known("", wsgitornado)


def member(owner: Known, name: str) -> tuple[Judgement, Known | None] | None:
    """Judge an attribute of what is known, and say what it stands for.

    None if nothing can be said: it may have any attribute.
    """
    thing = owner.thing
    if inspect.ismodule(thing):
        return _member_of_module(owner, name)
    if not isinstance(thing, type):
        # A function, or something from a variable.
        return None
    if not _is_ours(thing) or hasattr(thing, "__getattr__"):
        return None
    return _member_of_class(owner, name)


def named(name: str) -> tuple[Judgement, Known | None] | None:
    """The same for a dotted name, ``tornado.web.RequestHandler``.

    The first part that is missing decides.
    """
    judged: tuple[Judgement, Known | None] | None = None
    owner: Known | None = TORNADO
    for part in name.split(".")[1:]:
        if owner is None:
            return judged
        judged = member(owner, part)
        if judged is None:
            return None
        owner = judged[1]
    return judged


def result(function: Known) -> Known | None:
    """What a call gives, as far as our own annotations tell."""
    thing = function.thing
    if isinstance(thing, type):
        return None if function.is_instance else _instance(thing)
    if not inspect.isroutine(thing) or inspect.iscoroutinefunction(thing):
        return None
    return _instance(_hints(thing).get("return"))


def public_names(module: Known) -> frozenset[str]:
    """What ``from module import *`` brings."""
    return frozenset(getattr(module.thing, "__all__", ()))


def judge_keywords(function: Known, keywords: Iterable[str]) -> list[Judgement]:
    """The keyword arguments of a call that ours does not take, or takes otherwise."""
    if function.is_instance or not callable(function.thing):
        return []
    taken = _keywords(function)
    found = []
    for keyword in keywords:
        name = f"{function.name}({keyword})"
        if taken is not None and keyword not in taken:
            reason = "there is no such argument"
            found.append(_judgement(name, Verdict.MISSING, reason))
        elif name in DIFFERENCES:
            found.append(_judge_by_row(name))
    return found


def judge_settings(names: Iterable[str]) -> list[Judgement]:
    """The settings of an application that mean something to us.

    Others are the program's own.
    """
    return [
        _judge_by_row(f"web.Application({name})")
        for name in names
        if name in _settings()
    ]


# Modules


def _member_of_module(owner: Known, name: str) -> tuple[Judgement, Known | None]:
    full_name = f"{owner.name}.{name}".lstrip(".")
    if full_name in _absent.ADVICE:
        reason = _absent.ADVICE[full_name]
        return _judgement(full_name, Verdict.MISSING, reason), None
    try:
        thing = _thing_of_module(owner.thing, name)
    except AttributeError as error:
        # Ours add what to use to what Python says.
        advice = str(error).partition(f"no attribute {name!r}")[2].strip(" :")
        reason = advice or _ABSENT
        return _judgement(full_name, Verdict.MISSING, reason), None
    except ImportError as error:
        return _judgement(full_name, Verdict.DIFFERS, str(error)), None
    return _judge_by_row(full_name), _known(full_name, thing)


def _thing_of_module(module: types.ModuleType, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        # A module that was not imported yet, and is not among the names of the package.
        full_name = f"{module.__name__}.{name}"
        try:
            return importlib.import_module(full_name)
        except ModuleNotFoundError as error:
            if error.name not in (full_name, module.__name__):
                raise
        raise


def _known(name: str, thing: Any) -> Known | None:
    if inspect.ismodule(thing) or inspect.isroutine(thing):
        return Known(name, thing)
    if isinstance(thing, type):
        return Known(name, thing)
    return _instance(type(thing))


# Classes


def _member_of_class(owner: Known, name: str) -> tuple[Judgement, Known | None]:
    kind: type = owner.thing
    rows = [f"{_name_below(base)}.{name}" for base in kind.__mro__ if _is_ours(base)]
    full_name = f"{owner.name}.{name}"
    for row in rows:
        if row in REFUSED or row in DIFFERENCES:
            judgement = _judge_by_row(row)
            if judgement.verdict is Verdict.MISSING:
                return judgement, None
            return judgement, _value_of(kind, name, full_name)
    if hasattr(kind, name) or name in _stored_attributes(kind):
        found = _judgement(full_name, Verdict.WORKS)
        return found, _value_of(kind, name, full_name)
    if kind is RequestConnection and hasattr(ServerConnection, name):
        found = _judgement(full_name, Verdict.DIFFERS, "on the loop server only")
        return found, _value_of(ServerConnection, name, full_name)
    return _judgement(full_name, Verdict.MISSING, _ABSENT), None


def _value_of(kind: type, name: str, full_name: str) -> Known | None:
    """What an attribute of an instance, or of its class, is."""
    computed = _computed_by(inspect.getattr_static(kind, name, None))
    if computed is not None:
        return _instance(_hints(computed).get("return"))
    value = getattr(kind, name, None)
    if inspect.isroutine(value):
        return Known(full_name, value)
    stored = {**_hints(kind.__init__), **_hints(kind)}  # type: ignore[misc]  # of no instance
    return _instance(stored.get(name))


def _computed_by(attribute: object) -> Callable[..., Any] | None:
    """The function of a property, cached or not; None for anything else."""
    match attribute:
        case property():
            return attribute.fget
        case cached_property():
            return attribute.function
        case _:
            return None


@functools.lru_cache(maxsize=256)
def _stored_attributes(kind: type) -> frozenset[str]:
    """The attributes that the methods of a class, and of its bases, set."""
    names: set[str] = set()
    for base in kind.__mro__:
        names.update(vars(base).get("__annotations__", ()))
        for value in vars(base).values():
            function = _computed_by(value) or value
            if inspect.isfunction(function):
                names.update(_stores_of(function))
    return frozenset(names)


def _stores_of(function: types.FunctionType) -> Iterable[str]:
    for instruction in dis.get_instructions(function):
        if instruction.opname == "STORE_ATTR":
            yield instruction.argval


@functools.lru_cache(maxsize=1024)
def _hints(thing: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(thing)
    except Exception:
        # Names that only a type checker knows, or no annotations at all.
        return {}


def _instance(hint: Any) -> Known | None:
    """An instance of a class of ours, for an annotation that names one."""
    choices = typing.get_args(hint) if _is_union(hint) else (hint,)
    kinds = [kind for kind in choices if kind is not type(None)]
    if len(kinds) != 1 or not isinstance(kinds[0], type) or not _is_ours(kinds[0]):
        return None
    return Known(_name_below(kinds[0]), kinds[0], is_instance=True)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == _OURS


def _name_below(kind: type) -> str:
    """The name of a class of ours by which users know it."""
    module = kind.__module__.split(".")
    face = sys.modules[".".join(module[:2])]
    if getattr(face, kind.__qualname__, None) is kind:
        module = module[:2]
    return ".".join((*module[1:], kind.__qualname__))


# Arguments and settings


def _keywords(function: Known) -> frozenset[str] | None:
    """The keyword arguments that a function of ours takes; None: whichever."""
    names: set[str] = set()
    for thing in (function.thing, *_OPTIONS_OF.get(function.name, ())):
        try:
            parameters = inspect.signature(thing).parameters.values()
        except (TypeError, ValueError):
            return None
        names.update(p.name for p in parameters if p.kind is not p.VAR_KEYWORD)
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            return frozenset(names)
    return None


@functools.cache
def _settings() -> frozenset[str]:
    """The settings that our own source reads."""
    names = {field.name for field in dataclasses.fields(BodyLimits)}
    for file in Path(wsgitornado.__path__[0]).rglob("*.py"):
        names.update(_SETTING.findall(file.read_text(encoding="utf-8")))
    rows = (name.removeprefix("web.Application(")[:-1] for name in DIFFERENCES)
    return frozenset(names.union(rows))


# Judgements


def _judge_by_row(name: str) -> Judgement:
    """What stands about a name in the tables; it works if nothing does."""
    if name in REFUSED:
        return _judgement(name, Verdict.MISSING, REFUSED[name])
    if name in DIFFERENCES:
        return _judgement(name, Verdict.DIFFERS, DIFFERENCES[name])
    return _judgement(name, Verdict.WORKS)


def _judgement(name: str, verdict: Verdict, reason: str = "") -> Judgement:
    return Judgement(f"tornado.{name}", verdict, reason)
