"""websocket_connect, and the connection that it gives."""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from wsgitornado.concurrent import Future, is_on_loop
from wsgitornado.escape import utf8
from wsgitornado.httpclient import HTTPRequest
from wsgitornado.httpclient.request import fill_in
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.ioloop import IOLoop
from wsgitornado.log import app_log
from wsgitornado.netutil import Resolver
from wsgitornado.websocket import deflate, handshake
from wsgitornado.websocket.errors import WebSocketClosedError
from wsgitornado.websocket.messages import as_message
from wsgitornado.websocket.opening import open_connection
from wsgitornado.websocket.protocol import WebSocketProtocol
from wsgitornado.websocket.settings import MAX_MESSAGE_SIZE, connection_settings

__all__ = ["WebSocketClientConnection", "websocket_connect"]

#: Characters or bytes of messages that may wait to be read; beyond, the server waits.
MOST_UNREAD: Final = 256 * 1024

_Message: TypeAlias = str | bytes
_OnMessage: TypeAlias = Callable[[_Message | None], Awaitable[None] | None]


class WebSocketClientConnection:
    """A client's end of a WebSocket, made by :func:`websocket_connect`.

    All of it is for the thread of the loop. What is not read of the messages keeps the
    server waiting, sooner or later.

    :ivar request: the :class:`~wsgitornado.httpclient.HTTPRequest` that asked for it.
    :ivar headers: of the server's answer.
    :ivar selected_subprotocol: what the server has chosen; None for none.
    :ivar close_code: of the server's close frame; None before, and without one.
    :ivar close_reason: likewise.
    :ivar protocol: None before the connection is there, and once it is closed.
    """

    __module__ = "wsgitornado.websocket"

    headers: HTTPHeaders

    def __init__(
        self,
        request: HTTPRequest,
        on_message_callback: _OnMessage | None = None,
        compression_options: dict[str, Any] | None = None,
        ping_interval: float | None = None,
        ping_timeout: float | None = None,
        max_message_size: int = MAX_MESSAGE_SIZE,
        subprotocols: list[str] | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self._settings = connection_settings(
            True, max_message_size, ping_interval, ping_timeout
        )
        self.request = request
        self.selected_subprotocol: str | None = None
        self.close_code: int | None = None
        self.close_reason: str | None = None
        self.protocol: WebSocketProtocol | None = None
        self._on_message_callback = on_message_callback
        self._compression_options = compression_options
        self._subprotocols = subprotocols
        self._resolver = resolver
        self._key = handshake.make_key()
        self._has_ended = False
        # Messages that nobody has asked for yet, or those who wait for one.
        self._messages: deque[_Message] = deque()
        self._unread = 0
        self._readers: deque[asyncio.Future[_Message | None]] = deque()
        self._room: asyncio.Future[None] | None = None
        self._loop = IOLoop.current().asyncio_loop
        self.connect_future: Future[WebSocketClientConnection]
        self.connect_future = Future(loop=self._loop)
        if is_on_loop(self._loop):
            self._begin()
        else:
            self._loop.call_soon_threadsafe(self._begin)

    # Connecting.

    def _begin(self) -> None:
        task = self._loop.create_task(self._connect())
        self.connect_future.add_done_callback(lambda _: task.cancel())

    async def _connect(self) -> None:
        try:
            filled = fill_in(self.request, HTTPRequest._DEFAULTS)
            subprotocols = self._subprotocols
            if subprotocols is None:
                offered = filled.headers.get("Sec-WebSocket-Protocol", "")
                subprotocols = self._subprotocols = handshake.split_list(offered)
            offers = []
            if self._compression_options is not None:
                # What cannot be is refused before anybody is asked.
                deflate.Compression.from_options(self._compression_options)
                offers = [deflate.offer()]
            fields = handshake.request_fields(self._key, subprotocols, offers)
            await open_connection(filled, fields, self._take, self._resolver)
        except Exception as error:
            if not self.connect_future.done():
                self.connect_future.set_exception(error)
            return
        if self.connect_future.cancelled():
            self.close()
        else:
            self.connect_future.set_result(self)

    def _take(
        self, transport: asyncio.Transport, headers: HTTPHeaders, rest: bytes
    ) -> None:
        """The server has said yes."""
        self.selected_subprotocol = handshake.check_answer(
            headers, self._key, self._subprotocols or ()
        )
        extensions = headers.get("Sec-WebSocket-Extensions", "")
        agreed = deflate.agree(
            handshake.split_extensions(extensions), self._compression_options
        )
        settings = self._settings
        packer = None
        if agreed is not None:
            packer = deflate.Deflate(agreed, True, settings.max_message_size)
        self.headers = headers
        self.protocol = protocol = WebSocketProtocol(self, settings, packer)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if rest:
            protocol.data_received(rest)

    # Sending.

    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> Awaitable[None]:
        """Send a message; what is returned is done when there is room for the next.

        :param message: a dictionary is sent as JSON.
        :param binary: True for a message of bytes, which text becomes in UTF-8.
        :raises WebSocketClosedError: if the connection is closed, or being closed.
        :raises TypeError: for what is no message.
        :raises ValueError: for bytes that are no text, without *binary*.
        """
        return self._open_protocol().send(as_message(message, binary))

    def ping(self, data: str | bytes = b"") -> None:
        """Send a ping of at most 125 bytes.

        :raises WebSocketClosedError: if the connection is closed, or being closed.
        :raises ValueError: for more bytes.
        """
        self._open_protocol().ping(utf8(data))

    def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close the connection; ``read_message`` gives None once the server has agreed.

        :param code: from 1000 to 4999, as :rfc:`6455#section-7.4` says.
        :param reason: for people, at most 123 bytes.
        :raises ValueError: for others.
        """
        if self.protocol is not None:
            self.protocol.close(code, reason)
            self.protocol = None

    def _open_protocol(self) -> WebSocketProtocol:
        if self.protocol is None:
            raise WebSocketClosedError("Client connection has been closed")
        return self.protocol

    # Reading.

    def read_message(
        self,
        callback: Callable[[asyncio.Future[_Message | None]], object] | None = None,
    ) -> asyncio.Future[_Message | None]:
        """The next message, or None at the end of the connection, and after that.

        Not where there is an ``on_message_callback``: that gets the messages.

        :param callback: of old programs: called on the loop with the future.
        """
        future: asyncio.Future[_Message | None] = self._loop.create_future()
        if self._messages:
            message = self._messages.popleft()
            self._unread -= len(message)
            future.set_result(message)
            if self._room is not None and self._unread <= MOST_UNREAD:
                self._make_room()
        elif self._has_ended:
            future.set_result(None)
        else:
            self._readers.append(future)
        if callback is not None:
            future.add_done_callback(callback)
        return future

    def on_message(self, message: _Message) -> Awaitable[None] | None:
        """Called with each message; keeps it for :meth:`read_message` or passes it on.

        The next one comes when what this returns is done.
        """
        if self._on_message_callback is not None:
            result = self._on_message_callback(message)
            return result if isinstance(result, Awaitable) else None
        while self._readers:
            reader = self._readers.popleft()
            # One that was given up takes nothing with it.
            if not reader.done():
                reader.set_result(message)
                return None
        self._messages.append(message)
        self._unread += len(message)
        if self._unread <= MOST_UNREAD:
            return None
        self._room = self._loop.create_future()
        return self._room

    def on_ping(self, data: bytes) -> None:
        """Called for a ping, which has been answered; to be overridden."""

    def on_pong(self, data: bytes) -> None:
        """Called for the answer to a ping; to be overridden."""

    def _make_room(self) -> None:
        room, self._room = self._room, None
        if room is not None and not room.done():
            room.set_result(None)

    # What the protocol calls.

    def received(self, message: _Message) -> Awaitable[None] | None:
        return self.on_message(message)

    def received_ping(self, data: bytes) -> None:
        self.on_ping(data)

    def received_pong(self, data: bytes) -> None:
        self.on_pong(data)

    def failed(self, error: Exception) -> None:
        app_log.error(
            "Uncaught exception in a WebSocket client of %s",
            self.request.url,
            exc_info=error,
        )

    def ended(self, code: int | None, reason: str | None) -> None:
        self.close_code, self.close_reason = code, reason
        self.protocol = None
        self._has_ended = True
        self._make_room()
        while self._readers:
            reader = self._readers.popleft()
            if not reader.done():
                reader.set_result(None)
        if self._on_message_callback is not None:
            # A loop alone would not keep it.
            self._telling = self._loop.create_task(self._tell_end())

    async def _tell_end(self) -> None:
        assert self._on_message_callback is not None
        try:
            result = self._on_message_callback(None)
            if isinstance(result, Awaitable):
                await result
        except Exception as error:
            self.failed(error)


def websocket_connect(
    url: str | HTTPRequest,
    callback: Callable[[Future[WebSocketClientConnection]], object] | None = None,
    connect_timeout: float | None = None,
    on_message_callback: _OnMessage | None = None,
    compression_options: dict[str, Any] | None = None,
    ping_interval: float | None = None,
    ping_timeout: float | None = None,
    max_message_size: int = MAX_MESSAGE_SIZE,
    subprotocols: list[str] | None = None,
    resolver: Resolver | None = None,
) -> Future[WebSocketClientConnection]:
    """Connect to a WebSocket::

        connection = await websocket_connect("wss://example.com/echo")
        await connection.write_message("hello")
        while (message := await connection.read_message()) is not None:
            print(message)

    On the current loop, from any thread. The future fails with what
    :func:`~wsgitornado.httpclient.AsyncHTTPClient.fetch` would raise, or with a
    :exc:`WebSocketError` for an answer that makes no WebSocket. Redirects are not
    followed: they are errors, as other answers are.

    :param url: of scheme ws or wss; or an :class:`~wsgitornado.httpclient.HTTPRequest`
        with such a URL, for headers, credentials, certificates and time-outs.
    :param callback: of old programs: called on the loop with the future.
    :param connect_timeout: seconds until there is a connection, 20 by default. In an
        ``HTTPRequest`` the argument of that name takes its place; its
        ``request_timeout`` is for the whole handshake.
    :param on_message_callback: called with each message, and with None at the end, in
        place of ``read_message``. The next message waits for what it returns, if that
        can be awaited.
    :param compression_options: offer to compress messages; the dictionary may have
        ``compression_level`` and ``mem_level``, numbers for zlib.
    :param ping_interval: seconds between pings; by default none are sent.
    :param ping_timeout: seconds for the answer, *ping_interval* at most.
    :param max_message_size: bytes of a message, inflated; a larger one ends the
        connection.
    :param subprotocols: names to offer; the server may choose one.
    :param resolver: finds the addresses of the host; by default the system does.
    """
    if isinstance(url, HTTPRequest):
        if connect_timeout is not None:
            raise ValueError("connect_timeout belongs into the HTTPRequest")
        request = url
    else:
        request = HTTPRequest(url, connect_timeout=connect_timeout)
    connection = WebSocketClientConnection(
        request,
        on_message_callback=on_message_callback,
        compression_options=compression_options,
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        max_message_size=max_message_size,
        subprotocols=subprotocols,
        resolver=resolver,
    )
    future = connection.connect_future
    if callback is not None:
        warnings.warn(
            "callback of websocket_connect is deprecated: use the future it returns",
            DeprecationWarning,
            stacklevel=2,
        )
        future.add_done_callback(callback)
    return future


websocket_connect.__module__ = "wsgitornado.websocket"
