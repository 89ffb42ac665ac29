"""Signatures of OAuth 1.0: the examples of RFC 5849, and their rules."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgitornado.auth.signature import base_string, escape, sign, sign_as_1_0

CONSUMER = {"key": "dpf43f3p2l4k3l03", "secret": "kd94hf93k423kf44"}
TOKEN = {"key": "nnch734d00sl2jdk", "secret": "pfkkdhi9sl3r4s00"}


def test_base_string_of_the_rfc() -> None:
    # Section 3.4.1.1. A dictionary has one "a3": the other is in the query.
    parameters = {
        "oauth_consumer_key": "9djdj82h48djs9d2",
        "oauth_token": "kkk9d7dh3k39sjv7",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": 137131201,
        "oauth_nonce": "7d8f3e4a",
        "c2": "",
        "a3": "2 q",
    }
    url = "http://example.com/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
    assert base_string("POST", url, parameters) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da"
        "%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_key%3D"
        "9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3D"
        "HMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )
    # Its erratum 2550.
    consumer, token = {"secret": "j49sk3j29djd"}, {"secret": "dh893hdasih9"}
    signature = sign(consumer, "POST", url, parameters, token)
    assert signature == b"r6/TJjbCOr97/+UU0NsvSne7s5g="


def test_signature_of_the_rfc_without_a_token() -> None:
    # Section 1.2: the request for temporary credentials.
    parameters = {
        "oauth_consumer_key": CONSUMER["key"],
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "137131200",
        "oauth_nonce": "wIjqoS",
        "oauth_callback": "http://printer.example.com/ready",
    }
    signature = sign(
        CONSUMER, "POST", "https://photos.example.net/initiate", parameters
    )
    assert signature == b"74KNZJeDHnMBp0EMJ9ZHt/XKycU="


@pytest.mark.parametrize("is_given_twice", [False, True], ids=["query", "twice"])
def test_signature_of_the_rfc_with_a_token(is_given_twice: bool) -> None:
    # Section 1.2: the request for the photo.
    parameters = {
        "oauth_consumer_key": CONSUMER["key"],
        "oauth_token": TOKEN["key"],
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": "137131202",
        "oauth_nonce": "chapoH",
    }
    if is_given_twice:
        # Those who knew that the query of a URL would not count.
        parameters |= {"file": "vacation.jpg", "size": "original"}
    url = "http://photos.example.net/photos?file=vacation.jpg&size=original"
    signature = sign(CONSUMER, "get", url, parameters, TOKEN)
    assert signature == b"MdpQcU8iPSUjWoN/UDMsK2sui9I="


def test_parameter_that_a_query_repeats_counts_each_time() -> None:
    names = base_string("GET", "http://h/?a=1&a=1&b=2", {"b": 2})
    assert unquote(names.split("&")[2]) == "a=1&a=1&b=2"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("HTTP://EXAMPLE.COM:80/r%20v/X?id=1", "http://example.com/r%20v/X"),
        ("https://www.example.net:8080/?q=1", "https://www.example.net:8080/"),
        ("https://a.example:443", "https://a.example/"),
        ("http://a.example:443/b", "http://a.example:443/b"),
        ("http://user:word@a.example/b;c=d#e", "http://a.example/b;c=d"),
        ("http://[::1]:80/", "http://[::1]/"),
    ],
)
def test_address_is_brought_into_one_form(url: str, address: str) -> None:
    # Section 3.4.1.2.
    assert unquote(base_string("GET", url, {}).split("&")[1]) == address


def test_parameters_are_sorted_as_they_are_encoded() -> None:
    # "~" stays as it is, and comes after what begins with "%".
    names = base_string("GET", "http://h/", {"~": 1, "é": 2, "a": b"\xff"})
    assert unquote(names.split("&")[2]) == "%C3%A9=2&a=%FF&~=1"


def test_version_1_0_does_not_encode_its_secrets() -> None:
    consumer, token = {"secret": "a&b"}, {"secret": "c"}
    plain = {"secret": "a"}, {"secret": "b&c"}
    assert sign_as_1_0(consumer, "GET", "http://h/", {}, token) == sign_as_1_0(
        plain[0], "GET", "http://h/", {}, plain[1]
    )
    assert sign(consumer, "GET", "http://h/", {}, token) != sign(
        plain[0], "GET", "http://h/", {}, plain[1]
    )


@given(st.text(st.characters(codec="utf-8")))
def test_escaped_text_is_unreserved_and_comes_back(text: str) -> None:
    escaped = escape(text)
    assert unquote(escaped) == text
    assert escaped == escape(text.encode())
    assert all(c.isalnum() or c in "-._~%" for c in escaped)
    assert escaped.isascii()
