"""A gallery of the new kind: asyncio.run, async handlers, modules, three languages."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import logging
import os.path
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import tornado
import tornado.web
from tornado import httpclient, locale, locks, queues
from tornado.httputil import url_concat
from tornado.options import define, options, parse_command_line

define("port", default=8888, type=int, help="run on the given port")
define("reuse_port", default=False, help="share the port with other processes")

HERE = os.path.dirname(__file__)
OPENED = datetime.datetime(2020, 3, 5, 9, 7, tzinfo=datetime.timezone.utc)  # noqa: UP017  # as older Pythons have it


@dataclass
class Picture:
    name: str
    kind: str
    digest: str


@dataclass
class Gallery:
    """What all visitors share."""

    pictures: list[Picture] = field(default_factory=list)
    changed: locks.Condition = field(default_factory=locks.Condition)
    watching: int = 0
    orders: queues.Queue[str] = field(default_factory=queues.Queue)
    press: locks.Semaphore = field(default_factory=locks.Semaphore)


class PictureModule(tornado.web.UIModule):
    def render(self, picture: Picture, *, caption: bool = True) -> str:
        return self.render_string(
            "picture.html", picture=picture, caption=caption
        ).decode()

    def embedded_css(self) -> str:
        return ".picture { border: 1px solid }"

    def javascript_files(self) -> list[str]:
        return ["gallery.js"]

    def html_body(self) -> str:
        return "<!-- pictures -->"


class BaseHandler(tornado.web.RequestHandler):
    @property
    def gallery(self) -> Gallery:
        gallery: Gallery = self.settings["gallery"]
        return gallery

    async def prepare(self) -> None:
        # As from a database.
        await asyncio.sleep(0)
        name = self.get_signed_cookie("user", max_age_days=1)
        self.current_user = name.decode() if name else None

    def get_user_locale(self) -> locale.Locale | None:
        code = self.get_cookie("language")
        return locale.get(code) if code else None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if "application/json" in self.request.headers.get("Accept", ""):
            self.finish({"status": status_code, "reason": self._reason})
        else:
            super().write_error(status_code, **kwargs)


class NotFoundHandler(BaseHandler):
    async def prepare(self) -> None:
        raise tornado.web.HTTPError(404)


class HomeHandler(BaseHandler):
    async def get(self) -> None:
        await self.render(
            "home.html",
            pictures=self.gallery.pictures,
            opened=self.locale.format_date(OPENED, full_format=True, gmt_offset=0),
        )


class PictureHandler(BaseHandler):
    def get(self, number: str) -> None:
        try:
            picture = self.gallery.pictures[int(number)]
        except IndexError:
            raise tornado.web.HTTPError(404, reason="No Such Picture") from None
        self.set_header("Cache-Control", "private")
        self.render("home.html", pictures=[picture], opened="")


class LanguageHandler(BaseHandler):
    def post(self) -> None:
        code = self.get_body_argument("code")
        if code not in locale.get_supported_locales():
            raise tornado.web.HTTPError(400, "no language %r", code)
        self.set_cookie("language", code, httponly=True, samesite="Lax")
        self.redirect(self.reverse_url("home"), status=303)


class SignInHandler(BaseHandler):
    async def get(self) -> None:
        await self.render("sign_in.html", wrong=False)

    async def post(self) -> None:
        name, password = (self.get_body_argument(n) for n in ("name", "password"))
        hashed = await tornado.ioloop.IOLoop.current().run_in_executor(
            None, hashlib.sha256, password.encode()
        )
        if hashed.hexdigest() != hashlib.sha256(name[::-1].encode()).hexdigest():
            self.set_status(422)
            await self.render("sign_in.html", wrong=True)
            return
        self.set_signed_cookie("user", name, httponly=True, secure=False)
        self.redirect(self.get_argument("next", "/"), status=303)


class SignOutHandler(BaseHandler):
    @tornado.web.authenticated
    async def post(self) -> None:
        self.clear_cookie("user")
        self.redirect(self.reverse_url("home"))


class UploadHandler(BaseHandler):
    @tornado.web.authenticated
    async def get(self) -> None:
        await self.render("upload.html")

    @tornado.web.authenticated
    async def post(self) -> None:
        if "picture" not in self.request.files:
            raise tornado.web.MissingArgumentError("picture")
        for file in self.request.files["picture"]:
            digest = hashlib.sha1(file.body).hexdigest()
            self.gallery.pictures.append(
                Picture(file.filename, file.content_type, digest)
            )
        async with self.gallery.press:
            self.gallery.changed.notify_all()
        self.redirect(self.reverse_url("home"))


@tornado.web.stream_request_body
class StreamHandler(BaseHandler):
    async def prepare(self) -> None:
        await super().prepare()
        self.size = 0
        self.hash = hashlib.sha1()

    def check_xsrf_cookie(self) -> None:
        """Programs that send files have no form to take a token from."""

    def data_received(self, chunk: bytes) -> Awaitable[None]:
        self.size += len(chunk)
        self.hash.update(chunk)
        return asyncio.sleep(0)

    def put(self, name: str) -> None:
        self.set_status(201)
        self.set_header("Location", f"/stream/{name}")
        self.write({"name": name, "size": self.size, "sha1": self.hash.hexdigest()})


class WatchHandler(BaseHandler):
    """Answers when there is another picture."""

    async def get(self) -> None:
        seen = int(self.get_query_argument("seen"))
        self.gallery.watching += 1
        while len(self.gallery.pictures) <= seen:
            await self.gallery.changed.wait()
        self.gallery.watching -= 1
        names = [picture.name for picture in self.gallery.pictures[seen:]]
        self.write({"new": names})


class WatchingHandler(BaseHandler):
    def get(self) -> None:
        self.write({"watching": self.gallery.watching})


class OrdersHandler(BaseHandler):
    @tornado.web.authenticated
    async def post(self) -> None:
        await self.gallery.orders.put(self.get_argument("what"))
        self.set_status(204)

    async def get(self) -> None:
        try:
            what = await self.gallery.orders.get(datetime.timedelta(milliseconds=1))
        except TimeoutError:
            self.write({"order": None})
        else:
            self.gallery.orders.task_done()
            self.write({"order": what, "left": self.gallery.orders.qsize()})


class MirrorHandler(BaseHandler):
    """Asks the program itself."""

    async def get(self) -> None:
        here = f"{self.request.protocol}://{self.request.host}"
        client = httpclient.AsyncHTTPClient()
        url = url_concat(f"{here}/echo", {"q": self.get_argument("q", "")})
        echo = await client.fetch(url, headers={"X-Asked-By": "mirror"})
        lost = await client.fetch(f"{here}/nowhere", raise_error=False)
        try:
            await client.fetch(f"{here}/picture/99")
        except httpclient.HTTPClientError as error:
            refused = str(error)
        body = echo.body.decode()
        self.write({"echo": body, "lost": lost.code, "refused": refused})


class EchoHandler(BaseHandler):
    async def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.write(f"{self.get_argument('q')} {self.request.headers['X-Asked-By']}")


class FailHandler(BaseHandler):
    async def get(self) -> None:
        self.write("half of it")
        raise ZeroDivisionError


def make_app() -> tornado.web.Application:
    locale.load_translations(os.path.join(HERE, "translations"))
    return tornado.web.Application(
        [
            tornado.web.url("/", HomeHandler, name="home"),
            tornado.web.url(r"/picture/(\d+)", PictureHandler, name="picture"),
            ("/language", LanguageHandler),
            ("/sign-in", SignInHandler),
            ("/sign-out", SignOutHandler),
            ("/upload", UploadHandler),
            ("/stream/([^/]+)", StreamHandler),
            ("/watch", WatchHandler),
            ("/watching", WatchingHandler),
            ("/orders", OrdersHandler),
            ("/mirror", MirrorHandler),
            ("/echo", EchoHandler),
            ("/fail", FailHandler),
            ("/files/(.*)", tornado.web.StaticFileHandler, {"path": HERE}),
        ],
        compress_response=True,
        cookie_secret="under the mat",
        default_handler_class=NotFoundHandler,
        gallery=Gallery(),
        login_url="/sign-in",
        static_path=os.path.join(HERE, "static"),
        template_path=os.path.join(HERE, "templates"),
        ui_modules={"Picture": PictureModule},
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"samesite": "Strict"},
    )


async def main() -> None:
    parse_command_line()
    app = make_app()
    app.listen(options.port, "127.0.0.1", reuse_port=options.reuse_port)
    logging.info("listening on http://127.0.0.1:%d", options.port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
