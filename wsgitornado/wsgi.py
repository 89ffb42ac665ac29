"""The names of tornado.wsgi: other applications with us, and we with others."""

from __future__ import annotations

from typing import Any

from wsgitornado import _types
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.web import Application

__all__ = ["WSGIAdapter", "WSGIApplication", "WSGIContainer"]


class WSGIContainer:
    """Another WSGI application, where Tornado's programs put one.

    As in ``FallbackHandler, {"fallback": WSGIContainer(django_application)}``. Here
    the application needs no container, and one around it changes nothing.

    :param wsgi_application: any WSGI callable.
    :param executor: kept as ``executor``. On a server with threads the application
        runs in the thread that has the request.
    :raises TypeError: if the application is not callable.
    """

    def __init__(
        self, wsgi_application: _types.WSGIApplication, executor: Any = None
    ) -> None:
        if not callable(wsgi_application):
            raise TypeError(
                "a WSGIContainer holds a WSGI application, something to call with "
                f"environ and start_response: got {wsgi_application!r}"
            )
        self.wsgi_application = wsgi_application
        self.executor = executor

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        return self.wsgi_application(environ, start_response)

    @staticmethod
    def environ(request: HTTPServerRequest) -> WSGIEnvironment:
        """The WSGI environ of a request."""
        environ: WSGIEnvironment = request.environ
        return environ


class WSGIAdapter:
    """An Application as a WSGI callable, as Tornado before 6.0 had it.

    An Application here is one already; ``WSGIAdapter(application)`` calls it.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        return self.application(environ, start_response)


class WSGIApplication(Application):
    """The name that an Application for WSGI servers had before Tornado 4."""
