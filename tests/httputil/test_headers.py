"""HTTPHeaders, the checks on names, values and reasons, start lines and dates."""

from __future__ import annotations

import copy
import datetime
import enum
import http.client
import pickle
import time
import wsgiref.util
from typing import Any

import pytest
import tornado.httputil
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado.httputil import headers as module
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.httputil.headers import (
    HOP_BY_HOP,
    HOP_BY_HOP_NAMES,
    HTTPHeaders,
    RequestStartLine,
    ResponseStartLine,
    _encode_header,
    _parse_header,
    check_header_name,
    check_reason,
    convert_header_value,
    encode_username_password,
    format_timestamp,
    http_date,
    parse_request_start_line,
    parse_response_start_line,
    responses,
)

TOKEN = "!#$%&'*+-.^_`|~09AZaz"
names = st.text(alphabet=TOKEN, min_size=1, max_size=12)
values = st.text(
    alphabet=st.characters(min_codepoint=0x21, max_codepoint=0xFF, categories=["L"]),
    max_size=8,
)
# Mostly what headers are made of, so that more than the first check is reached.
header_text = st.text(alphabet=": \t\r\nab-\x00\x0b\x7f\x85\xe9\u2603", max_size=30)


@pytest.fixture
def repeated() -> HTTPHeaders:
    headers = HTTPHeaders()
    headers.add("a", "1")
    headers.add("b", "3")
    headers.add("A", "2")
    return headers


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(HTTPHeaders({"content-type": "x", "ETAG": "y"}), id="mapping"),
        pytest.param(HTTPHeaders([("CONTENT-type", "x"), ("etag", "y")]), id="pairs"),
        pytest.param(HTTPHeaders({"content-type": "x"}, etag="y"), id="with keywords"),
        pytest.param(
            HTTPHeaders(HTTPHeaders({"Content-Type": "x", "Etag": "y"})), id="headers"
        ),
        pytest.param(HTTPHeaders.parse("content-type: x\r\netag: y\r\n"), id="parsed"),
        pytest.param(
            HTTPHeaders.from_trusted({"Content-Type": "x", "Etag": "y"}), id="trusted"
        ),
    ],
)
def test_headers_are_made_like_a_dict(made: HTTPHeaders) -> None:
    assert list(made) == ["Content-Type", "Etag"]
    assert made == {"Content-Type": "x", "Etag": "y"}
    assert len(made) == 2
    assert made["content-TYPE"] == "x"


def test_pairs_of_one_name_replace_each_other() -> None:
    assert HTTPHeaders([("a", "1"), ("A", "2")]).get_list("a") == ["2"]


def test_more_than_one_source_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        HTTPHeaders({"a": "1"}, {"b": "2"})


def test_repeated_fields_are_joined_and_kept_apart(repeated: HTTPHeaders) -> None:
    assert repeated["A"] == repeated.get("a") == "1,2"
    assert repeated.get_list("a") == ["1", "2"]
    assert repeated.get_list("b") == ["3"]
    assert repeated.get_list("c") == []
    assert list(repeated.get_all()) == [("A", "1"), ("A", "2"), ("B", "3")]
    assert repeated.items_list() == [("A", "1"), ("A", "2"), ("B", "3")]
    assert list(repeated.items()) == [("A", "1,2"), ("B", "3")]
    assert str(repeated) == "A: 1\nA: 2\nB: 3\n"
    assert repeated == HTTPHeaders(a="1,2", b="3")


def test_a_third_value_joins_the_others(repeated: HTTPHeaders) -> None:
    repeated.add("a", "5")
    assert repeated.get_list("a") == ["1", "2", "5"]


def test_changing_what_get_list_gave_changes_no_header(repeated: HTTPHeaders) -> None:
    repeated.get_list("a").append("x")
    assert repeated.get_list("a") == ["1", "2"]


def test_setting_replaces_all_values(repeated: HTTPHeaders) -> None:
    repeated["A"] = "9"
    assert repeated.get_list("a") == ["9"]
    assert repeated.items_list() == [("A", "9"), ("B", "3")]


def test_deleting_removes_all_values(repeated: HTTPHeaders) -> None:
    del repeated["a"]
    assert "A" not in repeated
    with pytest.raises(KeyError, match="A"):
        del repeated["a"]


def test_a_missing_field_is_a_key_error_or_the_default() -> None:
    headers = HTTPHeaders()
    with pytest.raises(KeyError, match="X-A"):
        headers["x-a"]
    assert headers.get("x-a") is None
    assert headers.get("x-a", "default") == "default"
    assert headers.pop("x-a", None) is None
    assert headers.setdefault("x-a", "1") == "1"


def test_only_text_is_contained() -> None:
    contained: list[object] = ["a", 1, None, "b"]
    headers = HTTPHeaders(a="1")
    assert [key for key in contained if key in headers] == ["a"]


@pytest.mark.parametrize(
    "duplicate",
    [
        pytest.param(HTTPHeaders.copy, id="copy method"),
        pytest.param(HTTPHeaders, id="constructor"),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(lambda h: pickle.loads(pickle.dumps(h)), id="pickle"),
    ],
)
def test_a_copy_keeps_repeated_fields_and_is_independent(
    duplicate: Any, repeated: HTTPHeaders
) -> None:
    made = duplicate(repeated)
    assert made.items_list() == repeated.items_list()
    made.add("a", "4")
    made.add("c", "5")
    assert repeated.items_list() == [("A", "1"), ("A", "2"), ("B", "3")]


def test_update_joins_as_any_mapping_does(repeated: HTTPHeaders) -> None:
    headers = HTTPHeaders()
    headers.update(repeated)
    assert headers.get_list("a") == ["1,2"]


def test_subclasses_may_have_attributes_and_are_pickled_with_them() -> None:
    made = pickle.loads(pickle.dumps(WithNote.noted()))
    assert type(made) is WithNote
    assert made.note == "kept"
    assert made["a"] == "1"
    assert type(WithNote.parse("a: 1")) is WithNote


class WithNote(HTTPHeaders):
    note = ""

    @classmethod
    def noted(cls) -> WithNote:
        headers = cls(a="1")
        headers.note = "kept"
        return headers


def test_repr_shows_no_values() -> None:
    headers = HTTPHeaders(Cookie="secret", Host="h")
    assert repr(headers) == "<HTTPHeaders: Cookie, Host>"


@given(st.lists(st.tuples(names, values), max_size=6))
def test_headers_answer_as_those_of_tornado(pairs: list[tuple[str, str]]) -> None:
    ours, theirs = HTTPHeaders(), tornado.httputil.HTTPHeaders()
    for name, value in pairs:
        ours.add(name, value)
        theirs.add(name, value)
    assert list(ours.get_all()) == list(theirs.get_all()) == ours.items_list()
    assert dict(ours) == dict(theirs)
    assert str(ours) == str(theirs)
    for name, _ in pairs:
        assert ours.get_list(name.swapcase()) == theirs.get_list(name.swapcase())


def outcome(parse: Any, text: str) -> object:
    try:
        return list(parse(text).get_all())
    except (HTTPInputError, tornado.httputil.HTTPInputError) as error:
        return type(error).__name__


@given(header_text)
def test_header_sections_are_read_as_by_tornado(text: str) -> None:
    theirs = outcome(tornado.httputil.HTTPHeaders.parse, text)
    assert outcome(HTTPHeaders.parse, text) == theirs


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param("a: 1\r\n", [("A", "1")], id="with line end"),
        pytest.param("a:1", [("A", "1")], id="without line end"),
        pytest.param("a:\t 1 \t", [("A", "1")], id="whitespace around"),
        pytest.param("a: b\tc d", [("A", "b\tc d")], id="whitespace inside"),
        pytest.param("a:", [("A", "")], id="no value"),
        pytest.param("a: b:c", [("A", "b:c")], id="second colon"),
        pytest.param("a: \xe9", [("A", "\xe9")], id="latin-1"),
        pytest.param("", [], id="empty"),
        pytest.param("\r\n", [], id="line end only"),
    ],
)
def test_a_line_is_a_field(line: str, found: list[tuple[str, str]]) -> None:
    headers = HTTPHeaders()
    headers.parse_line(line)
    assert headers.items_list() == found


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(" a: 1", id="folded"),
        pytest.param("\ta: 1", id="folded with a tab"),
        pytest.param("a", id="no colon"),
        pytest.param(": 1", id="no name"),
        pytest.param("a b: 1", id="space in the name"),
        pytest.param("a : 1", id="space after the name"),
        pytest.param("\xe9: 1", id="name outside ascii"),
        pytest.param("a: \x00", id="NUL"),
        pytest.param("a: 1\r", id="bare CR"),
        pytest.param("a: \x7f", id="DEL"),
        pytest.param("a: \u2603", id="outside latin-1"),
        pytest.param("a: 1\nb: 2", id="two lines"),
    ],
)
def test_a_malformed_line_is_the_clients_error(line: str) -> None:
    with pytest.raises(HTTPInputError) as caught:
        HTTPHeaders().parse_line(line)
    assert caught.value.status_code == 400


def test_messages_repeat_only_the_beginning_of_a_value() -> None:
    with pytest.raises(HTTPInputError) as caught:
        HTTPHeaders.parse("a: " + "\x00" * 10_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [" a", "a ", "\ta"], ids=repr)
def test_add_refuses_whitespace_around_a_value(value: str) -> None:
    with pytest.raises(HTTPInputError, match="Invalid header value"):
        HTTPHeaders().add("x", value)


def test_add_takes_utf_8_bytes() -> None:
    headers = HTTPHeaders()
    headers.add("x", b"\xc3\xa9")
    assert headers["x"] == "\xe9"


def test_names_are_cached_within_bounds() -> None:
    cache = module._NameCache(str.upper)
    long = "x" * module._LONGEST_CACHED_NAME
    assert cache[long] == long.upper()
    assert long in cache
    assert cache[long + "x"] == long.upper() + "X"
    assert long + "x" not in cache
    for number in range(module._CACHED_NAMES - 1):
        cache[f"x{number}"]
    assert len(cache) == module._CACHED_NAMES
    assert cache["one more"] == "ONE MORE"
    assert list(cache) == ["one more"]


def environ(**kwargs: object) -> dict[str, Any]:
    made: dict[str, Any] = {}
    wsgiref.util.setup_testing_defaults(made)
    del made["HTTP_HOST"]
    return made | kwargs


@pytest.mark.parametrize(
    ("given_environ", "found"),
    [
        pytest.param(
            environ(HTTP_X_FOO_BAR="1", HTTP_HOST="h"),
            {"X-Foo-Bar": "1", "Host": "h"},
            id="fields",
        ),
        pytest.param(
            environ(CONTENT_TYPE="text/plain", CONTENT_LENGTH="5"),
            {"Content-Type": "text/plain", "Content-Length": "5"},
            id="content",
        ),
        pytest.param(environ(CONTENT_TYPE="", CONTENT_LENGTH=""), {}, id="no content"),
        pytest.param(environ(HTTP_X_EMPTY=""), {"X-Empty": ""}, id="empty"),
        pytest.param(
            environ(HTTP_X=5, CONTENT_TYPE=5, CONTENT_LENGTH=5), {}, id="no strings"
        ),
        pytest.param(
            environ(HTTP_CONTENT_TYPE="x", HTTP_CONTENT_LENGTH="1"),
            {},
            id="underscores posing as content fields",
        ),
    ],
)
def test_fields_are_taken_from_environ(
    given_environ: dict[str, Any], found: dict[str, str]
) -> None:
    assert dict(HTTPHeaders.from_environ(given_environ)) == found


def test_hop_by_hop_fields_are_those_of_wsgiref() -> None:
    assert all(wsgiref.util.is_hop_by_hop(name) for name in HOP_BY_HOP)
    assert len(HOP_BY_HOP) == len(HOP_BY_HOP_NAMES) == 8
    assert "Keep-Alive" in HOP_BY_HOP_NAMES


def test_hop_by_hop_fields_are_left_out_for_the_server(repeated: HTTPHeaders) -> None:
    assert repeated.end_to_end() == repeated.items_list()
    repeated["Connection"] = "keep-alive"
    assert repeated.end_to_end() == [("A", "1"), ("A", "2"), ("B", "3")]
    assert HTTPHeaders(a="1", connection="close").end_to_end() == [("A", "1")]


@pytest.mark.parametrize(
    ("name", "normalized"),
    [("content-TYPE", "Content-Type"), ("X_y", "X_y"), (TOKEN, TOKEN.capitalize())],
)
def test_token_names_are_returned_as_headers_write_them(
    name: str, normalized: str
) -> None:
    assert check_header_name(name) == HTTPHeaders({name: ""}).items_list()[0][0]
    assert check_header_name(name).lower() == normalized.lower()


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a:", "a\n", "a\r\nb: c", "\xe9", "a\x00", "a/b"], ids=repr
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="Invalid header name"):
        check_header_name(name)


@pytest.mark.parametrize("name", [None, 5, b"x"], ids=repr)
def test_a_name_is_text(name: Any) -> None:
    with pytest.raises(TypeError, match="a header name is a str"):
        check_header_name(name)


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    def __str__(self) -> str:
        return "something else"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("plain", "plain", id="str"),
        pytest.param("", "", id="empty"),
        pytest.param("a\tb", "a\tb", id="tab"),
        pytest.param(" a ", " a ", id="whitespace"),
        pytest.param("\x80\xe9\xff", "\x80\xe9\xff", id="latin-1"),
        pytest.param(Text("sub"), "sub", id="subclass of str"),
        pytest.param(b"\xe9", "\xe9", id="bytes"),
        pytest.param(-5, "-5", id="int"),
        pytest.param(True, "True", id="bool"),
        pytest.param(Number.ONE, "1", id="IntEnum"),
        pytest.param(
            datetime.datetime(2020, 1, 2), "Thu, 02 Jan 2020 00:00:00 GMT", id="date"
        ),
    ],
)
def test_values_become_plain_text(value: Any, text: str) -> None:
    converted = convert_header_value(value)
    assert converted == text
    assert type(converted) is str


@pytest.mark.parametrize(
    "value",
    ["a\r\nb: c", "a\n", "\x00", "\x1f", "\x7f", b"a\nb", "\u0100", "\ud800"],
    ids=repr,
)
def test_values_that_a_header_cannot_carry_are_refused(value: str | bytes) -> None:
    with pytest.raises(ValueError, match="Unsafe header value"):
        convert_header_value(value)


def test_text_outside_latin_1_gets_advice() -> None:
    with pytest.raises(ValueError, match="url_escape"):
        convert_header_value("\u2603")


@pytest.mark.parametrize(
    "value", [1.5, None, [1], bytearray(b"x"), datetime.date(2020, 1, 1)], ids=repr
)
def test_values_of_other_types_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=f"got {type(value).__name__}"):
        convert_header_value(value)


@given(st.one_of(st.text(max_size=5), st.binary(max_size=5), st.integers()))
def test_no_control_character_passes_a_check(value: str | bytes | int) -> None:
    try:
        text = convert_header_value(value)
    except ValueError:
        return
    assert text.encode("latin-1").translate(None, b"\x7f" + bytes(range(32))) == (
        text.replace("\t", "").encode("latin-1")
    )


@pytest.mark.parametrize("reason", ["OK", "", "Not\tFound", "\xe9"], ids=repr)
def test_a_reason_may_hold_what_a_status_line_carries(reason: str) -> None:
    assert check_reason(reason) == reason


@pytest.mark.parametrize("reason", ["a\r\nb", "a\x00", "\x7f", "\u2603"], ids=repr)
def test_other_reasons_are_refused(reason: str) -> None:
    with pytest.raises(ValueError, match="Unsafe reason"):
        check_reason(reason)


def test_a_reason_is_text() -> None:
    with pytest.raises(TypeError, match="a reason is a str"):
        check_reason(b"OK")  # type: ignore[arg-type] # the mistake under test


def test_responses_are_those_of_http_client() -> None:
    assert responses is http.client.responses


start_text = st.text(alphabet="GET/ *HTTP1.02\xe9\x00\r\n\u0660x", max_size=20)


def start_line(parse: Any, line: str) -> tuple[object, ...]:
    try:
        return tuple(parse(line))
    except (HTTPInputError, tornado.httputil.HTTPInputError) as error:
        return (type(error).__name__,)


@given(
    st.one_of(
        start_text,
        st.builds("{} {} HTTP/{}".format, names, start_text, st.just("1.1")),
        st.builds("GET / HTTP/{}".format, start_text),
    )
)
def test_request_lines_are_read_as_by_tornado(line: str) -> None:
    theirs = start_line(tornado.httputil.parse_request_start_line, line)
    assert start_line(parse_request_start_line, line) == theirs


@given(
    st.one_of(
        start_text,
        st.builds("HTTP/1.1 {} {}".format, st.integers(0, 1200), start_text),
        st.builds("HTTP/{} 200 OK".format, start_text),
    )
)
def test_status_lines_are_read_as_by_tornado(line: str) -> None:
    theirs = start_line(tornado.httputil.parse_response_start_line, line)
    ours = start_line(parse_response_start_line, line)
    # An absent reason is None there, whatever its type says.
    assert ours == tuple("" if part is None else part for part in theirs)


def test_start_lines_are_named_tuples() -> None:
    request = parse_request_start_line("GET /a HTTP/1.0")
    assert request == RequestStartLine(method="GET", path="/a", version="HTTP/1.0")
    response = parse_response_start_line("HTTP/1.1 404 Not Found")
    assert response == ResponseStartLine("HTTP/1.1", 404, "Not Found")


@pytest.mark.parametrize(
    ("line", "message"),
    [("GET /", "Malformed"), ("GET / HTTP/2.0", "Unexpected HTTP version 'HTTP/2.0'")],
)
def test_request_line_errors_say_what_is_wrong(line: str, message: str) -> None:
    with pytest.raises(HTTPInputError, match=message):
        parse_request_start_line(line)


two_hours_east = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    "ts",
    [
        0,
        1.9,
        -1.5,
        True,
        (2020, 1, 2, 3, 4, 5, 0, 0, 0),
        (2020, 1, 2, 3, 4, 5),
        time.gmtime(5),
        datetime.datetime(2020, 1, 2, 3, 4, 5, 999_999),
        datetime.datetime(2020, 1, 2, 3, 4, 5, tzinfo=two_hours_east),
        datetime.datetime(99, 1, 2),
        253402300799,
    ],
    ids=repr,
)
def test_times_are_written_as_by_tornado(ts: Any) -> None:
    assert format_timestamp(ts) == tornado.httputil.format_timestamp(ts)


@given(st.datetimes())
def test_datetimes_are_written_as_by_tornado(moment: datetime.datetime) -> None:
    assert format_timestamp(moment) == tornado.httputil.format_timestamp(moment)


@pytest.mark.parametrize("ts", ["x", None, [2020], datetime.date(2020, 1, 1)], ids=repr)
def test_other_times_are_a_type_error(ts: Any) -> None:
    with pytest.raises(TypeError, match="unknown timestamp type"):
        format_timestamp(ts)


@pytest.mark.parametrize(
    "ts",
    [
        pytest.param(253402300800, id="year 10000"),
        pytest.param(1e20, id="beyond the platform"),
        pytest.param(10**400, id="beyond a float"),
        pytest.param(float("inf"), id="infinite"),
        pytest.param(float("nan"), id="not a number"),
        pytest.param((2020, 13, 1, 0, 0, 0), id="month 13"),
        pytest.param((2020, 1), id="short tuple"),
    ],
)
def test_times_that_no_date_names_are_a_value_error(ts: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 # the messages are Python's
        format_timestamp(ts)


def test_http_date_formats_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1359312200.9)
    assert http_date() == "Sun, 27 Jan 2013 18:43:20 GMT"
    assert http_date(5.5) == "Thu, 01 Jan 1970 00:00:05 GMT"


@pytest.mark.parametrize(
    ("username", "password", "joined"),
    [
        pytest.param("a", "b", b"a:b", id="str"),
        pytest.param("e\u0301", "\xe9", b"\xc3\xa9:\xc3\xa9", id="composed"),
        pytest.param(b"\xff", b"a:b", b"\xff:a:b", id="bytes"),
    ],
)
def test_credentials_are_joined(username: Any, password: Any, joined: bytes) -> None:
    assert encode_username_password(username, password) == joined


def test_credentials_are_text_or_bytes() -> None:
    with pytest.raises(TypeError, match="expected str or bytes: got 5"):
        encode_username_password("a", 5)  # type: ignore[arg-type] # the mistake


@pytest.mark.parametrize(
    "line",
    [
        'form-data; name="a"; filename="b\\"c.txt"',
        'a; b=c; d="e;f"',
        "a;b",
        "",
        "a; b = c",
        "a; B=c",
        "a; f*=UTF-8''%e2%82%ac",
        "a; f*=utf-8'en'%20",
        "a; f*=ISO-8859-1''%e9",
        "a; f*=UTF-8''%ff",
        "a; f*=x",
        "a; f=1; f*=utf-8''2",
        "a; f*=utf-8''2; f=1",
        "a; f*0=x; f*1=y",
        "a; f*1=y; f*0=x",
        "a; f*0*=utf-8''%41; f*1=b",
        "a; f*0*=utf-8''%41; f*1*=%42",
        'a; b="c',
        "a; b=c; b=d",
        'a; b="c\\\\d"',
        "A; b=\xe9",
        "a;;b=1",
        " a ; b=1 ",
        "a; =c",
        'a; b=""',
        'a; f="C:\\dir\\x.txt"',
        'form-data; filename="a%22b"',
        'a; b=x"y;z"w; c=1',
    ],
    ids=repr,
)
def test_parameters_are_read_as_by_tornado(line: str) -> None:
    assert _parse_header(line) == tornado.httputil._parse_header(line)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        pytest.param('a; b="c\\\\"; d=e', {"b": "c\\", "d": "e"}, id="backslash last"),
        pytest.param("a; f*=punycode''%61", {"f": "a"}, id="charset not wanted"),
        pytest.param("a; f*99999=x", {"f*99999": "x"}, id="absurd section"),
        pytest.param('a; b="c; d=e', {"b": '"c; d=e'}, id="open quote"),
        pytest.param('a; b="\\', {"b": '"\\'}, id="open quote and escape"),
        pytest.param("a; f*0*=utf-8''%41; f*1=\ud800", {"f": "A?"}, id="surrogate"),
    ],
)
def test_odd_parameters_are_kept_as_text(line: str, found: dict[str, str]) -> None:
    assert _parse_header(line) == ("a", found)


@given(st.text(alphabet="a;=\"\\*'%0 \xe9"))
def test_parameters_of_any_text_never_raise(line: str) -> None:
    head, parameters = _parse_header(line)
    assert len(head) + sum(map(len, parameters.values())) <= len(line)


@pytest.mark.parametrize(
    "piece", [";", '"', "\\", '\\"', '";"', '"\\', "f*1=x;", ";a=", "''", "%"], ids=repr
)
def test_long_parameters_take_linear_time(piece: str) -> None:
    # Of a million characters a quadratic reader would not see the end.
    _parse_header("a; f*=" + piece * (1_000_000 // len(piece)))


def test_long_header_sections_take_linear_time() -> None:
    assert len(HTTPHeaders.parse("a: b\r\n" * 100_000).get_list("a")) == 100_000
    with pytest.raises(HTTPInputError):
        HTTPHeaders.parse("a: " + " \t" * 1_000_000 + "\x00")


@pytest.mark.parametrize(
    "parameters",
    [{}, {"b": "c", "d": None, "e": "f g"}, {"b": ""}, {"z": "1", "b": 5}],
    ids=repr,
)
def test_parameters_are_written_as_by_tornado(parameters: dict[str, Any]) -> None:
    theirs = tornado.httputil._encode_header("a", parameters)
    assert _encode_header("a", parameters) == theirs
