"""What a request says on the wire, and the request that follows a redirect."""

from __future__ import annotations

import base64
import copy
import re
from dataclasses import dataclass
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from wsgitornado._version import version
from wsgitornado.httpclient.request import HTTPRequest
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.httputil.headers import encode_username_password

__all__ = [
    "Address",
    "check_request",
    "follow_redirect",
    "header_pairs",
    "read_url",
    "set_headers",
]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})

#: RFC 9110 section 15.4: those whose Location is the place to go to.
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_DEFAULT_PORTS = {"http": 80, "https": 443}

# Beside a space and what is not ASCII, which are quoted, a URL holds these.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_URL_SAFE = "".join(map(chr, range(0x21, 0x7F)))
# A name or an IPv4 address, or an IPv6 address, and perhaps a port.
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]+|\[[A-Za-z0-9:.%]+\])(?::[0-9]*)?"
)

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOT_IN_A_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

#: What tells of a body, and what tells who asks (RFC 9110 section 15.4).
_BODY_HEADERS = (
    "Content-Length",
    "Content-Type",
    "Content-Encoding",
    "Transfer-Encoding",
    "Expect",
)
_CREDENTIALS = ("Authorization", "Cookie", "Proxy-Authorization")


@dataclass(frozen=True)
class Address:
    """The parts of a URL that a request is made of.

    :ivar host: to connect to, in ASCII; an IPv6 address without brackets.
    :ivar authority: for the header ``Host``: as the URL has it, without user.
    :ivar target: path and query, quoted where need be.
    :ivar user: what comes before the ``@``, as the URL has it; None without.
    """

    scheme: str
    host: str
    port: int
    authority: str
    target: str
    user: str | None

    @property
    def origin(self) -> tuple[str, str, int]:
        """What credentials belong to (RFC 6454)."""
        return self.scheme, self.host, self.port


def read_url(url: str) -> Address:
    """Take a URL apart.

    Raises ValueError for another scheme than http and https, for control characters,
    and for a host or port that cannot be.
    """
    if _CONTROL.search(url) is not None:
        raise ValueError(f"Control characters in URL: {url!r}")
    parts = urlsplit(urldefrag(url).url)
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError(f"Unsupported url scheme: {url}")
    user, at, authority = parts.netloc.rpartition("@")
    host = parts.hostname or ""
    if not host.isascii():
        ascii_host = host.encode("idna").decode("ascii")
        authority = authority.lower().replace(host, ascii_host)
        host = ascii_host
    if _AUTHORITY.fullmatch(authority) is None:
        raise ValueError(f"No host in URL: {url!r}")
    port = _DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    return Address(
        scheme=parts.scheme,
        host=host,
        port=port,
        authority=authority,
        target=quote(target, safe=_URL_SAFE),
        user=user if at else None,
    )


def check_request(request: HTTPRequest) -> None:
    """Refuse what cannot be sent.

    :raises KeyError: for a method that is not allowed.
    :raises ValueError: for a body where none belongs, and the other way round, and for
        an unknown ``auth_mode``.
    """
    method = request.method
    if request.allow_nonstandard_methods:
        if _TOKEN.fullmatch(method) is None:
            raise ValueError(f"A method is a token (RFC 9110 section 9.1): {method!r}")
    else:
        if method not in _METHODS:
            raise KeyError(f"unknown method {method}")
        has_body = request.body is not None or request.body_producer is not None
        if has_body is not (method in _METHODS_WITH_BODY):
            raise ValueError(
                f"Body must {'' if has_body else 'not '}be None for method {method} "
                "(unless allow_nonstandard_methods is true)"
            )
    if request.auth_mode not in (None, "basic", "digest"):
        raise ValueError(f"unsupported auth_mode {request.auth_mode}")


def set_headers(request: HTTPRequest, address: Address) -> None:
    """Complete the headers of a request that is ours to change."""
    headers = request.headers
    # A connection for each request, as Tornado's client does: none is left over when a
    # loop ends.
    headers.setdefault("Connection", "close")
    headers.setdefault("Host", address.authority)
    credentials = _basic_credentials(request, address)
    if credentials is not None:
        headers["Authorization"] = f"Basic {base64.b64encode(credentials).decode()}"
    if request.user_agent:
        headers["User-Agent"] = request.user_agent
    else:
        headers.setdefault("User-Agent", f"wsgitornado/{version}")
    if request.expect_100_continue:
        headers["Expect"] = "100-continue"
    _set_framing(request)
    if request.method == "POST":
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    if request.decompress_response:
        headers["Accept-Encoding"] = "gzip"


def _basic_credentials(request: HTTPRequest, address: Address) -> bytes | None:
    if address.user is not None:
        name, _, password = address.user.partition(":")
        return encode_username_password(name, password)
    if request.auth_username is None or request.auth_mode == "digest":
        return None
    return encode_username_password(request.auth_username, request.auth_password or "")


def _set_framing(request: HTTPRequest) -> None:
    # RFC 9112 section 6: one length or chunks, and never what the caller says of both.
    headers = request.headers
    headers.pop("Transfer-Encoding", None)
    if request.body is not None:
        headers["Content-Length"] = str(len(request.body))
    elif request.body_producer is None:
        headers.pop("Content-Length", None)
        if request.method in _METHODS_WITH_BODY:
            headers["Content-Length"] = "0"
    elif "Content-Length" not in headers:
        headers["Transfer-Encoding"] = "chunked"


def header_pairs(headers: HTTPHeaders) -> list[tuple[bytes, bytes]]:
    """The header fields, encoded.

    :raises ValueError: for a name or value that could begin another line, or that no
        header can carry.
    :raises TypeError: for a value that is not text.
    """
    pairs = []
    for name, value in headers.get_all():
        if not isinstance(value, str):
            raise TypeError(f"Expected a str for header {name}: got {value!r}")
        line = f"{name}: {value}".encode("latin-1")
        if _TOKEN.fullmatch(name) is None or _NOT_IN_A_HEADER.search(value):
            raise ValueError(f"Illegal characters (CR or LF) in header: {line!r}")
        pairs.append((name.encode("ascii"), value.strip(" \t").encode("latin-1")))
    return pairs


def follow_redirect(
    request: HTTPRequest, code: int, location: str | None
) -> HTTPRequest | None:
    """The request to make after such an answer, or None if the answer is the end.

    :param request: the one that was answered, with all its headers.
    :raises ValueError: if the Location leads nowhere that a client can go.
    """
    left = request.max_redirects if request.follow_redirects else 0
    if not left or code not in _REDIRECTS or location is None:
        return None
    if _CONTROL.search(location) is not None:
        raise ValueError(f"Control characters in Location: {location!r}")
    following = copy.copy(request)
    following.headers = HTTPHeaders(request.headers)
    following.headers.pop("Host", None)
    following.max_redirects = left - 1
    # A header is bytes: those beyond ASCII stand for themselves.
    quoted = quote(location.encode("latin-1"), safe=_URL_SAFE)
    following.url = urljoin(request.url, quoted)
    came_from, goes_to = read_url(request.url), read_url(following.url)
    if goes_to.user is not None and goes_to.user != came_from.user:
        # Nobody but the caller says who it is.
        following.url = following.url.replace(f"{goes_to.user}@", "", 1)
    if goes_to.origin != came_from.origin:
        for name in _CREDENTIALS:
            following.headers.pop(name, None)
        following.auth_username = following.auth_password = None
    elif request.auth_mode == "digest" and request.auth_username is not None:
        # It is for one URL.
        following.headers.pop("Authorization", None)
    # 1. "See other" is asked for with GET, but HEAD stays as it is.
    # 2. Browsers take 301 and 302 after a POST for the same (RFC 9110 section 15.4.2).
    if (code == 303 and request.method != "HEAD") or (
        code in (301, 302) and request.method == "POST"
    ):
        following.method = "GET"
        following.body = following.body_producer = None
        following.expect_100_continue = False
        for name in _BODY_HEADERS:
            following.headers.pop(name, None)
    return following
