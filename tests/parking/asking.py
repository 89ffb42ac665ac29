"""Asking handlers on a server that parks, and on one whose threads wait."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from tests.parking.server import Exchange, ParkingServer
from tests.parking.stacks import Record, Recorded, tasks_left
from wsgitornado import parked
from wsgitornado._types import WSGIApplication
from wsgitornado.web import Application

__all__ = ["BOTH", "Asked", "ask", "serving"]

#: Runs a test on both kinds of servers.
BOTH = pytest.mark.parametrize("parks", [True, False], ids=["parking", "blocking"])


@contextlib.contextmanager
def serving(
    application: WSGIApplication, parks: bool, threads: int = 2
) -> Iterator[ParkingServer]:
    """A server; at the end nothing may be left on the loop, and no thread waits."""
    server = ParkingServer(application, threads, parks)
    with mock.patch.object(parked, "PROBE_INTERVAL", 0.01):
        try:
            yield server
        finally:
            server.close()
    assert tasks_left() == set()


class Asked:
    """An answer that has come to its end."""

    def __init__(self, exchange: Exchange, body: bytes, record: Record) -> None:
        self.status = int(exchange.status[:3])
        self.headers = dict(exchange.headers)
        self.body = body
        self.exchange = exchange
        self.record = record


def ask(
    verb: Callable[[Any], object],
    parks: bool,
    *,
    base: type[Recorded] = Recorded,
    method: str = "GET",
    settings: dict[str, Any] | None = None,
    **request: Any,
) -> Asked:
    """What a client gets from a handler whose verbs are one function.

    :raises BrokenAnswer: if the answer breaks off.
    """
    record = Record()
    with serving(application_of(verb, base, record, **settings or {}), parks) as server:
        exchange = server.request(method=method, **request)
        try:
            body = exchange.read_all()
        finally:
            server.close()
    assert len(record.finished) == 1
    assert record.logged == record.finished
    return Asked(exchange, body, record)


def application_of(
    verb: Callable[[Any], object],
    base: type[Recorded],
    record: Record,
    **settings: Any,
) -> Application:
    names = ("get", "head", "post")
    handler = type("Handler", (base,), dict.fromkeys(names, verb))
    rules: list[Any] = [(r"/.*", handler, {"record": record})]
    return Application(rules, log_function=record.log, **settings)
