"""WebSockets as the pages of Chromium use them, on three servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.browser import missing_browser, open_browser
from tests.live.client import HOST
from tests.live.servers import BOUND, LiveServer

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

pytestmark = [
    pytest.mark.live,
    pytest.mark.browser,
    pytest.mark.skipif(bool(missing_browser()), reason=missing_browser() or "is there"),
    pytest.mark.parametrize(
        "server", ["loop", "gunicorn-loop", "gunicorn-gthread"], indirect=True
    ),
]

PROGRAM = "sockets"

#: Opens a WebSocket, sends one message after the other, each when the one before has
#: been answered, and tells what happened once it is closed.
_TALK: Final = """
    const [address, protocols, messages, done] = arguments;
    const socket = new WebSocket(address, protocols);
    socket.binaryType = "arraybuffer";
    const heard = [];
    function sayNext() {
        const message = messages.shift();
        if (message === undefined)
            socket.close(4321, "grüß dich");
        else if (typeof message === "string")
            socket.send(message);
        else
            socket.send(new Uint8Array(message));
    }
    socket.onopen = sayNext;
    socket.onmessage = (event) => {
        const data = event.data;
        heard.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
        sayNext();
    };
    socket.onclose = (event) => done({
        heard, protocol: socket.protocol, extensions: socket.extensions,
        code: event.code, reason: event.reason, isClean: event.wasClean,
    });
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    with open_browser(tmp_path_factory.mktemp("profile")) as driver:
        driver.set_script_timeout(BOUND)
        yield driver


def talk(
    driver: WebDriver,
    server: LiveServer,
    *messages: str | list[int],
    protocols: tuple[str, ...] = (),
    page_host: str = HOST,
) -> dict[str, Any]:
    driver.get(f"http://{page_host}:{server.port}/page")
    address = f"ws://{HOST}:{server.port}/echo"
    told: dict[str, Any] = driver.execute_async_script(
        _TALK, address, list(protocols), list(messages)
    )
    return told


def test_text_and_bytes_come_back(driver: WebDriver, server: LiveServer) -> None:
    messages: list[str | list[int]]
    messages = ["hello", "né😀", "", [0, 255, 128], [], "a" * 200_000]
    told = talk(driver, server, *messages)
    assert told.pop("heard") == messages
    assert told == {
        "protocol": "",
        "extensions": "permessage-deflate",
        "code": 4321,
        "reason": "",  # the answer to a close frame has none
        "isClean": True,
    }


def test_subprotocol_is_agreed_on(driver: WebDriver, server: LiveServer) -> None:
    told = talk(driver, server, "subprotocol", protocols=("first", "second"))
    assert told["protocol"] == "second"
    assert told["heard"] == ['{"subprotocol": "second"}']


def test_page_is_told_code_and_reason_of_the_handler(
    driver: WebDriver, server: LiveServer
) -> None:
    told = talk(driver, server, "a", "close 4000 that was all", "never sent")
    assert told["heard"] == ["a"]
    assert (told["code"], told["reason"]) == (4000, "that was all")
    assert told["isClean"]


def test_page_of_another_site_gets_no_connection(
    driver: WebDriver, server: LiveServer
) -> None:
    told = talk(driver, server, "a", page_host="localhost")
    assert told["heard"] == []
    assert (told["code"], told["isClean"]) == (1006, False)
