"""Static files through real servers: whole, in parts, to clients slow or gone."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h11
import pytest

from tests.live.client import HOST, Answer, Client, Wire
from tests.live.servers import KEPT, LiveServer

pytestmark = pytest.mark.live

PROGRAM = "files"

MB = 1024 * 1024
CONTENT = os.urandom(MB) + b"the end"

HUGE = 64 * MB

#: What a server may take up for one answer, beside what it is anyway.
MEMORY = 24 * MB


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small").write_bytes(CONTENT[:4096])
    (tmp_path / "large").write_bytes(CONTENT)
    (tmp_path / "text.txt").write_bytes(b"some lines of text\n" * 100_000)
    with (tmp_path / "huge").open("wb") as file:
        # Sparse: it takes no room.
        file.truncate(HUGE)
    return tmp_path


def headers_of(folder: Path, *headers: str) -> list[str]:
    return [f"X-Root: {folder}", *headers]


def fetch(server: LiveServer, folder: Path, target: str, *headers: str) -> Answer:
    with server.connect() as client:
        return client.request(target, "GET", *headers_of(folder, *headers))


def fetch_process(server: LiveServer) -> Any:
    with server.connect() as client:
        return json.loads(client.request("/process").body)


def start_reading(client: Client, folder: Path, target: str, *headers: str) -> None:
    """Ask, and see that the answer has begun."""
    lines = [f"GET {target} HTTP/1.1", f"Host: {HOST}", *headers_of(folder, *headers)]
    client.send("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
    client.unread(client.read_until(b"\r\n\r\n"))


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def open_files(pid: int, folder: Path) -> list[str]:
    """The files of a folder that a process has open."""
    names = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(descriptor))
    return [name for name in names if name.startswith(str(folder))]


def received(client: Client) -> Iterator[int]:
    """The lengths of what comes until the connection ends."""
    with contextlib.suppress(ConnectionError):
        while data := client.receive():
            yield len(data)


@pytest.mark.parametrize("name", ["small", "large"])
def test_file_arrives_whole(server: LiveServer, folder: Path, name: str) -> None:
    answer = fetch(server, folder, f"/{name}")
    assert answer.status_code == 200
    assert answer.body == (folder / name).read_bytes()
    assert answer.all("content-length") == [str(len(answer.body))]


def test_large_file_goes_by_the_servers_own_wrapper(
    server: LiveServer, folder: Path
) -> None:
    fetch_process(server)
    for name, is_wrapped in [("large", True), ("small", False)]:
        fetch(server, folder, f"/{name}")
        assert fetch_process(server)["wrapped"] == [is_wrapped]


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=0-999999", 0, 1_000_000),
        ("bytes=100-999999", 100, 1_000_000),
        ("bytes=500000-", 500_000, MB + 7),
        ("bytes=-7", MB, MB + 7),
        ("bytes=-1048576", 7, MB + 7),
    ],
)
def test_range_is_the_part_that_was_asked_for(
    server: LiveServer, folder: Path, asked: str, start: int, end: int
) -> None:
    answer = fetch(server, folder, "/large", f"Range: {asked}")
    assert answer.status_code == 206
    assert answer.body == CONTENT[start:end]
    assert answer.all("content-range") == [f"bytes {start}-{end - 1}/{MB + 7}"]


@pytest.mark.parametrize("server", KEPT, indirect=True)
def test_connection_stays_in_step(server: LiveServer, folder: Path) -> None:
    etag = fetch(server, folder, "/large").all("etag")[0]
    with server.connect() as client:
        for target, method, header, status, size in [
            ("/large", "GET", "", 200, MB + 7),
            ("/large", "HEAD", "", 200, 0),
            ("/large", "GET", "Range: bytes=5-9", 206, 5),
            ("/large", "GET", f"Range: bytes={MB * 2}-", 416, 0),
            ("/large", "GET", "Range: bytes=7-", 206, MB),
            ("/small", "GET", "", 200, 4096),
            ("/nowhere", "GET", "", 404, 69),
            ("/text.txt", "HEAD", "Accept-Encoding: gzip", 200, 0),
            ("/large", "GET", "", 200, MB + 7),
            # The last: waitress closes the connection after it.
            ("/large", "GET", f"If-None-Match: {etag}", 304, 0),
        ]:
            lines = headers_of(folder, *([header] if header else []))
            answer = client.request(target, method, *lines)
            assert (answer.status_code, len(answer.body)) == (status, size)


def test_text_is_compressed_as_it_goes(server: LiveServer, folder: Path) -> None:
    answer = fetch(server, folder, "/text.txt", "Accept-Encoding: gzip")
    assert answer.all("content-encoding") == ["gzip"]
    assert gzip.decompress(answer.body) == (folder / "text.txt").read_bytes()


@pytest.mark.parametrize("header", ["", "Range: bytes=1-"], ids=["whole", "part"])
def test_huge_file_costs_little_memory(
    server: LiveServer, folder: Path, header: str
) -> None:
    pid = fetch_process(server)["pid"]
    fetch(server, folder, "/huge", "Range: bytes=0-9")
    before = peak_memory(pid)
    with server.connect() as client:
        start_reading(client, folder, "/huge", *([header] if header else []))
        answer = client.read_answer()
        assert len(answer.body) == HUGE - bool(header)
    assert peak_memory(pid) - before < MEMORY


@pytest.mark.parametrize("server", ["waitress"], indirect=True)
@pytest.mark.parametrize("header", ["", "Range: bytes=1-"], ids=["whole", "part"])
def test_slow_readers_hold_no_thread_of_waitress(
    server: LiveServer, folder: Path, header: str
) -> None:
    with contextlib.ExitStack() as stack:
        # More than it has threads.
        for _ in range(10):
            client = stack.enter_context(Client(server.port, receive_buffer=4096))
            start_reading(client, folder, "/huge", *([header] if header else []))
        assert fetch(server, folder, "/small").body == CONTENT[:4096]


@pytest.mark.parametrize(
    "header",
    ["", "Range: bytes=1-", "Accept-Encoding: gzip"],
    ids=["whole", "part", "compressed"],
)
def test_file_is_closed_when_its_client_leaves(
    server: LiveServer, folder: Path, header: str
) -> None:
    pid = fetch_process(server)["pid"]
    name = "/huge"
    if "gzip" in header:
        name = "/huge.txt"
        os.rename(folder / "huge", folder / "huge.txt")
        (folder / "huge.txt").write_bytes(os.urandom(40 * MB))
    with Wire() as wire:
        with Client(server.port, receive_buffer=4096) as client:
            headers = [f"X-Wire: {wire.port}", *([header] if header else [])]
            start_reading(client, folder, name, *headers)
            wire.accept()
            assert open_files(pid, folder) == [f"{folder}{name}"]
            client.reset()
        assert wire.words()[-1] == "finished"
    assert open_files(pid, folder) == []


@pytest.mark.parametrize("header", ["", "Range: bytes=1-"], ids=["whole", "part"])
def test_file_that_shrinks_breaks_the_response(
    server: LiveServer, folder: Path, header: str
) -> None:
    with Client(server.port, receive_buffer=4096) as client:
        start_reading(client, folder, "/huge", *([header] if header else []))
        os.truncate(folder / "huge", HUGE // 2)
        with pytest.raises((h11.RemoteProtocolError, ConnectionError)):
            client.read_answer()


def test_file_that_grows_is_sent_as_long_as_it_was(
    server: LiveServer, folder: Path
) -> None:
    with server.connect() as client:
        start_reading(client, folder, "/huge")
        os.truncate(folder / "huge", HUGE * 2)
        assert len(client.read_answer().body) == HUGE


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/../outside", 403),
        ("/%2e%2e/outside", 403),
        ("/..%2foutside", 403),
        ("//etc/passwd", 403),
        ("/%2fetc/passwd", 403),
        ("/a%00b", 404),
        ("/" + "x" * 300, 404),
        ("/caf%e9", 400),
        ("/pipe", 403),
    ],
)
def test_nothing_else_is_served(
    server: LiveServer, folder: Path, target: str, status: int
) -> None:
    os.mkfifo(folder / "pipe")
    start = len(server.lines)
    answer = fetch(server, folder, target)
    # Some servers fold slashes before anybody sees them.
    folded = [404] if "etc/passwd" in target else []
    assert answer.status_code in [status, *folded]
    assert server.tracebacks(start) == []
