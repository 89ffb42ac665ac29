"""Tornado's names for loops of asyncio: there are no others, here and there."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from typing import Any

from wsgitornado.gen import convert_yielded
from wsgitornado.ioloop import IOLoop

__all__ = [
    "AnyThreadEventLoopPolicy",
    "AsyncIOLoop",
    "AsyncIOMainLoop",
    "BaseAsyncIOLoop",
    "to_asyncio_future",
    "to_tornado_future",
]


class BaseAsyncIOLoop(IOLoop):
    """What the loops below have in common."""


class AsyncIOLoop(BaseAsyncIOLoop):
    """A new loop: the same as ``IOLoop()``."""


class AsyncIOMainLoop(BaseAsyncIOLoop):
    """The loop of asyncio in this thread: the one that runs, or was set, or is new.

    ``AsyncIOMainLoop().install()`` stands at the top of programs that then call
    ``asyncio.get_event_loop().run_forever()``; it changes nothing else.
    """

    def _initialize(
        self,
        make_current: bool = True,
        asyncio_loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super()._initialize(make_current, asyncio_loop or _loop_of_thread())

    initialize = _initialize


def _loop_of_thread() -> asyncio.AbstractEventLoop:
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop()
    with contextlib.suppress(RuntimeError), warnings.catch_warnings():
        # From Python 3.12 on where it makes a loop, from 3.14 on it makes none.
        warnings.simplefilter("ignore", DeprecationWarning)
        return asyncio.get_event_loop()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop


def to_tornado_future(asyncio_future: asyncio.Future[Any]) -> asyncio.Future[Any]:
    """Give back what it gets: futures are those of asyncio. Deprecated as there."""
    return asyncio_future


def to_asyncio_future(tornado_future: Any) -> asyncio.Future[Any]:
    """A future for anything that a coroutine may yield; see ``gen.convert_yielded``."""
    future: asyncio.Future[Any] = convert_yielded(tornado_future)
    return future


with warnings.catch_warnings():
    # Policies end with Python 3.16; programs that name this one are older.
    warnings.simplefilter("ignore", DeprecationWarning)
    _Policy: Any = asyncio.DefaultEventLoopPolicy


class AnyThreadEventLoopPolicy(_Policy):  # type: ignore[misc]  # its base depends on the Python
    """Makes a loop in any thread that asks asyncio for one. Deprecated as there."""

    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that was set for this thread, or a new one."""
        with contextlib.suppress(RuntimeError), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            found: asyncio.AbstractEventLoop = super().get_event_loop()
            return found
        loop: asyncio.AbstractEventLoop = self.new_event_loop()
        self.set_event_loop(loop)
        return loop
