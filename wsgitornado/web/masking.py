"""What a traceback that is shown must not say: which texts are secret, and a mask."""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote_plus

from wsgitornado.httputil.cookies import parse_cookie
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.httputil.headers import HTTPHeaders
from wsgitornado.httputil.request import HTTPServerRequest

__all__ = ["MASKED", "Mask", "hide_query", "name_is_secret", "secrets_of"]

#: Stands where a secret was.
MASKED: Final = "[masked]"

# A shorter text is part of too many words, and worth little as a secret.
_SHORTEST: Final = 6

# A longer one is looked for as it is: it may be a whole body, and each spelling is
# another copy.
_LONGEST_SPELT: Final = 10_000

_WORDS = (
    r"auth(?!ors?\b)|cookie|credential|csrf|jwt|key(?!word|board)|pass|pwd|secret"
    r"|sess(?:ion|id)|signature|token|xsrf|\bsid\b"
)
_SECRET_NAME = re.compile(_WORDS, re.IGNORECASE)

# Settings are the program's own: less is taken for a secret, since the values vanish
# from all texts.
_SECRET_SETTING = re.compile(
    r"credential|key(?!word|board)|passw|pwd|secret|token", re.IGNORECASE
)

# How deep in dictionaries and lists a setting may hold a secret.
_DEPTH: Final = 4

# The password of postgres://user:password@host/, as messages of databases quote it.
_PASSWORD_IN_URL = re.compile(r"(://[^\s/@:]{0,200}+:)[^\s/@]{1,500}+(?=@)")

_SECRET_IN_QUERY = re.compile(
    rf"([?&;](?=[^\s=&;?]{{0,100}}?(?:{_WORDS}))[^\s=&;?]{{1,200}}+=)[^\s&;#'\"<>]++",
    re.IGNORECASE,
)

# connect(password="...") and {"api_key": "..."} in a line of source.
_SECRET_LITERAL = re.compile(
    r"((?:api_?key|access_?key|private_?key|passphrase|passw(?:or)?d|pwd|secret|token)"
    r"(?:_?key)?(?:[\"']\]?[ ]{0,9}[:=]|[ ]{0,9}=)[ ]{0,9}[bBfFrRuU]{0,2})"
    r"(?:\"(?:[^\"\\\n]|\\.)++\"|'(?:[^'\\\n]|\\.)++')",
    re.IGNORECASE,
)


class Mask:
    """Takes secrets out of texts.

    It knows some secrets by their value; others it sees by what is around them:
    passwords in URLs, arguments in a query and literals in source whose name says
    that they are secret.

    :param secrets: the values; those of fewer than six characters do not count.
    """

    __slots__ = ("_longest", "_spellings")

    def __init__(self, secrets: Iterable[str | bytes]) -> None:
        spellings: set[str] = set()
        for secret in set(secrets):
            if len(secret) >= _SHORTEST:
                spellings.update(_spellings_of(secret))
        # A secret that is part of another one must not break that.
        self._spellings = sorted(spellings, key=lambda text: (-len(text), text))
        self._longest = len(self._spellings[0]) if spellings else 0

    def hide(self, text: str) -> str:
        """The text without its secrets."""
        for spelling in self._spellings:
            text = text.replace(spelling, MASKED)
        text = _PASSWORD_IN_URL.sub(rf"\1{MASKED}", text)
        text = _SECRET_IN_QUERY.sub(rf"\1{MASKED}", text)
        return _SECRET_LITERAL.sub(rf"\1'{MASKED}'", text)

    def hide_and_cut(self, text: str, length: int) -> str:
        """The same for a text that may be of any length: no more of it than this."""
        reach = self._reach(length)
        # What is cut off cannot be recognised: the end may be half a secret.
        shown = self.hide(text[:reach])
        if len(text) > reach:
            shown = shown[: max(0, len(shown) - self._longest)]
        elif len(shown) <= length:
            return shown
        return f"{shown[:length]}… ({len(text):,} characters in all)"

    def hide_and_fold(self, text: str, length: int) -> str:
        """The same, but with the beginning and the end of a text that is too long."""
        reach = self._reach(length)
        if len(text) <= 2 * reach:
            shown = self.hide(text)
            if len(shown) <= length:
                return shown
            first = last = shown
        else:
            first, last = self.hide(text[:reach]), self.hide(text[-reach:])
            first = first[: max(0, len(first) - self._longest)]
            last = last[self._longest :]
        half = length // 2
        first, last = first[:half], last[half - length :]
        return f"{first}\n… ({len(text):,} characters in all) …\n{last}"

    def _reach(self, length: int) -> int:
        """How much of a text to look at where this much is shown."""
        return 2 * (length + self._longest)


def name_is_secret(name: str) -> bool:
    """Whether the value of a header or an argument of this name is not to be shown."""
    return _SECRET_NAME.search(name) is not None


def hide_query(query: str) -> str:
    """A query string without the values whose names say that they are secret."""
    return "&".join(map(_hide_pair, query.split("&")))


def _hide_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    is_secret = equals and name_is_secret(unquote_plus(name))
    return f"{name}={MASKED}" if is_secret else pair


def secrets_of(
    request: HTTPServerRequest,
    settings: Mapping[str, Any],
    path_kwargs: Mapping[str, Any],
    new_cookies: Iterable[str],
) -> Iterator[str | bytes]:
    """The values that belong to this request, or to the program, and to nobody else.

    :param settings: of the application: ``cookie_secret``, and what is named so.
    :param path_kwargs: the named groups of the path.
    :param new_cookies: the values of Set-Cookie headers of the response.
    """
    yield from _secrets_in_settings(settings)
    for name, value in HTTPHeaders.from_environ(request.environ).items():
        if name_is_secret(name):
            yield from _secrets_in_header(name, value)
    for text in new_cookies:
        yield from _secrets_in_cookies(text.partition(";")[0])
    for name, values in _arguments_of(request):
        if name_is_secret(name):
            for argument in values:
                yield from (argument, argument.strip())
    for name, group in path_kwargs.items():
        # decode_argument() may have made anything of it.
        if name_is_secret(name) and isinstance(group, str | bytes):
            yield group


def _secrets_in_settings(
    settings: Mapping[Any, Any], is_secret: bool = False, depth: int = 0
) -> Iterator[str | bytes]:
    for name, value in settings.items():
        yield from _secrets_in_setting(
            value, is_secret or _SECRET_SETTING.search(str(name)) is not None, depth
        )


def _secrets_in_setting(
    value: Any, is_secret: bool, depth: int
) -> Iterator[str | bytes]:
    if isinstance(value, str | bytes):
        if is_secret:
            yield value
    elif depth < _DEPTH:
        if isinstance(value, dict):
            yield from _secrets_in_settings(value, is_secret, depth + 1)
        elif isinstance(value, list | tuple):
            for item in value:
                yield from _secrets_in_setting(item, is_secret, depth + 1)


def _secrets_in_header(name: str, value: str) -> Iterator[bytes]:
    """The value, and what is wrapped up in it."""
    yield _bytes_of(value)
    if name == "Cookie":
        yield from _secrets_in_cookies(value)
        return
    # Bearer, Basic and others: RFC 9110 section 11.4.
    scheme, _, credentials = value.strip().partition(" ")
    credentials = credentials.strip()
    yield _bytes_of(credentials)
    if scheme.lower() == "basic":
        decoded = _decode_base64(credentials)
        yield decoded
        yield decoded.partition(b":")[2]


def _secrets_in_cookies(header: str) -> Iterator[bytes]:
    for part in header.split(";"):
        # As it is on the wire; as programs read it; and what was signed in it.
        yield _bytes_of(part.partition("=")[2].strip())
    for value in parse_cookie(header).values():
        yield _bytes_of(value)
        # Signed values: base64|time|signature, or 2|...|length:base64|signature.
        fields = value.split("|")
        if len(fields) > 2:
            for field in (fields[0], fields[-2]):
                yield _decode_base64(field.rpartition(":")[2])


def _arguments_of(request: HTTPServerRequest) -> Iterator[tuple[str, list[bytes]]]:
    """The arguments that the request is known to have; no body is read for this."""
    try:
        yield from request.query_arguments.items()
    except HTTPInputError:
        pass
    if "_form" in vars(request):
        yield from request.body_arguments.items()


def _bytes_of(header: str) -> bytes:
    """What the client has sent: WSGI hands it over as latin-1."""
    return header.encode("latin-1", "backslashreplace")


def _decode_base64(text: str) -> bytes:
    try:
        return binascii.a2b_base64(_bytes_of(text))
    except binascii.Error:
        return b""


def _spellings_of(secret: str | bytes) -> Iterator[str]:
    """A secret as messages, source and URLs may show it."""
    if isinstance(secret, bytes):
        data = secret
        texts = [data.decode(name, "backslashreplace") for name in ("latin-1", "utf-8")]
    else:
        data = secret.encode("utf-8", "surrogatepass")
        texts = [secret]
    if len(data) > _LONGEST_SPELT:
        yield from texts
        return
    yield repr(data)[2:-1]
    yield quote(data)
    yield quote(data, safe="")
    yield quote_plus(data)
    for text in texts:
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        for literal in (repr(text)[1:-1], ascii(text)[1:-1]):
            yield literal
            # repr() of a text that has quotes of both kinds.
            yield literal.replace("'", "\\'")
