"""The shop's own tests, as programs for Tornado have them."""
# ruff: noqa: PT009, PT027  # it is a suite for unittest

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from urllib.parse import urlencode

from tornado.escape import json_decode
from tornado.httpclient import HTTPClientError, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.locks import Event
from tornado.testing import (
    AsyncHTTPSTestCase,
    AsyncHTTPTestCase,
    AsyncTestCase,
    ExpectLog,
    bind_unused_port,
    gen_test,
)
from tornado.web import Application, RequestHandler

from .shop import make_app


class RateHandler(RequestHandler):
    def get(self) -> None:
        if self.get_argument("of") == "XXX":
            self.send_error(400)
        else:
            self.write({"rate": 1.5})


class ShopCase(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        # The rates come from a server of the test, beside the shop's own.
        sock, port = bind_unused_port()
        rates = Application([("/rate", RateHandler)])
        self.rates = HTTPServer(rates)
        self.rates.add_socket(sock)
        return make_app(f"http://127.0.0.1:{port}/rate")

    def tearDown(self) -> None:
        self.rates.stop()
        super().tearDown()

    def buy(self, what: str, **options: Any) -> HTTPResponse:
        body = urlencode({"what": what})
        return self.fetch("/goods", method="POST", body=body, **options)


class TestGoods(ShopCase):
    def test_goods_are_listed(self) -> None:
        response = self.fetch("/goods")
        self.assertEqual(response.code, 200)
        self.assertEqual(json_decode(response.body), {"tea": 2, "salt": 0})

    def test_what_is_bought_is_gone(self) -> None:
        response = self.buy("tea")
        self.assertEqual(response.effective_url, self.get_url("/goods"))
        self.assertEqual(json_decode(response.body)["tea"], 1)

    def test_basket_is_signed(self) -> None:
        response = self.buy("tea", follow_redirects=False)
        self.assertEqual(response.code, 303)
        self.assertIn("|6:basket|", response.headers["Set-Cookie"])

    def test_what_is_sold_out_is_logged(self) -> None:
        with ExpectLog("tornado.application", "salt is sold out"):
            self.assertEqual(self.buy("salt").code, 409)

    def test_unknown_goods(self) -> None:
        with ExpectLog("tornado.general", ".*no gold here"):
            response = self.buy("gold")
        self.assertEqual((response.code, response.reason), (404, "Never Had It"))
        self.assertEqual(json_decode(response.body), {"error": "Never Had It"})

    def test_error_is_raised(self) -> None:
        with self.assertRaises(HTTPClientError) as caught:
            self.fetch("/nothing", raise_error=True)
        self.assertEqual(caught.exception.code, 404)

    @gen_test
    async def test_who_waits_is_told_of_a_delivery(self) -> None:
        waiting = self.http_client.fetch(self.get_url("/delivery"))
        url = self.get_url("/goods")
        await self.http_client.fetch(url, method="PUT", body="")
        self.assertEqual((await waiting).body, b"delivered")
        self.assertEqual(
            json_decode((await self.http_client.fetch(url)).body)["salt"], 5
        )


class TestPrices(ShopCase):
    @gen_test
    def test_price_follows_the_rate(self) -> Generator[Any, Any, None]:
        response = yield self.http_client.fetch(self.get_url("/price/EUR"))
        self.assertEqual(json_decode(response.body), {"tea": 6.0})

    @gen_test(timeout=10)
    async def test_rate_that_nobody_knows(self) -> None:
        response = await self.http_client.fetch(
            self.get_url("/price/XXX"), raise_error=False
        )
        self.assertEqual(response.code, 502)


class TestSecure(AsyncHTTPSTestCase):
    def get_app(self) -> Application:
        return make_app("")

    def test_connection_is_secure(self) -> None:
        self.assertEqual(self.fetch("/secure").body, b"https")


class TestLoop(AsyncTestCase):
    def test_stop_ends_the_wait(self) -> None:
        self.io_loop.add_callback(self.stop, 7)
        self.assertEqual(self.wait(), 7)

    @gen_test
    async def test_events(self) -> None:
        event = Event()
        self.io_loop.call_later(0, event.set)
        await event.wait()
        with self.assertRaises(TimeoutError):
            await Event().wait(self.io_loop.time() + 0.001)
