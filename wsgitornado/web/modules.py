"""UI modules: parts of pages with their own styles and scripts, and where these go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import ModuleType
from typing import Any, Final

from wsgitornado.escape import linkify, to_unicode, utf8

__all__ = [
    "BUILT_IN_MODULES",
    "PageResources",
    "TemplateModule",
    "UIModule",
    "UIModules",
    "insert_resources",
    "load_ui_methods",
    "load_ui_modules",
]


class UIModule:
    """A part of pages that brings its own styles and scripts; subclass it.

    A template places it with ``{% module Name(...) %}``, once the setting
    ``ui_modules`` of the application knows it. The arguments go to :meth:`render`. One
    instance is made for each name and request, however often the page places it; what
    the other methods return is put into the page once.

    :ivar handler: the handler that renders the page.
    :ivar request: its request.
    :ivar ui: its UI methods by name, as attributes, and its ``modules``.
    :ivar locale: the language of the page.
    """

    __module__ = "wsgitornado.web"

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        self.request = handler.request
        self.ui = handler.ui
        self.locale = handler.locale

    @property
    def current_user(self) -> Any:
        """The user of the request."""
        return self.handler.current_user

    def render(self, *args: Any, **kwargs: Any) -> str | bytes:
        """The HTML in place of the module; override it.

        It goes into the page as it is: escape what comes from elsewhere, or let
        :meth:`render_string` do it.

        :raises NotImplementedError: unless it is overridden.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define render()")

    def embedded_javascript(self) -> str | bytes | None:
        """A script to be written into the page, at the end of its body; or None."""
        return None

    def javascript_files(self) -> str | Iterable[str] | None:
        """One or several scripts to be linked at the end of the page's body; or None.

        A path that begins with neither ``/`` nor ``http:`` nor ``https:`` is one of a
        static file: :meth:`RequestHandler.static_url`.
        """
        return None

    def embedded_css(self) -> str | bytes | None:
        """Styles to be written into the page, at the end of its head; or None."""
        return None

    def css_files(self) -> str | Iterable[str] | None:
        """One or several style sheets to be linked in the page's head; or None.

        Paths are read as those of :meth:`javascript_files`.
        """
        return None

    def html_head(self) -> str | bytes | None:
        """HTML for the end of the page's head; or None."""
        return None

    def html_body(self) -> str | bytes | None:
        """HTML for the end of the page's body; or None."""
        return None

    def render_string(self, path: str, **kwargs: Any) -> bytes:
        """Render a template, for :meth:`render` to return.

        The template knows the names that every template knows, and the arguments.
        """
        rendered: bytes = self.handler.render_string(path, **kwargs)
        return rendered


class TemplateModule(UIModule):
    """``{% module Template("entry.html", entry=entry) %}``: a template as a module.

    Unlike what is included, the template sees only the arguments, beside the names
    that every template knows. It says itself which styles and scripts it needs, by
    the names of the methods of :class:`UIModule`:
    ``{{ set_resources(css_files="entry.css", embedded_javascript="...") }}``.
    """

    __module__ = "wsgitornado.web"

    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        # What each template has asked for, in the order of their first rendering.
        self._resources: dict[str, dict[str, Any]] = {}

    def render(self, path: str, **kwargs: Any) -> bytes:
        """Render the template; it may call ``set_resources``.

        :raises ValueError: if the template asks for other resources than before, for
            instance because they depend on an argument: a page has one set of them
            for each template.
        """
        set_resources = partial(self._set_resources, path)
        return self.render_string(path, set_resources=set_resources, **kwargs)

    def _set_resources(self, path: str, /, **resources: Any) -> str:
        if self._resources.setdefault(path, resources) != resources:
            raise ValueError(
                "set_resources called with different resources for the same template: "
                f"{path!r} asked for {self._resources[path]!r} before, "
                f"and for {resources!r} now"
            )
        return ""

    def _each(self, name: str) -> Iterator[Any]:
        for resources in self._resources.values():
            if resources.get(name):
                yield resources[name]

    def _each_text(self, name: str) -> Iterator[str]:
        return map(to_unicode, self._each(name))

    def _each_file(self, name: str) -> list[str]:
        return [file for files in self._each(name) for file in _listed(files)]

    def embedded_javascript(self) -> str:
        return "\n".join(self._each_text("embedded_javascript"))

    def javascript_files(self) -> list[str]:
        return self._each_file("javascript_files")

    def embedded_css(self) -> str:
        return "\n".join(self._each_text("embedded_css"))

    def css_files(self) -> list[str]:
        return self._each_file("css_files")

    def html_head(self) -> str:
        return "".join(self._each_text("html_head"))

    def html_body(self) -> str:
        return "".join(self._each_text("html_body"))


class _LinkifyModule(UIModule):
    """``{% module linkify(text) %}``: a text with its addresses as links."""

    def render(self, text: str, **kwargs: Any) -> str:
        return linkify(text, **kwargs)


class _XSRFFormModule(UIModule):
    """``{% module xsrf_form_html() %}``: the hidden field of a form."""

    def render(self) -> str:
        field: str = self.handler.xsrf_form_html()
        return field


#: What every application has, unless its own modules take these names.
BUILT_IN_MODULES: Final[Mapping[str, type[UIModule]]] = {
    "linkify": _LinkifyModule,
    "xsrf_form_html": _XSRFFormModule,
    "Template": TemplateModule,
}


class UIModules:
    """The modules of a handler by name, as attributes or items, to be called.

    ``modules.Entry(entry)`` is what ``{% module Entry(entry) %}`` does.
    """

    __slots__ = ("_classes", "_handler")

    def __init__(self, handler: Any, classes: Mapping[str, type[UIModule]]) -> None:
        self._handler = handler
        self._classes = classes

    def __getitem__(self, name: str) -> Callable[..., str | bytes]:
        return partial(self._render, name, self._classes[name])

    def __getattr__(self, name: str) -> Callable[..., str | bytes]:
        if name not in self._classes:
            # With name and obj Python itself adds "Did you mean", out of __dir__.
            raise AttributeError(
                f"no UI module is called {name!r}: the setting ui_modules names them",
                name=name,
                obj=self,
            )
        return self[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *map(str, self._classes)]

    def _render(
        self, name: str, module_class: type[UIModule], /, *args: Any, **kwargs: Any
    ) -> str | bytes:
        handler = self._handler
        if handler._active_modules is None:
            handler._active_modules = {}
        active: dict[str, UIModule] = handler._active_modules
        module = active.get(name)
        if module is None:
            module = active[name] = module_class(handler)
        return module.render(*args, **kwargs)


class PageResources:
    """What the modules of a page want to have in it, each list in their order."""

    def __init__(self, modules: Iterable[UIModule]) -> None:
        self.javascript_files: list[str] = []
        self.embedded_javascript: list[bytes] = []
        self.css_files: list[str] = []
        self.embedded_css: list[bytes] = []
        self.html_head: list[bytes] = []
        self.html_body: list[bytes] = []
        for module in modules:
            _add_text(self.embedded_javascript, module.embedded_javascript())
            _add_files(self.javascript_files, module.javascript_files())
            _add_text(self.embedded_css, module.embedded_css())
            _add_files(self.css_files, module.css_files())
            _add_text(self.html_head, module.html_head())
            _add_text(self.html_body, module.html_body())


def _add_text(texts: list[bytes], text: str | bytes | None) -> None:
    if text:
        texts.append(utf8(text))


def _add_files(paths: list[str], files: str | Iterable[str] | None) -> None:
    if files:
        paths.extend(_listed(files))


def _listed(files: str | Iterable[str]) -> Iterable[str]:
    return [files] if isinstance(files, str) else files


def insert_resources(page: bytes, head: bytes, scripts: bytes, body: bytes) -> bytes:
    """Put what modules want into a page: each at its place, where it is not empty.

    :param head: goes before the first ``</head>``.
    :param scripts: go before the last ``</body>``.
    :param body: goes before the first ``</body>``; behind the scripts where that is
        the last one, too.
    :raises ValueError: if the page has no such place.

    >>> insert_resources(b"<head></head><body></body>", b"<title>", b"", b"<p>")
    b'<head><title></head><body><p></body>'
    """
    # All places are those of the page itself: what is inserted may look like one.
    insertions = []
    if head:
        insertions.append((_place(page, b"</head>", page.find), head))
    if scripts:
        insertions.append((_place(page, b"</body>", page.rfind), scripts))
    if body:
        insertions.append((_place(page, b"</body>", page.find), body))
    insertions.sort(key=lambda insertion: insertion[0])
    parts = []
    end = 0
    for place, inserted in insertions:
        parts += [page[end:place], inserted]
        end = place
    return b"".join([*parts, page[end:]])


def _place(page: bytes, tag: bytes, find: Callable[[bytes], int]) -> int:
    place = find(tag)
    if place < 0:
        raise ValueError(
            f"the page has UI modules with styles or scripts, but no {tag.decode()} "
            "to put these before"
        )
    return place


def load_ui_modules(source: Any) -> dict[str, type[UIModule]]:
    """The modules that the setting ``ui_modules`` names, and the built-in ones.

    :param source: a Python module, a mapping, or a list of such. Only subclasses of
        :class:`UIModule` count, so that it may be a module with more in it.
    :raises TypeError: for anything else.
    """
    modules = dict(BUILT_IN_MODULES)
    for name, value in _named_objects(source, "ui_modules"):
        if isinstance(value, type) and issubclass(value, UIModule):
            modules[name] = value
    return modules


def load_ui_methods(source: Any) -> dict[str, Callable[..., Any]]:
    """The functions that the setting ``ui_methods`` names.

    :param source: as above. Only what can be called counts, under a name that begins
        neither with an underscore nor with a capital letter.
    :raises TypeError: for anything else.
    """
    return {
        name: value
        for name, value in _named_objects(source, "ui_methods")
        if callable(value) and not (name.startswith("_") or name[:1].isupper())
    }


def _named_objects(source: Any, setting: str) -> Iterator[tuple[str, Any]]:
    if isinstance(source, ModuleType):
        yield from vars(source).items()
    elif isinstance(source, Mapping):
        for name, value in source.items():
            if not isinstance(name, str):
                raise TypeError(f"{setting}: names are texts, not {name!r}")
            yield name, value
    elif isinstance(source, list | tuple):
        for part in source:
            yield from _named_objects(part, setting)
    else:
        raise TypeError(
            f"{setting} is a Python module, a dictionary, or a list of these: "
            f"not {source!r}"
        )
