"""Files through output transforms: compressed, changed, or left to the server."""

from __future__ import annotations

import gc
import gzip
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.web.static_site import CHUNK, Server, Site, Wrapper, content_of, descriptors
from wsgitornado.httputil import HTTPHeaders, HTTPOutputError
from wsgitornado.testing import ExpectLog
from wsgitornado.web import GZipContentEncoding, OutputTransform

GZIP = ("Accept-Encoding", "gzip")


@pytest.fixture
def compressed(tmp_path: Path) -> Site:
    site = Site(tmp_path, compress_response=True)
    text = "".join(f"{number} lines of text\n" for number in range(20_000))
    (site.root / "long.txt").write_text(text)
    (site.root / "short.txt").write_text(text[:2000])
    return site


def test_large_text_is_compressed_as_it_goes(compressed: Site) -> None:
    answer = compressed.ask("long.txt", GZIP)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert "Content-Length" not in answer.headers
    assert gzip.decompress(answer.body) == (compressed.root / "long.txt").read_bytes()
    assert len(answer.chunks) > 3
    # The client can read each chunk when it comes.
    first = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(answer.chunks[0])
    assert len(first) == CHUNK
    assert compressed.ends.finished == [200]


def test_small_text_is_compressed_in_one_piece(compressed: Site) -> None:
    answer = compressed.ask("short.txt", GZIP)
    assert gzip.decompress(answer.body) == (compressed.root / "short.txt").read_bytes()
    assert answer.headers["Content-Length"] == str(len(answer.body))


@pytest.mark.parametrize("path", ["long.txt", "short.txt", "large.bin"])
def test_vary_is_set_on_what_is_not_compressed(compressed: Site, path: str) -> None:
    answer = compressed.ask(path)
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.body == (compressed.root / path).read_bytes()
    assert answer.headers["Content-Length"] == str(len(answer.body))


@pytest.mark.parametrize("path", ["long.txt", "short.txt"])
def test_part_is_never_compressed(compressed: Site, path: str) -> None:
    answer = compressed.ask(path, GZIP, ("Range", "bytes=5-1999"))
    assert answer.status_code == 206
    assert "Content-Encoding" not in answer.headers
    assert answer.body == (compressed.root / path).read_bytes()[5:2000]


def test_compressed_stream_closes_the_file(compressed: Site) -> None:
    before = descriptors()
    server = Server(compressed, "long.txt", GZIP)
    next(server.chunks)
    server.body.close()
    assert descriptors() == before
    assert compressed.ends.left == [200]


class Noting(OutputTransform):
    """Looks at the beginning, and changes no more than a header."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        headers["X-Begins"] = chunk[:3].hex()
        return status_code, headers, chunk


class Foreign:
    """Does the same, but is of no class of ours."""

    def __init__(self, request: Any) -> None:
        pass

    transform_first_chunk = Noting.transform_first_chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        return chunk


class Twice(GZipContentEncoding):
    """Does more than its base."""

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        return super().transform_chunk(chunk, finishing)


@pytest.mark.parametrize(
    ("transforms", "is_wrapped"),
    [
        ([GZipContentEncoding], True),
        ([GZipContentEncoding, Noting], True),
        ([GZipContentEncoding, Foreign], False),
        ([Twice], False),
    ],
    ids=["gzip", "of headers", "foreign", "derived"],
)
def test_file_that_no_transform_changes_goes_into_the_wrapper(
    tmp_path: Path, transforms: Any, is_wrapped: bool
) -> None:
    site = Site(tmp_path, transforms=transforms)
    extra = {"wsgi.file_wrapper": Wrapper}
    server = Server(site, "large.bin", GZIP, **extra)
    assert isinstance(server.body, Wrapper) is is_wrapped
    assert b"".join(server.chunks) == (site.root / "large.bin").read_bytes()
    server.body.close()
    assert site.ends.finished == [200]
    assert server.headers.get("X-Begins", "000102") == "000102"


def test_content_that_no_transform_changes_comes_whole(tmp_path: Path) -> None:
    site = Site(tmp_path, content_of(b"01234", b"56789"), transforms=[Noting])
    answer = site.ask("digits.txt")
    assert answer.chunks == [b"01234", b"56789"]
    assert answer.headers["X-Begins"] == b"012".hex()


class Upper(OutputTransform):
    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        return status_code, headers, chunk.upper()

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        return chunk.upper()


class Longer(Upper):
    """Adds something, but does not say so."""

    def transform_first_chunk(self, *args: Any) -> tuple[int, HTTPHeaders, bytes]:
        status_code, headers, chunk = super().transform_first_chunk(*args)
        return status_code, headers, chunk + b"more"


class Failing(OutputTransform):
    def transform_first_chunk(self, *args: Any) -> tuple[int, HTTPHeaders, bytes]:
        raise ValueError("no chunk")


@pytest.mark.parametrize("path", ["long.txt", "short.txt"])
def test_every_transform_sees_the_file(tmp_path: Path, path: str) -> None:
    site = Site(tmp_path, transforms=[Upper, Upper])
    content = b"some text " * (50 if path == "short.txt" else 50_000)
    (site.root / path).write_bytes(content)
    answer = site.ask(path)
    assert answer.body == content.upper()
    assert answer.headers["Content-Length"] == str(len(content))


@pytest.mark.parametrize("path", ["digits.txt", "large.bin"])
def test_transform_that_fails_is_a_500(tmp_path: Path, path: str) -> None:
    before = descriptors()

    class OnlyFiles(Failing):
        def transform_first_chunk(self, status_code: int, *args: Any) -> Any:
            if status_code == 500:
                return (status_code, *args[:2])
            return super().transform_first_chunk(status_code, *args)

    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        site = Site(tmp_path, transforms=[OnlyFiles])
        assert site.ask(path).status_code == 500
    gc.collect()
    assert descriptors() == before


def test_transform_that_lengthens_a_large_file_breaks_it(tmp_path: Path) -> None:
    server = Server(Site(tmp_path, transforms=[Longer]), "large.bin")
    with (
        ExpectLog("wsgitornado.application", "Uncaught exception"),
        pytest.raises(HTTPOutputError, match="more data than Content-Length"),
    ):
        list(server.chunks)
    server.body.close()


def test_transform_that_lengthens_a_small_file_is_a_500(tmp_path: Path) -> None:
    class OnlyFiles(Longer):
        def transform_first_chunk(self, *args: Any) -> tuple[int, HTTPHeaders, bytes]:
            return args[:3] if args[0] == 500 else super().transform_first_chunk(*args)

    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        site = Site(tmp_path, transforms=[OnlyFiles])
        assert site.ask("digits.txt").status_code == 500
