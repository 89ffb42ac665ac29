"""The protocol: who begins, takes and closes a parked response, and when."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from tests.loops import BOUND, no_loop_yet
from tests.parking.asking import BOTH, application_of, ask, serving
from tests.parking.server import BrokenAnswer, Exchange, ParkingServer
from tests.parking.stacks import Record, Recorded, generate, pause, tasks_left
from tests.support import make_environ, settle_loop
from wsgitornado import gen, parked, parking
from wsgitornado._types import (
    Body,
    HeaderList,
    StartResponse,
    WSGIApplication,
    WSGIEnvironment,
)
from wsgitornado.ioloop import IOLoop
from wsgitornado.parked import ParkedResponse
from wsgitornado.testing import ExpectLog
from wsgitornado.web import asynchronous


def started(*args: Any) -> Callable[[bytes], object]:
    """A ``start_response`` that nobody looks at."""
    return bytes


# The beginning


async def native(handler: Recorded) -> None:
    handler.record.begun.set()
    handler.write("native")


@gen.coroutine
def decorated(handler: Recorded) -> Any:
    handler.record.begun.set()
    yield gen.moment
    handler.write("decorated")


@asynchronous
def callback(handler: Recorded) -> None:
    handler.record.begun.set()
    handler.finish("callback")


class Prepared(Recorded):
    async def prepare(self) -> None:
        self.record.begun.set()


KINDS = pytest.mark.parametrize(
    ("verb", "base"),
    [
        pytest.param(native, Recorded, id="native coroutine"),
        pytest.param(decorated, Recorded, id="gen.coroutine"),
        pytest.param(callback, Recorded, id="asynchronous"),
        pytest.param(lambda handler: None, Prepared, id="prepare"),
    ],
)


@KINDS
def test_coroutine_begins_when_the_answer_is_asked_for(
    verb: Any, base: type[Recorded]
) -> None:
    record = Record()
    body: Any = application_of(verb, base, record)(make_environ(), started)
    settle_loop()
    assert not record.begun.is_set()
    b"".join(body)
    body.close()
    assert record.begun.is_set()
    assert record.finished == [200]


@KINDS
def test_coroutine_begins_when_the_answer_is_parked(
    verb: Any, base: type[Recorded]
) -> None:
    record = Record()
    server = ParkingServer(lambda environ, start: ())
    exchange = Exchange(server, make_environ())
    application = application_of(verb, base, record)
    body: Any = application(exchange.environ, exchange.start_response)
    settle_loop()
    assert not record.begun.is_set()
    body.commit()
    assert record.begun.wait(BOUND)
    exchange.read_all()
    server.close()
    assert record.finished == [200]


@KINDS
@BOTH
def test_answer_that_nobody_asks_for_never_begins(
    verb: Any, base: type[Recorded], parks: bool
) -> None:
    def refuse(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        application(environ, started).close()  # type: ignore[attr-defined]  # it has one
        start_response("200 OK", [])
        return [b"something else"]

    record = Record()
    application = application_of(verb, base, record)
    with serving(refuse, parks) as server:
        assert server.request().read_all() == b"something else"
    assert not record.begun.is_set()
    assert (record.left, record.finished) == (1, [200])
    # A coroutine that was never awaited would say so now.
    gc.collect()


def test_server_closes_what_never_came_back() -> None:
    def keep(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        kept.append(application(environ, started))
        start_response("200 OK", [])
        return [b"something else"]

    record, kept = Record(), list[Body]()
    application = application_of(native, Recorded, record)
    with serving(keep, parks=True) as server:
        assert server.request().read_all() == b"something else"
    assert not record.begun.is_set()
    assert (record.left, record.finished) == (1, [200])


def test_handle_that_no_application_began_with_can_be_closed() -> None:
    def ignore(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        environ[parked.PARK]()
        start_response("200 OK", [])
        return [b"something else"]

    with serving(ignore, parks=True) as server:
        exchange = server.request()
        assert exchange.read_all() == b"something else"
    assert [handle.is_closed for handle in exchange.handed_out] == [True]


def test_only_what_the_server_handed_out_for_this_request_is_parked() -> None:
    """An own handle, or one of another request, is iterated."""

    def another(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        return application({**environ, parked.PARK: ParkedResponse}, start_response)

    application = application_of(native, Recorded, Record())
    with serving(another, parks=True) as server:
        exchange = server.request()
        assert exchange.read_all() == b"native"
    assert not exchange.is_parked
    assert exchange.started_in[0].startswith("server")


# Output before anybody takes it


def late(application: WSGIApplication) -> WSGIApplication:
    """Hands the answer on only when the loop is through with what it has."""

    def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        body = application(environ, start_response)
        settle_loop()
        return body

    return middleware


def finished_by_callback(handler: Recorded) -> None:
    handler._auto_finish = False
    handler.record.gate.set()
    IOLoop.current().add_callback(handler.finish, "by a callback")


def streamed_by_callback(handler: Recorded) -> None:
    async def stream() -> None:
        handler.write("one;")
        flushed = handler.flush()
        handler.write("two;")
        handler.flush()
        handler.finish("end")
        await flushed

    handler._auto_finish = False
    # Not before the request is parked.
    IOLoop.current().call_later(0, IOLoop.current().add_callback, stream)


@BOTH
@pytest.mark.parametrize(
    ("verb", "body"),
    [
        pytest.param(finished_by_callback, b"by a callback", id="all of it"),
        pytest.param(streamed_by_callback, b"one;two;end", id="a stream"),
    ],
)
def test_output_that_comes_first_is_kept(parks: bool, verb: Any, body: bytes) -> None:
    record = Record()
    with serving(late(application_of(verb, Recorded, record)), parks) as server:
        exchange = server.request()
        assert exchange.read_all() == body
    assert len(exchange.started_in) == 1
    assert (record.finished, record.logged) == ([200], [200])


@BOTH
def test_handler_goes_on_beside_an_answer_that_is_complete(parks: bool) -> None:
    def get(handler: Recorded) -> Any:
        handler.finish("complete")
        return rest(handler)

    async def rest(handler: Recorded) -> None:
        await pause()
        handler.record.ended.set()

    asked = ask(get, parks)
    assert asked.body == b"complete"
    assert asked.record.ended.wait(BOUND)


def test_handler_goes_on_although_nobody_takes_its_complete_answer() -> None:
    def get(handler: Recorded) -> Any:
        handler.finish("complete")
        return rest(handler)

    async def rest(handler: Recorded) -> None:
        handler.record.ended.set()

    record = Record()
    body: Any = application_of(get, Recorded, record)(make_environ(), started)
    body.close()
    assert record.ended.wait(BOUND)
    assert (record.left, record.finished) == (0, [200])
    assert tasks_left() == set()


# Iterating and closing


def open_body(record: Record, verb: Any = None) -> Any:
    async def get(handler: Recorded) -> None:
        handler.write("one;")
        await handler.flush()
        record.begun.set()
        await record.gate.wait()

    return application_of(verb or get, Recorded, record)(make_environ(), started)


def test_close_is_heard_once() -> None:
    record = Record()
    body = open_body(record)
    assert next(body) == b"one;"
    for _ in range(3):
        body.close()
    assert record.noticed.wait(BOUND)
    record.gate.set()
    assert record.over.wait(BOUND)
    settle_loop()
    assert (record.left, record.finished) == (1, [200])


def test_nothing_comes_after_the_end() -> None:
    body = open_body(Record(), native)
    assert list(body) == [b"native"]
    assert list(body) == []
    body.close()
    assert list(body) == []


def test_nothing_comes_after_a_failure() -> None:
    async def get(handler: Recorded) -> None:
        handler.write("one;")
        await handler.flush()
        raise ZeroDivisionError

    body = open_body(Record(), get)
    with (
        ExpectLog("wsgitornado.application", "Uncaught"),
        ExpectLog("wsgitornado.general", "Cannot send"),
    ):
        assert next(body) == b"one;"
        with pytest.raises(Exception, match="broke off"):
            next(body)
    assert list(body) == []
    body.close()


def test_functions_hear_of_the_close_once_and_afterwards_at_once() -> None:
    calls: list[str] = []
    body = open_body(Record(), native)
    body.call_on_close(lambda: calls.append("first"))
    body.close()
    body.close()
    assert calls == ["first"]
    body.call_on_close(lambda: calls.append("second"))
    assert calls == ["first", "second"]


def test_thread_that_waits_is_let_go_when_another_closes() -> None:
    record = Record()
    body = open_body(record)
    chunks: list[bytes] = []
    thread = threading.Thread(target=lambda: chunks.extend(body))
    thread.start()
    assert record.begun.wait(BOUND)
    body.close()
    thread.join(BOUND)
    assert not thread.is_alive()
    record.gate.set()
    assert chunks == [b"one;"]
    assert parked.waiting() == 0


def test_answer_that_another_thread_closes_as_it_is_taken_is_empty() -> None:
    record = Record()
    body = open_body(record)
    # Between two steps of the thread.
    body._early.append(lambda taker: body.close())
    assert list(body) == []
    assert record.noticed.wait(BOUND)
    record.gate.set()
    assert record.over.wait(BOUND)
    assert parked.waiting() == 0


def test_waiting_goes_on_when_the_program_ceases_to_run_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run() -> None:
        loop.start()
        stopped.set()

    record, stopped = Record(), threading.Event()
    chunks: list[bytes] = []
    with no_loop_yet(monkeypatch):
        loop = IOLoop.current()
        program = threading.Thread(target=run)
        program.start()
        body = open_body(record)
        waiting = threading.Thread(target=lambda: chunks.extend(body))
        waiting.start()
        assert record.begun.wait(BOUND)
        loop.stop()
        assert stopped.wait(BOUND)
        record.gate.set()
        waiting.join(BOUND)
        program.join(BOUND)
        body.close()
    assert chunks == [b"one;"]
    assert record.finished == [200]


def test_request_can_be_abandoned_before_it_begins() -> None:
    record = Record()
    body = open_body(record)
    body.abandon(KeyboardInterrupt())
    assert list(body) == []
    assert record.over.wait(BOUND)
    assert not record.begun.is_set()


def test_response_can_be_closed_after_its_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    with no_loop_yet(monkeypatch):
        response = ParkedResponse()
        parking._end_at_exit()
        response.close()
    assert response.is_closed


def test_middleware_that_never_closes_ends_the_request_all_the_same() -> None:
    def careless(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        for chunk in application(environ, start_response):
            yield chunk.upper()

    record = Record()
    application = application_of(native, Recorded, record)
    assert list(careless(make_environ(), started)) == [b"NATIVE"]
    assert parked.waiting() == 0
    assert record.finished == [200]


def test_what_middleware_drops_is_closed_as_garbage() -> None:
    record = Record()
    loop = parking.background_loop()
    body = open_body(record, lambda handler: asyncio.Future(loop=loop))
    del body
    gc.collect()
    assert record.over.wait(BOUND)
    assert (record.left, record.finished) == (1, [200])


@BOTH
@pytest.mark.parametrize("is_streamed", [False, True], ids=["short", "streamed"])
def test_nothing_is_left_for_the_garbage_collector(
    parks: bool, is_streamed: bool
) -> None:
    async def get(handler: Recorded) -> None:
        handlers.append(weakref.ref(handler))
        handler.write("one;")
        if is_streamed:
            await handler.flush()
        await pause()

    handlers: list[weakref.ref[Recorded]] = []
    gc.collect()
    gc.disable()
    try:
        asked = ask(get, parks)
        assert asked.body == b"one;"
        del asked
        settle_loop()
        assert [handler() for handler in handlers] == [None]
    finally:
        gc.enable()


def test_parked_response_gives_no_chunks() -> None:
    record = Record()

    async def get(handler: Recorded) -> None:
        await record.gate.wait()

    with serving(application_of(get, Recorded, record), parks=True) as server:
        exchange = server.request()
        while not exchange.is_parked:
            settle_loop()
        with pytest.raises(RuntimeError, match="has parked"):
            next(exchange.handed_out[0])
        record.gate.set()
        assert exchange.read_all() == b""


# Where a thread must not wait


def test_iterating_on_the_loop_says_what_to_do() -> None:
    async def on_the_loop() -> None:
        application = generate(application_of(native, Recorded, record))
        iterable: Any = application(make_environ(), started)
        with ExpectLog("wsgitornado.application", "Uncaught exception GET") as log:
            assert b"500: Internal Server Error" in b"".join(iterable)
        assert log.logged_stack
        iterable.close()

    record = Record()
    parking.wait(on_the_loop())
    assert not record.begun.is_set()
    assert record.finished == [500]


# start_response


@BOTH
def test_failure_of_start_response_is_the_servers(parks: bool) -> None:
    def refusing(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        def start(status: str, headers: HeaderList, exc_info: Any = None) -> Any:
            calls.append(status)
            raise LookupError("middleware's mistake")

        return application(environ, start)

    async def get(handler: Recorded) -> None:
        for _ in range(3):
            handler.write("one;")
            await handler.flush()

    calls: list[str] = []
    record = Record()
    application = application_of(get, Recorded, record)
    with serving(refusing, parks) as server:
        exchange = server.request()
        with pytest.raises(BrokenAnswer):
            exchange.read()
        assert record.over.wait(BOUND)
    assert isinstance(exchange.failure, LookupError)
    assert calls == ["200 OK"]
    assert record.finished == [200]
