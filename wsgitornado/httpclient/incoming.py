"""The body of a response as it arrives: unpacked, bounded, and kept or handed on."""

from __future__ import annotations

import inspect
import io
import zlib
from collections.abc import Awaitable, Callable

from wsgitornado.httputil import HTTPHeaders
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.util import GzipDecompressor

__all__ = ["Incoming"]

#: Unpacked at a time, so that a few bytes of gzip never fill the memory at once.
PART_SIZE = 64 * 1024


class Incoming:
    """Takes the body of one response.

    What breaks HTTP or a limit raises :exc:`HTTPInputError`.

    :param headers: those of the response; changed if the body is to be unpacked.
    :param limit: bytes, packed and unpacked alike.
    :param callback: called with each part, and awaited if it can be; None keeps the
        body.
    """

    def __init__(
        self,
        headers: HTTPHeaders,
        limit: int,
        is_unpacked: bool,
        callback: Callable[[bytes], Awaitable[None] | None] | None,
    ) -> None:
        self._limit = limit
        self._callback = callback
        self._buffer = io.BytesIO()
        self._packed_size = self._size = 0
        self._unpacker: GzipDecompressor | None = None
        _check_framing(headers)
        if is_unpacked and headers.get("Content-Encoding", "").lower() == "gzip":
            self._unpacker = GzipDecompressor()
            headers["X-Consumed-Content-Encoding"] = headers["Content-Encoding"]
            del headers["Content-Encoding"]

    async def take(self, part: bytes) -> None:
        """Take what has arrived."""
        self._packed_size += len(part)
        if self._packed_size > self._limit:
            raise HTTPInputError("body too large")
        if self._unpacker is None:
            await self._hand_on(part)
            return
        while part:
            await self._hand_on(_unpack(self._unpacker, part))
            part = self._unpacker.unconsumed_tail

    async def _hand_on(self, part: bytes) -> None:
        if not part:
            return
        self._size += len(part)
        if self._size > self._limit:
            raise HTTPInputError("decompressed body too large")
        if self._callback is None:
            self._buffer.write(part)
            return
        result = self._callback(part)
        if inspect.isawaitable(result):
            await result

    def end(self) -> io.BytesIO:
        """The whole body; empty if it was handed on."""
        if self._unpacker is not None:
            try:
                self._unpacker.flush()
            except zlib.error as error:
                raise HTTPInputError(f"invalid gzip data: {error}") from error
        self._buffer.seek(0)
        return self._buffer


def _unpack(unpacker: GzipDecompressor, part: bytes) -> bytes:
    try:
        return unpacker.decompress(part, PART_SIZE)
    except zlib.error as error:
        raise HTTPInputError(f"invalid gzip data: {error}") from error


def _check_framing(headers: HTTPHeaders) -> None:
    # RFC 9112 section 6.3: with both, somebody on the way may see another message.
    if "Content-Length" in headers and "Transfer-Encoding" in headers:
        raise HTTPInputError("Message with both Transfer-Encoding and Content-Length")
