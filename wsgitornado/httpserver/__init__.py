"""The names of tornado.httpserver, and the servers that ``serve`` runs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from wsgitornado.httpserver.development import make_development_server
from wsgitornado.httpserver.limits import Limits
from wsgitornado.httpserver.server import HTTPServer
from wsgitornado.httputil import HTTPServerRequest

if TYPE_CHECKING:
    from wsgitornado.httpserver.gunicorn_worker import GunicornWorker

__all__ = [
    "GunicornWorker",
    "HTTPRequest",
    "HTTPServer",
    "Limits",
    "make_development_server",
]

#: The name that the request had before Tornado 4.
HTTPRequest = HTTPServerRequest


def __getattr__(name: str) -> Any:
    """Load what needs gunicorn when it is asked for."""
    if name != "GunicornWorker":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(f"{__name__}.gunicorn_worker")
    except ModuleNotFoundError as error:
        if error.name != "gunicorn":
            raise
        raise ModuleNotFoundError(
            "GunicornWorker is a worker of gunicorn: pip install gunicorn",
            name="gunicorn",
        ) from error
    return module.GunicornWorker
