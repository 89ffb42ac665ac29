"""Handlers and decorators that are ready for use: errors, redirects, slashes."""

from __future__ import annotations

from typing import Any

from tornado.web import (
    Application,
    ErrorHandler,
    RedirectHandler,
    RequestHandler,
    addslash,
    removeslash,
)

from tests.porting.raw import get, head, post, request


class WithSlash(RequestHandler):
    @addslash
    def get(self, *args: str) -> None:
        self.write(f"with {args}")

    head = post = get


class WithoutSlash(RequestHandler):
    @removeslash
    def get(self, *args: str) -> None:
        self.write(f"without {args}")

    head = post = get


class OwnError(ErrorHandler):
    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.write(f"own {status_code} {self.get_status()} {sorted(kwargs)}")


def make_app() -> Application:
    rules: list[Any] = [
        (r"/with/?", WithSlash),
        (r"/with/(.*?)/?", WithSlash),
        (r"/without/*", WithoutSlash),
        (r"/without/(.*?)/*", WithoutSlash),
        (r"/+evil[^/]*/*", WithoutSlash),
        (r"/+deed[^/]*/?", WithSlash),
        (r"/error/404", ErrorHandler, {"status_code": 404}),
        (r"/error/418", ErrorHandler, {"status_code": 418}),
        (r"/error/499", ErrorHandler, {"status_code": 499}),
        (r"/error/200", ErrorHandler, {"status_code": 200}),
        (r"/error/none", ErrorHandler),
        (r"/error/own", OwnError, {"status_code": 403}),
        (r"/plain", RedirectHandler, {"url": "/there"}),
        (r"/found", RedirectHandler, {"url": "/there", "permanent": False}),
        (r"/none", RedirectHandler),
        (r"/filled/(.*)", RedirectHandler, {"url": "/new/{0}"}),
        (r"/swapped/(.*)/(.*)", RedirectHandler, {"url": "/{1}/{0}?x={0}"}),
        (r"/named/(?P<a>.*)/(?P<b>.*)", RedirectHandler, {"url": "/{b}/{a}"}),
        (r"/optional(?:/(.*))?", RedirectHandler, {"url": "/new/{0}"}),
        (r"/unfilled", RedirectHandler, {"url": "/new/{0}"}),
        (r"/braces", RedirectHandler, {"url": "/new/{{0}}"}),
        (r"/query", RedirectHandler, {"url": "/new?x=1"}),
        (r"/fragment", RedirectHandler, {"url": "/new#part"}),
        (r"/relative/(.*)", RedirectHandler, {"url": "../{0}"}),
        (r"/other/(.*)", RedirectHandler, {"url": "https://other.test/{0}"}),
        (r"/host/(.*)", RedirectHandler, {"url": "http://x{0}.test/"}),
        (r"/start/(.*)", RedirectHandler, {"url": "{0}/x"}),
        (r"/slash/(.*)", RedirectHandler, {"url": "/{0}"}),
        (r"/colon/(.*)", RedirectHandler, {"url": "http:{0}"}),
        (r"/empty", RedirectHandler, {"url": ""}),
    ]
    return Application(rules)


SLASHES = {
    "with": "/with",
    "with_it": "/with/",
    "with_query": "/with?a=b&c=%20d",
    "with_group": "/with/a%20b",
    "with_utf8": "/with/caf%C3%A9",
    "with_question_mark": "/with/a%3Fb%23",
    "with_crlf": "/with/a%0D%0AX-B:%20c",
    "with_backslash": "/with/%5Ca",
    "with_plus": "/with/a+b",
    "with_semicolon": "/with/a;b=c",
    "without": "/without",
    "without_it": "/without/",
    "without_several": "/without///",
    "without_query": "/without/?a=b",
    "without_group": "/without/a%20b/",
    "without_utf8": "/without/%E2%82%AC/",
    "evil": "//evil.test/",
    "evil_without": "//evil.test",
    "evil_three": "///evil.test//",
    "evil_quoted": "/%2Fevil.test/",
    "deed": "//deed.test",
    "deed_backslash": "/%5Cdeed.test",
}

REDIRECTS = {
    "plain": "/plain",
    "plain_with_query": "/plain?a=1&b=%20x&a=2",
    "plain_with_odd_query": "/plain?a&b=&=c",
    "plain_with_bad_utf8": "/plain?a=%ff",
    "found": "/found",
    "without_url": "/none",
    "filled": "/filled/a",
    "filled_quoted": "/filled/a%20b%3Fc%23d%25",
    "filled_slash": "/filled/a/b%2Fc",
    "filled_utf8": "/filled/caf%C3%A9",
    "filled_plus": "/filled/a+b",
    "filled_ampersand": "/filled/a&b=c",
    "filled_crlf": "/filled/a%0D%0AX-B:%20c",
    "filled_empty": "/filled/",
    "filled_bad_utf8": "/filled/%ff",
    "filled_braces": "/filled/%7B0%7D",
    "filled_dots": "/filled/../x",
    "filled_with_query": "/filled/a?b=c",
    "swapped": "/swapped/a%20b/c?d=e",
    "named": "/named/a/b%20c",
    "optional": "/optional/a",
    "optional_none": "/optional",
    "unfilled": "/unfilled",
    "braces": "/braces",
    "query": "/query",
    "query_joined": "/query?y=2",
    "fragment": "/fragment?y=2",
    "relative": "/relative/a",
    "other_host": "/other/a?b=c",
    "other_host_slashes": "/other//evil.test",
    "in_the_host": "/host/a",
    "in_the_host_at": "/host/@evil.test:80",
    "in_the_host_slash": "/host/evil.test%2F",
    "start": "/start/a",
    "start_slashes": "/start///evil.test",
    "start_scheme": "/start/http://evil.test",
    "start_javascript": "/start/javascript:alert(1)",
    "start_backslash": "/start/%5C%5Cevil.test",
    "slash_slash": "/slash//evil.test",
    "slash_backslash": "/slash/%5Cevil.test",
    "slash_tab": "/slash/%09/evil.test",
    "colon": "/colon/evil.test",
    "empty": "/empty",
}

REQUESTS = {
    **{f"slash_{name}": get(path) for name, path in SLASHES.items()},
    "slash_with_head": head("/with"),
    "slash_with_post": post("/with", b""),
    "slash_with_it_post": post("/with/", b""),
    "slash_without_head": head("/without/"),
    "slash_without_post": post("/without/", b""),
    **{f"redirect_{name}": get(path) for name, path in REDIRECTS.items()},
    "redirect_head": head("/plain"),
    "redirect_post": post("/plain", b"a=b"),
    **{
        f"error_{code}": get(f"/error/{code}")
        for code in ("404", "418", "499", "200", "none", "own")
    },
    "error_head": head("/error/404"),
    "error_post": post("/error/404", b"a=b"),
    "error_unknown_method": request("FOO", "/error/404"),
}
