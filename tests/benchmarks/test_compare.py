"""Turns, ratios and tables, with clients that only count."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.cases import Answer
from tests.benchmarks.compare import (
    format_table,
    in_turns,
    median_microseconds,
    median_ratios,
)


@dataclass
class Counting:
    name: str
    calls: list[tuple[str, int]]
    seconds_per_request: float = 0.001

    def ask(self) -> Answer:
        raise NotImplementedError("timing does not look at answers")

    def time(self, number: int) -> float:
        self.calls.append((self.name, number))
        return self.seconds_per_request * number


def test_each_round_begins_with_another_client() -> None:
    calls: list[tuple[str, int]] = []
    clients = {name: Counting(name, calls) for name in "abc"}
    in_turns(clients, rounds=4, number=5)
    assert "".join(name for name, _ in calls) == "abcbcacababc"
    assert {number for _, number in calls} == {5}


def test_times_are_per_request_whatever_the_batch() -> None:
    fast = Counting("fast", [], 0.0001)
    slow = Counting("slow", [], 0.1)
    times = in_turns({"fast": fast, "slow": slow}, rounds=3)
    assert [f"{seconds:.4f}" for seconds in times["fast"]] == ["0.0001"] * 3
    assert [f"{seconds:.4f}" for seconds in times["slow"]] == ["0.1000"] * 3
    assert fast.calls[-1][1] > slow.calls[-1][1] == 1


def test_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    times = {"ours": [1.0, 8.0, 3.0], "theirs": [1.0, 2.0, 6.0]}
    assert median_ratios(times) == {"theirs": 1.0}
    assert median_microseconds(times) == {"ours": 3e6, "theirs": 2e6}


def test_there_are_no_ratios_without_a_base() -> None:
    assert median_ratios({"theirs": [1.0]}) == {}


def test_table_shows_a_dash_where_nothing_was_measured() -> None:
    rows = {"hello": {"a": 1.234, "b": 12.34}, "form": {"a": 1234.5}}
    assert format_table("us", ["a", "b"], rows) == (
        "us           a        b\nhello     1.23     12.3\nform     1,234        -"
    )
