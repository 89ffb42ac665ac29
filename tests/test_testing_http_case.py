"""AsyncHTTPTestCase: what no comparison with Tornado shows."""

from __future__ import annotations

import asyncio
import os
import threading
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

pytest.importorskip("httpx")

from tests.testing_programs import Outcome, run_case
from wsgitornado.httpserver import HTTPServer
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing import (
    AsyncHTTPSTestCase,
    AsyncHTTPTestCase,
    ExpectLog,
    bind_unused_port,
    gen_test,
)
from wsgitornado.web import Application, RequestHandler


class Hello(RequestHandler):
    def get(self) -> None:
        self.write("Hello")


class Broken(RequestHandler):
    def get(self) -> None:
        raise LookupError("in the handler")


class Never(RequestHandler):
    left: list[type[RequestHandler]] = []

    async def get(self) -> None:
        try:
            await asyncio.Event().wait()  # the handler's line
        finally:
            IOLoop.current().asyncio_loop.call_soon(self.left.append, Never)

    def on_connection_close(self) -> None:
        self.left.append(Hello)


class Case(AsyncHTTPTestCase):
    def get_app(self) -> Any:
        return Application([("/", Hello), ("/broken", Broken), ("/never", Never)])


def test_failure_shows_what_the_handler_raised() -> None:
    class Test(Case):
        def test(self) -> None:
            self.assertEqual(self.fetch("/broken").code, 200)  # noqa: PT009 - as users do

    with ExpectLog("wsgitornado", "Uncaught exception GET /broken"):
        outcome = run_case(Test)
    assert outcome.kind == "failure"
    assert "AssertionError: 500 != 200" in outcome.text
    assert "In this test there was also:\nTraceback" in outcome.text
    assert "LookupError: in the handler" in outcome.text


def test_error_page_is_an_answer_like_any_other() -> None:
    class Test(Case):
        def test(self) -> None:
            with ExpectLog("tornado.application", "Uncaught exception"):
                assert self.fetch("/broken").code == 500

    assert run_case(Test) == Outcome("ok")


def test_exception_of_the_last_moment_fails_the_test() -> None:
    class Test(Case):
        @gen_test
        async def test(self) -> None:
            self.io_loop.add_callback(self.fail, "in a callback")
            await asyncio.sleep(0)

    with ExpectLog("wsgitornado", "Exception in callback"):
        result = unittest.TestResult()
        Test("test").run(result)
    assert len(result.failures) == 1
    assert result.errors == []


class LateInFinish(RequestHandler):
    def get(self) -> None:
        pass

    def on_finish(self) -> None:
        raise LookupError("too late")


class Late(RequestHandler):
    def get(self) -> None:
        self.finish("Hello")
        raise LookupError("too late")


class LateAndLong(RequestHandler):
    async def get(self) -> None:
        self.finish("Hello")
        await asyncio.sleep(0)
        raise LookupError("too late")


@pytest.mark.parametrize("late", [LateInFinish, Late, LateAndLong])
def test_exception_after_the_answer_fails_the_test(late: type[RequestHandler]) -> None:
    class Test(AsyncHTTPTestCase):
        def get_app(self) -> Any:
            return Application([("/", late)])

        def test(self) -> None:
            assert self.fetch("/").code == 200

    with ExpectLog("wsgitornado", "Uncaught exception"):
        outcome = run_case(Test)
    assert outcome.kind == "error"
    assert "LookupError: too late" in outcome.text


def test_answer_that_does_not_come_says_where_the_handler_waits() -> None:
    Never.left.clear()

    class Test(Case):
        def test(self) -> None:
            with mock.patch.dict(os.environ, ASYNC_TEST_TIMEOUT="0.2"):
                self.fetch("/never")

    outcome = run_case(Test)
    assert outcome.kind == "error"
    first, second, third = outcome.last_lines.splitlines()
    assert first.endswith("TimeoutError: Operation timed out after 0.2 seconds")
    assert second.startswith("  the test waits for the answer to GET http://127.0.0.1:")
    assert second.endswith("/never")
    assert third.startswith(f"  a task waits in get ({__file__}, line ")
    assert third.endswith("# the handler's line")
    assert Hello in Never.left


def test_fetch_in_a_coroutine_says_what_to_do() -> None:
    class Test(Case):
        @gen_test
        async def test(self) -> None:
            self.fetch("/")

    assert "await self.http_client.fetch(self.get_url(path))" in run_case(Test).text


@pytest.mark.parametrize("path", ["x", "x/y", "ftp://host/"])
def test_path_without_a_slash_is_refused(path: str) -> None:
    class Test(Case):
        def test(self) -> None:
            self.fetch(path)

    assert f"ValueError: a path begins with '/': got {path!r}" in run_case(Test).text


@pytest.mark.parametrize("path", ["", "?a=1"])
def test_path_may_be_empty(path: str) -> None:
    class Test(Case):
        def test(self) -> None:
            url = f"http://127.0.0.1:{self.get_http_port()}"
            assert self.fetch(url).body == b"Hello"
            assert self.fetch(path).body == b"Hello"

    assert run_case(Test) == Outcome("ok")


def test_case_without_an_app_says_what_to_write() -> None:
    class Test(AsyncHTTPTestCase):
        def test(self) -> None:
            pass

    text = "NotImplementedError: Test.get_app() has to return the application"
    assert text in run_case(Test).text


def test_another_application_runs_in_threads() -> None:
    threads = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        threads.append(threading.current_thread())
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    class Test(AsyncHTTPTestCase):
        def get_app(self) -> Any:
            return app

        def test(self) -> None:
            assert self.fetch("/").body == b"ok"

    assert run_case(Test) == Outcome("ok")
    assert threads[0] is not threading.current_thread()


def test_server_and_client_may_be_ones_own() -> None:
    servers = []

    class Test(Case):
        def get_http_server(self) -> HTTPServer:
            servers.append(HTTPServer(self._app, no_keep_alive=True))
            return servers[0]

        def test(self) -> None:
            assert self.http_server is servers[0]
            assert self.fetch("/").headers["Connection"] == "close"

    assert run_case(Test) == Outcome("ok")


def test_tear_down_that_fails_still_ends_the_loop() -> None:
    loops = []

    class Test(Case):
        def test(self) -> None:
            loops.append(self.io_loop.asyncio_loop)
            del self.http_server

    assert "AttributeError" in run_case(Test).text
    assert loops[0].is_closed()


def test_certificate_is_that_of_localhost() -> None:
    class Test(AsyncHTTPSTestCase):
        def get_app(self) -> Any:
            return Application([("/", Hello)])

        def test(self) -> None:
            files = self.get_ssl_options()
            assert Path(files["certfile"]).read_text().startswith("-----BEGIN CERT")
            assert files == self.default_ssl_options()
            url = self.get_url("/").replace("127.0.0.1", "localhost")
            response = self.fetch(url, validate_cert=True, ca_certs=files["certfile"])
            assert response.body == b"Hello"

    # The first of them made the files.
    assert run_case(Test) == Outcome("ok")
    assert run_case(Test) == Outcome("ok")


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("reuse_port", [False, True])
def test_unused_port_is_taken_at_once(address: str, reuse_port: bool) -> None:
    sock, port = bind_unused_port(reuse_port, address)
    with sock:
        assert sock.getsockname() == ("127.0.0.1", port)
        other, other_port = bind_unused_port()
        other.close()
        assert other_port != port
