"""WSGIContainer, WSGIAdapter and WSGIApplication: the names of tornado.wsgi."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest

from tests.support import call, make_environ
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, FallbackHandler, RequestHandler
from wsgitornado.wsgi import WSGIAdapter, WSGIApplication, WSGIContainer

HEADERS = [("Content-Type", "text/plain")]

visits: ContextVar[int] = ContextVar("visits", default=0)


class Inner:
    """A WSGI application that notes in which thread each step is taken."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.steps: list[tuple[str, str]] = []

    def step(self, name: str) -> None:
        self.steps.append((name, threading.current_thread().name))
        visits.set(visits.get() + 1)
        if name == self.failing:
            raise ZeroDivisionError(name)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        self.step("call")
        start_response("200 OK", HEADERS)
        return InnerBody(
            self, environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH", 0)))
        )


class InnerBody:
    def __init__(self, inner: Inner, sent: bytes) -> None:
        self.inner = inner
        self.sent = sent

    def __iter__(self) -> Iterator[bytes]:
        self.inner.step("first")
        yield b"%d;" % visits.get()
        self.inner.step("second")
        yield b"%d;" % visits.get() + self.sent

    def close(self) -> None:
        self.inner.step("close")


@pytest.fixture
def one_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="one") as executor:
        yield executor


def beside_us(fallback: Any) -> Application:
    return Application([(r".*", FallbackHandler, {"fallback": fallback})])


class Home(RequestHandler):
    def get(self) -> None:
        self.write(f"home of {self.application.settings['owner']}")


# --- WSGIContainer ----------------------------------------------------------------


@pytest.mark.parametrize("around", [lambda container: container, beside_us])
def test_container_changes_nothing(around: Any) -> None:
    inner = Inner()
    answer = call(around(WSGIContainer(inner)), method="POST", body=b"sent")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.body.endswith(b"sent")
    here = threading.current_thread().name
    assert inner.steps == [(s, here) for s in ("call", "first", "second", "close")]


def test_executor_takes_every_step_of_a_request(one_thread: ThreadPoolExecutor) -> None:
    inner = Inner()
    container = WSGIContainer(inner, executor=one_thread)
    assert container.executor is one_thread
    answer = call(beside_us(container), method="POST", body=b"sent")
    assert answer.body.endswith(b"sent")
    steps = ("call", "first", "second", "close")
    assert inner.steps == [(step, "one_0") for step in steps]


def test_context_goes_along_into_the_executor_and_from_step_to_step(
    one_thread: ThreadPoolExecutor,
) -> None:
    token = visits.set(10)
    try:
        container = WSGIContainer(Inner(), executor=one_thread)
        assert call(container, method="POST", body=b"").chunks == [b"12;", b"13;"]
        # What the application sets in its own thread stays there.
        assert visits.get() == 10
    finally:
        visits.reset(token)


def test_complete_answer_of_an_executor_is_still_a_list(
    one_thread: ThreadPoolExecutor,
) -> None:
    def inner(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", HEADERS)
        return [b"whole"]

    body = WSGIContainer(inner, one_thread)(make_environ(), lambda *args: print)
    assert body == [b"whole"]


@pytest.mark.parametrize(
    ("failing", "is_answered"), [("call", True), ("first", True), ("second", False)]
)
def test_failure_in_an_executor_is_one_outside_too(
    one_thread: ThreadPoolExecutor, failing: str, is_answered: bool
) -> None:
    inner = Inner(failing)
    application = beside_us(WSGIContainer(inner, one_thread))
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        if is_answered:
            assert call(application).status_code == 500
        else:
            with pytest.raises(ZeroDivisionError):
                call(application)
    closed = [step for step, _ in inner.steps].count("close")
    assert closed == (0 if failing == "call" else 1)


def test_body_without_close_is_closed_by_nobody(one_thread: ThreadPoolExecutor) -> None:
    def inner(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", HEADERS)
        return iter([b"a", b"b"])

    assert call(WSGIContainer(inner, one_thread)).chunks == [b"a", b"b"]


def test_executor_that_is_shut_down_is_answered_with_500() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        answer = call(beside_us(WSGIContainer(Inner(), executor)))
    assert answer.status_code == 500


def test_container_gives_the_environ_of_a_request() -> None:
    environ = make_environ("/path")
    request = HTTPServerRequest(environ)
    assert WSGIContainer.environ(request) is environ
    assert WSGIContainer(Inner()).environ(request) is environ


@pytest.mark.parametrize("wrapper", [WSGIContainer, WSGIAdapter])
@pytest.mark.parametrize("wrong", [None, "module:app", 1])
def test_what_is_no_application_is_refused_at_once(wrapper: Any, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"holds a WSGI application.*got "):
        wrapper(wrong)


# --- WSGIAdapter, WSGIApplication -------------------------------------------------


def test_adapter_calls_its_application() -> None:
    application = Application([(r"/", Home)], owner="Ada")
    adapter = WSGIAdapter(application)
    assert adapter.application is application
    assert call(adapter).text == "home of Ada"


def test_adapter_returns_the_very_body_of_its_application() -> None:
    # A server knows a body that it can wait for by its identity.
    body: list[bytes] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", HEADERS)
        return body

    adapter = WSGIAdapter(application)  # type: ignore[arg-type]  # any callable serves
    assert adapter(make_environ(), lambda *args: print) is body


def test_wsgi_application_is_an_application_as_programs_of_tornado_3_made_it() -> None:
    application = WSGIApplication([(r"/", Home)], "localhost", owner="Grace")
    assert isinstance(application, Application)
    assert application.default_host == "localhost"
    assert call(application).text == "home of Grace"
    assert call(application, "/nowhere").status_code == 404


# --- An Application inside another ------------------------------------------------


@pytest.mark.parametrize("target", ["/", "/nowhere"])
def test_application_under_a_fallback_has_one_line_in_the_log(target: str) -> None:
    lines: list[str] = []
    finished: list[str] = []

    class Outer(FallbackHandler):
        def on_finish(self) -> None:
            finished.append("outer")

    class Inner(Home):
        def on_finish(self) -> None:
            finished.append("inner")

    inner = Application(
        [(r"/", Inner)], log_function=lambda h: lines.append("inner"), owner="Ada"
    )
    outer = Application(
        [(r".*", Outer, {"fallback": inner})],
        log_function=lambda h: lines.append("outer"),
    )
    answer = call(outer, target)
    assert answer.status_code == (200 if target == "/" else 404)
    assert lines == ["inner"]
    assert finished == (["inner", "outer"] if target == "/" else ["outer"])


def test_upload_that_was_read_before_is_read_again_by_an_application_inside() -> None:
    class Upload(RequestHandler):
        def post(self) -> None:
            self.write({"length": len(self.request.body)})

    class Outer(FallbackHandler):
        def prepare(self) -> None:
            assert len(self.request.body) == 2 << 20
            super().prepare()

    inner = Application([(r"/", Upload)])
    outer = Application([(r".*", Outer, {"fallback": inner})])
    answer = call(outer, method="POST", body=bytes(2 << 20))
    assert answer.text == '{"length": 2097152}'
