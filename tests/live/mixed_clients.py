"""The clients of the mixed load: each does one thing, and checks what it is answered.

Well-behaved ones send requests and are owed an answer for each. The others leave when
it suits them, say nothing, or say something that must be refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import h11

from tests.live.client import HOST, Answer
from tests.live.programs.mixed import MAX_BODY_SIZE, content, message

__all__ = ["CHANNELS", "CLIENTS", "FILE_SEED", "FILE_SIZE", "Load", "Tally", "publish"]

CHANNELS = ["red", "green", "blue", "grey"]

FILE_SEED = "file"
FILE_SIZE = 3_000_001

#: What slow readers let the system keep for them.
_SMALL_BUFFER = 8 * 1024

_RESET = struct.pack("ii", 1, 0)


class WrongAnswerError(Exception):
    """A client was not answered as it has to be."""


@dataclass
class Tally:
    """What became of the requests of one kind of client."""

    sent: int = 0
    answered: int = 0
    left: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return self.sent - self.answered

    @contextlib.contextmanager
    def owed(self, number: int = 1) -> Iterator[None]:
        """Requests that are sent, and answered if the block ends well."""
        self.sent += number
        yield
        self.answered += number


@dataclass
class Load:
    """What all clients know."""

    port: int
    random: random.Random
    published: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    #: Seconds that a hello on a connection of its own has taken.
    times: list[float] = field(default_factory=list)
    numbers: int = 0

    def name(self) -> str:
        """One that no other request has."""
        self.numbers += 1
        return f"number-{self.numbers}"

    def size(self, most: int) -> int:
        """Small ones are more frequent."""
        return int(most ** self.random.random())

    def is_so(self, probability: float) -> bool:
        return self.random.random() < probability


class Line:
    """One connection to the server."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._left_over = b""
        # What is read at once, and the seconds after that.
        self.piece = 65536
        self.pause = 0.0

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, load: Load, receive_buffer: int | None = None) -> Any:
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (HOST, load.port))
            streams = await asyncio.open_connection(sock=sock, limit=16 * 1024)
        except BaseException:
            sock.close()
            raise
        line = cls(*streams)
        try:
            yield line
        finally:
            # At once, also where the server reads no more.
            line._writer.transport.abort()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        """Leave so that the server is told at once."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._writer.transport.abort()

    def end_input(self) -> None:
        self._writer.write_eof()

    async def receive(self) -> bytes:
        """What is there next; empty at the end."""
        data, self._left_over = self._left_over, b""
        if not data:
            data = await self._reader.read(self.piece)
            if self.pause:
                await asyncio.sleep(self.pause)
        return data

    async def read_until(self, expected: bytes) -> bytes:
        """What comes up to these bytes; what is behind them is kept."""
        got = b""
        while expected not in got:
            data = await self.receive()
            if not data:
                raise WrongAnswerError(f"the end, after {got!r:.200}")
            got += data
        head, found, self._left_over = got.partition(expected)
        return head + found

    async def answer(self, method: str = "GET") -> Answer:
        """The next response, read strictly."""
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=65536)
        headers = [("Host", HOST), ("Connection", "keep-alive")]
        parser.send(h11.Request(method=method, target="/", headers=headers))
        parser.send(h11.EndOfMessage())
        head: h11.Response | None = None
        parts: list[bytes] = []
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(await self.receive())
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                raise WrongAnswerError(f"{event!r}")
        assert head is not None
        self._left_over = bytes(parser.trailing_data[0])
        fields = [(name.decode(), value.decode()) for name, value in head.headers]
        return Answer(head.status_code, head.http_version, fields, b"".join(parts), [])

    async def wait_for_end(self) -> None:
        """Read on until the server has closed or cut the connection."""
        with contextlib.suppress(ConnectionError):
            while await self.receive():
                pass


def request(
    target: str, *headers: str, method: str = "GET", body: bytes = b""
) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {HOST}", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def check(answer: Answer, body: str | bytes) -> None:
    expected = body.encode() if isinstance(body, str) else body
    if answer.status_code != 200 or answer.body != expected:
        raise WrongAnswerError(
            f"{expected!r:.60}, {len(expected)} bytes, was due: {answer!r:.600}, "
            f"{len(answer.body)} bytes"
        )


# Well-behaved clients.


async def once(load: Load, tally: Tally) -> None:
    """One request on a connection of its own; the server closes it."""
    began = time.perf_counter()
    with tally.owed():
        async with Line.open(load) as line:
            name = load.name()
            old = load.is_so(0.3)
            data = request(f"/hello/{name}", "Connection: close")
            await line.send(data.replace(b"HTTP/1.1", b"HTTP/1.0") if old else data)
            check(await line.answer(), f"hello {name}")
            load.times.append(time.perf_counter() - began)
            await line.wait_for_end()


async def half_closed(load: Load, tally: Tally) -> None:
    """As netcat and health checkers do."""
    with tally.owed():
        async with Line.open(load) as line:
            name = load.name()
            await line.send(request(f"/hello/{name}"))
            line.end_input()
            check(await line.answer(), f"hello {name}")
            await line.wait_for_end()


async def kept(load: Load, tally: Tally) -> None:
    """Several requests one after the other, with pauses."""
    async with Line.open(load) as line:
        for _ in range(load.random.randrange(2, 20)):
            await _ask_something(load, tally, line)
            await asyncio.sleep(load.random.random() * 0.05)


async def idle_between(load: Load, tally: Tally) -> None:
    """Two requests with a long pause that is still within the server's patience."""
    async with Line.open(load) as line:
        await _ask_something(load, tally, line)
        await asyncio.sleep(load.random.uniform(1, 5))
        await _ask_something(load, tally, line)


async def _ask_something(load: Load, tally: Tally, line: Line) -> None:
    with tally.owed():
        data, method, is_right = _something(load)
        await line.send(data)
        is_right(await line.answer(method))


def _something(load: Load) -> tuple[bytes, str, Callable[[Answer], None]]:
    """A request, its method, and what checks the answer."""
    name = load.name()
    kind = load.random.choice(["get", "head", "post", "download", "missing"])
    if kind == "get":
        return request(f"/hello/{name}"), "GET", partial(check, body=f"hello {name}")
    if kind == "head":
        return request(f"/hello/{name}", method="HEAD"), "HEAD", partial(_named, name)
    if kind == "post":
        headers = ["Content-Type: application/x-www-form-urlencoded"]
        data = request("/form", *headers, method="POST", body=f"text={name}".encode())
        return data, "POST", partial(check, body=name)
    if kind == "download":
        size = load.size(100_000)
        target = f"/download?seed={name}&size={size}"
        return request(target), "GET", partial(check, body=content(name, size))
    return request(f"/missing/{name}"), "GET", _missing


def _named(name: str, answer: Answer) -> None:
    if answer.status_code != 200 or answer.all("x-name") != [name] or answer.body:
        raise WrongAnswerError(f"{name} was due: {answer!r:.600}")


def _missing(answer: Answer) -> None:
    if answer.status_code != 404:
        raise WrongAnswerError(f"404 was due: {answer!r:.600}")


async def pipelined(load: Load, tally: Tally) -> None:
    """Many requests at once, some behind a long poll, in pieces as they fall."""
    requests = [_something(load) for _ in range(load.random.randrange(2, 20))]
    if load.is_so(0.5):
        requests.insert(load.random.randrange(len(requests)), _next_message(load))
    data = b"".join(data for data, _, _ in requests)
    with tally.owed(len(requests)):
        async with Line.open(load) as line:
            while data:
                cut = load.random.choice([1, 100, 1000, len(data)])
                await line.send(data[:cut])
                data = data[cut:]
                await asyncio.sleep(0)
            for _, method, is_right in requests:
                is_right(await line.answer(method))


def _next_message(load: Load) -> tuple[bytes, str, Callable[[Answer], None]]:
    channel = load.random.choice(CHANNELS)
    # Now and then one that is there already.
    after = max(0, load.published[channel] - load.random.choice([0, 0, 0, 2]))
    kind = load.random.choice(["poll", "future"])
    data = request(f"/{kind}/{channel}?after={after}")
    return data, "GET", partial(_messages, channel, after)


def _messages(channel: str, after: int, answer: Answer) -> None:
    got = json.loads(answer.body)["messages"] if answer.status_code == 200 else []
    if not got or got != [message(channel, after + n + 1) for n in range(len(got))]:
        raise WrongAnswerError(f"those behind {after} were due: {answer!r:.600}")


async def poll(load: Load, tally: Tally) -> None:
    """Long polls, one after the other."""
    async with Line.open(load) as line:
        for _ in range(load.random.randrange(1, 6)):
            with tally.owed():
                data, method, is_right = _next_message(load)
                await line.send(data)
                is_right(await line.answer(method))


async def publish(load: Load, tally: Tally, channel: str) -> None:
    """Wake those who wait on a channel."""
    with tally.owed():
        async with Line.open(load) as line:
            await line.send(request(f"/publish/{channel}", method="POST", body=b"-"))
            answer = await line.answer("POST")
            check(answer, answer.body)
            number = int(answer.body)
            load.published[channel] = max(load.published[channel], number)


async def events(load: Load, tally: Tally) -> None:
    """An event stream to its end: every message, in order."""
    channel = load.random.choice(CHANNELS)
    after, count = load.published[channel], load.random.randrange(1, 10)
    with tally.owed():
        async with Line.open(load) as line:
            await line.send(request(f"/events/{channel}?after={after}&count={count}"))
            answer = await line.answer()
            text = answer.text.replace(":\n\n", "")
            lines = [line for line in text.split("\n") if line.startswith("data:")]
            due = [f"data: {message(channel, after + n + 1)}" for n in range(count)]
            if answer.status_code != 200 or lines != due:
                raise WrongAnswerError(f"{due} were due: {answer!r:.600}")


async def upload(load: Load, tally: Tally) -> None:
    """A body of any size, to a handler that takes it whole or in parts."""
    body = content(load.name(), load.size(3_000_000))
    target = load.random.choice(["/spool", "/stream"])
    is_chunked = load.is_so(0.5)
    with tally.owed():
        async with Line.open(load) as line:
            await _send_head(load, line, target, None if is_chunked else len(body))
            for start in _cuts(load, len(body)):
                piece = body[start.start : start.stop]
                if is_chunked:
                    piece = b"%x;a=b\r\n%b\r\n" % (len(piece), piece)
                await line.send(piece)
                if load.is_so(0.05):
                    await asyncio.sleep(0.02)
            if is_chunked:
                await line.send(b"0\r\nX-Trailer: a\r\n\r\n")
            answer = await line.answer("POST")
            due = {"size": len(body), "digest": hashlib.sha256(body).hexdigest()}
            if answer.status_code != 200 or json.loads(answer.body) != due:
                raise WrongAnswerError(f"{due} was due: {answer!r:.600}")
            await _ask_something(load, tally, line)


async def _send_head(load: Load, line: Line, target: str, length: int | None) -> None:
    """The head of an upload; sometimes the server is first asked to want it."""
    headers = [
        "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    ]
    if length == 0 or load.is_so(0.7):
        await line.send(request(target, *headers, method="POST"))
        return
    headers.append("Expect: 100-continue")
    await line.send(request(target, *headers, method="POST"))
    interim = await line.read_until(b"\r\n\r\n")
    if interim != b"HTTP/1.1 100 Continue\r\n\r\n":
        raise WrongAnswerError(f"100 was due: {interim!r}")


def _cuts(load: Load, size: int) -> Iterator[range]:
    start = 0
    while start < size:
        stop = min(size, start + load.random.choice([1, 1000, 65536, 500_000]))
        yield range(start, stop)
        start = stop


def _download(load: Load, most: int) -> tuple[str, bytes]:
    """Where it is and what it is."""
    kind = load.random.choice(["download", "flushed", "generated", "file"])
    if kind == "file":
        return "/file/big.bin", content(FILE_SEED, FILE_SIZE)
    name, size = load.name(), load.size(most)
    return f"/{kind}?seed={name}&size={size}", content(name, size)


async def download(load: Load, tally: Tally) -> None:
    """A body of any size, read as fast as it comes."""
    target, body = _download(load, 5_000_000)
    with tally.owed():
        async with Line.open(load) as line:
            await line.send(request(target))
            check(await line.answer(), body)
            await _ask_something(load, tally, line)


async def slow_download(load: Load, tally: Tally) -> None:
    """The same by a reader with little room and many pauses."""
    target, body = _download(load, 500_000)
    with tally.owed():
        async with Line.open(load, _SMALL_BUFFER) as line:
            line.piece = 16 * 1024
            line.pause = 0.01
            await line.send(request(target))
            check(await line.answer(), body)


async def slow_head(load: Load, tally: Tally) -> None:
    """A request that comes byte by byte, in time."""
    name = load.name()
    with tally.owed():
        async with Line.open(load) as line:
            for byte in request(f"/hello/{name}"):
                await line.send(bytes([byte]))
                await asyncio.sleep(0.02)
            check(await line.answer(), f"hello {name}")


# Those who leave.


async def leave(load: Load, tally: Tally) -> None:
    """Leave in any phase of a request, politely or not."""
    with contextlib.suppress(ConnectionError):
        async with Line.open(load, _SMALL_BUFFER) as line:
            await load.random.choice(_DEPARTURES)(load, line)
            if load.is_so(0.5):
                line.reset()
            elif load.is_so(0.3):
                line.end_input()
                await asyncio.sleep(load.random.random() * 0.2)
    tally.left += 1


async def _leave_in_head(load: Load, line: Line) -> None:
    data = request(f"/hello/{load.name()}")
    await line.send(data[: load.random.randrange(len(data))])
    await asyncio.sleep(load.random.random() * 0.1)


async def _leave_in_body(load: Load, line: Line) -> None:
    target = load.random.choice(["/spool", "/stream", "/form"])
    await line.send(request(target, "Content-Length: 2000000", method="POST"))
    await line.send(content("body", load.size(1_900_000)))
    await asyncio.sleep(load.random.random() * 0.1)


async def _leave_in_chunks(load: Load, line: Line) -> None:
    target = load.random.choice(["/spool", "/stream"])
    await line.send(request(target, "Transfer-Encoding: chunked", method="POST"))
    await line.send(b"ffff\r\n" + content("body", load.size(65535)))
    await asyncio.sleep(load.random.random() * 0.1)


async def _leave_while_waiting(load: Load, line: Line) -> None:
    channel = load.random.choice(CHANNELS)
    kind = load.random.choice(["poll", "future"])
    await line.send(request(f"/{kind}/{channel}?after={load.published[channel] + 5}"))
    if load.is_so(0.3):
        await line.send(request(f"/hello/{load.name()}"))
    await asyncio.sleep(load.random.random())


async def _leave_in_events(load: Load, line: Line) -> None:
    channel = load.random.choice(CHANNELS)
    await line.send(request(f"/events/{channel}?after=0&count=1000000"))
    await line.receive()
    await asyncio.sleep(load.random.random() * 3)


async def _leave_in_response(load: Load, line: Line) -> None:
    kind = load.random.choice(["download", "flushed", "generated"])
    # What is made while it is sent may have no end.
    size = 2_000_000 if kind == "download" else 1 << 60
    await line.send(request(f"/{kind}?seed=a&size={size}"))
    for _ in range(load.random.randrange(3)):
        await line.receive()


async def _leave_in_file(load: Load, line: Line) -> None:
    await line.send(request("/file/big.bin"))
    await line.receive()


async def _leave_behind_many(load: Load, line: Line) -> None:
    await line.send(b"".join(_something(load)[0] for _ in range(30)))
    if load.is_so(0.5):
        await line.receive()


_DEPARTURES: list[Callable[[Load, Line], Awaitable[None]]] = [
    _leave_in_head,
    _leave_in_body,
    _leave_in_chunks,
    _leave_while_waiting,
    _leave_in_events,
    _leave_in_response,
    _leave_in_file,
    _leave_behind_many,
]


async def stop_reading(load: Load, tally: Tally) -> None:
    """Ask for more than there is room for, and look at none of it."""
    async with Line.open(load, _SMALL_BUFFER) as line:
        target = load.random.choice(["/flushed", "/generated"])
        await line.send(request(f"{target}?seed=a&size={1 << 60}"))
        await asyncio.sleep(load.random.uniform(1, 8))
        line.reset()
    tally.left += 1


# Those who are waited for in vain, and those who are refused.


async def idle(load: Load, tally: Tally) -> None:
    """Stay until the server has enough, with or without a request before."""
    async with Line.open(load) as line:
        if load.is_so(0.5):
            await _ask_something(load, tally, line)
        await line.wait_for_end()
    tally.refused += 1


async def half_head(load: Load, tally: Tally) -> None:
    """Never come to the end of a head: the server says so, or closes."""
    async with Line.open(load) as line:
        if load.is_so(0.5):
            await _ask_something(load, tally, line)
        await line.send(b"GET /smuggled HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        for _ in range(load.random.randrange(8)):
            await asyncio.sleep(0.5)
            await line.send(b"a")
        answer = await line.answer()
        if answer.status_code != 408:
            raise WrongAnswerError(f"408 was due: {answer!r:.600}")
        await line.wait_for_end()
    tally.refused += 1


_GET = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n"
_POST = b"POST /spool HTTP/1.1\r\nHost: a\r\n"
_REST = b"\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"

#: What is refused; what comes behind it is not executed.
MALFORMED = {
    "no Host": b"GET /smuggled HTTP/1.1\r\n",
    "two Hosts": _GET + b"Host: a\r\n",
    "bad Host": b"GET /smuggled HTTP/1.1\r\nHost: a b\r\n",
    "two lengths": _POST + b"Content-Length: 1\r\nContent-Length: 2\r\n",
    "length and chunks": _POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    "length with a sign": _POST + b"Content-Length: +5\r\n",
    "unknown coding": _POST + b"Transfer-Encoding: gzip, chunked\r\n",
    "chunked twice": _POST + b"Transfer-Encoding: chunked, chunked\r\n",
    "bad chunk": _POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "bare LF": b"GET /smuggled HTTP/1.1\nHost: a\r\n",
    "bare CR": _GET + b"X-A: a\rb\r\n",
    "NUL": _GET + b"X-A: a\0b\r\n",
    "space before colon": _GET + b"X-A : a\r\n",
    "folded": _GET + b"X-A: a\r\n b\r\n",
    "no colon": _GET + b"X-A\r\n",
    "version 2.7": b"GET /smuggled HTTP/2.7\r\nHost: a\r\n",
    "no version": b"GET /smuggled\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    "long line": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n",
    "long field": _GET + b"X-A: " + b"a" * 17_000 + b"\r\n",
    "many fields": _GET + b"X-A: a\r\n" * 101,
    "large body": _POST + b"Content-Length: %d\r\n" % (MAX_BODY_SIZE + 1),
}


async def malformed(load: Load, tally: Tally) -> None:
    """Something bad, behind something good or not."""
    name = load.random.choice(list(MALFORMED))
    async with Line.open(load) as line:
        if load.is_so(0.5):
            await _ask_something(load, tally, line)
        with contextlib.suppress(ConnectionError):
            await line.send(MALFORMED[name] + _REST)
        answer = await line.answer("POST")
        if not 400 <= answer.status_code < 506 or answer.status_code == 500:
            raise WrongAnswerError(f"{name} was to be refused: {answer!r:.600}")
        if rest := await line.receive():
            raise WrongAnswerError(f"{name} was to be the end: {rest!r:.600}")
    tally.refused += 1


Client = Callable[[Load, Tally], Awaitable[None]]

#: Each kind of client, and how frequent it is.
CLIENTS: dict[Client, int] = {
    once: 6,
    half_closed: 2,
    kept: 8,
    idle_between: 4,
    pipelined: 6,
    poll: 8,
    events: 4,
    upload: 6,
    download: 4,
    slow_download: 3,
    slow_head: 1,
    leave: 14,
    stop_reading: 2,
    idle: 2,
    half_head: 2,
    malformed: 6,
}
