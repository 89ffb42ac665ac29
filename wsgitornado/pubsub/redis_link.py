"""One connection to Redis that comes back when it breaks."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any, Final

from redis.asyncio.connection import Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ConnectionError,  # noqa: A004  # redis's own
    MasterDownError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004  # redis's own
)

from wsgitornado.pubsub.redis_scripts import HELLO

__all__ = ["AWAY", "Link", "RedisError", "connections"]

#: What passes by itself, or once somebody has seen to Redis.
AWAY: Final = (
    OSError,
    EOFError,
    ConnectionError,
    TimeoutError,
    AuthenticationError,
    BusyLoadingError,
    MasterDownError,
    ReadOnlyError,
)

#: Seconds for connecting, and for an answer: a machine that has gone says nothing.
_CONNECTING: Final = 5.0
_ANSWERING: Final = 10.0


def connections(url: str) -> ConnectionPool:
    """What makes the connections to an address; its query may say more of them.

    :raises ValueError: for a bad address.
    """
    return ConnectionPool.from_url(
        url,
        # The form of what is read depends on it.
        protocol=2,
        decode_responses=False,
        health_check_interval=0,
        # Whoever calls repeats what has to be repeated.
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        socket_timeout=None,
        socket_connect_timeout=_CONNECTING,
    )


class Link:
    """A connection, opened with the first command and after each that has failed.

    For one task. What is sent when the connection breaks may have arrived or not.
    """

    def __init__(self, pool: ConnectionPool, state_key: str) -> None:
        self._pool = pool
        self._state_key = state_key
        self._connection: Connection | None = None
        self._run = b""

    @property
    def is_open(self) -> bool:
        return self._connection is not None

    async def connect(self) -> tuple[str, int]:
        """Open the connection; the epoch, and the number of the newest message."""
        connection: Connection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # theirs
        try:
            async with asyncio.timeout(_CONNECTING):
                await connection.connect()  # type: ignore[no-untyped-call]  # theirs
            self._connection = connection
            info = await self._call("INFO", "server")
            self._run = info.partition(b"run_id:")[2].partition(b"\r")[0]
            return await self.hello()
        except BaseException:
            self._connection = None
            await connection.disconnect(nowait=True)
            raise

    async def hello(self) -> tuple[str, int]:
        """The epoch, and the number of the newest message."""
        epoch, serial = await self.eval(HELLO, [], [])
        return epoch.decode(), int(serial)

    async def eval(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        """Run one of our scripts, whose first key is the state."""
        await self._ensure()
        return await self._eval(script, keys, arguments)

    async def call(self, *command: Any, patience: float = 0.0) -> Any:
        """Send a command.

        :param patience: seconds for which Redis itself may wait with the answer.
        """
        await self._ensure()
        return await self._call(*command, patience=patience)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    async def _ensure(self) -> None:
        if self._connection is None:
            await self.connect()

    async def _eval(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        # Should there be no state, this becomes its epoch.
        epoch = secrets.token_hex(4)
        return await self._call(
            *("EVAL", script, len(keys) + 1, self._state_key, *keys),
            *(epoch, self._run, *arguments),
        )

    async def _call(self, *command: Any, patience: float = 0.0) -> Any:
        connection = self._connection
        assert connection is not None
        try:
            async with asyncio.timeout(_ANSWERING + patience):
                await connection.send_command(*command)
                return await connection.read_response()
        except ResponseError as error:
            if isinstance(error, AWAY):
                await self.close()
            raise
        except BaseException:
            # Whatever comes next over it would be the answer to this.
            await self.close()
            raise
