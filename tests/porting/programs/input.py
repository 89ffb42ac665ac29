"""Arguments of queries, forms and multipart forms, and how they become text."""

from __future__ import annotations

from typing import Any

from tornado import web

from tests.porting.raw import form, get, multipart, part, post, request


class Everything(web.RequestHandler):
    """All that came, a line for each name."""

    def get(self) -> None:
        for name in self.request.arguments:
            values = self.get_arguments(name)
            raw = self.request.arguments[name]
            self.write(f"{name!r} {values!r} {self.get_argument(name)!r} {raw!r}\n")

    post = put = patch = delete = get


class Sources(web.RequestHandler):
    """One argument, asked for in every way that cannot fail."""

    def get(self) -> None:
        for ask in (
            self.get_argument,
            self.get_query_argument,
            self.get_body_argument,
        ):
            self.write(f"{ask('a', None)!r} {ask('a', 'default', strip=False)!r}\n")
        for ask_all in (
            self.get_arguments,
            self.get_query_arguments,
            self.get_body_arguments,
        ):
            self.write(f"{ask_all('a')!r} {ask_all('a', strip=False)!r}\n")
        self.write(f"{self.request.query_arguments}\n{self.request.body_arguments}\n")

    post = get


class Required(web.RequestHandler):
    def get(self, source: str) -> None:
        self.write(getattr(self, f"get_{source}argument")("a"))

    post = get


class CaughtMissing(web.RequestHandler):
    def get(self) -> None:
        try:
            self.get_argument("näme")
        except web.MissingArgumentError as error:
            self.write(f"{error} {error.arg_name} {error.status_code} {error.args}")


class Misused(web.RequestHandler):
    def get(self) -> None:
        strip: Any = "b"
        self.get_arguments("a", strip)


class Latin1(web.RequestHandler):
    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        return f"{name}:{value.decode('latin-1')}"

    def get(self, group: str, *, named: str = "") -> None:
        self.write(f"{group} {self.get_argument('a', '')}")


class Files(web.RequestHandler):
    def post(self) -> None:
        for name, values in sorted(self.request.body_arguments.items()):
            self.write(f"field {name!r} {len(values)} {values[:2]!r}\n")
        for name, files in sorted(self.request.files.items()):
            for f in files:
                described = (f.filename, f.content_type, f.body, f["body"] == f.body)
                self.write(f"file {name!r} {described!r}\n")


class Body(web.RequestHandler):
    def post(self) -> None:
        self.write(repr((self.request.body, self.request.arguments)))


def make_app() -> web.Application:
    rules: list[Any] = [
        (r"/", Everything),
        (r"/sources", Sources),
        (r"/required/(.*)", Required),
        (r"/caught", CaughtMissing),
        (r"/misused", Misused),
        (r"/latin1/(.*)", Latin1),
        (r"/files", Files),
        (r"/body", Body),
    ]
    return web.Application(rules)


QUERIES = {
    "none": "",
    "one": "a=1",
    "two": "a=1&b=2",
    "repeated": "a=1&b=x&a=2&a=3",
    "plus": "a=1+2+3&b+c=d",
    "percent": "a=%31%2B%26%3D%25",
    "utf8": "caf%C3%A9=%E2%82%AC%20%F0%9F%98%80",
    "empty_value": "a=&b=1",
    "no_equals": "a&b=1",
    "only_equals": "=",
    "no_name": "=x",
    "many_ampersands": "&&a=1&&&b=2&",
    "semicolon": "a=1;b=2",
    "equals_in_value": "a=b=c==",
    "question_mark": "a=?&b=c?d=e",
    "brackets": "a[]=1&a%5B%5D=2",
    "quoted_twice": "a=%2541%2520",
    "bad_escape": "a=%zz%4&b=%",
    "lower_and_upper_case": "a=1&A=2",
    "escapes_in_lower_case": "a=%c3%a9%2f",
    "bad_utf8": "a=%ff%fe",
    "bad_utf8_beside_a_good_one": "a=%ff&a=x",
    "bad_utf8_in_name": "%ff=1",
    "surrogate": "a=%ED%A0%80",
    "overlong": "a=%C0%AF",
    "nul": "a=x%00y",
    "c0_controls": "a=" + "".join(f"%{code:02x}." for code in range(0x20)),
    "delete_and_c1": "a=%7f.%c2%80.%c2%85.%c2%9f",
    "line_separators": "a=x%E2%80%A8y%E2%80%A9",
    "white_space": "a=%20%09x%0d%0ay%20%0b%0c&b=+",
    "other_white_space": "a=%C2%A0x%E3%80%80&b=%E2%80%83",
    "controls_at_the_ends": "a=%01x%02&b=%1c%1dx%1e%1f",
    "control_in_name": "a%01b=1",
    "byte_order_mark": "a=%EF%BB%BFx",
    "prefix_of_json": 'a={"b":[1]}',
}

FIELD = 'form-data; name="a"'
FILE = 'form-data; name="f"; filename="x.txt"'

MULTIPARTS = {
    "field": [part(FIELD, b"1")],
    "two_fields": [part(FIELD, b"1"), part(FIELD, b"2")],
    "file": [part(FILE, b"content\n", "Content-Type: text/plain")],
    "file_and_field": [part(FILE, b"x"), part(FIELD, b" y ")],
    "two_files": [part(FILE, b"1"), part(FILE, b"2", "Content-Type: image/png")],
    "empty_file": [part(FILE, b"")],
    "any_bytes": [part(FILE, bytes(range(256)))],
    "line_ends_around": [part(FILE, b"\r\n\r\nx\r\n\r\n")],
    "like_the_delimiter": [part(FILE, b"--b0undar\r\n--b0undarx\r\n--\r\nb0undary--")],
    "delimiter_in_a_line": [part(FILE, b"x --b0undary y")],
    "field_is_not_utf8": [part(FIELD, b"\xff")],
    "field_with_controls": [part(FIELD, b"\x00x\x1f")],
    "no_name": [part("form-data", b"1")],
    "empty_name": [part('form-data; name=""', b"1")],
    "no_disposition": [b"Content-Type: text/plain\r\n\r\n1"],
    "attachment": [part('attachment; name="a"', b"1")],
    "upper_case": [part('FORM-DATA; NAME="a"', b"1")],
    "name_without_quotes": [part("form-data; name=a", b"1")],
    "quotes_in_name": [part(r'form-data; name="a\"b"', b"1")],
    "percent_in_name": [part('form-data; name="a%22b"', b"1")],
    "semicolon_in_name": [part('form-data; name="a;b"', b"1")],
    "utf8_in_name": [part('form-data; name="é"', b"1")],
    "empty_filename": [part('form-data; name="f"; filename=""', b"1")],
    "utf8_filename": [part('form-data; name="f"; filename="é€.txt"', b"1")],
    "path_in_filename": [part('form-data; name="f"; filename="../a/b"', b"1")],
    "backslash_in_filename": [part(r'form-data; name="f"; filename="C:\x"', b"1")],
    "quotes_in_filename": [part(r'form-data; name="f"; filename="a\"b"', b"1")],
    "filename_of_rfc_5987": [
        part("form-data; name=f; filename*=UTF-8''%e2%82%ac", b"1")
    ],
    "both_filenames": [
        part("form-data; name=f; filename=\"x\"; filename*=UTF-8''%e2%82%ac", b"1")
    ],
    "own_headers": [part(FIELD, b"1", "X-Own: y", "Content-Length: 1")],
    "charset_of_a_field": [part(FIELD, b"\xe9", "Content-Type: text/plain")],
    "a_hundred_parts": [part(FIELD, b"x")] * 100,
    "a_hundred_and_one_parts": [part(FIELD, b"x")] * 101,
    "folded_header": [
        b'Content-Disposition: form-data;\r\n name="a"\r\n\r\n1',
    ],
    "lines_without_cr": [b'Content-Disposition: form-data; name="a"\n\n1'],
    "no_blank_line": [b'Content-Disposition: form-data; name="a"'],
    "header_without_colon": [part(FIELD, b"1", "nonsense")],
}

URLENCODED = "Content-Type: application/x-www-form-urlencoded"

REQUESTS = {
    **{f"query_{name}": get(f"/?{query}") for name, query in QUERIES.items()},
    **{
        f"form_{name}": form("/", query)
        for name, query in QUERIES.items()
        if name not in ("one", "two", "question_mark", "escapes_in_lower_case")
    },
    "no_question_mark": get("/"),
    "sources_nowhere": get("/sources"),
    "sources_in_the_query": get("/sources?a=+x+&a=+y+"),
    "sources_in_the_body": form("/sources", "a=+x+&a=+y+"),
    "sources_in_both": form("/sources?a=q&b=q", "a=f&c=f"),
    "required": get("/required/?a=x"),
    "required_is_empty": get("/required/?a="),
    "required_is_missing": get("/required/"),
    "required_in_the_query": form("/required/query_?b=1", "a=x"),
    "required_in_the_body": form("/required/body_?a=1", "b=x"),
    "required_is_bad_utf8": get("/required/?a=%ff"),
    "missing_is_caught": get("/caught"),
    "strip_is_text": get("/misused?a=1"),
    "own_decoding": get("/latin1/%e9%20?a=%e9"),
    "form_by_put": form("/", "a=1", "PUT"),
    "form_by_patch": form("/", "a=1", "PATCH"),
    "form_by_delete": form("/", "a=1", "DELETE"),
    "form_by_get": form("/", "a=1", "GET"),
    "form_with_charset": post("/", b"a=%c3%a9", f"{URLENCODED}; charset=utf-8"),
    "form_with_other_charset": post("/", b"a=%e9", f"{URLENCODED}; charset=latin-1"),
    "form_type_in_upper_case": post("/", b"a=1", URLENCODED.upper()),
    "form_type_is_longer": post("/", b"a=1", f"{URLENCODED}ish"),
    "form_ends_with_a_line": post("/", b"a=1\r\n", URLENCODED),
    "form_with_unknown_coding": post(
        "/", b"a=1", URLENCODED, "Content-Encoding: rot13"
    ),
    "form_without_type": post("/", b"a=1"),
    "form_of_1000_fields": form("/body", "&".join(["a=1"] * 1000)),
    "form_of_1001_fields": form("/body", "&".join(["a=1"] * 1001)),
    "body_is_json": post("/body", b'{"a": 1}', "Content-Type: application/json"),
    "body_is_text": post("/body", b"a=1", "Content-Type: text/plain"),
    "body_is_any_bytes": post("/body", bytes(range(256))),
    "body_is_empty": post("/body", b""),
    "body_is_absent": request("POST", "/body"),
    "body_in_chunks": request("POST", "/body", "Transfer-Encoding: chunked")
    + b"3\r\na=1\r\n5\r\n&b=22\r\n0\r\n\r\n",
    "form_in_chunks": request("POST", "/body", "Transfer-Encoding: chunked", URLENCODED)
    + b"3\r\na=1\r\n5\r\n&b=22\r\n0\r\n\r\n",
    **{
        f"multipart_{name}": multipart("/files", *parts)
        for name, parts in MULTIPARTS.items()
    },
    "multipart_with_query": multipart("/?a=q", *MULTIPARTS["field"]),
    "multipart_of_nothing": multipart("/files"),
    "multipart_is_empty": post(
        "/files", b"", "Content-Type: multipart/form-data; boundary=b0undary"
    ),
    "multipart_with_preamble": multipart("/files", part(FIELD, b"1"), before=b"x\r\n"),
    "multipart_with_epilogue": multipart("/files", part(FIELD, b"1"), end=b"--\r\nxyz"),
    "multipart_ends_without_line_end": multipart(
        "/files", part(FIELD, b"1"), end=b"--"
    ),
    "multipart_without_end": multipart("/files", part(FIELD, b"1"), end=b"\r\n"),
    "multipart_without_boundary": multipart(
        "/files", part(FIELD, b"1"), content_type="multipart/form-data"
    ),
    "multipart_with_empty_boundary": multipart(
        "/files", part(FIELD, b"1"), content_type="multipart/form-data; boundary="
    ),
    "multipart_with_quoted_boundary": multipart(
        "/files",
        part(FIELD, b"1"),
        content_type='multipart/form-data; boundary="b0undary"; charset=utf-8',
    ),
    "multipart_with_other_boundary": multipart(
        "/files", part(FIELD, b"1"), content_type="multipart/form-data; boundary=x"
    ),
    "multipart_in_upper_case": multipart(
        "/files",
        part(FIELD, b"1"),
        content_type="Multipart/Form-Data; Boundary=b0undary",
    ),
    "multipart_mixed": multipart(
        "/files", part(FIELD, b"1"), content_type="multipart/mixed; boundary=b0undary"
    ),
}
