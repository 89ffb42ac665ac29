"""Sockets: those that listen, what they accept, TLS contexts, names of hosts."""

from __future__ import annotations

import abc
import asyncio
import concurrent.futures
import contextlib
import errno
import ipaddress
import os
import socket
import ssl
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, ClassVar, Final, Protocol, TypeAlias, cast

from wsgitornado.concurrent import dummy_executor
from wsgitornado.ioloop import IOLoop
from wsgitornado.log import app_log, gen_log
from wsgitornado.util import Configurable

__all__ = [
    "Acceptor",
    "BlockingResolver",
    "DefaultExecutorResolver",
    "DefaultLoopResolver",
    "ExecutorResolver",
    "OverrideResolver",
    "Resolver",
    "ThreadedResolver",
    "add_accept_handler",
    "bind_sockets",
    "bind_unix_socket",
    "is_valid_ip",
    "ssl_options_to_context",
    "ssl_wrap_socket",
]

#: Connections that the system holds until they are accepted: several thousand clients
#: that come at once must not wait for their second SYN. The system may allow fewer.
DEFAULT_BACKLOG: Final = 1024

#: How often another free port is taken because the first was free for IPv4 only.
FREE_PORT_TRIES: Final = 10

#: Connections accepted in one turn of the loop: others have theirs between.
ACCEPTS_A_TURN: Final = 100

#: Seconds without accepting, when there is no descriptor for a connection.
PAUSE: Final = 1.0

_OnConnection: TypeAlias = Callable[[socket.socket, Any], object]
_SocketAddress: TypeAlias = tuple[Any, ...]


# Listening


def bind_sockets(
    port: int | str,
    address: str | None = None,
    family: int = socket.AF_UNSPEC,
    backlog: int = DEFAULT_BACKLOG,
    flags: int | None = None,
    reuse_port: bool = False,
) -> list[socket.socket]:
    """Listen on a port, and return a socket for each address that the host has.

    The sockets do not block, and programs that are started do not inherit them. An
    address that the machine does not have is left out if there is another.

    :param port: 0 is a free one, the same for all sockets.
    :param address: an IP address, or a name, which may have several. None and the empty
        string are all addresses, of IPv4 and IPv6.
    :param family: ``socket.AF_INET`` or ``socket.AF_INET6``, for only one of them.
    :param flags: for :func:`socket.getaddrinfo`, ``AI_PASSIVE`` if None.
    :param reuse_port: let several processes listen on the port; the system chooses
        which of them gets a connection.
    :raises OSError: if the port is taken or may not be used; ``socket.gaierror`` if the
        name is unknown.
    :raises ValueError: if the port is none, or ``reuse_port`` is not to be had.
    """
    if reuse_port and not hasattr(socket, "SO_REUSEPORT"):
        raise ValueError("the platform doesn't support SO_REUSEPORT")
    port = _checked_port(port)
    addresses = _addresses_of(address or None, port, family, flags)
    for _ in range(FREE_PORT_TRIES - 1):
        try:
            return _listen_on_all(addresses, backlog, reuse_port)
        except OSError as error:
            if port != 0 or error.errno != errno.EADDRINUSE:
                raise
    return _listen_on_all(addresses, backlog, reuse_port)


def _checked_port(port: int | str) -> int | str:
    """The port; names of services are for getaddrinfo, which takes 99999 for 34463."""
    if isinstance(port, str) and not port.isdecimal():
        return port
    number = int(port)
    if not 0 <= number <= 65535:
        raise ValueError(f"a port is a number from 0 to 65535: got {port!r}")
    return number


def _addresses_of(
    host: str | None, port: int | str, family: int, flags: int | None
) -> list[tuple[int, _SocketAddress]]:
    if family == socket.AF_UNSPEC and not socket.has_ipv6:
        family = socket.AF_INET
    if flags is None:
        flags = socket.AI_PASSIVE
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, flags)
    except socket.gaierror as error:
        raise socket.gaierror(
            error.errno, f"{error.strerror}: cannot listen on {host!r}, port {port!r}"
        ) from None
    # Some systems say the same twice.
    return list(dict.fromkeys((each[0], each[4]) for each in found))


def _listen_on_all(
    addresses: list[tuple[int, _SocketAddress]], backlog: int, reuse_port: bool
) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    with contextlib.ExitStack() as on_failure:
        for family, address in addresses:
            if sockets and address[1] == 0:
                port = sockets[0].getsockname()[1]
                address = (address[0], port, *address[2:])  # noqa: PLW2901
            try:
                sock = _listen_on(family, address, backlog, reuse_port)
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                missing = error
            else:
                on_failure.callback(sock.close)
                sockets.append(sock)
        if missing is not None and not sockets:
            raise missing
        on_failure.pop_all()
    return sockets


def _listen_on(
    family: int, address: _SocketAddress, backlog: int, reuse_port: bool
) -> socket.socket:
    with _closed_on_error(family) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            # IPv4 has a socket of its own.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            sock.bind(address)
            sock.listen(backlog)
        except OSError as error:
            host = f"[{address[0]}]" if family == socket.AF_INET6 else address[0]
            raise OSError(
                error.errno, f"{error.strerror}: cannot listen on {host}:{address[1]}"
            ) from None
    return sock


@contextlib.contextmanager
def _closed_on_error(family: int) -> Iterator[socket.socket]:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        yield sock
    except BaseException:
        sock.close()
        raise


def bind_unix_socket(
    file: str | os.PathLike[str], mode: int = 0o600, backlog: int = DEFAULT_BACKLOG
) -> socket.socket:
    r"""Listen on a unix socket, and return it.

    A socket that nobody listens on any more, left there by a process that was killed,
    is removed first. The caller removes this one when it has served.

    :param file: the path; on Linux a name that begins with ``\0`` is none, but one of
        the abstract namespace.
    :param mode: who may connect: the permissions of the file.
    :raises ValueError: if the path is empty, or of something that is no socket.
    :raises OSError: with ``EADDRINUSE`` if somebody listens on it; if the file
        cannot be made there.
    """
    path = os.fspath(file)
    if not path:
        raise ValueError("bind_unix_socket() takes the path of a file: got none")
    is_file = not path.startswith("\0")
    if is_file:
        _remove_stale_socket(path)
    with _closed_on_error(socket.AF_UNIX) as sock:
        try:
            sock.bind(path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise OSError(error.errno, f"{reason}: cannot listen on {path!r}") from None
        if is_file:
            # Nobody can connect before listen().
            os.chmod(path, mode)
        sock.listen(backlog)
    return sock


def _remove_stale_socket(path: str) -> None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ValueError(f"File {path} exists and is not a socket")
    if _is_listened_on(path):
        raise OSError(
            errno.EADDRINUSE,
            f"{os.strerror(errno.EADDRINUSE)}: another server listens on {path!r}",
        )
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _is_listened_on(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        # EAGAIN: so many wait to be accepted that no further one may.
        return client.connect_ex(path) in (0, errno.EAGAIN)


# Accepting


#: No descriptor, or no memory, for a connection. Asking again at once would find the
#: same: the connection stays where it is.
_SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

#: The connection was lost before it was accepted; Linux tells of some that were lost on
#: their way in the same place (its manual page of accept, "Error handling").
_LOSSES: Final = frozenset(
    {
        errno.ECONNABORTED,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOPROTOOPT,
        errno.EPERM,
        errno.EPROTO,
    }
)


class _Timer(Protocol):
    def cancel(self) -> object: ...


class _Acceptor(abc.ABC):
    """Accepts connections whenever some loop says that there are any."""

    def __init__(self, sock: socket.socket, on_connection: _OnConnection) -> None:
        self._sock = sock
        self._on_connection = on_connection
        self._is_started = False
        self._timer: _Timer | None = None
        #: Whether the log has been told why nothing is accepted.
        self._is_failing = False

    @abc.abstractmethod
    def _watch(self) -> None:
        """Have :meth:`_accept` called when a connection waits."""

    @abc.abstractmethod
    def _unwatch(self) -> None: ...

    @abc.abstractmethod
    def _call_later(self, seconds: float, callback: Callable[[], None]) -> _Timer: ...

    def start(self) -> None:
        """Begin to accept, or go on after :meth:`pause` or :meth:`stop`."""
        if self._is_started and self._timer is None:
            return
        self._cancel_timer()
        self._sock.setblocking(False)
        self._watch()
        self._is_started = True

    def pause(self, seconds: float) -> None:
        """Accept nothing for so long; a later call takes the place of an earlier one.

        Clients wait in the backlog. Nothing happens if it was not started.
        """
        if not self._is_started:
            return
        if self._timer is None:
            self._unwatch()
        self._cancel_timer()
        self._timer = self._call_later(seconds, self._resume)

    def stop(self) -> None:
        """Accept no more, also in the midst of a turn. The socket stays open."""
        if not self._is_started:
            return
        self._is_started = False
        if self._timer is None:
            self._unwatch()
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _resume(self) -> None:
        if self._sock.fileno() >= 0:
            self.start()
        else:
            # It was closed meanwhile.
            self.stop()

    def _accept(self) -> None:
        for _ in range(ACCEPTS_A_TURN):
            if not self._is_started or self._timer is not None:
                return
            try:
                connection, address = self._sock.accept()
            except BlockingIOError:
                # None waits, or another process that shares the socket was faster.
                break
            except OSError as error:
                if error.errno in _LOSSES:
                    continue
                self._fail(error)
                return
            connection.setblocking(False)
            self._hand_over(connection, address)
        # Only now: one descriptor that comes free for a moment is no end of the
        # shortage.
        self._is_failing = False

    def _hand_over(self, connection: socket.socket, address: Any) -> None:
        try:
            self._on_connection(connection, address)
        except Exception:
            connection.close()
            app_log.error(
                "Exception in callback %r for a connection from %r",
                self._on_connection,
                address,
                exc_info=True,
            )

    def _fail(self, error: OSError) -> None:
        """Leave it for a while: the loop would call again at once, and without end."""
        if self._sock.fileno() < 0:
            # Closed in another thread, perhaps after stop().
            self.stop()
            return
        self.pause(PAUSE)
        if self._is_failing:
            return
        self._is_failing = True
        advice = ""
        if error.errno in _SHORTAGES:
            advice = "; raise the limit of open files (ulimit -n), or serve fewer"
        gen_log.error(
            "Cannot accept connections on %s: %s. Trying again each second%s",
            self._sock.getsockname(),
            error,
            advice,
        )


class Acceptor(_Acceptor):
    """Accepts the connections of a listening socket on an asyncio loop.

    asyncio's own ``create_server`` writes thousands of log records when descriptors run
    out, uvloop's none. This one rests for a second at a time, and logs one line until
    it has caught up again. It accepts at most 100 connections a turn.

    Everything is called on the thread of the loop, or before the loop runs.

    :param sock: a listening socket; it is made non-blocking.
    :param on_connection: called with each connection, a non-blocking socket, and the
        address of the client. If it raises, that is logged, and the connection closed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        on_connection: Callable[[socket.socket, Any], object],
    ) -> None:
        super().__init__(sock, on_connection)
        self._loop = loop

    def _watch(self) -> None:
        self._loop.add_reader(self._sock, self._accept)

    def _unwatch(self) -> None:
        if not self._loop.is_closed():
            # uvloop: it cannot find a socket that was closed.
            with contextlib.suppress(ValueError):
                self._loop.remove_reader(self._sock)

    def _call_later(self, seconds: float, callback: Callable[[], None]) -> _Timer:
        return self._loop.call_later(seconds, callback)


class _HandlerAcceptor(_Acceptor):
    """The same by an IOLoop, which need not run yet."""

    def __init__(self, sock: socket.socket, callback: _OnConnection) -> None:
        super().__init__(sock, self._pass_blocking)
        self._ioloop = IOLoop.current()
        self._callback = callback

    def _pass_blocking(self, connection: socket.socket, address: Any) -> None:
        connection.setblocking(True)
        self._callback(connection, address)

    def _watch(self) -> None:
        self._ioloop.add_handler(
            self._sock, lambda sock, events: self._accept(), IOLoop.READ
        )

    def _unwatch(self) -> None:
        self._ioloop.remove_handler(self._sock)

    def _call_later(self, seconds: float, callback: Callable[[], None]) -> _Timer:
        return cast("_Timer", self._ioloop.call_later(seconds, callback))


def add_accept_handler(
    sock: socket.socket, callback: Callable[[socket.socket, Any], None]
) -> Callable[[], None]:
    """Accept the connections of a listening socket on ``IOLoop.current()``.

    Returns a function that ends it. See :class:`Acceptor` for what happens when
    descriptors run out.

    :param callback: called with each connection, a blocking socket as in Tornado, and
        the address of the client.
    :raises ValueError: if the loop accepts the connections of this socket already.
    """
    acceptor = _HandlerAcceptor(sock, callback)
    acceptor.start()
    return acceptor.stop


def is_valid_ip(ip: str) -> bool:
    """Whether a text is an IP address, of version 4 or 6.

    >>> is_valid_ip("192.0.2.1"), is_valid_ip("::1"), is_valid_ip("localhost")
    (True, True, False)

    Only the usual notation, without a zone: ``127.1`` and ``010.0.0.1``, which the C
    library takes for addresses, are none here, and neither is ``fe80::1%eth0``, which
    means something on one machine only.
    """
    try:
        # As a string, for whole numbers and bytes are taken as well.
        ipaddress.ip_address(str(ip))
    except ValueError:
        return False
    return "%" not in ip


# TLS


_TLS_OPTIONS: Final = (
    "ca_certs",
    "cert_reqs",
    "certfile",
    "ciphers",
    "keyfile",
    "ssl_version",
)


def ssl_options_to_context(
    ssl_options: Mapping[str, Any] | ssl.SSLContext, server_side: bool | None = None
) -> ssl.SSLContext:
    """Make an ``SSLContext`` of the options in a dictionary.

    A context is returned as it is. The options are ``certfile`` and ``keyfile``,
    ``ca_certs``, ``cert_reqs``, ``ciphers`` and ``ssl_version``: once the arguments of
    ``ssl.wrap_socket``. Without ``ssl_version`` it is TLS 1.2 or later. A server asks
    for no certificate of its client unless ``cert_reqs`` says so; a client checks that
    of the server, against the system's authorities or ``ca_certs``.

    :param server_side: whose context it is. None is that of a server if there is a
        ``certfile``, and otherwise of a client.
    :raises ValueError: if an option is unknown, or a server has no ``certfile``.
    :raises OSError: if a file cannot be read; ``ssl.SSLError`` if it holds no
        certificate or key, or none that belong together.
    """
    if isinstance(ssl_options, ssl.SSLContext):
        return ssl_options
    if not isinstance(ssl_options, Mapping):
        raise TypeError(
            f"TLS options are a dictionary or an ssl.SSLContext: got {ssl_options!r}"
        )
    unknown = [name for name in ssl_options if name not in _TLS_OPTIONS]
    if unknown:
        raise ValueError(
            f"unknown TLS option {unknown[0]!r}: there are {', '.join(_TLS_OPTIONS)}; "
            "for all else, pass an ssl.SSLContext"
        )
    options = {name: it for name, it in ssl_options.items() if it is not None}
    if server_side is None:
        server_side = "certfile" in options
    if "certfile" not in options and (server_side or "keyfile" in options):
        raise ValueError("the TLS option 'certfile' is missing")
    return _context_of(options, server_side)


def _context_of(options: Mapping[str, Any], is_server: bool) -> ssl.SSLContext:
    for name in {"certfile", "keyfile", "ca_certs"} & options.keys():
        # The ssl module would not say which file there is not.
        with open(options[name], "rb"):
            pass
    version = ssl.PROTOCOL_TLS_SERVER if is_server else ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(options.get("ssl_version", version))
    if "certfile" in options:
        context.load_cert_chain(options["certfile"], options.get("keyfile"))
    if "cert_reqs" in options:
        if options["cert_reqs"] == ssl.CERT_NONE:
            # Names are compared in certificates that were checked.
            context.check_hostname = False
        context.verify_mode = options["cert_reqs"]
    if "ca_certs" in options:
        context.load_verify_locations(options["ca_certs"])
    elif not is_server:
        context.load_default_certs()
    if "ciphers" in options:
        context.set_ciphers(options["ciphers"])
    return context


def ssl_wrap_socket(
    socket: socket.socket,
    ssl_options: Mapping[str, Any] | ssl.SSLContext,
    server_hostname: str | None = None,
    server_side: bool | None = None,
    **kwargs: Any,
) -> ssl.SSLSocket:
    """Put TLS on a socket, with the options of :func:`ssl_options_to_context`.

    :param server_hostname: the name that the server's certificate must have.
    :param server_side: whether this is the server's end; None is the client's.
    :param kwargs: for :meth:`ssl.SSLContext.wrap_socket`.
    """
    is_server = bool(server_side)
    context = ssl_options_to_context(ssl_options, is_server)
    return context.wrap_socket(
        socket, server_hostname=server_hostname, server_side=is_server, **kwargs
    )


# Names of hosts


_Resolved: TypeAlias = list[tuple[int, Any]]


class Resolver(Configurable):
    """Finds the addresses of a host.

    ``Resolver()`` gives a :class:`DefaultLoopResolver`, unless ``Resolver.configure``
    has chosen another for the whole program.
    """

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return Resolver

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        return DefaultLoopResolver

    def resolve(
        self, host: str, port: int, family: int = socket.AF_UNSPEC
    ) -> Awaitable[list[tuple[int, Any]]]:
        """To be awaited for a list of (family, address), the address for ``connect``.

        :raises OSError: if the name is unknown.
        """
        raise NotImplementedError(f"{type(self).__name__} must define resolve()")

    def close(self) -> None:
        """Give up what the resolver holds, such as threads. It may be called always."""


class DefaultLoopResolver(Resolver):
    """Asks ``getaddrinfo`` of the asyncio loop, which asks the system in a thread."""

    async def resolve(
        self, host: str, port: int, family: int = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        loop = asyncio.get_running_loop()
        kind = socket.SOCK_STREAM
        found = await loop.getaddrinfo(host, port, family=family, type=kind)
        return [(each[0], each[4]) for each in found]


class DefaultExecutorResolver(DefaultLoopResolver):
    """The same: asyncio does it in the loop's executor."""


class ExecutorResolver(Resolver):
    """Asks the system in an executor.

    :param executor: None is one that blocks the loop meanwhile, as in Tornado.
    :param close_executor: whether ``close()`` shuts it down.
    """

    def _take(
        self,
        executor: concurrent.futures.Executor | None = None,
        close_executor: bool = True,
    ) -> None:
        self.executor = executor if executor is not None else dummy_executor
        self.close_executor = close_executor and executor is not None

    initialize: Callable[..., None] = _take

    async def resolve(
        self, host: str, port: int, family: int = socket.AF_UNSPEC
    ) -> list[tuple[int, Any]]:
        return await asyncio.wrap_future(
            self.executor.submit(_resolve, host, port, family)
        )

    def close(self) -> None:
        if self.close_executor:
            self.executor.shutdown()


class BlockingResolver(ExecutorResolver):
    """Asks the system while the loop stands still: an old name, for tests at most."""


class ThreadedResolver(ExecutorResolver):
    """Asks the system in threads that all resolvers of this class share.

    :param num_threads: how many; the first resolver of a process decides.
    """

    _threads: ClassVar[concurrent.futures.ThreadPoolExecutor | None] = None
    _pid: ClassVar[int | None] = None

    def _share(self, num_threads: int = 10) -> None:
        if ThreadedResolver._pid != os.getpid():
            # Threads do not survive a fork.
            ThreadedResolver._pid = os.getpid()
            ThreadedResolver._threads = concurrent.futures.ThreadPoolExecutor(
                num_threads, thread_name_prefix="resolver"
            )
        self._take(ThreadedResolver._threads, close_executor=False)

    initialize = _share


class OverrideResolver(Resolver):
    """Takes some hosts for others, and asks another resolver for them.

    :param mapping: from ``(host, port, family)``, ``(host, port)`` or ``host``, looked
        up in this order, to ``(host, port)`` or, for a mere host, a host.
    """

    def _override(self, resolver: Resolver, mapping: Mapping[Any, Any]) -> None:
        self.resolver = resolver
        self.mapping = mapping

    initialize = _override

    def resolve(
        self, host: str, port: int, family: int = socket.AF_UNSPEC
    ) -> Awaitable[list[tuple[int, Any]]]:
        for key in ((host, port, family), (host, port)):
            if key in self.mapping:
                host, port = self.mapping[key]
                return self.resolver.resolve(host, port, family)
        return self.resolver.resolve(self.mapping.get(host, host), port, family)

    def close(self) -> None:
        self.resolver.close()


def _resolve(host: str, port: int, family: int) -> _Resolved:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [(each[0], each[4]) for each in found]
