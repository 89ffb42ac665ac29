"""The page that a browser gets for an exception, under ``debug``."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import call
from tests.web.one_handler import answer
from tests.web.shown_page import (
    BROWSER,
    failing,
    failing_handler,
    parse,
    raising,
    shown,
)
from wsgitornado.routing import Matcher, Rule
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    HTTPError,
    MissingArgumentError,
    RequestHandler,
)
from wsgitornado.web.debug_page import prefers_html

APPLICATION = "wsgitornado.application"
GENERAL = "wsgitornado.general"


def fail(handler: RequestHandler) -> None:
    raise ValueError("<script>alert('no')</script>")


# Who gets it.


@pytest.mark.parametrize(
    "accept",
    [
        "text/html",
        BROWSER[1],
        "text/html,*/*;q=0.8",
        "TEXT/HTML ; Q=0.5, */*;q=0.1",
        "text/html;level=1;q=0.5,application/json;q=0.5,text/plain;q=0.5",
        "text/html;q=0.001",
        "text/html;q=0.5,text/*;q=0.9,text/plain;q=0.1,application/json;q=0",
        "text/html;q=nonsense",
        "text/html;q=0,text/html",
    ],
)
def test_browser_prefers_a_page(accept: str) -> None:
    assert prefers_html(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/*",
        "application/json",
        "text/plain, text/html;q=0.9",
        "application/json, text/html;q=0.9",
        "text/html;q=0.5, */*;q=0.8",
        "text/html;q=0.5, text/*;q=0.8",
        "text/html;q=0.5, application/*;q=0.8",
        "text/html;q=0",
        "text/html;q=0.000, */*;q=0",
        "text/htmlx",
        ",;,;=,",
    ],
)
def test_program_prefers_text(accept: str) -> None:
    assert not prefers_html(accept)


@given(st.text(max_size=50))
def test_any_accept_is_judged(accept: str) -> None:
    assert prefers_html(accept) in (True, False)


@pytest.mark.parametrize("setting", ["debug", "serve_traceback"])
def test_browser_gets_a_page(setting: str) -> None:
    settings: dict[str, Any] = {"debug": False, setting: True}
    got = failing(fail, **settings)
    assert got.status == "500 Internal Server Error"
    assert got.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert got.headers["Cache-Control"] == "no-store"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Referrer-Policy"] == "no-referrer"
    page = parse(got.text)
    assert page.text_of("h1") == "ValueError"
    assert page.text_of("title") == "ValueError: <script>alert('no')</script>"
    assert "in fail" in page.text_of("textarea")


def test_policy_allows_nothing_but_the_style_of_the_page() -> None:
    got = failing(fail)
    policy = got.headers["Content-Security-Policy"]
    style = re.findall(r"<style>(.*?)</style>", got.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    assert "url(" not in style[0]
    assert "@import" not in style[0]


@pytest.mark.parametrize("headers", [[], [("Accept", "*/*")]], ids=["none", "curl"])
def test_others_get_plain_text(headers: list[tuple[str, str]]) -> None:
    got = failing(fail, headers)
    assert got.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert "Content-Security-Policy" not in got.headers
    assert got.text.startswith("Traceback (most recent call last):\n")
    assert got.text.endswith("ValueError: <script>alert('no')</script>\n")


def test_head_gets_the_headers_of_the_page() -> None:
    with ExpectLog(APPLICATION, "Uncaught exception"):
        got = answer(fail, "HEAD", [BROWSER], debug=True)
    assert got.body == b""
    assert "Content-Security-Policy" in got.headers
    assert int(got.headers["Content-Length"]) > 1000


# Outside of debug.


def fail_with_a_cause(handler: RequestHandler) -> None:
    try:
        fail(handler)
    except ValueError as error:
        error.add_note("a note")
        raise KeyError("outer") from error


def fail_in_a_group(handler: RequestHandler) -> None:
    raise ExceptionGroup("group", [ValueError("one"), KeyError("two")])


def fail_to_compile(handler: RequestHandler) -> None:
    compile("a = = 1", "secret.py", "exec")


def fail_deep(handler: RequestHandler) -> None:
    fail_deep(handler)


class Broken(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError("in __str__")

    __repr__ = __str__


def write_and_fail(handler: RequestHandler) -> None:
    handler.write("half a page")
    handler.set_header("X-Half", "yes")
    fail(handler)


FAILURES = {
    "an exception": fail,
    "a cause": fail_with_a_cause,
    "a group": fail_in_a_group,
    "a mistake in code": fail_to_compile,
    "recursion": fail_deep,
    "a broken exception": raising(Broken()),
    "half a page": write_and_fail,
    "a surrogate": raising(ValueError("\ud800")),
}


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
@pytest.mark.parametrize("failure", FAILURES)
def test_nothing_leaks_outside_debug(failure: str, accept: str) -> None:
    got = failing(FAILURES[failure], [("Accept", accept)], debug=False)
    line = "500: Internal Server Error"
    assert got.text == f"<html><title>{line}</title><body>{line}</body></html>"
    assert sorted(got.headers) == ["Content-Length", "Content-Type"]


@pytest.mark.parametrize("failure", FAILURES)
def test_page_can_show_every_failure(failure: str) -> None:
    page = shown(FAILURES[failure])
    assert page.text_of("h1")
    assert re.search(r"(test_debug|shown)_page.py:\d", page.text_of("strong"))
    assert "half a page" not in page.text_of("main", "body")


# What Tornado shows with serve_traceback it shows here: HTTPError too.


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (HTTPError(403, "why %s", "not"), "HTTP 403: Forbidden (why not)"),
        (MissingArgumentError("<a>"), "HTTP 400: Bad Request (Missing argument <a>)"),
    ],
    ids=["HTTPError", "MissingArgumentError"],
)
@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_http_error_is_shown_too(error: HTTPError, line: str, accept: str) -> None:
    with ExpectLog(GENERAL, "40."):
        got = answer(raising(error), headers=[("Accept", accept)], debug=True)
    assert got.status_code == error.status_code
    if accept == "*/*":
        assert got.text.endswith(f".{type(error).__name__}: {line}\n")
    else:
        page = parse(got.text)
        assert page.text_of("h1") == f"wsgitornado.web.{type(error).__name__}"
        assert line in page.text_of("pre")
        assert str(error.status_code) in page.text_of("p")


def test_page_that_no_rule_has_is_shown_too() -> None:
    got = call(Application(debug=True), "/nowhere?a=b", headers=[BROWSER])
    page = parse(got.text)
    assert got.status_code == 404
    assert "none matched" in page.text_of("code")
    assert "wsgitornado.web.ErrorHandler" in page.text_of("code")


def test_error_without_an_exception_has_the_ordinary_page() -> None:
    got = answer(lambda h: h.send_error(404), headers=[BROWSER], debug=True)
    assert got.text.startswith("<html><title>404: Not Found")


# Whatever it holds, it is text.


AWKWARD = st.text(
    st.one_of(
        st.sampled_from("<>&\"'/!-;=\n\r\t\0 \x1b\u202e\ud800\ufffe"),
        st.characters(),
    )
)


@given(message=AWKWARD, note=AWKWARD)
def test_no_message_is_markup(message: str, note: str) -> None:
    error = ValueError(message)
    error.add_note(note)
    text = failing(raising(error)).text
    page = parse(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert page.tags.count("textarea") == 1
    if not re.search(r"[^\x20-\x7e]", message) and message.strip():
        assert message in page.text_of("pre")


@given(name=AWKWARD, value=AWKWARD)
def test_no_argument_is_markup(name: str, value: str) -> None:
    target = "/?" + "=".join(
        quote(text.encode("utf-8", "surrogatepass")) for text in (name, value)
    )
    application = Application([("/", failing_handler())], debug=True)
    with ExpectLog(APPLICATION, "Uncaught exception"):
        parse(call(application, target, headers=[BROWSER]).text)


@given(value=st.text(st.characters(max_codepoint=255)))
def test_no_header_is_markup(value: str) -> None:
    environ: dict[str, Any] = {
        "HTTP_X_OWN": value,
        "HTTP_USER_AGENT": f"</code>{value}",
    }
    application = Application([("/", failing_handler())], debug=True)
    with ExpectLog(APPLICATION, "Uncaught exception"):
        parse(call(application, "/", headers=[BROWSER], **environ).text)


def test_no_name_of_a_file_or_function_is_markup(tmp_path: Path) -> None:
    path = tmp_path / "<img src=x>.py"
    code = "def f(): raise ValueError('</textarea><script>')\n"
    path.write_text(code)
    namespace: dict[str, Any] = {}
    exec(compile(code, str(path), "exec"), namespace)
    page = shown(lambda h: namespace["f"]())
    assert "<img src=x>.py:1" in page.text_of("strong")
    assert "</textarea><script>" in page.text_of("textarea")


def test_name_of_an_exception_is_text() -> None:
    error = type("<b>", (Exception,), {"__module__": "<i>"})("</h1>")
    assert shown(raising(error)).text_of("h1") == "<i>.<b>"


# Whatever it holds, it is small.


@pytest.mark.parametrize(
    "error",
    [
        ValueError("<" * 50_000_000),
        ValueError("\0" * 1_000_000),
        ExceptionGroup("g" * 100_000, [ValueError("&" * 10_000) for _ in range(999)]),
        type("N" * 1_000_000, (Exception,), {})("m"),
    ],
    ids=["message", "controls", "group", "name"],
)
def test_page_is_small(error: Exception) -> None:
    text = failing(raising(error)).text
    parse(text)
    assert len(text) < 1_000_000


def test_page_of_large_arguments_and_headers_is_small() -> None:
    form = b"&".join(b"n%d=%s" % (n, b"<" * 9_000) for n in range(500))
    headers = [BROWSER, ("Content-Type", "application/x-www-form-urlencoded")]
    many = [(f"X-{n}", "&" * 5_000) for n in range(300)]
    application = Application([("/", failing_handler())], debug=True)
    with ExpectLog(APPLICATION, "Uncaught exception"):
        got = call(application, "/?q=" + "'" * 50_000, "POST", headers + many, form)
    parse(got.text)
    assert len(got.text) < 2_500_000


# When it fails itself.


class FailingMatcher(Matcher):
    calls = 0

    def match(self, request: Any) -> dict[str, Any] | None:
        FailingMatcher.calls += 1
        if FailingMatcher.calls > 1:
            raise ZeroDivisionError("once is enough")
        return {}


def test_page_that_fails_gives_way_to_plain_text() -> None:
    FailingMatcher.calls = 0
    rules: Any = [Rule(FailingMatcher(), failing_handler())]
    with (
        ExpectLog(APPLICATION, "Uncaught exception GET"),
        ExpectLog(APPLICATION, "Uncaught exception in the debug page") as log,
    ):
        got = call(Application(rules, debug=True), headers=[BROWSER])
    assert log.logged_stack
    assert got.status_code == 500
    assert got.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert "Content-Security-Policy" not in got.headers
    assert "ValueError: <script>" in got.text


def test_text_that_fails_gives_way_to_the_bare_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without its secrets hidden nothing is shown.
    def boom(*args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("wsgitornado.web.failures.secrets_of", boom)
    with ExpectLog(APPLICATION, "Uncaught exception in write_error"):
        got = failing(fail)
    line = "500: Internal Server Error"
    assert got.text == f"<html><title>{line}</title><body>{line}</body></html>"
