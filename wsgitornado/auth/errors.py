"""What signing in raises."""

from __future__ import annotations

from wsgitornado.web import HTTPError

__all__ = ["AuthError", "RefusedError"]


class AuthError(Exception):
    """Raised when somebody cannot be signed in.

    Either the provider has answered with something else than the protocol says; or the
    browser has brought what it should not: an answer to a question that we have not
    asked it, or one that the provider does not confirm. The latter is also a
    :exc:`wsgitornado.web.HTTPError` with status 400: if nobody catches it, the browser
    is told so, and nothing is wrong with the program.

    Messages are fit for the log: no token is in them.
    """

    __module__ = "wsgitornado.auth"


class RefusedError(AuthError, HTTPError):
    """An AuthError that is the fault of the browser: a 400."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)

    def __str__(self) -> str:
        return str(self.get_message())
