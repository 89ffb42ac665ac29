"""Request ids: one name for a request in its answer and in all lines of the log."""

from __future__ import annotations

import logging
import re
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

from wsgitornado.httputil.headers import HTTPHeaders
from wsgitornado.httputil.request import HTTPServerRequest
from wsgitornado.web.transforms import OutputTransform

__all__ = ["RequestIdFilter", "RequestIds", "current_request_id"]

# What may stand in any log: no blank, nothing that ends a line or a field, not long.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")

_current: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)


def current_request_id() -> str | None:
    """The id of the request that is being answered; None outside of one.

    For what has no handler at hand; a handler has ``self.request.request_id``. Set for
    all that a request runs, in its thread or on the loop, where the setting
    ``request_ids`` is on.
    """
    return _current.get()


class RequestIds(OutputTransform):
    """The setting ``request_ids``: gives each request an id, and tells the client.

    It is the client's own ``X-Request-Id``, if that is 1 to 128 letters, digits or
    ``._:+/=@-``, and otherwise a new one. It is in ``request.request_id``, in the
    answer's ``X-Request-Id``, and in log records by :class:`RequestIdFilter`.
    """

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        sent = request.environ.get("HTTP_X_REQUEST_ID", "")
        self._id: str = sent if _REQUEST_ID.fullmatch(sent) else uuid4().hex
        request.request_id = self._id
        # For an embedded application, and for requests that the program makes.
        request.environ["HTTP_X_REQUEST_ID"] = self._id
        # The context is that of this request: the application makes one for each.
        _current.set(self._id)

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        headers["X-Request-Id"] = self._id
        return status_code, headers, chunk


class RequestIdFilter(logging.Filter):
    """Gives each log record a ``request_id``, which is ``"-"`` outside of requests.

    Add it to the handlers of logging, since filters of loggers do not see what comes
    from below them, and put ``%(request_id)s`` into their format. A record that has one
    already, by ``extra=``, keeps it.
    """

    __module__ = "wsgitornado.web"

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id"):
            record.request_id = _current.get() or "-"
        return True
