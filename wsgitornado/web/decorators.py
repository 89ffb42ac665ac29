"""Decorators of verb methods, and one of handler classes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from wsgitornado.httputil.locations import browser_origin
from wsgitornado.httputil.urls import requote_path, url_concat
from wsgitornado.web.errors import HTTPError
from wsgitornado.web.handler import RequestHandler
from wsgitornado.web.waiting import ON_LOOP

__all__ = [
    "addslash",
    "asynchronous",
    "authenticated",
    "removeslash",
    "stream_request_body",
]

_Method = TypeVar("_Method", bound=Callable[..., Any])
_HandlerClass = TypeVar("_HandlerClass", bound=type[RequestHandler])


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


def asynchronous(method: _Method) -> _Method:
    """Let a method return before its response is finished: the way before coroutines.

    The method is called on the event loop; the response ends when something calls
    ``finish()`` there, such as a callback. If it returns an awaitable (of
    ``gen.coroutine``) the response ends with that at the latest.

    Tornado 6 has no such decorator any more; new code is written with ``async def``.
    """

    @functools.wraps(method)
    def wrapper(self: RequestHandler, *args: Any, **kwargs: Any) -> Any:
        self._auto_finish = False
        result = method(self, *args, **kwargs)
        return None if result is None else self._finish_after(result)

    setattr(wrapper, ON_LOOP, True)
    return wrapper  # type: ignore[return-value]  # the same signature


def stream_request_body(cls: _HandlerClass) -> _HandlerClass:
    """Have the body of a request come in parts, by ``data_received``.

    A decorator for handler classes. ``prepare`` is called before the body is read, and
    the verb method when all of it has come; ``request.body`` and the arguments of the
    body stay empty. All methods of such a handler are called on the event loop.

    :raises TypeError: for anything but a subclass of RequestHandler.
    """
    if not (isinstance(cls, type) and issubclass(cls, RequestHandler)):
        raise TypeError(f"expected subclass of RequestHandler, got {cls!r}")
    cls._streams_body = True
    cls._is_special = True
    return cls
