"""Attacks on the parser: each one, however it is split, with each backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tests.httpserver.recording import BACKENDS, SPLITS, Recorder, parse, request
from wsgitornado.httpserver.limits import Limits

NEXT = request(start="GET /smuggled HTTP/1.1")
POST = "POST / HTTP/1.1"
CHUNKED = request("Transfer-Encoding: chunked", start=POST)
SMALL = Limits(max_chunk_line=20, max_trailer_size=40)

Parse = Callable[..., Recorder]


@pytest.fixture(params=BACKENDS, ids=str)
def backend(request: pytest.FixtureRequest) -> str | None:
    name: str | None = request.param
    return name


@pytest.fixture(params=SPLITS)
def attack(request: pytest.FixtureRequest, backend: str | None) -> Parse:
    """Parse an attack with another request behind it."""
    split: Callable[[bytes], Iterable[bytes]] = SPLITS[request.param]

    def attack(data: bytes, limits: Limits | None = None) -> Recorder:
        return parse(split(data + NEXT), limits, backend)

    return attack


def head(*lines: str, start: str = POST, host: str = "a") -> bytes:
    return request(*lines, start=start, host=host)


LENGTHS = {
    "CL.TE": head("Content-Length: 4", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "TE.CL": head("Transfer-Encoding: chunked", "Content-Length: 4") + b"0\r\n\r\n",
    "CL.CL": head("Content-Length: 0", "Content-Length: 44"),
    "the same CL twice": head("Content-Length: 2", "Content-Length: 2") + b"ab",
    "CL list": head("Content-Length: 2, 2") + b"ab",
    "CL plus": head("Content-Length: +2") + b"ab",
    "CL minus": head("Content-Length: -2"),
    "CL hexadecimal": head("Content-Length: 0x2") + b"ab",
    "CL with a space": head("Content-Length: 1 1") + b"ab",
    "CL empty": head("Content-Length:"),
    "CL superscript": head("Content-Length: \xb2") + b"ab",
    "CL underscore": head("Content-Length: 1_0"),
    "CL and a space before the colon": head("Content-Length : 44"),
    "CL folded": head("Content-Length:", " 44"),
    "CL folded with a tab": head("X: a", "\tContent-Length: 44"),
    "TE twice": head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "TE chunked, identity": head("Transfer-Encoding: chunked, identity"),
    "TE twice, one other": head("Transfer-Encoding: chunked", "Transfer-Encoding: x"),
    "TE with a vertical tab": head("Transfer-Encoding: \x0bchunked"),
    "TE with a space before the colon": head("Transfer-Encoding : chunked"),
    "TE with a tab before the colon": head("Transfer-Encoding\t: chunked"),
    "TE with a parameter": head("Transfer-Encoding: chunked;a"),
    "TE quoted": head('Transfer-Encoding: "chunked"'),
    "TE xchunked": head("Transfer-Encoding: xchunked"),
    "TE empty": head("Transfer-Encoding:"),
    "TE folded": head("Transfer-Encoding:", " chunked"),
    "TE and NUL": head("Transfer-Encoding: chunked\0"),
    "TE and nbsp": head("Transfer-Encoding: \xa0chunked"),
    "TE after a bare LF": head("X: a\nTransfer-Encoding: chunked"),
    "TE after a bare CR": head("X: a\rTransfer-Encoding: chunked"),
    "TE in HTTP/1.0": head("Transfer-Encoding: chunked", start="POST / HTTP/1.0"),
    "TE behind a space": head(" Transfer-Encoding: chunked"),
}

CHUNKS = {
    "no size": b"\r\nab\r\n0\r\n\r\n",
    "size plus": b"+2\r\nab\r\n0\r\n\r\n",
    "size minus": b"-2\r\nab\r\n0\r\n\r\n",
    "size 0x2": b"0x2\r\nab\r\n0\r\n\r\n",
    "size with an underscore": b"1_0\r\n",
    "size with a space before": b" 2\r\nab\r\n0\r\n\r\n",
    "size with a space behind": b"2 \r\nab\r\n0\r\n\r\n",
    "size with a tab behind": b"2\t\r\nab\r\n0\r\n\r\n",
    "size is no number": b"xy\r\nab\r\n0\r\n\r\n",
    "size of many digits": b"0000000000000002\r\nab\r\n0\r\n\r\n",
    "size beyond 64 bits": b"FFFFFFFFFFFFFFFF2\r\nab\r\n0\r\n\r\n",
    "size ends with LF": b"2\nab\r\n0\r\n\r\n",
    "size ends with CR": b"2\rab\r\n0\r\n\r\n",
    "NUL in the extension": b"2;a=\0\r\nab\r\n0\r\n\r\n",
    "LF in the extension": b"2;a\nab\r\n0\r\n\r\n",
    "CR in the extension": b"2;a\rb\r\nab\r\n0\r\n\r\n",
    "extension without a semicolon": b"2 a\r\nab\r\n0\r\n\r\n",
    "chunk longer than its size": b"2\r\nabc\r\n0\r\n\r\n",
    "chunk shorter than its size": b"3\r\nab\r\n0\r\n\r\n",
    "chunk ends with LF": b"2\r\nab\n0\r\n\r\n",
    "chunk ends with CR": b"2\r\nab\r0\r\n\r\n",
    "chunk without an end": b"2\r\nab0\r\n\r\n",
    "last chunk ends with LF": b"2\r\nab\r\n0\n\r\n",
    "trailer without a colon": b"0\r\nX\r\n\r\n",
    "trailer with a space before the colon": b"0\r\nX : a\r\n\r\n",
    "trailer folded": b"0\r\nX: a\r\n b\r\n\r\n",
    "trailer ends with LF": b"0\r\nX: a\n\r\n",
    "trailers end with LF": b"0\r\nX: a\r\n\n",
    "NUL in a trailer": b"0\r\nX: \0\r\n\r\n",
    "a request in place of trailers": b"0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
}

OTHERS = {
    "no Host": (request(host=""), 400),
    "two Hosts": (request("Host: b"), 400),
    "the same Host twice": (request("Host: a"), 400),
    "Host list": (request(host="a, b"), 400),
    "Host with a path": (request(host="a/b"), 400),
    "Host with a user": (request(host="a@b"), 400),
    "Host with a space": (request(host="a b"), 400),
    "Host empty": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    "absolute target with a user": (request(start="GET http://a@b/ HTTP/1.1"), 400),
    "absolute target, no host": (request(start="GET http:///b HTTP/1.1"), 400),
    "absolute target, odd port": (request(start="GET http://a:b/ HTTP/1.1"), 400),
    "absolute target, no Host": (
        request(start="GET http://a/ HTTP/1.1", host=""),
        400,
    ),
    "target without a slash": (request(start="GET a HTTP/1.1"), 400),
    "target with a fragment": (request(start="GET /#a HTTP/1.1"), 400),
    "target with NUL": (request(start="GET /\0 HTTP/1.1"), 400),
    "target with UTF-8": (request(start="GET /\xc3\xa4 HTTP/1.1"), 400),
    "CONNECT": (request(start="CONNECT a:80 HTTP/1.1"), 501),
    "HTTP/2.7": (request(start="GET / HTTP/2.7"), 505),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/1.10": (request(start="GET / HTTP/1.10"), 400),
    "http/1.1": (request(start="GET / http/1.1"), 400),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "lines end with LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "a response": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 400),
    "two empty lines first": (b"\r\n\r\n" + request(), 400),
    "gzip, chunked": (head("Transfer-Encoding: gzip, chunked"), 501),
    "unknown expectation": (head("Content-Length: 1", "Expect: x") + b"a", 417),
    "endless Content-Length": (head("Content-Length: " + "9" * 100), 400),
    "101 fields": (request(*["X: a"] * 100), 431),
    "long line": (request("X: " + "a" * 17_000), 431),
    "long target": (request(start=f"GET /{'a' * 9000} HTTP/1.1"), 414),
}


@pytest.mark.parametrize("data", LENGTHS.values(), ids=LENGTHS)
def test_an_ambiguous_length_is_refused(attack: Parse, data: bytes) -> None:
    recorder = attack(data)
    assert recorder.status == 400
    assert recorder.heads == []


@pytest.mark.parametrize("data", CHUNKS.values(), ids=CHUNKS)
def test_a_malformed_chunked_body_is_refused(attack: Parse, data: bytes) -> None:
    recorder = attack(CHUNKED + data)
    assert recorder.status == 400
    assert len(recorder.heads) == 1
    assert recorder.targets == []


@pytest.mark.parametrize(("data", "status"), OTHERS.values(), ids=OTHERS)
def test_an_attack_is_refused(attack: Parse, data: bytes, status: int) -> None:
    recorder = attack(data)
    assert recorder.status == status
    assert recorder.heads == []


@pytest.mark.parametrize(
    ("data", "body"),
    [
        pytest.param(b"0\r\n\r\n", b"", id="empty"),
        pytest.param(b"00\r\n\r\n", b"", id="two zeros"),
        pytest.param(
            b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n",
            b"0123456789" * 2,
            id="digits in either case",
        ),
        pytest.param(
            b"00000000000002\r\n\r\n\r\n0\r\n\r\n", b"\r\n", id="leading zeros"
        ),
        pytest.param(b'2;\r\nab\r\n0;a="b;c"\r\n\r\n', b"ab", id="extensions"),
        pytest.param(
            b"2 \t;a\r\nab\r\n0\r\n\r\n", b"ab", id="blanks before a semicolon"
        ),
        pytest.param(
            b"5\r\n0\r\n\r\n\r\n0\r\nX-A: b\r\nHost: c\r\n\r\n",
            b"0\r\n\r\n",
            id="content like the end, and trailers",
        ),
    ],
)
def test_a_chunked_body_is_joined(attack: Parse, data: bytes, body: bytes) -> None:
    recorder = attack(CHUNKED + data)
    assert recorder.targets == ["/", "/smuggled"]
    assert recorder.bodies == ([body] if body else [])
    assert recorder.heads[0].headers == [
        ("host", "a"),
        ("transfer-encoding", "chunked"),
    ]


@pytest.mark.parametrize(
    ("make", "status"),
    [
        pytest.param(
            lambda n: b"0;" + b"a" * (n - 2) + b"\r\n\r\n", 400, id="chunk line"
        ),
        pytest.param(
            lambda n: b"0\r\nX:" + b"a" * (2 * n - 6) + b"\r\n\r\n", 431, id="trailer"
        ),
        pytest.param(
            lambda n: b"0\r\n" + b"X:\r\n" * 5 + b"Y" * (n - 5) + b":\r\n\r\n",
            431,
            id="trailers",
        ),
    ],
)
def test_lines_of_a_body_have_limits(
    attack: Parse, make: Callable[[int], bytes], status: int
) -> None:
    assert attack(CHUNKED + make(20), SMALL).targets == ["/", "/smuggled"]
    recorder = attack(CHUNKED + make(21), SMALL)
    assert recorder.status == status
    assert recorder.targets == []


@pytest.mark.parametrize("line", [b"a" * 30, b"0" * 30], ids=["letters", "zeros"])
def test_a_chunk_line_without_end_is_refused_at_its_limit(
    line: bytes, backend: str | None
) -> None:
    recorder = parse([CHUNKED, line[:20]], SMALL, backend)
    assert recorder.status is None
    recorder.parser.feed(line[20:21])
    assert recorder.events[-1] == ("error", 400, "a chunk line that is too long")


def test_content_before_an_error_is_delivered_before_it(attack: Parse) -> None:
    recorder = attack(CHUNKED + b"2\r\nab\r\n3\r\ncde\r\nx\r\n")
    assert recorder.bodies == [b"abcde"]
    assert recorder.status == 400


@pytest.mark.parametrize(
    "method",
    ["PROPFIND", "M-SEARCH", "DESCRIBE", "PRI", "X", "get", "A!#$%&'*+-.^_`|~"],
)
def test_any_token_is_a_method(attack: Parse, method: str) -> None:
    recorder = attack(head("Content-Length: 2", start=f"{method} / HTTP/1.1") + b"ab")
    assert recorder.heads[0].method == method
    assert recorder.targets == ["/", "/smuggled"]


def test_an_upgrade_with_a_body_is_a_request(attack: Parse) -> None:
    data = head("Upgrade: x", "Connection: upgrade", "Content-Length: 2") + b"ab"
    recorder = attack(data)
    assert recorder.heads[0].upgrade == "x"
    assert recorder.bodies == [b"ab"]
    assert recorder.targets == ["/", "/smuggled"]


def test_a_body_may_look_like_a_request(attack: Parse) -> None:
    recorder = attack(head(f"Content-Length: {len(NEXT)}") + NEXT)
    assert recorder.targets == ["/", "/smuggled"]
    assert recorder.bodies == [NEXT]


def test_http_1_0_ends_with_its_request(attack: Parse) -> None:
    recorder = attack(request(start="GET / HTTP/1.0", host=""))
    assert recorder.targets == ["/"]
    kept = attack(request("Connection: keep-alive", start="GET / HTTP/1.0"))
    assert kept.targets == ["/", "/smuggled"]
