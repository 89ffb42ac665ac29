"""One fetch over httpx: a connection for each request, redirects, time-outs, errors."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h11
import httpx

from wsgitornado.httpclient.incoming import Incoming
from wsgitornado.httpclient.outgoing import (
    Address,
    check_request,
    follow_redirect,
    header_pairs,
    read_url,
    set_headers,
)
from wsgitornado.httpclient.request import HTTPRequest, fill_in
from wsgitornado.httpclient.response import (
    HTTPClientError,
    HTTPResponse,
    HTTPStreamClosedError,
    HTTPTimeoutError,
)
from wsgitornado.httpclient.tls import make_context
from wsgitornado.httpclient.upload import BytesUpload, ProducedUpload, Upload
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.log import gen_log
from wsgitornado.netutil import Resolver, is_valid_ip

__all__ = ["Exchange", "Limits"]

#: A connection is used once.
_NO_KEEPALIVE = httpx.Limits(max_connections=1, max_keepalive_connections=0)

#: Any address of IPv4: from there no IPv6 address is reached.
_ANY_IPV4 = "0.0.0.0"  # noqa: S104 - to connect from, nothing listens on it

#: httpx wants one even where it is not used.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True)
class Limits:
    """What the client that fetches was made with."""

    max_header_size: int
    max_body_size: int
    resolver: Resolver | None


class Exchange:
    """Fetches one request: :meth:`run`, on the loop.

    :param request: ours to change; nothing in it is None that has a default.
    """

    def __init__(self, request: HTTPRequest, limits: Limits) -> None:
        self._request = request
        self._limits = limits
        self._started = asyncio.get_running_loop().time()
        self._is_connected = False
        self._clock = asyncio.timeout(None)
        self._sockets: list[Any] = []

    async def run(self) -> HTTPResponse:
        """Return the last response.

        :raises HTTPTimeoutError: when the time is over.
        :raises HTTPStreamClosedError: for a connection that ended too early, and for
            what is no response.
        :raises OSError: if there is no connection.
        """
        try:
            async with self._clock:
                return await self._follow()
        except TimeoutError:
            if not self._clock.expired():
                raise  # that of the system, or of a callback
            phase = "during request" if self._is_connected else "while connecting"
            raise HTTPTimeoutError(f"Timeout {phase}") from None

    async def _follow(self) -> HTTPResponse:
        request: HTTPRequest | None = self._request
        while request is not None:
            self._begin_to_connect(request)
            address = read_url(request.url)
            check_request(request)
            set_headers(request, address)
            response, request = await self._ask(request, address)
        return response

    def _begin_to_connect(self, request: HTTPRequest) -> None:
        self._is_connected = False
        now = asyncio.get_running_loop().time()
        ends = [
            since + seconds
            for since, seconds in (
                (now, request.connect_timeout),
                (self._started, request.request_timeout),
            )
            if seconds
        ]
        self._clock.reschedule(min(ends, default=None))

    async def _trace(self, name: str, info: dict[str, Any]) -> None:
        """Called by httpx at each step."""
        if name == "connection.connect_tcp.complete":
            self._sockets.append(info["return_value"])
        elif name == "http11.send_request_headers.started":
            self._is_connected = True
            seconds = self._request.request_timeout
            self._clock.reschedule(self._started + seconds if seconds else None)

    async def _ask(
        self, request: HTTPRequest, address: Address
    ) -> tuple[HTTPResponse, HTTPRequest | None]:
        """Make one request; return its response, and what to ask after it."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._close_sockets)
            upload = _make_upload(request)
            stack.push_async_callback(upload.aclose)
            transport = _make_transport(request, address)
            stack.push_async_callback(transport.aclose)
            with _errors_of("Stream closed", address):
                asked, answer = await self._connect(transport, request, address, upload)
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            stack.push_async_callback(answer.stream.aclose)
            with _errors_of("Connection closed", address):
                headers = _read_headers(answer, self._limits.max_header_size)
                following = _follow_up(request, asked, answer, headers)
                if following is not None:
                    return HTTPResponse(request, answer.status_code, headers), following
                return await self._read(request, answer, headers), None

    async def _close_sockets(self) -> None:
        # httpcore leaves one open whose TLS handshake is cancelled. Others are closed.
        while self._sockets:
            await self._sockets.pop().aclose()

    async def _connect(
        self,
        transport: httpx.AsyncHTTPTransport,
        request: HTTPRequest,
        address: Address,
        upload: Upload,
    ) -> tuple[httpx.Request, httpx.Response]:
        """Send the request to the first address of the host that takes it."""
        hosts = [address.host]
        if self._limits.resolver is not None and not request.proxy_host:
            found = await self._limits.resolver.resolve(address.host, address.port)
            hosts = [each[0] for _, each in found]
        headers = header_pairs(HTTPHeaders(request.headers))
        while True:
            host = hosts.pop(0)
            asked = httpx.Request(
                request.method,
                _make_url(address, host),
                headers=headers,
                stream=upload,
                extensions={"trace": self._trace, "sni_hostname": address.host},
            )
            if not request.proxy_host and request.auth_mode != "digest":
                # As it is: httpx would rewrite "/a/../b".
                asked.extensions["target"] = address.target.encode("ascii")
            try:
                return asked, await transport.handle_async_request(asked)
            except httpx.ConnectError:
                if not hosts:
                    raise

    async def _read(
        self, request: HTTPRequest, answer: httpx.Response, headers: HTTPHeaders
    ) -> HTTPResponse:
        incoming = Incoming(
            headers,
            self._limits.max_body_size,
            bool(request.decompress_response),
            request.streaming_callback,
        )
        response = HTTPResponse(
            request,
            answer.status_code,
            headers,
            effective_url=request.url,
            reason=answer.extensions["reason_phrase"].decode("latin-1"),
        )
        if request.header_callback is not None:
            version = answer.extensions["http_version"].decode("ascii")
            start_line = f"{version} {response.code} {response.reason}\r\n"
            request.header_callback(start_line)
            for name, value in headers.get_all():
                request.header_callback(f"{name}: {value}\r\n")
            request.header_callback("\r\n")
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        parts = answer.stream.__aiter__()
        try:
            async for part in parts:
                await incoming.take(part)
        except BaseException:
            # Let the generators inside httpx end here, by the error of a connection
            # that was closed: the loop would make a task for each that is forgotten.
            await answer.stream.aclose()
            with contextlib.suppress(httpx.TransportError):
                async for _ in parts:
                    pass
            raise
        response.buffer = incoming.end()
        return response


# Before the request


def _make_url(address: Address, host: str) -> httpx.URL:
    return httpx.URL(
        scheme=address.scheme,
        host=host,
        port=address.port,
        raw_path=address.target.encode("ascii"),
    )


def _make_upload(request: HTTPRequest) -> Upload:
    if request.body is not None:
        return BytesUpload(request.body)
    if request.body_producer is None:
        return Upload()
    length = request.headers.get("Content-Length")
    return ProducedUpload(
        request.body_producer, None if length is None else int(length)
    )


def _make_transport(request: HTTPRequest, address: Address) -> httpx.AsyncHTTPTransport:
    # None of the proxies and certificates that the environment names: "trust_env".
    return httpx.AsyncHTTPTransport(
        verify=make_context(request) if address.scheme == "https" else _NO_TLS,
        trust_env=False,
        limits=_NO_KEEPALIVE,
        proxy=_make_proxy(request),
        local_address=_local_address(request),
    )


def _make_proxy(request: HTTPRequest) -> httpx.Proxy | None:
    if not request.proxy_host:
        return None
    if request.proxy_auth_mode not in (None, "basic"):
        raise ValueError(f"unsupported proxy_auth_mode {request.proxy_auth_mode}")
    if request.proxy_port is None:
        raise ValueError("proxy_host needs proxy_port")
    user = request.proxy_username
    return httpx.Proxy(
        httpx.URL(scheme="http", host=request.proxy_host, port=request.proxy_port),
        auth=None if user is None else (user, request.proxy_password or ""),
    )


def _local_address(request: HTTPRequest) -> str | None:
    interface = request.network_interface
    if interface:
        if not is_valid_ip(interface):
            raise ValueError(
                "Unrecognized IPv4 or IPv6 address for network_interface, "
                f"got {interface!r}"
            )
        return interface
    return _ANY_IPV4 if request.allow_ipv6 is False else None


# After the response


def _read_headers(answer: httpx.Response, limit: int) -> HTTPHeaders:
    version = answer.extensions["http_version"]
    if version not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise HTTPInputError(f"Unexpected HTTP version {version!r}")
    headers = HTTPHeaders()
    size = 0
    for name, value in answer.headers.raw:
        size += len(name) + len(value) + len(": \r\n")
        if size > limit:
            raise HTTPInputError("headers too large")
        headers.add(name.decode("latin-1"), value.decode("latin-1"))
    return headers


def _follow_up(
    request: HTTPRequest,
    asked: httpx.Request,
    answer: httpx.Response,
    headers: HTTPHeaders,
) -> HTTPRequest | None:
    """The request that the answer calls for: with credentials, or elsewhere."""
    if answer.status_code == 401:
        return _answer_challenge(request, asked, answer)
    try:
        following = follow_redirect(
            request, answer.status_code, headers.get("Location")
        )
        if following is not None:
            address = read_url(following.url)
            _make_url(address, address.host)
    except (ValueError, httpx.InvalidURL) as error:
        raise HTTPInputError(f"cannot be redirected: {error}") from error
    return following


def _answer_challenge(
    request: HTTPRequest, asked: httpx.Request, answer: httpx.Response
) -> HTTPRequest | None:
    """The same request with an answer to a Digest challenge (RFC 7616), once."""
    if (
        request.auth_mode != "digest"
        or request.auth_username is None
        or "Authorization" in request.headers
    ):
        return None
    answer.request = asked
    flow = httpx.DigestAuth(
        request.auth_username, request.auth_password or ""
    ).auth_flow(asked)
    next(flow)
    try:
        flow.send(answer)
    except (
        StopIteration,
        httpx.ProtocolError,
        KeyError,
        ValueError,
        NotImplementedError,
    ):
        # No challenge, or none that can be answered: the 401 is for the program.
        return None
    following = fill_in(request, {})
    following.headers["Authorization"] = asked.headers["Authorization"]
    return following


@contextlib.contextmanager
def _errors_of(what: str, address: Address) -> Iterator[None]:
    """Raise what Tornado's programs expect in place of the errors of httpx."""
    try:
        yield
    except httpx.ConnectError as error:
        raise _error_of_system(error) from error
    except (httpx.RemoteProtocolError, HTTPInputError) as error:
        if isinstance(error, HTTPInputError) or _is_from_h11(error):
            what = "Connection closed"
            gen_log.info("Malformed HTTP message from %s: %s", address.authority, error)
        raise HTTPStreamClosedError(what) from error
    except (httpx.NetworkError, ssl.SSLError) as error:
        raise HTTPStreamClosedError(what) from error
    except httpx.ProxyError as error:
        raise HTTPClientError(599, f"The proxy answered: {error}") from error
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from error


def _is_from_h11(error: BaseException) -> bool:
    """Whether the message was wrong, and not its end too early."""
    return any(isinstance(each, h11.RemoteProtocolError) for each in _chain(error))


def _error_of_system(error: BaseException) -> BaseException:
    """What the system said: ConnectionRefusedError, socket.gaierror, ssl.SSLError."""
    found: BaseException = OSError(str(error))
    for each in _chain(error):
        if isinstance(each, OSError):
            found = each
    return found


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from."""
    each: BaseException | None = error
    while each is not None:
        yield each
        if isinstance(each, BaseExceptionGroup):
            # One for each address of the host.
            each = each.exceptions[-1]
        else:
            # httpcore raises some of its own "from None".
            each = each.__cause__ or each.__context__
