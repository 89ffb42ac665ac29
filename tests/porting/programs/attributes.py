"""The request as a handler sees it, printed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado import httputil, web

from tests.porting.raw import form, get, post, request


def changed(request: Any, name: str, value: object) -> Any:
    setattr(request, name, value)
    return getattr(request, name)


#: What is printed, by its name.
SHOWN: dict[str, Callable[[Any], Any]] = {
    "line": lambda r: (r.method, r.uri, r.path, r.query, r.version),
    "place": lambda r: (r.protocol, r.host, r.host_name, r.remote_ip),
    "full_url": lambda r: r.full_url(),
    "body": lambda r: (r.body, type(r.body)),
    "arguments": lambda r: (r.arguments, r.query_arguments, r.body_arguments),
    "arguments_are_separate": lambda r: (
        r.arguments.setdefault("new", [b"1"]),
        "new" in r.query_arguments,
        "new" in r.arguments,
    ),
    "files": lambda r: r.files,
    "cookies": lambda r: sorted((k, m.value) for k, m in r.cookies.items()),
    "headers": lambda r: sorted(
        (name, value)
        for name, value in r.headers.get_all()
        if name.startswith(("X-", "Host", "Content", "User", "Accept"))
    ),
    "header_lookups": lambda r: (
        r.headers["x-one"],
        r.headers.get("X-ONE"),
        r.headers.get("X-None"),
        r.headers.get("X-None", "default"),
        "x-One" in r.headers,
        "X-None" in r.headers,
        r.headers.get_list("X-One"),
        r.headers.get_list("X-None"),
        isinstance(r.headers, httputil.HTTPHeaders),
    ),
    "missing_header": lambda r: r.headers["X-None"],
    "repeated_header": lambda r: r.headers.get("X-Twice"),
    "repr": lambda r: r,
    "time": lambda r: (r.request_time() >= 0, r.request_time() < 5),
    "certificate": lambda r: r.get_ssl_certificate(),
    "context": lambda r: (
        r.connection.context.remote_ip,
        r.connection.context.protocol,
    ),
    "type": lambda r: isinstance(r, httputil.HTTPServerRequest),
    "own_attribute": lambda r: changed(r, "own", 5),
    "header_changed": lambda r: (
        r.headers.__setitem__("X-One", "changed"),
        r.headers["X-One"],
    ),
    "method_changed": lambda r: changed(r, "method", "PUT"),
    "remote_ip_changed": lambda r: changed(r, "remote_ip", "9.9.9.9"),
    "arguments_changed": lambda r: (
        r.arguments.__setitem__("own", [b" x "]),
        r.arguments,
    ),
}


class Show(web.RequestHandler):
    def get(self, name: str) -> None:
        self.write(repr(SHOWN[name](self.request)))

    post = put = get


class Shared(web.RequestHandler):
    """What prepare changes the verb sees."""

    def prepare(self) -> None:
        self.request.arguments["a"] = [b"from prepare"]
        self.request.headers["X-Own"] = "from prepare"

    def get(self) -> None:
        headers = self.request.headers
        self.write(f"{self.get_argument('a')} {headers['X-Own']} {self.path_args}")


def make_app() -> web.Application:
    return web.Application([(r"/show/([^/]*).*", Show), (r"/shared", Shared)])


HEADERS = (
    "X-One: 1",
    "x-twice: a",
    "X-Twice: b",
    "X-Empty:",
    "X-Spaces:   a  b   ",
    "X-High: é",
    "User-Agent: test/1.0 (ü)",
    "Accept: text/html;q=0.5, */*",
    "Cookie: a=1; b=2",
)

LINES = {
    "plain": "/show/line",
    "query": "/show/line?a=b&c=%20d",
    "question_marks": "/show/line?a?b=c?",
    "quoted": "/show/line/a%20b%2Fc%C3%A9",
    "reserved": "/show/line/a;b=c,d:@e!$&'()*+",
    "dot_segments": "/show/line/../x/./y",
    "double_slash": "/show/line//x",
    "brackets_without_query": "/show/line/[x]{y}|^`",
    "brackets": "/show/line/[x]{y}|^`?[a]{b}|^`",
}

PLACES = {
    "plain": "example.test",
    "port": "example.test:8080",
    "port_80": "example.test:80",
    "upper_case": "EXAMPLE.Test",
    "ipv4": "127.0.0.1:1",
    "ipv6": "[::1]:8080",
    "ipv6_without_port": "[::1]",
    "underscore": "a_b.test",
    "trailing_dot": "example.test.",
    "port_empty": "example.test:",
    "at_sign": "user@example.test",
    "comma": "a.test,b.test",
    "port_of_letters": "example.test:abc",
}

REQUESTS = {
    **{name: get(f"/show/{name}", *HEADERS) for name in SHOWN},
    **{f"line_{name}": get(target) for name, target in LINES.items()},
    **{
        f"place_{name}": request("GET", "/show/place", host=host)
        for name, host in PLACES.items()
    },
    "full_url_with_query": get("/show/full_url?a=b"),
    "line_of_http_1_0": request("GET", "/show/line", version="1.0"),
    "line_by_post": post("/show/line?a=b", b"c=d"),
    "body_by_post": post("/show/body", b"\x00\xff"),
    "body_without_length": request("POST", "/show/body"),
    "arguments_of_a_form": form("/show/arguments?a=1&b=2", "a=3&c=4"),
    "headers_of_a_form": form("/show/headers", "a=1"),
    "forwarded": get(
        "/show/place",
        "X-Forwarded-For: 9.9.9.9",
        "X-Real-Ip: 9.9.9.9",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.test",
        "X-Scheme: https",
        "Forwarded: for=9.9.9.9;proto=https;host=evil.test",
    ),
    "method_override": post("/show/line", b"", "X-HTTP-Method-Override: PUT"),
    "shared_by_prepare": get("/shared?a=b", "X-Own: y"),
}
