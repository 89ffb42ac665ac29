"""Messages while Redis and the workers are killed: a short run of the fault run."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.live import fault_run

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(
        shutil.which("redis-server") is None, reason="redis-server is not installed"
    ),
]


def test_every_client_has_every_message_once(tmp_path: Path) -> None:
    result = asyncio.run(fault_run.run(tmp_path, count=300, clients=6))
    assert (result.lost, result.twice, result.orders) == (0, 0, 1)
    assert result.published > 250
    assert (result.kills_of_redis, result.kills_of_workers) == (2, 2)
    assert "lost" in result.table()
