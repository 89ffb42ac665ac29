"""What proxies say counts only where the program asks for it (R27)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import call, make_environ
from wsgitornado.httputil.proxies import ProxyHeaders
from wsgitornado.httputil.request import HTTPServerRequest
from wsgitornado.web import Application, RequestHandler

UNCHANGED = ("127.0.0.1", "http", "localhost")

SAID = [
    ("X-Forwarded-For", "1.2.3.4"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "www.example.com"),
    ("X-Real-Ip", "9.9.9.9"),
    ("X-Scheme", "https"),
    ("Forwarded", "for=5.6.7.8;proto=https;host=other.example"),
]


class Origin(RequestHandler):
    def get(self) -> None:
        request = self.request
        self.write(f"{request.remote_ip} {request.protocol} {request.host}")


def origin(
    *headers: tuple[str, str], trusted: tuple[str, ...] = ()
) -> tuple[str, str, str]:
    request = HTTPServerRequest(make_environ(headers=headers))
    ProxyHeaders(trusted).apply(request)
    return request.remote_ip, request.protocol, request.host


@pytest.mark.parametrize("header", SAID, ids=[name for name, _ in SAID])
def test_header_counts_for_nothing_without_the_setting(header: tuple[str, str]) -> None:
    answer = call(Application([("/", Origin)]), headers=[header])
    assert answer.text == " ".join(UNCHANGED)


@pytest.mark.parametrize(
    "settings",
    [{"xheaders": True}, {"trusted_downstream": ["10.0.0.1"]}],
    ids=["xheaders", "trusted_downstream"],
)
def test_headers_count_with_the_setting(settings: dict[str, Any]) -> None:
    app = Application([("/", Origin)], **settings)
    assert call(app, headers=SAID[:3]).text == "1.2.3.4 https www.example.com"


def test_address_in_place_of_a_list_is_refused_at_start() -> None:
    with pytest.raises(TypeError, match="a list of addresses"):
        Application([], trusted_downstream="10.0.0.1")


# The expected answers are those of Tornado 6.6.1 for the same headers.
@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4, 5.6.7.8", "5.6.7.8"),
        ("::1", "::1"),
        ("1.2.3.4, bogus", "127.0.0.1"),
        ("1.2.3.4:80", "127.0.0.1"),
        ("", "127.0.0.1"),
        ("fe80::1%eth0", "127.0.0.1"),
    ],
)
def test_last_address_counts_if_it_is_one(value: str, address: str) -> None:
    assert origin(("X-Forwarded-For", value))[0] == address


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("1.2.3.4, 10.0.0.1,10.0.0.2", "1.2.3.4"),
        ("1.2.3.4, 5.6.7.8, 10.0.0.1", "5.6.7.8"),
        ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
    ],
    ids=["both ours", "one ours", "all ours"],
)
def test_proxies_of_ours_are_passed_over(value: str, address: str) -> None:
    found = origin(("X-Forwarded-For", value), trusted=("10.0.0.1", "10.0.0.2"))
    assert found[0] == address


def test_real_ip_goes_before_forwarded_for() -> None:
    assert origin(("X-Real-Ip", "9.9.9.9"), ("X-Forwarded-For", "1.2.3.4"))[0] == (
        "9.9.9.9"
    )
    assert origin(("X-Real-Ip", "bad"), ("X-Forwarded-For", "1.2.3.4"))[0] == (
        "127.0.0.1"
    )


@pytest.mark.parametrize(
    ("name", "value", "scheme"),
    [
        ("X-Scheme", "https", "https"),
        ("X-Forwarded-Proto", "http,https", "https"),
        ("X-Forwarded-Proto", "https, http", "http"),
        ("X-Scheme", "ftp", "http"),
        ("X-Forwarded-Proto", "HTTPS", "http"),
    ],
)
def test_last_scheme_counts_if_it_is_one(name: str, value: str, scheme: str) -> None:
    assert origin((name, value))[1] == scheme


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("a.example, b.example", "b.example"),
        ("a.example:8080", "a.example:8080"),
        ("a b", "localhost"),
        ("evil/x", "localhost"),
    ],
)
def test_last_host_counts_if_it_is_one(value: str, host: str) -> None:
    assert origin(("X-Forwarded-Host", value))[2] == host


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=5.6.7.8", ("5.6.7.8", "http", "localhost")),
        ('for="[2001:db8::1]:90";proto=https', ("2001:db8::1", "https", "localhost")),
        ("for=1.1.1.1, for=5.6.7.8:99;host=x.org", ("5.6.7.8", "http", "x.org")),
        ('for="a, for=5.6.7.8', ("5.6.7.8", "http", "localhost")),
        ("for=_hidden;proto=ftp", UNCHANGED),
        ("", UNCHANGED),
    ],
    ids=["address", "IPv6", "last element", "open quote", "obfuscated", "empty"],
)
def test_forwarded_is_read(value: str, expected: tuple[str, str, str]) -> None:
    assert origin(("Forwarded", value)) == expected


def test_forwarded_does_not_count_beside_the_older_headers() -> None:
    assert origin(("Forwarded", "for=6.6.6.6"), ("X-Forwarded-For", "1.2.3.4"))[0] == (
        "1.2.3.4"
    )


def test_embedded_application_sees_the_same_origin() -> None:
    request = HTTPServerRequest(make_environ(headers=SAID[:3]))
    ProxyHeaders().apply(request)
    environ = request.environ
    assert environ["REMOTE_ADDR"] == "1.2.3.4"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["HTTP_HOST"] == "www.example.com"


@given(st.sampled_from(SAID), st.text(st.characters(max_codepoint=255)))
def test_any_text_is_answered(header: tuple[str, str], text: str) -> None:
    address, scheme, host = origin((header[0], text))
    assert scheme in ("http", "https")
    assert address
    assert host
