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
from wsgitornado.httputil.body import read_body
from wsgitornado.httputil.errors import StreamClosedError
from wsgitornado.parked import ParkedResponse
from wsgitornado.web.handler import RequestHandler

__all__ = ["FallbackHandler"]


class FallbackHandler(RequestHandler):
    """Hands the request to another WSGI application: ``{"fallback": django_app}``.

    The application gets the environ and answers through the server as if we were not
    there: its body is streamed and closed by the server, except that HEAD gets none.
    Nothing of the request's body is read before. The access log and ``on_finish``
    follow when the server is through; an Application of ours logs its requests
    itself, so that each has one line.

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
        self._deliver(_EmbeddedResponse(self, self.fallback))

    def _end(self) -> None:
        if self._is_over or not hasattr(self.fallback, "log_request"):
            super()._end()
            return
        self._is_over = True
        try:
            self.on_finish()
        finally:
            if self.request.has_spool:
                self.request.close()


class _EmbeddedResponse:
    """The answer of an embedded application, watched for its status and its end."""

    __slots__ = (
        "_application",
        "_handler",
        "_is_head",
        "_is_started",
        "_start_response",
        "_write",
        "has_output",
    )

    _start_response: StartResponse
    _write: Write

    def __init__(self, handler: FallbackHandler, application: WSGIApplication) -> None:
        self._handler = handler
        self._application = application
        self._is_head = handler.request.method == "HEAD"
        self._is_started = False
        #: Whether a part of the body is gone: then nothing can replace the answer.
        self.has_output = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        handler = self._handler
        self._start_response = start_response
        # From here on it is this thread's, also after an asynchronous prepare.
        handler._parked = None
        handler._start_response = start_response
        if handler.request.has_spool:
            # A prepare() of the program has read the body: back to its beginning.
            read_body(environ, handler.application.body_limits)
        try:
            body = self._application(environ, self._note_status)
            if isinstance(body, (list, tuple)) and not hasattr(body, "close"):
                # Complete: there is no end to wait for.
                self.check_is_started()
                handler._end_contained()
                return [] if self._is_head else body
        except Exception as error:
            return self.answer_failure(environ, error)
        if isinstance(body, ParkedResponse):
            # An asynchronous handler of ours; wrapped it could not be parked.
            body.call_on_close(handler._end_contained)
            return body
        if self._is_head:
            return _DroppedBody(body, self, environ)
        if _call_on_close(body, environ, handler._end_contained):
            return body
        return _WatchedBody(body, self, environ)

    def check_is_started(self) -> None:
        """Raise if there is a body without a status."""
        if not self._is_started:
            raise RuntimeError(
                f"{self._application!r} answered without calling start_response: it "
                "must, before the first chunk of the body (PEP 3333)"
            )

    def end(self) -> None:
        self._handler._end_contained()

    def _note_status(
        self, status: str, headers: HeaderList, exc_info: Any = None
    ) -> Write:
        self._handler._status_code = int(status[:3])
        self._is_started = True
        if exc_info is not None:
            self._write = self._start_response(status, headers, exc_info)
        else:
            self._write = self._start_response(status, headers)
        return self._note_write

    def _note_write(self, data: bytes) -> None:
        """The old imperative way of sending output (PEP 3333, The write() Callable)."""
        try:
            self._write(b"" if self._is_head else data)
        except OSError as error:
            self._handler._note_departure()
            raise StreamClosedError(error) from error
        if data:
            self.has_output = True

    def answer_failure(self, environ: WSGIEnvironment, error: Exception) -> Body:
        """Log the failure and answer 500, or raise it again if output has begun.

        Raised to the server it breaks the response off visibly. What is not sent yet
        the server replaces (PEP 3333, Error Handling): it is given exc_info.
        """
        handler = self._handler
        if self.has_output:
            handler._handle_request_exception(error)
            handler._end_contained()
            if isinstance(error, StreamClosedError) and error.real_error is not None:
                # The server's own error: it knows what to do about it.
                raise error.real_error
            raise error
        handler._finished = False
        handler._handle_request_exception(error)
        self._is_started = True
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
            return self._next_chunk(self._iterator)
        except StopIteration:
            raise
        except Exception as error:
            answer = self._response.answer_failure(self._environ, error)
            self._iterator = iter(answer)
            return next(self._iterator)

    def _next_chunk(self, iterator: Iterator[bytes]) -> bytes:
        response = self._response
        try:
            chunk = next(iterator)
        except StopIteration:
            response.check_is_started()
            raise
        response.check_is_started()
        if chunk:
            response.has_output = True
        return chunk

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
            self._response.end()


class _DroppedBody(_WatchedBody):
    """The body of an answer to HEAD, which ends at its headers.

    Not every server drops what Django and others give it: it would be taken for the
    beginning of the next answer.
    """

    __slots__ = ()

    def __next__(self) -> bytes:
        if self._iterator is None:
            # The headers may come as late as the first chunk.
            super().__next__()
        raise StopIteration


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
