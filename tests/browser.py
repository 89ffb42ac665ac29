"""A headless Chromium for tests, driven through selenium and never downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from selenium.common.exceptions import (
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

__all__ = ["has_left", "missing_browser", "open_browser", "take_screenshot"]

CHROMIUM = (
    shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
CHROMEDRIVER = shutil.which("chromedriver")

FLAGS = [
    "--headless=new",
    "--no-sandbox",  # a container's root user has no other way
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def missing_browser() -> str:
    """Name what a browser test lacks on this machine; empty when nothing is missing."""
    if CHROMIUM is None:
        return "no chromium on PATH"
    if CHROMEDRIVER is None:
        return "no chromedriver on PATH"
    return ""


def has_left(element: WebElement) -> Callable[[WebDriver], bool]:
    """A condition to wait for: the page that the element was on has given way.

    Asked in the middle of the change, the driver has another error than selenium's
    ``staleness_of`` knows.
    """

    def condition(driver: WebDriver) -> bool:
        try:
            element.is_enabled()
        except StaleElementReferenceException:
            return True
        except WebDriverException as error:
            if "does not belong to the document" in str(error.msg):
                return True
            raise
        return False

    return condition


@contextmanager
def open_browser(profile: Path, *, phone: bool = False) -> Iterator[WebDriver]:
    """Run a browser with a new profile in the given folder until the block ends.

    The page is as wide as on a desktop, or as narrow as on a telephone.
    """
    if missing_browser():
        raise RuntimeError(f"{missing_browser()}: skip the test when it is missing")
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in FLAGS:
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.add_argument("--window-size=1000,900")
    if phone:
        metrics = {"width": 360, "height": 740, "pixelRatio": 2}
        options.add_experimental_option("mobileEmulation", {"deviceMetrics": metrics})
    # The explicit path keeps selenium from looking for, and fetching, a driver.
    driver = Chrome(options=options, service=Service(executable_path=CHROMEDRIVER))
    try:
        driver.set_page_load_timeout(30)
        yield driver
    finally:
        driver.quit()


def take_screenshot(driver: WebDriver, name: str, folder: Path) -> Path:
    """Save what the window shows as ``name.png``.

    It goes to the folder, and to the one named by WSGITORNADO_SCREENSHOTS if that is
    set, where it outlives the test.
    """
    picture = folder / f"{name}.png"
    if not driver.save_screenshot(str(picture)):
        raise OSError(f"the browser could not write {picture}")
    kept = os.environ.get("WSGITORNADO_SCREENSHOTS")
    if kept:
        Path(kept).mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, kept)
    return picture
