"""Tests that ask a server of their own: AsyncHTTPTestCase and its TLS form."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, cast

from wsgitornado._types import WSGIApplication
from wsgitornado.concurrent import is_on_loop
from wsgitornado.httpclient import AsyncHTTPClient, HTTPResponse
from wsgitornado.httpserver import HTTPServer
from wsgitornado.testing.case import AsyncTestCase, get_async_test_timeout
from wsgitornado.testing.certificate import certificate_files
from wsgitornado.testing.ports import bind_unused_port

__all__ = ["AsyncHTTPSTestCase", "AsyncHTTPTestCase"]

#: Seconds for connections to be closed at the end of a test.
_CLOSING: Final = 5.0


class AsyncHTTPTestCase(AsyncTestCase):
    """A test case with a server, on a free port of the loopback, and a client::

        class TestHello(AsyncHTTPTestCase):
            def get_app(self):
                return make_app()

            def test_hello(self):
                self.assertEqual(self.fetch("/").body, b"Hello")

    Server and client run on the loop of the test, which is why a plain handler must not
    ask the server itself. Where a handler fails, the client gets its 500, and if the
    test fails then, it shows the traceback of the handler.

    :ivar http_server: the server.
    :ivar http_client: the client; in tests that are coroutines ``await
        self.http_client.fetch(self.get_url("/"))``.
    """

    __module__ = "wsgitornado.testing"

    http_server: HTTPServer
    http_client: AsyncHTTPClient

    def setUp(self) -> None:
        """Start the server. One of your own calls ``super().setUp()`` first."""
        super().setUp()
        sock, self.__port = bind_unused_port()
        # For what fails from here on; closing it twice does no harm.
        self.addCleanup(sock.close)
        self.http_client = self.get_http_client()
        try:
            self._app = self.get_app()
            self.http_server = self.get_http_server()
        except BaseException:
            self.http_client.close()
            raise
        self.http_server.add_sockets([sock])

    def tearDown(self) -> None:
        """Cut what is still connected and stop the server.

        One of your own calls ``super().tearDown()`` last.
        """
        try:
            self.http_server.stop()
            self._run_on_loop(
                self.http_server.close_all_connections,
                _CLOSING,
                "the connections to be closed",
            )
        finally:
            self.http_client.close()
            super().tearDown()

    def get_app(self) -> WSGIApplication:
        """Override it to return the application: ours, or any other WSGI callable."""
        raise NotImplementedError(
            f"{type(self).__name__}.get_app() has to return the application to be "
            "tested"
        )

    def get_http_client(self) -> AsyncHTTPClient:
        """Called by ``setUp`` for the client."""
        client: AsyncHTTPClient = AsyncHTTPClient()
        return client

    def get_http_server(self) -> HTTPServer:
        """Called by ``setUp`` for the server, once there is ``self._app``."""
        return HTTPServer(self._app, **self.get_httpserver_options())

    def get_httpserver_options(self) -> dict[str, Any]:
        """Override it to pass more to :class:`~wsgitornado.httpserver.HTTPServer`."""
        return {}

    def get_http_port(self) -> int:
        """The port of the server."""
        return self.__port

    def get_protocol(self) -> str:
        """The scheme of the server's URLs."""
        return "http"

    def get_url(self, path: str) -> str:
        """The URL of a path on the server."""
        return f"{self.get_protocol()}://127.0.0.1:{self.__port}{path}"

    def fetch(
        self, path: str, raise_error: bool = False, **kwargs: Any
    ) -> HTTPResponse:
        """Ask the server and return the answer; in plain test methods.

        :param path: what follows the port, or a URL of another server.
        :param raise_error: raise an
            ``HTTPClientError`` for a status from 400 on.
        :param kwargs: for the request: ``method``, ``headers``, ``body`` and so on.
        :raises ValueError: for a path that begins with no slash.
        :raises RuntimeError: in a coroutine, which awaits ``http_client.fetch``.
        :raises wsgitornado.util.TimeoutError: after :func:`get_async_test_timeout`
            seconds.
        """
        if is_on_loop(self.io_loop.asyncio_loop):
            raise RuntimeError(
                "This event loop is already running, and fetch() would run it: in a "
                "coroutine, await self.http_client.fetch(self.get_url(path))"
            )
        url = path
        if not path.lower().startswith(("http://", "https://")):
            if path and path[0] not in "/?":
                raise ValueError(f"a path begins with '/': got {path!r}")
            url = self.get_url(path)
        call: Callable[[], Any] = functools.partial(
            self.http_client.fetch, url, raise_error=raise_error, **kwargs
        )
        what = f"the answer to {kwargs.get('method', 'GET')} {url}"
        timeout = get_async_test_timeout()
        return cast("HTTPResponse", self._run_on_loop(call, timeout, what))


class AsyncHTTPSTestCase(AsyncHTTPTestCase):
    """The same with TLS.

    The certificate says that it is localhost, and nobody vouches for it: the client of
    the test does not look at it.
    """

    __module__ = "wsgitornado.testing"

    def get_http_client(self) -> AsyncHTTPClient:
        client: AsyncHTTPClient = AsyncHTTPClient(
            force_instance=True, defaults={"validate_cert": False}
        )
        return client

    def get_httpserver_options(self) -> dict[str, Any]:
        return {"ssl_options": self.get_ssl_options()}

    def get_ssl_options(self) -> dict[str, Any]:
        """Override it for a certificate of your own."""
        return self.default_ssl_options()

    @staticmethod
    def default_ssl_options() -> dict[str, Any]:
        """Paths of the certificate and its key; they last as long as the process."""
        return dict(certificate_files())

    def get_protocol(self) -> str:
        return "https"
