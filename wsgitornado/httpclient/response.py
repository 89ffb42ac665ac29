"""HTTPResponse, and the errors that a fetch raises in place of one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from wsgitornado.httputil import HTTPHeaders
from wsgitornado.httputil.headers import responses

if TYPE_CHECKING:
    from wsgitornado.httpclient.request import HTTPRequest

__all__ = [
    "HTTPClientError",
    "HTTPError",
    "HTTPResponse",
    "HTTPStreamClosedError",
    "HTTPTimeoutError",
]


class HTTPClientError(Exception):
    """Raised by ``fetch`` for an answer that is no success, or for want of one.

    Also known as ``HTTPError``; that of a handler is ``wsgitornado.web.HTTPError``.

    :ivar code: the status; 599 if there was no answer.
    :ivar message: the reason of the status line, or what has happened.
    :ivar response: the :class:`HTTPResponse`, or None if there was none.
    """

    __module__ = "wsgitornado.httpclient"

    def __init__(
        self,
        code: int,
        message: str | None = None,
        response: HTTPResponse | None = None,
    ) -> None:
        super().__init__(code, message, response)
        self.code = code
        self.message = message or responses.get(code, "Unknown")
        self.response = response

    def __str__(self) -> str:
        return f"HTTP {self.code}: {self.message}"

    # A response shows its error: the default would show the response in that.
    __repr__ = __str__


#: The older name.
HTTPError = HTTPClientError


class HTTPTimeoutError(HTTPClientError):
    """Raised by ``fetch`` when it took too long: status 599."""

    __module__ = "wsgitornado.simple_httpclient"

    def __init__(self, message: str) -> None:
        super().__init__(599, message)

    def __str__(self) -> str:
        return self.message


class HTTPStreamClosedError(HTTPClientError):
    """Raised by ``fetch`` when the connection ended before the answer: status 599.

    Also for an answer that is not HTTP, or larger than the client takes: the connection
    was closed then, and the log of ``wsgitornado.general`` says why.
    """

    __module__ = "wsgitornado.simple_httpclient"

    def __init__(self, message: str) -> None:
        super().__init__(599, message)

    def __str__(self) -> str:
        return self.message


class HTTPResponse:
    """The answer to an :class:`HTTPRequest`.

    :ivar request: the request that was fetched, also after redirects.
    :ivar code: the status, such as 200.
    :ivar reason: what the server called it.
    :ivar headers: :class:`~wsgitornado.httputil.HTTPHeaders`.
    :ivar buffer: the body, as a file in memory.
    :ivar effective_url: where the answer came from, after redirects.
    :ivar error: an exception, or None for a status from 200 to 299.
    :ivar request_time: seconds from the beginning of the fetch to its end, the wait for
        a free client included.
    :ivar start_time: when it began: ``time.time()``.
    :ivar time_info: for further times; empty.
    """

    __module__ = "wsgitornado.httpclient"

    def __init__(
        self,
        request: HTTPRequest,
        code: int,
        headers: HTTPHeaders | None = None,
        buffer: io.BytesIO | None = None,
        effective_url: str | None = None,
        error: BaseException | None = None,
        request_time: float | None = None,
        time_info: dict[str, float] | None = None,
        reason: str | None = None,
        start_time: float | None = None,
    ) -> None:
        self.request = request
        self.code = code
        self.reason = reason or responses.get(code, "Unknown")
        self.headers = HTTPHeaders() if headers is None else headers
        self.buffer = buffer
        self.effective_url = request.url if effective_url is None else effective_url
        # "raise_error=False" is about these only.
        self._error_is_response_code = False
        self.error = error
        if error is None and not 200 <= code < 300:
            self._error_is_response_code = True
            self.error = HTTPClientError(code, self.reason, self)
        self.start_time = start_time
        self.request_time = request_time
        self.time_info = time_info or {}

    @property
    def body(self) -> bytes:
        """The body; empty if it went to a ``streaming_callback``."""
        return b"" if self.buffer is None else self.buffer.getvalue()

    def rethrow(self) -> None:
        """Raise the ``error``, if there is one."""
        if self.error is not None:
            raise self.error

    def __repr__(self) -> str:
        fields = ",".join(
            f"{name}={value!r}" for name, value in sorted(vars(self).items())
        )
        return f"{type(self).__name__}({fields})"
