"""Event streams whose source is a subscription."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.loops import BOUND
from tests.support import call
from wsgitornado.pubsub import Broker
from wsgitornado.web import (
    Application,
    EventSource,
    RequestHandler,
    StreamClosedError,
)


def stream_of(act: Any, *headers: tuple[str, str]) -> str:
    """What a client gets of a handler that does this with an event stream."""

    class Stream(RequestHandler):
        async def get(self) -> None:
            async with asyncio.timeout(BOUND), EventSource(self) as events:
                await act(events)

    answer = call(Application([("/", Stream)]), headers=headers)
    assert answer.status_code == 200
    return answer.text


def close_after(events: EventSource, count: int) -> None:
    """Close an event stream once it has sent so many."""
    send = events.send

    async def send_and_count(*args: Any, **kwargs: Any) -> None:
        nonlocal count
        await send(*args, **kwargs)
        count -= 1
        if not count:
            events.close()

    events.send = send_and_count  # type: ignore[method-assign]  # watched


def test_messages_become_events_whose_ids_are_cursors() -> None:
    broker = Broker()
    start = broker.publish("room", 0).result()
    one = broker.publish("room", {"text": "hi"}).result()
    two = broker.publish("room", "</").result()

    async def act(events: EventSource) -> None:
        subscription = broker.subscribe("room", after=events.last_event_id)
        close_after(events, 2)
        await events.relay(subscription)
        with pytest.raises(StreamClosedError):
            await events.relay(broker.subscribe("room"))

    assert stream_of(act, ("Last-Event-ID", start)) == (
        f'id: {one}\ndata: {{"text":"hi"}}\n\nid: {two}\ndata: "<\\/"\n\n'
    )


def test_missing_messages_are_an_event_of_their_own() -> None:
    broker = Broker(history=1)
    start = broker.publish("room", 0).result()
    one = broker.publish("room", 1).result()
    two = broker.publish("room", 2).result()

    async def act(events: EventSource) -> None:
        subscription = broker.subscribe("room", after=start)
        close_after(events, 2)
        await events.relay(subscription, event="said")

    assert stream_of(act) == (
        f'event: missed\nid: {one}\ndata: {{"channel": "room"}}\n\n'
        f"event: said\nid: {two}\ndata: 2\n\n"
    )


def test_stream_that_is_closed_ends_a_quiet_relay() -> None:
    broker = Broker()

    async def act(events: EventSource) -> None:
        asyncio.get_running_loop().call_later(0.01, events.close)
        subscription = broker.subscribe("room")
        await events.relay(subscription)
        assert not broker._backend.waiting()

    assert stream_of(act) == ""


def test_stream_that_is_closed_while_its_relay_begins_ends_it() -> None:
    broker = Broker()

    async def act(events: EventSource) -> None:
        subscription = broker.subscribe("room")
        backend: Any = broker._backend

        async def open_slowly(names: Any) -> Any:
            events.close()
            return backend._current()

        backend.open = open_slowly
        await events.relay(subscription)

    assert stream_of(act) == ""


def test_closed_subscription_ends_the_relay_and_not_the_stream() -> None:
    broker = Broker()

    async def act(events: EventSource) -> None:
        subscription = broker.subscribe("room")
        asyncio.get_running_loop().call_later(0.01, subscription.close)
        await events.relay(subscription)
        await events.send("on")

    assert stream_of(act) == "data: on\n\n"


def test_second_relay_of_a_stream_is_refused() -> None:
    broker = Broker()

    async def act(events: EventSource) -> None:
        relay = asyncio.create_task(events.relay(broker.subscribe("room")))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another subscription already"):
            await events.relay(broker.subscribe("room"))
        relay.cancel()

    assert stream_of(act) == ""
