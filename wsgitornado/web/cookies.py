"""The cookies that a handler reads and sets."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

from wsgitornado.httputil.cookies import (
    check_cookie_name,
    find_cookie,
    format_set_cookie,
)
from wsgitornado.web.input import InputChapter

__all__ = ["CookiesChapter"]


class CookiesChapter(InputChapter):
    """RequestHandler's chapter on cookies."""

    # The Set-Cookie values of this response by the name of the cookie.
    _new_cookies: dict[str, str] | None = None

    @property
    def cookies(self) -> SimpleCookie:
        """The cookies of the request, as morsels by name: ``request.cookies``."""
        return self.request.cookies

    def get_cookie(self, name: str, default: str | None = None) -> str | None:
        """The value of a cookie that came with the request.

        One that this response sets is not seen before the next request.
        """
        header = self.request.environ.get("HTTP_COOKIE")
        if not header:
            return default
        value = find_cookie(header, name)
        return default if value is None else value

    def set_cookie(
        self,
        name: str,
        value: str | bytes,
        domain: str | None = None,
        expires: Any = None,
        path: str | None = "/",
        expires_days: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Set a cookie; a second one of the same name takes its place.

        :param expires: when the browser forgets it: a datetime, a number of seconds
            since the epoch, or a time tuple. Without it (and ``expires_days``) when
            the browser is closed.
        :param expires_days: the same as days from now.
        :param kwargs: ``max_age`` in seconds, ``httponly``, ``secure``, ``samesite``,
            ``partitioned``.
        :raises ValueError: if any part holds what would end it: a control character,
            a space, a semicolon.
        """
        name = check_cookie_name(name)
        text = format_set_cookie(
            name,
            value,
            domain=domain,
            expires=expires,
            path=path,
            expires_days=expires_days,
            **kwargs,
        )
        if self._new_cookies is None:
            self._new_cookies = {}
        # As in Tornado, setting a cookie again moves it to the end.
        self._new_cookies.pop(name, None)
        self._new_cookies[name] = text

    def clear_cookie(
        self,
        name: str,
        path: str | None = "/",
        domain: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Have the browser forget a cookie.

        It does so only if path, domain and the other attributes are those that the
        cookie was set with.
        """
        for key in kwargs:
            if key.lower() in ("expires", "expires_days", "max_age"):
                raise TypeError(f"clear_cookie() sets its own expiry: leave {key} out")
        self.set_cookie(name, "", domain=domain, path=path, expires_days=-365, **kwargs)

    def clear_all_cookies(
        self, path: str | None = "/", domain: str | None = None, **kwargs: Any
    ) -> None:
        """:meth:`clear_cookie` for every cookie that came with the request."""
        for name in self.request.cookies:
            self.clear_cookie(name, path=path, domain=domain, **kwargs)
