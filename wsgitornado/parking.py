"""Where a thread and the event loop meet: the loop in the background."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextvars
import os
import threading
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

__all__ = ["background_loop", "wait"]

_Result = TypeVar("_Result")

#: How many seconds the tasks of the loop have at exit for their ``finally`` blocks.
EXIT_GRACE: Final = 2.0

_ABSENT: Final = object()


class _Background:
    """The loop of this process and the thread that runs it."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._is_stopping = False
        self.thread = threading.Thread(
            target=self._run, name="wsgitornado-loop", daemon=True
        )
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._is_stopping:
            try:
                self.loop.run_forever()
            except (KeyboardInterrupt, SystemExit):
                # asyncio lets these out of a task and of the loop. They concern who
                # waits for the task; the tasks of all others go on.
                pass
        self.loop.run_until_complete(self._cancel_all())
        self.loop.close()

    async def _cancel_all(self) -> None:
        """Let coroutines run their ``finally``: a daemon thread alone would not."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=EXIT_GRACE)
        await self.loop.shutdown_asyncgens()

    def stop(self) -> None:
        self._is_stopping = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(EXIT_GRACE + 1)


_lock = threading.Lock()
_background: _Background | None = None


def background_loop() -> asyncio.AbstractEventLoop:
    """The loop on which coroutines run while a server's thread waits for them.

    One per process, started when it is first needed. A forked child forgets its
    parent's, whose file descriptors they share, and starts one of its own.
    """
    return _running().loop


def _running() -> _Background:
    """The background of this process; a server may have forked past our hook."""
    global _background
    current = _background
    if current is None or current.pid != os.getpid():
        with _lock:
            current = _background
            if current is None or current.pid != os.getpid():
                current = _background = _Background()
    return current


def wait(awaitable: Awaitable[_Result]) -> _Result:
    """Run an awaitable to its end on the background loop and return its result.

    Called in a server's thread, which waits. Context variables go along, and come
    back as the coroutine left them, as if it had been awaited.

    :raises RuntimeError: on the loop's own thread, where waiting would never end, and
        if the coroutine is cancelled, as all are when the process ends.
    """
    background = _running()
    if background.thread.ident == threading.get_ident():
        if asyncio.iscoroutine(awaitable):
            awaitable.close()
        raise RuntimeError(
            "an application was called on the event loop's own thread and would have "
            "to wait there: call it from another thread"
        )
    contexts: list[contextvars.Context] = []
    future = asyncio.run_coroutine_threadsafe(
        _finish(awaitable, contexts), background.loop
    )
    try:
        return future.result()
    except concurrent.futures.CancelledError:
        raise RuntimeError(
            "the coroutine of the handler was cancelled, by itself or because the "
            "process ends"
        ) from None
    except BaseException:
        # Ctrl-C in the waiting thread: the coroutine must not go on without it.
        future.cancel()
        raise
    finally:
        for context in contexts:
            _adopt(context)


async def _finish(
    awaitable: Awaitable[_Result], contexts: list[contextvars.Context]
) -> _Result:
    try:
        return await awaitable
    finally:
        contexts.append(contextvars.copy_context())


def _adopt(context: contextvars.Context) -> None:
    """Set the context variables of this thread to what they are in another context."""
    variable: contextvars.ContextVar[Any]
    for variable, value in context.items():
        if variable.get(_ABSENT) is not value:
            variable.set(value)


def _stop_at_exit() -> None:
    global _background
    current, _background = _background, None
    if current is not None and current.pid == os.getpid():
        current.stop()


def _forget_after_fork() -> None:
    """In a child: the parent's loop, and a lock that its thread may have held."""
    global _background, _lock
    _background = None
    _lock = threading.Lock()


atexit.register(_stop_at_exit)
os.register_at_fork(after_in_child=_forget_after_fork)
