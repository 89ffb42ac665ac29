"""Compressed responses, and transforms of the program's own."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from tornado import web

from tests.porting.raw import get, head, request

GZIP = "Accept-Encoding: gzip"
LONG = "a line of text, " * 200


def as_type(content_type: str) -> Callable[[Any], Any]:
    return lambda h: (h.set_header("Content-Type", content_type), h.write(LONG))


#: What is sent, by the last part of the path.
STEPS: dict[str, Callable[[Any], Any]] = {
    "long": lambda h: h.write(LONG),
    "below": lambda h: h.write("a" * 1023),
    "least": lambda h: h.write("a" * 1024),
    "empty": lambda h: None,
    "json": lambda h: h.write({"a": LONG}),
    "plain": as_type("text/plain"),
    "xml": as_type("application/xml"),
    "javascript": as_type("application/javascript; charset=UTF-8"),
    "svg": as_type("image/svg+xml"),
    "png": as_type("image/png"),
    "binary": as_type("application/octet-stream"),
    "no_type": lambda h: (h.clear_header("Content-Type"), h.write(LONG)),
    "coded": lambda h: (h.set_header("Content-Encoding", "x"), h.write(LONG)),
    "vary": lambda h: (h.set_header("Vary", "Cookie"), h.write(LONG)),
    "own_length": lambda h: (h.set_header("Content-Length", len(LONG)), h.write(LONG)),
    "own_etag": lambda h: (h.set_header("Etag", '"x"'), h.write(LONG)),
    "status_201": lambda h: (h.set_status(201), h.write(LONG)),
    "status_204": lambda h: h.set_status(204),
    "status_206": lambda h: (h.set_status(206), h.write(LONG)),
    "redirect": lambda h: h.redirect("/there"),
    "error": lambda h: h.send_error(404),
    "failing": lambda h: (h.write(LONG), 1 / 0),
    "flush": lambda h: (h.write(LONG), h.flush(), h.write(LONG)),
    "flush_short": lambda h: (h.write("a"), h.flush(), h.write("b")),
    "flush_nothing": lambda h: (h.flush(), h.write(LONG)),
    "flush_twice": lambda h: (h.write("a"), h.flush(), h.flush(), h.write("b")),
    "flush_png": lambda h: (
        h.set_header("Content-Type", "image/png"),
        h.write(LONG),
        h.flush(),
    ),
    "flush_fixed": lambda h: (
        h.set_header("Content-Length", 2),
        h.write("a"),
        h.flush(),
        h.write("b"),
    ),
    "names": lambda h: h.write(
        str([c.__name__ for c in h.application.transforms]).ljust(50)
    ),
}


class Steps(web.RequestHandler):
    def get(self, name: str) -> None:
        STEPS[name](self)

    head = post = get


class Upper(web.OutputTransform):
    """Another body of the same length."""

    def transform_first_chunk(
        self, status_code: int, headers: Any, chunk: bytes, finishing: bool
    ) -> Any:
        headers["X-Upper"] = str(finishing)
        return status_code, headers, chunk.upper()

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        return chunk.upper() + (b"." if finishing else b"")


class Longer(web.OutputTransform):
    """Another length, told."""

    def transform_first_chunk(
        self, status_code: int, headers: Any, chunk: bytes, finishing: bool
    ) -> Any:
        chunk += b"(longer)"
        if finishing:
            headers["Content-Length"] = str(len(chunk))
        return status_code, headers, chunk


class Teapot(web.OutputTransform):
    """Another status."""

    def transform_first_chunk(
        self, status_code: int, headers: Any, chunk: bytes, finishing: bool
    ) -> Any:
        return 418, headers, chunk


class Opened(web.OutputTransform):
    """What a client makes of gzip, since its bytes contain the time.

    It comes after the compression: the body is said to be coded, but is not.
    """

    def transform_first_chunk(
        self, status_code: int, headers: Any, chunk: bytes, finishing: bool
    ) -> Any:
        self._stream = None
        if headers.get("Content-Encoding") == "gzip":
            self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
            if finishing:
                is_right = headers["Content-Length"] == str(len(chunk))
                headers["X-Length-Is-Right"] = str(is_right)
                del headers["Content-Length"]
            chunk = self.transform_chunk(chunk, finishing)
            if finishing:
                headers["Content-Length"] = str(len(chunk))
        return status_code, headers, chunk

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        if self._stream is None:
            return chunk
        chunk = self._stream.decompress(chunk)
        return chunk + f"(whole: {self._stream.eof})".encode() if finishing else chunk


class Failing(web.OutputTransform):
    def transform_first_chunk(
        self, status_code: int, headers: Any, chunk: bytes, finishing: bool
    ) -> Any:
        raise ValueError("no chunk")


def make_app() -> web.Application:
    """One application for each way of transforming."""
    rules: list[Any] = [(r"/.*?/(.*)", Steps)]
    on = web.Application(rules, compress_response=True)
    on.add_transform(Opened)
    gzip = web.Application(rules, gzip=True)
    gzip.add_transform(Opened)
    added = web.Application(rules)
    added.add_transform(Upper)
    applications = {
        "on": on,
        "gzip": gzip,
        "added": added,
        "off": web.Application(rules),
        "upper": web.Application(rules, transforms=[Upper]),
        "longer": web.Application(rules, transforms=[Longer]),
        "teapot": web.Application(rules, transforms=[Teapot]),
        "failing": web.Application(rules, transforms=[Failing]),
        "two": web.Application(rules, transforms=[Upper, Longer]),
        "none": web.Application(rules, transforms=[], compress_response=True),
        "given": web.Application(rules, transforms=[Upper], compress_response=True),
    }
    return web.Application([(rf"/{name}/.*", a) for name, a in applications.items()])


#: What clients accept, besides gzip and nothing.
ACCEPTED = {
    "gzip_among_others": "Accept-Encoding: deflate, gzip",
    "with_weight": "Accept-Encoding: gzip;q=0.5",
    "identity": "Accept-Encoding: identity",
    "refused": "Accept-Encoding: gzip;q=0",
    "any": "Accept-Encoding: *",
    "empty": "Accept-Encoding: ",
}

ETAG_OF_LONG = '"x"'

REQUESTS = {
    **{f"on_{name}": get(f"/on/{name}", GZIP) for name in STEPS},
    **{
        f"plain_{name}": get(f"/on/{name}")
        for name in ("long", "below", "png", "vary", "flush", "redirect", "error")
    },
    **{
        f"head_{name}": head(f"/on/{name}", GZIP)
        for name in ("long", "below", "empty", "flush", "own_length")
    },
    **{f"accepted_{name}": get("/on/long", line) for name, line in ACCEPTED.items()},
    "post": request("POST", "/on/long", GZIP, body=b""),
    "version_1_0": request("GET", "/on/long", GZIP, version="1.0"),
    "client_has_it": get("/on/own_etag", GZIP, f"If-None-Match: {ETAG_OF_LONG}"),
    "client_has_any": get("/on/long", GZIP, "If-None-Match: *"),
    "no_rule": get("/nowhere", GZIP),
    **{
        f"{app}_{name}": get(f"/{app}/{name}", GZIP)
        for app in (
            *("gzip", "off", "upper", "longer", "teapot", "failing"),
            *("two", "none", "given", "added"),
        )
        for name in ("names", "long", "flush_short", "status_204", "error")
    },
    "longer_head": head("/longer/long"),
    "teapot_head": head("/teapot/long"),
}
