"""The chat as its visitors use it: two of them in Chromium, on three servers."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser import missing_browser, open_browser, take_screenshot
from tests.live.client import HOST
from tests.live.servers import LiveServer, run_command

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

pytestmark = [
    pytest.mark.live,
    pytest.mark.browser,
    pytest.mark.skipif(bool(missing_browser()), reason=missing_browser() or "is there"),
]

BOUND = 30  # seconds: for a busy machine, not a measure of anything

_GUNICORN = [sys.executable, "-m", "gunicorn", "--graceful-timeout", "1"]
_WORKER = "wsgitornado.httpserver.GunicornWorker"

#: How the chat's own docstring has it served, and the signal that ends it.
SERVERS: Final[dict[str, tuple[list[str], signal.Signals]]] = {
    "loop": ([sys.executable, "-m", "examples.chat", "--port"], signal.SIGINT),
    "gunicorn-worker": (
        [*_GUNICORN, "-k", _WORKER, "examples.chat:app", "-b"],
        signal.SIGTERM,
    ),
    "gunicorn-gthread": (
        [*_GUNICORN, "-k", "gthread", "--threads", "16", "examples.chat:app", "-b"],
        signal.SIGTERM,
    ),
}

TRANSPORTS = ["poll", "stream"]


class Chat:
    """The chat on a server that can be ended and started again at the same address."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.command, self.ending = SERVERS[kind]
        self.port = 0

    @contextmanager
    def run(self) -> Iterator[LiveServer]:
        place = str(self.port)
        if self.command[-1] == "-b":
            place = f"{HOST}:{place}"
        with run_command(self.kind, [*self.command, place]) as server:
            self.port = server.port
            self.logged = -1
            yield server
            if server.process.poll() is None:
                self.end(server, self.ending)
        # While it served; what it says of its end is another matter.
        lines = server.lines[: self.logged]
        assert not [line for line in lines if "Traceback" in line], "".join(lines)

    def end(self, server: LiveServer, number: signal.Signals) -> None:
        """Send a signal to the server and its processes, and wait for the end."""
        self.logged = len(server.lines)
        if number == signal.SIGKILL:
            os.killpg(server.process.pid, number)
        else:
            server.process.send_signal(number)
        server.process.wait(BOUND)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}/"


@pytest.fixture(params=list(SERVERS))
def chat(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Chat:
    monkeypatch.setenv("CHAT_DATA", str(tmp_path / "data"))
    return Chat(request.param)


@pytest.fixture(scope="module")
def browsers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[WebDriver, WebDriver]]:
    folder = tmp_path_factory.mktemp("profiles")
    with open_browser(folder / "1") as first, open_browser(folder / "2") as second:
        yield first, second


class Person:
    """Somebody in front of a browser."""

    def __init__(self, driver: WebDriver, chat: Chat, name: str) -> None:
        self.driver = driver
        self.wait = WebDriverWait(
            driver, BOUND, 0.05, ignored_exceptions=[StaleElementReferenceException]
        )
        # Cookies know no ports: those of the test before are sent here, too.
        driver.get(chat.address)
        driver.delete_all_cookies()
        driver.get(chat.address)
        driver.find_element(By.ID, "name").send_keys(name, Keys.ENTER)
        self.wait_until(lambda: driver.find_elements(By.ID, "say"))

    def wait_until(self, is_so: Callable[[], Any]) -> None:
        self.wait.until(lambda _: is_so())

    def hear_by(self, transport: str) -> None:
        selector = f"#transport [value={transport}] + span"
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def say(self, *texts: str) -> None:
        box = self.driver.find_element(By.ID, "text")
        for text in texts:
            box.send_keys(text, Keys.ENTER)

    def texts(self, selector: str) -> list[str]:
        script = """
            const found = document.querySelectorAll(arguments[0]);
            return Array.from(found, (element) => element.innerText);
        """
        found: list[str] = self.driver.execute_script(script, selector)
        return found

    @property
    def heard(self) -> list[str]:
        return self.texts("#messages .text")

    @property
    def count(self) -> str:
        return self.texts("#people .count")[0]

    @property
    def state(self) -> str | None:
        return self.driver.find_element(By.ID, "state").get_attribute("data-state")

    def wait_for_count(self, number: int) -> None:
        self.wait_until(lambda: self.count == f"{number} here")

    def wait_for_state(self, *states: str) -> None:
        self.wait_until(lambda: self.state in states)

    def wait_for_number(self, number: int) -> None:
        self.wait_until(lambda: len(self.heard) >= number)

    def wait_to_hear(self, *expected: str) -> None:
        """Wait for so many messages; then they are these and no more."""
        self.wait_for_number(len(expected))
        assert self.heard == list(expected)

    def wait_until_all_is_sent(self) -> None:
        self.wait_until(lambda: self.texts("#outbox .message") == [])


def test_two_talk_in_each_way_until_one_leaves(
    chat: Chat, browsers: tuple[WebDriver, WebDriver], tmp_path: Path
) -> None:
    with chat.run():
        ada = Person(browsers[0], chat, "Ada")
        ada.wait_for_count(1)
        said: list[str] = []
        for transport in TRANSPORTS:
            ada.hear_by(transport)
            with open_browser(tmp_path / transport, phone=True) as driver:
                bob = Person(driver, chat, "Bob <b>")
                bob.hear_by(transport)
                ada.wait_for_count(2)
                bob.wait_for_count(2)
                said += talk(ada, bob)
                take_screenshot(driver, f"chat-{chat.kind}-{transport}-phone", tmp_path)
                take_screenshot(ada.driver, f"chat-{chat.kind}-{transport}", tmp_path)
                # Nothing sticks out of a narrow page.
                assert bob.driver.execute_script(
                    "const page = document.documentElement;"
                    "return page.scrollWidth <= page.clientWidth"
                )
            # The browser is closed.
            ada.wait_for_count(1)
        assert ada.heard == said
        ada.driver.refresh()
        ada.wait_to_hear(*said)


def talk(ada: Person, bob: Person) -> list[str]:
    """Both say something in turn, and each hears the other and itself."""
    before = ada.heard
    bob.wait_to_hear(*before)
    said = ["Hello, Bob", "<script>document.title=1</script> &", "Two", "3"]
    for number, text in enumerate(said, 1):
        speaker, listener = (ada, bob) if number % 2 else (bob, ada)
        speaker.say(text)
        listener.wait_to_hear(*before, *said[:number])
    for person in (ada, bob):
        person.wait_to_hear(*before, *said)
        person.wait_until_all_is_sent()
        assert person.driver.title.endswith("The Teahouse")
    assert ada.texts("#messages .mine .text")[-2:] == said[::2]
    assert bob.texts("#messages .mine .text") == said[1::2]
    assert ada.texts(".message:not(.mine) .who")[-1] == "Bob <b>"
    return said


def test_server_that_was_ended_and_started_again_has_lost_nothing(
    chat: Chat, browsers: tuple[WebDriver, WebDriver], tmp_path: Path
) -> None:
    with chat.run() as server:
        ada, bob = meet(chat, browsers)
        ada.say("one")
        bob.wait_to_hear("one")
        chat.end(server, chat.ending)

    # Nobody is there: what is said waits in the page.
    for person in (ada, bob):
        person.wait_for_state("lost", "crowded")
    ada.say("two", "three")
    ada.wait_until(lambda: "Waiting" in "".join(ada.texts("#outbox .note")))
    assert ada.heard == ["one"]
    take_screenshot(ada.driver, f"chat-{chat.kind}-lost", tmp_path)

    with chat.run() as server:
        for person in (ada, bob):
            person.wait_to_hear("one", "two", "three")
            person.wait_for_state("here")
            person.wait_for_count(2)
        ada.wait_until_all_is_sent()
        bob.say("four")
        ada.wait_to_hear("one", "two", "three", "four")

        # Without any warning this time.
        chat.end(server, signal.SIGKILL)

    with chat.run():
        ada.say("five")
        for person in (ada, bob):
            person.wait_to_hear("one", "two", "three", "four", "five")
        # Their names and all that was said are there in a new page.
        ada.driver.refresh()
        ada.wait_to_hear("one", "two", "three", "four", "five")
        assert ada.texts("#messages .mine .text") == ["one", "two", "three", "five"]


def meet(chat: Chat, browsers: tuple[WebDriver, WebDriver]) -> tuple[Person, Person]:
    """Two are there, one hears by polls, the other by a stream."""
    ada, bob = Person(browsers[0], chat, "Ada"), Person(browsers[1], chat, "Bob")
    bob.hear_by("stream")
    for person in (ada, bob):
        person.wait_for_count(2)
    return ada, bob


def test_both_transports_bring_all_of_a_lively_talk_in_one_order(
    chat: Chat, browsers: tuple[WebDriver, WebDriver]
) -> None:
    each = 25
    with chat.run():
        ada, bob = meet(chat, browsers)
        for first in range(0, each, 5):
            ada.say(*(f"ada {n}" for n in range(first, first + 5)))
            bob.say(*(f"bob {n}" for n in range(first, first + 5)))
            # Between two messages he changes to the other way to hear them.
            bob.hear_by("stream" if first % 2 else "poll")
        for person in (ada, bob):
            person.wait_for_number(2 * each)
        assert ada.heard == bob.heard
        for name in ("ada", "bob"):
            own = [text for text in ada.heard if text.startswith(name)]
            assert own == [f"{name} {n}" for n in range(each)]


def test_who_reads_what_is_older_is_told_of_new_messages(
    browsers: tuple[WebDriver, WebDriver],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHAT_DATA", str(tmp_path / "data"))
    chat = Chat("loop")
    with chat.run():
        ada = Person(browsers[0], chat, "Ada")
        bob = Person(browsers[1], chat, "Bob")
        texts = [str(number) for number in range(20)]
        ada.say(*texts)
        bob.wait_to_hear(*texts)
        newest = bob.driver.find_element(By.ID, "newest")
        assert not newest.is_displayed()
        bob.driver.execute_script("document.getElementById('scroll').scrollTop = 0")
        ada.say("new")
        bob.wait_until(newest.is_displayed)
        newest.click()
        bob.wait_until(lambda: not newest.is_displayed())
        (last,) = bob.driver.find_elements(
            By.CSS_SELECTOR, "#messages .message:last-child"
        )
        assert last.text.endswith("new")
        box = bob.driver.find_element(By.ID, "say").rect
        assert last.rect["y"] + last.rect["height"] <= box["y"]
