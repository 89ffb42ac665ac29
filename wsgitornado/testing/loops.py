"""The event loop of one test: the only one while it lasts, and empty at its end."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final

from wsgitornado import _serving
from wsgitornado.ioloop import IOLoop
from wsgitornado.log import app_log
from wsgitornado.testing.stacks import describe_tasks

__all__ = ["GRACE", "LoopOfTest", "Place", "cancel_all"]

#: Seconds that a coroutine has for its ``finally`` once it is cancelled.
GRACE: Final = 2.0

#: How the lines of exceptions begin that neither a client nor the test can see.
_UNSEEN: Final = ("Exception in callback", "Uncaught exception in on_")

#: What asyncio tells of an exception in a callback, a task, a future.
_OF_PROGRAMS: Final = frozenset({"handle", "task", "future"})

_asyncio_log = logging.getLogger("asyncio")


class Place:
    """Makes an IOLoop that of the process for a while, then the one before it again.

    Meanwhile ``IOLoop.current()`` gives it in every thread that runs no other, servers
    adopt it, and IOLoops that modules took when they were imported lead to it, so that
    their callbacks and timers run where the test does.
    """

    def __init__(self, ioloop: IOLoop) -> None:
        self._ioloop = ioloop
        self._home = _serving._home
        self._adopted = _serving._adopted
        #: The asyncio loop that home goes back to, unless it is closed.
        self._before: asyncio.AbstractEventLoop | None = None
        self._set_here = _serving._loop_set_here()

    def take(self) -> None:
        ioloop, home = self._ioloop, self._home
        if home is not None and home is not ioloop:
            # Where a thread runs it in the background for the sake of earlier tests.
            _serving.hand_over(home)
        with _serving.lock:
            _serving._adopted = None
            if home is not None and home is not ioloop and not home._is_claimed:
                self._before = home._loop
                home._follow(ioloop.asyncio_loop)
            _serving._home = ioloop

    def set_here(self) -> None:
        """Make it asyncio's for the calling thread, too."""
        asyncio.set_event_loop(self._ioloop.asyncio_loop)

    def leave(self) -> None:
        with _serving.lock:
            home, before = self._home, self._before
            if home is not None and before is not None and not before.is_closed():
                home._follow(before)
            _serving._home = home
            _serving._adopted = self._adopted
        set_here = self._set_here
        is_closed = set_here is None or set_here.is_closed()
        asyncio.set_event_loop(None if is_closed else set_here)


async def cancel_all(ioloop: IOLoop) -> list[str]:
    """Cancel what is left on a loop; return where stands what does not end."""
    await _serving.cancel_all(ioloop, GRACE)
    return describe_tasks(asyncio.all_tasks() - {_current_task()})


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None
    return task


class LoopOfTest(logging.Handler):
    """Prepares the loop for one test, and knows what has gone wrong on it.

    :param on_error: called for an exception that nobody else would see: one in a
        callback, or of a task that nobody waits for. In whatever thread.
    """

    def __init__(self, ioloop: IOLoop, on_error: Callable[[], None]) -> None:
        super().__init__(logging.ERROR)
        self.ioloop = ioloop
        self._on_error = on_error
        self._unseen: list[Exception] = []
        self._others: list[Exception] = []
        # One that the program made for itself is not ours to close.
        self._is_own = ioloop is not _serving._home
        self._place = Place(ioloop)
        self._place.take()
        self._place.set_here()
        self._report = ioloop.handle_callback_exception
        ioloop.handle_callback_exception = self._report_callback  # type: ignore[method-assign]  # for this test
        ioloop.asyncio_loop.set_exception_handler(self._report_asyncio)
        app_log.addHandler(self)

    # What goes wrong

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of an exception in the log; ``ExpectLog`` keeps others away."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, Exception):
            return
        if (
            record.name == _asyncio_log.name
            or str(record.msg).startswith(_UNSEEN)
            or _came_too_late(error)
        ):
            self._note(error, record.getMessage())
        else:
            self._others.append(error)

    def _note(self, error: Exception, where: str) -> None:
        if error not in self._unseen:
            error.add_note(f"This failed the test: {where}")
            self._unseen.append(error)
            self._on_error()

    def _report_callback(self, callback: Any) -> None:
        self._logged(app_log, self._report, callback)

    def _report_asyncio(
        self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]
    ) -> None:
        if _OF_PROGRAMS.isdisjoint(context):
            # A connection that breaks is the business of its server and its client.
            loop.default_exception_handler(context)
            return
        # Only for this moment: an earlier test may have left a task to be collected.
        _asyncio_log.addHandler(self)
        try:
            self._logged(_asyncio_log, loop.default_exception_handler, context)
        finally:
            _asyncio_log.removeHandler(self)

    def _logged(
        self, logger: logging.Logger, report: Callable[[Any], None], what: Any
    ) -> None:
        """Have it logged, which tells :meth:`emit`, unless the program logs nothing."""
        report(what)
        if not logger.isEnabledFor(logging.ERROR):
            error = what.get("exception") if isinstance(what, dict) else sys.exception()
            if isinstance(error, Exception):
                self._note(error, repr(what))

    def has_error(self) -> bool:
        """Whether there is an exception that nobody else sees."""
        return bool(self._unseen)

    def raise_error(self) -> None:
        """Raise the first exception that nobody else sees, if there is one."""
        if not self._unseen:
            return
        first, *others = self._unseen
        self._unseen.clear()
        for other in others:
            first.add_note(f"There was another one: {other!r}")
        raise first

    def explain(self, error: BaseException) -> None:
        """Add to an exception of the test what else has gone wrong meanwhile."""
        others = [e for e in (*self._unseen, *self._others) if e is not error]
        self._unseen.clear()
        self._others.clear()
        for other in others:
            error.add_note("In this test there was also:\n" + _text_of(other))

    # The end

    def waiting_tasks(self) -> list[str]:
        """Where the tasks on the loop stand."""
        return describe_tasks(asyncio.all_tasks(self.ioloop.asyncio_loop))

    def end(self) -> None:
        """Cancel what is left and close the loop.

        :raises RuntimeError: if something does not end when it is cancelled.
        """
        ioloop = self.ioloop
        stuck: list[str] = []
        try:
            if not ioloop._is_over():
                stuck = ioloop.run_sync(lambda: cancel_all(ioloop))
        finally:
            app_log.removeHandler(self)
            self._close()
        if stuck:
            raise RuntimeError(
                f"the test is over, and what was cancelled did not end in {GRACE:g} "
                "seconds:" + "".join(f"\n  {place}" for place in stuck)
            )

    def _close(self) -> None:
        ioloop = self.ioloop
        del ioloop.handle_callback_exception
        if not ioloop._is_over():
            ioloop.asyncio_loop.set_exception_handler(None)
        if self._is_own:
            ioloop.close(all_fds=True)
        else:
            ioloop._is_ending = False
        self._place.leave()


def _came_too_late(error: Exception) -> bool:
    """Whether a handler had finished, so that its client has a faultless answer."""
    return any(
        getattr(frame.f_locals.get("self"), "_finished", None) is True
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


def _text_of(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
