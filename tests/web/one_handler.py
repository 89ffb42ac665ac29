"""Applications of one handler whose verbs are one function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tests.support import Answer, call
from wsgitornado.web import Application, RequestHandler

__all__ = ["answer", "application_of"]


def application_of(
    verb: Callable[[Any], object], base: type[RequestHandler], **settings: Any
) -> Application:
    """An application that answers GET, HEAD and POST of any path by *verb*.

    :param verb: called with the handler; takes the place of its methods.
    :param base: the class that the handler is derived from, with hooks of its own.
    """
    handler = type("Handler", (base,), dict.fromkeys(("get", "head", "post"), verb))
    return Application([(r"/.*", handler)], **settings)


def answer(
    verb: Callable[[Any], object],
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    base: type[RequestHandler] = RequestHandler,
    is_validated: bool = True,
    **settings: Any,
) -> Answer:
    """What a client gets from such an application."""
    application = application_of(verb, base, **settings)
    return call(application, "/", method, headers, is_validated=is_validated)
