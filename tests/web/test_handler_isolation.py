"""Requests beside each other: threads, context variables, frames, what remains."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import wsgitornado
from tests.support import Answer, call, settle_loop
from wsgitornado import parking
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, HTTPError, RequestHandler

APPLICATION = "wsgitornado.application"
BOUND = 30  # seconds: for a busy machine, not a measure of anything
CROWD = 8

PACKAGE = str(Path(wsgitornado.__file__).parent)

user: contextvars.ContextVar[str] = contextvars.ContextVar("user", default="nobody")


def ask_at_once(application: Application) -> list[Answer]:
    """As many requests as meet in the handler, each in a thread of its own."""

    def one(number: int) -> Answer:
        return call(
            application,
            f"/{number}?q={number}",
            "POST",
            [
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Cookie", f"mine={number}"),
            ],
            f"f={number}".encode(),
        )

    with ThreadPoolExecutor(CROWD) as threads:
        return list(threads.map(one, range(CROWD)))


def answer_with_everything(handler: RequestHandler) -> None:
    handler.write(
        " ".join(
            [
                handler.path_args[0],
                handler.get_query_argument("q"),
                handler.get_body_argument("f"),
                str(handler.get_cookie("mine")),
                user.get(),
            ]
        )
    )


class InThreads(RequestHandler):
    def initialize(self, meeting: threading.Barrier) -> None:  # type: ignore[override]  # each handler takes its own
        self.meeting = meeting

    def post(self, number: str) -> None:
        user.set(number)
        self.set_cookie("yours", number)
        self.set_status(210 + int(number))
        self.meeting.wait(BOUND)
        answer_with_everything(self)
        self.meeting.wait(BOUND)


class OnTheLoop(RequestHandler):
    def initialize(self, meeting: asyncio.Barrier) -> None:  # type: ignore[override]  # each handler takes its own
        self.meeting = meeting

    async def prepare(self) -> None:
        user.set(self.path_args[0])
        await self.meeting.wait()

    async def post(self, number: str) -> None:
        self.set_cookie("yours", number)
        self.set_status(210 + int(number))
        await self.meeting.wait()
        answer_with_everything(self)
        await self.meeting.wait()


async def make_barrier() -> asyncio.Barrier:
    return asyncio.Barrier(CROWD)


@pytest.mark.parametrize("kind", ["threads", "loop"])
def test_interleaved_requests_never_mix(kind: str) -> None:
    if kind == "threads":
        rule: Any = ("/(.*)", InThreads, {"meeting": threading.Barrier(CROWD)})
    else:
        rule = ("/(.*)", OnTheLoop, {"meeting": parking.wait(make_barrier())})
    for number, answer in enumerate(ask_at_once(Application([rule]))):
        assert answer.text == " ".join([str(number)] * 5)
        assert answer.status_code == 210 + number
        assert answer.headers.get_list("Set-Cookie") == [f"yours={number}; Path=/"]


# -- Context variables


def test_context_variable_of_the_server_is_seen_by_every_method() -> None:
    class Seeing(RequestHandler):
        async def prepare(self) -> None:
            self.write(user.get())

        def get(self) -> None:
            self.write(user.get())

    def serve() -> Answer:
        user.set("me ")
        return call(Application([("/", Seeing)]))

    assert contextvars.copy_context().run(serve).text == "me me "


class Prepared(RequestHandler):
    async def prepare(self) -> None:
        await asyncio.sleep(0)
        user.set("set by prepare")

    def get(self) -> None:
        self.write(user.get())

    async def post(self) -> None:
        self.write(user.get())

    def on_finish(self) -> None:
        self.application.seen.append(user.get())


@pytest.mark.parametrize("method", ["GET", "POST"], ids=["plain", "coroutine"])
def test_context_variable_that_an_asynchronous_prepare_sets_is_seen(
    method: str,
) -> None:
    application: Any = Application([("/", Prepared)])
    application.seen = []
    assert call(application, method=method).text == "set by prepare"
    assert application.seen == ["set by prepare"]


class Setting(RequestHandler):
    def get(self) -> None:
        self.write(user.get())
        user.set("left behind")


class SettingOnTheLoop(RequestHandler):
    async def get(self) -> None:
        self.write(user.get())
        user.set("left behind")


@pytest.mark.parametrize("handler", [Setting, SettingOnTheLoop])
def test_context_variable_of_a_request_is_gone_with_it(
    handler: type[RequestHandler],
) -> None:
    application = Application([("/", handler)])
    with ThreadPoolExecutor(1) as thread:
        answers = [thread.submit(call, application).result().text for _ in range(2)]
    assert answers == ["nobody", "nobody"]


# -- The stack


def frames_of_the_package() -> list[str]:
    """The frames of ours between here and whoever called the application."""
    frame: FrameType | None = sys._getframe(1)
    names = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE):
            names.append(code.co_name)
        frame = frame.f_back
    return names


class Stack(RequestHandler):
    def get(self) -> None:
        self.application.stack = frames_of_the_package()

    async def post(self) -> None:
        self.application.stack = frames_of_the_package()


def test_two_frames_of_ours_are_above_a_verb() -> None:
    application: Any = Application([("/", Stack)])
    call(application)
    assert application.stack == ["_execute", "__call__"]


def test_one_frame_of_ours_is_above_a_coroutine() -> None:
    application: Any = Application([("/", Stack)])
    call(application, method="POST")
    assert application.stack[0] == "_go_on"
    assert set(application.stack[1:]) == {"_run"}, "the loop in its thread"


# -- What remains


class Failing(RequestHandler):
    def initialize(self, place: str) -> None:  # type: ignore[override]  # each handler takes its own
        self.place = place

    def fail_in(self, place: str) -> None:
        if self.place == place:
            raise LookupError(place)

    async def prepare(self) -> None:
        self.fail_in("prepare")

    def get(self) -> None:
        self.fail_in("verb")
        self.fail_in("write_error")

    async def post(self) -> None:
        await asyncio.sleep(0)
        self.fail_in("verb")
        raise LookupError("write_error")

    def write_error(self, status_code: int, **kwargs: object) -> None:
        self.fail_in("write_error")
        super().write_error(status_code, **kwargs)

    def on_finish(self) -> None:
        self.application.ends.append(self.place)
        self.fail_in("on_finish")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("place", ["prepare", "verb", "write_error", "on_finish"])
def test_failure_is_contained_and_told_once_and_leaves_nothing(
    place: str, method: str
) -> None:
    application: Any = Application([("/", Failing, {"place": place})])
    application.ends = []
    with ExpectLog(APPLICATION, "Uncaught exception"):
        codes = {call(application, method=method).status_code for _ in range(200)}
    is_answered = place == "on_finish" and method == "GET"
    assert codes == ({200} if is_answered else {500})
    assert application.ends == [place] * 200
    settle_loop()
    gc.collect()
    left = [o for o in gc.get_objects() if type(o) is Failing]
    assert left == []


class Leaving(RequestHandler):
    def get(self) -> None:
        raise self.application.error

    async def post(self) -> None:
        raise self.application.error

    def on_finish(self) -> None:
        self.application.ends.append(self.get_status())


@pytest.mark.parametrize("method", ["GET", "POST"], ids=["plain", "coroutine"])
@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_program_goes_to_the_server_and_ends_the_request(
    kind: type[BaseException], method: str
) -> None:
    application: Any = Application([("/", Leaving)])
    application.error = kind("enough")
    application.ends = []
    with pytest.raises(kind, match="enough"):
        call(application, method=method, is_validated=False)
    assert application.ends == [500]
    application.error = HTTPError(404)
    assert call(application, method=method).status_code == 404


def test_answer_that_is_complete_keeps_its_status_when_the_program_ends() -> None:
    class Answered(Leaving):
        def get(self) -> None:
            self.finish("x")
            sys.exit()

    application: Any = Application([("/", Answered)])
    application.ends = []
    with pytest.raises(SystemExit):
        call(application, is_validated=False)
    assert application.ends == [200]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_handler_is_gone_with_its_request_without_the_collector(method: str) -> None:
    class Short(RequestHandler):
        def get(self) -> None:
            self.write("x")

        async def post(self) -> None:
            self.write("x")

    def count() -> int:
        return sum(type(o) is Short for o in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        call(Application([("/", Short)]), method=method, is_validated=False)
        settle_loop()
        assert count() == 0
    finally:
        gc.enable()
