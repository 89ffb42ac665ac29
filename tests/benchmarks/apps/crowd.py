"""A program of one or many processes: ``/wait`` waits for what ``/publish`` says.

Each request that has come to wait appends a line to the file WAITING, the number of its
process: whoever asks over the network would not know which process is asked.
"""

from __future__ import annotations

import os

from tests.benchmarks.apps.waiting import MESSAGE
from wsgitornado.pubsub import Broker
from wsgitornado.web import Application, RequestHandler

CHANNEL = "crowd"

broker = Broker(os.environ.get("BROKER_URL", "memory://"))
# Lines of one write are not mixed with others (open(2), O_APPEND).
waiting = os.open(os.environ.get("WAITING", os.devnull), os.O_WRONLY | os.O_APPEND)


class Wait(RequestHandler):
    async def get(self) -> None:
        async with broker.subscribe(CHANNEL) as messages:
            os.write(waiting, b"%d\n" % os.getpid())
            message = await messages.get()
        self.write("nothing" if message is None else message.json)


class Publish(RequestHandler):
    async def get(self) -> None:
        await broker.publish(CHANNEL, MESSAGE)
        self.write("published")


app = Application([("/wait", Wait), ("/publish", Publish)])
