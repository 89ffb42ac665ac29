"""Embedded applications that write, and clients that take nothing of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import call, make_environ
from wsgitornado._types import Body, StartResponse, WSGIApplication, WSGIEnvironment
from wsgitornado.web import Application, FallbackHandler, RequestHandler

HEADERS = [("Content-Type", "text/plain")]


class Ends:
    """Notes what our part of a request is told about its end."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def around(self, fallback: WSGIApplication) -> Application:
        ends = self

        class Fallback(FallbackHandler):
            def on_finish(self) -> None:
                ends.seen.append("finished")

            def on_connection_close(self) -> None:
                ends.seen.append("left")

        def log(handler: RequestHandler) -> None:
            ends.seen.append(str(handler.get_status()))

        rules: list[Any] = [(r".*", Fallback, {"fallback": fallback})]
        return Application(rules, log_function=log)


@pytest.fixture
def ends() -> Ends:
    return Ends()


def failure_of(
    application: WSGIApplication, taken: int, gone: OSError
) -> BaseException | None:
    """What the server gets to see when it fails to send after *taken* chunks."""
    sent: list[bytes] = []

    def write(data: bytes) -> None:
        if data and len(sent) == taken:
            raise gone
        sent.extend([data] if data else [])

    body: Any = None
    try:
        body = application(make_environ(), lambda *args: write)
        for _ in body:
            pass
    except OSError as error:
        return error
    finally:
        if hasattr(body, "close"):
            body.close()
    return None


@pytest.mark.parametrize("taken", [0, 1])
def test_handler_and_server_hear_of_a_client_that_left_a_writing_application(
    ends: Ends, taken: int
) -> None:
    def fallback(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        write = start_response("200 OK", HEADERS)
        for _ in range(3):
            write(b"chunk")
        raise AssertionError("nobody takes this")

    gone = BrokenPipeError("gone")
    assert failure_of(ends.around(fallback), taken, gone) is gone
    assert ends.seen == ["left", "200", "finished"]


def test_application_may_catch_the_oserror_of_its_write(ends: Ends) -> None:
    def fallback(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        write = start_response("200 OK", HEADERS)
        try:
            write(b"")
            write(b"chunk")
        except OSError:
            return []
        raise AssertionError("nobody takes this")

    assert failure_of(ends.around(fallback), 0, ConnectionResetError()) is None
    assert ends.seen == ["left", "200", "finished"]


def test_head_waits_for_a_late_start_and_takes_no_more(ends: Ends) -> None:
    taken: list[bytes] = []

    def fallback(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", HEADERS)
        for chunk in (b"first", b"second"):
            taken.append(chunk)
            yield chunk

    answer = call(ends.around(fallback), method="HEAD")
    assert (answer.status_code, answer.body) == (200, b"")
    assert taken == [b"first"]
    assert ends.seen == ["200", "finished"]
