"""The WSGI environ of a request (PEP 3333), from its head."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from wsgitornado._types import WSGIEnvironment
from wsgitornado.httpserver.checks import RequestHead

__all__ = ["make_environ"]


def make_environ(head: RequestHead, base: WSGIEnvironment) -> WSGIEnvironment:
    """Make the environ of a request from what is the same for all of a connection.

    *base* is left as it is. It has the server's keys (``wsgi.*``, SERVER_NAME,
    REMOTE_ADDR ...); from the head come REQUEST_METHOD, SERVER_PROTOCOL, the target
    as sent (REQUEST_URI, and RAW_URI as gunicorn names it), PATH_INFO, decoded once,
    QUERY_STRING and the header fields. Of a target that is a URL the path counts.
    """
    environ = base | head.fields
    target = head.target
    environ["REQUEST_METHOD"] = head.method
    environ["REQUEST_URI"] = environ["RAW_URI"] = target
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if head.version == (1, 1) else "HTTP/1.0"
    path, _, environ["QUERY_STRING"] = target.partition("?")
    if not path.startswith("/") and path != "*":
        # "http://host/path": the third slash begins the path, which may be missing.
        path = "/" + path.split("/", 3)[3] if path.count("/") > 2 else "/"
    if "%" in path:
        path = unquote_to_bytes(path).decode("latin-1")
    environ["PATH_INFO"] = path
    return environ
