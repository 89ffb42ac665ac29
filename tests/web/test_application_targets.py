"""What the target of a rule may be: handlers, applications, routers, lists of rules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import call
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.routing import AnyMatches, HostMatches, RouteMatch, Router, RuleRouter
from wsgitornado.web import Application, RequestHandler


class Named(RequestHandler):
    """Answers with its name, and whose it is."""

    def initialize(self, name: str = "") -> None:
        self.name = name

    def get(self, *args: str, **kwargs: str) -> None:
        whose = self.settings.get("title", "")
        self.write(" ".join([self.name, *args, *kwargs.values(), whose]).strip())


def named(name: str) -> dict[str, Any]:
    return {"name": name}


def text(application: Application, target: str = "/", **extra: Any) -> str:
    return call(application, target, **extra).text


class Missing(RequestHandler):
    def initialize(self, text: str = "nothing") -> None:
        self.text = text

    def prepare(self) -> None:
        self.set_status(410)
        self.finish(self.text)


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"wsgi {environ['PATH_INFO']}".encode()]


INNER = Application([("/in/(.*)", Named, named("app"))], title="inner")


class ByMethod(Router):
    """A router of a program's own."""

    def find_handler(
        self, request: HTTPServerRequest, **kwargs: Any
    ) -> RouteMatch | None:
        if request.method != "GET":
            return None
        return RouteMatch(Named, named("routed"), [b"arg"])


class InApplication(Router):
    """A router that leaves the choice to another application."""

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> RouteMatch:
        return INNER.find_below(request)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(Named, "outer", id="handler"),
        pytest.param(wsgi, "wsgi /in/x", id="WSGI callable"),
        pytest.param([("/in/(.*)", Named, named("list"))], "list x outer", id="list"),
        pytest.param(
            INNER,
            "app x inner",
            id="Application",
        ),
        pytest.param(
            RuleRouter([("/in/(.*)", Named, named("rules"))]),
            "rules x outer",
            id="rules",
        ),
        pytest.param(ByMethod(), "routed arg outer", id="Router"),
        pytest.param(
            RuleRouter([(AnyMatches(), wsgi)]), "wsgi /in/x", id="WSGI in a router"
        ),
        pytest.param(
            RuleRouter([(AnyMatches(), INNER)]),
            "app x inner",
            id="Application in a router",
        ),
        pytest.param(
            InApplication(),
            "app x inner",
            id="Router that asks an Application",
        ),
    ],
)
def test_target_may_be_many_things(target: Any, expected: str) -> None:
    application = Application(
        [("/in/.*", target), ("/.*", Named, named("after"))], title="outer"
    )
    assert text(application, "/in/x") == expected
    assert text(application, "/out") == "after outer"


@pytest.mark.parametrize(
    ("target", "goes_on"),
    [
        ([("/other", Named)], True),
        (RuleRouter([("/other", Named)]), True),
        (ByMethod(), True),
        (5, True),
        # An application has a handler for everything.
        (Application([("/other", Named)]), False),
    ],
    ids=["list", "rules", "Router", "nothing to call", "Application"],
)
def test_target_that_has_no_answer_lets_the_search_go_on(
    target: Any, goes_on: bool
) -> None:
    class Last(RequestHandler):
        def delete(self) -> None:
            self.write("last")

    answer = call(Application([("/in", target), ("/.*", Last)]), "/in", "DELETE")
    assert (answer.status_code, answer.text == "last") == (
        (200, True) if goes_on else (404, False)
    )


def test_names_of_nested_rules_are_found() -> None:
    inner = Application([("/in/(.*)", Named, {}, "inner")])
    application = Application(
        [("/list.*", [("/list/(.*)", Named, {}, "list")]), ("/in.*", inner)]
    )
    assert application.reverse_url("list", 1) == "/list/1"
    assert application.reverse_url("inner", 1) == "/in/1"


def test_nested_application_keeps_its_own_log_and_default_handler() -> None:
    lines: list[str] = []
    inner = Application(
        [],
        default_handler_class=Missing,
        log_function=lambda handler: lines.append(type(handler).__name__),
    )
    assert text(Application([("/.*", inner)])) == "nothing"
    assert lines == ["Missing"]


def test_rule_for_hosts_may_hold_rules_or_a_handler() -> None:
    application = Application(
        [
            (HostMatches("a.example"), [("/(.*)", Named, named("a"))]),
            (HostMatches("b.example"), Named, named("b")),
            ("/(.*)", Named, named("other")),
        ]
    )
    assert text(application, "/x", HTTP_HOST="a.example") == "a x"
    assert text(application, "/x", HTTP_HOST="b.example") == "b"
    assert text(application, "/x") == "other x"
