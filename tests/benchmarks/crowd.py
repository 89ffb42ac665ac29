"""``python -m tests.benchmarks.crowd``: a message to thousands, over two processes.

They wait in long polls of two workers of gunicorn, which share a Redis; a message is
published, and what counts are the seconds until the last of them has its answer. The
same number wait in one worker, whose broker is its memory. Both are asked in turns, and
the medians are compared: two processes may take 1.5 times as long.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.benchmarks.apps.waiting import MESSAGE
from tests.benchmarks.compare import format_table
from tests.benchmarks.waiting import Crowd, raise_descriptor_limit, request_for
from tests.live.client import HOST
from tests.live.servers import run_command
from tests.pubsub.redis_server import running_redis

__all__ = ["measure"]

#: Descriptors for other things than those that wait, twice each.
_OTHER_DESCRIPTORS: Final = 200

_PATIENCE: Final = 60.0

#: How many times as long two processes may take.
_DEMAND: Final = 1.5

_ROWS: Final = {"one, memory": 1, "two, Redis": 2}


@dataclass
class Site:
    """A server, and those who wait for its messages."""

    port: int
    processes: int
    crowd: Crowd
    #: Where its processes say that somebody waits.
    waiting: Path
    seconds: list[float] = field(default_factory=list)
    #: Of each process, how many have waited in it.
    shares: Counter[bytes] = field(default_factory=Counter)

    def wait_for_all(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while len(lines := self.waiting.read_bytes().split()) != len(self.crowd):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(lines)} requests have come to wait")
            time.sleep(0.01)
        self.shares = Counter(lines)

    def run_round(self) -> None:
        """A message to all: from its publishing to the last answer."""
        self.waiting.write_bytes(b"")
        self.crowd.send(request_for("/wait"))
        self.wait_for_all()
        with contextlib.closing(Publisher(self.port)) as publisher:
            began = time.perf_counter()
            publisher.publish()
            self.crowd.receive()
            self.seconds.append(time.perf_counter() - began)


class Publisher(Crowd):
    """One connection that is open before the time counts."""

    def __init__(self, port: int) -> None:
        super().__init__("published")
        self.open(port, 1)

    def publish(self) -> None:
        self.send(request_for("/publish"))

    def close(self) -> None:
        with self:
            self.receive()


@contextlib.contextmanager
def _site(processes: int, broker: str, folder: Path, number: int) -> Iterator[Site]:
    waiting = folder / str(processes)
    waiting.touch()
    command = [
        *(sys.executable, "-m", "gunicorn", "-w", str(processes), "-b", f"{HOST}:0"),
        *("-k", "wsgitornado.httpserver.GunicornWorker", "--backlog", "4096"),
        *("--worker-connections", str(2 * number + 100), "--graceful-timeout", "0"),
        "tests.benchmarks.apps.crowd:app",
    ]
    os.environ |= {"BROKER_URL": broker, "WAITING": str(waiting)}
    with (
        run_command("gunicorn-loop", command) as server,
        Crowd(f'"{MESSAGE}"') as crowd,
    ):
        crowd.open(server.port, number)
        yield Site(server.port, processes, crowd, waiting)


def measure(number: int, rounds: int) -> dict[str, Site]:
    """Both sites, each after so many rounds and one before them that is not counted."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(running_redis(folder, is_durable=False))
        sites = {
            name: stack.enter_context(
                _site(
                    processes,
                    redis.url if processes > 1 else "memory://",
                    folder,
                    number,
                )
            )
            for name, processes in _ROWS.items()
        }
        for _ in range(rounds + 1):
            for site in sites.values():
                site.run_round()
    for site in sites.values():
        del site.seconds[0]
    return sites


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.crowd", description=__doc__
    )
    parser.add_argument("--clients", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    most = (raise_descriptor_limit() - _OTHER_DESCRIPTORS) // 2
    number = min(options.clients, most)
    sites = measure(number, options.rounds)
    columns = ["median s", "least s", "most s", "most in one"]
    rows = {
        name: {
            "median s": statistics.median(site.seconds),
            "least s": min(site.seconds),
            "most s": max(site.seconds),
            "most in one": max(site.shares.values()),
        }
        for name, site in sites.items()
    }
    print(format_table(f"{number:,} wait", columns, rows))
    one, two = (rows[name]["median s"] for name in _ROWS)
    print(f"\ntwo take {two / one:.2f} times as long; demanded: {_DEMAND}")
    return 0 if two <= _DEMAND * one else 1


if __name__ == "__main__":
    sys.exit(main())
