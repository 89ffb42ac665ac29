"""Queue, PriorityQueue and LifoQueue."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado.queues import LifoQueue, PriorityQueue, Queue, QueueEmpty, QueueFull

AnyQueue = type[Queue[Any]]

KINDS = [
    pytest.param(Queue, id="Queue"),
    pytest.param(PriorityQueue, id="PriorityQueue"),
    pytest.param(LifoQueue, id="LifoQueue"),
]


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        pytest.param(Queue, [2, 3, 1], id="Queue"),
        pytest.param(PriorityQueue, [1, 2, 3], id="PriorityQueue"),
        pytest.param(LifoQueue, [1, 3, 2], id="LifoQueue"),
    ],
)
def test_each_kind_has_its_order(kind: AnyQueue, order: list[int]) -> None:
    queue = kind()
    for item in (2, 3, 1):
        queue.put_nowait(item)
    assert [queue.get_nowait() for _ in range(3)] == order


@pytest.mark.parametrize("kind", KINDS)
def test_queue_is_full_at_its_size_and_not_before(kind: AnyQueue) -> None:
    queue = kind(2)
    assert (queue.maxsize, queue.qsize(), queue.empty()) == (2, 0, True)
    queue.put_nowait(1)
    assert not queue.full()
    queue.put_nowait(2)
    assert (queue.full(), queue.empty(), queue.qsize()) == (True, False, 2)
    with pytest.raises(QueueFull):
        queue.put_nowait(3)
    queue.get_nowait()
    queue.get_nowait()
    with pytest.raises(QueueEmpty):
        queue.get_nowait()


@pytest.mark.parametrize("kind", KINDS)
def test_queue_without_a_size_is_never_full(kind: AnyQueue) -> None:
    queue = kind()
    for item in range(1000):
        queue.put_nowait(item)
    assert not queue.full()


@pytest.mark.parametrize(
    ("maxsize", "error"),
    [
        pytest.param(None, TypeError, id="None"),
        pytest.param("5", TypeError, id="text"),
        pytest.param(-1, ValueError, id="negative"),
    ],
)
def test_size_is_a_number_and_not_negative(
    maxsize: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        Queue(maxsize)


@given(st.lists(st.integers(0, 20) | st.none()))
def test_priority_queue_is_always_sorted(steps: list[int | None]) -> None:
    queue: PriorityQueue[int] = PriorityQueue()
    model: list[int] = []
    for step in steps:
        if step is not None:
            queue.put_nowait(step)
            model.append(step)
        elif model:
            smallest = min(model)
            model.remove(smallest)
            assert queue.get_nowait() == smallest
    assert [queue.get_nowait() for _ in model] == sorted(model)


@given(st.lists(st.integers(), min_size=1))
def test_item_that_cannot_be_compared_changes_nothing(items: list[int]) -> None:
    queue: PriorityQueue[Any] = PriorityQueue()
    for item in items:
        queue.put_nowait(item)
    before = str(queue)
    with pytest.raises(TypeError):
        queue.put_nowait("text")
    assert str(queue) == before
    assert [queue.get_nowait() for _ in items] == sorted(items)


def test_putter_whose_item_cannot_be_compared_fails_and_holds_up_nobody() -> None:
    async def main() -> None:
        queue: PriorityQueue[Any] = PriorityQueue(2)
        for item in (5, 7):
            queue.put_nowait(item)
        bad, good = queue.put("text"), queue.put(6)
        assert queue.get_nowait() == 5
        with pytest.raises(TypeError):
            await bad
        await good
        assert not bad.cancel()
        assert str(queue) == "<PriorityQueue maxsize=2 queue=[6, 7] tasks=3>"

    asyncio.run(main())


def test_items_are_got_one_after_the_other_by_async_for() -> None:
    async def main() -> None:
        queue: Queue[int] = Queue(1)
        putting = asyncio.create_task(put_all(queue))
        received = []
        async for item in queue:
            received.append(item)
            if item == 9:
                break
        assert received == list(range(10))
        await putting

    async def put_all(queue: Queue[int]) -> None:
        for item in range(10):
            await queue.put(item)

    asyncio.run(main())


def test_join_waits_until_all_is_done_with() -> None:
    async def main() -> None:
        queue: Queue[int] = Queue()
        assert queue.join().done()
        queue.put_nowait(1)
        getter = queue.get()
        queue.put_nowait(2)
        joined = queue.join()
        assert await getter == 1
        queue.task_done()
        assert not joined.done()
        queue.task_done()
        await joined
        with pytest.raises(ValueError, match=r"task_done\(\) called too many times"):
            queue.task_done()

    asyncio.run(main())


def test_cancelled_putter_puts_nothing() -> None:
    async def main() -> None:
        queue: Queue[int] = Queue(1)
        queue.put_nowait(1)
        first, second = queue.put(2), queue.put(3)
        first.cancel()
        assert queue.get_nowait() == 1
        await second
        assert queue.get_nowait() == 3
        assert queue.empty()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        pytest.param(Queue, [1, 2, 3], id="Queue"),
        pytest.param(PriorityQueue, [1, 2, 3], id="PriorityQueue"),
        pytest.param(LifoQueue, [1, 3, 2], id="LifoQueue"),
    ],
)
def test_item_for_a_task_that_is_cancelled_stays_in_its_place(
    kind: AnyQueue, order: list[int]
) -> None:
    async def main() -> None:
        queue = kind()

        async def get() -> object:
            return await queue.get()

        task = asyncio.create_task(get())
        await asyncio.sleep(0)
        for item in (1, 2, 3):
            queue.put_nowait(item)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert [queue.get_nowait() for _ in range(3)] == order

    asyncio.run(main())


def test_item_that_came_back_does_not_let_in_more_than_there_is_room_for() -> None:
    async def main() -> None:
        queue: Queue[int] = Queue(1)

        async def get() -> int:
            return await queue.get()

        task = asyncio.create_task(get())
        await asyncio.sleep(0)
        queue.put_nowait(1)
        queue.put_nowait(2)
        putter = queue.put(3)
        task.cancel()
        await asyncio.wait([task])
        assert queue.qsize() == 2
        assert queue.get_nowait() == 1
        assert not putter.done()
        assert queue.get_nowait() == 2
        await putter

    asyncio.run(main())


def test_items_may_be_kept_in_another_way() -> None:
    class Distinct(Queue[str]):
        """Keeps each text once, and drops the oldest if there are too many."""

        def _init(self) -> None:
            self._queue: dict[str, None] = {}

        def _put(self, item: str) -> None:
            self._queue[item] = None

        def _get(self) -> str:
            item = next(iter(self._queue))
            del self._queue[item]
            return item

        def put_nowait(self, item: str) -> None:
            if self.full():
                self.get_nowait()
            super().put_nowait(item)

    async def main() -> None:
        queue = Distinct(2)
        for item in "aabc":
            await queue.put(item)
        assert [await queue.get(), await queue.get()] == ["b", "c"]
        getter = queue.get()
        await queue.put("d")
        assert await getter == "d"

    asyncio.run(main())


def test_put_and_get_are_made_of_those_that_do_not_wait() -> None:
    calls: list[str] = []

    class Watched(Queue[int]):
        def put_nowait(self, item: int) -> None:
            calls.append("put")
            super().put_nowait(item)

        def get_nowait(self) -> int:
            calls.append("get")
            return super().get_nowait()

    async def main() -> None:
        queue = Watched()
        await queue.put(1)
        assert await queue.get() == 1

    asyncio.run(main())
    assert calls == ["put", "get"]


@pytest.mark.parametrize("kind", KINDS)
def test_queue_shows_its_state(kind: AnyQueue) -> None:
    async def main() -> None:
        queue = kind(1)
        name = kind.__name__
        assert str(queue) == f"<{name} maxsize=1>"
        waits = [queue.get()]
        assert str(queue) == f"<{name} maxsize=1 getters[1]>"
        waits += [queue.put(item) for item in (1, 2, 3)]
        items = deque([2]) if kind is Queue else [2]
        state = f"maxsize=1 queue={items} putters[1] tasks=2>"
        assert str(queue) == f"<{name} {state}"
        assert repr(queue) == f"<{name} at {id(queue):#x} {state}"
        assert len(waits) == 4

    asyncio.run(main())
