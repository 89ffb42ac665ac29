"""FacebookGraphMixin: signing in with Facebook."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

from wsgitornado.auth.answers import read_object
from wsgitornado.auth.calling import old_style
from wsgitornado.auth.errors import AuthError
from wsgitornado.auth.oauth2 import OAuth2Mixin

__all__ = ["FacebookGraphMixin"]

_FIELDS: Final = (
    "id",
    "name",
    "first_name",
    "last_name",
    "locale",
    "picture",
    "link",
)


class FacebookGraphMixin(OAuth2Mixin):
    """Signs people in with their Facebook account, and asks its Graph API.

    Programs keep what Facebook knows them by in the settings ``facebook_api_key`` and
    ``facebook_secret``, and pass it to the methods.
    """

    __module__ = "wsgitornado.auth"

    _OAUTH_ACCESS_TOKEN_URL = "https://graph.facebook.com/oauth/access_token?"  # noqa: S105 - no password
    _OAUTH_AUTHORIZE_URL = "https://www.facebook.com/dialog/oauth?"
    _OAUTH_NO_CALLBACKS = False
    _FACEBOOK_BASE_URL = "https://graph.facebook.com"

    @old_style
    async def get_authenticated_user(
        self,
        redirect_uri: str,
        client_id: str,
        client_secret: str,
        code: str,
        extra_fields: dict[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """Who has signed in, for the code that the browser has brought.

        The result has the ``access_token``, ``session_expires``, in how many seconds
        that is no longer valid, as text, and ``id``, ``name``, ``first_name``,
        ``last_name``, ``locale``, ``picture``, ``link`` and the *extra_fields*, each
        None where Facebook does not tell. It is None if Facebook knows nobody.

        :param redirect_uri: the same as for ``authorize_redirect``.
        :param extra_fields: names of more fields to ask for.
        :raises AuthError: if an answer is malformed.
        :raises HTTPClientError: if Facebook does not accept the code.
        """
        url = self._oauth_request_token_url(
            redirect_uri, client_id, client_secret, code
        )
        response = await self.get_auth_http_client().fetch(url)
        session = read_object(response, "access_token")
        token = session["access_token"]
        proof = hmac.digest(client_secret.encode(), token.encode(), hashlib.sha256)
        fields = dict.fromkeys([*_FIELDS, *(extra_fields or ())])
        found = await self.facebook_request(
            "/me",
            access_token=token,
            appsecret_proof=proof.hex(),
            fields=",".join(fields),
        )
        if found is None:
            return None
        if not isinstance(found, dict):
            raise AuthError("the provider's answer is not a JSON object")
        user: dict[str, Any] = {name: found.get(name) for name in fields}
        user["access_token"] = token
        user["session_expires"] = str(session.get("expires_in"))
        return user

    @old_style
    async def facebook_request(
        self,
        path: str,
        access_token: str | None = None,
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Ask the Graph API: ``self.facebook_request("/me/feed", access_token)``.

        The parameters are those of :meth:`OAuth2Mixin.oauth2_request`.
        """
        return await self.oauth2_request(
            self._FACEBOOK_BASE_URL + path, access_token, post_args, **args
        )
