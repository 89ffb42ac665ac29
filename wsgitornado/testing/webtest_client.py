"""A webtest client that knows XSRF tokens and signed cookies."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import webtest  # type: ignore[import-untyped]  # it has no annotations

from wsgitornado._types import Settings, WSGIApplication
from wsgitornado.web.signing import create_signed_value, decode_signed_value
from wsgitornado.web.xsrf import SAFE_METHODS, decode_token, encode_token, new_token

__all__ = ["Client", "client"]


def client(app: WSGIApplication, **options: Any) -> Client:
    """A :class:`Client` for an application.

    >>> client(app).get("/").text  # doctest: +SKIP
    'Hello'
    """
    return Client(app, **options)


class Client(webtest.TestApp):  # type: ignore[misc]  # webtest has no annotations
    """``webtest.TestApp`` with what pages of ours want of their visitors.

    It calls the application, without a server, and keeps cookies::

        visitor = client(app, xsrf=True)
        visitor.set_signed_cookie("user", "Ada")
        visitor.post("/entries", {"text": "Hello"})

    :param app: the application, or middleware around it.
    :param xsrf: send the token with all requests that change something, as the pages of
        the program do. Without it, ``headers=visitor.xsrf_headers()`` does so once.
    :param settings: those of the Application; needed only where it is inside another
        one.
    :param options: for ``webtest.TestApp``.
    """

    __module__ = "wsgitornado.testing"

    def __init__(
        self,
        app: WSGIApplication,
        *,
        xsrf: bool = False,
        settings: Settings | None = None,
        **options: Any,
    ) -> None:
        if not callable(app):
            raise TypeError(f"an application is a WSGI callable: got {app!r}")
        super().__init__(app, **options)
        self.sends_xsrf_token = xsrf
        self._settings = settings

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings of the Application.

        :raises RuntimeError: if it is inside another one, and they were not passed.
        """
        settings: Any = self._settings
        if settings is None:
            settings = getattr(self.app, "settings", None)
        if not isinstance(settings, Mapping):
            raise RuntimeError(
                f"{self.app!r} has no settings: pass those of the Application inside, "
                "client(app, settings=application.settings)"
            )
        return settings

    # XSRF

    @property
    def xsrf_token(self) -> str:
        """The token in the cookie; one is put there if there is none.

        As with a visitor who has seen a page with a form: server and client compare
        cookie and token, and neither keeps anything else.
        """
        settings = self.settings
        name = settings.get("xsrf_cookie_name", "_xsrf")
        version = settings.get("xsrf_cookie_version", 2)
        known = decode_token(self._cookie(name))
        token = known.value if known is not None else new_token()
        text = encode_token(token, version, time.time()).decode("ascii")
        if known is None:
            self.set_cookie(name, text)
        return text

    def xsrf_headers(self) -> dict[str, str]:
        """The header that carries the token."""
        return {"X-Xsrftoken": self.xsrf_token}

    def do_request(
        self, req: Any, status: Any = None, expect_errors: bool | None = None
    ) -> Any:
        """Called by ``get``, ``post`` and all others with the request."""
        if self.sends_xsrf_token and req.method not in SAFE_METHODS:
            for name, value in self.xsrf_headers().items():
                req.headers.setdefault(name, value)
        return super().do_request(req, status, expect_errors)

    # Signed cookies

    def set_signed_cookie(
        self, name: str, value: str | bytes, version: int | None = None
    ) -> None:
        """Send a signed cookie from now on, as if a handler had set it.

        :raises RuntimeError: without the setting ``cookie_secret``.
        """
        signed = create_signed_value(
            self._cookie_secret,
            name,
            value,
            version=version,
            key_version=self.settings.get("key_version"),
        )
        self.set_cookie(name, signed.decode("ascii"))

    def get_signed_cookie(
        self, name: str, max_age_days: float = 31, min_version: int | None = None
    ) -> bytes | None:
        """The value of a signed cookie that was set, None if it is not there or wrong.

        :raises RuntimeError: without the setting ``cookie_secret``.
        """
        return decode_signed_value(
            self._cookie_secret,
            name,
            self._cookie(name),
            max_age_days=max_age_days,
            min_version=min_version,
        )

    @property
    def _cookie_secret(self) -> Any:
        secret = self.settings.get("cookie_secret")
        if secret is None:
            raise RuntimeError(
                "signed cookies need the setting cookie_secret: "
                "Application(..., cookie_secret=...)"
            )
        return secret

    def _cookie(self, name: str) -> str | None:
        text: str | None = self.cookies.get(name)
        return None if text is None else text.strip('"')
