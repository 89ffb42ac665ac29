"""What a process knows of one channel: the messages it keeps, and who waits for more.

Everything here is done under the mutex of the broker, by whatever thread.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from operator import attrgetter
from typing import Protocol

from wsgitornado.concurrent import is_on_loop
from wsgitornado.pubsub.messages import Message

__all__ = ["Channel", "Place", "Waiting", "wake"]


class Waiting(Protocol):
    """Who waits for a message, on a loop of its own."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def _wake(self) -> None: ...

    def _give_up(self) -> None: ...


class Channel:
    """The history of a channel, shared by all who read it: they differ by a number.

    :param base: the number of the newest message that may have been here and is not
        kept. Who has had all up to it misses nothing.
    """

    __slots__ = ("base", "first", "history", "messages", "name", "readers", "waiting")

    def __init__(self, name: str, history: int, base: int) -> None:
        self.name = name
        self.history = history
        self.base = base
        self.messages: deque[Message] = deque()
        # How many have gone before the first of these.
        self.first = 0
        # How many subscriptions there are.
        self.readers = 0
        # A dict for its order: who has waited longest is woken first.
        self.waiting: dict[Waiting, None] = {}

    @property
    def last(self) -> int:
        """The number of the newest message that was here."""
        return self.messages[-1].serial if self.messages else self.base

    @property
    def end(self) -> int:
        return self.first + len(self.messages)

    def append(self, message: Message) -> None:
        messages = self.messages
        if len(messages) >= self.history:
            self.base = messages.popleft().serial
            self.first += 1
        messages.append(message)

    def forget_all(self, base: int) -> None:
        """Whoever reads it misses something now, also who has had all there was."""
        self.first = self.end + 1
        self.messages.clear()
        self.base = base

    def position_after(self, serial: int) -> int:
        """Where the messages begin that are newer; before the first: some are gone."""
        if serial < self.base:
            return self.first - 1
        newer = bisect_right(self.messages, serial, key=attrgetter("serial"))
        return self.first + newer

    def take_waiting(self) -> dict[Waiting, None]:
        """Who waits, to be woken once the mutex is free."""
        waiting, self.waiting = self.waiting, {}
        return waiting


class Place:
    """Where one subscription stands in one channel.

    :param number: of the next message, counted in this process.
    :param floor: messages up to this serial were seen elsewhere, though they may not
        have arrived here yet.
    """

    __slots__ = ("channel", "floor", "number")

    def __init__(self, channel: Channel, number: int, floor: int) -> None:
        self.channel = channel
        self.number = number
        self.floor = floor

    def has_missed(self, max_behind: int) -> bool:
        number, channel = self.number, self.channel
        return number < channel.first or channel.end - number > max_behind

    def skip_missed(self, max_behind: int) -> int:
        """Go to the oldest that can be had; return the serial before it."""
        channel = self.channel
        self.number = max(channel.first, channel.end - max_behind)
        kept = self.number - channel.first
        return channel.messages[kept - 1].serial if kept else channel.base

    def next_message(self) -> Message | None:
        """Who comes next, which is not taken by that. Nothing is missed before it."""
        channel = self.channel
        while (offset := self.number - channel.first) < len(channel.messages):
            message = channel.messages[offset]
            if message.serial > self.floor:
                return message
            self.number += 1
        return None


def wake(waiting: Iterable[Waiting]) -> None:
    """Wake all of them, each on its loop, in order. Without the mutex.

    Each loop is called once: that costs a system call.
    """
    elsewhere: dict[asyncio.AbstractEventLoop, list[Waiting]] = {}
    here: asyncio.AbstractEventLoop | None = None
    for one in waiting:
        loop = one.loop
        if loop is here or is_on_loop(loop):
            here = loop
            one._wake()
        else:
            elsewhere.setdefault(loop, []).append(one)
    for loop, group in elsewhere.items():
        try:
            loop.call_soon_threadsafe(_wake_all, group)
        except RuntimeError:
            # On a closed loop nobody waits any more.
            if not loop.is_closed():
                raise


def _wake_all(group: list[Waiting]) -> None:
    for one in group:
        one._wake()
