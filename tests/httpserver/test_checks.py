"""Request lines and heads: every form that is taken, and those that are not."""

from __future__ import annotations

import pytest

from wsgitornado.httpserver.checks import RequestHead, check_head, read_request_line
from wsgitornado.httpserver.head import RequestError

HOST = {"HTTP_HOST": "a"}


def check(
    target: str = "/",
    method: str = "GET",
    version: tuple[int, int] = (1, 1),
    **fields: str,
) -> RequestHead:
    return check_head((method, target, version), {**HOST, **fields})


def status_of(target: str = "/", method: str = "GET", **fields: str) -> int:
    with pytest.raises(RequestError) as caught:
        check(target, method, (1, 1), **fields)
    return caught.value.status


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET / HTTP/1.1", ("GET", "/", (1, 1))),
        ("get /a?b HTTP/1.0", ("get", "/a?b", (1, 0))),
        ("M-SEARCH * HTTP/1.1", ("M-SEARCH", "*", (1, 1))),
        ("X!#$%&'*+-.^_`|~0 / HTTP/1.1", ("X!#$%&'*+-.^_`|~0", "/", (1, 1))),
        ('GET /"<>\\^`{|} HTTP/1.1', ("GET", '/"<>\\^`{|}', (1, 1))),
    ],
)
def test_a_request_line_has_three_parts(
    line: str, expected: tuple[str, str, tuple[int, int]]
) -> None:
    assert read_request_line(line) == expected


@pytest.mark.parametrize(
    ("line", "status"),
    [
        pytest.param("", 400, id="empty"),
        pytest.param("GET /", 400, id="HTTP/0.9"),
        pytest.param("GET / HTTP/1.1 ", 400, id="space at the end"),
        pytest.param(" GET / HTTP/1.1", 400, id="space at first"),
        pytest.param("GET  / HTTP/1.1", 400, id="two spaces"),
        pytest.param("GET /a b HTTP/1.1", 400, id="space in the target"),
        pytest.param("GET\t/\tHTTP/1.1", 400, id="tabs"),
        pytest.param("GET /\ta HTTP/1.1", 400, id="tab in the target"),
        pytest.param("GET  HTTP/1.1", 400, id="no target"),
        pytest.param("GET / http/1.1", 400, id="version in small letters"),
        pytest.param("GET / HTTP/1.10", 400, id="two digits"),
        pytest.param("GET / HTTP/1", 400, id="no minor version"),
        pytest.param("GET / HTTP/01.1", 400, id="leading zero"),
        pytest.param("GET / HTTP/1,1", 400, id="comma"),
        pytest.param("GET / HTTP/\u00b9.1", 400, id="digit that is none"),
        pytest.param("GET / HTTPS/1.1", 400, id="other protocol"),
        pytest.param("GET / HTTP/2.7", 505, id="2.7"),
        pytest.param("GET / HTTP/1.2", 505, id="1.2"),
        pytest.param("GET / HTTP/0.9", 505, id="0.9"),
        pytest.param("PRI * HTTP/2.0", 505, id="HTTP/2 preface"),
        pytest.param("G(T / HTTP/1.1", 400, id="method is no token"),
        pytest.param("GET: / HTTP/1.1", 400, id="method with a colon"),
        pytest.param(" / HTTP/1.1", 400, id="no method"),
        pytest.param("GET /a#b HTTP/1.1", 400, id="fragment"),
        pytest.param("GET /k\xc3\xa4se HTTP/1.1", 400, id="bytes that are not ASCII"),
    ],
)
def test_any_other_request_line_is_refused(line: str, status: int) -> None:
    with pytest.raises(RequestError) as caught:
        read_request_line(line)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "host",
    [
        "a",
        "A.example",
        "a:80",
        "a:",
        "my_service:8000",
        "10.0.0.1",
        "[::1]",
        "[::1]:80",
    ],
)
def test_a_host_is_a_name_or_an_address_and_perhaps_a_port(host: str) -> None:
    assert check(HTTP_HOST=host).fields["HTTP_HOST"] == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "a,b",
        "a/b",
        "u@a",
        "a:b",
        "a:65536",
        "[::1",
        "[x]",
        "a?",
        "\xe4",
        "a\\",
    ],
)
def test_any_other_host_is_refused(host: str) -> None:
    assert status_of(HTTP_HOST=host) == 400
    if not {"/", "?"}.intersection(host):
        assert status_of(f"http://{host}/") == 400


def test_only_http_1_0_needs_no_host() -> None:
    check_head(("GET", "/", (1, 0)), {})
    with pytest.raises(RequestError) as caught:
        check_head(("GET", "/", (1, 1)), {})
    assert caught.value.status == 400


@pytest.mark.parametrize("target", ["http://b:8/p?q", "HTTPS://b:8", "http://b:8?/x"])
def test_the_host_of_an_absolute_target_wins(target: str) -> None:
    fields = dict(HOST)
    head = check_head(("GET", target, (1, 1)), fields)
    assert head.fields == {"HTTP_HOST": "b:8"}
    assert head.target == target
    assert fields == HOST


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "*", 400),
        ("GET", "a", 400),
        ("GET", "a:80", 400),
        ("GET", "?a", 400),
        ("GET", "ftp://a/", 400),
        ("GET", "http:/a", 400),
        ("GET", "http:///a", 400),
        ("GET", "http://u:p@a/", 400),
        ("GET", "javascript:x", 400),
        ("OPTIONS", "**", 400),
        ("CONNECT", "a:80", 501),
        ("CONNECT", "/", 501),
    ],
)
def test_other_targets_are_refused(method: str, target: str, status: int) -> None:
    assert status_of(target, method) == status


def test_an_asterisk_is_the_target_of_options() -> None:
    assert check("*", "OPTIONS").target == "*"


@pytest.mark.parametrize(("text", "length"), [("0", 0), ("5", 5), ("007", 7)])
def test_a_content_length_is_digits(text: str, length: int) -> None:
    head = check(CONTENT_LENGTH=text)
    assert (head.content_length, head.is_chunked) == (length, False)


@pytest.mark.parametrize(
    "text",
    ["", "+5", "-1", "5,5", "5, 6", "5 5", "0x5", "5.0", "1e3", "five", "\xb2", "1_0"],
)
def test_any_other_content_length_is_refused(text: str) -> None:
    assert status_of(CONTENT_LENGTH=text) == 400


def test_a_content_length_has_a_bounded_number_of_digits() -> None:
    assert check(CONTENT_LENGTH="9" * 18).content_length == 10**18 - 1
    assert status_of(CONTENT_LENGTH="9" * 19) == 413


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "CHUNKED"])
def test_chunked_is_known(coding: str) -> None:
    head = check(HTTP_TRANSFER_ENCODING=coding)
    assert (head.content_length, head.is_chunked) == (None, True)


@pytest.mark.parametrize(
    ("coding", "status"),
    [
        ("", 400),
        ("identity", 400),
        ("xchunked", 400),
        ("chunked;q=1", 400),
        ("chunked,", 400),
        (",chunked", 400),
        ('"chunked"', 400),
        ("chunked, chunked", 400),
        ("chunked, gzip", 400),
        ("gzip chunked", 400),
        ("g(p, chunked", 400),
        ("gzip, chunked", 501),
        ("gzip,deflate,chunked", 501),
        ("identity, chunked", 501),
    ],
)
def test_other_transfer_codings_are_refused(coding: str, status: int) -> None:
    assert status_of(HTTP_TRANSFER_ENCODING=coding) == status


def test_two_lengths_are_one_too_many() -> None:
    assert status_of(HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="5") == 400


def test_http_1_0_has_no_chunks() -> None:
    with pytest.raises(RequestError) as caught:
        check(version=(1, 0), HTTP_TRANSFER_ENCODING="chunked")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("version", "connection", "expected"),
    [
        ((1, 1), None, True),
        ((1, 1), "keep-alive", True),
        ((1, 1), "Keep-Alive", True),
        ((1, 1), "close", False),
        ((1, 1), "CLOSE", False),
        ((1, 1), "TE , close", False),
        ((1, 1), "keep-alive, close", False),
        ((1, 1), "closed", True),
        ((1, 1), "", True),
        ((1, 0), None, False),
        ((1, 0), "keep-alive", True),
        ((1, 0), "Keep-Alive", True),
        ((1, 0), "keep-alive, close", False),
        ((1, 0), "upgrade", False),
    ],
)
def test_connection_says_whether_it_stays_open(
    version: tuple[int, int], connection: str | None, expected: bool
) -> None:
    fields = {} if connection is None else {"HTTP_CONNECTION": connection}
    assert check(version=version, **fields).keep_alive is expected


@pytest.mark.parametrize(
    ("version", "connection", "expected"),
    [
        ((1, 1), "Upgrade", "websocket"),
        ((1, 1), "keep-alive, upgrade", "websocket"),
        ((1, 1), "keep-alive", None),
        ((1, 0), "upgrade", None),
    ],
)
def test_an_upgrade_is_one_that_connection_names(
    version: tuple[int, int], connection: str, expected: str | None
) -> None:
    head = check(version=version, HTTP_CONNECTION=connection, HTTP_UPGRADE="websocket")
    assert head.upgrade == expected


def test_an_upgrade_to_nothing_is_none() -> None:
    assert check(HTTP_CONNECTION="upgrade").upgrade is None


@pytest.mark.parametrize("expectation", ["100-continue", "100-Continue"])
def test_a_client_may_wait_with_its_body(expectation: str) -> None:
    assert check(HTTP_EXPECT=expectation, CONTENT_LENGTH="1").expects_continue
    assert check(
        HTTP_EXPECT=expectation, HTTP_TRANSFER_ENCODING="chunked"
    ).expects_continue


def test_without_a_body_there_is_nothing_to_wait_for() -> None:
    assert not check(HTTP_EXPECT="100-continue").expects_continue
    assert not check(HTTP_EXPECT="100-continue", CONTENT_LENGTH="0").expects_continue


@pytest.mark.parametrize("expectation", ["", "200-ok", "100-continue, x", "100"])
def test_another_expectation_fails(expectation: str) -> None:
    assert status_of(HTTP_EXPECT=expectation, CONTENT_LENGTH="1") == 417


def test_http_1_0_expects_nothing() -> None:
    head = check(version=(1, 0), HTTP_EXPECT="x", CONTENT_LENGTH="1")
    assert not head.expects_continue


def test_a_head_gives_its_fields_as_headers() -> None:
    head = check(HTTP_X_A="1", CONTENT_TYPE="text/plain")
    assert head.headers == [("host", "a"), ("x-a", "1"), ("content-type", "text/plain")]
    assert repr(head) == "<RequestHead GET />"
