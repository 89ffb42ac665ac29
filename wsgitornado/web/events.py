"""EventSource: server-sent events from an asynchronous handler."""

from __future__ import annotations

import asyncio
import re
from asyncio import Future
from functools import partial
from types import TracebackType
from typing import Any, Final, Self
from weakref import WeakKeyDictionary

from wsgitornado.escape import json_encode
from wsgitornado.httpserver.deadlines import Deadlines
from wsgitornado.httputil.errors import StreamClosedError
from wsgitornado.pubsub import MessagesMissed, Subscription, SubscriptionClosed
from wsgitornado.web.errors import HTTPError
from wsgitornado.web.handler import RequestHandler

__all__ = ["EventSource"]

#: What ends a line in an event stream (HTML Standard, section 9.2.5).
_LINE_END: Final = re.compile(r"\r\n|\r|\n")

#: A line that clients pass over; it keeps proxies and half-dead connections awake.
_HEARTBEAT: Final = b":\n\n"


class EventSource:
    """A stream of events to one client, which reconnects by itself when it breaks.

    Made in a handler's coroutine before anything is sent; the browser's side is
    ``new EventSource(url)``::

        class Clock(RequestHandler):
            async def get(self):
                async with EventSource(self) as events:
                    while True:
                        await events.send(time.ctime(), event="tick")
                        await asyncio.sleep(1)

    Leaving the block ends the response. A client that leaves ends the coroutine:
    :meth:`send` raises :exc:`StreamClosedError`, which nobody logs.

    :param retry: seconds after which a client that was cut off comes again; None
        leaves that to it.
    :param heartbeat: seconds without an event after which a comment is sent; None for
        never. One timer serves all streams of the same number.
    :param max_unread: the bytes that :meth:`push` may have under way.
    :raises HTTPError: 503 with Retry-After if the setting ``max_event_streams`` allows
        no more of them in this process.
    :raises RuntimeError: if the response has begun.
    """

    __module__ = "wsgitornado.web"

    def __init__(
        self,
        handler: RequestHandler,
        *,
        retry: float | None = None,
        heartbeat: float | None = 15.0,
        max_unread: int = 64 * 1024,
    ) -> None:
        if handler._headers_written:
            raise RuntimeError(
                "the response has begun: it cannot become an event stream"
            )
        most: int | None = handler.settings.get("max_event_streams")
        open_streams = _streams_of(handler.application)
        if most is not None and len(open_streams) >= most:
            handler._error_headers = (("Retry-After", "5"),)
            raise HTTPError(503, "%d event streams are open", len(open_streams))
        self._handler = handler
        self._open_streams = open_streams
        self._max_unread = max_unread
        self._unread = 0
        self._is_open = True
        self._hearts = None if heartbeat is None else _hearts_of(heartbeat)
        self._relayed: Subscription | None = None
        open_streams.add(self)
        handler.set_header("Content-Type", "text/event-stream")
        handler.set_header("Cache-Control", "no-cache")
        # nginx would collect the events otherwise.
        handler.set_header("X-Accel-Buffering", "no")
        if retry is not None:
            handler.write(f"retry: {int(retry * 1000)}\n\n")

    @property
    def last_event_id(self) -> str | None:
        """The id of the last event that the client got before it was cut off."""
        value: str | None = self._handler.request.headers.get("Last-Event-ID")
        return value

    @property
    def is_open(self) -> bool:
        """Whether events can still be sent."""
        return self._is_open and not self._handler._client_has_left

    async def send(
        self,
        data: str | dict[Any, Any],
        *,
        event: str | None = None,
        id: Any = None,  # noqa: A002  # the field's own name
    ) -> None:
        """Send an event, and wait until the client has room for the next one.

        :param data: text of any number of lines; a dict becomes JSON.
        :param event: its type; browsers take "message" for none.
        :param id: what comes back as :attr:`last_event_id`.
        :raises ValueError: if type or id hold the end of a line.
        :raises StreamClosedError: if the client has left, or the stream was closed.
        """
        await self._write(_lines_of(data, event, id))

    def push(
        self,
        data: str | dict[Any, Any],
        *,
        event: str | None = None,
        id: Any = None,  # noqa: A002  # the field's own name
    ) -> None:
        """Send an event without waiting, for callbacks.

        A client that is too slow, with more than ``max_unread`` bytes under way, is
        cut off: it comes again and says where it was.

        :raises StreamClosedError: if it is, has left, or the stream was closed.
        """
        chunk = _lines_of(data, event, id)
        if self._unread + len(chunk) > self._max_unread:
            self._leave()
            self._handler._break_off(StreamClosedError())
            raise StreamClosedError
        self._write(chunk)

    async def relay(
        self, subscription: Subscription, *, event: str | None = None
    ) -> None:
        """Send every message of a subscription, until either is closed::

            async with EventSource(self) as events:
                await events.relay(broker.subscribe("room", after=events.last_event_id))

        The data is the message's JSON, and the id its cursor: a client that was cut off
        gets what it has missed. Where messages are missing it gets an event of the type
        "missed", whose data names the channel. The subscription is opened if need be,
        and closed. A client that leaves while nothing is published is noticed by the
        heartbeat.

        :param event: the type of all other events.
        :raises RuntimeError: if another subscription is relayed already: one may have
            several channels.
        :raises StreamClosedError: if the client has left, or the stream was closed
            before.
        """
        if not self.is_open:
            raise StreamClosedError
        if self._relayed is not None:
            raise RuntimeError("the event stream relays another subscription already")
        self._relayed = subscription
        try:
            async with subscription:
                while True:
                    try:
                        async for message in subscription:
                            await self.send(
                                message.json, event=event, id=message.cursor
                            )
                        return
                    except MessagesMissed as missed:
                        await self.send(
                            {"channel": missed.channel},
                            event="missed",
                            id=missed.cursor,
                        )
        except SubscriptionClosed:
            # With the stream, while it was opened.
            if self._is_open:
                raise
        finally:
            self._relayed = None

    async def comment(self, text: str = "") -> None:
        """Send a line that clients pass over."""
        await self._write(
            "".join(f": {line}\n" for line in _LINE_END.split(text)).encode() + b"\n"
        )

    def close(self) -> None:
        """End the response; a browser will connect again unless told otherwise."""
        if self._is_open:
            self._leave()
            if not self._handler._finished:
                self._handler.finish()

    async def __aenter__(self) -> Self:
        # The headers go out at once: "open" fires in the browser.
        await self._write(b"")
        return self

    async def __aexit__(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if typ is None:
            self.close()
        else:
            self._leave()

    def _write(self, chunk: bytes) -> Any:
        """Hand a chunk over; awaitable until it is taken."""
        if not self._is_open:
            raise StreamClosedError
        try:
            self._handler.write(chunk)
            taken = self._handler.flush()
        except StreamClosedError:
            self._leave()
            raise
        if self._hearts is not None:
            self._hearts.set(self)
        if isinstance(taken, Future) and not taken.done():
            self._unread += len(chunk)
            taken.add_done_callback(lambda _: self._note_taken(len(chunk)))
        return taken

    def _note_taken(self, size: int) -> None:
        self._unread -= size
        if self._handler._client_has_left:
            self._leave()

    def _leave(self) -> None:
        self._is_open = False
        self._open_streams.discard(self)
        if self._hearts is not None:
            self._hearts.call_off(self)
        if self._relayed is not None:
            # Its relay waits there, perhaps for ever.
            self._relayed.close()

    def _beat(self) -> None:
        """Called by the timer that all streams of this interval share."""
        if not self.is_open or self._handler._finished:
            self._leave()
        elif self._unread and self._hearts is not None:
            # It has not taken the last one: a second would tell it nothing new.
            self._hearts.set(self)
        else:
            try:
                self._write(_HEARTBEAT)
            except StreamClosedError:
                self._leave()


# The open streams of each application, and the timers of each loop by their seconds.
_open_streams: WeakKeyDictionary[Any, set[EventSource]] = WeakKeyDictionary()
_hearts: WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[float, Deadlines[EventSource]]
] = WeakKeyDictionary()


def _streams_of(application: Any) -> set[EventSource]:
    open_streams = _open_streams.get(application)
    if open_streams is None:
        open_streams = _open_streams[application] = set()
        # Browsers come again by themselves.
        application.add_drain_callback(partial(_close_all, open_streams))
    return open_streams


def _close_all(streams: set[EventSource]) -> None:
    for stream in list(streams):
        stream.close()


def _hearts_of(seconds: float) -> Deadlines[EventSource]:
    loop = asyncio.get_running_loop()
    of_loop = _hearts.setdefault(loop, {})
    if seconds not in of_loop:
        of_loop[seconds] = Deadlines(loop, seconds, EventSource._beat)
    return of_loop[seconds]


def _lines_of(data: str | dict[Any, Any], event: str | None, event_id: Any) -> bytes:
    """One event as it stands in the stream."""
    if isinstance(data, dict):
        data = json_encode(data)
    elif not isinstance(data, str):
        raise TypeError(f"the data of an event is text or a dict, not {data!r}")
    lines = []
    if event is not None:
        lines.append(f"event: {_one_line(event, 'type')}\n")
    if event_id is not None:
        lines.append(f"id: {_one_line(str(event_id), 'id')}\n")
    lines += [f"data: {line}\n" for line in _LINE_END.split(data)]
    lines.append("\n")
    return "".join(lines).encode()


def _one_line(text: str, what: str) -> str:
    if _LINE_END.search(text) or "\0" in text:
        raise ValueError(f"the {what} of an event is one line: {text!r}")
    return text
