"""The limits of the loop server: each a named number with its reason and default."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

__all__ = ["Limits"]

_KB: Final = 1024
_MB: Final = 1024 * 1024


def _limit(default: float, *, least: float) -> float:
    # `least` is the smallest value with which a server can still answer anything.
    field: float = dataclasses.field(default=default, metadata={"least": least})
    return field


def _count(default: int, *, least: int = 1) -> int:
    field: int = dataclasses.field(default=default, metadata={"least": least})
    return field


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may take: sizes in bytes, times in seconds.

    Checked when it is made: a limit of another type is a ``TypeError``, one that
    no request could keep a ``ValueError``. ``dataclasses.replace`` makes a copy
    with other numbers.

    >>> Limits(max_body_size=1024).max_body_size
    1024
    """

    #: The whole head of a request, with the empty line after it: room for several
    #: cookies of 4 KB, and Tornado's own number. Beyond it: 431.
    max_header_size: int = _count(64 * _KB, least=64)

    #: Fields in a head; browsers send 15 to 30. Beyond it: 431.
    max_header_fields: int = _count(100)

    #: The request line without its end. RFC 9112 section 3 recommends 8,000 at
    #: least. Beyond it: 414.
    max_request_line: int = _count(8 * _KB, least=16)

    #: One field line without its end: tickets of Kerberos reach 12 KB. Beyond it: 431.
    max_header_line: int = _count(16 * _KB, least=16)

    #: A chunk's size and extensions without the line end. Nobody needs extensions;
    #: without a limit they are a body that no body limit counts. Beyond it: 400.
    max_chunk_line: int = _count(256, least=16)

    #: All trailer fields of one body, which are read and dropped. Beyond it: 431.
    max_trailer_size: int = _count(8 * _KB, least=2)

    #: The body of one request, after chunks are joined: Tornado's number. A
    #: streaming handler may set another for its request. Beyond it: 413.
    max_body_size: int = _count(100 * _MB, least=0)

    #: From the first byte of a head to its last, not prolonged by bytes in between:
    #: a client that sends one byte a second holds a connection no longer.
    head_timeout: float = _limit(20.0, least=0.001)

    #: Between two requests of a connection; longer than the 60 s after which common
    #: proxies close, so that it is they who close first.
    idle_connection_timeout: float = _limit(75.0, least=0.001)

    #: Bytes a second, on average since its beginning, below which a body is given up:
    #: any modem is faster. 0: no rate counts.
    body_min_rate: int = _count(256, least=0)

    #: The seconds that a body may take before its rate counts.
    body_rate_grace: float = _limit(10.0, least=0.001)

    #: The seconds within which a whole body must arrive; None leaves it to the rate.
    body_timeout: float | None = dataclasses.field(
        default=None, metadata={"least": 0.001}
    )

    #: From the moment a client stops taking its response; each byte that it takes
    #: begins the time anew.
    write_timeout: float = _limit(60.0, least=0.001)

    #: Bytes read of a connection behind the request that is being answered: some
    #: hundred pipelined requests.
    max_read_ahead: int = _count(64 * _KB)

    #: Bytes of one response that wait for the client before its writer has to.
    max_buffer_size: int = _count(16 * _MB)

    #: Responses that wait in one process: each costs a few KB and a descriptor.
    max_parked: int = _count(10_000, least=0)

    #: The same from one address, so that one client cannot take all of them. None
    #: is no limit: behind a proxy all have one address.
    max_parked_per_address: int | None = dataclasses.field(
        default=None, metadata={"least": 1}
    )

    #: Connections of one process, idle ones and those that wait among them. Beyond it
    #: clients wait in the backlog, or are left to other processes. None leaves it to
    #: the descriptors of the process.
    max_connections: int | None = dataclasses.field(default=None, metadata={"least": 1})

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field, getattr(self, field.name))


def _check(field: dataclasses.Field[Any], value: object) -> None:
    # Of annotations that are not evaluated the type is the text.
    kinds = str(field.type).split(" | ")
    if value is None and "None" in kinds:
        return
    expected = int if "int" in kinds else (int, float)
    if isinstance(value, bool) or not isinstance(value, expected):
        raise TypeError(f"{field.name} is of type {field.type}: got {value!r}")
    least = field.metadata["least"]
    if not least <= value < math.inf:
        raise ValueError(
            f"{field.name} is a finite number, {least} at least: got {value!r}"
        )
