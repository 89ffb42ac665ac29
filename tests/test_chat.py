"""The chat of the examples, as browsers ask it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.chat_site import (
    BOB,
    BOUND,
    KEPT,
    Browser,
    Cursor,
    Room,
    here,
    make_app,
    open_stream,
    texts,
    wait_until,
)
from tests.support import call, make_environ, settle_loop
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application

HOSTILE = """</p>"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;"""


@pytest.fixture
def room() -> Room:
    return Room(grace=0)


@pytest.fixture
def app(tmp_path: Path, room: Room) -> Application:
    return make_app(tmp_path, room=room)


@pytest.fixture
def ada(app: Application) -> Browser:
    return Browser(app, "Ada")


@pytest.fixture
def bob(app: Application) -> Browser:
    return Browser(app, "Bob")


@contextmanager
def in_background(work: Callable[[], Any]) -> Iterator[Future[Any]]:
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(work)


# --- The page ---------------------------------------------------------------------


def test_stranger_is_asked_for_a_name(app: Application) -> None:
    stranger = Browser(app)
    assert "What shall we call you?" in stranger.page
    assert "data-cursor" not in stranger.page
    answer = stranger.join("  Ada   Lovelace ")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "<bdi>Ada Lovelace</bdi>" in stranger.page
    assert "1 here" in stranger.page


@pytest.mark.parametrize(
    ("name", "problem"),
    [("", "need a name"), (" \t ", "need a name"), ("x" * 31, "too long")],
    ids=["none", "blank", "too long"],
)
def test_name_that_cannot_be_is_asked_for_again(
    app: Application, name: str, problem: str
) -> None:
    stranger = Browser(app)
    answer = stranger.post("/join", name=name)
    assert answer.status_code == 422
    assert problem in answer.text
    assert "visitor" not in stranger.cookies


def test_longest_name_is_taken(app: Application) -> None:
    assert "é" * 30 in Browser(app, "é" * 30).page


def test_who_leaves_is_a_stranger_again(ada: Browser) -> None:
    assert ada.post("/leave").status_code == 303
    assert "What shall we call you?" in ada.get("/").text


def test_name_that_we_did_not_sign_is_none(ada: Browser) -> None:
    ada.cookies["visitor"] = ada.cookies["visitor"][:-1] + "x"
    assert "What shall we call you?" in ada.get("/").text


def test_hostile_names_and_texts_stay_text(app: Application) -> None:
    mallory = Browser(app, HOSTILE[:30])
    mallory.say(HOSTILE)
    reader = Browser(app, "Ada")
    parts = reader.get("/poll").text
    for shown in (reader.page, json.loads(parts)["messages"], parts):
        assert "<script>" not in shown
        assert "<img" not in re.sub(r'<img src="/static/[^>]*>', "", shown)
    assert texts(reader.page) == [
        "&lt;/p&gt;&quot;&#x27;&gt;&lt;script&gt;alert(1)&lt;/script&gt;"
        "&lt;img src=x onerror=alert(2)&gt;&amp;amp;"
    ]


def test_link_is_made_to_be_clicked_and_tells_nobody_where_from(ada: Browser) -> None:
    ada.say("see http://example.com/?a=1&b=2")
    (text,) = texts(ada.get("/").text)
    assert 'href="http://example.com/?a=1&amp;b=2"' in text
    assert 'rel="nofollow noopener"' in text


def test_page_allows_no_script_but_ours(ada: Browser) -> None:
    policy = ada.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in ada.page
    assert "style=" not in ada.page


def test_static_files_are_there(ada: Browser) -> None:
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', ada.page)
    assert {re.sub(r"\?.*", "", file) for file in files} == {
        "/static/chat.css",
        "/static/chat.js",
        "/static/cup.svg",
    }
    for file in files:
        assert ada.get(file).status_code == 200


def test_head_is_answered_without_a_body(ada: Browser) -> None:
    answer = call(ada.app, "/", "HEAD", ada.headers())
    assert (answer.status_code, answer.body) == (200, b"")


def test_unknown_address_has_a_page_of_ours(ada: Browser) -> None:
    answer = ada.get("/nowhere")
    assert answer.status_code == 404
    assert "no such room" in answer.text


# --- Saying something -------------------------------------------------------------


def test_script_gets_no_body_and_a_browser_without_it_the_page(ada: Browser) -> None:
    assert ada.say("one").status_code == 204
    answer = ada.post("/messages", text="two", key="2")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert texts(ada.get("/").text) == ["one", "two"]


def test_line_ends_of_browsers_count_as_one_character(ada: Browser) -> None:
    assert ada.say("a" + "\r\n" * 1998 + "b").status_code == 204
    assert len(texts(ada.get("/").text)[0]) == 2000


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"text": "x" * 2000, "key": "k"}, 204),
        ({"text": "x" * 2001, "key": "k"}, 422),
        ({"text": " \r\n ", "key": "k"}, 422),
        ({"text": None, "key": "k"}, 422),
        ({"text": "x", "key": "k" * 40}, 204),
        ({"text": "x", "key": "k" * 41}, 422),
        ({"text": "x", "key": None}, 422),
        ({"text": "x", "key": "k", "_xsrf": None}, 403),
        ({"text": "x", "key": "k", "_xsrf": "2|x|y|1"}, 403),
    ],
    ids=[
        "longest text",
        "too long a text",
        "blank",
        "no text",
        "longest key",
        "too long a key",
        "no key",
        "no token",
        "wrong token",
    ],
)
def test_what_cannot_be_said_is_refused(
    ada: Browser, room: Room, fields: dict[str, str | None], status: int
) -> None:
    accept = ("Accept", "application/json")
    if status == 403:
        with ExpectLog("wsgitornado.general", "403 POST /messages"):
            answer = ada.post("/messages", accept, **fields)
    else:
        answer = ada.post("/messages", accept, **fields)
    assert answer.status_code == status
    assert len(room.read(Cursor()).messages) == (status == 204)


def test_stranger_neither_speaks_nor_hears(app: Application, room: Room) -> None:
    stranger = Browser(app)
    assert stranger.say("hello").status_code == 403
    assert stranger.get("/poll").status_code == 403
    assert stranger.get("/stream").status_code == 403
    assert here(room) == []


# --- Hearing it -------------------------------------------------------------------


@contextmanager
def polling(ada: Browser, room: Room) -> Iterator[Future[dict[str, Any]]]:
    """A poll that waits, of somebody who is here already: that is news else."""
    with open_stream(ada, "/stream") as events:
        next(events)
        cursor = room.read(Cursor()).cursor
        poll = partial(ada.get, f"/poll?since={cursor}")
        with in_background(lambda: json.loads(poll().text)) as found:
            while "waiters[1]" not in repr(room._changed):
                assert not found.done()
                settle_loop()
            yield found


def test_poll_is_answered_when_somebody_speaks(
    ada: Browser, bob: Browser, room: Room
) -> None:
    with polling(ada, room) as found:
        bob.say("hello")
        news = found.result(BOUND)
    assert texts(news["messages"]) == ["hello"]


def test_poll_in_a_hurry_is_answered_at_once(ada: Browser) -> None:
    cursor = json.loads(ada.get("/poll").text)["cursor"]
    news = json.loads(ada.get(f"/poll?since={cursor}&hurry=1").text)
    assert news["messages"] == ""


def test_only_the_author_gets_the_key_of_a_message(ada: Browser, bob: Browser) -> None:
    ada.say("hello", key="secret-key")
    assert 'data-key="secret-key"' in ada.get("/").text
    assert "secret-key" not in bob.get("/").text
    assert "mine" in json.loads(ada.get("/poll").text)["messages"]
    assert "mine" not in json.loads(bob.get("/poll").text)["messages"]


def test_answers_tell_nobody_the_id_of_a_visitor(ada: Browser, room: Room) -> None:
    ada.say("hello")
    (message,) = room.read(Cursor()).messages
    bob = Browser(ada.app, "Bob")
    assert message.author.id not in bob.page
    assert message.author.id not in bob.get("/poll").text


def test_one_who_was_away_for_long_is_told_that_something_is_missing(
    ada: Browser, room: Room
) -> None:
    ada.say("first")
    cursor = room.read(Cursor()).cursor
    for number in range(KEPT + 1):
        room.say(BOB, str(number), str(number))
    news = json.loads(ada.get(f"/poll?since={cursor}").text)
    assert "some messages are missing" in news["messages"]
    assert len(texts(news["messages"])) == KEPT


def test_stream_sends_what_is_said_and_goes_on_where_it_was_cut_off(
    ada: Browser, bob: Browser
) -> None:
    bob.say("one", "1")
    with open_stream(ada, "/stream") as events:
        number, news = next(events)
        assert texts(news["messages"]) == ["one"]
        assert number == news["cursor"]
        bob.say("two", "2")
        while texts(news["messages"]) != ["two"]:
            assert news["messages"] == "" or "one" in news["messages"]
            number, news = next(events)
    bob.say("three", "3")
    # The browser comes again to the same address, and says what it had last.
    with open_stream(ada, "/stream", ("Last-Event-ID", number)) as events:
        assert texts(next(events)[1]["messages"]) == ["three"]
    with open_stream(ada, f"/stream?since={number}") as events:
        assert texts(next(events)[1]["messages"]) == ["three"]


def test_stream_ends_with_its_server(app: Application, ada: Browser) -> None:
    with open_stream(ada, "/stream") as events:
        next(events)
        IOLoop.current().add_callback(app.begin_drain)
        assert list(events) == []


def test_poll_is_answered_when_its_server_ends(
    app: Application, ada: Browser, room: Room
) -> None:
    with polling(ada, room) as found:
        IOLoop.current().add_callback(app.begin_drain)
        assert found.result(BOUND)["messages"] == ""


def test_who_closes_a_stream_is_no_longer_here_and_waits_no_more(
    ada: Browser, room: Room
) -> None:
    with open_stream(ada, "/stream") as events:
        next(events)
        assert here(room) == ["Ada"]
    wait_until(lambda: here(room) == [], room)
    assert "waiters" not in repr(room._changed)


def test_who_closes_a_poll_is_no_longer_here_and_waits_no_more(
    ada: Browser, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()

    async def wait(*args: Any) -> Any:
        waits.set()
        return await Room.wait(room, *args)

    monkeypatch.setattr(room, "wait", wait)
    ada.say("hello")
    visitor = room.read(Cursor()).messages[0].author
    with room.visit(visitor):
        seen = room.read(Cursor()).cursor
        environ = make_environ(f"/poll?since={seen}", headers=ada.headers())
        body = ada.app(environ, lambda *args: None)  # type: ignore[arg-type]  # never called
        with in_background(lambda: list(body)) as polling:
            assert waits.wait(BOUND)
            settle_loop()
            assert "waiters[1]" in repr(room._changed)
            body.close()  # type: ignore[attr-defined]  # an answer of ours has it
            assert polling.result(BOUND) == []
        settle_loop()
        assert "waiters" not in repr(room._changed)
        assert here(room) == ["Ada"]
    wait_until(lambda: here(room) == [], room)


def test_hundreds_of_polls_that_were_left_leave_nothing(
    ada: Browser, room: Room
) -> None:
    for _ in range(100):
        environ = make_environ("/stream", headers=ada.headers())
        body = ada.app(environ, lambda *args: None)  # type: ignore[arg-type]  # write() is never used
        next(iter(body))
        body.close()  # type: ignore[attr-defined]  # an answer of ours has it
    settle_loop()
    wait_until(lambda: here(room) == [], room)
    assert room._present == {}


def test_name_is_known_when_the_program_starts_again(tmp_path: Path) -> None:
    ada = Browser(make_app(tmp_path), "Ada")
    ada.say("hello")
    again = Browser(make_app(tmp_path))
    again.cookies = ada.cookies
    assert texts(again.get("/").text) == ["hello"]


def test_data_lies_below_the_current_folder_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHAT_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    make_app()
    assert (tmp_path / "chat-data" / "secret").is_file()
