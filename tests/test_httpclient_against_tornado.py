"""The same fetches by Tornado's client and by ours: what servers and programs see."""

from __future__ import annotations

import gzip
import logging
import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest
import tornado.httpclient
import tornado.httputil

import wsgitornado.httpclient
import wsgitornado.httputil
from tests.httpclient_peer import OK, Peer, answer, redirect, run
from wsgitornado.testing import ExpectLog

pytest.importorskip("httpx")

GZIP = gzip.compress(b"hello" * 5, mtime=0)


def outcome(module: ModuleType, answers: tuple[Any, ...], **arguments: Any) -> Any:
    """What one fetch gives, and the requests that the server saw."""
    arguments = {"path": "/", "raise_error": True, **arguments}
    path = arguments.pop("path")
    with Peer(*answers) as peer:
        url = path if "://" in path else peer.url(path)
        url = url.replace("PORT", str(peer.port))

        async def fetch() -> Any:
            client = module.AsyncHTTPClient(force_instance=True)
            try:
                return show(await client.fetch(url, **arguments))
            except Exception as error:
                return show_error(error)
            finally:
                client.close()

        result = run(fetch)
    return result.replace(str(peer.port), "PORT"), [
        in_order(each) for each in peer.seen
    ]


def show(response: Any) -> str:
    headers = sorted(response.headers.get_all())
    return (
        f"{response.code} {response.reason} {response.body!r} {headers} "
        f"{response.effective_url} {response.error!r}"
    )


def show_error(error: Exception) -> str:
    response = getattr(error, "response", None)
    shown = "" if response is None else show(response)
    return f"{type(error).__name__}: {error} {shown}"


def in_order(seen: str) -> str:
    """A request with its headers sorted, and with the name of one client."""
    head, end, body = re.sub(
        r"wsgitornado/[\d.]+|Tornado/[\d.]+", "us", seen
    ).partition("||")
    first, *lines = head.split("|")
    return "|".join([first, *sorted(lines)]) + end + body


def assert_same(*answers: Any, **arguments: Any) -> None:
    theirs = outcome(tornado.httpclient, answers, **arguments)
    assert outcome(wsgitornado.httpclient, answers, **arguments) == theirs


# Requests


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({}, id="GET"),
        pytest.param({"path": "/a/../b%20c?q=1&r=;#fragment"}, id="URL is kept"),
        pytest.param({"path": "?q"}, id="no path"),
        pytest.param({"method": "HEAD"}, id="HEAD"),
        pytest.param({"method": "DELETE"}, id="DELETE"),
        pytest.param({"method": "OPTIONS"}, id="OPTIONS"),
        pytest.param({"method": "POST", "body": "a=1"}, id="POST"),
        pytest.param({"method": "POST", "body": ""}, id="POST of nothing"),
        pytest.param({"method": "PUT", "body": "h\xe9"}, id="PUT of text"),
        pytest.param({"method": "PATCH", "body": b"\xff"}, id="PATCH of bytes"),
        pytest.param({"method": "POST"}, id="POST without body"),
        pytest.param({"body": "x"}, id="GET with body"),
        pytest.param({"method": "DELETE", "body": "x"}, id="DELETE with body"),
        pytest.param(
            {"method": "DELETE", "body": "x", "allow_nonstandard_methods": True},
            id="DELETE with body, allowed",
        ),
        pytest.param({"method": "MOVE"}, id="unknown method"),
        pytest.param({"method": "get"}, id="method in small letters"),
        pytest.param(
            {"method": "MOVE", "allow_nonstandard_methods": True},
            id="unknown method, allowed",
        ),
        pytest.param({"headers": {"x-foo": "b", "Host": "other"}}, id="headers"),
        pytest.param(
            {"headers": {"User-Agent": "a", "Connection": "keep-alive"}},
            id="headers in place of ours",
        ),
        pytest.param(
            {"headers": {"User-Agent": "a"}, "user_agent": "b"}, id="two user agents"
        ),
        pytest.param({"headers": {"Accept-Encoding": "br"}}, id="other coding"),
        pytest.param(
            {"method": "POST", "body": "{}", "headers": {"content-type": "a/b"}},
            id="type of the body",
        ),
        pytest.param(
            {"method": "POST", "body": "abc", "headers": {"Content-Length": "1"}},
            id="wrong length",
        ),
        pytest.param({"use_gzip": False}, id="use_gzip"),
        pytest.param({"decompress_response": False}, id="decompress_response"),
        pytest.param(
            {"use_gzip": False, "decompress_response": True}, id="old and new name"
        ),
        pytest.param({"if_modified_since": datetime(2020, 1, 1)}, id="since"),
        pytest.param({"if_modified_since": 1.5}, id="since a timestamp"),
        pytest.param({"auth_username": "u", "auth_password": "p\xe9"}, id="auth"),
        pytest.param({"auth_username": "u"}, id="auth without password"),
        pytest.param({"auth_password": "u"}, id="auth without user"),
        pytest.param({"auth_username": "u", "auth_mode": "x"}, id="unknown auth"),
        pytest.param({"path": "http://u%41:p@127.0.0.1:PORT/"}, id="user in the URL"),
        pytest.param(
            {"path": "http://u:p@127.0.0.1:PORT/", "auth_username": "b"},
            id="user in the URL comes first",
        ),
        pytest.param(
            {"headers": {"Authorization": "Bearer x"}, "auth_username": "b"},
            id="auth in place of a header",
        ),
        pytest.param({"request_timeout": 0, "connect_timeout": 0}, id="no time-outs"),
        pytest.param({"network_interface": "127.0.0.1"}, id="interface"),
        pytest.param({"network_interface": "lo"}, id="interface by name"),
        pytest.param({"prepare_curl_callback": print}, id="curl callback"),
        pytest.param({"allow_ipv6": False}, id="IPv4"),
        pytest.param({"headers": {"x-a": "1\r\nx-b: 2"}}, id="CR LF in a value"),
        pytest.param({"headers": {"x-a": "1\nx-b: 2"}}, id="LF in a value"),
        pytest.param({"user_agent": "x\r\ny: z"}, id="CR LF in the user agent"),
        pytest.param({"headers": {"x-a": "\u20ac"}}, id="not latin-1"),
        pytest.param({"path": "ftp://127.0.0.1/"}, id="another scheme"),
        pytest.param({"path": "http://[::1/"}, id="no URL"),
        pytest.param({"foo": 1}, id="unknown argument"),
    ],
)
def test_request_is_the_same(arguments: dict[str, Any]) -> None:
    assert_same(OK, **arguments)


def test_repeated_header_is_sent_as_often() -> None:
    results = []
    for module, util in (
        (tornado.httpclient, tornado.httputil),
        (wsgitornado.httpclient, wsgitornado.httputil),
    ):
        headers = util.HTTPHeaders()
        headers.add("X-A", "1")
        headers.add("X-A", "2")
        results.append(outcome(module, (OK,), headers=headers))
    assert results[0] == results[1]
    assert "|X-A: 1|X-A: 2" in results[0][1][0]


# Responses


@pytest.mark.parametrize("raise_error", [True, False], ids=["raised", "not raised"])
@pytest.mark.parametrize(
    "response",
    [
        pytest.param(answer(b"404 Nix", b"abc"), id="404"),
        pytest.param(answer(b"500 ", b"abc"), id="no reason"),
        pytest.param(answer(b"777 Q", b"abc"), id="777"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nEtag: x\r\n\r\n", id="304"),
        pytest.param(b"HTTP/1.1 204 No\r\n\r\n", id="204"),
        pytest.param(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK, id="103 first"),
        pytest.param(b"HTTP/1.0 200 OK\r\nX: y\r\n\r\nto the end", id="HTTP/1.0"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nto the end", id="to the end"),
        pytest.param(
            answer(b"200 OK", b"", b"set-cookie: a=1", b"Set-Cookie: b=\xe9"),
            id="repeated header",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\n\r\n",
            id="chunks",
        ),
        pytest.param(answer(b"200 OK", GZIP, b"Content-Encoding: GZip"), id="gzip"),
        pytest.param(
            answer(b"200 OK", b"x", b"Content-Encoding: br"), id="other coding"
        ),
        pytest.param(redirect(300, "/b"), id="300"),
        pytest.param(redirect(305, "/b"), id="305"),
        pytest.param(answer(b"302 Found", b"red"), id="no Location"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="broken off in the head"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", id="broken off"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            id="chunk broken off",
        ),
    ],
)
def test_response_is_the_same(response: bytes, raise_error: bool) -> None:
    assert_same(response, raise_error=raise_error)


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(b"garbage\r\n\r\n", id="garbage"),
        pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", id="status"),
        pytest.param(b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", id="version"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", id="length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", id="header"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
            id="two lengths",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n"
            b"\r\n3\r\nabc\r\n0\r\n\r\n",
            id="length and chunks",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
            id="chunk size",
        ),
        pytest.param(
            answer(b"200 OK", b"abcde", b"Content-Encoding: gzip"), id="no gzip"
        ),
        pytest.param(
            answer(b"200 OK", GZIP[:-9], b"Content-Encoding: gzip"), id="half a gzip"
        ),
        pytest.param(redirect(302, "http://[x/y"), id="no URL in Location"),
    ],
)
def test_malformed_response_is_the_same_error(
    response: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO, "wsgitornado.general"),
        ExpectLog("tornado.application", "Uncaught exception", required=False),
        ExpectLog("wsgitornado.general", "Malformed HTTP message from 127.0.0.1:"),
    ):
        assert_same(response)


# Redirects


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("method", "body"),
    [("GET", None), ("POST", "a=1"), ("HEAD", None), ("PUT", "x"), ("DELETE", None)],
)
def test_redirect_is_the_same(code: int, method: str, body: str | None) -> None:
    headers = {"X-A": "1", "Content-Encoding": "q"} if body else {"X-A": "1"}
    assert_same(
        redirect(code, "/b?x=1#f"),
        OK,
        path="/a/c#g",
        method=method,
        body=body,
        headers=headers,
    )


SECRETS = {"Authorization": "q", "Cookie": "c=1", "Host": "hh", "X-K": "1"}


@pytest.mark.parametrize(
    ("location", "arguments"),
    [
        pytest.param("b?y", {"path": "/a/c"}, id="relative"),
        pytest.param("", {"path": "/a"}, id="empty"),
        pytest.param("/b", {"follow_redirects": False}, id="not followed"),
        pytest.param("/b", {"max_redirects": 0}, id="none allowed"),
        pytest.param("/z", {"headers": SECRETS}, id="same origin"),
        pytest.param("http://localhost:PORT/z", {"headers": SECRETS}, id="another"),
        pytest.param(
            "http://localhost:PORT/z", {"auth_username": "u"}, id="another, auth"
        ),
        pytest.param("/z", {"auth_username": "u"}, id="same origin, auth"),
        pytest.param("/z", {"path": "http://u:p@127.0.0.1:PORT/x"}, id="user stays"),
        pytest.param("http://u:p@127.0.0.1:PORT/z", {}, id="user in Location"),
    ],
)
def test_place_that_a_redirect_leads_to_is_the_same(
    location: str, arguments: dict[str, Any]
) -> None:
    assert_same(redirect(302, location), OK, **arguments)


def test_redirect_beyond_the_last_is_the_answer() -> None:
    answers = [redirect(302, f"/{n}") for n in range(3)]
    assert_same(*answers, max_redirects=2)


# Bodies that come bit by bit


async def in_parts(write: Callable[[bytes], Awaitable[None]]) -> None:
    await write(b"abc")
    await write(b"")
    await write(b"de")


async def failing(write: Callable[[bytes], Awaitable[None]]) -> None:
    await write(b"abc")
    raise LookupError("no more")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"body_producer": in_parts}, id="chunks"),
        pytest.param(
            {"body_producer": in_parts, "headers": {"Content-Length": "5"}}, id="length"
        ),
        pytest.param({"body_producer": in_parts, "body": "x"}, id="body comes first"),
        pytest.param({"body_producer": lambda write: write(b"abc")}, id="plain"),
        pytest.param({"body_producer": lambda write: None}, id="nothing"),
        pytest.param({"body_producer": in_parts, "method": "GET"}, id="GET"),
    ],
)
def test_produced_body_is_the_same(arguments: dict[str, Any]) -> None:
    assert_same(OK, **{"method": "POST", **arguments})


def test_produced_body_is_produced_again_after_307() -> None:
    assert_same(redirect(307, "/z"), OK, method="POST", body_producer=in_parts)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"body_producer": failing}, id="producer fails"),
        pytest.param(
            {"body_producer": in_parts, "headers": {"Content-Length": "3"}}, id="more"
        ),
        pytest.param(
            {"body_producer": in_parts, "headers": {"Content-Length": "9"}}, id="less"
        ),
    ],
)
def test_failure_while_a_body_is_produced_is_the_same(
    arguments: dict[str, Any],
) -> None:
    # The server sees more or less of it.
    theirs, ours = (
        outcome(module, (OK,), method="POST", **arguments)[0]
        for module in (tornado.httpclient, wsgitornado.httpclient)
    )
    assert ours == theirs


@pytest.mark.parametrize(
    "response",
    [
        pytest.param((OK,), id="200"),
        pytest.param((answer(b"404 Nix", b"abc"),), id="404"),
        pytest.param((redirect(302, "/b"), OK), id="after a redirect"),
        pytest.param(
            (answer(b"200 OK", GZIP, b"Content-Encoding: gzip", b"X: 1", b"X: 2"),),
            id="gzip",
        ),
    ],
)
def test_streamed_response_is_the_same(response: tuple[bytes, ...]) -> None:
    results = []
    for module in (tornado.httpclient, wsgitornado.httpclient):
        parts: list[bytes] = []
        lines: list[str] = []
        result = outcome(
            module,
            response,
            streaming_callback=parts.append,
            header_callback=lines.append,
        )
        results.append((result, b"".join(parts), lines))
    assert results[0] == results[1]
    assert results[0][1]


def test_awaitable_of_a_streaming_callback_is_waited_for() -> None:
    assert_same(OK, streaming_callback=lambda part: None)


def test_time_out_is_the_same() -> None:
    for module in (tornado.httpclient, wsgitornado.httpclient):
        with Peer(lambda connection: connection.recv(1)) as peer:

            async def fetch(url: str = peer.url(), module: ModuleType = module) -> str:
                with pytest.raises(module.HTTPError) as caught:
                    await module.AsyncHTTPClient().fetch(url, request_timeout=0.05)
                return (
                    f"{type(caught.value).__name__} {caught.value.code} {caught.value}"
                )

            assert run(fetch) == "HTTPTimeoutError 599 Timeout during request"
