"""From the text of a template to its nodes; Python code is parsed on the way."""

from __future__ import annotations

import ast
import difflib
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from wsgitornado.template.names import bound_names, own_nodes
from wsgitornado.template.nodes import (
    Apply,
    Block,
    Body,
    Control,
    Expression,
    Extends,
    File,
    Head,
    Include,
    Section,
    Statements,
    Super,
    Text,
)
from wsgitornado.template.source import (
    Code,
    ParseError,
    Source,
    check_whitespace_mode,
    filter_whitespace,
)

__all__ = ["DEFAULT_AUTOESCAPE", "parse_expression", "parse_file"]


#: The function that escapes the expressions of a template by default.
DEFAULT_AUTOESCAPE = "xhtml_escape"


# Python code, placed where it stands in the template


def parse_expression(source: Source, code: Code, prefix: str = "") -> ast.expr:
    """Parse one expression, to which ``prefix`` belongs without standing there."""
    tree = _parse(source, code, "eval", before=prefix)
    assert isinstance(tree, ast.Expression)
    return tree.body


def _parse_statements(source: Source, code: Code) -> list[ast.stmt]:
    tree = _parse(source, code, "exec")
    assert isinstance(tree, ast.Module)
    return tree.body


#: Python counts lines from the beginning of the code.
_LINE_IN_MESSAGE = re.compile(r" (\(detected at line \d+\)|on line \d+)")

#: What stands before the head of a section, to make it a whole statement of Python.
_LINES_BEFORE = {"elif": "if 1: pass\n", "except": "try: pass\n"}


def _parse_head(source: Source, keyword: str, code: Code) -> Head:
    """Parse ``if condition``, ``for target in values``, ``except Class as name`` ..."""
    before = _LINES_BEFORE.get(keyword, "")
    tree = _parse(source, code, "exec", before=before, after=":\n pass")
    head: Head | None = None
    match keyword, tree:
        case "elif", ast.Module([ast.If(_, [ast.Pass()], [ast.If() as head])]):
            pass
        case "except", ast.Module([ast.Try(_, [head], [], [])]):
            pass
        case "if" | "for" | "while", ast.Module(
            [ast.If() | ast.For() | ast.While() as head]
        ):
            pass
    match head:
        case ast.ExceptHandler(body=[ast.Pass()]):
            return head
        case ast.If() | ast.For() | ast.While():
            if isinstance(head.body[0], ast.Pass) and not head.orelse:
                return head
    raise source.syntax_error(
        f"expected nothing but the head of one {keyword!r}: {code.shown()}",
        code.line,
        code.column,
    )


def _parse(
    source: Source,
    code: Code,
    mode: Literal["eval", "exec"],
    before: str = "",
    # Without it the place of a mistake at the end is lost.
    after: str = "\n",
) -> ast.AST:
    # ``before`` is either whole lines, or the beginning of the first line.
    lines_before = before.count("\n")
    column = code.column - (0 if lines_before else len(before))
    text = before + code.text + after
    try:
        tree = ast.parse(text, source.name, mode)
    except SyntaxError as e:
        last = code.text.count("\n")
        row = min(max((e.lineno or 1) - 1 - lines_before, 0), last)
        before_mistake = text.split("\n")[row + lines_before][: (e.offset or 1) - 1]
        place = len(before_mistake.encode("utf-8")) + (0 if row else column)
        message = f"{_LINE_IN_MESSAGE.sub('', e.msg)}: {code.shown()}"
        if "was never closed" in e.msg or "unterminated" in e.msg:
            message += " (a tag ends at the first }} or %}, wherever it stands)"
        raise source.syntax_error(message, code.line + row, place) from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as e:
        message = f"{str(e) or 'too complex'}: {code.shown()}"
        raise source.syntax_error(message, code.line) from None
    _move(tree, code, 1 + lines_before, column)
    return tree


def _move(tree: ast.AST, code: Code, first_line: int, column: int) -> None:
    """Move the nodes to their place: down, and on the first line to the right.

    :param first_line: where the code begins in what was parsed.
    :param column: what the columns of that line are too small by.
    """
    lines = code.line - first_line
    for node in ast.walk(tree):
        if "lineno" in node._attributes:
            # Their common base has no type of its own.
            placed = cast("ast.expr", node)
            assert placed.end_lineno is not None
            assert placed.end_col_offset is not None
            # What stands before the code begins where the code does.
            if placed.lineno == first_line:
                placed.col_offset = max(placed.col_offset + column, code.column)
            if placed.end_lineno == first_line:
                placed.end_col_offset = max(placed.end_col_offset + column, code.column)
            placed.lineno += lines
            placed.end_lineno += lines


# The nodes


#: Which sections may come after which, in which control block.
_NEXT_SECTIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("if", "if"): ("elif", "else"),
    ("if", "elif"): ("elif", "else"),
    ("for", "for"): ("else",),
    ("while", "while"): ("else",),
    ("try", "try"): ("except", "finally"),
    ("try", "except"): ("except", "else", "finally"),
    ("try", "else"): ("finally",),
}

_LOOPS = ("for", "while")

_WAYS_OUT = (ast.Return, ast.Yield, ast.YieldFrom)


@dataclass(slots=True)
class _Open:
    """A block whose ``{% end %}`` has not come yet.

    :ivar body: where the next node goes.
    :ivar is_in_loop: whether ``break`` has something to break, here.
    :ivar is_in_block: whether ``super`` has a meaning, here.
    """

    keyword: str
    place: Code
    body: Body
    is_in_loop: bool
    is_in_block: bool
    control: Control | None = None


def parse_file(file: File, whitespace: str) -> None:
    """Fill the body of the file; its ``autoescape`` becomes what the file says.

    Raises ParseError for everything that is wrong in this file alone.
    """
    _Parser(file, whitespace).parse()


class _Parser:
    def __init__(self, file: File, whitespace: str) -> None:
        self.file = file
        self.source = file.source
        self.whitespace = whitespace
        self.open = [_Open("", Code("", 1, 0), file.body, False, False)]

    @property
    def body(self) -> Body:
        return self.open[-1].body

    def parse(self) -> None:
        for tag in self.source.tags():
            code = tag.code
            if tag.kind == "text":
                self.text(code)
            elif tag.kind == "{{":
                if not code.text:
                    raise self.error("empty {{ }}: expected an expression", code)
                self.expression(code, is_raw=False)
            else:
                if not code.text:
                    raise self.error("empty {% %}: expected an operator", code)
                self.operator(code)
        innermost = self.open[-1]
        if innermost.keyword:
            raise self.error(
                f"{{% {innermost.keyword} %}} without its end: expected {{% end %}}",
                innermost.place,
            )

    def error(self, message: str, place: Code) -> ParseError:
        return self.source.error(message, place.line)

    def text(self, code: Code) -> None:
        value = code.text
        # Blanks count in <pre>, and where it ends is hard to say.
        if "<pre>" not in value:
            value = filter_whitespace(self.whitespace, value)
        self.body.append(Text(value, code))

    def operator(self, code: Code) -> None:
        word, rest = code.partition()
        known = _OPERATORS.get(word)
        if known is None:
            raise self.error(_unknown(word), code)
        needs, method = known
        if needs and not rest.text:
            raise self.error(f"{word} needs {needs}", code)
        if needs is None and rest.text:
            raise self.error(
                f"nothing may stand after {word}: got {rest.shown()!r}", code
            )
        method(self, word, rest, code)

    def check(self, code: Code, trees: Sequence[ast.AST]) -> None:
        """Look at Python code that belongs to the function of the template."""
        if "return" in code.text or "yield" in code.text:
            nodes = itertools.chain.from_iterable(map(own_nodes, trees))
            if any(isinstance(node, _WAYS_OUT) for node in nodes):
                raise self.error("a template cannot return or yield", code)
        if DEFAULT_AUTOESCAPE in code.text and DEFAULT_AUTOESCAPE in bound_names(trees):
            self.file.binds_escape = True

    # Blocks

    def push(
        self,
        keyword: str,
        place: Code,
        body: Body,
        is_in_loop: bool | None = None,
        is_in_block: bool = False,
        control: Control | None = None,
    ) -> None:
        outer = self.open[-1]
        if is_in_loop is None:
            is_in_loop = outer.is_in_loop
        is_in_block = is_in_block or outer.is_in_block
        self.open.append(_Open(keyword, place, body, is_in_loop, is_in_block, control))

    def end(self, word: str, rest: Code, whole: Code) -> None:
        block = self.open[-1]
        if not block.keyword:
            raise self.error("{% end %} without a block to end", whole)
        if block.control and block.control.sections[-1].keyword == "try":
            raise self.error(
                "try needs {% except %} or {% finally %} before its {% end %}",
                block.place,
            )
        self.open.pop()

    def control(self, word: str, rest: Code, whole: Code) -> None:
        head = None if word == "try" else self.head(word, whole)
        section = Section(word, head, whole)
        control = Control([section])
        self.body.append(control)
        is_in_loop = True if word in _LOOPS else None
        self.push(word, whole, section.body, is_in_loop, control=control)

    def head(self, keyword: str, code: Code) -> Head:
        head = _parse_head(self.source, keyword, code)
        self.check(code, [head])
        return head

    def section(self, word: str, rest: Code, whole: Code) -> None:
        block = self.open[-1]
        control = block.control
        if control is None:
            inside = f"{{% {block.keyword} %}}" if block.keyword else "no block"
            expected = ", ".join(
                sorted(
                    {kw for (kw, _), after in _NEXT_SECTIONS.items() if word in after}
                )
            )
            raise self.error(
                f"{word} must stand in one of {expected}: found in {inside}", whole
            )
        last = control.sections[-1].keyword
        allowed = (*_NEXT_SECTIONS.get((block.keyword, last), ()), "end")
        if word not in allowed:
            raise self.error(
                f"{word} cannot follow {last} of {{% {block.keyword} %}}:"
                f" expected {' or '.join(allowed)}",
                whole,
            )
        bare = word in ("else", "finally")
        head = None if bare else self.head(word, whole)
        section = Section(word, head, whole)
        control.sections.append(section)
        block.body = section.body
        if block.keyword in _LOOPS:
            # This is the else of the loop, where it cannot be broken any more.
            block.is_in_loop = self.open[-2].is_in_loop

    def apply(self, word: str, rest: Code, whole: Code) -> None:
        function = parse_expression(self.source, rest)
        self.check(rest, [function])
        node = Apply(function, rest.shown(), whole)
        self.body.append(node)
        self.push(word, whole, node.body, is_in_loop=False)

    def block(self, word: str, rest: Code, whole: Code) -> None:
        node = Block(rest.text, self.file, whole)
        self.body.append(node)
        self.push(word, whole, node.body, is_in_block=True)

    # Other templates

    def super(self, word: str, rest: Code, whole: Code) -> None:
        if not self.open[-1].is_in_block:
            raise self.error("super must stand in a {% block %}", whole)
        self.body.append(Super(whole))

    def extends(self, word: str, rest: Code, whole: Code) -> None:
        if len(self.open) > 1:
            raise self.error(
                f"extends must stand outside of every block: found in"
                f" {{% {self.open[-1].keyword} %}}",
                whole,
            )
        self.body.append(Extends(self.path(word, rest), whole))

    def include(self, word: str, rest: Code, whole: Code) -> None:
        self.body.append(Include(self.path(word, rest), whole))

    def path(self, word: str, rest: Code) -> str:
        path = rest.text.strip('"').strip("'")
        if not path:
            raise self.error(f"{word} needs the name of a template", rest)
        return path

    # Python

    def expression(self, code: Code, is_raw: bool, prefix: str = "") -> None:
        parsed = parse_expression(self.source, code, prefix)
        self.check(code, [parsed])
        self.body.append(Expression(parsed, is_raw))

    def statements(self, word: str, rest: Code, whole: Code) -> None:
        code = rest if word == "set" else whole
        statements = _parse_statements(self.source, code)
        self.check(code, statements)
        self.body.append(Statements(statements))

    def jump(self, word: str, rest: Code, whole: Code) -> None:
        if not self.open[-1].is_in_loop:
            raise self.error(
                f"{word} must stand in a {{% for %}} or {{% while %}}", whole
            )
        self.statements(word, rest, whole)

    def raw(self, word: str, rest: Code, whole: Code) -> None:
        self.expression(rest, is_raw=True)

    def module(self, word: str, rest: Code, whole: Code) -> None:
        self.expression(rest, is_raw=True, prefix="_tt_modules.")

    # How the rest of the file is taken

    def comment(self, word: str, rest: Code, whole: Code) -> None:
        pass

    def autoescape(self, word: str, rest: Code, whole: Code) -> None:
        if rest.text == "None":
            self.file.autoescape = None
        else:
            self.check(rest, [parse_expression(self.source, rest)])
            self.file.autoescape = rest.text

    def set_whitespace(self, word: str, rest: Code, whole: Code) -> None:
        try:
            check_whitespace_mode(rest.text)
        except ValueError as e:
            raise self.error(str(e), whole) from None
        self.whitespace = rest.text


_Method = Callable[[_Parser, str, Code, Code], None]

#: What each operator needs after it, to say so where it is missing: an empty text if
#: it can do without, None if nothing may stand there.
_OPERATORS: dict[str, tuple[str | None, _Method]] = {
    "apply": ("the name of a function", _Parser.apply),
    "autoescape": ("the name of a function, or None", _Parser.autoescape),
    "block": ("a name", _Parser.block),
    "break": (None, _Parser.jump),
    "comment": ("", _Parser.comment),
    "continue": (None, _Parser.jump),
    "elif": ("a condition", _Parser.section),
    "else": (None, _Parser.section),
    "end": ("", _Parser.end),
    "except": ("", _Parser.section),
    "extends": ("the name of a template", _Parser.extends),
    "finally": (None, _Parser.section),
    "for": ("a target and values", _Parser.control),
    "from": ("a module and names", _Parser.statements),
    "if": ("a condition", _Parser.control),
    "import": ("the name of a Python module", _Parser.statements),
    "include": ("the name of a template", _Parser.include),
    "module": ("a call of a UI module", _Parser.module),
    "raw": ("an expression", _Parser.raw),
    "set": ("a statement", _Parser.statements),
    "super": (None, _Parser.super),
    "try": (None, _Parser.control),
    "while": ("a condition", _Parser.control),
    "whitespace": ("a mode: all, single or oneline", _Parser.set_whitespace),
}


def _unknown(word: str) -> str:
    if word.startswith("end"):
        return f"unknown operator: {word!r} (every block ends with {{% end %}})"
    similar: Sequence[str] = difflib.get_close_matches(word[:20], _OPERATORS)
    if similar:
        return f"unknown operator: {word!r} (did you mean {similar[0]!r}?)"
    return f"unknown operator: {word!r}: expected one of {', '.join(_OPERATORS)}"
