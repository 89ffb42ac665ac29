"""Private names of handlers that programs lean on: read, written, overridden."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.support import Answer, call
from wsgitornado import gen
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, OutputTransform, RequestHandler


def answer(base: type[RequestHandler] = RequestHandler, **attributes: Any) -> Answer:
    """What a handler with these attributes sends."""
    handler = type("Handler", (base,), attributes)
    return call(Application([("/", handler)], transforms=[Shouting]), "/")


class Shouting(OutputTransform):
    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        return status_code, headers, chunk.upper()

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        return chunk.upper()


# State


def test_state_is_told_from_beginning_to_end() -> None:
    seen: list[object] = []

    def get(handler: Any) -> None:
        def note() -> None:
            seen.append((handler._headers_written, handler._finished))

        note()
        handler.write("a")
        handler.flush()
        note()
        handler.finish()
        note()

    assert answer(get=get).text == "A"
    assert seen == [(False, False), (True, False), (True, True)]


def test_status_is_read_and_written() -> None:
    def get(handler: Any) -> None:
        assert (handler._status_code, handler._reason) == (200, "OK")
        handler.set_status(404)
        assert (handler._status_code, handler._reason) == (404, "Not Found")
        handler._status_code = 418
        handler._reason = "Short and stout"
        assert handler.get_status() == 418

    assert answer(get=get).status == "418 Short and stout"


def test_status_that_is_written_is_that_of_the_log() -> None:
    seen: list[int] = []

    def get(handler: Any) -> None:
        handler._status_code = 201

    answer(get=get, on_finish=lambda handler: seen.append(handler._status_code))
    assert seen == [201]


def test_headers_are_read_and_changed_in_place() -> None:
    def get(handler: Any) -> None:
        assert handler._headers["Content-Type"] == "text/html; charset=UTF-8"
        handler.set_header("X-One", "1")
        assert "x-one" in handler._headers
        handler._headers["X-Two"] = "2"
        handler._headers.add("X-Two", "3")
        del handler._headers["X-One"]

    headers = answer(get=get).headers
    assert "X-One" not in headers
    assert headers.get_list("X-Two") == ["2", "3"]


def test_headers_are_replaced() -> None:
    def get(handler: Any) -> None:
        handler._headers = HTTPHeaders({"Content-Type": "text/plain", "X-One": "1"})
        handler.set_header("X-Two", "2")
        handler.write("text")

    sent = answer(get=get)
    assert sent.headers["Content-Type"] == "text/plain"
    assert (sent.headers["X-One"], sent.headers["X-Two"]) == ("1", "2")


def test_transforms_are_seen_and_switched_off() -> None:
    def get(handler: Any) -> None:
        assert [type(transform) for transform in handler._transforms] == [Shouting]
        handler._transforms = []
        handler.write("quiet")

    assert answer(get=get).text == "quiet"


def test_transforms_are_switched_off_for_a_stream() -> None:
    async def get(handler: Any) -> None:
        handler._transforms = []
        handler.write("one ")
        await handler.flush()
        handler.write("two")

    assert answer(get=get).text == "one two"


@pytest.mark.parametrize("place", ["class", "verb"])
def test_handler_finishes_itself_where_auto_finish_is_off(place: str) -> None:
    def get(handler: Any) -> None:
        assert handler._auto_finish is (place == "verb")
        handler._auto_finish = False
        IOLoop.current().add_callback(handler.finish, "later")

    attributes: dict[str, Any] = {"_auto_finish": False} if place == "class" else {}
    assert answer(get=get, **attributes).text == "LATER"


# The user


def test_user_is_not_there_before_somebody_asks() -> None:
    def get(handler: Any) -> None:
        assert not hasattr(handler, "_current_user")
        assert getattr(handler, "_current_user", None) is None
        assert handler.current_user == "ada"
        assert handler._current_user == "ada"
        handler.write("done")

    assert answer(get=get, get_current_user=lambda handler: "ada").text == "DONE"


@pytest.mark.parametrize("user", ["bob", None])
def test_user_is_written_past_the_property(user: str | None) -> None:
    def prepare(handler: Any) -> None:
        handler._current_user = user

    def get(handler: Any) -> None:
        handler.write(repr(handler.current_user))

    def get_current_user(handler: Any) -> None:
        raise AssertionError("the user is known")

    sent = answer(get=get, prepare=prepare, get_current_user=get_current_user)
    assert sent.text == repr(user).upper()


def test_user_is_asked_for_again_after_it_was_deleted() -> None:
    users = iter(["ada", "bob"])

    def get(handler: Any) -> None:
        handler.write(handler.current_user)
        del handler._current_user
        handler.write(handler.current_user)

    sent = answer(get=get, get_current_user=lambda handler: next(users))
    assert sent.text == "ADABOB"


# Methods


def test_summary_is_overridden_for_the_log() -> None:
    def get(handler: Any) -> None:
        assert super(type(handler), handler)._request_summary() == "GET / (127.0.0.1)"
        raise RuntimeError("a failure of the test")

    with ExpectLog("wsgitornado.application", "Uncaught exception a request\n"):
        sent = answer(get=get, _request_summary=lambda handler: "a request")
    assert sent.status_code == 500


def test_log_is_overridden_to_be_silent() -> None:
    logged: list[str] = []

    class Loud(RequestHandler):
        def get(self) -> None:
            self.write("loud")

    class Quiet(Loud):
        def _log(self) -> None:
            logged.append(f"own {self._status_code}")

    app = Application(
        [("/loud", Loud), ("/quiet", Quiet)],
        log_function=lambda handler: logged.append(handler.request.path),
    )
    assert call(app, "/loud").status_code == 200
    assert call(app, "/quiet").status_code == 200
    assert logged == ["/loud", "own 200"]


def test_log_that_is_called_writes_the_line() -> None:
    lines: list[str] = []

    def get(handler: Any) -> None:
        handler._log()
        handler.write("done")

    handler = type("Handler", (RequestHandler,), {"get": get})
    app = Application(
        [("/", handler)], log_function=lambda handler: lines.append("line")
    )
    call(app, "/")
    assert lines == ["line", "line"]


def _plain_execute(seen: list[str]) -> Callable[..., Any]:
    def _execute(self: Any, transforms: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append("before")
        return RequestHandler._execute(self, transforms, *args, **kwargs)

    return _execute


def _async_execute(seen: list[str]) -> Callable[..., Any]:
    async def _execute(self: Any, transforms: Any, *args: Any, **kwargs: Any) -> None:
        seen.append("before")
        await RequestHandler._execute(self, transforms, *args, **kwargs)

    return _execute


def _yielding_execute(seen: list[str]) -> Callable[..., Any]:
    @gen.coroutine
    def _execute(self: Any, transforms: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append("before")
        yield RequestHandler._execute(self, transforms, *args, **kwargs)

    return _execute


@pytest.mark.parametrize("make", [_plain_execute, _async_execute, _yielding_execute])
@pytest.mark.parametrize("is_async", [False, True], ids=["plain verb", "async verb"])
def test_execute_is_overridden(make: Any, is_async: bool) -> None:
    seen: list[str] = []

    def get(handler: Any, name: str) -> None:
        seen.append(name)
        handler.write(name)

    async def get_async(handler: Any, name: str) -> None:
        get(handler, name)

    handler = type(
        "Handler",
        (RequestHandler,),
        {"get": get_async if is_async else get, "_execute": make(seen)},
    )
    assert call(Application([("/(.*)", handler)]), "/ada").text == "ada"
    assert seen == ["before", "ada"]


# Futures of output


@pytest.mark.parametrize("method", ["flush", "finish"])
@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
def test_callback_is_called_when_output_is_taken(method: str, is_async: bool) -> None:
    taken = threading.Event()
    results: list[object] = []

    def note(future: Any) -> None:
        results.append(future.result())
        taken.set()

    def get(handler: Any) -> None:
        handler.write("a")
        getattr(handler, method)().add_done_callback(note)

    async def get_async(handler: Any) -> None:
        get(handler)

    assert answer(get=get_async if is_async else get).text == "A"
    assert taken.wait(10)
    assert results == [None]
