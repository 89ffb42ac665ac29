"""The measurement of WebSockets runs, and gives numbers that can be."""

from __future__ import annotations

import pytest

from tests.benchmarks.websockets import measure

pytestmark = pytest.mark.live


def test_server_is_measured() -> None:
    size, rate = measure("wsgitornado", idle=200, messages=2000)
    assert size > 0
    assert rate > 0
