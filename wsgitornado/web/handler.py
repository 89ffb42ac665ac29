"""RequestHandler: the verbs, and the course of one request through its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from wsgitornado import parking
from wsgitornado.concurrent import DONE
from wsgitornado.httputil.body import has_body
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.httputil.response import CollectedOutput
from wsgitornado.httputil.urls import is_valid_host, known_hosts
from wsgitornado.log import app_log
from wsgitornado.web.errors import Finish, HTTPError, StreamClosedError
from wsgitornado.web.protection import ProtectionChapter
from wsgitornado.web.transforms import OutputTransform
from wsgitornado.web.xsrf import SAFE_METHODS

__all__ = ["RequestHandler"]


class RequestHandler(ProtectionChapter):
    """Answers one request; subclass it and define ``get``, ``post`` and so on.

    One instance is made for each request, by the application, from the rule that
    matches its path. A verb method gets the groups of the pattern, by name if they
    are named, else by position.

    On a threaded server instances run beside each other: each in a thread of its own.
    """

    __module__ = "wsgitornado.web"

    # False in handlers that pass the body on without looking at it.
    _reads_body = True

    def get(self, *args: Any, **kwargs: Any) -> Any:
        raise HTTPError(405)

    def head(self, *args: Any, **kwargs: Any) -> Any:
        raise HTTPError(405)

    def post(self, *args: Any, **kwargs: Any) -> Any:
        raise HTTPError(405)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise HTTPError(405)

    def patch(self, *args: Any, **kwargs: Any) -> Any:
        raise HTTPError(405)

    def put(self, *args: Any, **kwargs: Any) -> Any:
        raise HTTPError(405)

    def options(self, *args: Any, **kwargs: Any) -> Any:
        raise HTTPError(405)

    def prepare(self) -> Awaitable[None] | None:
        """Called before the verb method, whichever it is; may be a coroutine.

        Override it for what all methods need. If it finishes the response the verb
        method does not run.
        """
        return None

    def _execute(
        self,
        transforms: Sequence[type[OutputTransform]],
        *args: bytes | None,
        **kwargs: bytes | None,
    ) -> Awaitable[None]:
        """Hop 5: method, body, ``prepare``, verb. Runs in the server's thread."""
        try:
            environ = self.request.environ
            self._transforms = self._make_transforms(transforms) if transforms else ()
            method = environ["REQUEST_METHOD"]
            if method not in self.SUPPORTED_METHODS:
                raise HTTPError(405)
            host = environ.get("HTTP_HOST")
            if host not in known_hosts and host and not is_valid_host(host):
                raise HTTPError(400, "Invalid Host header: %r", host[:80])
            self.path_args = self._decode_args(args) if args else []
            self.path_kwargs = self._decode_groups(kwargs) if kwargs else {}
            if "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
                self._read_body()
            if method not in SAFE_METHODS:
                self._refuse_forgery()
            result: Any = self.prepare()
            if result is not None:
                self._wait_for(result, "prepare")
            if not self._finished:
                verb = getattr(self, method.lower())
                result = verb(*self.path_args, **self.path_kwargs)
                if result is not None:
                    self._wait_for(result, method.lower())
                if self._auto_finish and not self._finished:
                    self.finish()
        except Exception as error:
            self._handle_request_exception(error)
        return DONE

    def _abandon(self) -> None:
        """Ctrl-C or the end of the process: the request is over all the same."""
        if not self._finished and not self._headers_written:
            self._status_code = 500
        self._end_contained()

    def _read_body(self) -> None:
        """The body whole, before any code of the program runs."""
        if self._reads_body and has_body(self.request.environ):
            self.request.read_body()

    def _make_transforms(
        self, transforms: Sequence[type[OutputTransform]]
    ) -> list[OutputTransform]:
        return [make(self.request) for make in transforms]

    def _decode_args(self, groups: Sequence[bytes | None]) -> list[str | None]:
        """The groups of the path as text; None where one took no part in the match."""
        texts: list[str | None] = []
        for group in groups:
            texts.append(None if group is None else self.decode_argument(group))
        return texts

    def _decode_groups(self, groups: dict[str, bytes | None]) -> dict[str, str | None]:
        return {
            name: None if group is None else self.decode_argument(group, name=name)
            for name, group in groups.items()
        }

    def _wait_for(self, result: Any, name: str) -> None:
        """Run what a method returned to its end on the background loop."""
        if not hasattr(result, "__await__"):
            raise TypeError(
                f"{name}() returned {type(result).__name__}: a handler's method "
                "returns None or an awaitable; use write() to send something"
            )
        if result is DONE:
            return
        of_server = self._start_response
        if not self._headers_written:
            self._start_response = CollectedOutput()
        try:
            parking.wait(result)
        finally:
            if not self._headers_written:
                # A plain verb after an asynchronous prepare has the server again.
                self._start_response = of_server

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
