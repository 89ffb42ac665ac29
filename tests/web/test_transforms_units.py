"""Compression: which responses, by which coding, and with which headers."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import tornado.httputil
import tornado.web
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import make_environ
from wsgitornado.httputil import HTTPHeaders, HTTPServerRequest
from wsgitornado.web import transforms
from wsgitornado.web.transforms import (
    GZipContentEncoding,
    OutputTransform,
    choose_coding,
)

TEXT = b"A line of text like so many others.\n" * 100
ALL = ("zstd", "br", "gzip")
HTML = [("Content-Type", "text/html; charset=UTF-8")]


class GzipAlone(GZipContentEncoding):
    CODINGS = ("gzip",)


def send(
    chunks: list[bytes],
    fields: list[tuple[str, str]] = HTML,
    accept_encoding: str | None = "gzip",
    status_code: int = 200,
    transform_class: type[GZipContentEncoding] = GzipAlone,
) -> tuple[HTTPHeaders, list[bytes]]:
    """Send a body through a transform; a single chunk is the whole of it."""
    accepted = [] if accept_encoding is None else [("Accept-Encoding", accept_encoding)]
    request = HTTPServerRequest(make_environ(headers=accepted))
    headers = HTTPHeaders()
    for name, value in fields:
        headers.add(name, value)
    transform = transform_class(request)
    return run(transform, status_code, headers, chunks)


def send_in_tornado(
    chunks: list[bytes],
    fields: list[tuple[str, str]] = HTML,
    accept_encoding: str | None = "gzip",
    status_code: int = 200,
) -> tuple[Any, list[bytes]]:
    """The same through Tornado's own transform."""
    headers = tornado.httputil.HTTPHeaders()
    for name, value in fields:
        headers.add(name, value)
    request: Any = SimpleNamespace(headers=tornado.httputil.HTTPHeaders())
    if accept_encoding is not None:
        request.headers["Accept-Encoding"] = accept_encoding
    transform = tornado.web.GZipContentEncoding(request)
    return run(transform, status_code, headers, chunks)


def run(
    transform: Any, status_code: int, headers: Any, chunks: list[bytes]
) -> tuple[Any, list[bytes]]:
    first, *others = chunks
    status, headers, first = transform.transform_first_chunk(
        status_code, headers, first, not others
    )
    assert status == status_code
    sent = [first]
    for number, chunk in enumerate(others, start=1):
        sent.append(transform.transform_chunk(chunk, number == len(others)))
    return headers, sent


def is_coded(headers: HTTPHeaders) -> bool:
    return "Content-Encoding" in headers


# As in Tornado


@pytest.mark.parametrize("accept_encoding", ["gzip", "br", None], ids=str)
@pytest.mark.parametrize(
    ("fields", "status_code", "chunks"),
    [
        pytest.param(HTML, 200, [TEXT], id="a page"),
        pytest.param(HTML, 404, [TEXT], id="an error"),
        pytest.param(HTML, 200, [b""], id="empty"),
        pytest.param(HTML, 200, [TEXT[:1023]], id="short"),
        pytest.param(HTML, 200, [TEXT[:1024]], id="just long enough"),
        pytest.param(HTML, 200, [b"a", b""], id="short in parts"),
        pytest.param(HTML, 200, [b"", b""], id="empty in parts"),
        pytest.param(HTML, 200, [b"", TEXT, b"", b"end"], id="in parts"),
        pytest.param([], 200, [TEXT], id="no type"),
        pytest.param([*HTML, ("Content-Length", "3600")], 200, [TEXT], id="length"),
        pytest.param(
            [*HTML, ("Content-Length", "7200")], 200, [TEXT, TEXT], id="length in parts"
        ),
        pytest.param([*HTML, ("Etag", '"abc"')], 200, [TEXT], id="etag"),
        pytest.param([*HTML, ("Content-Encoding", "br")], 200, [TEXT], id="coded"),
        pytest.param([*HTML, ("Vary", "Cookie")], 200, [TEXT], id="vary"),
        pytest.param(
            [*HTML, ("Vary", "Cookie"), ("Vary", "Host")], 200, [TEXT], id="varies"
        ),
    ],
)
def test_a_response_is_compressed_as_in_tornado(
    fields: list[tuple[str, str]],
    status_code: int,
    chunks: list[bytes],
    accept_encoding: str | None,
) -> None:
    headers, sent = send(chunks, fields, accept_encoding, status_code)
    theirs, sent_there = send_in_tornado(chunks, fields, accept_encoding, status_code)
    # Tornado sets the length before, and only corrects it here.
    expected = dict(theirs.get_all())
    is_gzip = headers.get("Content-Encoding") == "gzip"
    if is_gzip and len(chunks) == 1:
        expected["Content-Length"] = str(len(sent[0]))
    assert dict(headers.get_all()) == expected
    assert list(map(len, sent)) == list(map(len, sent_there))
    body, body_there = b"".join(sent), b"".join(sent_there)
    if is_gzip:
        body, body_there = gzip.decompress(body), gzip.decompress(body_there)
    assert body == body_there == b"".join(chunks)


@pytest.mark.parametrize(
    "content_type",
    [
        *sorted(tornado.web.GZipContentEncoding.CONTENT_TYPES),
        "text/plain",
        "text/event-stream",
        "application/json; charset=UTF-8",
        "text",
        "image/png",
        "font/woff2",
        "application/octet-stream",
        "application/gzip",
        "multipart/byteranges",
        "",
    ],
)
def test_the_types_that_are_compressed_are_tornados(content_type: str) -> None:
    fields = [("Content-Type", content_type)]
    headers, _ = send([TEXT], fields)
    theirs, _ = send_in_tornado([TEXT], fields)
    assert headers["Vary"] == theirs["Vary"] == "Accept-Encoding"
    assert is_coded(headers) == ("Content-Encoding" in theirs)


def test_the_constants_are_tornados() -> None:
    theirs = tornado.web.GZipContentEncoding
    assert GZipContentEncoding.CONTENT_TYPES == theirs.CONTENT_TYPES
    assert GZipContentEncoding.MIN_LENGTH == theirs.MIN_LENGTH
    assert GZipContentEncoding.GZIP_LEVEL == theirs.GZIP_LEVEL


# Otherwise than in Tornado


@pytest.mark.parametrize("content_type", ["TEXT/HTML", "Application/JSON ; a=b"])
def test_the_letter_case_of_a_type_does_not_count(content_type: str) -> None:
    headers, _ = send([TEXT], [("Content-Type", content_type)])
    assert is_coded(headers)


@pytest.mark.parametrize("chunks", [[TEXT], [TEXT, TEXT]], ids=["whole", "in parts"])
@pytest.mark.parametrize(
    ("fields", "status_code"),
    [
        ([("Content-Range", "bytes 0-3599/9999")], 206),
        ([("Content-Range", "bytes 0-3599/9999")], 200),
        ([], 206),
        ([], 204),
        ([], 304),
    ],
)
def test_partial_content_and_no_content_are_never_compressed(
    fields: list[tuple[str, str]], status_code: int, chunks: list[bytes]
) -> None:
    length = ("Content-Length", str(sum(map(len, chunks))))
    fields = [*HTML, length, *fields]
    headers, sent = send(chunks, fields, status_code=status_code)
    assert sent == chunks
    assert dict(headers.get_all()) == {**dict(fields), "Vary": "Accept-Encoding"}


@pytest.mark.parametrize(
    "vary", ["*", "Accept-Encoding", "Cookie, accept-encoding", "Cookie,*"]
)
def test_vary_is_not_repeated(vary: str) -> None:
    headers, _ = send([TEXT], [*HTML, ("Vary", vary)])
    assert headers["Vary"] == vary


def test_an_empty_vary_is_replaced() -> None:
    headers, _ = send([TEXT], [*HTML, ("Vary", "")])
    assert headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "accept_encoding", ["gzip;q=0", "gzip; q=0.000", "*;q=0", "gzip;q=0, gzip", "*", ""]
)
def test_a_refused_coding_is_not_used(accept_encoding: str) -> None:
    headers, sent = send([TEXT], accept_encoding=accept_encoding)
    assert not is_coded(headers)
    assert headers["Vary"] == "Accept-Encoding"
    assert sent == [TEXT]


# The choice of a coding


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        (" gzip ; q=0.5 ", "gzip"),
        ("gzip\t;\tQ = 0.001", "gzip"),
        ("gzip;level=9;q=0.5;x", "gzip"),
        ("deflate, gzip", "gzip"),
        (",,gzip,", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("br;q=0.9, gzip;q=0.8", "br"),
        ("br;q=0.8, gzip;q=0.9", "gzip"),
        ("zstd;q=0, br;q=0, gzip", "gzip"),
        ("gzip;q=1.000, br;q=0.999", "gzip"),
        ("gzip, identity", "gzip"),
        ("gzip;q=0.5, identity;q=0.4", "gzip"),
        ("gzip;q=0.5, identity;q=0", "gzip"),
        ("gzip;q=0.5, identity", None),
        ("identity", None),
        ("", None),
        ("*", None),
        ("deflate", None),
        ("xgzip", None),
        ("gzip;q=0", None),
        ("gzip;q=0.", None),
        ("gzip;q=", None),
        ("gzip;q", None),
        ("gzip;q=x", None),
        ("gzip;q=-1", None),
        ("gzip;q=2", None),
        ("gzip;q=1.1", None),
        ("gzip;q=0.1234", None),
        ("gzip;q=nan", None),
        ("gzip;q=\u0661", None),
        ("gzip;q=1;q=0", None),
        ("gzip=1", None),
    ],
)
def test_the_client_decides_about_the_coding(
    accept_encoding: str, coding: str | None
) -> None:
    assert choose_coding(accept_encoding, ALL) == coding


def test_only_what_is_there_is_chosen() -> None:
    assert choose_coding("gzip;q=0.1, br, zstd", ["gzip"]) == "gzip"
    assert choose_coding("gzip", []) is None


@given(st.text(alphabet="gzipbrstdent*;q=01.,\t X\xe9\u0661", max_size=60))
def test_no_accept_encoding_raises(accept_encoding: str) -> None:
    assert choose_coding(accept_encoding, ALL) in (None, *ALL)


def test_the_cost_of_reading_the_header_is_linear() -> None:
    class Counted(str):
        """A header that counts the characters it is cut into."""

        __slots__ = ()

        def lower(self) -> str:
            return Counted(self)

        def split(self, *arguments: Any) -> list[str]:
            pieces = super().split(*arguments)
            looked_at.append(len(self))
            return [Counted(piece) for piece in pieces]

    costs = []
    for size in (1000, 2000, 4000):
        for item in ("gzip;q=0.5,", ";q=0", ",", "gzip;;;=;,"):
            looked_at: list[int] = []
            choose_coding(Counted(item * size), ALL)
            costs.append(sum(looked_at) / (len(item) * size))
    assert max(costs) <= 2


# The codings


def decode_gzip(data: bytes) -> bytes:
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data)


def decode_zstd(data: bytes) -> bytes:
    decoded: bytes = transforms._zstd.ZstdDecompressor().decompress(data)
    return decoded


def decode_br(data: bytes) -> bytes:
    decoded: bytes = transforms._brotli.Decompressor().process(data)
    return decoded


@pytest.fixture(params=ALL)
def coding(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name not in GZipContentEncoding.CODINGS:
        pytest.skip(f"nothing for {name} is installed")
    return name


@pytest.fixture
def decode(coding: str) -> Callable[[bytes], bytes]:
    return {"gzip": decode_gzip, "zstd": decode_zstd, "br": decode_br}[coding]


def test_a_whole_body_is_coded(coding: str, decode: Callable[[bytes], bytes]) -> None:
    headers, [body] = send(
        [TEXT],
        [*HTML, ("Content-Length", "3600"), ("Etag", '"x"')],
        coding,
        transform_class=GZipContentEncoding,
    )
    assert decode(body) == TEXT
    assert len(body) < len(TEXT) / 10
    assert dict(headers.get_all()) == {
        **dict(HTML),
        "Etag": '"x"',
        "Content-Encoding": coding,
        "Content-Length": str(len(body)),
        "Vary": "Accept-Encoding",
    }


def test_what_is_flushed_can_be_read_at_once(
    coding: str, decode: Callable[[bytes], bytes]
) -> None:
    chunks = [b"one ", b"two ", b"", TEXT, b""]
    headers, sent = send(
        chunks,
        [*HTML, ("Content-Length", "3608")],
        coding,
        transform_class=GZipContentEncoding,
    )
    assert "Content-Length" not in headers
    for number in range(1, len(chunks) + 1):
        assert decode(b"".join(sent[:number])) == b"".join(chunks[:number])


def test_every_body_comes_back(coding: str, decode: Callable[[bytes], bytes]) -> None:
    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.binary(max_size=2000), min_size=1, max_size=5))
    def comes_back(chunks: list[bytes]) -> None:
        headers, sent = send(chunks, HTML, coding, transform_class=GZipContentEncoding)
        body = b"".join(sent)
        assert (decode(body) if is_coded(headers) else body) == b"".join(chunks)

    comes_back()


def test_the_same_body_is_always_coded_to_the_same_bytes(coding: str) -> None:
    first = send([TEXT], HTML, coding, transform_class=GZipContentEncoding)
    again = send([TEXT], HTML, coding, transform_class=GZipContentEncoding)
    assert first[1] == again[1]


def test_gzip_is_always_there_and_the_last_choice() -> None:
    assert GZipContentEncoding.CODINGS[-1] == "gzip"


def test_a_module_that_is_not_installed_is_none() -> None:
    assert transforms._optional_module("json") is not None
    for name in ("no_such_module", "no_such_package.module", "json.no_such_module"):
        assert transforms._optional_module(name) is None


def test_a_module_that_misses_one_of_its_own_is_not_taken_for_missing(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_installed.py").write_text("import half_installed_part\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="half_installed_part"):
        transforms._optional_module("half_installed")
    part = "half_installed_part"
    assert transforms._optional_module("half_installed", part) is None


# Subclasses


def test_a_subclass_may_set_lengths_types_and_levels() -> None:
    class Eager(GzipAlone):
        MIN_LENGTH = 1
        GZIP_LEVEL = 0
        CONTENT_TYPES = {"application/wasm"}

    headers, [body] = send(
        [TEXT], [("Content-Type", "application/wasm")], transform_class=Eager
    )
    assert is_coded(headers)
    # Level 0 stores.
    assert len(body) > len(TEXT)
    headers, _ = send([b"x"], transform_class=Eager)
    assert is_coded(headers)


def test_the_plain_transform_changes_nothing() -> None:
    transform = OutputTransform(HTTPServerRequest(make_environ()))
    headers, sent = run(transform, 200, HTTPHeaders(HTML), [TEXT, b"x", b""])
    assert sent == [TEXT, b"x", b""]
    assert list(headers.get_all()) == HTML
