"""The course of a request through its handler: methods, prepare, verb, results."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support import Answer, call
from wsgitornado import parking
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    Finish,
    HTTPError,
    RequestHandler,
    StreamClosedError,
)

APPLICATION = "wsgitornado.application"
BOUND = 30  # seconds: for a busy machine, not a measure of anything


def serve(handler: type[RequestHandler], pattern: str = "/.*") -> Application:
    return Application([(pattern, handler)])


def failing(handler: type[RequestHandler], message: str, method: str = "GET") -> Answer:
    """The answer to a mistake of the program: a 500, and one line of the log."""
    with ExpectLog(APPLICATION, f"Uncaught exception {method} /") as log:
        answer = call(serve(handler), method=method)
    assert log.matched == 1
    assert log.logged_stack
    assert answer.status_code == 500
    assert message not in answer.text
    return answer


# -- Verbs

VERBS = ["GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS"]


def test_supported_methods_are_seven() -> None:
    assert tuple(VERBS) == RequestHandler.SUPPORTED_METHODS


@pytest.mark.parametrize("method", VERBS)
def test_each_method_reaches_the_verb_of_its_name(method: str) -> None:
    def verb(self: RequestHandler) -> None:
        self.set_header("X-Verb", method)

    handler = type("Handler", (RequestHandler,), {method.lower(): verb})
    answer = call(serve(handler), method=method)
    assert (answer.status_code, answer.headers["X-Verb"]) == (200, method)


@pytest.mark.parametrize("method", VERBS)
def test_verb_that_is_not_defined_is_a_405(method: str) -> None:
    assert call(serve(RequestHandler), method=method).status_code == 405


class Get(RequestHandler):
    def get(self) -> None:
        self.write("got")

    def trace(self) -> None:
        raise AssertionError("TRACE is no supported method")

    def _execute_order(self) -> None:
        raise AssertionError("nor is this a verb")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_get_alone_answers_nothing_else(method: str) -> None:
    assert call(serve(Get), method=method).status_code == 405


@pytest.mark.parametrize(
    "method",
    ["TRACE", "CONNECT", "PROPFIND", "get", "_EXECUTE_ORDER", "WRITE", "__INIT__", ""],
)
def test_method_that_is_not_supported_is_a_405(method: str) -> None:
    answer = call(serve(Get), method=method, is_validated=False)
    assert answer.status_code == 405


def test_method_of_ones_own_is_added_by_name() -> None:
    class Dav(RequestHandler):
        SUPPORTED_METHODS = (*RequestHandler.SUPPORTED_METHODS, "PROPFIND")

        def propfind(self) -> None:
            self.write("properties")

    answer = call(serve(Dav), method="PROPFIND", is_validated=False)
    assert answer.text == "properties"


def test_method_that_is_supported_but_missing_is_a_mistake_of_the_program() -> None:
    class Dav(RequestHandler):
        SUPPORTED_METHODS = (*RequestHandler.SUPPORTED_METHODS, "PROPFIND")

    with ExpectLog(APPLICATION, "Uncaught exception PROPFIND /"):
        answer = call(serve(Dav), method="PROPFIND", is_validated=False)
    assert answer.status_code == 500


def test_method_may_be_taken_away() -> None:
    class ReadOnly(Get):
        SUPPORTED_METHODS = ("HEAD",)

    assert call(serve(ReadOnly)).status_code == 405


# -- Groups of the path


class Groups(RequestHandler):
    def prepare(self) -> None:
        self.before = (list(self.path_args), dict(self.path_kwargs))

    def get(self, *args: str, **kwargs: str) -> None:
        assert self.before == (list(args), kwargs)
        self.write(repr(args or kwargs))


@pytest.mark.parametrize(
    ("pattern", "target", "expected"),
    [
        ("/", "/", {}),
        ("/(.*)/(.*)", "/a/b", ("a", "b")),
        ("/(?P<x>.*)/(?P<y>.*)", "/a/b", {"x": "a", "y": "b"}),
        ("/(.*)", "/%C3%A9+%2B%2520", ("é++%20",)),
        ("/(.*)", "/", ("",)),
        ("/(a)?(b)?", "/b", (None, "b")),
        ("/(?P<x>a)?(?P<y>b)?", "/b", {"x": None, "y": "b"}),
    ],
    ids=["none", "by place", "by name", "decoded", "empty", "no part", "named no part"],
)
def test_groups_are_arguments_of_the_verb_and_known_before(
    pattern: str, target: str, expected: object
) -> None:
    assert call(serve(Groups, pattern), target).text == repr(expected)


def test_slash_that_was_quoted_belongs_to_its_group() -> None:
    answer = call(serve(Groups, "/([^/]*)/(.*)"), "/a%2Fb/c", RAW_URI="/a%2Fb/c")
    assert answer.text == "('a/b', 'c')"


def test_group_that_is_no_utf8_is_a_400() -> None:
    with ExpectLog("wsgitornado.general", r"400 GET /%FF .*: Invalid unicode in url"):
        assert call(serve(Groups, "/(.*)"), "/%ff").status_code == 400


def test_verb_that_does_not_take_the_groups_is_a_mistake_of_the_program() -> None:
    with ExpectLog(APPLICATION, "Uncaught exception GET /x"):
        assert call(serve(Get, "/(.*)"), "/x").status_code == 500


# -- initialize and prepare


def test_initialize_gets_the_keywords_of_the_rule_for_each_request() -> None:
    class Counting(RequestHandler):
        def initialize(self, seen: list[object]) -> None:  # type: ignore[override]  # each handler takes its own
            seen.append(self)

        def get(self) -> None:
            pass

    seen: list[object] = []
    application = Application([("/", Counting, {"seen": seen})])
    assert [call(application).status_code for _ in range(2)] == [200, 200]
    assert len(set(map(id, seen))) == 2


@pytest.mark.parametrize(
    ("error", "status_code"),
    [(HTTPError(418), 418), (LookupError("secret"), 500)],
    ids=["HTTPError", "another"],
)
@pytest.mark.parametrize("hook", ["initialize", "set_default_headers"])
def test_failure_before_there_is_a_handler_is_answered(
    hook: str, error: Exception, status_code: int
) -> None:
    def fail(self: RequestHandler) -> None:
        raise error

    handler = type("Handler", (Get,), {hook: fail})
    with ExpectLog(APPLICATION, "Uncaught exception GET /", required=False):
        answer = call(serve(handler))
    assert answer.status_code == status_code
    assert "secret" not in answer.text


def test_prepare_comes_before_the_verb_whichever_it_is() -> None:
    class Prepared(RequestHandler):
        def prepare(self) -> None:
            self.write(f"{self.request.method} ")

        def post(self) -> None:
            self.write("done")

    assert call(serve(Prepared), method="POST", body=b"").text == "POST done"
    assert call(serve(Prepared), method="PUT", body=b"").status_code == 405


async def pause() -> None:
    await asyncio.sleep(0)


class FinishedEarly(Get):
    def prepare(self) -> None:
        self.finish("early")


class FinishedEarlyOnTheLoop(Get):
    async def prepare(self) -> None:
        await pause()
        self.redirect("/login")


class Refused(Get):
    async def prepare(self) -> None:
        await pause()
        raise HTTPError(403)


class Ended(Get):
    def prepare(self) -> None:
        raise Finish("ended")


@pytest.mark.parametrize(
    ("handler", "status_code", "text"),
    [
        (FinishedEarly, 200, "early"),
        (FinishedEarlyOnTheLoop, 302, ""),
        (
            Refused,
            403,
            "<html><title>403: Forbidden</title><body>403: Forbidden</body></html>",
        ),
        (Ended, 200, "ended"),
    ],
)
def test_verb_does_not_run_once_prepare_has_answered(
    handler: type[RequestHandler], status_code: int, text: str
) -> None:
    answer = call(serve(handler))
    assert (answer.status_code, answer.text) == (status_code, text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((), "written "), (("more",), "written more"), ((b"more",), "written more")],
    ids=["nothing", "text", "bytes"],
)
def test_finish_sends_what_is_written_and_its_argument(
    arguments: tuple[Any, ...], text: str
) -> None:
    class Ending(RequestHandler):
        def get(self) -> None:
            self.write("written ")
            raise Finish(*arguments)

    assert call(serve(Ending)).text == text


def test_finish_after_the_end_is_no_error() -> None:
    class Ending(RequestHandler):
        def get(self) -> None:
            self.finish("whole")
            raise Finish("more")

    assert call(serve(Ending)).text == "whole"


def test_finish_that_cannot_be_sent_is_an_error() -> None:
    class Ending(RequestHandler):
        def get(self) -> None:
            raise Finish(["no list"])

    failing(Ending, "no list")


# -- What methods return


@pytest.mark.parametrize("name", ["get", "prepare"])
@pytest.mark.parametrize(
    "value", [5, "text", b"", {"a": 1}, False, [1]], ids=lambda value: repr(value)
)
def test_returning_something_is_a_mistake_that_is_named(name: str, value: Any) -> None:
    handler = type("Handler", (Get,), {name: lambda self: value})
    kind = type(value).__name__
    with ExpectLog(APPLICATION, "Uncaught exception GET /"):
        answer = call(Application([("/", handler)], serve_traceback=True))
    assert answer.status_code == 500
    assert f"TypeError: {name}() returned {kind}: a handler's method" in answer.text


@pytest.mark.parametrize("name", ["get", "prepare"])
def test_what_finish_returns_may_be_returned(name: str) -> None:
    handler = type("Handler", (Get,), {name: lambda self: self.finish("x")})
    assert call(serve(handler)).text == "x"


def test_verb_that_did_not_finish_is_finished_by_a_callback() -> None:
    class Later(RequestHandler):
        def get(self) -> None:
            self._auto_finish = False
            parking.background_loop().call_soon_threadsafe(self.finish, "later")

    assert call(serve(Later)).text == "later"


def test_handler_without_auto_finish_may_finish_itself() -> None:
    class Manual(RequestHandler):
        def get(self) -> None:
            self._auto_finish = False
            self.finish("by hand")

    assert call(serve(Manual)).text == "by hand"


# -- Errors


def test_failure_after_the_answer_is_only_logged() -> None:
    class Late(RequestHandler):
        def get(self) -> None:
            self.finish("whole")
            raise LookupError

    with ExpectLog(APPLICATION, "Uncaught exception GET /"):
        answer = call(serve(Late))
    assert (answer.status_code, answer.text) == (200, "whole")


def test_client_that_is_gone_after_its_answer_is_no_error() -> None:
    class Late(RequestHandler):
        def get(self) -> None:
            self.finish("whole")
            raise StreamClosedError

    assert call(serve(Late)).text == "whole"


def test_failure_of_the_log_is_contained() -> None:
    class Logged(RequestHandler):
        def log_exception(self, *exc_info: object) -> None:
            raise OSError("disk full")

        def get(self) -> None:
            raise HTTPError(409)

    with ExpectLog(APPLICATION, "Error in exception logger") as log:
        assert call(serve(Logged)).status_code == 409
    assert log.logged_stack


def test_log_may_be_written_in_another_way() -> None:
    class Logged(RequestHandler):
        def log_exception(self, *exc_info: object) -> None:
            seen.append(exc_info[1])

        def get(self) -> None:
            raise error

    seen: list[object] = []
    error = LookupError()
    assert call(serve(Logged)).status_code == 500
    assert seen == [error]


def test_message_of_an_error_is_one_line_of_the_log() -> None:
    class Hostile(RequestHandler):
        def get(self) -> None:
            raise HTTPError(400, "no %s", "a\nfake line")

    expected = r"400 GET /\?x=%0A \(127.0.0.1\): no a\\x0afake line$"
    with ExpectLog("wsgitornado.general", expected):
        call(serve(Hostile), "/?x=%0A")


@pytest.mark.parametrize(
    "host", ["a b", "a/b", "a,b", "a:b", "user@host", "[::1", "a" * 400, "\xff"]
)
def test_host_that_is_none_is_a_400_before_anything_runs(host: str) -> None:
    class Never(RequestHandler):
        def prepare(self) -> None:
            raise AssertionError("it ran")

    with ExpectLog("wsgitornado.general", "400 GET / .*: Invalid Host header"):
        assert call(serve(Never), HTTP_HOST=host).status_code == 400


@pytest.mark.parametrize("host", [None, ""], ids=["none", "empty"])
def test_request_without_a_host_is_answered(host: str | None) -> None:
    assert call(serve(Get), HTTP_HOST=host).status_code == 200
