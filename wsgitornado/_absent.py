"""What Tornado has and WSGI has no place for, and what to use instead."""

from __future__ import annotations

# Only for a type checker: the package imports this file, and nothing else, at once.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["ADVICE", "explain", "refuse"]

_SERVER = "wsgitornado.httpserver serves HTTP, asyncio.start_server anything else"
_CLIENT = "use asyncio.open_connection"
_HTTP_CLIENT = "use wsgitornado.httpclient"

#: By name, below the package: a module, or a name in a module that exists.
ADVICE = {
    "curl_httpclient": _HTTP_CLIENT,
    "http1connection": _SERVER,
    "iostream.BaseIOStream": "use the streams of asyncio",
    "iostream.IOStream": _CLIENT,
    "iostream.PipeIOStream": "use wsgitornado.process.Subprocess",
    "iostream.SSLIOStream": f"{_CLIENT} with ssl=True",
    "iostream.StreamBufferFullError": "streams of asyncio raise LimitOverrunError",
    "iostream.UnsatisfiableReadError": "streams of asyncio raise IncompleteReadError",
    "stack_context": "it is gone since Tornado 6.0: use contextvars",
    "tcpclient": _CLIENT,
    "tcpserver": _SERVER,
}


def explain(name: str) -> str:
    """What to say about a name: ``wsgitornado.tcpserver``."""
    return f"there is no {name} on WSGI: {ADVICE[name.partition('.')[2]]}"


def refuse(name: str) -> NoReturn:
    """Raise the ImportError for a name."""
    raise ImportError(explain(name), name=name)
