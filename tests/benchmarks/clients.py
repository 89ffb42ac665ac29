"""How a request is put to a WSGI application without a server, and timed."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol
from wsgiref.types import WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper

from tests.benchmarks.cases import Answer, Request

__all__ = ["Client", "WSGIClient", "environ_for"]


class Client(Protocol):
    """One application and the request that it is asked again and again."""

    def ask(self) -> Answer:
        """Ask once, for the check."""

    def time(self, number: int) -> float:
        """Ask that many times; give the seconds of processor time that it took.

        Processor time of the whole process: what other programs on the machine do
        meanwhile does not count, what a helper thread does counts.
        """


class WSGIClient:
    """What a server does between its parser and its socket, and nothing more."""

    def __init__(self, application: WSGIApplication, request: Request) -> None:
        self._application = application
        self._environ = environ_for(request)
        self._body = request.body
        self._started: tuple[str, list[tuple[str, str]]] = ("", [])

    def ask(self) -> Answer:
        body = self._exchange()
        status, headers = self._started
        return Answer(
            status=int(status.partition(" ")[0]),
            headers={name.lower(): value for name, value in headers},
            body=body,
        )

    def time(self, number: int) -> float:
        exchange = self._exchange
        start = time.process_time()
        for _ in range(number):
            exchange()
        return time.process_time() - start

    def _exchange(self) -> bytes:
        environ = self._environ.copy()
        environ["wsgi.input"] = io.BytesIO(self._body)
        chunks = self._application(environ, self._start_response)
        try:
            return b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        self._started = (status, headers)
        return _refuse_write


def _refuse_write(data: bytes, /) -> object:
    raise NotImplementedError("the programs return their bodies")


def environ_for(request: Request) -> WSGIEnvironment:
    """Everything that a server puts into environ, but ``wsgi.input``."""
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        # Waitress gives the raw target so, which a framework may look at.
        "REQUEST_URI": request.path + (f"?{request.query}" if request.query else ""),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "40000",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_USER_AGENT": "benchmarks",
        "HTTP_ACCEPT": "*/*",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
    }
    if request.body:
        environ["CONTENT_TYPE"] = request.content_type
        environ["CONTENT_LENGTH"] = str(len(request.body))
    if request.cookie:
        environ["HTTP_COOKIE"] = request.cookie
    return environ
