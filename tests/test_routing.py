"""Matchers, rules and routers: what they find, and the URLs they give back."""

from __future__ import annotations

import logging
import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado import routing as tornado_routing

from tests.support import make_environ
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.log import app_log
from wsgitornado.routing import (
    AnyMatches,
    DefaultHostMatches,
    HostMatches,
    Matcher,
    PathMatches,
    ReversibleRouter,
    ReversibleRuleRouter,
    RouteMatch,
    Router,
    Rule,
    RuleRouter,
    URLSpec,
)
from wsgitornado.testing import ExpectLog


class Home:
    """Stands for a handler class."""


class Other:
    """Stands for another one."""


def request(
    path: str = "/", host: str = "localhost", **headers: str
) -> HTTPServerRequest:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return HTTPServerRequest(make_environ(path, headers=named, HTTP_HOST=host))


def bare_request(path: str) -> Any:
    """A request with a path that no server would hand over."""
    return SimpleNamespace(path=path)


# -- PathMatches


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/a", "/a", {}),
        ("/a", "/ab", None),
        ("/a$", "/a", {}),
        (re.compile("/a"), "/ab", {}),
        (re.compile("/a", re.IGNORECASE), "/A", {}),
        (r"/a/(.*)", "/a/x", {"path_args": [b"x"], "path_kwargs": {}}),
        (r"/a/(.*)", "/a/x%20y+z%2Fq", {"path_args": [b"x y+z/q"], "path_kwargs": {}}),
        (r"/a/(.*)", "/a/%2541", {"path_args": [b"%41"], "path_kwargs": {}}),
        (r"/a/(.*)", "/a/%ff%", {"path_args": [b"\xff%"], "path_kwargs": {}}),
        (r"/x(/(.*))?", "/x", {"path_args": [None, None], "path_kwargs": {}}),
        (
            r"/(?P<a>\d+)(?P<b>z%2B)?",
            "/12",
            {"path_args": [], "path_kwargs": {"a": b"12", "b": None}},
        ),
        (
            r"/(?P<a>\d+)(?P<b>z%2B)?",
            "/12z%2B",
            {"path_args": [], "path_kwargs": {"a": b"12", "b": b"z+"}},
        ),
        ("", "", {}),
        ("", "/", None),
    ],
)
def test_path_is_matched_as_sent_and_its_groups_are_decoded_once(
    pattern: str | re.Pattern[str], path: str, expected: dict[str, Any] | None
) -> None:
    matcher = PathMatches(pattern)
    router = RuleRouter([(matcher, Home)])

    match = router.find_handler(bare_request(path))

    assert matcher.match(bare_request(path)) == expected
    if expected is None:
        assert match is None
    else:
        assert match is not None
        assert list(match.path_args) == expected.get("path_args", [])
        assert match.path_kwargs == expected.get("path_kwargs", {})
    assert expected == tornado_routing.PathMatches(pattern).match(bare_request(path))


@pytest.mark.parametrize(
    ("pattern", "regex"),
    [("/a", "/a$"), ("/a$", "/a$"), (re.compile("/a"), "/a"), ("", "$")],
)
def test_only_text_gets_a_dollar_at_its_end(
    pattern: str | re.Pattern[str], regex: str
) -> None:
    assert PathMatches(pattern).regex.pattern == regex


def test_named_and_unnamed_groups_do_not_mix() -> None:
    with pytest.raises(AssertionError, match="all named or all positional") as caught:
        PathMatches(r"/(?P<x>\d+)/(\w+)")

    assert "has 1 named of 2" in str(caught.value)


@pytest.mark.parametrize("pattern", [b"/a", 3, None, re.compile(b"/a")], ids=repr)
@pytest.mark.parametrize("matcher", [PathMatches, HostMatches])
def test_a_pattern_is_text_or_compiled_from_text(
    matcher: type[PathMatches | HostMatches], pattern: Any
) -> None:
    with pytest.raises(TypeError, match="must be a str or a compiled regular"):
        matcher(pattern)


# -- reverse

REVERSED = [
    (r"/a", (), "/a"),
    (r"", (), ""),
    (r"^/a/(.*)", (1,), "/a/1"),
    (r"/(\d+)", (5,), "/5"),
    (r"/(.*)", ("a/b c?é&+%;=:@,~!$'()*",), None),
    (r"/(.*)", (b"a/b\xff",), "/a/b%FF"),
    (r"/(.*)", (1.5,), "/1.5"),
    (r"/(.*)", (True,), "/True"),
    (r"/(.*)", (["x"],), "/%5B%27x%27%5D"),
    (r"/(.*)", ("",), "/"),
    (r"/(\d+)/(x)", (1, None), "/1/None"),
    (r"/(?P<x>\d+)/(?P<y>\d+)/z", (1, 2), "/1/2/z"),
    (r"/a\.b\/c\-\_/(.*)", ("q",), "/a.b/c-_/q"),
    (r"/a\\b", (), "/a\\b"),
    (r"/a b/é/(.*)", ("q",), "/a b/é/q"),
    (r"/a/?", (), "/a/?"),
    (r"/(a)?", (1,), "/1?"),
    (r"/a.b", (), "/a.b"),
    (r"/[ab]/(.*)", (1,), "/[ab]/1"),
    (r"/a|/b", (), "/a|/b"),
    (r"/a*/b+/c{2}", (), "/a*/b+/c{2}"),
    (r"/%20/x", (), "/%20/x"),
    (re.compile(r"/a/(.*)"), (1,), "/a/1"),
]


@pytest.mark.parametrize(("pattern", "args", "expected"), REVERSED)
def test_reverse_is_as_in_tornado(
    pattern: str | re.Pattern[str], args: tuple[Any, ...], expected: str | None
) -> None:
    ours = PathMatches(pattern).reverse(*args)

    assert ours == tornado_routing.PathMatches(pattern).reverse(*args)
    assert ours == expected or expected is None


@pytest.mark.parametrize(
    ("pattern", "args", "expected"),
    [
        (r"/100%/(.*)", (1,), "/100%/1"),
        (r"/%s/(.*)", (1,), "/%s/1"),
        (r"/a\$", (), "/a$"),
        (r"/(a\)b)x", (1,), "/1x"),
        (r"/([)(])x", (1,), "/1x"),
        (r"/\(x\)/(.*)", (1,), "/(x)/1"),
        (r"/((?:a|b)+)/c", ("a",), "/a/c"),
    ],
)
def test_reverse_gives_a_url_where_tornado_fails(
    pattern: str, args: tuple[Any, ...], expected: str
) -> None:
    assert PathMatches(pattern).reverse(*args) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        r"/\d",
        r"/\w/(.*)",
        r"/a\Z",
        r"/(?:x)/(.*)",
        r"/(?i:x)",
        r"/(?!static)(.*)",
        r"/x(/(.*))?",
        r"(?i)/a",
    ],
)
def test_a_complicated_pattern_cannot_be_reversed(pattern: str) -> None:
    matcher = PathMatches(pattern)

    with pytest.raises(ValueError, match=r"^Cannot reverse url regex ") as caught:
        matcher.reverse(*["x"] * matcher.regex.groups)

    assert matcher.regex.pattern in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "args"),
    [("/a", (1,)), (r"/(\d+)", ()), (r"/(\d+)", (1, 2)), (r"/(a)?", ())],
)
def test_reverse_takes_as_many_arguments_as_there_are_groups(
    pattern: str, args: tuple[Any, ...]
) -> None:
    with pytest.raises(
        AssertionError, match=r"^required number of arguments not found"
    ):
        PathMatches(pattern).reverse(*args)
    with pytest.raises(AssertionError):
        tornado_routing.PathMatches(pattern).reverse(*args)


@settings(deadline=None)
@given(st.text(max_size=8), st.binary(max_size=8))
def test_a_reversed_path_leads_back_to_its_arguments(text: str, data: bytes) -> None:
    spec = URLSpec(r"/p\.q/(.*)/and/(.*)", Home)
    try:
        expected = text.encode()
    except UnicodeEncodeError:
        return  # a lone surrogate has no bytes
    path = spec.reverse(text, data)

    assert path is not None
    match = RuleRouter([spec]).find_handler(bare_request(path))
    assert match is not None
    if b"/and/" not in data:
        assert match.path_args == (expected, data)


# -- hosts


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("a.com", "a.com", True),
        ("a.com", "a.com:8080", True),
        ("a.com", "A.Com", True),
        ("a.com", "a.comx", False),
        (r".*\.a\.com", "b.a.com", True),
        (r".*\.a\.com", "a.com", False),
        (re.compile("a"), "abc", True),
        (re.compile("A"), "a", False),
        ("A.com", "a.com", False),
    ],
)
def test_host_is_matched_without_port_in_lower_case(
    pattern: str | re.Pattern[str], host: str, matches: bool
) -> None:
    match = HostMatches(pattern).match(request(host=host))

    assert match == ({} if matches else None)


@pytest.mark.parametrize(
    ("default_host", "xheaders", "headers", "matches"),
    [
        ("a.com", False, {}, True),
        ("b.com", False, {}, False),
        ("", False, {}, False),
        (None, False, {}, False),
        ("a.com", False, {"X_Real_Ip": "10.0.0.1"}, True),
        ("a.com", True, {"X_Real_Ip": "10.0.0.1"}, False),
        ("a.com", True, {}, True),
    ],
    ids=[
        "default host matches",
        "default host is another",
        "empty",
        "none",
        "header that nobody vouches for",
        "header from a proxy",
        "proxy, but no header",
    ],
)
def test_default_host_counts_unless_a_proxy_has_named_the_host(
    default_host: str | None, xheaders: bool, headers: dict[str, str], matches: bool
) -> None:
    settings = {"xheaders": True} if xheaders else {}
    application = SimpleNamespace(default_host=default_host, settings=settings)
    matcher = DefaultHostMatches(application, re.compile(r"a\.com$"))

    match = matcher.match(request(host="elsewhere", **headers))

    assert match == ({} if matches else None)
    assert matcher.application is application
    assert matcher.host_pattern.pattern == r"a\.com$"


def test_any_matches_any() -> None:
    assert AnyMatches().match(request("/x")) == {}
    assert AnyMatches().reverse() is None


# -- rules


def test_a_rule_has_what_it_was_given() -> None:
    matcher = AnyMatches()
    rule = Rule(matcher=matcher, target=Home, target_kwargs={"x": 1}, name="n")

    assert (rule.matcher, rule.target, rule.name) == (matcher, Home, "n")
    assert rule.target_kwargs == {"x": 1}
    assert Rule(matcher, Home).target_kwargs == {}
    assert repr(rule) == f"Rule({matcher!r}, {Home!r}, kwargs={{'x': 1}}, name='n')"
    assert rule.reverse(1) is None
    assert Rule(PathMatches("/(.)"), Home).reverse(1) == "/1"


@pytest.mark.parametrize("second", ["handler", "handler_class"])
def test_a_urlspec_takes_its_handler_by_both_names(second: str) -> None:
    named: dict[str, Any] = {second: Home}
    spec = URLSpec("/a", kwargs={"x": 1}, name="n", **named)

    assert (spec.target, spec.handler_class) == (Home, Home)
    assert (spec.kwargs, spec.target_kwargs, spec.name) == ({"x": 1}, {"x": 1}, "n")
    assert spec.regex is spec.matcher.regex  # type: ignore[attr-defined]  # PathMatches
    assert repr(spec) == f"URLSpec('/a$', {Home!r}, kwargs={{'x': 1}}, name='n')"


def test_a_urlspec_without_kwargs_says_none_and_gives_its_target_none() -> None:
    spec = URLSpec("/a", Home)

    assert spec.kwargs is None
    assert spec.target_kwargs == {}
    assert repr(spec) == f"URLSpec('/a$', {Home!r}, kwargs=None, name=None)"


@pytest.mark.parametrize(
    "handlers", [{}, {"handler": Home, "handler_class": Home}], ids=["none", "both"]
)
def test_a_urlspec_needs_exactly_one_handler(handlers: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="needs a handler, once"):
        URLSpec("/a", **handlers)


def test_a_dotted_name_is_imported_when_the_rule_is_made() -> None:
    spec = URLSpec("/a", "collections.OrderedDict")

    assert spec.target.__name__ == spec.handler_class.__name__ == "OrderedDict"
    with pytest.raises(ImportError):
        Rule(AnyMatches(), "collections.no_such_thing")


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [
        (("/a",), ValueError, "two to four elements.*got 1"),
        ((), ValueError, "two to four elements.*got 0"),
        (("/a", Home, {}, "n", 5), ValueError, "two to four elements.*got 5"),
        ("/a", TypeError, "a rule is a Rule, a URLSpec, or a tuple"),
        (None, TypeError, "a rule is a Rule, a URLSpec, or a tuple"),
        (AnyMatches(), TypeError, "a rule is a Rule, a URLSpec, or a tuple"),
        ((1, Home), TypeError, "must be a Matcher: got 1"),
        ((b"/a", Home), TypeError, "must be a Matcher: got b'/a'"),
        (("/a", Home, "name"), TypeError, "a name comes after them: {}, 'name'"),
        (("/a", Home, 5), TypeError, "must be a dict or None: got 5$"),
    ],
    ids=[
        "pattern alone",
        "nothing",
        "five elements",
        "text",
        "None",
        "matcher",
        "number as pattern",
        "bytes as pattern",
        "name as arguments",
        "number as arguments",
    ],
)
def test_a_wrong_rule_is_refused_at_once(
    rule: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        RuleRouter([rule])


def test_a_pattern_is_no_matcher_for_a_rule() -> None:
    pattern: Any = re.compile("/a")

    with pytest.raises(TypeError, match="use URLSpec or PathMatches"):
        Rule(pattern, Home)


@pytest.mark.parametrize(
    "rule",
    [
        ("/a", Home),
        ["/a", Home],
        ("/a", Home, {"x": 1}),
        ("/a", Home, None, "n"),
        (re.compile("/a$"), Home),
        (PathMatches("/a"), Home, {}, "n"),
        URLSpec("/a", Home),
        Rule(AnyMatches(), Home),
    ],
    ids=[
        "tuple",
        "list",
        "with arguments",
        "with name",
        "compiled pattern",
        "matcher",
        "URLSpec",
        "Rule",
    ],
)
def test_rules_come_as_tuples_lists_and_objects(rule: Any) -> None:
    for rules in ([rule], (rule,), iter([rule])):
        router = RuleRouter(rules)
        match = router.find_handler(request("/a"))

        assert match is not None
        assert match.target is Home


# -- routers


@pytest.mark.parametrize(
    "abstract",
    [
        lambda: Matcher().match(request()),
        lambda: Router().find_handler(request()),
        lambda: ReversibleRouter().reverse_url("n"),
    ],
    ids=["match", "find_handler", "reverse_url"],
)
def test_what_must_be_overridden_says_so(abstract: Any) -> None:
    with pytest.raises(NotImplementedError, match="must override"):
        abstract()


def test_the_first_rule_that_matches_wins() -> None:
    router = RuleRouter([("/a", Home), ("/.*", Other), ("/b", Home), (".*", Home)])

    found = [router.find_handler(request(path)) for path in ("/a", "/b", "/c")]

    assert [match and match.target for match in found] == [Home, Other, Other]


def test_what_no_rule_matches_is_none() -> None:
    assert RuleRouter().find_handler(request("/")) is None
    assert RuleRouter([("/a", Home)]).find_handler(request("/")) is None


def test_a_match_says_what_the_target_is_called_with() -> None:
    router = RuleRouter(
        [(r"/(?P<x>\d+)", Home, {"k": 1}), (r"/(\w)(\d)?", Home), (".*", Home)]
    )

    assert [
        repr(router.find_handler(request(path))) for path in ("/1", "/a", "/-")
    ] == [
        f"RouteMatch({Home!r}, {{'k': 1}}, [], {{'x': b'1'}})",
        f"RouteMatch({Home!r}, {{}}, [b'a', None], {{}})",
        f"RouteMatch({Home!r}, {{}}, [], {{}})",
    ]


def test_a_rule_without_groups_gives_one_match_for_all_requests() -> None:
    kwargs = {"k": 1}
    router = RuleRouter([("/a", Home, kwargs)])

    first = router.find_handler(request("/a"))

    assert first is not None
    assert first.target_kwargs is kwargs
    assert router.find_handler(request("/a")) is first
    with pytest.raises(TypeError):
        first.path_kwargs["x"] = b""  # type: ignore[index]  # what must not work


def test_a_router_as_target_gets_what_was_found_and_may_find_nothing() -> None:
    asked = []

    class Recording(Router):
        def find_handler(
            self, request: HTTPServerRequest, **kwargs: Any
        ) -> RouteMatch | None:
            asked.append(kwargs)
            return None

    router = RuleRouter(
        [
            (r"/a/(.*)", Recording(), {"k": 1}),
            (AnyMatches(), Recording()),
            (AnyMatches(), Recording(), {"k": 2}),
            (r"/a/(b)", RuleRouter([("/a/b", Home)])),
        ]
    )

    match = router.find_handler(request("/a/b"))

    assert match is not None
    assert match.target is Home
    assert match.path_args == ()
    assert asked == [
        {"path_args": [b"b"], "path_kwargs": {}, "target_kwargs": {"k": 1}},
        {},
        {"target_kwargs": {"k": 2}},
    ]


@pytest.mark.parametrize("router_class", [RuleRouter, ReversibleRuleRouter])
@pytest.mark.parametrize("container", [list, tuple])
def test_a_list_of_rules_as_target_is_a_router(
    router_class: type[RuleRouter], container: Any
) -> None:
    inner = container([("/a/b", Home, {}, "inner")])
    router = router_class([("/a/.*", inner), ("/a/c", Other)])

    found = [router.find_handler(request(path)) for path in ("/a/b", "/a/c")]

    assert [match and match.target for match in found] == [Home, Other]
    assert type(router.rules[0].target) is router_class


def test_a_target_that_nobody_can_call_lets_the_search_go_on() -> None:
    router = RuleRouter([("/a", None), (AnyMatches(), None), ("/a", Home)])

    match = router.find_handler(request("/a"))

    assert match is not None
    assert match.target is Home


def test_a_subclass_decides_about_targets() -> None:
    class Numbers(RuleRouter):
        def get_target_match(
            self, target: Any, request: HTTPServerRequest, **target_params: Any
        ) -> RouteMatch | None:
            seen.append((target, target_params))
            if isinstance(target, int):
                return RouteMatch(Home, {"number": target})
            return super().get_target_match(target, request, **target_params)

    seen: list[Any] = []
    router = Numbers([("/a", 5), (r"/(.)", Other, {"k": 1}), (AnyMatches(), Other)])

    matches = [router.find_handler(request(path)) for path in ("/a", "/b", "/-/")]

    assert [match and match.target for match in matches] == [Home, Other, Other]
    assert matches[0] is not None
    assert matches[0].target_kwargs == {"number": 5}
    assert seen == [
        (5, {}),
        (
            Other,
            {"path_args": [b"b"], "path_kwargs": {}, "target_kwargs": {"k": 1}},
        ),
        (Other, {}),
    ]


def test_a_subclass_may_say_which_targets_it_leaves_alone() -> None:
    class Numbers(RuleRouter):
        def get_target_match(
            self, target: Any, request: HTTPServerRequest, **target_params: Any
        ) -> RouteMatch | None:
            assert isinstance(target, int)
            return RouteMatch(Home, {"number": target})

        def target_is_plain(self, target: Any) -> bool:
            return not isinstance(target, int)

    router = Numbers([("/a", 5), ("/b", Other)])

    matches = [router.find_handler(request(path)) for path in ("/a", "/b")]

    assert [match and match.target for match in matches] == [Home, Other]


def test_what_a_matcher_finds_beyond_arguments_reaches_routers_only() -> None:
    class Language(Matcher):
        def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
            return {"language": "pt"}

    class Spoken(Router):
        def find_handler(
            self, request: HTTPServerRequest, **kwargs: Any
        ) -> RouteMatch | None:
            return RouteMatch(Home, kwargs)

    match = RuleRouter([(Language(), Spoken())]).find_handler(request())
    assert match is not None
    assert match.target_kwargs == {"language": "pt"}

    with pytest.raises(TypeError, match="language"):
        RuleRouter([(Language(), Home)]).find_handler(request())


def test_a_dictionary_that_a_matcher_keeps_is_not_changed() -> None:
    class Keeping(Matcher):
        found: dict[str, Any] = {}

        def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
            return self.found

    match = RuleRouter([(Keeping(), Home, {"k": 1})]).find_handler(request())

    assert match is not None
    assert match.target_kwargs == {"k": 1}
    assert Keeping.found == {}


def test_hosts_and_paths_nest() -> None:
    router = ReversibleRuleRouter(
        [
            (HostMatches(r"(www\.)?a\.com"), [("/x", Home, {}, "x")]),
            (AnyMatches(), [("/y", Other)]),
        ]
    )

    def target(path: str, host: str) -> Any:
        match = router.find_handler(request(path, host))
        return match and match.target

    assert target("/x", "www.a.com:80") is Home
    assert target("/x", "b.com") is None
    assert target("/y", "a.com") is Other
    assert router.reverse_url("x") == "/x"


def test_process_rule_decides_what_is_appended() -> None:
    class Wrapping(RuleRouter):
        def process_rule(self, rule: Rule) -> Rule:
            rule = super().process_rule(rule)
            rule.target_kwargs = {**rule.target_kwargs, "seen": True}
            return rule

    router = Wrapping([("/a", Home, {"x": 1})])
    match = router.find_handler(request("/a"))

    assert match is not None
    assert match.target_kwargs == {"x": 1, "seen": True}


def test_message_delegates_name_what_is_there_instead() -> None:
    with pytest.raises(NotImplementedError, match=r"get_target_match\(\)"):
        RuleRouter().get_target_delegate(Home, request())

    with pytest.raises(TypeError, match=r"override get_target_match\(\)"):
        type(
            "Ported", (RuleRouter,), {"get_target_delegate": lambda *args, **params: 1}
        )


# -- names


def test_rules_are_reversed_by_name() -> None:
    router = ReversibleRuleRouter(
        [
            ("/a", Home, {}, "a"),
            (r"/b/(.*)", Home, {}, "b"),
            ("/c", Home),
            ("/d", Home, {}, ""),
        ]
    )

    assert router.reverse_url("a") == "/a"
    assert router.reverse_url("b", "x/y z") == "/b/x/y%20z"
    assert router.reverse_url("unknown") is None
    assert router.reverse_url("") is None
    assert set(router.named_rules) == {"a", "b"}
    with pytest.raises(AssertionError):
        router.reverse_url("b")


def test_the_last_rule_of_a_name_counts_and_a_warning_says_so() -> None:
    with ExpectLog(
        app_log,
        r"Multiple handlers named n; replacing previous value$",
        level=logging.WARNING,
    ):
        router = ReversibleRuleRouter([("/a", Home, {}, "n"), ("/b", Home, {}, "n")])

    assert router.reverse_url("n") == "/b"


def test_names_of_nested_routers_come_after_the_own() -> None:
    router = ReversibleRuleRouter(
        [
            ("/plain", Home),
            ("/n", ReversibleRuleRouter([("/n/a", Home, {}, "a")]), {}, "nest"),
            ("/m", [("/m/a", Home, {}, "a"), ("/m/b", Home, {}, "b")]),
            (AnyMatches(), Home, {}, "any"),
        ]
    )

    assert router.reverse_url("nest") == "/n"
    assert router.reverse_url("a") == "/n/a"
    assert router.reverse_url("b") == "/m/b"
    assert router.reverse_url("any") is None
    assert router.reverse_url("unknown") is None


# -- the order of finding, as Tornado's


class _TornadoRouter(tornado_routing.RuleRouter):
    def get_target_delegate(
        self, target: Any, request: Any, **target_params: Any
    ) -> Any:
        return target, target_params


PROGRAM: list[Any] = [
    ("/", "home"),
    (r"/a/?", "a"),
    (r"/a/(\d+)", "number"),
    (r"/a/(?P<word>\w+)", "word", {"k": 1}),
    (r"(?i)/CASE", "case"),
    (r"/x|/y", "x or y"),
    (r"/file\.(txt|md)(.gz)?", "file"),
    (r"/a/.*", "rest of a"),
    (r"/é", "accent"),
    (r"/a", "never"),
]


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/a", "/a/", "/a/1", "/a/b", "/a/b/c", "/CASE", "/case", "/x", "/y"),
        *("/xx", "/file.txt", "/file.md.gz", "/file_txt", "/é", "/%C3%A9", "", "//"),
        *("/a\n", "/a/1\n", "/a/%31", "/a/b%20"),
    ],
)
def test_a_program_finds_what_it_finds_in_tornado(path: str) -> None:
    targets = {rule[1]: type(rule[1], (), {}) for rule in PROGRAM}
    rules = [(rule[0], targets[rule[1]], *rule[2:]) for rule in PROGRAM]

    theirs: Any = _TornadoRouter(rules).find_handler(bare_request(path))
    ours = RuleRouter(rules).find_handler(bare_request(path))

    if theirs is None:
        assert ours is None
    else:
        target, params = theirs
        assert ours is not None
        assert ours.target is target
        assert list(ours.path_args) == params.get("path_args", [])
        assert ours.path_kwargs == params.get("path_kwargs", {})
        assert ours.target_kwargs == params.get("target_kwargs", {})
