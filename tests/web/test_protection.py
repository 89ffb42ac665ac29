"""Cross-site requests at the handler: when they are refused, and the token's cookie."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import tornado.web

from tests.support import Answer, call
from wsgitornado.httputil import HTTPHeaders
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    ErrorHandler,
    FallbackHandler,
    RequestHandler,
)

TOKEN = "00112233445566778899aabbccddeeff"
MASKED = "2|ffffffff|ffeeddccbbaa99887766554433221100|1600000001"
OTHER = "f" * 32
FORM = ("Content-Type", "application/x-www-form-urlencoded")
GENERAL = "wsgitornado.general"

MISSING = "'_xsrf' argument missing from POST"
INVALID = "'_xsrf' argument has invalid format"
NO_MATCH = "XSRF cookie does not match POST argument"

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")


class Handler(RequestHandler):
    """Notes what of it has run."""

    ran: list[str]

    def initialize(self, ran: list[str]) -> None:  # type: ignore[override]  # each handler takes its own
        self.ran = ran

    def prepare(self) -> None:
        self.ran.append("prepare")

    def get(self, *args: str) -> None:
        self.ran.append("verb")

    head = post = put = patch = delete = options = get


class OnlyGet(Handler):
    head = post = put = patch = delete = options = RequestHandler.post


class Site:
    """An application, and what of its handler has run."""

    def __init__(self, base: type[Handler] = Handler, **settings: Any) -> None:
        self.ran: list[str] = []
        settings.setdefault("xsrf_cookies", True)
        rule = (r"/(.*)", base, {"ran": self.ran})
        self.application = Application([rule], **settings)

    def send(
        self,
        *headers: tuple[str, str],
        cookie: str | None = TOKEN,
        method: str = "POST",
        body: bytes = b"",
        target: str = "/",
    ) -> Answer:
        sent = list(headers)
        if cookie is not None:
            sent.append(("Cookie", f"_xsrf={cookie}"))
        if body and not any(name == "Content-Type" for name, _ in headers):
            sent.append(FORM)
        # The validator warns of methods it does not know.
        is_validated = method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE")
        return call(
            self.application, target, method, sent, body, is_validated=is_validated
        )

    def refuses(self, reason: str, *headers: tuple[str, str], **kwargs: Any) -> None:
        with ExpectLog(GENERAL, f".*: {reason}$".replace("(", r"\(")):
            assert self.send(*headers, **kwargs).status_code == 403
        assert self.ran == []

    def lets_pass(self, *headers: tuple[str, str], **kwargs: Any) -> None:
        assert self.send(*headers, **kwargs).status_code == 200
        assert self.ran == ["prepare", "verb"]


# Which requests are checked, and when.


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="plain"),
        pytest.param([("X-Requested-With", "XMLHttpRequest")], id="script"),
        pytest.param([("Content-Type", "application/json")], id="json"),
        pytest.param([("X-Http-Method-Override", "GET")], id="override"),
    ],
)
def test_methods_that_change_something_need_a_token(
    method: str, headers: list[tuple[str, str]]
) -> None:
    Site().refuses(MISSING, *headers, method=method, body=b"{}")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_need_no_token(method: str) -> None:
    Site().lets_pass(method=method, cookie=None)


@pytest.mark.parametrize("method", UNSAFE)
def test_without_the_setting_nothing_is_checked(method: str) -> None:
    Site(xsrf_cookies=False).lets_pass(method=method, cookie=None)


def test_an_unknown_method_is_405_before_the_check() -> None:
    assert Site().send(method="FOO").status_code == 405


@pytest.mark.parametrize(
    ("kwargs", "log"),
    [
        pytest.param({"target": "/%ff"}, "Invalid unicode", id="path"),
        pytest.param(
            {
                "headers": [("Content-Type", "multipart/form-data; boundary=x")],
                "body": b"--x",
            },
            "Invalid body|Invalid multipart",
            id="body",
        ),
    ],
)
def test_what_cannot_be_read_is_400_before_the_check(
    kwargs: dict[str, Any], log: str
) -> None:
    headers = kwargs.pop("headers", [])
    site = Site()
    with ExpectLog(GENERAL, f".*({log})"):
        assert site.send(*headers, **kwargs).status_code == 400
    assert site.ran == []


def test_a_missing_verb_is_403_without_the_token_and_405_with_it() -> None:
    site = Site(OnlyGet)
    site.refuses(MISSING)
    assert site.send(("X-Xsrftoken", TOKEN)).status_code == 405
    assert site.ran == ["prepare"]


def test_the_token_is_asked_for_before_the_origin() -> None:
    site = Site(cross_origin_protection=True)
    evil = ("Origin", "https://evil.test")
    site.refuses(MISSING, evil)
    site.refuses("Origin 'https://evil.test' not allowed", evil, ("X-Xsrftoken", TOKEN))
    site.lets_pass(("X-Xsrftoken", TOKEN))


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        pytest.param([("/", ErrorHandler, {"status_code": 410})], 410, id="error"),
        pytest.param([], 404, id="no rule"),
    ],
)
def test_error_handlers_are_not_checked_for_a_token(
    rules: list[Any], status: int
) -> None:
    application = Application(rules, xsrf_cookies=True)
    assert call(application, "/", "POST", body=b"").status_code == status


def test_a_handler_may_do_without_the_check() -> None:
    class Hook(Handler):
        def check_xsrf_cookie(self) -> None:
            self.ran.append("check")

    site = Site(Hook)
    assert site.send(cookie=None).status_code == 200
    assert site.ran == ["check", "prepare", "verb"]


def test_an_own_error_page_shows_the_refusal() -> None:
    class Page(Handler):
        def write_error(self, status_code: int, **kwargs: Any) -> None:
            self.write(f"{status_code} {kwargs['exc_info'][1].log_message}")

    with ExpectLog(GENERAL, ".*missing"):
        assert Site(Page).send().text.startswith("403 ")


# Where the token is.


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("X-Xsrftoken", TOKEN)], id="X-Xsrftoken"),
        pytest.param([("X-Csrftoken", TOKEN)], id="X-Csrftoken"),
        pytest.param([("X-XSRFTOKEN", MASKED)], id="masked"),
        pytest.param(
            [("X-Xsrftoken", TOKEN), ("X-Csrftoken", OTHER)], id="the first counts"
        ),
        pytest.param([("X-Xsrftoken", ""), ("X-Csrftoken", TOKEN)], id="empty"),
    ],
)
@pytest.mark.parametrize("cookie", [TOKEN, MASKED, f'"{MASKED}"'])
def test_a_header_carries_the_token(
    headers: list[tuple[str, str]], cookie: str
) -> None:
    Site().lets_pass(*headers, cookie=cookie)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        pytest.param("/", f"_xsrf={TOKEN}", id="body"),
        pytest.param("/", f"a=b&_xsrf={MASKED}", id="masked"),
        pytest.param("/", f"_xsrf=%20{TOKEN}%20", id="spaces"),
        pytest.param("/", f"_xsrf={OTHER}&_xsrf={TOKEN}", id="the last counts"),
        pytest.param(f"/?_xsrf={TOKEN}", "", id="query"),
    ],
)
def test_a_field_carries_the_token(target: str, body: str) -> None:
    Site().lets_pass(target=target, body=body.encode())


def test_the_field_is_preferred_to_the_header_unless_it_is_empty() -> None:
    header = ("X-Xsrftoken", TOKEN)
    site = Site()
    site.refuses(NO_MATCH, header, body=f"_xsrf={OTHER}".encode())
    site.lets_pass(header, body=b"_xsrf=+")


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize(
    ("cookie", "sent", "reason"),
    [
        pytest.param(TOKEN, "", MISSING, id="empty"),
        pytest.param("", "", MISSING, id="both empty"),
        pytest.param("2|00000000||1", "2|00000000||1", INVALID, id="empty masked"),
        pytest.param(TOKEN, "2|x|y|z", INVALID, id="odd"),
        pytest.param(TOKEN, "3|0|0|0", INVALID, id="unknown version"),
        pytest.param(TOKEN, "é", INVALID, id="high bytes"),
        pytest.param(TOKEN, OTHER, NO_MATCH, id="another"),
        pytest.param(TOKEN, TOKEN[:-2], NO_MATCH, id="shorter"),
        pytest.param(None, TOKEN, NO_MATCH, id="no cookie"),
        pytest.param("", TOKEN, NO_MATCH, id="empty cookie"),
        pytest.param("odd", TOKEN, NO_MATCH, id="odd cookie"),
    ],
)
def test_a_wrong_token_is_403(
    cookie: str | None, sent: str, reason: str, method: str
) -> None:
    Site().refuses(reason, ("X-Xsrftoken", sent), cookie=cookie, method=method)


def test_a_field_that_is_no_text_is_403() -> None:
    Site().refuses(INVALID, body=b"_xsrf=%ff%fe")


# The token and its cookie.


class Tokens(Handler):
    user: str | None = None

    def get_current_user(self) -> str | None:
        return self.user

    def get(self, *args: str) -> None:
        assert self.xsrf_token is self.xsrf_token
        assert self.xsrf_token.decode() in self.xsrf_form_html()
        self.write(self.xsrf_token)


class LoggedIn(Tokens):
    user = "ada"


def cookie_of(headers: HTTPHeaders) -> tuple[str, str, dict[str, str]]:
    """Name, value and attributes of the one cookie that is set."""
    (line,) = headers.get_list("Set-Cookie")
    pair, *attributes = line.split("; ")
    name, _, value = pair.partition("=")
    parts = (a.lower().partition("=") for a in attributes)
    return name, value.strip('"'), {key: value for key, _, value in parts}


@pytest.mark.parametrize("version", [None, 1, 2])
def test_the_token_is_put_into_a_cookie_and_accepted(version: int | None) -> None:
    settings: dict[str, Any] = {"xsrf_cookie_version": version} if version else {}
    site = Site(Tokens, **settings)
    answer = site.send(method="GET", cookie=None)
    name, value, attributes = cookie_of(answer.headers)
    assert (name, value) == ("_xsrf", answer.text)
    assert attributes == {"path": "/"}
    assert value.startswith("2|") == (version != 1)
    posted = Site(**settings).send(("X-Xsrftoken", answer.text), cookie=value)
    assert posted.status_code == 200


def test_pages_that_do_not_use_the_token_set_no_cookie() -> None:
    assert "Set-Cookie" not in Site().send(method="GET", cookie=None).headers


def test_the_token_changes_with_each_page_and_stays_valid() -> None:
    site = Site(Tokens)
    pages = [site.send(method="GET", cookie=MASKED) for _ in range(20)]
    texts = {page.text for page in pages}
    assert len(texts) == 20
    assert all("Set-Cookie" not in page.headers for page in pages)
    assert {text.rpartition("|")[2] for text in texts} == {"1600000001"}
    for text in texts:
        assert Site().send(("X-Xsrftoken", text), cookie=MASKED).status_code == 200


def test_an_old_cookie_gets_masked_pages() -> None:
    before = int(time.time())
    text = Site(Tokens).send(method="GET", cookie=TOKEN).text
    assert text.startswith("2|")
    assert before <= int(text.rpartition("|")[2]) <= time.time()


@pytest.mark.parametrize("cookie", ["odd", "", "3|0|0|0"])
def test_an_odd_cookie_is_replaced(cookie: str) -> None:
    answer = Site(Tokens).send(method="GET", cookie=cookie)
    assert cookie_of(answer.headers)[1] == answer.text


def test_for_a_user_the_cookie_lasts_thirty_days() -> None:
    answer = Site(LoggedIn).send(method="GET", cookie=None)
    expires = parsedate_to_datetime(cookie_of(answer.headers)[2]["expires"])
    made = parsedate_to_datetime("Thu, 01 Jan 1970 00:00:00 GMT").timestamp()
    made += int(answer.text.rpartition("|")[2])
    assert abs(expires.timestamp() - made - 30 * 86400) <= 2


def test_the_settings_name_the_cookie_and_its_attributes() -> None:
    kwargs = {"httponly": True, "secure": True, "max_age": 5, "expires_days": None}
    site = Site(LoggedIn, xsrf_cookie_name="__Host-x", xsrf_cookie_kwargs=dict(kwargs))
    answer = site.send(method="GET", cookie=None)
    name, value, attributes = cookie_of(answer.headers)
    assert name == "__Host-x"
    assert attributes.keys() == {"path", "httponly", "secure", "max-age"}
    assert site.application.settings["xsrf_cookie_kwargs"] == kwargs
    cookie = ("Cookie", f"__Host-x={value}")
    posting = Site(xsrf_cookie_name="__Host-x")
    posting.refuses(NO_MATCH, ("X-Xsrftoken", value), cookie=value)
    posting.lets_pass(cookie, ("X-Xsrftoken", value), cookie=None)


@pytest.mark.parametrize("version", [0, 3, "2"])
def test_an_unknown_version_is_a_mistake_of_the_program(version: Any) -> None:
    site = Site(Tokens, xsrf_cookie_version=version)
    with ExpectLog("wsgitornado.application", "Uncaught exception"):
        assert site.send(method="GET", cookie=None).status_code == 500


def test_a_token_of_tornado_is_accepted_and_the_other_way_round() -> None:
    ours = Site(Tokens).send(method="GET", cookie=None).text
    decode = tornado.web.RequestHandler._decode_xsrf_token
    reader = tornado.web.RequestHandler.__new__(tornado.web.RequestHandler)
    theirs = decode(reader, ours)[1]
    assert theirs is not None
    Site().lets_pass(("X-Xsrftoken", theirs.hex()), cookie=ours)


# Origins.


def origins(base: type[Handler] = Handler) -> Site:
    return Site(
        base,
        xsrf_cookies=False,
        cross_origin_protection=True,
        trusted_origins=["https://friend.test"],
    )


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="no browser"),
        pytest.param([("Sec-Fetch-Site", "same-origin")], id="same origin"),
        pytest.param([("Sec-Fetch-Site", "none")], id="the user"),
        pytest.param([("Origin", "http://localhost")], id="our host"),
        pytest.param([("Origin", "https://friend.test")], id="a friend"),
        pytest.param(
            [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://friend.test")],
            id="a friend in a new browser",
        ),
    ],
)
def test_a_request_of_ours_passes(headers: list[tuple[str, str]]) -> None:
    origins().lets_pass(*headers)


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("Sec-Fetch-Site", "cross-site")], id="cross site"),
        pytest.param([("Sec-Fetch-Site", "same-site")], id="same site"),
        pytest.param([("Sec-Fetch-Site", "odd")], id="unknown"),
        pytest.param(
            [("Sec-Fetch-Site", "cross-site"), ("Origin", "http://localhost")],
            id="our host, the browser denies it",
        ),
        pytest.param([("Origin", "https://evil.test")], id="another host"),
        pytest.param([("Origin", "http://localhost:81")], id="another port"),
        pytest.param([("Origin", "null")], id="null"),
        pytest.param([("Origin", "http://[")], id="unreadable"),
        pytest.param([("Origin", "https://friend.test.evil.test")], id="longer"),
    ],
)
def test_a_request_of_others_is_403(
    headers: list[tuple[str, str]], method: str
) -> None:
    origins().refuses(".* not allowed", *headers, method=method)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_safe_methods_may_come_from_anywhere(method: str) -> None:
    origins().lets_pass(("Origin", "https://evil.test"), method=method)


def test_a_handler_may_say_whom_it_trusts() -> None:
    class Own(Handler):
        def check_trusted_origin(self, origin: str) -> bool:
            return origin == "https://own.test" or super().check_trusted_origin(origin)

    origins(Own).lets_pass(("Origin", "https://own.test"))
    origins(Own).lets_pass(("Origin", "https://friend.test"))
    origins(Own).refuses(".* not allowed", ("Origin", "https://evil.test"))


# In front of other applications.


def test_a_post_to_an_embedded_application_is_checked_and_its_body_whole() -> None:
    bodies = []

    def echo(environ: Any, start_response: Any) -> list[bytes]:
        bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"embedded"]

    application = Application(
        [("/", FallbackHandler, {"fallback": echo})], xsrf_cookies=True
    )
    body = f"a=b&_xsrf={TOKEN}".encode()
    with ExpectLog(GENERAL, ".*XSRF cookie does not match"):
        assert call(application, "/", "POST", [FORM], body).status_code == 403
    assert bodies == []
    cookie = ("Cookie", f"_xsrf={TOKEN}")
    assert call(application, "/", "POST", [FORM, cookie], body).text == "embedded"
    assert bodies == [body]
