"""What the mixed load asks: answers of all kinds, long polls, uploads and downloads.

``python -m tests.live.programs.mixed`` serves it on the loop; gunicorn takes ``app``.
``MIXED_FILES`` names the folder of the files that are downloaded.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import importlib
import logging
import os
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

from tests.live.client import HOST
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.concurrent import Future
from wsgitornado.httpserver.connection import Connection
from wsgitornado.httpserver.exchange import Exchange
from wsgitornado.ioloop import IOLoop
from wsgitornado.locks import Condition
from wsgitornado.web import (
    Application,
    EventSource,
    FallbackHandler,
    RequestHandler,
    StaticFileHandler,
    stream_request_body,
)

__all__ = ["MAX_BODY_SIZE", "app", "content", "message"]

MAX_BODY_SIZE = 8 * 1024 * 1024

#: What a download is made of: a prime, so that a piece in the wrong place shows.
_BLOCK = 8191

_PIECE = 16 * 1024


def content(seed: str, size: int) -> bytes:
    """The body of a download."""
    block = hashlib.shake_128(seed.encode()).digest(_BLOCK)
    return (block * (size // _BLOCK + 1))[:size]


def pieces(seed: str, size: int) -> Iterator[bytes]:
    """The same in parts, not all of it in memory."""
    block = content(seed, 2 * _BLOCK)
    for start in range(0, size, _BLOCK):
        yield block[: min(_BLOCK, size - start)]


def message(channel: str, number: int) -> str:
    """What is published on a channel as its message of that number."""
    return f"message {number} of {channel}"


class Channel:
    """Numbered messages, and those who wait for the next one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = 0
        self.changed = Condition()
        self._futures: set[Future[int]] = set()
        self._lock = threading.Lock()

    def publish(self) -> int:
        """Tell all who wait, from any thread."""
        with self._lock:
            self.last = number = self.last + 1
            futures, self._futures = self._futures, set()
        for future in futures:
            future.set_result(number)
        IOLoop.current().add_callback(self.changed.notify_all)
        return number

    async def wait_beyond(self, number: int) -> None:
        """On the loop, by the condition."""
        while self.last <= number:
            await self.changed.wait()

    async def wait_for_future(self, number: int) -> None:
        """By a future that the publisher's thread sets."""
        future: Future[int] = Future()
        with self._lock:
            if self.last > number:
                return
            self._futures.add(future)
        try:
            await future
        finally:
            with self._lock:
                self._futures.discard(future)


class Channels(defaultdict[str, Channel]):
    def __missing__(self, name: str) -> Channel:
        self[name] = channel = Channel(name)
        return channel


channels = Channels()

#: Requests that nobody may get to by a malformed one before it.
counts: Counter[str] = Counter()


class HelloHandler(RequestHandler):
    def get(self, name: str) -> None:
        self.write(f"hello {name}")

    def head(self, name: str) -> None:
        self.set_header("X-Name", name)


class SmuggledHandler(RequestHandler):
    def get(self) -> None:
        counts["smuggled"] += 1
        self.write("smuggled")


class FormHandler(RequestHandler):
    def post(self) -> None:
        self.write(self.get_body_argument("text"))


class SpoolHandler(RequestHandler):
    """The size and the digest of a body that comes whole."""

    def post(self) -> None:
        body = self.request.body
        self.write({"size": len(body), "digest": hashlib.sha256(body).hexdigest()})


@stream_request_body
class StreamHandler(RequestHandler):
    """The same of one that comes in parts; every other part takes a while."""

    def prepare(self) -> None:
        self.request.connection.set_max_body_size(1 << 40)
        self.size = 0
        self.parts = 0
        self.digest = hashlib.sha256()

    async def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.parts += 1
        self.digest.update(chunk)
        if self.parts % 2:
            await asyncio.sleep(0)

    def post(self) -> None:
        self.write({"size": self.size, "digest": self.digest.hexdigest()})


class DownloadHandler(RequestHandler):
    """A body in one piece, written before anything is sent."""

    def get(self) -> None:
        size = int(self.get_query_argument("size"))
        self.write(content(self.get_query_argument("seed"), size))


class FlushedHandler(RequestHandler):
    """A body of any size, each part when the reader has room for it."""

    async def get(self) -> None:
        size = int(self.get_query_argument("size"))
        for piece in pieces(self.get_query_argument("seed"), size):
            self.write(piece)
            await self.flush()


def generated(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    """The same from a generator of another application, which a thread iterates."""
    query = parse_qs(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return pieces(query["seed"][0], int(query["size"][0]))


class PollHandler(RequestHandler):
    """The messages behind a number, once there are any."""

    cancel_on_close = True
    wait = staticmethod(Channel.wait_beyond)

    async def get(self, name: str) -> None:
        channel = channels[name]
        after = int(self.get_query_argument("after"))
        await self.wait(channel, after)
        numbers = range(after + 1, channel.last + 1)
        self.write({"messages": [message(name, number) for number in numbers]})


class FuturePollHandler(PollHandler):
    cancel_on_close = False
    wait = staticmethod(Channel.wait_for_future)


class EventsHandler(RequestHandler):
    """So many messages behind a number as an event stream."""

    async def get(self, name: str) -> None:
        channel = channels[name]
        after = int(self.get_query_argument("after"))
        async with EventSource(self, heartbeat=1.0) as events:
            for number in range(
                after + 1, after + 1 + int(self.get_query_argument("count"))
            ):
                await channel.wait_beyond(number - 1)
                await events.send(message(name, number), id=number)


class PublishHandler(RequestHandler):
    def post(self, name: str) -> None:
        self.write(str(channels[name].publish()))


class StateHandler(RequestHandler):
    """What there is in this process, once what is garbage is gone."""

    async def get(self) -> None:
        gc.collect()
        kinds = (RequestHandler, Connection, Exchange, asyncio.Task)
        found = Counter(
            kind.__name__
            for one in gc.get_objects()
            for kind in kinds
            if issubclass(type(one), kind)
        )
        self.write({"pid": os.getpid(), "smuggled": counts["smuggled"], **found})


class TypesHandler(RequestHandler):
    """The most frequent types of objects, for whoever looks for a leak."""

    async def get(self) -> None:
        gc.collect()
        found = Counter(type(one).__name__ for one in gc.get_objects())
        self.write(dict(found.most_common(60)))


app = Application(
    [
        (r"/hello/(.*)", HelloHandler),
        (r"/smuggled", SmuggledHandler),
        (r"/form", FormHandler),
        (r"/spool", SpoolHandler),
        (r"/stream", StreamHandler),
        (r"/download", DownloadHandler),
        (r"/flushed", FlushedHandler),
        (r"/generated", FallbackHandler, {"fallback": generated}),
        (r"/file/(.*)", StaticFileHandler, {"path": os.environ.get("MIXED_FILES", "")}),
        (r"/poll/(\w+)", PollHandler),
        (r"/future/(\w+)", FuturePollHandler),
        (r"/events/(\w+)", EventsHandler),
        (r"/publish/(\w+)", PublishHandler),
        (r"/state", StateHandler),
        (r"/types", TypesHandler),
    ],
    max_body_size=MAX_BODY_SIZE,
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.live.programs.mixed")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--parser", default=None)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    factory: Callable[[], asyncio.AbstractEventLoop]
    factory = importlib.import_module(options.loop).new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(options.threads, options.parser))


async def _serve(threads: int, parser: str | None) -> None:
    server = app.listen(
        0,
        HOST,
        threads=threads,
        parser=parser,
        max_body_size=MAX_BODY_SIZE,
        idle_connection_timeout=10.0,
        head_timeout=5.0,
    )
    port = server.sockets[0].getsockname()[1]
    print(f"listening on http://{HOST}:{port}", file=sys.stderr, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
