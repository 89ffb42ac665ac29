"""Pages: rendering, what templates know, and what happens when they fail."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import Answer, call
from tests.web.one_handler import answer
from wsgitornado.concurrent import DONE
from wsgitornado.template import DictLoader
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler, UIModule

APPLICATION = "wsgitornado.application"

TEMPLATES = {
    "page": "<p>{{ text }}</p>",
    "raw": "{% raw text %}",
    "fails": "before{{ 1 / 0 }}after",
    "wrong": "before{% if %}",
    "error": "<h1>{{ status_code }}</h1>",
    "user": "{{ current_user }}",
}


def render(
    name: str, base: type[RequestHandler] = RequestHandler, **names: Any
) -> Answer:
    """The answer of a handler that renders one of the templates."""
    return pages(lambda handler: handler.render(name, **names), base)


def pages(
    verb: Callable[[Any], object],
    base: type[RequestHandler] = RequestHandler,
    **settings: Any,
) -> Answer:
    loader = DictLoader(TEMPLATES)
    return answer(verb, base=base, template_loader=loader, **settings)


def value_of(function: Callable[[Any], Any], **settings: Any) -> Any:
    """What a function of the handler gives."""
    values: list[Any] = []
    pages(lambda handler: values.append(function(handler)), **settings)
    return values[0]


# -- Rendering


def test_page_is_the_template_with_its_names() -> None:
    answered = render("page", text="plain é")
    assert answered.text == "<p>plain é</p>"
    assert answered.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert "Etag" in answered.headers


def test_names_are_escaped() -> None:
    assert render("page", text="<&'\">").text == "<p>&lt;&amp;&#x27;&quot;&gt;</p>"


def test_render_goes_behind_what_is_written() -> None:
    def verb(handler: RequestHandler) -> None:
        handler.write("written ")
        handler.render("page", text=1)

    assert pages(verb).text == "written <p>1</p>"


def test_render_finishes_and_returns_what_finish_returns() -> None:
    results: list[Any] = []

    def verb(handler: RequestHandler) -> None:
        results.append(handler.render("page", text=1))
        results.append(handler._finished)

    pages(verb)
    assert results == [DONE, True]


@pytest.mark.parametrize("end", ["render", "finish"])
def test_render_after_the_end_raises_and_the_answer_stays(end: str) -> None:
    def verb(handler: RequestHandler) -> None:
        if end == "render":
            handler.render("page", text=1)
        else:
            handler.finish("<p>1</p>")
        handler.render("page", text=2)

    with ExpectLog(APPLICATION, "Uncaught exception") as log:
        answered = pages(verb)
    assert log.logged_stack
    assert (answered.status_code, answered.text) == (200, "<p>1</p>")


def test_render_after_the_end_is_a_mistake_that_is_named() -> None:
    def verb(handler: RequestHandler) -> None:
        handler.finish()
        with pytest.raises(RuntimeError, match=r"Cannot render\(\) after finish\(\)"):
            handler.render("page", text=1)

    assert pages(verb).status_code == 200


def test_async_handlers_render_too() -> None:
    class Handler(RequestHandler):
        async def get(self) -> None:
            await asyncio.sleep(0)
            await self.render("page", text=self.request.path)

    class Returning(RequestHandler):
        def get(self) -> Any:
            return self.render("page", text=2)

    rules = [(r"/", Handler), (r"/returning", Returning)]
    application = Application(rules, template_loader=DictLoader(TEMPLATES))
    assert call(application).text == "<p>/</p>"
    assert call(application, "/returning").text == "<p>2</p>"


def test_prepare_may_render() -> None:
    class Handler(RequestHandler):
        def prepare(self) -> None:
            self.render("page", text="prepared")

    assert pages(lambda handler: handler.write("no"), Handler).text == "<p>prepared</p>"


def test_string_is_rendered_without_being_sent() -> None:
    def verb(handler: RequestHandler) -> None:
        text = handler.render_string("page", text="é")
        assert text == "<p>é</p>".encode()
        handler.write({"text": text.decode()})

    assert pages(verb).text == '{"text": "<p>\\u00e9<\\/p>"}'


def test_head_has_the_length_of_the_page() -> None:
    answered = answer(
        lambda handler: handler.render("page", text=1),
        "HEAD",
        template_loader=DictLoader(TEMPLATES),
    )
    assert (answered.headers["Content-Length"], answered.body) == ("8", b"")


# -- What templates know


def test_namespace_has_the_names_of_every_template() -> None:
    names = value_of(
        lambda handler: handler.get_template_namespace(),
        ui_methods={"greet": lambda handler: "hello"},
    )
    assert set(names) == {
        *("handler", "request", "current_user", "locale", "_", "translate"),
        *("pgettext", "static_url", "xsrf_form_html", "reverse_url"),
        *("greet", "modules", "_tt_modules"),
    }
    handler = names["handler"]
    assert names["request"] is handler.request
    assert names["locale"] is handler.locale
    assert names["_"] == names["translate"] == handler.locale.translate
    assert names["reverse_url"] == handler.reverse_url


def test_user_comes_from_the_handler() -> None:
    class Handler(RequestHandler):
        def get_current_user(self) -> str:
            return "Ada"

    assert render("user", Handler).text == "Ada"


def test_arguments_go_before_the_names_of_every_template() -> None:
    assert render("user", current_user="given").text == "given"


def test_override_adds_names() -> None:
    class Handler(RequestHandler):
        def get_template_namespace(self) -> dict[str, Any]:
            return {**super().get_template_namespace(), "text": "of the site"}

    assert render("page", Handler).text == "<p>of the site</p>"
    assert render("page", Handler, text="given").text == "<p>given</p>"


def test_names_of_one_call_are_not_there_in_the_next() -> None:
    def verb(handler: RequestHandler) -> None:
        handler.render_string("page", text=1)
        with pytest.raises(NameError):
            handler.render_string("page")

    assert pages(verb).status_code == 200


def test_ui_methods_get_the_handler_first() -> None:
    def describe(handler: RequestHandler, *args: Any, **kwargs: Any) -> str:
        return f"{handler.request.path} {args} {kwargs}"

    answered = answer(
        lambda handler: handler.render("page"),
        template_loader=DictLoader(
            {"page": "{% raw describe(1, handler_=2) %}{% raw len(handler.ui) %}"}
        ),
        ui_methods={"describe": describe},
    )
    assert answered.text == "/ (1,) {'handler_': 2}3"


def test_ui_is_the_same_for_a_whole_request() -> None:
    assert value_of(lambda handler: handler.ui is handler.ui)


# -- Failures


def failing(name: str, base: type[RequestHandler] = RequestHandler) -> Answer:
    with ExpectLog(APPLICATION, "Uncaught exception") as log:
        answered = render(name, base)
    assert log.matched == 1
    assert log.logged_stack
    assert answered.status_code == 500
    return answered


class NoUser(RequestHandler):
    def get_current_user(self) -> Any:
        raise LookupError("before the page")


class NoNames(RequestHandler):
    def get_template_namespace(self) -> dict[str, Any]:
        raise LookupError("before the page")


@pytest.mark.parametrize(
    ("name", "base"),
    [
        pytest.param("fails", RequestHandler, id="template fails"),
        pytest.param("wrong", RequestHandler, id="template is wrong"),
        pytest.param("unknown", RequestHandler, id="no such template"),
        pytest.param("page", NoUser, id="user fails"),
        pytest.param("page", NoNames, id="namespace fails"),
    ],
)
def test_failure_is_a_500_with_nothing_of_the_page(
    name: str, base: type[RequestHandler]
) -> None:
    text = failing(name, base).text
    assert "before" not in text
    assert name not in text


def test_failure_after_some_output_takes_it_back() -> None:
    def verb(handler: RequestHandler) -> None:
        handler.write("a secret")
        handler.set_header("X-Secret", "a secret")
        handler.render("fails")

    with ExpectLog(APPLICATION, "Uncaught exception"):
        answered = pages(verb)
    assert answered.status_code == 500
    assert "secret" not in f"{answered.text}{answered.headers}"


def test_error_page_may_be_a_template() -> None:
    class Handler(RequestHandler):
        def write_error(self, status_code: int, **kwargs: Any) -> None:
            self.render("error", status_code=status_code)

    assert failing("fails", Handler).text == "<h1>500</h1>"


def test_next_request_is_not_affected() -> None:
    application = Application(
        [(r"/(\w+)", _Renders)], template_loader=DictLoader(TEMPLATES)
    )
    for _ in range(3):
        with ExpectLog(APPLICATION, "Uncaught exception"):
            assert call(application, "/fails").status_code == 500
        assert call(application, "/page").text == "<p>fine</p>"


class _Renders(RequestHandler):
    alive: weakref.WeakSet[RequestHandler] = weakref.WeakSet()

    def get(self, name: str) -> None:
        self.alive.add(self)
        self.render(name, text="fine")


class _Part(UIModule):
    def render(self, *args: Any, **kwargs: Any) -> str:
        return f"{1 / args[0]}"


def test_handler_of_a_page_is_freed_at_once() -> None:
    application = Application(
        [(r"/(\w+)", _Renders)],
        template_loader=DictLoader({"page": "{% module Part(1) %}{{ shout() }}"}),
        ui_modules={"Part": _Part},
        ui_methods={"shout": lambda handler: "!"},
    )
    _Renders.alive.clear()
    gc.collect()
    gc.disable()
    try:
        assert call(application, "/page").text == "1.0!"
        assert not _Renders.alive
    finally:
        gc.enable()


def test_handlers_of_pages_are_freed_failed_or_not() -> None:
    templates = {"fine": "{% module Part(1) %}", "fails": "{% module Part(0) %}"}
    application = Application(
        [(r"/(\w+)", _Renders)],
        template_loader=DictLoader(templates),
        ui_modules={"Part": _Part},
    )
    _Renders.alive.clear()
    for _ in range(20):
        call(application, "/fine")
        with ExpectLog(APPLICATION, "Uncaught exception"):
            call(application, "/fails")
    gc.collect()
    assert not _Renders.alive
