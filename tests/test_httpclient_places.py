"""Fetches from hosts that the program looks up, behind proxies and behind TLS."""

from __future__ import annotations

import importlib
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import write_certificate
from tests.httpclient_peer import OK, Peer, answer, run
from tests.httpserver.running import Running, running
from wsgitornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPResponse
from wsgitornado.netutil import Resolver
from wsgitornado.web import Application, RequestHandler

pytest.importorskip("httpx")
exchange = importlib.import_module("wsgitornado.httpclient.exchange")


def fetch(url: str, *, client: Any = None, **arguments: Any) -> HTTPResponse:
    async def main() -> HTTPResponse:
        made = AsyncHTTPClient(force_instance=True, **(client or {}))
        return await made.fetch(url, **arguments)

    return run(main)


# Where to


class Addresses(Resolver):
    """Finds an address where nobody listens before the right one."""

    async def resolve(
        self, host: str, port: int, family: int = 0
    ) -> list[tuple[int, Any]]:
        assert host == "site.example"
        return [(socket.AF_INET, (ip, port)) for ip in ("127.0.0.2", "127.0.0.1")]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"hostname_mapping": {"site.example": "127.0.0.1"}}, id="mapping"),
        pytest.param({"resolver": Addresses()}, id="resolver"),
    ],
)
def test_host_is_looked_up_by_the_program(options: dict[str, Any]) -> None:
    with Peer(OK) as peer:
        url = peer.url().replace("127.0.0.1", "site.example")
        assert fetch(url, client=options).effective_url == url
    assert "|Host: site.example:PORT|" in peer.seen[0]


def test_none_of_the_addresses_is_the_error_of_the_system() -> None:
    with pytest.raises(ConnectionRefusedError):
        fetch("http://site.example:1/", client={"resolver": Addresses()})


def test_last_of_several_errors_is_the_error_of_the_system() -> None:
    # What there is for a name with an address of IPv6 and one of IPv4.
    errors = [OSError("no route"), ConnectionRefusedError("refused")]
    group = ExceptionGroup("multiple connection attempts failed", errors)
    error = OSError("All connection attempts failed")
    error.__cause__ = group
    assert exchange._error_of_system(error) is errors[-1]
    assert isinstance(exchange._error_of_system(LookupError("?")), OSError)


def test_unknown_host_is_the_error_of_the_system() -> None:
    with pytest.raises(socket.gaierror):
        fetch("http://nowhere.invalid/")


# Proxies


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({}, ""),
        (
            {"proxy_username": "u", "proxy_password": "p"},
            "Basic dTpw",
        ),
        (
            {"proxy_username": "u", "proxy_auth_mode": "basic"},
            "Basic dTo=",
        ),
    ],
    ids=["nobody", "user", "user without password"],
)
def test_proxy_is_asked(arguments: dict[str, str], line: str) -> None:
    with Peer(OK) as peer:
        response = fetch(
            "http://site.example/x?y",
            proxy_host="127.0.0.1",
            proxy_port=peer.port,
            **arguments,
        )
    assert response.body == b"hi"
    assert response.effective_url == "http://site.example/x?y"
    assert peer.seen[0].startswith("GET http://site.example/x?y HTTP/1.1|")
    assert "|Host: site.example|" in peer.seen[0]
    found = re.search(r"\|Proxy-Authorization: ([^|]*)", peer.seen[0])
    assert (found[1] if found else "") == line


def test_proxy_that_refuses_a_tunnel_is_an_error_599() -> None:
    with Peer(answer(b"407 Who", b"")) as peer:
        with pytest.raises(HTTPClientError, match=r"HTTP 599: .*407") as caught:
            fetch("https://site.example/", proxy_host="127.0.0.1", proxy_port=peer.port)
    assert caught.value.code == 599
    assert peer.seen[0].startswith("CONNECT site.example:443 HTTP/1.1|")


@pytest.mark.parametrize(
    "arguments",
    [
        {"proxy_host": "127.0.0.1"},
        {"proxy_host": "127.0.0.1", "proxy_port": 9, "proxy_auth_mode": "digest"},
    ],
    ids=["no port", "digest"],
)
def test_proxy_that_cannot_be_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="proxy_"):
        fetch("http://site.example/", **arguments)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_proxy_of_the_environment_is_not_asked(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Peer(OK) as peer:
        assert fetch(peer.url()).code == 200


# TLS


class Hello(RequestHandler):
    def get(self) -> None:
        self.write(self.request.protocol)


@pytest.fixture
def certificate(tmp_path: Path) -> dict[str, str]:
    return write_certificate(tmp_path)


@pytest.fixture
def site(certificate: dict[str, str]) -> Iterator[Running]:
    with running(Application([("/", Hello)]), ssl_options=certificate) as server:
        yield server


def trusting(certificate: dict[str, str]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate["certfile"])


@pytest.mark.parametrize(
    "make_arguments",
    [
        pytest.param(lambda c: {"ca_certs": c["certfile"]}, id="authority"),
        pytest.param(lambda c: {"validate_cert": False}, id="not checked"),
        pytest.param(lambda c: {"ssl_options": trusting(c)}, id="context"),
        pytest.param(
            lambda c: {"ssl_options": {"ca_certs": c["certfile"]}}, id="options"
        ),
        pytest.param(
            lambda c: {
                "ca_certs": c["certfile"],
                "client_cert": c["certfile"],
                "client_key": c["keyfile"],
            },
            id="certificate of our own",
        ),
    ],
)
def test_site_behind_tls_is_fetched(
    site: Running, certificate: dict[str, str], make_arguments: Any
) -> None:
    url = f"https://localhost:{site.port}/"
    assert fetch(url, **make_arguments(certificate)).body == b"https"


def test_certificate_is_checked(site: Running) -> None:
    for _ in range(2):  # also with the context that is kept
        with pytest.raises(ssl.SSLCertVerificationError):
            fetch(f"https://localhost:{site.port}/")


def test_name_is_checked_of_a_host_that_is_mapped(
    site: Running, certificate: dict[str, str]
) -> None:
    mapping = {"localhost": "127.0.0.1", "site.example": "127.0.0.1"}
    arguments = {
        "client": {"hostname_mapping": mapping},
        "ca_certs": certificate["certfile"],
    }
    assert fetch(f"https://localhost:{site.port}/", **arguments).body == b"https"
    with pytest.raises(ssl.SSLCertVerificationError):
        fetch(f"https://site.example:{site.port}/", **arguments)
