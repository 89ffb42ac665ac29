"""The chat of the examples, as browsers ask it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.chat_site import (
    BOUND,
    KEPT,
    Browser,
    Room,
    here,
    kept,
    make_app,
    message,
    open_stream,
    texts,
    waiting,
)
from tests.support import call, make_environ, settle_loop
from wsgitornado import parking
from wsgitornado.ioloop import IOLoop
from wsgitornado.pubsub import Broker, BrokerUnavailable, Publication
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application

HOSTILE = """</p>"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;"""


@pytest.fixture
def room() -> Room:
    return Room(Broker(history=KEPT), grace=0)


@pytest.fixture
def app(tmp_path: Path, room: Room) -> Application:
    return make_app(tmp_path, room=room)


@pytest.fixture
def ada(app: Application) -> Browser:
    return Browser(app, "Ada")


@pytest.fixture
def bob(app: Application) -> Browser:
    return Browser(app, "Bob")


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BOUND
    while not is_so():
        assert time.monotonic() < deadline
        settle_loop()


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
    parts = reader.poll()
    for shown in (reader.page, parts["messages"][0]["html"], parts["people"]):
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
    assert len(kept(room)) == (status == 204)


def test_stranger_neither_speaks_nor_hears(app: Application, room: Room) -> None:
    stranger = Browser(app)
    assert stranger.say("hello").status_code == 403
    assert stranger.get("/poll").status_code == 403
    assert stranger.get("/events").status_code == 403
    assert stranger.get("/socket").status_code == 403
    assert here(room) == []


# --- Hearing it -------------------------------------------------------------------


@contextmanager
def polling(ada: Browser, room: Room) -> Iterator[Future[dict[str, Any]]]:
    """A poll that waits."""
    place, before = ada.place(), waiting(room)
    with in_background(lambda: ada.poll(**place)) as found:
        wait_until(lambda: waiting(room) > before or found.done())
        assert not found.done()
        yield found


def test_poll_is_answered_when_somebody_speaks(
    ada: Browser, bob: Browser, room: Room
) -> None:
    with open_stream(bob, "/events") as events:
        next(events)
        with polling(ada, room) as found:
            bob.say("hello")
            news = found.result(BOUND)
    assert texts(news) == ["hello"]
    assert news["people"] is None


def test_poll_is_answered_when_somebody_comes(
    ada: Browser, bob: Browser, room: Room
) -> None:
    with polling(ada, room) as found, open_stream(bob, "/events") as events:
        next(events)
        news = found.result(BOUND)
    assert news["messages"] == []
    assert "2 here" in news["people"]
    assert news["people"].count("(you)") == 1


def test_poll_in_a_hurry_is_answered_at_once(ada: Browser) -> None:
    assert ada.poll(**ada.place(), hurry="1")["messages"] == []


def test_one_who_was_away_for_long_is_told_that_something_is_missing(
    ada: Browser, room: Room
) -> None:
    ada.say("first")
    place = ada.place()
    assert not ada.poll(**place, hurry="1")["cut"]
    for number in range(KEPT + 1):
        parking.wait(room.say(message(number)))
    news = ada.poll(**place)
    assert news["cut"]
    assert texts(news) == [str(number) for number in range(1, KEPT + 1)]


def test_events_bring_what_is_said_and_go_on_where_they_were_cut_off(
    ada: Browser, bob: Browser
) -> None:
    bob.say("one", "1")
    with open_stream(ada, "/events") as events:
        number, news = next(events)
        assert texts(news) == ["one"]
        assert number == news["cursor"]
        bob.say("two", "2")
        while texts(news) != ["two"]:
            assert texts(news) in ([], ["one"])
            number, news = next(events)
    bob.say("three", "3")
    # The browser comes again to the same address, and says what it had last.
    with open_stream(ada, "/events", ("Last-Event-ID", number)) as events:
        assert texts(next(events)[1]) == ["three"]
    with open_stream(ada, f"/events?since={number}") as events:
        assert texts(next(events)[1]) == ["three"]


def test_stream_ends_with_its_server(app: Application, ada: Browser) -> None:
    with open_stream(ada, "/events") as events:
        next(events)
        IOLoop.current().add_callback(app.begin_drain)
        assert [news["messages"] for _, news in events] == []


def test_poll_is_answered_when_its_server_ends(
    app: Application, ada: Browser, room: Room
) -> None:
    with polling(ada, room) as found:
        IOLoop.current().add_callback(app.begin_drain)
        assert found.result(BOUND)["messages"] == []


@pytest.mark.parametrize("target", ["/events", "/poll?"])
def test_who_leaves_is_no_longer_here_and_waits_no_more(
    ada: Browser, room: Room, target: str
) -> None:
    where = urlencode(ada.place())
    environ = make_environ(f"{target.rstrip('?')}?{where}", headers=ada.headers())
    body = ada.app(environ, lambda *args: None)  # type: ignore[arg-type]  # write() is never used
    with in_background(lambda: list(body)) as listening:
        wait_until(lambda: waiting(room) == 1)
        assert here(room) == ["Ada"]
        body.close()  # type: ignore[attr-defined]  # an answer of ours has it
        listening.result(BOUND)
    wait_until(lambda: here(room) == [])
    assert waiting(room) == 0


def test_hundreds_of_streams_that_were_left_leave_nothing(
    ada: Browser, room: Room
) -> None:
    for _ in range(100):
        environ = make_environ("/events", headers=ada.headers())
        body = ada.app(environ, lambda *args: None)  # type: ignore[arg-type]  # write() is never used
        next(iter(body))
        body.close()  # type: ignore[attr-defined]  # an answer of ours has it
    wait_until(lambda: here(room) == [])
    assert waiting(room) == 0
    assert not room._present


def test_broker_that_is_away_is_a_503(tmp_path: Path) -> None:
    class Away(Broker):
        def publish(self, channel: str, message: object) -> Publication:
            publication = Publication()
            publication.set_exception(BrokerUnavailable("Redis is away"))
            publication.exception()
            return publication

    ada = Browser(make_app(tmp_path, room=Room(Away(), grace=0)), "Ada")
    assert ada.say("hello").status_code == 503


@pytest.mark.parametrize("name", ["poll", "events", "socket"])
def test_transport_that_was_asked_for_is_kept_by_the_way_in(
    app: Application, name: str
) -> None:
    stranger = Browser(app)
    page = stranger.get(f"/?transport={name}").text
    assert f'action="/join?transport={name}"' in page
    answer = stranger.post(f"/join?transport={name}", name="Ada")
    assert answer.headers["Location"] == f"/?transport={name}"


def test_name_is_known_when_the_program_starts_again(tmp_path: Path) -> None:
    ada = Browser(make_app(tmp_path), "Ada")
    ada.say("hello")
    place = ada.place()
    again = Browser(make_app(tmp_path))
    again.cookies = ada.cookies
    assert texts(again.get("/").text) == ["hello"]
    # A page that is still open gets all, and leaves out what it has.
    assert texts(again.poll(**place)) == ["hello"]


def test_data_lies_below_the_current_folder_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CHAT_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    make_app()
    assert (tmp_path / "chat-data" / "secret").is_file()


@pytest.mark.parametrize("is_told", [True, False], ids=["told", "environment"])
def test_room_of_many_processes_keeps_nothing_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    pytest.importorskip("redis")
    address = "redis://127.0.0.1:1/0"
    monkeypatch.setenv("BROKER_URL", "" if is_told else address)
    monkeypatch.setenv("CHAT_SECRET", "of all machines")
    app = make_app(tmp_path, broker=address if is_told else None)
    assert list(tmp_path.iterdir()) == []
    assert app.settings["cookie_secret"] == "of all machines"
