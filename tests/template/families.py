"""Templates that extend and include others, and what becomes of their blanks."""

from __future__ import annotations

from tests.template.pages import Page, bracketed, page, pages

__all__ = ["INHERITANCE", "WHITESPACE"]

BASE = """<!DOCTYPE html>
<title>{% block title %}Base{% end %}</title>
{% block body %}
  <p>{{ text }}</p>
  {% block inner %}inner of base{% end %}
{% end %}
<footer>{% block footer %}{% end %}</footer>
"""

INHERITANCE = [
    pages(
        "extends",
        "{% extends base.html %}{% block title %}Main{% end %}",
        {"base.html": BASE},
        text="<t>",
    ),
    pages(
        "extends with quotes", "{% extends 'base.html' %}", {"base.html": BASE}, text=""
    ),
    pages(
        "text beside blocks is dropped",
        'a{% extends "base.html" %}b{{ c }}',
        {"base.html": BASE},
        text="",
    ),
    pages(
        "extends at the end",
        "{% block title %}T{% end %}{% extends base.html %}",
        {"base.html": BASE},
        text="",
    ),
    pages(
        "a block in a block",
        "{% extends base.html %}{% block inner %}I{{ text }}{% end %}",
        {"base.html": BASE},
        text="<t>",
    ),
    pages(
        "a block hides its inner one",
        "{% extends base.html %}{% block body %}B{% end %}{% block inner %}I{% end %}",
        {"base.html": BASE},
    ),
    pages(
        "three levels",
        "{% extends middle %}{% block inner %}{{ text }}{% end %}",
        {
            "middle": "{% extends base.html %}"
            "{% block body %}<{% block inner %}{% end %}>{% end %}"
            "{% block footer %}middle{% end %}",
            "base.html": BASE,
        },
        text="&",
    ),
    pages(
        "blocks under if are found",
        "{% extends base.html %}{% if 0 %}{% block title %}T{% end %}{% end %}",
        {"base.html": BASE},
        text="",
    ),
    pages(
        "blocks under apply are found",
        "{% extends base.html %}{% apply f %}{% block title %}T{% end %}{% end %}",
        {"base.html": BASE},
        text="",
    ),
    pages(
        "blocks of an include are found",
        "{% extends base.html %}{% include blocks %}",
        {"base.html": BASE, "blocks": "{% block title %}I{% end %}"},
        text="",
    ),
    pages(
        "the later block counts",
        "{% extends base.html %}{% block title %}1{% end %}{% block title %}2{% end %}",
        {"base.html": BASE},
        text="",
    ),
    page("one block twice", "{% block a %}1{% end %}-{% block a %}2{% end %}"),
    page("a block in itself", "{% block a %}1{% block a %}2{% end %}{% end %}"),
    page("a block with any name", "{% block a-b c %}x{% end %}"),
    page(
        "a block in a loop", "{% for i in 'ab' %}{% block a %}{{ i }}{% end %}{% end %}"
    ),
    pages(
        "two extends",
        "{% extends a %}{% extends b %}{% block x %}main{% end %}",
        {
            "a": "A{% block x %}a{% end %}{% block y %}y{% end %}",
            "b": "B{% block x %}b{% end %}{% block y %}by{% end %}",
        },
    ),
    pages(
        "names cross blocks",
        "{% extends a %}{% block b %}{{ x }}{% set x = 2 %}{% set y = 3 %}{% end %}",
        {"a": "{% set x = 1 %}{% block b %}{% end %}{{ x }}{{ y }}"},
    ),
    pages(
        "names of a loop cross blocks",
        "{% extends a %}{% block b %}{{ i }}{% for i in 'xy' %}{% end %}{% end %}",
        {"a": "{% for i in 'ab' %}{% block b %}{% end %}{{ i }}{% end %}"},
    ),
    pages(
        "names cross an apply only inwards",
        "{% extends a %}{% block b %}"
        "{% apply f %}{{ x }}{% include i %}{{ y }}{% end %}{% end %}",
        {
            "a": "{% set x = 1 %}{% block b %}{% end %}{{ x }}{{ y }}",
            "i": "{% set y = 2 %}",
        },
        f=bracketed,
        y="global",
    ),
    pages(
        "names above the blocks are lost",
        "{% extends a %}{% set x = 1 %}{% block b %}{{ x }}{% end %}",
        {"a": "{% block b %}{% end %}"},
    ),
    pages(
        "a block inside apply",
        "{% extends a %}{% block b %}b{% set x = 2 %}{% end %}",
        {
            "a": "{% set x = 1 %}"
            "{% apply f %}{% block b %}{% end %}{{ x }}{% end %}{{ x }}"
        },
        f=bracketed,
    ),
    pages(
        "include",
        "<{% include part %}>{% include 'part' %}",
        {"part": "p{{ x }}"},
        x="&",
    ),
    pages(
        "include in a loop",
        "{% for i in 'ab' %}{% include part %}{% end %}",
        {"part": "{{ i }}"},
    ),
    pages(
        "include sets names",
        "{% set x = 1 %}{% include part %}{{ x }}{{ y }}{{ e }}",
        {
            "part": "{% set x = 2 %}{% import math as y %}"
            "{% try %}{{ z }}{% except NameError as z %}{% set e = 1 %}{% end %}"
        },
    ),
    pages(
        "include in an include",
        "{% include a %}",
        {"a": "a{% include b %}", "b": "b{{ x }}"},
        x=1,
    ),
    pages(
        "include with blocks",
        "{% include a %}{% block b %}main{% end %}",
        {"a": "{% block b %}a{% end %}"},
    ),
    pages(
        "a base with an include with blocks",
        "{% extends base %}{% block b %}main{% end %}",
        {"base": "<{% include a %}>", "a": "{% block b %}a{% end %}"},
    ),
    pages(
        "each file escapes as it says",
        "{% autoescape None %}{% extends base %}"
        "{% block b %}{{ x }}{% include i %}{% end %}",
        {
            "base": "{{ x }}{% block b %}{% end %}{% block c %}{{ x }}{% end %}",
            "i": "{% autoescape f %}{{ x }}",
        },
        x="<",
        f=bracketed,
    ),
    pages(
        "an include shadows the escape",
        "{{ x }}{% include i %}{{ x }}",
        {"i": "{% set xhtml_escape = f %}"},
        x="<",
        f=bracketed,
    ),
    Page(
        "beside the file",
        {
            "a/main": "{% extends b %}{% block x %}{% include c/d %}{% end %}",
            "a/b": "<{% block x %}{% end %}>",
            "a/c/d": "{% include ../e %}",
            "a/e": "e",
        },
        main="a/main",
    ),
    Page(
        "above the file",
        {"a/main": "{% include ../b %}{% include './c' %}", "b": "b", "a/c": "c"},
        main="a/main",
    ),
    Page(
        "from the root",
        {"a/main": "{% include /b %}", "/b": "root", "b": "b", "a/b": "a"},
        main="a/main",
    ),
    Page("above the root", {"main": "{% include ../b %}", "../b": "up", "b": "b"}),
    Page(
        "of no folder",
        {"/a/main": "{% include b %}", "b": "b", "/a/b": "a"},
        main="/a/main",
    ),
]

_BLANKS = "  a\t b \n\n  c\r\n{% if 1 %}  d  {% end %}\n <b> \u00a0\u00a0 </b>\n"

WHITESPACE = [
    Page("blanks by name", {"main": _BLANKS}),
    Page("blanks in HTML", {"main.html": _BLANKS}, main="main.html"),
    Page("blanks in a script", {"main.js": _BLANKS}, main="main.js"),
    Page("blanks in a style sheet", {"main.css": _BLANKS}, main="main.css"),
    Page(
        "blanks of the loader",
        {"main.html": _BLANKS},
        main="main.html",
        loader={"whitespace": "oneline"},
    ),
    Page(
        "all blanks of the loader",
        {"main.html": _BLANKS},
        main="main.html",
        loader={"whitespace": "all"},
    ),
    page(
        "blanks by directive",
        "a  b{% whitespace single %}a  b\n\n{% whitespace oneline %}a \n b"
        "{% whitespace all %}  c",
    ),
    page(
        "a directive outlives its block",
        "{% block a %}{% whitespace single %}a  b{% end %}a  b",
    ),
    Page(
        "blanks of each file",
        {
            "main.html": "{% extends b %}{% block a %}  m  {% include c %}{% end %}",
            "b": "  b  {% block a %}{% end %}  b  ",
            "c": "  c  ",
        },
        main="main.html",
    ),
    Page(
        "pre keeps its blanks",
        {"main.html": "a  b\n\n <pre> x  y </pre>  z{{ 1 }}  c  d"},
        main="main.html",
    ),
    Page(
        "escaped tags and blanks",
        {"main.html": "a  {{!  b  }}  {%!  c"},
        main="main.html",
    ),
    Page(
        "comments and blanks",
        {"main.html": "a  {# b #}  c\n {##} \n d"},
        main="main.html",
    ),
    Page(
        "lines end with CRLF",
        {"main": "a\r\n  b\r\n{{ 1 }}\r\n{% if 1 %}\r\nc{% end %}"},
    ),
]
