"""The guestbook as its readers use it: a real server and headless Chromium."""

from __future__ import annotations

import contextlib
import os
import queue
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser import has_left, missing_browser, open_browser, take_screenshot

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = [
    pytest.mark.live,
    pytest.mark.browser,
    pytest.mark.skipif(bool(missing_browser()), reason=missing_browser() or "is there"),
]

ROOT = Path(__file__).resolve().parents[2]
READY = "listening on "
BOUND = 30  # seconds: for a busy machine, not a measure of anything


@contextlib.contextmanager
def serve_guestbook(data_dir: Path) -> Iterator[str]:
    """Run the guestbook as the README's first command does, and give its address."""
    command = [sys.executable, "-m", "wsgitornado", "serve", "examples.guestbook:app"]
    with subprocess.Popen(
        [*command, "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "GUESTBOOK_DATA": str(data_dir)},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        reader = threading.Thread(target=read_lines, args=(server, lines))
        reader.start()
        try:
            yield find_address(lines)
        finally:
            server.terminate()
            try:
                server.wait(BOUND)
            except subprocess.TimeoutExpired:
                server.kill()
                raise
            finally:
                reader.join(BOUND)


def read_lines(server: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    """Take what the server logs, to the end, so that its pipe never fills."""
    assert server.stderr is not None
    for line in server.stderr:
        lines.put(line)
    lines.put("")  # the end


def find_address(lines: queue.SimpleQueue[str]) -> str:
    seen = []
    deadline = time.monotonic() + BOUND
    while True:
        line = lines.get(timeout=max(0, deadline - time.monotonic()))
        seen.append(line)
        if READY in line:
            return line.split(READY)[1].split()[0].rstrip("/")
        if not line:
            pytest.fail("the server ended before it listened:\n" + "".join(seen))


def make_png(width: int, height: int) -> bytes:
    """Draw a small sunset, as a PNG (RFC 2083: signature, IHDR, IDAT, IEND)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    rows = b"".join(
        b"\0" + bytes((250, 190 - 140 * y // height, 80 + 60 * y // height)) * width
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_guestbook(tmp_path_factory.mktemp("guestbook")) as address:
        yield address


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    with open_browser(tmp_path / "profile") as driver:
        yield driver


def send_form(
    browser: WebDriver, name: str, message: str, picture: Path | None = None
) -> None:
    """Fill the form in, send it, and wait for the page that answers."""
    for field, text in (("name", name), ("message", message)):
        element = browser.find_element(By.ID, field)
        element.clear()
        element.send_keys(text)
    if picture is not None:
        browser.find_element(By.ID, "picture").send_keys(str(picture))
    press(browser, "#write button")


def press(browser: WebDriver, selector: str) -> None:
    """Press a button of a form and wait for the next page."""
    page = browser.find_element(By.TAG_NAME, "html")
    browser.find_element(By.CSS_SELECTOR, selector).click()
    WebDriverWait(browser, BOUND).until(has_left(page))
    WebDriverWait(browser, BOUND).until(
        lambda driver: driver.execute_script("return document.readyState") == "complete"
    )


def field_value(browser: WebDriver, field: str) -> str | None:
    return browser.find_element(By.ID, field).get_property("value")  # type: ignore[return-value]  # of a text field


def find_entries(browser: WebDriver) -> list[WebElement]:
    return browser.find_elements(By.TAG_NAME, "article")


def test_visitor_writes_looks_comes_back_and_deletes(
    address: str, browser: WebDriver, tmp_path: Path
) -> None:
    sunset = tmp_path / "sunset.png"
    sunset.write_bytes(make_png(320, 180))
    browser.get(address)
    assert browser.title == "Guestbook"
    assert find_entries(browser) == []
    take_screenshot(browser, "guestbook-empty", tmp_path)

    # The entry and its picture are there, at the end of the redirect.
    send_form(
        browser, "Zoë <b>", "What a view!\n<script>document.title=1</script>", sunset
    )
    assert browser.current_url == f"{address}/#entry-1"
    (entry,) = find_entries(browser)
    assert entry.find_element(By.TAG_NAME, "h2").text == "Zoë <b>"
    message = entry.find_element(By.CLASS_NAME, "message").text
    assert message == "What a view!\n<script>document.title=1</script>"
    assert browser.title == "Guestbook"
    picture = entry.find_element(By.TAG_NAME, "img")
    WebDriverWait(browser, BOUND).until(
        lambda driver: driver.execute_script("return arguments[0].complete", picture)
    )
    assert picture.get_property("naturalWidth") == 320
    assert picture.get_property("naturalHeight") == 180
    take_screenshot(browser, "guestbook-entry", tmp_path)

    # A reload sends no form again, and the name is remembered.
    browser.refresh()
    assert len(find_entries(browser)) == 1
    assert field_value(browser, "name") == "Zoë <b>"
    assert field_value(browser, "message") == ""

    # The page of the entry, and back by its heading.
    browser.find_element(By.CSS_SELECTOR, "article a").click()
    WebDriverWait(browser, BOUND).until(
        lambda driver: driver.current_url == f"{address}/entries/1"
    )
    assert browser.title == "Zoë <b> wrote"
    browser.find_element(By.CSS_SELECTOR, "h1 a").click()
    WebDriverWait(browser, BOUND).until(
        lambda driver: driver.current_url == f"{address}/"
    )

    press(browser, "article button")
    assert browser.current_url == f"{address}/"
    assert find_entries(browser) == []


def test_refused_form_keeps_the_texts_and_says_why(
    address: str, browser: WebDriver, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.png"
    notes.write_text("not a picture at all")
    browser.get(address)
    send_form(browser, "Grace", "Look at this", notes)
    (problem,) = browser.find_elements(By.CLASS_NAME, "problem")
    assert problem.text == "This is not a PNG, JPEG, GIF or WebP picture."
    assert field_value(browser, "name") == "Grace"
    assert field_value(browser, "message") == "Look at this"
    assert find_entries(browser) == []
    take_screenshot(browser, "guestbook-refused", tmp_path)


def test_blank_text_passes_the_browser_but_not_the_server(
    address: str, browser: WebDriver
) -> None:
    browser.get(address)
    send_form(browser, "Grace", "   ")
    assert browser.find_element(By.ID, "message-problem").is_displayed()
    assert find_entries(browser) == []


def test_other_visitor_sees_the_entry_but_no_button(
    address: str, browser: WebDriver, tmp_path: Path
) -> None:
    browser.get(address)
    send_form(browser, "Ada", "Mine alone")
    assert browser.find_elements(By.CSS_SELECTOR, "article button")
    with open_browser(tmp_path / "other", phone=True) as other:
        other.get(address)
        (entry,) = find_entries(other)
        assert "Mine alone" in entry.text
        assert other.find_elements(By.CSS_SELECTOR, "article button") == []
        assert field_value(other, "name") == ""
        # Nothing sticks out of a narrow page.
        assert other.execute_script(
            "const page = document.documentElement;"
            "return page.scrollWidth <= page.clientWidth"
        )
        take_screenshot(other, "guestbook-phone", tmp_path)
    press(browser, "article button")
    assert find_entries(browser) == []


def test_unknown_address_shows_the_guestbooks_own_page(
    address: str, browser: WebDriver, tmp_path: Path
) -> None:
    browser.get(f"{address}/nowhere")
    assert browser.title == "404 Not Found"
    take_screenshot(browser, "guestbook-404", tmp_path)
    browser.find_element(By.CSS_SELECTOR, "h1 a").click()
    WebDriverWait(browser, BOUND).until(lambda driver: driver.title == "Guestbook")
