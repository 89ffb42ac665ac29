"""Rules: their order, groups, names and hosts; routers in routers; reversing."""

from __future__ import annotations

import re
from typing import Any

from tornado import httputil, web
from tornado.routing import (
    AnyMatches,
    HostMatches,
    Matcher,
    PathMatches,
    Rule,
    RuleRouter,
    URLSpec,
)
from tornado.web import url

from tests.porting.raw import get, post, request


class Show(web.RequestHandler):
    def initialize(self, tag: str = "") -> None:
        self.tag = tag

    def get(self, *args: str, **kwargs: str) -> None:
        shown = (self.tag, args, sorted(kwargs.items()))
        same = (self.path_args == list(args), self.path_kwargs == kwargs)
        self.write(f"{shown!r} {same} {self.request.path}")

    post = get


class Reverse(web.RequestHandler):
    """The URL of a name with the arguments of the query."""

    def get(self, name: str) -> None:
        args = self.get_arguments("a", strip=False)
        self.write(self.reverse_url(name, *args) + "\n")
        self.write(self.application.reverse_url(name, *args))


class ReverseOther(web.RequestHandler):
    """Arguments of other types than text."""

    def get(self) -> None:
        for args in ((1, b"a b"), (1.5, None), ("é", "€/?#%&+")):
            self.write(self.reverse_url("two", *args) + "\n")


class OnlyPost(Matcher):
    """A matcher of the program's own."""

    def match(self, request: httputil.HTTPServerRequest) -> dict[str, Any] | None:
        if request.method != "POST":
            return None
        return {"path_args": [b"of the matcher"], "path_kwargs": {}}


class Other(web.RequestHandler):
    def get(self) -> None:
        self.write(f"other {self.settings['name']}")


def make_app() -> web.Application:
    inner = web.Application([(r"/inner/(.*)", Show, {"tag": "inner"})], name="inner")
    in_router = web.Application([(r"/router/(.*)", Show, {"tag": "in router"})])
    in_web: Any = web
    rules: list[Any] = [
        # order
        (r"/first", Show, {"tag": "one"}),
        (r"/first", Show, {"tag": "two"}),
        (r"/order/special", Show, {"tag": "special"}),
        (r"/order/(.*)", Show, {"tag": "general"}),
        (r"/order/never", Show, {"tag": "never"}),
        # groups
        (r"/group/([^/]+)", Show),
        (r"/groups/([^/]+)/(\d+)", Show, None, "two"),
        (r"/named/(?P<word>[^/]+)/(?P<number>\d+)", Show, {}, "named"),
        (r"/optional(?:/([^/]+))?(/end)?", Show),
        (r"/maybe(?:/(?P<word>[^/]+))?", Show),
        (r"/nested/((a)(b)?)", Show),
        (r"/without(?:/x)?", Show, {"tag": "no group"}, "without"),
        (r"/any/(.*)", Show, {}, "any"),
        (r"/empty/()", Show),
        # forms of a rule
        url(r"/url/(.*)", Show, {"tag": "url"}, name="url"),
        URLSpec(r"/spec", Show, name="spec"),
        in_web.URLSpec(r"/handler", handler=Show, kwargs={"tag": "by keyword"}),
        [r"/list", Show],
        (r"/dotted", f"{__name__}.Show", {"tag": "dotted"}),
        (
            r"/dotted_face",
            f"{web.ErrorHandler.__module__}.ErrorHandler",
            {"status_code": 410},
        ),
        url(re.compile(r"/compiled/(\w+)", re.IGNORECASE), Show),
        (r"/anchored$", Show),
        (r"/an.hored\.txt", Show),
        (r"/begin/[a-z]", Show),
        (r"/a+b|/c", Show, {"tag": "alternatives"}),
        ("/caf%C3%A9", Show, {"tag": "quoted"}),
        ("/nai%CC%88ve|/naïve", Show, {"tag": "unquoted"}),
        (r"/with space", Show),
        (r"/(?i:UPPER)", Show),
        Rule(PathMatches(r"/rule/(.*)"), Show, {"tag": "rule"}, name="rule"),
        Rule(OnlyPost(), Show, {"tag": "by method"}),
        # routers in routers
        (r"/inner/.*", inner),
        (r"/router/.*", RuleRouter([Rule(PathMatches(r"/router/.*"), in_router)])),
        (
            r"/rules/.*",
            [
                (r"/rules/a", Show, {"tag": "a"}),
                (r"/rules/(.*)", Show, {"tag": "b"}, "in_rules"),
            ],
        ),
        (HostMatches(r"matched\.test"), [(r"/host", Show, {"tag": "matched"})]),
        (AnyMatches(), [(r"/any_matches", Show)]),
        (r"/reverse/(.*)", Reverse),
        (r"/reverse_other", ReverseOther),
        (r"/settings", Other),
    ]
    app = web.Application(rules, name="outer")
    app.add_handlers(
        r"www\.first\.test",
        [
            (r"/host", Show, {"tag": "first"}),
            (r"/reversed/(.*)", Show, {}, "of_a_host"),
        ],
    )
    app.add_handlers(r".*\.first\.test", [(r"/host", Show, {"tag": "any of first"})])
    app.add_handlers(r".*\.first\.test", [(r"/later", Show, {"tag": "later"})])
    app.add_handlers(r".*\.second\.test$", [(r"/(.*)", Show, {"tag": "second"})])
    return app


PATHS = {
    "first_wins": "/first",
    "special_before_general": "/order/special",
    "general": "/order/specialer",
    "never_reached": "/order/never",
    "group": "/group/a",
    "group_with_dots": "/group/a.b..c",
    "group_with_query": "/group/a?b=c",
    "group_does_not_match_slash": "/group/a/b",
    "group_empty": "/group/",
    "group_space": "/group/a%20b",
    "group_plus": "/group/a+b%2Bc",
    "group_slash": "/group/a%2Fb%2fc",
    "group_utf8": "/group/caf%C3%A9%E2%82%AC",
    "group_percent": "/group/%2541",
    "group_question_mark": "/group/a%3Fb%23c",
    "group_control": "/group/a%0Ab%00c",
    "group_at_sign": "/group/a@b:c;d=e,f!$&'()*~",
    "group_bad_escape": "/group/a%zzb%4",
    "group_bad_utf8": "/group/%ff%fe",
    "group_lower_case_escape": "/group/%c3%a9",
    "group_of_unreserved_escapes": "/group/%61%62%7E%2D",
    "two_groups": "/groups/a/12",
    "two_groups_wrong_kind": "/groups/a/b",
    "named_groups": "/named/a%20b/12",
    "named_bad_utf8": "/named/%ff/12",
    "optional_both": "/optional/a/end",
    "optional_one": "/optional/a",
    "optional_none": "/optional",
    "optional_named": "/maybe/a",
    "optional_named_none": "/maybe",
    "nested_groups": "/nested/ab",
    "nested_groups_one": "/nested/a",
    "without_groups": "/without/x",
    "any_with_slashes": "/any/a/b//c/",
    "any_with_dot_segments": "/any/a/../b/./c",
    "any_quoted_dot_segments": "/any/a/%2e%2e/b",
    "any_empty": "/any/",
    "empty_group": "/empty/",
    "url": "/url/x",
    "spec": "/spec",
    "spec_with_slash": "/spec/",
    "spec_with_more": "/spec/x",
    "spec_other_case": "/SPEC",
    "spec_escaped_letter": "/sp%65c",
    "handler_keyword": "/handler",
    "list": "/list",
    "dotted": "/dotted",
    "dotted_face": "/dotted_face",
    "compiled": "/COMPILED/x",
    "compiled_is_not_anchored": "/compiled/x/more",
    "anchored": "/anchored",
    "dot_matches_any": "/anxhored.txt",
    "dot_is_escaped": "/anchored_txt",
    "class_of_characters": "/begin/q",
    "line_end_after_match": "/begin/q%0A",
    "alternative": "/c",
    "other_alternative": "/aaab",
    "alternative_is_not_anchored": "/aabx",
    "quoted_pattern": "/caf%C3%A9",
    "quoted_pattern_in_lower_case": "/caf%c3%a9",
    "unquoted_pattern": "/na%C3%AFve",
    "pattern_with_space": "/with%20space",
    "inline_flag": "/uppeR",
    "rule": "/rule/x",
    "inner": "/inner/x",
    "inner_404": "/inner",
    "router": "/router/x%20y",
    "rules_in_rules": "/rules/a",
    "rules_in_rules_later": "/rules/b",
    "any_matches": "/any_matches",
    "unknown": "/nowhere",
    "unknown_with_query": "/nowhere?a=b",
    "root": "/",
    "two_slashes": "//first",
    "two_slashes_at_the_end": "/first//",
    "dot_segments": "/x/../first",
    "settings": "/settings",
}

REVERSED = {
    "without": "without",
    "two": "two?a=x&a=5",
    "two_quoted": "two?a=a%20b%2Fc%3F%26&a=%C3%A9%E2%82%AC",
    "two_with_one": "two?a=x",
    "two_with_three": "two?a=x&a=y&a=z",
    "two_with_empty": "two?a=&a=",
    "two_with_safe": "two?a=-._~!$%27()*,;:@%2B%3D&a=x",
    "named": "named?a=x&a=5",
    "any": "any?a=x/y",
    "any_without": "any",
    "url": "url?a=x",
    "spec": "spec",
    "rule": "rule?a=x",
    "of_a_host": "of_a_host?a=x",
    "in_rules": "in_rules?a=x",
    "unknown": "unknown",
}

HOSTS = {
    "first": "www.first.test",
    "first_with_port": "www.first.test:8080",
    "first_in_upper_case": "WWW.First.Test",
    "any_of_first": "x.first.test",
    "second": "a.second.test",
    "second_and_more": "a.second.test.more",
    "matched": "matched.test",
    "matched_prefix": "matched.test.more",
    "unknown": "nowhere.test",
    "number": "127.0.0.1:80",
    "ipv6": "[::1]:80",
}

REQUESTS = {
    **{name: get(path) for name, path in PATHS.items()},
    "unknown_by_post": post("/nowhere", b"a=b"),
    "unknown_by_other": request("FOO", "/nowhere"),
    "own_matcher": post("/nowhere/at/all", b""),
    **{f"reverse_{name}": get(f"/reverse/{rest}") for name, rest in REVERSED.items()},
    "reverse_other_types": get("/reverse_other"),
    **{
        f"host_{name}": request("GET", "/host", host=host)
        for name, host in HOSTS.items()
    },
    "host_later_rules": request("GET", "/later", host="www.first.test"),
    "host_falls_through": request("GET", "/first", host="www.first.test"),
    "host_takes_everything": request("GET", "/first", host="a.second.test"),
    "host_of_http_1_0": request("GET", "/host", host=None, version="1.0"),
    "absolute_target": request("GET", "http://example.test/group/a?b=c"),
    "absolute_target_of_a_host": request("GET", "http://www.first.test/host"),
}
