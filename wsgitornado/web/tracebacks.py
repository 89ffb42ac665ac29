"""An exception as it can be shown: causes, groups, frames with their source. Bounded.

Only what is the same in every request is taken from a frame: where it is, and the
source around it. Local variables hold passwords, sessions and other people's data; no
mask could know them all, so they are never looked at.
"""

from __future__ import annotations

import enum
import linecache
import os.path
import sysconfig
import textwrap
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import Any, Final

from wsgitornado.web.masking import Mask

__all__ = [
    "Link",
    "Origin",
    "ShownException",
    "ShownFrame",
    "ShownLine",
    "format_traceback",
    "show_exceptions",
]

# What there is room for. Recursion and retries make any number of each.
_EXCEPTIONS: Final = 16
_CHAIN: Final = 8
_GROUP: Final = 8
_FIRST_FRAMES: Final = 10
_LAST_FRAMES: Final = 20
_FRAMES_WITH_SOURCE: Final = 100
_NOTES: Final = 20
_MESSAGE: Final = 4_000
_LINE: Final = 300
_NAME: Final = 500
_LINES_AROUND: Final = 5
_MOST_LINES: Final = 2 * _LINES_AROUND + 1

# Python's own formatting folds a function that calls itself, not two that call each
# other; the usual recursion limit, 1,000, is below.
_FORMATTED_FRAMES: Final = 2_000
_FORMATTED: Final = 60_000

_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_TEMPLATES: Final = "wsgitornado.template."
_STANDARD_LIBRARY: Final = tuple(
    {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
)
_INSTALLED: Final = ("site-packages", "dist-packages")


class Origin(enum.Enum):
    """Whose code a frame runs."""

    YOURS = "your code"
    TEMPLATE = "template"
    OURS = "wsgitornado"
    LIBRARY = "library"

    @property
    def is_yours(self) -> bool:
        """Whether the program's author has written it."""
        return self in (Origin.YOURS, Origin.TEMPLATE)


class Link(enum.Enum):
    """How an exception came out of the one before it."""

    CAUSE = "was the direct cause of the following exception"
    CONTEXT = "was being handled when another exception occurred"


@dataclass(frozen=True)
class ShownLine:
    """A line of source."""

    number: int
    text: str


@dataclass(frozen=True)
class ShownFrame:
    """A place in the source, with the lines around it if they can be read."""

    filename: str
    line: int
    function: str
    origin: Origin
    source: list[ShownLine]


@dataclass
class ShownException:
    """One exception of a chain.

    :ivar link: what led on to the next one of the chain; None for the last.
    :ivar skipped: how many frames are left out, and after how many.
    :ivar has_earlier: whether there is one before it that is not shown.
    :ivar members: of an exception group: the chain of each.
    :ivar left_out: how many members are not shown.
    """

    kind: str
    message: str
    notes: list[str]
    frames: list[ShownFrame]
    skipped: tuple[int, int] = (0, 0)
    link: Link | None = None
    has_earlier: bool = False
    members: list[list[ShownException]] = field(default_factory=list)
    left_out: int = 0


def format_traceback(
    error: BaseException, trace: TracebackType | None, mask: Mask
) -> str:
    """The traceback as Python writes it, without secrets.

    Of a very long one only the beginning and the end.
    """
    lines = traceback.format_exception(
        type(error), error, trace, limit=-_FORMATTED_FRAMES
    )
    return mask.hide_and_fold("".join(lines), _FORMATTED)


def show_exceptions(
    error: BaseException, trace: TracebackType | None, mask: Mask
) -> list[ShownException]:
    """The exception and what led to it, in the order in which they happened.

    :param trace: the traceback of the exception itself; the others bring theirs.
    """
    return _Showing(mask).chain(error, trace)


class _Showing:
    """Collects a bounded number of exceptions, none of them twice."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._seen: set[int] = set()
        self._sources_left = _FRAMES_WITH_SOURCE

    def chain(
        self, error: BaseException, trace: TracebackType | None
    ) -> list[ShownException]:
        shown: list[ShownException] = []
        following: Link | None = None
        current: BaseException | None = error
        while current is not None and self._has_room_for(current, len(shown)):
            self._seen.add(id(current))
            one = self._exception(current, trace)
            one.link = following
            shown.append(one)
            current, following = _previous(current)
            trace = None if current is None else current.__traceback__
        if shown and current is not None:
            shown[-1].has_earlier = True
        return shown[::-1]

    def _has_room_for(self, error: BaseException, length: int) -> bool:
        if id(error) in self._seen:
            return False
        return length < _CHAIN and len(self._seen) < _EXCEPTIONS

    def _exception(
        self, error: BaseException, trace: TracebackType | None
    ) -> ShownException:
        first, last, skipped = _ends_of(trace)
        # Backwards: where room for sources runs out the last frames have theirs.
        frames = [self._frame(place) for place in (*first, *last)[::-1]][::-1]
        shown = ShownException(
            kind=self._mask.hide_and_cut(_kind_of(error), _NAME),
            message=self._mask.hide_and_cut(_text_of(error), _MESSAGE),
            notes=[
                self._mask.hide_and_cut(note, _MESSAGE) for note in _notes_of(error)
            ],
            frames=frames,
            skipped=(skipped, len(first)),
        )
        place = self._place_named_by(error)
        if place is not None:
            shown.frames.append(place)
        if isinstance(error, BaseExceptionGroup):
            self._add_members(shown, error.exceptions)
        return shown

    def _add_members(
        self, shown: ShownException, members: tuple[BaseException, ...]
    ) -> None:
        for member in members[:_GROUP]:
            chain = self.chain(member, member.__traceback__)
            if chain:
                shown.members.append(chain)
        shown.left_out = len(members) - len(shown.members)

    def _frame(self, place: TracebackType) -> ShownFrame:
        frame = place.tb_frame
        filename = frame.f_code.co_filename
        # An instruction that belongs to no line has none.
        line = place.tb_lineno or 0
        code, origin = frame.f_code, _origin_of(filename, frame.f_globals)
        # A template labels its code by the plain name.
        name = code.co_name if origin is Origin.TEMPLATE else code.co_qualname
        return ShownFrame(
            filename=self._mask.hide_and_cut(filename, _NAME),
            line=line,
            function=self._mask.hide_and_cut(name, _NAME),
            origin=origin,
            source=self._source(filename, line, frame.f_globals),
        )

    def _place_named_by(self, error: BaseException) -> ShownFrame | None:
        """Where a parser stopped, which has no frame: SyntaxError, ParseError."""
        filename = getattr(error, "filename", None)
        line = getattr(error, "lineno", None)
        if not isinstance(filename, str) or not isinstance(line, int):
            return None
        text = getattr(error, "text", None)
        return ShownFrame(
            filename=self._mask.hide_and_cut(filename, _NAME),
            line=line,
            function="",
            origin=_origin_of(filename, {}),
            source=self._source(filename, line, {})
            or self._lines(text if isinstance(text, str) else "", line),
        )

    def _source(
        self, filename: str, line: int, namespace: dict[str, Any]
    ) -> list[ShownLine]:
        if not self._sources_left:
            return []
        self._sources_left -= 1
        lines = _lines_of(filename, namespace)
        if not 0 < line <= len(lines):
            return []
        first = max(1, line - _LINES_AROUND)
        return self._lines("".join(lines[first - 1 : line + _LINES_AROUND]), first)

    def _lines(self, text: str, first: int) -> list[ShownLine]:
        if not text:
            return []
        texts = [
            self._mask.hide_and_cut(line.rstrip(), _LINE)
            for line in text.split("\n", _MOST_LINES)[:_MOST_LINES]
        ]
        dedented = textwrap.dedent("\n".join(texts)).rstrip().split("\n")
        return [ShownLine(number, text) for number, text in enumerate(dedented, first)]


def _previous(error: BaseException) -> tuple[BaseException | None, Link | None]:
    """What led to an exception, and how; as Python decides it (PEP 409, PEP 415)."""
    if error.__cause__ is not None:
        return error.__cause__, Link.CAUSE
    if error.__context__ is not None and not error.__suppress_context__:
        return error.__context__, Link.CONTEXT
    return None, None


def _ends_of(
    trace: TracebackType | None,
) -> tuple[list[TracebackType], list[TracebackType], int]:
    """The first and the last frames, and how many there are between them."""
    places = _walk(trace)
    first = list(islice(places, _FIRST_FRAMES))
    last: deque[TracebackType] = deque(maxlen=_LAST_FRAMES)
    number = 0
    for place in places:
        last.append(place)
        number += 1
    return first, list(last), number - len(last)


def _walk(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _origin_of(filename: str, namespace: dict[str, Any]) -> Origin:
    if type(namespace.get("__loader__")).__module__.startswith(_TEMPLATES):
        return Origin.TEMPLATE
    if filename.startswith(_PACKAGE + os.sep):
        return Origin.OURS
    if filename.startswith("<frozen ") or any(
        part in _INSTALLED for part in filename.split(os.sep)
    ):
        return Origin.LIBRARY
    if filename.startswith(tuple(path + os.sep for path in _STANDARD_LIBRARY)):
        return Origin.LIBRARY
    suffix = os.path.splitext(filename)[1]
    if suffix and not suffix.startswith(".py") and not filename.endswith(">"):
        # Of another language of templates, whose code names its file.
        return Origin.TEMPLATE
    return Origin.YOURS


def _lines_of(filename: str, namespace: dict[str, Any]) -> list[str]:
    """The source of a frame; no lines if it cannot be had."""
    try:
        linecache.checkcache(filename)
        return linecache.getlines(filename, namespace)
    except Exception:
        # A loader of the program's own, asked for its source, may raise anything.
        return []


def _kind_of(error: BaseException) -> str:
    """The name of the exception's class, as a traceback gives it."""
    kind = type(error)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _text_of(value: object) -> str:
    """The text of an exception or of a note, whatever its methods do."""
    try:
        # An exact str: what a subclass of it makes of its methods is its own affair.
        return str.__str__(str(value))
    except Exception:
        return f"<{type(value).__name__}: str() failed>"


def _notes_of(error: BaseException) -> list[str]:
    """The notes that were added to an exception (PEP 678)."""
    notes = getattr(error, "__notes__", ())
    if not isinstance(notes, list | tuple):
        notes = [notes]
    return [_text_of(note) for note in notes[:_NOTES]]
