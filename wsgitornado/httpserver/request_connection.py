"""``request.connection`` on the loop server: what a program may do with it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wsgitornado.httpserver.sockets import set_socket_option
from wsgitornado.httputil.request import RequestConnection, RequestContext
from wsgitornado.util import cached_property

if TYPE_CHECKING:
    from wsgitornado.httpserver.connection import Connection

__all__ = ["ServerConnection", "ServerStream"]


class ServerConnection(RequestConnection):
    """The connection that a request came by, as far as programs lean on Tornado's.

    Everything is for the event loop's thread, except for reading attributes.
    """

    __module__ = "wsgitornado.httpserver"

    # The context is made when it is asked for: every connection has one of these.
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def context(self) -> RequestContext:
        """Who is at the other end, by the socket: proxies are not asked here."""
        connection = self._connection
        environ = connection.base
        address: Any = connection.peer or ""
        context = RequestContext(
            connection.address, environ.get("wsgi.url_scheme", "http"), address
        )
        context.trusted_downstream = connection.server.trusted_downstream
        return context

    @cached_property
    def stream(self) -> ServerStream:
        """The same connection, by the names of Tornado's ``IOStream``."""
        return ServerStream(self._connection)

    @property
    def no_keep_alive(self) -> bool:
        """Whether the connection is closed after the response; set it to have it so."""
        exchange = self._connection.exchange
        return exchange is None or not exchange.keeps_alive

    @no_keep_alive.setter
    def no_keep_alive(self, value: bool) -> None:
        exchange = self._connection.exchange
        if exchange is not None and value:
            exchange.keeps_alive = False

    def set_max_body_size(self, size: int) -> None:
        """How much of the body of this request is taken, in bytes.

        In place of the server's option and the application's setting, for ``prepare``
        of a handler that streams its body.
        """
        super().set_max_body_size(size)
        upload = self._connection.upload
        if upload is not None:
            upload.most = size

    def set_body_timeout(self, seconds: float) -> None:
        """How long all of the body of this request may take, from its beginning.

        For ``prepare`` of a handler that streams its body. Later it is a 408.
        """
        upload = self._connection.upload
        if upload is not None:
            upload.set_timeout(seconds)

    def detach(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Take the connection away from HTTP: the client has asked for an upgrade.

        From now on the protocol hears of the transport as from asyncio: at once
        ``connection_made``, and ``data_received`` with what has come behind the head;
        at last ``connection_lost``. The transport, which is returned, takes whatever is
        to be sent, the ``101 Switching Protocols`` first of all (RFC 9110 section 7.8).

        The server sends nothing more: what the handler answers is dropped, and no
        deadline applies. It still counts the connection, and a parked request with it,
        calls the handler's ``on_connection_close`` when the connection is lost, and
        cuts it in :meth:`HTTPServer.close_all_connections` and at the end of a grace.

        :raises RuntimeError: if the response has begun, the body has not been read, or
            this is not the thread of the event loop.
        """
        return self._connection.detach(protocol)


class ServerStream:
    """A connection by the names of Tornado's ``IOStream``, as far as they make sense.

    Reading and writing are the server's.
    """

    __module__ = "wsgitornado.httpserver"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def socket(self) -> Any:
        """The socket, to ask things of it; an asyncio ``TransportSocket``."""
        return self._connection.transport.get_extra_info("socket")

    def closed(self) -> bool:
        """Whether the client has left, or the connection was closed otherwise."""
        return self._connection.is_gone

    def close(self) -> None:
        """Cut the connection; what is under way is lost."""
        self._connection.cut()

    def set_nodelay(self, value: bool) -> None:
        """Whether small packets are sent at once, as they are by default."""
        if self._connection.peer is not None:
            set_socket_option(
                self._connection.transport,
                socket.IPPROTO_TCP,
                socket.TCP_NODELAY,
                int(value),
            )

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Have a function called once when the connection is closed, by whomever.

        A second one takes the place of the first; None is none.
        """
        self._connection.set_close_callback(callback)
