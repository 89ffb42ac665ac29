"""What a request's head must keep, whichever parser has read it."""

from __future__ import annotations

import re
from typing import Final

from wsgitornado.httpserver.fields import TOKEN
from wsgitornado.httpserver.head import RequestError
from wsgitornado.httputil.urls import is_valid_host, known_hosts

__all__ = [
    "RequestHead",
    "StartLine",
    "check_head",
    "explain_refusal",
    "read_request_line",
]

#: A start line: method, target and version.
StartLine = tuple[str, str, tuple[int, int]]

_VERSIONS: Final = {"HTTP/1.1": (1, 1), "HTTP/1.0": (1, 0)}

# RFC 9112 section 2.3; what looks like this is a version, if none of ours.
_VERSION: Final = re.compile(r"HTTP/[0-9]\.[0-9]", re.ASCII)

_USUAL_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"}
)

# An absolute target, which is one for the proxy of its scheme (RFC 9112 section 3.2.2).
_ABSOLUTE: Final = re.compile(r"https?://([^/?]*)", re.IGNORECASE)

# No body is longer, and ``int`` takes quadratic time for endless digits.
_MOST_DIGITS: Final = 18


_CODING_LINE: Final = re.compile(
    rb"^transfer-encoding:(.*?)\r$", re.IGNORECASE | re.MULTILINE
)


class RequestHead:
    """A request without its body; everything about it has been checked.

    :ivar method: as sent: ``"GET"``.
    :ivar target: as sent: ``"/path?query"``, ``"*"``, or an absolute URL.
    :ivar version: ``(1, 1)`` or ``(1, 0)``.
    :ivar fields: the header fields under the names that WSGI gives them, repeated
        ones joined; without those that have an underscore in their name.
    :ivar content_length: of the body; None when there is none, or it is chunked.
    :ivar is_chunked: whether a chunked body follows.
    :ivar keep_alive: whether the client lets the connection be used again.
    :ivar expects_continue: whether the client waits for ``100 Continue``.
    :ivar upgrade: the protocol that the client would rather speak: ``"websocket"``.
    """

    __slots__ = (
        "content_length",
        "expects_continue",
        "fields",
        "is_chunked",
        "keep_alive",
        "method",
        "target",
        "upgrade",
        "version",
    )

    content_length: int | None
    upgrade: str | None

    def __init__(
        self,
        method: str,
        target: str,
        version: tuple[int, int],
        fields: dict[str, str],
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields
        self.content_length = self.upgrade = None
        self.is_chunked = self.expects_continue = False
        self.keep_alive = True

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The fields with their names in lower case: ``[("host", "example.com")]``."""
        return [
            (key.removeprefix("HTTP_").lower().replace("_", "-"), value)
            for key, value in self.fields.items()
        ]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.target}>"


def read_request_line(line: str) -> StartLine:
    """Split a request line as RFC 9112 section 3 has it: two single spaces."""
    try:
        method, target, protocol = line.split(" ")
    except ValueError:
        raise RequestError(400, "a malformed request line") from None
    if method not in _USUAL_METHODS and TOKEN.fullmatch(method) is None:
        raise RequestError(400, "a malformed method")
    version = _VERSIONS.get(protocol)
    if version is None:
        if _VERSION.fullmatch(protocol) is None:
            raise RequestError(400, "a malformed HTTP version")
        raise RequestError(505, "an HTTP version other than 1.0 and 1.1")
    # Visible ASCII, and no fragment.
    if not (target.isascii() and target.isprintable() and target) or "#" in target:
        raise RequestError(400, "a malformed request target")
    return method, target, version


def check_head(start_line: StartLine, fields: dict[str, str]) -> RequestHead:
    """Make a head of its parts.

    :raises RequestError: when target, host or framing are not as they must be, or the
        client expects what is unknown.
    """
    method, target, version = start_line
    head = RequestHead(method, target, version, fields)
    host = fields.get("HTTP_HOST")
    if host is None:
        if version != (1, 0):
            raise RequestError(400, "no Host")
    elif host not in known_hosts and not is_valid_host(host):
        raise RequestError(400, "an invalid Host")
    if not target.startswith("/") or method == "CONNECT":
        _check_target(head)
    if "CONTENT_LENGTH" in fields or "HTTP_TRANSFER_ENCODING" in fields:
        _check_framing(head)
    connection = fields.get("HTTP_CONNECTION", "")
    if connection != "keep-alive" and (connection or version == (1, 0)):
        _check_connection(head, connection)
    if "HTTP_EXPECT" in fields:
        _check_expectation(head)
    return head


def _check_target(head: RequestHead) -> None:
    # RFC 9112 section 3.2. The first form, a path, needs no check.
    if head.method == "CONNECT":
        raise RequestError(501, "CONNECT is for proxies")
    match = _ABSOLUTE.match(head.target)
    if match is not None:
        host = match[1]
        if not is_valid_host(host):
            raise RequestError(400, "an invalid host in the request target")
        # Section 3.2.2: the target's host counts, whatever the field says.
        head.fields = {**head.fields, "HTTP_HOST": host}
    elif head.target != "*" or head.method != "OPTIONS":
        raise RequestError(400, "a malformed request target")


def _check_framing(head: RequestHead) -> None:
    """Find how long the body is; RFC 9112 section 6.3, without any leniency."""
    fields = head.fields
    coding = fields.get("HTTP_TRANSFER_ENCODING")
    length = fields.get("CONTENT_LENGTH")
    # 1. Both: somebody on the way may have believed the other one.
    if coding is not None and length is not None:
        raise RequestError(400, "Content-Length together with Transfer-Encoding")
    # 2. Transfer-Encoding: "chunked", once, in HTTP/1.1.
    if coding is not None:
        if head.version == (1, 0):
            raise RequestError(400, "Transfer-Encoding in HTTP/1.0")
        if coding.lower() != "chunked":
            _refuse_coding(coding)
        head.is_chunked = True
        return
    # 3. Content-Length: digits, no sign, no list. Equal ones twice are refused above.
    assert length is not None
    if not (length.isascii() and length.isdigit()):
        raise RequestError(400, "a malformed Content-Length")
    if len(length) > _MOST_DIGITS:
        raise RequestError(413, "a Content-Length beyond all bounds")
    head.content_length = int(length)


def explain_refusal(head: bytes, message: str) -> RequestError:
    """What a library's refusal of a head is to be answered with.

    400, unless it is about a transfer coding that there may well be: libraries differ
    about these, and the answer shall not.
    """
    coding = b",".join(_CODING_LINE.findall(head)).decode("latin-1").strip(" \t")
    if coding and coding.lower() != "chunked":
        try:
            _refuse_coding(coding)
        except RequestError as error:
            return error
    return RequestError(400, message)


def _refuse_coding(coding: str) -> None:
    # Section 6.1: 501 for a coding that is unknown; 6.3: 400 where "chunked" is not
    # the last one, because the end of the body is anybody's guess then.
    *others, last = [name.strip(" \t").lower() for name in coding.split(",")]
    are_codings = all(TOKEN.fullmatch(name) for name in others)
    if last == "chunked" and "chunked" not in others and are_codings:
        raise RequestError(501, "a transfer coding other than chunked")
    raise RequestError(400, "a malformed Transfer-Encoding")


def _check_connection(head: RequestHead, connection: str) -> None:
    # RFC 9112 section 9.3, RFC 9110 section 7.8 (Upgrade means nothing in HTTP/1.0).
    options = {option.strip(" \t").lower() for option in connection.split(",")}
    if head.version == (1, 0):
        head.keep_alive = "keep-alive" in options and "close" not in options
    else:
        head.keep_alive = "close" not in options
        if "upgrade" in options:
            head.upgrade = head.fields.get("HTTP_UPGRADE") or None


def _check_expectation(head: RequestHead) -> None:
    # RFC 9110 section 10.1.1: from HTTP/1.0 it is to be ignored.
    if head.version == (1, 0):
        return
    if head.fields["HTTP_EXPECT"].lower() != "100-continue":
        raise RequestError(417, "an expectation other than 100-continue")
    # Without a body there is nothing to wait for.
    head.expects_continue = head.is_chunked or bool(head.content_length)
