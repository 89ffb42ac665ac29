"""Where a browser goes when it reads a Location."""

from __future__ import annotations

import re
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wsgitornado.httputil.locations import browser_origin, quote_group

BACKSLASH = "\\"

# Text that is likely to mean something at the start of a URL.
hostile = st.text(
    st.sampled_from("/\\:.@?#%\t\r\n \x00\x1f\x7f\xa0eH2+-[]é\uff0f"), max_size=20
)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "/",
        "/path",
        "path",
        "./path",
        "../path",
        "?query=//evil.example",
        "#//evil.example",
        "/path//evil.example",
        "/path?next=http://evil.example/",
        "/.//evil.example",
        "/%2Fevil.example",
        "%2F%2Fevil.example",
        "/%5Cevil.example",
        "/ /evil.example",
        "\xa0//evil.example",
        "1http://evil.example",
        "/http://evil.example",
        "a/b:c",
        "é:evil",
        "//",  # no host at all: an invalid URL, which leads nowhere
    ],
)
def test_location_that_stays_here_has_no_origin(location: str) -> None:
    assert browser_origin(location) == ("", "")


@pytest.mark.parametrize(
    "location",
    [
        "//evil.example",
        "//evil.example/path",
        "//evil.example?query",
        "//evil.example#fragment",
        "///evil.example",
        "//////evil.example",
        f"{BACKSLASH}{BACKSLASH}evil.example",
        f"/{BACKSLASH}evil.example",
        f"{BACKSLASH}/evil.example{BACKSLASH}x",
        "/\t/evil.example",
        "/\n/evil.example",
        "\r\n//evil.example",
        "/\r/\nevil.exa\tmple",
        " //evil.example ",
        "\x00\x1f //evil.example\x00",
        "//EVIL.example",
    ],
    ids=ascii,
)
def test_slashes_before_a_host_are_read_as_browsers_read_them(location: str) -> None:
    assert browser_origin(location) == ("", "evil.example")


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://evil.example/x", ("http", "evil.example")),
        ("HTTPS://evil.example", ("https", "evil.example")),
        ("http:evil.example/x", ("http", "evil.example")),
        ("http:/evil.example/x", ("http", "evil.example")),
        ("http:////evil.example", ("http", "evil.example")),
        (f"https:{BACKSLASH}evil.example", ("https", "evil.example")),
        ("ht\ntp://evil.example", ("http", "evil.example")),
        ("\x01http://evil.example", ("http", "evil.example")),
        ("http://User:Pass@evil.example:81/", ("http", "user:pass@evil.example:81")),
        ("http://", ("http", "")),
        ("javascript:alert(1)", ("javascript", "")),
        ("JavaScript:alert(1)//x", ("javascript", "")),
        ("mailto:someone@evil.example", ("mailto", "")),
        ("app:/open/7", ("app", "")),
        ("app://open/7", ("app", "open")),
        ("app:///7", ("app", "")),
        ("a+b-c.d:x", ("a+b-c.d", "")),
        ("evil:80", ("evil", "")),
    ],
    ids=lambda value: ascii(value) if isinstance(value, str) else None,
)
def test_scheme_and_authority_are_what_the_location_says(
    location: str, expected: tuple[str, str]
) -> None:
    assert browser_origin(location) == expected


@given(st.text() | hostile)
def test_nothing_raises(location: str) -> None:
    scheme, authority = browser_origin(location)
    assert scheme == scheme.lower()
    assert not set("/?#\t\r\n\\") & set(authority)


@given(hostile)
@example("/\\evil.example")
@example("/\t/evil.example")
@example("http:evil.example")
def test_location_without_origin_leads_nowhere_else(location: str) -> None:
    """By the rules of browsers, written in another way: see the URL Standard."""
    if browser_origin(location) == ("", ""):
        seen = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(33)))))
        assert re.match(r"[/\\]{2,}[^/\\?#]", seen) is None
        assert re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", seen) is None


@given(st.text(st.sampled_from("/.:?#@ab"), max_size=12))
def test_it_sees_every_host_that_a_strict_reader_sees(location: str) -> None:
    joined = urlsplit(urljoin("http://here.example/at", location))
    if (joined.scheme, joined.netloc) != ("http", "here.example"):
        assert browser_origin(location) != ("", "")


# -- Groups


@pytest.mark.parametrize(
    ("group", "quoted"),
    [
        ("plain-text_1.0~x", "plain-text_1.0~x"),
        ("a/b:c@d", "a/b:c@d"),
        ("a b?c", "a%20b%3Fc"),
        ("50%", "50%25"),
        ("%2F", "%252F"),
        ("a&b=c;d+e", "a%26b%3Dc%3Bd%2Be"),
        ("x#y", "x%23y"),
        ("\r\nSet-Cookie: a=b", "%0D%0ASet-Cookie:%20a%3Db"),
        (BACKSLASH, "%5C"),
        ("é€", "%C3%A9%E2%82%AC"),
        ("", ""),
    ],
    ids=ascii,
)
def test_group_is_quoted(group: str, quoted: str) -> None:
    assert quote_group(group) == quoted


@given(st.text(st.characters(codec="utf-8")))
def test_quoted_group_means_the_same_and_can_end_nothing(group: str) -> None:
    quoted = quote_group(group)
    assert unquote(quoted) == group
    assert quoted.isascii()
    assert not re.search(r"[^!-~]|[?#&=+;\\\"<>]", quoted)
