"""Header fields under environ's keys, and the caches behind them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado.httpserver import fields as module
from wsgitornado.httpserver.fields import read_fields
from wsgitornado.httpserver.head import RequestError


def read_lines(lines: list[str]) -> dict[str, str]:
    """Lines as a library splits them: at the first colon."""
    split = [line.encode("latin-1").partition(b":") for line in lines]
    return read_fields([(name, value) for name, _, value in split])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Host: a", {"HTTP_HOST": "a"}),
        ("hOST:a", {"HTTP_HOST": "a"}),
        ("X-A: \t b c\t ", {"HTTP_X_A": "b c"}),
        ("X-A:", {"HTTP_X_A": ""}),
        ("X-A: b:c", {"HTTP_X_A": "b:c"}),
        ("X-A: \t", {"HTTP_X_A": ""}),
        ("X-A: b\tc\xff\x80", {"HTTP_X_A": "b\tc\xff\x80"}),
        ("Content-Type: x", {"CONTENT_TYPE": "x"}),
        ("content-length: 1", {"CONTENT_LENGTH": "1"}),
        ("X.A'!: b", {"HTTP_X.A'!": "b"}),
        ("X-A: b\xa0", {"HTTP_X_A": "b\xa0"}),
    ],
)
def test_a_line_becomes_a_key_and_a_value(line: str, expected: dict[str, str]) -> None:
    assert read_lines([line]) == expected


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="empty"),
        pytest.param(":", id="only a colon"),
        pytest.param(": a", id="no name"),
        pytest.param("Host : a", id="space before the colon"),
        pytest.param("Host\t: a", id="tab before the colon"),
        pytest.param(" Host: a", id="space before the name"),
        pytest.param("X A: b", id="space in the name"),
        pytest.param("X\xe4: b", id="name is not ASCII"),
        pytest.param("X(a): b", id="brackets"),
        pytest.param('"X": b', id="quotes"),
        pytest.param("X/A: b", id="slash"),
        pytest.param("X\0: b", id="NUL in the name"),
        *(
            pytest.param(f"X: a{chr(code)}b", id=f"0x{code:02x} in the value")
            for code in (0, 1, 8, 10, 11, 12, 13, 27, 31, 127)
        ),
    ],
)
def test_what_is_no_header_line_is_refused(line: str) -> None:
    for lines in ([line], ["X-A: b", line], [line, line]):
        with pytest.raises(RequestError) as caught:
            read_lines(lines)
        assert caught.value.status == 400


def test_repeated_fields_are_joined() -> None:
    lines = ["X-A: 1", "Cookie: a=1", "x-a: 2", "cookie: b=2", "X-A:"]
    assert read_lines(lines) == {"HTTP_X_A": "1,2,", "HTTP_COOKIE": "a=1; b=2"}


@pytest.mark.parametrize(
    "name",
    ["Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Authorization"],
)
@pytest.mark.parametrize("second", ["1", "2"], ids=["alike", "different"])
def test_some_fields_come_only_once(name: str, second: str) -> None:
    with pytest.raises(RequestError, match="twice") as caught:
        read_lines([f"{name}: 1", "X-A: b", f"{name.lower()}: {second}"])
    assert caught.value.status == 400


@pytest.mark.parametrize("name", ["X_Real_Ip", "Content_Length", "Host_", "_", "Proxy"])
def test_names_that_could_pose_as_others_are_left_out(name: str) -> None:
    assert read_lines([f"{name}: 1", "X-A: b", f"{name}: 2"]) == {"HTTP_X_A": "b"}
    assert read_lines([f"{name}: 1"]) == {}


def test_a_line_is_remembered_only_when_clients_repeat_it() -> None:
    module._fields.clear()
    steady = "Accept: text/html"
    secrets = ["Cookie: session=1", "Authorization: Basic eA==", "X-Token: 1"]
    long = "User-Agent: " + "x" * 300
    for _ in range(2):
        read_lines([steady, *secrets, long])
    assert list(module._fields) == [(b"Accept", b" text/html")]


def test_what_clients_choose_is_remembered_within_bounds() -> None:
    for number in range(3000):
        read_lines([f"X-{number}: a", f"Host: {number}"])
    read_lines([f"{'X' * 200}: a"])
    assert 0 < len(module._keys) <= 1000
    assert 0 < len(module._fields) <= 1000
    assert b"X" * 200 not in module._keys


@given(st.lists(st.text(alphabet="aA-_: ,\t;\0\x7f\xff", max_size=8), max_size=5))
def test_any_lines_are_read_alike_at_any_time(lines: list[str]) -> None:
    """What is remembered changes nothing, and nothing else is ever raised."""

    def outcome() -> object:
        try:
            return read_lines(lines)
        except RequestError as error:
            return error.status, error.message

    first = outcome()
    assert outcome() == first
    module._keys.clear()
    module._fields.clear()
    assert outcome() == first
