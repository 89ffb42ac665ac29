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
from wsgitornado.web.signing import (
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)

__all__ = ["CookiesChapter"]

_EXPIRY = frozenset({"expires", "expires_days", "max_age"})


class CookiesChapter(InputChapter):
    """RequestHandler's chapter on cookies."""

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
            if key.lower().replace("-", "_") in _EXPIRY:
                raise TypeError(f"clear_cookie() sets its own expiry: leave {key} out")
        self.set_cookie(name, "", domain=domain, path=path, expires_days=-365, **kwargs)

    def clear_all_cookies(
        self, path: str | None = "/", domain: str | None = None, **kwargs: Any
    ) -> None:
        """:meth:`clear_cookie` for every cookie that came with the request."""
        for name in self.request.cookies:
            self.clear_cookie(name, path=path, domain=domain, **kwargs)

    def set_signed_cookie(
        self,
        name: str,
        value: str | bytes,
        expires_days: float | None = 30,
        version: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Set a cookie that nobody can make or change who does not know our secret.

        Signed, not encrypted: its owner can read it. Needs the setting
        ``cookie_secret``. The value may be any bytes.

        :param expires_days: how long the browser keeps it; ``max_age_days`` of
            :meth:`get_signed_cookie` says how long we take it.
        :param kwargs: as for :meth:`set_cookie`.
        """
        signed = self.create_signed_value(name, value, version=version)
        self.set_cookie(name, signed, expires_days=expires_days, **kwargs)

    def create_signed_value(
        self, name: str, value: str | bytes, version: int | None = None
    ) -> bytes:
        """A signed text with the time, for a cookie of this name or another use.

        Read it with :meth:`get_signed_cookie`, given as ``value``.

        :raises RuntimeError: without ``cookie_secret``, or if that holds several keys
            and the setting ``key_version`` chooses none.
        """
        self.require_setting("cookie_secret", "secure cookies")
        settings = self.settings
        secret = settings["cookie_secret"]
        key_version = None
        if isinstance(secret, dict):
            key_version = settings.get("key_version")
            if key_version is None:
                raise RuntimeError(
                    "key_version setting must be used for secret_key dicts"
                )
        return create_signed_value(
            secret, name, value, version=version, key_version=key_version
        )

    def get_signed_cookie(
        self,
        name: str,
        value: str | bytes | None = None,
        max_age_days: float = 31,
        min_version: int | None = None,
    ) -> bytes | None:
        """The bytes of a signed cookie, or None if it is missing, changed or too old.

        :param value: a signed text from elsewhere, in place of the cookie.
        :param min_version: 2 refuses the older format.
        """
        self.require_setting("cookie_secret", "secure cookies")
        if value is None:
            value = self.get_cookie(name)
        return decode_signed_value(
            self.settings["cookie_secret"],
            name,
            value,
            max_age_days=max_age_days,
            min_version=min_version,
        )

    def get_signed_cookie_key_version(
        self, name: str, value: str | bytes | None = None
    ) -> int | None:
        """Which key has signed a cookie; None where that cannot be told."""
        self.require_setting("cookie_secret", "secure cookies")
        if value is None:
            value = self.get_cookie(name)
        return get_signature_key_version(value)

    # The names before Tornado 6.3.
    set_secure_cookie = set_signed_cookie
    get_secure_cookie = get_signed_cookie
    get_secure_cookie_key_version = get_signed_cookie_key_version
