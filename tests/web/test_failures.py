"""Failures of every hook that a program may override: answered, logged, contained."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from types import TracebackType
from typing import Any

import pytest

from tests.support import Answer, call, make_environ
from tests.web.one_handler import answer, application_of
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, Finish, HTTPError, RequestHandler

APPLICATION = "wsgitornado.application"
UNCAUGHT = "Uncaught exception GET /"
BARE = "<html><title>{0}: {1}</title><body>{0}: {1}</body></html>".format


class Recording(RequestHandler):
    """Counts how often it is told that the request is over."""

    ends: list[int]

    def on_finish(self) -> None:
        self.ends.append(self.get_status())


@pytest.fixture(autouse=True)
def no_ends_yet() -> None:
    Recording.ends = []


def boom(*args: object, **kwargs: object) -> Any:
    raise ZeroDivisionError("boom")


def write_and_boom(handler: Any, *args: object, **kwargs: object) -> None:
    handler.write("half a page")
    handler.set_header("X-Half", "1")
    boom()


def with_hooks(**hooks: Any) -> type[Recording]:
    return type("Hooked", (Recording,), hooks)


def assert_bare(got: Answer, status: int = 500, reason: str | None = None) -> None:
    reason = reason or "Internal Server Error"
    assert got.status == f"{status} {reason}"
    assert got.text == BARE(status, reason)
    assert sorted(got.headers) == ["Content-Length", "Content-Type"]


# Before the verb.


@pytest.mark.parametrize(
    "hook", ["__init__", "initialize", "set_default_headers", "prepare", "get"]
)
def test_failure_before_the_answer_is_a_500(hook: str) -> None:
    handler = with_hooks(**{"get": lambda self: self.write("x"), hook: boom})
    with ExpectLog(APPLICATION, UNCAUGHT) as log:
        assert_bare(call(Application([("/", handler)])))
    assert log.logged_stack


@pytest.mark.parametrize("hook", ["initialize", "set_default_headers", "prepare"])
def test_http_error_before_the_verb_is_answered(hook: str) -> None:
    def refuse(handler: RequestHandler) -> None:
        raise HTTPError(403)

    got = answer(lambda h: h.write("x"), base=with_hooks(**{hook: refuse}))
    assert_bare(got, 403, "Forbidden")


@pytest.mark.parametrize("hook", ["prepare", "get"])
def test_failure_of_a_coroutine_is_a_500(hook: str) -> None:
    async def fail(handler: RequestHandler) -> None:
        handler.write("half")
        await asyncio.sleep(0)
        boom()

    handler = with_hooks(**{"get": lambda self: self.write("x"), hook: fail})
    with ExpectLog(APPLICATION, UNCAUGHT):
        assert_bare(call(Application([("/", handler)])))
    assert Recording.ends == [500]


# While an error is answered.


def test_failing_write_error_leaves_a_bare_page_with_the_status() -> None:
    with ExpectLog(APPLICATION, "Uncaught exception in write_error") as log:
        got = answer(
            lambda h: h.send_error(404), base=with_hooks(write_error=write_and_boom)
        )
    assert log.logged_stack
    assert_bare(got, 404, "Not Found")
    assert Recording.ends == [404]


@pytest.mark.parametrize("error", [HTTPError(402), Finish("x")], ids=repr)
def test_exception_with_a_meaning_has_none_in_write_error(error: Exception) -> None:
    def write_error(handler: RequestHandler, status_code: int, **kwargs: Any) -> None:
        raise error

    with ExpectLog(APPLICATION, "Uncaught exception in write_error"):
        got = answer(
            lambda h: h.send_error(404), base=with_hooks(write_error=write_error)
        )
    assert_bare(got, 404, "Not Found")


def test_write_error_with_a_wrong_length_leaves_a_bare_page() -> None:
    def write_error(handler: RequestHandler, status_code: int, **kwargs: Any) -> None:
        handler.set_header("Content-Length", 5)
        handler.write("longer than that")

    with ExpectLog(APPLICATION, "Uncaught exception in write_error"):
        got = answer(
            lambda h: h.send_error(404), base=with_hooks(write_error=write_error)
        )
    assert_bare(got, 404, "Not Found")


def test_write_error_with_a_body_where_none_may_be_leaves_a_500() -> None:
    def write_error(handler: RequestHandler, status_code: int, **kwargs: Any) -> None:
        handler.write("no room for this")

    with ExpectLog(APPLICATION, "Uncaught exception in write_error"):
        got = answer(
            lambda h: h.send_error(204), base=with_hooks(write_error=write_error)
        )
    assert_bare(got)
    assert Recording.ends == [500]


def test_write_error_that_ends_in_itself_is_answered() -> None:
    def write_error(handler: RequestHandler, status_code: int, **kwargs: Any) -> None:
        handler.send_error(status_code)

    with ExpectLog(APPLICATION, "Uncaught exception in write_error"):
        got = answer(
            lambda h: h.send_error(404), base=with_hooks(write_error=write_error)
        )
    assert_bare(got, 404, "Not Found")
    assert Recording.ends == [404]


def test_default_headers_that_fail_only_on_errors_leave_a_bare_page() -> None:
    def set_default_headers(handler: RequestHandler) -> None:
        if hasattr(handler, "path_args"):
            write_and_boom(handler)

    with ExpectLog(APPLICATION, "Uncaught exception in write_error"):
        got = answer(
            lambda h: h.send_error(404),
            base=with_hooks(set_default_headers=set_default_headers),
        )
    assert_bare(got, 404, "Not Found")


@pytest.mark.parametrize(
    ("override", "says"),
    [
        pytest.param(boom, "boom", id="raises"),
        pytest.param(lambda self, *args, **kwargs: None, "", id="does nothing"),
    ],
)
def test_overridden_send_error_that_does_not_answer_is_made_good(
    override: Any, says: str
) -> None:
    def get(handler: RequestHandler) -> None:
        raise HTTPError(404)

    with ExpectLog(APPLICATION, "Uncaught exception", required=bool(says)):
        got = answer(get, base=with_hooks(send_error=override))
    assert got.status_code in (404, 500)
    assert len(Recording.ends) == 1


def test_failing_log_exception_does_not_spoil_the_answer() -> None:
    def log_exception(
        handler: RequestHandler,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        boom()

    def get(handler: RequestHandler) -> None:
        raise HTTPError(404)

    with ExpectLog(APPLICATION, "Error in exception logger") as log:
        got = answer(get, base=with_hooks(log_exception=log_exception))
    assert log.logged_stack
    assert_bare(got, 404, "Not Found")


def test_log_exception_may_send_the_answer_itself() -> None:
    def log_exception(handler: RequestHandler, *exc_info: Any) -> None:
        handler.set_status(503)
        handler.finish(f"sent by the logger: {exc_info[0].__name__}")

    got = answer(boom, base=with_hooks(log_exception=log_exception))
    assert (got.status_code, got.text) == (
        503,
        "sent by the logger: ZeroDivisionError",
    )


def test_log_exception_is_called_once_with_what_was_raised() -> None:
    logged: list[tuple[Any, ...]] = []

    def log_exception(handler: RequestHandler, *exc_info: Any) -> None:
        logged.append(exc_info)

    assert_bare(answer(boom, base=with_hooks(log_exception=log_exception)))
    ((typ, value, tb),) = logged
    assert typ is type(value) is ZeroDivisionError
    assert tb is value.__traceback__


# After the answer.


def test_failing_on_finish_is_logged_and_the_answer_stays() -> None:
    with ExpectLog(APPLICATION, "Uncaught exception") as log:
        got = answer(lambda h: h.write("x"), base=with_hooks(on_finish=boom))
    assert log.logged_stack
    assert (got.status, got.text) == ("200 OK", "x")


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda h: h.finish("y"), id="finish"),
        pytest.param(lambda h: h.write("y"), id="write"),
        pytest.param(lambda h: h.redirect("/y"), id="redirect"),
        pytest.param(lambda h: h.flush(), id="flush"),
    ],
)
def test_output_in_on_finish_is_a_mistake_that_changes_nothing(act: Any) -> None:
    with ExpectLog(APPLICATION, "Uncaught exception"):
        got = answer(lambda h: h.write("x"), base=with_hooks(on_finish=act))
    assert (got.status, got.text) == ("200 OK", "x")
    assert "Location" not in got.headers


def test_failing_on_finish_of_an_error_page_is_logged_once() -> None:
    with ExpectLog(APPLICATION, "Uncaught exception"):
        got = answer(lambda h: h.send_error(404), base=with_hooks(on_finish=boom))
    assert_bare(got, 404, "Not Found")


@pytest.mark.parametrize("failing", [False, True], ids=["answer", "error page"])
def test_on_finish_runs_although_the_access_log_fails(failing: bool) -> None:
    def get(handler: RequestHandler) -> None:
        if failing:
            handler.send_error(404)

    with ExpectLog(APPLICATION, "Uncaught exception") as log:
        got = answer(get, base=Recording, log_function=boom)
    assert log.logged_stack
    assert Recording.ends == [got.status_code] == [404 if failing else 200]


def test_application_that_overrides_log_request_is_asked_once_per_request() -> None:
    class Logging(Application):
        def log_request(self, handler: RequestHandler) -> None:
            logged.append((handler.get_status(), handler.request.path))

    logged: list[tuple[int, str]] = []
    application = Logging([("/", with_hooks(get=lambda self: self.finish("x")))])
    call(application, "/")
    call(application, "/nowhere")
    assert logged == [(200, "/"), (404, "/nowhere")]


@pytest.mark.parametrize(
    ("status", "level"),
    [(200, "INFO"), (399, "INFO"), (400, "WARNING"), (499, "WARNING"), (500, "ERROR")],
)
def test_access_log_line_has_a_level_for_the_status(
    status: int, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "wsgitornado.access"):
        answer(lambda h: h.set_status(status))
    ((name, levelno, message),) = caplog.record_tuples
    assert (name, logging.getLevelName(levelno)) == ("wsgitornado.access", level)
    assert message.startswith(f"{status} GET / (127.0.0.1) ")


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\x9b31m", "\u202e", "\x7f"])
def test_client_text_does_not_steer_the_terminal_of_who_reads_the_log(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    def get(handler: RequestHandler) -> None:
        raise HTTPError(400, "bad: %s", text)

    application = application_of(get, RequestHandler)
    caplog.set_level(logging.INFO)
    latin_1 = text.encode("utf-8").decode("latin-1")
    with ExpectLog("wsgitornado.general", "400 GET .*bad"):
        call(application, is_validated=False, QUERY_STRING=latin_1, REMOTE_ADDR=text)
    assert [r.name for r in caplog.records][-1] == "wsgitornado.access"
    for record in caplog.records:
        assert record.getMessage().isprintable()


# What ends more than a request.


class Leave(BaseException):
    """As KeyboardInterrupt, SystemExit, a greenlet's exit: not a request's business."""


@pytest.mark.parametrize("hook", ["prepare", "get"])
def test_exception_of_the_process_goes_through_and_ends_the_request_once(
    hook: str,
) -> None:
    def leave(handler: RequestHandler) -> None:
        raise Leave

    handler = with_hooks(**{"get": lambda self: self.write("x"), hook: leave})
    with pytest.raises(Leave):
        call(Application([("/", handler)]))
    assert len(Recording.ends) == 1


@pytest.mark.parametrize(
    ("output", "ends"),
    [
        pytest.param(lambda h: None, [500], id="nothing sent"),
        pytest.param(lambda h: h.flush(), [200], id="headers sent"),
        pytest.param(lambda h: h.finish("x"), [200], id="finished"),
    ],
)
def test_interrupted_request_is_told_its_end_once(output: Any, ends: list[int]) -> None:
    def get(handler: RequestHandler) -> None:
        output(handler)
        raise Leave

    with pytest.raises(Leave):
        answer(get, base=Recording)
    assert Recording.ends == ends


def test_spooled_body_is_closed_when_the_process_is_interrupted() -> None:
    def post(handler: RequestHandler) -> None:
        spools.append(handler.request.environ["wsgi.input"])
        raise Leave

    spools: list[Any] = []
    with pytest.raises(Leave):
        call(application_of(post, RequestHandler), "/", "POST", body=b"x" * (2 << 20))
    assert spools[0].closed


# Nothing is left.


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(lambda h: h.write("x"), id="answer"),
        pytest.param(lambda h: h.send_error(404), id="error page"),
        pytest.param(boom, id="exception"),
        pytest.param(lambda h: h.write("x") or h.flush(), id="stream"),
        pytest.param(lambda h: h.write("x") or h.flush() or boom(), id="broken"),
    ],
)
def test_handler_is_freed_without_the_garbage_collector(verb: Any) -> None:
    class Seen(RequestHandler):
        def initialize(self) -> None:
            seen.append(weakref.ref(self))

        def log_exception(self, *exc_info: Any) -> None:
            """Quiet, and keeps nothing."""

    seen: list[weakref.ref[RequestHandler]] = []
    application = application_of(verb, Seen)
    gc.collect()
    gc.disable()
    try:
        with ExpectLog("wsgitornado.general", "Cannot send error", required=False):
            drive(application)
        assert seen[0]() is None
    finally:
        gc.enable()


def drive(application: Application) -> None:
    """Serve one request as a server does; a broken response is cut off."""

    def start_response(*arguments: Any) -> Any:
        return lambda chunk: None

    body = application(make_environ(), start_response)
    try:
        for _ in body:
            pass
    except Exception:  # the server closes the connection
        pass
    finally:
        close = getattr(body, "close", lambda: None)
        close()


def test_hundreds_of_failures_leave_no_handler_behind() -> None:
    alive: weakref.WeakSet[RequestHandler] = weakref.WeakSet()

    class Seen(RequestHandler):
        def initialize(self) -> None:
            alive.add(self)

        def log_exception(self, *exc_info: Any) -> None:
            """Quiet, and keeps nothing."""

    application = application_of(boom, Seen)
    for _ in range(300):
        drive(application)
    gc.collect()
    assert not alive
