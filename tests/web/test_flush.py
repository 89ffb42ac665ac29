"""Output in pieces: flush() through the server's write, and the declared length."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support import call
from tests.web.one_handler import answer, application_of
from tests.web.streaming import (
    TOO_LATE,
    UNCAUGHT,
    Recording,
    flushing,
    serve,
)
from wsgitornado.httputil import HTTPOutputError
from wsgitornado.httputil.response import MAX_COLLECTED, CollectedOutput
from wsgitornado.testing import ExpectLog
from wsgitornado.web import HTTPError, RequestHandler

APPLICATION = "wsgitornado.application"
GENERAL = "wsgitornado.general"


@pytest.fixture(autouse=True)
def nothing_told_yet() -> None:
    Recording.told = []


# What the server is given.


def test_each_flush_hands_its_chunk_to_the_server_at_once() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("X-It", "1")
        handler.set_cookie("a", "b")
        for chunk in ("a", b"b"):
            handler.write(chunk)
            handler.write("!")
            handler.flush()
        handler.write("c")

    server = serve(get)
    assert server.events == ["200 OK", b"a!", b"b!", b"c", "closed"]
    assert server.headers == {
        "Content-Type": "text/html; charset=UTF-8",
        "X-It": "1",
        "Set-Cookie": "a=b; Path=/",
    }
    assert server.failure is None


def test_flush_sends_the_headers_before_there_is_a_body() -> None:
    server = serve(lambda h: h.flush())
    assert server.events[:2] == ["200 OK", b""]
    assert server.body == b""


def test_flush_of_nothing_sends_nothing_more() -> None:
    def get(handler: RequestHandler) -> None:
        handler.write("a")
        handler.flush()
        handler.flush()

    assert serve(get).events == ["200 OK", b"a", "closed"]


def test_flush_returns_a_done_future_and_calls_back() -> None:
    def get(handler: RequestHandler) -> None:
        handler.write("a")
        future: Any = handler.flush()
        assert future.done()
        assert future.result() is None
        handler.write("b")
        handler.flush(True, lambda: calls.append(len(handler._write_buffer)))

    calls: list[int] = []
    assert serve(get).body == b"ab"
    assert calls == [0]


def test_flushed_answer_has_no_tag_and_is_never_304() -> None:
    got = answer(flushing("a"), headers=[("If-None-Match", "*")])
    assert (got.status, got.text) == ("200 OK", "a")
    assert "Etag" not in got.headers


def test_headers_after_the_first_flush_come_too_late_and_harm_nothing() -> None:
    def get(handler: RequestHandler) -> None:
        handler.write("a")
        handler.flush()
        handler.set_header("X-Late", "1")
        handler.set_cookie("late", "1")
        handler.finish({"b": 1})

    server = serve(get)
    assert server.body == b'a{"b": 1}'
    assert list(server.headers) == ["Content-Type"]


def test_hop_by_hop_headers_are_not_handed_to_the_server() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("Connection", "keep-alive")
        handler.set_header("Transfer-Encoding", "chunked")
        handler.flush()

    assert list(serve(get).headers) == ["Content-Type"]


def test_date_is_sent_for_the_server_that_sends_none() -> None:
    application = application_of(flushing("a"), RequestHandler)
    uwsgi: dict[str, Any] = {"uwsgi.version": b"2.0"}
    assert "Date" in call(application, **uwsgi).headers


def test_head_gets_the_headers_and_none_of_the_body() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("Content-Length", 4)
        flushing("ab", "cd")(handler)

    server = serve(get, "HEAD")
    assert server.body == b""
    assert server.headers["Content-Length"] == "4"
    assert server.failure is None


def test_head_may_flush_less_than_the_length_it_declares() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("Content-Length", 1000)
        handler.flush()

    assert serve(get, "HEAD").failure is None


@pytest.mark.parametrize("status", [204, 304])
def test_status_without_body_can_be_flushed(status: int) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_status(status)
        handler.flush()

    server = serve(get)
    assert (server.body, server.headers, server.failure) == (b"", {}, None)


@pytest.mark.parametrize("status", [204, 304])
def test_body_after_a_flushed_status_that_has_none_is_never_sent(status: int) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_status(status)
        handler.flush()
        handler.write("x")
        handler.flush()

    with ExpectLog(APPLICATION, UNCAUGHT), ExpectLog(GENERAL, TOO_LATE):
        server = serve(get)
    assert server.body == b""
    assert server.failure is not None


def test_body_flushed_with_a_status_that_has_none_is_a_500() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_status(204)
        handler.write("x")
        handler.flush()

    with ExpectLog(APPLICATION, UNCAUGHT):
        assert answer(get).status_code == 500


# Content-Length.


def declaring(length: Any, *chunks: str) -> Any:
    def verb(handler: RequestHandler) -> None:
        handler.set_header("Content-Length", length)
        for chunk in chunks:
            handler.write(chunk)
            handler.flush()

    return verb


@pytest.mark.parametrize("chunks", [("abcd",), ("a", "bcd"), ("abc", "", "d")])
def test_flushed_body_of_the_declared_length_is_whole(chunks: tuple[str, ...]) -> None:
    server = serve(declaring(4, *chunks))
    assert (server.body, server.failure) == (b"abcd", None)
    assert server.headers["Content-Length"] == "4"


@pytest.mark.parametrize("length", [3, "x", "-1", "", "4, 4"])
def test_wrong_length_at_the_first_flush_is_a_500(length: Any) -> None:
    with ExpectLog(APPLICATION, UNCAUGHT):
        got = answer(declaring(length, "abcd"))
    assert got.status_code == 500
    assert got.headers["Content-Length"] == str(len(got.body))


def test_byte_beyond_the_declared_length_is_never_sent() -> None:
    with ExpectLog(APPLICATION, UNCAUGHT), ExpectLog(GENERAL, TOO_LATE):
        server = serve(declaring(4, "abc", "de"))
    assert server.body == b"abc"
    assert isinstance(server.failure, HTTPOutputError)


def test_body_shorter_than_declared_breaks_off() -> None:
    with ExpectLog(APPLICATION, UNCAUGHT), ExpectLog(GENERAL, TOO_LATE):
        server = serve(declaring(4, "abc"))
    assert server.body == b"abc"
    assert isinstance(server.failure, HTTPOutputError)


def test_flush_beyond_the_declared_length_raises_where_it_is_made() -> None:
    def get(handler: RequestHandler) -> None:
        declaring(2, "a")(handler)
        handler.write("bc")
        with pytest.raises(HTTPOutputError, match="more data than Content-Length"):
            handler.flush()
        handler.write("b")

    assert serve(get).body == b"ab"


# Asynchronous handlers, on a server whose thread waits for them.


async def stream(handler: RequestHandler) -> None:
    for chunk in "abc":
        handler.write(chunk)
        await handler.flush()
        await asyncio.sleep(0)


def test_coroutine_may_flush() -> None:
    got = answer(stream)
    assert (got.status, got.text) == ("200 OK", "abc")


def test_coroutine_that_fails_after_a_flush_breaks_off() -> None:
    async def get(handler: RequestHandler) -> None:
        handler.set_header("Content-Length", 10)
        await stream(handler)
        raise HTTPError(409)

    with (
        ExpectLog("wsgitornado.general", "Cannot send error response"),
        pytest.raises(HTTPOutputError, match="the response broke off"),
    ):
        answer(get)


def test_plain_verb_after_a_coroutine_prepare_streams_to_the_server() -> None:
    class Prepared(Recording):
        async def prepare(self) -> None:
            await asyncio.sleep(0)

    server = serve(flushing("a", "b"), base=Prepared)
    assert server.events == ["200 OK", b"a", b"b", "closed"]


def test_collected_output_is_bounded() -> None:
    output = CollectedOutput()
    write = output("200 OK", [])
    write(bytes(MAX_COLLECTED))
    with pytest.raises(HTTPOutputError, match=f"more than {MAX_COLLECTED} bytes"):
        write(b"x")
    assert output.size == MAX_COLLECTED
