"""What ``publish`` gives back: a future for the loop and for threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Generator

from wsgitornado._serving import kept_running
from wsgitornado.concurrent import is_on_loop
from wsgitornado.ioloop import IOLoop
from wsgitornado.log import app_log

__all__ = ["Publication"]


class Publication(concurrent.futures.Future[str]):
    """The cursor of a message, once it is published.

    A coroutine awaits it; a thread, or a plain script, calls ``result(timeout)``. Who
    does neither need not keep it: a failure is then logged. It cannot be cancelled:
    what was said has been said.
    """

    __module__ = "wsgitornado.pubsub"

    def __init__(self, ioloop: IOLoop | None = None) -> None:
        super().__init__()
        self._ioloop = ioloop
        self._is_asked_for = False
        self.set_running_or_notify_cancel()

    def result(self, timeout: float | None = None) -> str:
        """Wait for the cursor, in a thread.

        If it takes longer than *timeout* seconds it is a TimeoutError, and the message
        may still be published.

        :raises BrokerUnavailable: if the message could not be published.
        :raises RuntimeError: on the thread of the loop that does the work.
        """
        self._wait(timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait like :meth:`result`; return what went wrong, or None."""
        self._wait(timeout)
        return super().exception(0)

    def _wait(self, timeout: float | None) -> None:
        self._is_asked_for = True
        if self._ioloop is None or self.done():
            return
        if is_on_loop(self._ioloop.asyncio_loop):
            raise RuntimeError(
                "result() was called on the event loop's own thread and would wait for "
                "itself: await the publication instead"
            )
        with kept_running(self._ioloop):
            concurrent.futures.wait([self], timeout)

    def __await__(self) -> Generator[object, None, str]:
        self._is_asked_for = True
        if not self.done():
            yield from asyncio.wrap_future(self).__await__()
        return super().result(0)

    def __del__(self) -> None:
        if not self._is_asked_for and self.done() and (error := super().exception()):
            app_log.error("A message was not published: %s", error)
