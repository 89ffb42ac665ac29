"""What a handler raises to end a request."""

from __future__ import annotations

import copyreg
import reprlib
from typing import Any

from wsgitornado.httputil.headers import responses

__all__ = ["Finish", "HTTPError", "MissingArgumentError"]


class HTTPError(Exception):
    """Ends the request with an error response.

    The handler's ``write_error`` makes the page; one warning without a traceback goes
    to the log. Raise it from anywhere below a verb method.

    :param status_code: the status of the response; any three-digit number.
    :param log_message: a line for the log, with ``%s`` places that ``args`` fill. It
        reaches the client only where ``serve_traceback`` is set.
    :param reason: (keyword only) the phrase beside the number in the status line, by
        default the usual one, or "Unknown".
    """

    __module__ = "wsgitornado.web"

    def __init__(
        self,
        status_code: int = 500,
        log_message: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(status_code, log_message, *args)
        self.status_code = status_code
        self._log_message = log_message
        self.args = args
        self.reason: str | None = kwargs.get("reason")

    @property
    def log_message(self) -> str | None:
        """The message as a format for ``args``: without any, its ``%`` are doubled."""
        if self._log_message is not None and not self.args:
            return self._log_message.replace("%", "%%")
        return self._log_message

    def get_message(self) -> str | None:
        """The log message with its arguments filled in, or None without one.

        Arguments that do not fit, or that fail to become text, are appended rather
        than raised about: this runs while another error is being handled.
        """
        if self._log_message is None or not self.args:
            return self._log_message
        try:
            return self._log_message % self.args
        except Exception:
            # The arguments' own methods may raise anything; reprlib knows.
            return f"{self._log_message} {reprlib.repr(self.args)}"

    def __str__(self) -> str:
        phrase = self.reason or responses.get(self.status_code, "Unknown")
        message = self.get_message()
        detail = f" ({message})" if message else ""
        return f"HTTP {self.status_code}: {phrase}{detail}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status_code}, {self.get_message()!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # ``args`` are not what __init__ takes, in subclasses even less: an exception
        # of another process (a pool's) is restored without it.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]  # what pickle itself uses


class MissingArgumentError(HTTPError):
    """Raised by ``get_argument`` for an argument without default: a 400.

    :ivar arg_name: the name of the argument that the client left out.
    """

    __module__ = "wsgitornado.web"

    def __init__(self, arg_name: str) -> None:
        super().__init__(400, f"Missing argument {arg_name}")
        self.arg_name = arg_name


class Finish(Exception):
    """Ends the request without an error: what has been written so far is sent.

    An argument is passed on to ``finish()``: ``raise Finish({"done": True})``.
    """

    __module__ = "wsgitornado.web"
