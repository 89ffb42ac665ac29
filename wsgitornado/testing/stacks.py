"""Where coroutines stand: what a test that is stuck waits for."""

from __future__ import annotations

import asyncio
import linecache
from types import FrameType
from typing import Any, Final

__all__ = ["describe_tasks", "describe_waiting"]

#: Packages that nobody who reads of a stuck test has written: ours, the client's.
_NOT_THE_PROGRAMS: Final = {"anyio", "asyncio", "httpcore", "httpx", "wsgitornado"}

#: Tasks that are named; a hundred clients of one server wait for the same.
_SHOWN: Final = 10


def describe_waiting(suspended: Any) -> str | None:
    """The line at which a coroutine, a generator or a task is suspended.

    That of the innermost function of the program: ``in get (chat.py, line 12): await
    changed.wait()``. None if it has none.
    """
    found: FrameType | None = None
    while suspended is not None:
        if isinstance(suspended, asyncio.Task):
            suspended = suspended.get_coro()
        frame, suspended = _step(suspended)
        if frame is not None and _is_of_program(frame):
            found = frame
    if found is None:
        return None
    code = found.f_code
    line = linecache.getline(code.co_filename, found.f_lineno, found.f_globals).strip()
    place = f"in {code.co_name} ({code.co_filename}, line {found.f_lineno})"
    return f"{place}: {line}" if line else place


def describe_tasks(tasks: set[asyncio.Task[Any]]) -> list[str]:
    """The same for some tasks, each place once."""
    places = {place for task in tasks if (place := describe_waiting(task)) is not None}
    return sorted(places)[:_SHOWN]


def _step(suspended: Any) -> tuple[FrameType | None, Any]:
    """The frame of something that is suspended, and what it waits for."""
    for kind, inner in (("cr", "await"), ("gi", "yieldfrom"), ("ag", "await")):
        if hasattr(suspended, f"{kind}_frame"):
            frame = getattr(suspended, f"{kind}_frame")
            return frame, getattr(suspended, f"{kind}_{inner}")
    return None, None


def _is_of_program(frame: FrameType) -> bool:
    package = str(frame.f_globals.get("__name__")).partition(".")[0]
    return package not in _NOT_THE_PROGRAMS
