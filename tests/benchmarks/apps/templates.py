"""The page with twenty rows, in the languages of the frameworks."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from wsgitornado.template import DictLoader

__all__ = ["BOTTLE", "DJANGO", "JINJA", "RENDERERS", "TORNADO"]

_PAGE = """<!DOCTYPE html>
<html>
<head><title>{title}</title></head>
<body>
<table>
{rows}
</table>
</body>
</html>
"""

JINJA = _PAGE.format(
    title="{{ title }}",
    rows="""{% for name, price in rows %}
<tr><td>{{ name }}</td><td>{{ price }}</td></tr>
{% endfor %}""",
)

DJANGO = JINJA

TORNADO = JINJA.replace("endfor", "end")

BOTTLE = _PAGE.format(
    title="{{title}}",
    rows="""% for name, price in rows:
<tr><td>{{name}}</td><td>{{price}}</td></tr>
% end""",
)


def _ours() -> Callable[..., bytes]:
    return DictLoader({"rows.html": TORNADO}).load("rows.html").generate


def _tornado() -> Callable[..., bytes]:
    template: Any = importlib.import_module("tornado.template")
    loader = template.DictLoader({"rows.html": TORNADO})
    generate: Callable[..., bytes] = loader.load("rows.html").generate
    return generate


def _bottle() -> Callable[..., bytes]:
    bottle: Any = importlib.import_module("bottle")
    render = bottle.SimpleTemplate(BOTTLE).render
    return lambda **names: bytes(render(**names), "utf-8")


def _jinja() -> Callable[..., bytes]:
    jinja2: Any = importlib.import_module("jinja2")
    render = jinja2.Environment(autoescape=True).from_string(JINJA).render
    return lambda **names: bytes(render(**names), "utf-8")


#: By the name of the language: the package that it needs, and what makes a function
#: that gives the page for ``title`` and ``rows``. (Django's wants settings first.)
RENDERERS: dict[str, tuple[str, Callable[[], Callable[..., bytes]]]] = {
    "ours": ("wsgitornado", _ours),
    "bottle": ("bottle", _bottle),
    "jinja": ("jinja2", _jinja),
    "tornado": ("tornado", _tornado),
}
