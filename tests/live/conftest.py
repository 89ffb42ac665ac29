"""One fixture that runs a test on every server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.servers import SERVERS, LiveServer, Start, running_servers


@pytest.fixture(scope="session")
def start_server() -> Iterator[Start]:
    with running_servers() as start:
        yield start


@pytest.fixture(params=list(SERVERS))
def server(request: pytest.FixtureRequest, start_server: Start) -> LiveServer:
    """The module's ``PROGRAM``, on each server or on those that a test names."""
    return start_server(request.param, request.module.PROGRAM)
