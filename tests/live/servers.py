"""Real servers in processes of their own, and what each of them is called here."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.live.client import HOST, Client

__all__ = [
    "ALL_SERVERS",
    "BOUND",
    "KEPT",
    "LOOP_SERVERS",
    "ON_THE_LOOP",
    "SCRIPTS",
    "SERVERS",
    "THREADED",
    "LiveServer",
    "Start",
    "command_for",
    "run_command",
    "running_servers",
]

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent

#: Seconds for anything that a test waits for: only something broken needs them.
BOUND: Final = 20

_GUNICORN = [sys.executable, "-m", "gunicorn", "-b", f"{HOST}:0"]
_GTHREAD = [*_GUNICORN, "-k", "gthread", "--threads", "4"]
_SERVE = [sys.executable, "-m", "wsgitornado", "serve", "--port", "0"]
_UWSGI = [
    str(SCRIPTS / "uwsgi"),
    *("--http-socket", f"{HOST}:0", "--master", "--die-on-term", "--need-app"),
]

#: The command of each server; ``module:app`` comes last.
SERVERS: Final[dict[str, Sequence[str]]] = {
    "waitress": [*_SERVE, "--threads", "4"],
    "development": [*_SERVE, "--server", "wsgiref"],
    "wsgiref": [sys.executable, "-m", "tests.live.stock_wsgiref"],
    "gunicorn-sync": [*_GUNICORN, "-k", "sync"],
    "gunicorn-gthread": _GTHREAD,
    "loop": [*_SERVE, "--server", "loop"],
    "loop-threads": [*_SERVE, "--server", "loop", "--threads", "4"],
    "gunicorn-loop": [*_GUNICORN, "-k", "wsgitornado.httpserver.GunicornWorker"],
}

#: With those that are asked only about handlers that wait.
ALL_SERVERS: Final[dict[str, Sequence[str]]] = {
    **SERVERS,
    "waitress-serve": [
        str(SCRIPTS / "waitress-serve"),
        *(f"--listen={HOST}:0", "--threads=4"),
    ],
    "gunicorn-gevent": [*_GUNICORN, "-k", "gevent"],
    "gunicorn-preload": [*_GTHREAD, "--preload"],
    "uwsgi": [*_UWSGI, "--enable-threads", "--module"],
    "uwsgi-threads": [*_UWSGI, "--threads", "4", "--module"],
}

#: Those that keep connections open between requests.
KEPT: Final = [
    "waitress",
    "gunicorn-gthread",
    "loop",
    "loop-threads",
    "gunicorn-loop",
]

#: Those that answer a request while another one waits.
THREADED: Final = ["waitress", "development", "gunicorn-gthread", "loop-threads"]

#: Those that run plain handlers on the event loop, where nothing may block.
ON_THE_LOOP: Final = ["loop", "gunicorn-loop"]

#: Those that read the bytes by our own rules.
LOOP_SERVERS: Final = [*ON_THE_LOOP, "loop-threads"]

#: What servers need that we do not bring: packages, and why they may be missing.
_NEEDED: Final = {
    "gunicorn-gevent": ("gevent", "gevent is not installed"),
    "uwsgi": ("uWSGI", "this machine has no uWSGI: it is built from its source"),
    "uwsgi-threads": (
        "uWSGI",
        "this machine has no uWSGI: it is built from its source",
    ),
}

# How each of them says in its log where it listens.
_ADDRESS = re.compile(
    r"(?:(?:listening on|Listening at:|Serving on) https?://|bound to TCP address )"
    r"[\d.]+:(\d+)"
)


@dataclass
class LiveServer:
    """A server that listens, and the lines that it has logged."""

    kind: str
    process: subprocess.Popen[str]
    lines: list[str]
    port: int = 0

    def __post_init__(self) -> None:
        self._arrived = threading.Condition()
        # A daemon: it ends with the server, which outlives the test that starts it.
        self._reader = threading.Thread(target=self._read_lines, daemon=True)
        self._reader.start()
        self.port = int(self.wait_for_line(_ADDRESS)[1])

    def connect(self) -> Client:
        return Client(self.port)

    def wait_for_line(
        self, pattern: str | re.Pattern[str], start: int = 0
    ) -> re.Match[str]:
        """The first match in the log from the line of that number on."""

        def find() -> re.Match[str] | None:
            found = (re.search(pattern, line) for line in self.lines[start:])
            return next((match for match in found if match), None)

        with self._arrived:
            self._arrived.wait_for(lambda: find() or self.lines[-1:] == [""], BOUND)
            match = find()
        assert match is not None, "".join([f"no {pattern} in the log:\n", *self.lines])
        return match

    def tracebacks(self, start: int = 0) -> list[str]:
        """The first lines of the tracebacks that were logged since."""
        return [line for line in self.lines[start:] if "Traceback" in line]

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(BOUND)
        except subprocess.TimeoutExpired:
            # With its workers: they are in the group that it leads.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(BOUND)
            raise
        finally:
            self._reader.join(BOUND)

    def _read_lines(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._keep(line)
        self._keep("")  # the end

    def _keep(self, line: str) -> None:
        with self._arrived:
            self.lines.append(line)
            self._arrived.notify_all()


def command_for(kind: str, program: str, *options: str) -> list[str]:
    """The command of a server for one of our programs.

    Where the server is not installed, the test that asks is skipped.
    """
    if kind in _NEEDED:
        package, reason = _NEEDED[kind]
        try:
            importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(reason)
    *command, last = ALL_SERVERS[kind]
    # For uWSGI the name of the option that takes the program comes last.
    command += [*options, last] if last == "--module" else [last, *options]
    return [*command, f"tests.live.programs.{program}:app"]


@contextlib.contextmanager
def run_command(kind: str, command: Sequence[str]) -> Iterator[LiveServer]:
    """Run a server until the block ends."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        with contextlib.ExitStack() as stack:
            stack.callback(os.killpg, process.pid, signal.SIGKILL)
            server = LiveServer(kind, process, [])
            stack.pop_all()
        try:
            yield server
        finally:
            server.stop()


#: Gives the server of a kind for a program, one for the whole session.
Start = Callable[[str, str], LiveServer]


@contextlib.contextmanager
def running_servers() -> Iterator[Start]:
    """Start a server for a program when it is first asked for; stop all at the end."""
    started: dict[tuple[str, str], LiveServer] = {}
    with contextlib.ExitStack() as stack:

        def start(kind: str, program: str) -> LiveServer:
            if (kind, program) not in started:
                command = command_for(kind, program)
                server = stack.enter_context(run_command(kind, command))
                started[kind, program] = server
            return started[kind, program]

        yield start
