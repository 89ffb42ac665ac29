"""TLS contexts made of options, and sockets wrapped in them."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import OTHER_KEY, write_certificate
from wsgitornado.netutil import ssl_options_to_context, ssl_wrap_socket


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    return write_certificate(tmp_path)


def shake_hands(
    server_options: Any, client_options: Any, name: str | None = "localhost"
) -> tuple[str | BaseException | None, str | BaseException | None]:
    """What server and client have of each other: a protocol, or why not."""
    server_end, client_end = socket.socketpair()
    outcomes: dict[str, str | BaseException | None] = {}

    def serve() -> None:
        try:
            sock = ssl_wrap_socket(server_end, server_options, server_side=True)
        except OSError as error:
            outcomes["server"] = error
            server_end.close()
        else:
            outcomes["server"] = sock.version()
            with sock:
                sock.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with ssl_wrap_socket(client_end, client_options, name) as client:
            client.send(b"x")
            outcomes["client"] = client.version()
    except OSError as error:
        outcomes["client"] = error
    finally:
        client_end.close()
        thread.join()
    return outcomes["server"], outcomes["client"]


# Contexts


def test_context_is_returned_as_it_is() -> None:
    context = ssl.create_default_context()
    assert ssl_options_to_context(context, server_side=True) is context


def test_server_shows_its_certificate_and_asks_for_none(
    options: dict[str, str],
) -> None:
    context = ssl_options_to_context(options, server_side=True)
    assert context.protocol == ssl.PROTOCOL_TLS_SERVER
    assert context.verify_mode == ssl.CERT_NONE
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    client = {"ca_certs": options["certfile"]}
    assert shake_hands(options, client) == ("TLSv1.3", "TLSv1.3")


def test_key_may_stand_in_the_file_of_the_certificate(
    options: dict[str, str], tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_text("".join(Path(path).read_text() for path in options.values()))
    client = {"ca_certs": options["certfile"]}
    assert shake_hands({"certfile": both, "keyfile": None}, client) == (
        "TLSv1.3",
        "TLSv1.3",
    )


def test_client_refuses_a_server_that_nobody_vouches_for(
    options: dict[str, str],
) -> None:
    _, why = shake_hands(options, {})
    assert isinstance(why, ssl.SSLCertVerificationError)


def test_client_refuses_a_server_of_another_name(options: dict[str, str]) -> None:
    client = {"ca_certs": options["certfile"]}
    _, why = shake_hands(options, client, "example.com")
    assert isinstance(why, ssl.SSLCertVerificationError)
    assert "example.com" in str(why)


def test_client_may_take_every_server(options: dict[str, str]) -> None:
    client = {"cert_reqs": ssl.CERT_NONE}
    assert shake_hands(options, client, "example.com") == ("TLSv1.3", "TLSv1.3")
    assert shake_hands(options, client, None) == ("TLSv1.3", "TLSv1.3")


@pytest.mark.parametrize("shows", [False, True], ids=["without", "with"])
def test_server_may_ask_for_a_certificate(options: dict[str, str], shows: bool) -> None:
    authority = {"ca_certs": options["certfile"]}
    server = {**options, **authority, "cert_reqs": ssl.CERT_REQUIRED}
    client = {**options, **authority} if shows else authority
    seen, _ = shake_hands(server, client)
    if shows:
        assert seen == "TLSv1.3"
    else:
        assert isinstance(seen, ssl.SSLError)


def test_ciphers_are_those_that_are_named(options: dict[str, str]) -> None:
    context = ssl_options_to_context(
        {**options, "ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"}, server_side=True
    )
    older = [c["name"] for c in context.get_ciphers() if c["protocol"] != "TLSv1.3"]
    assert older == ["ECDHE-ECDSA-AES256-GCM-SHA384"]


def test_protocol_is_the_one_that_is_named(options: dict[str, str]) -> None:
    named = {**options, "ssl_version": ssl.PROTOCOL_TLS_SERVER}
    assert ssl_options_to_context(named).protocol == ssl.PROTOCOL_TLS_SERVER


def test_without_a_side_a_certificate_makes_a_server(options: dict[str, str]) -> None:
    assert ssl_options_to_context(options).protocol == ssl.PROTOCOL_TLS_SERVER
    client = ssl_options_to_context({})
    assert client.protocol == ssl.PROTOCOL_TLS_CLIENT
    assert client.verify_mode == ssl.CERT_REQUIRED
    assert client.check_hostname


# What cannot be


@pytest.mark.parametrize(
    ("wrong", "server_side", "message"),
    [
        pytest.param({"cert": "x"}, True, "unknown TLS option 'cert'", id="unknown"),
        pytest.param({}, True, "'certfile' is missing", id="none"),
        pytest.param({"certfile": None}, True, "'certfile' is missing", id="None"),
        pytest.param({"keyfile": "x"}, None, "'certfile' is missing", id="key alone"),
    ],
)
def test_wrong_options_are_named(
    wrong: dict[str, Any], server_side: bool | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ssl_options_to_context(wrong, server_side)


@pytest.mark.parametrize("wrong", [None, "cert.pem", True])
def test_what_is_no_dictionary_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"a dictionary or an ssl\.SSLContext: got"):
        ssl_options_to_context(wrong)


@pytest.mark.parametrize("name", ["certfile", "keyfile", "ca_certs"])
def test_file_that_is_not_there_is_named(options: dict[str, str], name: str) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.pem"):
        ssl_options_to_context({**options, name: "missing.pem"}, server_side=True)


def test_key_of_another_certificate_is_refused(
    options: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "keyfile.pem").write_text(OTHER_KEY)
    with pytest.raises(ssl.SSLError):
        ssl_options_to_context(options, server_side=True)
