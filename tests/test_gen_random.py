"""Programs at random have the results on ours that they have on Tornado."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.gen_programs import Package, run


@dataclass(frozen=True)
class Body:
    """What a coroutine yields, one after the other, and whether it catches failures."""

    steps: tuple[Any, ...]
    catches: bool


Leaf = st.sampled_from(["done", "later", "failed", "fails later", "none", "bad"])
Step = st.recursive(
    Leaf,
    lambda step: st.one_of(
        st.lists(step, max_size=3),
        st.dictionaries(st.sampled_from("abc"), step, max_size=2),
        st.builds(Body, st.lists(step, max_size=3).map(tuple), st.booleans()),
    ),
    max_leaves=8,
)


def yieldable(p: Package, step: Any, numbers: Iterator[int]) -> Any:
    match step:
        case list():
            return [yieldable(p, each, numbers) for each in step]
        case dict():
            return {key: yieldable(p, each, numbers) for key, each in step.items()}
        case Body():
            return p.gen.coroutine(body)(p, step, numbers)
        case "failed":
            return p.failed(ValueError(next(numbers)))
        case "fails later":
            return p.gen.coroutine(body)(p, Body(("later", "failed"), False), numbers)
        case "none":
            return None
        case "bad":
            return 5
        case _:
            return getattr(p, step)(next(numbers))


def body(p: Package, what: Body, numbers: Iterator[int]) -> Any:
    results: list[object] = []
    for step in what.steps:
        try:
            results.append((yield yieldable(p, step, numbers)))
        except Exception as error:
            if not what.catches:
                raise
            results.append(repr(error))
    return results


@given(
    st.builds(Body, st.lists(Step, min_size=1, max_size=4).map(tuple), st.booleans())
)
def test_any_program_has_the_result_it_has_on_tornado(what: Body) -> None:
    def compared(p: Package) -> Any:
        return body(p, what, iter(range(10_000)))

    ours, tornados = run("wsgitornado", compared), run("tornado", compared)
    assert ours[0] == tornados[0]
    # Who logs first is not promised.
    assert sorted(map(repr, ours[1])) == sorted(map(repr, tornados[1]))
