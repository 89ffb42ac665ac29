"""We below a prefix: what the package makes of addresses carries SCRIPT_NAME."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest  # type: ignore[import-untyped]  # it has no annotations
from django.http import StreamingHttpResponse  # type: ignore[import-untyped]  # as above
from django.urls import path  # type: ignore[import-untyped]  # as above
from django.views.decorators.csrf import csrf_exempt  # type: ignore[import-untyped]  # as above
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from tests.embed.visitor import Visitor
from tests.support import Answer, call
from wsgitornado._types import Body, StartResponse, WSGIApplication, WSGIEnvironment
from wsgitornado.web import (
    Application,
    FallbackHandler,
    RedirectHandler,
    RequestHandler,
    addslash,
    authenticated,
    removeslash,
    url,
)


class Addresses(RequestHandler):
    def get(self, name: str) -> None:
        request = self.request
        self.write(
            {
                "reverse": self.reverse_url("addresses", name),
                "path": request.path,
                "uri": request.uri,
                "url": request.full_url(),
                "name": name,
            }
        )


class WithSlash(RequestHandler):
    @addslash
    def get(self) -> None:
        self.write("with slash")


class WithoutSlash(RequestHandler):
    @removeslash
    def get(self) -> None:
        self.write("without slash")


class Private(RequestHandler):
    @authenticated
    def get(self) -> None:
        raise AssertionError("nobody is logged in")


class Moved(RequestHandler):
    def get(self) -> None:
        self.redirect(self.reverse_url("addresses", "new"))


class Echo(RequestHandler):
    finished = 0

    def post(self) -> None:
        self.write(self.reverse_url("echo"))
        self.flush()
        self.write(self.request.body)

    def on_finish(self) -> None:
        Echo.finished += 1


def make_app(login_url: str = "/login") -> Application:
    return Application(
        [
            url(r"/addresses/(.*)", Addresses, name="addresses"),
            url(r"/echo", Echo, name="echo"),
            (r"/with/?", WithSlash),
            (r"/without/*", WithoutSlash),
            (r"/private", Private),
            (r"/moved", Moved),
            (r"/old/(.*)", RedirectHandler, {"url": "/addresses/{0}"}),
            (r"/away", RedirectHandler, {"url": "https://example.com/"}),
        ],
        login_url=login_url,
    )


def elsewhere(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"elsewhere"]


def dispatch(prefix: str) -> WSGIApplication:
    """Mounted as by ``DispatcherMiddleware``."""
    return DispatcherMiddleware(elsewhere, {prefix: make_app()})


def below_a_view_of_django(prefix: str) -> WSGIApplication:
    ours = make_app()

    def hand_over(request: Any, rest: str) -> Any:
        started: list[Any] = []
        written: list[bytes] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
            started[:] = [status, headers]
            return written.append

        environ = {
            **request.environ,
            "SCRIPT_NAME": request.environ["SCRIPT_NAME"] + prefix,
            "PATH_INFO": "/" + rest.encode().decode("latin-1"),
        }
        body = ours(environ, start_response)
        status, headers = started
        response = StreamingHttpResponse(chunks(written, body), status=int(status[:3]))
        for name, value in headers:
            response[name] = value
        return response

    routes = ModuleType("routes")
    pattern = f"{prefix[1:]}/<path:rest>"
    vars(routes)["urlpatterns"] = [
        path(pattern, csrf_exempt(hand_over)),
    ]
    django = WSGIHandler()
    django.request_class = type("Request", (WSGIRequest,), {"urlconf": routes})
    found: WSGIApplication = django
    return found


def chunks(written: list[bytes], body: Any) -> Iterator[bytes]:
    try:
        yield from written
        yield from body
    finally:
        if hasattr(body, "close"):
            body.close()


@pytest.fixture(params=["dispatched", "below a view of Django", "set by the server"])
def ask(request: pytest.FixtureRequest, project: ModuleType) -> Any:
    """Asks our application below the prefix ``/site``, mounted in three ways."""
    if request.param == "set by the server":
        ours = make_app()
        return lambda target, *args, **extra: call(
            ours, target, *args, SCRIPT_NAME="/site", **extra
        )
    mount = dispatch if request.param == "dispatched" else below_a_view_of_django
    mounted = mount("/site")
    return lambda target, *args, **extra: call(
        mounted, f"/site{target}", *args, **extra
    )


def addresses(answer: Answer) -> Any:
    return json.loads(answer.body)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x", "x"),
        ("Zo%C3%AB", "Zoë"),
        ("a%20b+c", "a b+c"),
        ("a%3Fb%23c", "a?b#c"),
        ("50%25", "50%"),
        ("a;b=c", "a;b=c"),
    ],
)
def test_addresses_below_a_prefix_have_it(ask: Any, name: str, text: str) -> None:
    found = addresses(ask(f"/addresses/{name}?q=1"))
    assert found["name"] == text
    assert found["path"] == f"/addresses/{name}"
    assert found["uri"] == f"/site/addresses/{name}?q=1"
    assert found["url"] == f"http://localhost/site/addresses/{name}?q=1"
    # The address leads back to where it was made.
    again = addresses(ask(found["reverse"].removeprefix("/site")))
    assert found["reverse"].startswith("/site/addresses/")
    assert again["name"] == text


@pytest.mark.parametrize(
    ("target", "status", "location"),
    [
        ("/with?a=b", 301, "/site/with/?a=b"),
        ("/without/?a=b", 301, "/site/without?a=b"),
        ("/moved", 302, "/site/addresses/new"),
        ("/old/Zo%C3%AB?a=b", 301, "/site/addresses/Zo%C3%AB?a=b"),
        ("/away", 301, "https://example.com/"),
        ("/private?a=b", 302, "/site/login?next=%2Fsite%2Fprivate%3Fa%3Db"),
    ],
)
def test_redirect_below_a_prefix_stays_below_it(
    ask: Any, target: str, status: int, location: str
) -> None:
    answer = ask(target)
    assert (answer.status_code, answer.headers["Location"]) == (status, location)


def test_upload_and_flushed_answer_below_a_prefix_are_whole(ask: Any) -> None:
    Echo.finished = 0
    body = bytes(range(256)) * 12_000
    assert ask("/echo", "POST", body=body).body == b"/site/echo" + body
    assert Echo.finished == 1


@pytest.mark.parametrize(
    ("login_url", "location"),
    [
        ("/login", "/site/login?next=%2Fsite%2Fprivate"),
        ("/login?from=us", "/site/login?from=us"),
        ("login", "login?next=%2Fsite%2Fprivate"),
        (
            "https://sso.example/login",
            "https://sso.example/login?next=http%3A%2F%2Flocalhost%2Fsite%2Fprivate",
        ),
    ],
)
def test_login_url_of_each_form(login_url: str, location: str) -> None:
    answer = call(make_app(login_url), "/private", SCRIPT_NAME="/site")
    assert answer.headers["Location"] == location


@pytest.mark.parametrize(
    ("script_name", "quoted"),
    [
        ("", ""),
        ("/a/b", "/a/b"),
        ("/Zo\xc3\xab", "/Zo%C3%AB"),
        ("/a b", "/a%20b"),
        ("/50%", "/50%25"),
        ("/a?b#c", "/a%3Fb%23c"),
    ],
    ids=["none", "two parts", "not ascii", "a space", "a percent", "a question"],
)
@pytest.mark.parametrize("raw", [None, "REQUEST_URI", "RAW_URI"])
def test_prefix_is_quoted_wherever_it_is_sent(
    script_name: str, quoted: str, raw: str | None
) -> None:
    extra: dict[str, Any] = {"SCRIPT_NAME": script_name}
    if raw is not None:
        extra[raw] = f"{quoted}/addresses/x%2Fy"
    found = addresses(call(make_app(), "/addresses/x%2Fy", **extra))
    assert found["reverse"] == f"{quoted}/addresses/x/y"
    # Only a server that hands the raw target on can tell the two slashes apart.
    assert found["uri"] == f"{quoted}/addresses/x{'/' if raw is None else '%2F'}y"
    moved = call(make_app(), "/with", SCRIPT_NAME=script_name)
    assert moved.headers["Location"] == f"{quoted}/with/"


@pytest.mark.parametrize("target", ["/with", "/without/"])
def test_prefix_of_two_slashes_leads_to_no_other_host(target: str) -> None:
    answer = call(make_app(), target, SCRIPT_NAME="//evil.example")
    moved = target + "/" if target == "/with" else target.rstrip("/")
    assert answer.headers["Location"] == "/evil.example" + moved


@pytest.mark.parametrize(
    ("script_name", "location"),
    [("/\\evil.example", "/%5Cevil.example/with/"), ("/\t/e", "/%09/e/with/")],
)
def test_characters_that_browsers_drop_or_turn_are_quoted_in_the_prefix(
    script_name: str, location: str
) -> None:
    answer = call(make_app(), "/with", SCRIPT_NAME=script_name)
    assert answer.headers["Location"] == location


def test_the_prefix_alone_is_the_empty_path_of_the_mount() -> None:
    class Root(RequestHandler):
        def get(self) -> None:
            self.write(self.request.uri)

    rules: list[Any] = [(r"/?", Root)]
    mounted = DispatcherMiddleware(elsewhere, {"/site": Application(rules)})
    assert call(mounted, "/site/").text == "/site/"
    assert call(mounted, "/site").status_code == 200
    assert call(mounted, "/sites").text == "elsewhere"


def test_we_around_us_below_a_prefix() -> None:
    inner = make_app()
    rules: list[Any] = [
        (
            r"/inner/.*",
            FallbackHandler,
            {"fallback": DispatcherMiddleware(elsewhere, {"/inner": inner})},
        ),
    ]
    outer = DispatcherMiddleware(elsewhere, {"/outer": Application(rules)})
    found = addresses(call(outer, "/outer/inner/addresses/x"))
    assert found["uri"] == found["reverse"] == "/outer/inner/addresses/x"
    answer = call(outer, "/outer/inner/private")
    assert answer.headers["Location"] == (
        "/outer/inner/login?next=%2Fouter%2Finner%2Fprivate"
    )


# --- The whole example below a prefix ---------------------------------------------


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/drafts", "/site/admin/login/?next=%2Fsite%2Fdrafts"),
        ("/admin/", "/site/admin/login/?next=/site/admin/"),
        ("/import", "/site/admin/login/?next=/site/import"),
    ],
)
def test_django_and_we_below_the_same_prefix_agree(
    project: ModuleType, target: str, location: str
) -> None:
    visitor = Visitor(project.make_app(), SCRIPT_NAME="/site")
    assert visitor.ask(target).headers["Location"] == location


def test_links_from_our_page_to_django_have_the_prefix_of_each_request(
    project: ModuleType,
) -> None:
    app = project.make_app()
    for prefix in ("/site", "", "/other"):
        page = Visitor(app, SCRIPT_NAME=prefix).ask("/").text
        for target in ("/", "/drafts", "/import", "/export.csv", "/admin/"):
            assert f'href="{prefix}{target}"' in page


def test_our_handlers_below_the_wsgi_file_of_a_django_project(
    project: ModuleType,
) -> None:
    live = make_app("/admin/login/")
    site = DispatcherMiddleware(project.make_app(), {"/live": live})
    assert addresses(call(site, "/live/addresses/x"))["reverse"] == "/live/addresses/x"
    assert Visitor(site).ask("/admin/login/").status_code == 200
