"""Handlers that sign people in, written once for Tornado and for us."""

from __future__ import annotations

import json
from typing import Any

from tests.auth_stage import Framework, made

__all__ = ["SETTINGS", "rules"]

#: Of the application.
SETTINGS: dict[str, Any] = {
    "cookie_secret": "a long secret text, for tests only",
    "twitter_consumer_key": "twitter-key",
    "twitter_consumer_secret": "twitter-secret",
    "google_oauth": {"key": "google-key", "secret": "google-secret"},
}


def arguments(self: Any) -> Any:
    """What a test wants a method to be called with."""
    return json.loads(self.get_argument("arguments", "{}"))


async def openid(self: Any) -> None:
    if self.get_argument("openid.mode", None):
        self.write(json.dumps(await self.get_authenticated_user()))
    else:
        self.authenticate_redirect(**arguments(self))


async def oauth(self: Any) -> None:
    if self.get_argument("oauth_token", None):
        self.write(json.dumps(await self.get_authenticated_user()))
    elif self.get_argument("authenticate", None):
        await self.authenticate_redirect(**arguments(self))
    else:
        await self.authorize_redirect(**arguments(self))


async def oauth_user(self: Any, access_token: dict[str, Any]) -> Any:
    return json.loads(self.get_argument("user", '{"name": "Ada"}'))


async def twitter_api(self: Any) -> None:
    token = {"key": "user-key", "secret": "user-secret"}
    given = arguments(self)
    path = given.pop("path").replace("P:", self._TWITTER_BASE_URL)
    self.write(json.dumps(await self.twitter_request(path, token, **given)))


def oauth2(self: Any) -> None:
    self.authorize_redirect(**arguments(self))


def oauth2_token_url(self: Any) -> None:
    url = self._oauth_request_token_url(**arguments(self))
    self.redirect(url)


async def oauth2_api(self: Any) -> None:
    url = self._OAUTH_AUTHORIZE_URL
    self.write(json.dumps(await self.oauth2_request(url, **arguments(self))))


async def google(self: Any) -> None:
    user = await self.get_authenticated_user(
        "http://site.example/back", "a code+", **arguments(self)
    )
    self.write(json.dumps(user))


async def facebook(self: Any) -> None:
    user = await self.get_authenticated_user(
        redirect_uri="http://site.example/back",
        client_id="facebook-id",
        client_secret="facebook-secret",
        code="a code+",
        **arguments(self),
    )
    self.write(json.dumps(user, sort_keys=True))


async def facebook_api(self: Any) -> None:
    self.write(json.dumps(await self.facebook_request(**arguments(self))))


def rules(framework: Framework, provider: str) -> list[Any]:
    """A rule for each flow, all with the addresses of a provider."""
    tokens: dict[str, Any] = {
        "_OAUTH_REQUEST_TOKEN_URL": f"{provider}/request_token",
        "_OAUTH_ACCESS_TOKEN_URL": f"{provider}/access_token",
        "_OAUTH_AUTHORIZE_URL": f"{provider}/authorize",
        "_OAUTH_AUTHENTICATE_URL": f"{provider}/authenticate",
        "_OAUTH_USERINFO_URL": f"{provider}/userinfo",
        "_TWITTER_BASE_URL": f"{provider}/twitter",
        "_FACEBOOK_BASE_URL": f"{provider}/graph",
    }
    consumer = {
        **tokens,
        "get": oauth,
        "_oauth_consumer_token": lambda self: {"key": "ck", "secret": "c&s"},
        "_oauth_get_user_future": oauth_user,
    }
    endpoint = f"{provider}/openid"

    def rule(path: str, mixin: str, **attributes: Any) -> Any:
        return path, made(framework, mixin, **attributes)

    return [
        rule("/openid", "OpenIdMixin", _OPENID_ENDPOINT=endpoint, get=openid),
        rule("/oauth", "OAuthMixin", **consumer),
        rule("/oauth1.0", "OAuthMixin", **consumer, _OAUTH_VERSION="1.0"),
        rule("/oauth-no-callback", "OAuthMixin", **consumer, _OAUTH_NO_CALLBACKS=True),
        rule("/twitter", "TwitterMixin", **tokens, get=oauth),
        rule("/twitter/api", "TwitterMixin", **tokens, get=twitter_api),
        rule("/oauth2", "OAuth2Mixin", **tokens, get=oauth2),
        rule("/oauth2/token", "OAuth2Mixin", **tokens, get=oauth2_token_url),
        rule("/oauth2/api", "OAuth2Mixin", **tokens, get=oauth2_api),
        rule("/google", "GoogleOAuth2Mixin", **tokens, get=google),
        rule("/facebook", "FacebookGraphMixin", **tokens, get=facebook),
        rule("/facebook/api", "FacebookGraphMixin", **tokens, get=facebook_api),
    ]
