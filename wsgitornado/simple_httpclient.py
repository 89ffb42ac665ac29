"""The names of tornado.simple_httpclient: the client, and two of its errors."""

from __future__ import annotations

from wsgitornado.httpclient import HTTPError, HTTPRequest, HTTPResponse
from wsgitornado.httpclient.client import SimpleAsyncHTTPClient
from wsgitornado.httpclient.response import HTTPStreamClosedError, HTTPTimeoutError

__all__ = [
    "HTTPError",
    "HTTPRequest",
    "HTTPResponse",
    "HTTPStreamClosedError",
    "HTTPTimeoutError",
    "SimpleAsyncHTTPClient",
]
