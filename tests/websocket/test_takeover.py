"""How the connection is taken from a server: threads with a socket, and none at all."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from tests.httpserver.running import BOUND, running, wait_for
from tests.support import call, make_environ
from tests.websocket.frames import Frame, FrameClient, Opcode, close_frame, frame
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application
from wsgitornado.websocket import WebSocketHandler
from wsgitornado.websocket import handler as handler_module

FIELDS = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
]


class Handler(WebSocketHandler):
    notes: list[Any]

    def open(self) -> None:
        self.notes.append(threading.current_thread().name)

    def on_message(self, message: str | bytes) -> None:
        self.notes.append(threading.current_thread().name)
        self.write_message(message)

    def on_close(self) -> None:
        self.notes.append(self.close_code)


def site() -> tuple[Application, list[Any]]:
    notes: list[Any] = []
    return Application([("/", type("Made", (Handler,), {"notes": notes}))]), notes


class Client(FrameClient):
    """A client at one end of a socket pair."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.settimeout(BOUND)
        self._left_over = b""


class Thread:
    """A server's thread that answers one request, as gunicorn's do.

    :ivar error: what has ended it.
    """

    def __init__(self, app: Any, **extra: Any) -> None:
        ours, theirs = socket.socketpair()
        self.sock = ours
        self.client = Client(theirs)
        self.error: BaseException | None = None
        environ = make_environ(headers=FIELDS)
        environ.update(extra)
        environ.setdefault("gunicorn.socket", ours)
        environ["wsgi.multithread"] = True
        self._app, self._environ = app, environ
        self.thread = threading.Thread(target=self._run, name="the server's thread")

    def _run(self) -> None:
        body = self._app(self._environ, lambda *_: lambda _: None)
        try:
            for _ in body:
                pass
        except OSError as error:
            self.error = error
        finally:
            body.close()
            self.sock.close()

    def __enter__(self) -> Thread:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.thread.join(BOUND)
        assert not self.thread.is_alive()


def test_thread_with_a_socket_serves_one_connection() -> None:
    app, notes = site()
    with Thread(app) as thread:
        client = thread.client
        assert client.read_upgrade().status_code == 101
        client.send(frame(Opcode.TEXT, b"hello"))
        assert client.next_text() == "hello"
        assert client.send(close_frame(4000)).frames_to_end() == [
            Frame(Opcode.CLOSE, b"\x0f\xa0")
        ]
        thread.thread.join(BOUND)
        # gunicorn logs none of these.
        assert isinstance(thread.error, ConnectionResetError)
    assert notes == ["the server's thread"] * 2 + [4000]


def test_thread_ends_when_its_client_leaves() -> None:
    app, notes = site()
    with Thread(app) as thread:
        thread.client.read_upgrade()
        wait_for(lambda: notes)
    assert isinstance(thread.error, ConnectionResetError)
    wait_for(lambda: len(notes) == 2)
    assert notes[1] is None


def test_client_that_has_left_before_the_handshake_is_none() -> None:
    app, notes = site()

    ours, theirs = socket.socketpair()
    ours.close()
    with Thread(app, **{"gunicorn.socket": ours}) as thread:
        thread.thread.join(BOUND)
    theirs.close()
    assert isinstance(thread.error, ConnectionResetError)
    assert notes == []


class OtherSocket(socket.socket):
    """What gevent or TLS put in the place of the system's own."""


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"gunicorn.socket": OtherSocket, "wsgi.multithread": True},
        {"gunicorn.socket": socket.socket, "wsgi.multithread": False},
    ],
    ids=["no socket", "a socket of another kind", "one request at a time"],
)
def test_server_without_a_way_gets_a_501_and_a_line_in_the_log(
    extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler_module, "_has_said", False)
    app, notes = site()
    made = extra.get("gunicorn.socket")
    if made is not None:
        extra = {**extra, "gunicorn.socket": made()}
    with (
        ExpectLog("wsgitornado.general", "501 .*--server loop.*GunicornWorker") as log,
        ExpectLog("wsgitornado.access", "501 GET /", required=False),
    ):
        answer = call(app, headers=FIELDS, **extra)
        # Once in a process.
        assert call(app, headers=FIELDS, **extra).status_code == 501
    if made is not None:
        extra["gunicorn.socket"].close()
    assert answer.status_code == 501
    assert log.matched == 1
    assert notes == []


# Middleware, and the end of the server


def wrapping(app: Any) -> Any:
    """Middleware with a generator's body, as tracing has it."""

    def wrapped(environ: Any, start_response: Any) -> Any:
        yield from app(environ, start_response)

    return wrapped


def test_middleware_does_not_hinder() -> None:
    app, _ = site()
    with running(wrapping(app), threads=2) as server:
        for _ in range(3):
            with FrameClient(server.port) as client:
                client.upgrade()
                assert client.send(frame(Opcode.TEXT, b"x")).next_text() == "x"
                client.say_goodbye()
        server.wait_until(open=0, busy=0)


@pytest.mark.parametrize("threads", [0, 2])
def test_server_that_ends_says_that_it_goes_away(threads: int) -> None:
    app, notes = site()
    with running(app, threads=threads) as server, FrameClient(server.port) as client:
        client.upgrade()
        wait_for(lambda: notes)
        drained = server.begin(server.server.drain_connections(BOUND))
        assert client.next_frame() == Frame(Opcode.CLOSE, b"\x03\xe9")
        client.send(close_frame(1001))
        assert client.read_to_end() == b""
        drained.result(BOUND)
        wait_for(lambda: notes[-1] == 1001)


def test_client_that_ignores_the_end_is_cut() -> None:
    app, notes = site()
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade()
        wait_for(lambda: notes)
        server.begin(server.server.drain_connections(0.05)).result(BOUND)
        assert client.frames_to_end() == [Frame(Opcode.CLOSE, b"\x03\xe9")]


def test_idle_connection_outlives_the_deadlines_of_http() -> None:
    app, _ = site()
    options: dict[str, Any] = {"idle_connection_timeout": 0.02, "head_timeout": 0.02}
    with running(app, **options) as server, FrameClient(server.port) as client:
        client.upgrade()
        with FrameClient(server.port) as idle:
            # Its end proves that as much time has gone by.
            assert idle.read_to_end() == b""
        server.call(lambda: None)
        assert client.send(frame(Opcode.TEXT, b"x")).next_text() == "x"
        client.say_goodbye()


def test_nothing_of_http_is_kept_for_an_open_connection() -> None:
    kept: list[Any] = []

    class Keeping(Handler):
        notes: list[Any] = []

        def open(self) -> None:
            kept.append(self)

    app = Application([("/", Keeping)])
    with running(app) as server, FrameClient(server.port) as client:
        client.upgrade()
        wait_for(lambda: kept)
        server.wait_until(open=1, parked=0)
        handler = kept[0]
        assert handler._parked is None
        assert server.only_connection().exchange is None
        # The request is still there.
        assert handler.request.headers["Upgrade"] == "websocket"
        assert handler.request.connection.context.protocol == "http"
        client.say_goodbye()
