"""A live dashboard: what a server does, in every browser that looks, each second.

Run it, with the extra ``websocket``, and open the address that it prints, on a
telephone too::

    python -m examples.dashboard

The process measures itself and publishes what it finds. Browsers get that by an event
stream, or with ``?transport=socket`` by a WebSocket; whoever comes gets the last two
minutes first.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from wsgitornado.ioloop import PeriodicCallback
from wsgitornado.pubsub import Broker
from wsgitornado.web import Application, EventSource, RequestHandler
from wsgitornado.websocket import WebSocketHandler

HERE = Path(__file__).resolve().parent

#: Where samples are published, how many are kept, and the milliseconds between two.
CHANNEL = "samples"
KEPT = 120
PERIOD = 1000.0

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")


class Sampler:
    """Measures a server, and the process in which it runs.

    :param server: what ``listen`` gives.
    """

    def __init__(self, server: Any, broker: Broker) -> None:
        self._server = server
        self._broker = broker
        self._timer = PeriodicCallback(self.publish, PERIOD)
        self._answered = server.stats()["answered"]
        self._processor = time.process_time()
        self._moment = time.monotonic()

    def start(self) -> None:
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    def publish(self) -> None:
        self._broker.publish(CHANNEL, self.take())

    def take(self) -> dict[str, float]:
        """What has happened since the last time, and what there is."""
        stats = self._server.stats()
        processor, moment = time.process_time(), time.monotonic()
        seconds = max(moment - self._moment, 0.001)
        sample = {
            "time": time.time(),
            "requests": round((stats["answered"] - self._answered) / seconds, 1),
            "waiting": stats["parked"],
            "memory": round(resident_size() / 1e6, 1),
            "processor": round(100 * (processor - self._processor) / seconds, 1),
        }
        self._answered, self._processor = stats["answered"], processor
        self._moment = moment
        return sample


def resident_size() -> int:
    """Bytes of memory that this process has: Linux tells."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * PAGE_SIZE


class PageHandler(RequestHandler):
    def get(self) -> None:
        self.set_header("Content-Security-Policy", "default-src 'self'")
        self.render("page.html", kept=KEPT)


class WorkHandler(RequestHandler):
    """Something to do, for the button on the page."""

    def get(self) -> None:
        self.write(str(sum(number * number for number in range(20_000))))


class EventsHandler(RequestHandler):
    async def get(self) -> None:
        async with EventSource(self, retry=1) as events:
            # Who comes for the first time gets all that is kept.
            after = events.last_event_id or ""
            await events.relay(self.settings["broker"].subscribe(CHANNEL, after=after))


class SocketHandler(WebSocketHandler):
    def open(self) -> None:
        subscription = self.settings["broker"].subscribe(CHANNEL, after="")
        self.relay(subscription, on_missed=lambda _: "null")


def make_app(broker: Broker | None = None) -> Application:
    return Application(
        [
            (r"/", PageHandler),
            (r"/work", WorkHandler, {}, "work"),
            (r"/events", EventsHandler, {}, "events"),
            (r"/socket", SocketHandler, {}, "socket"),
        ],
        broker=broker or Broker(history=KEPT),
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        websocket_ping_interval=20,
    )
