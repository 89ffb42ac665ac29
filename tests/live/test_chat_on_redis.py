"""The chat in four processes on two machines, with nginx before them and one Redis."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
from websockets.sync.client import connect

from tests.browser import missing_browser, take_screenshot
from tests.live.client import HOST
from tests.live.servers import BOUND, ROOT, run_command
from tests.live.test_chat_browser import TRANSPORTS, Person, open_three
from tests.pubsub.redis_server import free_port, running_redis

pytestmark = pytest.mark.live

_WORKER = "wsgitornado.httpserver.GunicornWorker"
_GUNICORN: Final = [
    *(sys.executable, "-m", "gunicorn", "-w", "2", "-k", _WORKER),
    *("--graceful-timeout", "1", "-b", f"{HOST}:0", "examples.chat:app"),
]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where nginx listens."""
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("nginx is not installed")
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        redis = stack.enter_context(running_redis(folder))
        patch.setenv("BROKER_URL", redis.url)
        patch.setenv("CHAT_SECRET", "the same on both machines")
        configuration = (ROOT / "examples/chat/nginx.conf").read_text("utf-8")
        for machine in ("8001", "8002"):
            # Machines share no files.
            patch.setenv("CHAT_DATA", str(folder / machine))
            server = stack.enter_context(run_command("gunicorn-loop", _GUNICORN))
            configuration = configuration.replace(machine, str(server.port))
        port = free_port()
        file = folder / "nginx.conf"
        configuration = configuration.replace("8888", str(port))
        file.write_text(configuration, "utf-8")
        stack.enter_context(running_nginx([nginx, "-p", str(folder), "-c", str(file)]))
        wait_for(port)
        yield port


@contextmanager
def running_nginx(command: list[str]) -> Iterator[None]:
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.terminate()
            process.wait(BOUND)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + BOUND
    while True:
        try:
            socket.create_connection((HOST, port), BOUND).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.01)
        else:
            return


@pytest.fixture
def crowd(port: int) -> list[Reader]:
    """Two of each kind, each with the cursor of the page."""
    return [Reader(port, f"{name} {n}", name) for name in TRANSPORTS for n in range(2)]


@dataclass
class Reader:
    """One client without a browser."""

    port: int
    name: str
    transport: str
    heard: list[str] = field(default_factory=list)
    machines: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.cookies = SimpleCookie()
        self.fields: dict[str, str] = {}
        self.take_page()
        self.ask("POST", "/join", name=self.name)
        page = self.take_page()
        place = dict(re.findall(r'data-(cursor|here)="([^"]+)"', page))
        self.place = {"since": place["cursor"], "here": place["here"]}

    def take_page(self) -> str:
        page = self.ask("GET", "/").read().decode()
        self.fields = dict(re.findall(r'name="(_xsrf)" value="([^"]+)"', page))
        return str(page)

    @property
    def cookie(self) -> str:
        return "; ".join(f"{n}={morsel.value}" for n, morsel in self.cookies.items())

    def ask(self, method: str, target: str, **form: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=BOUND)
        body = urlencode({**self.fields, **form}) if form else None
        headers = {"Cookie": self.cookie, "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        assert answer.status in (200, 303), answer.status
        for line in answer.headers.get_all("Set-Cookie", []):
            self.cookies.load(line)
        self.machines.add(answer.headers["X-Machine"])
        return answer

    def say(self, text: str) -> None:
        self.ask("POST", "/messages", text=text, key=text)

    def listen(self, number: int) -> None:
        """Until so many messages were heard."""
        listen: dict[str, Callable[[], Iterator[str]]] = {
            "poll": self.poll,
            "events": self.read_events,
            "socket": self.read_socket,
        }
        parts = listen[self.transport]()
        while len(self.heard) < number:
            news: dict[str, Any] = json.loads(next(parts))
            assert not news["cut"]
            self.heard += [message["id"] for message in news["messages"]]
            self.place = {"since": news["cursor"], "here": news["here"]}
        parts.close()  # type: ignore[attr-defined]  # these are generators

    def target(self, name: str) -> str:
        return f"/{name}?{urlencode(self.place)}"

    def poll(self) -> Iterator[str]:
        while True:
            yield self.ask("GET", self.target("poll")).read().decode()

    def read_events(self) -> Iterator[str]:
        with self.ask("GET", self.target("events")) as answer:
            for line in answer:
                name, _, value = line.decode().partition(": ")
                if name == "data":
                    yield value

    def read_socket(self) -> Iterator[str]:
        with connect(
            f"ws://{HOST}:{self.port}{self.target('socket')}",
            additional_headers={"Cookie": self.cookie},
        ) as messages:
            for message in messages:
                assert isinstance(message, str)
                yield message


def test_each_message_reaches_all_in_one_order(crowd: list[Reader]) -> None:
    each = 5
    number = each * len(crowd)
    with ThreadPoolExecutor(2 * len(crowd)) as pool:
        listening = [pool.submit(reader.listen, number) for reader in crowd]

        def speak(reader: Reader) -> None:
            for count in range(each):
                reader.say(f"{reader.name} {count}")

        list(pool.map(speak, crowd))
        for future in listening:
            future.result(BOUND)
    orders = {tuple(reader.heard) for reader in crowd}
    assert len(orders) == 1
    (order,) = orders
    assert len(set(order)) == number
    for reader in crowd:
        own = [key for key in order if f".{reader.name} " in key]
        assert [key[-1] for key in own] == [str(n) for n in range(each)]
        assert len(reader.machines) == 2


@pytest.mark.browser
@pytest.mark.skipif(bool(missing_browser()), reason=missing_browser() or "is there")
def test_three_browsers_over_three_transports_are_in_one_room(
    port: int, tmp_path: Path
) -> None:
    address = f"http://{HOST}:{port}/"
    with open_three(tmp_path) as browsers:
        people = [
            Person(driver, address, name, transport)
            for driver, name, transport in zip(
                browsers, ("Ann", "Ben", "Cleo"), TRANSPORTS, strict=True
            )
        ]
        before = people[0].heard
        for person in people:
            person.wait_for_state("here")
            person.wait_to_see("Cleo")
        said = list(before)
        for number, text in enumerate(["Good evening!", "Which machine?", "Both."]):
            people[number].say(text)
            said.append(text)
            for person in people:
                person.wait_to_hear(*said)
        for person, transport in zip(people, TRANSPORTS, strict=True):
            take_screenshot(person.driver, f"chat-on-redis-{transport}", tmp_path)
