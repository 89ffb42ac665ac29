"""One option: what a text means for its type, and its value."""

from __future__ import annotations

import inspect
import numbers
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

__all__ = ["Error", "Option", "normalized"]


class Error(Exception):
    """An option that does not exist, exists already, or cannot take its value."""

    __module__ = "wsgitornado.options"


class InvalidTextError(Error, ValueError):
    """Text that is no value of an option's type; Tornado raises ValueError."""

    __module__ = "wsgitornado.options"


# Text


def _parse_bool(text: str) -> bool:
    return text.lower() not in ("false", "f", "0", "no", "n", "off")


_DATES: Final = ("%Y-%m-%d", "%Y%m%d")
_TIMES: Final = ("%H:%M:%S", "%H:%M")
_DATETIME_FORMATS: Final = (
    "%a %b %d %H:%M:%S %Y",  # that of time.ctime
    *(f"{date}{mark}{time}" for date in _DATES for mark in " T" for time in _TIMES),
    *_DATES,
    *_TIMES,
)


def _parse_datetime(text: str) -> datetime:
    for form in _DATETIME_FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            pass
    raise ValueError(f"Unrecognized date/time format: {text!r}")


_UNITS: Final = {
    "us": "microseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "sec": "seconds",
    "m": "minutes",
    "min": "minutes",
    "h": "hours",
    "d": "days",
    "w": "weeks",
}

# One part of "1h 30m", with what stands between it and the next.
_DURATION: Final = re.compile(
    r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([a-z]*)\s*", re.IGNORECASE
)


def _parse_timedelta(text: str) -> timedelta:
    total = timedelta()
    text = text.strip()
    position = 0
    while position < len(text):
        part = _DURATION.match(text, position)
        if part is None:
            raise ValueError(f"no duration such as '1h 30m': {text!r}")
        number, unit = part.groups()
        name = _UNITS.get(unit, unit) or "seconds"
        if name not in _UNITS.values():
            raise ValueError(
                f"no unit of time: {unit!r}, but us, ms, s, m, h, d and w are"
            )
        total += timedelta(**{name: float(number)})
        position = part.end()
    return total


_PARSERS: Final[dict[Any, Callable[[str], Any]]] = {
    bool: _parse_bool,
    datetime: _parse_datetime,
    timedelta: _parse_timedelta,
}


# Options

_HELP_WIDTH: Final = 79
_HELP_INDENT: Final = 35


def normalized(name: str) -> str:
    """The name in which dashes and underscores are the same."""
    return name.replace("_", "-")


class _Unset:
    """Stands for the value of an option that nothing has set."""


@dataclass(eq=False)
class Option:
    """One option: what it may be, and what it is."""

    name: str
    default: Any
    type: Any
    help: str | None
    metavar: str | None
    multiple: bool
    file_name: str
    group_name: str
    callback: Callable[[Any], None] | None
    _value: Any = _Unset

    def value(self) -> Any:
        return self.default if self._value is _Unset else self._value

    def parse(self, text: str) -> Any:
        """Take a value from the command line or, as text, from a file."""
        try:
            value = self._parse_several(text) if self.multiple else self._parse(text)
        except (ValueError, OverflowError) as error:
            raise InvalidTextError(f"Option {self.name!r}: {error}") from error
        self.store(value)
        return self.value()

    def _parse(self, text: str) -> Any:
        return _PARSERS.get(self.type, self.type)(text)

    def _parse_several(self, text: str) -> list[Any]:
        if not self._has_ranges():
            return [self._parse(part) for part in text.split(",")]
        values: list[Any] = []
        for part in text.split(","):
            first, _, last = part.partition(":")
            begin = self._parse(first)
            values.extend(range(begin, (self._parse(last) if last else begin) + 1))
        return values

    def _has_ranges(self) -> bool:
        return (
            self.type is not bool
            and inspect.isclass(self.type)
            and issubclass(self.type, numbers.Integral)
        )

    def set(self, value: Any) -> None:
        """Take a value that is none of text."""
        if not self.multiple:
            if not self._takes(value):
                raise Error(
                    f"Option {self.name!r} is required to be a {self._type_name()} "
                    f"({type(value)} given)"
                )
        elif not (isinstance(value, list) and all(map(self._takes, value))):
            raise Error(
                f"Option {self.name!r} is required to be a list of {self._type_name()}"
            )
        self.store(value)

    def take(self, value: Any) -> None:
        """Take what a file of options says, be it text or not."""
        if self.multiple and not isinstance(value, list | str):
            raise Error(
                f"Option {self.name!r} is required to be a list of "
                f"{self._type_name()} or a comma-separated string"
            )
        if isinstance(value, str) and (self.multiple or self.type is not str):
            self.parse(value)
        else:
            self.set(value)

    def _takes(self, value: Any) -> bool:
        # The type may be any function of text: its values are not known.
        is_class = inspect.isclass(self.type)
        return value is None or not is_class or isinstance(value, self.type)

    def _type_name(self) -> str:
        return getattr(self.type, "__name__", repr(self.type))

    def store(self, value: Any) -> None:
        self._value = value
        if self.callback is not None:
            self.callback(value)

    def help_lines(self) -> list[str]:
        """What the help says about it, in two columns."""
        left = f"  --{normalized(self.name)}"
        if self.metavar:
            left += f"={self.metavar}"
        text = self.help or ""
        if self.default is not None and self.default not in ("", []):
            text += f" (default {self.default})"
        right = textwrap.wrap(
            text,
            _HELP_WIDTH - _HELP_INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
        if len(left) >= _HELP_INDENT:
            right = ["", *right]
        first, *others = right or [""]
        lines = [
            left.ljust(_HELP_INDENT) + first,
            *(" " * _HELP_INDENT + o for o in others),
        ]
        return [line.rstrip() for line in lines]
