"""Files of a folder that the request names, and what has become of the requests."""

from __future__ import annotations

import logging
import os
import socket
from typing import Any

from tests.live.client import HOST
from wsgitornado.web import Application, RequestHandler, StaticFileHandler

logging.basicConfig(level=logging.INFO)

# Whether each response, in turn, was the server's own file wrapper.
wrapped: list[bool] = []


class FilesHandler(StaticFileHandler):
    """Serves the folder in the header X-Root, and tells a wire when it is through."""

    def initialize(self) -> None:  # type: ignore[override]  # nothing
        self.root = self.request.headers["X-Root"]

    def prepare(self) -> None:
        port = self.request.headers.get("X-Wire")
        if port is not None:
            self.wire = socket.create_connection((HOST, int(port)), timeout=15)

    def on_connection_close(self) -> None:
        self.wire.sendall(b"left\n")

    def on_finish(self) -> None:
        if "X-Wire" in self.request.headers:
            self.wire.sendall(b"finished\n")
            self.wire.close()


class ProcessHandler(RequestHandler):
    def get(self) -> None:
        self.write({"pid": os.getpid(), "wrapped": wrapped})
        wrapped.clear()


application = Application(
    [("/process", ProcessHandler), ("/(.*)", FilesHandler)],
    compress_response=True,
)


def app(environ: dict[str, Any], start_response: Any) -> Any:
    body = application(environ, start_response)
    wrapper = environ.get("wsgi.file_wrapper")
    if environ["PATH_INFO"] != "/process":
        wrapped.append(isinstance(wrapper, type) and isinstance(body, wrapper))
    return body
