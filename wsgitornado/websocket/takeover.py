"""How a connection is taken from the server that has accepted it.

Our own servers hand it over: ``request.connection.detach``. gunicorn's threads leave
their socket in environ; the event loop gets it while the thread waits, and that is all
that the thread does from then on. Other servers have no way.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

from wsgitornado.httputil.departure import departure_error
from wsgitornado.httputil.request import HTTPServerRequest
from wsgitornado.parked import ParkedResponse

__all__ = ["REFUSAL", "Takeover", "find_takeover"]

#: Where gunicorn puts the connection.
_SOCKET: Final = "gunicorn.socket"

#: For the log where WebSockets are not to be had.
REFUSAL: Final = (
    "this server does not hand over its connections, which WebSockets need: use "
    "`wsgitornado serve --server loop`, or gunicorn with "
    "`-k wsgitornado.httpserver.GunicornWorker` or `-k gthread`, without TLS of its own"
)


class Takeover:
    """Taking the connection of one request; made and used on the loop.

    :param parked: the response that the request would have had.
    """

    def __init__(
        self,
        take: Callable[[asyncio.Protocol], Any],
        parked: ParkedResponse,
        holds_thread: bool,
        error: Exception,
    ) -> None:
        self._take = take
        self._parked = parked
        self._holds_thread = holds_thread
        self._error = error

    async def take(self, protocol: asyncio.Protocol) -> None:
        """Have the connection speak another protocol.

        :raises OSError: if the client has left.
        """
        taken = self._take(protocol)
        if asyncio.iscoroutine(taken):
            await taken

    def end(self) -> None:
        """Let the server go its own way, with nothing more to send."""
        if self._holds_thread:
            # A departed client is what it makes no fuss about.
            self._parked.fail(self._error)
        else:
            self._parked.complete("101 Switching Protocols", [], b"")


def find_takeover(
    request: HTTPServerRequest, parked: ParkedResponse
) -> Takeover | None:
    """How to take the connection of a request; None where there is no way."""
    environ = request.environ
    error = departure_error(environ)
    detach = getattr(request.connection, "detach", None)
    if detach is not None:
        return Takeover(detach, parked, False, error)
    sock = environ.get(_SOCKET)
    # Of exactly this class: TLS is in the way of the system's socket, and gevent's
    # belongs to a loop of its own.
    if type(sock) is not socket.socket or not environ.get("wsgi.multithread"):
        return None
    if type(sock).__module__ != "socket":
        return None

    def take(protocol: asyncio.Protocol) -> Any:
        return _adopt(sock.dup(), protocol)

    return Takeover(take, parked, True, error)


async def _adopt(sock: socket.socket, protocol: asyncio.Protocol) -> None:
    """Have the loop read and write a socket, a duplicate of the server's own."""
    try:
        # The server's own becomes so, too; it does nothing with it but to close it.
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: protocol, sock)
    except BaseException:
        sock.close()
        raise
