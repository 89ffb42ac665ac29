"""What goes wrong between a message and its meaning, and whose fault it is."""

from __future__ import annotations

__all__ = ["HTTPInputError", "HTTPOutputError", "StreamClosedError"]


class HTTPInputError(Exception):
    """A request that breaks HTTP or one of our limits: the client's fault.

    Caught by the framework, which answers with ``status_code`` and logs one
    line without a traceback.

    :param status_code: the answer: 400, or 413, 414, 431, 501 where these say more.
    """

    def __init__(self, message: str = "", status_code: int = 400) -> None:
        super().__init__(message)
        self.status_code = status_code


class HTTPOutputError(Exception):
    """A response that would break HTTP: the programmer's fault.

    Raised where the handler makes the mistake, for instance when it writes more
    than the Content-Length that it set.
    """


class StreamClosedError(OSError):
    """Raised by ``flush()`` when the client has left: nobody takes the output.

    :ivar real_error: what the server said when it was given the output.
    """

    __module__ = "wsgitornado.web"

    def __init__(self, real_error: BaseException | None = None) -> None:
        super().__init__("the client has closed the connection")
        self.real_error = real_error
