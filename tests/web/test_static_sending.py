"""How a file goes out: in chunks as they are taken, or by the server's wrapper."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import make_environ, run
from tests.web.static_site import (
    CHUNK,
    Server,
    Site,
    Wrapper,
    content_of,
    descriptors,
)
from wsgitornado.httputil import HTTPOutputError
from wsgitornado.testing import ExpectLog
from wsgitornado.web import StaticFileHandler


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# -- On demand, and to its end


def test_large_file_is_read_as_it_is_taken(site: Site) -> None:
    before = descriptors()
    server = Server(site, "large.bin")
    assert len(descriptors() - before) == 1
    assert len(next(server.chunks)) == CHUNK
    # What the server does not take is not read.
    os.truncate(site.root / "large.bin", CHUNK * 2)
    assert len(next(server.chunks)) == CHUNK
    with (
        ExpectLog("wsgitornado.application", "Uncaught exception"),
        pytest.raises(HTTPOutputError),
    ):
        next(server.chunks)
    server.body.close()
    assert descriptors() == before


def test_small_file_is_closed_at_once(site: Site) -> None:
    before = descriptors()
    server = Server(site, "digits.txt")
    assert descriptors() == before
    assert server.body == [b"0123456789"]
    assert site.ends.finished == site.ends.logged == [200]


@pytest.mark.parametrize(
    ("headers", "method"),
    [([], "HEAD"), ([("If-None-Match", "*")], "GET"), ([("Range", "bytes=-0")], "GET")],
    ids=["head", "304", "416"],
)
def test_nothing_is_opened_for_what_is_not_sent(
    site: Site, headers: Any, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.ask("large.bin")
    opened: list[Any] = []
    real = os.open

    def watched(path: Any, *args: Any, **kwargs: Any) -> int:
        opened.append(path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", watched)
    answer = site.ask("large.bin", *headers, method=method)
    assert answer.body == b""
    if "Range" not in dict(headers):
        assert opened == []


@pytest.mark.parametrize("taken", [0, 1, 4, 5])
def test_request_ends_once_when_the_server_closes(site: Site, taken: int) -> None:
    before = descriptors()
    server = Server(site, "large.bin")
    for _ in range(taken):
        next(server.chunks, None)
    assert site.ends.finished == site.ends.logged == []
    server.body.close()
    server.body.close()
    assert site.ends.finished == site.ends.logged == [200]
    assert site.ends.left == ([200] if taken < 4 else [])
    assert descriptors() == before


def test_response_that_nobody_takes_is_closed_all_the_same(site: Site) -> None:
    before = descriptors()
    server = Server(site, "large.bin")
    del server
    gc.collect()
    assert descriptors() == before
    assert site.ends.finished == [200]


def test_response_that_cannot_start_is_closed(site: Site) -> None:
    before = descriptors()

    def start_response(*args: Any) -> Any:
        raise ValueError("as a server that refuses a header")

    def ask() -> None:
        site.application(make_environ("/files/large.bin"), start_response)

    with pytest.raises(ValueError, match="as a server"):
        ask()
    gc.collect()
    assert descriptors() == before
    assert site.ends.finished == [200]


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_file_that_shrinks_before_it_is_opened_is_sent_as_it_is(
    tmp_path: Path, size: int
) -> None:
    class Shrinking(StaticFileHandler):
        def set_extra_headers(self, path: str) -> None:
            os.truncate(str(self.absolute_path), size)

    answer = Site(tmp_path, Shrinking).ask("large.bin")
    assert len(answer.body) == size
    assert answer.headers["Content-Length"] == str(size)


def test_small_file_that_shrinks_is_a_500(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.ask("digits.txt")

    def read_less(*args: Any) -> bytes:
        return b""

    monkeypatch.setattr(os, "pread", read_less)
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        assert site.ask("digits.txt").status_code == 500


# -- Content of a program


def test_failure_before_the_first_piece_is_a_500(tmp_path: Path) -> None:
    site = Site(tmp_path, content_of(ValueError("no content")))
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        assert site.ask("digits.txt").status_code == 500


def test_failure_after_it_breaks_the_response(tmp_path: Path) -> None:
    site = Site(tmp_path, content_of(b"01234", ValueError("half way")))
    server = Server(site, "digits.txt")
    assert next(server.chunks) == b"01234"
    with ExpectLog("wsgitornado.application", "Uncaught exception") as expected:
        with pytest.raises(ValueError, match="half way"):
            next(server.chunks)
        server.body.close()
    assert expected.matched == 1
    assert site.ends.finished == [200]
    assert site.ends.left == []


def test_failure_in_logging_the_failure_is_contained(tmp_path: Path) -> None:
    class Mute(content_of(b"0", ValueError("half way"))):  # type: ignore[misc]  # made here
        def log_exception(self, *args: Any) -> None:
            raise RuntimeError("no log")

    server = Server(Site(tmp_path, Mute), "digits.txt")
    next(server.chunks)
    with ExpectLog("wsgitornado.application", "Error in exception logger"):
        with pytest.raises(ValueError, match="half way"):
            next(server.chunks)
        server.body.close()


@pytest.mark.parametrize("piece", [b"0123456789a", b"a" * 100])
def test_content_that_is_too_long_breaks_off_in_time(
    tmp_path: Path, piece: bytes
) -> None:
    server = Server(Site(tmp_path, content_of(b"0", piece)), "digits.txt")
    assert next(server.chunks) == b"0"
    with (
        ExpectLog("wsgitornado.application", "Uncaught exception"),
        pytest.raises(HTTPOutputError, match="more data than Content-Length"),
    ):
        next(server.chunks)
    server.body.close()


def test_pieces_of_a_left_response_are_let_go(tmp_path: Path) -> None:
    handler = content_of(b"01234", b"56789")
    site = Site(tmp_path, handler)
    server = Server(site, "digits.txt")
    next(server.chunks)
    server.body.close()
    assert site.handler.closed == 1  # type: ignore[attr-defined]  # made here
    assert site.ends.left == [200]


def test_async_handler_streams_more_than_it_could_collect(tmp_path: Path) -> None:
    class Async(StaticFileHandler):
        async def get(self, path: str) -> None:  # type: ignore[override]  # shorter
            await super().get(path)

    site = Site(tmp_path, Async)
    with (site.root / "huge").open("wb") as file:
        file.truncate(40 * 1024 * 1024)
    server = Server(site, "huge")
    assert sum(map(len, server.chunks)) == 40 * 1024 * 1024
    server.body.close()


# -- The server's wrapper


def test_whole_file_is_handed_to_the_wrapper(site: Site) -> None:
    server = Server(site, "large.bin", **{"wsgi.file_wrapper": Wrapper})
    assert isinstance(server.body, Wrapper)
    assert b"".join(server.chunks) == (site.root / "large.bin").read_bytes()
    assert site.ends.finished == []
    server.body.close()
    assert site.ends.finished == site.ends.logged == [200]
    assert Wrapper.blocks[-1] == CHUNK


@pytest.mark.parametrize(
    "path", ["digits.txt", "empty.txt"], ids=["small file", "empty file"]
)
def test_small_file_needs_no_wrapper(site: Site, path: str) -> None:
    server = Server(site, path, **{"wsgi.file_wrapper": Wrapper})
    assert isinstance(server.body, list)


@pytest.mark.parametrize("asked", ["bytes=1-", "bytes=0-100000"])
def test_part_is_not_handed_to_the_wrapper(site: Site, asked: str) -> None:
    extra = {"wsgi.file_wrapper": Wrapper}
    server = Server(site, "large.bin", ("Range", asked), **extra)
    assert not isinstance(server.body, Wrapper)
    length = int(server.headers["Content-Length"])
    assert len(b"".join(server.chunks)) == length
    server.body.close()


def test_middleware_may_iterate_over_the_wrapper(site: Site) -> None:
    environ = make_environ("/files/large.bin")
    environ["wsgi.file_wrapper"] = Wrapper

    def middleware(environ: Any, start_response: Any) -> Iterator[bytes]:
        body: Any = site.application(environ, start_response)
        try:
            yield from body
        finally:
            body.close()

    answer = run(middleware, environ)
    assert answer.body == (site.root / "large.bin").read_bytes()
    assert site.ends.finished == [200]
