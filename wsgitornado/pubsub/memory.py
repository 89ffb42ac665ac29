"""The backend ``memory://``: all subscribers are in this process."""

from __future__ import annotations

import os
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from time import monotonic
from typing import Final

from wsgitornado._waiting import Guard
from wsgitornado.pubsub.channel import Channel, Waiting, wake
from wsgitornado.pubsub.messages import Message, make_cursor
from wsgitornado.pubsub.publication import Publication

__all__ = ["MemoryBackend"]

#: Bytes of chance in the name of an epoch.
_EPOCH_SIZE: Final = 4


class MemoryBackend:
    """Histories in this process. No loop is needed, and publishing waits for nobody.

    A forked child begins anew: those who wait are the parent's, and its cursors too.
    """

    def __init__(self, history: int, expire: float) -> None:
        self._history = history
        self._expire = expire
        self._memory = _Memory(history, expire)

    def _current(self) -> _Memory:
        memory = self._memory
        if memory.pid != os.getpid():
            memory = self._memory = _Memory(self._history, self._expire)
        return memory

    def publish(self, name: str, text: str) -> Publication:
        publication = Publication()
        publication.set_result(self._current().append(name, text))
        return publication

    def open(self, names: Sequence[str]) -> _Memory:
        return self._current()

    def waiting(self) -> list[Waiting]:
        return self._current().waiting()

    def close(self) -> Publication:
        memory, self._memory = self._current(), _Memory(self._history, self._expire)
        memory.is_closed = True
        wake(memory.waiting())
        publication = Publication()
        publication.set_result("")
        return publication


class _Memory:
    """What a process has of all channels."""

    may_lag: Final = False

    def __init__(self, history: int, expire: float) -> None:
        self.pid = os.getpid()
        self.guard = Guard()
        self.epoch = secrets.token_hex(_EPOCH_SIZE)
        self.serial = 0
        self.is_closed = False
        self._history = history
        self._expire = expire
        # Those without messages, which have readers; and the others, each with the
        # time of its last message, which is their order.
        self._channels: dict[str, Channel] = {}
        self._times: OrderedDict[str, float] = OrderedDict()
        # The newest message of all channels that were forgotten.
        self._forgotten = 0

    @property
    def known(self) -> int:
        return self.serial

    def append(self, name: str, text: str) -> str:
        with self.guard.hold():
            now = monotonic()
            self._forget_old(now)
            self.serial += 1
            message = Message(
                name, make_cursor(self.epoch, self.serial), self.serial, text
            )
            channel = self._channel(name)
            channel.append(message)
            self._times[name] = now
            self._times.move_to_end(name)
            waiting = channel.take_waiting()
        wake(waiting)
        return message.cursor

    def enter(self, names: Sequence[str]) -> list[Channel]:
        self._forget_old(monotonic())
        channels = [self._channel(name) for name in names]
        for channel in channels:
            channel.readers += 1
        return channels

    def leave(self, channels: Sequence[Channel]) -> None:
        for channel in channels:
            channel.readers -= 1
            if not channel.readers and channel.name not in self._times:
                del self._channels[channel.name]

    def waiting(self) -> list[Waiting]:
        with self.guard.hold():
            channels = self._channels.values()
            return [one for channel in channels for one in channel.waiting]

    def _channel(self, name: str) -> Channel:
        channel = self._channels.get(name)
        if channel is None:
            channel = Channel(name, self._history, self._forgotten)
            self._channels[name] = channel
        return channel

    def _forget_old(self, now: float) -> None:
        """Forget channels that have been quiet for long, and that nobody reads."""
        times = self._times
        while times and now - next(iter(times.values())) >= self._expire:
            name, _ = times.popitem(last=False)
            channel = self._channels[name]
            if channel.readers:
                times[name] = now
            else:
                self._forgotten = max(self._forgotten, channel.last)
                del self._channels[name]
