"""FallbackHandler: another WSGI application, streamed, closed, and always answered."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any
from wsgiref.util import FileWrapper

import pytest

from tests.support import call, make_environ, run
from tests.web.embedded import PLAIN, Body, Embedded, answering, writer
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.web import Application, FallbackHandler, RequestHandler

# -- What may be embedded


@pytest.mark.parametrize("fallback", [None, 5, "app", []], ids=repr)
def test_what_cannot_be_called_is_refused_at_construction(fallback: Any) -> None:
    request = HTTPServerRequest(make_environ())
    with pytest.raises(TypeError, match=r"fallback is a WSGI application, .*: got"):
        FallbackHandler(Application(), request, fallback=fallback)


def generator(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("201 Created", [*PLAIN, ("X-Inner", "1")])
    yield b"one "
    yield b"two"


class AnObject:
    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response("201 Created", [*PLAIN, ("X-Inner", "1")])
        return Body(b"one ", b"", b"two")


class AsHandler(RequestHandler):
    def get(self) -> None:
        self.set_status(201)
        self.set_header("X-Inner", "1")
        self.write("one two")


@pytest.mark.parametrize(
    "fallback",
    [
        generator,
        writer,
        AnObject(),
        Application([("/.*", AsHandler)]),
        Application([("/.*", FallbackHandler, {"fallback": generator})]),
    ],
    ids=["generator", "write", "object", "Application", "nested"],
)
def test_answer_of_any_application_is_the_servers_as_it_is(fallback: Any) -> None:
    embedded = Embedded(fallback)
    answer = embedded.call("/some%20where?x")
    assert (answer.status, answer.text) == ("201 Created", "one two")
    assert answer.headers["X-Inner"] == "1"
    assert embedded.ends == [201]


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_embedded_application_sees_the_request_untouched(method: str) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.update(environ)
        start_response("200 OK", PLAIN)
        return [environ["wsgi.input"].read()]

    class Input(io.BytesIO):
        pass

    seen: dict[str, Any] = {}
    environ = make_environ("/a%20b?c", method, body=b"content", SCRIPT_NAME="/app")
    source = environ["wsgi.input"] = Input(b"content")
    before = dict(environ)
    answer = run(Embedded(application).application, environ)
    assert answer.body == b"content"
    assert seen == before
    assert seen["wsgi.input"] is source


def test_method_that_no_handler_supports_is_a_405_here_too() -> None:
    embedded = Embedded(generator)
    assert embedded.call(method="BREW", is_validated=False).status_code == 405


# -- Streaming


def test_body_is_made_on_demand_and_closed_once() -> None:
    body = Body(b"1", b"2", b"3")
    embedded = Embedded(answering(body))
    iterable: Any = embedded.application(make_environ(), lambda *_: print)
    assert body.taken == 0
    assert next(iterable) == b"1"
    assert (body.taken, body.closed, embedded.ends) == (1, 0, [])
    iterable.close()
    iterable.close()
    assert (body.taken, body.closed) == (1, 1)
    assert (embedded.ends, embedded.logged) == ([200], [200])


def test_body_that_nobody_takes_is_closed() -> None:
    body = Body(b"1")
    embedded = Embedded(answering(body, "404 Not Found"))
    iterable: Any = embedded.application(make_environ(), lambda *_: print)
    iterable.close()
    assert (body.taken, body.closed, embedded.ends) == (0, 1, [404])


@pytest.mark.parametrize("body", [[b"1", b"2"], (b"1", b"2")], ids=["list", "tuple"])
def test_complete_body_is_handed_over_as_it_is(body: Any) -> None:
    embedded = Embedded(answering(body))
    iterable: Any = embedded.application(make_environ(), lambda *_: print)
    assert iterable is body
    assert (embedded.ends, embedded.logged) == ([200], [200])


def test_list_with_something_to_close_is_closed() -> None:
    class Closing(list[bytes]):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    body = Closing([b"1"])
    embedded = Embedded(answering(body))
    assert embedded.call().body == b"1"
    assert (body.closed, embedded.ends) == (1, [200])


def test_failing_close_is_the_servers_to_know_and_ends_the_request() -> None:
    class Failing(Body):
        def close(self) -> None:
            raise LookupError("close")

    embedded = Embedded(answering(Failing(b"1")))
    with pytest.raises(LookupError, match="close"):
        embedded.call()
    assert (embedded.ends, embedded.logged) == ([200], [200])


@pytest.mark.parametrize(
    "fallback",
    [
        generator,
        writer,
        answering([b"1"]),
        answering(Body(b"", b"1")),
        answering(Body()),
    ],
    ids=["generator", "write", "list", "iterator", "empty"],
)
def test_head_has_the_headers_and_no_body(fallback: Any) -> None:
    embedded = Embedded(fallback)
    answer = embedded.call(method="HEAD")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.body == b""
    assert len(embedded.ends) == 1


def test_answer_to_head_stays_empty_however_often_it_is_asked() -> None:
    body = Body(b"1", b"2")
    embedded = Embedded(answering(body))
    iterable: Any = embedded.application(make_environ(method="HEAD"), lambda *_: print)
    assert [list(iterable), list(iterable)] == [[], []]
    iterable.close()
    assert (body.closed, embedded.ends) == (1, [200])


# -- Files


class Slotted:
    """A file wrapper that takes no attribute, as one written in C."""

    __slots__ = ("_file",)

    def __init__(self, file: Any, size: int = 8192) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter([self._file.read()])

    def close(self) -> None:
        self._file.close()


def file_sender(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    return environ["wsgi.file_wrapper"](environ["test.file"])


def send_file(wrapper: Any, embedded: Embedded) -> tuple[Any, io.BytesIO]:
    file = io.BytesIO(b"file")
    environ = make_environ()
    environ |= {"wsgi.file_wrapper": wrapper, "test.file": file}
    return embedded.application(environ, lambda *_: print), file


def test_file_wrapper_reaches_the_server_as_such() -> None:
    embedded = Embedded(file_sender)
    iterable, file = send_file(FileWrapper, embedded)
    assert type(iterable) is FileWrapper
    assert embedded.ends == []
    assert b"".join(iterable) == b"file"
    iterable.close()
    assert file.closed
    assert (embedded.ends, embedded.logged) == ([200], [200])


def test_file_wrapper_without_close_is_watched_too() -> None:
    class NoClose(FileWrapper):
        def __init__(self, file: Any) -> None:
            super().__init__(file)
            del self.close

    embedded = Embedded(file_sender)
    iterable, file = send_file(NoClose, embedded)
    assert type(iterable) is NoClose
    iterable.close()
    assert not file.closed
    assert embedded.ends == [200]


def test_file_wrapper_that_takes_no_attribute_is_watched_from_outside() -> None:
    embedded = Embedded(file_sender)
    iterable, file = send_file(Slotted, embedded)
    assert b"".join(iterable) == b"file"
    iterable.close()
    assert file.closed
    assert embedded.ends == [200]


def test_file_wrapper_that_is_no_class_is_watched_from_outside() -> None:
    embedded = Embedded(file_sender)
    iterable, file = send_file(lambda file: FileWrapper(file), embedded)
    assert b"".join(iterable) == b"file"
    iterable.close()
    assert file.closed
    assert embedded.ends == [200]


# -- Beside the rest


def test_prepare_may_keep_a_request_from_the_application() -> None:
    class Guarded(FallbackHandler):
        def prepare(self) -> None:
            if self.get_argument("token", "") != "right":
                self.set_status(403)
                self.finish("no")
            else:
                super().prepare()

    application = Application([("/", Guarded, {"fallback": generator})])
    assert call(application).text == "no"
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    assert call(application, "/", "POST", form, b"token=right").text == "one two"


def echo(environ: Any, start_response: Any) -> list[bytes]:
    write = start_response("200 OK", PLAIN)
    write(b"")
    return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]


class Echo(RequestHandler):
    def post(self) -> None:
        self.write(self.request.body)


@pytest.mark.parametrize(
    "fallback", [echo, Application([("/", Echo)])], ids=["any", "Application"]
)
def test_body_that_prepare_has_read_is_read_again_by_the_application(
    fallback: Any,
) -> None:
    class Reading(FallbackHandler):
        def prepare(self) -> None:
            assert self.request.body == b"content"
            super().prepare()

    application = Application([("/", Reading, {"fallback": fallback})])
    assert call(application, "/", "POST", body=b"content").body == b"content"


def test_embedded_application_of_ours_logs_its_requests_itself() -> None:
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]  # the shortest handler
    logger = logging.getLogger("wsgitornado.access")
    logger.addHandler(handler)
    try:
        with_inner = Embedded(Application([("/.*", AsHandler)]), log_function=None)
        assert with_inner.call("/x").status_code == 201
    finally:
        logger.removeHandler(handler)
    assert len(lines) <= 1
    assert with_inner.ends == [201]
