"""The names of tornado.testing, and what tests of a WSGI application want beside."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from wsgitornado.testing.expect_log import ExpectLog
from wsgitornado.testing.ports import bind_unused_port

if TYPE_CHECKING:
    from wsgitornado.testing.case import (
        AsyncTestCase,
        gen_test,
        get_async_test_timeout,
        setup_with_context_manager,
    )
    from wsgitornado.testing.http_case import AsyncHTTPSTestCase, AsyncHTTPTestCase
    from wsgitornado.testing.live import LiveServer
    from wsgitornado.testing.program import main
    from wsgitornado.testing.webtest_client import Client, client

__all__ = [
    "AsyncHTTPSTestCase",
    "AsyncHTTPTestCase",
    "AsyncTestCase",
    "Client",
    "ExpectLog",
    "LiveServer",
    "bind_unused_port",
    "client",
    "gen_test",
    "get_async_test_timeout",
    "main",
    "setup_with_context_manager",
]

#: What is loaded on first use: one needs httpx, another webtest.
_PLACES: Final = {
    "AsyncHTTPSTestCase": "http_case",
    "AsyncHTTPTestCase": "http_case",
    "AsyncTestCase": "case",
    "Client": "webtest_client",
    "LiveServer": "live",
    "client": "webtest_client",
    "gen_test": "case",
    "get_async_test_timeout": "case",
    "main": "program",
    "setup_with_context_manager": "case",
}

if not TYPE_CHECKING:  # pragma: no branch - a type checker would take any name

    def __getattr__(name: str) -> Any:
        """Load what not every test needs when it is asked for."""
        place = _PLACES.get(name)
        if place is None:
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}", name=name
            )
        if place == "webtest_client":
            # It imports webob inside a filter for the warning of that import; webtest
            # does not.
            importlib.import_module("wsgitornado.httputil")
        try:
            module = importlib.import_module(f"{__name__}.{place}")
        except ModuleNotFoundError as error:
            if error.name != "webtest":
                raise
            raise ModuleNotFoundError(
                f"wsgitornado.testing.{name} is a client of webtest: pip install "
                "webtest",
                name="webtest",
            ) from error
        return getattr(module, name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
