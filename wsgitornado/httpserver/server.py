"""HTTPServer: any WSGI callable on an event loop, with threads for what blocks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, TypeAlias

from wsgitornado._types import WSGIApplication, WSGIEnvironment
from wsgitornado._version import version
from wsgitornado.concurrent import is_on_loop
from wsgitornado.httpserver.connection import NO_INPUT, Connection
from wsgitornado.httpserver.deadlines import Deadlines
from wsgitornado.httpserver.exchange import Exchange
from wsgitornado.httpserver.limits import Limits
from wsgitornado.httpserver.parsers import find_backend
from wsgitornado.httpserver.signals import drain_on_sigterm
from wsgitornado.httpserver.workers import Mailbox, Workers
from wsgitornado.httputil.proxies import ProxyHeaders
from wsgitornado.httputil.streams import FileWrapper
from wsgitornado.ioloop import IOLoop, adopt_serving_loop
from wsgitornado.log import access_log, app_log, gen_log, one_line
from wsgitornado.netutil import (
    Acceptor,
    bind_sockets,
    ssl_options_to_context,
)
from wsgitornado.parked import THREADS
from wsgitornado.process import fork_processes

__all__ = ["HTTPServer", "LogFunction"]

#: What is called after each request.
LogFunction: TypeAlias = Callable[[WSGIEnvironment, Any], None]

#: Threads for callables that are no Application: they expect to be able to block.
_DEFAULT_THREADS: Final = 4

#: Threads for iterables that may block, where everything else runs on the loop.
_HELPER_THREADS: Final = 8

#: How many of these may wait for a helper, and for how many seconds.
_MOST_WAITING: Final = 1000
_LONGEST_WAIT: Final = 5.0

#: Seconds for a client to take its last answer while it still sends.
_LINGER: Final = 5.0

#: Called when a server begins. What reloads programs puts itself here.
when_begun: list[Callable[[], None]] = []

#: Seconds for requests in flight when a server ends.
GRACE: Final = 10.0

#: Of these, the seconds for the first request of a connection that has just been made,
#: and after them those for the last answers.
_FIRST_GRACE: Final = 1.0
_LAST_GRACE: Final = 1.0


class HTTPServer:
    """Serves a WSGI callable on the event loop.

    ``HTTPServer(app).listen(8888)``, then ``IOLoop.current().start()``, or within
    ``asyncio.run``. An :class:`~wsgitornado.web.Application` runs on the loop's own
    thread, as in Tornado, unless ``threads`` says otherwise; any other callable in
    threads. Asynchronous handlers run on the loop, and hold no thread while they wait.

    :param application: any WSGI callable.
    :param threads: how many threads run it; 0: it runs on the loop, where it must not
        block. None: 0 for an Application, 4 for anything else.
    :param xheaders: believe X-Forwarded-For and its kind: only behind a proxy.
    :param trusted_downstream: the addresses of further proxies.
    :param protocol: "https" if a proxy in front has taken the TLS off and says nothing.
    :param ssl_options: for TLS: an SSLContext, or a dict with ``certfile``,
        ``keyfile`` and so on.
    :param no_keep_alive: close each connection after one response.
    :param decompress_request: inflate request bodies that are gzipped.
    :param parser: "httptools" or "h11", which splits the fields of each head; None
        takes the first of them that is installed. The checks are the same for both.
    :param chunk_size: how much of its body a handler with ``stream_request_body`` gets
        at once.
    :param log_function: called after each request with its environ and its answer,
        whose ``status`` is a text like "200 OK", in place of the line in the access
        log. An Application writes its own lines, and needs none.
    :param options: the limits: see :class:`~wsgitornado.httpserver.Limits`.
    """

    __module__ = "wsgitornado.httpserver"

    def __init__(
        self,
        application: WSGIApplication,
        *,
        threads: int | None = None,
        xheaders: bool = False,
        trusted_downstream: Iterable[str] | None = None,
        protocol: str | None = None,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        no_keep_alive: bool = False,
        decompress_request: bool = False,
        parser: str | None = None,
        chunk_size: int = 64 * 1024,
        log_function: LogFunction | None = None,
        **options: Any,
    ) -> None:
        if not callable(application):
            raise TypeError(f"a WSGI callable is expected, not {application!r}")
        self.application = application
        self.limits = Limits(**options)
        # Here, and not when the first client comes.
        find_backend(parser)
        self.parser = parser
        self.no_keep_alive = no_keep_alive
        #: How much of a body that is streamed a handler gets at once.
        self.chunk_size = chunk_size
        self.server_line = f"Server: wsgitornado/{version}\r\n".encode("ascii")
        #: Has the application send away who waits, when the server begins to end.
        self._begin_drain: Callable[[], None] | None = getattr(
            application, "begin_drain", None
        )
        #: Says whether the application streams the body of a request.
        self.streams_body: Callable[[WSGIEnvironment], bool] | None = getattr(
            application, "streams_body", None
        )
        is_of_ours = hasattr(application, "log_request")
        if threads is None:
            threads = 0 if is_of_ours else _DEFAULT_THREADS
        if not isinstance(threads, int) or threads < 0:
            raise ValueError(f"threads is a number, 0 or more: {threads!r}")
        if not isinstance(chunk_size, int) or chunk_size < 1:
            raise ValueError(f"chunk_size is a number of bytes: {chunk_size!r}")
        self.threads = threads
        if log_function is None and not is_of_ours:
            log_function = _log_request
        self._log_function = log_function
        if decompress_request:
            if not hasattr(application, "decompress_request"):
                raise ValueError("decompress_request is for an Application")
            application.decompress_request()
        self.proxies: ProxyHeaders | None = ProxyHeaders.from_settings(
            {"xheaders": xheaders, "trusted_downstream": trusted_downstream}
        )
        self.trusted_downstream = frozenset(trusted_downstream or ())
        self._protocol = protocol
        self._ssl: ssl.SSLContext | None = None
        if ssl_options is not None:
            self._ssl = ssl_options_to_context(ssl_options, server_side=True)
        self.is_secure = self._ssl is not None
        self._sockets: list[socket.socket] = []
        self._pending: list[socket.socket] = []
        self._acceptors: dict[int, Acceptor] = {}
        self._connections: set[Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._parked: Counter[str] = Counter()
        self._parked_count = 0
        self._refused = 0
        self._answered = 0
        self._is_stopping = False
        self._ioloop: IOLoop | None = None
        self._has_begun = False
        # Connections, those that are still shaking hands among them; and whether no
        # more are accepted.
        self._accepted = self._accepted_ever = 0
        self._is_full = False
        self._when_empty: asyncio.Future[None] | None = None

    # Listening.

    def listen(
        self,
        port: int,
        address: str | None = None,
        family: int = socket.AF_UNSPEC,
        backlog: int = 1024,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Accept connections on a port; returns at once.

        :param port: 0 takes a free one.
        :param address: a name or an address; None or "" means all of this machine's.
        """
        self.add_sockets(
            bind_sockets(
                port,
                address=address or None,
                family=socket.AddressFamily(family),
                backlog=backlog,
                flags=flags,
                reuse_port=reuse_port,
            )
        )

    def bind(
        self,
        port: int,
        address: str | None = None,
        family: int = socket.AF_UNSPEC,
        backlog: int = 1024,
        flags: int | None = None,
        reuse_port: bool = False,
    ) -> None:
        """Bind a port without accepting yet: :meth:`start` does, maybe after a fork."""
        self._pending += bind_sockets(
            port,
            address=address or None,
            family=socket.AddressFamily(family),
            backlog=backlog,
            flags=flags,
            reuse_port=reuse_port,
        )

    def start(
        self, num_processes: int | None = 1, max_restarts: int | None = None
    ) -> None:
        """Accept on what was bound, in one process or in several.

        :param num_processes: None or 0 for one a processor. More than one are made by
            :func:`~wsgitornado.process.fork_processes`, before any loop runs; the
            parent stays there until all have ended.
        :param max_restarts: how often children that die are made anew.
        """
        if num_processes != 1:
            fork_processes(num_processes or 0, max_restarts)
        pending, self._pending = self._pending, []
        self.add_sockets(pending)

    def add_socket(self, sock: socket.socket) -> None:
        """Accept on a socket that listens."""
        self.add_sockets([sock])

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept on sockets that listen."""
        sockets = list(sockets)
        for sock in sockets:
            sock.setblocking(False)
        self._sockets += sockets
        if self._ioloop is None:
            self._ioloop = adopt_serving_loop()
        if is_on_loop(self._ioloop.asyncio_loop):
            self._accept_from(sockets)
        else:
            # Not on its asyncio loop: that may still be another one, until it runs.
            self._ioloop.add_callback(self._accept_from, sockets)

    def _accept_from(self, sockets: list[socket.socket]) -> None:
        """Begin to accept; runs on the loop."""
        self._begin()
        for sock in sockets:
            # It may have been stopped meanwhile.
            if sock in self._sockets:
                acceptor = Acceptor(self.loop, sock, self._accept)
                self._acceptors[sock.fileno()] = acceptor
                acceptor.start()

    @property
    def sockets(self) -> list[socket.socket]:
        """What is listened on."""
        return list(self._sockets)

    def _begin(self) -> None:
        """What needs the loop, on which this runs for the first time."""
        if self._has_begun:
            return
        self._has_begun = True
        for call in when_begun:
            call()
        self.loop = loop = asyncio.get_running_loop()
        drain_on_sigterm(loop, self.drain_connections)
        self.mailbox = Mailbox(loop)
        self.workers = (
            Workers(self.threads, "wsgitornado-worker") if self.threads else None
        )
        self.helpers = self.workers or Workers(_HELPER_THREADS, "wsgitornado-helper")
        limits = self.limits
        self.idle_deadlines: Deadlines[Connection] = Deadlines(
            loop, limits.idle_connection_timeout, Connection.close_if_idle
        )
        self.head_deadlines: Deadlines[Connection] = Deadlines(
            loop, limits.head_timeout, Connection.give_up_head
        )
        self.body_deadlines: Deadlines[Connection] = Deadlines(
            loop, limits.body_rate_grace, Connection.look_at_body
        )
        self.write_deadlines: Deadlines[Connection] = Deadlines(
            loop, limits.write_timeout, Connection.look_at_writing
        )
        self.linger_deadlines: Deadlines[Connection] = Deadlines(
            loop, _LINGER, Connection.look_at_linger
        )
        self.deadlines = (
            self.idle_deadlines,
            self.head_deadlines,
            self.body_deadlines,
            self.write_deadlines,
            self.linger_deadlines,
        )
        #: Of those who wait for a helper.
        self.patience: Deadlines[Exchange] = Deadlines(
            loop, _LONGEST_WAIT, Exchange.refuse_if_waiting_here
        )
        self._base_environ: WSGIEnvironment = {
            "SCRIPT_NAME": "",
            "SERVER_SOFTWARE": f"wsgitornado/{version}",
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.input": NO_INPUT,
            "wsgi.multithread": bool(self.threads),
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
            "wsgi.file_wrapper": FileWrapper,
            THREADS: self.helpers.most,
        }

    def _accept(self, sock: socket.socket, address: Any) -> None:
        self._accepted += 1
        self._accepted_ever += 1
        most = self.limits.max_connections
        if most is not None and self._accepted >= most:
            self._is_full = True
            for acceptor in self._acceptors.values():
                acceptor.stop()
        task = self.loop.create_task(self._connect(sock, address))
        self._connecting.add(task)
        task.add_done_callback(self._note_connected)

    def _note_connected(self, task: asyncio.Task[None]) -> None:
        self._connecting.discard(task)
        self._wake_if_empty()

    def _note_closed(self) -> None:
        """One of those that were accepted is gone: there is room for another."""
        self._accepted -= 1
        if self._is_full:
            self._is_full = False
            for acceptor in self._acceptors.values():
                acceptor.start()

    async def _connect(self, sock: socket.socket, address: Any) -> None:
        peer = address[:2] if isinstance(address, tuple) else None
        timeout = self.limits.head_timeout if self.is_secure else None
        try:
            if peer is not None:
                # asyncio does so only for sockets that say they are TCP's.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self.loop.connect_accepted_socket(
                partial(Connection, self, peer),
                sock,
                ssl=self._ssl,
                ssl_handshake_timeout=timeout,
            )
        except BaseException as error:
            # It has left already, or speaks no TLS, or the server ends.
            sock.close()
            self._note_closed()
            if not isinstance(error, OSError):
                raise
            gen_log.debug("a connection failed at its start: %s", error)

    def environ_of(self, transport: asyncio.Transport) -> WSGIEnvironment:
        """What the requests of a connection have in common."""
        environ = self._base_environ.copy()
        local = transport.get_extra_info("sockname")
        if isinstance(local, tuple):
            environ["SERVER_NAME"] = local[0]
            environ["SERVER_PORT"] = str(local[1])
        else:
            environ["SERVER_NAME"] = "localhost"
            environ["SERVER_PORT"] = "80"
        # A unix socket tells nothing of its other end. As in Tornado this is no
        # address, least of all one that a program may trust.
        environ["REMOTE_ADDR"] = "0.0.0.0"  # noqa: S104  # nothing is bound to it
        environ["wsgi.url_scheme"] = self._protocol or (
            "https" if self.is_secure else "http"
        )
        return environ

    # Running requests.

    def run(self, exchange: Exchange, application: WSGIApplication) -> None:
        """Have the application called, here or in a thread."""
        if self.workers is None:
            exchange.run_here(application)
        else:
            self.workers.submit(partial(exchange.run_in_thread, application))

    def has_helpers(self) -> bool:
        """Whether a thread will soon have time for an iterable that may block.

        So short an answer comes at once even if thousands of others do; only where
        helpers are stuck for seconds the client is told to come again.
        """
        return self.helpers.waiting < _MOST_WAITING

    def refuse(self, exchange: Exchange) -> None:
        """Tell the client to come again."""
        self._refused += 1
        exchange.refuse_here(503, "Retry-After: 1")

    def may_park(self, connection: Connection) -> bool:
        """Whether one more answer may wait."""
        limits = self.limits
        if self._parked_count >= limits.max_parked:
            return False
        most = limits.max_parked_per_address
        return most is None or self._parked[connection.address] < most

    def note_parked(self, connection: Connection, change: int) -> None:
        self._parked_count += change
        self._parked[connection.address] += change
        if not self._parked[connection.address]:
            del self._parked[connection.address]

    def note_open(self, connection: Connection) -> None:
        self._connections.add(connection)
        connection.is_closing = self._is_stopping

    def note_lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._note_closed()
        if not self._connections:
            self._end_threads_if_over()
            self._wake_if_empty()

    def _end_threads_if_over(self) -> None:
        """Nobody is there, and nobody will come any more."""
        if self._has_begun and not self._sockets and not self._connections:
            self.helpers.end()

    def _wake_if_empty(self) -> None:
        waiter = self._when_empty
        if waiter is None or waiter.done() or self._connections or self._connecting:
            return
        waiter.set_result(None)

    def note_answered(self, exchange: Exchange) -> None:
        self._answered += 1
        if self._log_function is not None:
            try:
                self._log_function(exchange.environ, exchange)
            except Exception:
                app_log.error("Uncaught exception in log_function", exc_info=True)

    # The end.

    def stop(self) -> None:
        """Accept no more connections; those that are open go on. From any thread."""
        sockets = [*self._sockets, *self._pending]
        self._sockets, self._pending = [], []
        if self._has_begun and not self.loop.is_closed() and not is_on_loop(self.loop):
            self.loop.call_soon_threadsafe(self._close_listeners, sockets)
        else:
            self._close_listeners(sockets)

    def _close_listeners(self, sockets: list[socket.socket]) -> None:
        acceptors, self._acceptors = self._acceptors, {}
        for acceptor in acceptors.values():
            acceptor.stop()
        for sock in sockets:
            sock.close()
        self._end_threads_if_over()

    async def close_all_connections(self) -> None:
        """Cut all connections, also those that wait for an answer.

        Tornado's; :meth:`drain_connections` is kinder.
        """
        for task in list(self._connecting):
            task.cancel()
        for connection in list(self._connections):
            connection.cut()
        await self._wait_until_empty()

    async def drain_connections(
        self, grace: float | None = None, *, leaves_backlog: bool = False
    ) -> None:
        """Let requests in flight end, then cut what is left: the end of a server.

        No new connections are accepted, idle ones are closed, and an Application calls
        what its ``add_drain_callback`` got. What still waits after the time gets a 503
        with Retry-After, or is cut if its answer has begun.

        :param grace: seconds; None takes 10.
        :param leaves_backlog: whether another process goes on accepting from the same
            sockets, so that those who have not been accepted are left to it.
        """
        if grace is None:
            grace = GRACE
        end = time.monotonic() + grace
        if leaves_backlog:
            self.stop()
        # Who was accepted, or is in the backlog, has been promised an answer.
        await self._accept_the_last()
        self._is_stopping = True
        self.stop()
        if self._begin_drain is not None:
            self._begin_drain()
        await self._close_idle(min(_FIRST_GRACE, grace))
        await self._wait_until_empty(max(0.0, end - time.monotonic()))
        for send_away in (Exchange.send_away_here, self.refuse):
            for connection in list(self._connections):
                exchange = connection.exchange
                if exchange is None or exchange.head_is_sent:
                    connection.cut()
                else:
                    send_away(exchange)
            await self._wait_until_empty(_LAST_GRACE / 2)
        await self.close_all_connections()

    async def _accept_the_last(self) -> None:
        # In two turns some of those that wait are accepted, and what they have sent is
        # read; until nobody waits, or others come without end.
        end = time.monotonic() + _FIRST_GRACE
        before = -1
        while before != self._accepted_ever and time.monotonic() < end:
            before = self._accepted_ever
            for _ in range(2):
                await asyncio.sleep(0)
        if self._connecting:
            await asyncio.wait(list(self._connecting), timeout=_FIRST_GRACE)
            await asyncio.sleep(0)

    async def _close_idle(self, seconds: float) -> None:
        """Close connections without a request, those that are new a bit later."""
        are_new = False
        for connection in list(self._connections):
            connection.is_closing = True
            if connection.has_answered:
                connection.close_if_idle()
            else:
                are_new = True
        if are_new:
            await self._wait_until_empty(seconds)
            for connection in list(self._connections):
                connection.close_if_idle()

    def is_stuck(self, seconds: float) -> bool:
        """Whether all threads hang, each in one request for longer than that."""
        return self.workers is not None and self.workers.are_stuck(seconds)

    async def _wait_until_empty(self, seconds: float | None = None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._connections or self._connecting:
                    self._when_empty = self.loop.create_future()
                    await self._when_empty

    def stats(self) -> dict[str, int]:
        """What the server does at this moment.

        ``open`` connections, ``parked`` answers, ``busy`` threads, jobs that wait for a
        thread (``queued``), requests ``answered`` and ``refused`` since the start.
        """
        workers = self.helpers if self._has_begun else None
        return {
            "open": len(self._connections),
            "parked": self._parked_count,
            "busy": workers.busy if workers else 0,
            "queued": workers.waiting if workers else 0,
            "answered": self._answered,
            "refused": self._refused,
        }


def _log_request(environ: WSGIEnvironment, exchange: Exchange) -> None:
    """The line of the access log for an application that writes none."""
    status_code = exchange.status[:3] or "-"
    level = logging.WARNING if status_code[0] in "45" else logging.INFO
    if access_log.isEnabledFor(level):
        access_log.log(
            level,
            "%s %s %s (%s) %.2fms",
            status_code,
            exchange.head.method,
            one_line(exchange.head.target),
            environ["REMOTE_ADDR"],
            1000 * (time.monotonic() - exchange.began),
        )
