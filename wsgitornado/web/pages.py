"""What a handler renders: templates, the UI modules in them, links to static files."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final

from wsgitornado.escape import to_unicode, utf8, xhtml_escape
from wsgitornado.template import BaseLoader, Loader
from wsgitornado.util import ObjectDict, cached_property
from wsgitornado.web.languages import LanguagesChapter
from wsgitornado.web.modules import (
    PageResources,
    UIModule,
    UIModules,
    insert_resources,
)

__all__ = ["PagesChapter"]

#: How the names of the modules of this package begin.
_PACKAGE: Final = f"{__name__.partition('.')[0]}."

#: What begins so is no path of a static file.
_ABSOLUTE: Final = ("/", "http:", "https:")


class PagesChapter(LanguagesChapter):
    """RequestHandler's chapter on pages."""

    #: Whether :meth:`static_url` makes URLs with scheme and host, unless its argument
    #: says otherwise. For a feed, for instance, that is read elsewhere.
    include_host: bool = False

    # With compiled_template_cache=False: whether this request has seen to that.
    _templates_are_fresh = False

    def render(self, template_name: str, **kwargs: Any) -> Awaitable[None]:
        """Render a template as the page, and finish.

        What the UI modules in it want goes to its place: linked style sheets, then
        embedded styles, then ``html_head`` before ``</head>``; linked scripts, then
        embedded ones, then ``html_body`` before ``</body>``. Each file is linked once.

        :param kwargs: names for the template, beside those that
            :meth:`get_template_namespace` gives.
        :raises RuntimeError: after :meth:`finish`.
        :raises ValueError: if the page has no ``</head>`` or ``</body>`` to put before
            what its modules want.
        """
        if self._finished:
            raise RuntimeError("Cannot render() after finish()")
        page = self.render_string(template_name, **kwargs)
        if self._active_modules:
            page = self._with_resources(page, self._active_modules.values())
        # These hold the handler, which holds them: together, with all that the handler
        # has of the request, they would stay until the garbage collector comes.
        self._active_modules = None
        self.__dict__.pop("ui", None)
        return self.finish(page)

    def render_string(self, template_name: str, **kwargs: Any) -> bytes:
        """Render a template, and return the text in UTF-8 instead of sending it.

        What UI modules want is not put into it; a later :meth:`render` has it.
        """
        folder = self.get_template_path() or _folder_of_caller()
        template = self._template_loader(folder).load(template_name)
        namespace = self.get_template_namespace()
        namespace.update(kwargs)
        rendered: bytes = template.generate(**namespace)
        return rendered

    def render_linked_js(self, js_files: Iterable[str]) -> str | bytes:
        """The HTML that links the scripts of the page's modules.

        Override it to join them to one, for instance.

        :param js_files: as the modules have named them, repeated ones too.
        """
        return "".join(
            f'<script src="{xhtml_escape(url)}" type="text/javascript"></script>'
            for url in self._urls(js_files)
        )

    def render_embed_js(self, js_embed: Iterable[bytes]) -> str | bytes:
        """The HTML around the scripts that the page's modules embed."""
        return (
            b'<script type="text/javascript">\n//<![CDATA[\n'
            + b"\n".join(js_embed)
            + b"\n//]]>\n</script>"
        )

    def render_linked_css(self, css_files: Iterable[str]) -> str | bytes:
        """The HTML that links the style sheets of the page's modules.

        :param css_files: as the modules have named them, repeated ones too.
        """
        return "".join(
            f'<link href="{xhtml_escape(url)}" type="text/css" rel="stylesheet"/>'
            for url in self._urls(css_files)
        )

    def render_embed_css(self, css_embed: Iterable[bytes]) -> str | bytes:
        """The HTML around the styles that the page's modules embed."""
        return b'<style type="text/css">\n' + b"\n".join(css_embed) + b"\n</style>"

    def get_template_namespace(self) -> dict[str, Any]:
        """The names that every template knows, in a dictionary of its own.

        ``handler``, ``request``, ``current_user``, ``locale``; the functions ``_``,
        ``translate``, ``pgettext``, ``static_url``, ``xsrf_form_html``,
        ``reverse_url``; the UI methods, and ``modules``. Override it to add to them.
        The arguments of :meth:`render` go before all of these.
        """
        locale = self.locale
        namespace = {
            "handler": self,
            "request": self.request,
            "current_user": self.current_user,
            "locale": locale,
            "_": locale.translate,
            "translate": locale.translate,
            "pgettext": locale.pgettext,
            "static_url": self.static_url,
            "xsrf_form_html": self.xsrf_form_html,
            "reverse_url": self.reverse_url,
        }
        namespace.update(self.ui)
        return namespace

    def create_template_loader(self, template_path: str) -> BaseLoader:
        """A loader for the templates of a folder; override it for another kind.

        Called once in an application for each class that defines it and each folder:
        all threads use the same loader. By default the setting ``template_loader``, or
        else a :class:`wsgitornado.template.Loader` with the settings ``autoescape``
        and ``template_whitespace``.
        """
        settings = self.settings
        loader: BaseLoader | None = settings.get("template_loader")
        if loader is not None:
            return loader
        options: dict[str, Any] = {}
        if "autoescape" in settings:
            # None is a value: no escaping.
            options["autoescape"] = settings["autoescape"]
        if "template_whitespace" in settings:
            options["whitespace"] = settings["template_whitespace"]
        return Loader(template_path, **options)

    def get_template_path(self) -> str | None:
        """The folder of the templates; override it to choose one for each handler.

        By default the setting ``template_path``. None stands for the folder of the
        file whose code renders.
        """
        path: str | None = self.settings.get("template_path")
        return path

    def static_url(
        self, path: str, include_host: bool | None = None, **kwargs: Any
    ) -> str:
        """The URL of a file in the folder ``static_path``, with its version.

        The version makes it another URL when the file changes, so that browsers may
        keep what they have. It begins with the prefix that we are mounted at.

        :param include_host: with scheme and host; by default the attribute
            :attr:`include_host` decides.
        :param kwargs: go to the ``make_static_url`` of the setting
            ``static_handler_class``; ``include_version=False`` leaves the version out.
        :raises RuntimeError: without the setting ``static_path``.
        """
        self.require_setting("static_path", "static_url")
        application = self.application
        make_url = application.static_handler_class.make_static_url
        url: str = make_url(application.settings, path, **kwargs)
        if not url.startswith("/") or url.startswith("//"):
            # Of another host (the setting static_url_prefix), or relative.
            return url
        request = self.request
        url = request.script_path + url
        if include_host is None:
            include_host = self.include_host
        return f"{request.protocol}://{request.host}{url}" if include_host else url

    @cached_property
    def ui(self) -> ObjectDict:
        """The UI methods, bound to this handler, and ``modules``: the UI modules.

        ``handler.ui.modules.Entry(entry)`` does what ``{% module Entry(entry) %}``
        does in a template.
        """
        application = self.application
        ui = ObjectDict()
        for name, method in application.ui_methods.items():
            ui[name] = partial(method, self)
        ui["_tt_modules"] = ui["modules"] = UIModules(self, application.ui_modules)
        return ui

    def _with_resources(self, page: bytes, modules: Iterable[UIModule]) -> bytes:
        """The page with what its modules want, each at its place."""
        wanted = PageResources(modules)
        head = _lines(
            _rendered(self.render_linked_css, wanted.css_files),
            _rendered(self.render_embed_css, wanted.embedded_css),
            b"".join(wanted.html_head),
        )
        scripts = _lines(
            _rendered(self.render_linked_js, wanted.javascript_files),
            _rendered(self.render_embed_js, wanted.embedded_javascript),
        )
        body = _lines(b"".join(wanted.html_body))
        return insert_resources(page, head, scripts, body)

    def _urls(self, files: Iterable[str]) -> Iterable[str]:
        """The URLs of files that modules have named, each once."""
        paths = map(to_unicode, files)
        return dict.fromkeys(
            path if path.startswith(_ABSOLUTE) else self.static_url(path)
            for path in paths
        )

    def _template_loader(self, folder: str) -> BaseLoader:
        """The loader for a folder: one for all requests and threads."""
        application = self.application
        loaders: dict[Any, BaseLoader] = application._template_loaders
        if not (
            self._templates_are_fresh
            or self.settings.get("compiled_template_cache", True)
        ):
            self._templates_are_fresh = True
            for loader in list(loaders.values()):
                loader.reset()
        key = (type(self).create_template_loader, folder)
        found = loaders.get(key)
        if found is None:
            with application._template_loader_lock:
                # Another thread may have been faster.
                found = loaders.get(key) or self.create_template_loader(folder)
                loaders[key] = found
        return found


def _rendered(hook: Callable[[Iterable[Any]], str | bytes], wanted: list[Any]) -> bytes:
    """What a hook of the handler makes of what modules want, if they want anything."""
    return utf8(hook(wanted)) if wanted else b""


def _lines(*parts: bytes) -> bytes:
    return b"".join(part + b"\n" for part in parts if part)


def _folder_of_caller() -> str:
    """The folder of the file whose code renders: of the handler or the UI module."""
    frame = sys._getframe(1)
    while _is_of_rendering(frame.f_globals) and frame.f_back is not None:
        frame = frame.f_back
    return os.path.dirname(os.path.abspath(frame.f_code.co_filename))


def _is_of_rendering(names: dict[str, Any]) -> bool:
    """Whether code with these global names is ours, or that of a template."""
    return str(names.get("__name__")).startswith(_PACKAGE) or "_tt_modules" in names
