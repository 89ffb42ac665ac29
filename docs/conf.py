"""How Sphinx builds this documentation: sphinx-build -n -W docs docs/_build/html."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils.parsers.rst import directives
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent

# Examples are run by the doctest builder.
sys.path.insert(0, str(ROOT))

import wsgitornado  # noqa: E402  # found by the line above

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

project = "wsgitornado"
copyright = "the authors of wsgitornado"
version = release = wsgitornado.version

extensions = ["sphinx.ext.autodoc", "sphinx.ext.coverage", "sphinx.ext.doctest"]
exclude_patterns = ["_build", "changes.d"]
default_role = "code"
rst_prolog = ".. currentmodule:: wsgitornado.web\n"

html_theme = "furo"
html_title = f"wsgitornado {version}"
html_copy_source = False

#: The import names whose folder only re-exports what is in the files behind it.
FACES = ["wsgitornado.web", "wsgitornado.httputil", "wsgitornado.template"]

autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

# Every public member of the modules with a page must be in the reference; the names
# that faces export are looked after by tests/test_docs.py.
coverage_show_missing_items = True
coverage_ignore_pyobjects = [
    # What these take stands in the texts of their classes.
    r"wsgitornado\.web\.(Error|Fallback|Redirect)Handler\.",
    # As those of UIModule.
    r"wsgitornado\.web\.TemplateModule\.(\w+_files|embedded_\w+|html_\w+)",
    # As those of RequestHandler.
    r"wsgitornado\.web\.StaticFileHandler\.(clear|finish|flush|head|initialize)",
    r"wsgitornado\.websocket\.WebSocketHandler\.(finish|flush|redirect|set_\w+|write)",
    # As those of Resolver.
    r"wsgitornado\.netutil\.\w+Resolver\.(close|initialize|resolve)",
    r"wsgitornado\.netutil\.Resolver\.configurable_\w+",
    # A dictionary, besides.
    r"wsgitornado\.httputil\.HTTPFile\.",
    # Called by logging.
    r"wsgitornado\.testing\.ExpectLog\.filter",
    # As those of AsyncHTTPClient, and these as those of Configurable.
    r"wsgitornado\.simple_httpclient\.SimpleAsyncHTTPClient\.",
    r"wsgitornado\.httpclient\.AsyncHTTPClient\.(configurable_\w+|initialize)",
    # Called by what speaks the protocol.
    r"wsgitornado\.websocket\.WebSocketClientConnection\.(ended|failed|received\w*)",
    # For the package's own use.
    r"wsgitornado\.autoreload\.(ask_for_reload|errors_survived|note_server)",
    r"wsgitornado\.autoreload\.(say_if_ignored|show_error|skip_folder|watch_source)",
    r"wsgitornado\.locale\.translations_folder",
    r"wsgitornado\.log\.(access_level|log_json_access)",
    r"wsgitornado\.httpserver\.HTTPServer\.(drain|environ_of|is_stuck|may_park|refuse)",
    r"wsgitornado\.httpserver\.HTTPServer\.(note_\w+|on_lost|run)",
    r"wsgitornado\.util\.cached_property",
    r"wsgitornado\.concurrent\.(cancel_with|current_loop|is_on_loop|set_loop_source)",
    r"wsgitornado\.concurrent\.(tie_futures|DoneFuture\..*)",
    r"wsgitornado\.ioloop\.set_converter",
    r"wsgitornado\.locale\.accepted_languages",
    r"wsgitornado\.httputil\.HTTPHeaders\.(add_trusted|end_to_end|from_trusted)",
    r"wsgitornado\.httputil\.HTTPServerRequest\.(close|has_spool|read_body)",
]

# Docstrings are tested by the test suite, in the modules that they belong to; here
# run the examples of the pages, which say so: testcode, doctest.
doctest_test_doctest_blocks = ""
doctest_global_setup = """
import logging

logging.getLogger("wsgitornado").addHandler(logging.NullHandler())
"""

# Links to other projects would need their inventories from the network: their names
# stand as plain text.
nitpick_ignore_regex = [
    # The standard library, by module.
    (
        r"py:.*",
        r"(argparse|_?asyncio|collections|concurrent|csv|datetime|email|gettext)\..*",
    ),
    (
        r"py:.*",
        r"(contextlib|contextvars|http|io|json|logging|os|subprocess)\..*",
    ),
    (
        r"py:.*",
        r"(re|socket|ssl|sys|threading|time|types|typing|urllib|wsgiref|zlib)\..*",
    ),
    # What "from typing import Any" and its like leave of a name.
    (r"py:.*", r"(Any|AnyStr|Callable|Collection|Iterable|Mapping|Sequence)"),
    (r"py:.*", r"(Awaitable|BinaryIO|Generator|Iterator|NoReturn|Self|SimpleCookie)"),
    # webob, and the variables that stand for a type.
    (r"py:.*", r"webob\..*"),
    (r"py:.*", r"(.*\.)?_[A-Z][A-Za-z]*"),
    # Classes that are reached through a public name only.
    (r"py:class", r"wsgitornado\.(_route_index|httpserver\.development)\..*"),
    # The shapes of wsgitornado._types, which say what PEP 3333 says.
    (r"py:.*", r"(wsgitornado\._types\.)?(Body|HeaderList|Settings|Write)"),
    (r"py:.*", r"(wsgitornado\._types\.)?(StartResponse|WSGI[A-Z][a-z]+)"),
]


class Chapter(SphinxDirective):
    """``.. chapter:: module Class module.Base``: what a base class brings.

    Documented as members of the class, in the order of the base's source: what is
    added there appears by itself.
    """

    required_arguments = 3
    option_spec = {"exclude": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        module, name, chapter_name = self.arguments
        owner = getattr(importlib.import_module(module), name)
        chapter_module, _, chapter_class = chapter_name.rpartition(".")
        chapter = getattr(importlib.import_module(chapter_module), chapter_class)
        excluded = self.options.get("exclude", "").split()
        lines: list[str] = []
        for member in _own_members(chapter):
            if member in excluded or _definer(owner, member) is not chapter:
                continue
            kind = _directive_for(vars(chapter).get(member))
            lines += [f".. {kind}:: {module}.{name}.{member}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


def _own_members(cls: type) -> list[str]:
    names = [*inspect.get_annotations(cls), *vars(cls)]
    return [name for name in dict.fromkeys(names) if not name.startswith("_")]


def _definer(owner: type, member: str) -> type | None:
    """The class in the line of *owner* whose *member* counts."""
    for cls in owner.__mro__:
        if member in vars(cls) or member in inspect.get_annotations(cls):
            return cls
    return None


def _directive_for(value: object) -> str:
    if isinstance(value, property):
        return "autoproperty"
    return "automethod" if callable(value) else "autoattribute"


def _read_behind_faces(app: Sphinx) -> None:
    """Let autodoc find comments, overloads and the order of members.

    Public classes say that they come from the face; their source is elsewhere.
    """
    for name in FACES:
        face = ModuleAnalyzer.for_module(name)
        face.analyze()
        for part in pkgutil.iter_modules(importlib.import_module(name).__path__):
            behind = ModuleAnalyzer.for_module(f"{name}.{part.name}")
            behind.analyze()
            for kept in ("annotations", "attr_docs", "overloads", "tagorder"):
                getattr(face, kept).update(getattr(behind, kept))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("chapter", Chapter)
    app.connect("builder-inited", _read_behind_faces)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
