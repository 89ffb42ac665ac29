"""Messages to everybody who waits, in this process or in all: the public names."""

from __future__ import annotations

from wsgitornado.pubsub.broker import Broker
from wsgitornado.pubsub.errors import (
    BrokerUnavailable,
    MessagesMissed,
    PubSubError,
    SubscriptionClosed,
)
from wsgitornado.pubsub.messages import Message
from wsgitornado.pubsub.publication import Publication
from wsgitornado.pubsub.subscription import Subscription

__all__ = [
    "Broker",
    "BrokerUnavailable",
    "Message",
    "MessagesMissed",
    "PubSubError",
    "Publication",
    "Subscription",
    "SubscriptionClosed",
]
