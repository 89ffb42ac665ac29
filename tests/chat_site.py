"""The chat of the examples, for the tests of it, and a visitor with a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.cookies import SimpleCookie
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support import Answer, call, make_environ, settle_loop
from wsgitornado import parking
from wsgitornado.web import Application

with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
    # Its own app makes its folder at import: here, and not in the current folder.
    patch.setenv("CHAT_DATA", folder)
    from examples.chat import make_app
    from examples.chat import room as room_module
    from examples.chat.history import History, find_secret
    from examples.chat.room import KEPT, Cursor, Message, News, Room, Visitor

__all__ = [
    "ADA",
    "BOB",
    "BOUND",
    "KEPT",
    "Browser",
    "Cursor",
    "History",
    "Message",
    "News",
    "Room",
    "Visitor",
    "find_secret",
    "here",
    "make_app",
    "open_stream",
    "room_module",
    "texts",
    "wait_until",
]

#: Seconds, for what only something broken needs.
BOUND = 20

ADA = Visitor("a", "Ada")
BOB = Visitor("b", "Bob")


class Browser:
    """Keeps cookies and knows the page that it was given last."""

    def __init__(self, app: Application, name: str = "") -> None:
        self.app = app
        self.cookies: dict[str, str] = {}
        self.page = self.get("/").text
        if name:
            self.join(name)

    def join(self, name: str) -> Answer:
        answer = self.post("/join", name=name)
        self.page = self.get("/").text
        return answer

    def headers(self, *more: tuple[str, str]) -> list[tuple[str, str]]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return [("Cookie", cookies), *more]

    def get(self, target: str, *headers: tuple[str, str]) -> Answer:
        return self.keep(call(self.app, target, headers=self.headers(*headers)))

    def post(
        self, target: str, *headers: tuple[str, str], **fields: str | None
    ) -> Answer:
        (token,) = re.findall(r'name="_xsrf" value="([^"]+)"', self.page)[:1]
        fields = {"_xsrf": token, **fields}
        body = urlencode({k: v for k, v in fields.items() if v is not None})
        form = ("Content-Type", "application/x-www-form-urlencoded")
        sent = self.headers(form, *headers)
        return self.keep(call(self.app, target, "POST", sent, body.encode()))

    def say(self, text: str, key: str = "k") -> Answer:
        accept = ("Accept", "application/json")
        return self.post("/messages", accept, text=text, key=key)

    def keep(self, answer: Answer) -> Answer:
        for line in answer.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.coded_value
        return answer

    @property
    def cursor(self) -> str:
        (cursor,) = re.findall(r'data-cursor="([^"]+)"', self.page)
        return str(cursor)

    def poll(self) -> dict[str, Any]:
        answer = self.get(f"/poll?since={self.cursor}")
        found: dict[str, Any] = json.loads(answer.text)
        self.page = f'data-cursor="{found["cursor"]}"'
        return found


def texts(html: str) -> list[str]:
    """What people said, as HTML; the script's empty template is none of it."""
    return re.findall(r'<p class="text" dir="auto">(?!</p>)(.+?)</p>', html, re.DOTALL)


def here(room: Room) -> list[str]:
    people = room.read(Cursor()).people
    assert people is not None
    return [visitor.name for visitor in people]


def wait_until(is_so: Callable[[], bool], room: Room) -> None:
    """Wait for something that goes with news of the room."""

    async def wait() -> None:
        seen = Cursor()
        while True:
            news = await room.wait(seen, timedelta(seconds=BOUND))
            if is_so():
                return
            assert news.cursor != seen, "nothing more happens"
            seen = news.cursor

    parking.wait(wait())


@contextmanager
def open_stream(
    browser: Browser, target: str, *headers: tuple[str, str]
) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
    """The ids and the data of the events that come, until the client leaves."""
    environ = make_environ(target, headers=browser.headers(*headers))
    started = []
    body = browser.app(environ, lambda *args: started.append(args))  # type: ignore[arg-type]  # write() is never used

    def events() -> Iterator[tuple[str, dict[str, Any]]]:
        text = ""
        for chunk in body:
            text += chunk.decode()
            *blocks, text = text.split("\n\n")
            for block in blocks:
                fields = dict(line.split(": ", 1) for line in block.splitlines())
                if "data" in fields:
                    yield fields["id"], json.loads(fields["data"])

    try:
        yield events()
        assert started[0][0] == "200 OK"
    finally:
        body.close()  # type: ignore[attr-defined]  # an answer of ours has it
        settle_loop()
