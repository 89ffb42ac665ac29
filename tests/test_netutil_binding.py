"""Sockets that listen: on ports of IPv4 and IPv6, and on files."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tornado.netutil
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado import netutil
from wsgitornado.netutil import bind_sockets, bind_unix_socket, is_valid_ip


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[socket.socket]]:
    """All sockets that are made during the test; they are closed after it."""
    sockets: list[socket.socket] = []

    class Remembered(socket.socket):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            sockets.append(self)

    monkeypatch.setattr(socket, "socket", Remembered)
    yield sockets
    for sock in sockets:
        sock.close()


def ports(sockets: list[socket.socket]) -> set[int]:
    return {sock.getsockname()[1] for sock in sockets}


def option(sock: socket.socket, name: int, level: int = socket.SOL_SOCKET) -> int:
    value = sock.getsockopt(level, name)
    assert isinstance(value, int)
    return value


def v6only(sock: socket.socket) -> int:
    return option(sock, socket.IPV6_V6ONLY, socket.IPPROTO_IPV6)


def connect(sock: socket.socket) -> None:
    with socket.socket(sock.family) as client:
        client.connect(sock.getsockname())


# Ports


@needs_ipv6
@pytest.mark.parametrize("address", [None, ""], ids=["none", "empty"])
def test_free_port_is_the_same_for_ipv4_and_ipv6(
    opened: list[socket.socket], address: str | None
) -> None:
    sockets = bind_sockets(0, address)
    assert sorted(sock.getsockname()[0] for sock in sockets) == ["0.0.0.0", "::"]
    assert len(ports(sockets)) == 1
    assert ports(sockets) != {0}
    assert [v6only(s) for s in sockets if s.family == socket.AF_INET6] == [1]


@needs_ipv6
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_family_is_the_only_one(
    opened: list[socket.socket], family: socket.AddressFamily
) -> None:
    assert [sock.family for sock in bind_sockets(0, family=family)] == [family]


def test_sockets_listen_without_blocking_and_are_not_inherited(
    opened: list[socket.socket],
) -> None:
    (sock,) = bind_sockets(0, "127.0.0.1")
    assert option(sock, socket.SO_ACCEPTCONN) == 1
    assert not sock.getblocking()
    assert not sock.get_inheritable()
    # A server that was just stopped may be started again.
    assert option(sock, socket.SO_REUSEADDR) == 1
    connect(sock)


def test_backlog_holds_so_many_connections(opened: list[socket.socket]) -> None:
    (sock,) = bind_sockets(0, "127.0.0.1", backlog=200)
    for _ in range(200):
        connect(sock)


@pytest.mark.parametrize("is_asked_for", [False, True], ids=["not asked for", "asked"])
def test_port_is_shared_between_processes_only_if_asked_for(
    opened: list[socket.socket], is_asked_for: bool
) -> None:
    first = bind_sockets(0, "127.0.0.1", reuse_port=is_asked_for)
    (port,) = ports(first)
    if is_asked_for:
        assert ports(bind_sockets(port, "127.0.0.1", reuse_port=True)) == {port}
    else:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}") as info:
            bind_sockets(port, "127.0.0.1")
        assert info.value.errno == errno.EADDRINUSE


def test_shared_port_is_refused_where_the_system_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT")
    with pytest.raises(ValueError, match="SO_REUSEPORT"):
        bind_sockets(0, reuse_port=True)


def test_nothing_stays_open_when_a_port_is_taken(opened: list[socket.socket]) -> None:
    taken = bind_sockets(0, family=socket.AF_INET)
    opened.clear()
    with pytest.raises(OSError, match="cannot listen on"):
        bind_sockets(ports(taken).pop())
    assert opened
    assert {sock.fileno() for sock in opened} == {-1}
    taken[0].close()


@needs_ipv6
def test_message_names_an_ipv6_address_in_brackets(opened: list[socket.socket]) -> None:
    (port,) = ports(bind_sockets(0, "::1"))
    with pytest.raises(OSError, match=rf"cannot listen on \[::1\]:{port}"):
        bind_sockets(port, "::1")


class OnlyAfter(socket.socket):
    """A socket for a system on which IPv6 is taken, or missing, so many times."""

    error = errno.EADDRINUSE
    times = 0

    def bind(self, address: Any) -> None:
        kind = type(self)
        if self.family == socket.AF_INET6 and kind.times:
            kind.times -= 1
            raise OSError(kind.error, os.strerror(kind.error))
        super().bind(address)


@needs_ipv6
@pytest.mark.parametrize("times", [1, netutil.FREE_PORT_TRIES - 1])
def test_port_that_is_free_for_ipv4_only_is_given_up_for_another(
    monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr(socket, "socket", OnlyAfter)
    monkeypatch.setattr(OnlyAfter, "times", times)
    sockets = bind_sockets(0)
    assert len(sockets) == 2
    assert len(ports(sockets)) == 1
    for sock in sockets:
        sock.close()


@needs_ipv6
def test_free_port_is_not_looked_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "socket", OnlyAfter)
    monkeypatch.setattr(OnlyAfter, "times", netutil.FREE_PORT_TRIES)
    with pytest.raises(OSError, match="cannot listen on") as info:
        bind_sockets(0)
    assert info.value.errno == errno.EADDRINUSE
    assert OnlyAfter.times == 0


@needs_ipv6
def test_address_that_the_machine_does_not_have_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in many containers: IPv6 is compiled in, but there is no address."""
    monkeypatch.setattr(socket, "socket", OnlyAfter)
    monkeypatch.setattr(OnlyAfter, "error", errno.EADDRNOTAVAIL)
    monkeypatch.setattr(OnlyAfter, "times", 1)
    (sock,) = bind_sockets(0)
    assert sock.family == socket.AF_INET
    sock.close()


def test_family_that_the_system_does_not_have_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class WithoutIPv6(socket.socket):
        def __init__(self, family: int = socket.AF_INET, *args: Any, **kw: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
            super().__init__(family, *args, **kw)

    monkeypatch.setattr(socket, "socket", WithoutIPv6)
    (sock,) = bind_sockets(0)
    assert sock.family == socket.AF_INET
    sock.close()
    with pytest.raises(OSError, match="not supported") as info:
        bind_sockets(0, "::1")
    assert info.value.errno == errno.EAFNOSUPPORT


def test_python_without_ipv6_asks_for_ipv4_only(
    monkeypatch: pytest.MonkeyPatch, opened: list[socket.socket]
) -> None:
    monkeypatch.setattr(socket, "has_ipv6", False)
    assert [sock.family for sock in bind_sockets(0)] == [socket.AF_INET]


def test_address_of_another_machine_is_refused(opened: list[socket.socket]) -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:0") as info:
        bind_sockets(0, "192.0.2.1")
    assert info.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize(
    ("port", "address", "flags"),
    [
        pytest.param(0, "not an address", socket.AI_NUMERICHOST, id="name"),
        pytest.param("no-such-service", "127.0.0.1", None, id="service"),
    ],
)
def test_name_that_nobody_knows_is_told(
    port: int | str, address: str, flags: int | None
) -> None:
    with pytest.raises(socket.gaierror) as info:
        bind_sockets(port, address, flags=flags)
    assert f"cannot listen on {address!r}, port {port!r}" in str(info.value)


@pytest.mark.parametrize("port", [-1, 65536, "65536"])
def test_number_that_is_no_port_is_refused(port: int | str) -> None:
    with pytest.raises(ValueError, match="from 0 to 65535"):
        bind_sockets(port)


def test_largest_port_and_a_port_in_a_string_are_taken(
    opened: list[socket.socket],
) -> None:
    assert netutil._checked_port(65535) == 65535
    assert 0 not in ports(bind_sockets("0", "127.0.0.1"))


def test_address_that_is_found_twice_is_listened_on_once(
    monkeypatch: pytest.MonkeyPatch, opened: list[socket.socket]
) -> None:
    ask = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args: ask(*args) * 2)
    assert len(bind_sockets(0, "127.0.0.1")) == 1


# Files


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("as_path", [False, True], ids=["string", "path"])
def test_unix_socket_listens_without_blocking_and_for_its_owner(
    tmp_path: Path, as_path: bool
) -> None:
    path = tmp_path / "socket"
    with bind_unix_socket(path if as_path else str(path)) as sock:
        assert not sock.getblocking()
        assert not sock.get_inheritable()
        assert permissions(path) == 0o600
        connect(sock)


def test_unix_socket_has_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with bind_unix_socket(path, mode=0o666):
        assert permissions(path) == 0o666


def test_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    bind_unix_socket(path).close()
    before = path.stat().st_ino, path.stat().st_ctime_ns
    with bind_unix_socket(path) as sock:
        assert (path.stat().st_ino, path.stat().st_ctime_ns) != before
        connect(sock)


@pytest.mark.parametrize("is_full", [False, True], ids=["free", "full"])
def test_socket_that_somebody_listens_on_is_left_alone(
    tmp_path: Path, is_full: bool
) -> None:
    path = tmp_path / "socket"
    with bind_unix_socket(path, backlog=1) as sock:
        clients: list[socket.socket] = []
        while is_full and not clients[2:]:
            clients.append(socket.socket(socket.AF_UNIX))
            clients[-1].setblocking(False)
            clients[-1].connect_ex(str(path))
        with pytest.raises(OSError, match="another server listens on") as info:
            bind_unix_socket(path)
        assert info.value.errno == errno.EADDRINUSE
        while is_full and clients:
            clients.pop().close()
        sock.setblocking(True)
        sock.accept()[0].close()


def make_file(path: Path) -> None:
    path.write_text("precious")


def make_folder(path: Path) -> None:
    path.mkdir()


def make_link(path: Path) -> None:
    bind_unix_socket(path.with_name("other")).close()
    path.symlink_to(path.with_name("other"))


@pytest.mark.parametrize("make", [make_file, make_folder, make_link])
def test_what_is_no_socket_is_left_alone(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "thing"
    make(path)
    with pytest.raises(ValueError, match="thing exists and is not a socket"):
        bind_unix_socket(path)
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("missing/socket", FileNotFoundError, id="no folder"),
        pytest.param("x" * 200, OSError, id="too long"),
    ],
)
def test_path_that_cannot_be_is_named(
    tmp_path: Path, opened: list[socket.socket], name: str, kind: type[OSError]
) -> None:
    with pytest.raises(kind, match=name):
        bind_unix_socket(tmp_path / name)
    assert {sock.fileno() for sock in opened} == {-1}


def test_unix_socket_needs_a_path() -> None:
    with pytest.raises(ValueError, match="takes the path of a file"):
        bind_unix_socket("")


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="this machine is no Linux")
def test_abstract_name_is_no_file() -> None:
    name = f"\0wsgitornado-{os.getpid()}"
    with bind_unix_socket(name) as sock:
        assert sock.getsockname() == name.encode()
        connect(sock)


# Addresses


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "4.4.4.4", "::1", "2620:0:1cfe:face:b00c::3", "::ffff:192.0.2.1"],
)
def test_addresses_are_known(text: str) -> None:
    assert is_valid_ip(text)
    assert tornado.netutil.is_valid_ip(text)


@pytest.mark.parametrize(
    "text",
    [
        *("www.example.com", "localhost", "4.4.4.4<", " 127.0.0.1", "127.0.0.1\n"),
        *("", " ", "\n", "\0", "\x7f", "[::1]", "256.1.1.1", "1.2.3.4:80", "\ud800"),
        pytest.param("\u0661.1.1.1", id="digits of another script"),
        pytest.param("1" * 100_000, id="long"),
    ],
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert not is_valid_ip(text)
    assert not tornado.netutil.is_valid_ip(text)


@pytest.mark.parametrize("text", ["1", "127.1", "0x7f.1", "010.0.0.1"])
def test_other_ways_to_write_an_address_are_not_taken(text: str) -> None:
    assert not is_valid_ip(text)
    assert tornado.netutil.is_valid_ip(text)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "fe80::1%<script>"])
def test_address_with_a_zone_is_not_taken(text: str) -> None:
    assert not is_valid_ip(text)


@pytest.mark.parametrize("value", [None, 5, b"\x7f\0\0\1"])
def test_what_is_no_text_is_no_address(value: Any) -> None:
    assert not is_valid_ip(value)


@given(st.ip_addresses())
def test_every_address_is_known(address: object) -> None:
    assert is_valid_ip(str(address))


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    assert is_valid_ip(text) in (True, False)
