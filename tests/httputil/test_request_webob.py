"""The request as a webob request: its copies, and what it reads from headers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import make_environ
from wsgitornado.httputil import BodyLimits, HTTPServerRequest

FORM = [("Content-Type", "application/x-www-form-urlencoded")]

# Of which ours is a subclass; importing webob warns.
BaseRequest: Any = HTTPServerRequest.__base__


def request(target: str = "/", *args: Any, **extra: Any) -> HTTPServerRequest:
    return HTTPServerRequest(make_environ(target, *args, **extra))


def form(text: bytes, target: str = "/") -> HTTPServerRequest:
    return request(target, "POST", FORM, text)


def test_copy_is_independent() -> None:
    r = form(b"a=1", "/x%20y?q=1")
    twin = r.copy()
    assert type(twin) is HTTPServerRequest
    assert (twin.method, twin.uri, twin.body) == ("POST", "/x%20y?q=1", b"a=1")
    twin.method = "PUT"
    twin.host = "other"
    twin.body = b"b=2"
    assert (r.method, r.host, r.body) == ("POST", "localhost", b"a=1")


def test_copy_of_a_body_that_was_read_is_independent_too() -> None:
    r = form(b"a=1" * 1000)
    r.limits = BodyLimits(memory=100)
    r.read_body()
    twin = r.copy()
    assert twin.body == r.body == b"a=1" * 1000
    twin.body = b""
    assert HTTPServerRequest(r.environ).body == b"a=1" * 1000
    r.close()


def test_body_that_webob_has_read_before_us_is_read_from_its_beginning() -> None:
    r = request("/", "POST", body=b"content")
    r.make_body_seekable()
    assert r.body_file.read() == b"content"
    assert HTTPServerRequest(r.environ).body == b"content"


def test_copy_get_leaves_the_body_behind() -> None:
    twin = form(b"a=1", "/x?q=1").copy_get()
    assert (twin.method, twin.uri, twin.body, twin.arguments) == (
        "GET",
        "/x?q=1",
        b"",
        {"q": [b"1"]},
    )


def test_decode_makes_a_request_in_utf8() -> None:
    r = form(b"a=%E9", "/?q=%E9")
    decoded = r.decode("latin-1")
    assert type(decoded) is HTTPServerRequest
    assert decoded.query_arguments == {"q": [b"\xc3\xa9"]}
    assert decoded.body_arguments == {"a": [b"\xc3\xa9"]}


def test_request_can_be_made_from_nothing() -> None:
    blank = HTTPServerRequest.blank("/a%20b?q=1", POST={"a": "1"})
    assert (blank.method, blank.uri, blank.arguments) == (
        "POST",
        "/a%20b?q=1",
        {"q": [b"1"], "a": [b"1"]},
    )


def test_request_can_be_written_out() -> None:
    r = request("/x", "POST", body=b"ab")
    assert r.as_bytes().endswith(b"Content-Length: 2\r\nHost: localhost\r\n\r\nab")


def test_request_can_be_sent_to_an_application() -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode()]

    assert request("/there").send(application).body == b"/there"


def test_negotiation_and_ranges_of_webob_work() -> None:
    r = request(
        headers=[
            ("Accept", "text/html;q=0.5, application/json"),
            ("Accept-Language", "de, en;q=0.5"),
            ("Range", "bytes=0-5"),
            ("Authorization", "Basic eDp5"),
        ]
    )
    offers = ["text/html", "application/json", "text/plain"]
    assert r.accept.acceptable_offers(offers) == [
        ("application/json", 1.0),
        ("text/html", 0.5),
    ]
    assert r.accept_language.lookup(["en", "de"], default="en") == "de"
    assert r.range is not None
    assert (r.range.start, r.range.end) == (0, 6)
    assert r.authorization is not None
    assert r.authorization.authtype == "Basic"
    assert r.application_url == "http://localhost"
    assert r.is_xhr is False


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in dir(BaseRequest)
        if isinstance(getattr(BaseRequest, name), property)
        and not name.startswith("_")
        and name not in {"as_string", "from_string", "str_GET"}
    ],
)
def test_every_attribute_of_webob_can_be_read(name: str) -> None:
    r = form(b"a=1", "/x?q=1")
    r.content_type = "application/json"
    r.body = b"{}"
    getattr(r, name)
    assert r.body == b"{}"


def test_form_that_webob_has_parsed_is_still_there() -> None:
    r = form(b"a=1")
    r.read_body()
    assert list(r.POST.items()) == [("a", "1")]
    assert r.body_arguments == {"a": [b"1"]}
    assert r.body == b"a=1"


def test_requests_on_one_environ_share_nothing_but_it() -> None:
    environ = make_environ()
    one, other = HTTPServerRequest(environ), HTTPServerRequest(environ)
    one.user = "me"  # type: ignore[attr-defined]  # of the program's own
    assert not hasattr(other, "user")
    assert "webob.adhoc_attrs" not in environ
