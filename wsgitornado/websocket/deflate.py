"""permessage-deflate: messages compressed, with a bound for what they inflate to.

RFC 7692. Contexts are made when the first message needs them: an idle connection that
has sent and received nothing has none.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from wsproto.extensions import Extension as WSProtoExtension
from wsproto.frame_protocol import (
    CloseReason,
    FrameDecoder,
    FrameProtocol,
    Opcode,
    RsvBits,
)

from wsgitornado.websocket.errors import WebSocketError
from wsgitornado.websocket.handshake import Extension

__all__ = ["NAME", "Compression", "Deflate", "accept", "agree", "offer"]

#: The name of the extension.
NAME: Final = "permessage-deflate"

#: What a sender leaves out at the end of a message (RFC 7692 section 7.2.1).
_TAIL: Final = b"\x00\x00\xff\xff"

_NO_BITS: Final = RsvBits(False, False, False)
_RSV1: Final = RsvBits(True, False, False)

_FLAGS: Final = ("server_no_context_takeover", "client_no_context_takeover")
_BITS: Final = ("server_max_window_bits", "client_max_window_bits")

#: The smallest window that zlib can compress with: it takes 8 for 9.
_LEAST_BITS: Final = 9


@dataclass(frozen=True, slots=True)
class Compression:
    """What both ends have agreed on, and how hard this one tries.

    :ivar server_bits: the window of the server's messages is ``2 ** server_bits``.
    :ivar client_bits: likewise.
    :ivar server_forgets: each message of the server is compressed by itself.
    :ivar client_forgets: likewise.
    :ivar level: of zlib, from 0 to 9; -1 is its default.
    :ivar mem_level: likewise, from 1 to 9.
    """

    server_bits: int = 15
    client_bits: int = 15
    server_forgets: bool = False
    client_forgets: bool = False
    level: int = -1
    mem_level: int = 8

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Compression:
        """What ``get_compression_options`` says: compression_level and mem_level.

        :raises ValueError: for anything else, or numbers that zlib does not take.
        """
        unknown = set(options) - {"compression_level", "mem_level"}
        if unknown:
            raise ValueError(
                "compression_level and mem_level are the compression options: got "
                f"{', '.join(sorted(unknown))}"
            )
        level = options.get("compression_level")
        mem_level = options.get("mem_level")
        made = cls(
            level=-1 if level is None else level,
            mem_level=8 if mem_level is None else mem_level,
        )
        if not (-1 <= made.level <= 9 and 1 <= made.mem_level <= 9):
            raise ValueError(
                "compression_level is -1 to 9 and mem_level 1 to 9: got "
                f"{made.level}, {made.mem_level}"
            )
        return made


# Agreeing


def accept(
    offers: Iterable[Extension], options: Mapping[str, Any]
) -> tuple[Compression, Extension] | None:
    """The server's choice among what a client offers (RFC 7692 section 5.1).

    Returns what is agreed on and what to answer, or None for no compression. An offer
    that is malformed, or asks for what is not to be had, is declined.
    """
    chosen = Compression.from_options(options)
    for name, parameters in offers:
        if name != NAME:
            continue
        agreed = _read(parameters, chosen, is_offer=True)
        if agreed is not None:
            answer = {
                key: value
                for key, value in parameters.items()
                # Without a number this is no demand: the client can do with any.
                if value or key != "client_max_window_bits"
            }
            return agreed, (NAME, answer)
    return None


def offer() -> Extension:
    """What a client offers: everything, and a window of any size."""
    return NAME, {"client_max_window_bits": None}


def agree(
    answers: Iterable[Extension], options: Mapping[str, Any] | None
) -> Compression | None:
    """What a server has made of :func:`offer` (RFC 7692 section 5.1).

    :param options: of the client; None if it has offered nothing.
    :raises WebSocketError: for an extension that was not offered, or bad parameters.
    """
    answers = list(answers)
    if not answers:
        return None
    if options is None or len(answers) > 1 or answers[0][0] != NAME:
        names = ", ".join(name for name, _ in answers)
        raise WebSocketError(f"the server answers with extensions not offered: {names}")
    agreed = _read(answers[0][1], Compression.from_options(options), is_offer=False)
    if agreed is None:
        raise WebSocketError(f"bad parameters of {NAME}: {answers[0][1]!r}")
    return agreed


def _read(
    parameters: Mapping[str, str | None], chosen: Compression, is_offer: bool
) -> Compression | None:
    """Parameters of the extension; None if they are wrong."""
    found: dict[str, Any] = {}
    for name, value in parameters.items():
        if name in _FLAGS:
            if value is not None:
                return None
            found[f"{name[:6]}_forgets"] = True
        elif name not in _BITS:
            return None
        elif value is not None:
            bits = _read_bits(value)
            if bits is None:
                return None
            found[f"{name[:6]}_bits"] = bits
        elif not is_offer or name != "client_max_window_bits":
            return None
    # Of the two windows this is the one to compress with.
    if found.get("server_bits" if is_offer else "client_bits", 15) < _LEAST_BITS:
        return None
    return replace(chosen, **found)


def _read_bits(value: str) -> int | None:
    # One or two digits, without a leading zero (RFC 7692 section 7.1.2).
    if value in {"8", "9", "10", "11", "12", "13", "14", "15"}:
        return int(value)
    return None


# Compressing


class Deflate(WSProtoExtension):
    """The compression of one connection: what wsproto asks while it reads frames.

    :param max_size: bytes that one message may inflate to.
    """

    name = NAME

    __slots__ = (
        "_agreed",
        "_deflater",
        "_has_restarted",
        "_inflater",
        "_is_client",
        "_left",
        "_max_size",
        "is_inflating",
    )

    def __init__(self, agreed: Compression, is_client: bool, max_size: int) -> None:
        self._agreed = agreed
        self._is_client = is_client
        self._max_size = max_size
        self._inflater: Any = None
        self._deflater: Any = None
        # How many bytes the message may still have.
        self._left = max_size
        self._has_restarted = False
        #: Whether the message that comes in is compressed.
        self.is_inflating = False

    def enabled(self) -> bool:
        return True

    def offer(self) -> bool | str:  # pragma: no cover - wsproto's, for its handshake
        return False

    # What comes in

    def frame_inbound_header(
        self,
        proto: FrameDecoder | FrameProtocol,
        opcode: Opcode,
        rsv: RsvBits,
        payload_length: int,
    ) -> CloseReason | RsvBits:
        """RSV1 is for the first frame of a message alone (RFC 7692 section 6)."""
        if opcode in (Opcode.TEXT, Opcode.BINARY):
            self.is_inflating = rsv.rsv1
            self._left = self._max_size
            self._has_restarted = False
            return _RSV1
        return _NO_BITS

    def frame_inbound_payload_data(
        self, proto: FrameDecoder | FrameProtocol, data: bytes
    ) -> bytes | CloseReason:
        assert isinstance(proto, FrameDecoder)
        assert proto.header is not None
        if not self.is_inflating or proto.header.opcode.iscontrol():
            return data
        return self._inflate(data)

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        assert isinstance(proto, FrameDecoder)
        assert proto.header is not None
        if not (fin and self.is_inflating) or proto.header.opcode.iscontrol():
            return None
        self.is_inflating = False
        rest = self._inflate(_TAIL)
        agreed = self._agreed
        forgets = agreed.server_forgets if self._is_client else agreed.client_forgets
        if forgets or self._inflater.eof:
            self._inflater = None
        return rest

    def _inflate(self, data: bytes) -> bytes | CloseReason:
        """Inflate no more than one byte beyond what a message may have."""
        whole = b""
        part: bytes
        while True:
            inflater = self._inflater
            if inflater is None:
                agreed = self._agreed
                bits = agreed.server_bits if self._is_client else agreed.client_bits
                inflater = self._inflater = zlib.decompressobj(-bits)
            try:
                part = inflater.decompress(data, self._left + 1)
            except zlib.error:
                return CloseReason.INVALID_FRAME_PAYLOAD_DATA
            whole = whole + part if whole else part
            self._left -= len(part)
            if self._left < 0:
                return CloseReason.MESSAGE_TOO_BIG
            data = inflater.unused_data
            if not (inflater.eof and data):
                return whole
            # A final block, behind which another stream begins (section 7.2.3.5). Once:
            # each one more would cost a copy of all that is left.
            if self._has_restarted:
                return CloseReason.INVALID_FRAME_PAYLOAD_DATA
            self._has_restarted = True
            self._inflater = None

    # What goes out

    def compress(self, payload: bytes) -> bytes:
        """A message as it goes into a frame with RSV1."""
        agreed = self._agreed
        deflater = self._deflater
        if deflater is None:
            bits = agreed.client_bits if self._is_client else agreed.server_bits
            deflater = zlib.compressobj(
                agreed.level, zlib.DEFLATED, -bits, agreed.mem_level
            )
            forgets = (
                agreed.client_forgets if self._is_client else agreed.server_forgets
            )
            if not forgets:
                self._deflater = deflater
        data: bytes = deflater.compress(payload)
        data += deflater.flush(zlib.Z_SYNC_FLUSH)
        return data[: -len(_TAIL)]
