"""A server that parks, as small as can be: a pattern for those who write a real one.

In place of a socket it has a client in the same process, which reads as slowly as it
likes, or leaves. A pool of threads calls the application. A parked response waits on
the event loop and holds none of them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.loops import BOUND
from tests.support import make_environ
from wsgitornado import parking
from wsgitornado._types import HeaderList, Write, WSGIApplication, WSGIEnvironment
from wsgitornado.httputil.departure import CLIENT_DISCONNECTED
from wsgitornado.parked import PARK, ParkedResponse, Taken

__all__ = ["BrokenAnswer", "Exchange", "ParkingServer"]


class ParkingServer:
    """Answers the requests of its clients.

    :param parks: False makes an ordinary server of it, whose threads wait.
    """

    def __init__(
        self, application: WSGIApplication, threads: int = 2, parks: bool = True
    ) -> None:
        self.application = application
        self.parks = parks
        # A server has a loop of its own, and makes it the serving one by
        # ``ioloop.adopt_serving_loop``. For this one the background's will do.
        self.loop = parking.background_loop()
        self.threads = ThreadPoolExecutor(threads, "server")

    def request(self, target: str = "/", **kwargs: Any) -> Exchange:
        """What a client does: returns at once."""
        exchange = Exchange(self, make_environ(target, **kwargs))
        self.threads.submit(exchange.run, self.application)
        return exchange

    def close(self) -> None:
        self.threads.shutdown()


class BrokenAnswer(Exception):
    """The client sees that the answer is not whole."""


class Exchange:
    """A request and its answer; the outlet of the responses that are parked for it."""

    def __init__(self, server: ParkingServer, environ: WSGIEnvironment) -> None:
        self.server = server
        self.environ = environ
        self.status = ""
        self.headers: HeaderList = []
        #: The threads in which ``start_response`` was called.
        self.started_in: list[str] = []
        #: What the application, or its iterable, has raised.
        self.failure: BaseException | None = None
        self.handed_out: list[ParkedResponse] = []
        self.is_parked = False
        self._is_over = False
        self._has_left = threading.Event()
        #: Set once the server is through with it.
        self.over = threading.Event()
        self._sent: queue.SimpleQueue[tuple[bytes, Taken]] = queue.SimpleQueue()
        environ[CLIENT_DISCONNECTED] = self._has_left.is_set
        if server.parks:
            environ[PARK] = self._park

    # The application's side: in a thread of the pool.

    def run(self, application: WSGIApplication) -> None:
        try:
            body = application(self.environ, self.start_response)
            if any(body is parked for parked in self.handed_out):
                # Nobody has wrapped it. The thread is free.
                self._hop(self._commit, body)
            else:
                self._send_all(body)
                self._finish()
        except BaseException as error:
            self._finish(error)

    def _park(self) -> ParkedResponse:
        parked = ParkedResponse(self)
        self.handed_out.append(parked)
        return parked

    def start_response(
        self, status: str, headers: HeaderList, exc_info: Any = None
    ) -> Write:
        assert exc_info is not None or not self.status, "started twice"
        self.status, self.headers = status, headers
        self.started_in.append(threading.current_thread().name)
        return self.write_and_wait

    def write_and_wait(self, data: bytes) -> None:
        """The server's ``write``: returns when the client has taken it."""
        is_taken = threading.Event()
        self.write(data, lambda error: is_taken.set())
        assert is_taken.wait(BOUND)
        if self._has_left.is_set():
            raise BrokenPipeError("the client has left")

    def _send_all(self, body: Iterable[bytes]) -> None:
        try:
            for chunk in body:
                self.write_and_wait(chunk)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()

    # The outlet: on the loop.

    def _commit(self, parked: ParkedResponse) -> None:
        if self._has_left.is_set():
            self._finish()
        else:
            self.is_parked = True
            parked.commit()

    def write(self, chunk: bytes, taken: Taken) -> None:
        assert self.status, "output before start_response()"
        if not chunk:
            taken(None)
            return
        self._sent.put((chunk, taken))
        if self._has_left.is_set():
            self._drop_sent()

    def end(self, chunk: bytes, taken: Taken) -> None:
        self.write(chunk, taken)
        self._finish()

    def fail(self, error: BaseException) -> None:
        self._finish(error)

    def respond(self, application: WSGIApplication) -> None:
        self.is_parked = False
        self.server.threads.submit(self.run, application)

    def call(self, function: Callable[[], None]) -> None:
        self.server.threads.submit(function)

    # The end: in the thread, or on the loop.

    def _finish(self, failure: BaseException | None = None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self.failure = failure
        # What was parked, and also what never came back.
        for parked in self.handed_out:
            parked.close()
        self._sent.put((b"", lambda error: None))
        self.over.set()

    def _notice_departure(self) -> None:
        if self.is_parked:
            self._finish()

    def _drop_sent(self) -> None:
        while not self._sent.empty():
            _, taken = self._sent.get()
            taken(BrokenPipeError("the client has left"))

    def _hop(self, function: Callable[..., None], *args: Any) -> None:
        self.server.loop.call_soon_threadsafe(function, *args)

    # The client's side: any other thread.

    def read(self) -> bytes:
        """The next chunk, and nothing at the end; asks the server for more."""
        chunk, taken = self._sent.get(timeout=BOUND)
        taken(None)
        if not chunk and self.failure is not None:
            raise BrokenAnswer(self.failure)
        return chunk

    def read_all(self) -> bytes:
        return b"".join(iter(self.read, b""))

    def leave(self) -> None:
        """Close the connection, whatever the server is doing."""
        self._has_left.set()
        self._drop_sent()
        self._hop(self._notice_departure)
