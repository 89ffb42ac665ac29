"""Entity tags: made of the body, compared with what the client holds, answered 304."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import Answer, call
from tests.web.one_handler import answer
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler
from wsgitornado.web.etag import body_etag, etag_is_in

#: The tag of the body "hello".
HELLO = f'"{hashlib.sha1(b"hello").hexdigest()}"'


def hello(if_none_match: str | None = None, method: str = "GET") -> Answer:
    headers = [] if if_none_match is None else [("If-None-Match", if_none_match)]
    return answer(lambda h: h.write("hello"), method, headers)


# The functions.


@given(st.binary(max_size=100))
def test_tag_is_the_quoted_sha1_of_the_body(body: bytes) -> None:
    assert body_etag(body) == f'"{hashlib.sha1(body).hexdigest()}"'


@pytest.mark.parametrize(
    ("if_none_match", "etag", "expected"),
    [
        pytest.param('"x"', '"x"', True, id="the same"),
        pytest.param('"y"', '"x"', False, id="another"),
        pytest.param('"X"', '"x"', False, id="another letter case"),
        pytest.param('W/"x"', '"x"', True, id="weak in the request"),
        pytest.param('"x"', 'W/"x"', True, id="weak here"),
        pytest.param('w/"y", "x"', '"x"', True, id="second in a list"),
        pytest.param('"a,b", "c"', '"a,b"', True, id="comma inside a tag"),
        pytest.param('"a,b"', '"b"', False, id="part of a tag"),
        pytest.param("*", '"x"', True, id="any"),
        pytest.param('"y", *', '"x"', False, id="asterisk inside a list"),
        pytest.param('"*"', '"x"', False, id="quoted asterisk"),
        pytest.param("x", '"x"', False, id="without quotes"),
        pytest.param('"x', '"x"', False, id="open quote"),
        pytest.param("", '"x"', False, id="empty header"),
        pytest.param('""', '""', True, id="empty tag"),
        pytest.param("*", "", False, id="any of nothing"),
        pytest.param('""', "", False, id="empty tag of nothing"),
    ],
)
def test_comparison_is_weak(if_none_match: str, etag: str, expected: bool) -> None:
    assert etag_is_in(if_none_match, etag) is expected


@given(st.text(alphabet='W/"*,ab \t\\\x00é', max_size=30), st.text(max_size=5))
def test_comparison_never_raises(if_none_match: str, opaque: str) -> None:
    assert etag_is_in(if_none_match, f'"{opaque}"') in (True, False)


@given(st.lists(st.sampled_from(["a", "b,", "c d", "é", "W/"]), max_size=6))
def test_a_tag_is_found_in_every_list_that_holds_it(others: list[str]) -> None:
    header = ", ".join(f'W/"{opaque}"' for opaque in [*others, "mine"])
    assert etag_is_in(header, '"mine"')
    assert not etag_is_in(header, '"not mine"')


# The answer.


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_complete_body_has_its_tag(method: str) -> None:
    assert hello(method=method).headers.get_list("Etag") == [HELLO]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("header", [HELLO, f"W/{HELLO}", f'"x", {HELLO}', "*"])
def test_client_that_has_the_body_gets_304(method: str, header: str) -> None:
    got = hello(header, method)
    assert (got.status, got.body) == ("304 Not Modified", b"")
    assert list(got.headers.get_all()) == [("Etag", HELLO)]


@pytest.mark.parametrize("header", ['"x"', "", '"', HELLO.strip('"'), '"x", *'])
def test_client_that_has_something_else_gets_the_body(header: str) -> None:
    got = hello(header)
    assert (got.status, got.text) == ("200 OK", "hello")


def test_304_keeps_cookies_and_other_headers() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_cookie("a", "b")
        handler.set_header("X-It", "1")
        handler.set_header("Content-Length", 5)
        handler.write("hello")

    got = answer(get, headers=[("If-None-Match", "*")])
    assert got.status_code == 304
    assert sorted(got.headers) == ["Etag", "Set-Cookie", "X-It"]


def test_other_methods_have_no_tag() -> None:
    got = hello("*", "POST")
    assert (got.status_code, got.text) == (200, "hello")
    assert "Etag" not in got.headers


@pytest.mark.parametrize("status", [201, 206, 404, 500])
def test_other_statuses_have_no_tag(status: int) -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_status(status)
        handler.write("hello")

    got = answer(get, headers=[("If-None-Match", "*")])
    assert (got.status_code, got.text) == (status, "hello")
    assert "Etag" not in got.headers


def test_error_page_has_no_tag() -> None:
    got = answer(lambda h: h.send_error(404), headers=[("If-None-Match", "*")])
    assert got.status_code == 404
    assert "Etag" not in got.headers


def test_tag_of_the_handler_stays_and_is_not_checked_as_in_tornado() -> None:
    def get(handler: RequestHandler) -> None:
        handler.set_header("Etag", '"mine"')
        handler.write("hello")

    got = answer(get, headers=[("If-None-Match", '"mine"')])
    assert (got.status_code, got.headers["Etag"]) == (200, '"mine"')


def test_tag_is_checked_early_to_save_making_the_body() -> None:
    class Tagged(RequestHandler):
        def compute_etag(self) -> str:
            return '"cheap"'

    def get(handler: RequestHandler) -> None:
        handler.set_etag_header()
        if handler.check_etag_header():
            handler.set_status(304)
        else:
            handler.write("expensive")

    assert answer(get, base=Tagged).text == "expensive"
    got = answer(get, base=Tagged, headers=[("If-None-Match", 'W/"cheap"')])
    assert (got.status_code, got.body) == (304, b"")
    assert got.headers["Etag"] == '"cheap"'


def test_check_without_a_tag_is_false_whatever_the_client_says() -> None:
    def get(handler: RequestHandler) -> None:
        handler.write({"is known": handler.check_etag_header()})

    got = answer(get, headers=[("If-None-Match", "*")], base=Untagged)
    assert got.text == '{"is known": false}'


class Untagged(RequestHandler):
    """A handler that turns tags off, as the reference says."""

    def compute_etag(self) -> str | None:
        return None


@pytest.mark.parametrize("header", ["*", '""', HELLO])
def test_none_turns_tags_off(header: str) -> None:
    headers = [("If-None-Match", header)]
    got = answer(lambda h: h.write("hello"), headers=headers, base=Untagged)
    assert (got.status_code, got.text) == (200, "hello")
    assert "Etag" not in got.headers


def test_tag_may_be_made_of_the_chunks_written_so_far() -> None:
    class Sized(RequestHandler):
        def compute_etag(self) -> str:
            return f'"{sum(map(len, self._write_buffer))}"'

    got = answer(lambda h: h.write("hello"), base=Sized)
    assert got.headers["Etag"] == '"5"'


@pytest.mark.parametrize("tag", ['"a\r\nX: y"', '"€"', 5.0], ids=repr)
def test_tag_that_no_header_carries_is_the_programs_mistake(tag: Any) -> None:
    class Wrong(RequestHandler):
        def compute_etag(self) -> Any:
            return tag

    with ExpectLog("wsgitornado.application", "Uncaught exception GET /"):
        got = answer(lambda h: h.write("hello"), base=Wrong)
    assert got.status_code == 500
    assert "X" not in got.headers


# Methods that are put on a class after it was made, as programs do.


class Late(RequestHandler):
    """A handler of its own class: nothing is derived from it any more."""

    def get(self) -> None:
        self.write("hello")


def test_tags_turned_off_by_a_class_decorator_are_off() -> None:
    def without_tags(cls: type[RequestHandler]) -> type[RequestHandler]:
        cls.compute_etag = lambda self: None  # type: ignore[method-assign]  # the case
        return cls

    @without_tags
    class Decorated(RequestHandler):
        def get(self) -> None:
            self.write("hello")

    assert "Etag" not in call(Application([("/", Decorated)])).headers


@pytest.mark.parametrize("owner", [Late, RequestHandler])
@pytest.mark.parametrize(
    ("name", "replacement"),
    [
        ("compute_etag", lambda self: '"late"'),
        ("set_etag_header", lambda self: self.set_header("Etag", '"late"')),
        ("check_etag_header", lambda self: self.set_header("Etag", '"late"')),
    ],
)
def test_method_that_a_program_replaces_later_counts(
    owner: type[RequestHandler],
    name: str,
    replacement: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, name, replacement)
    assert call(Application([("/", Late)])).headers["Etag"] == '"late"'


def test_method_that_one_instance_replaces_counts() -> None:
    def get(handler: RequestHandler) -> None:
        handler.compute_etag = lambda: None  # type: ignore[method-assign]  # the case
        handler.write("hello")

    assert "Etag" not in answer(get).headers
