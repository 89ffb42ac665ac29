"""HTTPRequest: what is to be fetched, and how."""

from __future__ import annotations

import copy
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, TypeAlias

from wsgitornado.escape import utf8
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.httputil.headers import format_timestamp

__all__ = ["HTTPRequest", "fill_in"]

_StreamingCallback: TypeAlias = Callable[[bytes], Awaitable[None] | None]
_BodyProducer: TypeAlias = Callable[[Callable[[bytes], Any]], Awaitable[None] | None]


class HTTPRequest:
    """A request for ``fetch``. All but the URL may be left out.

    What is None here comes from the ``defaults`` of the client.

    :param url: of scheme http or https; with ``user:password@``, they are sent.
    :param method: in capitals. Others than GET, HEAD, POST, PUT, PATCH, DELETE and
        OPTIONS need *allow_nonstandard_methods*.
    :param headers: a mapping, or ``HTTPHeaders``, which may repeat a field.
    :param body: bytes, or text for UTF-8. POST, PUT and PATCH need one, the others
        have none, unless *allow_nonstandard_methods* says otherwise.
    :param auth_username: with *auth_password*: credentials.
    :param auth_mode: ``"basic"``, the default, or ``"digest"``.
    :param connect_timeout: seconds until there is a connection, 20 by default. 0 is no
        limit, here and below.
    :param request_timeout: seconds for all of it, redirects included; 20 by default.
    :param if_modified_since: a time for ``If-Modified-Since``. An answer 304 is raised
        as an :class:`HTTPClientError`.
    :param follow_redirects: whether to go where an answer 301, 302, 303, 307 or 308
        points to: True by default.
    :param max_redirects: how often, 5 by default. The redirect beyond is the answer.
    :param user_agent: the header ``User-Agent``, unless *headers* has one.
    :param use_gzip: the older name of *decompress_response*.
    :param network_interface: the address of this machine to connect from.
    :param streaming_callback: called with each part of the body, which is then empty in
        the response. If it returns an awaitable, the next part is read after that.
    :param header_callback: called with the status line, with each header line, and
        with ``"\\r\\n"``.
    :param prepare_curl_callback: accepted and not called: there is no curl.
    :param proxy_host: a proxy to go through, with *proxy_port*; *proxy_username* and
        *proxy_password* are sent to it. No proxy is taken from the environment.
    :param proxy_auth_mode: ``"basic"`` or None.
    :param allow_nonstandard_methods: see *method* and *body*.
    :param validate_cert: False for a server whose certificate is not to be trusted.
    :param ca_certs: a file of authorities in place of the system's.
    :param allow_ipv6: False for IPv4 alone.
    :param client_key: with *client_cert*: the files of a certificate of our own.
    :param body_producer: called with a function ``write(bytes)``, whose future is done
        when there is room for more. Without a header ``Content-Length`` the body is
        sent in chunks.
    :param expect_100_continue: send ``Expect: 100-continue``.
    :param decompress_response: ask for a body in gzip, and unpack it: True by default.
    :param ssl_options: an ``ssl.SSLContext``, or a dictionary as in
        :func:`~wsgitornado.netutil.ssl_options_to_context`, in place of all arguments
        about certificates.
    """

    __module__ = "wsgitornado.httpclient"

    _headers: HTTPHeaders | dict[str, str]
    _body: bytes | None

    #: What a client's own ``defaults`` are laid over.
    _DEFAULTS: ClassVar[Mapping[str, Any]] = {
        "connect_timeout": 20.0,
        "request_timeout": 20.0,
        "follow_redirects": True,
        "max_redirects": 5,
        "decompress_response": True,
        "proxy_password": "",
        "allow_nonstandard_methods": False,
        "validate_cert": True,
    }

    def __init__(
        self,
        url: str,
        method: str = "GET",
        headers: dict[str, str] | HTTPHeaders | None = None,
        body: bytes | str | None = None,
        auth_username: str | None = None,
        auth_password: str | None = None,
        auth_mode: str | None = None,
        connect_timeout: float | None = None,
        request_timeout: float | None = None,
        if_modified_since: float | datetime | None = None,
        follow_redirects: bool | None = None,
        max_redirects: int | None = None,
        user_agent: str | None = None,
        use_gzip: bool | None = None,
        network_interface: str | None = None,
        streaming_callback: _StreamingCallback | None = None,
        header_callback: Callable[[str], None] | None = None,
        prepare_curl_callback: Callable[[Any], None] | None = None,
        proxy_host: str | None = None,
        proxy_port: int | None = None,
        proxy_username: str | None = None,
        proxy_password: str | None = None,
        proxy_auth_mode: str | None = None,
        allow_nonstandard_methods: bool | None = None,
        validate_cert: bool | None = None,
        ca_certs: str | None = None,
        allow_ipv6: bool | None = None,
        client_key: str | None = None,
        client_cert: str | None = None,
        body_producer: _BodyProducer | None = None,
        expect_100_continue: bool = False,
        decompress_response: bool | None = None,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
    ) -> None:
        self.headers = headers
        if if_modified_since:
            self.headers["If-Modified-Since"] = format_timestamp(if_modified_since)
        self.proxy_host = proxy_host
        self.proxy_port = proxy_port
        self.proxy_username = proxy_username
        self.proxy_password = proxy_password
        self.proxy_auth_mode = proxy_auth_mode
        self.url = url
        self.method = method
        self.body = body
        self.body_producer = body_producer
        self.auth_username = auth_username
        self.auth_password = auth_password
        self.auth_mode = auth_mode
        self.connect_timeout = connect_timeout
        self.request_timeout = request_timeout
        self.follow_redirects = follow_redirects
        self.max_redirects = max_redirects
        self.user_agent = user_agent
        self.decompress_response = use_gzip
        if decompress_response is not None:
            self.decompress_response = decompress_response
        self.network_interface = network_interface
        self.streaming_callback = streaming_callback
        self.header_callback = header_callback
        self.prepare_curl_callback = prepare_curl_callback
        self.allow_nonstandard_methods = allow_nonstandard_methods
        self.validate_cert = validate_cert
        self.ca_certs = ca_certs
        self.allow_ipv6 = allow_ipv6
        self.client_key = client_key
        self.client_cert = client_cert
        self.ssl_options = ssl_options
        self.expect_100_continue = expect_100_continue
        self.start_time = time.time()

    @property
    def headers(self) -> HTTPHeaders | dict[str, str]:
        """What was given; set to None, there are none."""
        return self._headers

    @headers.setter
    def headers(self, value: HTTPHeaders | dict[str, str] | None) -> None:
        self._headers = HTTPHeaders() if value is None else value

    @property
    def body(self) -> bytes | None:
        """The bytes; text that is set becomes UTF-8."""
        return self._body

    @body.setter
    def body(self, value: bytes | str | None) -> None:
        self._body = utf8(value)


def fill_in(request: HTTPRequest, defaults: Mapping[str, Any]) -> HTTPRequest:
    """A copy with headers of its own, and with *defaults* for what is None."""
    filled = copy.copy(request)
    filled.headers = HTTPHeaders(request.headers)
    for name, value in defaults.items():
        if getattr(filled, name, None) is None:
            setattr(filled, name, value)
    return filled
