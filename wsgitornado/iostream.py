"""What is left of tornado.iostream: the error of a client that has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from wsgitornado._absent import ADVICE, refuse
from wsgitornado.httputil.errors import StreamClosedError

__all__ = ["StreamClosedError"]

if not TYPE_CHECKING:  # pragma: no branch - a type checker would take any name

    def __getattr__(name: str) -> NoReturn:
        full_name = f"{__name__}.{name}"
        if full_name.partition(".")[2] in ADVICE:
            # No AttributeError: "from ... import" would put its own text in the place
            # of the advice.
            refuse(full_name)
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}", name=name
        )
