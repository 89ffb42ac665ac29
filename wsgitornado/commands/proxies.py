"""``--proxy-headers``: what proxies say is believed if it comes from a trusted one."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import TypeAlias

from wsgitornado._types import Body, StartResponse, WSGIApplication, WSGIEnvironment
from wsgitornado.httputil.proxies import ProxyHeaders

__all__ = ["TrustedProxies", "trust_list", "with_proxies"]

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

#: What an untrusted client says in these does not count for the application either.
_HEADERS = (
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "HTTP_X_SCHEME",
)

_ALL = ("0.0.0.0/0", "::/0")


class TrustedProxies(ProxyHeaders):
    """Believes proxies by their address, and drops what others send in such headers.

    The address of a client is the nearest one that is no proxy of these.

    :param networks: of the proxies.
    :param is_local: whether all clients come through a unix socket, where there are no
        addresses: who may open it is trusted.
    """

    __slots__ = ("_is_local", "_networks")

    def __init__(self, networks: Iterable[Network], is_local: bool = False) -> None:
        super().__init__()
        self._networks = list(networks)
        self._is_local = is_local

    def apply_to_environ(self, environ: WSGIEnvironment) -> None:
        if self._is_local or self._is_trusted(environ.get("REMOTE_ADDR", "")):
            super().apply_to_environ(environ)
        else:
            for name in _HEADERS:
                environ.pop(name, None)

    def _last_client(self, addresses: list[str]) -> str:
        for address in reversed(addresses):
            if not self._is_trusted(address):
                return address
        return addresses[0] if addresses else ""

    def _is_trusted(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        # A socket for both versions of IP shows addresses of the fourth as mapped.
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._networks)


def trust_list(text: str) -> list[Network]:
    """The networks of a list: ``"127.0.0.1, 10.0.0.0/8"``; ``"*"`` is all of them.

    :raises ValueError: if a part is neither an address nor a network.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if parts == ["*"]:
        parts = list(_ALL)
    return [ipaddress.ip_network(part, strict=False) for part in parts]


def with_proxies(
    application: WSGIApplication, proxies: TrustedProxies
) -> Callable[[WSGIEnvironment, StartResponse], Body]:
    """The application for servers that know nothing of this."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        proxies.apply_to_environ(environ)
        return application(environ, start_response)

    return call
