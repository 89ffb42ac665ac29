"""Futures that threads and the loop share, and which thread runs a loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator
from typing import Any, Final

__all__ = ["DONE", "DoneFuture", "is_on_loop"]


def is_on_loop(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the calling thread is the one that runs this loop at this moment.

    asyncio's own loops remember the ident of their thread. That is asked first:
    ``get_running_loop()`` lies under gevent, whose greenlets share one real thread.
    """
    ident = getattr(loop, "_thread_id", _UNKNOWN)
    if ident is _UNKNOWN:
        # uvloop keeps it to itself.
        return asyncio._get_running_loop() is loop
    return bool(ident == threading.get_ident())


_UNKNOWN: Final = object()


class DoneFuture:
    """What ``finish``, ``flush`` and ``render`` return when nothing is left to do.

    It may be awaited, yielded or asked like any future; a callback runs at once.
    """

    __slots__ = ()

    def done(self) -> bool:
        return True

    def cancelled(self) -> bool:
        return False

    def cancel(self) -> bool:
        return False

    def result(self, timeout: float | None = None) -> None:
        return None

    def exception(self, timeout: float | None = None) -> None:
        return None

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        fn(self)

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield

    def __repr__(self) -> str:
        return "<DoneFuture>"


#: The only one that is needed: it has no state.
DONE: Final = DoneFuture()
