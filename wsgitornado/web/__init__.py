"""The names of tornado.web: handlers, applications and what goes with them."""

from __future__ import annotations

from typing import Any

from wsgitornado.routing import ReversibleRouter, Router, URLSpec
from wsgitornado.web.application import Application
from wsgitornado.web.decorators import addslash, authenticated, removeslash
from wsgitornado.web.embed import FallbackHandler
from wsgitornado.web.errors import (
    Finish,
    HTTPError,
    MissingArgumentError,
    StreamClosedError,
)
from wsgitornado.web.handler import RequestHandler
from wsgitornado.web.simple import ErrorHandler, RedirectHandler

__all__ = [
    "AppSettings",
    "Application",
    "CookieOptions",
    "ErrorHandler",
    "FallbackHandler",
    "Finish",
    "HTTPError",
    "HandlerInitArgs",
    "MissingArgumentError",
    "RedirectHandler",
    "RequestHandler",
    "ReversibleRouter",
    "Router",
    "StreamClosedError",
    "URLPattern",
    "URLSpec",
    "addslash",
    "authenticated",
    "removeslash",
    "url",
]

url = URLSpec

HandlerInitArgs = dict[str, Any]
URLPattern = tuple[str, type[RequestHandler], HandlerInitArgs, str]
AppSettings = dict[str, Any]
CookieOptions = dict[str, Any]
