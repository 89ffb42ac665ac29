"""The limits of the loop server."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from wsgitornado.httpserver.limits import Limits

NAMES = [field.name for field in dataclasses.fields(Limits)]
LEAST: dict[str, Any] = {
    field.name: field.metadata["least"] for field in dataclasses.fields(Limits)
}
COUNTS = [field.name for field in dataclasses.fields(Limits) if "int" in field.type]
OPTIONAL = {"body_timeout", "max_connections", "max_parked_per_address"}


def test_the_defaults_are_those_of_the_design() -> None:
    limits = Limits()
    assert limits.max_header_size == 64 * 1024
    assert limits.max_header_fields == 100
    assert limits.max_request_line == 8 * 1024
    assert limits.max_header_line == 16 * 1024
    assert limits.max_chunk_line == 256
    assert limits.max_trailer_size == 8 * 1024
    assert limits.max_body_size == 100 * 1024 * 1024
    assert limits.head_timeout == 20
    assert limits.idle_connection_timeout == 75
    assert limits.max_parked == 10_000


def test_limits_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().max_parked = 3  # type: ignore[misc]  # what is tested


def test_a_copy_may_have_other_numbers() -> None:
    copy = dataclasses.replace(Limits(max_parked=5), max_body_size=7)
    assert (copy.max_parked, copy.max_body_size) == (5, 7)


@pytest.mark.parametrize("name", NAMES)
def test_the_least_value_is_taken(name: str) -> None:
    assert getattr(Limits(**{name: LEAST[name]}), name) == LEAST[name]


@pytest.mark.parametrize("name", NAMES)
def test_less_than_the_least_value_is_refused(name: str) -> None:
    less = LEAST[name] - (1 if name in COUNTS else 0.001)
    with pytest.raises(ValueError, match=f"{name} is a finite number, .* at least"):
        Limits(**{name: less})


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(COUNTS)))
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_time_is_finite(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match="finite"):
        Limits(**{name: value})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["10", True, [1]], ids=repr)
def test_what_is_no_number_is_refused(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{name} is of type"):
        Limits(**{name: value})  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_is_whole(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        Limits(**{name: 100.5})  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize("name", NAMES)
def test_only_some_limits_may_be_absent(name: str) -> None:
    if name in OPTIONAL:
        assert getattr(Limits(**{name: None}), name) is None  # type: ignore[arg-type]  # by name
    else:
        with pytest.raises(TypeError):
            Limits(**{name: None})  # type: ignore[arg-type]  # what is tested
