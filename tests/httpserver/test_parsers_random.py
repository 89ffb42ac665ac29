"""The parser and random bytes: no split, backend or pause changes what it tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.httpserver.recording import make, parse, request
from wsgitornado.httpserver import fields, head
from wsgitornado.httpserver.environ import make_environ
from wsgitornado.httpserver.limits import Limits

LIMITS = Limits(
    max_header_size=120,
    max_header_fields=4,
    max_request_line=40,
    max_header_line=50,
    max_chunk_line=16,
    max_trailer_size=30,
)

LINES = [
    b"Host: a",
    b"Host: a",
    b"Host: b:80",
    b"Content-Length: 3",
    b"Content-Length: 0",
    b"Transfer-Encoding: chunked",
    b"Connection: close",
    b"Connection: Upgrade",
    b"Upgrade: x",
    b"Expect: 100-continue",
    b"X-A: \tb \xff",
    b"X_A: b",
    b"X-Long: " + b"a" * 42,
    b"X-Long: " + b"a" * 43,
]
STARTS = [
    b"GET / HTTP/1.1",
    b"GET / HTTP/1.1",
    b"POST /a?b HTTP/1.1",
    b"PROPFIND * HTTP/1.1",
    b"OPTIONS * HTTP/1.0",
    b"GET http://h/ HTTP/1.1",
]
BODIES = [
    b"",
    b"abc",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"1;a\r\na\r\n02\r\nbc\r\n0\r\nX: a\r\n\r\n",
    b"0\r\n\r\n",
    b"\r\n",
]
NOISE = [b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b";", b"0", b"5", b"a" * 20]

requests = st.builds(
    lambda start, lines, body: b"\r\n".join([start, b"Host: a", *lines, b"", body]),
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(LINES[3:]), max_size=3),
    st.sampled_from(BODIES),
)
odd_requests = st.builds(
    lambda start, lines, body: b"\r\n".join([start, *lines, b"", body]),
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(LINES), max_size=5),
    st.sampled_from(BODIES),
)
raw = st.lists(requests | odd_requests, min_size=1, max_size=4).map(b"".join)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """Requests in which a place or two have been written over."""
    data = draw(raw)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.integers(0, 3))
        data = data[:at] + draw(st.sampled_from(NOISE)) + data[at + gone :]
    return data


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    ends = draw(st.lists(st.integers(0, len(data)), max_size=8).map(sorted))
    starts = [0, *ends]
    return [data[a:b] for a, b in zip(starts, [*ends, len(data)], strict=True)]


def tell(data: Iterable[bytes], backend: str | None = None) -> list[tuple[Any, ...]]:
    recorder = parse(data, LIMITS, backend)
    recorder.parser.eof()
    return recorder.events


def statuses(events: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The events without the words about an error, which each library has its own."""
    return [event[:2] if event[0] == "error" else event for event in events]


@settings(max_examples=300, deadline=None)
@given(st.data(), spoiled())
def test_the_split_changes_nothing(data: st.DataObject, sent: bytes) -> None:
    expected = tell([sent])
    assert tell(data.draw(pieces(sent))) == expected
    assert tell([sent[i : i + 1] for i in range(len(sent))]) == expected


@settings(max_examples=300, deadline=None)
@given(spoiled())
def test_the_backend_changes_nothing(sent: bytes) -> None:
    expected = statuses(tell([sent], "httptools"))
    assert statuses(tell([sent], "h11")) == expected


@given(
    st.lists(
        st.tuples(
            st.text(alphabet="!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=8),
            st.text(alphabet=st.characters(max_codepoint=255), max_size=8),
        ),
        max_size=4,
    )
)
def test_the_backends_read_the_same_fields(pairs: list[tuple[str, str]]) -> None:
    sent = request(*[f"{name}: {value}" for name, value in pairs])
    expected = statuses(tell([sent], "httptools"))
    assert statuses(tell([sent], "h11")) == expected


@settings(max_examples=100, deadline=None)
@given(st.data(), spoiled(), st.integers(1, 4))
def test_pauses_change_nothing(data: st.DataObject, sent: bytes, pauses: int) -> None:
    expected = tell([sent])
    recorder = make(LIMITS, pauses=pauses)
    for piece in data.draw(pieces(sent)):
        recorder.parser.feed(piece)
        if data.draw(st.booleans()):
            recorder.parser.resume()
    recorder.parser.eof()
    for _ in range(2 * len(expected)):
        recorder.parser.resume()
    assert recorder.events == expected


@settings(max_examples=200, deadline=None)
@given(spoiled() | st.binary(max_size=60))
def test_whatever_comes_is_told_in_order(sent: bytes) -> None:
    """One head, pieces, an end, and so on; at most one error, at last."""
    state = "end"
    followers = {
        "end": {"head", "error"},
        "head": {"body", "end", "error"},
        "body": {"end", "error"},
        "error": set[str](),
    }
    recorder = parse([sent], LIMITS)
    for event in recorder.events:
        assert event[0] in followers[state]
        state = event[0]
    for each in recorder.heads:
        environ = make_environ(each, {})
        assert all(type(value) is str for value in environ.values())
        assert "HTTP_HOST" in environ or each.version == (1, 0)
    assert recorder.status in {None, 400, 413, 414, 417, 431, 501, 505}


class Counter:
    """Counts what is looked at, in place of a pattern."""

    def __init__(self, pattern: Any) -> None:
        self.pattern = pattern
        self.count = 0

    def match(self, buffer: Sequence[int], at: int) -> Any:
        match = self.pattern.match(buffer, at)
        self.count += match.end() - at + 1
        return match


@pytest.mark.parametrize(
    "make_body",
    [
        pytest.param(lambda n: b"1\r\na\r\n" * n + b"0\r\n\r\n", id="small chunks"),
        pytest.param(
            lambda n: b"0\r\n" + b"X: a\r\n" * n + b"\r\n", id="many trailers"
        ),
        pytest.param(
            lambda n: b"0\r\nX: " + b"a" * n + b"\r\n\r\n", id="a long trailer"
        ),
        pytest.param(lambda n: b"0;" + b"a" * n + b"\r\n\r\n", id="a long extension"),
        pytest.param(lambda n: b"0\r\n\r\n" + b"\r\n", id="an empty line"),
    ],
)
@pytest.mark.parametrize("size", [100, 1000, 10_000])
def test_byte_by_byte_no_line_is_read_twice(
    monkeypatch: pytest.MonkeyPatch, make_body: Any, size: int
) -> None:
    counter = Counter(head._TEXT)
    monkeypatch.setattr(head, "_TEXT", counter)
    limits = Limits(max_chunk_line=10**6, max_trailer_size=10**6)
    sent = (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        + make_body(size)
    )
    recorder = parse([sent[i : i + 1] for i in range(len(sent))], limits)
    assert recorder.targets == ["/"]
    assert counter.count <= 3 * len(sent)


def test_of_many_requests_in_one_read_no_line_is_read_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also those that begin with an empty line, which are read the slow way."""
    counter = Counter(head._TEXT)
    monkeypatch.setattr(head, "_TEXT", counter)
    sent = b"\r\n" + request()
    recorder = parse(sent * 1000)
    assert len(recorder.targets) == 1000
    assert counter.count <= 3000 * len(sent)


def test_what_is_remembered_does_not_pass_limits() -> None:
    """One server has taken a line that is too long for the other."""
    long = b"GET / HTTP/1.1\r\nHost: a\r\nAccept: " + b"a" * 60 + b"\r\n\r\n"
    assert parse(long).targets == ["/"]
    assert any(len(value) >= 60 for _, value in fields._fields)
    assert parse(long, LIMITS).status == 431
