"""Cookies that a handler sets, and those it reads."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable
from typing import Any

import tornado.web

from tests.porting.raw import get

JAN_2040 = datetime.datetime(2040, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)

STEPS: dict[str, Callable[[Any], Any]] = {
    "plain": lambda h: h.set_cookie("a", "b"),
    "number_as_value": lambda h: h.set_cookie("a", 5),
    "bytes": lambda h: h.set_cookie(b"a", b"b"),
    "empty": lambda h: h.set_cookie("a", ""),
    "all_token_characters": lambda h: h.set_cookie("a", "!#$%&'*+-.^_`|~:09azAZ"),
    "quoted_characters": lambda h: h.set_cookie("a", "()/<=>?@[]{}"),
    "escaped_characters": lambda h: h.set_cookie("a", '",;\\'),
    "latin1": lambda h: h.set_cookie("a", "é"),
    "euro": lambda h: h.set_cookie("a", "€"),
    "space": lambda h: h.set_cookie("a", "b c"),
    "tab": lambda h: h.set_cookie("a", "b\tc"),
    "crlf": lambda h: h.set_cookie("a", "b\r\nX-C: d"),
    "nul": lambda h: h.set_cookie("a", "b\x00c"),
    "delete": lambda h: h.set_cookie("a", "b\x7fc"),
    "json": lambda h: h.set_cookie("a", '{"b":[1,2]}'),
    "two": lambda h: (h.set_cookie("a", "1"), h.set_cookie("b", "2")),
    "twice": lambda h: (
        h.set_cookie("a", "1", httponly=True),
        h.set_cookie("b", "2"),
        h.set_cookie("a", "3"),
    ),
    "not_seen_in_the_same_request": lambda h: (
        h.set_cookie("a", "1"),
        h.write(str(h.get_cookie("a"))),
    ),
    "name_with_space": lambda h: h.set_cookie("a b", "c"),
    "name_with_equals": lambda h: h.set_cookie("a=b", "c"),
    "name_with_semicolon": lambda h: h.set_cookie("a;b", "c"),
    "name_empty": lambda h: h.set_cookie("", "c"),
    "name_reserved": lambda h: h.set_cookie("Path", "c"),
    "name_euro": lambda h: h.set_cookie("€", "c"),
    "name_with_prefix": lambda h: h.set_cookie("__Host-a", "b", secure=True),
    "domain": lambda h: h.set_cookie("a", "b", domain="example.test"),
    "domain_by_position": lambda h: h.set_cookie("a", "b", "example.test"),
    "domain_with_semicolon": lambda h: h.set_cookie("a", "b", domain="x; HttpOnly"),
    "path": lambda h: h.set_cookie("a", "b", path="/x/y"),
    "path_none": lambda h: h.set_cookie("a", "b", path=None),
    "path_empty": lambda h: h.set_cookie("a", "b", path=""),
    "path_with_space": lambda h: h.set_cookie("a", "b", path="/x y"),
    "path_with_crlf": lambda h: h.set_cookie("a", "b", path="/x\r\ny"),
    "path_with_semicolon": lambda h: h.set_cookie("a", "b", path="/; Domain=x"),
    "expires_aware": lambda h: h.set_cookie("a", "b", expires=JAN_2040),
    "expires_naive": lambda h: h.set_cookie(
        "a", "b", expires=JAN_2040.replace(tzinfo=None)
    ),
    "expires_number": lambda h: h.set_cookie("a", "b", expires=2_209_000_000),
    "expires_float": lambda h: h.set_cookie("a", "b", expires=2_209_000_000.75),
    "expires_tuple": lambda h: h.set_cookie("a", "b", expires=JAN_2040.utctimetuple()),
    "expires_text": lambda h: h.set_cookie("a", "b", expires="tomorrow"),
    "expires_and_days": lambda h: h.set_cookie(
        "a", "b", expires=JAN_2040, expires_days=1
    ),
    "days": lambda h: h.set_cookie("a", "b", expires_days=30),
    "days_float": lambda h: h.set_cookie("a", "b", expires_days=0.5),
    "days_negative": lambda h: h.set_cookie("a", "b", expires_days=-1),
    "days_zero": lambda h: h.set_cookie("a", "b", expires_days=0),
    "days_none": lambda h: h.set_cookie("a", "b", expires_days=None),
    "max_age": lambda h: h.set_cookie("a", "b", max_age=5),
    "max_age_zero": lambda h: h.set_cookie("a", "b", max_age=0),
    "max_age_text": lambda h: h.set_cookie("a", "b", max_age="5"),
    "httponly": lambda h: h.set_cookie("a", "b", httponly=True),
    "httponly_false": lambda h: h.set_cookie("a", "b", httponly=False),
    "secure": lambda h: h.set_cookie("a", "b", secure=True),
    "samesite": lambda h: h.set_cookie("a", "b", samesite="Lax"),
    "samesite_unknown": lambda h: h.set_cookie("a", "b", samesite="Whatever"),
    "samesite_with_semicolon": lambda h: h.set_cookie("a", "b", samesite="Lax; Path=x"),
    "everything": lambda h: h.set_cookie(
        "a",
        "b c"[::2],
        domain="example.test",
        path="/x",
        expires=JAN_2040,
        max_age=60,
        httponly=True,
        secure=True,
        samesite="Strict",
    ),
    "upper_case_keyword": lambda h: h.set_cookie("a", "b", HttpOnly=True, Path="/x"),
    "keyword_with_dash": lambda h: h.set_cookie("a", "b", **{"max-age": 5}),
    "comment": lambda h: h.set_cookie("a", "b", comment="c"),
    "unknown_keyword": lambda h: h.set_cookie("a", "b", flavour="c"),
    "keyword_with_crlf": lambda h: h.set_cookie("a", "b", Path="/\r\nX: y"),
    "clear": lambda h: h.clear_cookie("a"),
    "clear_path": lambda h: h.clear_cookie("a", path="/x"),
    "clear_domain": lambda h: h.clear_cookie("a", path="/x", domain="example.test"),
    "clear_more": lambda h: h.clear_cookie("a", httponly=True, samesite="Lax"),
    "clear_expires": lambda h: h.clear_cookie("a", expires=JAN_2040),
    "clear_max_age": lambda h: h.clear_cookie("a", max_age=5),
    "clear_by_position": lambda h: h.clear_cookie("a", "/x", "example.test"),
    "clear_after_set": lambda h: (h.set_cookie("a", "b"), h.clear_cookie("a")),
    "set_after_clear": lambda h: (h.clear_cookie("a"), h.set_cookie("a", "b")),
    "clear_all": lambda h: h.clear_all_cookies(),
    "clear_all_with_path": lambda h: h.clear_all_cookies(path="/x"),
    "error_keeps": lambda h: (h.set_cookie("a", "b"), h.send_error(404)),
    "redirect_keeps": lambda h: (h.set_cookie("a", "b"), h.redirect("/")),
    "status_204_keeps": lambda h: (h.set_cookie("a", "b"), h.set_status(204)),
    "flush_keeps": lambda h: (h.set_cookie("a", "b"), h.write("a"), h.flush()),
}


class Steps(tornado.web.RequestHandler):
    """The warning that an old spelling brings is shown as text."""

    def get(self, name: str) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            STEPS[name](self)
        if caught:
            self.write(", ".join(sorted(w.category.__name__ for w in caught)))


class Read(tornado.web.RequestHandler):
    """Every cookie, as text and as morsel."""

    def get(self) -> None:
        for name, morsel in sorted(self.cookies.items()):
            value = self.get_cookie(name)
            self.write(f"{name!r} {value!r} {morsel.value == value} {morsel.key!r}\n")
        self.write(f"{self.get_cookie('a')!r} {self.get_cookie('none', 'x')!r}\n")
        self.write(str(self.cookies is self.request.cookies))


def make_app() -> tornado.web.Application:
    return tornado.web.Application([(r"/read", Read), (r"/(.*)", Steps)])


#: What a client sends as its cookies.
SENT = {
    "one": "a=1",
    "two": "a=1; b=2",
    "no_space": "a=1;b=2",
    "more_spaces": "  a = 1 ;\tb=2 ; ",
    "same_name_twice": "a=1; a=2",
    "empty_value": "a=; b=2",
    "no_equals": "a; b=2",
    "no_name": "=1; b=2",
    "equals_in_value": "a=b=c==",
    "quoted": 'a="1 2"; b="x,y"',
    "semicolon_in_quotes": 'a="1;b=2"; c=3',
    "escaped": r'a="\"\073\\\351"',
    "escaped_without_quotes": r"a=\073x",
    "one_quote": 'a="1; b=2',
    "only_quotes": 'a=""',
    "bad_escape": r'a="\9\08"',
    "comma": "a=1,b=2",
    "brackets": "a={x; b=[y]; c=2",
    "spaces_in_value": "a=1 2 3; b=2",
    "space_in_name": "a b=1; c=2",
    "odd_names": "a,b=1; a@b=2; (c)=3; d=4",
    "reserved_names": "path=1; expires=2; a=3",
    "dollar_names": "$Version=1; a=2; $Path=/",
    "upper_case_names": "A=1; a=2",
    "json": 'a={"b":[1,2],"c":"d;e"}',
    "percent": "a=%20%C3%A9",
    "high_bytes": "a=é; b=2",
    "utf8": "a=€; b=2".encode().decode("latin-1"),
    "empty": "",
    "only_semicolons": ";;;",
    "nameless_value": "justtext",
    "date_like": "a=Thu, 02 Jan 2020 03:04:05 GMT; b=2",
    "signed_value": "a=2|1:0|10:1577934245|1:a|4:Yg==|abc; b=2",
    "base64": "a=eyJhIjoiYiJ9==.x-_; b=2",
}

REQUESTS = {
    **{f"set_{name}": get(f"/{name}") for name in STEPS if "clear_all" not in name},
    **{
        f"set_{name}": get(f"/{name}", "Cookie: a=1; b=2")
        for name in ("clear_all", "clear_all_with_path")
    },
    "read_none": get("/read"),
    **{f"read_{name}": get("/read", f"Cookie: {text}") for name, text in SENT.items()},
    "read_two_headers": get("/read", "Cookie: a=1", "Cookie: b=2"),
}
