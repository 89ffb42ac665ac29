"""The source of a program, read without running it: what its names stand for.

As far as that can be told: a name that is bound twice stands for what comes from
Tornado, and what is not understood stands for nothing.
"""

from __future__ import annotations

import ast
import dataclasses
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

from wsgitornado.commands.judging import (
    TORNADO,
    Judgement,
    Known,
    member,
    named,
    public_names,
    result,
)

__all__ = [
    "Module",
    "Own",
    "OwnClass",
    "OwnModule",
    "Program",
    "Scope",
    "Value",
    "attribute",
    "class_scope",
    "evaluate",
    "is_tornado",
    "method_scope",
]

_Functions: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclasses.dataclass(frozen=True, eq=False)
class OwnClass:
    """A class of the program, and the scope that its statement is in."""

    node: ast.ClassDef
    scope: Scope

    @cached_property
    def names(self) -> frozenset[str]:
        """What the class itself has."""
        return frozenset(_names_of_body(self.node.body))

    def bases(self) -> list[Value]:
        """What the class is made of, without ``object``."""
        return [
            evaluate(base, self.scope)
            for base in self.node.bases
            if not (isinstance(base, ast.Name) and base.id == "object")
        ]


@dataclasses.dataclass(frozen=True)
class Own:
    """An instance of a class of the program, or the class.

    :ivar is_super: it is ``super()``: the class itself is passed over.
    """

    kind: OwnClass
    is_super: bool = False


@dataclasses.dataclass(frozen=True)
class OwnModule:
    """A module of the program."""

    module: Module


#: What an expression stands for; None: that is not known.
Value: TypeAlias = Known | Own | OwnModule | None


def is_tornado(name: str) -> bool:
    """Whether the name of a module is Tornado's."""
    return name.partition(".")[0] == "tornado"


class Scope:
    """The names of a module, a class or a function.

    :param parent: where a name is looked up that is not here.
    :param owner: the class whose method this is, or is in.
    """

    def __init__(
        self, module: Module, parent: Scope | None = None, owner: OwnClass | None = None
    ) -> None:
        self.module = module
        self.parent = parent
        self.owner: OwnClass | None = owner
        if owner is None and parent is not None:
            self.owner = parent.owner
        self.is_class = False
        self._stars: list[Callable[[], Value]] = []
        #: What names were assigned last.
        self.assigned: dict[str, ast.expr] = {}
        self._bound: defaultdict[str, list[Callable[[], Value]]] = defaultdict(list)
        self._values: dict[str, Value] = {}

    def bind(self, name: str, value: Callable[[], Value]) -> None:
        """Have a name stand for what a function will say when it is looked up."""
        self._bound[name].append(value)

    def bind_unknown(self, *names: str) -> None:
        """Have names stand for something of the program's own."""
        for name in names:
            self.bind(name, _nothing)

    def bind_all(self, module: Callable[[], Value]) -> None:
        """Have all names of a module stand for what they are there: ``import *``."""
        self._stars.append(module)

    @property
    def stars(self) -> list[Value]:
        """The modules whose names are all here."""
        return [module() for module in self._stars]

    def binds(self, name: str) -> bool:
        """Whether a name is bound, here or around here."""
        return name in self._bound or (
            self.parent is not None and self.parent.binds(name)
        )

    def expression(self, name: str) -> ast.expr | None:
        """What a name was last assigned, if that can be seen."""
        if name in self._bound:
            return self.assigned.get(name)
        return None if self.parent is None else self.parent.expression(name)

    def look_up(self, name: str) -> Value:
        """What a name stands for."""
        if name in self._bound:
            return self._value(name)
        if self.parent is not None:
            return self.parent.look_up(name)
        for star in self.stars:
            if isinstance(star, Known) and name in public_names(star):
                judged = member(star, name)
                return None if judged is None else judged[1]
            if isinstance(star, OwnModule) and star.module.scope.binds(name):
                return star.module.scope.look_up(name)
        return None

    def _value(self, name: str) -> Value:
        if name not in self._values:
            self._values[name] = None  # for what is defined by itself
            found = (make() for make in self._bound[name])
            self._values[name] = next((v for v in found if v is not None), None)
        return self._values[name]


class Module:
    """One file that Python can read."""

    def __init__(self, program: Program, path: Path, tree: ast.Module) -> None:
        self.program = program
        self.path = path
        self.tree = tree
        self.scope = Scope(self)
        _Binder(self.scope).read(tree.body)


class Program:
    """Files that belong together: classes of one are the bases of another's.

    :ivar modules: those that could be read.
    :ivar failures: what is wrong with the others: the line and the error of each.
    """

    def __init__(self) -> None:
        self.modules: list[Module] = []
        self.failures: dict[Path, tuple[int, str]] = {}
        #: Every name that any class has, or any attribute was given.
        self.attributes: set[str] = set()
        #: Whether attributes are made that cannot be seen.
        self.is_dynamic = False
        self._by_name: defaultdict[str, list[Module]] = defaultdict(list)
        self._by_path: dict[Path, Module] = {}

    def add(self, path: Path, root: Path) -> None:
        """Read a file.

        :param root: the folder that its imports may begin at.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                module = Module(self, path, ast.parse(path.read_bytes()))
        except SyntaxError as error:
            self.failures[path] = (error.lineno or 1, _why_unreadable(error))
            return
        except (OSError, ValueError, RecursionError, MemoryError) as error:
            self.failures[path] = (1, str(error) or type(error).__name__)
            return
        self.modules.append(module)
        self._note_attributes(module.tree)
        self._by_path[path.resolve()] = module
        below = path.relative_to(root).with_suffix("")
        parts = (root.resolve().name, *below.parts)
        if parts[-1] == "__init__":
            parts = parts[:-1]
        for start in range(len(parts)):
            self._by_name[".".join(parts[start:])].append(module)

    def find(self, name: str, asking: Module, level: int = 0) -> Module | None:
        """The module of the program that an import leads to, if only one can be meant.

        :param level: how many dots are before the name.
        """
        folder = asking.path.resolve().parent
        if level:
            folder = folder.joinpath(*[".."] * (level - 1)).resolve()
        beside = folder.joinpath(*name.split(".")) if name else folder
        for path in (beside.with_suffix(".py"), beside / "__init__.py"):
            if path in self._by_path:
                return self._by_path[path]
        if level:
            return None
        found = self._by_name.get(name, [])
        return found[0] if len(found) == 1 else None

    def _note_attributes(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            match node:
                case ast.ClassDef():
                    self.attributes.update(_names_of_body(node.body))
                    self.is_dynamic |= bool(node.keywords)
                case ast.Attribute(attr="__dict__"):
                    self.is_dynamic = True
                case ast.Attribute(attr=name, ctx=ast.Store()):
                    self.attributes.add(name)
                case ast.Call(func=ast.Name("setattr"), args=[_, name_node, _]):
                    if isinstance(name_node, ast.Constant):
                        self.attributes.add(str(name_node.value))
                    else:
                        self.is_dynamic = True


_PYTHON_2: Final = (
    "Missing parentheses in call to",
    "multiple exception types must be parenthesized",
    "leading zeros in decimal integer",
    "inconsistent use of tabs",
)


def _why_unreadable(error: SyntaxError) -> str:
    hint = "Python 2? " if error.msg.startswith(_PYTHON_2) else ""
    return f"{hint}{error.msg}"


def _names_of_body(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The names that statements bind, also those within ``if`` and ``try``."""
    for statement in body:
        match statement:
            case (
                ast.ClassDef(name) | ast.FunctionDef(name) | ast.AsyncFunctionDef(name)
            ):
                yield name
            case _:
                for node in ast.walk(statement):
                    match node:
                        case ast.Name(name, ast.Store()):
                            yield name
                        case ast.FunctionDef(name) | ast.AsyncFunctionDef(name):
                            yield name


# Scopes


def method_scope(node: _Functions, scope: Scope) -> Scope:
    """The scope of a function, with its arguments and what its body binds.

    :param scope: where its statement is.
    """
    inner, owner = scope, None
    if scope.is_class:
        assert scope.parent is not None
        inner, owner = scope.parent, scope.owner
    inner = Scope(scope.module, inner, owner)
    arguments = [*node.args.posonlyargs, *node.args.args]
    if owner is not None and arguments and not _is_static(node):
        kind = owner
        inner.bind(arguments.pop(0).arg, lambda: Own(kind))
    for argument in (*arguments, *node.args.kwonlyargs):
        inner.bind(argument.arg, _annotated(argument.annotation, scope))
    for rest in (node.args.vararg, node.args.kwarg):
        if rest is not None:
            inner.bind_unknown(rest.arg)
    binder = _Binder(inner)
    binder.bind_parameters(node)
    binder.read([node.body] if isinstance(node, ast.Lambda) else node.body)
    return inner


def class_scope(node: ast.ClassDef, scope: Scope) -> Scope:
    """The scope of the body of a class, which its methods do not see."""
    around = scope
    while around.is_class:
        assert around.parent is not None
        around = around.parent
    inner = Scope(scope.module, around, OwnClass(node, scope))
    inner.is_class = True
    binder = _Binder(inner)
    binder.bind_parameters(node)
    binder.read(node.body)
    return inner


def _is_static(node: _Functions) -> bool:
    decorators = getattr(node, "decorator_list", ())
    return any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in decorators)


def _nothing() -> Value:
    return None


def _annotated(node: ast.expr | None, scope: Scope) -> Callable[[], Value]:
    """An instance of the class that an annotation names."""

    def value() -> Value:
        kind = None if node is None else evaluate(node, scope)
        if isinstance(kind, Known) and isinstance(kind.thing, type):
            return dataclasses.replace(kind, is_instance=True)
        return kind if isinstance(kind, Own) else None

    return value


class _Binder(ast.NodeVisitor):
    """Binds the names of one scope; what is inside of functions is not in it."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def read(self, body: Iterable[ast.AST]) -> None:
        """Bind what the statements of the scope, or the expression of a lambda, do."""
        for node in body:
            self.visit(node)

    def bind_parameters(self, node: ast.AST) -> None:
        """Bind the type parameters of a class or function (PEP 695)."""
        self.scope.bind_unknown(*(p.name for p in getattr(node, "type_params", ())))

    def visit_Global(self, node: ast.Global) -> None:
        self.scope.module.scope.bind_unknown(*node.names)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name is not None:
            self.scope.bind_unknown(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self.visit_MatchAs(node)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest is not None:
            self.scope.bind_unknown(node.rest)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            module = alias.name if alias.asname else alias.name.partition(".")[0]
            self.scope.bind(alias.asname or module, self._module(module))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        for alias in node.names:
            if alias.name == "*":
                self.scope.bind_all(self._module(module, node.level))
            else:
                value = self._imported(module, alias.name, node.level)
                self.scope.bind(alias.asname or alias.name, value)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        kind = OwnClass(node, self.scope)
        self.scope.bind(node.name, lambda: Own(kind))

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.scope.bind_unknown(node.name)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        pass

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._bind_to(target.id, node.value)
            else:
                self.visit(target)
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if isinstance(node.target, ast.Name):
            if node.value is not None:
                self._bind_to(node.target.id, node.value)
            self.scope.bind(node.target.id, _annotated(node.annotation, self.scope))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.scope.bind_unknown(node.id)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name is not None:
            self.scope.bind_unknown(node.name)
        self.generic_visit(node)

    def _bind_to(self, name: str, expression: ast.expr) -> None:
        self.scope.assigned[name] = expression
        self.scope.bind(name, lambda: evaluate(expression, self.scope))

    def _module(self, name: str, level: int = 0) -> Callable[[], Value]:
        def value() -> Value:
            if not level and is_tornado(name):
                if name == "tornado":
                    return TORNADO
                judged = named(name)
                return None if judged is None else judged[1]
            asking = self.scope.module
            module = asking.program.find(name, asking, level)
            return None if module is None else OwnModule(module)

        return value

    def _imported(self, module: str, name: str, level: int) -> Callable[[], Value]:
        def value() -> Value:
            below = self._module(f"{module}.{name}".lstrip("."), level)()
            if below is not None:
                return below
            owner = self._module(module, level)()
            return None if owner is None else attribute(owner, name)[1]

        return value


# Expressions


def evaluate(node: ast.expr, scope: Scope) -> Value:
    """What an expression stands for."""
    match node:
        case ast.Name(name):
            return scope.look_up(name)
        case ast.Attribute(owner, name):
            value = evaluate(owner, scope)
            return None if value is None else attribute(value, name)[1]
        case ast.Call(ast.Name("super")):
            return None if scope.owner is None else Own(scope.owner, is_super=True)
        case ast.Call(function):
            value = evaluate(function, scope)
            return result(value) if isinstance(value, Known) else _made(value)
        case ast.BoolOp(values=values):
            found = (evaluate(value, scope) for value in values)
            return next((value for value in found if value is not None), None)
        case ast.IfExp(_, first, second):
            return evaluate(first, scope) or evaluate(second, scope)
        case _:
            return None


def _made(value: Value) -> Value:
    # The result of a method is not known; that of a class is.
    return value if isinstance(value, Own) else None


def attribute(value: Value, name: str) -> tuple[Judgement | None, Value]:
    """Judge an attribute of a value, and say what it stands for.

    Without a judgement it is the program's own, or not understood.
    """
    match value:
        case Known():
            return member(value, name) or (None, None)
        case Own():
            return _of_own(value, name) or (None, None)
        case OwnModule(module):
            return None, module.scope.look_up(name)
        case _:
            return None, None


def _of_own(
    own: Own, name: str, passed: tuple[OwnClass, ...] = ()
) -> tuple[Judgement | None, Value] | None:
    """The same for a class of the program; None: it does not have the attribute.

    :param passed: the classes that were asked before.
    """
    kind = own.kind
    if kind in passed or (not own.is_super and name in kind.names):
        return None, None
    absent = None
    for base in kind.bases():
        found: tuple[Judgement | None, Value] | None
        if isinstance(base, Own):
            found = _of_own(base, name, (*passed, kind))
        elif isinstance(base, Known) and isinstance(base.thing, type):
            found = member(dataclasses.replace(base, is_instance=True), name)
            found = found or (None, None)
        else:
            return None, None
        if found is not None and not (found[0] and found[0].is_absence):
            return found
        absent = absent or found
    return absent
