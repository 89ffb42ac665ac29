"""Request ids: in the request, in its answer, and in every line of the log."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any
from wsgiref.types import StartResponse

import pytest

from tests.support import Answer, call
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.log import json_access_log
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    FallbackHandler,
    RequestHandler,
    RequestIdFilter,
    current_request_id,
)

log = logging.getLogger("tests.request_ids")


class PlainHandler(RequestHandler):
    def get(self) -> None:
        log.info("plain")
        self.write(f"{self.request.request_id} {current_request_id()}")


class AsyncHandler(RequestHandler):
    async def get(self) -> None:
        await asyncio.sleep(0)
        log.info("async")
        await asyncio.gather(note(), note())
        self.write(f"{self.request.request_id} {current_request_id()}")


async def note() -> None:
    log.info("task")


class StreamHandler(RequestHandler):
    async def get(self) -> None:
        self.write("one ")
        await self.flush()
        self.write(str(current_request_id()))


class FailingHandler(RequestHandler):
    def get(self) -> None:
        raise RuntimeError("a failure of the test")


def embedded(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    log.info("embedded")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["HTTP_X_REQUEST_ID"].encode()]


RULES: list[Any] = [
    ("/plain", PlainHandler),
    ("/async", AsyncHandler),
    ("/stream", StreamHandler),
    ("/fails", FailingHandler),
    ("/embedded", FallbackHandler, {"fallback": embedded}),
]
app = Application(RULES, request_ids=True)


class _Collecting(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.addFilter(RequestIdFilter())
        self.setFormatter(logging.Formatter("%(request_id)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What a handler of logging with the filter writes."""
    handler = _Collecting()
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler.lines
    root.setLevel(before)
    root.removeHandler(handler)


def get(target: str, request_id: str | None = None) -> Answer:
    headers = [] if request_id is None else [("X-Request-Id", request_id)]
    return call(app, target, headers=headers)


@pytest.mark.parametrize("target", ["/plain", "/async"])
def test_id_of_the_client_is_used(target: str) -> None:
    answer = get(target, "edge-1:a/b+c=@.d_")
    assert answer.headers["X-Request-Id"] == "edge-1:a/b+c=@.d_"
    assert answer.text == "edge-1:a/b+c=@.d_ edge-1:a/b+c=@.d_"


@pytest.mark.parametrize("length", [1, 128])
def test_length_of_an_id_is_free_within_bounds(length: int) -> None:
    assert get("/plain", "a" * length).headers["X-Request-Id"] == "a" * length


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("a" * 129, id="too long"),
        pytest.param("a b", id="blank"),
        pytest.param("a\n", id="end of line"),
        pytest.param('a"b', id="quote"),
        pytest.param("a,b", id="two"),
        pytest.param("\xe9", id="letter beyond ASCII"),
        pytest.param("\x1b[31m", id="terminal control"),
    ],
)
def test_new_id_is_made_in_place_of_no_good_one(sent: str | None) -> None:
    first, second = get("/plain", sent), get("/plain", sent)
    made = first.headers["X-Request-Id"]
    assert len(made) == 32
    assert made.isalnum()
    assert first.text == f"{made} {made}"
    assert second.headers["X-Request-Id"] != made


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("/missing", "404 GET /missing"),
        ("/fails", "500 GET /fails"),
        ("/stream", ""),
    ],
)
def test_every_answer_has_its_id(target: str, line: str, lines: list[str]) -> None:
    with ExpectLog("wsgitornado.application", "(?s)Uncaught", required=False):
        answer = get(target, "abc")
    assert answer.headers["X-Request-Id"] == "abc"
    if line:
        # The line of the access log is written within the request.
        assert any(one.startswith(f"abc {line}") for one in lines)
    else:
        assert answer.text == "one abc"


@pytest.mark.parametrize(
    ("target", "messages"),
    [
        ("/plain", ["plain"]),
        ("/async", ["async", "task", "task"]),
        ("/embedded", ["embedded"]),
    ],
)
def test_lines_of_the_log_have_the_id(
    target: str, messages: list[str], lines: list[str]
) -> None:
    get(target, "abc")
    own = [line for line in lines if line.partition(" ")[2] in messages]
    if target == "/embedded":
        # It runs after the handler, outside of its context.
        assert own == ["- embedded"]
    else:
        assert own == [f"abc {message}" for message in messages]


def test_embedded_application_finds_the_id_in_its_header() -> None:
    assert get("/embedded", "abc").text == "abc"
    assert len(get("/embedded", "a b").text) == 32


def test_line_outside_of_a_request_has_a_dash(lines: list[str]) -> None:
    get("/plain", "abc")
    log.info("outside")
    assert lines[-1] == "- outside"
    assert current_request_id() is None


def test_record_that_names_another_request_keeps_it(lines: list[str]) -> None:
    log.info("told", extra={"request_id": "xyz"})
    assert lines[-1] == "xyz told"


@pytest.mark.parametrize("target", ["/plain", "/stream"])
def test_log_function_finds_the_id_in_the_request(target: str) -> None:
    seen: list[str | None] = []
    app = Application(
        RULES,
        request_ids=True,
        log_function=lambda handler: seen.append(handler.request.request_id),
    )
    call(app, target, headers=[("X-Request-Id", "abc")])
    assert seen == ["abc"]


@pytest.mark.parametrize("target", ["/plain", "/stream"])
def test_access_log_in_json_has_the_id(
    target: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Application(RULES, request_ids=True, log_function=json_access_log)
    with caplog.at_level(logging.INFO, "wsgitornado.access"):
        call(app, target, headers=[("X-Request-Id", "abc")])
    (line,) = [r.getMessage() for r in caplog.records if "access" in r.name]
    assert json.loads(line)["request_id"] == "abc"


def test_without_the_setting_there_is_no_id() -> None:
    answer = call(Application(RULES), "/plain", headers=[("X-Request-Id", "abc")])
    assert answer.text == "None None"
    assert "X-Request-Id" not in answer.headers


def test_request_has_no_id_of_its_own() -> None:
    assert HTTPServerRequest({}).request_id is None
