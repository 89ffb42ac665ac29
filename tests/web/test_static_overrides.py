"""Every method of StaticFileHandler that a program may override, overridden."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import call
from tests.web.static_site import Site
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, HTTPError, StaticFileHandler

STORE = {"a.txt": b"from a store", "b.css": b"b{}"}


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> None:
    StaticFileHandler.reset()


class Store(StaticFileHandler):
    """Serves what is in no file: no path of it must reach the file system."""

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        return f"store:{path}"

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        if absolute_path.removeprefix("store:") not in STORE:
            raise HTTPError(404)
        return absolute_path

    @classmethod
    def get_content(
        cls, abspath: str, start: int | None = None, end: int | None = None
    ) -> Any:
        return STORE[abspath.removeprefix("store:")][start:end]

    def get_content_size(self) -> int:
        assert self.absolute_path is not None
        return len(STORE[self.absolute_path.removeprefix("store:")])

    def get_modified_time(self) -> datetime.datetime | None:
        return None


class Pieces(Store):
    """The same, byte by byte."""

    @classmethod
    def get_content(
        cls, abspath: str, start: int | None = None, end: int | None = None
    ) -> Iterator[bytes]:
        for byte in STORE[abspath.removeprefix("store:")][start:end]:
            yield bytes([byte])


@pytest.fixture(params=[Store, Pieces], ids=["bytes", "pieces"])
def store(request: pytest.FixtureRequest) -> Application:
    return Application([("/(.*)", request.param, {"path": "/nowhere"})])


def test_content_needs_no_file(store: Application) -> None:
    answer = call(store, "/a.txt")
    assert answer.text == "from a store"
    assert answer.headers["Content-Length"] == "12"
    assert answer.headers["Content-Type"] == "text/plain"
    assert len(answer.headers["Etag"]) == 130
    assert "Last-Modified" not in answer.headers
    assert call(store, "/nowhere").status_code == 404


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        ("bytes=5-5", 206, "a"),
        ("bytes=-5", 206, "store"),
        ("bytes=7-", 206, "store"),
        ("bytes=0-3", 206, "from"),
        ("bytes=12-", 416, ""),
        ("bytes=0-11", 200, "from a store"),
    ],
)
def test_ranges_of_any_content(
    store: Application, asked: str, status: int, text: str
) -> None:
    answer = call(store, "/a.txt", headers=[("Range", asked)])
    assert (answer.status_code, answer.text) == (status, text)


def test_conditions_on_any_content(store: Application) -> None:
    etag = call(store, "/a.txt").headers["Etag"]
    assert call(store, "/a.txt", headers=[("If-None-Match", etag)]).status_code == 304
    head = call(store, "/b.css", "HEAD")
    assert head.headers["Content-Length"] == "3"
    assert head.headers["Content-Type"] == "text/css"


def test_url_of_any_content_has_its_version(store: Application) -> None:
    settings = {"static_path": "/nowhere"}
    version = Store.get_version(settings, "a.txt")
    assert Pieces.make_static_url(settings, "a.txt") == f"/static/a.txt?v={version}"


class Asked(Store):
    asked: list[tuple[Any, ...]] = []

    @classmethod
    def get_content(
        cls, abspath: str, start: int | None = None, end: int | None = None
    ) -> Any:
        cls.asked.append((abspath, start, end))
        return super().get_content(abspath, start, end)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", (None, None)),
        ("bytes=0-3", (0, 4)),
        ("bytes=2-4", (2, 5)),
        ("bytes=2-", (2, None)),
        ("bytes=-2", (10, None)),
    ],
)
def test_content_is_asked_for_as_by_tornado(
    asked: str, expected: tuple[int | None, int | None]
) -> None:
    application = Application([("/(.*)", Asked, {"path": ""})])
    call(application, "/a.txt")
    Asked.asked.clear()
    call(application, "/a.txt", headers=[("Range", asked)])
    assert Asked.asked == [("store:a.txt", *expected)]


@pytest.mark.parametrize(
    "headers", [[("If-None-Match", "*")], [("Range", "bytes=99-")]]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_content_that_is_not_sent_is_not_made(
    headers: list[tuple[str, str]], method: str
) -> None:
    application = Application([("/(.*)", Asked, {"path": ""})])
    call(application, "/a.txt")
    Asked.asked.clear()
    call(application, "/a.txt", method, headers)
    assert Asked.asked == []


@pytest.mark.parametrize("difference", [-1, 1])
@pytest.mark.parametrize("base", [Store, StaticFileHandler])
def test_wrong_size_is_a_500(
    tmp_path: Path, base: type[StaticFileHandler], difference: int
) -> None:
    class Wrong(base):  # type: ignore[valid-type, misc]  # a parameter
        def get_content_size(self) -> int:
            return int(super().get_content_size()) + difference

    site = Site(tmp_path, Wrong)
    path = "a.txt" if base is Store else "digits.txt"
    with ExpectLog("wsgitornado.application", "Uncaught exception") as expected:
        answer = site.ask(path)
    assert expected.logged_stack
    assert answer.status_code == 500
    assert site.ends.finished == [500]


@pytest.mark.parametrize("content", [None, 5, [5]], ids=repr)
def test_content_of_another_type_is_a_500(tmp_path: Path, content: Any) -> None:
    class Odd(StaticFileHandler):
        @classmethod
        def get_content(cls, abspath: str, *args: Any) -> Any:
            return content

        @classmethod
        def get_content_version(cls, abspath: str) -> str:
            return "odd"

    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        assert Site(tmp_path, Odd).ask("digits.txt").status_code == 500


@pytest.mark.parametrize("given", ["bytes", "text"])
def test_content_may_be_made_of_the_file(tmp_path: Path, given: str) -> None:
    class Filled(StaticFileHandler):
        @classmethod
        def get_content(cls, abspath: str, *args: Any) -> Any:
            content = b"".join(
                chunk for chunk in super().get_content(abspath) if chunk != b""
            ).replace(b"5", b"five")
            return content if given == "bytes" else [content.decode()]

        def get_content_size(self) -> int:
            return super().get_content_size() + 3

    assert Site(tmp_path, Filled).ask("digits.txt").text == "01234five6789"


def test_default_content_is_read_in_chunks(tmp_path: Path) -> None:
    root = Site(tmp_path).root
    get_content = StaticFileHandler.get_content
    whole = (root / "large.bin").read_bytes()
    chunks = list(get_content(f"{root}/large.bin"))
    assert b"".join(chunks) == whole
    assert {len(chunk) for chunk in chunks} == {65536}
    for start, end in [(5, 9), (None, 7), (3, None), (9, 10**9), (10**9, None)]:
        part = b"".join(get_content(f"{root}/large.bin", start, end))
        assert part == whole[start:end]


@pytest.mark.parametrize(("path", "status"), [("nowhere", 404), ("sub", 403)])
def test_default_content_of_no_file_raises(
    tmp_path: Path, path: str, status: int
) -> None:
    root = Site(tmp_path).root
    with pytest.raises(HTTPError) as raised:
        list(StaticFileHandler.get_content(f"{root}/{path}"))
    assert raised.value.status_code == status


# -- One hook each


def answer_of(tmp_path: Path, *headers: tuple[str, str], **hooks: Any) -> Any:
    """What the file of digits looks like with these methods overridden."""
    handler = type("Hooked", (StaticFileHandler,), hooks)
    return Site(tmp_path, handler).ask("digits.txt", *headers)


def test_compute_etag(tmp_path: Path) -> None:
    answer = answer_of(tmp_path, compute_etag=lambda self: '"mine"')
    assert answer.headers["Etag"] == '"mine"'


def test_compute_etag_may_be_none(tmp_path: Path) -> None:
    hooks = {"compute_etag": lambda self: None}
    answer = answer_of(tmp_path, ("If-None-Match", "*"), **hooks)
    assert answer.status_code == 200
    assert "Etag" not in answer.headers


def test_get_content_version(tmp_path: Path) -> None:
    version = classmethod(lambda cls, abspath: f"v{Path(abspath).name}")
    answer = answer_of(tmp_path, get_content_version=version)
    assert answer.headers["Etag"] == '"vdigits.txt"'


def test_set_headers(tmp_path: Path) -> None:
    hook = lambda self: self.set_header("X-Only", "1")  # noqa: E731
    answer = answer_of(tmp_path, set_headers=hook)
    assert answer.text == "0123456789"
    assert dict(answer.headers) == {
        "Content-Type": "text/html; charset=UTF-8",
        "X-Only": "1",
        "Content-Length": "10",
    }


def test_should_return_304(tmp_path: Path) -> None:
    assert answer_of(tmp_path, should_return_304=lambda self: True).status_code == 304


@pytest.mark.parametrize("content_type", ["x/y; charset=utf-8", None])
def test_get_content_type(tmp_path: Path, content_type: str | None) -> None:
    answer = answer_of(tmp_path, get_content_type=lambda self: content_type)
    usual = "text/html; charset=UTF-8"
    assert answer.headers["Content-Type"] == (content_type or usual)


def test_get_content_type_takes_a_path(tmp_path: Path) -> None:
    hook = lambda self: StaticFileHandler.get_content_type(self, "/x.css")  # noqa: E731
    answer = answer_of(tmp_path, get_content_type=hook)
    assert answer.headers["Content-Type"] == "text/css"


def test_get_cache_time(tmp_path: Path) -> None:
    seen: list[Any] = []

    def get_cache_time(self: Any, *args: Any) -> int:
        seen.append(args)
        return 60

    answer = answer_of(tmp_path, get_cache_time=get_cache_time)
    assert answer.headers["Cache-Control"] == "max-age=60"
    assert "Expires" in answer.headers
    path, modified, mime_type = seen[0]
    assert (path, modified.year, mime_type) == ("digits.txt", 2001, "text/plain")


def test_set_extra_headers(tmp_path: Path) -> None:
    def set_extra_headers(self: Any, path: str) -> None:
        self.set_header("X-Path", path)
        self.set_header("Content-Type", "over/ridden")

    answer = answer_of(tmp_path, set_extra_headers=set_extra_headers)
    assert answer.headers["X-Path"] == "digits.txt"
    assert answer.headers["Content-Type"] == "over/ridden"


def test_parse_url_path_and_make_static_url(tmp_path: Path) -> None:
    class InPath(StaticFileHandler):
        @classmethod
        def make_static_url(
            cls, settings: dict[str, Any], path: str, include_version: bool = True
        ) -> str:
            version = cls.get_version(settings, path)
            return f"/files/{version}/{path}"

        def parse_url_path(self, url_path: str) -> str:
            return url_path.partition("/")[2]

    site = Site(tmp_path, InPath)
    url = InPath.make_static_url({"static_path": str(site.root)}, "digits.txt")
    assert call(site.application, url).text == "0123456789"


@pytest.mark.parametrize("spelling", ["{}/digits.txt", "{}/sub/../digits.txt"])
def test_get_absolute_path(tmp_path: Path, spelling: str) -> None:
    hook = classmethod(lambda cls, root, path: spelling.format(root))
    assert answer_of(tmp_path, get_absolute_path=hook).text == "0123456789"


def test_path_of_a_program_is_checked_too(tmp_path: Path) -> None:
    hook = classmethod(lambda cls, root, path: f"{root}/../outside/file")
    with ExpectLog("wsgitornado.general", "403 GET .* is not in root"):
        assert answer_of(tmp_path, get_absolute_path=hook).status_code == 403


def test_validate_absolute_path_may_lead_elsewhere(tmp_path: Path) -> None:
    def validate(self: Any, root: str, absolute_path: str) -> str:
        assert StaticFileHandler.validate_absolute_path(self, root, absolute_path)
        return f"{root}/../outside/file"

    assert answer_of(tmp_path, validate_absolute_path=validate).text == "outside"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_validate_absolute_path_may_answer_itself(tmp_path: Path, method: str) -> None:
    class Moved(StaticFileHandler):
        def validate_absolute_path(self, root: str, absolute_path: str) -> None:
            self.redirect("/elsewhere")

    answer = Site(tmp_path, Moved).ask("digits.txt", method=method)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/elsewhere")


def test_initialize_may_take_something_else(tmp_path: Path) -> None:
    class Named(StaticFileHandler):
        def initialize(self, folder: Path, path: str) -> None:  # type: ignore[override]  # its own
            self.root = str(folder)

    site = Site(tmp_path, Named, {"folder": tmp_path / "outside"})
    assert site.ask("file").text == "outside"


def test_status_of_prepare_stays(tmp_path: Path) -> None:
    hooks = {"prepare": lambda self: self.set_status(203)}
    site = Site(tmp_path, type("Prepared", (StaticFileHandler,), hooks))
    assert site.ask("digits.txt").status == "203 Non-Authoritative Information"
    assert site.ask("digits.txt", ("Range", "bytes=0-1")).status_code == 206


def test_file_with_a_status_that_has_no_body_is_a_500(tmp_path: Path) -> None:
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        answer = answer_of(tmp_path, prepare=lambda self: self.set_status(204))
    assert answer.status_code == 500


# -- The verbs


async def get_awaiting(self: Any, path: str, include_body: bool = True) -> None:
    await StaticFileHandler.get(self, "digits.txt", include_body)


async def get_finishing(self: Any, path: str) -> None:
    await StaticFileHandler.get(self, path)
    self.finish()


def get_flushing(self: Any, path: str) -> None:
    called: list[bool] = []
    StaticFileHandler.get(self, path)
    self.flush()
    self.flush(callback=lambda: called.append(True))
    assert called == [True]


def get_returning(self: Any, path: str) -> Any:
    return StaticFileHandler.get(self, path)


@pytest.mark.parametrize(
    "get", [get_awaiting, get_finishing, get_flushing, get_returning]
)
@pytest.mark.parametrize("name", ["digits.txt", "large.bin"])
def test_get_may_be_called_by_an_override(tmp_path: Path, get: Any, name: str) -> None:
    site = Site(tmp_path, type("Handler", (StaticFileHandler,), {"get": get}))
    wanted = "digits.txt" if get is get_awaiting else name
    assert site.ask(name).body == (site.root / wanted).read_bytes()
    assert site.ends.finished == site.ends.logged == [200]


def test_async_get_serves_head_too(tmp_path: Path) -> None:
    handler = type("Handler", (StaticFileHandler,), {"get": get_awaiting})
    answer = Site(tmp_path, handler).ask("x", method="HEAD")
    assert (answer.body, answer.headers["Content-Length"]) == (b"", "10")


def test_head_may_be_get(tmp_path: Path) -> None:
    hooks = {"head": StaticFileHandler.get}
    site = Site(tmp_path, type("Handler", (StaticFileHandler,), hooks))
    for path, length in (("digits.txt", "10"), ("large.bin", "262144")):
        answer = site.ask(path, method="HEAD")
        assert (answer.body, answer.headers["Content-Length"]) == (b"", length)


@pytest.mark.parametrize("name", ["digits.txt", "large.bin"])
def test_failure_after_get_takes_the_place_of_the_file(
    tmp_path: Path, name: str
) -> None:
    def get(self: Any, path: str) -> None:
        StaticFileHandler.get(self, path)
        raise HTTPError(409)

    site = Site(tmp_path, type("Handler", (StaticFileHandler,), {"get": get}))
    answer = site.ask(name)
    assert answer.status_code == 409
    assert "409: Conflict" in answer.text


@pytest.mark.parametrize("is_before", [True, False])
def test_what_is_written_beside_the_file_is_a_mistake(
    tmp_path: Path, is_before: bool
) -> None:
    def get(self: Any, path: str) -> None:
        if is_before:
            self.write("more")
        StaticFileHandler.get(self, path)
        if not is_before:
            self.finish("more")

    site = Site(tmp_path, type("Handler", (StaticFileHandler,), {"get": get}))
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        assert site.ask("large.bin").status_code == 500


@pytest.mark.parametrize("is_flushed", [True, False])
def test_handler_may_answer_without_a_file(tmp_path: Path, is_flushed: bool) -> None:
    def get(self: Any, path: str) -> None:
        self.write("no file")
        if is_flushed:
            self.flush()

    site = Site(tmp_path, type("Handler", (StaticFileHandler,), {"get": get}))
    answer = site.ask("x")
    assert answer.text == "no file"
    assert ("Content-Length" in answer.headers) is not is_flushed
