"""Programs in folders of their own that tests change while they run."""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import re
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["BOUND", "NO_WATCHFILES", "Program", "ask", "running"]

#: Seconds for what only something broken needs.
BOUND: Final = 60

#: A module of that name that is found first, and is not there.
NO_WATCHFILES: Final = 'raise ModuleNotFoundError("none", name="watchfiles")\n'


class Program:
    """A process, its folder, and the lines that it writes."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.process = process
        #: What was written up to the line that was last waited for.
        self.seen = ""
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def wait_for(self, pattern: str, timeout: float = BOUND) -> re.Match[str]:
        """The next line that has this."""
        while line := self._next_line(timeout):
            self.seen += line
            if match := re.search(pattern, line):
                return match
        raise AssertionError(f"it ended without {pattern!r}:\n{self.seen}")

    def _next_line(self, timeout: float) -> str:
        try:
            return self._lines.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"nothing came after:\n{self.seen}") from None

    def wait_for_port(self) -> int:
        return int(self.wait_for(r"listening on http://127\.0\.0\.1:(\d+)")[1])

    def write(self, name: str, text: str) -> None:
        """Change a file at once, as editors do: there are no halves of it."""
        new = self.folder / f".{name.replace('/', '_')}.new"
        new.write_text(textwrap.dedent(text))
        new.replace(self.folder / name)

    def change_until_seen(self, name: str, text: str, pattern: str) -> None:
        """Change a file that is noticed only when it was looked at once."""
        for number in range(10, 10 + BOUND):
            self.write(name, text.format("1" * number))
            with contextlib.suppress(TimeoutError):
                self.wait_for(pattern, 1)
                return
        raise AssertionError(f"nothing came after:\n{self.seen}")

    def wait(self) -> int:
        status = self.process.wait(BOUND)
        self._reader.join(BOUND)
        return status

    def rest(self) -> str:
        """What it wrote after that line; it has ended."""
        text = ""
        while line := self._lines.get(timeout=BOUND):
            text += line
        return text


@contextlib.contextmanager
def running(folder: Path, *arguments: str, **environment: str) -> Iterator[Program]:
    """Run ``python`` with these arguments in a folder, until the block ends."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        program = Program(folder, process)
        try:
            yield program
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            program.wait()


def ask(port: int, target: str = "/", **headers: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=BOUND)
    with contextlib.closing(connection):
        connection.request(
            "GET", target, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        return connection.getresponse().read().decode()
