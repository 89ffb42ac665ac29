"""The room: what is said and who is here, for any thread to change or wait for."""

from __future__ import annotations

import re
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from examples.chat.history import History
from wsgitornado.ioloop import IOLoop
from wsgitornado.locks import Condition

#: How many messages a newcomer sees, and one who was away gets afterwards.
KEPT = 200

#: Seconds for which one who has left still counts as here: between two polls, while a
#: page is loaded again, until a broken connection is there again.
GRACE = 3.0

#: Two messages of one visitor within this time stand below one name.
CLOSE = timedelta(minutes=3)


@dataclass(frozen=True)
class Visitor:
    """Somebody with a name.

    :ivar id: what tells apart those who have the same name; known to nobody else.
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

    :ivar number: microseconds since 1970, each larger than the one before, also when
        the program has been started anew.
    :ivar key: made by the page that sent it, and sent again with it if need be.
    :ivar follows: whether it goes on where its author's last one ended.
    """

    number: int
    author: Visitor
    text: str
    key: str
    follows: bool

    @property
    def said(self) -> datetime:
        return datetime.fromtimestamp(self.number // 1_000_000, UTC)


@dataclass(frozen=True)
class Cursor:
    """How far somebody has read: the last message, and the last change of people."""

    message: int = 0
    people: int = 0

    def __str__(self) -> str:
        return f"{self.message}-{self.people}"

    @classmethod
    def parse(cls, text: str | None) -> Cursor:
        """Read it from outside: what is no cursor is the beginning."""
        match = re.fullmatch(r"([0-9]{1,16})-([0-9]{1,16})", text or "")
        return cls(int(match[1]), int(match[2])) if match else cls()


@dataclass(frozen=True)
class News:
    """What there is after one cursor, up to the next one.

    :ivar is_cut: whether messages before these are forgotten.
    :ivar people: who is here; None if they are the same as before.
    """

    cursor: Cursor
    messages: list[Message]
    is_cut: bool
    people: list[Visitor] | None


@dataclass
class _Presence:
    visitor: Visitor
    #: How many requests of theirs there are at this moment, and have ever been.
    open: int = 0
    ever: int = 0


class Room:
    """What is said, and by whom it is heard.

    :param history: keeps the messages for the next start of the program.
    """

    def __init__(self, history: History | None = None, grace: float = GRACE) -> None:
        self._history = history
        self._grace = grace
        # Held for a few steps, never while somebody waits.
        self._lock = threading.Lock()
        self._changed = Condition()
        self._messages: deque[Message] = deque()
        self._last = 0
        self._forgotten = 0
        self._present: dict[str, _Presence] = {}
        self._people_changed = _now()
        self._is_released = False
        for line in history.read() if history is not None else ():
            author = Visitor(line.pop("id"), line.pop("name"))
            self._keep(Message(author=author, **line))

    # What is said

    def say(self, author: Visitor, text: str, key: str) -> None:
        """Add a message and wake all who wait. From any thread.

        A page that has got no answer sends its message again, with the same key: it is
        said once.
        """
        with self._lock:
            if self._has(author, key):
                return
            number = max(_now(), self._last + 1)
            message = Message(number, author, text, key, self._follows(author, number))
            self._keep(message)
            if self._history is not None:
                self._history.add(_as_line(message))
        self._changed.notify_all()

    def read(self, seen: Cursor) -> News:
        """What there is after a cursor, at once. From any thread."""
        with self._lock:
            return self._news_after(seen)

    async def wait(self, seen: Cursor, patience: timedelta | None = None) -> News:
        """The same as soon as there is anything, or when patience is at an end.

        At the end of the process it is too, with what there is.
        """
        while True:
            with self._lock:
                news = self._news_after(seen)
                if news.messages or news.people is not None or self._is_released:
                    return news
                # In line before the lock is released: nothing passes in between.
                change = self._changed.wait(patience)
            if not await change:
                return news

    def release(self) -> None:
        """Let nobody wait any longer: the process ends, and another one takes over."""
        with self._lock:
            self._is_released = True
        self._changed.notify_all()

    # Who is here

    @contextmanager
    def visit(self, visitor: Visitor) -> Iterator[None]:
        """Count somebody as here for the time of a request, and a little longer."""
        self._enter(visitor)
        try:
            yield
        finally:
            self._leave(visitor)

    def _enter(self, visitor: Visitor) -> None:
        with self._lock:
            presence = self._present.get(visitor.id)
            is_new = presence is None or presence.visitor != visitor
            if presence is None:
                presence = self._present[visitor.id] = _Presence(visitor)
            presence.visitor = visitor
            presence.open += 1
            presence.ever += 1
            if is_new:
                self._note_people()
        if is_new:
            self._changed.notify_all()

    def _leave(self, visitor: Visitor) -> None:
        with self._lock:
            presence = self._present[visitor.id]
            presence.open -= 1
            is_last = not presence.open
        if is_last:
            IOLoop.current().call_later(
                self._grace, self._forget, presence, presence.ever
            )

    def _forget(self, presence: _Presence, ever: int) -> None:
        """Time is up; runs on the loop."""
        with self._lock:
            if presence.ever != ever:
                # They have come again.
                return
            del self._present[presence.visitor.id]
            self._note_people()
        self._changed.notify_all()

    # With the lock held

    def _news_after(self, seen: Cursor) -> News:
        # A number that is larger than the last was given by somebody else, or by a
        # clock that was set back since: then all is new.
        after = seen.message if seen.message <= self._last else 0
        people = None
        if seen.people != self._people_changed:
            people = [presence.visitor for presence in self._present.values()]
        return News(
            Cursor(self._last, self._people_changed),
            [message for message in self._messages if message.number > after],
            0 < after < self._forgotten,
            people,
        )

    def _has(self, author: Visitor, key: str) -> bool:
        return any(
            message.author.id == author.id and message.key == key
            for message in self._messages
        )

    def _follows(self, author: Visitor, number: int) -> bool:
        if not self._messages or self._messages[-1].author != author:
            return False
        return timedelta(microseconds=number - self._last) < CLOSE

    def _keep(self, message: Message) -> None:
        self._messages.append(message)
        self._last = message.number
        if len(self._messages) > KEPT:
            self._forgotten = self._messages.popleft().number

    def _note_people(self) -> None:
        self._people_changed = max(_now(), self._people_changed + 1)


def _now() -> int:
    return time.time_ns() // 1000


def _as_line(message: Message) -> dict[str, object]:
    return {
        "number": message.number,
        "id": message.author.id,
        "name": message.author.name,
        "text": message.text,
        "key": message.key,
        "follows": message.follows,
    }
