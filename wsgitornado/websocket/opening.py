"""The client's end until there is a WebSocket: a connection, a request, its answer."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import h11

from wsgitornado.httpclient import HTTPRequest, HTTPResponse
from wsgitornado.httpclient.outgoing import (
    Address,
    check_request,
    header_pairs,
    read_url,
    set_headers,
)
from wsgitornado.httpclient.response import HTTPTimeoutError
from wsgitornado.httpclient.tls import make_context
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.httputil.errors import StreamClosedError
from wsgitornado.netutil import Resolver, is_valid_ip
from wsgitornado.websocket.errors import WebSocketError

__all__ = ["ConnectionEndedError", "Take", "open_connection"]

#: Bytes of the head of an answer, as for other clients.
MAX_HEAD_SIZE: Final = 64 * 1024

#: Bytes of the body of a refusal: it is for a human being to read.
MAX_BODY_SIZE: Final = 64 * 1024

#: The schemes of RFC 6455 section 3, and what they are without a WebSocket.
_SCHEMES: Final = {"ws": "http", "wss": "https"}

_PROXY_ARGUMENTS: Final = (
    "proxy_host",
    "proxy_port",
    "proxy_username",
    "proxy_password",
    "proxy_auth_mode",
)

#: What is called when the server has agreed: with the transport, the headers of its
#: answer, and the bytes that have come behind that.
Take = Callable[[asyncio.Transport, HTTPHeaders, bytes], None]


class ConnectionEndedError(StreamClosedError):
    """The server has closed the connection before it had answered."""

    __module__ = "wsgitornado.websocket"

    def __init__(self, real_error: BaseException | None = None) -> None:
        OSError.__init__(self, "the server has closed the connection without an answer")
        self.real_error = real_error


async def open_connection(
    request: HTTPRequest,
    fields: Iterable[tuple[str, str]],
    take: Take,
    resolver: Resolver | None = None,
) -> None:
    """Ask a server for a WebSocket.

    :param request: ours to change; nothing in it is None that has a default.
    :param fields: headers in place of those that the request has of their names.
    :param take: called on the loop before anything else is read. What it raises is
        raised here, and ends the connection.
    :raises HTTPClientError: for an answer that is no success.
    :raises HTTPTimeoutError: when the time is over.
    :raises OSError: if there is no connection, or it ends too early.
    :raises ValueError: for a request that cannot be sent.
    :raises WebSocketError: for a success without a WebSocket, and for what is not HTTP.
    """
    address = _read_address(request.url)
    head = _make_head(request, address, fields)
    loop = asyncio.get_running_loop()
    started = loop.time()
    is_connected = False
    seconds = [t for t in (request.connect_timeout, request.request_timeout) if t]
    try:
        async with asyncio.timeout(min(seconds, default=None)) as clock:
            opening = Opening(head, request, take)
            await _connect(opening, request, address, resolver)
            is_connected = True
            left = request.request_timeout
            clock.reschedule(started + left if left else None)
            await opening.answered()
    except TimeoutError:
        if not clock.expired():
            raise  # that of the system
        phase = "during request" if is_connected else "while connecting"
        raise HTTPTimeoutError(f"Timeout {phase}") from None


def _read_address(url: str) -> Address:
    scheme, colon, rest = url.partition(":")
    if not colon or scheme.lower() not in _SCHEMES:
        raise ValueError(f"a WebSocket has a URL of scheme ws or wss: {url!r}")
    return read_url(f"{_SCHEMES[scheme.lower()]}:{rest}")


def _make_head(
    request: HTTPRequest, address: Address, fields: Iterable[tuple[str, str]]
) -> h11.Request:
    for name in _PROXY_ARGUMENTS:
        if getattr(request, name):
            raise NotImplementedError(f"{name} not supported")
    if request.auth_mode not in (None, "basic"):
        raise ValueError(f"unsupported auth_mode {request.auth_mode}")
    check_request(request)
    if request.method != "GET":
        raise ValueError(f"a WebSocket is asked for by GET: got {request.method}")
    # The answer has no body but that of a refusal.
    request.decompress_response = request.expect_100_continue = False
    set_headers(request, address)
    headers = cast("HTTPHeaders", request.headers)
    for name, value in fields:
        headers[name] = value
    return h11.Request(
        method="GET", target=address.target, headers=header_pairs(headers)
    )


async def _connect(
    opening: Opening,
    request: HTTPRequest,
    address: Address,
    resolver: Resolver | None,
) -> None:
    """Connect to the first address of the host that takes it."""
    family = socket.AF_INET if request.allow_ipv6 is False else socket.AF_UNSPEC
    hosts = [address.host]
    if resolver is not None:
        found = await resolver.resolve(address.host, address.port, family)
        hosts = [each[0] for _, each in found]
    options: dict[str, Any] = {"family": family, "local_addr": _local_address(request)}
    if address.scheme == "https":
        options |= {"ssl": make_context(request), "server_hostname": address.host}
    loop = asyncio.get_running_loop()
    while True:
        host = hosts.pop(0)
        try:
            await loop.create_connection(lambda: opening, host, address.port, **options)
            return
        except OSError:
            if not hosts:
                raise


def _local_address(request: HTTPRequest) -> tuple[str, int] | None:
    interface = request.network_interface
    if not interface:
        return None
    if not is_valid_ip(interface):
        raise ValueError(
            f"network_interface is an IPv4 or IPv6 address: got {interface!r}"
        )
    return interface, 0


class Opening(asyncio.Protocol):
    """Sends the request, reads its answer, and hands the connection over."""

    def __init__(self, head: h11.Request, request: HTTPRequest, take: Take) -> None:
        self._head = head
        self._request = request
        self._take = take
        self._parser = h11.Connection(
            h11.CLIENT, max_incomplete_event_size=MAX_HEAD_SIZE
        )
        self._answered = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._response: h11.Response | None = None
        self._body = bytearray()

    async def answered(self) -> None:
        """Wait until the connection has been handed over."""
        try:
            await self._answered
        except BaseException:
            assert self._transport is not None
            self._transport.abort()
            raise

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        data = self._parser.send(self._head)
        assert data is not None
        self._parser.send(h11.EndOfMessage())
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self._answered.done():
            return
        try:
            self._parser.receive_data(data)
            while self._handle(self._parser.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            answer = WebSocketError(f"the server does not answer in HTTP: {error}")
            answer.__cause__ = error
            self._answered.set_exception(answer)

    def eof_received(self) -> None:
        if self._response is not None:
            # The end of the connection may be that of the body.
            self._refuse()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answered.done():
            self._answered.set_exception(ConnectionEndedError(exc))

    def _handle(self, event: object) -> bool:
        """Returns whether to go on."""
        if isinstance(event, h11.Response):
            self._response = event
        elif isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) >= MAX_BODY_SIZE:
                self._refuse()
        elif isinstance(event, h11.EndOfMessage):
            self._refuse()
        elif event is h11.NEED_DATA:
            return False
        elif isinstance(event, h11.InformationalResponse) and event.status_code == 101:
            self._hand_over(event)
        return not self._answered.done()

    def _hand_over(self, event: h11.InformationalResponse) -> None:
        assert self._transport is not None
        try:
            rest, _ = self._parser.trailing_data
            self._take(self._transport, _read_headers(event.headers), bytes(rest))
        except Exception as error:
            self._answered.set_exception(error)
        else:
            self._answered.set_result(None)

    def _refuse(self) -> None:
        """The server has given another answer."""
        if self._answered.done():
            return
        event = self._response
        assert event is not None
        response = HTTPResponse(
            self._request,
            event.status_code,
            _read_headers(event.headers),
            io.BytesIO(self._body[:MAX_BODY_SIZE]),
            reason=event.reason.decode("latin-1"),
        )
        # Whatever it is that has been found there, it is no WebSocket.
        error = response.error or WebSocketError("Non-websocket response")
        self._answered.set_exception(error)


def _read_headers(raw: Iterable[tuple[bytes, bytes]]) -> HTTPHeaders:
    headers = HTTPHeaders()
    for name, value in raw:
        headers.add(name.decode("latin-1"), value.decode("latin-1"))
    return headers
