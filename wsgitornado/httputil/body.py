"""A request's body: its limits, and how it is read whole and counted."""

from __future__ import annotations

import io
import os
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import BinaryIO, Final

from wsgitornado._types import Settings, WSGIEnvironment
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.util import GzipDecompressor

__all__ = [
    "BodyLimits",
    "BodyReader",
    "ParseBodyConfig",
    "ParseMultipartConfig",
    "ParseUrlEncodedConfig",
    "body_config",
    "close_body",
    "has_body",
    "read_body",
    "set_parse_body_config",
]


#: How much is read at a time once a body does not stay in memory: large enough that
#: the calls do not count, small enough for thousands of uploads at once.
_CHUNK: Final = 64 * 1024

#: 2**64 has as many; ``int`` takes quadratic time for endless ones.
_MAX_LENGTH_DIGITS: Final = 20

#: Where the spool of a request is remembered, so that nobody reads twice.
_SPOOL_KEY: Final = "wsgitornado.spool"


# Limits


@dataclass
class ParseMultipartConfig:
    """What ``multipart/form-data`` bodies may be.

    :param enabled: False refuses all of them with status 400.
    :param max_parts: fields and files together.
    :param max_part_header_size: bytes of all header lines of one part.
    """

    __module__ = "wsgitornado.httputil"

    enabled: bool = True
    max_parts: int = 100
    max_part_header_size: int = 10 * 1024


@dataclass
class ParseUrlEncodedConfig:
    """What ``application/x-www-form-urlencoded`` bodies may be.

    :param max_arguments: the number of fields, repeated names counted each time.
    """

    __module__ = "wsgitornado.httputil"

    max_arguments: int = 1000


@dataclass
class ParseBodyConfig:
    """The limits of both kinds of forms, under Tornado's names."""

    __module__ = "wsgitornado.httputil"

    multipart: ParseMultipartConfig = field(default_factory=ParseMultipartConfig)
    urlencoded: ParseUrlEncodedConfig = field(default_factory=ParseUrlEncodedConfig)


_config = ParseBodyConfig()


def body_config() -> ParseBodyConfig:
    """The limits for those who name none, as :func:`set_parse_body_config` set them."""
    return _config


def set_parse_body_config(config: ParseBodyConfig) -> None:
    """Replace the process-wide defaults for parsing forms.

    Call it before the application is made: :func:`parse_body_arguments` and
    :func:`parse_multipart_form_data` ask it at each call, and :class:`BodyLimits`
    when it is constructed.
    """
    global _config
    _config = config


#: Fields of BodyLimits whose setting has another name.
_SETTING_NAMES: Final = {
    "memory": "max_body_memory",
    "decompress": "decompress_request",
}


@dataclass(frozen=True)
class BodyLimits:
    """How large a body and its form may be. Beyond each limit stands 400 or 413.

    Each is an application setting of the same name, unless another one is given.

    :param max_body_size: bytes of a body that is read whole, 100 MB as in Tornado;
        counted after inflating too. Beyond it: 413.
    :param memory: bytes of a body that are kept in memory: 1 MB, and 64 KB for the
        rest of a form with a file of that size. A longer one goes to an unnamed
        temporary file. Setting ``max_body_memory``.
    :param max_form_size: bytes of a urlencoded body, or of all multipart fields that
        are not files, because these end up in memory whole: 10 MB, which is a long
        text or a picture in base64. Beyond it: 413.
    :param max_form_fields: the number of fields of a urlencoded body. Beyond it: 400.
    :param max_multipart_parts: the number of fields and files. Beyond it: 400.
    :param max_part_header_size: bytes of the header lines of one part. Beyond it: 400.
    :param parse_multipart: False refuses multipart forms with 400.
    :param decompress: inflate bodies with ``Content-Encoding: gzip``; False, the
        default, leaves them alone. Setting ``decompress_request``.
    :raises ValueError: if a limit is not a number from 0 up.
    """

    __module__ = "wsgitornado.httputil"

    max_body_size: int = 100 * 1024 * 1024
    memory: int = (1024 + 64) * 1024
    max_form_size: int = 10 * 1024 * 1024
    max_form_fields: int = field(
        default_factory=lambda: _config.urlencoded.max_arguments
    )
    max_multipart_parts: int = field(
        default_factory=lambda: _config.multipart.max_parts
    )
    max_part_header_size: int = field(
        default_factory=lambda: _config.multipart.max_part_header_size
    )
    parse_multipart: bool = field(default_factory=lambda: _config.multipart.enabled)
    decompress: bool = False

    def __post_init__(self) -> None:
        for limit in fields(self):
            value: object = getattr(self, limit.name)
            if not isinstance(value, int) or value < 0:
                name = _SETTING_NAMES.get(limit.name, limit.name)
                raise ValueError(f"{name} must be a number from 0 up: got {value!r}")

    @classmethod
    def from_settings(cls, settings: Settings) -> BodyLimits:
        """The limits that an application's settings ask for.

        :raises ValueError: see the class; at start-up, not in a request.
        """
        given = {}
        for limit in fields(cls):
            name = _SETTING_NAMES.get(limit.name, limit.name)
            if name in settings:
                given[limit.name] = settings[name]
        return cls(**given)


# Reading


def has_body(environ: WSGIEnvironment) -> bool:
    """Whether :func:`read_body` has anything to do: the quick question.

    Without both Content-Length and Transfer-Encoding a request has no body
    (RFC 9112 section 6.3).
    """
    length = environ.get("CONTENT_LENGTH")
    return bool(length and length != "0") or "HTTP_TRANSFER_ENCODING" in environ


def read_body(environ: WSGIEnvironment, limits: BodyLimits) -> BinaryIO:
    """Read the body whole, counted, before anything else looks at it.

    The result is seekable and stands at 0: an ``io.BytesIO`` up to ``limits.memory``,
    otherwise an unnamed temporary file. It replaces ``wsgi.input``, and
    CONTENT_LENGTH becomes what was counted. A second call gives the same one again.
    The caller ends with :func:`close_body`. Without a body the result is empty and
    environ stays as it is.

    :raises HTTPInputError: 400 for an invalid length and a body that is shorter or
        longer than it or breaks off, 413 above ``limits.max_body_size`` (a declared
        length before anything is read), 501 for a transfer coding that the server
        leaves in the body.
    """
    source = environ["wsgi.input"]
    former: BinaryIO | None = environ.get(_SPOOL_KEY)
    if former is not None and former is source:
        former.seek(0)
        return former
    length = _declared_length(environ)
    if length == 0:
        return io.BytesIO()
    if length is not None and length > limits.max_body_size:
        raise _too_large(limits)
    if environ.get("webob.is_body_seekable") and hasattr(source, "seek"):
        # Middleware that knows webob's mark has read it already.
        source.seek(0)
    is_terminated = bool(environ.get("wsgi.input_terminated"))
    spool = _read_whole(source.read, length, is_terminated, limits)
    if limits.decompress and "HTTP_CONTENT_ENCODING" in environ:
        spool = _maybe_inflated(environ, spool, limits)
        length = None
    if length is None:
        environ["CONTENT_LENGTH"] = str(_size(spool))
    environ["wsgi.input"] = environ[_SPOOL_KEY] = spool
    environ["wsgi.input_terminated"] = True
    environ["webob.is_body_seekable"] = True
    environ["webob.is_body_readable"] = True
    return spool


def close_body(environ: WSGIEnvironment) -> None:
    """Release what :func:`read_body` opened: called once, at the end of the request.

    Uploads that were not in memory are gone then: their ``body`` and ``file`` raise
    ``ValueError``.
    """
    spool = environ.get(_SPOOL_KEY)
    if spool is not None and not isinstance(spool, io.BytesIO):
        spool.close()


def _declared_length(environ: WSGIEnvironment) -> int | None:
    """The length of the body as the head declares it; None if only its end tells.

    1. a transfer coding counts only where the server has already undone it
    2. no length: nothing, unless there was such a coding (PEP 3333: an absent and an
       empty CONTENT_LENGTH are the same)
    3. the length is digits and nothing else (RFC 9110 section 8.6)
    """
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if coding:
        is_undone = environ.get("wsgi.input_terminated")
        if not is_undone or coding.strip().lower() != "chunked":
            raise HTTPInputError("this server cannot take Transfer-Encoding", 501)
    length: str | None = environ.get("CONTENT_LENGTH")
    if not length:
        return None if coding else 0
    if not length.isascii() or not length.isdigit() or len(length) > _MAX_LENGTH_DIGITS:
        raise HTTPInputError("Content-Length is not a number")
    return int(length)


def _too_large(limits: BodyLimits) -> HTTPInputError:
    return HTTPInputError(f"body larger than {limits.max_body_size} bytes", 413)


class BodyReader:
    """Reads a body in parts, counted, for handlers that stream it.

    :raises HTTPInputError: as :func:`read_body` does: at once for a length that is
        invalid or too large, later for a body that is not as long as it says.
    """

    def __init__(self, environ: WSGIEnvironment, limits: BodyLimits) -> None:
        self._source = environ["wsgi.input"]
        self._limits = limits
        self._length = _declared_length(environ)
        if self._length is not None and self._length > limits.max_body_size:
            raise _too_large(limits)
        self._count = 0

    def read(self) -> bytes:
        """The next part, of 64 KB at most; nothing at the end. May block."""
        size = _CHUNK
        if self._length is not None:
            size = min(size, self._length - self._count)
        return self.count(_read_once(self._source.read, size) if size else b"")

    def count(self, chunk: bytes) -> bytes:
        """Count a part that came by another way, and pass it on."""
        self._count += len(chunk)
        if self._count > self._limits.max_body_size:
            raise _too_large(self._limits)
        if not chunk and self._length is not None and self._count < self._length:
            raise HTTPInputError("body shorter than declared")
        return chunk


def _read_once(read: Callable[[int], bytes], size: int) -> bytes:
    """One call of the server's ``read``; whatever it raises, the client is gone."""
    try:
        chunk = read(size)
    except HTTPInputError:
        raise
    except Exception as error:
        raise HTTPInputError("the body broke off") from error
    if not isinstance(chunk, bytes):
        raise TypeError(
            f"wsgi.input.read() must return bytes: got {type(chunk).__name__} "
            f"(see PEP 3333)"
        )
    if len(chunk) > size:
        raise HTTPInputError("body longer than declared")
    return chunk


def _read_whole(
    read: Callable[[int], bytes],
    length: int | None,
    is_terminated: bool,
    limits: BodyLimits,
) -> BinaryIO:
    """Read ``length`` bytes; None means to the end.

    Never asks for more than was declared, unless the server ends the input itself.
    """
    size = limits.max_body_size + 1 if length is None else length
    chunk = _read_once(read, min(size, max(limits.memory, _CHUNK)))
    if len(chunk) == length and length <= limits.memory:
        # The usual body is one chunk, which BytesIO shares instead of copying it.
        spool: BinaryIO = io.BytesIO(chunk)
    else:
        spool = _read_on(read, chunk, size, length, limits)
    if length is not None and is_terminated:
        try:
            if _read_once(read, 1):
                raise HTTPInputError("body longer than declared")
        except BaseException:
            spool.close()
            raise
    return spool


def _read_on(
    read: Callable[[int], bytes],
    chunk: bytes,
    size: int,
    length: int | None,
    limits: BodyLimits,
) -> BinaryIO:
    """Read what follows the first chunk, ``size`` bytes altogether at most."""
    with _Spool(limits.memory) as spool:
        spool.write(chunk)
        while chunk and spool.count < size:
            chunk = _read_once(read, min(size - spool.count, _CHUNK))
            spool.write(chunk)
        if spool.count > limits.max_body_size:
            raise _too_large(limits)
        if length is not None and spool.count < length:
            raise HTTPInputError("body shorter than declared")
        return spool.file


class _Spool:
    """Collects a body: in memory up to a threshold, then in an unnamed file.

    Leaving the context brings the file to its start, or closes it after an error.
    """

    __slots__ = ("count", "file", "memory")

    def __init__(self, memory: int) -> None:
        self.count = 0
        self.file: BinaryIO = io.BytesIO()
        self.memory = memory

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if error is None:
            # This also writes out what is buffered, for readers by descriptor.
            self.file.seek(0)
        else:
            self.file.close()

    def write(self, chunk: bytes) -> None:
        self.count += len(chunk)
        if self.count > self.memory:
            self._leave_memory()
        self.file.write(chunk)

    def _leave_memory(self) -> None:
        memory = self.file
        if isinstance(memory, io.BytesIO):
            self.file = tempfile.TemporaryFile()  # noqa: SIM115  # see close_body
            self.file.write(memory.getvalue())


def _size(spool: BinaryIO) -> int:
    if isinstance(spool, io.BytesIO):
        return len(spool.getvalue())  # shared with it, not copied
    return os.fstat(spool.fileno()).st_size


# Inflating


def _maybe_inflated(
    environ: WSGIEnvironment, spool: BinaryIO, limits: BodyLimits
) -> BinaryIO:
    """The inflated body for gzip, which then leaves the head as Tornado does it."""
    coding = environ["HTTP_CONTENT_ENCODING"]
    if coding.strip().lower() != "gzip":
        return spool
    with spool:
        inflated = _inflate(spool, limits)
    environ["HTTP_X_CONSUMED_CONTENT_ENCODING"] = coding
    del environ["HTTP_CONTENT_ENCODING"]
    return inflated


def _inflate(compressed: BinaryIO, limits: BodyLimits) -> BinaryIO:
    """Inflate within the limits: at most a chunk at a time, counted."""
    decompressor = GzipDecompressor()
    with _Spool(limits.memory) as spool:
        try:
            while data := compressed.read(_CHUNK):
                while data:
                    spool.write(decompressor.decompress(data, _CHUNK))
                    if spool.count > limits.max_body_size:
                        raise _too_large(limits)
                    data = decompressor.unconsumed_tail
            decompressor.flush()
        except zlib.error as error:
            raise HTTPInputError("the gzip body is damaged") from error
        return spool.file
