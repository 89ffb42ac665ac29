"""A free port for a server of a test."""

from __future__ import annotations

import socket

from wsgitornado.netutil import bind_sockets

__all__ = ["bind_unused_port"]


def bind_unused_port(
    reuse_port: bool = False, address: str = "127.0.0.1"
) -> tuple[socket.socket, int]:
    """Listen on a free port, and return the socket and the port.

    The port belongs to the socket, so that no other test can take it before the server
    gets it: ``server.add_sockets([sock])``.

    :param reuse_port: let further sockets listen on it.
    :param address: the address of this machine, of IPv4 or IPv6; the loopback, which
        nobody else can reach, unless told otherwise.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = bind_sockets(0, address, family=family, reuse_port=reuse_port)[0]
    return sock, sock.getsockname()[1]
