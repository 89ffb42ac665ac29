"""The text of a template: its tags, its lines, its blanks, and errors about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = [
    "Code",
    "ParseError",
    "Source",
    "Tag",
    "TemplateSyntaxError",
    "check_whitespace_mode",
    "filter_whitespace",
]


# Errors


class ParseError(Exception):
    """A mistake in a template, found when it is loaded.

    :ivar message: what is wrong, and what was expected.
    :ivar filename: the name of the template.
    :ivar lineno: the line of the mistake, counted from 1.
    """

    __module__ = "wsgitornado.template"

    def __init__(
        self, message: str, filename: str | None = None, lineno: int = 0
    ) -> None:
        # No super().__init__: BaseException has kept the arguments, for pickle.
        self.message = message
        self.filename = filename
        self.lineno = lineno

    def __str__(self) -> str:
        return f"{self.message} at {self.filename}:{self.lineno}"


class TemplateSyntaxError(ParseError, SyntaxError):  # type: ignore[misc]  # lineno
    """Python code in a template that Python does not accept.

    It is a SyntaxError as well, which is what Tornado raises for it; the interpreter
    and debuggers then show the line of the template and the place in it.
    """

    __module__ = "wsgitornado.template"

    def __init__(
        self,
        message: str,
        filename: str | None = None,
        lineno: int = 0,
        offset: int | None = None,
        text: str | None = None,
    ) -> None:
        super().__init__(message, filename, lineno)
        self.msg = message
        self.offset = self.end_offset = offset
        self.end_lineno = lineno
        self.text = text


# Blanks

_BLANKS = re.compile(r"[\t ]+")
_LINE_BREAKS = re.compile(r"\s*\n\s*")
_SPACE = re.compile(r"\s+")

_WHITESPACE_MODES = ("all", "single", "oneline")


def check_whitespace_mode(mode: str) -> None:
    """Raise ValueError unless :func:`filter_whitespace` knows the mode."""
    if mode not in _WHITESPACE_MODES:
        expected = ", ".join(_WHITESPACE_MODES)
        raise ValueError(f"invalid whitespace mode {mode}: expected one of {expected}")


def filter_whitespace(mode: str, text: str) -> str:
    r"""Return the text with its runs of blanks shortened.

    >>> filter_whitespace("single", "<p>  a\n\n   b</p>")
    '<p> a\nb</p>'

    :param mode: ``"all"`` keeps everything; ``"single"`` leaves one line break of each
        run of blanks that has any, and else one space; ``"oneline"`` leaves a space.

    Raises ValueError for another mode.
    """
    check_whitespace_mode(mode)
    if mode == "single":
        return _LINE_BREAKS.sub("\n", _BLANKS.sub(" ", text))
    if mode == "oneline":
        return _SPACE.sub(" ", text)
    return text


# Tags


@dataclass(frozen=True, slots=True)
class Code:
    """Text between the signs of a tag, without blanks at its ends, and its place.

    The ``line`` counts from 1; the ``column`` counts bytes of UTF-8 from 0: so do the
    positions of :mod:`ast`.
    """

    text: str
    line: int
    column: int

    def partition(self) -> tuple[str, Code]:
        """Return the first word, and what comes after it."""
        word = self.text.split(None, 1)[0]
        rest = self.text[len(word) :]
        return word, _stripped(rest, self.line, self.column + _size(word))

    def shown(self) -> str:
        """Return the text as an error shows it, on one line."""
        return f"{' '.join(self.text.split()):.100}"


@dataclass(frozen=True, slots=True)
class Tag:
    """A part of a template: text, or what stands in one tag.

    :ivar kind: ``"text"``, ``"{{"`` or ``"{%"``. Comments do not come up.
    """

    kind: str
    code: Code


#: Where a tag begins. Of three or more curly brackets the last two count.
_TAG_BEGIN = re.compile(r"\{(?:\{(?!\{)|%|#)")

_TAG_ENDS = {"{{": "}}", "{%": "%}", "{#": "#}"}


class Source:
    """The text of one template, under its name.

    Raises ParseError if the text is not what UTF-8 can represent.
    """

    def __init__(self, text: str | bytes, name: str) -> None:
        self.name = name
        try:
            if isinstance(text, bytes):
                text = text.decode("utf-8")
            else:
                text.encode("utf-8")
        except UnicodeDecodeError as e:
            line = e.object.count(b"\n", 0, e.start) + 1
            raise self.error(f"a template must be UTF-8: {e.reason}", line) from e
        except UnicodeEncodeError as e:
            line = e.object.count("\n", 0, e.start) + 1
            raise self.error(f"UTF-8 has no such character: {e.reason}", line) from e
        self.text = text

    def error(self, message: str, line: int) -> ParseError:
        return ParseError(message, self.name, line)

    def syntax_error(
        self, message: str, line: int, column: int | None = None
    ) -> TemplateSyntaxError:
        """An error about Python code; ``column`` counts bytes from 0."""
        lines = self.text.split("\n")
        # Python ends a line at "\r" too, and may count more of them.
        line = min(line, len(lines))
        text = lines[line - 1]
        offset = None
        if column is not None:
            before = text.encode("utf-8")[:column]
            offset = len(before.decode("utf-8", "replace")) + 1
        return TemplateSyntaxError(message, self.name, line, offset, text)

    def tags(self) -> Iterator[Tag]:
        """Yield the parts of the text in their order.

        A tag whose signs are escaped, as in ``{{! x }}``, yields its opening signs as
        text, and the rest as text again. Raises ParseError for a tag without end.
        """
        text = self.text
        position, line, column = 0, 1, 0
        while begin := _TAG_BEGIN.search(text, position):
            if begin.start() > position:
                literal = text[position : begin.start()]
                yield Tag("text", Code(literal, line, column))
                line, column = _advanced(literal, line, column)
            kind = begin[0]
            position = begin.end()
            if text.startswith("!", position):
                yield Tag("text", Code(kind, line, column))
                position += 1
                column += 3
                continue
            end = text.find(_TAG_ENDS[kind], position)
            if end < 0:
                raise self.error(
                    f"{kind} without its end: expected {_TAG_ENDS[kind]}", line
                )
            inside = text[position:end]
            if kind != "{#":
                yield Tag(kind, _stripped(inside, line, column + 2))
            line, column = _advanced(inside, line, column + 2)
            column += 2
            position = end + 2
        if position < len(text):
            yield Tag("text", Code(text[position:], line, column))


def _size(text: str) -> int:
    return len(text.encode("utf-8"))


def _advanced(text: str, line: int, column: int) -> tuple[int, int]:
    """Return the line and column behind a text that begins at those given."""
    breaks = text.count("\n")
    if breaks:
        return line + breaks, _size(text[text.rindex("\n") + 1 :])
    return line, column + _size(text)


def _stripped(text: str, line: int, column: int) -> Code:
    code = text.lstrip()
    if code:
        line, column = _advanced(text[: len(text) - len(code)], line, column)
    return Code(code.rstrip(), line, column)
