"""``python -m tests.live.fault_run``: messages while everything is killed in turn.

Two workers in processes of their own and a Redis that confirms only what is on its
disk. While messages are published through one worker or the other, Redis is killed and
started again, one of the workers too, and clients leave and come back with their
cursors at random: half of them poll, half of them read an event stream. What counts:
every client has every message, once, in one order. Ends with status 1 where it has not.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.compare import format_table
from tests.pubsub.redis_server import HOST, RedisServer, free_port

__all__ = ["Result", "run"]

#: Seconds for everything that is waited for when the last message was published.
_PATIENCE: Final = 60.0

#: Messages that are published at once, by so many publishers.
_PUBLISHERS: Final = 8


@dataclass
class Client:
    """What one client has, and where it stands."""

    kind: str
    messages: list[int] = field(default_factory=list)
    cursor: str | None = None
    reconnects: int = 0
    was_told: int = 0


@dataclass
class Result:
    """What a run has come to."""

    clients: list[Client]
    published: int
    kills_of_redis: int
    kills_of_workers: int
    seconds: float
    #: Those whose publishers had no answer: each may be there once, or not at all.
    unknown: set[int]

    @property
    def lost(self) -> int:
        return sum(
            self.published - len(set(client.messages) - self.unknown)
            for client in self.clients
        )

    @property
    def twice(self) -> int:
        return sum(len(c.messages) - len(set(c.messages)) for c in self.clients)

    @property
    def orders(self) -> int:
        """How many orders of the messages there were: all clients see one."""
        return len({tuple(client.messages) for client in self.clients})

    @property
    def is_whole(self) -> bool:
        return not self.lost and not self.twice and self.orders == 1

    def table(self) -> str:
        columns = ["clients", "published", "received", "lost", "twice", "reconnects"]
        rows: dict[str, dict[str, float]] = {}
        for kind in ("poll", "stream", "all"):
            these = [c for c in self.clients if kind in (c.kind, "all")]
            part = Result(these, self.published, 0, 0, 0, self.unknown)
            rows[kind] = {
                "clients": len(these),
                "published": self.published,
                "received": sum(len(client.messages) for client in these),
                "lost": part.lost,
                "twice": part.twice,
                "reconnects": sum(client.reconnects for client in these),
            }
        return format_table("messages", columns, rows)


class Worker:
    """One process that serves, which may be killed and started again."""

    def __init__(self, url: str, history: int) -> None:
        self.port = free_port()
        self._command = [
            *(sys.executable, "-m", "tests.live.programs.rooms"),
            *(str(self.port), url, str(history)),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, self.port)
                writer.close()
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the worker does not listen")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Run:
    """A room with its publishers and clients."""

    def __init__(
        self, redis: RedisServer, workers: list[Worker], count: int, seed: int
    ) -> None:
        self._redis = redis
        self._workers = workers
        self._count = count
        self._random = random.Random(seed)
        self.clients: list[Client] = []
        self.published = 0
        self.kills_of_redis = self.kills_of_workers = 0
        self._numbers = iter(range(count))
        self._last = count
        self.unknown: set[int] = set()

    async def run(self, clients: int) -> None:
        self.clients = [Client(("poll", "stream")[n % 2]) for n in range(clients)]
        cursor = (await self._publish(-1))["cursor"]
        for client in self.clients:
            client.cursor = cursor
        readers = [asyncio.create_task(self._read(client)) for client in self.clients]
        faults = asyncio.create_task(self._do_harm())
        async with asyncio.TaskGroup() as publishers:
            for _ in range(_PUBLISHERS):
                publishers.create_task(self._publish_all())
        await faults
        await self._publish_last()
        _, late = await asyncio.wait(readers, timeout=_PATIENCE)
        for task in readers:
            if task in late:
                task.cancel()
            elif (error := task.exception()) is not None:
                raise error

    # Publishing

    async def _publish_all(self) -> None:
        for number in self._numbers:
            await self._publish_or_leave(number)

    async def _publish_last(self) -> None:
        """Confirmed, it tells all clients that they have everything."""
        while not await self._publish_or_leave(self._last):
            self._last += 1

    async def _publish_or_leave(self, number: int) -> bool:
        """Publish, and be told so; False where the worker was killed over it."""
        while True:
            try:
                await self._publish(number)
            except ConnectionRefusedError:
                # A worker that is not there: the message was not sent.
                await asyncio.sleep(0.01)
            except (OSError, EOFError, _BadAnswer):
                self.unknown.add(number)
                return False
            else:
                self.published += 1
                return True

    async def _publish(self, number: int) -> dict[str, Any]:
        body = str(number)
        async with self._connected() as (reader, writer):
            writer.write(
                (
                    f"POST /publish HTTP/1.1\r\nHost: {HOST}\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n{body}"
                ).encode()
            )
            answer: dict[str, Any] = await _json_of(reader)
            return answer

    @contextlib.asynccontextmanager
    async def _connected(self) -> Any:
        worker = self._random.choice(self._workers)
        reader, writer = await asyncio.open_connection(HOST, worker.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    # Reading

    async def _read(self, client: Client) -> None:
        read = self._poll if client.kind == "poll" else self._stream
        while self._last not in client.messages[-_PUBLISHERS:]:
            try:
                # It leaves by itself now and then.
                async with asyncio.timeout(self._random.uniform(0.1, 3.0)):
                    await read(client)
            except (OSError, EOFError, _BadAnswer):
                await asyncio.sleep(self._random.uniform(0.0, 0.1))
            client.reconnects += 1

    async def _poll(self, client: Client) -> None:
        async with self._connected() as (reader, writer):
            while self._last not in client.messages[-_PUBLISHERS:]:
                writer.write(
                    f"GET /poll?after={client.cursor} HTTP/1.1\r\n"
                    f"Host: {HOST}\r\n\r\n".encode()
                )
                answer = await _json_of(reader)
                client.messages += answer["messages"]
                client.was_told += answer["missed"]
                client.cursor = answer["cursor"]

    async def _stream(self, client: Client) -> None:
        async with self._connected() as (reader, writer):
            writer.write(
                f"GET /stream HTTP/1.1\r\nHost: {HOST}\r\n"
                f"Last-Event-ID: {client.cursor}\r\n\r\n".encode()
            )
            await _read_head(reader)
            fields: dict[str, str] = {}
            while self._last not in client.messages[-_PUBLISHERS:]:
                line = (await _line(reader)).decode()
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                    continue
                # An event counts once its empty line is there.
                if "event" in fields:
                    client.was_told += 1
                elif "data" in fields:
                    client.messages.append(int(fields["data"]))
                client.cursor = fields.get("id", client.cursor)
                fields = {}

    # Faults

    async def _do_harm(self) -> None:
        """Kill Redis, then a worker, then both, at thirds of what is published."""
        for part, harm in enumerate(
            (self._kill_redis, self._kill_worker, self._kill_both), 1
        ):
            while self.published + len(self.unknown) < self._count * part / 4:
                await asyncio.sleep(0.01)
            await harm()

    async def _kill_redis(self) -> None:
        self.kills_of_redis += 1
        self._redis.kill()
        await asyncio.sleep(self._random.uniform(0.2, 0.5))
        await asyncio.to_thread(self._redis.start)

    async def _kill_worker(self) -> None:
        self.kills_of_workers += 1
        worker = self._random.choice(self._workers)
        worker.kill()
        await worker.start()

    async def _kill_both(self) -> None:
        await asyncio.gather(self._kill_redis(), self._kill_worker())


class _BadAnswer(Exception):
    """A status that is no success."""


async def _line(reader: asyncio.StreamReader) -> bytes:
    """A line of an event stream, whose chunks are events: their sizes are left out."""
    while True:
        line = await reader.readuntil(b"\n")
        if not line.endswith(b"\r\n"):
            return line[:-1]


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise _BadAnswer(head)
    return head


async def _json_of(reader: asyncio.StreamReader) -> Any:
    head = await _read_head(reader)
    length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
    return json.loads(await reader.readexactly(int(length)))


async def run(folder: Path, count: int, clients: int, seed: int = 1) -> Result:
    """Publish so many messages to so many clients."""
    redis = RedisServer(folder)
    workers = [Worker(redis.url, count * 2) for _ in range(2)]
    started = time.monotonic()
    try:
        redis.start()
        for worker in workers:
            await worker.start()
        one = Run(redis, workers, count, seed)
        await one.run(clients)
    finally:
        for worker in workers:
            worker.kill()
        redis.kill()
    return Result(
        one.clients,
        one.published,
        one.kills_of_redis,
        one.kills_of_workers,
        time.monotonic() - started,
        one.unknown,
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.live.fault_run", description=__doc__
    )
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(
            run(Path(folder), options.messages, options.clients, options.seed)
        )
    print(result.table())
    print(
        f"\n{result.seconds:.0f} s; Redis killed {result.kills_of_redis} times, a "
        f"worker {result.kills_of_workers} times; orders of the messages: "
        f"{result.orders}; publishers without an answer: {len(result.unknown)}; "
        f"clients told that something is missing: "
        f"{sum(client.was_told for client in result.clients)}"
    )
    return 0 if result.is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
