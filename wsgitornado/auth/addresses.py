"""Where the browser comes back to, and the cookies that wait for it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from wsgitornado.auth.calling import handler_of
from wsgitornado.httputil.locations import browser_origin
from wsgitornado.web import RequestHandler

__all__ = ["absolute", "private_cookie"]


def absolute(mixin: object, callback_uri: str) -> str:
    """The whole URL of an address that a program gives.

    One without a scheme is ours, however many slashes it begins with: it may be made
    of the path of a request.
    """
    request = handler_of(mixin).request
    scheme, host = browser_origin(callback_uri)
    if host and not scheme:
        return f"{request.protocol}://{request.host}{callback_uri}"
    return urljoin(request.full_url(), callback_uri)


def private_cookie(handler: RequestHandler) -> dict[str, Any]:
    """Attributes of a cookie for us alone, when the browser comes from elsewhere."""
    return {
        "httponly": True,
        "samesite": "Lax",
        "secure": handler.request.protocol == "https",
    }
