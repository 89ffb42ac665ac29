"""``request.connection`` on the loop server: what programs ask of it and do with it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.httpserver.running import (
    EVERY_KIND,
    EVERY_LOOP,
    Kind,
    SocketClient,
    raw,
    running,
    wait_for,
)
from wsgitornado.httpserver import HTTPServer
from wsgitornado.netutil import bind_unix_socket
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler

#: What a test has a handler do, in ``get``.
Deed: TypeAlias = Callable[[RequestHandler], Awaitable[None]]


class Doing(RequestHandler):
    """Does what the test wants, and notes how it ends."""

    def initialize(self, deed: Deed, notes: list[str]) -> None:  # type: ignore[override]  # each handler takes its own
        self.deed = deed
        self.notes = notes

    async def get(self) -> None:
        await self.deed(self)

    post = get

    def on_connection_close(self) -> None:
        connection: Any = self.request.connection
        self.notes.append(f"closed: {connection.stream.closed()}")

    def on_finish(self) -> None:
        self.notes.append("finish")


def doing(deed: Deed, notes: list[str] | None = None) -> Application:
    notes = [] if notes is None else notes
    return Application([("/", Doing, {"deed": deed, "notes": notes})])


def connection_of(handler: RequestHandler) -> Any:
    """Typed as what all servers have."""
    return handler.request.connection


# What it tells


@EVERY_KIND
def test_context_is_that_of_the_socket(kind: Kind) -> None:
    async def tell(handler: RequestHandler) -> None:
        context = connection_of(handler).context
        handler.write(
            {
                "remote_ip": context.remote_ip,
                "address": list(context.address),
                "protocol": context.protocol,
                "trusted": sorted(context.trusted_downstream),
                "text": str(context),
                "request": handler.request.remote_ip,
            }
        )

    options: dict[str, Any] = {
        "xheaders": True,
        "trusted_downstream": ["10.0.0.9"],
        "protocol": "https",
    }
    with running(doing(tell), kind, **options) as server, server.connect() as client:
        here = client._socket.getsockname()
        answer = client.request("/", "GET", "X-Real-Ip: 10.0.0.1")
        assert json.loads(answer.text) == {
            "remote_ip": "127.0.0.1",
            "address": ["127.0.0.1", here[1]],
            "protocol": "https",
            "trusted": ["10.0.0.9"],
            "text": "127.0.0.1",
            "request": "10.0.0.1",
        }


@EVERY_KIND
def test_unix_socket_has_no_address_and_no_delay_to_set(
    kind: Kind, tmp_path: Path
) -> None:
    async def tell(handler: RequestHandler) -> None:
        connection = connection_of(handler)
        connection.stream.set_nodelay(False)
        handler.write(f"{connection.context.address!r} {connection.context.remote_ip}")

    def listen(server: HTTPServer) -> None:
        server.add_socket(bind_unix_socket(tmp_path / "socket"))

    with running(doing(tell), kind, listen=listen):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(tmp_path / "socket"))
        with SocketClient(sock) as client:
            assert client.request("/").text == "'' 0.0.0.0"


@EVERY_KIND
def test_small_packets_may_wait(kind: Kind) -> None:
    async def tell(handler: RequestHandler) -> None:
        stream = connection_of(handler).stream
        seen = []
        for value in (None, False, True):
            if value is not None:
                stream.set_nodelay(value)
            option = stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            seen.append(bool(option))
        handler.write(f"{seen}")

    with running(doing(tell), kind) as server:
        assert server.ask().text == "[True, False, True]"


@EVERY_KIND
def test_no_keep_alive_says_what_becomes_of_the_connection(kind: Kind) -> None:
    kept: list[Any] = []

    async def tell(handler: RequestHandler) -> None:
        connection = connection_of(handler)
        kept.append(connection)
        before = connection.no_keep_alive
        # It cannot be kept against the client's will.
        connection.no_keep_alive = False
        handler.write(f"{before} {connection.no_keep_alive}")

    with running(doing(tell), kind) as server, server.connect() as client:
        assert client.request("/").text == "False False"
        wait_for(lambda: kept[0].no_keep_alive)
        # Between requests there is nothing to set.
        server.call(setattr, kept[0], "no_keep_alive", True)
        assert client.request("/", "GET", "Connection: close").text == "True True"
        assert client.read_to_end() == b""


@EVERY_KIND
def test_limits_of_a_body_that_has_been_read_change_nothing(kind: Kind) -> None:
    async def set_limits(handler: RequestHandler) -> None:
        connection_of(handler).set_max_body_size(1)
        connection_of(handler).set_body_timeout(0.0)
        handler.write(handler.request.body)

    with running(doing(set_limits), kind) as server, server.connect() as client:
        for _ in range(2):
            assert client.post("/", b"whole").body == b"whole"


# Its end


@EVERY_KIND
def test_stream_knows_when_its_client_has_left(kind: Kind) -> None:
    notes: list[str] = []
    gone = asyncio.Event()

    async def wait(handler: RequestHandler) -> None:
        stream = connection_of(handler).stream
        notes.append(f"closed: {stream.closed()}")
        stream.set_close_callback(gone.set)
        await gone.wait()
        notes.append("callback")

    with running(doing(wait, notes), kind) as server:
        with server.connect() as client:
            client.send(raw())
            server.wait_until(parked=1)
            wait_for(lambda: notes)
        wait_for(lambda: len(notes) == 4)
    assert notes == ["closed: False", "closed: True", "callback", "finish"]


@EVERY_KIND
def test_handler_may_cut_its_client(kind: Kind) -> None:
    notes: list[str] = []

    async def cut(handler: RequestHandler) -> None:
        connection_of(handler).stream.close()
        connection_of(handler).stream.close()

    with running(doing(cut, notes), kind) as server:
        with server.connect() as client:
            client.send(raw())
            assert client.read_to_end() == b""
        server.wait_until(open=0, parked=0)
        wait_for(lambda: "finish" in notes)


@EVERY_LOOP
def test_one_close_callback_counts(loop: str) -> None:
    called: list[str] = []

    async def set_callbacks(handler: RequestHandler) -> None:
        set_callback = connection_of(handler).stream.set_close_callback
        set_callback(partial(called.append, "first"))
        if handler.get_query_argument("how") == "another":
            set_callback(partial(called.append, "second"))
        else:
            set_callback(None)

    with running(doing(set_callbacks), loop=loop) as server:
        for how, expected in (("none", []), ("another", ["second"])):
            with server.connect() as client:
                assert client.request(f"/?how={how}").status_code == 200
                assert called == []
            server.wait_until(open=0)
            assert called == expected


@EVERY_LOOP
def test_callback_of_who_is_gone_is_called_soon(loop: str) -> None:
    called: list[str] = []

    async def cut(handler: RequestHandler) -> None:
        stream = connection_of(handler).stream
        stream.close()
        stream.set_close_callback(None)
        stream.set_close_callback(partial(called.append, "called"))
        assert called == []

    with running(doing(cut), loop=loop) as server, server.connect() as client:
        client.send(raw())
        assert client.read_to_end() == b""
        wait_for(lambda: called == ["called"])


@EVERY_LOOP
def test_failure_of_a_close_callback_costs_nothing(loop: str) -> None:
    def fail() -> None:
        raise LookupError

    async def set_callback(handler: RequestHandler) -> None:
        connection_of(handler).stream.set_close_callback(fail)

    logged = ExpectLog("wsgitornado.application", "Uncaught exception in a close")
    with running(doing(set_callback), loop=loop) as server:
        with logged:
            with server.connect() as client:
                client.request("/")
            server.wait_until(open=0)


# Another protocol


class Echo(asyncio.Protocol):
    """Says everything again, in capitals."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # uvloop's is no subclass
        self.transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\n"
            b"Connection: upgrade\r\nUpgrade: echo\r\n\r\n"
        )

    def data_received(self, data: bytes) -> None:
        self.transport.write(data.upper())

    def pause_writing(self) -> None:
        self.notes.append("pause")

    def resume_writing(self) -> None:
        self.notes.append("resume")

    def eof_received(self) -> bool:
        self.notes.append("eof")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.notes.append("lost")


UPGRADE = raw("Connection: Upgrade", "Upgrade: echo")


def echoing(notes: list[str], gate: asyncio.Event | None = None) -> Application:
    async def upgrade(handler: RequestHandler) -> None:
        protocol = Echo(notes)
        transport = connection_of(handler).detach(protocol)
        assert transport is protocol.transport
        if gate is not None:
            await gate.wait()
        # Nobody gets it any more.
        handler.write("an answer")

    return doing(upgrade, notes)


@EVERY_KIND
@pytest.mark.parametrize("waits", [True, False], ids=["waits", "ends"])
def test_detached_connection_speaks_another_protocol(kind: Kind, waits: bool) -> None:
    notes: list[str] = []
    gate = asyncio.Event() if waits else None
    options: dict[str, Any] = {"idle_connection_timeout": 0.05}
    with running(echoing(notes, gate), kind, **options) as server:
        with server.connect() as client:
            # What comes behind the head belongs to the new protocol.
            client.send(UPGRADE + b"GET / HT")
            got = client.read_until(b"GET / HT")
            assert got.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
            assert got.count(b"HTTP/1.1") == 1
            server.wait_until(open=1)
            for _ in range(5):
                client.send(b"more")
                assert client.read_until(b"MORE") == b"MORE"
            client.end_input()
            assert client.read_to_end() == b""
        server.wait_until(open=0, parked=0)
        if gate is not None:
            server.call(gate.set)
        wait_for(lambda: "finish" in notes)
    if waits:
        assert notes == ["eof", "lost", "closed: True", "finish"]
    else:
        # The handler had come to its end before.
        assert notes == ["finish", "eof", "lost"]


@EVERY_KIND
def test_detached_connection_is_cut_with_all_others(kind: Kind) -> None:
    notes: list[str] = []
    with running(echoing(notes, asyncio.Event()), kind) as server:
        with server.connect() as client:
            client.send(UPGRADE)
            client.read_until(b"\r\n\r\n")
            server.wait_until(open=1, parked=1)
            server.run(server.server.close_all_connections())
            assert client.read_to_end() == b""
        assert notes[:2] == ["lost", "closed: True"]


@EVERY_LOOP
def test_detached_protocol_hears_of_a_slow_reader(loop: str) -> None:
    notes: list[str] = []

    async def flood(handler: RequestHandler) -> None:
        transport = connection_of(handler).detach(Echo(notes))
        transport.write(b"x" * 8_000_000)

    with running(doing(flood, notes), loop=loop) as server:
        with server.connect(receive_buffer=4096) as client:
            client.send(UPGRADE)
            wait_for(lambda: "pause" in notes)
            size = len(client.read_until(b"\r\n\r\n").partition(b"\r\n\r\n")[2])
            while size < 8_000_000:
                size += len(client.receive())
            wait_for(lambda: "resume" in notes)
        server.wait_until(open=0)


@EVERY_LOOP
def test_failure_of_a_detached_protocol_leaves_nothing(loop: str) -> None:
    class Failing(Echo):
        def connection_lost(self, exc: Exception | None) -> None:
            raise LookupError("at the end")

    notes: list[str] = []
    errors: list[str] = []

    async def upgrade(handler: RequestHandler) -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda loop, context: errors.append(str(context["exception"]))
        )
        connection_of(handler).detach(Failing(notes))

    with running(doing(upgrade, notes), loop=loop) as server:
        with server.connect() as client:
            client.send(UPGRADE)
            client.read_until(b"\r\n\r\n")
        server.wait_until(open=0, parked=0)
        wait_for(lambda: errors)
    assert errors == ["at the end"]


@EVERY_KIND
def test_connection_is_not_detached_amid_an_answer(kind: Kind) -> None:
    async def upgrade(handler: RequestHandler) -> None:
        handler.write("begun")
        await handler.flush()
        with pytest.raises(RuntimeError, match="before its answer"):
            connection_of(handler).detach(asyncio.Protocol())

    with running(doing(upgrade), kind) as server:
        assert server.ask().text == "begun"


def test_connection_is_not_detached_in_a_thread() -> None:
    class Plain(RequestHandler):
        def get(self) -> None:
            with pytest.raises(RuntimeError, match="event loop's thread: use async"):
                connection_of(self).detach(asyncio.Protocol())
            self.write("refused")

    with running(Application([("/", Plain)]), threads=1) as server:
        assert server.ask().text == "refused"


def test_connection_without_a_request_is_not_detached() -> None:
    kept: list[Any] = []

    async def keep(handler: RequestHandler) -> None:
        kept.append(connection_of(handler))

    with running(doing(keep)) as server, server.connect() as client:
        client.request("/")
        server.wait_until(answered=1)
        with pytest.raises(RuntimeError, match="before its answer"):
            server.call(kept[0].detach, asyncio.Protocol())
