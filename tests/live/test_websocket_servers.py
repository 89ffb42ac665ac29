"""WebSockets on real servers, with the ``websockets`` library as their client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from typing import Any

import pytest

from tests.live.client import HOST
from tests.live.servers import BOUND, LiveServer, Start, command_for, run_command

websockets: Any = pytest.importorskip("websockets")
sync_client: Any = pytest.importorskip("websockets.sync.client")

pytestmark = pytest.mark.live

PROGRAM = "sockets"

#: Where a connection is kept, and where it is a thread's for as long as it lasts.
ON_A_LOOP = ["loop", "loop-threads", "gunicorn-loop"]
TAKING = [*ON_A_LOOP, "gunicorn-gthread"]

every_taking = pytest.mark.parametrize("server", TAKING, indirect=True)
every_loop = pytest.mark.parametrize("server", ON_A_LOOP, indirect=True)


def connect(server: LiveServer, path: str = "/echo", **options: Any) -> Any:
    address = f"ws://{HOST}:{server.port}{path}"
    return sync_client.connect(address, open_timeout=BOUND, proxy=None, **options)


def get_json(server: LiveServer, path: str) -> Any:
    with server.connect() as client:
        answer = client.request(path)
    assert answer.status_code == 200, answer
    return json.loads(answer.text)


def wait_for_end(server: LiveServer) -> list[Any]:
    """The code and reason of the one connection that has ended."""
    deadline = time.monotonic() + BOUND
    while not (ends := get_json(server, "/ends")["ends"]):
        assert time.monotonic() < deadline, "on_close() was not called"
        time.sleep(0.005)
    (end,) = ends
    found: list[Any] = end
    return found


@every_taking
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_of_all_kinds_and_sizes_come_back(
    server: LiveServer, compression: str | None
) -> None:
    start = len(server.lines)
    with connect(server, compression=compression, max_size=None) as client:
        assert bool(client.response.headers.get("Sec-WebSocket-Extensions")) is bool(
            compression
        )
        for message in ("hello", "", "né😀", b"\xff\x00", b"", "a" * 3_000_000):
            client.send(message)
            assert client.recv(BOUND) == message
        client.send(["in ", "several ", "frames"])
        assert client.recv(BOUND) == "in several frames"
        assert client.ping(b"are you there").wait(BOUND)
        # In one packet, while the answers come.
        for number in range(100):
            client.send(str(number))
        assert [client.recv(BOUND) for _ in range(100)] == [str(n) for n in range(100)]
    assert wait_for_end(server) == [1000, None]
    assert not server.tracebacks(start)


@every_taking
def test_codes_and_reasons_of_both_sides_are_told(server: LiveServer) -> None:
    with connect(server) as client:
        client.close(4001, "grüß dich")
    assert wait_for_end(server) == [4001, "grüß dich"]
    with connect(server) as client:
        client.send("close 4002 that was all")
        with pytest.raises(websockets.ConnectionClosedError) as caught:
            client.recv(BOUND)
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (
            4002,
            "that was all",
        )
    assert wait_for_end(server)[0] == 4002


@every_taking
def test_subprotocol_is_agreed_on(server: LiveServer) -> None:
    for offered, chosen in ((["first", "second"], "second"), (["first"], None)):
        with connect(server, subprotocols=offered) as client:
            assert client.subprotocol == chosen
            client.send("subprotocol")
            assert json.loads(client.recv(BOUND)) == {"subprotocol": chosen}
        wait_for_end(server)


@every_taking
def test_client_that_vanishes_is_gone(server: LiveServer) -> None:
    with connect(server) as client:
        client.send("a")
        assert client.recv(BOUND) == "a"
        client.socket.shutdown(socket.SHUT_RDWR)
    assert wait_for_end(server) == [None, None]


@every_taking
def test_page_of_another_site_is_refused(server: LiveServer) -> None:
    with pytest.raises(websockets.InvalidStatus) as caught:
        connect(server, origin="http://example.com")
    assert caught.value.response.status_code == 403
    with connect(server, origin=f"http://{HOST}:{server.port}") as client:
        client.send("a")
        assert client.recv(BOUND) == "a"
    wait_for_end(server)


@every_taking
def test_other_requests_are_answered_meanwhile(server: LiveServer) -> None:
    start = len(server.lines)
    with connect(server, "/room/ada") as ada, connect(server, "/room/bob") as bob:
        assert ada.recv(BOUND) == "ada: 1"
        assert bob.recv(BOUND) == "bob: 2"
        for _ in range(10):
            assert get_json(server, "/ends")["room"] == 2
        bob.send("hello")
        assert ada.recv(BOUND) == bob.recv(BOUND) == "hello"
    deadline = time.monotonic() + BOUND
    while get_json(server, "/ends")["room"]:
        assert time.monotonic() < deadline
    assert not server.tracebacks(start)


@every_loop
def test_hundreds_hear_each_other(server: LiveServer) -> None:
    number = 300
    address = f"ws://{HOST}:{server.port}/room/one"

    async def talk() -> None:
        async with contextlib.AsyncExitStack() as stack, asyncio.timeout(BOUND * 2):
            clients = []
            for _ in range(number):
                connection = websockets.connect(
                    address, compression=None, ping_interval=None, proxy=None
                )
                clients.append(await stack.enter_async_context(connection))
            for client in clients:
                await client.recv()
            for n, client in enumerate(clients[:10]):
                await client.send(str(n))
            for client in clients:
                heard = [await client.recv() for _ in range(10)]
                assert sorted(heard) == [str(n) for n in range(10)]
            await asyncio.gather(*(client.close() for client in clients))

    asyncio.run(talk())
    deadline = time.monotonic() + BOUND
    while get_json(server, "/ends")["room"]:
        assert time.monotonic() < deadline


@pytest.mark.parametrize("kind", ON_A_LOOP)
def test_server_that_ends_says_goodbye(kind: str) -> None:
    with run_command(kind, command_for(kind, PROGRAM)) as server:
        with connect(server) as client, connect(server, "/room/ada") as ada:
            ada.recv(BOUND)
            server.process.terminate()
            for each in (client, ada):
                with pytest.raises(websockets.ConnectionClosed) as caught:
                    each.recv(BOUND)
                assert caught.value.rcvd is not None, "no close frame"
                assert caught.value.rcvd.code == 1001
        assert server.process.wait(BOUND) == 0
        assert not server.tracebacks()


@pytest.mark.parametrize("server", ["waitress", "gunicorn-sync"], indirect=True)
def test_server_that_keeps_its_sockets_answers_501_and_says_what_to_use(
    server: LiveServer, start_server: Start
) -> None:
    start = len(server.lines)
    with pytest.raises(websockets.InvalidStatus) as caught:
        connect(server)
    assert caught.value.response.status_code == 501
    server.wait_for_line("--server loop", start)
    # One line, and none for the next.
    with pytest.raises(websockets.InvalidStatus):
        connect(server)
    assert get_json(server, "/ends") == {"ends": [], "room": 0}
    assert len([line for line in server.lines if "--server loop" in line]) == 1
    assert not server.tracebacks(start)
