"""The threads of a server: they run what may block, and hand results to the loop."""

from __future__ import annotations

import asyncio
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from wsgitornado.log import app_log

__all__ = ["Mailbox", "Workers"]


class Mailbox:
    """Calls from other threads that a loop is to make, in order.

    However many calls come while the loop is busy, it is woken once: writing to the
    loop's pipe for each of them would cost more than a short request.
    """

    __slots__ = ("_calls", "_is_woken", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._is_woken = False

    def put(self, function: Callable[..., None], *args: Any) -> None:
        """Have the loop call a function; from any thread."""
        self._calls.append((function, args))
        if not self._is_woken:
            # Two threads may both wake it: the second time it finds nothing to do.
            self._is_woken = True
            try:
                self._loop.call_soon_threadsafe(self._empty)
            except RuntimeError:
                # The process ends: on a closed loop nobody is served any more.
                if not self._loop.is_closed():
                    raise

    def _empty(self) -> None:
        # Before the first look: what comes later wakes the loop again.
        self._is_woken = False
        calls = self._calls
        # Only what is there now: calls that lead to calls do not starve the others.
        for _ in range(len(calls)):
            function, args = calls.popleft()
            try:
                function(*args)
            except Exception:
                app_log.error("Uncaught exception in the server", exc_info=True)


class _Thread(threading.Thread):
    """One of the threads of a pool."""

    #: When it has last done something in its job; None between jobs.
    moment: float | None = None


class Workers:
    """A pool of threads that take jobs in order.

    Each job starts one more of them, until all are there. They are daemons: a handler
    that hangs does not keep the process from ending.

    :param most: how many threads there are at most.
    :param name: of the threads, with a number.
    """

    def __init__(self, most: int, name: str) -> None:
        self.most = most
        self._name = name
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[_Thread] = []
        self._of_thread = threading.local()

    @property
    def busy(self) -> int:
        """How many threads do something."""
        return sum(thread.moment is not None for thread in self._threads)

    @property
    def waiting(self) -> int:
        """How many jobs wait for a thread."""
        return self._jobs.qsize()

    def are_stuck(self, seconds: float) -> bool:
        """Whether all threads are busy, and none has done anything for so long.

        Taking a job counts, and sending a part of a response.
        """
        moments = [thread.moment for thread in self._threads]
        if len(moments) < self.most:
            return False
        before = time.monotonic() - seconds
        return all(moment is not None and moment < before for moment in moments)

    def note_waiting(self) -> None:
        """The thread that calls this does not hang: it waits for a client.

        Who does not take his response has a deadline of his own.
        """
        self._note(math.inf)

    def note_moving(self) -> None:
        """The thread that calls this has just done something."""
        self._note(time.monotonic())

    def _note(self, moment: float) -> None:
        # An application may send from a thread of its own, which is none of ours.
        thread = getattr(self._of_thread, "thread", None)
        if thread is not None:
            thread.moment = moment

    def submit(self, job: Callable[[], None]) -> None:
        """Have a thread do a job; it deals with its own exceptions."""
        self._jobs.put(job)
        if len(self._threads) < self.most:
            self._start_thread()

    def end(self) -> None:
        """Let the threads end when the jobs that there are have been done.

        A later job starts new ones.
        """
        with self._lock:
            threads, self._threads = self._threads, []
        for _ in threads:
            self._jobs.put(None)

    def _start_thread(self) -> None:
        with self._lock:
            number = len(self._threads)
            if number < self.most:
                thread = _Thread(
                    target=self._work, name=f"{self._name}-{number}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _work(self) -> None:
        thread = threading.current_thread()
        assert isinstance(thread, _Thread)
        self._of_thread.thread = thread
        while (job := self._jobs.get()) is not None:
            thread.moment = time.monotonic()
            try:
                job()
            except BaseException:
                # sys.exit() in a handler must not cost the server a thread.
                app_log.error("Uncaught exception in a worker thread", exc_info=True)
            # Nothing of the last request is kept while there is no next one.
            del job
            thread.moment = None
