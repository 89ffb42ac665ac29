"""Differences in redirects that are made from a path."""

from __future__ import annotations

from tests.porting.differences.lines import (
    HTML,
    NO_LENGTH,
    Row,
    access,
    minus,
    one_each,
    plus,
    warning,
)

__all__ = ["DIFFERENCES"]

_QUOTED = "R02: what comes from a path is quoted again in a Location"
_CHANGED = "Redirect URL cannot change the scheme or netloc"
_UNSAFE = "Redirect URL contains invalid characters"


def redirected(theirs: str, ours: str, reason: str = _QUOTED) -> Row:
    return (
        reason,
        *one_each(f"header location: {theirs}", f"header location: {ours}"),
    )


def quoted_instead(path: str, location: str, message: str = _CHANGED) -> Row:
    return (
        _QUOTED + ", where it is harmless",
        *minus("page 400 Bad Request", warning(400, path, message), access(400, path)),
        *plus(
            "status 301 Moved Permanently",
            HTML,
            NO_LENGTH,
            f"header location: {location}",
            access(301, path),
        ),
    )


DIFFERENCES: dict[str, Row] = {
    "ready/redirect_filled_quoted": redirected(
        "/new/a b?c#d%", "/new/a%20b%3Fc%23d%25"
    ),
    "ready/redirect_filled_utf8": redirected(
        "/new/cafÃ©",
        "/new/caf%C3%A9",
    ),
    "ready/redirect_filled_plus": redirected("/new/a+b", "/new/a%2Bb"),
    "ready/redirect_filled_ampersand": redirected("/new/a&b=c", "/new/a%26b%3Dc"),
    "ready/redirect_filled_braces": redirected("/new/{0}", "/new/%7B0%7D"),
    "ready/redirect_swapped": redirected("/c/a b?x=a+b&d=e", "/c/a%20b?x=a+b&d=e"),
    "ready/redirect_named": redirected("/b c/a", "/b%20c/a"),
    "ready/redirect_optional_none": redirected(
        "/new/None", "/new/", "a group that took no part in the match is empty"
    ),
    "ready/redirect_filled_crlf": quoted_instead(
        "/filled/a%0D%0AX-B:%20c", "/new/a%0D%0AX-B:%20c", _UNSAFE
    ),
    "ready/redirect_start_backslash": quoted_instead(
        "/start/%5C%5Cevil.test", "%5C%5Cevil.test/x"
    ),
    "ready/redirect_slash_backslash": quoted_instead(
        "/slash/%5Cevil.test", "/%5Cevil.test"
    ),
    "ready/redirect_slash_tab": quoted_instead(
        "/slash/%09/evil.test", "/%09/evil.test"
    ),
}
