"""IOLoop and PeriodicCallback: Tornado's names over asyncio."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import inspect
import math
import numbers
import os
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, Literal, Protocol, TypeVar, overload

from wsgitornado import _serving
from wsgitornado._serving import BoundLoop, Timeout, adopt_serving_loop
from wsgitornado.concurrent import is_on_loop
from wsgitornado.log import app_log
from wsgitornado.util import (
    Configurable,
    TimeoutError,  # noqa: A004 - Tornado's name
)

__all__ = ["IOLoop", "PeriodicCallback", "TimeoutError", "adopt_serving_loop"]

_T = TypeVar("_T")
_Callback = Callable[[], object]


class _Selectable(Protocol):
    """What a handler can be added for beside a plain file descriptor."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class IOLoop(BoundLoop):
    """Tornado's event loop: an asyncio loop under another set of names.

    Programs get one from :meth:`current`. ``IOLoop()`` makes a new asyncio loop, as old
    programs do for a thread of their own.

    What is scheduled while no loop runs waits for the first one that does: in the
    thread that calls :meth:`start` or :meth:`run_sync`, by ``asyncio.run`` in the main
    thread, or in the background with the first request. All methods that schedule
    something, and :meth:`stop`, may be called from any thread. Callbacks run with the
    context variables of their caller. An exception in one is logged and stops nothing.
    """

    #: Events of :meth:`add_handler`.
    NONE: ClassVar[int] = 0
    READ: ClassVar[int] = 0x001
    WRITE: ClassVar[int] = 0x004
    ERROR: ClassVar[int] = 0x018

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return IOLoop

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        return IOLoop

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Choose a subclass of which all loops are made from now on.

        Tornado's own names, ``"tornado.platform.asyncio.AsyncIOLoop"`` and its
        siblings, mean the default: there is only asyncio.
        """
        if isinstance(impl, str) and impl.startswith("tornado."):
            impl = None
        super().configure(impl, **kwargs)

    def _initialize(
        self,
        make_current: bool = True,
        asyncio_loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._handlers: dict[int, _Handler] = {}
        self._executor: concurrent.futures.ThreadPoolExecutor | None = None
        # asyncio itself holds tasks only weakly.
        self._tasks: set[asyncio.Future[Any]] = set()
        super()._initialize(make_current, asyncio_loop)

    initialize = _initialize

    def _take(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._is_open:
            # It ended with the loop that it was set for.
            self._executor = None
        super()._take(loop)
        self._handlers = {
            fd: handler for fd, handler in self._handlers.items() if handler.is_lasting
        }

    def _hand_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._executor is not None:
            loop.set_default_executor(self._executor)
        super()._hand_on(loop)
        for fd in list(self._handlers):
            self._watch_or_log(loop, fd)

    def _drop_all(self) -> None:
        super()._drop_all()
        self._handlers.clear()
        self._tasks.clear()
        self._executor = None

    # Which loop

    @overload
    @staticmethod
    def current() -> IOLoop: ...

    @overload
    @staticmethod
    def current(instance: Literal[True]) -> IOLoop: ...

    @overload
    @staticmethod
    def current(instance: bool) -> IOLoop | None: ...

    @staticmethod
    def current(instance: bool = True) -> IOLoop | None:
        """The loop for the calling thread.

        1. Where an asyncio loop runs, that one.
        2. A loop that was set for this thread: by ``IOLoop()``, :meth:`make_current` or
           :func:`asyncio.set_event_loop`.
        3. Else the serving loop of the process, the same in all threads. It is made if
           there is none, and need not run yet.

        :param instance: False gives None where none of these exists.
        """
        found: IOLoop | None = _serving.current(instance)
        return found

    @staticmethod
    def instance() -> IOLoop:
        """The same as :meth:`current`: an old name."""
        return IOLoop.current()

    @staticmethod
    def initialized() -> bool:
        """Whether :meth:`current` would find a loop without making one."""
        return IOLoop.current(instance=False) is not None

    def make_current(self) -> None:
        """Make this the loop that :meth:`current` gives in this thread.

        Deprecated as in Tornado: ``IOLoop()`` does it by itself, and where a loop runs,
        that one is current.
        """
        _warn_deprecated("make_current is deprecated; start the event loop first")
        _serving.set_current(self)

    def install(self) -> None:
        """The same as :meth:`make_current`: an old name."""
        _warn_deprecated("install is deprecated; start the event loop first")
        _serving.set_current(self)

    @staticmethod
    def clear_current() -> None:
        """Let this thread have no loop of its own. Deprecated as in Tornado."""
        _warn_deprecated("clear_current is deprecated")
        _serving.clear_current()

    @staticmethod
    def clear_instance() -> None:
        """The same as :meth:`clear_current`: an old name."""
        _warn_deprecated("clear_instance is deprecated")
        _serving.clear_current()

    # Running

    def start(self) -> None:
        """Run the loop in the calling thread until :meth:`stop`.

        A loop that runs in the background, because a request came first, moves to this
        thread. KeyboardInterrupt comes out, and the loop may be started again.

        :raises RuntimeError: if the loop runs already: in this thread, which then is in
            one of its callbacks, or in another that called this method; if another
            loop runs in this thread; if the loop was closed.
        """
        self._refuse_nesting("start()")
        if not self._claim():
            _serving.hand_over(self)
            if not self._claim():
                raise RuntimeError(
                    "This event loop is already running, in another thread: use "
                    "add_callback() to run something on it"
                )
        self._run_claimed()

    def stop(self) -> None:
        """Let :meth:`start` return, after the callbacks that are due now.

        If the loop does not run, the next ``start`` returns at once. May be called
        in a signal handler. The background loop of a WSGI server goes on.
        """
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        if is_on_loop(loop):
            loop.stop()
            # In a signal handler the thread sleeps in select(), and would go on to.
            loop.call_soon_threadsafe(_do_nothing)
        elif loop.is_running():
            loop.call_soon_threadsafe(loop.stop)
        else:
            loop.stop()

    def run_sync(self, func: Callable[[], Any], timeout: float | None = None) -> Any:
        """Run a function on the loop and return its result, awaited if need be.

        The loop runs in this thread until then. If it runs in another thread already,
        the function runs there, and this thread waits.

        :param timeout: seconds; what has not finished is cancelled.
        :raises TimeoutError: if it has not finished in time.
        :raises RuntimeError: on the loop's own thread; if somebody stops the loop
            first.
        :raises TypeError: if the function returns what cannot be awaited and is not
            None. With ``gen`` imported, its ``BadYieldError``.
        """
        self._refuse_nesting("run_sync()")
        call = _SyncCall(self, func, timeout)
        if self._claim():
            return call.run_here()
        return call.wait_elsewhere()

    def _refuse_nesting(self, name: str) -> None:
        if is_on_loop(self.asyncio_loop):
            raise RuntimeError(
                f"This event loop is already running: {name} was called in one of its "
                "callbacks and would wait for itself; await instead"
            )

    def close(self, all_fds: bool = False) -> None:
        """Close the loop; what is scheduled on it never runs.

        After the serving loop was closed, :meth:`current` makes a new one.

        :param all_fds: close all file descriptors that have a handler.
        :raises RuntimeError: while the loop runs.
        """
        with _serving.lock:
            self._refuse_to_close()
            for handler in list(self._handlers.values()):
                self.remove_handler(handler.fileobj)
                if all_fds:
                    self.close_fd(handler.fileobj)
            self._close()

    # Callbacks

    def add_callback(
        self, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """Call a function on the loop, soon; from any thread.

        What it returns is awaited if it can be. On a closed loop nothing happens.
        """
        call = functools.partial(callback, *args, **kwargs)
        loop = self._loop
        if not self._is_open or loop is None or loop.is_closed():
            if not self._is_gone():
                self._schedule(Timeout(self, None, call))
        elif is_on_loop(loop):
            loop.call_soon(self._run_callback, call)
        else:
            with contextlib.suppress(RuntimeError):  # closed since
                loop.call_soon_threadsafe(self._run_callback, call)

    def spawn_callback(
        self, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """Start something that nobody waits for: the same as :meth:`add_callback`."""
        self.add_callback(callback, *args, **kwargs)

    def add_callback_from_signal(
        self, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> None:
        """Call a function on the loop; for handlers of ``signal.signal``.

        Without the context variables of whatever the signal interrupted. Deprecated as
        in Tornado, in favour of ``asyncio_loop.add_signal_handler``.
        """
        _warn_deprecated(
            "add_callback_from_signal is deprecated: use "
            "asyncio_loop.add_signal_handler()"
        )
        context = contextvars.Context()
        context.run(self.add_callback, callback, *args, **kwargs)
        loop = self._loop
        if loop is not None and is_on_loop(loop):
            loop.call_soon_threadsafe(_do_nothing)

    def add_future(
        self,
        future: asyncio.Future[_T] | concurrent.futures.Future[_T],
        callback: Callable[[Any], Any],
    ) -> None:
        """Call a function with the future on this loop when the future is done.

        :raises TypeError: if it is no future of asyncio, of ``concurrent.futures`` or
            of this package.
        """
        context = contextvars.copy_context()

        def done(finished: Any) -> None:
            # Called in the thread that set the future, or on its loop.
            context.run(self.add_callback, callback, finished)

        if isinstance(future, asyncio.Future):
            owner = future.get_loop()
            if is_on_loop(owner) or not owner.is_running():
                future.add_done_callback(done)
            else:
                owner.call_soon_threadsafe(future.add_done_callback, done)
        elif hasattr(future, "add_done_callback"):
            future.add_done_callback(done)
        else:
            raise TypeError(f"add_future() takes a future: got {type(future).__name__}")

    def _run_callback(self, callback: _Callback) -> None:
        try:
            result = callback()
        except asyncio.CancelledError:
            return
        except Exception:
            self.handle_callback_exception(callback)
            return
        future = None if result is None else _maybe_future(result)
        if future is not None:
            self._tasks.add(future)
            future.add_done_callback(functools.partial(self._report, callback))

    def _report(self, callback: _Callback, future: asyncio.Future[Any]) -> None:
        self._tasks.discard(future)
        # What is no Exception has come out of the loop already.
        if not future.cancelled() and isinstance(future.exception(), Exception):
            try:
                future.result()
            except Exception:
                self.handle_callback_exception(callback)

    def handle_callback_exception(self, callback: Any) -> None:
        """Called for an exception in a callback, while it is handled; logs it.

        Tornado dropped this hook in 5.0; programs of earlier days override it.
        """
        app_log.error("Exception in callback %r", callback, exc_info=True)

    # Timers

    def add_timeout(
        self,
        deadline: float | timedelta,
        callback: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> object:
        """Call a function at a time, or after a while if that is a ``timedelta``.

        Returns a handle for :meth:`remove_timeout`.

        :raises TypeError: if the deadline is of another type.
        """
        if isinstance(deadline, timedelta):
            return self.call_later(deadline.total_seconds(), callback, *args, **kwargs)
        number: object = deadline
        if isinstance(number, numbers.Real):
            return self.call_at(deadline, callback, *args, **kwargs)
        raise TypeError(
            f"Unsupported deadline {deadline!r}: pass seconds in the manner of "
            "IOLoop.time(), or a timedelta"
        )

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> object:
        """Call a function after so many seconds. Returns a handle."""
        return self.call_at(self.time() + delay, callback, *args, **kwargs)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> object:
        """Call a function at a time of :meth:`time`. Returns a handle."""
        call = functools.partial(callback, *args, **kwargs)
        # The sum tells now whether it is a number.
        return self._schedule(Timeout(self, when + 0.0, call))

    def remove_timeout(self, timeout: object) -> None:
        """Cancel a timer by its handle; harmless if it has run. From any thread.

        :raises TypeError: if it is no such handle.
        """
        cancel = getattr(timeout, "cancel", None)
        if cancel is None:
            raise TypeError(
                "remove_timeout() takes what add_timeout(), call_at() or call_later() "
                f"returned: got {timeout!r}"
            )
        cancel()

    # Executors

    def run_in_executor(
        self,
        executor: concurrent.futures.Executor | None,
        func: Callable[..., _T],
        *args: Any,
    ) -> asyncio.Future[_T]:
        """Run a function in an executor, by default the loop's thread pool.

        Returns a future of the loop.
        """
        loop = self.asyncio_loop
        if executor is None:
            # The loop itself has it only once it has begun.
            executor = self._executor
        return loop.run_in_executor(executor, func, *args)

    def set_default_executor(self, executor: concurrent.futures.Executor) -> None:
        """Set the executor of :meth:`run_in_executor`.

        :raises TypeError: if it is no ``ThreadPoolExecutor``: asyncio takes no other.
        """
        if not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            raise TypeError("executor must be ThreadPoolExecutor instance")
        self._executor = executor
        if self._is_open:
            self.asyncio_loop.set_default_executor(executor)

    # File descriptors

    def add_handler(
        self,
        fd: int | _Selectable,
        handler: Callable[..., Any],
        events: int,
    ) -> None:
        """Call ``handler(fd, events)`` whenever the descriptor is ready.

        :param fd: a descriptor, or an object with ``fileno()``, which the handler gets
            as it was passed.
        :param events: ``READ``, ``WRITE`` or both, joined by ``|``. Errors are reported
            as either.
        :raises ValueError: if the descriptor has a handler already.
        :raises OSError: if it is no open descriptor.
        """
        number, fileobj = self.split_fd(fd)
        with _serving.lock:
            if number in self._handlers:
                raise ValueError(f"fd {number} added twice")
            os.fstat(number)
            self._handlers[number] = _Handler(
                fileobj, handler, events, is_lasting=not self._is_open
            )
            self._rewatch(number)

    def update_handler(self, fd: int | _Selectable, events: int) -> None:
        """Change the events of a descriptor.

        :raises ValueError: if it has no handler.
        """
        number, _ = self.split_fd(fd)
        with _serving.lock:
            if number not in self._handlers:
                raise ValueError(f"fd {number} has no handler: call add_handler()")
            self._handlers[number].events = events
            self._rewatch(number)

    def remove_handler(self, fd: int | _Selectable) -> None:
        """Listen no longer. Harmless for a descriptor without a handler."""
        number, _ = self.split_fd(fd)
        with _serving.lock:
            handler = self._handlers.pop(number, None)
            if handler is not None:
                handler.events = self.NONE
                self._rewatch(number)

    def split_fd(self, fd: int | _Selectable) -> tuple[int, int | _Selectable]:
        """The descriptor as a number, and what was passed."""
        if isinstance(fd, int):
            return fd, fd
        return fd.fileno(), fd

    def close_fd(self, fd: int | _Selectable) -> None:
        """Close a descriptor, or an object that has one; closed ones are let be."""
        try:
            if isinstance(fd, int):
                os.close(fd)
            else:
                fd.close()
        except OSError:
            pass

    def _rewatch(self, fd: int) -> None:
        """Tell the asyncio loop what to listen for, if there is one to tell."""
        loop = self._loop
        if not self._is_open or loop is None or loop.is_closed():
            return
        if is_on_loop(loop) or not loop.is_running():
            try:
                self._watch(loop, fd)
            except OSError:
                self._handlers.pop(fd, None)
                raise
        else:
            # asyncio lets only the loop's own thread do it.
            loop.call_soon_threadsafe(self._watch_or_log, loop, fd)

    def _watch_or_log(self, loop: asyncio.AbstractEventLoop, fd: int) -> None:
        try:
            self._watch(loop, fd)
        except OSError:
            self._handlers.pop(fd, None)
            app_log.error("Cannot listen to file descriptor %d", fd, exc_info=True)

    def _watch(self, loop: asyncio.AbstractEventLoop, fd: int) -> None:
        handler = self._handlers.get(fd)
        events = handler.events if handler is not None else self.NONE
        if handler is not None and events & self.READ:
            loop.add_reader(fd, self._handle_events, handler, self.READ)
        else:
            loop.remove_reader(fd)
        if handler is not None and events & self.WRITE:
            loop.add_writer(fd, self._handle_events, handler, self.WRITE)
        else:
            loop.remove_writer(fd)

    def _handle_events(self, handler: _Handler, event: int) -> None:
        handler.context.run(
            self._run_callback,
            functools.partial(handler.callback, handler.fileobj, event),
        )


@dataclass
class _Handler:
    """A file descriptor that the loop listens to."""

    fileobj: int | _Selectable
    callback: Callable[..., Any]
    events: int
    #: Added before any loop began, so that it stays when the asyncio loop changes.
    is_lasting: bool
    context: contextvars.Context = field(default_factory=contextvars.copy_context)


class _SyncCall:
    """One call of :meth:`IOLoop.run_sync`."""

    def __init__(
        self, ioloop: IOLoop, func: Callable[[], Any], timeout: float | None
    ) -> None:
        self._ioloop = ioloop
        self._func = func
        self._timeout = timeout
        self._has_expired = False
        self._is_running_loop = False
        self._future: asyncio.Future[Any] | None = None
        self._outcome: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def run_here(self) -> Any:
        """Run the loop, which was claimed, until the function has ended."""
        ioloop = self._ioloop
        self._is_running_loop = True
        ioloop.add_callback(self._begin)
        expiry = None
        if self._timeout is not None:
            expiry = ioloop.call_later(self._timeout, self._cancel)
        try:
            ioloop._run_claimed()
        finally:
            self._is_running_loop = False
            if expiry is not None:
                ioloop.remove_timeout(expiry)
            if self._future is not None and self._future.done():
                # What is no Exception has come out of the loop. Nobody asks the task.
                _ = self._future.cancelled() or self._future.exception()
        if not self._outcome.done():
            raise RuntimeError("Event loop stopped before Future completed.")
        return self._outcome.result()

    def wait_elsewhere(self) -> Any:
        """Wait in this thread while another runs the loop."""
        ioloop = self._ioloop
        with _serving.kept_running(ioloop):
            try:
                ioloop.add_callback(self._begin)
                concurrent.futures.wait([self._outcome], self._timeout)
            except BaseException:
                # Ctrl-C in the waiting thread: the function must not go on without it.
                ioloop.add_callback(self._cancel)
                raise
            if not self._outcome.done():
                ioloop.add_callback(self._cancel)
            return self._outcome.result()

    def _begin(self) -> None:
        try:
            result = self._func()
            if result is None:
                self._settle(None, None)
                return
            self._future = _as_future(result)
        except Exception as error:
            self._settle(error, None)
            return
        self._future.add_done_callback(self._end)

    def _cancel(self) -> None:
        self._has_expired = True
        if self._future is not None:
            self._future.cancel()

    def _end(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled():
            error = future.exception()
            self._settle(error, None if error is not None else future.result())
        elif self._has_expired:
            message = f"Operation timed out after {self._timeout} seconds"
            self._settle(TimeoutError(message), None)
        else:
            self._settle(asyncio.CancelledError(), None)

    def _settle(self, error: BaseException | None, result: Any) -> None:
        if error is None:
            self._outcome.set_result(result)
        else:
            self._outcome.set_exception(error)
        if self._is_running_loop:
            self._ioloop.stop()


class PeriodicCallback:
    """Calls a function at regular intervals, from :meth:`start` to :meth:`stop`.

    Runs never overlap: while the coroutine of one run is not finished, those that would
    be due are left out. An exception is logged, and the next run comes all the same.

    :param callback: a function; what it returns is awaited if it can be.
    :param callback_time: milliseconds from one start to the next, or a ``timedelta``.
    :param jitter: a part of the interval, such as 0.1, by which each is longer or
        shorter at random, half of it to either side.
    :raises ValueError: if ``callback_time`` is not positive.
    """

    def __init__(
        self,
        callback: Callable[[], Any],
        callback_time: float | timedelta,
        jitter: float = 0,
    ) -> None:
        if isinstance(callback_time, timedelta):
            callback_time = callback_time / timedelta(milliseconds=1)
        if not callback_time > 0:
            raise ValueError("Periodic callback must have a positive callback_time")
        self.callback = callback
        self.callback_time = callback_time
        self.jitter = jitter
        self._timeout: Timeout | None = None
        # What tells this start from an earlier one.
        self._token: object | None = None
        self._unfinished: asyncio.Future[Any] | None = None
        self._is_lasting = False
        self._next_timeout = 0.0

    def start(self) -> None:
        """Begin, with the first run after one interval; from any thread.

        Where no loop runs yet, at import for instance, the runs begin with the loop. If
        it was started already, it begins anew.
        """
        self.stop()
        self.io_loop = IOLoop.current()
        self._is_lasting = not self.io_loop._is_open
        self._next_timeout = self.io_loop.time()
        token = self._token = object()
        self._schedule_next(token)

    def stop(self) -> None:
        """Run no more; from any thread. A coroutine that has begun goes on."""
        self._token = None
        timeout, self._timeout = self._timeout, None
        if timeout is not None:
            timeout.cancel()

    def is_running(self) -> bool:
        """Whether it was started and not stopped."""
        return self._token is not None

    def _schedule_next(self, token: object) -> None:
        if token is not self._token:
            return
        period = self.callback_time / 1000
        if self.jitter:
            period *= 1 + self.jitter * (random.random() - 0.5)  # noqa: S311 - no secret
        now = self.io_loop.time()
        self._next_timeout = _next_run(self._next_timeout, now, period)
        call = functools.partial(self._run, token)
        self._timeout = self.io_loop._schedule(
            Timeout(self.io_loop, self._next_timeout, call), self._is_lasting
        )

    def _run(self, token: object) -> None:
        if token is not self._token:
            return
        if not self._is_busy():
            future = self._call()
            if future is not None:
                self._unfinished = future
                future.add_done_callback(functools.partial(self._end, token))
                return
        self._schedule_next(token)

    def _is_busy(self) -> bool:
        """Whether a run of an earlier start has not finished on this loop."""
        future = self._unfinished
        return (
            future is not None
            and not future.done()
            and future.get_loop() is self.io_loop.asyncio_loop
        )

    def _call(self) -> asyncio.Future[Any] | None:
        try:
            result = self.callback()
        except Exception:
            self._log_exception()
            return None
        return None if result is None else _maybe_future(result)

    def _end(self, token: object, future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and isinstance(future.exception(), Exception):
            try:
                future.result()
            except Exception:
                self._log_exception()
        self._schedule_next(token)

    def _log_exception(self) -> None:
        app_log.error("Exception in callback %r", self.callback, exc_info=True)


def _next_run(planned: float, now: float, period: float) -> float:
    """When to run next, if the last run was planned for one time and it is another.

    Late, so that the runs between are left out; early, by a rounding; and after the
    clock was set back:

    >>> _next_run(planned=100, now=105.2, period=1)
    106
    >>> _next_run(planned=100, now=99.999, period=1)
    101
    >>> _next_run(planned=100, now=40, period=1)
    41
    """
    if planned <= now:
        return planned + (math.floor((now - planned) / period) + 1) * period
    if planned - now <= period:
        return planned + period
    return now + period


# What may be awaited


def _future_of(result: object) -> asyncio.Future[Any]:
    if inspect.isawaitable(result):
        return asyncio.ensure_future(result)
    raise TypeError(f"{result!r} cannot be awaited")


_convert: Callable[[Any], asyncio.Future[Any]] = _future_of
_refusal: type[Exception] = TypeError


def set_converter(
    convert: Callable[[Any], asyncio.Future[Any]], refusal: type[Exception]
) -> None:
    """Say how to wait for what a function returned. ``gen`` knows lists and dicts too.

    :param refusal: what ``convert`` raises where nobody can wait.
    """
    global _convert, _refusal
    _convert, _refusal = convert, refusal


def _maybe_future(result: object) -> asyncio.Future[Any] | None:
    """What a callback returned, if it can be awaited; any other value is its own."""
    try:
        return _as_future(result)
    except _refusal:
        return None


def _as_future(result: object) -> asyncio.Future[Any]:
    if isinstance(result, concurrent.futures.Future):
        return asyncio.wrap_future(result)
    return _convert(result)


def _do_nothing() -> None:
    pass


def _warn_deprecated(message: str) -> None:
    warnings.warn(message, DeprecationWarning, stacklevel=3)


_serving.set_ioloop_class(IOLoop)
