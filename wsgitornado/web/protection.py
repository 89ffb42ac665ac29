"""What guards a handler against requests that other sites have made."""

from __future__ import annotations

import time

from wsgitornado.escape import utf8
from wsgitornado.web.errors import HTTPError
from wsgitornado.web.failures import FailuresChapter
from wsgitornado.web.xsrf import (
    XSRFToken,
    decode_token,
    encode_token,
    form_field,
    new_token,
    origin_is_listed,
    why_origin_refused,
    why_token_refused,
)

__all__ = ["ProtectionChapter"]


class ProtectionChapter(FailuresChapter):
    """RequestHandler's part about cross-site request forgery."""

    _xsrf_token: bytes | None = None

    @property
    def xsrf_token(self) -> bytes:
        """The token that forms and scripts send back with what changes something.

        The first time it is asked for it is put into a cookie. Its text is another one
        for each request, and stays valid.
        """
        if self._xsrf_token is None:
            cookie = self._xsrf_cookie()
            token = cookie.value if cookie is not None else new_token()
            made = (cookie and cookie.timestamp) or time.time()
            version = self.settings.get("xsrf_cookie_version", 2)
            self._xsrf_token = encode_token(token, version, made)
            if cookie is None:
                self._set_xsrf_cookie(self._xsrf_token)
        return self._xsrf_token

    def check_xsrf_cookie(self) -> None:
        """Refuse the request unless it carries the token that is in its cookie.

        The token is the argument ``_xsrf``, or else the header X-Xsrftoken or
        X-Csrftoken. Called before ``prepare`` where ``xsrf_cookies`` is set, for all
        methods but GET, HEAD and OPTIONS. Override it with nothing for handlers that
        programs call.

        :raises HTTPError: 403.
        """
        environ = self.request.environ
        arguments = self.request.arguments.get("_xsrf")
        # As bytes: what is no text is no token either, and a 403 like any other.
        sent: str | bytes | None = (
            (arguments[-1].strip() if arguments else None)
            or environ.get("HTTP_X_XSRFTOKEN")
            or environ.get("HTTP_X_CSRFTOKEN")
        )
        reason = why_token_refused(sent, self._xsrf_cookie())
        if reason is not None:
            raise HTTPError(403, "%s", reason)

    def xsrf_form_html(self) -> str:
        """A hidden field with the token, for every form that is sent by POST."""
        return form_field(self.xsrf_token)

    def check_trusted_origin(self, origin: str) -> bool:
        """Whether pages of another origin may change something here.

        By default those that the setting ``trusted_origins`` lists. Called where the
        setting ``cross_origin_protection`` is on.

        :param origin: as browsers send it: ``https://www.example.com``.
        """
        return origin_is_listed(origin, self.settings.get("trusted_origins"))

    def _refuse_forgery(self) -> None:
        """Called before ``prepare`` for methods that may change something."""
        settings = self.settings
        if settings.get("xsrf_cookies"):
            self.check_xsrf_cookie()
        if settings.get("cross_origin_protection"):
            environ = self.request.environ
            reason = why_origin_refused(
                self.request.host,
                environ.get("HTTP_SEC_FETCH_SITE"),
                environ.get("HTTP_ORIGIN"),
                self.check_trusted_origin,
            )
            if reason is not None:
                raise HTTPError(403, "%s", reason)

    def _xsrf_cookie_name(self) -> str:
        name: str = self.settings.get("xsrf_cookie_name", "_xsrf")
        return name

    def _xsrf_cookie(self) -> XSRFToken | None:
        """The token in the cookie of the request."""
        return decode_token(self.get_cookie(self._xsrf_cookie_name()))

    def _set_xsrf_cookie(self, token: bytes) -> None:
        """For a user who is logged in it lasts, so that open forms stay valid."""
        attributes = dict(self.settings.get("xsrf_cookie_kwargs", {}))
        if self.current_user:
            attributes.setdefault("expires_days", 30)
        self.set_cookie(self._xsrf_cookie_name(), utf8(token), **attributes)
