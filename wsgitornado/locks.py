"""Condition, Event, Semaphore and Lock, for coroutines, from any thread.

Coroutines wait for them on their loop. To set, notify and release is possible from any
thread, and whoever waits is woken at once, on its own loop. Waiting never blocks a
thread: ``wait`` and ``acquire`` return futures.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from datetime import timedelta
from types import TracebackType
from typing import NoReturn

from wsgitornado._waiting import Guard, Line, Waiter, finished, wake
from wsgitornado.concurrent import Future

__all__ = ["BoundedSemaphore", "Condition", "Event", "Lock", "Semaphore"]


class Condition:
    """Lets coroutines wait until they are notified.

    It has no state but those who wait: a notification that nobody waits for is gone.
    """

    def __init__(self) -> None:
        self._guard = Guard()
        self._waiters: Line[_ConditionWaiter] = Line(self._guard)

    def __repr__(self) -> str:
        with self._guard.hold():
            number = len(self._waiters)
        waiters = f" waiters[{number}]" if number else ""
        return f"<{type(self).__name__}{waiters}>"

    def wait(self, timeout: float | timedelta | None = None) -> Future[bool]:
        """Return a future: True when notified, False when ``timeout`` came first.

        A task that is cancelled when it was already notified passes that on.

        :param timeout: a time as ``IOLoop.time()`` tells it, or a ``timedelta``; by
            default it waits for ever.
        """
        with self._guard.hold():
            waiter = _ConditionWaiter(self._waiters, self._pass_on)
            return self._waiters.join(waiter, timeout)

    def notify(self, n: int = 1) -> None:
        """Wake the ``n`` coroutines that have waited longest. From any thread."""
        with self._guard.hold():
            woken = self._waiters.grant(True, n)
        wake(woken)

    def notify_all(self) -> None:
        """Wake all who wait. From any thread."""
        with self._guard.hold():
            woken = self._waiters.grant(True)
        wake(woken)

    def _pass_on(self, _: bool) -> None:
        self.notify()


class _ConditionWaiter(Waiter[bool]):
    def be_late(self) -> None:
        self.set_result(False)


class Event:
    """Lets coroutines wait until something is the case: a flag, at first clear."""

    def __init__(self) -> None:
        self._guard = Guard()
        self._waiters: Line[Waiter[None]] = Line(self._guard)
        self._is_set = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'set' if self._is_set else 'clear'}>"

    def is_set(self) -> bool:
        """Return whether the flag is set."""
        return self._is_set

    def set(self) -> None:
        """Set the flag, and wake all who wait for it. From any thread."""
        with self._guard.hold():
            self._is_set = True
            woken = self._waiters.grant(None)
        wake(woken)

    def clear(self) -> None:
        """Clear the flag: ``wait`` waits again. From any thread."""
        with self._guard.hold():
            self._is_set = False

    def wait(self, timeout: float | timedelta | None = None) -> Future[None]:
        """Return a future that is done once the flag was set, be it cleared again.

        :param timeout: a time as ``IOLoop.time()`` tells it, or a ``timedelta``; by
            default it waits for ever. Then the future raises
            ``TimeoutError``.
        """
        with self._guard.hold():
            if self._is_set:
                return finished(None)
            return self._waiters.join(Waiter(self._waiters), timeout)


class _Release(AbstractContextManager[None]):
    """What ``acquire`` gives: ``with`` it, and the permit is released at the end."""

    def __init__(self, semaphore: Semaphore) -> None:
        self._semaphore = semaphore

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._semaphore.release()


class Semaphore:
    """A number of permits: who finds none left waits for one to be released.

    ``async with semaphore:`` acquires one and releases it at the end; in a
    ``gen.coroutine``, ``with (yield semaphore.acquire()):`` does.

    :param value: the number of permits at first.
    :raises ValueError: if it is negative.
    """

    def __init__(self, value: int = 1) -> None:
        if value < 0:
            raise ValueError(f"semaphore initial value must be >= 0: got {value!r}")
        self._limit = math.inf
        self._guard = Guard()
        self._waiters: Line[Waiter[AbstractContextManager[None]]] = Line(self._guard)
        self._value = value

    def __repr__(self) -> str:
        with self._guard.hold():
            state = f"unlocked,value:{self._value}" if self._value else "locked"
            if self._waiters:
                state += f",waiters:{len(self._waiters)}"
        return f"<{super().__repr__()[1:-1]} [{state}]>"

    def acquire(
        self, timeout: float | timedelta | None = None
    ) -> Future[AbstractContextManager[None]]:
        """Return a future that is done when a permit is taken, in the order of calls.

        Its result may be given to ``with``, which releases the permit at the end. A
        task that is cancelled when a permit was already granted passes it on.

        :param timeout: a time as ``IOLoop.time()`` tells it, or a ``timedelta``; by
            default it waits for ever. Then the future raises
            ``TimeoutError``.
        """
        with self._guard.hold():
            if self._value > 0:
                self._value -= 1
                return finished(_Release(self))
            waiter = Waiter(self._waiters, self._pass_on)
            return self._waiters.join(waiter, timeout)

    def release(self) -> None:
        """Release a permit: who has waited longest gets it. From any thread.

        :raises ValueError: if a :class:`BoundedSemaphore` has all its permits.
        """
        with self._guard.hold():
            if self._value >= self._limit:
                raise ValueError("Semaphore released too many times")
            self._value += 1
            woken = self._waiters.grant(_Release(self), 1)
            self._value -= len(woken)
        wake(woken)

    def _pass_on(self, _: AbstractContextManager[None]) -> None:
        self.release()

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.release()

    def __enter__(self) -> NoReturn:
        _refuse_with(self)

    def __exit__(self, *_: object) -> NoReturn:
        _refuse_with(self)


class BoundedSemaphore(Semaphore):
    """A semaphore that never has more permits than at first.

    To release one too many, which is a mistake of the program, raises ValueError.
    """

    def __init__(self, value: int = 1) -> None:
        super().__init__(value)
        self._limit = value


class Lock:
    """Held by one coroutine at a time.

    ``async with lock:`` acquires it and releases it at the end; in a ``gen.coroutine``,
    ``with (yield lock.acquire()):`` does. It does not know who holds it: who holds it
    and acquires it again waits for ever, and anybody may release it.
    """

    def __init__(self) -> None:
        self._block = BoundedSemaphore()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} _block={self._block!r}>"

    def acquire(
        self, timeout: float | timedelta | None = None
    ) -> Future[AbstractContextManager[None]]:
        """Return a future that is done when the lock is held, in the order of calls.

        As :meth:`Semaphore.acquire`.
        """
        return self._block.acquire(timeout)

    def release(self) -> None:
        """Release the lock: who has waited longest gets it. From any thread.

        :raises RuntimeError: if nobody holds it.
        """
        try:
            self._block.release()
        except ValueError:
            raise RuntimeError("release unlocked lock") from None

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.release()

    def __enter__(self) -> NoReturn:
        _refuse_with(self)

    def __exit__(self, *_: object) -> NoReturn:
        _refuse_with(self)


def _refuse_with(lock: object) -> NoReturn:
    raise RuntimeError(
        f"Use 'async with' instead of 'with' for {type(lock).__name__}: only "
        "coroutines wait for it. In a gen.coroutine: 'with (yield x.acquire())'"
    )
