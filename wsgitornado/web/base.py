"""The state that every handler has: its application, its request, and its settings."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from types import TracebackType
from typing import Any

from wsgitornado._types import Settings, StartResponse, WSGIApplication
from wsgitornado.httputil.request import HTTPServerRequest
from wsgitornado.log import app_log, gen_log, one_line
from wsgitornado.parked import ParkedResponse
from wsgitornado.web.errors import HTTPError
from wsgitornado.web.transforms import OutputTransform

__all__ = ["HandlerBase"]


class HandlerBase:
    """What the chapters of RequestHandler share."""

    #: The methods that may reach a verb method; any other is a 405. Extend it to add
    #: one: ``SUPPORTED_METHODS = RequestHandler.SUPPORTED_METHODS + ("PROPFIND",)``.
    SUPPORTED_METHODS: tuple[str, ...] = (
        "GET",
        "HEAD",
        "POST",
        "DELETE",
        "PATCH",
        "PUT",
        "OPTIONS",
    )

    #: The unnamed groups of the URL pattern, decoded; set before ``prepare`` is called.
    path_args: list[Any]

    #: The named groups, likewise.
    path_kwargs: dict[str, Any]

    # The state of the response. Class attributes are its beginning; those that every
    # request reads are stored in the instance too, where they are found faster.
    _auto_finish = True
    _finished = False
    _headers_written = False
    _status_code = 200
    _reason = "OK"
    _is_over = False
    _response: WSGIApplication | None = None
    # Where the output goes if the event loop makes it.
    _parked: ParkedResponse | None = None
    _start_response: StartResponse
    _write_buffer: list[bytes]
    _transforms: Sequence[OutputTransform] = ()
    # The Set-Cookie values of this response by the name of the cookie.
    _new_cookies: dict[str, str] | None = None

    #: The application that the handler belongs to. A program that subclasses it may
    #: say so: ``application: MyApplication``.
    application: Any

    def __init__(
        self, application: Any, request: HTTPServerRequest, **kwargs: Any
    ) -> None:
        self.application = application
        self.request = request
        self._finished = self._headers_written = self._is_over = False
        self._new_cookies = None
        self._transforms = ()
        self._parked = self._response = None
        request.limits = application.body_limits
        self.clear()
        self.initialize(**kwargs)

    def initialize(self) -> None:
        """Called for each request with the keyword arguments of the URL spec.

        Override it to take them: ``def initialize(self, database)`` for a rule
        ``(r"/", Handler, {"database": database})``. It may not be a coroutine.
        """

    def prepare(self) -> Awaitable[None] | None:
        """Called before the verb method, whichever it is; may be a coroutine.

        Override it for what all methods need. If it finishes the response the verb
        method does not run.
        """
        return None

    def clear(self) -> None:
        """Back to an empty response: status 200, default headers, nothing written.

        Cookies that were set stay, as in Tornado.
        """
        raise NotImplementedError  # pragma: no cover

    @property
    def settings(self) -> Settings:
        """The settings of the application."""
        settings: Settings = self.application.settings
        return settings

    def require_setting(self, name: str, feature: str = "this feature") -> None:
        """Raise unless the application has this setting.

        :param feature: what needs it, for the message.
        """
        if not self.application.settings.get(name):
            raise RuntimeError(
                f"You must define the '{name}' setting in your application "
                f"to use {feature}"
            )

    def reverse_url(self, name: str, *args: Any) -> str:
        """The URL path of the rule of this name, below the prefix we are mounted at.

        See :meth:`Application.reverse_url`; here ``SCRIPT_NAME`` is put before it.
        """
        path: str = self.application.reverse_url(name, *args)
        return self.request.script_path + path

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log an exception that ended the request; override it to log elsewhere.

        An :exc:`HTTPError` with a message is a warning on the general logger, without
        traceback; anything else an error with its traceback on the application's.
        """
        if isinstance(value, HTTPError):
            message = value.get_message()
            if message:
                gen_log.warning(
                    "%d %s: %s",
                    value.status_code,
                    self._request_summary(),
                    one_line(message),
                )
        else:
            app_log.error(
                "Uncaught exception %s\n%r",
                self._request_summary(),
                self.request,
                exc_info=(typ, value, tb),  # type: ignore[arg-type]  # as Tornado passes it
            )

    def _request_summary(self) -> str:
        """The request in a few words, for a line of the log."""
        request = self.request
        return one_line(f"{request.method} {request.uri} ({request.remote_ip})")
