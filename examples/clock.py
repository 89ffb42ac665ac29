"""A clock in the browser: the server sends the time, a request stays open.

Serve it with ``python -m wsgitornado serve examples.clock:app --threads 50``: each
browser that looks at it holds one thread.
"""

from __future__ import annotations

import asyncio
import time

from wsgitornado.web import Application, EventSource, RequestHandler

PAGE = """<!DOCTYPE html>
<title>Clock</title>
<h1>...</h1>
<script>
  const ticks = new EventSource("{ticks}");
  ticks.onmessage = tick => document.querySelector("h1").textContent = tick.data;
</script>
"""


class PageHandler(RequestHandler):
    def get(self) -> None:
        self.write(PAGE.replace("{ticks}", self.reverse_url("ticks")))


class TicksHandler(RequestHandler):
    # It need not sleep on when its client has left.
    cancel_on_close = True

    async def get(self) -> None:
        async with EventSource(self) as events:
            while True:
                await events.send(time.strftime("%H:%M:%S"))
                await asyncio.sleep(self.settings["seconds"])


def make_app(seconds: float = 1) -> Application:
    """The clock, ticking every so many seconds."""
    return Application(
        [
            (r"/", PageHandler),
            (r"/ticks", TicksHandler, {}, "ticks"),
        ],
        seconds=seconds,
    )


app = make_app()
