"""Sessions of asynchronous and streamed answers: nothing changes once they are sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import call
from tests.web.session_site import SECRET, Browser, set_cookie
from wsgitornado.httputil import HTTPOutputError
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    RequestHandler,
    SessionMixin,
    StaticFileHandler,
)


@pytest.mark.parametrize(
    ("target", "text", "values"),
    [("/async", "done", {"async": True}), ("/stream", "one two", {"list": []})],
)
def test_coroutine_saves_the_session(target: str, text: str, values: object) -> None:
    browser = Browser()
    answer = browser.ask(target)
    assert answer.text == text
    assert answer.headers["Vary"] == "Cookie"
    assert json.loads(browser.ask("/read").body) == values


def test_change_after_the_headers_raises() -> None:
    with (
        ExpectLog("wsgitornado.application", "(?s)Uncaught exception GET /stream"),
        ExpectLog("wsgitornado.general", "Cannot send error response after headers"),
        pytest.raises(HTTPOutputError, match=r"broke off .*RuntimeError"),
    ):
        Browser().ask("/stream?late=item")


@pytest.mark.parametrize("late", ["in+place", "no+JSON"])
def test_change_in_place_after_the_headers_is_logged(late: str) -> None:
    browser = Browser()
    with ExpectLog("wsgitornado.application", "GET /stream.*the change is lost") as log:
        assert browser.ask(f"/stream?late={late}").text == "one two"
    assert log.matched == 1
    assert browser.ask("/read").text == '{"list": []}'


def test_session_can_be_read_after_the_headers() -> None:
    browser = Browser()
    assert browser.ask("/late").text == "read None"
    browser.ask("/write", {"a": 1})
    answer = browser.ask("/late")
    assert (answer.text, set_cookie(answer)) == ("read 1", None)


def test_session_that_is_read_after_the_headers_cannot_be_changed() -> None:
    browser = Browser()
    browser.ask("/write", {"a": 1})
    with (
        ExpectLog("wsgitornado.application", "(?s)Uncaught exception GET /late"),
        ExpectLog("wsgitornado.general", "Cannot send error response after headers"),
        pytest.raises(HTTPOutputError),
    ):
        browser.ask("/late?change=1")


def test_change_after_finish_raises() -> None:
    browser = Browser()
    with ExpectLog("wsgitornado.application", "(?s)Uncaught exception GET /finished"):
        assert browser.ask("/finished").text == "done"
    assert browser.ask("/read").text == '{"a": 1}'


def test_answer_to_head_saves_the_session() -> None:
    class Head(SessionMixin, RequestHandler):
        def head(self) -> None:
            self.session["a"] = 1

    answer = call(Application([("/", Head)], cookie_secret=SECRET), "/", "HEAD")
    assert set_cookie(answer) is not None


def test_file_saves_the_session(tmp_path: Path) -> None:
    class Files(SessionMixin, StaticFileHandler):
        def set_extra_headers(self, path: str) -> None:
            self.session["path"] = path

    (tmp_path / "a.txt").write_text("file")
    rules: list[Any] = [("/(.*)", Files, {"path": str(tmp_path)})]
    answer = call(Application(rules, cookie_secret=SECRET), "/a.txt")
    assert answer.text == "file"
    assert set_cookie(answer) is not None
    assert answer.headers["Vary"] == "Cookie"
