"""The command line: what it serves, how it ends, what it says about mistakes."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import queue
import re
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wsgitornado import __main__, parked, version
from wsgitornado.__main__ import main
from wsgitornado._types import WSGIApplication
from wsgitornado.commands import servers

BOUND = 30  # seconds: for a busy machine, not a measure of anything

PROGRAM = """
import time
from wsgitornado import parked
from wsgitornado.web import Application, RequestHandler

class Hello(RequestHandler):
    def get(self):
        self.write("hello from here")

    async def post(self):
        self.write({"body": self.request.body.decode()})

class Threads(RequestHandler):
    def get(self):
        environ = self.request.environ
        can_tell = "wsgitornado.client_disconnected" in environ
        self.write(f"{parked.server_threads} {can_tell}")

app = Application([("/", Hello), ("/threads", Threads)])
number = 42
nothing = None
"""

OF_WAITING = {"waitress": "3 False", "wsgiref": "None True", "loop": "None False"}

SERVERS = pytest.mark.parametrize("server", ["waitress", "wsgiref", "loop"])


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sigterm_put_back: None
) -> Iterator[str]:
    """A module in the current directory, which is not on sys.path before."""
    name = f"program_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield name
    sys.modules.pop(name, None)


class Lines:
    """A stderr that another thread can read."""

    def __init__(self) -> None:
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def write(self, text: str) -> int:
        if text != "\n":  # print() writes it apart
            self.lines.put(text)
        return len(text)

    def flush(self) -> None:
        pass


def address_in(line: str) -> tuple[str, int]:
    found = re.fullmatch(r"listening on http://\[?(.+?)\]?:(\d+)\n?", line)
    assert found is not None, line
    return found[1], int(found[2])


def ask(address: tuple[str, int], body: bytes | None = None, target: str = "/") -> str:
    connection = http.client.HTTPConnection(*address, timeout=BOUND)
    with contextlib.closing(connection):
        connection.request("GET" if body is None else "POST", target, body)
        return connection.getresponse().read().decode()


@contextlib.contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as a process of its own, and the first line that it says."""
    command = [sys.executable, "-m", "wsgitornado", "serve", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            yield process, process.stderr.readline()
        finally:
            process.kill()


# -- Serving


@pytest.mark.live
@SERVERS
def test_program_in_the_current_directory_is_served_until_sigterm(
    program: str, server: str
) -> None:
    with serving(f"{program}:app", "--server", server, "--port", "0") as (
        process,
        line,
    ):
        address = address_in(line)
        assert ask(address) == "hello from here"
        assert ask(address, b"data") == '{"body": "data"}'
        process.terminate()
        assert process.wait(BOUND) == 0
        assert process.stderr is not None
        log = process.stderr.read()
    assert "200 GET / (127.0.0.1)" in log
    assert "Traceback" not in log


@pytest.mark.live
@SERVERS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_right_after_the_announcement_ends_it_in_order(
    program: str, server: str, number: signal.Signals
) -> None:
    with serving(f"{program}:app", "--server", server, "--port", "0") as (process, _):
        process.send_signal(number)
        assert process.wait(BOUND) == 0


@pytest.mark.live
@SERVERS
def test_same_within_a_process(
    program: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def use_it() -> None:
        try:
            address = address_in(stderr.lines.get(timeout=BOUND))
            answers.append(ask(address))
            answers.append(ask(address, target="/threads"))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    stderr = Lines()
    answers: list[str] = []
    monkeypatch.setattr(sys, "stderr", stderr)
    user = threading.Thread(target=use_it)
    user.start()
    status = main(
        ["serve", f"{program}:app", "--server", server, "--port", "0", "--threads", "3"]
    )
    user.join(BOUND)
    assert (status, answers[0]) == (0, "hello from here")
    # What concerns requests that wait: how many may, and whether they are alone.
    assert answers[1] == OF_WAITING[server]
    assert parked.server_threads is None


@pytest.mark.live
@SERVERS
def test_address_of_the_sixth_version_is_announced_in_brackets(
    program: str, server: str
) -> None:
    with contextlib.closing(socket.socket(socket.AF_INET6)) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    arguments = [f"{program}:app", "--server", server, "--port", "0", "--host", "::1"]
    with serving(*arguments) as (_, line):
        assert line.startswith("listening on http://[::1]:")
        assert ask(address_in(line)) == "hello from here"


@pytest.mark.live
def test_name_with_two_addresses_is_announced_twice(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))
        for address in ("127.0.0.1", "127.0.0.2")
    ]
    look_up = socket.getaddrinfo

    def look_up_both(host: str, *args: Any, **kwargs: Any) -> Any:
        return both if host == "both" else look_up(host, *args, **kwargs)

    def use_it() -> None:
        try:
            for _ in both:
                host, port = address_in(stderr.lines.get(timeout=BOUND))
                answers[host] = ask((host, port))
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_both)
    stderr = Lines()
    answers: dict[str, str] = {}
    monkeypatch.setattr(sys, "stderr", stderr)
    user = threading.Thread(target=use_it)
    user.start()
    assert main(["serve", f"{program}:app", "--host", "both", "--port", "0"]) == 0
    user.join(BOUND)
    assert answers == dict.fromkeys(["127.0.0.1", "127.0.0.2"], "hello from here")


# -- Mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "required: COMMAND", id="no command"),
        pytest.param(["fly"], "invalid choice: 'fly'", id="unknown command"),
        pytest.param(["serve"], "required: MODULE:NAME", id="no application"),
        pytest.param(
            ["serve", "m:a", "--server", "x"], "invalid choice: 'x'", id="server"
        ),
        *(
            pytest.param(
                ["serve", "m:a", "--port", port],
                f"a port is a number from 0 to 65535: {port}",
                id=f"port {port!a}",
            )
            for port in ("65536", "-1", "http", "", "\u0663")
        ),
        *(
            pytest.param(
                ["serve", "m:a", "--threads", threads],
                f"how many threads is a number: {threads}",
                id=f"{threads!a} threads",
            )
            for threads in ("-1", "many", "\u0664")
        ),
    ],
)
def test_wrong_usage_is_explained_with_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        *(
            pytest.param(
                spec,
                f"expected MODULE:NAME, as in guestbook:app, got {spec!r}",
                id=spec,
            )
            for spec in ("module", "module:", ":name", ".module:name")
        ),
        pytest.param(
            "no_such_module:app",
            "there is no module 'no_such_module' here",
            id="module",
        ),
        pytest.param(
            "PROGRAM.py:app",
            "there is no module 'PROGRAM.py' here; did you mean 'PROGRAM'?",
            id="file name",
        ),
        pytest.param(
            "no_such.module:app", "there is no module 'no_such' here", id="package"
        ),
        pytest.param(
            "PROGRAM:application",
            "the module 'PROGRAM' has no 'application'; did you mean 'app'?",
            id="attribute",
        ),
        pytest.param(
            "PROGRAM:nothing", "the module 'PROGRAM' has no 'nothing'", id="None"
        ),
        pytest.param(
            "PROGRAM:number", "PROGRAM:number is no WSGI application: 42", id="number"
        ),
    ],
)
def test_application_that_cannot_be_found_is_explained_with_status_2(
    program: str, spec: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", spec.replace("PROGRAM", program)]) == 2
    expected = f"wsgitornado: {message.replace('PROGRAM', program)}\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import no_such_dependency", ModuleNotFoundError),
        ("1 / 0", ZeroDivisionError),
        ("def", SyntaxError),
    ],
    ids=["missing import", "error", "syntax"],
)
def test_error_in_the_program_itself_is_shown_whole(
    program: str, text: str, error: type[Exception]
) -> None:
    Path(f"{program}.py").write_text(text)
    with pytest.raises(error):
        main(["serve", f"{program}:app"])


@pytest.mark.live
@SERVERS
def test_port_that_is_taken_is_explained_with_status_2(
    program: str, server: str
) -> None:
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = [f"{program}:app", "--server", server, "--port", str(port)]
        with serving(*arguments) as (process, line):
            assert process.wait(BOUND) == 2
    reason = "Address already in use"
    assert line == f"wsgitornado: cannot listen on 127.0.0.1 port {port}: {reason}\n"


@SERVERS
def test_host_that_is_not_found_is_explained_with_status_2(
    program: str,
    server: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ["--host", "nowhere.invalid", "--port", "0", "--server", server]
    assert main(["serve", f"{program}:app", *arguments]) == 2
    expected = "wsgitornado: cannot listen on nowhere.invalid port 0: "
    assert capsys.readouterr().err.startswith(expected)


# -- The rest


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"wsgitornado {version}\n"


@pytest.mark.parametrize(
    ("port", "threads"), [(0, 1), (65535, 64)], ids=["least", "most"]
)
def test_values_at_the_bounds_are_taken(
    program: str, port: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def server(application: WSGIApplication, options: argparse.Namespace) -> None:
        seen.append((application, options.port, options.threads))
        raise KeyboardInterrupt

    seen: list[tuple[WSGIApplication, int, int]] = []
    monkeypatch.setitem(servers.SERVERS, "waitress", server)
    arguments = ["--port", str(port), "--threads", str(threads)]
    assert main(["serve", f"{program}:app", *arguments]) == 0
    assert seen == [(sys.modules[program].app, port, threads)]


def test_directory_that_is_on_the_path_is_not_put_there_again(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    before = sys.path[:]
    assert main(["serve", f"{program}:nothing"]) == 2
    assert sys.path == before


def test_module_runs_as_a_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["wsgitornado", "serve", "nonsense"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(__main__.__file__, run_name="__main__")
    assert caught.value.code == 2
    assert "expected MODULE:NAME" in capsys.readouterr().err
