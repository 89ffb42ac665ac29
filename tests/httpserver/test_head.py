"""Where a head ends, its lines, and its limits on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from tests.httpserver.recording import SPLITS
from wsgitornado.httpserver import head as module
from wsgitornado.httpserver.head import HeadScanner, RequestError
from wsgitornado.httpserver.limits import Limits

LIMITS = Limits(
    max_header_size=200, max_header_fields=3, max_request_line=40, max_header_line=60
)


def scan(pieces: Iterable[bytes], limits: Limits = LIMITS) -> bytes | None:
    """The head that is found, and nothing of what follows it."""
    scanner = HeadScanner(limits)
    rest = b""
    head = None
    for piece in pieces:
        if head is not None:
            rest += piece
            continue
        at = 0
        while at < len(piece) and head is None:
            at, head = scanner.take(piece, at)
        rest = piece[at:]
    assert head is None or rest in (b"", b"rest")
    return head


@pytest.fixture(params=SPLITS)
def split(request: pytest.FixtureRequest) -> Callable[[bytes], Iterable[bytes]]:
    return SPLITS[request.param]


Split = Callable[[bytes], Iterable[bytes]]


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\nC:\td\xff\r\n\r\n",
        b"x\r\n\r\n",
    ],
)
def test_a_head_ends_with_its_empty_line(head: bytes, split: Split) -> None:
    assert scan(split(head + b"rest")) == head


def test_one_empty_line_before_a_request_is_passed_over(split: Split) -> None:
    assert scan(split(b"\r\nGET /\r\nA: b\r\n\r\nrest")) == b"GET /\r\nA: b\r\n\r\n"


@pytest.mark.parametrize("part", [b"G", b"GET /\r\nA: b\r\n", b"GET /\r\nA: b\r\n\r"])
def test_a_head_without_its_empty_line_is_not_complete(
    part: bytes, split: Split
) -> None:
    assert scan(split(part)) is None


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        pytest.param(b"\r\n\r\n", 400, "empty line", id="two empty lines"),
        pytest.param(b"GET /\nA: b\r\n\r\n", 400, "LF without CR", id="bare LF"),
        pytest.param(b"GET /\r\nA: b\n\r\n", 400, "LF without CR", id="LF in the end"),
        pytest.param(b"\nGET /\r\n\r\n", 400, "LF without CR", id="LF at first"),
        pytest.param(b"GET /\rA: b\r\n\r\n", 400, "CR without LF", id="bare CR"),
        pytest.param(b"GET /\r\nA: b\r\r\n\r\n", 400, "CR without LF", id="CR CR LF"),
        pytest.param(
            b"GET /\r\n\rA: b\r\n\r\n", 400, "CR without LF", id="CR at first"
        ),
        pytest.param(b"GET /\r\nA: \0b\r\n\r\n", 400, "0x00", id="NUL"),
        pytest.param(b"GET /\r\nA: \x0bb\r\n\r\n", 400, "0x0b", id="vertical tab"),
        pytest.param(b"GET /\r\nA: \x7fb\r\n\r\n", 400, "0x7f", id="DEL"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01", 400, "0x16", id="TLS"),
        pytest.param(b"GET /\r\nA: b\r\n c\r\n\r\n", 400, "folded", id="folded"),
        pytest.param(b"GET /\r\nA: b\r\n\tc\r\n\r\n", 400, "folded", id="by a tab"),
        pytest.param(b"GET /\r\n A: b\r\n\r\n", 400, "folded", id="first line folded"),
        pytest.param(b"G" * 41, 414, "request line", id="long request line"),
        pytest.param(b"G\r\n" + b"A" * 61, 431, "too large", id="long field"),
        pytest.param(
            b"G\r\na:\r\nb:\r\nc:\r\nd", 431, "too many", id="one field too many"
        ),
    ],
)
def test_the_first_wrong_byte_is_refused(
    data: bytes, status: int, message: str, split: Split
) -> None:
    with pytest.raises(RequestError, match=message) as caught:
        scan(split(data))
    assert caught.value.status == caught.value.status_code == status
    # The byte before was not wrong.
    if status != 400:
        assert scan(split(data[:-1])) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"G" * 41 + b"\0", "request line", id="length before NUL"),
        pytest.param(b"G\0" + b"G" * 90, "control", id="NUL before length"),
        pytest.param(b"G\r\nA: b\n" + b"a" * 90, "LF", id="LF before length"),
        pytest.param(b"G\r\n c" + b"a" * 90, "folded", id="fold before length"),
    ],
)
def test_of_two_errors_the_first_counts(
    data: bytes, message: str, split: Split
) -> None:
    with pytest.raises(RequestError, match=message):
        scan(split(data))


@pytest.mark.parametrize(
    ("limit", "make"),
    [
        pytest.param(
            "max_request_line",
            lambda n: b"G" * n + b"\r\nA: b\r\n\r\n",
            id="request line",
        ),
        pytest.param(
            "max_header_line", lambda n: b"G\r\n" + b"A" * n + b"\r\n\r\n", id="a field"
        ),
        pytest.param(
            "max_header_fields",
            lambda n: b"G\r\n" + b"A:\r\n" * n + b"\r\n",
            id="fields",
        ),
        pytest.param(
            "max_header_size",
            lambda n: b"G\r\n" + b"A: " + b"b" * (n - 10) + b"\r\n\r\n",
            id="head",
        ),
    ],
)
@pytest.mark.parametrize("blank", [b"", b"\r\n"], ids=["", "after an empty line"])
def test_a_limit_is_the_most_that_is_taken(
    limit: str, make: Callable[[int], bytes], blank: bytes, split: Split
) -> None:
    limits = Limits(**{limit: 70})
    assert scan(split(blank + make(70)), limits) == make(70)
    with pytest.raises(RequestError) as caught:
        scan(split(blank + make(71)), limits)
    assert caught.value.status == (414 if limit == "max_request_line" else 431)


def test_a_request_line_may_not_be_larger_than_the_head() -> None:
    limits = Limits(max_header_size=64)
    assert scan([b"G" * 60 + b"\r\n\r\n"], limits) is not None
    with pytest.raises(RequestError) as caught:
        scan([b"G" * 61], limits)
    assert caught.value.status == 414


def test_a_head_that_is_too_large_is_not_kept() -> None:
    scanner = HeadScanner(LIMITS)
    scanner.take(b"G", 0)
    with pytest.raises(RequestError):
        scanner.take(b"G" * 100_000, 0)
    assert len(scanner.part) <= LIMITS.max_header_size + 2


@pytest.mark.parametrize("size", [500, 5000, 50_000])
def test_no_byte_is_read_twice(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Byte by byte, each line is looked at from where the last look ended."""
    read = 0

    class Counting:
        def match(self, buffer: bytes, at: int) -> object:
            nonlocal read
            match = pattern.match(buffer, at)
            assert match is not None
            read += match.end() - at + 1
            return match

    pattern = module._TEXT
    monkeypatch.setattr(module, "_TEXT", Counting())
    limits = Limits(max_header_line=size, max_header_size=2 * size)
    head = b"GET / HTTP/1.1\r\nA: " + b"b" * (size - 3) + b"\r\n\r\n"
    assert scan(SPLITS["byte by byte"](head), limits) == head
    assert read <= 3 * len(head)
