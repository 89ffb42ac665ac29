"""Bodies that come in parts, where a thread of the server reads them."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.loops import BOUND
from tests.parking.asking import BOTH, Asked, ask, serving
from tests.parking.stacks import Record, Recorded, pause
from wsgitornado import gen
from wsgitornado.parked import RECEIVE
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    Finish,
    HTTPError,
    RequestHandler,
    stream_request_body,
)

GENERAL = "wsgitornado.general"

MEGABYTE = 1024 * 1024

#: A body without a length, on a server that undoes the chunks and knows the end.
CHUNKED: dict[str, Any] = {
    "HTTP_TRANSFER_ENCODING": "chunked",
    "wsgi.input_terminated": True,
}

pytestmark = BOTH


class Source:
    """A ``wsgi.input`` that makes what is read, and remembers how.

    :param size: how much comes.
    :param error: raised at the end, in place of it.
    """

    def __init__(self, size: int, error: Exception | None = None) -> None:
        self.left = size
        self.error = error
        self.asked: list[int] = []
        self.threads: set[str] = set()
        self.read_so_far = 0

    def read(self, size: int = -1) -> bytes:
        self.asked.append(size)
        self.threads.add(threading.current_thread().name.partition("_")[0])
        if not self.left and self.error is not None:
            raise self.error
        size = min(size, self.left)
        self.left -= size
        self.read_so_far += size
        return bytes(size)


@stream_request_body
class Counting(Recorded):
    """Counts the body, and tells in which order its methods were called."""

    def initialize(self, record: Record) -> None:  # type: ignore[override]  # each handler takes its own
        super().initialize(record)
        self.calls: list[str] = []
        self.count = 0
        self.threads: set[str] = set()

    def note(self, name: str) -> None:
        if self.calls[-1:] != [name]:
            self.calls.append(name)
        self.threads.add(threading.current_thread().name)

    def prepare(self) -> Any:
        self.note("prepare")

    def data_received(self, chunk: bytes) -> Any:
        self.note("data")
        assert type(chunk) is bytes
        assert chunk
        self.count += len(chunk)

    def on_connection_close(self) -> None:
        self.note("left")
        super().on_connection_close()


def answer(handler: Counting) -> None:
    handler.note("verb")
    assert handler.request.body == b""
    assert handler.request.arguments == {}
    handler.write(f"{handler.count} {' '.join(handler.calls)}")
    handler.record.ended.set()


def upload(
    parks: bool,
    source: Any,
    length: int | None,
    base: type[Counting] = Counting,
    verb: Callable[[Any], object] = answer,
    settings: dict[str, Any] | None = None,
    **environ: Any,
) -> Asked:
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    environ["wsgi.input"] = source
    return ask(verb, parks, base=base, method="POST", settings=settings, **environ)


# All of it


def test_large_body_goes_through_in_small_parts(parks: bool) -> None:
    source = Source(200 * MEGABYTE)
    size = source.left
    asked = upload(parks, source, size, settings={"max_body_size": size})
    assert asked.body == f"{size} prepare data verb".encode()
    assert max(source.asked) <= 64 * 1024
    assert sum(source.asked) == size, "never asked for more than was declared"
    assert source.threads == {"server"}


def test_all_methods_are_called_on_the_loop(parks: bool) -> None:
    def verb(handler: Counting) -> None:
        answer(handler)
        handler.finish(f" {handler.threads}")

    asked = upload(parks, Source(10), 10, verb=verb)
    assert asked.body == b"10 prepare data verb {'wsgitornado-loop'}"


def test_body_arrives_byte_for_byte(parks: bool) -> None:
    class Parts:
        def __init__(self) -> None:
            self.parts = [bytes([n % 256]) * (n % 7 + 1) for n in range(300)]
            self.data = b"".join(self.parts)

        def read(self, size: int = -1) -> bytes:
            # As from a socket: less than what was asked for.
            return self.parts.pop(0)[:size] if self.parts else b""

    class Hashing(Counting):
        def data_received(self, chunk: bytes) -> None:
            super().data_received(chunk)
            self.hash = getattr(self, "hash", hashlib.sha1())
            self.hash.update(chunk)

    def verb(handler: Any) -> None:
        handler.write(handler.hash.hexdigest())

    source = Parts()
    asked = upload(parks, source, len(source.data), Hashing, verb)
    assert asked.body == hashlib.sha1(source.data).hexdigest().encode()


def test_next_part_is_read_when_the_handler_is_ready_for_it(parks: bool) -> None:
    class Slow(Counting):
        async def data_received(self, chunk: bytes) -> None:
            super().data_received(chunk)
            for _ in range(3):
                assert source.read_so_far == self.count
                await pause()

    source = Source(MEGABYTE)
    asked = upload(parks, source, MEGABYTE, Slow)
    assert asked.body == f"{MEGABYTE} prepare data verb".encode()


def test_methods_may_be_coroutines_of_any_kind(parks: bool) -> None:
    class Waiting(Counting):
        async def prepare(self) -> None:
            await pause()
            super().prepare()

        @gen.coroutine
        def data_received(self, chunk: bytes) -> Any:
            yield pause()
            super().data_received(chunk)

    async def verb(handler: Any) -> None:
        await pause()
        answer(handler)

    asked = upload(parks, Source(100_000), 100_000, Waiting, verb)
    assert asked.body == b"100000 prepare data verb"


@pytest.mark.parametrize("length", [None, 0], ids=["no length", "length 0"])
def test_request_without_a_body_has_no_parts(parks: bool, length: int | None) -> None:
    source = Source(100)
    assert upload(parks, source, length).body == b"0 prepare verb"
    assert source.asked == []


def test_chunked_body_ends_where_its_server_says(parks: bool) -> None:
    source = Source(150_000)
    asked = upload(
        parks,
        source,
        None,
        **CHUNKED,
    )
    assert asked.body == b"150000 prepare data verb"


def test_server_may_hand_the_body_over_itself(parks: bool) -> None:
    async def receive() -> bytes:
        await pause()
        return parts.pop(0) if parts else b""

    parts = [b"one", b"two"]
    source = Source(0)
    environ: dict[str, Any] = {RECEIVE: receive}
    asked = upload(parks, source, 6, **environ)
    assert asked.body == b"6 prepare data verb"
    assert source.asked == []


# Less than all of it


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(lambda: Source(70_000), id="ends early"),
        pytest.param(lambda: Source(70_000, OSError("reset")), id="raises"),
        pytest.param(lambda: Source(0), id="nothing comes"),
    ],
)
def test_body_that_breaks_off_is_told_once(parks: bool, source: Any) -> None:
    source = source()
    with ExpectLog(GENERAL, r"400 POST / \(127.0.0.1\): ") as log:
        asked = upload(parks, source, 100_000)
    assert (asked.status, asked.record.finished) == (400, [400])
    assert asked.record.left == 1
    assert not asked.record.ended.is_set(), "the verb does not run"
    assert (log.matched, log.logged_stack) == (1, False)


@pytest.mark.parametrize("size", [999, 1000, 1001])
def test_length_counts_against_the_limit_at_once(parks: bool, size: int) -> None:
    source = Source(size)
    if size <= 1000:
        asked = upload(parks, source, size, settings={"max_body_size": 1000})
        assert asked.status == 200
        return
    with ExpectLog(GENERAL, "413 POST /"):
        asked = upload(parks, source, size, settings={"max_body_size": 1000})
    assert (asked.status, asked.record.left) == (413, 0)
    assert source.asked == []
    assert not asked.record.ended.is_set()


@pytest.mark.parametrize("size", [1000, 1001])
def test_bytes_without_a_length_count_against_the_limit(parks: bool, size: int) -> None:
    settings = {"max_body_size": 1000}
    with ExpectLog(GENERAL, "413 POST /", required=size > 1000):
        asked = upload(parks, Source(size), None, settings=settings, **CHUNKED)
    assert asked.status == (413 if size > 1000 else 200)
    assert asked.record.left == 0


def test_prepare_may_set_a_limit_of_its_own(parks: bool) -> None:
    class Generous(Counting):
        def prepare(self) -> None:
            super().prepare()
            self.request.connection.set_max_body_size(2000)

    settings = {"max_body_size": 1000}
    asked = upload(parks, Source(2000), 2000, Generous, settings=settings)
    assert asked.body == b"2000 prepare data verb"
    with ExpectLog(GENERAL, "413 POST /"):
        asked = upload(parks, Source(2001), 2001, Generous, settings=settings)
    assert asked.status == 413


@pytest.mark.parametrize(
    ("length", "environ", "status"),
    [
        pytest.param("x", {}, 400, id="no number"),
        pytest.param("-1", {}, 400, id="negative"),
        pytest.param(None, {"HTTP_TRANSFER_ENCODING": "chunked"}, 501, id="coding"),
    ],
)
def test_body_whose_end_nobody_knows_is_refused(
    parks: bool, length: str | None, environ: dict[str, Any], status: int
) -> None:
    source = Source(100)
    if length is not None:
        environ = {**environ, "CONTENT_LENGTH": length}
    with ExpectLog(GENERAL, f"{status} POST /"):
        asked = upload(parks, source, None, **environ)
    assert (asked.status, asked.record.left, source.asked) == (status, 0, [])


# The handler ends it


@pytest.mark.parametrize("is_coroutine", [False, True], ids=["plain", "coroutine"])
@pytest.mark.parametrize(
    ("act", "status", "body"),
    [
        pytest.param(lambda h: h.finish("enough"), 200, b"enough", id="finish"),
        pytest.param(lambda h: fail(Finish("enough")), 200, b"enough", id="Finish"),
        pytest.param(lambda h: fail(HTTPError(403)), 403, b"403", id="HTTPError"),
        pytest.param(lambda h: h.redirect("/x"), 302, b"", id="redirect"),
    ],
)
@pytest.mark.parametrize("where", ["prepare", "data_received"])
def test_handler_may_end_the_upload(
    parks: bool, is_coroutine: bool, act: Any, status: int, body: bytes, where: str
) -> None:
    def hook(self: Counting, *args: bytes) -> Any:
        self.record.begun.set()
        return later(self) if is_coroutine else act(self)

    async def later(self: Counting) -> None:
        await pause()
        act(self)

    source = Source(10 * MEGABYTE)
    asked = upload(
        parks, source, source.left, type("Ending", (Counting,), {where: hook})
    )
    assert asked.status == status
    assert body in asked.body
    assert (asked.record.finished, asked.record.left) == ([status], 0)
    assert not asked.record.ended.is_set()
    assert source.read_so_far == {"prepare": 0, "data_received": 64 * 1024}[where]


def fail(error: Exception) -> None:
    raise error


def test_failing_data_received_is_answered(parks: bool) -> None:
    class Failing(Counting):
        def data_received(self, chunk: bytes) -> None:
            raise ZeroDivisionError

    with ExpectLog("wsgitornado.application", "Uncaught exception POST /"):
        asked = upload(parks, Source(10), 10, Failing)
    assert (asked.status, asked.record.left) == (500, 0)


def test_handler_without_data_received_is_told_to_have_one(parks: bool) -> None:
    @stream_request_body
    class Incomplete(Recorded):
        pass

    with ExpectLog("wsgitornado.application", "Uncaught exception POST /") as log:
        asked = upload(parks, Source(10), 10, Incomplete, pause_verb)  # type: ignore[arg-type]  # the mistake
    assert asked.status == 500
    assert log.matched == 1


async def pause_verb(handler: Any) -> None:
    await pause()


def test_data_received_may_only_return_what_is_awaited(parks: bool) -> None:
    class Odd(Counting):
        def data_received(self, chunk: bytes) -> Any:
            return len(chunk)

    with ExpectLog("wsgitornado.application", "Uncaught exception POST /"):
        assert upload(parks, Source(10), 10, Odd).status == 500


# The client leaves, or another comes


def test_client_that_leaves_while_the_handler_waits(parks: bool) -> None:
    class Slow(Counting):
        async def data_received(self, chunk: bytes) -> None:
            self.record.begun.set()
            await self.record.gate.wait()

    record = Record()
    handler = type("Handler", (Slow,), {"post": answer})
    application = Application([("/", handler, {"record": record})])
    with serving(application, parks) as server:
        environ: dict[str, Any] = {"wsgi.input": Source(100_000)}
        exchange = server.request(method="POST", CONTENT_LENGTH="100000", **environ)
        assert record.begun.wait(BOUND)
        exchange.leave()
        assert record.noticed.wait(BOUND)
        record.gate.set()
        assert record.over.wait(BOUND)
    assert (record.left, record.finished) == (1, [200])
    assert not record.ended.is_set(), "the verb does not run"


def test_uploads_beside_each_other_do_not_mix(parks: bool) -> None:
    @stream_request_body
    class Echo(RequestHandler):
        def prepare(self) -> None:
            self.parts: list[bytes] = []

        async def data_received(self, chunk: bytes) -> None:
            self.parts.append(chunk)
            await asyncio.sleep(0.001)

        def post(self) -> None:
            self.write(b"".join(self.parts))

    with serving(Application([("/", Echo)]), parks, threads=4) as server:
        bodies = [bytes([n]) * 100_000 for n in range(4)]
        exchanges = [server.request(method="POST", body=body) for body in bodies]
        assert [exchange.read_all() for exchange in exchanges] == bodies


@pytest.mark.parametrize("thing", [object, print, 1], ids=["class", "function", "int"])
def test_only_handlers_stream_their_bodies(parks: bool, thing: Any) -> None:
    with pytest.raises(TypeError, match="expected subclass of RequestHandler"):
        stream_request_body(thing)
