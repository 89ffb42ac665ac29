"""How an answer in pieces ends: whole, broken off, or because the client leaves."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import waitress.channel

from tests.support import make_environ
from tests.web.one_handler import application_of
from tests.web.streaming import (
    TOO_LATE,
    UNCAUGHT,
    Recording,
    Server,
    boom,
    flushing,
    serve,
)
from wsgitornado.httputil import HTTPOutputError
from wsgitornado.testing import ExpectLog
from wsgitornado.web import HTTPError, RequestHandler, StreamClosedError

APPLICATION = "wsgitornado.application"
GENERAL = "wsgitornado.general"


@pytest.fixture(autouse=True)
def nothing_told_yet() -> None:
    Recording.told = []


# Failures after output began.


@pytest.mark.parametrize(
    ("error", "logger"),
    [
        pytest.param(ZeroDivisionError("secret"), APPLICATION, id="exception"),
        pytest.param(OSError("secret"), APPLICATION, id="OSError"),
        pytest.param(BrokenPipeError("secret"), APPLICATION, id="program's own pipe"),
        pytest.param(HTTPError(404, "secret"), GENERAL, id="HTTPError"),
    ],
)
def test_failure_after_output_began_breaks_the_answer_off(
    error: Exception, logger: str
) -> None:
    def fail() -> None:
        raise error

    with ExpectLog(logger, "Uncaught|404 GET"), ExpectLog(GENERAL, TOO_LATE):
        server = serve(flushing("half", then=fail))
    assert server.events == ["200 OK", b"half", "closed"]
    assert type(server.failure) is HTTPOutputError
    assert "secret" not in str(server.failure)
    assert Recording.told == [("finish", 200)]


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda h: h.send_error(404), id="send_error"),
        pytest.param(lambda h: h.send_error(404, reason="x"), id="with a reason"),
    ],
)
def test_send_error_after_output_began_breaks_the_answer_off(act: Any) -> None:
    def get(handler: RequestHandler) -> None:
        flushing("half")(handler)
        act(handler)

    with ExpectLog(GENERAL, TOO_LATE):
        server = serve(get)
    assert (server.body, type(server.failure)) == (b"half", HTTPOutputError)
    assert Recording.told == [("finish", 200)]


def test_redirect_after_output_began_is_refused() -> None:
    def get(handler: RequestHandler) -> None:
        flushing("half")(handler)
        with pytest.raises(RuntimeError, match="after headers have been written"):
            handler.redirect("/")
        handler.write(" and half")

    assert serve(get).body == b"half and half"


def test_written_but_not_flushed_output_is_dropped_when_it_breaks_off() -> None:
    def get(handler: RequestHandler) -> None:
        flushing("half")(handler)
        handler.write("never")
        boom()

    with ExpectLog(APPLICATION, UNCAUGHT), ExpectLog(GENERAL, TOO_LATE):
        assert serve(get).body == b"half"


def test_clear_after_output_began_does_not_send_headers_again() -> None:
    def get(handler: RequestHandler) -> None:
        flushing("a")(handler)
        handler.write("gone")
        handler.clear()
        flushing("b")(handler)

    assert serve(get).events == ["200 OK", b"a", b"b", "closed"]


def test_write_error_that_flushes_and_fails_breaks_off() -> None:
    class Half(Recording):
        def write_error(self, status_code: int, **kwargs: Any) -> None:
            flushing("half", then=boom)(self)

    with ExpectLog(APPLICATION, "Uncaught exception in write_error"):
        server = serve(lambda h: h.send_error(404), base=Half)
    assert server.events == ["404 Not Found", b"half", "closed"]
    assert isinstance(server.failure, HTTPOutputError)
    assert Recording.told == [("finish", 404)]


def test_write_error_may_stream() -> None:
    class Streaming(Recording):
        def write_error(self, status_code: int, **kwargs: Any) -> None:
            flushing("a", "b")(self)

    server = serve(lambda h: h.send_error(404), base=Streaming)
    assert server.events == ["404 Not Found", b"a", b"b", "closed"]
    assert server.failure is None


# The client leaves.


@pytest.mark.parametrize("leaves_after", [0, 1, 2])
@pytest.mark.parametrize(
    "leaving",
    [
        pytest.param(BrokenPipeError(), id="broken pipe"),
        pytest.param(ConnectionResetError(), id="reset"),
        pytest.param(OSError("write error"), id="uWSGI, mod_wsgi"),
        pytest.param(waitress.channel.ClientDisconnected(), id="waitress"),
    ],
)
def test_client_that_leaves_is_no_error(leaves_after: int, leaving: Exception) -> None:
    server = serve(flushing("a", "b", "c"), leaves_after=leaves_after, leaving=leaving)
    assert server.body == b"abc"[:leaves_after]
    # The server gets its own error back: it knows what to make of it.
    assert server.failure is leaving
    assert Recording.told == ["left", ("finish", 200)]


def test_flush_raises_stream_closed_error_with_the_reason() -> None:
    def get(handler: RequestHandler) -> None:
        with pytest.raises(StreamClosedError, match="closed the connection") as info:
            flushing("a", "b")(handler)
        errors.append(info.value.real_error)
        raise info.value

    errors: list[Any] = []
    server = serve(get, leaves_after=1)
    assert errors == [server.failure]
    assert isinstance(server.failure, BrokenPipeError)


def test_handler_that_swallows_the_error_is_told_and_finished_once() -> None:
    def get(handler: RequestHandler) -> None:
        try:
            flushing("a", "b")(handler)
        except StreamClosedError:
            pass

    server = serve(get, leaves_after=1)
    assert server.events == ["200 OK", b"a", "closed"]
    assert Recording.told == ["left", ("finish", 200)]


def test_handler_that_goes_on_is_told_only_once() -> None:
    def get(handler: RequestHandler) -> None:
        for _ in range(3):
            with pytest.raises(StreamClosedError):
                flushing("a")(handler)

    assert serve(get, leaves_after=0).body == b""
    assert Recording.told == ["left", ("finish", 200)]


def test_other_failure_of_write_is_an_error_and_no_departure() -> None:
    leaving = LookupError("middleware's mistake")
    with ExpectLog(APPLICATION, UNCAUGHT), ExpectLog(GENERAL, TOO_LATE):
        server = serve(flushing("a", "b"), leaves_after=1, leaving=leaving)
    assert isinstance(server.failure, HTTPOutputError)
    assert Recording.told == [("finish", 200)]


def test_stream_closed_error_after_the_end_changes_nothing() -> None:
    def get(handler: RequestHandler) -> None:
        handler.finish("whole")
        raise StreamClosedError

    server = serve(get)
    assert (server.body, server.failure) == (b"whole", None)
    assert Recording.told == [("finish", 200)]


def test_client_that_leaves_at_the_last_chunk_is_no_error() -> None:
    def get(handler: RequestHandler) -> None:
        flushing("a")(handler)
        handler.finish("b")

    server = serve(get, leaves_after=1)
    assert server.failure is not None
    assert Recording.told == ["left", ("finish", 200)]


def test_client_that_leaves_during_an_error_page_is_no_error() -> None:
    class Streaming(Recording):
        def write_error(self, status_code: int, **kwargs: Any) -> None:
            flushing("a", "b")(self)

    server = serve(lambda h: h.send_error(404), base=Streaming, leaves_after=1)
    assert isinstance(server.failure, BrokenPipeError)
    assert Recording.told == ["left", ("finish", 404)]


def test_failing_on_connection_close_is_logged() -> None:
    class Failing(Recording):
        on_connection_close = boom

    with ExpectLog(APPLICATION, "Uncaught exception in on_connection_close"):
        server = serve(flushing("a", "b"), base=Failing, leaves_after=1)
    assert isinstance(server.failure, BrokenPipeError)
    assert Recording.told == [("finish", 200)]


# The end.


def test_end_is_told_and_logged_when_the_server_closes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "wsgitornado.access")
    server = Server()
    application = application_of(flushing("a"), Recording)
    body: Any = application(make_environ(), server.start_response)
    assert list(body) == []
    assert (Recording.told, caplog.messages) == ([], [])
    for _ in range(2):
        body.close()
    assert Recording.told == [("finish", 200)]
    (line,) = caplog.messages
    assert line.startswith("200 GET / ")


@pytest.mark.parametrize("then", [None, boom], ids=["whole", "broken"])
def test_end_comes_once_also_where_nobody_iterates(then: Any) -> None:
    application = application_of(flushing("a", then=then), Recording)
    required = then is not None
    with (
        ExpectLog(APPLICATION, UNCAUGHT, required),
        ExpectLog(GENERAL, TOO_LATE, required),
    ):
        body: Any = application(make_environ(), Server().start_response)
    body.close()
    body.close()
    assert Recording.told == [("finish", 200)]


@pytest.mark.parametrize("hook", ["on_finish", "log_request"])
def test_failure_at_the_end_is_logged_and_does_not_reach_the_server(hook: str) -> None:
    base = type("Failing", (Recording,), {hook: boom})
    application = application_of(flushing("a"), base)
    if hook == "log_request":
        application.settings["log_function"] = boom
    server = Server()
    with ExpectLog(APPLICATION, "Uncaught exception") as log:
        server.serve(application, make_environ())
    assert log.logged_stack
    assert (server.body, server.failure) == (b"a", None)
    assert Recording.told == ([] if hook == "on_finish" else [("finish", 200)])
