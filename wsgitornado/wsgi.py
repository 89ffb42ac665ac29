"""The names of tornado.wsgi: other applications with us, and we with others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextvars import Context, copy_context
from typing import TypeVar

from wsgitornado import _types
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.web import Application

__all__ = ["WSGIAdapter", "WSGIApplication", "WSGIContainer"]

_Callable = TypeVar("_Callable", bound=_types.WSGIApplication)
_Result = TypeVar("_Result")


class WSGIContainer:
    """Another WSGI application, where Tornado's programs put one.

    As in ``FallbackHandler, {"fallback": WSGIContainer(django_application)}``. Here
    the application needs no container, and one around it changes nothing.

    :param wsgi_application: any WSGI callable.
    :param executor: runs the application, its body and the body's ``close()``, while
        the thread that has the request waits: with
        ``ThreadPoolExecutor(max_workers=1)`` an application that knows no threads has
        one of its own. Context variables go along. By default the application runs
        in the thread that has the request.
    :raises TypeError: if the application is not callable.
    """

    def __init__(
        self,
        wsgi_application: _types.WSGIApplication,
        executor: Executor | None = None,
    ) -> None:
        self.wsgi_application = _checked(wsgi_application, "a WSGIContainer")
        self.executor = executor

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        if self.executor is None:
            return self.wsgi_application(environ, start_response)
        worker = _Worker(self.executor)
        body = worker.run(lambda: self.wsgi_application(environ, start_response))
        if isinstance(body, (list, tuple)) and not hasattr(body, "close"):
            return body
        return _WorkedBody(body, worker)

    @staticmethod
    def environ(request: HTTPServerRequest) -> WSGIEnvironment:
        """The WSGI environ of a request."""
        environ: WSGIEnvironment = request.environ
        return environ


class WSGIAdapter:
    """An Application as a WSGI callable, as Tornado before 6.0 had it.

    An Application here is one already; ``WSGIAdapter(application)`` calls it.

    :raises TypeError: if the application is not callable.
    """

    def __init__(self, application: Application) -> None:
        self.application = _checked(application, "a WSGIAdapter")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        return self.application(environ, start_response)


class WSGIApplication(Application):
    """The name that an Application for WSGI servers had before Tornado 4."""


class _Worker:
    """An executor for the steps of one request, which all see the same context."""

    __slots__ = ("_context", "_executor")

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._context: Context = copy_context()

    def run(self, step: Callable[[], _Result]) -> _Result:
        """Take a step in the executor and wait for it; what it raises is raised."""
        return self._executor.submit(self._context.run, step).result()


class _WorkedBody:
    """The body of an application in an executor: each chunk is made there."""

    __slots__ = ("_body", "_iterator", "_worker")

    def __init__(self, body: Iterable[bytes], worker: _Worker) -> None:
        self._body = body
        self._iterator: Iterator[bytes] | None = None
        self._worker = worker

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._worker.run(self._next_chunk)

    def close(self) -> None:
        """Called by the server, whatever became of the body (PEP 3333)."""
        close = getattr(self._body, "close", None)
        if close is not None:
            self._worker.run(close)

    def _next_chunk(self) -> bytes:
        if self._iterator is None:
            self._iterator = iter(self._body)
        return next(self._iterator)


def _checked(application: _Callable, holder: str) -> _Callable:
    if not callable(application):
        raise TypeError(
            f"{holder} holds a WSGI application, something to call with environ and "
            f"start_response: got {application!r}"
        )
    return application
