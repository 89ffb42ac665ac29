"""Messages, and the cursors that say where in the line of all messages one stands."""

from __future__ import annotations

import json
import re
from typing import Any, Final

__all__ = [
    "MAX_CHANNEL_SIZE",
    "Message",
    "channel_name",
    "encode",
    "make_cursor",
    "read_cursor",
]

#: Bytes of a channel's name, which often comes from an address and is kept in many
#: places.
MAX_CHANNEL_SIZE: Final = 500

# An epoch, and the number of a message within it: 64 bits at most, as in Redis.
_CURSOR: Final = re.compile(r"([0-9a-f]{8})-([0-9a-f]{1,16})", re.ASCII)

_UNREAD: Final = object()

_to_json = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class Message:
    """What a subscriber gets.

    All subscribers of a process get the same object.
    """

    __module__ = "wsgitornado.pubsub"
    __slots__ = ("_data", "_json", "channel", "cursor", "serial")

    #: The channel to which it was published.
    channel: str
    #: Its place, to be given to :meth:`Broker.subscribe` as *after*.
    cursor: str

    def __init__(self, channel: str, cursor: str, serial: int, text: str) -> None:
        self.channel = channel
        self.cursor = cursor
        # Its number among the messages of all channels.
        self.serial = serial
        self._json = text
        self._data: Any = _UNREAD

    @property
    def json(self) -> str:
        """The message as JSON, encoded once when it was published.

        It may stand inside a ``<script>`` element, and is one line of ASCII.
        """
        return self._json

    @property
    def data(self) -> Any:
        """The message as a Python value: that of the JSON.

        It is decoded once for all subscribers of the process: copy it before you
        change it.
        """
        if self._data is _UNREAD:
            self._data = json.loads(self._json)
        return self._data

    def __repr__(self) -> str:
        return f"<Message {self.cursor} in {self.channel!r}: {self._json}>"


def encode(message: object) -> str:
    """A message as JSON.

    :raises TypeError: for what JSON cannot hold, NaN and circles among it.
    """
    try:
        return _to_json(message).replace("</", "<\\/")
    except (ValueError, RecursionError) as error:
        raise TypeError(f"a message is a JSON value: {error}") from error


def channel_name(name: str) -> str:
    """The name of a channel, once it is known to be one.

    :raises TypeError: if it is no text.
    :raises ValueError: if it is empty, longer than ``MAX_CHANNEL_SIZE`` or cannot be
        written in UTF-8.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a channel is text: got {name!r}")
    if not 0 < len(name.encode()) <= MAX_CHANNEL_SIZE:
        raise ValueError(
            f"the name of a channel has 1 to {MAX_CHANNEL_SIZE} bytes: "
            f"got {len(name.encode())}"
        )
    return name


def make_cursor(epoch: str, serial: int) -> str:
    """
    >>> make_cursor("00c0ffee", 255)
    '00c0ffee-ff'
    """
    return f"{epoch}-{serial:x}"


def read_cursor(cursor: str) -> tuple[str, int]:
    """The epoch and the number of a cursor. It comes from clients: nothing is raised.

    What is none is given an epoch that nobody has:

    >>> read_cursor("00c0ffee-ff")
    ('00c0ffee', 255)
    >>> read_cursor("nonsense")
    ('', 0)
    """
    match = _CURSOR.fullmatch(cursor)
    return (match[1], int(match[2], 16)) if match else ("", 0)
