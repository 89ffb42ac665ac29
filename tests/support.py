"""What tests share: calling an application as a strict server would."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.validate import validator

from wsgitornado import parking
from wsgitornado._types import WSGIApplication, WSGIEnvironment
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.httputil.headers import HOP_BY_HOP

__all__ = ["Answer", "call", "make_environ"]


@dataclass
class Answer:
    """What came back from an application."""

    status: str
    headers: HTTPHeaders
    body: bytes
    chunks: list[bytes] = field(default_factory=list)

    @property
    def status_code(self) -> int:
        return int(self.status[:3])

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


def make_environ(
    target: str = "/",
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    **extra: Any,
) -> WSGIEnvironment:
    """The environ of a request, as a server builds it.

    :param target: path and query as the client sends them.
    :param extra: environ keys to set, or with None to leave out.
    """
    path, _, query = target.partition("?")
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body or b""),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if body is not None:
        environ["CONTENT_LENGTH"] = str(len(body))
    for name, value in headers:
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    for key, value in extra.items():
        environ[key] = value
        if value is None:
            del environ[key]
    return environ


def call(
    application: WSGIApplication,
    target: str = "/",
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    *,
    environ: WSGIEnvironment | None = None,
    is_validated: bool = True,
    **extra: Any,
) -> Answer:
    """Call an application once; the body is drained and closed, whatever happens.

    :param is_validated: False for the few rows that ``wsgiref.validate`` refuses by
        itself: a method it does not know, a missing Content-Type.
    """
    if environ is None:
        environ = make_environ(target, method, headers, body, **extra)
    return run(validator(application) if is_validated else application, environ)


def run(application: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Any:
        # Servers insist on it; wsgiref.validate does not.
        assert exc_info is not None or not started, "start_response() was called twice"
        if exc_info is not None and written:
            raise exc_info[1].with_traceback(exc_info[2])
        started[:] = [(status, headers)]
        return written.append

    iterable = application(environ, start_response)
    try:
        for chunk in iterable:
            written.append(chunk)
    finally:
        close = getattr(iterable, "close", None)
        if close is not None:
            close()
    status, headers = started[0]
    collected = HTTPHeaders()
    for name, value in headers:
        # wsgiref.validate does not look for these.
        assert name.lower() not in HOP_BY_HOP, name
        collected.add(name, value.strip(" \t"))
    body = b"".join(written)
    check_length(environ, status, collected, body)
    return Answer(status, collected, body, written)


def check_length(
    environ: WSGIEnvironment, status: str, headers: HTTPHeaders, body: bytes
) -> None:
    """What frames a message on every server (RFC 9112 section 6.3)."""
    if environ["REQUEST_METHOD"] == "HEAD" or status[:3] in ("204", "304"):
        assert body == b""
    elif "Content-Length" in headers:
        assert int(headers["Content-Length"]) == len(body)


def settle_loop() -> None:
    """Wait until the background loop is through with what it has at this moment."""
    for _ in range(3):
        parking.wait(asyncio.sleep(0))
