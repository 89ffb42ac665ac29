"""One request and its response on a connection: WSGI on one side, HTTP on the other."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from wsgitornado._types import (
    Body,
    HeaderList,
    Write,
    WSGIApplication,
    WSGIEnvironment,
)
from wsgitornado.concurrent import is_on_loop
from wsgitornado.httpserver.response_head import (
    CLOSE,
    DATE,
    LENGTH,
    SERVER,
    date_line,
    field_lines,
    simple_response,
    statuses,
)
from wsgitornado.httputil.errors import HTTPOutputError
from wsgitornado.httputil.streams import CHUNK_SIZE, FileBody, FileWrapper
from wsgitornado.log import app_log, one_line
from wsgitornado.parked import CancelledBeforeItBegan, ParkedResponse, Taken

if TYPE_CHECKING:
    from wsgitornado.httpserver.connection import Connection
    from wsgitornado.httpserver.parsers import RequestHead

__all__ = ["Exchange"]

#: How many chunks of a file are sent before it is the turn of others: 256 KB.
_PIECES_A_TURN: Final = 4

#: A body up to this is copied behind its head, to be sent in one piece.
_MOST_COPIED: Final = 16 * 1024

_NO_STATUS: Final = (b"", True, True)


class _WrongLength(HTTPOutputError):
    """The body is not as long as the application has said."""


class Exchange:
    """A request that is being answered.

    It is the ``start_response`` and the ``write`` of the application, the
    :class:`~wsgitornado.parked.Outlet` of its parked responses, and what puts all of
    that into HTTP. Methods that end in ``_here`` are for the loop's thread alone.

    :ivar environ: the request, as long as it is not answered.
    :ivar status: ``"200 OK"``, or nothing before the application has said.
    :ivar headers: those of the application.
    :ivar sent: how many bytes of the body have been sent.
    :ivar began: when the request came, by ``time.monotonic``.
    """

    __slots__ = (
        "_body",
        "_given",
        "_has_begun",
        "_has_body",
        "_is_chunked",
        "_is_detached",
        "_is_drained",
        "_left",
        "_parked",
        "_status",
        "_taken",
        "_waits_for_helper",
        "began",
        "connection",
        "environ",
        "has_ended",
        "head",
        "head_is_sent",
        "headers",
        "is_parked",
        "keeps_alive",
        "sent",
        "status",
    )

    def __init__(
        self,
        connection: Connection,
        head: RequestHead,
        environ: WSGIEnvironment,
        began: float,
    ) -> None:
        self.connection = connection
        self.head = head
        self.environ = environ
        self.began = began
        self.keeps_alive = head.keep_alive
        self.status = ""
        self.headers: HeaderList = []
        self.sent = 0
        self.head_is_sent = False
        self.has_ended = False
        self.is_parked = False
        self._status = _NO_STATUS
        # Whether the response has a body, as its head says.
        self._has_body = True
        self._is_chunked = False
        # What the declared length has room for; None without one.
        self._left: int | None = None
        # What the application returned, as long as the loop has to close it.
        self._body: Any = None
        self._parked: list[ParkedResponse] | None = None
        # Whether a thread has given something to the loop, which will send it; how many
        # bytes, and for how many of them the client has made room.
        self._has_begun = False
        self._given = 0
        self._taken = 0
        # Whether a helper iterates the body, and whether it has yet to begin.
        self._is_drained = False
        self._waits_for_helper = False
        self._is_detached = False

    # The application's side: any thread, one at a time.

    def start_response(
        self, status: str, headers: HeaderList, exc_info: Any = None, /
    ) -> Write:
        """As PEP 3333 has it; the headers go out with the first of the body."""
        if exc_info is not None:
            try:
                if self.head_is_sent or self._has_begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.has_ended:
            # The server has answered in its place, or the client has left: what is
            # written now goes nowhere.
            if self._is_detached:
                # For the log.
                self.status = status
            return self.write_now
        elif self._status is not _NO_STATUS:
            raise AssertionError(
                "start_response was called twice without exc_info (see PEP 3333)"
            )
        self._status = statuses[status]
        self.status = status
        self.headers = headers
        return self.write_now

    def write_now(self, data: bytes) -> None:
        """The old imperative way of sending output (PEP 3333).

        In a worker thread it waits for a reader that is slow; on the loop it must not,
        and raises beyond a limit.
        """
        if not isinstance(data, bytes):
            raise TypeError(f"write() takes bytes, not {type(data).__name__}")
        connection = self.connection
        if is_on_loop(connection.loop):
            self.send_here(data)
            connection.check_buffer()
        else:
            self.send_from_thread(data)

    def park(self) -> ParkedResponse:
        """Give a parked response of this server: ``environ["wsgitornado.park"]``."""
        parked = ParkedResponse(self)
        if self._parked is None:
            self._parked = []
        self._parked.append(parked)
        return parked

    # Running the application.

    def run_here(self, application: WSGIApplication) -> None:
        """Call the application on the loop, and send what it returns."""
        try:
            body: Any = application(self.environ, self.start_response)
            if type(body) is list:
                self.complete_here(_joined(body))
            else:
                self._take_here(body)
        except (KeyboardInterrupt, SystemExit) as error:
            # They end the loop too; uvloop's transports would keep them for themselves.
            self.refuse_here(500)
            self.connection.loop.call_soon(_leave_loop, error)
        except BaseException as error:
            self.fail_here(error)

    def run_in_thread(self, application: WSGIApplication) -> None:
        """The same in a worker thread, which may block for as long as it likes."""
        if self.has_ended:
            # The client has left before it was our turn.
            return
        post = self.connection.server.mailbox.put
        try:
            body: Any = application(self.environ, self.start_response)
            if type(body) is list:
                post(self._contained, self.complete_here, _joined(body))
            elif self._is_for_loop(body):
                post(self._contained, self._take_here, body)
            else:
                self._iterate(body)
        except BaseException as error:
            post(self.fail_here, error)

    def _contained(self, function: Callable[[Any], None], argument: Any) -> None:
        try:
            function(argument)
        except Exception as error:
            self.fail_here(error)

    def _is_for_loop(self, body: Any) -> bool:
        """Whether the loop can take what the application returned without waiting."""
        if isinstance(body, FileWrapper):
            return _never_waits(body.filelike)
        return isinstance(body, (list, tuple)) or self._is_ours(body)

    def _is_ours(self, body: Any) -> bool:
        return self._parked is not None and any(body is one for one in self._parked)

    def _take_here(self, body: Any) -> None:
        """Deal with what the application returned, which is to be closed."""
        server = self.connection.server
        if not self._is_for_loop(body) and server.has_helpers():
            self._is_drained = self._waits_for_helper = True
            server.patience.set(self)
            server.helpers.submit(partial(self._drain, body))
            return
        self._body = body
        if self.has_ended or self.connection.is_gone:
            self._close_body()
        elif not self._is_for_loop(body):
            server.refuse(self)
        elif self._is_ours(body):
            self._commit_here(body)
        elif isinstance(body, FileWrapper):
            self._send_file_here(body)
        else:
            self.end_here(_joined(body))

    def _commit_here(self, parked: ParkedResponse) -> None:
        connection = self.connection
        if connection.server.may_park(connection):
            connection.note_parked(self)
            parked.commit()
        else:
            connection.server.refuse(self)

    def _drain(self, body: Body) -> None:
        """Iterate a body in a helper thread."""
        # From here on it is nobody's turn to refuse it.
        self._waits_for_helper = False
        try:
            self._iterate(body)
        except BaseException as error:
            self.connection.server.mailbox.put(self.fail_here, error)

    def _iterate(self, body: Body) -> None:
        """Iterate a body in a thread; each chunk goes out as soon as it is there."""
        try:
            # Nobody may be left to take it: then it is only closed.
            if not self.has_ended:
                for chunk in body:
                    if not isinstance(chunk, bytes):
                        raise TypeError(f"a body consists of bytes: got {chunk!r}")
                    if chunk:
                        self.send_from_thread(chunk)
                    elif not self.status:
                        raise _unstarted()
        finally:
            # In this thread, like all that the application does.
            _close(body)
        self.connection.server.mailbox.put(self._contained, self.end_here, b"")

    def refuse_if_waiting_here(self) -> None:
        """No helper has had time for what the application returned."""
        if self._waits_for_helper:
            self.connection.server.refuse(self)

    # Sending.

    def complete_here(self, body: bytes) -> None:
        """A response whose body is all there."""
        if self.has_ended:
            return
        connection = self.connection
        if connection.is_gone:
            self._finish_here()
            return
        if self.head_is_sent:
            # write() has been used.
            self.end_here(body)
            return
        head = self._head(len(body))
        if not self._has_body:
            body = b""
        elif self._left is not None and self._left != len(body):
            raise _wrong_length(len(body), self._left)
        self.head_is_sent = True
        self.sent = len(body)
        if len(body) <= _MOST_COPIED:
            connection.send(head + body)
        else:
            connection.send(head)
            connection.send(body)
        self._finish_here()

    def send_here(self, data: bytes) -> None:
        """Some of the body.

        :raises ConnectionResetError: if nobody takes it any more.
        """
        connection = self.connection
        if self._is_abandoned():
            raise _departed()
        head = b""
        if not self.head_is_sent:
            head = self._head(None)
            self.head_is_sent = True
        if not (self._has_body and data):
            connection.send(head)
            return
        if self._left is not None:
            if len(data) > self._left:
                raise _wrong_length(len(data), self._left)
            self._left -= len(data)
        self.sent += len(data)
        if self._is_chunked:
            head += b"%x\r\n" % len(data)
            tail = b"\r\n"
        else:
            tail = b""
        if len(data) <= _MOST_COPIED:
            connection.send(head + data + tail)
        else:
            connection.send(head)
            connection.send(data)
            connection.send(tail)

    def end_here(self, data: bytes = b"") -> None:
        """The last of the body."""
        if self._is_detached:
            # Nothing of it is sent, but the request is over.
            self.leave_here()
        if self.has_ended:
            return
        if not self.head_is_sent:
            self.complete_here(data)
            return
        if self.connection.is_gone:
            self._finish_here()
            return
        if data:
            self.send_here(data)
        if self._has_body:
            if self._left:
                raise _wrong_length(0, self._left)
            if self._is_chunked:
                self.connection.send(b"0\r\n\r\n")
        self._finish_here()

    def send_from_thread(self, data: bytes) -> None:
        """Some of the body, from a thread; waits while the reader is too slow.

        :raises ConnectionResetError: if nobody takes it any more.
        """
        connection = self.connection
        if self._given - self._taken >= connection.most_unread:
            self._wait_for_reader()
        if connection.is_gone or self.has_ended:
            raise _departed()
        self._has_begun = True
        self._given += len(data)
        server = connection.server
        server.mailbox.put(self._send_counted_here, data)
        server.helpers.note_moving()

    def _wait_for_reader(self) -> None:
        connection = self.connection
        gate = connection.gate()
        connection.server.helpers.note_waiting()
        with gate:
            gate.wait_for(
                lambda: (
                    connection.is_gone
                    or self.has_ended
                    or self._given - self._taken < connection.most_unread
                )
            )

    def _send_counted_here(self, data: bytes) -> None:
        if self.has_ended:
            return
        try:
            self.send_here(data)
        except Exception as error:
            self.fail_here(error)
            return
        self.connection.when_writable(partial(self._note_taken, len(data)))

    def _note_taken(self, size: int) -> None:
        self._taken += size
        self.connection.open_gate()

    # Files.

    def _send_file_here(self, wrapper: FileWrapper) -> None:
        """A file, in pieces, each when the reader has made room for it."""
        if not self.head_is_sent:
            # What it says about the length decides how much of the file is read.
            self._head(None)
        if self._has_body:
            self._send_pieces_here(wrapper.filelike.read)
        else:
            self.end_here()

    def _send_pieces_here(self, read: Callable[[int], bytes]) -> None:
        if self.has_ended:
            return
        connection = self.connection
        try:
            for _ in range(_PIECES_A_TURN):
                left = self._left
                size = CHUNK_SIZE if left is None else min(left, CHUNK_SIZE)
                piece = read(size) if size else b""
                if not piece:
                    self.end_here()
                    return
                self.send_here(piece)
                if not connection.is_writable:
                    connection.when_writable(partial(self._send_pieces_here, read))
                    return
        except Exception as error:
            self.fail_here(error)
        else:
            connection.loop.call_soon(self._send_pieces_here, read)

    # The outlet of parked responses: on the loop.

    def write(self, chunk: bytes, taken: Taken) -> None:
        """Send a chunk of a parked response."""
        try:
            self.send_here(chunk)
        except Exception as error:
            self.fail_here(error)
            taken(error)
        else:
            self.connection.when_writable(partial(taken, None))

    def end(self, chunk: bytes, taken: Taken) -> None:
        """Send the last chunk of a parked response."""
        try:
            self.end_here(chunk)
        except Exception as error:
            self.fail_here(error)
            taken(error)
        else:
            self.connection.when_writable(partial(taken, None))

    def fail(self, error: BaseException) -> None:
        """Break a parked response off; where the process ends: to be asked again."""
        if isinstance(error, CancelledBeforeItBegan | KeyboardInterrupt | SystemExit):
            self.connection.server.refuse(self)
        else:
            self.fail_here(error)

    def respond(self, application: WSGIApplication) -> None:
        """Let a WSGI callable answer in place of a parked handler."""
        if not self.has_ended:
            self.connection.note_unparked(self)
            self._body = None
            self.connection.server.run(self, application)

    def call(self, function: Callable[[], None]) -> None:
        """Run a plain function of a parked handler where plain functions run."""
        workers = self.connection.server.workers
        if workers is None:
            function()
        else:
            workers.submit(function)

    # The end.

    def fail_here(self, error: BaseException) -> None:
        """The application has failed: 500, or a response that is visibly broken off."""
        is_told = isinstance(error, HTTPOutputError) and not isinstance(
            error, _WrongLength
        )
        if isinstance(error, ConnectionError) and self._is_abandoned():
            # The client's right.
            pass
        elif not (is_told and self.head_is_sent):
            # Those who break a response off on purpose have told why.
            app_log.error(
                "Uncaught exception %s %s",
                self.head.method,
                one_line(self.head.target),
                exc_info=(type(error), error, error.__traceback__),
            )
        self.refuse_here(500)

    def _is_abandoned(self) -> bool:
        connection = self.connection
        if connection.is_gone or self.has_ended:
            return True
        # A send that has failed closes the transport. The loop says so at its next
        # turn, which does not come as long as a coroutine only writes.
        return connection.transport.is_closing()

    def refuse_here(self, status_code: int, *headers: str) -> None:
        """Answer with an error of the server's own, and close.

        A response that has begun is broken off, so that the client sees it.
        """
        if self.has_ended:
            return
        self.keeps_alive = False
        connection = self.connection
        if self.head_is_sent:
            is_to_the_end = not self._is_chunked and self._left is None
            connection.cut(is_reset=is_to_the_end and self._has_body)
        elif not connection.is_gone:
            self.head_is_sent = True
            self.status = str(status_code)
            self.headers = []
            connection.send(
                simple_response(
                    status_code,
                    connection.server.server_line,
                    *headers,
                    is_head=self.head.method == "HEAD",
                )
            )
        self._finish_here()

    def send_away_here(self) -> None:
        """The server ends: have the client told to come again.

        A coroutine that waits is cancelled, and its handler answers 503, so that the
        access log says what the client got.
        """
        parked = self._parked if self.is_parked else None
        if parked and all(one.task is not None for one in parked):
            for one in parked:
                one.cancel()
        else:
            self.connection.server.refuse(self)

    def leave_here(self) -> None:
        """The client has gone, or the server has cut the connection."""
        if self._is_detached:
            self._is_detached = self.has_ended = False
        self._finish_here()

    def detach_here(self) -> None:
        """Nothing of a response is to be sent: the connection speaks no HTTP more."""
        self.has_ended = self.head_is_sent = self._is_detached = True
        self.keeps_alive = False

    def _finish_here(self) -> None:
        if self.has_ended:
            return
        self.has_ended = True
        if self._is_drained:
            self.connection.server.patience.call_off(self)
        if self._body is not None:
            self._close_body()
        if self._parked is not None:
            for parked in self._parked:
                parked.close()
        self.connection.note_end(self)
        # Environ knows us by its "wsgitornado.park": what knows environ goes, so that
        # nothing is left for the garbage collector.
        self.environ = {}

    def _close_body(self) -> None:
        body, self._body = self._body, None
        try:
            _close(body)
        except Exception:
            app_log.error("Uncaught exception in close()", exc_info=True)

    # The head of the response.

    def _head(self, length: int | None) -> bytes:
        """Status line and fields.

        :param length: of a body that is complete; None for one that is streamed.
        """
        if not self.status:
            raise _unstarted()
        line, has_body, _ = self._status
        lines = [line]
        meanings = self._add_fields(lines)
        if meanings & CLOSE:
            self.keeps_alive = False
        self._has_body = has_body and self.head.method != "HEAD"
        if has_body and not meanings & LENGTH:
            self._frame(length, lines)
        if not meanings & DATE:
            lines.append(date_line())
        connection = self.connection
        if not meanings & SERVER:
            lines.append(connection.server.server_line)
        if not self.keeps_alive or connection.is_closing:
            self.keeps_alive = False
            lines.append(b"Connection: close\r\n")
        elif self.head.version == (1, 0):
            lines.append(b"Connection: keep-alive\r\n")
        lines.append(b"\r\n")
        return b"".join(lines)

    def _add_fields(self, lines: list[bytes]) -> int:
        """The fields of the application; returns what they mean to the server."""
        meanings = 0
        for name, value in self.headers:
            line, meaning, length = field_lines[name, value]
            if meaning:
                if meaning & meanings & LENGTH:
                    raise HTTPOutputError("Content-Length is there twice")
                meanings |= meaning
                if meaning == LENGTH:
                    self._left = length
                    may_have_length = self._status[2]
                    if not may_have_length:
                        continue
            lines.append(line)
        return meanings

    def _frame(self, length: int | None, lines: list[bytes]) -> None:
        """How the client finds the end (RFC 9112 section 6.3)."""
        if length is not None:
            # Nobody knows how long the body is that HEAD leaves out.
            if length or self._has_body:
                lines.append(b"Content-Length: %d\r\n" % length)
        elif self.head.version >= (1, 1):
            self._is_chunked = True
            lines.append(b"Transfer-Encoding: chunked\r\n")
        else:
            # The end of the connection says it.
            self.keeps_alive = False


def _leave_loop(error: BaseException) -> None:
    raise error


def _joined(body: Any) -> bytes:
    if len(body) == 1:
        chunk = body[0]
        if type(chunk) is bytes:
            return chunk
    return b"".join(body)


def _close(body: Any) -> None:
    """As PEP 3333 asks a server to do with what the application returned."""
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _never_waits(file: Any) -> bool:
    """Whether reading is a matter of memory or of a disk, which the loop may do."""
    if isinstance(file, (FileBody, io.BytesIO)):
        return True
    try:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):
        return False


def _departed() -> ConnectionResetError:
    return ConnectionResetError("the client has left")


def _wrong_length(length: int, left: int) -> _WrongLength:
    if length > left:
        return _WrongLength("more data than Content-Length")
    return _WrongLength(f"{left - length} bytes less than Content-Length")


def _unstarted() -> RuntimeError:
    return RuntimeError(
        "the application answered without calling start_response: it must, before the "
        "first chunk of the body (PEP 3333)"
    )
