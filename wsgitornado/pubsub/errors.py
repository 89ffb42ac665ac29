"""What goes wrong between those who publish and those who wait."""

from __future__ import annotations

__all__ = ["BrokerUnavailable", "MessagesMissed", "PubSubError", "SubscriptionClosed"]


class PubSubError(Exception):
    """The base of the errors of this module."""

    __module__ = "wsgitornado.pubsub"


class MessagesMissed(PubSubError):
    """Raised to a subscriber, once, where messages are missing between two others.

    The subscription stays usable: the next message is the oldest that can still be
    had. Whoever keeps a state of its own reads that anew, as a client does that comes
    for the first time.

    :param channel: where they are missing.
    :param cursor: the place just before the oldest message that can be had.
    """

    __module__ = "wsgitornado.pubsub"

    def __init__(self, channel: str, cursor: str) -> None:
        super().__init__(channel, cursor)
        self.channel = channel
        self.cursor = cursor

    def __str__(self) -> str:
        return f"messages of the channel {self.channel!r} are not kept any more"


class SubscriptionClosed(PubSubError):
    """Raised by ``get()`` when the subscription was closed, before or meanwhile."""

    __module__ = "wsgitornado.pubsub"


class BrokerUnavailable(PubSubError):
    """Raised when Redis could not be reached for too long, or when it refused.

    :param may_be_published: whether the message may have arrived although nobody has
        said so. False: it certainly has not.
    """

    __module__ = "wsgitornado.pubsub"

    def __init__(self, message: str, *, may_be_published: bool = False) -> None:
        super().__init__(message)
        self.may_be_published = may_be_published
