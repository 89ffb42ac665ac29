"""A server in a thread, for tests that ask it as browsers do."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from types import TracebackType
from typing import Any, Final

from wsgitornado._types import WSGIApplication
from wsgitornado.httpserver import HTTPServer
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing.loops import Place, cancel_all
from wsgitornado.testing.ports import bind_unused_port

__all__ = ["LiveServer"]

#: Seconds for the connections and tasks to end, before that is an error.
_BOUND: Final = 10.0


class LiveServer:
    """Serves an application on a free port of the loopback, in a thread::

        with LiveServer(app) as server:
            browser.get(server.get_url("/"))

    It is the server of :doc:`httpserver`, with its loop in that thread, so that
    handlers wait there as they do in production. One at a time: its loop is that of the
    process while it runs.

    :param app: our Application, or any other WSGI callable.
    :param options: for :class:`~wsgitornado.httpserver.HTTPServer`.
    :ivar app: the application.
    :ivar http_server: the server.
    :ivar port: its port.
    :ivar url: ``http://127.0.0.1:54321``, without a slash at its end.
    """

    __module__ = "wsgitornado.testing"

    def __init__(self, app: WSGIApplication, **options: Any) -> None:
        self.app = app
        self.http_server = HTTPServer(app, **options)
        self.port = 0
        self.url = ""
        self._ioloop: IOLoop | None = None

    def __repr__(self) -> str:
        return f"<LiveServer {self.url or 'not started'}>"

    def __str__(self) -> str:
        return self.url

    def get_url(self, path: str) -> str:
        """The URL of a path on the server."""
        return f"{self.url}{path}"

    def start(self) -> None:
        """Begin to serve; returns when it does.

        :raises RuntimeError: if it has been started already.
        """
        if self.url:
            raise RuntimeError("a LiveServer is started once: make another one")
        self._sock, self.port = bind_unused_port()
        scheme = "https" if self.http_server.is_secure else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self._ioloop = ioloop = IOLoop(make_current=False)
        self._place = Place(ioloop)
        self._place.take()
        self._thread = threading.Thread(
            target=ioloop.start, name="wsgitornado-live-server", daemon=True
        )
        has_begun = threading.Event()
        ioloop.add_callback(self.http_server.add_sockets, [self._sock])
        ioloop.add_callback(has_begun.set)
        self._thread.start()
        has_begun.wait()

    def stop(self) -> None:
        """Cut all connections, cancel what is left on the loop, and end the thread.

        Harmless for one that does not run.

        :raises RuntimeError: if something does not end when it is cancelled.
        """
        ioloop, self._ioloop = self._ioloop, None
        if ioloop is None:
            return
        ending = asyncio.run_coroutine_threadsafe(self._end(), ioloop.asyncio_loop)
        try:
            stuck = ending.result(_BOUND)
        except concurrent.futures.TimeoutError:
            # When it has returned, the loop and with it the thread will end.
            ioloop.stop()
            stuck = ["a handler, which blocks the loop"]
        else:
            ioloop.stop()
            self._thread.join()
            ioloop.close(all_fds=True)
        finally:
            self._place.leave()
        if stuck:
            raise RuntimeError(
                "the server is over, and what was cancelled did not end:"
                + "".join(f"\n  {place}" for place in stuck)
            )

    async def _end(self) -> list[str]:
        self.http_server.stop()
        await self.http_server.close_all_connections()
        return await cancel_all(IOLoop.current())

    def __enter__(self) -> LiveServer:
        self.start()
        return self

    def __exit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()
