"""OpenIdMixin: signing in by OpenID 2.0."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urljoin, urlsplit

from wsgitornado.auth.addresses import absolute
from wsgitornado.auth.answers import check_size
from wsgitornado.auth.calling import handler_of, old_style
from wsgitornado.auth.errors import RefusedError
from wsgitornado.httpclient import AsyncHTTPClient, HTTPResponse
from wsgitornado.httputil import url_concat

__all__ = ["OpenIdMixin"]

_OPENID: Final = "http://specs.openid.net/auth/2.0"
# The provider asks the people who they are.
_SELECT: Final = _OPENID + "/identifier_select"
_ATTRIBUTES: Final = "http://openid.net/srv/ax/1.0"
_OAUTH: Final = "http://specs.openid.net/extensions/oauth/1.0"

_FIRST_NAME: Final = "http://axschema.org/namePerson/first"
_FULL_NAME: Final = "http://axschema.org/namePerson"
_LAST_NAME: Final = "http://axschema.org/namePerson/last"
_EMAIL: Final = "http://axschema.org/contact/email"
_LANGUAGE: Final = "http://axschema.org/pref/language"
_USERNAME: Final = "http://axschema.org/namePerson/friendly"

#: What may be asked for, and what it is called in the question.
_ASKED: Final = {
    "name": {
        "firstname": _FIRST_NAME,
        "fullname": _FULL_NAME,
        "lastname": _LAST_NAME,
    },
    "email": {"email": _EMAIL},
    "language": {"language": _LANGUAGE},
    "username": {"username": _USERNAME},
}

#: How much of a provider's refusal stands in the message.
_SHOWN: Final = 200


class OpenIdMixin:
    """Signs people in by OpenID 2.0::

        class LoginHandler(SteamMixin, RequestHandler):
            async def get(self):
                if self.get_argument("openid.mode", None):
                    user = await self.get_authenticated_user()
                    ...  # remember the user, and redirect
                else:
                    self.authenticate_redirect(ax_attrs=[])

    A subclass for a provider defines ``_OPENID_ENDPOINT``, its address.
    """

    __module__ = "wsgitornado.auth"

    _OPENID_ENDPOINT: str

    def authenticate_redirect(
        self,
        callback_uri: str | None = None,
        ax_attrs: list[str] = ["name", "email", "language", "username"],  # noqa: B006 - Tornado's, and never changed
    ) -> None:
        """Send the browser to the provider; this ends the request.

        :param callback_uri: where it comes back to: a path here, or a URL of ours; by
            default the URL of this request.
        :param ax_attrs: what to ask about people, of ``name``, ``email``, ``language``
            and ``username``.
        :raises ValueError: for anything else among *ax_attrs*.
        """
        handler = handler_of(self)
        # Not the path alone, which may look like the name of a host.
        address = callback_uri or handler.request.full_url()
        parameters = self._openid_args(address, ax_attrs=ax_attrs)
        handler.redirect(url_concat(self._OPENID_ENDPOINT, parameters))

    @old_style
    async def get_authenticated_user(
        self, http_client: AsyncHTTPClient | None = None
    ) -> dict[str, Any]:
        """Who has signed in: call it where the browser comes back to.

        What the browser brings must be an answer to a question of ours, for this very
        URL, and the provider is asked whether it is its own (OpenID 2.0, sections 11.1
        and 11.4.2). Only what the provider has signed counts.

        The result may have ``first_name``, ``last_name``, ``name``, ``email``,
        ``locale``, ``username`` and ``claimed_id``: who it is, for this provider.

        :raises AuthError: if it is no such answer; if people have cancelled; and if the
            provider does not confirm it.
        """
        fields = self._openid_fields()
        if fields.get("openid.mode") != "id_res":
            raise RefusedError("the provider has not signed anybody in")
        self._check_return_to(_signed(fields).get("openid.return_to", ""))
        fields["openid.mode"] = "check_authentication"
        client = http_client or self.get_auth_http_client()
        response = await client.fetch(
            self._OPENID_ENDPOINT, method="POST", body=urlencode(fields)
        )
        return self._on_authentication_verified(response)

    def get_auth_http_client(self) -> AsyncHTTPClient:
        """The client to ask the provider with; override it for another one."""
        client: AsyncHTTPClient = AsyncHTTPClient()
        return client

    def _openid_args(
        self,
        callback_uri: str,
        ax_attrs: Iterable[str] = [],
        oauth_scope: str | None = None,
    ) -> dict[str, str]:
        """The question to the provider (section 9.1)."""
        return_to = absolute(self, callback_uri)
        parameters = {
            "openid.ns": _OPENID,
            "openid.claimed_id": _SELECT,
            "openid.identity": _SELECT,
            "openid.return_to": return_to,
            "openid.realm": urljoin(return_to, "/"),
            "openid.mode": "checkid_setup",
        }
        types = _types_of(ax_attrs)
        if types:
            parameters["openid.ns.ax"] = _ATTRIBUTES
            parameters["openid.ax.mode"] = "fetch_request"
            for name, uri in types.items():
                parameters[f"openid.ax.type.{name}"] = uri
            parameters["openid.ax.required"] = ",".join(types)
        if oauth_scope:
            parameters["openid.ns.oauth"] = _OAUTH
            parameters["openid.oauth.consumer"] = handler_of(self).request.host_name
            parameters["openid.oauth.scope"] = oauth_scope
        return parameters

    def _on_authentication_verified(self, response: HTTPResponse) -> dict[str, Any]:
        """Read who it is, if the provider says that the answer is valid."""
        body = check_size(response)
        if b"is_valid:true" not in body.splitlines():
            raise RefusedError(f"Invalid OpenID response: {body[:_SHOWN]!r}")
        return _read_user(_signed(self._openid_fields()))

    def _openid_fields(self) -> dict[str, str]:
        """All arguments of the request, as they came."""
        handler = handler_of(self)
        return {
            name: handler.decode_argument(values[-1], name)
            for name, values in handler.request.arguments.items()
        }

    def _check_return_to(self, return_to: str) -> None:
        """Refuse what people have said to another site that trusts the provider.

        The provider cannot tell us apart: it signs for whom it was. The scheme is not
        compared, since a proxy in front of us may speak another one than we know of.
        """
        request = handler_of(self).request
        try:
            meant = urlsplit(return_to)
        except ValueError:
            raise RefusedError("the provider's return_to is no URL") from None
        asked = urlsplit(request.full_url())
        is_ours = _place(meant) == _place(asked)
        arguments = {
            (name, value.decode("utf-8", "replace"))
            for name, values in request.arguments.items()
            for value in values
        }
        query = parse_qsl(meant.query, keep_blank_values=True)
        if not is_ours or not arguments.issuperset(query):
            raise RefusedError("the provider's answer is for another address")


def _place(url: SplitResult) -> tuple[str, str]:
    """Host and path, however a browser has spelled them."""
    return url.netloc.lower(), unquote(url.path) or "/"


def _types_of(ax_attrs: Iterable[str]) -> dict[str, str]:
    """What to ask for, in Tornado's order: the name, then the others as given."""
    wanted = list(ax_attrs)
    for name in wanted:
        if name not in _ASKED:
            raise ValueError(f"ax_attrs are {', '.join(_ASKED)}: got {name!r}")
    types: dict[str, str] = {}
    for name in sorted(wanted, key=lambda name: name != "name"):
        types.update(_ASKED[name])
    return types


def _signed(fields: dict[str, str]) -> dict[str, str]:
    """The fields that the provider has signed (section 10.1)."""
    names = (f"openid.{name}" for name in fields.get("openid.signed", "").split(","))
    return {name: fields[name] for name in names if name in fields}


def _read_user(fields: dict[str, str]) -> dict[str, Any]:
    attribute = _attributes(fields)
    first, last = attribute.get(_FIRST_NAME, ""), attribute.get(_LAST_NAME, "")
    email = attribute.get(_EMAIL, "")
    name = attribute.get(_FULL_NAME, "") or " ".join(filter(None, (first, last)))
    found = {
        "first_name": first,
        "last_name": last,
        "name": name or email.split("@")[0],
        "email": email,
        "locale": attribute.get(_LANGUAGE, "").lower(),
        "username": attribute.get(_USERNAME, ""),
        "claimed_id": fields.get("openid.claimed_id", ""),
    }
    return {name: value for name, value in found.items() if value}


def _attributes(fields: dict[str, str]) -> dict[str, str]:
    """The values of attributes by their types, whatever names stand between."""
    prefix = next(
        (
            f"openid.{name.removeprefix('openid.ns.')}."
            for name, value in fields.items()
            if name.startswith("openid.ns.") and value == _ATTRIBUTES
        ),
        None,
    )
    if prefix is None:
        return {}
    kind = prefix + "type."
    return {
        uri: fields.get(prefix + "value." + name.removeprefix(kind), "")
        for name, uri in fields.items()
        if name.startswith(kind)
    }
