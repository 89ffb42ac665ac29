"""How programs call what takes its time: by awaiting it, or with a callback."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar, cast

from wsgitornado import gen
from wsgitornado.auth.errors import AuthError
from wsgitornado.concurrent import Future
from wsgitornado.log import gen_log
from wsgitornado.web import RequestHandler

__all__ = ["handler_of", "old_style", "redirects"]

_Method = TypeVar("_Method", bound=Callable[..., Coroutine[Any, Any, Any]])
_Callback = Callable[[Any], object]


def handler_of(mixin: object) -> RequestHandler:
    """The handler that a mixin is part of.

    The mixins are no subclasses of RequestHandler: programs may name it before them.
    """
    return cast("RequestHandler", mixin)


def old_style(method: _Method) -> _Method:
    """Let a coroutine method take a ``callback=``, as before Tornado 6.

    With one, also if it stands where older versions had it among the positional
    arguments, the method begins at once and returns nothing. The callback is called on
    the loop with the result; with None, after a line in the log, for an
    :exc:`AuthError`. Other errors, those of the callback too, end the request.
    """

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        callback, args = _take_callback(args, kwargs)
        if callback is None:
            return method(self, *args, **kwargs)
        future = begin(self, *args, **kwargs)
        future.add_done_callback(functools.partial(_call_back, self, callback))
        return None

    begin = gen.coroutine(method)
    return call  # type: ignore[return-value]  # the same signature


def redirects(method: _Method) -> _Method:
    """Let a coroutine method that ends the request be called and left to itself, too.

    That is how an ``@asynchronous`` handler does it. In others it is a coroutine like
    any, which begins when it is awaited. It takes a callback as with :func:`old_style`.
    """

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        callback, args = _take_callback(args, kwargs)
        if callback is not None:
            return with_callback(self, *args, callback=callback, **kwargs)
        if self._auto_finish:
            return method(self, *args, **kwargs)
        return _Begun(self, begin(self, *args, **kwargs))

    begin = gen.coroutine(method)
    with_callback: Callable[..., Any] = old_style(method)
    return call  # type: ignore[return-value]  # what is returned can be awaited


def _take_callback(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[_Callback | None, tuple[Any, ...]]:
    """Find the callback, and the other positional arguments.

    ``callback="name"``, a parameter of some APIs, is none.
    """
    given = kwargs.get("callback")
    if callable(given):
        return kwargs.pop("callback"), args
    for index, arg in enumerate(args):
        # An HTTP client may be a mock, which can be called.
        if callable(arg) and not hasattr(arg, "fetch"):
            return arg, args[:index] + args[index + 1 :]
    return None, args


def _call_back(handler: Any, callback: _Callback, future: Future[Any]) -> None:
    """On the loop: tell the program what has come of it."""
    if future.cancelled():
        return
    try:
        error = future.exception()
        if error is not None and not isinstance(error, AuthError):
            raise error
        if error is not None:
            gen_log.warning("%s", error)
        callback(None if error is not None else future.result())
    except Exception as failure:
        handler._handle_request_exception(failure)


class _Begun:
    """Something under way; its failure ends the request if nobody waits for it."""

    def __init__(self, handler: RequestHandler, future: Future[Any]) -> None:
        self._handler = handler
        self._future = future
        self._is_awaited = False
        future.add_done_callback(self._end)

    def __await__(self) -> Generator[Any, None, Any]:
        self._is_awaited = True
        return self._future.__await__()

    def _end(self, future: Future[Any]) -> None:
        if self._is_awaited or future.cancelled():
            return
        error = future.exception()
        if isinstance(error, Exception):
            self._handler._handle_request_exception(error)
