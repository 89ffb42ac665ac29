"""Signing in on the loopback: a provider, a site of ours or Tornado's, a browser."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, ModuleType
from typing import Any
from urllib.parse import parse_qsl

import wsgitornado.auth
import wsgitornado.httpserver
import wsgitornado.web
from tests.httpclient_peer import run
from wsgitornado.testing import bind_unused_port

__all__ = [
    "OURS",
    "Answers",
    "Framework",
    "Page",
    "Seen",
    "Site",
    "made",
    "on_stage",
    "play",
]

Pairs = list[tuple[str, str]]

#: What each request has of its own.
_UNIQUE = {"oauth_nonce", "oauth_signature", "oauth_timestamp"}


@dataclass(frozen=True)
class Framework:
    """The modules that a site is made with."""

    web: ModuleType
    auth: ModuleType
    httpserver: ModuleType


OURS = Framework(wsgitornado.web, wsgitornado.auth, wsgitornado.httpserver)


@dataclass
class Seen:
    """A request as the provider saw it."""

    method: str
    path: str
    query: Pairs
    form: Pairs
    content_type: str | None

    def without_unique(self) -> Seen:
        query = [(name, "?" if name in _UNIQUE else v) for name, v in self.query]
        return Seen(self.method, self.path, query, self.form, self.content_type)


@dataclass
class Page:
    """An answer of the site."""

    status: int
    text: str
    location: str = ""
    query: Pairs = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)

    def without_attributes(self) -> Page:
        """With the cookies' names and values alone."""
        cookies = [cookie.partition(";")[0] for cookie in self.cookies]
        return Page(self.status, self.text, self.location, self.query, cookies)


#: By path, what the provider answers; 404 to all others.
Answers = Mapping[str, tuple[int, bytes]]
NO_ANSWERS: Answers = MappingProxyType({})


class Site:
    """A site that runs, with its provider."""

    def __init__(self, answers: Answers) -> None:
        self.seen: list[Seen] = []
        self.provider_url = ""
        self.port = 0
        self.answers = answers

    def provider(self) -> wsgitornado.web.Application:
        """Answers each path with what it is given, and keeps what it was asked."""
        site = self

        class Provide(wsgitornado.web.RequestHandler):
            def get(self) -> None:
                request = self.request
                site.seen.append(
                    Seen(
                        request.method,
                        request.path,
                        sorted(parse_qsl(request.query, keep_blank_values=True)),
                        sorted(parse_qsl(request.body.decode(), True)),
                        request.headers.get("Content-Type"),
                    )
                )
                status, body = site.answers.get(request.path, (404, b""))
                self.set_status(status)
                self.finish(body)

            post = get

            def check_xsrf_cookie(self) -> None:
                pass

        return wsgitornado.web.Application([("/.*", Provide)])

    async def get(
        self,
        target: str,
        cookie: str = "",
        *headers: str,
        method: str = "GET",
        form: str = "",
    ) -> Page:
        """Ask the site as a browser does that follows no redirects."""
        lines = [
            f"{method} {target} HTTP/1.1",
            "Host: site.example",
            "Connection: close",
            f"Content-Length: {len(form)}",
            "Content-Type: application/x-www-form-urlencoded",
            *headers,
        ]
        if cookie:
            lines.append(f"Cookie: {cookie}")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(("\r\n".join(lines) + "\r\n\r\n" + form).encode())
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        return self._read(answer.replace(self.provider_url, "P:"))

    def _read(self, answer: str) -> Page:
        head, _, text = answer.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        page = Page(int(first.split(" ")[1]), text)
        for name, value in (line.split(": ", 1) for line in lines):
            if name == "Set-Cookie":
                page.cookies.append(re.sub("expires=[^;]*", "expires=...", value))
            elif name == "Location":
                page.location, _, query = value.partition("?")
                page.query = sorted(parse_qsl(query, keep_blank_values=True))
        return page


def made(framework: Framework, mixin: str, **attributes: Any) -> Any:
    """A handler class with a mixin, of either framework, that shows its errors."""
    bases = framework.web.RequestHandler, getattr(framework.auth, mixin)

    def write_error(self: Any, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1]
        is_auth_error = isinstance(error, framework.auth.AuthError)
        name = "AuthError" if is_auth_error else type(error).__name__
        self.finish(f"{name}: {error}")

    return type("Handler", bases, {"write_error": write_error, **attributes})


async def _serve(framework: Framework, app: Any) -> tuple[Any, int]:
    server = framework.httpserver.HTTPServer(app)
    sock, port = bind_unused_port()
    server.add_sockets([sock])
    return server, port


def on_stage(
    make_rules: Callable[[Framework, str], Iterable[Any]],
    act: Callable[[Site], Awaitable[Any]],
    answers: Answers = NO_ANSWERS,
    framework: Framework = OURS,
    **settings: Any,
) -> Any:
    """Run a provider and a site, and what somebody does there.

    :param make_rules: called with the framework and the URL of the provider.
    """

    async def main() -> Any:
        site = Site(answers)
        provider, port = await _serve(OURS, site.provider())
        site.provider_url = f"http://127.0.0.1:{port}"
        rules = list(make_rules(framework, site.provider_url))
        app = framework.web.Application(rules, **settings)
        server, site.port = await _serve(framework, app)
        try:
            return await act(site)
        finally:
            for each in (server, provider):
                each.stop()
                await each.close_all_connections()

    return run(main)


def play(
    make_rules: Callable[[Framework, str], Iterable[Any]],
    target: str,
    cookie: str = "",
    answers: Answers = NO_ANSWERS,
    framework: Framework = OURS,
    **settings: Any,
) -> tuple[Page, list[Seen]]:
    """One request of a browser: what it gets, and what the provider sees."""

    async def act(site: Site) -> tuple[Page, list[Seen]]:
        page = await site.get(target, cookie)
        return page, site.seen

    result: tuple[Page, list[Seen]] = on_stage(
        make_rules, act, answers, framework, **settings
    )
    return result
