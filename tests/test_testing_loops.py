"""The loop of a test is the only one while it lasts, and nothing is left of it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tests.loops import no_loop_yet
from tests.support import call
from tests.testing_programs import Outcome, run_case
from wsgitornado import _serving, parking
from wsgitornado.ioloop import IOLoop, PeriodicCallback
from wsgitornado.testing import AsyncTestCase, gen_test
from wsgitornado.web import Application, RequestHandler


class Two(AsyncTestCase):
    """Tests that keep what they find."""

    loops: list[asyncio.AbstractEventLoop] = []
    ended: list[str] = []

    def test(self) -> None:
        self.loops.append(self.io_loop.asyncio_loop)

    @gen_test
    async def test_that_leaves_something(self) -> None:
        self.loops.append(self.io_loop.asyncio_loop)
        self.left = asyncio.ensure_future(self.never())
        self.io_loop.call_later(3600, self.ended.append, "timer")
        await asyncio.sleep(0)

    async def never(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append("task")


@pytest.fixture(autouse=True)
def nothing_found() -> None:
    Two.loops.clear()
    Two.ended.clear()


@pytest.fixture
def no_loop(monkeypatch: pytest.MonkeyPatch) -> Any:
    with no_loop_yet(monkeypatch):
        yield


def test_each_test_has_a_loop_of_its_own() -> None:
    assert run_case(Two) == run_case(Two) == Outcome("ok")
    first, second = Two.loops
    assert first is not second
    assert first.is_closed()
    assert second.is_closed()


def test_what_is_left_is_cancelled() -> None:
    assert run_case(Two, "test_that_leaves_something") == Outcome("ok")
    assert Two.ended == ["task"]
    assert Two.loops[0].is_closed()


def test_loop_of_the_process_is_back_afterwards() -> None:
    background = parking.background_loop()
    assert run_case(Two) == Outcome("ok")
    assert background is not Two.loops[0]
    assert parking.background_loop() is background
    assert background.is_running()


def test_tasks_of_the_process_go_on_afterwards() -> None:
    loop = parking.background_loop()
    event = asyncio.Event()
    waiting = asyncio.run_coroutine_threadsafe(event.wait(), loop)
    assert run_case(Two) == Outcome("ok")
    assert parking.background_loop() is loop
    loop.call_soon_threadsafe(event.set)
    assert waiting.result(30) is True


@pytest.mark.parametrize("has_run", [False, True], ids=["at import", "after run_sync"])
@pytest.mark.usefixtures("no_loop")
def test_loop_that_a_module_keeps_leads_to_that_of_the_test(has_run: bool) -> None:
    kept = IOLoop.current()
    before = kept.asyncio_loop
    if has_run:
        kept.run_sync(lambda: None)

    class Case(AsyncTestCase):
        def test(self) -> None:
            assert kept.asyncio_loop is self.io_loop.asyncio_loop
            kept.add_callback(self.stop, threading.get_ident())
            assert self.wait() == threading.get_ident()

    assert run_case(Case) == Outcome("ok")
    assert run_case(Case) == Outcome("ok")
    assert IOLoop.current() is kept
    assert kept.run_sync(lambda: asyncio.sleep(0, 5)) == 5
    assert kept.asyncio_loop is before


@pytest.mark.usefixtures("no_loop")
def test_periodic_callback_of_a_module_runs_in_each_test() -> None:
    calls = []
    periodic = PeriodicCallback(lambda: calls.append(IOLoop.current()), 1)
    periodic.start()

    class Case(AsyncTestCase):
        def test(self) -> None:
            before = len(calls)
            while len(calls) == before:
                self.io_loop.call_later(0.001, self.stop)
                self.wait()
            assert calls[-1] is self.io_loop

    assert run_case(Case) == Outcome("ok")
    assert run_case(Case) == Outcome("ok")
    periodic.stop()


@pytest.mark.usefixtures("no_loop")
def test_loop_of_the_process_may_be_that_of_the_test() -> None:
    class Case(AsyncTestCase):
        def get_new_ioloop(self) -> IOLoop:
            return IOLoop.current()

        def test(self) -> None:
            Two.loops.append(self.io_loop.asyncio_loop)
            self.io_loop.call_later(0, self.stop)
            self.wait()

    assert run_case(Case) == Outcome("ok")
    assert run_case(Case) == Outcome("ok")
    assert Two.loops[0] is Two.loops[1] is IOLoop.current().asyncio_loop
    assert not Two.loops[0].is_closed()


@pytest.mark.usefixtures("no_loop")
def test_asyncio_has_the_loop_of_the_program_again() -> None:
    mine = asyncio.new_event_loop()
    asyncio.set_event_loop(mine)
    try:
        assert run_case(Two) == Outcome("ok")
        assert _serving._loop_set_here() is mine
    finally:
        asyncio.set_event_loop(None)
        mine.close()


@pytest.mark.usefixtures("no_loop")
def test_server_of_the_program_has_its_loop_again() -> None:
    async def main() -> None:
        adopted = _serving.adopt_serving_loop()
        outcomes = await asyncio.to_thread(run_case, Two)
        assert outcomes == Outcome("ok")
        assert _serving.serving_loop() is adopted

    asyncio.run(main())


def test_requests_of_the_test_wait_on_its_loop() -> None:
    class Handler(RequestHandler):
        async def get(self) -> None:
            Two.loops.append(asyncio.get_running_loop())

    class Case(AsyncTestCase):
        @gen_test
        async def test(self) -> None:
            application = Application([("/", Handler)])
            answer = await asyncio.to_thread(call, application)
            assert answer.status_code == 200
            assert Two.loops == [self.io_loop.asyncio_loop]

    assert run_case(Case) == Outcome("ok")
