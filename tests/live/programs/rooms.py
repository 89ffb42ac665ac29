"""A room of messages for the fault run: published, polled for and streamed.

One worker: ``python -m tests.live.programs.rooms PORT REDIS_URL HISTORY``.
"""

from __future__ import annotations

import asyncio
import sys

from wsgitornado.pubsub import Broker, BrokerUnavailable, MessagesMissed
from wsgitornado.web import Application, EventSource, HTTPError, RequestHandler

ROOM = "room"


class Publish(RequestHandler):
    """Answers only when the message is there."""

    async def post(self) -> None:
        broker: Broker = self.application.settings["broker"]
        try:
            cursor = await broker.publish(ROOM, int(self.request.body))
        except BrokerUnavailable as error:
            raise HTTPError(503) from error
        self.write({"cursor": cursor})


class Poll(RequestHandler):
    """What has come since a cursor, waited for if need be."""

    async def get(self) -> None:
        broker: Broker = self.application.settings["broker"]
        after = self.get_query_argument("after", None)
        is_missed = False
        async with broker.subscribe(ROOM, after=after) as messages:
            try:
                got = await messages.get_many(timeout=5.0)
            except MessagesMissed:
                is_missed, got = True, []
            self.write(
                {
                    "missed": is_missed,
                    "messages": [message.data for message in got],
                    "cursor": messages.cursor,
                }
            )


class Stream(RequestHandler):
    """The same as events."""

    async def get(self) -> None:
        broker: Broker = self.application.settings["broker"]
        async with EventSource(self) as events:
            after = events.last_event_id
            await events.relay(broker.subscribe(ROOM, after=after))


def make_app(url: str, history: int) -> Application:
    broker = Broker(url, history=history)
    return Application(
        [("/publish", Publish), ("/poll", Poll), ("/stream", Stream)], broker=broker
    )


async def main(port: int, url: str, history: int) -> None:
    make_app(url, history).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
