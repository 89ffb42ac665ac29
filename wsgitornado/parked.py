"""ParkedResponse: an answer that is waited for, by a server's thread or by nobody.

The protocol between an application and a server that parks. Such a server puts
``environ["wsgitornado.park"]``, a callable that gives a :class:`ParkedResponse` made
with an :class:`Outlet` of the server's own. If the iterable that comes back is one of
the objects that it handed out, nobody has wrapped it: the server calls :meth:`commit`,
frees its thread and hears from the outlet. Anything else it iterates as PEP 3333 says,
and every other server does so anyway: then :meth:`__next__` waits in the server's
thread until a chunk is there. The application does the same in both cases.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread
import contextlib
import contextvars
import os
import queue
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from wsgitornado import parking
from wsgitornado._serving import kept_running, serving_loop
from wsgitornado._types import (
    Body,
    HeaderList,
    StartResponse,
    WSGIApplication,
    WSGIEnvironment,
)
from wsgitornado.concurrent import DONE, is_on_loop
from wsgitornado.httputil.departure import (
    departure_error,
    departure_probe,
    waitress_channel,
)
from wsgitornado.httputil.errors import HTTPOutputError, StreamClosedError

__all__ = [
    "PARK",
    "RECEIVE",
    "THREADS",
    "CancelledBeforeItBegan",
    "Outlet",
    "ParkedResponse",
    "Taken",
    "Work",
    "adopt_context",
    "known_threads",
    "waiting",
]

#: The key under which a server that parks puts its callable into environ.
PARK: Final = "wsgitornado.park"

#: The key of a server that hands a body over as it comes: a coroutine function, which
#: gives a part of it, and nothing at the end.
RECEIVE: Final = "wsgitornado.receive"

#: The key of a server that tells how many threads iterate responses, parked ones that
#: somebody has wrapped among them.
THREADS: Final = "wsgitornado.threads"

#: How many bytes of one response may wait for their reader, before a handler that does
#: not wait for ``flush()`` is stopped.
MAX_UNREAD: Final = 16 * 1024 * 1024

#: Seconds between two looks at whether the client is still there, where a server can
#: only be asked.
PROBE_INTERVAL: Final = 0.5

#: Seconds that a response waits for others to end, where as many wait as may, before
#: it is refused: long enough for handlers that only look something up, so short that
#: the thread is soon free for requests that need not wait.
PATIENCE: Final = 0.25

#: What makes the coroutine that gives an answer.
Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

#: Called once an outlet is through with what it was given, by whatever thread.
Taken: TypeAlias = Callable[[BaseException | None], None]


def _nothing(*_: object) -> None:
    """For when nothing is to be called any more."""


class CancelledBeforeItBegan(RuntimeError):
    """The coroutine of an answer was cancelled at once: its process or loop ends."""


class Outlet(Protocol):
    """Where a server takes the output of a parked response; called on the loop.

    The loop is the serving one (``wsgitornado.ioloop.adopt_serving_loop``). None of
    these may block or raise. The headers go by ``start_response``, called on the loop
    before the first of them.
    """

    def write(self, chunk: bytes, taken: Taken) -> None:
        """Send a chunk; ``taken`` is called when there is room for the next one."""

    def end(self, chunk: bytes, taken: Taken) -> None:
        """Send the last chunk, which may be empty: the response is complete."""

    def fail(self, error: BaseException) -> None:
        """Break the response off: what has been sent is not the whole."""

    def respond(self, application: WSGIApplication) -> None:
        """Let a WSGI callable give the answer, as if it had been called at first."""

    def call(self, function: Callable[[], None]) -> None:
        """Call a function that may block where this server calls such functions."""


class ParkedResponse:
    """The response iterable of a handler whose answer has to be waited for.

    The application calls :meth:`begin` and returns it. Then a server that parks calls
    :meth:`commit`, or any other iterates it; from that moment on the coroutine runs,
    on the loop. Its output goes through :meth:`start`, :meth:`write` and
    :meth:`end`, :meth:`fail` or :meth:`respond`. At last the server calls
    :meth:`close`: nobody takes any more.

    :param outlet: of a server that parks.
    """

    # Until there is something to close.
    _is_closed = True

    def __init__(self, outlet: Outlet | None = None) -> None:
        self._loop = parking.background_loop()
        self._outlet = outlet
        self._lock = threading.Lock()
        self._taker: _Taker | None = None
        # What was sent before anybody took it.
        self._early: list[Callable[[_Taker], None]] = []
        # What the handler waits for: its reader, a thread, the end.
        self._unread_chunks: set[asyncio.Future[None]] = set()
        self._unread_size = 0
        self._calls: set[asyncio.Future[Any]] = set()
        self._completion: asyncio.Future[None] | None = None
        self._on_close: list[Callable[[], None]] = []
        self._work: Work | None = None
        self._on_leave: Callable[[], None] = _nothing
        self._on_refused: Callable[[Exception | None], None] = _nothing
        self._limit: int | None = None
        self._context = contextvars.Context()
        self._task: asyncio.Task[None] | None = None
        self._plain_thread: int | None = None
        self._is_over = False
        self._is_closed = False
        # Of an answer that was complete at once.
        self._is_last_taken = False
        self._last: asyncio.Future[None] | None = None

    def __del__(self) -> None:
        # Not every middleware closes what it drops.
        if not self._is_closed:
            self.close()

    # What the application calls, in the thread in which it was called.

    def begin(
        self,
        work: Work,
        on_leave: Callable[[], None],
        limit: int | None = None,
        on_refused: Callable[[Exception | None], None] = _nothing,
    ) -> None:
        """Say what will give the answer once somebody takes it.

        :param work: makes the coroutine.
        :param on_leave: called on the loop if nobody takes the rest of the answer.
        :param limit: how many responses may wait in threads at once.
        :param on_refused: called in place of the work where they do already, with None,
            or where waiting would never end, with the error that says so.
        """
        self._work = work
        self._on_leave = on_leave
        self._limit = limit
        self._on_refused = on_refused
        # In the context of the request: what was set so far goes along.
        self._context = contextvars.copy_context()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        """Keep what the headers are for, and be the response."""
        self._environ = environ
        self._start_response = start_response
        return self

    def call_on_close(self, function: Callable[[], None]) -> None:
        """Have a function called by :meth:`close`; at once if that has been."""
        with self._lock:
            if not self._is_closed:
                self._on_close.append(function)
                return
        function()

    # What the handler calls, on the loop, or where :meth:`call` has it run.

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task of the work, from its start on."""
        return self._task

    @property
    def is_closed(self) -> bool:
        """Whether nobody takes any more."""
        return self._is_closed

    def check_thread(self) -> None:
        """Raise unless the caller runs where output of this request may be made.

        :raises RuntimeError: with the way out.
        """
        if is_on_loop(self._loop) or threading.get_ident() == self._plain_thread:
            return
        raise RuntimeError(
            "the output of an asynchronous handler is made on the event loop, and this "
            "is another thread: go there by IOLoop.current().add_callback(...)"
        )

    def start(self, status: str, headers: HeaderList, exc_info: Any = None) -> Any:
        """Take status and headers, like ``start_response``; returns :meth:`write`."""
        self._tell(lambda taker: taker.start(status, headers))
        return self.write

    def start_here(self, status: str, headers: HeaderList, exc_info: Any = None) -> Any:
        """The same for a function that :meth:`call` runs: the server's ``write``."""
        return self._start_response(status, headers)

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        """Send a chunk; the future is done when its reader is ready for more.

        If nobody takes it the future fails with StreamClosedError. A coroutine gets
        that at once, so that it ends even if it does not wait.

        :raises HTTPOutputError: beyond :data:`MAX_UNREAD`.
        """
        if self._is_closed:
            return self._refuse()
        with self._lock:
            # One chunk may be as long as it likes: it is in memory already.
            if self._unread_size and self._unread_size + len(chunk) > MAX_UNREAD:
                raise HTTPOutputError(
                    f"more than {MAX_UNREAD} bytes wait to be read: await flush()"
                )
        future, taken = self._new_chunk(chunk)
        self._tell(lambda taker: taker.write(chunk, taken))
        return future

    def end(self, chunk: bytes = b"") -> Awaitable[None]:
        """Send the last chunk; done when it is taken, or nobody will take it."""
        if self._is_closed:
            return DONE
        future, taken = self._new_chunk(chunk)
        self._note_over()
        self._tell(lambda taker: taker.end(chunk, taken))
        return future

    def complete(
        self, status: str, headers: HeaderList, body: bytes
    ) -> Awaitable[None]:
        """Send a whole answer: :meth:`start` and :meth:`end` in one.

        A message that thousands wait for makes as many of these at once.
        """
        taker = self._taker
        if not isinstance(taker, _Park) or not self._can_be_taken_here():
            self.start(status, headers)
            return self.end(body)
        self._is_over = True
        if self._completion is not None:
            _settle(self._completion, None, None)
        taker.complete(status, headers, body, self._note_last_taken)
        if self._is_settled():
            return DONE
        self._last = future = self._loop.create_future()
        self._unread_chunks.add(future)
        return future

    def _can_be_taken_here(self) -> bool:
        return not self._is_closed and is_on_loop(self._loop)

    def _is_settled(self) -> bool:
        # Asked anew: the outlet may have been through with it at once.
        return self._is_closed or self._is_last_taken

    def _note_last_taken(self, error: BaseException | None) -> None:
        self._is_last_taken = True
        if self._last is not None:
            self._settle(self._last, None, error)

    def fail(self, error: BaseException) -> None:
        """Break the response off, visibly."""
        self._note_over()
        self._tell(lambda taker: taker.fail(error))

    def respond(self, application: WSGIApplication) -> None:
        """Let a WSGI callable give the answer in place of chunks of ours."""
        self._note_over()
        self._tell(lambda taker: taker.respond(application))

    async def call(self, function: Callable[[], Any]) -> Any:
        """Run a function where plain functions run, and wait for what it returns.

        :raises StreamClosedError: if nobody takes the response any more: then there is
            no thread to run it in.
        """
        if self._is_closed:
            raise StreamClosedError
        future = self._loop.create_future()
        self._calls.add(future)
        context = contextvars.copy_context()

        def run() -> None:
            with self._lock:
                if future not in self._calls:
                    # Nobody took the response any more before it was our turn.
                    return
                # From here on its result counts, whoever leaves.
                self._calls.discard(future)
            self._plain_thread = threading.get_ident()
            try:
                result = context.run(function)
            except Exception as error:
                self._settle(future, None, error)
            except BaseException as error:
                # sys.exit() or Ctrl-C: the request ends, here and on the loop.
                self.abandon(error)
                raise
            else:
                self._settle(future, result, None)
            finally:
                self._plain_thread = None

        self._tell(lambda taker: taker.call(run))
        result = await future
        adopt_context(context)
        return result

    async def wait_until_over(self) -> None:
        """Wait for whoever completes the response, or until nobody takes it."""
        if not (self._is_over or self._is_closed):
            self._completion = self._loop.create_future()
            await self._completion

    # What the server calls.

    def commit(self) -> None:
        """Park: called by the server that gave its outlet, if it gets this back.

        Nobody waits from here on; call :meth:`close` when the response is complete or
        has failed, or the client leaves. From any thread.
        """
        assert self._outlet is not None
        self._hop(self._be_parked, self._outlet)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """The next chunk; the thread waits for it.

        On the loop's own thread it would wait for ever: there it is of a 500.
        """
        taker = self._taker
        if taker is None:
            if self._is_closed:
                raise StopIteration
            taker = self._wait_in_thread()
        return taker.next_chunk()

    def close(self) -> None:
        """Nobody takes any more: the end, an error, a client that has left. Once."""
        if self.is_closed:
            return
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            functions, self._on_close = self._on_close, []
            taker, self._taker = self._taker, None
        try:
            if taker is not None:
                taker.close()
        finally:
            self._hop(self._leave)
            for function in functions:
                function()

    def abandon(self, error: BaseException) -> None:
        """End the request at once: what makes or waits for its answer is to end."""
        # Not over: the handler is to hear that nobody takes the rest.
        self._tell(lambda taker: taker.fail(error))
        self.close()
        self._hop(self._cancel)

    def cancel(self) -> None:
        """Cancel the coroutine, which may still answer: the server ends."""
        self._hop(self._cancel)

    # On the loop.

    def _be_parked(self, outlet: Outlet) -> None:
        # First: what was sent early may be the whole answer, and lead to close().
        self._start_work()
        self._be_taken_by(_Park(self, outlet))

    def _start_work(self) -> None:
        if self._work is None or (self._is_closed and not self._is_over):
            return
        work, self._work = self._work, None
        self._task = self._loop.create_task(work(), context=self._context)
        self._task.add_done_callback(self._note_end_of_task)

    def _note_end_of_task(self, task: asyncio.Task[None]) -> None:
        error: BaseException | None
        if task.cancelled():
            error = CancelledBeforeItBegan("the process ends")
        else:
            error = task.exception()
        if error is not None and not self._is_over:
            # Ctrl-C, or the end of the process: the handler has dealt with the rest.
            failure = error
            self._tell(lambda taker: taker.fail(failure))

    def _leave(self) -> None:
        with self._lock:
            calls, self._calls = self._calls, set()
            chunks, self._unread_chunks = self._unread_chunks, set()
        for call in calls:
            _settle(call, None, StreamClosedError())
        for chunk in chunks:
            # Where the answer is complete the server may have them all.
            _settle(chunk, None, None if self._is_over else StreamClosedError())
        if self._completion is not None:
            _settle(self._completion, None, None)
        # What the handler does beside a complete answer it does in any case.
        self._start_work()
        on_leave = self._on_leave
        # The handler knows us: what knows the handler goes, so that nothing is left
        # for the garbage collector.
        self._work, self._on_leave, self._on_refused = None, _nothing, _nothing
        self._early = []
        if not self._is_over:
            self._context.copy().run(on_leave)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    # From any thread.

    def _note_over(self) -> None:
        self._is_over = True
        if self._completion is not None:
            self._settle(self._completion, None, None)

    def _new_chunk(self, chunk: bytes) -> tuple[asyncio.Future[None], Taken]:
        size = len(chunk)
        future = self._loop.create_future()

        def taken(error: BaseException | None) -> None:
            with self._lock:
                self._unread_size -= size
                self._unread_chunks.discard(future)
            self._settle(future, None, error)

        with self._lock:
            self._unread_size += size
            self._unread_chunks.add(future)
        return future, taken

    def _refuse(self) -> asyncio.Future[None]:
        """What becomes of a chunk that nobody takes."""
        if not is_on_loop(self._loop) or asyncio.current_task(self._loop) is not None:
            raise StreamClosedError
        # A callback has nobody to tell, and the client's leave is no error.
        future = self._loop.create_future()
        _settle(future, None, StreamClosedError())
        return future

    def _settle(
        self, future: asyncio.Future[Any], result: Any, error: BaseException | None
    ) -> None:
        self._hop(_settle, future, result, error)

    def _hop(self, function: Callable[..., None], *args: Any) -> None:
        """Call on the loop: now, if this is its thread."""
        if is_on_loop(self._loop):
            function(*args)
            return
        # The process ends: on a closed loop nobody waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *args)

    def _tell(self, tell: Callable[[_Taker], None]) -> None:
        """Have whoever takes the response do something, as soon as there is one."""
        with self._lock:
            if self._is_closed:
                return
            taker = self._taker
            if taker is None:
                self._early.append(tell)
                return
        tell(taker)

    def _be_taken_by(self, taker: _Taker) -> None:
        while True:
            with self._lock:
                early, self._early = self._early, []
                if not (early or self._is_closed):
                    self._taker = taker
                    return
            if self._is_closed:
                # By another thread, just now.
                taker.close()
                return
            # Outside of the lock: it may lead back to us.
            for tell in early:
                tell(taker)

    # In the server's thread.

    def _wait_in_thread(self) -> _Taker:
        bridge = _Bridge(self, self._environ)
        error: Exception | None = None
        if is_on_loop(self._loop):
            error = RuntimeError(
                "a middleware iterates an asynchronous answer on the event loop's own "
                "thread, which would wait for ever: serve with threads=N"
            )
        has_place = error is None and bridge.take_place(self._limit)
        self._be_taken_by(bridge)
        if has_place:
            self._hop(self._start_work)
        else:
            self._work = None
            self._plain_thread = threading.get_ident()
            self._on_refused(error)
        return bridge


class _Taker(Outlet, Protocol):
    """Who takes a response: :class:`Outlet` and more, called in any thread."""

    def start(self, status: str, headers: HeaderList) -> None: ...

    def next_chunk(self) -> bytes: ...

    def close(self) -> None: ...


class _Park:
    """The outlet of a server that parks, called on the loop."""

    def __init__(self, response: ParkedResponse, outlet: Outlet) -> None:
        self._response = response
        self._outlet = outlet
        self._hop = response._hop

    def start(self, status: str, headers: HeaderList) -> None:
        self._hop(self._start, status, headers)

    def _start(self, status: str, headers: HeaderList) -> None:
        try:
            self._response.start_here(status, headers)
        except Exception as error:
            # Middleware's, or the server's: as if it had come out of the iteration.
            self._outlet.fail(error)

    def complete(
        self, status: str, headers: HeaderList, body: bytes, taken: Taken
    ) -> None:
        """:meth:`start` and :meth:`end`, on the loop."""
        self._start(status, headers)
        self._outlet.end(body, taken)

    def write(self, chunk: bytes, taken: Taken) -> None:
        self._hop(self._outlet.write, chunk, taken)

    def end(self, chunk: bytes, taken: Taken) -> None:
        self._hop(self._outlet.end, chunk, taken)

    def fail(self, error: BaseException) -> None:
        self._hop(self._outlet.fail, error)

    def respond(self, application: WSGIApplication) -> None:
        self._hop(self._outlet.respond, application)

    def call(self, function: Callable[[], None]) -> None:
        self._hop(self._outlet.call, function)

    def next_chunk(self) -> bytes:
        raise RuntimeError("the server has parked this response: it takes no chunks")

    def close(self) -> None:
        pass


class _Bridge:
    """The outlet to a thread that iterates the response: PEP 3333's way.

    Steps are put into a queue by the loop and done by the thread.
    """

    def __init__(self, response: ParkedResponse, environ: WSGIEnvironment) -> None:
        self._response = response
        self._environ = environ
        self._probe = departure_probe(environ)
        # Asked for by attribute: gevent puts its own in its place.
        self._steps: queue.SimpleQueue[Callable[[], bytes | None]] = queue.SimpleQueue()
        self._taken: Taken | None = None
        self._body: Body | None = None
        self._iterator: Iterator[bytes] | None = None
        # What ends with the waiting.
        self._rest = contextlib.ExitStack()

    def take_place(self, limit: int | None) -> bool:
        """Begin to wait; False if there is no place for one more."""
        # Who runs the loop may cease to: then it goes on in the background.
        self._rest.enter_context(kept_running(serving_loop()))
        ident = threading.get_ident()
        if not _places.take(ident, limit):
            return False
        self._rest.callback(_places.leave, ident)
        return True

    # None of it waits.

    def start(self, status: str, headers: HeaderList) -> None:
        self._steps.put(partial(self._start, status, headers))

    def write(self, chunk: bytes, taken: Taken) -> None:
        self._steps.put(partial(self._give, chunk, taken))

    def end(self, chunk: bytes, taken: Taken) -> None:
        if chunk:
            self._steps.put(partial(self._give_last, chunk, taken))
            self._steps.put(self._stop)
        else:
            self._steps.put(partial(self._stop, taken))

    def fail(self, error: BaseException) -> None:
        self._steps.put(partial(_raise, error))

    def respond(self, application: WSGIApplication) -> None:
        self._steps.put(partial(self._delegate, application))

    def call(self, function: Callable[[], None]) -> None:
        self._steps.put(function)

    # In the thread.

    def next_chunk(self) -> bytes:
        taken, self._taken = self._taken, None
        if taken is not None:
            # Whoever asks for the next one has sent the last one.
            taken(None)
        try:
            while self._iterator is None:
                chunk = self._next_step()()
                if chunk is not None:
                    return chunk
            return next(self._iterator)
        except BaseException as error:
            # The end, or a failure: nothing comes after it.
            self._iterator = iter(())
            self._rest.close()
            if not isinstance(error, Exception):
                # Ctrl-C in the waiting thread: the coroutine must not go on without it.
                self._response.abandon(error)
            raise

    def close(self) -> None:
        self._rest.close()
        # Should another thread wait here. Not a method of ours: what we know, such as
        # the handler, would be left for the garbage collector.
        self._steps.put(partial(_raise, StopIteration()))
        self._taken = None
        close = getattr(self._body, "close", None)
        if close is not None:
            close()

    def _next_step(self) -> Callable[[], bytes | None]:
        if self._probe is None:
            return self._steps.get()
        while True:
            try:
                return self._steps.get(timeout=PROBE_INTERVAL)
            except queue.Empty:
                if self._probe():
                    raise departure_error(self._environ) from None

    def _start(self, status: str, headers: HeaderList) -> None:
        self._response.start_here(status, headers)

    def _give(self, chunk: bytes, taken: Taken) -> bytes:
        self._taken = taken
        return chunk

    def _give_last(self, chunk: bytes, taken: Taken) -> bytes:
        # The thread may have to wait for a slow reader, but for the handler no more.
        self._rest.close()
        return self._give(chunk, taken)

    def _stop(self, taken: Taken | None = None) -> None:
        if taken is not None:
            taken(None)
        raise StopIteration

    def _delegate(self, application: WSGIApplication) -> None:
        # As if it had been called at first: it may wait for something in its turn.
        self._rest.close()
        self._body = application(self._environ, self._response.start_here)
        self._iterator = iter(self._body)


def _raise(error: BaseException) -> None:
    raise error


def _settle(
    future: asyncio.Future[Any], result: Any, error: BaseException | None
) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
        # Whoever does not wait for it shall not be complained about.
        future.exception()


# How many threads wait


class _Places:
    """The threads of this process that wait for responses, and those that wish to."""

    def __init__(self) -> None:
        # Re-entrant: the garbage collector may close a response at any moment.
        self._lock = threading.RLock()
        # How many responses each of them waits for: one inside another counts once.
        self._threads: dict[int, int] = {}
        self._turns: set[threading.Event] = set()

    def __len__(self) -> int:
        return len(self._threads)

    def has(self, ident: int | None) -> bool:
        """Whether a thread waits."""
        return ident in self._threads

    def take(self, ident: int, limit: int | None) -> bool:
        """Count a thread, unless as many wait as may, and go on to."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with self._lock:
                if limit is None or ident in self._threads or len(self) < limit:
                    self._threads[ident] = self._threads.get(ident, 0) + 1
                    return True
                turn = threading.Event()
                self._turns.add(turn)
            if not turn.wait(deadline - time.monotonic()):
                with self._lock:
                    self._turns.discard(turn)
                return False

    def leave(self, ident: int) -> None:
        """Count a thread no longer, and let others look for a place."""
        with self._lock:
            self._threads[ident] -= 1
            if not self._threads[ident]:
                del self._threads[ident]
            turns, self._turns = self._turns, set()
        for turn in turns:
            turn.set()


_places = _Places()


def waiting() -> int:
    """How many threads of this process wait for responses at this moment."""
    return len(_places)


def _forget_after_fork() -> None:
    """A child has none of its parent's threads."""
    global _places
    _places = _Places()


os.register_at_fork(after_in_child=_forget_after_fork)


def _free_executors() -> None:
    """End what threads of executors wait for: at exit Python joins these threads.

    It does that before it calls what ``atexit`` knows, and gunicorn's are such.
    """
    executors = list(concurrent.futures.thread._threads_queues)
    # The ident of a thread that has ended may be another's by now.
    if any(_places.has(one.ident) for one in executors if one.is_alive()):
        parking._end_at_exit()


# In the reverse order of their registration: before the joining, which the import above
# has registered.
_register_atexit = getattr(threading, "_register_atexit", atexit.register)
_register_atexit(_free_executors)


#: Set by who starts a server in this process and knows how many threads it has.
server_threads: int | None = None


def known_threads(environ: WSGIEnvironment) -> int | None:
    """How many threads the server around us has; None where it does not tell."""
    if server_threads is not None:
        return server_threads
    if THREADS in environ:
        return int(environ[THREADS])
    channel = waitress_channel(environ)
    if channel is not None:
        return int(channel.server.adj.threads)
    of_mod_wsgi = sys.modules.get("mod_wsgi")
    if of_mod_wsgi is not None:
        return int(getattr(of_mod_wsgi, "threads_per_process", 0)) or None
    of_uwsgi = sys.modules.get("uwsgi")
    if of_uwsgi is not None:
        return int(of_uwsgi.opt.get("threads", 1))
    return None


def adopt_context(context: contextvars.Context) -> None:
    """Set the context variables of the caller to what they are in another context."""
    variable: contextvars.ContextVar[Any]
    for variable, value in context.items():
        if variable.get(_ABSENT) is not value:
            variable.set(value)


_ABSENT: Final = object()
