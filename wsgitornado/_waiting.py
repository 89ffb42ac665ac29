"""Futures that stand in line for what any thread may grant: under locks and queues.

Two things are kept apart. *Who gets what* is decided at once, under a mutex, in the
thread that releases, notifies or puts. *The news of it* is brought on the loop that the
waiter belongs to. Once something is granted to a waiter it can no longer be cancelled
or be late, also while the news is under way: nothing is lost or given twice.
"""

from __future__ import annotations

import asyncio
import enum
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar, cast

from wsgitornado.concurrent import Future, is_on_loop
from wsgitornado.ioloop import IOLoop

__all__ = ["Guard", "Line", "Waiter", "finished", "wake"]

_T = TypeVar("_T")
_WaiterT = TypeVar("_WaiterT", bound="Waiter[Any]")

_ABSENT: Final = object()

#: How many forks lie between the first process and this one.
_generation = 0


def _count_fork() -> None:
    global _generation
    _generation += 1


os.register_at_fork(after_in_child=_count_fork)


class Guard:
    """The mutex of one object that threads and loops share.

    After a fork the child takes a new one: in the parent a thread may have held it.
    """

    __slots__ = ("_mutexes",)

    def __init__(self) -> None:
        # Re-entrant: ``put`` calls ``put_nowait``, which programs override, and a
        # coroutine that the garbage collector closes gives back what it was granted.
        self._mutexes = {_generation: threading.RLock()}

    def hold(self) -> threading.RLock:
        """Return the mutex, for ``with``: for a few steps, never for a wait."""
        mutex = self._mutexes.get(_generation)
        if mutex is None:
            # Atomic: two threads that come here together get the same one.
            mutex = self._mutexes.setdefault(_generation, threading.RLock())
        return mutex


class Line(Generic[_WaiterT]):
    """Those who wait for the same thing at the same object, first come first served.

    The guard's mutex is held by who calls, except for :meth:`leave`. One who leaves is
    gone at once, so that the line is never longer than the number of those who wait.
    In a forked child it begins empty: the waiters are the parent's.
    """

    __slots__ = ("_generation", "_guard", "_waiters")

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        # Only here removing the first and any other both take constant time.
        self._waiters: OrderedDict[_WaiterT, None] = OrderedDict()
        self._generation = _generation

    def _present(self) -> OrderedDict[_WaiterT, None]:
        if self._generation != _generation:
            self._waiters = OrderedDict()
            self._generation = _generation
        return self._waiters

    def __len__(self) -> int:
        return len(self._present())

    def join(self, waiter: _WaiterT, timeout: float | timedelta | None) -> _WaiterT:
        """Put a waiter at the end, until something is granted to it or it is late.

        :raises TypeError: if ``timeout`` is no deadline.
        """
        if timeout is not None:
            waiter.expire_at(timeout)
        self._present()[waiter] = None
        return waiter

    def first(self) -> _WaiterT | None:
        """Return who is next, and stays in the line until something is granted to it.

        Those whom no news would reach, because their loop is closed or the program has
        set them itself, are dropped.
        """
        waiters = self._present()
        while waiters:
            waiter = next(iter(waiters))
            if not (waiter.done() or waiter.get_loop().is_closed()):
                return waiter
            del waiters[waiter]
        return None

    def grant(self, value: object, n: int | None = None) -> list[_WaiterT]:
        """Grant a value to the first ``n``, or to all, and return them for `wake`."""
        granted: list[_WaiterT] = []
        while (n is None or len(granted) < n) and (waiter := self.first()) is not None:
            waiter.grant(value)
            granted.append(waiter)
        return granted

    def leave(self, waiter: _WaiterT) -> bool:
        """Take a waiter out of the line; return whether it was still there."""
        with self._guard.hold():
            return self._present().pop(waiter, _ABSENT) is not _ABSENT


class _Stage(enum.Enum):
    WAITING = enum.auto()
    #: The value belongs to it, but no ``await`` has given it to anybody yet.
    GRANTED = enum.auto()
    SEEN = enum.auto()
    #: The task was cancelled before it could go on with what was granted.
    RETURNED = enum.auto()


class Waiter(Future[_T]):
    """A future in a line.

    :param give_back: called with what was granted if the ``await`` is cancelled after
        that, or if the loop was closed: to pass it on.
    """

    def __init__(
        self,
        line: Line[Any],
        give_back: Callable[[_T], object] | None = None,
    ) -> None:
        super().__init__()
        self._line = line
        self._give_back = give_back
        self._stage = _Stage.WAITING
        self._granted: _T | None = None
        self._timer: tuple[IOLoop, object] | None = None

    # What the object does, under its mutex, in any thread

    def expire_at(self, timeout: float | timedelta) -> None:
        io_loop = IOLoop.current()
        self._timer = (io_loop, io_loop.add_timeout(timeout, self._expire))

    def grant(self, value: _T) -> None:
        """Decide that the value belongs to it. :func:`wake` must follow."""
        self._line.leave(self)
        self._granted = value
        self._stage = _Stage.GRANTED

    def refuse(self, error: Exception) -> None:
        """Let it fail."""
        self._line.leave(self)
        self._drop_timer()
        self.set_exception(error)

    def decline(self) -> None:
        """Pass on what was granted, unless an ``await`` has given it to somebody."""
        if self._stage is _Stage.GRANTED and self._give_back is not None:
            self._stage = _Stage.RETURNED
            self._give_back(cast("_T", self._granted))

    def _drop_timer(self) -> None:
        if self._timer is not None:
            io_loop, handle = self._timer
            io_loop.remove_timeout(handle)
            self._timer = None

    # What happens on its loop

    def settle(self) -> None:
        """Bring the news that something was granted."""
        self._drop_timer()
        # Of asyncio, because our own say that it is done and cannot be set. It may be,
        # if the program set it in the moment of the grant.
        if not asyncio.Future.done(self):
            asyncio.Future.set_result(self, cast("_T", self._granted))

    def _expire(self) -> None:
        if self._line.leave(self) and not self.done():
            self._timer = None
            self.be_late()

    def be_late(self) -> None:
        """Time is up. What that means is for subclasses to say."""
        self.set_exception(TimeoutError("Timeout"))
        # Asked once, it is not logged: nobody need look at a wait that was given up.
        self.exception()

    def __await__(self) -> Generator[Any, None, _T]:
        try:
            result = yield from super().__await__()
        except (asyncio.CancelledError, GeneratorExit):
            self.decline()
            raise
        if self._stage is _Stage.GRANTED:
            self._stage = _Stage.SEEN
        return result

    __iter__ = __await__

    # What a future is asked, in any thread. Its state at asyncio follows with the news.

    def cancel(self, msg: Any = None) -> bool:
        """Leave the line. Returns False and changes nothing once it was granted.

        A task that is cancelled then is so at its ``await``, which passes it on.
        """
        if self._line.leave(self):
            self._drop_timer()
        return super().cancel(msg)

    def done(self) -> bool:
        return self._stage is not _Stage.WAITING or super().done()

    def cancelled(self) -> bool:
        return self._stage is _Stage.RETURNED or super().cancelled()

    def result(self) -> _T:
        if self._stage is _Stage.WAITING:
            return super().result()
        if self._stage is _Stage.RETURNED:
            raise asyncio.CancelledError
        return cast("_T", self._granted)

    def exception(self) -> BaseException | None:
        if self._stage is _Stage.WAITING:
            return super().exception()
        if self._stage is _Stage.RETURNED:
            raise asyncio.CancelledError
        return None


def finished(value: _T) -> Future[_T]:
    """Return a future that is done: for who need not wait, in any thread."""
    future: Future[_T] = Future()
    # Nobody else knows it yet, so that the loop need not be asked.
    asyncio.Future.set_result(future, value)
    return future


def wake(waiters: Iterable[Waiter[Any]]) -> None:
    """Bring the news to each waiter, on its loop, in order.

    Each loop is called once for all of its waiters: waking it costs a system call.
    """
    elsewhere: dict[asyncio.AbstractEventLoop, list[Waiter[Any]]] = {}
    for waiter in waiters:
        loop = waiter.get_loop()
        if is_on_loop(loop):
            waiter.settle()
        else:
            elsewhere.setdefault(loop, []).append(waiter)
    for loop, group in elsewhere.items():
        try:
            loop.call_soon_threadsafe(_settle_all, group)
        except RuntimeError:
            # The loop was closed since they were chosen.
            for waiter in group:
                waiter.decline()


def _settle_all(waiters: list[Waiter[Any]]) -> None:
    for waiter in waiters:
        waiter.settle()
