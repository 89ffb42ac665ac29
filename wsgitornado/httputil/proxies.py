"""What a proxy in front says of its client: read only where the program asks for it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from wsgitornado._types import Settings, WSGIEnvironment
from wsgitornado.httputil.headers import _parse_header
from wsgitornado.httputil.urls import is_valid_host

if TYPE_CHECKING:
    from wsgitornado.httputil.request import HTTPServerRequest

__all__ = ["ProxyHeaders"]

_SCHEMES = frozenset({"http", "https"})


class ProxyHeaders:
    """Replaces address, scheme and host of a request by what the last proxy says.

    Anybody can send these headers: they are to be trusted only where every request
    comes through a proxy that sets or removes all of them.

    The address is that of ``X-Real-Ip``, else the last of ``X-Forwarded-For`` that is
    no proxy of ours; the scheme that of ``X-Scheme``, else ``X-Forwarded-Proto``; the
    host that of ``X-Forwarded-Host``. ``Forwarded`` (RFC 7239) is read where the first
    two are absent. What is no address, scheme or host changes nothing, as in Tornado.

    :param trusted_downstream: the addresses of further proxies of ours.
    """

    __slots__ = ("_trusted",)

    def __init__(self, trusted_downstream: Iterable[str] = ()) -> None:
        self._trusted = frozenset(trusted_downstream)

    @classmethod
    def from_settings(cls, settings: Settings) -> ProxyHeaders | None:
        """What the settings ``xheaders`` and ``trusted_downstream`` ask for.

        :raises TypeError: if ``trusted_downstream`` is one address, not a list.
        """
        trusted = settings.get("trusted_downstream")
        if isinstance(trusted, str):
            raise TypeError(f"trusted_downstream is a list of addresses: {trusted!r}")
        if not settings.get("xheaders") and not trusted:
            return None
        return cls(trusted or ())

    def apply(self, request: HTTPServerRequest) -> None:
        """Set ``remote_ip``, ``protocol`` and ``host`` of a request.

        The environ is changed along with them, so that an application behind a
        FallbackHandler sees the same.
        """
        environ = request.environ
        self.apply_to_environ(environ)
        request.remote_ip = environ.get("REMOTE_ADDR", "")
        request.protocol = environ.get("wsgi.url_scheme", "http")

    def apply_to_environ(self, environ: WSGIEnvironment) -> None:
        """The same for a server, before there is a request."""
        said = _Said(environ)
        address = said.real_ip or self._last_client(said.addresses)
        if address and _is_address(address):
            environ["REMOTE_ADDR"] = address
        if said.scheme in _SCHEMES:
            environ["wsgi.url_scheme"] = said.scheme
        if said.host and is_valid_host(said.host):
            environ["HTTP_HOST"] = said.host

    def _last_client(self, addresses: list[str]) -> str:
        """The nearest address that is no proxy of ours; the farthest if all are."""
        for address in reversed(addresses):
            if address not in self._trusted:
                return address
        return addresses[0] if addresses else ""


class _Said:
    """The headers of one request, as they are."""

    __slots__ = ("addresses", "host", "real_ip", "scheme")

    def __init__(self, environ: dict[str, str]) -> None:
        forwarded_for = environ.get("HTTP_X_FORWARDED_FOR", "")
        self.real_ip = environ.get("HTTP_X_REAL_IP", "")
        self.addresses = [part.strip() for part in forwarded_for.split(",")]
        self.scheme = _last(
            environ.get("HTTP_X_SCHEME") or environ.get("HTTP_X_FORWARDED_PROTO", "")
        )
        self.host = _last(environ.get("HTTP_X_FORWARDED_HOST", ""))
        if not forwarded_for and not self.real_ip and "HTTP_FORWARDED" in environ:
            self._read_forwarded(environ["HTTP_FORWARDED"])

    def _read_forwarded(self, header: str) -> None:
        """RFC 7239 section 4: the last element is the nearest proxy's."""
        elements = list(_elements(header))
        self.addresses = [_node(element.get("for", "")) for element in elements]
        if elements:
            self.scheme = self.scheme or elements[-1].get("proto", "").lower()
            self.host = self.host or elements[-1].get("host", "")


def _elements(header: str) -> Iterator[dict[str, str]]:
    for element in header.split(","):
        # Like the parameters of a media type, but without the type.
        yield _parse_header(f"; {element}")[1]


def _node(text: str) -> str:
    """The address of a node (RFC 7239 section 6): ``"[2001:db8::1]:80"``."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _last(header: str) -> str:
    return header.rpartition(",")[2].strip()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
