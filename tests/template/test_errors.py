"""Every mistake in a template is an error with file, line and what was expected."""

from __future__ import annotations

import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado.template import (
    DictLoader,
    ParseError,
    Template,
    TemplateSyntaxError,
)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        pytest.param("a\n{{ 1", 2, "{{ without its end: expected }}", id="expression"),
        pytest.param("a\n{% if 1\n", 2, "{% without its end: expected %}", id="tag"),
        pytest.param("a\n\n{# b", 3, "{# without its end: expected #}", id="comment"),
        pytest.param(
            "\n{{\n\n}}", 2, "empty {{ }}: expected an expression", id="{{ }}"
        ),
        pytest.param("\n{%\n%}", 2, "empty {% %}: expected an operator", id="{% %}"),
        pytest.param("{% foor x in y %}", 1, "did you mean 'for'?", id="misspelt"),
        pytest.param("{% with x %}", 1, "expected one of apply, ", id="unknown"),
        pytest.param("\n{% endif %}", 2, "ends with {% end %}", id="endif"),
        pytest.param("\n{% end %}", 2, "without a block to end", id="too many ends"),
        pytest.param(
            "\n{% if 1 %}\n{% for a in b %}\n{% end %}",
            2,
            "{% if %} without its end: expected {% end %}",
            id="no end",
        ),
        pytest.param(
            "\n{% else %}",
            2,
            "one of for, if, try, while: found in no block",
            id="else",
        ),
        pytest.param(
            "{% apply f %}\n{% elif 1 %}{% end %}",
            2,
            "elif must stand in one of if: found in {% apply %}",
            id="elif in apply",
        ),
        pytest.param(
            "{% for a in b %}\n{% elif 1 %}{% end %}",
            2,
            "elif cannot follow for of {% for %}: expected else or end",
            id="elif in for",
        ),
        pytest.param(
            "{% if 1 %}{% else %}\n{% else %}{% end %}",
            2,
            "else cannot follow else of {% if %}: expected end",
            id="two else",
        ),
        pytest.param(
            "{% try %}\n{% else %}{% end %}",
            2,
            "else cannot follow try of {% try %}: expected except or finally or end",
            id="else after try",
        ),
        pytest.param(
            "{% try %}{% finally %}\n{% except %}{% end %}",
            2,
            "except cannot follow finally of {% try %}: expected end",
            id="except after finally",
        ),
        pytest.param(
            "\n{% try %}\n{% end %}",
            2,
            "try needs {% except %} or {% finally %}",
            id="try",
        ),
        pytest.param(
            "\n{% break %}", 2, "break must stand in a {% for %} or", id="break"
        ),
        pytest.param(
            "{% for a in b %}{% apply f %}\n{% continue %}{% end %}{% end %}",
            2,
            "continue must stand in",
            id="continue in apply",
        ),
        pytest.param(
            "{% for a in b %}{% else %}\n{% break %}{% end %}",
            2,
            "break must stand in",
            id="break in else",
        ),
        pytest.param(
            "\n{% break 2 %}", 2, "nothing may stand after break: got '2'", id="2"
        ),
        pytest.param(
            "{% if 1 %}{% else if 2 %}", 1, "nothing may stand after", id="else if"
        ),
        pytest.param(
            "\n{% super %}", 2, "super must stand in a {% block %}", id="super"
        ),
        pytest.param(
            "\n{% block a %}{% super %}{% end %}",
            2,
            "super has nothing to give",
            id="super of nothing",
        ),
        pytest.param("\n{% extends %}", 2, "extends needs the name of", id="extends"),
        pytest.param(
            "\n{% extends '' %}", 2, "extends needs the name of", id="no name"
        ),
        pytest.param(
            "{% if 1 %}\n{% extends a %}{% end %}",
            2,
            "outside of every block: found in {% if %}",
            id="extends in if",
        ),
        pytest.param("\n{% extends a %}", 2, "a loader is needed", id="no loader"),
        pytest.param("\n{% include %}", 2, "include needs the name of", id="include"),
        pytest.param("\n{% block %}", 2, "block needs a name", id="block"),
        pytest.param("\n{% apply %}", 2, "apply needs the name of a fun", id="apply"),
        pytest.param(
            "\n{% autoescape %}", 2, "autoescape needs the name", id="autoescape"
        ),
        pytest.param(
            "\n{% whitespace %}", 2, "whitespace needs a mode: all", id="no mode"
        ),
        pytest.param(
            "\n{% whitespace some %}",
            2,
            "invalid whitespace mode some: expected one of all, single, oneline",
            id="mode",
        ),
        pytest.param("\n{% if %}", 2, "if needs a condition", id="if"),
        pytest.param("\n{% for %}", 2, "for needs a target and values", id="for"),
        pytest.param("\n{% set %}", 2, "set needs a statement", id="set"),
        pytest.param(
            "\n{% import %}", 2, "import needs the name of a Python", id="import"
        ),
        pytest.param("\n{% raw %}", 2, "raw needs an expression", id="raw"),
        pytest.param("\n{% module %}", 2, "module needs a call of", id="module"),
        pytest.param("\n{% set return %}", 2, "cannot return or yield", id="return"),
        pytest.param("\n{% autoescape (yield) %}", 2, "cannot ret", id="yield to it"),
        pytest.param("\n{{ (yield) }}", 2, "cannot return or yield", id="yield"),
        pytest.param("a\n\ud800", 2, "UTF-8 has no such character", id="surrogate"),
    ],
)
def test_mistake_is_named_with_file_and_line(
    text: str, line: int, message: str
) -> None:
    with pytest.raises(ParseError) as caught:
        Template(text, name="page.html")
    error = caught.value
    assert type(error) is ParseError
    assert message in error.message
    assert (error.filename, error.lineno) == ("page.html", line)
    assert str(error) == f"{error.message} at page.html:{line}"


@pytest.mark.parametrize(
    ("text", "line", "offset", "message"),
    [
        pytest.param("a\n é {{ 1 + }}", 2, 10, "invalid syntax: 1 +", id="expression"),
        pytest.param(
            "\n{{ [1,\n  2 3] }}", 3, 3, "forgot a comma?: [1, 2 3]", id="lines"
        ),
        pytest.param("{% if ) %}", 1, 7, "unmatched ')': if )", id="bracket"),
        pytest.param("{% if 1: pass\nif 2 %}", 1, 4, "head of one 'if'", id="two ifs"),
        pytest.param("{% if 1:\n f()\nelse %}", 1, 4, "head of one 'if'", id="if else"),
        pytest.param(
            "{% for a in b:\n f() %}", 2, None, "for a in b", id="for with body"
        ),
        pytest.param(
            "{% if 1 %}\n{% elif 2: pass\nelif 3 %}",
            2,
            4,
            "head of one 'elif'",
            id="elifs",
        ),
        pytest.param(
            "{% try %}\n{% except A: pass\nexcept B %}",
            2,
            4,
            "of one 'except'",
            id="excepts",
        ),
        pytest.param("\n{% for a %}", 2, None, "invalid syntax: for a", id="for"),
        pytest.param("{% try %}\n{% except A B %}", 2, None, "except A B", id="except"),
        pytest.param("{{ {'a': {'b': 1}} }}", 1, 10, "ends at the first }}", id="dict"),
        pytest.param("{{ '}}' }}", 1, 4, "unterminated string literal: '", id="string"),
        pytest.param(
            "{{ [\n1,\n) }}", 3, 1, "opening parenthesis '[': [ 1, )", id="pairs"
        ),
        pytest.param(
            "\n{% module A( %}", 2, 12, "'(' was never closed: A(", id="module"
        ),
        pytest.param("\n{{ '\0' }}", 2, None, "null bytes", id="null"),
        pytest.param("{{ 1; 2 }}", 1, 5, "invalid syntax: 1; 2", id="semicolon"),
        pytest.param("{{ 1\n2 }}", 2, None, "1 2", id="two lines"),
        pytest.param("\n{% set await x %}", 2, None, "outside", id="await"),
        pytest.param("{% set x = 1\rawait x %}", 1, None, "outside", id="CR"),
        pytest.param("\n{% set from x import * %}", 2, None, "import *", id="import *"),
        pytest.param("\n\n{% set break %}", 3, None, "outside loop", id="set break"),
        pytest.param(
            "{% try %}{% except %}\n{% except A %}{% end %}",
            1,
            None,
            "default 'except:' must be last",
            id="except order",
        ),
    ],
)
def test_mistake_in_python_is_a_syntax_error_too(
    text: str, line: int, offset: int | None, message: str
) -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        Template(text, name="page.html")
    error = caught.value
    assert message in error.message
    assert str(error) == f"{error.message} at page.html:{line}"
    assert (error.filename, error.lineno) == ("page.html", line)
    assert error.text == text.split("\n")[line - 1]
    if offset is not None:
        assert error.offset == offset


def test_syntax_error_is_caught_as_either() -> None:
    assert issubclass(TemplateSyntaxError, ParseError)
    assert issubclass(TemplateSyntaxError, SyntaxError)


def test_interpreter_shows_the_place_of_a_mistake_in_python() -> None:
    with pytest.raises(TemplateSyntaxError) as caught:
        Template("a\n  <p>{{ 1 + }}</p>", name="page.html")
    shown = traceback.format_exception_only(caught.value)
    assert shown == [
        '  File "page.html", line 2\n',
        "    <p>{{ 1 + }}</p>\n",
        "             ^\n",
        "wsgitornado.template.TemplateSyntaxError: invalid syntax: 1 +\n",
    ]


@pytest.mark.parametrize("kind", ["expression", "blocks", "elif", "parentheses"])
def test_nesting_beyond_python_is_a_parse_error(kind: str) -> None:
    depth = 5_000
    text = {
        "expression": "{{ " + "-" * depth * 10 + "1 }}",
        "blocks": "{% if 1 %}" * depth + "{% end %}" * depth,
        "elif": "{% if 1 %}" + "{% elif 1 %}" * depth + "{% end %}",
        "parentheses": "{{ " + "(" * depth + ")" * depth + " }}",
    }[kind]
    with pytest.raises(ParseError):
        Template(text)


def test_many_nested_blocks_are_no_mistake() -> None:
    depth = 50
    text = "{% if 1 %}" * depth + "a" + "{% end %}" * depth
    assert Template(text).generate() == b"a"


# Mistakes that several files make together


def parse_error(main: str, /, **files: str) -> ParseError:
    loader = DictLoader({"main": main, **files})
    with pytest.raises(ParseError) as caught:
        loader.load("main")
    return caught.value


def test_missing_include_names_the_line_that_asks_for_it() -> None:
    error = parse_error("\n{% include part %}")
    assert str(error) == "cannot load 'part': 'part' at main:2"
    assert isinstance(error.__cause__, KeyError)


def test_missing_base_names_the_line_that_asks_for_it() -> None:
    assert str(parse_error("\n{% extends base %}")).endswith(" at main:2")


def test_mistake_in_an_included_file_names_that_file() -> None:
    error = parse_error("{% include part %}", part="\n\n{% end %}")
    assert (error.filename, error.lineno) == ("part", 3)


def test_mistake_in_python_of_a_block_names_its_file() -> None:
    error = parse_error(
        "{% extends base %}\n{% block a %}\n{% set await x %}{% end %}",
        base="{% block a %}{% end %}",
    )
    assert (error.filename, error.lineno) == ("main", 3)


@pytest.mark.parametrize("word", ["extends", "include"])
def test_template_that_contains_itself_is_a_mistake(word: str) -> None:
    error = parse_error("\n{% include a %}", a="a\n{% WORD b %}".replace("WORD", word),
                        b="{% include a %}")  # fmt: skip
    assert str(error) == "a template cannot contain itself: a -> b -> a at b:1"


def test_block_that_contains_itself_is_a_mistake() -> None:
    error = parse_error(
        "{% extends base %}{% block b %}{% block a %}\n{% super %}{% end %}{% end %}",
        base="{% block a %}{% block b %}{% end %}{% end %}",
    )
    assert str(error) == "block 'a' contains itself at main:1"


def test_include_of_a_template_that_extends_another_is_a_mistake() -> None:
    error = parse_error("\n{% include a %}", a="{% extends b %}", b="")
    assert str(error).startswith("'a' cannot be included: it extends another template")
    assert (error.filename, error.lineno) == ("main", 2)


def test_failed_template_is_not_kept() -> None:
    texts = {"main": "{% if %}"}
    loader = DictLoader(texts)
    for _ in range(2):
        with pytest.raises(ParseError):
            loader.load("main")
    texts["main"] = "right"
    assert loader.load("main").generate() == b"right"


# The errors themselves


def test_error_without_a_place() -> None:
    error = ParseError("something")
    assert (error.message, error.filename, error.lineno) == ("something", None, 0)
    assert str(error) == "something at None:0"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ParseError("message", "name", 3), id="ParseError"),
        pytest.param(
            TemplateSyntaxError("message", "name", 3, 5, "text"),
            id="TemplateSyntaxError",
        ),
    ],
)
def test_errors_can_be_pickled(error: ParseError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)


def test_bytes_that_are_no_text_name_the_line() -> None:
    with pytest.raises(ParseError, match=r"must be UTF-8: .* at page.html:3") as caught:
        Template(b"a\nb\n\xff", name="page.html")
    assert isinstance(caught.value.__cause__, UnicodeDecodeError)


# Whatever the text is

WORDS = """
    {{ }} {% %} {# #} ! end if else elif for in while try except finally x = 1 ( ) [ ]
    { } ' " set import from block super apply raw module break continue autoescape None
    whitespace single extends include main part : ; , . lambda await yield return global
    nonlocal not * ** \\ é def class a:= f'{x}' # @
"""
pieces = st.sampled_from([*WORDS.split(), " ", "\n", "\r", "\t", "\0"])
tags = st.lists(pieces, max_size=5).map(lambda words: f"{{% {' '.join(words)} %}}")
expressions = st.lists(pieces, max_size=4).map(
    lambda words: f"{{{{ {' '.join(words)} }}}}"
)
texts = st.lists(pieces | tags | expressions | st.text(max_size=3), max_size=12)


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@given(parts=texts)
def test_any_text_is_a_template_or_a_parse_error(parts: list[str]) -> None:
    text = "".join(parts)
    loader = DictLoader({"main": text, "part": "{% block x %}{% set x = 1 %}{% end %}"})
    error = mistake(text, loader)
    if error is not None:
        assert error.filename in ("<string>", "main", "part")
        assert 1 <= error.lineno <= text.count("\n") + 1


def mistake(text: str | bytes, loader: DictLoader | None = None) -> ParseError | None:
    try:
        Template(text, loader=loader)
    except ParseError as error:
        return error
    return None


@given(data=st.binary(max_size=20))
def test_any_bytes_are_a_template_or_a_parse_error(data: bytes) -> None:
    error = mistake(data)
    assert error is None or error.lineno <= data.count(b"\n") + 1
