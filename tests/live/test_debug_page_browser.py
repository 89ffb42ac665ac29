"""The debug page as a developer sees it: a real server and headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By

from tests.browser import missing_browser, open_browser, take_screenshot
from tests.live.client import HOST
from tests.live.servers import LiveServer

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver

pytestmark = [
    pytest.mark.live,
    pytest.mark.browser,
    pytest.mark.skipif(bool(missing_browser()), reason=missing_browser() or "is there"),
]

PROGRAM = "failing"

# Nothing sticks out of a narrow page.
FITS = (
    "const page = document.documentElement;return page.scrollWidth <= page.clientWidth"
)

# Of the text on what is behind it (WCAG 2.1, contrast ratio), the least of the page.
LEAST_CONTRAST = """
const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const numbers = color => color.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) =>
  0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = element => {
  for (; element; element = element.parentElement) {
    const color = numbers(getComputedStyle(element).backgroundColor);
    if (color.length === 3 || color[3] > 0) return color;
  }
  return [255, 255, 255];
};
const texts = [...document.querySelectorAll("body *")].filter(element =>
  [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
return Math.min(...texts.map(element => {
  const [dark, light] = [numbers(getComputedStyle(element).color), behind(element)]
    .map(luminance).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}));
"""


@pytest.fixture(params=["desktop", "phone"])
def browser(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[WebDriver, str]]:
    is_phone = request.param == "phone"
    with open_browser(tmp_path / "profile", phone=is_phone) as driver:
        yield driver, request.param


def text_of(driver: WebDriver, selector: str) -> str:
    return "\n".join(e.text for e in driver.find_elements(By.CSS_SELECTOR, selector))


def use_colors(driver: WebDriver, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def run(driver: WebDriver, script: str) -> Any:
    return driver.execute_script(script)


@pytest.mark.parametrize("server", ["waitress"], indirect=True)
def test_failing_handler_is_shown(
    server: LiveServer, browser: tuple[WebDriver, str], tmp_path: Path
) -> None:
    driver, screen = browser
    address = f"http://{HOST}:{server.port}"
    driver.get(f"{address}/enter")
    driver.get(f"{address}/price/milk?amount=2&access_token=f00")
    assert driver.title.startswith(
        "tests.live.programs.failing.PriceError: <b>milk</b>"
    )
    assert text_of(driver, "h1") == "tests.live.programs.failing.PriceError"
    assert text_of(driver, "header .message") == (
        "<b>milk</b> has no price, as [masked] should know"
    )
    assert driver.find_elements(By.TAG_NAME, "b") == []
    # The cause comes first; the lines that ran are marked.
    assert text_of(driver, "h3").startswith("KeyError\ntests.live.programs")
    marks = text_of(driver, "mark")
    assert "return prices[name]" in marks
    assert "raise PriceError(message) from error" in marks
    assert "The names are those of the catalogue." in text_of(driver, ".note")
    assert "f00" not in run(driver, "return document.body.textContent")

    # The package's own frame is there for who wants it.
    folded = driver.find_element(By.CSS_SELECTOR, "details:not([open])")
    assert not folded.find_element(By.CLASS_NAME, "source").is_displayed()
    folded.find_element(By.TAG_NAME, "summary").click()
    assert folded.find_element(By.CLASS_NAME, "source").is_displayed()

    # The links lead to the parts, and the plain text is there to be copied.
    driver.find_element(By.LINK_TEXT, "Plain text").click()
    assert driver.current_url.endswith("#plain")
    area = driver.find_element(By.TAG_NAME, "textarea")
    assert area.is_displayed()
    assert str(area.get_property("value")).startswith("Traceback (most recent call")

    assert run(driver, FITS)
    for scheme in ("light", "dark"):
        use_colors(driver, scheme)
        assert run(driver, LEAST_CONTRAST) >= 4.5
        run(driver, "scrollTo(0, 0)")
        take_screenshot(driver, f"debug-handler-{screen}-{scheme}", tmp_path)


@pytest.mark.parametrize("server", ["waitress"], indirect=True)
def test_policy_lets_the_style_in_and_nothing_else(
    server: LiveServer, browser: tuple[WebDriver, str]
) -> None:
    driver, _ = browser
    driver.get(f"http://{HOST}:{server.port}/price/milk")
    assert run(driver, "return getComputedStyle(document.body).margin") == "0px"
    created = run(
        driver,
        "const script = document.createElement('script');"
        "script.textContent = 'window.hasRun = true';"
        "document.body.append(script); return window.hasRun === true",
    )
    assert created is False
    refused = [str(entry["message"]) for entry in driver.get_log("browser")]  # type: ignore[attr-defined]  # Chrome's own
    assert any("Content Security Policy" in message for message in refused)
    assert not any("style" in message.partition("script")[0] for message in refused)


@pytest.mark.parametrize("server", ["waitress"], indirect=True)
def test_failing_template_shows_its_line(
    server: LiveServer, browser: tuple[WebDriver, str], tmp_path: Path
) -> None:
    driver, screen = browser
    driver.get(f"http://{HOST}:{server.port}/basket")
    assert text_of(driver, "h1") == "AttributeError"
    frames = driver.find_elements(By.CSS_SELECTOR, "details.yours")
    assert [frame.text.split()[0] for frame in frames][-1] == "basket.html:6"
    last = frames[-1]
    assert last.find_element(By.CLASS_NAME, "tag").text == "template"
    assert "{{ price.amount }}" in last.find_element(By.TAG_NAME, "mark").text
    assert "<h1>Your basket</h1>" in last.text
    assert run(driver, FITS)
    driver.execute_script("arguments[0].scrollIntoView()", last)
    take_screenshot(driver, f"debug-template-{screen}", tmp_path)


@pytest.mark.parametrize("server", ["waitress"], indirect=True)
def test_mistake_in_a_template_is_named(
    server: LiveServer, browser: tuple[WebDriver, str], tmp_path: Path
) -> None:
    driver, screen = browser
    driver.get(f"http://{HOST}:{server.port}/wrong")
    assert "ParseError" in text_of(driver, "h1")
    assert "wrong.html:2" in text_of(driver, "header .message")
    take_screenshot(driver, f"debug-parse-error-{screen}", tmp_path)


@pytest.mark.parametrize("server", ["waitress"], indirect=True)
def test_deep_recursion_is_a_page_of_bearable_length(
    server: LiveServer, browser: tuple[WebDriver, str], tmp_path: Path
) -> None:
    driver, screen = browser
    driver.get(f"http://{HOST}:{server.port}/deep")
    assert text_of(driver, "h1") == "RecursionError"
    assert len(driver.find_elements(By.CSS_SELECTOR, "details.yours[open]")) == 1
    assert "frames are left out" in text_of(driver, "li.soft")
    assert run(driver, FITS)
    take_screenshot(driver, f"debug-recursion-{screen}", tmp_path)
