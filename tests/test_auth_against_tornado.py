"""The same sign-ins by Tornado and by us: what browsers and providers see."""

from __future__ import annotations

import inspect
import json
import logging
import warnings
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import tornado.auth
import tornado.httpserver
import tornado.web

import wsgitornado.auth
from tests.auth_programs import SETTINGS, rules
from tests.auth_stage import (
    OURS,
    Answers,
    Framework,
    Page,
    Seen,
    Site,
    on_stage,
    play,
)
from wsgitornado.testing import ExpectLog

pytest.importorskip("httpx")

TORNADO = Framework(tornado.web, tornado.auth, tornado.httpserver)

#: Request token "rt+", secret "rs=".
COOKIE = '_oauth_request_token="cnQr|cnM9"'
BACK = "?oauth_token=rt%2B&oauth_verifier=v"

FORM = b"oauth_token=rt%2B&oauth_token_secret=rs%3D&oauth_callback_confirmed=true"
ACCESS = b"oauth_token=at&oauth_token_secret=as&user_id=5&name=b+c&empty="

OAUTH = {
    "/request_token": (200, FORM),
    "/access_token": (200, ACCESS),
    "/twitter/account/verify_credentials.json": (200, b'{"screen_name": "ada"}'),
    "/twitter/statuses/show.json": (200, b'{"id": 1}'),
    "/twitter": (200, b'{"id": 2}'),
}
OAUTH2 = {
    "/authorize": (200, b'{"ok": [1]}'),
    "/access_token": (200, b'{"access_token": "t+", "expires_in": 500}'),
    "/graph/me": (200, b'{"id": "7", "first_name": "Ada"}'),
    "/graph/me/feed": (200, b'{"id": "8"}'),
}


def called(path: str, /, **arguments: Any) -> str:
    """A target that has a method called with these arguments."""
    return f"{path}?arguments={quote(json.dumps(arguments))}"


def in_order(page: Page, seen: list[Seen]) -> tuple[Page, list[Seen]]:
    """Without what differs from one time to the next."""
    page = page.without_attributes()
    for pairs in [page.query, *(each.query for each in seen)]:
        # Tornado keeps these in sets.
        pairs[:] = [
            (name, ",".join(sorted(value.split(","))))
            if name in ("fields", "openid.ax.required")
            else (name, value)
            for name, value in pairs
        ]
    return page, [each.without_unique() for each in seen]


def outcome(
    framework: Framework, target: str, answers: Answers
) -> tuple[Page, list[Seen]]:
    return in_order(*play(rules, target, COOKIE, answers, framework, **SETTINGS))


SHOW = "/statuses/show"
FEED = "/me/feed"

REDIRECTS: dict[str, dict[str, Any]] = {
    "redirect": {},
    "path": {"callback_uri": "/a b?c=d"},
    "URL": {"callback_uri": "https://a.example/b?c=d"},
    "oob": {"callback_uri": "oob"},
    "parameters": {"extra_params": {"x": "y z"}},
}

#: What the browser asks for.
TARGETS = {
    "openid": "/openid",
    "openid path": called("/openid", callback_uri="/a?b=c"),
    "openid bare": called("/openid", callback_uri="back", ax_attrs=[]),
    "openid URL": called(
        "/openid", callback_uri="http://a.example/", ax_attrs=["name"]
    ),
    **{
        f"{path} {name}": called(path, **arguments)
        for path in ("/oauth", "/oauth1.0", "/twitter")
        for name, arguments in REDIRECTS.items()
    },
    **{f"{path} back": path + BACK for path in ("/oauth", "/oauth1.0", "/twitter")},
    "oauth without verifier": "/oauth?oauth_token=rt%2B",
    "oauth known callback": called("/oauth-no-callback"),
    "twitter authenticate": called("/twitter") + "&authenticate=1",
    "twitter authenticate path": called("/twitter", callback_uri="/b")
    + "&authenticate=1",
    "twitter api": called("/twitter/api", path=SHOW),
    "twitter api query": called("/twitter/api", path=SHOW, n=1, q="a b"),
    "twitter api form": called("/twitter/api", path=SHOW, post_args={"a": "é +"}),
    "twitter api both": called("/twitter/api", path=SHOW, n=1, post_args={}),
    "twitter api URL": called("/twitter/api", path="P:", n=1),
    "oauth2": called("/oauth2"),
    "oauth2 URL": called("/oauth2", redirect_uri="http://a.example/b?c=d"),
    "oauth2 scope": called("/oauth2", client_id="c", scope=["a", "b c"]),
    "oauth2 no scope": called("/oauth2", client_id="c", scope=[]),
    "oauth2 more": called(
        "/oauth2", extra_params={"state": "s"}, response_type="token"
    ),
    "oauth2 token URL": called("/oauth2/token"),
    "oauth2 full token URL": called(
        "/oauth2/token",
        redirect_uri="http://a.example/",
        client_id="c",
        client_secret="s",
        code="d e",
        extra_params={"x": "y"},
    ),
    "oauth2 api": called("/oauth2/api"),
    "oauth2 api token": called("/oauth2/api", access_token="t+", a=1, b="c d"),
    "oauth2 api form": called("/oauth2/api", access_token="t", post_args={"a": "b c"}),
    "oauth2 api empty form": called("/oauth2/api", post_args={}),
    "google": called("/google"),
    "google own id": called("/google", client_id="i"),
    "google own secret": called("/google", client_secret="s"),
    "google own": called("/google", client_id="i", client_secret="s"),
    "facebook": "/facebook",
    "facebook email": called("/facebook", extra_fields=["email"]),
    "facebook api": called("/facebook/api", path=FEED),
    "facebook api token": called("/facebook/api", path=FEED, access_token="t", a=1),
    "facebook api form": called("/facebook/api", path=FEED, post_args={"a": "b"}),
}


async def ask_all(site: Site) -> dict[str, tuple[Page, list[Seen]]]:
    outcomes = {}
    for name, target in TARGETS.items():
        is_first = target.startswith(("/oauth?", "/oauth1", "/oauth-", "/twitter"))
        site.answers = OAUTH if is_first else OAUTH2
        site.seen.clear()
        page = await site.get(target, COOKIE if "oauth_token=" in target else "")
        outcomes[name] = in_order(page, site.seen)
    return outcomes


@pytest.fixture(scope="module")
def theirs() -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "OpenIdMixin is deprecated")
        return on_stage(rules, ask_all, {}, TORNADO, **SETTINGS)


@pytest.fixture(scope="module")
def ours() -> Any:
    return on_stage(rules, ask_all, {}, OURS, **SETTINGS)


@pytest.mark.parametrize("name", TARGETS)
def test_browser_and_provider_see_the_same(name: str, theirs: Any, ours: Any) -> None:
    assert theirs[name][0].status in (200, 302)
    assert ours[name] == theirs[name]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/graph/me", b"null", id="nobody"),
        pytest.param("/access_token", b'{"access_token": "a"}', id="for ever"),
    ],
)
def test_what_facebook_need_not_tell_is_read_alike(path: str, body: bytes) -> None:
    answers = {**OAUTH2, path: (200, body)}
    assert outcome(OURS, "/facebook", answers) == outcome(TORNADO, "/facebook", answers)


@pytest.mark.parametrize(
    ("target", "answers"),
    [
        pytest.param("/oauth", {"/request_token": (401, b"")}, id="request token"),
        pytest.param(f"/oauth{BACK}", {"/access_token": (401, b"")}, id="access token"),
        pytest.param(f"/oauth{BACK}&user=null", OAUTH, id="nobody"),
        pytest.param(
            f"/twitter{BACK}",
            {**OAUTH, "/twitter/account/verify_credentials.json": (200, b"{}")},
            id="nobody at twitter",
        ),
        pytest.param("/google", {"/access_token": (400, b"{}")}, id="google"),
        pytest.param("/facebook", {"/access_token": (400, b"{}")}, id="facebook"),
        pytest.param("/facebook", {**OAUTH2, "/graph/me": (500, b"")}, id="graph"),
        pytest.param(called("/oauth2/api", access_token="t"), {}, id="api"),
        pytest.param(called("/twitter/api", path="/none"), {}, id="twitter api"),
    ],
)
def test_failure_of_the_provider_is_the_same_error(target: str, answers: Any) -> None:
    logging.getLogger("tornado.application").disabled = True
    try:
        theirs = outcome(TORNADO, target, answers)
    finally:
        logging.getLogger("tornado.application").disabled = False
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        ours = outcome(OURS, target, answers)
    assert ours == theirs
    assert theirs[0].status == 500


def test_openid_answer_is_verified_and_read_alike() -> None:
    fields = {
        "openid.ns": "http://specs.openid.net/auth/2.0",
        "openid.mode": "id_res",
        "openid.return_to": "http://site.example/openid?a=b",
        "openid.claimed_id": "http://id.example/7",
        "openid.ns.e1": "http://openid.net/srv/ax/1.0",
        "openid.e1.mode": "fetch_response",
        "openid.e1.type.first": "http://axschema.org/namePerson/first",
        "openid.e1.value.first": "Ada",
        "openid.e1.type.last": "http://axschema.org/namePerson/last",
        "openid.e1.value.last": "Byron",
        "openid.e1.type.mail": "http://axschema.org/contact/email",
        "openid.e1.value.mail": "ada@id.example",
        "openid.e1.type.lang": "http://axschema.org/pref/language",
        "openid.e1.value.lang": "EN-gb",
        "openid.e1.type.nick": "http://axschema.org/namePerson/friendly",
        "openid.e1.value.nick": "ada",
        "a": "b",
    }
    names = [name.removeprefix("openid.") for name in fields if name != "openid.mode"]
    fields["openid.signed"] = ",".join(names)
    answers = {
        "/openid": (200, b"ns:http://specs.openid.net/auth/2.0\nis_valid:true\n")
    }
    target = "/openid?" + urlencode(fields)
    with pytest.warns(DeprecationWarning, match="OpenIdMixin"):
        theirs = outcome(TORNADO, target, answers)
    assert outcome(OURS, target, answers) == theirs
    assert json.loads(theirs[0].text)["name"] == "Ada Byron"


@pytest.mark.parametrize("name", wsgitornado.auth.__all__)
def test_class_has_all_that_tornados_has(name: str) -> None:
    theirs, ours = getattr(tornado.auth, name), getattr(wsgitornado.auth, name)
    for key in dir(theirs):
        value = getattr(theirs, key)
        if key.startswith("__") or hasattr(Exception, key):
            continue
        if callable(value):
            assert parameters(getattr(ours, key)) == parameters(value), key
        else:
            assert getattr(ours, key) == value, key


def parameters(method: Any) -> list[tuple[str, Any, Any]]:
    found = inspect.signature(method).parameters.values()
    return [(each.name, each.kind, each.default) for each in found]


def test_signatures_agree_where_the_rfc_leaves_no_choice() -> None:
    consumer, token = {"key": "c", "secret": "c&s"}, {"key": "t", "secret": "é"}

    def sign(framework: Framework, version: str, user: Any) -> Any:
        # What differs by time and chance is given.
        class Signer(framework.auth.OAuthMixin):  # type: ignore[name-defined, misc]  # of either
            _OAUTH_VERSION = version

            def _oauth_consumer_token(self) -> Any:
                return consumer

        signer = Signer()
        url = "HTTP://Photos.example/r%20v/X"
        given = {
            "oauth_nonce": "n",
            "oauth_timestamp": "1",
            "oauth_signature_method": "HMAC-SHA1",
            "b": "é +~*",
            "a": 1,
        }
        return signer._oauth_request_parameters(url, user, given, "post")[
            "oauth_signature"
        ]

    for version in ("1.0a", "1.0"):
        ours = sign(OURS, version, token)
        assert ours == sign(TORNADO, version, token)
