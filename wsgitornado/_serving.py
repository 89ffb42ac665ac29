"""Which event loop is whose: the serving loop of a process, and what waits for it.

Three kinds of IOLoop exist:

1. *home*, the loop of the process: made at the first ``IOLoop.current()`` where no
   loop runs. Programs keep it in a variable, so the object stays, and follows: it is
   bound to the asyncio loop that runs in the main thread, or to a new one when its own
   was closed by ``asyncio.run`` or belongs to the parent after a fork.
2. *adopted*: the loop that a server was started on, where that is not home.
3. any other: one for each asyncio loop that was asked for its IOLoop.

The serving loop is the adopted one, or else home.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import os
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final

from wsgitornado.concurrent import is_on_loop, set_loop_source
from wsgitornado.util import Configurable

__all__ = [
    "EXIT_GRACE",
    "BoundLoop",
    "Timeout",
    "adopt_serving_loop",
    "cancel_all",
    "clear_current",
    "current",
    "forget_after_fork",
    "hand_over",
    "has_waiting_work",
    "kept_running",
    "lock",
    "serving_loop",
    "set_background",
    "set_current",
    "set_ioloop_class",
]

#: Seconds that tasks have at exit for their ``finally`` blocks.
EXIT_GRACE: Final = 2.0


class _Lock:
    """Guards which loop is whose, and what waits for a loop to begin.

    Re-entrant for the sake of signal handlers. A forked child takes a new one: in the
    parent another thread may have held it.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()


lock = _Lock()

_pid = os.getpid()
_home: BoundLoop | None = None
_adopted: BoundLoop | None = None
_by_loop: dict[asyncio.AbstractEventLoop, Any] = {}
#: Loops made here, to be closed at exit, with what told threads apart in that moment.
_own: dict[asyncio.AbstractEventLoop, Callable[[], int]] = {}
#: Loops of the parent process, whose file descriptors they share.
_forgotten: set[asyncio.AbstractEventLoop] = set()


class BoundLoop(Configurable):
    """What is bound to an asyncio loop, and to another if that one never begins.

    What is scheduled before the asyncio loop begins to run waits here.
    """

    #: What a timer does when its time has come.
    _run_callback: Callable[[Callable[[], object]], None]

    def _initialize(
        self,
        make_current: bool = True,
        asyncio_loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        #: What was scheduled while no loop ran, until it has run.
        self._waiting: dict[Timeout, None] = {}
        #: Whether the asyncio loop has begun to run, so that nothing need wait.
        self._is_open = False
        self._is_closed = False
        #: Whether the process ends, so that no timer begins anything any more.
        self._is_ending = False
        #: Whether some thread is about to run the loop, or does.
        self._is_claimed = False
        #: How many threads wait for something that happens on the loop.
        self._waiters = 0
        self._bind(asyncio_loop or _new_loop())
        if make_current:
            set_current(self)

    initialize = _initialize

    @property
    def asyncio_loop(self) -> asyncio.AbstractEventLoop:
        """The asyncio loop below.

        Ask for it when it is needed: before anything runs it may still be replaced, by
        that of :func:`asyncio.run`.
        """
        loop = self._loop
        if loop is None or (loop.is_closed() and self is _home):
            return self._renew()
        return loop

    def _renew(self) -> asyncio.AbstractEventLoop:
        """A new loop in place of one that was closed, or is the parent process's."""
        with lock:
            if self is not _home:
                raise RuntimeError(
                    "the loop belongs to the parent process: ask for "
                    "IOLoop.current() after the fork"
                )
            if self._loop is None or self._loop.is_closed():
                self._bind(_new_loop())
            assert self._loop is not None
            return self._loop

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Become the IOLoop of an asyncio loop, which runs now or will."""
        with lock:
            for known in [known for known in _by_loop if known.is_closed()]:
                del _by_loop[known]
                _own.pop(known, None)
            _by_loop[loop] = self
            self._follow(loop)

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        self._take(loop)
        if is_on_loop(loop):
            self._begin(loop)
        else:
            # Whoever runs it, also without asking us: this comes first.
            loop.call_soon_threadsafe(self._begin, loop)

    def _take(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._is_open = self._is_ending = False

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop runs, in this thread, or is just about to: hand it what waits."""
        with lock:
            if loop is not self._loop:
                # Another one took its place, and now it runs after all.
                if self._is_closed or not self._is_free():
                    return
                self._take(loop)
            if not self._is_open:
                self._is_open = True
                self._hand_on(loop)

    def _hand_on(self, loop: asyncio.AbstractEventLoop) -> None:
        for timeout in list(self._waiting):
            timeout.arm(loop)

    def _is_free(self) -> bool:
        """Whether it may leave its asyncio loop: one that was closed or never began."""
        loop = self._loop
        return not self._is_claimed and (
            loop is None or loop.is_closed() or not (self._is_open or loop.is_running())
        )

    def _is_over(self) -> bool:
        return self._loop is None or self._loop.is_closed()

    def _is_gone(self) -> bool:
        """Whether it can never run again."""
        return self._is_closed or (
            self is not _home and self._loop is not None and self._loop.is_closed()
        )

    def _lose_loop(self) -> None:
        """In a forked child: leave the asyncio loop to the parent."""
        if self._is_open:
            # The parent's timers run there. What has never begun begins in the child.
            self._drop_all()
        self._loop = None
        self._is_open = self._is_claimed = False
        self._waiters = 0

    def _drop_all(self) -> None:
        self._waiting.clear()

    def _schedule(self, timeout: Timeout, is_lasting: bool = False) -> Timeout:
        """Arm a timer now, or when a loop begins.

        :param is_lasting: whether it is armed again if the asyncio loop is closed
            before it has run. What waits for a loop is.
        :raises RuntimeError: if the loop was closed.
        """
        if is_lasting or not self._is_open or self._is_over():
            with lock:
                if self.asyncio_loop.is_closed():
                    raise RuntimeError("Event loop is closed")
                if is_lasting or not self._is_open:
                    self._waiting[timeout] = None
                if not self._is_open:
                    return timeout
        timeout.arm_from_here(self.asyncio_loop)
        return timeout

    def time(self) -> float:
        """The clock of :meth:`call_at` and :meth:`add_timeout`: :func:`time.time`."""
        return time.time()

    # Who runs it

    def _claim(self) -> bool:
        """Whether this thread is the one to run the loop; it then must, or release."""
        with lock:
            if self._is_claimed or self.asyncio_loop.is_running():
                return False
            self._is_claimed = True
            return True

    def _run_claimed(self) -> None:
        try:
            self._run()
        finally:
            self._release()
            _take_back(self)

    def _run(self) -> None:
        """Run the loop once it is claimed, until it is stopped."""
        loop = self.asyncio_loop
        if not self._is_open and _own.get(loop, threading.get_ident) is not (
            threading.get_ident
        ):
            # gevent has taken the place of threads since, as it does late under uWSGI,
            # and this loop would hold up all greenlets while it sleeps.
            self._bind(_new_loop())
            loop = self.asyncio_loop
        asyncio.set_event_loop(loop)
        # At once, so that what waits keeps its place before what comes now.
        self._begin(loop)
        loop.run_forever()

    def _release(self) -> None:
        self._is_claimed = False

    def _refuse_to_close(self) -> None:
        if self._is_claimed or (self._loop is not None and self._loop.is_running()):
            raise RuntimeError(
                "Cannot close a running event loop: call stop(), and close() when "
                "start() has returned"
            )

    def _close(self) -> None:
        """Close the asyncio loop, and be home or adopted no longer. Under the lock."""
        global _home, _adopted
        self._is_closed = True
        if self is _home:
            _home = None
        if self is _adopted:
            _adopted = None
        self._drop_all()
        loop = self._loop
        if loop is not None:
            _by_loop.pop(loop, None)
            _own.pop(loop, None)
            loop.close()


class Timeout:
    """A callback and its time: what :meth:`IOLoop.call_at` returns.

    :param deadline: by the clock of the IOLoop; None is as soon as possible.
    """

    __slots__ = ("_callback", "_context", "_deadline", "_handle", "_ioloop", "_loop")

    def __init__(
        self,
        ioloop: BoundLoop,
        deadline: float | None,
        callback: Callable[[], object],
    ) -> None:
        self._ioloop = ioloop
        self._deadline = deadline
        # None once it has run or was cancelled.
        self._callback: Callable[[], object] | None = callback
        self._context = contextvars.copy_context()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.Handle | None = None

    def __repr__(self) -> str:
        return f"<Timeout at {self._deadline} for {self._callback!r}>"

    def arm_from_here(self, loop: asyncio.AbstractEventLoop) -> None:
        """Arm it, in whatever thread."""
        if is_on_loop(loop):
            self.arm(loop)
        else:
            loop.call_soon_threadsafe(self.arm, loop)

    def arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Arm it on the loop's thread, or in the one that is just about to run it."""
        if self._callback is None:
            return
        self._loop = loop
        if self._deadline is None:
            self._handle = loop.call_soon(self._fire, context=self._context)
        else:
            self._handle = loop.call_later(
                max(0, self._deadline - self._ioloop.time()),
                self._fire,
                context=self._context,
            )

    def _fire(self) -> None:
        callback, self._callback = self._callback, None
        self._handle = None
        self._ioloop._waiting.pop(self, None)
        if callback is not None and not self._ioloop._is_ending:
            self._ioloop._run_callback(callback)

    def cancel(self) -> None:
        """Do not call it. From any thread; harmless when it has run."""
        self._callback = None
        self._ioloop._waiting.pop(self, None)
        loop, handle = self._loop, self._handle
        if loop is None or handle is None:
            return
        if is_on_loop(loop):
            handle.cancel()
        else:
            # So that it leaves the loop's queue; it would do nothing there.
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(handle.cancel)

    def cancelled(self) -> bool:
        """Whether it will not be called: it was cancelled, or has run."""
        return self._callback is None


# What other files put in


_ioloop_class: Callable[..., Any]


def set_ioloop_class(ioloop_class: Callable[..., Any]) -> None:
    """Say of which class IOLoops are. ``ioloop`` does."""
    global _ioloop_class
    _ioloop_class = ioloop_class


def _do_nothing(ioloop: BoundLoop) -> None:
    pass


_hand_over: Callable[[BoundLoop], None] = _do_nothing
_take_back: Callable[[BoundLoop], None] = _do_nothing


def set_background(
    hand_over: Callable[[Any], None], take_back: Callable[[Any], None]
) -> None:
    """Say who runs loops in the background. ``parking`` does.

    :param hand_over: called when a thread wants to run a loop that is run already.
    :param take_back: called when a thread has ceased to run one.
    """
    global _hand_over, _take_back
    _hand_over, _take_back = hand_over, take_back


def hand_over(ioloop: BoundLoop) -> None:
    """Let the calling thread have a loop that runs in the background, if it does."""
    _hand_over(ioloop)


@contextlib.contextmanager
def kept_running(ioloop: BoundLoop) -> Iterator[None]:
    """Within the block, in which a thread waits for the loop, somebody runs it."""
    with lock:
        ioloop._waiters += 1
    try:
        # Who ran it may have ceased before we were counted.
        _take_back(ioloop)
        yield
    finally:
        with lock:
            ioloop._waiters -= 1


# Which loop is whose


def current(instance: bool = True) -> Any:
    """What :meth:`IOLoop.current` gives."""
    running = asyncio._get_running_loop()
    if running is not None:
        return _by_loop.get(running) or _ioloop_of(running)
    return _current_outside(instance)


def _ioloop_of(loop: asyncio.AbstractEventLoop) -> Any:
    """The IOLoop of an asyncio loop that runs in this thread, or is set for it."""
    global _home
    with lock:
        found = _by_loop.get(loop)
        if found is not None:
            return found
        if _is_main_thread() and _home is not None and _home._is_free():
            _home._bind(loop)
            return _home
        made = _ioloop_class(make_current=False, asyncio_loop=loop)
        if _is_main_thread() and _home is None:
            _home = made
        return made


def _current_outside(instance: bool) -> Any:
    """The same for a thread in which no loop runs."""
    _notice_fork()
    loop = _loop_set_here()
    if loop is not None:
        ioloop = _ioloop_of(loop)
        return ioloop if ioloop is not _home else _serving()
    serving = _serving()
    if serving is None:
        if not instance:
            return None
        serving = _make_home()
    if _is_main_thread():
        # asyncio.get_event_loop() gives the same, and has nothing to complain of.
        asyncio.set_event_loop(serving.asyncio_loop)
    return serving


def _serving() -> BoundLoop | None:
    adopted = _adopted
    if adopted is not None and not adopted._is_over():
        return adopted
    return _home


def _make_home() -> BoundLoop:
    global _home
    with lock:
        if _home is None:
            _home = _ioloop_class(make_current=False)
        assert _home is not None
        return _home


def serving_loop() -> Any:
    """The IOLoop on which requests of this process wait; made if there is none."""
    _notice_fork()
    return _serving() or _make_home()


def adopt_serving_loop() -> Any:
    """Make the current loop the serving one, and return it: a server is started on it.

    Servers call it. Where no loop runs yet, schedule on what is returned, not on its
    ``asyncio_loop``: it may still follow the loop of :func:`asyncio.run`.
    """
    global _adopted
    ioloop: BoundLoop = current()
    with lock:
        if ioloop is not _home and not _move_home(ioloop):
            _adopted = ioloop
    return ioloop


def has_waiting_work() -> bool:
    """Whether something was scheduled while no loop ran, and still none does."""
    home = _home
    return home is not None and bool(home._waiting) and home._is_free()


def _move_home(ioloop: BoundLoop) -> bool:
    """Make another IOLoop home, unless home has begun. Under the lock."""
    global _home
    if _home is not None:
        if not _home._is_free():
            return False
        # What waits there, and programs that hold the old object, reach the same loop.
        _home._follow(ioloop.asyncio_loop)
    _home = ioloop
    return True


def set_current(ioloop: BoundLoop) -> None:
    """Make an IOLoop the one that :func:`current` gives in this thread."""
    asyncio.set_event_loop(ioloop.asyncio_loop)
    with lock:
        if _is_main_thread() and ioloop is not _home:
            _move_home(ioloop)


def clear_current() -> None:
    """Let this thread have no IOLoop of its own; nor the process, if it was home's."""
    global _home
    with lock:
        loop = _loop_set_here()
        if _home is not None and _home._loop is loop and not _home._is_claimed:
            _home = None
    asyncio.set_event_loop(None)


def _loop_set_here() -> asyncio.AbstractEventLoop | None:
    """What ``asyncio.set_event_loop`` was given in this thread, if it can be used.

    ``asyncio.get_event_loop`` would warn, make one, or raise, by the version of Python.
    """
    get_policy = getattr(
        asyncio.events, "_get_event_loop_policy", asyncio.get_event_loop_policy
    )
    local = getattr(get_policy(), "_local", None)
    loop: asyncio.AbstractEventLoop | None = getattr(local, "_loop", None)
    if loop is None or loop.is_closed() or loop in _forgotten:
        return None
    return loop


def _new_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    _own[loop] = threading.get_ident
    return loop


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _current_asyncio_loop() -> asyncio.AbstractEventLoop:
    loop: asyncio.AbstractEventLoop = current().asyncio_loop
    return loop


set_loop_source(_current_asyncio_loop)


# The end of a process, and its children


async def cancel_all(ioloop: BoundLoop, grace: float) -> None:
    """Let the coroutines of a loop run their ``finally``; runs on it."""
    ioloop._is_ending = True
    loop = asyncio.get_running_loop()
    end = loop.time() + grace
    # What ends may start something in its turn.
    while (left := end - loop.time()) > 0 and (
        tasks := asyncio.all_tasks() - {asyncio.current_task()}
    ):
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=left)
    await loop.shutdown_asyncgens()


def _end_at_exit() -> None:
    if _pid != os.getpid():
        return
    for ioloop in (_adopted, _home):
        if ioloop is not None and ioloop._is_open and not ioloop._is_over():
            # Nobody is left to be told what goes wrong.
            with contextlib.suppress(Exception):
                _end_tasks(ioloop)
    for loop in list(_own):
        if not loop.is_running():
            loop.close()


def _end_tasks(ioloop: BoundLoop) -> None:
    loop = ioloop.asyncio_loop
    if not loop.is_running():
        loop.run_until_complete(cancel_all(ioloop, EXIT_GRACE))
    elif not is_on_loop(loop):
        # A daemon thread runs it.
        ending = cancel_all(ioloop, EXIT_GRACE)
        asyncio.run_coroutine_threadsafe(ending, loop).result(EXIT_GRACE + 1)


def _notice_fork() -> None:
    """A server may have forked without telling Python."""
    if _pid != os.getpid():
        forget_after_fork()


def forget_after_fork() -> None:
    """In a child: let be what belongs to the parent.

    What was scheduled, but has not begun because no loop ran, begins in the child.
    """
    global _adopted, _pid
    _pid = os.getpid()
    lock.renew()
    loops = {*_by_loop, *_own}
    set_here = _loop_set_here()
    if set_here is not None:
        loops.add(set_here)
    for loop in loops:
        _forgotten.add(loop)
        # A loop that is collected as garbage closes itself if it was not closed, and
        # takes its descriptors off the epoll that the parent goes on using.
        vars(loop)["_closed"] = True
    for ioloop in {*_by_loop.values(), _home} - {None}:
        ioloop._lose_loop()
    _by_loop.clear()
    _own.clear()
    _adopted = None


atexit.register(_end_at_exit)
os.register_at_fork(after_in_child=forget_after_fork)
