"""Deadlines of many connections at the cost of one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from time import monotonic
from typing import Final, Generic, TypeVar

from wsgitornado.log import app_log

__all__ = ["Deadlines"]

T = TypeVar("T", bound=Hashable)

#: Seconds by which the timer of a loop may be early: uvloop counts milliseconds.
_EARLY: Final = 0.001


class Deadlines(Generic[T]):
    """Things that are all to happen after the same time, unless they are called off.

    As all have the same delay, the order in which they were set is the order in which
    they are due: setting and calling off cost a dictionary's entry, and one timer
    stands for the first of them. While nothing is set no timer runs.

    :param delay: seconds.
    :param on_due: called with what is due.
    """

    __slots__ = ("_delay", "_due", "_loop", "_on_due", "_timer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        delay: float,
        on_due: Callable[[T], None],
    ) -> None:
        self._loop = loop
        self._delay = delay
        self._on_due = on_due
        self._due: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def set(self, thing: T) -> None:
        """From now on; one that was set before is set anew."""
        due = self._due
        due.pop(thing, None)
        due[thing] = monotonic() + self._delay
        if self._timer is None:
            self._timer = self._loop.call_later(self._delay, self._look)

    def call_off(self, thing: T) -> None:
        """It is not to happen; it need not be set."""
        self._due.pop(thing, None)

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, thing: T) -> bool:
        return thing in self._due

    def clear(self) -> None:
        """Call off everything."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        # The timer that has led here stays known meanwhile, so that nobody who is
        # called starts another one.
        while self._due:
            thing, due = next(iter(self._due.items()))
            left = due - monotonic()
            if left > _EARLY:
                # What was due now has often been called off since the timer was set.
                self._timer = self._loop.call_later(left, self._look)
                return
            del self._due[thing]
            try:
                self._on_due(thing)
            except Exception:
                app_log.error("Uncaught exception in the server", exc_info=True)
        self._timer = None
