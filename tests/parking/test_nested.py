"""Parked answers of applications inside others: through FallbackHandler and routers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.parking.asking import BOTH, application_of, serving
from tests.parking.stacks import Record, Recorded, pause
from wsgitornado._types import (
    Body,
    StartResponse,
    WSGIApplication,
    WSGIEnvironment,
)
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, FallbackHandler

pytestmark = BOTH


async def native(handler: Recorded) -> None:
    await pause()
    handler.write("native")


def nested(application: WSGIApplication) -> Application:
    return Application([(r"/.*", FallbackHandler, {"fallback": application})])


@pytest.mark.parametrize(
    "around",
    [
        pytest.param(nested, id="FallbackHandler"),
        pytest.param(lambda inner: nested(nested(inner)), id="twice"),
        pytest.param(lambda inner: Application([(r"/.*", inner)]), id="router"),
    ],
)
def test_answer_of_an_application_inside_another_is_parked_too(
    parks: bool, around: Callable[[Any], Application]
) -> None:
    record = Record()
    application = around(application_of(native, Recorded, record))
    with serving(application, parks) as server:
        exchange = server.request()
        assert exchange.read_all() == b"native"
    assert exchange.is_parked == parks
    assert len(exchange.started_in) == 1
    assert (record.finished, record.logged) == ([200], [200])


class PreparedFallback(FallbackHandler):
    async def prepare(self) -> None:  # type: ignore[override]  # as a program does
        await pause()
        super().prepare()


@pytest.mark.parametrize("limit", [None, 1], ids=["no limit", "one thread may wait"])
def test_fallback_after_an_asynchronous_prepare(parks: bool, limit: int | None) -> None:
    record = Record()
    inner = application_of(native, Recorded, record, max_waiting_requests=limit)
    rules: list[Any] = [(r"/.*", PreparedFallback, {"fallback": inner})]
    application = Application(rules, max_waiting_requests=limit)
    with serving(application, parks) as server:
        exchange = server.request()
        assert exchange.read_all() == b"native"
    assert len(exchange.started_in) == 1
    assert (record.finished, record.logged) == ([200], [200])


def test_failing_fallback_after_an_asynchronous_prepare(parks: bool) -> None:
    def fails(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        raise ZeroDivisionError

    finished: list[int] = []

    class Fallback(PreparedFallback):
        def on_finish(self) -> None:
            finished.append(self.get_status())

    application = Application([(r"/.*", Fallback, {"fallback": fails})])
    with (
        serving(application, parks) as server,
        ExpectLog("wsgitornado.application", "Uncaught exception GET /") as log,
    ):
        exchange = server.request()
        assert b"500" in exchange.read_all()
    assert exchange.status == "500 Internal Server Error"
    assert (finished, log.matched) == ([500], 1)


def test_streaming_fallback_after_an_asynchronous_prepare(parks: bool) -> None:
    def stream(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        start_response("200 OK", [("X-Inner", "yes")])

        def chunks() -> Iterator[bytes]:
            try:
                yield b"one;"
                yield b"two;"
            finally:
                closed.append(True)

        return chunks()

    closed: list[bool] = []
    finished: list[int] = []

    class Fallback(PreparedFallback):
        def on_finish(self) -> None:
            finished.append(self.get_status())

    application = Application([(r"/.*", Fallback, {"fallback": stream})])
    with serving(application, parks) as server:
        exchange = server.request()
        assert exchange.read_all() == b"one;two;"
    assert dict(exchange.headers) == {"X-Inner": "yes"}
    assert (closed, finished) == ([True], [200])


def test_failure_of_prepare_beside_its_fallback_is_only_logged(parks: bool) -> None:
    class Failing(PreparedFallback):
        async def prepare(self) -> None:  # type: ignore[override]  # as above
            await super().prepare()
            raise ZeroDivisionError

    record = Record()
    inner = application_of(native, Recorded, record)
    application = Application([(r"/.*", Failing, {"fallback": inner})])
    with (
        ExpectLog("wsgitornado.application", "Uncaught exception GET /") as log,
        serving(application, parks) as server,
    ):
        assert server.request().read_all() == b"native"
    assert log.matched == 1
    assert record.finished == [200]
