"""CORS: preflights and the headers that let pages of other sites read answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import Answer, call
from wsgitornado.testing import ExpectLog
from wsgitornado.web import (
    Application,
    CORSMixin,
    FallbackHandler,
    HTTPError,
    RequestHandler,
)
from wsgitornado.web.cors_policy import CORSPolicy

OURS = "https://www.example.com"
OTHER = "https://evil.example"


class ThingHandler(RequestHandler):
    def prepare(self) -> None:
        if self.get_argument("refuse", ""):
            raise HTTPError(403)

    def get(self) -> None:
        self.write("thing")

    def put(self) -> None:
        self.write("changed")

    def options(self) -> None:
        self.write("own options")


class FailingHandler(RequestHandler):
    def get(self) -> None:
        raise RuntimeError("a failure of the test")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish({"error": status_code})


class StreamHandler(RequestHandler):
    async def get(self) -> None:
        self.set_header("Vary", self.get_argument("vary"))
        self.write("one ")
        await self.flush()
        self.write("two")


class FewHandler(RequestHandler):
    SUPPORTED_METHODS = ("PUT",)

    def put(self) -> None:
        self.write("changed")


class OwnHandler(CORSMixin, RequestHandler):
    cors_origins = [OTHER]
    cors_max_age = 5

    def post(self) -> None:
        self.write("own")


RULES: list[Any] = [
    (r"/thing", ThingHandler),
    (r"/fails", FailingHandler),
    (r"/stream", StreamHandler),
    (r"/few", FewHandler),
    (r"/own", OwnHandler),
    (r"/embedded", FallbackHandler, {"fallback": Application([("/.*", ThingHandler)])}),
]


def application(**settings: Any) -> Application:
    settings.setdefault("cors_origins", [OURS])
    return Application(RULES, **settings)


def get(
    app: Application, origin: str | None = OURS, target: str = "/thing", **extra: Any
) -> Answer:
    headers = [] if origin is None else [("Origin", origin)]
    return call(app, target, headers=headers, **extra)


def preflight(
    app: Application, origin: str = OURS, target: str = "/thing", method: str = "PUT"
) -> Answer:
    headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", method),
        ("Access-Control-Request-Headers", "content-type"),
    ]
    return call(app, target, "OPTIONS", headers)


def cors_headers(answer: Answer) -> dict[str, str]:
    return {
        name.removeprefix("Access-Control-"): value
        for name, value in answer.headers.items()
        if name.startswith("Access-Control-")
    }


# Which origins


@pytest.mark.parametrize(
    "origins",
    [
        pytest.param([OTHER, OURS], id="list"),
        pytest.param({OURS}, id="set"),
        pytest.param(OURS, id="one as text"),
        pytest.param(lambda origin: origin.endswith(".example.com"), id="function"),
    ],
)
def test_allowed_origin_may_read_the_answer(origins: Any) -> None:
    answer = get(application(cors_origins=origins))
    assert cors_headers(answer) == {"Allow-Origin": OURS}
    assert answer.headers["Vary"] == "Origin"
    assert answer.text == "thing"


@pytest.mark.parametrize(
    "origin",
    [
        pytest.param(None, id="none"),
        pytest.param(OTHER, id="another"),
        pytest.param("null", id="null"),
        pytest.param("", id="empty"),
        pytest.param("http://www.example.com", id="another scheme"),
        pytest.param(f"{OURS}:8443", id="another port"),
        pytest.param(f"{OURS}.evil.example", id="ours as a prefix"),
        pytest.param("https://evilwww.example.com", id="ours as a suffix"),
        pytest.param(f"{OURS}/", id="slash at the end"),
        pytest.param(f"{OURS} {OTHER}", id="two"),
        pytest.param("https://WWW.example.com", id="another letter case"),
        pytest.param("*", id="star"),
    ],
)
@pytest.mark.parametrize(
    "origins", [[OURS], lambda origin: origin == OURS], ids=["list", "function"]
)
def test_other_origin_gets_no_permission(origins: Any, origin: str | None) -> None:
    answer = get(application(cors_origins=origins, cors_credentials=True), origin)
    assert cors_headers(answer) == {}
    # A cache must not give this answer to those who are allowed.
    assert answer.headers["Vary"] == "Origin"
    assert answer.text == "thing"


def test_any_origin_may_read_where_all_may() -> None:
    for origin in OURS, "null", None:
        answer = get(application(cors_origins="*"), origin)
        assert cors_headers(answer) == {"Allow-Origin": "*"}
        assert "Vary" not in answer.headers


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        f"{OURS}\r\nSet-Cookie: a=b",
        f"{OURS}\n",
        "https://a b",
        "https://é.example",
        "https://",
        "www.example.com",
        "https://user@www.example.com",
        "https://www.example.com:123456",
        "file:///",
    ],
)
def test_function_is_never_asked_about_what_is_no_origin(origin: str) -> None:
    def allow(origin: str) -> bool:
        raise AssertionError(origin)

    assert CORSPolicy(allow).allowed_origin(origin) is None


@given(st.text(max_size=40) | st.from_regex(r"\A[a-z]{1,5}://.{1,10}\Z"))
def test_allowed_origin_can_always_be_sent(origin: str) -> None:
    allowed = CORSPolicy(lambda origin: True).allowed_origin(origin)
    assert allowed in (None, origin)
    if allowed is not None:
        assert re.fullmatch(r"[!-~]+", allowed)


@pytest.mark.parametrize(
    "origin",
    ["http://localhost:8000", "http://[::1]:8000", "chrome-extension://abcdefgh"],
)
def test_forms_of_origins_are_known(origin: str) -> None:
    assert CORSPolicy([origin]).allowed_origin(origin) == origin


# The other headers


def test_credentials_and_exposed_headers_are_told() -> None:
    app = application(cors_credentials=True, cors_exposed_headers=["x-total", "etag"])
    assert cors_headers(get(app)) == {
        "Allow-Origin": OURS,
        "Allow-Credentials": "true",
        "Expose-Headers": "X-Total, Etag",
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            {"cors_origins": "*", "cors_credentials": True},
            "list the origins",
            id="credentials for all",
        ),
        pytest.param({"cors_origins": [f"{OURS}/"]}, "no browser sends", id="slash"),
        pytest.param({"cors_origins": ["null"]}, "no browser sends", id="null"),
        pytest.param({"cors_origins": ["*", OURS]}, "no browser sends", id="star"),
        pytest.param({"cors_origins": ["Https://A.b"]}, "lower case", id="capitals"),
        pytest.param({"cors_origins": [b"http://a"]}, "no browser sends", id="bytes"),
        pytest.param({"cors_headers": ["a b"]}, "a b", id="header that is no token"),
        pytest.param({"cors_headers": ["A\r\nB: c"]}, "B: c", id="end of line"),
        pytest.param(
            {"cors_headers": "*", "cors_credentials": True},
            "cors_headers is no wildcard",
            id="all headers with credentials",
        ),
    ],
)
def test_policy_that_cannot_be_is_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        application(**settings)


# Every answer


@pytest.mark.parametrize(
    ("target", "status_code", "body"),
    [
        pytest.param("/missing", 404, "404: Not Found", id="no rule"),
        pytest.param("/thing?refuse=1", 403, "403: Forbidden", id="prepare"),
    ],
)
def test_error_page_may_be_read(target: str, status_code: int, body: str) -> None:
    answer = get(application(), target=target)
    assert (answer.status_code, cors_headers(answer)) == (
        status_code,
        {"Allow-Origin": OURS},
    )
    assert body in answer.text


def test_answer_of_write_error_may_be_read() -> None:
    with ExpectLog("wsgitornado.application", "(?s)Uncaught exception"):
        answer = get(application(), target="/fails")
    assert answer.status_code == 500
    assert answer.text == '{"error": 500}'
    assert cors_headers(answer) == {"Allow-Origin": OURS}
    assert answer.headers["Vary"] == "Origin"


def test_refused_method_may_be_read() -> None:
    answer = call(application(), "/thing", "DELETE", [("Origin", OURS)])
    assert answer.status_code == 405
    assert cors_headers(answer) == {"Allow-Origin": OURS}


@pytest.mark.parametrize(
    ("vary", "sent"),
    [("Accept", "Accept, Origin"), ("a, origin", "a, origin"), ("*", "*")],
    ids=["beside another", "there already", "any"],
)
def test_streamed_answer_has_the_headers_beside_its_own(vary: str, sent: str) -> None:
    answer = get(application(), target=f"/stream?vary={vary}")
    assert answer.text == "one two"
    assert cors_headers(answer) == {"Allow-Origin": OURS}
    assert answer.headers["Vary"] == sent


def test_unchanged_answer_has_the_headers() -> None:
    app = application()
    etag = get(app).headers["Etag"]
    headers = [("If-None-Match", etag), ("Origin", OURS)]
    answer = call(app, "/thing", headers=headers)
    assert answer.status_code == 304
    assert cors_headers(answer) == {"Allow-Origin": OURS}


def test_static_file_has_the_headers(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("file")
    answer = get(application(static_path=str(tmp_path)), target="/static/a.txt")
    assert answer.text == "file"
    assert cors_headers(answer) == {"Allow-Origin": OURS}


# Preflights


def test_preflight_is_answered_for_the_handler() -> None:
    answer = preflight(application())
    assert (answer.status_code, answer.body) == (204, b"")
    assert cors_headers(answer) == {
        "Allow-Origin": OURS,
        "Allow-Methods": "GET, PUT, OPTIONS",
        "Allow-Headers": "Authorization, Content-Type, X-Requested-With",
        "Max-Age": "600",
    }
    assert answer.headers["Vary"] == "Origin"


def test_preflight_is_answered_by_the_settings() -> None:
    app = application(cors_headers="X-One, x-two", cors_max_age=0)
    headers = cors_headers(preflight(app))
    assert (headers["Allow-Headers"], headers["Max-Age"]) == ("X-One, X-Two", "0")


def test_no_header_is_allowed_where_the_setting_has_none() -> None:
    assert "Allow-Headers" not in cors_headers(preflight(application(cors_headers=[])))


def test_preflight_comes_before_prepare_and_xsrf() -> None:
    app = application(xsrf_cookies=True, cross_origin_protection=True)
    assert preflight(app, target="/thing?refuse=1").status_code == 204


def test_preflight_of_another_origin_gets_no_permission() -> None:
    answer = preflight(application(), OTHER)
    assert (answer.status_code, answer.body) == (204, b"")
    assert cors_headers(answer) == {}
    assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "headers",
    [
        [("Origin", OURS)],
        [("Access-Control-Request-Method", "PUT")],
    ],
    ids=["no method", "no origin"],
)
def test_other_options_are_the_handlers(headers: list[tuple[str, str]]) -> None:
    answer = call(application(), "/thing", "OPTIONS", headers)
    assert answer.text == "own options"


def test_preflight_is_the_handlers_where_there_is_no_policy() -> None:
    answer = preflight(Application(RULES))
    assert answer.text == "own options"
    assert cors_headers(answer) == {}


def test_preflight_needs_no_options_among_the_supported_methods() -> None:
    answer = preflight(application(), target="/few")
    assert answer.status_code == 204
    assert cors_headers(answer)["Allow-Methods"] == "PUT"
    refused = call(application(), "/few", "OPTIONS", [("Origin", OURS)])
    assert refused.status_code == 405


def test_embedded_application_answers_for_itself() -> None:
    answer = preflight(application(), target="/embedded")
    assert (answer.text, cors_headers(answer)) == ("own options", {})


def test_preflight_of_what_is_not_there_is_a_404() -> None:
    answer = preflight(application(), target="/missing")
    assert answer.status_code == 404
    assert cors_headers(answer) == {"Allow-Origin": OURS}


def test_private_networks_are_never_opened() -> None:
    headers = [
        ("Origin", OURS),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Private-Network", "true"),
    ]
    answer = call(application(), "/thing", "OPTIONS", headers)
    assert "Allow-Private-Network" not in cors_headers(answer)


# The mixin


@pytest.mark.parametrize("settings", [{}, {"cors_origins": [OURS]}], ids=str)
def test_handler_with_a_policy_of_its_own_has_only_that(settings: Any) -> None:
    app = Application(RULES, **settings)
    answer = preflight(app, OTHER, "/own")
    assert answer.status_code == 204
    assert cors_headers(answer)["Allow-Methods"] == "POST"
    assert cors_headers(answer)["Max-Age"] == "5"
    assert cors_headers(preflight(app, OURS, "/own")) == {}
    posted = call(app, "/own", "POST", [("Origin", OTHER)], b"")
    assert cors_headers(posted) == {"Allow-Origin": OTHER}
    refused = call(app, "/own", "GET", [("Origin", OTHER)])
    assert refused.status_code == 405
    assert cors_headers(refused) == {"Allow-Origin": OTHER}


def test_mixin_alone_allows_nothing() -> None:
    class Forgetful(CORSMixin, RequestHandler):
        def get(self) -> None:
            self.write("read")

    answer = get(Application([("/", Forgetful)]), target="/")
    assert cors_headers(answer) == {}
    assert answer.headers["Vary"] == "Origin"


def test_mixin_takes_a_function() -> None:
    class Asking(CORSMixin, RequestHandler):
        cors_origins = lambda origin: origin == OURS  # noqa: E731  # as programs do

        def get(self) -> None:
            self.write("read")

    answer = get(Application([("/", Asking)]), target="/")
    assert cors_headers(answer) == {"Allow-Origin": OURS}


def test_mixin_whose_policy_cannot_be_is_refused_where_it_is_defined() -> None:
    with pytest.raises(ValueError, match="list the origins"):
        type("Wrong", (CORSMixin,), {"cors_origins": "*", "cors_credentials": True})
