"""The handlers: the page, what is said, and two ways to hear it."""

from __future__ import annotations

import secrets
from datetime import timedelta
from http.client import responses
from typing import Any

from examples.chat.room import Cursor, News, Room, Visitor
from wsgitornado.escape import json_decode, json_encode
from wsgitornado.web import EventSource, HTTPError, RequestHandler

NAME_LIMIT = 30
TEXT_LIMIT = 2000
KEY_LIMIT = 40

#: How long a poll without news waits: proxies give up after a minute.
PATIENCE = timedelta(seconds=25)


class BaseHandler(RequestHandler):
    """What all share: the room, the visitor, the headers and the error page."""

    @property
    def room(self) -> Room:
        room: Room = self.settings["room"]
        return room

    @property
    def visitor(self) -> Visitor:
        """Who asks; for methods that are only for those with a name."""
        if self.current_user is None:
            raise HTTPError(403)
        visitor: Visitor = self.current_user
        return visitor

    def get_current_user(self) -> Visitor | None:
        value = self.get_signed_cookie("visitor")
        return Visitor(**json_decode(value)) if value else None

    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")
        self.set_header(
            "Content-Security-Policy",
            "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self';"
            " connect-src 'self'; form-action 'self'; base-uri 'none';"
            " frame-ancestors 'none'",
        )

    def as_json(self, news: News) -> dict[str, Any]:
        """What the page's script gets: HTML to put in, and where to go on."""
        answer: dict[str, Any] = {"cursor": str(news.cursor), "messages": ""}
        if news.messages:
            answer["messages"] = self.render_part("messages.html", news)
        if news.people is not None:
            answer["people"] = self.render_part("people.html", news)
        return answer

    def render_part(self, template: str, news: News) -> str:
        return self.render_string(template, news=news).decode()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        title = responses.get(status_code, "Error")
        self.render("error.html", status_code=status_code, title=title)


class NotFoundHandler(BaseHandler):
    """Every address that no rule knows."""

    def prepare(self) -> None:
        raise HTTPError(404)


class RoomHandler(BaseHandler):
    """The page: the room, or the question for a name in front of it."""

    def get(self) -> None:
        if self.current_user is None:
            self.render("join.html", name="", problem="")
            return
        with self.room.visit(self.visitor):
            news = self.room.read(Cursor())
            self.render("room.html", news=news, key=secrets.token_urlsafe(16))

    def head(self) -> None:
        """Answer as GET does; the body is left out by itself."""
        self.get()


class JoinHandler(BaseHandler):
    def post(self) -> None:
        name = " ".join(self.get_body_argument("name", "").split())
        if not name or len(name) > NAME_LIMIT:
            problem = "Your name is too long for us." if name else "We need a name."
            self.set_status(422)
            self.render("join.html", name=name, problem=problem)
            return
        visitor = {"id": secrets.token_urlsafe(16), "name": name}
        self.set_signed_cookie(
            "visitor",
            json_encode(visitor),
            httponly=True,
            samesite="Lax",
            secure=self.request.protocol == "https",
        )
        # 303: the browser GETs the page, and reloading it sends no form again.
        self.redirect(self.reverse_url("room"), status=303)


class LeaveHandler(BaseHandler):
    def post(self) -> None:
        self.clear_cookie("visitor")
        self.redirect(self.reverse_url("room"), status=303)


class MessagesHandler(BaseHandler):
    """Takes what somebody says: a plain method, on whatever thread runs those."""

    def post(self) -> None:
        text = self.get_body_argument("text", "").replace("\r\n", "\n")
        key = self.get_body_argument("key", "")
        if not text or len(text) > TEXT_LIMIT or not 0 < len(key) <= KEY_LIMIT:
            raise HTTPError(422)
        self.room.say(self.visitor, text, key)
        if "application/json" in self.request.headers.get("Accept", ""):
            self.set_status(204)
        else:
            # A browser that runs no script.
            self.redirect(self.reverse_url("room"), status=303)


class PollHandler(BaseHandler):
    """One answer, as soon as there are news: then the page asks again."""

    #: Who has closed the page waits no more, and is no longer here.
    cancel_on_close = True

    async def get(self) -> None:
        seen = Cursor.parse(self.get_query_argument("since", ""))
        is_hurried = self.get_query_argument("hurry", "") != ""
        with self.room.visit(self.visitor):
            if is_hurried:
                news = self.room.read(seen)
            else:
                news = await self.room.wait(seen, PATIENCE)
        self.write(self.as_json(news))


class StreamHandler(BaseHandler):
    """One answer that goes on: an event whenever there are news."""

    cancel_on_close = True

    async def get(self) -> None:
        visitor, since = self.visitor, self.get_query_argument("since", "")
        async with EventSource(self, retry=1) as events:
            # The browser says where it was when it comes again by itself.
            seen = Cursor.parse(events.last_event_id or since)
            with self.room.visit(visitor):
                while True:
                    news = await self.room.wait(seen)
                    await events.send(self.as_json(news), id=news.cursor)
                    seen = news.cursor
