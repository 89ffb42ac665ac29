"""A small shop: what there is, baskets, and a rate that another server knows."""

from __future__ import annotations

import asyncio
from typing import Any

import tornado.web
from tornado.escape import json_decode
from tornado.httpclient import AsyncHTTPClient, HTTPError
from tornado.log import app_log


class Shop:
    """What is sold, and what of it is left."""

    def __init__(self, rate_url: str) -> None:
        self.left = {"tea": 2, "salt": 0}
        self.rate_url = rate_url
        self.delivered = asyncio.Event()

    async def rate(self, currency: str) -> float:
        response = await AsyncHTTPClient().fetch(f"{self.rate_url}?of={currency}")
        rate: float = json_decode(response.body)["rate"]
        return rate


class ShopHandler(tornado.web.RequestHandler):
    def initialize(self, shop: Shop) -> None:
        self.shop = shop

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish({"error": self._reason})


class GoodsHandler(ShopHandler):
    def get(self) -> None:
        self.write(self.shop.left)

    def post(self) -> None:
        what = self.get_body_argument("what")
        if what not in self.shop.left:
            raise tornado.web.HTTPError(404, "no %s here", what, reason="Never Had It")
        if not self.shop.left[what]:
            app_log.warning("%s is sold out", what)
            raise tornado.web.HTTPError(409)
        self.shop.left[what] -= 1
        self.set_signed_cookie("basket", what)
        self.redirect("/goods", status=303)

    def put(self) -> None:
        self.shop.left["salt"] += 5
        self.shop.delivered.set()


class DeliveryHandler(ShopHandler):
    async def get(self) -> None:
        await self.shop.delivered.wait()
        self.write("delivered")


class PriceHandler(ShopHandler):
    async def get(self, currency: str) -> None:
        try:
            rate = await self.shop.rate(currency)
        except HTTPError as error:
            raise tornado.web.HTTPError(502) from error
        self.write({"tea": 4 * rate})


class SecureHandler(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write(self.request.protocol)


def make_app(rate_url: str) -> tornado.web.Application:
    shop = {"shop": Shop(rate_url)}
    return tornado.web.Application(
        [
            ("/goods", GoodsHandler, shop),
            ("/delivery", DeliveryHandler, shop),
            ("/price/([A-Z]{3})", PriceHandler, shop),
            ("/secure", SecureHandler),
        ],
        cookie_secret="behind the counter",
    )
