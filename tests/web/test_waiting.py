"""Methods of a handler that wait: which thread runs each, and what goes along."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.loops import BOUND
from tests.parking.asking import BOTH, application_of, ask, serving
from tests.parking.stacks import Record, Recorded, pause
from tests.support import settle_loop
from wsgitornado import gen, parked, parking
from wsgitornado.concurrent import Future, chain_future
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Finish,
    HTTPError,
    authenticated,
)

APPLICATION = "wsgitornado.application"
GENERAL = "wsgitornado.general"
UNCAUGHT = "Uncaught exception (GET|HEAD|POST) /"
TOO_LATE = "Cannot send error response after headers"

LOOP = "wsgitornado-loop"

pytestmark = BOTH

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="-")


def here() -> str:
    """The kind of thread that runs this."""
    return threading.current_thread().name.partition("_")[0]


class Prepared(Recorded):
    """Has a ``prepare`` that is waited for."""

    async def prepare(self) -> None:
        await pause()
        self.prepared_in = here()


# Threads


def test_plain_verb_after_an_asynchronous_prepare_is_back_in_a_thread(
    parks: bool,
) -> None:
    def get(handler: Any) -> None:
        handler.write(f"{handler.prepared_in} {here()}")

    assert ask(get, parks, base=Prepared).body == f"{LOOP} server".encode()


def test_plain_prepare_before_a_marked_verb_runs_in_a_thread(parks: bool) -> None:
    class Plain(Recorded):
        def prepare(self) -> None:
            self.prepared_in = here()

    @gen.coroutine
    def get(handler: Any) -> Any:
        begun_in = here()
        yield pause()
        handler.write(f"{handler.prepared_in} {begun_in} {here()}")

    assert ask(get, parks, base=Plain).body == f"server {LOOP} {LOOP}".encode()


def test_mark_of_a_mixin_counts(parks: bool) -> None:
    class Mixin:
        @gen.coroutine
        def prepare(self) -> None:
            self.prepared_in = here()

    class Mixed(Mixin, Recorded):
        pass

    def get(handler: Any) -> None:
        handler.write(f"{handler.prepared_in} {here()}")

    assert ask(get, parks, base=Mixed).body == f"{LOOP} server".encode()


def test_subclass_may_take_the_mark_back(parks: bool) -> None:
    class Marked(Recorded):
        @gen.coroutine
        def get(self) -> None:
            """Overridden below."""

    def get(handler: Any) -> None:
        handler.write(here())

    assert ask(get, parks, base=Marked).body == b"server"


def test_plain_verb_that_gives_an_awaitable_runs_in_a_thread(parks: bool) -> None:
    async def rest(handler: Any, begun_in: str) -> None:
        handler.write(f"{begun_in} {here()}")

    def get(handler: Any) -> Any:
        return rest(handler, here())

    assert ask(get, parks).body == f"server {LOOP}".encode()


def test_current_task_is_that_of_the_handler(parks: bool) -> None:
    async def get(handler: Any) -> None:
        task = asyncio.current_task()
        await pause()
        assert task is asyncio.current_task()
        handler.write(str(task is not None))

    assert ask(get, parks).body == b"True"


class Ready:
    def __await__(self) -> Any:
        yield from pause().__await__()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(pause, id="coroutine"),
        pytest.param(Ready, id="own class"),
        pytest.param(lambda: gen.sleep(0), id="gen.sleep"),
        pytest.param(lambda: gen.multi([pause(), pause()]), id="gen.multi"),
        pytest.param(
            lambda: chain(ThreadPoolExecutor(1).submit(bytes)), id="executor's future"
        ),
    ],
)
def test_any_awaitable_will_do(parks: bool, make: Any) -> None:
    def get(handler: Any) -> Any:
        handler.write("waited")
        return make()

    assert ask(get, parks).body == b"waited"


def chain(future: Any) -> Any:
    """A future that may be awaited for one of an executor."""
    chained: Future[Any] = Future()
    chain_future(future, chained)
    return chained


@pytest.mark.parametrize(
    "value",
    ["text", b"bytes", {"a": 1}, 0, iter(())],
    ids=["str", "bytes", "dict", "int", "generator"],
)
@pytest.mark.parametrize("base", [Recorded, Prepared], ids=["at once", "prepared"])
def test_return_value_that_is_no_awaitable_is_an_error(
    parks: bool, value: object, base: type[Recorded]
) -> None:
    def get(handler: Any) -> Any:
        return value

    with ExpectLog(APPLICATION, UNCAUGHT):
        asked = ask(get, parks, base=base)
    assert (asked.status, asked.record.finished) == (500, [500])


def test_server_whose_threads_stand_still_is_an_error(
    parks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no loop can run the coroutine is closed, and its request answered."""

    def refuse() -> None:
        raise RuntimeError("start it with --enable-threads")

    record = Record()
    application = application_of(lambda handler: pause(), Recorded, record)
    with serving(application, parks) as server:
        monkeypatch.setattr(parking, "background_loop", refuse)
        with ExpectLog(APPLICATION, UNCAUGHT) as log:
            exchange = server.request()
            assert b"500" in exchange.read_all()
        monkeypatch.undo()
    gc.collect()
    assert (record.finished, log.matched) == ([500], 1)


def test_plain_verb_does_not_run_when_its_turn_comes_too_late(parks: bool) -> None:
    """All threads are busy until the client has left."""

    def get(handler: Any) -> None:
        handler.record.ended.set()

    class Announced(Prepared):
        async def prepare(self) -> None:
            await self.record.gate.wait()
            self.record.begun.set()

    def be_busy() -> None:
        busy.set()
        over.wait(BOUND)

    record, busy, over = Record(), threading.Event(), threading.Event()
    with serving(application_of(get, Announced, record), parks, threads=1) as server:
        exchange = server.request()
        if parks:
            while not exchange.is_parked:
                settle_loop()
            server.threads.submit(be_busy)
            assert busy.wait(BOUND)
        else:
            while not parked.waiting():
                settle_loop()
            exchange.leave()
            assert record.noticed.wait(BOUND)
        record.gate.set()
        assert record.begun.wait(BOUND)
        settle_loop()
        if parks:
            exchange.leave()
            assert record.noticed.wait(BOUND)
        over.set()
        assert record.over.wait(BOUND)
    assert not record.ended.is_set()
    assert record.left == 1


# What goes along


def test_context_variables_go_along_both_ways(parks: bool) -> None:
    class Chain(Recorded):
        async def prepare(self) -> None:
            self.seen = [variable.get()]
            variable.set("of prepare")
            await pause()

        def on_finish(self) -> None:
            self.seen.append(variable.get())
            super().on_finish()

    def get(handler: Any) -> Any:
        handler.seen.append(variable.get())
        variable.set("of the verb")
        return rest(handler)

    async def rest(handler: Any) -> None:
        handlers.append(handler)
        handler.seen.append(variable.get())
        variable.set("of the rest")

    handlers: list[Any] = []
    ask(get, parks, base=Chain)
    assert handlers[0].seen == ["-", "of prepare", "of the verb", "of the rest"]
    assert variable.get() == "-"


def test_context_variables_of_requests_do_not_mix(parks: bool) -> None:
    async def get(handler: Any) -> None:
        mine = handler.request.path
        variable.set(mine)
        count.append(mine)
        if len(count) == 6:
            handler.record.gate.set()
        await handler.record.gate.wait()
        handler.write(f"{mine} {variable.get()}")

    count: list[str] = []
    application = application_of(get, Recorded, Record())
    with serving(application, parks, threads=6) as server:
        exchanges = {f"/{n}": server.request(f"/{n}") for n in range(6)}
        for path, exchange in exchanges.items():
            assert exchange.read_all() == f"{path} {path}".encode()


def test_user_that_an_asynchronous_prepare_has_found_counts(parks: bool) -> None:
    class Known(Recorded):
        async def prepare(self) -> None:
            await pause()
            self.current_user = "ada"

    @authenticated
    async def get(handler: Any) -> None:
        await pause()
        handler.write(handler.current_user)

    assert ask(get, parks, base=Known).body == b"ada"


def test_form_is_there_before_an_asynchronous_prepare(parks: bool) -> None:
    class Form(Recorded):
        async def prepare(self) -> None:
            await pause()
            self.name = self.get_body_argument("name")

    def post(handler: Any) -> None:
        handler.write(handler.name)

    asked = ask(
        post,
        parks,
        base=Form,
        method="POST",
        headers=[("Content-Type", "application/x-www-form-urlencoded")],
        body=b"name=ada",
    )
    assert asked.body == b"ada"


# How it ends


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        pytest.param(Finish(), 200, b"begun;", id="as it is"),
        pytest.param(Finish("end"), 200, b"begun;end", id="with a last chunk"),
        pytest.param(HTTPError(409), 409, b"409", id="HTTPError"),
    ],
)
@pytest.mark.parametrize("where", ["prepare", "verb"])
def test_finish_and_errors_end_a_coroutine(
    parks: bool, error: Exception, status: int, body: bytes, where: str
) -> None:
    async def fail(handler: Any) -> None:
        handler.write("begun;")
        await pause()
        raise error

    class Prepared(Recorded):
        async def prepare(self) -> None:
            if where == "prepare":
                await fail(self)

    asked = ask(fail, parks, base=Prepared)
    assert asked.status == status
    assert body in asked.body
    assert asked.record.finished == [status]


def test_prepare_that_finishes_spares_the_verb(parks: bool) -> None:
    class Finished(Recorded):
        async def prepare(self) -> None:
            await pause()
            self.finish("prepared")

    def get(handler: Any) -> None:
        handler.record.ended.set()

    asked = ask(get, parks, base=Finished)
    assert asked.body == b"prepared"
    assert not asked.record.ended.is_set()


def test_error_page_of_a_coroutine_may_be_the_programs_own(parks: bool) -> None:
    class Page(Recorded):
        def write_error(self, status_code: int, **kwargs: Any) -> None:
            self.finish(f"own page for {status_code}")

    async def get(handler: Any) -> None:
        await pause()
        raise HTTPError(418)

    asked = ask(get, parks, base=Page)
    assert (asked.status, asked.body) == (418, b"own page for 418")


def test_failing_on_finish_is_contained(parks: bool) -> None:
    class Failing(Recorded):
        def on_finish(self) -> None:
            super().on_finish()
            raise ZeroDivisionError

    async def get(handler: Any) -> None:
        await pause()
        handler.write("whole")

    with ExpectLog(APPLICATION, UNCAUGHT):
        assert ask(get, parks, base=Failing).body == b"whole"
