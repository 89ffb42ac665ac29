"""Forms in a request's body: fields and uploaded files."""

from __future__ import annotations

import functools
import io
import os
import re
from types import ModuleType
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar

import multipart

from wsgitornado.escape import parse_qs_bytes
from wsgitornado.httputil.body import (
    _CHUNK,
    BodyLimits,
    ParseBodyConfig,
    ParseMultipartConfig,
    _size,
    body_config,
)
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.httputil.headers import HTTPHeaders, _parse_header
from wsgitornado.util import ObjectDict

__all__ = [
    "HTTPFile",
    "close_files",
    "is_form",
    "parse_body_arguments",
    "parse_form",
    "parse_multipart_form_data",
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

#: Lines that only begin like the delimiter are content, but each costs a step here.
_MAX_LOOKALIKES: Final = 100_000

#: RFC 2046 allows 70 characters; some clients take more.
_MAX_BOUNDARY: Final = 1024

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
        config = body_config()
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
        _MemorySource(data), boundary, config or body_config().multipart, None
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
