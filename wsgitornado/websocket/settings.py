"""What a connection is made with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ["MAX_MESSAGE_SIZE", "ConnectionSettings", "connection_settings"]

#: The bytes of the largest message that is taken, unless a program says otherwise.
MAX_MESSAGE_SIZE: Final = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Limits and times of a connection; many connections share one of these.

    :ivar is_client: whether this end has asked for the connection, and masks.
    :ivar max_message_size: in bytes, of a message that comes in, inflated.
    :ivar ping_interval: seconds between pings; 0 for none.
    :ivar ping_timeout: seconds for the answer to a ping.
    """

    is_client: bool = False
    max_message_size: int = MAX_MESSAGE_SIZE
    ping_interval: float = 0
    ping_timeout: float = 0


@lru_cache(maxsize=256)
def connection_settings(
    is_client: bool,
    max_message_size: int | None,
    ping_interval: float | None,
    ping_timeout: float | None,
) -> ConnectionSettings:
    """Settings from what a program says, None for the default.

    A ping has to be answered before the next one, as in Tornado.

    :raises ValueError: for numbers that make no sense.
    """
    if max_message_size is None:
        max_message_size = MAX_MESSAGE_SIZE
    ping_interval = ping_interval or 0
    ping_timeout = ping_timeout or ping_interval
    if max_message_size < 1:
        raise ValueError(f"max_message_size is 1 or more: {max_message_size!r}")
    if ping_interval < 0 or ping_timeout < 0:
        raise ValueError(
            f"seconds are not negative: {ping_interval!r}, {ping_timeout!r}"
        )
    return ConnectionSettings(
        is_client, max_message_size, ping_interval, min(ping_timeout, ping_interval)
    )
