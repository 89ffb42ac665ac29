"""Header fields, start lines and header values: kept, checked, read and written."""

from __future__ import annotations

import calendar
import datetime
import email.utils
import functools
import http.client
import math
import numbers
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, NamedTuple, TypeVar, final, overload
from urllib.parse import unquote_to_bytes

from wsgitornado._types import WSGIEnvironment
from wsgitornado.httputil.errors import HTTPInputError

__all__ = [
    "HOP_BY_HOP",
    "HOP_BY_HOP_NAMES",
    "HTTPHeaders",
    "RequestStartLine",
    "ResponseStartLine",
    "check_header_name",
    "check_reason",
    "convert_header_value",
    "encode_username_password",
    "format_timestamp",
    "http_date",
    "parse_request_start_line",
    "parse_response_start_line",
    "responses",
]

_Default = TypeVar("_Default")

#: Status codes and their phrases: ``http.client.responses`` itself, as in Tornado.
responses = http.client.responses

#: Fields that belong to one connection and so to the server, in lower case: those that
#: PEP 3333 ("Other HTTP Features") keeps applications from sending. The same set as
#: ``wsgiref.util.is_hop_by_hop``; see RFC 9110 section 7.6.1.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)

# Clients choose names, so both bounds are needed: this many names, none longer.
_CACHED_NAMES = 1000
_LONGEST_CACHED_NAME = 100

# How much of a client's text is repeated in an error message.
_SHOWN = 100

# RFC 9110 section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

# What neither a field value (RFC 9110 section 5.5) nor a reason phrase (RFC 9112
# section 4) may hold: control characters but the tab, and what is not latin-1.
_NOT_CARRIED = re.compile(r"[^\t\x20-\x7e\x80-\xff]")

# RFC 9112 sections 3 and 4, without the line end.
_REQUEST_LINE = re.compile(
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e\x80-\xff]+) (HTTP/[0-9]\.[0-9])"
)
_STATUS_LINE = re.compile(r"(HTTP/[0-9]\.[0-9]) ([0-9]{3}) ([\t\x20-\x7e\x80-\xff]*)")


class _NameCache(dict[str, str]):
    """What *make* gives for a name, remembered within bounds.

    A dictionary that fills itself costs half of ``lru_cache``. When it is full it
    starts again from nothing: the names in use come back with their next use.
    """

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[str], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, name: str) -> str:
        made = self._make(name)
        if len(name) <= _LONGEST_CACHED_NAME:
            if len(self) >= _CACHED_NAMES:
                self.clear()
            self[name] = made
        return made


def _normalize(name: str) -> str:
    # "x-FOO_bar" -> "X-Foo_bar"
    return "-".join([word.capitalize() for word in name.split("-")])


def _normalize_environ_key(key: str) -> str:
    # "HTTP_X_FOO" -> "X-Foo"; "" for what is no header. CONTENT_TYPE and
    # CONTENT_LENGTH stand in environ without HTTP_ (RFC 3875 section 4.1), so that
    # HTTP_CONTENT_TYPE can only come from a field spelled "Content_Type".
    if not key.startswith("HTTP_"):
        return ""
    if key in {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"}:
        return ""
    return _normalize(key[5:].replace("_", "-"))


def _check_and_normalize(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a header name is a str: got {name!r}")
    if _TOKEN.fullmatch(name) is None:
        raise ValueError(
            f"Invalid header name {name!r}: expected letters, digits and hyphens "
            f"(a token, see RFC 9110 section 5.6.2)"
        )
    return _normalize(name)


_normalized = _NameCache(_normalize)
_checked = _NameCache(_check_and_normalize)
_environ_names = _NameCache(_normalize_environ_key)

#: :data:`HOP_BY_HOP` as :class:`HTTPHeaders` writes names: ``Keep-Alive``.
HOP_BY_HOP_NAMES = frozenset(map(_normalize, HOP_BY_HOP))


@final
class _Several(list[str]):
    """The values of a field that came more than once."""

    __slots__ = ()


class HTTPHeaders(MutableMapping[str, str]):
    """Header fields: names in any letter case, each with one or several values.

    Made like a ``dict``: from a mapping, from pairs, from keywords. A copy made from
    another ``HTTPHeaders`` alone keeps repeated fields apart. Iteration gives names
    as ``Content-Type`` and ``Etag``.

    ``headers[name]`` joins repeated values with a comma (RFC 9110 section 5.3) and
    raises ``KeyError`` when there is none; :meth:`get_list` keeps them apart. Setting
    a value replaces all earlier ones and checks nothing; :meth:`add` keeps them and
    checks.

    >>> headers = HTTPHeaders({"content-type": "text/html"})
    >>> headers.add("Set-Cookie", "a=1")
    >>> headers.add("set-cookie", "b=2")
    >>> headers["CONTENT-TYPE"], headers.get_list("Set-Cookie")
    ('text/html', ['a=1', 'b=2'])
    """

    __module__ = "wsgitornado.httputil"
    __slots__ = ("_may_repeat", "_values")

    # A plain string is by far the commonest value, so it is not put in a list.
    _values: dict[str, str | _Several]
    # False: no value is a _Several. True: look.
    _may_repeat: bool

    def __init__(self, *args: Any, **kwargs: str) -> None:
        self._values = {}
        self._may_repeat = False
        if args or kwargs:
            if len(args) == 1 and not kwargs and isinstance(args[0], HTTPHeaders):
                self._take(args[0])
            else:
                self.update(*args, **kwargs)

    def _take(self, other: HTTPHeaders) -> None:
        values = other._values.copy()
        if other._may_repeat:
            for name, value in values.items():
                if type(value) is _Several:
                    values[name] = _Several(value)
        self._values = values
        self._may_repeat = other._may_repeat

    @classmethod
    def from_trusted(cls, values: dict[str, str]) -> HTTPHeaders:
        """Keep *values* itself: checked values under names as ``Content-Type``."""
        headers = cls.__new__(cls)
        headers._values = values  # type: ignore[assignment] # a plain str is allowed
        headers._may_repeat = False
        return headers

    @classmethod
    def from_environ(cls, environ: WSGIEnvironment) -> HTTPHeaders:
        """Collect the request's fields from a WSGI environ.

        Repeated fields have already been joined by the server. An empty CONTENT_TYPE
        or CONTENT_LENGTH means none (PEP 3333); what is not a string is skipped.
        """
        names = _environ_names
        values = {}
        for key, value in environ.items():
            name = names[key]
            if name and isinstance(value, str):
                values[name] = value
        content_type = environ.get("CONTENT_TYPE")
        if content_type and isinstance(content_type, str):
            values["Content-Type"] = content_type
        content_length = environ.get("CONTENT_LENGTH")
        if content_length and isinstance(content_length, str):
            values["Content-Length"] = content_length
        return cls.from_trusted(values)

    @classmethod
    def parse(cls, headers: str) -> HTTPHeaders:
        """Read the lines of a header section, each as :meth:`parse_line` does.

        >>> HTTPHeaders.parse("Content-Type: text/html\\r\\nContent-Length: 42\\r\\n")
        <HTTPHeaders: Content-Type, Content-Length>
        """
        made = cls()
        *lines, last = headers.split("\n")
        for line in lines:
            made.parse_line(line + "\n")
        made.parse_line(last)
        return made

    def parse_line(self, line: str) -> None:
        """Add the field of one line, with or without its line end.

        An empty line adds nothing. Raises :exc:`HTTPInputError` for a line without a
        colon, for a name or value that :meth:`add` refuses, and for a folded line
        (RFC 9112 section 5.2 allows a server to refuse it).
        """
        if line.endswith("\n"):
            line = line[:-2] if line.endswith("\r\n") else line[:-1]
        if not line:
            return
        if line[0] in " \t":
            raise HTTPInputError("a header line starts with whitespace (folding)")
        name, colon, value = line.partition(":")
        if not colon:
            raise HTTPInputError(f"no colon in header line {line!r:.{_SHOWN}}")
        self.add(name, value.strip(" \t"))

    def add(self, name: str, value: str | bytes) -> None:
        """Add one value, keeping those that are there.

        Raises :exc:`HTTPInputError` for a name that is no token and for a value with
        control characters, with text outside latin-1, or with whitespace around it.
        """
        text = value.decode("utf-8") if isinstance(value, bytes) else value
        if _TOKEN.fullmatch(name) is None:
            raise HTTPInputError(f"Invalid header name {name!r:.{_SHOWN}}")
        if _NOT_CARRIED.search(text) is not None or text != text.strip(" \t"):
            raise HTTPInputError(f"Invalid header value {text!r:.{_SHOWN}}")
        self.add_trusted(_normalized[name], text)

    def add_trusted(self, name: str, value: str) -> None:
        """Add a value that was checked, under a name as ``Content-Type``."""
        values = self._values
        old = values.get(name)
        if old is None:
            values[name] = value
        elif type(old) is _Several:
            old.append(value)
        else:
            values[name] = _Several((old, value))
            self._may_repeat = True

    def get_list(self, name: str) -> list[str]:
        """All values of a field, in order; an empty list when there is none."""
        value = self._values.get(_normalized[name])
        if value is None:
            return []
        return list(value) if type(value) is _Several else [value]

    def get_all(self) -> Iterable[tuple[str, str]]:
        """All fields as pairs; a repeated field gives a pair for each value."""
        for name, value in self._values.items():
            if type(value) is _Several:
                for one in value:
                    yield name, one
            else:
                yield name, value

    def items_list(self) -> list[tuple[str, str]]:
        """What :meth:`get_all` gives, as a new list: what ``start_response`` takes."""
        if self._may_repeat:
            return list(self.get_all())
        return list(self._values.items())  # type: ignore[arg-type] # nothing repeats

    def end_to_end(self) -> list[tuple[str, str]]:
        """:meth:`items_list` without the fields that PEP 3333 leaves to the server."""
        pairs = self.items_list()
        if HOP_BY_HOP_NAMES.isdisjoint(self._values):
            return pairs
        return [pair for pair in pairs if pair[0] not in HOP_BY_HOP_NAMES]

    @overload
    def get(self, name: str, default: None = None) -> str | None: ...
    @overload
    def get(self, name: str, default: str) -> str: ...
    @overload
    def get(self, name: str, default: _Default) -> str | _Default: ...
    def get(self, name: str, default: object = None) -> object:
        """The value, joined as ``headers[name]`` is, or *default*."""
        value = self._values.get(_normalized[name], default)
        return ",".join(value) if type(value) is _Several else value

    def __getitem__(self, name: str) -> str:
        value = self._values[_normalized[name]]
        return ",".join(value) if type(value) is _Several else value

    def __setitem__(self, name: str, value: str) -> None:
        self._values[_normalized[name]] = value

    def __delitem__(self, name: str) -> None:
        del self._values[_normalized[name]]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _normalized[name] in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def copy(self) -> HTTPHeaders:
        """An independent copy; repeated fields stay apart."""
        return HTTPHeaders(self)

    __copy__ = copy

    def __str__(self) -> str:
        return "".join([f"{name}: {value}\n" for name, value in self.get_all()])

    def __repr__(self) -> str:
        # Values may be secrets (cookies, credentials): a traceback shows names only.
        return f"<{type(self).__name__}: {', '.join(self._values)}>"


def check_header_name(name: str) -> str:
    """Return *name* as ``Content-Type`` is written, ready for ``add_trusted``.

    Raises ``ValueError`` when it is empty or no token (RFC 9110 section 5.6.2), and
    ``TypeError`` when it is no ``str``.
    """
    return _checked[name]


def convert_header_value(value: str | bytes | int | datetime.datetime) -> str:
    """Return the text that a header carries for *value*.

    Bytes are taken as latin-1, a datetime becomes an HTTP date; a bool is an int, and
    reads ``True``. Raises ``TypeError`` for any other type, and ``ValueError`` for
    control characters (a tab may stay) and for text outside latin-1.
    """
    if type(value) is str and value.isascii() and value.isprintable():
        return value
    if isinstance(value, str):
        text = str.__str__(value)  # of a subclass: PEP 3333 wants a plain str
    elif isinstance(value, bytes):
        text = value.decode("latin-1")
    elif isinstance(value, (int, numbers.Integral)):
        text = str(value)
    elif isinstance(value, datetime.datetime):
        return format_timestamp(value)
    else:
        raise TypeError(
            f"Unsupported header value {value!r}: expected str, bytes, int or "
            f"datetime, got {type(value).__name__}"
        )
    _check_carried(text, "header value")
    return text


def check_reason(reason: str) -> str:
    """Return *reason* if a status line can carry it (RFC 9112 section 4).

    Raises ``ValueError`` for control characters (a tab may stay) and for text outside
    latin-1, ``TypeError`` for what is no ``str``.
    """
    if not isinstance(reason, str):
        raise TypeError(f"a reason is a str: got {reason!r}")
    _check_carried(reason, "reason")
    return str.__str__(reason)


def _check_carried(text: str, what: str) -> None:
    found = _NOT_CARRIED.search(text)
    if found is None:
        return
    if ord(found[0]) < 0x100:
        raise ValueError(
            f"Unsafe {what} {text!r}: control characters are not allowed "
            f"(RFC 9110 section 5.5)"
        )
    raise ValueError(
        f"Unsafe {what} {text!r}: HTTP carries only latin-1 here; encode the text "
        f"first, for instance with wsgitornado.escape.url_escape"
    )


class RequestStartLine(NamedTuple):
    """The first line of a request: ``GET /path HTTP/1.1``."""

    method: str
    path: str
    version: str


class ResponseStartLine(NamedTuple):
    """The first line of a response: ``HTTP/1.1 200 OK``."""

    version: str
    code: int
    reason: str


# Users see the face (mypy takes no such line inside a NamedTuple).
RequestStartLine.__module__ = "wsgitornado.httputil"
ResponseStartLine.__module__ = "wsgitornado.httputil"


def parse_request_start_line(line: str) -> RequestStartLine:
    """Read a request line, given without its line end (RFC 9112 section 3).

    Raises :exc:`HTTPInputError` when it is malformed or not of HTTP/1.

    >>> parse_request_start_line("GET /path HTTP/1.1")
    RequestStartLine(method='GET', path='/path', version='HTTP/1.1')
    """
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise HTTPInputError("Malformed HTTP request line")
    _check_version(match[3])
    return RequestStartLine(match[1], match[2], match[3])


def parse_response_start_line(line: str) -> ResponseStartLine:
    """Read a status line, given without its line end (RFC 9112 section 4).

    Raises :exc:`HTTPInputError` when it is malformed or not of HTTP/1.

    >>> parse_response_start_line("HTTP/1.1 404 Not Found")
    ResponseStartLine(version='HTTP/1.1', code=404, reason='Not Found')
    """
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise HTTPInputError("Error parsing response start line")
    _check_version(match[1])
    return ResponseStartLine(match[1], int(match[2]), match[3])


def _check_version(version: str) -> None:
    if not version.startswith("HTTP/1."):
        raise HTTPInputError(f"Unexpected HTTP version {version!r}")


def format_timestamp(
    ts: float | tuple[int, ...] | time.struct_time | datetime.datetime,
) -> str:
    """Write a time as HTTP does (RFC 9110 section 5.6.7).

    :param ts: seconds since 1970 as ``time.time`` gives them, a tuple in UTC as
        ``time.gmtime`` gives it, or a datetime (a naive one counts as UTC).

    Raises ``TypeError`` for anything else and ``ValueError`` for a time that no HTTP
    date can name: years 1 to 9999.

    >>> format_timestamp(1359312200)
    'Sun, 27 Jan 2013 18:43:20 GMT'
    """
    if isinstance(ts, (int, float)):
        seconds = ts
    elif isinstance(ts, tuple):
        seconds = calendar.timegm(ts)
    elif isinstance(ts, datetime.datetime):
        seconds = calendar.timegm(ts.utctimetuple())
    else:
        raise TypeError(
            f"unknown timestamp type: {ts!r}: expected seconds, a time tuple or a "
            f"datetime"
        )
    try:
        return _format_seconds(math.floor(seconds))
    except (OverflowError, OSError):
        raise ValueError(f"timestamp {ts!r} is out of range") from None


def http_date(now: float | None = None) -> str:
    """The text of a Date header, by default for now; formatted once a second."""
    return _format_seconds(int(time.time() if now is None else now))


@functools.lru_cache(maxsize=64)  # this second, expiry dates, files being served
def _format_seconds(seconds: int) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return email.utils.format_datetime(moment, usegmt=True)


def encode_username_password(username: str | bytes, password: str | bytes) -> bytes:
    """Join credentials as HTTP Basic authentication does, before base64.

    Text is composed (NFC) and encoded as UTF-8 (RFC 7617 section 2.1); bytes are
    taken as they are.
    """
    return _encode_credential(username) + b":" + _encode_credential(password)


def _encode_credential(text: str | bytes) -> bytes:
    if isinstance(text, str):
        return unicodedata.normalize("NFC", text).encode("utf-8")
    if isinstance(text, bytes):
        return text
    raise TypeError(f"expected str or bytes: got {text!r}")


# A quoted string hides the semicolons in it; one that is left open ends with the text.
# Every repetition is possessive: nothing is tried twice.
_QUOTED_OR_SEMICOLON = re.compile(r'"(?:[^"\\]++|\\.?)*+"?|;', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')
# RFC 2231 sections 3 and 4: "name*", "name*0", "name*0*".
_EXTENDED_NAME = re.compile(r"([^*]++)\*(?:([0-9]{1,4}+)(\*)?)?")
# RFC 8187 section 3.2.1 asks for UTF-8; a charset from a client names no other codec,
# because some of Python's take quadratic time or do something else entirely.
_EXTENDED_CHARSETS = {"iso-8859-1": "latin-1", "us-ascii": "ascii"}


class _Section(NamedTuple):
    number: int
    text: str
    is_encoded: bool


def _parse_header(line: str) -> tuple[str, dict[str, str]]:
    """Split a value such as Content-Disposition's into its head and parameters.

    Names come in lower case, values without quotes, and RFC 2231 names
    (``filename*=UTF-8''...``) decoded under their plain name. What is malformed is
    left out or kept as text; nothing raises.

    >>> _parse_header('form-data; name="a"; filename="b.txt"')
    ('form-data', {'name': 'a', 'filename': 'b.txt'})
    """
    head, *parameters = _split_parameters(line)
    plain: dict[str, str] = {}
    extended: dict[str, list[_Section]] = {}
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not equals:
            continue
        name = name.strip().lower()
        value = _unquote(value.strip())
        match = _EXTENDED_NAME.fullmatch(name) if "*" in name else None
        if match is None:
            plain[name] = value
        else:
            number = match[2]
            section = _Section(
                int(number or 0), value, number is None or match[3] is not None
            )
            extended.setdefault(match[1], []).append(section)
    for name, sections in extended.items():
        plain[name] = _join_sections(sections)
    return head.strip(), plain


def _split_parameters(line: str) -> list[str]:
    parts = []
    start = 0
    for match in _QUOTED_OR_SEMICOLON.finditer(line):
        if match[0] == ";":
            parts.append(line[start : match.start()])
            start = match.end()
    parts.append(line[start:])
    return parts


def _unquote(value: str) -> str:
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    value = value[1:-1]
    # Only these two: browsers used to send "C:\dir\file" as it is.
    return _ESCAPED.sub(r"\1", value) if "\\" in value else value


def _join_sections(sections: list[_Section]) -> str:
    sections.sort(key=lambda section: section.number)
    if not any(section.is_encoded for section in sections):
        return "".join([section.text for section in sections])
    charset, first_quote, rest = sections[0].text.partition("'")
    _, second_quote, text = rest.partition("'")
    if first_quote and second_quote:
        sections[0] = sections[0]._replace(text=text)
    raw = b"".join(
        [
            unquote_to_bytes(section.text)
            if section.is_encoded
            else section.text.encode("utf-8", "replace")
            for section in sections
        ]
    )
    return raw.decode(_EXTENDED_CHARSETS.get(charset.lower(), "utf-8"), "replace")


def _encode_header(key: str, pdict: Mapping[str, object]) -> str:
    """Write a head and its parameters, sorted by name; None stands for no value.

    The caller sees to values that would need quotes.

    >>> _encode_header("permessage-deflate", {"client_max_window_bits": None})
    'permessage-deflate; client_max_window_bits'
    """
    parts = [key]
    for name in sorted(pdict):
        value = pdict[name]
        parts.append(name if value is None else f"{name}={value}")
    return "; ".join(parts)
