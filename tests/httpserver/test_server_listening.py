"""Where a server listens: ports, IPv6, unix sockets, TLS, and on which loop."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import write_certificate
from tests.httpserver.running import (
    EVERY_KIND,
    EVERY_LOOP,
    Kind,
    SocketClient,
    hello,
    raw,
    running,
    wait_for,
)
from tests.live.client import Client
from tests.loops import run_program
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.httpserver import HTTPServer
from wsgitornado.netutil import bind_sockets, bind_unix_socket

KEYS = (
    "SERVER_NAME",
    "SERVER_PORT",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "wsgi.url_scheme",
)


def show(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    """Says where the request came from and to."""
    start_response("200 OK", [])
    return ["|".join(str(environ.get(key)) for key in KEYS).encode()]


def shown(client: Client) -> dict[str, str]:
    values = client.request("/").text.split("|")
    return dict(zip(KEYS, values, strict=True))


def assert_closed(port: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


# Addresses


@EVERY_KIND
def test_environ_knows_both_ends(kind: Kind) -> None:
    with running(show, kind) as server, server.connect() as client:
        here = client._socket.getsockname()
        assert shown(client) == {
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(server.port),
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": str(here[1]),
            "wsgi.url_scheme": "http",
        }


@EVERY_LOOP
def test_small_packets_are_sent_at_once(loop: str) -> None:
    def nodelay(connection: Any) -> int:
        sock = connection.transport.get_extra_info("socket")
        with socket.socket(fileno=os.dup(sock.fileno())) as copy:
            return copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    with running(hello, loop=loop) as server, server.connect() as client:
        client.request("/")
        assert server.call(nodelay, server.only_connection())


@EVERY_LOOP
def test_client_that_has_left_already_is_no_other(loop: str) -> None:
    addresses: list[str] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        addresses.append(environ["REMOTE_ADDR"])
        return hello(environ, start_response)

    with running(app, loop=loop, threads=0) as server:
        ready = threading.Event()
        # The loop is busy while the client comes, asks and goes.
        server.loop.call_soon_threadsafe(ready.wait, 20)
        for _ in range(20):
            client = server.connect()
            client.send(raw()).reset()
        ready.set()
        server.ask()
        server.wait_until(open=0)
    assert set(addresses) == {"127.0.0.1"}


@EVERY_LOOP
def test_ipv6_is_served(loop: str) -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")

    def listen(server: HTTPServer) -> None:
        server.listen(0, "::1")

    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with running(show, loop=loop, listen=listen) as server:
        sock = socket.create_connection(("::1", server.port))
        with SocketClient(sock) as client:
            seen = shown(client)
    assert (seen["SERVER_NAME"], seen["REMOTE_ADDR"]) == ("::1", "::1")
    assert seen["REMOTE_PORT"].isdecimal()


@EVERY_KIND
def test_unix_socket_is_served(kind: Kind, tmp_path: Path) -> None:
    path = tmp_path / "socket"

    def listen(server: HTTPServer) -> None:
        server.add_socket(bind_unix_socket(path))

    with running(show, kind, listen=listen):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        with SocketClient(sock) as client:
            seen = shown(client)
    assert seen["REMOTE_PORT"] == "None"
    # As in Tornado: no address that a program might trust.
    assert seen["REMOTE_ADDR"] == "0.0.0.0"  # nothing is bound to it
    assert (seen["SERVER_NAME"], seen["SERVER_PORT"]) == ("localhost", "80")


@EVERY_LOOP
def test_several_sockets_are_served(loop: str, tmp_path: Path) -> None:
    def listen(server: HTTPServer) -> None:
        server.listen(0, "127.0.0.1")
        server.add_sockets(bind_sockets(0, "127.0.0.1"))
        server.bind(0, "127.0.0.1")
        server.bind(0, "127.0.0.1")
        server.start()

    with running(hello, loop=loop, listen=listen) as server:
        ports = [sock.getsockname()[1] for sock in server.server.sockets]
        assert len(set(ports)) == 4
        for port in ports:
            with Client(port) as client:
                assert client.request("/a").body == b"/a"
        server.call(server.server.stop)
        for port in ports:
            assert_closed(port)


@pytest.mark.skipif(
    not hasattr(socket, "SO_REUSEPORT"), reason="this machine has no SO_REUSEPORT"
)
@EVERY_LOOP
def test_port_may_be_shared(loop: str) -> None:
    def listen(server: HTTPServer) -> None:
        server.listen(0, "127.0.0.1", reuse_port=True)

    with running(hello, loop=loop, listen=listen) as server:
        port = server.port
        (sock,) = bind_sockets(port, "127.0.0.1", reuse_port=True)
        sock.close()
        with pytest.raises(OSError, match=str(port)):
            bind_sockets(port, "127.0.0.1")


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of a certificate for localhost."""
    return write_certificate(tmp_path_factory.mktemp("tls"))


def connect_with_tls(port: int, certificate: dict[str, str]) -> SocketClient:
    context = ssl.create_default_context(cafile=certificate["certfile"])
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    return SocketClient(context.wrap_socket(sock, server_hostname="localhost"))


def context_of(certificate: dict[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate["certfile"], certificate["keyfile"])
    return context


@EVERY_KIND
@pytest.mark.parametrize("options", [dict, context_of], ids=["dict", "context"])
def test_tls_is_served(
    kind: Kind, options: Callable[[dict[str, str]], Any], certificate: dict[str, str]
) -> None:
    with running(show, kind, ssl_options=options(certificate)) as server:
        with connect_with_tls(server.port, certificate) as client:
            for _ in range(3):
                assert shown(client)["wsgi.url_scheme"] == "https"
        server.wait_until(open=0)


def streaming(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    length = int(environ.get("CONTENT_LENGTH", 0))
    body = environ["wsgi.input"].read()
    start_response("200 OK", [])
    return iter([str(length).encode(), b" ", body])


@EVERY_KIND
def test_tls_carries_large_bodies_both_ways(
    kind: Kind, certificate: dict[str, str]
) -> None:
    body = bytes(range(256)) * 8000
    with running(streaming, kind, ssl_options=certificate) as server:
        with connect_with_tls(server.port, certificate) as client:
            for _ in range(2):
                answer = client.post("/", body)
                assert answer.body == b"%d %b" % (len(body), body)


@EVERY_KIND
def test_tls_ends_with_the_last_answer(kind: Kind, certificate: dict[str, str]) -> None:
    with running(hello, kind, ssl_options=certificate) as server:
        with connect_with_tls(server.port, certificate) as client:
            got = client.send(raw("Connection: close")).read_to_end()
            assert got.endswith(b"\r\n\r\n/")
        server.wait_until(open=0)


@EVERY_LOOP
@pytest.mark.parametrize("said", ["nothing", "http", "half"])
def test_who_speaks_no_tls_is_left_alone(
    loop: str, said: str, certificate: dict[str, str]
) -> None:
    options: dict[str, Any] = {"ssl_options": certificate, "head_timeout": 0.1}
    with running(hello, loop=loop, **options) as server:
        with server.connect() as client:
            client.send({"nothing": b"", "http": raw(), "half": b"\x16\x03"}[said])
            # Who says nothing has a time.
            assert b"HTTP" not in client.read_to_end()
        wait_for(lambda: not server.server._connecting)
        server.wait_until(open=0)
        # Now for others, who need longer on a busy machine.
        limits = dataclasses.replace(server.server.limits, head_timeout=20)
        server.server.limits = limits
        with connect_with_tls(server.port, certificate) as client:
            assert client.request("/").status_code == 200


@EVERY_LOOP
def test_handshake_does_not_keep_a_server_from_its_end(
    loop: str, certificate: dict[str, str]
) -> None:
    with running(hello, loop=loop, ssl_options=certificate) as server:
        with server.connect() as client, server.connect() as half:
            half.send(b"\x16\x03")
            wait_for(lambda: len(server.server._connecting) == 2)
            server.run(server.server.close_all_connections())
            for one in (client, half):
                with contextlib.suppress(ConnectionResetError):
                    assert one.read_to_end() == b""
        assert not server.server._connecting
        assert server.server._accepted == 0


# Loops


def test_port_is_listened_on_from_within_asyncio_run() -> None:
    done = run_program(
        """
        import asyncio
        from tests.httpserver.programs import ask, application

        async def main():
            server = application.listen(0, "127.0.0.1")
            print(await asyncio.to_thread(ask, server))
            await server.drain_connections(1)

        asyncio.run(main())
        """
    )
    assert (done.stdout, done.stderr) == ("200 /a\n", "")


def test_port_is_listened_on_before_the_loop_runs() -> None:
    done = run_program(
        """
        import os, threading
        from tests.httpserver.programs import ask, application
        from wsgitornado.ioloop import IOLoop

        def look():
            print(ask(server), flush=True)
            os._exit(0)

        server = application.listen(0, "127.0.0.1")
        threading.Thread(target=look).start()
        IOLoop.current().start()
        """
    )
    assert (done.stdout, done.stderr) == ("200 /a\n", "")


def test_port_is_listened_on_from_another_thread() -> None:
    done = run_program(
        """
        import os, threading
        from tests.httpserver.programs import ask, application
        from wsgitornado.ioloop import IOLoop

        def work():
            server = application.listen(0, "127.0.0.1")
            print(ask(server), flush=True)
            server.stop()
            os._exit(0)

        loop = IOLoop.current()
        loop.add_callback(lambda: threading.Thread(target=work).start())
        loop.start()
        """
    )
    assert (done.stdout, done.stderr) == ("200 /a\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine cannot fork")
def test_several_processes_share_a_port() -> None:
    program = """if True:
        import os
        from wsgitornado.httpserver import HTTPServer
        from wsgitornado.ioloop import IOLoop
        from wsgitornado.process import task_id
        from wsgitornado.web import Application, RequestHandler

        class Task(RequestHandler):
            def get(self):
                self.write(f"{task_id()} {os.getpid()}")

        server = HTTPServer(Application([("/task", Task)]))
        server.bind(0, "127.0.0.1")
        print(server._pending[0].getsockname()[1], flush=True)
        server.start(2)
        IOLoop.current().start()
    """
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())

        def ask() -> tuple[str, int]:
            with Client(port) as client:
                task, pid = client.request("/task").text.split()
                return task, int(pid)

        try:
            task, pid = ask()
            # While this one stands still the other one must answer.
            os.kill(pid, signal.SIGSTOP)
            other, _ = ask()
            os.kill(pid, signal.SIGCONT)
            assert {task, other} == {"0", "1"}
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        assert_closed(port)


def test_socket_that_is_taken_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}"):
            HTTPServer(hello).listen(port, "127.0.0.1")


def test_stop_before_anything_ran_closes_what_was_bound() -> None:
    server = HTTPServer(hello)
    server.bind(0, "127.0.0.1")
    (sock,) = server._pending
    server.stop()
    assert sock.fileno() == -1
    assert server.stats()["open"] == 0


@pytest.fixture(autouse=True)
def programs_find_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", str(root))
