"""Signals of a process that serves under ``listen()``, or in ``noted_signals``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.httpserver.served import ask_to
from tests.live.client import Client, Wire
from tests.live.servers import BOUND, LiveServer, run_command
from wsgitornado.httpserver import signals
from wsgitornado.httpserver.signals import drain_on_sigterm, noted_signals
from wsgitornado.testing import ExpectLog

START = """
import asyncio, os, signal, sys, time
from tests.httpserver.served_program import app
from wsgitornado.httpserver import HTTPServer
from wsgitornado.ioloop import IOLoop

def say(*words):
    print(*words, file=sys.stderr, flush=True)

def announce(server):
    port = server.sockets[0].getsockname()[1]
    say(f"listening on http://127.0.0.1:{port}")
"""

#: The same end of the same program, by each way of running a loop.
WAYS = {
    "start": START
    + """
THREADS = int(sys.argv[1])
server = HTTPServer(app, threads=THREADS)
server.listen(0, "127.0.0.1")
announce(server)
try:
    IOLoop.current().start()
except KeyboardInterrupt:
    say("KeyboardInterrupt came out")
finally:
    say("finally")
""",
    "asyncio.run": START
    + """
async def main():
    server = HTTPServer(app, threads=int(sys.argv[1]))
    server.listen(0, "127.0.0.1")
    announce(server)
    try:
        await asyncio.Event().wait()
    finally:
        say("finally")

try:
    asyncio.run(main())
except KeyboardInterrupt:
    say("KeyboardInterrupt came out")
""",
}
WAYS["uvloop"] = WAYS["asyncio.run"].replace(
    "asyncio.run(main())",
    "asyncio.Runner(loop_factory=__import__('uvloop').new_event_loop).run(main())",
)


def run(text: str, threads: int = 0) -> Any:
    return run_command("listen", [sys.executable, "-c", text, str(threads)])


def wait_until_it_runs(server: LiveServer) -> None:
    """listen() opens the port, but signals are handled once the loop runs."""
    with server.connect() as client:
        assert client.request("/show").status_code == 200


def wait_for(server: LiveServer) -> int:
    """The exit status, once all of the log has come."""
    status = server.process.wait(BOUND)
    server.wait_for_line("^$")
    return status


@pytest.mark.live
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("threads", [0, 2], ids=["loop", "threads"])
def test_sigterm_answers_what_is_in_flight_and_leaves_in_order(
    way: str, threads: int
) -> None:
    if way == "uvloop":
        pytest.importorskip("uvloop")
    with run(WAYS[way], threads) as server:
        with (
            Wire() as parked_wire,
            Wire() as held_wire,
            server.connect() as parked,
            server.connect() as held,
        ):
            ask_to(parked_wire, parked, "park")
            if threads:
                ask_to(held_wire, held, "hold")
            server.process.terminate()
            parked_wire.let_go_on()
            assert parked.read_answer().text == "parked"
            if threads:
                held_wire.let_go_on()
                assert held.read_answer().text == "held"
        assert wait_for(server) == 0
    assert "finally\n" in server.lines
    assert server.tracebacks() == []


@pytest.mark.live
@pytest.mark.parametrize("way", WAYS)
def test_sigint_is_keyboard_interrupt(way: str) -> None:
    if way == "uvloop":
        pytest.importorskip("uvloop")
    with run(WAYS[way]) as server:
        wait_until_it_runs(server)
        server.process.send_signal(signal.SIGINT)
        assert wait_for(server) == 0
    assert "KeyboardInterrupt came out\n" in server.lines
    assert "finally\n" in server.lines
    assert server.tracebacks() == []


@pytest.mark.live
@pytest.mark.parametrize("way", WAYS)
def test_who_waits_at_sigint_is_told_to_come_again(way: str) -> None:
    if way == "uvloop":
        pytest.importorskip("uvloop")
    with run(WAYS[way]) as server, Wire() as wire, server.connect() as client:
        ask_to(wire, client, "park")
        server.process.send_signal(signal.SIGINT)
        answer = client.read_answer()
        assert wait_for(server) == 0
    assert answer.status_code == 503
    assert ("retry-after", "1") in answer.headers
    assert server.tracebacks() == []


SENT_AWAY = """
class Poll(RequestHandler):
    async def get(self):
        say("waits")
        await news.wait()
        self.write("no news")

class Stream(RequestHandler):
    async def get(self):
        async with EventSource(self) as events:
            await events.send("first")
            say("waits")
            await asyncio.Event().wait()

def fail():
    raise ValueError("mine")

news = asyncio.Event()
app = Application([("/poll", Poll), ("/stream", Stream)])
app.add_drain_callback(fail)
app.add_drain_callback(news.set)
"""


@pytest.mark.live
@pytest.mark.parametrize("path", ["/poll", "/stream"])
def test_who_waits_at_sigterm_is_sent_away(path: str) -> None:
    """Without the ten seconds for those that only wait."""
    program = WAYS["asyncio.run"].replace(
        "async def main", f"{SENT_AWAY}\nasync def main"
    )
    program = program.replace(
        "\nimport asyncio,",
        "\nfrom wsgitornado.web import Application, EventSource, RequestHandler\n"
        "import asyncio,",
    )
    with run(program) as server, server.connect() as client:
        client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        server.wait_for_line("waits")
        server.process.terminate()
        answer = client.read_answer()
        assert wait_for(server) == 0
    assert answer.status_code == 200
    assert answer.text == ("no news" if path == "/poll" else "data: first\n\n")
    # The callback that failed has kept no other from being called.
    assert len(server.tracebacks()) == 1
    assert "ValueError: mine\n" in server.lines


@pytest.mark.live
@pytest.mark.parametrize("threads", [0, 8], ids=["loop", "threads"])
def test_sigterm_during_100_requests_loses_none(threads: int) -> None:
    with run(WAYS["start"], threads) as server:
        wait_until_it_runs(server)
        clients = [server.connect() for _ in range(100)]
        # Threads work on some of these, others wait for a thread, others still are
        # not accepted.
        request = "/sleep?seconds=0.2" if threads else "/sleep?seconds=0.02"
        for client in clients:
            client.send(f"GET {request} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        server.process.terminate()
        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(Client.read_answer, clients))
        for client in clients:
            client.close()
        assert wait_for(server) == 0
    assert [answer.text for answer in answers] == ["slept"] * 100


SIGNAL_OF_ITS_OWN = {
    "before": "signal.signal(signal.SIGTERM, mine)\n{listen}",
    "after": "{listen}\nsignal.signal(signal.SIGTERM, mine)",
    "after, on the loop": (
        "{listen}\n"
        "loop = asyncio.get_running_loop()\n"
        "loop.add_signal_handler(signal.SIGTERM, mine)"
    ),
}


@pytest.mark.live
@pytest.mark.parametrize("when", SIGNAL_OF_ITS_OWN)
def test_handler_of_the_program_has_the_last_word(when: str) -> None:
    text = SIGNAL_OF_ITS_OWN[when].format(
        listen="server = HTTPServer(app)\nserver.listen(0, '127.0.0.1')"
    )
    program = (
        f"{START}\n"
        "def mine(*arguments):\n"
        "    say('mine')\n"
        "async def main():\n"
        "    global server\n"
        + "".join(f"    {line}\n" for line in text.splitlines())
        + "    announce(server)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with run(program) as server:
        server.process.terminate()
        server.wait_for_line("mine")
        # It goes on, as that handler wants it.
        with server.connect() as client:
            assert client.request("/show").status_code == 200
        server.process.kill()
        server.process.wait(BOUND)


@pytest.mark.live
def test_sigterm_that_the_program_ignores_is_ignored() -> None:
    program = WAYS["start"].replace(
        "server.listen", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nserver.listen"
    )
    with run(program) as server:
        wait_until_it_runs(server)
        server.process.terminate()
        with server.connect() as client:
            assert client.request("/show").status_code == 200
        server.process.kill()
        server.process.wait(BOUND)


# Within this process


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The dispositions as a program finds them, put back at the end."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    before = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Server:
    """Something to end."""

    def __init__(self, ended: list[str], name: str) -> None:
        self.ended = ended
        self.name = name

    async def drain(self) -> None:
        await asyncio.sleep(0)
        self.ended.append(self.name)


class FailingServer(Server):
    async def drain(self) -> None:
        raise ValueError("it does not end")


def run_to_exit(prepare: Callable[[asyncio.AbstractEventLoop], object]) -> None:
    """Run a loop that SIGTERM ends."""

    async def main() -> None:
        kept.append(prepare(asyncio.get_running_loop()))
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.Event().wait()

    kept: list[object] = []
    with pytest.raises(SystemExit) as caught:
        asyncio.run(main())
    assert caught.value.code == 0


def test_all_servers_of_a_loop_are_ended() -> None:
    def prepare(loop: asyncio.AbstractEventLoop) -> object:
        servers = [Server(ended, name) for name in ("first", "second")]
        forgotten = Server(ended, "forgotten")
        for server in (*servers, forgotten):
            drain_on_sigterm(loop, server.drain)
        return servers

    ended: list[str] = []
    run_to_exit(prepare)
    assert sorted(ended) == ["first", "second"]
    # On the next loop it begins anew.
    run_to_exit(prepare)
    assert sorted(ended) == ["first", "first", "second", "second"]


def test_server_that_fails_to_end_does_not_keep_others_from_it() -> None:
    def prepare(loop: asyncio.AbstractEventLoop) -> object:
        servers = [FailingServer(ended, "failing"), Server(ended, "other")]
        for server in servers:
            drain_on_sigterm(loop, server.drain)
        return servers

    ended: list[str] = []
    with ExpectLog("wsgitornado.application", "A server did not end in order"):
        run_to_exit(prepare)
    assert ended == ["other"]


def test_signal_that_comes_twice_ends_once() -> None:
    def prepare(loop: asyncio.AbstractEventLoop) -> object:
        server = Server(ended, "once")
        drain_on_sigterm(loop, server.drain)
        loop.call_soon(os.kill, os.getpid(), signal.SIGTERM)
        return server

    ended: list[str] = []
    run_to_exit(prepare)
    assert ended == ["once"]


def test_handler_that_the_program_sets_later_takes_the_place_of_ours() -> None:
    async def main() -> None:
        server = Server(ended, "any")
        drain_on_sigterm(asyncio.get_running_loop(), server.drain)
        came = asyncio.Event()
        signal.signal(signal.SIGTERM, lambda *_: came.set())
        # Another server does not take it back.
        drain_on_sigterm(asyncio.get_running_loop(), server.drain)
        os.kill(os.getpid(), signal.SIGTERM)
        await came.wait()

    ended: list[str] = []
    asyncio.run(main())
    assert ended == []


def test_other_threads_leave_signals_alone() -> None:
    async def main() -> None:
        server = Server([], "any")
        drain_on_sigterm(asyncio.get_running_loop(), server.drain)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    thread.join(BOUND)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_loop_without_signals_serves_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: Any) -> None:
        # As on Windows.
        raise NotImplementedError

    async def main() -> None:
        server = Server([], "any")
        drain_on_sigterm(asyncio.get_running_loop(), server.drain)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "add_signal_handler", refuse)
    asyncio.run(main())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_noted_signal_does_its_usual_work_the_second_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def usual(number: int, frame: object) -> None:
        seen.append(number)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with noted_signals([signal.SIGUSR1]) as first:
            loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
            loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
            assert await first == signal.SIGUSR1
            assert seen == []
            while signal.getsignal(signal.SIGUSR1) is not usual:
                await asyncio.sleep(0.001)
            os.kill(os.getpid(), signal.SIGUSR1)

    seen: list[int] = []
    monkeypatch.setattr(signals, "_ONCE", 0.01)
    signal.signal(signal.SIGUSR1, usual)
    asyncio.run(main())
    assert seen == [signal.SIGUSR1]


def test_handlers_are_put_back_after_the_block() -> None:
    async def main() -> None:
        with noted_signals() as first:
            os.kill(os.getpid(), signal.SIGTERM)
            await first
        found.append(signal.getsignal(signal.SIGTERM))

    found: list[object] = []
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    asyncio.run(main())
    assert found == [signal.SIG_IGN]


@pytest.mark.live
def test_start_does_not_return_but_is_left() -> None:
    with run(f"{WAYS['start']}\nsay('the end')") as server:
        wait_until_it_runs(server)
        server.process.terminate()
        assert wait_for(server) == 0
    assert "the end\n" not in server.lines
