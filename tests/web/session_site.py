"""An application whose handlers have sessions, and a browser for it."""

from __future__ import annotations

import json
import time
from http.cookies import SimpleCookie
from typing import Any

from tests.support import Answer, call
from wsgitornado.web import (
    Application,
    HTTPError,
    RequestHandler,
    SessionMixin,
    create_signed_value,
)

__all__ = ["DAY", "SECRET", "Browser", "HoldingHandler", "set_cookie", "signed"]

SECRET = "the secret of the tests"
DAY = 24 * 60 * 60


class IdleHandler(SessionMixin, RequestHandler):
    def get(self) -> None:
        self.write("idle")


class IdleStreamHandler(SessionMixin, RequestHandler):
    def get(self) -> None:
        self.write("idle")
        self.flush()


class ReadHandler(SessionMixin, RequestHandler):
    def get(self) -> None:
        self.write(dict(self.session))


class WriteHandler(SessionMixin, RequestHandler):
    def post(self) -> None:
        self.session.update(json.loads(self.request.body))


class PushHandler(SessionMixin, RequestHandler):
    def post(self) -> None:
        self.session.setdefault("list", []).append("more")


class ClearHandler(SessionMixin, RequestHandler):
    def post(self) -> None:
        self.session.clear()


class AsyncHandler(SessionMixin, RequestHandler):
    async def get(self) -> None:
        self.session["async"] = True
        await self.finish("done")


class StreamHandler(SessionMixin, RequestHandler):
    async def get(self) -> None:
        self.session["list"] = []
        self.write("one ")
        await self.flush()
        match self.get_argument("late", ""):
            case "item":
                self.session["item"] = 1
            case "in place":
                self.session["list"].append(1)
            case "no JSON":
                self.session["list"].append(object())
        self.write("two")


class LateHandler(SessionMixin, RequestHandler):
    """Asks for the session when the headers are gone."""

    async def get(self) -> None:
        self.write(b"read ")
        await self.flush()
        self.write(str(self.session.get("a")))
        if self.get_argument("change", ""):
            del self.session["a"]


class FinishedHandler(SessionMixin, RequestHandler):
    def get(self) -> None:
        self.session["a"] = 1
        self.finish("done")
        self.session["b"] = 2


class FailingHandler(SessionMixin, RequestHandler):
    def get(self) -> None:
        self.session["tries"] = 1
        raise HTTPError(403)


class BadLengthHandler(SessionMixin, RequestHandler):
    def get(self) -> None:
        self.session["a"] = 1
        self.set_header("Content-Length", "99")


class HoldingHandler(SessionMixin, RequestHandler):
    def initialize(self, value: object) -> None:  # type: ignore[override]  # each handler takes its own
        self.value = value

    def get(self) -> None:
        self.session["value"] = self.value
        self.write("held")


class PublicHandler(SessionMixin, RequestHandler):
    def get(self) -> None:
        self.set_header("Cache-Control", "no-store")
        self.set_header("Vary", "Accept")
        self.session["a"] = 1


RULES: list[Any] = [
    ("/idle", IdleHandler),
    ("/idle-stream", IdleStreamHandler),
    ("/read", ReadHandler),
    ("/write", WriteHandler),
    ("/push", PushHandler),
    ("/clear", ClearHandler),
    ("/async", AsyncHandler),
    ("/stream", StreamHandler),
    ("/late", LateHandler),
    ("/finished", FinishedHandler),
    ("/failing", FailingHandler),
    ("/bad-length", BadLengthHandler),
    ("/public", PublicHandler),
]


class Browser:
    """Keeps the cookies of an application, as a browser would."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("cookie_secret", SECRET)
        self.app = Application(RULES, **settings)
        self.cookies: dict[str, str] = {}

    def ask(
        self, target: str, body: object = None, method: str = "", **extra: Any
    ) -> Answer:
        method = method or ("GET" if body is None else "POST")
        cookies = "; ".join(f"{name}={v}" for name, v in self.cookies.items())
        headers = [("Cookie", cookies)] if cookies else []
        sent = None if body is None else json.dumps(body).encode()
        answer = call(self.app, target, method, headers, sent, **extra)
        for text in answer.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(text).items():
                if "expires" in text.lower() and "1970" not in morsel["expires"]:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return answer


def set_cookie(answer: Answer) -> str | None:
    return answer.headers.get("Set-Cookie")


def signed(
    value: str | bytes, clock: float | None = None, name: str = "session"
) -> str:
    made = time.time() if clock is None else clock
    return create_signed_value(SECRET, name, value, clock=lambda: made).decode()
