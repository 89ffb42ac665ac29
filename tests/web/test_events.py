"""Event streams: what is sent, who is told, and what a slow client may cost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import call, settle_loop
from wsgitornado import parking
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    EventSource,
    RequestHandler,
    StreamClosedError,
)


def serve(act: Any, **settings: Any) -> Application:
    class Stream(RequestHandler):
        async def get(self) -> None:
            await act(self)

    return Application([("/", Stream)], **settings)


def stream_of(*events: Any, **options: Any) -> str:
    """What a client gets of these calls of ``send``."""

    async def act(handler: RequestHandler) -> None:
        async with EventSource(handler, **options) as source:
            for args, kwargs in events:
                await source.send(*args, **kwargs)

    return call(serve(act)).text


def test_headers_are_those_of_an_event_stream() -> None:
    async def act(handler: RequestHandler) -> None:
        async with EventSource(handler):
            pass

    answer = call(serve(act))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in answer.headers


@pytest.mark.parametrize(
    ("args", "kwargs", "expected"),
    [
        (("one",), {}, "data: one\n\n"),
        (("",), {}, "data: \n\n"),
        (("a\nb\r\nc\rd",), {}, "data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (({"a": "</"},), {}, 'data: {"a": "<\\/"}\n\n'),
        (("x",), {"event": "tick", "id": 5}, "event: tick\nid: 5\ndata: x\n\n"),
        (("é",), {}, "data: é\n\n"),
    ],
    ids=["text", "nothing", "lines of every kind", "dict", "type and id", "unicode"],
)
def test_event_is_written_as_the_standard_has_it(
    args: tuple[Any], kwargs: dict[str, Any], expected: str
) -> None:
    assert stream_of((args, kwargs)) == expected


@pytest.mark.parametrize(
    "kwargs",
    [{"event": "a\nb"}, {"id": "a\rb"}, {"id": "a\0b"}, {"event": "x\r\ndata: y"}],
    ids=["type", "id", "null in id", "another field"],
)
def test_line_end_in_a_field_is_refused(kwargs: dict[str, Any]) -> None:
    async def act(handler: RequestHandler) -> None:
        source = EventSource(handler)
        with pytest.raises(ValueError, match="is one line"):
            await source.send("x", **kwargs)
        await source.send("after")
        source.close()

    assert call(serve(act)).text == "data: after\n\n"


def test_data_of_another_type_is_refused() -> None:
    async def act(handler: RequestHandler) -> None:
        source = EventSource(handler)
        with pytest.raises(TypeError, match="text or a dict"):
            await source.send(b"x")  # type: ignore[arg-type]  # asked for
        source.close()

    assert call(serve(act)).status_code == 200


def test_retry_comes_first_in_milliseconds() -> None:
    assert stream_of((("x",), {}), retry=1.5) == "retry: 1500\n\ndata: x\n\n"


def test_client_says_which_event_it_had_last() -> None:
    async def act(handler: RequestHandler) -> None:
        async with EventSource(handler) as source:
            await source.send(str(source.last_event_id))

    answer = call(serve(act), headers=[("Last-Event-ID", "41")])
    assert answer.text == "data: 41\n\n"
    assert call(serve(act)).text == "data: None\n\n"


def test_comment_is_passed_over_by_clients() -> None:
    async def act(handler: RequestHandler) -> None:
        async with EventSource(handler) as source:
            await source.comment("a\nb")

    assert call(serve(act)).text == ": a\n: b\n\n"


def test_quiet_stream_has_a_heart_that_beats() -> None:
    async def act(handler: RequestHandler) -> None:
        async with EventSource(handler, heartbeat=0.01) as source:
            beats = 0
            write = source._write

            def count(chunk: bytes) -> Any:
                nonlocal beats
                beats += 1
                return write(chunk)

            source._write = count  # type: ignore[method-assign]  # watched
            while beats < 3:
                await asyncio.sleep(0)

    text = call(serve(act)).text
    assert text.startswith(":\n\n" * 3)


def test_stream_that_was_closed_takes_nothing_more() -> None:
    async def act(handler: RequestHandler) -> None:
        source = EventSource(handler)
        await source.send("last")
        source.close()
        source.close()
        assert not source.is_open
        with pytest.raises(StreamClosedError):
            await source.send("x")
        with pytest.raises(StreamClosedError):
            source.push("x")

    assert call(serve(act)).text == "data: last\n\n"


def test_response_that_has_begun_cannot_become_a_stream() -> None:
    async def act(handler: RequestHandler) -> None:
        handler.write("x")
        await handler.flush()
        with pytest.raises(RuntimeError, match="the response has begun"):
            EventSource(handler)

    assert call(serve(act)).text == "x"


class Unread:
    """A stream whose client has taken the first chunk and then takes no more."""

    def __init__(self, application: Application) -> None:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "SERVER_NAME": "test",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
        }
        self.body: Any = application(environ, lambda *args: lambda data: None)
        self.iterator: Iterator[bytes] = iter(self.body)
        self.first = next(self.iterator)


def test_client_that_leaves_ends_the_stream_and_is_no_error() -> None:
    ends: list[str] = []

    async def act(handler: RequestHandler) -> None:
        source = EventSource(handler)
        try:
            async with source:
                while True:
                    await source.send("x")
        finally:
            ends.append(f"open: {source.is_open}")

    application = serve(act, max_event_streams=1)
    unread = Unread(application)
    unread.body.close()
    settle_loop()
    assert ends == ["open: False"]
    # And its place is free.
    Unread(application).body.close()
    settle_loop()


def test_client_that_is_too_slow_is_cut_off() -> None:
    done = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), parking.background_loop())
    done.result(5)
    pushed: list[int] = []

    async def act(handler: RequestHandler) -> None:
        async with EventSource(handler, max_unread=100) as source:
            for _ in range(2):
                source.push("x" * 40)
                pushed.append(1)
            with pytest.raises(StreamClosedError):
                source.push("x" * 40)

    unread = Unread(serve(act))
    with pytest.raises(Exception, match=r"closed the connection|broke off"):
        list(unread.iterator)
    unread.body.close()
    settle_loop()
    assert len(pushed) == 2


def test_more_streams_than_allowed_are_told_to_come_again() -> None:
    async def act(handler: RequestHandler) -> None:
        async with EventSource(handler) as source:
            await source.send("x")

    application = serve(act, max_event_streams=1)
    first = Unread(application)
    with ExpectLog("wsgitornado.general", r"503 GET / .*1 event streams are open"):
        answer = call(application)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert first.first + b"".join(first.iterator) == b"data: x\n\n"
    first.body.close()
    settle_loop()
    assert call(application).status_code == 200
