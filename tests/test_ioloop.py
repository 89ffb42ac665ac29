"""One IOLoop: callbacks, futures, starting and stopping."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import gc
import signal
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.loops import BOUND, another_loop, running_loop
from wsgitornado import _serving
from wsgitornado import ioloop as module
from wsgitornado.concurrent import DONE, is_on_loop
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing import ExpectLog

LOG = "wsgitornado.application"

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


@pytest.fixture
def loop() -> Iterator[IOLoop]:
    with another_loop() as ioloop:
        yield ioloop


@pytest.fixture
def running(loop: IOLoop) -> Iterator[IOLoop]:
    with running_loop(loop):
        yield loop


def in_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(BOUND)


async def give(value: object) -> object:
    await asyncio.sleep(0)
    return value


async def fail() -> None:
    raise LookupError("lost")


# Callbacks


def test_callbacks_run_in_order_with_their_arguments(loop: IOLoop) -> None:
    seen: list[object] = []
    loop.add_callback(seen.append, 1)
    loop.spawn_callback(lambda a, b: seen.append((a, b)), 2, b=3)
    loop.add_callback(loop.stop)
    loop.start()
    assert seen == [1, (2, 3)]


def test_callback_on_the_loop_runs_in_a_later_turn(loop: IOLoop) -> None:
    seen: list[str] = []

    async def main() -> None:
        loop.add_callback(seen.append, "callback")
        seen.append("caller")
        await asyncio.sleep(0)

    loop.run_sync(main)
    assert seen == ["caller", "callback"]


def test_callback_from_another_thread_wakes_the_loop(running: IOLoop) -> None:
    is_done = threading.Event()
    running.add_callback(is_done.set)
    assert is_done.wait(BOUND)


def test_callback_on_the_thread_of_the_loop(running: IOLoop) -> None:
    seen: concurrent.futures.Future[bool] = concurrent.futures.Future()
    running.add_callback(
        lambda: seen.set_result(is_on_loop(running.asyncio_loop)),
    )
    assert seen.result(BOUND) is True


@pytest.mark.parametrize(
    "callback",
    [
        pytest.param(lambda: 1 / 0, id="function"),
        pytest.param(fail, id="coroutine"),
        pytest.param(lambda: asyncio.ensure_future(fail()), id="task"),
    ],
)
def test_exception_in_a_callback_is_logged_and_stops_nothing(
    loop: IOLoop, callback: Callable[[], object]
) -> None:
    async def main() -> str:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return "went on"

    loop.add_callback(callback)
    with ExpectLog(LOG, r"Exception in callback functools.partial\(<") as log:
        assert loop.run_sync(main) == "went on"
    assert log.logged_stack


@pytest.mark.parametrize("value", [5, "text", DONE, [1]], ids=str)
def test_value_that_a_callback_returns_is_its_own_affair(
    loop: IOLoop, value: object
) -> None:
    loop.add_callback(lambda: value)
    loop.run_sync(lambda: give(None))


def test_cancelled_callbacks_are_not_logged(loop: IOLoop) -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    def cancels() -> None:
        raise asyncio.CancelledError

    loop.add_callback(cancelled)
    loop.add_callback(cancels)
    loop.run_sync(lambda: give(None))


def test_hook_of_earlier_days_is_called_for_exceptions() -> None:
    class Hooked(IOLoop):
        def handle_callback_exception(self, callback: Any) -> None:
            seen.append(callback.func)

    seen: list[object] = []
    loop = Hooked(make_current=False)
    loop.add_callback(fail)
    loop.run_sync(lambda: give(None))
    loop.close()
    assert seen == [fail]


def test_task_of_a_callback_is_not_collected_while_it_waits(loop: IOLoop) -> None:
    async def wait() -> None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        reference.append(weakref.ref(future))
        seen.append(await future)

    async def main() -> None:
        await asyncio.sleep(0)
        gc.collect()
        future = reference[0]()
        assert future is not None
        future.set_result("result")
        await asyncio.sleep(0)

    reference: list[weakref.ref[asyncio.Future[str]]] = []
    seen: list[str] = []
    loop.add_callback(wait)
    loop.run_sync(main)
    assert seen == ["result"]


@pytest.mark.parametrize("runs", [False, True], ids=["idle", "running"])
def test_callback_has_the_context_variables_of_its_caller(
    loop: IOLoop, request: pytest.FixtureRequest, runs: bool
) -> None:
    def schedule() -> None:
        variable.set("of the caller")
        loop.add_callback(look)
        loop.call_later(0, look)
        loop.add_future(future, look)

    def look(future: object = None) -> None:
        seen.append(variable.get())

    async def until_all_have_looked() -> None:
        async with asyncio.timeout(BOUND):
            while len(seen) < 3:
                await asyncio.sleep(0.001)

    future: concurrent.futures.Future[None] = concurrent.futures.Future()
    seen: list[str] = []
    if runs:
        request.getfixturevalue("running")
    contextvars.copy_context().run(schedule)
    future.set_result(None)
    loop.run_sync(until_all_have_looked)
    assert seen == ["of the caller"] * 3


def test_callback_that_cannot_be_called_is_refused(loop: IOLoop) -> None:
    with pytest.raises(TypeError, match="must be callable"):
        loop.add_callback(5)  # type: ignore[arg-type]  # the mistake


def test_closed_loop_takes_no_timers_and_drops_callbacks() -> None:
    with another_loop() as loop:
        pass
    loop.add_callback(print, "never")
    loop.stop()
    loop.close()
    uses: list[Callable[[], object]] = [lambda: loop.call_later(0, print), loop.start]
    for use in uses:
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            use()


# Futures


def test_futures_of_asyncio_and_of_threads(loop: IOLoop) -> None:
    async def main() -> None:
        ours = asyncio.get_running_loop().create_future()
        loop.add_future(ours, lambda future: seen.append(("asyncio", future.result())))
        loop.add_future(theirs, lambda future: seen.append(("thread", is_here())))
        loop.add_future(done, lambda future: seen.append(("done", future is done)))
        ours.set_result(1)
        in_thread(lambda: theirs.set_result(2))
        for _ in range(5):
            await asyncio.sleep(0)

    def is_here() -> bool:
        return is_on_loop(loop.asyncio_loop)

    done: Any = DONE
    theirs: concurrent.futures.Future[int] = concurrent.futures.Future()
    seen: list[tuple[str, object]] = []
    loop.run_sync(main)
    assert sorted(seen) == [("asyncio", 1), ("done", True), ("thread", True)]


def test_future_of_a_running_loop_may_be_added_by_another_thread(
    running: IOLoop,
) -> None:
    async def make() -> asyncio.Future[int]:
        return asyncio.get_running_loop().create_future()

    is_done = threading.Event()
    future = running.run_sync(make)
    running.add_future(future, lambda _: is_done.set())
    running.add_callback(future.set_result, 1)
    assert is_done.wait(BOUND)


def test_what_is_no_future_is_refused(loop: IOLoop) -> None:
    with pytest.raises(TypeError, match="got int"):
        loop.add_future(5, print)  # type: ignore[arg-type]  # the mistake


# Start and stop


def test_loop_starts_again_after_it_was_stopped(loop: IOLoop) -> None:
    seen: list[int] = []
    for turn in range(3):
        loop.add_callback(seen.append, turn)
        loop.add_callback(loop.stop)
        loop.start()
    assert seen == [0, 1, 2]


def test_stop_before_start_lets_it_return_at_once(loop: IOLoop) -> None:
    seen: list[str] = []
    loop.stop()
    loop.call_later(0.01, seen.append, "late")
    loop.start()
    assert seen == []
    loop.call_later(0.02, loop.stop)
    loop.start()
    assert seen == ["late"]


def test_what_is_added_after_stop_waits_for_the_next_start(loop: IOLoop) -> None:
    def stop() -> None:
        loop.stop()
        loop.add_callback(seen.append, "added after stop")

    seen: list[str] = []
    loop.add_callback(stop)
    loop.add_callback(seen.append, "same turn")
    loop.start()
    assert seen == ["same turn"]
    loop.add_callback(loop.stop)
    loop.start()
    assert seen == ["same turn", "added after stop"]


def test_another_thread_stops_a_sleeping_loop(loop: IOLoop) -> None:
    loop.add_callback(lambda: threading.Thread(target=loop.stop).start())
    loop.start()


@pytest.mark.parametrize("way", ["stop", "add_callback_from_signal"])
@pytest.mark.filterwarnings("ignore:add_callback_from_signal:DeprecationWarning")
def test_signal_handler_stops_a_sleeping_loop(loop: IOLoop, way: str) -> None:
    def on_alarm(*args: object) -> None:
        if way == "stop":
            loop.stop()
        else:
            loop.add_callback_from_signal(loop.stop)

    earlier = signal.signal(signal.SIGALRM, on_alarm)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        failsafe = loop.call_later(BOUND, loop.stop)
        loop.start()
        loop.remove_timeout(failsafe)
        assert loop.run_sync(lambda: give("not stopped by the other")) is not None
    finally:
        signal.signal(signal.SIGALRM, earlier)


@pytest.mark.filterwarnings("ignore:add_callback_from_signal:DeprecationWarning")
def test_callback_from_a_signal_knows_nothing_of_what_was_interrupted(
    loop: IOLoop,
) -> None:
    def interrupted() -> None:
        variable.set("secret")
        loop.add_callback_from_signal(lambda: seen.append(variable.get("nothing")))

    seen: list[str] = []
    contextvars.copy_context().run(interrupted)
    loop.run_sync(lambda: give(None))
    assert seen == ["nothing"]


@pytest.mark.parametrize("name", ["start", "run_sync"])
def test_nested_start_says_what_is_wrong(loop: IOLoop, name: str) -> None:
    async def nest() -> None:
        getattr(loop, name)(*([lambda: None] if name == "run_sync" else []))

    with pytest.raises(RuntimeError, match=rf"already running: {name}\(\)"):
        loop.run_sync(nest)


@pytest.mark.parametrize("background", [False, True])
def test_loop_that_another_thread_runs_is_not_started(
    running: IOLoop, monkeypatch: pytest.MonkeyPatch, background: bool
) -> None:
    if not background:
        # As where only ``ioloop`` was imported.
        monkeypatch.setattr(_serving, "_hand_over", _serving._do_nothing)
    with pytest.raises(RuntimeError, match=r"already running, in another thread"):
        running.start()


def test_loop_that_runs_is_not_closed(running: IOLoop) -> None:
    with pytest.raises(RuntimeError, match=r"call stop\(\)"):
        running.close()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_exit_in_a_callback_comes_out_of_start(
    loop: IOLoop, kind: type[BaseException]
) -> None:
    def leave() -> None:
        raise kind

    loop.add_callback(leave)
    with pytest.raises(kind):
        loop.start()
    assert loop.run_sync(lambda: give("goes on")) == "goes on"


def test_converter_is_asked_for_what_callbacks_return(
    loop: IOLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NotThisOne(Exception):
        pass

    def convert(value: Any) -> asyncio.Future[Any]:
        if not isinstance(value, list):
            raise NotThisOne
        return asyncio.gather(*value)

    monkeypatch.setattr(module, "_convert", module._convert)
    monkeypatch.setattr(module, "_refusal", module._refusal)
    module.set_converter(convert, NotThisOne)
    assert loop.run_sync(lambda: [give(1), give(2)]) == [1, 2]
    with pytest.raises(NotThisOne):
        loop.run_sync(lambda: 5)
    loop.add_callback(lambda: 5)
    loop.run_sync(lambda: None)
