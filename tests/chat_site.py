"""The chat of the examples, for the tests of it, and a visitor with a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
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
    from examples.chat.room import KEPT, SAID, Message, News, Room, Visitor

__all__ = [
    "ADA",
    "BOB",
    "BOUND",
    "KEPT",
    "SAID",
    "Browser",
    "History",
    "Message",
    "News",
    "Room",
    "Visitor",
    "find_secret",
    "here",
    "kept",
    "look",
    "make_app",
    "message",
    "open_stream",
    "room_module",
    "texts",
    "waiting",
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

    def place(self) -> dict[str, str]:
        """Where the page goes on, and who was here."""
        found = re.findall(r'data-(cursor|here)="([^"]+)"', self.get("/").text)
        return {"since": dict(found)["cursor"], "here": dict(found)["here"]}

    def poll(self, **place: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.get(f"/poll?{urlencode(place)}").text)
        return found


def texts(part: str | dict[str, Any]) -> list[str]:
    """What people said, as HTML: in a page, or in what its script gets."""
    if isinstance(part, dict):
        part = "".join(message["html"] for message in part["messages"])
    # The script's empty template is none of it.
    return re.findall(r'<p class="text" dir="auto">(?!</p>)(.+?)</p>', part, re.DOTALL)


def message(number: object) -> Message:
    return Message(f"id {number}", f'<p class="text" dir="auto">{number}</p>')


async def look(room: Room, since: str = "", here: str = "") -> News:
    """What there is at once, without being there."""
    subscription = room._broker.subscribe(SAID, "people", after=since)
    async with subscription:
        return await room._next_news(subscription, here, 0)


def kept(room: Room) -> list[Message]:
    return parking.wait(look(room)).messages


def here(room: Room) -> list[str]:
    return [visitor.name for visitor in parking.wait(room._find_people())]


def waiting(room: Room) -> int:
    """How many listen and have heard all."""
    return len(set(room._broker._backend.waiting()))


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
