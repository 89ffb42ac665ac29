"""Timing in turns, and the tables that come of it."""

from __future__ import annotations

import contextlib
import gc
import logging
import statistics
from collections.abc import Iterator, Mapping, Sequence

from tests.benchmarks.cases import Case
from tests.benchmarks.clients import Client
from tests.benchmarks.frameworks import FRAMEWORKS

__all__ = [
    "WrongAnswerError",
    "format_table",
    "in_turns",
    "median_microseconds",
    "median_ratios",
    "quiet_logs",
    "ready_clients",
]

#: Processor time that one batch should take: long beside the clock's grain and short
#: beside the changes of a shared machine.
_BATCH_SECONDS = 0.02


class WrongAnswerError(Exception):
    """A program answered something else than the case asks for."""


@contextlib.contextmanager
def quiet_logs() -> Iterator[None]:
    """No access log and no "404" warning of anybody; errors still show."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def ready_clients(case: Case, names: Sequence[str]) -> dict[str, Client]:
    """Clients whose program gave the right answer, twice; others are left out.

    :raises WrongAnswerError: if a program answers wrongly: nobody is measured on an
        error page.
    """
    clients = {}
    for name in names:
        client = FRAMEWORKS[name].client(case)
        if client is None:
            continue
        for answer in (client.ask(), client.ask()):
            if not case.is_right(answer):
                raise WrongAnswerError(f"{name}, {case.name}: {answer!r:.1000}")
        clients[name] = client
    return clients


def in_turns(
    clients: Mapping[str, Client], rounds: int, number: int = 0
) -> dict[str, list[float]]:
    """Seconds per request of each client in each round.

    In every round each client runs one batch; the round begins with another client
    each time. A batch has ``number`` requests, or as many as fill a fixed time.

    The garbage collector stays on, so that everyone pays for the cycles it makes, but
    nobody for the modules or leftovers of others: what is alive now is frozen, and
    each batch starts collected.
    """
    names = list(clients)
    numbers = {name: number or _batch_size(clients[name]) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    gc.collect()
    had_frozen = gc.get_freeze_count()
    gc.freeze()
    try:
        for turn in range(rounds):
            first = turn % max(len(names), 1)
            for name in names[first:] + names[:first]:
                gc.collect()
                seconds = clients[name].time(numbers[name])
                times[name].append(seconds / numbers[name])
    finally:
        if not had_frozen:
            gc.unfreeze()
    return times


def _batch_size(client: Client) -> int:
    number = 1
    while (seconds := client.time(number)) < _BATCH_SECONDS / 4:
        number *= 2
    return max(1, round(number * _BATCH_SECONDS / seconds))


def median_microseconds(times: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Per framework, the median of its rounds."""
    return {name: statistics.median(own) * 1e6 for name, own in times.items()}


def median_ratios(
    times: Mapping[str, Sequence[float]], base: str = "ours"
) -> dict[str, float]:
    """Per other framework, the median of (base / it), each within one round."""
    if base not in times:
        return {}
    return {
        name: statistics.median(
            mine / other for mine, other in zip(times[base], own, strict=True)
        )
        for name, own in times.items()
        if name != base
    }


def format_table(
    heading: str, columns: Sequence[str], rows: Mapping[str, Mapping[str, float]]
) -> str:
    """Lines of right-aligned figures; '-' where a framework has no program."""
    width = max(len(title) for title in [heading, *rows])
    lines = [" ".join([heading.ljust(width), *(f"{name:>8}" for name in columns)])]
    for title, figures in rows.items():
        cells = [
            f"{_figure(figures[name]) if name in figures else '-':>8}"
            for name in columns
        ]
        lines.append(" ".join([title.ljust(width), *cells]))
    return "\n".join(lines)


def _figure(value: float) -> str:
    if value < 10:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"
