"""The decorators of verb methods: slashes and logins."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import Answer, call
from wsgitornado.httputil.locations import browser_origin
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    RequestHandler,
    addslash,
    authenticated,
    removeslash,
)

TWO_SLASHES = "403 GET .*: cannot redirect path with two initial slashes"


class WithSlash(RequestHandler):
    @addslash
    def get(self, *args: str) -> None:
        """The page."""
        self.write("here")

    head = post = put = get


class WithoutSlash(RequestHandler):
    @removeslash
    async def get(self, *args: str) -> None:
        """The page."""
        self.write("here")

    head = post = put = get


BOTH = {"add": WithSlash, "remove": WithoutSlash}
OTHER = {"add": "/foo", "remove": "/foo/"}
WANTED = {"add": "/foo/", "remove": "/foo"}

KINDS = pytest.mark.parametrize("kind", ["add", "remove"])


def ask(kind: str, target: str, *args: Any, **extra: Any) -> Answer:
    return call(Application([("(?s:.*)", BOTH[kind])]), target, *args, **extra)


@KINDS
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
def test_path_as_it_is_wanted_reaches_the_method(kind: str, method: str) -> None:
    answer = ask(kind, WANTED[kind], method)
    assert answer.status_code == 200
    assert answer.text == ("" if method == "HEAD" else "here")


@KINDS
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["", "?a=b&c=%20"], ids=["alone", "query"])
def test_other_path_is_redirected_for_good(kind: str, method: str, query: str) -> None:
    answer = ask(kind, OTHER[kind] + query, method)
    assert answer.status_code == 301
    assert answer.headers["Location"] == WANTED[kind] + query


@KINDS
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_other_path_is_a_404_for_methods_that_change_something(
    kind: str, method: str
) -> None:
    assert ask(kind, OTHER[kind], method, body=b"").status_code == 404


@pytest.mark.parametrize("path", ["/", "//", "///"])
def test_root_keeps_its_slash(path: str) -> None:
    assert ask("remove", path).status_code == 200


def test_all_slashes_at_the_end_are_removed() -> None:
    assert ask("remove", "/a//b///").headers["Location"] == "/a//b"


def test_groups_reach_the_method() -> None:
    class Echo(RequestHandler):
        @addslash
        def get(self, place: str, *, name: str = "") -> None:
            self.write(place + name)

        @removeslash
        def post(self, *, name: str) -> None:
            self.write(name)

    assert call(Application([("/(.*)/", Echo)]), "/x/").text == "x"
    answer = call(Application([("/(?P<name>.*)", Echo)]), "/x", "POST", body=b"")
    assert answer.text == "x"


@pytest.mark.parametrize("decorated", [WithSlash.get, WithoutSlash.get])
def test_method_keeps_its_name_and_its_documentation(decorated: Any) -> None:
    assert (decorated.__name__, decorated.__doc__) == ("get", "The page.")


@KINDS
@pytest.mark.parametrize(
    ("path", "quoted"),
    [
        ("/a%20b", "/a%20b"),
        ("/a%3Fb", "/a%3Fb"),
        ("/a%23b", "/a%23b"),
        ("/a%25", "/a%25"),
        ("/%C3%A9", "/%C3%A9"),
        ("/a%0D%0ALocation:%20b", "/a%0D%0ALocation:%20b"),
        ("/%5Cevil.example", "/%5Cevil.example"),
    ],
)
def test_path_is_quoted_again(kind: str, path: str, quoted: str) -> None:
    end = {"add": "", "remove": "/"}[kind]
    location = ask(kind, path + end).headers["Location"]
    assert location == quoted + {"add": "/", "remove": ""}[kind]


def test_spelling_of_the_client_is_kept() -> None:
    answer = ask("add", "/a%2Fb", RAW_URI="/a%2Fb")
    assert answer.headers["Location"] == "/a%2Fb/"


@KINDS
@pytest.mark.parametrize(
    "path", ["//evil.example", "///evil.example", "//evil.example/x", "//"]
)
def test_path_that_a_browser_would_take_for_a_host_is_refused(
    kind: str, path: str
) -> None:
    with ExpectLog("wsgitornado.general", TWO_SLASHES, required=path != "//"):
        answer = ask(kind, path + {"add": "", "remove": "/"}[kind])
    if path == "//":
        assert answer.status_code == 200
    else:
        assert answer.status_code == 403
    assert "Location" not in answer.headers


@KINDS
def test_prefix_is_kept(kind: str) -> None:
    answer = ask(kind, OTHER[kind], SCRIPT_NAME="/a p")
    assert answer.headers["Location"] == "/a%20p" + WANTED[kind]


@KINDS
def test_two_slashes_below_a_prefix_lead_nowhere_else(kind: str) -> None:
    path = "/" + OTHER[kind]
    answer = ask(kind, path, SCRIPT_NAME="/app")
    assert answer.headers["Location"] == "/app/" + WANTED[kind]


@KINDS
@given(
    st.text(st.sampled_from("/\\:.@?#%\t\r\n \x00ehx\xe9"), max_size=12),
    st.sampled_from(["", "/app", "//evil.example"]),
    st.sampled_from(["", "a=b", "//evil.example"]),
)
def test_no_path_leads_elsewhere(
    kind: str, path: str, script_name: str, query: str
) -> None:
    path_info = "/" + path.encode().decode("latin-1")
    with ExpectLog("wsgitornado.general", TWO_SLASHES, required=False):
        answer = ask(
            kind,
            "/",
            PATH_INFO=path_info,
            SCRIPT_NAME=script_name,
            QUERY_STRING=query,
        )
    assert answer.status_code in (200, 301, 403)
    if answer.status_code == 301:
        location = answer.headers["Location"]
        assert browser_origin(location) == ("", "")
        assert not re.search(r"[^!-~]", location)
        parts = urlsplit("http://here" + location)
        end = "/" if kind == "add" else ""
        prefix = re.sub("^//", "/", script_name)
        whole = prefix + "/" + path
        expected = whole.rstrip("/") if kind == "remove" else whole
        assert unquote(parts.path) == expected + end
        assert parts.query == query


# -- authenticated


class Private(RequestHandler):
    def get_current_user(self) -> str | None:
        return self.get_cookie("user")

    @authenticated
    def get(self) -> None:
        self.write(f"for {self.current_user}")

    head = post = get


def ask_private(
    login_url: str | None,
    target: str = "/x",
    method: str = "GET",
    headers: list[tuple[str, str]] | None = None,
    **extra: Any,
) -> Answer:
    application = Application([("(?s:.*)", Private)], login_url=login_url)
    return call(application, target, method, headers or [], **extra)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_user_passes(method: str) -> None:
    answer = ask_private(None, "/x", method, [("Cookie", "user=me")])
    assert answer.text == "for me"


def test_others_may_change_nothing() -> None:
    assert ask_private("/login", method="POST").status_code == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("login_url", "target", "location"),
    [
        ("/login", "/x", "/login?next=%2Fx"),
        ("/login", "/x%20y?a=b&c=%2F", "/login?next=%2Fx%2520y%3Fa%3Db%26c%3D%252F"),
        ("/login?from=here", "/x", "/login?from=here"),
        (
            "https://login.example/",
            "/x?a",
            "https://login.example/?next=http%3A%2F%2Flocalhost%2Fx%3Fa",
        ),
        ("//login.example/", "/x", "//login.example/?next=http%3A%2F%2Flocalhost%2Fx"),
        # A path that a browser would take for a host is given with ours before it.
        ("/login", "//evil", "/login?next=http%3A%2F%2Flocalhost%2F%2Fevil"),
    ],
)
def test_others_are_sent_to_the_login_page(
    login_url: str, target: str, location: str, method: str
) -> None:
    answer = ask_private(login_url, target, method)
    assert answer.status_code == 302
    assert answer.headers["Location"] == location


def test_login_page_is_below_the_prefix_and_comes_back_there() -> None:
    answer = ask_private("/login", "/x", SCRIPT_NAME="/app")
    assert answer.headers["Location"] == "/app/login?next=%2Fapp%2Fx"


@given(st.text(st.sampled_from("/\\:.@?#%\t\n eh"), max_size=10))
def test_way_back_never_leads_elsewhere(path: str) -> None:
    answer = ask_private("/login", PATH_INFO="/" + path)
    _, _, way_back = answer.headers["Location"].partition("?next=")
    origin = browser_origin(unquote(way_back))
    assert origin in {("", ""), ("http", "localhost")}
    assert way_back == quote(unquote(way_back), safe="")


def test_missing_login_url_is_a_mistake_of_the_program() -> None:
    with ExpectLog("wsgitornado.application", "Uncaught exception GET /x"):
        assert ask_private(None).status_code == 500
