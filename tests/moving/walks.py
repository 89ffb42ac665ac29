"""What is asked of each of the programs: sessions from the first page to the last."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.moving.visitor import BOUND, Visitor
from tests.porting.answers import Answer
from tests.porting.raw import form, get, part

__all__ = ["walk_asynchronous", "walk_board", "walk_gallery"]


_PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8


def _wait_until(visitor: Visitor, counted: str, expected: bytes) -> None:
    """Wait until the program says so, by asking it again and again."""
    deadline = time.monotonic() + BOUND
    while visitor.friend().get("count", counted).body != expected:
        assert time.monotonic() < deadline


@contextlib.contextmanager
def _two_who_wait(
    visitor: Visitor, ask: Callable[[Visitor], Answer], counted: str, expected: bytes
) -> Iterator[None]:
    """Two windows that wait for what the block does; what they got is kept.

    :param counted: where the program says how many wait: as expected, for two.
    """
    windows = [visitor.friend(), visitor.friend()]
    with ThreadPoolExecutor(len(windows)) as pool:
        asked = [pool.submit(ask, window) for window in windows]
        _wait_until(visitor, counted, expected)
        yield
        for number, future in enumerate(asked):
            future.result(BOUND)
            (answer,) = windows[number].answers.values()
            visitor.answers[f"waited, {number}"] = answer


def _wait_for_messages(visitor: Visitor) -> Answer:
    return visitor.post("waited", "/message/updates", cursor="2")


def _watch(visitor: Visitor) -> Answer:
    return visitor.get("waited", "/watch?seen=0")


def _static_url(answer: Answer, name: str) -> str:
    found = re.search(rf'"(/static/{name}\?v=\w+)"', answer.body.decode())
    assert found is not None
    return found[1]


def _all_about_a_file(visitor: Visitor, address: str) -> None:
    """A file with its version and without, again, in part, and as another one."""
    answer = visitor.get("file", address)
    etag = answer.get("etag")
    assert etag is not None
    visitor.get("same file", address, f"If-None-Match: {etag}")
    visitor.get("file of another time", address, 'If-None-Match: "x"')
    visitor.get("part of a file", address, "Range: bytes=2-7")
    visitor.get("part beyond a file", address, "Range: bytes=9999-")
    visitor.head("about a file", address)
    visitor.get("file without version", address.partition("?")[0])
    visitor.get("no such file", "/static/nothing.css")
    visitor.get("file outside", "/static/%2e%2e/board.py")


def walk_board(visitor: Visitor) -> None:
    """The old program: names, messages, those who wait for them, and mistakes."""
    home = visitor.get("home", "/")
    visitor.head("no method for that", "/")
    visitor.get("login", "/login?next=/%3Fa%3Db")
    visitor.post("banned", "/login", name="mallory")
    visitor.post("no name", "/login")
    visitor.ask("no token", "POST", form("/login", "name=ann"))
    visitor.post("not known yet", "/message/new", text="too early")
    visitor.post("logged in", "/login", name="Ann", next="/?a=b")
    visitor.get("home of Ann", "/")
    visitor.post(
        "first", "/message/new", text="<b> & http://example.com/?a=b&c", next="/"
    )
    visitor.post("second", "/message/new", text="Gr\u00fc\u00dfe")
    visitor.get("two messages", "/")
    visitor.post("all of them", "/message/updates", cursor="0")
    with _two_who_wait(visitor, _wait_for_messages, "/message/waiting", b"2"):
        visitor.post("third", "/message/new", text="news")
    with visitor.unanswered("/message/updates?cursor=3"):
        _wait_until(visitor, "/message/waiting", b"1")
    _wait_until(visitor, "/message/waiting", b"0")
    counted = visitor.get("nobody waits", "/message/waiting")
    etag = f"If-None-Match: {counted.get('etag')}"
    visitor.get("still nobody waits", "/message/waiting", etag)
    for target in ("/steps", "/callback", "/tick", "/lines?count=3", "/lines"):
        visitor.get(target, target)
    for kind in ("http", "finish", "other"):
        visitor.get(f"fail, {kind}", f"/fail/{kind}")
    picture = 'form-data; name="file"; filename="a \u00fc.png"'
    visitor.upload(
        "upload",
        "/upload",
        part(picture, _PNG, "Content-Type: image/png"),
        part('form-data; name="note"', b" x "),
        part('form-data; name="other"; filename="b.txt"', b""),
    )
    visitor.get("redirected", "/old?a=b")
    visitor.get("unknown", "/nowhere")
    visitor.ask("wrong method", "GET", get("/message/new"))
    visitor.post("no method", "/steps")
    _all_about_a_file(visitor, _static_url(home, "board.css"))
    visitor.get("logged out", "/logout")
    visitor.get("home of nobody", "/")
    # An answer may come before its line in the log: this is the last one.
    _wait_until(visitor, "/message/waiting", b"0")


def walk_gallery(visitor: Visitor) -> None:
    """The new program: languages, sign-in, pictures, and what asks itself."""
    home = visitor.get("home", "/")
    for language in ("de-DE, en;q=0.5", "ar-SA", "fr"):
        stranger = Visitor(visitor.port, language)
        stranger.get("home", "/")
        visitor.answers[language] = stranger.answers["home"]
    visitor.get("compressed", "/sign-in", "Accept-Encoding: gzip")
    visitor.get("private", "/upload?a=b")
    visitor.get("sign in", "/sign-in")
    visitor.post("wrong", "/sign-in", name="ada", password="x")
    visitor.post("no password", "/sign-in", name="ada")
    visitor.ask("no token", "POST", form("/sign-in", "name=ada&password=ada"))
    visitor.post("signed in", "/sign-in", name="ada", password="ada")
    visitor.get("private now", "/upload")
    with _two_who_wait(visitor, _watch, "/watching", b'{"watching": 2}'):
        visitor.upload(
            "upload",
            "/upload",
            part('form-data; name="picture"; filename="a.png"', _PNG),
            part(
                'form-data; name="picture"; filename="<b>.svg"',
                b"<svg/>",
                "Content-Type: image/svg+xml",
            ),
        )
    counted = visitor.get("nobody watches", "/watching")
    etag = f"If-None-Match: W/{counted.get('etag')}"
    visitor.get("still nobody watches", "/watching", etag)
    visitor.upload("nothing uploaded", "/upload")
    visitor.get("home with pictures", "/")
    visitor.get("one picture", "/picture/1")
    visitor.get("no picture", "/picture/2")
    visitor.get("no picture, for programs", "/picture/2", "Accept: application/json")
    visitor.post("language", "/language", code="de_DE")
    visitor.get("in German", "/")
    visitor.post("no language", "/language", code="xx")
    visitor.put("streamed", "/stream/x%20y", _PNG * 300)
    visitor.put("nothing streamed", "/stream/z", b"")
    visitor.post("order", "/orders", what="frame")
    visitor.post("another order", "/orders", what="nail")
    for number in range(3):
        visitor.get(f"order {number}", "/orders")
    mirror = visitor.get("mirror", "/mirror?q=a%20b")
    assert json.loads(mirror.body)["echo"] == "a b mirror"
    visitor.get("fail", "/fail")
    visitor.get("unknown", "/nowhere")
    visitor.get("a file of the program", "/files/templates/picture.html")
    _all_about_a_file(visitor, _static_url(home, "icon.svg"))
    visitor.post("signed out", "/sign-out")
    visitor.post("signed out again", "/sign-out")
    _wait_until(visitor, "/watching", b'{"watching": 0}')


def walk_asynchronous(visitor: Visitor) -> None:
    """The part of the old program that only its old framework could run."""
    for name in ("later", "failed", "both"):
        visitor.get(name, f"/{name}")
