"""Django's admin beside our page, as an editor uses them: one server, one browser."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser import has_left, missing_browser, open_browser, take_screenshot
from tests.live.client import HOST
from tests.live.servers import ROOT, SERVERS, LiveServer, run_command

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

pytestmark = [
    pytest.mark.live,
    pytest.mark.browser,
    pytest.mark.skipif(bool(missing_browser()), reason=missing_browser() or "is there"),
]

BOUND = 30  # seconds: for a busy machine, not a measure of anything
PASSWORD = "correct horse battery"

# Not transparent only with the style sheet of the admin.
HEADER_COLOR = (
    "return getComputedStyle(document.querySelector('#header')).backgroundColor"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """The example as its docstring has it served, with an account for the admin."""
    data = tmp_path_factory.mktemp("board")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_INSIDE_DATA", str(data))
        command = [*SERVERS["waitress"], "examples.django_inside:app"]
        with run_command("waitress", command) as server:
            create_superuser()
            yield server


def create_superuser() -> None:
    """Run the second command of the docstring."""
    subprocess.run(
        [
            *(sys.executable, "-m", "django", "createsuperuser", "--noinput"),
            *("--settings", "examples.django_inside.settings"),
            *("--username", "ada", "--email", "ada@example.com"),
        ],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SUPERUSER_PASSWORD": PASSWORD},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=BOUND,
    )


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    with open_browser(tmp_path / "profile") as driver:
        yield driver


def press(browser: WebDriver, selector: str) -> None:
    """Press a button or a link and wait for the next page."""
    page = browser.find_element(By.TAG_NAME, "html")
    browser.find_element(By.CSS_SELECTOR, selector).click()
    WebDriverWait(browser, BOUND).until(has_left(page))
    WebDriverWait(browser, BOUND).until(
        lambda driver: driver.execute_script("return document.readyState") == "complete"
    )


def fill(browser: WebDriver, **texts: str) -> None:
    for name, text in texts.items():
        browser.find_element(By.NAME, name).send_keys(text)


def titles(browser: WebDriver) -> list[str]:
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, "h2")]


def failed_loads(browser: WebDriver) -> list[str]:
    """The files of the page that could not be had, by what the browser measured."""
    found: list[str] = browser.execute_script(
        "return performance.getEntriesByType('resource')"
        ".filter(entry => entry.responseStatus >= 400).map(entry => entry.name)"
    )
    # For the admin's pages, which name no icon, the browser asks by itself.
    return [name for name in found if not name.endswith("/favicon.ico")]


def test_editor_logs_in_writes_in_the_admin_and_sees_it_on_our_page(
    server: LiveServer, browser: WebDriver, tmp_path: Path
) -> None:
    address = f"http://{HOST}:{server.port}"
    browser.get(address)
    assert browser.title == "Notice board"
    assert titles(browser) == []
    take_screenshot(browser, "django-board-empty", tmp_path)

    # Our page of drafts sends to Django's login, and that sends back.
    press(browser, "a[href='/drafts']")
    assert browser.current_url == f"{address}/admin/login/?next=%2Fdrafts"
    assert failed_loads(browser) == []
    take_screenshot(browser, "django-admin-login", tmp_path)
    fill(browser, username="ada", password=PASSWORD)
    press(browser, "[type=submit]")
    assert browser.current_url == f"{address}/drafts"
    assert "ada is logged in" in browser.find_element(By.TAG_NAME, "nav").text

    # A notice is written in the admin, which has its styles and scripts.
    press(browser, "a[href='/admin/']")
    assert browser.execute_script(HEADER_COLOR) != "rgba(0, 0, 0, 0)"
    take_screenshot(browser, "django-admin", tmp_path)
    press(browser, "a[href='/admin/django_inside/notice/add/']")
    fill(browser, title="Bake <sale>", text="Saturday at noon\nin the yard")
    assert failed_loads(browser) == []
    take_screenshot(browser, "django-admin-add", tmp_path)
    press(browser, "[name=_save]")
    assert "was added successfully" in browser.find_element(By.TAG_NAME, "main").text

    # It is on our page, in the same process.
    browser.get(address)
    assert titles(browser) == ["Bake <sale>"]
    assert browser.find_element(By.CSS_SELECTOR, "article p").text == (
        "Saturday at noon\nin the yard"
    )
    assert failed_loads(browser) == []
    take_screenshot(browser, "django-board", tmp_path)
    assert server.tracebacks() == []


def test_editor_imports_a_file_that_becomes_drafts(
    server: LiveServer, browser: WebDriver, tmp_path: Path
) -> None:
    address = f"http://{HOST}:{server.port}"
    notices = tmp_path / "notices.csv"
    notices.write_text("title,text\r\nLost cat,Black and white\r\n")
    browser.get(f"{address}/import")
    fill(browser, username="ada", password=PASSWORD)
    press(browser, "[type=submit]")
    assert browser.current_url == f"{address}/import"
    assert browser.title == "Import"
    take_screenshot(browser, "django-import", tmp_path)
    fill(browser, file=str(notices))
    press(browser, "button")
    assert browser.current_url == f"{address}/drafts"
    assert titles(browser) == ["Lost cat"]
    take_screenshot(browser, "django-drafts", tmp_path)
