"""The fields of a head as h11 reads them."""

from __future__ import annotations

import re
from typing import Final

import h11

from wsgitornado.httpserver.checks import explain_refusal
from wsgitornado.httpserver.head import RequestError

__all__ = ["split_head"]

#: h11 makes one length of several that agree, and of a list: others may not.
_LENGTH_LINE: Final = re.compile(
    rb"^content-length:(.*?)\r$", re.IGNORECASE | re.MULTILINE
)


def split_head(head: bytes) -> list[tuple[bytes, bytes]]:
    """Give names and values of the fields of a complete head.

    :raises RequestError: 400, or 501 for a coding, for what h11 refuses or hides.
    """
    lengths = _LENGTH_LINE.findall(head)
    if len(lengths) > 1 or any(b"," in length for length in lengths):
        raise RequestError(400, "more than one Content-Length")
    # One connection for each head: nothing goes from one request to the next.
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=len(head))
    try:
        connection.receive_data(head)
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise explain_refusal(head, f"h11: {error}") from None
    assert isinstance(request, h11.Request)
    return list(request.headers)
