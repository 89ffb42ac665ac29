"""URLs, headers and redirects of requests, as far as no server is needed."""

from __future__ import annotations

import pytest

from wsgitornado.httpclient.outgoing import (
    check_request,
    follow_redirect,
    header_pairs,
    read_url,
    set_headers,
)
from wsgitornado.httpclient.request import HTTPRequest, fill_in
from wsgitornado.httputil import HTTPHeaders


def made(url: str = "http://a.example/x", **arguments: object) -> HTTPRequest:
    """A request as it is just before it is sent."""
    request = fill_in(HTTPRequest(url, **arguments), HTTPRequest._DEFAULTS)  # type: ignore[arg-type] # of any kind
    set_headers(request, read_url(url))
    return request


# URLs


@pytest.mark.parametrize(
    ("url", "host", "port", "authority", "target"),
    [
        ("http://a.example", "a.example", 80, "a.example", "/"),
        ("HTTPS://A.example/", "a.example", 443, "A.example", "/"),
        ("http://a.example:8080?q", "a.example", 8080, "a.example:8080", "/?q"),
        ("http://[::1]:80/", "::1", 80, "[::1]:80", "/"),
        ("http://u:p@a.example/x#y", "a.example", 80, "a.example", "/x"),
        (
            "http://b\xfccher.example/\xe9 ",
            "xn--bcher-kva.example",
            80,
            None,
            "/%C3%A9%20",
        ),
        ("http://a.example/%2F%zz|[]{}", "a.example", 80, None, "/%2F%zz|[]{}"),
    ],
)
def test_url_is_taken_apart(
    url: str, host: str, port: int, authority: str | None, target: str
) -> None:
    address = read_url(url)
    assert (address.host, address.port) == (host, port)
    assert address.authority == (host if authority is None else authority)
    assert address.target == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a.example",
        "ftp://a.example/",
        "file:///etc/passwd",
        "javascript:1",
        "http://",
        "http:///x",
        "http://:80/",
        "http://a.example:x/",
        "http://a.example:65536/",
        "http://[::1/",
        "http://a b/",
        "http://a\\b/",
        'http://a"b/',
        "http://a.example/\r\nX: y",
        "http://a.example/\n",
        "http://a.example/\t",
        "http://a.example/\x00",
        "http://a.example\r\n/",
        "http://a%20b/",
        "http://[x/",
        "http://a.example\uff0fx/",
    ],
)
def test_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|url|Port|netloc"):
        read_url(url)


# Headers


@pytest.mark.parametrize("char", ["\r", "\n", "\r\n ", "\0", "\x7f", "\x0b"])
def test_control_character_in_a_header_is_refused(char: str) -> None:
    with pytest.raises(ValueError, match="Illegal characters"):
        header_pairs(HTTPHeaders({"X-A": f"a{char}b"}))
    with pytest.raises(ValueError, match="Illegal characters"):
        header_pairs(HTTPHeaders({f"X-A{char}b": "a"}))


@pytest.mark.parametrize("name", ["", "a b", "a:", "\xe9"])
def test_name_of_a_header_is_a_token(name: str) -> None:
    with pytest.raises(ValueError, match="Illegal characters"):
        header_pairs(HTTPHeaders({name: "a"}))


def test_value_of_a_header_is_text() -> None:
    with pytest.raises(TypeError, match="header X-A: got 3"):
        header_pairs(HTTPHeaders({"X-A": 3}))


def test_value_of_a_header_may_hold_a_tab_and_latin_1() -> None:
    headers = HTTPHeaders({"X-A": " a\t\xe9 "})
    assert header_pairs(headers) == [(b"X-A", b"a\t\xe9")]


@pytest.mark.parametrize("method", ["GET\r\nX: y", "GET /", "", "\xe9"])
def test_method_is_a_token(method: str) -> None:
    with pytest.raises(ValueError, match="token"):
        check_request(made(method=method, allow_nonstandard_methods=True))


def test_message_has_one_framing() -> None:
    both = {"Transfer-Encoding": "chunked", "Content-Length": "99"}
    assert made(headers=both).headers.keys().isdisjoint(both)
    request = made(headers=both, method="POST", body="abc")
    assert request.headers["Content-Length"] == "3"
    assert "Transfer-Encoding" not in request.headers
    request = made(headers=both, method="POST", body_producer=print)
    assert request.headers["Content-Length"] == "99"
    assert "Transfer-Encoding" not in request.headers
    request = made(method="POST", body_producer=print)
    assert request.headers["Transfer-Encoding"] == "chunked"
    request = made(method="POST", allow_nonstandard_methods=True)
    assert request.headers["Content-Length"] == "0"


# Redirects

SECRETS = {
    "Authorization": "a",
    "Cookie": "c=1",
    "Proxy-Authorization": "p",
    "X-A": "1",
}


@pytest.mark.parametrize(
    ("location", "is_same"),
    [
        ("/y", True),
        ("http://a.example:80/y", True),
        ("http://A.EXAMPLE/y", True),
        ("//a.example/y", True),
        ("http://b.example/y", False),
        ("https://a.example/y", False),
        ("http://a.example:81/y", False),
        ("http://a.example.b.example/y", False),
        ("//b.example", False),
        ("http://a.example@b.example/y", False),
    ],
)
def test_secrets_stay_with_their_origin(location: str, is_same: bool) -> None:
    request = made(headers=SECRETS, auth_username="u", auth_password="p")
    following = follow_redirect(request, 302, location)
    assert following is not None
    left = {name for name in SECRETS if name in following.headers}
    assert left == (set(SECRETS) if is_same else {"X-A"})
    assert following.auth_username == ("u" if is_same else None)
    assert following.auth_password == ("p" if is_same else None)
    assert "Host" not in following.headers
    set_headers(following, read_url(following.url))
    assert ("Authorization" in following.headers) is is_same


def test_user_in_a_location_is_not_sent() -> None:
    following = follow_redirect(made(), 302, "http://u:p@a.example/y")
    assert following is not None
    assert following.url == "http://a.example/y"


def test_user_of_the_first_url_stays_with_its_origin() -> None:
    request = made("http://u:p@a.example/x")
    following = follow_redirect(request, 302, "/y")
    assert following is not None
    assert following.url == "http://u:p@a.example/y"


def test_answer_to_a_challenge_is_for_one_url() -> None:
    digest = {"auth_username": "u", "auth_mode": "digest"}
    request = made(headers={"Authorization": "Digest x"}, **digest)
    following = follow_redirect(request, 302, "/y")
    assert following is not None
    assert "Authorization" not in following.headers
    assert following.auth_username == "u"


@pytest.mark.parametrize("code", [200, 300, 304, 305, 306, 404])
def test_only_redirects_are_followed(code: int) -> None:
    assert follow_redirect(made(), code, "/y") is None


@pytest.mark.parametrize(
    "location",
    ["ftp://a.example/", "http://[x/", "/\ty", "javascript:alert(1)"],
)
def test_location_that_leads_nowhere_is_refused(location: str) -> None:
    with pytest.raises(ValueError, match=r"URL|url|Control"):
        follow_redirect(made(), 302, location)


def test_request_itself_is_not_changed_by_a_redirect() -> None:
    request = made(headers=SECRETS, method="POST", body="x")
    before = (dict(request.headers), request.url, request.method, request.body)
    following = follow_redirect(request, 303, "http://b.example/")
    assert following is not None
    assert (following.method, following.body) == ("GET", None)
    assert (dict(request.headers), request.url, request.method, request.body) == before
