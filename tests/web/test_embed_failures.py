"""FallbackHandler: an embedded application that fails is always answered."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import pytest

from tests.support import call, make_environ
from tests.web.embedded import PLAIN, Body, Embedded, answering, writer
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, FallbackHandler

UNCAUGHT = "Uncaught exception GET /"


def fails_before(environ: Any, start_response: Any) -> Any:
    raise LookupError("secret")


def fails_after(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [*PLAIN, ("X-Inner", "1")])
    raise LookupError("secret")


def fails_lazily(environ: Any, start_response: Any) -> Iterator[bytes]:
    yield from Body(LookupError("secret"))


def fails_at_the_first_chunk(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [*PLAIN, ("X-Inner", "1")])
    return Body(LookupError("secret"))


def returns_nothing(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [*PLAIN, ("X-Inner", "1")])


def never_starts(environ: Any, start_response: Any) -> list[bytes]:
    return [b"body"]


def never_starts_a_stream(environ: Any, start_response: Any) -> Any:
    return Body(b"body")


def never_starts_nothing(environ: Any, start_response: Any) -> Any:
    return Body()


def bad_status(environ: Any, start_response: Any) -> list[bytes]:
    start_response("fine", PLAIN)
    return []


@pytest.mark.parametrize(
    "fallback",
    [
        fails_before,
        fails_after,
        fails_lazily,
        fails_at_the_first_chunk,
        returns_nothing,
        never_starts,
        never_starts_a_stream,
        never_starts_nothing,
        bad_status,
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_failure_before_any_output_is_answered(fallback: Any, method: str) -> None:
    embedded = Embedded(fallback)
    with ExpectLog("wsgitornado.application", f"Uncaught exception {method} /") as log:
        answer = embedded.call(method=method)
    assert (log.matched, log.logged_stack) == (1, True)
    assert answer.status == "500 Internal Server Error"
    assert "X-Inner" not in answer.headers
    assert ("500" in answer.text) == (method == "GET")
    assert "secret" not in answer.text
    assert (embedded.ends, embedded.logged) == ([500], [500])


def test_body_that_failed_is_closed_all_the_same() -> None:
    body = Body(LookupError())
    with ExpectLog("wsgitornado.application", UNCAUGHT):
        assert Embedded(answering(body)).call().status_code == 500
    assert body.closed == 1


def fails_between(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return Body(b"a part", LookupError("between"))


def fails_after_write(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)(b"a part")
    raise LookupError("between")


@pytest.mark.parametrize("fallback", [fails_between, fails_after_write])
def test_failure_after_output_began_breaks_the_answer_visibly(fallback: Any) -> None:
    embedded = Embedded(fallback)
    with (
        ExpectLog("wsgitornado.application", UNCAUGHT) as log,
        pytest.raises(LookupError, match="between"),
    ):
        embedded.call()
    assert log.matched == 1
    assert len(embedded.ends) == len(embedded.logged) == 1


def test_client_that_leaves_is_no_error() -> None:
    def leave(chunk: bytes) -> None:
        raise BrokenPipeError("gone")

    embedded = Embedded(writer)
    iterable: Any = embedded.application(make_environ(), lambda *_: leave)
    with pytest.raises(BrokenPipeError, match="gone"):
        list(iterable)
    iterable.close()
    assert len(embedded.ends) == len(embedded.logged) == 1


def test_client_that_leaves_in_the_middle_is_no_error_either() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"taken")
        write(b"not taken")
        raise AssertionError("it went on")

    def take(chunk: bytes) -> None:
        if taken:
            raise ConnectionResetError("gone")
        taken.append(chunk)

    taken: list[bytes] = []
    embedded = Embedded(application)
    # At once or from the body: the server sees its own error either way.
    with (
        pytest.raises(ConnectionResetError, match="gone"),
        contextlib.closing(
            cast("Any", embedded.application(make_environ(), lambda *_: take))
        ) as iterable,
    ):
        list(iterable)
    assert embedded.ends == [200]


def test_failure_with_its_own_error_page_is_the_applications() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        try:
            start_response("200 OK", PLAIN)
            raise LookupError
        except LookupError as error:
            exc_info = (type(error), error, error.__traceback__)
            start_response("503 Busy", PLAIN, exc_info)
        return [b"later"]

    embedded = Embedded(application)
    answer = embedded.call()
    assert (answer.status, answer.text) == ("503 Busy", "later")
    assert embedded.ends == [503]


@pytest.mark.parametrize("body", [[b"x"], Body(b"x")], ids=["list", "stream"])
def test_failure_of_on_finish_is_contained(body: Any) -> None:
    class Failing(FallbackHandler):
        def on_finish(self) -> None:
            raise LookupError

    application = Application([("/", Failing, {"fallback": answering(body)})])
    with ExpectLog("wsgitornado.application", "Uncaught exception in on_finish"):
        assert call(application).text == "x"
