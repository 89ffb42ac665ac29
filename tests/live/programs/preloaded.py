"""A program whose loop runs before the server forks: the handlers of ``waiting``."""

from __future__ import annotations

import asyncio
import os
import sys

from tests.live.programs.waiting import app
from wsgitornado import parking
from wsgitornado.ioloop import PeriodicCallback

__all__ = ["app"]


def tick() -> None:
    sys.stderr.write(f"tick in {os.getpid()}\n")


PeriodicCallback(tick, 50).start()
parking.wait(asyncio.sleep(0))
