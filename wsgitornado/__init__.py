"""The tornado.web programming model on WSGI."""

from __future__ import annotations

import importlib

from wsgitornado import _absent
from wsgitornado._version import version, version_info

# Not that of typing, whose import would take longer than everything else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from wsgitornado import (
        auth,
        autoreload,
        concurrent,
        escape,
        gen,
        httpclient,
        httpserver,
        httputil,
        ioloop,
        iostream,
        locale,
        locks,
        log,
        netutil,
        options,
        platform,
        process,
        pubsub,
        queues,
        routing,
        simple_httpclient,
        template,
        testing,
        util,
        web,
        websocket,
        wsgi,
    )

__all__ = [
    "auth",
    "autoreload",
    "concurrent",
    "escape",
    "gen",
    "httpclient",
    "httpserver",
    "httputil",
    "ioloop",
    "iostream",
    "locale",
    "locks",
    "log",
    "netutil",
    "options",
    "platform",
    "process",
    "pubsub",
    "queues",
    "routing",
    "simple_httpclient",
    "template",
    "testing",
    "util",
    "version",
    "version_info",
    "web",
    "websocket",
    "wsgi",
]

if not TYPE_CHECKING:  # pragma: no branch - a type checker would take any name

    def __getattr__(name: str) -> ModuleType:
        """Load a module when it is asked for; Python keeps it as an attribute."""
        full_name = f"{__name__}.{name}"
        if name in _absent.ADVICE:
            raise AttributeError(_absent.explain(full_name), name=name)
        if name not in __all__:
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}", name=name
            )
        return importlib.import_module(full_name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
