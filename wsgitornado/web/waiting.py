"""Answers that have to be waited for: what of a handler runs on the event loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial, wraps
from typing import Any, Final

from wsgitornado._types import WSGIApplication
from wsgitornado.concurrent import DONE
from wsgitornado.httputil.body import BodyReader
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.httputil.response import (
    BrokenResponse,
    CollectedOutput,
    Response,
    WrittenResponse,
    complete_headers,
)
from wsgitornado.log import gen_log
from wsgitornado.parked import (
    PARK,
    RECEIVE,
    ParkedResponse,
    Work,
    known_threads,
)
from wsgitornado.web.base import HandlerBase
from wsgitornado.web.errors import HTTPError
from wsgitornado.web.pages import PagesChapter

__all__ = ["ON_LOOP", "WaitingChapter", "runs_on_loop"]

#: Marks functions that have to be *called* on the loop: ``gen.coroutine`` and
#: ``asynchronous`` set it. Wrappers made by ``functools.wraps`` pass it on.
ON_LOOP: Final = "__tornado_coroutine__"

#: What tells a client that another try makes sense, and when: in a second.
_COME_AGAIN: Final = (("Retry-After", "1"),)

#: What goes on though its client has left; a loop alone would not keep it.
_left: Final[set[asyncio.Task[None]]] = set()


def runs_on_loop(function: Any) -> bool:
    """Whether a method of a handler has to be called on the event loop."""
    return bool(getattr(function, ON_LOOP, False)) or inspect.iscoroutinefunction(
        function
    )


class WaitingChapter(PagesChapter):
    """RequestHandler's chapter on asynchronous methods."""

    #: Whether a coroutine of this handler is cancelled when its client leaves; None:
    #: as the setting ``cancel_on_close`` says, by default not.
    cancel_on_close: bool | None = None

    # Whether the body comes through data_received: see stream_request_body.
    _streams_body = False

    # Whether there may be a method that has to be called on the loop.
    _is_special = False

    # What a coroutine function gave, until the loop takes it over.
    _unstarted: Any = None

    # Whether something that runs elsewhere gives the answer in place of this handler.
    _is_handed_over = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        names = ("prepare", *(method.lower() for method in cls.SUPPORTED_METHODS))
        cls._is_special = cls._streams_body or any(
            hasattr(getattr(cls, name, None), ON_LOOP) for name in names
        )
        execute = vars(cls).get("_execute")
        if hasattr(execute, ON_LOOP):
            # An attribute of a class that is derived from this one.
            setattr(cls, "_execute", _begun_on_loop(execute))  # noqa: B010

    def async_callback(
        self, callback: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Callable[..., Any]:
        """A callback with its first arguments: of programs written for Tornado 1.

        :param args: given to the callback before those that it is called with.
        """
        return partial(callback, *args, **kwargs) if args or kwargs else callback

    def data_received(self, chunk: bytes) -> Any:
        """A part of the body, in a class marked by :func:`stream_request_body`.

        Called on the event loop as the body comes in; the next part waits until the
        awaitable that this may return is done.
        """
        raise NotImplementedError(
            f"{type(self).__name__} streams its body: it must override data_received()"
        )

    def _park(self, work: Work) -> Awaitable[None]:
        """Leave the rest of the request to the loop.

        Returns an awaitable of the rest where the loop runs this already.

        :param work: makes the coroutine of the rest, which deals with its failures.
        """
        if self._parked is not None:
            return work()
        make = self.request.environ.get(PARK)
        parked: ParkedResponse = ParkedResponse() if make is None else make()
        parked.begin(work, self._leave, self._most_waiting(), self._refuse_to_wait)
        # In this order: a callback on the loop may be finishing the response now.
        self._parked = parked
        delivered, self._response = self._response, parked
        if self._headers_written:
            if not isinstance(self._start_response, CollectedOutput):
                self._write = parked.write
        else:
            self._start_response = parked.start
        if delivered is not None:
            self._deliver(delivered)
        return DONE

    def _park_result(self, result: Any, name: str) -> Awaitable[None]:
        """Have the loop wait for what ``prepare`` or a verb has returned."""
        _check_awaitable(result, name)
        self._unstarted = result
        try:
            return self._park(partial(self._go_on, result, name == "prepare"))
        except BaseException:
            self._drop_unstarted()
            raise

    def _park_until_finished(self) -> Awaitable[None]:
        """Have the request wait for a callback that finishes it."""
        return self._park(self._wait_for_callback)

    async def _go_on(self, result: Any, is_prepare: bool) -> None:
        """The rest of a request whose ``prepare`` or verb is awaitable."""
        self._unstarted = None
        try:
            await result
            await self._finish_up(is_prepare)
        except BaseException as error:
            self._fail_on_loop(error)

    async def _wait_for_callback(self) -> None:
        parked, response = self._parked, self._response
        assert parked is not None
        assert response is not None
        try:
            if response is not parked:
                # It finished on the loop while its thread was parking it.
                self._deliver(response)
            await parked.wait_until_over()
        except BaseException as error:
            self._fail_on_loop(error)

    def _is_for_loop(self, method: str) -> bool:
        """Whether a method of this request is marked to be called on the loop."""
        return (
            self._streams_body
            or runs_on_loop(self.prepare)
            or runs_on_loop(getattr(self, method.lower()))
        )

    async def _run(self) -> None:
        """A request with a method that even has to be called on the loop."""
        try:
            await self._call("prepare")
            if self._streams_body and not self._finished:
                await self._receive_body()
            await self._finish_up(is_prepare=True)
        except BaseException as error:
            self._fail_on_loop(error)

    async def _receive_body(self) -> None:
        reader = self._body_reader()
        while not self._finished:
            chunk = await self._next_part(reader)
            if not chunk:
                break
            await _wait_for(self.data_received(chunk), "data_received")

    async def _next_part(self, reader: BodyReader) -> bytes:
        """The next part of the body; empty at its end."""
        receive = self.request.environ.get(RECEIVE)
        assert self._parked is not None
        try:
            if receive is not None:
                return reader.count(await receive())
            chunk: bytes = await self._parked.call(reader.read)
        except HTTPInputError as error:
            if error.status_code == 400:
                # It broke off; a body that is too large is another matter.
                self._note_departure()
            raise
        return chunk

    def _body_reader(self) -> BodyReader:
        """Counts the body, up to what ``prepare`` may have set in its connection."""
        limits, most = self.request.limits, self.request.connection.max_body_size
        if most is not None:
            limits = replace(limits, max_body_size=most)
        return BodyReader(self.request.environ, limits)

    async def _finish_up(self, is_prepare: bool) -> None:
        """The verb after ``prepare``, and the end of the response after the verb."""
        if is_prepare and not self._is_answered():
            verb = self.request.method.lower()
            await self._call(verb, *self.path_args, **self.path_kwargs)
        if self._is_answered():
            return
        if self._auto_finish:
            self.finish()
        else:
            assert self._parked is not None
            await self._parked.wait_until_over()

    async def _finish_after(self, result: Any) -> None:
        """The end of an ``asynchronous`` method that says itself when it is through."""
        await _wait_for(result, self.request.method.lower())
        if not self._is_answered():
            self.finish()

    def _is_answered(self) -> bool:
        # What this was handed over to may fail, and begin again with an error page.
        return self._finished or self._is_handed_over

    async def _call(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Call a method where it belongs and wait for what it returns."""
        method = partial(getattr(self, name), *args, **kwargs)
        if self._streams_body or runs_on_loop(method.func):
            result = method()
        elif name == "prepare" and type(self).prepare is HandlerBase.prepare:
            return
        else:
            assert self._parked is not None
            result = await self._parked.call(partial(self._run_plain, method))
        await _wait_for(result, name)

    def _run_plain(self, method: Callable[[], Any]) -> Any:
        """A plain method, where plain ones run, with the server's ``write``."""
        parked = self._parked
        assert parked is not None
        if self._headers_written:
            return method()
        self._start_response = here = parked.start_here
        try:
            return method()
        finally:
            if self._start_response is here:
                # What follows comes from the loop.
                self._start_response = parked.start
                self._write = parked.write

    def _fail_on_loop(self, error: BaseException) -> None:
        if self._is_handed_over and isinstance(error, Exception):
            self._log_failure(error)
        elif isinstance(error, Exception):
            self._handle_request_exception(error)
        elif not isinstance(error, asyncio.CancelledError):
            self._abandon()
            raise error
        elif not self._is_answered():
            self._answer_cancelled(error)

    def _answer_cancelled(self, error: BaseException) -> None:
        """Cancelled while its client waits: that gets to know.

        When a process or its loop ends, all tasks are cancelled: the client shall come
        again, to another process or a later one.
        """
        assert self._parked is not None
        if self._parked.is_closed:
            return
        task = self._parked.task
        if task is not None and task.cancelling():
            self._error_headers = _COME_AGAIN
            self._handle_request_exception(HTTPError(503))
            return
        cancelled = RuntimeError(
            "the coroutine of the handler raised CancelledError although nobody had "
            "cancelled it: something that it waited for was cancelled"
        )
        cancelled.__cause__ = error
        self._handle_request_exception(cancelled)

    def _leave(self) -> None:
        """Nobody takes the rest of the response; runs on the loop."""
        assert self._parked is not None
        self._note_departure()
        task = self._parked.task
        if task is None or task.done():
            self._end_left()
            return
        # The handler goes on, as in Tornado; what it sends is dropped. It must not end
        # as garbage, in whatever thread collects that.
        _left.add(task)
        task.add_done_callback(_left.discard)
        task.add_done_callback(self._end_left)
        if self._is_cancelled_on_close():
            task.cancel()

    def _end_left(self, task: asyncio.Task[None] | None = None) -> None:
        """The handler is through with a response that nobody takes."""
        self._drop_unstarted()
        self._end_contained()

    def _is_cancelled_on_close(self) -> bool:
        if self.cancel_on_close is None:
            return bool(self.settings.get("cancel_on_close"))
        return self.cancel_on_close

    def _drop_unstarted(self) -> None:
        unstarted, self._unstarted = self._unstarted, None
        if inspect.iscoroutine(unstarted):
            unstarted.close()

    def _most_waiting(self) -> int | None:
        """How many requests may wait in threads of the server at once."""
        most: int | None = self.settings.get("max_waiting_requests")
        if most is None:
            threads = known_threads(self.request.environ)
            most = max(threads - 1, 1) if threads else None
        return most

    def _refuse_to_wait(self, error: Exception | None) -> None:
        """Answer at once: an error, or too many wait and all others shall live on."""
        self._drop_unstarted()
        if error is not None:
            self._handle_request_exception(error)
            return
        gen_log.warning(
            "503 %s: %s requests wait already, which is the limit "
            "(max_waiting_requests)",
            self._request_summary(),
            self._most_waiting(),
        )
        self._error_headers = _COME_AGAIN
        self._handle_request_exception(HTTPError(503))

    def _deliver(self, response: WSGIApplication) -> Awaitable[None]:
        """Hop 8 begins: at once, or on its way to whoever takes a parked answer."""
        parked = self._parked
        if parked is None:
            self._response = response
            return DONE
        if isinstance(response, Response):
            headers = complete_headers(self.request.environ, response.headers)
            return parked.complete(response.status, headers, b"".join(response.body))
        if isinstance(response, WrittenResponse):
            # Here on the loop, like all of the handler; what is still to be taken
            # needs it no more.
            response.close()
            if isinstance(response, BrokenResponse):
                parked.fail(response.error)
                return DONE
            return parked.end()
        self._is_handed_over = True
        parked.call_on_close(self._end_contained)
        parked.respond(response)
        return DONE


def _begun_on_loop(execute: Any) -> Any:
    """An ``_execute`` that ``gen.coroutine`` would begin too early, on the loop."""

    @wraps(execute)
    async def begin(*args: Any, **kwargs: Any) -> None:
        await execute(*args, **kwargs)

    return begin


async def _wait_for(result: Any, name: str) -> None:
    """Await what a method has returned, if it has."""
    if result is not None:
        _check_awaitable(result, name)
        await result


def _check_awaitable(result: Any, name: str) -> None:
    if not hasattr(result, "__await__"):
        raise TypeError(
            f"{name}() returned {type(result).__name__}: a handler's method returns "
            "None or an awaitable; use write() to send something"
        )
