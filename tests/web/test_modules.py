"""UI modules: what they are given, what they put into a page, and where."""

from __future__ import annotations

import math
from collections.abc import Iterable
from types import MappingProxyType, ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import Answer
from tests.web.one_handler import answer
from wsgitornado.template import DictLoader
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler, TemplateModule, UIModule
from wsgitornado.web.modules import BUILT_IN_MODULES, insert_resources

APPLICATION = "wsgitornado.application"


def page(body: str) -> str:
    return f"<head></head><body>{body}</body>"


def parts_of(html: str) -> tuple[str, str]:
    """What stands at the end of the head and of the body of :func:`page`."""
    head, _, rest = html.partition("</head>")
    return head.removeprefix("<head>"), rest.partition("</body>")[0][len("<body>") :]


def render(
    body: str,
    base: type[RequestHandler] = RequestHandler,
    templates: dict[str, str] | None = None,
    **modules: Any,
) -> Answer:
    """The page with this body, in an application with these modules."""
    loader = DictLoader({"page": page(body), **(templates or {})})
    return answer(
        lambda handler: handler.render("page"),
        base=base,
        template_loader=loader,
        ui_modules=modules,
    )


def failing(body: str, kind: str, **modules: Any) -> Answer:
    """The answer to a page that cannot be made; the log has an error of this kind."""
    with ExpectLog(APPLICATION, "Uncaught exception") as log:
        answered = render(body, **modules)
    assert log.matched == 1
    assert log.logged_stack
    assert answered.status_code == 500
    assert "head>" not in answered.text
    assert kind not in answered.text
    return answered


class Plain(UIModule):
    def render(self, *args: Any, **kwargs: Any) -> str:
        return "plain"


class Everything(Plain):
    def embedded_javascript(self) -> str:
        return "js();"

    def javascript_files(self) -> list[str]:
        return ["/a.js", "https://x.test/b.js"]

    def embedded_css(self) -> str:
        return "p {}"

    def css_files(self) -> list[str]:
        return ["/a.css", "http://x.test/b.css"]

    def html_head(self) -> str:
        return "<meta>"

    def html_body(self) -> str:
        return "<hr>"


# -- What a module is given


def test_module_has_the_handler_its_request_and_its_user() -> None:
    seen: list[UIModule] = []

    class Handler(RequestHandler):
        def get_current_user(self) -> str:
            return "Ada"

    class Look(UIModule):
        def render(self) -> str:
            seen.append(self)
            assert self.request is self.handler.request
            assert self.ui is self.handler.ui
            assert self.locale is self.handler.locale
            return f"{self.current_user}"

    assert "Ada" in render("{% module Look() %}", Handler, Look=Look).text
    assert len(seen) == 1


def test_arguments_go_to_render_whatever_their_names() -> None:
    class Arguments(UIModule):
        def render(self, *args: Any, **kwargs: Any) -> str:
            return f"{args} {kwargs}"

    names = "name=1, self_=2, module_class=3, handler=4"
    text = render(f"{{% module Arguments(1, {names}) %}}", Arguments=Arguments).text
    given = {"name": 1, "self_": 2, "module_class": 3, "handler": 4}
    assert f"(1,) {given}" in text


def test_one_instance_serves_all_places_of_a_page() -> None:
    class Counter(UIModule):
        count = 0

        def render(self) -> str:
            self.count += 1
            return f"[{self.count}]"

    assert "[1][2]" in render(2 * "{% module Counter() %}", Counter=Counter).text


def test_next_request_has_a_new_instance() -> None:
    class Once(Everything):
        count = 0

        def render(self, *args: Any, **kwargs: Any) -> str:
            self.count += 1
            return f"[{self.count}]"

    for _ in range(2):
        assert "[1]" in render("{% module Once() %}", Once=Once).text


def test_rendering_a_string_in_a_module_uses_the_templates_of_the_handler() -> None:
    class Entry(UIModule):
        def render(self, text: str) -> bytes:
            return self.render_string("entry", text=text)

    templates = {"entry": "<p>{{ text }} {{ request.path }}</p>"}
    text = render("{% module Entry('<') %}", templates=templates, Entry=Entry).text
    assert "<p>&lt; /</p>" in text


def test_module_without_render_says_so() -> None:
    class Nothing(UIModule):
        pass

    with pytest.raises(NotImplementedError, match="Nothing does not define render"):
        Nothing(_handler()).render()


def _handler() -> RequestHandler:
    """A handler outside a request."""
    kept: list[RequestHandler] = []
    answer(lambda handler: kept.append(handler))
    return kept[0]


# -- What it gives


def test_everything_goes_to_its_place() -> None:
    head, body = parts_of(
        render("1{% module Everything() %}2", Everything=Everything).text
    )
    assert head == (
        '<link href="/a.css" type="text/css" rel="stylesheet"/>'
        '<link href="http://x.test/b.css" type="text/css" rel="stylesheet"/>\n'
        '<style type="text/css">\np {}\n</style>\n'
        "<meta>\n"
    )
    assert body == (
        "1plain2"
        '<script src="/a.js" type="text/javascript"></script>'
        '<script src="https://x.test/b.js" type="text/javascript"></script>\n'
        '<script type="text/javascript">\n//<![CDATA[\njs();\n//]]>\n</script>\n'
        "<hr>\n"
    )


def test_resources_are_there_once_however_often_a_module_is_placed() -> None:
    once = render("{% module Everything() %}", Everything=Everything).text
    twice = render(2 * "{% module Everything() %}", Everything=Everything).text
    assert twice == once.replace("plain", "plainplain")


def test_files_of_several_modules_are_linked_once_in_their_order() -> None:
    class First(Plain):
        def css_files(self) -> list[str]:
            return ["/a.css", "/b.css"]

    class Second(Plain):
        def css_files(self) -> list[str]:
            return ["/c.css", "/a.css"]

    body = "{% module First() %}{% module Second() %}"
    head, _ = parts_of(render(body, First=First, Second=Second).text)
    assert [head.count(f"/{name}.css") for name in "abc"] == [1, 1, 1]
    assert head.index("/a.css") < head.index("/b.css") < head.index("/c.css")


@pytest.mark.parametrize(
    "files",
    [
        pytest.param("/a.js", id="str"),
        pytest.param(["/a.js"], id="list"),
        pytest.param(("/a.js",), id="tuple"),
        pytest.param({"/a.js": 1}, id="mapping"),
        pytest.param(iter(["/a.js"]), id="iterator"),
    ],
)
def test_files_come_as_a_text_or_as_anything_iterable(files: Any) -> None:
    class Files(Plain):
        def javascript_files(self) -> str | Iterable[str]:
            result: str | Iterable[str] = files
            return result

    _, body = parts_of(render("{% module Files() %}", Files=Files).text)
    assert body == 'plain<script src="/a.js" type="text/javascript"></script>\n'


def test_bytes_are_taken_as_utf8() -> None:
    class Bytes(UIModule):
        def render(self) -> bytes:
            return "é".encode()

        def embedded_css(self) -> bytes:
            return "/* ü */".encode()

        def html_body(self) -> bytes:
            return "<p>ñ".encode()

    text = render("{% module Bytes() %}", Bytes=Bytes).text
    assert "<body>é<p>ñ\n" in text
    assert "/* ü */" in text


def test_module_that_wants_nothing_leaves_the_page_alone() -> None:
    class Empty(Plain):
        def javascript_files(self) -> list[str]:
            return []

        def embedded_css(self) -> str:
            return ""

    assert render("{% module Empty() %}", Empty=Empty).text == page("plain")


def test_module_that_is_not_placed_adds_nothing() -> None:
    body = "{% if False %}{% module Everything() %}{% end %}"
    assert render(body, Everything=Everything).text == page("")


def test_urls_of_files_cannot_leave_their_attribute() -> None:
    class Files(Plain):
        def css_files(self) -> str:
            return '/"><script>'

    text = render("{% module Files() %}", Files=Files).text
    assert '<link href="/&quot;&gt;&lt;script&gt;"' in text


@pytest.mark.parametrize(
    "body",
    ["{% module Everything() %}", "{% module Nested() %}", "{{ ui() }}"],
    ids=["directive", "in a module", "called by a function"],
)
def test_module_counts_wherever_it_is_placed(body: str) -> None:
    class Nested(UIModule):
        def render(self) -> Any:
            return self.ui.modules.Everything()

    class Handler(RequestHandler):
        def get_template_namespace(self) -> dict[str, Any]:
            names = super().get_template_namespace()
            modules: Any = self.ui["modules"]
            names["ui"] = modules["Everything"]
            return names

    text = render(body, Handler, Nested=Nested, Everything=Everything).text
    assert text.count("<meta>") == 1


# -- Places


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "<head></head><body></body>", "<head>H</head><body>SB</body>", id="usual"
        ),
        pytest.param(
            "</head></head></body>", "H</head></head>SB</body>", id="two heads"
        ),
        pytest.param(
            "</head></body></body>", "H</head>B</body>S</body>", id="two bodies"
        ),
        pytest.param("</body></head>", "SB</body>H</head>", id="body before head"),
        pytest.param("x</head>y</body>z", "xH</head>ySB</body>z", id="text around"),
    ],
)
def test_places_are_the_first_head_and_the_last_and_first_body(
    before: str, after: str
) -> None:
    inserted = insert_resources(before.encode(), b"H", b"S", b"B")
    assert inserted.decode() == after


def test_what_is_inserted_is_not_taken_for_a_place() -> None:
    inserted = insert_resources(b"</head></body>", b"</head>", b"'</body>'", b"B")
    assert inserted == b"</head></head>'</body>'B</body>"


@pytest.mark.parametrize("tag", ["</head>", "</body>"])
def test_page_without_the_place_is_an_error_that_names_it(tag: str) -> None:
    with pytest.raises(ValueError, match=f"no {tag}"):
        insert_resources(page("").replace(tag, "").encode(), b"H", b"S", b"")


@pytest.mark.parametrize("tag", ["</head>", "</body>"])
def test_place_that_nothing_is_for_may_be_missing(tag: str) -> None:
    wanted = (b"H", b"", b"") if tag == "</body>" else (b"", b"S", b"B")
    assert insert_resources(page("").replace(tag, "").encode(), *wanted)


@given(page=st.binary(), wanted=st.tuples(*3 * [st.binary()]))
def test_nothing_of_a_page_is_lost(
    page: bytes, wanted: tuple[bytes, bytes, bytes]
) -> None:
    inserted = insert_resources(page + b"</head></body>", *wanted)
    assert len(inserted) == len(page) + 14 + sum(map(len, wanted))
    assert inserted.endswith(b"</body>")


# -- Templates as modules


ENTRY = (
    "{{ set_resources(css_files=files, javascript_files=['/a.js'], html_head='<meta>',"
    " embedded_css='p {}', embedded_javascript='js();', html_body='<hr>') }}{{ text }}"
)


def render_entries(*arguments: str) -> Answer:
    entries = [f'{{% module Template("entry", {each}) %}}' for each in arguments]
    return render("".join(entries), templates={"entry": ENTRY})


def test_template_module_sees_its_arguments_and_sets_resources() -> None:
    answered = render_entries("text='<', files='/a.css'", "text=2, files='/a.css'")
    head, body = parts_of(answered.text)
    assert body.startswith("&lt;2<script")
    for wanted in ('href="/a.css"', "p {}", "<meta>"):
        assert head.count(wanted) == 1
    for wanted in ('src="/a.js"', "js();", "<hr>"):
        assert body.count(wanted) == 1


def test_resources_of_several_templates_are_joined() -> None:
    module = TemplateModule(_handler())
    for name in ("one", "two"):
        module._set_resources(
            name,
            embedded_css=name,
            embedded_javascript=name.encode(),
            html_head=name,
            html_body=name,
            css_files=f"{name}.css",
            javascript_files=[f"{name}.js", "both.js"],
        )
    module._set_resources("three", css_files=["three.css"])
    assert module.embedded_css() == module.embedded_javascript() == "one\ntwo"
    assert module.html_head() == module.html_body() == "onetwo"
    assert module.css_files() == ["one.css", "two.css", "three.css"]
    assert module.javascript_files() == ["one.js", "both.js", "two.js", "both.js"]


def test_template_that_sets_other_resources_the_second_time_is_an_error() -> None:
    with ExpectLog(APPLICATION, "Uncaught exception") as log:
        answered = render_entries("text=1, files='/a.css'", "text=1, files='/b.css'")
    assert log.matched == 1
    assert answered.status_code == 500


def test_different_resources_of_one_template_are_named() -> None:
    module = TemplateModule(_handler())
    module._set_resources("entry.html", css_files="a.css")
    module._set_resources("entry.html", css_files="a.css")
    with pytest.raises(
        ValueError, match=r"different resources .* 'entry\.html' .*b\.css"
    ):
        module._set_resources("entry.html", css_files="b.css")


# -- Built-in modules


def test_linkify_module_links_and_escapes() -> None:
    text = render("{% module linkify('http://a.test <b>', shorten=True) %}").text
    assert '<a href="http://a.test">http://a.test</a> &lt;b&gt;' in text


def test_xsrf_module_is_the_field_of_the_handler() -> None:
    answered = render("{% module xsrf_form_html() %}")
    assert '<input type="hidden" name="_xsrf" value="2|' in answered.text
    assert answered.headers["Set-Cookie"].startswith("_xsrf=2|")


def test_own_module_takes_the_place_of_a_built_in_one() -> None:
    assert "plain" in render("{% module linkify('x') %}", linkify=Plain).text


# -- Errors


class Raises(Plain):
    def render(self, *args: Any, **kwargs: Any) -> str:
        raise LookupError("a secret")


class RaisesLater(Plain):
    def html_head(self) -> str:
        raise LookupError("a secret")


class RaisesAtFirst(Plain):
    def __init__(self, handler: Any) -> None:
        raise LookupError("a secret")


@pytest.mark.parametrize("module", [Raises, RaisesLater, RaisesAtFirst])
def test_failing_module_is_a_500_without_any_of_the_page(
    module: type[UIModule],
) -> None:
    failing("before{% module Module() %}", "secret", Module=module)


def test_error_page_has_nothing_of_the_modules_of_the_failed_page() -> None:
    class Handler(RequestHandler):
        def write_error(self, status_code: int, **kwargs: Any) -> None:
            self.render("error", status_code=status_code)

    with ExpectLog(APPLICATION, "Uncaught exception"):
        answered = render(
            "{% module Everything() %}{{ 1 / 0 }}",
            Handler,
            # No place for what the module wanted, and no need for one.
            templates={"error": "sorry: {{ status_code }}"},
            Everything=Everything,
        )
    assert answered.text == "sorry: 500"


def test_unknown_module_is_an_error_that_names_it() -> None:
    failing("{% module Evrything() %}", "Evrything", Everything=Everything)
    modules: Any = _handler().ui["modules"]
    with pytest.raises(KeyError, match="Linkify"):
        modules["Linkify"]
    with pytest.raises(AttributeError, match="no UI module is called 'Lin") as info:
        _ = modules.Linkify
    # Of these two Python makes its "Did you mean".
    assert info.value.name == "Linkify"
    assert info.value.obj is modules


def test_modules_that_there_are_can_be_listed() -> None:
    # Python looks there for what might have been meant.
    assert {"Template", "linkify", "xsrf_form_html"} <= set(
        dir(_handler().ui["modules"])
    )


# -- The settings


def modules_of(source: Any) -> dict[str, Any]:
    table: dict[str, Any] = Application([], ui_modules=source).ui_modules
    return {name: cls for name, cls in table.items() if name not in BUILT_IN_MODULES}


def methods_of(source: Any) -> dict[str, Any]:
    table: dict[str, Any] = Application([], ui_methods=source).ui_methods
    return table


def method(handler: RequestHandler) -> str:
    return "method"


def as_module(**names: Any) -> ModuleType:
    module = ModuleType("of_the_program")
    vars(module).update(names)
    return module


@pytest.mark.parametrize(
    "source",
    [
        pytest.param({"Plain": Plain, "method": method}, id="dictionary"),
        pytest.param(
            MappingProxyType({"Plain": Plain, "method": method}), id="mapping"
        ),
        pytest.param(
            as_module(Plain=Plain, method=method, math=math, N=1), id="module"
        ),
        pytest.param([{"Plain": Plain}, as_module(method=method)], id="list"),
        pytest.param(({"Plain": Plain}, [{"method": method}]), id="nested"),
    ],
)
def test_modules_and_methods_come_from(source: Any) -> None:
    assert modules_of(source) == {"Plain": Plain}
    assert methods_of(source) == {"method": method}


def test_later_parts_of_a_list_win() -> None:
    assert modules_of([{"A": Plain}, {"A": Everything}]) == {"A": Everything}
    assert methods_of([{"a": method}, {"a": len}]) == {"a": len}


def test_applications_do_not_share_their_tables() -> None:
    Application([]).ui_modules["Own"] = Plain
    assert "Own" not in Application([]).ui_modules
    assert modules_of({}) == methods_of({}) == {}


def test_classes_that_are_no_modules_and_plain_values_are_passed_over() -> None:
    assert modules_of({"A": RequestHandler, "B": 3, "_C": Plain}) == {"_C": Plain}


def test_methods_are_what_can_be_called_and_has_the_name_of_a_function() -> None:
    source = {"a": 3, "B": method, "_c": method, "d": method, "ñ": method}
    assert methods_of(source) == {"d": method, "ñ": method}


@pytest.mark.parametrize("setting", ["ui_modules", "ui_methods"])
@pytest.mark.parametrize(
    "source",
    [None, 3, "of_the_program", Plain, [Plain], [{"a": 1}, 3], {1: Plain}],
    ids=["None", "number", "name", "class", "classes", "number inside", "no name"],
)
def test_anything_else_is_refused_when_the_application_is_made(
    setting: str, source: Any
) -> None:
    settings: dict[str, Any] = {setting: source}
    with pytest.raises(TypeError, match=setting):
        Application([], **settings)
