"""Handlers that wait: a channel with long polls and an event stream, and the like.

How many have come so far, and what is left of them, can be asked: see StateHandler.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

from tests.live.client import HOST
from wsgitornado import gen, parked, parking
from wsgitornado.concurrent import Future, is_on_loop
from wsgitornado.ioloop import IOLoop
from wsgitornado.locks import Condition
from wsgitornado.web import (
    Application,
    RequestHandler,
    asynchronous,
    stream_request_body,
)

logging.basicConfig(level=logging.WARNING)


class Channel:
    """Messages, and those who wait for the next one."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.changed = Condition()
        self.futures: set[Future[str]] = set()

    def publish(self, message: str) -> None:
        """Tell all who wait, from any thread."""
        self.messages.append(message)
        self.changed.notify_all()
        futures, self.futures = self.futures, set()
        for future in futures:
            future.set_result(message)

    def publish_late(self, message: str) -> None:
        """Tell somebody who will wait."""
        end = time.monotonic() + 20
        while not self.futures and time.monotonic() < end:
            time.sleep(0.005)
        self.publish(message)


channels: defaultdict[str, Channel] = defaultdict(Channel)

#: What has happened to the handlers below, all of them together.
counts: Counter[str] = Counter()
counting = threading.Lock()


class CountedHandler(RequestHandler):
    """One whose course is counted, and told to a test that has a wire for it."""

    wire: socket.socket | None = None

    def initialize(self) -> None:
        self.say("made")

    def open_wire(self) -> None:
        port = self.get_query_argument("wire", None)
        if port is not None:
            self.wire = socket.create_connection((HOST, int(port)), timeout=15)

    def say(self, word: str) -> None:
        with counting:
            counts[word] += 1
        if self.wire is not None:
            self.wire.sendall(f"{word}\n".encode())

    def on_connection_close(self) -> None:
        self.say("left")

    def on_finish(self) -> None:
        self.say("finished")
        if self.wire is not None:
            self.wire.close()


class PollHandler(CountedHandler):
    """The messages from a number on, once there are any."""

    async def get(self, name: str) -> None:
        self.open_wire()
        channel = channels[name]
        start = int(self.get_query_argument("start", "0"))
        patience = timedelta(seconds=float(self.get_query_argument("patience", "60")))
        self.say("begun")
        try:
            while len(channel.messages) <= start:
                if not await channel.changed.wait(patience):
                    break
            self.write({"messages": channel.messages[start:]})
        except asyncio.CancelledError:
            self.say("cancelled")
            raise
        finally:
            self.say("ended")


class ImpatientPollHandler(PollHandler):
    cancel_on_close = True


class NextHandler(CountedHandler):
    """The next message, through a future that a server's thread sets, or our own."""

    async def get(self, name: str) -> None:
        future: Future[str] = Future()
        channel = channels[name]
        channel.futures.add(future)
        self.open_wire()
        self.say("begun")
        own = self.get_query_argument("own", None)
        if own is not None:
            threading.Thread(target=channel.publish, args=[own]).start()
        self.write(await future)


class PublishHandler(RequestHandler):
    """A plain method, in a thread of the server.

    In another one it publishes ``after`` seconds, or once somebody waits in a future:
    a server with one thread cannot publish while that waits.
    """

    def post(self, name: str) -> None:
        message = self.request.body.decode()
        after = self.get_query_argument("after", None)
        if after is None:
            channels[name].publish(message)
        elif after == "begun":
            threading.Thread(target=channels[name].publish_late, args=[message]).start()
        else:
            threading.Timer(float(after), channels[name].publish, [message]).start()
        self.write("published")


class EventsHandler(CountedHandler):
    """Messages as an event stream, until there were so many."""

    async def get(self, name: str) -> None:
        self.open_wire()
        channel = channels[name]
        number = 0
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Connection", "keep-alive")
        self.say("begun")
        try:
            self.write(": welcome\n\n")
            await self.flush()
            while number < int(self.get_query_argument("count", "1000")):
                while len(channel.messages) <= number:
                    await channel.changed.wait()
                data = json.dumps(channel.messages[number])
                number += 1
                self.write(f"id: {number}\ndata: {data}\n\n")
                await self.flush()
        except asyncio.CancelledError:
            self.say("cancelled")
            raise
        finally:
            self.say("ended")


class ImpatientEventsHandler(EventsHandler):
    cancel_on_close = True


class FloodHandler(CountedHandler):
    """Sends more than any buffer holds, and waits for its reader."""

    async def get(self) -> None:
        self.open_wire()
        self.say("begun")
        try:
            for _ in range(1024):
                self.write(bytes(64 * 1024))
                await self.flush()
                self.say("taken")
        finally:
            self.say("ended")


@stream_request_body
class UploadHandler(CountedHandler):
    """The size and the digest of a body of any size."""

    async def prepare(self) -> None:
        self.open_wire()
        await asyncio.sleep(0)
        self.size = 0
        self.digest = hashlib.sha256()
        self.say("begun")

    async def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.digest.update(chunk)
        self.say("received")
        await asyncio.sleep(0)

    def post(self) -> None:
        self.write({"size": self.size, "digest": self.digest.hexdigest()})
        self.say("answered")


class PreparedHandler(RequestHandler):
    """An asynchronous ``prepare`` before plain methods."""

    async def prepare(self) -> None:
        await asyncio.sleep(0)
        self.current_user = self.get_query_argument("user")

    def get(self) -> None:
        where = "loop" if is_on_loop(parking.background_loop()) else "thread"
        self.write(f"{self.current_user} in a {where}")

    def post(self) -> None:
        self.write(f"{self.current_user}: {self.get_body_argument('message')}")


class FailHandler(RequestHandler):
    """Fails before or after its first chunk."""

    async def get(self, when: str) -> None:
        await asyncio.sleep(0)
        if when == "after":
            self.write("first ")
            await self.flush()
        raise ValueError(f"{when} the first chunk")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish(f"{status_code} for {kwargs['exc_info'][1]}")


class OldHandler(RequestHandler):
    """As handlers were written for Tornado 1."""

    @asynchronous
    def get(self) -> None:
        IOLoop.current().add_timeout(timedelta(0), self.async_callback(self.go_on, "a"))

    def go_on(self, first: str) -> None:
        self.write(first)
        self.flush(callback=self.end)

    def end(self) -> None:
        self.finish("b")


class MiddleAgedHandler(RequestHandler):
    """As they were written for Tornado 3."""

    @asynchronous
    @gen.coroutine
    def get(self) -> Any:
        yield gen.sleep(0)
        several = yield [self.give("a"), self.give("b")]
        self.write("".join(several))

    @gen.coroutine
    def give(self, value: str) -> Any:
        yield gen.moment
        raise gen.Return(value)


class DelegatingHandler(RequestHandler):
    """A plain method that returns something to wait for."""

    def get(self) -> Awaitable[None]:
        return self.answer()

    async def answer(self) -> None:
        await asyncio.sleep(0)
        self.write("answered by another")


class StateHandler(RequestHandler):
    """What has happened, and what there is of this process."""

    def get(self) -> None:
        tasks = asyncio.all_tasks(parking.background_loop())
        self.write(
            {
                "pid": os.getpid(),
                "waiting": parked.waiting(),
                "tasks": len(tasks),
                "counts": counts,
            }
        )


app = Application(
    [
        (r"/poll/(\w+)", PollHandler),
        (r"/impatient/poll/(\w+)", ImpatientPollHandler),
        (r"/next/(\w+)", NextHandler),
        (r"/publish/(\w+)", PublishHandler),
        (r"/events/(\w+)", EventsHandler),
        (r"/impatient/events/(\w+)", ImpatientEventsHandler),
        (r"/flood", FloodHandler),
        (r"/upload", UploadHandler),
        (r"/prepared", PreparedHandler),
        (r"/fail/(before|after)", FailHandler),
        (r"/old", OldHandler),
        (r"/middle-aged", MiddleAgedHandler),
        (r"/delegating", DelegatingHandler),
        (r"/state", StateHandler),
    ]
)
