"""Escaping and decoding: the answers are Tornado's, for every input, in linear time."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from unittest import mock

import pytest
import tornado.escape
from hypothesis import assume, given
from hypothesis import strategies as st

from wsgitornado import escape


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a call gives: its result with its type, or the type of its exception."""
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        return type(error)
    return type(result), result


def assert_same(name: str, *args: Any, **kwargs: Any) -> None:
    ours = outcome(getattr(escape, name), *args, **kwargs)
    theirs = outcome(getattr(tornado.escape, name), *args, **kwargs)
    assert ours == theirs


# The names


def test_every_public_name_of_tornado_exists() -> None:
    theirs = {
        name
        for name, value in vars(tornado.escape).items()
        if getattr(value, "__module__", "") == "tornado.escape"
    }
    private = {"_unquote_to_bytes"}
    assert theirs - private <= set(vars(escape))


def test_all_is_sorted_and_complete() -> None:
    assert escape.__all__ == sorted(escape.__all__)
    assert all(hasattr(escape, name) for name in escape.__all__)


def test_old_names_are_the_same_function() -> None:
    assert escape.to_unicode is escape._unicode
    assert escape.to_unicode is escape.native_str
    assert escape.to_unicode is escape.to_basestring


# Text and bytes

ODD_VALUES = [
    pytest.param("é", id="text"),
    pytest.param(b"\xc3\xa9", id="bytes"),
    pytest.param("", id="empty"),
    pytest.param(b"\xff", id="bytes that are not UTF-8"),
    pytest.param("\ud800", id="lone surrogate"),
    pytest.param(None, id="None"),
    pytest.param(3, id="int"),
    pytest.param(bytearray(b"x"), id="bytearray"),
    pytest.param(memoryview(b"x"), id="memoryview"),
]
NOT_NONE = [value for value in ODD_VALUES if value.values != (None,)]


@pytest.mark.parametrize("value", [None, 3, bytearray(b"x")], ids=repr)
@pytest.mark.parametrize(
    "function",
    [
        escape.xhtml_escape,
        escape.xhtml_unescape,
        escape.linkify,
        escape.url_unescape,
        lambda value: escape.url_unescape(value, None),
        lambda value: escape.url_unescape(value, None, plus=False),
    ],
)
def test_what_must_be_text_is_a_type_error_otherwise(
    function: Callable[[Any], object], value: object
) -> None:
    # In Tornado some of these are an AttributeError.
    with pytest.raises(TypeError, match="Expected bytes"):
        function(value)


@pytest.mark.parametrize("value", ODD_VALUES)
@pytest.mark.parametrize(
    "name", ["utf8", "to_unicode", "_unicode", "native_str", "to_basestring"]
)
def test_conversion_is_tornados(name: str, value: object) -> None:
    assert_same(name, value)


@pytest.mark.parametrize("function", [escape.utf8, escape.to_unicode])
def test_a_wrong_type_is_named(function: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match=r"Expected bytes, unicode, or None; got .*int"):
        function(3)


def test_bytes_and_text_come_back_as_the_same_object() -> None:
    data, text = b"data", "text"
    assert escape.utf8(data) is data
    assert escape.to_unicode(text) is text


@given(st.text())
def test_utf8_round_trip(text: str) -> None:
    assert escape.to_unicode(escape.utf8(text)) == text


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({b"a": [b"b", (b"c", None, 1)], "x": {b"z"}}, id="nested"),
        pytest.param(frozenset([b"x"]), id="a set stays"),
        pytest.param(bytearray(b"x"), id="a bytearray stays"),
        pytest.param(b"\xff", id="not UTF-8"),
        pytest.param([], id="empty"),
    ],
)
def test_recursive_unicode_is_tornados(value: object) -> None:
    assert_same("recursive_unicode", value)


@pytest.mark.parametrize(
    "value",
    [
        "  a \t\n b  ",
        "\x00a\x1f\x01b",
        "\xa0a\xa0",
        "\u2003x",
        "",
        "a\x7fb",
        "a\x85b",
        "\x0b",
        b"a  b",
        None,
    ],
    ids=ascii,
)
def test_squeeze_is_tornados(value: Any) -> None:
    assert_same("squeeze", value)


# HTML


@pytest.mark.parametrize("value", [*NOT_NONE, pytest.param("<>&\"'", id="all five")])
def test_xhtml_escape_of_odd_values_is_tornados(value: Any) -> None:
    assert_same("xhtml_escape", value)


@given(st.text(alphabet="&<>\"';ax "))
def test_xhtml_escape_is_tornados(text: str) -> None:
    assert escape.xhtml_escape(text) == tornado.escape.xhtml_escape(text)


@given(st.text())
def test_unescape_undoes_escape(text: str) -> None:
    assert escape.xhtml_unescape(escape.xhtml_escape(text)) == text


def test_text_without_special_characters_is_not_copied() -> None:
    text = "nothing special"
    assert escape.xhtml_escape(text) is text


@pytest.mark.parametrize(
    "value",
    [
        "&lt;&gt;&amp;&quot;&apos;&#39;&#x27;&#X41;&#65;",
        b"&eacute;",
        "&unknown;",
        "&lt",
        "&notit;",
        "&notin;",
        "&copy2;",
        "&#;",
        "&#x;",
        "&#0;",
        "&#128;",
        "&#1;",
        "&#xFFFE;",
        "&#xD800;",
        "&#1114111;",
        "&#1114112;",
        "&#x110000;",
        "&#99999999999999999999999;",
        "&#-1;",
        "&# 65;",
        "&#6_5;",
        "&#\u0663;",
        "&#x1F600",
        "&;",
        "&&amp;",
        "&amp;lt;",
        "&AMP;",
        "&Amp;",
        "&bne;",
        None,
        3,
        b"\xff",
    ],
    ids=ascii,
)
def test_xhtml_unescape_is_tornados(value: Any) -> None:
    assert_same("xhtml_unescape", value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(f"&#{'9' * 5000};x&lt;", "\ufffdx<", id="beyond Unicode"),
        pytest.param(f"&#{'0' * 5000}65;x", "Ax", id="zeros"),
        pytest.param(f"&#{'0' * 5000};", "\ufffd", id="only zeros"),
        pytest.param(
            f"&#{'9' * 5000};&#65;&#00066;&#1114112;",
            "\ufffdAB\ufffd",
            id="the short ones beside it",
        ),
        pytest.param(f"&#x{'f' * 9000};", "\ufffd", id="hexadecimal"),
    ],
)
def test_a_reference_of_many_digits_does_not_raise(value: str, expected: str) -> None:
    assert escape.xhtml_unescape(value) == expected


@given(st.text(alphabet="&#xX0123456789abcdefltgamp; \u0663"))
def test_xhtml_unescape_never_raises(text: str) -> None:
    assert escape.xhtml_unescape(text) == tornado.escape.xhtml_unescape(text)


# JSON


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"a": "</script>"}, id="end tag"),
        pytest.param(["</", "<\\/", "</</"], id="several"),
        pytest.param({"</": 1}, id="key"),
        pytest.param("é\u2028", id="non-ASCII"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param(None, id="None"),
        pytest.param({1: (1, 2.5, True)}, id="numbers"),
        pytest.param(b"x", id="bytes"),
        pytest.param({1, 2}, id="set"),
        pytest.param(object, id="class"),
    ],
)
def test_json_encode_is_tornados(value: object) -> None:
    assert_same("json_encode", value)


@given(st.recursive(st.text() | st.none(), st.lists))
def test_json_text_cannot_close_a_script_and_reads_back(value: object) -> None:
    text = escape.json_encode(value)
    assert "</" not in text
    assert escape.json_decode(text) == json.loads(text) == value


@pytest.mark.parametrize(
    "value",
    [
        *ODD_VALUES,
        pytest.param('{"a": 1}', id="object"),
        pytest.param(b'{"a": "\xc3\xa9"}', id="UTF-8"),
        pytest.param(b"\xff\xfe1\x00", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf1", id="bytes with a mark"),
        pytest.param("\ufeff1", id="text with a mark"),
        pytest.param("[1", id="broken off"),
    ],
)
def test_json_decode_is_tornados(value: Any) -> None:
    assert_same("json_decode", value)


# URLs


@pytest.mark.parametrize("plus", [True, False])
@pytest.mark.parametrize(
    "value",
    [
        *ODD_VALUES,
        pytest.param("a b/é?&=+~_.-\x00", id="reserved"),
        pytest.param(b"a b/\xff", id="reserved bytes"),
    ],
)
def test_url_escape_is_tornados(value: Any, plus: bool) -> None:
    assert_same("url_escape", value)
    assert_same("url_escape", value, plus=plus)
    assert_same("url_escape", value, plus)


@pytest.mark.parametrize("plus", [True, False])
@pytest.mark.parametrize("encoding", ["utf-8", "latin1", "ascii", "nope", None])
@pytest.mark.parametrize(
    "value",
    [
        "a+b%20c%2B",
        b"a+b%20",
        "a%ff+",
        "%",
        "%4",
        "%zz%41",
        "%2G%%41%",
        "%\n41",
        "%=41",
        "=%3D=3D",
        "%c3%a9",
        "é%ff+€",
        "%e2é",
        b"\xc3\xa9",
        "a%00",
        "",
        "\ud800",
        "\ud800%41",
    ],
    ids=ascii,
)
def test_url_unescape_is_tornados(value: Any, encoding: str | None, plus: bool) -> None:
    assert_same("url_unescape", value)
    assert_same("url_unescape", value, encoding, plus)
    assert_same("url_unescape", value, encoding=encoding, plus=plus)


def test_bytes_that_are_not_utf8_can_be_unescaped_to_bytes() -> None:
    assert escape.url_unescape(b"\xff%ff+", encoding=None) == b"\xff\xff "
    with pytest.raises(UnicodeDecodeError):
        escape.url_unescape(b"\xff")


@given(st.binary())
def test_unescape_to_bytes_undoes_escape(data: bytes) -> None:
    assert escape.url_unescape(escape.url_escape(data), encoding=None) == data
    path = escape.url_escape(data, plus=False)
    assert escape.url_unescape(path, encoding=None, plus=False) == data


ENCODED = st.lists(
    st.sampled_from(
        [b"%", b"=", b"&", b"+", b"\n", b"\r\n", b"%4", b"%41", b"%3d", b"%3D", b"%25",
         b"%26", b"%2B", b"%0A", b"%zz", b"%C3%A9", b"%ff", b"\xff", b" ", b"_", b"a",
         b"b", b"4", b"."]
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


@given(ENCODED)
def test_percent_decoding_is_urllibs(data: bytes) -> None:
    assert escape._percent_decoded(data) == urllib.parse.unquote_to_bytes(data)


@given(
    qs=ENCODED | st.binary() | ENCODED.map(lambda data: data.decode("latin-1")),
    keep_blank_values=st.booleans(),
    strict_parsing=st.booleans(),
    max_num_fields=st.none() | st.integers(-1, 8),
)
def test_parse_qs_bytes_is_tornados(
    qs: str | bytes,
    keep_blank_values: bool,
    strict_parsing: bool,
    max_num_fields: int | None,
) -> None:
    arguments = (qs, keep_blank_values, strict_parsing)
    ours = outcome(escape.parse_qs_bytes, *arguments, max_num_fields=max_num_fields)
    theirs = outcome(
        tornado.escape.parse_qs_bytes, *arguments, max_num_fields=max_num_fields
    )
    assert ours == theirs


@pytest.mark.parametrize("keep_blank_values", [True, False])
@pytest.mark.parametrize("strict_parsing", [True, False])
@pytest.mark.parametrize(
    "qs",
    ["", "&", "a", "a=", "=", "=b", "a=1&&b=2", "&a=1", "a=1;b=2", "a=b=c", "é=é",
     "€=1", "a=€", "a=\ud800", b"", None],
    ids=ascii,
)  # fmt: skip
def test_parse_qs_bytes_of_odd_queries_is_tornados(
    qs: Any, strict_parsing: bool, keep_blank_values: bool
) -> None:
    assert_same("parse_qs_bytes", qs, keep_blank_values, strict_parsing)


def test_fields_of_a_query_keep_their_order() -> None:
    arguments = escape.parse_qs_bytes("b=1&a=%32&b=3+4")
    assert arguments == {"b": [b"1", b"3 4"], "a": [b"2"]}
    assert list(arguments) == ["b", "a"]


def test_one_field_more_than_allowed_is_refused_before_decoding() -> None:
    assert len(escape.parse_qs_bytes("a=1&b=2&", max_num_fields=3)) == 2
    with (
        mock.patch.object(escape, "_percent_decoded") as decoded,
        pytest.raises(ValueError, match="Max number of fields exceeded"),
    ):
        escape.parse_qs_bytes("a=%31&b=2&c=3", max_num_fields=2)
    assert not decoded.called


def test_a_field_without_equals_sign_is_named_when_strict() -> None:
    with pytest.raises(ValueError, match="bad query field: 'b'"):
        escape.parse_qs_bytes("a=1&b", strict_parsing=True)


# Links in text

TEXTS = """
hello http://world.com/!
hello http://world.com/with?param=true&stuff=yes
go to www.example.com, or www.b.com; and www.c.com: www.d.com. www.e.com! www.f.com?
http://a.com http://b.com\thttp://c.com
http://a.comhttp://b.com www.a.com/http://b.com http://www.a.com www.www.a.com
(http://x.com/a) (http://x.com/a(b)) http://x.com/a(b(c))d http://x.com/(a)(b)(c
http://en.wikipedia.org/wiki/PC_Tools_(Central_Point_Software) http://foo.com/(a b)
www.a.com/b(c)d)e http://a(b http://a) http://a() http://() www.(a) http://a((b))
http://a.(b)c http://.(b)c http://a?b=(c) http://a&(b) http://a-(b) www.(b)(c) www.,(b)
"http://x.com/a" 'http://x.com/a' <http://x.com/a> http://x.com/<b>
http://x.com/a"b http://x.com/a'b http://x.com/a"' http://x.com/a"onclick="alert(1)
http://x.com/a&b http://x.com/a& http://x.com/a&&b http://x.com/a&amp;b http://x/&lt;
http://x.com/a... http://x.com/a.b. http://x.com/a.,;:!? http://x/a- http://x/a_ http://x/a\\
http:/x http:// http:/// http:////x http:/ http://. http:///. http:/. http://( http:/(
ftp://x.com/a mailto:me@x.com javascript:alert(1) HTTP://X.COM Http://x.com xhttp://x.com
éhttp://x.com _http://x.com a-http://x.com -http://x.com --a--b://x ---://www.a.com 1://c
xwww.a.com x-www.a.com .www.a.com -www.a.com WWW.a.com www. www.. www.a www.& éwww.a.com
//x.com x://y foo-bar://y a.b://c a+b://c :/x ://x x:/ x:/www.a.com x:y://z
http://user:pw@x.com:80/p;a=b?q=c#d http://a{b}[c]|d\\e^f`g http://a~ http://a~b http://a*
http://münchen.de/ü http://x.com/日本 日http://x.com http://a\xa0b http://a\u2028b
http://a\x00b http://a\x1fb http://a\x7fb
a:/!(b www.a.com a:/(b://c.com(www.d.com www.(www.d.com http://a(www.b.com www.a(www.b)c
""".strip("\n").split("\n")


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"require_protocol": True},
        {"permitted_protocols": ["ftp", "foo-bar", "b", "é", "1", "x", "HTTP"]},
        {"permitted_protocols": []},
        {"extra_params": ' rel="nofollow" '},
        {"extra_params": lambda href: f' class="{len(href)}" '},
        {"shorten": True, "extra_params": 'rel="x"'},
    ],
    ids=lambda kwargs: ", ".join(kwargs) or "default",
)
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[1:40])
def test_linkify_is_tornados(text: str, kwargs: dict[str, Any]) -> None:
    assert_same("linkify", text, **kwargs)
    assert_same("linkify", text.encode(), **kwargs)


@pytest.mark.parametrize("value", NOT_NONE)
def test_linkify_of_odd_values_is_tornados(value: Any) -> None:
    assert_same("linkify", value)


ADDRESSES = st.lists(
    st.sampled_from(
        ["http", "https", "x", "www", "www.", ":", "/", "//", "://", "-", "_", ".", "(",
         ")", "&", '"', "'", "<", ">", ";", "amp;", " ", "a", "é", "?", "=", "[", "]",
         "\\", "\x00", "\xa0", "http://", "a.com", "abcdefghijklmnop"]
    ),
    max_size=20,
).map("".join)  # fmt: skip


@given(text=ADDRESSES, require_protocol=st.booleans())
def test_addresses_are_found_where_tornado_finds_them(
    text: str, require_protocol: bool
) -> None:
    kwargs = {
        "require_protocol": require_protocol,
        "permitted_protocols": ["http", "x", "_", "é"],
    }
    assert_same("linkify", text, **kwargs)


@given(ADDRESSES)
def test_long_addresses_are_shortened_like_tornados(text: str) -> None:
    assume("&" not in text and '"' not in text)
    assert_same("linkify", text, shorten=True)


@pytest.mark.parametrize("host_length", [3, 21, 22, 23, 29, 30, 31, 37, 38, 50])
@pytest.mark.parametrize("prefix", ["http://", "www.", "https:/", "http:///"])
def test_the_bounds_of_shortening_are_tornados(prefix: str, host_length: int) -> None:
    for length in range(45):
        for path in ("/" + "p" * length, "/p?" + "q" * length, "/pppppppp/q.", "?q/r"):
            assert_same("linkify", prefix + "h" * host_length + path, shorten=True)


@pytest.mark.parametrize("length", range(16))
def test_shortening_does_not_cut_a_character_reference(length: int) -> None:
    link = escape.linkify(f"http://a.com/{'&' * 3}bcd/{'e' * 30}", shorten=True)
    assert ">http://a.com/&amp;...</a>" in link
    text = f"http://a{'b' * length}&&&&{'c' * 40}"
    shown = re.findall(r">(.*)\.\.\.</a>", escape.linkify(text, shorten=True))
    assert shown
    assert re.fullmatch(r"(?:[^&]|&amp;)*", shown[0])


@pytest.mark.parametrize("scheme", ["javascript", "JavaScript", "vbscript", "data"])
def test_script_schemes_never_become_links(scheme: str) -> None:
    text = f"{scheme}://x/alert(1) http://a"
    linked = escape.linkify(text, permitted_protocols=[scheme, "http"])
    assert linked == f'{scheme}://x/alert(1) <a href="http://a">http://a</a>'


def test_extra_params_function_gets_the_address_as_it_stands_in_href() -> None:
    seen: list[str] = []

    def extra_params(href: str) -> str:
        seen.append(href)
        return 'class="x"'

    linked = escape.linkify('www.a.com/?b&"c ftp://d', extra_params=extra_params)
    assert seen == ["http://www.a.com/?b&amp;&quot;c"]
    assert linked.startswith('<a href="http://www.a.com/?b&amp;&quot;c" class="x">')


class Elements(HTMLParser):
    """Collects what a browser would see: tags with attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(text=ADDRESSES | st.text(), shorten=st.booleans())
def test_linkify_gives_nothing_but_links_and_text(text: str, shorten: bool) -> None:
    elements = Elements()
    elements.feed(escape.linkify(text, shorten=shorten))
    elements.close()
    for tag, attributes in elements.tags:
        assert tag == "a"
        assert attributes.keys() <= {"href", "title"}
        href = attributes["href"]
        assert href is not None
        assert href.startswith(("http:/", "https:/"))
        assert attributes.get("title", href) == href
    if not shorten:
        assert elements.text == text


class CountingPattern:
    """Counts the characters that a pattern is asked to consume."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern
        self.characters = 0

    def match(self, text: str, position: int) -> re.Match[str] | None:
        found = self.pattern.match(text, position)
        self.characters += len(found[0]) if found else 1
        return found


HOSTILE = {
    "words with dashes": "a-",
    "dashes": "-",
    "slashes": "a:/",
    "punctuation": "www.!!!!",
    "opened": "http://a(",
    "opened with nothing before": "a:/(",
    "nested": "(((www.",
    "references": "http://&",
    "quotes": '"(',
    "hosts": "www.",
    "schemes": "a:",
    "unclosed with words": "www.a(bbbbbbbb",
}


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("start", ["", "http://a(", "a:/(", "a-a-"], ids=ascii)
def test_no_character_is_read_more_than_twice(
    unit: str, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for length in (10, 100, 1000):
        counting = CountingPattern(escape._ADDRESS_PART)
        monkeypatch.setattr(escape, "_ADDRESS_PART", counting)
        text = start + unit * length
        escape.linkify(text)
        monkeypatch.undo()
        # Each address that is tried may end with one look at what does not belong.
        tries = text.count("www.") + text.count(":/")
        assert counting.characters <= 2 * len(escape.xhtml_escape(text)) + tries


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_long_hostile_text_is_answered(unit: str) -> None:
    # With quadratic cost one of these would take hours.
    escape.linkify(unit * (400_000 // len(unit)), shorten=True)


@pytest.mark.parametrize("unit", ["%", "%4", "%41", "&", "=", "+", "a=%zz&", "a=1&"])
def test_a_long_hostile_query_is_answered(unit: str) -> None:
    qs = unit * (1_000_000 // len(unit))
    escape.parse_qs_bytes(qs, keep_blank_values=True)
    escape.url_unescape(qs)
