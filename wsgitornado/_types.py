"""The shapes that cross files: what WSGI hands over and what settings look like."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = [
    "Body",
    "ExcInfo",
    "HeaderList",
    "Settings",
    "StartResponse",
    "WSGIApplication",
    "WSGIEnvironment",
    "Write",
]

#: What a WSGI application returns (PEP 3333: an iterable of byte strings).
Body = Iterable[bytes]

#: What ``start_response`` takes as its second argument: native strings in pairs.
HeaderList = list[tuple[str, str]]

#: What ``start_response`` returns: the old imperative way of sending output.
Write = Callable[[bytes], object]

#: ``sys.exc_info()`` of an exception that is being handled.
ExcInfo = tuple[type[BaseException], BaseException, Any]

#: The keyword arguments of an Application.
Settings = dict[str, Any]
