"""XSRF before what is asynchronous: before ``prepare``, before a body that streams."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado import web
from tornado.log import gen_log

from tests.porting.raw import get, head, post, request

TOKEN = "00112233445566778899aabbccddeeff"
COOKIE = f"Cookie: _xsrf={TOKEN}"
HEADER = f"X-Xsrftoken: {TOKEN}"
URLENCODED = "Content-Type: application/x-www-form-urlencoded"


class Coroutine(web.RequestHandler):
    async def prepare(self) -> None:
        gen_log.info("prepare")
        await asyncio.sleep(0)

    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write("read")

    async def post(self) -> None:
        await asyncio.sleep(0)
        self.write(f"done {sorted(self.request.arguments)}")

    put = delete = post
    head = get


@web.stream_request_body
class Streamed(Coroutine):
    """The token of a form that is not read yet cannot be seen."""

    def data_received(self, chunk: bytes) -> None:
        gen_log.info("data_received")


class OwnCheck(Coroutine):
    def check_xsrf_cookie(self) -> None:
        gen_log.info("check")
        if not self.get_argument("token", ""):
            raise web.HTTPError(403, "no token")


class CheckThatFinishes(Coroutine):
    def check_xsrf_cookie(self) -> None:
        self.finish("checked")


class TokenLater(web.RequestHandler):
    """The cookie is set where the token is asked for first, in a coroutine too."""

    async def get(self) -> None:
        await asyncio.sleep(0)
        self.write(str(len(self.xsrf_token)))
        self.write(str(self.xsrf_token in self.xsrf_form_html().encode()))
        self.clear_cookie("_xsrf")


def make_app() -> web.Application:
    rules: list[Any] = [
        (r"/coroutine", Coroutine),
        (r"/streamed", Streamed),
        (r"/own_check", OwnCheck),
        (r"/check_that_finishes", CheckThatFinishes),
        (r"/token_later", TokenLater),
    ]
    return web.Application(rules, xsrf_cookies=True, xsrf_cookie_version=1)


def of_form(target: str, fields: str) -> bytes:
    return post(target, fields.encode(), COOKIE, URLENCODED)


REQUESTS = {
    **{
        f"{kind}_{name}": raw
        for kind in ("coroutine", "streamed")
        for name, raw in {
            "get": get(f"/{kind}"),
            "head": head(f"/{kind}"),
            "without_token": post(f"/{kind}", b"a=b", URLENCODED),
            "without_token_in_header": post(f"/{kind}", b"a=b", COOKIE, URLENCODED),
            "with_token_in_header": post(f"/{kind}", b"a=b", COOKIE, HEADER),
            "with_token_in_form": of_form(f"/{kind}", f"_xsrf={TOKEN}"),
            "with_token_in_query": of_form(f"/{kind}?_xsrf={TOKEN}", "a=b"),
            "with_other_token": of_form(f"/{kind}", "_xsrf=0123"),
            "delete_with_token": request("DELETE", f"/{kind}", COOKIE, HEADER),
            "delete_without_token": request("DELETE", f"/{kind}", COOKIE),
            "from_another_site": request(
                "PUT", f"/{kind}", "Sec-Fetch-Site: cross-site", COOKIE, body=b"x"
            ),
        }.items()
    },
    "own_check_without_token": of_form("/own_check", "a=b"),
    "own_check_with_token": of_form("/own_check", "token=c"),
    "check_that_finishes": of_form("/check_that_finishes", "a=b"),
    "token_later": get("/token_later"),
    "token_later_of_cookie": get("/token_later", COOKIE),
}
