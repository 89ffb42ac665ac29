"""Handlers that wait, on every server: the same answers, woken and left."""

from __future__ import annotations

import contextlib
import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h11
import pytest

from tests.live.client import HOST, Client, Wire
from tests.live.programs import waiting as program
from tests.live.servers import (
    ALL_SERVERS,
    ON_THE_LOOP,
    LiveServer,
    Start,
    command_for,
    run_command,
)
from wsgitornado.testing import ExpectLog

pytestmark = pytest.mark.live

PROGRAM = "waiting"

#: Those that answer a request while another one waits.
CONCURRENT = [
    kind
    for kind in ALL_SERVERS
    if kind not in ("wsgiref", "gunicorn-sync", "uwsgi")  # one thread each
]

#: Those that notice that a client leaves without sending anything to it.
NOTICING = [kind for kind in CONCURRENT if kind != "uwsgi-threads"]

on_every_server = pytest.mark.parametrize("server", list(ALL_SERVERS), indirect=True)
on_concurrent_servers = pytest.mark.parametrize("server", CONCURRENT, indirect=True)
on_noticing_servers = pytest.mark.parametrize("server", NOTICING, indirect=True)


@pytest.fixture
def channel() -> str:
    """The name of a channel that nobody else uses."""
    return uuid.uuid4().hex


@dataclass
class Seen:
    """What a client gets to see of an answer, on whatever server."""

    status_code: int
    content_type: str | None
    text: str


#: Sends a request; one that has a body is a POST of a form or of plain data.
Ask = Callable[..., Seen]


@pytest.fixture(params=["webtest", *ALL_SERVERS])
def ask(request: pytest.FixtureRequest, start_server: Start) -> Ask:
    if request.param == "webtest":
        return ask_in_process
    server = start_server(request.param, PROGRAM)

    def ask(target: str, body: bytes | None = None) -> Seen:
        with server.connect() as client:
            if body is None:
                answer = client.request(target)
            else:
                answer = client.post(target, body, f"Content-Type: {FORM}")
        content_type = answer.all("Content-Type")
        return Seen(answer.status_code, ", ".join(content_type), answer.text)

    return ask


FORM = "application/x-www-form-urlencoded"


def ask_in_process(target: str, body: bytes | None = None) -> Seen:
    test_app: Any = pytest.importorskip("webtest").TestApp(program.app)
    if body is None:
        answer = test_app.get(target, expect_errors=True)
    else:
        answer = test_app.post(target, body, content_type=FORM)
    return Seen(answer.status_int, answer.headers["Content-Type"], answer.text)


HTML = "text/html; charset=UTF-8"
JSON = "application/json; charset=UTF-8"
EVENTS = "text/event-stream"


# The same answers


def test_long_poll_is_woken_by_another_thread(ask: Ask, channel: str) -> None:
    assert ask(f"/publish/{channel}?after=0.05", b"news").text == "published"
    assert ask(f"/poll/{channel}") == Seen(200, JSON, '{"messages": ["news"]}')


def test_long_poll_for_what_is_there_does_not_wait(ask: Ask, channel: str) -> None:
    for message in (b"one", b"two"):
        ask(f"/publish/{channel}", message)
    assert ask(f"/poll/{channel}?start=1").text == '{"messages": ["two"]}'


def test_long_poll_ends_when_its_patience_does(ask: Ask, channel: str) -> None:
    assert ask(f"/poll/{channel}?patience=0.05").text == '{"messages": []}'


def test_future_is_set_by_another_thread(ask: Ask, channel: str) -> None:
    ask(f"/publish/{channel}?after=begun", b"news")
    assert ask(f"/next/{channel}") == Seen(200, HTML, "news")


def test_event_stream_is_whole(ask: Ask, channel: str) -> None:
    ask(f"/publish/{channel}", b"one")
    ask(f"/publish/{channel}?after=0.05", b"two")
    assert ask(f"/events/{channel}?count=2") == Seen(
        200, EVENTS, ': welcome\n\nid: 1\ndata: "one"\n\nid: 2\ndata: "two"\n\n'
    )


@pytest.mark.parametrize("size", [0, 1, 200_000])
def test_upload_is_taken_part_by_part(ask: Ask, size: int) -> None:
    body = bytes(range(251)) * (size // 251 + 1)
    answer = ask("/upload", body[:size])
    assert answer.status_code == 200
    digest = hashlib.sha256(body[:size]).hexdigest()
    assert json.loads(answer.text) == {"size": size, "digest": digest}


@pytest.mark.parametrize(
    ("ask", "where"),
    [
        pytest.param(kind, "loop" if kind in ON_THE_LOOP else "thread", id=kind)
        for kind in ("webtest", *ALL_SERVERS)
    ],
    indirect=["ask"],
)
def test_plain_method_after_an_asynchronous_prepare_runs_where_such_methods_run(
    ask: Ask, where: str
) -> None:
    assert ask("/prepared?user=ada") == Seen(200, HTML, f"ada in a {where}")


def test_form_is_read_before_an_asynchronous_prepare(ask: Ask) -> None:
    assert ask("/prepared?user=ada", b"message=hello").text == "ada: hello"


def test_failure_before_the_first_chunk_has_its_page(ask: Ask) -> None:
    with ExpectLog("wsgitornado.application", "Uncaught", required=is_in_process(ask)):
        answer = ask("/fail/before")
    assert answer == Seen(500, HTML, "500 for before the first chunk")


def is_in_process(ask: Ask) -> bool:
    return ask is ask_in_process


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/old", "ab"),
        ("/middle-aged", "ab"),
        ("/delegating", "answered by another"),
    ],
    ids=["callbacks", "coroutine of yields", "returned awaitable"],
)
def test_other_generations_answer(ask: Ask, target: str, text: str) -> None:
    assert ask(target) == Seen(200, HTML, text)


@on_every_server
def test_failure_after_the_first_chunk_breaks_the_response(server: LiveServer) -> None:
    start = len(server.lines)
    with server.connect() as client:
        client.send(get("/fail/after"))
        if server.kind in ("wsgiref", "uwsgi", "uwsgi-threads"):
            # These end it where the connection ends, which they always close alike.
            assert client.read_answer().body == b"first "
        else:
            with pytest.raises((h11.RemoteProtocolError, ConnectionResetError)):
                client.read_answer()
    server.wait_for_line("Uncaught exception GET /fail", start)


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


# Beside each other


def publish(server: LiveServer, channel: str, message: bytes) -> None:
    with server.connect() as client:
        assert client.post(f"/publish/{channel}", message).text == "published"


def begin(client: Client, wire: Wire, target: str) -> None:
    """Send a request and wait until its handler runs."""
    client.send(get(f"{target}{'&' if '?' in target else '?'}wire={wire.port}"))
    wire.accept()
    assert wire.next_word() == "begun"


@on_concurrent_servers
@pytest.mark.parametrize("path", ["poll", "next"])
def test_all_who_wait_are_woken_at_once(
    server: LiveServer, channel: str, path: str
) -> None:
    with (
        Wire() as wire,
        Wire() as other_wire,
        server.connect() as client,
        server.connect() as other_client,
    ):
        begin(client, wire, f"/{path}/{channel}")
        begin(other_client, other_wire, f"/{path}/{channel}")
        publish(server, channel, b"news")
        assert "news" in client.read_answer().text
        assert "news" in other_client.read_answer().text


@on_concurrent_servers
def test_events_arrive_one_by_one(server: LiveServer, channel: str) -> None:
    with Wire() as wire, server.connect() as client:
        begin(client, wire, f"/events/{channel}?count=2")
        got = client.read_until(b"welcome")
        for message in (b"one", b"two"):
            assert message not in got
            publish(server, channel, message)
            got += client.read_until(message)
        assert wire.words() == ["ended", "finished"]


# A client that leaves


@on_noticing_servers
def test_departure_is_noticed_while_the_handler_waits(
    server: LiveServer, channel: str
) -> None:
    start = len(server.lines)
    with Wire() as wire, server.connect() as client:
        begin(client, wire, f"/poll/{channel}")
        client.close()
        assert wire.next_word() == "left"
        # As in Tornado the handler goes on.
        publish(server, channel, b"news")
        assert wire.words() == ["ended", "finished"]
    assert server.tracebacks(start) == []


@on_noticing_servers
@pytest.mark.parametrize("path", ["poll", "events"])
def test_departure_cancels_a_handler_that_wants_it(
    server: LiveServer, channel: str, path: str
) -> None:
    start = len(server.lines)
    with Wire() as wire, server.connect() as client:
        begin(client, wire, f"/impatient/{path}/{channel}")
        client.reset()
        assert wire.words() == ["left", "cancelled", "ended", "finished"]
    assert server.tracebacks(start) == []


@on_concurrent_servers
def test_departure_from_a_stream_is_noticed_at_the_latest_when_it_goes_on(
    server: LiveServer, channel: str
) -> None:
    start = len(server.lines)
    with Wire() as wire, server.connect() as client:
        begin(client, wire, f"/events/{channel}")
        client.read_until(b"welcome")
        client.reset()
        # What is sent first may still find room in a buffer.
        while not (words := wire.words_until_silence(0.3)):
            publish(server, channel, b"news")
        # Where it is noticed before anything is sent, the handler still waits.
        publish(server, channel, b"more")
        assert [*words, *wire.words()] == ["left", "ended", "finished"]
    assert "Uncaught" not in "".join(server.lines[start:])


@on_concurrent_servers
def test_unread_stream_is_held_back_until_its_client_leaves(server: LiveServer) -> None:
    with Wire() as wire:
        with Client(server.port, receive_buffer=65536) as client:
            begin(client, wire, "/flood")
            # The pause only decides how far the handler has come when it is looked at.
            words = wire.words_until_silence(0.3)
        assert set(words) == {"taken"}
        words += wire.words()
    assert words[-3:] == ["left", "ended", "finished"]
    # 24 MB in pieces of 64 KB, of which waitress takes most.
    assert words.count("taken") == len(words) - 3 < 24 * 16


# Too many who wait


@pytest.mark.parametrize(
    "server", ["waitress", "waitress-serve", "uwsgi-threads"], indirect=True
)
def test_ordinary_requests_live_on_where_all_wait_who_may(
    server: LiveServer, channel: str
) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(3)]
        # Three of four threads.
        targets = (f"/{path}/{channel}?count=1" for path in ("poll", "events", "next"))
        for client, target in zip(clients, targets, strict=True):
            begin(client, stack.enter_context(Wire()), target)
        with server.connect() as client:
            answer = client.request(f"/poll/{channel}")
        assert answer.status_code == 503
        assert answer.all("Retry-After") == ["1"]
        with server.connect() as client:
            assert client.request("/state").status_code == 200
        publish(server, channel, b"news")
        assert "news" in clients[0].read_answer().text
        assert clients[2].read_answer().text == "news"
        with server.connect() as client:
            assert "news" in client.request(f"/poll/{channel}").text


def test_more_may_wait_than_waitress_has_connections_by_default(channel: str) -> None:
    command = command_for("waitress", PROGRAM, "--threads", "120")
    with (
        run_command("waitress", command) as server,
        contextlib.ExitStack() as stack,
    ):
        clients = [stack.enter_context(server.connect()) for _ in range(119)]
        for client in clients:
            client.send(get(f"/poll/{channel}"))
        with server.connect() as client:
            while json.loads(client.request("/state").body)["waiting"] < 119:
                pass
        publish(server, channel, b"news")
        for client in clients:
            assert "news" in client.read_answer().text
