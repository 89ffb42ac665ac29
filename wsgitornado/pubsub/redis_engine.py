"""What a process does for its publishers and subscribers at Redis.

Two tasks on one loop, each with a connection of its own: one sends what is published
and fetches histories, and is there once anything is; the other reads the news of all
channels, as long as somebody in this process reads one. Where the process stands in
the news is ``serial``: all messages up to it are in the channels that it follows.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import random
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Final

from wsgitornado._waiting import Guard
from wsgitornado.ioloop import IOLoop
from wsgitornado.log import app_log
from wsgitornado.pubsub.channel import Channel, Waiting, wake
from wsgitornado.pubsub.errors import BrokerUnavailable, SubscriptionClosed
from wsgitornado.pubsub.messages import Message, make_cursor
from wsgitornado.pubsub.publication import Publication
from wsgitornado.pubsub.redis_link import AWAY, Link, RedisError, connections
from wsgitornado.pubsub.redis_scripts import LOAD, PUBLISH

__all__ = ["Engine", "Options"]

#: Messages that may wait in a process while Redis is away: more would only come late.
MOST_QUEUED: Final = 10_000

#: Messages, and characters, that go to Redis in one step: it does nothing else then.
_BATCH: Final = 200
_BATCH_SIZE: Final = 1024 * 1024

#: Channels whose histories are fetched in one step.
_LOADED_AT_ONCE: Final = 100

#: Messages of all channels that are kept so that a process which was cut off for a
#: moment need not fetch every history.
_NEWS: Final = 10_000

#: News that are read in one step, and the seconds for which Redis waits for some.
_READ: Final = 500
_BLOCK: Final = 10.0

#: Seconds for which a channel is followed when nobody reads it any more: those who
#: poll come again at once.
_LINGER: Final = 60.0

#: Seconds for which Redis knows what it did with a batch: longer than anybody tries.
_REMEMBERED: Final = 3600

#: Seconds from one try to the next: the first, and the longest; by chance half as much
#: again or less, so that not all processes come at once.
_REST: Final = 0.05
_LONGEST_REST: Final = 2.0


@dataclass(frozen=True)
class Options:
    """What a broker was made with."""

    url: str
    history: int
    expire: float
    prefix: str
    patience: float


@dataclass(slots=True)
class _Letter:
    """A message on its way to Redis."""

    name: str
    text: str
    publication: Publication
    deadline: float


@dataclass(slots=True)
class _Batch:
    """What goes to Redis in one step, again and again until that says it is there."""

    number: int
    letters: list[_Letter]
    #: Whether it may have arrived.
    was_sent: bool = False


@dataclass(slots=True)
class _Wish:
    """A channel that somebody wants to read."""

    future: concurrent.futures.Future[None]
    deadline: float


class _Outage:
    """How often something has failed in a row; it is logged once."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._failures = 0

    async def rest(self, error: Exception) -> None:
        if not self._failures:
            app_log.warning(
                "Redis is away, for %s: %s: %s", self._what, type(error).__name__, error
            )
        delay = min(_LONGEST_REST, _REST * 2 ** min(self._failures, 10))
        self._failures += 1
        await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - no secret

    def end(self) -> None:
        if self._failures:
            self._failures = 0
            app_log.info("Redis is back, for %s", self._what)


class Engine:
    """The publishers and subscribers of one process, on one loop.

    What is shared with other threads is touched under the mutex.
    """

    may_lag: Final = True

    def __init__(
        self, options: Options, ioloop: IOLoop, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.ioloop = ioloop
        self.loop = loop
        self.guard = Guard()
        self.epoch = ""
        self.serial = 0
        self.known = 0
        self.is_closed = False
        self._pid = os.getpid()
        self._options = options
        self._key = f"{options.prefix}:"
        pool = connections(options.url)
        self._commands = Link(pool, self._key + "state")
        self._news = Link(pool, self._key + "state")
        # For publishing.
        self._publisher = secrets.token_hex(8)
        self._queue: deque[_Letter] = deque()
        self._batch: _Batch | None = None
        self._batches = 0
        # For reading: the channels that are followed, those that nobody reads with the
        # time since then, those to be fetched, and what has come for these meanwhile.
        self._channels: dict[str, Channel] = {}
        self._idle: dict[str, float] = {}
        self._wishes: dict[str, _Wish] = {}
        self._early: dict[str, list[Message]] = {}
        # How often the news had to be left out: what was fetched then does not fit.
        self._gaps = 0
        self._call = asyncio.Event()
        self._is_called = False
        self._worker: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._hop(self._begin)

    # From any thread

    @property
    def is_ours(self) -> bool:
        """Whether it is no parent's."""
        return self._pid == os.getpid()

    @property
    def is_usable(self) -> bool:
        return not self.is_closed and self.is_ours and not self.loop.is_closed()

    def publish(self, name: str, text: str) -> Publication:
        publication = Publication(self.ioloop)
        deadline = monotonic() + self._options.patience
        with self.guard.hold():
            if self.is_closed or len(self._queue) >= MOST_QUEUED:
                publication.set_exception(
                    BrokerUnavailable(
                        f"{len(self._queue)} messages wait for Redis already"
                    )
                )
                return publication
            self._queue.append(_Letter(name, text, publication, deadline))
            is_called, self._is_called = self._is_called, True
        if not is_called:
            self._hop(self._call.set)
        return publication

    def has(self, names: Sequence[str]) -> bool:
        with self.guard.hold():
            return all(name in self._channels for name in names)

    async def follow(self, names: Sequence[str]) -> Engine:
        """Have the histories of channels fetched. On the loop of who wants them."""
        deadline = monotonic() + self._options.patience
        futures = []
        with self.guard.hold():
            if self.is_closed:
                raise SubscriptionClosed("the broker was closed meanwhile")
            for name in names:
                if name not in self._channels:
                    futures.append(self._wish(name, deadline))
            self._is_called = True
        self._hop(self._call.set)
        try:
            async with asyncio.timeout(self._options.patience):
                for future in futures:
                    await asyncio.wrap_future(future)
        except TimeoutError:
            raise BrokerUnavailable(
                f"Redis was away for {self._options.patience:g} seconds"
            ) from None
        return self

    def _wish(self, name: str, deadline: float) -> concurrent.futures.Future[None]:
        wish = self._wishes.get(name)
        if wish is None:
            wish = self._wishes[name] = _Wish(concurrent.futures.Future(), deadline)
            # One who does not wait any longer cancels it for nobody else.
            wish.future.set_running_or_notify_cancel()
        wish.deadline = deadline
        return wish.future

    def enter(self, names: Sequence[str]) -> list[Channel] | None:
        try:
            channels = [self._channels[name] for name in names]
        except KeyError:
            return None
        for channel in channels:
            channel.readers += 1
            self._idle.pop(channel.name, None)
        return channels

    def leave(self, channels: Sequence[Channel]) -> None:
        for channel in channels:
            channel.readers -= 1
            if not channel.readers:
                self._idle[channel.name] = monotonic()

    def waiting(self) -> list[Waiting]:
        with self.guard.hold():
            channels = self._channels.values()
            return [one for channel in channels for one in channel.waiting]

    def close(self) -> Publication:
        """Send what is to be sent, and end."""
        publication = Publication(self.ioloop)
        self._hop(self._begin_close, publication)
        return publication

    def end(self) -> None:
        """Tell all who wait that nothing will come. Also for a loop that has ended."""
        with self.guard.hold():
            self.is_closed = True
            letters = list(self._queue)
            self._queue.clear()
            batch, self._batch = self._batch, None
            wishes, self._wishes = self._wishes, {}
        error = BrokerUnavailable("the loop that publishes has ended")
        _fail(letters, error)
        if batch is not None:
            error = BrokerUnavailable(str(error), may_be_published=batch.was_sent)
            _fail(batch.letters, error)
        for wish in wishes.values():
            wish.future.set_exception(SubscriptionClosed("the broker was closed"))
        wake(self.waiting())

    def _hop(self, function: Callable[..., object], *args: object) -> None:
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            if not self.loop.is_closed():
                raise
            self.end()

    # On the loop, from here on: the task that publishes and fetches

    def _begin(self) -> None:
        self._worker = self.loop.create_task(self._work())

    def _begin_close(self, publication: Publication) -> None:
        # Kept: asyncio itself holds tasks only weakly.
        self._closing = self.loop.create_task(self._close())
        self._closing.add_done_callback(lambda _: publication.set_result(""))

    async def _close(self) -> None:
        with self.guard.hold():
            letters = [*(self._batch.letters if self._batch else ()), *self._queue]
        if letters:
            publications = [asyncio.wrap_future(one.publication) for one in letters]
            await asyncio.gather(*publications, return_exceptions=True)
        tasks = [task for task in (self._worker, self._reader) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _work(self) -> None:
        outage = _Outage("publishing")
        try:
            while True:
                await self._call.wait()
                self._call.clear()
                with self.guard.hold():
                    self._is_called = False
                while self._wishes or self._batch or self._queue:
                    try:
                        await self._fetch_wishes()
                        await self._send()
                        outage.end()
                    except AWAY as error:
                        self._give_up_late(error)
                        await outage.rest(error)
        finally:
            if self._reader is not None:
                self._reader.cancel()
            await self._commands.close()
            self.end()

    def _give_up_late(self, error: Exception) -> None:
        """Tell those who have waited for as long as they wanted to."""
        now = monotonic()
        reason = f"Redis was away for {self._options.patience:g} seconds: {error}"
        late = []
        with self.guard.hold():
            while self._queue and self._queue[0].deadline <= now:
                late.append(self._queue.popleft())
            for name, wish in list(self._wishes.items()):
                if wish.deadline <= now:
                    del self._wishes[name]
                    wish.future.set_exception(BrokerUnavailable(reason))
        _fail(late, BrokerUnavailable(reason))
        batch = self._batch
        # As one: in another form it would be another batch.
        if batch is not None and batch.letters[-1].deadline <= now:
            self._batch = None
            _fail(
                batch.letters,
                BrokerUnavailable(reason, may_be_published=batch.was_sent),
            )

    # Publishing

    async def _send(self) -> None:
        """Bring the next batch to Redis. If this fails it will be the next again."""
        batch = self._batch or self._next_batch()
        if batch is None:
            return
        if not self._commands.is_open:
            await self._commands.connect()
        batch.was_sent = True
        options = self._options
        keys = ["news", "channels", f"publisher:{self._publisher}"]
        parts = [part for one in batch.letters for part in (one.name, one.text)]
        try:
            epoch, start = await self._commands.eval(
                PUBLISH,
                [self._key + key for key in keys],
                [
                    *(batch.number, f"{self._key}channel:", options.history, _NEWS),
                    *(options.expire, _REMEMBERED, *parts),
                ],
            )
        except AWAY:
            raise
        except RedisError as error:
            self._batch = None
            refusal = BrokerUnavailable(
                f"Redis refused: {error}", may_be_published=True
            )
            # Its frames would keep the publications for the garbage collector.
            refusal.__cause__ = error.with_traceback(None)
            _fail(batch.letters, refusal)
            return
        self._batch = None
        self._confirm(batch, epoch.decode(), int(start))

    def _next_batch(self) -> _Batch | None:
        letters: list[_Letter] = []
        size = 0
        with self.guard.hold():
            while self._queue and len(letters) < _BATCH and size < _BATCH_SIZE:
                letter = self._queue.popleft()
                size += len(letter.text)
                letters.append(letter)
        if letters:
            self._batches += 1
            self._batch = _Batch(self._batches, letters)
        return self._batch

    def _confirm(self, batch: _Batch, epoch: str, start: int) -> None:
        with self.guard.hold():
            if epoch == self.epoch:
                self.known = max(self.known, start + len(batch.letters))
        for number, letter in enumerate(batch.letters, start + 1):
            letter.publication.set_result(make_cursor(epoch, number))

    # Fetching histories

    async def _fetch_wishes(self) -> None:
        while names := self._next_wishes():
            gaps = self._gaps
            try:
                found = await self._load(self._commands, dict.fromkeys(names, 0))
            except AWAY:
                raise
            except RedisError as error:
                refusal = BrokerUnavailable(f"Redis refused: {error}")
                for name in names:
                    self._wishes.pop(name).future.set_exception(refusal)
                continue
            finally:
                early, self._early = self._early, {}
            if gaps != self._gaps:
                continue
            if self._reader is not None and found.epoch != self.epoch:
                # Those that are followed have to be fetched first.
                await self._bridge_gap(self._commands)
                continue
            self._fulfil(names, found, early)

    def _next_wishes(self) -> list[str]:
        """Channels to be fetched: what comes of them from now on is kept."""
        with self.guard.hold():
            names = list(islice(self._wishes, _LOADED_AT_ONCE))
            self._early = {name: [] for name in names}
        return names

    async def _load(self, link: Link, names: dict[str, int]) -> _Loaded:
        """Fetch what Redis has of channels, from a number on for each."""
        found = await link.eval(
            LOAD,
            [f"{self._key}channel:{name}" for name in names],
            [self._options.history, *(f"{serial}-0" for serial in names.values())],
        )
        epoch, serial, *entries = found
        return _Loaded(epoch.decode(), int(serial), entries)

    def _fulfil(
        self, names: list[str], found: _Loaded, early: dict[str, list[Message]]
    ) -> None:
        """Follow channels from now on. Everything has to stand where the news does."""
        done = []
        with self.guard.hold():
            if self._reader is None:
                self._begin_epoch(found.epoch, found.serial)
            now = monotonic()
            for name, entries in zip(names, found.entries, strict=True):
                messages, base = self._read_entries(name, entries)
                channel = Channel(name, self._options.history, min(base, self.serial))
                for message in messages:
                    # The others are among the news that are yet to come.
                    if message.serial <= self.serial:
                        channel.append(message)
                for message in early[name]:
                    if message.serial > found.serial:
                        channel.append(message)
                self._channels[name] = channel
                self._idle[name] = now
                wish = self._wishes.pop(name, None)
                if wish is not None:
                    done.append(wish)
            if self._reader is None:
                self._reader = self.loop.create_task(self._read())
        for wish in done:
            wish.future.set_result(None)

    def _read_entries(
        self, name: str, entries: list[bytes]
    ) -> tuple[list[Message], int]:
        """The messages of a history, and the number of the one before these."""
        before, *rest = entries
        messages = [
            self._message(name, _serial_of(number), value.partition(b" ")[2])
            for number, value in zip(rest[::2], rest[1::2], strict=True)
        ]
        return messages, int(before)

    def _message(self, name: str, serial: int, text: bytes) -> Message:
        return Message(name, make_cursor(self.epoch, serial), serial, text.decode())

    def _begin_epoch(self, epoch: str, serial: int) -> None:
        """Everything in Redis is new: forget what there was. Under the mutex."""
        self.epoch = epoch
        self.serial = self.known = serial
        for channel in self._channels.values():
            channel.forget_all(serial)

    # The task that reads

    async def _read(self) -> None:
        outage = _Outage("reading")
        try:
            while not self._is_idle():
                try:
                    await self._read_on()
                    outage.end()
                except (*AWAY, RedisError) as error:
                    await outage.rest(error)
        except Exception:
            # Something else writes to our keys. Nobody is to wait for ever.
            app_log.error("Cannot read the news in Redis", exc_info=True)
            if self._worker is not None:
                self._worker.cancel()
        finally:
            self._reader = None
            await self._news.close()

    def _is_idle(self) -> bool:
        """Whether nobody reads; channels that nobody has read for long are left."""
        since = monotonic() - _LINGER
        with self.guard.hold():
            for name, time in list(self._idle.items()):
                if time <= since:
                    del self._idle[name], self._channels[name]
            if self._channels:
                return False
            self._reader = None
            return True

    async def _read_on(self) -> None:
        if not self._news.is_open:
            epoch, _ = await self._news.connect()
            if epoch != self.epoch:
                await self._bridge_gap(self._news)
        news = await self._news.call(
            *("XREAD", "COUNT", _READ, "BLOCK", int(_BLOCK * 1000)),
            *("STREAMS", f"{self._key}news", f"{self.serial}-0"),
            patience=_BLOCK,
        )
        if not news:
            epoch, _ = await self._news.hello()
            if epoch != self.epoch:
                await self._bridge_gap(self._news)
        elif not self._take_news(news[0][1]):
            await self._bridge_gap(self._news)

    def _take_news(self, news: list[tuple[bytes, list[bytes]]]) -> bool:
        """Add news to the channels; False where some are missing before the next."""
        waiting: dict[Waiting, None] = {}
        is_whole = True
        with self.guard.hold():
            for number, fields in news:
                serial = _serial_of(number)
                if serial <= self.serial:
                    continue
                before, size, rest = fields[1].split(b" ", 2)
                if int(before) > self.serial:
                    is_whole = False
                    break
                self.serial = serial
                length = int(size)
                name = rest[:length].decode()
                channel = self._channels.get(name)
                if channel is not None:
                    channel.append(self._message(name, serial, rest[length:]))
                    waiting |= channel.take_waiting()
                elif name in self._early:
                    early = self._message(name, serial, rest[length:])
                    self._early[name].append(early)
            self.known = max(self.known, self.serial)
        wake(waiting)
        return is_whole

    async def _bridge_gap(self, link: Link) -> None:
        """Fetch from the histories what the news do not have any more, or never had."""
        while True:
            gaps = self._gaps
            lasts = {name: one.last + 1 for name, one in self._channels.items()}
            found = await self._load(link, lasts)
            if gaps != self._gaps:
                # The other task has done it meanwhile.
                return
            if lasts.keys() >= self._channels.keys():
                break
        waiting: dict[Waiting, None] = {}
        with self.guard.hold():
            self._gaps += 1
            if found.epoch != self.epoch:
                self._begin_epoch(found.epoch, found.serial)
            self.serial = found.serial
            self.known = max(self.known, self.serial)
            for name, entries in zip(lasts, found.entries, strict=True):
                messages, base = self._read_entries(name, entries)
                channel = self._channels.get(name)
                # It may have been left by the other task.
                if channel is not None:
                    waiting |= _catch_up(channel, messages, base)
        wake(waiting)


@dataclass(slots=True)
class _Loaded:
    """What Redis has said of some channels at one moment."""

    epoch: str
    serial: int
    #: For each channel, the number before, and then numbers and values in turn.
    entries: list[list[bytes]]


def _catch_up(
    channel: Channel, messages: list[Message], base: int
) -> dict[Waiting, None]:
    """Add what has come to a channel; *base* is what went before it."""
    if base > channel.last:
        channel.forget_all(base)
    elif messages and not channel.messages:
        # Nothing has been here that would not be among these.
        channel.base = base
    for message in messages:
        channel.append(message)
    return channel.take_waiting()


def _serial_of(number: bytes) -> int:
    return int(number.partition(b"-")[0])


def _fail(letters: list[_Letter], error: BrokerUnavailable) -> None:
    for letter in letters:
        letter.publication.set_exception(error)
