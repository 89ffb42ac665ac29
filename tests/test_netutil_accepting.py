"""Connections: accepted on any loop, and left where they are when there is no room."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.listening import SHORT, Clients, Listening, turns
from tests.loops import BOUND, run_program
from wsgitornado import netutil
from wsgitornado.netutil import Acceptor
from wsgitornado.testing import ExpectLog

Main = Callable[[], Awaitable[None]]
Run = Callable[[Main], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run a coroutine on a loop of either kind."""
    if request.param == "uvloop":
        loop = pytest.importorskip("uvloop").new_event_loop()
    else:
        loop = asyncio.new_event_loop()

    def run_bounded(main: Main) -> None:
        loop.run_until_complete(asyncio.wait_for(main(), BOUND))

    yield run_bounded
    loop.close()


@pytest.fixture
def listening() -> Iterator[Listening]:
    with Listening.make() as sock:
        yield sock


@pytest.fixture
def clients() -> Iterator[Clients]:
    clients = Clients()
    yield clients
    clients.close()


# Accepting


def test_connections_come_without_blocking_and_with_their_address(
    run: Run, listening: Listening, clients: Clients
) -> None:
    async def main() -> None:
        acceptor = Acceptor(asyncio.get_running_loop(), listening, clients.accept)
        acceptor.start()
        clients.connect(listening, 3)
        await clients.wait_for(3)
        acceptor.stop()

    run(main)
    assert [address for _, address in clients.accepted] == [
        client.getsockname() for client in clients.sockets
    ]
    assert not any(connection.getblocking() for connection, _ in clients.accepted)
    assert not any(connection.get_inheritable() for connection, _ in clients.accepted)


def test_blocking_socket_of_somebody_else_does_not_block_the_loop(
    run: Run, listening: Listening, clients: Clients
) -> None:
    async def main() -> None:
        listening.setblocking(True)
        acceptor = Acceptor(asyncio.get_running_loop(), listening, clients.accept)
        acceptor.start()
        clients.connect(listening)
        await clients.wait_for(1)
        acceptor.stop()

    run(main)
    assert listening.asked == 2


@pytest.mark.parametrize("count", [99, 100, 101])
def test_a_turn_takes_a_hundred_at_most(
    run: Run, listening: Listening, clients: Clients, count: int
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        after_a_turn: list[int] = []

        def accept(connection: socket.socket, address: Any) -> None:
            if not clients.accepted:
                loop.call_soon(lambda: after_a_turn.append(len(clients.accepted)))
            clients.accept(connection, address)

        clients.connect(listening, count)
        acceptor = Acceptor(loop, listening, accept)
        acceptor.start()
        await clients.wait_for(count)
        acceptor.stop()
        assert after_a_turn == [min(count, 100)]

    run(main)


def test_stop_ends_a_turn_at_once_and_start_goes_on(
    run: Run, listening: Listening, clients: Clients
) -> None:
    async def main() -> None:
        acceptor: Acceptor

        def accept(connection: socket.socket, address: Any) -> None:
            clients.accept(connection, address)
            acceptor.stop()

        acceptor = Acceptor(asyncio.get_running_loop(), listening, accept)
        clients.connect(listening, 3)
        for count in (1, 2, 3):
            acceptor.start()
            await clients.wait_for(count)
            await turns()
            assert len(clients.accepted) == count

    run(main)


def test_pause_ends_a_turn_and_passes(
    run: Run, listening: Listening, clients: Clients
) -> None:
    async def main() -> None:
        acceptor: Acceptor

        def accept(connection: socket.socket, address: Any) -> None:
            clients.accept(connection, address)
            # The later one counts.
            acceptor.pause(3600)
            acceptor.pause(0.001)

        acceptor = Acceptor(asyncio.get_running_loop(), listening, accept)
        acceptor.start()
        clients.connect(listening, 3)
        await clients.wait_for(3)
        # Each turn ended before it could find nobody.
        assert listening.asked == 3
        acceptor.stop()

    run(main)


def test_start_ends_a_pause_and_is_harmless_otherwise(
    run: Run, listening: Listening, clients: Clients
) -> None:
    async def main() -> None:
        acceptor = Acceptor(asyncio.get_running_loop(), listening, clients.accept)
        acceptor.pause(3600)
        acceptor.stop()
        acceptor.start()
        acceptor.start()
        acceptor.pause(3600)
        clients.connect(listening)
        await turns()
        assert not clients.accepted
        acceptor.start()
        await clients.wait_for(1)
        acceptor.pause(0)
        acceptor.stop()
        acceptor.stop()
        clients.connect(listening)
        await turns()
        assert len(clients.accepted) == 1

    run(main)


@pytest.mark.parametrize("is_paused", [False, True], ids=["waiting", "paused"])
@pytest.mark.parametrize("loop_is_closed", [False, True], ids=["open", "closed"])
def test_socket_may_be_closed_before_the_end(
    run: Run, listening: Listening, is_paused: bool, loop_is_closed: bool
) -> None:
    acceptors: list[Acceptor] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        acceptor = Acceptor(loop, listening, print)
        acceptors.append(acceptor)
        acceptor.start()
        if is_paused:
            acceptor.pause(0)
        listening.close()
        await turns()
        if not loop_is_closed:
            acceptor.stop()

    run(main)
    acceptors[0]._loop.close()
    acceptors[0].stop()
    assert not acceptors[0]._is_started


@pytest.mark.parametrize("is_stopped", [False, True], ids=["closed", "stopped"])
def test_socket_may_be_closed_in_another_thread_during_a_turn(
    is_stopped: bool,
) -> None:
    """uvloop would keep it open until it is no longer watched."""

    class Closing(Listening):
        def accept(self) -> tuple[socket.socket, Any]:
            if is_stopped:
                acceptor.stop()
            self.close()
            return super().accept()

    acceptor: Acceptor

    async def main() -> None:
        nonlocal acceptor
        with Closing.make() as sock:
            acceptor = Acceptor(asyncio.get_running_loop(), sock, print)
            acceptor.start()
            acceptor._accept()
            assert sock.asked == 1
            assert not acceptor._is_started
            acceptor._accept()
            assert sock.asked == 1

    asyncio.run(main())


def test_callback_that_raises_costs_its_connection_only(
    run: Run, listening: Listening, clients: Clients
) -> None:
    async def main() -> None:
        def accept(connection: socket.socket, address: Any) -> None:
            clients.accept(connection, address)
            if len(clients.accepted) == 1:
                raise ValueError("no")

        acceptor = Acceptor(asyncio.get_running_loop(), listening, accept)
        acceptor.start()
        clients.connect(listening, 2)
        pattern = re.escape(f"for a connection from {clients.sockets[0].getsockname()}")
        with ExpectLog("wsgitornado.application", f"Exception in callback .*{pattern}"):
            await clients.wait_for(2)
        acceptor.stop()

    run(main)
    (failed, _), (kept, _) = clients.accepted
    assert failed.fileno() == -1
    assert kept.fileno() >= 0


# When it fails


@pytest.mark.parametrize(
    "number",
    [errno.ECONNABORTED, errno.EPROTO, errno.ENETDOWN, errno.EPERM],
    ids=errno.errorcode.get,
)
def test_connection_that_was_lost_is_no_reason_to_wait(
    run: Run, clients: Clients, number: int
) -> None:
    async def main() -> None:
        with Listening.make(OSError(number, "lost"), OSError(number, "lost")) as sock:
            clients.connect(sock)
            acceptor = Acceptor(asyncio.get_running_loop(), sock, clients.accept)
            acceptor.start()
            await clients.wait_for(1)
            # The two, the one, and that there is no further one.
            assert sock.asked == 4
            acceptor.stop()

    run(main)


def test_connection_that_another_process_took_is_no_error(
    run: Run, listening: Listening
) -> None:
    async def main() -> None:
        acceptor = Acceptor(asyncio.get_running_loop(), listening, print)
        acceptor.start()
        acceptor._accept()
        assert listening.asked == 1
        acceptor.stop()

    run(main)


@pytest.mark.parametrize(
    "number",
    [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EINVAL],
    ids=errno.errorcode.get,
)
def test_other_errors_are_told_once_and_tried_again_after_a_pause(
    run: Run, clients: Clients, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(netutil, "PAUSE", 0.001)

    async def main() -> None:
        error = OSError(number, "no room")
        with Listening.make(error, error, error) as sock:
            clients.connect(sock)
            acceptor = Acceptor(asyncio.get_running_loop(), sock, clients.accept)
            advice = "" if number == errno.EINVAL else "; raise the limit of open files"
            line = (
                rf"Cannot accept connections on .*{sock.getsockname()[1]}.*: "
                rf"\[Errno {number}\] no room. Trying again each second{advice}"
            )
            with ExpectLog("wsgitornado.general", line) as log:
                acceptor.start()
                await clients.wait_for(1)
            assert log.matched == 1
            acceptor.stop()

    run(main)


def test_next_shortage_is_told_again_when_all_were_accepted_in_between(
    run: Run, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netutil, "PAUSE", 0.001)

    async def main() -> None:
        short = OSError(errno.EMFILE, "Too many open files")
        with Listening.make(short) as sock:
            acceptor = Acceptor(asyncio.get_running_loop(), sock, clients.accept)
            acceptor.start()
            with ExpectLog("wsgitornado.general", SHORT) as log:
                clients.connect(sock)
                await clients.wait_for(1)
                assert log.matched == 1
                # One comes free, and again there is none: still the same shortage.
                sock.errors = [short]
                acceptor._is_failing = True
                clients.connect(sock)
                await clients.wait_for(2)
                assert log.matched == 1
                sock.errors = [short]
                clients.connect(sock)
                await clients.wait_for(3)
                assert log.matched == 2
            acceptor.stop()

    run(main)


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_out_of_descriptors(kind: str) -> None:
    if kind == "uvloop":
        pytest.importorskip("uvloop")
    done = run_program(
        f"""
        import asyncio, errno, logging, os, resource, socket
        from wsgitornado.netutil import Acceptor, bind_sockets

        if {kind == "uvloop"}:
            from uvloop import Loop as Base
        else:
            Base = asyncio.SelectorEventLoop

        class Loop(Base):
            def call_later(self, delay, callback, *args, **kwargs):
                pauses.append(delay)
                return super().call_later(delay / 100, callback, *args, **kwargs)

        class Listening(socket.socket):
            def accept(self):
                global asked
                asked += 1
                return super().accept()

        def accept(connection, address):
            accepted.append(connection)
            if len(accepted) == 30:
                loop.stop()

        class Lines(logging.Handler):
            def emit(self, record):
                lines.append(record.levelname + " " + record.getMessage())

        logging.getLogger("wsgitornado.general").addHandler(Lines())
        pauses, lines, accepted, asked = [], [], [], 0
        (bound,) = bind_sockets(0, "127.0.0.1")
        sock = Listening(fileno=bound.detach())
        loop = Loop()
        acceptor = Acceptor(loop, sock, accept)
        acceptor.start()
        loop.call_soon(loop.stop)
        loop.run_forever()

        clients = [socket.create_connection(sock.getsockname()) for _ in range(30)]
        free = os.dup(0)
        os.close(free)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 10, hard))

        # The others wait, and the loop rests: it does not try without end.
        while len(pauses) < 5:
            loop.run_until_complete(asyncio.sleep(0))
        print(set(pauses), len(accepted), asked - len(accepted) == len(pauses))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        loop.run_forever()
        print(len(accepted), lines)
        acceptor.stop()
        loop.close()
        """
    )
    assert done.stderr == ""
    first, lines = done.stdout.splitlines()
    # Loops open something for themselves when they run.
    assert re.fullmatch(r"\{1\.0\} ([5-9]|10) True", first)
    assert re.fullmatch(
        r"30 \[.ERROR Cannot accept connections on \(.*\): \[Errno 24\] Too many open "
        r"files. Trying again each second; raise the limit of open files \(ulimit "
        r"-n\), or serve fewer.\]",
        lines,
    )
