"""Plain methods beside those that wait: their output, files, pages."""

from __future__ import annotations

import contextvars
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.loops import BOUND
from tests.parking.asking import BOTH, application_of, ask, serving
from tests.parking.server import BrokenAnswer
from tests.parking.stacks import Record, Recorded, pause
from wsgitornado import gen
from wsgitornado.httputil import HTTPOutputError
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    StaticFileHandler,
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


@gen.coroutine
def decorated(handler: Any) -> Any:
    handler.write("loop;")
    yield handler.flush()
    handler.write("end")


async def native(handler: Any) -> None:
    handler.write("loop;")
    await handler.flush()
    handler.write("end")


@pytest.mark.parametrize("verb", [decorated, native], ids=lambda verb: verb.__name__)
def test_output_of_thread_and_loop_comes_in_order(parks: bool, verb: Any) -> None:
    class Flushed(Recorded):
        def prepare(self) -> None:
            self.write("thread;")
            self.flush()

    assert ask(verb, parks, base=Flushed).body == b"thread;loop;end"


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
        async def get(self, path: str, include_body: bool = True) -> None:
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
    class Recording(prepared(StaticFileHandler)):  # type: ignore[misc]  # it has no name
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
