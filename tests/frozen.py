"""A clock that stands still, for modules that ask ``datetime`` what time it is."""

from __future__ import annotations

import datetime
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["freeze"]


class _AnyDatetime(type):
    """Makes a subclass answer for every datetime."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime.datetime)


def freeze(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, now: datetime.datetime
) -> None:
    """For *module*, ``datetime.datetime.now`` gives *now* until the test ends."""

    class Frozen(datetime.datetime, metaclass=_AnyDatetime):
        @classmethod
        def now(  # type: ignore[override]  # gives the plain class
            cls, tz: datetime.tzinfo | None = None
        ) -> datetime.datetime:
            return now.astimezone(tz)

    names = {**vars(datetime), "datetime": Frozen}
    monkeypatch.setattr(module, "datetime", SimpleNamespace(**names))
