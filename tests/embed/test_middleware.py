"""WSGI middleware around us: what it adds stays, and what we answer arrives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from werkzeug.debug import DebuggedApplication
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from whitenoise import WhiteNoise  # type: ignore[import-untyped]  # it has no annotations

from tests.support import Answer, call, make_environ
from wsgitornado._types import (
    Body,
    HeaderList,
    StartResponse,
    WSGIApplication,
    WSGIEnvironment,
)
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, FallbackHandler, RequestHandler

# --- Us ---------------------------------------------------------------------------


@dataclass
class Us:
    """Our application, and what has come to an end in it."""

    finished: Counter[str] = field(default_factory=Counter)
    closed: Counter[str] = field(default_factory=Counter)
    logged: list[str] = field(default_factory=list)

    def application(self) -> Application:
        us = self

        class Base(RequestHandler):
            def set_default_headers(self) -> None:
                self.set_header("X-Own", "ours")

            def on_finish(self) -> None:
                us.finished[self.request.path] += 1

        class Fallback(FallbackHandler):
            def on_finish(self) -> None:
                us.finished[self.request.path] += 1

        class Complete(Base):
            def get(self) -> None:
                self.write("complete")

            head = get

            def post(self) -> None:
                self.write(sha256(self.request.body).hexdigest())

        class Flushed(Base):
            def get(self) -> None:
                for text in ("one;", "two;"):
                    self.write(text)
                    self.flush()
                self.write("end")

            head = get

        class Fails(Base):
            def get(self) -> None:
                self.write("never seen")
                raise ZeroDivisionError("before output")

        class Breaks(Base):
            def get(self) -> None:
                self.write("begun;")
                self.flush()
                raise ZeroDivisionError("after output")

        inner = {"fallback": self.embedded}
        rules: list[Any] = [
            (r"/complete", Complete),
            (r"/flushed", Flushed),
            (r"/fails", Fails),
            (r"/breaks", Breaks),
            (r"/inner/.*", Fallback, inner),
        ]
        return Application(rules, log_function=self.log)

    def log(self, handler: RequestHandler) -> None:
        self.logged.append(f"{handler.get_status()} {handler.request.path}")

    def embedded(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        """A foreign application whose body is a generator with a close of its own."""
        path = environ["PATH_INFO"]
        headers = [("Content-Type", "text/plain"), ("X-Own", "embedded")]
        if path == "/inner/raises":
            raise ZeroDivisionError("before start_response")
        if path == "/inner/upload":
            length = int(environ["CONTENT_LENGTH"])
            digest = sha256(environ["wsgi.input"].read(length)).hexdigest()
            start_response("201 Created", headers)
            return self.chunks(path, digest.encode())
        if path == "/inner/write":
            start_response("200 OK", headers)(b"written;")
            return self.chunks(path, b"end")
        start_response("200 OK", headers)
        return self.chunks(path, b"one;", b"two;", b"end")

    def chunks(self, path: str, *chunks: bytes) -> EmbeddedBody:
        return EmbeddedBody(self, path, chunks)

    def ended_once(self, path: str) -> bool:
        """Whether the one request that there was has ended, and once only."""
        return self.finished == Counter({path: 1}) and len(self.logged) == 1


class EmbeddedBody:
    def __init__(self, us: Us, path: str, chunks: tuple[bytes, ...]) -> None:
        self.us = us
        self.path = path
        self.chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        failing = {"/inner/fails": 0, "/inner/breaks": 1}.get(self.path)
        for number, chunk in enumerate(self.chunks):
            if number == failing:
                raise ZeroDivisionError(f"at chunk {number}")
            yield chunk

    def close(self) -> None:
        self.us.closed[self.path] += 1


# --- Middleware -------------------------------------------------------------------


def add_header(application: WSGIApplication) -> WSGIApplication:
    def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        def start(status: str, headers: HeaderList, *exc_info: Any) -> Any:
            return start_response(status, [*headers, ("X-Added", "yes")], *exc_info)

        return application(environ, start)

    return middleware


def generate(application: WSGIApplication) -> WSGIApplication:
    """Calls the application only when its body is asked for, as tracing does."""

    def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        body = application(environ, start_response)
        try:
            yield from body
        finally:
            if hasattr(body, "close"):
                body.close()

    return middleware


def gather(application: WSGIApplication) -> WSGIApplication:
    """Gathers the whole answer before any of it goes out, as caches do."""

    def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        started: list[Any] = []
        chunks: list[bytes] = []

        def start(status: str, headers: HeaderList, *exc_info: Any) -> Any:
            started[:] = [status, headers]
            return chunks.append

        body = application(environ, start)
        try:
            chunks.extend(body)
        finally:
            if hasattr(body, "close"):
                body.close()
        status, headers = started
        start_response(status, headers)
        return [b"".join(chunks)]

    return middleware


def mount(application: WSGIApplication) -> WSGIApplication:
    return DispatcherMiddleware(add_header(application), {"/elsewhere": gather})  # type: ignore[dict-item]  # never called


def static(application: WSGIApplication) -> WSGIApplication:
    return WhiteNoise(application, root=str(Path(__file__).parent), prefix="static")  # type: ignore[no-any-return]  # it has no annotations


def debug(application: WSGIApplication) -> WSGIApplication:
    return DebuggedApplication(application, evalex=False)


def trace(application: WSGIApplication) -> WSGIApplication:
    return OpenTelemetryMiddleware(application)


def stack(application: WSGIApplication) -> WSGIApplication:
    for middleware in (gather, trace, generate, add_header):
        application = middleware(application)
    return application


Middleware = Callable[[WSGIApplication], WSGIApplication]

MIDDLEWARE: dict[str, Middleware] = {
    "none": lambda application: application,
    "adds a header": add_header,
    "is a generator": generate,
    "gathers": gather,
    "WhiteNoise": static,
    "the debugger": debug,
    "the dispatcher": mount,
    "OpenTelemetry": trace,
    "four of them": stack,
}
ADD_HEADERS = (add_header, mount, stack)


@pytest.fixture
def us() -> Us:
    return Us()


@pytest.fixture(params=list(MIDDLEWARE.values()), ids=list(MIDDLEWARE))
def middleware(request: pytest.FixtureRequest) -> Middleware:
    chosen: Middleware = request.param
    return chosen


def check_headers(middleware: Middleware, answer: Answer, own: str | None) -> None:
    assert answer.headers.get("X-Own") == own
    assert answer.headers.get("X-Added") == (
        "yes" if middleware in ADD_HEADERS else None
    )


# --- What arrives -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "own", "body"),
    [
        ("/complete", "ours", b"complete"),
        ("/flushed", "ours", b"one;two;end"),
        ("/inner/streamed", "embedded", b"one;two;end"),
        ("/inner/write", "embedded", b"written;end"),
    ],
)
def test_answer_arrives_whole_and_ends_once(
    us: Us, middleware: Middleware, target: str, own: str, body: bytes
) -> None:
    answer = call(middleware(us.application()), target)
    assert (answer.status_code, answer.body) == (200, body)
    check_headers(middleware, answer, own)
    assert us.ended_once(target)
    assert us.closed[target] == target.startswith("/inner/")
    assert us.logged == [f"200 {target}"]


@pytest.mark.parametrize(
    ("target", "own"),
    [
        ("/complete", "ours"),
        ("/flushed", "ours"),
        ("/inner/streamed", "embedded"),
        ("/inner/write", "embedded"),
    ],
)
def test_head_has_headers_and_no_body(
    us: Us, middleware: Middleware, target: str, own: str
) -> None:
    answer = call(middleware(us.application()), target, "HEAD")
    assert (answer.status_code, answer.body) == (200, b"")
    check_headers(middleware, answer, own)
    if target == "/complete":
        assert answer.headers["Content-Length"] == "8"
    assert us.ended_once(target)
    assert us.closed[target] == target.startswith("/inner/")


def test_unknown_path_is_our_404(us: Us, middleware: Middleware) -> None:
    answer = call(middleware(us.application()), "/unknown")
    assert (answer.status_code, "404: Not Found" in answer.text) == (404, True)
    check_headers(middleware, answer, None)
    assert us.logged == ["404 /unknown"]


@pytest.mark.parametrize(
    ("target", "status"), [("/complete", 200), ("/inner/upload", 201)]
)
@pytest.mark.parametrize("size", [0, 10, 3 << 20])
def test_upload_arrives_whole(
    us: Us, middleware: Middleware, target: str, status: int, size: int
) -> None:
    body = bytes(range(256)) * (size // 256) + b"\0" * (size % 256)
    answer = call(middleware(us.application()), target, "POST", body=body)
    assert answer.status_code == status
    assert answer.text == sha256(body).hexdigest()
    assert us.ended_once(target)


# --- Failures ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "own"),
    [("/fails", "ours"), ("/inner/raises", None), ("/inner/fails", None)],
)
def test_failure_before_output_is_answered_with_our_500(
    us: Us, middleware: Middleware, target: str, own: str | None
) -> None:
    with ExpectLog("wsgitornado.application", "Uncaught exception") as log:
        answer = call(middleware(us.application()), target)
    assert log.logged_stack
    assert answer.status_code == 500
    assert "500: Internal Server Error" in answer.text
    assert "one;" not in answer.text
    check_headers(middleware, answer, own)
    assert us.ended_once(target)
    assert us.closed[target] == (target == "/inner/fails")
    assert us.logged == [f"500 {target}"]


@pytest.mark.parametrize("target", ["/breaks", "/inner/breaks"])
def test_failure_after_output_is_no_answer(
    us: Us, middleware: Middleware, target: str
) -> None:
    application = middleware(us.application())
    with ExpectLog("wsgitornado.application", "Uncaught exception") as log:
        if target == "/breaks":
            with ExpectLog("wsgitornado.general", "Cannot send error response"):
                break_off(application, middleware, target)
        else:
            break_off(application, middleware, target)
    assert log.logged_stack
    assert us.ended_once(target)
    assert us.closed[target] == (target == "/inner/breaks")
    assert us.logged == [f"200 {target}"]


def break_off(
    application: WSGIApplication, middleware: Middleware, target: str
) -> None:
    if middleware is not debug:
        with pytest.raises(Exception, match=r"at chunk 1|broke off"):
            call(application, target)
        return
    # The debugger lets nothing through: it tells the server's log.
    environ = make_environ(target)
    starts: list[str] = []

    def start_response(status: str, headers: HeaderList, exc_info: Any = None) -> Any:
        starts.append(status)
        assert len(starts) == 1
        return lambda data: None

    body: Any = application(environ, start_response)
    assert list(body) == ([b"one;"] if target == "/inner/breaks" else [])
    body.close()
    assert "headers were already sent" in environ["wsgi.errors"].getvalue()


@pytest.mark.parametrize("target", ["/inner/streamed", "/flushed"])
def test_client_that_leaves_ends_the_request_once(
    us: Us, middleware: Middleware, target: str
) -> None:
    body: Any = middleware(us.application())(
        make_environ(target), lambda *args: lambda data: None
    )
    next(iter(body), None)
    close = getattr(body, "close", lambda: None)
    close()
    close()
    assert us.ended_once(target)
    assert us.closed[target] == (target == "/inner/streamed")


@pytest.mark.parametrize("target", ["/inner/streamed", "/flushed"])
def test_body_that_is_never_iterated_is_closed_once(us: Us, target: str) -> None:
    body: Any = us.application()(make_environ(target), lambda *args: lambda data: None)
    body.close()
    body.close()
    assert us.ended_once(target)
    assert us.closed[target] == (target == "/inner/streamed")


# --- What each of them is for -----------------------------------------------------


def test_whitenoise_answers_for_its_files_without_us(us: Us) -> None:
    answer = call(static(us.application()), f"/static/{Path(__file__).name}")
    assert answer.body == Path(__file__).read_bytes()
    assert us.logged == []


@pytest.mark.parametrize(
    ("target", "status"),
    [("/complete", 200), ("/flushed", 200), ("/inner/streamed", 200), ("/gone", 404)],
)
def test_span_of_opentelemetry_ends_with_the_answer(
    us: Us, target: str, status: int
) -> None:
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traced = OpenTelemetryMiddleware(us.application(), tracer_provider=provider)
    call(traced, target)
    (span,) = exporter.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["http.status_code"] == status
    provider.shutdown()


def test_exception_in_another_application_is_shown_by_the_debugger_around_it() -> None:
    def fails(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        raise ZeroDivisionError("shown")

    rules: list[Any] = [(r".*", FallbackHandler, {"fallback": debug(fails)})]
    answer = call(Application(rules), "/")
    assert answer.status_code == 500
    assert "ZeroDivisionError: shown" in answer.text
