"""The example that shows what its own server does."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.support.wait import WebDriverWait

from examples import dashboard
from tests.browser import missing_browser, open_browser, take_screenshot
from tests.live.client import HOST
from tests.live.servers import BOUND, LiveServer, run_command
from tests.support import call, make_environ, settle_loop
from wsgitornado.pubsub import Broker
from wsgitornado.web import Application

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver.remote.webdriver import WebDriver


COMMAND = [sys.executable, "-m", "examples.dashboard", "--port", "0"]


class Server:
    """What a server says of itself, as we want it."""

    def __init__(self) -> None:
        self.answered = 7
        self.parked = 2

    def stats(self) -> dict[str, int]:
        return {"answered": self.answered, "parked": self.parked}


@pytest.fixture
def broker() -> Broker:
    return Broker(history=dashboard.KEPT)


@pytest.fixture
def app(broker: Broker) -> Application:
    return dashboard.make_app(broker)


def test_sample_tells_what_has_happened_since_the_last_one(broker: Broker) -> None:
    server = Server()
    sampler = dashboard.Sampler(server, broker)
    server.answered += 5
    sample = sampler.take()
    assert sample["requests"] > 0
    assert sample["waiting"] == 2
    assert sample["memory"] > 1
    assert sample["processor"] >= 0
    assert sampler.take()["requests"] == 0


def test_page_names_its_sources_below_its_prefix(app: Application) -> None:
    page = call(app, "/", SCRIPT_NAME="/office").text
    assert 'data-events="/office/events"' in page
    assert 'data-socket="/office/socket"' in page
    assert call(app, "/work").text.isdecimal()


@contextmanager
def events(app: Application, *headers: tuple[str, str]) -> Iterator[Iterator[Any]]:
    """Type, id and data of each event, until the client leaves."""
    environ = make_environ("/events", headers=headers)
    body: Any = app(environ, lambda *_: None)  # type: ignore[arg-type]  # write() is never used

    def read() -> Iterator[Any]:
        text = ""
        for chunk in body:
            *blocks, text = (text + chunk.decode()).split("\n\n")
            for block in blocks:
                fields = dict(line.split(": ", 1) for line in block.splitlines())
                if "data" in fields:
                    data = json.loads(fields["data"])
                    yield fields.get("event"), fields["id"], data

    try:
        yield read()
    finally:
        body.close()
        settle_loop()


def test_newcomer_gets_what_is_kept_and_who_comes_back_the_rest(
    app: Application, broker: Broker
) -> None:
    sampler = dashboard.Sampler(Server(), broker)
    sampler.publish()
    with events(app) as found:
        assert next(found)[0] == "missed"
        _, cursor, sample = next(found)
        assert sample["waiting"] == 2
    broker.publish(dashboard.CHANNEL, {"waiting": 3})
    with events(app, ("Last-Event-ID", cursor)) as found:
        assert next(found)[2] == {"waiting": 3}


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with run_command("loop", COMMAND) as server:
        yield server
        assert not server.tracebacks()


@pytest.fixture(scope="module")
def phone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    with open_browser(tmp_path_factory.mktemp("profile"), phone=True) as driver:
        yield driver


@pytest.mark.live
@pytest.mark.browser
@pytest.mark.skipif(bool(missing_browser()), reason=missing_browser() or "is there")
@pytest.mark.parametrize("transport", ["events", "socket"])
def test_telephone_shows_what_the_server_does(
    server: LiveServer, phone: WebDriver, tmp_path: Path, transport: str
) -> None:
    phone.get(f"http://{HOST}:{server.port}/?transport={transport}")
    # The server sees a stream wait, and what the button makes.
    if transport == "events":
        wait_for(phone, "waiting", 1)
    phone.find_element("id", "work").click()
    wait_for(phone, "requests", 10)
    wait_for(phone, "memory", 1)
    take_screenshot(phone, f"dashboard-{transport}", tmp_path)
    assert phone.execute_script(
        "const page = document.documentElement;"
        "return page.scrollWidth <= page.clientWidth"
    )


def wait_for(driver: WebDriver, name: str, least: float) -> None:
    """Wait for a tile to have shown so much."""

    def is_shown(_: object) -> bool:
        script = "return document.querySelector(arguments[0]).textContent"
        most = str(driver.execute_script(script, f".{name} .most"))
        return bool(most) and float(most.split()[1].replace(",", "")) >= least

    WebDriverWait(driver, BOUND, 0.05).until(is_shown)
