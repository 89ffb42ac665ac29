"""Jinja2Loader: templates of Jinja2, rendered by handlers like our own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import jinja2
from markupsafe import Markup

from wsgitornado.escape import to_unicode
from wsgitornado.template.loaders import BaseLoader

__all__ = ["Jinja2Loader"]


class Jinja2Loader(BaseLoader):
    """Loads templates of Jinja2, for the setting ``template_loader``.

    ``Application(rules, template_loader=Jinja2Loader("templates"))``: then ``render``
    and ``render_string`` of handlers and UI modules render Jinja2's language. The
    templates know the names of
    :meth:`~wsgitornado.web.RequestHandler.get_template_namespace`.
    ``{{ modules.Entry(entry) }}`` places a UI module, and its HTML, like that of
    ``{{ xsrf_form_html() }}``, is not escaped.

    It needs the extra ``jinja2``: ``pip install wsgitornado[jinja2]``.

    :param source: the folder of the templates, or an environment of your own.
    :param autoescape: as an environment takes it: True, False, or a function of the
        name. By default True for a folder, and for an environment what it has.
    :param options: further arguments of the environment, for a folder. ``auto_reload``
        is off unless they say otherwise: see ``compiled_template_cache``.
    :raises ValueError: for an environment that does not escape, which is Jinja2's own
        default, unless ``autoescape`` is given; and for one with ``enable_async``,
        which cannot render while a loop is running.
    """

    __module__ = "wsgitornado.template"

    def __init__(
        self,
        source: jinja2.Environment | str | os.PathLike[str],
        autoescape: bool | Callable[[str | None], bool] | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if not isinstance(source, jinja2.Environment):
            self.environment = _environment(source, autoescape, options)
        elif options:
            raise TypeError(
                f"an environment has its options already: {', '.join(options)}"
            )
        else:
            self.environment = _escaping(source, autoescape)
        if self.environment.is_async:
            raise ValueError(
                "an environment with enable_async=True starts a loop of its own to "
                "render, which is impossible in an asynchronous handler: make one "
                "without it"
            )

    def load(self, name: str, parent_path: str | None = None) -> Any:
        """The template of this name, from the cache of the environment.

        :param parent_path: without meaning: Jinja2's own tags load what they name.
        :raises jinja2.TemplateNotFound: if there is none.
        :raises jinja2.TemplateSyntaxError: if it is wrong.
        """
        return _Jinja2Template(self.environment.get_template(name))

    def reset(self) -> None:
        """Forget all templates, so that changed ones are read again."""
        if self.environment.cache is not None:
            self.environment.cache.clear()


def _environment(
    folder: str | os.PathLike[str],
    autoescape: bool | Callable[[str | None], bool] | None,
    options: dict[str, Any],
) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True if autoescape is None else autoescape,  # noqa: S701  # on by default
        **{"auto_reload": False, **options},
    )


def _escaping(
    environment: jinja2.Environment,
    autoescape: bool | Callable[[str | None], bool] | None,
) -> jinja2.Environment:
    if autoescape is not None:
        return environment.overlay(autoescape=autoescape)
    if not environment.autoescape:
        raise ValueError(
            "the environment does not escape: give it autoescape=True, or give "
            "autoescape=False here if its templates do so themselves"
        )
    return environment


class _Jinja2Template:
    """What handlers know of a template: :meth:`generate`."""

    __slots__ = ("_template",)

    def __init__(self, template: jinja2.Template) -> None:
        self._template = template

    def generate(self, **kwargs: Any) -> bytes:
        """Render it with these names; the text in UTF-8."""
        if "modules" in kwargs:
            kwargs["modules"] = _MarkupModules(kwargs["modules"])
        if "xsrf_form_html" in kwargs:
            kwargs["xsrf_form_html"] = _giving_markup(kwargs["xsrf_form_html"])
        return self._template.render(kwargs).encode("utf-8")


class _MarkupModules:
    """The UI modules of a handler, whose HTML Jinja2 does not escape."""

    __slots__ = ("_modules",)

    def __init__(self, modules: Any) -> None:
        self._modules = modules

    def __getattr__(self, name: str) -> Callable[..., Markup]:
        return _giving_markup(getattr(self._modules, name))

    def __getitem__(self, name: str) -> Callable[..., Markup]:
        return _giving_markup(self._modules[name])


def _giving_markup(function: Callable[..., str | bytes]) -> Callable[..., Markup]:
    def call(*args: Any, **kwargs: Any) -> Markup:
        return Markup(to_unicode(function(*args, **kwargs)))  # noqa: S704 - HTML of the program

    return call
