"""What a handler sends: status, headers, bodies of every type, flush, lengths."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, NoReturn

from tornado import web

from tests.porting.raw import get, head, post, request


def fail(error: BaseException) -> NoReturn:
    raise error


class Text(str):
    __slots__ = ()


#: What the handler does with itself, by the last part of the path.
STEPS: dict[str, Callable[[Any], Any]] = {
    # write
    "nothing": lambda h: None,
    "write_str": lambda h: h.write("é€\U0001f600"),
    "write_bytes": lambda h: h.write(b"\x00\xff"),
    "write_empty": lambda h: h.write(""),
    "write_several": lambda h: (h.write("a"), h.write(b"b"), h.write("c")),
    "write_subclass_of_str": lambda h: h.write(Text("a")),
    "write_dict": lambda h: h.write({"a": [1, None, "é", "</script>", 1.5]}),
    "write_dict_with_own_type": lambda h: (
        h.write({"a": 1}),
        h.set_header("Content-Type", "application/vnd.api+json"),
    ),
    "write_dict_after_own_type": lambda h: (
        h.set_header("Content-Type", "text/x-own"),
        h.write({"a": 1}),
    ),
    "write_dict_of_numbers": lambda h: h.write({1: 2}),
    "write_dict_of_no_json": lambda h: h.write({"a": object()}),
    "write_nan": lambda h: h.write({"a": float("nan")}),
    "write_list": lambda h: h.write([1]),
    "write_number": lambda h: h.write(1),
    "write_none": lambda h: h.write(None),
    "write_bytearray": lambda h: h.write(bytearray(b"a")),
    "write_memoryview": lambda h: h.write(memoryview(b"a")),
    "write_surrogate": lambda h: h.write("\ud800"),
    # finish
    "finish": lambda h: h.finish(),
    "finish_str": lambda h: h.finish("é"),
    "finish_dict": lambda h: h.finish({"a": 1}),
    "finish_list": lambda h: h.finish([1]),
    "finish_none": lambda h: h.finish(None),
    "finish_twice": lambda h: (h.finish("a"), h.finish("b")),
    "write_after_finish": lambda h: (h.finish("a"), h.write("b")),
    "flush_after_finish": lambda h: (h.finish("a"), h.flush()),
    "fail_after_finish": lambda h: (h.finish("a"), fail(KeyError("late"))),
    "error_after_finish": lambda h: (h.finish("a"), fail(web.HTTPError(404, "late"))),
    "redirect_after_finish": lambda h: (h.finish("a"), h.redirect("/")),
    "send_error_after_finish": lambda h: (h.finish("a"), h.send_error(404)),
    "set_header_after_finish": lambda h: (h.finish("a"), h.set_header("X-A", "1")),
    # set_status
    "status_201": lambda h: h.set_status(201),
    "status_own_reason": lambda h: h.set_status(200, "Fine"),
    "status_unknown": lambda h: h.set_status(299),
    "status_unknown_with_reason": lambda h: h.set_status(444, "Gone Fishing"),
    "status_latin1_reason": lambda h: h.set_status(444, "caf\xe9"),
    "status_euro_in_reason": lambda h: h.set_status(444, "1 €"),
    "status_crlf_in_reason": lambda h: h.set_status(444, "a\r\nX-B: c"),
    "status_empty_reason": lambda h: h.set_status(200, ""),
    "status_markup_in_reason": lambda h: h.set_status(444, "<b>"),
    "status_text": lambda h: h.set_status("200"),
    "status_enum": lambda h: h.set_status(__import__("http").HTTPStatus.CREATED),
    "status_700": lambda h: h.set_status(700),
    "status_100": lambda h: h.set_status(100),
    "status_99": lambda h: h.set_status(99),
    "status_twice": lambda h: (h.set_status(404, "Own"), h.set_status(200)),
    "get_status": lambda h: (h.set_status(202), h.write(str(h.get_status()))),
    "status_404_with_body": lambda h: (h.set_status(404), h.write("not here")),
    # 204 and 304
    "status_204": lambda h: h.set_status(204),
    "status_204_with_body": lambda h: (h.set_status(204), h.write("a")),
    "status_204_with_headers": lambda h: (
        h.set_status(204),
        h.set_header("Content-Language", "en"),
        h.set_header("X-A", "1"),
    ),
    "status_204_with_length": lambda h: (
        h.set_status(204),
        h.set_header("Content-Length", "0"),
    ),
    "status_304": lambda h: (h.set_status(304), h.set_header("Content-Language", "x")),
    "status_304_with_body": lambda h: (h.set_status(304), h.write("a")),
    "status_304_with_etag": lambda h: (h.set_status(304), h.set_header("Etag", '"a"')),
    "status_204_flushed": lambda h: (h.set_status(204), h.flush()),
    "status_304_flushed": lambda h: (h.set_status(304), h.flush()),
    "status_205": lambda h: h.set_status(205),
    # headers
    "header_str": lambda h: h.set_header("X-A", "b c"),
    "header_bytes": lambda h: h.set_header("X-A", b"b"),
    "header_utf8_bytes": lambda h: h.set_header("X-A", "é".encode()),
    "header_latin1": lambda h: h.set_header("X-A", "é"),
    "header_int": lambda h: h.set_header("X-A", 5),
    "header_bool": lambda h: h.set_header("X-A", True),
    "header_naive_datetime": lambda h: h.set_header(
        "X-A", datetime.datetime(2020, 1, 2, 3, 4, 5)
    ),
    "header_aware_datetime": lambda h: h.set_header(
        "X-A",
        datetime.datetime(
            2020, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=5))
        ),
    ),
    "header_date": lambda h: h.set_header("X-A", datetime.date(2020, 1, 2)),
    "header_float": lambda h: h.set_header("X-A", 1.5),
    "header_none": lambda h: h.set_header("X-A", None),
    "header_list": lambda h: h.set_header("X-A", ["b"]),
    "header_euro": lambda h: h.set_header("X-A", "€"),
    "header_empty": lambda h: h.set_header("X-A", ""),
    "header_tab": lambda h: h.set_header("X-A", "a\tb"),
    "header_spaces_around": lambda h: h.set_header("X-A", "  b  "),
    "header_crlf": lambda h: h.set_header("X-A", "b\r\nX-C: d"),
    "header_lf": lambda h: h.set_header("X-A", "b\nc"),
    "header_nul": lambda h: h.set_header("X-A", "b\x00c"),
    "header_delete": lambda h: h.set_header("X-A", "b\x7fc"),
    "header_name_with_space": lambda h: h.set_header("X A", "b"),
    "header_name_with_colon": lambda h: h.set_header("X-A:", "b"),
    "header_name_empty": lambda h: h.set_header("", "b"),
    "header_name_crlf": lambda h: h.set_header("X-A\r\nX-B", "b"),
    "header_name_any_case": lambda h: (
        h.set_header("x-aBC", "1"),
        h.set_header("X-ABC", "2"),
    ),
    "header_of_4000_bytes": lambda h: h.set_header("X-A", "b" * 4000),
    "header_of_9000_bytes": lambda h: h.set_header("X-A", "b" * 9000),
    "header_twice": lambda h: (h.set_header("X-A", "1"), h.set_header("X-A", "2")),
    "add_header": lambda h: (h.add_header("X-A", "1"), h.add_header("x-a", "2")),
    "add_header_to_set": lambda h: (h.set_header("X-A", "1"), h.add_header("X-A", "2")),
    "set_header_over_added": lambda h: (
        h.add_header("X-A", "1"),
        h.add_header("X-A", "2"),
        h.set_header("X-A", "3"),
    ),
    "add_header_crlf": lambda h: h.add_header("X-A", "b\r\nc"),
    "add_header_number": lambda h: h.add_header("X-A", 1),
    "add_header_float": lambda h: h.add_header("X-A", 1.5),
    "clear_header": lambda h: (h.set_header("X-A", "1"), h.clear_header("x-a")),
    "clear_header_of_several": lambda h: (
        h.add_header("X-A", "1"),
        h.add_header("X-A", "2"),
        h.clear_header("X-A"),
    ),
    "clear_header_that_is_not_there": lambda h: h.clear_header("X-A"),
    "clear_content_type": lambda h: (h.clear_header("Content-Type"), h.write("a")),
    "own_set_cookie_header": lambda h: (
        h.add_header("Set-Cookie", "a=1"),
        h.set_cookie("b", "2"),
    ),
    "several_vary": lambda h: (
        h.add_header("Vary", "Cookie"),
        h.add_header("Vary", "Accept"),
    ),
    "headers_are_read": lambda h: (
        h.set_header("X-A", "1"),
        h.write(f"{h._headers['x-a']} {h._headers.get('X-B')} {'Date' in h._headers}"),
    ),
    "headers_are_written": lambda h: h._headers.add("X-A", "1"),
    "clear": lambda h: (
        h.set_status(404),
        h.set_header("X-A", "1"),
        h.set_cookie("a", "b"),
        h.write("a"),
        h.clear(),
        h.write("b"),
    ),
    "connection_close": lambda h: h.set_header("Connection", "close"),
    "connection_keep_alive": lambda h: (
        h.set_header("Connection", "keep-alive"),
        h.write("a"),
    ),
    # lengths
    "length": lambda h: (h.set_header("Content-Length", 1), h.write("a")),
    "length_text": lambda h: (h.set_header("Content-Length", "1"), h.write("a")),
    "length_with_zeros": lambda h: (h.set_header("Content-Length", "01"), h.write("a")),
    "length_too_large": lambda h: (h.set_header("Content-Length", 10), h.write("abc")),
    "length_too_small": lambda h: (h.set_header("Content-Length", 2), h.write("abc")),
    "length_is_no_number": lambda h: (h.set_header("Content-Length", "x"), h.write("")),
    "length_is_negative": lambda h: (h.set_header("Content-Length", -1), h.write("a")),
    "length_flushed": lambda h: (
        h.set_header("Content-Length", 2),
        h.write("a"),
        h.flush(),
        h.write("b"),
    ),
    "length_flushed_too_large": lambda h: (
        h.set_header("Content-Length", 10),
        h.write("abc"),
        h.flush(),
    ),
    "length_flushed_too_small": lambda h: (
        h.set_header("Content-Length", 2),
        h.write("a"),
        h.flush(),
        h.write("bc"),
    ),
    # flush
    "flush": lambda h: (h.write("a"), h.flush(), h.write("b"), h.flush()),
    "flush_nothing": lambda h: h.flush(),
    "flush_twice": lambda h: (h.write("a"), h.flush(), h.flush(), h.write("b")),
    "flush_with_footers": lambda h: (h.write("a"), h.flush(include_footers=False)),
    "flush_then_finish": lambda h: (h.write("a"), h.flush(), h.finish("b")),
    "flush_then_status": lambda h: (h.write("a"), h.flush(), h.set_status(404)),
    "flush_then_header": lambda h: (h.write("a"), h.flush(), h.set_header("X-A", "1")),
    "flush_then_cookie": lambda h: (h.write("a"), h.flush(), h.set_cookie("a", "1")),
    "flush_then_redirect": lambda h: (h.write("a"), h.flush(), h.redirect("/")),
    "flush_then_fail": lambda h: (h.write("a"), h.flush(), fail(KeyError("late"))),
    "flush_then_error": lambda h: (h.write("a"), h.flush(), fail(web.HTTPError(404))),
    "flush_then_send_error": lambda h: (h.write("a"), h.flush(), h.send_error(404)),
    "flush_then_stop": lambda h: (h.write("a"), h.flush(), fail(web.Finish("b"))),
    "flush_of_100_kb": lambda h: (h.write("a" * 100_000), h.flush(), h.write("b")),
    "write_of_1_mb": lambda h: h.write(b"a" * 1_000_000),
    # redirect
    "redirect": lambda h: h.redirect("/there"),
    "redirect_permanent": lambda h: h.redirect("/there", permanent=True),
    "redirect_303": lambda h: h.redirect("/there", status=303),
    "redirect_status_before_permanent": lambda h: h.redirect("/a", True, 307),
    "redirect_200": lambda h: h.redirect("/there", status=200),
    "redirect_relative": lambda h: h.redirect("there?a=b#c"),
    "redirect_absolute": lambda h: h.redirect("https://other.test/x"),
    "redirect_empty": lambda h: h.redirect(""),
    "redirect_bytes": lambda h: h.redirect(b"/there"),
    "redirect_unquoted": lambda h: h.redirect('/x y é?a="b'),
    "redirect_crlf": lambda h: h.redirect("/a\r\nX-B: c"),
    "redirect_with_body": lambda h: (h.write("body"), h.redirect("/there")),
    "redirect_then_write": lambda h: (h.redirect("/there"), h.write("a")),
    "redirect_with_header": lambda h: (h.set_header("X-A", "1"), h.redirect("/there")),
    # clear and send_error
    "send_error": lambda h: h.send_error(),
    "send_error_404": lambda h: h.send_error(404),
    "send_error_reason": lambda h: h.send_error(409, reason="Huh <b>"),
    "send_error_unknown": lambda h: h.send_error(499),
    "send_error_after_write": lambda h: (
        h.write("gone"),
        h.set_cookie("a", "b"),
        h.set_header("X-A", "gone"),
        h.send_error(409),
    ),
    "send_error_then_write": lambda h: (h.send_error(404), h.write("a")),
    "send_error_with_argument": lambda h: h.send_error(404, more="x"),
    "send_error_304": lambda h: h.send_error(304),
    "send_error_text": lambda h: h.send_error("404"),
}


class Steps(web.RequestHandler):
    def get(self, name: str) -> None:
        STEPS[name](self)

    head = post = get


def make_app() -> web.Application:
    return web.Application([(r"/(.*)", Steps)])


REQUESTS = {
    **{name: get(f"/{name}") for name in STEPS},
    **{
        f"head_{name}": head(f"/{name}")
        for name in (
            "nothing",
            "write_str",
            "write_dict",
            "status_204",
            "status_404_with_body",
            "length",
            "length_too_large",
            "length_is_no_number",
            "flush",
            "flush_then_fail",
            "length_flushed",
            "redirect_with_body",
            "send_error_404",
        )
    },
    "head_of_a_length_without_body": head("/length_of_nothing"),
    **{
        f"post_{name}": post(f"/{name}", b"a=b")
        for name in ("nothing", "write_str", "write_dict", "flush", "redirect")
    },
    **{
        f"http_1_0_{name}": request("GET", f"/{name}", version="1.0")
        for name in ("write_str", "flush", "flush_then_fail", "status_204")
    },
}

STEPS["length_of_nothing"] = lambda h: h.set_header("Content-Length", "5")
