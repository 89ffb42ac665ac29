"""SIGTERM and SIGINT of a process that serves: answer what is in flight, then end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from wsgitornado.log import app_log

__all__ = ["drain_on_sigterm", "noted_signals"]

#: A method of a server that ends it in order.
_Drain: TypeAlias = Callable[[], Awaitable[None]]

#: Seconds in which a signal that comes again is the same: ``timeout`` sends it to the
#: process and to its group.
_ONCE: Final = 1.0


class _Ending:
    """What SIGTERM does on a loop, unless the program has a handler of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        # Servers that nobody knows any more have nothing to end.
        self._drains: set[weakref.WeakMethod[_Drain]] = set()
        self._task: asyncio.Task[None] | None = None
        loop.add_signal_handler(signal.SIGTERM, self._begin)
        self._handler: Any = signal.getsignal(signal.SIGTERM)

    def is_in_charge(self) -> bool:
        """Whether SIGTERM leads here."""
        return signal.getsignal(signal.SIGTERM) is self._handler

    def add(self, drain: _Drain) -> None:
        self._drains = {one for one in self._drains if one() is not None}
        self._drains.add(weakref.WeakMethod(drain))

    def _begin(self) -> None:
        # asyncio calls it even when the program has set a handler of its own since.
        if self._task is None and self.is_in_charge():
            self._task = self.loop.create_task(self._end())

    async def _end(self) -> None:
        drains = [drain for one in self._drains if (drain := one()) is not None]
        outcomes = await asyncio.gather(
            *(drain() for drain in drains), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                app_log.error("A server did not end in order", exc_info=outcome)
        # As sys.exit() in a callback: out of the loop, through finally blocks.
        self.loop.call_soon(_exit)


#: Signals are handled in the main thread, where one loop runs at a time.
_ending: _Ending | None = None


def drain_on_sigterm(loop: asyncio.AbstractEventLoop, drain: _Drain) -> None:
    """Let SIGTERM end a program in order, unless it has a handler of its own.

    What :meth:`HTTPServer.listen` does, on the loop's own thread. All servers of the
    loop are drained, then ``start()`` or ``asyncio.run`` is left as if by
    ``sys.exit()``. A handler that the program sets before or after takes its place.
    SIGINT stays KeyboardInterrupt, as in Tornado.

    :param drain: a method of the server.
    """
    global _ending
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread may handle signals, and it is not ours.
        return
    if _ending is None or _ending.loop is not loop or not _ending.is_in_charge():
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return
        try:
            _ending = _Ending(loop)
        except NotImplementedError:
            # A loop that knows no signals: that of Windows.
            return
    _ending.add(drain)


def _exit() -> None:
    raise SystemExit(0)


@contextlib.contextmanager
def noted_signals(
    numbers: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT),
) -> Iterator[asyncio.Future[signal.Signals]]:
    """Within the block these signals end nothing: the first is the future's result.

    For programs that serve. When one comes again, a second later or more, it does what
    it did before: that is for those who do not want to wait. ::

        with noted_signals() as signal:
            await signal
            await server.drain_connections()
    """
    loop = asyncio.get_running_loop()
    first: asyncio.Future[signal.Signals] = loop.create_future()
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number in list(before):
            loop.remove_signal_handler(number)
            signal.signal(number, before.pop(number))

    def note(number: signal.Signals) -> None:
        if not first.done():
            first.set_result(number)
            loop.call_later(_ONCE, restore)

    for number in before:
        loop.add_signal_handler(number, note, number)
    try:
        yield first
    finally:
        restore()
