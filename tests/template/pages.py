"""Templates of one file that cover the language, to compare with Tornado."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

__all__ = ["CONTROL", "EXPRESSIONS", "FUNCTIONS", "Page", "bracketed", "page", "pages"]


@dataclass(frozen=True)
class Page:
    """Templates by their names, and what ``main`` is generated with."""

    name: str
    templates: dict[str, str]
    main: str = "main"
    loader: dict[str, Any] = field(default_factory=dict)
    kwargs: dict[str, Any] = field(default_factory=dict)


def page(name: str, main: str, **kwargs: Any) -> Page:
    return Page(name, {"main": main}, kwargs=kwargs)


def pages(name: str, main: str, files: dict[str, str], **kwargs: Any) -> Page:
    return Page(name, {"main": main, **files}, kwargs=kwargs)


def upper(value: bytes) -> bytes:
    return value.upper()


def bracketed(value: bytes) -> str:
    assert isinstance(value, bytes)
    return f"[{value.decode()}]"


class Shouting(str):
    """A str whose methods do something else, such as a translation or a Markup."""

    def __str__(self) -> str:
        return "never"

    def replace(self, *args: object) -> str:
        return "never"


class Named:
    def __str__(self) -> str:
        return "<named>"


class NamedShouting:
    def __str__(self) -> str:
        return Shouting("<shout>")


class Raising:
    def __getattr__(self, name: str) -> object:
        raise KeyError(name)


MODULES = SimpleNamespace(
    Entry=lambda entry, **kwargs: f"<i>{entry}</i>{sorted(kwargs)}",
    Bytes=lambda: b"<b>\xc3\xa9</b>",
    Nothing=lambda: None,
    inner=SimpleNamespace(Deep=lambda: "deep"),
)

ROWS = [("Salt & pepper", 3), ("<b>", None), ('"quoted"', 1.5)]

EXPRESSIONS = [
    page("no tags at all", "just text, é and ☃\n"),
    page("nothing", ""),
    page("expressions", "{{ 1 }}|{{ x }}|{{x}}|{{ x + 'b' }}", x="a"),
    page(
        "values of all kinds",
        "{% for v in values %}{{ v }};{% raw v %};{% end %}",
        values=[
            None,
            True,
            1.5,
            10**30,
            b"<bytes>",
            "é",
            ["<"],
            {"a": 1},
            Named(),
            NamedShouting(),
            Shouting("<s>"),
            datetime.date(2024, 2, 29),
        ],
    ),
    page("every character that is escaped", "{{ x }}", x='<a href="x">&amp;\'</a>'),
    page("a subclass of int", "{{ x }}", x=datetime.timedelta(days=1)),
    page("text beyond the first plane", "{{ x }}\U0001f600", x="\U0001f600<"),
    page("invalid bytes survive raw", "a{% raw x %}é", x=b"\xff\xfe<"),
    page(
        "invalid bytes and others", "{% raw x %}{% raw y %}", x=b"\xff", y=b"\xc3\xa9"
    ),
    page("invalid bytes escaped fail", "{{ x }}", x=b"\xff"),
    page("a lone surrogate fails", "{{ x }}", x="\ud800"),
    page("expression over lines", "{{ [\n  1,\n  2,\n] }}"),
    page("comment in an expression", "{{ 1 # one\n }}"),
    page("comprehension and names", "{% set y = 2 %}{{ [y * i for i in range(3)] }}"),
    page(
        "lambda sees later values",
        "{% for i in x %}{{ (lambda: i)() }}{% end %}",
        x="ab",
    ),
    page("assignment expression", "{{ (y := 5) }}{{ y }}"),
    page("conditional expression", "{{ 'yes' if x else 'no' }}", x=0),
    page("unknown name fails", "{{ nope }}"),
    page("brackets of one kind", "{ a } {x} {'a': 1} }} %} #}"),
    page("three brackets", "{{{ 1 }}} {{{{ 2 }}}} {{{3}}}"),
    page("bracket in a value", "{{ '{' }}{{ {'a': 1}['a'] }}"),
    page("bracket at the end", "a {"),
    page("escaped tags", "{{! x }} {%! if y %} {#! z #}"),
    page("escaped tags without blanks", "{{!x}}{{ 1 }}{%!%}{#!#}"),
    page("exclamation in an expression", "{{ x != 1 }}{%raw not x%}", x=2),
    page("comments", "a{# b #}c{# {{ d }} {% e %} #}f{##}g"),
    page("comment directive", "a{% comment anything {{ at all %}b"),
    page("comment over lines", "a{#\n b\n#}c"),
    page("no blanks in tags", "{%if x%}{{x}}{%else%}no{%end%}", x=1),
    page("many blanks in tags", "{%   if   x   %}{{   x   }}{%   end   %}", x=1),
    page("null characters in text", "a\0b"),
    page(
        "default names",
        "{{ escape('<') }} {{ url_escape('a b/é') }} {{ squeeze(' a  b ') }}",
    ),
    page("json_encode", "<script>x = {% raw json_encode(x) %}</script>", x="</script>"),
    page("linkify", "{% raw linkify(x) %}", x='www.example.com/"onclick="x'),
    page("datetime", "{{ datetime.date(2020, 1, 1) }}"),
    page(
        "private default names",
        "{{ _tt_utf8('é') == 'é'.encode() }}{{ _tt_string_types }}",
    ),
    page(
        "kwargs shadow default names",
        "{{ squeeze }}{{ datetime }}",
        squeeze=1,
        datetime=2,
    ),
    page("name of the module", "{{ __name__ }}"),
]

CONTROL = [
    page("if", "{% if x %}a{% end %}b", x=0),
    page("if else", "{% if x == 1 %}a{% else %}b{% end %}", x=0),
    page(
        "elif",
        "{% if x == 1 %}a{% elif x == 2 %}b{% elif x == 3 %}c{% else %}d{% end %}",
        x=3,
    ),
    page("if over lines", "{% if (x and\n  x) %}a{% end %}", x=1),
    page(
        "empty bodies",
        "{% if x %}{% else %}{% end %}{% for i in y %}{% end %}",
        x=1,
        y="a",
    ),
    page("for", "{% for a, b in rows %}{{ a }}={{ b }};{% end %}", rows=ROWS),
    page("for else", "{% for a in [] %}a{% else %}none{% end %}"),
    page(
        "nested for",
        "{% for a in x %}{% for b in x %}{{ a }}{{ b }} {% end %}{% end %}",
        x="ab",
    ),
    page(
        "break",
        "{% for i in range(9) %}{{ i }}{% if i == 3 %}{% break %}{% end %}{% end %}",
    ),
    page(
        "continue",
        "{% for i in range(5) %}{% if i % 2 %}{% continue %}{% end %}{{ i }}{% end %}",
    ),
    page(
        "break in a block",
        "{% for i in range(5) %}{{ i }}{% block a %}{% break %}{% end %}{% end %}",
    ),
    page(
        "while",
        "{% set i = 0 %}{% while i < 3 %}{{ i }}{% set i += 1 %}{% else %}.{% end %}",
    ),
    page(
        "try",
        "{% try %}a{{ x }}b{{ 1 / 0 }}c{% except ZeroDivisionError as e %}{{ e }}"
        "{% else %}else{% finally %}finally{% end %}",
        x="<",
    ),
    page(
        "try else",
        "{% try %}a{% except ValueError %}b{% else %}c{% finally %}d{% end %}",
    ),
    page("bare except", "{% try %}{{ nope }}{% except %}x{% end %}"),
    page(
        "two excepts",
        "{% try %}{{ [][1] }}{% except KeyError %}k{% except IndexError %}i{% end %}",
    ),
    page("finally while failing", "{% try %}{{ nope }}{% finally %}x{% end %}"),
    page("a value that raises", "{{ x.y }}", x=Raising()),
    page("end with a word", "{% if x %}a{% end if %}b", x=1),
    page("set", "{% set x = 1 %}{{ x }}{% set x, y = x + 1, 'b' %}{{ x }}{{ y }}"),
    page("set several", "{% set a = 1; b = 2 %}{{ a + b }}"),
    page("set item", "{% set d = {} %}{% set d['a'] = {'b': {}} %}{{ d }}"),
    page("set calls", "{% set x = [] %}{% set x.append('<') %}{{ x }}"),
    page("import", "{% import os.path, json as j %}{{ os.path.sep }}{{ j.dumps(1) }}"),
    page(
        "from", "{% from os.path import basename as b, sep %}{{ b('/a/b') }}{{ sep }}"
    ),
    page("raw", "{% raw x %}{{ x }}", x="<&>"),
]

FUNCTIONS = [
    page("apply", "a{% apply f %}b<{{ x }}{% end %}c", f=upper, x="<é"),
    page("apply a default", "{% apply linkify %}www.example.com <{% end %}"),
    page("apply gives text", "{% apply f %}a{% end %}", f=bracketed),
    page(
        "apply in apply",
        "{% apply f %}a{% apply g %}b{% end %}c{% end %}",
        f=upper,
        g=bracketed,
    ),
    page("apply nothing", "{% apply f %}{% end %}", f=bracketed),
    page(
        "apply sees names", "{% set y = 2 %}{% apply f %}{{ y }}{% end %}", f=bracketed
    ),
    page(
        "apply keeps its names",
        "{% apply f %}{% set y = 2 %}{{ y }}{% end %}{{ y }}",
        f=bracketed,
        y="<global>",
    ),
    page(
        "apply hides outer names",
        "{% set y=1 %}{% apply f %}{{ y }}{% set y=2 %}{% end %}",
        f=upper,
    ),
    page(
        "apply invalid bytes", "{% apply f %}{% raw x %}{% end %}", f=upper, x=b"a\xff"
    ),
    page(
        "apply in a loop",
        "{% for i in 'ab' %}{% apply f %}{{ i }}{% end %}{% end %}",
        f=upper,
    ),
    page("apply gives nothing", "{% apply f %}a{% end %}", f=lambda text: None),
    page("apply gives a number", "{% apply f %}a{% end %}", f=len),
    page("autoescape off", "{% autoescape None %}{{ x }}{{ None }}", x="<&>"),
    page(
        "the last autoescape counts",
        "{{ x }}{% autoescape None %}{{ x }}{% autoescape f %}",
        x="<",
        f=bracketed,
    ),
    page(
        "autoescape is a function",
        "{% autoescape f %}{{ x }}{{ 1 }}{% raw x %}",
        x="<",
        f=bracketed,
    ),
    page(
        "autoescape is imported",
        "{% import html %}{% autoescape (lambda x: html.escape(x.decode())) %}{{ x }}",
        x="<",
    ),
    page(
        "autoescape is an attribute",
        "{% autoescape m.inner %}{{ x }}",
        x="<",
        m=SimpleNamespace(inner=upper),
    ),
    page(
        "autoescape gives invalid bytes",
        "{% autoescape f %}{{ x }}",
        x="<",
        f=lambda x: b"\xff",
    ),
    page(
        "autoescape gives nothing", "{% autoescape f %}{{ x }}", x="<", f=lambda x: None
    ),
    page("the default may be shadowed", "{{ x }}", x="<", xhtml_escape=bracketed),
    page("shadowed by set", "{% set xhtml_escape = f %}{{ x }}", x="<", f=bracketed),
    page("shadowed too late", "{{ x }}{% set xhtml_escape = f %}", x="<", f=bracketed),
    page(
        "shadowed in a loop",
        "{% for xhtml_escape in [f] %}{{ x }}{% end %}",
        x="<",
        f=bracketed,
    ),
    page("module", "{% module Entry('<x>', a=1) %}", _tt_modules=MODULES),
    page("module gives bytes", "{% module Bytes() %}é", _tt_modules=MODULES),
    page("module gives nothing", "{% module Nothing() %}", _tt_modules=MODULES),
    page("module deeper", "{% module inner.Deep() %}", _tt_modules=MODULES),
    Page(
        "autoescape of the loader",
        {"main": "{{ x }}"},
        loader={"autoescape": None},
        kwargs={"x": "<"},
    ),
    Page(
        "names of the loader",
        {"main": "{{ f('x') }}"},
        loader={"namespace": {"f": str.upper}},
    ),
    Page(
        "kwargs before the loader",
        {"main": "{{ x }}"},
        loader={"namespace": {"x": 1}},
        kwargs={"x": 2},
    ),
    Page(
        "the loader shadows",
        {"main": "{{ 1 }}"},
        loader={"namespace": {"xhtml_escape": bracketed}},
    ),
]
