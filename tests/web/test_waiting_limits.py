"""How many requests may wait in threads: ordinary ones beside them live on."""

from __future__ import annotations

import gc
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from waitress.channel import HTTPChannel

from tests.loops import BOUND
from tests.parking.asking import application_of, serving
from tests.parking.server import Exchange, ParkingServer
from tests.parking.stacks import Record, Recorded, pause
from tests.support import make_environ, settle_loop
from wsgitornado import gen, parked
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, asynchronous

GENERAL = "wsgitornado.general"
REFUSED = r"503 GET /wait \(127.0.0.1\): 2 requests wait already.*max_waiting_requests"


class Waiting(Recorded):
    async def get(self) -> None:
        await self.record.gate.wait()
        self.write("waited")


class Ordinary(Recorded):
    def get(self) -> None:
        self.write("ordinary")


def application(record: Record, handler: Any = Waiting, **settings: Any) -> Application:
    arguments = {"record": record}
    rules: list[Any] = [("/wait", handler, arguments), ("/", Ordinary, arguments)]
    return Application(rules, log_function=record.log, **settings)


@pytest.fixture
def record() -> Record:
    return Record()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked, "PATIENCE", 0.01)


def wait_in_threads(server: ParkingServer, number: int) -> list[Exchange]:
    exchanges = [server.request("/wait") for _ in range(number)]
    while parked.waiting() < number:
        settle_loop()
    return exchanges


def read_together(exchanges: list[Exchange]) -> list[bytes]:
    with ThreadPoolExecutor(len(exchanges)) as clients:
        return list(clients.map(Exchange.read_all, exchanges))


@pytest.mark.usefixtures("impatient")
def test_request_beyond_the_limit_is_refused(record: Record) -> None:
    with serving(application(record, max_waiting_requests=2), False, 4) as server:
        within = wait_in_threads(server, 2)
        with ExpectLog(GENERAL, REFUSED) as log:
            beyond = server.request("/wait")
            body = beyond.read_all()
            assert log.matched == 1
        assert beyond.status == "503 Service Unavailable"
        assert b"503" in body
        assert dict(beyond.headers)["Retry-After"] == "1"
        assert server.request("/").read_all() == b"ordinary"
        assert parked.waiting() == 2
        record.gate.set()
        assert [exchange.read_all() for exchange in within] == [b"waited"] * 2
        assert server.request("/wait").read_all() == b"waited"
    assert parked.waiting() == 0
    assert sorted(record.finished) == sorted(record.logged) == [200] * 4 + [503]
    assert record.left == 0


def test_request_waits_a_moment_for_a_place(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parked, "PATIENCE", BOUND)
    with serving(application(record, max_waiting_requests=1), False, 4) as server:
        (first,) = wait_in_threads(server, 1)
        others = [server.request("/wait") for _ in range(3)]
        while len(parked._places._turns) < 3:
            settle_loop()
        record.gate.set()
        assert read_together([first, *others]) == [b"waited"] * 4
    assert record.finished == [200] * 4


def test_handlers_that_only_look_something_up_are_not_refused(record: Record) -> None:
    class Short(Recorded):
        async def get(self) -> None:
            await pause()
            self.write("short")

    limited = application(record, Short, max_waiting_requests=1)
    with serving(limited, False, 4) as server:
        exchanges = [server.request("/wait") for _ in range(100)]
        assert read_together(exchanges) == [b"short"] * 100
    assert record.finished == [200] * 100


def test_requests_that_are_parked_are_not_limited(record: Record) -> None:
    with serving(application(record, max_waiting_requests=1), True, 2) as server:
        exchanges = [server.request("/wait") for _ in range(5)]
        while not all(exchange.is_parked for exchange in exchanges):
            settle_loop()
        assert server.request("/").read_all() == b"ordinary"
        record.gate.set()
        assert [exchange.read_all() for exchange in exchanges] == [b"waited"] * 5


@asynchronous
def by_callback(handler: Any) -> None:
    raise AssertionError("it must not run")


@gen.coroutine
def by_coroutine(handler: Any) -> None:
    raise AssertionError("it must not run")


async def by_native(handler: Any) -> None:
    raise AssertionError("it must not run")


class Prepared(Recorded):
    prepare = by_native


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("verb", "base"),
    [
        pytest.param(by_native, Recorded, id="native coroutine"),
        pytest.param(by_coroutine, Recorded, id="gen.coroutine"),
        pytest.param(by_callback, Recorded, id="asynchronous"),
        pytest.param(lambda handler: None, Prepared, id="prepare"),
    ],
)
def test_refused_handler_never_begins(
    record: Record, verb: Any, base: type[Recorded]
) -> None:
    limited = application_of(verb, base, record, max_waiting_requests=0)
    with serving(limited, False) as server, ExpectLog(GENERAL, "503 GET /"):
        assert b"503" in server.request().read_all()
    assert record.finished == [503]
    # A coroutine that was never awaited would say so now.
    gc.collect()


@pytest.mark.usefixtures("impatient")
def test_refusal_may_have_a_page_of_the_programs_own(record: Record) -> None:
    class Page(Recorded):
        def write_error(self, status_code: int, **kwargs: Any) -> None:
            self.write("come ")
            self.flush()
            self.finish("back")

    limited = application_of(by_native, Page, record, max_waiting_requests=0)
    with serving(limited, False) as server, ExpectLog(GENERAL, "503 GET /"):
        exchange = server.request()
        assert exchange.read_all() == b"come back"
    assert dict(exchange.headers)["Retry-After"] == "1"


# How many threads a server has


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked, "server_threads", None)
    for name in ("mod_wsgi", "uwsgi"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def module(name: str, **attributes: Any) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(attributes)
    return made


class Channel(HTTPChannel):
    """waitress's connection, as far as we look at it."""

    def __init__(self, threads: int) -> None:
        adjustments = SimpleNamespace(threads=threads)
        self.server = SimpleNamespace(adj=adjustments)  # type: ignore[assignment]  # a stand-in


@pytest.mark.usefixtures("no_server")
@pytest.mark.parametrize(
    ("modules", "threads"),
    [
        pytest.param([], None, id="unknown"),
        pytest.param([module("mod_wsgi", threads_per_process=15)], 15, id="mod_wsgi"),
        pytest.param([module("mod_wsgi")], None, id="mod_wsgi without a number"),
        pytest.param([module("uwsgi", opt={"threads": b"8"})], 8, id="uWSGI"),
        pytest.param([module("uwsgi", opt={})], 1, id="uWSGI without threads"),
    ],
)
def test_threads_are_counted_where_the_server_tells(
    monkeypatch: pytest.MonkeyPatch, modules: list[ModuleType], threads: int | None
) -> None:
    for one in modules:
        monkeypatch.setitem(sys.modules, one.__name__, one)
    assert parked.known_threads({}) == threads


@pytest.mark.usefixtures("no_server")
def test_threads_of_waitress_are_known() -> None:
    probe = Channel(6).check_client_disconnected
    assert parked.known_threads({"waitress.client_disconnected": probe}) == 6


@pytest.mark.usefixtures("no_server")
def test_server_may_say_how_many_threads_it_has() -> None:
    assert parked.known_threads({parked.THREADS: 5}) == 5


def test_what_starts_the_server_knows_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked, "server_threads", 7)
    monkeypatch.setitem(sys.modules, "uwsgi", module("uwsgi", opt={"threads": 3}))
    assert parked.known_threads({}) == 7


@pytest.mark.usefixtures("no_server")
@pytest.mark.parametrize(
    ("threads", "settings", "limit"),
    [
        (None, {}, None),
        (4, {}, 3),
        (2, {}, 1),
        (1, {}, 1),
        (4, {"max_waiting_requests": 10}, 10),
        (None, {"max_waiting_requests": 0}, 0),
    ],
)
def test_one_thread_is_left_for_requests_that_do_not_wait(
    monkeypatch: pytest.MonkeyPatch,
    record: Record,
    threads: int | None,
    settings: dict[str, Any],
    limit: int | None,
) -> None:
    monkeypatch.setattr(parked, "server_threads", threads)
    limited = application(record, **settings)
    body: Any = limited(make_environ("/wait"), lambda *args: bytes)
    assert body._limit == limit
    body.close()
    assert record.over.wait(BOUND)


# The count


def test_thread_that_waits_within_its_waiting_counts_once() -> None:
    places = parked._Places()
    here, there = 1, 2
    assert places.take(here, 1)
    assert places.take(here, 1)
    places.leave(here)
    assert len(places) == 1
    assert places.has(here)
    places.leave(here)
    assert len(places) == 0
    assert places.take(there, 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this machine cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_counts_from_nothing(record: Record) -> None:
    with serving(application(record), False) as server:
        exchanges = wait_in_threads(server, 2)
        child = os.fork()
        if child == 0:
            os._exit(parked.waiting())
        _, status = os.waitpid(child, 0)
        record.gate.set()
        assert read_together(exchanges) == [b"waited"] * 2
    assert status == 0


def test_child_forgets_the_threads_of_its_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = parked._Places()
    monkeypatch.setattr(parked, "_places", places)
    assert places.take(1, None)
    assert parked.waiting() == 1
    parked._forget_after_fork()
    assert parked.waiting() == 0
