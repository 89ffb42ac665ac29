"""The chat as its visitors use it: three of them in Chromium, over three transports."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
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

#: How the chat's own docstring has it served, and the signal that ends it.
SERVERS: Final[dict[str, tuple[list[str], signal.Signals]]] = {
    "loop": ([sys.executable, "-m", "examples.chat", "--port"], signal.SIGINT),
    "gunicorn-gthread": (
        [*_GUNICORN, "-k", "gthread", "--threads", "16", "examples.chat:app", "-b"],
        signal.SIGTERM,
    ),
    "waitress": (
        [sys.executable, "-m", "wsgitornado", "serve", "examples.chat:app", "--port"],
        signal.SIGTERM,
    ),
}

NAMES = ["Ada", "Bob <b>", "Cy"]
TRANSPORTS = ["poll", "events", "socket"]


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


@pytest.fixture
def chat(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Chat:
    monkeypatch.setenv("CHAT_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("BROKER_URL", raising=False)
    return Chat(getattr(request, "param", "loop"))


Three = tuple["WebDriver", "WebDriver", "WebDriver"]


@contextmanager
def open_three(folder: Path) -> Iterator[Three]:
    """All at once, which takes less time; the last one is a telephone's."""
    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:

        def open_one(name: str) -> WebDriver:
            browser = open_browser(folder / name, phone=name == "phone")
            return stack.enter_context(browser)

        first, second, phone = pool.map(open_one, ("first", "second", "phone"))
        yield first, second, phone


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    with open_three(tmp_path_factory.mktemp("profiles")) as three:
        yield three


class Person:
    """Somebody in front of a browser."""

    def __init__(
        self, driver: WebDriver, address: str, name: str, transport: str = "poll"
    ) -> None:
        self.driver = driver
        self.wait = WebDriverWait(
            driver, BOUND, 0.05, ignored_exceptions=[StaleElementReferenceException]
        )
        # Cookies know no ports: those of the test before would be sent here, too.
        driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        driver.get(f"{address}?transport={transport}")
        driver.find_element(By.ID, "name").send_keys(name, Keys.ENTER)
        self.wait_until(lambda: driver.find_elements(By.ID, "say"))

    def wait_until(self, is_so: Callable[[], Any]) -> None:
        self.wait.until(lambda _: is_so())

    def hear_by(self, transport: str) -> None:
        selector = f"#transport [value={transport}] + span"
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def say(self, text: str) -> None:
        self.driver.find_element(By.ID, "text").send_keys(text, Keys.ENTER)

    def say_all(self, *texts: str) -> None:
        """In less time than anybody can type it."""
        script = """
            for (const text of arguments) {
                document.getElementById("text").value = text;
                document.getElementById("say").requestSubmit();
            }
        """
        self.driver.execute_script(script, *texts)

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
    def here(self) -> str:
        """The names of those who are."""
        script = "return document.querySelector('#people ul').textContent"
        return str(self.driver.execute_script(script))

    @property
    def state(self) -> str | None:
        return self.driver.find_element(By.ID, "state").get_attribute("data-state")

    def wait_for_count(self, number: int) -> None:
        self.wait_until(lambda: self.count == f"{number} here")

    def wait_to_see(self, name: str) -> None:
        self.wait_until(lambda: name in self.here)

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


def meet(chat: Chat, browsers: Three) -> list[Person]:
    """Three are there, each hears in another way."""
    people = [
        Person(driver, chat.address, name, transport)
        for driver, name, transport in zip(browsers, NAMES, TRANSPORTS, strict=True)
    ]
    for person in people:
        person.wait_for_count(3)
        person.wait_for_state("here")
    return people


@pytest.fixture(scope="module")
def lasting(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Chat, list[Person]]]:
    """One room on the loop server, for all tests that do not end it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAT_DATA", str(tmp_path_factory.mktemp("data")))
        patch.delenv("BROKER_URL", raising=False)
        chat = Chat("loop")
        with chat.run():
            yield chat, []


@pytest.fixture
def people(lasting: tuple[Chat, list[Person]], browsers: Three) -> list[Person]:
    """Three in that room, who stay there unless another test takes their browsers."""
    chat, people = lasting
    if not people or not browsers[0].current_url.startswith(chat.address):
        people[:] = meet(chat, browsers)
    return people


def test_three_talk_over_three_transports(people: list[Person], tmp_path: Path) -> None:
    ada, bob, cy = people
    said = ada.heard
    for number, text in enumerate(
        ["Hello", "<script>document.title=1</script> &", "Three"]
    ):
        said.append(text)
        people[number].say(text)
        for person in people:
            person.wait_to_hear(*said)
    ada.say("4")
    bob.wait_to_hear(*said, "4")
    bob.say_all("5", "6")
    for person in people:
        person.wait_to_hear(*said, "4", "5", "6")
        person.wait_until_all_is_sent()
        assert person.driver.title.endswith("The Teahouse")
    assert ada.texts("#messages .mine .text")[-2:] == ["Hello", "4"]
    assert bob.texts("#messages .mine .text")[-3:] == [said[-2], "5", "6"]
    assert ada.texts(".message:not(.mine) .who")[-1] == "Bob <b>"
    assert ada.texts(".follows .text")[-1] == "6"
    for person, name in zip(people, TRANSPORTS, strict=True):
        take_screenshot(person.driver, f"chat-{name}", tmp_path)
    # Nothing sticks out of a narrow page.
    assert cy.driver.execute_script(
        "const page = document.documentElement;"
        "return page.scrollWidth <= page.clientWidth"
    )


def test_lively_talk_comes_whole_and_who_reads_what_is_older_is_told_of_more(
    people: list[Person],
) -> None:
    each = 15
    ada, bob, cy = people
    before = ada.heard
    for first in range(0, each, 5):
        for person, name in zip(people, ("ada", "bob", "cy"), strict=True):
            person.say_all(*(f"{name} {n}" for n in range(first, first + 5)))
        # Between two messages he changes to the other way to hear them.
        bob.hear_by(TRANSPORTS[(first // 5 + 2) % 3])
    for person in people:
        person.wait_for_number(len(before) + 3 * each)
    assert ada.heard == bob.heard == cy.heard
    for name in ("ada", "bob", "cy"):
        own = [text for text in ada.heard if text.startswith(f"{name} ")]
        assert own == [f"{name} {n}" for n in range(each)]
    newest = bob.driver.find_element(By.ID, "newest")
    assert not newest.is_displayed()
    bob.driver.execute_script("document.getElementById('scroll').scrollTop = 0")
    ada.say("new")
    bob.wait_until(newest.is_displayed)
    newest.click()
    bob.wait_until(lambda: not newest.is_displayed())
    (last,) = bob.driver.find_elements(By.CSS_SELECTOR, "#messages .message:last-child")
    assert last.text.endswith("new")
    box = bob.driver.find_element(By.ID, "say").rect
    assert last.rect["y"] + last.rect["height"] <= box["y"]


def test_who_closes_the_page_is_gone_and_who_loads_it_again_is_not(
    people: list[Person],
) -> None:
    ada, bob, cy = people
    said = ada.heard
    for person in (bob, cy):
        person.driver.get("about:blank")
    ada.driver.refresh()
    ada.wait_to_hear(*said)
    ada.wait_for_count(1)
    for person in (bob, cy):
        person.driver.back()
        person.wait_to_hear(*said)
    ada.wait_for_count(3)


def test_server_that_was_ended_and_started_again_has_lost_nothing(
    chat: Chat, browsers: Three, tmp_path: Path
) -> None:
    with chat.run() as server:
        people = ada, bob, _ = meet(chat, browsers)
        ada.say("one")
        for person in people:
            person.wait_to_hear("one")
        chat.end(server, chat.ending)

    # Nobody is there: what is said waits in the page.
    for person in people:
        person.wait_for_state("lost")
    ada.say_all("two", "three")
    ada.wait_until(lambda: "Waiting" in "".join(ada.texts("#outbox .note")))
    assert ada.heard == ["one"]
    take_screenshot(ada.driver, "chat-lost", tmp_path)

    with chat.run() as server:
        for person in people:
            person.wait_to_hear("one", "two", "three")
            person.wait_for_state("here")
        ada.wait_until_all_is_sent()
        # Without any warning this time.
        chat.end(server, signal.SIGKILL)

    with chat.run() as server:
        ada.say("four")
        for person in people:
            person.wait_to_hear("one", "two", "three", "four")
            assert person.texts("#messages .gap") == []
        # Their names and all that was said are there in a new page.
        bob.driver.refresh()
        bob.wait_to_hear("one", "two", "three", "four")
        assert bob.texts("#messages .mine .text") == []
        chat.end(server, chat.ending)

    # And if it does forget, it says so.
    (tmp_path / "data" / "said.jsonl").unlink()
    with chat.run():
        ada.say("five")
        for person in people:
            person.wait_to_hear("one", "two", "three", "four", "five")
            (gap,) = person.texts("#messages .gap")
            assert "missing" in gap
        take_screenshot(ada.driver, "chat-gap", tmp_path)


@pytest.mark.parametrize("chat", ["gunicorn-gthread"], indirect=True)
def test_threads_of_gunicorn_serve_all_three(chat: Chat, browsers: Three) -> None:
    with chat.run():
        people = meet(chat, browsers)
        for number, person in enumerate(people):
            person.say(str(number))
            for listener in people:
                listener.wait_to_hear(*map(str, range(number + 1)))


@pytest.mark.parametrize("chat", ["waitress"], indirect=True)
def test_page_hears_in_another_way_where_there_are_no_sockets(
    chat: Chat, browsers: Three
) -> None:
    with chat.run() as server:
        ada = Person(browsers[0], chat.address, "Ada", "socket")
        bob = Person(browsers[1], chat.address, "Bob", "events")
        bob.say("hello")
        ada.wait_to_hear("hello")
        ada.wait_for_state("crowded")
        # It would wait for those who hear.
        chat.end(server, signal.SIGKILL)
