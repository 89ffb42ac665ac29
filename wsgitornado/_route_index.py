"""Which rules can match a path at all: literal text in patterns, and an index by it.

Nothing here knows a request or a rule; :mod:`wsgitornado.routing` does.

Reading a pattern is conservative. Text is called literal only where every match must
have it, and a pattern with anything unusual counts as one that may match any path,
so that a search through the index finds what a search through all rules would find.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, TypeAlias, TypeVar

__all__ = [
    "NOTHING",
    "Attempt",
    "Candidate",
    "Literal",
    "RouteIndex",
    "WatchedList",
    "literal",
    "url_pieces",
]

T = TypeVar("T")

#: Called with a request and its path.
Attempt: TypeAlias = Callable[[Any, str], T | None]

_Attempts: TypeAlias = tuple[Attempt[T], ...]

#: Flags that change nothing about literal characters or about where ``$`` matches.
_PLAIN_FLAGS = re.UNICODE | re.ASCII | re.DOTALL

_SPECIAL = frozenset(".^$*+?{}[]|()\\")

#: What may come after a character and make it optional. A brace that is no
#: quantifier is taken for one: that only makes the literal shorter.
_QUANTIFIERS = frozenset("*+?{")

_PART = re.compile(
    r"""  \(\?\# (?:\\.|[^)\\])* \)        # a comment
      |   \\.                             # an escaped character
      |   \[ \^? \]? (?:\\.|[^]\\])* \]   # a set; a bracket right at its start is in it
      |   .
    """,
    re.VERBOSE | re.DOTALL,
)

_VERBOSE_GROUP = re.compile(r"\(\?[a-zA-Z]*x")


@dataclass(frozen=True, slots=True)
class Literal:
    """The characters that each path matched by a pattern begins with.

    With ``is_whole`` nothing else matches than this text, alone or with the newline
    that ``$`` allows after it (it has none itself).
    """

    text: str
    is_whole: bool


#: What is known about a pattern, or about a matcher, of which nothing is known.
NOTHING = Literal("", is_whole=False)


def literal(regex: re.Pattern[str]) -> Literal:
    r"""Return the text that every match of the pattern begins with.

    ``/user/(\d+)$`` begins with ``/user/``, ``/a\.html$`` is wholly ``/a.html``, and
    ``/ab?$`` begins with ``/a``.
    """
    if regex.flags & ~_PLAIN_FLAGS or _is_verbose(regex):
        return NOTHING
    parts, is_anchored = _parts(regex.pattern)
    if _has_choice_at_top(parts):
        return NOTHING
    text: list[str] = []
    for part in parts:
        character = _character(part)
        if character is None:
            if part in _QUANTIFIERS:
                del text[-1:]
            return Literal("".join(text), is_whole=False)
        text.append(character)
    return Literal("".join(text), is_anchored and "\n" not in text)


def url_pieces(regex: re.Pattern[str]) -> tuple[str, ...] | None:
    r"""Return the text before, between and after the groups of a pattern.

    ``/a\.b/(\d+)/(\w+)$`` gives ``("/a.b/", "/", "")``. Outside of the groups
    backslashes are taken off, and characters like ``?`` stay, as in Tornado.

    None for a pattern from which no URL can be told: with a class like ``\d`` outside
    of a group, with groups in groups, or with groups that capture nothing.
    """
    if _is_verbose(regex):
        return None
    parts, _ = _parts(regex.pattern)
    pieces = [""]
    for depth, position, part in _with_depth(parts):
        if depth == 0:
            text = _text_in_url(part)
            if text is None:
                return None
            pieces[-1] += text
        elif depth == 1 and part == ")":
            pieces.append("")
        elif depth == 1 and part == "(" and not _captures(parts, position):
            return None
    return tuple(pieces) if len(pieces) == regex.groups + 1 else None


def _is_verbose(regex: re.Pattern[str]) -> bool:
    """Whether brackets may stand in comments after a ``#``, here or in a group."""
    return bool(regex.flags & re.VERBOSE or _VERBOSE_GROUP.search(regex.pattern))


def _parts(pattern: str) -> tuple[list[str], bool]:
    """Split a valid pattern into characters, escapes and sets.

    Left out are comments (a quantifier after one is about what came before it), a
    ``^`` at the start, which says nothing new to ``match()``, and a ``$`` at the end;
    the second value is whether there was one.
    """
    parts = [part for part in _PART.findall(pattern) if not part.startswith("(?#")]
    if parts[:1] == ["^"]:
        del parts[0]
    is_anchored = parts[-1:] == ["$"]
    if is_anchored:
        del parts[-1]
    return parts, is_anchored


def _with_depth(parts: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Give each part with its depth in groups, brackets included, and its position."""
    depth = 0
    for position, part in enumerate(parts):
        depth += part == "("
        yield depth, position, part
        depth -= part == ")"


def _has_choice_at_top(parts: Sequence[str]) -> bool:
    return any(depth == 0 and part == "|" for depth, _, part in _with_depth(parts))


def _captures(parts: Sequence[str], position: int) -> bool:
    """Whether the bracket at a position opens a group that has a number."""
    after = parts[position + 1 : position + 4]
    return after[:1] != ["?"] or after == ["?", "P", "<"]


def _character(part: str) -> str | None:
    """Return the one character that a part stands for, or None."""
    if len(part) == 1:
        return None if part in _SPECIAL else part
    if part[0] == "\\":
        # Escaped ASCII letters and digits are classes, anchors, references and codes.
        return None if part[1].isascii() and part[1].isalnum() else part[1]
    return None


def _text_in_url(part: str) -> str | None:
    return _character(part) if "\\" in part else part


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """One rule, for the index.

    :param literal: what its paths look like; :data:`NOTHING` when that is unknown.
    :param attempt: called with the request and its path; None says: no match.
    :param certain: what ``attempt`` is known to return for every path that begins
        with the literal (or is equal to it, when that is the whole).
    """

    literal: Literal
    attempt: Attempt[T]
    certain: T | None = None


class RouteIndex(Generic[T]):
    """The candidates for a path, in their order, without a look at the others.

    Built once and never changed, so that any number of threads may ask it. The cost of
    a question does not grow with the rules, but for a binary search.
    """

    __slots__ = ("_attempts", "_parents", "_texts", "_whole", "ready")

    #: Paths whose first candidate is certain, with what it gives.
    ready: dict[str, T]

    def __init__(self, candidates: Sequence[Candidate[T]]) -> None:
        starts: dict[str, list[int]] = {"": []}
        wholes: dict[str, list[int]] = {}
        for order, candidate in enumerate(candidates):
            table = wholes if candidate.literal.is_whole else starts
            table.setdefault(candidate.literal.text, []).append(order)

        # In sorted order a text comes after all texts that it begins with. The chain
        # of parents leads from a text to the shorter ones, down to the empty text.
        self._texts = sorted(starts)
        self._parents: list[int] = []
        orders: list[list[int]] = []
        parent = 0
        for text in self._texts:
            while not text.startswith(self._texts[parent]):
                parent = self._parents[parent]
            merged = sorted(orders[parent] + starts[text]) if text else starts[text]
            orders.append(_up_to_certain(merged, candidates))
            self._parents.append(parent)
            parent = len(self._parents) - 1
        self._attempts: list[_Attempts[T]] = [
            tuple(candidates[order].attempt for order in found) for found in orders
        ]

        self._whole: dict[str, _Attempts[T]] = {}
        self.ready = {}
        for text, own in wholes.items():
            for path in (text, text + "\n"):
                merged = sorted(orders[self._position(path)] + own)
                found = _up_to_certain(merged, candidates)
                first = candidates[found[0]].certain
                if first is not None:
                    self.ready[path] = first
                self._whole[path] = tuple(candidates[order].attempt for order in found)

    def attempts(self, path: str) -> _Attempts[T]:
        """Return the ``attempt`` of every candidate whose literal fits, in order."""
        whole = self._whole.get(path)
        if whole is not None:
            return whole
        # ``_position`` written out: this is asked for every path with an argument.
        texts = self._texts
        position = bisect_right(texts, path) - 1
        while not path.startswith(texts[position]):
            position = self._parents[position]
        return self._attempts[position]

    def _position(self, path: str) -> int:
        """Find the longest of the texts that the path begins with.

        Every text between it and the path in sorted order begins with it too, so that
        it is the text right before the path, or is one of that one's parents.
        """
        texts = self._texts
        position = bisect_right(texts, path) - 1
        while not path.startswith(texts[position]):
            position = self._parents[position]
        return position


def _up_to_certain(orders: list[int], candidates: Sequence[Candidate[T]]) -> list[int]:
    """Leave out what comes after a candidate that always matches."""
    for position, order in enumerate(orders, start=1):
        if candidates[order].certain is not None:
            return orders[:position]
    return orders


class WatchedList(list[T]):
    """A list that has another :attr:`version` after each change, by whatever way."""

    version: object

    def __init__(self, values: Iterable[T] = ()) -> None:
        super().__init__(values)
        self.version = object()


def _watched(name: str) -> Callable[..., Any]:
    method = getattr(list, name)

    @wraps(method)
    def change(self: WatchedList[Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        finally:
            # After the change: whoever saw the old version and the new content
            # only looks once more; the other way round a change could be missed.
            self.version = object()

    return change


for _name in (
    *("__delitem__", "__iadd__", "__imul__", "__setitem__", "append", "clear"),
    *("extend", "insert", "pop", "remove", "reverse", "sort"),
):
    setattr(WatchedList, _name, _watched(_name))
