"""Loops in forked children, as far as one process can tell.

The rest is in test_ioloop_processes.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.loops import no_loop_yet, until
from wsgitornado import _serving, parking
from wsgitornado.ioloop import IOLoop, PeriodicCallback


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with no_loop_yet(monkeypatch):
        yield


@pytest.fixture
def forked() -> Iterator[Callable[[], None]]:
    """Makes the loops that there are those of a parent process."""
    left: list[asyncio.AbstractEventLoop] = []

    def fork() -> None:
        parking._end_at_exit()
        left.extend(_serving._own)
        _serving.forget_after_fork()
        parking._forget_after_fork()

    yield fork
    for loop in left:
        vars(loop)["_closed"] = False
        loop.close()


def test_child_takes_what_has_not_begun(forked: Callable[[], None]) -> None:
    seen: list[str] = []
    loop = IOLoop.current()
    parents = loop.asyncio_loop
    loop.call_later(0, seen.append, "timer")
    forked()
    assert IOLoop.current() is loop
    assert loop.asyncio_loop is not parents
    loop.run_sync(until(lambda: seen == ["timer"]))


def test_child_drops_what_has_begun(forked: Callable[[], None]) -> None:
    seen: list[str] = []
    loop = IOLoop.current()
    periodic = PeriodicCallback(lambda: seen.append("tick"), 1)
    periodic.start()
    loop.run_sync(until(lambda: bool(seen)))
    forked()
    seen.clear()
    loop.run_sync(lambda: asyncio.sleep(0.01))
    assert seen == []
    periodic.start()
    loop.run_sync(until(lambda: bool(seen)))
    periodic.stop()


def test_other_loops_of_the_parent_say_whose_they_are(
    forked: Callable[[], None],
) -> None:
    IOLoop.current().run_sync(lambda: None)
    other = IOLoop(make_current=False)
    forked()
    for use in (lambda: other.add_callback(print), other.start):
        with pytest.raises(RuntimeError, match="belongs to the parent process"):
            use()
    other.stop()
    other.close()


def test_child_without_loop_has_nothing_to_forget(forked: Callable[[], None]) -> None:
    forked()
    assert IOLoop.current(instance=False) is None


def test_fork_that_python_was_not_told_of_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noticed: list[bool] = []
    with monkeypatch.context() as patch:
        patch.setattr(_serving, "_pid", 1)
        patch.setattr(_serving, "forget_after_fork", lambda: noticed.append(True))
        IOLoop.current()
        _serving.serving_loop()
    assert noticed == [True, True]
