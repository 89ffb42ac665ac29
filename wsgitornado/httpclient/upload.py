"""The body of a request as it is sent: bytes, or what a body_producer writes."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import httpx

from wsgitornado.concurrent import Future
from wsgitornado.httputil.errors import HTTPOutputError

__all__ = ["BytesUpload", "ProducedUpload", "Upload"]

#: Bytes handed to the connection at a time.
PART_SIZE = 64 * 1024


class Upload(httpx.AsyncByteStream):
    """What is iterated, once, for the parts of a body; by default there are none."""

    _body = b""
    _parts: AsyncGenerator[bytes, None] | None = None

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._parts = self._iterate()
        return self._parts

    async def aclose(self) -> None:
        """End what was begun, if nobody takes more of it."""
        if self._parts is not None:
            await self._parts.aclose()

    async def _iterate(self) -> AsyncGenerator[bytes, None]:
        for at in range(0, len(self._body), PART_SIZE):
            yield self._body[at : at + PART_SIZE]


class BytesUpload(Upload):
    """A body that is there."""

    def __init__(self, body: bytes) -> None:
        self._body = body


class ProducedUpload(Upload):
    """Runs a ``body_producer``, which is given :meth:`write`, while it is iterated.

    :param length: what the header ``Content-Length`` says, if there is one.
    """

    def __init__(self, producer: Callable[..., Any], length: int | None) -> None:
        self._producer = producer
        self._left = length
        # What was written, each with the future that its writer may wait for.
        self._written: deque[tuple[bytes, Future[None]]] = deque()
        self._is_news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def write(self, chunk: bytes) -> Future[None]:
        """Send a part of the body. The future is done when there is room for more."""
        future: Future[None] = Future()
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0:
                raise HTTPOutputError("Tried to write more data than Content-Length")
        self._written.append((bytes(chunk), future))
        self._is_news.set()
        return future

    async def _iterate(self) -> AsyncGenerator[bytes, None]:
        self._task = asyncio.ensure_future(self._produce())
        self._task.add_done_callback(lambda _: self._is_news.set())
        while self._written or not self._task.done():
            await self._is_news.wait()
            self._is_news.clear()
            while self._written:
                chunk, future = self._written[0]
                if chunk:
                    yield chunk
                # It was written when the next one is asked for.
                self._written.popleft()
                if not future.done():
                    future.set_result(None)
        await self._task
        if self._left:
            raise HTTPOutputError(
                f"Tried to write {self._left} bytes less than Content-Length"
            )

    async def _produce(self) -> None:
        result = self._producer(self.write)
        if inspect.isawaitable(result):
            await result

    async def aclose(self) -> None:
        """Stop the producer, if nobody takes more of it."""
        await super().aclose()
        task = self._task
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        for _, future in self._written:
            future.cancel()
