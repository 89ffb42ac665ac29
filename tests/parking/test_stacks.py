"""Every answer through every stack of middleware, on servers that park and others."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.loops import BOUND
from tests.parking.server import BrokenAnswer, Exchange, ParkingServer
from tests.parking.stacks import (
    STACKS,
    Record,
    Recorded,
    pause,
    tasks_left,
)
from wsgitornado import parked
from wsgitornado.httputil import HTTPOutputError
from wsgitornado.parked import ParkedResponse
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application

UNCAUGHT = ("wsgitornado.application", "Uncaught exception GET /")
TOO_LATE = ("wsgitornado.general", "Cannot send error response after headers")

#: The stacks that hand on what can be parked, with its key.
TRANSPARENT = ("none", "header-adding")


class Short(Recorded):
    async def get(self) -> None:
        await pause()
        self.write("short")


class Streamed(Recorded):
    async def get(self) -> None:
        for text in ("one;", "two;", "end"):
            self.write(text)
            await self.flush()
            await pause()


class Fails(Recorded):
    async def get(self) -> None:
        self.write("never seen")
        await pause()
        raise ZeroDivisionError("before output")


class Breaks(Recorded):
    async def get(self) -> None:
        self.write("begun;")
        await self.flush()
        self.write("never seen")
        raise ZeroDivisionError("after output")


class Endless(Recorded):
    """Streams as long as somebody takes it, once it is let go on."""

    begins_with_output = False

    async def get(self) -> None:
        try:
            if self.begins_with_output:
                self.write("begun;")
                await self.flush()
            self.record.begun.set()
            await self.record.gate.wait()
            while True:
                self.write("more;")
                await self.flush()
        finally:
            self.record.ended.set()


class EndlessFromTheStart(Endless):
    begins_with_output = True


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(params=["parking", "blocking"])
def parks(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "parking")


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How often each response has learned that nobody takes any more."""
    closed: Counter[int] = Counter()
    kept = []
    leave = ParkedResponse._leave

    def count(self: ParkedResponse) -> None:
        kept.append(self)  # so that no other gets its id
        closed[id(self)] += 1
        leave(self)

    monkeypatch.setattr(ParkedResponse, "_leave", count)
    monkeypatch.setattr(parked, "PROBE_INTERVAL", 0.01)
    return closed


@pytest.fixture
def ask(
    stack: str, parks: bool, record: Record, closed: Counter[int]
) -> Iterator[Callable[[type[Recorded]], Exchange]]:
    """Sends a request to a handler; at the end nothing may be left of it."""

    def ask(handler: type[Recorded]) -> Exchange:
        rules: list[Any] = [("/", handler, {"record": record})]
        application = Application(rules, log_function=record.log)
        server = ParkingServer(STACKS[stack](application), parks=parks)
        # When the test is over its threads must be free.
        ended.callback(server.close)
        exchange = server.request()
        exchanges.append(exchange)
        return exchange

    exchanges: list[Exchange] = []
    with contextlib.ExitStack() as ended:
        yield ask
    assert exchanges[0].over.is_set()
    assert tasks_left() == set()
    assert list(closed.values()) == [1]
    assert len(record.finished) == 1
    assert record.logged == record.finished


def check_start(exchange: Exchange, stack: str, parks: bool) -> None:
    """``start_response`` was called once, in the right thread, through the stack."""
    is_parked = parks and stack in TRANSPARENT
    assert exchange.is_parked == is_parked
    assert len(exchange.started_in) == 1
    of_loop = exchange.started_in[0] == "wsgitornado-loop"
    assert of_loop == is_parked
    names = Counter(name for name, _ in exchange.headers)
    assert names["X-Own"] == 1
    assert names["X-Added"] == (stack == "header-adding")


@pytest.mark.parametrize(
    ("handler", "body", "has_length"),
    [
        pytest.param(Short, b"short", True, id="short"),
        pytest.param(Streamed, b"one;two;end", False, id="streamed"),
    ],
)
def test_answer_arrives_whole(
    ask: Any,
    handler: type[Recorded],
    body: bytes,
    has_length: bool,
    stack: str,
    parks: bool,
    record: Record,
) -> None:
    exchange = ask(handler)
    assert exchange.read_all() == body
    assert exchange.over.wait(BOUND)
    assert exchange.status == "200 OK"
    assert ("Content-Length" in dict(exchange.headers)) == has_length
    assert exchange.failure is None
    check_start(exchange, stack, parks)
    assert (record.left, record.finished) == (0, [200])


def test_failure_before_output_is_an_error_page(
    ask: Any, stack: str, parks: bool, record: Record
) -> None:
    with ExpectLog(*UNCAUGHT) as log:
        exchange = ask(Fails)
        body = exchange.read_all()
    assert exchange.over.wait(BOUND)
    assert exchange.status == "500 Internal Server Error"
    assert b"500: Internal Server Error" in body
    assert b"never seen" not in body
    check_start(exchange, stack, parks)
    assert (record.left, record.finished, log.matched) == (0, [500], 1)


def test_failure_after_output_breaks_the_answer_off(
    ask: Any, stack: str, parks: bool, record: Record
) -> None:
    begun = b"" if stack == "buffering" else b"begun;"
    with ExpectLog(*UNCAUGHT) as log, ExpectLog(*TOO_LATE) as late:
        exchange = ask(Breaks)
        if begun:
            assert exchange.read() == begun
        with pytest.raises(BrokenAnswer):
            exchange.read()
    assert exchange.over.wait(BOUND)
    assert isinstance(exchange.failure, HTTPOutputError)
    if begun:
        check_start(exchange, stack, parks)
    assert (record.left, record.finished) == (0, [200])
    assert (log.matched, late.matched) == (1, 1)


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(Endless, id="before the first chunk"),
        pytest.param(EndlessFromTheStart, id="mid-stream"),
    ],
)
def test_client_that_leaves_is_noticed_once(
    ask: Any, handler: type[Endless], stack: str, record: Record
) -> None:
    exchange = ask(handler)
    if handler.begins_with_output and stack != "buffering":
        assert exchange.read() == b"begun;"
    assert record.begun.wait(BOUND)
    exchange.leave()
    if stack != "environ-stripping":
        # Otherwise the server cannot be asked, and a write has to fail.
        assert record.noticed.wait(BOUND)
        assert not record.ended.is_set(), "the handler goes on, as in Tornado"
    record.gate.set()
    assert record.ended.wait(BOUND)
    assert record.over.wait(BOUND)
    assert exchange.over.wait(BOUND)
    assert record.left == 1
    assert exchange.failure is None or isinstance(exchange.failure, ConnectionError)
