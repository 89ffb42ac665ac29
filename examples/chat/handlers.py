"""The handlers: the page, what is said, and three ways to hear it."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import responses
from typing import Any

from examples.chat.room import Message, News, Room, Visitor
from wsgitornado.escape import json_decode, json_encode
from wsgitornado.httputil import url_concat
from wsgitornado.pubsub import BrokerUnavailable
from wsgitornado.web import EventSource, HTTPError, RequestHandler
from wsgitornado.websocket import WebSocketHandler

NAME_LIMIT = 30
TEXT_LIMIT = 2000
KEY_LIMIT = 40

#: Seconds that a poll without news waits: proxies give up after a minute.
PATIENCE = 25.0


@contextmanager
def refusing() -> Iterator[None]:
    """Answer with 503 while Redis is away: the page tries again."""
    try:
        yield
    except BrokerUnavailable as error:
        raise HTTPError(503) from error


@dataclass(frozen=True)
class Part:
    """News as they go to a page.

    :ivar cursor: where it goes on when it comes back.
    """

    cursor: str
    json: str


class BaseHandler(RequestHandler):
    """What all share: the room, the visitor, the headers and the error page."""

    @property
    def room(self) -> Room:
        room: Room = self.settings["room"]
        return room

    def address_with_transport(self, name: str) -> str:
        """The address of a rule, with the transport that was asked for, if any."""
        asked = self.get_query_arguments("transport")[-1:]
        return url_concat(
            self.reverse_url(name), [("transport", value) for value in asked]
        )

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

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        title = responses.get(status_code, "Error")
        self.render("error.html", status_code=status_code, title=title)


class NotFoundHandler(BaseHandler):
    """Every address that no rule knows."""

    def prepare(self) -> None:
        raise HTTPError(404)


class RoomHandler(BaseHandler):
    """The page: the room, or the question for a name in front of it."""

    async def get(self) -> None:
        if self.current_user is None:
            self.render("join.html", name="", problem="")
            return
        async with self.room.listen(self.current_user, "", "", patience=0) as listening:
            news = await anext(listening)
        self.render("room.html", news=news, key=secrets.token_urlsafe(16))

    async def head(self) -> None:
        """Answer as GET does; the body is left out by itself."""
        await self.get()


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
        self.redirect(self.address_with_transport("room"), status=303)


class LeaveHandler(BaseHandler):
    def post(self) -> None:
        self.clear_cookie("visitor")
        self.redirect(self.reverse_url("room"), status=303)


class VisitorHandler(BaseHandler):
    """What is only for those with a name."""

    current_user: Visitor

    def prepare(self) -> None:
        if self.current_user is None:
            raise HTTPError(403)

    @asynccontextmanager
    async def listen(
        self, since: str, patience: float | None = None
    ) -> AsyncIterator[AsyncIterator[Part]]:
        """Be in the room, and hear what is new, as the page's script gets it."""
        here = self.get_query_argument("here", "")
        with refusing():
            listening = self.room.listen(self.current_user, since, here, patience)
            async with listening as news, aclosing(self._in_parts(news)) as parts:
                yield parts

    async def _in_parts(self, news: AsyncIterator[News]) -> AsyncGenerator[Part, None]:
        async for one in news:
            yield self._as_part(one)

    def _as_part(self, news: News) -> Part:
        people = None
        if news.people is not None:
            people = self.render_string("people.html", people=news.people).decode()
        return Part(
            news.cursor,
            json.dumps(
                {
                    "cursor": news.cursor,
                    "messages": [vars(message) for message in news.messages],
                    "cut": news.is_cut,
                    "people": people,
                    "here": news.here,
                }
            ),
        )


class MessagesHandler(VisitorHandler):
    """Takes what somebody says, and answers when it is there for all."""

    async def post(self) -> None:
        text = self.get_body_argument("text", "").replace("\r\n", "\n")
        key = self.get_body_argument("key", "")
        if not text or len(text) > TEXT_LIMIT or not 0 < len(key) <= KEY_LIMIT:
            raise HTTPError(422)
        # So that nobody can speak in the place of another one.
        message_id = f"{self.current_user.id}.{key}"
        html = self.render_string(
            "message.html",
            id=message_id,
            author=self.current_user,
            said=datetime.now(UTC),
            text=text,
        )
        with refusing():
            await self.room.say(Message(message_id, html.decode()))
        if "application/json" in self.request.headers.get("Accept", ""):
            self.set_status(204)
        else:
            # A browser that runs no script.
            self.redirect(self.reverse_url("room"), status=303)


class PollHandler(VisitorHandler):
    """One answer, as soon as there are news: then the page asks again."""

    #: Who has closed the page waits no more, and is no longer here.
    cancel_on_close = True

    async def get(self) -> None:
        is_hurried = self.get_query_argument("hurry", "") != ""
        since = self.get_query_argument("since", "")
        async with self.listen(since, 0 if is_hurried else PATIENCE) as news:
            part = await anext(news)
        self.set_header("Content-Type", "application/json")
        self.write(part.json)


class EventsHandler(VisitorHandler):
    """One answer that goes on: an event whenever there are news."""

    cancel_on_close = True

    async def get(self) -> None:
        async with EventSource(self) as events:
            # Who comes again by itself says where it was.
            since = self.get_query_argument("since", "")
            async with self.listen(events.last_event_id or since) as news:
                async for part in news:
                    await events.send(part.json, id=part.cursor)


class SocketHandler(VisitorHandler, WebSocketHandler):
    """A WebSocket that goes on: a message whenever there are news."""

    def open(self) -> None:
        since = self.get_query_argument("since", "")
        self.relay(self.listen(since))
