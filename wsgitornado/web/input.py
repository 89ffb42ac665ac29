"""What a handler reads: arguments of query and body, and headers."""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar, overload

from wsgitornado.web.base import HandlerBase
from wsgitornado.web.errors import HTTPError, MissingArgumentError
from wsgitornado.web.json_body import check_kind, decode_json, is_json

__all__ = ["InputChapter"]

_Default = TypeVar("_Default")


class _Required:
    """Stands for "no default": None is one."""

    def __repr__(self) -> str:
        return "<required>"


_REQUIRED: Final[Any] = _Required()

#: Stands for JSON that nobody has asked for yet: None is such a value.
_NOT_ASKED: Final[Any] = object()

# Tornado replaces these by a space: the control characters that are no white space.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0e-\x1f]")


class InputChapter(HandlerBase):
    """RequestHandler's chapter on input."""

    # There once somebody has asked: programs look with hasattr() whether it is.
    _current_user: Any
    _json: Any = _NOT_ASKED

    @overload
    def get_argument(self, name: str, *, strip: bool = True) -> str: ...
    @overload
    def get_argument(
        self, name: str, default: _Default, strip: bool = True
    ) -> str | _Default: ...
    def get_argument(
        self, name: str, default: Any = _REQUIRED, strip: bool = True
    ) -> Any:
        """The argument of this name, from the query or the body; the last one given.

        :param default: returned where there is none; without a default its absence
            raises :exc:`MissingArgumentError`, a 400. None is a default.
        :param strip: without white space at both ends.
        """
        values = self.request.arguments.get(name)
        if values:
            return self._argument_text(values[-1], name, strip)
        return _default_of(name, default)

    @overload
    def get_query_argument(self, name: str, *, strip: bool = True) -> str: ...
    @overload
    def get_query_argument(
        self, name: str, default: _Default, strip: bool = True
    ) -> str | _Default: ...
    def get_query_argument(
        self, name: str, default: Any = _REQUIRED, strip: bool = True
    ) -> Any:
        """Like :meth:`get_argument`, from the query string alone."""
        values = self.request.query_arguments.get(name)
        if values:
            return self._argument_text(values[-1], name, strip)
        return _default_of(name, default)

    @overload
    def get_body_argument(self, name: str, *, strip: bool = True) -> str: ...
    @overload
    def get_body_argument(
        self, name: str, default: _Default, strip: bool = True
    ) -> str | _Default: ...
    def get_body_argument(
        self, name: str, default: Any = _REQUIRED, strip: bool = True
    ) -> Any:
        """Like :meth:`get_argument`, from a form in the body alone (never JSON)."""
        values = self.request.body_arguments.get(name)
        if values:
            return self._argument_text(values[-1], name, strip)
        return _default_of(name, default)

    def get_arguments(self, name: str, strip: bool = True) -> list[str]:
        """All arguments of this name, those of the query first; maybe none."""
        return self._get_arguments(name, self.request.arguments, strip)

    def get_query_arguments(self, name: str, strip: bool = True) -> list[str]:
        """Like :meth:`get_arguments`, from the query string alone."""
        return self._get_arguments(name, self.request.query_arguments, strip)

    def get_body_arguments(self, name: str, strip: bool = True) -> list[str]:
        """Like :meth:`get_arguments`, from a form in the body alone."""
        return self._get_arguments(name, self.request.body_arguments, strip)

    @overload
    def get_json(self) -> Any: ...
    @overload
    def get_json(self, kind: type[dict[str, Any]]) -> dict[str, Any]: ...
    @overload
    def get_json(self, kind: type[list[Any]]) -> list[Any]: ...
    def get_json(self, kind: Any = None) -> Any:
        """The value of the JSON body; read once, so that each call gives the same.

        ``self.get_json(dict)["name"]`` is safe from a client that sends a list.

        The body must say that it is JSON: ``application/json``, or a type that ends in
        ``+json``. Browsers send such a type to another site only where that site allows
        it; a form of a foreign page cannot.

        :param kind: ``dict`` or ``list`` refuses any other value.
        :raises HTTPError: 415 for another Content-Type or none, 400 for what is no JSON
            in UTF-8, for ``NaN``, ``Infinity`` and too large numbers, and for more than
            100 levels of nesting. Of members with the same name the last counts.
        """
        if self._json is _NOT_ASKED:
            content_type = self.request.environ.get("CONTENT_TYPE", "")
            if not is_json(content_type):
                raise HTTPError(
                    415, "JSON expected, not Content-Type %r", content_type[:80]
                )
            self._json = decode_json(self.request.body)
        check_kind(self._json, kind)
        return self._json

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """The text of an argument; called for path groups too, without a name.

        Override it to read another encoding than UTF-8.

        :raises HTTPError: 400 if the bytes are not UTF-8.
        """
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise HTTPError(
                400, "Invalid unicode in %s: %r", name or "url", value[:40]
            ) from None

    def get_header(self, name: str, default: str | None = None) -> str | None:
        """A header of the request; a repeated one comes joined by commas."""
        return self.request.headers.get(name, default)

    @property
    def current_user(self) -> Any:
        """The user of this request, as :meth:`get_current_user` says; asked once.

        It may be set instead, for instance in an asynchronous ``prepare``.
        """
        if not hasattr(self, "_current_user"):
            self.current_user = self.get_current_user()
        return self._current_user

    @current_user.setter
    def current_user(self, value: Any) -> None:
        self._current_user = value

    def get_current_user(self) -> Any:
        """Override it to say who the user is, for instance from a signed cookie.

        It may not be a coroutine. By default nobody: None.
        """
        return None

    def get_login_url(self) -> str:
        """Where ``authenticated`` sends those who are nobody: setting ``login_url``.

        A path is taken as one of ours, below the prefix that we are mounted at.

        :raises RuntimeError: without the setting.
        """
        self.require_setting("login_url", "@tornado.web.authenticated")
        url: str = self.application.settings["login_url"]
        is_path = url.startswith("/") and not url.startswith("//")
        return self.request.script_path + url if is_path else url

    def _get_arguments(
        self, name: str, source: dict[str, list[bytes]], strip: bool
    ) -> list[str]:
        # A string here would be a call such as get_arguments("a", "b"): the second
        # name would silently be taken for strip.
        if not isinstance(strip, bool):
            raise TypeError(f"strip is True or False, not {strip!r}")
        return [self._argument_text(v, name, strip) for v in source.get(name, ())]

    def _argument_text(self, value: bytes, name: str, strip: bool) -> str:
        text = self.decode_argument(value, name=name)
        if not text.isprintable():
            text = _CONTROL_CHARACTERS.sub(" ", text)
        return text.strip() if strip else text


def _default_of(name: str, default: Any) -> Any:
    if default is _REQUIRED:
        raise MissingArgumentError(name)
    return default
