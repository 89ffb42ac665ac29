"""Output transforms: what changes a response on its way out, such as compression."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any, Final, Protocol

from wsgitornado.httputil.headers import HTTPHeaders
from wsgitornado.httputil.request import HTTPServerRequest

__all__ = [
    "GZipContentEncoding",
    "OutputTransform",
    "change_rest",
    "choose_coding",
    "vary_by_accept_encoding",
]


def _optional_module(name: str, extension: str | None = None) -> Any:
    """The module of this name, or None where it is not installed.

    :param extension: a part of it that Python itself may have been built without.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name
        # A module that is there, but misses one of its own, is another matter.
        if missing and (missing == extension or f"{name}.".startswith(f"{missing}.")):
            return None
        raise


_brotli: Final = _optional_module("brotli")
_zstd: Final = _optional_module("compression.zstd", "_zstd") or _optional_module(
    "backports.zstd"
)

# Statuses whose body is absent (RFC 9110 sections 15.3.5 and 15.4.5) or a part of
# another one, whose bytes are counted in the coding of the whole (section 14.4).
_LEFT_ALONE: Final = frozenset({204, 206, 304})

# RFC 9110 section 12.4.2.
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class OutputTransform:
    """Changes status, headers and body of a response on their way to the client.

    Subclass it and name the class in ``Application(transforms=[...])``; one instance is
    made for each request. This one changes nothing.

    :param request: the request that is being answered.
    """

    __module__ = "wsgitornado.web"

    def __init__(self, request: HTTPServerRequest) -> None:
        pass

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Called once, before the headers are sent; returns what is sent instead.

        :param chunk: the first part of the body.
        :param finishing: whether it is the last one, too, and so the whole body.
        """
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Called for each further part of the body; returns what is sent instead.

        :param finishing: whether it is the last one. It may be empty then.
        """
        return chunk

    def _changes_rest(self) -> bool:
        """Whether :meth:`transform_chunk` will do anything; asked after the first.

        A file that nobody changes goes out by the server's shortest way.
        """
        return type(self).transform_chunk is not OutputTransform.transform_chunk


class GZipContentEncoding(OutputTransform):
    """Compresses text for clients that accept it: the setting ``compress_response``.

    With gzip, or with Zstandard or Brotli if the client accepts them and they are
    installed: ``compression.zstd`` of Python 3.14 or the package ``backports.zstd``,
    and the package ``brotli``.

    Left alone are bodies shorter than :attr:`MIN_LENGTH` that are sent whole, types
    that are no text, what has a Content-Encoding already, and, unlike in Tornado,
    parts of a body (206, Content-Range). The ``Etag`` stays as it is, as in Tornado.

    The attributes are for subclasses, which ``Application(transforms=[...])`` takes.
    """

    __module__ = "wsgitornado.web"

    #: Types that are compressed besides ``text/*``.
    CONTENT_TYPES = {
        "application/atom+xml",
        "application/javascript",
        "application/json",
        "application/x-javascript",
        "application/xhtml+xml",
        "application/xml",
        "image/svg+xml",
    }

    #: Bytes below which compressing is not worth its time: the length of one packet.
    MIN_LENGTH = 1024

    #: The levels. Zstandard's and Brotli's are those at which they take no longer than
    #: gzip does.
    GZIP_LEVEL = 6
    ZSTD_LEVEL = 3
    BROTLI_QUALITY = 4

    #: What is offered to clients; the first of those that a client likes equally well
    #: is used.
    CODINGS: tuple[str, ...] = tuple(
        coding
        for coding, module in (("zstd", _zstd), ("br", _brotli), ("gzip", zlib))
        if module is not None
    )

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        self._accept_encoding: str = request.environ.get("HTTP_ACCEPT_ENCODING", "")
        self._encoder: _Encoder | None = None

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Decide whether to compress, and set Vary, Content-Encoding and length.

        Vary is set in either case: a cache must not give one client's form to another.
        Without its Content-Length a body in several parts is sent as the server can.
        """
        vary_by_accept_encoding(headers)
        if self._may_be_coded(status_code, headers, chunk, finishing):
            coding = choose_coding(self._accept_encoding, self.CODINGS)
            if coding is not None:
                self._encoder = self._make_encoder(coding)
                chunk = self._encoder.encode(chunk, finishing)
                headers["Content-Encoding"] = coding
                if finishing:
                    headers["Content-Length"] = str(len(chunk))
                else:
                    headers.pop("Content-Length", None)
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        """Compress a further part, so that the client can read it at once."""
        if self._encoder is None or not (chunk or finishing):
            return chunk
        return self._encoder.encode(chunk, finishing)

    def _changes_rest(self) -> bool:
        is_ours = type(self).transform_chunk is GZipContentEncoding.transform_chunk
        return self._encoder is not None or not is_ours

    def _compressible_type(self, ctype: str) -> bool:
        """Whether bodies of this type get smaller; ``ctype`` has no parameters."""
        return ctype.startswith("text/") or ctype in self.CONTENT_TYPES

    def _may_be_coded(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> bool:
        # 1. Not too short, 2. whole, 3. not coded yet, 4. text.
        if finishing and len(chunk) < self.MIN_LENGTH:
            return False
        if status_code in _LEFT_ALONE or "Content-Range" in headers:
            return False
        if "Content-Encoding" in headers:
            return False
        content_type = headers.get("Content-Type", "").partition(";")[0]
        return self._compressible_type(content_type.strip().lower())

    def _make_encoder(self, coding: str) -> _Encoder:
        if coding == "zstd":
            return _ZstdEncoder(self.ZSTD_LEVEL)
        if coding == "br":
            return _BrotliEncoder(self.BROTLI_QUALITY)
        return _GzipEncoder(self.GZIP_LEVEL)


def change_rest(transforms: Iterable[object]) -> bool:
    """Whether any of these has more to do to a body whose first part it has seen.

    Transforms need not be of our class; who is not may do anything.
    """
    return any(
        not isinstance(transform, OutputTransform) or transform._changes_rest()
        for transform in transforms
    )


def choose_coding(accept_encoding: str, codings: Sequence[str]) -> str | None:
    """The coding that a client likes best (RFC 9110 section 12.5.3), or None.

    >>> choose_coding("gzip;q=0.5, br", ["zstd", "br", "gzip"])
    'br'

    :param codings: what we have, best first, which decides between equal weights.

    A coding that the client does not name is not used, so that ``*`` alone gets the
    plain body, as in Tornado. Nor is one that it refuses by weight zero, or that it
    likes less than ``identity``.
    """
    weights = _weights(accept_encoding)
    best, best_weight = None, 0.0
    for coding in codings:
        weight = weights.get(coding, 0.0)
        if weight > best_weight:
            best, best_weight = coding, weight
    return best if best_weight >= weights.get("identity", 0.0) else None


def _weights(accept_encoding: str) -> dict[str, float]:
    """The weights of the codings in the header, by their names in lower case.

    What has no valid weight has none. In doubt the client refuses: of several weights
    of one coding the least counts.
    """
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        name, *parameters = item.split(";")
        name = name.strip()
        if name == "x-gzip":  # another name of it: RFC 9110 section 8.4.1.3
            name = "gzip"
        weight = min(map(_weight, parameters), default=1.0)
        weights[name] = min(weight, weights.get(name, 1.0))
    return weights


def _weight(parameter: str) -> float:
    """The weight that a parameter of a coding gives it; 1 if it is about another."""
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    value = value.strip()
    return float(value) if _WEIGHT.fullmatch(value) else 0.0


def vary_by_accept_encoding(headers: HTTPHeaders) -> None:
    """Add Accept-Encoding to Vary, unless it is there or in ``*``."""
    vary = headers.get("Vary")
    if not vary:
        headers["Vary"] = "Accept-Encoding"
        return
    names = {name.strip().lower() for name in vary.split(",")}
    if names.isdisjoint({"*", "accept-encoding"}):
        headers["Vary"] = f"{vary}, Accept-Encoding"


class _Encoder(Protocol):
    """One body being compressed."""

    def encode(self, chunk: bytes, finishing: bool) -> bytes:
        """All that the client needs for reading the body up to here."""
        ...


class _GzipEncoder:
    def __init__(self, level: int) -> None:
        # 16 more than the window's size asks zlib for the header of gzip.
        self._stream = zlib.compressobj(level, zlib.DEFLATED, zlib.MAX_WBITS | 16)

    def encode(self, chunk: bytes, finishing: bool) -> bytes:
        mode = zlib.Z_FINISH if finishing else zlib.Z_SYNC_FLUSH
        return self._stream.compress(chunk) + self._stream.flush(mode)


class _ZstdEncoder:
    def __init__(self, level: int) -> None:
        self._stream = _zstd.ZstdCompressor(level)

    def encode(self, chunk: bytes, finishing: bool) -> bytes:
        stream = self._stream
        mode = stream.FLUSH_FRAME if finishing else stream.FLUSH_BLOCK
        encoded: bytes = stream.compress(chunk, mode)
        return encoded


class _BrotliEncoder:
    def __init__(self, quality: int) -> None:
        self._stream = _brotli.Compressor(quality=quality)

    def encode(self, chunk: bytes, finishing: bool) -> bytes:
        stream = self._stream
        encoded: bytes = stream.process(chunk)
        end: bytes = stream.finish() if finishing else stream.flush()
        return encoded + end
