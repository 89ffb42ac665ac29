"""CORS: which pages of other sites may read answers, as the Fetch standard has it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

from wsgitornado._types import Settings, WSGIEnvironment
from wsgitornado.httputil.headers import HTTPHeaders, check_header_name
from wsgitornado.httputil.request import HTTPServerRequest
from wsgitornado.web.transforms import OutputTransform
from wsgitornado.web.vary import vary_by

__all__ = [
    "ALLOWED_HEADERS",
    "MAX_AGE",
    "CORSPolicy",
    "is_preflight",
    "preflight_headers",
]

#: The request headers that scripts may set unless told otherwise; the harmless ones
#: need no permission.
ALLOWED_HEADERS: Final = ("Authorization", "Content-Type", "X-Requested-With")

#: How many seconds a browser remembers the answer to a preflight unless told otherwise.
MAX_AGE: Final = 600

# An origin as browsers write it: in lower case, no path, not even a slash. "null", as
# every sandboxed page calls itself, is none.
_ORIGIN = re.compile(
    r"[a-z][a-z0-9+.-]*+://(?:\[[0-9a-f:.]++\]|[a-z0-9._~%-]++)(?::[0-9]{1,5})?+"
)


class CORSPolicy:
    """What pages of other sites may do.

    :param origins: a list of origins, compared letter by letter, ``"*"`` for any, or a
        function that gets an origin and says whether.
    :param credentials: whether their requests may carry cookies.
    :param headers: the request headers that they may set.
    :param exposed_headers: the headers of answers that they may read beside the usual.
    :param max_age: how many seconds a browser remembers this.
    :raises ValueError: for what no browser sends as an origin, and for any origin with
        credentials: every page of the world could read what users see here.
    """

    def __init__(
        self,
        origins: Collection[str] | Callable[[str], bool],
        credentials: bool = False,
        headers: Iterable[str] = ALLOWED_HEADERS,
        exposed_headers: Iterable[str] = (),
        max_age: int = MAX_AGE,
    ) -> None:
        self._is_allowed = _membership(origins)
        self.credentials = credentials
        self.headers = _header_names(headers, "cors_headers", credentials)
        self.exposed = _header_names(
            exposed_headers, "cors_exposed_headers", credentials
        )
        self.max_age = str(int(max_age))
        if self._is_allowed is None and credentials:
            raise ValueError(
                'cors_origins="*" does not go with cors_credentials: any page could '
                "read what a user sees here; list the origins"
            )
        #: Puts the headers on all answers.
        self.transform: type[OutputTransform] = type(
            "CORSHeaders", (_CORSHeaders,), {"policy": self}
        )

    @classmethod
    def from_settings(cls, settings: Settings) -> CORSPolicy | None:
        """The policy of an application; None without ``cors_origins``."""
        origins = settings.get("cors_origins")
        if origins is None:
            return None
        return cls(
            origins,
            settings.get("cors_credentials", False),
            settings.get("cors_headers", ALLOWED_HEADERS),
            settings.get("cors_exposed_headers", ()),
            settings.get("cors_max_age", MAX_AGE),
        )

    @property
    def depends_on_origin(self) -> bool:
        """Whether answers differ with the origin of the request, or its absence."""
        return self._is_allowed is not None

    def allowed_origin(self, origin: str | None) -> str | None:
        """The Access-Control-Allow-Origin for a request from there; None for none."""
        if self._is_allowed is None:
            return "*"
        if origin is None or not _ORIGIN.fullmatch(origin):
            return None
        return origin if self._is_allowed(origin) else None


class _CORSHeaders(OutputTransform):
    """Adds the headers of a policy to an answer, whatever has made it."""

    policy: CORSPolicy

    def __init__(self, request: HTTPServerRequest) -> None:
        super().__init__(request)
        self._origin: str | None = request.environ.get("HTTP_ORIGIN")

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        policy = self.policy
        if policy.depends_on_origin:
            # Without an Origin, too: a cache would give that answer to other sites.
            vary_by(headers, "Origin")
        allowed = policy.allowed_origin(self._origin)
        if allowed is not None:
            headers["Access-Control-Allow-Origin"] = allowed
            if policy.credentials:
                headers["Access-Control-Allow-Credentials"] = "true"
            if policy.exposed:
                headers["Access-Control-Expose-Headers"] = policy.exposed
        return status_code, headers, chunk


def is_preflight(environ: WSGIEnvironment) -> bool:
    """Whether an OPTIONS request is a browser's question about another request."""
    return "HTTP_ORIGIN" in environ and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ


def preflight_headers(
    policy: CORSPolicy, origin: str, methods: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """What the answer to a preflight has beside the headers of every answer.

    :param methods: those that the handler answers to.
    """
    if policy.allowed_origin(origin) is None:
        return
    yield "Access-Control-Allow-Methods", ", ".join(methods)
    if policy.headers:
        yield "Access-Control-Allow-Headers", policy.headers
    yield "Access-Control-Max-Age", policy.max_age


def _membership(origins: Any) -> Callable[[str], bool] | None:
    """A function that says whether an origin is allowed; None for any."""
    if callable(origins):
        asked: Callable[[str], bool] = origins
        return asked
    listed = frozenset([origins] if isinstance(origins, str) else origins)
    if listed == {"*"}:
        return None
    for origin in listed:
        if not (isinstance(origin, str) and _ORIGIN.fullmatch(origin)):
            raise ValueError(
                f"cors_origins has {origin!r}, which no browser sends: expected "
                "something like 'https://www.example.com', in lower case, without a "
                "path or a slash at the end"
            )
    return listed.__contains__


def _header_names(names: Iterable[str], setting: str, credentials: bool) -> str:
    """Names of headers as a header lists them."""
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")]
    checked = [check_header_name(name) for name in names]
    if credentials and "*" in checked:
        raise ValueError(f'with cors_credentials "*" in {setting} is no wildcard')
    return ", ".join(checked)
