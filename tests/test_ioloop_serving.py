"""Which loop is whose: the serving loop, asyncio.run, threads, what waits."""

from __future__ import annotations

import asyncio
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.loops import BOUND, no_loop_yet, until
from wsgitornado import _serving, concurrent, parking
from wsgitornado.ioloop import IOLoop, PeriodicCallback, adopt_serving_loop
from wsgitornado.util import Configurable


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with no_loop_yet(monkeypatch):
        yield


def in_thread(function: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join(BOUND)
    return results[0]


async def current() -> IOLoop:
    return IOLoop.current()


# The loop that current() gives


def test_there_is_none_before_somebody_asks() -> None:
    assert IOLoop.current(instance=False) is None
    assert not IOLoop.initialized()
    loop = IOLoop.current()
    assert IOLoop.current(instance=False) is IOLoop.instance() is loop
    assert IOLoop.initialized()


@pytest.mark.parametrize("first", ["main", "thread"])
def test_all_threads_have_the_same(first: str) -> None:
    here = IOLoop.current() if first == "main" else None
    there = in_thread(IOLoop.current)
    assert (here or IOLoop.current()) is there
    assert in_thread(lambda: IOLoop.current(instance=False)) is there


class SomebodyIsFaster(_serving._Lock):
    """Whoever takes the lock first finds that another thread has just had it."""

    def __init__(self, what_it_did: Callable[[], object]) -> None:
        super().__init__()
        self._what_it_did: Callable[[], object] | None = what_it_did

    def __enter__(self) -> None:
        what_it_did, self._what_it_did = self._what_it_did, None
        if what_it_did is not None:
            what_it_did()
        super().__enter__()


@pytest.mark.parametrize("state", ["none", "closed"])
def test_two_threads_that_need_a_loop_at_once_get_the_same(
    monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    if state == "closed":
        IOLoop.current().asyncio_loop.close()
    others: list[asyncio.AbstractEventLoop] = []
    lock = SomebodyIsFaster(lambda: others.append(IOLoop.current().asyncio_loop))
    monkeypatch.setattr(_serving, "lock", lock)
    assert in_thread(lambda: IOLoop.current().asyncio_loop) is others[0]


def test_two_threads_that_schedule_before_a_loop_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    loop = IOLoop.current()
    lock = SomebodyIsFaster(lambda: loop.run_sync(lambda: None))
    monkeypatch.setattr(_serving, "lock", lock)
    loop.call_later(0, seen.append, "timer")
    assert not _serving.has_waiting_work()
    loop.run_sync(until(lambda: bool(seen)))


def test_asyncio_knows_it_and_does_not_complain() -> None:
    loop = in_thread(IOLoop.current)
    assert IOLoop.current() is loop
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asyncio.get_event_loop() is loop.asyncio_loop
    assert concurrent.current_loop() is loop.asyncio_loop


def test_loop_that_the_program_has_set_is_taken() -> None:
    mine = asyncio.new_event_loop()
    asyncio.set_event_loop(mine)
    assert IOLoop.current().asyncio_loop is mine
    assert in_thread(IOLoop.current) is IOLoop.current()
    mine.close()


def test_loop_of_a_thread_is_its_own() -> None:
    def run_own_loop() -> tuple[bool, bool, str]:
        asyncio.set_event_loop(asyncio.new_event_loop())
        loop = IOLoop.current()
        is_current = loop.run_sync(current) is loop
        result = loop.run_sync(lambda: asyncio.sleep(0, "ran"))
        loop.close()
        return loop is home, is_current, result

    home = IOLoop.current()
    assert in_thread(run_own_loop) == (False, True, "ran")
    assert IOLoop.current() is home


def test_new_loop_is_current_in_its_thread_only() -> None:
    def make() -> bool:
        loop = IOLoop()
        is_current = IOLoop.current() is loop
        loop.close()
        return is_current and IOLoop.current() is home

    home = IOLoop.current()
    home.run_sync(lambda: None)
    assert in_thread(make)
    assert IOLoop.current() is home


@pytest.mark.parametrize("name", ["make_current", "install"])
def test_loop_can_be_made_current(name: str) -> None:
    loop = IOLoop(make_current=False)
    with pytest.deprecated_call(match="start the event loop first"):
        getattr(loop, name)()
    assert IOLoop.current() is loop
    # In the main thread it is that of all others, too.
    assert in_thread(IOLoop.current) is loop


@pytest.mark.parametrize("name", ["clear_current", "clear_instance"])
def test_current_loop_can_be_cleared(name: str) -> None:
    loop = IOLoop()
    assert IOLoop.current() is loop
    with pytest.deprecated_call(match=f"{name} is deprecated"):
        getattr(IOLoop, name)()
    assert IOLoop.current(instance=False) is None
    assert IOLoop.current() is not loop
    loop.close()


@pytest.mark.filterwarnings("ignore:clear_current:DeprecationWarning")
def test_thread_that_clears_its_own_leaves_that_of_the_process() -> None:
    home = IOLoop.current()
    in_thread(IOLoop.clear_current)
    assert IOLoop.current() is home


def test_closed_loop_is_followed_by_a_new_one() -> None:
    loop = IOLoop.current()
    loop.call_later(3600, print)
    loop.close()
    assert IOLoop.current(instance=False) is None
    assert IOLoop.current() is not loop
    assert IOLoop.current().run_sync(lambda: asyncio.sleep(0, "runs")) == "runs"
    assert loop.asyncio_loop.is_closed()


# asyncio.run


def test_asyncio_run_has_the_loop_of_the_program() -> None:
    async def main() -> tuple[IOLoop, asyncio.AbstractEventLoop, IOLoop]:
        return (
            IOLoop.current(),
            IOLoop.current().asyncio_loop,
            in_thread(IOLoop.current),
        )

    before = IOLoop.current()
    within, running, in_others = asyncio.run(main())
    assert within is before is in_others
    assert running.is_closed()
    # There is one after it, too, also for asyncio.
    assert IOLoop.current() is before
    assert asyncio.get_event_loop() is before.asyncio_loop
    assert before.run_sync(lambda: asyncio.sleep(0, "runs")) == "runs"


def test_asyncio_run_where_there_was_no_loop() -> None:
    async def main() -> tuple[IOLoop, IOLoop]:
        return IOLoop.current(), in_thread(IOLoop.current)

    here, there = asyncio.run(main())
    assert here is there is IOLoop.current()


def test_asyncio_run_takes_what_was_scheduled_before() -> None:
    async def main() -> None:
        assert seen == []
        IOLoop.current()
        async with asyncio.timeout(BOUND):
            while not {"callback", "timer", "read", "ticked"} <= set(seen):
                await asyncio.sleep(0.001)
        loop.remove_handler(reading)

    seen: list[str] = []
    loop = IOLoop.current()
    reading, writing = socket.socketpair()
    loop.add_callback(seen.append, "callback")
    loop.call_later(0.001, seen.append, "timer")
    loop.add_handler(reading, lambda fd, events: seen.append("read"), IOLoop.READ)
    loop.remove_timeout(loop.call_later(0, seen.append, "removed"))
    periodic = PeriodicCallback(lambda: seen.append("ticked"), 1)
    periodic.start()
    writing.send(b"x")
    asyncio.run(main())
    assert seen.count("callback") == seen.count("timer") == 1
    assert "removed" not in seen

    # A program that runs several loops in turn keeps what it has set up itself, and
    # nothing of what a loop was for.
    seen.clear()
    loop.run_sync(until(lambda: "ticked" in seen))
    assert set(seen) == {"ticked"}
    periodic.stop()
    reading.close()
    writing.close()


def test_what_asyncio_run_leaves_ends_with_it() -> None:
    async def main() -> None:
        loop = IOLoop.current()
        loop.call_later(3600, print)
        loop.set_default_executor(ThreadPoolExecutor(1))

    asyncio.run(main())
    loop = IOLoop.current()
    assert not _serving.has_waiting_work()
    assert loop.run_sync(lambda: loop.run_in_executor(None, str, 1)) == "1"


def test_timer_that_waits_in_vain_goes_on_waiting() -> None:
    async def main() -> None:
        IOLoop.current()

    seen: list[str] = []
    loop = IOLoop.current()
    loop.call_later(0.02, seen.append, "timer")
    asyncio.run(main())
    assert seen == []
    loop.run_sync(until(lambda: bool(seen)))


def test_loop_that_lost_its_place_begins_after_all() -> None:
    async def main() -> None:
        IOLoop.current()

    loop = IOLoop.current()
    first = loop.asyncio_loop
    asyncio.run(main())
    seen: list[str] = []
    loop.add_callback(seen.append, "callback")
    first.run_until_complete(asyncio.sleep(0.001))
    assert seen == ["callback"]
    assert loop.asyncio_loop is first


def test_loop_that_lost_its_place_is_nobodys_while_the_other_runs() -> None:
    async def main() -> None:
        loop = IOLoop.current()
        await asyncio.to_thread(first.run_until_complete, asyncio.sleep(0))
        assert loop.asyncio_loop is asyncio.get_running_loop()

    first = IOLoop.current().asyncio_loop
    asyncio.run(main())


def test_loop_that_the_program_runs_itself_takes_what_waits() -> None:
    seen: list[str] = []
    IOLoop.current().add_callback(seen.append, "callback")
    asyncio.get_event_loop().run_until_complete(asyncio.sleep(0.001))
    assert seen == ["callback"]


def test_asyncio_run_beside_a_loop_that_has_begun_has_its_own() -> None:
    home = IOLoop.current()
    home.run_sync(lambda: None)
    inner = asyncio.run(current())
    assert inner is not home
    assert IOLoop.current() is home
    with pytest.raises(RuntimeError, match="closed"):
        inner.call_later(0, print)


def test_asyncio_run_in_a_thread_has_its_own() -> None:
    home = IOLoop.current()
    assert in_thread(lambda: asyncio.run(current())) is not home
    assert IOLoop.current() is home


def test_loops_that_were_closed_are_not_kept() -> None:
    IOLoop.current().run_sync(lambda: None)
    for _ in range(10):
        asyncio.run(current())
    assert len(_serving._by_loop) <= 2


# The serving loop


def test_server_makes_its_loop_the_serving_one() -> None:
    async def serve() -> None:
        assert adopt_serving_loop() is IOLoop.current()
        assert in_main() is IOLoop.current()
        assert parking.background_loop() is asyncio.get_running_loop()

    def in_main() -> IOLoop:
        with_main.set()
        assert answered.wait(BOUND)
        return answers[0]

    home = IOLoop.current()
    home.run_sync(lambda: None)
    with_main, answered = threading.Event(), threading.Event()
    answers: list[IOLoop] = []
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert with_main.wait(BOUND)
    answers.append(IOLoop.current())
    answered.set()
    thread.join(BOUND)
    assert answers[0] is not home
    # When it is over, the loop of the process is there again.
    assert IOLoop.current() is home
    assert _serving.serving_loop() is home


def test_server_in_a_thread_takes_what_waits() -> None:
    async def serve() -> None:
        assert adopt_serving_loop() is IOLoop.current()
        await until(lambda: seen == ["callback", "timer", "later"])()

    seen: list[str] = []
    home = IOLoop.current()
    home.add_callback(seen.append, "callback")
    home.call_later(0.001, seen.append, "timer")

    def run() -> None:
        with asyncio.Runner() as runner:
            # Known already by a name of its own.
            assert runner.run(current()) is not home
            home.call_later(0.02, seen.append, "later")
            runner.run(serve())

    in_thread(run)
    assert seen == ["callback", "timer", "later"]


def test_server_before_its_loop_runs() -> None:
    seen: list[str] = []
    assert adopt_serving_loop() is IOLoop.current()
    adopt_serving_loop().add_callback(seen.append, "accepting")

    async def main() -> None:
        IOLoop.current()
        await until(lambda: bool(seen))()

    asyncio.run(main())


def test_adopted_loop_can_be_closed() -> None:
    def serve() -> None:
        loop = IOLoop()
        adopt_serving_loop()
        assert _serving.serving_loop() is loop
        loop.close()
        assert _serving.serving_loop() is home

    home = IOLoop.current()
    home.run_sync(lambda: None)
    in_thread(serve)


def test_loop_that_was_made_for_threads_does_not_run_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A part of what gevent does; the rest is in test_ioloop_processes.py."""
    seen: list[str] = []
    loop = IOLoop.current()
    loop.add_callback(seen.append, "callback")
    first = loop.asyncio_loop
    monkeypatch.setattr(threading, "get_ident", lambda: 1)
    loop.run_sync(lambda: None)
    assert loop.asyncio_loop is not first
    assert seen == ["callback"]


# Which class


def test_loops_are_of_the_class_that_was_configured() -> None:
    class Mine(IOLoop):
        pass

    saved = IOLoop._save_configuration()
    try:
        IOLoop.configure(Mine)
        assert type(IOLoop.current()) is Mine
    finally:
        IOLoop._restore_configuration(saved)


@pytest.mark.parametrize(
    "name", ["tornado.platform.asyncio.AsyncIOLoop", "wsgitornado.ioloop.IOLoop", None]
)
def test_names_of_the_only_class_are_taken(name: str | None) -> None:
    IOLoop.configure(name)
    assert type(IOLoop.current()) is IOLoop


def test_class_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid subclass"):
        IOLoop.configure(Configurable)
