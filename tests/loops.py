"""Loops for tests, and a process that has none yet."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from wsgitornado import _serving, parking
from wsgitornado.ioloop import IOLoop

if TYPE_CHECKING:
    import pytest

__all__ = [
    "BOUND",
    "another_loop",
    "no_loop_yet",
    "run_program",
    "running_loop",
    "until",
]

#: Seconds: for a busy machine, not a measure of anything.
BOUND = 30


@contextlib.contextmanager
def no_loop_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a process in which nobody has asked for a loop."""
    for name, value in (
        ("_home", None),
        ("_adopted", None),
        ("_by_loop", {}),
        ("_own", {}),
        ("_forgotten", set()),
    ):
        monkeypatch.setattr(_serving, name, value)
    monkeypatch.setattr(parking, "_backgrounds", {})
    asyncio.set_event_loop(None)
    try:
        yield
    finally:
        parking._end_at_exit()
        _serving._end_at_exit()
        asyncio.set_event_loop(None)


@contextlib.contextmanager
def another_loop() -> Iterator[IOLoop]:
    """An IOLoop that is nobody's, to be run by the test."""
    ioloop = IOLoop(make_current=False)
    try:
        yield ioloop
    finally:
        ioloop.close()


@contextlib.contextmanager
def running_loop(ioloop: IOLoop) -> Iterator[None]:
    """Another thread runs the loop meanwhile."""
    has_begun = threading.Event()
    thread = threading.Thread(target=ioloop.start)
    ioloop.add_callback(has_begun.set)
    thread.start()
    assert has_begun.wait(BOUND)
    try:
        yield
    finally:
        ioloop.stop()
        thread.join(BOUND)


def until(condition: Callable[[], object]) -> Callable[[], Coroutine[Any, Any, None]]:
    """A coroutine function that ends once something is true."""

    async def wait() -> None:
        async with asyncio.timeout(BOUND):
            while not condition():
                await asyncio.sleep(0.001)

    return wait


def run_program(text: str, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own, to its very end."""
    return subprocess.run(
        [sys.executable, *flags, "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
