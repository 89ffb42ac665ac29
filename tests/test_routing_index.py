"""Rules are found by literal text: the same ones as by trying all, at a fixed cost."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from wsgitornado._route_index import (
    NOTHING,
    Literal,
    WatchedList,
    literal,
    url_pieces,
)
from wsgitornado.routing import (
    AnyMatches,
    Matcher,
    PathMatches,
    RouteMatch,
    Rule,
    RuleRouter,
)

#: A busy machine is no failure.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Request:
    """As much of a request as matchers look at."""

    def __init__(self, path: str, host_name: str = "h") -> None:
        self.path = path
        self.host_name = host_name
        self.headers: dict[str, str] = {}


def request(path: str, host_name: str = "h") -> Any:
    return Request(path, host_name)


class Target:
    """A target that can be told from others."""

    def __init__(self, name: object) -> None:
        self.name = name

    def __call__(self) -> None:
        """Be callable."""

    def __repr__(self) -> str:
        return f"Target({self.name!r})"


# -- what is literal in a pattern


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"/a$", Literal("/a", is_whole=True)),
        (r"/a", Literal("/a", is_whole=False)),
        (r"^/a$", Literal("/a", is_whole=True)),
        (r"", Literal("", is_whole=False)),
        (r"$", Literal("", is_whole=True)),
        (r"^$", Literal("", is_whole=True)),
        (r"/a\.b\/c\-\_\é$", Literal("/a.b/c-_é", is_whole=True)),
        (r"/a\$", Literal("/a$", is_whole=False)),
        (r"/a$$", Literal("/a", is_whole=False)),
        (r"/a\Z", Literal("/a", is_whole=False)),
        ("/a\n$", Literal("/a\n", is_whole=False)),
        ("/a\\\n$", Literal("/a\n", is_whole=False)),
        (r"/a.b$", Literal("/a", is_whole=False)),
        (r"/user/(\d+)$", Literal("/user/", is_whole=False)),
        (r"/(?:a|b)$", Literal("/", is_whole=False)),
        (r"/x(?!static)(.*)$", Literal("/x", is_whole=False)),
        (r"/x\d$", Literal("/x", is_whole=False)),
        (r"/x\x41$", Literal("/x", is_whole=False)),
        (r"/x[ab]$", Literal("/x", is_whole=False)),
        (r"/x[]|)(](.*)$", Literal("/x", is_whole=False)),
        (r"/x[^]|](.*)$", Literal("/x", is_whole=False)),
        (r"/ab?$", Literal("/a", is_whole=False)),
        (r"/ab*$", Literal("/a", is_whole=False)),
        (r"/ab+$", Literal("/a", is_whole=False)),
        (r"/ab{0,2}$", Literal("/a", is_whole=False)),
        (r"/ab{c$", Literal("/a", is_whole=False)),
        (r"/a\.?$", Literal("/a", is_whole=False)),
        (r"?".join(["/", "$"]), Literal("", is_whole=False)),
        (r"(.*)/a$", NOTHING),
        (r"/a|/b$", NOTHING),
        (r"/a(b|c)|/b$", NOTHING),
        (r"|/b$", NOTHING),
        (r"/a\|b[|](|)$", Literal("/a|b", is_whole=False)),
        (r"/ab(?#|[()c$", Literal("/abc", is_whole=True)),
        (r"/ab(?#\))*$", Literal("/a", is_whole=False)),
        (r"/ab(?#x)c$", Literal("/abc", is_whole=True)),
        (r"(?i)/a$", NOTHING),
        (r"(?x)/a b$", NOTHING),
        (r"(?m)/a$", NOTHING),
        (r"(?i:/a)$", NOTHING),
        ("/a(?x:b # (\n)|/c$", NOTHING),
        (r"(?s)/a$", NOTHING),
        (r"(x)?(?(1)/a|/b)$", NOTHING),
        (r"/a(x)?(?(1)/a|/b)$", Literal("/a", is_whole=False)),
    ],
)
def test_literal_text_is_what_every_match_begins_with(
    pattern: str, expected: Literal
) -> None:
    assert literal(re.compile(pattern)) == expected


@pytest.mark.parametrize("flag", [re.IGNORECASE, re.VERBOSE, re.MULTILINE])
def test_patterns_compiled_with_flags_that_matter_have_no_literal(
    flag: re.RegexFlag,
) -> None:
    assert literal(re.compile("/a$", flag)) == NOTHING


@pytest.mark.parametrize("flag", [re.ASCII, re.DOTALL, re.NOFLAG])
def test_patterns_compiled_with_harmless_flags_have_one(flag: re.RegexFlag) -> None:
    assert literal(re.compile("/a$", flag)) == Literal("/a", is_whole=True)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"/a$", ("/a",)),
        (r"^/a$", ("/a",)),
        (r"", ("",)),
        (r"/a\$", ("/a$",)),
        (r"/a/?$", ("/a/?",)),
        (r"/a\.b/(\d+)/(\w+)$", ("/a.b/", "/", "")),
        (r"/(?P<x>\d+)/(?P<y>.*)/z$", ("/", "/", "/z")),
        (r"/((?:a|b)+[)(])/c$", ("/", "/c")),
        (r"/\((a\)b)\)$", ("/(", ")")),
        (r"/a(?#comment)b/(.*)$", ("/ab/", "")),
        (r"/[ab]/(.*)$", ("/[ab]/", "")),
        (r"/((a)b)$", None),
        (r"/x(/(.*))?$", None),
        (r"/(?:a)/(.*)$", None),
        (r"/(?=a)(.*)$", None),
        (r"/(?<=a)(.*)$", None),
        (r"(?i)/a$", None),
        (r"/(?P<x>.)(?P=x)$", None),
        (r"/\d$", None),
        (r"/[\d]$", None),
        (r"/(.)\1$", None),
        ("/a((?x:b # )\n))/c$", None),
    ],
)
def test_pieces_of_a_url_are_the_text_around_the_groups(
    pattern: str, expected: tuple[str, ...] | None
) -> None:
    assert url_pieces(re.compile(pattern)) == expected


def test_a_verbose_pattern_has_no_pieces() -> None:
    assert url_pieces(re.compile("/a b", re.VERBOSE)) is None


# -- the index finds what a search through all finds

PARTS = [
    *("/", "a", "b", "A", ".", "$", "^", "|", "\n", "(", ")", "(?:", "(?P<n>", "?"),
    *("*", "+", "{0,1}", "{1}", "{", "}", "]", "[a|]", "[^]a]", "[(]", r"\.", r"\/"),
    *(
        r"\d",
        r"\w",
        r"\Z",
        r"\$",
        r"\|",
        r"\(",
        "(?i:",
        "(?x:",
        "# (\n",
        "(?!",
        "(?=",
        "(?#",
        "%",
        "é",
    ),
    *("(.*)", "(a)", "(a|b)", "(?i)", "/a", "/b", "/ab", "a$"),
]
FLAGS = [0, 0, 0, re.IGNORECASE, re.MULTILINE, re.DOTALL, re.VERBOSE]


def is_valid(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, FutureWarning):
        return False
    return True


patterns = st.lists(st.sampled_from(PARTS), max_size=6).map("".join).filter(is_valid)
tame_patterns = st.text("/ab", max_size=4).flatmap(
    lambda text: st.sampled_from([text, text + "(.*)", text + "?" if text else "", ""])
)
paths = st.text("/abA.\n|$(%", max_size=6) | st.sampled_from(
    ["/a", "/b", "/ab", "/a\n"]
)


def path_matches(pattern: str, flags: int, is_compiled: bool) -> PathMatches | None:
    try:
        return PathMatches(re.compile(pattern, flags) if is_compiled else pattern)
    except (re.error, FutureWarning, AssertionError):
        return None  # a "$" can end a comment, and groups may be mixed


class FirstLetter(Matcher):
    """A matcher of which the index can know nothing."""

    def match(self, request: Any) -> dict[str, Any] | None:
        return {} if request.path[:2] == "/a" else None


class NotTheseMatches(PathMatches):
    """A subclass with an own idea of matching."""

    def match(self, request: Any) -> dict[str, Any] | None:
        return {} if super().match(request) is None else None


matchers = st.one_of(
    st.builds(path_matches, patterns, st.sampled_from(FLAGS), st.booleans()),
    st.builds(path_matches, tame_patterns, st.just(0), st.booleans()),
    st.builds(NotTheseMatches, tame_patterns),
    st.builds(FirstLetter),
    st.builds(AnyMatches),
).filter(lambda matcher: matcher is not None)

NESTED = RuleRouter([("/a.*", Target("nested"))])
kinds = st.sampled_from(["callable", "callable", "callable", "nested", "nothing"])


def target_of(kind: str, name: int) -> Any:
    return {"callable": Target(name), "nested": NESTED, "nothing": None}[kind]


def search_all(router: RuleRouter, path: str) -> RouteMatch | None:
    """Try every rule, in order: what the index must not differ from."""
    asked = request(path)
    for rule in router.rules:
        params = rule.matcher.match(asked)
        if params is not None:
            if rule.target_kwargs:
                params["target_kwargs"] = rule.target_kwargs
            match = router.get_target_match(rule.target, asked, **params)
            if match is not None:
                return match
    return None


def facts(match: RouteMatch | None) -> object:
    if match is None:
        return None
    args, kwargs = tuple(match.path_args), dict(match.path_kwargs)
    return match.target, dict(match.target_kwargs), args, kwargs


@patient
@given(
    st.lists(st.tuples(matchers, kinds, st.booleans()), max_size=8),
    st.lists(paths, min_size=1, max_size=5),
)
@example([(PathMatches("/a"), "callable", False)], ["/a\n"])
@example(
    [(PathMatches("/a"), "nested", False), (PathMatches("/a\n"), "callable", False)],
    ["/a\n", "/a"],
)
@example(
    [(PathMatches("/ab(?#c)*"), "callable", True)],
    ["/a", "/abb"],
)
def test_a_router_finds_what_a_search_through_all_rules_finds(
    rules: list[tuple[Matcher, str, bool]], asked: list[str]
) -> None:
    router = RuleRouter(
        [
            (matcher, target_of(kind, name), {"name": name} if has_kwargs else {})
            for name, (matcher, kind, has_kwargs) in enumerate(rules)
        ]
    )

    for path in asked:
        assert facts(router.find_handler(request(path))) == facts(
            search_all(router, path)
        )


@patient
@given(
    st.lists(st.text("/ab", max_size=5), max_size=12),
    st.text("/abc", max_size=7),
)
def test_prefixes_that_contain_each_other_are_all_candidates(
    prefixes: list[str], path: str
) -> None:
    router = RuleRouter(
        [(prefix + "([ab]*)", Target(name)) for name, prefix in enumerate(prefixes)]
    )

    assert facts(router.find_handler(request(path))) == facts(search_all(router, path))


@patient
@given(patterns, paths)
def test_a_match_begins_with_the_literal_of_its_pattern(
    pattern: str, path: str
) -> None:
    regex = re.compile(pattern)
    known = literal(regex)

    if regex.match(path):
        assert path.startswith(known.text)
        assert not known.is_whole or path in (known.text, known.text + "\n")
    elif known.is_whole:
        assert path not in (known.text, known.text + "\n")


# -- the cost does not grow with the rules


def regex_matches_during(action: Callable[[], object]) -> int:
    """Count the calls of ``re.Pattern.match``, wherever they are made."""
    count = 0

    def watch(frame: FrameType, event: str, called: Any) -> None:
        nonlocal count
        if event == "c_call" and isinstance(
            getattr(called, "__self__", None), re.Pattern
        ):
            count += 1

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


def router_of(size: int) -> RuleRouter:
    target = Target("one of many")
    return RuleRouter(
        [(rf"/page{number}", target) for number in range(size)]
        + [(rf"/item{number}/(\d+)", target) for number in range(size)]
        + [(rf"/user{number}/(?P<name>\w+)/edit", target) for number in range(size)]
    )


@pytest.mark.parametrize(
    ("path", "matches"),
    [
        ("/page{last}", 0),
        ("/item{last}/7", 1),
        ("/user{last}/me/edit", 1),
        ("/item{last}/x", 1),
        ("/nothing", 0),
        ("/zzz", 0),
        ("", 0),
    ],
    ids=["literal", "group", "named group", "mismatch", "404", "404 at end", "empty"],
)
@pytest.mark.parametrize("size", [5, 500])
def test_five_hundred_routes_cost_what_five_cost(
    size: int, path: str, matches: int
) -> None:
    router = router_of(size)
    asked = request(path.format(last=size - 1))
    router.find_handler(asked)

    assert regex_matches_during(lambda: router.find_handler(asked)) == matches


def test_only_matchers_that_are_not_for_paths_are_asked_every_time() -> None:
    asked = []

    class Recording(Matcher):
        def match(self, request: Any) -> dict[str, Any] | None:
            asked.append(self)
            return None

    first, second = Recording(), Recording()
    router = router_of(5)
    router.rules.insert(0, Rule(first, Target("first")))
    router.rules.insert(3, Rule(second, Target("second")))

    router.find_handler(request("/page1"))
    assert asked == [first]
    router.find_handler(request("/page4"))
    assert asked == [first, first, second]


def test_rules_behind_one_that_always_matches_are_not_tried() -> None:
    router = RuleRouter(
        [(AnyMatches(), Target("any")), ("/a/(.*)", Target("a")), ("/b", Target("b"))]
    )

    for path in ("/a/b", "/b", "/c"):
        match = router.find_handler(request(path))
        assert match is not None
        assert match.target.name == "any"
        asked = request(path)
        assert regex_matches_during(lambda q=asked: router.find_handler(q)) == 0  # type: ignore[misc]  # a default in a lambda has no type


# -- every change of the list is noticed


def rule(name: str, pattern: str = "/a") -> Rule:
    return Rule(PathMatches(pattern), Target(name))


def found(router: RuleRouter, path: str = "/a") -> object:
    match = router.find_handler(request(path))
    return match.target.name if match else None


CHANGES: dict[str, tuple[Callable[[list[Rule]], object], str | None]] = {
    "append": (lambda rules: rules.append(rule("new")), "old"),
    "insert": (lambda rules: rules.insert(0, rule("new")), "new"),
    "extend": (lambda rules: rules.extend([rule("new")]), "old"),
    "pop": (lambda rules: rules.pop(0), "second"),
    "remove": (lambda rules: rules.remove(rules[0]), "second"),
    "clear": (lambda rules: rules.clear(), None),
    "reverse": (lambda rules: rules.reverse(), "second"),
    "sort": (
        lambda rules: rules.sort(key=lambda rule: str(rule.target), reverse=True),
        "second",
    ),
    "set": (lambda rules: rules.__setitem__(0, rule("new")), "new"),
    "set slice": (
        lambda rules: rules.__setitem__(slice(None), [rule("new")]),
        "new",
    ),
    "delete": (lambda rules: rules.__delitem__(0), "second"),
    "delete slice": (lambda rules: rules.__delitem__(slice(None)), None),
    "add in place": (lambda rules: rules.__iadd__([rule("new")]), "old"),
    "multiply in place": (lambda rules: rules.__imul__(0), None),
}


@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_list_of_rules_counts_at_once(
    change: Callable[[list[Rule]], object], expected: str | None
) -> None:
    router = RuleRouter()
    router.rules += [rule("old"), rule("second")]
    assert found(router) == "old"
    before = router.rules.version

    change(router.rules)

    assert found(router) == expected
    assert router.rules.version is not before


def test_the_methods_that_are_watched_are_all_that_change_a_list() -> None:
    own = {name for name, value in vars(WatchedList).items() if callable(value)}
    reading = {
        *("__add__", "__class_getitem__", "__contains__", "__eq__", "__ge__"),
        *("__getattribute__", "__getitem__", "__gt__", "__iter__", "__le__"),
        *("__len__", "__lt__", "__mul__", "__ne__", "__new__", "__repr__", "__rmul__"),
        *("__reversed__", "__sizeof__", "copy", "count", "index"),
    }
    methods = {name for name, value in vars(list).items() if callable(value)}

    assert methods - reading == own


def test_a_change_that_fails_half_way_counts_too() -> None:
    router = RuleRouter([("/a", Target("old"))])
    assert found(router) == "old"

    def rules() -> Any:
        yield rule("new", "/b")
        raise OSError

    with pytest.raises(OSError, match=r"^$"):
        router.rules.extend(rules())

    assert found(router, "/b") == "new"


def test_the_list_of_rules_can_be_replaced() -> None:
    router = RuleRouter([("/a", Target("old"))])
    assert found(router) == "old"

    router.rules = [rule("new")]
    assert found(router) == "new"

    router.rules.insert(0, rule("newer"))
    assert found(router) == "newer"


@pytest.mark.parametrize("attribute", ["matcher", "target", "target_kwargs"])
def test_a_change_of_a_rule_counts_at_once(attribute: str) -> None:
    router = RuleRouter([("/a", Target("old"), {"x": 1}), ("/a", Target("second"))])
    assert found(router) == "old"

    values = {
        "matcher": PathMatches("/b"),
        "target": Target("new"),
        "target_kwargs": {"x": 2},
    }
    setattr(router.rules[0], attribute, values[attribute])

    assert facts(router.find_handler(request("/a"))) == facts(search_all(router, "/a"))


def test_making_new_rules_does_not_outdate_an_index() -> None:
    router = RuleRouter([("/a", Target("old"))])
    found(router)
    index = router._index

    rule("unrelated")
    found(router)

    assert router._index is index


def test_a_change_while_the_index_is_built_is_seen_by_the_next_request() -> None:
    class Slow(RuleRouter):
        """Has a rule inserted at the worst moment."""

        is_first = True

        def target_is_plain(self, target: Any) -> bool:
            if self.is_first:
                self.is_first = False
                self.rules.insert(0, rule("new"))
            return super().target_is_plain(target)

    router = Slow([("/a", Target("old"))])

    assert found(router) == "old"
    assert found(router) == "new"


def test_threads_find_their_rules_while_others_change() -> None:
    router = RuleRouter([("/a", Target("stays")), ("/b/(.*)", Target("stays too"))])
    start = threading.Barrier(3)
    wrong: list[object] = []

    def ask() -> None:
        start.wait()
        for _ in range(300):
            names = (found(router), found(router, "/b/c"))
            if names != ("stays", "stays too"):
                wrong.append(names)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    start.wait()
    for number in range(100):
        router.rules.insert(0, rule("passing", f"/c{number}"))
        router.rules.append(rule("staying", f"/d{number}"))
        assert found(router, f"/c{number}") == "passing"
        del router.rules[0]
        assert found(router, f"/c{number}") is None
    for thread in threads:
        thread.join()

    assert wrong == []
    assert found(router, "/d99") == "staying"
