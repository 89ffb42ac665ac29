"""The names of tornado.websocket; all but the errors need the extra ``websocket``."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from wsgitornado.websocket.errors import WebSocketClosedError, WebSocketError

if TYPE_CHECKING:
    from wsgitornado.websocket.client import (
        WebSocketClientConnection,
        websocket_connect,
    )
    from wsgitornado.websocket.handler import WebSocketHandler

__all__ = [
    "WebSocketClientConnection",
    "WebSocketClosedError",
    "WebSocketError",
    "WebSocketHandler",
    "websocket_connect",
]

_HOMES = {
    "WebSocketClientConnection": "client",
    "WebSocketHandler": "handler",
    "websocket_connect": "client",
}


if not TYPE_CHECKING:  # pragma: no branch - a type checker would take any name

    def __getattr__(name: str) -> Any:
        """Load what needs wsproto when it is asked for."""
        if name not in _HOMES:
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}", name=name
            )
        try:
            module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "wsproto":
                raise
            raise ModuleNotFoundError(
                "WebSockets need wsproto: pip install 'wsgitornado[websocket]'",
                name="wsproto",
            ) from error
        value = globals()[name] = getattr(module, name)
        return value
