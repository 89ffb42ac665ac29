"""The room of the chat example: what is said, heard and kept, and who is here."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chat_site import (
    ADA,
    BOB,
    BOUND,
    KEPT,
    History,
    Message,
    News,
    Room,
    Visitor,
    find_secret,
    kept,
    look,
    message,
    room_module,
)
from wsgitornado import parking
from wsgitornado.pubsub import Broker


@pytest.fixture
def broker() -> Broker:
    return Broker(history=KEPT)


@pytest.fixture
def room(broker: Broker) -> Room:
    return Room(broker, grace=0)


def say(room: Room, *numbers: object) -> None:
    async def say_all() -> None:
        for number in numbers:
            await room.say(message(number))

    parking.wait(say_all())


def said(news: News) -> list[str]:
    return [one.id.removeprefix("id ") for one in news.messages]


async def until(news: AsyncIterator[News], names: list[str]) -> None:
    async with asyncio.timeout(BOUND):
        async for one in news:
            if [person.name for person in one.people or []] == names:
                return


# --- What is said -----------------------------------------------------------------


def test_all_that_was_said_after_a_cursor_is_news(room: Room) -> None:
    say(room, 1)
    first = parking.wait(look(room))
    assert said(first) == ["1"]
    say(room, 2, 3)
    after = parking.wait(look(room, first.cursor))
    assert said(after) == ["2", "3"]
    assert said(parking.wait(look(room, after.cursor))) == []


def test_message_sent_again_is_said_once(room: Room) -> None:
    say(room, 1, 2, 1)
    assert kept(room) == [message(1), message(2)]


def test_room_forgets_what_is_older_than_what_it_keeps(room: Room) -> None:
    say(room, 0)
    first = parking.wait(look(room)).cursor
    say(room, *range(1, KEPT + 1))
    # The oldest one is gone, but this one has seen it.
    news = parking.wait(look(room, first))
    assert (said(news), news.is_cut) == ([str(n) for n in range(1, KEPT + 1)], False)
    say(room, "last")
    news = parking.wait(look(room, first))
    assert (len(news.messages), news.is_cut) == (KEPT, True)


@pytest.mark.parametrize("text", ["", "x", "0-0", "00c0ffee-1", "1" * 100])
def test_cursor_that_nobody_knows_is_the_beginning(room: Room, text: str) -> None:
    say(room, 1)
    news = parking.wait(look(room, text))
    assert (said(news), news.is_cut) == (["1"], True)


def test_all_processes_of_a_broker_are_one_room(room: Room, broker: Broker) -> None:
    say(room, 1)
    say(Room(broker), 2)
    assert kept(room) == kept(Room(broker)) == [message(1), message(2)]


def test_each_listener_hears_all_once_and_in_one_order(room: Room) -> None:
    speakers, each = 4, 40

    async def listen(number: int) -> list[str]:
        heard: list[str] = []
        async with room.listen(Visitor(str(number), "x"), "", "") as news:
            while len(heard) < speakers * each:
                heard += said(await anext(news))
        return heard

    async def speak(speaker: int) -> None:
        for number in range(each):
            await room.say(message(f"{speaker}.{number}"))
            await asyncio.sleep(0)

    async def talk() -> list[list[str]]:
        async with asyncio.timeout(BOUND):
            listening = [asyncio.create_task(listen(number)) for number in range(10)]
            await asyncio.gather(*(speak(speaker) for speaker in range(speakers)))
            return list(await asyncio.gather(*listening))

    heard = parking.wait(talk())
    assert all(one == heard[0] for one in heard)
    for speaker in range(speakers):
        own = [text for text in heard[0] if text.startswith(f"{speaker}.")]
        assert own == [f"{speaker}.{number}" for number in range(each)]


def test_patience_comes_to_an_end_without_news(room: Room) -> None:
    async def listen() -> tuple[News, News]:
        async with room.listen(ADA, "", "", patience=0) as news:
            return await anext(news), await anext(news)

    first, second = parking.wait(listen())
    assert second == News(first.cursor, [], False, None, first.here)


def test_nobody_waits_for_a_process_that_ends(room: Room) -> None:
    async def listen() -> News:
        async with room.listen(ADA, "", "") as news:
            await anext(news)
            waits = asyncio.ensure_future(anext(news))
            await asyncio.sleep(0)
            room.release()
            return await waits

    news = parking.wait(listen())
    assert news.messages == []


# --- Who is here ------------------------------------------------------------------


def test_visitor_is_here_as_long_as_any_of_their_requests(room: Room) -> None:
    async def come_and_go() -> None:
        async with room.listen(ADA, "", "") as news:
            async with room.listen(ADA, "", ""):
                async with room.listen(BOB, "", ""):
                    await until(news, ["Ada", "Bob"])
                await until(news, ["Ada"])
            assert await room._find_people() == [ADA]

    parking.wait(come_and_go())


def test_who_comes_again_in_time_was_never_away(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "TOGETHER", 0)
    room = Room(broker, grace=BOUND)

    async def come_again() -> None:
        async with room.listen(ADA, "", "") as news:
            await until(news, ["Ada"])
            async with room.listen(BOB, "", ""):
                await until(news, ["Ada", "Bob"])
            cursor = (await look(room)).cursor
            async with room.listen(BOB, "", ""):
                await asyncio.sleep(0)
            assert (await look(room)).cursor == cursor

    parking.wait(come_again())


def test_those_of_another_process_are_here_until_it_falls_silent(
    room: Room, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Room(broker, grace=0)

    async def meet() -> None:
        async with other.listen(BOB, "", ""), room.listen(ADA, "", "") as news:
            await until(news, ["Ada", "Bob"])
            monkeypatch.setattr(room_module, "STALE", -1)
            assert await room._find_people() == [ADA]

    parking.wait(meet())


def test_process_that_ends_has_nobody(room: Room, broker: Broker) -> None:
    other = Room(broker, grace=0)

    async def meet() -> None:
        async with other.listen(BOB, "", ""), room.listen(ADA, "", "") as news:
            await until(news, ["Ada", "Bob"])
            other.release()
            await until(news, ["Ada"])

    parking.wait(meet())


def test_coming_and_going_that_changes_nothing_wakes_nobody(
    room: Room, broker: Broker
) -> None:
    other = Room(broker, grace=0)

    async def meet() -> None:
        async with room.listen(ADA, "", "") as news, room.listen(BOB, "", ""):
            await until(news, ["Ada", "Bob"])
            waits = asyncio.ensure_future(anext(news))
            # A poll of his that has come to another process.
            async with other.listen(BOB, "", "") as elsewhere:
                await until(elsewhere, ["Ada", "Bob"])
                other._tell()
                for _ in range(5):
                    await asyncio.sleep(0)
            assert not waits.done()
            await room.say(message(1))
            assert said(await waits) == ["1"]

    parking.wait(meet())


# --- What is kept -----------------------------------------------------------------


def test_messages_outlive_the_program(tmp_path: Path) -> None:
    file = tmp_path / "said.jsonl"
    strange = Message("id 1", "line\nline \u2028 é")
    parking.wait(Room(Broker(), History(file, KEPT)).say(strange))
    after = Room(Broker(), History(file, KEPT))
    say(after, 2)
    assert kept(after) == [strange, message(2)]
    assert kept(Room(Broker(), History(file, KEPT))) == [strange, message(2)]


def test_line_that_was_never_finished_is_no_message(tmp_path: Path) -> None:
    file = tmp_path / "said.jsonl"
    say(Room(Broker(), History(file, KEPT)), 1)
    with file.open("a") as opened:
        opened.write('{"id": 17')
    room = Room(Broker(), History(file, KEPT))
    say(room, 2)
    assert kept(Room(Broker(), History(file, KEPT))) == [message(1), message(2)]


def test_file_stays_short(tmp_path: Path) -> None:
    file = tmp_path / "said.jsonl"
    room = Room(Broker(), History(file, 3))
    lengths = set()
    for number in range(20):
        say(room, number)
        lengths.add(len(file.read_text().splitlines()))
    assert max(lengths) < 2 * 3
    found = kept(Room(Broker(), History(file, 3)))
    assert found == [message(17), message(18), message(19)]


def test_secret_is_made_once_and_for_our_eyes_only(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: find_secret(file), range(8)))
    (secret,) = found
    assert len(secret) >= 40
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_two_who_share_a_name_are_two(room: Room) -> None:
    async def meet() -> None:
        first, second = Visitor("1", "Ada"), Visitor("2", "Ada")
        async with room.listen(first, "", ""), room.listen(second, "", "") as news:
            await until(news, ["Ada", "Ada"])

    parking.wait(meet())
