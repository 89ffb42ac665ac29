"""What a handler sends when something has failed."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Any, Final

from wsgitornado.escape import xhtml_escape
from wsgitornado.httputil.errors import (
    HTTPInputError,
    HTTPOutputError,
    StreamClosedError,
)
from wsgitornado.httputil.headers import responses
from wsgitornado.httputil.response import BrokenResponse, CollectedOutput, Response
from wsgitornado.log import app_log, gen_log
from wsgitornado.web.debug_page import (
    PAGE_HEADERS,
    Route,
    debug_page,
    prefers_html,
    rules_of,
)
from wsgitornado.web.errors import Finish, HTTPError
from wsgitornado.web.masking import Mask, secrets_of
from wsgitornado.web.output import STATUSES_WITHOUT_BODY, OutputChapter
from wsgitornado.web.tracebacks import format_traceback

__all__ = ["FailuresChapter"]

_ERROR_PAGE: Final = "<html><title>{0}: {1}</title><body>{0}: {1}</body></html>"


class FailuresChapter(OutputChapter):
    """RequestHandler's part about error pages and responses that break off."""

    _is_failing = False

    # Headers that the error page is to have.
    _error_headers: tuple[tuple[str, str], ...] = ()

    # The UI modules that the page has placed so far, by name; None before the first.
    _active_modules: dict[str, Any] | None = None

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer with an error page in place of what has been written, and finish.

        The page comes from :meth:`write_error`, which gets the keyword arguments. If
        the headers are gone already the response is broken off, so that the client
        sees that it is not whole.

        :param reason: the phrase beside the status.
        """
        if self._finished or (self._headers_written and not self._take_back()):
            gen_log.error("Cannot send error response after headers written")
            if not self._finished:
                self._break_off(_exception_of(kwargs) or HTTPError(status_code))
            return
        if self._is_failing:
            raise RuntimeError("send_error() was called by write_error()")
        self._is_failing = True
        status_code = _sendable(status_code)
        # What modules of the failed page wanted is nothing to the error page.
        self._active_modules = None
        try:
            self.clear()
            for name, value in self._error_headers:
                self.set_header(name, value)
            self._set_error_status(status_code, kwargs)
            if status_code != 304:
                # As in Tornado: a 304 has no page, nor has a 204 by default.
                self.write_error(status_code, **kwargs)
            if not self._finished:
                self.finish()
        except StreamClosedError as error:
            self._answer_without_page(status_code, error)
        except Exception as error:
            app_log.error("Uncaught exception in write_error", exc_info=True)
            self._answer_without_page(status_code, error)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the page of an error; override it for pages of your own.

        It may use ``write``, ``set_header`` and so on. ``kwargs["exc_info"]`` is there
        if an exception led here; the status is set already.

        With the setting ``serve_traceback`` this one sends the traceback, without
        secrets: a page to a browser, plain text to everyone else. An old program's
        ``get_error_html`` is called where it exists.
        """
        if hasattr(self, "get_error_html"):
            self._write_error_html(status_code, kwargs)
        elif self._status_code in STATUSES_WITHOUT_BODY:
            self.finish()
        elif self.settings.get("serve_traceback") and _exception_of(kwargs):
            self._write_traceback(*kwargs["exc_info"])
        else:
            self.finish(_ERROR_PAGE.format(status_code, xhtml_escape(self._reason)))

    def _write_traceback(
        self, _: Any, error: BaseException, trace: TracebackType | None
    ) -> None:
        """The traceback, as the client likes to read it."""
        path_kwargs = getattr(self, "path_kwargs", {})
        new_cookies = (self._new_cookies or {}).values()
        mask = Mask(secrets_of(self.request, self.settings, path_kwargs, new_cookies))
        plain = format_traceback(error, trace, mask)
        if prefers_html(self.request.environ.get("HTTP_ACCEPT", "")):
            try:
                page = self._debug_page(error, trace, plain, mask)
            except Exception:
                # The exception, or a route, has methods that fail.
                app_log.error("Uncaught exception in the debug page", exc_info=True)
            else:
                for name, value in PAGE_HEADERS:
                    self.set_header(name, value)
                self.finish(page)
                return
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        # Nothing in it may be taken for a page, whatever the browser thinks.
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(plain.encode("utf-8", "backslashreplace"))

    def _debug_page(
        self, error: BaseException, trace: TracebackType | None, plain: str, mask: Mask
    ) -> str:
        route = Route(
            rules_of(self.application.default_router, self.request),
            type(self),
            getattr(self, "path_args", []),
            getattr(self, "path_kwargs", {}),
        )
        status = f"{self._status_code} {self._reason}"
        return debug_page(error, trace, status, self.request, route, plain, mask)

    def _abandon(self) -> None:
        """Ctrl-C or the end of the process: the request is over all the same."""
        if not self._finished and not self._headers_written:
            self._status_code = 500
        self._end_contained()

    def _handle_request_exception(self, error: Exception) -> None:
        """Every exception of a request ends here, and is answered once."""
        if isinstance(error, Finish):
            if self._finished:
                return
            try:
                self.finish(*error.args)
                return
            except Exception as failure:
                error = failure
        if isinstance(error, StreamClosedError):
            # The client's right: no error of anybody's.
            if not self._finished:
                self._note_departure()
                self._break_off(error)
            return
        if isinstance(error, HTTPInputError):
            error = HTTPError(error.status_code, "%s", error)
        exc_info = (type(error), error, error.__traceback__)
        try:
            self.log_exception(*exc_info)
        except Exception:
            app_log.error("Error in exception logger", exc_info=True)
        if self._finished:
            # The answer is complete; there is nothing to put in its place.
            return
        status_code = error.status_code if isinstance(error, HTTPError) else 500
        self._answer_failure(status_code, exc_info)

    def _take_back(self) -> bool:
        """Undo a flush that only collected: True if nothing has left the process."""
        if isinstance(self._start_response, CollectedOutput) and not self._finished:
            self._start_response = CollectedOutput()
            self._headers_written = False
            return True
        return False

    def _break_off(self, error: BaseException) -> None:
        """End a response so that the client sees that it is not whole."""
        if isinstance(error, StreamClosedError) and error.real_error is not None:
            # The server's own error: it knows what to do about it.
            raised = error.real_error
        else:
            raised = HTTPOutputError(
                "the response broke off after its beginning had been sent: "
                f"{type(error).__name__}"
            )
        self._finished = True
        self._deliver(BrokenResponse(raised, self._end_contained))

    def _set_error_status(self, status_code: int, kwargs: dict[str, Any]) -> None:
        """The status of an error page; a reason that cannot be sent is left out."""
        error = _exception_of(kwargs)
        reason = kwargs.get("reason")
        if isinstance(error, HTTPError) and error.reason:
            reason = error.reason
        try:
            self.set_status(status_code, reason)
        except (TypeError, ValueError):
            self.set_status(status_code)

    def _write_error_html(self, status_code: int, kwargs: dict[str, Any]) -> None:
        """The error page of a program written for Tornado 2."""
        warnings.warn(
            "get_error_html is deprecated: override write_error",
            DeprecationWarning,
            stacklevel=4,
        )
        error = _exception_of(kwargs)
        if error is not None:
            kwargs = {**kwargs, "exception": error}
        self.finish(self.get_error_html(status_code, **kwargs))  # type: ignore[attr-defined]  # asked for above

    def _answer_failure(self, status_code: int, exc_info: Any) -> None:
        """Call ``send_error``, and answer where an override of it does not."""
        try:
            self.send_error(status_code, exc_info=exc_info)
        except Exception:
            app_log.error("Uncaught exception in send_error", exc_info=True)
        self._answer_without_page(status_code, exc_info[1])

    def _answer_without_page(self, status_code: int, error: BaseException) -> None:
        """Make good what the program's own methods have left unanswered."""
        if self._finished:
            return
        if self._headers_written and not self._take_back():
            self._break_off(error)
        else:
            self._send_bare_error(_sendable(status_code))

    def _send_bare_error(self, status_code: int) -> None:
        """The error page that no code of the program can spoil."""
        if status_code in STATUSES_WITHOUT_BODY:
            status_code = 500
        reason = responses.get(status_code, "Unknown")
        page = _ERROR_PAGE.format(status_code, xhtml_escape(reason)).encode("ascii")
        self._status_code = status_code
        self._finished = True
        self._end_contained()
        self._deliver(
            Response(
                f"{status_code} {reason}",
                [
                    ("Content-Type", "text/html; charset=UTF-8"),
                    ("Content-Length", str(len(page))),
                ],
                [] if self.request.method == "HEAD" else [page],
            )
        )


def _exception_of(kwargs: dict[str, Any]) -> BaseException | None:
    """The exception in the keyword arguments of ``send_error``."""
    exc_info = kwargs.get("exc_info")
    return exc_info[1] if exc_info else None


def _sendable(status_code: Any) -> int:
    """A status that a response can have: this one, or 500 and a line in the log."""
    if isinstance(status_code, int) and 200 <= status_code <= 999:
        return int(status_code)
    app_log.error("No response can have the status %r: 500 is sent", status_code)
    return 500
