"""Versions of static content: made once, remembered within bounds."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

__all__ = ["Version", "VersionCache", "appearance"]


class Version(NamedTuple):
    """The version of some content; ``text`` is None for content that has none.

    ``seen`` is how its file looked before it was read, None where there is no file.
    """

    text: str | None
    seen: tuple[int, ...] | None


def appearance(status: os.stat_result) -> tuple[int, ...]:
    """What tells a file from the one that takes its place, without reading it."""
    return status.st_ino, status.st_size, status.st_mtime_ns


class VersionCache:
    """Versions by key; beyond a limit the one not used for longest is forgotten.

    All threads share it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: OrderedDict[Hashable, Version] = OrderedDict()

    def __len__(self) -> int:
        return len(self._versions)

    def get(self, key: Hashable) -> Version | None:
        with self._lock:
            version = self._versions.get(key)
            if version is not None:
                self._versions.move_to_end(key)
            return version

    def put(self, key: Hashable, version: Version, limit: int) -> None:
        with self._lock:
            self._versions[key] = version
            while len(self._versions) > limit:
                self._versions.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        with self._lock:
            self._versions.pop(key, None)

    def forget_unless(self, key: Hashable, seen: tuple[int, ...]) -> None:
        """Forget the version of a file that looks otherwise now."""
        version = self._versions.get(key)
        if version is not None and version.seen != seen:
            self.forget(key)

    def clear(self) -> None:
        with self._lock:
            self._versions.clear()
