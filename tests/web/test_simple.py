"""ErrorHandler and RedirectHandler."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import Answer, call, make_environ
from wsgitornado.httputil.locations import browser_origin
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, ErrorHandler, RedirectHandler

REFUSED = r"400 GET .*: Redirect URL cannot change the scheme or netloc"


# -- ErrorHandler


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS"])
def test_error_handler_answers_every_method_with_its_status(method: str) -> None:
    application = Application([("/", ErrorHandler, {"status_code": 418})])
    answer = call(application, method=method)
    assert answer.status == "418 I'm a Teapot"
    page = "<title>418: I&#x27;m a Teapot</title>"
    assert (page in answer.text) == (method != "HEAD")


def test_error_handler_does_not_read_the_body() -> None:
    class Unreadable:
        def read(self, size: int = -1) -> bytes:
            raise AssertionError("the body was read")

    application = Application([("/", ErrorHandler, {"status_code": 404})])
    environ = make_environ("/", "POST", body=b"12345")
    environ["wsgi.input"] = Unreadable()
    answer = call(application, environ=environ, is_validated=False)
    assert answer.status_code == 404


@pytest.mark.parametrize(
    "settings",
    [{"xsrf_cookies": True}, {"cross_origin_protection": True}],
    ids=["token", "origin"],
)
def test_error_page_needs_no_proof_of_origin(settings: dict[str, Any]) -> None:
    application = Application([("/", ErrorHandler, {"status_code": 410})], **settings)
    headers = [("Origin", "https://elsewhere.example")]
    assert call(application, "/", "POST", headers, b"").status_code == 410


# -- RedirectHandler


def redirect(
    template: str, pattern: str, target: str, *, permanent: bool = True, **extra: Any
) -> Answer:
    kwargs = {"url": template, "permanent": permanent}
    return call(Application([(pattern, RedirectHandler, kwargs)]), target, **extra)


@pytest.mark.parametrize(
    ("kwargs", "status_code"),
    [({}, 301), ({"permanent": True}, 301), ({"permanent": False}, 302)],
    ids=["default", "permanent", "temporary"],
)
def test_redirect_is_permanent_unless_told_otherwise(
    kwargs: dict[str, bool], status_code: int
) -> None:
    rule = ("/old", RedirectHandler, {"url": "/new", **kwargs})
    answer = call(Application([rule]), "/old")
    assert (answer.status_code, answer.headers["Location"]) == (status_code, "/new")
    assert answer.body == b""


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_only_get_is_redirected(method: str) -> None:
    assert redirect("/new", "/old", "/old", method=method).status_code == 405


@pytest.mark.parametrize(
    ("template", "pattern", "target", "location"),
    [
        pytest.param("/new", "/(old)", "/old", "/new", id="no place"),
        pytest.param("/b/{0}", "/a/(.*)", "/a/x/y", "/b/x/y", id="by number"),
        pytest.param("/{1}/{0}", "/(.*)/(.*)", "/x/y", "/y/x", id="turned"),
        pytest.param("/b/{x}", "/a/(?P<x>.*)", "/a/y", "/b/y", id="by name"),
        pytest.param("/b/{0}", "/a/(.*)", "/a/", "/b/", id="empty"),
        pytest.param("/b{0}", "/a(/x)?", "/a", "/b", id="no part"),
        pytest.param("/b{x}", "/a(?P<x>/x)?", "/a", "/b", id="named no part"),
        pytest.param("b/{0}", "/a/(.*)", "/a/x", "b/x", id="relative"),
        pytest.param("?q={0}", "/a/(.*)", "/a/x", "?q=x", id="query alone"),
        pytest.param("//h/{0}", "/a/(.*)", "/a/x", "//h/x", id="host"),
        pytest.param(
            "https://h:1/{0}", "/a/(.*)", "/a/x:y", "https://h:1/x:y", id="whole"
        ),
        pytest.param("app://open/{0}", "/a/(.*)", "/a/x", "app://open/x", id="scheme"),
        pytest.param(
            "mailto:{0}", "/a/(.*)", "/a/x@h.example", "mailto:x@h.example", id="mail"
        ),
    ],
)
def test_groups_fill_the_template(
    template: str, pattern: str, target: str, location: str
) -> None:
    assert redirect(template, pattern, target).headers["Location"] == location


@pytest.mark.parametrize(
    ("group", "quoted"),
    [
        ("x%20y", "x%20y"),
        ("x%3Fq=1", "x%3Fq%3D1"),
        ("x%23f", "x%23f"),
        ("100%25", "100%25"),
        ("%252F", "%252F"),
        ("%0D%0ASet-Cookie:%20a", "%0D%0ASet-Cookie:%20a"),
        ("%C3%A9", "%C3%A9"),
        ("x&y=1", "x%26y%3D1"),
        ("..%5Cx", "..%5Cx"),
        ("%00", "%00"),
    ],
)
@pytest.mark.parametrize("template", ["/b/{0}", "/b?q={0}"], ids=["path", "query"])
def test_nothing_in_a_group_can_end_its_place(
    template: str, group: str, quoted: str
) -> None:
    location = redirect(template, "/a/(.*)", f"/a/{group}").headers["Location"]
    assert location == template.format(quoted)


@pytest.mark.parametrize(
    ("template", "target", "location"),
    [
        ("/b", "/a?x=1", "/b?x=1"),
        ("/b?y=2", "/a?x=1&x=3", "/b?y=2&x=1&x=3"),
        ("/b#f", "/a?x=1", "/b?x=1#f"),
        ("/b", "/a?x", "/b?x="),
        ("/b", "/a?x=%C3%A9+%26%3D", "/b?x=%C3%A9+%26%3D"),
        ("/b", "/a?x=%ff%00", "/b?x=%FF%00"),
        ("https://h/b", "/a?x=1", "https://h/b?x=1"),
        ("//h/b", "/a?x=1", "//h/b?x=1"),
        ("/b", "/a?", "/b"),
    ],
)
def test_query_arguments_are_carried_over(
    template: str, target: str, location: str
) -> None:
    assert redirect(template, "/a", target).headers["Location"] == location


@pytest.mark.parametrize(
    ("template", "target"),
    [
        ("/{0}", "/a//evil.example"),
        ("/{0}", "/a///evil.example"),
        ("{0}", "/a///evil.example"),
        ("{0}", "/a/https://evil.example"),
        ("{0}", "/a/javascript:alert(1)"),
        ("http://{0}", "/a/evil.example"),
        ("http://h{0}/", "/a/.evil.example"),
        ("http://h{0}/", "/a/@evil.example"),
        ("//h{0}", "/a/:81"),
        ("http:{0}", "/a///evil.example"),
        ("http:/{0}", "/a/evil.example"),
    ],
)
def test_request_cannot_change_where_the_template_leads(
    template: str, target: str
) -> None:
    with ExpectLog("wsgitornado.general", REFUSED):
        answer = redirect(template, "/a/(.*)", target)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


@given(
    st.sampled_from(
        ["/{0}", "{0}", "/b/{0}", "//h/{0}", "http://h/{0}", "http://h{0}"]
    ),
    st.text(st.sampled_from("/\\:.@?#%\t\r\n \x00ehx1&=\xe9"), max_size=12),
    st.sampled_from(["", "x=1", "%0d%0a=//evil.example"]),
)
def test_no_path_and_no_query_leads_elsewhere(
    template: str, group: str, query: str
) -> None:
    path_info = "/a/" + group.encode().decode("latin-1")
    with ExpectLog("wsgitornado.general", REFUSED, required=False):
        rule = ("(?s:/a/(.*))", RedirectHandler, {"url": template})
        answer = call(Application([rule]), PATH_INFO=path_info, QUERY_STRING=query)
    if answer.status_code != 400:
        location = answer.headers["Location"]
        assert browser_origin(location) == browser_origin(template.format(""))
        assert location.isascii()
        assert location.isprintable()


@pytest.mark.parametrize(
    ("template", "location"),
    [
        ("/b/{0}", "/app/b/x"),
        ("b/{0}", "b/x"),
        ("//h/{0}", "//h/x"),
        ("https://h/{0}", "https://h/x"),
    ],
)
def test_path_of_ours_is_below_the_prefix(template: str, location: str) -> None:
    answer = redirect(template, "/a/(.*)", "/a/x", SCRIPT_NAME="/app")
    assert answer.headers["Location"] == location


def test_place_that_the_pattern_does_not_fill_is_a_mistake_of_the_program() -> None:
    with ExpectLog("wsgitornado.application", "Uncaught exception GET /a"):
        assert redirect("/{0}", "/a", "/a").status_code == 500
