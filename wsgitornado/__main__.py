"""The command line: ``python -m wsgitornado serve module:app``."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import waitress.server
import waitress.wasyncore

from wsgitornado import parked, version
from wsgitornado._types import WSGIApplication
from wsgitornado.httpserver import HTTPServer, make_development_server
from wsgitornado.httpserver.signals import noted_signals
from wsgitornado.netutil import bind_sockets, bind_unix_socket

__all__ = ["main"]

#: Of servers that run everything in threads.
_USUAL_THREADS: Final = 4


class _UsageError(Exception):
    """What the user typed does not lead to a running server."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    :param arguments: those after the name of the program; by default ``sys.argv``'s.
    """
    options = _parser().parse_args(arguments)
    try:
        return _serve(options)
    except _UsageError as error:
        print(f"wsgitornado: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wsgitornado", description="Serve programs written for tornado.web."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        help="serve a WSGI application over HTTP",
        description="Serve a WSGI application, such as a wsgitornado Application.",
    )
    serve.add_argument(
        "application",
        metavar="MODULE:NAME",
        help="the module to import and the application in it: guestbook:app",
    )
    serve.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (%(default)s)"
    )
    serve.add_argument(
        "--port",
        type=_port,
        default=8888,
        help="the port to listen on, 0 for any that is free (%(default)s)",
    )
    serve.add_argument(
        "--threads",
        type=_threads,
        help="how many requests run at once (4; with loop 0 for an Application: on "
        "the event loop)",
    )
    serve.add_argument(
        "--server",
        choices=sorted(_SERVERS),
        default="waitress",
        help="waitress, or loop for many clients that wait, for production, wsgiref "
        "for development (%(default)s)",
    )
    serve.add_argument(
        "--unix-socket",
        metavar="PATH",
        help="listen on a unix socket instead of host and port, with loop",
    )
    serve.add_argument(
        "--loop",
        choices=["asyncio", "uvloop"],
        help="the event loop, with loop (asyncio)",
    )
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535: {text}")
    return int(text)


def _threads(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"how many threads is a number: {text}")
    return int(text)


def _serve(options: argparse.Namespace) -> int:
    if options.server != "loop":
        _use_no_loop(options)
    application = _load(options.application)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s: %(message)s"
    )
    # Before the address is announced: who reads it may send the signal at once.
    signal.signal(signal.SIGTERM, _exit)
    try:
        run = _listen(application, options)
        run()
    except (KeyboardInterrupt, SystemExit):
        pass
    return 0


def _use_no_loop(options: argparse.Namespace) -> None:
    """What the options mean to servers that are all threads."""
    for name in ("unix_socket", "loop"):
        if getattr(options, name) is not None:
            option = name.replace("_", "-")
            raise _UsageError(f"--{option} is for --server loop alone")
    if options.threads is None:
        options.threads = _USUAL_THREADS
    elif options.threads == 0:
        raise _UsageError(f"{options.server} needs a thread at least: --threads 0")


def _listen(
    application: WSGIApplication, options: argparse.Namespace
) -> Callable[[], None]:
    """Open and announce the port, and return what serves it."""
    try:
        return _SERVERS[options.server](application, options)
    except (OSError, ValueError) as error:
        # waitress makes a ValueError of a host name that cannot be found.
        reason = str(getattr(error, "strerror", None) or error)
        # netutil says where, too.
        reason = reason.partition(": cannot listen on ")[0]
        where = options.unix_socket or f"{options.host} port {options.port}"
        raise _UsageError(f"cannot listen on {where}: {reason}") from error


def _exit(number: int, frame: Any) -> None:
    """SIGTERM ends the server as Ctrl-C does; waitress finishes what has begun."""
    raise SystemExit(0)


def _load(spec: str) -> WSGIApplication:
    """The application that ``module:name`` stands for."""
    module_name, _, name = spec.partition(":")
    if not module_name or not name or module_name.startswith("."):
        raise _UsageError(f"expected MODULE:NAME, as in guestbook:app, got {spec!r}")
    # As python -m does: what is in the current directory can be imported.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # One that the program itself fails to import is its own error, shown whole.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise _UsageError(f"there is no module {error.name!r} here") from error
    application = getattr(module, name, None)
    if application is None:
        raise _UsageError(f"the module {module_name!r} has no {name!r}")
    if not callable(application):
        raise _UsageError(f"{spec} is no WSGI application: {application!r}")
    found: WSGIApplication = application
    return found


def _announce(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else host
    print(f"listening on http://{shown}:{port}", file=sys.stderr, flush=True)


def _loop(
    application: WSGIApplication, options: argparse.Namespace
) -> Callable[[], None]:
    factory = _loop_factory(options.loop)
    server = HTTPServer(application, threads=options.threads)
    if options.unix_socket is not None:
        sockets = [bind_unix_socket(options.unix_socket)]
        print(f"listening on unix:{options.unix_socket}", file=sys.stderr, flush=True)
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


def _loop_factory(
    name: str | None,
) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name != "uvloop":
        return None
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise _UsageError(
            "uvloop is not installed: pip install 'wsgitornado[fast]'"
        ) from error
    factory: Callable[[], asyncio.AbstractEventLoop] = module.new_event_loop
    return factory


async def _serve_until_told(server: HTTPServer, sockets: list[socket.socket]) -> None:
    with noted_signals() as told:
        server.add_sockets(sockets)
        await told
        await server.drain_connections()


def _waitress(
    application: WSGIApplication, options: argparse.Namespace
) -> Callable[[], None]:
    sockets: dict[int, Any] = {}
    server = waitress.server.create_server(
        application,
        map=sockets,
        host=options.host,
        port=options.port,
        threads=options.threads,
        # Beside the requests that are being answered, which may all be waiting: as many
        # connections as waitress has by default. select() knows none above 1023.
        connection_limit=options.threads + 100,
        asyncore_use_poll=True,
        # Whether a proxy is believed is for the application to say: xheaders.
        clear_untrusted_proxy_headers=False,
    )
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


def _wsgiref(
    application: WSGIApplication, options: argparse.Namespace
) -> Callable[[], None]:
    server = make_development_server(application, options.host, options.port)
    _announce(options.host, server.server_port)

    def run() -> None:
        with server:
            server.serve_forever()

    return run


_SERVERS = {"loop": _loop, "waitress": _waitress, "wsgiref": _wsgiref}


if __name__ == "__main__":
    sys.exit(main())
