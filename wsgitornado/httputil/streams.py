"""Bodies that are made while the server takes them: from a file, or from chunks."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from waitress.buffers import ReadOnlyFileBasedBuffer

from wsgitornado._types import Body, HeaderList, StartResponse, WSGIEnvironment
from wsgitornado.httputil.errors import HTTPOutputError
from wsgitornado.httputil.response import complete_headers

__all__ = [
    "CHUNK_SIZE",
    "FileBody",
    "FileWrapper",
    "IteratedBody",
    "StreamedBody",
    "StreamedResponse",
]

#: What is read of a file at once, and so what one reader takes of the memory.
CHUNK_SIZE: Final = 64 * 1024


class StreamedBody:
    """An iterable that a WSGI server takes chunk by chunk, and closes (PEP 3333).

    A base class: :meth:`take` and :meth:`let_go` are to be overridden.
    """

    __slots__ = ("_has_failed", "_is_closed", "_on_close", "_on_error")

    def __init__(self) -> None:
        self._on_error: Callable[[Exception], object] | None = None
        self._on_close: Callable[[bool], object] | None = None
        self._has_failed = False
        self._is_closed = False

    def watch(
        self,
        on_error: Callable[[Exception], object],
        on_close: Callable[[bool], object],
    ) -> None:
        """Say who is told of a failure, before it is raised, and of the end.

        :param on_close: called once; False means that nobody has taken the rest.
        """
        self._on_error = on_error
        self._on_close = on_close

    def take(self) -> bytes | None:
        """The next chunk, or None at the end."""
        raise NotImplementedError  # pragma: no cover

    def put_back(self, chunk: bytes) -> None:
        """Take back the first chunk, so that it comes again."""
        raise NotImplementedError  # pragma: no cover

    def is_taken(self) -> bool:
        """Whether the whole of it has been taken."""
        raise NotImplementedError  # pragma: no cover

    def let_go(self) -> None:
        """Close what it reads from."""
        raise NotImplementedError  # pragma: no cover

    def for_server(self, environ: WSGIEnvironment) -> Body:
        """What the server is given for it."""
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = self.take()
        except Exception as error:
            self.fail(error)
            raise
        if chunk is None:
            raise StopIteration
        return chunk

    def fail(self, error: Exception) -> None:
        """Tell of a failure; who calls it raises the error, to break the response."""
        self._has_failed = True
        if self._on_error is not None:
            self._on_error(error)

    def close(self) -> None:
        """Called by the server at the end, however it came about."""
        if self._is_closed:
            return
        self._is_closed = True
        is_whole = self._has_failed or self.is_taken()
        try:
            self.let_go()
        finally:
            if self._on_close is not None:
                self._on_close(is_whole)

    def __del__(self) -> None:
        # Not every middleware closes what it drops.
        self.close()


class StreamedResponse:
    """A response whose headers are known, and whose body the server is to take."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, status: str, headers: HeaderList, body: StreamedBody) -> None:
        self._status = status
        self._headers = headers
        self._body = body

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response(self._status, complete_headers(environ, self._headers))
        return self._body.for_server(environ)


class IteratedBody(StreamedBody):
    """The chunks of an iterable, text as UTF-8, counted.

    The first one is taken at once: what fails there can still be answered.

    :param length: the bytes that are declared; None if it is not known.
    :raises HTTPOutputError: in time, if there are more bytes than that, or less.
    """

    __slots__ = ("_chunks", "_first", "_is_over", "_left", "_source")

    def __init__(self, chunks: Iterable[str | bytes], length: int | None) -> None:
        super().__init__()
        self._source: Any = chunks
        self._left = length
        self._is_over = False
        self._first: bytes | None = None
        try:
            self._chunks = iter(chunks)
            self._first = self._next()
        except BaseException:
            self.close()
            raise

    def take(self) -> bytes | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return None if self._is_over else self._next()

    def put_back(self, chunk: bytes) -> None:
        self._first = chunk

    def _next(self) -> bytes | None:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            self._is_over = True
            if self._left:
                raise HTTPOutputError(
                    f"Tried to write {self._left} bytes less than Content-Length"
                ) from None
            return None
        if isinstance(chunk, str):
            chunk = chunk.encode()
        elif not isinstance(chunk, bytes):
            raise TypeError(f"a body consists of bytes or text: got {chunk!r}")
        if self._left is not None:
            if len(chunk) > self._left:
                raise HTTPOutputError("Tried to write more data than Content-Length")
            self._left -= len(chunk)
        return chunk

    def is_taken(self) -> bool:
        return self._first is None and (self._is_over or self._left == 0)

    def let_go(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


class FileWrapper:
    """``wsgi.file_wrapper`` of our own server (PEP 3333, Optional Platform-Specific
    File Handling): it sends as much as Content-Length says, from where the file stands.

    :param filelike: has ``read`` and perhaps ``close``.
    :param block_size: how much is read at once.
    """

    def __init__(self, filelike: Any, block_size: int = CHUNK_SIZE) -> None:
        self.filelike = filelike
        self.block_size = block_size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.filelike.read(self.block_size), b"")

    def close(self) -> None:
        close = getattr(self.filelike, "close", None)
        if close is not None:
            close()


class FileBody(StreamedBody):
    """An open file or a part of it; a file itself, for the server's file wrapper.

    It ends where the part ends, however long the file has become; one that has become
    shorter breaks the response.

    :param descriptor: of a regular file; it is closed with this.
    :param status: of the same file.
    """

    __slots__ = (
        "_descriptor",
        "_is_given_away",
        "_is_part",
        "_position",
        "_start",
        "length",
        "status",
    )

    def __init__(self, descriptor: int, status: os.stat_result) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._start = 0
        self._position = 0
        self._is_part = False
        # Whether the server may read without us.
        self._is_given_away = False
        self.status = status
        #: The bytes that it has.
        self.length = status.st_size

    def narrow(self, start: int, end: int) -> None:
        """Make it the part of the file from ``start`` up to and without ``end``."""
        self._start = start
        self.length = end - start
        self._is_part = True

    def for_server(self, environ: WSGIEnvironment) -> Body:
        """The server's file wrapper around it (PEP 3333), where that is right."""
        wrapper = environ.get("wsgi.file_wrapper")
        if wrapper is None:
            return self
        if self._is_part and wrapper not in (ReadOnlyFileBasedBuffer, FileWrapper):
            # waitress sends as much as Content-Length says, from where the file stands.
            # gunicorn has not always done so, and others we do not know.
            return self
        body: Body = wrapper(self, CHUNK_SIZE)
        return body

    def take(self) -> bytes | None:
        return self._read(CHUNK_SIZE) or None

    def put_back(self, chunk: bytes) -> None:
        self._position = 0

    def _read(self, size: int) -> bytes:
        size = min(size, self.length - self._position)
        if size <= 0:
            return b""
        # From a place of our own: a server that sends by the descriptor has another.
        data = os.pread(self._descriptor, size, self._start + self._position)
        if not data:
            raise self._shrunk()
        self._position += len(data)
        return data

    def _shrunk(self) -> HTTPOutputError:
        return HTTPOutputError(
            f"the file has become shorter: {self.length - self._position} bytes less "
            "than Content-Length"
        )

    def read(self, size: int = -1) -> bytes:
        """As of any file.

        :raises HTTPOutputError: if the file ends before it should.
        """
        try:
            return self._read(self.length if size < 0 else size)
        except Exception as error:
            self.fail(error)
            raise

    def read_all(self) -> bytes:
        """All of it, at once."""
        data = self._read(self.length)
        while len(data) < self.length:
            data += self._read(self.length)
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.length}
        self._position = max(base[whence] + offset, 0)
        return self._position

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        """For servers that let the kernel send the file.

        :raises OSError: for a part: the kernel would send all of it.
        """
        if self._is_part:
            raise io.UnsupportedOperation("a part of a file has no descriptor")
        self._is_given_away = True
        return self._descriptor

    def is_taken(self) -> bool:
        # How far the kernel came nobody tells.
        return self._is_given_away or self._position >= self.length

    def let_go(self) -> None:
        is_short = (
            self._is_given_away
            and self._position < self.length
            and os.fstat(self._descriptor).st_size < self.length
        )
        os.close(self._descriptor)
        if is_short:
            # The kernel sends what there is and raises nothing; gunicorn tells how far
            # it came by a seek.
            error = self._shrunk()
            self.fail(error)
            raise error
