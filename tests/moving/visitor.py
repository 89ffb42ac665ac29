"""A browser with cookies, which keeps each answer it gets in comparable form."""

from __future__ import annotations

import contextlib
import dataclasses
import email.utils
import hashlib
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from typing import Final
from urllib.parse import urlencode

from tests.live.client import HOST
from tests.porting.answers import Answer, parse_answer
from tests.porting.raw import form, multipart, part, request

__all__ = ["BOUND", "Visitor"]

#: Seconds for one answer: only what is broken needs them.
BOUND: Final = 20

_TOKEN = re.compile(rb'(?<=name="_xsrf" value=")[^"]+')
_SECRET = re.compile(r"^(_xsrf|user)=(\"?[^;]+)")


class Visitor:
    """One who goes through a program and remembers what there was to see.

    :ivar answers: by the name of the step, in their order.
    """

    def __init__(self, port: int, language: str = "en") -> None:
        self.port = port
        self.language = language
        self.cookies: dict[str, str] = {}
        self.token = ""
        self.answers: dict[str, Answer] = {}

    def get(self, step: str, target: str, *headers: str) -> Answer:
        return self.ask(step, "GET", request("GET", target, *self._lines(headers)))

    def head(self, step: str, target: str) -> Answer:
        return self.ask(step, "HEAD", request("HEAD", target, *self._lines(())))

    def post(self, step: str, target: str, **fields: str) -> Answer:
        """Send a form, with the token of the last one that was seen."""
        content = urlencode({"_xsrf": self.token, **fields})
        return self.ask(step, "POST", self._with_headers(form(target, content)))

    def upload(self, step: str, target: str, *parts: bytes) -> Answer:
        token = part('form-data; name="_xsrf"', self.token.encode())
        raw = self._with_headers(multipart(target, token, *parts))
        return self.ask(step, "POST", raw)

    def put(self, step: str, target: str, body: bytes) -> Answer:
        raw = request("PUT", target, *self._lines(()), body=body)
        return self.ask(step, "PUT", raw)

    def ask(self, step: str, method: str, raw: bytes) -> Answer:
        """Send a request as it is, keep the answer and give it."""
        with self._sending(raw) as sock:
            data = b"".join(iter(lambda: sock.recv(65536), b""))
        answer = parse_answer(data, method)
        self._learn(answer)
        assert step not in self.answers
        self.answers[step] = _comparable(answer, self.port)
        return answer

    @contextlib.contextmanager
    def unanswered(self, target: str) -> Iterator[None]:
        """Send a form, and leave at the end of the block."""
        raw = self._with_headers(form(target, urlencode({"_xsrf": self.token})))
        with self._sending(raw):
            yield

    def friend(self) -> Visitor:
        """Another window of the same browser."""
        friend = Visitor(self.port, self.language)
        friend.cookies = self.cookies
        friend.token = self.token
        return friend

    @contextlib.contextmanager
    def _sending(self, raw: bytes) -> Iterator[socket.socket]:
        raw = raw.replace(b"example.test", f"{HOST}:{self.port}".encode())
        with socket.create_connection((HOST, self.port), BOUND) as sock:
            sock.sendall(raw)
            yield sock

    def _lines(self, headers: tuple[str, ...]) -> list[str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        lines = [f"Accept-Language: {self.language}", *headers]
        return [*lines, f"Cookie: {cookies}"] if cookies else lines

    def _with_headers(self, raw: bytes) -> bytes:
        first, _, rest = raw.partition(b"\r\n")
        lines = [line.encode("latin-1") for line in self._lines(())]
        return b"\r\n".join([first, *lines, rest])

    def _learn(self, answer: Answer) -> None:
        token = _TOKEN.search(answer.body)
        if token:
            self.token = token[0].decode()
        for name, value in answer.headers:
            if name == "set-cookie":
                for key, morsel in SimpleCookie(value).items():
                    self.cookies[key] = morsel.coded_value


def _comparable(answer: Answer, port: int) -> Answer:
    """The answer without what is new each time: tokens, signatures, the port."""
    body = answer.body
    if answer.get("content-encoding") == "gzip":
        # Another level of compression gives other bytes.
        body = zlib.decompress(body, wbits=31)
    digest = hashlib.sha1(body).hexdigest()
    body = _TOKEN.sub(lambda match: b"t" * len(match[0]), body)
    same_length = {str(len(answer.body)): str(len(body))}
    changes: dict[str, Callable[[str], str]] = {
        "content-length": lambda value: same_length.get(value, value),
        "etag": lambda value: value.replace(digest, hashlib.sha1(body).hexdigest()),
        "expires": _in_days,
        "location": lambda value: value.replace(f":{port}", ":port"),
        "set-cookie": lambda value: _SECRET.sub(_without_signature, value),
    }
    headers = [
        (name, changes[name](value) if name in changes else value)
        for name, value in answer.headers
    ]
    return dataclasses.replace(answer, headers=headers, body=body)


def _without_signature(match: re.Match[str]) -> str:
    """The length of a cookie's value shows that it is one of the same kind."""
    return f"{match[1]}=({len(match[2])} characters)"


def _in_days(date: str) -> str:
    there = email.utils.parsedate_to_datetime(date).timestamp()
    return f"(in {round((there - time.time()) / 86400)} days)"
