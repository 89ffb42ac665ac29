"""Templates, and the loaders that keep them."""

from __future__ import annotations

import builtins
import datetime
import linecache
import os
import posixpath
import threading
from collections.abc import Iterable
from types import FunctionType
from typing import Any

from wsgitornado.escape import (
    json_encode,
    linkify,
    squeeze,
    url_escape,
    utf8,
    xhtml_escape,
)
from wsgitornado.template.compiled import compile_file
from wsgitornado.template.nodes import File
from wsgitornado.template.output import (
    as_bytes,
    as_text,
    checked_result,
    escaper,
    joined,
)
from wsgitornado.template.parser import DEFAULT_AUTOESCAPE, parse_file
from wsgitornado.template.source import Code, Source, check_whitespace_mode

__all__ = ["BaseLoader", "DictLoader", "Loader", "Template"]

#: The names that every template knows.
_NAMESPACE = {
    "escape": xhtml_escape,
    "xhtml_escape": xhtml_escape,
    "url_escape": url_escape,
    "json_encode": json_encode,
    "squeeze": squeeze,
    "linkify": linkify,
    "datetime": datetime,
    "_tt_utf8": utf8,
    "_tt_string_types": (str, bytes),
}


class _Unset:
    """The default of arguments for which None means something."""

    def __repr__(self) -> str:
        return "<unset>"


_UNSET = _Unset()


class _Sources:
    """The ``__loader__`` of the code of a template (PEP 302), to show its lines."""

    def __init__(self, files: Iterable[File]) -> None:
        self._texts = {file.filename: file.source.text for file in files}

    def get_source(self, name: str) -> str | None:
        """Return the text of the template whose frames have this file name.

        With a name that is none of them, as :mod:`linecache` asks, the text of the
        template itself, unless it has code of others: which is meant is not said.
        """
        if name not in self._texts and len(self._texts) == 1:
            (text,) = self._texts.values()
            return text
        return self._texts.get(name)


class Template:
    """A compiled template.

    :param template_string: the text; bytes are UTF-8.
    :param name: what errors call it, and what relative names start from. Names that
        end in ``.html`` or ``.js`` have whitespace mode ``"single"`` by default, others
        ``"all"``.
    :param loader: finds what the template extends and includes. Its ``autoescape``,
        ``namespace`` and ``whitespace`` are the defaults for this template.
    :param compress_whitespace: the old way to say ``whitespace``: True for
        ``"single"``, False for ``"all"``.
    :param autoescape: the name of the function that escapes, or None for no escaping;
        ``"xhtml_escape"`` by default.
    :param whitespace: a mode of :func:`filter_whitespace`.
    :param filename: the file that holds the text. Tracebacks name it, and show its
        lines; without it they name and show the template all the same.

    Raises :exc:`ParseError` for every mistake that can be found before the template
    runs, and ValueError for a wrong argument. A template may be used by any number of
    threads at once.
    """

    __module__ = "wsgitornado.template"

    def __init__(
        self,
        template_string: str | bytes,
        name: str = "<string>",
        loader: BaseLoader | None = None,
        compress_whitespace: bool | _Unset = _UNSET,
        autoescape: str | _Unset | None = _UNSET,
        whitespace: str | None = None,
        *,
        filename: str | None = None,
    ) -> None:
        if not isinstance(compress_whitespace, _Unset):
            if whitespace is not None:
                raise ValueError("cannot set both whitespace and compress_whitespace")
            whitespace = "single" if compress_whitespace else "all"
        if whitespace is None:
            whitespace = _default_whitespace(name, loader)
        check_whitespace_mode(whitespace)
        if isinstance(autoescape, _Unset):
            autoescape = DEFAULT_AUTOESCAPE if loader is None else loader.autoescape
        self.name = name
        self.loader = loader
        self.namespace: dict[str, Any] = {} if loader is None else loader.namespace
        source = Source(template_string, name)
        #: The parsed text, for templates that extend or include this one.
        self._file = File(source, filename or name, autoescape, filename is not None)
        parse_file(self._file, whitespace)
        self.autoescape = self._file.autoescape
        self._code, self._files = compile_file(self._file, self._find)
        self._defaults = _NAMESPACE | {
            # A name without dots, as of a module that is in no package.
            "__name__": name.replace(".", "_"),
            "__loader__": _Sources(self._files),
            # C code such as that of strftime() looks for __import__ there.
            "__builtins__": builtins,
        }

    def _find(self, name: str, file: File, place: Code) -> File:
        """Return the file that another one names in that place."""
        line = place.line
        if self.loader is None:
            raise file.source.error(f"a loader is needed to load {name!r}", line)
        try:
            return self.loader.load(name, file.source.name)._file
        except _EndlessError as e:
            raise file.source.error(str(e), line) from None
        except (LookupError, OSError) as e:
            raise file.source.error(f"cannot load {name!r}: {e}", line) from e

    def generate(self, /, **kwargs: Any) -> bytes:
        """Return the output, with these names known to the template.

        They win over the names of the loader's ``namespace``, which win over those that
        every template knows. What the code of the template raises comes out.
        """
        namespace = {**self._defaults, **self.namespace, **kwargs}
        execute = FunctionType(self._code, namespace)
        pieces: list[str | bytes] = []
        try:
            execute(
                pieces.append,
                escaper(namespace["xhtml_escape"]),
                as_text,
                as_bytes,
                checked_result,
                joined,
            )
        except Exception:
            self._show_lines()
            raise
        try:
            return joined(pieces)
        except UnicodeEncodeError as e:
            e.add_note(f"in the output of template {self.name!r}")
            raise

    def _show_lines(self) -> None:
        """Let tracebacks show the lines of templates that are no files."""
        for file in self._files:
            if not file.is_on_disk:
                text = file.source.text
                lines = [f"{line}\n" for line in text.split("\n")]
                entry = (len(text), None, lines, file.filename)
                linecache.cache[file.filename] = entry


def _default_whitespace(name: str, loader: BaseLoader | None) -> str:
    if loader is not None and loader.whitespace:
        return loader.whitespace
    return "single" if name.endswith((".html", ".js")) else "all"


class _EndlessError(Exception):
    """A template is needed to load itself."""


class BaseLoader:
    """Loads templates and keeps them; the base of loaders of any kind.

    A subclass defines :meth:`resolve_path` and ``_create_template(name)``, which
    returns a :class:`Template` made with ``loader=self``. Any thread may use a loader.

    :param autoescape: the name of the function that escapes, or None for no escaping.
        A template may say something else for itself with ``{% autoescape %}``.
    :param namespace: names that all templates know.
    :param whitespace: a mode of :func:`filter_whitespace`; by default it depends on the
        name of each template.
    """

    __module__ = "wsgitornado.template"

    def __init__(
        self,
        autoescape: str | None = DEFAULT_AUTOESCAPE,
        namespace: dict[str, Any] | None = None,
        whitespace: str | None = None,
    ) -> None:
        self.autoescape = autoescape
        self.namespace = {} if namespace is None else namespace
        self.whitespace = whitespace
        self.templates: dict[str, Template] = {}
        # Reentrant: to load a template is to load what it names.
        self.lock = threading.RLock()
        self._being_loaded: list[str] = []

    def reset(self) -> None:
        """Forget all templates, so that they are loaded anew."""
        with self.lock:
            self.templates = {}

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        """Return the name by which the loader knows a template: to be overridden.

        :param name: as it stands in the template that names it.
        :param parent_path: the name of that template, from which ``name`` may start.
        """
        raise NotImplementedError(
            f"{type(self).__qualname__} must define resolve_path()"
        )

    def load(self, name: str, parent_path: str | None = None) -> Template:
        """Return the template, compiled once, also when several threads ask for it.

        The arguments are those of :meth:`resolve_path`. Raises what
        ``_create_template`` raises if there is no such template, and
        :exc:`ParseError` for a mistake in it.
        """
        name = self.resolve_path(name, parent_path=parent_path)
        template = self.templates.get(name)
        if template is None:
            with self.lock:
                template = self.templates.get(name)
                if template is None:
                    template = self._load(name)
                    self.templates[name] = template
        return template

    def _load(self, name: str) -> Template:
        chain = self._being_loaded
        if name in chain:
            steps = " -> ".join([*chain[chain.index(name) :], name])
            raise _EndlessError(f"a template cannot contain itself: {steps}")
        chain.append(name)
        try:
            return self._create_template(name)
        finally:
            chain.pop()

    def _create_template(self, name: str) -> Template:
        raise NotImplementedError(
            f"{type(self).__qualname__} must define _create_template()"
        )


class Loader(BaseLoader):
    """Loads templates from the files below a folder.

    :param root_directory: the folder; names start from it. Its files are UTF-8; a byte
        order mark would be text.
    :param kwargs: those of :class:`BaseLoader`.

    A template names others as seen from its own folder. The loader raises
    FileNotFoundError, or another OSError, for what it cannot read.

    Names are part of the program, not input: as in Tornado, one that leads out of the
    folder, by ``..`` or from the root of the file system, is read.
    """

    __module__ = "wsgitornado.template"

    def __init__(self, root_directory: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.root = os.path.abspath(root_directory)

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        if _is_relative(name, parent_path):
            assert parent_path is not None
            folder = os.path.dirname(os.path.join(self.root, parent_path))
            path = os.path.abspath(os.path.join(folder, name))
            inside = os.path.join(self.root, "")
            if path.startswith(inside):
                return path[len(inside) :]
        return name

    def _create_template(self, name: str) -> Template:
        path = os.path.join(self.root, name)
        with open(path, "rb") as file:
            text = file.read()
        return Template(text, name=name, loader=self, filename=path)


class DictLoader(BaseLoader):
    """Loads templates from a dict of their texts, by name.

    :param kwargs: those of :class:`BaseLoader`.

    Names are taken as in a tree of folders, with ``/`` between them. The loader raises
    KeyError for a name that the dict does not have.
    """

    __module__ = "wsgitornado.template"

    def __init__(self, dict: dict[str, str], **kwargs: Any) -> None:  # noqa: A002  # Tornado's name
        super().__init__(**kwargs)
        self.dict = dict

    def resolve_path(self, name: str, parent_path: str | None = None) -> str:
        if _is_relative(name, parent_path):
            assert parent_path is not None
            folder = posixpath.dirname(parent_path)
            return posixpath.normpath(posixpath.join(folder, name))
        return name

    def _create_template(self, name: str) -> Template:
        return Template(self.dict[name], name=name, loader=self)


def _is_relative(name: str, parent_path: str | None) -> bool:
    """Whether a name starts from the folder of the template that names it."""
    # "<string>" is in no folder.
    return bool(
        parent_path
        and not parent_path.startswith(("<", "/"))
        and not name.startswith("/")
    )
