"""Jinja2Loader: Jinja2's templates in handlers and UI modules."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import jinja2
import pytest

from tests.support import Answer, call
from wsgitornado import template
from wsgitornado.template import BaseLoader, Jinja2Loader
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler, UIModule

TEMPLATES = {
    "page.html": "<p>{{ text }}{{ request.path }}</p>",
    "base.html": "<head></head><body>{% block body %}{% endblock %}</body>",
    "module.html": (
        '{% extends "base.html" %}'
        "{% block body %}{{ modules.Entry('<i>', name=2) }}{% endblock %}"
    ),
    "item.html": "</head>{{ modules['Entry']('<i>', name=2) }}",
    "entry.html": "<b>{{ text }}</b>",
    "names.html": (
        "{{ _('word') }} {{ reverse_url('page') }} "
        "{{ greet('Ada') }} {{ current_user }}"
    ),
    "field.html": "{{ xsrf_form_html() }}",
    "as_module.html": '{{ modules.Template("resources.html") }}',
    "in_page.html": "<head></head><body>{% include 'as_module.html' %}</body>",
    "resources.html": "{{ set_resources(css_files='/a.css') }}own",
    "unknown.html": "{{ modules.Nothing() }}",
    "wrong.html": "{% if %}",
    "fails.html": "before{{ 1 / 0 }}",
}


class Page(RequestHandler):
    def get(self, name: str) -> None:
        self.render(f"{name}.html", text="<&>")


class Asynchronous(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        await self.render("page.html", text=1)


class Entry(UIModule):
    def render(self, *args: Any, **kwargs: Any) -> bytes:
        return self.render_string("entry.html", text=f"{args} {kwargs}")

    def html_head(self) -> str:
        return "<meta>"


def greet(handler: RequestHandler, name: str) -> str:
    return f"<b>{name}</b>"


def environment(**options: Any) -> jinja2.Environment:
    options.setdefault("autoescape", True)
    return jinja2.Environment(loader=jinja2.DictLoader(dict(TEMPLATES)), **options)


def application(loader: BaseLoader | None = None, **settings: Any) -> Application:
    return Application(
        [(r"/async", Asynchronous), (r"/(\w+)", Page, {}, "page")],
        template_loader=loader or Jinja2Loader(environment()),
        ui_modules={"Entry": Entry},
        ui_methods={"greet": greet},
        **settings,
    )


def render(name: str) -> Answer:
    return call(application(), f"/{name}")


def failing(name: str) -> Answer:
    with ExpectLog("wsgitornado.application", "Uncaught exception") as log:
        answered = render(name)
    assert log.logged_stack
    assert answered.status_code == 500
    return answered


# -- Pages


def test_page_is_rendered_and_escaped() -> None:
    assert render("page").text == "<p>&lt;&amp;&gt;/page</p>"


def test_async_handlers_render_too() -> None:
    assert render("async").text == "<p>1/async</p>"


def test_templates_know_the_names_of_the_handler() -> None:
    rules: list[Any] = [(r"/", Names, {}, "page")]
    app = Application(
        rules,
        template_loader=Jinja2Loader(environment()),
        ui_methods={"greet": greet},
    )
    assert call(app).text == "word / &lt;b&gt;Ada&lt;/b&gt; Grace"


class Names(RequestHandler):
    def get_current_user(self) -> str:
        return "Grace"

    def get(self) -> None:
        self.render("names.html")


def test_module_is_placed_with_its_html_and_its_resources() -> None:
    arguments = "(&#39;&lt;i&gt;&#39;,) {&#39;name&#39;: 2}"
    assert render("module").text == (
        f"<head><meta>\n</head><body><b>{arguments}</b></body>"
    )


def test_module_may_be_asked_for_as_an_item() -> None:
    assert "<meta>" in render("item").text
    assert "<b>(&#39;" in render("item").text


def test_form_field_is_not_escaped() -> None:
    assert render("field").text.startswith('<input type="hidden" name="_xsrf" value="2')


def test_template_module_sets_resources() -> None:
    assert render("in_page").text == (
        '<head><link href="/a.css" type="text/css" rel="stylesheet"/>\n</head>'
        "<body>own</body>"
    )


@pytest.mark.parametrize("name", ["unknown", "wrong", "fails", "nowhere"])
def test_failure_is_a_500_with_nothing_of_the_page(name: str) -> None:
    assert "before" not in failing(name).text


def test_loader_raises_what_jinja2_raises() -> None:
    loader = Jinja2Loader(environment())
    with pytest.raises(jinja2.TemplateNotFound):
        loader.load("nowhere.html")
    with pytest.raises(jinja2.TemplateSyntaxError):
        loader.load("wrong.html")


def test_output_is_utf8() -> None:
    loader = Jinja2Loader(
        jinja2.Environment(
            loader=jinja2.DictLoader({"page": "é {{ text }}"}), autoescape=True
        )
    )
    assert loader.load("page").generate(text="中") == "é 中".encode()


# -- Environments


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page.html").write_text("{{ text }}", encoding="utf-8")
    return tmp_path


def generated(loader: Jinja2Loader) -> bytes:
    rendered: bytes = loader.load("page.html").generate(text="<")
    return rendered


@pytest.mark.parametrize("kind", [str, Path])
def test_folder_is_escaped_unless_it_is_said_otherwise(
    folder: Path, kind: type[str] | type[Path]
) -> None:
    assert generated(Jinja2Loader(kind(folder))) == b"&lt;"
    assert generated(Jinja2Loader(kind(folder), autoescape=False)) == b"<"
    by_name = Jinja2Loader(kind(folder), autoescape=lambda name: name != "page.html")
    assert generated(by_name) == b"<"


def test_further_options_go_to_the_environment(folder: Path) -> None:
    (folder / "page.html").write_text("[[ text ]]", encoding="utf-8")
    loader = Jinja2Loader(folder, variable_start_string="[[", variable_end_string="]]")
    assert generated(loader) == b"&lt;"


def test_environment_is_used_as_it_is() -> None:
    own = environment()
    assert Jinja2Loader(own).environment is own


def test_environment_without_escaping_is_refused() -> None:
    # It is what Jinja2 makes without being asked.
    own = environment(autoescape=False)
    with pytest.raises(ValueError, match="does not escape"):
        Jinja2Loader(own)


def test_autoescape_can_be_chosen_for_an_environment() -> None:
    own = environment(autoescape=False)
    entry = TEMPLATES["entry.html"].replace("{{ text }}", "%s").encode()
    for autoescape, text in ((True, b"&lt;"), (False, b"<")):
        loader = Jinja2Loader(own, autoescape=autoescape)
        assert loader.load("entry.html").generate(text="<") == entry % text
    assert own.autoescape is False


def test_options_for_an_environment_are_refused() -> None:
    with pytest.raises(TypeError, match="trim_blocks"):
        Jinja2Loader(environment(), trim_blocks=True)


def test_asynchronous_environment_is_refused() -> None:
    with pytest.raises(ValueError, match="enable_async"):
        Jinja2Loader(environment(enable_async=True))


# -- Caching


@pytest.mark.parametrize("is_kept", [True, False])
def test_changed_templates_are_seen_without_cache(folder: Path, is_kept: bool) -> None:
    app = application(Jinja2Loader(folder), compiled_template_cache=is_kept)
    assert call(app, "/page").text == "&lt;&amp;&gt;"
    (folder / "page.html").write_text("changed", encoding="utf-8")
    expected = "&lt;&amp;&gt;" if is_kept else "changed"
    assert call(app, "/page").text == expected


def test_environment_that_keeps_nothing_can_be_reset() -> None:
    loader = Jinja2Loader(environment(cache_size=0))
    loader.reset()
    assert loader.load("entry.html").generate(text=1) == b"<b>1</b>"


# -- The name


def test_it_is_a_name_of_the_package() -> None:
    assert template.Jinja2Loader.__module__ == "wsgitornado.template"
    assert issubclass(Jinja2Loader, BaseLoader)
    with pytest.raises(AttributeError, match="Jinja3Loader"):
        _ = template.Jinja3Loader  # type: ignore[attr-defined]  # it is not there


@pytest.mark.parametrize(
    ("missing", "message"),
    [("jinja2", r"wsgitornado\[jinja2\]"), ("markupsafe", "markupsafe")],
)
def test_without_the_extra_the_error_names_what_is_missing(
    missing: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "wsgitornado.template.jinja2_loader")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=message) as info:
        _ = template.Jinja2Loader
    assert info.value.name == missing
