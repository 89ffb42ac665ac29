"""WebSocketHandler before and during its life: the request, messages, the end."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.httpserver.running import EVERY_KIND, Kind, running, wait_for
from tests.websocket.frames import (
    DEFLATE,
    Frame,
    FrameClient,
    Opcode,
    close_frame,
    deflated,
    frame,
    handshake,
    inflated,
)
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, HTTPError
from wsgitornado.websocket import WebSocketClosedError, WebSocketHandler
from wsgitornado.websocket import protocol as protocol_module


class Handler(WebSocketHandler):
    """Notes what happens to it."""

    notes: list[Any]

    def open(self, *args: Any, **kwargs: Any) -> Any:
        self.notes.append(("open", *args, *kwargs.items()))

    def on_message(self, message: str | bytes) -> Any:
        self.write_message(message, binary=isinstance(message, bytes))

    def on_close(self) -> Any:
        self.notes.append(("close", self.close_code, self.close_reason))


def site(*bases: type, path: str = "/", **settings: Any) -> tuple[Any, list[Any]]:
    """An application with a handler like this, and its notes."""
    notes: list[Any] = []
    made = type("Made", (*bases, Handler), {"notes": notes})
    return Application([(path, made)], **settings), notes


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has left is not waited for."""
    monkeypatch.setattr(protocol_module, "CLOSE_TIMEOUT", 0.01)


def text(message: str) -> bytes:
    return frame(Opcode.TEXT, message.encode())


def close(code: int, reason: bytes = b"") -> Frame:
    return Frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason)


@EVERY_KIND
def test_messages_come_back_and_the_close_is_told(kind: Kind) -> None:
    app, notes = site()
    with running(app, kind) as server, FrameClient(server.port) as client:
        client.upgrade()
        client.send(text("é") + frame(Opcode.BINARY, b"\xff"))
        assert client.next_text() == "é"
        assert client.next_frame() == Frame(Opcode.BINARY, b"\xff")
        server.wait_until(open=1)
        client.send(close_frame(4000, b"bye"))
        assert client.frames_to_end() == [close(4000)]
        wait_for(lambda: len(notes) == 2)
        server.wait_until(open=0, parked=0)
    assert notes == [("open",), ("close", 4000, "bye")]


@EVERY_KIND
def test_client_that_leaves_without_a_word_is_noticed(kind: Kind) -> None:
    app, notes = site()
    with running(app, kind) as server:
        with FrameClient(server.port) as client:
            client.upgrade()
            wait_for(lambda: notes)
        wait_for(lambda: len(notes) == 2)
        server.wait_until(open=0, parked=0)
    assert notes[1] == ("close", None, None)


def test_groups_of_the_path_are_for_open() -> None:
    app, notes = site(path=r"/rooms/(.+)")
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade(target="/rooms/a%20b")
        wait_for(lambda: notes)
        client.say_goodbye()
    assert notes[0] == ("open", "a b")


class Named:
    def open(self, name: str) -> None:
        self.write_message(name)  # type: ignore[attr-defined]  # of the handler


def test_named_groups_come_by_their_names() -> None:
    app, _ = site(Named, path=r"/(?P<name>.+)")
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade(target="/ann")
        assert client.next_text() == "ann"
        client.say_goodbye()


# The request


@pytest.mark.parametrize(
    ("lines", "without", "code", "body"),
    [
        ([], ("Upgrade",), 400, b'Can "Upgrade" only to "WebSocket".'),
        ([], ("Connection",), 400, b'"Connection" must be "Upgrade".'),
        ([], ("Sec-WebSocket-Key",), 400, b"Missing/Invalid WebSocket headers"),
        (["Sec-WebSocket-Version: 8"], (), 426, b""),
        (["Origin: http://b.example"], (), 403, b"Cross origin websockets not allowed"),
    ],
    ids=["no Upgrade", "no Connection", "no key", "old version", "another site"],
)
def test_request_that_is_none_is_refused(
    lines: list[str], without: tuple[str, ...], code: int, body: bytes
) -> None:
    app, notes = site()
    with (
        running(app) as server,
        FrameClient(server.port) as client,
        ExpectLog("wsgitornado.access", "^[0-9]{3} GET /", required=False),
    ):
        from_request = _refused(client, *lines, without=without)
        assert (from_request.status_code, from_request.body) == (code, body)
        if code == 426:
            assert from_request.headers["sec-websocket-version"] == "13"
        # The connection goes on with HTTP.
        assert client.upgrade().status_code == 101
        client.say_goodbye()
    assert notes == [("open",), ("close", 1000, None)]


def _refused(client: FrameClient, *lines: str, without: tuple[str, ...] = ()) -> Any:
    client.send(handshake(*lines, without=without))
    return client.read_upgrade()


class FromAnywhere:
    def check_origin(self, origin: str) -> bool:
        return origin.endswith(".example")


def test_program_decides_on_origins() -> None:
    app, _ = site(FromAnywhere)
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade("Origin: http://b.example")
        client.say_goodbye()


class Refusing:
    async def prepare(self) -> None:
        raise HTTPError(403, reason="No")


def test_prepare_refuses_as_for_any_request() -> None:
    app, notes = site(Refusing)
    with (
        running(app) as server,
        FrameClient(server.port) as client,
        ExpectLog("wsgitornado.access", "^403", required=False),
    ):
        assert _refused(client).status_code == 403
    assert notes == []


class Greeting:
    def prepare(self: Any) -> None:
        self.set_header("X-Room", "7")
        self.set_cookie("a", "b")

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return subprotocols[-1] if subprotocols else None

    def open(self: Any) -> None:
        self.write_message({"chosen": self.selected_subprotocol})


@EVERY_KIND
def test_handshake_carries_headers_cookies_and_the_subprotocol(kind: Kind) -> None:
    app, _ = site(Greeting)
    with running(app, kind) as server, FrameClient(server.port) as client:
        headers = client.upgrade("Sec-WebSocket-Protocol: a, b").headers
        assert headers["x-room"] == "7"
        assert headers["set-cookie"] == "a=b; Path=/"
        assert headers["sec-websocket-protocol"] == "b"
        assert "content-type" not in headers
        assert client.next_text() == '{"chosen": "b"}'
        client.say_goodbye()


def test_no_subprotocol_is_chosen_by_default() -> None:
    app, _ = site()
    with running(app) as server, FrameClient(server.port) as client:
        headers = client.upgrade("Sec-WebSocket-Protocol: a, b").headers
        assert "sec-websocket-protocol" not in headers
        client.say_goodbye()


class Inventing:
    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return "invented"


class Writing:
    def prepare(self: Any) -> None:
        self.write("text")


class Odd:
    ping_interval = -1


@pytest.mark.parametrize(
    ("base", "error"),
    [(Inventing, "'invented'"), (Writing, "status code HTTP101"), (Odd, "negative")],
)
def test_mistake_before_the_handshake_is_a_500(base: type, error: str) -> None:
    app, notes = site(base)
    with (
        running(app) as server,
        FrameClient(server.port) as client,
        ExpectLog("wsgitornado.application", "(?s).*"),
        ExpectLog("wsgitornado.access", "^500", required=False),
    ):
        assert _refused(client).status_code == 500
    assert notes == []


class Compressed:
    def get_compression_options(self) -> dict[str, Any]:
        return {"compression_level": 9}


def test_messages_are_compressed_where_both_want_it() -> None:
    app, _ = site(Compressed)
    message = "hello " * 50
    with running(app) as server, FrameClient(server.port) as client:
        headers = client.upgrade(DEFLATE).headers
        assert headers["sec-websocket-extensions"] == "permessage-deflate"
        client.send(frame(Opcode.TEXT, deflated(message.encode()), reserved=4))
        got = client.next_frame()
        assert got.reserved == 4
        assert inflated(got.payload).decode() == message
        client.say_goodbye()


@pytest.mark.parametrize(
    ("bases", "lines"), [((), [DEFLATE]), ((Compressed,), [])], ids=["server", "client"]
)
def test_messages_are_plain_where_one_does_not(
    bases: tuple[type, ...], lines: list[str]
) -> None:
    app, _ = site(*bases)
    with running(app) as server, FrameClient(server.port) as client:
        assert "sec-websocket-extensions" not in client.upgrade(*lines).headers
        assert client.send(text("x")).next_text() == "x"
        client.say_goodbye()


# What the program may do


class Calling:
    """Does in ``open`` what the test says."""

    def open(self: Any) -> None:
        self.notes.append(self.action())

    @staticmethod
    def calling(action: Callable[[Any], Any]) -> type:
        return type("Calling", (Calling,), {"action": action})


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("write", ("x",)),
        ("finish", ()),
        ("flush", ()),
        ("redirect", ("/",)),
        ("set_header", ("a", "b")),
        ("set_status", (200,)),
        ("set_cookie", ("a", "b")),
    ],
)
def test_there_is_no_response_after_thehandshake(method: str, args: Any) -> None:
    def call(handler: Any) -> str:
        with pytest.raises(RuntimeError) as caught:
            getattr(handler, method)(*args)
        return str(caught.value)

    app, notes = site(Calling.calling(call))
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade()
        client.say_goodbye()
        wait_for(lambda: len(notes) == 2)
    assert notes[0] == "Method not supported for Web Sockets"


@pytest.mark.parametrize(
    ("message", "binary", "sent"),
    [
        ("é", False, Frame(Opcode.TEXT, "é".encode())),
        ("é", True, Frame(Opcode.BINARY, "é".encode())),
        (b"a", False, Frame(Opcode.TEXT, b"a")),
        (bytearray(b"\xff"), True, Frame(Opcode.BINARY, b"\xff")),
        ({"a": 1}, False, Frame(Opcode.TEXT, b'{"a": 1}')),
        ({"a": 1}, True, Frame(Opcode.BINARY, b'{"a": 1}')),
    ],
    ids=str,
)
def test_message_goes_out(message: Any, binary: bool, sent: Frame) -> None:
    app, _ = site(Calling.calling(lambda self: self.write_message(message, binary)))
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade()
        assert client.next_frame() == sent
        client.say_goodbye()


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (lambda self: self.write_message(1), TypeError),
        (lambda self: self.write_message(None), TypeError),
        (lambda self: self.write_message(b"\xff"), ValueError),
        (lambda self: self.ping(b"x" * 126), ValueError),
        (lambda self: self.close(1000, "x" * 124), ValueError),
        (lambda self: self.close(1005), ValueError),
        (lambda self: self.close(99), ValueError),
    ],
    ids=["int", "None", "no text", "long ping", "long reason", "1005", "99"],
)
def test_what_cannot_be_sent_is_an_error(
    action: Callable[[Any], Any], error: type[Exception]
) -> None:
    def call(handler: Any) -> type[Exception]:
        with pytest.raises(error):
            action(handler)
        return error

    app, notes = site(Calling.calling(call))
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade()
        client.say_goodbye()
        wait_for(lambda: len(notes) == 2)
    assert notes[0] is error


@pytest.mark.parametrize(
    ("args", "payload"),
    [
        ((), b""),
        ((4000,), b"\x0f\xa0"),
        ((4000, "x" * 123), b"\x0f\xa0" + b"x" * 123),
        ((None, "just"), b"\x03\xe8just"),
    ],
    ids=["nothing", "a code", "a long reason", "a reason"],
)
def test_handler_closes(args: Any, payload: bytes) -> None:
    def call(handler: Any) -> str:
        handler.close(*args)
        handler.close(4999)
        with pytest.raises(WebSocketClosedError):
            handler.write_message("too late")
        with pytest.raises(WebSocketClosedError):
            handler.ping()
        return "closed"

    app, notes = site(Calling.calling(call))
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade()
        assert client.next_frame() == Frame(Opcode.CLOSE, payload)
        assert client.send(close_frame(4001, b"ok")).frames_to_end() == []
        wait_for(lambda: len(notes) == 2)
    assert notes == ["closed", ("close", 4001, "ok")]


class Pinging:
    def open(self: Any) -> None:
        self.ping("you")

    def on_ping(self: Any, data: bytes) -> None:
        self.notes.append(("ping", data))

    def on_pong(self: Any, data: bytes) -> None:
        self.notes.append(("pong", data))


def test_pings_and_pongs_are_told() -> None:
    app, notes = site(Pinging)
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade()
        assert client.next_frame() == Frame(Opcode.PING, b"you")
        client.send(frame(Opcode.PONG, b"me"))
        assert client.frames_until_pong(b"?") == []
        client.say_goodbye()
    assert notes[:2] == [("pong", b"me"), ("ping", b"?")]


class Ended:
    def on_close(self: Any) -> None:
        for call in (lambda: self.write_message("x"), self.ping):
            with pytest.raises(WebSocketClosedError):
                call()
        self.close()
        self.notes.append(self.ws_connection)


def test_nothing_can_be_sent_at_the_end() -> None:
    app, notes = site(Ended)
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade()
        client.say_goodbye()
        wait_for(lambda: len(notes) == 2)
    assert notes == [("open",), None]


def test_packets_may_be_collected() -> None:
    app, notes = site(Calling.calling(lambda self: self.set_nodelay(False)))
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade()
        assert client.send(text("x")).next_text() == "x"
        client.say_goodbye()
    assert notes[0] is None


# Order


class Slow:
    """Each step waits for the test."""

    gates: dict[str, asyncio.Event]

    async def open(self: Any) -> None:
        await self._pass("open")

    async def on_message(self: Any, message: str) -> None:
        await self._pass(message)

    async def on_close(self: Any) -> None:
        await asyncio.sleep(0)
        self.notes.append("close")

    async def _pass(self: Any, name: str) -> None:
        self.notes.append(f"{name} begins")
        await self.gates[name].wait()
        self.notes.append(f"{name} ends")


def _has_last(notes: list[Any], note: str) -> bool:
    return notes[-1:] == [note]


def test_one_message_at_a_time_and_all_before_the_end() -> None:
    names = ["open", "a", "b"]
    base = type("Gated", (Slow,), {"gates": {name: asyncio.Event() for name in names}})
    app, notes = site(base)
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade(behind=text("a"))
        client.send(text("b") + frame(Opcode.PING, b"1") + close_frame(1000))
        # Pings are answered meanwhile.
        assert client.next_frame() == Frame(Opcode.PONG, b"1")
        for name in names:
            wait_for(partial(_has_last, notes, f"{name} begins"))
            server.call(base.gates[name].set)  # type: ignore[attr-defined]  # just made
        assert client.frames_to_end() == [close(1000)]
        wait_for(lambda: notes[-1] == "close")
    assert notes == [
        *(f"{name} {what}" for name in names for what in ("begins", "ends")),
        "close",
    ]


VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


class WithContext:
    def prepare(self) -> None:
        VARIABLE.set("of the request")

    def on_message(self: Any, message: str) -> Any:
        if message == "plain":
            self.write_message(VARIABLE.get())
            return None
        return self.answer()

    async def answer(self: Any) -> None:
        await asyncio.sleep(0)
        await self.write_message(VARIABLE.get())

    def on_close(self: Any) -> None:
        self.notes.append(VARIABLE.get())


@EVERY_KIND
def test_context_is_that_of_the_request(kind: Kind) -> None:
    app, notes = site(WithContext)
    with running(app, kind) as server, FrameClient(server.port) as client:
        client.upgrade()
        for word in ("plain", "async", "plain"):
            assert client.send(text(word)).next_text() == "of the request"
        client.say_goodbye()
        wait_for(lambda: len(notes) == 2)
    assert notes[-1] == "of the request"


# Threads


class Where:
    def open(self: Any) -> None:
        self.notes.append(threading.current_thread().name)

    def on_message(self: Any, message: str) -> None:
        self.ping(b"from a thread")
        self.write_message(threading.current_thread().name)
        if message == "close":
            self.close(4000)

    def on_close(self: Any) -> None:
        self.notes.append(threading.current_thread().name)


@pytest.mark.parametrize("threads", [0, 2])
def test_plain_methods_run_where_plain_functions_run(threads: int) -> None:
    app, notes = site(Where)
    with running(app, threads=threads) as server, FrameClient(server.port) as client:
        client.upgrade()
        client.send(text("close"))
        assert client.next_frame() == Frame(Opcode.PING, b"from a thread")
        names = {client.next_text()}
        assert client.next_frame() == close(4000)
        assert client.say_goodbye(4000) == []
        wait_for(lambda: len(notes) == 2)
        server.wait_until(open=0, parked=0)
    names.update(notes)
    assert ("the loop of the server" in names) is (threads == 0)


# Failures


def raising(name: str, is_async: bool) -> type:
    def fail(self: Any, *args: Any) -> None:
        raise LookupError(name)

    async def fail_later(self: Any, *args: Any) -> None:
        await asyncio.sleep(0)
        raise LookupError(name)

    return type("Raising", (), {name: fail_later if is_async else fail})


@EVERY_KIND
@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("name", ["open", "on_message"])
def test_failure_is_logged_and_closes(name: str, is_async: bool, kind: Kind) -> None:
    app, notes = site(raising(name, is_async))
    with (
        running(app, kind) as server,
        FrameClient(server.port) as client,
        ExpectLog("wsgitornado.application", "Uncaught exception GET /"),
    ):
        client.upgrade()
        # Only the first one is dealt with.
        client.send(text("a") + text("b"))
        assert client.next_frame() == close(1011)
        assert client.send(close_frame(1011)).frames_to_end() == []
        server.wait_until(open=0, parked=0)
        if name == "on_message":
            wait_for(lambda: len(notes) == 2)
    # What has not been opened is not closed either.
    assert notes == ([] if name == "open" else [("open",), ("close", 1011, None)])


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("threads", [0, 1])
def test_failure_at_the_end_is_logged(is_async: bool, threads: int) -> None:
    app, _ = site(raising("on_close", is_async))
    with running(app, threads=threads) as server, FrameClient(server.port) as client:
        client.upgrade()
        with ExpectLog("wsgitornado.application", "Uncaught exception GET /") as log:
            client.say_goodbye()
            wait_for(lambda: log.matched)
        server.wait_until(open=0, parked=0)


@pytest.mark.parametrize("name", ["on_ping", "on_pong"])
def test_failure_in_a_hook_closes(name: str) -> None:
    app, _ = site(raising(name, is_async=False))
    opcode = Opcode.PING if name == "on_ping" else Opcode.PONG
    with (
        running(app) as server,
        FrameClient(server.port) as client,
        ExpectLog("wsgitornado.application", "Uncaught exception GET /"),
    ):
        client.upgrade()
        client.send(frame(opcode))
        assert close(1011) in client.say_goodbye()


def test_on_message_has_to_be_defined() -> None:
    app = Application([("/", WebSocketHandler)])
    with (
        running(app) as server,
        FrameClient(server.port) as client,
        ExpectLog("wsgitornado.application", "Uncaught exception GET /"),
    ):
        client.upgrade()
        client.send(text("x"))
        assert client.next_frame() == close(1011)
        client.say_goodbye()


class SlowToOpen(Slow):
    async def on_close(self: Any) -> None:
        self.notes.append("closed")


@pytest.mark.usefixtures("hurried")
def test_end_while_it_opens_is_told_when_it_is_open() -> None:
    gate = asyncio.Event()
    app, notes = site(type("Gated", (SlowToOpen,), {"gates": {"open": gate}}))
    with running(app) as server:
        with FrameClient(server.port) as client:
            client.upgrade()
            wait_for(lambda: notes)
        server.wait_until(open=0)
        assert notes == ["open begins"]
        server.call(gate.set)
        wait_for(lambda: len(notes) == 3)
    assert notes[1:] == ["open ends", "closed"]


class FailsLate:
    gate: asyncio.Event

    async def open(self: Any) -> None:
        self.notes.append("begins")
        await self.gate.wait()
        raise LookupError("too late")


@pytest.mark.usefixtures("hurried")
def test_failure_after_the_end_is_logged() -> None:
    gate = asyncio.Event()
    app, notes = site(type("Gated", (FailsLate,), {"gate": gate}))
    with running(app) as server:
        with FrameClient(server.port) as client:
            client.upgrade()
            wait_for(lambda: notes)
        server.wait_until(open=0)
        with ExpectLog("wsgitornado.application", "Uncaught exception GET /") as log:
            server.call(gate.set)
            wait_for(lambda: log.matched)
    assert notes == ["begins"]


class FailsLater(FailsLate):
    open = Handler.open

    async def on_message(self: Any, message: str) -> None:
        self.notes.append("begins")
        await self.gate.wait()
        raise {"closed": WebSocketClosedError(), "other": LookupError("mine")}[message]


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("error", ["other", "closed"])
def test_message_that_fails_after_the_end(error: str) -> None:
    gate = asyncio.Event()
    app, notes = site(type("Gated", (FailsLater,), {"gate": gate}))
    with running(app) as server:
        with FrameClient(server.port) as client:
            client.upgrade()
            client.send(text(error))
            wait_for(lambda: len(notes) == 2)
        wait_for(lambda: len(notes) == 3)
        with ExpectLog(
            "wsgitornado.application", "Uncaught exception", required=error == "other"
        ) as log:
            server.call(gate.set)
            wait_for(lambda: not protocol_module._running)
        # That the client has left is no mistake of the program.
        assert log.matched == (error == "other")
