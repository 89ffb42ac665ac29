"""The room: what is said and who is here, in one process or in many.

Everything runs on the event loop: there are no locks.
"""

from __future__ import annotations

import os
import secrets
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import monotonic, time
from typing import Final

from examples.chat.history import History
from wsgitornado.ioloop import IOLoop
from wsgitornado.pubsub import Broker, MessagesMissed, Subscription

#: How many messages a newcomer sees, and one who was away gets afterwards.
KEPT: Final = 200

#: The channels of the room: what is said, and who is here.
SAID: Final = "said"
PEOPLE: Final = "people"

#: Seconds for which one who has left still counts as here: between two polls, while a
#: page is loaded again, until a broken connection is there again.
GRACE: Final = 3.0

#: Seconds between two times that a process tells who is with it, and those after which
#: one that has told nothing is taken for dead.
RENEWAL: Final = 20.0
STALE: Final = 60.0

#: Seconds in which coming and going are told together.
TOGETHER: Final = 0.05


@dataclass(frozen=True)
class Visitor:
    """Somebody with a name.

    :ivar id: what tells apart those who have the same name.
    """

    id: str
    name: str

    @property
    def color(self) -> int:
        """One of eight, the same each time."""
        return zlib.crc32(self.id.encode()) % 8


@dataclass(frozen=True)
class Message:
    """Something that was said.

    :ivar id: the same if a page that has got no answer sends it again.
    :ivar html: what pages show, made once for all of them.
    """

    id: str
    html: str


@dataclass(frozen=True)
class News:
    """What there is after one cursor, up to the next one.

    :ivar is_cut: whether messages before these may be forgotten.
    :ivar people: who is here; None if they are the same as before.
    :ivar here: what those are known by.
    """

    cursor: str
    messages: list[Message]
    is_cut: bool
    people: list[Visitor] | None
    here: str


class Room:
    """What is said, and by whom it is heard.

    :param broker: brings messages to all processes of the room.
    :param history: keeps them for the next start, where the broker does not.
    """

    def __init__(
        self, broker: Broker, history: History | None = None, grace: float = GRACE
    ) -> None:
        self._broker = broker
        self._history = history
        self._grace = grace
        self._name = secrets.token_hex(8)
        # How many requests of theirs there are, or were a moment ago.
        self._present: Counter[Visitor] = Counter()
        self._told = _digest([])
        self._timer: object = None
        self._is_changing = False
        for message in history.read() if history is not None else ():
            broker.publish(SAID, message)

    async def say(self, message: Message) -> None:
        """Add a message, and wait until it is there for all."""
        line = {"id": message.id, "html": message.html}
        if self._history is not None:
            self._history.add(line)
        await self._broker.publish(SAID, line)

    @asynccontextmanager
    async def listen(
        self, visitor: Visitor, since: str, here: str, patience: float | None = None
    ) -> AsyncIterator[AsyncIterator[News]]:
        """Be here, and hear all that is news after a cursor.

        :param since: of the last news that the page had; at first it is empty.
        :param here: likewise, who was here.
        :param patience: seconds after which there are news even if there are none.
        """
        with self._visit(visitor):
            subscription = self._broker.subscribe(SAID, PEOPLE, after=since)
            async with (
                subscription,
                aclosing(self._follow(subscription, here, patience)) as news,
            ):
                yield news

    def release(self) -> None:
        """Let nobody wait any longer: the process ends, and another one takes over."""
        self._present.clear()
        self._tell()
        self._broker.release()

    # What is said

    async def _follow(
        self, messages: Subscription, here: str, patience: float | None
    ) -> AsyncGenerator[News, None]:
        while True:
            news = await self._next_news(messages, here, patience)
            yield news
            here = news.here

    async def _next_news(
        self, messages: Subscription, here: str, patience: float | None
    ) -> News:
        end = None if patience is None else monotonic() + patience
        is_cut = False
        while True:
            left = None if end is None else max(0.0, end - monotonic())
            try:
                found = await messages.get_many(2 * KEPT, 0 if is_cut else left)
            except MessagesMissed as missed:
                is_cut = is_cut or missed.channel == SAID
                continue
            people = await self._find_people()
            # A message that was sent twice is said once.
            said = {
                message.data["id"]: Message(**message.data)
                for message in found
                if message.channel == SAID
            }
            # Not for what changes nothing: somebody's poll has come to another process.
            if said or is_cut or not found or _digest(people) != here:
                return News(
                    messages.cursor,
                    list(said.values()),
                    is_cut,
                    people if _digest(people) != here else None,
                    _digest(people),
                )

    # Who is here

    @contextmanager
    def _visit(self, visitor: Visitor) -> Iterator[None]:
        """Count somebody as here for the time of a request, and a little longer."""
        self._present[visitor] += 1
        self._note_change()
        try:
            yield
        finally:
            IOLoop.current().call_later(self._grace, self._forget, visitor)

    def _forget(self, visitor: Visitor) -> None:
        self._present[visitor] -= 1
        # Also where the room was released meanwhile.
        self._present = +self._present
        self._note_change()

    def _note_change(self) -> None:
        """Tell it to the other processes, soon."""
        if not self._is_changing and _digest(list(self._present)) != self._told:
            self._is_changing = True
            self._tell_in(TOGETHER)

    def _tell(self) -> None:
        self._is_changing = False
        people = list(self._present)
        self._told = _digest(people)
        self._broker.publish(
            PEOPLE,
            {
                "process": self._process,
                "time": time(),
                "people": [[person.id, person.name] for person in people],
            },
        )
        if people:
            self._tell_in(RENEWAL)

    def _tell_in(self, seconds: float) -> None:
        if self._timer is not None:
            IOLoop.current().remove_timeout(self._timer)
        self._timer = IOLoop.current().call_later(seconds, self._tell)

    @property
    def _process(self) -> str:
        # A room may be made before a server forks.
        return f"{self._name}-{os.getpid()}"

    async def _find_people(self) -> list[Visitor]:
        """Who is here, in all processes that were heard of lately."""
        async with self._broker.subscribe(PEOPLE, after="") as kept:
            try:
                found = await kept.get_many(KEPT, 0)
            except MessagesMissed:
                # As from any cursor that nobody knows: all that is kept.
                found = await kept.get_many(KEPT, 0)
        lists = {message.data["process"]: message.data for message in found}
        here: dict[Visitor, None] = {}
        for process, told in lists.items():
            if process != self._process and time() - told["time"] < STALE:
                here |= dict.fromkeys(Visitor(*person) for person in told["people"])
        return sorted(here | dict.fromkeys(self._present), key=_by_name)


def _by_name(visitor: Visitor) -> tuple[str, str]:
    return visitor.name.casefold(), visitor.id


def _digest(people: list[Visitor]) -> str:
    return str(zlib.crc32(repr(people).encode()))
