"""Suites written for Tornado: the same tests pass, and fail in the same way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.testing_programs import outcomes_of

pytest.importorskip("httpx")

LOOPS = """
import asyncio, unittest
from tornado import gen, ioloop
from tornado.testing import AsyncTestCase, gen_test

class Cases(AsyncTestCase):
    @gen_test
    async def test_async(self): await asyncio.sleep(0)
    @gen_test
    def test_generator(self): yield gen.moment
    @gen_test
    def test_plain(self): pass
    @gen_test
    async def test_async_fails(self): self.fail("there")
    @gen_test
    def test_generator_fails(self): yield gen.moment; self.fail("there")
    @gen_test
    async def test_async_raises(self): raise LookupError("there")
    @gen_test
    def test_bad_yield(self): yield 5
    @gen_test
    async def test_async_returns(self): return 5
    @gen_test
    def test_generator_returns(self): yield gen.moment; return 5
    def test_plain_returns(self): return 5
    async def test_bare_async(self): pass
    def test_bare_generator(self): yield
    @gen.coroutine
    def test_bare_coroutine(self): yield gen.moment
    @gen_test
    async def test_skipped(self): raise unittest.SkipTest("why")
    @unittest.expectedFailure
    @gen_test
    async def test_expected(self): self.fail("so")
    @gen_test
    async def test_cancelled(self): raise asyncio.CancelledError
    @gen_test(timeout=0.01)
    async def test_stuck(self): await asyncio.Event().wait()
    @gen_test(timeout=0.01)
    def test_stuck_generator(self): yield asyncio.Event().wait()
    @gen_test
    async def test_stuck_by_environment(self): await asyncio.Event().wait()
    @gen_test
    async def test_loop(self):
        self.assertIs(ioloop.IOLoop.current(), self.io_loop)
        self.assertIs(asyncio.get_running_loop(), self.io_loop.asyncio_loop)
    def test_loop_outside(self):
        self.assertIs(ioloop.IOLoop.current(), self.io_loop)
    @gen_test
    async def test_wait_within(self): self.wait()
    def test_wait(self):
        self.io_loop.add_callback(self.stop, 5)
        self.assertEqual(self.wait(), 5)
    def test_wait_for_words(self):
        self.io_loop.call_later(0, lambda: self.stop(a=1))
        self.assertEqual(self.wait(), {"a": 1})
    def test_stop_first(self):
        self.stop(7)
        self.assertEqual(self.wait(condition=lambda: False), 7)
    def test_stop_twice(self):
        self.stop(1)
        self.stop(2)
        self.assertEqual(self.wait(), 2)
    def test_condition(self):
        seen = []
        def step():
            seen.append(1)
            self.stop(len(seen))
            self.io_loop.add_callback(step)
        self.io_loop.add_callback(step)
        self.assertEqual(self.wait(condition=lambda: len(seen) == 3), 3)
    def test_failing_condition(self):
        self.io_loop.add_callback(self.stop)
        self.wait(condition=lambda: 1 / 0)
    def test_stuck_in_wait(self): self.wait(timeout=0.01)
    def test_second_wait(self):
        self.stop()
        self.wait()
        self.wait(timeout=0.01)
    def test_zero_is_no_time_out(self):
        self.io_loop.call_later(0.01, self.stop, 1)
        self.assertEqual(self.wait(timeout=0), 1)
    def test_loop_stopped(self):
        self.io_loop.add_callback(self.io_loop.stop)
        self.wait()

class NoSuper(AsyncTestCase):
    def setUp(self): pass
    def tearDown(self): pass
    @gen_test
    async def test(self): pass

class OtherLoop(AsyncTestCase):
    def get_new_ioloop(self):
        self.made = ioloop.IOLoop(make_current=False)
        return self.made
    @gen_test
    async def test(self):
        self.assertIs(self.made, self.io_loop)
        self.assertIs(ioloop.IOLoop.current(), self.made)
"""

SERVERS = """
import asyncio, os, ssl
from unittest import mock
from tornado import gen, web
from tornado.httpclient import HTTPClientError
from tornado.testing import AsyncHTTPSTestCase, AsyncHTTPTestCase, ExpectLog, gen_test

class Hello(web.RequestHandler):
    def get(self): self.write("Hello, " + self.get_argument("name", "World"))
    def post(self): self.write(self.request.body)

class Later(web.RequestHandler):
    async def get(self):
        await asyncio.sleep(0.001)
        self.write({"later": True})

class Broken(web.RequestHandler):
    def get(self): 1 / 0

class Never(web.RequestHandler):
    async def get(self): await asyncio.Event().wait()

def make_app():
    return web.Application([
        ("/", Hello), ("/later", Later), ("/broken", Broken), ("/never", Never),
        ("/moved", web.RedirectHandler, {"url": "/"}),
    ])

class Cases(AsyncHTTPTestCase):
    def get_app(self): return make_app()
    def test_get(self): self.assertEqual(self.fetch("/").body, b"Hello, World")
    def test_query(self):
        self.assertEqual(self.fetch("/?name=Ada").body, b"Hello, Ada")
    def test_post(self):
        response = self.fetch("/", method="POST", body="text")
        self.assertEqual((response.code, response.body), (200, b"text"))
    def test_head(self):
        self.assertEqual(self.fetch("/", method="HEAD").code, 405)
    def test_later(self):
        self.assertEqual(self.fetch("/later").body, b'{"later": true}')
    def test_redirect(self):
        self.assertTrue(self.fetch("/moved").effective_url.endswith("/"))
        self.assertEqual(self.fetch("/moved", follow_redirects=False).code, 301)
    def test_not_found(self):
        response = self.fetch("/nope")
        self.assertEqual(response.code, 404)
        self.assertIsInstance(response.error, HTTPClientError)
        self.assertRaises(HTTPClientError, response.rethrow)
    def test_raises(self): self.fetch("/nope", raise_error=True)
    def test_broken(self): self.assertEqual(self.fetch("/broken").code, 500)
    def test_broken_is_not_what_was_expected(self):
        self.assertEqual(self.fetch("/broken").code, 200)
    def test_stuck(self):
        with mock.patch.dict(os.environ, ASYNC_TEST_TIMEOUT="0.1"):
            self.fetch("/never")
    def test_whole_url(self):
        self.assertEqual(self.fetch(self.get_url("/")).code, 200)
    def test_names(self):
        self.assertEqual(self.get_protocol(), "http")
        self.assertEqual(self.get_httpserver_options(), {})
        port = self.get_http_port()
        self.assertEqual(self.get_url("/x"), "http://127.0.0.1:%d/x" % port)
        self.assertIsNotNone(self.http_client)
        self.assertIsNotNone(self.http_server)
        self.assertIsInstance(self._app, web.Application)
    @gen_test
    async def test_in_a_coroutine(self):
        response = await self.http_client.fetch(self.get_url("/"))
        self.assertEqual(response.body, b"Hello, World")
    @gen_test
    def test_in_a_generator(self):
        both = yield [self.http_client.fetch(self.get_url(p)) for p in ("/", "/later")]
        self.assertEqual([r.code for r in both], [200, 200])
    @gen_test
    async def test_not_found_in_a_coroutine(self):
        await self.http_client.fetch(self.get_url("/nope"))
    @gen_test
    async def test_fetch_in_a_coroutine(self): self.fetch("/")
    def test_in_callbacks(self):
        future = self.http_client.fetch(self.get_url("/"))
        self.io_loop.add_future(future, lambda f: self.stop(f.result().code))
        self.assertEqual(self.wait(), 200)

class Secure(AsyncHTTPSTestCase):
    def get_app(self): return make_app()
    def test_get(self):
        self.assertTrue(self.get_url("/").startswith("https:"))
        self.assertEqual(self.fetch("/").body, b"Hello, World")
    def test_names(self):
        self.assertEqual(self.get_ssl_options(), self.default_ssl_options())
        self.assertEqual(sorted(self.get_ssl_options()), ["certfile", "keyfile"])
        self.assertEqual(self.get_httpserver_options().keys(), {"ssl_options"})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(**self.get_ssl_options())

class Compressed(AsyncHTTPTestCase):
    def get_app(self): return make_app()
    def get_httpserver_options(self): return {"decompress_request": True}
    def test(self):
        import gzip
        headers = {"Content-Encoding": "gzip"}
        body = gzip.compress(b"text")
        got = self.fetch("/", method="POST", body=body, headers=headers)
        self.assertEqual(got.body, b"text")

class NoApp(AsyncHTTPTestCase):
    def test(self): pass

class BrokenApp(AsyncHTTPTestCase):
    def get_app(self): raise LookupError("app")
    def test(self): pass
"""

#: Where an error of Tornado's is one of another class here.
OTHERS = {"NoSuper.test": ("error", "RuntimeError")}


@pytest.mark.parametrize("program", [LOOPS, SERVERS], ids=["loops", "servers"])
def test_suite_ends_as_under_tornado(program: str, tmp_path: Path) -> None:
    # One test of the loops is stuck for as long as that.
    environ = {"ASYNC_TEST_TIMEOUT": "20" if program is SERVERS else "1"}
    theirs = outcomes_of(program, "tornado", tmp_path, **environ)
    ours = outcomes_of(program, "wsgitornado", tmp_path, **environ)
    assert len(ours) >= 20
    kinds = {name: (kind, error) for name, (kind, error, _) in ours.items()}
    expected = {name: (kind, error) for name, (kind, error, _) in theirs.items()}
    assert kinds == {**expected, **{k: v for k, v in OTHERS.items() if k in ours}}
    # What Tornado says is said here too, and often more.
    for name, (_, _, text) in ours.items():
        their_text = theirs[name][2].replace("tornado", "wsgitornado")
        if name not in OTHERS and "Future" not in their_text:
            assert their_text in text, name
