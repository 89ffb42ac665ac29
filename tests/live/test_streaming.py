"""Streams through real servers: on demand, held back, broken off, left."""

from __future__ import annotations

import json
from pathlib import Path

import h11
import pytest

from tests.live.client import HOST, Client, Wire
from tests.live.servers import ON_THE_LOOP, SERVERS, THREADED, LiveServer

pytestmark = pytest.mark.live

PROGRAM = "streams"

MB = 1024 * 1024

#: What a server may take in ahead of its client. waitress fills 16 MB of buffers, most
#: of it in a file, and the kernel's buffers on both sides take a few MB more.
AHEAD = 24 * MB
MEMORY = 32 * MB


def start_stream(client: Client, wire: Wire, target: str, version: str = "1.1") -> None:
    target = f"{target}?wire={wire.port}"
    client.send(f"GET {target} HTTP/{version}\r\nHost: {HOST}\r\n\r\n".encode())
    wire.accept()


def fetch_process(server: LiveServer) -> dict[str, int]:
    with server.connect() as client:
        process = json.loads(client.request("/process").body)
    return {name: int(value) for name, value in process.items()}


def resident_memory(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def test_first_chunk_arrives_while_the_handler_waits(server: LiveServer) -> None:
    with Wire() as wire, server.connect() as client:
        start_stream(client, wire, "/wait")
        got = client.read_until(b"first ")
        assert b"second" not in got
        wire.let_go_on()
        client.unread(got)
        assert client.read_answer().body == b"first second third"
        assert wire.words() == ["finished"]


@pytest.mark.parametrize("server", THREADED, indirect=True)
def test_other_requests_are_answered_beside_a_stream(server: LiveServer) -> None:
    with Wire() as wire, server.connect() as client:
        start_stream(client, wire, "/wait")
        got = client.read_until(b"first ")
        fetch_process(server)
        wire.let_go_on()
        client.unread(got)
        client.read_answer()


@pytest.mark.parametrize("error", ["program", "pipe"])
def test_failure_after_the_first_chunk_breaks_the_response(
    server: LiveServer, error: str
) -> None:
    start = len(server.lines)
    with Wire() as wire, server.connect() as client:
        start_stream(client, wire, f"/fail/{error}")
        got = client.read_until(b"first ")
        wire.let_go_on()
        client.unread(got)
        if server.kind == "wsgiref":
            # An HTTP/1.0 answer without a length ends where its connection does, and
            # the library's server always closes that in the same way. The other four
            # show it: no last chunk, or a reset.
            assert client.read_answer().body == b"first "
        else:
            with pytest.raises((h11.RemoteProtocolError, ConnectionResetError)):
                client.read_answer()
        assert wire.words() == ["finished"]
    server.wait_for_line("Uncaught exception GET /fail", start)
    assert fetch_process(server)


@pytest.mark.parametrize(
    "server", [kind for kind in SERVERS if kind not in ON_THE_LOOP], indirect=True
)
def test_unread_stream_is_held_back_until_its_client_leaves(
    server: LiveServer,
) -> None:
    process = fetch_process(server)
    start = len(server.lines)
    with Wire() as wire:
        with Client(server.port, receive_buffer=65536) as client:
            start_stream(client, wire, "/flood")
            # The pause does not decide the test, only how far the handler has come
            # when it is looked at.
            words = wire.words_until_silence(0.3)
            grown = resident_memory(process["pid"]) - 1024 * process["rss"]
        assert set(words) == {"taken"}
        assert grown < MEMORY
        words += wire.words()
    assert sorted(words[-3:-1]) == ["closed", "left"]
    assert words[-1] == "finished"
    assert len(words) - 3 < AHEAD // 65536
    assert fetch_process(server)["pid"] == process["pid"]
    assert server.tracebacks(start) == []


@pytest.mark.parametrize("server", ON_THE_LOOP, indirect=True)
def test_unread_stream_of_a_plain_handler_on_the_loop_is_broken_off(
    server: LiveServer,
) -> None:
    """Nobody there can wait for the reader."""
    start = len(server.lines)
    with Wire() as wire, Client(server.port, receive_buffer=65536) as client:
        start_stream(client, wire, "/flood")
        words = wire.words()
        assert fetch_process(server)
        with pytest.raises((h11.RemoteProtocolError, ConnectionResetError)):
            client.read_answer()
    assert set(words) == {"taken", "finished"}
    assert 16 * MB // 65536 <= len(words) < AHEAD // 65536
    server.wait_for_line("flush\\(\\) cannot wait for the reader", start)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_client_that_leaves_is_no_error(server: LiveServer, version: str) -> None:
    start = len(server.lines)
    with Wire() as wire, server.connect() as client:
        start_stream(client, wire, "/endless", version)
        client.read_until(b"first ")
        client.reset()
        wire.let_go_on()
        assert wire.words() == ["left", "finished"]
    assert fetch_process(server)
    server.wait_for_line("200 GET /process", start)
    assert server.tracebacks(start) == []
