"""The same requests to the same programs, on Tornado and on us."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.porting.answers import PROGRAMS, differences
from tests.porting.differences import DIFFERENCES

pytest.importorskip("tornado")

from tests.porting.servers import (  # these need Tornado
    OnTornado,
    OnWaitress,
    ask,
    load_program,
    serving,
)

pytestmark = pytest.mark.live

# By program and request: "input/query_plus".
REQUESTS: dict[str, bytes] = {
    f"{path.stem}/{name}": raw
    for path in sorted(PROGRAMS.glob("*.py"))
    for name, raw in load_program(path, "tornado").REQUESTS.items()
}


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest) -> Iterator[tuple[OnTornado, OnWaitress]]:
    """Both servers of a program, running while its requests are put."""
    with serving(PROGRAMS / f"{request.param}.py") as pair:
        yield pair


@pytest.mark.parametrize(
    ("servers", "name"),
    [pytest.param(name.partition("/")[0], name, id=name) for name in REQUESTS],
    indirect=["servers"],
    scope="module",
)
def test_the_answer_is_that_of_tornado(
    servers: tuple[OnTornado, OnWaitress], name: str
) -> None:
    theirs, ours = (ask(server, REQUESTS[name]) for server in servers)
    _, *expected = DIFFERENCES.get(name, ("",))
    assert sorted(differences(theirs, ours)) == sorted(expected)


def test_every_listed_difference_is_one_of_a_request() -> None:
    assert set(DIFFERENCES) <= set(REQUESTS)
