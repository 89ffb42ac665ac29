"""URLs of static files: prefix, host, version; and the tags that link them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support import call
from tests.web.one_handler import application_of
from wsgitornado.template import DictLoader
from wsgitornado.web import RequestHandler, StaticFileHandler, UIModule


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.js").write_text("a")
    return tmp_path


def value_of(
    function: Callable[[Any], Any],
    base: type[RequestHandler] = RequestHandler,
    environ: dict[str, Any] | None = None,
    **settings: Any,
) -> Any:
    """What a function of the handler gives."""
    values: list[Any] = []
    application = application_of(lambda h: values.append(function(h)), base, **settings)
    assert call(application, **(environ or {})).status_code == 200
    return values[0]


def url(
    folder: Path, *args: Any, environ: dict[str, Any] | None = None, **kwargs: Any
) -> str:
    result: str = value_of(
        lambda handler: handler.static_url("a.js", *args, **kwargs),
        environ=environ,
        static_path=str(folder),
    )
    return result


# -- Parts of the URL


def test_url_has_the_version_of_the_content(folder: Path) -> None:
    before = url(folder)
    assert before.startswith("/static/a.js?v=")
    assert url(folder) == before
    assert len(before.partition("?v=")[2]) == 128


def test_version_may_be_left_out(folder: Path) -> None:
    assert url(folder, include_version=False) == "/static/a.js"


@pytest.mark.parametrize("with_host", [True, False, None])
@pytest.mark.parametrize("by_default", [True, False])
def test_argument_decides_about_the_host_and_else_the_attribute(
    folder: Path, with_host: bool | None, by_default: bool
) -> None:
    class Handler(RequestHandler):
        include_host = by_default

    made = value_of(
        lambda handler: handler.static_url("a.js", with_host, include_version=False),
        Handler,
        {"HTTP_HOST": "example.test:8080", "wsgi.url_scheme": "https"},
        static_path=str(folder),
    )
    is_wanted = by_default if with_host is None else with_host
    host = "https://example.test:8080" if is_wanted else ""
    assert made == f"{host}/static/a.js"


def test_attribute_may_be_set_for_one_request(folder: Path) -> None:
    def verb(handler: RequestHandler) -> str:
        handler.include_host = True
        return handler.static_url("a.js", include_version=False)

    assert value_of(verb, static_path=str(folder)) == "http://localhost/static/a.js"


def test_url_is_below_the_prefix_that_we_are_mounted_at(folder: Path) -> None:
    below = {"SCRIPT_NAME": "/apps/über".encode().decode("latin-1")}
    plain = url(folder, include_version=False, environ=below)
    assert plain == "/apps/%C3%BCber/static/a.js"
    with_host = url(folder, True, include_version=False, environ=below)
    assert with_host == f"http://localhost{plain}"


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        pytest.param("/files/", "http://localhost/mounted/files/a.js", id="path"),
        pytest.param("https://cdn.test/x/", "https://cdn.test/x/a.js", id="URL"),
        pytest.param("//cdn.test/x/", "//cdn.test/x/a.js", id="host"),
        pytest.param("files/", "files/a.js", id="relative"),
    ],
)
def test_host_and_mount_point_are_only_for_paths(
    folder: Path, prefix: str, expected: str
) -> None:
    made = value_of(
        lambda handler: handler.static_url("a.js", True, include_version=False),
        environ={"SCRIPT_NAME": "/mounted"},
        static_path=str(folder),
        static_url_prefix=prefix,
    )
    assert made == expected


def test_setting_chooses_the_class_that_makes_urls(folder: Path) -> None:
    class Handler(StaticFileHandler):
        @classmethod
        def make_static_url(
            cls, settings: dict[str, Any], path: str, include_version: bool = True
        ) -> str:
            return f"/own/{path}/{include_version}"

    made = value_of(
        lambda handler: handler.static_url("a.js", include_version=False),
        static_path=str(folder),
        static_handler_class=Handler,
    )
    assert made == "/own/a.js/False"


def test_without_static_path_the_error_names_the_setting() -> None:
    def verb(handler: RequestHandler) -> None:
        with pytest.raises(RuntimeError, match=r"'static_path' setting .* static_url"):
            handler.static_url("a.js")

    value_of(verb)


def test_template_makes_urls(folder: Path) -> None:
    made = value_of(
        lambda handler: handler.render_string("page"),
        template_loader=DictLoader({"page": "{{ static_url('a.js') }}"}),
        static_path=str(folder),
    )
    assert made.startswith(b"/static/a.js?v=")


# -- Linking


def linked(files: list[str], folder: Path) -> tuple[list[str], list[str]]:
    """The URLs of the scripts and style sheets that are linked."""
    both: tuple[str, str] = value_of(
        lambda h: (h.render_linked_js(iter(files)), h.render_linked_css(iter(files))),
        static_path=str(folder),
    )
    scripts, styles = both
    script_tag = '<script src="', '" type="text/javascript"></script>'
    style_tag = '<link href="', '" type="text/css" rel="stylesheet"/>'
    return _contents(scripts, *script_tag), _contents(styles, *style_tag)


def _contents(text: str, before: str, after: str) -> list[str]:
    """What stands in each of the tags that the text consists of."""
    if not text:
        return []
    assert text.startswith(before)
    assert text.endswith(after)
    return text[len(before) : -len(after)].split(after + before)


@pytest.mark.parametrize(
    ("files", "urls"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["/a", "/b", "/a"], ["/a", "/b"], id="each once"),
        pytest.param(["//x.test/a"], ["//x.test/a"], id="another host"),
        pytest.param(["http:a", "https:b"], ["http:a", "https:b"], id="URLs"),
        pytest.param(["/\"'<&>"], ["/&quot;&#x27;&lt;&amp;&gt;"], id="escaped"),
    ],
)
def test_files_are_linked(files: list[str], urls: list[str], folder: Path) -> None:
    assert linked(files, folder) == (urls, urls)


def test_relative_files_are_static_files(folder: Path) -> None:
    scripts, styles = linked(["a.js", "a.js"], folder)
    assert scripts == styles == [url(folder)]


def test_file_that_is_no_text_is_a_mistake(folder: Path) -> None:
    number: Any = 5
    with pytest.raises(TypeError, match="int"):
        RequestHandler.render_linked_js(_unused(), [number])


def _unused() -> RequestHandler:
    return object.__new__(RequestHandler)


def test_embedded_parts_are_joined_by_lines() -> None:
    handler = _unused()
    assert handler.render_embed_css([b"a {}", b"b {}"]) == (
        b'<style type="text/css">\na {}\nb {}\n</style>'
    )
    assert handler.render_embed_js([b"a();", b"b();"]) == (
        b'<script type="text/javascript">\n//<![CDATA[\na();\nb();\n//]]>\n</script>'
    )


# -- The hooks


class Wanting(UIModule):
    def render(self, *args: Any, **kwargs: Any) -> str:
        return "module"

    def css_files(self) -> list[str]:
        return ["a.css", "a.css"]

    def javascript_files(self) -> str:
        return "a.js"

    def embedded_css(self) -> str:
        return "p {}"

    def embedded_javascript(self) -> str:
        return "js();"


class Hooks(RequestHandler):
    def render_linked_js(self, js_files: Iterable[str]) -> str | bytes:
        return f"[js {list(js_files)}]".encode()

    def render_linked_css(self, css_files: Iterable[str]) -> str:
        return f"[css {list(css_files)}]"

    def render_embed_js(self, js_embed: Iterable[bytes]) -> str:
        return f"[js {list(js_embed)}]"

    def render_embed_css(self, css_embed: Iterable[bytes]) -> bytes:
        return f"[css {list(css_embed)}]".encode()


def test_handler_may_write_the_tags_itself() -> None:
    loader = DictLoader({"page": "</head>{% module Wanting() %}</body>"})
    application = application_of(
        lambda handler: handler.render("page"),
        Hooks,
        template_loader=loader,
        ui_modules={"Wanting": Wanting},
    )
    assert call(application).text == (
        "[css ['a.css', 'a.css']]\n[css [b'p {}']]\n</head>"
        "module[js ['a.js']]\n[js [b'js();']]\n</body>"
    )


def test_hooks_are_not_asked_for_pages_that_want_nothing() -> None:
    application = application_of(
        lambda handler: handler.render("page"),
        Hooks,
        template_loader=DictLoader({"page": "{% module linkify('text') %}"}),
    )
    assert call(application).text == "text"
