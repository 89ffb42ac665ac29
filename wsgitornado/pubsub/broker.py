"""Broker: the way to everybody who waits."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Final, Protocol

from wsgitornado.pubsub import messages
from wsgitornado.pubsub.channel import Waiting, wake
from wsgitornado.pubsub.memory import MemoryBackend
from wsgitornado.pubsub.publication import Publication
from wsgitornado.pubsub.subscription import Backend, Subscription

__all__ = ["Broker"]

_REDIS: Final = ("redis://", "rediss://", "unix://")


class _Backend(Backend, Protocol):
    def publish(self, name: str, text: str) -> Publication: ...

    def waiting(self) -> list[Waiting]: ...

    def close(self) -> Publication: ...


class Broker:
    """Brings messages to all who wait for them: in this process, or in all processes.

    One for a program, made where its application is made::

        broker = Broker("redis://127.0.0.1:6379/0")

    :param url: ``memory://`` serves one process. ``redis://HOST:PORT/DATABASE``,
        ``rediss://`` with TLS and ``unix://PATH`` serve all processes, on all machines,
        that use the same database; they need the extra ``redis``.
    :param history: how many messages of each channel are kept for those who come back.
    :param expire: seconds after which a quiet channel is forgotten. Whoever comes back
        later than that is told that messages may be missing.
    :param prefix: what the names of all keys in Redis begin with.
    :param patience: seconds for which publishing, and the first subscription of a
        process to a channel, wait for a Redis that is away.
    :raises ValueError: for another kind of address, or a number that is not positive.
    :raises ModuleNotFoundError: without the extra that the address needs.
    """

    __module__ = "wsgitornado.pubsub"

    def __init__(
        self,
        url: str = "memory://",
        *,
        history: int = 1000,
        expire: float = 3600.0,
        prefix: str = "wsgitornado",
        patience: float = 30.0,
    ) -> None:
        for name, number in (
            ("history", history),
            ("expire", expire),
            ("patience", patience),
        ):
            if not number > 0:
                raise ValueError(f"{name} must be positive: got {number!r}")
        self._backend: _Backend
        if url == "memory://":
            self._backend = MemoryBackend(history, expire)
        elif url.startswith(_REDIS):
            backend = _load_redis()
            self._backend = backend.RedisBackend(url, history, expire, prefix, patience)
        else:
            raise ValueError(
                f"a broker's address is memory:// or begins with one of {_REDIS}: "
                f"got {url!r}"
            )

    def publish(self, channel: str, message: object) -> Publication:
        """Send a message to all who have subscribed to a channel, and keep it a while.

        From any thread, and from programs without a loop. It does not block: what it
        returns can be awaited, or asked for its ``result()``, to know the message's
        cursor and that it has arrived. Messages of one thread to one channel arrive in
        the order of their calls.

        :param message: what JSON can hold; a tuple arrives as a list, and the keys of a
            dict as texts.
        :raises TypeError: for what JSON cannot hold, and a channel that is no text.
        :raises ValueError: if the channel's name is empty or too long.
        :raises BrokerUnavailable: through the future: if Redis is away for longer than
            *patience*, or refuses.
        """
        return self._backend.publish(
            messages.channel_name(channel), messages.encode(message)
        )

    def subscribe(
        self,
        channel: str,
        *channels: str,
        after: str | None = None,
        max_behind: int | None = None,
    ) -> Subscription:
        """Read the messages of a channel, or of several in the order of publishing.

        ``async with`` opens the subscription. What is published from then on, or after
        the place that is given, reaches it exactly once. ::

            async with broker.subscribe("room") as messages:
                message = await messages.get(timeout=30)

        :param after: the cursor of a message, or that of a subscription, as a client
            brings it back: any text will do. If messages are missing since then, or it
            is unknown here, the first thing is a :exc:`MessagesMissed`, and then all
            that is kept. None begins with what comes from now on.
        :param max_behind: how many messages may wait to be taken; None means as many as
            are kept. If there are more, the oldest of them are left out, and the next
            thing is a :exc:`MessagesMissed`.
        :raises TypeError: if a channel or *after* is no text.
        :raises ValueError: for a channel's name that is empty or too long, or a
            *max_behind* that is not positive.
        :raises BrokerUnavailable: in ``async with``, if Redis is away for longer than
            *patience*. A channel that somebody in this process reads is there at once.
        """
        names = [messages.channel_name(name) for name in (channel, *channels)]
        if after is not None and not isinstance(after, str):
            raise TypeError(f"a cursor is text, or None: got {after!r}")
        if max_behind is not None and max_behind < 1:
            raise ValueError(f"max_behind must be positive: got {max_behind!r}")
        names = list(dict.fromkeys(names))
        return Subscription(self._backend, names, after, max_behind or sys.maxsize)

    def release(self) -> None:
        """Let every ``get()`` that waits in this process return None now.

        For the end of a server, so that long polls are answered::

            app.add_drain_callback(broker.release)

        Iterations go on. From any thread.
        """
        wake([_Release(one) for one in self._backend.waiting()])

    def close(self) -> Publication:
        """Give up the connections; seldom needed. From any thread.

        What is returned can be awaited, or asked for its ``result()``. Those who still
        read get :exc:`SubscriptionClosed`. The broker itself can be used again.
        """
        return self._backend.close()


class _Release:
    """Somebody who waits, to be told to give up where others are woken."""

    __slots__ = ("_one", "loop")

    def __init__(self, one: Waiting) -> None:
        self._one = one
        self.loop = one.loop

    def _wake(self) -> None:
        self._one._give_up()

    _give_up = _wake


def _load_redis() -> Any:
    """The part that needs the package ``redis``."""
    try:
        return importlib.import_module("wsgitornado.pubsub.redis_backend")
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise ModuleNotFoundError(
            "redis is not installed: pip install 'wsgitornado[redis]'", name="redis"
        ) from error
