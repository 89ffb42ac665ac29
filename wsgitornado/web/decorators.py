"""Decorators of verb methods: the slash at the end of a path."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from wsgitornado.httputil.locations import browser_origin
from wsgitornado.httputil.urls import requote_path, url_concat
from wsgitornado.web.errors import HTTPError
from wsgitornado.web.handler import RequestHandler

__all__ = ["addslash", "authenticated", "removeslash"]

_Method = TypeVar("_Method", bound=Callable[..., Any])


def authenticated(method: _Method) -> _Method:
    """Let only users pass: those for whom ``current_user`` is something.

    Others are redirected to ``get_login_url()`` by GET and HEAD, and get a 403 by
    other methods. Unless the login URL has a query of its own, ``next`` says where
    they wanted to go: the path, or the whole URL if the login page is elsewhere.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        if self.current_user:
            return method(self, *args, **kwargs)
        if self.request.method not in ("GET", "HEAD"):
            raise HTTPError(403)
        login_url = self.get_login_url()
        if "?" not in login_url:
            login_url = url_concat(login_url, {"next": _next_url(self, login_url)})
        self.redirect(login_url)
        return None

    return wrapper  # type: ignore[return-value]  # the same signature


def _next_url(handler: RequestHandler, login_url: str) -> str:
    """Where to go after the login: never to another host, whatever the path."""
    uri = handler.request.uri
    if browser_origin(login_url) == browser_origin(uri) == ("", ""):
        return uri
    return handler.request.full_url()


def addslash(method: _Method) -> _Method:
    """Redirect GET and HEAD of ``/foo`` to ``/foo/``; other methods get a 404.

    The rule must match both: ``(r"/foo/?", Foo)``.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        if self.request.path.endswith("/"):
            return method(self, *args, **kwargs)
        return _redirect_to_path(self, self.request.path + "/")

    return wrapper  # type: ignore[return-value]  # the same signature


def removeslash(method: _Method) -> _Method:
    """Redirect GET and HEAD of ``/foo/`` to ``/foo``; other methods get a 404.

    The rule must match both: ``(r"/foo/*", Foo)``. The root keeps its slash.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        path = self.request.path
        if not path.endswith("/") or path.strip("/") == "":
            return method(self, *args, **kwargs)
        return _redirect_to_path(self, path.rstrip("/"))

    return wrapper  # type: ignore[return-value]  # the same signature


def _redirect_to_path(handler: RequestHandler, path: str) -> None:
    """A permanent redirect to another path of ours, the query kept.

    :raises HTTPError: 404 for a method that may change something, 403 if a browser
        would take the beginning of the path for a host.
    """
    request = handler.request
    if request.method not in ("GET", "HEAD"):
        raise HTTPError(404)
    location = request.script_path + requote_path(path)
    if browser_origin(location) != ("", ""):
        raise HTTPError(403, "cannot redirect path with two initial slashes")
    if request.query:
        location += "?" + request.query
    handler.redirect(location, permanent=True)
