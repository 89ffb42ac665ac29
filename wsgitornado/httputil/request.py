"""HTTPServerRequest: a webob request with the attributes that Tornado's has."""

from __future__ import annotations

import ssl
import warnings
from http.cookies import SimpleCookie
from io import BytesIO
from time import perf_counter
from typing import Any, BinaryIO, Final

from wsgitornado._types import WSGIEnvironment
from wsgitornado.escape import parse_qs_bytes
from wsgitornado.httputil.body import BodyLimits, close_body, read_body
from wsgitornado.httputil.cookies import parse_cookies_to_morsels
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.httputil.forms import HTTPFile, is_form, parse_form
from wsgitornado.httputil.headers import HTTPHeaders
from wsgitornado.httputil.urls import request_path, script_path, split_host_and_port
from wsgitornado.log import one_line
from wsgitornado.util import cached_property

with warnings.catch_warnings():
    # webob imports cgi, which Python 3.11 and 3.12 deprecate: nothing for our users.
    warnings.simplefilter("ignore", DeprecationWarning)
    from webob.request import BaseRequest

__all__ = ["CONNECTION", "HTTPServerRequest", "RequestConnection", "RequestContext"]

#: The environ key of a server that has a RequestConnection of its own.
CONNECTION: Final = "wsgitornado.connection"

_DEFAULT_LIMITS = BodyLimits()
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class HTTPServerRequest(BaseRequest):
    """One request: what the client sent, as attributes.

    Everything is made when it is asked for, from the WSGI environ, which stays
    available as ``environ``. It is a webob request too: what webob names and Tornado
    does not (``accept``, ``range``, ``application_url``) works as there. Where both
    name something it is Tornado's.

    :param environ: the WSGI environ (PEP 3333), a plain dict.
    """

    __module__ = "wsgitornado.httputil"

    #: The limits for query and body; the application sets its own.
    limits = _DEFAULT_LIMITS

    #: The path below the mount point, percent-encoded: what routes match.
    path: str = ""

    #: The name of this request in logs, where the setting ``request_ids`` is on.
    request_id: str | None = None

    def __init__(self, environ: WSGIEnvironment, **kw: Any) -> None:
        self.environ = environ
        self._start_time = perf_counter()
        self.path = request_path(environ)
        if kw:
            # webob's copies pass attributes to be set.
            for name, value in kw.items():
                setattr(self, name, value)

    @cached_property
    def script_path(self) -> str:
        """The prefix that we are mounted at (SCRIPT_NAME), percent-encoded."""
        return script_path(self.environ)

    @property
    def query(self) -> str:
        """The query string, without the question mark."""
        query: str = self.environ.get("QUERY_STRING", "")
        return query

    @cached_property
    def uri(self) -> str:
        """Path and query as in the request line, the mount point included."""
        uri = self.script_path + self.path
        query = self.query
        return f"{uri}?{query}" if query else uri

    @property
    def version(self) -> str:
        """The version of HTTP: ``"HTTP/1.1"``."""
        version: str = self.environ.get("SERVER_PROTOCOL", "HTTP/1.0")
        return version

    @cached_property
    def headers(self) -> HTTPHeaders:  # type: ignore[override]  # webob's writes to environ
        """The headers of the request, names in any letter case."""
        return HTTPHeaders.from_environ(self.environ)

    @cached_property
    def remote_ip(self) -> str:
        """The address of the client, as the connection says."""
        address: str = self.environ.get("REMOTE_ADDR", "")
        return address

    @cached_property
    def protocol(self) -> str:
        """``"http"`` or ``"https"``."""
        scheme: str = self.environ.get("wsgi.url_scheme", "http")
        return scheme

    @property
    def host(self) -> str:
        """The Host header, or where there is none the server's name and port."""
        environ = self.environ
        host: str | None = environ.get("HTTP_HOST")
        if host:
            return host
        name: str = environ.get("SERVER_NAME", "127.0.0.1")
        port = environ.get("SERVER_PORT", "")
        if not port or port == _DEFAULT_PORTS.get(self.protocol):
            return name
        return f"{name}:{port}"

    @host.setter
    def host(self, value: str) -> None:
        self.environ["HTTP_HOST"] = value

    @cached_property
    def host_name(self) -> str:
        """The host in lower case, without the port."""
        return split_host_and_port(self.host.lower())[0]

    def full_url(self) -> str:
        """The URL that the client asked for."""
        return f"{self.protocol}://{self.host}{self.uri}"

    @cached_property
    def query_arguments(self) -> dict[str, list[bytes]]:
        """The arguments of the query string: a list of values for each name.

        :raises HTTPInputError: if there are more than ``max_form_fields``.
        """
        return self._parse_query(self.query)

    def _parse_query(self, query: str) -> dict[str, list[bytes]]:
        if not query:
            return {}
        try:
            return parse_qs_bytes(
                query,
                keep_blank_values=True,
                max_num_fields=self.limits.max_form_fields,
            )
        except ValueError:
            raise HTTPInputError(
                f"more than {self.limits.max_form_fields} fields in the query"
            ) from None

    @cached_property
    def _form(self) -> tuple[dict[str, list[bytes]], dict[str, list[HTTPFile]]]:
        """The fields and the files of a form in the body."""
        environ = self.environ
        content_type = environ.get("CONTENT_TYPE", "")
        if not is_form(content_type):
            return {}, {}
        coding = environ.get("HTTP_CONTENT_ENCODING", "")
        try:
            return parse_form(content_type, self._spool(), self.limits, coding)
        except HTTPInputError as error:
            raise HTTPInputError(f"Invalid body: {error}", error.status_code) from None

    @cached_property
    def body_arguments(self) -> dict[str, list[bytes]]:
        """The fields of a form in the body, like :attr:`query_arguments`.

        :raises HTTPInputError: if the form is malformed or exceeds a limit.
        """
        return self._form[0]

    @cached_property
    def files(self) -> dict[str, list[HTTPFile]]:
        """The uploaded files of a multipart form: a list for each name.

        :raises HTTPInputError: if the form is malformed or exceeds a limit.
        """
        return self._form[1]

    @cached_property
    def arguments(self) -> dict[str, list[bytes]]:
        """The arguments of query and body together, those of the query first."""
        of_query = self.query_arguments
        of_body = self.body_arguments
        merged = {name: values[:] for name, values in of_query.items()}
        for name, values in of_body.items():
            merged.setdefault(name, []).extend(values)
        return merged

    @cached_property
    def cookies(self) -> SimpleCookie:  # type: ignore[override]  # webob's are plain texts
        """The cookies, as morsels by name."""
        return parse_cookies_to_morsels(self.environ.get("HTTP_COOKIE", ""))

    @property
    def body(self) -> bytes:
        """The whole body."""
        body: bytes | None = self.__dict__.get("_body")
        if body is None:
            spool = self._spool()
            # A bytes object that BytesIO shares, or one read from the file.
            body = spool.getvalue() if isinstance(spool, BytesIO) else spool.read()
            self.__dict__["_body"] = body
        return body

    @body.setter  # type: ignore[override]  # webob's may be set to None
    def body(self, value: bytes) -> None:
        for name in ("_body", "_form", "body_arguments", "files", "arguments"):
            self.__dict__.pop(name, None)
        self.body_file = BytesIO(value)
        self.content_length = len(value)
        self.is_body_seekable = True

    #: Whether there is anything to close at the end.
    has_spool = False

    def read_body(self) -> None:
        """Read the body whole, so that handlers see all of it or nothing.

        Called before ``prepare`` where there is a body. A form is parsed as well: a
        malformed one is refused before any code of the program has run.

        :raises HTTPInputError: if it is too long, not as long as it says, or no form.
        """
        self._spool()
        self._form  # noqa: B018  # parsed now and kept

    def leave_body(self) -> None:
        """Leave the body to a handler that streams it: here there is none."""
        self.__dict__["_body"] = b""
        self.__dict__["_form"] = ({}, {})

    def _spool(self) -> BinaryIO:
        """The body, read whole, for requests that no handler prepared too."""
        self.has_spool = True
        return read_body(self.environ, self.limits)

    def request_time(self) -> float:
        """How long this request has taken so far, in seconds."""
        return perf_counter() - self._start_time

    @cached_property
    def connection(self) -> RequestConnection:
        """The connection, as far as the server lets us know it."""
        of_server: RequestConnection | None = self.environ.get(CONNECTION)
        if of_server is not None:
            return of_server
        return RequestConnection(
            RequestContext(self.remote_ip, self.protocol, self._address())
        )

    def _address(self) -> tuple[str, int] | str:
        port = self.environ.get("REMOTE_PORT", "")
        return (self.remote_ip, int(port)) if port.isdecimal() else self.remote_ip

    def get_ssl_certificate(
        self, binary_form: bool = False
    ) -> dict[str, Any] | bytes | None:
        """The client's certificate, where the server hands it over; else None.

        gunicorn does so as ``gunicorn.socket``; Apache and nginx can pass the PEM text
        as ``SSL_CLIENT_CERT``.

        :param binary_form: DER bytes instead of the parsed dictionary.
        """
        sock = self.environ.get("gunicorn.socket")
        if isinstance(sock, ssl.SSLSocket):
            return sock.getpeercert(binary_form)
        pem = self.environ.get("SSL_CLIENT_CERT")
        if pem and binary_form:
            return ssl.PEM_cert_to_DER_cert(pem)
        return None

    def close(self) -> None:
        """Let go of the files that this request has opened; called at its end."""
        close_body(self.environ)

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={one_line(getattr(self, name))!r}"
            for name in ("protocol", "host", "method", "uri", "version", "remote_ip")
        )
        return f"{type(self).__name__}({shown})"


class RequestContext:
    """Who is at the other end of a connection.

    :ivar remote_ip: the address of the client.
    :ivar protocol: ``"http"`` or ``"https"``.
    :ivar address: the address with its port, where the server tells the port.
    """

    def __init__(
        self, remote_ip: str, protocol: str, address: tuple[str, int] | str
    ) -> None:
        self.remote_ip = remote_ip
        self.protocol = protocol
        self.address = address
        self.trusted_downstream: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.remote_ip


class RequestConnection:
    """What a handler may ask of its connection on any WSGI server.

    The socket belongs to the server: what needs it raises AttributeError here.
    """

    #: What :meth:`set_max_body_size` was given; None: the setting counts.
    max_body_size: int | None = None

    def __init__(self, context: RequestContext) -> None:
        self.context = context

    def set_max_body_size(self, size: int) -> None:
        """How much of the body of this request is taken, in bytes.

        In place of the setting ``max_body_size``, for ``prepare`` of a handler that
        streams its body; for others the body has been read by then.
        """
        self.max_body_size = size
