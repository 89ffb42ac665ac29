"""Output of asynchronous handlers: when it is taken, how much waits, who makes it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.loops import BOUND
from tests.parking.asking import BOTH, application_of, ask, serving
from tests.parking.server import BrokenAnswer, ParkingServer
from tests.parking.stacks import Record, Recorded, pause
from tests.support import settle_loop
from wsgitornado import parked
from wsgitornado.httputil import HTTPOutputError
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing import ExpectLog
from wsgitornado.web import StreamClosedError

APPLICATION = "wsgitornado.application"
GENERAL = "wsgitornado.general"
UNCAUGHT = "Uncaught exception (GET|HEAD) /"
TOO_LATE = "Cannot send error response after headers"

pytestmark = BOTH


def one_request(
    verb: Callable[[Any], object], record: Record, parks: bool
) -> contextlib.AbstractContextManager[ParkingServer]:
    return serving(application_of(verb, Recorded, record), parks)


@contextlib.contextmanager
def breaking_off() -> Iterator[None]:
    """Within the block an answer breaks off, by a mistake of the handler's."""
    with (
        ExpectLog(APPLICATION, UNCAUGHT),
        ExpectLog(GENERAL, TOO_LATE),
        pytest.raises(BrokenAnswer) as caught,
    ):
        yield
    assert isinstance(caught.value.args[0], HTTPOutputError)


# Back-pressure


def test_flush_is_done_when_the_reader_asks_for_more(parks: bool) -> None:
    async def get(handler: Recorded) -> None:
        handler.write("one;")
        futures.append(handler.flush())
        record.begun.set()
        await futures[0]
        handler.write("two;")
        futures.append(handler.flush())
        await futures[1]

    record, futures = Record(), list[Any]()
    with one_request(get, record, parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        settle_loop()
        assert [future.done() for future in futures] == [False]
        assert exchange.read() == b"one;"
        assert exchange.read() == b"two;"
        assert exchange.read() == b""
    assert [future.result() for future in futures] == [None, None]


def test_flush_calls_back_when_it_is_taken(parks: bool) -> None:
    async def get(handler: Recorded) -> None:
        handler.write("one;")
        handler.flush(callback=called.set)
        record.begun.set()
        await record.gate.wait()

    record, called = Record(), threading.Event()
    with one_request(get, record, parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        settle_loop()
        assert not called.is_set()
        assert exchange.read() == b"one;"
        assert called.wait(BOUND)
        record.gate.set()
        assert exchange.read_all() == b""


def test_flush_does_not_call_back_for_a_client_that_has_left(parks: bool) -> None:
    async def get(handler: Recorded) -> None:
        handler.write("one;")
        handler.flush(callback=lambda: calls.append(1))
        record.begun.set()
        await record.gate.wait()

    record, calls = Record(), list[int]()
    with one_request(get, record, parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        exchange.leave()
        assert record.noticed.wait(BOUND)
        record.gate.set()
        assert record.over.wait(BOUND)
    assert calls == []


def flush_unread(sizes: list[int], parks: bool) -> tuple[bool, bytes]:
    """Flush chunks that nobody reads yet, without waiting.

    Returns whether the handler was stopped, and what is read afterwards.
    """

    async def get(handler: Recorded) -> None:
        try:
            for size in sizes:
                handler.write(bytes(size))
                handler.flush()
        except HTTPOutputError as error:
            stopped.append(str(error))
        finally:
            record.ended.set()

    record, stopped = Record(), list[str]()
    with one_request(get, record, parks) as server:
        exchange = server.request()
        assert record.ended.wait(BOUND)
        body = exchange.read_all()
    assert all("await flush()" in message for message in stopped)
    return bool(stopped), body


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([100] * 10, id="as much as may wait"),
        pytest.param([5000], id="one chunk, however long"),
        pytest.param([0] * 50, id="nothing at all"),
    ],
)
def test_handler_need_not_wait_for_its_reader(
    monkeypatch: pytest.MonkeyPatch, parks: bool, sizes: list[int]
) -> None:
    monkeypatch.setattr(parked, "MAX_UNREAD", 1000)
    assert flush_unread(sizes, parks) == (False, bytes(sum(sizes)))


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([100] * 11, id="one chunk more"),
        pytest.param([1, 1000], id="one byte more"),
        pytest.param([5000, 1], id="anything more"),
    ],
)
def test_handler_that_does_not_wait_is_stopped_in_the_end(
    monkeypatch: pytest.MonkeyPatch, parks: bool, sizes: list[int]
) -> None:
    monkeypatch.setattr(parked, "MAX_UNREAD", 1000)
    assert flush_unread(sizes, parks) == (True, bytes(sum(sizes[:-1])))


def test_handler_that_is_stopped_breaks_its_answer_off(
    monkeypatch: pytest.MonkeyPatch, parks: bool
) -> None:
    async def get(handler: Recorded) -> None:
        try:
            for _ in range(11):
                handler.write(bytes(100))
                handler.flush()
        finally:
            record.ended.set()

    record = Record()
    monkeypatch.setattr(parked, "MAX_UNREAD", 1000)
    with breaking_off(), one_request(get, record, parks) as server:
        exchange = server.request()
        assert record.ended.wait(BOUND)
        exchange.read_all()
    assert (record.left, record.finished) == (0, [200])


@pytest.mark.parametrize("number", [16, 17])
def test_sixteen_megabytes_may_wait(parks: bool, number: int) -> None:
    is_stopped, body = flush_unread([1024 * 1024] * number, parks)
    assert is_stopped == (number > 16)
    assert len(body) == 16 * 1024 * 1024


def test_what_was_read_counts_no_longer(
    monkeypatch: pytest.MonkeyPatch, parks: bool
) -> None:
    async def get(handler: Recorded) -> None:
        for _ in range(50):
            handler.write(bytes(900))
            await handler.flush()

    monkeypatch.setattr(parked, "MAX_UNREAD", 1000)
    assert len(ask(get, parks).body) == 45000


def test_finish_is_done_when_all_is_taken(parks: bool) -> None:
    async def get(handler: Recorded) -> None:
        handler.write("one;")
        await handler.flush()
        await handler.finish("two;")
        handler.record.ended.set()

    asked = ask(get, parks)
    assert asked.body == b"one;two;"
    assert asked.record.ended.is_set()


def test_headers_can_be_flushed_alone(parks: bool) -> None:
    async def get(handler: Recorded) -> None:
        await handler.flush()
        handler.record.begun.set()
        await handler.record.gate.wait()

    record = Record()
    with one_request(get, record, parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        assert exchange.status == "200 OK"
        record.gate.set()
        assert exchange.read() == b""


# Clients that have left


@contextlib.contextmanager
def after_departure(record: Record, parks: bool) -> Iterator[Recorded]:
    """A handler whose client has left, and that was told so."""

    async def get(handler: Recorded) -> None:
        handlers.append(handler)
        record.begun.set()
        await record.gate.wait()

    handlers: list[Recorded] = []
    with one_request(get, record, parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        exchange.leave()
        assert record.noticed.wait(BOUND)
        try:
            yield handlers[0]
        finally:
            record.gate.set()
        assert record.over.wait(BOUND)


def test_output_for_a_client_that_has_left_is_dropped(parks: bool) -> None:
    async def stream() -> None:
        handler.write("a")
        with pytest.raises(StreamClosedError):
            await handler.flush()
        handler.write("b")
        with pytest.raises(StreamClosedError):
            handler.flush()
        with pytest.raises(StreamClosedError):
            handler.finish("c")

    record = Record()
    with after_departure(record, parks) as handler:
        IOLoop.current().run_sync(stream)
    assert (record.left, record.finished) == (1, [200])


def test_callback_may_flush_to_a_client_that_has_left(parks: bool) -> None:
    def stream() -> None:
        # Nothing is raised, and so nothing is logged: a client that leaves is no error.
        handler.write("a")
        futures.append(handler.flush())
        handler.write("b")
        futures.append(handler.flush())
        handler.finish()
        done.set()

    record, done, futures = Record(), threading.Event(), list[Any]()
    with after_departure(record, parks) as handler:
        IOLoop.current().add_callback(stream)
        assert done.wait(BOUND)
    assert [type(future.exception()) for future in futures] == [StreamClosedError] * 2
    assert (record.left, record.finished) == (1, [200])


# Threads


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda h: h.write("x"), id="write"),
        pytest.param(lambda h: h.flush(), id="flush"),
        pytest.param(lambda h: h.finish("x"), id="finish"),
        pytest.param(lambda h: h.redirect("/"), id="redirect"),
    ],
)
def test_output_from_a_wrong_thread_is_refused_with_the_way_out(
    parks: bool, act: Callable[[Recorded], object]
) -> None:
    async def get(handler: Recorded) -> None:
        handlers.append(handler)
        record.begun.set()
        await record.gate.wait()

    record, handlers = Record(), list[Recorded]()
    with one_request(get, record, parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        with pytest.raises(RuntimeError, match=r"IOLoop\.current\(\)\.add_callback"):
            act(handlers[0])
        IOLoop.current().add_callback(handlers[0].finish, "the way out")
        assert exchange.read_all() == b"the way out"
        record.gate.set()


# Responses of special kinds


async def in_two_parts(handler: Recorded) -> None:
    await pause()
    handler.write("ab")
    await handler.flush()
    handler.write("cd")


def test_head_of_a_stream_has_its_length_and_no_body(parks: bool) -> None:
    asked = ask(in_two_parts, parks, method="HEAD")
    assert (asked.status, asked.body) == (200, b"")
    assert asked.headers["Content-Length"] == "4"


def test_head_that_fails_after_a_flush_is_a_500(parks: bool) -> None:
    async def head(handler: Recorded) -> None:
        await in_two_parts(handler)
        raise ZeroDivisionError

    with ExpectLog(APPLICATION, UNCAUGHT):
        asked = ask(head, parks, method="HEAD")
    assert (asked.status, asked.body, asked.record.finished) == (500, b"", [500])


@pytest.mark.parametrize("is_flushed", [False, True], ids=["at once", "flushed"])
@pytest.mark.parametrize("status", [204, 304])
def test_status_without_body_has_none(
    parks: bool, status: int, is_flushed: bool
) -> None:
    async def get(handler: Recorded) -> None:
        handler.set_status(status)
        await pause()
        if is_flushed:
            await handler.flush()

    asked = ask(get, parks)
    assert (asked.status, asked.body) == (status, b"")
    assert set(asked.headers) == {"X-Own"}


def test_etag_is_made_and_compared(parks: bool) -> None:
    async def get(handler: Recorded) -> None:
        await pause()
        handler.write("tagged")

    etag = ask(get, parks).headers["Etag"]
    asked = ask(get, parks, headers=[("If-None-Match", etag)])
    assert (asked.status, asked.body) == (304, b"")


@pytest.mark.parametrize("length", [3, 5], ids=["too short", "too long"])
def test_wrong_length_is_never_sent_as_right(parks: bool, length: int) -> None:
    async def get(handler: Recorded) -> None:
        handler.set_header("Content-Length", length)
        await in_two_parts(handler)

    with breaking_off():
        ask(get, parks)


def test_right_length_is_sent(parks: bool) -> None:
    async def get(handler: Recorded) -> None:
        handler.set_header("Content-Length", 4)
        await in_two_parts(handler)

    asked = ask(get, parks)
    assert (asked.body, asked.headers["Content-Length"]) == (b"abcd", "4")
