"""Whole exchanges with real servers: the commands, kept connections, bodies, ends."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Sequence

import pytest

from tests.live.client import HOST
from tests.live.servers import (
    KEPT,
    LOOP_SERVERS,
    SCRIPTS,
    SERVERS,
    LiveServer,
    Start,
    run_command,
)

pytestmark = pytest.mark.live

PROGRAM = "answers"

HIDDEN = f"GET /hidden HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def post(target: str, body: bytes, *headers: str, length: int | None = -1) -> bytes:
    framing = f"Content-Length: {len(body) if length == -1 else length}"
    lines = [f"POST {target} HTTP/1.1", f"Host: {HOST}"]
    lines += [*([] if length is None else [framing]), *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


@pytest.mark.parametrize(
    "command",
    [
        ["waitress-serve", f"--listen={HOST}:0", "--threads=4"],
        ["gunicorn", "-b", f"{HOST}:0", "-k", "sync"],
        ["gunicorn", "-b", f"{HOST}:0", "-k", "gthread", "--threads", "4"],
        ["wsgitornado", "serve", "--port", "0"],
        ["wsgitornado", "serve", "--port", "0", "--server", "wsgiref"],
    ],
    ids=["waitress", "gunicorn sync", "gunicorn gthread", "serve", "serve wsgiref"],
)
def test_command_runs_a_module_and_its_application(command: Sequence[str]) -> None:
    script = [str(SCRIPTS / command[0]), *command[1:]]
    application = "tests.live.programs.answers:app"
    with (
        run_command("command", [*script, application]) as server,
        server.connect() as client,
    ):
        assert client.request("/", "GET", "Connection: close").body == b"Hello, world"
    assert server.process.returncode in (0, -15)
    assert server.tracebacks() == []


@pytest.mark.parametrize("server", KEPT, indirect=True)
def test_kept_connection_answers_in_order(server: LiveServer) -> None:
    targets = ["/", "/complete/status/404", "/environ/a", "/nowhere", "/"]
    with server.connect() as client:
        expected = [client.request(target).status_code for target in targets]
        client.send(b"".join(get(target) for target in targets))
        assert [client.read_answer().status_code for _ in targets] == expected
    assert expected == [200, 404, 200, 404, 200]


@pytest.mark.parametrize("server", KEPT, indirect=True)
def test_pipelined_bodies_stay_with_their_requests(server: LiveServer) -> None:
    bodies = [b"x" * size for size in (1, 0, 70_000, 3)] + [HIDDEN]
    with server.connect() as client:
        client.send(b"".join(post("/echo", body) for body in bodies))
        assert [client.read_answer().body for _ in bodies] == bodies


@pytest.mark.parametrize("server", KEPT, indirect=True)
@pytest.mark.parametrize("repeat", [1, 3000], ids=["short", "long"])
@pytest.mark.parametrize(
    ("target", "status"),
    [("/nowhere", 404), ("/careless", 200), ("/", 405), ("/own-headers", 405)],
)
def test_unread_body_is_never_taken_for_a_request(
    server: LiveServer, target: str, status: int, repeat: int
) -> None:
    start = len(server.lines)
    with server.connect() as client:
        client.send(post(target, HIDDEN * repeat) + get("/"))
        assert client.read_answer().status_code == status
        following = client.maybe_read_answer()
        assert following is None or following.body == b"Hello, world"
    with server.connect() as client:
        client.request("/environ/after")
    server.wait_for_line("/environ/after", start)
    assert not any("GET /hidden" in line for line in server.lines[start:])


# waitress takes the whole body before the program is asked.
@pytest.mark.parametrize(
    # Those that do not take a body in before they call anything.
    "server",
    [kind for kind in SERVERS if kind not in ("waitress", *LOOP_SERVERS)],
    indirect=True,
)
def test_body_that_nobody_reads_does_not_delay_the_answer(server: LiveServer) -> None:
    # Only the head is sent.
    with server.connect() as client:
        client.send(post("/nowhere", b"", length=1000))
        assert client.read_answer().status_code == 404


@pytest.mark.parametrize(
    ("length", "body"),
    [(None, b""), (0, b""), (5, b"12345")],
    ids=["no length", "length 0", "length 5"],
)
def test_input_is_not_read_beyond_its_length(
    server: LiveServer, length: int | None, body: bytes
) -> None:
    # The connection stays open: reading on would wait for ever.
    with server.connect() as client:
        client.send(post("/echo", body, length=length))
        assert client.read_answer().body == body


def test_compressed_body_is_left_alone(server: LiveServer) -> None:
    body = gzip.compress(bytes(1000))
    with server.connect() as client:
        client.send(post("/echo", body, "Content-Encoding: gzip"))
        assert client.read_answer().body == body


def test_client_that_half_closes_is_answered(server: LiveServer) -> None:
    with server.connect() as client:
        client.send(get("/")).end_input()
        assert client.read_answer().text == "Hello, world"


@pytest.mark.parametrize(
    ("method", "target"),
    list(
        itertools.product(
            ["GET", "HEAD"],
            ["/validated/hello", "/validated/flushed", "/validated/nowhere"],
        )
    ),
)
def test_validator_finds_nothing_between_server_and_program(
    server: LiveServer, method: str, target: str
) -> None:
    start = len(server.lines)
    with server.connect() as client:
        answer = client.request(target, method, "Connection: close")
    assert answer.status_code == (404 if "nowhere" in target else 200)
    with server.connect() as client:
        client.request("/environ/after")
    server.wait_for_line("/environ/after", start)
    assert server.tracebacks(start) == []
    assert not any("AssertionError" in line for line in server.lines[start:])


def test_validator_finds_nothing_about_a_body(server: LiveServer) -> None:
    with server.connect() as client:
        client.send(
            post("/validated/echo", b"12345", "Content-Type: application/octet-stream")
        )
        assert client.read_answer().body == b"12345"


@pytest.mark.parametrize(
    ("kind", "gives"),
    [
        ("waitress", {"REQUEST_URI", "file_wrapper", "input_terminated"}),
        ("development", {"file_wrapper"}),
        ("wsgiref", {"file_wrapper"}),
        ("gunicorn-sync", {"RAW_URI", "file_wrapper", "input_terminated"}),
        ("gunicorn-gthread", {"RAW_URI", "file_wrapper", "input_terminated"}),
    ],
)
def test_what_each_server_offers(
    start_server: Start, kind: str, gives: set[str]
) -> None:
    target = "/environ/%41%2Fb?q=%20"
    with start_server(kind, PROGRAM).connect() as client:
        environ = json.loads(client.request(target).body)
    offers = {"REQUEST_URI", "RAW_URI", "file_wrapper", "input_terminated"}
    assert {key for key in offers if environ.get(key)} == gives
    assert environ["PATH_INFO"] == "/environ/A/b"
    assert environ.get("RAW_URI", target) == target
    assert environ.get("REQUEST_URI", target) == target


def test_header_with_underscores_poses_as_another_only_on_stock_wsgiref(
    server: LiveServer,
) -> None:
    with server.connect() as client:
        answer = client.request("/environ", "GET", "X_Forwarded_For: 203.0.113.9")
    environ = json.loads(answer.body)
    assert ("HTTP_X_FORWARDED_FOR" in environ) == (server.kind == "wsgiref")
    assert environ["REMOTE_ADDR"] == HOST
