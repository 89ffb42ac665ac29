"""What a handler reads: arguments, headers, the user."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders as TornadosHeaders
from tornado.httputil import HTTPServerRequest as TornadosRequest
from tornado.httputil import RequestStartLine
from tornado.web import Application as TornadosApplication
from tornado.web import RequestHandler as TornadosHandler

from tests.support import Answer, call, make_environ
from tests.web.one_handler import application_of
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    HTTPError,
    MissingArgumentError,
    RequestHandler,
)

FORM = [("Content-Type", "application/x-www-form-urlencoded")]
GENERAL = "wsgitornado.general"
TORNADOS_APPLICATION = TornadosApplication()


def handler_for(
    target: str = "/",
    form: bytes | None = None,
    base: type[RequestHandler] = RequestHandler,
    **settings: Any,
) -> RequestHandler:
    """A handler that has a request before it, and nothing done with it yet."""
    method, headers = ("GET", []) if form is None else ("POST", FORM)
    environ = make_environ(target, method, headers, form)
    return base(Application(**settings), HTTPServerRequest(environ))


def ask(
    question: Callable[[Any], object], target: str = "/", *args: Any, **settings: Any
) -> Answer:
    """The answer of an application whose handler answers with what it has read."""

    def verb(handler: RequestHandler) -> None:
        handler.write({"answer": question(handler)})

    return call(application_of(verb, RequestHandler, **settings), target, *args)


# -- Which argument


@pytest.mark.parametrize(
    ("getter", "one", "several"),
    [
        ("", "4", ["1", "2", "3", "4"]),
        ("_query", "2", ["1", "2"]),
        ("_body", "4", ["3", "4"]),
    ],
    ids=["both", "query", "body"],
)
def test_last_value_wins_and_the_query_comes_first(
    getter: str, one: str, several: list[str]
) -> None:
    handler = handler_for("/?a=1&a=2", b"a=3&a=4")
    assert getattr(handler, f"get{getter}_argument")("a") == one
    assert getattr(handler, f"get{getter}_arguments")("a") == several


@pytest.mark.parametrize(
    "getter", ["get_argument", "get_query_argument", "get_body_argument"]
)
class TestMissing:
    def test_argument_without_default_is_the_clients_error(self, getter: str) -> None:
        with pytest.raises(MissingArgumentError) as caught:
            getattr(handler_for("/?b=1", b"c=1"), getter)("a")
        error = caught.value
        assert isinstance(error, HTTPError)
        assert (error.status_code, error.arg_name) == (400, "a")

    @pytest.mark.parametrize("default", [None, "", "text", 5, []], ids=repr)
    def test_default_is_given_back_whatever_it_is(
        self, getter: str, default: object
    ) -> None:
        get = getattr(handler_for("/", b""), getter)
        assert get("a", default) is default
        assert get("a", default=default) is default

    def test_client_gets_a_400_and_the_log_one_line(self, getter: str) -> None:
        with ExpectLog(
            GENERAL, r"400 GET / \(127.0.0.1\): Missing argument <b>"
        ) as log:
            answer = ask(lambda h: getattr(h, getter)("<b>"))
        assert answer.status_code == 400
        assert "<b>" not in answer.text
        assert not log.logged_stack


@pytest.mark.parametrize(
    "getter", ["get_arguments", "get_query_arguments", "get_body_arguments"]
)
class TestSeveral:
    def test_there_may_be_none(self, getter: str) -> None:
        assert getattr(handler_for("/?b=1", b"b=1"), getter)("a") == []

    def test_second_name_is_not_taken_for_strip(self, getter: str) -> None:
        with pytest.raises(TypeError, match="strip is True or False, not 'b'"):
            getattr(handler_for(), getter)("a", "b")


def test_empty_value_is_a_value() -> None:
    handler = handler_for("/?a=&b")
    assert handler.get_argument("a", "default") == ""
    assert handler.get_arguments("b") == [""]


def test_body_that_is_no_form_has_no_arguments() -> None:
    headers = [("Content-Type", "application/json")]
    answer = ask(lambda h: h.get_body_argument("a", None), "/", "POST", headers, b"a=1")
    assert answer.text == '{"answer": null}'


def test_fields_of_a_multipart_form_are_arguments_too() -> None:
    body = (
        b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\xc3\xa9 \r\n--x--\r\n"
    )
    headers = [("Content-Type", "multipart/form-data; boundary=x")]
    answer = ask(lambda h: h.get_argument("a", strip=False), "/", "POST", headers, body)
    assert answer.text == '{"answer": "\\u00e9 "}'


# -- Which text


@pytest.mark.parametrize(
    ("sent", "text", "whole"),
    [
        ("a+b", "a b", "a b"),
        ("a%2Bb", "a+b", "a+b"),
        ("+x%20%0A", "x", " x \n"),
        ("%C3%A9", "é", "é"),
        ("a%00b%1F", "a b", "a b "),
        ("%08%0E", "", "  "),
        ("a%09%0A%0B%0C%0Db", "a\t\n\v\f\rb", "a\t\n\v\f\rb"),
        ("%7F%C2%85", "\x7f", "\x7f\x85"),
        ("%25", "%", "%"),
    ],
    ids=lambda value: ascii(value),
)
def test_text_is_decoded_cleaned_and_stripped(sent: str, text: str, whole: str) -> None:
    handler = handler_for(f"/?a={sent}", f"a={sent}".encode())
    for getter in ("get_argument", "get_query_argument", "get_body_argument"):
        get = getattr(handler, getter)
        assert get("a") == text
        assert get("a", None, False) == whole
        assert get("a", strip=False) == whole
    assert handler.get_arguments("a") == [text, text]
    assert handler.get_query_arguments("a", strip=False) == [whole]
    assert handler.get_body_arguments("a", False) == [whole]


def tornados_handler(target: str) -> TornadosHandler:
    class Connection:
        context = None

        def set_close_callback(self, callback: object) -> None:
            pass

    connection: Any = Connection()
    line = RequestStartLine("GET", target, "HTTP/1.1")
    headers = TornadosHeaders({"Host": "localhost"})
    request = TornadosRequest(connection=connection, start_line=line, headers=headers)
    return TornadosHandler(TORNADOS_APPLICATION, request)


@given(
    st.text(st.characters(codec="utf-8") | st.sampled_from("\0\x07\x0e\x1f \t\n\x85")),
    st.booleans(),
)
def test_text_is_what_tornado_makes_of_it(value: str, strip: bool) -> None:
    target = f"/?a={quote(value)}"
    theirs = tornados_handler(target).get_argument("a", strip=strip)
    assert handler_for(target).get_argument("a", strip=strip) == theirs


@pytest.mark.parametrize(
    ("target", "form"),
    [("/?a=%ff", b""), ("/", b"a=%ff"), ("/?a=%C3", b""), ("/?a=\xff", b"")],
    ids=["query", "body", "half a character", "raw byte"],
)
def test_text_that_is_no_utf8_is_a_400(target: str, form: bytes) -> None:
    expected = r"400 POST .*: Invalid unicode in a: b'"
    with ExpectLog(GENERAL, expected) as log:
        answer = ask(lambda h: h.get_argument("a"), target, "POST", FORM, form)
    assert answer.status_code == 400
    assert not log.logged_stack


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_no_argument_makes_a_server_error(query: bytes, form: bytes) -> None:
    with ExpectLog(GENERAL, "400 ", required=False) as log:
        answer = ask(
            lambda h: [h.get_arguments(name) for name in h.request.arguments],
            "/?" + query.decode("latin-1"),
            "POST",
            FORM,
            form,
        )
    assert answer.status_code in (200, 400)
    assert (answer.status_code == 400) == log.matched


def test_name_of_an_argument_is_no_markup_in_an_error_page() -> None:
    with ExpectLog(GENERAL, "400 "):
        answer = ask(lambda h: h.get_argument("<b>"), serve_traceback=True)
    assert "Missing argument <b>" in answer.text
    assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"


@pytest.mark.parametrize(
    ("count", "status_code"), [(5, 200), (6, 400)], ids=["limit", "beyond"]
)
def test_number_of_fields_is_limited(count: int, status_code: int) -> None:
    fields = "&".join(["a=1"] * count)
    body = fields.encode()

    def read(handler: RequestHandler) -> str:
        return handler.get_argument("a")

    with ExpectLog(GENERAL, "400 ", required=False):
        of_query = ask(read, f"/?{fields}", max_form_fields=5)
        of_body = ask(read, "/", "POST", FORM, body, max_form_fields=5)
    assert of_query.status_code == status_code
    assert of_body.status_code == status_code


# -- decode_argument


class Latin(RequestHandler):
    """Reads another encoding than UTF-8, and notes what it is asked to read."""

    def initialize(self) -> None:
        self.asked: list[tuple[bytes, str | None]] = []

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        self.asked.append((value, name))
        return value.decode("latin-1")

    def get(self, *args: str, **kwargs: str) -> None:
        self.get_argument("q", None)
        self.write(repr((args, kwargs, self.asked)))


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (
            "/by-place/%E9/x?q=%E8",
            (("é", "x"), {}, [(b"\xe9", None), (b"x", None), (b"\xe8", "q")]),
        ),
        ("/by-name/%E9", ((), {"name": "é"}, [(b"\xe9", "name")])),
    ],
    ids=["by place", "by name"],
)
def test_decoding_may_be_overridden_for_arguments_and_groups(
    target: str, expected: object
) -> None:
    rules = [("/by-place/(.*)/(.*)", Latin), ("/by-name/(?P<name>.*)", Latin)]
    assert call(Application(rules), target).text == repr(expected)


def test_default_decoding_raises_for_other_bytes_than_utf8() -> None:
    handler = handler_for()
    assert handler.decode_argument(b"\xc3\xa9") == "é"
    with pytest.raises(HTTPError, match=r"Invalid unicode in url: b'.xff'"):
        handler.decode_argument(b"\xff")
    with pytest.raises(HTTPError, match=r"Invalid unicode in name: b'.xff'"):
        handler.decode_argument(b"\xff", name="name")


def test_default_shows_itself_in_signatures() -> None:
    for getter in ("get_argument", "get_query_argument", "get_body_argument"):
        signature = inspect.signature(getattr(RequestHandler, getter))
        assert "default: 'Any' = <required>" in str(signature)


# -- Headers and the user


@pytest.mark.parametrize(
    ("name", "default", "expected"),
    [
        (("X-Thing",), None, "1"),
        (("x-thing", "default"), None, "1"),
        (("X-Other",), None, None),
        (("X-Other", "default"), None, "default"),
    ],
)
def test_header_is_found_in_any_letter_case(
    name: tuple[str, ...], default: None, expected: str | None
) -> None:
    environ = make_environ(headers=[("X-Thing", "1")])
    handler = RequestHandler(Application(), HTTPServerRequest(environ))
    assert handler.get_header(*name) == expected


class Somebody(RequestHandler):
    asked = 0

    def get_current_user(self) -> object:
        self.asked += 1
        return self.get_argument("user", None)


@pytest.mark.parametrize(
    ("target", "user"), [("/?user=me", "me"), ("/", None)], ids=["user", "nobody"]
)
def test_current_user_is_asked_for_once(target: str, user: str | None) -> None:
    handler = handler_for(target, base=Somebody)
    assert handler.current_user == handler.current_user == user
    assert isinstance(handler, Somebody)
    assert handler.asked == 1


def test_current_user_may_be_set() -> None:
    handler = handler_for("/?user=me", base=Somebody)
    handler.current_user = None
    assert handler.current_user is None
    assert Somebody.asked == 0


def test_nobody_is_the_user_by_default() -> None:
    assert handler_for().current_user is None


@pytest.mark.parametrize(
    ("login_url", "below_a_prefix"),
    [
        ("/login", "/app/login"),
        ("login", "login"),
        ("//login.example/", "//login.example/"),
        ("https://login.example/", "https://login.example/"),
    ],
)
def test_login_url_is_below_the_prefix_if_it_is_a_path_of_ours(
    login_url: str, below_a_prefix: str
) -> None:
    for script_name, expected in (("", login_url), ("/app", below_a_prefix)):
        environ = make_environ(SCRIPT_NAME=script_name)
        application = Application(login_url=login_url)
        handler = RequestHandler(application, HTTPServerRequest(environ))
        assert handler.get_login_url() == expected


def test_login_url_must_be_set() -> None:
    with pytest.raises(RuntimeError, match="define the 'login_url' setting"):
        handler_for().get_login_url()
