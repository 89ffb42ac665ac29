"""A site of WebSocket handlers that echo, on Tornado or on ours, and what they saw."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket

import wsgitornado.web
import wsgitornado.websocket
from tests.httpserver.running import BOUND, Kind, Running, running, wait_for
from tests.websocket.frames import FrameClient

__all__ = ["MOST", "OURS", "TORNADO", "Echoes", "serving", "serving_tornado"]

#: ``max_message_size`` of the site.
MOST = 1000

OURS = (wsgitornado.web, wsgitornado.websocket)
TORNADO = (tornado.web, tornado.websocket)


class Echoes:
    """The site: at ``/`` plain, at ``/deflate`` with compression.

    A message comes back, except for ``close 4000 why`` and ``ping data``, by which the
    handler does that, and ``close`` without a code. ``raise`` makes it fail. It chooses
    the subprotocol ``second``.

    :ivar seen: what the handlers were told, in order.
    :ivar port: where it is served.
    """

    def __init__(self, modules: tuple[Any, Any], **settings: Any) -> None:
        web, websocket = modules
        self.seen: list[tuple[Any, ...]] = []
        self.port = 0
        handler = _echo(websocket.WebSocketHandler, self.seen)
        settings = {"websocket_max_message_size": MOST, **settings}
        self.app = web.Application(
            [(r"/", handler), (r"/deflate", _compressing(handler))], **settings
        )

    def connect(self, *lines: str, target: str = "/") -> FrameClient:
        """A connection behind its handshake."""
        client = FrameClient(self.port)
        try:
            client.upgrade(*lines, target=target)
        except BaseException:
            client.close()
            raise
        return client

    def wait_for_end(self) -> list[tuple[Any, ...]]:
        """What was seen of the one connection, once ``on_close`` has been called."""
        wait_for(lambda: self._has_ended(), lambda: self.seen)
        seen = self.seen[:]
        self.seen.clear()
        assert [what for what, *_ in seen].count("close") == 1, seen
        assert seen[-1][0] == "close", seen
        return seen

    def _has_ended(self) -> bool:
        return bool(self.seen) and self.seen[-1][0] == "close"


def _echo(base: Any, seen: list[tuple[Any, ...]]) -> Any:
    class EchoHandler(base):  # type: ignore[misc]  # of either package
        def select_subprotocol(self, subprotocols: list[str]) -> str | None:
            return "second" if "second" in subprotocols else None

        def open(self) -> None:
            seen.append(("open",))

        async def on_message(self, message: str | bytes) -> None:
            seen.append(("message", message))
            text = message if isinstance(message, str) else ""
            verb, _, rest = text.partition(" ")
            if verb == "close":
                code, _, reason = rest.partition(" ")
                self.close(int(code) if code else None, reason or None)
            elif verb == "ping":
                self.ping(rest.encode())
            elif verb == "raise":
                raise ZeroDivisionError(rest)
            else:
                # Others have their turn: the messages stay in order all the same.
                await asyncio.sleep(0)
                await self.write_message(message, binary=isinstance(message, bytes))

        def on_ping(self, data: bytes) -> None:
            seen.append(("ping", data))

        def on_pong(self, data: bytes) -> None:
            seen.append(("pong", data))

        def on_close(self) -> None:
            seen.append(("close", self.close_code, self.close_reason))

    return EchoHandler


def _compressing(base: Any) -> Any:
    class DeflateHandler(base):  # type: ignore[misc]  # of either package
        def get_compression_options(self) -> dict[str, Any]:
            return {}

    return DeflateHandler


@contextlib.contextmanager
def serving(kind: Kind | None = None, **settings: Any) -> Iterator[Echoes]:
    """The site on the loop server, in a thread of its own."""
    echoes = Echoes(OURS, **settings)
    with running(echoes.app, kind) as served:
        echoes.port = served.port
        yield echoes
        _expect_nobody(served)


def _expect_nobody(served: Running) -> None:
    """Nothing is held for a connection that has ended."""
    served.wait_until(open=0, parked=0)


@contextlib.contextmanager
def serving_tornado(**settings: Any) -> Iterator[Echoes]:
    """The site on Tornado's own server."""
    echoes = Echoes(TORNADO, **settings)
    started: concurrent.futures.Future[Any] = concurrent.futures.Future()

    async def serve() -> None:
        end = asyncio.Event()
        server = tornado.httpserver.HTTPServer(echoes.app)
        sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        echoes.port = sockets[0].getsockname()[1]
        started.set_result((asyncio.get_running_loop(), end))
        await end.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="tornado")
    thread.start()
    loop, end = started.result(BOUND)
    try:
        yield echoes
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(BOUND)
