"""Exceptions made ready to be shown: in order, whatever their methods do."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest

from tests.web.caught import NO_MASK, caught, marked, show, show_one
from wsgitornado.web import HTTPError
from wsgitornado.web.tracebacks import (
    Link,
    ShownException,
    format_traceback,
)


def fail() -> None:
    raise ValueError("no")


def raise_from(error: BaseException, cause: BaseException | None) -> None:
    raise error from cause


# The exception itself.


class Inner(Exception):
    class Most(Exception):
        pass


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("no"), "ValueError", "no"),
        (KeyError("no"), "KeyError", "'no'"),
        (ValueError(), "ValueError", ""),
        (Inner.Most(1, 2), f"{__name__}.Inner.Most", "(1, 2)"),
        (HTTPError(404), "wsgitornado.web.HTTPError", "HTTP 404: Not Found"),
        (json.JSONDecodeError("no", "", 0), "json.decoder.JSONDecodeError", None),
    ],
    ids=repr,
)
def test_exception_has_the_name_and_text_of_a_traceback(
    error: Exception, kind: str, message: str | None
) -> None:
    shown = show_one(error)
    if message is None:
        message = str(error)
    assert (shown.kind, shown.message) == (kind, message)
    last = traceback.format_exception_only(error)[-1].strip()
    assert last == (f"{kind}: {message}" if message else kind)


class Broken(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError("in __str__")

    __repr__ = __str__


class NoText(Exception):
    def __str__(self) -> Any:
        return 5  # noqa: PLE0307  # as careless programs do


class Odd(str):
    __slots__ = ()

    def __len__(self) -> int:
        raise ZeroDivisionError("in __len__")

    def replace(self, *args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError("in replace")


class OddText(Exception):
    def __str__(self) -> str:
        return Odd("odd")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Broken(), "<Broken: str() failed>"),
        (NoText(), "<NoText: str() failed>"),
        (OddText(), "odd"),
        (ValueError(b"\xff"), r"b'\xff'"),
        (ValueError("\ud800"), "\ud800"),
    ],
    ids=["raises", "no text", "a subclass of str", "bytes", "surrogate"],
)
def test_methods_of_an_exception_may_do_anything(
    error: Exception, message: str
) -> None:
    assert show_one(error).message == message
    assert format_traceback(error, None, NO_MASK)


@pytest.mark.parametrize(
    ("notes", "shown"),
    [
        (["one", "two"], ["one", "two"]),
        (("one",), ["one"]),
        ("a text", ["a text"]),
        ([Broken(), 5], ["<Broken: str() failed>", "5"]),
        (["x"] * 20, ["x"] * 20),
        (["x"] * 21, ["x"] * 20),
        (None, ["None"]),
    ],
    ids=["list", "tuple", "text", "other things", "20", "21", "None"],
)
def test_notes_of_an_exception_are_shown(notes: Any, shown: list[str]) -> None:
    error = ValueError()
    error.__notes__ = notes
    assert show_one(error).notes == shown


@pytest.mark.parametrize("length", [4_000, 4_001, 50_000_000])
def test_message_is_cut_at_4000_characters(length: int) -> None:
    message = show_one(ValueError("x" * length)).message
    assert message[:4_000] == "x" * 4_000
    is_cut = length > 4_000
    assert message[4_000:] == (f"… ({length:,} characters in all)" if is_cut else "")


# Chains.


def kinds_of(shown: list[ShownException]) -> list[str]:
    return [one.kind for one in shown]


def test_cause_comes_before_what_it_caused() -> None:
    error = caught(lambda: raise_from(KeyError(), caught(fail)))
    first, second = show(error)
    assert (first.kind, first.link) == ("ValueError", Link.CAUSE)
    assert (second.kind, second.link) == ("KeyError", None)
    assert [marked(one.frames[-1]) for one in (first, second)] == [
        'raise ValueError("no")',
        "raise error from cause",
    ]


def test_context_comes_before_what_happened_meanwhile() -> None:
    def fail_meanwhile() -> None:
        try:
            fail()
        except ValueError:
            raise KeyError  # noqa: B904  # the context is the subject

    first, second = show(caught(fail_meanwhile))
    assert (first.kind, first.link) == ("ValueError", Link.CONTEXT)
    assert (second.kind, second.link) == ("KeyError", None)


def test_suppressed_context_is_not_shown() -> None:
    def fail_alone() -> None:
        try:
            fail()
        except ValueError:
            raise KeyError from None

    assert kinds_of(show(caught(fail_alone))) == ["KeyError"]


def test_cause_hides_the_context() -> None:
    error = KeyError()
    error.__context__ = TypeError()
    error.__cause__ = ValueError()
    assert kinds_of(show(error)) == ["ValueError", "KeyError"]


def test_chain_that_closes_is_shown_once() -> None:
    first, second = KeyError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    assert kinds_of(show(first)) == ["ValueError", "KeyError"]


def chain_of(length: int) -> Exception:
    error = ValueError(0)
    for number in range(1, length):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    return error


@pytest.mark.parametrize("length", [8, 9, 10_000])
def test_last_eight_exceptions_of_a_chain_are_shown(length: int) -> None:
    shown = show(chain_of(length))
    assert [one.message for one in shown] == [str(n) for n in range(length - 8, length)]
    assert [one.has_earlier for one in shown] == [length > 8] + [False] * 7


def test_members_of_a_group_are_chains() -> None:
    member = caught(lambda: raise_from(KeyError("b"), TypeError()))
    shown = show_one(ExceptionGroup("many", [ValueError("a"), member]))
    assert shown.message == "many (2 sub-exceptions)"
    assert [kinds_of(chain) for chain in shown.members] == [
        ["ValueError"],
        ["TypeError", "KeyError"],
    ]


@pytest.mark.parametrize("number", [8, 9, 1000])
def test_eight_members_of_a_group_are_shown(number: int) -> None:
    shown = show_one(ExceptionGroup("many", [ValueError(n) for n in range(number)]))
    assert len(shown.members) == 8
    assert shown.left_out == number - 8


def count(shown: list[ShownException]) -> int:
    return sum(1 + sum(map(count, one.members)) for one in shown)


def nested_group(depth: int, width: int) -> Exception:
    if not depth:
        return ValueError()
    return ExceptionGroup("g", [nested_group(depth - 1, width) for _ in range(width)])


@pytest.mark.parametrize(
    ("depth", "width", "number"), [(3, 2, 15), (4, 2, 16), (100, 1, 16), (3, 9, 16)]
)
def test_sixteen_exceptions_of_groups_are_shown(
    depth: int, width: int, number: int
) -> None:
    assert count(show(nested_group(depth, width))) == number


# As plain text.


def test_plain_text_is_pythons_own() -> None:
    error = caught(lambda: raise_from(KeyError("b"), caught(fail)))
    group = ExceptionGroup("many", [error, chain_of(3)])
    for one in (error, group, chain_of(20)):
        text = format_traceback(one, one.__traceback__, NO_MASK)
        assert text == "".join(traceback.format_exception(one))
