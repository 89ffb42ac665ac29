"""What applications return: iterables, files; failures amid them, and their end."""

from __future__ import annotations

import io
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.httpserver.running import (
    EVERY_KIND,
    EVERY_LOOP,
    Kind,
    failing,
    raw,
    running,
    wait_for,
)
from wsgitornado._types import Body, StartResponse, WSGIApplication, WSGIEnvironment
from wsgitornado.httpserver.connection import NO_INPUT

MEGABYTE = bytes(range(256)) * 4096


class Watched:
    """An iterable that tells how often it was closed, and where it was iterated."""

    def __init__(self, *chunks: bytes | Exception, repeat: bool = False) -> None:
        self.chunks = chunks
        self.repeat = repeat
        self.closed = 0
        self.taken = 0
        self.threads: set[str] = set()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            for chunk in self.chunks:
                self.threads.add(threading.current_thread().name)
                if isinstance(chunk, Exception):
                    raise chunk
                self.taken += 1
                yield chunk
            if not self.repeat:
                return

    def close(self) -> None:
        self.threads.add(threading.current_thread().name)
        self.closed += 1


def giving(body: Any, *headers: tuple[str, str]) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Any:
        start_response("200 OK", list(headers))
        return body

    return application


def wait_for_close(body: Any) -> None:
    wait_for(lambda: body.closed, lambda: "close() was not called")


# close() is called once


@EVERY_KIND
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_iterable_is_closed_after_its_end(kind: Kind, method: str) -> None:
    body = Watched(b"one", b"", b"two")
    with running(giving(body), kind) as server:
        got = server.exchange(raw(f"{method} / HTTP/1.1", "Connection: close"))
        wait_for_close(body)
    assert got.endswith(b"3\r\ntwo\r\n0\r\n\r\n" if method == "GET" else b"\r\n\r\n")
    assert body.closed == 1
    # All of it in one thread, and not in that of the loop.
    assert len(body.threads) == 1
    assert "loop" not in body.threads.pop()


@EVERY_KIND
@pytest.mark.parametrize("begun", [False, True], ids=["before output", "after output"])
def test_iterable_is_closed_after_a_failure(kind: Kind, begun: bool) -> None:
    body = Watched(*[b"one"] * begun, KeyError("ouch"))
    with running(giving(body), kind) as server, failing("ouch"):
        with server.connect() as client:
            got = client.send(raw()).read_to_end()
        wait_for_close(body)
    assert body.closed == 1
    if begun:
        assert got.endswith(b"\r\n\r\n3\r\none\r\n")
    else:
        assert got.startswith(b"HTTP/1.1 500 ")


@EVERY_KIND
def test_iterable_is_closed_when_the_client_leaves(kind: Kind) -> None:
    body = Watched(b"x" * 5000, repeat=True)
    with running(giving(body), kind) as server:
        with server.connect() as client:
            client.send(raw()).read_until(b"x" * 100)
            client.reset()
        wait_for_close(body)
        server.wait_until(open=0)
    assert body.closed == 1


@EVERY_KIND
def test_iterable_is_closed_when_its_client_stops_reading_and_leaves(
    kind: Kind,
) -> None:
    body = Watched(b"x" * 65536, repeat=True)
    with running(giving(body), kind) as server:
        with server.connect(receive_buffer=4096) as client:
            client.send(raw())
            connection = server.only_connection()
            wait_for(lambda: not connection.is_writable)
            # The thread waits for room; nothing more is taken meanwhile.
            taken = body.taken
            assert taken < 200
            client.reset()
        wait_for_close(body)
    assert body.closed == 1


class ClosingList(list[bytes]):
    closed = 0

    def close(self) -> None:
        self.closed += 1


@EVERY_KIND
@pytest.mark.parametrize("length", ["3", "4"], ids=["right", "wrong"])
def test_list_with_close_is_closed(kind: Kind, length: str) -> None:
    body = ClosingList([b"abc"])
    with running(giving(body, ("Content-Length", length)), kind) as server:
        if length == "3":
            assert server.ask().body == b"abc"
        else:
            with failing("Content-Length"):
                assert server.ask().status_code == 500
        wait_for_close(body)
    assert body.closed == 1


@EVERY_KIND
@pytest.mark.parametrize("body", [(b"a", b"b"), [], [b""], [b"a", b"b", b"c"]])
def test_complete_bodies_have_a_length(kind: Kind, body: Any) -> None:
    with running(giving(body), kind) as server:
        answer = server.ask()
    assert answer.body == b"".join(body)
    assert answer.all("Content-Length") == [str(len(answer.body))]


@EVERY_KIND
@pytest.mark.parametrize(
    "body",
    [["text"], [b"a", "text"], Watched("text"), Watched(1), None, 5],  # type: ignore[arg-type]  # wrong on purpose
    ids=["text", "text at last", "text of a generator", "number", "None", "5"],
)
def test_what_is_no_body_is_a_500(kind: Kind, body: Any) -> None:
    with running(giving(body), kind) as server, failing("TypeError"):
        assert server.ask().status_code == 500


@EVERY_KIND
def test_failure_of_close_is_logged_and_breaks_nothing_before(kind: Kind) -> None:
    class Bad(Watched):
        def close(self) -> None:
            super().close()
            raise ValueError("in close")

    body = Bad(b"one")
    with running(giving(body), kind) as server, failing("in close"):
        with server.connect() as client:
            client.send(raw()).read_until(b"one\r\n")
    assert body.closed == 1


@EVERY_KIND
@pytest.mark.parametrize("length", [0, 1, 16384, 16385, 1024 * 1024])
def test_bodies_of_every_size_are_whole(kind: Kind, length: int) -> None:
    body = MEGABYTE[:length]
    with running(giving([body]), kind) as server, server.connect() as client:
        for _ in range(2):
            assert client.request("/").body == body
    with running(giving(Watched(body, b"", body)), kind) as server:
        assert server.ask().body == body * 2


# A body that ends with its connection


@EVERY_KIND
def test_failure_in_a_body_without_framing_resets_the_connection(kind: Kind) -> None:
    body = Watched(b"one", KeyError("ouch"))
    with running(giving(body), kind) as server, failing("ouch"):
        with server.connect() as client:
            client.send(raw("GET / HTTP/1.0"))
            with pytest.raises(ConnectionResetError):
                client.read_to_end()


# Files


def sending(file: Any, *headers: tuple[str, str], size: int = 8192) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", list(headers))
        body: Body = environ["wsgi.file_wrapper"](file(), size)
        return body

    return application


class WatchedFile:
    """Any file, and how often it was closed."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.closed = 0
        self.threads: set[str] = set()

    def read(self, size: int = -1) -> bytes:
        self.threads.add(threading.current_thread().name)
        data: bytes = self._file.read(size)
        return data

    def fileno(self) -> int:
        number: int = self._file.fileno()
        return number

    def close(self) -> None:
        self.closed += 1
        self._file.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(MEGABYTE)
    return path


@EVERY_KIND
@pytest.mark.parametrize("length", [None, 0, 1, 65536, 262144, 700_000, 1024 * 1024])
def test_file_is_sent_as_far_as_its_length_says(
    kind: Kind, length: int | None, path: Path
) -> None:
    headers = [] if length is None else [("Content-Length", str(length))]
    files = []

    def open_file() -> WatchedFile:
        files.append(WatchedFile(path.open("rb")))
        return files[-1]

    with running(sending(open_file, *headers), kind) as server:
        with server.connect() as client:
            for _ in range(2):
                answer = client.request("/")
                assert answer.body == MEGABYTE[:length]
            head = client.request("/", "HEAD")
    assert head.body == b""
    assert [file.closed for file in files] == [1, 1, 1]
    # A disk is quick: the loop reads it.
    assert {name for file in files for name in file.threads} == (
        {"the loop of the server"} if length != 0 else set()
    )


@EVERY_KIND
def test_file_in_memory_is_sent(kind: Kind) -> None:
    app = sending(lambda: io.BytesIO(MEGABYTE))
    with running(app, kind) as server:
        assert server.ask().body == MEGABYTE


@EVERY_KIND
@pytest.mark.parametrize("what", ["pipe", "socket", "file without a descriptor"])
def test_file_that_may_wait_is_read_in_a_thread(kind: Kind, what: str) -> None:
    ends: list[Any] = []

    def open_file() -> WatchedFile:
        if what == "pipe":
            reading, writing = os.pipe()
            ends.append(os.fdopen(writing, "wb", buffering=0))
            files.append(WatchedFile(os.fdopen(reading, "rb", buffering=0)))
        elif what == "socket":
            here, there = socket.socketpair()
            ends.append(there.makefile("wb", buffering=0))
            files.append(WatchedFile(here.makefile("rb", buffering=0)))
            here.close()
            there.close()
        else:
            files.append(WatchedFile(io.BytesIO(b"one")))
        return files[-1]

    files: list[WatchedFile] = []
    with running(sending(open_file), kind) as server, server.connect() as client:
        client.send(raw())
        if what == "file without a descriptor":
            assert client.read_answer().body == b"one"
        else:
            wait_for(lambda: ends)
            ends[0].write(b"one")
            client.read_until(b"one\r\n")
            # The loop is free all the while.
            assert server.call(lambda: True)
            ends[0].write(b"two")
            client.read_until(b"two\r\n")
            ends[0].close()
            client.read_until(b"0\r\n\r\n")
        wait_for_close(files[0])
    assert len(files[0].threads) == 1
    assert "loop" not in files[0].threads.pop()


@EVERY_KIND
def test_file_that_shrinks_breaks_the_response(kind: Kind, path: Path) -> None:
    class Shrinking(WatchedFile):
        def read(self, size: int = -1) -> bytes:
            os.truncate(path, 200_000)
            return super().read(size)

    files: list[WatchedFile] = []

    def open_file() -> WatchedFile:
        files.append(Shrinking(path.open("rb")))
        return files[0]

    app = sending(open_file, ("Content-Length", str(len(MEGABYTE))))
    with running(app, kind) as server, failing("less than Content-Length"):
        with server.connect() as client:
            client.send(raw())
            try:
                got = client.read_to_end()
            except ConnectionResetError:
                got = b""
    assert len(got) < 201_000
    assert files[0].closed == 1


@EVERY_KIND
def test_file_that_fails_at_first_is_a_500(kind: Kind) -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError("a bad disk")

    with running(sending(Failing), kind) as server, failing("a bad disk"):
        assert server.ask().status_code == 500


@EVERY_LOOP
def test_reader_of_a_file_sets_the_pace(loop: str) -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(1 << 30)
        app = sending(lambda: os.fdopen(os.dup(file.fileno()), "rb"))
        with running(app, loop=loop, threads=0) as server:
            with server.connect(receive_buffer=65536) as client:
                client.send(raw())
                got = len(client.read_until(b"\0" * 65536))
                connection = server.only_connection()
                wait_for(lambda: not connection.is_writable)
                # What is read from the file is what was sent, and little more.
                at = os.lseek(file.fileno(), 0, os.SEEK_CUR)
                unread = server.call(connection.transport.get_write_buffer_size)
                assert unread < 512 * 1024
                assert got < at < 16 * 1024 * 1024
                client.reset()
            server.wait_until(open=0)


# What the application is given


def test_input_of_a_request_without_a_body_is_an_empty_file() -> None:
    assert NO_INPUT.read() == NO_INPUT.read(5) == NO_INPUT.readline() == b""
    assert NO_INPUT.readlines() == list(NO_INPUT) == []
    assert NO_INPUT.readinto(bytearray(5)) == 0
    assert NO_INPUT.readable()
    NO_INPUT.close()
    assert not NO_INPUT.closed
