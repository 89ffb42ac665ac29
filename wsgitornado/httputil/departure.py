"""Whether a client that is being made to wait is still there, as servers tell it."""

from __future__ import annotations

import errno
import select
import socket
import ssl
from collections.abc import Callable
from typing import Any, Final

from waitress.channel import ClientDisconnected

from wsgitornado._types import WSGIEnvironment

__all__ = [
    "CLIENT_DISCONNECTED",
    "departure_error",
    "departure_probe",
    "peer_has_left",
]

#: Where our development server puts a callable like waitress's.
CLIENT_DISCONNECTED: Final = "wsgitornado.client_disconnected"

#: waitress's. It tells only where ``channel_request_lookahead`` is more than 0; then a
#: client that has just closed its sending side loses an answer that is being made.
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
        # A method of waitress's channel. Its socket can be looked at, whatever the
        # look-ahead is.
        channel = getattr(of_waitress, "__self__", None)
        connection = getattr(channel, "socket", None)
        if connection is None:
            return of_waitress
        return lambda: of_waitress() or peer_has_left(connection)
    connection = environ.get(_OF_GUNICORN)
    # TLS has no way to look ahead without reading.
    if connection is None or isinstance(connection, ssl.SSLSocket):
        return None
    return lambda: peer_has_left(connection)


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
