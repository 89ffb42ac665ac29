"""The same bytes sent to Tornado and to ours: what comes back, what handlers see."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from tests.websocket.echoes import Echoes, serving, serving_tornado
from tests.websocket.frames import (
    DEFLATE,
    Frame,
    FrameClient,
    Opcode,
    close_frame,
    deflated,
    frame,
    handshake,
)
from tests.websocket.test_frames_wrong import BROKEN, BROKEN_DEFLATE

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION
PING, PONG, CLOSE = Opcode.PING, Opcode.PONG, Opcode.CLOSE

_LAST_PING = frame(PING, b"?")


@pytest.fixture(scope="module")
def ours() -> Iterator[Echoes]:
    with serving() as site:
        yield site


@pytest.fixture(scope="module")
def theirs() -> Iterator[Echoes]:
    with serving_tornado() as site:
        yield site


class Outcome:
    """What came of some frames.

    :ivar frames: without the pong to the last ping; inflated.
    :ivar seen: by the handler, without that ping.
    :ivar lives: whether the connection had not ended before the client said goodbye.
    """

    def __init__(self, site: Echoes, data: bytes, *lines: str, target: str) -> None:
        inflater = zlib.decompressobj(-15)
        self.frames = []
        self.lives = False
        with site.connect(*lines, target=target) as client:
            # In one packet: unread bytes would make a reset of the end.
            client.send(data + _LAST_PING)
            while (found := client.maybe_next_frame()) is not None:
                if found == Frame(PONG, b"?"):
                    self.lives = True
                    client.send_if_taken(close_frame(1000))
                    continue
                if found.reserved:
                    tail = found.payload + b"\x00\x00\xff\xff"
                    found = Frame(found.opcode, inflater.decompress(tail))
                self.frames.append(found)
        seen = site.wait_for_end()
        self.seen = [what for what in seen if what != ("ping", b"?")]


ALIKE = {
    "text": frame(TEXT, "né".encode()),
    "bytes": frame(BINARY, b"\xff\x00"),
    "empty": frame(TEXT) + frame(BINARY),
    "fragments": frame(TEXT, b"a", is_last=False) + frame(CONTINUATION, b"b"),
    "fragments within a character": frame(TEXT, b"\xe2\x82", is_last=False)
    + frame(CONTINUATION, b"\xac"),
    "a ping between fragments": frame(TEXT, b"a", is_last=False)
    + frame(PING, b"p")
    + frame(CONTINUATION, b"b"),
    "pong": frame(PONG, b"p"),
    "longest ping": frame(PING, b"p" * 125),
    "as large as allowed": frame(BINARY, b"a" * 1000),
    "as large as allowed, in fragments": frame(BINARY, b"a" * 500, is_last=False)
    + frame(CONTINUATION, b"a" * 500),
    "several": frame(TEXT, b"1") + frame(BINARY, b"2") + frame(TEXT, b"3"),
    "ping of the handler": frame(TEXT, b"ping data"),
    "close": frame(CLOSE),
    "close with a code": close_frame(1001),
    "close with code and reason": close_frame(4000, "grüß".encode()),
    "messages and close": frame(TEXT, b"1") + frame(TEXT, b"2") + close_frame(1000),
    "close and messages": close_frame(1000) + frame(TEXT, b"1"),
    "close within a message": frame(TEXT, b"1", is_last=False) + close_frame(1000),
    "close of the handler": frame(TEXT, b"close 4000 bye") + close_frame(4001, b"ok"),
    "close of the handler and messages": frame(TEXT, b"close 4000")
    + frame(TEXT, b"close 4002")
    + close_frame(4001),
}

ALIKE_DEFLATE = {
    "compressed": frame(TEXT, deflated(b"a" * 100), reserved=4),
    "not compressed": frame(TEXT, b"a" * 100),
    "in fragments": frame(TEXT, deflated(b"abc")[:2], reserved=4, is_last=False)
    + frame(CONTINUATION, deflated(b"abc")[2:]),
    "as large as allowed": frame(BINARY, deflated(b"a" * 1000), reserved=4),
    "several": frame(TEXT, deflated(b"abc"), reserved=4) * 3,
    "final block": frame(TEXT, b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", reserved=4),
}


@pytest.mark.parametrize("data", ALIKE.values(), ids=list(ALIKE))
def test_frames_have_the_same_outcome(
    data: bytes, ours: Echoes, theirs: Echoes
) -> None:
    our, their = (Outcome(site, data, target="/") for site in (ours, theirs))
    assert vars(our) == vars(their)


@pytest.mark.parametrize(
    "data",
    [*ALIKE.values(), *ALIKE_DEFLATE.values()],
    ids=[*ALIKE, *(f"compression: {name}" for name in ALIKE_DEFLATE)],
)
def test_frames_with_compression_have_the_same_outcome(
    data: bytes, ours: Echoes, theirs: Echoes
) -> None:
    our, their = (
        Outcome(site, data, DEFLATE, target="/deflate") for site in (ours, theirs)
    )
    assert vars(our) == vars(their)


#: Where Tornado goes on with what RFC 6455 has an end fail.
TOLERATED = {
    "text that is not masked",
    "ping that is not masked",
    "continuation that is not masked",
    "two bytes for a small length",
    "eight bytes for a small length",
    "eight bytes for a middling length",
    "no UTF-8 in a fragment that goes on",
    "bomb in the first fragment",
    "reserved bit on a ping",
}

#: Where Tornado takes a close frame that is none, and answers with its code.
TAKEN_FOR_CLOSE = {
    "close that is not masked",
    "one byte of a code",
    "reserved bit on a close",
    *(name for name in BROKEN if name.startswith("code ")),
}

_EVERY_BROKEN = [
    *((name, data, code, (), "/") for name, (data, code) in BROKEN.items()),
    *(
        (name, data, code, (DEFLATE,), "/deflate")
        for name, (data, code) in BROKEN_DEFLATE.items()
    ),
]


@pytest.mark.parametrize(
    ("name", "data", "code", "lines", "target"),
    _EVERY_BROKEN,
    ids=[f"{target} {name}" for name, _, _, _, target in _EVERY_BROKEN],
)
def test_broken_frames_end_the_connection_of_both(
    name: str,
    data: bytes,
    code: int,
    lines: tuple[str, ...],
    target: str,
    ours: Echoes,
    theirs: Echoes,
) -> None:
    our, their = (Outcome(site, data, *lines, target=target) for site in (ours, theirs))
    # Ours says why, which Tornado does only for what is too large.
    assert [(one.opcode, one.code) for one in our.frames] == [(CLOSE, code)]
    assert our.seen == [("open",), ("close", None, None)]
    if name in TOLERATED:
        assert their.lives
        return
    assert not their.lives
    if name in TAKEN_FOR_CLOSE:
        assert [one.opcode for one in their.frames] == [CLOSE]
    elif code == 1009 or name == "length with the highest bit":
        assert [one.code for one in their.frames] == [1009]
        assert their.seen == our.seen
    elif name == "reason that is no UTF-8":
        assert their.seen[-1] == ("close", 1000, None)
    else:
        assert their.frames == []
        assert their.seen == our.seen


# The opening handshake.

HANDSHAKES = {
    "as it should be": handshake(),
    "other letters": handshake("Upgrade: WebSocket", "Connection: upgrade"),
    "Connection with more": handshake("Connection: keep-alive, Upgrade"),
    "no Upgrade": handshake(without=("Upgrade",)),
    "Upgrade to something else": handshake("Upgrade: h2c"),
    "no Connection": handshake(without=("Connection",)),
    "Connection without Upgrade": handshake("Connection: keep-alive"),
    "no key": handshake(without=("Sec-WebSocket-Key",)),
    "no version": handshake(without=("Sec-WebSocket-Version",)),
    "version of a draft": handshake("Sec-WebSocket-Version: 8"),
    "version that is no number": handshake("Sec-WebSocket-Version: x"),
    "origin of this site": handshake("Origin: http://127.0.0.1"),
    "origin of this site, by TLS": handshake("Origin: https://127.0.0.1"),
    "origin of another site": handshake("Origin: http://example.com"),
    "origin of another port": handshake("Origin: http://127.0.0.1:8080"),
    "origin null": handshake("Origin: null"),
    "subprotocol": handshake("Sec-WebSocket-Protocol: first, second"),
    "subprotocol in a list without spaces": handshake(
        "Sec-WebSocket-Protocol: first,second"
    ),
    "subprotocol that is not chosen": handshake("Sec-WebSocket-Protocol: first"),
    "compression": handshake(DEFLATE, target="/deflate"),
    "compression with a window of the client's choice": handshake(
        f"{DEFLATE}; client_max_window_bits=10", target="/deflate"
    ),
    "compression with a window of the server's": handshake(
        f"{DEFLATE}; server_max_window_bits=10", target="/deflate"
    ),
    "compression with a window of any size": handshake(
        f"{DEFLATE}; client_max_window_bits", target="/deflate"
    ),
    "compression behind something unknown": handshake(
        "Sec-WebSocket-Extensions: x-foo, permessage-deflate", target="/deflate"
    ),
    "only something unknown": handshake(
        "Sec-WebSocket-Extensions: x-foo", target="/deflate"
    ),
    "compression that the handler does not want": handshake(DEFLATE),
    "a page that is not there": handshake(target="/nowhere"),
}

#: Handshakes of which Tornado makes something else, and what that is.
OTHERWISE = {
    # It echoes what it was asked for, and forgets what it agreed to (RFC 7692 7.1.1).
    "server forgets": (
        handshake(f"{DEFLATE}; server_no_context_takeover", target="/deflate"),
        (101, "permessage-deflate; server_no_context_takeover"),
        (101, "permessage-deflate"),
    ),
    # RFC 7692 section 7.1: such an offer is declined.
    "unknown parameter": (
        handshake(f"{DEFLATE}; foo", target="/deflate"),
        (101, None),
        (101, "permessage-deflate"),
    ),
    "window too small": (
        handshake(f"{DEFLATE}; server_max_window_bits=7", target="/deflate"),
        (101, None),
        (500, None),
    ),
    # RFC 6455 section 4.2.1: 16 bytes in base64.
    "key that is none": (
        handshake("Sec-WebSocket-Key: x"),
        (400, None),
        (101, None),
    ),
}

_COMPARED = (
    "upgrade",
    "connection",
    "sec-websocket-accept",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "sec-websocket-version",
)


def answer_to(site: Echoes, request: bytes) -> tuple[int, dict[str, str], bytes]:
    with FrameClient(site.port) as client:
        upgrade = client.send(request).read_upgrade()
    if upgrade.status_code == 101:
        site.wait_for_end()
    headers = {k: v for k, v in upgrade.headers.items() if k in _COMPARED}
    if upgrade.status_code != 101:
        headers.pop("connection", None)
    return upgrade.status_code, headers, upgrade.body


@pytest.mark.parametrize("request_", HANDSHAKES.values(), ids=list(HANDSHAKES))
def test_handshakes_have_the_same_answer(
    request_: bytes, ours: Echoes, theirs: Echoes
) -> None:
    assert answer_to(ours, request_) == answer_to(theirs, request_)


@pytest.mark.parametrize(
    ("request_", "our", "their"), OTHERWISE.values(), ids=list(OTHERWISE)
)
def test_handshakes_are_answered_as_the_standards_say(
    request_: bytes,
    our: tuple[int, str | None],
    their: tuple[int, str | None],
    ours: Echoes,
    theirs: Echoes,
) -> None:
    for site, expected in ((ours, our), (theirs, their)):
        code, headers, _ = answer_to(site, request_)
        assert (code, headers.get("sec-websocket-extensions")) == expected
