"""A suite in Tornado's style, as the documentation shows it, which pytest runs."""

from __future__ import annotations

import asyncio

import pytest

from wsgitornado.web import Application, RequestHandler

pytest.importorskip("httpx")

from wsgitornado.testing import AsyncHTTPTestCase, gen_test


class Room:
    """Messages, and those who wait for the next."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.changed = asyncio.Condition()


class RoomHandler(RequestHandler):
    def initialize(self, room: Room) -> None:  # type: ignore[override]  # by its rule
        self.room = room

    def get(self) -> None:
        self.write(b"\n".join(self.room.messages))

    async def post(self) -> None:
        self.room.messages.append(self.request.body)
        async with self.room.changed:
            self.room.changed.notify_all()


class NextHandler(RoomHandler):
    async def get(self) -> None:  # type: ignore[override]  # the other one need not wait
        async with self.room.changed:
            await self.room.changed.wait()
        self.write(self.room.messages[-1])


def make_app() -> Application:
    room = {"room": Room()}
    return Application([("/room", RoomHandler, room), ("/next", NextHandler, room)])


class TestRooms(AsyncHTTPTestCase):
    def get_app(self) -> Application:
        return make_app()

    def test_message_is_kept(self) -> None:
        self.fetch("/room", method="POST", body=b"Hello")
        assert self.fetch("/room").body == b"Hello"

    @gen_test
    async def test_who_waits_gets_the_next(self) -> None:
        waiting = self.http_client.fetch(self.get_url("/next"))
        room = self.get_url("/room")
        while not waiting.done():
            await self.http_client.fetch(room, method="POST", body=b"Hello")
        assert waiting.result().body == b"Hello"
