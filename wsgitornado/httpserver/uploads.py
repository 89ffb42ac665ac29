"""Bodies of requests as they come in: collected, or handed over piece by piece."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, BinaryIO, Final

from wsgitornado.httputil.errors import HTTPInputError

if TYPE_CHECKING:
    from wsgitornado.httpserver.connection import Connection

__all__ = ["CONTINUE", "CollectedUpload", "StreamedUpload", "Upload"]

#: The interim response that asks for the body (RFC 9110 section 15.2.1).
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

#: A body is kept in memory up to this, then in an unnamed file.
_MOST_IN_MEMORY: Final = 1024 * 1024

#: Seconds for which a body may stand still that has come fast so far: a tunnel, a
#: change of networks.
_LONGEST_STALL: Final = 60.0


class Upload:
    """The body of a request, while it is received.

    Its rate is watched like this: what comes fills a bucket that empties by
    ``body_min_rate`` bytes a second, as long as we wait for the client. It begins with
    ``body_rate_grace`` seconds and holds a minute; empty, the client is too slow.

    :param most: bytes that are taken; a handler may set another number.
    """

    __slots__ = (
        "_began",
        "_counted",
        "_credit",
        "_looked",
        "_rate",
        "_timer",
        "connection",
        "count",
        "has_ended",
        "most",
    )

    def __init__(self, connection: Connection, most: int) -> None:
        limits = connection.limits
        self.connection = connection
        self.most = most
        self.count = 0
        self.has_ended = False
        self._rate = limits.body_min_rate
        self._credit = limits.body_rate_grace * self._rate
        self._counted = 0
        self._began = self._looked = monotonic()
        self._timer: asyncio.TimerHandle | None = None
        if limits.body_timeout is not None:
            self.set_timeout(limits.body_timeout)
        connection.server.body_deadlines.set(connection)

    # On the way in.

    def take(self, data: bytes) -> None:
        """A piece of the body has come.

        :raises HTTPInputError: 413, when it is too large.
        """
        self.count += len(data)

    def _check_size(self, size: int) -> None:
        if size > self.most:
            raise HTTPInputError(f"body larger than {self.most} bytes", 413)

    def end(self) -> None:
        """It is complete."""
        self.has_ended = True
        self._stop_clocks()

    def fail(self, error: HTTPInputError) -> None:
        """Its rest will not come, or is not wanted."""
        self._stop_clocks()

    # The time it takes.

    def set_timeout(self, seconds: float) -> None:
        """How long all of it may take, from its beginning."""
        if self._timer is not None:
            self._timer.cancel()
        left = max(0.0, self._began + seconds - monotonic())
        connection = self.connection
        self._timer = connection.loop.call_later(left, connection.give_up_body, self)

    def is_too_slow(self) -> bool:
        """Whether less has come since the last look than had to."""
        credit = self._credit + self.count - self._counted
        credit -= self._waited() * self._rate
        self._counted = self.count
        self._credit = min(credit, _LONGEST_STALL * self._rate)
        # Less than one, for clocks are not that exact.
        return self._rate > 0 and credit < 1

    def _waited(self) -> float:
        """The seconds since the last look in which we have waited for the client."""
        before, self._looked = self._looked, monotonic()
        return self._looked - before

    def _stop_clocks(self) -> None:
        self.connection.server.body_deadlines.call_off(self.connection)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class CollectedUpload(Upload):
    """A body that the application gets whole, as ``wsgi.input``."""

    __slots__ = ("_file",)

    def __init__(self, connection: Connection, most: int) -> None:
        super().__init__(connection, most)
        self._file: BinaryIO = io.BytesIO()

    def take(self, data: bytes) -> None:
        super().take(data)
        self._check_size(self.count)
        if self.count > _MOST_IN_MEMORY and isinstance(self._file, io.BytesIO):
            # First the file: there may be no room for one.
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # closed by that
            memory, self._file = self._file, _SpoolFile(file)
            self._file.write(memory.getvalue())
        self._file.write(data)

    def fail(self, error: HTTPInputError) -> None:
        super().fail(error)
        self._file.close()

    def file(self) -> BinaryIO:
        """All of it, to be read from its beginning."""
        self._file.seek(0)
        return self._file


class StreamedUpload(Upload):
    """A body whose handler takes it as it comes.

    :param expects_continue: whether the client waits to be asked for it.
    """

    __slots__ = (
        "_chunks",
        "_delivered",
        "_error",
        "_expects_continue",
        "_seconds",
        "_size",
        "_waiter",
    )

    def __init__(
        self, connection: Connection, most: int, expects_continue: bool
    ) -> None:
        super().__init__(connection, most)
        self._expects_continue = expects_continue
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._delivered = 0
        self._error: HTTPInputError | None = None
        self._waiter: asyncio.Future[None] | None = None
        # For which the handler has waited since the last look.
        self._seconds = 0.0

    def take(self, data: bytes) -> None:
        super().take(data)
        most = self.connection.server.chunk_size
        for start in range(0, len(data), most):
            self._chunks.append(data[start : start + most])
        self._size += len(data)
        if self._size > self.connection.limits.max_read_ahead:
            self.connection.pause_reading()
        self._wake()

    def end(self) -> None:
        super().end()
        self._wake()

    def fail(self, error: HTTPInputError) -> None:
        super().fail(error)
        if not self.has_ended and self._error is None:
            self._error = error
            self._wake()

    def _waited(self) -> float:
        if self._waiter is not None:
            self._count_wait()
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def _count_wait(self) -> None:
        before, self._looked = self._looked, monotonic()
        self._seconds += self._looked - before

    async def receive(self) -> bytes:
        """The next part, of ``chunk_size`` at most; nothing at the end.

        :raises HTTPInputError: if the rest does not come, or is too large.
        """
        if self._expects_continue and not self._chunks and not self.has_ended:
            # Not before the handler wants it: prepare() may have refused it.
            self._expects_continue = False
            self.connection.send(CONTINUE)
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self.has_ended:
                return b""
            await self._wait()
        chunk = self._chunks.popleft()
        self._size -= len(chunk)
        self._delivered += len(chunk)
        # Only now: prepare() may have set another limit since the first bytes came.
        self._check_size(self._delivered)
        if not self._chunks and not self.has_ended:
            self.connection.resume_reading()
        return chunk

    async def _wait(self) -> None:
        self._looked = monotonic()
        self._waiter = self.connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
            self._count_wait()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _SpoolFile(io.BufferedRandom):
    """An unnamed file that is closed with the last reference to it, in silence.

    Nobody knows when an application is through with a body: it may have threads of its
    own.
    """

    def __del__(self) -> None:
        self.close()
