"""Signing in by OAuth 1.0: the cookie, and answers that are not what they should be."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any
from urllib.parse import quote

import pytest

from tests.auth_programs import SETTINGS, rules
from tests.auth_stage import OURS, Page, Site, made, on_stage, play
from wsgitornado.auth import OAuthMixin
from wsgitornado.auth.answers import MOST_BYTES
from wsgitornado.testing import ExpectLog

pytest.importorskip("httpx")

COOKIE = '_oauth_request_token="cnQr|cnM9"'
BACK = "/oauth?oauth_token=rt%2B&oauth_verifier=v"
TWITTER_BACK = "/twitter?oauth_token=rt%2B&oauth_verifier=v"
FORM = b"oauth_token=rt%2B&oauth_token_secret=rs%3D"
ANSWERS = {
    "/request_token": (200, FORM),
    "/access_token": (200, b"oauth_token=at&oauth_token_secret=as"),
}
CREDENTIALS = "/twitter/account/verify_credentials.json"


def encoded(*texts: bytes) -> str:
    joined = "|".join(base64.b64encode(text).decode() for text in texts)
    return f'_oauth_request_token="{joined}"'


@pytest.mark.parametrize(
    ("headers", "settings", "attributes"),
    [
        ((), {}, "HttpOnly; Path=/; SameSite=Lax"),
        (
            ("X-Forwarded-Proto: https",),
            {"xheaders": True},
            "HttpOnly; Path=/; SameSite=Lax; Secure",
        ),
    ],
    ids=["http", "https"],
)
def test_cookie_is_for_us_alone(
    headers: tuple[str, ...], settings: dict[str, Any], attributes: str
) -> None:
    async def act(site: Site) -> tuple[Page, Page]:
        there = await site.get("/oauth", "", *headers)
        return there, await site.get(BACK, COOKIE, *headers)

    there, back = on_stage(rules, act, ANSWERS, **settings)
    assert there.cookies == [f"_oauth_request_token=cnQr|cnM9; {attributes}"]
    assert back.cookies == [f'_oauth_request_token=""; expires=...; {attributes}']


@pytest.mark.parametrize(
    ("cookie", "message"),
    [
        pytest.param("", "Missing OAuth request token cookie", id="none"),
        pytest.param(
            encoded(b"other", b"s"), "Request token does not match cookie", id="other"
        ),
        pytest.param(
            encoded("é".encode(), b"s"),
            "Request token does not match cookie",
            id="no ASCII",
        ),
        *(
            pytest.param(cookie, "Malformed OAuth request token cookie", id=name)
            for name, cookie in {
                "one part": encoded(b"rt+"),
                "three parts": encoded(b"rt+", b"s", b"t"),
                "no base 64": '_oauth_request_token="a|b"',
                "no text": encoded(b"\xff", b"\xff"),
            }.items()
        ),
    ],
)
def test_browser_must_bring_the_token_that_it_was_given(
    cookie: str, message: str
) -> None:
    with ExpectLog("wsgitornado.general", f"400 GET .*{message}"):
        page, seen = play(rules, BACK, cookie, ANSWERS)
    assert (page.status, page.text) == (400, f"AuthError: {message}")
    assert seen == []
    assert len(page.cookies) == bool(cookie)


def test_token_must_come_along() -> None:
    def without_token(*args: Any) -> Any:
        async def get(self: Any) -> None:
            await self.get_authenticated_user()

        return [("/", made(OURS, "OAuthMixin", get=get))]

    with ExpectLog("wsgitornado.general", "400 GET .*Missing argument"):
        page, _ = play(without_token, "/", COOKIE)
    assert page.status == 400


@pytest.mark.parametrize("path", ["/request_token", "/access_token"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the provider's answer has no oauth_token"),
        (b"<html>", "the provider's answer has no oauth_token"),
        (b"oauth_token=a", "the provider's answer has no oauth_token_secret"),
        (b"oauth_token=a&oauth_token_secret=", "the provider's answer has no"),
        (b"oauth_token=\xff", "the provider's answer is not UTF-8"),
        (b"oauth_token=%ff", "the provider's answer is not UTF-8"),
    ],
    ids=["empty", "page", "no secret", "empty secret", "bytes", "encoded bytes"],
)
def test_malformed_token_is_an_auth_error(path: str, body: bytes, message: str) -> None:
    target = "/oauth" if path == "/request_token" else BACK
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page, _ = play(rules, target, COOKIE, {**ANSWERS, path: (200, body)})
    assert page.status == 500
    assert page.text.startswith(f"AuthError: {message}")


@pytest.mark.parametrize("is_longer", [False, True], ids=["allowed", "too long"])
def test_answer_has_a_limit(is_longer: bool) -> None:
    padding = MOST_BYTES - len(FORM) - len("&a=") + is_longer
    body = FORM + b"&a=" + b"x" * padding
    answers = {"/request_token": (200, body)}
    if not is_longer:
        page, _ = play(rules, "/oauth", "", answers)
        assert page.status == 302
        return
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page, _ = play(rules, "/oauth", "", answers)
    assert page.text.startswith(
        f"AuthError: the provider's answer has {MOST_BYTES + 1}"
    )


@pytest.mark.parametrize("body", [b"[]", b"null", b"{}"], ids=["list", "null", "empty"])
def test_nobody_is_an_auth_error(body: bytes) -> None:
    answers = {**ANSWERS, CREDENTIALS: (200, body)}
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page, _ = play(rules, TWITTER_BACK, COOKIE, answers, **SETTINGS)
    assert page.text == "AuthError: Error getting user"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[1]", "the provider's answer has no screen_name"),
        (b'{"id": 1}', "the provider's answer has no screen_name"),
        (b"<", "the provider's answer is not JSON: Expecting value"),
        (b"\xff", "the provider's answer is not JSON: no UTF-8"),
        (b"[" * 200_000, "the provider's answer is not JSON: "),
    ],
    ids=["list", "no name", "page", "bytes", "deep"],
)
def test_malformed_user_is_an_auth_error(body: bytes, message: str) -> None:
    answers = {**ANSWERS, CREDENTIALS: (200, body)}
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page, _ = play(rules, TWITTER_BACK, COOKIE, answers, **SETTINGS)
    assert page.status == 500
    assert page.text.startswith(f"AuthError: {message}")


def test_provider_without_callbacks_takes_none() -> None:
    arguments = quote(json.dumps({"callback_uri": "/back"}))
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page, seen = play(rules, f"/oauth-no-callback?arguments={arguments}")
    assert page.text == "ValueError: This service does not support oauth_callback"
    assert seen == []


@pytest.mark.parametrize("name", ["twitter_consumer_key", "twitter_consumer_secret"])
def test_setting_of_twitter_is_missed(name: str) -> None:
    settings = {key: value for key, value in SETTINGS.items() if key != name}
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page, _ = play(rules, "/twitter", **settings)
    assert page.text == (
        f"RuntimeError: You must define the '{name}' setting in your application "
        "to use Twitter OAuth"
    )


def test_what_a_subclass_must_define_is_named() -> None:
    class PhotosMixin(OAuthMixin):
        pass

    mixin = PhotosMixin()
    with pytest.raises(NotImplementedError, match=r"PhotosMixin .*_consumer_token"):
        mixin._oauth_consumer_token()
    with pytest.raises(NotImplementedError, match=r"PhotosMixin .*_get_user_future"):
        mixin._oauth_get_user_future({}).send(None)


def test_client_may_be_given() -> None:
    class Client:
        """Answers without asking anybody."""

        async def fetch(self, url: str) -> Any:
            raise ConnectionError("no network here")

    def with_client(*args: Any) -> Any:
        async def get(self: Any) -> None:
            if self.get_argument("oauth_token", None):
                await self.get_authenticated_user(http_client=Client())
            await self.authorize_redirect(http_client=Client())

        found = dict(rules(*args))
        found["/oauth"].get = get
        return found.items()

    for target in ("/oauth", BACK):
        with ExpectLog("wsgitornado.application", "Uncaught exception"):
            page, seen = play(with_client, target, COOKIE, ANSWERS)
        assert (page.text, seen) == ("ConnectionError: no network here", [])


def test_no_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answers = {**ANSWERS, CREDENTIALS: (200, b'{"screen_name": "ada"}')}
    answers["/access_token"] = (200, b"oauth_token=at-key&oauth_token_secret=at-secret")
    page, _ = play(rules, "/twitter?oauth_token=rt%2B", COOKIE, answers, **SETTINGS)
    assert page.status == 200
    # The provider of this test is a server of ours, which logs what it is asked for.
    lines = [r.getMessage() for r in caplog.records if r.name != "wsgitornado.access"]
    text = "\n".join(lines)
    for secret in ("at-key", "at-secret", "rs=", "rs%3D", "oauth_signature"):
        assert secret not in text
