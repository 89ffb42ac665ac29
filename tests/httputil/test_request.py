"""The request: what Tornado's has, and where its path comes from."""

from __future__ import annotations

import io
import socket
import ssl
from http.cookies import Morsel
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders as TornadosHeaders
from tornado.httputil import HTTPServerRequest as TornadosRequest
from tornado.httputil import RequestStartLine

from tests.support import make_environ
from wsgitornado.httputil import (
    BodyLimits,
    HTTPInputError,
    HTTPServerRequest,
    RequestConnection,
    RequestContext,
)

FORM = [("Content-Type", "application/x-www-form-urlencoded")]


def request(target: str = "/", *args: Any, **extra: Any) -> HTTPServerRequest:
    return HTTPServerRequest(make_environ(target, *args, **extra))


def form(text: bytes, target: str = "/") -> HTTPServerRequest:
    return request(target, "POST", FORM, text)


# -- Attributes


def tornados_request(target: str) -> TornadosRequest:
    class Connection:
        context = None

    connection: Any = Connection()
    line = RequestStartLine("GET", target, "HTTP/1.1")
    headers = TornadosHeaders({"Host": "localhost"})
    return TornadosRequest(connection=connection, start_line=line, headers=headers)


def test_request_has_every_attribute_of_tornados() -> None:
    names = {*vars(tornados_request("/")), *dir(TornadosRequest)}
    missing = [n for n in names if not n.startswith("_") and not hasattr(request(), n)]
    # Of the connection itself a WSGI application knows nothing.
    assert missing == ["server_connection"]


def test_request_line_comes_apart() -> None:
    r = request("/a%20b?x=1&y=2", "PUT")
    assert (r.method, r.path, r.query, r.version) == (
        "PUT",
        "/a%20b",
        "x=1&y=2",
        "HTTP/1.1",
    )
    assert r.uri == "/a%20b?x=1&y=2"


def test_uri_without_a_query_has_no_question_mark() -> None:
    assert request("/a").uri == "/a"


def test_version_that_the_server_leaves_out_is_the_oldest() -> None:
    assert request(SERVER_PROTOCOL=None).version == "HTTP/1.0"


def test_header_names_are_taken_in_any_letter_case() -> None:
    r = request("/", headers=[("X-Some-Thing", "1"), ("Content-Type", "text/plain")])
    assert r.headers["x-some-thing"] == "1"
    assert r.headers["CONTENT-TYPE"] == "text/plain"
    assert r.headers is r.headers


@pytest.mark.parametrize("name", ["CONTENT_TYPE", "CONTENT_LENGTH"])
def test_header_spelled_with_an_underscore_is_not_the_one_with_a_hyphen(
    name: str,
) -> None:
    r = request(**{f"HTTP_{name}": "5"})
    assert name.replace("_", "-") not in r.headers


def test_header_cannot_pose_as_a_variable_of_the_server() -> None:
    r = request(headers=[("Remote-Addr", "1.1.1.1"), ("wsgi.url_scheme", "https")])
    assert (r.remote_ip, r.protocol) == ("127.0.0.1", "http")


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-Ip", "Forwarded"])
def test_address_is_that_of_the_connection(name: str) -> None:
    assert request(headers=[(name, "9.9.9.9")]).remote_ip == "127.0.0.1"


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X-Scheme", "X-Forwarded-Host"])
def test_scheme_and_host_are_those_of_the_connection(name: str) -> None:
    r = request(headers=[(name, "https")])
    assert (r.protocol, r.host, r.full_url()) == (
        "http",
        "localhost",
        "http://localhost/",
    )


def test_address_and_scheme_may_be_set() -> None:
    r = request("/x")
    r.remote_ip = "9.9.9.9"
    r.protocol = "https"
    assert (r.remote_ip, r.full_url()) == ("9.9.9.9", "https://localhost/x")


def test_server_on_a_unix_socket_tells_no_address() -> None:
    assert request(REMOTE_ADDR=None).remote_ip == ""


@pytest.mark.parametrize(
    ("environ", "host", "host_name"),
    [
        ({"HTTP_HOST": "Example.com"}, "Example.com", "example.com"),
        ({"HTTP_HOST": "Example.com:8080"}, "Example.com:8080", "example.com"),
        ({"HTTP_HOST": "[::1]:8080"}, "[::1]:8080", "[::1]"),
        ({"HTTP_HOST": "", "SERVER_NAME": "here"}, "here", "here"),
        ({"HTTP_HOST": None, "SERVER_NAME": "here"}, "here", "here"),
        (
            {"HTTP_HOST": None, "SERVER_NAME": "here", "SERVER_PORT": "8080"},
            "here:8080",
            "here",
        ),
        (
            {"HTTP_HOST": None, "SERVER_PORT": "443", "wsgi.url_scheme": "https"},
            "localhost",
            "localhost",
        ),
        (
            {"HTTP_HOST": None, "SERVER_PORT": "80", "wsgi.url_scheme": "https"},
            "localhost:80",
            "localhost",
        ),
        (
            {"HTTP_HOST": None, "SERVER_NAME": None, "SERVER_PORT": None},
            "127.0.0.1",
            "127.0.0.1",
        ),
    ],
)
def test_host_is_what_the_client_named_or_else_the_server(
    environ: dict[str, Any], host: str, host_name: str
) -> None:
    r = request(**environ)
    assert (r.host, r.host_name) == (host, host_name)


def test_host_may_be_set() -> None:
    r = request("/x")
    r.host = "example.com"
    assert (r.host, r.full_url()) == ("example.com", "http://example.com/x")


def test_cookies_are_morsels() -> None:
    r = request(headers=[("Cookie", 'a=b; c="d e"')])
    assert {name: morsel.value for name, morsel in r.cookies.items()} == {
        "a": "b",
        "c": "d e",
    }
    assert isinstance(r.cookies["a"], Morsel)


def test_time_of_a_request_grows() -> None:
    r = request()
    assert 0 <= r.request_time() <= r.request_time()


def test_representation_tells_the_request_in_one_line_without_its_headers() -> None:
    r = request("/a?b", headers=[("Cookie", "secret")], HTTP_HOST="a\nb")
    assert repr(r) == (
        "HTTPServerRequest(protocol='http', host='a\\\\x0ab', method='GET', "
        "uri='/a?b', version='HTTP/1.1', remote_ip='127.0.0.1')"
    )


# -- The connection


def test_connection_knows_its_context() -> None:
    r = request(REMOTE_PORT="4711")
    assert r.connection is r.connection
    assert isinstance(r.connection, RequestConnection)
    context = r.connection.context
    assert isinstance(context, RequestContext)
    assert (context.remote_ip, context.protocol) == ("127.0.0.1", "http")
    assert context.address == ("127.0.0.1", 4711)
    assert context.trusted_downstream == frozenset()
    assert str(context) == "127.0.0.1"


@pytest.mark.parametrize("port", [None, "", "x"], ids=["none", "empty", "no number"])
def test_port_that_the_server_does_not_tell_is_not_in_the_address(
    port: str | None,
) -> None:
    assert request(REMOTE_PORT=port).connection.context.address == "127.0.0.1"


def test_connection_has_no_stream_to_take() -> None:
    with pytest.raises(AttributeError):
        request().connection.detach()  # type: ignore[attr-defined]  # just so


CERTIFICATE = ssl.DER_cert_to_PEM_cert(b"not really one")


@pytest.mark.parametrize(
    ("environ", "binary", "expected"),
    [
        ({}, True, None),
        ({"SSL_CLIENT_CERT": CERTIFICATE}, True, b"not really one"),
        ({"SSL_CLIENT_CERT": CERTIFICATE}, False, None),
        ({"SSL_CLIENT_CERT": ""}, True, None),
    ],
    ids=["none", "der", "no dictionary of text", "empty"],
)
def test_certificate_comes_from_the_variable_of_the_proxy(
    environ: dict[str, str], binary: bool, expected: bytes | None
) -> None:
    assert request(**environ).get_ssl_certificate(binary) == expected


def with_socket(sock: socket.socket) -> HTTPServerRequest:
    environ: dict[str, Any] = {"gunicorn.socket": sock}
    return request(**environ)


def test_certificate_comes_from_the_socket_that_gunicorn_hands_over() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with socket.socket() as plain:
        assert with_socket(plain).get_ssl_certificate() is None
        with context.wrap_socket(plain, do_handshake_on_connect=False) as wrapped:
            r = with_socket(wrapped)
            # Not connected: the socket has been asked, and says so.
            with pytest.raises((ValueError, OSError)):
                r.get_ssl_certificate()


# -- The path


@pytest.mark.parametrize("variable", ["REQUEST_URI", "RAW_URI"])
@pytest.mark.parametrize(
    ("target", "path_info", "path"),
    [
        ("/a%2Fb", "/a/b", "/a%2Fb"),
        ("/a%2fb?q=%2F", "/a/b", "/a%2fb"),
        ("http://localhost/a%2Fb", "/a/b", "/a%2Fb"),
        ("/%7Euser", "/~user", "/%7Euser"),
        ("/plain", "/plain", "/plain"),
        # What was authorised on the way here was PATH_INFO.
        ("/admin/%2e%2e/x", "/x", "/x"),
        ("//admin/x", "/x", "/x"),
        ("/other", "/a b", "/a%20b"),
        ("/a%2520", "/a ", "/a%20"),
    ],
)
def test_raw_target_only_refines_the_path(
    variable: str, target: str, path_info: str, path: str
) -> None:
    r = request(PATH_INFO=path_info, **{variable: target})
    assert (r.path, r.uri) == (path, path)


@given(st.binary(max_size=12), st.text(st.characters(codec="ascii"), max_size=12))
def test_path_always_decodes_to_what_the_server_authorised(
    path_info: bytes, raw: str
) -> None:
    text = "/" + path_info.decode("latin-1")
    r = request(PATH_INFO=text, REQUEST_URI=raw)
    assert unquote_to_bytes(r.path) == b"/" + path_info
    assert r.path.isascii()
    assert r.path.isprintable()


@pytest.mark.parametrize(
    ("script_name", "path_info", "uri"),
    [
        ("/app", "/x", "/app/x"),
        ("/app", "", "/app/"),
        ("/a p", "/x y", "/a%20p/x%20y"),
        ("", "", "/"),
    ],
)
def test_mount_point_is_in_the_uri_and_not_in_the_path(
    script_name: str, path_info: str, uri: str
) -> None:
    r = request(SCRIPT_NAME=script_name, PATH_INFO=path_info)
    assert r.uri == uri
    assert r.script_path + r.path == uri
    assert r.full_url() == f"http://localhost{uri}"


def test_raw_target_is_refined_below_the_mount_point() -> None:
    r = request(SCRIPT_NAME="/app", PATH_INFO="/a/b", RAW_URI="/app/a%2Fb")
    assert (r.script_path, r.path, r.uri) == ("/app", "/a%2Fb", "/app/a%2Fb")


# -- Arguments


def test_query_and_body_are_merged_in_this_order() -> None:
    r = form(b"a=2&b=%C3%A9+x&c", "/?a=1&d=%ff")
    assert r.query_arguments == {"a": [b"1"], "d": [b"\xff"]}
    assert r.body_arguments == {"a": [b"2"], "b": [b"\xc3\xa9 x"], "c": [b""]}
    assert r.arguments == {
        "a": [b"1", b"2"],
        "d": [b"\xff"],
        "b": [b"\xc3\xa9 x"],
        "c": [b""],
    }
    # Merging has touched neither.
    assert r.query_arguments["a"] == [b"1"]
    assert r.files == {}


@given(st.text(st.sampled_from("ab=&;+%2F\u00e9 "), max_size=30))
def test_query_is_read_as_tornado_reads_it(query: str) -> None:
    theirs = tornados_request(f"/?{query}")
    assert request(QUERY_STRING=query).query_arguments == theirs.query_arguments


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/x-www-form-urlencoded", {"a": [b"1"]}),
        ("Application/X-WWW-Form-Urlencoded; charset=utf-8", {"a": [b"1"]}),
        ("application/json", {}),
        ("text/plain", {}),
        ("", {}),
    ],
)
def test_only_forms_give_arguments(content_type: str, expected: object) -> None:
    r = request("/", "POST", [("Content-Type", content_type)], b"a=1")
    assert r.body_arguments == expected
    assert r.body == b"a=1"


def test_multipart_form_gives_fields_and_files() -> None:
    body = (
        b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
        b"--x\r\nContent-Disposition: form-data; name=f; filename=n.txt\r\n"
        b"Content-Type: text/plain\r\n\r\ncontent\r\n--x--\r\n"
    )
    content_type = [("Content-Type", "multipart/form-data; boundary=x")]
    r = request("/", "POST", content_type, body)
    assert r.body_arguments == {"a": [b"1"]}
    (file,) = r.files["f"]
    assert (file.filename, file.body, file.content_type) == (
        "n.txt",
        b"content",
        "text/plain",
    )
    assert r.body == body


@pytest.mark.parametrize(
    ("count", "is_taken"), [(3, True), (4, False)], ids=["limit", "beyond"]
)
def test_fields_of_a_query_are_limited(count: int, is_taken: bool) -> None:
    r = request("/?" + "&".join(["a=1"] * count))
    r.limits = BodyLimits(max_form_fields=3)
    r.read_body()
    if is_taken:
        assert r.query_arguments == {"a": [b"1"] * 3}
    else:
        with pytest.raises(HTTPInputError, match="more than 3 fields in the query"):
            r.query_arguments  # noqa: B018  # read for what it raises


def test_request_without_arguments_has_none() -> None:
    assert request().arguments == {}


def test_query_of_an_unread_request_has_the_usual_limit() -> None:
    assert len(request("/?" + "a&" * 999 + "a").query_arguments["a"]) == 1000
    with pytest.raises(HTTPInputError, match="more than 1000"):
        request("/?" + "a&" * 1000 + "a").arguments  # noqa: B018  # read for what it raises


# -- The body


def test_body_is_read_once_and_kept() -> None:
    r = request("/", "POST", body=b"content")
    assert r.body == b"content"
    assert r.body is r.body
    assert r.body_file.read() == b"content"


def test_body_that_is_missing_is_empty() -> None:
    assert request().body == b""


def test_long_body_is_in_a_file_until_the_request_is_closed() -> None:
    r = request("/", "POST", body=b"x" * 2000)
    r.limits = BodyLimits(memory=1000)
    r.read_body()
    spool = r.environ["wsgi.input"]
    assert not isinstance(spool, io.BytesIO)
    assert r.body == b"x" * 2000
    r.close()
    assert spool.closed


def test_form_that_is_malformed_is_refused_before_anybody_asks_for_it() -> None:
    content_type = [("Content-Type", "multipart/form-data")]
    r = request("/", "POST", content_type, b"--x--")
    with pytest.raises(HTTPInputError):
        r.read_body()


def test_body_that_is_set_replaces_everything_read_from_the_old_one() -> None:
    r = form(b"a=1", "/?q=1")
    assert (r.body, r.arguments["a"], r.files) == (b"a=1", [b"1"], {})
    r.body = b"a=2&b=3"
    assert r.body == b"a=2&b=3"
    assert r.arguments == {"q": [b"1"], "a": [b"2"], "b": [b"3"]}
    assert r.body_arguments == {"a": [b"2"], "b": [b"3"]}
    assert r.content_length == 7
    assert r.body_file.read() == b"a=2&b=3"
