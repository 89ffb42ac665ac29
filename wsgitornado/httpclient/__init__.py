"""The names of tornado.httpclient: clients, requests, responses and their errors."""

from __future__ import annotations

from wsgitornado.httpclient.client import AsyncHTTPClient, HTTPClient
from wsgitornado.httpclient.request import HTTPRequest
from wsgitornado.httpclient.response import HTTPClientError, HTTPError, HTTPResponse

__all__ = [
    "AsyncHTTPClient",
    "HTTPClient",
    "HTTPClientError",
    "HTTPError",
    "HTTPRequest",
    "HTTPResponse",
]
