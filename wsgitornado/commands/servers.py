"""The servers of ``serve``: each opens and announces its port, then runs."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import waitress.server
import waitress.wasyncore

from wsgitornado import parked
from wsgitornado._types import WSGIApplication, WSGIEnvironment
from wsgitornado.commands.loading import UsageError
from wsgitornado.commands.proxies import TrustedProxies, with_proxies
from wsgitornado.httpserver import HTTPServer, make_development_server
from wsgitornado.httpserver.signals import noted_signals
from wsgitornado.log import log_json_access
from wsgitornado.netutil import bind_sockets, bind_unix_socket

__all__ = ["SERVERS"]

#: What serves until it is told to end.
_Run: TypeAlias = Callable[[], None]


def _announce(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"listening on http://{shown}:{port}", file=sys.stderr, flush=True)


def _bind_unix_socket(path: str) -> socket.socket:
    sock = bind_unix_socket(path)
    print(f"listening on unix:{path}", file=sys.stderr, flush=True)
    return sock


def _trusted_proxies(options: argparse.Namespace) -> TrustedProxies | None:
    if not options.proxy_headers:
        return None
    is_local = options.unix_socket is not None
    return TrustedProxies(options.trusted_proxies, is_local)


def _behind_proxies(
    application: WSGIApplication, options: argparse.Namespace
) -> WSGIApplication:
    proxies = _trusted_proxies(options)
    return application if proxies is None else with_proxies(application, proxies)


# loop


def _loop(application: WSGIApplication, options: argparse.Namespace) -> _Run:
    factory = _loop_factory(options.loop)
    is_json = options.access_log == "json" and not hasattr(application, "log_request")
    server = HTTPServer(
        application,
        threads=options.threads,
        log_function=_log_json if is_json else None,
    )
    server.proxies = _trusted_proxies(options)
    if options.unix_socket is not None:
        sockets = [_bind_unix_socket(options.unix_socket)]
    else:
        sockets = bind_sockets(options.port, options.host or None)
        for sock in sockets:
            _announce(*sock.getsockname()[:2])

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(_serve_until_told(server, sockets))
        finally:
            for sock in sockets:
                sock.close()

    return run


def _log_json(environ: WSGIEnvironment, exchange: Any) -> None:
    """The line for a callable that writes none."""
    log_json_access(
        method=exchange.head.method,
        path=exchange.head.target.partition("?")[0],
        status=int(exchange.status[:3] or 0),
        duration=time.monotonic() - exchange.began,
        remote_ip=environ["REMOTE_ADDR"],
    )


def _loop_factory(
    name: str | None,
) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name != "uvloop":
        return None
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UsageError(
            "uvloop is not installed: pip install 'wsgitornado[fast]'"
        ) from error
    factory: Callable[[], asyncio.AbstractEventLoop] = module.new_event_loop
    return factory


async def _serve_until_told(server: HTTPServer, sockets: list[socket.socket]) -> None:
    with noted_signals() as told:
        server.add_sockets(sockets)
        await told
        await server.drain_connections()


# waitress


def _waitress(application: WSGIApplication, options: argparse.Namespace) -> _Run:
    sockets: dict[int, Any] = {}
    where: dict[str, Any] = {"host": options.host, "port": options.port}
    if options.unix_socket is not None:
        where = {"sockets": [_bind_unix_socket(options.unix_socket)]}
    server = waitress.server.create_server(
        _behind_proxies(application, options),
        map=sockets,
        **where,
        threads=options.threads,
        # Beside the requests that are being answered, which may all be waiting: as many
        # connections as waitress has by default. select() knows none above 1023.
        connection_limit=options.threads + 100,
        asyncore_use_poll=True,
        # Whether a proxy is believed is said by an option, or by the application.
        clear_untrusted_proxy_headers=False,
    )
    if options.unix_socket is None:
        for host, port in _effective_addresses(server):
            _announce(host, port)

    def run() -> None:
        # Of this many requests, all but one may wait.
        parked.server_threads = options.threads
        try:
            server.run()
        finally:
            parked.server_threads = None
            # The server closes only those that listen.
            waitress.wasyncore.close_all(sockets)

    return run


def _effective_addresses(server: Any) -> list[tuple[str, int]]:
    """Where waitress listens: a name such as localhost may stand for two addresses."""
    if hasattr(server, "effective_listen"):
        return [(host, int(port)) for host, port in server.effective_listen]
    return [(server.effective_host, int(server.effective_port))]


# wsgiref


def _wsgiref(application: WSGIApplication, options: argparse.Namespace) -> _Run:
    application = _behind_proxies(application, options)
    server = make_development_server(application, options.host, options.port)
    _announce(options.host, server.server_port)

    def run() -> None:
        with server:
            server.serve_forever()

    return run


SERVERS: Final[dict[str, Callable[[WSGIApplication, argparse.Namespace], _Run]]] = {
    "loop": _loop,
    "waitress": _waitress,
    "wsgiref": _wsgiref,
}
