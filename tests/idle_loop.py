"""A loop that tells when it sleeps, for tests in which another thread wakes it."""

from __future__ import annotations

import asyncio
import contextvars
import selectors
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["IdleLoop", "in_thread"]

_T = TypeVar("_T")

#: Seconds after which what should have happened counts as missing.
BOUND = 20


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.sleeps = threading.Event()

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout > 0:
            self.sleeps.set()
        return super().select(timeout)


class _Loop(asyncio.SelectorEventLoop):
    calls_from_threads = 0

    # The types of the arguments are those of the callback: no matter here.
    def call_soon_threadsafe(  # type: ignore[override]
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        self.calls_from_threads += 1
        return super().call_soon_threadsafe(callback, *args, context=context)


class IdleLoop:
    """Runs a coroutine; calls a function in a thread once nothing is left to do."""

    def __init__(self) -> None:
        self._selector = _Selector()
        self._loop = _Loop(self._selector)

    @property
    def calls_from_threads(self) -> int:
        return self._loop.calls_from_threads

    def run(
        self, coroutine: Coroutine[Any, Any, _T], when_idle: Callable[[], object]
    ) -> _T:
        def wait_and_call() -> None:
            assert self._selector.sleeps.wait(BOUND)
            when_idle()

        thread = threading.Thread(target=wait_and_call)

        async def bounded() -> _T:
            thread.start()
            async with asyncio.timeout(BOUND):
                return await coroutine

        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            result = runner.run(bounded())
        thread.join()
        return result


def in_thread(function: Callable[..., object], *args: object) -> None:
    """Call a function in another thread while this one, and its loop, stand still.

    What the other thread sends to the loop is under way afterwards, but not there.
    """
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join(BOUND)
    assert not thread.is_alive()
