"""``serve``: a WSGI application over HTTP, on one of three servers."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

from wsgitornado import autoreload
from wsgitornado._types import WSGIApplication
from wsgitornado.commands.loading import UsageError, load_application
from wsgitornado.commands.proxies import Network, trust_list
from wsgitornado.commands.servers import SERVERS
from wsgitornado.log import access_log, json_access_log

__all__ = ["add_parser"]

#: Of servers that run everything in threads.
_USUAL_THREADS: Final = 4

_SPEC = "MODULE:NAME"

_LOOPS: Final = ["asyncio", "uvloop"]

_ACCESS_LOGS: Final = ["text", "json", "off"]

_YES: Final = ("1", "true", "yes", "on")
_NO: Final = ("0", "false", "no", "off")

_DESCRIPTION: Final = """\
Serve a WSGI application: a wsgitornado Application, or any other.

MODULE is what you would import, from the current folder too, and NAME what it calls
the application. If NAME is a function without arguments that makes the application,
it is called; MODULE:NAME() says so.
"""

_EXAMPLES: Final = """\
examples:
  wsgitornado serve guestbook:app
      app of guestbook.py, on http://127.0.0.1:8888
  wsgitornado serve guestbook:app --reload
      the same while you write it: each change starts it anew
  wsgitornado serve 'shop.site:make_app()' --host 0.0.0.0 --port 80 --threads 16
      for the network
  wsgitornado serve chat:app --server loop --unix-socket /run/chat --proxy-headers
      many clients that wait, behind nginx
  WSGITORNADO_PORT=9000 WSGITORNADO_ACCESS_LOG=json wsgitornado serve guestbook:app
      as containers are told

Each option can be set in the environment as well: --trusted-proxies is
WSGITORNADO_TRUSTED_PROXIES, and WSGITORNADO_RELOAD=yes is --reload. MODULE:NAME is
WSGITORNADO_APPLICATION. The command line wins.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command with its options."""
    serve = subparsers.add_parser(
        "serve",
        help="serve a WSGI application over HTTP",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    application = _environment("application")
    serve.add_argument(
        "application",
        metavar=_SPEC,
        nargs=None if application is None else "?",
        default=application,
        help="the module to import and the application in it: guestbook:app",
    )
    _add_address(serve)
    _add_server(serve)
    _add_proxies(serve)
    _option(
        serve,
        "access-log",
        metavar="{text,json,off}",
        type=_one_of(_ACCESS_LOGS),
        default="text",
        help="a line for each request on the standard error, or as JSON on the "
        "standard output, or none (%(default)s)",
    )
    _option(
        serve,
        "reload",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="start anew when a source, template or translation changes; for "
        "development",
    )
    serve.set_defaults(func=_serve)


def _add_address(serve: argparse.ArgumentParser) -> None:
    _option(
        serve,
        "host",
        default="127.0.0.1",
        help="the address to listen on (%(default)s)",
    )
    _option(
        serve,
        "port",
        type=_port,
        default=8888,
        help="the port to listen on, 0 for any that is free (%(default)s)",
    )
    _option(
        serve,
        "unix-socket",
        metavar="PATH",
        help="listen on a unix socket instead of host and port; not with wsgiref",
    )


def _add_server(serve: argparse.ArgumentParser) -> None:
    _option(
        serve,
        "server",
        metavar=f"{{{','.join(sorted(SERVERS))}}}",
        type=_one_of(sorted(SERVERS)),
        default="waitress",
        help="waitress, or loop for many clients that wait, for production, wsgiref "
        "for development (%(default)s)",
    )
    _option(
        serve,
        "threads",
        type=_threads,
        help="how many requests run at once (4; with loop 0 for an Application: on "
        "the event loop)",
    )
    _option(
        serve,
        "loop",
        metavar="{asyncio,uvloop}",
        type=_one_of(_LOOPS),
        help="the event loop, with loop (asyncio)",
    )


def _add_proxies(serve: argparse.ArgumentParser) -> None:
    _option(
        serve,
        "proxy-headers",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="believe the address, scheme and host that trusted proxies tell of their "
        "clients, and nobody else",
    )
    _option(
        serve,
        "trusted-proxies",
        metavar="LIST",
        type=_trusted_proxies,
        help="addresses and networks of these proxies: 127.0.0.1,10.0.0.0/8, or * for "
        "all (this machine); implies --proxy-headers",
    )


# Options


def _option(parser: argparse.ArgumentParser, name: str, **kwargs: Any) -> None:
    """Add an option, whose default may come from the environment."""
    value = _environment(name)
    if value is not None:
        # argparse gives a text to the type, as what comes from the command line.
        kwargs["default"] = value
        kwargs["help"] = kwargs["help"].replace("%(default)s", value.replace("%", "%%"))
    parser.add_argument(f"--{name}", **kwargs)


def _variable(name: str) -> str:
    return f"WSGITORNADO_{name.upper().replace('-', '_')}"


def _environment(name: str) -> str | None:
    return os.environ.get(_variable(name)) or None


def _is_yes(name: str, value: bool | str | None) -> bool | None:
    """What the option was set to, or what the environment says of it."""
    if not isinstance(value, str):
        return value
    if value.lower() not in _YES + _NO:
        raise UsageError(f"{_variable(name)} is yes or no, not {value!r}")
    return value.lower() in _YES


def _one_of(values: list[str]) -> Callable[[str], str]:
    """For argparse: unlike its ``choices`` it looks at the environment's, too."""

    def check(text: str) -> str:
        if text not in values:
            raise argparse.ArgumentTypeError(
                f"invalid choice: {text!r} (choose from {', '.join(values)})"
            )
        return text

    return check


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535: {text}")
    return int(text)


def _threads(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"how many threads is a number: {text}")
    return int(text)


def _trusted_proxies(text: str) -> list[Network]:
    try:
        return trust_list(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected addresses and networks, as in 127.0.0.1,10.0.0.0/8: {error}"
        ) from error


# Serving


def _serve(options: argparse.Namespace) -> int:
    _complete(options)
    if options.reload:
        autoreload.start()
        with autoreload.errors_survived(_show):
            application = load_application(options.application)
    else:
        application = load_application(options.application)
    _set_up_logging(application, options)
    # Before the address is announced: who reads it may send a signal, or change a file,
    # at once.
    signal.signal(signal.SIGTERM, _exit)
    autoreload.note_server()
    if options.reload:
        autoreload.start()
    try:
        run = _listen(application, options)
        run()
    except (KeyboardInterrupt, SystemExit):
        pass
    return 0


def _complete(options: argparse.Namespace) -> None:
    """What the options mean together."""
    options.reload = _is_yes("reload", options.reload)
    options.proxy_headers = _is_yes("proxy-headers", options.proxy_headers)
    if options.server != "loop":
        _use_no_loop(options)
    if options.unix_socket is not None and options.server == "wsgiref":
        raise UsageError("--unix-socket is for --server loop or waitress")
    if options.trusted_proxies is None:
        options.trusted_proxies = trust_list("127.0.0.0/8, ::1")
    elif options.proxy_headers is None:
        options.proxy_headers = True


def _use_no_loop(options: argparse.Namespace) -> None:
    """What the options mean to servers that are all threads."""
    if options.loop is not None:
        raise UsageError("--loop is for --server loop alone")
    if options.threads is None:
        options.threads = _USUAL_THREADS
    elif options.threads == 0:
        raise UsageError(f"{options.server} needs a thread at least: --threads 0")


def _show(error: Exception) -> None:
    if isinstance(error, UsageError):
        print(f"wsgitornado: {error}", file=sys.stderr)
    else:
        autoreload.show_error(error)


def _set_up_logging(application: Any, options: argparse.Namespace) -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s: %(message)s"
    )
    if options.access_log == "off":
        access_log.setLevel(logging.CRITICAL + 1)
    elif options.access_log == "json":
        _log_json(application, options)


def _log_json(application: Any, options: argparse.Namespace) -> None:
    if hasattr(application, "log_request"):
        application.settings.setdefault("log_function", json_access_log)
    elif options.server != "loop":
        raise UsageError(
            f"--access-log json: {options.server} writes no lines for an application "
            "that is no wsgitornado Application; --server loop does"
        )
    # Alone on its stream, so that all of that is JSON.
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    access_log.addHandler(handler)
    access_log.propagate = False


def _listen(
    application: WSGIApplication, options: argparse.Namespace
) -> Callable[[], None]:
    """Open and announce the port, and return what serves it."""
    try:
        return SERVERS[options.server](application, options)
    except (OSError, ValueError) as error:
        # waitress makes a ValueError of a host name that cannot be found.
        reason = str(getattr(error, "strerror", None) or error)
        # netutil says where, too.
        reason = reason.partition(": cannot listen on ")[0]
        where = options.unix_socket or f"{options.host} port {options.port}"
        raise UsageError(f"cannot listen on {where}: {reason}") from error


def _exit(number: int, frame: Any) -> None:
    """SIGTERM ends the server as Ctrl-C does; waitress finishes what has begun."""
    raise SystemExit(0)
