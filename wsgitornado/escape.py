"""Escaping and decoding for HTML, URLs, JSON and byte strings."""

from __future__ import annotations

import html
import json
import re
from binascii import a2b_qp
from collections.abc import Callable, Collection
from typing import Any, overload
from urllib.parse import quote, quote_plus, unquote, unquote_to_bytes

from wsgitornado.util import unicode_type

__all__ = [
    "json_decode",
    "json_encode",
    "linkify",
    "native_str",
    "parse_qs_bytes",
    "recursive_unicode",
    "squeeze",
    "to_basestring",
    "to_unicode",
    "unicode_type",
    "url_escape",
    "url_unescape",
    "utf8",
    "xhtml_escape",
    "xhtml_unescape",
]


# Text and bytes


@overload
def utf8(value: None) -> None: ...


@overload
def utf8(value: str | bytes) -> bytes: ...


def utf8(value: str | bytes | None) -> bytes | None:
    """Return text as UTF-8 bytes; bytes and None come back as they are.

    Raises TypeError for anything else, and UnicodeEncodeError for a lone surrogate.
    """
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes) or value is None:
        return value
    raise TypeError(f"Expected bytes, unicode, or None; got {type(value)!r}")


@overload
def to_unicode(value: None) -> None: ...


@overload
def to_unicode(value: str | bytes) -> str: ...


def to_unicode(value: str | bytes | None) -> str | None:
    """Return UTF-8 bytes as text; text and None come back as they are.

    Raises TypeError for anything else, and UnicodeDecodeError for bytes that are not
    UTF-8.
    """
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8")
    raise TypeError(f"Expected bytes, unicode, or None; got {type(value)!r}")


#: ``to_unicode`` under the names of older programs.
_unicode = to_unicode
native_str = to_unicode
to_basestring = to_unicode


def _text(value: str | bytes) -> str:
    """Return text or UTF-8 bytes as text, where None makes no sense."""
    if value is None:
        raise TypeError("Expected bytes or unicode; got None")
    return to_unicode(value)


def recursive_unicode(obj: Any) -> Any:
    """Return a copy of dicts, lists and tuples in which all bytes became text.

    Keys of dicts are decoded as well; subclasses become plain dicts, lists and tuples;
    any other object stays what it is. Raises UnicodeDecodeError for bytes that are not
    UTF-8.
    """
    if isinstance(obj, dict):
        return {
            recursive_unicode(key): recursive_unicode(value)
            for key, value in obj.items()
        }
    if isinstance(obj, list):
        return [recursive_unicode(item) for item in obj]
    if isinstance(obj, tuple):
        return tuple(recursive_unicode(item) for item in obj)
    if isinstance(obj, bytes):
        return obj.decode("utf-8")
    return obj


_BLANKS = re.compile(r"[\x00-\x20]+")


def squeeze(value: str) -> str:
    r"""Replace each run of blanks and control characters by one space; strip the ends.

    >>> squeeze("  one \n two\t")
    'one two'
    """
    return _BLANKS.sub(" ", value).strip()


# HTML


def xhtml_escape(value: str | bytes) -> str:
    """Escape text so that HTML and XML show it, in an element or a quoted attribute.

    >>> xhtml_escape('<a href="x">Tom & Ann\\'s</a>')
    '&lt;a href=&quot;x&quot;&gt;Tom &amp; Ann&#x27;s&lt;/a&gt;'

    It is no protection in an attribute without quotes, in a URL or in a script. Raises
    like :func:`to_unicode`, and TypeError for None.
    """
    if not isinstance(value, str):
        value = _text(value)
    # Templates call this for each expression. Asking with ``in`` first is what makes it
    # fast: str.replace is slow at finding nothing. "&" must be first.
    if "&" in value:
        value = value.replace("&", "&amp;")
    if "<" in value:
        value = value.replace("<", "&lt;")
    if ">" in value:
        value = value.replace(">", "&gt;")
    if '"' in value:
        value = value.replace('"', "&quot;")
    if "'" in value:
        value = value.replace("'", "&#x27;")
    return value


_DECIMAL_REFERENCE = re.compile(r"&#([0-9]++)")

#: One more digit than the last code point has (1114111).
_TOO_MANY_DIGITS = 8


def xhtml_unescape(value: str | bytes) -> str:
    """Replace the character references of HTML by their characters.

    >>> xhtml_unescape("&lt;&eacute;&#x41;&unknown;")
    '<éA&unknown;'

    Named, decimal and hexadecimal references are read as HTML 5 says: unknown names
    stay as they are, numbers beyond Unicode become U+FFFD. No text raises; bytes that
    are not UTF-8 raise UnicodeDecodeError.
    """
    text = _text(value)
    try:
        return html.unescape(text)
    except ValueError:
        # int() refuses decimal numbers of more than 4300 digits.
        return html.unescape(_DECIMAL_REFERENCE.sub(_short_reference, text))


def _short_reference(match: re.Match[str]) -> str:
    digits = match[1].lstrip("0") or "0"
    return f"&#{digits[:_TOO_MANY_DIGITS]}"


# JSON


def json_encode(value: Any) -> str:
    r"""Return ``value`` as JSON text that may stand inside a ``<script>`` element.

    >>> json_encode({"html": "</script>"})
    '{"html": "<\\/script>"}'

    Every ``</`` is written ``<\/``, which means the same in JSON and cannot close the
    element. Non-ASCII text is escaped. Raises TypeError for what JSON does not know,
    for example bytes.
    """
    return json.dumps(value).replace("</", "<\\/")


def json_decode(value: str | bytes) -> Any:
    """Return the Python value of JSON text, or of its bytes (UTF-8, 16 or 32).

    Raises ValueError for bad JSON: :exc:`json.JSONDecodeError`, or UnicodeDecodeError
    for bytes that are no text.
    """
    return json.loads(value)


# URLs


def url_escape(value: str | bytes, plus: bool = True) -> str:
    """Percent-encode text (as UTF-8) or bytes for a URL.

    >>> url_escape("a b/c"), url_escape("a b/c", plus=False)
    ('a+b%2Fc', 'a%20b/c')

    :param plus: True is for values in a query or form: a space is written ``+``.
        False is for paths: a space is written ``%20``, and slashes stay.
    """
    return quote_plus(value) if plus else quote(value)


@overload
def url_unescape(value: str | bytes, encoding: None, plus: bool = True) -> bytes: ...


@overload
def url_unescape(
    value: str | bytes, encoding: str = "utf-8", plus: bool = True
) -> str: ...


def url_unescape(
    value: str | bytes, encoding: str | None = "utf-8", plus: bool = True
) -> str | bytes:
    """Undo percent-encoding.

    :param encoding: of the decoded bytes; what it cannot decode becomes U+FFFD. With
        None the result is bytes.
    :param plus: whether ``+`` means a space, as it does in queries and forms, but not
        in paths.

    A percent sign that no two hexadecimal digits follow stays. Raises
    UnicodeDecodeError for a ``value`` of bytes that are not UTF-8 themselves, except
    with ``encoding=None``, which takes any bytes (Tornado does not).
    """
    if encoding is None:
        data = value if isinstance(value, bytes) else _text(value).encode("utf-8")
        if plus:
            data = data.replace(b"+", b" ")
        return _percent_decoded(data)
    text = _text(value)
    if plus:
        text = text.replace("+", " ")
    return unquote(text, encoding)


def parse_qs_bytes(
    qs: str | bytes,
    keep_blank_values: bool = False,
    strict_parsing: bool = False,
    *,
    max_num_fields: int | None = None,
) -> dict[str, list[bytes]]:
    """Parse a query string or a URL-encoded form into lists of byte strings.

    >>> parse_qs_bytes("a=1&b=%C3%A9&a=2")
    {'a': [b'1', b'2'], 'b': [b'\\xc3\\xa9']}

    Names are text with one character per byte (Latin-1), values are bytes: only the
    caller knows in which encoding they are. Text is taken as Latin-1, too. Fields are
    separated by ``&`` only.

    :param keep_blank_values: whether fields without a value are kept.
    :param strict_parsing: whether a field without ``=`` raises ValueError instead of
        being dropped, or being blank.
    :param max_num_fields: ValueError is raised, before anything is decoded, if there
        are more fields, empty ones included.

    Raises UnicodeEncodeError, which is a ValueError, for text beyond Latin-1.
    """
    if not qs:
        return {}
    text = _one_character_per_byte(qs)
    if max_num_fields is not None and text.count("&") >= max_num_fields:
        raise ValueError("Max number of fields exceeded")
    if "+" in text:
        text = text.replace("+", " ")
    is_encoded = "%" in text
    arguments: dict[str, list[bytes]] = {}
    for field in text.split("&"):
        name, equals, rest = field.partition("=")
        if not rest:
            if strict_parsing and not equals:
                raise ValueError(f"bad query field: {field!r}")
            if not keep_blank_values or not field:
                continue
        value = rest.encode("latin-1")
        if is_encoded:
            value = _percent_decoded(value)
            name = _percent_decoded(name.encode("latin-1")).decode("latin-1")
        if name in arguments:
            arguments[name].append(value)
        else:
            arguments[name] = [value]
    return arguments


def _one_character_per_byte(data: str | bytes) -> str:
    """Text in place of bytes: its methods are quicker than theirs."""
    if isinstance(data, bytes):
        return data.decode("latin-1")
    if not data.isascii():
        data.encode("latin-1")
    return data


_find_bad_escape = re.compile(rb"%(?![0-9A-Fa-f]{2})").search


def _percent_decoded(data: bytes) -> bytes:
    """Undo percent-encoding, with ``%`` left alone where no two digits follow."""
    if b"%" not in data:
        return data
    if _find_bad_escape(data):
        return unquote_to_bytes(data)
    # Well-formed percent-encoding is quoted-printable with another sign, and for that
    # there is a decoder in C; the Python loop of urllib takes five times as long.
    return a2b_qp(data.replace(b"=", b"=3D").replace(b"%", b"="))


# Links in text

#: Punctuation that belongs to an address when something follows, but does not end it.
#: (Parentheses count only in pairs. Dash, slash, backslash, underscore may end one.)
_PUNCTUATION = r"!#$%*+,.:;=?@\[\]^`{|}~"

_ADDRESS_BEGIN = re.compile(r"(?<![\w-])-*+(?P<scheme>\w[\w-]*+):/|\b(?P<host>www\.)")

# For text that xhtml_escape has seen: "<", ">" and "'" end an address.
_ADDRESS_PART = re.compile(
    rf"""
      (?P<inner> [{_PUNCTUATION}]++ | &amp; | &quot; )
    | (?P<opening> \( )
    | (?P<closing> \) )
    | (?P<final> [^\s&(){_PUNCTUATION}]++ )
    """,
    re.VERBOSE,
)

#: Never made a link, even where the caller permits them: they run what the text says.
_SCRIPT_SCHEMES = frozenset({"data", "javascript", "vbscript"})

# How ``shorten`` shows an address: one that is longer than the first number keeps so
# much of its path; a result that is longer than the last number is cut at the first.
_LONG_ADDRESS = 30
_PATH_SHOWN = 8
_TOO_LONG_ADDRESS = 45

_PATH_WORD_END = re.compile(r"[/.?]")

_SCHEME_AND_SLASHES = re.compile(r"[\w-]+:/{1,3}")


def linkify(
    text: str | bytes,
    shorten: bool = False,
    extra_params: str | Callable[[str], str] = "",
    require_protocol: bool = False,
    permitted_protocols: Collection[str] = ("http", "https"),
) -> str:
    """Escape plain text for HTML and make links of the addresses in it.

    >>> linkify("see www.example.com, please")
    'see <a href="http://www.example.com">www.example.com</a>, please'

    An address is ``scheme:/...`` or ``www. ...``. It ends before a blank, a bracket of
    HTML, an apostrophe and trailing punctuation. Parentheses belong to it in pairs, not
    nested, where they do not follow punctuation.

    :param shorten: show only the beginning of long addresses; the whole one is then in
        the link's ``title``.
    :param extra_params: attributes for the links, such as ``rel="nofollow"``, or a
        function that gets the address as it stands in ``href`` and returns them. They
        are not escaped.
    :param require_protocol: leave addresses alone that start with ``www.``.
    :param permitted_protocols: the schemes of which links are made.

    Two differences from Tornado: ``javascript:``, ``vbscript:`` and ``data:`` are never
    made links, not even when permitted; and ``shorten`` never cuts a character
    reference in two. The cost is linear in the length of the text, for any text.
    """
    text = xhtml_escape(text)
    pieces = []
    written = position = 0
    while begin := _ADDRESS_BEGIN.search(text, position):
        position = _address_end(text, begin.end())
        if position == begin.end():
            continue
        scheme = begin["scheme"]
        if scheme is None:
            start, prefix = begin.start("host"), "http://"
            is_wanted = not require_protocol
        else:
            start, prefix = begin.start("scheme"), ""
            is_wanted = (
                scheme in permitted_protocols and scheme.lower() not in _SCRIPT_SCHEMES
            )
        if is_wanted:
            address = text[start:position]
            pieces.append(text[written:start])
            pieces.append(_link(prefix + address, address, shorten, extra_params))
            written = position
    pieces.append(text[written:])
    return "".join(pieces)


def _address_end(text: str, start: int) -> int:
    """Return where the address ends whose beginning ends at ``start``.

    The result is ``start`` itself if nothing there can belong to an address. No
    character is looked at more than twice in a text: a second time only if it comes
    after a parenthesis that nothing closes.
    """
    end = position = start
    is_open = False
    while part := _ADDRESS_PART.match(text, position):
        kind = part.lastgroup
        if kind == "opening":
            # Not inside another pair, and not after punctuation.
            if is_open or position != end:
                break
            is_open = True
        elif kind == "closing":
            if not is_open:
                break
            is_open = False
            end = part.end()
        elif kind == "final" and not is_open:
            end = part.end()
        position = part.end()
    return end


def _link(
    href: str,
    address: str,
    shorten: bool,
    extra_params: str | Callable[[str], str],
) -> str:
    attributes = ""
    if callable(extra_params):
        attributes = f" {extra_params(href).strip()}"
    elif extra_params:
        attributes = f" {extra_params.strip()}"
    shown = address
    if shorten and len(address) > _LONG_ADDRESS:
        shown = _shortened(address)
        if shown != address:
            attributes += f' title="{href}"'
    return f'<a href="{href}"{attributes}>{shown}</a>'


def _shortened(address: str) -> str:
    """Return the host and the first word of the path, or ``address`` if not shorter.

    >>> _shortened("http://example.com/articles/2024/summer")
    'http://example.com/articles...'
    """
    scheme = _SCHEME_AND_SLASHES.match(address)
    host_start = scheme.end() if scheme else 0
    slash = address.find("/", host_start)
    short = address
    if slash >= 0:
        word = _PATH_WORD_END.split(address[slash + 1 :], maxsplit=1)[0]
        short = address[: slash + 1] + word[:_PATH_SHOWN]
    if len(short) > _TOO_LONG_ADDRESS:
        short = short[:_LONG_ADDRESS]
    if short == address:
        return address
    reference = short.rfind("&")
    if reference >= 0 and ";" not in short[reference:]:
        short = short[:reference]
    short += "..."
    return short if len(short) < len(address) else address
