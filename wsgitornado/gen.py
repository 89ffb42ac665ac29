"""Coroutines made of generators, and waiting for several things or for a time."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from concurrent import futures
from datetime import timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    NamedTuple,
    NoReturn,
    ParamSpec,
    TypeAlias,
    cast,
)

from wsgitornado.concurrent import (
    DONE,
    Future,
    ReturnValueIgnoredError,
    cancel_with,
    chain_future,
    current_loop,
    future_add_done_callback,
    future_set_exc_info,
    future_set_exception_unless_cancelled,
    future_set_result_unless_cancelled,
    is_future,
    is_on_loop,
    tie_futures,
)
from wsgitornado.ioloop import IOLoop, set_converter
from wsgitornado.log import app_log
from wsgitornado.util import TimeoutError  # noqa: A004 - Tornado's name

__all__ = [
    "Arguments",
    "BadYieldError",
    "Future",
    "KeyReuseError",
    "LeakedCallbackError",
    "Multi",
    "Return",
    "ReturnValueIgnoredError",
    "Task",
    "TimeoutError",
    "UnknownKeyError",
    "WaitIterator",
    "chain_future",
    "convert_yielded",
    "coroutine",
    "future_add_done_callback",
    "future_set_exc_info",
    "future_set_result_unless_cancelled",
    "is_coroutine_function",
    "is_future",
    "maybe_future",
    "moment",
    "multi",
    "multi_future",
    "sleep",
    "with_timeout",
]

_P = ParamSpec("_P")

#: What a generator may yield.
_Yieldable: TypeAlias = (
    "Awaitable[Any] | futures.Future[Any] | list[Any] | dict[Any, Any] | None"
)

#: Exceptions that are not worth a line in the log.
_Quiet: TypeAlias = "type[Exception] | tuple[type[Exception], ...]"


class Return(Exception):
    """Raised in a coroutine to end it with a result, in Python 2's stead of ``return``.

    ``raise gen.Return(rows)`` means ``return rows``. It works too where a function that
    the coroutine has called raises it.
    """

    def __init__(self, value: Any = None) -> None:
        super().__init__(value)
        self.value = value


class BadYieldError(Exception):
    """Raised at a ``yield`` in a coroutine for a value that nobody can wait for."""


class KeyReuseError(Exception):
    """Never raised: it belonged to ``gen.Callback``, which is gone since 6.0."""


class UnknownKeyError(Exception):
    """Never raised: it belonged to ``gen.Wait``, which is gone since 6.0."""


class LeakedCallbackError(Exception):
    """Never raised: it belonged to ``gen.Callback``, which is gone since 6.0."""


# Coroutines


def coroutine(func: Callable[_P, Any]) -> Callable[_P, Future[Any]]:
    """Decorate a generator so that each ``yield`` waits, and a call returns a future::

        @gen.coroutine
        def get(self):
            row, user = yield [self.find_row(), self.find_user()]
            self.write(row.text)

    What may be yielded: futures (of executors too), coroutines and whatever else can be
    awaited, lists and dicts of these (:func:`multi`), ``None`` and :data:`moment`,
    which give others a turn, and what :func:`convert_yielded` was taught. Anything else
    raises :exc:`BadYieldError` at the ``yield``; so does whatever a future failed with.

    The call runs the body at once, up to the first ``yield`` of something that is not
    done, and the future has whatever the body returned or raised. A function that is no
    generator may be decorated as well: it just runs. The body sees the context
    variables of the call, and keeps to itself those that it sets.

    *Threads.* The body runs on the loop of ``IOLoop.current()``, and only there. If
    that loop runs in another thread, as under a WSGI server, the call only schedules
    the body and returns a future that is not done yet. If it does not run at all, the
    first part runs in the calling thread, and the rest once the loop does.

    *Cancelling* the future is as with a task of asyncio: what the body waits for is
    cancelled, and it finds ``asyncio.CancelledError`` at its ``yield``.
    """
    body = _as_generator(func) if inspect.iscoroutinefunction(func) else func

    @functools.wraps(func)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> Future[Any]:
        loop = current_loop()
        if loop.is_running() and not is_on_loop(loop):
            return _elsewhere(functools.partial(call, *args, **kwargs))
        context = contextvars.copy_context()
        # Nobody knows this future yet, so that no other thread has to be considered.
        future: Future[Any] = Future(loop=loop)
        try:
            result = context.run(body, *args, **kwargs)
            if isinstance(result, Generator):
                waited = context.run(_advance, result, context.run(next, result))
                return _continue(context, func, result, waited)
        except (StopIteration, Return) as end:
            asyncio.Future.set_result(future, end.value)
        except asyncio.CancelledError:
            asyncio.Future.cancel(future)
        except Exception as error:
            asyncio.Future.set_exception(future, error)
        else:
            asyncio.Future.set_result(future, result)
        try:
            return future
        finally:
            # The traceback of its exception holds this frame.
            del future

    call.__tornado_coroutine__ = True  # type: ignore[attr-defined] # our mark
    return call


def is_coroutine_function(func: object) -> bool:
    """Whether a function was decorated with :func:`coroutine`.

    It is false for an ``async def``, which ``inspect`` knows.
    """
    return getattr(func, "__tornado_coroutine__", False)


def _as_generator(func: Callable[..., Any]) -> Callable[..., Any]:
    """An ``async def`` that was decorated by mistake means the same without."""

    def body(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        return (yield func(*args, **kwargs))

    return body


def _advance(generator: Generator[Any, Any, Any], yielded: Any) -> Any:
    """Run a generator on to a yield that has to be waited for, and return for what.

    A loop and no recursion: a million results that are there already cost no stack.
    Raises what the generator ends with.
    """
    try:
        while True:
            try:
                waited = _waitable(yielded)
                if waited is moment or not waited.done():
                    return waited
                value = waited.result()
                resume: Callable[[Any], Any] = generator.send
            except BaseException as error:
                resume, value = generator.throw, error
            yielded = resume(value)
    finally:
        # The traceback of an error holds this frame, which must not hold the error.
        value = waited = yielded = None


def _continue(
    context: contextvars.Context,
    func: Callable[..., Any],
    generator: Generator[Any, Any, Any],
    waited: Any,
) -> Future[Any]:
    """Let a task run the rest of a generator."""
    if waited is moment:
        # To begin a task takes a turn of the loop, and no more was asked for.
        waited = DONE

    def begin() -> Future[Any]:
        rest = _drive(generator, waited)
        # As far as its first line: a task that is cancelled before it began would not
        # run it, and the generator would not learn of it.
        rest.send(None)
        name = getattr(func, "__qualname__", None)
        task = current_loop().create_task(rest, name=name, context=context)
        # So it is to isinstance.
        return cast("Future[Any]", task)

    return begin() if is_on_loop(current_loop()) else _elsewhere(begin)


async def _drive(generator: Generator[Any, Any, Any], waited: Any) -> Any:
    try:
        await moment
    except asyncio.CancelledError:
        # As if it had been cancelled while it waits.
        waited.cancel()
        waited = Future()
        waited.cancel()
    try:
        while True:
            try:
                value = await waited
                resume: Callable[[Any], Any] = generator.send
            except BaseException as error:
                resume, value = generator.throw, error
            waited = _advance(generator, resume(value))
    except (StopIteration, Return) as end:
        return end.value
    finally:
        value = waited = None


def _elsewhere(begin: Callable[[], Future[Any]]) -> Future[Any]:
    """Begin something on the loop, from a thread that does not run it.

    Returns a future of it. Cancelling that cancels what was begun.
    """
    future: Future[Any] = Future()

    def start() -> None:
        try:
            begun = begin()
        except Exception as error:
            future_set_exception_unless_cancelled(future, error)
        else:
            tie_futures(begun, future)

    # It remembers this, too, if nobody runs the loop yet.
    IOLoop.current().add_callback(start)
    return future


def _begins_on_loop(
    function: Callable[_P, Future[Any]],
) -> Callable[_P, Future[Any]]:
    """Decorate a function whose futures call back from their first moment on."""

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> Future[Any]:
        if is_on_loop(current_loop()):
            return function(*args, **kwargs)
        return _elsewhere(functools.partial(function, *args, **kwargs))

    return call


# What may be yielded


class _Moment:
    """The class of :data:`moment`."""

    __slots__ = ()

    def done(self) -> bool:
        return True

    def result(self) -> None:
        return None

    def __await__(self) -> Generator[None, None, None]:
        # A task of asyncio goes on in the next turn.
        yield

    def __repr__(self) -> str:
        return "<gen.moment>"


#: Yielded (or awaited) in a coroutine that works for long without waiting: gives a turn
#: to everybody else on the loop. ``yield None`` does the same.
moment = _Moment()


@functools.singledispatch
def convert_yielded(yielded: Any) -> Any:
    """Return the future that stands for what a coroutine yields.

    Futures are returned as they are, lists and dicts become :func:`multi`, what can be
    awaited becomes a task, and None becomes :data:`moment`.

    It is a ``functools.singledispatch`` function: a program may teach it a type, by
    ``convert_yielded.register(Query, run_query)``, where ``run_query(query)`` returns a
    future.

    Raises :exc:`BadYieldError` for everything else.
    """
    if yielded is None or yielded is moment:
        return moment
    if isinstance(yielded, list | dict):
        return multi(yielded)
    if is_future(yielded):
        return yielded
    if inspect.isawaitable(yielded):
        begin = functools.partial(_make_task, yielded)
        return begin() if is_on_loop(current_loop()) else _elsewhere(begin)
    raise BadYieldError(f"yielded unknown object {yielded!r}")


def _make_task(awaitable: Awaitable[Any]) -> Future[Any]:
    return cast("Future[Any]", asyncio.ensure_future(awaitable, loop=current_loop()))


def _waitable(yielded: Any) -> Any:
    """What stands for a yielded value: it can be awaited, and knows ``done()``."""
    waited = convert_yielded(yielded)
    if isinstance(waited, futures.Future):
        future: Future[Any] = Future()
        tie_futures(waited, future)
        return future
    return waited


def _future_of(yielded: Any) -> Any:
    """The same, where nobody can give a turn in between."""
    waited = _waitable(yielded)
    return DONE if waited is moment else waited


def maybe_future(x: Any) -> Future[Any]:
    """Return a future as it is, and anything else as the result of a finished one.

    A coroutine counts as anything else: :func:`convert_yielded` makes a future of it.
    """
    if is_future(x):
        return cast("Future[Any]", x)
    future: Future[Any] = Future()
    asyncio.Future.set_result(future, x)
    return future


# Several at once


@_begins_on_loop
def multi(
    children: Iterable[_Yieldable] | Mapping[Any, _Yieldable],
    quiet_exceptions: _Quiet = (),
) -> Future[Any]:
    """Wait for several things, all at the same time; ``yield [a, b]`` does so, too.

    The result is a list of their results, in the order of the children, or for a dict
    of them a dict with the same keys.

    It waits until all are done, even if one fails. Then the first exception, in the
    order of the children, is that of the future, and the others are logged.

    :param children: what may be yielded.
    :param quiet_exceptions: exceptions that are not worth a line in the log.

    Raises :exc:`BadYieldError` for a child that nobody can wait for. Cancelling the
    future cancels the children.
    """
    keys = list(children) if isinstance(children, Mapping) else None
    values = children.values() if isinstance(children, Mapping) else children
    waited = [_future_of(child) for child in values]
    future: Future[Any] = Future()
    missing = 1 + len(waited)

    def one_is_done(_: object) -> None:
        nonlocal missing
        missing -= 1
        if not missing and not future.done():
            _collect(future, waited, keys, quiet_exceptions)

    for each in waited:
        future_add_done_callback(each, one_is_done)
    one_is_done(None)
    cancel_with(future, *waited)
    return future


def _collect(
    future: Future[Any],
    waited: Sequence[Any],
    keys: list[Any] | None,
    quiet_exceptions: _Quiet,
) -> None:
    results = []
    for each in waited:
        try:
            results.append(each.result())
        except asyncio.CancelledError:
            future.cancel()
        except BaseException as error:
            if not future.done():
                future.set_exception(error)
            elif not isinstance(error, quiet_exceptions):
                app_log.error("Multiple exceptions in yield list", exc_info=error)
    if not future.done():
        future.set_result(
            results if keys is None else dict(zip(keys, results, strict=True))
        )


#: Other names of :func:`multi`, from times when they differed.
multi_future = multi
Multi = multi


class WaitIterator:
    """Gives the results of several futures, each as soon as it is there::

        waiting = gen.WaitIterator(*requests)
        while not waiting.done():
            try:
                answer = yield waiting.next()
            except OSError as error:
                print(waiting.current_index, "failed:", error)

    In an ``async def``, ``async for answer in waiting`` does the same as long as none
    fails. It belongs to one coroutine: it must be made and asked on the loop.

    :ivar current_index: the position of the future that the last result came from, or
        its name, if the futures were passed by name.
    :ivar current_future: that future.

    Raises ValueError if some are passed by position and some by name.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "WaitIterator takes futures by position or by name, not both"
            )
        self.current_index: int | str | None = None
        self.current_future: Any = None
        self._finished: deque[tuple[int | str, Any]] = deque()
        self._unfinished = len(args) + len(kwargs)
        self._asked: Future[Any] | None = None
        children: Iterable[tuple[int | str, Any]] = (
            kwargs.items() if kwargs else enumerate(args)
        )
        for index, child in children:
            waited = _future_of(child)
            original = child if is_future(child) else waited
            future_add_done_callback(
                waited, functools.partial(self._note, index, original)
            )

    def done(self) -> bool:
        """Whether all results were given. Then the last of them is forgotten."""
        if self._unfinished or self._finished:
            return False
        self.current_index = self.current_future = None
        return True

    def next(self) -> Future[Any]:
        """Return a future for the next result. Wait for it before asking again.

        Raises RuntimeError if all results were given.
        """
        if self.done():
            raise RuntimeError(
                "WaitIterator has given all results: ask done() before next()"
            )
        self._asked = Future()
        self._answer()
        return self._asked

    def _note(self, index: int | str, original: Any, _: object) -> None:
        self._unfinished -= 1
        self._finished.append((index, original))
        self._answer()

    def _answer(self) -> None:
        asked = self._asked
        # If the wait was cancelled, the result is for the next one.
        if self._finished and asked is not None and not asked.done():
            self.current_index, self.current_future = self._finished.popleft()
            chain_future(self.current_future, asked)

    def __aiter__(self) -> WaitIterator:
        return self

    def __anext__(self) -> Future[Any]:
        if self.done():
            raise StopAsyncIteration
        return self.next()


# Time


@_begins_on_loop
def with_timeout(
    timeout: float | timedelta,
    future: _Yieldable,
    quiet_exceptions: _Quiet = (),
    *,
    message: str | Callable[[], str] | None = None,
) -> Future[Any]:
    """Wait for something, but not for ever: then :exc:`TimeoutError` is raised.

    What was waited for goes on: it may be waited for again. If it fails later, this is
    logged. (Where it should end, there is ``asyncio.timeout``.)

    :param timeout: a ``timedelta`` from now, or a time as ``IOLoop.time()`` tells it.
    :param future: what may be yielded.
    :param quiet_exceptions: exceptions that are not worth a line when they come late.
    :param message: the text of the TimeoutError, or a function that returns it.

    Raises :exc:`BadYieldError` if nobody can wait for that, and TypeError if
    ``timeout`` is neither. Cancelling the future cancels what it waits for.
    """
    waited = _future_of(future)
    result: Future[Any] = Future()
    io_loop = IOLoop.current()

    def log_late(late: Any) -> None:
        error = None if late.cancelled() else late.exception()
        if error is not None and not isinstance(error, quiet_exceptions):
            app_log.error("Exception in Future %r after timeout", late, exc_info=error)

    def time_is_up() -> None:
        if not result.done():
            text = message() if callable(message) else message
            result.set_exception(TimeoutError("Timeout" if text is None else text))
            waited.add_done_callback(log_late)

    handle = io_loop.add_timeout(timeout, time_is_up)
    future_add_done_callback(waited, lambda _: io_loop.remove_timeout(handle))
    tie_futures(waited, result)
    return result


@_begins_on_loop
def sleep(duration: float) -> Future[None]:
    """Return a future that is done after so many seconds: ``yield gen.sleep(0.5)``."""
    future: Future[None] = Future()
    handle = future.get_loop().call_later(
        duration, future_set_result_unless_cancelled, future, None
    )
    # A sleep that was cancelled leaves nothing on the loop.
    future.add_done_callback(lambda _: handle.cancel())
    return future


# Names of older editions


class Arguments(NamedTuple):
    """What :func:`Task` gives for a callback that got more than one argument."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def Task(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: N802 - Tornado's name
    """Call a function that takes a ``callback`` argument, as a future.

    The result is what the callback is called with: None for nothing, the argument if
    there is one, else :class:`Arguments`. It may be called in any thread. What the
    function itself raises is the future's exception.
    """
    future: Future[Any] = Future()

    def callback(*results: Any, **named: Any) -> None:
        if named or len(results) > 1:
            result: Any = Arguments(results, named)
        else:
            result = results[0] if results else None
        future_set_result_unless_cancelled(future, result)

    try:
        func(*args, callback=callback, **kwargs)
    except Exception as error:
        future_set_exception_unless_cancelled(future, error)
    return future


_GONE = {
    "engine": "use gen.coroutine, which returns a future",
    "Callback": "make a Future and pass its set_result as the callback",
    "Wait": "yield the Future that took the place of gen.Callback",
    "WaitAll": "yield a list of futures",
    "YieldPoint": "yield a future, or teach gen.convert_yielded the type",
    "YieldFuture": "yield the future itself",
    "MultiYieldPoint": "yield a list, or call gen.multi",
}

if not TYPE_CHECKING:  # pragma: no branch - a type checker would take any name

    def __getattr__(name: str) -> NoReturn:
        advice = f" since Tornado 6.0: {_GONE[name]}" if name in _GONE else ""
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}{advice}", name=name
        )


set_converter(convert_yielded, BadYieldError)
