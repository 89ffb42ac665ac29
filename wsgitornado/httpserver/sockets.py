"""The socket below a transport: its options, and what its client has not read."""

from __future__ import annotations

import array
import asyncio
import fcntl
import os
import socket
import termios

__all__ = ["set_socket_option", "unread_bytes"]


def set_socket_option(
    transport: asyncio.Transport, level: int, name: int, value: int | bytes
) -> None:
    """Set an option of the socket below a transport."""
    # On a socket of our own: asyncio's is there to ask questions only, and may one day
    # allow no more.
    descriptor = os.dup(transport.get_extra_info("socket").fileno())
    with socket.socket(fileno=descriptor) as sock:
        sock.setsockopt(level, name, value)


def unread_bytes(transport: asyncio.Transport) -> int:
    """How many bytes the client has not taken: those that the system holds, too.

    The system takes megabytes, and asks for more only when much of them is gone. So a
    slow reader is seen to read only there.
    """
    held = array.array("i", [0])
    try:
        # SIOCOUTQ of Linux (its manual page tcp(7)), which has the same number.
        descriptor = transport.get_extra_info("socket").fileno()
        fcntl.ioctl(descriptor, termios.TIOCOUTQ, held)
    except OSError:
        # Closed already, or of another system.
        pass
    return transport.get_write_buffer_size() + held[0]
