"""The parser of a connection: requests in order, pauses, and the end of input."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import pytest

from tests.httpserver.recording import BACKENDS, SPLITS, make, parse, request
from wsgitornado import httpserver
from wsgitornado.httpserver import _h11_parser, _httptools_parser
from wsgitornado.httpserver import parsers as module
from wsgitornado.httpserver.limits import Limits
from wsgitornado.httpserver.parsers import RequestError, RequestHead, RequestParser

Split = Callable[[bytes], Iterable[bytes]]

GET = request(start="GET /get HTTP/1.1")
POST = request("Content-Length: 5", start="POST /post HTTP/1.1") + b"hello"
CHUNKED = (
    request("Transfer-Encoding: chunked", start="POST /chunked HTTP/1.1")
    + b"3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nX-A: b\r\n\r\n"
)
LAST = request("Connection: close", start="GET /last HTTP/1.1")
ALL = GET + POST + CHUNKED + b"\r\n" + GET + LAST


@pytest.fixture(params=SPLITS)
def split(request: pytest.FixtureRequest) -> Split:
    return SPLITS[request.param]


@pytest.fixture(params=BACKENDS, ids=str)
def backend(request: pytest.FixtureRequest) -> str | None:
    name: str | None = request.param
    return name


def test_requests_come_in_order(split: Split, backend: str | None) -> None:
    recorder = parse(split(ALL), backend=backend)
    assert recorder.targets == ["/get", "/post", "/chunked", "/get", "/last"]
    assert recorder.bodies == [b"hello", b"hello"]
    assert recorder.status is None


def test_a_request_without_a_body_is_a_head_and_an_end() -> None:
    assert parse(request("X-A: b", start="PUT /?a HTTP/1.1")).events == [
        (
            "head",
            "PUT",
            "/?a",
            (1, 1),
            (("host", "a"), ("x-a", "b")),
            None,
            False,
            True,
            False,
            None,
        ),
        ("end",),
    ]


def test_a_body_of_no_bytes_is_none() -> None:
    assert len(parse(request("Content-Length: 0")).events) == 2


def test_a_body_is_given_as_it_comes() -> None:
    recorder = make()
    recorder.parser.feed(POST[:-3])
    assert recorder.bodies == [b"he"]
    assert ("end",) not in recorder.events
    recorder.parser.feed(POST[-3:])
    assert recorder.bodies == [b"hello"]
    assert recorder.targets == ["/post"]


def test_after_the_last_request_nothing_is_read(split: Split) -> None:
    recorder = parse(split(LAST + GET + b"\0\0"))
    assert recorder.targets == ["/last"]
    assert recorder.status is None


def test_an_error_after_a_complete_request_comes_after_it(
    split: Split, backend: str | None
) -> None:
    recorder = parse(split(GET + POST + b"GET / HTTP/1.1\r\n\r\n" + GET), None, backend)
    assert recorder.targets == ["/get", "/post"]
    assert recorder.status == 400


def test_after_an_error_nothing_is_read() -> None:
    recorder = parse(b"\0")
    recorder.parser.feed(GET)
    recorder.parser.pause()
    recorder.parser.feed(GET)
    recorder.parser.resume()
    recorder.parser.eof()
    assert recorder.events == [("error", 400, "a control character: 0x00")]
    assert recorder.parser.pending == 0
    assert not recorder.parser.is_between_requests


@pytest.mark.parametrize("pauses", [1, 2, 3, 5])
def test_a_pause_is_kept_at_once(pauses: int, split: Split) -> None:
    whole = parse(split(ALL)).events
    recorder = make(pauses=pauses)
    for piece in split(ALL):
        recorder.parser.feed(piece)
    while len(recorder.events) < len(whole):
        before = recorder.calls
        recorder.parser.resume()
        assert recorder.calls - before <= pauses
    assert recorder.events == whole


def test_what_was_fed_in_a_pause_is_pending() -> None:
    recorder = make(pauses=1)
    parser = recorder.parser
    parser.feed(GET + POST)
    assert len(recorder.events) == 1
    assert parser.pending == len(POST)
    parser.feed(b"GET")
    assert parser.pending == len(POST) + 3
    while recorder.targets != ["/get", "/post"]:
        parser.resume()
    assert parser.pending == 3
    assert not parser.is_between_requests


def test_pauses_between_many_requests_copy_little() -> None:
    """Each of the requests in one read is resumed by itself, as a server does."""
    recorder = make(pauses=2)
    parser = recorder.parser
    sent = GET * 500
    parser.feed(sent)
    copied = 0
    for count in range(1, 500):
        assert len(recorder.targets) == count
        data = parser._data
        parser.resume()
        if parser._data is not data:
            copied += len(parser._data)
    assert len(recorder.targets) == 500
    assert copied <= len(sent)


def test_little_is_kept_of_what_has_been_read() -> None:
    """However long the answer takes, and whatever was sent before the request."""
    recorder = make(pauses=1000)
    recorder.parser.feed(GET * 500 + b"more")
    assert len(recorder.targets) == 500
    assert recorder.parser._data == b"more"


def test_a_receiver_may_answer_at_once_and_resume() -> None:
    """No recursion, however many requests were pipelined."""

    class Receiver:
        count = depth = deepest = 0

        def on_head(self, head: RequestHead) -> None: ...

        def on_body(self, data: bytes) -> None: ...

        def on_error(self, error: RequestError) -> None:
            raise error

        def on_end(self) -> None:
            self.depth += 1
            self.deepest = max(self.deepest, self.depth)
            self.count += 1
            parser.pause()
            parser.resume()
            self.depth -= 1

    receiver = Receiver()
    parser = RequestParser(receiver, Limits())
    many = 2 * sys.getrecursionlimit()
    parser.feed(GET * many)
    assert (receiver.count, receiver.deepest) == (many, 1)


def test_a_receiver_may_feed_more() -> None:
    recorder = make()
    more = iter([GET, POST])
    recorder.then["end"] = lambda: recorder.parser.feed(next(more, b""))
    recorder.parser.feed(GET)
    assert recorder.targets == ["/get", "/get", "/post"]


def test_a_receiver_that_fails_does_not_stop_the_parser() -> None:
    recorder = make()

    def fail() -> None:
        recorder.then.clear()
        raise ZeroDivisionError

    recorder.then["head"] = fail
    with pytest.raises(ZeroDivisionError):
        recorder.parser.feed(POST + GET)
    recorder.parser.resume()
    assert recorder.targets == ["/post", "/get"]
    assert recorder.bodies == [b"hello"]


@pytest.mark.parametrize("data", [b"", b"\r", b"\r\n", GET, POST, CHUNKED + b"\r\n"])
def test_between_requests_the_end_is_no_error(data: bytes, split: Split) -> None:
    recorder = parse(split(data))
    assert recorder.parser.is_between_requests
    recorder.parser.eof()
    assert recorder.status is None


@pytest.mark.parametrize("data", [b"G", b"\r\nG", GET[:-1], POST[:-1], CHUNKED[:-1]])
def test_the_end_in_a_request_is_an_error(data: bytes, split: Split) -> None:
    recorder = parse(split(data))
    assert not recorder.parser.is_between_requests
    before = recorder.status
    recorder.parser.eof()
    assert (before, recorder.status) == (None, 400)
    assert recorder.targets == []


def test_the_end_waits_for_what_is_pending() -> None:
    recorder = make(pauses=2)
    recorder.parser.feed(GET + GET + b"G")
    recorder.parser.eof()
    assert recorder.targets == ["/get"]
    recorder.parser.resume()
    assert recorder.targets == ["/get", "/get"]
    before = recorder.status
    recorder.parser.resume()
    assert (before, recorder.status) == (None, 400)


def test_the_end_may_come_while_the_receiver_is_told() -> None:
    recorder = make()
    recorder.then["head"] = lambda: recorder.parser.eof()
    recorder.parser.feed(POST[:-1])
    assert recorder.status == 400
    assert recorder.bodies == [b"hell"]


@pytest.mark.parametrize("close", ["", "Connection: close"])
def test_another_protocol_may_take_over(close: str, split: Split) -> None:
    recorder = make()
    recorder.then["end"] = recorder.parser.pause
    head = request("Upgrade: x", *filter(None, [close or "Connection: upgrade"]))
    for piece in split(head + b"\0\x81other"):
        recorder.parser.feed(piece)
    assert recorder.parser.detach() == b"\0\x81other"
    recorder.parser.feed(GET)
    recorder.parser.resume()
    assert recorder.parser.detach() == b""
    assert len(recorder.heads) == 1


def test_a_part_of_a_head_is_handed_over_too() -> None:
    recorder = parse([GET + b"ab", b"cd"])
    assert recorder.parser.pending == 4
    assert recorder.parser.detach() == b"abcd"


def test_an_idle_parser_keeps_nothing() -> None:
    recorder = parse(GET * 10 + POST)
    assert recorder.parser.pending == 0
    assert recorder.parser._data == b""


def test_other_backends_are_refused() -> None:
    with pytest.raises(ValueError, match="'httptools', 'h11' or None: got 'x'"):
        make(backend="x")


def load_parsers() -> ModuleType:
    """The module once more, as a process imports it that has not done so before."""
    spec = importlib.util.spec_from_file_location("parsers_once_more", module.__file__)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_a_backend_that_is_not_installed_names_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, _httptools_parser.__name__)
    monkeypatch.delattr(httpserver, "_httptools_parser")
    monkeypatch.setitem(sys.modules, "httptools", None)
    loaded = load_parsers()
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'wsgitornado\[fast\]'"):
        loaded.RequestParser(make(), Limits(), "httptools")
    loaded.RequestParser(make(), Limits(), "h11")


def test_another_missing_module_is_not_taken_for_the_backend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(httpserver, "_httptools_parser")
    monkeypatch.setitem(sys.modules, _httptools_parser.__name__, None)
    with pytest.raises(ModuleNotFoundError, match="_httptools_parser"):
        load_parsers()


@pytest.mark.parametrize(
    "split",
    [_h11_parser.split_head, _httptools_parser.split_head],
    ids=["h11", "httptools"],
)
def test_what_a_backend_refuses_is_refused(split: Any) -> None:
    with pytest.raises(RequestError) as caught:
        split(request("Content-Length: 1", "Content-Length: 2"))
    assert caught.value.status == 400
