"""What both kinds of broker promise."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.loops import BOUND
from tests.pubsub.conftest import MakeBroker
from wsgitornado import parking
from wsgitornado.pubsub import (
    Broker,
    Message,
    MessagesMissed,
    Publication,
    SubscriptionClosed,
)

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["the serving loop", "another loop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine on the loop that the broker uses, or on one of the test's."""

    async def bound(coroutine: Coroutine[Any, Any, Any]) -> Any:
        async with asyncio.timeout(BOUND):
            return await coroutine

    runner: Any = parking.wait if request.param == "the serving loop" else asyncio.run
    return lambda coroutine: runner(bound(coroutine))


def data_of(messages: list[Message]) -> list[Any]:
    return [message.data for message in messages]


# The three lines


def test_message_reaches_who_waits(broker: Broker, run: Run) -> None:
    async def main() -> None:
        async with broker.subscribe("room") as messages:
            waiting = asyncio.ensure_future(messages.get(timeout=BOUND))
            await asyncio.sleep(0)
            cursor = await broker.publish("room", {"text": "hi"})
            message = await waiting
        assert message is not None
        assert message.channel == "room"
        assert message.cursor == cursor
        assert message.json == '{"text":"hi"}'
        assert message.data == {"text": "hi"}
        assert message.data is message.data
        assert repr(message) == f'<Message {cursor} in \'room\': {{"text":"hi"}}>'

    run(main())


def test_iteration_gives_messages_in_their_order(broker: Broker, run: Run) -> None:
    async def main() -> list[Any]:
        got = []
        async with broker.subscribe("room") as messages:
            for number in range(300):
                broker.publish("room", number)
            async for message in messages:
                got.append(message.data)
                if len(got) == 300:
                    break
        return got

    assert run(main()) == list(range(300))


def test_all_who_wait_are_woken_by_one_message(broker: Broker, run: Run) -> None:
    async def wait() -> Message | None:
        async with broker.subscribe("room") as messages:
            begun.append(messages)
            return await messages.get(BOUND)

    begun: list[Any] = []

    async def main() -> None:
        tasks = [asyncio.create_task(wait()) for _ in range(100)]
        while len(begun) < 100:
            await asyncio.sleep(0.001)
        await broker.publish("room", "x")
        first, *others = await asyncio.gather(*tasks)
        assert all(other is first for other in others)

    run(main())


def test_other_channels_are_not_heard(broker: Broker, run: Run) -> None:
    async def main() -> None:
        async with broker.subscribe("room") as messages:
            await broker.publish("other", 1)
            await broker.publish("room", 2)
            message = await messages.get(BOUND)
            assert message is not None
            assert message.data == 2
            assert await messages.get(0) is None

    run(main())


def test_several_channels_are_read_in_the_order_of_publishing(
    broker: Broker, run: Run
) -> None:
    async def main() -> None:
        await broker.publish("a", "before")
        async with broker.subscribe("a", "b", "a") as messages:
            start = messages.cursor
            for number in range(20):
                await broker.publish("ab"[number % 3 == 0], number)
            got = [await messages.get(BOUND) for _ in range(20)]
        # A cursor counts for all channels.
        assert [m.data for m in got if m] == list(range(20))
        middle = got[9]
        assert middle is not None
        for after, first in ((start, 0), (middle.cursor, 10)):
            async with broker.subscribe("b", "a", after=after) as messages:
                again = [await messages.get(BOUND) for _ in range(first, 20)]
                assert [m.data for m in again if m] == list(range(first, 20))
                assert await messages.get(0.01) is None

    run(main())


# Cursors


def test_who_comes_back_gets_what_was_published_since(broker: Broker, run: Run) -> None:
    async def main() -> None:
        await broker.publish("room", 0)
        cursors = [await broker.publish("room", n) for n in range(1, 5)]
        for number, cursor in enumerate(cursors, 1):
            async with broker.subscribe("room", after=cursor) as messages:
                expected = list(range(number + 1, 5))
                got: list[Message] = []
                while len(got) < len(expected):
                    got += await messages.get_many(timeout=BOUND)
                assert data_of(got) == expected
                assert messages.cursor == cursors[-1]
                assert await messages.get_many(timeout=0.01) == []

    run(main())


def test_cursor_of_a_quiet_subscription_is_a_place_too(
    broker: Broker, run: Run
) -> None:
    async def main() -> None:
        async with broker.subscribe("room") as messages:
            assert await messages.get(0.01) is None
            cursor = messages.cursor
        await broker.publish("other", 0)
        await broker.publish("room", 1)
        async with broker.subscribe("room", after=cursor) as messages:
            (message,) = await messages.get_many(timeout=BOUND)
            assert message.data == 1

    run(main())


def test_cursor_moves_over_what_was_published_elsewhere(
    broker: Broker, run: Run
) -> None:
    async def main() -> None:
        async with broker.subscribe("room", "other") as messages:
            start = messages.cursor
            await broker.publish("other", 0)
            message = await messages.get(BOUND)
            assert message is not None
            assert messages.cursor == message.cursor != start
            await broker.publish("room", 0)
            before = messages.cursor
        # What waits to be taken is not passed over by closing.
        assert messages.cursor == before

    run(main())


@pytest.mark.parametrize(
    "after",
    ["00000000-5", "", "nonsense", "0" * 5000, "0-0", "٣٣٣٣٣٣٣٣-1", "00000000-\n"],
    ids=["other epoch", "empty", "words", "long", "short", "other digits", "line"],
)
def test_unknown_cursor_is_told_and_gives_all_that_is_kept(
    broker: Broker, run: Run, after: str
) -> None:
    async def main() -> None:
        for number in range(3):
            await broker.publish("room", number)
        async with broker.subscribe("room", after=after) as messages:
            with pytest.raises(MessagesMissed) as caught:
                await messages.get(BOUND)
            assert data_of(await messages.get_many()) == [0, 1, 2]
        assert caught.value.channel == "room"
        assert str(caught.value) == (
            "messages of the channel 'room' are not kept any more"
        )
        async with broker.subscribe("room", after=caught.value.cursor) as messages:
            assert data_of(await messages.get_many()) == [0, 1, 2]

    run(main())


def test_unknown_cursor_of_an_empty_channel_is_told_too(
    broker: Broker, run: Run
) -> None:
    async def main() -> None:
        async with broker.subscribe("room", after="00000000-5") as messages:
            with pytest.raises(MessagesMissed):
                await messages.get(BOUND)
            assert await messages.get(0.01) is None

    run(main())


# What is kept, and slow subscribers


@pytest.mark.parametrize("published", [10, 11], ids=["the limit", "one more"])
def test_history_is_as_long_as_it_says(
    make_broker: MakeBroker, run: Run, published: int
) -> None:
    broker = make_broker(history=10)

    async def main() -> None:
        start = await broker.publish("room", "first")
        for number in range(published):
            await broker.publish("room", number)
        async with broker.subscribe("room", after=start) as messages:
            if published > 10:
                with pytest.raises(MessagesMissed):
                    await messages.get(BOUND)
            expected = list(range(published))[-10:]
            assert data_of(await messages.get_many()) == expected

    run(main())


@pytest.mark.parametrize("published", [10, 11], ids=["the limit", "one more"])
def test_slow_subscriber_is_told_what_history_has_cut_off(
    make_broker: MakeBroker, run: Run, published: int
) -> None:
    broker = make_broker(history=10)

    async def main() -> None:
        async with broker.subscribe("room") as messages:
            for number in range(published):
                await broker.publish("room", number)
            async with broker.subscribe("room") as quick:
                # Everything has arrived once this has.
                await broker.publish("other", None)
                await quick.get(0.05)
            if published > 10:
                with pytest.raises(MessagesMissed):
                    await messages.get(BOUND)
            got = await messages.get_many(timeout=BOUND)
            assert data_of(got) == list(range(published))[-10:]
            # It goes on as if nothing had happened.
            await broker.publish("room", "on")
            assert data_of(await messages.get_many(timeout=BOUND)) == ["on"]

    run(main())


@pytest.mark.parametrize("published", [3, 4], ids=["the limit", "one more"])
def test_subscriber_may_be_as_far_behind_as_it_says(
    broker: Broker, run: Run, published: int
) -> None:
    async def main() -> None:
        start = await broker.publish("room", "first")
        for number in range(published):
            await broker.publish("room", number)
        subscription = broker.subscribe("room", after=start, max_behind=3)
        async with subscription as messages:
            # Waits until all have arrived.
            async with broker.subscribe("room", after=start) as others:
                for _ in range(published):
                    await others.get(BOUND)
            if published > 3:
                with pytest.raises(MessagesMissed) as caught:
                    await messages.get(BOUND)
                assert caught.value.cursor == messages.cursor != start
            got = await messages.get_many()
            assert data_of(got) == list(range(published))[-3:]

    run(main())


def test_get_many_gives_no_more_than_it_is_asked_for(broker: Broker, run: Run) -> None:
    async def main() -> None:
        start = await broker.publish("room", 0)
        for number in range(1, 6):
            await broker.publish("room", number)
        async with broker.subscribe("room", after=start) as messages:
            assert data_of(await messages.get_many(2, timeout=BOUND)) == [1, 2]
            assert data_of(await messages.get_many(1)) == [3]

    run(main())


def test_get_many_leaves_it_to_the_next_call_to_tell_what_is_missing(
    make_broker: MakeBroker, run: Run
) -> None:
    broker = make_broker(history=2)

    async def main() -> None:
        start = await broker.publish("a", 0)
        for channel in "abbb":
            await broker.publish(channel, channel)
        # b is the second: it has missed one, a has not.
        async with broker.subscribe("a", "b", after=start) as messages:
            with pytest.raises(MessagesMissed) as caught:
                await messages.get_many(timeout=BOUND)
            assert caught.value.channel == "b"
            assert data_of(await messages.get_many()) == ["a", "b", "b"]

    run(main())


# Waiting


def test_waiting_ends_with_its_time(broker: Broker, run: Run) -> None:
    async def main() -> None:
        async with broker.subscribe("room") as messages:
            for timeout in (-1, 0, 0.001):
                assert await messages.get(timeout) is None
                assert await messages.get_many(timeout=timeout) == []

    run(main())


def test_cancelled_wait_takes_nothing(broker: Broker, run: Run) -> None:
    async def main() -> None:
        async with broker.subscribe("room") as messages:
            waiting = asyncio.ensure_future(messages.get())
            await asyncio.sleep(0)
            await broker.publish("room", 1)
            waiting.cancel()
            await asyncio.wait([waiting])
            message = waiting.result() if not waiting.cancelled() else None
            if message is None:
                message = await messages.get(BOUND)
            assert message is not None
            assert message.data == 1

    run(main())


def test_two_coroutines_cannot_wait_in_one_subscription(
    broker: Broker, run: Run
) -> None:
    async def main() -> None:
        async with broker.subscribe("room") as messages:
            waiting = asyncio.ensure_future(messages.get())
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="another coroutine waits"):
                await messages.get()
            waiting.cancel()

    run(main())


def test_release_ends_every_wait_and_no_iteration(broker: Broker, run: Run) -> None:
    async def iterate() -> list[Any]:
        async with broker.subscribe("room") as messages:
            begun.append(messages)
            async for message in messages:
                return [message.data]
        return []

    begun: list[Any] = []

    async def main() -> None:
        task = asyncio.create_task(iterate())
        async with broker.subscribe("room", "other") as messages:
            waiting = asyncio.ensure_future(messages.get())
            while not begun:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0)
            broker.release()
            assert await waiting is None
        await broker.publish("room", 1)
        assert await task == [1]

    run(main())


def test_closing_ends_what_waits(broker: Broker, run: Run) -> None:
    async def main() -> None:
        async with broker.subscribe("room") as messages:
            waiting = asyncio.ensure_future(messages.get())
            await asyncio.sleep(0)
            messages.close()
            with pytest.raises(SubscriptionClosed):
                await waiting
            messages.close()
            with pytest.raises(SubscriptionClosed):
                await messages.get(1)
            assert [m async for m in messages] == []
            with pytest.raises(SubscriptionClosed, match="make a new one"):
                await messages.__aenter__()

    run(main())


def test_subscription_that_is_not_open_says_so(broker: Broker, run: Run) -> None:
    async def main() -> None:
        messages = broker.subscribe("room")
        with pytest.raises(RuntimeError, match="within 'async with'"):
            await messages.get()
        with pytest.raises(RuntimeError, match="within 'async with'"):
            _ = messages.cursor
        async with messages, messages:
            assert await messages.get(0) is None
        never = broker.subscribe("room")
        never.close()
        with pytest.raises(SubscriptionClosed):
            await never.__aenter__()

    run(main())


def test_closed_broker_tells_who_reads_and_can_be_used_again(
    broker: Broker, run: Run
) -> None:
    async def main() -> None:
        async with broker.subscribe("room") as messages:
            waiting = asyncio.ensure_future(messages.get())
            await asyncio.sleep(0)
            broker.publish("room", 1)
            await broker.close()
            try:
                message = await waiting
                assert message is not None
            except SubscriptionClosed:
                pass
            with pytest.raises(SubscriptionClosed, match="broker was closed"):
                await messages.get()
        async with broker.subscribe("room") as messages:
            await broker.publish("room", 2)
            got = await messages.get(BOUND)
            assert got is not None
            assert got.data == 2

    run(main())


# The programmer's mistakes


@pytest.mark.parametrize(
    "message",
    [b"bytes", object(), {1, 2}, float("nan"), {(1, 2): 3}, [float("inf")]],
    ids=["bytes", "object", "set", "nan", "tuple as key", "infinity"],
)
def test_what_json_cannot_hold_is_refused_where_it_is_published(
    broker: Broker, message: object
) -> None:
    with pytest.raises(TypeError):
        broker.publish("room", message)


def test_circle_is_refused_too(broker: Broker) -> None:
    circle: list[Any] = []
    circle.append(circle)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for message in (circle, deep):
        with pytest.raises(TypeError, match="a message is a JSON value"):
            broker.publish("room", message)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", ValueError),
        ("x" * 501, ValueError),
        ("é" * 251, ValueError),
        ("\ud800", ValueError),
        (b"room", TypeError),
        (None, TypeError),
    ],
    ids=["empty", "long", "long in bytes", "no text", "bytes", "None"],
)
def test_bad_channel_is_refused(
    broker: Broker, name: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        broker.publish(name, 1)
    with pytest.raises(error):
        broker.subscribe("room", name)


def test_channel_may_be_called_anything_else(broker: Broker, run: Run) -> None:
    async def main() -> None:
        for name in ("x" * 500, "a b:c{d}*\n\0", "ünï ✓", " "):
            async with broker.subscribe(name) as messages:
                await broker.publish(name, name)
                message = await messages.get(BOUND)
                assert message is not None
                assert (message.channel, message.data) == (name, name)

    run(main())


def test_bad_arguments_of_subscribe_are_refused(broker: Broker) -> None:
    with pytest.raises(TypeError, match="a cursor is text"):
        broker.subscribe("room", after=5)  # type: ignore[arg-type]  # asked for
    with pytest.raises(ValueError, match="max_behind must be positive"):
        broker.subscribe("room", max_behind=0)


# What publish gives


def test_publication_is_asked_in_a_thread(broker: Broker) -> None:
    publication = broker.publish("room", 1)
    assert isinstance(publication, Publication)
    cursor = publication.result(BOUND)
    assert cursor == publication.result()
    assert publication.exception() is None
    assert not publication.cancel()


def test_nested_values_arrive_as_json_has_them(broker: Broker, run: Run) -> None:
    async def main() -> None:
        async with broker.subscribe("room") as messages:
            await broker.publish("room", {"a": (1, None, "\ud800</é\u2028"), 2: True})
            message = await messages.get(BOUND)
            assert message is not None
            assert message.data == {"a": [1, None, "\ud800</é\u2028"], "2": True}
            assert message.json.isascii()
            assert "</" not in message.json

    run(main())
