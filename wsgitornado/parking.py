"""Where a thread and the event loop meet: the loop in the background."""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextvars
import os
import sys
import threading
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from wsgitornado._serving import (
    EXIT_GRACE,
    cancel_all,
    has_waiting_work,
    kept_running,
    serving_loop,
    set_background,
)
from wsgitornado.concurrent import is_on_loop
from wsgitornado.ioloop import IOLoop
from wsgitornado.log import gen_log

__all__ = ["background_loop", "run_what_waits", "wait"]

_Result = TypeVar("_Result")

_ABSENT: Final = object()


class _Background:
    """A thread that runs a loop which nobody else runs. The loop is claimed for it."""

    def __init__(self, ioloop: IOLoop) -> None:
        self.pid = os.getpid()
        self.ioloop = ioloop
        self._is_leaving = False
        self._is_ending = False
        self.thread = threading.Thread(
            target=self._run, name="wsgitornado-loop", daemon=True
        )
        self.thread.start()

    def _run(self) -> None:
        try:
            while not self._is_leaving:
                try:
                    self.ioloop._run()
                except (KeyboardInterrupt, SystemExit):
                    # asyncio lets these out of a task and of the loop. They concern who
                    # waits for the task; the tasks of all others go on.
                    pass
            if self._is_ending:
                loop = self.ioloop.asyncio_loop
                loop.run_until_complete(cancel_all(self.ioloop, EXIT_GRACE))
                loop.close()
        finally:
            self.ioloop._release()

    def leave(self) -> None:
        """Cease to run the loop, whose tasks will go on in another thread."""
        self._is_leaving = True
        self.ioloop.asyncio_loop.call_soon_threadsafe(self._stop_own_thread)
        self.thread.join()

    def _stop_own_thread(self) -> None:
        # Whoever runs the loop next must not be stopped by what was left for this one.
        if threading.get_ident() == self.thread.ident:
            self.ioloop.asyncio_loop.stop()

    def end(self) -> None:
        """Cancel what is on the loop, and close it."""
        self._is_ending = self._is_leaving = True
        self.ioloop.asyncio_loop.call_soon_threadsafe(self._stop_own_thread)
        self.thread.join(EXIT_GRACE + 1)


_backgrounds: dict[IOLoop, _Background] = {}


def background_loop() -> asyncio.AbstractEventLoop:
    """The loop on which coroutines run while a server's thread waits for them.

    The serving loop: that of the program, where it runs one. Else it is run by a thread
    in the background from now on. One per process: a forked child forgets its
    parent's, whose file descriptors they share, and starts one of its own.

    :raises RuntimeError: under uWSGI without threads.
    """
    return _running().asyncio_loop


def _running() -> IOLoop:
    """The serving loop, with somebody who runs it."""
    ioloop: IOLoop = serving_loop()
    if not ioloop._is_claimed:
        _run_in_background(ioloop)
    return ioloop


def _run_in_background(ioloop: IOLoop) -> None:
    """Run a loop in the background unless somebody runs it."""
    if not ioloop._claim():
        return
    try:
        _require_threads()
        _backgrounds[ioloop] = _Background(ioloop)
    except BaseException:
        ioloop._release()
        raise


def _require_threads() -> None:
    """Refuse to start a thread where it would stand still.

    uWSGI lets threads of Python run only if it is told to; its latest releases always.
    """
    uwsgi = sys.modules.get("uwsgi")
    options = getattr(uwsgi, "opt", None)
    if uwsgi is None or options is None:
        return
    has_threads = getattr(uwsgi, "has_threads", None)
    if has_threads is None:
        names = {n.decode() if isinstance(n, bytes) else n for n in options}
        has_threads = not names.isdisjoint({"enable-threads", "threads"})
    if not has_threads:
        raise RuntimeError(
            "async handlers need a thread for their event loop, and uWSGI does not let "
            "threads run: start it with --enable-threads"
        )


def _leave_to_caller(ioloop: IOLoop) -> None:
    background = _backgrounds.pop(ioloop, None)
    if background is not None:
        background.leave()


def _take_back(ioloop: IOLoop) -> None:
    if ioloop._waiters:
        _run_in_background(ioloop)


def run_what_waits() -> None:
    """Start the loop for timers that the program has set before any loop ran.

    For the beginning of each request, also of one that needs no loop: under a WSGI
    server nobody else would. Costs next to nothing when there are none.
    """
    if has_waiting_work():
        try:
            _running()
        except RuntimeError as error:
            gen_log.warning("Timers do not run: %s", error)


def wait(awaitable: Awaitable[_Result]) -> _Result:
    """Run an awaitable to its end on the serving loop and return its result.

    Called in a server's thread, which waits. Context variables go along, and come
    back as the coroutine left them, as if it had been awaited.

    :raises RuntimeError: on the loop's own thread, where waiting would never end, and
        if the coroutine is cancelled, as all are when the process ends.
    """
    try:
        ioloop = _running()
        if is_on_loop(ioloop.asyncio_loop):
            raise RuntimeError(
                "an application was called on the event loop's own thread and would "
                "have to wait there: call it from another thread"
            )
    except RuntimeError:
        if asyncio.iscoroutine(awaitable):
            awaitable.close()
        raise
    with kept_running(ioloop):
        return _wait_for(awaitable, ioloop.asyncio_loop)


def _wait_for(
    awaitable: Awaitable[_Result], loop: asyncio.AbstractEventLoop
) -> _Result:
    contexts: list[contextvars.Context] = []
    future = asyncio.run_coroutine_threadsafe(_finish(awaitable, contexts), loop)
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


def _end_at_exit() -> None:
    while _backgrounds:
        _, background = _backgrounds.popitem()
        if background.pid == os.getpid():
            background.end()


def _forget_after_fork() -> None:
    """In a child: threads are the parent's."""
    _backgrounds.clear()


set_background(_leave_to_caller, _take_back)
# After that of ``ioloop``, so that it runs before.
atexit.register(_end_at_exit)
os.register_at_fork(after_in_child=_forget_after_fork)
