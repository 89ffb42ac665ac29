"""Queries, hosts, and the path that WSGI hands over decoded."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

import pytest
import tornado.httputil
from hypothesis import example, given
from hypothesis import strategies as st

from wsgitornado.httputil import urls as module
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.httputil.urls import (
    is_valid_host,
    qs_to_qsl,
    quote_path,
    request_path,
    requote_path,
    script_path,
    split_host_and_port,
    unquote_path,
    url_concat,
)

native = st.binary(max_size=12).map(lambda raw: raw.decode("latin-1"))


@pytest.mark.parametrize(
    ("url", "args"),
    [
        ("http://a/b", {"c": "d"}),
        ("http://a/b", None),
        ("http://a/b", []),
        ("http://a/b", (("a", "1"),)),
        ("http://a/b?x=1&x=2#f", [("c", "d"), ("c", "e")]),
        ("http://a/b?x=&y", {"a": "\xe9 /&"}),
        ("http://a/b?", {"a": "1"}),
        ("http://a/b;p?x", {"c": "d"}),
        ("http://a/?q=%zz&w=a+b", {"c": "d"}),
        ("?a=1", {1: None}),
        ("", {"a": b"\xff"}),
    ],
    ids=repr,
)
def test_arguments_are_added_as_by_tornado(url: str, args: Any) -> None:
    assert url_concat(url, args) == tornado.httputil.url_concat(url, args)


@pytest.mark.parametrize("args", [5, "ab", {1}], ids=repr)
def test_arguments_of_another_type_are_refused(args: Any) -> None:
    with pytest.raises(TypeError, match="should be dict, list or tuple"):
        url_concat("http://a/", args)


@pytest.mark.parametrize(
    "netloc",
    ["a", "a:80", "a:", ":80", "", "[::1]", "[::1]:80", "a:80:90", "a:b", "::1"],
)
def test_hosts_are_split_as_by_tornado(netloc: str) -> None:
    theirs = tornado.httputil.split_host_and_port(netloc)
    assert split_host_and_port(netloc) == theirs


@pytest.mark.parametrize(
    "port",
    [
        pytest.param("9" * 21, id="too long for a number"),
        pytest.param("\u0668", id="digit of another script"),
        pytest.param("80\n", id="line end"),
    ],
)
def test_what_is_no_port_stays_with_the_host(port: str) -> None:
    assert split_host_and_port(f"a:{port}") == (f"a:{port}", None)
    assert split_host_and_port("a:" + "9" * 20) == ("a", int("9" * 20))


def test_pairs_come_from_lists_of_values() -> None:
    assert list(qs_to_qsl({"a": ["1", "2"], "b": ["3"]})) == [
        ("a", "1"),
        ("a", "2"),
        ("b", "3"),
    ]


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "example.com:80",
        "example.com:",
        "a_b-c.d~",
        "a%20b",
        "127.0.0.1:65535",
        "[::1]",
        "[::ffff:1.2.3.4]:0",
        "a:000080",
        "x" * 300,
    ],
)
def test_one_host_is_valid(host: str) -> None:
    assert is_valid_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":80",
        "a b",
        "a\t",
        "a\n",
        "a,b",
        "u@h",
        "a/b",
        "a\\b",
        "a?b",
        "a#b",
        "a%zz",
        "a:b",
        "a:80:90",
        "a:-1",
        "a:65536",
        "a:" + "1" * 290,
        "::1",
        "[::1",
        "[]",
        "[1.2.3.4]",
        "[:::]",
        "[fe80::1%25eth0]",
        "[v1.a]",
        "\xe9",
        "a:\u0668",
        "<x>",
        '"',
        "x" * 301,
    ],
    ids=repr,
)
def test_anything_else_is_no_host(host: str) -> None:
    assert not is_valid_host(host)


def test_hosts_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "known_hosts", set())
    for number in range(1000):
        assert is_valid_host(f"h{number}")
    assert len(module.known_hosts) == 1000
    assert is_valid_host("h1")
    assert not is_valid_host("a b")
    assert len(module.known_hosts) == 1000
    assert is_valid_host("one.more")
    assert module.known_hosts == {"one.more"}


@pytest.mark.parametrize(
    ("decoded", "quoted"),
    [
        ("", ""),
        ("/hello", "/hello"),
        ("/a-._~!$&'()*+,;=:@z/", "/a-._~!$&'()*+,;=:@z/"),
        ("/100%", "/100%25"),
        ("/%41", "/%2541"),
        ("/a b?c#d", "/a%20b%3Fc%23d"),
        ("/\xc3\xa9\xff", "/%C3%A9%FF"),
        ('/"<>\\^`{|}', "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("/\r\n\x00\x7f", "/%0D%0A%00%7F"),
    ],
    ids=repr,
)
def test_decoded_paths_are_quoted(decoded: str, quoted: str) -> None:
    assert quote_path(decoded) == quoted


@given(native)
def test_quoting_and_decoding_a_path_gives_it_back(path: str) -> None:
    quoted = quote_path(path)
    assert quoted.isascii()
    assert unquote_path(quoted) == path.encode("latin-1")
    assert requote_path(quoted) == quoted


def test_a_clean_path_is_returned_itself() -> None:
    path = "/hello"
    assert quote_path(path) is path


def test_a_path_that_is_no_native_string_is_refused() -> None:
    with pytest.raises(HTTPInputError, match="PEP 3333"):
        quote_path("/\u2603")


@pytest.mark.parametrize(
    ("quoted", "decoded"),
    [("a+b", b"a+b"), ("a%2Fb%2b", b"a/b+"), ("%ff%zz%", b"\xff%zz%"), ("", b"")],
)
def test_parts_of_a_path_are_decoded_once(quoted: str, decoded: bytes) -> None:
    assert unquote_path(quoted) == decoded


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        pytest.param({}, "/", id="nothing"),
        pytest.param({"PATH_INFO": ""}, "/", id="empty"),
        pytest.param({"PATH_INFO": "/a b"}, "/a%20b", id="no target"),
        pytest.param(
            {"PATH_INFO": "/a", "REQUEST_URI": "/a"}, "/a", id="nothing to refine"
        ),
        pytest.param({"PATH_INFO": "/a", "REQUEST_URI": "/a?b=/c#d"}, "/a", id="query"),
        pytest.param(
            {"PATH_INFO": "/a/b", "REQUEST_URI": "/a%2Fb"}, "/a%2Fb", id="slash kept"
        ),
        pytest.param(
            {"PATH_INFO": "/a/b", "RAW_URI": "/a%2fb?c"}, "/a%2fb", id="RAW_URI"
        ),
        pytest.param(
            {"PATH_INFO": "/b", "REQUEST_URI": "/%62", "RAW_URI": "/b"},
            "/%62",
            id="REQUEST_URI comes first",
        ),
        pytest.param(
            {"PATH_INFO": "/a", "REQUEST_URI": "http://h:80/a?b"}, "/a", id="absolute"
        ),
        pytest.param(
            {"PATH_INFO": "/a", "REQUEST_URI": "http://h/%61"},
            "/%61",
            id="absolute and spelled",
        ),
        pytest.param({"PATH_INFO": "/", "REQUEST_URI": "http://h"}, "/", id="origin"),
        pytest.param(
            {"PATH_INFO": "/%61#", "REQUEST_URI": "/%2561%23#x"},
            "/%2561%23",
            id="percent and fragment",
        ),
        pytest.param({"PATH_INFO": "*", "REQUEST_URI": "*"}, "*", id="asterisk"),
        pytest.param(
            {"PATH_INFO": "", "REQUEST_URI": "h:443"}, "/", id="authority form"
        ),
        pytest.param(
            {"PATH_INFO": "/x", "SCRIPT_NAME": "/app", "REQUEST_URI": "/app/x?q"},
            "/x",
            id="mounted",
        ),
        pytest.param(
            {"PATH_INFO": "/x/y", "SCRIPT_NAME": "/a b", "REQUEST_URI": "/a%20b/x%2Fy"},
            "/x%2Fy",
            id="mounted at a spelled prefix",
        ),
        pytest.param(
            {"PATH_INFO": "", "SCRIPT_NAME": "/app", "REQUEST_URI": "/%61pp"},
            "/",
            id="the mount point itself",
        ),
        pytest.param(
            {"PATH_INFO": "/\xc3\xa9", "REQUEST_URI": "/%C3%A9"}, "/%C3%A9", id="utf-8"
        ),
    ],
)
def test_the_target_refines_the_path(environ: dict[str, Any], path: str) -> None:
    assert request_path(environ) == path


@pytest.mark.parametrize(
    ("target", "path_info", "script_name"),
    [
        pytest.param("//admin/%2e%2e/x", "/x", "", id="normalised by the server"),
        pytest.param("/a/../x", "/x", "", id="dots"),
        pytest.param("/y", "/x", "", id="rewritten"),
        pytest.param("/x", "/x", "/app", id="mount point not in the target"),
        pytest.param("/app%2Fx", "/x", "/app", id="spelled slash at the border"),
        pytest.param("/app/x", "/x", "/other", id="another mount point"),
        pytest.param("/x/", "/x", "", id="longer"),
        pytest.param("/%78\xe9", "/x\xe9", "", id="not ascii"),
        pytest.param("/%78 y", "/x y", "", id="space"),
        pytest.param("/%78\ud800", "/x", "", id="surrogate"),
        pytest.param("/%78\x00", "/x\x00", "", id="control"),
        pytest.param(5, "/x", "", id="no string"),
    ],
)
def test_a_target_that_is_no_spelling_of_the_path_does_not_count(
    target: object, path_info: str, script_name: str
) -> None:
    environ = {
        "REQUEST_URI": target,
        "PATH_INFO": path_info,
        "SCRIPT_NAME": script_name,
    }
    assert request_path(environ) == quote_path(path_info)


def test_a_path_that_is_no_native_string_is_refused_with_a_target_too() -> None:
    with pytest.raises(HTTPInputError):
        request_path({"PATH_INFO": "/\u2603", "REQUEST_URI": "/%E2%98%83"})


def spelled(raw: bytes, choices: list[bool]) -> str:
    """Every byte percent-encoded or not, as *choices* say; never ambiguous."""
    parts = []
    for number, byte in enumerate(raw):
        plain = quote_from_bytes(bytes([byte]), safe="/")
        chosen = choices[number % len(choices)] if choices else False
        parts.append(f"%{byte:02x}" if chosen else plain)
    return "".join(parts)


@given(
    st.sampled_from(["", "/app", "/a b", "/\xc3\xa9%"]),
    native,
    st.lists(st.booleans(), max_size=8),
    st.sampled_from(["", "?", "?a=/b", "#c"]),
    st.sampled_from(["", "http://h:80"]),
)
@example("/app", "", [True], "", "")
def test_any_spelling_of_the_path_decodes_to_it(
    script_name: str, rest: str, choices: list[bool], tail: str, origin: str
) -> None:
    path_info = "/" + rest
    target = (
        origin + "/" + spelled((script_name + path_info)[1:].encode("latin-1"), choices)
    )
    environ = {
        "SCRIPT_NAME": script_name,
        "PATH_INFO": path_info,
        "REQUEST_URI": target + tail,
    }
    path = request_path(environ)
    assert unquote_to_bytes(path) == path_info.encode("latin-1")
    assert (origin + script_path(environ) + path).isascii()
    assert target.endswith(path) or path == quote_path(path_info)
    assert path.startswith("/")


@given(st.text(alphabet="/%2f.a?#\\:\xe9\u2603"), native, native)
def test_no_target_changes_what_the_path_decodes_to(
    target: str, path_info: str, script_name: str
) -> None:
    environ = {
        "SCRIPT_NAME": script_name,
        "PATH_INFO": path_info,
        "REQUEST_URI": target,
    }
    path = request_path(environ)
    assert path.isascii()
    assert unquote_to_bytes(path) == (path_info.encode("latin-1") or b"/")


@pytest.mark.parametrize(
    ("environ", "path"),
    [({}, ""), ({"SCRIPT_NAME": ""}, ""), ({"SCRIPT_NAME": "/a b"}, "/a%20b")],
    ids=repr,
)
def test_the_mount_point_is_quoted(environ: dict[str, Any], path: str) -> None:
    assert script_path(environ) == path


@pytest.mark.parametrize(
    ("path", "quoted"),
    [
        ("/a%20b", "/a%20b"),
        ("/%2F/x", "/%2F/x"),
        ("/a\\b", "/a%5Cb"),
        ("/a?b#c", "/a%3Fb%23c"),
        ("/a\r\nb: c", "/a%0D%0Ab:%20c"),
        ("/%41%zz%", "/%41%25zz%25"),
        ("/\xe9\ud800", "/%C3%A9%ED%A0%80"),
    ],
    ids=repr,
)
def test_what_may_not_stand_in_a_path_is_quoted(path: str, quoted: str) -> None:
    assert requote_path(path) == quoted


@given(st.text(alphabet="/\\\t\r\n\x00 .:@?#%ae\xe9"))
def test_requoted_path_adds_no_query_and_no_header(path: str) -> None:
    quoted = requote_path("/x" + path)
    target = urlsplit("http://here" + quoted)
    assert (target.query, target.fragment) == ("", "")
    assert quoted.isascii()
    assert quoted.isprintable()
    assert requote_path(quoted) == quoted


@pytest.mark.parametrize("piece", ["%", "/", "%2", "%2F", "\\", "a", " "], ids=repr)
def test_long_paths_take_linear_time(piece: str) -> None:
    # Of a million characters a quadratic reader would not see the end.
    text = piece * (1_000_000 // len(piece))
    decoded = unquote_path("/%61" + text).decode("latin-1")
    environ = {
        "SCRIPT_NAME": "/a",
        "PATH_INFO": decoded[2:],
        "REQUEST_URI": "/%61" + text,
    }
    assert unquote_path(request_path(environ)).decode("latin-1") == decoded[2:]
    assert requote_path(requote_path(text)) == requote_path(text)
    assert not is_valid_host(text)


def test_prefix_of_two_slashes_begins_no_host() -> None:
    assert script_path({"SCRIPT_NAME": "//evil.example/x"}) == "/evil.example/x"
