"""Requests out of bytes: the parser of one connection, which knows no socket."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final, Protocol

from wsgitornado.httpserver import _h11_parser
from wsgitornado.httpserver.checks import (
    RequestHead,
    check_head,
    read_request_line,
)
from wsgitornado.httpserver.chunks import ChunkedBody
from wsgitornado.httpserver.fields import KnownBlocks, read_fields
from wsgitornado.httpserver.head import HeadScanner, RequestError
from wsgitornado.httpserver.limits import Limits

try:
    from wsgitornado.httpserver import _httptools_parser
except ModuleNotFoundError as error:
    if error.name != "httptools":
        raise
    _httptools_parser = None  # type: ignore[assignment]  # an error when asked for

__all__ = ["Receiver", "RequestError", "RequestHead", "RequestParser", "find_backend"]

_HEAD_END: Final = b"\r\n\r\n"

# What a parser reads next.
_HEAD: Final = 0
_BODY: Final = 1
_END: Final = 2  # nothing: the request is complete, which its receiver must be told
_LAST: Final = 3  # nothing more: the client has said so
_OVER: Final = 4  # nothing more: there was an error, or another protocol begins

#: Gives names and values of the fields of a head.
_Splitter = Callable[[bytes], list[tuple[bytes, bytes]]]


class Receiver(Protocol):
    """What a :class:`RequestParser` tells of what it has read, in this order."""

    def on_head(self, head: RequestHead) -> None:
        """A request begins; its head is complete and checked."""

    def on_body(self, data: bytes) -> None:
        """A piece of its body, never empty; chunks are joined already."""

    def on_end(self) -> None:
        """The request is complete."""

    def on_error(self, error: RequestError) -> None:
        """What comes is no request, or breaks off; nothing follows."""


class RequestParser:
    """Reads the requests of one connection, however its bytes are split.

    The first request that breaks a rule or a limit ends all: its receiver is told
    once, and what comes after is not looked at, because nobody knows what it is
    (RFC 9112 sections 2.2 and 6.3). Requests before it have been delivered.

    The limit of bodies is left to the receiver, who knows for whom they are.

    :param receiver: is told what comes; see :class:`Receiver`. It may call any method
        of the parser at any time.
    :param backend: what splits header fields: ``"httptools"``, ``"h11"``, or None for
        the first of them that is installed. The checks are the same for both.
    :raises ModuleNotFoundError: when the backend is not installed.
    :raises ValueError: for another backend.
    """

    __slots__ = (
        "_at",
        "_chunks",
        "_data",
        "_has_ended",
        "_is_last",
        "_is_paused",
        "_is_running",
        "_known",
        "_left",
        "_limits",
        "_plain_size",
        "_queue",
        "_receiver",
        "_scanner",
        "_split",
        "_state",
    )

    def __init__(
        self, receiver: Receiver, limits: Limits, backend: str | None = None
    ) -> None:
        self._receiver = receiver
        self._limits = limits
        self._split = find_backend(backend)
        self._known = _known_blocks(self._split)
        self._state = _HEAD
        # What is being read, and how far; what was fed meanwhile.
        self._data = b""
        self._at = 0
        self._queue = bytearray()
        # Of a head that is not complete, or not as it should be.
        self._scanner: HeadScanner | None = None
        # In a head of this size no line can be too long.
        self._plain_size = min(
            limits.max_header_size, limits.max_request_line, limits.max_header_line
        )
        # Of a body: the bytes that have not come, or what takes its chunks apart.
        self._left = 0
        self._chunks: ChunkedBody | None = None
        self._is_last = False
        self._is_paused = self._is_running = self._has_ended = False

    def feed(self, data: bytes) -> None:
        """Read on; the receiver is told before this returns, unless it has paused.

        While it has, or when called by it, *data* is kept: see :attr:`pending`.
        """
        if self._state == _OVER:
            return
        if self._is_paused or self._is_running:
            self._queue += data
        else:
            self._data = data
            self._at = 0
            self._run()

    def pause(self) -> None:
        """Tell the receiver nothing more until :meth:`resume`, not even an end."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on where :meth:`pause` stopped."""
        self._is_paused = False
        if not self._is_running:
            self._run()

    def eof(self) -> None:
        """Nothing more will come: a request that is not complete is an error."""
        self._has_ended = True
        if not self._is_paused and not self._is_running:
            self._run()

    def detach(self) -> bytes:
        """Stop for good, and give what was fed and not read: of another protocol."""
        rest = self._rest()
        self._stop()
        return rest

    @property
    def pending(self) -> int:
        """How many bytes were fed and belong to nothing that was delivered."""
        part = 0 if self._scanner is None else len(self._scanner.part)
        return part + len(self._data) - self._at + len(self._queue)

    @property
    def is_between_requests(self) -> bool:
        """Whether nothing of a next request has come.

        An empty line is nothing: some clients send one after a body.
        """
        if self._state not in (_HEAD, _LAST):
            return False
        return self.pending <= 2 and b"\r\n".startswith(self._rest())

    def _rest(self) -> bytes:
        part = b"" if self._scanner is None else self._scanner.part
        return b"".join((part, self._data[self._at :], self._queue))

    def _run(self) -> None:
        self._is_running = True
        try:
            while not self._is_paused:
                state = self._state
                if state == _END:
                    self._state = _LAST if self._is_last else _HEAD
                    self._receiver.on_end()
                elif self._at == len(self._data):
                    if not self._queue:
                        if self._has_ended:
                            self._check_end()
                        break
                    self._data = bytes(self._queue)
                    self._at = 0
                    self._queue.clear()
                elif state == _HEAD:
                    self._read_head()
                elif state == _BODY:
                    self._read_body()
                else:
                    break
        except RequestError as error:
            self._stop()
            self._receiver.on_error(error)
        finally:
            self._is_running = False
            # Nobody waits with what has been read: a long poll may last for hours. No
            # more is copied than was read.
            if 2 * self._at >= len(self._data):
                self._data = self._data[self._at :]
                self._at = 0

    def _check_end(self) -> None:
        if self._state < _END and not self.is_between_requests:
            raise RequestError(400, "the request breaks off")

    def _stop(self) -> None:
        self._state = _OVER
        self._data = b""
        self._at = 0
        self._queue.clear()
        self._scanner = self._chunks = None

    def _read_head(self) -> None:
        data, at = self._data, self._at
        end = data.find(_HEAD_END, at) + 4 if self._scanner is None else 0
        if 3 < end <= at + self._plain_size:
            # The quick way. It refuses nothing: what is not as it should be is read
            # again line by line, up to the first thing that is wrong.
            try:
                request = self._quick_request(data, at, end)
            except RequestError:
                request = None
            if request is not None:
                self._at = end
                self._begin(request)
                return
        self._scan_head()

    def _quick_request(self, data: bytes, at: int, end: int) -> RequestHead | None:
        """What a head says that is there in one piece; None if it is not plain."""
        line_end = data.index(b"\r\n", at)
        block = data[line_end:end]
        fields = self._known.get(block)
        if fields is None or len(fields) > self._limits.max_header_fields:
            head = data[at:end]
            if not self._is_plain(head):
                return None
            fields = read_fields(self._split(head))
            self._known.remember(block, fields)
        # Line ends and the like in the first line are none of its parts.
        start_line = read_request_line(data[at:line_end].decode("latin-1"))
        return check_head(start_line, fields)

    def _is_plain(self, head: bytes) -> bool:
        """Whether the lines of a head are as they must be, which parsers hide.

        1. CR and LF stand nowhere but at the ends of lines.
        2. No line begins with a blank.
        3. There are not too many; none is too long in so short a head.
        """
        count = head.count(b"\r\n")
        return (
            head.count(b"\n") == count
            and head.count(b"\r") == count
            and b"\n " not in head
            and b"\n\t" not in head
            and count - 2 <= self._limits.max_header_fields
        )

    def _scan_head(self) -> None:
        scanner = self._scanner
        if scanner is None:
            scanner = self._scanner = HeadScanner(self._limits)
        self._at, head = scanner.take(self._data, self._at)
        if head is not None:
            self._scanner = None
            self._begin(self._request_of(head))

    def _request_of(self, head: bytes) -> RequestHead:
        """What a complete head says, read by the library and checked by us."""
        start_line = read_request_line(head[: head.index(b"\r\n")].decode("latin-1"))
        return check_head(start_line, read_fields(self._split(head)))

    def _begin(self, request: RequestHead) -> None:
        self._is_last = not request.keep_alive
        self._state = _BODY
        if request.is_chunked:
            self._chunks = ChunkedBody(self._limits)
        elif request.content_length:
            self._left = request.content_length
        else:
            self._state = _END
        self._receiver.on_head(request)

    def _read_body(self) -> None:
        if self._chunks is None:
            at = self._at
            piece = self._data[at : at + self._left]
            self._at = at + len(piece)
            self._left -= len(piece)
            is_over = not self._left
        else:
            self._at, piece = self._chunks.take(self._data, self._at)
            is_over = self._chunks.is_over
        if is_over:
            self._chunks = None
            self._state = _END
        if piece:
            self._receiver.on_body(piece)


@functools.cache
def _known_blocks(split: _Splitter) -> KnownBlocks:
    """Those that a backend has read: no backend answers for the other."""
    return KnownBlocks()


def find_backend(name: str | None) -> _Splitter:
    """What splits header fields; raises what :class:`RequestParser` does."""
    if name == "h11" or (name is None and _httptools_parser is None):
        return _h11_parser.split_head
    if name not in ("httptools", None):
        raise ValueError(f"the backend is 'httptools', 'h11' or None: got {name!r}")
    if _httptools_parser is None:
        raise ModuleNotFoundError(
            "httptools is not installed: pip install 'wsgitornado[fast]'",
            name="httptools",
        )
    return _httptools_parser.split_head
