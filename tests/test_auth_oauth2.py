"""Signing in by OAuth 2.0: its state, its errors, and Google's and Facebook's own."""

from __future__ import annotations

import json
import time
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote

import pytest

from tests.auth_programs import SETTINGS, rules
from tests.auth_stage import OURS, Page, Site, made, on_stage, play
from tests.httpclient_peer import Peer, Silence
from wsgitornado.auth import AuthError, GoogleOAuth2Mixin
from wsgitornado.testing import ExpectLog
from wsgitornado.web import create_signed_value

pytest.importorskip("httpx")

SECRET = str(SETTINGS["cookie_secret"])


# The state


def state_rules(*_: Any) -> Any:
    def get(self: Any) -> None:
        if self.get_argument("code", None):
            self.check_oauth_state()
            self.write("welcome")
        else:
            self._OAUTH_AUTHORIZE_URL = "http://id.example/authorize"
            self.authorize_redirect(extra_params={"state": self.new_oauth_state()})

    return [("/", made(OURS, "OAuth2Mixin", get=get))]


def signed_state(age: float, state: str = "the state") -> str:
    signed = create_signed_value(
        SECRET, "_oauth_state", state, clock=lambda: time.time() - age
    )
    return f'_oauth_state="{signed.decode()}"'


def test_browser_that_was_sent_may_come_back_once() -> None:
    async def act(site: Site) -> tuple[Page, Page]:
        there = await site.get("/")
        cookie = there.cookies[0].partition(";")[0]
        state = dict(there.query)["state"]
        return there, await site.get(f"/?code=c&state={quote(state)}", cookie)

    there, back = on_stage(state_rules, act, cookie_secret=SECRET)
    assert len(dict(there.query)["state"]) >= 32
    attributes = there.cookies[0].partition(";")[2]
    assert attributes == " HttpOnly; Path=/; SameSite=Lax"
    assert (back.status, back.text) == (200, "welcome")
    assert SimpleCookie(back.cookies[0])["_oauth_state"].value == ""


def test_states_differ() -> None:
    states = [play(state_rules, "/", cookie_secret=SECRET)[0].query for _ in range(2)]
    assert states[0] != states[1]


@pytest.mark.parametrize(
    ("query", "cookie", "message"),
    [
        ("&state=the+state", "", "Missing or expired OAuth state cookie"),
        (
            "&state=the+state",
            signed_state(3610),
            "Missing or expired OAuth state cookie",
        ),
        (
            "&state=the+state",
            signed_state(0).replace("2|1:0", "2|1:1"),
            "Missing or expired OAuth state cookie",
        ),
        ("&state=other", signed_state(0), "OAuth state does not match cookie"),
        ("&state=%C3%A9", signed_state(0), "OAuth state does not match cookie"),
        ("", signed_state(0), "OAuth state does not match cookie"),
    ],
    ids=["no cookie", "old cookie", "changed", "other", "no ASCII", "no state"],
)
def test_others_are_refused(query: str, cookie: str, message: str) -> None:
    with ExpectLog("wsgitornado.general", f"400 GET .*{message}"):
        page, _ = play(state_rules, f"/?code=c{query}", cookie, cookie_secret=SECRET)
    assert (page.status, page.text) == (400, f"AuthError: {message}")


def test_state_is_taken_for_an_hour() -> None:
    cookie = signed_state(3500)
    page, _ = play(
        state_rules, "/?code=c&state=the+state", cookie, cookie_secret=SECRET
    )
    assert page.text == "welcome"


# Asking


def test_client_secret_stays_from_the_browser() -> None:
    def get(self: Any) -> None:
        self._OAUTH_AUTHORIZE_URL = "http://id.example/authorize"
        with pytest.warns(DeprecationWarning, match="needs no client_secret") as found:
            self.authorize_redirect(client_id="i", client_secret="s")
        assert found[0].filename == __file__

    page, _ = play(lambda *_: [("/", made(OURS, "OAuth2Mixin", get=get))], "/")
    assert dict(page.query) == {"response_type": "code", "client_id": "i"}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/google", b"", "the provider's answer is not JSON: Expecting value"),
        ("/google", b"{}", "the provider's answer has no access_token"),
        (
            "/google",
            b'{"access_token": 1}',
            "the provider's answer has no access_token",
        ),
        ("/google", b"[]", "the provider's answer is not a JSON object"),
        ("/facebook", b"access_token=a", "the provider's answer is not JSON: Expect"),
        ("/facebook", b"{}", "the provider's answer has no access_token"),
    ],
)
def test_malformed_token_is_an_auth_error(path: str, body: bytes, message: str) -> None:
    answers = {"/access_token": (200, body)}
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page, _ = play(rules, path, answers=answers, **SETTINGS)
    assert page.status == 500
    assert page.text.startswith(f"AuthError: {message}")


def test_malformed_user_is_an_auth_error() -> None:
    answers = {
        "/access_token": (200, b'{"access_token": "a"}'),
        "/graph/me": (200, b"[]"),
    }
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page, _ = play(rules, "/facebook", answers=answers)
    assert page.text == "AuthError: the provider's answer is not a JSON object"


def test_error_does_not_hold_the_answer() -> None:
    async def get(self: Any) -> None:
        with pytest.raises(AuthError) as found:
            await self.get_authenticated_user("http://h/", "code")
        assert found.value.__cause__ is found.value.__context__ is None

    def with_get(*args: Any) -> Any:
        found = dict(rules(*args))
        found["/google"].get = get
        return found.items()

    for body in (b'{"access_token": "a"', b'"\xff'):
        answers = {"/access_token": (200, body)}
        page, _ = play(with_get, "/google", answers=answers, **SETTINGS)
        assert page.status == 200


def test_time_out_is_that_of_the_client() -> None:
    silence = Silence()

    def silent_rules(*_: Any) -> Any:
        async def get(self: Any) -> None:
            await self.get_authenticated_user("http://h/", "code")

        def get_auth_http_client(self: Any) -> Any:
            client = GoogleOAuth2Mixin.get_auth_http_client(self)

            class Impatient:
                def fetch(self, url: str, **kwargs: Any) -> Any:
                    return client.fetch(url, request_timeout=0.1, **kwargs)

            return Impatient()

        return [
            (
                "/",
                made(
                    OURS,
                    "GoogleOAuth2Mixin",
                    get=get,
                    get_auth_http_client=get_auth_http_client,
                    _OAUTH_ACCESS_TOKEN_URL=peer.url("/token"),
                ),
            )
        ]

    with Peer(silence) as peer, ExpectLog("wsgitornado.application", "Uncaught"):
        page, _ = play(silent_rules, "/", **SETTINGS)
    assert page.status == 500
    assert page.text.startswith("HTTPTimeoutError: ")


def test_setting_of_google_is_missed() -> None:
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page, _ = play(rules, "/google")
    assert page.text == (
        "RuntimeError: You must define the 'google_oauth' setting in your application "
        "to use Google OAuth2"
    )


def test_setting_of_google_may_have_another_name() -> None:
    def renamed(*args: Any) -> Any:
        found = dict(rules(*args))
        found["/google"]._OAUTH_SETTINGS_KEY = "other"
        return found.items()

    answers = {"/access_token": (200, b'{"access_token": "a"}')}
    page, (seen,) = play(
        renamed, "/google", answers=answers, other={"key": "k", "secret": "s"}
    )
    assert json.loads(page.text) == {"access_token": "a"}
    assert {("client_id", "k"), ("client_secret", "s")} <= set(seen.form)
