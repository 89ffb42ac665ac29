"""Small handlers ready for use: errors and redirects."""

from __future__ import annotations

from typing import Any

from wsgitornado.httputil.locations import browser_origin, quote_group
from wsgitornado.httputil.urls import qs_to_qsl, url_concat
from wsgitornado.web.errors import HTTPError
from wsgitornado.web.handler import RequestHandler

__all__ = ["ErrorHandler", "RedirectHandler"]


class ErrorHandler(RequestHandler):
    """Answers every request with one error: ``{"status_code": 404}``."""

    __module__ = "wsgitornado.web"

    # The answer is the same whatever the body says.
    _reads_body = False

    def initialize(self, status_code: int) -> None:  # type: ignore[override]  # each handler takes its own
        self.set_status(status_code)

    def prepare(self) -> None:
        raise HTTPError(self._status_code)

    def check_xsrf_cookie(self) -> None:
        """An error page changes nothing, so nothing is checked."""

    def check_trusted_origin(self, origin: str) -> bool:
        """An error page changes nothing, so any origin will do."""
        return True


class RedirectHandler(RequestHandler):
    """Redirects every GET to ``url``.

    As in ``(r"/old/(.*)", RedirectHandler, {"url": "/new/{0}"})``.

    The groups of the pattern fill ``{0}`` or ``{name}``, quoted; the query arguments
    of the request are carried over.

    :param url: where to; relative to the prefix we are mounted at if it begins with
        one slash.
    :param permanent: 301, or else 302.
    """

    __module__ = "wsgitornado.web"

    def initialize(self, url: str, permanent: bool = True) -> None:  # type: ignore[override]  # each handler takes its own
        self._url = url
        self._permanent = permanent

    def get(self, *args: Any, **kwargs: Any) -> None:
        url = self._url.format(
            *(quote_group(group or "") for group in args),
            **{name: quote_group(group or "") for name, group in kwargs.items()},
        )
        if browser_origin(url) != browser_origin(self._url):
            raise HTTPError(400, "Redirect URL cannot change the scheme or netloc")
        if url.startswith("/") and not url.startswith("//"):
            url = self.request.script_path + url
        if self.request.query_arguments:
            url = url_concat(url, list(qs_to_qsl(self.request.query_arguments)))
        self.redirect(url, permanent=self._permanent)
