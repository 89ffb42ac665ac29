"""Exceptions of any size are shown in little room."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial

import pytest

from tests.web.caught import NO_MASK, caught, show
from wsgitornado.web.tracebacks import format_traceback


def descend(depth: int) -> None:
    if depth:
        turn(depth)
    else:
        raise ValueError("deep")


def turn(depth: int) -> None:
    descend(depth - 1)


@pytest.fixture
def _deep_stack() -> Iterator[None]:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200_000)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("_deep_stack")
@pytest.mark.parametrize("number", [30, 32, 100_000])
def test_thirty_frames_are_shown(number: int) -> None:
    error = caught(lambda: descend((number - 2) // 2))
    # Two frames of the test, one of descend(0), two of each step.
    total = 2 + 1 + (number - 2) // 2 * 2
    (shown,) = show(error)
    assert len(shown.frames) == 30
    assert shown.skipped == (total - 30, 10)
    names = [frame.function for frame in shown.frames]
    assert names[2:4] == names[-3:-1] == ["descend", "turn"]


def test_hundred_frames_show_their_source() -> None:
    error = caught(lambda: descend(20))
    for _ in range(5):
        error = caught(partial(descend_from, 20, error))
    shown = show(error)
    with_source = [[bool(f.source) for f in one.frames] for one in shown]
    assert sum(map(sum, with_source)) == 100
    # The newest exceptions, and the last frames, come first.
    assert all(map(all, with_source[-3:]))
    assert with_source[-4] == [False] * 20 + [True] * 10


def descend_with(message: str) -> None:
    raise ValueError(message)


def descend_from(depth: int, cause: BaseException) -> None:
    try:
        descend(depth)
    except ValueError as error:
        raise error from cause


@pytest.mark.usefixtures("_deep_stack")
def test_plain_text_of_a_deep_recursion_is_bounded() -> None:
    error = caught(lambda: descend(50_000))
    text = format_traceback(error, error.__traceback__, NO_MASK)
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("ValueError: deep\n")
    assert len(text) < 61_000


@pytest.mark.parametrize("length", [1_000, 50_000_000])
def test_plain_text_keeps_both_ends_of_a_long_message(length: int) -> None:
    error = caught(lambda: descend_with("<" + "x" * length + ">"))
    text = format_traceback(error, error.__traceback__, NO_MASK)
    assert text.startswith("Traceback (most recent call last):\n")
    assert "ValueError: <xxx" in text
    assert text.endswith("xxx>\n")
    assert len(text) < 61_000
