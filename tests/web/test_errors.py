"""What a handler raises, and what the client and the log get to see of it."""

from __future__ import annotations

import copy
import enum
import pickle
from typing import Any

import pytest
import tornado.web

from tests.support import Answer, call
from tests.web.one_handler import answer
from wsgitornado.httputil import HTTPInputError, HTTPOutputError
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    Finish,
    HTTPError,
    MissingArgumentError,
    RequestHandler,
)

APPLICATION = "wsgitornado.application"
GENERAL = "wsgitornado.general"


def raising(error: BaseException) -> Any:
    """A verb that raises this."""

    def verb(handler: RequestHandler) -> None:
        raise error

    return verb


def page(status: int, reason: str) -> str:
    line = f"{status}: {reason}"
    return f"<html><title>{line}</title><body>{line}</body></html>"


# HTTPError.


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        pytest.param((), None, id="nothing"),
        pytest.param((404,), None, id="status"),
        pytest.param((404,), "Gone", id="reason"),
        pytest.param((499,), None, id="a number without a reason"),
        pytest.param((400, "message"), None, id="message"),
        pytest.param((400, "message"), "Own", id="message and reason"),
        pytest.param((400, "100%"), None, id="percent without arguments"),
        pytest.param((400, "%s of %d", "a", 5), None, id="arguments"),
        pytest.param((400, ""), None, id="empty message"),
    ],
)
def test_http_error_has_the_text_and_attributes_of_tornados(
    arguments: tuple[Any, ...], reason: str | None
) -> None:
    ours = HTTPError(*arguments, reason=reason)
    theirs = tornado.web.HTTPError(*arguments, reason=reason)
    assert str(ours) == str(theirs)
    for name in ("status_code", "log_message", "args", "reason"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.get_message() == theirs.get_message()


def test_missing_argument_error_is_tornados_too() -> None:
    ours, theirs = MissingArgumentError("a%s"), tornado.web.MissingArgumentError("a%s")
    assert (str(ours), ours.arg_name) == (str(theirs), theirs.arg_name)
    assert ours.status_code == 400


def test_http_error_shows_status_and_message() -> None:
    assert repr(HTTPError(404, "no %s", "x")) == "HTTPError(404, 'no x')"
    assert repr(MissingArgumentError("x")) == (
        "MissingArgumentError(400, 'Missing argument x')"
    )


class Unprintable:
    """Whatever is asked of it fails."""

    def __str__(self) -> str:
        raise LookupError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("message", "arguments", "expected"),
    [
        pytest.param("%s", (1, 2), "%s (1, 2)", id="too many"),
        pytest.param("%s %s", (1,), "%s %s (1,)", id="too few"),
        pytest.param("%d", ("x",), "%d ('x',)", id="wrong type"),
        pytest.param("%z", (1,), "%z (1,)", id="no conversion"),
        pytest.param("%(a)s", (1,), "%(a)s (1,)", id="names"),
        pytest.param("%d", (float("inf"),), "%d (inf,)", id="overflow"),
    ],
)
def test_message_whose_arguments_do_not_fit_raises_nothing(
    message: str, arguments: tuple[Any, ...], expected: str
) -> None:
    error = HTTPError(400, message, *arguments)
    assert error.get_message() == expected
    assert str(error) == f"HTTP 400: Bad Request ({expected})"


def test_argument_that_cannot_be_shown_raises_nothing() -> None:
    error = HTTPError(400, "%s %d", Unprintable(), 5)
    assert str(error).startswith("HTTP 400: Bad Request (%s %d (<Unprintable instance")


class NotFound(HTTPError):
    """An error as programs derive them, with arguments of its own."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(404, "no %s", what)
        self.where = where


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NotFound("a", "b"), id="subclass"),
        pytest.param(HTTPError(404, "no %s", "x", reason="Gone"), id="with all"),
        pytest.param(HTTPError(404), id="bare"),
        pytest.param(MissingArgumentError("x"), id="missing argument"),
    ],
)
def test_http_error_survives_copying_and_pickling(error: HTTPError) -> None:
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)


# Raised by a verb.


class Status(int, enum.Enum):
    GONE = 410


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        pytest.param(HTTPError(404), 404, "Not Found", id="404"),
        pytest.param(HTTPError(), 500, "Internal Server Error", id="default"),
        pytest.param(HTTPError(444), 444, "Unknown", id="own number"),
        pytest.param(HTTPError(Status.GONE), 410, "Gone", id="enum"),
        pytest.param(HTTPError(444, reason="Own"), 444, "Own", id="own reason"),
        pytest.param(HTTPError(400, reason="a\r\nX: y"), 400, "Bad Request", id="CRLF"),
        pytest.param(HTTPError(400, reason="€"), 400, "Bad Request", id="not latin-1"),
        pytest.param(HTTPError(400, reason=b"x"), 400, "Bad Request", id="bytes"),
    ],
)
def test_http_error_is_answered_with_its_status(
    error: HTTPError, status: int, reason: str
) -> None:
    got = answer(raising(error))
    assert got.status == f"{status} {reason}"
    assert got.text == page(status, reason)
    assert got.headers["Content-Type"] == "text/html; charset=UTF-8"


@pytest.mark.parametrize(
    "status", [1000, 199, 0, -404, "404", None, 404.5, "<b>"], ids=repr
)
def test_status_that_no_response_has_becomes_500(status: Any) -> None:
    with ExpectLog(APPLICATION, "No response can have the status .*: 500 is sent"):
        got = answer(raising(HTTPError(status)))
    assert got.status == "500 Internal Server Error"
    assert got.text == page(500, "Internal Server Error")


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_error_without_a_body_is_answered_without_one(status: int, method: str) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_cookie("a", "b")
        raise HTTPError(status)

    got = answer(get, method)
    assert (got.status_code, got.body) == (status, b"")
    assert list(got.headers) == ["Set-Cookie"]


def test_reason_is_escaped_in_the_page() -> None:
    got = answer(raising(HTTPError(400, reason="<script>alert('&')")))
    assert got.status == "400 <script>alert('&')"
    assert "<script>" not in got.text
    assert "&lt;script&gt;alert(" in got.text


def test_log_message_goes_to_the_log_and_not_to_the_client() -> None:
    with ExpectLog(GENERAL, r"403 GET / \(127.0.0.1\): secret 7$") as log:
        got = answer(raising(HTTPError(403, "secret %d", 7)))
    assert not log.logged_stack
    assert got.text == page(403, "Forbidden")


def test_missing_argument_is_a_quiet_400() -> None:
    with ExpectLog(GENERAL, "400 GET / .*: Missing argument x") as log:
        got = answer(lambda h: h.get_argument("x"))
    assert not log.logged_stack
    assert got.text == page(400, "Bad Request")


@pytest.mark.parametrize("status", [400, 413])
def test_input_error_is_answered_with_its_status(status: int) -> None:
    with ExpectLog(GENERAL, f"{status} GET / .*: 100% wrong") as log:
        got = answer(raising(HTTPInputError("100% wrong", status)))
    assert (got.status_code, log.logged_stack) == (status, False)


class Unspeakable(Exception):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise LookupError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(KeyError("secret"), id="KeyError"),
        pytest.param(HTTPOutputError("secret"), id="HTTPOutputError"),
        pytest.param(Unspeakable(), id="without text"),
        pytest.param(ExceptionGroup("secret", [ValueError()]), id="group"),
        pytest.param(StopIteration("secret"), id="StopIteration"),
        pytest.param(RecursionError("secret"), id="RecursionError"),
        pytest.param(ValueError("\ud800"), id="surrogate"),
        pytest.param(OSError("secret"), id="OSError"),
    ],
)
def test_exception_is_a_500_logged_once_with_its_traceback(error: Exception) -> None:
    with ExpectLog(APPLICATION, "Uncaught exception GET / ") as log:
        got = answer(raising(error))
    assert log.logged_stack
    assert got.status == "500 Internal Server Error"
    assert got.text == page(500, "Internal Server Error")


def test_error_discards_what_was_written_and_set() -> None:
    def get(handler: RequestHandler) -> None:
        handler.write("half")
        handler.set_header("X-It", "1")
        handler.set_header("Content-Length", 7)
        handler.set_status(201, "Made")
        raise HTTPError(409)

    got = answer(get)
    assert (got.status, got.text) == ("409 Conflict", page(409, "Conflict"))
    assert "X-It" not in got.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_error_page_is_framed_for_the_method(method: str) -> None:
    got = answer(raising(HTTPError(404)), method)
    expected = page(404, "Not Found")
    assert got.headers["Content-Length"] == str(len(expected))
    assert got.text == (expected if method == "GET" else "")


# Finish.


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(Finish(), "a", id="nothing"),
        pytest.param(Finish("b"), "ab", id="text"),
        pytest.param(Finish({"b": 1}), 'a{"b": 1}', id="JSON"),
        pytest.param(Finish(None), "a", id="None"),
    ],
)
def test_finish_sends_what_was_written(error: Finish, expected: str) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_status(201)
        handler.write("a")
        raise error

    got = answer(get)
    assert (got.status_code, got.text) == (201, expected)


def test_finish_after_finish_changes_nothing() -> None:
    def get(handler: RequestHandler) -> None:
        handler.finish("a")
        raise Finish("b")

    assert answer(get).text == "a"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(Finish([1]), id="a list"),
        pytest.param(Finish("b", "c"), id="two arguments"),
        pytest.param(Finish("longer than declared"), id="a wrong length"),
    ],
)
def test_finish_that_cannot_be_sent_is_a_500(error: Finish) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("Content-Length", 2)
        raise error

    with ExpectLog(APPLICATION, "Uncaught exception GET /") as log:
        got = answer(get)
    assert (got.status_code, log.logged_stack) == (500, True)


# send_error and write_error.


def test_send_error_takes_status_and_reason() -> None:
    got = answer(lambda h: h.send_error(409, reason="Own"))
    assert (got.status, got.text) == ("409 Own", page(409, "Own"))
    assert answer(lambda h: h.send_error()).status_code == 500


@pytest.mark.parametrize("reason", ["a\nb", "€", b"x", 5], ids=repr)
def test_send_error_leaves_out_a_reason_that_cannot_be_sent(reason: Any) -> None:
    got = answer(lambda h: h.send_error(409, reason=reason))
    assert got.status == "409 Conflict"


def test_send_error_after_finish_is_logged_and_changes_nothing() -> None:
    def get(handler: RequestHandler) -> None:
        handler.finish("done")
        handler.send_error(404)
        assert handler.get_status() == 200

    with ExpectLog(GENERAL, "Cannot send error response after headers written"):
        got = answer(get)
    assert (got.status, got.text) == ("200 OK", "done")


class Telling(RequestHandler):
    """Writes its own error page: what it was told."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if "exc_info" in kwargs:
            kind, error, tb = kwargs.pop("exc_info")
            assert type(error) is kind
            assert tb is error.__traceback__
            kwargs["error"] = kind.__name__
        self.write({"told": status_code, "is": self.get_status(), **kwargs})


def told(verb: Any) -> tuple[int, str]:
    got: Answer = answer(verb, base=Telling)
    assert got.headers["Content-Type"].startswith("application/json")
    return got.status_code, got.text


def test_write_error_is_told_what_happened() -> None:
    assert told(lambda h: h.send_error(404, extra="x")) == (
        404,
        '{"told": 404, "is": 404, "extra": "x"}',
    )
    assert told(raising(HTTPError(410, reason="Off"))) == (
        410,
        '{"told": 410, "is": 410, "error": "HTTPError"}',
    )
    with ExpectLog(APPLICATION, "Uncaught exception"):
        assert told(raising(KeyError())) == (
            500,
            '{"told": 500, "is": 500, "error": "KeyError"}',
        )


def test_write_error_never_sees_a_status_that_cannot_be_sent() -> None:
    with ExpectLog(APPLICATION, "No response can have the status '<script>'"):
        status, text = told(raising(HTTPError("<script>")))  # type: ignore[arg-type]  # the mistake
    assert status == 500
    assert text == '{"told": 500, "is": 500, "error": "HTTPError"}'


def test_default_headers_are_on_the_error_page() -> None:
    class Defaults(RequestHandler):
        def set_default_headers(self) -> None:
            self.set_header("X-Default", "yes")

    got = answer(raising(HTTPError(404)), base=Defaults)
    assert got.headers["X-Default"] == "yes"


# The setting serve_traceback, and its absence.


def failing_deep(handler: RequestHandler) -> None:
    raise ValueError("the <b>text</b> of the exception")


def test_traceback_is_not_shown_outside_debug() -> None:
    with ExpectLog(APPLICATION, "Uncaught exception"):
        got = answer(failing_deep, cookie_secret="a secret setting")
    for leak in ("Traceback", __file__, "failing_deep", "the <b>text", "a secret"):
        assert leak not in str(got)


@pytest.mark.parametrize("setting", ["debug", "serve_traceback"])
def test_traceback_is_shown_as_plain_text_where_it_is_asked_for(setting: str) -> None:
    settings: dict[str, Any] = {setting: True, "cookie_secret": "a secret setting"}
    with ExpectLog(APPLICATION, "Uncaught exception"):
        got = answer(failing_deep, **settings)
    assert got.status_code == 500
    assert got.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.text.startswith("Traceback (most recent call last):\n")
    assert got.text.endswith("ValueError: the <b>text</b> of the exception\n")
    assert "in failing_deep" in got.text
    assert "a secret setting" not in got.text


@pytest.mark.parametrize("exc_info", [None, (None, None, None), ()], ids=repr)
def test_error_without_an_exception_has_the_ordinary_page(exc_info: Any) -> None:
    got = answer(lambda h: h.send_error(404, exc_info=exc_info), serve_traceback=True)
    assert got.text == page(404, "Not Found")


def test_traceback_that_utf_8_cannot_carry_is_shown_escaped() -> None:
    with ExpectLog(APPLICATION, "Uncaught exception GET"):
        got = answer(raising(ValueError("a\ud800b")), serve_traceback=True)
    assert got.text.endswith("ValueError: a\\ud800b\n")


# get_error_html, of programs written for Tornado 2.


def test_get_error_html_makes_the_page_and_warns() -> None:
    class Old(RequestHandler):
        def get_error_html(self, status_code: int, **kwargs: Any) -> str:
            return f"old {status_code} {kwargs.get('exception')!r}"

    with pytest.warns(DeprecationWarning, match="override write_error"):
        got = answer(raising(HTTPError(404, reason="Off")), base=Old)
    assert (got.status, got.text) == ("404 Off", "old 404 HTTPError(404, None)")
    with pytest.warns(DeprecationWarning, match="override write_error"):
        assert answer(lambda h: h.send_error(400), base=Old).text == "old 400 None"


def test_error_of_one_request_leaves_the_next_ones_alone() -> None:
    class Sometimes(RequestHandler):
        def get(self, what: str) -> None:
            if what == "bad":
                self.set_header("X-Bad", "1")
                raise HTTPError(404)
            self.write(what)

    application = Application([("/(.*)", Sometimes)])
    for _ in range(3):
        assert call(application, "/bad").status_code == 404
        got = call(application, "/good")
        assert (got.status, got.text) == ("200 OK", "good")
        assert "X-Bad" not in got.headers
