"""GoogleOAuth2Mixin: signing in with Google."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from wsgitornado.auth.answers import read_object
from wsgitornado.auth.calling import handler_of, old_style
from wsgitornado.auth.oauth2 import OAuth2Mixin

__all__ = ["GoogleOAuth2Mixin"]


class GoogleOAuth2Mixin(OAuth2Mixin):
    """Signs people in with their Google account; :doc:`/howto/sign_in` shows how.

    The setting ``google_oauth`` holds what Google knows this program by:
    ``{"key": client_id, "secret": client_secret}``.
    """

    __module__ = "wsgitornado.auth"

    _OAUTH_AUTHORIZE_URL = "https://accounts.google.com/o/oauth2/v2/auth"
    _OAUTH_ACCESS_TOKEN_URL = "https://www.googleapis.com/oauth2/v4/token"  # noqa: S105 - no password
    _OAUTH_USERINFO_URL = "https://www.googleapis.com/oauth2/v1/userinfo"
    _OAUTH_NO_CALLBACKS = False
    _OAUTH_SETTINGS_KEY = "google_oauth"

    def get_google_oauth_settings(self) -> dict[str, str]:
        """The setting: ``key`` and ``secret``. Override it to keep them elsewhere.

        :raises RuntimeError: if there is none.
        """
        handler = handler_of(self)
        handler.require_setting(self._OAUTH_SETTINGS_KEY, "Google OAuth2")
        settings: dict[str, str] = handler.settings[self._OAUTH_SETTINGS_KEY]
        return settings

    @old_style
    async def get_authenticated_user(
        self,
        redirect_uri: str,
        code: str,
        client_id: str | None = None,
        client_secret: str | None = None,
    ) -> dict[str, Any]:
        """Exchange the code that the browser has brought for a token.

        The result is Google's answer, of which ``access_token`` is for
        ``oauth2_request(self._OAUTH_USERINFO_URL, access_token=...)``: who it is.

        :param redirect_uri: the same as for ``authorize_redirect``.
        :param client_id: and *client_secret*: in place of the setting.
        :raises AuthError: if the answer is malformed.
        :raises HTTPClientError: if Google does not accept the code.
        """
        if client_id is None or client_secret is None:
            known_by = self.get_google_oauth_settings()
            client_id = known_by["key"] if client_id is None else client_id
            if client_secret is None:
                client_secret = known_by["secret"]
        form = {
            "redirect_uri": redirect_uri,
            "code": code,
            "client_id": client_id,
            "client_secret": client_secret,
            "grant_type": "authorization_code",
        }
        response = await self.get_auth_http_client().fetch(
            self._OAUTH_ACCESS_TOKEN_URL,
            method="POST",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(form),
        )
        return read_object(response, "access_token")
