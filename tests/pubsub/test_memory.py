"""The broker of one process: what it forgets, threads, forks, and random readers."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import forking
from tests.loops import BOUND, another_loop, run_program, running_loop
from wsgitornado.pubsub import (
    Broker,
    Message,
    MessagesMissed,
    SubscriptionClosed,
    memory,
)
from wsgitornado.pubsub.channel import Channel, wake


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the time is for the memory: a list of one number."""
    now = [100.0]
    monkeypatch.setattr(memory, "monotonic", lambda: now[0])
    return now


def channels_of(broker: Broker) -> set[str]:
    backend = broker._backend
    assert isinstance(backend, memory.MemoryBackend)
    return set(backend._current()._channels)


async def read_all(broker: Broker, after: str, *names: str) -> list[Any]:
    """What a subscription finds there; "missed" where it is told so."""
    got: list[Any] = []
    async with broker.subscribe(*names, after=after) as messages:
        while True:
            try:
                message = await messages.get(0)
            except MessagesMissed:
                got.append("missed")
            else:
                if message is None:
                    return got
                got.append(message.data)


# What is kept


@pytest.mark.parametrize(("later", "is_kept"), [(9.9, True), (10.0, False)])
def test_quiet_channel_is_forgotten(
    clock: list[float], later: float, is_kept: bool
) -> None:
    broker = Broker(expire=10)
    start = broker.publish("room", 0).result()
    old = broker.publish("room", 1).result()
    broker.publish("young", 1)
    clock[0] += later
    recent = broker.publish("other", 2).result()
    assert ("room" in channels_of(broker)) is is_kept
    expected = [1] if is_kept else ["missed"]
    assert asyncio.run(read_all(broker, start, "room")) == expected
    # Nothing has come since, but who could tell.
    expected = [] if is_kept else ["missed"]
    assert asyncio.run(read_all(broker, old, "young"))[: len(expected)] == expected[:1]
    assert asyncio.run(read_all(broker, recent, "room")) == []


def test_channel_that_somebody_reads_is_not_forgotten(clock: list[float]) -> None:
    broker = Broker(expire=10)

    async def main() -> None:
        start = await broker.publish("room", 0)
        async with broker.subscribe("room") as messages:
            for _ in range(3):
                clock[0] += 100
                await broker.publish("other", 1)
                assert await messages.get(0) is None
        async with broker.subscribe("room", after=start) as messages:
            assert await messages.get(0) is None
        clock[0] += 100
        await broker.publish("other", 1)
        assert channels_of(broker) == {"other"}

    asyncio.run(main())


def test_channel_without_messages_is_not_kept_for_its_readers() -> None:
    broker = Broker()

    async def main() -> None:
        async with broker.subscribe("a"), broker.subscribe("a", "b"):
            assert channels_of(broker) == {"a", "b"}
        assert channels_of(broker) == set()

    asyncio.run(main())


def test_cursor_of_the_future_is_unknown() -> None:
    broker = Broker()
    epoch = broker.publish("room", 0).result().partition("-")[0]
    assert asyncio.run(read_all(broker, f"{epoch}-1", "room")) == []
    assert asyncio.run(read_all(broker, f"{epoch}-2", "room")) == ["missed", 0]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"url": "amqp://x"}, "memory:// or begins with"),
        ({"url": "memory://x"}, "memory:// or begins with"),
        ({"history": 0}, "history must be positive"),
        ({"expire": 0}, "expire must be positive"),
        ({"patience": -1}, "patience must be positive"),
    ],
)
def test_bad_option_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Broker(**options)


# What it costs


def test_one_message_costs_each_who_waits_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = 0
    original = Channel.append

    def count(*args: Any) -> None:
        nonlocal calls
        calls += 1
        original(*args)

    monkeypatch.setattr(Channel, "append", count)

    def steps(waiting: int) -> float:
        """The lines of ours that run for a message to so many, for each of them."""
        lines = 0

        def trace(frame: Any, event: str, arg: object) -> Any:
            nonlocal lines
            if "pubsub" not in frame.f_code.co_filename:
                return None
            lines += event == "line"
            return trace

        async def wait(broker: Broker) -> None:
            async with broker.subscribe("room") as messages:
                await messages.get(BOUND)
                await messages.get(BOUND)

        async def main() -> None:
            broker = Broker()
            tasks = [asyncio.create_task(wait(broker)) for _ in range(waiting)]
            await asyncio.sleep(0)
            before = len(asyncio.all_tasks())
            sys.settrace(trace)
            broker.publish("room", 1)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            sys.settrace(None)
            assert len(asyncio.all_tasks()) == before
            broker.publish("room", 1)
            await asyncio.wait(tasks)

        tracing = sys.gettrace()
        try:
            asyncio.run(main())
        finally:
            sys.settrace(tracing)
        return lines / waiting

    assert steps(400) <= steps(50)
    assert calls == 4


# Threads


def test_message_from_a_thread_wakes_every_loop() -> None:
    broker = Broker()
    ready = threading.Barrier(3, timeout=BOUND)
    got: list[Any] = []

    def wait() -> None:
        async def main() -> None:
            async with broker.subscribe("room") as messages:
                waiting = asyncio.ensure_future(messages.get(BOUND))
                await asyncio.sleep(0)
                ready.wait()
                message = await waiting
                got.append(message and message.data)

        asyncio.run(main())

    threads = [threading.Thread(target=wait) for _ in range(2)]
    for thread in threads:
        thread.start()
    ready.wait()
    broker.publish("room", "x")
    for thread in threads:
        thread.join()
    assert got == ["x", "x"]


def test_threads_that_publish_at_once_lose_and_double_nothing() -> None:
    broker = Broker(history=100_000)

    def publish(name: int) -> None:
        for number in range(500):
            broker.publish("room", [name, number])

    async def main() -> list[Any]:
        got: list[Message] = []
        async with broker.subscribe("room") as messages:
            threads = [threading.Thread(target=publish, args=(n,)) for n in range(4)]
            for thread in threads:
                thread.start()
            while len(got) < 2000:
                got += await messages.get_many(timeout=BOUND)
            for thread in threads:
                thread.join()
        assert [m.cursor for m in got] == list(dict.fromkeys(m.cursor for m in got))
        return [message.data for message in got]

    got = asyncio.run(main())
    for name in range(4):
        numbers = [number for thread, number in got if thread == name]
        assert numbers == list(range(500))


def test_subscription_may_be_closed_in_another_thread() -> None:
    broker = Broker()
    with another_loop() as ioloop, running_loop(ioloop):
        subscription = broker.subscribe("room")
        is_waiting = threading.Event()

        async def wait() -> None:
            async with subscription as messages:
                ioloop.add_callback(is_waiting.set)
                await messages.get()

        task = asyncio.run_coroutine_threadsafe(wait(), ioloop.asyncio_loop)
        assert is_waiting.wait(BOUND)
        subscription.close()
        with pytest.raises(SubscriptionClosed):
            task.result(BOUND)


def test_those_who_waited_on_a_closed_loop_are_passed_over() -> None:
    broker = Broker()
    loop = asyncio.new_event_loop()

    async def wait() -> None:
        await subscription.__aenter__()
        asyncio.ensure_future(subscription.get())  # noqa: RUF006 - it is left behind

    subscription = broker.subscribe("room")
    loop.run_until_complete(wait())
    loop.run_until_complete(asyncio.sleep(0))
    waiting = broker._backend.waiting()
    (task,) = asyncio.all_tasks(loop)
    loop.close()
    assert waiting == [subscription]
    broker.publish("room", 1).result()
    subscription.close()
    # For its own sake: nobody else can end it.
    left: Any = task
    left._log_destroy_pending = False
    left.get_coro().close()


def test_loop_that_cannot_be_woken_for_another_reason_is_an_error() -> None:
    class Odd(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # never called otherwise
            raise RuntimeError("odd")

    class One:
        loop: asyncio.AbstractEventLoop = Odd()

        def _wake(self) -> None: ...

        def _give_up(self) -> None: ...

    one = One()
    with pytest.raises(RuntimeError, match="odd"):
        wake([one])
    one.loop.close()


def test_plain_script_publishes_and_reads() -> None:
    done = run_program(
        """
        import asyncio
        from wsgitornado.pubsub import Broker

        broker = Broker()
        start = broker.publish("room", 1).result(5)

        async def main():
            async with broker.subscribe("room", after=start) as messages:
                broker.publish("room", 2)
                async for message in messages:
                    print(message.data)
                    break

        asyncio.run(main())
        """
    )
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_what_another_process_had_is_forgotten() -> None:
    broker = Broker()
    cursor = broker.publish("room", 1).result()
    backend = broker._backend
    assert isinstance(backend, memory.MemoryBackend)
    backend._memory.pid = 0
    assert asyncio.run(read_all(broker, cursor, "room")) == ["missed"]


@forking.needs_fork
def test_forked_child_begins_anew_and_leaves_its_parent_alone() -> None:
    lines = forking.run(
        """
        import asyncio
        from wsgitornado.pubsub import Broker, MessagesMissed

        broker = Broker()

        async def child(cursor):
            async with broker.subscribe("room", after=cursor) as messages:
                try:
                    await messages.get(5)
                except MessagesMissed:
                    say("child: not its parent's")
                broker.publish("room", "of the child")
                say("child:", (await messages.get(5)).data)

        async def main():
            cursor = await broker.publish("room", 0)
            async with broker.subscribe("room") as messages:
                waiting = asyncio.ensure_future(messages.get(20))
                await asyncio.sleep(0)
                pid = os.fork()
                if not pid:
                    asyncio.events._set_running_loop(None)
                    asyncio.run(child(cursor))
                    os._exit(0)
                os.waitpid(pid, 0)
                broker.publish("room", "of the parent")
                say("parent:", (await waiting).data)

        asyncio.run(main())
        """
    )
    assert lines == [
        "child: not its parent's",
        "child: of the child",
        "parent: of the parent",
    ]


# Random readers


class Reader:
    """Reads two channels of three, beside a list of what was published."""

    def __init__(self, history: int, max_behind: int | None) -> None:
        self.broker = Broker(history=history)
        self.max_behind = max_behind
        self.published: list[str] = []
        # The first that it may still see, and where it was told of missing ones.
        self.next = 0
        self.was_told: set[str] = set()

    async def open(self, after: str | None) -> None:
        self.messages = self.broker.subscribe(
            "a", "b", after=after, max_behind=self.max_behind
        )
        await self.messages.__aenter__()
        self.was_told.clear()

    async def publish(self, channel: str) -> None:
        await self.broker.publish(channel, len(self.published))
        self.published.append(channel)

    async def come_back(self, is_told: bool) -> None:
        cursor = self.messages.cursor
        self.messages.close()
        await self.open(cursor)

    async def take(self, most: int) -> None:
        for _ in range(most):
            try:
                message = await self.messages.get(0)
            except MessagesMissed as missed:
                self.was_told.add(missed.channel)
                continue
            if message is None:
                # Then it has everything.
                assert not {"a", "b"} & set(self.published[self.next :])
                return
            assert message.channel == self.published[message.data]
            assert message.data >= self.next, "never twice, never back"
            left_out = {"a", "b"} & set(self.published[self.next : message.data])
            assert left_out <= self.was_told, "nothing is left out silently"
            self.was_told.discard(message.channel)
            self.next = message.data + 1


@settings(max_examples=100, deadline=None)
@given(
    history=st.integers(1, 8),
    max_behind=st.none() | st.integers(1, 5),
    steps=st.lists(
        st.tuples(st.just("publish"), st.sampled_from("abc"))
        | st.tuples(st.just("take"), st.integers(1, 4))
        | st.tuples(st.just("come_back"), st.just(True)),
        max_size=60,
    ),
)
def test_reader_has_all_in_order_once_or_is_told(
    history: int, max_behind: int | None, steps: list[tuple[str, Any]]
) -> None:
    async def main() -> None:
        reader = Reader(history, max_behind)
        await reader.open(None)
        for name, argument in steps:
            await getattr(reader, name)(argument)
        await reader.take(len(reader.published) + 3)
        reader.messages.close()

    asyncio.run(main())
