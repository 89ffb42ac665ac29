"""Futures that threads and the loop share, and which thread runs a loop."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
import types
from collections.abc import Callable, Generator
from concurrent import futures
from typing import (
    Any,
    Concatenate,
    Final,
    ParamSpec,
    TypeAlias,
    TypeVar,
    cast,
    overload,
)

from wsgitornado.log import app_log

__all__ = [
    "DONE",
    "FUTURES",
    "DoneFuture",
    "DummyExecutor",
    "Future",
    "ReturnValueIgnoredError",
    "chain_future",
    "dummy_executor",
    "future_add_done_callback",
    "future_set_exc_info",
    "future_set_exception_unless_cancelled",
    "future_set_result_unless_cancelled",
    "is_future",
    "run_on_executor",
]

_T = TypeVar("_T")
_P = ParamSpec("_P")


# Which loop, and which thread


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

_loop_source: Callable[[], asyncio.AbstractEventLoop] = asyncio.get_running_loop


def current_loop() -> asyncio.AbstractEventLoop:
    """The loop that a future made here and now belongs to.

    With ``ioloop`` imported that is the loop of ``IOLoop.current()``: the one that runs
    in this thread, or else the serving loop. Without it, no running loop is a
    RuntimeError.
    """
    return _loop_source()


def set_loop_source(function: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Say who knows the loop that a future belongs to when it is not told one.

    ``ioloop`` puts its own in here. Until then it is the loop that runs in the thread.
    """
    global _loop_source
    _loop_source = function


def _hop(
    loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: Any
) -> None:
    """Call a function on the thread of the loop, soon."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        # On a closed loop nobody waits any more.
        if not loop.is_closed():
            raise


# Futures


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


class _FutureType(type):
    """Programs ask ``isinstance`` about tasks, too: Tornado's Future is asyncio's."""

    def __instancecheck__(cls, instance: object) -> bool:
        if cls is Future:
            return isinstance(instance, asyncio.Future | DoneFuture)
        return super().__instancecheck__(instance)


class Future(asyncio.Future[_T], metaclass=_FutureType):
    """A future of asyncio that any thread may make, set, cancel and ask.

    asyncio's own may only be touched on the thread of its loop: set from elsewhere, it
    never wakes a loop that is idle. Here a thread may do ::

        future.set_result(rows)

    and whoever awaits the future, on the loop, goes on with the rows. On the thread of
    the loop everything acts at once, as with asyncio. Elsewhere

    - the first to set or cancel the future decides, and at once: ``done()``,
      ``cancelled()``, ``result()`` and ``exception()`` know it on every thread from
      then on. Who comes second gets :exc:`asyncio.InvalidStateError` where it stands,
      or False from ``cancel``.
    - the loop is then woken. Callbacks, and coroutines that wait, run there; if it does
      not run yet, once it does. On a closed loop there is nobody left to tell.
    - ``add_done_callback`` keeps the caller's context variables. The callback runs on
      the loop.
    - ``remove_done_callback`` takes effect on the loop, later, and returns 0: how many
      it were is known only there.

    ``result()`` never waits: before the end it raises InvalidStateError. A thread that
    has to wait wants a :class:`concurrent.futures.Future`.

    ``isinstance(x, Future)`` is true for every future of asyncio, tasks included, for
    to Tornado's programs they are the same.

    :param loop: the loop to belong to; by default that of ``IOLoop.current()``, running
        or not.
    """

    def __init__(self, *, loop: asyncio.AbstractEventLoop | None = None) -> None:
        super().__init__(loop=current_loop() if loop is None else loop)
        # The first one decides. It is a finished future of asyncio as long as the loop
        # has to take it over, and _TAKEN afterwards.
        self._decisions: list[asyncio.Future[Any]] = []

    # Setting, on any thread

    def set_result(self, result: _T) -> None:
        """Give the future its result.

        Raises InvalidStateError if it was set or cancelled before.
        """
        loop = self.get_loop()
        if is_on_loop(loop):
            self._decide(_TAKEN)
            super().set_result(result)
        else:
            decision: asyncio.Future[_T] = asyncio.Future(loop=loop)
            decision.set_result(result)
            self._decide(decision)
            _hop(loop, self._take, super().set_result, result)

    def set_exception(self, exception: type | BaseException) -> None:
        """Let the future fail.

        Raises InvalidStateError if it was set or cancelled before, and TypeError for
        what is no exception, as well as for StopIteration before Python 3.12.
        """
        decision: asyncio.Future[_T] = asyncio.Future(loop=self.get_loop())
        decision.set_exception(exception)
        try:
            self._decide(decision)
        except asyncio.InvalidStateError:
            # It is the caller's matter now, not that of asyncio's log.
            decision.exception()
            raise
        self._bring(self._fail_like, decision)

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel the future. Returns False if it was done before."""
        decision: asyncio.Future[_T] = asyncio.Future(loop=self.get_loop())
        decision.cancel(msg)
        try:
            self._decide(decision)
        except asyncio.InvalidStateError:
            return False
        self._bring(super().cancel, msg)
        return True

    def _decide(self, decision: asyncio.Future[Any]) -> None:
        if not self.done():
            # To append is one step for all threads. A lock would stop for ever a signal
            # handler that comes in between, and a child that was forked there.
            self._decisions.append(decision)
            if self._decisions[0] is decision:
                return
        raise asyncio.InvalidStateError(
            "invalid state: the future was set or cancelled before"
        )

    def _bring(self, act: Callable[..., object], *args: Any) -> None:
        loop = self.get_loop()
        if is_on_loop(loop):
            self._take(act, *args)
        else:
            _hop(loop, self._take, act, *args)

    def _take(self, act: Callable[..., object], *args: Any) -> None:
        """Become what was decided. On the loop."""
        act(*args)
        self._decisions[0] = _TAKEN

    def _fail_like(self, decision: asyncio.Future[_T]) -> None:
        was_seen = not decision._log_traceback
        error = decision.exception()
        assert error is not None
        super().set_exception(error)
        if was_seen:
            super().exception()

    # Asking, on any thread

    def done(self) -> bool:
        """Whether the future was set or cancelled."""
        return bool(self._decisions) or super().done()

    def cancelled(self) -> bool:
        """Whether the future was cancelled."""
        return self._decided().cancelled()

    def result(self) -> _T:
        """Return the result, or raise what the future failed with.

        Raises InvalidStateError before the end, and CancelledError if it was cancelled.
        """
        return self._decided().result()

    def exception(self) -> BaseException | None:
        """Return what the future failed with, or None if it has a result.

        Raises InvalidStateError before the end, and CancelledError if it was cancelled.
        """
        return self._decided().exception()

    def _decided(self) -> asyncio.Future[_T]:
        """Who knows the outcome at this moment."""
        if not self._decisions or self._decisions[0] is _TAKEN:
            return cast("asyncio.Future[_T]", super())
        return self._decisions[0]

    # Callbacks, which the loop runs

    def add_done_callback(
        self,
        fn: Callable[[Any], object],
        *,
        context: contextvars.Context | None = None,
    ) -> None:
        """Have ``fn(future)`` called on the loop once the future is done.

        :param context: the context variables it is to find; by default those of the
            caller.
        """
        loop = self.get_loop()
        if is_on_loop(loop):
            super().add_done_callback(fn, context=context)
        else:
            # It runs in a copy of the caller's context, and copies that.
            add = functools.partial(super().add_done_callback, fn, context=context)
            _hop(loop, add)

    def remove_done_callback(self, fn: Callable[[Any], object]) -> int:
        """Forget a callback; return how many times it was there. On the loop only.

        Elsewhere it happens later, and 0 is returned.
        """
        loop = self.get_loop()
        if is_on_loop(loop):
            return super().remove_done_callback(fn)
        _hop(loop, super().remove_done_callback, fn)
        return 0


_TAKEN: Final[asyncio.Future[Any]] = cast("asyncio.Future[Any]", object())

#: What :func:`is_future` takes for a future.
FUTURES = (futures.Future, asyncio.Future, DoneFuture)


def is_future(x: object) -> bool:
    """Whether something is a future: asyncio's, ours, or that of an executor."""
    return isinstance(x, FUTURES)


_AnyFuture: TypeAlias = "asyncio.Future[_T] | futures.Future[_T]"


def future_set_result_unless_cancelled(future: _AnyFuture[_T], value: _T) -> None:
    """Give a future its result, unless it was cancelled.

    Raises InvalidStateError if it was set before.
    """
    try:
        future.set_result(value)
    except _INVALID_STATE:
        # Asked afterwards: another thread may have cancelled it just before.
        if not future.cancelled():
            raise


def future_set_exception_unless_cancelled(
    future: _AnyFuture[_T], exc: BaseException
) -> None:
    """Let a future fail. If it was cancelled the exception is logged.

    Raises InvalidStateError if it was set before.
    """
    try:
        future.set_exception(exc)
    except _INVALID_STATE:
        if not future.cancelled():
            raise
        app_log.error("Exception after Future was cancelled", exc_info=exc)


#: Two classes of one name.
_INVALID_STATE: Final = (asyncio.InvalidStateError, futures.InvalidStateError)


def future_set_exc_info(
    future: _AnyFuture[_T],
    exc_info: tuple[
        type[BaseException] | None, BaseException | None, types.TracebackType | None
    ],
) -> None:
    """Let a future fail with the exception of a ``sys.exc_info()``.

    If it was cancelled the exception is logged. Raises TypeError if there is none.
    """
    if exc_info[1] is None:
        raise TypeError("future_set_exc_info called with no exception")
    future_set_exception_unless_cancelled(future, exc_info[1])


def future_add_done_callback(
    future: _AnyFuture[_T], callback: Callable[[Any], object]
) -> None:
    """Have ``callback(future)`` called when a future is done: at once if it is.

    Otherwise as its ``add_done_callback`` does it: on the loop for a future of asyncio,
    in the thread that sets it for one of an executor. May be called in any thread.
    """
    if future.done():
        callback(future)
        return
    elsewhere = _loop_elsewhere(future)
    if elsewhere is None:
        future.add_done_callback(callback)
    else:
        _hop(elsewhere, future.add_done_callback, callback)


def _loop_elsewhere(future: _AnyFuture[_T]) -> asyncio.AbstractEventLoop | None:
    """The loop that has to be told, where a future is one of asyncio's own."""
    if isinstance(future, asyncio.Future):
        loop = future.get_loop()
        if not is_on_loop(loop):
            return loop
    return None


def chain_future(a: _AnyFuture[_T], b: _AnyFuture[_T]) -> None:
    """Let ``b`` end as ``a`` does: result, exception or cancellation.

    If ``a`` is done it happens at once. Nothing happens to a ``b`` that is done by
    then. May be called in any thread, and for futures of executors too.
    """
    future_add_done_callback(a, functools.partial(_copy_outcome, b))


def _copy_outcome(target: _AnyFuture[_T], source: _AnyFuture[_T]) -> None:
    elsewhere = _loop_elsewhere(target)
    if elsewhere is not None:
        _hop(elsewhere, _copy_outcome, target, source)
        return
    try:
        if target.done():
            return
        if source.cancelled():
            target.cancel()
        elif error := source.exception():
            target.set_exception(error)
        else:
            target.set_result(source.result())
    except _INVALID_STATE:
        # Another thread has set it since we asked.
        pass


def tie_futures(inner: _AnyFuture[_T], outer: _AnyFuture[_T]) -> None:
    """Let ``outer`` end as ``inner`` does, and cancel ``inner`` if ``outer`` is."""
    chain_future(inner, outer)
    cancel_with(outer, inner)


def cancel_with(future: _AnyFuture[Any], *others: _AnyFuture[Any]) -> None:
    """Cancel the others once a future is cancelled."""

    def cancel_others(future: _AnyFuture[Any]) -> None:
        if future.cancelled():
            for other in others:
                other.cancel()

    future_add_done_callback(future, cancel_others)


# Executors


class ReturnValueIgnoredError(Exception):
    """Never raised: a name that programs may still ask for in an ``except``."""


class DummyExecutor(futures.Executor):
    """An executor that runs each function at once, in the thread that submits it."""

    def submit(
        self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> futures.Future[_T]:
        """Call the function and return a future that is done."""
        future: futures.Future[_T] = futures.Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: nothing is ever left to do."""


#: One that may be put in the place of a pool of threads.
dummy_executor = DummyExecutor()

_Method: TypeAlias = "Callable[Concatenate[Any, _P], _T]"
_FutureMethod: TypeAlias = "Callable[Concatenate[Any, _P], Future[_T]]"


@overload
def run_on_executor(fn: _Method[_P, _T], /) -> _FutureMethod[_P, _T]: ...


@overload
def run_on_executor(
    *, executor: str = ..., io_loop: str = ...
) -> Callable[[_Method[_P, _T]], _FutureMethod[_P, _T]]: ...


def run_on_executor(*args: Any, executor: str = "executor", io_loop: str = "") -> Any:
    """Decorate a method so that it runs on its object's executor::

        class Reports:
            executor = ThreadPoolExecutor(4)

            @run_on_executor
            def render(self, month): ...

        text = await reports.render("2024-02")

    The method then returns a :class:`Future` at once. Cancelling that keeps the method
    from running as long as it has not begun. It may be called in any thread.

    :param executor: the name of the attribute that holds the executor, in the form
        ``@run_on_executor(executor="pool")``.
    :param io_loop: ignored, like in Tornado; old programs name a loop here.

    Raises ValueError unless it is called with one function or with names only.
    """
    if len(args) > 1:
        raise ValueError(f"run_on_executor takes one function: got {len(args)}")
    decorate = functools.partial(_run_on_executor, executor)
    return decorate(*args) if args else decorate


def _run_on_executor(executor: str, fn: _Method[_P, _T]) -> _FutureMethod[_P, _T]:
    @functools.wraps(fn)
    def submit(self: Any, /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        future: Future[_T] = Future()
        tie_futures(getattr(self, executor).submit(fn, self, *args, **kwargs), future)
        return future

    return submit
