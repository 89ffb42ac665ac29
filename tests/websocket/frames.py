"""Raw WebSocket frames, and a client that sends any bytes and reads frames strictly."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from tests.live.client import HOST, Client

__all__ = [
    "DEFLATE",
    "KEY",
    "Frame",
    "FrameClient",
    "Opcode",
    "Upgrade",
    "accept_key",
    "close_frame",
    "deflated",
    "frame",
    "handshake",
    "inflated",
    "masked",
]

#: The example key of RFC 6455 section 1.3.
KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="

#: A line that asks for compression.
DEFLATE: Final = "Sec-WebSocket-Extensions: permessage-deflate"

_MASK: Final = b"\x37\xfa\x21\x3d"


class Opcode(IntEnum):
    """RFC 6455 section 5.2."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


@dataclass(frozen=True)
class Frame:
    """One frame as it came, unmasked.

    :ivar reserved: the three bits; 4 is RSV1, by which a message is compressed.
    """

    opcode: int
    payload: bytes = b""
    is_last: bool = True
    reserved: int = 0
    is_masked: bool = False

    @property
    def code(self) -> int | None:
        """Of a close frame; None where it has no code."""
        return int.from_bytes(self.payload[:2], "big") if self.payload else None

    @property
    def reason(self) -> str:
        return self.payload[2:].decode()


@dataclass(frozen=True)
class Upgrade:
    """The answer to an opening handshake."""

    status_code: int
    headers: dict[str, str]
    body: bytes = b""


def masked(payload: bytes, mask: bytes = _MASK) -> bytes:
    """RFC 6455 section 5.3; done twice, it is undone."""
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    is_last: bool = True,
    reserved: int = 0,
    is_masked: bool = True,
    length: int | None = None,
    size: int | None = None,
) -> bytes:
    """A frame, right or wrong, as a client sends it.

    :param length: what the frame says of itself in place of its true length.
    :param size: bytes of the length, 0, 2 or 8, in place of the fewest.
    """
    if length is None:
        length = len(payload)
    if size is None:
        size = 0 if length < 126 else 2 if length < 0x10000 else 8
    short = {0: length, 2: 126, 8: 127}[size]
    first = (is_last << 7) | (reserved << 4) | opcode
    head = bytes((first, (is_masked << 7) | short)) + (
        length.to_bytes(size, "big") if size else b""
    )
    return head + (_MASK + masked(payload) if is_masked else payload)


def close_frame(code: int, reason: bytes = b"", **options: bool) -> bytes:
    return frame(Opcode.CLOSE, code.to_bytes(2, "big") + reason, **options)


def deflated(data: bytes, wbits: int = 15) -> bytes:
    """One message as permessage-deflate sends it (RFC 7692 section 7.2.1)."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -wbits)
    packed = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
    return packed.removesuffix(b"\x00\x00\xff\xff")


def inflated(data: bytes) -> bytes:
    return zlib.decompressobj(-15).decompress(data + b"\x00\x00\xff\xff")


def accept_key(key: str) -> str:
    """RFC 6455 section 4.2.2."""
    text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()


def handshake(
    *lines: str,
    target: str = "/",
    start: str | None = None,
    without: tuple[str, ...] = (),
) -> bytes:
    """An opening handshake; a line given here takes the place of that of its name."""
    fields = {
        "Host": HOST,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    for line in lines:
        name, _, value = line.partition(": ")
        fields[name] = value
    for name in without:
        del fields[name]
    texts = [start or f"GET {target} HTTP/1.1"]
    texts += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*texts, "", ""]).encode("latin-1")


class FrameClient(Client):
    """One connection that speaks frames after its handshake.

    What a server sends is held to RFC 6455: nothing masked, the fewest length bytes,
    small whole control frames, text that is UTF-8, nothing behind a close frame.
    """

    def upgrade(self, *lines: str, target: str = "/", behind: bytes = b"") -> Upgrade:
        """Do the opening handshake.

        :param behind: what is sent with it in the same packet.
        """
        self.send(handshake(*lines, target=target) + behind)
        upgrade = self.read_upgrade()
        assert upgrade.status_code == 101, upgrade
        assert upgrade.headers["upgrade"].lower() == "websocket"
        assert upgrade.headers["connection"].lower() == "upgrade"
        assert upgrade.headers["sec-websocket-accept"] == accept_key(KEY)
        return upgrade

    def read_upgrade(self) -> Upgrade:
        """The answer to an opening handshake, with its body where it is refused."""
        got = self.read_until(b"\r\n\r\n")
        head, _, rest = got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            assert name.lower() not in headers, lines
            headers[name.lower()] = value.strip()
        code = int(first.split(" ")[1])
        if code != 101:
            length = int(headers.get("content-length", "0"))
            while len(rest) < length:
                rest += self.receive()
            self.unread(rest[length:])
            return Upgrade(code, headers, rest[:length])
        self.unread(rest)
        return Upgrade(code, headers)

    def next_frame(self) -> Frame:
        """The next frame.

        :raises ConnectionError: if the connection ends before it.
        """
        found = self.maybe_next_frame()
        if found is None:
            raise ConnectionAbortedError("the end of the connection")
        return found

    def maybe_next_frame(self) -> Frame | None:
        """The next frame, or None at the end of the connection."""
        try:
            first, second = self._take(2)
        except EOFError:
            return None
        length = second & 0x7F
        if length > 125:
            size = 2 if length == 126 else 8
            length = int.from_bytes(self._take(size), "big")
            assert length > (125 if size == 2 else 0xFFFF), "a length of too many bytes"
        found = Frame(
            opcode=first & 0xF,
            is_last=bool(first & 0x80),
            reserved=(first >> 4) & 7,
            is_masked=bool(second & 0x80),
            payload=self._take(length),
        )
        assert not found.is_masked, found
        if found.opcode >= Opcode.CLOSE:
            assert found.is_last, found
            assert len(found.payload) <= 125, found
            assert not found.reserved, found
        return found

    def next_text(self) -> str:
        found = self.next_frame()
        assert found.opcode == Opcode.TEXT, found
        return found.payload.decode()

    def frames_to_end(self) -> list[Frame]:
        """All that comes until the server closes the connection."""
        found: list[Frame] = []
        while (one := self.maybe_next_frame()) is not None:
            assert not found or found[-1].opcode != Opcode.CLOSE, "behind a close frame"
            found.append(one)
        return found

    def frames_until_pong(self, payload: bytes = b"?") -> list[Frame]:
        """Send a ping, and read up to its pong or the end of the connection.

        A close frame that comes meanwhile is answered, as a client has to.
        """
        self.send_if_taken(frame(Opcode.PING, payload))
        found: list[Frame] = []
        while (one := self.maybe_next_frame()) is not None:
            if one == Frame(Opcode.PONG, payload):
                return found
            found.append(one)
            if one.opcode == Opcode.CLOSE:
                self.send_if_taken(frame(Opcode.CLOSE, one.payload[:2]))
        return found

    def say_goodbye(self, code: int = 1000) -> list[Frame]:
        """Close as a well-behaved client does, and read to the end."""
        return self.send(close_frame(code)).frames_to_end()

    def _take(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            data = self.receive()
            if not data:
                raise EOFError(f"the end, after {bytes(parts)!r} of {size} bytes")
            parts += data
        self.unread(bytes(parts[size:]))
        return bytes(parts[:size])
