"""Pages: rendering, the namespace, loaders, folders of templates, static URLs."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tornado import web
from tornado.template import DictLoader

from tests.porting.raw import get, head

# Removed when the process ends: the server answers after this module has run.
_FOLDER = tempfile.TemporaryDirectory()
atexit.register(_FOLDER.cleanup)

FILES = {
    "static/a.js": "a",
    "static/sub/b.css": "b",
    "templates/page.html": "{{ text }}|  \n\n {% include 'part.html' %}",
    "templates/part.html": "part of {{ request.path }}",
    "templates/names.html": (
        "{{ handler.name }} {{ request.path }} {{ current_user }} {{ locale.code }} "
        "{{ _('word') }} {{ _('one', 'many', 2) }} {{ pgettext('place', 'word') }} "
        "{{ static_url('a.js') }} {{ reverse_url('named', 'x y') }}"
    ),
    "templates/field.html": "{% raw xsrf_form_html()[:38] %}",
    "templates/method.html": (
        "{{ shout('a', mark='?') }} {{ count() }} {{ handler.ui.count() }}"
    ),
    "templates/error.html": "error {{ status_code }} of {{ request.path }}",
    "other/page.html": "{{ text }} of the other folder",
}


def folder(name: str) -> str:
    return str(Path(_FOLDER.name) / name)


def write_files() -> None:
    pages = {f"{name}/page.html": "{{ text }}|  \n\n x" for name in WITH_SETTINGS}
    for name, text in {**FILES, **pages}.items():
        path = Path(_FOLDER.name) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


TEXT = "<&>\"'é"

#: A kind of mistake, in words.
outcome_of_error = "raised {}".format


class Base(web.RequestHandler):
    name = "base"

    def get_current_user(self) -> Any:
        return "<Ada>"

    def outcomes(self, *calls: Callable[[], Any]) -> None:
        for function in calls:
            try:
                result = function()
            except Exception as error:
                result = outcome_of_error(type(error).__name__)
            self.write(f"{result!r}\n")


class Page(Base):
    def get(self, name: str) -> None:
        self.render(f"{name}.html", text=TEXT)

    def head(self, name: str) -> None:
        self.render(f"{name}.html", text=TEXT)


class String(Base):
    def get(self) -> None:
        self.outcomes(
            lambda: self.render_string("page.html", text=TEXT),
            lambda: self.render_string("page.html", text="é".encode()),
            lambda: self.render_string("page.html", text=None),
            lambda: self.render_string("page.html", text="x", request=self),
            lambda: self.render_string("page.html"),
            lambda: self.render_string("nothing.html"),
            lambda: self.render_string("../other/page.html", text="x"),
            lambda: self.render_string("./page.html", text="x"),
        )


class Twice(Base):
    def get(self, case: str) -> None:
        if case == "render":
            self.render("part.html")
        elif case == "finish":
            self.finish("finished")
        elif case == "write":
            self.write("written ")
        elif case == "flush":
            self.write("flushed ")
            self.flush()
        self.render("part.html")


class Awaited(Base):
    async def get(self) -> None:
        await self.render("page.html", text=TEXT)


class Returned(Base):
    def get(self) -> Any:
        return self.render("page.html", text=TEXT)


class Namespace(Base):
    def get_template_namespace(self) -> dict[str, Any]:
        namespace = super().get_template_namespace()
        namespace["text"] = f"{sorted(set(namespace) - {'_tt_modules', 'translate'})}"
        return namespace

    def get(self, given: str) -> None:
        self.render("page.html", **({"text": "given"} if given else {}))


class BadUser(Base):
    def get_current_user(self) -> Any:
        raise KeyError("no user")

    def get(self) -> None:
        self.render("part.html")


class ErrorPage(Base):
    def get(self, name: str) -> None:
        self.render(f"{name}.html")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.render("error.html", status_code=status_code)


class OtherFolder(Base):
    def get_template_path(self) -> str:
        return folder("other")

    def get(self) -> None:
        self.render("page.html", text=TEXT)


class OtherLoader(Base):
    def get_template_path(self) -> str:
        return folder("nowhere")

    def create_template_loader(self, template_path: str) -> DictLoader:
        return DictLoader({"page.html": f"{Path(template_path).name} {{{{ text }}}}"})

    def get(self) -> None:
        self.render("page.html", text=TEXT)


class StaticURLs(Base):
    def get(self) -> None:
        url = self.static_url
        self.outcomes(
            lambda: url("a.js"),
            lambda: url("sub/b.css"),
            lambda: url("a.js", include_host=True),
            lambda: url("a.js", True),
            lambda: url("a.js", include_version=False),
            lambda: url("a.js", True, include_version=False),
            lambda: url("a.js", unknown=True),
            lambda: url("nothing.js", include_version=False),
        )


class StaticURLsWithHost(StaticURLs):
    include_host = True

    def get(self) -> None:
        super().get()
        self.outcomes(lambda: self.static_url("a.js", include_host=False))


class PrefixedURLs(Base):
    def get(self) -> None:
        self.write(f"{self.static_url('a.js')} {self.static_url('a.js', True)}")


class Linked(Base):
    def get(self) -> None:
        script, style = self.render_linked_js, self.render_linked_css
        self.outcomes(
            lambda: script([]),
            lambda: script(["a.js", "/a.js", "a.js", "http:x", "https://x/", "//x"]),
            lambda: script(["/\"<&'>"]),
            lambda: script([self.static_url("a.js"), "a.js"]),
            lambda: style([]),
            lambda: style(["sub/b.css", "/b.css", "sub/b.css"]),
            lambda: style(["/\"<&'>"]),
            lambda: self.render_embed_js([]),
            lambda: self.render_embed_js([b"a();", b"b();\n"]),
            lambda: self.render_embed_css([]),
            lambda: self.render_embed_css([b"a {}", b"b {}\n"]),
        )


class Settings(Base):
    def get(self) -> None:
        self.outcomes(
            lambda: self.get_template_path() == self.settings.get("template_path"),
            lambda: self.render_string("page.html", text=TEXT),
            lambda: self.render_string("page.html", text="changed"),
        )


def shout(handler: Base, text: str, mark: str = "!") -> str:
    return f"{handler.name}: {text}{mark}"


def count(handler: Base) -> int:
    return len(handler.ui)


class Nested(web.Application):
    """An application with settings of its own, as the target of a rule."""

    def __init__(self, **settings: Any) -> None:
        rules = [(r"/settings/\w+", Settings), (r"/prefixed_urls", PrefixedURLs)]
        super().__init__(rules, **settings)


#: By name; the folder of templates is one for each, as Tornado has one loader for it.
WITH_SETTINGS: dict[str, dict[str, Any]] = {
    "autoescape": {"autoescape": None},
    "autoescape_named": {"autoescape": "url_escape"},
    "autoescape_unknown": {"autoescape": "nothing_like_this"},
    "oneline": {"template_whitespace": "oneline"},
    "all": {"template_whitespace": "all"},
    "no_cache": {"compiled_template_cache": False},
    "loader": {
        "template_loader": DictLoader({"page.html": "{{ text }} of the loader"}),
        "autoescape": None,
    },
}


def make_app() -> web.Application:
    write_files()
    rules: list[Any] = [
        (r"/page/(\w+)", Page),
        (r"/string", String),
        (r"/twice/(\w+)", Twice),
        (r"/awaited", Awaited),
        (r"/returned", Returned),
        (r"/namespace/(\w*)", Namespace),
        (r"/bad_user", BadUser),
        (r"/error/(\w+)", ErrorPage),
        (r"/other_folder", OtherFolder),
        (r"/other_loader", OtherLoader),
        (r"/static_urls", StaticURLs),
        (r"/static_urls_with_host", StaticURLsWithHost),
        (r"/linked", Linked),
        web.url(r"/named/(.*)", Page, name="named"),
    ]
    prefixed = Nested(static_path=folder("static"), static_url_prefix="/files/")
    rules += [
        (r"/prefixed_urls", prefixed),
        *(
            (f"/settings/{name}", Nested(template_path=folder(name), **settings))
            for name, settings in WITH_SETTINGS.items()
        ),
    ]
    return web.Application(
        rules,
        template_path=folder("templates"),
        static_path=folder("static"),
        ui_methods={"shout": shout, "count": count},
    )


REQUESTS = {
    **{f"page_{name}": get(f"/page/{name}") for name in ("page", "names", "method")},
    "page_field": get("/page/field", "Cookie: _xsrf=2|01020304|0d0f|1300000000"),
    "page_unknown": get("/page/unknown"),
    "page_head": head("/page/page"),
    "page_etag": get("/page/part", 'If-None-Match: "x", *'),
    "string": get("/string"),
    **{
        f"twice_{case}": get(f"/twice/{case}")
        for case in ("render", "finish", "write", "flush")
    },
    "awaited": get("/awaited"),
    "returned": get("/returned"),
    "namespace": get("/namespace/"),
    "namespace_given": get("/namespace/given"),
    "bad_user": get("/bad_user"),
    "error_page": get("/error/unknown"),
    "error_none": get("/error/part"),
    "other_folder": get("/other_folder"),
    "other_loader": get("/other_loader"),
    "static_urls": get("/static_urls"),
    "static_urls_with_host": get("/static_urls_with_host"),
    "prefixed_urls": get("/prefixed_urls"),
    "linked": get("/linked"),
    **{f"settings_{name}": get(f"/settings/{name}") for name in WITH_SETTINGS},
}
