"""The broker of all processes while Redis, or the way to it, is in trouble."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loops import BOUND, until
from tests.pubsub.redis_server import Proxy, RedisServer, running_redis
from tests.pubsub.test_redis import engine_of
from wsgitornado import parking
from wsgitornado.pubsub import Broker, BrokerUnavailable, MessagesMissed, redis_engine
from wsgitornado.testing import ExpectLog

AWAY = "Redis is away, for (publishing|reading): "


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


@contextlib.contextmanager
def broker_at(url: str, **options: Any) -> Iterator[Broker]:
    broker = Broker(url, **options)
    try:
        yield broker
    finally:
        broker.close().result(BOUND)


def run(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    async def bound() -> Any:
        async with asyncio.timeout(BOUND):
            return await main()

    return parking.wait(bound())


async def take(messages: Any, count: int) -> list[Any]:
    got: list[Any] = []
    while len(got) < count:
        got += [m.data for m in await messages.get_many(timeout=BOUND)]
    return got


# Redis is killed and started again


def test_who_waits_stays_when_redis_is_restarted(durable: RedisServer) -> None:
    async def main() -> None:
        async with broker.subscribe("room") as messages:
            waiting = asyncio.ensure_future(messages.get())
            first = await broker.publish("room", 1)
            message = await waiting
            assert message is not None
            waiting = asyncio.ensure_future(messages.get())
            await asyncio.to_thread(durable.kill)
            publications = [broker.publish("room", n) for n in range(2, 300)]
            await asyncio.to_thread(durable.start)
            message = await waiting
            assert message is not None
            assert [message.data, *await take(messages, 297)] == list(range(2, 300))
            assert messages.cursor == await publications[-1]
        async with broker.subscribe("room", after=first) as messages:
            assert await take(messages, 298) == list(range(2, 300))

    with broker_at(durable.url) as broker, ExpectLog(LOGGER, AWAY):
        run(main)


LOGGER = "wsgitornado.application"


def test_what_redis_has_lost_is_told(tmp_path: Path) -> None:
    async def main(server: RedisServer) -> None:
        async with broker.subscribe("room") as messages:
            cursor = await broker.publish("room", 1)
            assert await take(messages, 1) == [1]
            await asyncio.to_thread(server.kill)
            await asyncio.to_thread(server.start)
            await broker.publish("room", 2)
            with pytest.raises(MessagesMissed):
                await messages.get()
            assert (await take(messages, 1))[0] == 2
        async with broker.subscribe("room", after=cursor) as messages:
            with pytest.raises(MessagesMissed):
                await messages.get()
            assert await take(messages, 1) == [2]

    with running_redis(tmp_path, is_durable=False) as server:
        with broker_at(server.url) as broker, ExpectLog(LOGGER, AWAY):
            run(lambda: main(server))


@pytest.mark.parametrize("is_reading", [True, False], ids=["news first", "idle first"])
def test_emptied_database_is_told(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch, is_reading: bool
) -> None:
    monkeypatch.setattr(redis_engine, "_BLOCK", 0.05)

    async def main() -> None:
        async with broker.subscribe("room", "quiet") as messages:
            await broker.publish("room", 1)
            assert await take(messages, 1) == [1]
            epoch = messages.cursor.partition("-")[0]
            redis_server.ask(b"FLUSHALL\r\n")
            if is_reading:
                await broker.publish("room", 2)
            told = set()
            for _ in range(2):
                with pytest.raises(MessagesMissed) as caught:
                    await messages.get()
                told.add(caught.value.channel)
            assert told == {"room", "quiet"}
            if not is_reading:
                await broker.publish("room", 2)
            async with broker.subscribe("another"):
                pass
            assert await take(messages, 1) == [2]
            assert messages.cursor.partition("-")[0] != epoch

    with broker_at(redis_server.url) as broker:
        run(main)


# Nobody there


def test_publishing_waits_for_as_long_as_it_says(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)

    async def main() -> None:
        publication = broker.publish("room", 1)
        with pytest.raises(BrokerUnavailable, match=r"away for 0.1 seconds:") as caught:
            await publication
        assert not caught.value.may_be_published
        with pytest.raises(BrokerUnavailable, match=r"away for 0.1 seconds"):
            async with broker.subscribe("room"):
                pass
        await until(lambda: not engine_of(broker)._wishes)()
        await asyncio.to_thread(server.start)
        # It is as if nothing had happened.
        while True:
            try:
                async with broker.subscribe("room") as messages:
                    broker.publish("room", 2)
                    assert await take(messages, 1) == [2]
                    return
            except BrokerUnavailable:
                # It rests between two tries.
                pass

    with broker_at(server.url, patience=0.1) as broker, ExpectLog(LOGGER, AWAY):
        try:
            run(main)
        finally:
            server.kill()


def test_closing_does_not_wait_for_ever(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    with ExpectLog(LOGGER, AWAY):
        with broker_at(server.url, patience=0.1) as broker:
            publication = broker.publish("room", 1)
    assert isinstance(publication.exception(BOUND), BrokerUnavailable)


# The wire breaks


@pytest.mark.parametrize("is_question", [True, False], ids=["question", "answer"])
def test_connection_that_is_cut_while_publishing_doubles_nothing(
    redis_server: RedisServer, is_question: bool
) -> None:
    """The message is there, and who has sent it does not know."""
    was_asked = False

    def cut(data: bytes, goes_there: bool) -> bool:
        nonlocal was_asked
        if b"XADD" in data and goes_there and proxy.cuts < 3:
            was_asked = not is_question
            return is_question
        is_cut, was_asked = was_asked and not goes_there, False
        return is_cut

    async def main() -> None:
        async with proxy, direct.subscribe("cut") as messages:
            with broker_via(proxy) as broker:
                for number in range(20):
                    await broker.publish("cut", number)
                await broker.close()
            assert await take(messages, 20) == list(range(20))
            assert await messages.get(0.05) is None
        assert proxy.cuts == 3

    proxy = Proxy(redis_server.port, cut)
    with broker_at(redis_server.url) as direct, ExpectLog(LOGGER, AWAY):
        run(main)


@contextlib.contextmanager
def broker_via(proxy: Proxy, **options: Any) -> Iterator[Broker]:
    """Closed by the test: it cannot be waited for on the loop."""
    yield Broker(proxy.url, **options)


def test_publisher_without_an_answer_says_that_it_may_be_there(
    redis_server: RedisServer,
) -> None:
    async def main() -> None:
        async with proxy, direct.subscribe("maybe") as messages:
            with broker_via(proxy, patience=0.2) as broker:
                with pytest.raises(BrokerUnavailable) as caught:
                    await broker.publish("maybe", 1)
                assert caught.value.may_be_published
                assert await take(messages, 1) == [1]
                await broker.close()
            assert await messages.get(0.05) is None

    # What EVAL answers is an array.
    proxy = Proxy(redis_server.port, lambda data, there: b"XADD" in data and there)
    with broker_at(redis_server.url) as direct, ExpectLog(LOGGER, AWAY):
        run(main)


def test_connection_that_is_cut_while_reading_loses_nothing(
    redis_server: RedisServer,
) -> None:
    """Every tenth piece of news is lost on the way, and asked for again."""
    pieces = 0

    def cut(data: bytes, goes_there: bool) -> bool:
        nonlocal pieces
        if goes_there or b"news" not in data:
            return False
        pieces += 1
        return pieces % 10 == 0

    async def main() -> None:
        async with proxy:
            with broker_via(proxy) as broker:
                async with broker.subscribe("read") as messages:
                    for number in range(40):
                        await direct.publish("read", number)
                        assert await take(messages, 1) == [number]
                await broker.close()
        assert proxy.cuts >= 3

    proxy = Proxy(redis_server.port, cut)
    with broker_at(redis_server.url) as direct, ExpectLog(LOGGER, AWAY):
        run(main)


@pytest.mark.parametrize(
    ("published", "is_missed"), [(10, False), (11, True)], ids=["kept", "cut off"]
)
def test_process_that_was_away_for_long_fetches_what_is_kept(
    redis_server: RedisServer, published: int, is_missed: bool
) -> None:
    """The news have gone on without it; the histories have what it needs, or not."""
    is_cut_off = False

    def cut(data: bytes, goes_there: bool) -> bool:
        return is_cut_off

    async def main() -> None:
        nonlocal is_cut_off
        async with proxy:
            with broker_via(proxy, history=10) as broker:
                async with (
                    broker.subscribe("long") as messages,
                    broker.subscribe("quiet") as quiet,
                ):
                    await direct.publish("long", "first")
                    await direct.publish("quiet", "first")
                    assert await take(messages, 1) == ["first"]
                    assert await take(quiet, 1) == ["first"]
                    is_cut_off = True
                    for number in range(published):
                        await direct.publish("long", number)
                        redis_server.ask(b"XTRIM wsgitornado:news MAXLEN 1\r\n")
                    is_cut_off = False
                    if is_missed:
                        with pytest.raises(MessagesMissed):
                            await messages.get()
                    assert await take(messages, 10) == list(range(published))[-10:]
                    await direct.publish("quiet", "second")
                    assert await take(quiet, 1) == ["second"]
                await broker.close()

    proxy = Proxy(redis_server.port, cut)
    with broker_at(redis_server.url, history=10) as direct, ExpectLog(LOGGER, AWAY):
        run(main)


def test_silent_redis_is_given_up(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that has gone takes everything, and says nothing."""

    async def swallow(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(swallow, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        broker = Broker(f"redis://127.0.0.1:{port}/0", patience=0.1)
        with pytest.raises(BrokerUnavailable, match="away"):
            await broker.publish("room", 1)
        await broker.close()
        server.close()

    monkeypatch.setattr("wsgitornado.pubsub.redis_link._CONNECTING", 0.05)
    monkeypatch.setattr("wsgitornado.pubsub.redis_link._ANSWERING", 0.05)
    with ExpectLog(LOGGER, AWAY):
        run(main)
