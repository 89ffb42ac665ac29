"""Output transforms at the handler: compression, and a program's own transforms."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.support import Answer, call
from tests.web.one_handler import answer
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    GZipContentEncoding,
    OutputTransform,
    RequestHandler,
)

GZIP = ("Accept-Encoding", "gzip")
LONG = "a line of text\n" * 200
APPLICATION_LOG = "wsgitornado.application"

Step = Callable[[Any], object]


def only_do(step: Step) -> Callable[[Any], None]:
    """A verb of this step: what it returns is nobody's business."""

    def verb(handler: Any) -> None:
        step(handler)

    return verb


def compressed(
    step: Step, *headers: tuple[str, str], method: str = "GET", **settings: Any
) -> Answer:
    settings.setdefault("compress_response", True)
    return answer(only_do(step), method, [GZIP, *headers], **settings)


def length_is_right(reply: Answer) -> bool:
    return reply.headers["Content-Length"] == str(len(reply.body))


# The settings.


@pytest.mark.parametrize("setting", ["compress_response", "gzip"])
def test_the_setting_compresses(setting: str) -> None:
    settings: dict[str, Any] = {setting: True}
    reply = answer(lambda h: h.write(LONG), headers=[GZIP], **settings)
    assert reply.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(reply.body) == LONG.encode()
    assert length_is_right(reply)


@pytest.mark.parametrize(
    "settings", [{}, {"gzip": False}, {"compress_response": True, "transforms": []}]
)
def test_without_the_setting_nothing_is_compressed(settings: dict[str, Any]) -> None:
    reply = answer(lambda h: h.write(LONG), headers=[GZIP], **settings)
    assert reply.text == LONG
    assert "Vary" not in reply.headers


class Upper(OutputTransform):
    """Another body of the same length."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        headers["X-Upper"] = str(finishing)
        return status_code, headers, chunk.upper()

    def transform_chunk(self, chunk: bytes, finishing: bool) -> bytes:
        return chunk.upper() + (b"." if finishing else b"")


def test_given_transforms_take_the_place_of_the_setting() -> None:
    application = Application(transforms=[Upper], compress_response=True)
    assert application.transforms == [Upper]
    assert Application(compress_response=True).transforms == [GZipContentEncoding]


def test_a_transform_is_added_after_the_others() -> None:
    application = Application(compress_response=True)
    application.add_transform(Upper)
    assert application.transforms == [GZipContentEncoding, Upper]


def test_an_application_among_the_rules_transforms_what_is_its_own() -> None:
    class Handler(RequestHandler):
        def get(self) -> None:
            self.write("hello")

    inner = Application([("/.*/page", Handler)], transforms=[Upper])
    outer = Application([("/inner/.*", inner), ("/outer/page", Handler)])
    assert call(outer, "/inner/page").text == "HELLO"
    assert call(outer, "/outer/page").text == "hello"
    outer.add_transform(Upper)
    inner.transforms.clear()
    assert call(outer, "/inner/page").text == "hello"
    assert call(outer, "/outer/page").text == "HELLO"


# What is compressed.


@pytest.mark.parametrize(
    ("length", "is_compressed"), [(0, False), (1023, False), (1024, True)]
)
def test_short_bodies_are_sent_as_they_are(length: int, is_compressed: bool) -> None:
    reply = compressed(lambda h: h.write("a" * length))
    assert ("Content-Encoding" in reply.headers) is is_compressed
    assert reply.headers["Vary"] == "Accept-Encoding"
    assert length_is_right(reply)


@pytest.mark.parametrize(
    "headers",
    [[], [("Accept-Encoding", "identity")], [("Accept-Encoding", "gzip;q=0")]],
    ids=["nothing", "identity", "refused"],
)
def test_a_client_that_does_not_accept_it_gets_the_plain_body_and_vary(
    headers: list[tuple[str, str]],
) -> None:
    reply = answer(lambda h: h.write(LONG), headers=headers, compress_response=True)
    assert reply.text == LONG
    assert "Content-Encoding" not in reply.headers
    assert reply.headers["Vary"] == "Accept-Encoding"


def test_vary_of_the_handler_stays() -> None:
    reply = compressed(lambda h: (h.set_header("Vary", "Cookie"), h.write(LONG)))
    assert reply.headers["Vary"] == "Cookie, Accept-Encoding"


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda h: h.set_header("Content-Type", "image/png"), id="image"),
        pytest.param(lambda h: h.set_header("Content-Encoding", "x"), id="coded"),
        pytest.param(lambda h: h.set_status(206), id="206"),
        pytest.param(lambda h: h.set_header("Content-Range", "bytes 0-1/2"), id="part"),
    ],
)
@pytest.mark.parametrize("is_flushed", [False, True], ids=["whole", "flushed"])
def test_what_should_not_be_compressed_is_sent_as_it_is(
    step: Step, is_flushed: bool
) -> None:
    def verb(handler: Any) -> None:
        step(handler)
        handler.write(LONG)
        if is_flushed:
            handler.flush()

    reply = compressed(verb)
    assert reply.text == LONG
    assert reply.headers.get("Content-Encoding") in (None, "x")


def test_json_and_error_pages_are_compressed() -> None:
    class Page(RequestHandler):
        def write_error(self, status_code: int, **kwargs: Any) -> None:
            self.write(LONG)

    assert b"a line" in gzip.decompress(compressed(lambda h: h.write({"a": LONG})).body)
    reply = compressed(lambda h: h.send_error(404), base=Page)
    assert reply.status_code == 404
    assert gzip.decompress(reply.body) == LONG.encode()
    assert length_is_right(reply)


def test_a_length_that_the_handler_has_set_is_that_of_the_plain_body() -> None:
    def verb(handler: Any, more: str = "") -> None:
        handler.set_header("Content-Length", len(LONG))
        handler.write(LONG + more)

    assert length_is_right(compressed(verb))
    with ExpectLog(APPLICATION_LOG, "Uncaught exception"):
        wrong = compressed(lambda h: verb(h, "more"))
    assert wrong.status_code == 500


def test_head_has_the_headers_of_get() -> None:
    get, head = (compressed(lambda h: h.write(LONG), method=m) for m in ("GET", "HEAD"))
    assert head.body == b""
    assert head.headers == get.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_tag_is_that_of_the_plain_body_and_answers_304(method: str) -> None:
    tag = compressed(lambda h: h.write(LONG)).headers["Etag"]
    assert tag == answer(lambda h: h.write(LONG)).headers["Etag"]
    reply = compressed(lambda h: h.write(LONG), ("If-None-Match", tag), method=method)
    assert reply.status_code == 304
    assert reply.headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in reply.headers
    assert "Content-Length" not in reply.headers


def test_204_is_left_alone() -> None:
    reply = compressed(lambda h: h.set_status(204))
    assert reply.status_code == 204
    assert "Content-Encoding" not in reply.headers


# Streams.


def test_a_client_can_read_at_once_what_is_flushed() -> None:
    def verb(handler: Any) -> None:
        handler.set_header("Content-Length", 9)
        for text in ("one", "two", "six"):
            handler.write(text)
            handler.flush()

    reply = compressed(verb)
    assert "Content-Length" not in reply.headers
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    parts = [stream.decompress(chunk) for chunk in reply.chunks]
    assert [part for part in parts if part] == [b"one", b"two", b"six"]
    assert stream.eof


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(lambda h: (h.flush(), h.write("a")), id="nothing first"),
        pytest.param(lambda h: (h.write("a"), h.flush(), h.flush()), id="nothing last"),
    ],
)
def test_a_flush_of_nothing_does_no_harm(step: Step) -> None:
    assert gzip.decompress(compressed(step).body) == b"a"


def test_an_asynchronous_handler_is_compressed_too() -> None:
    class Handler(RequestHandler):
        async def get(self) -> None:
            self.write("a")
            await self.flush()
            self.write("b")

    reply = call(Application([("/", Handler)], compress_response=True), headers=[GZIP])
    assert gzip.decompress(reply.body) == b"ab"


def test_head_of_a_stream_has_no_body() -> None:
    reply = compressed(lambda h: (h.write("a"), h.flush()), method="HEAD")
    assert reply.body == b""
    assert reply.headers["Content-Encoding"] == "gzip"


# Transforms of one's own.


def changing(
    status: int | None = None,
    added: bytes = b"",
    length: int | None = None,
    replaced: Sequence[tuple[str, str]] | None = None,
) -> type[OutputTransform]:
    """A transform that changes this much of a response."""

    class Changing(OutputTransform):
        def transform_first_chunk(
            self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
        ) -> tuple[int, HTTPHeaders, bytes]:
            chunk += added
            if replaced is not None:
                headers = HTTPHeaders()
                for name, value in replaced:
                    headers.add(name, value)
            if finishing and length is None:
                headers["Content-Length"] = str(len(chunk))
            elif length is not None:
                headers["Content-Length"] = str(length)
            return status or status_code, headers, chunk

    return Changing


def hello(
    transforms: Sequence[type[OutputTransform]],
    step: Step = lambda h: h.write("hello"),
    method: str = "GET",
) -> Answer:
    return answer(only_do(step), method, transforms=transforms)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_transforms_run_in_their_order(method: str) -> None:
    reply = hello([changing(added=b" a"), Upper, changing(added=b" b")], method=method)
    assert reply.text == "HELLO A b"
    assert reply.headers["X-Upper"] == "True"


def test_each_request_has_transforms_of_its_own() -> None:
    made: list[Any] = []

    class Counted(OutputTransform):
        def __init__(self, request: Any) -> None:
            super().__init__(request)
            made.append(request)

    application = Application(transforms=[Counted])
    call(application)
    call(application)
    assert len(set(map(id, made))) == 2


def test_further_chunks_are_transformed() -> None:
    reply = hello([Upper], lambda h: (h.write("a"), h.flush(), h.write("b")))
    assert reply.chunks == [b"A", b"B."]
    assert reply.headers["X-Upper"] == "False"


@pytest.mark.parametrize("is_flushed", [False, True], ids=["whole", "flushed"])
def test_a_transform_may_change_the_status(is_flushed: bool) -> None:
    statuses: list[int] = []

    class Handler(RequestHandler):
        def get(self) -> None:
            self.write("hello")
            if is_flushed:
                self.flush()

        def on_finish(self) -> None:
            statuses.append(self.get_status())

    reply = call(Application([("/", Handler)], transforms=[changing(418)]))
    assert reply.status == "418 I'm a Teapot"
    assert statuses == [418]


def test_a_transform_may_replace_all_headers() -> None:
    headers = [("X-A", "1"), ("X-A", "2"), ("Content-Type", "text/plain")]
    reply = hello([changing(replaced=headers), Upper])
    assert reply.headers.get_list("X-A") == ["1", "2"]
    assert reply.headers["Content-Length"] == "5"
    assert "Etag" not in reply.headers
    assert reply.text == "HELLO"


@pytest.mark.parametrize("length", [4, 6])
def test_a_length_that_a_transform_gets_wrong_is_500(length: int) -> None:
    with ExpectLog(APPLICATION_LOG, "Uncaught exception"):
        reply = hello([changing(length=length)])
    assert reply.status_code == 500
    assert "Server Error" in reply.text


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("is_flushed", [False, True], ids=["whole", "flushed"])
def test_a_transform_cannot_send_a_body_where_none_is_allowed(
    status: int, is_flushed: bool
) -> None:
    def step(handler: Any) -> None:
        if is_flushed:
            handler.flush()

    with ExpectLog(APPLICATION_LOG, "Uncaught exception"):
        reply = hello([changing(status, added=b"more")], step)
    assert reply.status_code == 500
    assert "Server Error" in reply.text


@pytest.mark.parametrize("status", [204, 304])
def test_a_transform_may_choose_a_status_without_a_body(status: int) -> None:
    reply = hello([changing(status)], lambda h: None)
    assert reply.status_code == status
    assert "Content-Length" not in reply.headers
    assert "Content-Type" not in reply.headers


class Failing(OutputTransform):
    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        raise ValueError("no chunk")


class NotMade(OutputTransform):
    def __init__(self, request: Any) -> None:
        raise ValueError("not made")


@pytest.mark.parametrize("transform", [Failing, NotMade])
def test_a_transform_that_fails_is_500(transform: type[OutputTransform]) -> None:
    with ExpectLog(APPLICATION_LOG, "Uncaught exception"):
        reply = hello([transform])
    assert reply.status_code == 500
    assert "no" not in reply.text
