"""Requests that other sites may have made: tokens, and what browsers say of origins."""

from __future__ import annotations

import re
from typing import Any

from tornado import web

from tests.porting.raw import form, get, head, multipart, part, post, request

TOKEN = "00112233445566778899aabbccddeeff"
MASKED = "2|00000000|00112233445566778899aabbccddeeff|1600000000"
MASKED_AGAIN = "2|ffffffff|ffeeddccbbaa99887766554433221100|1600000001"
OTHER = "ffffffffffffffffffffffffffffffff"


def shape(token: bytes) -> str:
    """A token with its random digits and its time in words."""
    text = re.sub(r"[0-9a-f]{32}", "(token)", token.decode())
    return re.sub(r"\|[0-9a-f]{8}\|(.*)\|\d{10}$", r"|(mask)|\1|(time)", text)


class Guarded(web.RequestHandler):
    def prepare(self) -> None:
        self.set_header("X-Prepared", "yes")

    def get(self) -> None:
        self.write("read")

    def post(self) -> None:
        self.write(f"done {sorted(self.request.arguments)}")

    put = patch = delete = options = head = get


class OnlyGet(web.RequestHandler):
    def prepare(self) -> None:
        self.set_header("X-Prepared", "yes")

    def get(self) -> None:
        self.write("read")


class Unguarded(Guarded):
    def check_xsrf_cookie(self) -> None:
        pass


class Token(web.RequestHandler):
    """The token as it goes into pages; the cookie by its attributes."""

    def initialize(self, user: str | None = None) -> None:
        self.user = user

    def get_current_user(self) -> str | None:
        return self.user

    def get(self) -> None:
        token = self.xsrf_token
        field = self.xsrf_form_html().replace(token.decode(), "(it)")
        self.write(f"{shape(token)} {token is self.xsrf_token}\n{field}\n")

    def set_cookie(self, name: str, value: str | bytes, *args: Any, **kw: Any) -> None:
        """Called by the property, with what it has made."""
        is_token = value == self._xsrf_token if hasattr(self, "_xsrf_token") else True
        self.write(f"cookie {name} {is_token} {args} {sorted(kw.items())}\n")


class OwnTrust(Guarded):
    def check_trusted_origin(self, origin: str) -> bool:
        return origin == "https://own.test"


RULES: list[Any] = [
    (r".*/guarded", Guarded),
    (r".*/only_get", OnlyGet),
    (r".*/unguarded", Unguarded),
    (r".*/group/(.*)", Guarded),
    (r".*/error", web.ErrorHandler, {"status_code": 410}),
    (r".*/redirect", web.RedirectHandler, {"url": "/there"}),
    (r".*/token", Token),
    (r".*/user", Token, {"user": "ada"}),
    (r".*/own_trust", OwnTrust),
]


def make_app() -> web.Application:
    """One application for each way of guarding it."""
    by_prefix: dict[str, dict[str, Any]] = {
        "x": {"xsrf_cookies": True},
        "v1": {"xsrf_cookies": True, "xsrf_cookie_version": 1},
        "v3": {"xsrf_cookies": True, "xsrf_cookie_version": 3},
        "named": {"xsrf_cookies": True, "xsrf_cookie_name": "__Host-x"},
        "kwargs": {
            "xsrf_cookies": True,
            "xsrf_cookie_kwargs": {"httponly": True, "expires_days": 3, "path": "/a"},
        },
        "off": {},
        "origin": {
            "cross_origin_protection": True,
            "trusted_origins": ["https://friend.test"],
        },
        "untrusting": {"cross_origin_protection": True},
        "both": {"xsrf_cookies": True, "cross_origin_protection": True},
    }
    return web.Application(
        [
            (rf"/{prefix}/.*", web.Application(RULES, **settings))
            for prefix, settings in by_prefix.items()
        ]
    )


def sent(cookie: str | None, *lines: str, at: str = "/x/guarded") -> bytes:
    cookies = [] if cookie is None else [f"Cookie: _xsrf={cookie}"]
    return request("POST", at, *cookies, *lines, body=b"")


def with_field(fields: str, *lines: str, at: str = "/x/guarded") -> bytes:
    content_type = "Content-Type: application/x-www-form-urlencoded"
    cookie = f"Cookie: _xsrf={MASKED}"
    return post(at, fields.encode(), content_type, cookie, *lines)


#: What a POST says of its origin.
ORIGINS = {
    "none": (),
    "same_site_fetch": ("Sec-Fetch-Site: same-origin",),
    "user": ("Sec-Fetch-Site: none",),
    "same_site": ("Sec-Fetch-Site: same-site",),
    "cross_site": ("Sec-Fetch-Site: cross-site",),
    "cross_site_origin": ("Sec-Fetch-Site: cross-site", "Origin: https://evil.test"),
    "cross_site_friend": ("Sec-Fetch-Site: cross-site", "Origin: https://friend.test"),
    "cross_site_own": ("Sec-Fetch-Site: cross-site", "Origin: https://own.test"),
    "unknown_site": ("Sec-Fetch-Site: elsewhere",),
    "empty_site": ("Sec-Fetch-Site: ",),
    "ours": ("Origin: http://example.test",),
    "ours_https": ("Origin: https://example.test",),
    "ours_upper_case": ("Origin: http://EXAMPLE.test",),
    "our_other_port": ("Origin: http://example.test:8080",),
    "evil": ("Origin: https://evil.test",),
    "friend": ("Origin: https://friend.test",),
    "friend_with_slash": ("Origin: https://friend.test/",),
    "own": ("Origin: https://own.test",),
    "null": ("Origin: null",),
    "unreadable": ("Origin: http://[",),
}

REQUESTS = {
    **{
        f"safe_{method}": request(method, "/x/guarded")
        for method in ("GET", "HEAD", "OPTIONS")
    },
    **{
        f"bare_{method}": request(method, "/x/guarded", body=b"")
        for method in ("POST", "PUT", "PATCH", "DELETE")
    },
    "ajax_is_checked": sent(None, "X-Requested-With: XMLHttpRequest"),
    "not_set": request("POST", "/off/guarded", body=b""),
    "unknown_method": request("FOO", "/x/guarded", body=b""),
    "missing_verb": request("POST", "/x/only_get", body=b""),
    "missing_verb_with_token": sent(MASKED, f"X-Xsrftoken: {MASKED}", at="/x/only_get"),
    "bad_path": request("POST", "/x/group/%ff", body=b""),
    "bad_body": multipart("/x/guarded", part("form-data", b"nameless"), end=b""),
    "unguarded": request("POST", "/x/unguarded", body=b""),
    "error_handler": request("POST", "/x/error", body=b""),
    "no_rule": request("POST", "/x/nowhere", body=b""),
    "redirect_handler": request("POST", "/x/redirect", body=b""),
    "header_x": sent(MASKED, f"X-Xsrftoken: {MASKED}"),
    "header_x_other_case": sent(MASKED, f"x-xsrfTOKEN: {MASKED}"),
    "header_csrf": sent(MASKED, f"X-Csrftoken: {MASKED}"),
    "header_xsrf_first": sent(
        MASKED, f"X-Xsrftoken: {MASKED}", f"X-Csrftoken: {OTHER}"
    ),
    "header_xsrf_wrong": sent(
        MASKED, f"X-Xsrftoken: {OTHER}", f"X-Csrftoken: {MASKED}"
    ),
    "header_unmasked": sent(MASKED, f"X-Xsrftoken: {TOKEN}"),
    "header_masked_again": sent(MASKED, f"X-Xsrftoken: {MASKED_AGAIN}"),
    "cookie_unmasked": sent(TOKEN, f"X-Xsrftoken: {MASKED}"),
    "cookie_quoted": sent(f'"{MASKED}"', f"X-Xsrftoken: {MASKED}"),
    "cookie_missing": sent(None, f"X-Xsrftoken: {MASKED}"),
    "cookie_empty": sent("", f"X-Xsrftoken: {MASKED}"),
    "cookie_odd": sent("2|x|y|z", f"X-Xsrftoken: {MASKED}"),
    "header_missing": sent(MASKED),
    "header_empty": sent(MASKED, "X-Xsrftoken: "),
    "header_blank_field_used": with_field("_xsrf=" + MASKED, "X-Xsrftoken: "),
    "header_other": sent(MASKED, f"X-Xsrftoken: {OTHER}"),
    "header_odd": sent(MASKED, "X-Xsrftoken: 2|x|y|z"),
    "header_version_3": sent(MASKED, "X-Xsrftoken: 3|0|0|0"),
    "both_empty": sent("", "X-Xsrftoken: "),
    "both_empty_masked": sent("2|00000000||1", "X-Xsrftoken: 2|00000000||1"),
    "field": with_field("a=b&_xsrf=" + MASKED),
    "field_unmasked": with_field("_xsrf=" + TOKEN),
    "field_twice_last_counts": with_field(f"_xsrf={OTHER}&_xsrf={TOKEN}"),
    "field_twice_last_is_wrong": with_field(f"_xsrf={TOKEN}&_xsrf={OTHER}"),
    "field_empty_header_used": with_field("_xsrf=", f"X-Xsrftoken: {TOKEN}"),
    "field_wrong_header_right": with_field("_xsrf=" + OTHER, f"X-Xsrftoken: {TOKEN}"),
    "field_odd": with_field("_xsrf=2|x|y|z"),
    "field_bad_utf8": with_field("_xsrf=%ff%fe"),
    "field_in_query": sent(MASKED, at=f"/x/guarded?_xsrf={TOKEN}"),
    "field_without_cookie": form("/x/guarded", "_xsrf=" + TOKEN),
    "field_in_json": post(
        "/x/guarded",
        f'{{"_xsrf": "{TOKEN}"}}'.encode(),
        "Content-Type: application/json",
        f"Cookie: _xsrf={TOKEN}",
    ),
    **{
        f"token_{app}_{page}": get(f"/{app}/{page}")
        for app in ("x", "v1", "named", "kwargs", "off")
        for page in ("token", "user")
    },
    "token_v3": get("/v3/token"),
    "token_head": head("/x/token"),
    "token_of_cookie": get("/x/token", f"Cookie: _xsrf={MASKED}"),
    "token_of_cookie_v1": get("/v1/token", f"Cookie: _xsrf={MASKED}"),
    "token_of_old_cookie": get("/x/token", f"Cookie: _xsrf={TOKEN}"),
    "token_of_empty_cookie": get("/x/token", "Cookie: _xsrf="),
    "token_of_other_name": get("/named/token", f"Cookie: _xsrf={TOKEN}"),
    "token_of_that_name": get("/named/token", f"Cookie: __Host-x={TOKEN}"),
    "named_cookie": request(
        "POST",
        "/named/guarded",
        f"Cookie: __Host-x={TOKEN}",
        f"X-Xsrftoken: {TOKEN}",
        body=b"",
    ),
    "other_name": sent(TOKEN, f"X-Xsrftoken: {TOKEN}", at="/named/guarded"),
    **{
        f"origin_{name}": request("POST", "/origin/guarded", *lines, body=b"")
        for name, lines in ORIGINS.items()
    },
    **{
        f"untrusting_{name}": request("POST", "/untrusting/guarded", *lines, body=b"")
        for name, lines in ORIGINS.items()
        if "friend" in name or name in ("ours", "evil", "null")
    },
    **{
        f"own_trust_{name}": request("POST", "/origin/own_trust", *lines, body=b"")
        for name, lines in ORIGINS.items()
        if "friend" in name or "own" in name
    },
    "origin_safe": get("/origin/guarded", "Origin: https://evil.test"),
    "origin_off": request(
        "POST", "/off/guarded", "Origin: https://evil.test", body=b""
    ),
    "origin_error_handler": request(
        "POST", "/origin/error", "Origin: https://evil.test", body=b""
    ),
    "origin_unguarded": request(
        "POST", "/origin/unguarded", "Origin: https://evil.test", body=b""
    ),
    "origin_missing_verb": request(
        "POST", "/origin/only_get", "Origin: https://evil.test", body=b""
    ),
    "both_wrong": request(
        "POST", "/both/guarded", "Origin: https://evil.test", body=b""
    ),
    "both_token_right": sent(
        TOKEN, f"X-Xsrftoken: {TOKEN}", "Origin: https://evil.test", at="/both/guarded"
    ),
    "both_right": sent(TOKEN, f"X-Xsrftoken: {TOKEN}", at="/both/guarded"),
}
