"""What outlives the program: the last messages, and the key that signs cookies."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any


class History:
    """The last messages in a file, one line of JSON each.

    A line is written before anybody hears the message. The file is never much longer
    than twice what is kept.

    :param kept: how many messages are of use.
    """

    def __init__(self, file: Path, kept: int) -> None:
        self._file = file
        self._kept = kept
        self._lines = 0

    def read(self) -> list[dict[str, Any]]:
        """The messages that are kept; a line that was never finished is none."""
        messages: list[dict[str, Any]] = []
        if self._file.exists():
            for line in self._file.read_text(encoding="utf-8").splitlines():
                try:
                    messages.append(json.loads(line))
                except ValueError:
                    continue
        self._write(messages[-self._kept :])
        return messages[-self._kept :]

    def add(self, message: dict[str, Any]) -> None:
        """Keep one more; called by one thread at a time."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
        self._lines += 1
        if self._lines >= 2 * self._kept:
            self.read()

    def _write(self, messages: list[dict[str, Any]]) -> None:
        # At once or not at all, whenever the program is ended.
        new = self._file.with_suffix(".new")
        new.write_text(
            "".join(json.dumps(message) + "\n" for message in messages),
            encoding="utf-8",
        )
        new.replace(self._file)
        self._lines = len(messages)


def find_secret(file: Path) -> str:
    """The key of the cookies: made once, whoever else starts, and for our eyes only."""
    new = file.with_suffix(f".{secrets.token_hex(8)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as opened:
        opened.write(secrets.token_urlsafe(32))
    try:
        # Fails where there is one, and never shows one that is half written.
        os.link(new, file)
    except FileExistsError:
        pass
    finally:
        new.unlink()
    return file.read_text(encoding="ascii")
