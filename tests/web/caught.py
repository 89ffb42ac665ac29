"""Exceptions that were really raised, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable

from wsgitornado.web.masking import Mask
from wsgitornado.web.tracebacks import ShownException, ShownFrame, show_exceptions

__all__ = ["NO_MASK", "caught", "marked", "show", "show_one"]

NO_MASK = Mask([])


def caught(call: Callable[[], object]) -> Exception:
    """What the call raises, with its traceback."""
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def show(error: BaseException) -> list[ShownException]:
    return show_exceptions(error, error.__traceback__, NO_MASK)


def show_one(error: BaseException) -> ShownException:
    (shown,) = show(error)
    return shown


def marked(frame: ShownFrame) -> str:
    """The line of source that a frame is in."""
    (text,) = (line.text for line in frame.source if line.number == frame.line)
    return text.strip()
