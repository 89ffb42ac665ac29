"""A program of the new kind: asyncio.run, async handlers, a page, a signed cookie."""

from __future__ import annotations

import asyncio
import sys

import tornado.netutil
import tornado.web as web
from tornado.escape import json_decode
from tornado.httpserver import HTTPServer
from tornado.locks import Event
from tornado.template import DictLoader

PAGES = DictLoader({"page.html": "<h1>{{ title }}</h1>{% raw xsrf_form_html() %}"})

news = Event()


class Page(web.RequestHandler):
    def get(self) -> None:
        self.render("page.html", title="<b>", xsrf_form_html=lambda: "")


class Wait(web.RequestHandler):
    async def get(self) -> None:
        asyncio.get_running_loop().call_soon(news.set)
        await news.wait()
        self.write("news")


class Sign(web.RequestHandler):
    def get(self) -> None:
        value = web.create_signed_value("secret", "user", "ada", clock=lambda: 1.0)
        self.write(value)

    def post(self) -> None:
        try:
            self.write({"got": json_decode(self.request.body)["user"]})
        except KeyError as error:
            raise web.HTTPError(400) from error

    def write_error(self, status_code: int, **kwargs: object) -> None:
        error = sys.exc_info()[1]
        self.write({"status": status_code, "known": isinstance(error, web.HTTPError)})


async def main() -> None:
    app = web.Application(
        [
            (r"/", Page),
            (r"/wait", Wait),
            (r"/sign", "__main__.Sign"),
            (r"/old", "tornado.web.RedirectHandler", {"url": "/"}),
        ],
        template_loader=PAGES,
    )
    server = HTTPServer(app)
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print(sockets[0].getsockname()[1], *sys.argv[1:], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
