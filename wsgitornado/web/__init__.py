"""The names of tornado.web: handlers, applications and what goes with them."""

from __future__ import annotations

from typing import Any

from wsgitornado.httputil.errors import StreamClosedError
from wsgitornado.routing import ReversibleRouter, Router, URLSpec
from wsgitornado.web.application import Application
from wsgitornado.web.cors import CORSMixin
from wsgitornado.web.decorators import (
    addslash,
    asynchronous,
    authenticated,
    removeslash,
    stream_request_body,
)
from wsgitornado.web.embed import FallbackHandler
from wsgitornado.web.errors import Finish, HTTPError, MissingArgumentError
from wsgitornado.web.events import EventSource
from wsgitornado.web.handler import RequestHandler
from wsgitornado.web.modules import TemplateModule, UIModule
from wsgitornado.web.request_ids import RequestIdFilter, current_request_id
from wsgitornado.web.sessions import Session, SessionMixin
from wsgitornado.web.signing import (
    DEFAULT_SIGNED_VALUE_MIN_VERSION,
    DEFAULT_SIGNED_VALUE_VERSION,
    MAX_SUPPORTED_SIGNED_VALUE_VERSION,
    MIN_SUPPORTED_SIGNED_VALUE_VERSION,
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)
from wsgitornado.web.simple import ErrorHandler, RedirectHandler
from wsgitornado.web.static import StaticFileHandler
from wsgitornado.web.transforms import GZipContentEncoding, OutputTransform

__all__ = [
    "DEFAULT_SIGNED_VALUE_MIN_VERSION",
    "DEFAULT_SIGNED_VALUE_VERSION",
    "MAX_SUPPORTED_SIGNED_VALUE_VERSION",
    "MIN_SUPPORTED_SIGNED_VALUE_VERSION",
    "AppSettings",
    "Application",
    "CORSMixin",
    "CookieOptions",
    "ErrorHandler",
    "EventSource",
    "FallbackHandler",
    "Finish",
    "GZipContentEncoding",
    "HTTPError",
    "HandlerInitArgs",
    "MissingArgumentError",
    "OutputTransform",
    "RedirectHandler",
    "RequestHandler",
    "RequestIdFilter",
    "ReversibleRouter",
    "Router",
    "Session",
    "SessionMixin",
    "StaticFileHandler",
    "StreamClosedError",
    "TemplateModule",
    "UIModule",
    "URLPattern",
    "URLSpec",
    "addslash",
    "asynchronous",
    "authenticated",
    "create_signed_value",
    "current_request_id",
    "decode_signed_value",
    "get_signature_key_version",
    "removeslash",
    "stream_request_body",
    "url",
]

url = URLSpec

HandlerInitArgs = dict[str, Any]
URLPattern = tuple[str, type[RequestHandler], HandlerInitArgs, str]
AppSettings = dict[str, Any]
CookieOptions = dict[str, Any]
