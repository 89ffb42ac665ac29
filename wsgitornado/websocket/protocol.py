"""WebSocketProtocol: an open connection, the same at both ends.

Messages come one at a time: as long as the owner's coroutine for one runs, the next
ones wait, and beyond a little the other end is made to wait too. Pings are answered
meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from functools import partial
from typing import Any, Final, Protocol, cast
from weakref import WeakKeyDictionary

from wsgitornado.concurrent import DONE, Future, is_on_loop
from wsgitornado.httpserver.deadlines import Deadlines
from wsgitornado.log import gen_log, one_line
from wsgitornado.websocket import outgoing
from wsgitornado.websocket.deflate import Deflate
from wsgitornado.websocket.errors import (
    MAX_CONTROL,
    MAX_REASON,
    CloseCode,
    ProtocolError,
    WebSocketClosedError,
    check_close,
)
from wsgitornado.websocket.incoming import (
    Event,
    Incoming,
    Opcode,
    read_close,
    whole_message,
)
from wsgitornado.websocket.outgoing import frame
from wsgitornado.websocket.settings import ConnectionSettings

__all__ = ["CLOSE_TIMEOUT", "MAX_UNREAD", "Owner", "WebSocketProtocol"]

#: Seconds for the other end to answer a close frame, or to hear of an error.
CLOSE_TIMEOUT: Final = 5.0

#: Bytes that may wait to be sent before ``send`` has its caller wait.
_MOST_UNSENT: Final = 64 * 1024

#: Bytes that may wait because the other end does not read: then it is cut off, for
#: those who send to many do not wait for each.
MAX_UNREAD: Final = 16 * 1024 * 1024

#: Bytes of messages that may wait for the owner before reading stops.
_MOST_QUEUED: Final = 64 * 1024


class Owner(Protocol):
    """Who is told what happens on a connection; all of it on the loop."""

    def received(self, message: str | bytes) -> Awaitable[None] | None:
        """A message. No other comes before what this returns is done."""

    def received_ping(self, data: bytes) -> None:
        """A ping, which has been answered."""

    def received_pong(self, data: bytes) -> None:
        """The answer to a ping."""

    def failed(self, error: Exception) -> None:
        """One of the others has raised this: log it. The connection is being closed."""

    def ended(self, code: int | None, reason: str | None) -> None:
        """The connection is gone: once, at last.

        :param code: of the other end's close frame; None without one.
        """


class _End:
    """What waits behind the messages: nothing more comes."""


_END: Final = _End()


class WebSocketProtocol(asyncio.Protocol):
    """A connection after its handshake.

    Everything but :meth:`send` is for the loop's thread.

    :param owner: is told what comes.
    :param deflate: if compression was agreed on.
    :param greeting: bytes that go out before anything else: a server's 101.
    :ivar close_code: of the other end's close frame, as soon as that has come; None if
        it has no code.
    :ivar close_reason: likewise.
    :ivar transport: below it.
    """

    __slots__ = (
        "_deflate",
        "_greeting",
        "_has_ended",
        "_ignores_input",
        "_incoming",
        "_is_busy",
        "_is_close_received",
        "_is_close_sent",
        "_is_reading_paused",
        "_is_writable",
        "_owner",
        "_queue",
        "_queued",
        "_settings",
        "_timers",
        "_waiters",
        "close_code",
        "close_reason",
        "loop",
        "transport",
    )

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        owner: Owner,
        settings: ConnectionSettings,
        deflate: Deflate | None = None,
        greeting: bytes = b"",
    ) -> None:
        self._owner: Owner | None = owner
        self._greeting = greeting
        self._settings = settings
        self._deflate = deflate
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self._incoming: Incoming | None = None
        # Messages that wait for the owner, and their bytes.
        self._queue: deque[str | bytes | _End] | None = None
        self._queued = 0
        # Who waits for room.
        self._waiters: list[asyncio.Future[None]] | None = None
        self._is_busy = False
        self._is_writable = True
        self._is_reading_paused = False
        self._is_close_sent = False
        self._is_close_received = False
        self._ignores_input = False
        self._has_ended = False

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(_MOST_UNSENT)
        if self._greeting:
            self.transport.write(self._greeting)
            self._greeting = b""
        self.loop = asyncio.get_running_loop()
        self._timers = timers = _timers_of(self.loop, self._settings)
        if timers.pings is not None:
            timers.pings.set(self)

    def data_received(self, data: bytes) -> None:
        if self._ignores_input:
            return
        timers = self._timers
        if timers.pongs is not None:
            # Who sends anything is alive.
            timers.pongs.call_off(self)
        incoming = self._incoming
        if incoming is None:
            settings = self._settings
            is_client, most = settings.is_client, settings.max_message_size
            if self._deflate is None:
                event = whole_message(data, is_client, most)
                if event is not None:
                    self._take(event)
                    return
            incoming = self._incoming = Incoming(is_client, most, self._deflate)
        incoming.feed(data)
        try:
            is_over = self._take_all(incoming)
        except ProtocolError as error:
            is_over = True
            self._fail(error)
        if is_over or incoming.is_idle:
            self._incoming = None

    def eof_received(self) -> bool:
        if self._is_failing():
            self.transport.close()
        elif self._is_busy and self.transport.can_write_eof():
            # What has come is still dealt with.
            self._ignores_input = True
            self._enqueue(_END)
            self._timers.closing.set(self)
            return True
        return False

    def pause_writing(self) -> None:
        self._is_writable = False

    def resume_writing(self) -> None:
        self._is_writable = True
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ignores_input = True
        self._incoming = self._deflate = None
        self._drop_queue()
        self._timers.forget(self)
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_exception(WebSocketClosedError())
                # Whoever does not wait for it shall not be complained about.
                waiter.exception()
        self._end()

    # Sending.

    def send(self, message: str | bytes) -> Awaitable[None]:
        """Send a message: a text or bytes. From any thread.

        What is returned is done when there is room for the next one. It fails with
        WebSocketClosedError if the connection is lost before.

        :raises WebSocketClosedError: if it is closed, or is being closed. Of one that
            has more than 16 MB to read already, the rest is cut off.
        """
        if self.is_closing:
            raise WebSocketClosedError
        loop = self.loop
        if not is_on_loop(loop):
            future: Future[None] = Future(loop=loop)
            loop.call_soon_threadsafe(self._send_for, future, message)
            return future
        if isinstance(message, str):
            first, payload = outgoing.TEXT, message.encode("utf-8")
        else:
            first, payload = outgoing.BINARY, message
        return self.send_payload(first, payload)

    def send_payload(self, first: int, payload: bytes) -> Awaitable[None]:
        """Send a message by its kind, ``outgoing.TEXT`` or ``BINARY``, and its bytes.

        As :meth:`send`, but only on the loop.
        """
        if self.is_closing:
            raise WebSocketClosedError
        transport = self.transport
        if not self._is_writable and transport.get_write_buffer_size() > MAX_UNREAD:
            gen_log.warning(
                "a WebSocket is cut off: its client leaves more than %d bytes unread",
                MAX_UNREAD,
            )
            self.abort()
            raise WebSocketClosedError
        if self._deflate is not None:
            first |= outgoing.RSV1
            payload = self._deflate.compress(payload)
        transport.write(frame(first, payload, self._settings.is_client))
        if self._is_writable:
            return DONE
        waiter: asyncio.Future[None] = self.loop.create_future()
        if self._waiters is None:
            self._waiters = []
        self._waiters.append(waiter)
        return waiter

    def _send_for(self, future: Future[None], message: str | bytes) -> None:
        """Send what another thread has."""
        try:
            sent = self.send(message)
        except WebSocketClosedError as error:
            _settle(future, error)
            return
        if isinstance(sent, asyncio.Future):
            sent.add_done_callback(partial(_copy, future))
        else:
            _settle(future, None)

    def ping(self, data: bytes = b"") -> None:
        """Send a ping of at most 125 bytes.

        :raises WebSocketClosedError: as :meth:`send`.
        """
        if len(data) > MAX_CONTROL:
            raise ValueError(
                f"control frame payloads may not exceed {MAX_CONTROL} bytes"
            )
        if self.is_closing:
            raise WebSocketClosedError
        self._send_control(outgoing.PING, data)

    def _send_control(self, first: int, payload: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(frame(first, payload, self._settings.is_client))

    # Receiving.

    def hold(self) -> None:
        """Have messages wait, until :meth:`go_on`."""
        self._is_busy = True

    def go_on(self) -> None:
        """Deliver what waits, as far as the owner lets it."""
        self._is_busy = False
        # Asked anew each time: with the connection what waits is lost, too.
        while self._queue and not self._is_busy:
            message = self._queue.popleft()
            if isinstance(message, _End):
                self._answer_close()
            else:
                self._queued -= len(message)
                self._deliver(message)
        if not self._queue:
            self._drop_queue()
        if self._queued <= _MOST_QUEUED:
            self._resume_reading()

    def _drop_queue(self) -> None:
        self._queue = None
        self._queued = 0

    def _take_all(self, incoming: Incoming) -> bool:
        """Take what has come; returns whether nothing more counts."""
        for event in incoming.events():
            self._take(event)
            if self._ignores_input:
                break
        return self._ignores_input

    def _take(self, event: Event) -> None:
        opcode, payload = event
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if self._is_busy or self._queue is not None:
                self._enqueue(payload)
            else:
                self._deliver(payload)
            return
        assert isinstance(payload, bytes)
        if opcode is Opcode.PING:
            self._answer_ping(payload)
        elif opcode is Opcode.PONG:
            self._tell(payload, is_ping=False)
        else:
            self._take_close(payload)

    def _answer_ping(self, payload: bytes) -> None:
        if not self._is_close_sent:
            self._send_control(outgoing.PONG, payload)
        transport = self.transport
        if not self._is_writable and transport.get_write_buffer_size() > MAX_UNREAD:
            # It pings and pings, and never reads.
            self.abort()
        else:
            self._tell(payload, is_ping=True)

    def _tell(self, payload: bytes, is_ping: bool) -> None:
        owner = self._owner
        assert owner is not None
        try:
            (owner.received_ping if is_ping else owner.received_pong)(payload)
        except Exception as error:
            self._fail_owner(owner, error)

    def _enqueue(self, message: str | bytes | _End) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queue.append(message)
        if not isinstance(message, _End):
            self._queued += len(message)
            if self._queued > _MOST_QUEUED and not self._is_reading_paused:
                self._is_reading_paused = True
                self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._is_reading_paused:
            self._is_reading_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()

    def _deliver(self, message: str | bytes) -> None:
        owner = self._owner
        if owner is None:
            return
        try:
            result = owner.received(message)
            if result is not None:
                task = asyncio.ensure_future(result, loop=self.loop)
                self._is_busy = True
                _running.add(task)
                # The owner with it: it is to hear of failures after the end, too.
                task.add_done_callback(partial(self._note_done, owner))
        except Exception as error:
            self._fail_owner(owner, error)

    def _note_done(self, owner: Owner, task: asyncio.Future[None]) -> None:
        _running.discard(task)
        if task.cancelled():
            # The process ends, or the loop.
            self.close(CloseCode.GOING_AWAY)
        else:
            error = task.exception()
            if isinstance(error, Exception):
                self._fail_owner(owner, error)
        self.go_on()

    def _fail_owner(self, owner: Owner, error: Exception) -> None:
        """The program has made a mistake: end, visibly."""
        owner.failed(error)
        self.close(CloseCode.INTERNAL_ERROR)

    # The end.

    @property
    def is_closing(self) -> bool:
        """Whether nothing more can be sent.

        What has come before the close frame of the other end may still be answered:
        ours goes out behind that (RFC 6455 section 5.5.1).
        """
        return self._is_close_sent or self._has_ended or self.transport.is_closing()

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Begin to close; messages that come meanwhile are still delivered.

        The other end has some seconds to answer. Nothing happens if it is closed, or
        is being closed, already.

        :raises ValueError: for code or reason that a close frame cannot hold.
        """
        code, reason = check_close(code, reason)
        if self._is_close_sent or self._has_ended:
            return
        self._send_close(code, reason)
        self._timers.closing.set(self)

    def abort(self) -> None:
        """Cut the connection, without a word."""
        self._ignores_input = True
        self._drop_queue()
        if not self._has_ended:
            self.transport.abort()

    def _send_close(self, code: int | None, reason: str) -> None:
        self._is_close_sent = True
        payload = outgoing.close_payload(code, reason)
        self._send_control(outgoing.CLOSE, payload)

    def _take_close(self, payload: bytes) -> None:
        self.close_code, self.close_reason = read_close(payload)
        self._is_close_received = self._ignores_input = True
        self._timers.closing.set(self)
        if self._is_busy or self._queue is not None:
            self._enqueue(_END)
        else:
            self._answer_close()

    def _answer_close(self) -> None:
        """All that has come is dealt with: the last word (RFC 6455 section 5.5.1)."""
        if self._is_close_received and not self._is_close_sent:
            self._send_close(self.close_code, "")
        if not (self._settings.is_client and self._is_close_received):
            self.transport.close()
        # Otherwise the server closes first (section 7.1.1), or the deadline does.

    def _is_failing(self) -> bool:
        return self._ignores_input and not self._is_close_received

    def _fail(self, error: ProtocolError) -> None:
        """The other end breaks the protocol (RFC 6455 section 7.1.7).

        What it goes on sending is thrown away for a while: closed at once, the system
        would take our close frame back.
        """
        gen_log.debug("a WebSocket fails: %d %s", error.code, one_line(error.reason))
        self._ignores_input = True
        self._drop_queue()
        if not self._is_close_sent:
            self._send_close(error.code, error.reason[:MAX_REASON])
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._timers.closing.set(self)
        else:
            self.transport.close()

    def _end(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        owner, self._owner = self._owner, None
        assert owner is not None
        owner.ended(self.close_code, self.close_reason)

    # Called by timers.

    def _ping_now(self) -> None:
        if self.is_closing:
            return
        timers = self._timers
        assert timers.pings is not None
        assert timers.pongs is not None
        timers.pings.set(self)
        if self not in timers.pongs:
            timers.pongs.set(self)
        self._send_control(outgoing.PING, b"")

    def _note_silence(self) -> None:
        timers = self._timers
        assert timers.pongs is not None
        if self._is_reading_paused:
            # It is we who do not listen.
            timers.pongs.set(self)
        else:
            self.close(reason="ping timed out")


#: The coroutines of owners; a loop alone would not keep them.
_running: Final[set[asyncio.Future[None]]] = set()


class _Timers:
    """The deadlines of all connections with the same times, on one loop.

    :ivar pings: when the next one is due; None without pings.
    :ivar pongs: until when something has to come after a ping.
    :ivar closing: until when the other end has to answer a close frame.
    """

    __slots__ = ("closing", "pings", "pongs")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, interval: float, timeout: float
    ) -> None:
        self.closing: Deadlines[WebSocketProtocol] = Deadlines(
            loop, CLOSE_TIMEOUT, WebSocketProtocol.abort
        )
        self.pings: Deadlines[WebSocketProtocol] | None = None
        self.pongs: Deadlines[WebSocketProtocol] | None = None
        if interval:
            self.pings = Deadlines(loop, interval, WebSocketProtocol._ping_now)
            self.pongs = Deadlines(loop, timeout, WebSocketProtocol._note_silence)

    def forget(self, connection: WebSocketProtocol) -> None:
        for deadlines in (self.closing, self.pings, self.pongs):
            if deadlines is not None:
                deadlines.call_off(connection)


_timers: WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[tuple[float, float], _Timers]
] = WeakKeyDictionary()


def _timers_of(
    loop: asyncio.AbstractEventLoop, settings: ConnectionSettings
) -> _Timers:
    of_loop = _timers.get(loop)
    if of_loop is None:
        of_loop = _timers[loop] = {}
    key = settings.ping_interval, settings.ping_timeout
    timers = of_loop.get(key)
    if timers is None:
        timers = of_loop[key] = _Timers(loop, *key)
    return timers


def _settle(future: asyncio.Future[Any], error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
        future.exception()


def _copy(future: asyncio.Future[None], source: asyncio.Future[None]) -> None:
    if source.cancelled():
        future.cancel()
    else:
        _settle(future, source.exception())
