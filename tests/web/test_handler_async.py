"""Methods that are coroutines: which thread runs them, and how they end."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tests.support import call
from wsgitornado import parking
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, HTTPError, RequestHandler

APPLICATION = "wsgitornado.application"


def serve(handler: type[RequestHandler]) -> Application:
    return Application([("/", handler)])


async def pause() -> None:
    await asyncio.sleep(0)


class OnTheLoop(RequestHandler):
    async def get(self) -> None:
        await pause()
        assert asyncio.get_running_loop() is parking.background_loop()
        assert asyncio.current_task() is not None
        self.write(threading.current_thread().name)


def test_coroutine_runs_on_the_background_loop() -> None:
    answer = call(serve(OnTheLoop))
    assert answer.text == "wsgitornado-loop"
    assert answer.headers["Content-Length"] == "16"


def test_plain_verb_stays_in_the_servers_thread_after_an_asynchronous_prepare() -> None:
    class Mixed(RequestHandler):
        async def prepare(self) -> None:
            await pause()
            self.prepared_in = threading.current_thread().name

        def get(self) -> None:
            self.write({"prepare": self.prepared_in, "get": threading.get_ident()})

    here = threading.get_ident()
    assert call(serve(Mixed)).text == (
        f'{{"prepare": "wsgitornado-loop", "get": {here}}}'
    )


@pytest.mark.parametrize(
    "name", ["head", "post", "delete", "patch", "put", "options", "get"]
)
def test_every_verb_may_be_a_coroutine(name: str) -> None:
    async def verb(self: RequestHandler) -> None:
        await pause()
        self.set_status(201)

    handler = type("Handler", (RequestHandler,), {name: verb})
    assert call(serve(handler), method=name.upper()).status_code == 201


@pytest.mark.parametrize(
    ("error", "status_code"),
    [(HTTPError(409), 409), (ZeroDivisionError("secret"), 500)],
    ids=["HTTPError", "another"],
)
def test_failure_of_a_coroutine_is_answered(error: Exception, status_code: int) -> None:
    class Failing(RequestHandler):
        async def get(self) -> None:
            self.write("lost")
            await pause()
            raise error

    with ExpectLog(APPLICATION, "Uncaught exception GET /", required=False) as log:
        answer = call(serve(Failing))
    assert answer.status_code == status_code
    assert log.logged_stack == (status_code == 500)
    assert "lost" not in answer.text
    assert "secret" not in answer.text


def test_coroutine_that_is_cancelled_is_answered() -> None:
    class Cancelled(RequestHandler):
        async def get(self) -> None:
            raise asyncio.CancelledError

    with ExpectLog(APPLICATION, "Uncaught exception GET /"):
        assert call(serve(Cancelled)).status_code == 500
    assert call(serve(OnTheLoop)).status_code == 200


def test_handler_may_run_on_its_own_way() -> None:
    class Late(RequestHandler):
        async def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> None:
            await pause()
            super()._execute(transforms, *args, **kwargs)

        def get(self) -> None:
            self.write("late")

    assert call(serve(Late)).text == "late"


class FlushedByTheVerb(RequestHandler):
    async def get(self) -> None:
        self.write("one ")
        await self.flush()
        await pause()
        self.write("two")


class FlushedByPrepare(RequestHandler):
    def prepare(self) -> None:
        self.write("one ")
        self.flush()

    async def get(self) -> None:
        await pause()
        self.write("two")


@pytest.mark.parametrize("handler", [FlushedByTheVerb, FlushedByPrepare])
def test_parts_that_are_flushed_come_in_order(handler: type[RequestHandler]) -> None:
    answer = call(serve(handler))
    assert (answer.status_code, answer.text) == (200, "one two")
