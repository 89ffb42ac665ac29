"""The programs as Tornado handlers, fed through the interface of its HTTP server.

Tornado computes the ETag itself for every complete answer to GET.
"""

from __future__ import annotations

import asyncio
import time

from tornado import httputil, template, web

from tests.benchmarks.apps.templates import TORNADO
from tests.benchmarks.cases import (
    COOKIE,
    COOKIE_SECRET,
    FORM_NAMES,
    GREETING,
    HELLO,
    JSON_OBJECT,
    QUERY_NAMES,
    ROWS,
    TITLE,
    Answer,
    Request,
    static_folder,
)


class Hello(web.RequestHandler):
    def get(self) -> None:
        self.write(HELLO)


class JSONObject(web.RequestHandler):
    def get(self) -> None:
        self.write(JSON_OBJECT)


class Greeting(web.RequestHandler):
    def get(self, name: str) -> None:
        self.write(GREETING % name)


class Form(web.RequestHandler):
    def post(self) -> None:
        values = [self.get_query_argument(name) for name in QUERY_NAMES]
        values += [self.get_body_argument(name) for name in FORM_NAMES]
        self.write(",".join(values))


class SignedCookie(web.RequestHandler):
    def get(self) -> None:
        visits = int(self.get_signed_cookie(COOKIE) or 0) + 1
        self.set_signed_cookie(COOKIE, str(visits))
        self.write(str(visits))


class Rows(web.RequestHandler):
    def get(self) -> None:
        self.render("rows.html", title=TITLE, rows=ROWS)


class Upload(web.RequestHandler):
    def post(self) -> None:
        self.write(str(len(self.request.files["file"][0].body)))


def _one(pattern: str, handler: type[web.RequestHandler]) -> web.Application:
    loader = template.DictLoader({"rows.html": TORNADO})
    return web.Application(
        [(pattern, handler)], cookie_secret=COOKIE_SECRET, template_loader=loader
    )


def _routes(count: int) -> web.Application:
    return web.Application(
        [(rf"/section{number}/([^/]+)", Greeting) for number in range(count)]
    )


def _static() -> web.Application:
    folder = {"path": str(static_folder())}
    return web.Application([(r"/static/(.*)", web.StaticFileHandler, folder)])


BUILDERS = {
    "hello": lambda: _one("/", Hello),
    "json": lambda: _one("/json", JSONObject),
    "path50": lambda: _routes(50),
    "path500": lambda: _routes(500),
    "form": lambda: _one("/form", Form),
    "cookie": lambda: _one("/cookie", SignedCookie),
    "template": lambda: _one("/rows", Rows),
    "404": lambda: _one("/", Hello),
    "upload": lambda: _one("/upload", Upload),
    "static4k": _static,
    "static1m": _static,
}


class _Connection(httputil.HTTPConnection):
    """The writing side of a connection: it stores, and each write is done at once."""

    def __init__(self, context: _Context, written: asyncio.Future[None]) -> None:
        self.context = context
        self.is_finished = False
        self.status = 0
        self.headers = httputil.HTTPHeaders()
        self.chunks: list[bytes] = []
        self._written = written

    def set_close_callback(self, callback: object) -> None:
        """A handler announces itself; this connection is never closed."""

    def write_headers(
        self,
        start_line: httputil.RequestStartLine | httputil.ResponseStartLine,
        headers: httputil.HTTPHeaders,
        chunk: bytes | None = None,
    ) -> asyncio.Future[None]:
        assert isinstance(start_line, httputil.ResponseStartLine)
        self.status = start_line.code
        self.headers = headers
        if chunk:
            self.chunks.append(chunk)
        return self._written

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        self.chunks.append(chunk)
        return self._written

    def finish(self) -> None:
        self.is_finished = True


class _Context:
    """What the server knows of the peer."""

    address = ("127.0.0.1", 40000)
    protocol = "http"
    remote_ip = "127.0.0.1"


class TornadoClient:
    """What Tornado's server does between its parser and its socket.

    A request is handed to the delegate that ``start_request`` gives, on a running
    loop; starting the loop is not timed. Handlers are coroutines there, so the loop
    turns (once, as a rule) until the connection is finished. The headers are those
    that the parser would have made; nobody writes to them, so all requests share them
    (a copy would cost more than the copy of an environ).
    """

    def __init__(self, application: web.Application, request: Request) -> None:
        self._application = application
        self._context = _Context()
        target = request.path + (f"?{request.query}" if request.query else "")
        self._start_line = httputil.RequestStartLine(request.method, target, "HTTP/1.1")
        self._body = request.body
        self._headers = httputil.HTTPHeaders(
            {"Host": "127.0.0.1:8000", "User-Agent": "benchmarks", "Accept": "*/*"}
        )
        if request.body:
            self._headers["Content-Type"] = request.content_type
            self._headers["Content-Length"] = str(len(request.body))
        if request.cookie:
            self._headers["Cookie"] = request.cookie

    def ask(self) -> Answer:
        return asyncio.run(self._ask())

    def time(self, number: int) -> float:
        return asyncio.run(self._time(number))

    async def _ask(self) -> Answer:
        connection = _Connection(self._context, _done())
        body = await self._exchange(connection)
        headers = {name.lower(): value for name, value in connection.headers.get_all()}
        return Answer(connection.status, headers, body)

    async def _time(self, number: int) -> float:
        written = _done()
        start = time.process_time()
        for _ in range(number):
            await self._exchange(_Connection(self._context, written))
        return time.process_time() - start

    async def _exchange(self, connection: _Connection) -> bytes:
        delegate = self._application.start_request(object(), connection)
        delegate.headers_received(self._start_line, self._headers)
        if self._body:
            delegate.data_received(self._body)
        delegate.finish()
        while not connection.is_finished:
            await asyncio.sleep(0)
        return b"".join(connection.chunks)


def _done() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


#: How a request is put to these programs.
connect = TornadoClient
