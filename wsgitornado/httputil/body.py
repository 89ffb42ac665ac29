"""A request's body: read whole and counted, then taken apart as a form."""

from __future__ import annotations

import functools
import io
import os
import re
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from types import ModuleType
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar

import multipart

from wsgitornado._types import Settings, WSGIEnvironment
from wsgitornado.escape import parse_qs_bytes
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.httputil.headers import HTTPHeaders, _parse_header
from wsgitornado.util import GzipDecompressor, ObjectDict

__all__ = [
    "BodyLimits",
    "HTTPFile",
    "ParseBodyConfig",
    "ParseMultipartConfig",
    "ParseUrlEncodedConfig",
    "close_body",
    "close_files",
    "has_body",
    "is_form",
    "parse_body_arguments",
    "parse_form",
    "parse_multipart_form_data",
    "read_body",
    "set_parse_body_config",
]


def check_multipart(module: ModuleType) -> None:
    """Refuse a module named ``multipart`` that is not the library of that name.

    Old releases of python-multipart install a package under the same name.

    :raises ImportError: naming the distribution in the way and what to do.
    """
    if hasattr(module, "PushMultipartParser"):
        return
    place = getattr(module, "__file__", None)
    if hasattr(module, "QuerystringParser"):
        culprit, remedy = "python-multipart", "uninstall python-multipart, then "
    else:
        culprit, remedy = "a multipart older than 1.2", ""
    raise ImportError(
        f"wsgitornado needs the library 'multipart' (1.2 or later), but the module of "
        f"that name at {place} comes from {culprit}: {remedy}"
        f"run 'pip install --force-reinstall multipart'"
    )


check_multipart(multipart)

#: How much is read at a time once a body does not stay in memory: large enough that
#: the calls do not count, small enough for thousands of uploads at once.
_CHUNK: Final = 64 * 1024

#: 2**64 has as many; ``int`` takes quadratic time for endless ones.
_MAX_LENGTH_DIGITS: Final = 20

#: RFC 2046 allows 70 characters; some clients take more.
_MAX_BOUNDARY: Final = 1024

#: Lines that only begin like the delimiter are content, but each costs a step here.
_MAX_LOOKALIKES: Final = 100_000

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


# Where the bytes of a form are


class _MemorySource:
    """A body in memory."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def find(self, needle: bytes, start: int) -> int:
        return self._data.find(needle, start)

    def read(self, start: int, end: int) -> bytes:
        return self._data[start:end]

    def open(self, start: int, end: int) -> BinaryIO:
        return io.BytesIO(self._data[start:end])


class _FileSource:
    """A body in a file, read by position: its readers never disturb one another.

    The descriptor is asked for at every read, because a closed file raises then
    while its number may already be somebody else's.
    """

    __slots__ = ("_buffer", "_file", "_start")

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._buffer = b""
        self._start = 0

    def read_some(self, start: int, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, start)

    def find(self, needle: bytes, start: int) -> int:
        """Like ``bytes.find``; the chunk of the last hit is kept for the next call."""
        offset = start - self._start
        if not 0 <= offset <= len(self._buffer):
            self._buffer, self._start, offset = b"", start, 0
        while (index := self._buffer.find(needle, offset)) < 0:
            # The end of this chunk may be the beginning of the needle.
            kept = max(offset, len(self._buffer) - len(needle) + 1)
            chunk = self.read_some(self._start + len(self._buffer), _CHUNK)
            if not chunk:
                return -1
            self._buffer = self._buffer[kept:] + chunk
            self._start += kept
            offset = 0
        return self._start + index

    def read(self, start: int, end: int) -> bytes:
        chunks = []
        while start < end and (chunk := self.read_some(start, end - start)):
            chunks.append(chunk)
            start += len(chunk)
        return b"".join(chunks)

    def open(self, start: int, end: int) -> BinaryIO:
        return io.BufferedReader(_Window(self, start, end))


class _Window(io.RawIOBase):
    """A stretch of a file as a file of its own, for reading."""

    def __init__(self, source: _FileSource, start: int, end: int) -> None:
        self._source = source
        self._start = start
        self._size = end - start
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}
        position = base[whence] + offset
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        self._position = position
        return position

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._size - self._position))
        data = self._source.read_some(self._start + self._position, wanted)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


_Source = _MemorySource | _FileSource


def _source_of(body: bytes | BinaryIO) -> tuple[_Source, int]:
    """Where the bytes are, and how many.

    1. in memory
    2. in a file of the system
    3. in any other object that reads and seeks: a server's own
    """
    if isinstance(body, io.BytesIO):
        body = body.getvalue()
    if not isinstance(body, bytes):
        try:
            body.flush()
            return _FileSource(body), _size(body)
        except (AttributeError, OSError):
            body.seek(0)
            body = body.read()
    return _MemorySource(body), len(body)


# Uploaded files


class _Stretch(NamedTuple):
    """The content of one part: where in which source."""

    source: _Source
    start: int
    end: int


def _with_body(name: str) -> Any:
    """The method of ``dict`` with that name, working on all keys."""
    method = getattr(ObjectDict, name)

    @functools.wraps(method)
    def complete(self: HTTPFile, *args: Any, **kwargs: Any) -> Any:
        self._load()
        return method(self, *args, **kwargs)

    return complete


class HTTPFile(ObjectDict):
    """An uploaded file: ``filename``, ``body`` and ``content_type``.

    A dictionary whose keys are attributes too, as in Tornado. The filename is what
    the client sent: never use it as a path. ``body`` is read into memory when
    somebody first asks for it; :attr:`file` gives the same bytes without that.
    A large upload is on disk until the request ends, and gone afterwards.
    """

    __module__ = "wsgitornado.httputil"

    _stretch: _Stretch | None = None
    _is_loaded = True
    _file: BinaryIO | None = None

    @classmethod
    def _from_part(
        cls, filename: str, content_type: str, stretch: _Stretch
    ) -> HTTPFile:
        file = cls(filename=filename, content_type=content_type)
        object.__setattr__(file, "_stretch", stretch)
        object.__setattr__(file, "_is_loaded", False)
        return file

    @property
    def file(self) -> BinaryIO:
        """The content as a seekable binary file, for reading; always the same one."""
        if self._file is None:
            if self._stretch is None:
                opened: BinaryIO = io.BytesIO(self["body"])
            else:
                source, start, end = self._stretch
                opened = source.open(start, end)
            object.__setattr__(self, "_file", opened)
            return opened
        return self._file

    def close(self) -> None:
        """Close :attr:`file`, if somebody has asked for it."""
        if self._file is not None:
            self._file.close()

    def _load(self) -> None:
        if self._is_loaded:
            return
        if self._stretch is not None and not super().__contains__("body"):
            source, start, end = self._stretch
            self["body"] = source.read(start, end)
        object.__setattr__(self, "_is_loaded", True)

    def __missing__(self, key: str) -> Any:
        """Called by ``file["body"]`` while the body is not there."""
        if key != "body" or self._is_loaded:
            raise KeyError(key)
        self._load()
        return self[key]

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or (key == "body" and not self._is_loaded)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key``, or ``default``; only "body" reads the content."""
        try:
            return self[key]
        except KeyError:
            return default

    def __reduce__(self) -> tuple[type[HTTPFile], tuple[dict[str, Any]]]:
        return type(self), (dict(self),)

    def __repr__(self) -> str:
        if self._is_loaded or self._stretch is None:
            return super().__repr__()
        size = self._stretch.end - self._stretch.start
        return f"<HTTPFile {self.filename!r}, {size} bytes>"

    __hash__ = None  # type: ignore[assignment]  # as in dict; mypy wants object's

    # Whoever sees all keys or removes one needs the body to be among them.
    __delitem__ = _with_body("__delitem__")
    __eq__ = _with_body("__eq__")
    __iter__ = _with_body("__iter__")
    __len__ = _with_body("__len__")
    __ne__ = _with_body("__ne__")
    __or__ = _with_body("__or__")
    __reversed__ = _with_body("__reversed__")
    __ror__ = _with_body("__ror__")
    clear = _with_body("clear")
    copy = _with_body("copy")
    items = _with_body("items")
    keys = _with_body("keys")
    pop = _with_body("pop")
    popitem = _with_body("popitem")
    setdefault = _with_body("setdefault")
    values = _with_body("values")


# Forms

_T = TypeVar("_T")

Arguments = dict[str, list[bytes]]
Files = dict[str, list[HTTPFile]]


def is_form(content_type: str) -> bool:
    """Whether :func:`parse_form` finds anything in a body of that type."""
    return _form_kind(content_type) is not None


def close_files(files: dict[str, list[HTTPFile]]) -> None:
    """Close what was opened as :attr:`HTTPFile.file`; bodies in memory stay.

    :func:`close_body` closes what these files read from.
    """
    for uploads in files.values():
        for upload in uploads:
            upload.close()


def parse_form(
    content_type: str,
    body: bytes | BinaryIO,
    limits: BodyLimits,
    content_encoding: str = "",
) -> tuple[Arguments, Files]:
    """The form in a body: what the request calls when arguments are first needed.

    A body of any other type is no form: both results are empty. Files stay where
    they are in ``body``, which is bytes or what :func:`read_body` gave.

    :raises HTTPInputError: 400 for a malformed form, one that is still compressed and
        one with too many parts; 413 above ``limits.max_form_size``.
    """
    kind = _form_kind(content_type)
    if kind is None:
        return {}, {}
    if content_encoding:
        raise HTTPInputError(f"Unsupported Content-Encoding: {content_encoding}")
    source, size = _source_of(body)
    if kind == "multipart":
        return _parse_multipart(
            source,
            _boundary(content_type),
            ParseMultipartConfig(
                limits.parse_multipart,
                limits.max_multipart_parts,
                limits.max_part_header_size,
            ),
            limits.max_form_size,
        )
    if size > limits.max_form_size:
        raise _form_too_large(limits.max_form_size)
    return _parse_urlencoded(source.read(0, size), limits.max_form_fields), {}


def parse_body_arguments(
    content_type: str,
    body: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
    headers: HTTPHeaders | None = None,
    *,
    config: ParseBodyConfig | None = None,
) -> None:
    """Add the fields and files of a form to two dictionaries.

    The values are bytes; names that a urlencoded form repeats or leaves empty stay.
    A body of another type adds nothing. After an error nothing was added.

    :param headers: if they have a Content-Encoding, a form is refused.
    :param config: limits; without it those of :func:`set_parse_body_config`.
    :raises HTTPInputError: if the form is malformed or beyond the limits.
    """
    kind = _form_kind(content_type)
    if kind is None:
        return
    if headers is not None and "Content-Encoding" in headers:
        coding = headers["Content-Encoding"]
        raise HTTPInputError(f"Unsupported Content-Encoding: {coding}")
    if config is None:
        config = _config
    if kind == "multipart":
        parse_multipart_form_data(
            _boundary(content_type), body, arguments, files, config=config.multipart
        )
    else:
        _add(arguments, _parse_urlencoded(body, config.urlencoded.max_arguments))


def parse_multipart_form_data(
    boundary: bytes,
    data: bytes,
    arguments: dict[str, list[bytes]],
    files: dict[str, list[HTTPFile]],
    *,
    config: ParseMultipartConfig | None = None,
) -> None:
    """Add the fields and files of a ``multipart/form-data`` body to two dictionaries.

    :param boundary: as in the Content-Type, with or without quotes around it.
    :param config: limits; without it those of :func:`set_parse_body_config`.
    :raises HTTPInputError: if the body is malformed or beyond the limits; nothing was
        added then.
    """
    if len(boundary) > 1 and boundary[:1] == boundary[-1:] == b'"':
        boundary = boundary[1:-1]
    found, uploads = _parse_multipart(
        _MemorySource(data), boundary, config or _config.multipart, None
    )
    _add(arguments, found)
    _add(files, uploads)


def _add(target: dict[str, list[_T]], found: dict[str, list[_T]]) -> None:
    for name, values in found.items():
        target.setdefault(name, []).extend(values)


def _form_kind(content_type: str) -> str | None:
    """Which of the two kinds of form a body of that type is.

    A type that only begins like one is taken for it, as in Tornado: "multipart"
    then fails for its boundary, rather than to be a request without arguments.
    """
    content_type = content_type.lower()
    if content_type.startswith("application/x-www-form-urlencoded"):
        return "urlencoded"
    if content_type.startswith("multipart/form-data"):
        return "multipart"
    return None


def _form_too_large(max_form_size: int) -> HTTPInputError:
    return HTTPInputError(f"form larger than {max_form_size} bytes", 413)


def _parse_urlencoded(body: bytes, max_fields: int) -> Arguments:
    try:
        return parse_qs_bytes(body, True, max_num_fields=max_fields)
    except ValueError as error:
        raise HTTPInputError(f"Invalid x-www-form-urlencoded body: {error}") from error


# Multipart


def _malformed(reason: str) -> HTTPInputError:
    return HTTPInputError(f"Invalid multipart/form-data: {reason}")


def _boundary(content_type: str) -> bytes:
    kind, parameters = _parse_header(content_type)
    if kind.strip().lower() != "multipart/form-data":
        raise _malformed("invalid content type")
    boundary = parameters.get("boundary", "")
    if not boundary:
        raise _malformed("multipart boundary not found")
    if not boundary.isascii():
        raise _malformed("the boundary must be ASCII (RFC 2046 section 5.1.1)")
    return boundary.encode("ascii")


class _Delimiter(NamedTuple):
    """A line that ends one part and begins the next."""

    start: int
    end: int
    is_final: bool


class _Delimiters:
    """Finds the delimiters of a body (RFC 2046 section 5.1.1).

    A line that goes on after the boundary is no delimiter but content, so that what
    was uploaded comes back byte for byte.
    """

    __slots__ = ("_lookalikes", "_needle", "_source")

    def __init__(self, source: _Source, boundary: bytes) -> None:
        self._source = source
        self._needle = b"\r\n--" + boundary
        self._lookalikes = 0

    def first(self) -> _Delimiter:
        """The one before the first part: only here its line break may be missing."""
        dashes = self._needle[2:]
        if self._source.read(0, len(dashes)) == dashes:
            found = self._judge(-2)
            if found is not None:
                return found
        return self.next(0)

    def next(self, position: int) -> _Delimiter:
        while (position := self._source.find(self._needle, position)) >= 0:
            found = self._judge(position)
            if found is not None:
                return found
            self._lookalikes += 1
            if self._lookalikes > _MAX_LOOKALIKES:
                raise _malformed("too many lines begin like the boundary")
            position += len(self._needle)
        raise _malformed("no final boundary found")

    def _judge(self, start: int) -> _Delimiter | None:
        """1. a line break follows: a part begins
        2. two dashes and no other text: the last one
        3. anything else: content
        """
        end = start + len(self._needle)
        follows = self._source.read(end, end + 3)
        if follows[:2] == b"\r\n":
            return _Delimiter(start, end, False)
        if follows[:2] == b"--" and follows[2:] in (b"", b"\r", b"\n", b" ", b"\t"):
            return _Delimiter(start, end, True)
        return None


#: What no header line of a part holds: control characters, a lone CR or LF, and line
#: folding, which RFC 9112 section 5.2 has given up.
_FORBIDDEN_IN_HEAD = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n|\n[ \t]"
)

#: Only Content-Disposition and Content-Type count (RFC 7578 section 4.8), and the
#: library would compare a length with the content that it does not see.
_PART_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[^\r]*", re.IGNORECASE)


class _Head(NamedTuple):
    """What the header lines of a part say, and where its content begins."""

    name: str
    filename: str
    content_type: str
    content_start: int


class _HeadParser:
    """Has the multipart library read the body without its contents.

    It sees delimiters and heads only, and judges their form and number. The contents
    need not pass through it: they stay where they are, unread, and none of them can
    be mistaken for structure.
    """

    __slots__ = ("_dashes", "_max_size", "_parser", "_source")

    def __init__(
        self, source: _Source, boundary: bytes, config: ParseMultipartConfig
    ) -> None:
        self._source = source
        self._dashes = b"\r\n--" + boundary
        self._max_size = config.max_part_header_size
        self._parser = multipart.PushMultipartParser(
            boundary,
            max_header_size=self._max_size,
            max_header_count=self._max_size,
            max_segment_count=config.max_parts,
        )

    def parse(self, start: int) -> _Head:
        """The head that begins with the line break at ``start``."""
        ending = b"\r\n\r\n"
        enough = len(b"\r\n") + self._max_size + len(ending)
        text = self._source.read(start, start + enough)
        size = text.find(ending)
        if size < 0:
            reason = "too large" if len(text) == enough else "unfinished"
            raise _malformed(f"part header {reason}")
        text = text[: size + len(ending)]
        if _FORBIDDEN_IN_HEAD.search(text):
            raise _malformed("invalid character in part header")
        content_type = ""
        dispositions = []
        for name, value in self._header_list(_PART_LENGTH.sub(b"", text)):
            if name == "Content-Disposition":
                dispositions.append(value)
            elif name == "Content-Type":
                content_type = value.strip()
        if len(dispositions) != 1:
            raise _malformed("a part needs one Content-Disposition")
        _, parameters = _parse_header(dispositions[0])
        if not parameters.get("name"):
            raise _malformed("part without a name")
        return _Head(
            parameters["name"],
            parameters.get("filename", ""),
            content_type or "application/unknown",
            start + len(text),
        )

    def _header_list(self, text: bytes) -> list[tuple[str, str]]:
        try:
            events = list(self._parser.parse(self._dashes + text))
        except multipart.ParserLimitReached as error:
            raise _malformed("too many parts") from error
        except multipart.MultipartError as error:
            raise _malformed(str(error.args[0])) from error
        # Before it may be the end of the part before.
        return [
            event.headerlist
            for event in events
            if isinstance(event, multipart.MultipartSegment)
        ].pop()


def _parse_multipart(
    source: _Source,
    boundary: bytes,
    config: ParseMultipartConfig,
    max_form_size: int | None,
) -> tuple[Arguments, Files]:
    """Find the parts, read their heads, leave the contents of files where they are.

    Stops at the first error. ``max_form_size`` counts the fields that are not files.
    """
    if not config.enabled:
        raise HTTPInputError("multipart/form-data parsing is disabled")
    if not boundary or len(boundary) > _MAX_BOUNDARY or re.search(rb"[\r\n]", boundary):
        raise _malformed("invalid boundary")
    heads = _HeadParser(source, boundary, config)
    delimiters = _Delimiters(source, boundary)
    arguments: Arguments = {}
    files: Files = {}
    form_size = 0
    delimiter = delimiters.first()
    while not delimiter.is_final:
        head = heads.parse(delimiter.end)
        delimiter = delimiters.next(head.content_start)
        if head.filename:
            stretch = _Stretch(source, head.content_start, delimiter.start)
            upload = HTTPFile._from_part(head.filename, head.content_type, stretch)
            files.setdefault(head.name, []).append(upload)
            continue
        form_size += delimiter.start - head.content_start
        if max_form_size is not None and form_size > max_form_size:
            raise _form_too_large(max_form_size)
        value = source.read(head.content_start, delimiter.start)
        arguments.setdefault(head.name, []).append(value)
    return arguments, files
