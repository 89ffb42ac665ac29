"""Connections accepted on an IOLoop, running or not."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.listening import SHORT, Clients, Listening, turns
from tests.loops import BOUND, no_loop_yet
from wsgitornado import netutil
from wsgitornado.ioloop import IOLoop
from wsgitornado.netutil import add_accept_handler
from wsgitornado.testing import ExpectLog


@pytest.fixture
def listening() -> Iterator[Listening]:
    with Listening.make() as sock:
        yield sock


@pytest.fixture
def clients() -> Iterator[Clients]:
    clients = Clients()
    yield clients
    clients.close()


def test_handler_gets_blocking_connections_until_it_is_removed(
    listening: Listening, clients: Clients
) -> None:
    async def main() -> None:
        remove = add_accept_handler(listening, clients.accept)
        clients.connect(listening, 2)
        await clients.wait_for(2)
        remove()
        remove()
        clients.connect(listening)
        await turns()

    asyncio.run(main())
    assert len(clients.accepted) == 2
    assert all(connection.getblocking() for connection, _ in clients.accepted)


def test_handler_may_remove_itself(listening: Listening, clients: Clients) -> None:
    async def main() -> None:
        def accept(connection: socket.socket, address: Any) -> None:
            clients.accept(connection, address)
            remove()

        clients.connect(listening, 2)
        remove = add_accept_handler(listening, accept)
        await clients.wait_for(1)
        await turns()
        assert len(clients.accepted) == 1

    asyncio.run(main())


def test_socket_has_one_handler(listening: Listening) -> None:
    async def main() -> None:
        remove = add_accept_handler(listening, print)
        with pytest.raises(ValueError, match="added twice"):
            add_accept_handler(listening, print)
        remove()
        add_accept_handler(listening, print)()

    asyncio.run(main())


@pytest.mark.parametrize("how", ["start", "asyncio.run"])
def test_handler_waits_for_the_loop(
    monkeypatch: pytest.MonkeyPatch, listening: Listening, clients: Clients, how: str
) -> None:
    with no_loop_yet(monkeypatch):
        loop = IOLoop.current()
        remove = add_accept_handler(listening, clients.accept)
        clients.connect(listening)

        async def main() -> None:
            assert IOLoop.current() is loop
            await asyncio.wait_for(clients.wait_for(1), BOUND)
            remove()

        if how == "start":
            loop.run_sync(main)
        else:
            asyncio.run(main())


def test_handler_may_be_added_and_removed_in_another_thread(
    listening: Listening,
) -> None:
    accepted = threading.Event()
    threads: list[threading.Thread] = []

    def accept(connection: socket.socket, address: Any) -> None:
        connection.close()
        threads.append(threading.current_thread())
        accepted.set()

    # The background loop, which the guards of the tests have started.
    remove = add_accept_handler(listening, accept)
    socket.create_connection(listening.getsockname()).close()
    assert accepted.wait(BOUND)
    remove()
    assert threads != [threading.current_thread()]
    assert IOLoop.current()._handlers == {}


def test_handler_rests_when_descriptors_run_out(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netutil, "PAUSE", 0.001)

    async def main() -> None:
        short = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        with Listening.make(short) as sock, ExpectLog("wsgitornado.general", SHORT):
            remove = add_accept_handler(sock, clients.accept)
            clients.connect(sock)
            await clients.wait_for(1)
            remove()

    asyncio.run(main())
