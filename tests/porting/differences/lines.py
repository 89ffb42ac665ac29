"""What the tables of differences are written with: lines that come again and again."""

from __future__ import annotations

__all__ = [
    "ETAG",
    "HTML",
    "LATE",
    "LENGTH",
    "NO_LENGTH",
    "Row",
    "access",
    "answered",
    "minus",
    "one_each",
    "plus",
    "raises",
    "uncaught",
    "warning",
]

Row = tuple[str, ...]

HTML = "header content-type: text/html; charset=UTF-8"
ETAG = "header etag: (that of the body)"
LENGTH = "header content-length: (that of the body)"
NO_LENGTH = "header content-length: 0"
LATE = "log ERROR general Cannot send error response after headers written"


def access(status: int, uri: str, method: str = "GET") -> str:
    level = "INFO" if status < 400 else "WARNING" if status < 500 else "ERROR"
    return f"log {level} access {status} {method} {uri} (127.0.0.1) #ms"


def uncaught(kind: str, uri: str, method: str = "GET") -> str:
    return (
        f"log ERROR application Uncaught exception {method} {uri} (127.0.0.1)"
        f" + request [{kind}]"
    )


def warning(status: int, uri: str, message: str, method: str = "GET") -> str:
    return f"log WARNING general {status} {method} {uri} (127.0.0.1): {message}"


def minus(*lines: str) -> Row:
    return tuple(f"- {line}" for line in lines)


def plus(*lines: str) -> Row:
    return tuple(f"+ {line}" for line in lines)


def raises(uri: str, kind: str, *theirs: str) -> Row:
    """Tornado sends something; here the mistake is answered with 500."""
    ours = ("page 500 Internal Server Error", uncaught(kind, uri), access(500, uri))
    return minus(*theirs) + plus(*ours)


def answered(uri: str, *theirs: str, ours: Row = ()) -> Row:
    """Tornado drops the connection; here the mistake is answered with 500.

    :param theirs: Tornado's log lines that are not ours, and ours likewise.
    """
    return minus("status ", "end cut", *theirs) + plus(
        "page 500 Internal Server Error", "end whole", *ours, access(500, uri)
    )


def one_each(theirs: str, ours: str) -> Row:
    return minus(theirs) + plus(ours)
