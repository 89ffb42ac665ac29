"""Queues for coroutines, to put and get without waiting from any thread.

Coroutines wait on their loop for an item or for room. To put and to get is possible
from any thread, and whoever waits is woken at once, on its own loop. Waiting never
blocks a thread: ``put``, ``get`` and ``join`` return futures.
"""

from __future__ import annotations

import heapq
from collections import deque
from datetime import timedelta
from itertools import pairwise
from typing import Any, Generic, TypeVar

from wsgitornado._waiting import Guard, Line, Waiter, finished, wake
from wsgitornado.concurrent import Future

__all__ = ["LifoQueue", "PriorityQueue", "Queue", "QueueEmpty", "QueueFull"]

_T = TypeVar("_T")


class QueueEmpty(Exception):
    """Raised by :meth:`Queue.get_nowait` when there is no item."""


class QueueFull(Exception):
    """Raised by :meth:`Queue.put_nowait` when there is no room."""


class _Putter(Waiter[None], Generic[_T]):
    """Waits for room, and brings an item."""

    def __init__(self, line: Line[_Putter[_T]], item: _T) -> None:
        super().__init__(line)
        self.item = item


class Queue(Generic[_T]):
    """Hands items from those who put to those who get, in the order of putting.

    Those who wait are served in the order of their calls. ``async for item in queue:``
    gets one after the other, without an end.

    A subclass may keep its items in another way by overriding ``_init``, which makes
    ``self._queue`` (anything that has a ``len``), ``_put`` and ``_get``. These run
    under the queue's mutex: they should be short.

    :param maxsize: how many items it holds before ``put`` waits; 0 means any number.
    :raises TypeError: if ``maxsize`` is None.
    :raises ValueError: if it is negative.
    """

    #: What holds the items: made by ``_init``.
    _queue: Any = None

    def __init__(self, maxsize: int = 0) -> None:
        if maxsize is None:
            raise TypeError("maxsize can't be None: 0 means that there is no limit")
        if maxsize < 0:
            raise ValueError(f"maxsize can't be negative: got {maxsize!r}")
        self._maxsize = maxsize
        self._guard = Guard()
        self._getters: Line[Waiter[_T]] = Line(self._guard)
        self._putters: Line[_Putter[_T]] = Line(self._guard)
        self._joiners: Line[Waiter[None]] = Line(self._guard)
        self._unfinished_tasks = 0
        self._init()

    def _init(self) -> None:
        self._queue = deque()

    def _put(self, item: _T) -> None:
        self._queue.append(item)

    def _get(self) -> _T:
        item: _T = self._queue.popleft()
        return item

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {id(self):#x} {self._format()}>"

    def __str__(self) -> str:
        return f"<{type(self).__name__} {self._format()}>"

    def _format(self) -> str:
        with self._guard.hold():
            parts = [f"maxsize={self._maxsize!r}"]
            if self.qsize():
                parts.append(f"queue={self._queue!r}")
            if self._getters:
                parts.append(f"getters[{len(self._getters)}]")
            if self._putters:
                parts.append(f"putters[{len(self._putters)}]")
            if self._unfinished_tasks:
                parts.append(f"tasks={self._unfinished_tasks}")
        return " ".join(parts)

    @property
    def maxsize(self) -> int:
        """How many items it holds before ``put`` waits; 0 means any number."""
        return self._maxsize

    def qsize(self) -> int:
        """Return the number of items. Other threads may change it at any moment."""
        return len(self._queue)

    def empty(self) -> bool:
        """Return whether there is no item, at this moment."""
        return not self.qsize()

    def full(self) -> bool:
        """Return whether ``put`` would wait, at this moment."""
        return self._maxsize != 0 and self.qsize() >= self._maxsize

    def put(self, item: _T, timeout: float | timedelta | None = None) -> Future[None]:
        """Put an item when there is room; return a future that is done when it is in.

        If putting fails when its turn comes, because a :class:`PriorityQueue` cannot
        compare the item, the future raises that.

        :param timeout: a time as ``IOLoop.time()`` tells it, or a ``timedelta``; by
            default it waits for ever. Then the future raises
            ``TimeoutError``, and the item is not put.
        """
        with self._guard.hold():
            try:
                self.put_nowait(item)
            except QueueFull:
                return self._putters.join(_Putter(self._putters, item), timeout)
        return finished(None)

    def put_nowait(self, item: _T) -> None:
        """Put an item, and wake who waits for one. From any thread.

        :raises QueueFull: if there is no room.
        """
        with self._guard.hold():
            if self.full():
                raise QueueFull
            self._take_in(item)
            self._serve_getters()

    def get(self, timeout: float | timedelta | None = None) -> Future[_T]:
        """Return a future of the next item.

        A task that is cancelled when an item was already on its way to it leaves the
        item at the front of the queue.

        :param timeout: a time as ``IOLoop.time()`` tells it, or a ``timedelta``; by
            default it waits for ever. Then the future raises
            ``TimeoutError``, and gets no item.
        """
        with self._guard.hold():
            try:
                return finished(self.get_nowait())
            except QueueEmpty:
                getter = Waiter(self._getters, self._take_back)
                return self._getters.join(getter, timeout)

    def get_nowait(self) -> _T:
        """Return the next item, and let in what waits for room. From any thread.

        :raises QueueEmpty: if there is no item.
        """
        with self._guard.hold():
            self._let_in()
            if self.empty():
                raise QueueEmpty
            return self._get()

    def task_done(self) -> None:
        """Say that an item that was got is dealt with. From any thread.

        :raises ValueError: if it is called more often than items were put.
        """
        woken: list[Waiter[None]] = []
        with self._guard.hold():
            if self._unfinished_tasks <= 0:
                raise ValueError("task_done() called too many times")
            self._unfinished_tasks -= 1
            if not self._unfinished_tasks:
                woken = self._joiners.grant(None)
        wake(woken)

    def join(self, timeout: float | timedelta | None = None) -> Future[None]:
        """Return a future that is done when every item that was put is dealt with.

        :param timeout: a time as ``IOLoop.time()`` tells it, or a ``timedelta``; by
            default it waits for ever. Then the future raises
            ``TimeoutError``.
        """
        with self._guard.hold():
            if not self._unfinished_tasks:
                return finished(None)
            return self._joiners.join(Waiter(self._joiners), timeout)

    def __aiter__(self) -> _Items[_T]:
        return _Items(self)

    # Under the mutex

    def _take_in(self, item: _T) -> None:
        self._put(item)
        self._unfinished_tasks += 1

    def _serve_getters(self) -> None:
        while self.qsize() and (getter := self._getters.first()) is not None:
            getter.grant(self._get())
            wake([getter])

    def _let_in(self) -> None:
        """Take in what waits for room, counting the room of the item to be got next."""
        while self.qsize() <= self._maxsize:
            putter = self._putters.first()
            if putter is None:
                break
            try:
                self._take_in(putter.item)
            except Exception as error:
                putter.refuse(error)
            else:
                putter.grant(None)
                wake([putter])

    def _take_back(self, item: _T) -> None:
        """Give an item to the next who waits, or put it where it was got."""
        with self._guard.hold():
            if isinstance(self._queue, deque):
                self._queue.appendleft(item)
            else:
                self._put(item)
            self._serve_getters()


class _Items(Generic[_T]):
    """What ``async for`` asks."""

    def __init__(self, queue: Queue[_T]) -> None:
        self._queue = queue

    def __anext__(self) -> Future[_T]:
        return self._queue.get()


class PriorityQueue(Queue[_T]):
    """A queue whose smallest item comes first: often pairs, ``(priority, item)``.

    Items are compared by ``<``. Equal priorities compare the items: put a number
    between them (``itertools.count()``) where these cannot be compared.
    """

    def _init(self) -> None:
        self._queue = []

    def _put(self, item: _T) -> None:
        # Every comparison comes before the first change: one that raises puts nothing.
        heap = self._queue
        place = len(heap)
        path = [place]
        while place and item < heap[(place - 1) // 2]:
            place = (place - 1) // 2
            path.append(place)
        heap.append(item)
        for below, above in pairwise(path):
            heap[below] = heap[above]
        heap[place] = item

    def _get(self) -> _T:
        item: _T = heapq.heappop(self._queue)
        return item


class LifoQueue(Queue[_T]):
    """A queue whose latest item comes first: a stack."""

    def _init(self) -> None:
        self._queue = []

    def _put(self, item: _T) -> None:
        self._queue.append(item)

    def _get(self) -> _T:
        item: _T = self._queue.pop()
        return item
