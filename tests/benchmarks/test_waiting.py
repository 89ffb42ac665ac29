"""The measurement of waiting and idle clients, in small: that it still runs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]


def test_twenty_wait_and_as_many_are_idle() -> None:
    # In a process of its own, for it raises the limit of its descriptors.
    command = [
        *(sys.executable, "-m", "tests.benchmarks.waiting", "--seconds", "0.01"),
        *("--turns", "1", "--waiting", "20", "--idle", "21"),
        *("--only", "ours, 4 threads, asyncio"),
    ]
    shown = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60, check=True
    ).stdout
    waiting, idle = shown.strip().split("\n\n")
    assert re.match(r"20 wait +KB each .* to last s +threads\n", waiting)
    assert re.match(r"21 are idle +KB each .* times +threads\n", idle)
    for table in (waiting, idle):
        (row,) = table.splitlines()[1:]
        assert row.startswith("ours, 4 threads, asyncio")
        # One thread for the loop, and those that were asked for.
        assert row.endswith(" 5.00")
