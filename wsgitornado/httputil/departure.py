"""Whether a client that is being made to wait is still there, as servers tell it."""

from __future__ import annotations

import errno
import select
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from waitress.channel import ClientDisconnected, HTTPChannel

from wsgitornado._types import WSGIEnvironment

__all__ = [
    "CLIENT_DISCONNECTED",
    "departure_error",
    "departure_probe",
    "peer_has_left",
    "waitress_channel",
]

#: Where our development server puts a callable like waitress's.
CLIENT_DISCONNECTED: Final = "wsgitornado.client_disconnected"

#: waitress's. It tells only where ``channel_request_lookahead`` is more than 0, which
#: costs clients that close their sending side the answer that is being made. So we look
#: at the connection ourselves.
_OF_WAITRESS: Final = "waitress.client_disconnected"

#: gunicorn gives the connection itself.
_OF_GUNICORN: Final = "gunicorn.socket"


def departure_probe(environ: WSGIEnvironment) -> Callable[[], bool] | None:
    """What to ask whether the client has left; None if this server cannot tell.

    Elsewhere it is noticed when something is sent.
    """
    probe: Callable[[], bool] | None = environ.get(CLIENT_DISCONNECTED)
    if probe is not None:
        return probe
    of_waitress: Callable[[], bool] | None = environ.get(_OF_WAITRESS)
    if of_waitress is not None:
        channel = waitress_channel(environ)
        if channel is None:
            # Something of middleware's.
            return of_waitress
        return lambda: of_waitress() or peer_has_left(channel.socket)
    connection = environ.get(_OF_GUNICORN)
    # TLS has no way to look ahead without reading.
    if connection is None or isinstance(connection, ssl.SSLSocket):
        return None
    return lambda: peer_has_left(connection)


def waitress_channel(environ: WSGIEnvironment) -> HTTPChannel | None:
    """waitress's end of the connection; None if it is another server's.

    What waitress puts into environ is a method of it.
    """
    channel = getattr(environ.get(_OF_WAITRESS), "__self__", None)
    return channel if isinstance(channel, HTTPChannel) else None


def departure_error(environ: WSGIEnvironment) -> Exception:
    """What this server takes for a departed client, and makes no fuss about."""
    if _OF_WAITRESS in environ:
        return ClientDisconnected()
    return ConnectionResetError(errno.ECONNRESET, "the client has left")


def peer_has_left(connection: Any) -> bool:
    """Whether the other side has closed a connection; never waits, reads nothing."""
    try:
        poller = select.poll()
        poller.register(connection.fileno(), select.POLLIN)
        if not poller.poll(0):
            return False
        peeked: bytes = connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True
    return not peeked
