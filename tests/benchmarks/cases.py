"""What every framework is asked, and how a right answer is known."""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import pathlib
import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

__all__ = [
    "CASES",
    "COOKIE",
    "COOKIE_SECRET",
    "FORM_NAMES",
    "GREETING",
    "HELLO",
    "JSON_OBJECT",
    "LARGE_FILE",
    "QUERY_NAMES",
    "ROWS",
    "SMALL_FILE",
    "TITLE",
    "Answer",
    "Case",
    "Request",
    "etag_of",
    "static_folder",
]


@dataclass(frozen=True)
class Request:
    """What is asked, before a server has made it an environ."""

    path: str = "/"
    query: str = ""
    method: str = "GET"
    content_type: str = ""
    body: bytes = b""
    cookie: str = ""


@dataclass(frozen=True)
class Answer:
    """What came back; the names of the headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Case:
    """One row of the table.

    A case that ``brings_cookie`` is asked once without a cookie; the cookie of that
    first answer goes with every request that is checked and timed.
    """

    name: str
    title: str
    request: Request
    is_right: Callable[[Answer], bool]
    brings_cookie: bool = False


# Values that the programs and the checks share.

HELLO = "Hello, world!"
GREETING = "Hello, %s"
JSON_OBJECT = {"message": HELLO, "numbers": [1, 2, 3], "ok": True}
QUERY_NAMES = [f"query{number}" for number in range(5)]
FORM_NAMES = [f"form{number}" for number in range(5)]
COOKIE = "visits"
COOKIE_SECRET = "a secret that only the benchmarks know"
TITLE = "Prices"
ROWS = [(f"Salt & pepper {number}", number * 3) for number in range(20)]
SMALL_FILE = "small.bin"
LARGE_FILE = "large.bin"

_CONTENTS = {
    SMALL_FILE: random.Random(1).randbytes(4096),
    LARGE_FILE: random.Random(2).randbytes(1024 * 1024),
}


def etag_of(body: bytes) -> str:
    """The ETag that Tornado computes by default: a quoted SHA-1 of the body."""
    return f'"{hashlib.sha1(body).hexdigest()}"'


@functools.cache
def static_folder() -> pathlib.Path:
    """A folder with the two static files; it is removed when the process ends."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="benchmarks-"))
    atexit.register(shutil.rmtree, folder)
    for name, content in _CONTENTS.items():
        (folder / name).write_bytes(content)
    return folder


def _form_request() -> Request:
    return Request(
        path="/form",
        query=urlencode({name: f"{name} value" for name in QUERY_NAMES}),
        method="POST",
        content_type="application/x-www-form-urlencoded",
        body=urlencode({name: f"{name} value" for name in FORM_NAMES}).encode(),
    )


def _upload_request() -> Request:
    boundary = "----benchmarks-7f3a9c"
    body = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="title"\r\n\r\n'
        "A large file\r\n"
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="file"; filename="large.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    body += _CONTENTS[LARGE_FILE] + f"\r\n--{boundary}--\r\n".encode()
    return Request(
        path="/upload",
        method="POST",
        content_type=f"multipart/form-data; boundary={boundary}",
        body=body,
    )


def _is_hello(answer: Answer) -> bool:
    body = HELLO.encode()
    return _is_body(answer, body) and answer.headers.get("etag") == etag_of(body)


def _is_json(answer: Answer) -> bool:
    content_type = answer.headers["content-type"]
    return (
        answer.status == 200
        and content_type.startswith("application/json")
        and json.loads(answer.body) == JSON_OBJECT
    )


def _is_table(answer: Answer) -> bool:
    page = answer.body
    rows = page.count(b"<tr>"), page.count(b"<td>Salt &amp; pepper ")
    return answer.status == 200 and rows == (len(ROWS), len(ROWS))


def _is_body(answer: Answer, body: bytes) -> bool:
    return answer.status == 200 and answer.body == body


def _answers(text: str) -> Callable[[Answer], bool]:
    return functools.partial(_is_body, body=text.encode())


def _serves(name: str) -> Callable[[Answer], bool]:
    return functools.partial(_is_body, body=_CONTENTS[name])


#: The rows of the table in their order, by name. Only "hello" makes every framework
#: compute an ETag; elsewhere each does what it does unasked, and Tornado and this
#: package compute one for every complete answer to GET.
CASES = {
    case.name: case
    for case in [
        Case("hello", "hello, with ETag", Request(), _is_hello),
        Case("json", "JSON object", Request("/json"), _is_json),
        Case(
            "path50",
            "path argument, 50 routes",
            Request("/section49/anna"),
            _answers(GREETING % "anna"),
        ),
        Case(
            "path500",
            "500 routes, the last one",
            Request("/section499/anna"),
            _answers(GREETING % "anna"),
        ),
        Case(
            "form",
            "query and form, 5 fields",
            _form_request(),
            _answers(",".join(f"{name} value" for name in QUERY_NAMES + FORM_NAMES)),
        ),
        Case(
            "cookie",
            "signed cookie, read and set",
            Request("/cookie"),
            _answers("2"),
            brings_cookie=True,
        ),
        Case("template", "template, 20 rows", Request("/rows"), _is_table),
        Case(
            "404",
            "404",
            Request("/nowhere"),
            lambda answer: answer.status == 404,
        ),
        Case(
            "upload",
            "upload of 1 MB",
            _upload_request(),
            _answers(str(len(_CONTENTS[LARGE_FILE]))),
        ),
        Case(
            "static4k",
            "static file, 4 KB",
            Request(f"/static/{SMALL_FILE}"),
            _serves(SMALL_FILE),
        ),
        Case(
            "static1m",
            "static file, 1 MB",
            Request(f"/static/{LARGE_FILE}"),
            _serves(LARGE_FILE),
        ),
    ]
}
