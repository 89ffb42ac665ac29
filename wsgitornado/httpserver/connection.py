"""One connection: bytes in, requests in order, responses out, and its deadlines."""

from __future__ import annotations

import asyncio
import io
import socket
import struct
import threading
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from wsgitornado._types import WSGIEnvironment
from wsgitornado.concurrent import is_on_loop
from wsgitornado.httpserver.environ import make_environ
from wsgitornado.httpserver.exchange import Exchange
from wsgitornado.httpserver.parsers import RequestError, RequestHead, RequestParser
from wsgitornado.httpserver.request_connection import ServerConnection
from wsgitornado.httpserver.response_head import simple_response
from wsgitornado.httpserver.sockets import set_socket_option, unread_bytes
from wsgitornado.httpserver.uploads import (
    CONTINUE,
    CollectedUpload,
    StreamedUpload,
    Upload,
)
from wsgitornado.httputil.errors import HTTPInputError, HTTPOutputError
from wsgitornado.httputil.request import CONNECTION
from wsgitornado.log import app_log, gen_log, one_line
from wsgitornado.parked import PARK, RECEIVE

if TYPE_CHECKING:
    from wsgitornado.httpserver.server import HTTPServer

__all__ = ["NO_INPUT", "Connection"]

#: What of a response may wait in the transport before its writer has to wait.
_MOST_UNREAD: Final = 64 * 1024

#: How many pipelined requests are answered before it is the turn of others.
_MOST_IN_A_TURN: Final = 16

#: Of what a client goes on sending after the last answer so much is thrown away, so
#: that it comes to reading the answer.
_MOST_DISCARDED: Final = 16 * 1024 * 1024

#: Closing a socket so discards what has not been sent and tells the client of it.
_RESET: Final = struct.pack("ii", 1, 0)


class _NoInput(io.RawIOBase):
    """``wsgi.input`` of a request without a body: one for all of them."""

    def read(self, size: int | None = -1) -> bytes:
        return b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return 0

    def close(self) -> None:
        """It is not anybody's own."""


NO_INPUT: Final = _NoInput()


class Connection(asyncio.Protocol):
    """The protocol of one connection; all of it runs on the loop.

    A request is read whole, answered, and only then the next one is looked at: what
    has come of it waits in the parser, up to ``max_read_ahead``. So pipelined requests
    are answered in order, whatever the answers wait for.

    :ivar peer: address and port of the client, as accepted; None for a unix socket.
    :ivar exchange: the request that is being received or answered.
    :ivar upload: its body, while it is collected, or as long as it is streamed.
    :ivar is_gone: whether nothing can be sent any more.
    :ivar is_closing: whether the response that is being sent is the last one.
    :ivar is_writable: whether the client takes what is sent.
    :ivar is_detached: whether another protocol has taken the connection.
    """

    __slots__ = (
        "_close_callback",
        "_discarded",
        "_gate",
        "_given",
        "_has_eof",
        "_in_this_turn",
        "_is_discarding",
        "_is_in_head",
        "_is_in_parser",
        "_is_reading_paused",
        "_is_resting",
        "_now",
        "_taken",
        "_when_writable",
        "address",
        "base",
        "exchange",
        "has_answered",
        "is_closing",
        "is_detached",
        "is_gone",
        "is_writable",
        "limits",
        "loop",
        "most_unread",
        "parser",
        "peer",
        "server",
        "transport",
        "upload",
        "visible",
    )

    base: WSGIEnvironment
    address: str
    transport: asyncio.Transport

    def __init__(self, server: HTTPServer, peer: tuple[str, int] | None = None) -> None:
        self.server = server
        self.peer = peer
        self.loop = server.loop
        self.limits = server.limits
        self.most_unread = _MOST_UNREAD
        self.exchange: Exchange | None = None
        self.upload: Upload | None = None
        self.has_answered = False
        self.is_gone = False
        self.is_closing = False
        self.is_writable = True
        self.is_detached = False
        self._close_callback: Callable[[], None] | None = None
        self._gate: threading.Condition | None = None
        self._when_writable: list[Callable[[], None]] = []
        # Bytes given to the transport, and how many of them the client had taken when
        # somebody looked.
        self._given = self._taken = 0
        self._discarded = 0
        self._in_this_turn = 0
        self._now = 0.0
        # Whether the client has closed its side.
        self._has_eof = False
        # Whether the answers are over, and what comes is thrown away.
        self._is_discarding = False
        # Whether a head has begun.
        self._is_in_head = False
        # Whether the parser has called us, and goes on by itself.
        self._is_in_parser = False
        self._is_reading_paused = False
        # Whether the next request waits for its turn, or for the client to read.
        self._is_resting = False
        self.visible = ServerConnection(self)
        self.parser = RequestParser(self, server.limits, server.parser)

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(_MOST_UNREAD)
        self.base = base = self.server.environ_of(transport)
        if self.peer is not None:
            # As accepted: of a client that has left already the transport knows none,
            # and it must not pass for another one.
            base["REMOTE_ADDR"] = self.peer[0]
            base["REMOTE_PORT"] = str(self.peer[1])
        self.address = base["REMOTE_ADDR"]
        base[CONNECTION] = self.visible
        self.server.note_open(self)
        self.server.idle_deadlines.set(self)

    def data_received(self, data: bytes) -> None:
        if self._is_discarding:
            self._discard(len(data))
            return
        self._now = monotonic()
        self._in_this_turn = 0
        parser = self.parser
        parser.feed(data)
        if self.exchange is None and not self._is_resting:
            self._await_more()
        elif parser.pending > self.limits.max_read_ahead:
            self._hold_back()

    def eof_received(self) -> bool:
        self._has_eof = True
        exchange = self.exchange
        if exchange is None:
            if not self._is_resting:
                # Idle, or in the midst of a head.
                self.close()
        elif exchange.is_parked or self._is_receiving():
            # A long poll counts as left, and half a body is none.
            self.cut()
        # Otherwise it has sent all that it had to say and waits for the answers:
        # netcat, health checkers. TLS has no such half-closed state.
        return not self.server.is_secure

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_gone = True
        server = self.server
        for deadlines in server.deadlines:
            deadlines.call_off(self)
        self._when_writable = []
        if self.upload is not None:
            self.upload.fail(HTTPInputError("the body broke off"))
        if self.exchange is not None:
            self.exchange.leave_here()
        self.open_gate()
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            _call(callback)
        server.note_lost(self)
        # The parser knows us, and so does what requests have in common.
        del self.parser
        self.base = {}

    def pause_writing(self) -> None:
        self.is_writable = False
        self._watch_writing()

    def resume_writing(self) -> None:
        self.is_writable = True
        if not self.is_closing:
            # Otherwise the rest of what is sent must get away too.
            self.server.write_deadlines.call_off(self)
        waiting, self._when_writable = self._when_writable, []
        for function in waiting:
            function()

    # What the parser calls.

    def on_head(self, head: RequestHead) -> None:
        server = self.server
        if self._is_in_head:
            self._is_in_head = False
            server.head_deadlines.call_off(self)
        environ = make_environ(head, self.base)
        exchange = self.exchange = Exchange(self, head, environ, self._now)
        environ[PARK] = exchange.park
        if server.proxies is not None:
            server.proxies.apply_to_environ(environ)
        if server.no_keep_alive:
            exchange.keeps_alive = False
        if head.content_length or head.is_chunked:
            self._begin_upload(exchange, head)

    def on_body(self, data: bytes) -> None:
        upload = self.upload
        if upload is None:
            # Nobody wants it any more.
            return
        try:
            upload.take(data)
        except HTTPInputError as error:
            self._refuse_upload(error)
        except OSError as error:
            # No descriptor or no room for a file.
            app_log.error("Cannot keep the body of a request", exc_info=error)
            self._refuse_upload(HTTPInputError("no room for the body", 503))

    def on_end(self) -> None:
        exchange, upload = self.exchange, self.upload
        if exchange is None:
            # It has been answered before its end.
            return
        if upload is not None:
            upload.end()
            if not isinstance(upload, CollectedUpload):
                self.parser.pause()
                return
            self.upload = None
            environ = exchange.environ
            environ["wsgi.input"] = upload.file()
            environ["CONTENT_LENGTH"] = str(upload.count)
        self._run(exchange)
        if self.exchange is not None:
            # What comes behind it has to wait.
            self.parser.pause()
            return
        self._in_this_turn += 1
        if self._in_this_turn > 1:
            self._rest_if_due()

    def on_error(self, error: RequestError) -> None:
        gen_log.warning(
            "Malformed HTTP message from %s: %s", self.address, one_line(str(error))
        )
        self._refuse(error)

    def _run(self, exchange: Exchange) -> None:
        self._is_in_parser = True
        try:
            server = self.server
            if server.workers is None or self.upload is not None:
                # All of a handler that streams its body runs on the loop.
                exchange.run_here(server.application)
            else:
                server.run(exchange, server.application)
        finally:
            self._is_in_parser = False

    # Bodies.

    def _begin_upload(self, exchange: Exchange, head: RequestHead) -> None:
        server, environ = self.server, exchange.environ
        most = self.limits.max_body_size
        self.visible.max_body_size = None
        if server.streams_body is not None and server.streams_body(environ):
            upload = StreamedUpload(self, most, head.expects_continue)
            self.upload = upload
            environ[RECEIVE] = upload.receive
            self._run(exchange)
        elif head.content_length is not None and head.content_length > most:
            error = f"body larger than {most} bytes"
            self._refuse_upload(HTTPInputError(error, 413))
        else:
            self.upload = CollectedUpload(self, most)
            if head.expects_continue:
                self.send(CONTINUE)

    def _refuse_upload(self, error: HTTPInputError) -> None:
        gen_log.warning("%d for %s: %s", error.status_code, self.address, error)
        self.parser.pause()
        self._refuse(error)

    def _refuse(self, error: HTTPInputError) -> None:
        """An error of the request itself, behind which nothing is read."""
        if isinstance(self.upload, StreamedUpload):
            # The handler is told, and answers.
            self.upload.fail(error)
        elif self.exchange is not None:
            self.exchange.refuse_here(error.status_code)
        else:
            server_line = self.server.server_line
            self.send(simple_response(error.status_code, server_line))
            self._finish()

    def _is_receiving(self) -> bool:
        return self.upload is not None and not self.upload.has_ended

    def look_at_body(self) -> None:
        """Called now and then while a body comes in: it must not trickle for ever."""
        upload = self.upload
        if upload is None:
            return
        if upload.is_too_slow():
            self.give_up_body(upload)
        else:
            self.server.body_deadlines.set(self)

    def give_up_body(self, upload: Upload) -> None:
        """The body comes too slowly."""
        if upload is self.upload and not upload.has_ended:
            self._refuse_upload(HTTPInputError("the body comes too slowly", 408))

    # Reading.

    def _await_more(self) -> None:
        """No request is being answered: the client has so long to go on."""
        if self.is_gone or self._is_discarding:
            return
        if not self.is_writable:
            # It must read before it gets more.
            self._rest()
        elif self._has_eof:
            self.close()
        elif self.parser.pending and not self.parser.is_between_requests:
            if not self._is_in_head:
                self._is_in_head = True
                self.server.head_deadlines.set(self)
        else:
            self.server.idle_deadlines.set(self)

    def _rest_if_due(self) -> None:
        """Others have their turn between the requests of one that sends many."""
        if self._is_discarding or self.is_gone:
            return
        unread = self.transport.get_write_buffer_size()
        if self._in_this_turn >= _MOST_IN_A_TURN or unread > _MOST_UNREAD:
            self._rest()

    def _rest(self) -> None:
        self._is_resting = True
        self.parser.pause()
        # First others; then it may be that the client has to read.
        self.loop.call_soon(self._end_rest)

    def _end_rest(self) -> None:
        if self.is_writable:
            self._is_resting = False
            self._go_on()
        elif not self.is_gone:
            self._when_writable.append(self._end_rest)

    def _go_on(self) -> None:
        """Look at what has come behind the request that has been answered."""
        if self.is_gone or self._is_discarding or self._is_resting:
            return
        if self.transport.get_write_buffer_size() > _MOST_UNREAD:
            # It must read before it gets more.
            self._rest()
            return
        self._now = monotonic()
        self._in_this_turn = 0
        self.resume_reading()
        self.parser.resume()
        if self.exchange is None and not self._is_resting:
            self._await_more()
        elif self._has_eof and self._is_receiving():
            # Half a body, of which no more will come.
            self.cut()

    def _hold_back(self) -> None:
        """A client that sends on and on before it has its answer."""
        if self.exchange is not None and self.exchange.is_parked:
            # Reading has to go on, or its leaving would not be noticed.
            gen_log.warning("%s sends too much behind a long poll", self.address)
            self.cut()
        else:
            self.pause_reading()

    def pause_reading(self) -> None:
        """Take no more for now; the other side will feel it."""
        if not self._is_reading_paused and not self.is_gone:
            self._is_reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._is_reading_paused and not self.is_gone:
            self._is_reading_paused = False
            self.transport.resume_reading()

    # Writing.

    def send(self, data: bytes) -> None:
        """Give bytes to the transport, which buffers what the client does not take."""
        # Closed: by a send that has failed, of which the loop has not told us yet.
        if data and not (self.is_gone or self.transport.is_closing()):
            self._given += len(data)
            self.transport.write(data)

    def when_writable(self, function: Callable[[], None]) -> None:
        """Call a function once there is room: now, or when the client has read."""
        if self.is_writable or self.is_gone:
            function()
        else:
            self._when_writable.append(function)

    def check_buffer(self) -> None:
        """Raise where a handler on the loop has written more than may wait.

        :raises ConnectionResetError: if the client has left, which the loop cannot say
            before the handler has come to an end.
        :raises HTTPOutputError: beyond ``max_buffer_size``.
        """
        if self.transport.is_closing():
            raise ConnectionResetError("the client has left")
        most = self.limits.max_buffer_size
        if self.transport.get_write_buffer_size() > most:
            raise HTTPOutputError(
                f"more than {most} bytes wait to be read, and on the event loop "
                "flush() cannot wait for the reader: use async def, or threads=N"
            )

    def gate(self) -> threading.Condition:
        """What threads that send wait at."""
        if self._gate is None:
            self._gate = threading.Condition()
        return self._gate

    def open_gate(self) -> None:
        """Let threads that wait look again."""
        if self._gate is not None:
            with self._gate:
                self._gate.notify_all()

    def _watch_writing(self) -> None:
        self._taken = self._given - unread_bytes(self.transport)
        self.server.write_deadlines.set(self)

    def look_at_writing(self) -> None:
        """Called a while after the client has ceased to read: has it gone on since?"""
        if not self.transport.get_write_buffer_size():
            return
        if self._given - unread_bytes(self.transport) > self._taken:
            self._watch_writing()
        else:
            self.cut()

    # The course of requests.

    def note_parked(self, exchange: Exchange) -> None:
        """The answer waits for something; nobody waits for the answer."""
        exchange.is_parked = True
        self.server.note_parked(self, 1)
        self.resume_reading()

    def note_unparked(self, exchange: Exchange) -> None:
        if exchange.is_parked:
            exchange.is_parked = False
            self.server.note_parked(self, -1)

    def note_end(self, exchange: Exchange) -> None:
        """The response has been handed over: on to the next request, or the end."""
        if exchange.is_parked:
            self.note_unparked(exchange)
        self.exchange = None
        self.has_answered = True
        self.server.note_answered(exchange)
        if self.is_gone or self.is_detached:
            return
        if self.upload is not None and self.upload.has_ended:
            self.upload = None
        if not exchange.keeps_alive or self.is_closing or self.upload is not None:
            self._finish(is_last=not exchange.head.keep_alive)
        elif not self._is_in_parser:
            self._go_on()

    def detach(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """See :meth:`ServerConnection.detach`."""
        exchange = self.exchange
        if not is_on_loop(self.loop):
            raise RuntimeError("detach() is for the event loop's thread: use async def")
        if exchange is None or exchange.head_is_sent or self._is_receiving():
            raise RuntimeError(
                "detach() is for a request whose body has been read, before its answer"
            )
        exchange.detach_here()
        self.is_detached = True
        rest = self.parser.detach()
        self.resume_reading()
        transport = self.transport
        transport.set_protocol(_Detached(self, protocol))
        protocol.connection_made(transport)
        if rest:
            protocol.data_received(rest)
        return transport

    # The end.

    def _finish(self, is_last: bool = False) -> None:
        """Close so that the client gets what has been sent (RFC 9112 section 9.6).

        :param is_last: whether the client has said that it sends nothing more.
        """
        if self._is_discarding or self.is_gone:
            return
        self.is_closing = True
        self.parser.pause()
        upload, self.upload = self.upload, None
        if upload is not None:
            upload.fail(HTTPInputError("nobody takes the rest of the body"))
        is_silent = is_last and upload is None and not self.parser.pending
        if self._has_eof or is_silent or self.server.is_secure:
            # TLS: asyncio waits for the client's own goodbye.
            self.close()
            return
        self._is_discarding = True
        self.resume_reading()
        self.transport.write_eof()
        self.server.linger_deadlines.set(self)
        if self.transport.get_write_buffer_size():
            self._watch_writing()

    def close(self) -> None:
        """Close as soon as everything is sent."""
        if self.is_gone:
            return
        self.is_closing = True
        if self.transport.is_closing():
            # A second close() leaves asyncio's TLS transports of no more use.
            return
        self.transport.close()
        if self.transport.get_write_buffer_size():
            self._watch_writing()

    def cut(self, is_reset: bool = False) -> None:
        """Cut the connection; what has not been sent is lost.

        :param is_reset: tell the client, where the end of the connection is the end of
            the response.
        """
        if self.is_gone:
            return
        self.is_gone = True
        if is_reset and not self.server.is_secure and self.peer is not None:
            set_socket_option(
                self.transport, socket.SOL_SOCKET, socket.SO_LINGER, _RESET
            )
        self.transport.abort()

    def close_if_idle(self) -> None:
        """Called when the client has been idle too long, and when the server stops."""
        is_idle = self.exchange is None and not self._is_resting
        is_idle = is_idle and not self.is_detached
        if is_idle and not self._is_in_head and not self._is_discarding:
            self.close()

    def give_up_head(self) -> None:
        """The head has not come in time."""
        if self._is_in_head and not self._is_discarding:
            self.parser.pause()
            self._refuse(HTTPInputError("", 408))

    def look_at_linger(self) -> None:
        """The client goes on sending, or has not closed its side."""
        if self.transport.get_write_buffer_size():
            # It still reads: that has a deadline of its own.
            self.server.linger_deadlines.set(self)
        else:
            self.cut()

    def _discard(self, size: int) -> None:
        self._discarded += size
        if self._discarded > _MOST_DISCARDED:
            # Until its time is over.
            self.pause_reading()

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Have a function called when the connection is lost."""
        if self.is_gone and callback is not None:
            self.loop.call_soon(_call, callback)
        else:
            self._close_callback = callback


class _Detached(asyncio.Protocol):
    """Between the transport of a connection and the protocol that has it now."""

    __slots__ = ("_connection", "_protocol")

    def __init__(self, connection: Connection, protocol: asyncio.Protocol) -> None:
        self._connection = connection
        self._protocol = protocol

    def data_received(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        try:
            self._protocol.connection_lost(exc)
        finally:
            self._connection.connection_lost(exc)


def _call(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception:
        app_log.error("Uncaught exception in a close callback", exc_info=True)
