"""``routes``: what is listed of the rules of an application."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wsgitornado.__main__ import main
from wsgitornado._types import Body, StartResponse, WSGIEnvironment
from wsgitornado.commands.routes import Route, routes_of
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.routing import (
    AnyMatches,
    HostMatches,
    Matcher,
    PathMatches,
    RouteMatch,
    Router,
    Rule,
)
from wsgitornado.web import (
    Application,
    ErrorHandler,
    FallbackHandler,
    RedirectHandler,
    RequestHandler,
    StaticFileHandler,
    url,
)


class Page(RequestHandler):
    SUPPORTED_METHODS = (*RequestHandler.SUPPORTED_METHODS, "PROPFIND")

    def get(self) -> None:
        pass

    async def post(self) -> None:
        pass

    def propfind(self) -> None:
        pass


class Below(Page):
    put = Page.get


class OnSunday(Matcher):
    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        return None


class Own(Router):
    def find_handler(
        self, request: HTTPServerRequest, **kwargs: Any
    ) -> RouteMatch | None:
        return None


def other(environ: WSGIEnvironment, start_response: StartResponse) -> Body:
    return []


class Callable:
    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Body:
        return []


def listed(*rules: Any, **settings: Any) -> list[Route]:
    return list(routes_of(Application(rules, **settings)))


def only(*rules: Any) -> Route:
    (route,) = listed(*rules)
    return route


def line_of(thing: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(i for i, line in enumerate(lines, 1) if line.startswith(thing))


# -- Each rule


def test_rule_says_pattern_handler_name_and_place() -> None:
    route = only(url(r"/page/(\d+)", Page, name="page"))
    assert (route.pattern, route.name) == (r"/page/(\d+)$", "page")
    assert route.handler == f"{__name__}.Page"
    assert (route.file, route.line) == (__file__, line_of("class Page"))
    assert (route.within, route.host, route.conditions) == ((), None, ())
    assert route.target is None


@pytest.mark.parametrize(
    ("target", "methods"),
    [
        (Page, ("GET", "POST", "PROPFIND")),
        (Below, ("GET", "POST", "PUT", "PROPFIND")),
        (RequestHandler, ()),
        (StaticFileHandler, ("GET", "HEAD")),
        (RedirectHandler, ("GET",)),
        (FallbackHandler, ("*",)),
        (ErrorHandler, ("*",)),
        (other, ("*",)),
        (Own(), ()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_methods_are_those_that_the_handler_has(
    target: Any, methods: tuple[str, ...]
) -> None:
    assert only(("/(.*)", target, {})).methods == methods


@pytest.mark.parametrize(
    ("handler", "arguments", "target"),
    [
        (StaticFileHandler, {"path": "files"}, "files in files"),
        (StaticFileHandler, {}, None),
        (RedirectHandler, {"url": "/new"}, "301 to /new"),
        (RedirectHandler, {"url": "/new", "permanent": False}, "302 to /new"),
        (RedirectHandler, {}, None),
        (FallbackHandler, {"fallback": other}, f"application {__name__}.other"),
        (FallbackHandler, {"fallback": Callable()}, f"application {__name__}.Callable"),
        (FallbackHandler, {}, None),
        (ErrorHandler, {"status_code": 410}, "error 410"),
        (ErrorHandler, {}, None),
    ],
)
def test_handlers_that_lead_elsewhere_say_where(
    handler: type[RequestHandler], arguments: dict[str, Any], target: str | None
) -> None:
    assert only(("/(.*)", handler, arguments)).target == target


@pytest.mark.parametrize(
    ("target", "name", "definition"),
    [
        (other, "other", "def other"),
        (functools.partial(other), "other", "def other"),
        (Callable(), "Callable", "class Callable"),
        (Own(), "Own", "class Own"),
    ],
    ids=["function", "partial", "instance", "router"],
)
def test_other_targets_are_named_and_found(
    target: Any, name: str, definition: str
) -> None:
    route = only(("/", target))
    assert route.handler == f"{__name__}.{name}"
    assert (route.file, route.line) == (__file__, line_of(definition))


def test_what_has_no_source_has_no_place() -> None:
    made = type("Made", (RequestHandler,), {"__module__": "builtins"})
    assert (only(("/", made)).file, only(("/", made)).line) == (None, None)


# -- Rules within rules


def test_nested_rules_say_what_they_are_in() -> None:
    first, second = listed(
        ("/api/.*", [("/api/a", Page)]),
        Rule(PathMatches("/sub/.*"), Application([("/sub/b", Page)])),
    )
    assert (first.within, first.pattern) == (("/api/.*$",), "/api/a$")
    assert (second.within, second.pattern) == (("/sub/.*$",), "/sub/b$")


def test_hosts_come_first_and_once() -> None:
    application = Application([("/", Page)], default_host="www.org")
    application.add_handlers(r"www\.org", [("/", Below)])
    ours, any_host = routes_of(application)
    assert (ours.host, ours.handler) == (r"www\.org$", f"{__name__}.Below")
    assert (any_host.host, any_host.handler) == (None, f"{__name__}.Page")


def test_hosts_within_hosts_are_both_asked() -> None:
    inner = Rule(HostMatches("a.*"), [("/", Page)])
    assert only(Rule(HostMatches(".*b"), [inner])).host == ".*b$ and a.*$"


def test_other_matchers_are_conditions() -> None:
    route = only(Rule(OnSunday(), [Rule(AnyMatches(), Page)]))
    assert route.pattern is None
    assert route.conditions == (f"{__name__}.OnSunday",)


def test_static_path_comes_first_and_the_default_handler_last() -> None:
    *files, page, default = listed(
        ("/", Page),
        static_path="st",
        default_handler_class=ErrorHandler,
        default_handler_args={"status_code": 403},
    )
    assert [route.pattern for route in files][-1] == "/static/(.*)$"
    assert {route.target for route in files} == {"files in st"}
    assert page.pattern == "/$"
    assert (default.pattern, default.target) == (None, "error 403")


# -- The command

PROGRAM = """
from wsgitornado.web import Application, RequestHandler
from wsgitornado.routing import Matcher, Rule

class Page(RequestHandler):
    def get(self):
        pass

class Never(Matcher):
    def match(self, request):
        return None

app = Application([
    ("/", Page), ("/longer/(.*)", Page, {}, "longer"), Rule(Never(), Page)
])
hosts = Application()
hosts.add_handlers("w.org", [("/in/.*", [("/in/a", Page)])])
empty = Application()

def wsgi(environ, start_response):
    return []
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"routes_of_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    yield name
    sys.modules.pop(name, None)


def test_table_has_a_line_for_each_rule(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["routes", f"{program}:app"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    page, place = f"{program}.Page", f"{program}.py:5"
    assert rows == [
        ["PATTERN", "METHODS", "HANDLER", "NAME", "DEFINED"],
        ["/$", "GET", page, place],
        ["/longer/(.*)$", "GET", page, "longer", place],
        ["(any", "path)", "if", f"{program}.Never", "GET", page, place],
    ]


def test_table_shows_hosts_and_nesting(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["routes", f"{program}:hosts"]) == 0
    _, row = capsys.readouterr().out.splitlines()
    assert row.startswith("w.org$  /in/.*$ > /in/a$  GET ")


def test_application_without_rules_has_an_empty_table(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["routes", f"{program}:empty"]) == 0
    assert capsys.readouterr().out == "no rules\n"


def test_json_has_an_object_for_each_rule(
    program: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["routes", f"{program}:app", "--json"]) == 0
    _, longer, _ = json.loads(capsys.readouterr().out)
    assert longer == {
        "pattern": "/longer/(.*)$",
        "within": [],
        "host": None,
        "conditions": [],
        "handler": f"{program}.Page",
        "methods": ["GET"],
        "name": "longer",
        "target": None,
        "file": str(tmp_path / f"{program}.py"),
        "line": 5,
    }


def test_place_outside_of_the_current_folder_is_shown_whole(
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    sys.path.insert(0, str(tmp_path))
    assert main(["routes", f"{program}:app"]) == 0
    assert f" {tmp_path / program}.py:5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "message"),
    [("wsgi", "has no rules to list"), ("nothing", "has no 'nothing'")],
)
def test_what_has_no_rules_is_refused(
    program: str, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    assert main(["routes", f"{program}:{name}"]) == 2
    assert message in capsys.readouterr().err
