"""Bad input to real servers: a 4xx, one log line at most, no harm to the next."""

from __future__ import annotations

import pytest

from tests.live.servers import KEPT, LOOP_SERVERS, LiveServer

pytestmark = pytest.mark.live

PROGRAM = "bodies"

FORM = b"Content-Type: application/x-www-form-urlencoded"
MULTIPART = b"Content-Type: multipart/form-data; boundary=b"
HOST = b"Host: localhost"


def get(target: bytes, *headers: bytes, host: bytes = HOST) -> bytes:
    return b"\r\n".join([b"GET %b HTTP/1.1" % target, host, *headers, b"", b""])


def post(body: bytes, *headers: bytes, target: bytes = b"/form") -> bytes:
    lines = [b"POST %b HTTP/1.1" % target, HOST, *headers, b"", body]
    return b"\r\n".join(lines)


def form(body: bytes, length: bytes | None = None) -> bytes:
    """A form that may lie about its length."""
    if length is None:
        length = b"%d" % len(body)
    return post(body, FORM, b"Content-Length: " + length)


def files(body: bytes, content_type: bytes = MULTIPART) -> bytes:
    length = b"Content-Length: %d" % len(body)
    return post(body, content_type, length, target=b"/upload")


PART = b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\nx\r\n'

#: What every server hands over, so that it is ours to refuse.
OURS = {
    "path is not UTF-8": get(b"/name/%ff"),
    "query is not UTF-8": get(b"/name/x?q=%ff"),
    "form is not UTF-8": form(b"text=%ff"),
    "multipart without boundary": files(b"x", b"Content-Type: multipart/form-data"),
    "multipart is something else": files(b"nonsense"),
    "multipart has no end": files(PART),
    "header of a part is broken": files(b"--b\r\nnonsense\r\n\r\nx\r\n--b--\r\n"),
    "too many parts": files(PART * 101 + b"--b--\r\n"),
    "too many form fields": form(b"&".join([b"text=1"] * 1001)),
    "too many query fields": get(b"/name/x?" + b"&".join([b"q"] * 1001)),
    "host with a space": get(b"/name/x", host=b"Host: a b"),
    "host with an open bracket": get(b"/name/x", host=b"Host: ["),
    "host with a path": get(b"/name/x", host=b"Host: a/b"),
    "host with a user": get(b"/name/x", host=b"Host: a@b"),
    "host with no port": get(b"/name/x", host=b"Host: a:b"),
    "host is not ASCII": get(b"/name/x", host=b"Host: \xff"),
}

#: What some servers refuse themselves, or drop with the connection.
REFUSED = {
    "path of raw bytes": get(b"/name/\xff"),
    "query of raw bytes": get(b"/name/x?q=\xff"),
    "form shorter than it says": form(b"text=12345", b"20"),
    "upload shorter than it says": post(
        b"12345", b"Content-Length: 20", target=b"/upload"
    ),
    "length is a word": form(b"text=1", b"abc"),
    "length is negative": form(b"text=1", b"-1"),
    "length with a sign": form(b"text=1", b"+6"),
    "length with an underscore": form(b"text=1", b"0_6"),
    "length in other digits": form(b"text=1", "\uff16".encode()),
    "length is a list": form(b"text=1", b"6, 6"),
    "length of 30 digits": form(b"text=1", b"9" * 30),
    "length of 5000 digits": form(b"text=1", b"9" * 5000),
    "chunk without a size": post(b"zz\r\n", FORM, b"Transfer-Encoding: chunked"),
    "chunk shorter than it says": post(b"5\r\nab", FORM, b"Transfer-Encoding: chunked"),
    "unknown transfer coding": post(b"x", FORM, b"Transfer-Encoding: rot13"),
    "host with a control character": get(b"/name/x", host=b"Host: a\x01"),
    "two hosts": get(b"/name/x", b"Host: another"),
    "method with a control character": b"G\x01T / HTTP/1.1\r\n%b\r\n\r\n" % HOST,
    "unknown method": b"FOO /name/x HTTP/1.1\r\n%b\r\n\r\n" % HOST,
    "no request at all": b"\x00\x01\x02\x03\r\n\r\n",
    "target is no path": get(b"nowhere"),
    "target with a broken host": get(b"http://[/x"),
    "line of 300,000 bytes": get(b"/" + b"a" * 300_000),
    "header of 300,000 bytes": get(b"/name/x", b"X-A: " + b"a" * 300_000),
}

#: What some servers refuse and others clean or ignore.
SURVIVED = {
    "raw zero in the path": get(b"/name/\x00"),
    "encoded zero in the path": get(b"/name/%00%0d%0a%1b"),
    "control characters in the query": get(b"/name/x?q=\x01\x7f"),
    "encoded control characters in the query": get(b"/name/x?q=%00%0a%1b[2J"),
    "control characters in the form": form(b"text=%00%0a%1b[2J"),
    "control character in a header": get(b"/name/x", b"X-A: a\x01\x00b"),
    "control character in a header name": get(b"/name/x", b"X\x01A: b"),
    "bare CR in a header": get(b"/name/x", b"X-A: a\rHost: b"),
    "control character in a cookie": get(b"/cookie", b"Cookie: a=\x01; b=good"),
    "cookie is not UTF-8": get(b"/cookie", b"Cookie: a=\xff; b=good"),
    "escapes in a cookie": get(b"/cookie", rb'Cookie: a="\377\000\015"; b=good'),
    "name in the query is not UTF-8": get(b"/name/x?%ff=1"),
    "form longer than it says": form(b"text=12345", b"6"),
    "no host": b"GET /name/x HTTP/1.1\r\n\r\n",
    "empty host": get(b"/name/x", host=b"Host:"),
    "two lengths": post(b"text=1", FORM, b"Content-Length: 6", b"Content-Length: 7"),
    "empty length": form(b"text=1", b""),
    "folded header": get(b"/name/x", b"X-A: a\r\n b"),
    "line that is no header": get(b"/name/x", b"nonsense"),
    "300 headers": get(b"/name/x", *[b"X-%d: a" % number for number in range(300)]),
    "unknown version": b"GET /name/x HTTP/2.7\r\n%b\r\n\r\n" % HOST,
}


def exchange(server: LiveServer, request: bytes) -> bytes:
    """Send it all and end; give the first line of what comes back, if anything."""
    with server.connect() as client:
        try:
            client.send_if_taken(request).end_input()
            answer = client.read_to_end()
        except (ConnectionResetError, OSError):
            return b""  # refused without a word
    return answer.partition(b"\r\n")[0]


def check_aftermath(server: LiveServer, start: int) -> list[str]:
    """The next request is answered; give our lines about the one before it."""
    with server.connect() as client:
        assert client.request("/name/next").status_code == 200
    server.wait_for_line("200 GET /name/next", start)
    assert server.tracebacks(start) == []
    ours = [line for line in server.lines[start:] if "wsgitornado.general" in line]
    assert all(line.rstrip("\n").isprintable() for line in ours)
    return ours


@pytest.mark.parametrize("name", OURS)
def test_bad_request_is_a_400_with_one_line(server: LiveServer, name: str) -> None:
    start = len(server.lines)
    line = exchange(server, OURS[name])
    assert line.split(b" ")[1:] == [b"400", b"Bad", b"Request"]
    (logged,) = check_aftermath(server, start)
    # Our own server refuses a Host that is none before a handler is asked.
    is_refused_early = server.kind in LOOP_SERVERS and "invalid Host" in logged
    assert ":400 " in logged or is_refused_early


def is_refusal(line: bytes) -> bool:
    """A 4xx, 501 for a coding, 505 for a version, a page without head, or nothing."""
    status = line[9:12]
    is_status = status.startswith(b"4") or status in (b"501", b"505")
    return line == b"" or not line.startswith(b"HTTP/") or is_status


@pytest.mark.parametrize("name", REFUSED)
def test_bad_request_is_refused_by_the_server_or_us(
    server: LiveServer, name: str
) -> None:
    start = len(server.lines)
    line = exchange(server, REFUSED[name])
    assert is_refusal(line), line
    assert len(check_aftermath(server, start)) <= 1


@pytest.mark.parametrize("name", SURVIVED)
def test_odd_request_is_refused_or_answered(server: LiveServer, name: str) -> None:
    start = len(server.lines)
    line = exchange(server, SURVIVED[name])
    assert is_refusal(line) or line[9:12] == b"200", line
    assert len(check_aftermath(server, start)) <= 1


def test_broken_cookie_does_not_spoil_the_others(server: LiveServer) -> None:
    with server.connect() as client:
        client.send(get(b"/cookie", b'Cookie: a="\xff; b=good; =; c'))
        answer = client.read_answer()
    assert answer.status_code == 200
    assert answer.text.endswith("<good>")


@pytest.mark.parametrize("server", KEPT, indirect=True)
def test_what_exceeds_the_declared_length_is_a_request_of_its_own(
    server: LiveServer,
) -> None:
    with server.connect() as client:
        client.send(form(b"text=12345", b"6"))
        assert client.read_answer().text == "1"
        client.send(b"\r\n\r\n")
        assert client.read_answer().status_code == 400
