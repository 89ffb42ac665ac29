"""The loop server as a worker of gunicorn: several processes that park answers."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import ipaddress
import logging
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any, Final

from gunicorn.config import Config, PostRequest, PreRequest
from gunicorn.glogging import Logger
from gunicorn.sock import ssl_context
from gunicorn.workers.base import Worker

from wsgitornado._types import HeaderList, WSGIEnvironment
from wsgitornado.httpserver.exchange import Exchange
from wsgitornado.httpserver.limits import Limits
from wsgitornado.httpserver.parsers import RequestError
from wsgitornado.httpserver.server import HTTPServer
from wsgitornado.httputil.proxies import ProxyHeaders

__all__ = ["GunicornWorker"]

#: Seconds between two signs of life, at most.
_PULSE: Final = 1.0

#: Of ``--graceful-timeout``, after which gunicorn kills: the seconds in which those who
#: still wait are told, and in which their handlers clean up.
_LAST_WORDS: Final = 2.0

#: Seconds that requests have where ``--reload`` restarts: nobody wants to wait for a
#: long poll to see a change.
_RELOAD_GRACE: Final = 0.5

#: Whole seconds in which a loop has to hear of INT and QUIT.
_PATIENCE: Final = 1

#: gunicorn's own bound for ``--limit-request-fields 0``.
_MOST_FIELDS: Final = 32768

#: What a client that left without an answer is logged with, as nginx does.
_LEFT: Final = "499 Client Closed Request"

#: What is not served: the setting, the values that are, and what to do instead.
_REFUSED: Final = (
    (
        "proxy_protocol",
        (False, "off"),
        "have the proxy send X-Forwarded-For, and set xheaders in the application",
    ),
    (
        "protocol",
        ("http",),
        "have the proxy speak HTTP (nginx: proxy_pass, not uwsgi_pass)",
    ),
    (
        "http_protocols",
        (["h1"],),
        "only h1 is, leave HTTP/2 to a proxy in front",
    ),
    ("http2_cleartext", ("off",), "leave HTTP/2 to a proxy in front"),
)

#: What makes gunicorn's own parser less strict; ours stays as it is.
_LOOSENINGS: Final = (
    "permit_obsolete_folding",
    "strip_header_spaces",
    "permit_unconventional_http_method",
    "permit_unconventional_http_version",
    "casefold_http_method",
)


class GunicornWorker(Worker):
    """``gunicorn -k wsgitornado.httpserver.GunicornWorker program:app``.

    ``--threads`` of 1, gunicorn's default, or 0 means what is best for the callable: no
    threads for an Application, 4 for anything else; a larger number means so many.
    ``--worker-connections`` is how many clients one worker has at once, those that wait
    among them; the others are left to other workers.

    A worker is replaced when its loop hangs for ``--timeout``, or all of its threads
    do, each in one request. At the end requests have ``--graceful-timeout``; what is
    still parked two seconds before is answered with 503.

    HTTP/2, the PROXY protocol and that of uWSGI are refused at start-up. The program
    runs on uvloop with ``--asgi-loop uvloop``.
    """

    __module__ = "wsgitornado.httpserver"

    _has_to_reopen_logs = False
    _is_in_hurry = False

    @classmethod
    def check_config(cls, cfg: Config, log: Logger) -> None:
        """Called by gunicorn before the workers start: refuse what cannot be had.

        :raises RuntimeError: which gunicorn prints.
        """
        for name, served, advice in _REFUSED:
            if _value(cfg, name) not in (*served, None):
                raise RuntimeError(
                    f"{name} is not supported by {cls.__name__}: {advice}"
                )
        for name in _LOOSENINGS:
            if _value(cfg, name):
                log.warning("%s is ignored: %s reads strictly", name, cls.__name__)
        if _value(cfg, "header_map") == "dangerous":
            log.warning(
                "header_map is ignored: %s drops header names with underscores",
                cls.__name__,
            )
        try:
            _limits(cfg)
        except ValueError as error:
            raise RuntimeError(f"a limit is too small: {error}") from error

    def handle_usr1(self, sig: int, frame: FrameType | None) -> None:
        """Note that log files are to be reopened: not amid the writing of a line."""
        self._has_to_reopen_logs = True

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """INT or QUIT: the loop ends without grace. One that hangs is left by force."""
        if self._is_in_hurry:
            sys.exit(0)
        self._is_in_hurry = True
        self.alive = False
        self.cfg.worker_int(self)
        signal.signal(signal.SIGALRM, self.handle_quit)
        signal.alarm(_PATIENCE)

    def init_process(self) -> None:
        """Prepare the process, and run() in it."""
        super().init_process()
        # The arbiter repeats it to those that are slow to leave, and the end of the
        # interpreter would count as a violent death.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def run(self) -> None:
        """Serve until told to stop; called in the worker's process."""
        self._server = self._make_server()
        with asyncio.Runner(loop_factory=_loop_factory(self.cfg)) as runner:
            try:
                runner.run(self._serve())
            except SystemExit:
                # Maybe amid a request, which may hang: the others are told.
                runner.run(self._server.drain_connections(0))
                raise

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        self._is_told: asyncio.Future[None] = loop.create_future()
        server = self._server
        # Signals wake the loop by the pipe into which init_signals() has them written;
        # so does the reloader.
        loop.add_reader(self.PIPE[0], self._wake)
        # gunicorn wraps its sockets; accept() of the plain ones gives plain ones.
        listeners: list[Any] = self.sockets
        server.add_sockets([listener.sock for listener in listeners])
        beat = loop.create_task(self._beat())
        await self._is_told
        if self._is_in_hurry:
            signal.alarm(0)
        # The heart goes on: a grace may be longer than --timeout. One that has answered
        # enough leaves its place; at the end of gunicorn nobody comes after it.
        await server.drain_connections(
            self._grace(), leaves_backlog=0 < self.max_requests <= self.nr
        )
        beat.cancel()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.PIPE[0], 4096)
        self._look_round()

    async def _beat(self) -> None:
        """Tell the arbiter that we live, and look whether it does."""
        pulse = min(_PULSE, self.cfg.timeout / 4 or _PULSE)
        while True:
            # Otherwise silence: the arbiter replaces this process after --timeout. Two
            # pulses, for the look before may have come late.
            if not self._server.is_stuck(2 * pulse):
                self.notify()
            if self.alive and os.getppid() != self.ppid:
                self.log.info("Parent changed, shutting down: %s", self)
                self.alive = False
            self._look_round()
            await asyncio.sleep(pulse)

    def _look_round(self) -> None:
        """Do what signals, the reloader or a count have asked for."""
        if self._has_to_reopen_logs:
            self._has_to_reopen_logs = False
            self.log.reopen_files()
        if not self.alive and not self._is_told.done():
            self._is_told.set_result(None)

    def _grace(self) -> float:
        if self._is_in_hurry:
            return 0.0
        if self.cfg.reload:
            return _RELOAD_GRACE
        most: float = self.cfg.graceful_timeout
        return max(most - _LAST_WORDS, most / 2)

    def _make_server(self) -> HTTPServer:
        cfg = self.cfg
        options: dict[str, Any] = _limits(cfg)
        if cfg.keepalive:
            options["idle_connection_timeout"] = float(cfg.keepalive)
        if cfg.is_ssl:
            options["ssl_options"] = _tls(cfg)
        if cfg.threads > 1:
            options["threads"] = cfg.threads
        application: Any = self.wsgi
        server = _Server(
            application,
            no_keep_alive=not cfg.keepalive,
            max_connections=cfg.worker_connections or None,
            log_function=self._note_answer,
            **options,
        )
        server.proxies = _Arrivals(self)
        # Some loggers of gunicorn's count where they write nothing: that for statsd.
        self._is_logging = (
            self.log.access_log_enabled or type(self.log).access is not Logger.access
        )
        self._has_post_request = cfg.post_request is not PostRequest.default
        return server

    def note_request(self) -> None:
        """Count a request that has come; the last one closes its connection."""
        self.nr += 1
        if self.nr == self.max_requests:
            self.log.info("Autorestarting worker after current request.")
            self.alive = False
            self._server.no_keep_alive = True
            self._look_round()

    def _note_answer(self, environ: WSGIEnvironment, exchange: Exchange) -> None:
        """Called after each request."""
        if self._is_logging:
            took = timedelta(seconds=time.monotonic() - exchange.began)
            # Any: they have what its atoms take from gunicorn's own.
            request: Any = _Request(environ)
            answer: Any = _Answer(exchange)
            self.log.access(answer, request, environ, took)
        if self._has_post_request:
            self._call_post_request(environ, exchange)

    def _call_post_request(self, environ: WSGIEnvironment, exchange: Exchange) -> None:
        try:
            self.cfg.post_request(self, _Request(environ), environ, _Answer(exchange))
        except Exception:
            self.log.exception("Exception in post_request hook")


class _Server(HTTPServer):
    """What a request is told of gunicorn."""

    def environ_of(self, transport: asyncio.Transport) -> WSGIEnvironment:
        environ = super().environ_of(transport)
        # The number of workers may change while this one runs.
        environ["wsgi.multiprocess"] = True
        environ["wsgi.errors"] = _ERRORS
        return environ


class _ErrorLog(io.TextIOBase):
    """``wsgi.errors``: gunicorn's error log, wherever that goes at the moment."""

    def write(self, text: str, /) -> int:
        handlers = logging.getLogger("gunicorn.error").handlers
        streams = [one.stream for one in handlers if hasattr(one, "stream")]
        for stream in streams or [sys.stderr]:
            stream.write(text)
            stream.flush()
        return len(text)

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        """It is no request's own."""


_ERRORS: Final = _ErrorLog()


class _Request:
    """A request as gunicorn's log and hooks know it."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self.method: str = environ["REQUEST_METHOD"]
        self.uri: str = environ["RAW_URI"]
        self.path, _, self.query = self.uri.partition("?")
        self.version = (1, 1) if environ["SERVER_PROTOCOL"] == "HTTP/1.1" else (1, 0)
        self.remote_addr = (environ["REMOTE_ADDR"], environ.get("REMOTE_PORT", ""))
        self.headers: HeaderList = [
            (key.removeprefix("HTTP_").replace("_", "-"), value)
            for key, value in environ.items()
            if key.startswith(("HTTP_", "CONTENT_"))
        ]


class _Answer:
    """A response as gunicorn's log and hooks know it."""

    def __init__(self, exchange: Exchange) -> None:
        self.status = exchange.status or _LEFT
        self.headers = exchange.headers
        self.sent = exchange.sent


class _Arrivals(ProxyHeaders):
    """What gunicorn does to a request before the application sees it.

    ``--forwarded-allow-ips`` and ``secure_scheme_headers`` say the scheme and nothing
    else: the client's address is a matter of the application's ``xheaders``. The
    environment variable SCRIPT_NAME says where the application is mounted.
    """

    __slots__ = ("_call", "_headers", "_networks", "_prefix", "_worker")

    def __init__(self, worker: GunicornWorker) -> None:
        super().__init__()
        self._worker = worker
        cfg = worker.cfg
        allowed: Any = cfg.forwarded_allow_ips
        if isinstance(allowed, str):
            # gunicorn before 22
            allowed = allowed.split(",")
        self._networks = None
        if "*" not in allowed:
            self._networks = [ipaddress.ip_network(one.strip()) for one in allowed]
        self._headers = {
            "HTTP_" + name.upper().replace("-", "_"): value
            for name, value in cfg.secure_scheme_headers.items()
        }
        self._prefix = os.environ.get("SCRIPT_NAME", "").rstrip("/")
        self._call: Callable[[WSGIEnvironment], None] | None = None
        if cfg.pre_request is not PreRequest.default:
            self._call = partial(_call_pre_request, worker)

    def apply_to_environ(self, environ: WSGIEnvironment) -> None:
        """Count it, and set scheme and SCRIPT_NAME.

        :raises RequestError: if headers contradict each other about the scheme, or the
            request is for something beside the application.
        """
        self._worker.note_request()
        said = {
            environ[key] == value
            for key, value in self._headers.items()
            if key in environ
        }
        if said and self._is_proxy(environ):
            if len(said) > 1:
                raise RequestError(400, "headers differ about the scheme")
            environ["wsgi.url_scheme"] = "https" if True in said else "http"
        if self._prefix:
            self._shift_path(environ)
        if self._call is not None:
            self._call(environ)

    def _is_proxy(self, environ: WSGIEnvironment) -> bool:
        # As in gunicorn, who comes by a unix socket is trusted.
        if self._networks is None or "REMOTE_PORT" not in environ:
            return True
        address = ipaddress.ip_address(environ["REMOTE_ADDR"].partition("%")[0])
        return any(address in network for network in self._networks)

    def _shift_path(self, environ: WSGIEnvironment) -> None:
        path: str = environ["PATH_INFO"]
        rest = path.removeprefix(self._prefix)
        if rest == path or not (rest.startswith("/") or not rest):
            raise RequestError(404, f"the path is not below SCRIPT_NAME: {path!a}")
        environ["SCRIPT_NAME"] = self._prefix
        environ["PATH_INFO"] = rest


def _call_pre_request(worker: GunicornWorker, environ: WSGIEnvironment) -> None:
    try:
        worker.cfg.pre_request(worker, _Request(environ))
    except Exception as error:
        worker.log.exception("Exception in pre_request hook")
        raise RequestError(500, "the pre_request hook failed") from error


def _value(cfg: Config, name: str) -> Any:
    """A setting; None where this version of gunicorn does not know it."""
    setting = cfg.settings.get(name)
    return None if setting is None else setting.get()


def _limits(cfg: Config) -> dict[str, int]:
    """gunicorn's limits as ours; 0 is no limit, but for that of the whole head.

    :raises ValueError: if no request could keep one.
    """
    usual = Limits()
    line: int = cfg.limit_request_line
    field: int = cfg.limit_request_field_size
    # With room for one line and one field longer than usual.
    size = (
        usual.max_header_size
        + max(0, line - usual.max_request_line)
        + max(0, field - usual.max_header_line)
    )
    limits = {
        "max_header_size": size,
        "max_request_line": line or size,
        "max_header_line": field or size,
        "max_header_fields": cfg.limit_request_fields or _MOST_FIELDS,
    }
    Limits(**limits)
    return limits


def _loop_factory(cfg: Config) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if _value(cfg, "asgi_loop") != "uvloop":
        return None
    factory: Callable[[], asyncio.AbstractEventLoop]
    factory = importlib.import_module("uvloop").new_event_loop
    return factory


def _tls(cfg: Config) -> ssl.SSLContext:
    context: ssl.SSLContext = ssl_context(cfg)
    return context
