"""What is remembered of whole heads: of which, and that it changes no answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.httpserver.recording import BACKENDS, parse, request
from wsgitornado.httpserver import fields as of_fields
from wsgitornado.httpserver.fields import KnownBlocks
from wsgitornado.httpserver.limits import Limits
from wsgitornado.httpserver.parsers import _known_blocks, find_backend


@pytest.fixture(params=BACKENDS, ids=str)
def backend(request: pytest.FixtureRequest) -> str | None:
    name: str | None = request.param
    return name


@pytest.fixture
def known(backend: str | None) -> Iterator[KnownBlocks]:
    blocks = _known_blocks(find_backend(backend))
    blocks.clear()
    yield blocks
    blocks.clear()


def block(*lines: str) -> bytes:
    return "\r\n".join(["", "Host: a", *lines, "", ""]).encode()


def test_fields_of_one_request_are_those_of_the_next(
    known: KnownBlocks, backend: str | None
) -> None:
    lines = "User-Agent: x", "Accept: */*"
    data = b"".join(
        request(*lines, start=f"{start} HTTP/1.1")
        for start in ("GET /a", "HEAD /b?c", "GET /d")
    )
    recorder = parse([data], backend=backend)
    assert recorder.targets == ["/a", "/b?c", "/d"]
    assert len({event[4] for event in recorder.events if event[0] == "head"}) == 1
    assert list(known) == [block(*lines)]


@pytest.mark.parametrize(
    "lines",
    [
        ["Cookie: a=b"],
        ["Authorization: Basic x"],
        ["X-Token: x"],
        ["Referer: /secret"],
        ["Content-Length: 0"],
        ["Expect: 100-continue"],
        ["Upgrade: websocket"],
        ["Accept: a", "Accept: b"],
        ["User_Agent: x"],
        ["Accept: " + "a" * 1000],
    ],
    ids=lambda lines: lines[0][:20],
)
def test_secrets_framing_and_what_is_rare_are_not_kept(
    known: KnownBlocks, backend: str | None, lines: list[str]
) -> None:
    recorder = parse([request(*lines) * 2], backend=backend)
    assert recorder.status is None
    assert len(recorder.targets) == 2
    assert not known


def test_transfer_encoding_is_not_kept(known: KnownBlocks, backend: str | None) -> None:
    data = request("Transfer-Encoding: chunked", start="POST / HTTP/1.1")
    recorder = parse([(data + b"0\r\n\r\n") * 2], backend=backend)
    assert recorder.targets == ["/", "/"]
    assert not known


def test_host_of_a_target_is_of_that_request_alone(
    known: KnownBlocks, backend: str | None
) -> None:
    data = b"".join(
        request(start=f"GET {target} HTTP/1.1")
        for target in ("http://evil/x", "/y", "http://other/z", "/y")
    )
    hosts = [
        dict(event[4])["host"]
        for event in parse([data], backend=backend).events
        if event[0] == "head"
    ]
    assert hosts == ["evil", "a", "other", "a"]


@pytest.mark.parametrize(
    ("start", "status"),
    [
        ("GET / HTTP/1.1\rX: y", 400),
        ("GET /\n HTTP/1.1", 400),
        ("GET  / HTTP/1.1", 400),
        ("G(T / HTTP/1.1", 400),
        ("GET /\x00 HTTP/1.1", 400),
        ("GET /#a HTTP/1.1", 400),
        ("GET / HTTP/2.0", 505),
        ("CONNECT a HTTP/1.1", 501),
        ("", 400),
    ],
    ids=repr,
)
def test_first_line_is_judged_each_time(
    known: KnownBlocks, backend: str | None, start: str, status: int
) -> None:
    data = request("Accept: b", start="GET / HTTP/1.1")
    wrong = start.encode() + block("Accept: b")
    recorder = parse([data + wrong], backend=backend)
    assert recorder.targets == ["/"]
    assert recorder.status == status
    assert list(known) == [block("Accept: b")]


def test_server_with_lower_limits_refuses_what_another_has_read(
    known: KnownBlocks, backend: str | None
) -> None:
    data = request("Accept: b", "User-Agent: " + "c" * 30)
    assert parse([data], Limits(max_header_fields=3), backend).status is None
    assert len(known) == 1
    assert parse([data], Limits(max_header_fields=2), backend).status == 431
    assert parse([data], Limits(max_header_size=len(data) - 1), backend).status == 431


def test_host_is_missed_where_it_has_to_be(
    known: KnownBlocks, backend: str | None
) -> None:
    rest = " HTTP/1.{}\r\nConnection: keep-alive\r\n\r\n"
    first, second = (("GET /" + rest.format(n)).encode() for n in (0, 1))
    recorder = parse([first + second], backend=backend)
    assert recorder.targets == ["/"]
    assert recorder.status == 400


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_fields, "_MOST_BLOCKS", 2)
    known = KnownBlocks()
    fields = {"HTTP_HOST": "a"}
    for number in range(3):
        known.remember(b"\r\nHost: a%d\r\n\r\n" % number, fields)
    assert list(known) == [b"\r\nHost: a2\r\n\r\n"]


def test_only_blocks_up_to_a_length_are_kept() -> None:
    known = KnownBlocks()
    for size in (of_fields._LONGEST_BLOCK, of_fields._LONGEST_BLOCK + 1):
        known.remember(b"\r\nHost: ".ljust(size - 4, b"a") + b"\r\n\r\n", {})
        known.remember(
            b"\r\nHost: ".ljust(size - 4, b"a") + b"\r\n\r\n", {"HTTP_HOST": "a"}
        )
    assert [len(one) for one in known] == [of_fields._LONGEST_BLOCK]
