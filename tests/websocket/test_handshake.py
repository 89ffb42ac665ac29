"""The opening handshake, both sides: keys, lists, extensions, refusals."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado.httputil import HTTPHeaders
from wsgitornado.websocket.errors import WebSocketError
from wsgitornado.websocket.handshake import (
    accept_key,
    check_answer,
    check_fields,
    check_request,
    format_extension,
    is_same_origin,
    make_key,
    request_fields,
    split_extensions,
    split_list,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def headers(**changes: str | None) -> HTTPHeaders:
    fields: dict[str, str | None] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Accept": accept_key(KEY),
    }
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    made = HTTPHeaders()
    for name, value in fields.items():
        if value is not None:
            made[name] = value
    return made


def test_key_of_the_rfc_is_accepted_as_there() -> None:
    assert accept_key(KEY) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_keys_are_sixteen_random_bytes() -> None:
    keys = {make_key() for _ in range(20)}
    assert len(keys) == 20
    assert {len(base64.b64decode(key)) for key in keys} == {16}


@pytest.mark.parametrize(
    "changes",
    [{}, {"Upgrade": "WebSocket"}, {"Connection": "keep-alive, UPGRADE"}],
    ids=["as always", "case of Upgrade", "one of several options"],
)
def test_request_for_an_upgrade_is_taken(changes: dict[str, str]) -> None:
    assert check_request(headers(**changes)) is None
    assert check_fields(headers(**changes)) is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Upgrade": None}, 'Can "Upgrade" only to "WebSocket".'),
        ({"Upgrade": "h2c"}, 'Can "Upgrade" only to "WebSocket".'),
        ({"Connection": None}, '"Connection" must be "Upgrade".'),
        ({"Connection": "keep-alive"}, '"Connection" must be "Upgrade".'),
    ],
    ids=["no Upgrade", "another protocol", "no Connection", "no upgrade asked"],
)
def test_request_without_an_upgrade_is_refused(
    changes: dict[str, str | None], text: str
) -> None:
    refusal = check_request(headers(**changes))
    assert refusal is not None
    assert (refusal.status_code, refusal.text) == (400, text)


@pytest.mark.parametrize("version", [None, "", "12", "8", "13, 8"])
def test_other_versions_are_told_which_one_is_spoken(version: str | None) -> None:
    refusal = check_fields(headers(Sec_WebSocket_Version=version))
    assert refusal is not None
    assert refusal.status_code == 426
    assert refusal.headers == (("Sec-WebSocket-Version", "13"),)


@pytest.mark.parametrize(
    "key",
    [None, "", "abc", "dGhlIHNhbXBsZSBub25jZ", "dGhlIHNhbXBsZSBub25jZ!==", "AA=="],
)
def test_key_that_is_none_is_refused(key: str | None) -> None:
    refusal = check_fields(headers(Sec_WebSocket_Key=key))
    assert refusal is not None
    assert (refusal.status_code, refusal.text) == (
        400,
        "Missing/Invalid WebSocket headers",
    )


@pytest.mark.parametrize(
    ("origin", "is_same"),
    [
        ("http://a.example:8888", True),
        ("https://A.Example:8888", True),
        ("http://a.example", False),
        ("http://b.example:8888", False),
        ("http://a.example:8888.evil", False),
        ("null", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_origin_is_compared_with_the_host(origin: str, is_same: bool) -> None:
    assert is_same_origin(origin, "a.example:8888") is is_same


@pytest.mark.parametrize("host", [None, ""])
def test_no_origin_is_that_of_no_host(host: str | None) -> None:
    assert not is_same_origin("null", host)


@pytest.mark.parametrize(
    ("value", "members"),
    [("", []), ("a", ["a"]), (" a ,, b,c ", ["a", "b", "c"])],
)
def test_list_is_split(value: str, members: list[str]) -> None:
    assert split_list(value) == members


@pytest.mark.parametrize(
    ("value", "extensions"),
    [
        ("", []),
        ("x", [("x", {})]),
        ('x; a; b=1; c="2", y', [("x", {"a": None, "b": "1", "c": "2"}), ("y", {})]),
        ("x; a; a", []),
        ("x; =1, y", [("y", {})]),
        ('x; a="b c"', []),
        ("x; a=", []),
    ],
    ids=["none", "a name", "values", "twice", "no name", "no token", "no value"],
)
def test_extensions_are_split(
    value: str, extensions: list[tuple[str, dict[str, str | None]]]
) -> None:
    assert split_extensions(value) == extensions


TOKENS = st.text("abcXYZ019-_", min_size=1, max_size=8)


@given(TOKENS, st.dictionaries(TOKENS, st.none() | TOKENS, max_size=4))
def test_extension_survives_its_header(
    name: str, parameters: dict[str, str | None]
) -> None:
    assert split_extensions(format_extension((name, parameters))) == [
        (name, parameters)
    ]


@given(st.text(max_size=60))
def test_any_header_is_split(value: str) -> None:
    for name, parameters in split_extensions(value):
        assert isinstance(name, str)
        assert all(parameters)


# The client's side


def test_request_names_what_the_client_wants() -> None:
    fields = request_fields(KEY, ["a", "b"], [("x", {"y": None})])
    assert fields == [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Protocol", "a, b"),
        ("Sec-WebSocket-Extensions", "x; y"),
    ]
    assert request_fields(KEY) == fields[:4]


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a\r\nb", "é"])
def test_subprotocol_is_a_token(name: str) -> None:
    with pytest.raises(ValueError, match="a subprotocol is a token"):
        request_fields(KEY, [name])


def test_answer_tells_the_subprotocol() -> None:
    assert check_answer(headers(), KEY) is None
    answer = headers(Sec_WebSocket_Protocol="b")
    assert check_answer(answer, KEY, ["a", "b"]) == "b"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"Upgrade": None}, "Upgrade: websocket"),
        ({"Upgrade": "h2c"}, "Upgrade: websocket"),
        ({"Connection": "close"}, "Connection: Upgrade"),
        ({"Sec_WebSocket_Accept": None}, "Sec-WebSocket-Accept of the server is wrong"),
        ({"Sec_WebSocket_Accept": KEY}, "Sec-WebSocket-Accept of the server is wrong"),
        ({"Sec_WebSocket_Protocol": "c"}, "'c', which was not offered"),
    ],
)
def test_bad_answer_is_an_error(changes: dict[str, str | None], error: str) -> None:
    with pytest.raises(WebSocketError, match=error):
        check_answer(headers(**changes), KEY, ["a", "b"])
