"""Static files: their headers, conditions, ranges, folders, links and overrides."""

from __future__ import annotations

import atexit
import datetime
import os
import shutil
import tempfile
from typing import Any

from tornado import web

from tests.porting.raw import get, head, request

DIGITS = (
    "bb96c2fc40d2d54617d6f276febe571f623a8dadf0b734855299b0e107fda32c"
    "f6b69f2da32b36445d73690b93cbd0f7bfc20e0f7f28553d2a4428f23b716e90"
)
MODIFIED = 1_000_000_000
LAST_MODIFIED = "Sun, 09 Sep 2001 01:46:40 GMT"

FILES = {
    "digits.txt": b"0123456789",
    "empty.txt": b"",
    "index.html": b"<p>index of root",
    "robots.txt": b"User-agent: *",
    "favicon.ico": b"an icon",
    "a b%2e?.txt": b"a name to be quoted",
    "caf\xe9.txt": b"a name to be encoded",
    "...": b"dots",
    "plus+.txt": b"plus",
    "x.tar.gz": b"",
    "x.svgz": b"",
    "x.bz2": b"",
    "x.unknown": b"",
    "x": b"",
    "x.json": b"",
    "sub/style.css": b"b { color: red }",
    "sub/index.html": b"<p>index of sub",
    "plain/file": b"no index here",
    "text.txt": b"a line of text\n" * 10_000,
    "../rooted/file": b"neighbour",
    "../outside/file": b"outside",
    "../outside/index.html": b"<p>index of outside",
}
LINKS = {
    "link.txt": "digits.txt",
    "looks.txt": "sub/style.css",
    "sublink": "sub",
    "outside.txt": "../outside/file",
    "outside": "../outside",
    "dangling": "nowhere",
    "dangling_out": "../nowhere",
    "circle": "circle",
}


def make_folder() -> str:
    folder = tempfile.mkdtemp(prefix="porting-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    root = os.path.join(folder, "root")
    for name, content in FILES.items():
        path = os.path.normpath(os.path.join(root, name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, (MODIFIED, MODIFIED + 0.5))
    for name, target in LINKS.items():
        os.symlink(target, os.path.join(root, name))
    os.mkfifo(os.path.join(root, "pipe"))
    return root


STORE = {"a.txt": b"from a store", "b.css": b"b{}"}


class Store(web.StaticFileHandler):
    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        return "store:" + path

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        if absolute_path[6:] not in STORE:
            raise web.HTTPError(404)
        return absolute_path

    @classmethod
    def get_content(
        cls, abspath: str, start: int | None = None, end: int | None = None
    ) -> Any:
        return STORE[abspath[6:]][start:end]

    def get_content_size(self) -> int:
        return len(STORE[str(self.absolute_path)[6:]])

    def get_modified_time(self) -> datetime.datetime | None:
        return None


class Pieces(Store):
    @classmethod
    def get_content(
        cls, abspath: str, start: int | None = None, end: int | None = None
    ) -> Any:
        for byte in STORE[abspath[6:]][start:end]:
            yield bytes([byte])


class Wrong(Store):
    def get_content_size(self) -> int:
        return 3


class Long(Store):
    def get_content_size(self) -> int:
        return 30


class Headers(web.StaticFileHandler):
    def get_cache_time(
        self, path: str, modified: datetime.datetime | None, mime_type: str
    ) -> int:
        return (
            60
            if mime_type == "text/css"
            else super().get_cache_time(path, modified, mime_type)
        )

    def set_extra_headers(self, path: str) -> None:
        self.clear_header("Expires")  # it depends on the second
        self.set_header("X-Path", path)
        self.set_header("X-Modified", str(self.modified))


class Hooks(web.StaticFileHandler):
    def compute_etag(self) -> str | None:
        return None if self.path.startswith("x") else '"mine"'

    def get_content_type(self) -> Any:
        return "x/y; charset=utf-8"

    def parse_url_path(self, url_path: str) -> str:
        return url_path.lower()

    def should_return_304(self) -> bool:
        return self.get_query_argument("has", None) is not None

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        if absolute_path.endswith("moved"):
            self.redirect("/elsewhere")
            return None
        return super().validate_absolute_path(root, absolute_path)


class OwnHeaders(web.StaticFileHandler):
    def set_headers(self) -> None:
        self.set_header("X-Only", "1")


class Async(web.StaticFileHandler):
    async def get(self, path: str, include_body: bool = True) -> None:
        await super().get("digits.txt", include_body)


class Urls(web.RequestHandler):
    def get(self) -> None:
        handler, settings = web.StaticFileHandler, self.settings
        for path in ("digits.txt", "sub/style.css", "link.txt", "a b%2e?.txt"):
            self.write(handler.make_static_url(settings, path) + "\n")
            url = handler.make_static_url(settings, path, include_version=False)
            self.write(url + "\n")
        for path in ("../outside/file", "/etc/passwd", ".."):
            try:
                handler.get_version(settings, path)
            except web.HTTPError as error:
                self.write(f"{path} {error.status_code} {error.get_message()}\n")


class Own(web.RequestHandler):
    def get(self, path: str) -> None:
        self.write("own " + path)


def make_app() -> web.Application:
    root = make_folder()
    outside = os.path.join(os.path.dirname(root), "outside")
    index = {"path": root, "default_filename": "index.html"}
    static = web.StaticFileHandler
    rules: list[Any] = [
        (rf"/{name}/(.*)", handler, {"path": root})
        for name, handler in {
            "files": static,
            "store": Store,
            "pieces": Pieces,
            "wrong": Wrong,
            "long": Long,
            "headers": Headers,
            "hooks": Hooks,
            "own_headers": OwnHeaders,
            "async": Async,
        }.items()
    ]
    rules += [
        (r"/index/(.*)", static, index),
        (r"/named/(?P<path>.*)", static, {"path": root}),
        (r"/slash/(.*)", static, {"path": root + "/"}),
        (r"/gone/(.*)", static, {"path": root + "/gone"}),
        (r"/two/(.*)/(.*)", static, {"path": root}),
        (
            r"/allowed/(.*)",
            static,
            {**index, "allowed_symlink_directory": [outside, root]},
        ),
        (
            r"/narrow/(.*)",
            static,
            {"path": root, "allowed_symlink_directory": outside},
        ),
        (r"/urls", Urls),
        (r"/static/(.*)", Own),
        (r"/(.*)", Own),
    ]
    return web.Application(rules, static_path=root)


PATHS = {
    "text": "digits.txt",
    "empty": "empty.txt",
    "slash_behind": "digits.txt/",
    "quoted": "a%20b%252e%3F.txt",
    "encoded": "caf%C3%A9.txt",
    "undecodable": "caf%E9.txt",
    "dots": "...",
    "plus": "plus+.txt",
    "gzip": "x.tar.gz",
    "svgz": "x.svgz",
    "bz2": "x.bz2",
    "unknown": "x.unknown",
    "no_ending": "x",
    "json": "x.json",
    "below": "sub/style.css",
    "two_slashes": "sub//style.css",
    "dot": "./digits.txt",
    "up_and_down": "sub/../digits.txt",
    "root": "",
    "folder": "sub",
    "folder_slash": "sub/",
    "missing": "nowhere",
    "below_a_file": "digits.txt/x",
    "outside": "../outside/file",
    "outside_encoded": "%2e%2e%2foutside/file",
    "neighbour": "../rooted/file",
    "absolute": "/etc/passwd",
    "up": "..",
    "link": "link.txt",
    "link_to_other_type": "looks.txt",
    "link_to_folder": "sublink/style.css",
    "link_outside": "outside.txt",
    "link_outside_folder": "outside/file",
    "dangling": "dangling",
    "dangling_out": "dangling_out",
    "circle": "circle",
    "pipe": "pipe",
    "null": "a%00b",
    "too_long": "x" * 300,
    "versioned_missing": "nowhere?v=1",
}

RANGES = {
    "first": "bytes=0-3",
    "middle": "bytes=2-4",
    "rest": "bytes=7-",
    "last": "bytes=-3",
    "beyond": "bytes=7-100",
    "all": "bytes=0-9",
    "all_open": "bytes=0-",
    "suffix_too_long": "bytes=-100",
    "behind": "bytes=10-",
    "backwards": "bytes=5-3",
    "nothing": "bytes=-0",
    "several": "bytes=0-1,4-5",
    "malformed": "bytes=a-b",
    "unit": "items=0-3",
    "spaces": "bytes = 0 - 3",
    "empty": "",
    "many_digits": "bytes=0-" + "9" * 30,
    "signed": "bytes=+1-3",
    "underscore": "bytes=-1_0",
}

DATES = {
    "same": LAST_MODIFIED,
    "before": "Sun, 09 Sep 2001 01:46:39 GMT",
    "after": "Sun, 09 Sep 2001 01:46:41 GMT",
    "rfc850": "Sunday, 09-Sep-01 01:46:40 GMT",
    "asctime": "Sun Sep  9 01:46:40 2001",
    "malformed": "yesterday",
    "impossible": "Sun, 99 Sep 2001 01:46:40 GMT",
}

TAGS = {
    "same": f'"{DIGITS}"',
    "weak": f'W/"{DIGITS}"',
    "other": '"x"',
    "among_others": f'"x", "{DIGITS}"',
    "any": "*",
    "empty": "",
}

REQUESTS = {
    **{f"files_{name}": get(f"/files/{path}") for name, path in PATHS.items()},
    **{f"index_{name}": get(f"/index/{path}") for name, path in PATHS.items()},
    "index_with_query": get("/index/sub?x=1"),
    "index_head": head("/index/sub"),
    "index_link": get("/index/sublink"),
    "index_missing": get("/index/plain/"),
    **{
        f"range_{name}": get("/files/digits.txt", f"Range: {value}")
        for name, value in RANGES.items()
    },
    **{
        f"head_range_{name}": head("/files/digits.txt", f"Range: {RANGES[name]}")
        for name in ("first", "behind", "malformed", "all")
    },
    "range_of_empty": get("/files/empty.txt", "Range: bytes=0-"),
    **{
        f"since_{name}": get("/files/digits.txt", f"If-Modified-Since: {value}")
        for name, value in DATES.items()
    },
    **{
        f"tag_{name}": get("/files/digits.txt", f"If-None-Match: {value}")
        for name, value in TAGS.items()
    },
    "tag_before_date": get(
        "/files/digits.txt", 'If-None-Match: "x"', f"If-Modified-Since: {LAST_MODIFIED}"
    ),
    "tag_before_range": get(
        "/files/digits.txt", f'If-None-Match: "{DIGITS}"', "Range: bytes=0-3"
    ),
    "tag_head": head("/files/digits.txt", f'If-None-Match: "{DIGITS}"'),
    "if_range_same": get(
        "/files/digits.txt", f'If-Range: "{DIGITS}"', "Range: bytes=0-3"
    ),
    "if_range_date": get(
        "/files/digits.txt", f"If-Range: {LAST_MODIFIED}", "Range: bytes=0-3"
    ),
    "if_range_other": get("/files/digits.txt", 'If-Range: "x"', "Range: bytes=0-3"),
    "head": head("/files/digits.txt"),
    "head_large": head("/files/text.txt"),
    "large": get("/files/text.txt"),
    "large_range": get("/files/text.txt", "Range: bytes=70000-140000"),
    **{
        f"method_{method}": request(method, "/files/digits.txt", body=b"")
        for method in ("POST", "PUT", "DELETE", "OPTIONS")
    },
    "named": get("/named/digits.txt"),
    "named_head": head("/named/digits.txt"),
    "slash": get("/slash/digits.txt"),
    "slash_outside": get("/slash/../rooted/file"),
    "gone": get("/gone/digits.txt"),
    "two_groups": get("/two/sub/style.css"),
    **{
        f"allowed_{name}": get(f"/allowed/{path}")
        for name, path in {
            "outside": "outside.txt",
            "folder": "outside",
            "index": "outside/",
            "inside": "link.txt",
            "plain": "digits.txt",
            "other": "dangling_out",
        }.items()
    },
    "narrow_outside": get("/narrow/outside.txt"),
    "narrow_inside": get("/narrow/link.txt"),
    "narrow_plain": get("/narrow/digits.txt"),
    **{
        f"{handler}_{name}": raw
        for handler in ("store", "pieces")
        for name, raw in {
            "whole": get(f"/{handler}/a.txt"),
            "range": get(f"/{handler}/a.txt", "Range: bytes=5-"),
            "head": head(f"/{handler}/a.txt"),
            "missing": get(f"/{handler}/nowhere"),
            "date": get(f"/{handler}/a.txt", f"If-Modified-Since: {LAST_MODIFIED}"),
            "any": get(f"/{handler}/a.txt", "If-None-Match: *"),
        }.items()
    },
    "too_short_a_size": get("/wrong/a.txt"),
    "too_long_a_size": get("/long/a.txt"),
    "headers": get("/headers/digits.txt"),
    "headers_versioned": get("/headers/digits.txt?v=1"),
    "headers_of_type": get("/headers/sub/style.css"),
    "headers_304": get("/headers/digits.txt?v=1", "If-None-Match: *"),
    "headers_416": get("/headers/digits.txt?v=1", "Range: bytes=50-"),
    "hooks": get("/hooks/DIGITS.TXT"),
    "hooks_no_tag": get("/hooks/x.json", "If-None-Match: *"),
    "hooks_304": get("/hooks/digits.txt?has"),
    "hooks_moved": get("/hooks/moved"),
    "own_headers": get("/own_headers/digits.txt"),
    "async": get("/async/anything"),
    "async_head": head("/async/anything"),
    "urls": get("/urls"),
    "static_path": get("/static/digits.txt"),
    "static_path_comes_first": get("/static/nowhere"),
    "static_path_robots": get("/robots.txt"),
    "static_path_favicon": get("/favicon.ico"),
    "static_path_other": get("/robots.txt.txt"),
}
