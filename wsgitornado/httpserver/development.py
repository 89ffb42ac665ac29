"""The development server: wsgiref with a thread for each connection."""

from __future__ import annotations

import os
import socket
import struct
import sys
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from wsgitornado._types import WSGIApplication

__all__ = ["DevelopmentServer", "make_development_server"]

# The longest request line that is read: as in http.server.
_LONGEST_LINE = 65536


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
        self.base_environ["wsgi.multithread"] = True

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

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # its name
        """The access log has these lines already."""


class _ResponseHandler(ServerHandler):
    connection: socket.socket
    headers_sent: bool

    def handle_error(self) -> None:
        is_broken_off = self.headers_sent
        super().handle_error()
        if is_broken_off:
            # HTTP/1.0 without a length ends where the connection does: only a reset
            # tells the client that this was not the end.
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
