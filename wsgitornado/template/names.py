"""Which names Python code binds in the function that it stands in."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

__all__ = ["bound_names", "own_nodes"]

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def bound_names(code: Iterable[ast.AST]) -> set[str]:
    """Return the names that are local to a function with this code.

    >>> sorted(bound_names([ast.parse("a = [b for b in c]; import d.e")]))
    ['a', 'd']
    """
    nodes = [node for tree in code for node in own_nodes(tree)]
    elsewhere = {
        name
        for node in nodes
        if isinstance(node, ast.Global | ast.Nonlocal)
        for name in node.names
    }
    return {name for node in nodes if (name := _bound_name(node))} - elsewhere


def own_nodes(node: ast.AST, is_comprehension: bool = False) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions inside it.

    A comprehension is such a function, but what ``:=`` binds in it is bound outside.
    """
    is_comprehension = is_comprehension or isinstance(node, _COMPREHENSIONS)
    if isinstance(node, ast.NamedExpr) or not is_comprehension:
        yield node
    if isinstance(node, _SCOPES):
        return
    for child in ast.iter_child_nodes(node):
        yield from own_nodes(child, is_comprehension)


def _bound_name(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return name
        case ast.NamedExpr(target=ast.Name(id=name)):
            return name
        case ast.alias(name=name, asname=None):
            return name.partition(".")[0]
        case ast.alias(asname=name) | ast.ExceptHandler(name=name):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case ast.ClassDef(name=name):
            return name
    return None
