"""Signed cookies: what handlers make, and what they read of what clients send."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tornado import web

from tests.porting.raw import get

SECRET = "a secret"
KEYS = {1: "first", 2: "second"}
DAY = 86400


def shape(signed: bytes) -> str:
    """A signed value without its time and its signature."""
    *fields, _ = signed.split(b"|")
    return repr([f for f in fields if b"1:" not in f[:3] and not f.isdigit()])


def made_and_read(h: Any, value: str | bytes, **options: Any) -> str:
    signed = h.create_signed_value("a", value, **options)
    return f"{type(signed).__name__} {h.get_signed_cookie('a', signed)!r}"


STEPS: dict[str, Callable[[Any], Any]] = {
    "text": lambda h: made_and_read(h, "b"),
    "bytes": lambda h: made_and_read(h, b"\xff\0|"),
    "empty": lambda h: made_and_read(h, ""),
    "beyond_ascii": lambda h: made_and_read(h, "é€"),
    "version_1": lambda h: made_and_read(h, "b", version=1),
    "version_2": lambda h: made_and_read(h, "b", version=2),
    "version_3": lambda h: made_and_read(h, "b", version=3),
    "number": lambda h: made_and_read(h, 5),  # type: ignore[arg-type]  # asked for
    "shape": lambda h: shape(h.create_signed_value("a", "b")),
    "shape_1": lambda h: shape(h.create_signed_value("a", "b", version=1)),
    "length": lambda h: len(h.create_signed_value("a", "b")),
    "other_name": lambda h: h.get_signed_cookie("b", h.create_signed_value("a", "c")),
    "min_version": lambda h: [
        h.get_signed_cookie(
            "a", h.create_signed_value("a", "b", version=made), min_version=least
        )
        for made in (1, 2)
        for least in (None, 1, 2)
    ],
    "min_version_3": lambda h: h.get_signed_cookie("a", "x", min_version=3),
    "old_names": lambda h: (
        h.get_secure_cookie("a", h.create_signed_value("a", "b")),
        h.get_secure_cookie_key_version("a", h.create_signed_value("a", "b")),
    ),
    "key_version": lambda h: h.get_signed_cookie_key_version(
        "a", h.create_signed_value("a", "b")
    ),
    "key_version_of_1": lambda h: h.get_signed_cookie_key_version(
        "a", h.create_signed_value("a", "b", version=1)
    ),
    "key_version_of_nothing": lambda h: h.get_signed_cookie_key_version("none"),
    "crlf_in_name": lambda h: h.set_signed_cookie("a\r\nb", "c"),
}


class Steps(web.RequestHandler):
    def get(self, name: str) -> None:
        self.write(repr(STEPS[name](self)))


class Set(web.RequestHandler):
    """The attributes of the cookie: its value is another one each second."""

    def get(self, name: str) -> None:
        getattr(self, f"set_{name}_cookie")("a", "b", httponly=True, path="/x")

    def set_cookie(self, name: str, value: str | bytes, *args: Any, **kw: Any) -> None:
        """Called by the method above, with what it has made."""
        self.write(repr((name, type(value).__name__, args, sorted(kw.items()))))


class Read(web.RequestHandler):
    """What a client's cookie says."""

    def get(self) -> None:
        self.write(repr(self.get_signed_cookie("a")) + "\n")
        self.write(repr(self.get_signed_cookie("a", max_age_days=2)) + "\n")
        self.write(repr(self.get_signed_cookie("a", min_version=2)) + "\n")
        self.write(repr(self.get_signed_cookie_key_version("a")))


RULES: list[Any] = [(r".*/set/(.*)", Set), (r".*/read", Read), (r".*/(.*)", Steps)]


def make_app() -> web.Application:
    """One application for each kind of secret."""
    return web.Application(
        [
            (r"/one/.*", web.Application(RULES, cookie_secret=SECRET)),
            (r"/many/.*", web.Application(RULES, cookie_secret=KEYS, key_version=2)),
            (r"/unchosen/.*", web.Application(RULES, cookie_secret=KEYS)),
            (r"/wrong/.*", web.Application(RULES, cookie_secret=KEYS, key_version=3)),
            (r"/bytes/.*", web.Application(RULES, cookie_secret=SECRET.encode())),
            (r"/none/.*", web.Application(RULES)),
        ]
    )


def signed(value: str, days: float = 0, secret: Any = SECRET, **options: Any) -> str:
    """A cookie that was made some days ago; made once, for both servers."""
    made = time.time() - days * DAY
    text = web.create_signed_value(secret, "a", value, clock=lambda: made, **options)
    return f"Cookie: a={text.decode()}"


FRESH = signed("b")

#: What a client sends.
SENT = {
    "fresh": FRESH,
    "fresh_version_1": signed("b", version=1),
    "three_days": signed("b", 3),
    "three_days_version_1": signed("b", 3, version=1),
    "forty_days": signed("b", 40),
    "forty_days_version_1": signed("b", 40, version=1),
    "future": signed("b", -40),
    "future_version_1": signed("b", -40, version=1),
    "other_secret": signed("b", secret="another"),
    "other_secret_version_1": signed("b", secret="another", version=1),
    "key_1": signed("b", secret=KEYS, key_version=1),
    "key_2": signed("b", secret=KEYS, key_version=2),
    "unknown_key": signed("b", secret={3: "third"}, key_version=3),
    "changed": FRESH[:-1] + ("0" if FRESH[-1] != "0" else "1"),
    "cut": FRESH[:-10],
    "quoted": FRESH.replace("a=", 'a="') + '"',
    "other_cookie": FRESH.replace("a=", "b="),
    "empty": "Cookie: a=",
    "bars": "Cookie: a=||||",
    "two_bars": "Cookie: a=2|",
    "version_3": "Cookie: a=3|1:0|",
    "no_signature": "Cookie: a=2|1:0|10:1300000000|1:a|4:Yg==|",
    "plain": "Cookie: a=b",
    "high_bytes": "Cookie: a=2|é|é",
}

APPLICATIONS = ("one", "many", "unchosen", "wrong", "bytes", "none")

REQUESTS = {
    **{f"one_{name}": get(f"/one/{name}") for name in STEPS},
    **{
        f"{app}_{name}": get(f"/{app}/{name}")
        for app in APPLICATIONS[1:]
        for name in ("text", "version_1", "key_version", "key_version_of_nothing")
    },
    **{
        f"{app}_set_{name}": get(f"/{app}/set/{name}")
        for app in ("one", "many", "none")
        for name in ("signed", "secure")
    },
    **{f"one_read_{name}": get("/one/read", line) for name, line in SENT.items()},
    **{
        f"{app}_read_{name}": get(f"/{app}/read", SENT[name])
        for app in APPLICATIONS[1:]
        for name in ("fresh", "fresh_version_1", "key_1", "key_2", "unknown_key")
    },
    "one_read_nothing": get("/one/read"),
    "none_read_nothing": get("/none/read"),
}
