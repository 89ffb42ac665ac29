"""Methods of a handler that wait: which thread runs each, and what goes along."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.loops import BOUND
from tests.parking.asking import BOTH, application_of, ask, serving
from tests.parking.server import BrokenAnswer
from tests.parking.stacks import Record, Recorded, pause
from wsgitornado import gen
from wsgitornado.concurrent import Future, chain_future
from wsgitornado.httputil import HTTPOutputError
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    Finish,
    HTTPError,
    StaticFileHandler,
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

    class Mixed(Mixin, Recorded):  # type: ignore[misc]  # as programs do
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


# Output of plain methods in between


def test_plain_verb_streams_through_the_servers_write(parks: bool) -> None:
    def get(handler: Any) -> None:
        for text in ("one;", "two;"):
            handler.write(text)
            # In a thread it returns when the reader has taken it.
            assert handler.flush().done()
        handler.write("end")

    asked = ask(get, parks, base=Prepared)
    assert asked.body == b"one;two;end"
    (thread,) = asked.exchange.started_in
    assert thread.startswith("server")


def test_output_of_loop_and_thread_comes_in_order(parks: bool) -> None:
    class Flushed(Recorded):
        def prepare(self) -> None:
            self.write("thread;")
            self.flush()

    @gen.coroutine
    def get(handler: Any) -> Any:
        handler.write("loop;")
        yield handler.flush()
        handler.write("end")

    assert ask(get, parks, base=Flushed).body == b"thread;loop;end"


def test_plain_verb_may_flush_what_a_coroutine_has_begun(parks: bool) -> None:
    class Begun(Recorded):
        async def prepare(self) -> None:
            self.write("loop;")
            await self.flush()

    def get(handler: Any) -> None:
        handler.write("thread;")
        handler.flush()
        handler.write("end")

    assert ask(get, parks, base=Begun).body == b"loop;thread;end"


def test_head_of_a_plain_stream_has_its_length(parks: bool) -> None:
    def head(handler: Any) -> None:
        handler.write("ab")
        handler.flush()
        handler.write("cd")

    asked = ask(head, parks, base=Prepared, method="HEAD")
    assert (asked.status, asked.body) == (200, b"")
    assert asked.headers["Content-Length"] == "4"


def test_head_that_was_flushed_before_it_waits_has_its_length(parks: bool) -> None:
    class Flushed(Recorded):
        def prepare(self) -> None:
            self.write("ab")
            self.flush()

    async def head(handler: Any) -> None:
        await pause()
        handler.write("cd")
        await handler.flush()

    asked = ask(head, parks, base=Flushed, method="HEAD")
    assert (asked.status, asked.body) == (200, b"")
    assert asked.headers["Content-Length"] == "4"


def test_plain_verb_that_fails_after_output_breaks_the_answer_off(parks: bool) -> None:
    def get(handler: Any) -> None:
        handler.write("begun;")
        handler.flush()
        raise ZeroDivisionError

    record = Record()
    with (
        ExpectLog(APPLICATION, UNCAUGHT),
        ExpectLog(GENERAL, TOO_LATE),
        serving(application_of(get, Prepared, record), parks) as server,
    ):
        exchange = server.request()
        assert exchange.read() == b"begun;"
        with pytest.raises(BrokenAnswer) as caught:
            exchange.read()
    assert isinstance(caught.value.args[0], HTTPOutputError)
    assert record.finished == [200]


def test_client_that_leaves_a_plain_stream_is_noticed(parks: bool) -> None:
    def get(handler: Any) -> None:
        handler.write("begun;")
        handler.flush()
        handler.record.begun.set()
        handler.write("more;")
        handler.flush()

    record = Record()
    with serving(application_of(get, Prepared, record), parks) as server:
        exchange = server.request()
        assert exchange.read() == b"begun;"
        assert record.begun.wait(BOUND)
        exchange.leave()
        assert record.over.wait(BOUND)
    assert (record.left, record.finished) == (1, [200])


def test_plain_verb_does_not_run_for_a_client_that_has_left(parks: bool) -> None:
    class Slow(Recorded):
        async def prepare(self) -> None:
            self.record.begun.set()
            await self.record.gate.wait()

    def get(handler: Any) -> None:
        handler.record.ended.set()

    record = Record()
    with serving(application_of(get, Slow, record), parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        exchange.leave()
        assert record.noticed.wait(BOUND)
        record.gate.set()
        assert record.over.wait(BOUND)
    assert not record.ended.is_set()
    assert (record.left, record.finished) == (1, [200])


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


# Handlers of the package


def prepared(handler: type[Any]) -> type[Any]:
    class Waiting(handler):  # type: ignore[misc]  # a class of the caller's
        async def prepare(self) -> None:
            await pause()

    return Waiting


@pytest.mark.parametrize(
    ("headers", "status"),
    [([], 200), ([("Range", "bytes=0-9")], 206), ([("If-None-Match", "*")], 304)],
    ids=["whole", "a part", "not modified"],
)
def test_file_after_an_asynchronous_prepare(
    parks: bool, headers: list[tuple[str, str]], status: int
) -> None:
    data = Path(__file__).read_bytes()
    arguments = {"path": str(Path(__file__).parent)}
    application = Application([(r"/(.*)", prepared(StaticFileHandler), arguments)])
    with serving(application, parks) as server:
        exchange = server.request(f"/{Path(__file__).name}", headers=headers)
        body = exchange.read_all()
    assert int(exchange.status[:3]) == status
    assert body == {200: data, 206: data[:10], 304: b""}[status]


def test_file_whose_verb_is_a_coroutine(parks: bool) -> None:
    class Counted(StaticFileHandler):
        async def get(self, path: str, include_body: bool = True) -> None:  # type: ignore[override]  # as programs written for Tornado do
            await super().get(path, include_body)
            ended.set()

    ended = threading.Event()
    arguments = {"path": str(Path(__file__).parent)}
    application = Application([(r"/(.*)", Counted, arguments)])
    with serving(application, parks) as server:
        exchange = server.request(f"/{Path(__file__).name}")
        assert exchange.read_all() == Path(__file__).read_bytes()
        assert ended.wait(BOUND)


def test_client_that_leaves_a_file_is_noticed(parks: bool, tmp_path: Path) -> None:
    class Recording(prepared(StaticFileHandler)):  # type: ignore[misc]  # as above
        def on_connection_close(self) -> None:
            told.append("left")

        def on_finish(self) -> None:
            told.append("finish")
            over.set()

    (tmp_path / "large").write_bytes(bytes(1_000_000))
    told, over = list[str](), threading.Event()
    arguments = {"path": str(tmp_path)}
    application = Application([(r"/(.*)", Recording, arguments)])
    with serving(application, parks) as server:
        exchange = server.request("/large")
        assert exchange.read()
        exchange.leave()
        assert over.wait(BOUND)
    assert told == ["left", "finish"]


def test_page_after_an_asynchronous_prepare(parks: bool, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>{{ name }}</p>")

    def get(handler: Any) -> Any:
        return handler.render("page.html", name="ada")

    settings = {"template_path": str(tmp_path)}
    asked = ask(get, parks, base=Prepared, settings=settings)
    assert asked.body == b"<p>ada</p>"
