"""The names of tornado.auth: signing in with an account that people have elsewhere."""

from __future__ import annotations

from wsgitornado.auth.errors import AuthError
from wsgitornado.auth.facebook import FacebookGraphMixin
from wsgitornado.auth.google import GoogleOAuth2Mixin
from wsgitornado.auth.oauth import OAuthMixin
from wsgitornado.auth.oauth2 import OAuth2Mixin
from wsgitornado.auth.openid import OpenIdMixin
from wsgitornado.auth.twitter import TwitterMixin

__all__ = [
    "AuthError",
    "FacebookGraphMixin",
    "GoogleOAuth2Mixin",
    "OAuth2Mixin",
    "OAuthMixin",
    "OpenIdMixin",
    "TwitterMixin",
]
