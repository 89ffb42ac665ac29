"""The command line with ``--server loop``: its own options, and how it ends."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.httpserver.served import APP, ask_to, show
from tests.live.client import Wire
from tests.live.servers import BOUND, ROOT, LiveServer, run_command
from wsgitornado.__main__ import main

SERVE = [sys.executable, "-m", "wsgitornado", "serve", "--server", "loop"]


@contextlib.contextmanager
def serving(*options: str, program: str = APP) -> Iterator[LiveServer]:
    with run_command("loop", [*SERVE, "--port", "0", *options, program]) as server:
        yield server


pytestmark = pytest.mark.live


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_signal_ends_it_when_requests_are_answered(
    number: signal.Signals, loop: str
) -> None:
    pytest.importorskip(loop)
    with serving("--loop", loop) as server:
        with Wire() as wire, server.connect() as client, server.connect() as idle:
            assert idle.request("/show").status_code == 200
            ask_to(wire, client, "park")
            server.process.send_signal(number)
            assert idle.read_to_end() == b""
            wire.let_go_on()
            assert client.read_answer().text == "parked"
        assert server.process.wait(BOUND) == 0
        assert any("200 GET /park" in line for line in server.lines)
    assert server.tracebacks() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_signal_ends_it_at_once(number: signal.Signals) -> None:
    with serving() as server:
        with Wire() as wire, server.connect() as client, server.connect() as idle:
            assert idle.request("/show").status_code == 200
            ask_to(wire, client, "park")
            server.process.send_signal(number)
            # The grace is ten seconds.
            assert idle.read_to_end() == b""
            # In the first second it counts as the same signal; at the very end of
            # the interpreter it kills.
            while server.process.poll() is None:
                server.process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.process.wait(0.1)
            # The handler's own page; after a grace that nobody cut short it would be
            # the server's.
            answer = client.read_to_end()
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"<title>503: Service Unavailable</title>" in answer
            assert wire.words() == ["cancelled"]
        assert server.process.wait(BOUND) in (0, -number)


@pytest.mark.parametrize(
    ("options", "threaded"),
    [
        pytest.param([], False, id="on the loop unless told"),
        pytest.param(["--threads", "0"], False, id="no threads"),
        pytest.param(["--threads", "3"], True, id="threads"),
    ],
)
def test_application_has_as_many_threads_as_it_is_told(
    options: list[str], threaded: bool
) -> None:
    with serving(*options) as server:
        assert show(server)["wsgi.multithread"] is threaded


def test_callable_of_others_has_threads_and_an_access_log() -> None:
    with serving(program="tests.httpserver.served_program:plain") as server:
        assert show(server)["wsgi.multithread"] is True
        server.wait_for_line(r"200 GET /show \(127\.0\.0\.1\)")


@pytest.mark.parametrize("server", ["loop", "waitress"])
def test_unix_socket_is_announced_and_served(server: str, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    command = [*SERVE, "--server", server, "--unix-socket", str(path), APP]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        try:
            assert process.stderr.readline().decode() == f"listening on unix:{path}\n"
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(b"GET /show HTTP/1.1\r\nHost: a\r\n\r\n")
                assert client.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")
        finally:
            process.terminate()
        assert process.wait(BOUND) == 0


# Mistakes


@pytest.mark.parametrize("server", ["waitress", "wsgiref"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--threads", "0"], "{} needs a thread at least: --threads 0"),
        (["--loop", "asyncio"], "--loop is for --server loop alone"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_option_of_the_loop_server_is_refused_elsewhere(
    server: str, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", APP, "--server", server, *options]) == 2
    assert capsys.readouterr().err == f"wsgitornado: {message.format(server)}\n"


def test_unix_socket_is_refused_by_wsgiref(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", APP, "--server", "wsgiref", "--unix-socket", "a"]) == 2
    expected = "wsgitornado: --unix-socket is for --server loop or waitress\n"
    assert capsys.readouterr().err == expected


@pytest.mark.usefixtures("sigterm_put_back")
def test_socket_that_cannot_be_had_is_explained_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "no_folder" / "socket"
    assert main(["serve", APP, "--server", "loop", "--unix-socket", str(path)]) == 2
    expected = f"wsgitornado: cannot listen on {path}: No such file or directory\n"
    assert capsys.readouterr().err == expected


@pytest.mark.usefixtures("sigterm_put_back")
def test_uvloop_that_is_not_installed_is_explained_with_status_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert main(["serve", APP, "--server", "loop", "--loop", "uvloop"]) == 2
    expected = "wsgitornado: uvloop is not installed: pip install 'wsgitornado[fast]'\n"
    assert capsys.readouterr().err == expected
