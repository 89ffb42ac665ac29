"""WebSocketHandler.relay: a subscription that goes out over a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self

import pytest

from tests.httpserver.running import EVERY_KIND, Kind, running, wait_for
from tests.websocket.frames import Frame, FrameClient, Opcode
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application
from wsgitornado.websocket import WebSocketHandler


class Message:
    def __init__(self, json: str) -> None:
        self.json = json


class Missed(Exception):
    """As the pubsub package raises it."""

    cursor = "5"


class Subscription:
    """Gives what it is told, raises what is an exception, and then waits."""

    def __init__(self, *items: str | Exception) -> None:
        self.items = list(items)
        self.is_closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_closed = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        if not self.items:
            await asyncio.Event().wait()
        item = self.items.pop(0)
        if isinstance(item, Exception):
            raise item
        return Message(item)


def site(
    subscription: Any,
    on_missed: Callable[[Any], Any] | None = None,
    encode: Callable[[Any], Any] | None = None,
) -> Any:
    class Relaying(WebSocketHandler):
        def open(self) -> None:
            self.relay(subscription, on_missed, encode)

    return Application([("/", Relaying)])


@EVERY_KIND
def test_messages_go_out_until_the_client_leaves(kind: Kind) -> None:
    subscription = Subscription('{"a": 1}', "2")
    with (
        running(site(subscription), kind) as server,
        FrameClient(server.port) as client,
    ):
        client.upgrade()
        assert [client.next_text(), client.next_text()] == ['{"a": 1}', "2"]
        client.say_goodbye()
        wait_for(lambda: subscription.is_closed)


def test_program_says_what_is_sent_of_a_message() -> None:
    def encode(message: Message) -> dict[str, str] | None:
        return None if message.json == "0" else {"is": message.json}

    with (
        running(site(Subscription("0", "1"), encode=encode)) as server,
        FrameClient(server.port) as client,
    ):
        client.upgrade()
        assert client.next_text() == '{"is": "1"}'
        client.say_goodbye()


@pytest.mark.parametrize("says", [True, False], ids=["told", "passed over"])
def test_program_says_what_becomes_of_missed_messages(says: bool) -> None:
    subscription = Subscription(Missed(), "1")

    def on_missed(error: Missed) -> dict[str, str] | None:
        return {"after": error.cursor} if says else None

    with (
        running(site(subscription, on_missed)) as server,
        FrameClient(server.port) as client,
    ):
        client.upgrade()
        if says:
            assert client.next_text() == '{"after": "5"}'
        assert client.next_text() == "1"
        client.say_goodbye()
        wait_for(lambda: subscription.is_closed)


@pytest.mark.parametrize("error", [Missed(), LookupError("mine")], ids=repr)
def test_other_failures_close(error: Exception) -> None:
    handler = None if isinstance(error, Missed) else (lambda _: None)
    with (
        running(site(Subscription(error), handler)) as server,
        FrameClient(server.port) as client,
        ExpectLog("wsgitornado.application", "Uncaught exception GET /"),
    ):
        client.upgrade()
        assert client.next_frame() == Frame(Opcode.CLOSE, b"\x03\xf3")
        client.say_goodbye()


def test_end_of_the_subscription_leaves_the_connection_open() -> None:
    subscription = Subscription("1", StopAsyncIteration())
    with running(site(subscription)) as server, FrameClient(server.port) as client:
        client.upgrade()
        assert client.next_text() == "1"
        wait_for(lambda: subscription.is_closed)
        assert client.frames_until_pong() == []
        client.say_goodbye()
