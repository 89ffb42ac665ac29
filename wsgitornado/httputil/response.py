"""What a handler answers with: small WSGI applications that start it and return it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from wsgitornado._types import Body, HeaderList, StartResponse, WSGIEnvironment
from wsgitornado.httputil.errors import HTTPOutputError
from wsgitornado.httputil.headers import http_date

__all__ = [
    "BrokenResponse",
    "CollectedOutput",
    "Response",
    "WrittenResponse",
    "complete_headers",
]

#: What an asynchronous handler may flush before the server takes the first byte:
#: beyond it the handler is told, rather than the memory of the process used up.
MAX_COLLECTED: Final = 16 * 1024 * 1024

#: Marks the servers that send no Date of their own, as RFC 9110 section 6.6.1 asks:
#: uWSGI. waitress, gunicorn, gevent, mod_wsgi and wsgiref all do.
_SENDS_NO_DATE: Final = "uwsgi.version"


def complete_headers(environ: WSGIEnvironment, headers: HeaderList) -> HeaderList:
    """Add the Date that the server would leave out."""
    if _SENDS_NO_DATE in environ and not any(name == "Date" for name, _ in headers):
        return [*headers, ("Date", http_date(time.time()))]
    return headers


class Response:
    """A complete response: the headers are known and the body is in memory.

    :param body: what the server gets: a list, so that it knows the end at once.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: str, headers: HeaderList, body: list[bytes]) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> list[bytes]:
        headers = self.headers
        if _SENDS_NO_DATE in environ:
            headers = complete_headers(environ, headers)
        start_response(self.status, headers)
        return self.body


class WrittenResponse:
    """The end of a response that ``flush()`` has sent through the server's ``write``.

    :param on_close: called once, when the server is through with the request.
    """

    __slots__ = ("_on_close",)

    def __init__(self, on_close: Callable[[], None]) -> None:
        self._on_close: Callable[[], None] | None = on_close

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def close(self) -> None:
        """Called by the server at the end of the request (PEP 3333)."""
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()


class BrokenResponse(WrittenResponse):
    """The end of a response that failed after its beginning had been sent.

    The first step raises, so that the server cuts the connection and the client does
    not take the fragment for the whole.

    :ivar error: what it raises.
    """

    __slots__ = ("error",)

    def __init__(self, error: BaseException, on_close: Callable[[], None]) -> None:
        super().__init__(on_close)
        self.error = error

    def __iter__(self) -> Iterator[bytes]:
        # It is too early to raise: middleware asks for the iterator before it has a
        # body of its own to be closed.
        return self

    def __next__(self) -> bytes:
        raise self.error


class CollectedOutput:
    """A ``start_response`` that keeps what is sent, until all of it is there.

    An asynchronous handler runs on the loop's thread, where the server's own ``write``
    must not be called; and for HEAD there is nothing to send but the length, which
    servers get wrong in streams.

    :param is_kept: False to count the body and forget it, for HEAD.
    """

    __slots__ = ("_is_kept", "chunks", "headers", "size", "status")

    def __init__(self, is_kept: bool = True) -> None:
        self._is_kept = is_kept
        self.status = ""
        self.headers: HeaderList = []
        self.chunks: list[bytes] = []
        self.size = 0

    def __call__(
        self, status: str, headers: HeaderList, exc_info: object = None
    ) -> Callable[[bytes], None]:
        self.status = status
        self.headers = headers
        return self.write

    def write(self, chunk: bytes) -> None:
        """Keep a chunk.

        :raises HTTPOutputError: if that would be more than memory has room for.
        """
        size = self.size + len(chunk)
        if self._is_kept:
            if size > MAX_COLLECTED:
                raise HTTPOutputError(
                    f"an asynchronous handler flushed more than {MAX_COLLECTED} bytes"
                )
            self.chunks.append(chunk)
        self.size = size

    def response(self, has_length: bool) -> Response:
        """All of it, as a complete response.

        :param has_length: whether the headers say the length, or must not.
        """
        if not has_length:
            self.headers = [*self.headers, ("Content-Length", str(self.size))]
        return Response(self.status, self.headers, self.chunks)
