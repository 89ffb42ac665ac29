"""The broker of all processes: several of them, one Redis that stays."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from tests import forking
from tests.loops import BOUND, another_loop, run_program, until
from tests.pubsub.conftest import MakeBroker
from tests.pubsub.redis_server import RedisServer
from wsgitornado import parking
from wsgitornado.ioloop import IOLoop
from wsgitornado.pubsub import (
    Broker,
    BrokerUnavailable,
    MessagesMissed,
    Publication,
    SubscriptionClosed,
    redis_engine,
)
from wsgitornado.pubsub.redis_engine import Engine
from wsgitornado.testing import ExpectLog


def engine_of(broker: Broker) -> Engine:
    engine: Engine | None = broker._backend._engine  # type: ignore[attr-defined]  # ours
    assert engine is not None
    return engine


def prefix_of(broker: Broker) -> str:
    return broker._backend._options.prefix  # type: ignore[attr-defined, no-any-return]


async def collect(broker: Broker, after: str | None, *names: str, count: int) -> Any:
    """So many messages; "missed" where something is."""
    got: list[Any] = []
    async with asyncio.timeout(BOUND):
        async with broker.subscribe(*names, after=after) as messages:
            while len(got) < count:
                try:
                    got += [m.data for m in await messages.get_many(timeout=BOUND)]
                except MessagesMissed:
                    got.append("missed")
            assert await messages.get(0) is None
    return got


# Several processes


def test_message_of_one_process_reaches_all(make_redis_broker: MakeBroker) -> None:
    one, two = make_redis_broker(), make_redis_broker()

    async def main() -> None:
        async with one.subscribe("room") as here, two.subscribe("room") as there:
            cursor = await one.publish("room", 1)
            for messages in (here, there):
                message = await messages.get(BOUND)
                assert message is not None
                assert (message.data, message.cursor) == (1, cursor)

    asyncio.run(main())


def test_cursor_counts_in_every_process(make_redis_broker: MakeBroker) -> None:
    one, two, three = (make_redis_broker() for _ in range(3))

    async def main() -> None:
        async with two.subscribe("room"):
            # It follows the channel, and may not have what was published just now.
            for number in range(50):
                cursor = await one.publish("room", number)
                one.publish("room", "next")
                for broker in (two, three):
                    got = await collect(broker, cursor, "room", count=1)
                    assert got == ["next"]

    asyncio.run(main())


def test_own_message_is_not_new_to_who_subscribes_after_it(
    make_redis_broker: MakeBroker,
) -> None:
    broker = make_redis_broker()

    async def main() -> None:
        async with broker.subscribe("room"):
            for number in range(50):
                await broker.publish("room", number)
                async with broker.subscribe("room") as messages:
                    waiting = asyncio.ensure_future(messages.get())
                    await asyncio.sleep(0)
                    await broker.publish("room", "new")
                    message = await waiting
                    assert message is not None
                    assert message.data == "new"

    asyncio.run(main())


def test_prefixes_keep_programs_apart(redis_server: RedisServer) -> None:
    one = Broker(redis_server.url, prefix="one")
    two = Broker(redis_server.url, prefix="two")

    async def main() -> None:
        async with two.subscribe("room") as messages:
            await one.publish("room", 1)
            await two.publish("room", 2)
            message = await messages.get(BOUND)
            assert message is not None
            assert message.data == 2

    asyncio.run(main())
    for broker in (one, two):
        broker.close().result(BOUND)


def test_first_subscription_fits_in_between_what_is_published(
    make_redis_broker: MakeBroker,
) -> None:
    """Histories are fetched while messages come in, on another connection."""
    one, two = make_redis_broker(), make_redis_broker()

    async def read(name: str, after: str) -> list[Any]:
        got: list[Any] = []
        async with two.subscribe(name, "end", after=after) as messages:
            async for message in messages:
                if message.channel == "end":
                    return got
                got.append(message.data)
        return got

    async def main() -> None:
        after = await one.publish("other", 0)
        async with two.subscribe("keeps it reading"):
            readers = []
            for number in range(600):
                one.publish(f"room{number % 3}", number)
                if number % 100 == 0:
                    name = f"room{number // 100 % 3}"
                    readers.append((name, asyncio.create_task(read(name, after))))
                    await asyncio.sleep(0.002)
            await one.publish("end", None)
            for name, task in readers:
                assert await task == list(range(int(name[-1]), 600, 3))

    async def bound() -> None:
        async with asyncio.timeout(BOUND):
            await main()

    asyncio.run(bound())


# What is forgotten


def test_quiet_channel_is_forgotten_in_redis_and_not_where_it_is_read(
    make_redis_broker: MakeBroker, redis_server: RedisServer
) -> None:
    one, two = make_redis_broker(expire=0.01), make_redis_broker()

    async def main() -> None:
        start = await one.publish("room", 0)
        last = await one.publish("room", 0)
        async with one.subscribe("room") as messages:
            key = f"{prefix_of(one)}:channel:room"
            while redis_server.ask(f"EXISTS {key}\r\n".encode()) != b":0\r\n":
                await one.publish("other", 0)
            await one.publish("room", 1)
            message = await messages.get(BOUND)
            assert message is not None
            assert message.data == 1
        assert await collect(two, start, "room", count=2) == ["missed", 1]
        # Here nothing is missing.
        assert await collect(two, last, "room", count=1) == [1]

    asyncio.run(main())


def test_channel_that_nobody_reads_is_left(
    make_redis_broker: MakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_engine, "_LINGER", 0.0)
    monkeypatch.setattr(redis_engine, "_BLOCK", 0.01)
    broker = make_redis_broker()

    async def main() -> None:
        for number in range(2):
            async with broker.subscribe("room", "other") as messages:
                await broker.publish("room", number)
                message = await messages.get(BOUND)
                assert message is not None
                assert message.data == number
            engine = engine_of(broker)
            await until(lambda: engine._reader is None)()  # noqa: B023 - awaited here
            assert not engine._channels

    asyncio.run(main())


# Redis says no


def test_refused_message_fails_and_the_next_one_goes(
    make_redis_broker: MakeBroker, redis_server: RedisServer
) -> None:
    broker = make_redis_broker()
    key = f"{prefix_of(broker)}:channel:room"
    redis_server.ask(f"SET {key} x\r\n".encode())

    async def main() -> None:
        with pytest.raises(BrokerUnavailable, match=r"Redis refused: .*WRONGTYPE"):
            await broker.publish("room", 1)
        with pytest.raises(BrokerUnavailable, match=r"Redis refused: .*WRONGTYPE"):
            async with broker.subscribe("room"):
                pass
        await broker.publish("other", 1)

    asyncio.run(main())


def test_failure_that_nobody_asks_for_is_logged(
    make_redis_broker: MakeBroker, redis_server: RedisServer
) -> None:
    broker = make_redis_broker()
    key = f"{prefix_of(broker)}:channel:room"
    redis_server.ask(f"SET {key} x\r\n".encode())
    expected = "A message was not published: Redis refused"
    with ExpectLog("wsgitornado.application", expected):
        broker.publish("room", 1)
        engine = engine_of(broker)
        asyncio.run(until(lambda: not (engine._queue or engine._batch))())
        broker.publish("other", 1).result(BOUND)
        # Not every version of Python drops it at once.
        gc.collect()


def test_what_others_write_there_ends_the_reading(
    make_redis_broker: MakeBroker, redis_server: RedisServer
) -> None:
    broker = make_redis_broker()

    async def main() -> None:
        async with broker.subscribe("room") as messages:
            waiting = asyncio.ensure_future(messages.get())
            await asyncio.sleep(0)
            redis_server.ask(
                f"XADD {prefix_of(broker)}:news 9000000000000000-0 a b\r\n".encode()
            )
            with pytest.raises(SubscriptionClosed):
                async with asyncio.timeout(BOUND):
                    await waiting

    with ExpectLog("wsgitornado.application", "Cannot read the news in Redis"):
        asyncio.run(main())
        engine = broker._backend._engine  # type: ignore[attr-defined]  # ours
        asyncio.run(until(lambda: engine._worker.done())())


def test_wrong_password_is_told(redis_server: RedisServer) -> None:
    url = redis_server.url.replace("redis://", "redis://:secret@")
    broker = Broker(url, patience=0.2)
    with ExpectLog("wsgitornado.application", "Redis is away, for publishing: Auth"):
        with pytest.raises(BrokerUnavailable, match=r"away for 0.2 seconds: .*AUTH"):
            broker.publish("room", 1).result(BOUND)
    broker.close().result(BOUND)


@pytest.mark.parametrize("url", ["redis://host:port", "redis://127.0.0.1/0?db=x"])
def test_bad_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"port|db"):
        Broker(url)


def test_without_the_extra_it_is_named() -> None:
    done = run_program(
        """
        import sys

        class Missing:
            def find_spec(self, name, *args):
                if name.startswith("redis"):
                    raise ModuleNotFoundError(name, name=name)

        sys.meta_path.insert(0, Missing())
        from wsgitornado.pubsub import Broker
        Broker()
        try:
            Broker("redis://127.0.0.1")
        except ModuleNotFoundError as error:
            print(error.name, error)
        """
    )
    expected = "redis redis is not installed: pip install 'wsgitornado[redis]'\n"
    assert (done.stdout, done.stderr) == (expected, "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("redis", r"redis is not installed: pip install 'wsgitornado\[redis\]'"),
        ("other", "^none$"),
    ],
    ids=["extra", "another"],
)
def test_only_the_package_of_the_extra_is_taken_for_it(
    monkeypatch: pytest.MonkeyPatch, name: str, expected: str
) -> None:
    def fail(path: str) -> None:
        raise ModuleNotFoundError("none", name=name)

    monkeypatch.setattr("wsgitornado.pubsub.broker.importlib.import_module", fail)
    with pytest.raises(ModuleNotFoundError, match=expected) as caught:
        Broker("redis://127.0.0.1")
    assert caught.value.name == name


# Threads, scripts, loops that end, forks


def test_result_on_the_loop_that_works_is_refused(
    make_redis_broker: MakeBroker,
) -> None:
    broker = make_redis_broker()

    async def main() -> None:
        publication = broker.publish("room", 1)
        for ask in (publication.result, publication.exception):
            with pytest.raises(RuntimeError, match="await the publication instead"):
                ask()
        assert await publication == publication.result()

    parking.wait(main())


def test_thread_waits_no_longer_than_it_wants() -> None:
    publication = Publication(IOLoop.current())
    for ask in (publication.result, publication.exception):
        with pytest.raises(TimeoutError):
            ask(0)


def script(url: str, text: str) -> str:
    done = run_program(f"URL = {url!r}\n{text}", "-W", "default")
    assert done.stderr == ""
    return done.stdout


def test_plain_script_publishes(
    make_redis_broker: MakeBroker, redis_server: RedisServer
) -> None:
    broker = make_redis_broker()

    async def main() -> None:
        async with broker.subscribe("room") as messages:
            text = f"""
from wsgitornado.pubsub import Broker
broker = Broker(URL, prefix={prefix_of(broker)!r})
print(broker.publish("room", "hello").result(10))
broker.publish("room", "last")
broker.close().result(10)
"""
            cursor = await asyncio.to_thread(script, redis_server.url, text)
            first, last = await messages.get(BOUND), await messages.get(BOUND)
            assert first is not None
            assert last is not None
            assert (first.data, first.cursor) == ("hello", cursor.strip())
            assert last.data == "last"

    asyncio.run(main())


def test_program_may_run_one_loop_after_another(redis_server: RedisServer) -> None:
    text = """
import asyncio
from wsgitornado.ioloop import IOLoop
from wsgitornado.pubsub import Broker

broker = Broker(URL, prefix="loops")

async def main(number):
    async with broker.subscribe("room") as messages:
        await broker.publish("room", number)
        print((await messages.get(10)).data)

asyncio.run(main(1))
asyncio.run(main(2))
IOLoop.current().run_sync(lambda: main(3))
broker.publish("room", 4).result(10)
IOLoop.current().run_sync(lambda: main(5))
"""
    assert script(redis_server.url, text) == "1\n2\n3\n5\n"


def test_what_waits_when_its_loop_ends_is_told(redis_server: RedisServer) -> None:
    text = """
import asyncio, threading
from wsgitornado.pubsub import Broker, SubscriptionClosed

broker = Broker(URL, prefix="ends")
ready, ended = threading.Event(), threading.Event()

async def read():
    async with broker.subscribe("room") as messages:
        ready.set()
        try:
            await messages.get(10)
        except SubscriptionClosed:
            print("closed")

async def main():
    await broker.publish("room", 1)
    thread.start()
    await asyncio.to_thread(ready.wait, 10)

thread = threading.Thread(target=lambda: asyncio.run(read()))
asyncio.run(main())
thread.join()
"""
    assert script(redis_server.url, text) == "closed\n"


def test_engine_of_a_closed_loop_fails_what_it_has(
    make_redis_broker: MakeBroker,
) -> None:
    """As a program leaves it that stops its loop without ending the tasks."""
    options = make_redis_broker()._backend._options  # type: ignore[attr-defined]  # ours
    with another_loop() as ioloop:
        engine = Engine(options, ioloop, ioloop.asyncio_loop)
        publication = engine.publish("room", "1")
        following = engine.follow(["room"])
        asyncio.run(give_up(following))
        engine._batch = redis_engine._Batch(1, [engine._queue.popleft()], True)
    late = engine.publish("room", "2")
    engine._is_called = False
    too_late = engine.publish("room", "3")
    error = publication.exception(BOUND)
    assert isinstance(error, BrokerUnavailable)
    assert error.may_be_published
    for one in (late, too_late):
        assert isinstance(one.exception(BOUND), BrokerUnavailable)
    assert not engine.is_usable
    assert not engine._wishes
    with pytest.raises(SubscriptionClosed):
        asyncio.run(engine.follow(["room"]))


async def give_up(coroutine: Any) -> None:
    """Run it as far as it goes without anybody's help, and wait no longer."""
    task = asyncio.ensure_future(coroutine)
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@forking.needs_fork
def test_forked_child_has_connections_of_its_own(redis_server: RedisServer) -> None:
    lines = forking.run(
        f"""
        import asyncio, gc
        from wsgitornado.pubsub import Broker

        broker = Broker({redis_server.url!r}, prefix="fork")

        async def talk(name):
            async with broker.subscribe("room " + name) as messages:
                await broker.publish("room " + name, "of the " + name)
                say(name + ":", (await messages.get(5)).data)

        async def main():
            async with broker.subscribe("room") as messages:
                waiting = asyncio.ensure_future(messages.get(20))
                await asyncio.sleep(0)
                pid = os.fork()
                if not pid:
                    asyncio.events._set_running_loop(None)
                    broker.release()
                    asyncio.run(talk("child"))
                    gc.collect()
                    os._exit(0)
                os.waitpid(pid, 0)
                broker.publish("room", "goes on")
                say("parent:", (await waiting).data)
                await talk("parent")

        asyncio.run(main())
        """
    )
    assert lines == ["child: of the child", "parent: goes on", "parent: of the parent"]


@pytest.fixture
def small_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_engine, "MOST_QUEUED", 3)


@pytest.mark.usefixtures("small_queue")
def test_queue_of_what_is_to_be_published_is_bounded(
    make_redis_broker: MakeBroker,
) -> None:
    broker = make_redis_broker()

    async def main() -> None:
        await broker.publish("room", 0)
        several = [broker.publish("room", number) for number in range(4)]
        for publication in several[:3]:
            await publication
        with pytest.raises(BrokerUnavailable, match="3 messages wait for Redis"):
            await several[3]

    parking.wait(main())


def test_many_messages_go_in_few_steps(make_redis_broker: MakeBroker) -> None:
    broker = make_redis_broker()

    async def main() -> None:
        await broker.publish("room", 0)
        engine = engine_of(broker)
        before = engine._batches
        await asyncio.gather(*(broker.publish("room", n) for n in range(1000)))
        assert engine._batches - before == 5
        for _ in range(2):
            broker.publish("room", "x" * 1024 * 1024)
        await broker.publish("room", 0)
        assert engine._batches - before == 8

    parking.wait(main())
