"""What a template consists of, once it is parsed.

The ``place`` of a node is its tag, or its text, in the file.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TypeAlias

from wsgitornado.template.source import Code, Source

__all__ = [
    "Apply",
    "Block",
    "Body",
    "Control",
    "Expression",
    "Extends",
    "File",
    "Head",
    "Include",
    "Node",
    "Section",
    "Statements",
    "Super",
    "Text",
]


@dataclass(slots=True)
class Text:
    """Text as it goes out; its blanks are filtered."""

    value: str
    place: Code


@dataclass(slots=True)
class Expression:
    """``{{ code }}``, and what is never escaped: ``raw`` and ``module``."""

    code: ast.expr
    is_raw: bool


@dataclass(slots=True)
class Statements:
    """``set``, ``import``, ``from``, ``break``, ``continue``: Python as it stands."""

    code: list[ast.stmt]


Head: TypeAlias = ast.If | ast.For | ast.While | ast.ExceptHandler


@dataclass(slots=True)
class Section:
    """A part of a control block: its keyword, its head and what follows the head.

    :ivar head: the statement or handler of Python, with an empty body; None for
        keywords that have nothing but themselves.
    """

    keyword: str
    head: Head | None
    place: Code
    body: Body = field(default_factory=list)


@dataclass(slots=True)
class Control:
    """``if``, ``for``, ``while`` or ``try``, in one or more sections."""

    sections: list[Section]


@dataclass(slots=True)
class Apply:
    """``apply``: a function that gets the output of the body, as bytes."""

    function: ast.expr
    label: str
    place: Code
    body: Body = field(default_factory=list)


@dataclass(slots=True)
class Block:
    """``block``: a place with a name, which templates that extend this one may fill."""

    name: str
    file: File
    place: Code
    body: Body = field(default_factory=list)


@dataclass(slots=True)
class Super:
    """``super``: what the block would be if this template did not define it."""

    place: Code


@dataclass(slots=True)
class Include:
    """``include``: another template, in this place."""

    name: str
    place: Code


@dataclass(slots=True)
class Extends:
    """``extends``: another template, whose blocks this one fills."""

    name: str
    place: Code


Node: TypeAlias = (
    Text | Expression | Statements | Control | Apply | Block | Super | Include | Extends
)

Body: TypeAlias = list[Node]


@dataclass(slots=True, eq=False)
class File:
    """A parsed template.

    :ivar filename: where its code is from, as tracebacks tell it.
    :ivar autoescape: the expression of the function that escapes, for all expressions
        of this file; None for no escaping.
    :ivar is_on_disk: whether ``filename`` can be opened to read the text.
    :ivar binds_escape: whether any code of this file gives the default function that
        escapes another meaning.
    """

    source: Source
    filename: str
    autoescape: str | None
    is_on_disk: bool
    binds_escape: bool = False
    body: Body = field(default_factory=list)
