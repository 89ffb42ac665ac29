"""WebSockets that echo, a room of them, and what was heard of their ends."""

from __future__ import annotations

import logging

from wsgitornado.web import Application, RequestHandler
from wsgitornado.websocket import WebSocketHandler

logging.basicConfig(level=logging.INFO)

room: set[RoomHandler] = set()

#: Codes and reasons by which connections ended, in order.
ends: list[tuple[int | None, str | None]] = []


class EchoHandler(WebSocketHandler):
    """Sends back what comes; by ``close 4000 why`` it closes."""

    def get_compression_options(self) -> dict[str, object]:
        return {}

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return "second" if "second" in subprotocols else None

    async def on_message(self, message: str | bytes) -> None:
        if isinstance(message, str) and message.startswith("close "):
            _, code, reason = message.split(" ", 2)
            self.close(int(code), reason)
        elif message == "subprotocol":
            await self.write_message({"subprotocol": self.selected_subprotocol})
        else:
            await self.write_message(message, binary=isinstance(message, bytes))

    def on_close(self) -> None:
        ends.append((self.close_code, self.close_reason))


class RoomHandler(WebSocketHandler):
    """Sends what one says to all; each is told first how many there are."""

    def open(self, name: str) -> None:
        room.add(self)
        self.write_message(f"{name}: {len(room)}")

    def on_message(self, message: str | bytes) -> None:
        for each in room:
            each.write_message(message)

    def on_close(self) -> None:
        room.discard(self)


class EndsHandler(RequestHandler):
    """What was heard of ends since the last time."""

    def get(self) -> None:
        self.write({"ends": ends, "room": len(room)})
        ends.clear()


class PageHandler(RequestHandler):
    """A page from which a browser may open WebSockets here."""

    def get(self) -> None:
        self.write("<!DOCTYPE html><title>sockets</title>")


app = Application(
    [
        (r"/echo", EchoHandler),
        (r"/room/(\w+)", RoomHandler),
        (r"/ends", EndsHandler),
        (r"/page", PageHandler),
    ]
)
