"""AsyncHTTPClient, one for each loop, and HTTPClient, which blocks."""

from __future__ import annotations

import asyncio
import functools
import importlib
import threading
import time
import weakref
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Self

from wsgitornado.concurrent import Future
from wsgitornado.httpclient.request import HTTPRequest, fill_in
from wsgitornado.httpclient.response import (
    HTTPResponse,
    HTTPStreamClosedError,
    HTTPTimeoutError,
)
from wsgitornado.ioloop import IOLoop
from wsgitornado.locks import Semaphore
from wsgitornado.netutil import OverrideResolver, Resolver
from wsgitornado.util import Configurable, TimeoutError  # noqa: A004 - Tornado's name

__all__ = ["AsyncHTTPClient", "HTTPClient", "SimpleAsyncHTTPClient"]

#: Bytes of a response, packed or not, unless a client is made with another number.
MAX_BODY_SIZE = 100 * 1024 * 1024

#: Bytes of the headers of a response.
MAX_HEADER_SIZE = 64 * 1024

_Callback = Callable[[HTTPResponse], object]


class AsyncHTTPClient(Configurable):
    """A client for coroutines::

        response = await AsyncHTTPClient().fetch("https://example.com/")

    ``AsyncHTTPClient()`` gives the same object for the same loop each time; it need not
    be closed. All arguments but *force_instance* count when that is made. It needs the
    extra ``httpclient``.

    :param force_instance: True makes a client of its own.
    :param defaults: for attributes of each :class:`HTTPRequest` that are None.
    """

    __module__ = "wsgitornado.httpclient"

    io_loop: IOLoop
    defaults: dict[str, Any]

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return AsyncHTTPClient

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        return SimpleAsyncHTTPClient

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Choose the class and the arguments of all clients made from now on.

        The names of Tornado's own clients, of which that on curl is one, mean the
        default: there is one, and it can do what either does.
        """
        if isinstance(impl, str) and impl.endswith(_TORNADOS):
            impl = None
        super().configure(impl, **kwargs)

    @classmethod
    def _async_clients(cls) -> weakref.WeakKeyDictionary[IOLoop, Self]:
        clients: weakref.WeakKeyDictionary[IOLoop, Self] | None
        clients = cls.__dict__.get("_clients_by_loop")
        if clients is None:
            clients = weakref.WeakKeyDictionary()
            setattr(cls, "_clients_by_loop", clients)  # noqa: B010 - for each class
        return clients

    def __new__(cls, force_instance: bool = False, **kwargs: Any) -> Self:
        clients: weakref.WeakKeyDictionary[IOLoop, Self] | None = None
        io_loop = IOLoop.current()
        if not force_instance:
            clients = cls._async_clients()
            if io_loop in clients:
                return clients[io_loop]
        made: Self = super().__new__(cls, **kwargs)
        if clients is not None:
            made._instance_cache = clients
            clients[io_loop] = made
        return made

    def _begin(self, defaults: dict[str, Any] | None = None) -> None:
        self.io_loop = IOLoop.current()
        self.defaults = {**HTTPRequest._DEFAULTS, **(defaults or {})}
        self._closed = False
        self._instance_cache: weakref.WeakKeyDictionary[IOLoop, Any] | None = None

    initialize: Callable[..., None] = _begin

    def close(self) -> None:
        """Give up what is being fetched, and take no more. Seldom needed.

        A shared client makes room for a new one. Closing twice is allowed.
        """
        if self._closed:
            return
        self._closed = True
        if self._instance_cache is not None:
            self._instance_cache.pop(self.io_loop, None)

    def fetch(
        self,
        request: HTTPRequest | str,
        raise_error: bool | _Callback = True,
        callback: _Callback | None = None,
        **kwargs: Any,
    ) -> Future[HTTPResponse]:
        """Fetch something; the future gives an :class:`HTTPResponse`. From any thread.

        :param request: an :class:`HTTPRequest`, or a URL: *kwargs* are then the other
            arguments of ``HTTPRequest``.
        :param raise_error: False gives a response also for a status that is no success;
            its ``error`` says so. What is no response is raised all the same.
        :param callback: of old programs, which also pass it as the second argument:
            called on the loop with the response. It always gets one, of code 599 if
            there was none.
        :raises HTTPClientError: through the future, as does all that follows: for a
            status that is no success, and with code 599 when there was no answer.
        :raises OSError: if there is no connection.
        :raises ValueError: for a request that cannot be sent.
        """
        if self._closed:
            raise RuntimeError("fetch() called on closed AsyncHTTPClient")
        if not isinstance(request, HTTPRequest):
            request = HTTPRequest(url=request, **kwargs)
        elif kwargs:
            raise ValueError("kwargs can't be used if request is an HTTPRequest object")
        is_raised = True
        if callable(raise_error):
            callback = raise_error
        else:
            is_raised = bool(raise_error)
        future: Future[HTTPResponse] = Future(loop=self.io_loop.asyncio_loop)
        if callback is not None:
            future.add_done_callback(functools.partial(_call_back, callback, request))
        filled = fill_in(request, self.defaults)
        settle = functools.partial(_settle, future, request, filled, is_raised)
        cancel = self.fetch_impl(filled, settle)
        if cancel is not None:
            future.add_done_callback(lambda _: cancel())
        return future

    def fetch_impl(
        self, request: HTTPRequest, callback: _Callback
    ) -> Callable[[], object] | None:
        """Fetch, and call the callback with the response: for subclasses to define.

        :param request: a copy, ours to change, in which the defaults are filled in.
        :return: what to call, on the loop, when nobody waits any more; or None.
        """
        raise NotImplementedError(f"{type(self).__name__} must define fetch_impl()")


#: What ``configure`` takes for the default.
_TORNADOS = (
    "tornado.simple_httpclient.SimpleAsyncHTTPClient",
    "tornado.curl_httpclient.CurlAsyncHTTPClient",
)


def _settle(
    future: Future[HTTPResponse],
    request: HTTPRequest,
    filled: HTTPRequest,
    is_raised: bool,
    response: HTTPResponse,
) -> None:
    if future.done():
        return
    if response.request is filled:
        response.request = request
    error = response.error
    if isinstance(error, asyncio.CancelledError):
        future.cancel()
    elif error is not None and (is_raised or not response._error_is_response_code):
        future.set_exception(error)
    else:
        future.set_result(response)


def _call_back(
    callback: _Callback, request: HTTPRequest, future: Future[HTTPResponse]
) -> None:
    if future.cancelled():
        return
    error = future.exception()
    response = getattr(error, "response", None)
    if error is None:
        response = future.result()
    elif response is None:
        response = HTTPResponse(request, 599, error=error)
    IOLoop.current().add_callback(callback, response)


class SimpleAsyncHTTPClient(AsyncHTTPClient):
    """What ``AsyncHTTPClient()`` gives: a client over httpx.

    :param max_clients: requests at a time; more of them wait, which may time out.
    :param hostname_mapping: other hosts to connect to, as in
        :class:`~wsgitornado.netutil.OverrideResolver`.
    :param max_buffer_size: the *max_body_size* unless that is given.
    :param resolver: finds addresses; by default the system does.
    :param defaults: for attributes of each request that are None.
    :param max_header_size: bytes of the headers of a response.
    :param max_body_size: bytes of its body, packed and unpacked alike. More of either
        is an :exc:`HTTPStreamClosedError`.
    :raises ModuleNotFoundError: without the extra ``httpclient``.
    """

    __module__ = "wsgitornado.simple_httpclient"

    def _begin_simple(
        self,
        max_clients: int = 10,
        hostname_mapping: dict[str, str] | None = None,
        max_buffer_size: int = MAX_BODY_SIZE,
        resolver: Resolver | None = None,
        defaults: dict[str, Any] | None = None,
        max_header_size: int | None = None,
        max_body_size: int | None = None,
    ) -> None:
        super()._begin(defaults)
        self.max_clients = max_clients
        if hostname_mapping is not None:
            resolver = OverrideResolver(resolver or Resolver(), hostname_mapping)
        self.resolver = resolver
        self._exchange = _load_exchange()
        self._limits = self._exchange.Limits(
            max_header_size=MAX_HEADER_SIZE
            if max_header_size is None
            else max_header_size,
            max_body_size=max_buffer_size if max_body_size is None else max_body_size,
            resolver=resolver,
        )
        self._free = Semaphore(max_clients)
        self._tasks: set[asyncio.Task[HTTPResponse]] = set()

    initialize = _begin_simple

    def close(self) -> None:
        super().close()
        self.io_loop.add_callback(self._end_tasks)

    def _end_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def fetch_impl(
        self, request: HTTPRequest, callback: _Callback
    ) -> Callable[[], object]:
        job = _Job(self, request, callback)
        self.io_loop.add_callback(job.start)
        return job.cancel


class _Job:
    """One fetch of a client: waits for its turn, fetches, and tells."""

    def __init__(
        self, client: SimpleAsyncHTTPClient, request: HTTPRequest, callback: _Callback
    ) -> None:
        self._client = client
        self._request = request
        self._callback = callback
        self._task: asyncio.Task[HTTPResponse] | None = None

    # On the loop

    def start(self) -> None:
        self._task = asyncio.ensure_future(self._run())
        self._client._tasks.add(self._task)
        # A task that is cancelled before it begins runs nothing of its own.
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        # The loop called start() first.
        if self._task is not None:  # pragma: no branch
            self._task.cancel()

    async def _run(self) -> HTTPResponse:
        start_time = time.time()
        started = self._client.io_loop.time()
        try:
            response = await self._fetch()
        except Exception as error:
            response = HTTPResponse(self._request, 599, error=error)
        response.start_time = start_time
        response.request_time = self._client.io_loop.time() - started
        return response

    def _end(self, task: asyncio.Task[HTTPResponse]) -> None:
        self._client._tasks.discard(task)
        if not task.cancelled():
            self._callback(task.result())
            return
        # By the one who waits, with the loop, or because the client was closed.
        error: BaseException = asyncio.CancelledError()
        if self._client._closed:
            error = HTTPStreamClosedError("Connection closed")
        self._callback(HTTPResponse(self._request, 599, error=error))

    async def _fetch(self) -> HTTPResponse:
        client, request = self._client, self._request
        seconds = [t for t in (request.connect_timeout, request.request_timeout) if t]
        patience = timedelta(seconds=min(seconds)) if seconds else None
        try:
            permit = await client._free.acquire(patience)
        except TimeoutError:
            raise HTTPTimeoutError("Timeout in request queue") from None
        with permit:
            exchange = client._exchange.Exchange(request, client._limits)
            response: HTTPResponse = await exchange.run()
            return response


def _load_exchange() -> Any:
    """The part that needs httpx, and takes its time to import that."""
    try:
        return importlib.import_module("wsgitornado.httpclient.exchange")
    except ModuleNotFoundError as error:
        if error.name != "httpx":
            raise
        raise ModuleNotFoundError(
            "httpx is not installed: pip install 'wsgitornado[httpclient]'",
            name="httpx",
        ) from error


class HTTPClient:
    """A client that blocks the thread until the response is there::

        client = HTTPClient()
        try:
            response = client.fetch("https://example.com/")
        finally:
            client.close()

    For scripts, and for threads beside a loop. Where a loop runs in this very thread,
    blocking would stop it: use :class:`AsyncHTTPClient` there.

    :param async_client_class: what does the work; :class:`AsyncHTTPClient` by default.
    :param kwargs: arguments for that.
    :raises RuntimeError: in a thread that runs a loop.
    """

    __module__ = "wsgitornado.httpclient"

    def __init__(
        self, async_client_class: type[AsyncHTTPClient] | None = None, **kwargs: Any
    ) -> None:
        _refuse_on_a_loop()
        make = async_client_class or AsyncHTTPClient
        # A loop that is current nowhere but inside it.
        runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        io_loop = IOLoop(make_current=False, asyncio_loop=runner.get_loop())

        async def make_client() -> AsyncHTTPClient:
            client: AsyncHTTPClient = make(force_instance=True, **kwargs)
            return client

        try:
            self._async_client = runner.run(make_client())
        except BaseException:
            _close_loop(runner, io_loop)
            raise
        self._runner = runner
        # One request at a time, whatever thread it is in.
        self._lock = threading.Lock()
        self._end = weakref.finalize(
            self, _close_client, self._async_client, runner, io_loop
        )

    def close(self) -> None:
        """Close what the client holds. Closing twice is allowed."""
        self._end()

    def fetch(self, request: HTTPRequest | str, **kwargs: Any) -> HTTPResponse:
        """Fetch something, with the arguments of :meth:`AsyncHTTPClient.fetch`.

        Raises what that raises, and RuntimeError if the client is closed, or a loop
        runs in this thread.
        """
        _refuse_on_a_loop()

        async def fetch() -> HTTPResponse:
            return await self._async_client.fetch(request, **kwargs)

        with self._lock:
            if not self._end.alive:
                raise RuntimeError("fetch() called on closed HTTPClient")
            return self._runner.run(fetch())


def _close_client(
    client: AsyncHTTPClient, runner: asyncio.Runner, io_loop: IOLoop
) -> None:
    client.close()
    if asyncio._get_running_loop() is None:
        _close_loop(runner, io_loop)
        return
    # The loop of the client has to run once more, which it cannot inside another.
    thread = threading.Thread(target=_close_loop, args=(runner, io_loop))
    thread.start()
    thread.join()


def _close_loop(runner: asyncio.Runner, io_loop: IOLoop) -> None:
    loop = runner.get_loop()
    try:
        runner.close()
    except RuntimeError:
        # At the end of a program Python 3.12 and newer start no thread any more, not
        # even the one that waits for those of the loop.
        if not loop.is_closed():
            raise
    io_loop.close()


def _refuse_on_a_loop() -> None:
    if asyncio._get_running_loop() is not None:
        raise RuntimeError(
            "Cannot run the event loop while another loop is running: HTTPClient would "
            "block it; use AsyncHTTPClient and await its fetch()"
        )
