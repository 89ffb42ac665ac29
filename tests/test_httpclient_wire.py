"""Fetches from servers that are slow, large or wrong, and bodies bit by bit."""

from __future__ import annotations

import gzip
import hashlib
import importlib
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.httpclient_peer import OK, Peer, Silence, answer, redirect, run
from wsgitornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPResponse
from wsgitornado.simple_httpclient import HTTPStreamClosedError, HTTPTimeoutError
from wsgitornado.testing import ExpectLog

pytest.importorskip("httpx")
exchange = importlib.import_module("wsgitornado.httpclient.exchange")


def fetch(url: str, *, client: Any = None, **arguments: Any) -> HTTPResponse:
    async def main() -> HTTPResponse:
        made = AsyncHTTPClient(force_instance=True, **(client or {}))
        return await made.fetch(url, **arguments)

    return run(main)


@pytest.fixture
def malformed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """One line tells what was wrong; it is below WARNING."""
    with (
        caplog.at_level(logging.INFO, "wsgitornado.general"),
        ExpectLog("wsgitornado.general", "Malformed HTTP message from 127.0.0.1:"),
    ):
        yield


# Time


def test_connection_that_takes_too_long_times_out() -> None:
    with (
        Peer(Silence()) as peer,  # which never answers the handshake
        pytest.raises(HTTPTimeoutError, match="Timeout while connecting"),
    ):
        fetch(peer.url().replace("http:", "https:"), connect_timeout=0.05)


@pytest.mark.parametrize(
    "begun",
    [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"],
    ids=["nothing", "half a head", "half a body"],
)
def test_answer_that_takes_too_long_times_out(begun: bytes) -> None:
    silence = Silence(begun)
    with Peer(silence) as peer:
        with pytest.raises(HTTPTimeoutError, match="Timeout during request") as caught:
            fetch(peer.url(), request_timeout=0.05, connect_timeout=0)
        assert caught.value.code == 599
        assert silence.is_over.wait(30)


def test_time_is_for_all_redirects_together() -> None:
    with (
        Peer(redirect(302, "/b"), Silence()) as peer,
        pytest.raises(HTTPTimeoutError, match="Timeout during request"),
    ):
        fetch(peer.url(), request_timeout=0.3)


def test_time_out_of_a_callback_is_its_own() -> None:
    def fail(part: bytes) -> None:
        raise TimeoutError("mine")

    with Peer(OK) as peer, pytest.raises(TimeoutError, match="mine"):
        fetch(peer.url(), streaming_callback=fail)


# Size


def chunked(body: bytes) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    )


FRAMINGS = pytest.mark.parametrize(
    "frame",
    [
        pytest.param(lambda body: answer(b"200 OK", body), id="length"),
        pytest.param(chunked, id="chunks"),
        pytest.param(lambda body: b"HTTP/1.1 200 OK\r\n\r\n" + body, id="to the end"),
        pytest.param(
            lambda body: answer(
                b"200 OK", gzip.compress(body), b"Content-Encoding: gzip"
            ),
            id="gzip",
        ),
    ],
)

LIMIT = 100_000


@FRAMINGS
@pytest.mark.parametrize("name", ["max_body_size", "max_buffer_size"])
def test_body_at_the_limit_is_taken(frame: Callable[[bytes], bytes], name: str) -> None:
    with Peer(frame(b"x" * LIMIT)) as peer:
        assert fetch(peer.url(), client={name: LIMIT}).body == b"x" * LIMIT


@FRAMINGS
@pytest.mark.usefixtures("malformed")
def test_body_beyond_the_limit_is_refused(frame: Callable[[bytes], bytes]) -> None:
    with (
        Peer(frame(b"x" * (LIMIT + 1))) as peer,
        pytest.raises(HTTPStreamClosedError, match="Connection closed"),
    ):
        fetch(peer.url(), client={"max_body_size": LIMIT})


@pytest.mark.usefixtures("malformed")
def test_bomb_is_unpacked_to_the_limit_only() -> None:
    taken: list[int] = []
    bomb = gzip.compress(bytes(20_000_000))
    with (
        Peer(answer(b"200 OK", bomb, b"Content-Encoding: gzip")) as peer,
        pytest.raises(HTTPStreamClosedError),
    ):
        fetch(
            peer.url(),
            client={"max_body_size": LIMIT},
            streaming_callback=lambda part: taken.append(len(part)),
        )
    assert sum(taken) <= LIMIT


def test_gzip_may_arrive_byte_by_byte() -> None:
    packed = gzip.compress(b"hello")
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in packed)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
    head += b"Content-Encoding: gzip\r\n\r\n"
    with Peer(head + chunks + b"0\r\n\r\n") as peer:
        assert fetch(peer.url()).body == b"hello"


def test_headers_at_the_limit_are_taken() -> None:
    # "Content-Length: 0" and "X: ..." with their line ends.
    response = answer(b"200 OK", b"", b"X: " + b"a" * 976)
    with Peer(response) as peer:
        assert fetch(peer.url(), client={"max_header_size": 1000}).code == 200


@pytest.mark.usefixtures("malformed")
@pytest.mark.parametrize(
    ("size", "limit"), [(977, 1000), (100_000, None)], ids=["given", "default"]
)
def test_headers_beyond_the_limit_are_refused(size: int, limit: int | None) -> None:
    with (
        Peer(answer(b"200 OK", b"", b"X: " + b"a" * size)) as peer,
        pytest.raises(HTTPStreamClosedError, match="Connection closed"),
    ):
        fetch(peer.url(), client={"max_header_size": limit})


# Answers that are wrong


@pytest.mark.usefixtures("malformed")
@pytest.mark.parametrize(
    "location",
    [
        "ftp://localhost/",
        "file:///etc/passwd",
        "/\tx",
        "http://a b/",
        "http://1.2.3.456/",
    ],
)
def test_redirect_to_nowhere_is_an_error_599(location: str) -> None:
    with Peer(redirect(302, location)) as peer:
        with pytest.raises(HTTPClientError) as caught:
            fetch(peer.url())
    assert caught.value.code == 599
    assert len(peer.seen) == 1


def test_url_with_an_address_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid IPv4 address"):
        fetch("http://1.2.3.456/")


def test_location_that_is_not_ascii_is_quoted() -> None:
    with Peer(redirect(302, "/\xe9 b"), OK) as peer:
        response = fetch(peer.url())
    assert response.effective_url == peer.url("/%C3%A9%20b")


def test_chunked_answer_may_have_trailers() -> None:
    body = b"3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
    with Peer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body) as peer:
        response = fetch(peer.url())
    assert response.body == b"abc"
    assert "X-T" not in response.headers


def reset(connection: socket.socket) -> None:
    """Close without the end that TCP has for it."""
    linger = b"\1\0\0\0\0\0\0\0"
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def test_connection_that_is_reset_is_an_error_599() -> None:
    with Peer(reset) as peer, pytest.raises(HTTPStreamClosedError, match="Stream"):
        fetch(peer.url())


# Bodies bit by bit


def test_producer_is_stopped_when_the_server_answers_early() -> None:
    async def for_ever(write: Callable[[bytes], Awaitable[None]]) -> None:
        while True:
            await write(b"x" * 100_000)

    def refuse(connection: socket.socket) -> None:
        connection.sendall(answer(b"413 Large", b""))

    early = Peer(refuse)
    early.is_head_enough = True
    with early as peer, pytest.raises(HTTPClientError) as caught:
        fetch(peer.url(), method="POST", body_producer=for_ever)
    # The reset may come before the answer was read.
    assert caught.value.code in (413, 599)


def test_write_that_nobody_waits_for_is_sent() -> None:
    def produce(write: Callable[[bytes], Any]) -> None:
        for _ in range(3):
            write(b"abc").cancel()

    with Peer(OK) as peer:
        fetch(peer.url(), method="POST", body_producer=produce)
    assert peer.seen[0].endswith("||3|abc|3|abc|3|abc|0||")


@pytest.mark.parametrize("code", [200, 417])
def test_expectation_is_sent_and_any_answer_understood(code: int) -> None:
    response = answer(b"%d X" % code, b"hi")
    with Peer(b"HTTP/1.1 100 Continue\r\n\r\n" * (code == 200) + response) as peer:
        got = fetch(
            peer.url(),
            method="PUT",
            body="abc",
            expect_100_continue=True,
            raise_error=False,
        )
    assert (got.code, got.body) == (code, b"hi")
    assert "|Expect: 100-continue|" in peer.seen[0]
    assert peer.seen[0].endswith("||abc")


def test_producer_is_not_called_without_a_connection() -> None:
    called: list[object] = []
    with Peer() as peer:
        url = peer.url()
    with pytest.raises(ConnectionRefusedError):
        fetch(url, method="POST", body_producer=called.append)
    assert called == []


def test_writes_that_are_never_sent_are_cancelled() -> None:
    futures: list[Any] = []

    def produce(write: Callable[[bytes], Any]) -> None:
        futures.extend([write(b"abc"), write(b"x" * 10_000_000), write(b"def")])

    def leave(connection: socket.socket) -> None:
        reset(connection)

    head_only = Peer(leave)
    head_only.is_head_enough = True
    with head_only as peer, pytest.raises(HTTPStreamClosedError):
        fetch(peer.url(), method="POST", body_producer=produce)
    assert [future.done() for future in futures] == [True] * 3
    assert futures[2].cancelled()


def test_awaitable_of_a_streaming_callback_is_waited_for() -> None:
    steps: list[str] = []

    async def take(part: bytes) -> None:
        steps.append(f"begin {len(part)}")
        steps.append("end")

    with Peer(OK) as peer:
        response = fetch(peer.url(), streaming_callback=take)
    assert steps == ["begin 2", "end"]
    assert response.body == b""


@pytest.mark.parametrize("name", ["streaming_callback", "header_callback"])
def test_error_of_a_callback_comes_out(name: str) -> None:
    def fail(part: object) -> None:
        raise LookupError("mine")

    silence = Silence(chunked(b"abc").replace(b"0\r\n\r\n", b"3\r\nabc\r\n"))
    with Peer(silence) as peer:
        with pytest.raises(LookupError, match="mine"):
            fetch(peer.url(), **{name: fail})
        assert silence.is_over.wait(30)


# Digest

CHALLENGE = b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=MD5'


def digest_fields(seen: str) -> dict[str, str]:
    found = re.search(r"\|Authorization: Digest ([^|]*)", seen)
    assert found is not None
    return {
        k: v or w for k, v, w in re.findall(r'(\w+)=(?:"([^"]*)"|([^,]*))', found[1])
    }


def md5(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()


def test_digest_challenge_is_answered() -> None:
    with Peer(answer(b"401 No", b"", CHALLENGE), OK) as peer:
        response = fetch(
            peer.url("/x?y"),
            method="POST",
            body="abc",
            auth_username="u",
            auth_password="p",
            auth_mode="digest",
        )
    assert response.code == 200
    assert "Authorization" not in peer.seen[0]
    assert peer.seen[1].endswith("||abc")
    fields = digest_fields(peer.seen[1])
    assert fields["uri"] == "/x?y"
    assert fields["response"] == md5(
        md5("u", "r", "p"),
        "n",
        fields["nc"],
        fields["cnonce"],
        "auth",
        md5("POST", "/x?y"),
    )


@pytest.mark.parametrize(
    ("lines", "count"),
    [
        pytest.param([CHALLENGE], 2, id="refused"),
        pytest.param([], 1, id="no challenge"),
        pytest.param([b"WWW-Authenticate: Basic realm=r"], 1, id="another scheme"),
        pytest.param([b"WWW-Authenticate: Digest x=y"], 1, id="half a challenge"),
        pytest.param([b"WWW-Authenticate: Digest x"], 1, id="no challenge at all"),
        pytest.param([CHALLENGE.replace(b"MD5", b"MD6")], 1, id="unknown algorithm"),
        pytest.param([CHALLENGE.replace(b"=auth", b"=auth-int")], 2, id="MD5"),
        pytest.param(
            [CHALLENGE.replace(b'"auth"', b'"auth-int"')], 1, id="unknown quality"
        ),
    ],
)
def test_401_that_cannot_be_helped_is_the_answer(
    lines: list[bytes], count: int
) -> None:
    refusal = answer(b"401 No", b"", *lines)
    with Peer(refusal, refusal) as peer, pytest.raises(HTTPClientError, match="401"):
        fetch(peer.url(), auth_username="u", auth_mode="digest")
    assert len(peer.seen) == count
