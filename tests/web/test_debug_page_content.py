"""What the debug page says of an exception, its request and its route."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

import wsgitornado
from tests.support import call
from tests.web.shown_page import (
    BROWSER,
    failing,
    failing_handler,
    parse,
    raising,
    shown,
)
from wsgitornado.routing import Matcher, RuleRouter
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    RequestHandler,
    URLSpec,
)

APPLICATION = "wsgitornado.application"
GENERAL = "wsgitornado.general"


def fail(handler: RequestHandler) -> None:
    raise ValueError("<script>alert('no')</script>")


def fail_with_a_cause(handler: RequestHandler) -> None:
    try:
        fail(handler)
    except ValueError as error:
        error.add_note("a note")
        raise KeyError("outer") from error


def fail_in_a_group(handler: RequestHandler) -> None:
    raise ExceptionGroup("group", [ValueError("one"), KeyError("two")])


def fail_deep(handler: RequestHandler) -> None:
    fail_deep(handler)


# The exception.


def test_own_frames_are_open_and_others_folded() -> None:
    text = failing(fail).text
    folded = re.findall(r"<details><summary>(.*?)</summary>", text)
    assert folded == ["1 frame in wsgitornado"]
    (own,) = re.findall(r'<details open class="yours"><summary>(.*?)</summary>', text)
    assert "test_debug_page_content.py" in own
    assert "your code" in own
    (mark,) = re.findall(r"<mark>(.*?)\n</mark>", text.partition(own)[2])
    assert html.unescape(mark).endswith(
        """raise ValueError("<script>alert('no')</script>")"""
    )


def test_frames_of_others_are_open_where_there_are_no_own() -> None:
    class Failing(RequestHandler):
        get = RequestHandler.require_setting  # fails in ours

    with ExpectLog(APPLICATION, "Uncaught exception"):
        got = call(Application([("/(.*)", Failing)], debug=True), headers=[BROWSER])
    assert "<details open><summary>2 frames in wsgitornado</summary>" in got.text


def test_recursion_is_open_where_it_is_new() -> None:
    text = failing(fail_deep).text
    assert text.count('<details open class="yours">') == 1
    assert text.count('<details class="yours">') == 28
    assert re.search(r"\d+ frames are left out", text)


def test_causes_are_shown_in_their_order() -> None:
    page = shown(fail_with_a_cause)
    assert page.text_of("h3").startswith("ValueErrorKeyError")
    assert "was the direct cause of the following exception:" in page.text_of("p")
    pre = page.text_of("pre")
    assert pre.index("a note") < pre.rindex("'outer'")


def test_earlier_exceptions_are_said_to_be_left_out() -> None:
    error: Exception = ValueError(0)
    for number in range(1, 9):
        following = ValueError(number)
        following.__cause__, error = error, following
    assert "Earlier exceptions are left out." in shown(raising(error)).text_of("p")


def test_members_of_a_group_are_counted() -> None:
    page = shown(fail_in_a_group)
    assert "Exception 1 of 2 in the group:" in page.text_of("p")
    assert "Exception 2 of 2 in the group:" in page.text_of("p")
    assert "KeyError" in page.text_of("h3")
    error = ExceptionGroup("g", [ValueError(n) for n in range(1000)])
    assert "Exception 8 of 1,000 in" in shown(raising(error)).text_of("p")


def test_levels_of_headings_end_at_six() -> None:
    error: Exception = ValueError("innermost")
    for _ in range(9):
        error = ExceptionGroup("g", [error])
    page = shown(raising(error))
    assert "ValueError" in page.text_of("h6")


def cells_of(text: str) -> dict[str, str]:
    rows = re.findall(r'<th scope="row">(.*?)</th><td><code>(.*?)</code></td>', text)
    return {html.unescape(name): html.unescape(value) for name, value in rows}


def test_request_is_shown() -> None:
    form = b"colour=%C3%A9&raw=%ff&colour=blue"
    headers = [BROWSER, ("Content-Type", "application/x-www-form-urlencoded")]
    with ExpectLog(APPLICATION, "Uncaught exception"):
        got = call(
            Application([(r"/(\w+)/(\w+)?", failing_handler())], debug=True),
            "/under/some%2F/one/?q=a%20b&empty=",
            "POST",
            [*headers, ("X-Own", "<value>")],
            form,
            SCRIPT_NAME="/under",
            PATH_INFO="/some/",
        )
    text = got.text
    cells = cells_of(text)
    assert cells["Method"] == "POST"
    assert cells["URL"] == "/under/some/?q=a%20b&empty="
    assert (cells["q"], cells["empty"]) == ("a b", "")
    assert (cells["colour"], cells["raw"]) == ("blue", r"\xff")
    assert html.escape("<value>") in text
    assert cells["X-Own"] == "<value>"
    assert cells["Pattern"] == r"/(\w+)/(\w+)?$"
    assert (cells["Group 1"], cells["Group 2"]) == ("some", "None")
    assert cells["Handler"] == "tests.web.shown_page.failing_handler.<locals>.Failing"
    assert parse(text).text_of("h3") == "Query argumentsForm fieldsHeaders"


def test_files_of_a_form_are_named() -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="picture"; filename="<a>.png"\r\n'
        b"Content-Type: image/png\r\n\r\nbytes of it\r\n--x--\r\n"
    )
    headers = [BROWSER, ("Content-Type", "multipart/form-data; boundary=x")]
    application = Application([("/", failing_handler())], debug=True)
    with ExpectLog(APPLICATION, "Uncaught exception"):
        got = call(application, "/", "POST", headers, body)
    assert cells_of(got.text)["picture"] == "file <a>.png (image/png)"
    assert "bytes of it" not in got.text


def test_body_that_failed_is_not_read_again() -> None:
    headers = [BROWSER, ("Content-Type", "application/x-www-form-urlencoded")]
    application = Application(
        [("/", failing_handler())], debug=True, max_body_size=3, serve_traceback=True
    )
    with ExpectLog(GENERAL, "413"):
        got = call(application, "/", "POST", headers, b"a=bcd")
    assert got.status_code == 413
    assert "Form fields" not in parse(got.text).text_of("h3")


def test_too_many_query_fields_are_said_to_be() -> None:
    application = Application([("/", failing_handler())], debug=True, max_form_fields=2)
    with ExpectLog(APPLICATION, "Uncaught exception"):
        got = call(application, "/?a=b&c=d&e=f", headers=[BROWSER])
    assert "too many to be read" in parse(got.text).text_of("code")


@pytest.mark.parametrize("number", [100, 101])
def test_hundred_arguments_are_shown(number: int) -> None:
    query = "&".join(f"name{n}=value" for n in range(number))
    application = Application([("/", failing_handler())], debug=True)
    with ExpectLog(APPLICATION, "Uncaught exception"):
        text = call(application, f"/?{query}", headers=[BROWSER]).text
    assert "name99" in cells_of(text)
    assert "name100" not in cells_of(text)
    assert ("and 1 more" in text) == (number == 101)


class OddMatcher(Matcher):
    def match(self, request: Any) -> dict[str, Any] | None:
        return {} if request.path == "/odd" else None


def test_route_is_shown_from_the_outermost_rule_on() -> None:
    handler = failing_handler()
    inner = Application([(r"/app/(?P<word>\w+)", handler)], debug=True)
    application = Application(
        [
            (r"/list/.*", [(r"/list/none", handler), URLSpec(r"/list/(.*)", handler)]),
            (r"/app/.*", inner),
            (OddMatcher(), handler),
            (r"/empty.*", RuleRouter([])),
            (r"/emp.*", handler),
        ],
        debug=True,
    )
    application.add_handlers(r".*host", [(r"/host", handler)])

    def patterns(target: str) -> list[str]:
        with ExpectLog(APPLICATION, "Uncaught exception"):
            text = call(application, target, headers=[BROWSER]).text
        text = text.partition('id="route"')[2]
        rows = re.findall(r'row">(Pattern|Host)</th><td><code>(.*?)</code>', text)
        return [html.unescape(value) for _, value in rows]

    assert patterns("/list/it") == ["/list/.*$", "/list/(.*)$"]
    # The handler belongs to the inner application, and knows no other.
    assert patterns("/app/it") == [r"/app/(?P<word>\w+)$"]
    assert patterns("/odd") == ["OddMatcher"]
    assert patterns("/empty") == ["/emp.*$"]
    assert patterns("/host") == [".*host$", "/host$"]


def test_versions_are_shown() -> None:
    text = shown(fail).text_of("p")
    assert f"wsgitornado {wsgitornado.version}" in text
    assert re.search(r"Python 3\.\d+\.\d+", text)
    assert re.search(r"WebOb 1\.8\.\d+", text)


def test_package_without_metadata_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wsgitornado.web.debug_page._PACKAGES", ("no such package",))
    assert "no such package" not in shown(fail).text_of("p")


def test_handler_that_could_not_be_made_has_a_page() -> None:
    class Failing(RequestHandler):
        def initialize(self) -> None:
            raise ValueError("too early")

    with ExpectLog(APPLICATION, "Uncaught exception"):
        got = call(Application([("/(.*)", Failing)], debug=True), headers=[BROWSER])
    page = parse(got.text)
    assert "too early" in page.text_of("pre")
    assert "/(.*)$" in page.text_of("code")


def test_compressed_page_is_whole() -> None:
    got = failing(fail, [BROWSER, ("Accept-Encoding", "gzip")], compress_response=True)
    assert got.headers["Content-Encoding"] == "gzip"
