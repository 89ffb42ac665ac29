"""Streams on the loop server: bodies of any length in bounded memory, and events."""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from examples import clock
from tests.httpserver.running import EVERY_KIND, Kind, raw, running, wait_for
from tests.httpserver.streaming_program import MB, PIECE
from tests.live.client import Client
from tests.live.servers import SERVERS, LiveServer, run_command

PROGRAM: Final = "tests.httpserver.streaming_program:app"

#: Megabytes of each body, and of the memory that the server may need for them.
LENGTH: Final = 64
MOST: Final = 24

NEEDS_PROC: Final = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="this machine has no /proc"
)


@pytest.fixture(scope="module", params=["loop", "loop-threads"])
def server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    command = [*SERVERS[request.param], PROGRAM]
    with run_command(request.param, command) as found:
        yield found


@contextlib.contextmanager
def bounded_memory(server: LiveServer) -> Iterator[None]:
    """What happens within the block must not cost the server much memory."""

    def most() -> int:
        with server.connect() as client:
            return int(client.request("/memory").text)

    before = most()
    yield
    assert most() - before < MOST * MB


def upload(client: Client, head: str, pieces: Iterator[bytes]) -> str:
    client.send(raw("PUT /upload HTTP/1.1", head))
    for piece in pieces:
        client.send(piece)
    return client.read_answer("PUT").text


def sum_of_body(client: Client) -> tuple[int, int]:
    """Length and checksum of a body without a framing that would have to be undone."""
    got = client.read_until(b"\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    client.unread(got.partition(b"\r\n\r\n")[2])
    size = total = 0
    while data := client.receive():
        size += len(data)
        total = zlib.crc32(data, total)
    return size, total


def expected_sum() -> int:
    total = 0
    for _ in range(LENGTH * MB // len(PIECE)):
        total = zlib.crc32(PIECE, total)
    return total


@NEEDS_PROC
@pytest.mark.live
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_large_upload_is_taken_in_bounded_memory(
    server: LiveServer, framing: str
) -> None:
    count = LENGTH * MB // len(PIECE)
    with bounded_memory(server), server.connect() as client:
        if framing == "length":
            head = f"Content-Length: {LENGTH * MB}"
            pieces = (PIECE for _ in range(count))
        else:
            head = "Transfer-Encoding: chunked"
            chunk = b"%x\r\n%b\r\n" % (len(PIECE), PIECE)
            last = [b"0\r\n\r\n"]
            pieces = (piece for part in ([chunk] * count, last) for piece in part)
        answer = upload(client, head, pieces)
    assert answer == f"{LENGTH * MB} {expected_sum()}"


@NEEDS_PROC
@pytest.mark.live
@pytest.mark.parametrize("receive_buffer", [None, 4096], ids=["quick", "slow"])
@pytest.mark.parametrize("way", ["loop", "iterable"])
def test_large_download_is_sent_in_bounded_memory(
    server: LiveServer, way: str, receive_buffer: int | None
) -> None:
    with bounded_memory(server):
        with Client(server.port, receive_buffer) as client:
            # In HTTP/1.0 the end of the connection ends the body.
            client.send(raw(f"GET /{way}?mb={LENGTH} HTTP/1.0"))
            assert sum_of_body(client) == (LENGTH * MB, expected_sum())


@NEEDS_PROC
@pytest.mark.live
@pytest.mark.parametrize("receive_buffer", [None, 4096], ids=["quick", "slow"])
def test_large_file_is_sent_in_bounded_memory(
    server: LiveServer, receive_buffer: int | None, tmp_path: Path
) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        for _ in range(LENGTH * MB // len(PIECE)):
            file.write(PIECE)
    with bounded_memory(server):
        with Client(server.port, receive_buffer) as client:
            client.send(raw(f"GET /file?path={path} HTTP/1.0"))
            assert sum_of_body(client) == (LENGTH * MB, expected_sum())


@EVERY_KIND
def test_clock_ticks_for_many_until_they_leave(kind: Kind) -> None:
    app = clock.make_app(seconds=0.001)
    with running(app, kind) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(20)]
        for client in clients:
            client.send(raw("GET /ticks HTTP/1.1"))
        for client in clients:
            got = client.read_until(b"\n\n")
            while got.count(b"\n\n") < 3:
                got += client.read_until(b"\n\n")
            assert b"content-type: text/event-stream" in got.lower()
            assert len(re.findall(rb"data: \d\d:\d\d:\d\d\n\n", got)) >= 3
        server.wait_until(parked=20)
        # The page beside them is as ever.
        assert "EventSource" in server.ask("GET / HTTP/1.1").text
        for client in clients:
            client.close()
        server.wait_until(parked=0, open=0)
        wait_for(lambda: server.call(server.server.stats)["busy"] == 0)
