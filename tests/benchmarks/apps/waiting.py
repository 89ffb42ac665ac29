"""The same program on each server: a hello, those who wait, and what ends the wait.

``/hello`` says hello, ``/wait`` waits for a message, ``/count`` says how many do, and
``/publish`` gives it to them. What is optional here is imported where it is asked for.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import tornado.httpserver
import tornado.web
from waitress.server import create_server

from tests.benchmarks.cases import CASES, HELLO
from tests.benchmarks.frameworks import FRAMEWORKS
from wsgitornado import web
from wsgitornado.httpserver import HTTPServer

__all__ = ["MESSAGE", "PACKAGES", "PROGRAMS", "Program"]

#: What those who wait are told.
MESSAGE = "the message that all of them wait for"

#: Serves on a socket until it is cancelled, or the process ends.
Program = Callable[[socket.socket], Awaitable[None]]


class Room:
    """Those who wait for the next message."""

    def __init__(self) -> None:
        self.waiting = 0
        self._arrived = asyncio.Event()

    async def next_message(self) -> str:
        self.waiting += 1
        try:
            await self._arrived.wait()
        finally:
            self.waiting -= 1
        return MESSAGE

    def publish(self) -> str:
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()
        return "published"

    async def answer(self, path: str) -> str:
        """What a path gives, for servers that bring no routes."""
        if path == "/wait":
            return await self.next_message()
        if path == "/publish":
            return self.publish()
        return str(self.waiting) if path == "/count" else HELLO


room = Room()


class OurHello(web.RequestHandler):
    def get(self) -> None:
        self.write(HELLO)


class OurWait(web.RequestHandler):
    async def get(self) -> None:
        self.write(await room.next_message())


class OurCount(web.RequestHandler):
    async def get(self) -> None:
        self.write(str(room.waiting))


class OurPublish(web.RequestHandler):
    async def get(self) -> None:
        self.write(room.publish())


async def on_ours(listening: socket.socket, threads: int, parser: str) -> None:
    routes = [
        ("/hello", OurHello),
        ("/wait", OurWait),
        ("/count", OurCount),
        ("/publish", OurPublish),
    ]
    # As delivered 10,000 may wait, with those who ask how many do.
    server = HTTPServer(
        web.Application(routes), threads=threads, parser=parser, max_parked=100_000
    )
    server.add_socket(listening)
    await asyncio.Event().wait()


class TornadoHello(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write(HELLO)


class TornadoWait(tornado.web.RequestHandler):
    async def get(self) -> None:
        self.write(await room.next_message())


class TornadoCount(tornado.web.RequestHandler):
    async def get(self) -> None:
        self.write(str(room.waiting))


class TornadoPublish(tornado.web.RequestHandler):
    async def get(self) -> None:
        self.write(room.publish())


async def on_tornado(listening: socket.socket) -> None:
    application = tornado.web.Application(
        [
            ("/hello", TornadoHello),
            ("/wait", TornadoWait),
            ("/count", TornadoCount),
            ("/publish", TornadoPublish),
        ]
    )
    listening.setblocking(False)
    tornado.httpserver.HTTPServer(application).add_socket(listening)
    await asyncio.Event().wait()


async def on_aiohttp(listening: socket.socket) -> None:
    web: Any = importlib.import_module("aiohttp.web")

    async def answer(request: Any) -> Any:
        return web.Response(text=await room.answer(request.path))

    application = web.Application()
    for path in ("/hello", "/wait", "/count", "/publish"):
        application.router.add_get(path, answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    await asyncio.Event().wait()


async def on_uvicorn(listening: socket.socket) -> None:
    uvicorn: Any = importlib.import_module("uvicorn")
    config = uvicorn.Config(
        _application,
        access_log=False,
        log_config=None,
        lifespan="off",
        # As delivered it closes what is idle for five seconds.
        timeout_keep_alive=75,
    )
    await uvicorn.Server(config).serve(sockets=[listening])


async def _application(scope: Any, receive: Any, send: Any) -> None:
    """The program for ASGI."""
    body = (await room.answer(scope["path"])).encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def on_waitress(listening: socket.socket) -> None:
    """A bare hello: who waits holds one of its threads."""
    server = create_server(
        FRAMEWORKS["bare"].application(CASES["hello"]),
        sockets=[listening],
        threads=4,
        # As delivered it takes 100 connections, looks at 1,024 at most, and closes
        # those that are idle for two minutes: to accept 10,000 takes it longer.
        connection_limit=100_000,
        asyncore_use_poll=True,
        channel_timeout=3600,
    )
    server.run()


#: How to serve the program on each of them.
PROGRAMS: dict[str, Program] = {
    "ours": partial(on_ours, threads=0, parser="httptools"),
    "ours, 4 threads": partial(on_ours, threads=4, parser="httptools"),
    "ours, h11": partial(on_ours, threads=0, parser="h11"),
    "Tornado": on_tornado,
    "aiohttp": on_aiohttp,
    "uvicorn": on_uvicorn,
    "waitress": on_waitress,
}

#: What has to be installed beside the packages that all tests need.
PACKAGES = {"aiohttp": "aiohttp", "uvicorn": "uvicorn"}
