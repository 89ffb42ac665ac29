"""``python -m tests.benchmarks.rendering``: the page with twenty rows alone.

What the case "template" measures with a request around it, here without: a template
that is compiled already gives the bytes of the page. The table is as that of the cases.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.apps.templates import RENDERERS
from tests.benchmarks.cases import CASES, ROWS, TITLE, Answer
from tests.benchmarks.compare import (
    WrongAnswerError,
    format_table,
    in_turns,
    median_microseconds,
    median_ratios,
)

__all__ = ["Rendering", "ready_renderings"]

_ROUNDS = 25


class Rendering:
    """A template language, as something that can be timed."""

    def __init__(self, render: Callable[..., bytes]) -> None:
        self._render = render
        self._names: dict[str, Any] = {"title": TITLE, "rows": ROWS}

    def ask(self) -> Answer:
        return Answer(200, {}, self._render(**self._names))

    def time(self, number: int) -> float:
        render, names = self._render, self._names
        start = time.process_time()
        for _ in range(number):
            render(**names)
        return time.process_time() - start


def ready_renderings() -> dict[str, Rendering]:
    """Those of the languages that are installed, after a look at what they give."""
    ready = {}
    for name, (package, make) in RENDERERS.items():
        if importlib.util.find_spec(package) is None:
            continue
        rendering = ready[name] = Rendering(make())
        answer = rendering.ask()
        if not CASES["template"].is_right(answer):
            raise WrongAnswerError(f"{name}: {answer!r:.1000}")
    return ready


def main() -> None:
    """Measure all of them in turns and print two tables."""
    renderings = ready_renderings()
    times = in_turns(renderings, _ROUNDS)
    title = CASES["template"].title
    others = [name for name in renderings if name != "ours"]
    microseconds = {title: median_microseconds(times)}
    print(format_table("microseconds per page", list(renderings), microseconds))
    print()
    print(format_table("ours divided by", others, {title: median_ratios(times)}))


if __name__ == "__main__":
    main()
