"""Entity tags: how they come about and what a client may hold of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado import web

from tests.porting.raw import get, head, post

OF_THE_BODY = '"7896b73144074b24d4ddde3dbf3fa8eb331c3d2d"'

#: What a handler computes, by the last part of the path.
TAGS: dict[str, Any] = {
    "strong": '"x"',
    "weak": 'W/"x"',
    "none": None,
    "empty": "",
    "unquoted": "x",
    "bytes": b'"x"',
    "with_comma": '"x,y"',
    "with_space": '"x y"',
    "with_crlf": '"x\r\ny"',
    "latin1": '"é"',
}


class OfTheBody(web.RequestHandler):
    def get(self) -> None:
        self.write("a body with a tag")

    head = post = get


class Computed(web.RequestHandler):
    def get(self, name: str) -> None:
        self.name = name
        self.write("body")

    def compute_etag(self) -> Any:
        return TAGS[self.name]


STEPS: dict[str, Callable[[Any], Any]] = {
    "own_header": lambda h: (h.set_header("Etag", '"x"'), h.write("a")),
    "own_header_lower_case": lambda h: (h.set_header("etag", '"x"'), h.write("a")),
    "checked_early": lambda h: (
        h.set_header("Etag", '"x"'),
        h.write(str(h.check_etag_header())),
    ),
    "early_304": lambda h: (
        h.set_header("Etag", '"x"'),
        h.set_status(304) if h.check_etag_header() else h.write("a"),
    ),
    "set_early": lambda h: (h.write("a"), h.set_etag_header(), h.write("b")),
    "computed_early": lambda h: (h.write("a"), h.write(str(h.compute_etag()))),
    "checked_without_tag": lambda h: h.write(str(h.check_etag_header())),
    "status_404": lambda h: (h.set_status(404), h.write("a")),
    "status_201": lambda h: (h.set_status(201), h.write("a")),
    "flushed": lambda h: (h.write("a"), h.flush(), h.write("b")),
    "flushed_once": lambda h: (h.write("a"), h.flush()),
    "cookie_beside": lambda h: (h.set_cookie("a", "b"), h.write("a")),
    "headers_beside": lambda h: (
        h.set_header("Content-Language", "en"),
        h.set_header("Last-Modified", "Thu, 02 Jan 2020 03:04:05 GMT"),
        h.set_header("Cache-Control", "max-age=5"),
        h.write("a"),
    ),
    "deleted": lambda h: (h.write("a"), h.clear_header("Etag")),
}


class Steps(web.RequestHandler):
    def get(self, name: str) -> None:
        STEPS[name](self)

    head = get


def make_app() -> web.Application:
    return web.Application(
        [(r"/", OfTheBody), (r"/computed/(.*)", Computed), (r"/(.*)", Steps)]
    )


#: Shapes of If-None-Match, of which some name the tag of the body.
HELD = {
    "the_tag": OF_THE_BODY,
    "the_weak_tag": f"W/{OF_THE_BODY}",
    "lower_case_weak_tag": f"w/{OF_THE_BODY}",
    "another": '"x"',
    "several": f'"x", {OF_THE_BODY}',
    "several_without_spaces": f'"x",{OF_THE_BODY},W/"y"',
    "several_of_others": '"x", W/"y"',
    "comma_in_a_tag": f'"x,y", {OF_THE_BODY}',
    "any": "*",
    "any_after_another": '"x", *',
    "any_in_quotes": '"*"',
    "without_quotes": OF_THE_BODY.strip('"'),
    "one_quote": OF_THE_BODY[:-1],
    "single_quotes": OF_THE_BODY.replace('"', "'"),
    "spaces_around": f"  {OF_THE_BODY}  ",
    "empty": "",
    "empty_tag": '""',
    "only_commas": ",,,",
    "upper_case": OF_THE_BODY.upper(),
    "nonsense": 'W/W/"""x\'',
    "high_bytes": f'"é", {OF_THE_BODY}',
}

A_TAG = '"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"'

REQUESTS = {
    "nothing_held": get("/"),
    "nothing_held_by_head": head("/"),
    **{f"held_{name}": get("/", f"If-None-Match: {v}") for name, v in HELD.items()},
    "held_twice": get("/", 'If-None-Match: "x"', f"If-None-Match: {OF_THE_BODY}"),
    "held_by_head": head("/", f"If-None-Match: {OF_THE_BODY}"),
    "held_by_post": post("/", b"", f"If-None-Match: {OF_THE_BODY}"),
    "if_match": get("/", 'If-Match: "x"'),
    **{f"computed_{name}": get(f"/computed/{name}") for name in TAGS},
    **{
        f"computed_{name}_is_held": get(f"/computed/{name}", f"If-None-Match: {held}")
        for name, held in {
            "strong": '"x"',
            "weak": 'W/"x"',
            "none": "*",
            "empty": '""',
            "unquoted": '"x"',
            "with_comma": '"x,y"',
            "with_space": '"x y"',
            "latin1": '"é"',
        }.items()
    },
    "computed_strong_is_held_weak": get("/computed/strong", 'If-None-Match: W/"x"'),
    "computed_weak_is_held_strong": get("/computed/weak", 'If-None-Match: "x"'),
    **{name: get(f"/{name}") for name in STEPS},
    **{
        f"{name}_is_held": get(f"/{name}", f'If-None-Match: "x", {A_TAG}')
        for name in STEPS
    },
    "checked_without_tag_holds_any": get("/checked_without_tag", "If-None-Match: *"),
    "headers_beside_by_head": head("/headers_beside", f"If-None-Match: {A_TAG}"),
}
