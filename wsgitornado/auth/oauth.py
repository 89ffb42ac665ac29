"""OAuthMixin: signing in by OAuth 1.0 and 1.0a (RFC 5849)."""

from __future__ import annotations

import base64
import hmac
import secrets
import time
from typing import Any, Final
from urllib.parse import parse_qsl

from wsgitornado.auth.addresses import absolute, private_cookie
from wsgitornado.auth.answers import check_size
from wsgitornado.auth.calling import handler_of, old_style, redirects
from wsgitornado.auth.errors import AuthError, RefusedError
from wsgitornado.auth.signature import sign, sign_as_1_0
from wsgitornado.escape import utf8
from wsgitornado.httpclient import AsyncHTTPClient, HTTPResponse
from wsgitornado.httputil import url_concat

__all__ = ["OAuthMixin"]

#: Tornado's name, and format: key and secret, each in base 64, with a bar between.
_COOKIE: Final = "_oauth_request_token"


class OAuthMixin:
    """Signs people in by OAuth 1.0a, or 1.0::

        class LoginHandler(PhotosMixin, RequestHandler):
            async def get(self):
                if self.get_argument("oauth_token", None):
                    user = await self.get_authenticated_user()
                    ...  # remember the user, and redirect
                else:
                    await self.authorize_redirect("/login")

    A subclass for a provider defines

    - ``_OAUTH_REQUEST_TOKEN_URL``, ``_OAUTH_AUTHORIZE_URL`` and
      ``_OAUTH_ACCESS_TOKEN_URL``, its addresses,
    - :meth:`_oauth_consumer_token`, what it knows this program by,
    - :meth:`_oauth_get_user_future`, which asks who has signed in,
    - ``_OAUTH_VERSION``, ``"1.0a"`` unless it says ``"1.0"``,
    - ``_OAUTH_NO_CALLBACKS``, True where the provider itself knows where to send
      people back to.
    """

    __module__ = "wsgitornado.auth"

    _OAUTH_REQUEST_TOKEN_URL: str
    _OAUTH_AUTHORIZE_URL: str
    _OAUTH_ACCESS_TOKEN_URL: str

    @redirects
    async def authorize_redirect(
        self,
        callback_uri: str | None = None,
        extra_params: dict[str, Any] | None = None,
        http_client: AsyncHTTPClient | None = None,
    ) -> None:
        """Get a request token, and send the browser to the provider with it.

        This ends the request. A cookie keeps the token until the browser comes back.

        :param callback_uri: where to: a path here, or a URL. ``"oob"`` is for programs
            without a page to come back to: the answer is the provider's address then,
            for people to open.
        :param extra_params: more parameters for the request token (not in 1.0).
        :raises AuthError: if the provider's answer is not what it should be.
        :raises ValueError: for a *callback_uri* with a provider that takes none.
        """
        if callback_uri and getattr(self, "_OAUTH_NO_CALLBACKS", False):
            raise ValueError("This service does not support oauth_callback")
        client = http_client or self.get_auth_http_client()
        url = self._oauth_request_token_url(callback_uri, extra_params)
        response = await client.fetch(url)
        self._on_request_token(self._OAUTH_AUTHORIZE_URL, callback_uri, response)

    @old_style
    async def get_authenticated_user(
        self, http_client: AsyncHTTPClient | None = None
    ) -> dict[str, Any]:
        """Who has signed in: call it where the browser comes back to.

        What :meth:`_oauth_get_user_future` found, with the ``access_token``, a
        dictionary of ``key``, ``secret`` and what else came with them.

        :raises AuthError: if the browser has no request token of ours or another one,
            or if the provider does not answer as it should.
        """
        handler = handler_of(self)
        key = utf8(handler.get_argument("oauth_token"))
        verifier = handler.get_argument("oauth_verifier", None)
        cookie = handler.get_cookie(_COOKIE)
        if not cookie:
            raise RefusedError("Missing OAuth request token cookie")
        handler.clear_cookie(_COOKIE, **private_cookie(handler))
        token = _read_cookie(cookie)
        if not hmac.compare_digest(utf8(token["key"]), key):
            raise RefusedError("Request token does not match cookie")
        if verifier:
            token["verifier"] = verifier
        client = http_client or self.get_auth_http_client()
        response = await client.fetch(self._oauth_access_token_url(token))
        access_token = parse_token(check_size(response))
        user = await self._oauth_get_user_future(access_token)
        if not user:
            raise AuthError("Error getting user")
        user["access_token"] = access_token
        return user

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """The client to ask the provider with; override it for another one."""
        client: AsyncHTTPClient = AsyncHTTPClient()
        return client

    def _oauth_consumer_token(self) -> dict[str, Any]:
        """What the provider knows this program by: ``key`` and ``secret``."""
        raise NotImplementedError(
            f"{type(self).__name__} must define _oauth_consumer_token()"
        )

    async def _oauth_get_user_future(
        self, access_token: dict[str, Any]
    ) -> dict[str, Any]:
        """Ask the provider who this is: a dictionary, empty if nobody."""
        raise NotImplementedError(
            f"{type(self).__name__} must define _oauth_get_user_future()"
        )

    def _oauth_request_token_url(
        self,
        callback_uri: str | None = None,
        extra_params: dict[str, Any] | None = None,
    ) -> str:
        parameters = self._common_parameters()
        if self._is_1_0a():
            if callback_uri:
                parameters["oauth_callback"] = self._callback_address(callback_uri)
            parameters.update(extra_params or {})
        return self._signed_url(self._OAUTH_REQUEST_TOKEN_URL, parameters, None)

    def _on_request_token(
        self, authorize_url: str, callback_uri: str | None, response: HTTPResponse
    ) -> None:
        handler = handler_of(self)
        token = parse_token(check_size(response))
        cookie = "|".join(_base64(token[name]) for name in ("key", "secret"))
        handler.set_cookie(_COOKIE, cookie, **private_cookie(handler))
        parameters = {"oauth_token": token["key"]}
        if callback_uri == "oob":
            handler.finish(url_concat(authorize_url, parameters))
            return
        if callback_uri:
            parameters["oauth_callback"] = absolute(handler, callback_uri)
        handler.redirect(url_concat(authorize_url, parameters))

    def _oauth_access_token_url(self, request_token: dict[str, Any]) -> str:
        parameters = self._common_parameters()
        parameters["oauth_token"] = request_token["key"]
        if "verifier" in request_token:
            parameters["oauth_verifier"] = request_token["verifier"]
        return self._signed_url(self._OAUTH_ACCESS_TOKEN_URL, parameters, request_token)

    def _oauth_request_parameters(
        self,
        url: str,
        access_token: dict[str, Any],
        parameters: dict[str, Any] = {},  # noqa: B006 - Tornado's, and never changed
        method: str = "GET",
    ) -> dict[str, Any]:
        """What to add to a request, for the provider to know whom it is from.

        :param parameters: those of its query and of its form, which are signed.
        """
        added = self._common_parameters()
        added["oauth_token"] = access_token["key"]
        added["oauth_signature"] = self._sign(
            method, url, {**added, **parameters}, access_token
        )
        return added

    def _common_parameters(self) -> dict[str, Any]:
        return {
            "oauth_consumer_key": self._oauth_consumer_token()["key"],
            "oauth_signature_method": "HMAC-SHA1",
            "oauth_timestamp": str(int(time.time())),
            "oauth_nonce": secrets.token_hex(16),
            "oauth_version": "1.0",
        }

    def _signed_url(
        self, url: str, parameters: dict[str, Any], token: dict[str, Any] | None
    ) -> str:
        signature = self._sign("GET", url, parameters, token)
        return url_concat(url, {**parameters, "oauth_signature": signature})

    def _sign(
        self,
        method: str,
        url: str,
        parameters: dict[str, Any],
        token: dict[str, Any] | None,
    ) -> str:
        make = sign if self._is_1_0a() else sign_as_1_0
        consumer = self._oauth_consumer_token()
        return make(consumer, method, url, parameters, token).decode("ascii")

    def _is_1_0a(self) -> bool:
        return bool(getattr(self, "_OAUTH_VERSION", "1.0a") == "1.0a")

    def _callback_address(self, callback_uri: str) -> str:
        return "oob" if callback_uri == "oob" else absolute(self, callback_uri)


def parse_token(body: bytes) -> dict[str, Any]:
    """The token that a provider gives out as a form.

    >>> parse_token(b"oauth_token=a&oauth_token_secret=b&user=c")
    {'key': 'a', 'secret': 'b', 'user': 'c'}
    """
    try:
        fields = dict(parse_qsl(body.decode("utf-8"), errors="strict"))
    except UnicodeDecodeError:
        raise AuthError("the provider's answer is not UTF-8") from None
    for name in ("oauth_token", "oauth_token_secret"):
        if name not in fields:
            raise AuthError(f"the provider's answer has no {name}")
    key, secret = fields.pop("oauth_token"), fields.pop("oauth_token_secret")
    return {"key": key, "secret": secret, **fields}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def _read_cookie(cookie: str) -> dict[str, Any]:
    try:
        key, secret = (
            base64.b64decode(part).decode("utf-8") for part in cookie.split("|")
        )
    except ValueError:
        raise RefusedError("Malformed OAuth request token cookie") from None
    return {"key": key, "secret": secret}
