"""Brokers of both kinds, and the Redis that one of them needs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.loops import BOUND
from tests.pubsub.redis_server import RedisServer, running_redis
from wsgitornado.pubsub import Broker

#: Gives a broker with these options. Those of one test reach each other.
MakeBroker = Callable[..., Broker]

_tests = itertools.count()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One for all tests that do not break it."""
    with running_redis(tmp_path_factory.mktemp("redis"), is_durable=False) as server:
        yield server


@pytest.fixture
def make_redis_broker(redis_server: RedisServer) -> Iterator[MakeBroker]:
    yield from _making(redis_server.url, prefix=f"test{next(_tests)}")


@pytest.fixture(params=["memory", "redis"])
def make_broker(request: pytest.FixtureRequest) -> Iterator[MakeBroker]:
    """Each broker of memory is a process of its own; one is made in each test."""
    if request.param == "memory":
        yield from _making("memory://")
    else:
        yield request.getfixturevalue("make_redis_broker")


@pytest.fixture
def broker(make_broker: MakeBroker) -> Broker:
    return make_broker()


def _making(url: str, **options: Any) -> Iterator[MakeBroker]:
    brokers: list[Broker] = []

    def make(**more: Any) -> Broker:
        brokers.append(Broker(**{"url": url, **options, **more}))
        return brokers[-1]

    yield make
    for broker in brokers:
        broker.close().result(BOUND)
