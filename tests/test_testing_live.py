"""LiveServer: an application on a port, in a thread."""

from __future__ import annotations

import asyncio
import socket
import threading
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.certificates import write_certificate
from tests.loops import BOUND
from wsgitornado import parking
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing import ExpectLog, LiveServer
from wsgitornado.web import Application, RequestHandler


class Hello(RequestHandler):
    def get(self) -> None:
        self.write(self.request.path)


class Later(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write(threading.current_thread().name)


class Never(RequestHandler):
    ended = threading.Event()
    begun = threading.Event()

    async def get(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


def make_app() -> Application:
    return Application([("/later", Later), ("/never", Never), ("/.*", Hello)])


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=BOUND) as answer:
        text: str = answer.read().decode()
    return text


def test_url_leads_to_the_application() -> None:
    with LiveServer(make_app()) as server:
        assert str(server) == server.url == f"http://127.0.0.1:{server.port}"
        assert repr(server) == f"<LiveServer {server.url}>"
        assert get(server.url) == "/"
        assert get(server.get_url("/a/b")) == "/a/b"
        url = server.url
    with pytest.raises(urllib.error.URLError):
        get(url)


def test_asynchronous_handlers_run_on_its_loop() -> None:
    with LiveServer(make_app()) as server:
        assert get(server.get_url("/later")) == "wsgitornado-live-server"


def test_several_may_follow_each_other() -> None:
    background = parking.background_loop()
    app = make_app()
    for _ in range(2):
        with LiveServer(app) as server:
            assert get(server.get_url("/later")) == "wsgitornado-live-server"
    assert parking.background_loop() is background


def test_loop_is_that_of_the_process_meanwhile() -> None:
    with LiveServer(make_app()):
        done: list[str] = []
        has_run = threading.Event()

        def note() -> None:
            done.append(threading.current_thread().name)
            has_run.set()

        IOLoop.current().add_callback(note)
        assert has_run.wait(BOUND)
    assert done == ["wsgitornado-live-server"]


def test_another_application_runs_in_threads() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [threading.current_thread().name.encode()]

    with LiveServer(app, threads=1) as server:
        assert get(server.url).startswith("wsgitornado-worker")


def test_end_cuts_who_waits() -> None:
    Never.begun.clear()
    Never.ended.clear()
    with LiveServer(make_app()) as server:
        sock = socket.create_connection(("127.0.0.1", server.port), BOUND)
        sock.sendall(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert Never.begun.wait(BOUND)
    assert Never.ended.is_set()
    with sock:
        assert sock.recv(1000) == b""


def test_end_of_what_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgitornado.testing.loops.GRACE", 0.01)
    ended = asyncio.Event()

    async def stubborn() -> None:
        while not ended.is_set():
            try:
                await ended.wait()
            except asyncio.CancelledError:
                pass

    server = LiveServer(make_app())
    server.start()
    IOLoop.current().add_callback(stubborn)
    with ExpectLog("asyncio", "Task was destroyed", required=False):
        with pytest.raises(RuntimeError, match=r"did not end:\n  in stubborn \("):
            server.stop()


class Blocking(RequestHandler):
    begun = threading.Event()
    may_end = threading.Event()

    def get(self) -> None:
        self.begun.set()
        self.may_end.wait(BOUND)


def test_handler_that_blocks_the_loop_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = LiveServer(Application([("/", Blocking)]))
    server.start()
    (thread,) = (t for t in threading.enumerate() if t.name.endswith("live-server"))
    loop = IOLoop.current()
    sock = socket.create_connection(("127.0.0.1", server.port), BOUND)
    sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert Blocking.begun.wait(BOUND)
    monkeypatch.setattr("wsgitornado.testing.live._BOUND", 0.01)
    with pytest.raises(RuntimeError, match="a handler, which blocks the loop"):
        server.stop()
    Blocking.may_end.set()
    thread.join(BOUND)
    sock.close()
    loop.run_sync(server.http_server.close_all_connections)
    loop.close()


def test_tls_has_its_scheme(tmp_path: Any) -> None:
    options = write_certificate(tmp_path)
    with LiveServer(make_app(), ssl_options=options) as server:
        assert server.url.startswith("https://127.0.0.1:")


def test_server_starts_once_and_ends_at_any_time() -> None:
    server = LiveServer(make_app())
    assert repr(server) == "<LiveServer not started>"
    server.stop()
    server.start()
    with pytest.raises(RuntimeError, match="started once"):
        server.start()
    server.stop()
    server.stop()


def test_application_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="a WSGI callable is expected"):
        LiveServer("module:app")  # type: ignore[arg-type]  # that is the mistake
