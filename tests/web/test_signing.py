"""Signed values: read and written as Tornado does, whatever a client sends."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tornado.web
from hypothesis import given, settings
from hypothesis import strategies as st

from wsgitornado.testing import ExpectLog
from wsgitornado.web import signing
from wsgitornado.web.signing import (
    create_signed_value,
    decode_signed_value,
    get_signature_key_version,
)

NOW = 1_300_000_000
DAY = 86400
KEYS: dict[int, str | bytes] = {0: "zero", 1: b"one", -3: "minus", 12: "a longer one"}

# What v1 logs about a bad value is the subject of its own tests.
LINE = r"(Invalid|Expired|Tampered) cookie|Cookie timestamp"

# Names of cookies are ASCII; Tornado counts the characters of others, not their bytes.
names = st.text(alphabet="ab|:0129=-_.", max_size=20)
names_in_bytes = names.map(lambda name: name.encode("ascii"))
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
values = texts | st.binary(max_size=100)
secrets = texts | st.binary(max_size=80)
# Not 0: a time that begins with a zero is a sign of tampering in version 1.
times = st.integers(1, 10**11)


def at(seconds: float) -> Callable[[], float]:
    return lambda: seconds


def signed_v2(unsigned: str | bytes, key: bytes = b"secret") -> bytes:
    """What somebody who has the key could make of any text."""
    if isinstance(unsigned, str):
        unsigned = unsigned.encode("utf-8")
    return unsigned + hmac.digest(key, unsigned, "sha256").hex().encode()


def signed_v1(value: bytes, timestamp: bytes, name: bytes = b"n") -> bytes:
    signature = hmac.digest(b"secret", name + value + timestamp, "sha1").hex()
    return b"|".join([value, timestamp, signature.encode()])


def read(value: Any, now: float = NOW, **arguments: Any) -> bytes | None:
    """The answer of ours, and Tornado's must be the same."""
    ours = decode_signed_value("secret", "n", value, clock=at(now), **arguments)
    theirs = tornado.web.decode_signed_value(
        "secret", "n", value, clock=at(now), **arguments
    )
    assert ours == theirs
    return ours


@pytest.fixture
def quiet_v1() -> Iterator[None]:
    with ExpectLog("wsgitornado.general", LINE, required=False):
        yield


# The formats


@settings(deadline=None)
@given(secrets, names | names_in_bytes, values, times, st.sampled_from([1, 2, None]))
def test_values_are_tornados_byte_for_byte_and_read_by_both(
    secret: str | bytes,
    name: str | bytes,
    value: str | bytes,
    now: int,
    version: int | None,
) -> None:
    ours = create_signed_value(secret, name, value, version, at(now + 0.7))
    theirs: Any = tornado.web  # its stubs take a str for the name
    assert ours == theirs.create_signed_value(
        secret, name, value, version, at(now + 0.7)
    )
    plain = value.encode() if isinstance(value, str) else value
    for read_by in (decode_signed_value, theirs.decode_signed_value):
        assert read_by(secret, name, ours, clock=at(now)) == plain


@settings(deadline=None)
@given(st.sampled_from(sorted(KEYS)), names | names_in_bytes, values, times)
def test_values_signed_with_one_of_several_keys_are_tornados(
    key_version: int, name: str | bytes, value: str | bytes, now: int
) -> None:
    arguments: Any = {"clock": at(now), "key_version": key_version}
    ours = create_signed_value(KEYS, name, value, **arguments)
    theirs: Any = tornado.web
    assert ours == theirs.create_signed_value(KEYS, name, value, **arguments)
    plain = value.encode() if isinstance(value, str) else value
    for read_by in (decode_signed_value, theirs.decode_signed_value):
        assert read_by(KEYS, name, ours, clock=at(now)) == plain
    assert get_signature_key_version(ours) == key_version
    assert get_signature_key_version(ours.decode("utf-8")) == key_version
    assert tornado.web.get_signature_key_version(ours) == key_version


def test_a_name_beyond_ascii_is_counted_in_bytes() -> None:
    value = create_signed_value("secret", "caf\xe9", "v", clock=at(NOW))
    assert value.startswith(b"2|1:0|10:1300000000|5:caf\xc3\xa9|")
    assert decode_signed_value("secret", "caf\xe9", value, clock=at(NOW)) == b"v"


def test_constants_are_tornados() -> None:
    for name in signing.__all__:
        if name.endswith("VERSION"):
            assert getattr(signing, name) == getattr(tornado.web, name)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 200])
def test_a_key_of_any_length_signs_as_rfc_2104_says(size: int) -> None:
    key = bytes(range(size))
    value = create_signed_value(key, "n", "v")
    assert value == signed_v2(value[:-64], key)


def test_a_key_version_beside_a_single_key_is_written_into_the_value() -> None:
    value = create_signed_value("secret", "n", "v", key_version=7)
    assert get_signature_key_version(value) == 7
    assert decode_signed_value("secret", "n", value) == b"v"


def test_the_clock_of_the_machine_is_the_default() -> None:
    for version in (1, 2):
        value = create_signed_value("secret", "n", "v", version=version)
        assert decode_signed_value("secret", "n", value) == b"v"
        assert tornado.web.decode_signed_value("secret", "n", value) == b"v"


# What is refused


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.usefixtures("quiet_v1")
def test_a_change_of_any_bit_or_length_is_noticed(version: int) -> None:
    value = create_signed_value("secret", "n", "some value", version, at(NOW))
    changed = [
        value[:place] + bytes([value[place] ^ 1 << bit]) + value[place + 1 :]
        for place in range(len(value))
        for bit in range(8)
    ]
    changed += [value[:place] + value[place + 1 :] for place in range(len(value))]
    changed += [value[:place] + b"0" + value[place:] for place in range(len(value) + 1)]
    changed += [value + b"|", value + b" ", b" " + value, value * 2, value.upper()]
    for text in changed:
        assert read(text) is None, text


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.usefixtures("quiet_v1")
def test_another_name_or_another_key_is_refused(version: int) -> None:
    value = create_signed_value("secret", "n", "v", version, at(NOW))
    assert decode_signed_value("secret", "m", value, clock=at(NOW)) is None
    assert decode_signed_value("secreT", "n", value, clock=at(NOW)) is None


def test_the_name_is_bound_by_its_length() -> None:
    value = create_signed_value("secret", "n|4:dg==", "v", clock=at(NOW))
    assert decode_signed_value("secret", "n", value, clock=at(NOW)) is None


def test_the_key_of_another_version_is_refused() -> None:
    value = create_signed_value(KEYS, "n", "v", key_version=1)
    assert decode_signed_value({0: "zero", 1: "other"}, "n", value) is None
    assert decode_signed_value({0: "zero"}, "n", value) is None
    assert decode_signed_value({}, "n", value) is None


def test_old_keys_are_read_as_long_as_they_are_kept() -> None:
    old = create_signed_value({1: "a"}, "n", "v", key_version=1)
    assert decode_signed_value({1: "a", 2: "b"}, "n", old) == b"v"
    assert decode_signed_value({2: "b"}, "n", old) is None


def test_a_value_of_version_1_has_no_place_among_several_keys() -> None:
    value = create_signed_value("zero", "n", "v", version=1)
    assert decode_signed_value(KEYS, "n", value) is None
    assert get_signature_key_version(value) is None


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.usefixtures("quiet_v1")
@pytest.mark.parametrize(
    ("age", "days", "is_read"),
    [
        (31 * DAY, 31, True),
        (31 * DAY + 1, 31, False),
        (DAY, 1, True),
        (DAY + 0.5, 1, False),
        (0, 0, True),
        (0.5, 0, False),
        (10**9, 365 * 100, True),
        (10**9, float("inf"), True),
        (-5, 31, True),
    ],
)
def test_a_value_is_read_until_it_is_too_old(
    version: int, age: float, days: float, is_read: bool
) -> None:
    value = create_signed_value("secret", "n", "v", version, at(NOW))
    assert (read(value, NOW + age, max_age_days=days) == b"v") is is_read


def test_min_version_refuses_what_is_older() -> None:
    first = create_signed_value("secret", "n", "v", version=1, clock=at(NOW))
    second = create_signed_value("secret", "n", "v", version=2, clock=at(NOW))
    assert read(first, min_version=1) == read(second, min_version=1) == b"v"
    assert read(first, min_version=2) is None
    assert read(second, min_version=2) == b"v"


# Version 1, whose fields are not bound by length


@pytest.mark.parametrize(
    ("ahead", "is_read"), [(31 * DAY, True), (31 * DAY + 1, False)]
)
def test_version_1_of_the_far_future_is_refused(ahead: int, is_read: bool) -> None:
    value = signed_v1(b"dg==", b"%d" % (NOW + ahead))
    with ExpectLog("wsgitornado.general", "Cookie timestamp in future", not is_read):
        assert (read(value) == b"v") is is_read


def test_version_2_of_the_future_is_read_as_in_tornado() -> None:
    assert read(create_signed_value("secret", "n", "v", clock=at(NOW * 5))) == b"v"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (signed_v1(b"dg==", b"01300000000"), "Tampered cookie b'dg"),
        (signed_v1(b"dg==", b"130000000"), "Expired cookie b'dg"),
        (signed_v1(b"dg==", b"1300000000")[:-1] + b"x", "Invalid cookie signature b'"),
        (b"a|b|" + b"c" * 1000, r"Invalid cookie signature b'a\|b\|c{96}'$"),
    ],
    ids=["zero in front of the time", "old", "signature", "long"],
)
def test_version_1_says_in_the_log_why_it_is_refused(value: bytes, line: str) -> None:
    with ExpectLog("wsgitornado.general", line):
        assert read(value) is None


@pytest.mark.usefixtures("quiet_v1")
def test_digits_moved_from_the_value_into_the_time_are_noticed() -> None:
    # "+000" is Base64, and Tornado would take +0001300000000 for a time.
    for end in (b"0000", b"1230", b"+000", b"9999"):
        _, timestamp, signature = signed_v1(b"QWRh" + end, b"1300000000").split(b"|")
        for count in range(1, 5):
            moved = [
                b"QWRh" + end[:-count],
                end[-count:] + timestamp,
                signature,
            ]
            value = b"|".join(moved)
            assert decode_signed_value("secret", "n", value, clock=at(NOW)) is None


@pytest.mark.usefixtures("quiet_v1")
@pytest.mark.parametrize(
    "timestamp",
    [
        b"",
        b"x",
        b"+1300000000",
        b" 1300000000",
        b"1300_000000",
        b"-5",
        b"1.3e9",
        b"9" * 20,
        b"9" * 21,
        b"9" * 10000,
    ],
    ids=lambda timestamp: timestamp[:20].decode() or "empty",
)
def test_version_1_with_an_odd_time_is_refused(timestamp: bytes) -> None:
    value = signed_v1(b"dg==", timestamp)
    assert decode_signed_value("secret", "n", value, clock=at(NOW)) is None


# Correctly signed, and yet no value


@pytest.mark.parametrize(
    "unsigned",
    [
        "2|",
        "2|1:0|",
        "2|1:0|10:1300000000|1:n|",
        "2|1:0|10:1300000000|1:n|4:dg==",
        "2|1:0|10:1300000000|1:n|4:dg==|0:|",
        "2|1:0|10:1300000000|1:n|4:dg==|x",
        "2|1:0|10:1300000000|1:n|4:dg=|",
        "2|1:0|10:1300000000|1:n|3:dg=|",
        "2|1:0|10:1300000000|1:n|1:d|",
        "2|1:0|10:1300000000|1:n|-1:dg==|",
        "2|1:0|10:1300000000|2:n|4:dg==|",
        "2|1:0|9:1300000000|1:n|4:dg==|",
        "2|2:0|10:1300000000|1:n|4:dg==|",
        "2|1:x|10:1300000000|1:n|4:dg==|",
        "2|0:|10:1300000000|1:n|4:dg==|",
        "2|2:\u0660|10:1300000000|1:n|4:dg==|",
        "2|1:0|0:|1:n|4:dg==|",
        "2|1:0|5:1e300|1:n|4:dg==|",
        f"2|1:0|5000:{'9' * 5000}|1:n|4:dg==|",
        f"2|5000:{'9' * 5000}|10:1300000000|1:n|4:dg==|",
        f"2|1:0|10:1300000000|{'9' * 18}:n|4:dg==|",
        f"2|1:0|10:1300000000|{'9' * 20}:n|4:dg==|",
        f"2|1:0|10:1300000000|{'9' * 10000}:n|4:dg==|",
        "3|1:0|10:1300000000|1:n|4:dg==|",
        "02|1:0|10:1300000000|1:n|4:dg==|",
        "+2|1:0|10:1300000000|1:n|4:dg==|",
        "\u0662|1:0|10:1300000000|1:n|4:dg==|",
    ],
    ids=lambda unsigned: ascii(unsigned[:50]),
)
def test_what_does_not_have_the_form_is_refused_though_signed(unsigned: str) -> None:
    assert read(signed_v2(unsigned)) is None
    for value in (signed_v2(unsigned, b"zero"), unsigned):
        assert decode_signed_value(KEYS, "n", value, clock=at(NOW)) is None


@pytest.mark.parametrize(
    "unsigned",
    [
        "2|1:0|11:1300000_000|1:n|4:dg==|",
        "2|1:0|11: 1300000000|1:n|4:dg==|",
        "2|1:0|11:+1300000000|1:n|4:dg==|",
        "2|3:0_0|10:1300000000|1:n|4:dg==|",
        "2|+1:0|10:1300000000|1:n|4:dg==|",
    ],
)
def test_numbers_count_only_as_they_are_written(unsigned: str) -> None:
    value = signed_v2(unsigned)
    assert tornado.web.decode_signed_value("secret", "n", value, clock=at(NOW)) == b"v"
    assert decode_signed_value("secret", "n", value, clock=at(NOW)) is None


@pytest.mark.parametrize("value", [b"ZGc", b"ZA", b"Z", b"12", b"1", b"999"])
def test_version_1_that_is_no_base64_is_refused(value: bytes) -> None:
    assert read(signed_v1(value, b"1300000000")) is None


# Anything else


@pytest.mark.parametrize("value", [None, "", b""], ids=repr)
def test_no_value_is_none(value: str | bytes | None) -> None:
    assert decode_signed_value("secret", "n", value) is None
    assert get_signature_key_version(value) is None


@pytest.mark.parametrize("value", [5, 1.5, True, bytearray(b"2|")], ids=repr)
def test_what_is_no_text_is_the_programmers_mistake(value: Any) -> None:
    with pytest.raises(TypeError):
        decode_signed_value("secret", "n", value)


digits_and_bars = st.text(alphabet="0123456789|:-+_ =nvd\u0661\ud800\xff", max_size=60)


@pytest.mark.usefixtures("quiet_v1")
@settings(deadline=None)
@given(
    st.text()
    | st.binary()
    | digits_and_bars
    | digits_and_bars.map(lambda text: "2|1:0|10:1300000000|" + text)
)
def test_no_text_raises(value: str | bytes) -> None:
    secrets: list[signing.Secret] = ["secret", KEYS]
    for secret in secrets:
        assert decode_signed_value(secret, "n", value, clock=at(NOW)) is None
    assert isinstance(get_signature_key_version(value), int | None)


@pytest.mark.parametrize(
    ("value", "key_version"),
    [
        ("2|1:5|10:1300000000|1:n|4:dg==|", 5),
        ("2|2:-1|4:1300|1:n|0:|and no signature", -1),
        ("2|1:5|4:1300|1:n|0:x|", None),
        ("2|1:5|4:130x|1:n|0:|", None),
        ("1|1:5|10:1300000000|1:n|4:dg==|", None),
        ("dg==|1300000000|6a32", None),
        ("\ud800", None),
    ],
    ids=ascii,
)
def test_the_key_version_is_read_without_the_key(
    value: str, key_version: int | None
) -> None:
    assert get_signature_key_version(value) == key_version


# The programmer's mistakes


def test_mistakes_raise_what_tornado_raises() -> None:
    several: dict[int, str | bytes] = {0: "a"}
    with pytest.raises(ValueError, match="Unsupported version 3"):
        create_signed_value("secret", "n", "v", version=3)
    with pytest.raises(ValueError, match="Unsupported min_version 3"):
        decode_signed_value("secret", "n", "v", min_version=3)
    with pytest.raises(AssertionError, match="Key version must be set"):
        create_signed_value(several, "n", "v")
    with pytest.raises(AssertionError, match="version 1"):
        create_signed_value(several, "n", "v", version=1, key_version=0)
    with pytest.raises(KeyError):
        create_signed_value(several, "n", "v", key_version=1)


@pytest.mark.parametrize("secret", [None, 5, [], {0: None}], ids=repr)
def test_a_secret_of_another_type_is_a_type_error(secret: Any) -> None:
    with pytest.raises(TypeError):
        create_signed_value(secret, "n", "v", key_version=0)
    with pytest.raises(TypeError):
        decode_signed_value(secret, "n", create_signed_value("secret", "n", "v"))


def test_the_keys_that_are_remembered_are_limited() -> None:
    for number in range(100):
        create_signed_value(f"secret {number}", "n", "v")
    assert signing._hashes_of.cache_info().currsize <= 32
