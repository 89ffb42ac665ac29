"""Subscription: one reader of one or several channels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from types import TracebackType
from typing import Final, Protocol, Self

from wsgitornado._waiting import Guard
from wsgitornado.pubsub.channel import Channel, Place, wake
from wsgitornado.pubsub.errors import MessagesMissed, SubscriptionClosed
from wsgitornado.pubsub.messages import Message, make_cursor, read_cursor

__all__ = ["Backend", "Source", "Subscription"]


class Source(Protocol):
    """Where the channels of this process are: what a backend gives.

    Its attributes are read, and its methods called, under the mutex.
    """

    guard: Guard
    #: What all cursors of now begin with.
    epoch: str
    #: The number of the newest message of all channels that has arrived here.
    serial: int
    #: Whether nothing will come any more.
    is_closed: bool

    @property
    def known(self) -> int:
        """The number of the newest message that is known to have been published."""

    @property
    def may_lag(self) -> bool:
        """Whether a cursor may be ahead of what has arrived here."""

    def enter(self, names: Sequence[str]) -> list[Channel] | None:
        """Count one reader more, unless one of the channels is not there any more."""

    def leave(self, channels: Sequence[Channel]) -> None:
        """Count one reader less."""


class Backend(Protocol):
    """What a broker passes its calls on to."""

    def open(self, names: Sequence[str]) -> Source | Awaitable[Source]:
        """Bring channels into this process. On the loop of who wants to read them."""


_NEW: Final = 0
_OPEN: Final = 1
_CLOSED: Final = 2


class Subscription:
    """The messages of some channels, from a place on: what ``subscribe`` gives.

    To be used by one coroutine at a time, within ``async with``. Messages that wait
    for it are kept once for all subscribers, so that it takes hardly any memory. ::

        async with broker.subscribe("room", after=cursor) as messages:
            async for message in messages:
                ...
    """

    __module__ = "wsgitornado.pubsub"
    __slots__ = (
        "_after",
        "_backend",
        "_is_late",
        "_max_behind",
        "_names",
        "_places",
        "_serial",
        "_source",
        "_stage",
        "_waiter",
        "loop",
    )

    #: The loop on which it was opened.
    loop: asyncio.AbstractEventLoop
    _source: Source

    def __init__(
        self,
        backend: Backend,
        names: Sequence[str],
        after: str | None,
        max_behind: int,
    ) -> None:
        self._backend = backend
        self._names = names
        self._after = after
        self._max_behind = max_behind
        self._places: tuple[Place, ...] = ()
        self._serial = 0
        self._stage = _NEW
        self._waiter: asyncio.Future[None] | None = None
        # Whether the time of the get() that waits is up.
        self._is_late = False

    # Opening and closing

    async def __aenter__(self) -> Self:
        if self._stage == _CLOSED:
            raise SubscriptionClosed("the subscription was closed: make a new one")
        if self._stage == _NEW:
            self.loop = asyncio.get_running_loop()
            while not await self._enter():
                pass
        return self

    async def __aexit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def _enter(self) -> bool:
        opened = self._backend.open(self._names)
        source = await opened if isinstance(opened, Awaitable) else opened
        with source.guard.hold():
            channels = source.enter(self._names)
            if channels is None:
                return False
            self._source = source
            self._take_places(channels)
        if self._stage == _CLOSED:
            # Meanwhile, as by a client that has left.
            self._leave_channels()
            raise SubscriptionClosed("the subscription was closed while it was opened")
        self._stage = _OPEN
        return True

    def close(self) -> None:
        """End the subscription; from any thread. A ``get()`` that waits ends, too."""
        if self._stage != _OPEN:
            self._stage = _CLOSED
            return
        self._stage = _CLOSED
        self._leave_channels()
        wake((self,))

    def _leave_channels(self) -> None:
        with self._source.guard.hold():
            for place in self._places:
                place.channel.waiting.pop(self, None)
            self._source.leave([place.channel for place in self._places])
            self._places = ()

    def _take_places(self, channels: list[Channel]) -> None:
        source = self._source
        if self._after is None:
            self._serial = source.known
            places = [Place(channel, channel.end, source.known) for channel in channels]
        else:
            epoch, serial = read_cursor(self._after)
            if epoch != source.epoch or (serial > source.serial and not source.may_lag):
                # From another process or another time: older than everything.
                serial = -1
            self._serial = max(serial, 0)
            places = [
                Place(channel, channel.position_after(serial), serial)
                for channel in channels
            ]
        self._places = tuple(places)

    # Asking

    @property
    def cursor(self) -> str:
        """The place after the last message that was taken; at first, where it began.

        A client that comes back gives it as *after*, and gets all that was published
        since. With several channels it counts for all of them.

        :raises RuntimeError: before it is opened.
        """
        self._require_opened()
        source = self._source
        with source.guard.hold():
            if self._stage == _OPEN and not self._has_news():
                # A quiet channel would otherwise leave it behind.
                self._serial = max(self._serial, source.serial)
            return make_cursor(source.epoch, self._serial)

    async def get(self, timeout: float | None = None) -> Message | None:
        """Wait for the next message.

        :param timeout: seconds after which None is returned instead; None waits for
            ever, or for :meth:`Broker.release`.
        :raises MessagesMissed: once, where messages are missing.
        :raises SubscriptionClosed: if it was closed, before or meanwhile.
        :raises RuntimeError: if it is not open, or another coroutine waits in it.
        """
        message = self._take()
        if message is not None or (timeout is not None and timeout <= 0):
            return message
        if self._waiter is not None:
            raise RuntimeError("another coroutine waits in get() of this subscription")
        self._is_late = False
        timer = None
        if timeout is not None:
            timer = self.loop.call_later(timeout, self._give_up)
        try:
            # It is woken for nothing by messages that it has seen elsewhere.
            while message is None and not self._is_late:
                waiter = self._stand_in_line()
                if waiter is not None:
                    await waiter
                message = self._take()
        finally:
            if timer is not None:
                timer.cancel()
            self._leave_line()
        return message

    async def get_many(
        self, most: int = 100, timeout: float | None = None
    ) -> list[Message]:
        """Wait for the next message, and return it with all that are there behind it.

        For long polls, whose clients come again for each answer. After the time the
        list is empty. Raises what :meth:`get` raises.
        """
        first = await self.get(timeout)
        if first is None:
            return []
        messages = [first]
        while len(messages) < most and (message := self._take_unless_missed()):
            messages.append(message)
        return messages

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        """The next message; closing the subscription ends the iteration."""
        while True:
            try:
                message = await self.get()
            except SubscriptionClosed:
                raise StopAsyncIteration from None
            if message is not None:
                return message

    # What these are made of

    def _require_opened(self) -> None:
        if self._stage == _NEW:
            raise RuntimeError(
                "the subscription is not open: use it within 'async with'"
            )

    def _check(self) -> None:
        if self._stage != _OPEN:
            self._require_opened()
            raise SubscriptionClosed("the subscription was closed")
        if self._source.is_closed:
            raise SubscriptionClosed("the broker was closed, or the loop that it used")

    def _has_news(self) -> bool:
        """Whether something is there to be taken. Under the mutex."""
        return any(
            place.has_missed(self._max_behind) or place.next_message() is not None
            for place in self._places
        )

    def _take(self) -> Message | None:
        """The next message, if it is there."""
        self._check()
        with self._source.guard.hold():
            found: Message | None = None
            holder: Place | None = None
            for place in self._places:
                if place.has_missed(self._max_behind):
                    raise self._missed(place)
                message = place.next_message()
                # Of several channels, in the order of publishing.
                if message and (found is None or message.serial < found.serial):
                    found, holder = message, place
            if found is not None and holder is not None:
                holder.number += 1
                self._serial = found.serial
            return found

    def _take_unless_missed(self) -> Message | None:
        """The same, leaving it to the next :meth:`get` to tell what is missing."""
        with self._source.guard.hold():
            if any(place.has_missed(self._max_behind) for place in self._places):
                return None
            return self._take()

    def _missed(self, place: Place) -> MessagesMissed:
        serial = place.skip_missed(self._max_behind)
        if len(self._places) == 1:
            self._serial = serial
        cursor = make_cursor(self._source.epoch, serial)
        return MessagesMissed(place.channel.name, cursor)

    def _stand_in_line(self) -> asyncio.Future[None] | None:
        """A future that ends with the next message, unless there is one by now."""
        with self._source.guard.hold():
            self._check()
            if self._has_news():
                return None
            self._waiter = self.loop.create_future()
            for place in self._places:
                place.channel.waiting[self] = None
            return self._waiter

    def _leave_line(self) -> None:
        self._waiter = None
        with self._source.guard.hold():
            for place in self._places:
                place.channel.waiting.pop(self, None)

    def _wake(self) -> None:
        """Let ``get()`` look again. On its loop."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _give_up(self) -> None:
        """Let ``get()`` that waits return None. On its loop."""
        self._is_late = True
        self._wake()
