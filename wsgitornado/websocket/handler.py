"""WebSocketHandler: a connection over which both sides send messages."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from operator import attrgetter
from typing import Any, Final, TypeVar, cast
from weakref import WeakKeyDictionary

from wsgitornado._types import HeaderList
from wsgitornado.concurrent import is_on_loop
from wsgitornado.escape import utf8
from wsgitornado.httpserver.sockets import set_socket_option
from wsgitornado.httputil.errors import StreamClosedError
from wsgitornado.log import gen_log
from wsgitornado.parked import PARK
from wsgitornado.web import RequestHandler
from wsgitornado.web.waiting import runs_on_loop
from wsgitornado.websocket.deflate import Deflate, accept
from wsgitornado.websocket.errors import (
    CloseCode,
    WebSocketClosedError,
    check_close,
)
from wsgitornado.websocket.handshake import (
    Refusal,
    accept_key,
    check_fields,
    check_request,
    format_extension,
    is_same_origin,
    split_extensions,
    split_list,
)
from wsgitornado.websocket.messages import as_message
from wsgitornado.websocket.protocol import WebSocketProtocol
from wsgitornado.websocket.settings import (
    MAX_MESSAGE_SIZE,
    ConnectionSettings,
    connection_settings,
)
from wsgitornado.websocket.takeover import REFUSAL, Takeover, find_takeover

__all__ = ["WebSocketHandler"]

_Method = TypeVar("_Method", bound=Callable[..., Any])

#: Called for a relay that has missed messages, with what was raised.
OnMissed = Callable[[Exception], Any]

#: Called for each message of a relay; gives what is sent.
Encode = Callable[[Any], Any]

_json_of: Final = attrgetter("json")


def _before_handshake(method: _Method) -> _Method:
    """A method of RequestHandler that makes no sense on a WebSocket."""

    def checked(self: WebSocketHandler, *args: Any, **kwargs: Any) -> Any:
        if self._is_websocket:
            raise RuntimeError("Method not supported for Web Sockets")
        return method(self, *args, **kwargs)

    checked.__name__ = method.__name__
    checked.__doc__ = method.__doc__
    return cast("_Method", checked)


class WebSocketHandler(RequestHandler):
    """A WebSocket; subclass it and define ``on_message``.

    ::

        class Echo(WebSocketHandler):
            def on_message(self, message):
                self.write_message(message)

    The browser's side is ``new WebSocket("wss://example.com/echo")``. The request comes
    first, a GET like any other: ``prepare``, ``current_user``, cookies and arguments
    are there, and raising :exc:`~wsgitornado.web.HTTPError` in ``prepare`` refuses it.
    Headers set by then go out with the handshake. Then :meth:`open` is called, and
    :meth:`on_message` for one message after the other, and at last :meth:`on_close`.

    All these may be coroutines: no message comes before the last one is dealt with. On
    a server with threads plain functions run in a thread, as always.

    Pages of other sites are refused: see :meth:`check_origin`.

    It needs a server that hands over its connection: our own, with ``listen``,
    ``serve --server loop`` or the worker for gunicorn, or gunicorn's ``gthread``, which
    gives each WebSocket a thread. Elsewhere the answer is a 501.

    :ivar ws_connection: what speaks the protocol; None before and after.
    :ivar close_code: of the client's close frame; None without one.
    :ivar close_reason: likewise.
    """

    __module__ = "wsgitornado.websocket"

    ws_connection: WebSocketProtocol | None = None
    close_code: int | None = None
    close_reason: str | None = None

    # Whether the handshake is done, so that there is no response any more.
    _is_websocket = False
    _selected_subprotocol: str | None = None
    _takeover: Takeover | None = None
    _relays: set[asyncio.Task[None]] | None = None

    # What to override

    def open(self, *args: Any, **kwargs: Any) -> Awaitable[None] | None:
        """Called when the handshake is done, with the groups of the path.

        May be a coroutine; messages wait until it is through.
        """
        return None

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Called for each message: a text, or bytes if the client sends such.

        May be a coroutine. An exception is logged, and closes with 1011.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must override on_message(message)"
        )

    def on_close(self) -> Any:
        """Called once when the connection is gone, whoever has ended it.

        `close_code` and `close_reason` are what the client has said. Not called if
        :meth:`open` has failed.
        """

    def on_ping(self, data: bytes) -> None:
        """Called when the client pings; it has been answered. On the loop."""

    def on_pong(self, data: bytes) -> None:
        """Called when the client answers a ping. On the loop."""

    def check_origin(self, origin: str) -> bool:
        """Whether a page of this origin may connect. On the loop.

        By default only one of the host that the request names: browsers let a page of
        any site connect, with the cookies of the user. Programs that are no browsers
        send no origin, and are not asked.

        :param origin: ``"https://example.com"``, or ``"null"``.
        """
        return is_same_origin(origin, self.request.headers.get("Host"))

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Choose one of what the client offers; None, the default, for none."""
        return None

    def get_compression_options(self) -> dict[str, Any] | None:
        """Compress messages if this returns a dict, and the client is willing.

        None, the default, is no compression: it takes 300 KB a connection. The dict may
        have ``compression_level`` and ``mem_level``, numbers for zlib.
        """
        return None

    @property
    def ping_interval(self) -> float | None:
        """Seconds between pings: the setting ``websocket_ping_interval``."""
        seconds: float | None = self.settings.get("websocket_ping_interval")
        return seconds

    @property
    def ping_timeout(self) -> float | None:
        """Seconds for the answer: the setting ``websocket_ping_timeout``.

        None, and any number beyond :attr:`ping_interval`, is as long as that.
        """
        seconds: float | None = self.settings.get("websocket_ping_timeout")
        return seconds

    @property
    def max_message_size(self) -> int:
        """Bytes of a message, inflated: the setting ``websocket_max_message_size``.

        10 MB by default; a larger one closes with 1009.
        """
        size: int = self.settings.get("websocket_max_message_size", MAX_MESSAGE_SIZE)
        return size

    # What to call

    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> Awaitable[None]:
        """Send a message; a dict becomes JSON. From any thread.

        Await it where much is sent: it is done when the client has room for more. It
        need not be awaited.

        :param binary: send bytes, which the other side gets as such.
        :raises WebSocketClosedError: if the connection is closed.
        :raises TypeError: for anything else.
        :raises ValueError: for a text that is not UTF-8, given as bytes.
        """
        return self._connection().send(as_message(message, binary))

    def ping(self, data: str | bytes = b"") -> None:
        """Ping the client; :meth:`on_pong` gets the answer. From any thread.

        :raises WebSocketClosedError: if the connection is closed.
        :raises ValueError: for more than 125 bytes.
        """
        connection = self._connection()
        if is_on_loop(connection.loop):
            connection.ping(utf8(data))
        else:
            connection.loop.call_soon_threadsafe(_ping, connection, utf8(data))

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection, with a code for the client. From any thread.

        :param code: 1000, 1001, or your own from 4000 to 4999 (RFC 6455 section 7.4).
        :param reason: a text of at most 123 bytes.
        :raises ValueError: for anything else.
        """
        check_close(code, reason)
        connection = self.ws_connection
        if connection is None:
            return
        if is_on_loop(connection.loop):
            connection.close(code, reason)
        else:
            connection.loop.call_soon_threadsafe(connection.close, code, reason)

    def relay(
        self,
        subscription: Any,
        on_missed: OnMissed | None = None,
        encode: Encode | None = None,
    ) -> None:
        """Send on every message of a subscription, until one of both is closed.

        ::

            def open(self):
                after = self.get_argument("after", None)
                self.relay(broker.subscribe("news", after=after), encode=as_news)

            def as_news(message):
                return {"cursor": message.cursor, "news": message.data}

        Messages go out as they come, one waiting for the other.

        :param subscription: of :mod:`wsgitornado.pubsub`: something to enter by ``async
            with``, whose ``get()`` gives messages with a ``json``.
        :param on_missed: called where messages are missing, with the exception that
            says so, which has ``channel`` and ``cursor``; what it returns is sent
            unless it is None. Without it the connection is closed with 1011.
        :param encode: called with each message; what it returns is sent, unless it is
            None. By default the message's JSON: then clients get no cursors.
        """
        loop = self._connection().loop
        start = partial(self._start_relay, subscription, on_missed, encode or _json_of)
        if is_on_loop(loop):
            start()
        else:
            loop.call_soon_threadsafe(start)

    @property
    def selected_subprotocol(self) -> str | None:
        """What :meth:`select_subprotocol` has chosen."""
        return self._selected_subprotocol

    def set_nodelay(self, value: bool) -> None:
        """Whether small packets are sent at once, as they are by default."""
        transport = self._connection().transport
        # A unix socket has no such thing.
        with contextlib.suppress(OSError):
            set_socket_option(
                transport, socket.IPPROTO_TCP, socket.TCP_NODELAY, int(value)
            )

    # The response that it has no more

    write = _before_handshake(RequestHandler.write)
    finish = _before_handshake(RequestHandler.finish)
    flush = _before_handshake(RequestHandler.flush)
    redirect = _before_handshake(RequestHandler.redirect)
    set_header = _before_handshake(RequestHandler.set_header)
    set_status = _before_handshake(RequestHandler.set_status)
    set_cookie = _before_handshake(RequestHandler.set_cookie)

    # The handshake; on the loop

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Take the connection over; what the path's groups hold is for ``open``."""
        refusal = self._refusal()
        if refusal is not None:
            self._refuse(refusal)
            return
        parked = self._parked
        assert parked is not None
        takeover = find_takeover(self.request, parked)
        if takeover is None:
            _say_once(self._request_summary())
            self._refuse(Refusal(501, "This server cannot serve WebSockets"))
            return
        listener = _Listener(self)
        connection = self._make_connection(listener)
        connection.hold()
        self._become_websocket()
        self.ws_connection = connection
        try:
            await takeover.take(connection)
        except OSError as error:
            # The client has left already, or there is no descriptor for it.
            gen_log.debug("a WebSocket ends at its start: %s", error)
            self.ws_connection = None
            self._end_contained()
            takeover.end()
            return
        _open_of(self.application).add(self)
        self._end_contained()
        if self.request.environ.get("wsgi.multithread"):
            # Plain functions go on to run where the request has been.
            self._takeover = takeover
        else:
            takeover.end()
            self._let_go()
        await self._call_open(connection, listener, args, kwargs)

    def _refusal(self) -> Refusal | None:
        headers = self.request.headers
        refusal = check_request(headers)
        if refusal is None:
            origin = headers.get("Origin")
            if origin is not None and not self.check_origin(origin):
                return Refusal(403, "Cross origin websockets not allowed")
            refusal = check_fields(headers)
        return refusal

    def _refuse(self, refusal: Refusal) -> None:
        self.set_status(refusal.status_code)
        for name, value in refusal.headers:
            self.set_header(name, value)
        self.finish(refusal.text)

    def _make_connection(self, listener: _Listener) -> WebSocketProtocol:
        """Agree on everything; the answer is the first thing that it sends."""
        headers = self.request.headers
        if self._write_buffer:
            raise RuntimeError("Cannot send body with status code HTTP101")
        settings = connection_settings(
            False, self.max_message_size, self.ping_interval, self.ping_timeout
        )
        fields: HeaderList = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept_key(headers["Sec-WebSocket-Key"])),
        ]
        offered = split_list(headers.get("Sec-WebSocket-Protocol", ""))
        chosen = self.select_subprotocol(offered)
        if chosen:
            if chosen not in offered:
                raise ValueError(
                    f"select_subprotocol() returned {chosen!r}: the client offers "
                    f"{offered!r}"
                )
            self._selected_subprotocol = chosen
            fields.append(("Sec-WebSocket-Protocol", chosen))
        deflate = self._agree_on_compression(settings, fields)
        greeting = self._head(fields)
        return WebSocketProtocol(listener, settings, deflate, greeting)

    def _agree_on_compression(
        self, settings: ConnectionSettings, fields: HeaderList
    ) -> Deflate | None:
        options = self.get_compression_options()
        if options is None:
            return None
        offers = self.request.headers.get("Sec-WebSocket-Extensions", "")
        accepted = accept(split_extensions(offers), options)
        if accepted is None:
            return None
        agreed, answer = accepted
        fields.append(("Sec-WebSocket-Extensions", format_extension(answer)))
        return Deflate(agreed, False, settings.max_message_size)

    def _head(self, fields: HeaderList) -> bytes:
        """The 101, with what the program has set."""
        self.clear_header("Content-Type")
        lines = ["HTTP/1.1 101 Switching Protocols"]
        lines += [f"{name}: {value}" for name, value in fields + self._header_list()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _become_websocket(self) -> None:
        self._status_code, self._reason = 101, "Switching Protocols"
        self._finished = self._headers_written = self._is_websocket = True

    def _let_go(self) -> None:
        """Forget what only a response needs: connections are many, and idle."""
        self._parked = self._response = self._view = None
        self._fields = _NO_FIELDS
        self._write_buffer = _NO_OUTPUT
        self._start_response = self._write = _nowhere
        request = self.request
        request.environ.pop(PARK, None)
        # Made of environ again if they are asked for.
        request.__dict__.pop("headers", None)

    async def _call_open(
        self, connection: WebSocketProtocol, listener: _Listener, args: Any, kwargs: Any
    ) -> None:
        try:
            result = self._invoke(self.open, *args, **kwargs)
            if result is not None:
                await result
        except asyncio.CancelledError:
            connection.close(CloseCode.GOING_AWAY)
            listener.end_opening(is_open=False)
            raise
        except Exception as error:
            listener.failed(error)
            connection.close(CloseCode.INTERNAL_ERROR)
            listener.end_opening(is_open=False)
        else:
            listener.end_opening(is_open=True)
        finally:
            connection.go_on()

    # The life of the connection; on the loop

    def _connection(self) -> WebSocketProtocol:
        connection = self.ws_connection
        if connection is None:
            raise WebSocketClosedError
        return connection

    def _invoke(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a method of the program where it belongs; returns what to wait for."""
        if self._takeover is None or runs_on_loop(method):
            return method(*args, **kwargs)
        return self._invoke_in_thread(partial(method, *args, **kwargs))

    async def _invoke_in_thread(self, function: Callable[[], Any]) -> None:
        parked = self._parked
        assert parked is not None
        has_begun = False

        def begin() -> Any:
            nonlocal has_begun
            has_begun = True
            return function()

        try:
            result = await parked.call(begin)
        except StreamClosedError:
            if has_begun:
                raise
            # The server's thread has found that the client has left.
            result = await asyncio.to_thread(function)
        if result is not None:
            await result

    def _note_end(self) -> None:
        """The connection is gone."""
        connection, self.ws_connection = self.ws_connection, None
        assert connection is not None
        self.close_code = connection.close_code
        self.close_reason = connection.close_reason
        _open_of(self.application).discard(self)
        for relay in self._relays or ():
            relay.cancel()
        self._note_departure()

    def _finish_websocket(self) -> None:
        """Let the program clean up behind what it has opened."""
        result = None
        try:
            result = self._invoke(self.on_close)
        except Exception as error:
            self._log_failure(error)
        if result is None:
            self._end_takeover()
        else:
            _keep(asyncio.ensure_future(self._finish_close(result)))

    async def _finish_close(self, result: Awaitable[None]) -> None:
        try:
            await result
        except Exception as error:
            self._log_failure(error)
        finally:
            self._end_takeover()

    def _end_takeover(self) -> None:
        takeover, self._takeover = self._takeover, None
        if takeover is not None:
            takeover.end()
            self._let_go()

    def _start_relay(
        self, subscription: Any, on_missed: OnMissed | None, encode: Encode
    ) -> None:
        task = asyncio.ensure_future(self._relay(subscription, on_missed, encode))
        _keep(task)
        if self._relays is None:
            self._relays = set()
        self._relays.add(task)
        task.add_done_callback(self._relays.discard)
        if self.ws_connection is None:
            # It has ended while another thread brought us here.
            task.cancel()

    async def _relay(
        self, subscription: Any, on_missed: OnMissed | None, encode: Encode
    ) -> None:
        try:
            async with subscription as messages:
                while True:
                    await self._send_next(messages, on_missed, encode)
        except (WebSocketClosedError, StopAsyncIteration):
            pass
        except Exception as error:
            self._log_failure(error)
            self.close(CloseCode.INTERNAL_ERROR)

    async def _send_next(
        self, messages: Any, on_missed: OnMissed | None, encode: Encode
    ) -> None:
        try:
            message = await anext(messages)
        except StopAsyncIteration:
            raise
        except Exception as error:
            # Of the exceptions of a subscription only this one has a cursor.
            if on_missed is None or not hasattr(error, "cursor"):
                raise
            text = on_missed(error)
        else:
            text = encode(message)
        if text is not None:
            await self.write_message(text)


class _Listener:
    """Brings what happens on a connection to its handler."""

    __slots__ = ("_context", "_handler", "_has_ended", "_is_mute", "_is_opening")

    def __init__(self, handler: WebSocketHandler) -> None:
        self._handler = handler
        self._is_opening = True
        self._has_ended = False
        # Whether the program is to hear of no more messages.
        self._is_mute = False
        # Where the program's variables of the request are; once it is open.
        self._context: contextvars.Context | None = None

    def end_opening(self, is_open: bool) -> None:
        """What ``open`` does is done, or has failed."""
        self._is_opening = False
        if is_open:
            self._context = contextvars.copy_context()
        else:
            self._is_mute = True
        if self._has_ended:
            self._finish()

    def received(self, message: str | bytes) -> Awaitable[None] | None:
        if self._is_mute:
            return None
        # None come before it is open.
        assert self._context is not None
        return self._context.run(self._deliver, message)

    def _deliver(self, message: str | bytes) -> Awaitable[None] | None:
        result = self._handler._invoke(self._handler.on_message, message)
        # Here, so that the task has the context.
        return None if result is None else asyncio.ensure_future(result)

    def received_ping(self, data: bytes) -> None:
        # Before that the program knows of no connection.
        if self._context is not None:
            self._handler.on_ping(data)

    def received_pong(self, data: bytes) -> None:
        if self._context is not None:
            self._handler.on_pong(data)

    def failed(self, error: Exception) -> None:
        self._is_mute = True
        # A message that could not be sent because the client has left is no failure.
        if not isinstance(error, WebSocketClosedError):
            self._handler._log_failure(error)

    def ended(self, code: int | None, reason: str | None) -> None:
        self._has_ended = True
        self._handler._note_end()
        if not self._is_opening:
            self._finish()

    def _finish(self) -> None:
        if self._context is None:
            self._handler._end_takeover()
        else:
            self._context.run(self._handler._finish_websocket)


_NO_FIELDS: Final[dict[str, Any]] = {}
_NO_OUTPUT: Final[list[bytes]] = []


def _nowhere(*_: Any) -> Any:
    """Takes the place of what has sent the response."""


def _say_once(summary: str) -> None:
    """For the log, where WebSockets are not to be had: it will not change."""
    global _has_said
    if not _has_said:
        _has_said = True
        gen_log.error("501 %s: %s", summary, REFUSAL)


_has_said = False


def _ping(connection: WebSocketProtocol, data: bytes) -> None:
    """Of another thread: it may be closed by now."""
    if not connection.is_closing:
        connection.ping(data)


def _keep(task: asyncio.Future[None]) -> None:
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


#: A loop alone would not keep them.
_tasks: Final[set[asyncio.Future[None]]] = set()

# The open connections of each application.
_open: WeakKeyDictionary[Any, set[WebSocketHandler]] = WeakKeyDictionary()


def _open_of(application: Any) -> set[WebSocketHandler]:
    handlers = _open.get(application)
    if handlers is None:
        handlers = _open[application] = set()
        application.add_drain_callback(partial(_close_all, handlers))
    return handlers


def _close_all(handlers: set[WebSocketHandler]) -> None:
    """The server ends: clients are to come again, elsewhere."""
    for handler in list(handlers):
        handler.close(CloseCode.GOING_AWAY)
