"""Every template language gives the page that is timed."""

from __future__ import annotations

from tests.benchmarks.cases import CASES
from tests.benchmarks.rendering import ready_renderings


def test_languages_give_the_same_rows() -> None:
    renderings = ready_renderings()
    assert "ours" in renderings
    pages = {name: rendering.ask().body for name, rendering in renderings.items()}
    # They differ in the line breaks that their tags leave.
    assert len({b"".join(page.split()) for page in pages.values()}) == 1
    assert CASES["template"].is_right(renderings["ours"].ask())
