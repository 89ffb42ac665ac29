"""From the nodes of a template, and those that it names, to one function of Python.

The function is built as a syntax tree, whose nodes stand where the template has them.
What comes from another file is a function inside with a file name of its own: so every
frame, also a running one, tells the file and the line of a template. Names that such an
inner function binds belong to the outer one, as if the text stood there.
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType
from typing import TypeVar

from wsgitornado.template.names import bound_names
from wsgitornado.template.nodes import (
    Apply,
    Block,
    Body,
    Control,
    Expression,
    Extends,
    File,
    Include,
    Section,
    Statements,
    Super,
    Text,
)
from wsgitornado.template.parser import DEFAULT_AUTOESCAPE, parse_expression
from wsgitornado.template.source import Code, ParseError

__all__ = ["PARAMETERS", "Find", "compile_file"]

#: The parameters of the compiled function, and of each inside it. They are local names
#: everywhere, which are the fastest.
PARAMETERS = (
    "_tt_append",  # takes the next piece of the output
    "_tt_escape",  # a value as text for HTML
    "_tt_text",  # a value as text, or as bytes that are no text
    "_tt_bytes",  # a value as bytes, for functions that escape
    "_tt_result",  # what such a function returned
    "_tt_join",  # the output so far, as bytes
)

#: Finds the file with a name, as seen from a file, in which that place names it.
Find = Callable[[str, File, Code], File]

_Statement = TypeVar("_Statement", bound=ast.stmt)

#: The definitions of each block, that of the outermost ancestor first.
_Chains = dict[str, list[Block]]


def compile_file(file: File, find: Find) -> tuple[CodeType, list[File]]:
    """Return the code of a function, and the files of which it has code.

    Raises ParseError for what shows only when the files are together.
    """
    # A loader need not keep what it has loaded, but here a file must be the same one.
    find = functools.cache(find)
    try:
        ancestors = _ancestors(file, find)
        chains = _chains(ancestors, find)
        root = ancestors[-1]
        writer = _Writer(root, chains, find, escape_is_global=True)
        tree = writer.function()
        if any(part.binds_escape for part in writer.files):
            writer = _Writer(root, chains, find, escape_is_global=False)
            tree = writer.function()
        module = ast.fix_missing_locations(ast.Module([tree], []))
        code = compile(module, root.filename, "exec", dont_inherit=True)
    except RecursionError:
        raise file.source.error("the template is nested too deeply", 1) from None
    except ParseError:
        raise
    except SyntaxError as e:
        # What the other files have was compiled when they were loaded.
        raise file.source.syntax_error(e.msg, e.lineno or 1) from None
    (function,) = (c for c in code.co_consts if isinstance(c, CodeType))
    return _labelled(function, root.filename, writer.labels), writer.files


# What the template consists of


def _ancestors(file: File, find: Find) -> list[File]:
    """Return the file, what it extends, what that extends, and so on."""
    files = [file]
    for node in file.body:
        if isinstance(node, Extends):
            files += _ancestors(find(node.name, file, node.place), find)
    return files


def _chains(ancestors: Sequence[File], find: Find) -> _Chains:
    chains: _Chains = {}
    for ancestor in reversed(ancestors):
        # Of two definitions in one file the later one counts.
        blocks = {block.name: block for block in _blocks(ancestor.body, ancestor, find)}
        for name, block in blocks.items():
            chains.setdefault(name, []).append(block)
    return chains


def _blocks(body: Body, file: File, find: Find) -> Iterator[Block]:
    """Yield the blocks that a file defines, also by what it includes."""
    for node in body:
        match node:
            case Include():
                included = find(node.name, file, node.place)
                yield from _blocks(included.body, included, find)
            case Block():
                yield node
                yield from _blocks(node.body, file, find)
            case Apply():
                yield from _blocks(node.body, file, find)
            case Control():
                for section in node.sections:
                    yield from _blocks(section.body, file, find)


# The function


class _Writer:
    """Writes the function of one template.

    :ivar file: the file whose code is being written.
    :ivar out: the statements of the body that is being written.
    :ivar literal: the text that goes out next.
    :ivar names: what functions inside this one, of other files, bind in it.
    :ivar blocks: the definitions in which we are, the innermost last: the name, and its
        index in the chain.
    :ivar labels: what tracebacks call each function, and its file if that is another
        than that of the function around it.
    """

    def __init__(
        self, root: File, chains: _Chains, find: Find, escape_is_global: bool
    ) -> None:
        self.chains = chains
        self.find = find
        self.escape_is_global = escape_is_global
        self.file = root
        self.files = [root]
        self.out: list[ast.stmt] = []
        self.literal: list[str] = []
        self.literal_place = Code("", 1, 0)
        self.names: set[str] = set()
        self.blocks: list[tuple[str, int]] = []
        self.labels: dict[str, tuple[str, str | None]] = {}

    def function(self) -> ast.FunctionDef:
        name = self.inner_name("<template>")
        statements = self.statements(self.file.body)
        place = Code("", 1, 0)
        return _function(name, [*self.declarations(), *statements], place)

    def inner_name(self, label: str, filename: str | None = None) -> str:
        name = f"_tt_inner_{len(self.labels)}"
        self.labels[name] = (label, filename)
        return name

    def declarations(self) -> list[ast.stmt]:
        """Statements that do nothing but make names local."""
        return [
            ast.AnnAssign(ast.Name(name, ast.Store()), ast.Constant(0), None, 1)
            for name in sorted(self.names)
        ]

    def error(self, message: str, place: Code) -> ParseError:
        return self.file.source.error(message, place.line)

    # Bodies

    def statements(self, nodes: Body) -> list[ast.stmt]:
        """Return a body as statements of their own."""
        self.flush()
        outer, self.out = self.out, []
        self.write(nodes)
        self.flush()
        inner, self.out = self.out, outer
        return inner

    def write(self, nodes: Body) -> None:
        """Add a body to the statements."""
        for node in nodes:
            if isinstance(node, Text):
                self.text(node)
                continue
            match node:
                case Block():
                    self.block(node.name, len(self.chains[node.name]) - 1, node.place)
                case Super():
                    self.super(node)
                case Include():
                    self.include(node)
                case Expression():
                    self.expression(node)
                case Statements():
                    self.add(*node.code)
                case Control():
                    self.control(node)
                case _:
                    # Extends is for ancestors; what is included must not have it.
                    assert isinstance(node, Apply)
                    self.apply(node)

    def text(self, node: Text) -> None:
        if not self.literal:
            self.literal_place = node.place
        self.literal.append(node.value)

    def flush(self) -> None:
        """Write the text that has come together."""
        if self.literal:
            value = ast.Constant("".join(self.literal))
            self.literal.clear()
            self.out.append(_at(_append(value), self.literal_place))

    def add(self, *statements: ast.stmt) -> None:
        self.flush()
        self.out += statements

    # Other bodies in the place of a node

    def part(
        self, nodes: Body, file: File, label: str, first: Code, place: Code
    ) -> None:
        """Write a body here; as a function of its own if it is from another file.

        :param first: the place in that file where the body begins.
        :param place: the place in this file where the body is asked for.
        """
        if file is self.file:
            self.write(nodes)
            return
        if file not in self.files:
            self.files.append(file)
        self.flush()
        outer, self.file = self.file, file
        statements = self.statements(nodes)
        self.file = outer
        # Those of the package, such as functions inside this one, stay where they are.
        names = {name for name in bound_names(statements) if name[:4] != "_tt_"}
        if names:
            self.names |= names
            statements.insert(0, ast.Nonlocal(sorted(names)))
        name = self.inner_name(label, file.filename)
        self.add(
            _function(name, statements, first),
            _at(ast.Expr(_call(name, *map(_name, PARAMETERS))), place),
        )

    def block(self, name: str, index: int, place: Code) -> None:
        if (name, index) in self.blocks:
            raise self.error(f"block {name!r} contains itself", place)
        self.blocks.append((name, index))
        block = self.chains[name][index]
        self.part(block.body, block.file, f"<block {name}>", block.place, place)
        self.blocks.pop()

    def super(self, node: Super) -> None:
        name, index = self.blocks[-1]
        if index == 0:
            raise self.error(
                f"super has nothing to give: no template that this one extends"
                f" defines block {name!r}",
                node.place,
            )
        self.block(name, index - 1, node.place)

    def include(self, node: Include) -> None:
        file = self.find(node.name, self.file, node.place)
        if any(isinstance(inner, Extends) for inner in file.body):
            raise self.error(
                f"{node.name!r} cannot be included: it extends another template",
                node.place,
            )
        first = Code("", 1, 0)
        self.part(file.body, file, f"<include {node.name}>", first, node.place)

    # Python

    def expression(self, node: Expression) -> None:
        code = node.code
        autoescape = self.file.autoescape
        if node.is_raw or autoescape is None:
            value = _call_at(code, "_tt_text", code)
        elif autoescape == DEFAULT_AUTOESCAPE and self.escape_is_global:
            value = _call_at(code, "_tt_escape", code)
        else:
            place = Code(autoescape, code.lineno, code.col_offset)
            function = parse_expression(self.file.source, place)
            value = _call_at(code, function, _call_at(code, "_tt_bytes", code))
            value = _call_at(code, "_tt_result", value)
        self.add(ast.copy_location(_append(value), code))

    def apply(self, node: Apply) -> None:
        self.flush()
        outer, self.names = self.names, set()
        statements = self.statements(node.body)
        begin, end = _parsed(_APPLY_BEGIN), _parsed(_APPLY_END)
        body = [*self.declarations(), *begin, *statements, *end]
        self.names = outer
        name = self.inner_name(f"<apply {node.label}>")
        function = node.function
        value = _call_at(function, name, *map(_name, PARAMETERS))
        value = _call_at(function, function, value)
        value = _call_at(function, "_tt_result", value)
        self.add(
            _function(name, body, node.place),
            ast.copy_location(_append(value), function),
        )

    def control(self, node: Control) -> None:
        sections = node.sections
        bodies = [self.statements(section.body) for section in sections]
        if sections[0].keyword == "try":
            self.add(_try(sections, bodies))
            return
        # From the end: each section is what else happens before it.
        orelse: list[ast.stmt] = []
        for section, body in zip(sections[::-1], bodies[::-1], strict=True):
            if section.head is None:
                orelse = body
            else:
                assert isinstance(section.head, ast.If | ast.For | ast.While)
                head = copy.copy(section.head)
                head.body = body or [ast.Pass()]
                head.orelse = orelse
                orelse = [head]
        self.add(*orelse)


def _try(sections: Sequence[Section], bodies: Sequence[list[ast.stmt]]) -> ast.stmt:
    statement = ast.Try([], [], [], [])
    for section, body in zip(sections, bodies, strict=True):
        inside = body or [ast.Pass()]
        match section.keyword:
            case "try":
                statement.body = inside
            case "except":
                assert isinstance(section.head, ast.ExceptHandler)
                handler = copy.copy(section.head)
                handler.body = inside
                statement.handlers.append(handler)
            case "else":
                statement.orelse = inside
            case _:
                assert section.keyword == "finally"
                statement.finalbody = inside
    return _at(statement, sections[0].place)


# Pieces of syntax trees. What has no place of its own gets that of what is around it.

_FUNCTION = f"def _({', '.join(PARAMETERS)}): pass"
_APPLY_BEGIN = "_tt_buffer = []; _tt_append = _tt_buffer.append"
_APPLY_END = "return _tt_join(_tt_buffer)"


def _parsed(text: str) -> list[ast.stmt]:
    statements = ast.parse(text).body
    for statement in statements:
        for node in ast.walk(statement):
            for attribute in node._attributes:
                delattr(node, attribute)
    return statements


def _function(name: str, body: Sequence[ast.stmt], place: Code) -> ast.FunctionDef:
    # From text, because the fields of a function change with the version of Python.
    (function,) = _parsed(_FUNCTION)
    assert isinstance(function, ast.FunctionDef)
    function.name = name
    function.body = list(body) or [ast.Pass()]
    return _at(function, place)


def _at(statement: _Statement, place: Code) -> _Statement:
    first_line = place.text.partition("\n")[0]
    statement.lineno = statement.end_lineno = place.line
    statement.col_offset = place.column
    statement.end_col_offset = place.column + len(first_line.encode("utf-8"))
    return statement


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _call(function: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(_name(function), list(arguments), [])


def _call_at(
    place: ast.expr, function: ast.expr | str, *arguments: ast.expr
) -> ast.Call:
    if isinstance(function, str):
        function = _name(function)
    return ast.copy_location(ast.Call(function, list(arguments), []), place)


def _append(value: ast.expr) -> ast.stmt:
    return ast.Expr(_call("_tt_append", value))


# The code


def _labelled(
    code: CodeType, filename: str, labels: Mapping[str, tuple[str, str | None]]
) -> CodeType:
    """Return the code, and all that is inside, as tracebacks shall tell it."""
    label, own_filename = labels.get(code.co_name, (None, None))
    filename = own_filename or filename
    constants = tuple(
        _labelled(constant, filename, labels)
        if isinstance(constant, CodeType)
        else constant
        for constant in code.co_consts
    )
    return code.replace(
        co_filename=filename,
        co_name=label or code.co_name,
        co_qualname=label or code.co_qualname,
        co_consts=constants,
    )
