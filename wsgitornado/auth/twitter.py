"""TwitterMixin: signing in with Twitter, by OAuth 1.0a."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from wsgitornado.auth.answers import decode_answer
from wsgitornado.auth.calling import handler_of, old_style, redirects
from wsgitornado.auth.errors import AuthError
from wsgitornado.auth.oauth import OAuthMixin
from wsgitornado.httputil import url_concat

__all__ = ["TwitterMixin"]


class TwitterMixin(OAuthMixin):
    """Signs people in with their Twitter account, and asks its API.

    The settings ``twitter_consumer_key`` and ``twitter_consumer_secret`` hold what
    Twitter knows this program by. A signed-in user has ``username`` beside the fields
    of Twitter.

    Twitter has since closed the addresses that stand here for most programs. The class
    is for those that give it others.
    """

    __module__ = "wsgitornado.auth"

    _OAUTH_REQUEST_TOKEN_URL = "https://api.twitter.com/oauth/request_token"  # noqa: S105 - no password
    _OAUTH_ACCESS_TOKEN_URL = "https://api.twitter.com/oauth/access_token"  # noqa: S105 - no password
    _OAUTH_AUTHORIZE_URL = "https://api.twitter.com/oauth/authorize"
    _OAUTH_AUTHENTICATE_URL = "https://api.twitter.com/oauth/authenticate"
    _OAUTH_NO_CALLBACKS = False
    _TWITTER_BASE_URL = "https://api.twitter.com/1.1"

    @redirects
    async def authenticate_redirect(self, callback_uri: str | None = None) -> None:
        """Like :meth:`~OAuthMixin.authorize_redirect`, where signing in is enough.

        Those who have allowed the program before are not asked again.
        """
        client = self.get_auth_http_client()
        url = self._oauth_request_token_url(callback_uri)
        response = await client.fetch(url)
        self._on_request_token(self._OAUTH_AUTHENTICATE_URL, None, response)

    @old_style
    async def twitter_request(
        self,
        path: str,
        access_token: dict[str, Any],
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Ask the API: ``await self.twitter_request("/users/show", token, id=7)``.

        :param path: below the API, without ``.json``; or a whole URL.
        :param access_token: that of the signed-in user.
        :param post_args: the form of a POST; by default it is a GET.
        :param args: more parameters for the query.
        :raises AuthError: if the answer is no JSON.
        :raises HTTPClientError: for a status that is no success.
        """
        url = path
        if not path.startswith(("http:", "https:")):
            url = f"{self._TWITTER_BASE_URL}{path}.json"
        method = "GET" if post_args is None else "POST"
        signed = self._oauth_request_parameters(
            url, access_token, {**args, **(post_args or {})}, method=method
        )
        url = url_concat(url, {**args, **signed})
        client = self.get_auth_http_client()
        if post_args is None:
            response = await client.fetch(url)
        else:
            response = await client.fetch(url, method="POST", body=urlencode(post_args))
        return decode_answer(response)

    def _oauth_consumer_token(self) -> dict[str, Any]:
        handler = handler_of(self)
        names = "twitter_consumer_key", "twitter_consumer_secret"
        for name in names:
            handler.require_setting(name, "Twitter OAuth")
        key, secret = (handler.settings[name] for name in names)
        return {"key": key, "secret": secret}

    async def _oauth_get_user_future(
        self, access_token: dict[str, Any]
    ) -> dict[str, Any]:
        user = await self.twitter_request(
            "/account/verify_credentials", access_token=access_token
        )
        if not user:
            return {}
        if not isinstance(user, dict) or "screen_name" not in user:
            raise AuthError("the provider's answer has no screen_name")
        user["username"] = user["screen_name"]
        return user
