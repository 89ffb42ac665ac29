"""CORSMixin: handlers that pages of other sites may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar

from wsgitornado.web.cors_policy import ALLOWED_HEADERS, MAX_AGE, CORSPolicy
from wsgitornado.web.handler import RequestHandler
from wsgitornado.web.transforms import OutputTransform

__all__ = ["CORSMixin"]


class CORSMixin(RequestHandler):
    """Lets scripts of other sites read what a handler answers (CORS).

    For a whole application there are the settings of the same names; a handler with
    this mixin has a policy of its own in their place::

        class TimeHandler(CORSMixin, RequestHandler):
            cors_origins = ["https://www.example.com"]

    The headers are on every answer, error pages too. A *preflight* (OPTIONS with the
    headers Origin and Access-Control-Request-Method) is answered before ``prepare``,
    with the verbs that the handler has.

    It allows reading. It forbids nothing: for that are ``xsrf_cookies`` and
    ``cross_origin_protection``.

    A class whose policy cannot be is a ValueError where it is defined.
    """

    __module__ = "wsgitornado.web"

    #: Origins, ``"*"`` for any, or a function of an origin that says whether. By
    #: default none, so that a class that forgets it allows nothing.
    cors_origins: ClassVar[Collection[str] | Callable[[str], bool]] = ()

    #: Whether requests may carry cookies; not with ``"*"``.
    cors_credentials: ClassVar[bool] = False

    #: The request headers that scripts may set.
    cors_headers: ClassVar[Iterable[str]] = ALLOWED_HEADERS

    #: The headers of the answer that scripts may read, beside the usual ones.
    cors_exposed_headers: ClassVar[Iterable[str]] = ()

    #: How many seconds a browser remembers the answer to a preflight.
    cors_max_age: ClassVar[int] = MAX_AGE

    _own_cors_policy: ClassVar[CORSPolicy] = CORSPolicy(())

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._own_cors_policy = CORSPolicy(
            cls.cors_origins,
            cls.cors_credentials,
            cls.cors_headers,
            cls.cors_exposed_headers,
            cls.cors_max_age,
        )

    def _cors_policy(self) -> CORSPolicy:
        return self._own_cors_policy

    def _execute(
        self,
        transforms: Sequence[type[OutputTransform]],
        *args: bytes | None,
        **kwargs: bytes | None,
    ) -> Awaitable[None]:
        common = super()._cors_policy()
        own = [t for t in transforms if common is None or t is not common.transform]
        own.append(self._own_cors_policy.transform)
        return super()._execute(own, *args, **kwargs)
