"""The names of tornado.httpserver, and the servers that ``serve`` runs."""

from __future__ import annotations

from wsgitornado.httpserver.development import make_development_server
from wsgitornado.httputil import HTTPServerRequest

__all__ = ["HTTPRequest", "make_development_server"]

#: The name that the request had before Tornado 4.
HTTPRequest = HTTPServerRequest
