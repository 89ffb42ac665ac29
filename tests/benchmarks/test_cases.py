"""Every program that is timed answers rightly, so that nobody is timed on an error."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from wsgiref.validate import validator

import pytest

from tests.benchmarks.cases import CASES, Answer, Case
from tests.benchmarks.clients import WSGIClient
from tests.benchmarks.compare import WrongAnswerError, quiet_logs, ready_clients
from tests.benchmarks.frameworks import FRAMEWORKS, installed


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with quiet_logs():
        yield


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.mark.parametrize("name", installed())
def test_program_answers_rightly(case: Case, name: str) -> None:
    ready_clients(case, [name])


@pytest.mark.parametrize("name", ["bare", "ours"])
def test_program_passes_the_validator(case: Case, name: str) -> None:
    application = FRAMEWORKS[name].application(case)
    if application is None:
        return
    answer = WSGIClient(validator(application), case.request).ask()
    # Without its cookie, that case counts from the beginning.
    assert answer.body == b"1" if case.brings_cookie else case.is_right(answer)


def test_wrong_answer_is_not_measured() -> None:
    demanding = dataclasses.replace(CASES["hello"], is_right=_is_teapot)
    with pytest.raises(WrongAnswerError, match=r"bare, hello: Answer\(status=200"):
        ready_clients(demanding, ["bare"])


def _is_teapot(answer: Answer) -> bool:
    return answer.status == 418
