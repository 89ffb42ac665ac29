"""What a handler sends: status, headers, cookies, body, redirects, errors."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from waitress.channel import ClientDisconnected

from wsgitornado._types import HeaderList, Write, WSGIApplication
from wsgitornado.concurrent import DONE
from wsgitornado.escape import json_encode, utf8
from wsgitornado.httputil.errors import HTTPOutputError, StreamClosedError
from wsgitornado.httputil.headers import (
    HOP_BY_HOP_NAMES,
    HTTPHeaders,
    check_header_name,
    check_reason,
    convert_header_value,
    responses,
)
from wsgitornado.httputil.request import CONNECTION
from wsgitornado.httputil.response import (
    CollectedOutput,
    Response,
    WrittenResponse,
    complete_headers,
)
from wsgitornado.httputil.streams import IteratedBody, StreamedBody, StreamedResponse
from wsgitornado.log import app_log
from wsgitornado.web.cookies import CookiesChapter
from wsgitornado.web.etag import body_etag, etag_is_in
from wsgitornado.web.transforms import change_rest

__all__ = ["STATUSES_WITHOUT_BODY", "OutputChapter"]

# What servers raise from ``write`` when nobody takes the output any more; waitress has
# an exception of its own.
_CLIENT_HAS_LEFT: Final = (OSError, ClientDisconnected)

#: Headers that describe a body: 204 and 304 have none (RFC 9110 section 8.6, 15.4.5).
_REPRESENTATION_HEADERS: Final = (
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Type",
)

#: What ends at its headers (RFC 9110 sections 15.3.5 and 15.4.5).
STATUSES_WITHOUT_BODY: Final = frozenset({204, 304})


class OutputChapter(CookiesChapter):
    """RequestHandler's chapter on output."""

    _write: Write
    _bytes_left: int | None = None
    _client_has_left = False

    # The headers of the response, checked, by names as "Content-Type". ``_headers``
    # is a view of the same dictionary, made only for those who ask for it.
    _fields: dict[str, Any]
    _view: HTTPHeaders | None
    # False once the dictionary may hold repeated headers or such as concern the
    # connection alone.
    _is_plain: bool

    @property
    def _headers(self) -> HTTPHeaders:
        """The headers of the response, as Tornado's programs know them."""
        self._is_plain = False
        if self._view is None:
            self._view = HTTPHeaders.from_trusted(self._fields)
        return self._view

    @_headers.setter
    def _headers(self, headers: HTTPHeaders) -> None:
        self._is_plain = False
        self._view = headers
        self._fields = headers._values

    def set_default_headers(self) -> None:
        """Override it to set headers that every response has, errors too.

        Called at the beginning and again by :meth:`clear`, before an error page.
        """

    def clear(self) -> None:
        self._fields = {"Content-Type": "text/html; charset=UTF-8"}
        self._view = None
        self._is_plain = True
        self._write_buffer = []
        self._status_code = 200
        self._reason = "OK"
        self.set_default_headers()

    def set_status(self, status_code: int, reason: str | None = None) -> None:
        """The status of the response.

        :param reason: the phrase beside the number, by default the usual one, or
            "Unknown" for a number that has none.
        :raises TypeError: if the status is no integer.
        :raises ValueError: if it is not between 200 and 999 (a 1xx is no final answer:
            RFC 9110 section 15.2), or the reason holds a control character.
        """
        if not isinstance(status_code, int):
            raise TypeError(f"the status is an int, not {status_code!r}")
        if not 200 <= status_code <= 999:
            raise ValueError(f"the status of a response is 200 to 999: {status_code}")
        if reason is None:
            reason = responses.get(status_code, "Unknown")
        else:
            reason = check_reason(reason) or "Unknown"
        self._status_code = int(status_code)
        self._reason = reason

    def get_status(self) -> int:
        """The status of the response as it stands."""
        return self._status_code

    def set_header(self, name: str, value: Any) -> None:
        """Set a header, in place of all values it had.

        :param value: str, bytes, int or datetime (sent as an HTTP date).
        :raises TypeError: for any other value.
        :raises ValueError: if the name is no token, or the value holds a control
            character or text outside latin-1.
        """
        name = check_header_name(name)
        self._fields[name] = convert_header_value(value)
        if name in HOP_BY_HOP_NAMES:
            self._is_plain = False

    def add_header(self, name: str, value: Any) -> None:
        """Like :meth:`set_header`, but beside the values that the header has."""
        self._headers.add_trusted(check_header_name(name), convert_header_value(value))

    def clear_header(self, name: str) -> None:
        """Take a header away, with all its values; it need not be there."""
        if name in self._headers:
            del self._headers[name]

    def write(self, chunk: str | bytes | dict[Any, Any]) -> None:
        """Add to the body; it is sent by :meth:`flush` or at the end.

        A str is sent as UTF-8. A dict is sent as JSON, with a Content-Type that says
        so (to send another one, set it afterwards).

        :raises TypeError: for any other type. A list is refused on purpose: a JSON
            array at the top could be read by other sites in old browsers.
        :raises RuntimeError: after :meth:`finish`.
        """
        if self._finished:
            raise RuntimeError("Cannot write() after finish()")
        if self._parked is not None:
            self._parked.check_thread()
        if isinstance(chunk, str):
            chunk = chunk.encode()
        elif isinstance(chunk, dict):
            chunk = json_encode(chunk).encode("utf-8")
            self._fields["Content-Type"] = "application/json; charset=UTF-8"
        elif not isinstance(chunk, bytes):
            raise TypeError(_unwritable(chunk))
        self._write_buffer.append(chunk)

    def redirect(
        self, url: str, permanent: bool = False, status: int | None = None
    ) -> None:
        """Send the browser elsewhere and finish.

        :param url: sent as it is given, relative or not.
        :param permanent: 301 in place of 302.
        :param status: another 3xx, whatever ``permanent`` says.
        """
        if self._headers_written:
            raise RuntimeError("Cannot redirect after headers have been written")
        if status is None:
            status = 301 if permanent else 302
        elif not (isinstance(status, int) and 300 <= status <= 399):
            raise AssertionError(f"the status of a redirect is 300 to 399: {status!r}")
        self.set_status(status)
        self.set_header("Location", utf8(url))
        self.finish()

    def flush(
        self,
        include_footers: bool = False,
        callback: Callable[[], object] | None = None,
    ) -> Awaitable[None]:
        """Send what has been written so far, the headers first.

        In a thread it returns when the server has taken it, so that a fast handler
        waits for a slow client. On the event loop it returns an awaitable for the
        same: whoever does not wait for it may have 16 MB under way.

        :param include_footers: accepted for Tornado's sake, without effect.
        :param callback: (of old programs) called once the output is taken.
        :raises StreamClosedError: if the client has left.
        :raises HTTPOutputError: if this is more than the Content-Length that was set.
        """
        if self._finished:
            raise RuntimeError("Cannot flush() after finish()")
        if self._parked is not None:
            self._parked.check_thread()
        chunk = b"".join(self._write_buffer)
        self._write_buffer = []
        if not self._headers_written:
            taken = self._start_stream(chunk)
        else:
            taken = self._send(chunk)
        if callback is not None:
            _call_when_taken(taken, callback)
        return taken

    def finish(
        self, chunk: str | bytes | dict[Any, Any] | None = None
    ) -> Awaitable[None]:
        """End the response; called by itself when a verb method returns.

        :param chunk: written before the end.
        :raises RuntimeError: if the response is finished already, or has a body with
            a status that allows none.
        :raises HTTPOutputError: if the body is not as long as the Content-Length that
            the handler has set.
        """
        if self._finished:
            raise RuntimeError("finish() called twice")
        if self._parked is not None:
            self._parked.check_thread()
        if chunk is not None:
            self.write(chunk)
        if self._headers_written:
            return self._finish_stream()
        response = self._complete_response()
        self._finished = True
        if self._parked is not None:
            return self._end_with(response)
        self._response = response
        self._end()
        return DONE

    def _end_with(self, response: WSGIApplication) -> Awaitable[None]:
        """The request is over with a response that is complete."""
        if self._parked is None:
            self._response = response
            self._end()
            return DONE
        try:
            self._end()
        finally:
            # Last: from here on the server's thread goes its own way.
            taken = self._deliver(response)
        return taken

    def _deliver(self, response: WSGIApplication) -> Awaitable[None]:
        """Hop 8 begins: the response is what the application returns."""
        self._response = response
        return DONE

    def compute_etag(self) -> str | None:
        """The entity tag of the body written so far; None for no tag at all.

        Override it where a tag is cheaper to have than by hashing the body.
        """
        return body_etag(b"".join(self._write_buffer))

    def set_etag_header(self) -> None:
        """Set Etag to what :meth:`compute_etag` says; called at the end of a GET."""
        etag = self.compute_etag()
        if etag is None:
            return
        if not (type(etag) is str and etag.isascii() and etag.isprintable()):
            etag = convert_header_value(etag)
        self._fields["Etag"] = etag

    def check_etag_header(self) -> bool:
        """Whether the client has what our Etag names, so that a 304 will do.

        Called at the end of a GET; call it earlier, after :meth:`set_etag_header`, to
        save the work of making the body.
        """
        if_none_match = self.request.environ.get("HTTP_IF_NONE_MATCH")
        if not if_none_match:
            return False
        return etag_is_in(if_none_match, self._fields.get("Etag", ""))

    def _complete_response(self) -> Response:
        """Hop 7 for a response that is all in memory."""
        fields = self._fields
        method = self.request.environ["REQUEST_METHOD"]
        content = b"".join(self._write_buffer)
        # Joined once, for compute_etag too.
        self._write_buffer = [content]
        if (
            self._status_code == 200
            and (method == "GET" or method == "HEAD")
            and "Etag" not in fields
        ):
            self.set_etag_header()
            if self.check_etag_header():
                content = b""
                self.set_status(304)
        if self._status_code in STATUSES_WITHOUT_BODY:
            self._refuse_body(content)
        elif "Content-Length" not in fields:
            fields["Content-Length"] = str(len(content))
        else:
            self._check_length(len(content), is_head=method == "HEAD")
        if self._transforms:
            content = self._transform_first(content, finishing=True)
            self._check_length(len(content), is_head=method == "HEAD")
        body = [content] if content and method != "HEAD" else []
        if self._is_plain and self._new_cookies is None:
            headers: HeaderList = list(fields.items())
        else:
            headers = self._header_list()
        status_code, reason = self._status_code, self._reason
        is_usual = status_code == 200 and reason == "OK"
        status = "200 OK" if is_usual else f"{status_code} {reason}"
        return Response(status, headers, body)

    def _finish_with(self, body: bytes | StreamedBody) -> None:
        """End the response with a body that was made elsewhere, such as a file.

        The headers stand, its length among them. A stream is the server's to take;
        when it is closed, the request is over.
        """
        if self._status_code in STATUSES_WITHOUT_BODY:
            self._refuse_body(body)
        if self._transforms:
            body = self._transformed(body)
        status = f"{self._status_code} {self._reason}"
        if self._is_plain and self._new_cookies is None:
            headers: HeaderList = list(self._fields.items())
        else:
            headers = self._header_list()
        if isinstance(body, bytes):
            self._finished = True
            self._end_with(Response(status, headers, [body]))
        else:
            body.watch(self._log_failure, self._close_stream)
            self._finished = True
            self._deliver(StreamedResponse(status, headers, body))

    def _transformed(self, body: bytes | StreamedBody) -> bytes | StreamedBody:
        """What the transforms make of a body; small ones stay in one piece."""
        if isinstance(body, bytes):
            body = self._transform_first(body, finishing=True)
            self._check_length(len(body), is_head=False)
            return body
        chunk = next(body, b"")
        first = self._transform_first(chunk, finishing=False)
        if first is chunk and not change_rest(self._transforms):
            body.put_back(chunk)
            return body
        return IteratedBody(self._transform_rest(first, body), self._declared_length())

    def _transform_rest(self, first: bytes, body: StreamedBody) -> Iterator[bytes]:
        try:
            yield first
            for chunk in body:
                yield self._transform_chunk(chunk, finishing=False)
            yield self._transform_chunk(b"", finishing=True)
        finally:
            body.close()

    def _transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        for transform in self._transforms:
            chunk = transform.transform_chunk(chunk, finishing)
        return chunk

    def _log_failure(self, error: Exception) -> None:
        """A stream has failed, and is about to break off."""
        try:
            self.log_exception(type(error), error, error.__traceback__)
        except Exception:
            app_log.error("Error in exception logger", exc_info=True)

    def _close_stream(self, is_whole: bool) -> None:
        """The server is through with a stream, or the client with the server."""
        if not is_whole:
            self._note_departure()
        self._end_contained()

    def _refuse_body(self, content: bytes | StreamedBody) -> None:
        """A status without a body: raise if there is one, drop what describes it."""
        if content:
            raise RuntimeError(
                f"Cannot send body with status code HTTP{self._status_code}"
            )
        for name in _REPRESENTATION_HEADERS:
            self.clear_header(name)

    def _declared_length(self) -> int | None:
        """The Content-Length that the handler has set, if it has."""
        declared = self._headers.get("Content-Length")
        if declared is None:
            return None
        if not (declared.isascii() and declared.isdigit()):
            raise HTTPOutputError(
                f"Content-Length is a number of bytes: {declared!r} was set"
            )
        return int(declared)

    def _check_length(self, length: int, is_head: bool) -> None:
        """Raise if the handler has declared another length; HEAD may lack its body."""
        declared = self._declared_length()
        if declared is None or declared == length or (is_head and length == 0):
            return
        if declared < length:
            raise HTTPOutputError(
                "Tried to write more data than Content-Length: "
                f"{length} bytes, {declared} declared"
            )
        raise HTTPOutputError(
            f"Tried to write {declared - length} bytes less than Content-Length"
        )

    def _header_list(self) -> HeaderList:
        """The headers as ``start_response`` takes them.

        What concerns the connection alone is the server's: PEP 3333 forbids it here.
        """
        if "Connection" in self._fields:
            self._note_connection(self._headers["Connection"])
        headers = self._headers.end_to_end()
        for _, value in headers:
            # A program may have set it past set_header.
            convert_header_value(value)
        if self._new_cookies is not None:
            headers += [("Set-Cookie", text) for text in self._new_cookies.values()]
        return headers

    def _note_connection(self, value: str) -> None:
        """Tell a server of ours that the handler wants the connection closed."""
        options = [option.strip() for option in value.lower().split(",")]
        connection: Any = self.request.environ.get(CONNECTION)
        if connection is not None and "close" in options:
            connection.no_keep_alive = True

    def _start_stream(self, chunk: bytes) -> Awaitable[None]:
        """Send the headers and the first chunk through the server's ``write``."""
        if self._status_code in STATUSES_WITHOUT_BODY:
            self._refuse_body(chunk)
        if self._transforms:
            chunk = self._transform_first(chunk, finishing=False)
        self._bytes_left = self._declared_length()
        self._count(chunk)
        if self.request.method == "HEAD":
            self._start_response = CollectedOutput(is_kept=False)
        self._write = self._start_response(
            f"{self._status_code} {self._reason}",
            complete_headers(self.request.environ, self._header_list()),
        )
        self._headers_written = True
        return self._hand_over(chunk)

    def _send(self, chunk: bytes, finishing: bool = False) -> Awaitable[None]:
        chunk = self._transform_chunk(chunk, finishing)
        if self._status_code in STATUSES_WITHOUT_BODY:
            self._refuse_body(chunk)
        self._count(chunk)
        return self._hand_over(chunk) if chunk else DONE

    def _transform_first(self, chunk: bytes, finishing: bool) -> bytes:
        """Let the transforms change status, headers and the first of the body."""
        status_code, headers = self._status_code, self._headers
        for transform in self._transforms:
            status_code, headers, chunk = transform.transform_first_chunk(
                status_code, headers, chunk, finishing
            )
        if headers is not self._headers:
            self._headers = headers
        if status_code != self._status_code:
            self.set_status(status_code)
        if self._status_code in STATUSES_WITHOUT_BODY:
            self._refuse_body(chunk)
        return chunk

    def _count(self, chunk: bytes) -> None:
        """Raise before anything is sent that the Content-Length has no room for."""
        if self._bytes_left is None:
            return
        if len(chunk) > self._bytes_left:
            raise HTTPOutputError("Tried to write more data than Content-Length")
        self._bytes_left -= len(chunk)

    def _hand_over(self, chunk: bytes) -> Awaitable[None]:
        """Give a chunk to the server; in the server's thread this may wait."""
        try:
            taken = self._write(chunk)
        except _CLIENT_HAS_LEFT as error:
            self._note_departure()
            if isinstance(error, StreamClosedError):
                raise
            raise StreamClosedError(error) from error
        return taken if isinstance(taken, Future) else DONE

    def _note_departure(self) -> None:
        """The client has left: tell the handler, once."""
        if self._client_has_left:
            return
        self._client_has_left = True
        try:
            self.on_connection_close()
        except Exception:
            app_log.error("Uncaught exception in on_connection_close", exc_info=True)

    def on_connection_close(self) -> None:
        """Called when the client leaves before its answer is complete.

        Noticed when output is sent to it; the handler is told by ``flush`` too.
        """

    def _finish_stream(self) -> Awaitable[None]:
        """The end of a response whose headers are sent."""
        chunk, self._write_buffer = b"".join(self._write_buffer), []
        self._send(chunk, finishing=True)
        if self._bytes_left and self.request.method != "HEAD":
            raise HTTPOutputError(
                f"Tried to write {self._bytes_left} bytes less than Content-Length"
            )
        self._finished = True
        collected = self._start_response
        if isinstance(collected, CollectedOutput):
            has_length = self._status_code in STATUSES_WITHOUT_BODY
            return self._end_with(
                collected.response(has_length or "Content-Length" in self._fields)
            )
        return self._deliver(WrittenResponse(self._end_contained))

    def _end(self) -> None:
        """The request is over: log it, tell the handler, let go of its files. Once."""
        if self._is_over:
            return
        self._is_over = True
        try:
            try:
                self._log()
            except Exception as error:
                self.log_exception(type(error), error, error.__traceback__)
            self.on_finish()
        finally:
            if self.request.has_spool:
                self.request.close()

    def _log(self) -> None:
        """Write the line of the access log; programs override it to have none."""
        self.application.log_request(self)

    def _end_contained(self) -> None:
        """The same where nobody is left to answer for an exception."""
        try:
            self._end()
        except Exception:
            app_log.error("Uncaught exception in on_finish", exc_info=True)

    def on_finish(self) -> None:
        """Called once when the response is complete, also if its client has left.

        Override it for clean-up and for logs. It can send nothing any more.
        """


def _call_when_taken(taken: Awaitable[None], callback: Callable[[], object]) -> None:
    """The old way to hear of it; of a client that has left nothing is heard."""

    def call(future: Future[None]) -> None:
        if not future.cancelled() and future.exception() is None:
            callback()

    if isinstance(taken, Future):
        taken.add_done_callback(call)
    else:
        callback()


def _unwritable(chunk: object) -> str:
    hint = ": wrap it in a dict" if isinstance(chunk, (list, tuple)) else ""
    return (
        "write() only accepts bytes, unicode, and dict objects, "
        f"not {type(chunk).__name__}{hint}"
    )
