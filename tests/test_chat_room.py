"""The room of the chat example: what is said, heard and kept, and who is here."""

from __future__ import annotations

import asyncio
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.chat_site import (
    ADA,
    BOB,
    BOUND,
    KEPT,
    Cursor,
    History,
    Message,
    News,
    Room,
    Visitor,
    find_secret,
    here,
    room_module,
    wait_until,
)
from wsgitornado import parking


@pytest.fixture
def room() -> Room:
    return Room(grace=0)


def said(news: News) -> list[str]:
    return [message.text for message in news.messages]


# --- What is said -----------------------------------------------------------------


def test_all_that_was_said_after_a_cursor_is_news(room: Room) -> None:
    room.say(ADA, "one", "1")
    first = room.read(Cursor())
    assert said(first) == ["one"]
    room.say(BOB, "two", "1")
    room.say(ADA, "three", "2")
    assert said(room.read(first.cursor)) == ["two", "three"]
    assert said(room.read(room.read(Cursor()).cursor)) == []


def test_message_sent_again_is_said_once(room: Room) -> None:
    room.say(ADA, "hello", "key")
    room.say(ADA, "hello", "key")
    room.say(BOB, "hello", "key")
    authors = [message.author for message in room.read(Cursor()).messages]
    assert authors == [ADA, BOB]


@pytest.mark.parametrize(
    ("pause", "follows"), [(179_999_999, True), (180_000_000, False)]
)
def test_message_goes_on_below_the_name_if_it_comes_soon(
    room: Room, monkeypatch: pytest.MonkeyPatch, pause: int, follows: bool
) -> None:
    now = 1_000_000_000_000_000
    monkeypatch.setattr(room_module, "_now", lambda: now)
    room.say(ADA, "one", "1")
    now += pause
    room.say(ADA, "two", "2")
    room.say(BOB, "three", "3")
    found = [message.follows for message in room.read(Cursor()).messages]
    assert found == [False, follows, False]


def test_room_forgets_what_is_older_than_what_it_keeps(room: Room) -> None:
    room.say(ADA, "0", "0")
    at_first = room.read(Cursor()).cursor
    for number in range(1, KEPT + 1):
        room.say(ADA, str(number), str(number))
    # The oldest one is gone, but this one has seen it.
    assert said(room.read(at_first)) == [str(n) for n in range(1, KEPT + 1)]
    assert not room.read(at_first).is_cut
    room.say(ADA, "last", "last")
    news = room.read(at_first)
    assert len(news.messages) == KEPT
    assert news.is_cut
    assert not room.read(Cursor()).is_cut  # a newcomer misses nothing


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1",
        "1-",
        "-1",
        "1-2-3",
        "1-2\n",
        "\N{ARABIC-INDIC DIGIT ONE}-2",
        "1" * 17 + "-0",
        None,
    ],
)
def test_what_is_no_cursor_is_the_beginning(text: str | None) -> None:
    assert Cursor.parse(text) == Cursor(0, 0)


def test_cursor_is_read_as_it_was_written() -> None:
    cursor = Cursor(1795247901451697, 7)
    assert Cursor.parse(str(cursor)) == cursor


def test_cursor_of_another_room_that_was_ahead_gets_all(room: Room) -> None:
    room.say(ADA, "one", "1")
    assert said(room.read(Cursor(9_999_999_999_999_999, 0))) == ["one"]


# --- Who waits --------------------------------------------------------------------


def test_who_waits_hears_what_a_thread_says(room: Room) -> None:
    seen = room.read(Cursor()).cursor

    async def hear() -> News:
        asyncio.get_running_loop().call_soon(thread.start)
        return await room.wait(seen)

    thread = threading.Thread(target=room.say, args=(ADA, "hello", "1"))
    assert said(parking.wait(hear())) == ["hello"]
    thread.join(BOUND)


def test_message_of_the_moment_before_the_wait_is_not_missed(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = room.read(Cursor()).cursor
    speaker = threading.Thread(target=room.say, args=(ADA, "hello", "1"))
    stand_in_line = room._changed.wait

    def wait(patience: timedelta) -> Any:
        # Somebody speaks as soon as the room lets them.
        speaker.start()
        if not room._lock.locked():
            speaker.join(BOUND)
        return stand_in_line(patience)

    monkeypatch.setattr(room._changed, "wait", wait)
    assert said(parking.wait(room.wait(seen, timedelta(seconds=BOUND)))) == ["hello"]
    speaker.join(BOUND)


def test_patience_comes_to_an_end_without_news(room: Room) -> None:
    seen = room.read(Cursor()).cursor
    news = parking.wait(room.wait(seen, timedelta(0)))
    assert news.cursor == seen
    assert (news.messages, news.people) == ([], None)


def test_nobody_waits_for_a_process_that_ends(room: Room) -> None:
    seen = room.read(Cursor()).cursor

    async def hear() -> News:
        asyncio.get_running_loop().call_soon(room.release)
        return await room.wait(seen)

    news = parking.wait(hear())
    assert (news.messages, news.people) == ([], None)
    assert parking.wait(room.wait(seen)) == news


def test_each_listener_hears_all_of_all_threads_once_and_in_one_order(
    room: Room,
) -> None:
    speakers, each = 4, 40

    async def listen() -> list[str]:
        seen = Cursor()
        heard: list[str] = []
        while len(heard) < speakers * each:
            news = await room.wait(seen, timedelta(seconds=BOUND))
            assert news.cursor != seen, heard
            heard += said(news)
            seen = news.cursor
        return heard

    async def listen_together() -> list[list[str]]:
        return await asyncio.gather(*(listen() for _ in range(10)))

    def speak(speaker: int) -> None:
        for number in range(each):
            room.say(Visitor(str(speaker), "x"), f"{speaker}.{number}", str(number))

    with ThreadPoolExecutor(speakers + 1) as pool:
        listening = pool.submit(parking.wait, listen_together())
        list(pool.map(speak, range(speakers)))
        heard = listening.result(BOUND)
    assert all(one == heard[0] for one in heard)
    for speaker in range(speakers):
        own = [text for text in heard[0] if text.startswith(f"{speaker}.")]
        assert own == [f"{speaker}.{number}" for number in range(each)]


# --- Who is here ------------------------------------------------------------------


def test_visitor_is_here_as_long_as_any_of_their_requests(room: Room) -> None:
    with room.visit(ADA):
        with room.visit(ADA), room.visit(BOB):
            assert here(room) == ["Ada", "Bob"]
        wait_until(lambda: here(room) == ["Ada"], room)
    wait_until(lambda: here(room) == [], room)


def test_coming_and_going_are_news_but_coming_again_is_none(room: Room) -> None:
    seen = room.read(Cursor()).cursor
    with room.visit(ADA):
        arrived = room.read(seen)
        assert arrived.people == [ADA]
        with room.visit(ADA):
            assert room.read(arrived.cursor).people is None
    left = parking.wait(room.wait(arrived.cursor, timedelta(seconds=BOUND)))
    assert left.people == []


def test_who_comes_again_in_time_was_never_away(room: Room) -> None:
    async def come_again() -> None:
        with room.visit(ADA):
            seen = room.read(Cursor()).cursor
        # Before the loop gets to forget her.
        with room.visit(ADA):
            for _ in range(5):
                await asyncio.sleep(0)
            assert room.read(seen).people is None

    parking.wait(come_again())


def test_new_name_of_a_visitor_is_news(room: Room) -> None:
    with room.visit(ADA):
        seen = room.read(Cursor()).cursor
        with room.visit(Visitor("a", "Countess")):
            assert room.read(seen).people == [Visitor("a", "Countess")]


# --- What is kept -----------------------------------------------------------------


def test_messages_outlive_the_program(tmp_path: Path) -> None:
    file = tmp_path / "messages.jsonl"
    before = Room(History(file, KEPT))
    before.say(ADA, "line\nline  é", "1")
    seen = before.read(Cursor()).cursor
    before.say(BOB, "two", "2")
    after = Room(History(file, KEPT))
    assert after.read(Cursor()).messages == before.read(Cursor()).messages
    assert said(after.read(seen)) == ["two"]
    after.say(BOB, "two", "2")  # a page that got no answer before the end
    after.say(BOB, "three", "3")
    assert said(after.read(seen)) == ["two", "three"]


def test_numbers_grow_although_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "messages.jsonl"
    Room(History(file, KEPT)).say(ADA, "one", "1")
    after = Room(History(file, KEPT))
    seen = after.read(Cursor()).cursor
    monkeypatch.setattr(room_module, "_now", lambda: 1)
    after.say(ADA, "two", "2")
    assert said(after.read(seen)) == ["two"]


def test_line_that_was_never_finished_is_no_message(tmp_path: Path) -> None:
    file = tmp_path / "messages.jsonl"
    Room(History(file, KEPT)).say(ADA, "one", "1")
    with file.open("a") as opened:
        opened.write('{"number": 17')
    room = Room(History(file, KEPT))
    room.say(ADA, "two", "2")
    assert said(Room(History(file, KEPT)).read(Cursor())) == ["one", "two"]


def test_file_stays_short_and_knows_what_was_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "KEPT", 3)
    file = tmp_path / "messages.jsonl"
    room = Room(History(file, 3))
    room.say(ADA, "0", "0")
    at_first = room.read(Cursor()).cursor
    lengths = set()
    for number in range(1, 20):
        room.say(ADA, str(number), str(number))
        lengths.add(len(file.read_text().splitlines()))
    assert max(lengths) < 2 * 4
    after = Room(History(file, 3))
    assert said(after.read(Cursor())) == ["17", "18", "19"]
    assert after.read(at_first).is_cut
    assert not after.read(Cursor(room.read(Cursor()).messages[0].number)).is_cut


def test_secret_is_made_once_and_for_our_eyes_only(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: find_secret(file), range(8)))
    (secret,) = found
    assert len(secret) >= 40
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_number_of_a_message_tells_when_it_was_said() -> None:
    message = Message(1_767_323_045_000_001, ADA, "x", "k", False)
    assert message.said.isoformat() == "2026-01-02T03:04:05+00:00"
