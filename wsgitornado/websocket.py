"""The errors of WebSockets; their handler and client are not in this release."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

__all__ = ["WebSocketClosedError", "WebSocketError"]

_COMING = ("WebSocketClientConnection", "WebSocketHandler", "websocket_connect")


class WebSocketError(Exception):
    """What goes wrong with a WebSocket."""


class WebSocketClosedError(WebSocketError):
    """A message was to be sent on a connection that is closed."""


if not TYPE_CHECKING:  # pragma: no branch - a type checker would take any name

    def __getattr__(name: str) -> NoReturn:
        if name in _COMING:
            # No AttributeError: "from ... import" would put its own text in place of
            # this one.
            raise ImportError(
                f"{__name__}.{name} is not in this release: use long polls or "
                "wsgitornado.web.EventSource",
                name=__name__,
            )
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}", name=name
        )
