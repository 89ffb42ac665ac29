"""OAuth2Mixin: signing in by OAuth 2.0 (RFC 6749)."""

from __future__ import annotations

import hmac
import secrets
import warnings
from typing import Any, Final
from urllib.parse import urlencode

from wsgitornado.auth.addresses import private_cookie
from wsgitornado.auth.answers import decode_answer
from wsgitornado.auth.calling import handler_of, old_style
from wsgitornado.auth.errors import RefusedError
from wsgitornado.escape import utf8
from wsgitornado.httpclient import AsyncHTTPClient
from wsgitornado.httputil import url_concat

__all__ = ["OAuth2Mixin"]

_STATE_COOKIE: Final = "_oauth_state"

#: An hour: nobody takes longer to sign in.
_STATE_DAYS: Final = 1 / 24


class OAuth2Mixin:
    """The parts of OAuth 2.0 that all providers have in common.

    A subclass for a provider defines ``_OAUTH_AUTHORIZE_URL`` and
    ``_OAUTH_ACCESS_TOKEN_URL``, its addresses.
    """

    __module__ = "wsgitornado.auth"

    _OAUTH_AUTHORIZE_URL: str
    _OAUTH_ACCESS_TOKEN_URL: str

    def authorize_redirect(
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        extra_params: dict[str, Any] | None = None,
        scope: list[str] | None = None,
        response_type: str = "code",
    ) -> None:
        """Send the browser to the provider (section 4.1.1); this ends the request.

        :param redirect_uri: the whole URL that it comes back to, with a ``code``. The
            provider has to know it.
        :param client_id: what the provider knows this program by.
        :param client_secret: not used, and deprecated: the browser must not see it.
        :param extra_params: more parameters. Give a ``state`` of
            :meth:`new_oauth_state`.
        :param scope: what the program wants to be allowed.
        """
        if client_secret is not None:
            warnings.warn(
                "authorize_redirect() needs no client_secret: leave it out",
                DeprecationWarning,
                stacklevel=2,
            )
        parameters: dict[str, Any] = {"response_type": response_type}
        if redirect_uri is not None:
            parameters["redirect_uri"] = redirect_uri
        if client_id is not None:
            parameters["client_id"] = client_id
        parameters.update(extra_params or {})
        if scope:
            parameters["scope"] = " ".join(scope)
        handler_of(self).redirect(url_concat(self._OAUTH_AUTHORIZE_URL, parameters))

    def new_oauth_state(self) -> str:
        """A text for the parameter ``state``, which a signed cookie keeps, too::

            self.authorize_redirect(..., extra_params={"state": self.new_oauth_state()})

        Call :meth:`check_oauth_state` where the browser comes back to. Without both,
        other sites can sign your visitors in with an account that is not theirs
        (section 10.12). Needs the setting ``cookie_secret``. A browser has one at a
        time, valid for an hour. (Tornado leaves the state to the program.)
        """
        handler = handler_of(self)
        state = secrets.token_urlsafe(32)
        options = private_cookie(handler)
        handler.set_signed_cookie(_STATE_COOKIE, state, expires_days=None, **options)
        return state

    def check_oauth_state(self) -> None:
        """Make sure that it was we who sent the browser to the provider.

        Compares the argument ``state`` with the cookie of :meth:`new_oauth_state`, and
        has the browser forget that. Call it before the ``code`` is used.

        :raises AuthError: if it is another one, too old, or missing.
        """
        handler = handler_of(self)
        kept = handler.get_signed_cookie(_STATE_COOKIE, max_age_days=_STATE_DAYS)
        if kept is None:
            raise RefusedError("Missing or expired OAuth state cookie")
        handler.clear_cookie(_STATE_COOKIE, **private_cookie(handler))
        if not hmac.compare_digest(kept, utf8(handler.get_argument("state", ""))):
            raise RefusedError("OAuth state does not match cookie")

    @old_style
    async def oauth2_request(
        self,
        url: str,
        access_token: str | None = None,
        post_args: dict[str, Any] | None = None,
        **args: Any,
    ) -> Any:
        """Ask an API that takes the token as a parameter, and answers in JSON.

        :param access_token: what ``get_authenticated_user`` of a provider's mixin
            gave.
        :param post_args: the form of a POST; by default it is a GET.
        :param args: more parameters for the query.
        :raises AuthError: if the answer is no JSON.
        :raises HTTPClientError: for a status that is no success.
        """
        if access_token is not None:
            args["access_token"] = access_token
        if args:
            url = url_concat(url, args)
        client = self.get_auth_http_client()
        if post_args is None:
            response = await client.fetch(url)
        else:
            response = await client.fetch(url, method="POST", body=urlencode(post_args))
        return decode_answer(response)

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """The client to ask the provider with; override it for another one."""
        client: AsyncHTTPClient = AsyncHTTPClient()
        return client

    def _oauth_request_token_url(
        self,
        redirect_uri: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        code: str | None = None,
        extra_params: dict[str, Any] | None = None,
    ) -> str:
        """Where to get a token for a code, of providers that take it in the query."""
        parameters: dict[str, Any] = {
            "redirect_uri": redirect_uri,
            "code": code,
            "client_id": client_id,
            "client_secret": client_secret,
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return url_concat(self._OAUTH_ACCESS_TOKEN_URL, given | (extra_params or {}))
