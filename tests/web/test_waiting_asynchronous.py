"""Handlers that return before they have answered: ``asynchronous``, and callbacks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.loops import BOUND
from tests.parking.asking import BOTH, application_of, ask, serving
from tests.parking.stacks import Record, Recorded, pause
from wsgitornado import gen
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.concurrent import Future
from wsgitornado.httputil.response import Response
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    HTTPError,
    RequestHandler,
    asynchronous,
    authenticated,
)

APPLICATION = "wsgitornado.application"
UNCAUGHT = "Uncaught exception GET /"

pytestmark = BOTH


def soon(callback: Callable[..., object], *args: object) -> None:
    IOLoop.current().add_callback(callback, *args)


# asynchronous


@asynchronous
def by_callback(handler: Any) -> None:
    assert threading.current_thread().name == "wsgitornado-loop"
    soon(handler.finish, "by a callback")


@asynchronous
def at_once(handler: Any) -> None:
    handler.finish("at once")


@asynchronous
@gen.coroutine
def by_coroutine(handler: Any) -> Any:
    handler.write("by ")
    yield pause()
    handler.write("a coroutine")


@asynchronous
async def by_native(handler: Any) -> None:
    await pause()
    handler.write("by a native one")


@asynchronous
@gen.coroutine
def that_finishes(handler: Any) -> Any:
    yield pause()
    handler.finish("by itself")


def fail(handler: Any) -> None:
    raise HTTPError(409)


@asynchronous
def by_old_callback(handler: Any) -> None:
    def done(first: str, second: str) -> None:
        handler.finish(first + second)

    soon(handler.async_callback(done, "one;", second="two"))


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        (by_callback, b"by a callback"),
        (at_once, b"at once"),
        (by_coroutine, b"by a coroutine"),
        (by_native, b"by a native one"),
        (that_finishes, b"by itself"),
        (by_old_callback, b"one;two"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_asynchronous_method_answers(parks: bool, verb: Any, body: bytes) -> None:
    asked = ask(verb, parks)
    assert (asked.status, asked.body) == (200, body)
    assert asked.record.finished == [200]


def test_async_callback_of_nothing_more_is_the_callback(parks: bool) -> None:
    def get(handler: Any) -> None:
        assert handler.async_callback(print) is print

    assert ask(get, parks).status == 200


def greet(handler: Any) -> None:
    soon(handler.finish, f"hello {handler.current_user}")


def greet_in_the_end(handler: Any) -> Any:
    yield pause()
    handler.write(f"hello {handler.current_user}")


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(authenticated(asynchronous(greet)), id="above"),
        pytest.param(asynchronous(authenticated(greet)), id="below"),
        pytest.param(
            authenticated(asynchronous(gen.coroutine(greet_in_the_end))),
            id="above a coroutine",
        ),
        pytest.param(
            asynchronous(authenticated(gen.coroutine(greet_in_the_end))),
            id="between",
        ),
    ],
)
@pytest.mark.parametrize("user", ["ada", None], ids=["a user", "nobody"])
def test_asynchronous_method_may_be_for_users_only(
    parks: bool, verb: Any, user: str | None
) -> None:
    class Known(Recorded):
        def get_current_user(self) -> str | None:
            return user

    asked = ask(verb, parks, base=Known, settings={"login_url": "/login"})
    if user:
        assert asked.body == b"hello ada"
    else:
        assert (asked.status, asked.headers["Location"]) == (302, "/login?next=%2F")


@pytest.mark.parametrize("value", ["text", 0, iter(())], ids=["str", "int", "iterator"])
def test_asynchronous_method_that_returns_anything_else_is_an_error(
    parks: bool, value: object
) -> None:
    @asynchronous
    def get(handler: Any) -> object:
        return value

    with ExpectLog(APPLICATION, UNCAUGHT):
        assert ask(get, parks).status == 500


@pytest.mark.parametrize("is_coroutine", [False, True], ids=["call", "coroutine"])
def test_asynchronous_method_that_fails_is_answered(
    parks: bool, is_coroutine: bool
) -> None:
    def get(handler: Any) -> None:
        raise ZeroDivisionError

    verb = asynchronous(gen.coroutine(get) if is_coroutine else get)
    with ExpectLog(APPLICATION, UNCAUGHT):
        assert ask(verb, parks).status == 500


def test_asynchronous_method_runs_after_an_asynchronous_prepare(parks: bool) -> None:
    class Prepared(Recorded):
        async def prepare(self) -> None:
            await pause()
            self.write("prepared;")

    assert ask(by_callback, parks, base=Prepared).body == b"prepared;by a callback"


@asynchronous
def never(handler: Any) -> None:
    handler.record.begun.set()


@pytest.mark.parametrize("cancels", [False, True], ids=["", "cancel_on_close"])
def test_client_that_leaves_a_callback_is_noticed(parks: bool, cancels: bool) -> None:
    record = Record()
    application = application_of(never, Recorded, record, cancel_on_close=cancels)
    with serving(application, parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        exchange.leave()
        assert record.over.wait(BOUND)
    assert (record.left, record.finished) == (1, [200])


def test_callback_may_finish_what_nobody_takes(parks: bool) -> None:
    @asynchronous
    def get(handler: Any) -> None:
        handlers.append(handler)
        handler.record.begun.set()

    def finish() -> None:
        handlers[0].finish("too late")
        done.set()

    record, handlers, done = Record(), list[Any](), threading.Event()
    with serving(application_of(get, Recorded, record), parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        exchange.leave()
        assert record.over.wait(BOUND)
        soon(finish)
        assert done.wait(BOUND)
    assert (record.left, record.finished) == (1, [200])


# Without a decorator


def test_plain_method_may_leave_the_end_to_a_callback(parks: bool) -> None:
    def get(handler: Any) -> None:
        handler._auto_finish = False
        IOLoop.current().call_later(0.001, handler.finish, "by a timer")

    asked = ask(get, parks)
    assert (asked.body, asked.record.finished) == (b"by a timer", [200])


def test_coroutine_may_leave_the_end_to_a_callback(parks: bool) -> None:
    async def get(handler: Any) -> None:
        handler._auto_finish = False
        await pause()
        handler.write("not yet;")
        IOLoop.current().call_later(0.001, handler.finish, "now")

    assert ask(get, parks).body == b"not yet;now"


@pytest.mark.parametrize("is_at_it", [False, True], ids=["after", "in the middle"])
def test_callback_may_come_while_the_request_is_being_parked(
    parks: bool, is_at_it: bool
) -> None:
    """On the loop it found that nothing was parked yet; then its response is late."""

    def get(handler: Any) -> None:
        handler._auto_finish = False
        handler._finished = is_at_it
        handlers.append(handler)

    def late(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        body = application(environ, start_response)
        handlers[0]._finished = True
        handlers[0]._response = Response("200 OK", [], [b"just now"])
        handlers[0]._end()
        return body

    record, handlers = Record(), list[Any]()
    application = application_of(get, Recorded, record)
    with serving(late, parks) as server:
        assert server.request().read_all() == b"just now"
    assert record.finished == [200]


# Handlers that execute themselves in their own way


class Executing(Recorded):
    async def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> None:
        await pause()
        self.write("executed;")
        await super()._execute(transforms, *args, **kwargs)


async def native(handler: Any) -> None:
    await pause()
    handler.write("verb")


@pytest.mark.parametrize(
    ("verb", "status", "body"),
    [
        pytest.param(lambda h: h.write("verb"), 200, b"executed;verb", id="plain"),
        pytest.param(native, 200, b"executed;verb", id="native"),
        pytest.param(
            gen.coroutine(greet_in_the_end), 200, b"executed;hello", id="decorated"
        ),
        pytest.param(by_callback, 200, b"executed;by a callback", id="asynchronous"),
        pytest.param(fail, 409, b"409", id="failing"),
    ],
)
def test_execution_may_be_a_coroutine(
    parks: bool, verb: Any, status: int, body: bytes
) -> None:
    asked = ask(verb, parks, base=Executing)
    assert asked.status == status
    assert body in asked.body
    assert asked.record.finished == [status]


# From elsewhere


class Waiting(RequestHandler):
    """A chat in small: everybody waits for what somebody says."""

    listeners: list[Waiting]

    @asynchronous
    def get(self) -> None:
        self.listeners.append(self)
        self.arrived.set()

    async def post(self) -> None:
        for listener in self.listeners:
            listener.finish(self.request.body)
        self.write(str(len(self.listeners)))

    arrived: threading.Event


def test_request_may_be_finished_by_another_one(parks: bool) -> None:
    Waiting.listeners, Waiting.arrived = [], threading.Event()
    with serving(Application([("/", Waiting)]), parks) as server:
        listener = server.request()
        assert Waiting.arrived.wait(BOUND)
        speaker = server.request(method="POST", body=b"hello")
        assert speaker.read_all() == b"1"
        assert listener.read_all() == b"hello"
    Waiting.listeners.clear()


def test_request_may_wait_for_the_future_of_another_thread(parks: bool) -> None:
    async def get(handler: Any) -> None:
        future: Future[str] = Future()
        futures.append(future)
        handler.record.begun.set()
        handler.write(await future)

    record, futures = Record(), list[Future[str]]()
    with serving(application_of(get, Recorded, record), parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        futures[0].set_result("from a thread")
        assert exchange.read_all() == b"from a thread"


def test_done_callback_of_a_threads_future_may_finish(parks: bool) -> None:
    @asynchronous
    def get(handler: Any) -> None:
        future: Future[str] = Future()
        future.add_done_callback(lambda done: handler.finish(done.result()))
        futures.append(future)
        handler.record.begun.set()

    record, futures = Record(), list[Future[str]]()
    with serving(application_of(get, Recorded, record), parks) as server:
        exchange = server.request()
        assert record.begun.wait(BOUND)
        futures[0].set_result("from a thread")
        assert exchange.read_all() == b"from a thread"
