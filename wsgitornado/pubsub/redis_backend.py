"""The backend ``redis://``: subscribers are in all processes that use one Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

from wsgitornado import parking
from wsgitornado._serving import current, serving_loop
from wsgitornado._waiting import Guard
from wsgitornado.pubsub.channel import Waiting
from wsgitornado.pubsub.publication import Publication
from wsgitornado.pubsub.redis_engine import Engine, Options
from wsgitornado.pubsub.redis_link import connections

__all__ = ["RedisBackend"]

# What a forked child has of its parent's. Its connections are the parent's, too: were
# they collected as garbage, they would be taken off the parent's event loop.
_of_parents: Final[list[Engine]] = []


class RedisBackend:
    """Passes everything on to the engine of this process, on the serving loop."""

    def __init__(
        self, url: str, history: int, expire: float, prefix: str, patience: float
    ) -> None:
        connections(url)
        self._options = Options(url, history, expire, prefix, patience)
        self._guard = Guard()
        self._engine: Engine | None = None

    def publish(self, name: str, text: str) -> Publication:
        return self._current().publish(name, text)

    def open(self, names: Sequence[str]) -> Engine | Awaitable[Engine]:
        engine = self._current()
        return engine if engine.has(names) else engine.follow(names)

    def waiting(self) -> list[Waiting]:
        engine = self._engine
        return engine.waiting() if engine is not None and engine.is_ours else []

    def close(self) -> Publication:
        with self._guard.hold():
            engine, self._engine = self._engine, None
        if engine is not None and engine.is_usable:
            return engine.close()
        publication = Publication()
        publication.set_result("")
        return publication

    def _current(self) -> Engine:
        engine = self._engine
        if engine is not None and engine.is_usable and engine.loop.is_running():
            return engine
        with self._guard.hold():
            return self._renew()

    def _renew(self) -> Engine:
        if asyncio._get_running_loop() is not None:
            # So that the loop of asyncio.run() becomes the serving one if none is.
            current()
        ioloop = serving_loop()
        loop = parking.background_loop()
        engine = self._engine
        if engine is not None and engine.is_usable and engine.loop is loop:
            return engine
        if engine is not None and not engine.is_ours:
            _of_parents.append(engine)
        elif engine is not None:
            engine.end()
        self._engine = Engine(self._options, ioloop, loop)
        return self._engine
