"""Differences in pages: the template language and UI modules."""

from __future__ import annotations

from tests.porting.differences.lines import (
    ETAG,
    HTML,
    LENGTH,
    Row,
    access,
    minus,
    one_each,
    plus,
    uncaught,
)

__all__ = ["DIFFERENCES"]


def rendered(uri: str, kind: str, body: str) -> Row:
    """Tornado raises this exception; here it is a page."""
    failed = ("page 500 Internal Server Error", uncaught(kind, uri), access(500, uri))
    page = ("status 200 OK", f"body {body}", LENGTH, HTML, ETAG, access(200, uri))
    return minus(*failed) + plus(*page)


_SUPER = "super is a directive of ours"
_NAMES_THE_PLACE = "a template that names another one which is missing is wrong itself"

DIFFERENCES: dict[str, Row] = {
    "pages_language/super": (
        _SUPER,
        *rendered(
            "/super",
            "ParseError",
            "b'<html><head><title>Base</title></head><body><p>nothing</p>"
            "foot \\xc3\\x85sa and more</body></html>'",
        ),
    ),
    "pages_language/super_of_super": (
        _SUPER,
        *rendered(
            "/super_of_super",
            "ParseError",
            "b'<html><head><title>Own, Middle of Base</title></head><body>"
            "<p>nothing</p>foot \\xc3\\x85sa</body></html>'",
        ),
    ),
    "pages_language/apply_lambda": (
        "any expression may be applied",
        *rendered("/apply_lambda", "TypeError", "b'<'"),
    ),
    "pages_language/expression_two": (
        "an expression is one expression: what follows is no comment",
        *minus("status 200 OK", "body b'1'", HTML, ETAG, LENGTH),
        *minus(access(200, "/expression_two")),
        *plus("page 500 Internal Server Error", access(500, "/expression_two")),
        *plus(uncaught("TemplateSyntaxError", "/expression_two")),
    ),
    **{
        f"pages_language/{name}": (
            _NAMES_THE_PLACE,
            *one_each(
                uncaught("KeyError", f"/{name}"), uncaught("ParseError", f"/{name}")
            ),
        )
        for name in ("extends_unknown", "include_unknown")
    },
    "ui_modules/returns_number": (
        "what a module returns is written as an expression is",
        *rendered(
            "/page/returns_number",
            "TypeError",
            "b'<html><head><title>t</title></head><body>3</body></html>'",
        ),
    ),
}
