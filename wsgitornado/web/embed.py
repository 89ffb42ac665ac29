"""FallbackHandler: another WSGI application among our handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from wsgitornado._types import (
    Body,
    HeaderList,
    StartResponse,
    Write,
    WSGIApplication,
    WSGIEnvironment,
)
from wsgitornado.web.handler import RequestHandler

__all__ = ["FallbackHandler"]


class FallbackHandler(RequestHandler):
    """Hands the request to another WSGI application: ``{"fallback": django_app}``.

    The application gets the environ and answers through the server as if we were not
    there: its body is streamed and closed by the server. Nothing of the body is read
    before. The access log and ``on_finish`` follow when the server is through.

    :param fallback: any WSGI callable.
    :raises TypeError: if it is not callable.
    """

    __module__ = "wsgitornado.web"

    _reads_body = False

    def initialize(self, fallback: WSGIApplication) -> None:  # type: ignore[override]  # each handler takes its own
        if not callable(fallback):
            raise TypeError(
                "fallback is a WSGI application, something to call with environ and "
                f"start_response: got {fallback!r}"
            )
        self.fallback = fallback

    def prepare(self) -> None:
        self._finished = True
        self._response = _EmbeddedResponse(self, self.fallback)


class _EmbeddedResponse:
    """The answer of an embedded application, watched for its status and its end."""

    __slots__ = ("_application", "_handler", "_start_response")

    def __init__(self, handler: RequestHandler, application: WSGIApplication) -> None:
        self._handler = handler
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        handler = self._handler
        self._start_response = start_response
        try:
            body = self._application(environ, self._note_status)
        except Exception as error:
            return self._answer_failure(environ, error)
        if isinstance(body, (list, tuple)) and not hasattr(body, "close"):
            # Complete: there is no end to wait for.
            handler._end_contained()
            return body
        if _call_on_close(body, environ, handler._end_contained):
            return body
        return _WatchedBody(body, self, environ)

    def _note_status(
        self, status: str, headers: HeaderList, exc_info: Any = None
    ) -> Write:
        self._handler._status_code = int(status[:3])
        if exc_info is not None:
            return self._start_response(status, headers, exc_info)
        return self._start_response(status, headers)

    def _answer_failure(self, environ: WSGIEnvironment, error: Exception) -> Body:
        """Log the failure and answer 500, if nothing has been sent yet.

        Given exc_info the server replaces the headers it has not sent, and raises
        where it has (PEP 3333): then the response breaks off visibly.
        """
        handler = self._handler
        handler._finished = False
        handler._handle_request_exception(error)
        exc_info: Any = (type(error), error, error.__traceback__)
        start_response = self._start_response

        def replace(status: str, headers: HeaderList, _: Any = None) -> Write:
            return start_response(status, headers, exc_info)

        assert handler._response is not None
        return handler._response(environ, replace)


class _WatchedBody:
    """The body of an embedded application with something to do at its end."""

    __slots__ = ("_body", "_environ", "_is_closed", "_iterator", "_response")

    def __init__(
        self,
        body: Iterable[bytes],
        response: _EmbeddedResponse,
        environ: WSGIEnvironment,
    ) -> None:
        self._body = body
        self._iterator: Iterator[bytes] | None = None
        self._response = response
        self._environ = environ
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._iterator is None:
                self._iterator = iter(self._body)
            return next(self._iterator)
        except StopIteration:
            raise
        except Exception as error:
            self._iterator = iter(self._response._answer_failure(self._environ, error))
            return next(self._iterator)

    def close(self) -> None:
        """Called by the server, whatever became of the body (PEP 3333)."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._response._handler._end_contained()


def _call_on_close(
    body: Any, environ: WSGIEnvironment, callback: Callable[[], None]
) -> bool:
    """Hang a callback on a body of the server's file wrapper class.

    A wrapped one would not be recognised, and the file not sent by the short way.
    Returns False for anything else, and where the wrapper takes no attribute.
    """
    wrapper = environ.get("wsgi.file_wrapper")
    if not isinstance(wrapper, type) or not isinstance(body, wrapper):
        return False
    close = getattr(body, "close", None)

    def close_and_call() -> None:
        try:
            if close is not None:
                close()
        finally:
            callback()

    try:
        body.close = close_and_call  # type: ignore[attr-defined]  # tried
    except AttributeError:
        return False
    return True
