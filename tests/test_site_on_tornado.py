"""The library of the examples on Tornado: only its imports change, and no page does."""

from __future__ import annotations

import datetime
import http.client
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import pytest

pytest.importorskip("webtest")
pytest.importorskip("tornado")

from tests.library_site import PASSWORD, ROOT, library  # these need webtest
from tests.live.client import HOST
from tests.live.servers import SERVERS, LiveServer, run_command

pytestmark = pytest.mark.live

# What serves a Tornado application, and says where as our servers do.
_SERVE_ON_TORNADO = """\
import asyncio, sys
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from library_on_tornado import app

async def serve():
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(app).add_sockets(sockets)
    address = "http://%s:%d" % sockets[0].getsockname()
    print("listening on", address, file=sys.stderr, flush=True)
    await asyncio.Event().wait()

asyncio.run(serve())
"""

# The server's own, what follows from masked texts, and what is compared by itself.
_LEFT_OUT: Final = {
    *("connection", "content-length", "date", "etag", "server"),
    *("set-cookie", "transfer-encoding", "via"),
}


def write_port(folder: Path) -> None:
    """Write the program as a package for Tornado: the imports say so, nothing else."""
    target = folder / "library_on_tornado"
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns("__*__", "__*__.py"))
    shutil.copy(ROOT / "__init__.py", target)
    for path in target.glob("*.py"):
        source = path.read_text(encoding="utf-8")
        source = re.sub(r"^from wsgitornado\b", "from tornado", source, flags=re.M)
        source = re.sub(r"\bexamples\.library\b", "library_on_tornado", source)
        source = source.replace("from examples.", "from ")
        assert not re.search(r"^(from|import) (wsgi|examples)", source, re.MULTILINE)
        path.write_text(source, encoding="utf-8")


def write_records(folder: Path) -> None:
    """Keep members and reviews of a day that is long over."""
    with library(folder) as app:
        records = app.settings["records"]
        from examples.library.books import BY_NAME
    # From here on passwords cost what they do.
    ada = records.add_member("Ada", PASSWORD)
    omar = records.add_member("عمر", PASSWORD)
    records.write_review(ada, BY_NAME["alice"], 5, "See https://example.com/?a&b")
    records.write_review(omar, BY_NAME["alice"], 2, "<b>لا</b>\n& 'no' \"thanks\"")
    records.write_review(omar, BY_NAME["hayy"], 4, "كتاب جميل")
    records.borrow(omar, BY_NAME["moby-dick"])
    with records.connect() as db:
        db.execute("UPDATE reviews SET written = '2020-03-05T09:07:00+00:00'")


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[LiveServer, LiveServer]]:
    """The library on Tornado and on us, each with records of its own."""
    folder = tmp_path_factory.mktemp("library")
    write_port(folder)
    for name in ("tornado", "ours"):
        (folder / name).mkdir()
    write_records(folder / "tornado")
    shutil.copytree(folder / "tornado", folder / "ours", dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder))
        patch.setenv("LIBRARY_DATA", str(folder / "tornado"))
        command = [sys.executable, "-c", _SERVE_ON_TORNADO]
        with run_command("tornado", command) as theirs:
            patch.setenv("LIBRARY_DATA", str(folder / "ours"))
            command = [*SERVERS["waitress"], "examples.library:app"]
            with run_command("waitress", command) as ours:
                yield theirs, ours


@dataclass
class Page:
    """An answer, with what is new each time in words."""

    status: int
    headers: Counter[tuple[str, str]]
    cookies: list[str]
    body: str


@dataclass
class Client:
    """A browser with its cookies."""

    server: LiveServer
    languages: str
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""

    def get(self, target: str, *headers: tuple[str, str], method: str = "GET") -> Page:
        return self._ask(method, target, dict(headers), None)

    def post(self, target: str, **fields: str) -> Page:
        """Send a form, with the token of the last page."""
        body = urlencode({"_xsrf": self.token, **fields})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", target, headers, body)

    def _ask(
        self, method: str, target: str, headers: dict[str, str], body: str | None
    ) -> Page:
        headers["Accept-Language"] = self.languages
        headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        connection = http.client.HTTPConnection(HOST, self.server.port, timeout=20)
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        found = re.search('name="_xsrf" value="([^"]+)"', text)
        self.token = found[1] if found else self.token
        set_cookies = response.msg.get_all("Set-Cookie") or []
        for line in set_cookies:
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.coded_value
        kept = [(k.lower(), v) for k, v in response.getheaders()]
        return Page(
            response.status,
            Counter((k, masked(v)) for k, v in kept if k not in _LEFT_OUT),
            sorted(masked_cookie(line) for line in set_cookies),
            masked(text),
        )


def masked(text: str) -> str:
    """The text with words for tokens, and for moments that have just been."""
    text = re.sub('(name="_xsrf" value=)"[^"]+"', r'\1"(token)"', text)
    text = re.sub(r"""(nonce[-=]"?)[\w-]{22}(?=['"])""", r"\1(nonce)", text)
    return re.sub('<time datetime="([^"]+)">[^<]+</time>', masked_time, text)


def masked_time(found: re.Match[str]) -> str:
    now = datetime.datetime.now(datetime.UTC).date()
    day = datetime.date.fromisoformat(found[1][:10])
    return found[0] if now - day > datetime.timedelta(days=2) else "(recently)"


def masked_cookie(line: str) -> str:
    """A cookie without its value, and with its time in words."""
    line = re.sub("^(_xsrf|member)=[^;]+", r"\1=(signed)", line)
    return re.sub("(?i)(expires=)[^;]+", r"\1(later)", line)


def walk(client: Client) -> Iterator[tuple[str, Page]]:
    """What a visitor does who sees all of the site."""
    for target in ("/", "/books", "/books?q=%22%3E&language=ar", "/books?q=kafka"):
        yield target, client.get(target)
    for target in ("/books/alice", "/books/hayy", "/books/moby-dick", "/about"):
        yield target, client.get(target)
    yield "unknown book", client.get("/books/nothing")
    yield "unknown page", client.get("/%D8%A8?a=%22")
    yield "wrong method", client.get("/signout")
    yield "head", client.get("/books", method="HEAD")
    yield "members only", client.get("/loans")
    yield "sign in", client.get("/signin?next=/books/effi-briest")
    yield "wrong", client.post("/signin", name="<Ada>", password="x", next="//evil")
    yield "signed in", client.post("/signin", name="ada", password=PASSWORD)
    yield "name is taken", client.post("/join", name="ADA", password=PASSWORD)
    yield "nothing filled in", client.post("/join", name=" ", password="")
    yield "home of a member", client.get("/")
    yield "no loans", client.get("/loans")
    yield "book of a member", client.get("/books/alice")
    yield "borrow", client.post("/books/effi-briest/borrow")
    yield "none left", client.post("/books/moby-dick/borrow")
    yield "borrowed", client.get("/books/effi-briest")
    yield "loans", client.get("/loans")
    yield "refused", client.post("/books/hayy", stars="7", text=' </textarea>"<&\n ')
    yield "too long", client.post("/books/hayy", stars="3", text="é" * 1001)
    yield "review", client.post("/books/hayy", stars="3", text="Good & short")
    yield "reviewed", client.get("/books/hayy")
    yield "return", client.post("/books/effi-briest/return", next="/loans?a=b")
    yield "no token", client.post("/signout", _xsrf="")
    yield "no language", client.post("/language", code="fr")
    yield "sign out", client.post("/signout")
    yield "language", client.post("/language", code="de", next="/books?q=a+b")
    yield "in German", client.get("/books/alice")


@pytest.mark.parametrize("language", ["en", "de-DE,de;q=0.8,en;q=0.5", "ar"])
def test_each_page_has_the_bytes_that_tornado_sends(
    servers: tuple[LiveServer, LiveServer], language: str
) -> None:
    theirs, ours = (dict(walk(Client(server, language))) for server in servers)
    assert list(theirs) == list(ours)
    for name, page in ours.items():
        expected = theirs[name]
        assert page.body == expected.body, name
        assert page.status == expected.status, name
        assert page.headers == expected.headers, name
        assert page.cookies == expected.cookies, name
    # The walk has seen what it was to see.
    assert 'lang="de"' in ours["in German"].body
    assert ours["signed in"].status == ours["review"].status == 303
    assert ours["refused"].status == 422
    assert "2020" in ours["/books/alice"].body
    assert "(recently)" in ours["reviewed"].body


def test_static_files_have_the_same_addresses_bytes_and_headers(
    servers: tuple[LiveServer, LiveServer],
) -> None:
    theirs, ours = (Client(server, "en") for server in servers)
    page = ours.get("/books").body + ours.get("/join").body
    addresses = sorted(set(re.findall(r'"(/static/[^"]+)"', page)))
    assert len(addresses) > 10
    for address in [*addresses, "/robots.txt", addresses[0].partition("?")[0]]:
        for headers in ([], [("Range", "bytes=3-9")], [("If-None-Match", "*")]):
            expected = theirs.get(address, *headers)
            answer = ours.get(address, *headers)
            for page_ in (expected, answer):
                page_.headers = without_moment(page_.headers)
            assert answer == expected


def without_moment(headers: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """The headers without the one that says a date ten years from now."""
    return Counter({pair: n for pair, n in headers.items() if pair[0] != "expires"})


def test_member_who_signed_in_on_tornado_is_signed_in_on_us(
    servers: tuple[LiveServer, LiveServer],
) -> None:
    theirs, ours = (Client(server, "en") for server in servers)
    theirs.get("/signin")
    theirs.post("/signin", name="Ada", password=PASSWORD)
    ours.cookies = theirs.cookies
    assert ours.get("/loans").status == 200
    # So does the token of a form.
    ours.token = theirs.token
    assert ours.post("/signout").status == 303
