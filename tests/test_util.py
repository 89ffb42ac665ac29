"""Imports by name, configurable classes, gunzip and the rest of ``util``."""

from __future__ import annotations

import asyncio
import builtins
import errno
import gc
import gzip
import os
import pickle
import re
import sys
import traceback
import weakref
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import tornado.util
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado import util
from wsgitornado.util import ArgReplacer, Configurable, ObjectDict, cached_property


def outcome(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a call gives: its result with its type, or the type of its exception."""
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        return type(error)
    return type(result), result


# The names


def test_every_public_name_of_tornado_exists() -> None:
    theirs = {
        name
        for name, value in vars(tornado.util).items()
        if not name.startswith("_")
        and getattr(value, "__module__", "") == "tornado.util"
    }
    # The doctests of Tornado's module, for its own test runner.
    assert theirs - {"doctests"} <= set(util.__all__)


def test_all_is_sorted_and_has_no_internal_name() -> None:
    assert sorted(util.__all__, key=str) == sorted(set(util.__all__))
    assert all(hasattr(util, name) for name in util.__all__)
    assert "cached_property" not in util.__all__


def test_old_type_names_are_python_3s() -> None:
    assert util.bytes_type is bytes
    assert util.unicode_type is util.basestring_type is str
    assert util.PY3
    assert util.u("é") == "é"
    assert util.b("\xff") == b"\xff"
    assert util.is_finalizing() is False


def test_timeout_error_is_the_one_that_everybody_raises() -> None:
    assert util.TimeoutError is builtins.TimeoutError is asyncio.TimeoutError
    assert tornado.util.TimeoutError is util.TimeoutError


# ObjectDict


def test_items_are_attributes() -> None:
    user = ObjectDict(name="Ada")
    user.role = "author"
    assert (user.name, user["role"], user) == (
        "Ada",
        "author",
        {"name": "Ada", "role": "author"},
    )


def test_missing_item_is_a_missing_attribute() -> None:
    user = ObjectDict()
    assert not hasattr(user, "name")
    with pytest.raises(AttributeError, match=r"^name$") as caught:
        user.name  # noqa: B018 - reading is the test
    assert caught.value.__suppress_context__


def test_object_dict_can_be_pickled() -> None:
    copy = pickle.loads(pickle.dumps(ObjectDict(a=1)))
    assert isinstance(copy, ObjectDict)
    assert copy.a == 1


# cached_property


class Page:
    calls = 0

    @cached_property
    def title(self) -> str:
        """The heading."""
        self.calls += 1
        return "Guestbook"

    def make_size(self) -> int:
        return 5

    size = cached_property(make_size)


def test_a_cached_property_is_computed_once_and_stored() -> None:
    page = Page()
    assert page.title == "Guestbook"
    assert page.title == "Guestbook"
    assert page.calls == 1
    assert vars(page)["title"] == "Guestbook"


def test_a_cached_property_can_be_set_and_deleted() -> None:
    page = Page()
    vars(page)["title"] = "Set"
    assert page.title == "Set"
    assert page.calls == 0
    del vars(page)["title"]
    assert page.title == "Guestbook"


def test_a_cached_property_is_stored_under_the_name_in_the_class() -> None:
    page = Page()
    assert page.size == 5
    assert vars(page) == {"size": 5}


def test_a_cached_property_of_the_class_is_the_descriptor() -> None:
    assert isinstance(Page.title, cached_property)
    assert Page.title.__doc__ == "The heading."


# import_object


@pytest.mark.parametrize(
    "name",
    ["os", "os.path", "os.path.join", "email.mime", "email.mime.text",
     "email.mime.text.MIMEText", "nope", "nope.x", "email.nope", "email.nope.x",
     "os.path.join.x", "", b"os"],
    ids=ascii,
)  # fmt: skip
def test_import_object_is_tornados(name: Any) -> None:
    ours = outcome(util.import_object, name)
    assert ours == outcome(tornado.util.import_object, name)


def test_a_missing_attribute_is_named() -> None:
    with pytest.raises(ImportError, match=r"module 'os.path' has no 'nope'") as caught:
        util.import_object("os.path.nope")
    assert caught.value.name == "os.path.nope"


# exec_in, raise_exc_info, errno_from_exception, re_unescape, timedelta_to_seconds


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("x = 1", id="text"),
        pytest.param(b"x = 1", id="bytes"),
        pytest.param(compile("x = 1", "here", "exec"), id="code"),
    ],
)
def test_exec_in_runs_code_in_a_namespace(code: Any) -> None:
    glob: dict[str, Any] = {}
    util.exec_in(code, glob)
    assert glob["x"] == 1


def test_exec_in_can_have_locals() -> None:
    glob: dict[str, Any] = {"y": 2}
    loc: dict[str, Any] = {}
    util.exec_in("x = y", glob, loc)
    assert loc == {"x": 2}
    assert "x" not in glob


def test_executed_code_does_not_inherit_future_imports() -> None:
    with pytest.raises(NameError):
        util.exec_in("def f(x: undefined): pass", {})


class Failure(Exception):
    pass


def fail() -> None:
    raise Failure("x")


def test_raise_exc_info_keeps_the_traceback_and_leaves_no_cycle() -> None:
    def exc_info() -> Any:
        try:
            fail()
        except Failure:
            return sys.exc_info()

    gc.disable()
    try:
        with pytest.raises(Failure) as caught:
            util.raise_exc_info(exc_info())
        names = [
            frame.name for frame in traceback.extract_tb(caught.value.__traceback__)
        ]
        assert "fail" in names
        error = weakref.ref(caught.value)
        del caught
        assert error() is None
    finally:
        gc.enable()


def test_raise_exc_info_without_exception_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="no exception"):
        util.raise_exc_info((None, None, None))


class WithoutNumber(Exception):
    errno = None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOENT, "x"), errno.ENOENT),
        (OSError("x"), None),
        (OSError(), None),
        (ValueError(5), 5),
        (ValueError(), None),
        (WithoutNumber(5), None),
    ],
    ids=repr,
)
def test_error_number(error: Exception, expected: int | None) -> None:
    assert util.errno_from_exception(error) == expected
    assert tornado.util.errno_from_exception(error) == expected


@given(st.text())
def test_re_unescape_undoes_escape(text: str) -> None:
    assert util.re_unescape(re.escape(text)) == text


@pytest.mark.parametrize(
    "text",
    [r"a\.b", r"\d", r"\\", "a\\", r"\-", r"\_", r"\0", r"\Z", "\\é", "\\\n", "", 3],
    ids=ascii,
)
def test_re_unescape_is_tornados(text: Any) -> None:
    ours = outcome(util.re_unescape, text)
    assert ours == outcome(tornado.util.re_unescape, text)


def test_a_duration_in_seconds() -> None:
    assert util.timedelta_to_seconds(timedelta(minutes=1, microseconds=5)) == 60.000005


# Configurable


class Family(Configurable):
    """A base with two implementations, the first by default."""

    got: tuple[tuple[Any, ...], dict[str, Any]]

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return Family

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        return First

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        self.got = (args, kwargs)


class First(Family):
    pass


class Second(Family):
    pass


class Inner(Family):
    """An implementation of Family that is itself a base."""

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return Inner

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        return Innermost


class Innermost(Inner):
    pass


class Alone(Configurable):
    """A base that is its own implementation and takes nothing."""

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        return Alone

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        return Alone


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    saved = Family._save_configuration(), Inner._save_configuration()
    yield
    Family._restore_configuration(saved[0])
    Inner._restore_configuration(saved[1])


def test_the_default_is_made_when_nothing_is_configured() -> None:
    instance = Family(1, a=2)
    assert type(instance) is First
    assert instance.got == ((1,), {"a": 2})
    assert type(Alone()) is Alone


def test_the_configured_class_is_made_with_its_arguments() -> None:
    Family.configure(Second, x=1, y=1)
    instance = Family(0, x=2)
    assert type(instance) is Second
    assert instance.got == ((0,), {"x": 2, "y": 1})
    assert Family.configured_class() is Second


def test_a_subclass_called_by_name_is_made_as_it_is() -> None:
    Family.configure(Second, x=1)
    assert type(First()) is First
    assert First().got == ((), {})
    assert Second().got == ((), {})


def test_a_class_can_be_configured_by_name() -> None:
    Family.configure(f"{__name__}.Second")
    assert Family.configured_class().__name__ == "Second"


def test_arguments_can_be_configured_for_the_default() -> None:
    Family.configure(None, x=1)
    assert type(Family()) is First
    assert Family().got == ((), {"x": 1})


@pytest.mark.parametrize("impl", [int, Alone, "builtins.int"], ids=repr)
def test_a_class_of_another_family_is_refused(impl: Any) -> None:
    with pytest.raises(ValueError, match=r"invalid subclass of .*Family"):
        Family.configure(impl)
    with pytest.raises(ValueError, match=r"invalid subclass of .*First"):
        First.configure(Second)


def test_configuration_can_be_saved_and_restored() -> None:
    Family.configure(Second, x=1)
    saved = Family._save_configuration()
    Family.configure(None)
    assert type(Family()) is First
    Family._restore_configuration(saved)
    assert Family().got == ((), {"x": 1})
    assert type(Family()) is Second


def test_a_base_below_a_base_makes_its_own_choice() -> None:
    Family.configure(Inner, outer=1)
    Inner.configure(None, inner=2)
    instance = Family(call=3)
    assert type(instance) is Innermost
    assert instance.got == ((), {"inner": 2, "outer": 1, "call": 3})
    assert Inner().got == ((), {"inner": 2})


def test_arguments_that_initialize_does_not_take_are_refused() -> None:
    with pytest.raises(TypeError):
        Alone(1)


@pytest.mark.parametrize(
    "method", [Configurable.configurable_base, Configurable.configurable_default]
)
def test_a_base_must_name_itself_and_a_default(method: Callable[[], object]) -> None:
    with pytest.raises(NotImplementedError, match="must define configurable_"):
        method()


# ArgReplacer


def function(a: Any, b: Any, c: Any = 3, *args: Any, d: Any = 4, **kwargs: Any) -> None:
    raise AssertionError("never called")


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        pytest.param("b", (1, 2), {}, id="by position"),
        pytest.param("b", (1,), {"b": 2}, id="by keyword"),
        pytest.param("b", (1,), {}, id="absent"),
        pytest.param("b", [1, 2], {"b": 7}, id="both"),
        pytest.param("d", (1, 2), {"d": 5}, id="keyword only"),
        pytest.param("args", (1, 2, 3, 4), {}, id="the rest"),
        pytest.param("unknown", (1, 2), {}, id="unknown"),
    ],
)
def test_arg_replacer_is_tornados(name: str, args: Any, kwargs: dict[str, Any]) -> None:
    ours = ArgReplacer(function, name)
    theirs = tornado.util.ArgReplacer(function, name)
    assert vars(ours) == vars(theirs)
    assert ours.get_old_value(args, kwargs, "default") == theirs.get_old_value(
        args, kwargs, "default"
    )
    our_kwargs, their_kwargs = dict(kwargs), dict(kwargs)
    replaced = ours.replace("new", args, our_kwargs)
    assert replaced == theirs.replace("new", args, their_kwargs)
    assert replaced[2] is our_kwargs


@pytest.mark.parametrize(
    "callable_",
    [len, dict.get, Page().make_size, int, 3],
    ids=["function", "method", "bound method", "class", "number"],
)
def test_the_argument_is_found_where_tornado_finds_it(callable_: Any) -> None:
    def position(replacer: Any) -> int | None:
        found: int | None = replacer(callable_, "key").arg_pos
        return found

    assert outcome(position, ArgReplacer) == outcome(position, tornado.util.ArgReplacer)


# GzipDecompressor

HELLO = gzip.compress(b"hello", mtime=0)
WORLD = gzip.compress(b"world" * 10, mtime=0)
EMPTY = gzip.compress(b"", mtime=0)


def inflate(data: bytes, chunk: int, max_length: int) -> bytes:
    decompressor = util.GzipDecompressor()
    output = []
    for start in range(0, len(data), chunk):
        unread = data[start : start + chunk]
        while unread:
            output.append(decompressor.decompress(unread, max_length))
            assert len(output[-1]) <= max_length
            unread = decompressor.unconsumed_tail
    output.append(decompressor.flush())
    return b"".join(output)


@given(
    parts=st.lists(st.binary(max_size=50), min_size=1, max_size=4),
    chunk=st.integers(1, 100),
    max_length=st.integers(1, 60),
)
def test_inflating_gives_the_content_however_it_is_cut(
    parts: list[bytes], chunk: int, max_length: int
) -> None:
    data = b"".join(gzip.compress(part) for part in parts)
    assert inflate(data, chunk, max_length) == b"".join(parts)


@pytest.mark.parametrize("max_length", [999, 1000, 1_000_000])
def test_content_larger_than_a_block_comes_back_whole(max_length: int) -> None:
    content = os.urandom(10_000) + bytes(50_000)
    assert inflate(gzip.compress(content) * 2, 20_000, max_length) == content * 2


def test_output_stops_at_the_limit_and_the_rest_of_the_input_is_kept() -> None:
    decompressor = util.GzipDecompressor()
    bomb = gzip.compress(bytes(1_000_000))
    assert decompressor.decompress(bomb, 1000) == bytes(1000)
    assert bomb.endswith(decompressor.unconsumed_tail)
    assert len(decompressor.unconsumed_tail) > 500
    with pytest.raises(ValueError, match="unconsumed_tail"):
        decompressor.flush()


def test_output_of_exactly_the_limit_leaves_nothing() -> None:
    decompressor = util.GzipDecompressor()
    assert decompressor.decompress(HELLO, 5) == b"hello"
    assert decompressor.unconsumed_tail == b""
    assert decompressor.flush() == b""


def test_inflating_without_limit_warns() -> None:
    decompressor = util.GzipDecompressor()
    with pytest.warns(DeprecationWarning, match="without max_length"):
        assert decompressor.decompress(HELLO + WORLD) == b"hello" + b"world" * 10


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(HELLO + WORLD, id="two members"),
        pytest.param(EMPTY * 5 + HELLO, id="empty members"),
        pytest.param(HELLO + b"garbage", id="garbage after a member"),
        pytest.param(HELLO + b"\0\0\0", id="zeros after a member"),
        pytest.param(HELLO + b"g", id="one byte after a member"),
        pytest.param(b"garbage", id="garbage"),
        pytest.param(zlib.compress(b"x"), id="zlib format"),
        pytest.param(HELLO[:-3], id="broken off in the trailer"),
        pytest.param(HELLO[:5], id="broken off in the header"),
        pytest.param(HELLO[:-8] + bytes(4) + HELLO[-4:], id="wrong checksum"),
    ],
)
def test_what_is_a_stream_is_what_tornado_takes(data: bytes) -> None:
    def inflated(decompressor: Any) -> bytes:
        output = b""
        unread = data
        while unread:
            output += decompressor.decompress(unread, 1000)
            unread = decompressor.unconsumed_tail
        return output + bytes(decompressor.flush())

    ours = outcome(inflated, util.GzipDecompressor())
    assert ours == outcome(inflated, tornado.util.GzipDecompressor())


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="max_length"):
        util.GzipDecompressor().decompress(HELLO, -1)


def test_many_tiny_members_are_inflated_in_one_call() -> None:
    # Were the rest copied for each of them, this would move 400 GB.
    decompressor = util.GzipDecompressor()
    assert decompressor.decompress(EMPTY * 200_000 + HELLO, 10) == b"hello"
    assert decompressor.unconsumed_tail == b""


# WebSocket masks


@given(st.binary(min_size=4, max_size=4), st.binary())
def test_masking_is_tornados_and_undoes_itself(mask: bytes, data: bytes) -> None:
    masked = util._websocket_mask(mask, data)
    assert masked == tornado.util._websocket_mask_python(mask, data)
    assert util._websocket_mask(mask, masked) == data


@pytest.mark.parametrize("mask", [b"", b"abc", b"abcde"])
def test_a_mask_of_another_length_is_refused(mask: bytes) -> None:
    with pytest.raises(ValueError, match="mask must be 4 bytes"):
        util._websocket_mask(mask, b"x")


def test_any_kind_of_bytes_can_be_masked() -> None:
    masked = util._websocket_mask(bytearray(b"abcd"), memoryview(b"hello"))  # type: ignore[arg-type]  # what a frame parser may hold
    assert masked == util._websocket_mask(b"abcd", b"hello")
