"""Signing in as programs before Tornado 6 did it: callbacks, and generators."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.auth_stage import OURS, Framework, Page, Site, made, on_stage, play
from tests.support import call
from wsgitornado import gen
from wsgitornado.auth import OAuth2Mixin
from wsgitornado.ioloop import IOLoop
from wsgitornado.testing import ExpectLog
from wsgitornado.web import Application, RequestHandler, asynchronous

pytest.importorskip("httpx")

COOKIE = '_oauth_request_token="cnQr|cnM9"'
ANSWERS = {
    "/request_token": (200, b"oauth_token=rt%2B&oauth_token_secret=rs%3D"),
    "/access_token": (200, b"oauth_token=at&oauth_token_secret=as"),
    "/account/verify_credentials.json": (200, b'{"screen_name": "ada"}'),
    "/show.json": (200, b'{"id": 1}'),
    "/me": (200, b'{"id": "7"}'),
    "/token": (200, b'{"access_token": "a"}'),
}
SETTINGS: dict[str, Any] = {"twitter_consumer_key": "k", "twitter_consumer_secret": "s"}
TOKEN = {"key": "k", "secret": "s"}


def rules_of(mixin: str, get: Any, **attributes: Any) -> Any:
    """A program of one handler."""

    def make(framework: Framework, provider: str) -> Any:
        token_path = "access_token" if mixin == "TwitterMixin" else "token"
        addresses = {
            "_OAUTH_REQUEST_TOKEN_URL": f"{provider}/request_token",
            "_OAUTH_ACCESS_TOKEN_URL": f"{provider}/{token_path}",
            "_OAUTH_AUTHORIZE_URL": f"{provider}/authorize",
            "_OAUTH_AUTHENTICATE_URL": f"{provider}/authenticate",
            "_TWITTER_BASE_URL": provider,
            "_FACEBOOK_BASE_URL": provider,
            "_OPENID_ENDPOINT": f"{provider}/openid",
        }
        handler = made(framework, mixin, get=get, **addresses, **attributes)
        return [("/", handler)]

    return make


def ask(
    mixin: str, get: Any, target: str = "/", answers: Any = ANSWERS, **attributes: Any
) -> Page:
    rules = rules_of(mixin, get, **attributes)
    return play(rules, target, COOKIE, answers, **SETTINGS)[0]


def tell(self: Any, result: Any) -> None:
    """The callback of these programs."""
    self.finish(json.dumps({"result": result}))


def old(act: Any) -> Any:
    """An ``@asynchronous`` method that hands a callback to what *act* calls."""

    @asynchronous
    def get(self: Any) -> None:
        assert act(self, self.async_callback(self.tell)) is None

    return get


BACK = "/?oauth_token=rt%2B"


@pytest.mark.parametrize(
    ("mixin", "act", "target", "found"),
    [
        pytest.param(
            "TwitterMixin",
            lambda self, callback: self.get_authenticated_user(callback),
            BACK,
            "screen_name",
            id="user, positional",
        ),
        pytest.param(
            "TwitterMixin",
            lambda self, callback: self.get_authenticated_user(callback=callback),
            BACK,
            "screen_name",
            id="user",
        ),
        pytest.param(
            "TwitterMixin",
            lambda self, callback: self.twitter_request("/show", callback, TOKEN),
            "/",
            "id",
            id="twitter, positional",
        ),
        pytest.param(
            "TwitterMixin",
            lambda self, callback: self.twitter_request(
                "/show", access_token=TOKEN, callback=callback
            ),
            "/",
            "id",
            id="twitter",
        ),
        pytest.param(
            "FacebookGraphMixin",
            lambda self, callback: self.get_authenticated_user(
                "http://h/", "i", "s", "code", callback, {"email"}
            ),
            "/",
            "email",
            id="facebook user, positional",
        ),
        pytest.param(
            "FacebookGraphMixin",
            lambda self, callback: self.facebook_request("/me", callback=callback),
            "/",
            "id",
            id="facebook",
        ),
        pytest.param(
            "GoogleOAuth2Mixin",
            lambda self, callback: self.get_authenticated_user(
                "http://h/", "code", callback, client_id="i", client_secret="s"
            ),
            "/",
            "access_token",
            id="google, positional",
        ),
    ],
)
def test_callback_gets_the_result(
    mixin: str, act: Any, target: str, found: str
) -> None:
    page = ask(mixin, old(act), target, tell=tell)
    assert found in json.loads(page.text)["result"]


@pytest.mark.parametrize("name", ["authorize", "authenticate"])
def test_redirect_may_be_left_to_itself(name: str) -> None:
    @asynchronous
    def get(self: Any) -> None:
        getattr(self, f"{name}_redirect")("/back")

    page = ask("TwitterMixin", get)
    assert (page.status, page.location) == (302, f"P:/{name}")


def test_redirect_has_a_callback_too() -> None:
    done: list[None] = []

    @asynchronous
    def get(self: Any) -> None:
        self.authorize_redirect(callback=done.append)

    assert ask("TwitterMixin", get).status == 302
    assert done == [None]


@pytest.mark.parametrize("is_asynchronous", [False, True])
def test_generator_waits(is_asynchronous: bool) -> None:
    @gen.coroutine
    def get(self: Any) -> Any:
        if self.get_argument("oauth_token", None):
            user = yield self.get_authenticated_user()
            self.write(user["username"])
            self.finish()
        else:
            yield self.authenticate_redirect()

    method = asynchronous(get) if is_asynchronous else get
    assert ask("TwitterMixin", method).status == 302
    assert ask("TwitterMixin", method, BACK).text == "ada"


@pytest.mark.parametrize("is_asynchronous", [False, True])
def test_generator_deals_with_a_failure_itself(is_asynchronous: bool) -> None:
    @gen.coroutine
    def get(self: Any) -> Any:
        try:
            yield self.authorize_redirect()
        except OURS.auth.AuthError as error:
            self.finish(f"caught: {error}")

    method = asynchronous(get) if is_asynchronous else get
    page = ask("TwitterMixin", method, answers={"/request_token": (200, b"")})
    assert page.text == "caught: the provider's answer has no oauth_token"


def test_coroutine_begins_when_it_is_awaited() -> None:
    async def get(self: Any) -> None:
        task = asyncio.create_task(self.twitter_request("/show", TOKEN))
        self.write(await task)

    assert json.loads(ask("TwitterMixin", get).text) == {"id": 1}


def test_callback_gets_none_for_an_auth_error() -> None:
    get = old(lambda self, callback: self.get_authenticated_user(callback))
    with ExpectLog("wsgitornado.general", "the provider's answer has no oauth_token"):
        page = ask("TwitterMixin", get, BACK, {"/access_token": (200, b"")}, tell=tell)
    assert json.loads(page.text) == {"result": None}


def test_other_errors_end_the_request() -> None:
    get = old(lambda self, callback: self.get_authenticated_user(callback))
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page = ask("TwitterMixin", get, BACK, {"/access_token": (401, b"")}, tell=tell)
    assert page.text == "HTTPClientError: HTTP 401: Unauthorized"


def test_error_of_the_callback_ends_the_request() -> None:
    def fail(self: Any, result: Any) -> None:
        raise KeyError("the callback")

    get = old(lambda self, callback: self.twitter_request("/show", callback, TOKEN))
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page = ask("TwitterMixin", get, tell=fail)
    assert page.text == "KeyError: 'the callback'"


def test_failed_redirect_that_was_left_to_itself_ends_the_request() -> None:
    @asynchronous
    def get(self: Any) -> None:
        self.authorize_redirect()

    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page = ask("TwitterMixin", get, answers={"/request_token": (500, b"")})
    assert page.text == "HTTPClientError: HTTP 500: Internal Server Error"


async def finish_later(self: Any) -> None:
    # What is to be told is told within a few turns of the loop.
    for _ in range(20):
        await asyncio.sleep(0)
    self.finish("nobody was told")


@pytest.mark.parametrize("method", ["authorize_redirect", "get_authenticated_user"])
def test_what_is_cancelled_tells_nobody(method: str) -> None:
    class Cancelled:
        def fetch(self, url: str) -> Any:
            raise asyncio.CancelledError

    @asynchronous
    def get(self: Any) -> None:
        given = {} if method == "authorize_redirect" else {"callback": self.tell}
        getattr(self, method)(http_client=Cancelled(), **given)
        IOLoop.current().spawn_callback(finish_later, self)

    assert ask("TwitterMixin", get, BACK, tell=tell).text == "nobody was told"


def test_callback_that_is_no_function_is_a_parameter() -> None:
    async def get(self: Any) -> None:
        self.write(await self.facebook_request("/me", callback="name"))

    async def act(site: Site) -> Any:
        await site.get("/")
        return site.seen[0].query

    rules = rules_of("FacebookGraphMixin", get)
    assert on_stage(rules, act, ANSWERS) == [("callback", "name")]


def test_client_that_can_be_called_is_no_callback() -> None:
    class Client:
        def __call__(self) -> None:
            raise AssertionError("taken for a callback")

        async def fetch(self, url: str) -> Any:
            raise ConnectionError("asked")

    async def get(self: Any) -> None:
        await self.get_authenticated_user(Client())

    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        page = ask("TwitterMixin", get, BACK)
    assert page.text == "ConnectionError: asked"


def test_any_wsgi_server_will_do() -> None:
    # On the background loop, called from a thread of a server's.
    class Handler(OAuth2Mixin, RequestHandler):
        async def get(self) -> None:
            self.write(await self.oauth2_request(self.get_argument("url")))

    async def act(site: Site) -> Any:
        app = Application([("/", Handler)])
        target = f"/?url={site.provider_url}/me"
        return await asyncio.to_thread(call, app, target)

    answer = on_stage(lambda *_: [], act, ANSWERS)
    assert json.loads(answer.text) == {"id": "7"}
