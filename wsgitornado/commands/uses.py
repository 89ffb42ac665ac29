"""Where a program uses Tornado's API, and what becomes of each use."""

from __future__ import annotations

import ast
import builtins
import dataclasses
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from wsgitornado.commands.differences import LOGGERS
from wsgitornado.commands.judging import (
    TORNADO,
    Judgement,
    Known,
    Verdict,
    judge_keywords,
    judge_settings,
    member,
    named,
)
from wsgitornado.commands.program import (
    Module,
    Own,
    Program,
    Scope,
    Value,
    attribute,
    class_scope,
    evaluate,
    is_tornado,
    method_scope,
)

__all__ = ["Use", "uses_in"]

_DOTTED: Final = re.compile(r"tornado(\.[A-Za-z_]\w*)+", re.ASCII)

#: What makes an import one that a program can do without.
_CAUGHT: Final = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}

#: What takes the settings of an application.
_APPLICATIONS: Final = {"web.Application", "web.Application.__init__"}


@dataclasses.dataclass(frozen=True)
class Use:
    """One name of Tornado's on one line of a program."""

    file: Path
    line: int
    judgement: Judgement


def uses_in(program: Program) -> Iterator[Use]:
    """All uses of Tornado in a program, by file and line.

    A module that is nested too deeply for us is one more of ``program.failures``.
    """
    for module in program.modules:
        reader = _Reader(module)
        try:
            reader.visit(module.tree)
        except RecursionError as error:
            program.failures[module.path] = (1, str(error))
            continue
        for line, judgement in sorted(
            reader.found, key=lambda found: (found[0], found[1].name)
        ):
            yield Use(module.path, line, judgement)


class _Reader(ast.NodeVisitor):
    """Collects the uses of one module.

    :ivar found: what was found, with its line; a name counts once on a line.
    """

    def __init__(self, module: Module) -> None:
        self.module = module
        self.scope = module.scope
        self.found: set[tuple[int, Judgement]] = set()
        self._does_without = False

    def _note(self, line: int, judgement: Judgement | None) -> None:
        if judgement is not None:
            self.found.add((line, judgement))

    # Imports

    def visit_Try(self, node: ast.Try) -> None:
        before = self._does_without
        self._does_without = before or any(map(_catches_imports, node.handlers))
        for statement in node.body:
            self.visit(statement)
        self._does_without = before
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(part)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name != "tornado" and is_tornado(alias.name):
                self._note_import(node, named(alias.name))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level or not is_tornado(module):
            return
        owner: Known | None = TORNADO
        if module != "tornado":
            judged = named(module)
            owner = None if judged is None else judged[1]
            if owner is None or node.names[0].name == "*":
                self._note_import(node, judged)
        if owner is None:
            return
        for alias in node.names:
            if alias.name != "*":
                self._note_import(node, member(owner, alias.name))

    def _note_import(
        self, node: ast.stmt, judged: tuple[Judgement, Known | None] | None
    ) -> None:
        if judged is None:
            return
        judgement = judged[0]
        if self._does_without and judgement.verdict is Verdict.MISSING:
            reason = f"{judgement.reason}; the program goes on without it"
            judgement = Judgement(judgement.name, Verdict.DIFFERS, reason)
        self._note(node.lineno, judgement)

    # Scopes

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        scope = class_scope(node, self.scope)
        self._visit_within(scope, node.body)
        assert scope.owner is not None
        own = Own(scope.owner, is_super=True)
        for statement in node.body:
            for name in _defined(statement):
                judgement, _ = attribute(own, name)
                # What is not known is the program's own.
                if judgement is not None and not judgement.is_absence:
                    self._note(statement.lineno, judgement)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, node.args, node.returns):
            if part is not None:
                self.visit(part)
        self._visit_within(method_scope(node, self.scope), node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self._visit_within(method_scope(node, self.scope), [node.body])

    def _visit_within(self, scope: Scope, nodes: Iterable[ast.AST]) -> None:
        around, self.scope = self.scope, scope
        for node in nodes:
            self.visit(node)
        self.scope = around

    # Expressions

    def visit_Name(self, node: ast.Name) -> None:
        """A name that nothing but ``from tornado.web import *`` can have brought."""
        stars = self.module.scope.stars
        if (
            not isinstance(node.ctx, ast.Load)
            or hasattr(builtins, node.id)
            or self.scope.binds(node.id)
            or not all(isinstance(star, Known) for star in stars)
        ):
            return
        value = self.scope.look_up(node.id)
        if value is None and stars and not node.id.startswith("__"):
            first = stars[0]
            assert isinstance(first, Known)
            name = f"tornado.{first.name}.{node.id}"
            reason = "import * does not bring it"
            self._note(node.lineno, Judgement(name, Verdict.MISSING, reason))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.visit(node.value)
        if not isinstance(node.ctx, ast.Load):
            return
        value = evaluate(node.value, self.scope)
        judgement, _ = attribute(value, node.attr)
        if isinstance(value, Own) and judgement is not None and judgement.is_absence:
            judgement = self._of_nobody(judgement, node.attr)
        self._note(node.end_lineno or node.lineno, judgement)

    def _of_nobody(self, judgement: Judgement, name: str) -> Judgement | None:
        """What a handler is asked for that neither we nor, it seems, anybody has."""
        program = self.module.program
        if program.is_dynamic or name in program.attributes:
            return None
        reason = "neither wsgitornado nor the program has it"
        return Judgement(judgement.name, Verdict.MISSING, reason)

    def visit_Call(self, node: ast.Call) -> None:
        function = evaluate(node.func, self.scope)
        if not isinstance(function, Known):
            function = self._constructor(function)
        # ExpectLog takes the loggers of either package.
        is_expecting = function is not None and function.name == "testing.ExpectLog"
        for part in ast.iter_child_nodes(node):
            value = part.value if isinstance(part, ast.keyword) else part
            if not (is_expecting and _names_logger(value)):
                self.visit(part)
        if function is None:
            return
        names = list(_keywords(node, self.scope))
        judge = judge_settings if function.name in _APPLICATIONS else None
        judgements = judge(names) if judge else judge_keywords(function, names)
        for judgement in judgements:
            self._note(node.lineno, judgement)

    def _constructor(self, value: Value) -> Known | None:
        """The ``__init__`` of Tornado's that a class of the program has."""
        if not isinstance(value, Own):
            return None
        found = attribute(value, "__init__")[1]
        return found if isinstance(found, Known) else None

    def visit_Constant(self, node: ast.Constant) -> None:
        """A dotted name in a string: of a handler, or of a logger."""
        if not isinstance(node.value, str) or not _DOTTED.fullmatch(node.value):
            return
        if node.value in LOGGERS:
            reason = LOGGERS[node.value]
            self._note(node.lineno, Judgement(node.value, Verdict.DIFFERS, reason))
            return
        first, *below = node.value.split(".")[1:]
        module = member(TORNADO, first)
        # tornado.conf is a file, and not ours to know.
        if below and module is not None and not module[0].is_absence:
            judged = named(node.value)
            self._note(node.lineno, None if judged is None else judged[0])


def _names_logger(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value in LOGGERS


def _catches_imports(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return not names.isdisjoint(_CAUGHT)


def _defined(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement in the body of a class gives to the class."""
    match statement:
        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
            names = [name]
        case ast.Assign(targets):
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(ast.Name(name), value=ast.expr()):
            names = [name]
        case _:
            names = []
    return (name for name in names if not name.startswith("__"))


def _keywords(node: ast.Call, scope: Scope) -> Iterator[str]:
    """The keyword arguments of a call; those of ``**settings`` if they can be seen."""
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield keyword.arg
        else:
            yield from _keys(keyword.value, scope)


def _keys(node: ast.expr | None, scope: Scope) -> Iterator[str]:
    match node:
        case ast.Dict(keys):
            for key in keys:
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value
        case ast.Call(ast.Name("dict"), keywords=keywords):
            for keyword in keywords:
                if keyword.arg is not None:
                    yield keyword.arg
        case ast.Name(name):
            yield from _keys(scope.expression(name), scope)
