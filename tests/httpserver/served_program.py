"""A program for tests of servers in processes of their own; ``plain`` is bare WSGI."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time

from tests.live.client import HOST
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.ioloop import IOLoop, PeriodicCallback
from wsgitornado.web import Application, RequestHandler

#: How often the timer has run that was started when this was imported.
ticks = 0


def tick() -> None:
    global ticks
    ticks += 1


def show(environ: WSGIEnvironment) -> bytes:
    """What of an environ is text or says yes or no."""
    shown = {key: value for key, value in environ.items() if type(value) in (str, bool)}
    return json.dumps({"pid": os.getpid(), "ticks": ticks, **shown}).encode()


class ShowHandler(RequestHandler):
    def get(self) -> None:
        self.write(show(self.request.environ))


class SleepHandler(RequestHandler):
    """Blocks its thread for a while."""

    def get(self) -> None:
        time.sleep(float(self.get_query_argument("seconds")))
        self.write("slept")


class HoldHandler(RequestHandler):
    """Blocks its thread until the test lets it go on; see ``Wire``."""

    def get(self) -> None:
        port = int(self.get_query_argument("wire"))
        with socket.create_connection((HOST, port)) as wire:
            wire.recv(1)
        self.write("held")


class ParkHandler(RequestHandler):
    """The same on the loop; it tells the test when it is cancelled."""

    async def get(self) -> None:
        port = int(self.get_query_argument("wire"))
        reader, writer = await asyncio.open_connection(HOST, port)
        if self.get_query_argument("begun", ""):
            self.write("the first part, ")
            await self.flush()
        try:
            await reader.read(1)
            self.write("parked")
        except asyncio.CancelledError:
            writer.write(b"cancelled\n")
            raise
        finally:
            writer.close()


def plain(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    """A callable that is none of ours."""
    environ["wsgi.errors"].write("a line of the application\n")
    start_response("200 OK", [("Content-Type", "application/json")])
    return [show(environ)]


if "--touch-loop" in os.environ.get("SERVED", ""):
    # As programs do at import, which gunicorn may do before it forks.
    PeriodicCallback(tick, 10).start()
    IOLoop.current().add_callback(lambda: print("begun", file=sys.stderr, flush=True))

app = Application(
    [
        ("/show", ShowHandler),
        ("/sleep", SleepHandler),
        ("/hold", HoldHandler),
        ("/park", ParkHandler),
    ]
)
