"""Servers in processes of their own that run ``served_program``."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live.client import HOST, Client, Wire
from tests.live.servers import BOUND, LiveServer, run_command

__all__ = ["APP", "GUNICORN", "ask_to", "gunicorn", "show", "wait_for_text"]

APP = "tests.httpserver.served_program:app"

GUNICORN = [
    *(sys.executable, "-m", "gunicorn", "-b", f"{HOST}:0"),
    *("-k", "wsgitornado.httpserver.GunicornWorker"),
]


@contextlib.contextmanager
def gunicorn(*options: str, program: str = APP) -> Iterator[LiveServer]:
    """gunicorn with our worker; one process unless told."""
    with run_command("gunicorn", [*GUNICORN, *options, program]) as server:
        yield server


def show(server: LiveServer, *headers: str, target: str = "/show") -> dict[str, Any]:
    """What the program shows of a request."""
    with server.connect() as client:
        answer = client.request(target, "GET", *headers)
    assert answer.status_code == 200, answer
    shown: dict[str, Any] = json.loads(answer.text)
    return shown


def ask_to(wire: Wire, client: Client, deed: str) -> None:
    """Have a handler ``hold`` its thread or ``park`` until the test lets it go on."""
    client.send(f"GET /{deed}?wire={wire.port} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    wire.accept()


def wait_for_text(path: Path, pattern: str) -> None:
    """Wait until a file has something that matches."""
    deadline = time.monotonic() + BOUND
    while not (path.exists() and re.search(pattern, path.read_text())):
        assert time.monotonic() < deadline, path.exists() and path.read_text()
        time.sleep(0.01)
