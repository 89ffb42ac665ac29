"""Sessions: what a program remembers about a browser, in a signed cookie."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Iterator, MutableMapping
from typing import Any, Final

from wsgitornado.httputil.response import Response
from wsgitornado.httputil.streams import StreamedBody
from wsgitornado.log import app_log
from wsgitornado.web.errors import HTTPError
from wsgitornado.web.handler import RequestHandler
from wsgitornado.web.json_body import check_kind, decode_json
from wsgitornado.web.vary import vary_by

__all__ = ["Session", "SessionMixin"]

#: Browsers drop a longer cookie without a word: 4096 bytes for name, value and
#: attributes (RFC 6265 section 6.1), of which some keep three.
_MOST_BYTES: Final = 4093

_DAY: Final = 24 * 60 * 60

_EMPTY: Final = "{}"


class Session(MutableMapping[str, Any]):
    """What is remembered: a mapping of names to whatever JSON can say.

    Lists and dictionaries in it may be changed in place; tuples come back as lists.
    """

    __module__ = "wsgitornado.web"

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._is_sent = False

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        """Remember a value.

        :raises TypeError: if the name is no str: JSON would make it one.
        :raises RuntimeError: when the headers of the answer are sent.
        """
        self._check_not_sent()
        if not isinstance(name, str):
            raise TypeError(f"the names in a session are str, not {name!r}")
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        self._check_not_sent()
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._values!r})"

    def _check_not_sent(self) -> None:
        if self._is_sent:
            raise RuntimeError(
                "Cannot change the session after the headers have been sent: its "
                "cookie is one of them. Change it before flush() and finish()"
            )

    def _as_json(self) -> str:
        try:
            return json.dumps(self._values, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise type(error)(f"the session holds what JSON cannot: {error}") from None


class SessionMixin(RequestHandler):
    """Gives a handler a ``session`` that is kept in a signed cookie::

        class CountHandler(SessionMixin, RequestHandler):
            def get(self):
                self.session["visits"] = self.session.get("visits", 0) + 1
                self.write(f"visit {self.session['visits']}")

    Needs the setting ``cookie_secret``. The cookie is signed, not encrypted: its owner
    can read it, and can bring back an older one until that expires. It is read when the
    session is first asked for, and written, with the headers, only if something has
    changed. One that was tampered with or has expired is an empty session, and the
    browser is told to forget it.

    The settings ``session_cookie_name``, ``session_days`` and ``session_cookie_kwargs``
    say the rest.
    """

    __module__ = "wsgitornado.web"

    _session: Session | None = None
    # The session as the browser has it, or will have it.
    _stored_session = _EMPTY

    @property
    def session(self) -> Session:
        """What is remembered about this browser; empty at first.

        Whoever asks has the answer vary by the Cookie header.
        """
        if self._session is None:
            session = self._session = Session(self._read_session())
            self._stored_session = session._as_json()
            # Asked for too late, it can only be read.
            session._is_sent = self._headers_written or self._finished
        return self._session

    def _read_session(self) -> dict[str, Any]:
        settings = self.settings
        signed = self.get_signed_cookie(
            self._session_cookie_name(), max_age_days=settings.get("session_days", 31)
        )
        if signed is None:
            return {}
        try:
            values: dict[str, Any] = decode_json(signed)
            check_kind(values, dict)
        except HTTPError:
            # Signed by us, but as something else.
            return {}
        return values

    def _session_cookie_name(self) -> str:
        name: str = self.settings.get("session_cookie_name", "session")
        return name

    def _save_session(self) -> None:
        """Put the session into the headers, as late as can be.

        What cannot be saved raises once: the error page is sent without it.
        """
        session = self._session
        if session is None:
            return
        vary_by(self._headers, "Cookie")
        if not session._is_sent:
            session._is_sent = True
            self._store_session(session._as_json())
        if self._session_cookie_name() in (self._new_cookies or ()):
            # A shared cache would give the cookie to the next one who has none.
            self._fields.setdefault("Cache-Control", "private")

    def _store_session(self, text: str) -> None:
        if text == _EMPTY:
            # It may be one that is no session, too.
            if self.get_cookie(self._session_cookie_name()) is not None:
                self._forget_session()
        elif text != self._stored_session:
            self._set_session_cookie(text)
        self._stored_session = text

    def _set_session_cookie(self, text: str) -> None:
        name = self._session_cookie_name()
        days = self.settings.get("session_days", 31)
        options = {"max_age": int(days * _DAY), **self._session_cookie_options()}
        self.set_signed_cookie(name, text, expires_days=None, **options)
        assert self._new_cookies is not None
        size = len(self._new_cookies[name])
        if size > _MOST_BYTES:
            del self._new_cookies[name]
            raise ValueError(
                f"the session makes a cookie of {size} bytes, and browsers keep "
                f"{_MOST_BYTES}: store the data elsewhere, and its key in the session"
            )

    def _forget_session(self) -> None:
        options = self._session_cookie_options()
        for expiry in "expires", "expires_days", "max_age":
            options.pop(expiry, None)
        self.clear_cookie(self._session_cookie_name(), **options)

    def _session_cookie_options(self) -> dict[str, Any]:
        return {
            "httponly": True,
            "samesite": "Lax",
            "secure": self.request.protocol == "https",
            **self.settings.get("session_cookie_kwargs", {}),
        }

    # The three ways in which headers leave.

    def _complete_response(self) -> Response:
        self._save_session()
        return super()._complete_response()

    def _finish_with(self, body: bytes | StreamedBody) -> None:
        self._save_session()
        super()._finish_with(body)

    def _start_stream(self, chunk: bytes) -> Awaitable[None]:
        self._save_session()
        return super()._start_stream(chunk)

    def _finish_stream(self) -> Awaitable[None]:
        if self._has_changed_late():
            app_log.error(
                "%s: the session was changed in place after the headers had been "
                "sent; the change is lost",
                self._request_summary(),
            )
        return super()._finish_stream()

    def _has_changed_late(self) -> bool:
        if self._session is None:
            return False
        try:
            return self._session._as_json() != self._stored_session
        except (TypeError, ValueError):
            return True
