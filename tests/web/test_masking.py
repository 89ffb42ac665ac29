"""The mask over tracebacks: secrets vanish from texts, and little else."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import make_environ
from wsgitornado.httputil import HTTPServerRequest
from wsgitornado.web.masking import (
    MASKED,
    Mask,
    hide_query,
    name_is_secret,
    secrets_of,
)
from wsgitornado.web.signing import create_signed_value

SECRET = "tr0ub4dor"


def mask_of(
    settings: dict[str, Any] | None = None,
    target: str = "/",
    headers: list[tuple[str, str]] | None = None,
    path_kwargs: dict[str, Any] | None = None,
    new_cookies: tuple[str, ...] = (),
    form: bytes | None = None,
) -> Mask:
    environ = make_environ(target, "POST", headers or (), form)
    if form is not None:
        environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
    request = HTTPServerRequest(environ)
    if form is not None:
        request.read_body()
    return Mask(secrets_of(request, settings or {}, path_kwargs or {}, new_cookies))


# Where secrets come from.


@pytest.mark.parametrize(
    "settings",
    [
        {"cookie_secret": SECRET},
        {"cookie_secret": SECRET.encode()},
        {"cookie_secret": {1: "another one", 2: SECRET}},
        {"google_oauth": {"key": "identity", "secret": SECRET}},
        {"mail_passwords": ["first one", (SECRET,)]},
        {"API_KEY": SECRET},
    ],
    ids=repr,
)
def test_secret_settings_are_hidden(settings: dict[str, Any]) -> None:
    assert mask_of(settings).hide(f"x{SECRET}y") == f"x{MASKED}y"


@pytest.mark.parametrize(
    "settings",
    [
        {"title": SECRET},
        {"cookie_secret": None},
        {"token_days": 1234567},
        {"secrets": {"a": [{"b": [[SECRET]]}]}},
    ],
    ids=["another name", "none", "no text", "too deep"],
)
def test_other_settings_are_not(settings: dict[str, Any]) -> None:
    text = f"{SECRET} None 1234567"
    assert mask_of(settings).hide(text) == text


def test_setting_that_holds_itself_is_no_trouble() -> None:
    settings: dict[str, Any] = {"secret": SECRET}
    settings["again"] = settings
    assert mask_of(settings).hide(SECRET) == MASKED


BASIC = base64.b64encode(f"ada:{SECRET}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "secrets"),
    [
        (("Cookie", f"a=b; session={SECRET}; c=d"), [SECRET]),
        (("Cookie", f'session="{SECRET}"'), [SECRET]),
        (("Cookie", r'session="tr0\07354dor"'), ["tr0;54dor"]),
        (("Cookie", SECRET), [SECRET]),
        (("Authorization", f"Bearer {SECRET}"), [SECRET]),
        (("Authorization", f"Basic {BASIC}"), [BASIC, SECRET, f"ada:{SECRET}"]),
        (("Authorization", "Basic \xff!"), ["Basic \xff!"]),
        (("Proxy-Authorization", f"bearer  {SECRET} "), [SECRET]),
        (("X-Xsrftoken", SECRET), [SECRET]),
        (("X-Api-Key", SECRET), [SECRET]),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_secret_headers_are_hidden(header: tuple[str, str], secrets: list[str]) -> None:
    mask = mask_of(headers=[header])
    for secret in secrets:
        assert mask.hide(f"x {secret} y") == f"x {MASKED} y"


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_in_a_signed_cookie_is_hidden(version: int) -> None:
    signed = create_signed_value("key of signing", "name", SECRET, version=version)
    mask = mask_of(headers=[("Cookie", f"name={signed.decode()}")])
    assert mask.hide(SECRET) == MASKED
    assert mask.hide(signed.decode()) == MASKED


def test_ordinary_headers_are_not_hidden() -> None:
    assert mask_of(headers=[("Referer", SECRET)]).hide(SECRET) == SECRET


def test_cookies_of_the_response_are_hidden() -> None:
    mask = mask_of(new_cookies=(f"session={SECRET}; Path=/; HttpOnly",))
    assert mask.hide(f"{SECRET} Path=/; HttpOnly") == f"{MASKED} Path=/; HttpOnly"


@pytest.mark.parametrize(
    "arguments",
    [
        {"target": f"/?a=1&password={SECRET}"},
        {"target": f"/?reset_token=%20{SECRET}%20"},
        {"form": f"Password={SECRET}".encode()},
        {"path_kwargs": {"token": SECRET}},
    ],
    ids=["query", "query with blanks", "form", "path"],
)
def test_secret_arguments_are_hidden(arguments: dict[str, Any]) -> None:
    assert mask_of(**arguments).hide(SECRET) == MASKED


@pytest.mark.parametrize(
    "arguments",
    [
        {"target": f"/?name={SECRET}"},
        {"form": f"name={SECRET}".encode()},
        {"path_kwargs": {"name": SECRET, "token": None}},
    ],
    ids=["query", "form", "path"],
)
def test_other_arguments_are_not(arguments: dict[str, Any]) -> None:
    assert mask_of(**arguments).hide(SECRET) == SECRET


def test_path_group_that_is_no_text_is_no_trouble() -> None:
    assert mask_of(path_kwargs={"token": 1234567}).hide("1234567") == "1234567"


def test_query_of_too_many_fields_hides_the_rest_all_the_same() -> None:
    mask = mask_of({"cookie_secret": SECRET}, target="/?" + "a&" * 1001)
    assert mask.hide(SECRET) == MASKED


@pytest.mark.parametrize(
    "name",
    [
        *("_xsrf", "apiKey", "AUTH_CODE", "csrf_token", "id_token", "jwt", "password"),
        *("passphrase", "PHPSESSID", "pwd", "sessionid", "sid", "signature"),
        *("Authorization", "Cookie", "Set-Cookie", "X-Csrftoken"),
    ],
)
def test_name_is_one_of_a_secret(name: str) -> None:
    assert name_is_secret(name)


@pytest.mark.parametrize(
    "name", ["q", "author", "authors", "keyword", "Accept", "Referer", "side", "page"]
)
def test_name_is_none_of_a_secret(name: str) -> None:
    assert not name_is_secret(name)


# How they are found.


@pytest.mark.parametrize("length", [5, 6])
def test_secret_counts_from_six_characters_on(length: int) -> None:
    secret = SECRET[:length]
    assert Mask([secret]).hide(secret) == (secret if length == 5 else MASKED)


def test_secret_in_another_one_does_not_break_it() -> None:
    assert Mask(["secret", "my secret key"]).hide("my secret key") == MASKED


AWKWARD = "a'b\"c\\d é/+ ☃"


@pytest.mark.parametrize("secret", [AWKWARD, AWKWARD.encode()], ids=["text", "bytes"])
@pytest.mark.parametrize(
    "spell",
    [
        str,
        repr,
        ascii,
        lambda text: repr([text + "'\""]),
        lambda text: repr(text.encode()),
        json.dumps,
        quote,
        lambda text: quote(text, safe=""),
        quote_plus,
    ],
    ids=[
        *("text", "repr", "ascii", "repr of more", "repr of bytes", "JSON"),
        *("in a path", "in a query", "in a form"),
    ],
)
def test_spelling_of_a_secret_is_found(secret: str | bytes, spell: Any) -> None:
    shown = Mask([secret]).hide(f"x{spell(AWKWARD)}y")
    assert MASKED in shown
    assert "c" not in shown
    assert "d" not in shown.replace(MASKED, "")


@pytest.mark.parametrize("length", [10_000, 10_001])
def test_spelling_of_ten_thousand_bytes_is_found(length: int) -> None:
    secret = b"/" * length
    mask = Mask([secret])
    assert mask.hide(secret.decode()) == MASKED
    assert (mask.hide(quote(secret, safe="")) == MASKED) == (length == 10_000)


def test_header_is_found_as_wsgi_has_it_too() -> None:
    mask = Mask([AWKWARD.encode()])
    assert mask.hide(AWKWARD.encode().decode("latin-1")) == MASKED


def test_lone_surrogate_in_a_secret_is_no_trouble() -> None:
    assert Mask(["secret\ud800"]).hide("secret\ud800!") == f"{MASKED}!"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("postgres://ada:pw@host/db", f"postgres://ada:{MASKED}@host/db"),
        ("redis://:pw@host", f"redis://:{MASKED}@host"),
        ("http://host:80/a@b", None),
        (
            "GET /a?x=1&token=abc&y=2 HTTP/1.1",
            f"GET /a?x=1&token={MASKED}&y=2 HTTP/1.1",
        ),
        ("/a?user_password=abc#d", f"/a?user_password={MASKED}#d"),
        ("/a?q=token", None),
        ("a & key = b", None),
        ('connect(password="abc", port=1)', f"connect(password='{MASKED}', port=1)"),
        ("SECRET_KEY = b'a\\'b'", f"SECRET_KEY = b'{MASKED}'"),
        ("{'api_key': 'abc'}", f"{{'api_key': '{MASKED}'}}"),
        ('environ["TOKEN"] = "abc"', f"environ[\"TOKEN\"] = '{MASKED}'"),
        ('token = ""', None),
        ("KeyError: 'password'", None),
        ("InvalidToken: 'abc'", None),
        ('get_argument("token")', None),
        ('password = "unfinished', None),
    ],
)
def test_surroundings_tell_a_secret(text: str, hidden: str | None) -> None:
    assert Mask([]).hide(text) == (text if hidden is None else hidden)


@pytest.mark.parametrize(
    ("query", "hidden"),
    [
        ("", ""),
        ("a=b&c", "a=b&c"),
        ("token=abc&a=b", f"token={MASKED}&a=b"),
        ("%74oken=abc", f"%74oken={MASKED}"),
        ("token", "token"),
        ("a=token", "a=token"),
    ],
)
def test_query_is_shown_without_secret_values(query: str, hidden: str) -> None:
    assert hide_query(query) == hidden


# Texts that are too long.


def test_text_is_cut_after_its_length() -> None:
    assert Mask([]).hide_and_cut("abcd", 4) == "abcd"
    assert Mask([]).hide_and_cut("abcde", 4) == "abcd… (5 characters in all)"
    assert Mask([]).hide_and_cut("x" * 5000, 4) == "xxxx… (5,000 characters in all)"


def test_text_is_folded_in_its_middle() -> None:
    assert Mask([]).hide_and_fold("abcdef", 6) == "abcdef"
    folded = "abc\n… (7 characters in all) …\nefg"
    assert Mask([]).hide_and_fold("abcdefg", 6) == folded
    folded = "aaa\n… (8,000 characters in all) …\nbbb"
    assert Mask([]).hide_and_fold("a" * 4000 + "b" * 4000, 6) == folded


@given(
    before=st.integers(0, 60),
    times=st.integers(0, 30),
    between=st.integers(0, 3),
    length=st.integers(1, 40),
)
def test_no_cut_leaves_a_part_of_a_secret(
    before: int, times: int, between: int, length: int
) -> None:
    mask = Mask(["QRSTUVWXYZ"])
    text = "-" * before + ("QRSTUVWXYZ" + "-" * between) * times
    for shown in (mask.hide_and_cut(text, length), mask.hide_and_fold(text, length)):
        assert not set("QRSTUVWXYZ").intersection(shown)
        assert len(shown) <= length + 40


@pytest.mark.parametrize(
    "piece", ["://a:", "?token", "&a=token;", "password='", 'token="']
)
def test_masking_costs_no_more_than_the_length(piece: str) -> None:
    # A cost that grew with the square would take minutes.
    text = piece * (1_000_000 // len(piece))
    assert len(Mask([]).hide(text)) > 0
