"""The development server: wsgiref with a thread for each connection."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import sys
import time
from functools import partial
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.headers import Headers
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from wsgitornado._types import WSGIApplication, WSGIEnvironment
from wsgitornado.httputil.departure import CLIENT_DISCONNECTED, peer_has_left

__all__ = ["DevelopmentServer", "make_development_server"]

#: The longest request line that is read: as in http.server.
_LONGEST_LINE: Final = 65536

#: Seconds in which a client that is still sending may take its answer.
_LINGER: Final = 2.0


class DevelopmentServer(ThreadingMixIn, WSGIServer):
    """wsgiref's server; requests do not wait for each other."""

    daemon_threads = True
    # Connections that a burst of a browser opens wait rather than being refused.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _RequestHandler)

    def server_bind(self) -> None:
        # Not HTTPServer's: it asks the resolver for the name of the address, which
        # takes seconds where there is none.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name = str(self.server_address[0])
        self.server_port = self.server_address[1]
        self.setup_environ()

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, once the client has had a while to take its answer.

        A body that nobody read, because it was too large, would make the kernel reset
        the connection, and the client lose the answer that says so (RFC 9112 section
        9.6).
        """
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + _LINGER
            while (left := deadline - time.monotonic()) > 0:
                request.settimeout(left)
                if not request.recv(_LONGEST_LINE):
                    break
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error; anything else is shown as by wsgiref."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _RequestHandler(WSGIRequestHandler):
    def handle(self) -> None:
        # One request, as wsgiref does it, but handed to a handler that shows a broken
        # response as broken.
        self.raw_requestline = self.rfile.readline(_LONGEST_LINE + 1)
        if len(self.raw_requestline) > _LONGEST_LINE:
            self.requestline = self.request_version = self.command = ""
            self.send_error(414)
            return
        if not self.parse_request():
            return
        if (
            self.request_version >= "HTTP/1.1"
            and self.headers.get("Expect", "").lower() == "100-continue"
        ):
            # http.server leaves it out, since it answers with HTTP/1.0.
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        handler = _ResponseHandler(
            self.rfile,
            self.wfile,  # type: ignore[arg-type]  # as wsgiref does
            self.get_stderr(),
            self.get_environ(),
            multithread=True,
        )
        handler.request_handler = self  # type: ignore[attr-defined]  # as wsgiref does
        handler.connection = self.connection
        handler.run(self.server.get_app())  # type: ignore[attr-defined]  # a WSGIServer

    def get_environ(self) -> WSGIEnvironment:
        """As wsgiref makes it, but X_Real_Ip cannot pose as X-Real-Ip.

        And whether the client has left can be asked.
        """
        for name in set(self.headers):
            if "_" in name:
                del self.headers[name]
        environ: WSGIEnvironment = super().get_environ()
        environ[CLIENT_DISCONNECTED] = partial(peer_has_left, self.connection)
        return environ

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name
        """The access log has these lines already."""


class _ResponseHandler(ServerHandler):
    # wsgiref mixes the environment of the process in: a variable HTTP_PROXY would be
    # a header of every request.
    os_environ: dict[str, str] = {}

    connection: socket.socket
    headers: Headers
    status: str
    _is_whole = False

    def run(self, application: WSGIApplication) -> None:
        try:
            super().run(application)
        finally:
            if not self._is_whole:
                self._reset()

    def finish_response(self) -> None:
        super().finish_response()
        self._is_whole = True

    def cleanup_headers(self) -> None:
        """Take back the length that wsgiref gives to 204 and 304.

        RFC 9110 section 8.6: the one has none, the other none but that of the 200.
        """
        super().cleanup_headers()
        if self.status[:3] in ("204", "304") and self.headers["Content-Length"] == "0":
            del self.headers["Content-Length"]

    def _reset(self) -> None:
        # HTTP/1.0 without a length ends where the connection does: only a reset tells
        # the client that this was not the end.
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        os.close(self.connection.detach())


def make_development_server(
    application: WSGIApplication, host: str, port: int
) -> DevelopmentServer:
    """A server that listens already; ``serve_forever()`` runs it, port 0 finds one.

    :raises OSError: if the address cannot be had.
    """
    server = DevelopmentServer((host, port))
    server.set_app(application)
    return server
