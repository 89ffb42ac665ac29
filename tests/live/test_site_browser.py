"""The library as its readers use it: a real server, Chromium, three languages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser import has_left, missing_browser, open_browser, take_screenshot
from tests.live.client import HOST
from tests.live.servers import SERVERS, LiveServer, run_command

if TYPE_CHECKING:
    from selenium.webdriver.remote.webdriver import WebDriver
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = [
    pytest.mark.live,
    pytest.mark.browser,
    pytest.mark.skipif(bool(missing_browser()), reason=missing_browser() or "is there"),
]

BOUND = 30  # seconds: for a busy machine, not a measure of anything
PASSWORD = "correct horse battery"

DESKTOP = (1280, 900)
PHONE = (390, 844)


@dataclass(frozen=True)
class Words:
    """What the pages say in a language."""

    code: str
    direction: str
    welcome: str
    catalogue: str
    one_book: str
    short_password: str
    due: str
    no_stars: str
    letters_left: str


LANGUAGES = [
    Words(
        "en",
        "ltr",
        "A light in the window, a book in the hand",
        "Catalogue",
        "1 book",
        "Please use at least 8 letters, digits or signs.",
        "You have this book. Bring it back by",
        "Please choose from one to five stars.",
        "Letters left:",
    ),
    Words(
        "de",
        "ltr",
        "Ein Licht im Fenster, ein Buch in der Hand",
        "Katalog",
        "1 Buch",
        "Bitte nehmen Sie mindestens 8 Buchstaben, Ziffern oder Zeichen.",
        "Sie haben dieses Buch. Rückgabe bis",
        "Bitte wählen Sie einen bis fünf Sterne.",
        "Noch frei:",
    ),
    Words(
        "ar",
        "rtl",
        "نور في النافذة وكتاب في اليد",
        "الفهرس",
        "كتاب واحد",
        "الحد الأدنى لعدد الأحرف أو الأرقام أو الرموز هو 8.",
        "هذا الكتاب عندك. موعد الإعادة:",
        "يُرجى اختيار تقييم من نجمة إلى خمس نجوم.",
        "الأحرف المتبقية:",
    ),
]

# A page that fails in a template: a program such as somebody has who works on one.
BROKEN = """\
from examples.library import make_app
from examples.library.handlers import BaseHandler


class BrokenHandler(BaseHandler):
    def get(self):
        self.render("book.html", book=None)


app = make_app(debug=True)
app.add_handlers(".*", [(r"/broken", BrokenHandler)])
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The library as its docstring has it served."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIBRARY_DATA", str(tmp_path_factory.mktemp("library")))
        patch.delenv("LIBRARY_DEBUG", raising=False)
        command = [sys.executable, "-m", "examples.library", "--port", "0"]
        with run_command("waitress", command) as server:
            yield address_of(server)
            assert server.tracebacks() == []


def address_of(server: LiveServer) -> str:
    return f"http://{HOST}:{server.port}"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[WebDriver]:
    with open_browser(tmp_path / "profile") as driver:
        show_as(driver, DESKTOP)
        yield driver


def show_as(browser: WebDriver, size: tuple[int, int], scheme: str = "light") -> None:
    """Give the page a size, and the colours that its reader has asked for."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
    metrics["mobile"] = width == PHONE[0]
    send(browser, "Emulation.setDeviceMetricsOverride", **metrics)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    send(browser, "Emulation.setEmulatedMedia", features=[feature])


def send(browser: Any, command: str, **arguments: Any) -> None:
    """Say something to Chromium that is not in the WebDriver standard."""
    browser.execute_cdp_cmd(command, arguments)


def photograph(
    browser: WebDriver,
    name: str,
    folder: Path,
    size: tuple[int, int] = DESKTOP,
    scheme: str = "light",
) -> None:
    """Save the whole page, as it is on a screen of this width; nothing sticks out."""
    show_as(browser, size, scheme)
    height = browser.execute_script("return document.documentElement.scrollHeight")
    show_as(browser, (size[0], min(height, 2400)), scheme)
    assert browser.execute_script(
        "const page = document.documentElement;"
        "return page.scrollWidth <= page.clientWidth"
    )
    take_screenshot(browser, f"site-{name}", folder)
    show_as(browser, DESKTOP)


def find(browser: WebDriver, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def press(browser: WebDriver, selector: str) -> None:
    """Press a button or a link and wait for the next page."""
    page = find(browser, "html")
    find(browser, selector).click()
    wait_for_next(browser, page)


def wait_for_next(browser: WebDriver, page: WebElement) -> None:
    WebDriverWait(browser, BOUND).until(has_left(page))
    WebDriverWait(browser, BOUND).until(
        lambda driver: driver.execute_script("return document.readyState") == "complete"
    )


def path_of(browser: WebDriver) -> str:
    return urlsplit(browser.current_url).path


def type_into(browser: WebDriver, **texts: str) -> None:
    for name, text in texts.items():
        field = find(browser, f"main [name={name}]")
        field.clear()
        field.send_keys(text)


def value_of(browser: WebDriver, name: str) -> str | None:
    return find(browser, f"main [name={name}]").get_property("value")  # type: ignore[return-value]  # of a field


def complaints(browser: Any) -> list[str]:
    """What the console has said; that a page was a 422 itself is not a complaint."""
    return [
        entry["message"]
        for entry in browser.get_log("browser")
        if "the server responded with a status of 422" not in entry["message"]
    ]


def loaded_files(browser: WebDriver) -> list[dict[str, Any]]:
    """What the page has loaded, by what the browser measured."""
    found: list[dict[str, Any]] = browser.execute_script(
        "return performance.getEntriesByType('resource').map(entry => ({"
        "  url: entry.name, status: entry.responseStatus, size: entry.transferSize}))"
    )
    return found


def colour_of(browser: WebDriver, selector: str, name: str = "color") -> str:
    return find(browser, selector).value_of_css_property(name)


def left_edge(browser: WebDriver, selector: str) -> int:
    return int(find(browser, selector).rect["x"])


def choose_language(browser: WebDriver, words: Words) -> None:
    press(browser, f".languages [value={words.code}]")
    page = find(browser, "html")
    assert page.get_attribute("lang") == words.code
    assert page.get_attribute("dir") == words.direction
    # The page is turned round where the language is.
    is_first = left_edge(browser, ".brand") < left_edge(browser, ".languages")
    assert is_first is (words.direction == "ltr")


@pytest.mark.parametrize("words", LANGUAGES, ids=lambda words: words.code)
def test_reader_goes_through_the_library(
    address: str, browser: WebDriver, tmp_path: Path, words: Words
) -> None:
    def photograph_in_language(name: str) -> None:
        photograph(browser, f"{name}-{words.code}", tmp_path)
        photograph(browser, f"{name}-{words.code}-phone", tmp_path, PHONE)

    browser.get(address)
    choose_language(browser, words)
    assert find(browser, "h1").text == words.welcome
    photograph_in_language("home")

    # The catalogue; the key of its module leads to the search box.
    press(browser, "nav a[href='/books']")
    assert find(browser, "h1").text == words.catalogue
    assert len(browser.find_elements(By.CSS_SELECTOR, ".book-card")) == 9
    photograph_in_language("catalogue")
    find(browser, "body").send_keys("/")
    page = find(browser, "html")
    browser.switch_to.active_element.send_keys("KAFKA", Keys.ENTER)
    wait_for_next(browser, page)
    assert find(browser, ".count").text == words.one_book
    assert value_of(browser, "q") == "KAFKA"

    press(browser, ".book-card a")
    assert find(browser, "h1").text == "Die Verwandlung"
    assert browser.title.startswith("Die Verwandlung · ")
    assert find(browser, ".cover").get_property("naturalWidth")

    # A refused form keeps the name, and says in the language what is wrong.
    press(browser, ".loan a")
    press(browser, ".narrow > p a")
    name = f"Zoë <b> {words.code}"
    type_into(browser, name=name, password="short")
    press(browser, "#credentials button")
    assert find(browser, "#password-problem").text == words.short_password
    assert find(browser, "#password").get_attribute("aria-invalid") == "true"
    assert value_of(browser, "name") == name
    assert value_of(browser, "password") == ""
    assert colour_of(browser, "#password-problem") != colour_of(browser, "main")
    photograph_in_language("form-error")
    type_into(browser, password=PASSWORD)
    press(browser, "#credentials button")

    # Back at the book, which can be borrowed now.
    assert path_of(browser) == "/books/verwandlung"
    press(browser, ".loan button")
    assert find(browser, ".loan p").text.startswith(words.due)

    # A review without stars keeps its text; the star is chosen by its picture.
    text = "Läßt einen nicht los <i>\nhttps://example.com/"
    type_into(browser, text=text)
    assert find(browser, ".left").text == f"{words.letters_left} {1000 - len(text)}"
    press(browser, "#review button")
    assert find(browser, "#stars-problem").text == words.no_stars
    assert value_of(browser, "text") == text
    photograph_in_language("review-error")
    find(browser, "#review label:nth-of-type(4)").click()
    press(browser, "#review button")
    review = find(browser, ".review")  # the newest
    assert review.find_element(By.CLASS_NAME, "text").text == text
    assert len(review.find_elements(By.CSS_SELECTOR, ".star.full")) == 4
    photograph_in_language("book")

    press(browser, "nav a[href='/loans']")
    photograph_in_language("loans")
    press(browser, ".loans button")
    assert browser.find_elements(By.CSS_SELECTOR, ".loans") == []
    press(browser, "nav a[href='/about']")
    photograph_in_language("about")
    press(browser, "#signout button")
    assert path_of(browser) == "/"
    assert browser.find_elements(By.ID, "signout") == []
    assert complaints(browser) == []


def test_static_files_are_loaded_with_their_version_and_once(
    address: str, browser: WebDriver
) -> None:
    browser.get(f"{address}/books")
    files = loaded_files(browser)
    assert {file["status"] for file in files} == {200}
    kinds = {urlsplit(file["url"]).path.rpartition(".")[2] for file in files}
    assert kinds >= {"css", "svg"}
    assert all("/static/" in file["url"] and "?v=" in file["url"] for file in files)
    # Coming back by a link, the browser has them all.
    press(browser, "nav a[href='/about']")
    press(browser, "nav a[href='/books']")
    again = loaded_files(browser)
    assert {file["url"] for file in again} >= {
        file["url"] for file in files if file["url"].partition("?")[0].endswith(".css")
    }
    assert {file["size"] for file in again} == {0}
    # A script, too; and what it makes is there.
    browser.get(f"{address}/join")
    scripts = [file["url"] for file in loaded_files(browser) if ".js?" in file["url"]]
    assert [urlsplit(url).path for url in scripts] == ["/static/parts/letter_count.js"]
    assert complaints(browser) == []


def test_reader_who_likes_it_dark_has_it_dark(
    address: str, browser: WebDriver, tmp_path: Path
) -> None:
    browser.get(f"{address}/books")
    light = colour_of(browser, "body", "background-color")
    show_as(browser, DESKTOP, "dark")
    assert colour_of(browser, "body", "background-color") != light
    photograph(browser, "catalogue-dark", tmp_path, DESKTOP, "dark")
    browser.get(f"{address}/books/kalila")
    photograph(browser, "book-dark-phone", tmp_path, PHONE, "dark")


def test_keyboard_alone_reaches_the_content(address: str, browser: WebDriver) -> None:
    browser.get(f"{address}/books")
    find(browser, "body").send_keys(Keys.TAB)
    skip = browser.switch_to.active_element
    assert skip.get_attribute("href") == f"{address}/books#main"
    assert skip.rect["y"] >= 0
    skip.send_keys(Keys.ENTER)
    browser.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("id") == "q"


def test_page_that_fails_shows_the_line_of_the_template(
    browser: WebDriver, tmp_path: Path
) -> None:
    (tmp_path / "broken_library.py").write_text(BROKEN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        patch.setenv("LIBRARY_DATA", str(tmp_path / "data"))
        command = [*SERVERS["waitress"], "broken_library:app"]
        with run_command("waitress", command) as server:
            address = address_of(server)
            browser.get(f"{address}/signin")
            type_into(browser, name="Nobody", password="a secret of mine")
            press(browser, "#credentials button")
            cookies = [cookie["value"] for cookie in browser.get_cookies()]
            browser.get(f"{address}/broken?word=shown&password=hidden-word")
            photograph(browser, "debug", tmp_path)
            photograph(browser, "debug-phone", tmp_path, PHONE)
            photograph(browser, "debug-dark", tmp_path, DESKTOP, "dark")
            server.wait_for_line("Traceback")
    assert find(browser, "h1").text == "AttributeError"
    source = browser.page_source
    assert "'NoneType' object has no attribute 'title'" in source
    assert "book.html" in source
    marked = [line.text for line in browser.find_elements(By.CSS_SELECTOR, "mark")]
    assert any("{{ book.title }}" in line for line in marked)
    assert "BrokenHandler" in source
    assert "shown" in source
    for secret in [*cookies, "a secret of mine", "hidden-word"]:
        assert secret not in source


def test_unknown_address_shows_a_page_of_the_library(
    address: str, browser: WebDriver, tmp_path: Path
) -> None:
    browser.get(f"{address}/nowhere")
    choose_language(browser, LANGUAGES[0])
    browser.get(f"{address}/nowhere")
    assert browser.title.startswith("404 · ")
    photograph(browser, "404", tmp_path)
    press(browser, "main a")
    assert path_of(browser) == "/"
