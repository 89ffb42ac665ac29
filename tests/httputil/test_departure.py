"""Whether a client is still there: what servers tell, and what its connection does."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from waitress.channel import ClientDisconnected, HTTPChannel

from wsgitornado.httputil.departure import (
    CLIENT_DISCONNECTED,
    departure_error,
    departure_probe,
    peer_has_left,
    waitress_channel,
)

OF_WAITRESS = "waitress.client_disconnected"
OF_GUNICORN = "gunicorn.socket"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection: the server's, the client's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    with server, client:
        yield server, client


def settle(server: socket.socket) -> None:
    """Wait until what the client did has come to the other end."""
    server.settimeout(20)
    server.recv(1, socket.MSG_PEEK)


def stay(server: socket.socket, client: socket.socket) -> None:
    pass


def send(server: socket.socket, client: socket.socket) -> None:
    client.send(b"more")
    settle(server)


def close(server: socket.socket, client: socket.socket) -> None:
    client.close()
    settle(server)


def close_its_sending_side(server: socket.socket, client: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)
    settle(server)


def reset(server: socket.socket, client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    with pytest.raises(ConnectionResetError):
        settle(server)


def be_closed_by_us(server: socket.socket, client: socket.socket) -> None:
    server.close()


ACTS = pytest.mark.parametrize(
    ("act", "has_left"),
    [
        (stay, False),
        (send, False),
        (close, True),
        (close_its_sending_side, True),
        (reset, True),
        (be_closed_by_us, True),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)


@ACTS
def test_connection_tells_whether_the_client_has_left(
    ends: Any, act: Any, has_left: bool
) -> None:
    server, client = ends
    assert not peer_has_left(server)
    act(server, client)
    assert [peer_has_left(server) for _ in range(2)] == [has_left] * 2


def test_nothing_that_came_is_lost(ends: Any) -> None:
    server, client = ends
    send(server, client)
    assert not peer_has_left(server)
    assert server.recv(10) == b"more"


def test_question_does_not_wait_on_a_blocking_connection(ends: Any) -> None:
    server, _ = ends
    server.settimeout(None)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(peer_has_left(server)))
    thread.start()
    thread.join(20)
    assert answers == [False]


# Who is asked


class Channel(HTTPChannel):
    """waitress's end of a connection, as far as we look at it."""

    def __init__(self, connection: socket.socket, knows: bool = False) -> None:
        self.socket = connection
        self.connected = not knows
        adjustments = SimpleNamespace(channel_request_lookahead=int(knows))
        self.adj = adjustments  # type: ignore[assignment]  # a stand-in


@ACTS
@pytest.mark.parametrize("kind", ["waitress", "gunicorn"])
def test_servers_connection_is_looked_at(
    ends: Any, kind: str, act: Any, has_left: bool
) -> None:
    server, client = ends
    if kind == "waitress":
        environ = {OF_WAITRESS: Channel(server).check_client_disconnected}
    else:
        environ = {OF_GUNICORN: server}
    probe = departure_probe(environ)
    assert probe is not None
    assert not probe()
    act(server, client)
    assert probe() == has_left


def test_waitress_may_know_before_us(ends: Any) -> None:
    channel = Channel(ends[0], knows=True)
    environ = {OF_WAITRESS: channel.check_client_disconnected}
    probe = departure_probe(environ)
    assert probe is not None
    assert probe()
    assert waitress_channel(environ) is channel


def test_what_a_server_of_ours_offers_comes_first(ends: Any) -> None:
    def probe() -> bool:
        return True

    environ = {CLIENT_DISCONNECTED: probe, OF_GUNICORN: ends[0], OF_WAITRESS: print}
    assert departure_probe(environ) is probe


def test_what_middleware_puts_in_waitresss_place_is_asked() -> None:
    def probe() -> bool:
        return True

    assert departure_probe({OF_WAITRESS: probe}) is probe
    assert waitress_channel({OF_WAITRESS: probe}) is None


def test_tls_cannot_be_looked_at(ends: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with context.wrap_socket(ends[1], do_handshake_on_connect=False) as wrapped:
        assert departure_probe({OF_GUNICORN: wrapped}) is None


def test_other_servers_cannot_be_asked() -> None:
    assert departure_probe({}) is None
    assert waitress_channel({}) is None


def test_departure_is_told_as_the_server_knows_it() -> None:
    error = departure_error({OF_WAITRESS: print})
    assert isinstance(error, ClientDisconnected)
    assert isinstance(departure_error({}), ConnectionResetError)
