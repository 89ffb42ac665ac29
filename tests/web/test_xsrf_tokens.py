"""XSRF tokens and the judgement on origins: Tornado's, and never raising."""

from __future__ import annotations

import itertools
import re
import warnings
from typing import Any
from unittest import mock

import pytest
import tornado.httputil
import tornado.web
from hypothesis import given, settings
from hypothesis import strategies as st

from wsgitornado.web.xsrf import (
    XSRFToken,
    decode_token,
    encode_token,
    form_field,
    new_token,
    origin_is_listed,
    why_origin_refused,
    why_token_refused,
)

PLAIN = "0123456789abcdef0123456789abcdef"
VALUE = bytes.fromhex(PLAIN)
MASKED = "2|01020304|0021466388a9ceeb0021466388a9ceeb|1300000000"
OTHER = "00" * 16


class TornadoHandler(tornado.web.RequestHandler):
    pass


def in_tornado(headers: dict[str, str], **app_settings: Any) -> Any:
    """A handler of Tornado's, which answers for a request with these headers."""
    collected = tornado.httputil.HTTPHeaders(headers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        request = tornado.httputil.HTTPServerRequest(
            "POST",
            "/",
            headers=collected,
            host=headers.get("Host"),
            connection=mock.Mock(),
        )
    return TornadoHandler(tornado.web.Application([], **app_settings), request)


# Tokens


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=40), st.integers(0, 10**11))
def test_tokens_are_read_by_both(token: bytes, timestamp: int) -> None:
    handler = in_tornado({})
    text = encode_token(token, 2, timestamp + 0.9).decode("ascii")
    assert decode_token(text) == XSRFToken(2, token, timestamp)
    assert handler._decode_xsrf_token(text) == (2, token, timestamp)
    text = encode_token(token, 1, timestamp).decode("ascii")
    assert decode_token(text) == XSRFToken(1, token, None)
    version, theirs, _ = handler._decode_xsrf_token(text)
    assert (version, theirs) == (1, token)


@pytest.mark.parametrize("version", [1, 2])
def test_tokens_of_tornado_are_read(version: int) -> None:
    handler = in_tornado({}, xsrf_cookie_version=version)
    text = handler.xsrf_token
    _, value, timestamp = handler._get_raw_xsrf_token()
    token = decode_token(text)
    assert token is not None
    assert token[:2] == (version, value)
    assert token.timestamp in (None, int(timestamp))


@pytest.mark.parametrize(
    ("version", "pattern"),
    [(1, "[0-9a-f]{32}"), (2, r"2\|[0-9a-f]{8}\|[0-9a-f]{32}\|1300000000")],
)
def test_the_text_of_a_token_has_tornados_shape(version: int, pattern: str) -> None:
    for stamp in (1300000000, 1300000000.5):
        text = encode_token(new_token(), version, stamp).decode("ascii")
        assert re.fullmatch(pattern, text)


def test_tokens_are_random() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {16}


def test_the_text_changes_with_each_rendering_and_stays_valid() -> None:
    token = new_token()
    rendered = {encode_token(token, 2, 1300000000) for _ in range(100)}
    # Masks have 32 bits: two of a hundred are alike once in a million.
    assert len(rendered) > 90
    # No part but version and time is the same in all of them.
    masked = {text.split(b"|")[2] for text in rendered}
    assert len(masked) > 90
    expected = XSRFToken(2, token, 1300000000)
    for text in rendered:
        assert why_token_refused(text, expected) is None


@pytest.mark.parametrize("version", [0, 3, "2", None, True + 1.5], ids=repr)
def test_an_unknown_version_is_a_value_error(version: Any) -> None:
    with pytest.raises(ValueError, match="unknown xsrf cookie version"):
        encode_token(VALUE, version, 1300000000)


@pytest.mark.parametrize(
    ("text", "token"),
    [
        (PLAIN, XSRFToken(1, VALUE, None)),
        (PLAIN.upper(), XSRFToken(1, VALUE, None)),
        (PLAIN.encode(), XSRFToken(1, VALUE, None)),
        (f" {PLAIN}\r\n", XSRFToken(1, VALUE, None)),
        ("00", XSRFToken(1, b"\0", None)),
        (MASKED, XSRFToken(2, VALUE, 1300000000)),
        (MASKED.encode(), XSRFToken(2, VALUE, 1300000000)),
        ("2|ABCDEF01|ab|0", XSRFToken(2, b"\0", 0)),
        ("2|00000000|0102030405|7", XSRFToken(2, b"\1\2\3\4\5", 7)),
        ("2|00000000|01|" + "9" * 20, XSRFToken(2, b"\1", 10**20 - 1)),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_token_is_read(text: str | bytes, token: XSRFToken) -> None:
    assert decode_token(text) == token


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        b"",
        " ",
        "zz",
        "0",
        PLAIN + "0",
        "01 02",
        "caf\xe9",
        b"\xff\xfe",
        "\ud800",
        "\u0661\u0661",
        "1|" + PLAIN,
        "3|" + MASKED[2:],
        "02|" + MASKED[2:],
        "2|",
        "2||||",
        "2|01020304||1300000000",
        "2||00|1300000000",
        "2|010203|00|1300000000",
        "2|0102030405|00|1300000000",
        "2|0102030g|00|1300000000",
        "2|01020304|0|1300000000",
        "2|01020304|0g|1300000000",
        "2|01020304|00 00|1300000000",
        "2|01020304|00|",
        "2|01020304|00|-1",
        "2|01020304|00|+1",
        "2|01020304|00|1_0",
        "2|01020304|00|1.5",
        "2|01020304|00|\u0661",
        "2|01020304|00|" + "9" * 21,
        "2|01020304|00|" + "9" * 5000,
        MASKED + "|",
        MASKED + "|x",
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_what_is_no_token_is_nothing(text: str | bytes | None) -> None:
    assert decode_token(text) is None
    refusal = why_token_refused(text, XSRFToken(1, VALUE, None))
    assert refusal is not None
    if text:
        assert refusal == "'_xsrf' argument has invalid format"


almost_tokens = st.text(alphabet="0123459afAFg|2 -+_\u0661\ud800\xff", max_size=40)


@given(st.text() | st.binary() | almost_tokens | almost_tokens.map("2|{}".format))
def test_no_text_raises(text: str | bytes) -> None:
    token = decode_token(text)
    if token is not None:
        assert token.value
        assert why_token_refused(text, token) is None
        again = encode_token(token.value, token.version, token.timestamp or 0)
        assert decode_token(again) == token


# The judgement on a token


@pytest.mark.parametrize(
    ("sent", "cookie", "refusal"),
    [
        (PLAIN, PLAIN, None),
        (PLAIN, MASKED, None),
        (MASKED, PLAIN, None),
        ("2|00000000|" + PLAIN + "|5", MASKED, None),
        (None, PLAIN, "'_xsrf' argument missing from POST"),
        ("", PLAIN, "'_xsrf' argument missing from POST"),
        ("", "", "'_xsrf' argument missing from POST"),
        ("2|x", PLAIN, "'_xsrf' argument has invalid format"),
        ("2|01020304||5", "2|01020304||5", "'_xsrf' argument has invalid format"),
        (PLAIN, None, "XSRF cookie does not match POST argument"),
        (PLAIN, "", "XSRF cookie does not match POST argument"),
        (OTHER, PLAIN, "XSRF cookie does not match POST argument"),
        (PLAIN[:-2], PLAIN, "XSRF cookie does not match POST argument"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_request_is_judged_as_in_tornado(
    sent: str | None, cookie: str | None, refusal: str | None
) -> None:
    assert why_token_refused(sent, decode_token(cookie)) == refusal
    headers = {} if cookie is None else {"Cookie": f"_xsrf={cookie}"}
    handler = in_tornado(headers)
    if sent is not None:
        handler.request.arguments["_xsrf"] = [sent.encode()]
    if refusal is None:
        handler.check_xsrf_cookie()
    else:
        with pytest.raises(tornado.web.HTTPError) as caught:
            handler.check_xsrf_cookie()
        assert (caught.value.status_code, caught.value.log_message) == (403, refusal)


def test_what_no_token_looks_like_never_matches_though_tornado_takes_it() -> None:
    for text in ("zz", "0", "caf\xe9"):
        assert why_token_refused(text, decode_token(text)) is not None


def test_the_field_of_a_form_is_tornados() -> None:
    handler = in_tornado({})
    assert form_field(handler.xsrf_token) == handler.xsrf_form_html()
    assert form_field('"<&') == (
        '<input type="hidden" name="_xsrf" value="&quot;&lt;&amp;"/>'
    )


# The judgement on an origin

SITES = [None, "", "same-origin", "none", "same-site", "cross-site", "None", "x, none"]
ORIGINS = [
    None,
    "",
    "null",
    "http://example.com",
    "https://example.com",
    "http://EXAMPLE.com",
    "http://example.com:80",
    "http://example.com:8080",
    "http://example.com.",
    "http://example.com@evil",
    "http://evil@example.com",
    "http://u:p@example.com",
    "http://evil/http://example.com",
    "http://evil.example.com",
    "http://example.com.evil",
    "example.com",
    "http:example.com",
    "http:///example.com",
    "http://",
    "://",
    "http://exa mple.com",
    "http://\xe9",
    "http://[::1]",
    "https://good.example",
    "https://GOOD.example",
    "https://good.example/",
    "http://good.example",
    "https://good.exampl",
    "good.example",
]
HOSTS = ["example.com", "EXAMPLE.com", "example.com:8080", "[::1]", "evil"]


@pytest.mark.parametrize("host", HOSTS)
def test_origins_are_judged_as_in_tornado(host: str) -> None:
    trusted = ["https://good.example"]
    for site, origin in itertools.product(SITES, ORIGINS):
        ours = why_origin_refused(
            host, site, origin, lambda origin: origin_is_listed(origin, trusted)
        )
        headers = {"Host": host, "Sec-Fetch-Site": site, "Origin": origin}
        handler = in_tornado(
            {name: value for name, value in headers.items() if value is not None},
            trusted_origins=trusted,
        )
        theirs = handler._check_cross_origin(handler.check_trusted_origin)
        assert ours == theirs, (site, origin)


@pytest.mark.parametrize("origin", ["http://[", "http://[x]", "http://a\u2100b"])
@pytest.mark.parametrize("site", [None, "cross-site"])
def test_an_origin_that_cannot_be_read_is_refused_unasked(
    site: str | None, origin: str
) -> None:
    is_trusted = mock.Mock(return_value=True)
    refusal = why_origin_refused("example.com", site, origin, is_trusted)
    assert refusal is not None
    assert f"{origin!r} not allowed" in refusal
    is_trusted.assert_not_called()


@pytest.mark.parametrize("origin", ["", "null", "http://", "example.com"])
@pytest.mark.parametrize("host", ["", None])
def test_without_a_host_no_origin_is_ours(host: str | None, origin: str) -> None:
    assert why_origin_refused(host, None, origin, lambda _: False) is not None


@pytest.mark.parametrize(
    ("site", "origin", "asked"),
    [
        (None, "https://other", ["https://other"]),
        ("cross-site", "https://other", ["https://other"]),
        (None, "null", ["null"]),
        (None, "http://example.com", []),
        ("same-origin", "https://other", []),
        (None, None, []),
        ("cross-site", None, []),
        (None, "", []),
        ("cross-site", "", []),
    ],
)
def test_the_program_is_asked_only_for_origins_that_are_not_ours(
    site: str | None, origin: str | None, asked: list[str]
) -> None:
    is_trusted = mock.Mock(return_value=True)
    refusal = why_origin_refused("example.com", site, origin, is_trusted)
    assert [call.args[0] for call in is_trusted.call_args_list] == asked
    if asked:
        assert refusal is None


def test_a_long_origin_is_not_repeated_whole_in_the_log() -> None:
    for site in (None, "x" * 10000):
        refusal = why_origin_refused(
            "a", site, "http://" + "x" * 10000, lambda _: False
        )
        assert refusal is not None
        assert len(refusal) < 300


@given(st.none() | st.text(), st.none() | st.text(), st.none() | st.text())
def test_no_headers_raise(
    host: str | None, site: str | None, origin: str | None
) -> None:
    refusal = why_origin_refused(host, site, origin, lambda _: False)
    assert refusal is None or refusal.endswith("not allowed")


@given(st.text(alphabet="ht:/[].@%0\xe9\u2100\t#?\\", max_size=20))
def test_odd_origins_do_not_raise(origin: str) -> None:
    for start in ("", "http://", "http://["):
        why_origin_refused("example.com", None, start + origin, lambda _: False)


@pytest.mark.parametrize(
    ("trusted", "is_listed"),
    [
        (None, False),
        ([], False),
        (["https://good.example"], True),
        ({"https://good.example"}, True),
        (("https://GOOD.example", "https://good.example/"), False),
        ("https://good.example", True),
        ("https://good.example.com", False),
    ],
    ids=repr,
)
def test_trusted_origins_are_compared_letter_by_letter(
    trusted: Any, is_listed: bool
) -> None:
    assert origin_is_listed("https://good.example", trusted) is is_listed
