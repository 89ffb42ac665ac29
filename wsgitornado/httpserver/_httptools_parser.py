"""The fields of a head as httptools (llhttp, in C) reads them."""

from __future__ import annotations

from typing import Final

import httptools

from wsgitornado.httpserver.checks import explain_refusal

__all__ = ["HeadSplitter"]

#: httptools takes only the methods that it knows; fields are the same with any.
_START_LINE: Final = b"GET / HTTP/1.1"


class HeadSplitter:
    """Splits the heads of one connection into fields.

    The parser of httptools sees heads and nothing else. After a head that announces a
    body it would wait for that: then the next head gets a new one.
    """

    __slots__ = ("_fields", "_is_complete", "_parser")

    def __init__(self) -> None:
        self._parser: httptools.HttpRequestParser | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._is_complete = False

    def __call__(self, head: bytes) -> list[tuple[bytes, bytes]]:
        """Give names and values of the fields of a complete head.

        :raises RequestError: 400, or 501 for a coding, for what httptools refuses.
        """
        parser = self._parser
        if parser is None:
            parser = self._parser = httptools.HttpRequestParser(self)
        fields = self._fields = []
        self._is_complete = False
        try:
            parser.feed_data(_START_LINE + head[head.index(b"\r\n") :])
        except httptools.HttpParserUpgrade:
            # It has read the head and leaves what follows to others.
            self._parser = None
        except httptools.HttpParserError as error:
            self._parser = None
            raise explain_refusal(head, f"httptools: {error}") from None
        if not self._is_complete:
            self._parser = None
        return fields

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value))

    def on_message_complete(self) -> None:
        self._is_complete = True
