"""The template language, in pages that a handler renders: a template a request."""

from __future__ import annotations

import datetime
from typing import Any

from tornado import web
from tornado.log import app_log
from tornado.template import DictLoader

from tests.porting.raw import get

#: Those that others extend, include or import from.
PARTS = {
    "base.html": (
        "<html><head><title>{% block title %}Base{% end %}</title></head>"
        "<body>{% block body %}<p>nothing</p>{% end %}"
        "{% block foot %}foot {{ user }}{% end %}</body></html>"
    ),
    "middle.html": (
        '{% extends "base.html" %}'
        "{% block title %}Middle{% end %}"
        "{% block body %}<div>{% block inner %}inner{% end %}</div>{% end %}"
    ),
    "super.html": (
        '{% extends "base.html" %}{% block title %}Middle of {% super %}{% end %}'
    ),
    "part.html": "[{{ user }}, {{ text }}]",
    "part_raw.html": "{% autoescape None %}[{{ text }}]",
    "folder/one.html": '1{% include "two.html" %}{% include "../part.html" %}',
    "folder/two.html": "2",
    "loop.html": "{% for n in numbers %}{% block row %}({{ n }}){% end %}{% end %}",
    "code.html": "{% set x = 1 %}{% def f() %}{% end %}",
    "recursive.html": '{% include "recursive.html" %}',
}

#: By their names in the requests.
TEMPLATES = {
    # Text and expressions
    "empty": "",
    "text": "<p>plain text, é and 中 and \U0001f600</p>\n",
    "expression": "{{ 1 + 1 }} {{ user }} {{ len(numbers) }} {{ numbers[-1] }}",
    "expression_none": "{{ None }}|{{ True }}|{{ 1.5 }}|{{ [1, '<'] }}",
    "expression_bytes": "{{ data }}",
    "expression_bad_utf8": "{{ b'\\xff' }}",
    "expression_multiline": "{{ (1 +\n  2) }}",
    "expression_dict_end": "{{ {'a': 1} }}",
    "expression_lambda": "{{ (lambda x: x * 2)(21) }}",
    "expression_comprehension": "{{ [n * n for n in numbers] }}",
    "expression_conditional": "{{ 'yes' if user else 'no' }}",
    "expression_spaces": "{{user}}{{   user   }}{{\nuser\n}}",
    "expression_string_of_tags": "{{ '%} {% end %}' }}",
    "undefined": "{{ nowhere }}",
    "raises": "before{{ 1 / 0 }}after",
    "quotes": "\"\"\" ''' \\ \\n {{ '\"' }}",
    "braces": "{ } { user } {user} } {",
    "percent": "100% %d %s {{ '%' }}",
    "three_braces": "{{{ user }}}",
    "four_braces": "{{{{ user }}}}",
    # Escaping
    "escaped": "{{ text }}",
    "escaped_in_attribute": "<a title=\"{{ text }}\" alt='{{ text }}'>",
    "raw": "{% raw text %}",
    "raw_number": "{% raw 5 %}",
    "autoescape_none": "{% autoescape None %}{{ text }}",
    "autoescape_named": "{% autoescape squeeze %}{{ '  a   b ' }}",
    "autoescape_own": "{% autoescape shout %}{{ user }}",
    "autoescape_later": "{{ text }}{% autoescape None %}{{ text }}",
    "autoescape_in_included": '{% include "part_raw.html" %}{{ text }}',
    "autoescape_and_part": '{% autoescape None %}{% include "part.html" %}{{ text }}',
    "autoescape_and_extends": (
        '{% autoescape None %}{% extends "base.html" %}'
        "{% block body %}{{ text }}{% end %}{% block foot %}{{ text }}{% end %}"
    ),
    "filters": (
        "{{ escape(text) }}|{% raw xhtml_escape(text) %}|{{ url_escape(text) }}|"
        "{{ json_encode(text) }}|{{ squeeze('a  b') }}|{% raw linkify('www.a.test') %}"
    ),
    "json_in_script": "<script>var x = {% raw json_encode(script) %};</script>",
    "datetime": "{{ datetime.datetime(2020, 1, 2).year }} {{ day.year }}",
    # Literal tags, comments
    "literal_expression": "{{! user }}",
    "literal_directive": "{%! if x %}",
    "literal_comment": "{#! no comment #}",
    "comment": "a{# comment {{ user }} #}b",
    "comment_long": "a{# one\ntwo\n#}b",
    "comment_directive": "a{% comment anything { at all %}b",
    "comment_unclosed": "a{# comment",
    # Control
    "if": "{% if user %}yes{% end %}{% if not user %}no{% end %}",
    "if_else": "{% if numbers == [] %}a{% else %}b{% end %}",
    "if_elif": (
        "{% for n in numbers %}"
        "{% if n == 1 %}one{% elif n == 2 %}two{% else %}many{% end %}"
        "{% end %}"
    ),
    "if_empty": "a{% if user %}{% end %}b",
    "for": "{% for n in numbers %}<li>{{ n }}</li>{% end %}",
    "for_pairs": "{% for k, v in sorted(pairs.items()) %}{{ k }}={{ v }};{% end %}",
    "for_else": "{% for n in [] %}{{ n }}{% else %}none{% end %}",
    "for_break": (
        "{% for n in numbers %}{% if n > 1 %}{% break %}{% end %}{{ n }}{% end %}"
    ),
    "for_continue": (
        "{% for n in numbers %}{% if n == 2 %}{% continue %}{% end %}{{ n }}{% end %}"
    ),
    "for_nested": (
        "{% for a in numbers %}{% for b in numbers %}{{ a * b }} {% end %};{% end %}"
    ),
    "while": "{% set n = 3 %}{% while n %}{{ n }}{% set n = n - 1 %}{% end %}",
    "while_break": "{% while True %}once{% break %}{% end %}",
    "try": (
        "{% try %}a{{ 1 / 0 }}b{% except ZeroDivisionError as error %}"
        "caught {{ error }}{% finally %}!{% end %}"
    ),
    "try_else": "{% try %}a{% except %}b{% else %}c{% finally %}d{% end %}",
    "try_uncaught": "{% try %}{{ 1 / 0 }}{% except KeyError %}caught{% end %}",
    "set": "{% set a = text %}{{ a }}{% set a, b = 1, 2 %}{{ a + b }}",
    "set_augmented": "{% set a = 1 %}{% set a += 2 %}{{ a }}",
    "import": "{% import math %}{{ math.floor(2.5) }}",
    "from": "{% from math import ceil as up %}{{ up(2.5) }}",
    "import_unknown": "{% import nothing_like_this %}",
    "apply": "{% apply upper %}shout {{ user }}{% end %}",
    "apply_lambda": "{% apply lambda s: s.replace(b'a', b'<') %}a{% end %}",
    "apply_attribute": "{% apply str.upper %}a{% end %}",
    "apply_nested": "{% apply upper %}a{% apply shout %}b{% end %}c{% end %}",
    "apply_loop": "{% for n in numbers %}{% apply upper %}x{{ n }}{% end %}{% end %}",
    "apply_break": "{% for n in [1] %}{% apply upper %}{% break %}{% end %}{% end %}",
    # Whitespace
    "whitespace_default": "a  \n\n   b\t\t c",
    "whitespace_pre": "a  b\n<pre>  x  </pre>",
    "whitespace_all": "{% whitespace all %}a  \n\n   b\t\t c",
    "whitespace_single": "{% whitespace single %}a  \n\n   b\t\t c",
    "whitespace_oneline": "{% whitespace oneline %}a  \n\n   b\t\t c",
    "whitespace_changed": (
        "a  b {% whitespace all %}a  b {% whitespace oneline %}a \n b"
    ),
    "whitespace_unknown": "{% whitespace sometimes %}",
    "whitespace_around_blocks": (
        "<ul>\n  {% for n in numbers %}\n    <li>{{ n }}</li>\n  {% end %}\n</ul>\n"
    ),
    # Files together
    "extends": '{% extends "base.html" %}{% block body %}own{% end %}ignored',
    "extends_all": '{% extends "base.html" %}',
    "extends_twice": (
        '{% extends "middle.html" %}{% block inner %}<{{ text }}>{% end %}'
    ),
    "super": '{% extends "base.html" %}{% block foot %}{% super %} and more{% end %}',
    "super_of_super": (
        '{% extends "super.html" %}{% block title %}Own, {% super %}{% end %}'
    ),
    "block_in_loop": '{% extends "loop.html" %}{% block row %}<{{ n }}>{% end %}',
    "block_new": '{% extends "base.html" %}{% block unknown %}x{% end %}',
    "block_twice": "{% block a %}1{% end %}{% block a %}2{% end %}",
    "extends_unknown": '{% extends "nothing.html" %}',
    "extends_quotes": "{% extends 'base.html' %}",
    "include": 'a{% include "part.html" %}b',
    "include_sees_names": '{% for text in "xy" %}{% include "part.html" %}{% end %}',
    "include_folder": '{% include "folder/one.html" %}',
    "include_in_block": (
        '{% extends "base.html" %}{% block body %}{% include "part.html" %}{% end %}'
    ),
    "include_unknown": '{% include "nothing.html" %}',
    # What is wrong
    "unknown_directive": "{% bogus %}",
    "empty_directive": "{% %}",
    "empty_expression": "{{ }}",
    "unclosed_expression": "a {{ user",
    "unclosed_directive": "a {% if user",
    "unclosed_block": "{% if user %}a",
    "end_alone": "a{% end %}",
    "else_alone": "{% else %}",
    "else_in_block": "{% block a %}{% else %}{% end %}",
    "break_alone": "{% break %}",
    "continue_alone": "{% if user %}{% continue %}{% end %}",
    "break_in_block": (
        "{% for n in numbers %}{% block b %}{% break %}{% end %}{% end %}"
    ),
    "extends_without_name": "{% extends %}",
    "include_without_name": '{% include "" %}',
    "set_without_statement": "{% set %}",
    "import_without_name": "{% import %}",
    "apply_without_name": "{% apply %}x{% end %}",
    "block_without_name": "{% block %}x{% end %}",
    "expression_two": "{{ 1; 2 }}",
}

#: What is no Python. Tornado writes the code that it makes of it into its log.
NO_PYTHON = {
    "no_python_expression": "{{ 1 + }}",
    "no_python_if": "{% if 1 + %}a{% end %}",
    "no_python_for": "{% for n of numbers %}a{% end %}",
    "no_python_set": "{% set 1 = 2 %}",
    "no_python_raw": "{% raw ) %}",
    # Two brackets end an expression wherever they stand.
    "no_python_brackets": "{{ {'a': {'b': 1}}['a']['b'] }}",
}

NAMESPACE: dict[str, Any] = {
    "user": "Åsa",
    "text": '<b>"it\'s" & more</b>',
    "script": "</script><!-- <b>'\"&",
    "data": "bytes <é>".encode(),
    "numbers": [1, 2, 3],
    "pairs": {"a": "<", "b": 2},
    "day": datetime.date(2020, 2, 3),
    "upper": lambda rendered: rendered.upper(),
    "shout": lambda rendered: (
        f"{rendered if isinstance(rendered, str) else rendered.decode()}!"
    ),
}


class Page(web.RequestHandler):
    def get(self, name: str) -> None:
        self.render(name, **NAMESPACE)


class NoPython(web.RequestHandler):
    def get(self, name: str) -> None:
        app_log.disabled = True
        try:
            self.render(name, **NAMESPACE)
        except SyntaxError:
            self.write("a SyntaxError")
        finally:
            app_log.disabled = False


def make_app() -> web.Application:
    named = {f"{name}.{kind}": TEMPLATES[name] for name in BY_NAME for kind in KINDS}
    loader = DictLoader({**PARTS, **TEMPLATES, **NO_PYTHON, **named})
    return web.Application(
        [(r"/(no_python\w+)", NoPython), (r"/([\w.]+)", Page)],
        template_loader=loader,
        # Tornado keeps one loader for each path, whatever the application.
        template_path="of pages_language",
    )


#: What is read as a text or as a page, as the end of its name says.
BY_NAME = ("escaped", "whitespace_default", "whitespace_pre", "whitespace_single")
KINDS = ("html", "js", "txt")

REQUESTS = {
    **{name: get(f"/{name}") for name in (*TEMPLATES, *NO_PYTHON)},
    **{f"{name}_{kind}": get(f"/{name}.{kind}") for name in BY_NAME for kind in KINDS},
}
