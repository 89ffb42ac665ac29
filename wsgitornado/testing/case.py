"""Tests on an event loop: AsyncTestCase and gen_test."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import unittest
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar, overload

from wsgitornado import gen
from wsgitornado.concurrent import is_on_loop
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing.loops import GRACE, LoopOfTest
from wsgitornado.testing.stacks import describe_waiting
from wsgitornado.util import TimeoutError  # noqa: A004 - Tornado's name

__all__ = [
    "AsyncTestCase",
    "gen_test",
    "get_async_test_timeout",
    "setup_with_context_manager",
]

_T = TypeVar("_T")

#: Seconds for a test, a ``wait`` and a ``fetch`` unless the environment says otherwise.
_TIMEOUT: Final = 5

#: A test method; the type of what it returns is looked at when it has.
_Method = Callable[..., Any]


def get_async_test_timeout() -> float:
    """How many seconds a test may take: 5, or ``ASYNC_TEST_TIMEOUT``.

    What is no number in the environment counts as nothing, as in Tornado.
    """
    text = os.environ.get("ASYNC_TEST_TIMEOUT")
    try:
        return _TIMEOUT if text is None else float(text)
    except ValueError:
        return _TIMEOUT


def setup_with_context_manager(
    testcase: unittest.TestCase, cm: AbstractContextManager[_T]
) -> _T:
    """Enter a context in ``setUp``; the end of the test leaves it.

    The same as ``testcase.enterContext(cm)``, which Python has since 3.11.
    """
    return testcase.enterContext(cm)


class AsyncTestCase(unittest.TestCase):
    """A test case with an event loop of its own for each test.

    Test methods are plain functions, which use :meth:`stop` and :meth:`wait`, or
    coroutines under :func:`gen_test`.

    The loop is the only one while the test lasts: ``IOLoop.current()`` gives it, and
    IOLoops that modules took at their import lead to it. At the end what is left on it
    is cancelled. An exception in a callback or in a task that nobody waits for, which
    otherwise only the log would tell of, fails the test, at once where it waits. An
    :class:`ExpectLog` for its line makes it harmless.

    :ivar io_loop: the loop, from ``setUp`` on.
    """

    __module__ = "wsgitornado.testing"

    io_loop: IOLoop

    def __init__(self, methodName: str = "runTest") -> None:  # noqa: N803 - unittest's
        super().__init__(methodName)
        self.__life: LoopOfTest | None = None
        #: What ends the waiting when something has gone wrong on the loop.
        self.__interrupt: Callable[[], object] = _do_nothing
        self.__stop_args: Any = None
        self.__is_stopped = False
        self.__is_waiting = False

    def setUp(self) -> None:
        """Make the loop. One of your own calls ``super().setUp()`` first."""
        super().setUp()
        self.io_loop = self.get_new_ioloop()
        self.__life = LoopOfTest(self.io_loop, self.__note_error)
        # For a setUp that fails after this, and a tearDown that does not call ours.
        self.addCleanup(self.__end_loop)

    def tearDown(self) -> None:
        """Cancel what is left on the loop and close it.

        One of your own calls ``super().tearDown()`` last.
        """
        self.__end_loop()
        super().tearDown()

    def get_new_ioloop(self) -> IOLoop:
        """Called by ``setUp`` for the loop of the test; a new one by default.

        An override may return ``IOLoop.current()``, for programs that keep that of
        their import: such a loop is not closed at the end.
        """
        ioloop: IOLoop = IOLoop(make_current=False)
        return ioloop

    def __end_loop(self) -> None:
        life, self.__life = self.__life, None
        if life is None:
            return
        life.end()
        life.raise_error()

    def _callTestMethod(self, method: Callable[[], Any]) -> None:  # noqa: N802 - unittest's
        """Called by unittest to run the test method."""
        life = self.__require_life()
        try:
            _refuse_result(method())
            life.raise_error()
        except BaseException as error:
            life.explain(error)
            raise

    # What goes wrong on the loop

    def __note_error(self) -> None:
        self.io_loop.add_callback(self.__call_interrupt)

    def __call_interrupt(self) -> None:
        # It may have been raised since, at the end of the test.
        if self.__life is not None and self.__life.has_error():
            self.__interrupt()

    def __require_life(self) -> LoopOfTest:
        if self.__life is None:
            raise RuntimeError(
                "this test has no loop: a setUp() of your own calls super().setUp(), "
                "and is no coroutine"
            )
        return self.__life

    def __waiting(self, body: str | None = None) -> str:
        """What the loop waits for, as lines below a message."""
        lines = [] if body is None else [f"the test waits {body}"]
        places = self.__require_life().waiting_tasks()
        lines += [f"a task waits {place}" for place in places if place != body]
        return "".join(f"\n  {line}" for line in lines)

    @contextlib.contextmanager
    def __limits(
        self,
        timeout: float | None,
        expire: Callable[[], object],
        interrupt: Callable[[], object],
        begin: Callable[[], object] | None = None,
    ) -> Generator[None]:
        """Within the block, which runs the loop, these are called on it.

        :param expire: when the time is over.
        :param interrupt: when something has gone wrong that nobody else sees.
        :param begin: before all else.

        :raises RuntimeError: without a loop, and where it runs already.
        """
        self.__require_life()
        if is_on_loop(self.io_loop.asyncio_loop):
            raise RuntimeError(
                "This event loop is already running, and the test would run it: in a "
                "coroutine, await instead"
            )
        if begin is not None:
            self.io_loop.add_callback(begin)
        handle = None
        if timeout is not None:
            handle = self.io_loop.call_later(timeout, expire)
        self.__interrupt = interrupt
        try:
            yield
        finally:
            self.__interrupt = _do_nothing
            if handle is not None:
                self.io_loop.remove_timeout(handle)

    # The style of callbacks

    def stop(self, _arg: Any = None, **kwargs: Any) -> None:
        """Let :meth:`wait` return the argument, or the keyword arguments as a dict.

        May be called before it, and from any thread.

        :raises TypeError: for an argument and keyword arguments at once.
        """
        if _arg is not None and kwargs:
            raise TypeError("stop() takes one argument, or keyword arguments")
        self.__stop_args = kwargs or _arg
        self.__is_stopped = True
        if self.__is_waiting:
            self.io_loop.stop()

    def wait(
        self,
        condition: Callable[..., bool] | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Run the loop until :meth:`stop` is called, and return what that was given.

        :param condition: asked after each ``stop``; False waits on.
        :param timeout: seconds, by default :func:`get_async_test_timeout`; 0 waits for
            ever.
        :raises AssertionError: when the time is over, saying what the loop waits for;
            if the program stops the loop itself.
        :raises RuntimeError: in a coroutine, which awaits instead.
        """
        if not self.__is_stopped:
            if timeout is None:
                timeout = get_async_test_timeout()
            self.__run_until_stopped(condition, timeout)
        self.__is_stopped = False
        result, self.__stop_args = self.__stop_args, None
        return result

    def __run_until_stopped(
        self, condition: Callable[..., bool] | None, timeout: float
    ) -> None:
        failures: list[BaseException] = []
        is_interrupted = False

        def expire() -> None:
            message = f"Async operation timed out after {timeout} seconds"
            text = f"{message}: nobody called self.stop(){self.__waiting()}"
            failures.append(self.failureException(text))
            self.io_loop.stop()

        def interrupt() -> None:
            nonlocal is_interrupted
            is_interrupted = True
            self.io_loop.stop()

        with self.__limits(timeout or None, expire, interrupt):
            self.__is_waiting = True
            try:
                self.io_loop.start()
                while self.__is_stopped and not (failures or is_interrupted):
                    if condition is None or condition():
                        break
                    self.io_loop.start()
            finally:
                self.__is_waiting = False
        self.__require_life().raise_error()
        if failures:
            raise failures[0]
        if not self.__is_stopped:
            raise self.failureException(
                "the loop was stopped, but self.stop() was not called"
            )

    # The style of coroutines

    def _run_on_loop(
        self, func: Callable[[], Any], timeout: float, what: str | None = None
    ) -> Any:
        """Run a function and what it returns, a coroutine or a generator, to the end.

        :param what: says in messages what is waited for, where no line of it does.
        :raises wsgitornado.util.TimeoutError: when the time is over, saying where it
            stands. It has been cancelled then.
        """
        run = _Run(func)
        failures: list[Exception] = []

        def expire() -> None:
            message = f"Operation timed out after {timeout} seconds"
            place = describe_waiting(run.waited) if what is None else f"for {what}"
            failures.append(TimeoutError(f"{message}{self.__waiting(place)}"))
            run.cancel(self.io_loop)

        def interrupt() -> None:
            run.cancel(self.io_loop)

        begin = functools.partial(run.begin, self.io_loop)
        with self.__limits(timeout, expire, interrupt, begin):
            self.io_loop.start()
        run.leave(self.io_loop)
        if not run.is_cancelled:
            return run.result()
        self.__require_life().raise_error()
        raise failures[0] from run.error()


class _Run:
    """Something that runs on the loop of a test, which is stopped when it has ended."""

    def __init__(self, func: Callable[[], Any]) -> None:
        self._func = func
        self._task: asyncio.Task[Any]
        self._stop: Callable[[asyncio.Task[Any]], None]
        self._last_call: object | None = None
        self.is_cancelled = False
        #: What is suspended while it waits.
        self.waited: Any = None

    def begin(self, ioloop: IOLoop) -> None:
        self._task = ioloop.asyncio_loop.create_task(self._run())
        self._stop = lambda _: ioloop.stop()
        self._task.add_done_callback(self._stop)

    def leave(self, ioloop: IOLoop) -> None:
        """Stop the loop no more: others are going to run it."""
        self._task.remove_done_callback(self._stop)
        if self._last_call is not None:
            ioloop.remove_timeout(self._last_call)

    async def _run(self) -> Any:
        result = self._func()
        self.waited = result
        if isinstance(result, Generator):
            return await gen.coroutine(lambda: result)()
        if inspect.isawaitable(result):
            return await result
        return result

    def cancel(self, ioloop: IOLoop) -> None:
        """End it; what does not end soon is left to ``tearDown``."""
        self.is_cancelled = True
        self._task.cancel()
        self._last_call = ioloop.call_later(GRACE, ioloop.stop)

    def error(self) -> BaseException | None:
        """What it raised, if it was not just cancelled."""
        task = self._task
        return task.exception() if task.done() and not task.cancelled() else None

    def result(self) -> Any:
        """What it returned or raised by itself."""
        task = self._task
        if not task.done():
            raise RuntimeError(
                "Event loop stopped before Future completed: something on it called "
                "IOLoop.stop()"
            )
        if task.cancelled():
            raise RuntimeError("the test was cancelled, by itself or by what it awaits")
        return task.result()


@overload
def gen_test(func: _Method, timeout: None = None) -> Callable[..., None]: ...


@overload
def gen_test(
    func: None = None, timeout: float | None = None
) -> Callable[[_Method], Callable[..., None]]: ...


def gen_test(
    func: _Method | None = None, timeout: float | None = None
) -> Callable[..., None] | Callable[[_Method], Callable[..., None]]:
    """Run a test method that is a coroutine: an ``async def``, or a generator::

        class TestRooms(AsyncTestCase):
            @gen_test
            async def test_message_arrives(self):
                ...

            @gen_test(timeout=20)
            async def test_long_history(self):
                ...

    A test that takes longer than its time is cancelled and ends with a TimeoutError
    that names the line at which it waits, and those of other tasks on the loop.

    :param timeout: seconds; by default :func:`get_async_test_timeout`.
    :raises TypeError: if what is decorated is no function.
    """
    if func is None:
        return functools.partial(_gen_test, timeout)
    return _gen_test(timeout, func)


def _gen_test(timeout: float | None, func: _Method) -> Callable[..., None]:
    if not callable(func):
        raise TypeError(
            f"gen_test decorates a method, as it is or as gen_test(timeout=5): got "
            f"{func!r}"
        )

    @functools.wraps(func)
    def run(self: AsyncTestCase, *args: Any, **kwargs: Any) -> None:
        if not isinstance(self, AsyncTestCase):
            raise TypeError(
                "gen_test is for methods of AsyncTestCase, which has a loop: got "
                f"{type(self).__name__}"
            )
        limit = get_async_test_timeout() if timeout is None else timeout
        call = functools.partial(func, self, *args, **kwargs)
        result = self._run_on_loop(call, limit)
        _refuse_result(result)

    return run


def _refuse_result(result: object) -> None:
    """A test that returns something was meant to be run, or compared.

    :raises TypeError: for a coroutine or a generator, of which nothing has run.
    :raises ValueError: for anything else but None.
    """
    if isinstance(result, Generator) or inspect.iscoroutine(result):
        result.close()
        raise TypeError(
            "Generator and coroutine test methods should be decorated with "
            "wsgitornado.testing.gen_test"
        )
    if isinstance(result, AsyncGenerator):
        raise TypeError("a test method that yields cannot be async def as well")
    if result is not None:
        raise ValueError(f"Return value from test method ignored: {result!r}")


def _do_nothing() -> None:
    pass
