"""Who runs the serving loop: the background, the program, and how they take turns."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.loops import BOUND, no_loop_yet
from wsgitornado import _serving, parking
from wsgitornado.concurrent import is_on_loop
from wsgitornado.ioloop import IOLoop, PeriodicCallback, adopt_serving_loop
from wsgitornado.testing import ExpectLog


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with no_loop_yet(monkeypatch):
        yield


async def where() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


BACKGROUND = "wsgitornado-loop"
HERE = threading.main_thread().name


class Waiter:
    """A thread that waits for something on the loop, like that of a server."""

    def __init__(self) -> None:
        self.is_waiting = threading.Event()
        self.may_end = asyncio.Event()
        self.answer: str | None = None
        self._thread = threading.Thread(target=self._wait)
        self._thread.start()
        assert self.is_waiting.wait(BOUND)

    def _wait(self) -> None:
        self.answer = parking.wait(self._handler())

    async def _handler(self) -> str:
        self.is_waiting.set()
        await self.may_end.wait()
        return await where()

    def end(self) -> str | None:
        IOLoop.current().add_callback(self.may_end.set)
        self._thread.join(BOUND)
        return self.answer


def start_until_it_runs_here(loop: IOLoop) -> None:
    """Start the loop, and stop it once this thread has it."""

    def stop_here() -> None:
        if threading.current_thread() is threading.main_thread():
            loop.stop()
        else:
            loop.call_later(0.001, stop_here)

    loop.add_callback(stop_here)
    loop.start()


# The program and the background


def test_background_runs_the_loop_of_the_program() -> None:
    loop = IOLoop.current()
    assert parking.wait(where()) == BACKGROUND
    assert parking.background_loop() is loop.asyncio_loop
    assert IOLoop.current() is loop
    assert loop.run_sync(where) == BACKGROUND


def test_background_runs_what_waits_for_a_loop() -> None:
    ran = threading.Event()
    IOLoop.current().call_later(0, ran.set)
    assert not ran.is_set()
    parking.background_loop()
    assert ran.wait(BOUND)


def test_loop_that_the_program_runs_is_not_run_in_the_background() -> None:
    def request() -> None:
        answers.append(parking.wait(where()))
        IOLoop.current().stop()

    answers: list[str] = []
    thread = threading.Thread(target=request)
    loop = IOLoop.current()
    loop.add_callback(thread.start)
    loop.start()
    thread.join(BOUND)
    assert answers == [HERE]
    assert not parking._backgrounds


def test_loop_of_asyncio_run_serves_too() -> None:
    async def main() -> str:
        adopt_serving_loop()
        return await asyncio.to_thread(lambda: parking.wait(where()))

    assert asyncio.run(main()) == HERE
    assert parking.wait(where()) == BACKGROUND


def test_start_takes_the_loop_over_and_gives_it_back() -> None:
    waiter = Waiter()
    loop = IOLoop.current()
    for _ in range(3):
        start_until_it_runs_here(loop)
    # Somebody still waits, so that it goes on.
    assert waiter.end() == BACKGROUND


def test_loop_that_nobody_waits_for_is_not_taken_back() -> None:
    parking.background_loop()
    loop = IOLoop.current()
    start_until_it_runs_here(loop)
    assert not loop.asyncio_loop.is_running()
    assert parking.wait(where()) == BACKGROUND


def test_request_that_came_while_the_program_ran_the_loop_is_not_left_alone() -> None:
    loop = IOLoop.current()
    has_begun = threading.Event()
    waiters: list[Waiter] = []

    def stop_when_somebody_waits() -> None:
        assert has_begun.wait(BOUND)
        waiters.append(Waiter())
        loop.stop()

    thread = threading.Thread(target=stop_when_somebody_waits)
    thread.start()
    loop.add_callback(has_begun.set)
    loop.start()
    thread.join(BOUND)
    assert waiters[0].end() == BACKGROUND


def test_thread_in_run_sync_is_not_left_alone_either() -> None:
    loop = IOLoop.current()
    has_begun, is_waiting = threading.Event(), threading.Event()
    may_end = asyncio.Event()
    answers: list[str] = []

    async def function() -> str:
        is_waiting.set()
        await may_end.wait()
        return await where()

    def run() -> None:
        assert has_begun.wait(BOUND)
        answers.append(loop.run_sync(function))

    thread = threading.Thread(target=run)
    thread.start()
    loop.add_callback(has_begun.set)
    loop.add_callback(
        lambda: loop.run_in_executor(None, is_waiting.wait, BOUND).add_done_callback(
            lambda _: loop.stop()
        )
    )
    loop.start()
    loop.add_callback(may_end.set)
    thread.join(BOUND)
    assert answers == [BACKGROUND]


def test_background_loop_is_not_the_programs_to_stop_or_close() -> None:
    loop = IOLoop.current()
    parking.background_loop()
    loop.stop()
    assert parking.wait(where()) == BACKGROUND
    with pytest.raises(RuntimeError, match="Cannot close a running"):
        loop.close()


def test_thread_that_has_left_stops_nobody() -> None:
    parking.background_loop()
    loop = IOLoop.current()
    background = parking._backgrounds[loop]
    start_until_it_runs_here(loop)
    loop.add_callback(background._stop_own_thread)
    assert loop.run_sync(lambda: asyncio.sleep(0.001, "not stopped")) == "not stopped"


def test_thread_that_cannot_start_leaves_the_loop_to_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    coroutine = where()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            parking.wait(coroutine)
    assert parking.wait(where()) == BACKGROUND


def test_end_of_the_process_cancels_what_the_programs_loop_has() -> None:
    async def handler() -> None:
        try:
            await asyncio.sleep(BOUND)
        finally:
            seen.append("cleaned up")

    seen: list[str] = []
    loop = IOLoop.current()
    loop.spawn_callback(handler)
    loop.run_sync(lambda: asyncio.sleep(0))
    _serving._end_at_exit()
    assert seen == ["cleaned up"]
    assert all(own.is_closed() for own in _serving._own)


def test_end_of_the_process_cancels_what_runs_in_a_daemon_thread() -> None:
    async def handler() -> None:
        has_begun.set()
        try:
            await asyncio.sleep(BOUND)
        finally:
            seen.append("cleaned up")

    seen: list[str] = []
    has_begun = threading.Event()
    loop = IOLoop.current()
    loop.spawn_callback(handler)
    thread = threading.Thread(target=loop.start, daemon=True)
    thread.start()
    assert has_begun.wait(BOUND)
    _serving._end_at_exit()
    assert seen == ["cleaned up"]
    loop.stop()
    thread.join(BOUND)


def test_end_of_a_process_within_its_own_loop_waits_for_nobody() -> None:
    async def main() -> None:
        _serving._end_at_exit()

    assert IOLoop.current().run_sync(main) is None


def test_end_of_a_child_that_python_was_not_told_of_leaves_all_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = IOLoop.current()
    with monkeypatch.context() as patch:
        patch.setattr(_serving, "_pid", 1)
        _serving._end_at_exit()
    assert not loop.asyncio_loop.is_closed()


def test_end_of_a_child_does_not_wait_for_the_parents_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = parking.background_loop()
    background = parking._backgrounds[IOLoop.current()]
    with monkeypatch.context() as patch:
        patch.setattr(background, "pid", 1)
        parking._end_at_exit()
    assert loop.is_running()
    background.end()


# What waits, and plain requests


def test_request_starts_the_timers_of_the_program() -> None:
    ran = threading.Event()
    periodic = PeriodicCallback(ran.set, 1)
    periodic.start()
    parking.run_what_waits()
    assert ran.wait(BOUND)
    periodic.stop()


def test_request_starts_no_loop_that_nobody_has_work_for() -> None:
    parking.run_what_waits()
    assert _serving._home is None
    IOLoop.current()
    parking.run_what_waits()
    assert not parking._backgrounds


def test_request_does_not_start_a_loop_that_runs() -> None:
    periodic = PeriodicCallback(print, 3_600_000)
    periodic.start()
    parking.run_what_waits()
    threads = threading.active_count()
    parking.run_what_waits()
    assert threading.active_count() == threads


# uWSGI


def uwsgi(**attributes: Any) -> SimpleNamespace:
    return SimpleNamespace(**attributes)


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(uwsgi(opt={}, has_threads=0), id="told"),
        pytest.param(uwsgi(opt={"http-socket": b":0"}), id="by options"),
        pytest.param(uwsgi(opt={}, has_threads=False), id="without options"),
    ],
)
def test_uwsgi_without_threads_is_refused_with_the_name_of_the_option(
    monkeypatch: pytest.MonkeyPatch, module: SimpleNamespace
) -> None:
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="--enable-threads"):
            parking.wait(where())
    IOLoop.current().call_later(3600, print)
    with ExpectLog("wsgitornado.general", "Timers do not run: .*--enable-threads"):
        parking.run_what_waits()


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(uwsgi(opt={}, has_threads=1), id="told"),
        pytest.param(uwsgi(opt={"enable-threads": True}), id="enable-threads"),
        pytest.param(uwsgi(opt={b"threads": b"4"}), id="threads"),
        pytest.param(uwsgi(), id="something else of that name"),
    ],
)
def test_uwsgi_with_threads_is_fine(
    monkeypatch: pytest.MonkeyPatch, module: SimpleNamespace
) -> None:
    monkeypatch.setitem(sys.modules, "uwsgi", module)
    assert parking.wait(where()) == BACKGROUND


def test_loop_that_the_program_runs_needs_no_thread_of_uwsgi(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "uwsgi", uwsgi(opt={}))
    assert IOLoop.current().run_sync(where) == HERE


# Other kinds of loops


def debugging_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    return loop


def uv_loop() -> asyncio.AbstractEventLoop:
    loop: asyncio.AbstractEventLoop = pytest.importorskip("uvloop").new_event_loop()
    return loop


@pytest.mark.parametrize("make", [debugging_loop, uv_loop])
def test_other_loops_serve_as_well(
    make: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    # The end of the background closes it.
    special_loop = make()
    asyncio.set_event_loop(special_loop)
    loop = IOLoop.current()
    assert loop.asyncio_loop is special_loop
    seen: list[str] = []
    loop.add_callback(seen.append, "callback")
    timer = loop.call_later(3600, print)
    assert loop.run_sync(where) == HERE
    waiter = Waiter()
    assert is_on_loop(special_loop) is False
    assert loop.run_sync(where) == BACKGROUND
    loop.remove_timeout(timer)
    start_until_it_runs_here(loop)
    assert waiter.end() == BACKGROUND
    assert seen == ["callback"]
