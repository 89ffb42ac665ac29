"""``python -m tests.live.mixed_load``: clients of all kinds at once, and what is left.

A server in a process of its own is asked at a bounded rate by clients that wait, are
slow, leave, say nothing or talk nonsense (``mixed_clients``). What counts: no request
of a well-behaved client is lost; and when all have gone, the server has as many
descriptors, threads and objects as before, and about as much memory. Ends with status
1 where one of these does not hold, or where the server has logged a traceback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tests.benchmarks.compare import format_table
from tests.live.client import HOST
from tests.live.mixed_clients import (
    CHANNELS,
    CLIENTS,
    FILE_SEED,
    FILE_SIZE,
    Load,
    Tally,
    publish,
)
from tests.live.programs.mixed import content
from tests.live.servers import LiveServer, run_command

_PROGRAM = "tests.live.programs.mixed"
_PYTHON = [sys.executable, "-X", "faulthandler", "-m"]
_GUNICORN = [
    *(*_PYTHON, "gunicorn", "-b", f"{HOST}:0", "--keep-alive", "10"),
    *("-k", "wsgitornado.httpserver.GunicornWorker"),
]

SERVERS = {
    "loop": [*_PYTHON, _PROGRAM],
    "loop-uvloop": [*_PYTHON, _PROGRAM, "--loop", "uvloop"],
    "loop-h11": [*_PYTHON, _PROGRAM, "--parser", "h11"],
    "threads": [*_PYTHON, _PROGRAM, "--threads", "4"],
    "threads-uvloop": [*_PYTHON, _PROGRAM, "--threads", "4", "--loop", "uvloop"],
    "gunicorn": [*_GUNICORN, f"{_PROGRAM}:app"],
    "gunicorn-threads": [*_GUNICORN, "--threads", "4", f"{_PROGRAM}:app"],
}

#: Seconds for one client: the slowest wait for the server's longest deadline, which is
#: gunicorn's 20 for a head.
_PATIENCE = 60

#: Seconds for the server to be rid of all clients.
_SETTLING = 30

#: Seconds between two messages of a channel.
_PUBLISHING = 0.3

#: Clients at once: beyond it none is added.
_MOST = 500

#: Failures of one kind that are shown.
_SHOWN = 3


@dataclass
class Vitals:
    """What a process takes."""

    descriptors: int
    threads: int
    memory: int

    @classmethod
    def of(cls, pid: int) -> Vitals:
        proc = Path(f"/proc/{pid}")
        status = (proc / "status").read_text(encoding="utf-8")
        found = dict(re.findall(r"^(Threads|VmRSS):\s+(\d+)", status, re.MULTILINE))
        return cls(
            len(list((proc / "fd").iterdir())),
            int(found["Threads"]),
            int(found["VmRSS"]),
        )

    def __str__(self) -> str:
        return (
            f"{self.descriptors} descriptors, {self.threads} threads, "
            f"{self.memory:,} KB resident"
        )


#: What a process takes and has when nobody asks it for anything.
Rest: TypeAlias = tuple[Vitals, dict[str, Any]]


class Run:
    """The clients of one server, for a while."""

    def __init__(self, server: LiveServer, seed: int, rate: float) -> None:
        self.tallies: defaultdict[str, Tally] = defaultdict(Tally)
        self._server = server
        self._rate = rate
        self._random = random.Random(seed)
        self._load = Load(server.port, self._random)
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False
        self.pid = int(self.state()["pid"])

    def state(self) -> dict[str, Any]:
        """What the program says of its process."""
        with self._server.connect() as client:
            state: dict[str, Any] = json.loads(client.request("/state").text)
        return state

    async def put(self, seconds: float, reports: int) -> None:
        """Keep clients coming; wait until all have gone."""
        publishers = [
            asyncio.create_task(self._publish(channel)) for channel in CHANNELS
        ]
        began = reported = time.monotonic()
        kinds, weights = list(CLIENTS), list(CLIENTS.values())
        while (now := time.monotonic()) - began < seconds:
            if len(self._tasks) < _MOST:
                (client,) = self._random.choices(kinds, weights)
                name = client.__name__
                call = client(self._load, self.tallies[name])
                self._add(self._watch(name, call))
            if reports and now - reported >= seconds / reports:
                reported = now
                print(f"{now - began:6.0f} s: {self._line()}", flush=True)
            await asyncio.sleep(self._random.expovariate(self._rate))
        while self._tasks:
            await asyncio.wait(self._tasks)
        self._is_over = True
        await asyncio.wait(publishers)

    def settle(self, had: Rest | None = None) -> Rest:
        """Wait until the server is rid of all; what it takes then, and has.

        :param had: what there was before: it is waited for, too, so that the server
            has time to be rid of the connection over which it is asked.
        """
        deadline = time.monotonic() + _SETTLING
        while True:
            state = self.state()
            time.sleep(0.5)
            vitals = Vitals.of(self.pid)
            is_settled = state["Connection"] == 1 and (
                had is None
                or (
                    _objects(state) == _objects(had[1])
                    and vitals.descriptors <= had[0].descriptors
                )
            )
            if is_settled or time.monotonic() > deadline:
                return vitals, state

    def latency(self) -> str:
        """How long a hello has taken beside all the others."""
        times = sorted(self._load.times)
        if not times:
            return "none was asked for"
        return ", ".join(
            f"{name} {times[int(part * (len(times) - 1))] * 1000:.1f} ms"
            for name, part in (("half of them", 0.5), ("99 %", 0.99), ("all", 1.0))
        )

    def _add(self, call: Any) -> None:
        task = asyncio.create_task(call)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish(self, channel: str) -> None:
        while not self._is_over:
            await asyncio.sleep(_PUBLISHING * 2 * self._random.random())
            call = publish(self._load, self.tallies["publish"], channel)
            await self._watch("publish", call)

    async def _watch(self, name: str, call: Any) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await call
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            self.tallies[name].failures.append(failure)

    def _line(self) -> str:
        tallies = self.tallies.values()
        return (
            f"{len(self._tasks)} clients, {sum(one.sent for one in tallies)} sent, "
            f"{sum(one.answered for one in tallies)} answered, "
            f"{sum(len(one.failures) for one in tallies)} failures; "
            f"{Vitals.of(self.pid)}"
        )


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    os.nice(options.nice)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "big.bin").write_bytes(content(FILE_SEED, FILE_SIZE))
        os.environ["MIXED_FILES"] = folder
        findings = [
            finding for name in options.server for finding in _load(name, options)
        ]
    for finding in findings:
        print(f"FINDING: {finding}")
    return 1 if findings else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.live.mixed_load", description=__doc__
    )
    parser.add_argument("--server", nargs="+", choices=SERVERS, default=["loop"])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--warm", type=float, default=10.0, help="seconds of load before the first look"
    )
    parser.add_argument("--rate", type=float, default=40.0, help="clients a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nice", type=int, default=10)
    return parser


def _load(name: str, options: argparse.Namespace) -> list[str]:
    """Put the load on one server; say what is not as it should be."""
    print(f"{name}: {options.seconds:g} s, {options.rate:g} clients a second")
    with run_command(name, SERVERS[name]) as server:
        warm = Run(server, options.seed, options.rate)
        asyncio.run(warm.put(options.warm, 0))
        before, had = warm.settle()
        print(f"before: {before}; {_objects(had)}", flush=True)
        run = Run(server, options.seed + 1, options.rate)
        asyncio.run(run.put(options.seconds, 10))
        after, has = run.settle((before, had))
        print(f"after:  {after}; {_objects(has)}\n")
    print(_table(run.tallies))
    print(f"\na hello: {run.latency()}\nlog: {_log_lines(server)}\n", flush=True)
    findings = [
        f"{name}, {kind}, {count} times: {failure}"
        for kind, tally in [*warm.tallies.items(), *run.tallies.items()]
        for failure, count in Counter(tally.failures).most_common(_SHOWN)
    ]
    if after.descriptors > before.descriptors or after.threads > before.threads:
        findings.append(f"{name}: {before} became {after}")
    if _objects(has) != _objects(had) or has["smuggled"]:
        findings.append(f"{name}: {had} became {has}")
    findings += [f"{name}, in its log: {text}" for text in _tracebacks(server)]
    return findings


def _objects(state: dict[str, Any]) -> str:
    return ", ".join(
        f"{state[kind]} {kind}"
        for kind in ("Connection", "Exchange", "RequestHandler", "Task")
    )


def _table(tallies: dict[str, Tally]) -> str:
    columns = ["sent", "answered", "lost", "left", "refused"]
    rows = {
        name: {column: float(getattr(tally, column)) for column in columns}
        for name, tally in sorted(tallies.items())
    }
    rows["all"] = {
        column: sum(row[column] for row in rows.values()) for column in columns
    }
    return format_table("requests and clients", columns, rows)


def _log_lines(server: LiveServer) -> str:
    """How many lines there are of each kind."""
    kinds = Counter(re.sub(r"[\d.:]+|\(.*|'.*", "", line)[:60] for line in server.lines)
    return "; ".join(f"{count} {kind.strip()}" for kind, count in kinds.most_common(8))


def _tracebacks(server: LiveServer) -> list[str]:
    """The first few, each with the lines that belong to it."""
    starts = [number for number, line in enumerate(server.lines) if "Traceback" in line]
    return ["".join(server.lines[start - 1 : start + 40]) for start in starts[:_SHOWN]]


if __name__ == "__main__":
    sys.exit(main())
