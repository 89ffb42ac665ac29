"""Bodies that the server takes: whole or broken visibly, and closed once."""

from __future__ import annotations

import gc
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitress.buffers import ReadOnlyFileBasedBuffer

from wsgitornado.httputil.errors import HTTPOutputError
from wsgitornado.httputil.files import open_file
from wsgitornado.httputil.streams import (
    CHUNK_SIZE,
    FileBody,
    IteratedBody,
    StreamedBody,
    StreamedResponse,
)

SIZE = CHUNK_SIZE * 2 + 1000
CONTENT = os.urandom(SIZE)


class Watch:
    """What a body has told."""

    def __init__(self, body: StreamedBody) -> None:
        self.errors: list[Exception] = []
        self.ends: list[bool] = []
        body.watch(self.errors.append, self.ends.append)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    return file


@pytest.fixture
def body(file: Path) -> Iterator[FileBody]:
    body = FileBody(*open_file(str(file)))
    yield body
    body.close()


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


# -- From a file


def test_file_is_read_chunk_by_chunk(body: FileBody) -> None:
    chunks = list(body)
    assert b"".join(chunks) == CONTENT
    assert [len(chunk) for chunk in chunks] == [CHUNK_SIZE, CHUNK_SIZE, 1000]


@pytest.mark.parametrize(
    ("start", "end"),
    [(0, SIZE), (0, 1), (SIZE - 1, SIZE), (5, CHUNK_SIZE + 10), (7, 7)],
)
def test_part_ends_where_it_should(body: FileBody, start: int, end: int) -> None:
    body.narrow(start, end)
    assert body.length == end - start
    assert b"".join(body) == CONTENT[start:end]


@pytest.mark.parametrize(("start", "end"), [(0, 100), (5, 1000), (0, 0)])
def test_all_of_it_can_be_had_at_once(body: FileBody, start: int, end: int) -> None:
    body.narrow(start, end)
    assert body.read_all() == CONTENT[start:end]


def test_file_that_grows_is_cut_where_it_ended(file: Path, body: FileBody) -> None:
    next(body)
    with file.open("ab") as more:
        more.write(bytes(100_000))
    assert CHUNK_SIZE + len(b"".join(body)) == SIZE


@pytest.mark.parametrize("left", [0, CHUNK_SIZE - 1, CHUNK_SIZE, SIZE - 1])
def test_file_that_shrinks_breaks_off(file: Path, body: FileBody, left: int) -> None:
    watch = Watch(body)
    next(body)
    os.truncate(file, left)
    with pytest.raises(HTTPOutputError, match="the file has become shorter"):
        list(body)
    assert len(watch.errors) == 1
    body.close()
    # Nobody has left: it is our failure.
    assert watch.ends == [True]


def test_file_that_shrinks_before_it_is_read_at_once_fails(
    file: Path, body: FileBody
) -> None:
    os.truncate(file, SIZE - 1)
    with pytest.raises(HTTPOutputError, match="1 bytes less than Content-Length"):
        body.read_all()


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
def test_closing_tells_once_whether_all_was_taken(body: FileBody, taken: int) -> None:
    watch = Watch(body)
    for _ in range(taken):
        next(body)
    body.close()
    body.close()
    assert watch.ends == [taken == 3]
    assert watch.errors == []


def test_close_lets_go_of_the_descriptor(file: Path) -> None:
    before = descriptors()
    body = FileBody(*open_file(str(file)))
    assert descriptors() != before
    next(body)
    body.close()
    assert descriptors() == before


def test_body_that_is_dropped_is_closed(file: Path) -> None:
    before = descriptors()
    body = FileBody(*open_file(str(file)))
    watch = Watch(body)
    del body
    gc.collect()
    assert descriptors() == before
    assert watch.ends == [False]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("read"), st.integers(-1, 300)),
            st.tuples(st.just("seek"), st.integers(0, 300)),
            st.tuples(st.just("skip"), st.integers(0, 20)),
            st.tuples(st.just("end"), st.integers(-300, 0)),
        ),
        max_size=10,
    ),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_part_is_a_file_like_any_other(
    steps: list[tuple[str, int]], start: int, length: int
) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(CONTENT[:400])
        file.flush()
        body = FileBody(*open_file(file.name))
    body.narrow(start, start + length)
    like = io.BytesIO(CONTENT[start : start + length])
    for step, number in steps:
        if step == "read":
            assert body.read(number) == like.read(number)
        elif step == "seek":
            assert body.seek(number) == like.seek(number)
        elif step == "skip":
            assert body.seek(number, os.SEEK_CUR) == like.seek(number, os.SEEK_CUR)
        else:
            assert body.seek(number, os.SEEK_END) == like.seek(number, os.SEEK_END)
        assert body.tell() == like.tell()
    body.close()


# -- The server's file wrapper


class Wrapper(FileWrapper):
    """As gunicorn's: what it sends depends on the descriptor."""


def test_whole_file_goes_into_the_wrapper(body: FileBody) -> None:
    watch = Watch(body)
    served = body.for_server({"wsgi.file_wrapper": Wrapper})
    assert isinstance(served, Wrapper)
    assert b"".join(served) == CONTENT
    served.close()
    assert watch.ends == [True]


def test_without_a_wrapper_the_server_gets_the_body_itself(body: FileBody) -> None:
    assert body.for_server({}) is body


@pytest.mark.parametrize(("start", "end"), [(5, SIZE), (0, SIZE - 1), (0, SIZE)])
def test_part_goes_into_no_wrapper_that_could_send_all(
    body: FileBody, start: int, end: int
) -> None:
    body.narrow(start, end)
    assert body.for_server({"wsgi.file_wrapper": Wrapper}) is body
    with pytest.raises(OSError, match="a part of a file has no descriptor"):
        body.fileno()


def test_part_goes_into_the_wrapper_of_waitress(body: FileBody) -> None:
    body.narrow(5, 100_000)
    served: Any = body.for_server({"wsgi.file_wrapper": ReadOnlyFileBasedBuffer})
    assert isinstance(served, ReadOnlyFileBasedBuffer)
    assert served.prepare(99_995) == 99_995
    sent = b""
    while chunk := served.get(18_000):
        # It takes what the socket took: not always all of it.
        taken = chunk[: len(chunk) // 2 + 1]
        sent += taken
        served.skip(len(taken), True)
    assert sent == CONTENT[5:100_000]


def test_shrunken_file_breaks_the_wrapper_of_waitress(
    file: Path, body: FileBody
) -> None:
    watch = Watch(body)
    served: Any = body.for_server({"wsgi.file_wrapper": ReadOnlyFileBasedBuffer})
    os.truncate(file, 100)
    # Told the new size it would send a shorter answer as if it were whole.
    assert served.prepare(SIZE) == SIZE
    served.skip(len(served.get(100)))
    with pytest.raises(HTTPOutputError):
        served.get(100)
    assert len(watch.errors) == 1


def test_kernel_reads_from_the_beginning(body: FileBody) -> None:
    next(body)
    assert os.lseek(body.fileno(), 0, os.SEEK_CUR) == 0


@pytest.mark.parametrize("told", [0, 1000], ids=["silent", "as gunicorn"])
def test_file_that_shrinks_in_the_kernel_breaks_off_at_close(
    file: Path, body: FileBody, told: int
) -> None:
    watch = Watch(body)
    before = descriptors()
    body.fileno()
    body.seek(told)
    os.truncate(file, 1000)
    with pytest.raises(HTTPOutputError, match="has become shorter"):
        body.close()
    assert len(watch.errors) == 1
    assert watch.ends == [True]
    assert descriptors() < before


@pytest.mark.parametrize("told", [0, SIZE], ids=["silent", "as gunicorn"])
def test_what_the_kernel_has_sent_counts_as_taken(body: FileBody, told: int) -> None:
    watch = Watch(body)
    body.fileno()
    body.seek(told)
    body.close()
    assert (watch.ends, watch.errors) == ([True], [])


def test_file_that_shrinks_after_the_kernel_sent_it_is_no_failure(
    file: Path, body: FileBody
) -> None:
    body.fileno()
    body.seek(SIZE)
    os.truncate(file, 0)
    body.close()


# -- From an iterable


class Source:
    """An iterable that wants to be closed."""

    def __init__(self, *chunks: Any) -> None:
        self.chunks = iter(chunks)
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        for chunk in self.chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def close(self) -> None:
        self.closed += 1


def generate() -> Iterator[bytes]:
    yield b"one"
    yield b"two"


@pytest.mark.parametrize(
    ("make", "content"),
    [
        (generate, b"onetwo"),
        (lambda: [b"one", b"two"], b"onetwo"),
        (lambda: ["one", "\xe9"], "one\xe9".encode()),
        (lambda: Source(b"", b"one", b"", b"two", b""), b"onetwo"),
        (list, b""),
        (lambda: io.BytesIO(b"one\ntwo"), b"one\ntwo"),
    ],
    ids=["generator", "list", "text", "empty chunks", "nothing", "lines of a file"],
)
@pytest.mark.parametrize("is_known", [True, False], ids=["length", "no length"])
def test_any_iterable_is_a_body(
    make: Callable[[], Iterable[Any]], content: bytes, is_known: bool
) -> None:
    body = IteratedBody(make(), len(content) if is_known else None)
    watch = Watch(body)
    assert b"".join(body) == content
    body.close()
    assert watch.ends == [True]


def test_chunks_are_made_on_demand() -> None:
    made = []

    def make() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"x"

    body = IteratedBody(make(), 3)
    assert made == [0]
    assert (next(body), made) == (b"x", [0])
    assert (next(body), made) == (b"x", [0, 1])
    body.close()


def test_iterable_goes_into_no_wrapper() -> None:
    body = IteratedBody(generate(), 6)
    assert body.for_server({"wsgi.file_wrapper": Wrapper}) is body


def test_source_is_closed_once() -> None:
    source = Source(b"one", b"two")
    body = IteratedBody(source, 6)
    next(body)
    body.close()
    body.close()
    del body
    assert source.closed == 1


@pytest.mark.parametrize("length", [5, 0])
def test_more_than_was_declared_fails(length: int) -> None:
    source = Source(b"one", b"two")
    with pytest.raises(HTTPOutputError, match="more data than Content-Length"):
        b"".join(IteratedBody(source, length))
    gc.collect()
    assert source.closed == 1


@pytest.mark.parametrize("length", [7, 2**40])
def test_less_than_was_declared_fails_at_the_end(length: int) -> None:
    body = IteratedBody(generate(), length)
    watch = Watch(body)
    assert [next(body), next(body)] == [b"one", b"two"]
    with pytest.raises(HTTPOutputError, match=r"\d+ bytes less than Content-Length"):
        next(body)
    assert len(watch.errors) == 1


def test_failure_of_the_first_chunk_is_raised_at_once() -> None:
    source = Source(ValueError("first"))
    with pytest.raises(ValueError, match="first"):
        IteratedBody(source, 3)
    assert source.closed == 1


def test_later_failure_is_told_and_raised() -> None:
    error = ValueError("later")
    body = IteratedBody(Source(b"one", error), 6)
    watch = Watch(body)
    assert next(body) == b"one"
    with pytest.raises(ValueError, match="later"):
        next(body)
    body.close()
    assert (watch.errors, watch.ends) == ([error], [True])


@pytest.mark.parametrize(
    ("taken", "is_whole"), [(0, False), (1, False), (2, True), (3, True)]
)
def test_all_is_taken_with_the_last_byte_or_the_end(taken: int, is_whole: bool) -> None:
    body = IteratedBody(generate(), 6)
    watch = Watch(body)
    for _ in range(taken):
        next(body, None)
    body.close()
    assert watch.ends == [is_whole]


@pytest.mark.parametrize("chunk", [5, None, [b"x"]], ids=repr)
def test_what_is_neither_bytes_nor_text_is_refused(chunk: Any) -> None:
    with pytest.raises(TypeError):
        IteratedBody([chunk], None)


# -- The response


def test_response_starts_and_hands_the_body_over(body: FileBody) -> None:
    started: list[Any] = []

    def start_response(*args: Any) -> Any:
        started.append(args)

    headers = [("Content-Length", str(SIZE))]
    response = StreamedResponse("200 OK", headers, body)
    assert response({}, start_response) is body
    assert started == [("200 OK", headers)]
    assert isinstance(response({"wsgi.file_wrapper": Wrapper}, start_response), Wrapper)
