"""How a request that waits ends otherwise: cancelled, interrupted, left alone."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from tests.loops import BOUND, run_program
from tests.parking.asking import BOTH, application_of, ask, serving
from tests.parking.server import BrokenAnswer
from tests.parking.stacks import Record, Recorded, pause
from tests.support import make_environ, settle_loop
from wsgitornado import gen, parking
from wsgitornado.testing import ExpectLog
from wsgitornado.web import asynchronous

APPLICATION = "wsgitornado.application"
GENERAL = "wsgitornado.general"
UNCAUGHT = "Uncaught exception GET /"
TOO_LATE = "Cannot send error response after headers"


# Cancelled by itself


async def raises(handler: Any) -> None:
    raise asyncio.CancelledError


async def cancels_its_task(handler: Any) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await pause()


async def awaits_what_is_cancelled(handler: Any) -> None:
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


@gen.coroutine
def yields_what_is_cancelled(handler: Any) -> Any:
    yield awaits_what_is_cancelled(handler)


@BOTH
@pytest.mark.parametrize(
    "verb",
    [raises, awaits_what_is_cancelled, yields_what_is_cancelled],
    ids=lambda verb: verb.__name__,
)
def test_cancelled_coroutine_is_answered(parks: bool, verb: Any) -> None:
    with ExpectLog(APPLICATION, UNCAUGHT):
        asked = ask(verb, parks)
    assert (asked.status, asked.record.finished) == (500, [500])
    assert asked.record.left == 0


@BOTH
def test_coroutine_whose_task_is_cancelled_sends_the_client_away(parks: bool) -> None:
    asked = ask(cancels_its_task, parks)
    assert (asked.status, asked.record.finished) == (503, [503])
    assert asked.headers["Retry-After"] == "1"
    assert asked.record.left == 0


@BOTH
def test_coroutine_that_is_cancelled_after_output_breaks_the_answer_off(
    parks: bool,
) -> None:
    async def get(handler: Any) -> None:
        handler.write("begun;")
        await handler.flush()
        await raises(handler)

    with (
        ExpectLog(APPLICATION, UNCAUGHT),
        ExpectLog(GENERAL, TOO_LATE),
        pytest.raises(BrokenAnswer),
    ):
        ask(get, parks)


@BOTH
def test_coroutine_may_be_cancelled_once_its_answer_is_complete(parks: bool) -> None:
    async def get(handler: Any) -> None:
        handler.finish("whole")
        await raises(handler)

    assert ask(get, parks).body == b"whole"


# Cancelled because the client has left


def waiting_for_ever(handler: Any) -> Any:
    return wait_for_ever(handler)


async def wait_for_ever(handler: Any) -> None:
    handler.record.begun.set()
    try:
        await asyncio.sleep(3600)
    finally:
        handler.record.ended.set()


def yielding_for_ever(handler: Any) -> Any:
    yield wait_for_ever(handler)


class Willing(Recorded):
    cancel_on_close = True


class Unwilling(Recorded):
    cancel_on_close = False


@BOTH
@pytest.mark.parametrize(
    ("base", "settings"),
    [
        pytest.param(Recorded, {"cancel_on_close": True}, id="setting"),
        pytest.param(Willing, {}, id="class"),
        pytest.param(Willing, {"cancel_on_close": False}, id="class before setting"),
    ],
)
@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(wait_for_ever, id="coroutine"),
        pytest.param(waiting_for_ever, id="awaitable"),
        pytest.param(gen.coroutine(yielding_for_ever), id="gen.coroutine"),
        pytest.param(asynchronous(waiting_for_ever), id="asynchronous"),
    ],
)
def test_coroutine_is_cancelled_when_its_client_leaves(
    parks: bool, base: type[Recorded], settings: dict[str, Any], verb: Any
) -> None:
    record = Record()
    with serving(application_of(verb, base, record, **settings), parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        exchange.leave()
        assert record.ended.wait(BOUND)
        assert record.over.wait(BOUND)
    assert (record.left, record.finished) == (1, [200])


@BOTH
@pytest.mark.parametrize(
    ("base", "settings"),
    [
        pytest.param(Recorded, {}, id="default"),
        pytest.param(Recorded, {"cancel_on_close": False}, id="setting"),
        pytest.param(Unwilling, {"cancel_on_close": True}, id="class before setting"),
    ],
)
def test_coroutine_goes_on_when_its_client_leaves(
    parks: bool, base: type[Recorded], settings: dict[str, Any]
) -> None:
    async def get(handler: Any) -> None:
        record.begun.set()
        await record.gate.wait()
        handler.write("for nobody")
        await pause()
        record.ended.set()

    record = Record()
    with serving(application_of(get, base, record, **settings), parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        exchange.leave()
        assert record.noticed.wait(BOUND)
        settle_loop()
        assert record.finished == []
        record.gate.set()
        assert record.ended.wait(BOUND)
        assert record.over.wait(BOUND)
    assert (record.left, record.finished) == (1, [200])


@BOTH
def test_coroutine_that_its_client_and_all_others_left_waits_for_the_end(
    parks: bool,
) -> None:
    """As garbage it would end in whatever thread collects it."""

    async def get(handler: Any) -> None:
        record.begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            record.ended.set()

    record = Record()
    with serving(application_of(get, Recorded, record), parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        exchange.leave()
        assert record.noticed.wait(BOUND)
        del exchange
        settle_loop()
        gc.collect()
        assert not record.ended.is_set()
        cancel_all()
        assert record.over.wait(BOUND)
    assert (record.left, record.finished) == (1, [200])


@pytest.mark.parametrize("cancels", [False, True], ids=["", "cancel_on_close"])
def test_client_that_leaves_before_the_coroutine_has_begun(cancels: bool) -> None:
    """Its task is there, and has not had its first turn."""

    async def get(handler: Any) -> None:
        record.begun.set()

    async def begin_and_leave() -> None:
        body._start_work()
        body.close()

    record = Record()
    application = application_of(get, Recorded, record, cancel_on_close=cancels)
    body: Any = application(make_environ(), lambda *args: bytes)
    parking.wait(begin_and_leave())
    assert record.over.wait(BOUND)
    settle_loop()
    assert record.begun.is_set() == (not cancels)
    assert (record.left, record.finished) == (1, [200])


# Hooks that fail


@BOTH
def test_failing_on_connection_close_is_logged_and_contained(parks: bool) -> None:
    class Failing(Recorded):
        def on_connection_close(self) -> None:
            super().on_connection_close()
            raise ZeroDivisionError

    record = Record()
    with serving(application_of(wait_for_ever, Failing, record), parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        with ExpectLog(APPLICATION, "Uncaught exception in on_connection_close") as log:
            exchange.leave()
            assert record.noticed.wait(BOUND)
            settle_loop()
            cancel_all()
            assert record.over.wait(BOUND)
    assert (record.left, record.finished, log.matched) == (1, [200], 1)


@BOTH
def test_failing_on_finish_is_contained_where_nobody_takes_the_answer(
    parks: bool,
) -> None:
    class Failing(Willing):
        def on_finish(self) -> None:
            super().on_finish()
            raise ZeroDivisionError

    record = Record()
    with serving(application_of(wait_for_ever, Failing, record), parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        with ExpectLog(APPLICATION, "Uncaught exception in on_finish"):
            exchange.leave()
            assert record.over.wait(BOUND)
            settle_loop()
    assert (record.left, record.finished) == (1, [200])


def cancel_all() -> None:
    """As at the end of the process."""

    async def cancel() -> None:
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    parking.wait(cancel())


def leave_it_to_a_callback(handler: Any) -> None:
    handler._auto_finish = False
    handler.record.begun.set()


@BOTH
@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(wait_for_ever, id="coroutine"),
        pytest.param(gen.coroutine(yielding_for_ever), id="gen.coroutine"),
        pytest.param(asynchronous(leave_it_to_a_callback), id="asynchronous"),
        pytest.param(leave_it_to_a_callback, id="callback"),
    ],
)
def test_client_is_told_when_the_process_ends(parks: bool, verb: Any) -> None:
    record = Record()
    with serving(application_of(verb, Recorded, record), parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        while not asyncio.all_tasks(server.loop):
            settle_loop()
        cancel_all()
        assert b"503" in exchange.read_all()
    assert (record.left, record.finished) == (0, [503])


def test_end_of_the_process_before_the_coroutine_has_begun() -> None:
    async def get(handler: Any) -> None:
        record.begun.set()

    async def begin_and_cancel() -> None:
        body._start_work()
        body.task.cancel()

    record = Record()
    application = application_of(get, Recorded, record)
    body: Any = application(make_environ(), lambda *args: bytes)
    parking.wait(begin_and_cancel())
    with pytest.raises(RuntimeError, match="the process ends"):
        next(body)
    body.close()
    assert record.over.wait(BOUND)
    assert not record.begun.is_set()


# What ends a program


class Prepared(Recorded):
    async def prepare(self) -> None:
        await pause()


@BOTH
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("is_plain", [False, True], ids=["on the loop", "in a thread"])
def test_exit_of_a_handler_ends_its_request(
    parks: bool, kind: type[BaseException], is_plain: bool
) -> None:
    async def coroutine(handler: Any) -> None:
        await pause()
        raise kind

    def plain(handler: Any) -> None:
        raise kind

    record = Record()
    verb, base = (plain, Prepared) if is_plain else (coroutine, Recorded)
    with serving(application_of(verb, base, record), parks) as server:
        exchange = server.request()
        with pytest.raises(BrokenAnswer):
            exchange.read()
        assert record.over.wait(BOUND)
    assert isinstance(exchange.failure, kind)
    assert len(record.finished) == 1
    # The loop goes on.
    assert ask(lambda handler: pause(), parks).status == 200


def test_interrupted_thread_takes_its_coroutine_along() -> None:
    done = run_program(
        """
        import asyncio, signal, sys, threading
        from tests.support import make_environ
        from wsgitornado import parked
        from wsgitornado.web import Application, RequestHandler

        ended, finished = threading.Event(), threading.Event()
        main = threading.main_thread().ident

        class Handler(RequestHandler):
            async def get(self):
                try:
                    while "next_step" not in sys._current_frames()[main].f_code.co_name:
                        await asyncio.sleep(0)
                    signal.pthread_kill(main, signal.SIGINT)
                    await asyncio.sleep(3600)
                finally:
                    ended.set()

            def on_finish(self):
                finished.set()

        body = Application([("/", Handler)])(make_environ(), print)
        try:
            next(body)
        except KeyboardInterrupt:
            print("interrupted", ended.wait(20), parked.waiting())
        body.close()
        print("finished", finished.wait(20))
        """
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["interrupted True 0", "finished True"]
