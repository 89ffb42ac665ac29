"""Bodies: read within their declared length, counted, and taken apart as forms."""

from __future__ import annotations

import copy
import gzip
import io
import os
import pickle
import shutil
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import multipart
import pytest
import tornado.httputil
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wsgitornado.httputil import body as body_module
from wsgitornado.httputil import forms as forms_module
from wsgitornado.httputil.body import (
    BodyLimits,
    ParseBodyConfig,
    ParseMultipartConfig,
    ParseUrlEncodedConfig,
    close_body,
    has_body,
    read_body,
    set_parse_body_config,
)
from wsgitornado.httputil.errors import HTTPInputError
from wsgitornado.httputil.forms import (
    HTTPFile,
    check_multipart,
    close_files,
    is_form,
    parse_body_arguments,
    parse_form,
    parse_multipart_form_data,
)
from wsgitornado.httputil.headers import HTTPHeaders
from wsgitornado.httputil.request import HTTPServerRequest

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
LIMITS = BodyLimits()
END = b"--x--\r\n"


class Input:
    """A wsgi.input that keeps count: what was asked for, and what was given."""

    def __init__(
        self, data: bytes, piece: int | None = None, fails: Exception | None = None
    ) -> None:
        self.stream = io.BytesIO(data)
        self.piece = piece
        self.fails = fails
        self.asked: list[int] = []
        self.given = 0

    def read(self, size: int) -> bytes:
        self.asked.append(size)
        chunk = self.stream.read(size if self.piece is None else min(size, self.piece))
        if not chunk and self.fails is not None:
            raise self.fails
        self.given += len(chunk)
        return chunk


def environ_of(
    data: bytes | Input, length: str | int | None = "as it is", **others: Any
) -> dict[str, Any]:
    source = data if isinstance(data, Input) else Input(data)
    environ = {"wsgi.input": source, **others}
    if length == "as it is":
        length = len(source.stream.getvalue())
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    return environ


def chunked(data: bytes | Input, **others: Any) -> dict[str, Any]:
    """What a server that undoes chunked coding hands over."""
    others = {"HTTP_TRANSFER_ENCODING": "chunked", **others}
    return environ_of(data, None, **{"wsgi.input_terminated": True}, **others)


def refused(environ: dict[str, Any], limits: BodyLimits = LIMITS) -> HTTPInputError:
    with pytest.raises(HTTPInputError) as caught:
        read_body(environ, limits)
    return caught.value


def part(
    disposition: str | bytes, content: bytes = b"v", *, headers: bytes = b""
) -> bytes:
    if isinstance(disposition, str):
        disposition = disposition.encode()
    return (
        b"--x\r\nContent-Disposition: " + disposition + b"\r\n" + headers + b"\r\n"
    ) + (content + b"\r\n")


def field_part(name: str = "a", content: bytes = b"v") -> bytes:
    return part(f'form-data; name="{name}"', content)


def file_part(content: bytes, filename: str = "f.bin", boundary: bytes = b"x") -> bytes:
    text = part(f'form-data; name="f"; filename="{filename}"', content)
    return b"--" + boundary + text[3:]


def spooled(data: bytes, memory: int) -> BinaryIO:
    """The body as the request has it: in memory, or in a file with ``memory=0``."""
    return read_body(environ_of(data), BodyLimits(memory=memory))


@pytest.fixture(params=[pytest.param(10**6, id="memory"), pytest.param(0, id="file")])
def spool(request: pytest.FixtureRequest) -> Any:
    """Makes spools of one kind, and closes them."""
    made = []

    def make(data: bytes) -> BinaryIO:
        made.append(spooled(data, request.param))
        return made[-1]

    yield make
    for each in made:
        each.close()


Spool = Callable[[bytes], BinaryIO]


class TestLimits:
    def test_defaults(self) -> None:
        assert (
            BodyLimits(
                max_body_size=104857600,
                memory=1114112,
                max_form_size=10485760,
                max_form_fields=1000,
                max_multipart_parts=100,
                max_part_header_size=10240,
                parse_multipart=True,
                decompress=False,
            )
            == BodyLimits()
        )

    def test_settings_name_them(self) -> None:
        limits = BodyLimits.from_settings(
            {
                "max_body_size": 1,
                "max_body_memory": 2,
                "max_form_size": 3,
                "max_form_fields": 4,
                "max_multipart_parts": 5,
                "max_part_header_size": 6,
                "parse_multipart": False,
                "decompress_request": True,
                "debug": True,
            }
        )
        assert limits == BodyLimits(1, 2, 3, 4, 5, 6, False, True)

    @pytest.mark.parametrize("value", [-1, 1.5, "10", None])
    def test_what_is_no_number_is_refused_at_start_up(self, value: object) -> None:
        with pytest.raises(ValueError, match=r"max_body_memory .* got"):
            BodyLimits.from_settings({"max_body_memory": value})

    def test_config_gives_the_defaults(self) -> None:
        former = body_module._config
        try:
            set_parse_body_config(
                ParseBodyConfig(
                    ParseMultipartConfig(False, 7, 8), ParseUrlEncodedConfig(9)
                )
            )
            limits = BodyLimits()
        finally:
            set_parse_body_config(former)
        assert limits == BodyLimits(
            max_form_fields=9,
            max_multipart_parts=7,
            max_part_header_size=8,
            parse_multipart=False,
        )

    def test_configs_are_tornados(self) -> None:
        for name in (
            "ParseBodyConfig",
            "ParseMultipartConfig",
            "ParseUrlEncodedConfig",
        ):
            ours, theirs = getattr(body_module, name), getattr(tornado.httputil, name)
            assert repr(ours()) == repr(theirs())


class TestHasBody:
    @pytest.mark.parametrize(
        ("environ", "expected"),
        [
            ({}, False),
            ({"CONTENT_LENGTH": ""}, False),
            ({"CONTENT_LENGTH": "0"}, False),
            ({"CONTENT_LENGTH": "3"}, True),
            ({"CONTENT_LENGTH": "x"}, True),
            ({"HTTP_TRANSFER_ENCODING": "chunked"}, True),
        ],
        ids=["nothing", "empty", "zero", "length", "invalid", "coding"],
    )
    def test_length_or_coding_announce_a_body(
        self, environ: dict[str, str], expected: bool
    ) -> None:
        assert has_body(environ) is expected


class TestReading:
    def test_body_is_read_in_one_call_and_never_beyond_its_length(self) -> None:
        source = Input(b"hello, and the next request")
        environ = environ_of(source, 5)
        assert read_body(environ, LIMITS).read() == b"hello"
        assert source.asked == [5]

    def test_body_in_memory_is_not_copied(self) -> None:
        data = b"x" * 1000
        environ = {"CONTENT_LENGTH": "1000", "wsgi.input": io.BytesIO(data)}
        spool = read_body(environ, LIMITS)
        assert isinstance(spool, io.BytesIO)
        assert spool.getvalue() is data

    def test_spool_replaces_the_input_for_everyone_after_us(self) -> None:
        environ = environ_of(b"hello")
        spool = read_body(environ, LIMITS)
        assert environ["wsgi.input"] is spool
        assert environ["CONTENT_LENGTH"] == "5"
        request = HTTPServerRequest(environ)
        assert request.is_body_readable
        assert request.is_body_seekable
        assert request.body == b"hello"

    def test_second_call_gives_the_same_from_the_start(self) -> None:
        source = Input(b"hello")
        environ = environ_of(source)
        first = read_body(environ, LIMITS)
        first.read()
        assert read_body(environ, LIMITS) is first
        assert first.tell() == 0
        assert source.asked == [5]

    def test_input_that_middleware_put_in_place_is_read_anew(self) -> None:
        environ = environ_of(b"hello")
        read_body(environ, LIMITS)
        environ |= {"wsgi.input": Input(b"other!"), "CONTENT_LENGTH": "6"}
        assert read_body(environ, LIMITS).read() == b"other!"

    @pytest.mark.parametrize("length", [None, "", "0", "000"])
    def test_without_a_length_nothing_is_read(self, length: str | None) -> None:
        source = Input(b"the next request")
        environ = environ_of(source, length)
        before = dict(environ)
        assert read_body(environ, LIMITS).read() == b""
        assert source.asked == []
        assert environ == before

    def test_without_length_and_coding_a_terminated_input_is_not_read(self) -> None:
        source = Input(b"anything")
        environ = environ_of(source, None, **{"wsgi.input_terminated": True})
        assert read_body(environ, LIMITS).read() == b""
        assert source.asked == []

    @pytest.mark.parametrize(
        "length",
        [
            "-1",
            "+5",
            "1_0",
            " 5",
            "5 ",
            "5,5",
            "0x5",
            "5.0",
            "\u0665",
            "\xb2",
            "9" * 21,
        ],
    )
    def test_length_that_is_no_number_is_400_and_nothing_is_read(
        self, length: str
    ) -> None:
        source = Input(b"hello")
        assert refused(environ_of(source, length)).status_code == 400
        assert source.asked == []

    def test_longest_number_is_only_too_large(self) -> None:
        assert refused(environ_of(b"", "9" * 20)).status_code == 413

    def test_declared_length_is_limited_before_reading(self) -> None:
        limits = BodyLimits(max_body_size=5)
        assert read_body(environ_of(b"12345"), limits).read() == b"12345"
        source = Input(b"123456")
        assert refused(environ_of(source), limits).status_code == 413
        assert source.asked == []

    @pytest.mark.parametrize("memory", [0, 3, 10, 10**6])
    @pytest.mark.parametrize("given_length", [0, 1, 9])
    def test_short_body_is_400(self, given_length: int, memory: int) -> None:
        environ = environ_of(b"123456789"[:given_length], 10)
        assert refused(environ, BodyLimits(memory=memory)).status_code == 400
        assert "wsgitornado.spool" not in environ

    @pytest.mark.parametrize(
        "error",
        [OSError("reset"), ValueError("bad chunk"), TimeoutError(), RuntimeError("?")],
        ids=lambda error: type(error).__name__,
    )
    @pytest.mark.parametrize("data", [b"", b"12345"], ids=["at once", "midway"])
    def test_whatever_the_input_raises_is_400(
        self, data: bytes, error: Exception
    ) -> None:
        environ = environ_of(Input(data, fails=error), 10)
        caught = refused(environ, BodyLimits(memory=2))
        assert caught.status_code == 400
        assert caught.__cause__ is error

    def test_input_that_says_more_is_heard(self) -> None:
        error = HTTPInputError("too slow", 408)
        assert refused(environ_of(Input(b"", fails=error), 10)) is error

    def test_input_that_gives_more_than_was_asked_is_400(self) -> None:
        class Generous(Input):
            def read(self, size: int) -> bytes:
                return super().read(size + 1)

        assert refused(environ_of(Generous(b"123456"), 5)).status_code == 400

    @pytest.mark.parametrize("memory", [0, 10])
    def test_input_that_gives_no_bytes_is_the_servers_fault(self, memory: int) -> None:
        class Text:
            def read(self, size: int) -> str:
                return "x" * size

        environ = {"wsgi.input": Text(), "CONTENT_LENGTH": "3"}
        with pytest.raises(TypeError, match="must return bytes: got str"):
            read_body(environ, BodyLimits(memory=memory))

    @pytest.mark.parametrize("memory", [0, 10, 10**6])
    def test_bytes_may_trickle(self, memory: int) -> None:
        data = bytes(range(256)) * 4
        source = Input(data + b"next", piece=1)
        spool = read_body(environ_of(source, 1024), BodyLimits(memory=memory))
        assert spool.read() == data
        assert source.given == 1024
        spool.close()

    @pytest.mark.parametrize("count", [1000, 10_000])
    def test_trickling_costs_one_read_a_byte(self, count: int) -> None:
        source = Input(b"x" * count, piece=1)
        read_body(environ_of(source), LIMITS)
        assert len(source.asked) == count


class TestServersThatTerminateInput:
    def test_chunked_body_is_read_to_its_end(self) -> None:
        environ = chunked(b"hello")
        assert read_body(environ, LIMITS).read() == b"hello"
        assert environ["CONTENT_LENGTH"] == "5"

    def test_empty_chunked_body_is_a_body(self) -> None:
        environ = chunked(b"")
        assert read_body(environ, LIMITS).read() == b""
        assert environ["CONTENT_LENGTH"] == "0"

    @pytest.mark.parametrize("memory", [0, 3, 10**6])
    def test_chunked_body_is_counted_while_reading(self, memory: int) -> None:
        limits = BodyLimits(max_body_size=10, memory=memory)
        spool = read_body(chunked(b"x" * 10), limits)
        assert spool.read() == b"x" * 10
        spool.close()
        source = Input(b"x" * 1000)
        assert refused(chunked(source), limits).status_code == 413
        assert source.given == 11

    @pytest.mark.parametrize("coding", ["chunked", "gzip", "identity"])
    def test_coding_that_the_server_left_in_is_501(self, coding: str) -> None:
        source = Input(b"5\r\nhello\r\n0\r\n\r\n")
        environ = environ_of(source, HTTP_TRANSFER_ENCODING=coding)
        assert refused(environ).status_code == 501
        assert source.asked == []

    def test_other_codings_than_chunked_are_501(self) -> None:
        environ = chunked(b"", HTTP_TRANSFER_ENCODING="gzip, chunked")
        assert refused(environ).status_code == 501

    def test_coding_is_matched_without_case(self) -> None:
        environ = chunked(b"hello", HTTP_TRANSFER_ENCODING=" Chunked ")
        assert read_body(environ, LIMITS).read() == b"hello"

    @pytest.mark.parametrize("memory", [0, 100])
    def test_body_longer_than_declared_is_400(self, memory: int) -> None:
        limits = BodyLimits(memory=memory)
        exact = environ_of(b"hello", 5, **{"wsgi.input_terminated": True})
        spool = read_body(exact, limits)
        assert spool.read() == b"hello"
        spool.close()
        longer = environ_of(b"hello!", 5, **{"wsgi.input_terminated": True})
        assert refused(longer, limits).status_code == 400


class TestSpool:
    @pytest.mark.parametrize("piece", [None, 1, 7])
    @pytest.mark.parametrize(
        ("size", "in_memory"), [(9, True), (10, True), (11, False), (200_000, False)]
    )
    @pytest.mark.parametrize("kind", [environ_of, chunked], ids=["length", "chunked"])
    def test_memory_holds_up_to_the_limit_and_a_file_the_rest(
        self,
        kind: Callable[[Input], dict[str, Any]],
        size: int,
        in_memory: bool,
        piece: int | None,
    ) -> None:
        data = os.urandom(size)
        spool = read_body(
            kind(Input(data, piece=piece and piece * size // 9)), BodyLimits(memory=10)
        )
        assert isinstance(spool, io.BytesIO) is in_memory
        assert spool.read() == data
        spool.seek(0)
        assert spool.read(3) == data[:3]
        spool.close()

    def test_file_has_no_name_in_the_file_system(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        environ = environ_of(b"12345")
        read_body(environ, BodyLimits(memory=0))
        assert list(tmp_path.iterdir()) == []
        close_body(environ)

    def test_closing_releases_the_file_and_may_be_repeated(self) -> None:
        environ = environ_of(b"12345")
        spool = read_body(environ, BodyLimits(memory=0))
        close_body(environ)
        close_body(environ)
        assert spool.closed

    def test_closing_leaves_memory_readable_and_needs_no_body(self) -> None:
        environ = environ_of(b"12345")
        spool = read_body(environ, LIMITS)
        close_body(environ)
        assert spool.read() == b"12345"
        close_body({})

    def test_disk_that_fails_is_not_the_clients_fault(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full() -> BinaryIO:
            raise OSError("no space left")

        monkeypatch.setattr(tempfile, "TemporaryFile", full)
        with pytest.raises(OSError, match="no space"):
            read_body(environ_of(b"12345"), BodyLimits(memory=0))


class TestCompressedBodies:
    inflating = BodyLimits(decompress=True, max_body_size=100_000, memory=1000)

    def gzipped(self, data: bytes, coding: str = "gzip") -> dict[str, Any]:
        return environ_of(data, HTTP_CONTENT_ENCODING=coding)

    def test_left_alone_unless_configured(self) -> None:
        data = gzip.compress(b"hello")
        environ = self.gzipped(data)
        assert read_body(environ, LIMITS).read() == data
        assert environ["HTTP_CONTENT_ENCODING"] == "gzip"

    @pytest.mark.parametrize("coding", ["deflate", "br", "identity", "gzip, gzip", ""])
    def test_other_codings_are_left_alone(self, coding: str) -> None:
        environ = self.gzipped(b"hello", coding)
        assert read_body(environ, self.inflating).read() == b"hello"
        assert environ["HTTP_CONTENT_ENCODING"] == coding

    @pytest.mark.parametrize("coding", ["gzip", "GZIP"])
    def test_inflated_when_configured(self, coding: str) -> None:
        environ = self.gzipped(gzip.compress(b"hello"), coding)
        assert read_body(environ, self.inflating).read() == b"hello"
        assert environ["CONTENT_LENGTH"] == "5"
        assert "HTTP_CONTENT_ENCODING" not in environ
        assert environ["HTTP_X_CONSUMED_CONTENT_ENCODING"] == coding

    @pytest.mark.parametrize("size", [0, 1, 1000, 1001, 65_536, 100_000])
    @pytest.mark.parametrize("make", [os.urandom, bytes], ids=["random", "zeros"])
    def test_any_size_is_inflated(
        self, make: Callable[[int], bytes], size: int
    ) -> None:
        data = make(size)
        compressed = gzip.compress(data)
        limits = BodyLimits(decompress=True, memory=1000)
        spool = read_body(self.gzipped(compressed), limits)
        assert isinstance(spool, io.BytesIO) is (size <= 1000)
        assert spool.read() == data
        spool.close()

    def test_size_is_limited_after_inflating(self) -> None:
        at_limit = read_body(self.gzipped(gzip.compress(bytes(10**5))), self.inflating)
        at_limit.close()
        environ = self.gzipped(gzip.compress(bytes(100_001)))
        assert refused(environ, self.inflating).status_code == 413

    def test_bomb_is_not_inflated_beyond_the_limit(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = []
        write = body_module._Spool.write

        def counting(spool: body_module._Spool, chunk: bytes) -> None:
            written.append(len(chunk))
            write(spool, chunk)

        bomb = self.gzipped(gzip.compress(bytes(20_000_000)))
        monkeypatch.setattr(body_module._Spool, "write", counting)
        assert refused(bomb, self.inflating).status_code == 413
        assert sum(written) <= 100_000 + body_module._CHUNK + len(gzip.compress(b""))

    def test_members_one_after_another_are_one_body(self) -> None:
        environ = self.gzipped(gzip.compress(b"a=1") + gzip.compress(b"&b=2"))
        assert read_body(environ, self.inflating).read() == b"a=1&b=2"

    @pytest.mark.parametrize(
        "data",
        [b"garbage", gzip.compress(b"hello")[:-1], gzip.compress(b"hello") + b"x" * 9],
        ids=["no gzip", "broken off", "followed by other bytes"],
    )
    def test_damaged_body_is_400(self, data: bytes) -> None:
        assert refused(self.gzipped(data), self.inflating).status_code == 400


class TestFormTypes:
    @pytest.mark.parametrize(
        "content_type",
        [URLENCODED, URLENCODED + "; charset=utf-8", URLENCODED.title(), MULTIPART],
    )
    def test_two_types_are_forms(self, content_type: str) -> None:
        assert is_form(content_type)

    @pytest.mark.parametrize(
        "content_type", ["", "text/plain", "multipart/mixed; boundary=x", "\xff"]
    )
    def test_any_other_body_is_no_form(self, content_type: str) -> None:
        assert not is_form(content_type)
        assert parse_form(content_type, b"a=1", LIMITS) == ({}, {})
        arguments: dict[str, list[bytes]] = {}
        parse_body_arguments(content_type, b"a=1", arguments, {})
        assert arguments == {}

    @pytest.mark.parametrize("content_type", [URLENCODED, MULTIPART])
    def test_compressed_form_is_refused(self, content_type: str) -> None:
        headers = HTTPHeaders({"Content-Encoding": "gzip"})
        with pytest.raises(HTTPInputError, match="Unsupported Content-Encoding: gzip"):
            parse_body_arguments(content_type, b"a=1", {}, {}, headers)
        with pytest.raises(HTTPInputError, match="Unsupported Content-Encoding: gzip"):
            parse_form(content_type, b"a=1", LIMITS, "gzip")

    def test_other_compressed_bodies_are_no_error(self) -> None:
        headers = HTTPHeaders({"Content-Encoding": "gzip"})
        parse_body_arguments("text/plain", b"", {}, {}, headers)
        assert parse_form("text/plain", b"", LIMITS, "gzip") == ({}, {})

    def test_headers_without_encoding_are_no_error(self) -> None:
        arguments: dict[str, list[bytes]] = {}
        parse_body_arguments(URLENCODED, b"a=1", arguments, {}, HTTPHeaders())
        assert arguments == {"a": [b"1"]}


class TestUrlencoded:
    @pytest.mark.parametrize(
        "body",
        [
            b"a=1&b=&c&a=2;d=3&=v&=&+x+=+y+",
            b"%ff=%fe&\xff=\xfe&%C3%A4=1",
            b"a=%zz&b=%4&%=%",
            b"a=1\x00\x01&b\x00=x",
            b"",
        ],
        ids=["empty ones", "no ASCII", "bad escapes", "controls", "nothing"],
    )
    def test_fields_are_those_of_tornado(self, body: bytes, spool: Spool) -> None:
        expected: dict[str, list[bytes]] = {}
        tornado.httputil.parse_body_arguments(URLENCODED, body, expected, {})
        ours: dict[str, list[bytes]] = {}
        parse_body_arguments(URLENCODED, body, ours, {})
        assert ours == expected
        assert parse_form(URLENCODED, body, LIMITS) == (expected, {})
        if body:
            assert parse_form(URLENCODED, spool(body), LIMITS) == (expected, {})

    def test_fields_are_added_to_what_is_there(self) -> None:
        arguments = {"a": [b"0"]}
        parse_body_arguments(URLENCODED, b"a=1&b=2", arguments, {})
        assert arguments == {"a": [b"0", b"1"], "b": [b"2"]}

    @pytest.mark.parametrize("body", [b"a=1&a=2&a=3", b"a&&"], ids=["full", "empty"])
    def test_number_of_fields_is_limited(self, body: bytes) -> None:
        parse_form(URLENCODED, body, BodyLimits(max_form_fields=3))
        with pytest.raises(HTTPInputError) as caught:
            parse_form(URLENCODED, body, BodyLimits(max_form_fields=2))
        assert caught.value.status_code == 400
        config = ParseBodyConfig(urlencoded=ParseUrlEncodedConfig(max_arguments=2))
        with pytest.raises(HTTPInputError, match="Max number of fields exceeded"):
            parse_body_arguments(URLENCODED, body, {}, {}, config=config)

    def test_size_is_limited(self, spool: Spool) -> None:
        body = spool(b"a=12345678")
        limits = BodyLimits(max_form_size=10)
        assert parse_form(URLENCODED, body, limits)[0] == {"a": [b"12345678"]}
        with pytest.raises(HTTPInputError) as caught:
            parse_form(URLENCODED, body, BodyLimits(max_form_size=9))
        assert caught.value.status_code == 413


def parsed(
    body: bytes, boundary: bytes = b"x", config: ParseMultipartConfig | None = None
) -> tuple[dict[str, list[bytes]], dict[str, list[Any]]]:
    arguments: dict[str, list[bytes]] = {}
    files: dict[str, list[HTTPFile]] = {}
    parse_multipart_form_data(boundary, body, arguments, files, config=config)
    return arguments, files


def parsed_by_tornado(
    body: bytes,
) -> tuple[dict[str, list[bytes]], dict[str, list[Any]]]:
    arguments: dict[str, list[bytes]] = {}
    files: dict[str, list[tornado.httputil.HTTPFile]] = {}
    tornado.httputil.parse_multipart_form_data(b"x", body, arguments, files)
    return arguments, files


class TestMultipart:
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(field_part() + END, id="one field"),
            pytest.param(field_part() + field_part("a", b"w") + END, id="same name"),
            pytest.param(field_part("\xe4") + END, id="utf-8 name"),
            pytest.param(field_part("a%22%0D") + END, id="percent in name"),
            pytest.param(field_part('a\\"b\\\\c') + END, id="escapes in name"),
            pytest.param(field_part(content=b"") + END, id="empty field"),
            pytest.param(field_part(content=b"v\r\n") + END, id="ends with line break"),
            pytest.param(part("form-data; name=a") + END, id="name without quotes"),
            pytest.param(part("form-data; name*=utf-8''%C3%A4") + END, id="name*"),
            pytest.param(
                field_part(content=b"a\r\n--y\r\n--xx\r\n--") + END,
                id="nearly a boundary",
            ),
            pytest.param(
                field_part(content=b"a\r\n--xfoo") + END, id="longer boundary"
            ),
            pytest.param(file_part(b"v") + END, id="file"),
            pytest.param(file_part(b"") + END, id="empty file"),
            pytest.param(file_part(b"v", "") + END, id="empty filename is a field"),
            pytest.param(file_part(b"v", "\xe4") + END, id="utf-8 filename"),
            pytest.param(file_part(b"v", "C:\\d\\b.txt") + END, id="path as filename"),
            pytest.param(file_part(b"v", 'a\\"b;c') + END, id="escape in filename"),
            pytest.param(file_part(b"v", "a%22b") + END, id="percent in filename"),
            pytest.param(
                part(
                    'form-data; name="f"; filename="b"',
                    headers=b"Content-Type: t/h\r\n",
                )
                + END,
                id="content type",
            ),
            pytest.param(
                part(
                    'form-data; name="f"; filename="b"',
                    headers=b"content-type:  text/html; charset=utf-8 \r\n",
                )
                + END,
                id="content type with charset",
            ),
            pytest.param(
                part("form-data; name=f; filename*=utf-8''%C3%A4.txt") + END,
                id="filename*",
            ),
            pytest.param(
                part("form-data; name=f; filename=q; filename*=utf-8''%C3%A4.txt")
                + END,
                id="filename and filename*",
            ),
            pytest.param(
                part('form-data; name="a"', b"dg==", headers=b"Content-Length: 9\r\n")
                + END,
                id="wrong length of a part is ignored",
            ),
            pytest.param(
                part(
                    'form-data; name="a"',
                    b"dg==",
                    headers=b"Content-Transfer-Encoding: base64\r\n",
                )
                + END,
                id="transfer encoding is ignored",
            ),
            pytest.param(field_part() + b"--x--", id="no line break at the end"),
            pytest.param(field_part() + END + b"garbage", id="epilogue"),
            pytest.param(END, id="no parts"),
        ],
    )
    def test_parts_are_those_of_tornado(self, body: bytes, spool: Spool) -> None:
        expected = parsed_by_tornado(body)
        assert parsed(body) == expected
        assert parse_form(MULTIPART, body, LIMITS) == expected
        assert parse_form(MULTIPART, spool(body), LIMITS) == expected

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"", "no final boundary"),
            (b"--x", "no final boundary"),
            (b"--x\r\n", "part header unfinished"),
            (field_part(), "no final boundary"),
            (field_part() + b"--x", "no final boundary"),
            (field_part() + b"--x-", "no final boundary"),
            (field_part() + b"--x\r\n", "part header unfinished"),
            (field_part() + b"--x--garbage", "no final boundary"),
            (b"--x garbage\r\n" + field_part()[5:] + b"--x-", "no final boundary"),
            ((field_part() + END).replace(b"\r", b""), "no final boundary"),
            (b"--x\r\n\r\nv\r\n" + END, "Missing Content-Disposition"),
            (b"--x\r\nContent-Type: t/h\r\n\r\nv\r\n" + END, "Content-Disposition"),
            (part("attachment; name=a") + END, "Wrong type"),
            (part("form-data") + END, "part without a name"),
            (part('form-data; name=""') + END, "part without a name"),
            (part('form-data; filename="b"') + END, "part without a name"),
            (part("form-data; name=\xe4".encode("latin-1")) + END, "failed to decode"),
            (part("form-data; name=a", headers=b"no colon\r\n") + END, "Malformed"),
            (part("form-data; name=a", headers=b"a b: c\r\n") + END, "header name"),
            (part("form-data; name=a", headers=b" folded\r\n") + END, "invalid char"),
            (part("form-data; name=a", headers=b"X: a\0b\r\n") + END, "invalid char"),
            (
                part("form-data; name=a", headers=b"X: a\nY: b\r\n") + END,
                "invalid char",
            ),
            (part("form-data; name=a", headers=b"X: a\rb\r\n") + END, "invalid char"),
            (
                part("form-data; name=a", headers=b"Content-Disposition: form-data\r\n")
                + END,
                "one Content-Disposition",
            ),
        ],
    )
    def test_malformed_body_is_400_and_adds_nothing(
        self, body: bytes, reason: str, spool: Spool
    ) -> None:
        arguments: dict[str, list[bytes]] = {}
        with pytest.raises(HTTPInputError, match=reason) as caught:
            parse_multipart_form_data(b"x", body, arguments, {})
        assert caught.value.status_code == 400
        assert arguments == {}
        if body:
            with pytest.raises(HTTPInputError, match=reason):
                parse_form(MULTIPART, spool(body), LIMITS)

    def test_text_before_the_first_boundary_is_ignored(self) -> None:
        body = b"--xyz is no boundary\r\n--xyz\r\n" + field_part() + END
        assert parsed(body)[0] == {"a": [b"v"]}

    def test_disposition_is_matched_without_case(self) -> None:
        assert parsed(part('FORM-DATA; NAME="a"') + END)[0] == {"a": [b"v"]}

    def test_results_are_added_to_what_is_there(self) -> None:
        arguments = {"a": [b"0"]}
        files = {"f": [HTTPFile(filename="0")]}
        body = field_part() + file_part(b"v") + END
        parse_multipart_form_data(b"x", body, arguments, files)
        assert arguments == {"a": [b"0", b"v"]}
        assert [file.filename for file in files["f"]] == ["0", "f.bin"]

    @pytest.mark.parametrize(
        ("content_type", "boundary"),
        [
            ('multipart/form-data; boundary="x"', b"x"),
            ("multipart/form-data; charset=utf-8;boundary=x;", b"x"),
            ("Multipart/Form-Data; Boundary=x", b"x"),
            ('multipart/form-data; boundary="a b"', b"a b"),
            ('multipart/form-data; boundary="a;b"', b"a;b"),
            ("multipart/form-data; boundary=a=b", b"a=b"),
            ("multipart/form-data; boundary=" + "b" * 1024, b"b" * 1024),
        ],
    )
    def test_boundary_is_found_in_the_type(
        self, content_type: str, boundary: bytes
    ) -> None:
        body = (field_part() + END).replace(b"--x", b"--" + boundary)
        arguments: dict[str, list[bytes]] = {}
        parse_body_arguments(content_type, body, arguments, {})
        assert arguments == {"a": [b"v"]}
        assert parse_form(content_type, body, LIMITS)[0] == {"a": [b"v"]}

    @pytest.mark.parametrize(
        "content_type",
        [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\xe4",
            "multipart/form-data; boundary=y",
            "multipart/form-data, boundary=x",
            "multipart/form-dataX; boundary=x",
            "multipart/form-data; xboundary=x",
            "multipart/form-data; boundary=" + "x" * 1025,
        ],
    )
    def test_type_without_its_boundary_is_400(self, content_type: str) -> None:
        with pytest.raises(
            HTTPInputError, match="Invalid multipart/form-data"
        ) as caught:
            parse_form(content_type, field_part() + END, LIMITS)
        assert caught.value.status_code == 400

    def test_public_parser_takes_quotes_off_the_boundary(self) -> None:
        assert parsed(field_part() + END, b'"x"')[0] == {"a": [b"v"]}

    @pytest.mark.parametrize("boundary", [b"", b'""', b"x\ny", b"x\r", b"x" * 1025])
    def test_boundary_that_cannot_be_one_is_400(self, boundary: bytes) -> None:
        with pytest.raises(HTTPInputError, match="invalid boundary"):
            parsed(field_part() + END, boundary)

    def test_number_of_parts_is_limited(self, spool: Spool) -> None:
        limits = BodyLimits(max_multipart_parts=3)
        parse_form(MULTIPART, spool(field_part() * 3 + END), limits)
        with pytest.raises(HTTPInputError, match="too many parts") as caught:
            parse_form(MULTIPART, spool(field_part() * 4 + END), limits)
        assert caught.value.status_code == 400

    def test_parts_are_limited_to_a_hundred(self) -> None:
        assert len(parsed(field_part() * 100 + END)[0]["a"]) == 100
        with pytest.raises(HTTPInputError, match="too many parts"):
            parsed(field_part() * 101 + END)

    def test_header_of_a_part_is_limited(self, spool: Spool) -> None:
        head = b'Content-Disposition: form-data; name="a"'
        body = field_part() + END
        at_limit = BodyLimits(max_part_header_size=len(head))
        assert parse_form(MULTIPART, spool(body), at_limit)[0] == {"a": [b"v"]}
        below = BodyLimits(max_part_header_size=len(head) - 1)
        with pytest.raises(HTTPInputError, match="part header too large") as caught:
            parse_form(MULTIPART, spool(body), below)
        assert caught.value.status_code == 400

    def test_many_short_header_lines_fit_into_the_limit(self) -> None:
        headers = b"".join(b"A%d: b\r\n" % number for number in range(900))
        assert parsed(part("form-data; name=a", headers=headers) + END)[0]

    def test_fields_are_limited_and_files_are_not_counted(self, spool: Spool) -> None:
        limits = BodyLimits(max_form_size=5)
        body = (
            field_part(content=b"12") + file_part(b"x" * 999) + field_part("b", b"123")
        )
        assert parse_form(MULTIPART, spool(body + END), limits)[0]["b"] == [b"123"]
        with pytest.raises(HTTPInputError) as caught:
            parse_form(MULTIPART, spool(body + field_part("c", b"4") + END), limits)
        assert caught.value.status_code == 413

    def test_parsing_can_be_disabled(self) -> None:
        body = field_part() + END
        with pytest.raises(HTTPInputError, match="disabled"):
            parse_form(MULTIPART, body, BodyLimits(parse_multipart=False))
        with pytest.raises(HTTPInputError, match="disabled"):
            parsed(body, config=ParseMultipartConfig(enabled=False))

    def test_process_wide_config_holds_for_the_public_functions(self) -> None:
        former = body_module._config
        set_parse_body_config(ParseBodyConfig(ParseMultipartConfig(max_parts=1)))
        try:
            with pytest.raises(HTTPInputError, match="too many parts"):
                parsed(field_part() * 2 + END)
            with pytest.raises(HTTPInputError, match="too many parts"):
                parse_body_arguments(MULTIPART, field_part() * 2 + END, {}, {})
        finally:
            set_parse_body_config(former)

    def test_lines_that_begin_like_the_boundary_are_limited(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(forms_module, "_MAX_LOOKALIKES", 6)
        content = b"\r\n--xy" * 3
        body = field_part("a", content) * 2
        assert parsed(body + END)[0] == {"a": [content, content]}
        with pytest.raises(HTTPInputError, match="too many lines"):
            parsed(body + field_part("b", b"\r\n--xy") + END)

    def test_body_that_any_server_hands_over_will_do(self, tmp_path: Path) -> None:
        body = field_part() + file_part(b"123") + END

        class Seekable(io.RawIOBase):
            def __init__(self) -> None:
                self.stream = io.BytesIO(body)

            def seek(self, offset: int, whence: int = 0) -> int:
                return self.stream.seek(offset, whence)

            def read(self, size: int = -1) -> bytes:
                return self.stream.read(size)

        (tmp_path / "body").write_bytes(body)
        with (
            tempfile.SpooledTemporaryFile() as rolled,
            (tmp_path / "body").open("rb") as named,
        ):
            rolled.write(body)
            for stream in (Seekable(), rolled, named):
                stream.read(2)
                arguments, files = parse_form(MULTIPART, stream, LIMITS)  # type: ignore[arg-type]  # any that reads and seeks
                assert arguments == {"a": [b"v"]}
                assert files["f"][0].body == b"123"


BOUNDARIES = st.from_regex(r"[0-9A-Za-z'()+_,./:=?-]{1,30}", fullmatch=True)


@st.composite
def uploads(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A boundary, and contents that are made of pieces of it."""
    boundary = draw(BOUNDARIES).encode()
    delimiter = b"\r\n--" + boundary
    ends = [b"", b"x", b"-", b"\r", b"\n", b"--x"]
    breaks = [b"\r", b"\n", b"\r\n", b"-", b"--"]
    pieces = st.sampled_from(
        [*breaks, boundary, delimiter[:-1], delimiter[2:]]
        + [delimiter + end for end in ends]
    )
    contents = st.lists(pieces | st.binary(max_size=20), max_size=12).map(b"".join)
    # What no reader can tell from a delimiter, and no client may send.
    real = [delimiter + b"\r\n"] + [
        delimiter + b"--" + after for after in (b"\r", b"\n", b" ", b"\t")
    ]
    possible = contents.filter(
        lambda content: not any(text in content + b"\r\n" for text in real)
    )
    return boundary, draw(st.lists(possible, min_size=1, max_size=3))


class TestUploadedContent:
    @given(uploads(), st.integers(1, 100), st.sampled_from([0, 10**6]))
    @example((b"x", [b"\r\n--x-", b"--x\r\n", b"\r\n--x\rfoo"]), 1, 0)
    @example((b"x", [b"a--x--\r\nb", b"\n--x\r\n", b"\r--x--"]), 1, 0)
    @settings(deadline=None)
    def test_comes_back_byte_for_byte(
        self, upload: tuple[bytes, list[bytes]], chunk: int, memory: int
    ) -> None:
        boundary, contents = upload
        body = b"".join(file_part(content, boundary=boundary) for content in contents)
        body += b"--" + boundary + b"--\r\n"
        with pytest.MonkeyPatch.context() as patch, spooled(body, memory) as spool:
            patch.setattr(forms_module, "_CHUNK", chunk)
            _, files = parse_form(
                f'multipart/form-data; boundary="{boundary.decode()}"', spool, LIMITS
            )
            assert [file.file.read() for file in files["f"]] == contents
            assert [file.body for file in files["f"]] == contents

    @pytest.mark.parametrize("chunk", range(1, 60))
    def test_comes_back_however_the_file_is_split(
        self, chunk: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = b"\r\n--\r\n--x-\r\n--xx\r\n--x\r--x--\r\n-"
        monkeypatch.setattr(forms_module, "_CHUNK", chunk)
        with spooled(file_part(content) * 2 + END, 0) as spool:
            _, files = parse_form(MULTIPART, spool, LIMITS)
            assert [file.body for file in files["f"]] == [content, content]

    def test_is_not_read_into_memory_by_parsing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        largest = 0
        read = forms_module._FileSource.read_some

        def counting(source: forms_module._FileSource, start: int, size: int) -> bytes:
            nonlocal largest
            chunk = read(source, start, size)
            largest = max(largest, len(chunk))
            return chunk

        monkeypatch.setattr(forms_module._FileSource, "read_some", counting)
        content = bytes(3_000_000)
        with spooled(file_part(content) + END, 0) as spool:
            _, files = parse_form(MULTIPART, spool, LIMITS)
            assert largest == body_module._CHUNK
            assert files["f"][0].body == content

    @pytest.mark.parametrize("kind", ["plain", "lookalikes", "parts"])
    def test_cost_grows_with_the_size_only(
        self, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def bytes_read(scale: int) -> int:
            total = 0
            read = forms_module._FileSource.read_some

            def counting(
                source: forms_module._FileSource, start: int, size: int
            ) -> bytes:
                nonlocal total
                chunk = read(source, start, size)
                total += len(chunk)
                return chunk

            if kind == "parts":
                body = file_part(bytes(100)) * (1000 * scale)
            else:
                content = bytes(10) if kind == "plain" else b"\r\n--xyyyyy"
                body = file_part(content * (10_000 * scale))
            limits = BodyLimits(max_multipart_parts=10**6)
            with spooled(body + END, 0) as spool, pytest.MonkeyPatch.context() as patch:
                patch.setattr(forms_module._FileSource, "read_some", counting)
                parse_form(MULTIPART, spool, limits)
            return total

        assert bytes_read(8) < 8.5 * bytes_read(1)


class TestNothingElseIsRaised:
    signs = b'\r \n \r\n \r\n\r\n \t \0 \xff -- ; " \\ = & :'.split(b" ")
    words = (
        b"Content-Disposition: form-data; name=a filename= filename*=utf-8''%FF text "
        b"Content-Type: content-length: 5 --x"
    )
    alphabet = st.sampled_from(
        [*signs, *words.split(), b" ", field_part(), file_part(b"content"), END]
    )

    @given(
        st.binary() | st.lists(alphabet, max_size=30).map(b"".join),
        st.sampled_from([MULTIPART, URLENCODED, "multipart/form-data"])
        | st.text(max_size=20).map("multipart/form-data; boundary=".__add__)
        | st.text(max_size=20),
    )
    @settings(deadline=None)
    def test_for_any_bytes_and_type(self, body: bytes, content_type: str) -> None:
        try:
            expected = parse_form(content_type, body, LIMITS)
        except HTTPInputError:
            expected = None
        if body:
            with spooled(body, 0) as spool:
                try:
                    assert parse_form(content_type, spool, LIMITS) == expected
                except HTTPInputError:
                    assert expected is None

    @given(
        st.binary(max_size=50),
        st.none() | st.text(max_size=5) | st.integers(-2, 60).map(str),
        st.sampled_from(["", "chunked", "x"]),
        st.booleans(),
        st.integers(1, 60),
    )
    @settings(deadline=None)
    def test_for_any_declaration(
        self, data: bytes, length: str | None, coding: str, ends: bool, piece: int
    ) -> None:
        source = Input(data, piece)
        environ = environ_of(source, length)
        environ |= {"HTTP_TRANSFER_ENCODING": coding, "wsgi.input_terminated": ends}
        try:
            spool = read_body(environ, BodyLimits(max_body_size=40, memory=20))
        except HTTPInputError:
            pass
        else:
            body = spool.read()
            spool.close()
            assert data.startswith(body)
            assert len(body) <= 40
            if length:
                assert len(body) == int(length)
        if not ends:
            is_number = length is not None and length.isascii() and length.isdigit()
            assert source.given <= (int(length or 0) if is_number else 0)


class TestHTTPFile:
    @pytest.fixture(params=["given", "memory", "file"])
    def upload(self, request: pytest.FixtureRequest) -> Any:
        """The same upload, from the three places where one can come from."""
        if request.param == "given":
            yield HTTPFile(filename="n", content_type="t/p", body=b"0123456789")
            return
        head = 'form-data; name="f"; filename="n"'
        body = part(head, b"0123456789", headers=b"Content-Type: t/p\r\n") + END
        with spooled(body, 0 if request.param == "file" else 10**6) as spool:
            yield parse_form(MULTIPART, spool, LIMITS)[1]["f"][0]

    plain = {"filename": "n", "content_type": "t/p", "body": b"0123456789"}

    @pytest.mark.parametrize(
        "look",
        [
            lambda file: (file.filename, file.body, file.content_type),
            lambda file: (file["filename"], file["body"], file["content_type"]),
            lambda file: (file.get("filename"), file.get("body"), file.get("x", 1)),
            lambda file: "body" in file and "filename" in file and "x" not in file,
            lambda file: sorted(file),
            lambda file: sorted(file.keys()),
            lambda file: {key: file[key] for key in reversed(file)},
            lambda file: sorted(map(str, file.values())),
            lambda file: sorted(file.items()),
            lambda file: len(file),
            lambda file: dict(file),
            lambda file: {**file},
            lambda file: file.copy(),
            lambda file: file | {"a": 1},
            lambda file: {"body": 1} | file,
            lambda file: file == TestHTTPFile.plain,
            lambda file: TestHTTPFile.plain == file,
            lambda file: file != TestHTTPFile.plain,
            lambda file: file == {},
            lambda file: copy.copy(file) == file,
            lambda file: copy.deepcopy(file) == file,
            lambda file: file.pop("body"),
            lambda file: (file.pop("body"), "body" in file, file.get("body")),
            lambda file: file.setdefault("body", 1),
            lambda file: file.setdefault("other", 1),
            lambda file: len([file.popitem(), file.popitem(), file.popitem()]),
            lambda file: (file.__setitem__("body", 1), dict(file)),
            lambda file: (file.__delitem__("body"), dict(file)),
            lambda file: (file.update(body=1, other=2), dict(file)),
            lambda file: (file.clear(), dict(file)),
            lambda file: (file.__setattr__("other", 2), dict(file)),
        ],
    )
    def test_works_as_tornados(
        self, upload: HTTPFile, look: Callable[[Any], object]
    ) -> None:
        theirs = tornado.httputil.HTTPFile(self.plain)
        assert look(upload) == look(theirs)

    def test_missing_keys_are_errors_as_in_a_dictionary(self, upload: HTTPFile) -> None:
        with pytest.raises(KeyError):
            upload["other"]
        with pytest.raises(AttributeError):
            upload.other  # noqa: B018  # the access is what is tested

    def test_is_made_like_a_dictionary(self) -> None:
        assert HTTPFile() == {}
        assert HTTPFile({"body": b"1"}).body == b"1"
        with pytest.raises(AttributeError):
            HTTPFile().body  # noqa: B018  # the access is what is tested
        with pytest.raises(TypeError):
            hash(HTTPFile())

    def test_pickles_whole(self, upload: HTTPFile) -> None:
        loaded = pickle.loads(pickle.dumps(upload))
        assert type(loaded) is HTTPFile
        assert loaded == upload == self.plain
        assert loaded.file.read() == b"0123456789"

    def test_file_reads_and_seeks(self, upload: HTTPFile) -> None:
        file = upload.file
        assert file is upload.file
        assert (file.readable(), file.seekable()) == (True, True)
        assert file.read(3) == b"012"
        assert file.tell() == 3
        assert file.seek(-2, os.SEEK_END) == 8
        assert file.read() == b"89"
        assert file.seek(2) == 2
        assert file.seek(2, os.SEEK_CUR) == 4
        assert file.read(1) == b"4"
        assert file.seek(50) == 50
        assert file.read() == b""
        with pytest.raises(ValueError, match="negative seek"):
            file.seek(-1)
        file.seek(0)
        target = io.BytesIO()
        shutil.copyfileobj(file, target)
        assert target.getvalue() == upload.body
        upload.close()
        assert file.closed

    def test_content_is_read_when_it_is_asked_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with spooled(file_part(b"0123456789") + END, 0) as spool:
            upload = parse_form(MULTIPART, spool, LIMITS)[1]["f"][0]
            reads = []
            read = forms_module._FileSource.read
            monkeypatch.setattr(
                forms_module._FileSource,
                "read",
                lambda *args: reads.append(args) or read(*args),  # type: ignore[func-returns-value]  # for its effect
            )
            assert upload.filename == "f.bin"
            assert upload.get("content_type") == "application/unknown"
            assert repr(upload) == "<HTTPFile 'f.bin', 10 bytes>"
            assert upload.file.read() == b"0123456789"
            assert reads == []
            assert upload.body == upload["body"] == b"0123456789"
            assert len(reads) == 1
            assert "0123456789" in repr(upload)

    def test_files_of_one_body_do_not_disturb_one_another(self) -> None:
        body = file_part(b"first") + file_part(b"second") + END
        with spooled(body, 0) as spool:
            first, second = parse_form(MULTIPART, spool, LIMITS)[1]["f"]
            assert first.file.read(2) == b"fi"
            assert second.file.read(3) == b"sec"
            spool.seek(7)
            assert first.file.read() == b"rst"
            assert second.file.read() == b"ond"
            assert spool.tell() == 7

    def test_large_upload_is_gone_when_the_request_has_ended(self) -> None:
        environ = environ_of(file_part(b"0123456789") + END)
        spool = read_body(environ, BodyLimits(memory=0))
        upload = parse_form(MULTIPART, spool, LIMITS)[1]["f"][0]
        close_body(environ)
        with pytest.raises(ValueError, match="closed file"):
            upload.body  # noqa: B018  # the access is what is tested
        with pytest.raises(ValueError, match="closed file"):
            upload.file.read()

    def test_upload_in_memory_outlives_the_request(self) -> None:
        environ = environ_of(file_part(b"0123456789") + END)
        spool = read_body(environ, LIMITS)
        upload = parse_form(MULTIPART, spool, LIMITS)[1]["f"][0]
        close_files({"f": [upload]})
        close_body(environ)
        assert upload.body == b"0123456789"

    def test_opened_files_are_closed_together(self) -> None:
        body = file_part(b"first") + file_part(b"second") + END
        with spooled(body, 0) as spool:
            files = parse_form(MULTIPART, spool, LIMITS)[1]
            opened = files["f"][0].file
            close_files(files)
            assert opened.closed
            assert not spool.closed


class TestTheLibrary:
    def test_installed_one_is_accepted(self) -> None:
        check_multipart(multipart)

    def test_python_multipart_in_its_place_is_named(self) -> None:
        module = types.ModuleType("multipart")
        module.__dict__.update(QuerystringParser=object, __file__="/somewhere/there.py")
        with pytest.raises(
            ImportError, match=r"/somewhere/there.py .*python-multipart: uninstall"
        ):
            check_multipart(module)

    def test_old_release_is_named(self) -> None:
        with pytest.raises(ImportError, match=r"older than 1.2"):
            check_multipart(types.ModuleType("multipart"))
