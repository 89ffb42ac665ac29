"""RequestHandler: the verbs, and the course of one request through its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Final

from wsgitornado.concurrent import DONE
from wsgitornado.httputil.body import has_body
from wsgitornado.httputil.urls import is_valid_host, known_hosts
from wsgitornado.web.cors_policy import CORSPolicy, is_preflight, preflight_headers
from wsgitornado.web.errors import HTTPError
from wsgitornado.web.transforms import OutputTransform
from wsgitornado.web.waiting import WaitingChapter
from wsgitornado.web.xsrf import SAFE_METHODS

__all__ = ["RequestHandler"]

#: The methods that need no look before ``prepare``; OPTIONS may be a preflight.
_READING_METHODS: Final = SAFE_METHODS - {"OPTIONS"}


class RequestHandler(WaitingChapter):
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

    def _execute(  # noqa: C901  # a list of steps; a call for some would cost every request
        self,
        transforms: Sequence[type[OutputTransform]],
        *args: bytes | None,
        **kwargs: bytes | None,
    ) -> Awaitable[None]:
        """Hop 5: method, body, ``prepare``, verb. Runs in the server's thread.

        What has to be waited for it leaves to the loop; then the response is parked.
        """
        try:
            environ = self.request.environ
            self._transforms = self._make_transforms(transforms) if transforms else ()
            method = environ["REQUEST_METHOD"]
            if method not in self.SUPPORTED_METHODS:
                if method == "OPTIONS" and self._answers_preflight():
                    return DONE
                raise HTTPError(405)
            host = environ.get("HTTP_HOST")
            if host not in known_hosts and host and not is_valid_host(host):
                raise HTTPError(400, "Invalid Host header: %r", host[:80])
            self.path_args = self._decode_args(args) if args else []
            self.path_kwargs = self._decode_groups(kwargs) if kwargs else {}
            if "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
                self._read_body()
            if method not in _READING_METHODS:
                if method != "OPTIONS":
                    self._refuse_forgery()
                elif self._answers_preflight():
                    return DONE
            if self._is_special and self._is_for_loop(method):
                return self._park(self._run)
            result: Any = self.prepare()
            if result is not None and result is not DONE:
                return self._park_result(result, "prepare")
            if not self._finished:
                verb = getattr(self, method.lower())
                result = verb(*self.path_args, **self.path_kwargs)
                if result is not None and result is not DONE:
                    return self._park_result(result, method.lower())
                if not self._finished:
                    if self._auto_finish:
                        return self.finish()
                    return self._park_until_finished()
        except Exception as error:
            self._handle_request_exception(error)
        return DONE

    def _cors_policy(self) -> CORSPolicy | None:
        """What pages of other sites may do here: the settings, by default."""
        policy: CORSPolicy | None = self.application.cors_policy
        return policy

    def _answers_preflight(self) -> bool:
        """Answer a browser that asks for a page of another site, before any check.

        It asks without cookies, so ``prepare`` could only refuse it. A handler without
        verbs has nothing to allow: it answers as always, ErrorHandler with its 404.
        """
        policy, environ = self._cors_policy(), self.request.environ
        if policy is None or not is_preflight(environ):
            return False
        methods = [m for m in self.SUPPORTED_METHODS if self._defines(m.lower())]
        if not methods:
            return False
        self.set_status(204)
        for name, value in preflight_headers(policy, environ["HTTP_ORIGIN"], methods):
            self.set_header(name, value)
        self.finish()
        return True

    def _defines(self, verb: str) -> bool:
        method = getattr(type(self), verb, None)
        return method is not getattr(RequestHandler, verb, None)

    def _read_body(self) -> None:
        """The body whole, before any code of the program runs."""
        if self._streams_body:
            self.request.leave_body()
        elif self._reads_body and has_body(self.request.environ):
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
