"""Functions of escape, httputil and util, called inside a handler."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from tornado import escape, httputil, util, web
from tornado.escape import json_decode, json_encode, linkify, url_escape, xhtml_escape

from tests.porting.raw import get

ADDRESSES = (
    "http://example.test",
    "https://example.test/a(b)c, and www.example.test.",
    "<b>http://x.test/?a=b&c=d#e</b>",
    "mailto:a@b.test ftp://x.test irc:x",
    "http://example.test/" + "a" * 60 + "/b",
    "no address.here",
    "javascript:alert(1) http:x http:/x http://",
    'http://x.test/"onclick="y',
)

#: For calls and names that the types do not know.
untyped: Any = httputil
NUMBER: Any = 5

CALLS: dict[str, Callable[[], Any]] = {
    # escape
    "xhtml_escape": lambda: xhtml_escape("<a href=\"x\">&amp; 'é'</a>"),
    "xhtml_escape_bytes": lambda: xhtml_escape(b"<\xc3\xa9>"),
    "xhtml_unescape": lambda: escape.xhtml_unescape(
        "&lt;&amp;&gt;&quot;&#39;&#x41;&eacute;&nbsp;&nothing;&#0;&#xD800;&#99999999;&"
    ),
    "json_encode": lambda: json_encode({"a": ["</b>", "é", None, True, 1.5]}),
    "json_encode_bytes": lambda: json_encode(b"x"),
    "json_decode": lambda: json_decode(b' {"a": "\\u00e9", "b": [1]} '),
    "json_decode_bad": lambda: json_decode("{"),
    "json_decode_bad_utf8": lambda: json_decode(b'"\xff"'),
    "squeeze": lambda: escape.squeeze("  a \n\t b\x00\x1fc  "),
    "url_escape": lambda: (url_escape("a b/é?&+~"), url_escape("a b/é", plus=False)),
    "url_escape_bytes": lambda: url_escape(b"\xff "),
    "url_unescape": lambda: (
        escape.url_unescape("a+b%20%C3%A9%zz%"),
        escape.url_unescape("a+b%2B", plus=False),
        escape.url_unescape("%ff+", encoding=None),
        escape.url_unescape("%E9", encoding="latin-1"),
    ),
    "url_unescape_bad_utf8": lambda: escape.url_unescape("%ff"),
    "parse_qs_bytes": lambda: (
        escape.parse_qs_bytes("a=1&a=%ff&b=&c"),
        escape.parse_qs_bytes(b"a=1&b=&c", keep_blank_values=True),
        escape.parse_qs_bytes("a=1;b=2"),
    ),
    "parse_qs_bytes_strict": lambda: escape.parse_qs_bytes("a", strict_parsing=True),
    "utf8": lambda: (escape.utf8("é"), escape.utf8(b"\xff"), escape.utf8(None)),
    "utf8_number": lambda: escape.utf8(NUMBER),
    "to_unicode": lambda: (
        escape.to_unicode(b"\xc3\xa9"),
        escape.to_unicode("é"),
        escape.to_unicode(None),
    ),
    "to_unicode_bad_utf8": lambda: escape.to_unicode(b"\xff"),
    "native_str": lambda: (escape.native_str(b"a"), escape.to_basestring("b")),
    "recursive_unicode": lambda: escape.recursive_unicode(
        {b"a": [b"b", (b"c", 1, None)], "d": {b"e": b"f"}}
    ),
    "linkify": lambda: [linkify(text) for text in ADDRESSES],
    "linkify_with_options": lambda: [
        linkify(ADDRESSES[1], shorten=True),
        linkify(ADDRESSES[4], shorten=True),
        linkify(ADDRESSES[1], extra_params='rel="nofollow" class="external"'),
        linkify(ADDRESSES[0], extra_params=lambda href: f'data-x="{href}"'),
        linkify(ADDRESSES[1], require_protocol=True),
        linkify(ADDRESSES[3], permitted_protocols=["ftp", "mailto"]),
    ],
    # httputil
    "url_concat": lambda: [
        httputil.url_concat("/a", {"c": "d"}),
        httputil.url_concat("/a?b=c", [("c", "d e"), ("c", "é")]),
        httputil.url_concat("/a?b=c#f", (("c", "&"),)),
        httputil.url_concat("http://x.test/a?b", {}),
        httputil.url_concat("/a", None),
        httputil.url_concat("/a?b=%20c+d&e", {"f": "g"}),
    ],
    "url_concat_text": lambda: untyped.url_concat("/a", "b=c"),
    "headers": lambda: _headers(),
    "headers_of_pairs": lambda: (
        dict(httputil.HTTPHeaders({"content-type": "a", "X-b": "c"})),
        dict(untyped.HTTPHeaders([("a-b", "1")])),
        dict(httputil.HTTPHeaders(a="1")),
    ),
    "headers_parsed": lambda: list(
        httputil.HTTPHeaders.parse(
            "Content-Type: text/html\r\nx-a:  1 \r\nX-A: 2\r\n  more\r\n"
        ).get_all()
    ),
    "headers_bad_line": lambda: httputil.HTTPHeaders.parse("nonsense\r\n"),
    "headers_bad_value": lambda: httputil.HTTPHeaders().add("a", "b\nc"),
    "headers_bad_name": lambda: httputil.HTTPHeaders().add("a b", "c"),
    "format_timestamp": lambda: [
        httputil.format_timestamp(moment)
        for moment in (
            0,
            1359312200.5,
            (2020, 1, 2, 3, 4, 5, 3, 2, 0),
            datetime.datetime(2020, 1, 2, 3, 4, 5),
            datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
        )
    ],
    "format_timestamp_text": lambda: untyped.format_timestamp("now"),
    "request_start_line": lambda: httputil.parse_request_start_line("GET /a HTTP/1.1"),
    "request_start_line_bad": lambda: httputil.parse_request_start_line("GET /a"),
    "request_start_line_http_2": lambda: httputil.parse_request_start_line(
        "GET / HTTP/2.0"
    ),
    "response_start_line": lambda: tuple(
        httputil.parse_response_start_line("HTTP/1.1 404 Not Found")
    ),
    "response_start_line_bad": lambda: httputil.parse_response_start_line("HTTP 200"),
    "parse_cookie": lambda: httputil.parse_cookie('a=1; b="2\\0733"; c; =d; a=5'),
    "split_host_and_port": lambda: [
        httputil.split_host_and_port(text)
        for text in ("a.test", "a.test:80", "[::1]:80", "[::1]", "a:b", "a:")
    ],
    "qs_to_qsl": lambda: list(httputil.qs_to_qsl({"a": ["1", "2"], "b": ["3"]})),
    "encode_username_password": lambda: httputil.encode_username_password("é", b"\xff"),
    "responses": lambda: [untyped.responses[n] for n in (200, 304, 404, 418, 500)],
    "http_file": lambda: _http_file(),
    "parse_body_arguments": lambda: _parsed_body(
        "application/x-www-form-urlencoded", b"a=1&a=2&b="
    ),
    "parse_body_arguments_of_json": lambda: _parsed_body("application/json", b"{}"),
    "parse_multipart": lambda: _parsed_body(
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n',
    ),
    "parse_multipart_bad": lambda: _parsed_body(
        "multipart/form-data; boundary=x", b"nonsense"
    ),
    # util
    "object_dict": lambda: (util.ObjectDict(a=1).a, hasattr(util.ObjectDict(), "b")),
    "import_object": lambda: (
        util.import_object("os.path") is __import__("os").path,
        util.import_object("os.path.join") is __import__("os").path.join,
    ),
    "import_object_bad": lambda: util.import_object("os.nothing"),
    "unicode_type": lambda: (util.unicode_type, util.bytes_type),
    "re_unescape": lambda: util.re_unescape(r"a\.b\-c"),
    "re_unescape_bad": lambda: util.re_unescape(r"\d"),
    "timedelta_to_seconds": lambda: util.timedelta_to_seconds(
        datetime.timedelta(days=1, milliseconds=500)
    ),
}


def _headers() -> list[Any]:
    headers = httputil.HTTPHeaders({"a-b": "1"})
    headers.add("A-B", "2")
    headers["x-y"] = "3"
    seen: list[Any] = [headers["A-b"], headers.get_list("a-B"), list(headers)]
    seen.append(sorted(headers.get_all()))
    copied = headers.copy()
    del headers["A-B"]
    return [*seen, len(headers), "a-b" in headers, "a-b" in copied, str(headers)]


def _http_file() -> list[Any]:
    file = httputil.HTTPFile(filename="a", body=b"b", content_type="c")
    return [file.filename, file["body"], file.content_type, sorted(file)]


def _parsed_body(content_type: str, body: bytes) -> list[Any]:
    arguments: dict[str, list[bytes]] = {}
    files: dict[str, list[httputil.HTTPFile]] = {}
    httputil.parse_body_arguments(content_type, body, arguments, files)
    return [arguments, files]


class Call(web.RequestHandler):
    def get(self, name: str) -> None:
        try:
            result = CALLS[name]()
        except Exception as error:
            kinds = [kind.__name__ for kind in type(error).__mro__]
            result = "raised", kinds
        if isinstance(result, list):
            for line in result:
                self.write(f"{line!r}\n")
        else:
            self.write(repr(result))


def make_app() -> web.Application:
    return web.Application([(r"/(.*)", Call)])


REQUESTS = {name: get(f"/{name}") for name in CALLS}
