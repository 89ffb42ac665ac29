"""The fields of a head as httptools (llhttp, in C) reads them."""

from __future__ import annotations

from typing import Final

import httptools

from wsgitornado.httpserver.checks import explain_refusal

__all__ = ["split_head"]

#: httptools takes only the methods that it knows; fields are the same with any.
_START_LINE: Final = b"GET / HTTP/1.1"


class _Fields(list[tuple[bytes, bytes]]):
    """What the parser calls for each field."""

    __slots__ = ()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.append((name, value))


def split_head(head: bytes) -> list[tuple[bytes, bytes]]:
    """Give names and values of the fields of a complete head.

    :raises RequestError: 400, or 501 for a coding, for what httptools refuses.
    """
    fields = _Fields()
    # One parser for each head: nothing goes from one request to the next.
    parser = httptools.HttpRequestParser(fields)
    try:
        parser.feed_data(_START_LINE + head[head.index(b"\r\n") :])
    except httptools.HttpParserUpgrade:
        # It has read the head and leaves what follows to others.
        pass
    except httptools.HttpParserError as error:
        raise explain_refusal(head, f"httptools: {error}") from None
    return fields
