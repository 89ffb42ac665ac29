"""Crowds of clients that leave, in every phase of a request that waits."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.client import HOST
from tests.live.servers import BOUND, LiveServer, command_for, run_command

pytestmark = pytest.mark.live

CLIENTS = 200

THREADS = 40

#: How many are there at a time: a thread for each, and one to ask how things are.
WAVE = THREADS - 2

CHANNEL = "crowd"


@pytest.fixture(params=["waitress", "gunicorn-gthread"])
def server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """One that nobody else has asked anything, with many threads."""
    kind = request.param
    command = command_for(kind, "waiting", "--threads", str(THREADS))
    with run_command(kind, command) as server:
        yield server


@dataclass
class State:
    """What there is in the process that answers."""

    begun: int
    waiting: int
    tasks: int
    threads: int
    #: What is open but the connections of clients.
    descriptors: int
    connections: int
    counts: Counter[str]


def state_of(server: LiveServer) -> State:
    with server.connect() as client:
        state = json.loads(client.request("/state").body)
        process = Path(f"/proc/{state['pid']}")
        opened = links_in(process / "fd")
        threads = len(list((process / "task").iterdir()))
        connections = connected_to(server.port) & set(opened)
    return State(
        begun=state["counts"].get("begun", 0),
        waiting=state["waiting"],
        tasks=state["tasks"],
        threads=threads,
        descriptors=len(opened) - len(connections),
        connections=len(connections) - 1,  # but the one that asks
        counts=Counter(state["counts"]),
    )


def links_in(folder: Path) -> list[str]:
    links = []
    for entry in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links.append(str(entry.readlink()))
    return links


def connected_to(port: int) -> set[str]:
    """The sockets of a server's connections, as links to them are written."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in list(table)[1:]]
    is_listening = "0A"
    return {
        f"socket:[{row[9]}]"
        for row in rows
        if row[1].endswith(f":{port:04X}") and row[3] != is_listening
    }


def wait_for(server: LiveServer, **expected: int) -> State:
    """Ask how things are until they are as expected; fail if they never are."""
    deadline = time.monotonic() + BOUND
    while True:
        state = state_of(server)
        found = {name: getattr(state, name) for name in expected}
        if found == expected:
            return state
        assert time.monotonic() < deadline, (found, expected)


@dataclass
class Phase:
    """How far a client comes before it leaves."""

    request: str
    #: Whether the handler runs before it leaves, on every server.
    is_waited_for: bool = True
    #: Whether the handler goes on to wait for the channel.
    goes_on: bool = False


def get(target: str) -> str:
    return f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n"


PHASES = [
    Phase(f"GET /poll/{CHANNEL} HTTP/1.1\r\nHost:", is_waited_for=False),
    Phase(get(f"/impatient/poll/{CHANNEL}"), is_waited_for=False),
    # waitress begins when it has the whole body.
    Phase(
        f"POST /upload HTTP/1.1\r\nHost: {HOST}\r\n"
        f"Content-Length: 100000\r\n\r\n{'x' * 70000}",
        is_waited_for=False,
    ),
    Phase(get(f"/poll/{CHANNEL}"), goes_on=True),
    Phase(get(f"/impatient/poll/{CHANNEL}")),
    Phase(get(f"/events/{CHANNEL}"), goes_on=True),
    Phase(get(f"/impatient/events/{CHANNEL}")),
    Phase(get("/flood")),
]


def fill_threads(server: LiveServer) -> None:
    """Have each thread started, by as many streams as there may be."""
    with contextlib.ExitStack() as stack:
        for _ in range(THREADS - 1):
            client = stack.enter_context(server.connect())
            client.send(get(f"/impatient/events/{CHANNEL}").encode())
            client.read_until(b"welcome")
        state_of(server)


def send_wave(server: LiveServer, numbers: range) -> None:
    """Have so many clients come, wait until they have got as far, and leave."""
    phases = {number: PHASES[number % len(PHASES)] for number in numbers}
    waited_for = [number for number in numbers if phases[number].is_waited_for]
    begun = state_of(server).begun
    with contextlib.ExitStack() as stack:
        clients = {n: stack.enter_context(server.connect()) for n in numbers}
        for number in waited_for:
            clients[number].send(phases[number].request.encode())
        wait_for(server, begun=begun + len(waited_for))
        for number in numbers:
            if number not in waited_for:
                clients[number].send(phases[number].request.encode())
        for number in numbers:
            # Half of them by an orderly end, the others by a reset.
            if number // len(PHASES) % 2:
                clients[number].reset()


def test_clients_that_leave_leave_nothing_behind(server: LiveServer) -> None:
    fill_threads(server)
    before = wait_for(server, tasks=0, waiting=0, connections=0)
    start = len(server.lines)

    going_on = 0
    for first in range(0, CLIENTS, WAVE):
        wave = range(first, min(first + WAVE, CLIENTS))
        send_wave(server, wave)
        # Only the handlers that do not care go on, and no thread waits for them.
        going_on += sum(PHASES[number % len(PHASES)].goes_on for number in wave)
        wait_for(server, tasks=going_on, waiting=0)
    wait_for(
        server, connections=0, threads=before.threads, descriptors=before.descriptors
    )

    with server.connect() as client:
        client.post(f"/publish/{CHANNEL}", b"the end")
    counts = wait_for(server, tasks=0, waiting=0, threads=before.threads).counts
    assert counts["finished"] == counts["made"]
    assert counts["begun"] <= counts["left"] <= counts["made"]
    assert server.tracebacks(start) == []
