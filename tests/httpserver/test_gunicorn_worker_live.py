"""The worker under gunicorn: requests, and what gunicorn's settings say about them."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import write_certificate
from tests.httpserver.served import APP, GUNICORN, ask_to, gunicorn, show, wait_for_text
from tests.live.client import HOST, Wire
from tests.live.servers import BOUND, ROOT, LiveServer

pytestmark = pytest.mark.live


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=BOUND)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gunicorn")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LiveServer]:
    """Two workers with narrow limits, and an access log of all that it can say."""
    with gunicorn(
        *("-w", "2", "-b", f"unix:{folder}/socket"),
        *("--forwarded-allow-ips", "127.0.0.0/8", "--keep-alive", "1"),
        *("--limit-request-line", "100", "--limit-request-fields", "10"),
        *("--limit-request-field_size", "200"),
        *("--access-logfile", str(folder / "access.log")),
        "--access-logformat",
        '%(h)s "%(r)s" %(s)s %(b)s %(f)s %(a)s %({x-own}i)s %({content-type}o)s '
        "%({wsgi.url_scheme}e)s %(L)s",
    ) as server:
        yield server


def test_environ_says_that_there_are_several_processes(server: LiveServer) -> None:
    shown = show(server)
    assert shown["wsgi.multiprocess"] is True
    # An Application runs on the loop unless gunicorn is told of threads.
    assert shown["wsgi.multithread"] is False
    assert shown["wsgi.url_scheme"] == "http"
    assert shown["SCRIPT_NAME"] == ""


def test_all_workers_take_connections(server: LiveServer) -> None:
    with Wire() as wire, server.connect() as client:
        # It blocks the loop of one worker.
        ask_to(wire, client, "hold")
        other = show(server)["pid"]
        wire.let_go_on()
        assert client.read_answer().text == "held"
        assert json.loads(client.request("/show").text)["pid"] != other


def test_unix_socket_is_served(server: LiveServer, folder: Path) -> None:
    connection = UnixConnection(folder / "socket")
    with contextlib.closing(connection):
        connection.request("GET", "/show", headers={"X-Forwarded-Proto": "https"})
        shown = json.loads(connection.getresponse().read())
    # Who may open it is trusted.
    assert shown["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        pytest.param("/show?" + "a" * 81, [], 200, id="line of 100 bytes"),
        pytest.param("/show?" + "a" * 82, [], 414, id="line of 101 bytes"),
        pytest.param("/show", ["A: b"] * 9, 200, id="10 fields"),
        pytest.param("/show", ["A: b"] * 10, 431, id="11 fields"),
        pytest.param("/show", ["A: " + "b" * 197], 200, id="field of 200 bytes"),
        pytest.param("/show", ["A: " + "b" * 198], 431, id="field of 201 bytes"),
    ],
)
def test_limit_of_gunicorn_is_kept(
    server: LiveServer, target: str, headers: list[str], status: int
) -> None:
    with server.connect() as client:
        assert client.request(target, "GET", *headers).status_code == status


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        pytest.param(["X-Forwarded-Proto: https"], "https", id="https"),
        pytest.param(["X-Forwarded-Ssl: on"], "https", id="another header"),
        pytest.param(
            ["X-Forwarded-Proto: https", "X-Forwarded-Ssl: on"], "https", id="two"
        ),
        pytest.param(["X-Forwarded-Proto: http"], "http", id="http"),
        pytest.param(["X-Forwarded-Proto: HTTPS"], "http", id="not to the letter"),
    ],
)
def test_proxy_that_is_allowed_says_the_scheme(
    server: LiveServer, headers: list[str], scheme: str
) -> None:
    shown = show(server, *headers, "X-Forwarded-For: 192.0.2.7")
    assert shown["wsgi.url_scheme"] == scheme
    # That is for the application's xheaders.
    assert shown["REMOTE_ADDR"] == "127.0.0.1"


def test_request_with_two_opinions_about_the_scheme_is_400(server: LiveServer) -> None:
    headers = ["X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"]
    with server.connect() as client:
        assert client.request("/show", "GET", *headers).status_code == 400


def test_idle_connection_is_closed_after_the_keep_alive_time(
    server: LiveServer,
) -> None:
    with server.connect() as client:
        client.request("/show")
        assert client.read_to_end() == b""


def test_access_log_is_gunicorns(server: LiveServer, folder: Path) -> None:
    headers = ["Referer: here", "User-Agent: test", "X-Own: mine"]
    with server.connect() as client:
        size = len(client.request("/show?logged", "GET", *headers).body)
    wait_for_text(
        folder / "access.log",
        rf'(?m)^127\.0\.0\.1 "GET /show\?logged HTTP/1\.1" 200 {size} here test mine '
        r"text/html; charset=UTF-8 http 0\.\d{6}$",
    )


def test_nothing_went_wrong(server: LiveServer) -> None:
    assert server.tracebacks() == []


def test_callable_of_others_has_threads_and_gunicorns_error_log() -> None:
    options = ["--forwarded-allow-ips", "192.0.2.1,10.0.0.0/8"]
    with gunicorn(*options, program="tests.httpserver.served_program:plain") as server:
        shown = show(server, "X-Forwarded-Proto: https")
        server.wait_for_line("a line of the application")
    assert shown["wsgi.multithread"] is True
    assert shown["wsgi.url_scheme"] == "http"


def test_threads_and_keep_alive_of_0_and_script_name() -> None:
    options = ["--threads", "2", "--keep-alive", "0", "-e", "SCRIPT_NAME=/prefix"]
    with gunicorn(*options) as server:
        shown = show(server, target="/prefix/show")
        assert shown["wsgi.multithread"] is True
        assert (shown["SCRIPT_NAME"], shown["PATH_INFO"]) == ("/prefix", "/show")
        with server.connect() as client:
            client.send(b"GET /prefixes HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = client.read_to_end()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"\r\nConnection: close\r\n" in answer


def test_tls_with_gunicorns_certificate(tmp_path: Path) -> None:
    files = write_certificate(tmp_path)
    options = ["--certfile", files["certfile"], "--keyfile", files["keyfile"]]
    context = ssl.create_default_context(cafile=files["certfile"])
    with gunicorn(*options) as server:
        connection = http.client.HTTPSConnection(
            HOST, server.port, timeout=BOUND, context=context
        )
        with contextlib.closing(connection):
            connection.request("GET", "/show")
            shown = json.loads(connection.getresponse().read())
    assert shown["wsgi.url_scheme"] == "https"


def test_preloaded_program_with_timers_runs_them_in_each_worker() -> None:
    options = ["--preload", "-w", "2", "-e", "SERVED=--touch-loop"]
    with gunicorn(*options) as server:
        first = server.wait_for_line("begun")
        server.wait_for_line("begun", server.lines.index(first.string) + 1)
        with Wire() as wire, server.connect() as client:
            ask_to(wire, client, "hold")
            shown = [show_ticking(server)]
            wire.let_go_on()
            assert client.read_answer().text == "held"
            shown.append(json.loads(client.request("/show").text))
        assert shown[0]["pid"] != shown[1]["pid"]
        assert shown[1]["ticks"] > 0
    assert server.tracebacks() == []


def show_ticking(server: LiveServer) -> dict[str, Any]:
    """Ask until the timer of that worker has run."""
    with server.connect() as client:
        while True:
            shown: dict[str, Any] = json.loads(client.request("/show").text)
            if shown["ticks"]:
                return shown


def test_worker_runs_on_uvloop_where_it_is_asked_for() -> None:
    pytest.importorskip("uvloop")
    with gunicorn("--asgi-loop", "uvloop", "--graceful-timeout", "3") as server:
        with Wire() as wire, server.connect() as client:
            ask_to(wire, client, "park")
            server.process.terminate()
            wire.let_go_on()
            assert client.read_answer().text == "parked"
        assert server.process.wait(BOUND) == 0


def test_more_clients_than_worker_connections_wait_their_turn() -> None:
    with gunicorn("--worker-connections", "2", "--keep-alive", "60") as server:
        first, second = server.connect(), server.connect()
        with first, second:
            for client in (first, second):
                assert client.request("/show").status_code == 200
            third = socket.create_connection((HOST, server.port), timeout=BOUND)
            with third, Wire() as wire:
                third.sendall(b"GET /show HTTP/1.1\r\nHost: a\r\n\r\n")
                # The others are served meanwhile.
                ask_to(wire, first, "park")
                wire.let_go_on()
                assert first.read_answer().text == "parked"
                assert select.select([third], [], [], 0)[0] == []
                second.close()
                assert third.recv(100).startswith(b"HTTP/1.1 200 ")


def test_what_is_not_served_is_refused_at_the_start() -> None:
    command = [*GUNICORN, "--proxy-protocol", "v1", APP]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=BOUND, check=False
    )
    assert ended.returncode == 1
    assert "Error: proxy_protocol is not supported by GunicornWorker" in ended.stderr
    assert "Traceback" not in ended.stderr
