"""UI modules: every hook, where each thing goes in the page, and the built-in ones."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from tornado import web
from tornado.template import DictLoader

from tests.porting.raw import get

# Removed when the process ends: the server answers after this module has run.
_FOLDER = tempfile.TemporaryDirectory()
atexit.register(_FOLDER.cleanup)

FILES = ("a.js", "b.js", "a.css", "b.css")


def page(body: str) -> str:
    return f"<html><head><title>t</title></head><body>{body}</body></html>"


TEMPLATES = {
    # Hooks
    "all": page("1{% module All() %}2"),
    "all_twice": page("{% module All() %}{% module All() %}"),
    "all_and_more": page("{% module All() %}{% module More() %}"),
    "more_and_all": page("{% module More() %}{% module All() %}"),
    "strings": page("{% module Strings() %}"),
    "bytes": page("{% module Bytes() %}"),
    "iterables": page("{% module Iterables() %}{% module Iterables() %}"),
    "empty": page("{% module Empty() %}"),
    "plain": page("{% module Plain() %}"),
    "only_head": page("{% module OnlyHead() %}"),
    "only_body": page("{% module OnlyBody() %}"),
    "only_script": page("{% module OnlyScript() %}"),
    "not_placed": page("{% if False %}{% module All() %}{% end %}none"),
    # Places
    "no_head": "{% module All() %}</body>",
    "no_body": "<head></head>{% module All() %}",
    "no_place": "{% module All() %}",
    "no_place_needed": "{% module Plain() %}",
    "capitals": "<HEAD></HEAD><BODY>{% module All() %}</BODY>",
    "two_places": "<head></head></head><body>{% module All() %}</body>2</body>3",
    "body_before_head": "</body>{% module All() %}<head></head>",
    # What modules get and give
    "arguments": page("{% module Arguments(1, '<', *[2], name='&', **{'x': 3}) %}"),
    "is_not_escaped": page("{{ '<' }}{% module Arguments('<') %}"),
    "as_expression": page("{{ modules.All() }}|{% raw modules.All() %}"),
    "as_item": page("{% raw modules['Plain']() %}"),
    "keeps_state": page("{% module Counter() %}{% module Counter() %}"),
    "returns_none": page("{% module Returns(None) %}"),
    "returns_number": page("{% module Returns(3) %}"),
    "raises": page("before{% module Raises() %}after"),
    "raises_in_hook": page("{% module RaisesInHook() %}"),
    "without_render": page("{% module WithoutRender() %}"),
    "unknown": page("{% module Nowhere() %}"),
    "unknown_item": page("{{ modules['Nowhere']() }}"),
    "not_a_module": page("{% module NotAModule() %}"),
    "wrong_arguments": page("{% module Plain(1) %}"),
    "attributes": page("{% module Attributes() %}"),
    "underscore": page("{% module _Hidden() %}"),
    "of_a_module": page("{% module OfAModule() %}"),
    # Modules in modules, in blocks, in included templates
    "nested": page("{% module Outer('<') %}"),
    "inner": "[{{ text }}{% module All() %}]",
    "calls_another": page("{% module Caller() %}"),
    "base": page("{% block body %}{% module Plain() %}{% end %}"),
    "in_block": '{% extends "base" %}{% block body %}{% module All() %}{% end %}',
    "included": page('{% include "part" %}'),
    "part": "({% module Strings() %})",
    "in_loop": page("{% for n in [1, 2] %}{% module Arguments(n) %}{% end %}"),
    "in_apply": page("{% apply upper %}{% module Plain() %}{% end %}"),
    # Templates as modules
    "template": page('{% module Template("entry", n=1) %}'),
    "template_twice": page(
        '{% module Template("entry", n=1) %}{% module Template("entry", n=1) %}'
    ),
    "template_differs": page(
        '{% module Template("entry", n=1) %}{% module Template("entry", n=2) %}'
    ),
    "template_other": page(
        '{% module Template("entry", n=1) %}{% module Template("other") %}'
    ),
    "template_nested": page('{% module Template("outer_entry") %}'),
    "template_plain": page('{% module Template("word", text="<") %}'),
    "template_names": page('{% set text = 1 %}{% module Template("word") %}'),
    "template_sets_twice": page('{% module Template("sets_twice") %}'),
    "template_sets_unknown": page('{% module Template("sets_unknown") %}'),
    "template_unknown": page('{% module Template("nowhere") %}'),
    "set_resources_alone": "{{ set_resources(css_files='a.css') }}",
    "entry": (
        "{{ set_resources(embedded_javascript='js%d();' % n,"
        " javascript_files=['a.js', 'b.js'], embedded_css='css%d {}' % n,"
        " css_files='a.css', html_head='<meta>', html_body='<hr>') }}<i>{{ n }}</i>"
    ),
    "other": (
        "{{ set_resources(embedded_javascript='other();', javascript_files='a.js',"
        " embedded_css='other {}', css_files=['b.css', 'a.css'],"
        " html_head='<link>', html_body='<br>') }}other"
    ),
    "outer_entry": (
        "{{ set_resources(css_files='b.css') }}({% module Template('entry', n=1) %})"
    ),
    "word": "{{ text }} {% raw repr(set_resources()) %}",
    "sets_twice": (
        "{{ set_resources(css_files='a.css') }}{{ set_resources(css_files='b.css') }}"
    ),
    "sets_unknown": "{{ set_resources(nothing='like this') }}unknown",
    # Other built-in ones
    "linkify": page("{% module linkify('www.a.test <b>') %}"),
    "linkify_options": page(
        "{% module linkify('www.a.test', require_protocol=True) %}"
        "{% module linkify('http://a.test', extra_params='rel=\"x\"', shorten=True) %}"
    ),
    "xsrf": page("{% set field = modules.xsrf_form_html() %}{% raw field[:38] %}"),
}


class All(web.UIModule):
    def render(self) -> str:
        return "<b>all</b>"

    def embedded_javascript(self) -> str:
        return "all();"

    def javascript_files(self) -> list[str]:
        return ["a.js", "/b.js", "http://x.test/c.js", "//x.test/d.js", "a.js"]

    def embedded_css(self) -> str:
        return "all {}"

    def css_files(self) -> list[str]:
        return ["a.css", "/b.css", "https://x.test/c.css"]

    def html_head(self) -> str:
        return '<meta name="all">'

    def html_body(self) -> str:
        return "<hr>"


class More(All):
    def javascript_files(self) -> list[str]:
        return ["b.js", "a.js"]

    def css_files(self) -> list[str]:
        return ["b.css", "a.css"]

    def html_body(self) -> str:
        return "<br>"


class Plain(web.UIModule):
    def render(self) -> str:
        return "plain"


class Strings(Plain):
    def javascript_files(self) -> str:
        return "a.js"

    def css_files(self) -> str:
        return "a.css"


class Bytes(web.UIModule):
    def render(self) -> bytes:
        return "bytes é".encode()

    def embedded_javascript(self) -> Any:
        return "é()".encode()

    def embedded_css(self) -> Any:
        return "é {}".encode()

    def html_head(self) -> Any:
        return b"<meta>"

    def html_body(self) -> Any:
        return b"<hr>"


class Iterables(Plain):
    def javascript_files(self) -> Iterable[str]:
        return ("a.js", "b.js")

    def css_files(self) -> Iterator[str]:
        yield "a.css"


class Empty(Plain):
    def embedded_javascript(self) -> str:
        return ""

    def javascript_files(self) -> list[str]:
        return []

    def embedded_css(self) -> str:
        return ""

    def css_files(self) -> str:
        return ""

    def html_head(self) -> str:
        return ""

    def html_body(self) -> str:
        return ""


class OnlyHead(Plain):
    def html_head(self) -> str:
        return "<meta>"


class OnlyBody(Plain):
    def html_body(self) -> str:
        return "<hr>"


class OnlyScript(Plain):
    def embedded_javascript(self) -> str:
        return "only();"


class Arguments(web.UIModule):
    def render(self, *args: Any, **kwargs: Any) -> str:
        return repr((args, kwargs))


class Counter(web.UIModule):
    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        self.count = 0

    def render(self) -> str:
        self.count += 1
        return str(self.count)

    def embedded_css(self) -> str:
        return f"/* {self.count} */"


class Returns(web.UIModule):
    def render(self, value: Any) -> Any:
        return value


class Raises(web.UIModule):
    def render(self) -> str:
        raise LookupError("in render")


class RaisesInHook(Plain):
    def html_head(self) -> str:
        raise LookupError("in html_head")


class WithoutRender(web.UIModule):
    pass


class NotAModule:
    def __init__(self, handler: Any) -> None:
        pass


class Attributes(web.UIModule):
    def render(self) -> str:
        same = self.request is self.handler.request
        locale = self.locale is self.handler.locale
        method = self.ui.greet("you")
        return f"{self.current_user} {same} {locale} {method} {sorted(self.ui)}"


class _Hidden(Plain):
    pass


class Outer(web.UIModule):
    def render(self, text: str) -> bytes:
        return self.render_string("inner", text=text)

    def html_head(self) -> str:
        return "<meta name=outer>"


class Caller(web.UIModule):
    def render(self) -> Any:
        modules: Any = self.ui["modules"]
        return modules.Plain() + modules["All"]()


class Base(web.RequestHandler):
    def get_current_user(self) -> Any:
        return "Ada"

    def upper(self, text: Any) -> Any:
        return text.upper()

    def get_template_namespace(self) -> dict[str, Any]:
        return {**super().get_template_namespace(), "upper": self.upper}


class Page(Base):
    def get(self, name: str) -> None:
        self.render(name)


class String(Base):
    def get(self, name: str) -> None:
        self.write(self.render_string(name))


class AfterString(Base):
    """What render_string has placed counts for the page that is rendered then."""

    def get(self, name: str) -> None:
        self.render_string(name)
        self.render("base")


class Awaited(Base):
    async def get(self, name: str) -> None:
        await self.render(name)


class OwnHooks(Base):
    def render_linked_js(self, js_files: Iterable[str]) -> str:
        return f"[linked js {list(js_files)}]"

    def render_embed_js(self, js_embed: Iterable[bytes]) -> bytes:
        return f"[embedded js {list(js_embed)}]".encode()

    def render_linked_css(self, css_files: Iterable[str]) -> str:
        return f"[linked css {list(css_files)}]"

    def render_embed_css(self, css_embed: Iterable[bytes]) -> bytes:
        return f"[embedded css {list(css_embed)}]".encode()

    def get(self, name: str) -> None:
        self.render(name)


class WithHost(Page):
    include_host = True


def greet(handler: Base, name: str) -> str:
    return f"{handler.get_current_user()} greets {name}"


def make_app() -> web.Application:
    for name in FILES:
        (Path(_FOLDER.name) / name).write_text(name, encoding="utf-8")
    module = ModuleType("of_a_module")
    vars(module).update(OfAModule=Plain, greet=greet, number=5, Ignored=NotAModule)
    return web.Application(
        [
            (r"/page/(\w+)", Page),
            (r"/string/(\w+)", String),
            (r"/after_string/(\w+)", AfterString),
            (r"/awaited/(\w+)", Awaited),
            (r"/hooks/(\w+)", OwnHooks),
            (r"/host/(\w+)", WithHost),
        ],
        template_loader=DictLoader(TEMPLATES),
        # Tornado keeps one loader for each path, whatever the application.
        template_path="of ui_modules",
        static_path=_FOLDER.name,
        ui_modules=[globals(), module],
        ui_methods=module,
    )


#: Those that only others use.
_PARTS = {"base", "entry", "inner", "other", "outer_entry", "part", "sets_twice"}
_PARTS |= {"sets_unknown", "word"}

#: So that no new one is made.
_COOKIE = "Cookie: _xsrf=2|01020304|0d0f|1300000000"

REQUESTS = {
    **{name: get(f"/page/{name}", _COOKIE) for name in TEMPLATES if name not in _PARTS},
    "string": get("/string/all"),
    "after_string": get("/after_string/all"),
    "awaited": get("/awaited/all"),
    "hooks": get("/hooks/all_and_more"),
    "hooks_not_needed": get("/hooks/plain"),
    "host": get("/host/all"),
}
