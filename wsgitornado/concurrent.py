"""Futures as far as a thread needs them: the one that is already done."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

__all__ = ["DONE", "DoneFuture"]


class DoneFuture:
    """What ``finish``, ``flush`` and ``render`` return when nothing is left to do.

    It may be awaited, yielded or asked like any future; a callback runs at once.
    """

    __slots__ = ()

    def done(self) -> bool:
        return True

    def cancelled(self) -> bool:
        return False

    def cancel(self) -> bool:
        return False

    def result(self, timeout: float | None = None) -> None:
        return None

    def exception(self, timeout: float | None = None) -> None:
        return None

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        fn(self)

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield

    def __repr__(self) -> str:
        return "<DoneFuture>"


#: The only one that is needed: it has no state.
DONE: Final = DoneFuture()
